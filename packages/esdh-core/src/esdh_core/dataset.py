"""What a dataset is: tables of fields, a rule for each field, and blocks of records that rules make columns of.

A dataset is a value. Columns, files, manifest, proof, API and page take it as a parameter and read its roles and
types; only `esdh_core.datasets` knows one by its name.
"""

import datetime as dt
import hashlib
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any, NamedTuple, SupportsIndex, TypeVar
from uuid import UUID

import msgspec
import numpy as np
from msgspec import UNSET, Struct, UnsetType
from numpy.typing import NDArray

from esdh_core.columns import Column
from esdh_core.constants import BLOCK_RECORDS, DEFAULT_RECORDS, DEFAULT_SEED, MAX_RECORDS
from esdh_core.errors import IdError, RequestError
from esdh_core.ids import IdCodec, RecordId
from esdh_core.permutations import permute
from esdh_core.plan import EntityPlan, Plan, describe_table
from esdh_core.requests import check_records, check_seed, check_window
from esdh_core.rules import Role, Rule
from esdh_core.schema import FieldSchema, record_schema
from esdh_core.stats import Draw, Group, Statistic
from esdh_core.streams import child_steps, child_words, draws

__all__ = ["Block", "Dataset", "FieldRef", "Level", "Limit", "Table", "memoized_per_block", "notes_for"]

T = TypeVar("T")
_SHARD_ROWS = (1 << 20, 1 << 19, 1 << 18, 1 << 17, 1 << 16)


def notes_for(seed: int) -> str:
    """Return the sentence that a manifest and an answer carry as `notes`."""
    return f"Deterministic snapshot generated from rule-based distributions (seed={seed})."


class Level(NamedTuple):
    """The rows of one table in a block: their slots, and where they hang.

    `parents` is the position of each row's parent among the rows of the parent's table, `k` its own number among
    its siblings, from 0; both are None where every parent has exactly one row, and in a table without a parent.
    """

    slots: NDArray[np.uint64]
    parents: NDArray[np.intp] | None = None
    k: NDArray[np.int64] | None = None


class Block:
    """Records `start` to `start + count - 1` of a dataset and a seed, and what has been computed of them so far.

    The records are rows of `top`, a table without a parent: the root, unless a fixed table is made. A row is
    addressed by its slot, and a word is drawn for a row by its slot (datasets.md, section 2), so a block is the
    same whatever blocks are made beside it.
    """

    def __init__(
        self, dataset: "Dataset", *, seed: int, start: int, count: int, top: "Table | None" = None
    ) -> None:
        self.dataset = dataset
        self.seed = seed
        self.start = start
        self.count = count
        self.top = top or dataset.root
        self.index = np.arange(start, start + count, dtype=np.uint64)
        self.streams: list[str] = []
        self._memo: dict[object, Any] = {}

    def draws(self, stream: str) -> NDArray[np.uint64]:
        """Return the words of a stream for these records, shape (count,)."""
        self.streams.append(stream)
        return draws(self.seed, stream, self.start, self.count)

    def words(self, table: "Table", stream: str) -> NDArray[np.uint64]:
        """Return the words of a stream for a table's rows: a child's is mixed from its parent's and its number."""
        if table.parent is None:
            return self.draws(stream)
        words, level = self.words(table.parent, stream), self.level(table)
        if level.parents is None or level.k is None:
            return words
        k = level.k
        return child_words(words.take(level.parents), self.memoized(("steps", table), lambda: child_steps(k)))

    def level(self, table: "Table") -> Level:
        """Return the rows of a table: their slots, their parents and their numbers among siblings."""
        level: Level | None = self._memo.get(table)
        if level is None:
            level = self._memo[table] = self._level(table)
        return level

    def _level(self, table: "Table") -> Level:
        if table.parent is None:
            return Level(self.index)
        above = self.level(table.parent)
        if table.count is None:
            return Level(above.slots)
        counts = table.count(self)
        parents = np.repeat(np.arange(len(counts), dtype=np.intp), counts)
        k = np.arange(len(parents), dtype=np.int64) - (np.cumsum(counts) - counts).take(parents)
        slots = above.slots.take(parents) * np.uint64(table.room) + k.astype(np.uint64)
        return Level(slots, parents, k)

    def rows_of(self, table: "Table", ancestor: "Table") -> NDArray[np.intp] | None:
        """Return, for each row of a table, the position of its ancestor's row; None where they are the same."""
        return self.memoized(("rows", table, ancestor), lambda: self._rows_of(table, ancestor))

    def _rows_of(self, table: "Table", ancestor: "Table") -> NDArray[np.intp] | None:
        positions: NDArray[np.intp] | None = None
        at = table
        while at is not ancestor:
            if at.parent is None:
                raise TypeError(f"table {ancestor.name!r} is not above {table.name!r}")
            parents = self.level(at).parents
            if parents is not None:
                positions = parents if positions is None else parents.take(positions)
            at = at.parent
        return positions

    def ids(self, table: "Table") -> NDArray[np.uint8]:
        """Return the ids of a table's rows as text, shape (rows, 36)."""
        return self.memoized(
            ("ids", table),
            lambda: self.dataset.ids.texts(self.seed, table.entity, self.level(table).slots),
        )

    def permuted(self, stream: str) -> NDArray[np.uint64]:
        """Return the permuted indices of these records, below 2^36."""
        return permute(self.seed, stream, self.index)

    def values(self, column: Column) -> list[Any]:
        """Return the values of a column of this block as Python objects: once for all fields that share the column."""
        if self.top.rows is not None:  # a fixed table's block outlives its use, and is to stay small
            return column.tolist()
        return self.memoized(column, column.tolist)

    def memoized(self, key: object, compute: Callable[[], T]) -> T:
        """Return `compute()`, computed at most once for this block and key."""
        if key in self._memo:
            known: T = self._memo[key]
            return known
        result = self._memo[key] = compute()
        return result


def memoized_per_block(compute: Callable[[Block], T]) -> Callable[[Block], T]:
    """Make a function of a block that is computed at most once a block."""

    def value(block: Block) -> T:
        # As `Block.memoized`, without two calls more for each of a record's hundreds of look-ups.
        memo = block._memo
        if compute in memo:
            known: T = memo[compute]
            return known
        result = memo[compute] = compute(block)
        return result

    return value


@dataclass(slots=True, eq=False, repr=False)
class Table:
    """One table: its names, its Struct (the schema), the rule of each of its fields and what is counted of it.

    `statistics` are counted from its columns, `draws` where a word is drawn: its own, its picks' and its count's.

    `singular`, where a table has one, is what a row is called: in ids, in the plan and in the names of streams.

    A table with a `parent` hangs below it: with `count`, a function of a block that gives the number of rows of
    each of the parent's, in slots that are `room` apart; else with exactly one row a parent. A table without a
    parent is the root, or is fixed and has so many `rows`. `mean` is the expected number of rows a record (of a
    fixed table: a row of its top).
    """

    name: str
    record: type[Struct]
    description: str
    singular: str | None = None
    parent: "Table | None" = None
    count: Callable[[Block], NDArray[np.int64]] | None = None
    room: int = 1
    rows: int | None = None
    mean: Fraction = Fraction(1)
    primary_key: tuple[str, ...] = ()
    statistics: tuple[Statistic, ...] = ()
    draws: tuple[Draw, ...] = ()
    _rules: dict[str, Rule] = field(default_factory=dict)

    def rule(
        self, name: str, text: str, **declared: Any
    ) -> Callable[[Callable[[Block], Column]], Callable[[Block], Column]]:
        """Bind the decorated function to a field of this table's Struct; `declared` as in `Rule`.

        Raises TypeError for a field that the Struct doesn't have or that has a rule already.
        """
        if name not in self.record.__struct_fields__ or name in self._rules:
            raise TypeError(f"{self.record.__name__} has no field {name!r} that still needs a rule")

        def bind(compute: Callable[[Block], Column]) -> Callable[[Block], Column]:
            column = memoized_per_block(compute)
            self._rules[name] = Rule(name=name, text=text, column=column, **declared)
            return column

        return bind

    @property
    def entity(self) -> str:
        """What a row is called: the singular, or the table's name where it has none."""
        return self.singular or self.name

    @property
    def top(self) -> "Table":
        """The table without a parent that this one hangs below, itself if it has none."""
        return self if self.parent is None else self.parent.top

    @property
    def span(self) -> int:
        """The slots that one row of the top table has room for in this table."""
        return 1 if self.parent is None else self.parent.span * self.room

    @property
    def block_records(self) -> int:
        """The records of a block of this table, of digest and of row groups: so many that its rows fit 65,536.

        Of a fixed table it is rows that count.
        """
        if self.is_fixed:
            return BLOCK_RECORDS
        most = int(BLOCK_RECORDS / self.mean) if self.mean else BLOCK_RECORDS
        return min(BLOCK_RECORDS, 1 << most.bit_length() >> 1) or 1

    @property
    def one_a_record(self) -> bool:
        """Whether every record has exactly one row of the table."""
        return self.rows is None and self.count is None and (self.parent is None or self.parent.one_a_record)

    @property
    def is_fixed(self) -> bool:
        """Whether the table has the same rows whatever records are asked for."""
        return self.top.rows is not None

    @property
    def fields(self) -> tuple[str, ...]:
        """The field names, in the Struct's order."""
        return self.record.__struct_fields__

    @property
    def schema(self) -> tuple[FieldSchema, ...]:
        """What the Struct says of each field, in order."""
        return record_schema(self.record)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in the Struct's order; TypeError when a field has none."""
        try:
            return tuple([self._rules[name] for name in self.fields])
        except KeyError:
            missing = [name for name in self.fields if name not in self._rules]
            raise TypeError(f"{self.record.__name__} has no rule for {', '.join(missing)}") from None

    @property
    def key(self) -> tuple[str, ...]:
        """The fields whose values together name a row: those that were declared, else the id; none in a table without."""
        own = self.field_with("id")
        return self.primary_key or ((own,) if own else ())

    def field_with(self, role: Role) -> str | None:
        """Return the first field of a role, None where there is none."""
        return next((rule.name for rule in self.rules if rule.role == role), None)

    def columns(self, block: Block) -> dict[str, Column]:
        """Return the columns of this table over a block, in field order."""
        return {rule.name: rule.column(block) for rule in self.rules}

    def structs(self, block: Block) -> list[Any]:
        """Return the rows of this table over a block as its Struct."""
        values = map(block.values, self.columns(block).values())
        return [self.record(*row) for row in zip(*values, strict=True)]

    def __repr__(self) -> str:
        return f"<Table {self.name}>"


class Limit(NamedTuple):
    """The most records that something in a dataset has room for, and why, given the number that was asked for.

    `field` is the unique field whose `values` are so many, as `table.field`; none for ids.
    """

    records: int
    why: Callable[[int], str]
    field: str = ""
    values: int = 0


class FieldRef(NamedTuple):
    """A field of a table."""

    table: Table
    rule: Rule


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """A dataset: its names, its tables (parents first), its marker and its ids.

    `location` (`module:attribute`) is where Python finds the dataset: it is pickled by that and its plan's
    digest. One that was compiled has a `recipe` instead, the bytes of its plan, and `remake`, a function that
    makes it of them; `rules_hashed` gives the digests of what it draws by. `limits` bound its records.
    `bundle_type`, `metadata_type` and `record_type` are the typed façade of a dataset that has one; else
    they are made from its tables.

    Compared and hashed by identity: there is one object of a dataset in a process.
    """

    dataset_version: str
    marker: str
    reference_date: dt.date
    tables: tuple[Table, ...]
    ids: IdCodec
    location: str = ""
    recipe: bytes | None = None
    remake: "Callable[[bytes], Dataset] | None" = None
    rules_hashed: Callable[[], Mapping[str, str]] | None = None
    limits: tuple[Limit, ...] = ()
    note: str = "The reference instant is also given as the date of publication."
    privacy_note: str = "None: nobody in these files exists."
    pictures: tuple[str, ...] = ()
    bundle_type: type[Any] | None = None
    metadata_type: type[Any] | None = None
    record_type: type[Any] | None = None

    @property
    def generated_at(self) -> str:
        """The reference instant, in ISO 8601 without a zone; no wall clock enters an output."""
        return f"{self.reference_date.isoformat()}T00:00:00"

    @property
    def root(self) -> Table:
        """The table whose rows are the records."""
        return next(table for table in self.tables if table.parent is None and table.rows is None)

    @property
    def default_shard_rows(self) -> int:
        """The records of a part: the most whose expected rows of every table are at most 2^21 (datasets.md, section 2)."""
        most = max((table.mean for table in self.tables if not table.is_fixed), default=Fraction(1))
        return next((size for size in _SHARD_ROWS if size * most <= 1 << 21), _SHARD_ROWS[-1])

    def table(self, name: str) -> Table:
        """Return a table by its name or its singular.

        Raises RequestError for any other name.
        """
        for table in self.tables:
            if name in (table.name, table.singular):
                return table
        known = ", ".join(
            f"{table.singular} ({table.name})" if table.singular else table.name for table in self.tables
        )
        raise RequestError(f"{name!r} is no entity; known are {known}")

    def select(self, names: Iterable[str]) -> tuple[Table, ...]:
        """Return the named tables in the dataset's order; all of them for no names.

        Raises RequestError for an unknown name.

        >>> from esdh_core import DEFAULT_DATASET
        >>> [table.name for table in DEFAULT_DATASET.select([DEFAULT_DATASET.root.entity])] == [DEFAULT_DATASET.root.name]
        True
        """
        chosen_names = {self.table(name).name for name in names}
        return tuple(table for table in self.tables if not chosen_names or table.name in chosen_names)

    def field(self, path: str) -> FieldRef:
        """Return the field that a rule's `depends_on` names, as `table.field`."""
        owner, _, name = path.partition(".")
        table = self.table(owner)
        return FieldRef(table, next(rule for rule in table.rules if rule.name == name))

    def copied(self, rule: Rule) -> FieldRef | None:
        """Return the field that a field copies, None where it is no copy."""
        return self.field(rule.depends_on[0]) if rule.role == "copy" else None

    def origin(self, rule: Rule) -> Rule:
        """Return the rule whose value a field holds: its own, or the last in a chain of copies."""
        while (source := self.copied(rule)) is not None:
            rule = source.rule
        return rule

    def reference(self, rule: Rule) -> FieldRef | None:
        """Return the unique field that a field is a copy of: what it refers to, None where it refers to nothing."""
        source = self.copied(rule)
        return source if source is not None and self.origin(rule).role in ("id", "unique") else None

    def is_unique(self, table: Table, rule: Rule) -> bool:
        """Return whether no two rows of a table have one value of a field: an id, or a permutation of the slot.

        A copy of one has it only where each row above has one row below.
        """
        if self.origin(rule).role not in ("id", "unique"):
            return False
        while (source := self.copied(rule)) is not None:
            if rule.picked:
                return False
            if table is not source.table and (
                table.span != source.table.span or table.top is not source.table.top
            ):
                return False
            table, rule = source
        return True

    def block(self, start: SupportsIndex, count: SupportsIndex, seed: SupportsIndex = DEFAULT_SEED) -> Block:
        """Return records `start` to `start + count - 1` of a seed, of which nothing has been computed yet.

        Raises RequestError for a seed or a window that can't be.
        """
        checked, (first, records) = check_seed(seed), check_window(start, count)
        self._check_limits(first + records)
        return Block(self, seed=checked, start=first, count=records)

    @property
    def max_records(self) -> int:
        """The most records that can be asked for."""
        return min([MAX_RECORDS, *(limit.records for limit in self.limits)])

    def check_records(self, records: SupportsIndex) -> int:
        """Return a number of records as an int, or raise RequestError, with what would do, where it can't be."""
        checked = check_records(records)
        self._check_limits(checked)
        return checked

    def _check_limits(self, records: int) -> None:
        for limit in self.limits:
            if records > limit.records:
                raise RequestError(limit.why(records))

    def block_of(self, table: Table, block: Block) -> Block:
        """Return the block that has a table's rows: `block`, or for a fixed table one of all its rows."""
        return block if table.top is block.top else _fixed_block(self, table.top, block.seed)

    def columns(
        self,
        start: SupportsIndex,
        count: SupportsIndex,
        seed: SupportsIndex = DEFAULT_SEED,
        *,
        tables: Sequence[str] = (),
    ) -> dict[str, dict[str, Column]]:
        """Return records `start` to `start + count - 1` as columns: table name to field to column.

        Fields come in the Struct's order. `tables` names the tables wanted (all, when empty); a table's values
        are the same whichever others are made.

        Raises RequestError for a seed, a window or a table that can't be.

        >>> import esdh_core
        >>> from esdh_core import DEFAULT_DATASET
        >>> name = DEFAULT_DATASET.root.name
        >>> columns = DEFAULT_DATASET.columns(7, 2, tables=[name])[name]
        >>> columns[DEFAULT_DATASET.root.fields[0]].tolist() == [
        ...     esdh_core.encode_id(DEFAULT_SEED, name, record) for record in (7, 8)
        ... ]
        True
        """
        block = self.block(start, count, seed)
        return {table.name: table.columns(self.block_of(table, block)) for table in self.select(tables)}

    def bundle(
        self,
        records: SupportsIndex = DEFAULT_RECORDS,
        seed: SupportsIndex = DEFAULT_SEED,
        start: SupportsIndex = 0,
    ) -> Any:
        """Return records `start` to `start + records - 1` of a seed as typed Structs, with their metadata.

        Raises RequestError for a seed or a window that can't be.
        """
        block = self.block(start, records, seed)
        rows = {table.name: table.structs(self.block_of(table, block)) for table in self.tables}
        metadata = self.metadata({name: len(of) for name, of in rows.items()}, block.seed)
        return self._bundle_type(metadata=metadata, **rows)

    def rows(
        self,
        table: str,
        records: SupportsIndex = DEFAULT_RECORDS,
        seed: SupportsIndex = DEFAULT_SEED,
        start: SupportsIndex = 0,
    ) -> list[Any]:
        """Return one table's rows of records `start` to `start + records - 1` as its Struct.

        They equal those of `bundle`, without the other tables' cost.

        Raises RequestError for a table, a seed or a window that can't be.
        """
        one = self.table(table)
        return one.structs(self.block_of(one, self.block(start, records, seed)))

    def metadata(self, row_counts: Mapping[str, int], seed: int) -> Any:
        """Return what some rows say of themselves: how many there are of each table, and the seed in words."""
        counts = {f"record_count_{name}": count for name, count in row_counts.items()}
        return self._metadata_type(
            dataset_version=self.dataset_version,
            generated_at=self.generated_at,
            notes=notes_for(seed),
            **counts,
        )

    def decode(self, value: str | UUID) -> RecordId:
        """Return what an id of the dataset says.

        Raises IdError, with the reason, for what is no id of this dataset, or of a row that there isn't.
        """
        origin = self.ids.decode(value)
        if self.recipe is not None:
            self.locate(origin)
        return origin

    def locate(self, origin: RecordId) -> tuple[Table, Block, int]:
        """Return the table of a row, the block of its record (of a fixed table, of all rows), and its place there.

        Raises IdError for a row that there isn't.
        """
        table = self.table(origin.entity)
        number = origin.index // table.span
        top = table.top
        most = self.max_records if top.rows is None else top.rows
        if number >= most:
            raise IdError(
                f"the id is of row {origin.index} of {table.name}; the last record there can be is {most - 1}"
            )
        block = (
            self.block(number, 1, origin.seed) if top.rows is None else _fixed_block(self, top, origin.seed)
        )
        slots = block.level(table).slots
        place = int(np.searchsorted(slots, np.uint64(origin.index)))
        if place >= len(slots) or int(slots[place]) != origin.index:
            raise IdError(
                f"the id is of row {origin.index} of {table.name}, which there isn't: its parent has fewer rows below it"
            )
        return table, block, place

    def record(self, number: SupportsIndex, seed: SupportsIndex = DEFAULT_SEED) -> Any:
        """Return one record of a seed: a Struct of each table with one row a record, a list of each with any number.

        The fields are `id`, what the id of the record's first row says, and the tables by what a row of theirs is
        called (by their names, where they have no singular). Fixed tables are no part of a record.

        Raises RequestError for a number or a seed that can't be.
        """
        block = self.block(number, 1, seed)
        origin = RecordId(block.seed, self.dataset_version, self.root.entity, block.start)
        return self._record_of(origin, block)

    def reproduce(self, value: str | UUID) -> Any:
        """Return the record behind an id of any table, as `record` does, from the id alone; no other record is made.

        Raises IdError, with the reason, for what is no id of this dataset, or of a fixed table, which no record has.
        """
        origin = self.ids.decode(value)
        table, block, _ = self.locate(origin)
        if table.is_fixed:
            raise IdError(
                f"the id is of row {origin.index} of {table.name}, a fixed table that no record is made of; "
                "`locate_row` finds the row"
            )
        return self._record_of(origin, block)

    def _record_of(self, origin: RecordId, block: Block) -> Any:
        rows = ((table, table.structs(block)) for table in self._record_tables)
        return self._record_type(origin, *(of[0] if table.one_a_record else of for table, of in rows))

    @cached_property
    def _record_tables(self) -> list[Table]:
        return [table for table in self.tables if not table.is_fixed]

    @cached_property
    def _metadata_type(self) -> type[Any]:
        if self.metadata_type is not None:
            return self.metadata_type
        counts = [(f"record_count_{table.name}", int | UnsetType, UNSET) for table in self.tables]
        ends: list[Any] = [("dataset_version", str), ("generated_at", str), *counts, ("notes", str, "")]
        return msgspec.defstruct("DatasetMetadata", ends, frozen=True)

    @cached_property
    def _bundle_type(self) -> type[Any]:
        if self.bundle_type is not None:
            return self.bundle_type
        fields: list[Any] = [("metadata", self._metadata_type)]
        fields += [(table.name, list[table.record]) for table in self.tables]  # type: ignore[name-defined]  # a list of this table's Struct
        return msgspec.defstruct("Bundle", fields, frozen=True)

    @cached_property
    def _record_type(self) -> type[Any]:
        names = ["id", *(table.entity for table in self._record_tables)]
        return self.record_type or namedtuple(
            "Record", names, rename=True
        )  # a plan's table may be named `class`

    @cached_property
    def plan(self) -> Plan:
        """The plan: what is generated and how, as data."""
        return Plan(
            dataset_version=self.dataset_version,
            generated_at=self.generated_at,
            synthetic_source=self.marker,
            default_seed=DEFAULT_SEED,
            default_records=DEFAULT_RECORDS,
            max_records=self.max_records,
            block_records=BLOCK_RECORDS,
            entities=[
                describe_table(
                    name=table.entity,
                    plural=table.name,
                    description=table.description,
                    record=table.record,
                    rules=table.rules,
                    statistics=table.statistics,
                    groups=self.groups_ahead(table),
                )
                for table in self.tables
            ],
        )

    @cached_property
    def plan_json(self) -> bytes:
        """The plan as the bytes that `show-plan --format json` prints: the recipe, or two-space JSON and a line end."""
        if self.recipe is not None:
            return self.recipe
        return msgspec.json.format(msgspec.json.encode(self.plan), indent=2) + b"\n"

    @cached_property
    def plan_sha256(self) -> str:
        """The SHA-256 of `plan_json`, in hexadecimal."""
        return hashlib.sha256(self.plan_json).hexdigest()

    @cached_property
    def field_hashes(self) -> dict[str, str]:
        """For each `table.field` the SHA-256 of its plan: schema, rule, streams, odds and lookup tables.

        A dataset with a recipe has them for picks, `table@pick`, and counts, `table#count`, too.
        """
        if self.rules_hashed is not None:
            return dict(self.rules_hashed())
        return {
            f"{table.name}.{each.name}": hashlib.sha256(msgspec.json.encode(each)).hexdigest()
            for table in self.plan.entities
            for each in table.fields
        }

    def table_plan(self, table: Table) -> EntityPlan:
        """Return the plan of a table: its fields and their rules."""
        return self.plan.entities[self.tables.index(table)]

    def groups_ahead(self, table: Table) -> list[tuple[str, Group]]:
        """Return the groups of a table's draws that are the same in every seed, each with its field."""
        return [
            (draw.field, group)
            for draw in table.draws
            if not draw.follows_seed
            for group in draw.groups(self, DEFAULT_SEED)
        ]

    def __reduce__(self) -> tuple[Callable[..., "Dataset"], tuple[Any, ...]]:
        if self.recipe is not None and self.remake is not None:
            return self.remake, (self.recipe,)
        return _import, (self.location, self.plan_sha256)

    def __repr__(self) -> str:
        return f"<Dataset {self.dataset_version}>"


@lru_cache(maxsize=8)
def _fixed_block(dataset: Dataset, top: Table, seed: int) -> Block:
    """Return every row of a fixed table and of what hangs below it; the last few that were used are kept."""
    if top.rows is None:
        raise TypeError(f"table {top.name!r} is not fixed")
    return Block(dataset, seed=seed, start=0, count=top.rows, top=top)


def _import(location: str, sha256: str) -> Dataset:
    """Return a dataset of this process by where Python finds it; RequestError when its plan is another one."""
    module, _, attribute = location.partition(":")
    dataset: Dataset = getattr(import_module(module), attribute)
    if dataset.plan_sha256 != sha256:
        raise RequestError(
            f"dataset {dataset.dataset_version} has another plan here ({dataset.plan_sha256}) than where the work was "
            f"given out ({sha256}); install the same version on both"
        )
    return dataset
