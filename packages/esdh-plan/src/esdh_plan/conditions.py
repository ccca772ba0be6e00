"""Conditions on the rows of any dataset, in the language of a plan's expressions: `segment == 'business'`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from esdh_core.columns import Column, Date, Numbers, day_number
from esdh_core.dataset import Block, Dataset, Table
from esdh_core.rules import Rule
from esdh_core.schema import FieldSchema
from numpy.typing import NDArray

from esdh_plan.errors import near
from esdh_plan.expressions import ExpressionError, Fault, Kind, Node, Path, ValueType, compiled, parse

__all__ = ["Condition", "RowNames", "row_condition"]


class _Named(NamedTuple):
    """What a name stands for: its type, and how it is read."""

    type: ValueType
    read: Callable[[Block], Column]


class RowNames:
    """What names stand for on the rows of a table: its fields, and what is known of each of its rows."""

    def __init__(self, dataset: Dataset, table: Table) -> None:
        self.dataset = dataset
        self.table = table
        self._names: dict[Path, _Named] = {}

    def resolve(self, path: Path) -> ValueType:
        """Return the type of what a name stands for; LookupError, with a sentence, where it stands for nothing."""
        return self._named(path).type

    def read(self, path: Path, block: Block) -> Column:
        """Return what a name stands for on each row of the table in a block; LookupError as `resolve`."""
        return self._named(path).read(block)

    def _named(self, path: Path) -> _Named:
        if path not in self._names:
            self._names[path] = self._find(path)
        return self._names[path]

    def _find(self, path: Path) -> _Named:
        if len(path) > 2:
            raise LookupError(f"{'.'.join(path)!r} has two points; a name has one at most, as in table.field")
        *base, name = path
        if not base and name == "today":
            return self._today()
        table = self._table(base[0]) if base else self.table
        rule = next((each for each in table.rules if each.name == name), None)
        if rule is None:
            raise LookupError(f"{table.name!r} has no field {name!r}{near(name, table.fields)}")
        schema = next(each for each in table.schema if each.name == name)
        nothing = self._rows_of(self.dataset.block(0, 0), table, rule)
        return _Named(_type_of(schema, nothing), lambda block: self._rows_of(block, table, rule))

    def _table(self, name: str) -> Table:
        """Return a table that has exactly one row for each row of this one."""
        known: dict[str, Table] = {}
        above = self.table.parent
        if above is not None:
            known["parent"] = above
        while above is not None:
            known |= {above.name: above, above.entity: above}
            above = above.parent
        if self.table.one_a_record:
            beside = [table for table in self.dataset.tables if table.one_a_record]
            known |= {each: table for table in beside for each in (table.name, table.entity)}
        if name not in known:
            raise LookupError(
                f"{name!r} is no table above {self.table.name!r} and none with one row for each of its rows{near(name, known)}"
            )
        return known[name]

    def _rows_of(self, block: Block, table: Table, rule: Rule) -> Column:
        column = rule.column(block)
        if self.table.one_a_record:  # and so is the other table: one row each a record
            return column
        rows = block.rows_of(self.table, table)
        return column if rows is None else column.take(rows)

    def _today(self) -> _Named:
        day = day_number(self.dataset.reference_date)

        def read(block: Block) -> Column:
            rows = len(block.level(self.table).slots)
            return Date(np.full(rows, day, dtype=np.int32), day, day)

        return _Named(ValueType("date", low=day, high=day), read)


class Condition(RowNames):
    """A condition on the rows of a table: an expression of its fields, and of what is known of each of its rows."""

    def __init__(self, text: str, dataset: Dataset, table: Table) -> None:
        super().__init__(dataset, table)
        self.text = text
        self._truths = compiled(self._parse())

    def holds(self, block: Block) -> NDArray[np.bool_]:
        """Return on which rows of the table in a block it holds, shape (rows,): not where it is null."""
        rows = len(block.level(self.table).slots)
        column = self._truths(lambda path: self.read(path, block), rows)
        truths: NDArray[np.bool_] = np.asarray(column.values, dtype=np.bool_)  # type: ignore[union-attr]  # a truth's column is Boolean
        return truths if column.valid is None else truths & column.valid

    def _parse(self) -> Node:
        node = parse(self.text, self)
        if node.type.kind != "boolean":
            reason = f"a condition is true or false; this is of the type {node.type.kind}"
            raise ExpressionError(self.text, [Fault(0, reason)])
        return node


def row_condition(text: str, dataset: Dataset, table: str = "") -> Condition:
    """Return a condition on the rows of a table of a dataset, of the root unless one is named.

    It is an expression as in plans, over the table's fields, `parent.field`, `table.field` of tables above it (where
    every record has one row of the table: of all such tables), and `today`, the dataset's reference date.

    Raises ExpressionError, a ValueError, with all faults, for a text that is none; RequestError for an unknown table.

    >>> from esdh_plan import load_plan
    >>> bank = load_plan("bank")
    >>> business = row_condition("segment == 'business' and age(born_on, today) > 60", bank)
    >>> int(business.holds(bank.block(0, 1000)).sum())
    84
    """
    return Condition(text, dataset, dataset.table(table) if table else dataset.root)


def _type_of(schema: FieldSchema, column: Column) -> ValueType:
    """Return the type of a field, by its schema and a column of it: its bounds are those of every row there can be."""
    kind: Kind = schema.type  # type: ignore[assignment]  # a schema's types are these
    if not isinstance(column, Numbers):
        return ValueType(kind, schema.nullable, labels=_labels(schema.constraints))
    labels = (False, True) if kind == "boolean" else None
    return ValueType(kind, schema.nullable, schema.scale, column.low, column.high, labels)


def _labels(constraints: dict[str, Any]) -> tuple[str, ...] | None:
    if "enum" in constraints:
        return tuple(constraints["enum"])
    return (constraints["const"],) if "const" in constraints else None
