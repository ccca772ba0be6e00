"""The OpenAPI document: valid, complete, and kept by every answer."""

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import msgspec
import pytest
import schemathesis
from esdh_api import Settings, create_app
from esdh_core import MAX_RECORDS, Person, Profile, Vehicle
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi.checks import positive_data_acceptance

KEY = "ключ"
HEADERS = {"X-API-Key": KEY.encode().decode("latin-1")}  # as WSGI hands over the bytes that a client sends

# The same cases on every run: no failure that comes and goes with a random draw.
conformance = settings(
    derandomize=True,
    max_examples=150,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def document(client: FlaskClient) -> Any:
    """The document as it is served."""
    return client.get("/openapi.json").json


def test_document_is_valid_openapi(document: Any) -> None:
    """The document is a valid OpenAPI 3.1 document."""
    OpenAPIV31SpecValidator(document).validate()
    assert "3.1.0" == document["openapi"]


@pytest.mark.parametrize("prefix", ["", "/data/esdh"])
def test_server_is_where_the_document_is(document: Any, prefix: str) -> None:
    """Below whatever path a proxy serves the document, its calls are beside it."""
    [server] = document["servers"]
    assert f"http://host{prefix}/" == urljoin(f"http://host{prefix}/openapi.json", server["url"])


def test_document_has_every_call(app: Flask, document: Any) -> None:
    """Every rule of the app stands in the document, with its methods, and nothing else."""
    rules = {
        (rule.rule.replace("<id>", "{id}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert rules == {(path, method) for path, item in document["paths"].items() for method in item}


def test_operations_are_named_once(document: Any) -> None:
    """Every operation has an id of its own, which is what a generated client calls its function."""
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))
    assert {"getHealth", "generatePerson", "generateBundle", "getRecord"} <= set(names)


@pytest.mark.parametrize("record", [Person, Vehicle, Profile])
def test_schemas_follow_from_the_structs(document: Any, record: type[msgspec.Struct]) -> None:
    """An entity's schema has the Struct's fields in their order, all of them required."""
    schema = document["components"]["schemas"][record.__name__]
    assert record.__struct_fields__ == tuple(schema["properties"])
    assert list(record.__struct_fields__) == schema["required"]


def test_examples_are_real_answers(client: FlaskClient, document: Any) -> None:
    """The example of a window is what the API answers to the example of a request, in each form."""
    for name in ("person", "vehicle", "profile", "bundle"):
        operation = document["paths"][f"/generate/{name}"]["post"]
        asked = operation["requestBody"]["content"]["application/json"]["example"]
        for media_type, content in operation["responses"]["200"]["content"].items():
            answer = client.post(f"/generate/{name}", json=asked, headers={"Accept": media_type})
            given = answer.json if media_type == "application/json" else answer.text
            assert content["example"] == given
    known = document["paths"]["/records/{id}"]["get"]
    example = known["responses"]["200"]["content"]["application/json"]["example"]
    assert example == client.get(f"/records/{known['parameters'][0]['example']}").json


def test_limit_stands_in_the_document() -> None:
    """The schema of a request names the limit that the server was started with, and a default within it."""
    client = create_app(Settings(max_records=3)).test_client()
    document: Any = client.get("/openapi.json").json
    records = document["components"]["schemas"]["GenerateRequest"]["properties"]["records"]
    assert (3, 3) == (records["maximum"], records["default"])
    assert 3 == client.post("/generate/person").json["record_count"]  # type: ignore[index]  # it is an object


def test_document_tells_nothing_of_the_key() -> None:
    """A guarded app's document asks for a key and doesn't hold it; an open one's makes it optional."""
    guarded = create_app(Settings(api_key="a-very-secret-key")).test_client().get("/openapi.json")
    assert b"a-very-secret-key" not in guarded.data
    security = {
        text: create_app(Settings(api_key=key))
        .test_client()
        .get("/openapi.json")
        .json["paths"]["/generate/person"]["post"]["security"]  # type: ignore[index]  # it is an object
        for text, key in (("open", None), ("guarded", "key"))
    }
    assert {"open": [{}, {"ApiKey": []}], "guarded": [{"ApiKey": []}]} == security


OPEN = schemathesis.openapi.from_wsgi("/openapi.json", create_app(Settings()))
GUARDED = schemathesis.openapi.from_wsgi("/openapi.json", create_app(Settings(api_key=KEY, max_records=20)))


DEFECTIVE = schemathesis.openapi.from_wsgi(
    "/openapi.json", create_app(Settings(defects=(str(Path(__file__).with_name("defects.yaml")),)))
)


def beyond_schema(body: object) -> bool:
    """Whether a body is refused for what JSON Schema can't say: it takes 3.0 for an integer, and can't add."""
    if not isinstance(body, dict):
        return False
    if any(isinstance(value, float) for value in body.values()):
        return True
    numbers = [body.get("start", 0), body.get("records", 5)]
    return all(isinstance(each, int) for each in numbers) and sum(numbers) > MAX_RECORDS


def keeps(case: schemathesis.Case[Any], headers: dict[str, str] | None = None) -> None:
    """Send a case and hold the answer against the document, with every check."""
    left_out: list[Any] = [positive_data_acceptance] if beyond_schema(case.body) else []
    case.call_and_validate(headers=headers, excluded_checks=left_out)


@OPEN.parametrize()
@conformance
def test_open_app_keeps_its_document(case: schemathesis.Case[Any]) -> None:
    """Whatever is sent, each answer is one that the document declares; every check is on."""
    keeps(case)


@GUARDED.parametrize()
@conformance
def test_guarded_app_keeps_its_document(case: schemathesis.Case[Any]) -> None:
    """The same with a key: what needs it refuses without it, or with another."""
    keeps(case, HEADERS)


@DEFECTIVE.parametrize()
@conformance
def test_app_with_defects_keeps_its_document(case: schemathesis.Case[Any]) -> None:
    """The same with a list of defects, which a case may ask for."""
    keeps(case)
