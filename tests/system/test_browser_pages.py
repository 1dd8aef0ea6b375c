"""The service's own pages in a real Chromium."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import chromium
from tests.support.server import Server

pytestmark = [pytest.mark.system, pytest.mark.filterwarnings("ignore::ResourceWarning")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("pages"), ACCESS_LOG=0) as running:
        yield running


@pytest.fixture
def page(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as context:
        opened = context.new_page()
        problems: list[str] = []
        opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on(
            "request",
            lambda request: problems.append(request.url) if not request.url.startswith((server.url, "data:")) else None,
        )
        yield opened
        assert problems == []


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
    assert page.inner_text("#rows tr:nth-child(1) .grade") == "A"
    assert "past results" in page.inner_text("#rows tr:nth-child(1) .why")
    assert "model 43" in (page.get_attribute("#rows svg", "aria-label") or "")
    assert "send -100 or less" in page.inner_text("#rows tr:nth-child(2)")
    assert page.evaluate("document.activeElement.id") == "results-title"


def test_a_csv_file_is_read_and_what_is_no_bet_is_said(server: Server, page: Page) -> None:
    page.goto(server.url)
    rows = "\n".join(f"Tennis,ATP,Moneyline,FanDuel,{101 + i}" for i in range(150))
    page.set_input_files(
        "#file",
        {
            "name": "bets.csv",
            "mimeType": "text/csv",
            "buffer": f"sport,league,market,sportsbook,american_odds\n{rows}".encode(),
        },
    )
    expect(page.locator("#bets")).to_have_value(re.compile("american_odds"))
    page.click("button")
    page.wait_for_selector("#rows tr:nth-child(150)")
    assert page.inner_text("#summary") == "150 of 150 bets graded."
    page.fill("#bets", "nothing")
    page.click("button")
    expect(page.locator("#message")).to_contain_text("no bets")


def test_the_reference_shows_every_operation(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/docs")
    page.wait_for_selector("article")
    assert page.locator("article").count() >= 14
    assert "curl -X POST" in page.inner_text("#operations")


def test_the_drift_page_shows_the_report(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/drift")
    page.wait_for_selector("#features tr")
    assert "too few bets" in page.inner_text("#status")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(server: Server, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(server.url)
    contrast = page.evaluate(
        """() => {
          const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
          const light = (color) => { const [r, g, b] = color.match(/[\\d.]+/g).map((v) => linear(v / 255));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
          const style = getComputedStyle(document.body);
          const [a, b] = [light(style.color), light(style.backgroundColor)].sort((x, y) => y - x);
          return (a + 0.05) / (b + 0.05); }"""
    )
    assert contrast >= 7
