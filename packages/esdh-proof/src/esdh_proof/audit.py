"""The audit trail: one line of JSON for each generate, verify and diff, each chained to the line before by its hash.

A line can't be edited, removed, inserted or moved without breaking the chain from there on. What a chain
can't show is that its end was cut off; whoever keeps the last hash elsewhere can.
"""

import getpass
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from filelock import FileLock

from esdh_proof.errors import AuditError
from esdh_proof.findings import shown

__all__ = ["AuditLine", "AuditReport", "Trail", "actor_of_environment", "verify_audit"]

FIRST = "0" * 64  # what stands for the line before the first
_LONGEST = 1 << 20  # bytes of a line; the longest that is written has a few thousand
_TAIL = "its end can have been cut off: only the last hash, kept elsewhere, can show that"


class AuditLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line: who did what to which snapshot, when, and what came of it.

    `time` is UTC in RFC 3339; `identity` what the snapshot is (seed, records and so on) and `content` its
    digests, as far as they are known; `previous` the hash of the line before, `hash` that of this line's
    canonical JSON without `hash`.
    """

    number: int
    time: str
    actor: str
    action: str
    folders: list[str]
    identity: dict[str, str | int | bool | None]
    content: dict[str, str]
    outcome: str
    program: str
    previous: str
    hash: str


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a trail's verification found: how many lines hold, the hash of the last of them, and what is broken.

    `problem` is the first broken line in words, None when the chain holds. `caution` says what a chain that
    holds doesn't prove. `added` counts the lines after the kept hash, None where none was given.
    """

    file: str
    verdict: str
    lines: int
    last_hash: str
    problem: str | None
    caution: str
    added: int | None


_decoder = msgspec.json.Decoder(AuditLine, strict=True)


def actor_of_environment() -> str:
    """Return the name of the user that the environment tells, `unknown` where it tells none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without a user database, Windows without names
        return "unknown"


def _hash(line: AuditLine) -> str:
    bare = msgspec.structs.replace(line, hash="")
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()


class Trail:
    """A trail that can be appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Raise AuditError unless a line can be appended now: asked before work that must not go unlogged."""
        with self._held():
            self._last()

    def append(
        self,
        *,
        now: datetime,
        actor: str,
        action: str,
        folders: list[str],
        outcome: str,
        program: str,
        identity: dict[str, str | int | bool | None] | None = None,
        content: dict[str, str] | None = None,
    ) -> str:
        """Append one line, synced to the disk, and return its hash.

        Raises AuditError when the trail can't be written, or when its last line is damaged: a broken chain
        isn't prolonged.
        """
        with self._held():
            last = self._last()
            line = AuditLine(
                number=last.number + 1 if last else 1,
                time=now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                actor=actor,
                action=action,
                folders=folders,
                identity=identity or {},
                content=content or {},
                outcome=outcome,
                program=program,
                previous=last.hash if last else FIRST,
                hash="",
            )
            line = msgspec.structs.replace(line, hash=_hash(line))
            self._write(msgspec.json.encode(line) + b"\n")
            return line.hash

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the trail against other runs; turn the operating system's errors into ours."""
        try:
            if self._path.is_dir():
                raise AuditError(f"audit log {str(self._path)!r} is a folder; name a file")
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._path}.lock", timeout=60):
                yield
        except (OSError, RuntimeError) as error:  # a link to itself is a RuntimeError of older Pythons
            raise AuditError(
                f"audit log {str(self._path)!r} can't be written ({error}); mend it or name another file"
            ) from error

    def _last(self) -> AuditLine | None:
        """Return the last line, None of an empty trail; AuditError when it isn't one."""
        with self._path.open("ab") as file:  # made if need be, which also shows that it can be
            size = file.tell()
        if size == 0:
            return None
        with self._path.open("rb") as file:
            file.seek(max(0, size - _LONGEST))
            tail = file.read()
        if not tail.endswith(b"\n"):
            torn = tail.rpartition(b"\n")[2]
            raise AuditError(
                f"audit log {str(self._path)!r} ends in {len(torn)} bytes of an unfinished line, since a run was cut "
                "off while writing it; see what it says, remove it, and try again"
            )
        line, problem = _read(tail[:-1].rpartition(b"\n")[2], None, None)
        if line is None:
            raise AuditError(
                f"audit log {str(self._path)!r} is damaged in its last line ({problem}); keep it as evidence and "
                "begin another file"
            )
        return line

    def _write(self, data: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError("the disk took only a part of a line")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(data: bytes, number: int | None, previous: str | None) -> tuple[AuditLine | None, str]:
    """Return a line that is what its hash says and stands in its place, or None and what is wrong with it."""
    try:
        line = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return None, f"it is no line of an audit log: {error}"
    if msgspec.json.encode(line) != data:
        return None, "it isn't written as a line of an audit log is"
    if line.hash != _hash(line):
        return None, f"its content has hash {_hash(line)}, the line says {shown(line.hash)}: it was edited"
    if previous is not None and line.previous != previous:
        return None, (
            f"it follows a line of hash {shown(line.previous)}, but the line before has {previous}: "
            "one was removed, inserted or moved"
        )
    if number is not None and line.number != number:
        return None, f"it says that it is line {line.number}"
    return line, ""


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(_LONGEST):
            yield line


def verify_audit(path: Path, *, last_hash: str | None = None) -> AuditReport:
    """Read a trail from its start, and say whether every line stands where and as it was written.

    With `last_hash`, a hash that was kept elsewhere, the chain must also contain the line that has it, so
    that a cut end is seen; lines that were added since are fine.

    Raises AuditError when there is no such file.
    """
    if not path.is_file():
        raise AuditError(f"audit log {str(path)!r} is no file; name one that --audit-log wrote")
    previous, count, added = FIRST, 0, None
    problem: str | None = None
    if last_hash == FIRST:
        added = 0
    for number, data in enumerate(_lines(path), start=1):
        if not data.endswith(b"\n"):
            problem = f"line {number} is unfinished"
            break
        line, wrong = _read(data[:-1], number, previous)
        if line is None:
            problem = f"line {number}: {wrong}"
            break
        previous, count = line.hash, number
        if added is not None:
            added += 1
        elif line.hash == last_hash:
            added = 0
    if problem is None and last_hash is not None and added is None:
        problem = f"no line has the kept hash {shown(last_hash)}: the end was cut off, or the trail was written anew"
    return AuditReport(
        file=str(path),
        verdict="broken" if problem else "whole",
        lines=count,
        last_hash=previous,
        problem=problem,
        caution=_TAIL
        if last_hash is None
        else "lines after the kept hash are proved only by the next hash kept",
        added=added,
    )
