"""What a snapshot says of itself: its manifest, its dataset by the recipe that it carries (else the default one), and its defects."""

from pathlib import Path

from esdh_core import DEFAULT_DATASET, Dataset
from esdh_core.overlay import Overlay
from esdh_manifest import Manifest, ManifestError, decode_manifest, overlay_name, recipe_name

from esdh_proof.errors import ProofError
from esdh_proof.reading.rows import manifest_names, regular

__all__ = ["LARGEST_DOCUMENT", "dataset_of", "defects_of", "manifest_of"]

LARGEST_DOCUMENT = 1 << 28  # bytes of a manifest or a recipe


def manifest_of(folder: Path) -> Manifest:
    """Return the manifest of the snapshot in a folder.

    Raises ProofError when there is no such folder, or no manifest in it that can be read.
    """
    if not folder.is_dir():
        raise ProofError(f"{str(folder)!r} is no folder; name the folder of a snapshot")
    names = manifest_names(folder)
    if not names or not regular(folder, names[0]):
        raise ProofError(f"{str(folder)!r} holds no snapshot manifest; name the folder of a snapshot")
    try:
        return decode_manifest((folder / names[0]).read_bytes())
    except (ManifestError, RecursionError) as error:
        raise ProofError(f"{str(folder)!r} holds a manifest that can't be read: {error}") from error


def dataset_of(folder: Path, manifest: Manifest) -> Dataset:
    """Return the dataset that a snapshot in a folder is of.

    A snapshot of a plan carries its recipe, which is read as strictly as a plan: nothing in it is run. Any other is
    taken for the default dataset's, whatever version it says.

    Raises ProofError when the recipe isn't there, can't be read or is of another dataset.
    """
    if "plan" not in manifest.files:
        return DEFAULT_DATASET
    name = recipe_name(manifest.dataset_version)
    if not regular(folder, name):
        raise ProofError(f"{name} is missing; it says what the rows must be")
    if (size := (folder / name).stat().st_size) > LARGEST_DOCUMENT:
        raise ProofError(f"{name} takes {size} bytes; a recipe takes at most {LARGEST_DOCUMENT}")
    dataset = _load((folder / name).read_bytes(), name)
    if dataset.dataset_version != manifest.dataset_version:
        raise ProofError(
            f"{name} is of {dataset.dataset_version}, where the manifest says {manifest.dataset_version}"
        )
    return dataset


def defects_of(folder: Path, manifest: Manifest, dataset: Dataset) -> Overlay:
    """Return the defects of a snapshot in a folder, which carries them as a list; nothing in it is run.

    Raises ProofError when the list isn't there or can't be read.
    """
    from esdh_plan.defects.overlay import read_overlay

    name = overlay_name(manifest.dataset_version)
    if not regular(folder, name):
        raise ProofError(f"{name} is missing; it says which defects the rows have")
    try:
        return read_overlay(folder / name, dataset)
    except ValueError as error:
        raise ProofError(f"{name} can't be read: {error}") from error


def _load(recipe: bytes, name: str) -> Dataset:
    from esdh_plan import load_recipe  # which a snapshot without a recipe doesn't pay for

    try:
        return load_recipe(recipe, name)
    except (ValueError, RecursionError, MemoryError) as error:
        raise ProofError(f"{name} can't be read: {error}") from error
