"""The command's errands, and what it says on a terminal."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from demoing import Finished, Start, entries
from esdh_demo.command import main
from esdh_demo.paths import Paths
from esdh_demo.processes import Commands
from esdh_demo.runs import RunStore


def ask(paths: Paths, *arguments: str, answer: str = "") -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["--root", str(paths.root), *arguments], input=answer)


def test_help_lists_the_errands() -> None:
    """--help has every errand, and examples."""
    result = CliRunner().invoke(main, ["--help"])
    for name in ("gate", "run", "validate", "smoke", "list", "log", "clean", "stop", "doctor"):
        assert f"\n  {name} " in result.output
    assert "esdh-demo run --profile heavy" in result.output


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gate", "Validate the repository"),
        ("run", "Run the smoke tests, then the flow"),
        ("validate", "Hold config, plan, rows"),
        ("smoke", "Run the tests marked"),
        ("list", "List the runs that are kept"),
        ("log", "Print the last run's events"),
        ("clean", "Remove all runs but the newest"),
        ("stop", "Stop every run under way"),
        ("doctor", "Look at Python"),
        ("write-samples", "Write data/demo_samples"),
    ],
)
def test_help_of_an_errand(name: str, words: str) -> None:
    """Each errand's --help says what it does, in words that Python keeps without docstrings too."""
    script = "import sys; from esdh_demo.command import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-OO", "-c", script, name, "--help"], capture_output=True, text=True, check=True
    )
    assert words in " ".join(done.stdout.split())


def test_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a repository one sentence says what to do."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["list"])
    assert (1, 1) == (result.exit_code, len(result.output.splitlines()))
    assert "name the repository with --root" in result.output


def test_unknown_profile(paths: Paths) -> None:
    """An unknown profile is refused with the near match, before anything starts."""
    result = ask(paths, "run", "--profile", "baselin")
    assert 1 == result.exit_code
    assert "did you mean 'baseline'?" in result.output
    assert not paths.runs.exists()


def test_list_and_log(finished: Finished) -> None:
    """`list` has the run, marked as the latest, and `log` its events."""
    listed = ask(finished.paths, "list").output
    assert f"{finished.run.record.run_id} (latest)" in " ".join(listed.split())
    lines = ask(finished.paths, "log").output.splitlines()
    assert f"Run {finished.run.record.run_id}" == lines[0]
    assert "run.started" in lines[1]
    assert "run.finished" in lines[-1]
    assert 2 + 2 * 8 == len(lines) - 1
    assert 1 == ask(finished.paths, "log", "--run", "other").exit_code


def test_before_the_first_run(paths: Paths) -> None:
    """Before the first run the errands say so."""
    assert "No runs yet" in ask(paths, "list").output
    assert "no run has been logged yet" in ask(paths, "log").output
    assert "Nothing to remove" in ask(paths, "clean").output
    assert "Nothing of the demo was running" in ask(paths, "stop").output
    assert not paths.runs.exists()


def test_clean_asks(paths: Paths) -> None:
    """`clean` asks, removes nothing without a yes, and everything with --yes."""
    store = RunStore(paths)
    failed = store.begin("baseline")
    kept = store.fail(failed)
    refused = ask(paths, "clean", answer="n\n")
    assert (1, True) == (refused.exit_code, kept.exists())
    assert "Remove 1 runs and the log of data/demo_runs?" in refused.output
    done = ask(paths, "clean", "--yes")
    assert (0, False) == (done.exit_code, kept.exists())
    assert f"Removed data/demo_runs/{kept.name}" in done.output


def test_gate_stops_at_the_first_failure(paths: Paths, start: Start) -> None:
    """The gate stops at the first failure with a plain diagnosis and status 1."""
    fails = Commands(serve=(sys.executable, "-c", "raise SystemExit('there is no plan')"))
    status, out = start("gate", commands=fails).end()
    assert 1 == status
    assert (
        "Failed: the server died with status 1 before it told its address; it said: there is no plan" in out
    )
    assert "To do:" in out
    assert "Kept:   data/demo_runs/" in out
    steps = [entry["step"] for entry in entries(paths) if entry["event"] == "step.started"]
    assert ["config", "samples"] == steps


def test_summary(paths: Paths, start: Start) -> None:
    """At the end stand what was made, where, each step's time, and what to try next."""
    status, out = start("run", "--skip-smoke").end()
    assert 0 == status
    run_id = RunStore(paths).complete()[0].name
    assert f"All passed. In data/demo_runs/{run_id} (and data/demo_runs/latest):" in out
    assert "report.html" in out
    assert "Try next:" in out
    [record] = [json.loads(path.read_text()) for path in paths.runs.glob("*Z_baseline/run.json")]
    for step in record["steps"]:
        assert any(line.split()[:2] == [step["name"], "passed"] for line in out.splitlines())


def test_interactive_pauses(terminal: Callable[..., str], fast: Commands) -> None:
    """On a terminal --interactive asks before each step, and tells the demo page where there is no browser."""
    out = terminal("run", "--skip-smoke", "--interactive", commands=fast, answer="\n" * 8, TERM="dumb")
    assert 8 == out.count("Enter goes on, q stops")
    assert "no browser here; the page is at http://127.0.0.1:" in out
    assert "no browser here; the page is at file://" in out
    assert "All passed." in out


def test_interactive_stops(terminal: Callable[..., str], fast: Commands) -> None:
    """An answer of q stops the run in order."""
    out = terminal("run", "--skip-smoke", "--interactive", commands=fast, answer="\nq\n", TERM="dumb")
    assert 2 == out.count("Enter goes on, q stops")
    assert "Interrupted; everything that was started has ended" in out


def test_interactive_without_a_terminal(start: Start) -> None:
    """Without a terminal --interactive says so and goes on."""
    status, out = start("run", "--skip-smoke", "--interactive").end()
    assert 0 == status
    assert "--interactive needs a terminal" in out


def test_tilde_is_the_home_folder(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leading `~` that the shell left is the home folder, and one of nobody's is refused."""
    monkeypatch.setenv("HOME", str(paths.root.parent))
    result = CliRunner().invoke(main, [f"--root=~/{paths.root.name}", "--runs=~/runs", "list"])
    assert (0, "No runs yet") == (result.exit_code, result.output[:11])
    result = CliRunner().invoke(main, ["--root=~nobody-has-this-name/x", "list"])
    assert 2 == result.exit_code
    assert "home folder of no known user" in result.output
