"""What stands around every call: the key, the headers, the request id, the line in the log."""

import errno
import io
import json
import re
import uuid
from typing import Any

import pytest
from esdh_api import Settings, create_app
from flask.testing import FlaskClient

PERSON_0 = "7325de0f-b0c4-806c-8636-3e3a1bdbceb4"
GUARDED = [
    ("POST", "/generate/person"),
    ("POST", "/generate/vehicle"),
    ("POST", "/generate/profile"),
    ("POST", "/generate/bundle"),
    ("GET", f"/records/{PERSON_0}"),
]
OPEN = ["/healthz", "/plan", "/openapi.json", "/demo", "/demo/demo.js", "/demo/demo.css"]
KEYS = ["secret", "schlüssel", "ключ", "鍵 🔑", "with space", "x" * 500]


def lines(text: str) -> list[dict[str, Any]]:
    """Return the log's lines."""
    return [json.loads(line) for line in text.splitlines()]


def guarded(key: str) -> FlaskClient:
    """Return a client of an app with a key."""
    return create_app(Settings(api_key=key)).test_client()


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "sent", [None, "", "wrong", "secre", "secret2", "SECRET", "сесрет", "secret, secret"]
)
def test_generated_data_needs_the_key(method: str, path: str, sent: str | None) -> None:
    """Without the key, or with another, every call that generates is 401 and tells how to send it."""
    headers = {} if sent is None else {"X-API-Key": sent}
    answer = guarded("secret").open(path, method=method, headers=headers)
    assert (401, "unauthorized") == (answer.status_code, answer.json["error"]["code"])  # type: ignore[index]  # it is an object
    assert "X-API-Key" in answer.headers["WWW-Authenticate"]
    assert "secret" not in answer.text
    assert "X-ESDH-Seed" not in answer.headers


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_key_opens(method: str, path: str, key: str) -> None:
    """A key opens when its UTF-8 bytes are sent, whatever its script; WSGI shows them as Latin-1."""
    as_wsgi_shows = key.encode().decode("latin-1")
    assert 200 == guarded(key).open(path, method=method, headers={"X-API-Key": as_wsgi_shows}).status_code


def test_key_sent_in_latin_1_opens() -> None:
    """A browser sends what fits Latin-1 in Latin-1: the same key."""
    assert (
        200 == guarded("schlüssel").post("/generate/person", headers={"X-API-Key": "schlüssel"}).status_code
    )


@pytest.mark.parametrize("path", OPEN)
def test_open_paths_stay_open_and_tell_nothing(path: str) -> None:
    """The rest stays open with a key set, and the key stands nowhere in it."""
    answer = guarded("a-secret-key").get(path)
    assert 200 == answer.status_code
    assert b"a-secret-key" not in answer.data
    assert "a-secret-key" not in str(answer.headers)


def test_health_says_whether_a_key_is_asked_for(client: FlaskClient) -> None:
    """/healthz tells a page whether to ask for the key."""
    required = [each.get("/healthz").json["api_key_required"] for each in (client, guarded("key"))]  # type: ignore[index]  # it is an object
    assert [False, True] == required


@pytest.mark.parametrize("path", ["/generate/nothing", "/generate/", "/records/a/b"])
def test_paths_below_are_guarded_too(path: str) -> None:
    """Paths below the guarded ones that lead nowhere tell nothing without the key."""
    assert 401 == guarded("key").get(path).status_code
    assert 404 == guarded("key").get(path, headers={"X-API-Key": "key"}).status_code


def test_key_is_asked_for_before_the_body_is_read() -> None:
    """Without the key even a broken request is 401."""
    assert 401 == guarded("key").post("/generate/person", data=b"x" * 100_000).status_code
    assert 401 == guarded("key").get("/generate/person").status_code


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/demo", 200),
        ("POST", "/generate/bundle", 200),
        ("GET", f"/records/{PERSON_0}", 200),
        ("GET", "/nothing", 404),
        ("PUT", "/healthz", 405),
        ("POST", "/generate/person?records=1", 400),
        ("OPTIONS", "/healthz", 200),
        ("HEAD", "/healthz", 200),
    ],
)
def test_every_answer_has_the_headers(client: FlaskClient, method: str, path: str, status: int) -> None:
    """Every answer, errors too, forbids framing, sniffing, referrers and foreign content, once each."""
    answer = client.open(path, method=method)
    assert status == answer.status_code
    policy = answer.headers.getlist("Content-Security-Policy")
    assert 1 == len(policy)
    assert policy[0].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy[0]
    assert "frame-ancestors 'none'" in policy[0]
    assert ["nosniff"] == answer.headers.getlist("X-Content-Type-Options")
    assert ["DENY"] == answer.headers.getlist("X-Frame-Options")
    assert ["no-referrer"] == answer.headers.getlist("Referrer-Policy")
    assert 1 == len(answer.headers.getlist("Cache-Control"))


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_generated_data_is_not_stored(client: FlaskClient, method: str, path: str) -> None:
    """Generated data is not for caches, and its form depends on the Accept header."""
    answer = client.open(path, method=method)
    assert ("no-store", "Accept") == (answer.headers["Cache-Control"], answer.headers["Vary"])


@pytest.mark.parametrize("sane", ["a", "A-b_c.9", "x" * 64])
def test_sane_request_id_is_kept(client: FlaskClient, sane: str) -> None:
    """A client's own request id comes back, so that its log and ours can be joined."""
    assert sane == client.get("/healthz", headers={"X-Request-ID": sane}).headers["X-Request-ID"]


@pytest.mark.parametrize("odd", ["", "x" * 65, "a b", 'a"b', "é", "<script>", "a;b"])
def test_odd_request_id_is_replaced(client: FlaskClient, odd: str) -> None:
    """Anything else is replaced by a UUID of our own."""
    given = client.get("/healthz", headers={"X-Request-ID": odd}).headers["X-Request-ID"]
    assert given == str(uuid.UUID(given))


def test_one_line_a_request(capsys: pytest.CaptureFixture[str]) -> None:
    """Each request is one JSON line: method, route, status, time, records, seed and request id."""
    client = create_app(Settings()).test_client()
    client.post("/generate/vehicle", json={"records": 3, "seed": 9}, headers={"X-Request-ID": "mine"})
    client.get(f"/records/{PERSON_0}")
    client.get("/nothing/like-this?secret=1")
    first, second, third = lines(capsys.readouterr().err)
    assert 0 < first.pop("milliseconds") < 60_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", first.pop("timestamp"))
    assert first == {
        "event": "request",
        "level": "info",
        "method": "POST",
        "route": "/generate/vehicle",
        "status": 200,
        "records": 3,
        "seed": 9,
        "request_id": "mine",
    }
    assert ("/records/<id>", 200, 1, 20240601) == tuple(
        second[key] for key in ("route", "status", "records", "seed")
    )
    assert (None, 404, None, None) == tuple(third[key] for key in ("route", "status", "records", "seed"))
    assert "like-this" not in json.dumps(third)


def test_key_never_reaches_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the key nor a wrong one is logged, even by a failure."""
    app = create_app(Settings(api_key="right-key"))
    app.add_url_rule("/generate/failure", view_func=lambda: str(1 // 0))
    client = app.test_client()
    for key, status in (("right-key", 500), ("wrong-key", 401)):
        assert status == client.get("/generate/failure", headers={"X-API-Key": key}).status_code
    log = capsys.readouterr().err
    assert "ZeroDivisionError" in log
    assert "right-key" not in log
    assert "wrong-key" not in log


def test_log_that_can_not_be_written_spoils_no_answer(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk under the log costs the line, not the answer."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:  # noqa: ARG002 - a file's signature
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    assert 200 == client.post("/generate/person").status_code
