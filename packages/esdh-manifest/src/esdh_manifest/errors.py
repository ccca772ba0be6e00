"""The error of esdh-manifest."""

__all__ = ["ManifestError"]


class ManifestError(ValueError):
    """A manifest or checksum list that can't be read, or that names what no snapshot may."""
