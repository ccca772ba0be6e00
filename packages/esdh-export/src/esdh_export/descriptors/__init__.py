"""What a snapshot says of itself to other tools: modules with the same verbs, one file each.

Data files, then descriptors, then the README, then the manifest: each is rendered from what stands before
it. A descriptor is a pure function of the manifest's claims about the data files and of the dataset; of its
own entry, the other descriptors' and the README's in `checksums` it uses nothing, so that a manifest
read back renders to the same bytes.
"""

from types import ModuleType

from esdh_core import Dataset
from esdh_manifest import Manifest

from esdh_export.descriptors import croissant, datapackage

__all__ = ["DESCRIPTORS", "render_descriptors"]

DESCRIPTORS: dict[str, ModuleType] = {module.LABEL: module for module in (datapackage, croissant)}


def render_descriptors(manifest: Manifest, dataset: Dataset) -> dict[str, bytes]:
    """Return the descriptors of a snapshot, file name to content."""
    return {module.NAME: module.render(manifest, dataset) for module in DESCRIPTORS.values()}
