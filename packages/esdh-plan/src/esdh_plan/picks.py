"""Picks: one row of another table, drawn for each row."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from esdh_core.choices import Choice
from esdh_core.columns import Categorical, Categories, Column, Numbers
from esdh_core.dataset import Block, Dataset, memoized_per_block
from esdh_core.errors import RequestError
from esdh_core.permutations import permute_below
from esdh_core.stats import OTHER, Draw, Group
from esdh_core.streams import HALF, high32
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.arithmetic import alike, high_product
from esdh_plan.branches import Codes, coded
from esdh_plan.definitions import Place, Reference, TableOf
from esdh_plan.distributions import scale_weights
from esdh_plan.draws import MOST_RANGES, Outcomes, branch_name, parts, renamed
from esdh_plan.errors import display, near
from esdh_plan.siblings import null_rows, runs_below, siblings, taken
from esdh_plan.sources import Cells

__all__ = ["Picked", "pick_of"]

Rows = NDArray[Any]
_MOST_CATEGORIES = 1 << 16
_PARTS = 16
_MOST_GROUPS = 256  # of a `where`, that are judged
_MOST_CELLS = 1 << 10  # of all groups together, as far as each has four
_FEWEST_RANGES = 4
_MOST_COMBINATIONS = 10_000
_MOST_TOLD = 12  # columns that a message lists


@dataclass(frozen=True)
class Picked:
    """A pick: what its columns are, which are used, and what its words decide, by the name of its statistic."""

    column: Callable[[str], Reference]
    columns: tuple[str, ...]
    streams: tuple[str, ...] = ()
    draw: Callable[[str], Draw] | None = None
    used: list[str] = field(default_factory=list)


def pick_of(name: str, words: language.Pick, place: Place) -> Picked:
    """Return what a pick draws."""
    stream = f"{place.of.stream}@{name}"
    if words.among == "earlier":
        return _earlier(name, words, place, stream)
    if words.among == "siblings":
        return _siblings(words, place, stream)
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

    @memoized_per_block
    def slots(block: Block) -> tuple[Any, Any]:
        rows = block.rows_of(of.table, root.table)
        numbers = block.level(root.table).slots
        numbers = numbers if rows is None else numbers.take(rows)
        return high_product(block.words(of.table, stream), numbers), numbers

    def column(field: str) -> Reference:
        definition = compiler.field(words.from_, field)
        at_slots = definition.at_slots
        if at_slots is None:
            raise LookupError(
                f"{name}.{field} is of an earlier record, of which only ids, sequences and unique fields can be used"
            )

        def read(block: Block) -> Column:
            drawn, numbers = slots(block)
            return at_slots(block, drawn).masked(numbers > 0)

        return Reference(
            replace(definition.type, nullable=True),
            read,
            f"{words.from_}.{field}",
            definition,
            picked=True,
            copies=True,
        )

    return Picked(column, tuple(root.words.fields), (stream,), _of_some(range(2, 2), slots, of_more=True).of)


def _siblings(words: language.Pick, place: Place, stream: str) -> Picked:
    compiler, of = place.compiler, place.of
    source = compiler.table(words.from_)
    compiler.count(source)
    parent = of.parent
    if parent is None:
        place.refuse("`among: siblings` is for a table below another")

    @memoized_per_block
    def numbers(block: Block) -> tuple[Any, Any]:
        own = siblings(block, of.table).parents
        counts = runs_below(block, source.table, parent.table).counts.take(own)
        return high_product(block.words(of.table, stream), counts.astype(np.uint64)), counts

    @memoized_per_block
    def rows(block: Block) -> tuple[Any, Any]:
        starts = runs_below(block, source.table, parent.table).starts
        drawn, counts = numbers(block)
        return starts.take(siblings(block, of.table).parents) + drawn.astype(np.intp), counts > 0

    def column(field: str) -> Reference:
        definition, reader = compiler.field(source.name, field), compiler.field_reader(source.name, field)

        def read(block: Block) -> Column:
            places, valid = rows(block)
            there = reader(block)
            return taken(there, np.where(valid, places, 0), valid)

        return Reference(
            _text_of_pick(replace(definition.type, nullable=True)),
            read,
            f"{source.name}.{field}",
            definition,
            picked=True,
            copies=True,
        )

    drawn = _of_some(range(2, min(source.largest, _PARTS) + 1), numbers, of_more=source.largest > _PARTS)
    return Picked(column, tuple(source.words.fields), (stream,), drawn.of)


def _of_some(sizes: range, numbers: Callable[[Block], tuple[Any, Any]], *, of_more: bool) -> Outcomes:
    """Return the draws of one row of n, `numbers` being its own and n: by n where it is one of `sizes`, from 2 on.

    Those of more than 16 are judged by sixteenths, which have the same share whatever n is, if it is a multiple of 16.
    """
    groups = [
        Group(f"[of {n}]", tuple(map(str, range(n))), (Fraction(1, n),) * n, ranges=True) for n in sizes
    ]
    sixteenths = sum(sizes)  # the first cell of these
    if of_more:
        labels = tuple(f"{part + 1}/{_PARTS}" for part in range(_PARTS))
        groups.append(Group("[of more]", labels, (Fraction(1, _PARTS),) * _PARTS, ranges=True))
    size = sum(len(group.labels) for group in groups)

    def cells(block: Block) -> NDArray[np.integer]:
        number, count = (each.astype(np.int64) for each in numbers(block))
        before = count * (count - 1) // 2 - 1  # the cells of smaller groups: 2 + 3 + ... + (n - 1)
        found = np.where((count > 1) & (count < sizes.stop), before + number, size)
        in_more = (count > _PARTS) & (count % _PARTS == 0) & of_more
        return np.where(in_more, sixteenths + number // np.maximum(count // _PARTS, 1), found)

    return Outcomes(tuple(groups), cells)


def _text_of_pick(of: Any) -> Any:
    """Return the type of a pick's column: its texts are coded, if only by values that aren't known yet."""
    return replace(of, labels=()) if of.kind == "string" and of.labels is None else of


@dataclass(frozen=True)
class _Groups:
    """The rows of a table by what a `where` compares: of group g those at `starts[g]` on in `order`."""

    codes: list[Codes]
    values: list[list[Any]]
    known: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    choice: Choice | None

    def combined(self, columns: Sequence[Column]) -> NDArray[np.int64]:
        total = np.zeros(len(columns[0]), dtype=np.int64)
        lacking = np.zeros(len(columns[0]), dtype=np.bool_)
        for codes, values, column in zip(self.codes, self.values, columns, strict=True):
            places = codes.of(column)
            lacking |= places < 0
            total = total * len(values) + places
        return np.where(lacking, -1, total)

    def name(self, group: int) -> str:
        """Return what is equal in a group."""
        names = []
        rest = int(self.known[group])
        for values in reversed(self.values):
            rest, place = divmod(rest, len(values))
            names.append(branch_name(values[place]))
        return f"[{', '.join(reversed(names))}]"


def _grouped(columns: Sequence[Column], weights: Sequence[int] | None) -> _Groups:
    values = [list(dict.fromkeys(column.tolist())) for column in columns]
    none = np.zeros(0, dtype=np.int64)
    groups = _Groups(
        [Codes(each, -1, -1) for each in values],
        values,
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


@dataclass(frozen=True)
class _Pool:
    """The rows of a table as what comes of a draw: the cell of each, and of a `where` the group of each.

    `others` is the cell of each group for a row of another one, which is never drawn.
    """

    groups: tuple[Group, ...]
    cells: NDArray[np.intp]
    groups_of_rows: NDArray[np.intp] | None = None
    others: NDArray[np.intp] | None = None


def _pool(index: Any) -> _Pool:
    """Return the pool of what rows are drawn by: their number, a choice, or the groups of a `where`."""
    if not isinstance(index, _Groups):
        weights = (
            np.array(index.weights(), dtype=np.int64)
            if isinstance(index, Choice)
            else np.ones(index, np.int64)
        )
        if not len(weights):
            return _Pool((), np.zeros(0, dtype=np.intp))
        group, cells = _ranges("", np.arange(len(weights)), weights, MOST_RANGES)
        return _Pool((group,), cells)
    judged = np.sort(np.argsort(-index.counts, kind="stable")[:_MOST_GROUPS])  # those of most rows
    most = max(_FEWEST_RANGES, min(MOST_RANGES, _MOST_CELLS // max(len(judged), 1)))
    rows = int(index.order.max(initial=-1)) + 1
    cells, of_rows = np.full(rows, -1, dtype=np.intp), np.full(rows, -1, dtype=np.intp)
    others = np.full(len(index.counts), -1, dtype=np.intp)
    of_rows[index.order] = np.repeat(np.arange(len(index.counts)), index.counts)
    groups: list[Group] = []
    size = 0
    for number in judged.tolist():
        members = index.order[index.starts[number] :][: index.counts[number]]
        weights = np.ones(len(members), np.int64)
        if index.choice is not None:
            weights = np.array(index.choice.weights(number), dtype=np.int64)
        group, parts_of = _ranges(index.name(number), members, weights, most)
        group = group._replace(labels=(*group.labels, OTHER), shares=(*(group.shares or ()), Fraction(0)))
        cells[members] = size + parts_of
        others[number] = size + len(group.labels) - 1
        groups.append(group)
        size += len(group.labels)
    cells[cells < 0] = size
    others[others < 0] = size
    return _Pool(tuple(groups), cells, of_rows, others)


def _ranges(
    name: str, members: NDArray[np.integer], weights: NDArray[np.int64], most: int
) -> tuple[Group, NDArray[np.intp]]:
    """Return some rows as a group, each or each range of them with its share, and the place of each member in it."""
    places, sums = parts(weights, most)
    firsts = np.searchsorted(places, np.arange(len(sums)))
    lasts = np.append(firsts[1:], len(members)) - 1
    labels = [
        str(first) if first == last else f"{first} to {last}"
        for first, last in zip(members[firsts].tolist(), members[lasts].tolist(), strict=True)
    ]
    total = sum(sums)
    return Group(name, tuple(labels), tuple(Fraction(each, total) for each in sums), ranges=True), places


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
            for place, values in zip(places, groups.values, strict=True):
                total = total * len(values) + place
            if min(places) < 0 or total not in known:
                condition = ", ".join(
                    f"{name} {display(value)}"
                    for (name, _), value in zip(self._wheres, combination, strict=True)
                )
                self.place.at("where").refuse(f"no row of {self.words.from_!r} has {condition}")

    def rows(self, block: Block) -> Rows:
        """Return the row that each row draws."""
        if self.cells is not None:
            return self._drawn(block, self._static)
        return self._drawn(block, self._index_of(self._there(block)))

    def _index_of(self, there: Block) -> Any:
        """Return what rows are drawn by, of a table that is made."""
        return there.memoized(("index", self.of.table, self.name), lambda: self._index(there))

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
        group = self._group(block, index)
        if index.choice is not None:
            return index.order.take(index.choice.codes(high32(words), group))
        number = (words >> HALF) * index.counts.take(group).astype(np.uint64) >> HALF
        return index.order.take(index.starts.take(group) + number.astype(np.int64))

    def _group(self, block: Block, index: _Groups) -> Rows:
        """Return the group of rows that each row draws from."""
        return block.memoized(("group", self.of.table, self.name), lambda: self._met(block, index))

    def _met(self, block: Block, index: _Groups) -> Rows:
        columns = [reference.read(block) for _, reference in self._wheres]
        group_keys = index.combined(columns)
        group = np.minimum(np.searchsorted(index.known, group_keys), max(len(index.known) - 1, 0))
        met = (
            index.known.take(group) == group_keys
            if len(index.known)
            else np.zeros(len(group_keys), dtype=np.bool_)
        )
        if not met.all():
            self._refuse_unmet(columns, int(np.flatnonzero(~met)[0]))
        return group

    def _refuse_unmet(self, columns: Sequence[Column], row: int) -> None:
        at = np.array([row])
        condition = ", ".join(
            f"{name} {column.take(at).tolist()[0]!r}"
            for (name, _), column in zip(self._wheres, columns, strict=True)
        )
        raise RequestError(
            f"the pick {self.name!r} of table {self.of.name!r} finds no row of {self.words.from_!r} with {condition} in this seed"
        )

    # --- columns

    def picked(self) -> Picked:
        """Return the pick.

        One that is `distinct` is a permutation, whose elements aren't all alike on a small table: it isn't judged.
        """
        return Picked(self.column, self.columns, (self.stream,), None if self.words.distinct else self._draw)

    def _draw(self, name: str) -> Draw:
        """Return what the pick draws, as it is counted: rows of the table, few or in ranges of about equal weight."""
        varies = self.words.weight is not None or bool(self._wheres) or self.fewest != self.most
        follows_seed = self.cells is None and varies
        known: list[_Pool] = []

        def pool(there: Callable[[], Block]) -> _Pool:
            if follows_seed:
                block = there()
                key = ("pool", self.of.table, self.name)
                return block.memoized(key, lambda: _pool(self._index_of(block)))
            if not known:
                known.append(_pool(self.fewest if self.cells is None else self._static))
            return known[0]

        def groups(dataset: Dataset, seed: int) -> tuple[Group, ...]:
            of = pool(lambda: self._there(dataset.block(0, 0, seed)))
            return tuple(renamed(group, name) for group in of.groups)

        def cells(block: Block) -> NDArray[np.integer]:
            of = pool(lambda: self._there(block))
            rows = block.memoized(("pick", self.of.table, self.name), lambda: self.rows(block))
            if not len(of.cells):  # an empty table
                return np.zeros(len(rows), dtype=np.intp)
            found = of.cells.take(rows)
            if of.groups_of_rows is not None and of.others is not None:
                index = self._static if self.cells is not None else self._index_of(self._there(block))
                group = self._group(block, index)
                found = np.where(of.groups_of_rows.take(rows) == group, found, of.others.take(group))
            return found

        return Draw("", groups, cells, follows_seed)

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
        definition = self.compiler.field(self.words.from_, name)
        reader = self.compiler.field_reader(self.words.from_, name)
        as_texts = definition.type.kind == "string" and self.most <= _MOST_CATEGORIES

        def read(block: Block) -> Column:
            rows = block.memoized(key, lambda: self.rows(block))
            there = self._there(block)
            held = reader(there)
            if as_texts and not isinstance(held, Categorical):
                categories = there.memoized(("categories", held), lambda: Categories(held.tolist()))
                return Categorical(rows, categories)
            return held.take(rows) if len(held) else null_rows(held, len(rows))

        unique = definition.role in ("id", "unique")
        return Reference(
            _text_of_pick(definition.type),
            lambda block: block.memoized((table, self.name, name), lambda: read(block)),
            f"{self.words.from_}.{name}",
            definition,
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
