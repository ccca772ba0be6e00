"""Errors: one envelope, whatever went wrong and wherever."""

import gzip
import io
import json
from typing import Any

import pytest
from esdh_api import Settings, create_app
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


def error(answer: TestResponse) -> Any:
    """Return an error's detail, having checked the envelope."""
    document: Any = answer.json
    assert "application/json" == answer.content_type
    assert ["error"] == list(document)
    assert ["code", "message"] == list(document["error"])
    assert document["error"]["message"]
    return document["error"]


@pytest.mark.parametrize(
    "path", ["/", "/generate", "/generate/cat", "/records", "/records/", "/demo/x", "/é", "/healthz/"]
)
def test_unknown_path(client: FlaskClient, path: str) -> None:
    """A path that leads nowhere is 404 and names where to look."""
    answer = client.get(path)
    assert (404, "not_found") == (answer.status_code, error(answer)["code"])
    assert "/openapi.json" in error(answer)["message"]


@pytest.mark.parametrize("path", ["//healthz", "/generate//person", "/./healthz"])
def test_odd_spellings_are_not_redirected(client: FlaskClient, path: str) -> None:
    """A path in another spelling is 404, never a redirect around the guard of its prefix."""
    assert 404 == client.post(path).status_code


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/generate/person", {"POST", "OPTIONS"}),
        ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/records/abc", {"GET", "HEAD", "OPTIONS"}),
        ("BREW", "/demo", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_wrong_method(client: FlaskClient, method: str, path: str, allowed: set[str]) -> None:
    """A method that a path doesn't take is 405 with those that it does."""
    answer = client.open(path, method=method)
    assert (405, "method_not_allowed") == (answer.status_code, error(answer)["code"])
    assert allowed == set(answer.allow)
    assert method in error(answer)["message"]


@pytest.mark.parametrize("size", [65_537, 1_000_000])
def test_large_body(client: FlaskClient, size: int) -> None:
    """A body past 64 KiB is 413, whatever is in it; one of exactly 64 KiB is read."""
    answer = client.post("/generate/person", data=b" " * size, content_type="application/json")
    assert (413, "payload_too_large") == (answer.status_code, error(answer)["code"])
    assert "65536 bytes" in error(answer)["message"]
    body = b'{"records": 1}'.ljust(65_536)
    assert 200 == client.post("/generate/person", data=body, content_type="application/json").status_code


def test_large_body_of_unknown_length(client: FlaskClient) -> None:
    """A body whose length isn't told is read to the limit and refused past it."""
    for size, status in ((65_536, 200), (65_537, 413)):
        answer = client.post(
            "/generate/person",
            input_stream=io.BytesIO(b'{"records": 1}'.ljust(size)),
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
        )
        assert status == answer.status_code


def test_wrong_content_type(client: FlaskClient) -> None:
    """A form's type, which curl -d sends by itself, is 415 with the type that was sent."""
    answer = client.post(
        "/generate/person", data='{"records": 1}', content_type="application/x-www-form-urlencoded"
    )
    assert (415, "unsupported_media_type") == (answer.status_code, error(answer)["code"])
    assert "application/x-www-form-urlencoded" in error(answer)["message"]
    assert "application/json" == answer.headers["Accept"]
    typed = client.post(
        "/generate/person", data=b'{"records": 1}', content_type="application/json; charset=utf-8"
    )
    assert 200 == typed.status_code
    assert 200 == client.post("/generate/person", data=b"", content_type="text/plain").status_code


def test_compressed_body(client: FlaskClient) -> None:
    """A compressed body is 415, and the answer's Accept-Encoding says what is taken."""
    headers = {"Content-Encoding": "gzip"}
    body = gzip.compress(b'{"records": 1}')
    for name in ("person", "bundle"):
        answer = client.post(f"/generate/{name}", data=body, content_type="application/json", headers=headers)
        assert (415, "unsupported_media_type") == (answer.status_code, error(answer)["code"])
        assert "uncompressed" in error(answer)["message"]
        assert "identity" == answer.headers["Accept-Encoding"]


def test_invalid_request(client: FlaskClient) -> None:
    """A value that can't be is 400 in the contract's words."""
    answer = client.post("/generate/bundle", json={"records": 0})
    assert 400 == answer.status_code
    assert {"code": "invalid_request", "message": "'records' must be a positive integer"} == error(answer)


def test_not_acceptable(client: FlaskClient) -> None:
    """A form that there isn't is 406, told in JSON all the same."""
    answer = client.post("/generate/bundle", headers={"Accept": "text/csv"})
    assert (406, "not_acceptable") == (answer.status_code, error(answer)["code"])


@pytest.mark.parametrize("testing", [False, True])
def test_failure_shows_its_id_and_nothing_else(capsys: pytest.CaptureFixture[str], *, testing: bool) -> None:
    """A bug is a 500 whose id stands in the log beside the traceback; the answer shows no internals."""
    app = create_app(Settings())
    app.testing = testing

    def fail() -> str:
        raise RuntimeError("internals")

    app.add_url_rule("/failure", view_func=fail)
    answer = app.test_client().get("/failure")
    assert (500, "internal_error") == (answer.status_code, error(answer)["code"])
    assert "internals" not in answer.text
    failure, request = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert failure["error_id"] in error(answer)["message"]
    assert ("error", answer.headers["X-Request-ID"]) == (failure["level"], failure["request_id"])
    assert "RuntimeError: internals" in failure["exception"]
    assert ("/failure", 500) == (request["route"], request["status"])


def test_head_of_an_error_has_no_body(app: Flask) -> None:
    """HEAD of a path that leads nowhere is 404 without a body."""
    answer = app.test_client().head("/nothing")
    assert (404, b"") == (answer.status_code, answer.data)
