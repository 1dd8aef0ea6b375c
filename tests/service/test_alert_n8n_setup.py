"""setup-n8n against stand-ins for the public APIs of n8n 1.x and 2.x."""

import json
from typing import Any

import httpx
import pytest

from pikkit.alerts.n8n_setup import SetupError, fill_workflow, push_workflow
from pikkit.settings import Settings

TOKEN = "123456:very-secret-token"
ROLE = "sb_secret_very_secret_key_0123456789"
SETTINGS: dict[str, Any] = {
    "n8n_webhook_secret": 'with "quotes"',
    "telegram_chat_id": "-100200",
    "telegram_bot_token": TOKEN,
    "supabase_url": "https://project.example",
    "supabase_service_key": ROLE,
    "n8n_base_url": "https://n8n.example",
    "n8n_api_key": "key-of-n8n",
}


class N8n:
    """What `release` of n8n answers: 1.x can't update credentials and activates, 2.x updates and publishes."""

    def __init__(self, release: int) -> None:
        self.release = release
        self.workflows: dict[str, dict[str, Any]] = {}
        self.credentials: dict[str, dict[str, Any]] = {}
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:  # noqa: PLR0911 - a case for each path
        assert request.headers["x-n8n-api-key"] == "key-of-n8n"
        path, body = request.url.path.removeprefix("/api/v1"), json.loads(request.content or b"null")
        self.paths.append(f"{request.method} {path}")
        match request.method, path.strip("/").split("/"):
            case "GET", ["workflows"]:
                return httpx.Response(200, json={"data": list(self.workflows.values()), "nextCursor": None})
            case "POST", ["workflows"]:
                identifier = f"w{len(self.workflows) + 1}"
                self.workflows[identifier] = {**body, "id": identifier, "active": False, "isArchived": False}
                return httpx.Response(200, json=self.workflows[identifier])
            case "PUT", ["workflows", identifier]:
                self.workflows[identifier] |= body
                return httpx.Response(200, json=self.workflows[identifier])
            case "POST", ["workflows", identifier, ("activate" | "publish") as way]:
                if way == "publish" and self.release == 1:
                    return httpx.Response(404, json={"message": "not found"})
                self.workflows[identifier]["active"] = True
                return httpx.Response(200, json=self.workflows[identifier])
            case "POST", ["credentials"]:
                identifier = f"c{len(self.paths)}"
                self.credentials[identifier] = body
                return httpx.Response(200, json={"id": identifier, "name": body["name"]})
            case "PATCH", ["credentials", identifier] if self.release > 1 and identifier in self.credentials:
                self.credentials[identifier] |= body
                return httpx.Response(200, json={"id": identifier})
            case "DELETE", ["credentials", identifier] if self.credentials.pop(identifier, None):
                return httpx.Response(200, json={})
        return httpx.Response(404, json={"message": "not found"})

    def used(self) -> set[str]:
        return {
            value["id"]
            for workflow in self.workflows.values()
            for node in workflow["nodes"]
            for value in node.get("credentials", {}).values()
        }

    def tokens(self) -> list[str]:
        return [one["data"]["accessToken"] for one in self.credentials.values() if "accessToken" in one["data"]]


@pytest.fixture(params=[1, 2], ids=["n8n 1.x", "n8n 2.x"])
def n8n(request: pytest.FixtureRequest) -> N8n:
    return N8n(request.param)


def push(n8n: Any, **changes: Any) -> str:
    settings = Settings(_env_file=None, **{**SETTINGS, **changes})
    return push_workflow(settings, fill_workflow(settings), httpx.MockTransport(n8n))


def test_the_workflow_is_filled_with_the_users_values() -> None:
    workflow = fill_workflow(Settings(_env_file=None, supabase_schema="betting", **SETTINGS))
    text = json.dumps(workflow)
    assert "__" not in text.replace("__rl", "")
    [crypto] = [node for node in workflow["nodes"] if node["type"].endswith(".crypto")]
    assert crypto["parameters"]["secret"] == 'with "quotes"'
    assert '"value": "betting"' in text
    assert TOKEN not in text
    assert ROLE not in text
    names = {node["name"] for node in workflow["nodes"]}
    for source, outputs in workflow["connections"].items():
        assert source in names
        assert all(link["node"] in names for output in outputs["main"] for link in output)


def test_without_values_it_says_which() -> None:
    with pytest.raises(SetupError, match="N8N_WEBHOOK_SECRET, TELEGRAM_CHAT_ID, SUPABASE_URL"):
        fill_workflow(Settings(_env_file=None))


def test_setting_up_twice_makes_one_active_workflow_and_one_pair_of_credentials(n8n: N8n) -> None:
    assert "created" in push(n8n)
    assert "updated" in push(n8n)
    [workflow] = n8n.workflows.values()
    assert workflow["active"]
    assert sorted(one["type"] for one in n8n.credentials.values()) == ["supabaseApi", "telegramApi"]
    assert n8n.used() == set(n8n.credentials)


def test_only_n8n_1_is_asked_to_activate(n8n: N8n) -> None:
    push(n8n)
    assert any(path.endswith("/activate") for path in n8n.paths) == (n8n.release == 1)


def test_a_rotated_token_or_key_is_renewed(n8n: N8n) -> None:
    push(n8n)
    said = push(n8n, telegram_bot_token="456:rotated")
    assert ("replaced" if n8n.release == 1 else "updated") in said
    assert n8n.tokens() == ["456:rotated"]
    assert n8n.used() == set(n8n.credentials)


def test_what_is_not_set_here_is_kept_and_said(n8n: N8n) -> None:
    push(n8n)
    assert "Pikkit Telegram kept as it is" in push(n8n, telegram_bot_token=None)
    assert n8n.tokens() == [TOKEN]


def test_an_existing_workflow_without_credentials_gets_some_and_none_that_dangle(n8n: N8n) -> None:
    push(n8n)
    for node in n8n.workflows["w1"]["nodes"]:
        node.pop("credentials", None)
    n8n.credentials.clear()
    push(n8n)
    assert n8n.used() == set(n8n.credentials)
    assert len(n8n.credentials) == 2


def test_credentials_that_were_deleted_in_n8n_are_made_anew(n8n: N8n) -> None:
    push(n8n)
    n8n.credentials.clear()
    n8n.release = 2
    push(n8n)
    assert n8n.used() == set(n8n.credentials)


def test_an_archived_workflow_is_said_to_be_one_and_a_second_of_its_name_is_used(n8n: N8n) -> None:
    push(n8n)
    n8n.workflows["w1"]["isArchived"] = True
    with pytest.raises(SetupError, match="archived: unarchive or delete"):
        push(n8n)
    n8n.workflows["w2"] = {**n8n.workflows["w1"], "id": "w2", "isArchived": False}
    assert "(w2) is updated" in push(n8n)


@pytest.mark.parametrize(
    ("status", "kind", "body", "said"),
    [
        (401, "application/json", '{"message": "unauthorized"}', "does not know N8N_API_KEY"),
        (403, "application/json", '{"message": "no scope"}', "403: no scope"),
        (200, "text/html", "<!doctype html><title>Sign in</title>", "web page, as of a login"),
        (302, "text/plain", "", "web page, as of a login"),
        (404, "application/json", '{"message": "not found"}', "n8n 1.x or 2.x"),
        (200, "application/json", '{"hello": "world"}', "no n8n"),
        (200, "text/plain", "hello", "no n8n"),
    ],
)
def test_what_is_no_n8n_or_refuses_is_said_without_the_key(status: int, kind: str, body: str, said: str) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={"content-type": kind, "location": "/login"}, text=body)

    with pytest.raises(SetupError, match=said) as caught:
        push(answer)
    assert "key-of-n8n" not in str(caught.value)
