"""Which receivers the settings give, and what is said of those that are set by half."""

from pathlib import Path
from typing import Any

import pytest

from pikkit.alerts.building import build_sink, halves, why_none
from pikkit.settings import Settings

TELEGRAM = {"telegram_bot_token": "1:a", "telegram_chat_id": "42"}
SUPABASE = {"supabase_url": "https://a.example", "supabase_service_key": "sb_secret_a"}
N8N = {"n8n_webhook_url": "https://n8n.example/webhook/pikkit"}
EVERY = {**TELEGRAM, **SUPABASE}


@pytest.mark.parametrize(
    ("given", "why", "half"),
    [
        ({}, "no receiver is set", []),
        (TELEGRAM, "", []),
        (SUPABASE, "", []),
        *(
            ({name: EVERY[name]}, f"{name.upper()} is set without {other.upper()}", [name])
            for pair in (TELEGRAM, SUPABASE)
            for name, other in zip(pair, reversed(pair), strict=True)
        ),
        ({**TELEGRAM, "supabase_url": "https://a.example"}, "", ["supabase_url"]),
        ({**SUPABASE, "telegram_chat_id": "42"}, "", ["telegram_chat_id"]),
        ({**N8N, "telegram_chat_id": "42", "supabase_url": "https://a.example"}, "", []),
        ({**TELEGRAM, "alerts_enabled": False}, "ALERTS_ENABLED is false", []),
    ],
)
def test_a_receiver_that_is_set_by_half_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: dict[str, Any], why: str, half: list[str]
) -> None:
    settings = Settings(_env_file=None, data_dir=tmp_path, **given)
    assert why_none(settings) == why
    assert [one.split()[0].lower() for one in halves(settings)] == half
    sink = build_sink(settings, tmp_path, counted=lambda *_: None, dropped=lambda _: None)
    assert (sink is None) == bool(why)
    assert capsys.readouterr().out.count("is set by half") == len(half)
