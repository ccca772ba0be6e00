"""DDL from a dataset: tables with their types, keys, checks and comments, in the SQL of several databases.

Everything follows from Structs and roles: the primary key is the table's key, a foreign key leads to the id or
unique field that a field is a copy of, and CHECKs repeat what a Struct says of a field. Ids, uniques, keys and the
marker have none, so that a tester's own rows fit beside ours.
"""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter
from typing import Final

from esdh_core import Dataset, Table
from esdh_core.columns import Column, Date, Numbers, Timestamp
from esdh_core.columns import Decimal as DecimalColumn
from esdh_core.rules import Rule
from esdh_core.schema import FieldSchema
from esdh_plan.rules.pattern import Pattern
from esdh_proof.reading.rows import kinds_of
from sqlglot import ErrorLevel, exp

from esdh_load.columns import EXACT_DIGITS, FieldType, column_type, field_types

__all__ = ["DIALECTS", "ForeignKey", "TableDefinition", "define_tables", "render_ddl"]

DIALECTS: Final = ("postgres", "sqlite", "duckdb", "mysql")
_INT64 = ((-(1 << 63)), (1 << 63) - 1)
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class ForeignKey:
    """A field whose values are those of a unique field, of the same table or of another."""

    field: str
    table: str
    target: str


@dataclass(frozen=True)
class TableDefinition:
    """What a table is in a database: columns with their types, its keys, and what can be said of them in SQL.

    `foreign_keys` lead to tables that come before this one, or to itself; `late_keys` to one that comes after.
    """

    dataset: Dataset
    table: Table
    fields: Mapping[str, FieldType]
    primary_key: tuple[str, ...]
    uniques: tuple[tuple[str, ...], ...]
    foreign_keys: tuple[ForeignKey, ...]
    late_keys: tuple[ForeignKey, ...]

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    def without_references(self, tables: Collection[str]) -> "TableDefinition":
        """Return the definition without foreign keys to some tables: what others made may lack the key."""
        early, late = (
            tuple(each for each in keys if each.table not in tables)
            for keys in (self.foreign_keys, self.late_keys)
        )
        return replace(self, foreign_keys=early, late_keys=late)

    def create(self, dialect: str, schema: str | None = None, *, keys: bool = True) -> str:
        """Return the statement that creates the table; without `keys` it has none, to be added after its rows."""
        parts = [*self._columns(dialect)]
        if keys:
            parts += [(self._key(each, dialect, schema), ()) for each in self._keys(self._inline(dialect))]
        last = len(parts) - 1
        lines = [
            f"  {text}{',' if number < last else ''}{''.join(f' /* {_safe(each)} */' for each in comments)}"
            for number, (text, comments) in enumerate(parts)
        ]
        head = f"CREATE TABLE {_name(self.name, dialect, schema)} ("
        if dialect == "sqlite" and self.table.description:
            head += f" /* {_safe(self.table.description)} */"
        return "\n".join([head, *lines, f"){self._options(dialect)}"])

    def add_keys(self, dialect: str, schema: str | None = None) -> Iterator[str]:
        """Yield the statements that add the keys to the table, those first that others may refer to."""
        name = _name(self.name, dialect, schema)
        for each in self._keys(()):
            yield f"ALTER TABLE {name} ADD {self._key(each, dialect, schema)}"

    def add_references(self, dialect: str, schema: str | None = None, *, late: bool = False) -> Iterator[str]:
        """Yield the statements that add foreign keys, once all tables have their keys; with `late` only late ones."""
        name = _name(self.name, dialect, schema)
        for each in self.late_keys if late else (*self.foreign_keys, *self.late_keys):
            yield f"ALTER TABLE {name} ADD {self._key(each, dialect, schema)}"

    def comments(self, dialect: str, schema: str | None = None) -> Iterator[str]:
        """Yield the statements that describe the table and its columns, where a dialect has such."""
        if dialect not in ("postgres", "duckdb"):
            return
        if self.table.description:
            yield _comment("TABLE", _name(self.name, dialect, schema), self.table.description, dialect)
        for name, words in self._descriptions().items():
            column = exp.column(name, self.name, schema, quoted=True).sql(dialect)
            yield _comment("COLUMN", column, words, dialect)

    # --- parts

    def _columns(self, dialect: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each column's definition, and what stands beside it where a database has no comments."""
        kinds = kinds_of(self.dataset, self.table)
        described = self._descriptions()
        indexed = {name for key in self._keys(self.foreign_keys) for name in _fields_of(key)}
        for schema, rule in zip(self.table.schema, self.table.rules, strict=True):
            name, field = schema.name, self.fields[schema.name]
            type_text = column_type(field, dialect, indexed=name in indexed)
            text = f"{_identifier(name, dialect)} {type_text}{'' if schema.nullable else ' NOT NULL'}"
            if self._is_checked(rule):
                for check in _checks(schema, field, kinds[name], dialect):
                    text += f" CHECK ({_sql(check, dialect)})"
            words = described.get(name)
            if dialect == "mysql" and words:
                text += f" COMMENT {_sql(exp.Literal.string(words), dialect)}"
            yield text, (words,) if words and dialect == "sqlite" else ()

    def _is_checked(self, rule: Rule) -> bool:
        held = self.dataset.origin(rule).role
        keyed = {
            name for key in self._keys((*self.foreign_keys, *self.late_keys)) for name in _fields_of(key)
        }
        return held not in ("id", "unique", "marker") and rule.name not in keyed

    def _descriptions(self) -> dict[str, str]:
        found = {}
        for schema, rule in zip(self.table.schema, self.table.rules, strict=True):
            tags = f"[{', '.join(rule.tags)}]" if rule.tags else ""
            words = " ".join(each for each in (schema.description, tags) if each)
            if words:
                found[schema.name] = words
        return found

    def _keys(self, references: Sequence[ForeignKey]) -> list["exp.Expression | ForeignKey"]:
        keys: list[exp.Expression | ForeignKey] = []
        if self.primary_key:
            keys.append(exp.PrimaryKey(expressions=_identifiers(self.primary_key)))
        keys += [
            exp.UniqueColumnConstraint(this=exp.Schema(expressions=_identifiers(each)))
            for each in self.uniques
        ]
        return [*keys, *references]

    def _key(self, key: "exp.Expression | ForeignKey", dialect: str, schema: str | None) -> str:
        if not isinstance(key, ForeignKey):
            return _sql(key, dialect)
        field, target = _identifier(key.field, dialect), _identifier(key.target, dialect)
        # SQLite's are looked at when the transaction ends: rows of one table may refer to each other.
        deferred = " DEFERRABLE INITIALLY DEFERRED" if dialect == "sqlite" else ""
        return f"FOREIGN KEY ({field}) REFERENCES {_name(key.table, dialect, schema)} ({target}){deferred}"

    def _inline(self, dialect: str) -> tuple[ForeignKey, ...]:
        """Return the foreign keys that stand in the statement itself.

        SQLite takes one to a table that isn't there yet, and can add none later. DuckDB looks at a row's references
        before it has the rows that are inserted with it, so a table can't refer to itself.
        """
        if dialect == "duckdb":
            return tuple(each for each in self.foreign_keys if each.table != self.name)
        return (*self.foreign_keys, *(self.late_keys if dialect == "sqlite" else ()))

    def _options(self, dialect: str) -> str:
        if dialect != "mysql":
            return ""
        words = self.table.description
        comment = f" COMMENT={_sql(exp.Literal.string(words), dialect)}" if words else ""
        # Its own order takes A for a, and uniques that differ so would be refused.
        return f" DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin{comment}"


def define_tables(dataset: Dataset, tables: Sequence[Table] | None = None) -> list[TableDefinition]:
    """Return the definitions of a dataset's tables, all or some, those first that others refer to.

    A reference to a table that isn't among them is left out. Among tables that refer to each other in a ring, the
    dataset's order holds.
    """
    chosen = tuple(dataset.tables if tables is None else tables)
    names = {table.name for table in chosen}
    references = {table.name: _references(dataset, table, names) for table in chosen}
    order = _order(chosen, references)
    place = {name: number for number, name in enumerate(order)}
    by_name = {table.name: table for table in chosen}
    definitions = []
    for name in order:
        table = by_name[name]
        nullable = {field.name for field in table.schema if field.nullable}
        primary = table.key if table.key and not nullable & set(table.key) else ()
        own: list[tuple[str, ...]] = [(rule.name,) for rule in table.rules if rule.role in ("id", "unique")]
        if table.key and not primary:
            own.append(table.key)
        early = [each for each in references[name] if place[each.table] <= place[name]]
        definitions.append(
            TableDefinition(
                dataset,
                table,
                field_types(dataset, table),
                primary,
                tuple(dict.fromkeys(each for each in own if each != primary)),
                tuple(early),
                tuple(each for each in references[name] if each not in early),
            )
        )
    return definitions


def render_ddl(dataset: Dataset, dialect: str) -> str:
    """Return a dataset's DDL in a dialect, one of `DIALECTS`, ready for that database's own shell.

    >>> from esdh_plan import load_plan
    >>> print(render_ddl(load_plan("bank"), "postgres").splitlines()[3])
    CREATE TABLE "merchants" (
    """
    definitions = define_tables(dataset)
    statements = [
        f"-- {dataset.dataset_version}: made by esdh, plan {dataset.plan_sha256}\n"
        f"-- Its rows are synthetic and carry the marker {dataset.marker!r}.\n"
    ]
    for each in definitions:
        statements.append(f"{each.create(dialect)};\n")
        comments = "".join(f"{text};\n" for text in each.comments(dialect))
        statements += [comments] if comments else []
    late = [text for each in definitions for text in each.add_references(dialect, late=True)]
    statements += [f"{text};\n" for text in late if dialect in ("postgres", "mysql")]
    return "\n".join(statements)


# --- references


def _references(dataset: Dataset, table: Table, names: Collection[str]) -> list[ForeignKey]:
    found = []
    for rule in table.rules:
        at = dataset.reference(rule)
        while (
            at is not None and at.rule.role == "copy"
        ):  # a copy of a copy leads to where the value is unique
            at = dataset.reference(at.rule)
        if at is not None and at.table.name in names:
            found.append(ForeignKey(rule.name, at.table.name, at.rule.name))
    return found


def _order(tables: Sequence[Table], references: Mapping[str, list[ForeignKey]]) -> list[str]:
    """Return the tables' names, each after those that it refers to, else in the dataset's order."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    before: list[str] = []
    for table in tables:
        sorter.add(table.name, *(each.table for each in references[table.name] if each.table != table.name))
        before.append(table.name)
    try:
        sorter.prepare()
    except CycleError:
        return before
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=before.index)
        order += ready
        sorter.done(*ready)
    return order


def _fields_of(key: "exp.Expression | ForeignKey") -> list[str]:
    if isinstance(key, ForeignKey):
        return [key.field]
    return [each.name for each in key.find_all(exp.Identifier)]


# --- checks


def _checks(schema: FieldSchema, field: FieldType, kind: Column, dialect: str) -> Iterator[exp.Expression]:
    """Yield what a Struct, or else the bounds of its rule, say of a field, as far as a dialect can."""
    column = exp.column(schema.name, quoted=True)
    if "enum" in schema.constraints:
        values = [exp.Literal.string(each) for each in schema.constraints["enum"]]
        yield exp.In(this=column, expressions=values)
    elif schema.type == "integer":
        low, high = (schema.constraints.get(each) for each in ("minimum", "maximum"))
        if low is not None and high is not None and (low, high) != _INT64:
            yield _between(column, _number(low), _number(high))
    elif "pattern" in schema.constraints:
        yield from _matches(column, schema.constraints["pattern"], dialect)
    elif isinstance(kind, DecimalColumn):
        if dialect != "sqlite" or field.digits <= EXACT_DIGITS:
            low, high = (Decimal(each).scaleb(-field.scale) for each in (kind.low, kind.high))
            yield _between(column, _number(low), _number(high))
    elif isinstance(kind, Date | Timestamp):
        yield _between(column, *(_moment(kind, each, dialect) for each in (kind.low, kind.high)))


def _between(column: exp.Expression, low: exp.Expression, high: exp.Expression) -> exp.Expression:
    return exp.Between(this=column, low=low, high=high)


def _number(value: int | Decimal) -> exp.Expression:
    literal = exp.Literal.number(str(abs(value)) if isinstance(value, int) else f"{abs(value):f}")
    return exp.Neg(this=literal) if value < 0 else literal


def _moment(kind: Numbers, value: int, dialect: str) -> exp.Expression:
    """Return a bound of a date or of an instant in UTC."""
    if isinstance(kind, Date):
        text, type_text = (_EPOCH + dt.timedelta(days=value)).isoformat(), "date"
    else:
        moment = dt.datetime(1970, 1, 1) + dt.timedelta(seconds=value)
        text, type_text = moment.isoformat(" "), "timestamptz"
    if dialect in ("sqlite", "mysql"):  # which compare texts so, and have no zones
        return exp.Literal.string(text)
    zone = "+00" if type_text == "timestamptz" else ""
    return exp.cast(exp.Literal.string(text + zone), type_text)


def _matches(column: exp.Expression, pattern: str, dialect: str) -> Iterator[exp.Expression]:
    if dialect != "sqlite":
        yield exp.RegexpLike(this=column, expression=exp.Literal.string(pattern))
    elif (glob := _glob(pattern)) is not None:  # SQLite knows no regular expressions
        yield exp.Glob(this=column, expression=exp.Literal.string(glob))


def _glob(pattern: str) -> str | None:
    """Return a pattern of classes, literals and fixed repeats as SQLite's GLOB; None for any other."""
    try:
        places = Pattern(pattern.removeprefix("^").removesuffix("$")).places
    except ValueError:
        return None
    return "".join(map(_class, places))


def _class(characters: str) -> str:
    if len(characters) == 1:
        return f"[{characters}]" if characters in "*?[" else characters
    if "^" in characters or "]" in characters:  # which mean something else within brackets
        return "?"
    dash = "-" if "-" in characters else ""
    runs: list[list[str]] = []
    for each in sorted(set(characters) - {"-"}):
        if runs and ord(each) == ord(runs[-1][-1]) + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    inner = "".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else "".join(run) for run in runs)
    return f"[{inner}{dash}]"


# --- text


def _sql(expression: exp.Expression, dialect: str) -> str:
    return expression.sql(dialect, unsupported_level=ErrorLevel.IGNORE)


def _identifier(name: str, dialect: str) -> str:
    return _sql(exp.to_identifier(name, quoted=True), dialect)


def _identifiers(names: Sequence[str]) -> list[exp.Identifier]:
    return [exp.to_identifier(each, quoted=True) for each in names]


def _name(table: str, dialect: str, schema: str | None) -> str:
    return _sql(exp.table_(table, db=schema, quoted=True), dialect)


def _comment(kind: str, name: str, words: str, dialect: str) -> str:
    return f"COMMENT ON {kind} {name} IS {_sql(exp.Literal.string(words), dialect)}"


def _safe(words: str) -> str:
    """Return words that don't end the comment that they stand in."""
    return words.replace("*/", "* /").replace("/*", "/ *")
