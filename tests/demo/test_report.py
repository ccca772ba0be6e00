"""The report stands alone, tells what was made, and escapes everything."""

import dataclasses
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import msgspec
import pytest
from browser import NEEDS_AXE, NEEDS_CHROMIUM, barriers, bring_axe, chromium
from demoing import Finished
from esdh_core import DEFAULT_DATASET
from esdh_demo.answers import Verification
from esdh_demo.charts import charts_of
from esdh_demo.report import render_report
from esdh_manifest import Manifest

VOID = {"meta", "link", "br", "line", "rect", "circle", "path"}


class Outline(HTMLParser):
    """Collects what a page asks for, and checks that its tags nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        self.addresses += [
            value or "" for name, value in attributes if name in ("src", "href", "srcset", "data")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note a tag that ends itself."""
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Check that the tag that ends is the one that is open."""
        assert self.open.pop() == tag


def outline(page: str) -> Outline:
    """Return a page's outline."""
    parsed = Outline()
    parsed.feed(page)
    assert [] == parsed.open
    return parsed


def rendered(finished: Finished, *, description: str = "d", found: str = "f", seed: int = 20240601) -> str:
    """Return the report of the finished run with other texts in it."""
    snapshot = finished.folder / "snapshot" / "snapshot_manifest_v0_1.json"
    answer = msgspec.json.decode((finished.folder / "api" / "record.json").read_bytes())
    steps = [msgspec.structs.replace(finished.run.record.steps[0], found=found)]
    record = msgspec.structs.replace(finished.run.record, steps=steps)
    return render_report(
        dataclasses.replace(finished.run, record=record),
        msgspec.structs.replace(finished.profile, description=description),
        manifest=msgspec.structs.replace(
            msgspec.json.decode(snapshot.read_bytes(), type=Manifest), seed=seed
        ),
        verification=verification(finished),
        record=answer,
        compared=60,
    )


def test_stands_alone(finished: Finished) -> None:
    """The page asks for nothing outside itself, runs no script, and its tags nest."""
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    parsed = outline(page)
    assert ["data:,"] == parsed.addresses
    assert not {"script", "img", "iframe", "object"} & parsed.tags
    assert not re.search(r"https?://|url\(|@import", page.replace("http://127.0.0.1", ""))


def test_tells_what_was_made(finished: Finished) -> None:
    """Seed, counts, every check, the digests and the commands that make it again stand in it."""
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert ">running<" not in page
    for text in (
        "20 records that belong to nobody",
        "10 of 10 checks passed",
        "180 rows from the API were compared",
        "--records 20 --seed 20240601 --output-format csv json ndjson",
        "uv run esdh verify-snapshot again",
        "ended with status 0, and its port is free",
        finished.run.record.run_id,
        *msgspec.json.decode((finished.folder / "api" / "generate.json").read_bytes())["content"].values(),
        *(check.claim for check in verification(finished).checks),
    ):
        assert text in page


def test_contrast_of_the_verdict() -> None:
    """The verdict's green on its ground has the contrast that text needs, 4.5 (WCAG 2, AA), in light and in dark."""
    template = resources.files("esdh_demo").joinpath("page", "report.html.jinja").read_text(encoding="utf-8")
    pairs = re.findall(r"--good: (#\w{6}); --good-ground: (#\w{6});", template)
    assert 2 == len(pairs)
    for pair in pairs:
        darker, lighter = sorted(map(luminance, pair))
        assert 4.5 <= (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour such as `#1a7f4b`."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def verification(finished: Finished) -> Verification:
    """Return what verify-snapshot answered."""
    return msgspec.json.decode((finished.folder / "api" / "verify.json").read_bytes(), type=Verification)


def test_escapes_everything(finished: Finished) -> None:
    """A text with markup in it is shown, and is no markup."""
    page = rendered(finished, description="<script>alert(1)</script>", found='"><img src=x onerror=alert(1)>')
    parsed = outline(page)
    assert not {"script", "img"} & parsed.tags
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_pictures(finished: Finished) -> None:
    """Every picture's shares sum to one, of what was made and of what is declared."""
    snapshot = finished.folder / "snapshot" / "snapshot_manifest_v0_1.json"
    charts = charts_of(msgspec.json.decode(snapshot.read_bytes(), type=Manifest).stats)
    assert ["Ages", "Model years", "Makes", "States", "Risk ratings", "Lines of business"] == [
        chart.title for chart in charts
    ]
    for chart in charts:
        assert 20 == sum(bar.count for bar in chart.bars)
        assert pytest.approx(1) == sum(bar.share for bar in chart.bars)
        assert pytest.approx(1, abs=1e-6) == sum(bar.declared for bar in chart.bars)
    years = next(
        each for each in DEFAULT_DATASET.plan.entities[1].statistics if each.name == "model_years"
    ).shares
    assert years is not None
    assert sorted(years) == [bar.label for bar in charts[1].bars]
    assert ["16-19", "20-24"] == [bar.label for bar in charts[0].bars[:2]]
    assert ["Low", "Medium", "High"] == [bar.label for bar in charts[4].bars]


@NEEDS_CHROMIUM
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(finished: Finished, tmp_path: Path, scheme: str) -> None:
    """From a file, in light and dark and on a phone, nothing is refused, requested or wider than the page."""
    report = tmp_path / "report.html"
    report.write_text(rendered(finished, seed=2**53 - 1), encoding="utf-8")
    with chromium() as browser:
        page = browser.new_context(color_scheme=scheme, viewport={"width": 360, "height": 800}).new_page()  # type: ignore[arg-type]
        messages: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: messages.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(report.as_uri())
        assert [] == messages
        assert [report.as_uri()] == [url for url in asked if url != "data:,"]
        assert 360 >= page.evaluate("document.documentElement.scrollWidth")
        assert 6 == page.locator("figure svg[role=img]").count()


@NEEDS_CHROMIUM
@NEEDS_AXE
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(finished: Finished, tmp_path: Path, scheme: str) -> None:
    """axe-core finds nothing against WCAG 2.2 AA in the report, in light and dark."""
    report = tmp_path / "report.html"
    report.write_text(rendered(finished), encoding="utf-8")
    with chromium() as browser, browser.new_context(color_scheme=scheme) as context:  # type: ignore[arg-type]
        bring_axe(context)
        page = context.new_page()
        page.goto(report.as_uri())
        assert [] == barriers(page)
