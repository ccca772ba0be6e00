"""The doctor: what of this machine a demo needs, what is wrong with it, and how to mend it. It changes nothing."""

import errno
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Literal, NamedTuple

import psutil

from esdh_demo.config import Config, Profile, read_config
from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths
from esdh_demo.runs import RunStore, check_writable
from esdh_demo.server import port_problem

__all__ = ["Finding", "examine"]

_UV_SECONDS = 20
_SERVE_PORT = 5000  # the default of `esdh serve`
# Bytes of a record, all tables, measured with 100,000 records of the default seed.
_RECORD_BYTES = {"csv": 600, "json": 1_250, "ndjson": 1_250, "parquet": 150}
_SIZES = 2  # a snapshot's own staging takes its size twice for a moment, and the answers stay too
_MIN_BYTES = 100_000_000  # that a run of any size is given


class Finding(NamedTuple):
    """The state of one thing that a demo needs, and its remedy (empty when it is well)."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    found: str
    remedy: str = ""


def examine(paths: Paths) -> list[Finding]:
    """Return a finding for each thing that a demo needs, whatever is wrong with the others."""
    config = None
    try:
        config = read_config(paths)
        config_finding = Finding("config", "ok", f"profiles {', '.join(config.profiles)}")
    except DemoError as error:
        config_finding = Finding("config", "wrong", error.what, error.remedy)
    return [
        Finding("Python", "ok", platform.python_version()),
        _uv(),
        _packages(),
        config_finding,
        *_ports(config),
        _disk(paths, config),
        _permissions(paths),
        _runs(paths),
    ]


def _uv() -> Finding:
    path = shutil.which("uv")
    if path is None:
        found = "not on the PATH; what is installed runs without it"
        return Finding("uv", "note", found, "python -m pip install 'uv>=0.9'")
    try:
        done = subprocess.run(  # noqa: S603 - the uv of the PATH, as the operator has it
            [path, "--version"], capture_output=True, text=True, timeout=_UV_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        remedy = "python -m pip install --force-reinstall 'uv>=0.9'"
        return Finding("uv", "wrong", f"doesn't run: {error}", remedy)
    return Finding("uv", "ok", done.stdout.split("(")[0].strip())


def _packages() -> Finding:
    needed = {"esdh_cli": "the commands", "esdh_api": "the server", "pytest": "the smoke tests"}
    missing = [f"{name} ({what})" for name, what in needed.items() if find_spec(name) is None]
    if missing:
        return Finding("packages", "wrong", f"not installed: {', '.join(missing)}", "uv sync")
    return Finding("packages", "ok", "the commands, the server and the tests are installed")


def _ports(config: Config | None) -> Iterator[Finding]:
    if problem := port_problem(0):
        found = f"no port of 127.0.0.1 can be had: {problem}"
        yield Finding("ports", "wrong", found, "bring the loopback interface up")
        return
    yield Finding("ports", "ok", "a free port of 127.0.0.1 can be had")
    for port in sorted({_SERVE_PORT, config.server.port if config else 0} - {0}):
        if problem := port_problem(port):
            found = f"{problem}{_listener(port)}; a run takes a free port instead"
            remedy = "end that program, or give `esdh serve` another port (--port)"
            yield Finding(f"port {port}", "note", found, remedy)


def _listener(port: int) -> str:
    """Return the program that listens on a port, where the system tells it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):  # macOS tells it to root alone
        pass
    return ""


def _disk(paths: Paths, config: Config | None) -> Finding:
    folder = next(path for path in (paths.runs, *paths.runs.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    sizes = {name: _bytes_needed(profile) for name, profile in config.profiles.items()} if config else {}
    too_large = [f"{name} ({size / 1e6:,.0f} MB)" for name, size in sizes.items() if size > free]
    if free >= _MIN_BYTES and not too_large:
        return Finding("disk", "ok", f"{free / 1e9:,.1f} GB free, enough for every profile")
    found = f"{free / 1e6:,.0f} MB free" + (f", too little for {', '.join(too_large)}" if too_large else "")
    remedy = "free some space, remove old runs (`just demo-clean`), or name another folder with --runs"
    return Finding("disk", "wrong" if free < _MIN_BYTES else "note", found, remedy)


def _bytes_needed(profile: Profile) -> int:
    return max(_MIN_BYTES, _SIZES * profile.records * sum(_RECORD_BYTES[each] for each in profile.formats))


def _permissions(paths: Paths) -> Finding:
    runs = paths.display(paths.runs)
    folders = (paths.runs, *paths.runs.parents)
    existing = next(path for path in folders if path.exists() or path.is_symlink())
    try:
        check_writable(existing)
    except OSError as error:
        folder = paths.display(existing)
        remedy = f"make it writable (on Linux and macOS: chmod u+w {folder}), or name another with --runs"
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            remedy = f"a file stands where a folder must be: move {folder} away"
        return Finding("permissions", "wrong", f"{runs} can't be written: {error.strerror}", remedy)
    return Finding("permissions", "ok", f"{runs} can be written")


def _runs(paths: Paths) -> Finding:
    store = RunStore(paths)
    try:
        stale, running = store.stale(), store.running()
    except OSError as error:
        found = f"can't be looked at: {error.strerror}"
        return Finding("runs", "wrong", found, "see the permissions above")
    if stale:
        found = f"left by runs that were cut off: {'; '.join(stale)}"
        return Finding("runs", "wrong", found, "uv run just demo-stop")
    if running:
        remedy = "uv run just demo-stop, to stop it"
        return Finding("runs", "note", f"under way: {', '.join(running)}", remedy)
    return Finding("runs", "ok", f"{len(store.complete())} complete, none cut off, none under way")
