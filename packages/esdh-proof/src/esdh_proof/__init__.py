"""Can a snapshot be believed: verification, gates, drift and the audit trail.

Names are imported when they are first used: a command that only asks the gates doesn't pay for readers.
"""

from typing import TYPE_CHECKING

from esdh_core.lazy import lazy_names

if TYPE_CHECKING:
    from esdh_proof.audit import AuditLine as AuditLine
    from esdh_proof.audit import AuditLog as AuditLog
    from esdh_proof.audit import AuditProblem as AuditProblem
    from esdh_proof.audit import AuditReport as AuditReport
    from esdh_proof.audit import actor_of_environment as actor_of_environment
    from esdh_proof.audit import verify_audit as verify_audit
    from esdh_proof.diff import SnapshotDiff as SnapshotDiff
    from esdh_proof.diff import diff_snapshots as diff_snapshots
    from esdh_proof.errors import AuditError as AuditError
    from esdh_proof.errors import ProofError as ProofError
    from esdh_proof.findings import Check as Check
    from esdh_proof.findings import Failure as Failure
    from esdh_proof.gates import judge as judge
    from esdh_proof.gates import skip as skip
    from esdh_proof.identity import SnapshotIdentity as SnapshotIdentity
    from esdh_proof.scoring import Score as Score
    from esdh_proof.scoring import score_defects as score_defects
    from esdh_proof.verify import Verification as Verification
    from esdh_proof.verify import verify_snapshot as verify_snapshot

__getattr__ = lazy_names(
    __name__,
    {
        "audit": (
            "AuditLine",
            "AuditLog",
            "AuditProblem",
            "AuditReport",
            "actor_of_environment",
            "verify_audit",
        ),
        "diff": ("SnapshotDiff", "diff_snapshots"),
        "errors": ("AuditError", "ProofError"),
        "findings": ("Check", "Failure"),
        "gates": ("judge", "skip"),
        "identity": ("SnapshotIdentity",),
        "scoring": ("Score", "score_defects"),
        "verify": ("Verification", "verify_snapshot"),
    },
)
