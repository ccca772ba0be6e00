"""The audit trail on the command line: its options, and a run that is logged whatever comes of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from esdh_manifest import Manifest

__all__ = ["Audited", "audit_options", "audited"]

F = TypeVar("F", bound=Callable[..., object])


def audit_options(command: F) -> F:
    """Add --audit-log and --actor to a command."""
    log = click.option(
        "--audit-log",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Append one line to this audit log, whatever comes of the run.",
    )
    actor = click.option(
        "--actor", metavar="NAME", help="Who runs this, for the audit log.  [default: the user's name]"
    )
    return log(actor(command))


@dataclass
class Audited:
    """What a command has to tell the audit log: what it knows of the snapshot, and what came of the run."""

    outcome: str = ""
    identity: dict[str, str | int | bool | None] = field(default_factory=dict)
    content: dict[str, str] = field(default_factory=dict)

    def tell(self, outcome: str, manifest: "Manifest | None" = None) -> None:
        """Say what came of the run, and of which snapshot."""
        self.outcome = outcome
        if manifest is not None:
            self.identify(
                {
                    "dataset_version": manifest.dataset_version,
                    "seed": manifest.seed,
                    "records": manifest.records_requested,
                    "plan_sha256": manifest.plan_sha256,
                },
                manifest.content,
            )

    def identify(
        self, identity: Mapping[str, str | int | bool | None], content: Mapping[str, str] | None = None
    ) -> None:
        """Say which snapshot the run is about."""
        self.identity |= identity
        self.content |= content or {}


@contextmanager
def audited(log: Path | None, actor: str | None, action: str, *folders: Path | str) -> Iterator[Audited]:
    """Log a run: the log is tried before the work, so that nothing happens unlogged, and written after it.

    A run that fails is logged with its error, one that is interrupted as that.
    """
    run = Audited()
    if log is None:
        yield run
        return
    from datetime import UTC, datetime
    from importlib.metadata import version

    from esdh_proof.audit import Trail, actor_of_environment
    from esdh_proof.errors import AuditError

    trail = Trail(log)
    trail.check()
    try:
        yield run
    except BaseException as error:
        told = str(error) or type(error).__name__
        run.outcome = (
            "interrupted" if isinstance(error, KeyboardInterrupt) else run.outcome or f"failed: {told}"
        )
        raise
    finally:
        try:
            trail.append(
                now=datetime.now(UTC),
                actor=actor or actor_of_environment(),
                action=action,
                folders=[str(folder) for folder in folders],
                outcome=run.outcome,
                program=f"esdh {version('esdh-cli')}",
                identity=run.identity,
                content=run.content,
            )
        except AuditError as error:
            raise AuditError(f"the run ended ({run.outcome}) but is not logged: {error}") from error
