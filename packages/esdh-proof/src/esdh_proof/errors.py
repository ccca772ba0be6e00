"""The errors of esdh-proof."""

__all__ = ["ProofError"]


class ProofError(ValueError):
    """Base of every error that esdh-proof raises for an input it can't work with."""
