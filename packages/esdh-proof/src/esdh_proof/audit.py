"""The audit trail: one line of JSON for each generate, verify and diff, each chained to the line before by its hash.

A line can't be edited, removed, inserted or moved without breaking the chain from there on. What a chain
can't show is that its end was cut off; whoever keeps the last hash elsewhere can.
"""

import errno
import getpass
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec
from filelock import FileLock, Timeout

from esdh_proof.errors import AuditError
from esdh_proof.findings import display
from esdh_proof.identity import SnapshotIdentity

__all__ = [
    "AuditEntry",
    "AuditLine",
    "AuditLog",
    "AuditProblem",
    "AuditReport",
    "Outcome",
    "actor_of_environment",
    "verify_audit",
]

FIRST = "0" * 64  # what stands for the hash of the line before the first
_MAX_LINE_BYTES = 1 << 20  # bytes of a line; a usual one has less than a thousand
_LONGEST_DETAIL = 4_096  # characters
_MOST_ENTITIES = 16  # digests of a snapshot; one of ours has three
_WAIT = 60.0  # seconds for another run's line, which takes milliseconds

# What came of a run. `failed` is a verification whose answer is no, or work that broke off; `refused` is
# a request that could not be taken up; `same` and `differ` are a diff's.
Outcome = Literal[
    "written", "unchanged", "removed", "passed", "failed", "same", "differ", "refused", "interrupted"
]


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a line says: who did what to which snapshots, when, and what came of it.

    `number` counts from 1; `time` is UTC in RFC 3339; `detail` the reason of a failure, or a drift's cause;
    `previous` the hash of the line before.
    """

    number: int
    time: str
    actor: str
    action: str
    snapshots: list[SnapshotIdentity]
    outcome: Outcome
    detail: str
    program: str
    previous: str


class AuditLine(AuditEntry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry and the SHA-256 of its JSON as this encoder writes it: the bytes of the line without `hash`."""

    hash: str


class AuditProblem(msgspec.Struct, frozen=True, kw_only=True):
    """The first thing wrong with a trail: in which line (None: in none of them), what was found, what is expected."""

    line: int | None
    what: str
    found: str
    expected: str

    def __str__(self) -> str:
        """Return the problem as a sentence without its full stop."""
        place = "" if self.line is None else f"line {self.line}: "
        return f"{place}{self.what}; found {self.found}, expected {self.expected}"


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a trail's verification found: how many lines hold, the hash of the last of them, and the first problem.

    `caution` says what a chain that holds doesn't prove. `added` counts the lines after the one that has the
    kept hash, None where no hash was given or no line has it.
    """

    file: str
    verdict: Literal["whole", "broken"]
    lines: int
    last_hash: str
    problem: AuditProblem | None
    caution: str
    added: int | None


_decoder = msgspec.json.Decoder(AuditLine, strict=True)


def actor_of_environment() -> str:
    """Return the name of the user in the environment, `unknown` where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container without a user database, Windows without names
        return "unknown"


def _hash(entry: AuditEntry) -> str:
    return hashlib.sha256(msgspec.json.encode(entry)).hexdigest()


def _entry(line: AuditLine) -> AuditEntry:
    return AuditEntry(**{name: getattr(line, name) for name in AuditEntry.__struct_fields__})


def _utf8(text: str) -> str:
    """Return a text that JSON can hold: a name that isn't UTF-8 reaches Python with lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def _bounded(snapshot: SnapshotIdentity) -> SnapshotIdentity:
    """Return an identity that fits a line: a manifest that was tampered with can claim texts of any length."""
    return SnapshotIdentity(
        folder=_utf8(snapshot.folder),
        dataset_version=display(snapshot.dataset_version),
        seed=snapshot.seed,
        records=snapshot.records,
        plan_sha256=display(snapshot.plan_sha256),
        content={
            str(display(entity)): str(display(digest))
            for entity, digest in islice(snapshot.content.items(), _MOST_ENTITIES)
        },
    )


class AuditLog:
    """A trail that can be appended to; a link is followed, so that every name of it shares one lock."""

    def __init__(self, path: Path) -> None:
        self._name = repr(str(path))
        self._unresolved = path
        self._path = Path(os.path.realpath(path))

    def check(self, *, outside: Iterable[Path] = ()) -> None:
        """Raise AuditError unless a line can be appended now: asked before work that must not go unlogged.

        A trail inside one of the folders `outside` is refused too: it would be a stranger in a snapshot.
        """
        for folder in outside:
            if self._path.is_relative_to(os.path.realpath(folder)):
                raise AuditError(
                    f"audit log {self._name} lies in {str(folder)!r}, which this run is about; name a file outside it"
                )
        with self._held():
            self._last()

    def append(
        self,
        *,
        now: datetime,
        actor: str,
        action: str,
        snapshots: Sequence[SnapshotIdentity],
        outcome: Outcome,
        program: str,
        detail: str = "",
    ) -> str:
        """Append one line, synced to the disk, and return its hash. `now` knows its time zone.

        Raises AuditError, and leaves the trail as it was, when the trail can't be written, or when its last
        line is damaged: a broken chain isn't prolonged.
        """
        with self._held():
            size, last = self._last()
            entry = AuditEntry(
                number=last.number + 1 if last else 1,
                time=now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
                actor=_utf8(actor),
                action=action,
                snapshots=[_bounded(each) for each in snapshots],
                outcome=outcome,
                detail=_utf8(detail[:_LONGEST_DETAIL]),
                program=program,
                previous=last.hash if last else FIRST,
            )
            line = AuditLine(**msgspec.structs.asdict(entry), hash=_hash(entry))
            data = msgspec.json.encode(line) + b"\n"
            if len(data) > _MAX_LINE_BYTES:
                raise AuditError(
                    f"a line of {len(data):,} bytes is too long for audit log {self._name}, which takes {_MAX_LINE_BYTES:,}; "
                    "give shorter names"
                )
            self._write(data, size)
            return line.hash

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Hold the trail against other runs; turn the operating system's errors into ours."""
        try:
            # By the given name, which the system follows: `/dev/stdout` can be a pipe that has no path.
            if self._unresolved.exists() and not (self._unresolved.is_file() and self._path.is_file()):
                kind = "a folder" if self._unresolved.is_dir() else "a device or a pipe"
                raise AuditError(f"audit log {self._name} is {kind}; name a file")
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self._path}.lock", timeout=_WAIT):
                yield
        except Timeout as error:
            raise AuditError(
                f"audit log {self._name} has been held by another run for {_WAIT:.0f} seconds; see whether that one hangs"
            ) from error
        except OSError as error:
            raise AuditError(
                f"audit log {self._name} can't be written ({error}); mend it or name another file"
            ) from error

    def _last(self) -> tuple[int, AuditLine | None]:
        """Return the trail's size and its last line, None of an empty trail; AuditError when it isn't one."""
        with self._path.open("ab") as file:  # made if need be, which also shows that it can be
            size = file.tell()
        if size == 0:
            return 0, None
        with self._path.open("rb") as file:
            file.seek(max(0, size - _MAX_LINE_BYTES))
            tail = file.read()
        if not tail.endswith(b"\n"):
            torn = len(tail.rpartition(b"\n")[2])
            raise AuditError(
                f"audit log {self._name} ends in {torn} bytes of an unfinished line, since a run was cut off while writing "
                f"it; see what they say, remove them (truncate -s {size - torn} FILE), and try again"
            )
        line = _read(tail[:-1].rpartition(b"\n")[2], None, None)
        if isinstance(line, AuditProblem):
            raise AuditError(
                f"audit log {self._name} is damaged in its last line ({line}); keep it as evidence and begin another file"
            )
        return size, line

    def _write(self, data: bytes, size: int) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        try:
            _put(descriptor, data)
        except OSError:
            with suppress(OSError):  # the next run reports what stays as an unfinished line
                os.ftruncate(descriptor, size)
            raise
        finally:
            os.close(descriptor)
        if size == 0 and os.name != "nt":  # a new file is lost with its folder's entry
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _put(descriptor: int, data: bytes) -> None:
    """Write a line in one piece, synced."""
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)


def _read(data: bytes, number: int | None, previous: str | None) -> AuditLine | AuditProblem:
    """Return a line that has its hash and, where `previous` is given, stands in its place; or what is wrong with it."""

    def problem(what: str, found: object, expected: object) -> AuditProblem:
        return AuditProblem(
            line=number, what=what, found=display(found) or "", expected=display(expected) or ""
        )

    try:
        line = _decoder.decode(data)
        written = msgspec.json.encode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError, OverflowError) as error:
        return problem(f"it is no line of an audit log ({error})", data, "a line that --audit-log wrote")
    if written != data:
        return problem("it isn't written as a line of an audit log is", data, written)
    digest = _hash(_entry(line))
    if line.hash != digest:
        return problem("it was edited: its content hasn't the hash that it says", digest, repr(line.hash))
    if previous is not None and line.previous != previous:
        return problem(
            "it doesn't follow the line before: one was removed, inserted or moved",
            repr(line.previous),
            previous,
        )
    if number is not None and line.number != number:
        return problem("its number isn't its place", line.number, number)
    return line


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE_BYTES):
            yield line


def verify_audit(path: Path, *, last_hash: str | None = None) -> AuditReport:
    """Read a trail from its start, and say whether every line stands where and as it was written.

    With `last_hash`, a hash that was kept elsewhere (64 hexadecimal digits), the chain must also contain the
    line that has it, so that a cut end is seen; lines that were added since are fine.

    Raises AuditError when there is no such file, it can't be read, or the kept hash isn't one.
    """
    expected_hash = None if last_hash is None else last_hash.strip().lower()
    if expected_hash is not None and (
        len(expected_hash) != 64 or set(expected_hash) - set("0123456789abcdef")
    ):
        raise AuditError(f"the kept hash {display(last_hash)!r} is not 64 hexadecimal digits; give it whole")
    if not path.is_file():
        raise AuditError(f"audit log {str(path)!r} is no file; name one that --audit-log wrote")
    previous, count = FIRST, 0
    added = 0 if expected_hash == FIRST else None
    problem: AuditProblem | None = None
    try:
        for number, data in enumerate(_lines(path), start=1):
            if not data.endswith(b"\n"):
                problem = AuditProblem(
                    line=number,
                    what="it is longer than any line of an audit log"
                    if len(data) == _MAX_LINE_BYTES
                    else "it is unfinished: a run was cut off while writing it, or is writing it now",
                    found=f"{len(data):,} bytes without a line end",
                    expected="a whole line",
                )
                break
            line = _read(data[:-1], number, previous)
            if isinstance(line, AuditProblem):
                problem = line
                break
            previous, count = line.hash, number
            if added is not None:
                added += 1
            elif line.hash == expected_hash:
                added = 0
    except OSError as error:
        raise AuditError(f"audit log {str(path)!r} can't be read ({error}); mend its permissions") from error
    if problem is None and expected_hash is not None and added is None:
        problem = AuditProblem(
            line=None,
            what="no line has the kept hash: the end was cut off, or the log was written anew",
            found=f"the last hash {previous}",
            expected=expected_hash,
        )
    return AuditReport(
        file=str(path),
        verdict="broken" if problem else "whole",
        lines=count,
        last_hash=previous,
        problem=problem,
        caution="its end can have been cut off: only the last hash, kept elsewhere, can show that"
        if expected_hash is None
        else "the lines after the kept hash can have been cut off: only a later hash, kept elsewhere, can show that",
        added=added,
    )
