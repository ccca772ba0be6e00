"""Picks: one row of another table, drawn for each row."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from esdh_core.choices import Choice
from esdh_core.columns import Categorical, Categories, Column, Numbers
from esdh_core.dataset import Block
from esdh_core.errors import RequestError
from esdh_core.permutations import permute_below
from esdh_core.streams import high32
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.arithmetic import alike, high_product
from esdh_plan.branches import Codes, coded
from esdh_plan.distributions import scale_weights
from esdh_plan.errors import near, shown
from esdh_plan.made import Place, Reference, TableOf
from esdh_plan.siblings import null_rows, runs_below, siblings, taken
from esdh_plan.sources import Cells

__all__ = ["Picked", "pick_of"]

Rows = NDArray[Any]
_MOST_CATEGORIES = 1 << 16
_MOST_COMBINATIONS = 10_000
_MOST_TOLD = 12  # columns that a message lists


@dataclass(frozen=True)
class Picked:
    """A pick: what its columns are."""

    column: Callable[[str], Reference]
    columns: tuple[str, ...]
    streams: tuple[str, ...] = ()


def pick_of(name: str, words: language.Pick, place: Place) -> Picked:
    """Return what a pick draws."""
    stream = f"{place.of.stream}@{name}"
    if words.among == "earlier":
        return _earlier(name, words, place, stream)
    if words.among == "siblings":
        return _siblings(name, words, place, stream)
    return _Fixed(name, words, place, stream).picked()


def _earlier(name: str, words: language.Pick, place: Place, stream: str) -> Picked:
    compiler, of = place.compiler, place.of
    root = compiler.table(words.from_)
    if of.is_adrift or root.is_adrift:
        place.refuse_silently()
    if of.path[0] is not root:
        place.refuse(
            f"`among: earlier` is for the records' own tables; {of.name!r} isn't below {words.from_!r}"
        )

    def slots(block: Block) -> tuple[Any, Any]:
        rows = block.rows_of(of.table, root.table)
        numbers = block.level(root.table).slots
        numbers = numbers if rows is None else numbers.take(rows)
        return high_product(block.words(of.table, stream), numbers), numbers > 0

    def column(field: str) -> Reference:
        made = compiler.field(words.from_, field)
        at_slots = made.at_slots
        if at_slots is None:
            raise LookupError(
                f"{name}.{field} is of an earlier record, of which only ids, sequences and unique fields can be used"
            )

        def read(block: Block) -> Column:
            drawn, valid = block.memoized(("pick", of.table, name), lambda: slots(block))
            return at_slots(block, drawn).masked(valid)

        return Reference(
            replace(made.type, nullable=True), read, f"{words.from_}.{field}", made, picked=True, copies=True
        )

    return Picked(column, tuple(root.words.fields), (stream,))


def _siblings(name: str, words: language.Pick, place: Place, stream: str) -> Picked:
    compiler, of = place.compiler, place.of
    source = compiler.table(words.from_)
    compiler.count(source)
    parent = of.parent
    if parent is None:
        place.refuse("`among: siblings` is for a table below another")

    def rows(block: Block) -> tuple[Any, Any]:
        there = runs_below(block, source.table, parent.table)
        own = siblings(block, of.table).parents
        counts = there.counts.take(own)
        number = high_product(block.words(of.table, stream), counts.astype(np.uint64))
        return there.starts.take(own) + number.astype(np.intp), counts > 0

    def column(field: str) -> Reference:
        made, reader = compiler.field(source.name, field), compiler.field_reader(source.name, field)

        def read(block: Block) -> Column:
            places, valid = block.memoized(("pick", of.table, name), lambda: rows(block))
            there = reader(block)
            return taken(there, np.where(valid, places, 0), valid)

        return Reference(
            _text_of_pick(replace(made.type, nullable=True)),
            read,
            f"{source.name}.{field}",
            made,
            picked=True,
            copies=True,
        )

    return Picked(column, tuple(source.words.fields), (stream,))


def _text_of_pick(of: Any) -> Any:
    """Return the type of a pick's column: its texts are coded, if only by values that aren't known yet."""
    return replace(of, labels=()) if of.kind == "string" and of.labels is None else of


@dataclass(frozen=True)
class _Groups:
    """The rows of a table by what a `where` compares: of group g those at `starts[g]` on in `order`."""

    codes: list[Codes]
    sizes: list[int]
    known: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    choice: Choice | None

    def combined(self, columns: Sequence[Column]) -> NDArray[np.int64]:
        total = np.zeros(len(columns[0]), dtype=np.int64)
        lacking = np.zeros(len(columns[0]), dtype=np.bool_)
        for codes, size, column in zip(self.codes, self.sizes, columns, strict=True):
            places = codes.of(column)
            lacking |= places < 0
            total = total * size + places
        return np.where(lacking, -1, total)


def _grouped(columns: Sequence[Column], weights: Sequence[int] | None) -> _Groups:
    values = [list(dict.fromkeys(column.tolist())) for column in columns]
    none = np.zeros(0, dtype=np.int64)
    groups = _Groups(
        [Codes(each, -1, -1) for each in values],
        [len(each) for each in values],
        none,
        none,
        none,
        none,
        None,
    )
    combined = groups.combined(columns)
    order = np.argsort(combined, kind="stable")
    order = order[combined.take(order) >= 0]
    known, starts, counts = np.unique(combined.take(order), return_index=True, return_counts=True)
    choice = None
    if weights is not None:
        bounds = list(zip(starts.tolist(), counts.tolist(), strict=True))
        choice = Choice(
            [scale_weights([weights[row] for row in order[begin : begin + count]]) for begin, count in bounds]
        )
    return replace(groups, known=known, order=order, starts=starts, counts=counts, choice=choice)


class _Fixed:
    """A pick from a fixed table or one that ships."""

    def __init__(self, name: str, words: language.Pick, place: Place, stream: str) -> None:
        self.name, self.words, self.place, self.stream = name, words, place, stream
        compiler = place.compiler
        self.compiler, self.of = compiler, place.of
        self.cells: Cells | None = None
        self._source: TableOf | None = None
        if words.from_ in compiler.tables:
            self._source = compiler.table(words.from_)
            for each in self._source.path:
                compiler.count(each)
        else:
            self.cells = compiler.shipped(words.from_, place.at("from"))
        place.all(self._check_weight, self._check_where, self._check_distinct)
        self._wheres: list[tuple[str, Reference]] = [
            (column, coded(place.at("where", column), field)) for column, field in (words.where or {}).items()
        ]
        if self.cells is not None:
            self._static = self._index(None)

    @property
    def source(self) -> TableOf:
        """The fixed table, where the pick isn't from one that ships."""
        if self._source is None:
            raise TypeError(f"the pick {self.name!r} is from a table that ships")
        return self._source

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that there are."""
        if self.cells is not None:
            return tuple(self.cells.columns)
        return tuple(self.source.words.fields)

    def _no_column(self, name: str) -> str:
        more = near(name, self.columns) or f"; there are {', '.join(self.columns[:_MOST_TOLD])}"
        return f"{self.words.from_!r} has no column {name!r}{more}"

    def _type(self, column: str, place: Place) -> Any:
        if column not in self.columns:
            place.refuse(self._no_column(column))
        if self.cells is not None:
            return self.cells.types[column]
        return self.compiler.field_type(self.words.from_, column)

    def _check_weight(self) -> None:
        if self.words.weight is None:
            return
        place = self.place.at("weight")
        of = self._type(self.words.weight, place)
        if of.kind != "integer" or of.nullable or of.low < 1:
            place.refuse(
                f"{self.words.weight!r} is no column of weights; one has integers of at least 1, and no null"
            )

    def _check_where(self) -> None:
        def check(column: str, field: str) -> None:
            place = self.place.at("where", column)
            of, own = self._type(column, place), coded(place, field).type
            if own.nullable:
                place.refuse(f"{field!r} can be null, which no row equals")
            if of.kind != own.kind:
                place.refuse(
                    f"{column!r} is of kind {of.kind}, and {field!r} of kind {own.kind}; they are never equal"
                )

        wheres = (self.words.where or {}).items()
        self.place.all(*(lambda c=column, f=field: check(c, f) for column, field in wheres))

    def _check_distinct(self) -> None:
        if not self.words.distinct:
            return
        if self.of.parent is None:
            self.place.at("distinct").refuse(
                "`distinct` is for siblings, and a table without a parent has none"
            )
        self.compiler.count(self.of)
        if self._source is not None and not self.compiler.is_sized(self._source):
            return
        rows = self.fewest
        if self.of.largest > rows:
            self.place.at("distinct").refuse(
                f"{self.of.largest} siblings can't draw different rows of {self.words.from_!r}, which has {rows}"
            )

    @property
    def fewest(self) -> int:
        """The fewest rows that the table has."""
        if self.cells is not None:
            return self.cells.rows
        rows = self.source.path[0].table.rows or 0
        for each in self.source.path[1:]:
            rows *= each.smallest
        return rows

    @property
    def most(self) -> int:
        """The most rows that the table has."""
        if self.cells is not None:
            return self.cells.rows
        rows = self.source.path[0].table.rows or 0
        for each in self.source.path[1:]:
            rows *= each.largest
        return rows

    # --- drawing

    def _there(self, block: Block) -> Block:
        return block.dataset.block_of(self.source.table, block)

    def _column(self, name: str, there: Block | None) -> Column:
        if self.cells is not None:
            return self.cells.columns[name]
        if there is None:
            raise TypeError("a table that is made is read in its block")
        return self.compiler.field_reader(self.words.from_, name)(there)

    def _index(self, there: Block | None) -> Any:
        """Return what rows are drawn by: groups, a choice, or their number."""
        weights = None
        if self.words.weight is not None:
            column = self._column(self.words.weight, there)
            weights = numbers_of(column)
        if self._wheres:
            columns = [self._column(name, there) for name, _ in self._wheres]
            groups = _grouped(columns, None if weights is None else weights.tolist())
            if there is None:
                self._check_met(groups)
            return groups
        if weights is not None:
            return Choice([whole(weights)])
        return self.source.rows(there) if there is not None else self.fewest

    def _check_met(self, groups: _Groups) -> None:
        """Refuse a `where` that no row meets for some value, of a table that is known when the plan is loaded."""
        labels = [reference.type.labels or () for _, reference in self._wheres]
        if any(not each for each in labels) or np.prod([len(each) for each in labels]) > _MOST_COMBINATIONS:
            return
        known = set(groups.known.tolist())
        for combination in itertools.product(*labels):
            places = [codes.place(value) for codes, value in zip(groups.codes, combination, strict=True)]
            total = 0
            for place, size in zip(places, groups.sizes, strict=True):
                total = total * size + place
            if min(places) < 0 or total not in known:
                told = ", ".join(
                    f"{name} {shown(value)}"
                    for (name, _), value in zip(self._wheres, combination, strict=True)
                )
                self.place.at("where").refuse(f"no row of {self.words.from_!r} has {told}")

    def rows(self, block: Block) -> Rows:
        """Return the row that each row draws."""
        if self.cells is not None:
            return self._drawn(block, self._static)
        there = self._there(block)
        key = ("index", self.of.table, self.name)
        return self._drawn(block, there.memoized(key, lambda: self._index(there)))

    def _drawn(self, block: Block, index: Any) -> Rows:
        table = self.of.table
        if self.words.distinct:
            runs, level = siblings(block, table), block.level(table)
            keys = block.words(self.of.path[-2].table, self.stream).take(runs.parents)
            k = np.zeros(len(keys), dtype=np.uint64) if level.k is None else level.k.astype(np.uint64)
            return permute_below(keys, k, index).astype(np.intp)
        words = block.words(table, self.stream)
        if isinstance(index, Choice):
            return index.codes(high32(words))
        if not isinstance(index, _Groups):
            return alike(words, index).astype(np.intp)
        columns = [reference.read(block) for _, reference in self._wheres]
        wanted = index.combined(columns)
        group = np.minimum(np.searchsorted(index.known, wanted), max(len(index.known) - 1, 0))
        met = index.known.take(group) == wanted if len(index.known) else np.zeros(len(wanted), dtype=np.bool_)
        if not met.all():
            self._refuse_unmet(columns, int(np.flatnonzero(~met)[0]))
        if index.choice is not None:
            return index.order.take(index.choice.codes(high32(words), group))
        number = (words >> np.uint64(32)) * index.counts.take(group).astype(np.uint64) >> np.uint64(32)
        return index.order.take(index.starts.take(group) + number.astype(np.int64))

    def _refuse_unmet(self, columns: Sequence[Column], row: int) -> None:
        at = np.array([row])
        told = ", ".join(
            f"{name} {column.take(at).tolist()[0]!r}"
            for (name, _), column in zip(self._wheres, columns, strict=True)
        )
        raise RequestError(
            f"the pick {self.name!r} of table {self.of.name!r} finds no row of {self.words.from_!r} with {told} in this seed"
        )

    # --- columns

    def picked(self) -> Picked:
        """Return the pick."""
        return Picked(self.column, self.columns, (self.stream,))

    def column(self, name: str) -> Reference:
        """Return what a column of the pick is."""
        if name not in self.columns:
            raise LookupError(self._no_column(name))
        table, key = self.of.table, ("pick", self.of.table, self.name)
        if self.cells is not None:
            cells = self.cells
            static = cells.columns[name]
            plain = isinstance(static, Categorical) and bool((static.codes == np.arange(cells.rows)).all())

            def read_static(block: Block) -> Column:
                rows = block.memoized(key, lambda: self.rows(block))
                if plain and isinstance(static, Categorical):
                    return Categorical(rows, static.categories)
                return static.take(rows)

            lookups = () if cells.lookup is None else (cells.lookup,)
            return Reference(
                cells.types[name],
                lambda block: block.memoized((key, name), lambda: read_static(block)),
                copies=True,
                picked=True,
                lookups=lookups,
            )
        made = self.compiler.field(self.words.from_, name)
        reader = self.compiler.field_reader(self.words.from_, name)
        as_texts = made.type.kind == "string" and self.most <= _MOST_CATEGORIES

        def read(block: Block) -> Column:
            rows = block.memoized(key, lambda: self.rows(block))
            there = self._there(block)
            held = reader(there)
            if as_texts and not isinstance(held, Categorical):
                categories = there.memoized(("categories", held), lambda: Categories(held.tolist()))
                return Categorical(rows, categories)
            return held.take(rows) if len(held) else null_rows(held, len(rows))

        unique = made.role in ("id", "unique")
        return Reference(
            _text_of_pick(made.type),
            lambda block: block.memoized((table, self.name, name), lambda: read(block)),
            f"{self.words.from_}.{name}",
            made,
            picked=True,
            copies=True,
            siblings_differ=self.words.distinct and unique,
        )


def numbers_of(column: Column) -> NDArray[Any]:
    """Return the numbers of a column of weights."""
    if not isinstance(column, Numbers):
        raise TypeError(f"a {type(column).__name__} column has no weights")
    return column.values


def whole(weights: NDArray[Any]) -> list[int]:
    """Return integers as the smallest with the same ratios, their sum below 2^32, as `scale_weights` does."""
    values = weights.astype(np.int64)
    divisor = int(np.gcd.reduce(values)) if len(values) else 1
    values = values // max(divisor, 1)
    total = sum(values.tolist())
    shift = max(total.bit_length() - 33, 0)
    while sum((values >> shift).tolist()) >= 1 << 32:
        shift += 1
    return (values >> shift).tolist()  # type: ignore[no-any-return]  # NumPy's lists are of any
