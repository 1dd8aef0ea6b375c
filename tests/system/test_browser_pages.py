"""The service's own pages in a real Chromium."""

import json
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from pikkit.slate.reading import read_slate
from pikkit.web.routes import ROUTES
from tests.support.browser import PATIENCE_MS, browser, serious_faults
from tests.support.server import Server
from tests.support.slates import SLATES, slate

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("pages"), ACCESS_LOG=0) as running:
        yield running


@pytest.fixture(scope="module")
def running_browser() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def page(server: Server, running_browser: Browser) -> Iterator[Page]:
    with running_browser.new_context(viewport={"width": 1000, "height": 800}) as context:
        context.set_default_timeout(PATIENCE_MS)
        opened = context.new_page()
        problems: list[str] = []
        opened.on(
            "console",
            lambda message: (
                problems.append(message.text) if message.type == "error" and "503" not in message.text else None
            ),
        )
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on(
            "request",
            lambda request: problems.append(request.url) if not request.url.startswith((server.url, "data:")) else None,
        )
        yield opened
        assert problems == []


def drop(page: Page, text: str, name: str = "bets.csv") -> None:
    """Drop a file on the page."""
    page.evaluate(
        """([text, name]) => { const data = new DataTransfer(); data.items.add(new File([text], name));
        const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event); }""",
        [text, name],
    )


def test_bets_that_are_typed_are_graded_by_keyboard_alone(server: Server, page: Page) -> None:
    page.goto(server.url)
    expect(page.locator("#state")).to_contain_text("healthy")
    assert "starter models" in page.inner_text("#notice")
    page.focus("#bets")
    page.fill(
        "#bets",
        "sport,league,market,institution_name,odds\n"
        '"Basketball",NBA,1st Half Spread,FanDuel,+150\nTennis,ATP,"A, ""B""",X,7',
    )
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#rows tr:nth-child(2)")
    expect(page.locator("#results-title")).to_be_focused()
    assert page.inner_text("#rows tr:nth-child(1) .grade") in {"A", "B", "C", "D", "F"}
    assert "send -100 or less" in page.inner_text("#rows tr:nth-child(2)")
    why = page.locator("#rows tr:nth-child(1) button")
    expect(page.locator("#rows .why").first).to_be_hidden()
    why.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#rows .why").first).to_contain_text("win probability")
    assert why.get_attribute("aria-expanded") == "true"


def test_a_file_of_any_delimiter_is_read_and_no_column_is_dropped_unseen(server: Server, page: Page) -> None:
    page.goto(server.url)
    rows = "\n".join(f"Tennis;ATP;Moneyline;FanDuel;1,{75 + i % 20};{i};x" for i in range(350))
    drop(page, f"\ufeffSports;Leagues;Market;Sportsbook;Odds;Bet ID;Mood\n{rows}")
    words = page.locator("#mapping-words")
    expect(words).to_have_text("350 bets, 7 columns. Not used: Mood. Odds look decimal.")
    page.click("#form button[type=submit]")
    expect(page.locator("#summary")).to_contain_text("350 of 350 bets graded")
    expect(page.locator("#rows tr")).to_have_count(300)
    page.click("#more")
    expect(page.locator("#rows tr")).to_have_count(350)
    page.click("th[data-key=odds] button")
    assert page.inner_text("#rows tr:nth-child(1) td:nth-child(3)") == "1.94"
    with page.expect_download() as download:
        page.click("#download")
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 351
    assert lines[0].startswith("event,selection,line,sport")
    drop(page, "sport\tprice\nTennis\t120", "a.tsv")
    expect(words).to_contain_text("No column for market, institution_name")
    page.fill("#constant-market", "Moneyline")
    page.fill("#constant-institution_name", "FanDuel")
    page.click("#form button[type=submit]")
    expect(page.locator("#summary")).to_contain_text("1 of 1 bet graded")
    page.fill("#bets", "nothing")
    expect(page.locator("#message")).to_contain_text("no bets")
    page.click("#form button[type=submit]")
    expect(page.locator("#results")).to_be_hidden()  # what was graded before is no answer to this


def test_a_dropped_slate_is_read_as_the_command_reads_it_and_graded_by_edge(server: Server, page: Page) -> None:
    page.goto(server.url)
    for name, (games, _, _) in SLATES.items():
        read = page.evaluate("games => import('/static/slate.js').then(({ readSlate }) => readSlate(games))", games)
        wanted = read_slate(games)
        assert read == {
            "bets": wanted.bets,
            "leftOut": wanted.left_out,
            "games": len(games) if isinstance(games, list) else 1,
        }, name
    drop(page, json.dumps(slate(2, 20, dirt=True)), "slate.json")
    expect(page.locator("#slate")).to_contain_text("A slate of 2 games")
    expect(page.locator("#slate")).to_contain_text("left out: suspended price")
    page.click("#form button[type=submit]")
    graded = len(read_slate(slate(2, 20, dirt=True)).bets)
    expect(page.locator("#summary")).to_contain_text(f"{graded} of {graded} bets graded")
    edges = [float(text) for text in page.locator("#rows td[data-head=Edge]").all_inner_texts()]
    assert edges == sorted(edges, reverse=True)
    drop(page, "[1]", "no.json")
    expect(page.locator("#message")).to_contain_text("no slate")
    drop(page, '{"games": ', "no.json")
    expect(page.locator("#message")).to_contain_text("can't be read as JSON")


def test_a_request_that_fails_loses_only_its_own_bets(server: Server, page: Page) -> None:
    page.goto(server.url)
    requests: list[str] = []

    def fail_third(route: Route) -> None:
        requests.append(route.request.url)
        if len(requests) == 3:
            route.fulfill(status=503, json={"error": {"message": "too many requests in progress"}})
        else:
            route.continue_()

    page.route("**/batch-predict*", fail_third)
    rows = "\n".join(f"Tennis,ATP,Moneyline,FanDuel,{101 + i}" for i in range(250))
    page.fill("#bets", f"sport,league,market,book,odds\n{rows}")
    page.click("#form button[type=submit]")
    expect(page.locator("#summary")).to_contain_text("200 of 250 bets graded")
    page.uncheck("#show-A")
    for grade in "BCDF":
        page.uncheck(f"#show-{grade}")
    expect(page.locator("#rows tr")).to_have_count(50)
    expect(page.locator("#rows tr").first).to_contain_text("too many requests in progress")


def test_a_market_of_two_sides_is_graded_in_one_request(server: Server, page: Page) -> None:
    page.goto(server.url)
    page.click("details.card summary")
    with page.expect_request("**/batch-predict*") as sent:
        page.click("#market-form button[type=submit]")
    bets = json.loads(sent.value.post_data or "{}")["bets"]
    assert [bet["selection"] for bet in bets] == ["MTL", "BOS"]
    assert bets[0]["market_prices"] == [
        {"selection": "MTL", "odds": "-150", "line": 1.5},
        {"selection": "BOS", "odds": "+135", "line": -1.5},
    ]
    assert bets[1]["reference_prices"][0]["book"] == "Pinnacle"
    expect(page.locator("#rows tr")).to_have_count(2)
    page.fill("#bankroll", "1000")
    expect(page.locator("#rows td[data-head=Stake]").first).not_to_contain_text("%")
    page.fill("#other-2", "")
    page.click("#market-form button[type=submit]")
    expect(page.locator("#market-message")).to_contain_text("every side, or of none")


def test_the_reference_shows_every_operation_and_tries_one_out_without_the_internet(server: Server, page: Page) -> None:
    asked: list[str] = []
    troubles: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.goto(f"{server.url}/docs")
    expect(page.locator(".opblock")).to_have_count(sum(route.in_reference for route in ROUTES))
    predict = page.locator("#operations-bets-predict")
    predict.locator(".opblock-summary-control").click()
    predict.get_by_role("button", name="Execute").click()
    expect(predict.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    assert troubles == []
    assert {url for url in asked if not url.startswith((server.url, "data:"))} == set()


def test_the_drift_page_says_what_moved_and_shows_it_as_bars_to_who_has_a_key(server: Server, page: Page) -> None:
    keys: list[str | None] = []
    bins = {"edges": [0.4, 0.6], "trained": [0.3, 0.4, 0.3, 0], "live": [0.9, 0.05, 0.05, 0], "status": "drifted"}
    quiet = {"edges": [0.5], "trained": [0.9, 0.1, 0], "live": [0.9, 0.1, 0], "status": "stable"}

    def answer(route: Route) -> None:
        keys.append(route.request.headers.get("x-api-key"))
        shares = {"trained": 0.2, "live": 0.2}
        route.fulfill(
            json={
                "status": "drifted",
                "bets": 1234,
                "bets_needed": 500,
                "window_hours": 24,
                "baseline_bets": 9999,
                "psi": {"implied_prob": 1.2, "grade": 0.0, "is_live": 0.0},
                "columns": {"implied_prob": bins, "is_live": quiet},
                "grades": dict.fromkeys("ABCDF", shares),
                "unknown": {"league": {"trained": 0.0, "live": 0.0}},
            }
        )

    page.route("**/drift-report", answer)
    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(f"{server.url}/drift")
    expect(page.locator("#status")).to_have_text(
        "Bets have drifted from training: 1,234 different bets in the past 24 hours."
    )
    expect(page.locator("#moved li")).to_have_text(
        ["implied probability, below 0.4: 90 % of live bets, 30 % in training"]
    )
    expect(page.locator("#cards article")).to_have_count(1)
    widths = page.locator("#cards rect").evaluate_all("bars => bars.map(bar => bar.getAttribute('width'))")
    assert [round(float(width)) for width in widths[:2]] == [33, 100]
    expect(page.locator("#quiet-words")).to_have_text("3 distributions that did not move")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.fill("#key", "a key")
    with page.expect_response("**/drift-report"):
        page.keyboard.press("Enter")
    assert keys == [None, "a key"]


def test_the_drift_page_of_a_quiet_service_says_that_bets_are_too_few(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/drift")
    expect(page.locator("#status")).to_contain_text("Too few bets")
    expect(page.locator("#quiet article").first).to_contain_text("too few bets")


@pytest.mark.parametrize("path", ["/", "/drift"])
def test_nobody_is_kept_out(server: Server, page: Page, path: str) -> None:
    page.goto(server.url + path)
    if path == "/":
        page.locator("details.card summary").click()
        page.locator("#mapping summary").click()
        page.locator("#form button[type=submit]").click()
        page.locator("#rows button").first.click()
        expect(page.locator("#rows .why").first).to_contain_text("Evidence")
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for width in (1400, 390):
        page.set_viewport_size({"width": width, "height": 900})
        if path == "/":
            tall = page.locator("#rows tr").nth(1).bounding_box()
            assert tall
            assert tall["height"] < 260
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            assert serious_faults(page) == [], (width, scheme)


def test_results_are_printed_as_a_table_with_its_head_and_nothing_to_click(server: Server, page: Page) -> None:
    page.goto(server.url)
    page.locator("#form button[type=submit]").click()
    expect(page.locator("#rows tr")).to_have_count(3)
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator(":is(button, input, textarea, select):not(th *):visible").count() == 0
    for shown in ("#notice", "#summary", "#head th[data-key=stake]"):
        expect(page.locator(shown)).to_be_visible()
    row = page.locator("#rows tr").first
    assert row.evaluate("row => getComputedStyle(row).display") == "table-row"
    assert row.evaluate("row => getComputedStyle(row).color") == "rgb(0, 0, 0)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 718


def test_the_reference_keeps_nobody_out_with_operations_of_both_kinds_open(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/docs")
    for kind in ("post", "get"):
        page.locator(f".opblock-{kind} .opblock-summary-control").first.click()
        expect(page.locator(f".opblock-{kind} .execute")).to_be_visible()
    assert serious_faults(page) == []
