"""The API serves whatever dataset it is given: here one with other tables, fields and ids than the default."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import NEEDS_CHROMIUM, Visit, chromium
from datasets import LEDGER
from esdh_api import Settings, create_app
from esdh_api.negotiation import ROW_FORMATS
from esdh_core import DEFAULT_SEED, Dataset, Table, encode_id, generate_bundle, generate_records
from esdh_core.ids import TaggedIds
from flask.testing import FlaskClient
from msgspec import Struct, structs, to_builtins
from openapi_spec_validator import OpenAPIV31SpecValidator
from playwright.sync_api import expect
from serving import serving

TESTS = Path(__file__).parents[1]
SERVE = """
from datasets import LEDGER
from esdh_api import Settings, create_app
from esdh_api.logs import make_logger
from esdh_api.server import listen, serve, url_of
listener = listen("127.0.0.1", 0)
app = create_app(Settings(), dataset=LEDGER)
serve(app, listener, threads=2, log=make_logger(), ready=lambda: print("Listening on", url_of(listener)))
"""
EVERY_TABLE = pytest.mark.parametrize("table", LEDGER.tables, ids=lambda table: table.name)


@pytest.fixture
def ledger() -> FlaskClient:
    """A client of an app that serves the other dataset."""
    return create_app(Settings(), dataset=LEDGER).test_client()


@EVERY_TABLE
def test_table_is_generated(ledger: FlaskClient, table: Table) -> None:
    """A table's rows come as JSON under its name, with the counts of every table."""
    answer: Any = ledger.post(f"/generate/{table.name}", json={"records": 3, "start": 7, "seed": 9}).json
    assert ["metadata", table.name, "record_count", "seed", "records_requested"] == list(answer)
    assert to_builtins(generate_records(table.name, 3, 9, 7, dataset=LEDGER)) == answer[table.name]
    counts = {"record_count_suppliers": 3, "record_count_parcels": 3}
    assert counts == {name: answer["metadata"].get(name) for name in counts}


def test_bundle_is_generated(ledger: FlaskClient) -> None:
    """A bundle has every table's rows and what core says of them."""
    answer: Any = ledger.post("/generate/bundle", json={"records": 4}).json
    expected = to_builtins(generate_bundle(4, dataset=LEDGER))
    assert expected | {"seed": DEFAULT_SEED, "records_requested": 4} == answer


@EVERY_TABLE
def test_record_is_made_again(ledger: FlaskClient, table: Table) -> None:
    """An id of either table gives the whole record, a row under each table's name."""
    value = encode_id(5, table.name, 2**33 - 1, dataset=LEDGER)
    bundle = generate_bundle(1, 5, 2**33 - 1, dataset=LEDGER)
    assert ledger.get(f"/records/{value}").json == {
        "id": value,
        "seed": 5,
        "dataset_version": "ledger v1",
        "entity": table.name,
        "index": 2**33 - 1,
        "suppliers": to_builtins(bundle.suppliers[0]),
        "parcels": to_builtins(bundle.parcels[0]),
    }


def test_id_of_another_dataset_is_not_found(ledger: FlaskClient) -> None:
    """An id of the default dataset is none of this one."""
    answer = ledger.get("/records/7325de0f-b0c4-806c-8636-3e3a1bdbceb4")
    assert 404 == answer.status_code
    assert "is no id of ledger v1" in answer.text


def test_what_the_app_says_of_itself_is_the_datasets(ledger: FlaskClient) -> None:
    """Health and plan are those of the dataset, and the default's tables are at no path."""
    health: Any = ledger.get("/healthz").json
    steps = [f"{table.name}.{field}" for table in LEDGER.tables for field in table.fields]
    assert ("ledger v1", steps) == (health["dataset_version"], health["plan"]["steps"])
    assert LEDGER.plan_json == ledger.get("/plan").data
    assert 404 == ledger.post("/generate/person").status_code


def test_document_is_the_datasets(ledger: FlaskClient) -> None:
    """The OpenAPI document is valid, has the dataset's calls and schemas, and examples that are real answers."""
    document: Any = ledger.get("/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    calls = {f"/generate/{name}" for name in ("suppliers", "parcels", "bundle")}
    assert calls == {path for path in document["paths"] if path.startswith("/generate/")}
    for table in LEDGER.tables:
        schema = document["components"]["schemas"][table.record.__name__]
        assert (table.fields, table.description) == (tuple(schema["properties"]), schema["description"])
        content = document["paths"][f"/generate/{table.name}"]["post"]["responses"]["200"]["content"]
        assert {"application/json", *ROW_FORMATS} == set(content)
        asked = {"json": {"records": 1}, "headers": {"Accept": "text/csv"}}
        assert content["text/csv"]["example"] == ledger.post(f"/generate/{table.name}", **asked).text
    known = document["paths"]["/records/{id}"]["get"]["parameters"][0]
    assert "The id of a row of suppliers or a row of parcels" == known["description"]
    assert 200 == ledger.get(f"/records/{known['example']}").status_code


class Plan(Struct, frozen=True):
    """A row whose Struct has the name of one of the API's own."""

    premium: int


def test_table_may_have_the_name_of_a_schema_of_ours() -> None:
    """Where a table's Struct has the name of one of ours, the document tells the two apart."""
    table = Table("plan", Plan, "An insurance plan.")
    table.rule("premium", "The record's number")(LEDGER.tables[0].rules[3].column)
    dataset = Dataset(
        dataset_version="plans v1",
        marker="plans v1",
        reference_date=LEDGER.reference_date,
        tables=(table,),
        ids=TaggedIds("plans v1", ["plan"]),
        location="none:NONE",
    )
    document: Any = create_app(Settings(), dataset=dataset).test_client().get("/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    schemas = document["components"]["schemas"].values()
    assert {"An insurance plan.", "Everything that dataset version plans v1 generates."} <= {
        schema["description"] for schema in schemas
    }


@pytest.fixture
def visit() -> Iterator[Visit]:
    """A visit to a server process of the other dataset; the page does nothing there that it may not do."""
    command = (sys.executable, "-c", SERVE)
    with (
        serving(command=command, PYTHONPATH=str(TESTS)) as server,
        chromium() as browser,
        browser.new_context(viewport={"width": 360, "height": 740}) as context,
    ):
        visit = Visit(context, server.url)
        yield visit
        assert [] == visit.complaints


@NEEDS_CHROMIUM
def test_page_shows_the_dataset(visit: Visit) -> None:
    """The page generates either table and the bundle, draws statistics, follows a reference and shows the plan."""
    page = visit.open()
    expect(page.locator("#generate-form legend + .choice label")).to_have_text(
        ["Suppliers", "Parcels", "Bundle"]
    )
    page.get_by_role("radio", name="Bundle").check()
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.locator("#summary")).to_have_text("25 records of suppliers and parcels, records 0 to 24")
    expect(page.locator("#pictures h4")).to_have_text(
        [
            "Suppliers: countries",
            "Suppliers: employees",
            "Parcels: sent on",
            "Parcels: grams",
            "Parcels: remark",
        ]
    )
    expect(page.locator("#picture-countries .tick")).to_have_count(3)
    page.get_by_role("radio", name="Parcels").check()
    page.locator("#start").fill("40")
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.locator("#summary")).to_have_text("25 rows of parcels, records 40 to 64")
    expect(page.locator("#commands pre")).to_have_count(1)  # `esdh` makes the default dataset, not this one
    shown = page.locator(".panel:visible tbody").evaluate(
        "body => [...body.rows[0].cells].map(c => c.textContent)"
    )
    [first] = generate_records("parcels", 1, start=40, dataset=LEDGER)
    expected = ["null" if each is None else str(each) for each in structs.astuple(first)]
    assert ["40", *expected] == shown
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    assert f"parcels_ledger_v1_seed{DEFAULT_SEED}_40-64.csv" == download.value.suggested_filename
    page.get_by_role("link", name=first.sender).click()
    expect(page.locator("#record-summary")).to_have_text(f"Suppliers 40 of seed {DEFAULT_SEED}")
    expect(page.locator("#record-parts .table-name")).to_have_text(["suppliers", "parcels"])
    page.get_by_role("link", name="Plan").click()
    expect(page.locator("#plan-table tbody tr")).to_have_count(11)
    assert 0 >= page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
