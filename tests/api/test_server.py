"""The server as a process: its start, its stop, and what it refuses before the app sees it."""

import contextlib
import errno
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from typing import Any

import pytest
from esdh_api.server import hold_back
from serving import PYTHON, STOPS_WITHIN, Server, environment, serving

PERSON_0 = "7325de0f-b0c4-806c-8636-3e3a1bdbceb4"
BODY = b'{"records": 2, "seed": 7}'
HEAD = (
    b"POST /generate/person HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(BODY)
)


def run(*options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the server's command where it is to fail."""
    return subprocess.run(
        [*PYTHON, *options],
        env=environment(**variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def get(server: Server, path: str) -> Any:
    """Return the JSON at a path."""
    with urllib.request.urlopen(server.url + path) as answer:
        return json.load(answer)


def begun(server: Server) -> socket.socket:
    """Return a connection with a request under way: its head is read, and its body awaited."""
    connection = server.connect()
    connection.sendall(HEAD)
    assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
    return connection


def until_refused(server: Server) -> None:
    """Wait until a server that was told to stop refuses new connections."""
    while not server.refuses():
        assert server.process.poll() is None


def answer_on(connection: socket.socket) -> http.client.HTTPResponse:
    """Return the answer that comes on a connection."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer


def raw(server: Server, request: bytes) -> tuple[int, dict[str, str], Any]:
    """Send bytes and return the answer's status, headers and JSON."""
    with server.connect() as connection:
        connection.sendall(request)
        answer = answer_on(connection)
        return answer.status, dict(answer.headers), json.loads(answer.read())


@pytest.fixture(scope="module")
def server() -> Any:
    """A server that these tests share."""
    with serving("--threads", "2") as running:
        yield running


def test_start_prints_the_addresses_and_stop_is_clean() -> None:
    """The server prints its address and the page's, answers there, and stops on SIGTERM with status 0."""
    with serving() as server:
        assert "ok" == get(server, "/healthz")["status"]
        assert 0 == server.stop()
        assert server.process.stdout is not None
        assert f"Demo page at {server.url}/demo\n" in (rest := server.process.stdout.read())
        assert rest.endswith("Stopped\n")
        assert ["/healthz"] == [line["route"] for line in server.log()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_request_under_way_finishes_first(number: signal.Signals) -> None:
    """Told to stop during a request, the server refuses new connections, answers, closes and exits with 0."""
    with serving() as server, begun(server) as connection:
        server.process.send_signal(number)
        until_refused(server)
        connection.sendall(BODY)
        answer = answer_on(connection)
        assert (200, "close") == (answer.status, answer.headers["Connection"])
        document = json.loads(answer.read())
        assert (7, 2) == (document["seed"], document["record_count"])
        assert 0 == server.process.wait(STOPS_WITHIN)
        assert [200] == [line["status"] for line in server.log()]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can hold connections back")
def test_no_connection_is_completed_that_would_be_reset() -> None:
    """A listener that is held back has the connections that were made before, and the kernel makes no others."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as late:
        address = listener.getsockname()
        with socket.create_connection(address):
            hold_back(listener)
            listener.setblocking(False)
            late.setblocking(False)
            assert errno.EINPROGRESS == late.connect_ex(address)
            listener.accept()[0].close()
            with pytest.raises(BlockingIOError):
                listener.accept()


def test_request_that_was_sent_is_answered() -> None:
    """A request that was sent before the signal is answered in full, though it takes a while."""
    with serving(ESDH_MAX_RECORDS="20000") as server, server.connect() as connection:
        body = b'{"records": 20000}'
        head = b"POST /generate/bundle HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        server.process.send_signal(signal.SIGTERM)
        answer = answer_on(connection)
        assert 200 == answer.status
        assert 20_000 == len(json.loads(answer.read())["profiles"])
        assert 0 == server.process.wait(STOPS_WITHIN)


def test_idle_connection_does_not_hold_up_the_stop() -> None:
    """A client that keeps its connection open after an answer is no reason to wait."""
    with serving() as server:
        client = http.client.HTTPConnection(server.host, server.port)
        client.request("GET", "/healthz")
        assert client.getresponse().read()
        assert 0 == server.stop()
        client.close()


def test_second_signal_stops_at_once() -> None:
    """A second signal cuts off a request that doesn't end, and the status says which signal."""
    with serving() as server, begun(server):
        server.process.send_signal(signal.SIGTERM)
        until_refused(server)
        assert 128 + signal.SIGTERM == server.stop()


def test_what_waitress_says_is_json_too() -> None:
    """Waitress's own warnings (here, of its limit of open connections) are JSON lines, and it recovers."""
    with serving() as server, ExitStack() as opened:
        for _ in range(110):
            opened.enter_context(server.connect())
        while not (lines := server.log()):
            assert server.process.poll() is None
        assert "warning" == lines[0]["level"]
        assert "connection limit" in lines[0]["event"]
        opened.close()
        assert "ok" == get(server, "/healthz")["status"]
        assert 0 == server.stop()


def test_busy_port(server: Server) -> None:
    """A port that is taken is one sentence that tells it and what to do."""
    done = run("--port", str(server.port))
    assert (1, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert f"port {server.port} of 127.0.0.1 can't be had: another program listens there" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_host_that_is_not_ours(host: str) -> None:
    """A host that isn't this machine's is one sentence."""
    done = run("--host", host, "--port", "0")
    assert (1, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert host in done.stderr


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ESDH_API_KEY": ""}, "ESDH_API_KEY is set but empty"),
        ({"ESDH_MAX_RECORDS": "many"}, "ESDH_MAX_RECORDS is 'many'"),
    ],
)
@pytest.mark.parametrize("flask", [False, True])
def test_bad_setting_stops_the_start(variables: dict[str, str], message: str, *, flask: bool) -> None:
    """A setting that can't be is one sentence and status 2, with Flask's own server too."""
    command = [sys.executable, "-m", "flask", "--app", "esdh_api", "run"] if flask else [*PYTHON]
    done = subprocess.run(
        [*command, "--port", "0"], env=environment(**variables), capture_output=True, text=True, check=False
    )
    assert (2, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines()), done.stderr
    assert message in done.stderr


def test_flask_runs_the_app() -> None:
    """Flask's development server finds the factory and serves it."""
    command = [sys.executable, "-m", "flask", "--app", "esdh_api", "run", "--port", "0"]
    with subprocess.Popen(
        command, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stderr is not None
            url = next(found[0] for line in process.stderr if (found := re.search(r"http://[\d.:]+", line)))
            with urllib.request.urlopen(f"{url}/healthz") as answer:
                assert "ok" == json.load(answer)["status"]
        finally:
            process.terminate()


def test_open_to_the_network_without_a_key_is_warned_of() -> None:
    """Listening for others without a key is a line in the log; with a key it is not."""
    with serving("--host", "0.0.0.0") as server:
        assert 0 == server.stop()
        assert ["warning"] == [line["level"] for line in server.log()]
        assert "ESDH_API_KEY" in server.log()[0]["event"]
    with serving("--host", "0.0.0.0", ESDH_API_KEY="secret") as server:
        assert 0 == server.stop()
        assert [] == server.log()


def test_key_in_any_script_opens_over_the_wire() -> None:
    """The UTF-8 bytes of a key that is not ASCII open a real server, and stand nowhere in its log."""
    with serving(ESDH_API_KEY="ключ") as server:
        request = (
            b"POST /generate/person HTTP/1.1\r\nHost: test\r\nX-API-Key: %s\r\nConnection: close\r\n\r\n"
        )
        assert 200 == raw(server, request % "ключ".encode())[0]
        assert 401 == raw(server, request % "ключи".encode())[0]
        assert 0 == server.stop()
        assert [200, 401] == [line["status"] for line in server.log()]
        assert "ключ" not in str(server.log())


@pytest.mark.parametrize("path", ["/demo", "/openapi.json", "/plan", f"/records/{PERSON_0}"])
def test_connection_outlives_its_answers(server: Server, path: str) -> None:
    """A 304, an answer to HEAD and an error leave the connection open for the next call, as a 200 does."""
    with contextlib.closing(http.client.HTTPConnection(server.host, server.port)) as connection:

        def status(method: str, **headers: str) -> int:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert not answer.will_close
            return answer.status

        connection.request("GET", path)
        first = connection.getresponse()
        assert (200, False) == (first.status, first.will_close)
        first.read()
        used = connection.sock
        known = {"If-None-Match": first.headers["ETag"]}
        assert [304, 304, 200, 405, 304, 200] == [
            status("GET", **known),
            status("HEAD", **known),
            status("HEAD"),
            status("POST"),
            status("GET", **known),
            status("OPTIONS"),
        ]
        assert used is connection.sock


@pytest.mark.parametrize("head", ["HTTP/1.1\r\nHost: test\r\nConnection: close", "HTTP/1.0"])
def test_connection_closes_after_a_304_where_the_client_asks(server: Server, head: str) -> None:
    """A client that asks for it, or one of HTTP/1.0, sees the connection end after a 304."""
    with server.connect() as connection:
        connection.sendall(f"GET /demo {head}\r\nIf-None-Match: *\r\n\r\n".encode())
        answer = answer_on(connection)
        assert (304, "close") == (answer.status, answer.headers["Connection"])
        assert b"" == answer.read() + connection.recv(1)


@pytest.mark.parametrize(
    ("size", "status"), [(2, 200), (65_536, 200), (65_537, 413), (1_048_575, 413), (1_048_577, 413)]
)
@pytest.mark.parametrize("chunked", [False, True])
def test_body_sizes_over_the_wire(server: Server, size: int, status: int, *, chunked: bool) -> None:
    """A body up to 64 KiB is read, in chunks too; a larger one is 413 in the envelope."""
    body = b"{}".ljust(size)
    head = b"POST /generate/person HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nConnection: close\r\n"
    if chunked:
        sent = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (size, body)
    elif size > 1 << 20:  # refused by its announced length, before any of it is read
        sent = head + b"Content-Length: %d\r\n\r\n" % size
    else:
        sent = head + b"Content-Length: %d\r\n\r\n" % size + body
    given, headers, document = raw(server, sent)
    assert status == given
    if status == 413:
        assert "payload_too_large" == document["error"]["code"]
    assert "application/json" == headers["Content-Type"]


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, "invalid_request"),
        (b"nonsense\r\n\r\n", 400, "invalid_request"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not_implemented"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431, "request_header_fields_too_large"),
    ],
)
def test_what_is_no_request(server: Server, request_: bytes, status: int, code: str) -> None:
    """What waitress refuses by itself has the envelope, the headers and a line in the log like the rest."""
    given, headers, document = raw(server, request_)
    assert (status, code) == (given, document["error"]["code"])
    assert {"Content-Security-Policy", "X-Content-Type-Options", "X-Request-Id"} <= set(headers)
    assert headers["X-Request-Id"] in [line.get("request_id") for line in server.log()]
