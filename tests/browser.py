"""A headless Chromium that visits the demo page, for its tests and its pictures, and axe-core, which looks for barriers."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",  # Chromium refuses root without it, and CI runs as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
_PATIENCE = 20_000  # milliseconds: for a slow machine; nobody waits so long unless something is wrong
_VIOLATION = "Content-Security-Policy violated:"
_REPORT_VIOLATIONS = f"""addEventListener("securitypolicyviolation", ({{ violatedDirective, blockedURI }}) =>
    console.error("{_VIOLATION}", violatedDirective, blockedURI))"""
_FAILED_ANSWER = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")

_AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
# Rules of WCAG 2.2, A and AA, and what its makers think good practice.
_AXE_RUN = """async () => {
    const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await axe.run({ runOnly, resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary]));
}"""
NEEDS_AXE = pytest.mark.skipif(
    not _AXE.exists() and os.environ.get("CI") != "true",  # under CI nothing is skipped: it fails
    reason="needs axe-core, which `just axe-core` brings",
)


def bring_axe(context: BrowserContext) -> None:
    """Have axe-core in each page of a context, whatever the page's Content-Security-Policy says."""
    context.add_init_script(path=_AXE)


def barriers(page: Page) -> list[list[str]]:
    """Return what axe-core finds on a page as it is shown: the rule, the element and what is wrong with it."""
    found: list[list[str]] = page.evaluate(_AXE_RUN)
    return found


def find_chromium() -> str | None:
    """Return where Chromium or Chrome is, None without one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless Chromium that calls home for nothing."""
    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=_ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A browser context on one server that notes all that a page of ours may not do.

    `complaints` holds page errors, console errors, violations of the Content-Security-Policy and requests
    to other hosts. Chromium logs each answer with an error status to the console: those in `expected` are
    no complaint.
    """

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.address = address
        self.context = context
        self.complaints: list[str] = []
        self.expected: set[int] = set()
        self.requested: list[str] = []
        context.set_default_timeout(_PATIENCE)
        context.add_init_script(_REPORT_VIOLATIONS)
        context.on("console", self._hear)
        context.on("request", self._watch)
        context.on("weberror", lambda error: self.complaints.append(f"page error: {error.error}"))

    def open(self, place: str = "") -> Page:
        """Open the demo page, at a place such as `#plan`, and wait until it knows its server."""
        page = self.context.new_page()
        page.goto(f"{self.address}/demo{place}")
        page.locator("#versions", has_text="dataset version").wait_for()
        # The view for rows opens with some, unless there is a key to be asked for.
        opens = page.locator("#view-generate:visible, #key-form:visible")
        if opens.count() == 1 and page.locator("#view-generate").is_visible():
            page.locator("#result:visible, .error:visible").first.wait_for()
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        status = _FAILED_ANSWER.match(message.text)
        if message.type in ("error", "warning") and not (status and int(status[1]) in self.expected):
            self.complaints.append(f"console {message.type}: {message.text}")

    def _watch(self, request: Request) -> None:
        self.requested.append(request.url)
        if not request.url.startswith((f"{self.address}/", "data:", f"blob:{self.address}/")):
            self.complaints.append(f"request to another host: {request.url}")
