"""What a run survives, in processes of its own: Ctrl-C, kill -9, a full disk, a folder that can't be written."""

import errno
import json
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable

import psutil
import pytest
from demoing import Start, entries, fake_server, gone, make_session
from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths
from esdh_demo.processes import Commands, marked_processes
from esdh_demo.runs import RunStore
from esdh_demo.steps import open_run

BLOCK = "import os, signal; open(os.environ['FAKE_READY'], 'w').write('ready'); signal.pause()"
BLOCKS = (sys.executable, "-c", BLOCK)
NOTHING = (sys.executable, "-c", "raise SystemExit('nothing here')")
RUN = ("run", "--skip-smoke")


def names(paths: Paths) -> list[str]:
    """Return the folders of runs, without their timestamps."""
    return sorted(path.name.partition("_")[2] for path in paths.runs.glob("*Z_*"))


@pytest.mark.parametrize(
    ("step", "number"),
    [
        ("smoke", signal.SIGINT),
        ("generate", signal.SIGINT),
        ("serve", signal.SIGINT),
        ("health", signal.SIGINT),
        ("serve", signal.SIGTERM),
        ("health", signal.SIGHUP),
    ],
)
def test_interrupted_at_a_step(
    paths: Paths, start: Start, fast: Commands, step: str, number: signal.Signals
) -> None:
    """Ctrl-C, or a signal like it, at any step ends what was started, keeps what was made, and is reported."""
    commands = {
        "smoke": Commands(pytest=BLOCKS),
        "generate": Commands(esdh=BLOCKS),
        "serve": Commands(esdh=fast.esdh, serve=fake_server("mute")),
        "health": Commands(esdh=fast.esdh, serve=fake_server("deaf")),
    }[step]
    (paths.root / "tests").mkdir()
    (paths.root / "tests" / "test_it.py").write_text("# mark.demo")
    driven = start("run", *([] if step == "smoke" else ["--skip-smoke"]), commands=commands)
    driven.wait_ready()
    assert marked_processes(paths.runs)
    driven.process.send_signal(number)
    status, out = driven.end()
    assert 130 == status
    assert "Interrupted; everything that was started has ended" in out
    assert "Traceback" not in out
    assert [] == marked_processes(paths.runs)
    assert ["baseline.failed"] == names(paths)
    last = entries(paths)[-1]
    assert ("run.finished", "interrupted") == (last["event"], last["status"])
    assert "interrupted" == last["failure"]["what"]


def test_killed_runner_takes_its_server_along(paths: Paths, start: Start, fast: Commands) -> None:
    """After kill -9 of the runner the server ends by itself; the next run names the folder and says so."""
    driven = start(*RUN, commands=Commands(esdh=fast.esdh, serve=fake_server("mute")))
    driven.wait_ready()
    driven.process.kill()
    driven.end()
    assert gone(paths)
    _, out = start(*RUN, commands=Commands(esdh=NOTHING)).end()
    assert "was cut off; cleaned up: kept what it had made as" in out
    assert ["baseline.failed", "baseline.failed"] == names(paths)
    assert "run.swept" in [entry["event"] for entry in entries(paths)]


def test_killed_runner_and_supervisor(paths: Paths, start: Start, fast: Commands) -> None:
    """Where the supervisor is killed too the server lives on; it is found, and `stop` ends it and says so."""
    driven = start(*RUN, commands=Commands(esdh=fast.esdh, serve=fake_server("mute")))
    driven.wait_ready()
    supervisor = psutil.Process(driven.process.pid).children()[0]
    supervisor.suspend()
    driven.process.kill()
    supervisor.kill()
    supervisor.wait()  # it carries the mark of its server, and may take a moment to go
    driven.end()
    left = [each for each in marked_processes(paths.runs) if "serve" == each.command]
    assert 1 == len(left)
    assert f"{left[0]} of run {left[0].run_id}" in RunStore(paths).stale()
    status, out = start("stop").end()
    assert 0 == status
    assert f"ended {left[0]}" in out
    assert gone(paths)
    assert ["baseline.failed"] == names(paths)


def test_stubborn_server_is_killed(paths: Paths, start: Start, fast: Commands) -> None:
    """A server that doesn't stop when told is killed after its seconds."""
    driven = start(*RUN, commands=Commands(esdh=fast.esdh, serve=fake_server("stubborn")))
    driven.wait_ready()
    driven.process.send_signal(signal.SIGINT)
    assert 130 == driven.end()[0]
    assert [] == marked_processes(paths.runs)


def test_stop_ends_a_run_under_way(paths: Paths, start: Start, fast: Commands) -> None:
    """`stop` from another terminal ends a run in order."""
    driven = start(*RUN, commands=Commands(esdh=fast.esdh, serve=fake_server("mute")))
    driven.wait_ready()
    status, out = start("stop").end()
    assert (0, True) == (status, out.startswith("stopped run "))
    assert 130 == driven.end()[0]
    assert ["baseline.failed"] == names(paths)


def test_two_runs_at_once(paths: Paths, start: Start) -> None:
    """Two runs that overlap both end well, in folders of their own, and their log lines are whole."""
    both = [start(*RUN), start(*RUN)]
    assert [0, 0] == [each.end()[0] for each in both]
    assert ["baseline", "baseline"] == names(paths)
    runs = {entry["run_id"] for entry in entries(paths)}
    assert 2 == len(runs)
    assert (paths.runs / "latest").resolve().name == max(runs)


@pytest.mark.parametrize("most", [0, 400, 20_000])
def test_full_disk(paths: Paths, start: Start, most: int) -> None:
    """A disk that takes no more stops the run with a plain sentence, wherever it happens."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    status, out = start(*RUN, before=limit).end()
    assert 1 == status
    assert "Failed:" in out
    assert "Traceback" not in out.partition("Failed:")[0]
    assert "To do:" in out
    assert [] == [name for name in names(paths) if not name.endswith(".failed")]


def test_failure_that_can_not_be_logged(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step's failure isn't hidden by a log that can't be written."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fail_with_a_full_log() -> None:
        with open_run(make_session(paths), "validate") as run, run.step("config", "a step"):
            monkeypatch.setattr(run.log, "write", refuse)
            raise DemoError("what went wrong", remedy="mend it")

    with pytest.raises(DemoError, match="what went wrong"):
        fail_with_a_full_log()
    assert ["validate.failed"] == names(paths)


def test_file_in_the_place_of_the_folder(paths: Paths, start: Start) -> None:
    """A file where the folder of runs must be is named, and stays."""
    (paths.root / "data").mkdir()
    paths.runs.write_text("mine")
    status, out = start(*RUN).end()
    assert 1 == status
    assert "a file stands where a folder must be (data/demo_runs" in out
    assert "mine" == paths.runs.read_text()


def _without_roots_right() -> list[str]:
    """Return what starts a command that may not write where modes forbid it; root may everywhere."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root writes everywhere, and there is no setpriv to take that right away")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_read_only_folder(paths: Paths, start: Start, command: str) -> None:
    """A data folder that can't be written is named, with what mends it."""
    (paths.root / "data").mkdir(mode=0o555)
    try:
        status, out = start(command, wrapper=_without_roots_right()).end()
        assert 1 == status
        assert "Permission denied" in out
        assert "permissions" in out
        assert "Traceback" not in out
        assert [] == list((paths.root / "data").iterdir())
    finally:
        (paths.root / "data").chmod(0o755)


def test_environment_of_another_server(paths: Paths, fast: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key or a limit that is set for another server changes no demo, and reaches nothing that it starts."""
    monkeypatch.setenv("ESDH_API_KEY", "secret")
    monkeypatch.setenv("ESDH_MAX_RECORDS", "1")
    with open_run(make_session(paths, fast), "validate") as run:
        printed = run.processes.run(
            "environment", (sys.executable, "-c", "import os; print(dict(os.environ))")
        )
    assert b"ESDH_DEMO_RUN" in printed
    assert not {b"secret", b"ESDH_MAX_RECORDS"} & set(printed.replace(b"'", b" ").split())


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"NO_COLOR": "1", "TERM": "xterm"}])
def test_terminal_without_colour(variables: dict[str, str], terminal: Callable[..., str]) -> None:
    """A terminal that has no colour gets none."""
    out = terminal("doctor", **variables)
    assert "Python" in out
    assert "\x1b[3" not in out
    if variables["TERM"] == "dumb":
        assert "\x1b" not in out


def test_json_of_the_run(paths: Paths, start: Start) -> None:
    """A failed run's record says at which step and why."""
    assert 1 == start(*RUN, commands=Commands(esdh=NOTHING)).end()[0]
    record = json.loads(next(paths.runs.glob("*.failed/run.json")).read_text())
    assert ("failed", "generate") == (record["status"], record["failure"]["step"])
    assert "nothing here" in record["failure"]["what"]
