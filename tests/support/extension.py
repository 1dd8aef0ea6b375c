"""The extension in a browser, on its sample pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.support.browser import EXTENSION, chromium, files, service_worker, unpacked

BADGES = "pikkit-overlay .badge:not([hidden])"


class ExtensionStage:
    """Sample pages, a browser with the extension, and the service that it asks; the site is allowed by the popup."""

    def __init__(self, context: BrowserContext, pages: str, service_url: str) -> None:
        self.context, self.pages, self.service_url = context, pages, service_url
        self.own = f"chrome-extension://{service_worker(context).url.split('/')[2]}"
        self._options = context.pages[0]
        self._options.goto(f"{self.own}/options.html")
        self.use(service_url)
        page = self.open("rows.html")
        popup = self.popup(page)
        popup.click("#allow")
        expect(popup.locator("#on")).to_be_visible()
        popup.close()
        page.close()

    def use(self, url: str, key: str = "") -> None:
        """Set the service's address and key anew; what was known of another is forgotten."""
        self.store(url=f"{url}/", key=key)
        self.store(url=url)

    def close_pages(self) -> None:
        """All that were opened."""
        for page in self.context.pages[1:]:
            page.close()

    def store(self, **values: Any) -> None:
        """Change settings as the options page does."""
        self._options.evaluate("values => chrome.storage.local.set(values)", values)

    def stored(self, name: str) -> Any:
        """What the worker keeps for the one that comes after it."""
        return self._options.evaluate("async name => (await chrome.storage.session.get(name))[name]", name)

    def open(self, path: str) -> Page:
        page = self.context.new_page()
        page.goto(f"{self.pages}/{path}")
        return page

    def popup(self, page: Page) -> Page:
        popup = self.context.new_page()
        popup.goto(f"{self.own}/options.html")
        tab = popup.evaluate("async (url) => (await chrome.tabs.query({})).find((tab) => tab.url === url).id", page.url)
        popup.goto(f"{self.own}/popup.html?tab={tab}")
        return popup


@contextmanager
def extension_stage(folder: Path, service_url: str) -> Iterator[ExtensionStage]:
    """Pages, browser and extension, set to a service."""
    with (
        files(EXTENSION / "sample") as pages,
        chromium(folder / "profile", extension=unpacked(folder), frames_at_once=True) as context,
    ):
        yield ExtensionStage(context, pages, service_url)
