"""The audit trail on the command line: its options, and a run that is logged whatever comes of it."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar

import click

from esdh_cli.errors import is_ours, mask_passwords
from esdh_cli.parameters import LocalPath
from esdh_cli.signals import unstoppable

if TYPE_CHECKING:
    from esdh_proof import SnapshotIdentity
    from esdh_proof.audit import Outcome

__all__ = ["AuditedRun", "audit_options", "audit_run"]

F = TypeVar("F", bound=Callable[..., object])
_LONGEST_NAME = 200  # characters of an actor


def _name(_context: click.Context, _parameter: click.Parameter, actor: str | None) -> str | None:
    if actor is not None and not (actor.strip() and len(actor) <= _LONGEST_NAME):
        raise click.BadParameter(f"a name has 1 to {_LONGEST_NAME} characters, not {len(actor.strip())}")
    return actor


def audit_options(command: F) -> F:
    """Add --audit-log and --actor to a command."""
    log = click.option(
        "--audit-log",
        type=LocalPath(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Append one line to this audit log, whatever comes of the run.",
    )
    actor = click.option(
        "--actor",
        callback=_name,
        metavar="NAME",
        help="Who runs this, for the audit log.  [default: the user's name]",
    )
    return log(actor(command))


@dataclass
class AuditedRun:
    """What a command gives the audit log: which snapshots the run is about, and what came of it."""

    snapshots: "tuple[SnapshotIdentity, ...]" = ()
    outcome: "Outcome" = "failed"
    detail: str = "the run said nothing of its outcome"

    def about(self, *snapshots: "SnapshotIdentity") -> None:
        """Say which snapshots the run is about, as far as that is known."""
        self.snapshots = snapshots

    def end(self, outcome: "Outcome", *snapshots: "SnapshotIdentity", detail: str = "") -> None:
        """Say what came of the run, and of which snapshots."""
        self.about(*snapshots)
        self.outcome, self.detail = outcome, detail

    def break_off(self, error: BaseException) -> None:
        """Say that the run ended with an error."""
        from esdh_export import GateError, WorkerError

        self.detail = mask_passwords(str(error)) or type(error).__name__
        if isinstance(error, KeyboardInterrupt):
            self.outcome = "interrupted"
        elif isinstance(error, GateError | WorkerError):
            self.outcome = "failed"
        else:
            self.outcome = "refused" if isinstance(error, click.UsageError) or is_ours(error) else "failed"


def _is_stream(path: Path, stream: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except OSError:  # there is no such file yet, or the stream has none, as in a test
        return False


@contextmanager
def audit_run(log: Path | None, actor: str | None, action: str, *snapshots: object) -> Iterator[AuditedRun]:
    """Log a run about some folders: the log is tried before the work, and one line is written after it.

    A run that fails is logged with its error, one that is interrupted as that. Raises AuditError before the
    work when the log can't be written, or lies in one of the folders; and after it, saying what came of the
    work, when the line could not be written.
    """
    run = AuditedRun()
    if log is None:
        yield run
        return
    from datetime import UTC, datetime
    from importlib.metadata import version

    from esdh_proof import AuditError, AuditLog, SnapshotIdentity, actor_of_environment

    if any(_is_stream(log, stream) for stream in (sys.stdout, sys.stderr)):
        raise AuditError(
            f"audit log {str(log)!r} is where this command prints, which would damage it; name another file"
        )
    trail = AuditLog(log)
    trail.check(outside=[each for each in snapshots if isinstance(each, Path)])
    run.about(*(SnapshotIdentity(folder=str(each)) for each in snapshots))
    try:
        yield run
    except BaseException as error:
        run.break_off(error)
        raise
    finally:
        try:
            with unstoppable():
                trail.append(
                    now=datetime.now(UTC),
                    actor=actor or actor_of_environment(),
                    action=action,
                    snapshots=run.snapshots,
                    outcome=run.outcome,
                    detail=run.detail,
                    program=f"esdh {version('esdh-cli')}",
                )
        except AuditError as error:
            detail = f": {run.detail}" if run.detail else ""
            raise AuditError(f"the run ended ({run.outcome}{detail}) but is not logged: {error}") from error
