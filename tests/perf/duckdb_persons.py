"""The fourteen fields of a person as a user of DuckDB would make them: `hash()` and lists, in one COPY on one thread."""

import sys
from pathlib import Path

from esdh_core import BLOCK_RECORDS, generate_columns
from esdh_core.columns import Categorical, Concat
from measuring import Command

__all__ = ["duckdb_persons"]

_OPTIONS = {
    "csv": "FORMAT csv, HEADER",
    # As ours: Arrow's level of zstd, and a row group a block.
    "parquet": f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {BLOCK_RECORDS}",
}
_RUN = "import duckdb, pathlib, sys; duckdb.connect().execute(pathlib.Path(sys.argv[1]).read_text())"


def duckdb_persons(folder: Path, kind: str, records: int, *, script: Path) -> Command:
    """Return the command that writes persons as one file into a folder; its SQL is written to `script`."""
    target = folder / f"persons.{kind}"
    script.write_text(
        "SET threads = 1;\nSET enable_progress_bar = false;\n"
        f"COPY ({_query(records)}) TO '{target}' ({_OPTIONS[kind]});\n",
        encoding="utf-8",
    )
    return [sys.executable, "-c", _RUN, script]


def _query(records: int) -> str:
    """Return the SELECT; its lists are those that v0.1 draws from, each value alike."""
    lists = {}
    for name, column in generate_columns(0, 1)["persons"].items():
        parts = column.parts if isinstance(column, Concat) else [column]
        lists[name] = next((each.categories.values for each in parts if isinstance(each, Categorical)), ())

    def one_of(name: str, number: str) -> str:
        values = [value for value in lists[name] if value is not None]
        texts = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
        return f"[{texts}][(1 + {number} % {len(values)})::BIGINT]"

    # One place gives state, city and postal code. `printf` is the fastest of the ways to write a UUID that were tried.
    return f"""
        SELECT
          printf(
            '%08x-%04x-8%03x-a%03x-%012x', upper >> 32, upper >> 16 & 65535, upper & 4095, lower >> 52,
            lower & 281474976710655
          ) AS person_id,
          {one_of("first_name", "hash(i, 'first_name')")} AS first_name,
          {one_of("last_name", "hash(i, 'last_name')")} AS last_name,
          DATE '1930-01-01' + (hash(i, 'date_of_birth') % 28642)::INTEGER AS date_of_birth,
          {one_of("state", "place")} || printf('%011d', hash(i, 'license') % 100000000000) AS driver_license_number,
          {one_of("state", "place")} AS driver_license_state,
          (100 + hash(i, 'house') % 9900)::VARCHAR || ' ' || {one_of("address_line_1", "hash(i, 'street')")}
            AS address_line_1,
          CASE WHEN hash(i, 'has_unit') % 3 = 0 THEN {one_of("address_line_2", "hash(i, 'unit')")} END
            AS address_line_2,
          {one_of("city", "place")} AS city,
          {one_of("state", "place")} AS state,
          {one_of("postal_code", "place")} AS postal_code,
          'US' AS country,
          CASE WHEN hash(i, 'lob_type') % 10 < 7 THEN 'Personal' ELSE 'Commercial' END AS lob_type,
          'enterprise-synthetic-data-hub v0.1' AS synthetic_source
        FROM (
          SELECT
            range AS i, hash(range, 'place') AS place, hash(range, 'upper') AS upper, hash(range, 'lower') AS lower
          FROM range({records})
        )
    """
