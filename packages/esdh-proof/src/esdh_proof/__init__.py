"""Can a snapshot be believed: verification, gates, drift and the audit trail.

Names are imported when they are first used: a command that only asks the gates doesn't pay for readers.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esdh_proof.audit import (
        AuditLine,
        AuditProblem,
        AuditReport,
        AuditLog,
        actor_of_environment,
        verify_audit,
    )
    from esdh_proof.diff import SnapshotDiff, diff_snapshots
    from esdh_proof.errors import AuditError, ProofError
    from esdh_proof.findings import Check, Failure
    from esdh_proof.gates import judge, skip
    from esdh_proof.identity import SnapshotIdentity
    from esdh_proof.verify import Verification, verify_snapshot

__all__ = [
    "AuditError",
    "AuditLine",
    "AuditProblem",
    "AuditReport",
    "Check",
    "SnapshotDiff",
    "Failure",
    "ProofError",
    "SnapshotIdentity",
    "AuditLog",
    "Verification",
    "actor_of_environment",
    "diff_snapshots",
    "judge",
    "skip",
    "verify_audit",
    "verify_snapshot",
]

_MODULES = {
    "AuditError": "errors",
    "AuditLine": "audit",
    "AuditProblem": "audit",
    "AuditReport": "audit",
    "Check": "findings",
    "SnapshotDiff": "diff",
    "Failure": "findings",
    "ProofError": "errors",
    "SnapshotIdentity": "identity",
    "AuditLog": "audit",
    "Verification": "verify",
    "actor_of_environment": "audit",
    "diff_snapshots": "diff",
    "judge": "gates",
    "skip": "gates",
    "verify_audit": "audit",
    "verify_snapshot": "verify",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
