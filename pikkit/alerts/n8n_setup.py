"""The n8n workflow with the user's values: as a file, or created, updated and activated by n8n's public API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from pikkit.settings import Settings

__all__ = ["WORKFLOW", "SetupError", "fill_workflow", "push_workflow"]

WORKFLOW = Path(__file__).parents[2] / "monitoring/n8n/pikkit-high-grade-bet.json"
_TIMEOUT_S = 20.0
_SENT = ("name", "nodes", "connections", "settings")


class SetupError(Exception):
    """n8n can't be set up; the text says what to do."""


def fill_workflow(settings: Settings) -> dict[str, Any]:
    """The workflow with webhook secret, chat and Supabase address in their places.

    Raises:
        SetupError: a value is not set, or the workflow is not in this checkout.
    """
    values = {
        "__N8N_WEBHOOK_SECRET__": _secret(settings, "n8n_webhook_secret"),
        "__TELEGRAM_CHAT_ID__": settings.telegram_chat_id,
        "__SUPABASE_URL__": str(settings.supabase_url).rstrip("/") if settings.supabase_url else None,
    }
    missing = [name.strip("_") for name, value in values.items() if not value]
    if missing:
        raise SetupError(f"{', '.join(missing)} must be set: the workflow verifies, notifies and stores with them")
    try:
        text = WORKFLOW.read_text(encoding="utf-8")
    except OSError as cause:
        raise SetupError(f"{WORKFLOW.name} can't be read ({cause.strerror}): run this in a checkout") from cause
    for name, value in values.items():
        text = text.replace(name, json.dumps(value)[1:-1])
    workflow: dict[str, Any] = json.loads(text)
    return workflow


def push_workflow(settings: Settings, workflow: Mapping[str, Any], transport: httpx.BaseTransport | None = None) -> str:
    """Create the workflow in n8n with its credentials, or update the one of the same name; activate it.

    A second call changes nothing but what changed: the credentials of an existing workflow are kept as they are.

    Raises:
        SetupError: a setting is missing, or n8n refused.
    """
    key = _secret(settings, "n8n_api_key")
    if settings.n8n_base_url is None or key is None:
        raise SetupError("N8N_BASE_URL and N8N_API_KEY must be set: or write a file with --out and import it")
    base = f"{str(settings.n8n_base_url).rstrip('/')}/api/v1"
    with httpx.Client(base_url=base, headers={"X-N8N-API-KEY": key}, timeout=_TIMEOUT_S, transport=transport) as client:
        existing = next(
            (one for one in _all_workflows(client) if one["name"] == workflow["name"]),
            None,
        )
        credentials = _credentials_of(existing) if existing else _make_credentials(client, settings)
        body = {name: workflow[name] for name in _SENT}
        body["nodes"] = [_with_credentials(node, credentials) for node in workflow["nodes"]]
        if existing:
            identifier = str(existing["id"])
            _call(client, "PUT", f"/workflows/{identifier}", body)
        else:
            identifier = str(_call(client, "POST", "/workflows", body)["id"])
        _call(client, "POST", f"/workflows/{identifier}/activate")
    return f"workflow {workflow['name']!r} ({identifier}) is {'updated' if existing else 'created'} and active"


def _all_workflows(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = _call(client, "GET", f"/workflows?limit=100{f'&cursor={cursor}' if cursor else ''}")
        found += page["data"]
        cursor = page.get("nextCursor") or ""
        if not cursor:
            return found


def _make_credentials(client: httpx.Client, settings: Settings) -> dict[str, dict[str, str]]:
    token, key = _secret(settings, "telegram_bot_token"), _secret(settings, "supabase_service_key")
    if token is None or key is None:
        raise SetupError("TELEGRAM_BOT_TOKEN and SUPABASE_SERVICE_KEY must be set: n8n gets them as credentials")
    wanted = {
        "telegramApi": (
            "Pikkit Telegram",
            {"accessToken": token, "baseUrl": str(settings.telegram_api_url).rstrip("/")},
        ),
        "supabaseApi": ("Pikkit Supabase", {"host": str(settings.supabase_url).rstrip("/"), "serviceRole": key}),
    }
    made = {}
    for kind, (name, data) in wanted.items():
        answer = _call(client, "POST", "/credentials", {"name": name, "type": kind, "data": data})
        made[kind] = {"id": str(answer["id"]), "name": name}
    return made


def _credentials_of(workflow: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {kind: value for node in workflow["nodes"] for kind, value in node.get("credentials", {}).items()}


def _with_credentials(node: Mapping[str, Any], credentials: Mapping[str, dict[str, str]]) -> dict[str, Any]:
    if "credentials" not in node:
        return dict(node)
    return {**node, "credentials": {kind: credentials.get(kind, own) for kind, own in node["credentials"].items()}}


def _call(client: httpx.Client, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    try:
        answer = client.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise SetupError(f"n8n did not answer ({type(error).__name__}): check N8N_BASE_URL") from None
    if not answer.is_success:
        raise SetupError(
            f"n8n refused {method} {path.partition('?')[0]} with {answer.status_code}: {answer.text[:300]}"
        )
    content: dict[str, Any] = answer.json()
    return content


def _secret(settings: Settings, name: str) -> str | None:
    value = getattr(settings, name)
    return None if value is None else str(value.get_secret_value())
