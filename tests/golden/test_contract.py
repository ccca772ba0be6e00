"""The default snapshot keeps its schemas: what `just demo-validate` holds before anybody is shown anything."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from esdh_core import DEFAULT_DATASET
from esdh_manifest.names import table_name

VERSION = DEFAULT_DATASET.dataset_version


def esdh(*arguments: str) -> bytes:
    """Run the command, which must end well, and return what it prints."""
    return subprocess.run(
        [sys.executable, "-m", "esdh_cli", *arguments], capture_output=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default snapshot."""
    folder = tmp_path_factory.mktemp("contract") / "snapshot"
    esdh("generate-snapshot", "--output-dir", str(folder), "--output-format", "ndjson", "--quiet")
    return folder


def patterns(schema: object) -> Iterator[str]:
    """Yield each pattern of a JSON Schema."""
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    if isinstance(schema, dict) and isinstance(schema.get("pattern"), str):
        yield schema["pattern"]
    for each in inner:
        yield from patterns(each)


def test_plan() -> None:
    """`esdh show-plan` prints core's plan; its fields are those of the Structs in their order, and every pattern compiles."""
    printed = esdh("show-plan", "--format", "json")
    assert DEFAULT_DATASET.plan_sha256 == hashlib.sha256(printed).hexdigest()
    planned = {
        each["plural"]: [field["name"] for field in each["fields"]]
        for each in json.loads(printed)["entities"]
    }
    assert {table.name: list(table.fields) for table in DEFAULT_DATASET.tables} == planned
    for table in DEFAULT_DATASET.tables:
        schema = msgspec.json.schema(table.record)
        for pattern in patterns(schema):
            re.compile(pattern)


@pytest.mark.parametrize("name", [table.name for table in DEFAULT_DATASET.tables])
def test_rows(snapshot: Path, name: str) -> None:
    """Each row decodes strictly as its Struct, has exactly its fields in their order, and carries the marker."""
    table = next(table for table in DEFAULT_DATASET.tables if table.name == name)
    marker = table.field_with("marker")
    assert marker is not None
    decoder = msgspec.json.Decoder(table.record)
    lines = (snapshot / table_name(name, VERSION, "ndjson")).read_bytes().splitlines()
    assert 200 == len(lines)
    for number, line in enumerate(lines):
        decoder.decode(line)
        row: dict[str, Any] = msgspec.json.decode(line)
        assert list(table.fields) == list(row), f"{name} {number}"
        assert DEFAULT_DATASET.marker == row[marker], f"{name} {number}"
