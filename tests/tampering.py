"""Tampers with a snapshot's files, or with the rules that made them, and signs the result as a forger would."""

import csv
import datetime as dt
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from esdh_core import DEFAULT_DATASET, ENTITIES, REFERENCE_DATE, Block, Table
from esdh_core.columns import Column
from esdh_export import render_descriptors, schema
from esdh_manifest import (
    SUMS_NAME,
    Manifest,
    decode_manifest,
    encode_manifest,
    entry_of,
    render_readme,
    sha256sums,
)
from esdh_proof import Check, Verification
from oracles import full_years
from reading import digest, read

MANIFEST = "snapshot_manifest_v0_1.json"
README = "README_SNAPSHOT_V0_1.md"
Row = dict[str, Any]
Edit = Callable[[list[Row]], None]


def manifest_of(folder: Path) -> Manifest:
    """Return a snapshot's manifest."""
    return decode_manifest((folder / MANIFEST).read_bytes())


def edit_rows(folder: Path, plural: str, name: str, edit: Edit) -> None:
    """Edit the rows of an entity in one format in place, in the spelling of the writers."""
    rows = read(folder, DEFAULT_DATASET.table(plural), name).to_pylist()
    edit(rows)
    write_rows(folder, plural, name, rows)


def write_rows(folder: Path, plural: str, name: str, rows: list[Row]) -> None:
    """Write rows of an entity in one format over its file, in the spelling of the writers."""
    entity = DEFAULT_DATASET.table(plural)
    path = folder / f"{plural}_v0_1.{name}"
    if name == "parquet":
        target = schema(entity, seed=manifest_of(folder).seed)
        pq.write_table(
            pa.Table.from_pylist(rows, schema=target), path, compression="zstd", store_schema=False
        )
    elif name == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(entity.fields)
        writer.writerows([["" if value is None else value for value in row.values()] for row in rows])
        path.write_text(text.getvalue(), "utf-8")
    elif name == "ndjson":
        path.write_text("".join(_json(row) + "\n" for row in rows), "utf-8")
    else:
        path = folder / "dataset_v0_1.json"
        document = json.loads(path.read_text("utf-8"))
        parts = [f'{{"metadata":{_json(document["metadata"])}']
        for each in ENTITIES:
            if each.name in document:
                kept = rows if each.name == plural else document[each.name]
                parts.append(f'"{each.name}":[\n' + ",\n".join(map(_json, kept)) + "\n]")
        path.write_text(",".join(parts) + "}\n", "utf-8")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=dt.date.isoformat)


def count(rows: list[Row], plural: str) -> dict[str, dict[str, int]]:
    """Return the statistics of rows, counted one by one."""
    counts: dict[str, dict[str, int]] = {}
    for statistic in DEFAULT_DATASET.table(plural).statistics:
        values = [row[statistic.field] for row in rows]
        if statistic.name == "ages":
            values = [full_years(born, REFERENCE_DATE) for born in values]
        elif statistic.name == "vin_prefixes":
            values = [vin[:3] for vin in values]
        elif statistic.name == "model_year_bands":
            values = [f"{year // 5 * 5}-{year // 5 * 5 + 4}" for year in values]
        counts[statistic.name] = dict(sorted(Counter(map(str, values)).items()))
    return counts


def sign(folder: Path, *, claims: dict[str, Any] | None = None, recount: bool = False) -> None:
    """Make every checksum fit the files again, and with `recount` every digest, statistic and row count too.

    `claims` are fields of the manifest to forge.
    """
    manifest = msgspec.structs.replace(manifest_of(folder), **(claims or {}))
    tables = {label.rpartition("_")[2] for label in manifest.files} & {"csv", "ndjson", "parquet"}
    source = min(tables, default="json")
    if recount:
        content, stats = dict(manifest.content), dict(manifest.stats)
        for plural in manifest.record_counts:
            table = read(folder, DEFAULT_DATASET.table(plural), source)
            content[plural], stats[plural] = digest(table), count(table.to_pylist(), plural)
        manifest = msgspec.structs.replace(manifest, content=content, stats=stats)
    listed = {}
    for path, was in manifest.checksums.items():
        data = (folder / path).read_bytes() if (folder / path).exists() else b""
        rows = was.rows
        if recount and rows is not None:
            plural, _, name = path.partition("_v0_1.")
            rows = len(read(folder, DEFAULT_DATASET.table(plural), name))
        listed[path] = entry_of(data, rows)
    manifest = msgspec.structs.replace(manifest, checksums=listed)
    for path, descriptor in render_descriptors(manifest, DEFAULT_DATASET).items():
        (folder / path).write_bytes(descriptor)
        manifest.checksums[path] = entry_of(descriptor)
    readme = render_readme(manifest)
    (folder / README).write_bytes(readme)
    manifest.checksums[README] = entry_of(readme)
    encoded = encode_manifest(manifest)
    (folder / MANIFEST).write_bytes(encoded)
    (folder / SUMS_NAME).write_bytes(sha256sums({**manifest.checksums, MANIFEST: entry_of(encoded)}))


def failed(outcome: Verification) -> dict[str, Check]:
    """Return the checks that failed, by name."""
    return {check.name: check for check in outcome.checks if check.status == "failed"}


def where(check: Check) -> tuple[int | None, str | None]:
    """Return the row and the field where a check failed first."""
    assert check.first is not None
    return check.first.row, check.first.field


def _edited(edit: Callable[[Column], Column], column: Callable[[Block], Column], block: Block) -> Column:
    return edit(column(block))


@contextmanager
def forged(table: Table, fields: Iterable[str], edit: Callable[[Column], Column]) -> Iterator[None]:
    """Change columns as a forger would who signs all that it writes."""
    with pytest.MonkeyPatch.context() as patch:
        for field in fields:
            rule = table._rules[field]
            patch.setitem(table._rules, field, replace(rule, column=partial(_edited, edit, rule.column)))
        yield
