"""Defects on the demo page, in a real Chromium: chosen in the form, marked in rows and trees, and told to every reader."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import (
    NEEDS_AXE,
    NEEDS_CHROMIUM,
    Visit,
    answer_of,
    barriers,
    bring_axe,
    cells,
    command,
    generate,
    visiting,
)
from esdh_core import DEFAULT_SEED
from playwright.sync_api import Browser, Locator, Page, expect
from serving import Server, serving

pytestmark = NEEDS_CHROMIUM

PERSONS = """\
- {kind: typo, table: persons, field: last_name, rate: 20%}
- {kind: blank, table: persons, field: first_name, rate: 10%}
- {kind: missing, table: persons, field: city, rate: 10%}
- {kind: wrong_type, table: persons, field: date_of_birth, rate: 10%}
- {kind: injection, table: persons, field: address_line_1, rate: 20%}
- {kind: orphan, table: vehicles, field: person_id, rate: 30%}
"""
ROWS = """\
- {kind: near_duplicate, table: customers, rate: 20%}
- {kind: missing_row, table: customers, rate: 20%}
- {kind: duplicate_row, table: accounts, rate: 20%}
- {kind: wrong_type, table: accounts, field: balance, rate: 20%}
"""
SHOP = """\
esdh: plan/1
name: shop
version: 1
reference_date: 2024-06-01
tables:
  parcels:
    fields:
      parcel_id: {id: true}
      weight: {integer: {from: 1, to: 9}}
defects:
  - {kind: wrong_type, table: parcels, field: weight, rate: 50%}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the default dataset, of bank and of a plan that lists defects itself."""
    folder = tmp_path_factory.mktemp("lists")
    for name, text in (("dirty.yaml", PERSONS), ("rows.yaml", ROWS), ("shop.yaml", SHOP)):
        (folder / name).write_text(text, encoding="utf-8")
    plans = [option for plan in ("v0.1", "bank", f"{folder}/shop.yaml") for option in ("--plan", plan)]
    lists = os.pathsep.join([f"{folder}/dirty.yaml", f"bank={folder}/rows.yaml"])
    with serving(*plans, ESDH_DEFECTS=lists) as server:
        yield server


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """A visit to the server."""
    yield from visiting(browser, server, accept_downloads=True)


def choose(page: Page, name: str, **fields: str) -> None:
    """Choose a list of defects and generate."""
    page.locator("#defects").select_option(name)
    generate(page, **fields)


def answer(server: Server, path: str, **body: Any) -> Any:
    """Return what the API answers."""
    return json.loads(answer_of(server.url, path, "application/json", body))


def mark(page: Page, row: int, name: str) -> Locator:
    """Return the sign in a cell of the table that is shown."""
    column = page.locator(".panel:visible thead th").all_text_contents().index(name)
    return page.locator(".panel:visible tbody tr").nth(row).locator("th, td").nth(column).locator(".mark")


def test_no_defects_unless_they_are_chosen(visit: Visit) -> None:
    """The form begins without defects: the rows are clean, nothing is marked and no line speaks of it."""
    page = visit.open()
    expect(page.get_by_label("Defects").first).to_have_value("")
    expect(page.locator(".mark")).to_have_count(0)
    expect(page.locator("#wrong-line")).to_be_hidden()
    assert "defects" not in command(page, "This call")


def test_server_without_lists_offers_none(browser: Browser) -> None:
    """Where the server has no list the form has no choice."""
    with serving() as bare:
        for visit in visiting(browser, bare):
            expect(visit.open().locator("#defects, #record-defects, .wrong-line")).to_have_count(0)


def test_wrong_cells_are_marked_and_no_others(visit: Visit, server: Server) -> None:
    """Each wrong cell has a sign whose name is the reason, each with what would be right, and no clean cell has one."""
    page = visit.open()
    choose(page, "dirty", records="40")
    labels = answer(server, "/generate/person", records=40, defects="dirty")["defects"]
    assert {"typo", "blank", "missing", "wrong_type", "injection"} == {each["kind"] for each in labels}
    expect(page.locator(".panel:visible .mark")).to_have_count(
        len({(each["slot"], each["field"]) for each in labels})
    )
    for each in labels:
        sign = mark(page, each["rows"][0], each["field"])
        expect(sign).to_have_accessible_name(f"Wrong, {each['kind']}: “{each['clean']}” is right")
    assert not visit.complaints  # an injected script is a text


def test_line_says_how_many_cells_are_wrong(visit: Visit, server: Server) -> None:
    """A line counts the wrong cells by kind, and says so where there are none."""
    page = visit.open()
    choose(page, "dirty", records="40")
    labels = answer(server, "/generate/person", records=40, defects="dirty")["defects"]
    line = page.locator("#wrong-line")
    expect(line).to_contain_text(f"{len(labels)} wrong cells: ")
    expect(line).to_contain_text(f"{sum(each['kind'] == 'typo' for each in labels)} typo")
    expect(page.locator("#said")).to_contain_text(f"{len(labels)} wrong cells")
    page.get_by_label("Profiles").check()
    generate(page)
    expect(line).to_have_text("No cell is wrong here: the defects strike none of these rows.")


def test_reason_is_shown_on_hover_and_focus(visit: Visit, server: Server) -> None:
    """The reason stands beside the cell under the pointer, and beside the sign with the focus, until Escape."""
    page = visit.open()
    choose(page, "dirty", records="40")
    each = answer(server, "/generate/person", records=40, defects="dirty")["defects"][0]
    reason = f"{each['kind']}: “{each['clean']}” is right"
    sign, tip = mark(page, each["rows"][0], each["field"]), page.locator(".tip")
    expect(tip).to_have_count(0)
    sign.locator("xpath=..").hover()
    expect(tip).to_have_text(reason)
    page.mouse.move(0, 0)
    expect(tip).to_have_count(0)
    sign.focus()
    expect(tip).to_have_text(reason)
    page.keyboard.press("Escape")
    expect(tip).to_have_count(0)


def test_reason_is_shown_on_touch(browser: Browser, server: Server) -> None:
    """On a phone a touch of the sign shows the reason, within the screen."""
    for visit in visiting(browser, server, viewport={"width": 360, "height": 740}, has_touch=True):
        page = visit.open()
        choose(page, "dirty", records="40")
        page.locator(".panel:visible .mark").first.tap()
        expect(page.locator(".tip")).to_be_visible()
        box = page.locator(".tip").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_tab_reaches_each_sign(visit: Visit) -> None:
    """The keyboard goes from one sign to the next."""
    page = visit.open()
    choose(page, "dirty", records="6", start="0")
    signs = page.locator(".panel:visible .mark").count()
    page.locator(".panel:visible .scroll").focus()
    reached = 0
    inside = True
    while inside:
        page.keyboard.press("Tab")
        inside = page.evaluate("Boolean(document.activeElement.closest('.scroll'))")
        reached += page.evaluate("document.activeElement.classList.contains('mark')")
    assert 0 < signs == reached


def test_wrong_rows_are_marked_at_their_number(visit: Visit, server: Server) -> None:
    """A row that is there a second time has a sign at its number, which says what the kind does, and rows are counted."""
    page = visit.open(below="/plans/bank")
    choose(page, "rows", records="20")
    wrong = answer(server, "/plans/bank/generate/customers", records=20, defects="rows")
    assert len(wrong["customers"]) == len(cells(page))
    of_rows = [each for each in wrong["defects"] if each["field"] is None]
    near = next(each for each in of_rows if each["kind"] == "near_duplicate")
    sign = mark(page, near["rows"][0], "#")
    expect(sign).to_have_accessible_name(re.compile("Wrong, near_duplicate: a second row behind it"))
    expect(page.locator("#wrong-line")).to_contain_text(f"{len(of_rows)} wrong rows: ")
    absent = {each["slot"] for each in of_rows if each["kind"] == "missing_row"}
    there = [each for each in wrong["defects"] if each["field"] and each["slot"] not in absent]
    expect(page.locator("#wrong-line")).to_contain_text(f"{len(there)} wrong cells and ")


def test_trees_mark_wrong_values_and_missing_rows(visit: Visit, server: Server) -> None:
    """In a tree wrong values have their sign, and where a row is missing there is a place that says so."""
    page = visit.open(below="/plans/bank")
    choose(page, "rows", records="20")
    trees = answer(server, "/plans/bank/generate/record-trees", records=20, defects="rows")
    absent = next(each["slot"] for each in trees["defects"] if each["kind"] == "missing_row")
    page.get_by_role("tab", name="Tree").click()
    record = page.locator(".panel:visible > .tree > li").nth(absent)
    record.locator("summary").first.click()
    expect(record.get_by_text("no row", exact=True)).to_be_visible()
    expect(record.get_by_role("button", name="Wrong, missing_row: no row")).to_be_visible()


def test_look_up_shows_a_record_as_it_is_wrong(visit: Visit, server: Server) -> None:
    """The record of an id is shown with the defects that are chosen, marked, and clean where none are."""
    page = visit.open()
    choose(page, "dirty", records="40")
    wrong = answer(server, "/generate/person", records=40, defects="dirty")
    each = next(each for each in wrong["defects"] if each["kind"] == "typo")
    page.goto(f"{visit.address}/demo#lookup/{wrong['persons'][each['rows'][0]]['person_id']}")
    expect(page.locator("#record-defects")).to_have_value("dirty")
    sign = page.locator("#record-parts").get_by_role(
        "button", name=f"Wrong, typo: “{each['clean']}” is right"
    )
    expect(sign).to_be_visible()
    expect(page.locator("#record-wrong-line")).to_contain_text("wrong cell")
    expect(page.locator("#record-commands pre").first).to_contain_text("?defects=dirty")
    page.locator("#record-defects").select_option("")
    expect(page.locator("#record-parts .mark")).to_have_count(0)
    expect(page.locator("#record-parts").get_by_text(each["clean"], exact=True).first).to_be_visible()


def test_look_up_of_a_second_row_is_in_the_record_of_the_first(visit: Visit, server: Server) -> None:
    """A near duplicate is found by its own id, in the tree of the record that it is a second row of."""
    page = visit.open(below="/plans/bank")
    choose(page, "rows")
    wrong = answer(server, "/plans/bank/generate/customers", records=25, defects="rows")
    near = next(each for each in wrong["defects"] if each["kind"] == "near_duplicate")
    row = wrong["customers"][near["rows"][0]]
    page.goto(f"{visit.address}/plans/bank/demo#lookup/{row['customer_id']}")
    expect(page.locator("#record-parts [aria-current]")).to_contain_text("this id")
    expect(page.locator("#record-parts > .tree > li")).to_have_count(2)


def test_commands_and_files_have_the_defects(visit: Visit, server: Server, tmp_path: Path) -> None:
    """The files are those of the API with the list, the labels come as one of their own, and the command makes them again."""
    page = visit.open()
    choose(page, "dirty", records="12")
    files = {}
    for name in ("CSV", "Labels of what is wrong, as CSV"):
        with page.expect_download() as download:
            page.locator("#downloads").get_by_role("button", name=name, exact=True).click()
        files[download.value.suggested_filename] = Path(download.value.path()).read_bytes()
    span = f"v0_1_seed{DEFAULT_SEED}_0-11_dirty"
    body = {"records": 12, "defects": "dirty"}
    assert files == {
        f"persons_{span}.csv": answer_of(server.url, "/generate/person", "text/csv", body),
        f"defects_{span}.csv": answer_of(server.url, "/generate/defects", "text/csv", body),
    }
    line = command(page, "A snapshot of these records, as files").replace("\\\n", " ")
    program, *arguments = shlex.split(line)
    assert "esdh" == program
    subprocess.run(
        [sys.executable, "-m", "esdh_cli", *arguments], cwd=tmp_path, check=True, capture_output=True
    )
    (made,) = tmp_path.glob("*/persons_v0_1.csv")
    assert files[f"persons_{span}.csv"] == made.read_bytes()


def test_own_list_of_a_plan_is_left_out_by_the_command(visit: Visit) -> None:
    """Of a plan that lists defects itself clean rows need an option, and wrong ones none."""
    page = visit.open(below="/plans/shop")
    title = "A snapshot of these records, as files"
    assert "--no-defects" in command(page, title)
    choose(page, "plan")
    assert "defects" not in command(page, title).replace("_plan", "")
    expect(page.locator(".panel:visible .mark").first).to_be_visible()


def test_pictures_are_drawn_of_values_of_the_type(visit: Visit) -> None:
    """A text where a date is due is in no picture, and breaks none."""
    page = visit.open()
    choose(page, "dirty", records="100")
    expect(page.locator("#pictures svg").first).to_be_visible()
    assert "NaN" not in page.locator("#pictures").inner_html()


@NEEDS_AXE
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(browser: Browser, server: Server, scheme: str) -> None:
    """axe-core finds nothing against WCAG 2.2 AA in rows, trees and a record with defects, in light and dark."""
    for visit in visiting(browser, server, color_scheme=scheme):
        bring_axe(visit.context)
        found: dict[str, Any] = {}
        page = visit.open(below="/plans/bank")
        choose(page, "rows", records="20")
        page.locator(".panel:visible .mark").first.focus()
        found["rows"] = barriers(page)
        page.get_by_role("tab", name="Tree").click()
        expect(page.locator(".panel:visible dl").first).to_be_visible()
        found["trees"] = barriers(page)
        page = visit.open()
        choose(page, "dirty", records="40")
        found["cells"] = barriers(page)
        link = page.locator(".panel:visible tr:has(.wrong) a").first.get_attribute("href")
        page.goto(f"{visit.address}/demo{link}")
        expect(page.locator("#record-parts .mark").first).to_be_visible()
        found["record"] = barriers(page)
        assert {} == {state: each for state, each in found.items() if each}
