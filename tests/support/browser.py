"""A real Chromium with the example extension loaded, and a static file server for odds pages."""

import functools
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Worker, expect, sync_playwright

from tests.support.need import need, root
from tests.support.waiting import PATIENCE_S

EXTENSION = root() / "examples/chrome-extension"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Pages wait by `expect`: `wait_for_function` evaluates text in the page, which our pages' policy forbids.
PATIENCE_MS = 1000 * PATIENCE_S
expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def browser() -> Iterator[Browser]:
    """One without the extension, for many tests: each takes a context of its own."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=need("chromium"), headless=False, args=[*_FLAGS], timeout=PATIENCE_MS
        )
        try:
            yield running
        finally:
            running.close()


@contextmanager
def chromium(profile: Path, *, extension: Path | None = None, frames_at_once: bool = False) -> Iterator[BrowserContext]:
    """A browser with a new profile; `frames_at_once`: no waiting for a screen between two frames."""
    flags = [*_FLAGS, *(("--disable-frame-rate-limit", "--disable-gpu-vsync") if frames_at_once else ())]
    if extension:
        flags += [f"--disable-extensions-except={extension}", f"--load-extension={extension}"]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=need("chromium"),
            headless=False,  # the flag above does it: Playwright's own headless mode loads no extension
            args=flags,
            timeout=PATIENCE_MS,
            ignore_default_args=["--disable-extensions"],
            viewport={"width": 1000, "height": 800},
        )
        context.set_default_timeout(PATIENCE_MS)
        try:
            yield context
        finally:
            context.close()


def unpacked(folder: Path) -> Path:
    """A copy of the extension that may read loopback: nobody is there to answer the browser's question."""
    copy = folder / "extension"
    shutil.copytree(EXTENSION, copy)
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["host_permissions"] = ["http://127.0.0.1/*"]
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return copy


def service_worker(context: BrowserContext) -> Worker:
    """The extension's service worker."""
    return context.service_workers[0] if context.service_workers else context.wait_for_event("serviceworker")


@contextmanager
def files(folder: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """Serves a folder; yields its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer((host, 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def serious_faults(page: Page) -> list[tuple[str, str]]:
    """What axe calls serious or critical: the rule, and the first element that breaks it."""
    found = Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]
