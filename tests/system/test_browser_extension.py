"""The example extension in a real Chromium, against the real service."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser import EXTENSION, chromium, files, service_worker
from tests.support.deploy_rig import Rig
from tests.support.ports import free_port
from tests.support.receiver import StandIn
from tests.support.server import Server

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore::ResourceWarning")]

GRADES = {"A", "B", "C", "D", "F"}


class Stage:
    """Service, receiver of alerts, pages and browser."""

    def __init__(self, server: Server, alerts: StandIn, pages: str, context: BrowserContext) -> None:
        self.server = server
        self.alerts = alerts
        self.pages = pages
        self.context = context
        self.worker = service_worker(context)
        self.use(server.url)

    def use(self, url: str, key: str = "") -> None:
        """Point the extension to an address, with an empty cache."""
        self.worker.evaluate("values => chrome.storage.local.set(values)", {"url": url, "key": key})
        self.worker.evaluate("chrome.storage.session.clear()")

    def board(self, cards: int = 4) -> Page:
        page = self.context.new_page()
        page.goto(f"{self.pages}/odds.html?cards={cards}")
        return page

    def requests(self) -> float:
        text = httpx.get(f"{self.server.url}/metrics").text
        line = next(
            one
            for one in text.splitlines()
            if one.startswith('pikkit_prediction_latency_seconds_count{endpoint="batch-predict"}')
        )
        return float(line.split()[-1])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("extension")
    with (
        StandIn() as alerts,
        files(EXTENSION / "sample") as pages,
        chromium(folder / "profile", extension=EXTENSION) as context,
        Server(
            folder,
            ALERTS_ENABLED="true",
            N8N_WEBHOOK_URL=f"{alerts.url}/webhook/x",
            ACCESS_LOG=0,
            CORS_ORIGINS="https://book.example",
        ) as server,
    ):
        yield Stage(server, alerts, pages, context)


def until(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, "it did not happen in time"
        time.sleep(0.05)


def test_the_cards_get_the_badges_that_the_service_says(stage: Stage) -> None:
    page = stage.board()
    page.wait_for_selector(".bet-card:nth-child(4) .pikkit-badge")
    bets = [
        {"sport": sport, "league": league, "market": market, "institution_name": "FanDuel", "odds": odds}
        for sport, league, market, odds in (
            ("Basketball", "NBA", "1st Half Spread", 150),
            ("Basketball", "NBA", "Moneyline", -110),
            ("Ice Hockey", "NHL", "Puck Line", -110),
            ("Tennis", "ATP", "Moneyline", 120),
        )
    ]
    answer = httpx.post(f"{stage.server.url}/api/v1/batch-predict?dry_run=true", json={"bets": bets}).json()
    expected = [item["prediction"]["bet_grade"] for item in answer["predictions"]]
    shown = [badge.get_attribute("data-grade") for badge in page.query_selector_all(".pikkit-badge")]
    assert shown == expected
    assert shown[0] == "A"
    badge = page.locator(".pikkit-badge").first
    label = badge.get_attribute("aria-label") or ""
    assert label.startswith("Grade A: win")
    assert "stake" in label
    badge.hover()
    expect(page.locator(".pikkit-badge-tip").first).to_contain_text("raised the chance to win")
    page.close()


def test_a_hundred_cards_are_one_request_and_seen_again_none(stage: Stage) -> None:
    stage.use(stage.server.url)
    before = stage.requests()
    page = stage.board(100)
    expect(page.locator(".pikkit-badge")).to_have_count(100)
    assert stage.requests() == before + 1
    again = stage.board(100)
    expect(again.locator(".pikkit-badge")).to_have_count(100)
    assert stage.requests() == before + 1
    again.close()
    page.close()


def test_a_page_rendered_a_hundred_times_makes_one_alert_for_each_bet(stage: Stage) -> None:
    stage.use(stage.server.url)
    page = stage.board()
    page.evaluate(
        "async () => { for (let i = 0; i < 100; i++) { render(); await new Promise((done) => setTimeout(done, 10)); } }"
    )
    expect(page.locator(".pikkit-badge")).to_have_count(4)
    until(lambda: len(stage.alerts.calls) >= 2)
    time.sleep(1)
    keys = [call.headers["idempotency-key"] for call in stage.alerts.calls]
    assert len(keys) == len(set(keys)) == 2  # the board shows two bets that are graded A
    page.close()


def test_when_the_service_is_away_the_page_stays_untouched_and_gets_its_badges_once_it_is_back(stage: Stage) -> None:
    away = free_port()
    stage.use(f"http://127.0.0.1:{away}")
    page = stage.board()
    html = page.locator("#board").inner_html()
    time.sleep(1)
    assert page.locator("#board").inner_html() == html
    with StandIn(port=away) as back:
        prediction = httpx.post(
            f"{stage.server.url}/api/v1/predict?dry_run=true",
            json={
                "sport": "Tennis",
                "league": "ATP",
                "market": "Moneyline",
                "institution_name": "FanDuel",
                "odds": 120,
            },
        ).json()
        items = [{"index": i, "bet": {}, "prediction": prediction} for i in range(4)]
        back.answer = lambda _call: (200, {}, httpx.Response(200, json={"predictions": items}).content)
        expect(page.locator(".pikkit-badge")).to_have_count(4)
    page.close()


def test_retry_after_is_honoured(stage: Stage) -> None:
    busy = StandIn(lambda _call: (503, {"retry-after": "2"}, b'{"error": {"code": "overloaded"}}'))
    with busy:
        stage.use(busy.url)
        page = stage.board()
        until(lambda: len(busy.calls) == 1)
        page.evaluate(
            "async () => { for (let i = 0; i < 5; i++) { render(); await new Promise((r) => setTimeout(r, 250)); } }"
        )
        assert len(busy.calls) == 1
        until(lambda: len(busy.calls) == 2, 5)
        page.close()


def test_a_page_of_another_origin_can_not_read_the_service_and_its_cookies_change_nothing(stage: Stage) -> None:
    page = stage.context.new_page()
    page.goto(f"{stage.pages}/odds.html")  # an origin that CORS_ORIGINS does not name
    page.evaluate("document.cookie = 'session=1'")
    for credentials in ("omit", "include"):
        read = page.evaluate(
            "async ([url, credentials]) => { try { return (await fetch(url, {credentials})).status; }"
            " catch (error) { return error.name; } }",
            [f"{stage.server.url}/api/v1/model-info", credentials],
        )
        assert read == "TypeError"
    page.close()


def test_errors_can_be_read_by_a_page_that_is_allowed(tmp_path: Path, stage: Stage) -> None:
    page = stage.context.new_page()
    page.goto(f"{stage.pages}/odds.html")
    with Server(tmp_path, CORS_ORIGINS=stage.pages, API_KEYS="the-only-key-there-is", ACCESS_LOG=0) as server:
        script = """async ([url, options]) => {
          const answer = await fetch(url, options);
          return [answer.status, (await answer.json()).error.code, answer.headers.get("X-Request-ID")]; }"""
        predict = "/api/v1/predict"
        json_body = {"content-type": "application/json"}
        key = {"x-api-key": "the-only-key-there-is"}
        for status, code, path, options in (
            (401, "unauthorized", predict, {"method": "POST", "headers": json_body, "body": "{}"}),
            (400, "invalid_bet", predict, {"method": "POST", "headers": {**json_body, **key}, "body": "{}"}),
            (
                400,
                "invalid_request",
                "/api/v1/predict",
                {"method": "POST", "headers": {**json_body, **key}, "body": "{"},
            ),
            (
                413,
                "body_too_large",
                "/api/v1/predict",
                {"method": "POST", "headers": {**json_body, **key}, "body": "x" * 1_100_000},
            ),
            (404, "not_found", "/nowhere", {}),
            (415, "unsupported_media_type", predict, {"method": "POST", "headers": key, "body": "a=b"}),
        ):
            got = page.evaluate(script, [server.url + path, options])
            assert got[:2] == [status, code]
            assert got[2]
    page.close()


def test_what_the_load_balancer_answers_itself_can_be_read_too(tmp_path: Path, stage: Stage) -> None:
    page = stage.context.new_page()
    page.goto(f"{stage.pages}/odds.html")
    # The slot behind is a stub that sends no CORS headers: what can be read here is Nginx's own.
    script = """async (url) => { try {
      const answer = await fetch(url);
      return [answer.status, (await answer.json()).error.code, answer.headers.get("X-Served-By")];
    } catch { return null; } }"""
    limits = {"DEPLOY_RATE_LIMIT": "1", "DEPLOY_RATE_BURST": "2"}
    with Rig(tmp_path, CORS_ORIGINS=stage.pages, **limits) as rig:
        rig.release("1")
        rig.do(lambda operations: operations.deploy("1"))
        answers = [page.evaluate(script, f"{rig.url}/api/v1/predict") for _ in range(12)]
        assert [429, "rate_limited", "nginx"] in answers
        machine = rig.machine()
        machine.runtime.stop(machine.production(), grace_s=1)
        time.sleep(4)  # the limit lets a few more through
        assert page.evaluate(script, f"{rig.url}/api/v1/predict") == [502, "unavailable", "nginx"]
    page.close()


def test_an_extension_without_permission_for_the_address_needs_its_id_in_cors_origins(
    tmp_path: Path, stage: Stage
) -> None:
    own = stage.worker.evaluate("location.origin")
    assert own.startswith("chrome-extension://")
    script = """async (url) => { try { return (await fetch(url)).status; } catch (error) { return error.name; } }"""
    for allowed, seen in ((own, 200), ("chrome-extension://" + "a" * 32, "TypeError")):
        with Server(tmp_path, CORS_ORIGINS=allowed, BIND_HOST="0.0.0.0", ACCESS_LOG=0) as server:
            # An address of this machine that the manifest does not name.
            assert stage.worker.evaluate(script, f"http://127.0.0.2:{server.port}/api/v1/model-info") == seen


def test_the_options_page_saves_and_tries_the_address(stage: Stage) -> None:
    page = stage.context.new_page()
    page.goto(f"{stage.worker.evaluate('location.origin')}/options.html")
    page.fill("#url", stage.server.url)
    page.click("button")
    expect(page.locator("#message")).to_have_text(re.compile("^Saved. Model set"))
    page.close()
