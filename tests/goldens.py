"""What the goldens pin, made afresh; `python tests/goldens.py` writes them (`just golden`).

For a new dataset version only: the goldens of v0.1, and of each version of a plan that ships, are fixed.
"""

import tempfile
from pathlib import Path

import msgspec
from esdh_core import DEFAULT_DATASET, ENTITIES, generate_bundle, generate_columns
from esdh_export import EncodedBlock, SnapshotRequest, entity_digest, write_snapshot
from esdh_plan import load_plan, plans
from esdh_proof import judge

FOLDER = Path(__file__).parent / "golden"


def _pretty(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def records() -> bytes:
    """Return the first three records of the default seed."""
    return _pretty(generate_bundle(3))


def content() -> bytes:
    """Return the content digest of each entity over the first million records of the default seed."""
    blocks: dict[str, list[bytes]] = {entity.name: [] for entity in ENTITIES}
    for start in range(0, 1_000_000, 65_536):
        block = EncodedBlock(generate_columns(start, min(65_536, 1_000_000 - start)))
        for entity in ENTITIES:
            blocks[entity.name].append(block.digest_of(entity))
    return _pretty({plural: entity_digest(digests) for plural, digests in blocks.items()})


def manifest() -> bytes:
    """Return the manifest of the default snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        write_snapshot(Path(folder) / "snapshot", SnapshotRequest(), gate=judge)
        return (Path(folder) / "snapshot" / "snapshot_manifest_v0_1.json").read_bytes()


def shipped_plans() -> bytes:
    """Return, of each plan that ships, the content digest of each table over 2,000 records, and the first record."""
    found = {}
    for name in plans.names():
        dataset = load_plan(name)
        with tempfile.TemporaryDirectory() as folder:
            request = SnapshotRequest(dataset=dataset, records=2_000, formats=("parquet",))
            content = write_snapshot(Path(folder) / "snapshot", request).manifest.content
        first = dataset.bundle(1)
        rows = {table.name: getattr(first, table.name) for table in dataset.tables if not table.is_fixed}
        found[dataset.dataset_version] = {"content": content, "first": rows}
    return _pretty(found)


GOLDENS = {
    "records.json": records,
    "plan.json": lambda: DEFAULT_DATASET.plan_json,
    "content_1000000.json": content,
    "snapshot_manifest_v0_1.json": manifest,
    "plans.json": shipped_plans,
}

if __name__ == "__main__":
    for name, made in GOLDENS.items():
        (FOLDER / name).write_bytes(made())
