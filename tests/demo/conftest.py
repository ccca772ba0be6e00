"""A repository of the demo's own in a temporary folder, one real run, and runs in processes of their own."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from demoing import HERE, PATIENCE, Driven, Finished, Start, make_paths, make_session
from esdh_demo.flow import flow
from esdh_demo.paths import Paths
from esdh_demo.processes import Commands, marked_processes
from esdh_demo.steps import open_run


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A repository of one's own."""
    return make_paths(tmp_path / "repository")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One real run of few records: the real commands and the real server."""
    paths = make_paths(tmp_path_factory.mktemp("finished") / "repository")
    session = make_session(paths)
    profile = session.config.profile("baseline")
    with open_run(session, "baseline", profile) as run:
        flow(run, profile, port=0)
    assert run.artifacts is not None
    return Finished(paths, run, run.artifacts, profile)


@pytest.fixture
def fast(finished: Finished) -> Commands:
    """The real server, and an `esdh` that repeats the real run's answers."""
    return Commands(esdh=(sys.executable, str(HERE / "fake_esdh.py"), str(finished.folder)))


@pytest.fixture
def start(paths: Paths, fast: Commands, tmp_path: Path) -> Iterator[Start]:
    """Start `esdh-demo` in the repository; nothing that it started may be alive at the end of a test."""
    started: list[subprocess.Popen[str]] = []
    ready = tmp_path / "ready"
    os.mkfifo(ready)

    def begin(
        *arguments: str,
        commands: Commands = fast,
        environment: Mapping[str, str] | None = None,
        wrapper: Sequence[str] = (),
        before: Callable[[], None] | None = None,
    ) -> Driven:
        words = {"esdh": commands.esdh, "serve": commands.serve, "pytest": commands.pytest}
        process = subprocess.Popen(
            [*wrapper, sys.executable, str(HERE / "driver.py"), json.dumps(words), *arguments],
            cwd=paths.root,
            env=os.environ | {"FAKE_READY": str(ready), "COLUMNS": "200"} | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=before,  # noqa: PLW1509 - pytest has no other thread here, and only limits are set
        )
        started.append(process)
        return Driven(process, ready)

    yield begin
    for process in started:
        process.kill()
        process.wait(PATIENCE)
        if process.stdout is not None:
            process.stdout.close()
    alive = marked_processes(paths.runs)
    for each in alive:
        each.process.kill()
    psutil.wait_procs([each.process for each in alive], timeout=PATIENCE)
    assert [] == alive


@pytest.fixture
def terminal(paths: Paths) -> Callable[..., str]:
    """Run `esdh-demo` on a terminal, answer it, and return what it shows."""

    def run(*arguments: str, answer: str = "", commands: Commands | None = None, **variables: str) -> str:
        words = {} if commands is None else {"esdh": commands.esdh, "serve": commands.serve}
        ours, theirs = pty.openpty()
        own = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "DISPLAY")}
        process = subprocess.Popen(
            [sys.executable, str(HERE / "driver.py"), json.dumps(words), *arguments],
            cwd=paths.root,
            env=own | {"COLUMNS": "200"} | variables,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.write(ours, answer.encode())
        shown = b""
        with suppress(OSError):  # the terminal's end
            while read := os.read(ours, 65_536):
                shown += read
        os.close(ours)
        process.wait(PATIENCE)
        return shown.decode()

    return run
