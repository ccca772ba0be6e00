"""The demo page in a real Chromium, on a real server process."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browser import (
    NEEDS_CHROMIUM,
    Visit,
    alert,
    answer_of,
    cells,
    command,
    generate,
    press_generate,
    visiting,
)
from esdh_core import (
    DEFAULT_DATASET,
    DEFAULT_SEED,
    MAX_RECORDS,
    encode_id,
    generate_bundle,
    reproduce_record,
)
from playwright.sync_api import Browser, Locator, Page, Route, expect
from serving import Server, serving

pytestmark = NEEDS_CHROMIUM

KEY = "clé ключ"  # beyond ASCII and beyond Latin-1
RECORDS = 25  # what the form asks for at first
VEHICLE_0 = encode_id(DEFAULT_SEED, "vehicle", 0)
PROFILE_9 = encode_id(5, "profile", 9)

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def open_server() -> Iterator[Server]:
    """A server without a key."""
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def locked_server() -> Iterator[Server]:
    """A server that asks for KEY."""
    with serving(ESDH_API_KEY=KEY) as server:
        yield server


@pytest.fixture
def visit(browser: Browser, open_server: Server) -> Iterator[Visit]:
    """A visit to the open server, allowed to use the clipboard."""
    yield from visiting(browser, open_server, permissions=["clipboard-read", "clipboard-write"])


@pytest.fixture
def locked_visit(browser: Browser, locked_server: Server) -> Iterator[Visit]:
    """A visit to the server with a key."""
    yield from visiting(browser, locked_server)


@pytest.fixture
def phone_visit(browser: Browser, open_server: Server) -> Iterator[Visit]:
    """A visit to the open server on the narrowest phone."""
    yield from visiting(browser, open_server, viewport={"width": 360, "height": 740}, has_touch=True)


@pytest.fixture(params=["light", "dark"])
def coloured_visit(request: pytest.FixtureRequest, browser: Browser, open_server: Server) -> Iterator[Visit]:
    """A visit to the open server by a reader who prefers light, then dark."""
    yield from visiting(browser, open_server, color_scheme=request.param)


def texts(rows: list[Any], start: int = 0) -> list[list[str]]:
    """Return rows of Structs as the table shows them."""
    return [
        [str(number), *("null" if value is None else str(value) for value in msgspec.structs.astuple(row))]
        for number, row in enumerate(rows, start)
    ]


def facts(details: Locator) -> dict[str, str | None]:
    """Return the fields of a row in a tree, null as None."""
    listed = details.locator("> .branch > dl")
    expect(listed).to_have_count(1)  # a branch is filled by an event that comes after the click
    names, values = listed.locator("dt").all_text_contents(), listed.locator("dd").all_text_contents()
    return {name: None if value == "null" else value for name, value in zip(names, values, strict=True)}


# Generate


def test_page_opens_with_rows_and_pictures(visit: Visit) -> None:
    """The page opens with the first records of the root table and pictures of them, before anything is pressed."""
    page = visit.open()
    assert texts(generate_bundle(RECORDS).persons) == cells(page)
    expect(page.locator("#pictures h4")).to_have_text(["Ages", "States", "Lines of business"])
    expect(page.locator("#empty")).to_be_hidden()
    assert 1 == len([url for url in visit.requested if "/generate/" in url])


def test_page_opens_with_no_more_than_there_may_be(browser: Browser) -> None:
    """Where fewer records are allowed than the page opens with, it opens with those."""
    with serving(ESDH_MAX_RECORDS="3") as server:
        for visit in visiting(browser, server):
            page = visit.open()
            assert texts(generate_bundle(3).persons) == cells(page)
            expect(page.locator("#records-hint")).to_have_text("1 to 3")


def test_another_view_asks_for_no_rows_until_it_is_left(visit: Visit) -> None:
    """A page that is opened at another view asks for rows when theirs is first shown."""
    page = visit.open("#plan")
    assert not [url for url in visit.requested if "/generate/" in url]
    page.get_by_role("link", name="Generate").click()
    expect(page.locator("#summary")).to_have_text(f"{RECORDS} persons, records 0 to {RECORDS - 1}")


def test_page_that_loses_its_server_says_so(visit: Visit) -> None:
    """Where the first rows don't come, the page says why and that there are none."""
    visit.expected = {500}
    page = visit.context.new_page()
    page.route("**/generate/*", lambda route: route.fulfill(status=500, body="{}"))
    page.goto(f"{visit.address}/demo")
    expect(alert(page, "generate-error")).to_contain_text("500")
    expect(page.locator("#empty")).to_contain_text("There are no rows to show.")


def test_first_press_shows_the_default_records(visit: Visit) -> None:
    """Generate, pressed without a choice, shows the first persons of the default seed, value for value."""
    page = visit.open()
    generate(page)
    persons = generate_bundle(RECORDS).persons
    assert texts(persons) == cells(page)
    assert sum(person.address_line_2 is None for person in persons) == page.locator(".rows .null").count()
    assert str(DEFAULT_SEED) == page.locator("#effective-seed").inner_text()
    expect(page.locator("#summary")).to_have_text(f"{RECORDS} persons, records 0 to {RECORDS - 1}")


def test_page_says_that_its_data_is_synthetic(visit: Visit) -> None:
    """The head of the page says that all data is synthetic, with the app's and the data's version."""
    head = visit.open().get_by_role("banner")
    expect(head).to_contain_text("All data is synthetic")
    expect(head).to_contain_text(f"dataset version {DEFAULT_DATASET.plan.dataset_version}")


@pytest.mark.parametrize("entity", ["vehicle", "profile"])
def test_another_entity_replaces_the_rows(visit: Visit, entity: str) -> None:
    """After a switch of the entity its rows take the place of the others."""
    page = visit.open()
    generate(page)
    page.get_by_role("radio", name=entity.capitalize()).check()
    generate(page, records="7", start="3", seed="11")
    bundle = generate_bundle(7, 11, 3)
    assert texts(getattr(bundle, f"{entity}s"), 3) == cells(page)


def test_bundle_shows_each_entity_in_a_tab(visit: Visit) -> None:
    """The bundle's tabs, moved by arrow keys, show each entity's rows, and last the JSON."""
    page = visit.open()
    page.get_by_role("radio", name="Bundle").check()
    generate(page, records="4")
    bundle = generate_bundle(4)
    page.get_by_role("tab", name="Persons").focus()
    for rows in (bundle.persons, bundle.vehicles, bundle.profiles):
        assert texts(rows) == cells(page)
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")  # past the tree
    shown = json.loads(page.locator("#json").inner_text())
    assert msgspec.to_builtins(bundle.profiles) == shown["profiles"]
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Persons")).to_be_focused()


def test_tree_nests_the_rows_of_a_record(visit: Visit) -> None:
    """The tree lists the records shown; each opens on its root row, in which the other rows are nested."""
    page = visit.open()
    generate(page, records="3", start="40")
    page.get_by_role("tab", name="Tree").click()
    records = page.locator(".panel:visible > .tree > li")
    expect(records).to_have_count(3)
    records.nth(2).locator("summary").first.click()
    root = records.nth(2).locator(".tree > li > details")
    bundle = msgspec.to_builtins(generate_bundle(1, start=42))
    assert bundle["persons"][0] == facts(root)
    for place, name in enumerate(("vehicles", "profiles")):
        below = facts(root.locator("> .branch > ul > li > details").nth(place))
        assert {
            key: value if value is None else str(value) for key, value in bundle[name][0].items()
        } == below


def test_random_seed_can_be_kept(visit: Visit) -> None:
    """A random seed is shown, differs each time, and gives the same rows when it is kept."""
    page = visit.open()
    page.get_by_label("Draw a random seed").check()
    expect(page.locator("#seed")).to_be_disabled()
    seeds, rows = [], []
    for _ in range(2):
        generate(page)
        seeds.append(page.locator("#effective-seed").inner_text())
        rows.append(cells(page))
    assert 3 == len({str(DEFAULT_SEED), *seeds})
    page.get_by_role("button", name="Keep this seed").click()
    generate(page)
    assert seeds[1] == page.locator("#effective-seed").inner_text() == page.locator("#seed").input_value()
    assert rows[0] != rows[1] == cells(page) == texts(generate_bundle(RECORDS, int(seeds[1])).persons)


def test_seed_is_copied(visit: Visit) -> None:
    """The button beside the effective seed puts it on the clipboard and says so."""
    page = visit.open()
    generate(page, seed="77")
    page.get_by_role("button", name="Copy the seed").click()
    expect(page.locator("#said")).to_have_text("Copied")
    assert "77" == page.evaluate("navigator.clipboard.readText()")


def test_copying_works_without_the_clipboard_api(visit: Visit) -> None:
    """Where a page has no clipboard API, as on plain HTTP from another machine, copying works as well."""
    visit.context.add_init_script("delete Navigator.prototype.clipboard")
    page = visit.open()
    generate(page, seed="78")
    page.get_by_role("button", name="Copy the seed").click()
    expect(page.get_by_role("button", name="Copy the seed")).to_be_focused()
    page.locator("#records").fill("")
    page.locator("#records").press("ControlOrMeta+v")
    expect(page.locator("#records")).to_have_value("78")


@pytest.mark.parametrize(
    ("form", "accept", "ending"),
    [
        ("CSV", "text/csv", "csv"),
        ("NDJSON", "application/x-ndjson", "ndjson"),
        ("JSON", "application/json", "json"),
    ],
)
def test_download_has_the_bytes_of_the_answer(visit: Visit, form: str, accept: str, ending: str) -> None:
    """A downloaded file has the API's bytes and a name that tells what is in it."""
    page = visit.open()
    generate(page, records="30", start="8")
    with page.expect_download() as download:
        page.get_by_role("button", name=form, exact=True).click()
    body = {"records": 30, "start": 8, "seed": DEFAULT_SEED}
    assert answer_of(visit.address, "/generate/person", accept, body) == download.value.path().read_bytes()
    assert f"persons_v0_1_seed{DEFAULT_SEED}_8-37.{ending}" == download.value.suggested_filename


def test_download_of_a_random_seed_has_the_rows_shown(visit: Visit) -> None:
    """Rows of a random seed are downloaded with that seed, not with a new one."""
    page = visit.open()
    page.get_by_label("Draw a random seed").check()
    generate(page)
    seed = int(page.locator("#effective-seed").inner_text())
    with page.expect_download() as download:
        page.get_by_role("button", name="NDJSON").click()
    expected = msgspec.json.Encoder().encode_lines(generate_bundle(RECORDS, seed).persons)
    assert expected == download.value.path().read_bytes()


def test_bundle_downloads_as_json_alone(visit: Visit) -> None:
    """The bundle has no row form: JSON is its one file, with the API's bytes."""
    page = visit.open()
    page.get_by_role("radio", name="Bundle").check()
    generate(page, records="2")
    expect(page.locator("#downloads button")).to_have_text(["JSON"])
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON", exact=True).click()
    body = {"records": 2, "seed": DEFAULT_SEED}
    expected = answer_of(visit.address, "/generate/bundle", "application/json", body)
    assert expected == download.value.path().read_bytes()
    assert f"bundle_v0_1_seed{DEFAULT_SEED}_0-1.json" == download.value.suggested_filename


def test_snapshot_command_writes_the_rows(visit: Visit, tmp_path: Path) -> None:
    """The esdh command, run in a shell as shown, writes the file that the page downloads."""
    page = visit.open()
    page.get_by_role("radio", name="Vehicles").check()
    generate(page, seed="42")
    shown = command(page, "A snapshot of these records, as files")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", "-c", shown], cwd=tmp_path, env=os.environ | {"PATH": path}, check=True)
    body = {"records": RECORDS, "seed": 42}
    expected = answer_of(visit.address, "/generate/vehicle", "text/csv", body)
    assert expected == next(tmp_path.rglob("vehicles_v0_1.csv")).read_bytes()


def test_window_past_the_start_is_told_by_ids(visit: Visit) -> None:
    """A window that no snapshot starts with is made again by `esdh reproduce` and the ids of its rows."""
    page = visit.open()
    generate(page, records="3", start="1000", seed="9")
    shown = shlex.split(command(page, "These records, by id").replace("\\\n", " "))
    expected = [encode_id(9, "person", index) for index in (1000, 1001, 1002)]
    assert ["esdh", "reproduce", *expected] == shown


def test_pictures_count_the_rows(visit: Visit) -> None:
    """Each picture has a title and a text with the counts of the rows, and a mark for what is declared."""
    page = visit.open()
    page.get_by_role("radio", name="Bundle").check()
    generate(page, records="200")
    bundle = generate_bundle(200)
    pictures = {
        picture.locator("title").text_content(): picture.locator("desc").text_content() or ""
        for picture in page.locator("#pictures svg").all()
    }
    titles = ["Ages", "States", "Makes", "Model years", "Lines of business", "Risk ratings"]
    assert [f"{title} of 200 records" for title in titles] == list(pictures)
    assert {200} == {sum(map(int, re.findall(r": (\d+)", told))) for told in pictures.values()}
    states = Counter(person.state for person in bundle.persons)
    assert (
        ", ".join(f"{state}: {n}" for state, n in states.most_common(3)) in pictures["States of 200 records"]
    )
    twenties = sum("1994-06-01" < each.date_of_birth.isoformat() <= "2004-06-01" for each in bundle.persons)
    assert f"20s: {twenties}," in pictures["Ages of 200 records"]
    declared = DEFAULT_DATASET.plan.entities[0].statistics
    assert [5, 2] == [
        page.locator(f"#picture-{name} .tick").count() for name in ("states", "lines_of_business")
    ], declared


# What goes wrong


WRONG_FIELDS = [
    ("records", "0", "records-error", "from 1 to 1,000"),
    ("records", "1001", "records-error", "from 1 to 1,000"),
    ("records", "1e2", "records-error", "digits only"),
    ("start", "-1", "start-field-error", "from 0"),
    ("seed", "9007199254740992", "seed-error", "from 0 to 9007199254740991"),
    ("seed", "abc", "seed-error", "digits only"),
]


def test_wrong_field_is_told_beside_it(visit: Visit) -> None:
    """A value that can't be is told beside its field, which takes the focus; nothing is asked."""
    page = visit.open()
    for field, value, place, words in WRONG_FIELDS:
        page.locator(f"#{field}").fill(value)
        press_generate(page)
        expect(alert(page, place)).to_contain_text(words)
        expect(page.locator(f"#{field}")).to_be_focused()
        expect(page.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")
        page.locator(f"#{field}").fill("1")
        expect(alert(page, place)).to_be_empty()
    assert 1 == len([url for url in visit.requested if "/generate/" in url])  # that of the opening


def test_refusal_of_the_server_is_told_beside_the_field(visit: Visit) -> None:
    """What only the server knows is wrong is told in its words, beside the field that they name."""
    visit.expected = {400}
    page = visit.open()
    page.locator("#start").fill(str(MAX_RECORDS))
    press_generate(page)
    expect(alert(page, "start-field-error")).to_contain_text("'start' + 'records' must be at most 8589934592")
    expect(page.locator("#start")).to_have_attribute("aria-invalid", "true")


def test_failure_of_the_server_is_told_at_the_button(visit: Visit) -> None:
    """A 500 is told in the server's words below the button, which is free again."""
    visit.expected = {500}
    page = visit.open()
    body = json.dumps({"error": {"code": "internal_error", "message": "the server failed; error id 4711"}})
    page.route("**/generate/*", lambda route: route.fulfill(status=500, body=body))
    press_generate(page)
    expect(alert(page, "generate-error")).to_have_text("The server failed; error id 4711.")
    expect(page.locator("#generate")).not_to_have_attribute("aria-busy", "true")


def test_answer_that_is_not_the_apis_is_told(visit: Visit) -> None:
    """A page of some proxy in place of the answer is told as such, good status or not."""
    visit.expected = {502}
    page = visit.open()
    page.route("**/generate/*", lambda route: route.fulfill(status=200, body="<p>Sign in</p>"))
    press_generate(page)
    expect(alert(page, "generate-error")).to_contain_text("not the API's JSON")
    page.unroute("**/generate/*")
    page.route("**/generate/*", lambda route: route.fulfill(status=502, body="<p>Bad gateway</p>"))
    press_generate(page)
    expect(alert(page, "generate-error")).to_contain_text("502")


def test_lost_network_is_told_and_heals(visit: Visit) -> None:
    """A server that can't be reached is told below the button; the next press works."""
    page = visit.open()
    page.route("**/generate/*", lambda route: route.abort("connectionrefused"))
    press_generate(page)
    expect(alert(page, "generate-error")).to_contain_text("can't be reached")
    assert ["net::ERR_CONNECTION_REFUSED"] == [text.rpartition(" ")[2] for text in visit.complaints]
    visit.complaints.clear()
    page.unroute("**/generate/*")
    generate(page)
    expect(alert(page, "generate-error")).to_be_empty()


def test_failed_start_can_be_tried_again(visit: Visit) -> None:
    """When the first call fails the page says so, and its button asks again."""
    visit.expected = {503}
    page = visit.context.new_page()
    page.route("**/healthz", lambda route: route.fulfill(status=503, body="{}"))
    page.goto(f"{visit.address}/demo")
    expect(alert(page, "start-error")).to_contain_text("503")
    page.unroute("**/healthz")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#start-notice")).to_be_hidden()
    expect(page.locator("#records-hint")).to_have_text("1 to 1,000")


def test_late_answer_never_replaces_a_newer_one(visit: Visit) -> None:
    """An answer that comes after a newer request was made is dropped; the button is busy in between."""
    page = visit.open()
    held: list[Route] = []
    page.route("**/generate/vehicle", lambda route: held.append(route))  # noqa: PLW0108 - Playwright marks the handler, and a method of a list can't be marked
    page.get_by_role("radio", name="Vehicles").check()
    with page.expect_request("**/generate/vehicle"):
        press_generate(page)
    expect(page.locator("#generate")).to_have_attribute("aria-busy", "true")
    page.get_by_role("radio", name="Profiles").check()
    with page.expect_event("requestfailed"):  # the older request is aborted
        generate(page)
    held[0].abort()
    assert texts(generate_bundle(RECORDS).profiles) == cells(page)
    expect(alert(page, "generate-error")).to_be_empty()


# Look up


def test_id_in_the_table_leads_to_its_record(visit: Visit) -> None:
    """An id in the table opens its record as a tree, all three rows, with what the id says; Back returns."""
    page = visit.open()
    page.get_by_role("radio", name="Vehicles").check()
    generate(page)
    page.get_by_role("link", name=VEHICLE_0).click()
    expect(page.locator("#record-summary")).to_have_text(f"Vehicle 0 of seed {DEFAULT_SEED}")
    record = reproduce_record(VEHICLE_0)
    for part in ("person", "vehicle", "profile"):
        row = page.locator("#record-parts details").filter(
            has=page.locator(f":scope > summary .table-name:text-is('{part}s')")
        )
        expected = {
            name: value if value is None else str(value)
            for name, value in msgspec.to_builtins(getattr(record, part)).items()
        }
        assert expected == facts(row.last)
    expect(page.locator("#record-parts summary[aria-current=true]")).to_contain_text("vehicles this id")
    assert f"esdh reproduce {VEHICLE_0}" == command(page, "On the command line")
    page.go_back()
    assert texts(generate_bundle(RECORDS).vehicles) == cells(page)


def test_pasted_id_is_looked_up_and_leads_on(visit: Visit) -> None:
    """A pasted id, white space around it, shows its record, and the records from there can be generated."""
    page = visit.open("#lookup")
    page.get_by_label("Id of a person").fill(f"  {PROFILE_9.upper()} ")
    page.get_by_role("button", name="Look up", exact=True).click()
    expect(page.locator("#record-summary")).to_have_text("Profile 9 of seed 5")
    page.get_by_role("button", name="Generate from here").click()
    generate(page, records="2")
    assert texts(generate_bundle(2, 5, 9).profiles, 9) == cells(page)


def test_id_in_braces_is_looked_up(visit: Visit) -> None:
    """An id as another program spells it shows its record."""
    page = visit.open("#lookup")
    for spelling in (f"{{{PROFILE_9}}}", f"urn:uuid:{PROFILE_9}", PROFILE_9.replace("-", "")):
        page.get_by_label("Id of a person").fill(spelling)
        page.get_by_role("button", name="Look up", exact=True).click()
        expect(page.locator("#record-summary")).to_have_text("Profile 9 of seed 5")
        page.get_by_label("Id of a person").fill("")
        page.get_by_role("button", name="Look up", exact=True).click()
        expect(page.locator("#record")).to_be_hidden()


def test_address_of_a_record_opens_it(visit: Visit) -> None:
    """The address of a record, passed on to somebody else, opens it."""
    page = visit.open(f"#lookup/{PROFILE_9}")
    expect(page.locator("#record-summary")).to_have_text("Profile 9 of seed 5")
    assert PROFILE_9 == page.get_by_label("Id of a person").input_value()


def test_foreign_id_shows_the_reason(visit: Visit) -> None:
    """An id that is not ours shows the API's reason beside the field, and no record."""
    visit.expected = {404}
    page = visit.open(f"#lookup/{PROFILE_9}")
    expect(page.locator("#record")).to_be_visible()
    page.get_by_label("Id of a person").fill("00000000-0000-4000-8000-000000000000")
    page.get_by_role("button", name="Look up", exact=True).click()
    expect(alert(page, "lookup-error")).to_contain_text("'00000000-0000-4000-8000-000000000000' is")
    expect(page.get_by_label("Id of a person")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#record")).to_be_hidden()


def test_text_that_is_no_id_is_not_asked(visit: Visit) -> None:
    """A text that can't be an id is told beside the field, and nothing is asked."""
    page = visit.open("#lookup")
    for text in ("", "../healthz", "Louise Crawford", "100%"):
        page.get_by_label("Id of a person").fill(text)
        expect(alert(page, "lookup-error")).to_be_empty()
        page.get_by_role("button", name="Look up", exact=True).click()
        expect(alert(page, "lookup-error")).to_contain_text("36 characters")
    assert not [url for url in visit.requested if "/records/" in url]
    assert page.url.endswith("#lookup")  # what was pasted here by mistake might be a key


# The key


def test_page_with_a_key_opens_when_it_is_given(locked_visit: Visit) -> None:
    """Where the server has a key the page says so, asks for nothing, and shows the first rows once it has the key."""
    page = locked_visit.open()
    expect(page.locator("#empty")).to_contain_text("This server asks for a key before it gives rows.")
    assert not [url for url in locked_visit.requested if "/generate/" in url]
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use key").click()
    expect(page.locator("#summary")).to_have_text(f"{RECORDS} persons, records 0 to {RECORDS - 1}")
    assert texts(generate_bundle(RECORDS).persons) == cells(page)


def test_right_key_after_a_wrong_one(locked_visit: Visit) -> None:
    """No key and a wrong key are told at the key's field; the right one repeats what was refused."""
    locked_visit.expected = {401}
    page = locked_visit.open()
    press_generate(page)
    expect(alert(page, "key-error")).to_contain_text("asks for a key")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(alert(page, "key-error")).to_contain_text("refused this key")
    expect(page.locator("#result")).to_be_hidden()
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use key").click()
    expect(page.locator("#key-state")).to_have_text("The server accepted the key.")
    expect(alert(page, "generate-error")).to_be_empty()
    assert texts(generate_bundle(RECORDS).persons) == cells(page)


def test_key_guards_look_ups_and_downloads(locked_visit: Visit) -> None:
    """With the key given once, look-ups and downloads go through as well."""
    locked_visit.expected = {401}
    page = locked_visit.open(f"#lookup/{VEHICLE_0}")
    expect(alert(page, "key-error")).to_contain_text("asks for a key")
    page.get_by_label("API key").fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#record-summary")).to_have_text(f"Vehicle 0 of seed {DEFAULT_SEED}")
    page.get_by_role("link", name="Generate").click()
    generate(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="NDJSON").click()
    assert RECORDS == len(download.value.path().read_bytes().splitlines())


def test_key_is_kept_nowhere(locked_visit: Visit, locked_server: Server) -> None:
    """The key is in no address, storage, cookie, command or log, and gone after a reload."""
    page = locked_visit.open()
    field = page.get_by_label("API key")
    assert ("password", "off") == (field.get_attribute("type"), field.get_attribute("autocomplete"))
    field.fill(KEY)
    generate(page)
    assert "X-API-Key: $ESDH_API_KEY" in command(page, "This call")
    stored = page.evaluate(
        "async () => [localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length]"
    )
    assert [0, 0, "", 0] == stored
    assert KEY not in page.content()
    assert not [url for url in locked_visit.requested if "key" in url.lower() or "%D0" in url]
    assert KEY not in str(locked_server.log())
    page.reload()
    assert "" == field.input_value()


def test_curl_command_makes_the_call(locked_visit: Visit) -> None:
    """The curl command, expanded by a shell with the key in its environment, gets the rows shown."""
    page = locked_visit.open()
    page.get_by_label("API key").fill(KEY)
    generate(page, seed="6")
    printing = 'curl() { printf "%s\\n" "$@"; }\n' + command(page, "This call")
    environment = os.environ | {"ESDH_API_KEY": KEY}
    ran = subprocess.run(["sh", "-c", printing], env=environment, capture_output=True, text=True, check=True)
    quiet, address, flag, _, key_flag, key, data, body = ran.stdout.splitlines()
    assert ("-sS", "-H", "-H", f"X-API-Key: {KEY}", "-d") == (quiet, flag, key_flag, key, data)
    base, path = address.removesuffix("/generate/person"), "/generate/person"
    sent = {"X-API-Key": KEY.encode().decode("latin-1")}
    answer = json.loads(answer_of(base, path, "application/json", json.loads(body), **sent))
    assert msgspec.to_builtins(generate_bundle(RECORDS, 6).persons) == answer["persons"]


# The plan


def test_plan_is_shown_field_by_field(visit: Visit) -> None:
    """The plan's view has every field with its type, rule, distribution and source."""
    page = visit.open("#plan")
    rows = page.get_by_role("table", name="The plan's fields").locator("tbody tr")
    fields = [(entity.name, field) for entity in DEFAULT_DATASET.plan.entities for field in entity.fields]
    expect(rows).to_have_count(len(fields))
    for row, (entity, field) in zip(rows.all_text_contents(), fields, strict=True):
        expected = [f"{entity}.{field.name}", field.type, field.rule, field.distribution, field.source]
        assert [] == [text for text in expected if text and text not in row]
    expect(page.locator("#plan-count")).to_have_text(f"{len(fields)} of {len(fields)} fields")


def test_plan_is_filtered_by_entity_and_text(visit: Visit) -> None:
    """The plan's view narrows to an entity and a text, and says when nothing is left."""
    page = visit.open("#plan")
    names = page.locator("#plan-table tbody th code")
    page.locator("#view-plan").get_by_label("Vehicles").check()
    vehicle = next(entity for entity in DEFAULT_DATASET.plan.entities if entity.name == "vehicle")
    expect(names).to_have_text([f"vehicle.{field.name}" for field in vehicle.fields])
    page.get_by_label("Find").fill("49 CFR 565.15")
    expect(names).to_have_text(["vehicle.vin"])
    page.get_by_label("Find").fill("no such thing")
    expect(page.locator("#plan-table")).to_have_text("No field has this text.")


# For every reader


def test_keyboard_alone_reaches_everything(visit: Visit) -> None:
    """By Tab alone every control comes in order with a visible ring, and Enter in a field generates."""
    page = visit.open()
    passed: list[str] = []
    while not passed or passed[-1] != "generate":
        page.keyboard.press("Tab")
        name, ring = page.evaluate("""() => {
            const { activeElement: node } = document;
            const ringed = node.type === "radio" ? node.nextElementSibling : node;
            return [node.id || node.value || node.hash, getComputedStyle(ringed).outlineStyle];
        }""")
        assert (name, "solid") == (name, ring)
        passed.append(name)
    links = ["skip", "#generate", "#lookup", "#plan"]
    assert [*links, "person", "records", "start", "seed", "randomize", "generate"] == passed
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#keep-seed")).to_be_visible()
    page.get_by_role("radio", name="Persons").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#summary")).to_have_text(f"{RECORDS} vehicles, records 0 to {RECORDS - 1}")
    page.get_by_role("tab", name="Vehicles").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("region", name="vehicles, records")).to_be_focused()


def test_skip_link_passes_the_head(visit: Visit) -> None:
    """The skip link, first in order, moves the focus to the content."""
    page = visit.open()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Persons")).to_be_focused()


def test_phone_scrolls_no_page_sideways(phone_visit: Visit) -> None:
    """At 360 pixels no view is wider than the screen; a wide table scrolls in its own box."""
    phone_visit.expected = {404}
    page = phone_visit.open()
    wide = "document.scrollingElement.scrollWidth - innerWidth"
    assert 0 >= page.evaluate(wide)
    page.get_by_role("radio", name="Bundle").check()
    generate(page, records="12", start="8000000000")
    assert 0 >= page.evaluate(wide)
    assert page.locator(".panel:visible .scroll").evaluate("box => box.scrollWidth > box.clientWidth")
    page.locator("#records").fill("none")
    press_generate(page)
    assert 0 >= page.evaluate(wide)
    for place, there in (
        (f"#lookup/{VEHICLE_0}", ".fields"),
        ("#lookup/0", "#lookup-error"),
        ("#plan", ".plan"),
    ):
        page.evaluate("place => { location.hash = place }", place)
        expect(page.locator(there).first).to_be_visible()
        expect(page.locator(there).first).not_to_be_empty()
        assert 0 >= page.evaluate(wide), place


# Every element that has text of its own, with the ratio of WCAG 2.2 between it and what is behind it.
CONTRASTS = """() => {
    const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    const behind = (node) => {
        const color = parts(getComputedStyle(node).backgroundColor);
        return color[3] === 0 ? behind(node.parentElement) : color;
    };
    const seen = [];
    for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        if (!own || !node.checkVisibility() || node.closest("title, desc, script, noscript")) continue;
        const style = getComputedStyle(node);
        const [one, other] = [light(parts(node.closest("svg") ? style.fill : style.color)), light(behind(node))];
        const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        seen.push([node.textContent.trim().slice(0, 40), ratio]);
    }
    return seen;
}"""


def test_text_is_legible_in_light_and_dark(coloured_visit: Visit) -> None:
    """Each text of each view has WCAG AA's contrast of 4.5 in the reader's colours, errors included."""
    coloured_visit.expected = {404}
    page = coloured_visit.open()
    generate(page, records="10")
    page.locator("#seed").fill("none")
    press_generate(page)
    expect(alert(page, "seed-error")).not_to_be_empty()
    seen = page.evaluate(CONTRASTS)
    for place, there in (
        (f"#lookup/{VEHICLE_0}", ".fields"),
        ("#lookup/0", "#lookup-error"),
        ("#plan", ".plan"),
    ):
        page.evaluate("place => { location.hash = place }", place)
        expect(page.locator(there).first).to_be_visible()
        expect(page.locator(there).first).not_to_be_empty()
        seen += page.evaluate(CONTRASTS)
    assert len(seen) > 300
    assert [] == [(text, ratio) for text, ratio in seen if ratio < 4.5]


def test_dark_follows_the_reader(browser: Browser, open_server: Server) -> None:
    """The page is light for a reader who prefers light, and dark for one who prefers dark."""
    grounds = []
    for scheme in ("light", "dark"):
        for visit in visiting(browser, open_server, color_scheme=scheme):
            ground = visit.open().evaluate("getComputedStyle(document.body).backgroundColor")
            grounds.append(max(map(int, re.findall(r"\d+", ground))))
    assert [True, False] == [ground > 128 for ground in grounds]
