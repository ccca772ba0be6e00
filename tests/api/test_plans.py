"""Plans over HTTP: rows as a snapshot's files have them, bounded by rows, and each plan below its name."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from esdh_api import Settings, SettingsError, create_app
from esdh_api.command import serve_command
from esdh_core import Dataset, Table, locate_row
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

SHOP = """\
esdh: plan/1
name: shop
version: 2
description: A shop.
reference_date: 2024-06-01
tables:
  orders:
    fields:
      order_id: {id: true}
      weight: {integer: {from: 0, to: 1000000000000000}, missing: 20%}
      dose: {decimal: {from: 0, to: 0.0000000100, scale: 10}, missing: 20%}
      price: {decimal: {from: 0, to: 10000000000000.00, scale: 2}, missing: 20%}
      near: {decimal: {from: 0, to: 9999999999999.99, scale: 2}}
      paid: {choice: {true: 1, false: 1}}
      label: {choice: {'a, "b"': 1, plain: 1}, missing: 20%}
  # Named as one of the API's own answers.
  record:
    per: orders
    count: {from: 0, to: 3}
    fields:
      order_id: parent.order_id
      number: k + 1
"""
MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
RECORDS = 40


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan file with numbers that JSON readers would round, and small decimals."""
    path = tmp_path_factory.mktemp("plans") / "shop.yaml"
    path.write_text(SHOP, encoding="utf-8")
    return path


@pytest.fixture
def client(shop: Path) -> FlaskClient:
    """A client of an app that serves bank first, then the shop and the default dataset."""
    return create_app(Settings(plans=("bank", str(shop), "v0.1"))).test_client()


@pytest.fixture(scope="module", params=["bank", "shop"])
def snapshot(
    request: pytest.FixtureRequest, shop: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dataset, Path]:
    """A plan's dataset and a snapshot of it, in every text format."""
    dataset = load_plan("bank" if request.param == "bank" else shop)
    folder = tmp_path_factory.mktemp("snapshot") / "s"
    asked = SnapshotRequest(records=RECORDS, formats=("csv", "json", "ndjson"), dataset=dataset)
    write_snapshot(folder, asked)
    return dataset, folder


def name_of(dataset: Dataset) -> str:
    """Return a dataset's name, and the slug of its files."""
    return dataset.dataset_version.partition(" ")[0]


def slug(table: Table, dataset: Dataset) -> str:
    """Return the stem of a table's file."""
    return f"{table.name}_{dataset.dataset_version.replace(' ', '_')}"


@pytest.mark.parametrize("form", MEDIA_TYPES)
def test_rows_are_the_files(client: FlaskClient, snapshot: tuple[Dataset, Path], form: str) -> None:
    """The records of a snapshot, asked for in a file's form, are that file; a fixed table comes whole."""
    dataset, folder = snapshot
    for table in dataset.tables:
        answer = client.post(
            f"/plans/{name_of(dataset)}/generate/{table.name}",
            json={"records": RECORDS},
            headers={"Accept": MEDIA_TYPES[form]},
        )
        assert (folder / f"{slug(table, dataset)}.{form}").read_bytes() == answer.data


def test_json_rows_are_the_lines_of_a_file(client: FlaskClient, snapshot: tuple[Dataset, Path]) -> None:
    """The rows of a JSON answer are the bytes of a snapshot's NDJSON, alone and in a bundle."""
    dataset, folder = snapshot
    prefix = f"/plans/{name_of(dataset)}/generate"
    bundle = client.post(f"{prefix}/bundle", json={"records": RECORDS}).data
    for table in dataset.tables:
        lines = (folder / f"{slug(table, dataset)}.ndjson").read_bytes().splitlines()
        expected = b'"%s":[%s]' % (table.name.encode(), b",".join(lines))
        alone = client.post(f"{prefix}/{table.name}", json={"records": RECORDS})
        assert expected in bundle
        assert expected in alone.data
        assert len(lines) == alone.get_json()["record_count"]


def test_records_count_roots_and_metadata_counts_rows(client: FlaskClient) -> None:
    """`records` and `start` count root rows; record_count and metadata count rows, of every table."""
    answers: Any = {
        name: client.post(f"/generate/{name}", json={"records": 3, "start": 5}).json
        for name in ("merchants", "customers", "accounts", "transactions", "bundle")
    }
    columns = load_plan("bank").columns(5, 3)
    rows = {name: len(next(iter(each.values()))) for name, each in columns.items()}
    assert (500, 3) == (rows["merchants"], rows["customers"])
    for name, answer in answers.items():
        assert rows == {each: answer["metadata"][f"record_count_{each}"] for each in rows}
        assert 3 == answer["records_requested"]
        if name != "bundle":
            assert rows[name] == answer["record_count"] == len(answer[name])


@pytest.mark.parametrize(
    ("call", "limit", "message"),
    [
        (
            "transactions",
            10_000,
            "'records' is 1000, for which 28800 rows of transactions are to be expected, more than the 10000 of one "
            "answer; at most 347 would be within that: ask for further windows with 'start', or take a snapshot",
        ),
        (
            "bundle",
            10_000,
            "'records' is 1000, for which 32700 rows of all tables are to be expected, more than the 10000 of one "
            "answer; at most 295 would be within that: ask for further windows with 'start', or take a snapshot",
        ),
        (
            "merchants",
            499,
            "'records' is 1000, for which 500 rows of merchants are to be expected, more than the 499 of one answer; "
            "the table is fixed and comes whole: take a snapshot",
        ),
        (
            "bundle",
            505,
            "'records' is 1000, for which 32700 rows of all tables are to be expected, more than the 505 of one answer; "
            "not even one record is within that beside the fixed tables: take a snapshot",
        ),
    ],
)
def test_too_many_rows_are_refused(call: str, limit: int, message: str) -> None:
    """An answer that is expected to have more rows than the limit is refused, and the sentence says what would do."""
    client = create_app(Settings(max_rows=limit, plans=("bank",))).test_client()
    answer = client.post(f"/generate/{call}", json={"records": 1000})
    assert (400, {"error": {"code": "invalid_request", "message": message}}) == (
        answer.status_code,
        answer.json,
    )


@pytest.mark.parametrize(("call", "records"), [("transactions", 347), ("bundle", 295)])
def test_what_would_be_within_is_answered(client: FlaskClient, call: str, records: int) -> None:
    """The number of records that a refusal names is answered, and one more is not."""
    assert 200 == client.post(f"/generate/{call}", json={"records": records}).status_code
    assert 400 == client.post(f"/generate/{call}", json={"records": records + 1}).status_code


def test_rows_of_the_default_dataset_are_bounded_by_records_alone() -> None:
    """The limit on rows is for plans: each record of the default dataset has one row of every table."""
    client = create_app(Settings(max_rows=1)).test_client()
    assert 200 == client.post("/generate/bundle", json={"records": 5}).status_code


def test_records_past_a_capacity_are_refused(tmp_path: Path) -> None:
    """A window that a plan has no room for is the client's mistake, and the message says which field is full."""
    plan = tmp_path / "few.yaml"
    fields = "    fields:\n      code: {pattern: '[A-C]', unique: true}\n"
    text = SHOP.partition("tables:")[0].replace("name: shop", "name: few") + f"tables:\n  few:\n{fields}"
    plan.write_text(text, encoding="utf-8")
    answer = create_app(Settings(plans=(str(plan),))).test_client().post("/generate/few", json={"start": 2})
    error: Any = answer.json
    assert (400, "invalid_request") == (answer.status_code, error["error"]["code"])
    assert "few.code" in error["error"]["message"]


def test_row_behind_an_id(client: FlaskClient) -> None:
    """An id of any dataset that is served gives its row, the rows above it and what the id says."""
    first: Any = client.post("/generate/bundle", json={"records": 1}).json
    transaction = first["transactions"][1]
    located = locate_row(load_plan("bank"), transaction["transaction_id"])
    expected = {
        "id": transaction["transaction_id"],
        "seed": 20240601,
        "dataset_version": "bank v1",
        "table": "transactions",
        "slot": located.origin.index,
        "row": transaction,
        "parents": {
            "accounts": next(
                each for each in first["accounts"] if each["account_id"] == transaction["account_id"]
            ),
            "customers": first["customers"][0],
        },
    }
    for path in ("/records", "/plans/bank/records"):
        answer = client.get(f"{path}/{transaction['transaction_id']}")
        assert (200, expected) == (answer.status_code, answer.json)
        assert list(expected) == list(answer.get_json())
    order = client.post("/plans/shop/generate/orders", json={"records": 1}).get_json()["orders"][0]
    found = client.get(f"/records/{order['order_id']}").get_json()
    assert ("shop v2", "orders", order, {}) == tuple(
        found[key] for key in ("dataset_version", "table", "row", "parents")
    )
    known = "7325de0f-b0c4-806c-8636-3e3a1bdbceb4"
    assert (
        create_app(Settings()).test_client().get(f"/records/{known}").data
        == client.get(f"/records/{known}").data
    )


def below(node: Any) -> Iterator[Any]:
    """Yield a row of a tree and all rows below it, each before those below it."""
    yield node
    for rows in node["below"].values():
        for row in rows:
            yield from below(row)


def test_trees_are_the_bundle(client: FlaskClient) -> None:
    """Whole records have the rows of the bundle, but of no fixed table, each below the row that it belongs to."""
    asked = {"records": 4, "start": 30, "seed": 7}
    answer = client.post("/generate/record-trees", json=asked).get_json()
    bundle = client.post("/generate/bundle", json=asked).get_json()
    assert ["metadata", "records", "seed", "records_requested"] == list(answer)
    assert (7, 4) == (answer["seed"], answer["records_requested"])
    nodes = [node for root in answer["records"] for node in below(root)]
    for table in ("customers", "accounts", "transactions"):
        rows = [node["row"] for node in nodes if node["table"] == table]
        assert bundle[table] == rows
        assert len(rows) == answer["metadata"][f"record_count_{table}"]
    assert {"customers", "accounts", "transactions"} == {node["table"] for node in nodes}
    assert "record_count_merchants" not in answer["metadata"]
    for node in nodes:
        for account in node["below"].get("accounts", []):
            assert node["row"]["customer_id"] == account["row"]["customer_id"]
        for transaction in node["below"].get("transactions", []):
            assert node["row"]["account_id"] == transaction["row"]["account_id"]
    assert all(list(node["below"]) == ["accounts"] for node in answer["records"])


def test_each_row_of_a_tree_has_its_id(client: FlaskClient) -> None:
    """The id and slot of each row of a tree lead to that row, also where no field of its table holds an id."""
    answer = client.post("/plans/shop/generate/record-trees", json={"records": 5}).get_json()
    nodes = [node for root in answer["records"] for node in below(root)]
    assert {"orders", "record"} == {node["table"] for node in nodes}
    for node in nodes:
        found = client.get(f"/records/{node['id']}").get_json()
        assert {key: node[key] for key in ("table", "slot", "row")} == {
            key: found[key] for key in ("table", "slot", "row")
        }


def test_trees_keep_the_digits_of_the_files(client: FlaskClient, snapshot: tuple[Dataset, Path]) -> None:
    """The rows of trees are written as a snapshot's NDJSON writes them."""
    dataset, folder = snapshot
    answer = client.post(f"/plans/{name_of(dataset)}/generate/record-trees", json={"records": RECORDS}).data
    for table in dataset.tables:
        for line in (folder / f"{slug(table, dataset)}.ndjson").read_bytes().splitlines():
            assert table.is_fixed or b'"row":%s,' % line in answer


def test_too_many_rows_of_trees_are_refused() -> None:
    """Trees that are expected to have more rows than the limit are refused; fixed tables don't count."""
    client = create_app(Settings(max_rows=330, plans=("bank",))).test_client()
    assert 200 == client.post("/generate/record-trees", json={"records": 10}).status_code
    answer = client.post("/generate/record-trees", json={"records": 11})
    assert 400 == answer.status_code
    assert "at most 10 would be within that" in answer.text


def test_default_dataset_has_no_trees(client: FlaskClient) -> None:
    """A dataset with one row of each table a record has no trees: the rows of one number are the record."""
    assert 404 == client.post("/plans/v0.1/generate/record-trees").status_code


def test_record_is_what_the_command_says(client: FlaskClient) -> None:
    """The answer to an id is, byte for byte, the record of `esdh reproduce --json`."""
    value = client.post("/generate/accounts", json={"records": 1}).get_json()["accounts"][0]["account_id"]
    command = [sys.executable, "-m", "esdh_cli", "reproduce", "--json", "--plan", "bank", value]
    printed = subprocess.run(command, capture_output=True, check=True).stdout
    assert client.get(f"/records/{value}").data in printed


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("abc", "is not an ESDH id"),
        ("7325de0f-b0c4-806c-8636-3e3a1bdbceb5", "no dataset that is served here (bank v1, shop v2, v0.1)"),
    ],
)
def test_id_of_no_dataset_is_not_found(client: FlaskClient, value: str, reason: str) -> None:
    """An id of none of the datasets is 404, and the message names those that are served."""
    answer = client.get(f"/records/{value}")
    assert 404 == answer.status_code
    assert reason in answer.text


def test_id_of_another_plan_says_what_it_needs(shop: Path) -> None:
    """An id whose plan isn't served tells its seed, its table's tag and its slot."""
    client = create_app(Settings(plans=(str(shop), "v0.1"))).test_client()
    message = client.get("/records/3f2f9d23-be71-80e2-9d6d-9ce1862c5664").get_json()["error"]["message"]
    assert "of a plan it would be of seed 20240601, of the table with tag " in message


@pytest.mark.parametrize("prefix", ["", "/plans/bank", "/plans/shop", "/plans/v0.1"])
def test_document_describes_the_answers(client: FlaskClient, prefix: str) -> None:
    """The OpenAPI document of every dataset is valid, and its schemas hold for rows, bundles and records."""
    document: Any = client.get(f"{prefix}/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    operations = [call["operationId"] for path in document["paths"].values() for call in path.values()]
    assert len(set(operations)) == len(operations)

    def check(call: dict[str, Any], answer: Any) -> None:
        schema = call["responses"]["200"]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": document["components"]}).validate(answer)

    calls = [path for path in document["paths"] if "/generate/" in path]
    assert calls
    for path in calls:
        answer = client.post(f"{prefix}{path}", json={"records": 20})
        check(document["paths"][path]["post"], answer.json)
    for path in (each for each in document["paths"] if "/records/" in each):
        call = document["paths"][path]["get"]
        check(call, client.get(f"{prefix}{path}".replace("{id}", call["parameters"][0]["example"])).json)


def test_first_plan_is_the_apps_own(client: FlaskClient) -> None:
    """The first plan answers without its name, as it does with it; the others only with theirs."""
    bank, default = load_plan("bank"), create_app(Settings()).test_client()
    assert bank.plan_json == client.get("/plan").data == client.get("/plans/bank/plan").data
    assert "bank v1" == client.get("/healthz").get_json()["dataset_version"]
    assert default.get("/plan").data == client.get("/plans/v0.1/plan").data
    assert default.post("/generate/bundle").data == client.post("/plans/v0.1/generate/bundle").data
    for path in ("/generate/orders", "/plans/other/generate/orders"):
        assert 404 == client.post(path).status_code


def test_tables_of_like_names_are_described_apart(tmp_path: Path) -> None:
    """Tables whose names differ in underscores alone have schemas of their own."""
    tables = "  a_b: {fields: {one: {id: true}}}\n  a__b: {per: a_b, fields: {other: {value: 1}}}\n"
    path = tmp_path / "like.yaml"
    path.write_text(f"{SHOP.partition('tables:')[0]}tables:\n{tables}", encoding="utf-8")
    document = create_app(Settings(plans=(str(path),))).test_client().get("/openapi.json").get_json()
    OpenAPIV31SpecValidator(document).validate()
    schemas = document["components"]["schemas"]
    assert ["one", "other"] == [next(iter(schemas[name]["properties"])) for name in ("AB", "A_B")]


@pytest.mark.parametrize("path", ["/generate/orders", "/plans/shop/generate/orders"])
def test_key_guards_plans(shop: Path, path: str) -> None:
    """Where there is a key, the rows of a plan need it by every path; its plan doesn't."""
    client = create_app(Settings(api_key="secret", plans=(str(shop),))).test_client()
    assert 401 == client.post(path).status_code
    assert 200 == client.post(path, headers={"X-API-Key": "secret"}).status_code
    assert 401 == client.get("/plans/shop/records/abc").status_code
    assert 200 == client.get("/plans/shop/plan").status_code


def test_environment_names_plans(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ESDH_PLAN names what is served, several as in PATH, and ESDH_MAX_ROWS bounds it."""
    monkeypatch.setenv("ESDH_PLAN", f"bank:{shop}")
    monkeypatch.setenv("ESDH_MAX_ROWS", "20")
    assert Settings(max_rows=20, plans=("bank", str(shop))) == Settings.from_environment()
    client = create_app().test_client()
    assert 400 == client.post("/generate/customers", json={"records": 21}).status_code
    assert 200 == client.post("/plans/shop/generate/orders", json={"records": 20}).status_code


def test_snapshot_is_served(client: FlaskClient, snapshot: tuple[Dataset, Path]) -> None:
    """The folder of a snapshot is a plan like another: its recipe is all that is read."""
    dataset, folder = snapshot
    served = create_app(Settings(plans=(str(folder),))).test_client()
    table = dataset.root.name
    expected = client.post(f"/plans/{name_of(dataset)}/generate/{table}")
    assert expected.data == served.post(f"/generate/{table}").data


def run(*args: str) -> tuple[int, str]:
    """Return the exit status and the stderr of a server that doesn't start."""
    from click.testing import CliRunner

    # A fault that isn't told fails the test at once; a server would run on.
    with patch("esdh_api.server.listen", side_effect=AssertionError("the server starts")):
        result = CliRunner().invoke(serve_command, list(args), prog_name="esdh serve")
    assert "" == result.stdout
    return result.exit_code, result.stderr


def test_plan_that_cannot_be_served_stops_the_start(shop: Path, tmp_path: Path) -> None:
    """A plan that isn't there or is wrong, a folder that is no snapshot, and two of one name are told before a start."""
    status, message = run("--plan", "bnak")
    assert (2, True) == (status, message.startswith("bnak: ")), message
    assert "did you mean 'bank'?" in message
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(SHOP.replace("count: {from: 0, to: 3}", "cuont: 3"), encoding="utf-8")
    status, message = run("--plan", str(wrong))
    assert (2, True) == (status, message.startswith(f"{wrong}, line ")), message
    status, message = run("--plan", str(tmp_path))
    assert (1, True) == (status, "is no snapshot" in message), message
    status, message = run("--plan", str(shop), "--plan", "bank", "--plan", str(shop))
    assert (2, True) == (status, "both have the name 'shop'" in message), message


def test_limit_on_rows_is_checked() -> None:
    """A limit on rows that is no positive integer stops the start with its name and value."""
    with pytest.raises(SettingsError, match="ESDH_MAX_ROWS is '0', not an integer from 1"):
        Settings.from_environment({"ESDH_MAX_ROWS": "0"})


def test_plans_are_imported_when_they_are_asked_for() -> None:
    """A server of the default dataset imports nothing of esdh-plan."""
    script = (
        "import json, sys; from esdh_api import Settings, create_app\n"
        "def loaded(): return any(each.startswith('esdh_plan') for each in sys.modules)\n"
        "create_app(Settings()).test_client().get('/openapi.json'); before = loaded()\n"
        "create_app(Settings(plans=('bank',))); print(json.dumps([before, loaded()]))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout
    assert [False, True] == json.loads(printed)
