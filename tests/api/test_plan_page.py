"""The demo page of plans in a real Chromium: related tables, awkward names and values, several plans side by side."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from browser import (
    NEEDS_AXE,
    NEEDS_CHROMIUM,
    Visit,
    alert,
    answer_of,
    barriers,
    bring_axe,
    cells,
    command,
    generate,
    press_generate,
    visiting,
)
from esdh_core import DEFAULT_SEED, encode_id
from esdh_core.ids import canonical_id
from esdh_plan import load_plan
from playwright.sync_api import Browser, Locator, Page, expect
from serving import ESDH, Server, serving

pytestmark = NEEDS_CHROMIUM

LONG = "a_table_whose_name_has_all_of_the_sixty_three_letters_there_are"
FIELD = "a_field_whose_name_has_all_of_the_sixty_three_letters_there_are"
AWKWARD = f"""\
esdh: plan/1
name: awkward
version: 3
reference_date: 2024-06-01
tables:
  # No table has an id but `boxes`, and one has no rows.
  {LONG}:
    fields:
      {FIELD}: {{choice: {{"a label for which no picture has room": 3, b: 1, "": 1, "<b>": 1}}, missing: 10%}}
      number: {{sequence: {{start: 9007199254740993}}}}
      big: {{integer: {{from: 0, to: 9000000000000000000}}, missing: 20%}}
      safe: {{integer: {{from: 0, to: 999999999999999}}}}
      tiny: {{decimal: {{from: 0, to: 0.0000001000, scale: 10}}}}
      half: {{decimal: {{from: 0, to: 1, scale: 1}}}}
      flag: {{choice: {{true: 1, false: 3}}, missing: 10%}}
      code: {{pattern: "[A-Z]{{3}}", when: flag}}
      seen_at: {{timestamp: {{from: today - days(1), to: today}}}}
      spaced: {{choice: {{"  two  spaces ": 1, one: 1}}}}
  empty:
    per: {LONG}
    count: 0
    fields:
      n: k + 1
  boxes:
    per: {LONG}
    count: {{0: 1, 3: 1, 12: 1}}
    fields:
      box_id: {{id: true}}
      number: parent.number
  lids:
    per: boxes
    count: {{from: 0, to: 2}}
    fields:
      box_id: parent.box_id
      width: {{integer: {{zipf: {{s: 1.1}}, from: 1, to: 1000}}}}
  shelves:
    rows: 2
    fields:
      shelf_id: {{id: true}}
  places:
    per: shelves
    count: 2
    fields:
      shelf_id: parent.shelf_id
      place: k + 1
"""
RECORDS = 25
BANK = load_plan("bank")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def awkward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan file with long names, empty and fixed tables, nulls, and numbers that JavaScript would round."""
    path = tmp_path_factory.mktemp("plan's folder") / "awkward.yaml"
    path.write_text(AWKWARD, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def server(awkward: Path) -> Iterator[Server]:
    """A server of bank, the awkward plan and the default dataset."""
    with serving("--plan", "bank", "--plan", str(awkward), "--plan", "v0.1", command=ESDH) as server:
        yield server


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """A visit to that server."""
    yield from visiting(browser, server)


@pytest.fixture
def phone_visit(browser: Browser, server: Server) -> Iterator[Visit]:
    """The same on the narrowest phone."""
    yield from visiting(browser, server, viewport={"width": 360, "height": 740}, has_touch=True)


def open_awkward(visit: Visit, place: str = "") -> Page:
    """Open the page of the awkward plan."""
    return visit.open(place, below="/plans/awkward")


def choose(page: Page, table: str) -> None:
    """Choose a table in the form."""
    page.locator(f'#generate-form input[value="{table}"]').check()


def asked(visit: Visit, path: str, accept: str = "application/json", **body: Any) -> bytes:
    """Return what the API answers."""
    return answer_of(visit.address, path, accept, body)


def shown_rows(visit: Visit, path: str, **body: Any) -> list[list[str]]:
    """Return the rows of a table as the page is to show them: a snapshot's CSV, in which a null is empty."""
    lines = csv.reader(io.StringIO(asked(visit, path, "text/csv", **body).decode()))
    next(lines)
    return [[value or "null" for value in row] for row in lines]


def without_numbers(rows: list[list[str]]) -> list[list[str]]:
    """Return rows without the number before each, and timestamps as CSV has them."""
    day = re.compile(r"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\dZ)$")
    return [[day.sub(r"\1T\2", value) for value in row[1:]] for row in rows]


def pictures(page: Page) -> dict[str, dict[str, int]]:
    """Return each picture's counts by its heading, as a screen reader has them."""
    return {
        picture.locator("h4").inner_text(): {
            label: int(count.replace(",", ""))
            for label, count in re.findall(
                r"(?:^|, )(.+?): ([\d,]+)(?=,|$)", picture.locator("desc").inner_html()
            )
        }
        for picture in page.locator(".picture").all()
    }


def names_of(row: Locator) -> dict[str, str]:
    """Return the fields of a row in a tree."""
    listed = row.locator("> .branch > dl")
    expect(listed).to_have_count(1)  # a branch is filled by an event that comes after the click
    return dict(
        zip(listed.locator("dt").all_text_contents(), listed.locator("dd").all_text_contents(), strict=True)
    )


def run_command(text: str, folder: Path) -> str:
    """Run a command in a shell as the page shows it, and return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path}
    ran = subprocess.run(
        ["sh", "-c", text], cwd=folder, env=environment, check=True, capture_output=True, text=True
    )
    return ran.stdout


# Rows


def test_page_opens_with_the_root_and_pictures(visit: Visit) -> None:
    """The page of a plan opens with rows of the root table, each decimal digit for digit, and pictures of its fields."""
    page = visit.open()
    expected = shown_rows(visit, "/generate/customers", records=RECORDS)
    assert expected == without_numbers(cells(page))
    assert "419.30" == expected[0][11]
    assert "Customers" == page.get_by_role("tab", selected=True).inner_text()
    expect(page.locator("#pictures h4")).to_have_text(
        ["Segment", "Born on", "State", "Email", "Referred by", "Account count", "Wealth"]
    )


@pytest.mark.parametrize("table", ["merchants", "accounts", "transactions"])
def test_every_table_is_shown_as_its_file_has_it(visit: Visit, table: str) -> None:
    """The rows of each kind of table are those of a snapshot's CSV, text for text."""
    page = visit.open()
    choose(page, table)
    generate(page, records="12", start="40")
    assert shown_rows(visit, f"/generate/{table}", records=12, start=40) == without_numbers(cells(page))


def test_no_number_is_rounded(visit: Visit) -> None:
    """Numbers beyond JavaScript's own, decimals and their zeros are shown and copied as the answer writes them."""
    page = open_awkward(visit)
    rows = shown_rows(visit, f"/plans/awkward/generate/{LONG}", records=RECORDS)
    seen = without_numbers(cells(page))
    # An empty text is told from a null.
    assert [["null" if value == "empty" else value for value in row] for row in seen] == rows
    assert {"9007199254740993", "9007199254740995"} <= {row[1] for row in seen}
    assert {"empty", "null"} <= {row[0] for row in seen}
    assert any(row[5] in ("0.0", "1.0") for row in rows), "a decimal whose zero matters"
    page.get_by_role("tab", name="JSON").click()
    answer = asked(visit, f"/plans/awkward/generate/{LONG}", records=RECORDS)
    exact: Json = {"parse_float": Decimal, "parse_int": Decimal}
    assert json.loads(answer, **exact) == json.loads(page.locator("#json").inner_text(), **exact)
    written = re.findall(rb'"half":([0-9.]+)', answer)
    assert [each.decode() for each in written] == re.findall(
        r'"half": ([0-9.]+)', page.locator("#json").inner_text()
    )


def test_spaces_and_marks_are_shown_as_they_are(visit: Visit) -> None:
    """A text's spaces take their room, and what looks like markup is text."""
    page = open_awkward(visit)
    two = page.locator("td", has_text="two").first
    assert "  two  spaces " == two.inner_text()
    assert "pre" == two.evaluate("cell => getComputedStyle(cell).whiteSpace")
    assert page.locator("td", has_text="<b>").count() >= 1
    assert 0 == page.locator("td b").count()


def test_timestamp_tells_its_zone(visit: Visit) -> None:
    """A timestamp is shown with a space between date and time and its Z, in an element that machines read."""
    page = open_awkward(visit)
    time = page.locator("td time").first
    assert re.fullmatch(r"2024-0[56]-\d\d \d\d:\d\d:\d\dZ", time.inner_text())
    assert time.inner_text().replace(" ", "T") == time.get_attribute("datetime")


def test_table_without_rows_keeps_its_head(visit: Visit) -> None:
    """A table that has no rows in the window shows its columns, says so, and draws nothing."""
    page = open_awkward(visit)
    choose(page, "empty")
    press_generate(page)
    expect(page.locator("#summary")).to_have_text("0 rows of empty, records 0 to 24")
    expect(page.locator(".panel:visible thead th")).to_have_text(["#", "n", "synthetic_source"])
    expect(page.locator(".panel:visible")).to_contain_text("These records have no rows here.")
    expect(page.locator("#pictures")).to_be_hidden()


def test_too_many_rows_are_told_beside_the_field(visit: Visit) -> None:
    """The refusal of an answer with too many rows stands beside the number of records, with what would do."""
    visit.expected = {400}
    page = visit.open()
    choose(page, "bundle")
    page.locator("#records").fill("900")
    press_generate(page)
    expect(alert(page, "records-error")).to_contain_text("at most 295")


# Pictures


def test_pictures_of_every_kind_count_the_rows(visit: Visit) -> None:
    """Labels, numbers, dates, nulls and the rows for each row above are drawn, and what is drawn is what is there."""
    page = visit.open()
    choose(page, "bundle")
    generate(page, records="40")
    page.get_by_role("button", name="Show all 23 pictures").click()
    drawn = pictures(page)
    bundle = json.loads(asked(visit, "/generate/bundle", records=40))
    segments = Counter(row["segment"] for row in bundle["customers"])
    assert segments == drawn["Customers: segment"]
    counts = Counter(str(row["account_count"]) for row in bundle["customers"])
    assert counts == drawn["Customers: account count"] == drawn["Accounts for each of customers"]
    missing = sum(row["email"] is None for row in bundle["customers"])
    assert {"value": 40 - missing, "null": missing} == drawn["Customers: email"]
    decades = Counter(
        f"{row['born_on'][:3]}0-01-01 to {row['born_on'][:3]}9-12-31" for row in bundle["customers"]
    )
    assert decades == drawn["Customers: born on"]
    own = Counter(row["account_id"] for row in bundle["transactions"])
    idle = sum(row["account_id"] not in own for row in bundle["accounts"])
    assert len(bundle["accounts"]) == sum(drawn["Transactions for each of accounts"].values())
    assert idle <= drawn["Transactions for each of accounts"]["0 to 4"]
    amounts = Counter(float(row["amount"]) >= 50 for row in bundle["transactions"])
    assert amounts[False] == drawn["Transactions: amount"]["0 to 49.99"]
    assert len(bundle["transactions"]) == sum(drawn["Transactions: amount"].values())


def test_declared_shares_are_marked(visit: Visit) -> None:
    """Where the plan declares shares each bar has a mark for them, and where it doesn't there is none and no legend."""
    page = visit.open()
    marks = {
        picture.locator("h4").inner_text(): picture.locator(".tick").count()
        for picture in page.locator(".picture").all()
    }
    assert {"Segment": 2, "Email": 2, "State": 0, "Born on": 0, "Wealth": 0} == {
        name: marks[name] for name in ("Segment", "Email", "State", "Born on", "Wealth")
    }
    expect(page.locator(".declared")).to_be_visible()
    choose(page, "accounts")
    generate(page)
    choose(page, "transactions")
    generate(page)
    memo = page.locator(".picture", has=page.locator("h4:text-is('Memo')"))
    expect(memo.locator(".hint")).to_contain_text("null; the rules say 30 %")
    other = open_awkward(visit)
    choose(other, "places")
    generate(other)
    expect(other.locator(".declared")).to_be_hidden()


# Each case: what a picture is of, its values, and its bars: the label, the count, and the rules' share in percent.
DRAWINGS: dict[str, tuple[Json, list[str], list[tuple[str, int, int | None]]]] = {
    "a range's share is split evenly among its values": (
        {"kind": "numbers", "type": "integer", "unit": 1, "shares": {"1": 0.5, "2 to 5": 0.5}},
        ["1", "2", "5"],
        [("1", 1, 50), ("2", 1, 12), ("3", 0, 12), ("4", 0, 12), ("5", 1, 12)],
    ),
    "what is beyond the values shown is in the outer bins": (
        {"kind": "numbers", "type": "integer", "unit": 1, "shares": {"0 to 9": 1}},
        ["4", "5"],
        [("4", 1, 50), ("5", 1, 50)],
    ),
    "values far out don't squeeze the others into one bin": (
        {"kind": "numbers", "type": "decimal", "unit": 0.01, "shares": None},
        [*(f"{number}.50" for number in range(100)), "1000000.00"],
        [*((str(ten), 10, None) for ten in range(0, 90, 10)), ("90+", 11, None)],
    ),
    "a step of ten pence holds thirty pence": (
        {"kind": "numbers", "type": "decimal", "unit": 0.1, "shares": None},
        ["0.1", "0.3", "0.6", "0.7"],
        [(f"0.{tenth}", int(tenth in (1, 3, 6, 7)), None) for tenth in range(1, 8)],
    ),
    "one value is one bar": (
        {"kind": "numbers", "type": "integer", "unit": 1, "shares": None},
        ["-7", "-7"],
        [("-7", 2, None)],
    ),
    "days of a few years are counted by months": (
        {"kind": "dates", "type": "date", "unit": 1, "shares": None},
        ["2023-11-30", "2024-01-01", "2024-02-29"],
        [("2023-11", 1, None), ("2023-12", 0, None), ("2024-01", 1, None), ("2024-02", 1, None)],
    ),
    "seconds of a day are counted by hours": (
        {"kind": "dates", "type": "timestamp", "unit": 1, "shares": None},
        ["2024-02-29T22:59:59Z", "2024-03-01T00:00:00Z"],
        [("22:00", 1, None), ("23:00", 0, None), ("00:00", 1, None)],
    ),
    "dates of all time are counted by centuries": (
        {"kind": "dates", "type": "date", "unit": 1, "shares": {"0001-01-01 to 9999-12-31": 1}},
        ["0001-01-01", "0999-12-31"],
        [(f"{number:02}00", 1 if number in (0, 9) else 0, 91 if number == 9 else 1) for number in range(10)],
    ),
}


@pytest.mark.parametrize("case", DRAWINGS)
def test_values_are_binned(visit: Visit, case: str) -> None:
    """Numbers and dates are counted in few round bins, each with the share of the declared ranges that is in it."""
    picture, values, expected = DRAWINGS[case]
    bars = visit.open("#plan").evaluate(
        """async ([picture, values]) => {
            const { barsOf } = await import(new URL("demo/pictures.js", document.baseURI));
            return barsOf(picture, values, values.map((value) => ({ field: value })), {})
                .map(({ label, count, declared }) => [label, count, declared && Math.round(declared * 100 - 0.01)]);
        }""",
        [picture, values],
    )
    assert [list(bar) for bar in expected] == bars


# Commands


def test_snapshot_command_writes_the_rows(visit: Visit, tmp_path: Path) -> None:
    """The command for a window from the first record, run in a shell, writes the rows that are shown."""
    page = open_awkward(visit)
    choose(page, "boxes")
    generate(page, seed="7")
    run_command(command(page, "A snapshot of these rows, as files"), tmp_path)
    [written] = tmp_path.rglob("boxes_awkward_v3.csv")
    expected = asked(visit, "/plans/awkward/generate/boxes", "text/csv", records=RECORDS, seed=7)
    assert expected == written.read_bytes()


def test_later_rows_are_told_by_ids(visit: Visit, tmp_path: Path) -> None:
    """The command for a later window names the ids of its rows and the plan, and prints these rows."""
    page = visit.open()
    generate(page, records="3", start="40")
    printed = run_command(command(page, "These records, by id") + " --json", tmp_path)
    rows = json.loads(asked(visit, "/generate/customers", records=3, start=40))["customers"]
    assert rows == [each["row"] for each in json.loads(printed)["records"]]


def test_later_rows_without_ids_are_the_end_of_a_snapshot(visit: Visit, tmp_path: Path) -> None:
    """Where rows have no ids the command for a later window makes a snapshot whose last rows they are."""
    page = open_awkward(visit)
    generate(page, records="2", start="3")
    run_command(command(page, "A snapshot that ends with these records"), tmp_path)
    [written] = tmp_path.rglob(f"{LONG}_awkward_v3.ndjson")
    expected = asked(
        visit, f"/plans/awkward/generate/{LONG}", "application/x-ndjson", records=2, start=3
    ).splitlines()
    assert expected == written.read_bytes().splitlines()[3:]


def test_bundle_and_fixed_table_have_a_command(visit: Visit) -> None:
    """A bundle's command names its root's ids; a fixed table comes with every snapshot, whatever the window."""
    page = visit.open()
    choose(page, "bundle")
    generate(page, records="2", start="5")
    ids = [encode_id(DEFAULT_SEED, "customers", number, dataset=BANK) for number in (5, 6)]
    assert ids == re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", command(page, "These records, by id"))
    choose(page, "merchants")
    generate(page)
    assert "--entity-filter merchants" in command(page, "A snapshot of these rows, as files")


def test_record_command_prints_the_tree(visit: Visit, tmp_path: Path) -> None:
    """The command for an id names the plan and prints the whole record."""
    own = encode_id(DEFAULT_SEED, "customers", 0, dataset=BANK)
    page = visit.open(f"#lookup/{own}")
    expect(page.locator("#record-summary")).to_be_visible()
    assert f"esdh reproduce {own} --plan bank --tree" == command(page, "On the command line")
    assert "<- this id" in run_command(command(page, "On the command line"), tmp_path)


# The plans


def test_reader_chooses_among_the_plans(visit: Visit) -> None:
    """Links lead to the page of each plan that is served, mark the one that is shown, and keep the view."""
    page = visit.open("#plan")
    links = page.get_by_role("navigation", name="Datasets").get_by_role("link")
    expect(links).to_have_text(["bank v1", "awkward v3", "v0.1"])
    expect(links.and_(page.locator("[aria-current=true]"))).to_have_text("bank v1")
    for name, there, count in (
        ("awkward v3", "awkward", 6),
        ("v0.1", "v0.1", 3),
        ("bank v1", "bank", 4),
    ):
        links.get_by_text(name, exact=True).click()
        expect(page).to_have_url(f"{visit.address}/plans/{there}/demo#plan")
        expect(links.and_(page.locator("[aria-current=true]"))).to_have_text(name)
        expect(page.locator("#plan-entities label")).to_have_count(count + 1)
    links.get_by_text("awkward v3", exact=True).click()
    page.get_by_role("link", name="Generate").click()
    expect(page.locator("#summary")).to_have_text(f"25 rows of {LONG}, records 0 to 24")


def test_one_plan_leaves_no_choice(browser: Browser) -> None:
    """Where one plan is served, no choice is offered."""
    with serving("--plan", "bank") as server:
        for visit in visiting(browser, server):
            expect(visit.open().get_by_role("navigation")).to_have_count(1)


# Trees


def test_tree_is_the_record(visit: Visit) -> None:
    """The tree of a record has its root row with every row below it in nested lists, each with its fields."""
    page = visit.open(f"#lookup/{encode_id(DEFAULT_SEED, 'customers', 3, dataset=BANK)}")
    expect(page.locator("#record-summary")).to_have_text(f"Customers 3 of seed {DEFAULT_SEED}")
    bundle = json.loads(asked(visit, "/generate/bundle", records=1, start=3), parse_float=str)
    [customer] = bundle["customers"]
    root = page.locator("#record-parts > ul > li > details")
    expect(root).to_have_count(1)
    assert {key: "null" if value is None else str(value) for key, value in customer.items()} == names_of(root)
    accounts = root.locator("> .branch > ul > li > details").locator("> .branch > ul > li > details")
    expect(accounts).to_have_count(len(bundle["accounts"]))
    for account, expected in zip(accounts.all(), bundle["accounts"], strict=True):
        if account.get_attribute("open") is None:
            account.locator("> summary").click()
        expect(account.locator("> .branch > dl")).to_be_visible()
        own = names_of(account)
        assert expected["account_id"] == own["account_id"]
        assert expected["balance"] == own["balance"]
        rows = sum(row["account_id"] == expected["account_id"] for row in bundle["transactions"])
        below = account.locator("> .branch > ul > li")
        expect(below).to_contain_text(f"transactions {rows} rows" if rows != 1 else "transactions")


def test_tree_is_open_down_to_the_id(visit: Visit) -> None:
    """The tree of a row deep in a record is open down to it, and the row is marked and told to a screen reader."""
    answer = json.loads(asked(visit, "/generate/transactions", records=1))["transactions"]
    own = answer[-1]
    page = visit.open(f"#lookup/{own['transaction_id']}")
    marked = page.locator("#record-parts summary[aria-current=true]")
    expect(marked).to_contain_text("transactions")
    expect(marked).to_contain_text("this id")
    expect(marked).to_be_in_viewport()
    row = page.locator("#record-parts details").filter(
        has=page.locator(":scope > summary[aria-current=true]")
    )
    assert own["transaction_id"] == names_of(row.last)["transaction_id"]
    expect(page.locator("#record-facts")).to_contain_text("Record0")


def test_tree_works_by_keyboard(visit: Visit) -> None:
    """Tab reaches each row that is shown, Enter and Space fold it, and the ids in it are links to their rows."""
    page = visit.open(f"#lookup/{encode_id(DEFAULT_SEED, 'customers', 0, dataset=BANK)}")
    first = page.locator("#record-parts summary").first
    expect(first).to_be_visible()
    first.focus()
    for key, is_open in (("Enter", False), ("Space", True)):
        page.keyboard.press(key)
        assert is_open == first.evaluate("summary => summary.parentElement.open")
    page.keyboard.press("Tab")
    assert "399a029a-43fd-8e25-80ef-2473b68d7df6" == page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # past the list of accounts, to the first
    page.keyboard.press("Enter")
    expect(page.locator("#record-parts dl")).to_have_count(2)
    page.keyboard.press("Tab")
    account = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.locator("#record-facts")).to_contain_text(account)
    expect(page.locator("#record-summary")).to_have_text(f"Accounts 0 of seed {DEFAULT_SEED}")


def test_tree_of_a_table_without_ids_has_them(visit: Visit) -> None:
    """Records whose root has no id are shown as trees too, and each row has its id as a link that leads back to it."""
    page = open_awkward(visit)
    page.get_by_role("tab", name="Tree").click()
    link = page.locator(".panel:visible dd a").first
    expect(link).to_be_visible()
    own = link.inner_text()
    awkward = json.loads(asked(visit, f"/plans/awkward/generate/{LONG}", records=1))
    assert canonical_id(own) == own
    link.click()
    expect(page.locator("#record-facts")).to_contain_text("Record0")
    assert str(awkward[LONG][0]["number"]) == names_of(page.locator("#record-parts details").first)["number"]
    expect(page.locator("#record-parts")).to_contain_text("No rows of empty")


def test_row_of_a_fixed_table_stands_below_its_parent(visit: Visit) -> None:
    """The id of a row of a fixed table shows the row, which is of no record: none can be generated from there."""
    page = open_awkward(visit)
    choose(page, "shelves")
    generate(page)
    expect(page.get_by_role("tab", name="Tree")).to_have_count(0)
    page.locator(".panel:visible td a").last.click()
    expect(page.locator("#record-summary")).to_have_text(f"Shelves 1 of seed {DEFAULT_SEED}")
    expect(page.locator("#record-parts .table-name")).to_have_text(["shelves"])
    expect(page.locator("#record-window")).to_be_hidden()


def test_record_leads_to_its_rows(visit: Visit) -> None:
    """From the record of any row the rows from there on can be generated."""
    answer = json.loads(asked(visit, "/generate/transactions", records=1, start=6))
    page = visit.open(f"#lookup/{answer['transactions'][0]['transaction_id']}")
    page.get_by_role("button", name="Generate from here").click()
    generate(page, records="1")
    expect(page.locator("#summary")).to_contain_text("rows of transactions, record 6")


def test_id_of_another_plan_leads_to_its_page(visit: Visit) -> None:
    """An id of another dataset that is served shows its rows and a link to that dataset's page."""
    page = visit.open("#lookup/7325de0f-b0c4-806c-8636-3e3a1bdbceb4")
    expect(page.locator("#record-parts .table-name")).to_have_text(["person", "vehicle", "profile"])
    page.get_by_role("link", name="Open it in v0.1's own").click()
    expect(page.locator("#record-parts .table-name")).to_have_text(["persons", "vehicles", "profiles"])
    expect(page).to_have_url(f"{visit.address}/plans/v0.1/demo#lookup/7325de0f-b0c4-806c-8636-3e3a1bdbceb4")


def test_address_of_another_plans_record_opens_it(visit: Visit) -> None:
    """The address of a record of another dataset opens on its rows, also before the page knows its own server."""
    visit.context.route("**/healthz", lambda _: None)  # it never answers
    page = visit.context.new_page()
    page.goto(f"{visit.address}/demo#lookup/7325de0f-b0c4-806c-8636-3e3a1bdbceb4")
    expect(page.locator("#record-parts .table-name")).to_have_text(["person", "vehicle", "profile"])


def test_record_that_is_too_large_shows_what_is_known(browser: Browser) -> None:
    """Where a whole record is more than an answer may have, the row and those above it are shown, and the reason."""
    with serving("--plan", "bank", ESDH_MAX_ROWS="30") as server:
        for visit in visiting(browser, server):
            visit.expected = {400}
            page = visit.open("#lookup/3f2f9d23-be71-80e2-9d6d-9ce1862c5664")
            expect(alert(page, "tree-error")).to_contain_text("more than the 30 of one answer")
            expect(page.locator("#record-parts .table-name")).to_have_text(["customers", "accounts"])


# For every reader


def test_tables_take_the_lines_they_need(visit: Visit) -> None:
    """More tables than a line has room for stand on several, none cut off, and names break rather than overflow."""
    for page, lines in ((visit.open(), 2), (open_awkward(visit), 3)):
        labels = page.locator("#generate-form .choice label")
        tops = {label.bounding_box()["y"] for label in labels.all()}  # type: ignore[index]  # each is shown
        assert lines <= len(tops)
        box = page.locator("#generate-form .choice")
        assert box.evaluate(
            "box => box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight"
        )
        assert labels.evaluate_all("all => all.every((label) => label.scrollWidth <= label.clientWidth)")
    default = visit.open(below="/plans/v0.1").locator("#generate-form .choice label")
    assert 1 == len({label.bounding_box()["y"] for label in default.all()})  # type: ignore[index]  # each is shown


def test_phone_scrolls_no_page_sideways(phone_visit: Visit) -> None:
    """At 360 pixels no view of a plan with the longest names is wider than the screen."""
    page = open_awkward(phone_visit)
    wide = "document.scrollingElement.scrollWidth - innerWidth"
    choose(page, "bundle")
    generate(page)
    assert 0 >= page.evaluate(wide)
    page.get_by_role("tab", name="Tree").click()
    expect(page.locator(".panel:visible dl").first).to_be_visible()
    assert 0 >= page.evaluate(wide)
    page.locator(".panel:visible dd a").first.click()
    expect(page.locator("#record-parts dl").first).to_be_visible()
    assert 0 >= page.evaluate(wide)
    page.get_by_role("link", name="Plan").click()
    expect(page.locator("#plan-table tbody tr").first).to_be_visible()
    assert 0 >= page.evaluate(wide)


@NEEDS_AXE
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("plan", ["v0.1", "bank", "awkward"])
def test_axe_finds_no_barrier(browser: Browser, server: Server, plan: str, scheme: str) -> None:
    """axe-core finds nothing against WCAG 2.2 AA in any state of the page, in light and dark."""
    for visit in visiting(browser, server, color_scheme=scheme):
        visit.expected = {400, 404}
        bring_axe(visit.context)
        found: Json = {}
        page = visit.open(below=f"/plans/{plan}")
        found["opened"] = barriers(page)
        choose(page, "bundle")
        generate(page, records="6")
        found["table changed"] = barriers(page)
        page.get_by_role("tab", name="Tree").click()
        expect(page.locator(".panel:visible dl").first).to_be_visible()
        found["trees"] = barriers(page)
        link = page.locator(".panel:visible dd a").first.get_attribute("href")
        page.get_by_role("tab", name="JSON").click()
        found["JSON"] = barriers(page)
        page.locator("#records").fill("none")
        press_generate(page)
        expect(alert(page, "records-error")).not_to_be_empty()
        found["error"] = barriers(page)
        for place, there in ((link, "#record-parts dl"), ("#lookup/0", "#lookup-error"), ("#plan", ".plan")):
            page.evaluate("place => { location.hash = place }", place)
            expect(page.locator(there).first).to_be_visible()
            expect(page.locator(there).first).not_to_be_empty()
            found[str(place)] = barriers(page)
        assert {} == {state: what for state, what in found.items() if what}


@NEEDS_AXE
def test_axe_would_find_a_barrier(visit: Visit) -> None:
    """axe-core is at work: it finds a text that is too faint, and a field without a name."""
    bring_axe(visit.context)
    page = visit.open()
    page.evaluate("document.getElementById('summary').style.color = '#999'")
    page.evaluate("document.getElementById('key-hint').closest('form').hidden = false")
    page.evaluate("document.querySelector('label[for=key]').remove()")
    assert {"color-contrast", "label"} <= {rule for rule, *_ in barriers(page)}
