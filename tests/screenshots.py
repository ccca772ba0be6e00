"""The pictures of the demo page in docs/images, taken afresh; `python tests/screenshots.py` (`just screenshots`)."""

from pathlib import Path

from browser import Visit, chromium
from serving import serving

FOLDER = Path(__file__).parents[1] / "docs" / "images"
SIZES = {"demo-desktop": (1024, 640), "demo-phone": (390, 844)}


def main() -> None:
    """Generate the default records at each size, take a picture, and fail where the page complained."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serving() as server, chromium() as browser:
        for name, (width, height) in SIZES.items():
            with browser.new_context(viewport={"width": width, "height": height}) as context:
                visit = Visit(context, server.url)
                page = visit.open()
                page.get_by_role("button", name="Generate", exact=True).click()
                page.locator("#pictures svg").first.wait_for()
                page.mouse.move(0, 0)  # off the table, where the row below the pointer would stand out
                page.screenshot(path=FOLDER / f"{name}.png")
                if visit.complaints:
                    raise SystemExit("\n".join(visit.complaints))


if __name__ == "__main__":
    main()
