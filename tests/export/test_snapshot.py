"""Snapshots: the same bytes, the same digest in every format and layout, one block in memory."""

import errno
import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from esdh_core import DEFAULT_DATASET, ENTITIES, RequestError, Table, generate_bundle
from esdh_export import ExportError, SnapshotRequest, schema, write_snapshot
from esdh_export.io.background import BackgroundCalls
from esdh_export.io.hashed_file import HashedFile
from esdh_manifest import Manifest, decode_manifest, file_problems, files_below
from esdh_plan import load_plan
from reading import digest, parts, read

ALL = ("csv", "json", "ndjson", "parquet")
SHARDED = 65_536 * 2 + 100


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {path: (folder / path).read_bytes() for path in files_below(folder)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """A snapshot of more than two blocks in one file an entity, all formats."""
    folder = tmp_path_factory.mktemp("whole") / "snapshot"
    return folder, write_snapshot(folder, SnapshotRequest(records=SHARDED, formats=ALL)).manifest


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """The same records, in shards of one block."""
    folder = tmp_path_factory.mktemp("shards") / "snapshot"
    request = SnapshotRequest(records=SHARDED, formats=ALL, shard_rows=65_536)
    return folder, write_snapshot(folder, request).manifest


@pytest.mark.parametrize("cores", [1, 2])
def test_cores_change_no_byte(
    cores: int, whole: tuple[Path, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether rows are hashed where they are made, on one core, or aside, on a second, the files are the same."""
    aside: list[int] = []

    class Recorded(BackgroundCalls):
        def __init__(self, threads: int) -> None:
            aside.append(threads)
            super().__init__(threads)

    monkeypatch.setattr("esdh_export.execution.shard.usable_cores", lambda: cores)
    monkeypatch.setattr("esdh_export.execution.shard.BackgroundCalls", Recorded)
    write_snapshot(tmp_path / "s", SnapshotRequest(records=SHARDED, formats=ALL))
    assert contents(whole[0]) == contents(tmp_path / "s")
    assert [cores if cores > 1 else 0] == aside


def test_second_core_is_used_below_the_blocks_of_most_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads write a part as soon as one of its tables has several blocks, and change no byte."""
    request = SnapshotRequest(records=2_100, formats=ALL, dataset=load_plan("bank"))
    threads: list[int] = []
    put = HashedFile.write

    def noted(file: HashedFile, data: bytes | memoryview) -> int:
        threads.append(threading.get_ident())
        return put(file, data)

    monkeypatch.setattr(HashedFile, "write", noted)
    for cores in (1, 2):
        monkeypatch.setattr("esdh_export.execution.shard.usable_cores", lambda cores=cores: cores)
        write_snapshot(tmp_path / str(cores), request)
        assert (cores > 1) == (len(set(threads)) > 1)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_full_disk_in_a_thread_fails_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full while threads write fails the run, and leaves no thread and no folder."""
    running = threading.active_count()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("esdh_export.execution.shard.usable_cores", lambda: 2)
    monkeypatch.setattr(HashedFile, "write", full)
    with pytest.raises(OSError, match="No space"):
        write_snapshot(tmp_path / "s", SnapshotRequest(records=SHARDED, formats=ALL))
    assert (running, False) == (threading.active_count(), (tmp_path / "s").exists())


def test_same_request_gives_same_bytes(tmp_path: Path) -> None:
    """Two snapshots of one request have the same files with the same bytes."""
    for name in ("a", "b"):
        write_snapshot(tmp_path / name, SnapshotRequest(records=1000, formats=ALL))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_digest_is_the_same_in_every_format_and_layout(
    whole: tuple[Path, Manifest], shards: tuple[Path, Manifest], entity: Table, name: str
) -> None:
    """The digest of what is read back equals the manifest's, for each format, one file or shards."""
    assert whole[1].content == shards[1].content
    for folder, manifest in (whole, shards):
        assert manifest.content[entity.name] == digest(read(folder, entity, name))


def test_statistics_are_the_same_in_every_layout(
    whole: tuple[Path, Manifest], shards: tuple[Path, Manifest]
) -> None:
    """Statistics merge to the same counts however the rows are split."""
    assert whole[1].stats == shards[1].stats


def test_shards_are_folders_of_parts(whole: tuple[Path, Manifest], shards: tuple[Path, Manifest]) -> None:
    """Past the shard size a file is a folder of the same name, whose parts hold the rows in order."""
    folder = shards[0] / "persons_v0_1.csv"
    assert [part.name for part in parts(folder)] == ["part-00000.csv", "part-00001.csv", "part-00002.csv"]
    assert [shards[1].checksums[f"persons_v0_1.csv/part-0000{n}.csv"].rows for n in range(3)] == [
        65_536,
        65_536,
        100,
    ]
    header, rows = (whole[0] / "persons_v0_1.csv").read_bytes().split(b"\n", 1)
    texts = [part.read_bytes() for part in parts(folder)]
    assert all(text.startswith(header + b"\n") for text in texts)
    assert rows == b"".join(text[len(header) + 1 :] for text in texts)
    assert (whole[0] / "dataset_v0_1.json").read_bytes() == (shards[0] / "dataset_v0_1.json").read_bytes()


def test_manifest_lists_every_file(shards: tuple[Path, Manifest]) -> None:
    """Checksums cover every file but the manifest and SHA256SUMS, and `sha256sum -c` agrees."""
    folder, manifest = shards
    assert files_below(folder) == {*manifest.checksums, "SHA256SUMS", "snapshot_manifest_v0_1.json"}
    assert list(file_problems(folder, manifest)) == []
    assert manifest == decode_manifest((folder / "snapshot_manifest_v0_1.json").read_bytes())
    assert DEFAULT_DATASET.plan_sha256 == manifest.plan_sha256
    out = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert len(manifest.checksums) + 1 == out.stdout.count(": OK\n")


def test_json_document_has_one_row_a_line(tmp_path: Path) -> None:
    """The document is JSON of the contract's keys, its rows a line each and those of the bundle."""
    write_snapshot(tmp_path / "s", SnapshotRequest(records=5, seed=9))
    text = (tmp_path / "s" / "dataset_v0_1.json").read_text()
    document, bundle = json.loads(text), generate_bundle(5, 9)
    assert list(document) == ["metadata", "persons", "vehicles", "profiles"]
    assert document == json.loads(msgspec.json.encode(bundle))
    assert document["metadata"] == json.loads((tmp_path / "s" / "metadata_v0_1.json").read_text())
    assert sum(line.startswith('{"') and "_id" in line[:14] for line in text.splitlines()) == 15


def test_filtered_snapshot_is_part_of_a_whole_one(tmp_path: Path, whole: tuple[Path, Manifest]) -> None:
    """A snapshot of some entities has their very files and claims, and nothing of the others."""
    request = SnapshotRequest(
        records=SHARDED, entities=("vehicle", "person"), formats=("parquet", "csv", "ndjson")
    )
    manifest = write_snapshot(tmp_path / "s", request).manifest
    assert (
        ["persons", "vehicles"]
        == list(manifest.record_counts)
        == list(manifest.content)
        == list(manifest.stats)
    )
    for path, data in contents(tmp_path / "s").items():
        if path.startswith(("persons", "vehicles")):
            assert (whole[0] / path).read_bytes() == data
        else:
            assert path in {
                "README_SNAPSHOT_V0_1.md",
                "SHA256SUMS",
                "croissant.json",
                "datapackage.json",
                "snapshot_manifest_v0_1.json",
            }
    assert all(whole[1].content[name] == value for name, value in manifest.content.items())
    only = write_snapshot(
        tmp_path / "j", SnapshotRequest(records=3, entities=("profiles",), formats=("json",))
    )
    document = json.loads((tmp_path / "j" / "dataset_v0_1.json").read_text())
    assert list(document) == ["metadata", "profiles"]
    assert "record_count_persons" not in document["metadata"]
    assert list(only.manifest.record_counts) == ["profiles"]


def test_readme_tells_the_command_that_makes_it_again(shards: tuple[Path, Manifest]) -> None:
    """The README's command names records, seed, entities, formats and, where it matters, the shard size."""
    readme = (shards[0] / "README_SNAPSHOT_V0_1.md").read_text()
    assert (
        f"esdh generate-snapshot --records {SHARDED} --seed 20240601 --entity-filter persons vehicles profiles "
        "--output-format csv ndjson parquet json --shard-rows 65536\n"
    ) in readme


def test_request_of_numpy_integers() -> None:
    """Records and a seed as NumPy's integers make the same request, ready for a manifest."""
    request = SnapshotRequest(records=np.int64(2), seed=np.uint32(7))  # type: ignore[arg-type]  # an index all the same
    assert SnapshotRequest(records=2, seed=7) == request
    assert {int} == {type(request.records), type(request.seed)}


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_parquet_layout(whole: tuple[Path, Manifest], entity: Table) -> None:
    """Parquet has date32 and int64, zstd, a row group a block, and the marker and seed in its metadata."""
    file = pq.ParquetFile(whole[0] / f"{entity.name}_v0_1.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [65_536, 65_536, 100]
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.metadata.metadata[b"synthetic_source"] == b"enterprise-synthetic-data-hub v0.1"
    assert file.metadata.metadata[b"seed"] == b"20240601"
    assert schema(entity).remove_metadata() == file.schema_arrow.remove_metadata()


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_parquet_needs_no_new_reader(whole: tuple[Path, Manifest], entity: Table) -> None:
    """Values are in encodings that readers have had since parquet-format 2.0, and no others."""
    metadata = pq.read_metadata(whole[0] / f"{entity.name}_v0_1.parquet")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    assert {"PLAIN", "RLE", "RLE_DICTIONARY"} >= {each for column in columns for each in column.encodings}


def test_polars_reads_every_format(whole: tuple[Path, Manifest]) -> None:
    """A reader that shares nothing with Arrow sees the same rows in CSV, NDJSON and Parquet."""
    stem = str(whole[0] / "vehicles_v0_1")
    parquet = pl.read_parquet(f"{stem}.parquet")
    assert parquet.equals(pl.read_csv(f"{stem}.csv", schema=parquet.schema))
    assert parquet.equals(pl.read_ndjson(f"{stem}.ndjson", schema=parquet.schema))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"records": 0}, "records 0"),
        ({"records": 2**33 + 1}, "records 8589934593"),
        ({"seed": 2**53}, "seed 9007199254740992"),
        ({"entities": ("persn",)}, "'persn' is no entity"),
        ({"formats": ("xml",)}, "'xml' is no output format"),
        ({"formats": ()}, "at least one"),
        ({"shard_rows": 100_000}, "nearest is 131072"),
        ({"shard_rows": 1}, "nearest is 65536"),
    ],
)
def test_bad_request_is_refused(options: dict[str, object], message: str) -> None:
    """A request that can't be met is refused with the value and what would be right."""
    with pytest.raises((RequestError, ExportError), match=message):
        SnapshotRequest(**options)  # type: ignore[arg-type] # the mistakes under test


MEASURE = """
import resource, sys
from pathlib import Path
from esdh_export import SnapshotRequest, write_snapshot
request = SnapshotRequest(records=int(sys.argv[2]), entities=("persons",), formats=("csv", "ndjson", "parquet"))
write_snapshot(Path(sys.argv[1]), request)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_records(tmp_path: Path) -> None:
    """Ten times the records need no more memory: one block is held at a time."""

    def peak(records: int) -> int:
        command = [sys.executable, "-c", MEASURE, str(tmp_path / str(records)), str(records)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert peak(2_000_000) < 1.15 * peak(200_000)


def test_empty_arrow_columns_have_a_schema() -> None:
    """The schema stands before any row."""
    table = schema(ENTITIES[0]).empty_table()
    assert pa.date32() == table.schema.field("date_of_birth").type
    assert [field.name for field in table.schema if field.nullable] == ["address_line_2"]


def test_readme_names_the_digests(tmp_path: Path) -> None:
    """The README names the digests that the manifest claims."""
    snapshot = write_snapshot(tmp_path / "s", SnapshotRequest(records=2))
    readme = (tmp_path / "s" / "README_SNAPSHOT_V0_1.md").read_text()
    assert all(value in readme for value in snapshot.manifest.content.values())
    assert (
        hashlib.sha256(readme.encode()).hexdigest()
        == snapshot.manifest.checksums["README_SNAPSHOT_V0_1.md"].sha256
    )


def test_writing_imports_no_pandas(tmp_path: Path) -> None:
    """Writing a snapshot in every format doesn't import pandas, which would cost more than the snapshot."""
    program = (
        "import sys; from pathlib import Path; from esdh_export import SnapshotRequest, write_snapshot\n"
        "write_snapshot(Path(sys.argv[1]), SnapshotRequest(formats=('csv', 'json', 'ndjson', 'parquet')))\n"
        "print('pandas' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "snapshot")]
    assert "False\n" == subprocess.run(command, capture_output=True, text=True, check=True).stdout
