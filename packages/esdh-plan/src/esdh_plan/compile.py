"""From a plan to a dataset: names resolved, every field typed and made a function from a block to a column.

What a field needs is compiled before it, whatever the order of writing. There is no recursion over what a plan holds:
a part that needs another says so, and is compiled again once that stands, so that no chain is too long.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path as FilePath
from typing import Any, Final

import msgspec
import numpy as np
from esdh_core.columns import Categorical, Categories, Column, Date, Integer, day_number
from esdh_core.constants import MAX_RECORDS
from esdh_core.dataset import Block, Dataset, Limit, Table, memoized_per_block
from esdh_core.errors import IdError
from esdh_core.ids import SLOT_BITS, TaggedIds
from esdh_core.stats import Draw
from msgspec import Struct

from esdh_plan import language, locks
from esdh_plan.counts import count_of
from esdh_plan.definitions import ChildCount, Definition, Failed, Formula, Place, Reference, TableOf
from esdh_plan.distributions import PARAMETERS, Band, bands, listed_bands
from esdh_plan.errors import MAX_FAULTS, Fault, PlanError, chain, display, near
from esdh_plan.expressions import (
    Doubtful,
    ExpressionError,
    ValueType,
    parse,
    parse_aggregate,
)
from esdh_plan.language import CONTROL, Source
from esdh_plan.modifiers import apply_modifiers, condition
from esdh_plan.picks import Picked, pick_of
from esdh_plan.reader import Path
from esdh_plan.rules import RULES
from esdh_plan.rules.faker import pool_name
from esdh_plan.siblings import siblings, taken
from esdh_plan.sources import Cells, TableData, read_csv, shipped
from esdh_plan.statistics import draws_of, statistics_of
from esdh_plan.structs import MARKER, struct_of

__all__ = ["Compiler", "RecipeInputs"]

Key = tuple[str, str, str]  # field, pick or count; the table's name; its own

_MOST_ROWS = 1 << 24  # of the largest record
_MOST_BANDS = 1 << 19  # of all distributions of a plan: each costs some microseconds, at most some hundred
_PROGRAM: Final = "esdh-plan"
_STEP: Final = 16  # fields in a chain that call each other
_FAILED: Final = object()


class _Needs(Exception):  # noqa: N818 # never leaves this module: what is needed is compiled first
    """A part needs another that isn't compiled yet."""

    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.key = key


class _Enough(Exception):  # noqa: N818 # never leaves this module
    """There are so many faults that more don't help."""


class RecipeInputs(Struct, frozen=True):
    """What a recipe gives, in place of what would be computed or read: bands by path, tables by name, pools, versions."""

    bands: dict[str, tuple[Band, ...]]
    tables: dict[str, TableData]
    pools: dict[str, list[str]]
    versions: dict[str, str]


class _Untyped(Struct):
    """The Struct of a table that isn't typed yet."""


class Compiler:
    """One compilation."""

    def __init__(
        self,
        source: Source,
        folder: FilePath | None,
        *,
        inputs: RecipeInputs | None = None,
        pools: Mapping[str, Sequence[str]] | PlanError | None = None,
    ) -> None:
        self.source, self.plan, self._folder, self._inputs = source, source.plan, folder, inputs
        self._faults: dict[Fault, None] = dict.fromkeys(source.faults)
        self.used_bands: dict[str, tuple[Band, ...]] = {}
        self.used_tables: dict[str, TableData] = {}
        self.used_pools: dict[str, Sequence[str]] = {}
        self._pools: Mapping[str, Sequence[str]] | PlanError | None = (
            pools if inputs is None else inputs.pools
        )
        # Of other packages alone: the version of the program is the manifest's to tell, and its rules never change.
        recorded = {} if inputs is None else inputs.versions
        self.versions = {
            each.name: recorded.get(each.name, each.version)
            for each in source.packages
            if each.name != _PROGRAM
        }
        self._shipped: dict[str, Cells] = {}
        self._done: dict[Key, Any] = {}
        self._references: dict[tuple[str, Path], Reference] = {}
        self._raw: dict[Key, Definition] = {}
        self._formulas: dict[tuple[str, str], Formula] = {}
        self._readers: dict[Key, Callable[[Block], Column]] = {}
        self._depths: dict[Key, int] = {}
        self._milestones: dict[Key, frozenset[Key]] = {}
        self._used: set[Key] = set()
        self.today = day_number(self.plan.reference_date)
        self.tables: dict[str, TableOf] = {}
        self._nowhere = TableOf(
            "", language.Table(fields={}), Table("", _Untyped, ""), None, "", is_unknown=True
        )

    # --- tables

    def _parents_first(self) -> Iterator[str]:
        """Yield the tables, each after the one above it, else in the plan's order."""
        seen: set[str] = set()
        for name in self.plan.tables:
            for each in [*reversed(self.plan.ancestors(name)), name]:
                if each not in seen:
                    seen.add(each)
                    yield each

    def _begin(self, name: str) -> None:
        words = self.plan.tables[name]
        parent = self._nowhere if name in self.source.adrift else None
        if parent is None and words.per is not None:
            parent = self.tables[words.per]
        table = Table(
            name,
            _Untyped,
            " ".join((words.description or f"The table {name}.").split()),
            parent=None if parent is None else parent.table,
            rows=words.rows if isinstance(words.rows, int) else None,
        )
        of = TableOf(name, words, table, parent, f"{self.plan.name}:{words.stream or name}")
        self.tables[name] = of
        if isinstance(words.rows, language.FileRows) and not self.doubts("tables", name, "rows"):
            self._read_file(of, words.rows)

    def _read_file(self, of: TableOf, rows: language.FileRows) -> None:
        path: Path = ("tables", of.name, "rows", "file")
        of.table.rows = 1  # until it is known
        try:
            data = self._file(of.name, rows)
        except ValueError as error:
            self.fault(path, str(error))
            return
        except OSError as error:
            self.fault(path, f"{rows.file} can't be read: {error.strerror}")
            return
        try:
            cells = Cells.of(data)
        except ValueError as error:
            self.fault(path, f"{rows.file}, {error}")
            return
        self.used_tables[f"file:{of.name}"] = data
        of.table.rows = cells.rows

        def reader(column: Column) -> Callable[[Block], Column]:
            return lambda block: (
                column if len(of_level(block, of)) == len(column) else column.take(of_level(block, of))
            )

        of.cells.update(
            {name: Reference(cells.types[name], reader(cells.columns[name])) for name in cells.columns}
        )

    def _file(self, table: str, rows: language.FileRows) -> TableData:
        if self._inputs is not None:
            data = self._inputs.tables.get(f"file:{table}")
            if data is None:
                raise ValueError(f"the recipe lacks the rows of {rows.file}")
            return data
        if self._folder is None:
            raise ValueError("a plan without a folder can't have files")
        return read_csv(self._folder, rows.file, dict(rows.types))

    # --- what rules ask for

    def fault(self, path: Path, reason: str, *, key: bool = False) -> None:
        """Tell what is wrong at a path."""
        self._faults[self.source.document.fault(path, reason, key=key)] = None
        if len(self._faults) >= MAX_FAULTS:
            raise _Enough

    def doubts(self, *path: str) -> bool:
        """Return whether what stands at a path has a fault of form, so that nothing can be said of it."""
        return path in self.source.doubtful

    def is_sized(self, of: TableOf) -> bool:
        """Return whether it is known how many rows a table has, all tables above it counted."""
        top = of.path[0]
        if top.is_unknown or self.doubts("tables", top.name, "rows"):
            return False
        return bool(top.cells) or not isinstance(top.words.rows, language.FileRows)

    def written(self, path: Path) -> Any:
        """Return what is written at a path."""
        value = self.source.document.content
        for part in path:
            value = value[part]
        return value

    def table(self, name: str) -> TableOf:
        """Return a table."""
        return self.tables[name]

    def _get(self, key: Key) -> Any:
        self._used.add(key)
        if key not in self._done:
            raise _Needs(key)
        if self._done[key] is _FAILED:
            raise Failed
        return self._done[key]

    def count(self, of: TableOf) -> ChildCount | None:
        """Return how many rows of a table each parent has, None where each has one."""
        found: ChildCount | None = None
        for each in of.path:
            if self.doubts("tables", each.name, "count"):
                raise Failed
            found = None if each.words.count is None else self._get(("count", each.name, ""))
        return found

    def field(self, table: str, name: str) -> Definition:
        """Return what is made of a field; LookupError, with a sentence, for a name that there isn't."""
        words = self.plan.tables[table]
        if name not in words.fields:
            if ("tables", table, "fields") in self.source.refused:
                raise Failed
            raise LookupError(f"table {table!r} has no field {name!r}{near(name, words.fields)}")
        definition: Definition = self._get(("field", table, name))
        return definition

    def field_type(self, table: str, name: str) -> ValueType:
        """Return the type of a field."""
        return self.field(table, name).type

    def field_reader(self, table: str, name: str) -> Callable[[Block], Column]:
        """Return the function from a block to a field's column."""
        self.field(table, name)
        return self._readers["field", table, name]

    def check_below(self, of: TableOf, name: str) -> None:
        """Raise LookupError, with a sentence, unless a table hangs below another."""
        below = [each.name for each in self.tables.values() if of in each.path[:-1]]
        if name in below:
            return
        if name in self.tables and self.tables[name].is_adrift:
            raise Failed
        if name in self.tables:
            raise LookupError(f"{name!r} isn't below {of.name!r}; a rollup is over rows below")
        raise LookupError(f"there is no table {name!r} below {of.name!r}{near(name, below)}")

    def rule(self, words: language.Rule, place: Place) -> Definition:
        """Return what a rule makes."""
        package = self.source.package_of(words)
        if package is None:
            return RULES[type(words)](words, place)
        (word,) = words.__struct_encode_fields__
        try:
            definition = package.offers[word].column(words, place)
        except (_Needs, Failed):
            raise
        except Exception as error:  # whatever a stranger's function raises is the package's fault
            place.refuse(f"the rule {word!r} of {package.name} failed: {error!r}")
        if not isinstance(definition, Definition):
            place.refuse(f"the rule {word!r} of {package.name} made no Definition, but {definition!r}")
        return definition

    def formula(self, of: TableOf, text: str, path: Path) -> Formula:
        """Return the expression that a text is on the rows of a table."""
        try:
            node = parse(text, _Names(self, of))
        except ExpressionError as error:
            self._expression_faults(error, path)
            raise Failed from None
        formula = Formula(node, {name: self._reference(of, name) for name in node.names}, of.rows)
        return self._formulas.setdefault((of.name, text), formula)

    def aggregate(self, text: str, scope: Any, place: Place, *, running: bool) -> Any:
        """Return the function over rows that a text is."""
        try:
            return parse_aggregate(text, scope, running=running)
        except ExpressionError as error:
            self._expression_faults(error, place.path)
            raise Failed from None

    def _expression_faults(self, error: ExpressionError, path: Path) -> None:
        for found in error.faults:
            self.fault(path, found.sentence)

    def reference(self, of: TableOf, name: Path, path: Path) -> Reference:
        """Return what a name stands for; Failed, once that is reported, for one that stands for nothing."""
        try:
            return self._reference(of, name)
        except LookupError as unknown:
            self.fault(path, str(unknown.args[0]))
            raise Failed from None

    def shipped(self, name: str, place: Place) -> Cells:
        """Return a table that ships."""
        if name not in self._shipped:
            table_data = None if self._inputs is None else self._inputs.tables.get(name)
            if self._inputs is not None and table_data is None:
                place.refuse(f"the recipe lacks the table {name!r}")
            self._shipped[name] = shipped(name) if table_data is None else Cells.of(table_data)
        self.used_tables[name] = self._shipped[name].data
        return self._shipped[name]

    def pool(self, words: language.FakerWords, place: Place) -> Sequence[str]:
        """Return a pool of the lock."""
        name = pool_name(words)
        if words.provider not in locks.PROVIDERS:
            hint = (
                near(words.provider, locks.PROVIDERS) or f"; there are {', '.join(sorted(locks.PROVIDERS))}"
            )
            place.at("provider").refuse(f"{words.provider!r} is none of our providers{hint}")
        lock = locks.lock_name(self.source.document.file)
        if isinstance(self._pools, PlanError):
            place.refuse(f"{lock}: {self._pools.faults[0].reason}")
        pool = None if self._pools is None else self._pools.get(name)
        if pool is None or len(pool) != words.pool:
            place.refuse(
                f"the pool {name} isn't in {lock}; `esdh lock-plan {self.source.document.file}` makes it"
            )
        wrong = next((each for each in pool if CONTROL.search(each)), None)
        if wrong is not None:
            place.refuse(
                f"the value {display(wrong)} of the pool {name} has a control character; take it out of {lock}"
            )
        self.used_pools[name] = pool
        return pool

    def bands(
        self, words: Any, place: Place, units: Callable[[Any, Place], int], scale: int, kind: str = "integer"
    ) -> tuple[Band, ...]:
        """Return the bands of a distribution, or those that are written."""
        name = words.distribution
        known = self.source.document.words(place.path)
        if self._inputs is not None and name != "bands":
            found = self._inputs.bands.get(known)
            if found is None:
                place.refuse("the recipe lacks the bands of this field")
            first, last = units(words.from_, place.at("from")), units(words.to, place.at("to"))
            _check_bands(found, first, last, place)
        else:
            try:
                found = self._bands(words, place, units, scale, kind)
            except ValueError as error:
                place.at(name).refuse(_sentence(str(error)))
        if name != "bands":
            self.used_bands[known] = found
            if sum(map(len, self.used_bands.values())) > _MOST_BANDS:
                place.refuse(
                    f"with this distribution the plan's have more than {_MOST_BANDS:,} bands together, which is the most; "
                    "take narrower ranges, or all values alike"
                )
        return found

    def _bands(
        self, words: Any, place: Place, units: Callable[[Any, Place], int], scale: int, kind: str
    ) -> tuple[Band, ...]:
        if words.distribution == "bands":
            here = place.at("bands")
            return listed_bands(
                [
                    (units(first, here.at(number, 0)), units(last, here.at(number, 1)), weight)
                    for number, (first, last, weight) in enumerate(words.bands)
                ]
            )
        name = words.distribution

        def parameter(word: str) -> Fraction | int:
            value = getattr(getattr(words, name), word)
            if not isinstance(value, str):
                return Fraction(value)
            number = units(value, place.at(name, word))
            return number if kind in ("date", "timestamp") else Fraction(number, 10**scale)

        first, last, *values = place.all(
            lambda: units(words.from_, place.at("from")),
            lambda: units(words.to, place.at("to")),
            *(partial(parameter, word) for word in PARAMETERS[name]),
        )
        parameters = dict(zip(PARAMETERS[name], values, strict=True))
        return bands(name, parameters, first, last, scale)

    # --- names

    def _reference(self, of: TableOf, path: Path) -> Reference:
        key = (of.name, path)
        if key not in self._references:
            self._references[key] = self._resolve(of, tuple(str(each) for each in path))
        else:
            self._used.update(self._keys_of(of, path))
        return self._references[key]

    def _keys_of(self, of: TableOf, path: Path) -> Iterator[Key]:
        """Yield the field that a known name needs."""
        field = self._references[of.name, path].field
        if field:
            table, _, name = field.partition(".")
            yield ("field", table, name)

    def _resolve(self, of: TableOf, path: tuple[str, ...]) -> Reference:
        if of.is_unknown:
            raise Failed
        if len(path) > 2:
            raise LookupError(f"{'.'.join(path)!r} has two points; a name has one at most, as in parent.x")
        return self._own(of, path[0]) if len(path) == 1 else self._of(of, *path)

    def _of(self, of: TableOf, base: str, name: str) -> Reference:
        """Return what `base.name` is on the rows of a table."""
        if base == "parent":
            if of.parent is None:
                raise LookupError(f"{of.name!r} has no parent")
            return self._above(of, of.parent, name)
        if base in ("prev", "next"):
            return self._beside(of, base, name)
        if base == "row":
            return self._cell(of, name)
        if base in of.words.pick:
            picked: Picked = self._get(("pick", of.name, base))
            picked.used.append(name)
            return picked.column(name)
        owner = next((each for each in of.path[:-1] if each.name == base), None)
        if owner is not None:
            return self._above(of, owner, name)
        perhaps = {*self.tables, *(each.words.per for each in of.path)} if of.is_adrift else ()
        if base in perhaps or ("tables", of.name, "pick") in self.source.refused:
            raise Failed
        known = ["parent", *of.words.pick, *(each.name for each in of.path[:-1])]
        raise LookupError(f"{base!r} is no pick of {of.name!r} and no table above it{near(base, known)}")

    def _own(self, of: TableOf, name: str) -> Reference:
        table = of.table
        if name == "today":
            if self.doubts("reference_date"):
                raise Failed
            day = self.today
            return Reference(
                ValueType("date", low=day, high=day),
                lambda block: Date(np.full(of.rows(block), day, dtype=np.int32), day, day),
                above=True,
            )
        if name == "k":
            if of.parent is None:
                raise LookupError(f"'k' counts siblings, and {of.name!r} has no parent")
            self.count(of)
            most = max(of.largest - 1, 0)

            def k(block: Block) -> Column:
                level = block.level(table)
                values = np.zeros(of.rows(block), dtype=np.int64) if level.k is None else level.k
                return Integer(values, 0, most)

            return Reference(ValueType("integer", low=0, high=most), k)
        if name not in of.words.fields:
            known = [*of.words.fields, "today", "k"]
            raise LookupError(f"{of.name!r} has no field {name!r}{near(name, known)}")
        definition = self.field(of.name, name)
        reader = self._readers["field", of.name, name]
        return Reference(
            definition.type,
            reader,
            f"{of.name}.{name}",
            definition,
            copies=True,
            siblings_differ=definition.siblings_differ,
        )

    def _above(self, of: TableOf, owner: TableOf, name: str) -> Reference:
        if owner.is_unknown:
            raise Failed
        definition = self.field(owner.name, name)
        reader = self._readers["field", owner.name, name]

        def take(block: Block) -> Column:
            rows = block.rows_of(of.table, owner.table)
            column = reader(block)
            return column if rows is None else column.take(rows)

        key = ("above", of.table, owner.table, name)
        return Reference(
            definition.type,
            lambda block: block.memoized(key, lambda: take(block)),
            f"{owner.name}.{name}",
            definition,
            above=True,
            copies=True,
        )

    def _beside(self, of: TableOf, base: str, name: str) -> Reference:
        if of.parent is None:
            raise LookupError(f"'{base}' is a sibling, and rows of {of.name!r} have none: it has no parent")
        definition = self.field(of.name, name)
        reader = self._readers["field", of.name, name]
        step = 1 if base == "next" else -1

        def read(block: Block) -> Column:
            runs = siblings(block, of.table)
            places = np.arange(len(runs.parents), dtype=np.intp) + step
            begin = runs.starts.take(runs.parents)
            inside = (places >= begin) & (places < begin + runs.counts.take(runs.parents))
            return taken(reader(block), np.where(inside, places, 0), inside)

        return Reference(replace(definition.type, nullable=True), read, f"{of.name}.{name}", definition)

    def _cell(self, of: TableOf, name: str) -> Reference:
        if self.doubts("tables", of.name, "rows"):
            raise Failed
        is_file = isinstance(of.words.rows, language.FileRows)
        if not is_file:
            raise LookupError(f"'row' is a line of a file, and {of.name!r} has none")
        if not of.cells:
            raise Failed
        if name not in of.cells:
            raise LookupError(f"the file has no column {name!r}{near(name, of.cells)}")
        return of.cells[name]

    # --- solving

    def solve(self) -> None:
        """Compile every count, pick and field. Raises PlanError with all faults."""
        with suppress(_Enough):
            self._solve_all()
        if self._faults:
            raise PlanError(self.source.document.file, self._faults)

    def _solve_all(self) -> None:
        for name in self._parents_first():
            self._begin(name)
        for name, of in self.tables.items():
            if of.words.count is not None:
                self._solve(("count", name, ""))
            for pick in of.words.pick:
                self._solve(("pick", name, pick))
            for field in of.words.fields:
                self._solve(("field", name, field))
        self._check_whole()

    def _solve(self, key: Key) -> None:
        stack: dict[Key, None] = {key: None}
        while stack:
            top = next(reversed(stack))
            if top not in self._done:
                self._used = set()
                try:
                    self._done[top] = self._make(top)
                except _Needs as needs:
                    if needs.key not in stack:
                        stack[needs.key] = None
                        continue
                    self._refuse_cycle(list(stack)[list(stack).index(needs.key) :])
                except Failed:
                    self._done[top] = _FAILED
            del stack[top]

    def _refuse_cycle(self, cycle: list[Key]) -> None:
        words = [_words(key) for key in cycle]
        first = min(range(len(cycle)), key=lambda i: self.source.fault(self._path(cycle[i]), ""))
        around = [*words[first:], *words[: first + 1]]
        what = {"field": "field", "pick": "pick", "count": "count"}[cycle[first][0]]
        self.fault(
            self._path(cycle[first]), f"the {what} depends on itself: {chain(around, ' needs ')}", key=True
        )
        for key in cycle:
            self._done[key] = _FAILED

    def _path(self, key: Key) -> Path:
        kind, table, name = key
        return (
            "tables",
            table,
            *{"field": ("fields", name), "pick": ("pick", name), "count": ("count",)}[kind],
        )

    def _make(self, key: Key) -> Any:
        kind, table, name = key
        of, path = self.tables[table], self._path(key)
        if kind == "count":
            return self._make_count(of, path)
        with suppress(Failed):  # what needs it asks for it again
            self.count(of)
        place = Place(self, of, path)
        if kind == "pick":
            if path in self.source.doubtful:
                raise Failed
            picked = pick_of(name, of.words.pick[name], place)
            self._finish(key)
            return picked
        words = of.words.fields[name]
        stream = f"{of.stream}.{words.stream or name}"
        place = Place(self, of, path, stream, name, words.unique, words.ordered)
        if path in self.source.doubtful:
            self._report_more(words, place)
            raise Failed
        raw, when = place.all(
            lambda: self._checked(self.rule(words.rule, place), place), lambda: condition(words, place)
        )
        if words.missing is not None and raw.type.nullable:  # whose nulls are told from those of `missing`
            raw = replace(raw, column=memoized_per_block(raw.column))
        definition = apply_modifiers(words, raw, when, place)
        self._raw[key] = raw
        self._finish(key)
        self._readers[key] = self._reader(key, definition)
        return definition

    def _report_more(self, words: language.Field, place: Place) -> None:
        """Report what is wrong with a field that has a fault of form besides: of its rule, or of its expressions."""
        parts: list[Callable[[], Any]] = []
        if words is not language.UNKNOWN_FIELD:
            parts.append(lambda: self._checked(self.rule(words.rule, place), place))
        parts += [
            partial(self.formula, place.of, text, path)
            for path, text in _expressions(self.written(place.path), place.path)
            if path not in self.source.refused
        ]
        place.all(*parts)

    def _make_count(self, of: TableOf, path: Path) -> ChildCount:
        parent = of.parent
        if parent is None or path in self.source.doubtful:
            raise Failed
        with suppress(Failed):
            self.count(parent)
        place = Place(self, of, path)
        child_count = count_of(of.words.count, place, Place(self, parent, path))
        of.child_count, of.table.count = child_count, child_count.column
        room = of.words.room
        if room is not None and room < child_count.largest:
            self.fault(
                ("tables", of.name, "room"),
                f"there is room for {room} rows of a parent, which can have {child_count.largest}; "
                f"{1 << (child_count.largest - 1).bit_length()} would do",
            )
            raise Failed
        of.table.room = room or 1 << max(child_count.largest - 1, 0).bit_length()
        self._finish(("count", of.name, ""))
        return child_count

    def _finish(self, key: Key) -> None:
        used = self._used - {key}
        depth = 1 + max((self._depths.get(each, 0) for each in used), default=0)
        self._depths[key] = depth
        through = frozenset().union(*(self._milestones.get(each, frozenset()) for each in used))
        through |= {each for each in used if self._depths.get(each, 0) % _STEP == 0 and each[0] == "field"}
        self._milestones[key] = through

    def _reader(self, key: Key, definition: Definition) -> Callable[[Block], Column]:
        """Return the function to a field's column; in a long chain it computes fields along it first, not by recursion."""
        table = self.tables[key[1]].table
        before = sorted(self._milestones[key], key=lambda each: self._depths[each])
        readers = [self._readers[each] for each in before if self.tables[each[1]].table.top is table.top]
        if not readers:
            return memoized_per_block(definition.column)

        def column(block: Block) -> Column:
            for reader in readers:
                reader(block)
            return definition.column(block)

        return memoized_per_block(column)

    def _checked(self, definition: Definition, place: Place) -> Definition:
        """Return what a rule makes, if its values have room."""
        of = definition.type
        if of.kind == "decimal":
            low, high = of.bounds
            if max(abs(low), abs(high)) >= 10**18:
                place.refuse("its values can have more than 18 digits; a decimal has at most 18")
        if of.kind == "integer":
            low, high = of.bounds
            if low < -(1 << 63) or high >= 1 << 63:
                place.refuse("its values can leave 64 bits")
        if definition.capacity is not None and not place.of.path[0].is_root and self.is_sized(place.of):
            self.count(place.of)
            most = largest_slot(place.of, 1)
            if definition.capacity.values <= most:
                place.refuse(
                    f"it has {definition.capacity.values:,} different values, and rows are numbered from 0 to {most:,}; "
                    f"{definition.capacity.would_do(most + 1)}"
                )
        return definition

    # --- the whole plan

    def _check_whole(self) -> None:
        for fixed in (False, True):
            self._check_rows(fixed=fixed)
        for name, of in self.tables.items():
            if not self._is_known(of):
                continue
            span = (of.path[0].table.rows or 1) * of.table.span
            if span > 1 << SLOT_BITS:
                self.fault(
                    ("tables", name),
                    "its slots exceed 2^44, the room of an id; lower the counts or `room`",
                    key=True,
                )
            key = of.words.key
            if key and not any(self._done.get(("field", name, each), _FAILED) is _FAILED for each in key):
                self._check_key(of, key)
        if self.doubts("name") or self.doubts("version"):
            return
        try:
            self.ids = TaggedIds(
                f"{self.plan.name} v{self.plan.version}",
                {name: words.stream or name for name, words in self.plan.tables.items()},
            )
        except IdError as error:
            self.fault(("tables",), str(error))

    def _is_known(self, of: TableOf) -> bool:
        """Return whether it is known where a table hangs and how many rows it can have."""
        return self.is_sized(of) and not any(
            each.child_count is None
            and (each.words.count is not None or self.doubts("tables", each.name, "count"))
            for each in of.path
        )

    def _check_rows(self, *, fixed: bool) -> None:
        """Refuse more rows than there may be: of the largest record, or of all fixed tables."""
        rows = 0
        largest = ("", 0)
        for name, of in self.tables.items():
            if (not of.path[0].is_root) is not fixed or not self._is_known(of):
                continue
            product = (of.path[0].table.rows or 0) if fixed else 1
            for each in of.path[1:]:
                product *= each.largest
            rows += product
            largest = max(largest, (name, product), key=lambda pair: pair[1])
        if rows > _MOST_ROWS:
            what = "the fixed tables" if fixed else "the largest record"
            self.fault(
                ("tables", largest[0]),
                f"{what} can have {rows:,} rows; {_MOST_ROWS:,} are the most, so lower the counts",
                key=True,
            )

    def _check_key(self, of: TableOf, key: list[str]) -> None:
        null = [name for name in key if self._done["field", of.name, name].type.nullable]
        if null:
            self.fault(
                ("tables", of.name, "key"),
                f"{null[0]!r} can be null, which no field of a key can be; take it out of the key, or what makes it null",
            )
        elif not self._is_key(of, key):
            self.fault(
                ("tables", of.name, "key"),
                f"two rows can have the same {chain(key, ', ')}; a key has an id, a sequence or a unique field, "
                "or the parent's key with `k` or a unique column of a distinct pick",
            )

    def _is_key(self, of: TableOf, key: Sequence[str]) -> bool:
        """Return whether fields name a row by construction."""
        definitions = {name: self._done["field", of.name, name] for name in key}
        if any(self._names_row(of, each) for each in definitions.values()):
            return True
        if of.parent is None:
            return False
        if of.words.count is not None and not any(
            each.siblings_differ and not each.type.nullable for each in definitions.values()
        ):
            return False
        return any(self._names_row_above(of, each) for each in definitions.values())

    def _names_row(self, of: TableOf, definition: Definition) -> bool:
        if definition.type.nullable:
            return False
        if definition.role in ("id", "unique"):
            return True
        return self._copied(
            definition, lambda above: above is of or (above in of.path and _one_each(of, above))
        )

    def _names_row_above(self, of: TableOf, definition: Definition) -> bool:
        return not definition.type.nullable and self._copied(definition, lambda above: above is of.parent)

    def _copied(self, definition: Definition, fits: Callable[[TableOf], bool]) -> bool:
        """Return whether a field copies one, through others of rows above, that names a row of a table that fits."""
        while definition.role == "copy" and not definition.picked:
            table, _, name = definition.depends_on[0].partition(".")
            definition = self._done["field", table, name]
            if definition.role in ("id", "unique") and not definition.type.nullable:
                return fits(self.tables[table])
        return False

    def limits(self) -> tuple[Limit, ...]:
        """Return what bounds the number of records."""
        found: list[Limit] = []
        for name, of in self.tables.items():
            if of.path[0].is_root:
                span = of.table.span
                most = (1 << SLOT_BITS) // span
                if most < MAX_RECORDS:
                    found.append(Limit(most, _ids_full(name, most)))
        for (kind, name, field), definition in self._done.items():
            if kind == "field" and self._raw[kind, name, field].capacity is not None:
                of = self.tables[name]
                if of.path[0].is_root:
                    found.append(_capacity_limit(of, field, self._raw[kind, name, field]))
            del definition
        return tuple(sorted(found, key=lambda limit: limit.records))

    @property
    def default_shard_rows(self) -> int:
        """The records of a part, by datasets.md, section 2."""
        most = max(of.mean for of in self.tables.values() if of.path[0].is_root)
        return next(
            (size for size in (1 << bits for bits in range(20, 16, -1)) if size * most <= 1 << 21), 1 << 16
        )

    def finish(self, **more: Any) -> Dataset:
        """Return the dataset."""
        marker = f"enterprise-synthetic-data-hub {self.plan.name} v{self.plan.version}"
        for name, of in self.tables.items():
            self._finish_table(name, of, marker)
        return Dataset(
            dataset_version=f"{self.plan.name} v{self.plan.version}",
            marker=marker,
            reference_date=self.plan.reference_date,
            tables=tuple(of.table for of in self.tables.values()),
            ids=self.ids,
            note=" ".join((self.plan.description or "").split()),
            limits=self.limits(),
            **more,
        )

    def _finish_table(self, name: str, of: TableOf, marker: str) -> None:
        table = of.table
        fields = of.words.fields
        definitions = {field: self._done["field", name, field] for field in fields}
        table.record = struct_of(
            name,
            [
                (field, definitions[field], _description(words, definitions[field]))
                for field, words in fields.items()
            ],
            marker,
        )
        table.mean = of.mean
        table.primary_key = tuple(of.words.key or ())
        for field, each in definitions.items():
            table.rule(
                field,
                each.text,
                role=each.role,
                streams=each.streams,
                permutation=each.permutation,
                lookups=each.lookups,
                depends_on=each.depends_on,
                picked=each.picked,
                distribution="; ".join(
                    f"{label} {float(share):.4%}" for label, share in list((each.shares or {}).items())[:20]
                ),
                tags=tuple(fields[field].tags),
            )(self._readers["field", name, field])
        categories = Categories([marker])
        table.rule(MARKER, "The marker that every synthetic row carries", role="marker")(
            lambda block: Categorical(np.zeros(of.rows(block), dtype=np.int32), categories)
        )
        table.statistics = tuple(
            statistic
            for field, words in fields.items()
            for statistic in statistics_of(
                name, field, words, definitions[field], self._raw["field", name, field]
            )
        )
        table.draws = tuple(self._draws(of, definitions))

    def _draws(self, of: TableOf, definitions: Mapping[str, Definition]) -> Iterator[Draw]:
        """Yield what is counted where it is drawn: how many rows a parent has, the picks that are used, and fields."""
        name = of.name
        for outcomes in of.child_count.draws if of.child_count is not None else ():
            yield outcomes.of(f"{name}#count")
        for pick in of.words.pick:
            picked: Picked = self._done["pick", name, pick]
            if picked.draw is not None and picked.used:
                yield picked.draw(f"{name}@{pick}")
        for field, words in of.words.fields.items():
            raw, reader = self._raw["field", name, field], self._readers["field", name, field]
            yield from draws_of(name, field, words, column=reader, raw=raw, met=definitions[field].met)

    def hashes(self) -> dict[str, str]:
        """Return the digests of what each field, pick and count draws by, so that a diff can say which changed."""
        found = {}
        for name, words in self.plan.tables.items():
            own = self.source.document.content["tables"][name]
            rows = self.used_tables.get(f"file:{name}")
            for field in words.fields:
                definition = self._done["field", name, field]
                more = [
                    *definition.streams,
                    definition.permutation,
                    definition.type.kind,
                    str(definition.type.nullable),
                    str(definition.type.scale),
                ]
                if definition.role == "id":
                    more.append(f"{self.plan.name} v{self.plan.version}/{words.stream or name}")
                if rows is not None:
                    more.append(msgspec.json.encode(rows).decode())
                rule = words.fields[field].rule
                branches = (
                    [branch.rule for branch in rule.case] if isinstance(rule, language.Case) else [rule]
                )
                packages = {each.name for one in branches if (each := self.source.package_of(one))}
                more += [f"{each} {self.versions[each]}" for each in sorted(packages & self.versions.keys())]
                if isinstance(rule, language.Faker):
                    more += self.used_pools[pool_name(rule.faker)]
                found[f"{name}.{field}"] = self._hash(
                    ("tables", name, "fields", field), own["fields"][field], more
                )
            for pick in words.pick:
                stream = f"{self.tables[name].stream}@{pick}"
                source = self.used_tables.get(words.pick[pick].from_)
                found[f"{name}@{pick}"] = self._hash(
                    ("tables", name, "pick", pick),
                    own["pick"][pick],
                    [stream, msgspec.json.encode(source).decode()],
                )
            if words.count is not None:
                found[f"{name}#count"] = self._hash(
                    ("tables", name, "count"),
                    own["count"],
                    [f"{self.tables[name].stream}#count", str(self.tables[name].table.room)],
                )
        return found

    def _hash(self, path: Path, written: Any, more: list[str]) -> str:
        words = self.source.document.words(path)
        own = {key: list(map(tuple, held)) for key, held in self.used_bands.items() if key.startswith(words)}
        return hashlib.sha256(repr((written, own, more)).encode()).hexdigest()


class _Names:
    """The names that an expression of a table's rows may use."""

    def __init__(self, compiler: Compiler, of: TableOf) -> None:
        self._compiler, self._of = compiler, of

    def resolve(self, path: Path) -> ValueType:
        """Return the type of what a name stands for."""
        try:
            return self._compiler._reference(self._of, path).type
        except Failed:
            raise Doubtful from None


def _expressions(written: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the expressions of a field that has faults, as far as they are where the language has them."""
    if isinstance(written, str):
        yield path, written
    if not isinstance(written, dict):
        return
    for word in ("expr", "when"):
        if isinstance(written.get(word), str):
            yield (*path, word), written[word]
    for word in ("integer", "decimal", "date", "timestamp"):
        inner = written.get(word)
        for bound in ("from", "to"):
            text = inner.get(bound) if isinstance(inner, dict) else None
            if isinstance(text, str) and not text[:1].isdigit():
                yield (*path, word, bound), text
    branches = written.get("case")
    for number, branch in enumerate(branches if isinstance(branches, list) else ()):
        if isinstance(branch, dict):
            yield from _expressions(branch, (*path, "case", number))


def of_level(block: Block, of: TableOf) -> Any:
    """Return the slots of a table's rows."""
    return block.level(of.table).slots


def largest_slot(of: TableOf, records: int) -> int:
    """Return the largest slot that a table can have in so many records; of a fixed table, the largest."""
    slot = (of.path[0].table.rows or records) - 1
    for each in of.path[1:]:
        slot = slot * each.table.room + max(each.largest - 1, 0)
    return slot


def _one_each(of: TableOf, above: TableOf) -> bool:
    """Return whether each row of a table above has one row at most of a table."""
    at: TableOf | None = of
    while at is not None and at is not above:
        if at.largest > 1:
            return False
        at = at.parent
    return True


def _ids_full(table: str, most: int) -> Callable[[int], str]:
    return lambda records: (
        f"{records:,} records are too many for the ids of {table}: a record takes {(1 << SLOT_BITS) // most:,} slots of 2^44, "
        f"so {most:,} records are the most; lower counts or `room` would do"
    )


def _capacity_limit(of: TableOf, field: str, raw: Definition) -> Limit:
    capacity = raw.capacity
    if capacity is None:
        raise TypeError("only a unique field has a capacity")
    low, high = 0, MAX_RECORDS
    while low < high:  # the most records whose largest slot is below the capacity
        middle = (low + high + 1) // 2
        if largest_slot(of, middle) < capacity.values:
            low = middle
        else:
            high = middle - 1

    def why(records: int) -> str:
        needed = largest_slot(of, records) + 1
        return (
            f"{records:,} records are too many for {of.name}.{field}, which is unique and has {capacity.values:,} values for "
            f"{needed:,} slots; {capacity.would_do(needed)}, or at most {low:,} records"
        )

    return Limit(low, why, f"{of.name}.{field}", capacity.values)


def _words(key: Key) -> str:
    kind, table, name = key
    return f"{table}{ {'field': '.', 'pick': '@', 'count': '#count'}[kind] }{name}"


def _description(words: language.Field, definition: Definition) -> str:
    return " ".join((words.description or definition.text).split())


def _sentence(text: str) -> str:
    """Return a sentence as faults write it: without a capital, and without the point at its end."""
    return text[:1].lower() + text[1:].removesuffix(".")


def _check_bands(found: Sequence[Band], first: int, last: int, place: Place) -> None:
    """Refuse bands of a recipe that can't be those of its plan: not ascending, outside the cut, or of another sum."""
    before = first - 1
    for band in found:
        if not before < band.first <= band.last <= last or band.weight < 0:
            place.refuse(f"the recipe's bands don't ascend from {first} to {last}")
        before = band.last
    if sum(band.weight for band in found) != 1 << 31:
        place.refuse("the recipe's bands don't sum to 2^31")
