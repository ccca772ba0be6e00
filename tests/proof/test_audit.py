"""An audit trail shows every change but a cut end, and that too to whoever kept its last hash."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from esdh_proof import AuditError, Trail, verify_audit
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def add(path: Path, outcome: str = "written", actor: str = "Zoë") -> str:
    """Append a line."""
    return Trail(path).append(
        now=NOON,
        actor=actor,
        action="generate-snapshot",
        folders=["out"],
        outcome=outcome,
        program="esdh 0.1.0",
        identity={"seed": 20240601, "records": 200},
        content={"persons": "0" * 64},
    )


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail of six lines."""
    for number in range(6):
        add(tmp_path / "audit.jsonl", f"outcome {number}")
    return tmp_path / "audit.jsonl"


def test_whole_trail_holds(trail: Path) -> None:
    """A trail as it was written is whole; its last hash is told, and what a whole chain doesn't prove."""
    last = add(trail)
    report = verify_audit(trail)
    assert ("whole", 7, last, None) == (report.verdict, report.lines, report.last_hash, report.problem)
    assert "cut off" in report.caution
    assert NOON.strftime("%Y-%m-%dT%H:%M:%SZ") == json.loads(trail.read_text().splitlines()[0])["time"]


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize(
    "field", ["number", "time", "actor", "outcome", "identity", "content", "previous", "hash"]
)
def test_edited_field_is_found_in_its_line(trail: Path, number: int, field: str) -> None:
    """A change to any field of any line is found, in that line."""
    lines = trail.read_bytes().splitlines(keepends=True)
    line: dict[str, Any] = json.loads(lines[number])
    line[field] = {"number": 99, "identity": {"seed": 1}, "content": {}}.get(field, "edited")
    lines[number] = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    trail.write_bytes(b"".join(lines))
    report = verify_audit(trail)
    assert ("broken", number) == (report.verdict, report.lines)
    assert str(report.problem).startswith(f"line {number + 1}: ")


@given(st.data())
def test_any_rearrangement_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Lines removed before the end, doubled or moved break the chain, in any combination."""
    path = tmp_path_factory.mktemp("trail") / "audit.jsonl"
    for number in range(5):
        add(path, f"outcome {number}")
    lines = path.read_bytes().splitlines(keepends=True)
    order = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=7))
    path.write_bytes(b"".join(lines[number] for number in order))
    assert (order == list(range(len(order)))) == (verify_audit(path).verdict == "whole")


def test_line_of_another_trail_is_found(trail: Path, tmp_path: Path) -> None:
    """A line that is right in itself but of another trail breaks the chain where it was put."""
    for number in range(7):
        add(tmp_path / "other.jsonl", f"other {number}")
    trail.write_bytes(
        trail.read_bytes() + (tmp_path / "other.jsonl").read_bytes().splitlines(keepends=True)[6]
    )
    report = verify_audit(trail)
    assert ("broken", 6) == (report.verdict, report.lines)
    assert "removed, inserted or moved" in str(report.problem)


def test_cut_end_is_seen_with_the_kept_hash_alone(trail: Path) -> None:
    """A chain cut at its end holds, but not for whoever kept the last hash; added lines are fine."""
    kept = verify_audit(trail).last_hash
    add(trail)
    assert ("whole", 1) == (
        verify_audit(trail, last_hash=kept).verdict,
        verify_audit(trail, last_hash=kept).added,
    )
    trail.write_bytes(b"".join(trail.read_bytes().splitlines(keepends=True)[:4]))
    assert "whole" == verify_audit(trail).verdict
    report = verify_audit(trail, last_hash=kept)
    assert "broken" == report.verdict
    assert "the end was cut off" in str(report.problem)


def test_unfinished_line_is_told_and_not_prolonged(trail: Path) -> None:
    """A run that was killed in the middle of a line leaves one that is told; nothing is appended to it."""
    data = trail.read_bytes()
    trail.write_bytes(data[:-20])
    assert "line 6 is unfinished" == verify_audit(trail).problem
    with pytest.raises(AuditError, match="unfinished line"):
        add(trail)
    assert data[:-20] == trail.read_bytes()


def test_damaged_end_is_not_prolonged(trail: Path) -> None:
    """A trail whose last line was edited takes no further one."""
    trail.write_bytes(trail.read_bytes().replace(b"outcome 5", b"outcome 6"))
    with pytest.raises(AuditError, match="keep it as evidence"):
        add(trail)


def test_overlapping_runs_make_one_chain(tmp_path: Path) -> None:
    """Several processes that append at once give one whole chain."""
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; from esdh_proof import Trail\n"
        "for n in range(15):\n"
        "    Trail(Path(sys.argv[1])).append(now=datetime.now(UTC), actor='a', action='x', folders=[],"
        " outcome=str(n), program='p')"
    )
    path = tmp_path / "audit.jsonl"
    runs = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(3)]
    assert [0, 0, 0] == [run.wait() for run in runs]
    assert ("whole", 45) == (verify_audit(path).verdict, verify_audit(path).lines)


def test_what_cannot_be_a_log_is_refused(tmp_path: Path) -> None:
    """A folder, a path below a file, a missing file and a foreign file are each refused with the reason."""
    (tmp_path / "file").write_text("mine\n")
    for path, reason in ((tmp_path, "is a folder"), (tmp_path / "file" / "x", "can't be written")):
        with pytest.raises(AuditError, match=reason):
            Trail(path).check()
    with pytest.raises(AuditError, match="damaged in its last line"):
        Trail(tmp_path / "file").check()
    with pytest.raises(AuditError, match="is no file"):
        verify_audit(tmp_path / "nowhere")
    assert "mine\n" == (tmp_path / "file").read_text()
