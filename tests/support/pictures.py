"""`make pictures`: the screenshots in docs/, taken of the running product."""

import argparse
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Page, expect

from tests.support.browser import chromium
from tests.support.extension import BADGES, extension_stage
from tests.support.need import root
from tests.support.server import Server
from tests.support.waiting import eventually

DOCS = root() / "docs"
_BETS = 600  # that drift is told of


def _page(page: Page, url: str) -> None:
    page.goto(url)
    page.locator("details.card summary").click()
    page.locator("#market-form button[type=submit]").click()
    expect(page.locator("#rows tr")).to_have_count(2)
    page.screenshot(path=DOCS / "market.png", full_page=True)
    page.locator("details.card summary").click()
    page.locator("#form button[type=submit]").click()
    expect(page.locator("#rows tr")).to_have_count(3)
    page.locator("#rows button").first.click()
    expect(page.locator("#rows .why li").nth(2)).to_be_visible()
    page.screenshot(path=DOCS / "page.png", full_page=True)


def _phone(page: Page, url: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(url)
    page.locator("#form button[type=submit]").click()
    expect(page.locator("#rows tr")).to_have_count(3)
    page.screenshot(path=DOCS / "phone.png", full_page=True)


def _drift(page: Page, url: str) -> None:
    """After an hour of bets on tennis alone, which the models have seen less of."""
    for start in range(0, _BETS, 100):
        bets = [
            {"sport": "Tennis", "league": "ATP", "market": "Moneyline", "institution_name": "FanDuel", "odds": 101 + i}
            for i in range(start, start + 100)
        ]
        httpx.post(f"{url}/api/v1/batch-predict", json={"bets": bets}).raise_for_status()
        time.sleep(0.6)  # beyond 200 bets a second drift is told of a sample
    eventually(lambda: httpx.get(f"{url}/api/v1/drift-report").json()["bets"] >= _BETS)
    page.set_viewport_size({"width": 1200, "height": 900})
    page.goto(f"{url}/drift")
    expect(page.locator("#status")).to_contain_text(f"{_BETS} different bets")
    page.screenshot(path=DOCS / "drift.png", full_page=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="pikkit-pictures-") as name:
        folder = Path(name)
        with Server(folder, ACCESS_LOG=0) as server:
            with chromium(folder / "pages") as context:
                page = context.new_page()
                page.set_viewport_size({"width": 1200, "height": 900})
                _page(page, server.url)
                page.goto(f"{server.url}/docs")
                page.wait_for_timeout(2000)
                page.screenshot(path=DOCS / "reference.png")
                _phone(page, server.url)
                _drift(page, server.url)
            with extension_stage(folder, server.url) as extension:
                page = extension.open("rows.html")
                expect(page.locator(BADGES).nth(10)).to_be_visible()
                page.locator(BADGES).nth(1).hover()
                page.wait_for_timeout(700)
                page.screenshot(path=DOCS / "extension.png")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
