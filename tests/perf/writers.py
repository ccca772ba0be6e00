"""What is run as a user runs it: our command, tpchgen's, and the writers of Arrow and Polars."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import Command, run
from pyarrow import csv

__all__ = [
    "ESDH",
    "IMPORTS",
    "SNOWFAKERY",
    "TPCHGEN_ORDER_LINES",
    "TPCHGEN_ROWS",
    "Tables",
    "Verified",
    "importing",
    "plan_snapshot",
    "size_of",
    "snapshot",
    "sync",
    "tables_of",
    "tpchgen",
]

_BIN = Path(sys.executable).parent
ESDH = str(_BIN / "esdh")
SNOWFAKERY = str(_BIN / "snowfakery")
_TPCHGEN = str(_BIN / "tpchgen-cli")
_SCALE = 5
TPCHGEN_ROWS = _SCALE * (150_000 + 1_500_000)  # customers and orders, TPC-H 4.2.5
TPCHGEN_ORDER_LINES = 1_500_000 + 6_001_215  # orders and lineitem at scale 1, TPC-H 4.2.5
# The libraries that a snapshot can't do without.
IMPORTS = ("click", "numpy", "pyarrow", "pyarrow.parquet", "msgspec")


def importing(*modules: str) -> Command:
    """Return a command that imports modules and exits."""
    return [sys.executable, "-c", f"import {', '.join(modules)}"]


def snapshot(
    folder: Path,
    *formats: str,
    records: int,
    entities: tuple[str, ...] = ("persons", "vehicles"),
    workers: int | None = None,
) -> Command:
    """Return our command; it takes as many workers as it likes unless told."""
    options = [] if workers is None else ["--workers", str(workers)]
    return [
        *(ESDH, "generate-snapshot", "--quiet", "--output-dir", str(folder), "--records", str(records)),
        *("--entity-filter", *entities, "--output-format", *formats, *options),
    ]


class Verified:
    """A snapshot of every table that is written, and then verified, again and again, below a folder."""

    def __init__(self, folder: Path, *formats: str, records: int, shard_rows: int = 1 << 20) -> None:
        self._folder, self._formats, self._records = folder, formats, records
        self._options = ("--shard-rows", str(shard_rows))
        self._written = 0

    @property
    def _snapshot(self) -> Path:
        return self._folder / str(self._written)

    def write(self) -> None:
        """Write it anew."""
        self._written += 1
        entities = ("persons", "vehicles", "profiles")
        command = snapshot(self._snapshot, *self._formats, records=self._records, entities=entities)
        run([*command, *self._options])

    def verify(self) -> None:
        """Verify what was written last."""
        run([ESDH, "verify-snapshot", "--quiet", self._snapshot])

    def rest(self) -> None:
        """Remove all but what was written last, and let the disk come to rest."""
        for folder in self._folder.iterdir():
            if folder != self._snapshot:
                shutil.rmtree(folder)
        os.sync()


def plan_snapshot(
    folder: Path,
    plan: str | Path,
    *formats: str,
    records: int,
    tables: tuple[str, ...] = (),
    workers: int | None = 1,
) -> Command:
    """Return our command for a plan; it writes every table unless some are named, with workers as it likes if None."""
    options = ["--entity-filter", *tables] if tables else []
    if workers is not None:
        options += ["--workers", str(workers)]
    return [
        *(ESDH, "generate-snapshot", "--quiet", "--plan", str(plan), "--output-dir", str(folder)),
        *("--records", str(records), "--output-format", *formats, *options),
    ]


def tpchgen(
    folder: Path, kind: str, *options: str, tables: str = "customer,orders", scale: int = _SCALE
) -> Command:
    """Return the command that writes some tables on one thread."""
    return [
        *(_TPCHGEN, kind, "--quiet", "--num-threads", "1", "--scale-factor", str(scale)),
        *("--tables", tables, "--output-dir", str(folder), *options),
    ]


PAGE_BYTES = 16 << 20  # what the footer doesn't tell


@dataclass(frozen=True)
class _ParquetSettings:
    """How a Parquet file was written, as its footer tells."""

    compression: str
    group: int
    dictionaries: list[str]
    statistics: list[str]

    @classmethod
    def of(cls, file: Path) -> "_ParquetSettings":
        group = pq.read_metadata(file).row_group(0)
        columns = [group.column(number) for number in range(group.num_columns)]
        return cls(
            compression=columns[0].compression,
            group=group.num_rows,
            dictionaries=[each.path_in_schema for each in columns if each.has_dictionary_page],
            statistics=[each.path_in_schema for each in columns if each.is_stats_set],
        )


@dataclass(frozen=True)
class Tables:
    """Persons and vehicles in memory, by the stem of their file, and how ours stores them as Parquet.

    What writes them makes one file of each and leaves it to the system when they reach the disk.
    """

    arrow: Mapping[str, pa.Table]
    settings: Mapping[str, _ParquetSettings]

    def writer_of(self, kind: str, records: int) -> Callable[[Path], None]:
        """Return what writes the first records as csv, ndjson or parquet; what it needs is made beforehand."""
        tables = {stem: table.slice(0, records) for stem, table in self.arrow.items()}
        if kind == "csv":
            return partial(_write_csv, tables)
        if kind == "parquet":
            return partial(_write_parquet, tables, self.settings)
        return partial(_write_ndjson, {stem: pl.DataFrame(table) for stem, table in tables.items()})


def _write_csv(tables: Mapping[str, pa.Table], folder: Path) -> None:
    options = csv.WriteOptions(quoting_style="none", quoting_header="none")
    for stem, table in tables.items():
        csv.write_csv(table, folder / f"{stem}.csv", options)


def _write_ndjson(frames: Mapping[str, pl.DataFrame], folder: Path) -> None:
    for stem, frame in frames.items():
        frame.write_ndjson(folder / f"{stem}.ndjson")


def _write_parquet(
    tables: Mapping[str, pa.Table], settings: Mapping[str, _ParquetSettings], folder: Path
) -> None:
    for stem, table in tables.items():
        pq.write_table(
            table,
            folder / f"{stem}.parquet",
            row_group_size=settings[stem].group,
            compression=settings[stem].compression,
            use_dictionary=settings[stem].dictionaries,
            write_statistics=settings[stem].statistics,
            data_page_size=PAGE_BYTES,
            max_rows_per_page=settings[stem].group,
            write_batch_size=settings[stem].group,
            store_schema=False,
        )


def tables_of(folder: Path, records: int) -> Tables:
    """Write a Parquet snapshot into a folder and read it, a chunk a column."""
    run(snapshot(folder, "parquet", records=records))
    tables, settings = {}, {}
    for stored in sorted(folder.glob("*.parquet")):
        settings[stored.stem] = _ParquetSettings.of(stored if stored.is_file() else min(stored.iterdir()))
        tables[stored.stem] = pq.read_table(stored).combine_chunks()
    return Tables(tables, settings)


def sync(folder: Path) -> None:
    """Wait until a folder's files are on the disk, as ours are when its command ends."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def size_of(folder: Path, extension: str) -> int:
    """Return the bytes of the files below a folder that have an extension."""
    return sum(path.stat().st_size for path in folder.rglob(f"*.{extension}") if path.is_file())
