"""A headless Chromium that visits the demo page, for its tests and its pictures, and axe-core, which looks for barriers."""

import json
import os
import re
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)
from serving import Server

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


def find_chromium() -> str | None:
    """Return where Chromium or Chrome is, None without one."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


_AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
# Rules of WCAG 2.2, A and AA, and what its makers think good practice.
_AXE_RUN = """async () => {
    const runOnly = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const { violations } = await axe.run({ runOnly, resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary]));
}"""
NEEDS_CHROMIUM = pytest.mark.skipif(
    find_chromium() is None and os.environ.get("CI") != "true",  # under CI nothing is skipped: it fails
    reason="needs chromium or google-chrome on the PATH",
)
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

    def open(self, place: str = "", below: str = "") -> Page:
        """Open a demo page, at a place such as `#plan`, and wait until it knows its server and shows rows."""
        page = self.context.new_page()
        page.goto(f"{self.address}{below}/demo{place}")
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


def visiting(browser: Browser, server: Server, **options: Any) -> Iterator[Visit]:
    """Yield a visit, and hold at its end that the page did nothing that it may not do."""
    with browser.new_context(**options) as context:
        visit = Visit(context, server.url)
        yield visit
        assert [] == visit.complaints


def generate(page: Page, **fields: str) -> None:
    """Fill fields of the form, generate, and wait until the rows are shown."""
    for name, value in fields.items():
        page.locator(f"#{name}").fill(value)
    with page.expect_response("**/generate/*"):
        press_generate(page)
    expect(page.locator("#generate")).not_to_have_attribute("aria-busy", "true")


def press_generate(page: Page) -> None:
    """Press Generate."""
    page.get_by_role("button", name="Generate", exact=True).click()


def cells(page: Page) -> list[list[str]]:
    """Return the texts of the table that is shown, the record's number first, without the head."""
    rows: list[list[str]] = page.locator(".panel:visible table.rows tbody").evaluate(
        "body => [...body.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return rows


def command(page: Page, title: str) -> str:
    """Return one of the commands that the page shows."""
    return page.get_by_label(title, exact=True).inner_text()


def alert(page: Page, place: str) -> Locator:
    """Return the place of an error, and hold that it announces itself."""
    node = page.locator(f"#{place}")
    expect(node).to_have_attribute("role", "alert")
    return node


def answer_of(address: str, path: str, accept: str, body: object, **headers: str) -> bytes:
    """Return what the API answers to a POST."""
    request = urllib.request.Request(
        address + path,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Accept": accept, **headers},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        content: bytes = answer.read()
        return content
