"""Defects over HTTP: rows and labels as a snapshot has them, by the name of a list, and nothing of them without one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from defects import fitting, overlay
from esdh_api import Settings, SettingsError, create_app
from esdh_core import DEFAULT_DATASET, DEFAULT_SEED, Dataset, encode_id
from esdh_export import SnapshotRequest, write_snapshot
from esdh_plan import load_plan
from esdh_plan.defects.overlay import KINDS, OF_FILES
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
RECORDS = 40
PERSONS = [
    {"kind": "typo", "table": "persons", "field": "last_name", "rate": 0.1},
    {"kind": "missing", "table": "persons", "field": "city", "exactly": 3, "where": "state == 'WA'"},
]
SHOP = """\
esdh: plan/1
name: shop
version: 1
description: A shop with wrong weights.
reference_date: 2024-06-01
tables:
  parcels:
    fields:
      parcel_id: {id: true}
      weight: {integer: {from: 1, to: 9}}
defects:
  - {kind: wrong_type, table: parcels, field: weight, rate: 50%}
"""


def write_list(path: Path, defects: list[dict[str, Any]]) -> Path:
    """Write a list of defects to a file, as JSON, which YAML reads."""
    path.write_text(json.dumps(defects, indent=1), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=[DEFAULT_DATASET.dataset_version, "bank"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dataset, Path, FlaskClient]:
    """A dataset with every kind of defect on every field that it fits, a snapshot with them, and a client of an app."""
    folder = tmp_path_factory.mktemp("defects")
    dataset = DEFAULT_DATASET if request.param != "bank" else load_plan("bank")
    every = {
        # Of two fields that change places one defect.
        (kind, each["table"], *sorted({each.get("field", ""), each.get("with", "")})): each
        for kind in KINDS
        if kind not in OF_FILES
        for each in fitting(dataset, kind)
    }
    listed = [{**each, "name": f"d{number}", "rate": 0.3} for number, each in enumerate(every.values())]
    listed += [{**PERSONS[1], "name": "few"}] if dataset is DEFAULT_DATASET else []
    path = write_list(folder / "every.yaml", listed)
    asked = SnapshotRequest(
        records=RECORDS,
        formats=("csv", "json", "ndjson"),
        dataset=dataset,
        defects=overlay(dataset, *listed),
    )
    write_snapshot(folder / "s", asked)
    settings = Settings(plans=(request.param,), defects=(str(path),), max_rows=100_000)
    return dataset, folder / "s", create_app(settings).test_client()


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """A client of an app with one list of defects, `persons`."""
    return create_app(Settings(defects=(str(write_list(tmp_path / "persons.yaml", PERSONS)),))).test_client()


def slug(dataset: Dataset) -> str:
    """Return a dataset version as file names have it."""
    return dataset.dataset_version.replace(" ", "_").replace(".", "_")


def answer(client: FlaskClient, path: str, **body: Any) -> Any:
    """Return the JSON of a good answer to a generate call."""
    response = client.post(f"/generate/{path}", json=body)
    assert 200 == response.status_code, response.text
    return json.loads(response.data)


def without_rows(labels: list[Any]) -> list[Any]:
    """Return the labels of an answer as a snapshot has them: without the places of their rows in the answer."""
    return [{name: value for name, value in label.items() if name != "rows"} for label in labels]


def refusal(client: FlaskClient, path: str, **body: Any) -> str:
    """Return the sentence of a call that is refused."""
    response = client.post(f"/generate/{path}", json=body)
    assert 400 == response.status_code
    return str(response.get_json()["error"]["message"])


@pytest.mark.parametrize("extension", MEDIA_TYPES)
def test_wrong_rows_and_labels_are_those_of_a_snapshot(
    served: tuple[Dataset, Path, FlaskClient], extension: str
) -> None:
    """Every table's rows with defects, and their labels, have the bytes of the snapshot's file with the same list."""
    dataset, folder, client = served
    for name in [*(table.entity for table in dataset.tables), "defects"]:
        body = {"records": RECORDS, "defects": "every"}
        answer = client.post(f"/generate/{name}", json=body, headers={"Accept": MEDIA_TYPES[extension]})
        table = name if name == "defects" else dataset.table(name).name
        assert (folder / f"{table}_{slug(dataset)}.{extension}").read_bytes() == answer.data, name
        assert "every" == answer.headers["X-ESDH-Defects"]


def test_bundle_with_defects_is_a_snapshots_document(served: tuple[Dataset, Path, FlaskClient]) -> None:
    """The rows of a bundle with defects, to each digit, and all labels are those of the snapshot's JSON document."""
    dataset, folder, client = served
    document = json.loads((folder / f"dataset_{slug(dataset)}.json").read_text("utf-8"), parse_float=str)
    response = client.post("/generate/bundle", json={"records": RECORDS, "defects": "every"})
    bundle = json.loads(response.data, parse_float=str)
    for table in dataset.tables:
        assert document[table.name] == bundle[table.name], table.name
    assert document["defects"] == without_rows(bundle["defects"])
    assert document["metadata"] == bundle["metadata"]


def near(dataset: Dataset, slot: int) -> int:
    """Return the slot of the root's row that a row of it is, or is a second one of."""
    return min(slot, dataset.max_records - 1 - slot)


def test_windows_hold_what_the_whole_holds(served: tuple[Dataset, Path, FlaskClient]) -> None:
    """Windows that follow each other have the labels of the whole, each once, and its rows but for those that moved past their ends."""
    dataset, _, client = served
    root = dataset.root
    whole = answer(client, root.entity, records=RECORDS, defects="every")
    parts = [
        answer(client, root.entity, records=10, start=start, defects="every")
        for start in range(0, RECORDS, 10)
    ]
    assert without_rows(whole["defects"]) == [
        label for part in parts for label in without_rows(part["defects"])
    ]
    rows = [row for part in parts for row in part[root.name]]
    assert sorted(map(json.dumps, whole[root.name])) == sorted(map(json.dumps, rows))


def test_labels_of_an_answer_are_of_its_rows(served: tuple[Dataset, Path, FlaskClient]) -> None:
    """A table's answer has that table's labels alone, and each says where its row stands and what stands in the cell there."""
    dataset, _, client = served
    for table in dataset.tables:
        wrong = answer(client, table.entity, records=RECORDS, defects="every")
        assert {table.name} == {label["table"] for label in wrong["defects"]}
        absent = {label["slot"] for label in wrong["defects"] if label["kind"] == "missing_row"}
        for label in wrong["defects"]:
            assert (label["slot"] in absent) == (not label["rows"])
            assert label["kind"] != "duplicate_row" or label["slot"] in absent or len(label["rows"]) > 1
            for place in label["rows"] if label["field"] else []:
                assert same(label["found"], wrong[table.name][place][label["field"]])


def same(found: str | None, value: Any) -> bool:
    """Return whether a label's text is that of a value of JSON."""
    if value is None or isinstance(value, str):
        return found == value
    return (found or "").rstrip("0").rstrip(".") == str(value).lower().rstrip("0").rstrip(".")


def test_rows_are_clean_unless_defects_are_asked_for(client: FlaskClient) -> None:
    """Whatever was asked for before, an answer without `defects` has the bytes of a server without any."""
    without = create_app(Settings()).test_client()
    for _ in range(2):
        answer(client, "person", records=30, defects="persons")
        for path in ("person", "bundle"):
            sent = {"records": 30}
            assert (
                without.post(f"/generate/{path}", json=sent).data
                == client.post(f"/generate/{path}", json=sent).data
            )
    assert "X-ESDH-Defects" not in client.post("/generate/person").headers


def test_server_without_defects_says_nothing_of_them() -> None:
    """Without lists the document has no word of defects, and there is no call for labels."""
    without = create_app(Settings()).test_client()
    assert b"defects" not in without.get("/openapi.json").data
    assert 404 == without.post("/generate/defects").status_code
    sentence = refusal(without, "person", defects="persons")
    assert (
        "'defects' is 'persons', and this dataset is served without any; start the server with --defects FILE"
        == sentence
    )


@pytest.mark.parametrize("name", ["person", 3, None, ["persons"], ""])
def test_unknown_list_is_refused_with_those_that_there_are(client: FlaskClient, name: Any) -> None:
    """A name that no list has is refused, and the sentence lists the names."""
    sentence = refusal(client, "person", defects=name)
    assert sentence.endswith("and there is no list of that name; there are 'persons'")


def test_labels_need_a_list(client: FlaskClient) -> None:
    """The call for labels says which lists there are where a request names none."""
    assert "'defects' is missing; name one of 'persons'" == refusal(client, "defects", records=3)


def test_labels_as_json_are_counted(client: FlaskClient) -> None:
    """The labels of a window come as JSON too, with how many there are."""
    labels = answer(client, "defects", records=60, defects="persons")
    assert labels["defects"] == without_rows(
        answer(client, "person", records=60, defects="persons")["defects"]
    )
    assert len(labels["defects"]) == labels["record_count"] > 0


def test_exactly_strikes_the_first_places_of_the_whole(client: FlaskClient) -> None:
    """A window behind the first places has none of an `exactly`, and one before has all."""
    first = answer(client, "person", records=60, defects="persons")["defects"]
    assert 3 == sum(label["kind"] == "missing" for label in first)
    last = max(label["slot"] for label in first if label["kind"] == "missing")
    later = answer(client, "person", records=60, start=last + 1, defects="persons")["defects"]
    assert "missing" not in {label["kind"] for label in later}


def test_places_past_what_is_looked_through_are_refused(tmp_path: Path) -> None:
    """A far window is refused where the places of an `exactly` aren't known there, and a near one is answered."""
    never = [{**PERSONS[1], "where": "state == 'WA' and state == 'CA'"}]
    client = create_app(Settings(defects=(str(write_list(tmp_path / "never.yaml", never)),))).test_client()
    assert [] == answer(client, "person", records=3, start=100_000, defects="never")["defects"]
    sentence = refusal(client, "person", records=3, start=200_000, defects="never")
    assert (
        "persons.city!missing is for exactly 3 rows, of which 0 are in the first 131,072 records" in sentence
    )


def record_of(client: FlaskClient, id: str, defects: str | None = None) -> Any:  # noqa: A002
    """Return the answer about an id."""
    response = client.get(f"/records/{id}" + (f"?defects={defects}" if defects else ""))
    assert 200 == response.status_code, response.text
    return json.loads(response.data)


def test_record_with_defects_has_the_clean_rows_beside_it(served: tuple[Dataset, Path, FlaskClient]) -> None:
    """The record behind an id comes as it is wrong, with its labels and with the rows of the answer without defects."""
    dataset, _, client = served
    table = dataset.tables[1]
    window = answer(client, table.entity, records=RECORDS, defects="every")
    labels = without_rows(window["defects"])
    parts = ["row", "parents"] if dataset.recipe is not None else [each.entity for each in dataset.tables]
    for label in labels[:: len(labels) // 60 or 1]:
        id = encode_id(DEFAULT_SEED, table.entity, label["slot"], dataset=dataset)  # noqa: A001
        wrong = record_of(client, id, "every")
        assert label in wrong["defects"]
        row = wrong["row" if dataset.recipe is not None else table.entity]
        assert row in window[table.name] if row else label["slot"] in missing(labels)
        assert {"id", "seed", "dataset_version", *parts, "clean", "defects"} < set(wrong)
        if label["kind"] != "near_duplicate":  # whose id is of no clean row
            clean = record_of(client, id)
            assert {part: clean[part] for part in parts} == wrong["clean"]


def missing(labels: list[Any]) -> set[int]:
    """Return the slots of the rows that are left out."""
    return {label["slot"] for label in labels if label["kind"] == "missing_row"}


def test_record_of_a_second_row_is_its_first(tmp_path: Path) -> None:
    """By the id of a near duplicate comes the second row, and the first as the clean one."""
    for dataset, table in ((DEFAULT_DATASET, "persons"), (load_plan("bank"), "customers")):
        path = write_list(tmp_path / "twins.yaml", [{"kind": "near_duplicate", "table": table, "rate": 1}])
        reference = dataset.dataset_version.partition(" ")[0]
        client = create_app(Settings(plans=(reference,), defects=(str(path),))).test_client()
        first, second = answer(client, dataset.table(table).entity, records=1, defects="twins")[table]
        key = dataset.table(table).field_with("id")
        found = record_of(client, second[key], "twins")
        name = "row" if dataset.recipe is not None else dataset.table(table).entity
        assert second == found[name]
        assert first == found["clean"][name]
        assert {"near_duplicate"} == {label["kind"] for label in found["defects"]}
        own = record_of(client, first[key], "twins")
        assert (first, []) == (own[name], own["defects"])


def test_record_refuses_a_list_that_there_is_not(client: FlaskClient) -> None:
    """A name that no list has, or two names, are 400 with what would be right."""
    id = encode_id(DEFAULT_SEED, "person", 3)  # noqa: A001
    for query, sentence in (
        ("defects=others", "'defects' is 'others', and there is no list of that name; there are 'persons'"),
        ("defects=persons&defects=persons", "'defects' is given twice; give it once"),
    ):
        response = client.get(f"/records/{id}?{query}")
        assert (400, sentence) == (response.status_code, response.get_json()["error"]["message"])


def test_trees_hold_the_wrong_rows(tmp_path: Path) -> None:
    """The rows of a plan's trees are those of its tables with defects, and all their labels stand beside them."""
    defects = [{"kind": "missing", "table": "accounts", "field": "balance", "rate": 0.4}]
    path = write_list(tmp_path / "balances.yaml", defects)
    client = create_app(Settings(plans=("bank",), defects=(str(path),))).test_client()
    trees = answer(client, "record-trees", records=10, defects="balances")
    rows = answer(client, "accounts", records=10, defects="balances")
    in_trees = [node["row"] for record in trees["records"] for node in record["below"]["accounts"]]
    assert rows["accounts"] == in_trees
    assert without_rows(rows["defects"]) == trees["defects"]
    assert any(row["balance"] is None for row in in_trees)


def test_trees_hold_rows_that_are_twice_second_or_missing(served: tuple[Dataset, Path, FlaskClient]) -> None:
    """A tree has each row of the tables in their order, and where one is missing a place without that what is below it hangs at."""
    dataset, _, client = served
    if dataset.recipe is None:
        return
    trees = answer(client, "record-trees", records=RECORDS, defects="every")
    nodes: dict[str, list[Any]] = {}

    def walk(node: Any) -> None:
        nodes.setdefault(node["table"], []).append(node)
        for rows in node["below"].values():
            for each in rows:
                walk(each)

    for record in trees["records"]:
        walk(record)
    for name, of_table in nodes.items():
        rows = answer(client, name, records=RECORDS, defects="every")
        of_trees = [node["row"] for node in of_table if node["row"] is not None]
        assert sorted(map(json.dumps, rows[name])) == sorted(map(json.dumps, of_trees))
        absent = {node["slot"] for node in of_table if node["row"] is None}
        assert missing(rows["defects"]) == absent
        slots = {node["slot"] for node in of_table}
        assert {label["slot"] for label in rows["defects"]} <= slots
    below_missing = [node["below"] for node in nodes["customers"] if node["row"] is None]
    assert any(below["accounts"] for below in below_missing)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A plan that lists defects itself."""
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP, encoding="utf-8")
    return path


def test_own_list_of_a_plan_is_offered(shop: Path) -> None:
    """What a plan lists itself has the name `plan`, and its rows are clean without."""
    client = create_app(Settings(plans=(str(shop),))).test_client()
    assert {"parcels"} == {
        each["table"] for each in answer(client, "parcels", records=20, defects="plan")["defects"]
    }
    assert all(type(row["weight"]) is int for row in answer(client, "parcels", records=20)["parcels"])


def test_what_is_wrong_with_files_no_answer_has(tmp_path: Path) -> None:
    """Of a list that has kinds of files too, answers have the labels and the rows that they have without these."""
    of_files: list[dict[str, Any]] = [
        {"kind": "extra_column", "table": "persons"},
        {"kind": "bad_encoding", "table": "persons", "field": "last_name", "rate": 1},
    ]
    paths = [write_list(tmp_path / "both.yaml", [*of_files, *PERSONS])]
    paths.append(write_list(tmp_path / "rows.yaml", list(PERSONS)))
    client = create_app(Settings(defects=tuple(map(str, paths)))).test_client()
    both, rows = (answer(client, "person", records=60, defects=name) for name in ("both", "rows"))
    assert both["persons"] == rows["persons"]
    assert both["defects"] == rows["defects"] != []


def test_list_belongs_to_the_dataset_that_it_fits(shop: Path, tmp_path: Path) -> None:
    """A list is found with the dataset whose tables it names, and no other has it."""
    path = write_list(tmp_path / "persons.yaml", PERSONS)
    settings = Settings(plans=("bank", str(shop), "v0.1"), defects=(str(path),))
    client = create_app(settings).test_client()
    response = client.post("/plans/v0.1/generate/person", json={"records": 50, "defects": "persons"})
    assert response.get_json()["defects"]
    assert "this dataset is served without any" in refusal(client, "accounts", defects="persons")


def test_list_of_a_snapshot_is_offered(served: tuple[Dataset, Path, FlaskClient]) -> None:
    """The folder of a snapshot is a list as well, under the folder's name: that which it carries."""
    dataset, folder, client = served
    reference = dataset.dataset_version.partition(" ")[0]
    settings = Settings(plans=(reference,), defects=(f"{folder}/",), max_rows=100_000)
    other = create_app(settings).test_client()
    root = dataset.root.entity
    assert answer(client, root, records=5, defects="every") == answer(other, root, records=5, defects="s")


def test_dataset_may_be_named(shop: Path, tmp_path: Path) -> None:
    """A list that fits several datasets needs the name of one, and with it belongs to that alone."""
    other = tmp_path / "second.yaml"
    other.write_text(SHOP.replace("name: shop", "name: second").partition("defects:")[0], encoding="utf-8")
    path = write_list(
        tmp_path / "w.yaml", [{"kind": "placeholder", "table": "parcels", "field": "weight", "rate": 1}]
    )
    plans = (str(shop), str(other))
    with pytest.raises(SettingsError) as ambiguous:
        create_app(Settings(plans=plans, defects=(str(path),)))
    assert f"fit shop and second; say whose they are, such as --defects shop={path}" in str(ambiguous.value)
    client = create_app(Settings(plans=plans, defects=(f"second={path}",))).test_client()
    assert refusal(client, "parcels", defects="w").endswith("there are 'plan'")
    response = client.post("/plans/second/generate/parcels", json={"records": 1, "defects": "w"})
    assert 1 == len(response.get_json()["defects"])


@pytest.mark.parametrize(
    ("references", "sentence"),
    [
        (["{folder}/none.yaml"], "it can't be read: No such file or directory"),
        (["bank={folder}/persons.yaml"], "no dataset of that name is served; there are v0.1"),
        (
            ["v0.2={folder}/persons.yaml"],
            "no dataset of that name is served; did you mean 'v0.1'?; there are v0.1",
        ),
        (
            ["{folder}/persons.yaml", "{folder}/more/persons.yaml"],
            "would have the name 'persons', as those of",
        ),
        (["{folder}/wrong.yaml"], "there is no table 'people'"),
        (["{folder}"], "holds no snapshot with defects"),
        (["{folder}/files.yaml"], "are of files alone, and answers are rows"),
        (["{folder}/files.yaml"], "are of files alone, and answers are rows; write a snapshot with them"),
    ],
)
def test_list_that_can_not_be_taken_stops_the_start(
    tmp_path: Path, references: list[str], sentence: str
) -> None:
    """A missing file, a name twice, a dataset that isn't served and a list that fits nothing are one clear sentence."""
    (tmp_path / "more").mkdir()
    for path in (tmp_path / "persons.yaml", tmp_path / "more" / "persons.yaml"):
        write_list(path, PERSONS)
    write_list(tmp_path / "files.yaml", [{"kind": "truncated_file", "table": "persons"}])
    write_list(tmp_path / "wrong.yaml", [{**PERSONS[0], "table": "people"}])
    write_list(tmp_path / "files.yaml", [{"kind": "truncated_file", "table": "persons"}])
    with pytest.raises(SettingsError) as error:
        create_app(Settings(defects=tuple(each.format(folder=tmp_path) for each in references)))
    assert sentence in str(error.value)


def test_environment_names_lists() -> None:
    """ESDH_DEFECTS is several references as in PATH."""
    environment = {"ESDH_DEFECTS": os.pathsep.join(["a.yaml", "bank=b.yaml"])}
    assert ("a.yaml", "bank=b.yaml") == Settings.from_environment(environment).defects


def references(value: Any) -> Iterator[str]:
    """Yield what a document refers to."""
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "$ref")
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_document_describes_answers_with_defects(served: tuple[Dataset, Path, FlaskClient]) -> None:
    """The OpenAPI document is sound, names the lists, and every answer with defects keeps its schema."""
    dataset, _, client = served
    document = client.get("/openapi.json").get_json()
    OpenAPIV31SpecValidator(document).validate()
    request = document["components"]["schemas"]["GenerateRequest"]
    assert ["every"] == request["properties"]["defects"]["enum"]
    paths = [
        f"/generate/{name}" for name in (*(table.entity for table in dataset.tables), "bundle", "defects")
    ]
    for path in [*paths, *(["/generate/record-trees"] if dataset.recipe is not None else [])]:
        of = document["paths"][path]["post"]["responses"]["200"]
        schema = {**of["content"]["application/json"]["schema"], "components": document["components"]}
        given = client.post(path, json={"records": 5, "defects": "every"})
        assert [] == list(Draft202012Validator(schema).iter_errors(given.get_json())), path
        assert "X-ESDH-Defects" in of["headers"]
    record = document["paths"]["/records/{id}"]["get"]
    assert "defects" in {each["name"] for each in record["parameters"]}
    id = encode_id(DEFAULT_SEED, dataset.root.entity, 1, dataset=dataset)  # noqa: A001
    schema = {
        **record["responses"]["200"]["content"]["application/json"]["schema"],
        "components": document["components"],
    }
    assert [] == list(Draft202012Validator(schema).iter_errors(record_of(client, id, "every")))
