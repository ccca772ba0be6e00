"""Small snapshots of every format that tests here read and never write to, and an object store to write to."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import objects
import pytest
from esdh_export import SnapshotRequest, write_snapshot

FORMATS = ("csv", "json", "ndjson", "parquet")
RECORDS = 250
PART_ROWS = 100


def in_parts(request: SnapshotRequest) -> SnapshotRequest:
    """Return a request for parts of 100 rows: a request checks that they are blocks of 65,536."""
    msgspec.structs.force_setattr(request, "shard_rows", PART_ROWS)
    return request


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same 250 records twice: a file an entity and format (`whole`), and three parts each (`parts`)."""
    folder = tmp_path_factory.mktemp("snapshots")
    write_snapshot(folder / "whole", SnapshotRequest(records=RECORDS, formats=FORMATS))
    write_snapshot(folder / "parts", in_parts(SnapshotRequest(records=RECORDS, formats=FORMATS)))
    return {name: folder / name for name in ("whole", "parts")}


@pytest.fixture(params=["whole", "parts"])
def snapshot(request: pytest.FixtureRequest, snapshots: dict[str, Path]) -> Path:
    """The folder of a snapshot of every format, in either layout."""
    folder: Path = snapshots[request.param]
    return folder


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The address of an S3 protocol server."""
    with objects.server() as address:
        yield address


@pytest.fixture
def prefix(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The URI of an empty prefix, whose server and credentials the environment tells."""
    for name, value in objects.environment(endpoint).items():
        monkeypatch.setenv(name, value)
    bucket = f"b{abs(hash(request.node.nodeid)):x}"
    objects.make_bucket(endpoint, bucket)
    return f"s3://{bucket}/some/prefix"
