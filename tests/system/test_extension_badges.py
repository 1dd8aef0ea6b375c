"""The extension in a real Chromium, on pages that never rest and a service that fails: no badge beside another bet."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from playwright.sync_api import Frame, Page, expect

from tests.support.browser import EXTENSION, serious_faults
from tests.support.extension import BADGES, ExtensionStage, extension_stage
from tests.support.grading_service import GradingService
from tests.support.need import root
from tests.support.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore::ResourceWarning")]

SAMPLER = (root() / "tests/support/badge_sampler.js").read_text(encoding="utf-8").partition("\nasync")
SAMPLES = int(os.environ.get("BADGE_SAMPLES", "120"))


@dataclass
class Stage:
    service: GradingService
    extension: ExtensionStage

    def open(self, path: str) -> Page:
        return self.extension.open(path)

    def popup(self, page: Page) -> Page:
        return self.extension.popup(page)

    def store(self, **values: Any) -> None:
        self.extension.store(**values)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    service = GradingService()
    with service.server, extension_stage(tmp_path_factory.mktemp("badges"), service.server.url) as extension:
        yield Stage(service, extension)


@pytest.fixture(autouse=True)
def healthy(request: pytest.FixtureRequest) -> Iterator[None]:
    if "stage" not in request.fixturenames:
        yield
        return
    stage = request.getfixturevalue("stage")
    service = stage.service
    service.mode, service.key, service.ttl_s, service.profitable, service.refused = "ok", "", 600, False, ""
    stage.extension.use(service.server.url)
    yield
    stage.extension.close_pages()


def sample(frame: Page | Frame, count: int = SAMPLES, *, at: str = "", least: int = 0) -> dict[str, Any]:
    return dict(frame.evaluate("async" + SAMPLER[2], [count, at, least]))


# Badges are grey for some seconds: whoever looks now and then may miss them.
GREY = """() => {
  window.grey = false;
  const root = document.querySelector("pikkit-overlay").shadowRoot;
  const look = () => { window.grey ||= Boolean(root.querySelector(".badge.stale:not([hidden])")); };
  new MutationObserver(look).observe(root, { subtree: true, childList: true, attributes: true });
}"""
SHAPES = {
    "rows, all rendered again every 100 ms": "rows.html?render=100",
    "rows, rendered again every 300 ms, prices change every 100 ms": "rows.html?render=300&prices=100",
    "virtual list, scrolled every 16 ms": "props.html?scroll=16&prices=100",
    "virtual list, rendered again every 100 ms": "props.html?render=100&prices=300",
    "late cards in a shadow root": "late.html?render=100&prices=300",
}


@pytest.mark.parametrize("path", SHAPES.values(), ids=SHAPES.keys())
def test_a_badge_stands_beside_its_own_price_or_nowhere(stage: Stage, path: str) -> None:
    page = stage.open(path)
    expect(page.locator(BADGES).nth(5)).to_be_visible()
    frames = [page.main_frame, *page.frames[1:]]
    for frame in frames:
        expect(frame.locator(BADGES).first).to_be_visible()
        count = SAMPLES if frame is frames[0] else 100
        seen = sample(frame, count, at="frame" if "scroll" in path else "", least=count)
        assert seen["wrong"] == [0]


def test_where_nothing_but_the_elements_of_a_page_changes_no_badge_flickers(stage: Stage) -> None:
    page = stage.open("rows.html")
    expect(page.locator(BADGES)).to_have_count(24)

    def none_flickers() -> bool:
        seen = sample(page, 24, at="render")
        return bool(seen["shown"] == seen["visible"])

    eventually(none_flickers)  # any may meet a moment without a processor


def test_what_the_sides_of_a_market_are_is_sent_once_and_whole(stage: Stage) -> None:
    stage.service.bets.clear()
    before = stage.service.batches()
    page = stage.open("rows.html")
    expect(page.locator(BADGES)).to_have_count(24)
    assert stage.service.batches() == before + 1
    assert len(stage.service.bets) == 24
    bet = next(one for one in stage.service.bets if one["market"] == "Puck Line" and one["selection"] == "BOS")
    assert bet["event"] == "MTL @ BOS"
    assert bet["starts_at"] == "2030-01-05T00:00:00Z"
    assert bet["line"] == -1.5
    assert [side["line"] for side in bet["market_prices"]] == [1.5, -1.5]
    again = stage.open("rows.html")
    expect(again.locator(BADGES)).to_have_count(24)
    assert stage.service.batches() == before + 1


def test_never_are_two_sides_of_one_market_recommended(stage: Stage) -> None:
    stage.service.profitable = True
    page = stage.open("rows.html")
    expect(page.locator(BADGES)).to_have_count(12)


def test_a_click_on_a_badge_is_no_click_on_the_page_and_the_page_is_as_it_was(stage: Stage) -> None:
    page = stage.open("rows.html?games=2")
    before = page.locator("main").inner_html()
    expect(page.locator(BADGES)).to_have_count(12)
    page.locator(BADGES).first.click()
    assert page.inner_text("#slip") == "Slip: 0"
    expect(page.locator("pikkit-overlay .tip")).to_contain_text("Pinnacle's prices without vig")
    expect(page.locator("pikkit-overlay .tip")).to_contain_text("fair 50.0 % (this market without vig)")
    assert page.locator("main").inner_html() == before
    page.evaluate("render()")  # other elements for the same bets: the words stay
    assert page.locator("pikkit-overlay .tip").is_visible()


def test_prices_are_read_in_the_format_of_their_page_and_what_is_none_is_said_and_not_asked(stage: Stage) -> None:
    stage.service.bets.clear()
    page = stage.open("props.html")
    expect(page.locator(BADGES).nth(5)).to_be_visible()
    assert {bet["odds"] for bet in stage.service.bets if bet["event"] == "Player 5"} == {"126.00", "1.01"}
    assert {bet["odds_format"] for bet in stage.service.bets} == {"decimal"}
    page.evaluate("rows[2].querySelector('.odds').textContent = 'n/a'")
    expect(page.locator(BADGES).nth(5)).to_be_visible()
    popup = stage.popup(page)
    expect(popup.locator("#skipped")).to_contain_text("1 skipped: price “n/a” can't be read as decimal odds")
    assert "n/a" not in json.dumps(stage.service.bets)


@pytest.mark.parametrize("mode", ["hang", "reset", "busy"])
def test_when_the_service_fails_badges_turn_grey_then_go_and_come_back_with_it(stage: Stage, mode: str) -> None:
    stage.service.ttl_s = 4
    page = stage.open("rows.html")
    expect(page.locator(BADGES)).to_have_count(24)
    page.evaluate(GREY)
    stage.service.mode = mode
    while page.locator(BADGES).count():
        assert sample(page, 5)["wrong"] == [0]
        page.wait_for_timeout(50)
    assert page.evaluate("grey")
    stage.service.mode = "ok"
    expect(page.locator(BADGES)).to_have_count(24)
    assert sample(page, 50)["wrong"] == [0]


def test_a_hung_service_keeps_no_tab_from_what_is_known(stage: Stage) -> None:
    first = stage.open("rows.html")
    expect(first.locator(BADGES)).to_have_count(24)
    stage.service.mode = "hang"
    waiting = stage.open("props.html")

    def at_once() -> bool:
        begin = time.monotonic()
        expect(stage.open("rows.html").locator(BADGES)).to_have_count(24)
        return time.monotonic() - begin < 5  # then a request is given up

    eventually(at_once)  # any may meet a busy moment
    assert waiting.locator(BADGES).count() == 0


def test_a_worker_that_is_killed_answers_again_from_what_it_had(stage: Stage) -> None:
    page = stage.open("rows.html?prices=100")
    expect(page.locator(BADGES).nth(20)).to_be_visible()
    eventually(lambda: stage.extension.stored("answers"))
    session = stage.extension.context.new_cdp_session(page)

    def workers() -> list[str]:
        targets = session.send("Target.getTargets")["targetInfos"]
        return [target["targetId"] for target in targets if target["type"] == "service_worker"]

    for _ in range(3):
        worker, *_ = eventually(workers)  # prices that change call it back
        session.send("Target.closeTarget", {"targetId": worker})
        assert sample(page, 100)["wrong"] == [0]
        expect(page.locator(BADGES).nth(20)).to_be_visible()


def test_a_wrong_key_is_said_and_a_right_one_is_used_at_once(stage: Stage) -> None:
    page = stage.open("rows.html")
    expect(page.locator(BADGES)).to_have_count(24)
    stage.service.key = "the-right-key"
    stage.store(key="a-wrong-key")
    expect(page.locator(BADGES)).to_have_count(0)
    popup = stage.popup(page)
    expect(popup.locator("#trouble")).to_contain_text("The API key is wrong")
    eventually(lambda: popup.evaluate("chrome.action.getBadgeText({})") == "!")
    stage.store(key="the-right-key")
    expect(page.locator(BADGES)).to_have_count(24)
    assert stage.service.server.calls[-1].headers["x-api-key"] == "the-right-key"


def test_neither_key_nor_answers_can_be_read_by_what_runs_on_a_page(stage: Stage) -> None:
    stage.service.key = "the-right-key"
    stage.store(key="the-right-key")
    page = stage.open("rows.html")
    expect(page.locator(BADGES)).to_have_count(24)
    asked = """async (url) => {
      const [tab] = (await chrome.tabs.query({})).filter((tab) => tab.url === url);
      const read = async () => {
        const areas = [chrome.storage.local, chrome.storage.session], said = (error) => `refused: ${error.message}`;
        return Promise.all(areas.map((area) => area.get().then(JSON.stringify, said)));
      };
      return (await chrome.scripting.executeScript({ target: { tabId: tab.id }, func: read }))[0].result;
    }"""
    for found in stage.popup(page).evaluate(asked, page.url):
        assert found.startswith("refused: Access to storage is not allowed")


def test_a_bet_that_the_service_refuses_is_said_and_not_asked_for_again(stage: Stage) -> None:
    stage.service.refused = "BOS"
    page = stage.open("rows.html?games=2&render=100")
    expect(page.locator(BADGES).nth(5)).to_be_visible()
    popup = stage.popup(page)
    expect(popup.locator("#skipped")).to_contain_text("skipped: odds are refused")
    page.bring_to_front()
    before = stage.service.batches()
    page.wait_for_timeout(1500)
    assert stage.service.batches() == before


@pytest.mark.parametrize(
    ("address", "href", "sent"),
    [
        ("https://book.example/nhl?session=1#x", None, "https://book.example/nhl"),
        ("https://book.example/nhl", "/event/7", "https://book.example/event/7"),
        ("http://book.example/nhl", None, None),
        ("http://book.example/nhl", "https://book.example/event/7", "https://book.example/event/7"),
        ("https://book.example/nhl", "/" + "x" * 2000, None),
    ],
)
def test_a_bet_names_the_page_where_it_is_found(stage: Stage, address: str, href: str | None, sent: str | None) -> None:
    page = stage.extension.context.new_page()
    page.route("**/*", lambda route: route.fulfill(path=EXTENSION / "sample/rows.html", content_type="text/html"))
    page.goto(address)
    page.set_content(f'<i class="s"><a href="{href or ""}">-110</a></i>')
    page.evaluate((EXTENSION / "content/reading.js").read_text(encoding="utf-8"))
    adapter: dict[str, Any] = {
        "side": ".s",
        "sides": 2,
        "book": "Book",
        "market_key": {"fields": ["market"]},
        "fields": {"odds": [{"find": "a"}], "sport": "Hockey", "market": "Moneyline", "selection": "BOS"},
    }
    if href:
        adapter["fields"]["url"] = [{"find": "a", "attr": "href"}]
    read = "adapter => pikkit.reading.read(adapter, [...document.querySelectorAll('.s')], 'american')[0]"
    side = page.evaluate(f"adapter => JSON.parse(JSON.stringify(({read})(adapter)))", adapter)
    assert side["bet"].get("url") == sent, side


def test_lines_are_read_however_a_page_writes_them(stage: Stage) -> None:
    page = stage.extension.context.new_page()
    page.evaluate((EXTENSION / "content/reading.js").read_text(encoding="utf-8"))
    lines = {
        "+2\u00bd": 2.5,
        "\u22121\u00bd": -1.5,
        "\u00bd": 0.5,
        "O 220\u00bd": 220.5,
        "-\u00be": -0.75,
        "-1,5": -1.5,
    }
    lines |= {"PK": 0, "+1.5": 1.5, "U 7": 7, "-10": -10, "o221.5": 221.5, "3 \u00bc": 3.25}
    read = "texts => texts.map((text) => pikkit.reading.toLine(pikkit.reading.plain(text)))"
    assert dict(zip(lines, page.evaluate(read, list(lines)), strict=True)) == lines


def test_the_popup_lists_the_best_turns_a_site_off_and_hides_grades_below_the_least(stage: Stage) -> None:
    page = stage.open("rows.html")
    expect(page.locator(BADGES)).to_have_count(24)
    popup = stage.popup(page)
    expect(popup.locator("#counts")).to_have_text("24 prices on the page; in view 24 read, 24 graded.")
    expect(popup.locator("#connection")).to_contain_text("Connected: models 20260101_000000")
    for scheme in ("light", "dark"):
        popup.emulate_media(color_scheme=scheme)
        assert serious_faults(popup) == []
    popup.fill("#bankroll", "2000")
    popup.press("#bankroll", "Tab")
    expect(popup.locator("#rows tr").first).to_contain_text("10.00")
    popup.select_option("#least", "C")
    expect(page.locator(f"{BADGES}.F")).to_have_count(0)
    popup.select_option("#least", "F")
    popup.uncheck("#on")
    expect(page.locator(BADGES)).to_have_count(0)
    popup.check("#on")
    expect(page.locator(BADGES)).to_have_count(24)


def test_an_adapter_is_recorded_by_a_few_clicks_and_read_nonsense_is_refused(stage: Stage, tmp_path: Path) -> None:
    page = stage.open("rows.html")
    popup = stage.popup(page)
    popup.click("#record")
    panel = page.locator("pikkit-recorder")
    for name, value in (("sport", "Ice Hockey"), ("league", "NHL"), ("book", "FanDuel")):
        panel.locator(f"#{name}").fill(value)
    side = page.locator(".market").nth(0).locator(".side").nth(0)
    side.locator(".odds").click()
    page.evaluate("render()")  # what was clicked is gone; its like stands there
    side.locator(".name").click()
    side.locator(".line").click()
    page.locator(".market").nth(0).locator("h3").click()
    expect(panel.locator("#sum")).to_contain_text("12 markets, 0 without a second side; overround")
    page.locator(".game h2").first.click()
    assert page.inner_text("#slip") == "Slip: 0"
    page.evaluate("document.querySelectorAll('.odds')[0].textContent = '+900'")
    panel.locator("#sport").fill("Hockey")
    panel.locator("#league").focus()
    expect(panel.locator("#problem")).to_contain_text("outside 0 to 15 %")
    expect(panel.locator("#save")).to_be_disabled()
    page.evaluate("render()")
    panel.locator("#sport").fill("Ice Hockey")
    panel.locator("#league").focus()
    stage.service.bets.clear()
    panel.locator("#save").click()
    expect(panel).to_have_count(0)
    while len(stage.service.bets) < 24:  # the test's own time-out ends it
        page.wait_for_timeout(50)
    bets = [bet for bet in stage.service.bets if bet["market"] == "Total"]
    assert {bet["selection"] for bet in bets} == {"Over", "Under"}
    assert all(bet["event"] and len(bet["market_prices"]) == 2 for bet in stage.service.bets)
    stage.store(adapters=[])


def test_an_adapter_that_can_not_be_used_is_refused_as_the_json_schema_says(stage: Stage) -> None:
    schema = json.loads((EXTENSION / "adapters/schema.json").read_text(encoding="utf-8"))
    good = json.loads((EXTENSION / "adapters/sample-rows.json").read_text(encoding="utf-8"))
    page = stage.extension.context.new_page()
    page.goto(f"{stage.extension.own}/options.html")
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"sides": 1},
        {"sides": "2"},
        {"sides": 2.5},
        {"hosts": []},
        {"hosts": ["https://a.example"]},
        {"side": ""},
        {"unknown": 1},
        {"fields": {"odds": {}}},
        {"fields": {**good["fields"], "odds": {"finds": ".x"}}},
        {"fields": {**good["fields"], "odds": []}},
        {"market_key": {"fields": ["odds"]}},
        {"book": {"map": {"a": 1}}},
    )
    for change in changes:
        adapter = {**good, **change}
        found = page.evaluate(
            "async ([adapter, schema]) => (await import('./adapters.js')).problems(adapter, schema)", [adapter, schema]
        )
        assert bool(found) is not jsonschema.Draft202012Validator(schema).is_valid(adapter), (change, found)
    page.set_input_files(
        "#file",
        {"name": "a.json", "mimeType": "application/json", "buffer": json.dumps({**good, "side": "a["}).encode()},
    )
    expect(page.locator("#adapter-message")).to_contain_text("is no CSS selector")


@pytest.mark.parametrize("path", sorted((EXTENSION / "adapters").glob("sample-*.json")), ids=lambda path: path.stem)
def test_bundled_adapters_follow_the_schema(path: Path) -> None:
    schema = json.loads((EXTENSION / "adapters/schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_text(encoding="utf-8")))


def test_the_extension_asks_for_no_site_before_its_user_does() -> None:
    manifest = json.loads((EXTENSION / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["permissions"] == ["storage", "scripting", "activeTab"]
    assert not {"host_permissions", "content_scripts", "web_accessible_resources"} & manifest.keys()
