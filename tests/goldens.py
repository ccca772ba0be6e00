"""What the goldens pin, made afresh; `python tests/goldens.py NAME...` writes those that are named (`just golden`).

For a new dataset version only: the goldens of v0.1, and of each version of a plan that ships, are fixed. So are the
values of `rules.json`, one plan a rule. tests/golden/test_golden.py says what to do when one differs.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import msgspec
from esdh_core import DEFAULT_DATASET, ENTITIES, generate_bundle, generate_columns
from esdh_export import EncodedBlock, SnapshotRequest, entity_digest, write_snapshot
from esdh_plan import compile_plan, load_plan, parse_plan, plans
from esdh_proof import judge
from plan.generating import POOLS

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


def bank_manifest() -> bytes:
    """Return the manifest of bank's snapshot of 1,000 records in all text formats, whose bytes hang on no library."""
    dataset = load_plan("bank")
    with tempfile.TemporaryDirectory() as folder:
        request = SnapshotRequest(dataset=dataset, records=1_000, formats=("csv", "json", "ndjson"))
        write_snapshot(
            Path(folder) / "snapshot", request, gate=partial(judge, dataset=dataset, seed=request.seed)
        )
        return (Path(folder) / "snapshot" / "snapshot_manifest_bank_v1.json").read_bytes()


def rules() -> bytes:
    """Return, of each plan of tests/plan/plans, one a rule, the content digest of each table over 300 records, and its first rows."""
    found = {}
    for path in sorted((FOLDER.parent / "plan" / "plans").glob("*.yaml")):
        dataset = compile_plan(parse_plan(path.read_text("utf-8"), path.name), path.parent, pools=POOLS)
        records = min(300, dataset.max_records)
        with tempfile.TemporaryDirectory() as folder:
            request = SnapshotRequest(dataset=dataset, records=records, formats=("parquet",))
            content = write_snapshot(Path(folder) / "snapshot", request).manifest.content
        first = {table.name: dataset.rows(table.name, 2)[:3] for table in dataset.tables}
        found[path.stem] = {"content": content, "first": first}
    return _pretty(found)


GOLDENS = {
    "records.json": records,
    "plan.json": lambda: DEFAULT_DATASET.plan_json,
    "content_1000000.json": content,
    "snapshot_manifest_v0_1.json": manifest,
    "plans.json": shipped_plans,
    "snapshot_manifest_bank_v1.json": bank_manifest,
    "rules.json": rules,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or GOLDENS:
        (FOLDER / name).write_bytes(GOLDENS[name]())
