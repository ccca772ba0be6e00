"""A server that misbehaves is diagnosed, ended and leaves nothing behind."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from demoing import Finished, fake_server, gone, make_session, printed
from esdh_demo.errors import DemoError
from esdh_demo.flow import flow
from esdh_demo.paths import Paths
from esdh_demo.processes import Commands, marked_processes
from esdh_demo.server import RunningServer, serving
from esdh_demo.steps import Run, open_run


@contextmanager
def running(paths: Paths, mode: str, *, seconds: float = 20) -> Iterator[Run]:
    """A run whose server misbehaves."""
    session = make_session(paths, Commands(serve=fake_server(mode)), start_seconds=seconds)
    with open_run(session, "validate") as run:
        yield run


@pytest.mark.parametrize(
    ("mode", "seconds", "why"),
    [
        ("broken", 20, r"died with status 1 before it told its address; it said: no such configuration"),
        ("mute", 0.2, r"didn't tell its address within 0\.2 seconds"),
    ],
)
def test_server_without_an_address(paths: Paths, mode: str, seconds: float, why: str) -> None:
    """A server that dies or says nothing stops the run with the reason."""
    with pytest.raises(DemoError, match=why), running(paths, mode, seconds=seconds) as run, serving(run):
        pytest.fail("it has no address")
    assert [] == marked_processes(paths.runs)


@pytest.mark.parametrize(("mode", "why"), [("deaf", "got no answer: timed out"), ("unwell", "status 503")])
def test_server_that_is_not_healthy(paths: Paths, mode: str, why: str) -> None:
    """A server that listens and isn't healthy stops the run with what it answered, or that it didn't in time."""
    with (
        pytest.raises(DemoError, match=f"GET /healthz .*{why}"),
        running(paths, mode) as run,
        serving(run) as server,
    ):
        replace(server, start_seconds=0.3).health()
    assert [] == marked_processes(paths.runs)


def call(server: RunningServer) -> None:
    """Ask for a person, once the server is well."""
    server.health()
    server.post("/generate/person", {"records": 1})


def test_server_that_dies_at_work(paths: Paths) -> None:
    """A server that dies under a call is reported as that, with the end of its stderr."""
    with (
        pytest.raises(DemoError, match="the server died with status 3; it said: out of memory"),
        running(paths, "dies") as run,
        serving(run) as server,
    ):
        call(server)
    assert [] == marked_processes(paths.runs)


def test_port_that_is_taken(paths: Paths) -> None:
    """Where the port that was asked for is taken a free one is, and the run says so."""
    session = make_session(paths)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with (
            open_run(session, "validate") as run,
            serving(run, port=port) as server,
        ):
            health, _ = server.health()
            assert "ok" == health.status
            assert port != server.port
    assert f"port {port} of 127.0.0.1 can't be had" in printed(session.console)
    assert "taking a free port instead" in printed(session.console)


def test_answers_that_differ(finished: Finished, paths: Paths, fast: Commands) -> None:
    """An API whose rows differ from the snapshot's is caught at the first record and field, with both values."""
    commands = Commands(esdh=fast.esdh, serve=fake_server("untrue"))
    session = make_session(paths, commands)
    profile = session.config.profile("baseline")
    with (
        pytest.raises(
            DemoError, match="record 0, first_name: the snapshot has 'Louise' and the API gives 'Louisa'"
        ),
        open_run(session, "baseline", profile) as run,
    ):
        flow(run, profile, port=0)
    assert finished.run.record.seed == run.record.seed
    assert "preview    FAILED" in printed(session.console)


def test_command_that_takes_too_long(paths: Paths) -> None:
    """A command that isn't done in time is stopped and named."""
    commands = Commands(esdh=(sys.executable, "-c", "import signal; signal.pause()"))
    with (
        pytest.raises(DemoError, match=r"generate was not done after 0\.1 seconds and was stopped"),
        open_run(make_session(paths), "validate") as run,
    ):
        replace(run.processes, seconds=0.1).run("generate", commands.esdh)
    assert [] == marked_processes(paths.runs)


def test_process_that_a_command_leaves(paths: Paths) -> None:
    """What a command leaves behind in the background ends with it."""
    script = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])"
    )
    with open_run(make_session(paths), "validate") as run:
        run.processes.run("leaves", (sys.executable, "-c", script))
        assert gone(paths)
