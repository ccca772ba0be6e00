"""The doctor: what of this machine a demo needs, what is wrong with it, and how to mend it. It changes nothing."""

import errno
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import psutil

from esdh_demo.config import Config, Profile, read_config
from esdh_demo.errors import DemoError
from esdh_demo.places import Places
from esdh_demo.runs import Archive

__all__ = ["Finding", "examine"]

_PYTHON = (3, 11)
_UV_SECONDS = 20
_SERVE_PORT = 5000  # the default of `esdh serve`
# Bytes of a record, all three entities, measured with 100,000 records of the default seed.
_BYTES = {"csv": 600, "json": 1_250, "ndjson": 1_250, "parquet": 150}
_ROOM = 2  # a snapshot's own staging takes its size twice for a moment, and the answers are kept too
_LEAST = 100_000_000  # bytes that a run of any size is given


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, and what mends it (empty when it is well)."""

    subject: str
    state: Literal["ok", "note", "wrong"]
    found: str
    remedy: str = ""


def examine(places: Places) -> list[Finding]:
    """Return a finding for each thing that a demo needs, whatever is wrong with the others."""
    looks: tuple[Callable[[Places], Iterator[Finding]], ...] = (
        _python,
        _uv,
        _packages,
        _config,
        _ports,
        _disk,
        _permissions,
        _stale,
    )
    return [finding for look in looks for finding in look(places)]


def _python(_: Places) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= _PYTHON:
        yield Finding("Python", "ok", found)
    else:
        yield Finding("Python", "wrong", found, "install Python 3.11 or later, then run `uv sync`")


def _uv(_: Places) -> Iterator[Finding]:
    path = shutil.which("uv")
    if path is None:
        yield Finding(
            "uv",
            "note",
            "not on the PATH; what is installed runs without it",
            "python -m pip install 'uv>=0.9'",
        )
        return
    try:
        told = subprocess.run(  # noqa: S603 - the uv of the PATH, as the operator has it
            [path, "--version"], capture_output=True, text=True, timeout=_UV_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding(
            "uv", "wrong", f"doesn't run: {error}", "python -m pip install --force-reinstall 'uv>=0.9'"
        )
    else:
        yield Finding("uv", "ok", told.stdout.split("(")[0].strip())


def _packages(_: Places) -> Iterator[Finding]:
    needed = {"esdh_cli": "the commands", "esdh_api": "the server", "pytest": "the smoke tests"}
    missing = [f"{name} ({what})" for name, what in needed.items() if find_spec(name) is None]
    if missing:
        yield Finding("packages", "wrong", f"not installed: {', '.join(missing)}", "uv sync")
    else:
        yield Finding("packages", "ok", "the commands, the server and the tests are installed")


def _config(places: Places) -> Iterator[Finding]:
    try:
        config = read_config(places.config, shown=places.shown(places.config))
    except DemoError as error:
        yield Finding("config", "wrong", error.what, error.remedy)
    else:
        yield Finding("config", "ok", f"profiles {', '.join(config.profiles)}")


def _ports(places: Places) -> Iterator[Finding]:
    reason = _refusal(0)
    if reason is not None:
        yield Finding(
            "ports", "wrong", f"no port of 127.0.0.1 can be had: {reason}", "bring the loopback interface up"
        )
        return
    yield Finding("ports", "ok", "a free port of 127.0.0.1 can be had")
    config = _config_of(places)
    for port in sorted({_SERVE_PORT, config.server.port if config else 0} - {0}):
        reason = _refusal(port)
        if reason is not None:
            yield Finding(
                f"port {port}",
                "note",
                f"{reason}{_listener(port)}; a run takes a free port instead",
                "end that program, or give `esdh serve` another port (--port)",
            )


def _disk(places: Places) -> Iterator[Finding]:
    folder = next(path for path in (places.runs, *places.runs.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    config = _config_of(places)
    wanting = [
        f"{name} ({_needs(profile) / 1e6:,.0f} MB)"
        for name, profile in (config.profiles if config else {}).items()
        if _needs(profile) > free
    ]
    remedy = "free some space, take old runs away (`just demo-clean`), or name another folder with --runs"
    if free < _LEAST:
        yield Finding("disk", "wrong", f"{free / 1e6:,.0f} MB free", remedy)
    elif wanting:
        yield Finding(
            "disk", "note", f"{free / 1e6:,.0f} MB free, too little for {', '.join(wanting)}", remedy
        )
    else:
        yield Finding("disk", "ok", f"{free / 1e9:,.1f} GB free, enough for every profile")


def _permissions(places: Places) -> Iterator[Finding]:
    shown = places.shown(places.runs)
    existing = next(
        path for path in (places.runs, *places.runs.parents) if path.exists() or path.is_symlink()
    )
    probe = existing / f".probe-{os.getpid()}"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        remedy = f"make it writable (on Linux and macOS: chmod u+w {places.shown(existing)}), or name another with --runs"
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            remedy = f"a file stands where a folder must be: move {places.shown(existing)} away"
        yield Finding("permissions", "wrong", f"{shown} can't be written: {error.strerror}", remedy)
    else:
        yield Finding("permissions", "ok", f"{shown} can be written")


def _stale(places: Places) -> Iterator[Finding]:
    archive = Archive(places)
    try:
        stale, running = archive.stale(), archive.running()
    except OSError as error:
        yield Finding("runs", "wrong", f"can't be looked at: {error.strerror}", "see the permissions above")
        return
    if stale:
        yield Finding(
            "runs", "wrong", f"left by runs that were cut off: {'; '.join(stale)}", "uv run just demo-stop"
        )
    elif running:
        yield Finding("runs", "note", f"under way: {', '.join(running)}", "uv run just demo-stop, to stop it")
    else:
        yield Finding("runs", "ok", f"{len(archive.complete())} complete, none cut off, none under way")


def _config_of(places: Places) -> Config | None:
    try:
        return read_config(places.config, shown="")
    except DemoError:  # told once, by _config
        return None


def _needs(profile: Profile) -> int:
    return max(_LEAST, _ROOM * profile.records * sum(_BYTES[form] for form in profile.formats))


def _refusal(port: int) -> str | None:
    """Return why a port of the loopback interface can't be listened on, None when it can."""
    with socket.socket() as probe:
        if os.name == "posix":  # as the server does, so that a port that was just left counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError as error:
            return "taken" if error.errno == errno.EADDRINUSE else str(error.strerror)
    return None


def _listener(port: int) -> str:
    """Return the program that listens on a port, where the system tells it."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):  # macOS tells it to root alone
        pass
    return ""
