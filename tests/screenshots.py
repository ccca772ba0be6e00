"""The pictures of the demo page in docs/images, taken afresh; `python tests/screenshots.py` (`just screenshots`)."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from browser import Visit, chromium, generate
from esdh_core import DEFAULT_SEED, encode_id
from esdh_plan import load_plan
from playwright.sync_api import Page
from serving import ESDH, serving

FOLDER = Path(__file__).parents[1] / "docs" / "images"
PLANS = ("--plan", "v0.1", "--plan", "bank")
DEFECTS = (*PLANS, "--defects", str(Path(__file__).with_name("api") / "defects.yaml"))


def many_rows(page: Page) -> None:
    """Generate as many rows as one answer has, so that the bars stand where the rules say."""
    generate(page, records="1000")
    page.evaluate("document.activeElement.blur()")


def whole_record(page: Page) -> None:
    """Look up an account, and unfold one of its transactions."""
    account = encode_id(DEFAULT_SEED, "accounts", 0, dataset=load_plan("bank"))
    page.evaluate("id => { location.hash = `#lookup/${id}` }", account)
    page.locator("#record-parts summary[aria-current]").wait_for()
    page.locator("#record-parts summary", has_text="transactions").first.click()
    page.locator("#record-parts summary", has_text="transactions 1 of").click()
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")


def wrong_cells(page: Page) -> None:
    """Generate rows with defects, and give the focus to a sign."""
    page.locator("#defects").select_option("defects")
    generate(page)
    sign = page.locator(".panel:visible td .mark").nth(1)
    sign.evaluate("node => { scrollTo(0, 0); node.focus({ preventScroll: true }) }")


class Picture(NamedTuple):
    """What a picture is of: the page below a path after a deed, at a size and in a scheme of colours; of which server."""

    below: str
    deed: Callable[[Page], None]
    width: int
    height: int
    scheme: str = "light"
    full_page: bool = False
    options: tuple[str, ...] = PLANS


PICTURES = {
    "page": Picture("", many_rows, 1280, 1012),
    "page-dark": Picture("", many_rows, 1280, 1012, "dark"),
    "demo-desktop": Picture("/plans/bank", lambda _: None, 1024, 640),
    "demo-phone": Picture("/plans/bank", lambda _: None, 390, 844),
    "demo-defects": Picture("", wrong_cells, 1024, 720, options=DEFECTS),
    "demo-tree": Picture("/plans/bank", whole_record, 1024, 640, full_page=True),
}


def main() -> None:
    """Take each picture, and fail where the page complained."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chromium() as browser, ExitStack() as stack:
        servers = {
            each: stack.enter_context(serving(*each, command=ESDH))
            for each in {picture.options for picture in PICTURES.values()}
        }
        for name, picture in PICTURES.items():
            options: dict[str, Any] = {
                "viewport": {"width": picture.width, "height": picture.height},
                "color_scheme": picture.scheme,
            }
            with browser.new_context(**options) as context:
                visit = Visit(context, servers[picture.options].url)
                page = visit.open(below=picture.below)
                picture.deed(page)
                page.mouse.move(0, 0)  # off the table, where the row below the pointer would stand out
                page.screenshot(path=FOLDER / f"{name}.png", full_page=picture.full_page)
                if visit.complaints:
                    raise SystemExit("\n".join(visit.complaints))


if __name__ == "__main__":
    main()
