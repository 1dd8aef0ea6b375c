"""Alerts as the settings describe them: receivers, limits, and all that stands between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pikkit.alerts.admission import Admission, Limits
from pikkit.alerts.clock import Clock, SystemClock
from pikkit.alerts.delivery import Courier, Patience
from pikkit.alerts.message import Style
from pikkit.alerts.outbox import Outbox
from pikkit.alerts.presence import Presence, slot_started
from pikkit.alerts.receivers.n8n import N8nWebhook
from pikkit.alerts.receivers.port import Receiver
from pikkit.alerts.receivers.telegram import Telegram
from pikkit.alerts.sink import AlertSink
from pikkit.settings import Settings
from pikkit.telemetry.logs import get_logger

if TYPE_CHECKING:
    from pikkit.alerts.receivers.supabase import SupabaseTable

__all__ = ["build_ledger", "build_receiver", "build_sink", "halves", "style_of", "why_none"]

_PAIRS = (("telegram_bot_token", "telegram_chat_id"), ("supabase_url", "supabase_service_key"))

_log = get_logger("pikkit.alerts")


def build_receiver(settings: Settings) -> Receiver | None:
    """Who shows alerts: n8n where its webhook is set, else Telegram."""
    if settings.n8n_webhook_url is not None:
        return N8nWebhook(str(settings.n8n_webhook_url), _secret(settings, "n8n_webhook_secret"))
    token = _secret(settings, "telegram_bot_token")
    if token and settings.telegram_chat_id:
        return Telegram(token, settings.telegram_chat_id, api=str(settings.telegram_api_url).rstrip("/"))
    return None


def build_ledger(settings: Settings) -> SupabaseTable | None:
    """The table that hosts share; None with n8n, whose workflow writes it."""
    key = _secret(settings, "supabase_service_key")
    if settings.n8n_webhook_url is not None or settings.supabase_url is None or key is None:
        return None
    from pikkit.alerts.receivers.supabase import SupabaseTable  # noqa: PLC0415 - a second to import

    return SupabaseTable(str(settings.supabase_url), key, schema=settings.supabase_schema)


def style_of(settings: Settings) -> Style:
    """How messages are written."""
    return Style(bankroll=settings.bankroll, link_hosts=settings.alert_link_hosts)


def why_none(settings: Settings) -> str:
    """Why there are no alerts at all; '' if there are."""
    if not settings.alerts_enabled:
        return "ALERTS_ENABLED is false"
    if settings.n8n_webhook_url or any(all(getattr(settings, name) for name in names) for names in _PAIRS):
        return ""
    return "; ".join(halves(settings)) or "no receiver is set"


def halves(settings: Settings) -> list[str]:
    """What receivers that are set by half lack: they get no alerts. With n8n each value is `setup-n8n`'s to ask for."""
    found: list[str] = []
    for names in _PAIRS if settings.n8n_webhook_url is None else ():
        given = [bool(getattr(settings, name)) for name in names]
        if any(given) and not all(given):
            found.append(f"{names[given.index(True)].upper()} is set without {names[given.index(False)].upper()}")
    return found


def build_sink(
    settings: Settings,
    runtime_dir: Path,
    *,
    counted: Callable[[str, str, int], None],
    dropped: Callable[[int], None],
    clock: Clock | None = None,
) -> AlertSink | None:
    """The sink that the settings describe; None where `why_none` says why. Opens and connects nothing yet."""
    for half in halves(settings) if settings.alerts_enabled else ():
        _log.warning("a receiver is set by half and gets no alerts", reason=half)
    if why_none(settings):
        return None
    clock = clock or SystemClock()
    receiver, ledger = build_receiver(settings), build_ledger(settings)
    outbox = Outbox(settings.data_dir, clock)
    patience = Patience(settings.alert_ttl, settings.alert_ttl_live)
    limits = Limits(settings.alert_window, settings.alert_price_step, settings.alerts_per_hour)
    return AlertSink(
        outbox,
        Admission(outbox, limits),
        Courier(outbox, receiver, ledger, clock, patience=patience, style=style_of(settings), counted=counted),
        Presence(settings.data_dir / "alerts-slots", settings.deployment, slot_started(runtime_dir, clock), clock),
        clock,
        environment=settings.environment,
        deployment=settings.deployment,
        channel=receiver.channel if receiver else "supabase",
        patience=patience,
        window_s=settings.alert_window,
        counted=counted,
        dropped=dropped,
    )


def _secret(settings: Settings, name: str) -> str | None:
    value = getattr(settings, name)
    return None if value is None else str(value.get_secret_value())
