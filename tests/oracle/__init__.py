"""An oracle of datasets.md: a plan's rows in plain Python, written from the text and sharing no code with packages/.

    oracle = Oracle(Path("bank.yaml").read_text())
    oracle.rows("accounts", seed=1, start=0, records=2)

What the text leaves open is decided in README.md beside this file.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from oracle.expressions import Type, Value
from oracle.forms import Typed, content_digest, csv_line, ndjson_line, typed
from oracle.rows import Row, World, row_id
from oracle.structure import Plan, shipped_cells
from oracle.words import feistel_halves

__all__ = ["Ids", "Oracle", "Type", "Typed"]

PACKAGES = Path(__file__).parents[2] / "packages"


@lru_cache(maxsize=1)
def _shipped() -> "dict[str, list[dict[str, Value]]]":
    return shipped_cells(PACKAGES)


class Ids:
    """The ids of a plan: section 3."""

    def __init__(self, oracle: "Oracle") -> None:
        self._oracle = oracle

    def tag(self, table: str) -> int:
        """Return the tag of a table."""
        return self._oracle.plan.tag(self._oracle.plan.tables[table])

    def encode(self, table: str, seed: int, slot: int) -> str:
        """Return the id of a slot."""
        return row_id(self._oracle.plan, seed, self._oracle.plan.tables[table], slot)

    def decode(self, text: str) -> tuple[str, int, int]:
        """Return table, seed and slot of an id; refuse a tag of no table and a slot without a row."""
        left, right = feistel_halves(text)
        seed, version, tag, slot = left >> 8, left & 0xFF, right >> 44, right & (1 << 44) - 1
        table = next((one for one in self._oracle.plan.tables.values() if self.tag(one.name) == tag), None)
        if version != 0 or seed >= 1 << 53 or table is None:
            raise ValueError(f"{text} is no id of this plan")
        self._oracle.world(seed).at(table, slot)
        return table.name, seed, slot


class Oracle:
    """A plan, read a second time.

    `folder` is where its files are, `shipped` the tables that ship (v0.1's, read from the packages' data, unless
    told), `pools` the pools of its lock: `provider/locale/pool` to the values.
    """

    def __init__(
        self,
        plan_text: str,
        folder: Path | None = None,
        shipped: "Mapping[str, list[dict[str, Value]]] | None" = None,
        pools: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.plan = Plan(plan_text, folder, _shipped() if shipped is None else shipped)
        self._pools = pools or {}
        self._worlds: dict[int, World] = {}

    @classmethod
    def of_file(cls, path: Path, pools: Mapping[str, Sequence[str]] | None = None) -> "Oracle":
        """Return the oracle of a plan file; its own files are beside it."""
        return cls(path.read_text(encoding="utf-8"), path.parent, pools=pools)

    @cached_property
    def ids(self) -> Ids:
        """The plan's ids."""
        return Ids(self)

    def world(self, seed: int) -> World:
        """Return all rows of a seed."""
        if seed not in self._worlds:
            self._worlds[seed] = World(self.plan, seed, self._pools)
        return self._worlds[seed]

    @staticmethod
    def shipped() -> "dict[str, list[dict[str, Value]]]":
        """Return the tables that ship, by name, as rows."""
        return _shipped()

    # --- before any row

    def tables(self) -> list[str]:
        """Return the tables' names in the plan's order."""
        return list(self.plan.tables)

    def names(self, table: str) -> list[str]:
        """Return the fields' names, the marker last."""
        return list(self.plan.tables[table].fields)

    def types(self, table: str) -> dict[str, Type]:
        """Return the fields' types."""
        return {name: self.plan.type_of(self.plan.tables[table], name) for name in self.names(table)}

    def room(self, table: str) -> int:
        """Return F; 1 where a table has one row a parent."""
        return self.plan.tables[table].factor

    def blocks(self, table: str) -> int:
        """Return B, the records of a block; the rows of a block of a fixed table."""
        return self.plan.tables[table].block

    def default_shard_rows(self) -> int:
        """Return the default of --shard-rows, in records."""
        means = [table.mean for table in self.plan.tables.values() if not table.is_fixed]
        power = 1 << 20
        while power > 65_536 and any(power * mean > 1 << 21 for mean in means):
            power //= 2
        return power

    def bands(self, table: str, field: str) -> list[tuple[int, int, int]]:
        """Return the bands of a field whose rule has any."""
        return self.plan.bands(self.plan.tables[table].fields[field].rule)

    # --- rows

    def slots(self, table: str, seed: int, start: int = 0, records: int = 1) -> list[int]:
        """Return the slots of a table's rows in some records."""
        return [row.slot for row in self._rows(table, seed, start, records)]

    def rows(self, table: str, seed: int, start: int = 0, records: int = 1) -> list[dict[str, Typed]]:
        """Return a table's rows in some records; all rows of a fixed table."""
        names = self.names(table)
        return [
            dict(zip(names, self._values(row), strict=True))
            for row in self._rows(table, seed, start, records)
        ]

    def bundle(self, seed: int, start: int = 0, records: int = 1) -> dict[str, list[dict[str, Typed]]]:
        """Return the rows of every table in some records."""
        return {table: self.rows(table, seed, start, records) for table in self.plan.tables}

    def row(self, table: str, seed: int, slot: int) -> dict[str, Typed]:
        """Return the row at a slot."""
        row = self.world(seed).at(self.plan.tables[table], slot)
        return dict(zip(self.names(table), self._values(row), strict=True))

    def digest(self, table: str, seed: int, records: int) -> str:
        """Return the content digest of a table of a snapshot of some records."""
        found, types = self.plan.tables[table], list(self.types(table).values())
        rows = self._rows(table, seed, 0, records)
        number = [index if found.is_fixed else row.record for index, row in enumerate(rows)]
        total = len(rows) if found.is_fixed else records
        blocks = []
        for first in range(0, total, found.block):
            inside = [row for row, n in zip(rows, number, strict=True) if first <= n < first + found.block]
            values = [self._values(row) for row in inside]
            blocks.append([[row[column] for row in values] for column in range(len(types))])
        return content_digest(blocks, types)

    def csv(self, table: str, seed: int, start: int = 0, records: int = 1) -> list[str]:
        """Return the lines of a CSV file, the header first, without line ends."""
        rows = self._rows(table, seed, start, records)
        return [csv_line(self.names(table)), *(csv_line(self._values(row)) for row in rows)]

    def ndjson(self, table: str, seed: int, start: int = 0, records: int = 1) -> list[str]:
        """Return the lines of an NDJSON file, without line ends."""
        names, types = self.names(table), list(self.types(table).values())
        rows = self._rows(table, seed, start, records)
        return [ndjson_line(names, self._values(row), types) for row in rows]

    def _rows(self, table: str, seed: int, start: int, records: int) -> list[Row]:
        return self.world(seed).rows(self.plan.tables[table], start, records)

    def _values(self, row: Row) -> list[Typed]:
        types = self.types(row.table.name)
        return [typed(row.value(name), of) for name, of in types.items()]
