"""What the tests of the demo share: a repository of its own, stand-ins for what a run drives, and processes."""

import io
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import psutil
from esdh_demo.config import Config, Profile, read_config
from esdh_demo.paths import Paths
from esdh_demo.processes import Commands, marked_processes
from esdh_demo.steps import Run, Session
from rich.console import Console

HERE = Path(__file__).parent / "demo"
PATIENCE = 60  # seconds; nobody waits so long unless something is wrong
CONFIG = """
server: {start_seconds: 20, stop_seconds: 2}
runs: {keep: 5, step_seconds: 300}
profiles:
  baseline: {description: Few records, records: 20, seed: 20240601, formats: [csv, json, ndjson]}
  drawn: {description: A seed for once, records: 3, seed: random, formats: [csv]}
"""


def fake_server(mode: str) -> tuple[str, ...]:
    """Return the command of a server that misbehaves."""
    return (sys.executable, str(HERE / "fake_server.py"), mode)


def make_paths(folder: Path, config: str = CONFIG) -> Paths:
    """Make a repository that has the demo's configuration and nothing else."""
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "demo.yaml").write_text(config)
    return Paths(folder)


def text_console() -> Console:
    """Return a console that keeps what is printed."""
    return Console(file=io.StringIO(), soft_wrap=True, highlight=False, markup=False)


def printed(console: Console) -> str:
    """Return what a console has printed."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def config_of(paths: Paths, **server: float) -> Config:
    """Return a repository's configuration, the server's seconds set to others."""
    config = read_config(paths)
    return msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, **server))


def make_session(paths: Paths, commands: Commands | None = None, **server: float) -> Session:
    """Return a session whose console keeps what is printed, the server's seconds set to others."""
    session = Session(paths, commands or Commands(), text_console())
    session.config = config_of(paths, **server)
    return session


@dataclass(frozen=True)
class Finished:
    """A real run that has ended well."""

    paths: Paths
    run: Run
    folder: Path
    profile: Profile


@dataclass
class Driven:
    """`esdh-demo` in a process of its own."""

    process: "subprocess.Popen[str]"
    ready: Path  # a named pipe

    def wait_ready(self) -> None:
        """Return when a stand-in says that it has started."""
        # Not blocked for ever when the run ends before it starts the stand-in.
        pipe = os.open(self.ready, os.O_RDWR | os.O_NONBLOCK)
        try:
            assert select.select([pipe], [], [], PATIENCE)[0], "the stand-in was never started"
            assert b"ready" == os.read(pipe, 5)
        finally:
            os.close(pipe)

    def end(self) -> tuple[int, str]:
        """Return the exit status, and everything that was printed."""
        out, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out


Start: TypeAlias = Callable[..., Driven]


def gone(paths: Paths) -> bool:
    """Return whether all processes of runs are gone, once those on their way have had time to go."""
    processes = [each.process for each in marked_processes(paths.runs)]
    return not psutil.wait_procs(processes, timeout=PATIENCE)[1]


def entries(paths: Paths) -> list[dict[str, Any]]:
    """Return the log's lines; every one of them must be JSON."""
    return [json.loads(line) for line in paths.log.read_text(encoding="utf-8").splitlines()]
