"""The formats of an answer hold what a snapshot's files hold, byte for byte."""

import datetime as dt
import json
from pathlib import Path

import msgspec
import pytest
from datasets import LEDGER
from esdh_api import Settings, create_app
from esdh_api.errors import NotAcceptableError
from esdh_api.negotiation import JSON, ROW_FORMATS, choose, csv_lines
from esdh_core import DEFAULT_DATASET, ENTITIES, Dataset, Table, generate_columns
from esdh_export import EncodedBlock, SnapshotRequest, write_snapshot
from esdh_export.formats import csv, ndjson
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
EVERY_TABLE = pytest.mark.parametrize("table", ENTITIES, ids=lambda table: table.entity)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default snapshot, in every text format."""
    folder = tmp_path_factory.mktemp("snapshot") / "s"
    write_snapshot(folder, SnapshotRequest(formats=("csv", "json", "ndjson")))
    return folder


def rows(client: FlaskClient, table: Table, media_type: str, **window: object) -> bytes:
    """Return a table's rows in a format."""
    answer = client.post(f"/generate/{table.entity}", json=window, headers={"Accept": media_type})
    assert 200 == answer.status_code, answer.text
    return answer.get_data()


@EVERY_TABLE
@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_whole_file_is_the_snapshots(client: FlaskClient, snapshot: Path, table: Table, name: str) -> None:
    """The default snapshot's records, asked for in a file's form, are that file."""
    file = (snapshot / f"{table.name}_v0_1.{name}").read_bytes()
    assert file == rows(client, table, MEDIA_TYPES[name], records=200)


@EVERY_TABLE
@pytest.mark.parametrize("name", MEDIA_TYPES)
def test_window_is_a_part_of_the_file(client: FlaskClient, snapshot: Path, table: Table, name: str) -> None:
    """A window's rows are those lines of the snapshot's file, under the header where there is one."""
    lines = (snapshot / f"{table.name}_v0_1.{name}").read_bytes().splitlines(keepends=True)
    header = lines[:1] if name == "csv" else []
    expected = b"".join(header + lines[len(header) + 40 : len(header) + 57])
    assert expected == rows(client, table, MEDIA_TYPES[name], records=17, start=40)


@EVERY_TABLE
def test_json_rows_are_the_documents(client: FlaskClient, snapshot: Path, table: Table) -> None:
    """The rows of a JSON answer stand in the snapshot's document, byte for byte, alone and in a bundle."""
    document = (snapshot / "dataset_v0_1.json").read_bytes()
    listed = msgspec.json.decode(document, type=dict[str, msgspec.Raw])[table.name]
    expected = b"[" + b",".join(
        bytes(each) for each in msgspec.json.decode(listed, type=list[msgspec.Raw])[:3]
    )
    for name in (table.entity, "bundle"):
        answer = client.post(f"/generate/{name}", json={"records": 3})
        given = msgspec.json.decode(answer.data, type=dict[str, msgspec.Raw])[table.name]
        assert expected + b"]" == bytes(given)


class _Sink:
    """Keeps what a format's writer writes."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | memoryview) -> int:
        """Keep bytes and return how many."""
        self.data += data
        return len(data)


CLIENTS_OF = {
    dataset: create_app(Settings(), dataset=dataset).test_client() for dataset in (DEFAULT_DATASET, LEDGER)
}


@given(
    seed=st.integers(0, 2**53 - 1),
    start=st.integers(0, 2**33 - 60),
    count=st.integers(1, 60),
    of=st.sampled_from([(dataset, table) for dataset in CLIENTS_OF for table in dataset.tables]),
)
@settings(max_examples=100)
def test_any_window_is_what_the_exporter_writes(
    seed: int, start: int, count: int, of: tuple[Dataset, Table]
) -> None:
    """For any dataset, seed and window both formats are the bytes that the exporter's own writers write."""
    dataset, table = of
    block = EncodedBlock(generate_columns(start, count, seed, dataset=dataset))
    for name, writer in (("csv", csv.Writer), ("ndjson", ndjson.Writer)):
        sink = _Sink()
        writing = writer(sink, table, dataset=dataset, seed=seed)
        writing.write(block)
        writing.close()
        window = {"records": count, "start": start, "seed": seed}
        assert bytes(sink.data) == rows(CLIENTS_OF[dataset], table, MEDIA_TYPES[name], **window)


class Reading(Struct, frozen=True):
    """A row of the types that Python's CSV writer writes otherwise than a snapshot."""

    taken_at: dt.datetime
    passed: bool | None
    note: str


def test_csv_of_types_that_python_spells_otherwise() -> None:
    """Instants end in Z, booleans are JSON's, and only an empty text is in quotes where a null is empty."""
    table = Table("readings", Reading, "Readings.")
    at = dt.datetime(2024, 5, 31, 12, 34, 56, tzinfo=dt.UTC)
    rows = csv_lines(table, [Reading(at, True, ""), Reading(at, None, "a\rb")])
    found = ROW_FORMATS["text/csv"].body(table, rows)
    expected = 'taken_at,passed,note\n2024-05-31T12:34:56Z,true,""\n2024-05-31T12:34:56Z,,"a\rb"\n'
    assert expected == found.decode()


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("text/*", "text/csv"),
        ("text/csv", "text/csv"),
        ("TEXT/CSV; charset=UTF-8", "text/csv"),
        ("application/json;charset=utf-8", "application/json"),
        ("application/x-ndjson, application/json;q=0.5", "application/x-ndjson"),
        ("text/csv;q=0.2, application/json;q=0.9", "application/json"),
        ("text/csv, */*;q=0.1", "text/csv"),
        ("text/csv, */*", "text/csv"),
        ("application/json;q=0, */*", "application/x-ndjson"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        (" , ", "application/json"),
        (";q=0.5", "application/json"),
        (",, text/csv ,", "text/csv"),
        ("text/csv ; q = .9 , application/json;q=.1", "text/csv"),
        ("text/csv;Q=0.5,application/json;Q=0.4", "text/csv"),
        ('text/csv;q="0.5",application/json;q="0.4"', "text/csv"),
        ("text/csv;q=1., application/json;q=0.9", "text/csv"),
        ("application/json;q=0.2, *;q=.5", "application/x-ndjson"),
        ("*;q=.5, text/csv", "text/csv"),
        ("text/csv;q=high, application/json;q=0.9", "text/csv"),
        ("text/csv;q=, application/json;q=0.9", "text/csv"),
        ("text/csv;q=5, application/json", "application/json"),
        ("text/csv;header=present;q=0.9;level=1, application/json;q=0.8", "text/csv"),
        ("text/csv;, nonsense, application/json;q=0.5", "text/csv"),
        ("text/html, application/json;q=0.001", "application/json"),
    ],
)
def test_client_gets_what_it_likes_best(accept: str, expected: str) -> None:
    """The form follows the Accept header's qualities; JSON where the client has no wish."""
    assert expected == choose(accept, JSON, *ROW_FORMATS)


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
CLIENTS = {
    "curl, wget, requests, httpx, fetch, Postman": "*/*",
    "Go, .NET's HttpClient, Java's HttpClient, PowerShell": None,
    "Java's HttpURLConnection": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "Java's HttpURLConnection from 18": "text/html, image/gif, image/jpeg, */*; q=0.2",
    "Firefox, Safari": BROWSER,
    "Chrome": f"{BROWSER.replace('*/*', 'image/apng,*/*')},application/signed-exchange;v=b3;q=0.7",
    "Internet Explorer": "image/gif, image/jpeg, application/x-ms-application, */*",
    "jQuery": "application/json, text/javascript, */*; q=0.01",
    "axios, Angular": "application/json, text/plain, */*",
    "httr": "application/json, text/xml, application/xml, */*",
    "HTTPie": "application/json, */*;q=0.5",
    "Spring's RestTemplate": "application/json, application/*+json",
    "RestSharp": "application/json, text/json, text/x-json, text/javascript, application/xml, text/xml",
    "a client generated from our document": ", ".join([JSON, *ROW_FORMATS]),
}


@pytest.mark.parametrize("accept", CLIENTS.values(), ids=list(CLIENTS))
def test_clients_get_json_by_their_default(client: FlaskClient, accept: str | None) -> None:
    """What clients send of themselves gives JSON, on each path that looks at Accept."""
    headers = {} if accept is None else {"Accept": accept}
    for answer in (
        client.post("/generate/person", headers=headers),
        client.post("/generate/bundle", headers=headers),
        client.get("/records/7325de0f-b0c4-806c-8636-3e3a1bdbceb4", headers=headers),
    ):
        assert (200, JSON) == (answer.status_code, answer.content_type)


@pytest.mark.parametrize(
    "alias", ["application/ndjson", "application/jsonl", "application/jsonlines", "application/x-jsonlines"]
)
def test_ndjson_has_several_names(client: FlaskClient, alias: str) -> None:
    """A client that knows NDJSON by another name gets the same bytes, under that name."""
    expected = client.post("/generate/person", headers={"Accept": "application/x-ndjson"}).data
    answer = client.post("/generate/person", headers={"Accept": alias.upper()})
    assert (200, alias, expected) == (answer.status_code, answer.content_type, answer.data)


@pytest.mark.parametrize(
    "accept", ["text/html", "image/*", "garbage", "application/json;q=0", "text/csv;q=0.000", "*;q=0"]
)
def test_what_no_form_fits_is_refused(client: FlaskClient, accept: str) -> None:
    """A client that takes none of the forms gets 406 and the list of them."""
    with pytest.raises(NotAcceptableError, match="application/json or text/csv"):
        choose(accept, "application/json", "text/csv")
    for call in ("person", "vehicle", "profile", "bundle"):
        answer = client.post(f"/generate/{call}", headers={"Accept": accept})
        assert (406, "not_acceptable") == (answer.status_code, json.loads(answer.data)["error"]["code"])


def test_bundle_is_json_only(client: FlaskClient) -> None:
    """A bundle has three tables, so neither CSV nor NDJSON is one of its forms."""
    for media_type in MEDIA_TYPES.values():
        assert 406 == client.post("/generate/bundle", headers={"Accept": media_type}).status_code
