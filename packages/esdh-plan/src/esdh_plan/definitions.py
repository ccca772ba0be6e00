"""What the compiler makes of a rule, where a rule stands, and what a name of an expression stands for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from esdh_core.columns import Column, Date, Decimal, Integer, Timestamp
from esdh_core.dataset import Block, Table
from esdh_core.lookups import LookupTable
from esdh_core.rules import Role
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.arithmetic import BandDraw
from esdh_plan.draws import Outcomes
from esdh_plan.expressions import Node, ValueType, compiled
from esdh_plan.reader import Path

if TYPE_CHECKING:
    from esdh_plan.compile import Compiler

__all__ = [
    "Capacity",
    "ChildCount",
    "Definition",
    "Failed",
    "Formula",
    "Place",
    "Reference",
    "TableOf",
    "Words",
    "column_of",
    "joined",
]

Words = NDArray[np.uint64]
ColumnOf = Callable[[Block], Column]


class Failed(Exception):  # noqa: N818 # never leaves the compiler: its faults are reported already
    """A part of a plan that can't be compiled, since it or what it needs has a fault."""


@dataclass(frozen=True)
class Capacity:
    """How many values a unique field has, and what would do for more, in words."""

    values: int
    would_do: Callable[[int], str]


@dataclass(frozen=True)
class Definition:
    """What a rule makes: the type of its values, the function from a block to its column, and what is known of it.

    `at_slots` makes the values of any slots, where they follow from the slot alone; `shares` are the declared
    shares of a choice without `by`; `bands` what a range draws from; `draws` are what its words decide, as it is
    counted where they are drawn; `met` is where a `when` holds; `pattern` what a text matches.
    """

    type: ValueType
    column: ColumnOf
    text: str
    role: Role = "value"
    streams: tuple[str, ...] = ()
    permutation: str = ""
    depends_on: tuple[str, ...] = ()
    picked: bool = False
    pattern: str = ""
    lookups: tuple[LookupTable, ...] = ()
    at_slots: Callable[[Block, Words], Column] | None = None
    shares: Mapping[str, Fraction] | None = None
    bands: BandDraw | None = None
    draws: tuple[Outcomes, ...] = ()
    met: Callable[[Block], NDArray[np.bool_]] | None = None
    capacity: Capacity | None = None
    siblings_differ: bool = False


@dataclass(frozen=True)
class ChildCount:
    """How many rows each parent has: a function, its bounds and mean, and what its words decide."""

    column: Callable[[Block], NDArray[np.int64]]
    smallest: int
    largest: int
    mean: Fraction
    draws: tuple[Outcomes, ...] = ()


@dataclass(eq=False)
class TableOf:
    """A table that is being compiled.

    One that `is_unknown` stands for the table above one of which it isn't known below which it hangs.
    """

    name: str
    words: language.Table
    table: Table
    parent: "TableOf | None"
    stream: str
    child_count: ChildCount | None = None
    is_unknown: bool = False
    cells: dict[str, "Reference"] = field(default_factory=dict)

    @property
    def path(self) -> "list[TableOf]":
        """The tables from the top down to this one."""
        path, at = [self], self.parent
        while at is not None:
            path.append(at)
            at = at.parent
        return path[::-1]

    @property
    def is_root(self) -> bool:
        """Whether its rows are the records."""
        return self.parent is None and self.words.rows is None

    @property
    def is_adrift(self) -> bool:
        """Whether it isn't known what it or a table above it hangs below."""
        return self.path[0].is_unknown

    @property
    def largest(self) -> int:
        """The most rows below one parent."""
        return 1 if self.child_count is None else self.child_count.largest

    @property
    def smallest(self) -> int:
        """The fewest rows below one parent."""
        return 1 if self.child_count is None else self.child_count.smallest

    @property
    def mean(self) -> Fraction:
        """The expected rows a record, exactly."""
        mean = Fraction(1)
        for each in self.path:
            mean *= 1 if each.child_count is None else each.child_count.mean
        return mean

    @property
    def block_records(self) -> int:
        """The records of a block."""
        return replace(self.table, mean=self.mean).block_records

    def rows(self, block: Block) -> int:
        """Return how many rows there are in a block."""
        return len(block.level(self.table).slots)


@dataclass(frozen=True)
class Reference:
    """What a name stands for on the rows of a table: its type, and how to read it.

    `field` is the field, as `table.field`, and `definition` what its rule makes; `above` is whether it is of this row or of
    one above it.
    """

    type: ValueType
    read: ColumnOf
    field: str = ""
    definition: Definition | None = None
    above: bool = False
    picked: bool = False
    copies: bool = False
    lookups: tuple[LookupTable, ...] = ()
    siblings_differ: bool = False


@dataclass(frozen=True, eq=False)
class Formula:
    """An expression on the rows of a table: one object wherever the table has it, so that a condition is computed once."""

    node: Node
    references: Mapping[tuple[str, ...], Reference]
    rows: Callable[[Block], int]

    @property
    def type(self) -> ValueType:
        """The type of its values."""
        return self.node.type

    @property
    def is_constant(self) -> bool:
        """Whether it is the same on every row: of constants and `today`."""
        return self.node.is_constant

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The fields that it reads."""
        read = (self.references[path].field for path in sorted(self.node.names))
        return tuple(dict.fromkeys(each for each in read if each))

    def column(self, block: Block) -> Column:
        """Return its values in a block."""
        reads = self._reads
        return self._compiled(lambda path: reads[path](block), self.rows(block))

    def holds(self, block: Block) -> NDArray[np.bool_]:
        """Return where a condition holds in a block: not where it is null."""
        return block.memoized(self, lambda: self._truths(block))

    def _truths(self, block: Block) -> NDArray[np.bool_]:
        column = self.column(block)
        truths: NDArray[np.bool_] = np.asarray(column.values, dtype=np.bool_)  # type: ignore[union-attr]  # a truth's column is Boolean
        return truths if column.valid is None else truths & column.valid

    @cached_property
    def _reads(self) -> dict[tuple[str, ...], ColumnOf]:
        return {path: reference.read for path, reference in self.references.items()}

    @cached_property
    def _compiled(self) -> Callable[[Callable[[tuple[str, ...]], Column], int], Column]:
        return compiled(self.node)


@dataclass(frozen=True)
class Place:
    """Where a rule stands: in which table, at which path of the plan, and how its field is drawn."""

    compiler: "Compiler"
    of: TableOf
    path: Path
    stream: str = ""
    field: str = ""
    unique: bool = False
    ordered: bool = False

    def at(self, *parts: str | int | None) -> "Place":
        """Return a place below this one."""
        return Place(
            self.compiler, self.of, (*self.path, *parts), self.stream, self.field, self.unique, self.ordered
        )

    def words(self, block: Block) -> Words:
        """Return the words of the field's stream."""
        table, stream = self.of.table, self.stream
        return block.memoized(("words", table, stream), lambda: block.words(table, stream))

    def refuse(self, reason: str) -> NoReturn:
        """Report what is wrong here, and give up on what stands here."""
        self.compiler.fault(self.path, reason)
        raise Failed

    def refuse_silently(self) -> NoReturn:
        """Give up on what stands here, whose faults are reported already."""
        raise Failed

    def formula(self, text: str) -> Formula:
        """Return the expression that a text is; Failed, once its faults are reported, where it is none."""
        return self.compiler.formula(self.of, text, self.path)

    def truth(self, text: str) -> Formula:
        """Return the condition that a text is."""
        formula = self.formula(text)
        if formula.type.kind != "boolean":
            self.refuse(f"a condition is true or false; this is {_a(formula.type.kind)}")
        return formula

    def reference(self, name: str) -> Reference:
        """Return what a name such as `status` or `parent.status` stands for."""
        return self.compiler.reference(self.of, tuple(name.split(".")), self.path)

    def all(self, *thunks: Callable[[], Any]) -> list[Any]:
        """Return what some functions make, once each has reported its faults."""
        results = []
        failed = False
        for thunk in thunks:
            try:
                results.append(thunk())
            except Failed:
                failed = True
        if failed:
            raise Failed
        return results


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def joined(*names: Iterable[str]) -> tuple[str, ...]:
    """Return names without those that came before."""
    return tuple(dict.fromkeys(name for some in names for name in some))


def column_of(values: NDArray[np.int64], of: ValueType, valid: Any = None) -> Column:
    """Return values in units as a column."""
    low, high = of.bounds
    match of.kind:
        case "date":
            return Date(values.astype(np.int32), low, high, valid)
        case "timestamp":
            return Timestamp(values, low, high, valid)
        case "decimal":
            return Decimal(values, low, high, valid, of.scale)
    return Integer(values, low, high, valid)
