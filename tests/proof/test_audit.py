"""An audit trail shows every change but a cut end, and that too to whoever kept its last hash."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from esdh_proof import AuditError, AuditLine, AuditLog, SnapshotIdentity, verify_audit
from esdh_proof.audit import AuditEntry
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SNAPSHOT = SnapshotIdentity(
    folder="out",
    dataset_version="v0.1",
    seed=20240601,
    records=200,
    plan_sha256="1" * 64,
    content={"persons": "0" * 64},
)
FIELDS = list(AuditLine.__struct_fields__)
in_one_folder = settings(
    suppress_health_check=[*settings().suppress_health_check, HealthCheck.function_scoped_fixture]
)


def add(path: Path, detail: str = "", actor: str = "Zoë", snapshots: Sequence[SnapshotIdentity] = ()) -> str:
    """Append a line."""
    return AuditLog(path).append(
        now=NOON,
        actor=actor,
        action="generate-snapshot",
        snapshots=snapshots or [SNAPSHOT],
        outcome="written",
        program="esdh 0.1.0",
        detail=detail,
    )


def lines_of(path: Path) -> list[bytes]:
    """Return the lines with their ends."""
    return path.read_bytes().splitlines(keepends=True)


def signed(line: dict[str, Any]) -> bytes:
    """Return a line whose hash is right, as somebody writes it who knows how, by other means than the product's."""
    bare = {name: value for name, value in line.items() if name != "hash"}
    text = json.dumps(bare, ensure_ascii=False, separators=(",", ":")).encode()
    return text[:-1] + b',"hash":"%s"}\n' % hashlib.sha256(text).hexdigest().encode()


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """A trail of six lines."""
    for number in range(6):
        add(tmp_path / "audit.jsonl", f"detail {number}")
    return tmp_path / "audit.jsonl"


@pytest.fixture(scope="module")
def six(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The lines of a trail of six, for the tests that draw many examples."""
    path = tmp_path_factory.mktemp("six") / "audit.jsonl"
    for number in range(6):
        add(path, f"detail {number}")
    return lines_of(path)


def test_whole_trail_holds(trail: Path) -> None:
    """A trail as it was written is whole; its last hash is told, and what a whole chain doesn't prove."""
    last = add(trail)
    report = verify_audit(trail)
    assert ("whole", 7, last, None) == (report.verdict, report.lines, report.last_hash, report.problem)
    assert "cut off" in report.caution
    assert "2026-11-01T12:00:00Z" == json.loads(lines_of(trail)[0])["time"]


def test_time_is_utc(tmp_path: Path) -> None:
    """The time is told in UTC, whatever zone the caller's clock has."""
    AuditLog(tmp_path / "a").append(
        now=datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
        actor="a",
        action="x",
        snapshots=[],
        outcome="passed",
        program="p",
    )
    assert "2025-12-31T23:00:00Z" == json.loads((tmp_path / "a").read_bytes())["time"]


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=4))
def test_any_text_makes_a_line_with_the_documented_hash(
    tmp_path_factory: pytest.TempPathFactory, texts: list[tuple[str, str]]
) -> None:
    """Whatever the texts, the trail is whole, and a hash is the SHA-256 of its line's bytes without `hash`."""
    path = tmp_path_factory.mktemp("trail") / "audit.jsonl"
    for actor, folder in texts:
        add(path, folder, actor, [SnapshotIdentity(folder=folder)])
    assert ("whole", len(texts)) == (verify_audit(path).verdict, verify_audit(path).lines)
    for line in path.read_bytes().split(b"\n")[:-1]:
        bare, _, end = line.rpartition(b',"hash":"')
        assert hashlib.sha256(bare + b"}").hexdigest().encode() + b'"}' == end


def test_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    """A folder and an actor whose bytes are no UTF-8 make a line all the same, with the bytes escaped."""
    add(tmp_path / "a", "why \udcff", "Zo\udceb", [SnapshotIdentity(folder="o\udcff")])
    line = json.loads((tmp_path / "a").read_bytes())
    assert ("Zo\\udceb", "o\\udcff", "why \\udcff") == (
        line["actor"],
        line["snapshots"][0]["folder"],
        line["detail"],
    )
    assert "whole" == verify_audit(tmp_path / "a").verdict


def test_claims_of_any_length_make_a_line(tmp_path: Path) -> None:
    """A manifest that was tampered with can't make its own verification unloggable: long claims are cut."""
    content = {"x" * 10_000 + str(number): "y" * 10_000 for number in range(500)}
    tampered = SnapshotIdentity(
        folder="out", dataset_version="v" * (1 << 21), plan_sha256="p" * (1 << 21), content=content
    )
    add(tmp_path / "a", "d" * (1 << 21), snapshots=[tampered, tampered])
    assert 20_000 > (tmp_path / "a").stat().st_size
    assert "whole" == verify_audit(tmp_path / "a").verdict


def test_line_that_is_too_long_is_not_written(trail: Path) -> None:
    """A line that verify-audit would not read is refused, and the trail stays as it was."""
    before = trail.read_bytes()
    with pytest.raises(AuditError, match="too long"):
        add(trail, actor="a" * (1 << 20))
    assert before == trail.read_bytes()


@pytest.mark.parametrize("field", FIELDS)
@in_one_folder
@given(data=st.data())
def test_edited_field_is_found_in_its_line(
    tmp_path: Path, six: list[bytes], field: str, data: st.DataObject
) -> None:
    """A change to any field of any line is found, in that line."""
    at = data.draw(st.integers(0, 5))
    line: dict[str, Any] = json.loads(six[at])
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "number": st.integers(),
        "outcome": st.sampled_from(["failed", "passed", "refused"]),
        "snapshots": st.just([]) | st.integers(0).map(lambda seed: [line["snapshots"][0] | {"seed": seed}]),
    }
    line[field] = data.draw(kinds.get(field, st.text()).filter(lambda value: value != line[field]))
    edited = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    (tmp_path / "a").write_bytes(b"".join([*six[:at], edited, *six[at + 1 :]]))
    report = verify_audit(tmp_path / "a")
    assert ("broken", at) == (report.verdict, report.lines)
    assert report.problem is not None
    assert at + 1 == report.problem.line


@in_one_folder
@given(at=st.integers(0, 4), actor=st.text().filter(lambda text: text != "Zoë"))
def test_edit_with_its_own_hash_made_right_is_found_in_the_next_line(
    tmp_path: Path, six: list[bytes], at: int, actor: str
) -> None:
    """Whoever edits a line and makes its hash right breaks the chain at the line after it, if not before."""
    edited = signed(json.loads(six[at]) | {"actor": actor})
    (tmp_path / "a").write_bytes(b"".join([*six[:at], edited, *six[at + 1 :]]))
    report = verify_audit(tmp_path / "a")
    assert report.problem is not None
    assert (at + 1, at + 2) == (report.lines, report.problem.line)
    assert "removed, inserted or moved" in report.problem.what
    assert report.last_hash == report.problem.expected


@in_one_folder
@given(data=st.data())
def test_any_changed_byte_is_found_in_its_line(tmp_path: Path, six: list[bytes], data: st.DataObject) -> None:
    """A changed byte anywhere is found where it is, also in the spelling that JSON leaves open."""
    whole = bytearray(b"".join(six))
    at = data.draw(st.integers(0, len(whole) - 1))
    line = whole[:at].count(b"\n") + 1
    whole[at] ^= data.draw(st.integers(1, 255))
    (tmp_path / "a").write_bytes(whole)
    report = verify_audit(tmp_path / "a")
    assert report.problem is not None
    assert line == report.problem.line


@pytest.mark.parametrize(
    "respelled",
    [
        lambda line: line.replace(b'","actor"', b'", "actor"'),
        lambda line: line.replace("ë".encode(), b"\\u00eb"),
        lambda line: line[:-1] + b"\r\n",
        lambda line: line[:-1] + b" \n",
        lambda line: line.replace(b'{"number":', b'{"number":9,"number":', 1),
        lambda line: line.replace(b'"seed":20240601', b'"seed":20240601.0'),
    ],
)
def test_other_spelling_of_the_same_line_is_found(trail: Path, respelled: Any) -> None:
    """A line that says the same in other bytes, or two things to two readers, is found."""
    lines = lines_of(trail)
    changed = respelled(lines[2])
    assert changed != lines[2]
    trail.write_bytes(b"".join([*lines[:2], changed, *lines[3:]]))
    problem = verify_audit(trail).problem
    assert problem is not None
    assert 3 == problem.line


@in_one_folder
@given(order=st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_any_rearrangement_is_found_where_it_begins(
    tmp_path: Path, six: list[bytes], order: list[int]
) -> None:
    """Lines removed before the end, doubled, moved or swapped break the chain at the first that isn't in its place."""
    (tmp_path / "a").write_bytes(b"".join(six[number] for number in order))
    wrong = next((place for place, number in enumerate(order, 1) if number != place - 1), None)
    problem = verify_audit(tmp_path / "a").problem
    assert wrong == (None if problem is None else problem.line)


@given(data=st.binary() | st.recursive(st.integers() | st.text(), st.lists).map(msgspec.json.encode))
@in_one_folder
def test_no_bytes_are_an_error(tmp_path: Path, six: list[bytes], data: bytes) -> None:
    """Whatever stands in a line, the answer is a report and no exception."""
    (tmp_path / "a").write_bytes(six[0] + data + b"\n")
    problem = verify_audit(tmp_path / "a").problem
    assert problem is not None
    assert (2, True) == (problem.line, str(problem).startswith("line 2: "))


def test_line_that_never_ends_is_told(trail: Path) -> None:
    """A line longer than any that is written is told, and never held in memory whole."""
    with trail.open("ab") as file:
        file.write(b"[" * (3 << 20) + b"\n")
    problem = verify_audit(trail).problem
    assert problem is not None
    assert (7, "it is longer than any line of an audit log") == (problem.line, problem.what)
    with pytest.raises(AuditError, match="damaged in its last line"):
        add(trail)


def test_line_with_another_number_is_found(trail: Path) -> None:
    """A line that somebody added with right hashes but a wrong number is found."""
    line = json.loads(lines_of(trail)[5])
    with trail.open("ab") as file:
        file.write(signed(line | {"previous": line["hash"]}))
    problem = verify_audit(trail).problem
    assert problem is not None
    assert (7, "6", "7") == (problem.line, problem.found, problem.expected)


def test_line_of_another_trail_is_found(trail: Path, tmp_path: Path) -> None:
    """A line that is right in itself but of another trail breaks the chain where it was put."""
    for number in range(7):
        add(tmp_path / "other.jsonl", f"other {number}")
    trail.write_bytes(trail.read_bytes() + lines_of(tmp_path / "other.jsonl")[6])
    problem = verify_audit(trail).problem
    assert problem is not None
    assert 7 == problem.line
    assert "removed, inserted or moved" in problem.what


@in_one_folder
@given(kept=st.integers(1, 6), left=st.integers(0, 6))
def test_cut_end_is_seen_with_the_kept_hash_alone(
    tmp_path: Path, six: list[bytes], kept: int, left: int
) -> None:
    """A chain cut at its end holds; a kept hash proves it up to its line, and shows when that line is gone."""
    path = tmp_path / "a"
    path.write_bytes(b"".join(six[:left]))
    last = json.loads(six[kept - 1])["hash"]
    assert "whole" == verify_audit(path).verdict
    report = verify_audit(path, last_hash=f" {last.upper()}\n")  # as people copy it
    if kept <= left:
        assert ("whole", left - kept) == (report.verdict, report.added)
    else:
        assert ("broken", None) == (report.verdict, report.added)
        assert "the end was cut off" in str(report.problem)


@pytest.mark.parametrize("kept", ["", "abc", "g" * 64, "0" * 65])
def test_kept_hash_that_is_none_is_refused(trail: Path, kept: str) -> None:
    """A hash that was copied wrong is refused, and not taken for a log that was cut."""
    with pytest.raises(AuditError, match="64 hexadecimal digits"):
        verify_audit(trail, last_hash=kept)


def test_unfinished_line_is_told_and_not_prolonged(trail: Path) -> None:
    """An unfinished last line is told, takes no further one, and the remedy that the message names mends it."""
    data = trail.read_bytes()
    trail.write_bytes(data[:-20])
    assert "line 6: it is unfinished" in str(verify_audit(trail).problem)
    with pytest.raises(AuditError, match="unfinished line") as refusal:
        add(trail)
    assert data[:-20] == trail.read_bytes()
    size = str(refusal.value).partition("truncate -s ")[2].partition(" ")[0]
    subprocess.run(["truncate", "-s", size, trail], check=True)
    add(trail)
    assert ("whole", 6) == (verify_audit(trail).verdict, verify_audit(trail).lines)


def test_kill_in_the_middle_of_a_line_is_told(trail: Path) -> None:
    """A process killed when half of its line is written leaves the lines before whole, and frees the lock."""
    program = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from esdh_proof import AuditLog
write = os.write
def half(descriptor, data):
    write(descriptor, data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
os.write = half
AuditLog(Path(sys.argv[1])).append(now=datetime.now(UTC), actor="a", action="x", snapshots=[], outcome="passed", program="p")
"""
    done = subprocess.run([sys.executable, "-c", program, trail], check=False)
    report = verify_audit(trail)
    assert (-signal.SIGKILL, "broken", 6) == (done.returncode, report.verdict, report.lines)
    with pytest.raises(AuditError, match="unfinished line"):
        AuditLog(trail).check()


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_failing_disk_leaves_the_trail_as_it_was(
    trail: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A disk that takes half of a line, or can't sync it, is an error, and the next line follows the last whole one."""
    before = trail.read_bytes()
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        return write(descriptor, data[: len(data) // 2])

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, half if call == "write" else broken)
        with pytest.raises(AuditError, match="No space left" if call == "write" else "broken"):
            add(trail)
    assert before == trail.read_bytes()
    add(trail)
    assert ("whole", 7) == (verify_audit(trail).verdict, verify_audit(trail).lines)


@pytest.mark.parametrize("damage", [b"detail 6", b"detail 5 and more"])
def test_damaged_end_is_not_prolonged(trail: Path, damage: bytes) -> None:
    """A trail whose last line was edited takes no further one."""
    trail.write_bytes(trail.read_bytes().replace(b"detail 5", damage))
    before = trail.read_bytes()
    with pytest.raises(AuditError, match="keep it as evidence"):
        add(trail)
    assert before == trail.read_bytes()


def test_overlapping_runs_make_one_chain(tmp_path: Path) -> None:
    """Several processes that append at once, one by another name of the trail, give one whole chain."""
    program = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path; from esdh_proof import AuditLog\n"
        "for n in range(15):\n"
        "    AuditLog(Path(sys.argv[1])).append(now=datetime.now(UTC), actor='a', action='x', snapshots=[],"
        " outcome='passed', program='p', detail=str(n))"
    )
    path, link = tmp_path / "audit.jsonl", tmp_path / "elsewhere" / "link.jsonl"
    link.parent.mkdir()
    link.symlink_to(path)
    runs = [subprocess.Popen([sys.executable, "-c", program, str(name)]) for name in (path, link, path)]
    assert [0, 0, 0] == [run.wait() for run in runs]
    assert ("whole", 45) == (verify_audit(path).verdict, verify_audit(path).lines)
    assert [link] == list(link.parent.iterdir())


def test_what_cannot_be_a_log_is_refused(tmp_path: Path) -> None:
    """A folder, a device, a pipe, a link to itself, a path below a file and a foreign file are refused with the reason."""
    (tmp_path / "file").write_text("mine\n")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    begin, end = os.pipe()  # has a name in /dev/fd, and no path that this leads to
    for path, reason in (
        (tmp_path, "is a folder"),
        (Path(os.devnull), "a device or a pipe"),
        (tmp_path / "pipe", "a device or a pipe"),
        (Path(f"/dev/fd/{end}"), "a device or a pipe"),
        (tmp_path / "loop", "can't be written"),
        (tmp_path / "file" / "x", "can't be written"),
        (tmp_path / "file", "damaged in its last line"),
    ):
        with pytest.raises(AuditError, match=reason):
            AuditLog(path).check()
    os.close(begin)
    os.close(end)
    assert "mine\n" == (tmp_path / "file").read_text()


def test_log_that_may_not_be_written_is_refused(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that may be read but not written is refused before the work."""
    opened = Path.open

    def read_only(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if path == trail and "a" in mode:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", read_only)  # permissions don't bind root
    with pytest.raises(AuditError, match=r"can't be written .*Permission denied"):
        AuditLog(trail).check()


def test_log_in_a_folder_of_the_run_is_refused(tmp_path: Path) -> None:
    """A log inside a snapshot would be a stranger there: it is refused, by whatever name, and nothing is made."""
    (tmp_path / "s").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "s")
    for name in ("s/audit.jsonl", "link/logs/audit.jsonl", "x/../s/audit.jsonl"):
        with pytest.raises(AuditError, match="outside it"):
            AuditLog(tmp_path / name).check(outside=[tmp_path / "s"])
    assert [] == list((tmp_path / "s").iterdir())
    AuditLog(tmp_path / "s.jsonl").check(outside=[tmp_path / "s"])


def test_held_log_is_told(trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that another run holds for too long is told as that."""
    monkeypatch.setattr("esdh_proof.audit._WAIT", 0.01)
    with AuditLog(trail)._held(), pytest.raises(AuditError, match="held by another run"):
        AuditLog(trail).check()


def test_what_is_no_log_is_not_verified(tmp_path: Path, trail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, a folder and a file that can't be read are errors, not broken chains."""
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(AuditError, match="is no file"):
            verify_audit(path)

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AuditError, match="can't be read"):
        verify_audit(trail)


def test_line_is_its_entry_and_a_hash() -> None:
    """`hash` is the last field, so that a line without it is the entry's own JSON."""
    assert [*AuditEntry.__struct_fields__, "hash"] == FIELDS
