"""Every generate, verify and diff can be logged, whatever comes of it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from esdh_cli.main import main
from esdh_core import DEFAULT_DATASET
from esdh_manifest import Gates, Stats
from esdh_proof import AuditError, AuditLog, gates


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def run(*args: str) -> Result:
    """Run esdh in this process, logging where it can be."""
    return CliRunner().invoke(main, args, catch_exceptions=False)


def logged() -> list[dict[str, Any]]:
    """Return the lines of the log."""
    return [json.loads(line) for line in Path("audit.jsonl").read_text().splitlines()]


def told() -> tuple[str, str]:
    """Return the outcome and the detail of the last line."""
    return logged()[-1]["outcome"], logged()[-1]["detail"]


LOG = ("--audit-log", "audit.jsonl", "--actor", "a steward")


def test_generate_is_logged() -> None:
    """A line tells who did what to which snapshot, with its digests, and what came of it."""
    run("generate-snapshot", "--output-dir", "s", *LOG)
    run("generate-snapshot", "--output-dir", "s", *LOG)
    run("generate-snapshot", "--output-dir", "s", "--seed", "1", *LOG)
    lines = logged()
    manifest = json.loads(Path("s/snapshot_manifest_v0_1.json").read_text())
    identity = {
        "folder": "s",
        "dataset_version": "v0.1",
        "seed": 20240601,
        "records": 200,
        "plan_sha256": DEFAULT_DATASET.plan_sha256,
        "content": manifest["content"],
    }
    assert ["written", "unchanged", "refused"] == [line["outcome"] for line in lines]
    assert lines[2]["detail"].startswith("output folder 's' holds another snapshot")
    assert [[identity], [identity], [identity | {"seed": 1, "content": {}}]] == [
        line["snapshots"] for line in lines
    ]
    assert {("a steward", "generate-snapshot")} == {(line["actor"], line["action"]) for line in lines}
    assert 0 == run("verify-audit", "audit.jsonl").exit_code


def test_verify_is_logged() -> None:
    """A verification is logged with its verdict and the checks that failed; one of no folder as refused."""
    run("generate-snapshot", "--output-dir", "s", *LOG)
    run("verify-snapshot", "s", *LOG)
    assert ("passed", "") == told()
    assert logged()[0]["snapshots"] == logged()[1]["snapshots"]
    Path("s/persons_v0_1.csv").write_text("damaged")
    run("verify-snapshot", "s", *LOG)
    assert "failed" == told()[0]
    assert told()[1].startswith("checks that failed: files, schema, formats")
    run("verify-snapshot", "nowhere", *LOG)
    assert ("refused", "'nowhere' is no folder; name the folder of a snapshot") == told()


def test_snapshot_without_a_manifest_that_can_be_read_is_logged() -> None:
    """Of a snapshot whose manifest is damaged the line tells the folder and that nothing else is known."""
    Path("s").mkdir()
    Path("s/snapshot_manifest_v0_1.json").write_text("{")
    assert 1 == run("verify-snapshot", "s", *LOG).exit_code
    assert "failed" == told()[0]
    nothing = dict.fromkeys(["dataset_version", "seed", "records", "plan_sha256"])
    assert [{"folder": "s", **nothing, "content": {}}] == logged()[0]["snapshots"]


def test_diff_is_logged() -> None:
    """A diff is logged with both snapshots, seeds and digests, and with the drift's cause."""
    run("generate-snapshot", "--output-dir", "s", *LOG)
    run("generate-snapshot", "--output-dir", "t", "--seed", "1", *LOG)
    run("diff-snapshots", "s", "t", *LOG)
    assert ("differ", "seed") == told()
    assert [line["snapshots"][0] for line in logged()[:2]] == logged()[2]["snapshots"]
    run("diff-snapshots", "s", "s", *LOG)
    assert ("same", "") == told()
    run("diff-snapshots", "s", "nowhere", *LOG)
    assert "refused" == told()[0]
    assert ["s", "nowhere"] == [each["folder"] for each in logged()[-1]["snapshots"]]


def test_wrong_value_is_logged_as_refused() -> None:
    """A request that only the work's first look refuses is logged, with exit status 2 as ever."""
    assert 2 == run("generate-snapshot", "--shard-rows", "3", *LOG).exit_code
    assert "refused" == told()[0]
    assert "65536" in told()[1]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OSError(28, "No space left on device", "s"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (RuntimeError("a bug"), "failed"),
        (ValueError("a bug of another library"), "failed"),
    ],
)
def test_work_that_breaks_off_is_logged(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, outcome: str
) -> None:
    """A full disk, an interrupt and a bug are logged with what they say and with the request."""

    def broken(*_args: Any, **_kwargs: Any) -> None:
        raise error

    monkeypatch.setattr("esdh_export.write_snapshot", broken)
    result = CliRunner().invoke(main, ["generate-snapshot", "--output-dir", "s", "--seed", "5", *LOG])
    assert 0 != result.exit_code
    assert (outcome, str(error) or "KeyboardInterrupt") == told()
    assert 5 == logged()[0]["snapshots"][0]["seed"]


def test_failed_gate_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that its gates held back is logged as failed, with the distribution."""

    def fail(stats: Stats) -> Gates:
        found = judged(stats)
        first = msgspec.structs.replace(found.checks[0], passed=False)
        return msgspec.structs.replace(found, verdict="failed", checks=[first, *found.checks[1:]])

    judged = gates.judge
    monkeypatch.setattr(gates, "judge", fail)
    assert 1 == run("generate-snapshot", "--output-dir", "s", *LOG).exit_code
    assert "failed" == told()[0]
    assert "persons ages" in told()[1]
    assert not Path("s").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_verification_is_logged(tmp_path: Path, number: signal.Signals) -> None:
    """SIGINT and SIGTERM in the midst of a verification are logged, in a process of its own."""
    run("generate-snapshot", "--output-dir", "s", "--quiet")
    script = tmp_path / "struck.py"
    script.write_text(
        "import os\n"
        "import esdh_proof\n"
        "from esdh_cli.main import main\n"
        f"esdh_proof.verify_snapshot = lambda *a, **k: os.kill(os.getpid(), {number.value})\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, script, "verify-snapshot", "s", *LOG], capture_output=True, text=True, check=False
    )
    assert (128 + number, "interrupted") == (done.returncode, told()[0]), done.stderr
    assert "Error: interrupted; nothing was verified\n" == done.stderr


def test_interrupt_while_the_line_is_written_comes_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the work, while its line is written, neither loses the line nor denies the work."""
    append = AuditLog.append

    def struck(trail: AuditLog, **line: Any) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return append(trail, **line)

    monkeypatch.setattr(AuditLog, "append", struck)
    before = signal.getsignal(signal.SIGINT)
    assert 0 == run("generate-snapshot", "--output-dir", "s", *LOG).exit_code
    assert ("written", before) == (told()[0], signal.getsignal(signal.SIGINT))


def test_nothing_happens_unlogged() -> None:
    """A log that can't be written, or whose chain is damaged, stops the run before its work."""
    Path("file").write_text("mine")
    Path("folder").mkdir()
    assert 2 == run("generate-snapshot", "--output-dir", "s", "--audit-log", "folder").exit_code
    for log, reason in (
        ("file/audit.jsonl", "can't be written"),
        ("file", "unfinished line"),
        ("s/audit.jsonl", "outside it"),
        (os.devnull, "a device or a pipe"),
    ):
        result = run("generate-snapshot", "--output-dir", "s", "--audit-log", log)
        assert (1, "", 1) == (result.exit_code, result.stdout, len(result.stderr.splitlines()))
        assert reason in result.stderr
        assert not Path("s").exists()


@pytest.mark.parametrize("redirected", ["| cat", ">> audit.jsonl", "2>> audit.jsonl >/dev/null"])
def test_log_is_never_where_the_command_prints(redirected: str) -> None:
    """A log that is one of the command's own streams is refused in a sentence before the work, a pipe too."""
    run("generate-snapshot", "--output-dir", "s", "--quiet", *LOG)
    log = "audit.jsonl" if "audit" in redirected else "/dev/stdout"
    line = f"{sys.executable} -m esdh_cli generate-snapshot --output-dir t --audit-log {log} {redirected}"
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)
    said = done.stderr or Path("audit.jsonl").read_text().splitlines()[-1]
    assert f"audit log '{log}' is where this command prints" in said
    assert not Path("t").exists()


def test_verification_never_writes_into_the_snapshot() -> None:
    """A log inside the snapshot that is verified or compared is refused, and nothing is written there."""
    run("generate-snapshot", "--output-dir", "s", "--quiet")
    before = sorted(Path("s").iterdir())
    for command in (("verify-snapshot", "s"), ("diff-snapshots", "s", "s")):
        result = run(*command, "--audit-log", "s/audit.jsonl")
        assert (1, before) == (result.exit_code, sorted(Path("s").iterdir()))
        assert "name a file outside it" in result.stderr


def test_work_that_could_not_be_logged_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the line can't be written after the work, the sentence says what was done, with exit status 1."""

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise AuditError("the disk is full")

    monkeypatch.setattr(AuditLog, "append", full)
    result = run("generate-snapshot", "--output-dir", "s", *LOG)
    assert (1, "Error: the run ended (written) but is not logged: the disk is full\n") == (
        result.exit_code,
        result.stderr,
    )
    assert Path("s/SHA256SUMS").exists()
    result = run("generate-snapshot", "--output-dir", "s", "--seed", "1", *LOG)
    assert "the run ended (refused: output folder 's' holds another snapshot" in result.stderr


def test_actor_is_the_user_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --actor the environment's user is told, and an empty name is wrong usage, not somebody else's."""
    monkeypatch.setenv("LOGNAME", "zoë")
    run("generate-snapshot", "--output-dir", "s", *LOG[:2])
    assert "zoë" == logged()[0]["actor"]
    for name in ("", " ", "a" * 201):
        assert 2 == run("verify-snapshot", "s", *LOG[:2], "--actor", name).exit_code
    assert 1 == len(logged())


def test_user_that_the_environment_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names no user, the actor is `unknown`."""

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nobody)
    run("generate-snapshot", "--output-dir", "s", *LOG[:2])
    assert "unknown" == logged()[0]["actor"]


def test_names_that_are_not_utf8_are_logged(tmp_path: Path) -> None:
    """A folder and an actor in bytes that are no UTF-8 are logged escaped, in a process of its own."""
    args = ["generate-snapshot", "--output-dir", os.fsdecode(b"o\xff"), "--quiet"]
    args += ["--audit-log", "audit.jsonl", "--actor", os.fsdecode(b"Zo\xeb")]
    done = subprocess.run(
        [sys.executable, "-m", "esdh_cli", *args], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    line = logged()[0]
    assert ("Zo\\udceb", "o\\udcff") == (line["actor"], line["snapshots"][0]["folder"])


def test_edited_log_is_told() -> None:
    """verify-audit names the edited line and has status 1; with --json it says what was found and expected."""
    for seed in ("1", "2", "3"):
        run("generate-snapshot", "--output-dir", seed, "--seed", seed, *LOG)
    kept = logged()[-1]["hash"]
    assert f"last hash   {kept}" in run("verify-audit", "audit.jsonl").stdout
    assert "added       0 since" in run("verify-audit", "audit.jsonl", "--last-hash", kept).stdout
    earlier = run("verify-audit", "audit.jsonl", "--last-hash", logged()[0]["hash"])
    assert (0, True) == (earlier.exit_code, "added       2 since" in earlier.stdout)
    text = Path("audit.jsonl").read_text()
    Path("audit.jsonl").write_text(text.replace('"seed":2', '"seed":5'))
    result = run("verify-audit", "audit.jsonl", "--json")
    document = json.loads(result.stdout)
    assert (1, "broken", 1) == (result.exit_code, document["verdict"], document["lines"])
    assert (2, "it was edited: its content hasn't the hash that it says") == (
        document["problem"]["line"],
        document["problem"]["what"],
    )
    bare = text.splitlines()[1].replace('"seed":2', '"seed":5').partition(',"hash":')[0] + "}"
    assert hashlib.sha256(bare.encode()).hexdigest() == document["problem"]["found"]
    assert "broken: line 2: it was edited" in run("verify-audit", "audit.jsonl").stdout
    Path("audit.jsonl").write_text("".join(text.splitlines(keepends=True)[:2]))
    result = run("verify-audit", "audit.jsonl", "--last-hash", kept)
    assert 1 == result.exit_code
    assert "the end was cut off" in result.stdout


def test_wrong_question_to_verify_audit() -> None:
    """A hash that is none is wrong usage, and a log that isn't there one sentence with status 1."""
    run("verify-snapshot", "nowhere", *LOG)
    assert 2 == run("verify-audit", "audit.jsonl", "--last-hash", "5f2b").exit_code
    result = run("verify-audit", "nowhere")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "'nowhere' is no file" in result.stderr
