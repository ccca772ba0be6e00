"""Can a snapshot be believed: verification, gates, drift and the audit trail."""

from esdh_proof.errors import ProofError
from esdh_proof.findings import Check, Failure
from esdh_proof.verify import Verification, verify_snapshot

__all__ = ["Check", "Failure", "ProofError", "Verification", "verify_snapshot"]
