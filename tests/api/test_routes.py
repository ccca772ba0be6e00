"""The contract, call by call."""

import hashlib
from importlib.metadata import version
from typing import Any

import esdh_core
import pytest
from esdh_core import ENTITIES
from flask.testing import FlaskClient
from msgspec import to_builtins

PERSON_0 = "7325de0f-b0c4-806c-8636-3e3a1bdbceb4"
VEHICLE_0 = "7b847f8b-0bf6-8164-86ee-1e9155a80ffc"
PROFILE_1 = "d4ab67fe-6799-8d2d-99be-841b118c6dc9"
NAMES = ["person", "vehicle", "profile"]


def generate(client: FlaskClient, name: str, **window: object) -> Any:
    """Return the JSON answer of a generate call."""
    answer = client.post(f"/generate/{name}", json=window)
    assert 200 == answer.status_code, answer.text
    return answer.json


def test_health(client: FlaskClient) -> None:
    """/healthz tells versions, defaults, the steps of the plan, and what is asked of a client."""
    answer = client.get("/healthz")
    steps = [f"{table.entity}.{field}" for table in ENTITIES for field in table.fields]
    assert answer.json == {
        "status": "ok",
        "dataset_version": "v0.1",
        "version": version("esdh-api"),
        "default_seed": 20240601,
        "seed": 20240601,
        "target_records": 200,
        "plan": {"steps": steps},
        "api_key_required": False,
        "max_records": 1000,
    }
    assert ("20240601", "no-store") == (answer.headers["X-ESDH-Seed"], answer.headers["Cache-Control"])


@pytest.mark.parametrize("name", NAMES)
def test_entity_without_a_body(client: FlaskClient, name: str) -> None:
    """A bare POST gives the first five rows of the default seed, in the contract's order of keys."""
    answer = client.post(f"/generate/{name}")
    document: Any = answer.json
    assert ["metadata", f"{name}s", "record_count", "seed", "records_requested"] == list(document)
    assert (5, 20240601, 5) == tuple(document[key] for key in ("record_count", "seed", "records_requested"))
    assert to_builtins(getattr(esdh_core.generate_bundle(5), f"{name}s")) == document[f"{name}s"]
    assert ("application/json", "20240601") == (answer.content_type, answer.headers["X-ESDH-Seed"])


@pytest.mark.parametrize("name", [*NAMES, "bundle"])
def test_metadata_counts_the_window(client: FlaskClient, name: str) -> None:
    """Every answer's metadata says the version, the instant, the seed, and the window's size for each entity."""
    metadata = generate(client, name, records=2, start=9, seed=1)["metadata"]
    assert metadata == {
        "dataset_version": "v0.1",
        "generated_at": "2024-06-01T00:00:00",
        "record_count_persons": 2,
        "record_count_vehicles": 2,
        "record_count_profiles": 2,
        "notes": "Deterministic snapshot generated from rule-based distributions (seed=1).",
    }


@pytest.mark.demo
def test_bundle_is_the_start_of_the_snapshot(client: FlaskClient) -> None:
    """A bundle of three is the first three records, every entity, as esdh_core gives them."""
    document = generate(client, "bundle", records=3)
    assert ["metadata", "persons", "vehicles", "profiles", "seed", "records_requested"] == list(document)
    assert to_builtins(esdh_core.generate_bundle(200).persons[:3]) == document["persons"]
    assert (PERSON_0, VEHICLE_0, PROFILE_1) == (
        document["persons"][0]["person_id"],
        document["vehicles"][0]["vehicle_id"],
        document["profiles"][1]["profile_id"],
    )


@pytest.mark.parametrize("name", [*NAMES, "bundle"])
def test_window_starts_where_it_is_asked_to(client: FlaskClient, name: str) -> None:
    """`start` gives the records from there on, the last that can be included."""
    whole = generate(client, name, records=12, seed=5)
    part = generate(client, name, records=4, start=8, seed=5)
    key = "profiles" if name == "bundle" else f"{name}s"
    assert whole[key][8:] == part[key]
    last = generate(client, name, records=1, start=2**33 - 1)
    assert 2**33 - 1 == esdh_core.decode_id(next(iter(last[key][0].values()))).index


@pytest.mark.parametrize("name", [*NAMES, "bundle"])
def test_random_seed_is_told_and_gives_the_same_data(client: FlaskClient, name: str) -> None:
    """A drawn seed stands in the answer and its header, and given again makes the same answer."""
    answer = client.post(f"/generate/{name}", json={"seed": "random"})
    seed = answer.json["seed"]  # type: ignore[index]  # it is an object
    assert str(seed) == answer.headers["X-ESDH-Seed"]
    assert answer.json == generate(client, name, seed=seed) == generate(client, name, seed=str(seed))


def test_query_string_is_refused(client: FlaskClient) -> None:
    """A window in the query string is told to be in the wrong place: ignored, it would give other data."""
    answer = client.post("/generate/person?records=3")
    assert 400 == answer.status_code
    assert "JSON body" in answer.json["error"]["message"]  # type: ignore[index]  # it is an object


@pytest.mark.parametrize(("id", "entity", "index"), [(PERSON_0, "person", 0), (PROFILE_1, "profile", 1)])
def test_record_behind_an_id(client: FlaskClient, id: str, entity: str, index: int) -> None:  # noqa: A002 - as in the path
    """An id of any entity gives what it says and its whole record, also in capitals."""
    bundle = esdh_core.generate_bundle(1, start=index)
    expected = {
        "id": id,
        "seed": 20240601,
        "dataset_version": "v0.1",
        "entity": entity,
        "index": index,
        "person": to_builtins(bundle.persons[0]),
        "vehicle": to_builtins(bundle.vehicles[0]),
        "profile": to_builtins(bundle.profiles[0]),
    }
    answer = client.get(f"/records/{id}")
    assert (200, expected) == (answer.status_code, answer.json)
    assert ("20240601", "no-store") == (answer.headers["X-ESDH-Seed"], answer.headers["Cache-Control"])
    assert expected == client.get(f"/records/{id.upper()}").json


@pytest.mark.parametrize(
    ("id", "reason"),
    [
        ("abc", "'abc' is not an ESDH id: expected a UUID"),
        ("7325de0f-b0c4-406c-8636-3e3a1bdbceb4", "not a version 8 UUID"),
        ("7325de0f-b0c4-806c-8636-3e3a1bdbceb5", "check bits"),
        ("%FF%00", "is not an ESDH id"),
        ("x" * 5000, "has 36 characters, not 5000"),
    ],
)
def test_id_that_is_not_ours(client: FlaskClient, id: str, reason: str) -> None:  # noqa: A002 - as in the path
    """An id that isn't ours is 404 with the reason."""
    answer = client.get(f"/records/{id}")
    error = answer.json["error"]  # type: ignore[index]  # it is an object
    assert (404, "not_found") == (answer.status_code, error["code"])
    assert reason in error["message"]


@pytest.mark.parametrize(
    "spelling",
    [
        f"%7B{PERSON_0}%7D",
        PERSON_0.upper().replace("-", ""),
        f"urn:uuid:{PERSON_0}",
        f"urn%3Auuid%3A{PERSON_0}",
        f"%20{PERSON_0}%0D%0A",
        PERSON_0.replace("-", "%2D"),
    ],
)
def test_id_in_another_spelling_is_the_same_record(client: FlaskClient, spelling: str) -> None:
    """An id as other programs spell it gives the answer, and the ETag, of the id as ESDH writes it."""
    expected, answer = client.get(f"/records/{PERSON_0}"), client.get(f"/records/{spelling}")
    assert (200, expected.data) == (answer.status_code, answer.data)
    assert expected.headers["ETag"] == answer.headers["ETag"]


def test_record_is_json_only(client: FlaskClient) -> None:
    """A record has three rows of three kinds, so it comes as JSON or not at all."""
    assert 406 == client.get(f"/records/{PERSON_0}", headers={"Accept": "text/csv"}).status_code


def test_plan_is_that_of_the_command_line(client: FlaskClient) -> None:
    """/plan gives exactly the bytes that plan_sha256 is of."""
    answer = client.get("/plan")
    assert esdh_core.DEFAULT_DATASET.plan_json == answer.data
    assert esdh_core.DEFAULT_DATASET.plan_sha256 == hashlib.sha256(answer.data).hexdigest()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/demo", "text/html; charset=utf-8"),
        ("/demo/demo.css", "text/css; charset=utf-8"),
        ("/demo/demo.js", "text/javascript; charset=utf-8"),
    ],
)
def test_page_files(client: FlaskClient, path: str, kind: str) -> None:
    """The page and its two files are served with their types, to be asked for again each time."""
    answer = client.get(path)
    assert (200, kind, "no-cache") == (
        answer.status_code,
        answer.content_type,
        answer.headers["Cache-Control"],
    )
    assert answer.data


@pytest.mark.parametrize(
    "path", ["/demo/", "/demo/demo.html", "/demo/__init__.py", "/demo/../app.py", "/demo/%2e%2e/app.py"]
)
def test_no_other_file_is_served(client: FlaskClient, path: str) -> None:
    """Nothing but the page's known files can be had."""
    assert 404 == client.get(path).status_code


@pytest.mark.parametrize("path", [f"/records/{PERSON_0}", "/openapi.json", "/plan", "/demo", "/demo/demo.js"])
def test_etag_is_honoured(client: FlaskClient, path: str) -> None:
    """A client that has the answer gets 304 without a body; another ETag, or none, gets it whole."""
    first = client.get(path)
    tag = first.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (304, b"", tag) == (again.status_code, again.data, again.headers["ETag"])
        assert first.headers["Cache-Control"] == again.headers["Cache-Control"]
    assert first.data == client.get(path, headers={"If-None-Match": '"other"'}).data


@pytest.mark.parametrize("path", ["/healthz", "/plan", "/openapi.json", f"/records/{PERSON_0}", "/demo"])
def test_head_is_get_without_the_body(client: FlaskClient, path: str) -> None:
    """HEAD answers with GET's status, type and length, and no body."""
    whole, head = client.get(path), client.head(path)
    assert (200, b"") == (head.status_code, head.data)
    assert (whole.content_type, whole.content_length) == (head.content_type, head.content_length)


def test_options_tell_the_methods(client: FlaskClient) -> None:
    """OPTIONS answers with what a path allows."""
    assert {"OPTIONS", "POST"} == set(client.options("/generate/person").allow)
    assert {"GET", "HEAD", "OPTIONS"} == set(client.options("/healthz").allow)
