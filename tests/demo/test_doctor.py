"""The doctor finds what is wrong, says how to mend it, and changes nothing."""

import os
import shutil
import socket
from pathlib import Path
from typing import NamedTuple

import pytest
from demoing import CONFIG, make_paths
from esdh_demo import doctor
from esdh_demo.doctor import Finding, examine
from esdh_demo.paths import Paths
from esdh_demo.runs import RunStore


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


def finding(paths: Paths, subject: str) -> Finding:
    """Return what the doctor says of one thing."""
    return next(each for each in examine(paths) if each.subject == subject)


def test_machine_that_is_well(paths: Paths) -> None:
    """On a machine that is well nothing is wrong, nothing needs mending, and nothing is made."""
    findings = examine(paths)
    assert [] == [each for each in findings if each.state == "wrong"]
    assert {"Python", "uv", "packages", "config", "ports", "disk", "permissions", "runs"} <= {
        each.subject for each in findings
    }
    assert not paths.runs.exists()


@pytest.mark.parametrize(("subject", "state"), [("uv", "note"), ("packages", "wrong")])
def test_what_is_not_installed(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, subject: str, state: str
) -> None:
    """A uv or a package that isn't there is reported with the command that installs it."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "esdh_api" else object())
    found = finding(paths, subject)
    assert state == found.state
    assert "install" in found.remedy or "uv sync" in found.remedy


def test_uv_that_does_not_run(paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A uv that is on the PATH and doesn't run is wrong."""
    broken = tmp_path / "uv"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert "wrong" == finding(paths, "uv").state


def test_config_that_is_wrong(tmp_path: Path) -> None:
    """A wrong configuration is reported with its place; the other findings are made all the same."""
    paths = make_paths(tmp_path / "r", CONFIG.replace("records:", "recrods:", 1))
    found = finding(paths, "config")
    assert "wrong" == found.state
    assert "profiles.baseline.recrods" in found.found
    assert "ok" == finding(paths, "permissions").state


def test_port_that_is_taken(tmp_path: Path) -> None:
    """A port of the configuration that is taken is reported, with who has it; a run survives it, so it is a note."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        paths = make_paths(tmp_path / "r", CONFIG.replace("server: {", f"server: {{port: {port}, "))
        found = finding(paths, f"port {port}")
    assert "note" == found.state
    assert (
        f"taken by {Path('/proc/self/comm').read_text().strip()}" in found.found
        if os.name == "posix"
        else True
    )


@pytest.mark.parametrize(("free", "state"), [(10_000_000, "wrong"), (150_000_000, "ok")])
def test_disk(paths: Paths, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    """A disk with too little room is wrong."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free))
    assert state == finding(paths, "disk").state


def test_disk_for_a_large_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is too small for one profile is noted with that profile."""
    paths = make_paths(tmp_path / "r", CONFIG.replace("records: 20,", "records: 1000000,"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 1_000_000_000))
    found = finding(paths, "disk")
    assert ("note", True) == (found.state, "too little for baseline" in found.found)


def test_file_in_the_place_of_the_folder(paths: Paths) -> None:
    """A file where the folder of runs must be is found."""
    paths.runs.parent.mkdir()
    paths.runs.write_text("mine")
    found = finding(paths, "permissions")
    assert ("wrong", True) == (found.state, "move data/demo_runs away" in found.remedy)


def test_stale_runs(paths: Paths) -> None:
    """A run that was cut off is wrong, one under way is noted, and neither is touched."""
    store = RunStore(paths)
    alive = store.begin("alive")
    assert ("note", True) == ((found := finding(paths, "runs")).state, alive.record.run_id in found.found)
    dead = store.begin("dead")
    dead.lock.release()
    found = finding(paths, "runs")
    assert ("wrong", True) == (found.state, dead.record.run_id in found.found)
    assert dead.folder.is_dir()
    alive.release()
