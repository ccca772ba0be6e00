"""What a reference names: a plan that ships, a plan file or a snapshot's folder; and which dataset an id is of."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
from esdh_core.dataset import Dataset
from esdh_core.datasets import DEFAULT_DATASET, catalog
from esdh_core.errors import IdError
from esdh_core.ids import bare_id
from esdh_core.located import Located, locate_row
from esdh_core.overlay import Overlay

from esdh_plan import plans
from esdh_plan.defects.overlay import overlay_of, read_overlay
from esdh_plan.errors import Fault, PlanError, near, nearest, suggestion, word_list
from esdh_plan.language import Source, parse_plan
from esdh_plan.loading import load_plan
from esdh_plan.reader import read_bytes
from esdh_plan.recipe import load_recipe

__all__ = [
    "FolderError",
    "defects_of_plan",
    "find_row",
    "open_dataset",
    "open_defects",
    "overlay_of_snapshot",
    "parse_file",
    "seed_of_snapshot",
    "source_of",
]

_OVERLAY: Final = "overlay_*.json"
_MANIFEST: Final = "snapshot_manifest_*.json"
_MAX_BYTES: Final = 1 << 28  # bytes of a manifest or a recipe
_SUFFIXES: Final = (".yaml", ".yml")


class FolderError(ValueError):
    """A folder that is no snapshot that this program can make again."""


class _Manifest(msgspec.Struct):
    """What a manifest says of its dataset."""

    dataset_version: str
    plan_sha256: str
    seed: int


def open_dataset(reference: str) -> Dataset:
    """Return the dataset that a reference names.

    It is the name of a plan that ships or the version of the default dataset; a plan file, by a path with a
    slash or a suffix; or the folder of a snapshot, whose recipe is read.

    Raises PlanError for a name that there isn't, or a file that is no plan; FolderError for a folder that is no
    snapshot, or one that this program can't make.
    """
    if reference == catalog.VERSION:
        return DEFAULT_DATASET
    if reference in plans.names():
        return load_plan(reference)
    if reference and Path(reference).is_dir():
        return _of_snapshot(Path(reference))
    _check_file(reference)
    return load_plan(Path(reference))


def open_defects(reference: str, dataset: Dataset) -> Overlay:
    """Return the defects of a file, or those that a snapshot's folder carries, as an overlay of a dataset.

    Raises PlanError with all faults of a file; FolderError for a folder without defects.
    """
    path = Path(reference)
    if not path.is_dir():
        return read_overlay(path, dataset)
    found = overlay_of_snapshot(path, dataset)
    if found is None:
        raise FolderError(f"{reference!r} holds no snapshot with defects: there is no {_OVERLAY} in it")
    return found


def overlay_of_snapshot(folder: Path, dataset: Dataset) -> Overlay | None:
    """Return the defects of a snapshot, None where it carries none. Raises PlanError for a file that is no list of defects."""
    files = sorted(folder.glob(_OVERLAY))
    return read_overlay(files[0], dataset) if files else None


def seed_of_snapshot(folder: Path) -> int:
    """Return the seed of a snapshot, as its manifest has it. Raises FolderError for a folder without one."""
    manifests = sorted(folder.glob(_MANIFEST))
    try:
        return msgspec.json.decode(_bytes(manifests[0]), type=_Manifest).seed
    except (IndexError, msgspec.DecodeError) as error:
        raise FolderError(f"{str(folder)!r} has no manifest that can be read: {error}") from None


def defects_of_plan(reference: str, dataset: Dataset) -> Overlay | None:
    """Return the defects that a plan lists itself, None for a plan without any, and for what is no plan file.

    Raises PlanError as `open_dataset`.
    """
    if reference not in plans.names() and Path(reference).suffix not in _SUFFIXES:
        return None
    text = source_of(reference)
    if b"defects" not in text:  # nearly every plan, which isn't read a second time then
        return None
    source = parse_plan(text, reference)
    return overlay_of(source.plan.defects, dataset, source.document) if source.plan.defects else None


def source_of(reference: str) -> bytes:
    """Return the YAML of a plan that ships, or of a plan file.

    Raises PlanError for what has none: the default dataset, a snapshot, a name or a file that there isn't.
    """
    if reference in plans.names():
        return plans.source(reference).encode()
    if reference == catalog.VERSION:
        raise _refused(reference, "the default dataset is written in Python; it has no YAML")
    if reference and Path(reference).is_dir():
        raise _refused(
            reference, "a snapshot carries its compiled plan, not its YAML; `--format json` prints it"
        )
    _check_file(reference)
    return Path(reference).read_bytes()


def parse_file(reference: str) -> Source:
    """Return the plan in a file, not compiled. Raises PlanError for one that isn't there, or with its faults of form."""
    _check_file(reference)
    return parse_plan(read_bytes(Path(reference), reference), reference)


def find_row(value: str | UUID) -> Located:
    """Return the row that an id names, of the default dataset or of a plan that ships.

    Raises IdError for an id of neither, with what can be known of the plan that it needs.
    """
    bare = bare_id(value)
    if bare.ordinal:  # which the ids of plans have not
        return locate_row(DEFAULT_DATASET, value)
    for name in plans.names():
        dataset = load_plan(name)
        try:
            dataset.ids.decode(value)
        except IdError:
            continue
        return locate_row(dataset, value)
    raise IdError(
        f"{str(value)!r} is the id of no plan that ships ({word_list(plans.names())}); if a plan of yours made it, it is of "
        f"seed {bare.seed}, of the table with tag {bare.tag}, slot {bare.slot}: name the plan file or a snapshot's folder "
        "with --plan"
    )


def _known() -> list[str]:
    return [catalog.VERSION, *plans.names()]


def _check_file(reference: str) -> None:
    """Raise PlanError, with the near match, unless a reference is the path of a file."""
    path = Path(reference)
    if not reference:
        raise _refused(
            "''", f"a plan has a name ({word_list(_known())}), or is a file or a snapshot's folder"
        )
    if not _is_path(reference):
        files = [
            name
            for name in (reference, *(f"{reference}{suffix}" for suffix in _SUFFIXES))
            if Path(name).is_file()
        ]
        here = f"; the file here is ./{files[0]}" if files else ""
        files_by_stem = {Path(name).stem: f"./{name}" for name in _beside(path)}
        closest = nearest(reference, [*_known(), *files_by_stem])
        hint = suggestion(files_by_stem.get(closest, closest) if closest else None)
        raise _refused(
            reference,
            f"no plan of this name ships; there are {word_list(_known(), 'and')}, and a file is given by a path with a "
            f"slash or a suffix{here or hint}",
        )
    if path.exists():
        return
    beside = _beside(path)
    hint = near(path.name, beside)
    if not hint and "/" not in reference:
        hint = near(reference, _known())
    raise _refused(reference, f"there is no such file or folder{hint}")


def _beside(path: Path) -> Iterator[str]:
    try:
        yield from sorted(each.name for each in path.parent.iterdir() if each.suffix in _SUFFIXES)
    except OSError:  # there is no such folder either
        return


def _is_path(reference: str) -> bool:
    return "/" in reference or "\\" in reference or bool(Path(reference).suffix)


def _of_snapshot(folder: Path) -> Dataset:
    named = repr(str(folder))
    manifests = sorted(folder.glob(_MANIFEST))
    if len(manifests) != 1:
        found = f"{len(manifests)} manifests" if manifests else f"no {_MANIFEST}"
        files = sorted(each for each in folder.iterdir() if each.suffix in _SUFFIXES)
        hint = f"; a plan in it is given by its own path, such as {files[0]}" if files else ""
        raise FolderError(f"folder {named} is no snapshot: there is {found} in it{hint}")
    try:
        manifest = msgspec.json.decode(_bytes(manifests[0]), type=_Manifest)
    except msgspec.DecodeError as error:
        raise FolderError(f"the manifest of snapshot {named} can't be read: {error}") from None
    if manifest.dataset_version == catalog.VERSION:
        return _check_plan(named, manifest, DEFAULT_DATASET)
    recipe = folder / f"plan_{manifest.dataset_version.replace(' ', '_').replace('.', '_')}.json"
    if not recipe.is_file():
        raise FolderError(
            f"snapshot {named} is of {manifest.dataset_version}, and has no recipe, {recipe.name}; this program makes "
            f"{catalog.VERSION}, and what a recipe or a plan says"
        )
    data = _bytes(recipe)
    if hashlib.sha256(data).hexdigest() != manifest.plan_sha256:
        raise FolderError(
            f"the recipe of snapshot {named}, {recipe.name}, was changed: its SHA-256 isn't the manifest's plan_sha256"
        )
    try:
        dataset = load_recipe(data, recipe.name)
    except PlanError as error:
        raise FolderError(f"the recipe of snapshot {named} can't be taken: {error}") from None
    return _check_plan(named, manifest, dataset)


def _check_plan(named: str, manifest: _Manifest, dataset: Dataset) -> Dataset:
    """Return the dataset, unless a snapshot was made by another plan of the same name."""
    if (manifest.dataset_version, manifest.plan_sha256) != (dataset.dataset_version, dataset.plan_sha256):
        raise FolderError(
            f"snapshot {named} is of {manifest.dataset_version} with the plan {manifest.plan_sha256[:12]}; this program's "
            f"{dataset.dataset_version} has the plan {dataset.plan_sha256[:12]}: another version of the program made it"
        )
    return dataset


def _bytes(path: Path) -> bytes:
    if path.stat().st_size > _MAX_BYTES:
        raise FolderError(
            f"{str(path)!r} has more than {_MAX_BYTES:,} bytes, so it is not what its name says"
        )
    return path.read_bytes()


def _refused(reference: str, reason: str) -> PlanError:
    return PlanError(reference, [Fault(0, 0, "", reason)])
