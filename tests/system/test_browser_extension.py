"""The example extension in a real Chromium, against the real service."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from deploy.flow import operations
from tests.support.browser import serious_faults, service_worker
from tests.support.deploy_rig import Rig
from tests.support.extension import BADGES, ExtensionStage, extension_stage
from tests.support.receiver import StandIn
from tests.support.server import Server
from tests.support.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore::ResourceWarning")]


class Stage:
    """Service, receiver of alerts, pages and browser."""

    def __init__(self, server: Server, alerts: StandIn, extension: ExtensionStage) -> None:
        self.server, self.alerts, self.extension = server, alerts, extension
        self.context, self.pages = extension.context, extension.pages
        self.worker = service_worker(extension.context)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("extension")
    with (
        StandIn() as alerts,
        Server(
            folder,
            ALERTS_ENABLED="true",
            N8N_WEBHOOK_URL=f"{alerts.url}/webhook/x",
            ACCESS_LOG=0,
            CORS_ORIGINS="https://book.example",
            BIND_HOST="0.0.0.0",
        ) as server,
        extension_stage(folder, server.url) as extension,
    ):
        yield Stage(server, alerts, extension)


def test_badges_say_what_the_service_says_and_a_page_rendered_again_makes_one_alert_a_bet(stage: Stage) -> None:
    page = stage.extension.open("rows.html")
    expect(page.locator(BADGES).nth(10)).to_be_visible()
    page.evaluate(
        "async () => { for (let i = 0; i < 100; i++) { render(); await new Promise((done) => setTimeout(done, 10)); } }"
    )
    expect(page.locator(BADGES).nth(10)).to_be_visible()
    popup = stage.extension.popup(page)
    expect(popup.locator("#connection")).to_contain_text("starter models")
    overlay = page.locator(BADGES).first
    key = dict(json.loads(overlay.get_attribute("data-key") or ""))
    answer = httpx.post(f"{stage.server.url}/api/v1/predict?dry_run=true", json=key).json()
    assert overlay.inner_text() == answer["bet_grade"]
    overlay.hover()
    expect(page.locator("pikkit-overlay .tip")).to_contain_text("win probability")
    time.sleep(1)
    keys = [call.headers["idempotency-key"] for call in stage.alerts.calls]
    assert len(keys) == len(set(keys))
    page.close()
    popup.close()


def test_a_page_of_another_origin_can_not_read_the_service_and_its_cookies_change_nothing(stage: Stage) -> None:
    page = stage.context.new_page()
    page.goto(f"{stage.pages}/rows.html")  # an origin that CORS_ORIGINS does not name
    page.evaluate("document.cookie = 'session=1'")
    for credentials in ("omit", "include"):
        read = page.evaluate(
            "async ([url, credentials]) => { try { return (await fetch(url, {credentials})).status; }"
            " catch (error) { return error.name; } }",
            [f"{stage.server.url}/api/v1/model-info", credentials],
        )
        assert read == "TypeError"
    page.close()


def test_errors_can_be_read_by_a_page_and_answers_by_an_extension_that_are_allowed(
    tmp_path: Path, stage: Stage
) -> None:
    page = stage.context.new_page()
    page.goto(f"{stage.pages}/rows.html")
    own = stage.worker.evaluate("location.origin")
    assert own.startswith("chrome-extension://")
    key = {"x-api-key": "the-only-key-there-is"}
    origins = f"{stage.pages},{own}"
    with Server(tmp_path, CORS_ORIGINS=origins, API_KEYS=key["x-api-key"], BIND_HOST="0.0.0.0", ACCESS_LOG=0) as server:
        script = """async ([url, options]) => {
          const answer = await fetch(url, options);
          return [answer.status, (await answer.json()).error.code, answer.headers.get("X-Request-ID")]; }"""
        predict = "/api/v1/predict"
        json_body = {"content-type": "application/json"}
        for status, code, path, options in (
            (401, "unauthorized", predict, {"method": "POST", "headers": json_body, "body": "{}"}),
            (400, "invalid_bet", predict, {"method": "POST", "headers": {**json_body, **key}, "body": "{}"}),
            (400, "invalid_request", predict, {"method": "POST", "headers": {**json_body, **key}, "body": "{"}),
            (
                *(413, "body_too_large", predict),
                {"method": "POST", "headers": {**json_body, **key}, "body": "x" * 1_100_000},
            ),
            (404, "not_found", "/nowhere", {}),
            (415, "unsupported_media_type", predict, {"method": "POST", "headers": key, "body": "a=b"}),
        ):
            got = page.evaluate(script, [server.url + path, options])
            assert got[:2] == [status, code]
            assert got[2]
        # An extension without permission for the address (which its manifest does not name) must be named itself.
        script = """async ([url, headers]) => {
          try { return (await fetch(url, {headers})).status; } catch (error) { return error.name; } }"""
        # Without a header of its own, a request goes out, and its answer alone is kept from who is not allowed.
        for port, headers, seen in ((server.port, key, 200), (stage.server.port, {}, "TypeError")):
            assert stage.worker.evaluate(script, [f"http://127.0.0.2:{port}/api/v1/model-info", headers]) == seen
    page.close()


def test_what_the_load_balancer_answers_itself_can_be_read_too(tmp_path: Path, stage: Stage) -> None:
    page = stage.context.new_page()
    page.goto(f"{stage.pages}/rows.html")
    # The slot behind is a stub that sends no CORS headers: what can be read here is Nginx's own.
    script = """async (url) => { try {
      const answer = await fetch(url);
      return [answer.status, (await answer.json()).error.code, answer.headers.get("X-Served-By")];
    } catch { return null; } }"""
    limits = {"DEPLOY_RATE_LIMIT": "1", "DEPLOY_RATE_BURST": "2"}
    with Rig(tmp_path, CORS_ORIGINS=stage.pages, **limits) as rig:
        rig.release("1")
        rig.do(operations.deploy, "1")
        at_once = "async ([script, url]) => Promise.all(Array.from({ length: 12 }, () => eval(script)(url)))"
        predict = f"{rig.url}/api/v1/predict"
        eventually(lambda: [429, "rate_limited", "nginx"] in page.evaluate(at_once, [script, predict]))
        stack = rig.stack()
        stack.runtime.stop(stack.route().production, grace_s=1)
        refused = [502, "unavailable", "nginx"]
        eventually(lambda: page.evaluate(script, predict) == refused)  # the limit lets a few more through
    page.close()


def test_the_options_page_saves_tries_the_address_and_warns_of_plain_http(stage: Stage) -> None:
    page = stage.context.new_page()
    page.goto(f"{stage.extension.own}/options.html")
    page.fill("#url", "http://grades.example")
    expect(page.locator("#warning")).to_contain_text("Plain http")
    assert serious_faults(page) == []
    page.fill("#url", stage.server.url)
    expect(page.locator("#warning")).to_be_empty()
    page.click("button[type=submit]")
    expect(page.locator("#message")).to_have_text(re.compile("^Saved. Model set"))
    page.close()
