"""The n8n workflow with the user's values: as a file, or created, updated and published by n8n's public API."""

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
_UNKNOWN = frozenset({404, 405})


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
        "__SUPABASE_URL__": _address(settings.supabase_url) if settings.supabase_url else None,
        "__SUPABASE_SCHEMA__": settings.supabase_schema,
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
    """Create the workflow in n8n with its credentials, or update the one of the same name; publish it.

    Works with n8n 1.x and 2.x. Tokens and keys that were rotated are renewed in n8n, too.

    Returns:
        What was done, in a sentence.

    Raises:
        SetupError: a setting is missing, n8n refused, or what answers is no n8n.
    """
    key = _secret(settings, "n8n_api_key")
    if settings.n8n_base_url is None or key is None:
        raise SetupError("N8N_BASE_URL and N8N_API_KEY must be set: or write a file with --out and import it")
    base = f"{str(settings.n8n_base_url).rstrip('/')}/api/v1"
    with httpx.Client(base_url=base, headers={"X-N8N-API-KEY": key}, timeout=_TIMEOUT_S, transport=transport) as http:
        n8n = _N8n(http)
        existing = _existing(n8n, workflow["name"])
        credentials, outdated, told = _credentials(n8n, settings, existing)
        body = {name: workflow[name] for name in _SENT}
        body["nodes"] = [_with_credentials(node, credentials) for node in workflow["nodes"]]
        if existing:
            identifier = str(existing["id"])
            n8n.call("PUT", f"/workflows/{identifier}", body)
        else:
            identifier = str(n8n.call("POST", "/workflows", body)["id"])
        if n8n.call("POST", f"/workflows/{identifier}/publish", {}, missing_ok=True) is None:  # n8n 1.x
            n8n.call("POST", f"/workflows/{identifier}/activate")
        for credential in outdated:
            n8n.call("DELETE", f"/credentials/{credential}", missing_ok=True)
    done = "updated" if existing else "created"
    return f"workflow {workflow['name']!r} ({identifier}) is {done} and active; credentials: {told}"


class _N8n:
    """n8n's public API."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, missing_ok: bool = False) -> Any:
        """The answer's JSON; None where n8n does not know the path and that is all right.

        Raises:
            SetupError: it refused, or is no n8n.
        """
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise SetupError(f"n8n did not answer ({type(error).__name__}): check N8N_BASE_URL") from None
        if missing_ok and answer.status_code in _UNKNOWN:
            return None
        if answer.is_redirect or "html" in answer.headers.get("content-type", "") or answer.text.lstrip()[:1] == "<":
            raise SetupError(
                f"N8N_BASE_URL answers {method} with {answer.status_code} and a web page, as of a login: "
                "give n8n's own address, and let /api/v1 pass whatever stands before it"
            )
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise SetupError("n8n does not know N8N_API_KEY: make one in n8n (Settings > n8n API)")
        if answer.status_code in _UNKNOWN:
            raise SetupError(
                f"n8n has no {method} {path.partition('?')[0]}: it must be n8n 1.x or 2.x with its public API turned on"
            )
        if not answer.is_success:
            raise SetupError(
                f"n8n refused {method} {path.partition('?')[0]} with {answer.status_code}: {_words(answer)}"
            )
        try:
            return answer.json() if answer.content else {}
        except ValueError:
            raise SetupError(f"what answers at N8N_BASE_URL is no n8n: {answer.text[:100]!r}") from None


def _words(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])[:500]
    except (ValueError, LookupError, TypeError):
        return answer.text[:300]


def _existing(n8n: _N8n, name: str) -> dict[str, Any] | None:
    """The workflow of that name, if there is one.

    Raises:
        SetupError: there is, but archived.
    """
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = n8n.call("GET", f"/workflows?limit=100{f'&cursor={cursor}' if cursor else ''}")
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise SetupError("what answers at N8N_BASE_URL is no n8n: /api/v1/workflows lists no workflows")
        found += [one for one in page["data"] if one["name"] == name]
        cursor = page.get("nextCursor") or ""
        if not cursor:
            break
    living = [one for one in found if not one.get("isArchived")]
    if found and not living:
        raise SetupError(
            f"workflow {name!r} ({found[0]['id']}) is archived: unarchive or delete it in n8n, then repeat"
        )
    return living[0] if living else None


def _credentials(
    n8n: _N8n, settings: Settings, existing: Mapping[str, Any] | None
) -> tuple[dict[str, dict[str, str]], list[str], str]:
    """Credentials by kind, ids that are no longer needed, and what was done."""
    token, key = _secret(settings, "telegram_bot_token"), _secret(settings, "supabase_service_key")
    wanted = {
        "telegramApi": ("Pikkit Telegram", {"accessToken": token, "baseUrl": _address(settings.telegram_api_url)}),
        "supabaseApi": ("Pikkit Supabase", {"host": _address(settings.supabase_url), "serviceRole": key}),
    }
    held = _credentials_of(existing) if existing else {}
    missing = {"telegramApi": not token, "supabaseApi": not key}
    if any(missing[kind] and kind not in held for kind in wanted):
        raise SetupError("TELEGRAM_BOT_TOKEN and SUPABASE_SERVICE_KEY must be set: n8n gets them as credentials")
    made: dict[str, dict[str, str]] = {}
    outdated, told = [], []
    for kind, (name, data) in wanted.items():
        if missing[kind]:
            made[kind] = held[kind]
            told.append(f"{name} kept as it is, as its secret is not set here")
            continue
        body = {"name": name, "type": kind, "data": data}
        if kind in held:
            if n8n.call("PATCH", f"/credentials/{held[kind]['id']}", body, missing_ok=True) is not None:
                made[kind] = held[kind]
                told.append(f"{name} updated")
                continue
            outdated.append(held[kind]["id"])  # n8n 1.x can't update one, or it is gone
        made[kind] = {"id": str(n8n.call("POST", "/credentials", body)["id"]), "name": name}
        told.append(f"{name} {'replaced' if kind in held else 'created'}")
    return made, outdated, ", ".join(told)


def _credentials_of(workflow: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Those that its nodes use; a node may have none."""
    return {
        kind: value
        for node in workflow["nodes"]
        for kind, value in (node.get("credentials") or {}).items()
        if value and value.get("id")
    }


def _with_credentials(node: Mapping[str, Any], credentials: Mapping[str, dict[str, str]]) -> dict[str, Any]:
    if "credentials" not in node:
        return dict(node)
    return {**node, "credentials": {kind: credentials[kind] for kind in node["credentials"]}}


def _address(url: object) -> str:
    return str(url).rstrip("/")


def _secret(settings: Settings, name: str) -> str | None:
    value = getattr(settings, name)
    return None if value is None else str(value.get_secret_value())
