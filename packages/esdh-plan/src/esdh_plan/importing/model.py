"""What a source says of its tables, whatever form it has: what an importer reads and a plan is written from."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from esdh_plan.expressions import Kind

__all__ = ["ForeignKey", "SourceColumn", "SourceSchema", "SourceTable"]


@dataclass
class SourceColumn:
    """A column: its name as the source writes it, and what is known of its values.

    `kind` is the kind of the plan's field, or None for a type without a kind of its own; `type_text` is the type as the
    source writes it. `length` is of texts: at most so many characters, exactly so many where `fixed_length`. `digits` and
    `scale` are of numbers. `low` and `high` are bounds that hold for every value, both included.
    """

    name: str
    type_text: str
    kind: Kind | None
    length: int | None = None
    fixed_length: bool = False
    digits: int | None = None
    scale: int | None = None
    nullable: bool = True
    unique: bool = False
    labels: tuple[Any, ...] = ()
    low: Any = None
    high: Any = None
    pattern: str | None = None
    default: str | None = None
    comment: str | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key: its columns, and the table and columns that they refer to."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]
    cascades: bool = False


@dataclass
class SourceTable:
    """A table with its keys, in the order of the source. `notes` tell what a plan can't express."""

    name: str
    columns: list[SourceColumn]
    primary_key: tuple[str, ...] = ()
    uniques: list[tuple[str, ...]] = field(default_factory=list)
    foreign_keys: list[ForeignKey] = field(default_factory=list)
    comment: str | None = None
    notes: list[str] = field(default_factory=list)

    def column(self, name: str) -> SourceColumn:
        """Return a column by its name; KeyError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def is_required(self, key: ForeignKey) -> bool:
        """Whether a foreign key refers to a row in every row."""
        return all(name in self.primary_key or not self.column(name).nullable for name in key.columns)

    def is_single(self, key: ForeignKey) -> bool:
        """Whether a row of the other table is referred to by one row at most."""
        held = set(key.columns)
        keys = [self.primary_key, *self.uniques, *((c.name,) for c in self.columns if c.unique)]
        return any(columns and held.issuperset(columns) for columns in keys)


@dataclass
class SourceSchema:
    """All tables of a source, in its order. `notes` tell what was left out, and what was guessed."""

    name: str
    tables: list[SourceTable]
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[SourceTable]:
        return iter(self.tables)

    def table(self, name: str) -> SourceTable:
        """Return a table by its name; KeyError where there is none."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)
