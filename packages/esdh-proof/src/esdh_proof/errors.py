"""The errors of esdh-proof."""

__all__ = ["AuditError", "ProofError"]


class ProofError(ValueError):
    """Base of every error that esdh-proof raises for an input it can't work with."""


class AuditError(ProofError):
    """An audit log that can't be written, or whose chain is broken where it should go on."""
