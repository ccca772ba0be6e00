"""SQL DDL as a source, read by sqlglot: tables, columns, keys, checks, comments."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from esdh_plan.errors import near, word_list
from esdh_plan.expressions import Kind
from esdh_plan.importing.errors import ImportSourceError
from esdh_plan.importing.model import ForeignKey, SourceColumn, SourceSchema, SourceTable
from esdh_plan.rules.pattern import Pattern

__all__ = ["DIALECTS", "read_ddl"]

_WIDTH = 60  # characters of a source that a message repeats
DIALECTS: Final = ("postgres", "mysql", "sqlite", "tsql", "snowflake")

_T = exp.DataType.Type
_KINDS: Final[dict[Kind, tuple[Any, ...]]] = {
    "integer": (
        *(_T.TINYINT, _T.SMALLINT, _T.MEDIUMINT, _T.INT, _T.BIGINT, _T.UTINYINT, _T.USMALLINT, _T.UMEDIUMINT),
        *(_T.UINT, _T.UBIGINT, _T.SERIAL, _T.SMALLSERIAL, _T.BIGSERIAL, _T.YEAR),
    ),
    "decimal": (_T.DECIMAL, _T.UDECIMAL, _T.MONEY, _T.SMALLMONEY),
    "boolean": (_T.BOOLEAN, _T.BIT),
    "date": (_T.DATE, _T.DATE32),
    "timestamp": (
        *(_T.DATETIME, _T.DATETIME2, _T.SMALLDATETIME, _T.TIMESTAMP, _T.TIMESTAMPTZ, _T.TIMESTAMPLTZ),
        *(_T.TIMESTAMPNTZ, _T.TIMESTAMP_S),
    ),
    "string": (
        *(
            _T.CHAR,
            _T.NCHAR,
            _T.BPCHAR,
            _T.VARCHAR,
            _T.NVARCHAR,
            _T.TEXT,
            _T.TINYTEXT,
            _T.MEDIUMTEXT,
            _T.LONGTEXT,
        ),
        *(_T.NAME, _T.ENUM),
    ),
}
_KIND_OF: Final = {each: kind for kind, types in _KINDS.items() for each in types}
_FLOATS: Final = {_T.FLOAT, _T.DOUBLE, _T.UDOUBLE}
_FIXED: Final = {_T.CHAR, _T.NCHAR, _T.BPCHAR}
_RANGES: Final = {
    _T.TINYINT: (-128, 127),
    _T.UTINYINT: (0, 255),
    _T.SMALLINT: (-(1 << 15), (1 << 15) - 1),
    _T.SMALLSERIAL: (1, (1 << 15) - 1),
    _T.USMALLINT: (0, (1 << 16) - 1),
    _T.MEDIUMINT: (-(1 << 23), (1 << 23) - 1),
    _T.UMEDIUMINT: (0, (1 << 24) - 1),
    _T.INT: (-(1 << 31), (1 << 31) - 1),
    _T.SERIAL: (1, (1 << 31) - 1),
    _T.UINT: (0, (1 << 32) - 1),
    _T.YEAR: (1901, 2155),
}


def read_ddl(text: str, name: str, dialect: str | None = None) -> SourceSchema:
    """Return the tables that DDL creates; `name` is the schema's.

    Raises ImportSourceError for text that doesn't parse, with line and token, or whose dialect can't be told.
    """
    schema = _guessed(text, name) if dialect is None else _read(text, name, dialect).schema
    if not schema.tables:
        raise ImportSourceError("there is no CREATE TABLE in it; give a file of DDL")
    return schema


class _ParseError(ImportSourceError):
    """DDL that doesn't parse as a dialect; `line` is how far it was read."""

    def __init__(self, dialect: str, line: int, why: str) -> None:
        super().__init__(f"it doesn't parse as {dialect}: {why}")
        self.line = line


def _parsed(text: str, dialect: str) -> list[exp.Expr | None]:
    try:
        with _quiet():
            return list(sqlglot.parse(text, read=dialect))
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        line = int(first.get("line") or 0)
        why = str(first.get("description", error)).rstrip(".")
        where = f"line {line}, at {str(first.get('highlight', ''))[:_WIDTH]!r}"
        raise _ParseError(dialect, line, f"{where}: {why}") from None
    except TokenError as error:
        why = str(error).splitlines()[0].rstrip(".")[: 2 * _WIDTH]
        raise _ParseError(dialect, _line_of(why), why) from None
    except RecursionError:
        raise ImportSourceError("it is nested too deeply to be read") from None


def _line_of(message: str) -> int:
    found = re.search(r"[Ll]ine:? (\d+)", message)
    return int(found[1]) if found else 0


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep sqlglot from logging what it doesn't know: that is noted."""
    logger = logging.getLogger("sqlglot")
    logger.addFilter(_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    return False


@dataclass
class _Reading:
    """What a text says in one dialect; `strange` counts types that it doesn't know."""

    schema: SourceSchema
    strange: int

    @property
    def essence(self) -> str:
        """The tables without what each dialect spells in its own way."""
        return repr([_essence(table) for table in self.schema])


def _read(text: str, name: str, dialect: str) -> _Reading:
    reader = _Reader(SourceSchema(name, []), dialect)
    for statement in _parsed(text, dialect):
        if statement is not None:
            reader.take(statement)
    reader.finish()
    return _Reading(reader.schema, reader.strange)


def _guessed(text: str, name: str) -> SourceSchema:
    """Return what the dialects say of a text that read it; several that give the same tables are one."""
    readings: dict[str, _Reading] = {}
    errors: list[ImportSourceError] = []
    for dialect in DIALECTS:
        try:
            readings[dialect] = _read(text, name, dialect)
        except ImportSourceError as error:
            errors.append(error)
    if not readings:
        raise max(errors, key=lambda error: getattr(error, "line", 0))  # the dialect that got furthest
    least = min(each.strange for each in readings.values())
    known = {dialect: each for dialect, each in readings.items() if each.strange == least}
    times = Counter(each.essence for each in known.values())
    essence, most = times.most_common(1)[0]
    alike = [dialect for dialect, each in known.items() if each.essence == essence]
    others = [dialect for dialect in known if dialect not in alike]
    if others and 2 * most <= len(known):
        raise ImportSourceError(
            f"{word_list(known, 'and')} read it differently; say which it is with --dialect"
        )
    schema = readings[alike[0]].schema
    reads = f"only {alike[0]} reads it" if len(alike) == 1 else f"{word_list(alike, 'and')} read it alike"
    differs = f"; {word_list(others, 'and')} differently: say --dialect if it is that" if others else ""
    schema.notes.insert(0, f"no dialect was given; {reads}{differs}")
    return schema


def _essence(table: SourceTable) -> SourceTable:
    """Return a table without what each dialect spells in its own way."""
    return replace(
        table,
        notes=[],
        columns=[replace(each, type_text="", default=None, notes=[]) for each in table.columns],
    )


class _Reader:
    """Takes statement after statement, and puts what it says into a schema."""

    def __init__(self, schema: SourceSchema, dialect: str) -> None:
        self.schema = schema
        self.dialect = dialect
        self._names: dict[str, str] = {}  # of tables, by how they are compared
        self._enums: dict[str, tuple[str, ...]] = {}
        self._skipped: dict[str, int] = {}
        self.strange = 0
        """Statements and types that the dialect doesn't know, which sqlglot passes over."""

    def take(self, statement: exp.Expr) -> None:
        """Take a statement; what isn't of tables is counted."""
        match statement:
            case exp.Create() if statement.kind == "TABLE" and isinstance(statement.this, exp.Schema):
                self._create_table(statement)
            case exp.Create() if statement.kind == "TYPE" and self._is_enum(statement.expression):
                self._enums[statement.this.name.lower()] = _strings(statement.expression.expressions)
            case exp.Create() if statement.kind == "INDEX":
                self._create_index(statement)
            case exp.Alter():
                self._alter(statement)
            case exp.Comment():
                self._comment(statement)
            case exp.Set() | exp.Use() | exp.Transaction() | exp.Commit() | exp.Drop() | exp.Pragma():
                pass  # of the session, not of the tables
            case exp.Insert():
                self._skip("INSERT, whose rows aren't read,")
            case _:
                self.strange += isinstance(statement, exp.Command)
                self._skip(_words(statement))

    def finish(self) -> None:
        """Note what was skipped, and refer to tables and columns as they are written where they are made."""
        for words, times in self._skipped.items():
            self.schema.notes.append(f"{words} {'was' if times == 1 else f'({times} times) were'} left out")
        for table in self.schema:
            table.foreign_keys = [self._resolved(table, each) for each in table.foreign_keys]

    def _skip(self, words: str) -> None:
        self._skipped[words] = self._skipped.get(words, 0) + 1

    @staticmethod
    def _is_enum(expression: Any) -> bool:
        return isinstance(expression, exp.DataType) and expression.this == _T.ENUM

    def _table(self, name: str) -> SourceTable | None:
        written = self._names.get(name.lower())
        return None if written is None else self.schema.table(written)

    # --- tables

    def _create_table(self, statement: exp.Create) -> None:
        name = statement.this.this.name
        if name.lower() in self._names:
            raise ImportSourceError(f"the table {name!r} is created twice")
        table = SourceTable(name, [])
        self._names[name.lower()] = name
        self.schema.tables.append(table)
        for part in statement.this.expressions:
            if isinstance(part, exp.ColumnDef | exp.Identifier):
                table.columns.append(self._typed(part))
        if not table.columns:
            raise ImportSourceError(f"the table {name!r} has no columns")
        self._check_columns(table)
        for part in statement.this.expressions:  # a constraint may stand before the columns that it names
            if isinstance(part, exp.ColumnDef):
                self._column_constraints(table, part)
            elif not isinstance(part, exp.Identifier):
                self._constraint(table, part)
        self._properties(table, statement.args.get("properties"))

    @staticmethod
    def _properties(table: SourceTable, properties: exp.Properties | None) -> None:
        for each in properties.expressions if properties is not None else ():
            if isinstance(each, exp.SchemaCommentProperty):
                table.comment = each.name or None
            elif isinstance(each, exp.PartitionedByProperty | exp.InheritsProperty):
                table.notes.append(f"{_words(each)} was left out")

    @staticmethod
    def _check_columns(table: SourceTable) -> None:
        times = Counter(column.name.lower() for column in table.columns)
        twice = [column.name for column in table.columns if times[column.name.lower()] > 1]
        if twice:
            raise ImportSourceError(f"the table {table.name!r} has the column {twice[0]!r} twice")

    def _column_constraints(self, table: SourceTable, definition: exp.ColumnDef) -> None:
        column = self._named(table, definition.name)
        for constraint in definition.constraints:
            self._column_constraint(table, column, constraint.kind)

    def _typed(self, definition: exp.ColumnDef | exp.Identifier) -> SourceColumn:
        kind = definition.args.get("kind")
        if kind is None:
            return SourceColumn(definition.name, "", None)
        column = SourceColumn(definition.name, kind.sql(self.dialect), _KIND_OF.get(kind.this))
        numbers = [int(each.name) for each in kind.expressions if each.name.isdigit()]
        if kind.this == _T.ENUM:
            column.labels = _strings(kind.expressions)
        elif kind.this == _T.USERDEFINED:
            labels = self._enums.get(getattr(kind.args.get("kind"), "name", "").lower())
            if labels is None:
                self.strange += 1
            else:
                column.kind, column.labels = "string", labels
        elif column.kind == "string":
            column.length = numbers[0] if numbers else None
            column.fixed_length = kind.this in _FIXED and bool(numbers)
        elif column.kind == "decimal":
            digits, scale = (*numbers, None, None)[:2]
            column.digits, column.scale = digits, min(scale or 0, 18) if digits else 2
            if column.scale == 0 and digits:
                most = 10 ** min(digits, 18) - 1
                column.kind, column.low, column.high = "integer", -most, most
                return column
        elif kind.this in _FLOATS:
            column.kind, column.digits, column.scale = "decimal", 15, 2
            column.notes.append(f"{column.type_text} has no kind of its own; it is a decimal of 2 digits")
        column.low, column.high = _RANGES.get(kind.this, (None, None))
        if kind.this in (_T.SERIAL, _T.SMALLSERIAL, _T.BIGSERIAL):
            column.nullable = False
        return column

    def _column_constraint(self, table: SourceTable, column: SourceColumn, kind: exp.Expr) -> None:
        match kind:
            case exp.PrimaryKeyColumnConstraint():
                table.primary_key = (column.name,)
                column.nullable = False
            case exp.NotNullColumnConstraint():
                column.nullable = bool(kind.args.get("allow_null"))
            case exp.UniqueColumnConstraint():
                column.unique = True
            case exp.Reference():
                self._reference(table, (column.name,), kind)
            case exp.DefaultColumnConstraint():
                column.default = kind.this.sql(self.dialect)
            case exp.CheckColumnConstraint():
                self._check(table, kind.this, column)
            case exp.AutoIncrementColumnConstraint() | exp.GeneratedAsIdentityColumnConstraint():
                column.nullable = False
            case _:
                self._said(column, kind)

    def _said(self, column: SourceColumn, kind: exp.Expr) -> None:
        """Take what a constraint says without deciding values."""
        match kind:
            case exp.CommentColumnConstraint():
                column.comment = kind.this.name or None
            case exp.ComputedColumnConstraint() | exp.GeneratedAsRowColumnConstraint():
                column.notes.append(f"it is computed there: {kind.sql(self.dialect)}")
            case exp.CollateColumnConstraint() | exp.CharacterSetColumnConstraint():
                pass  # says nothing of the values
            case _:
                column.notes.append(f"left out: {kind.sql(self.dialect)}")

    def _constraint(self, table: SourceTable, part: exp.Expr) -> None:
        match part:
            case exp.Constraint():
                for each in part.expressions:
                    self._constraint(table, each)
            case exp.PrimaryKey():
                table.primary_key = _columns(part.expressions)
                for name in table.primary_key:
                    self._named(table, name).nullable = False
            case exp.ForeignKey():
                self._reference(table, _columns(part.expressions), part.args["reference"])
            case exp.UniqueColumnConstraint():
                self._unique(table, _columns(getattr(part.this, "expressions", None) or part.expressions))
            case exp.Check() | exp.CheckColumnConstraint():
                self._check(table, part.this, None)
            case exp.IndexColumnConstraint():
                pass  # is about speed
            case _:
                table.notes.append(f"left out: {part.sql(self.dialect)}")

    def _named(self, table: SourceTable, name: str) -> SourceColumn:
        for column in table.columns:
            if column.name.lower() == name.lower():
                return column
        names = [column.name for column in table.columns]
        raise ImportSourceError(f"table {table.name!r} has no column {name!r}{near(name, names)}")

    def _unique(self, table: SourceTable, names: tuple[str, ...]) -> None:
        written = tuple(self._named(table, name).name for name in names)
        if len(written) == 1:
            self._named(table, written[0]).unique = True
        else:
            table.uniques.append(written)

    def _reference(self, table: SourceTable, columns: tuple[str, ...], reference: exp.Expr) -> None:
        target = reference.this
        if isinstance(target, exp.Schema):
            name, references = target.this.name, _columns(target.expressions)
        else:
            name, references = target.name, ()
        options = " ".join(map(str, reference.args.get("options") or ())).upper()
        table.foreign_keys.append(ForeignKey(columns, name, references, "ON DELETE CASCADE" in options))

    def _resolved(self, table: SourceTable, key: ForeignKey) -> ForeignKey:
        """Return a key with the names as they are written where the tables are made; SQL takes them in any case."""
        own = tuple(self._named(table, name).name for name in key.columns)
        other = self._table(key.table)
        if other is None:
            return replace(key, columns=own)
        references = tuple(self._named(other, name).name for name in key.references) or other.primary_key
        return ForeignKey(own, other.name, references, key.cascades)

    # --- statements about tables that are there

    def _alter(self, statement: exp.Alter) -> None:
        table = self._table(statement.this.name) if statement.args.get("kind") == "TABLE" else None
        if table is None:
            self._skip(_words(statement))
            return
        for action in statement.args.get("actions") or ():
            match action:
                case exp.AddConstraint():
                    for each in action.expressions:
                        self._constraint(table, each)
                case exp.ColumnDef():
                    table.columns.append(self._typed(action))
                    self._check_columns(table)
                    self._column_constraints(table, action)
                case exp.AlterColumn() if action.args.get("default") is not None:
                    self._named(table, action.name).default = action.args["default"].sql(self.dialect)
                case exp.AlterColumn() if action.args.get("allow_null") is not None:
                    self._named(table, action.name).nullable = bool(action.args["allow_null"])
                case _:
                    table.notes.append(f"left out: {action.sql(self.dialect)}")

    def _create_index(self, statement: exp.Create) -> None:
        index = statement.this
        table = self._table(index.args["table"].name) if index.args.get("table") is not None else None
        if table is None or not statement.args.get("unique"):
            return  # is about speed
        parameters = index.args.get("params")
        columns = [
            each.this if isinstance(each, exp.Ordered) else each for each in parameters.args["columns"]
        ]
        if parameters.args.get("where") is None and all(isinstance(each, exp.Column) for each in columns):
            self._unique(table, tuple(each.name for each in columns))
        else:
            table.notes.append(f"left out: {statement.sql(self.dialect)}")

    def _comment(self, statement: exp.Comment) -> None:
        text, target = statement.expression.name, statement.this
        if str(statement.args.get("kind")).upper() == "TABLE" and (table := self._table(target.name)):
            table.comment = text or None
        elif isinstance(target, exp.Column) and (table := self._table(target.table)):
            self._named(table, target.name).comment = text or None

    # --- checks

    def _check(self, table: SourceTable, condition: exp.Expr, column: SourceColumn | None) -> None:
        """Take what a check says of a column's values; what a plan can't take is noted."""
        for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
            if not self._taken(table, _bare(part)):
                notes = table.notes if column is None else column.notes
                notes.append(f"the check isn't held: {part.sql(self.dialect)}")

    def _taken(self, table: SourceTable, part: exp.Expr) -> bool:
        match part:
            case exp.Or() | exp.EQ():
                return self._alternatives(table, list(part.flatten()) if isinstance(part, exp.Or) else [part])
            case exp.In() if isinstance(part.this, exp.Column) and all(
                _value(e) is not None for e in part.expressions
            ):
                self._named(table, part.this.name).labels = tuple(_value(each) for each in part.expressions)
                return bool(part.expressions)
            case exp.Between() if isinstance(part.this, exp.Column):
                low, high = _value(part.args["low"]), _value(part.args["high"])
                return self._bounded(table, part.this.name, low, high)
            case exp.GTE() | exp.GT() | exp.LTE() | exp.LT():
                return self._compared(table, part)
            case exp.RegexpLike() | exp.SimilarTo() if isinstance(part.this, exp.Column):
                text = part.expression.name.removeprefix("^").removesuffix("$")
                return self._patterned(table, part.this.name, text)
        return False

    def _alternatives(self, table: SourceTable, parts: list[exp.Expr]) -> bool:
        """Take alternatives that are all equalities of one column, as PostgreSQL writes out a list."""
        parts = [_bare(each) for each in parts]
        if not all(isinstance(each, exp.EQ) and isinstance(each.this, exp.Column) for each in parts):
            return False
        values = [_value(each.expression) for each in parts]
        if len({each.this.name for each in parts}) != 1 or None in values:
            return False
        self._named(table, parts[0].this.name).labels = tuple(values)
        return True

    def _compared(self, table: SourceTable, part: exp.Expr) -> bool:
        column, value = part.this, _value(part.expression)
        below = isinstance(part, exp.LT | exp.LTE)
        if not isinstance(column, exp.Column):
            column, value, below = part.expression, _value(part.this), not below
        if not isinstance(column, exp.Column) or value is None or isinstance(value, str):
            return False
        if isinstance(part, exp.LT | exp.GT):
            source = self._named(table, column.name)
            step = Decimal(1).scaleb(-(source.scale or 0)) if source.kind == "decimal" else 1
            value = value - step if below else value + step
        return self._bounded(table, column.name, None if below else value, value if below else None)

    def _bounded(self, table: SourceTable, name: str, low: Any, high: Any) -> bool:
        column = self._named(table, name)
        if column.kind not in ("integer", "decimal") or isinstance(low, str) or isinstance(high, str):
            return False
        if low is not None:
            column.low = low if column.low is None else max(column.low, low)
        if high is not None:
            column.high = high if column.high is None else min(column.high, high)
        return low is not None or high is not None

    def _patterned(self, table: SourceTable, name: str, text: str) -> bool:
        try:
            Pattern(text)
        except ValueError:
            return False
        self._named(table, name).pattern = text
        return True


def _bare(part: exp.Expr) -> exp.Expr:
    while isinstance(part, exp.Paren | exp.Cast):
        part = part.this
    return part


def _value(part: exp.Expr | None) -> Any:
    """Return the text or the number that a literal is, None for anything else."""
    match part:
        case exp.Paren() | exp.Cast():
            return _value(part.this)
        case exp.Neg():
            inner = _value(part.this)
            return -inner if isinstance(inner, int | Decimal) else None
        case exp.Literal() if part.is_string:
            return part.name
        case exp.Literal():
            number = Decimal(part.name)
            return int(number) if number == number.to_integral_value() and "." not in part.name else number
    return None


def _columns(parts: Iterable[exp.Expr]) -> tuple[str, ...]:
    return tuple(part.name for part in parts)


def _strings(parts: Iterable[exp.Expr]) -> tuple[str, ...]:
    return tuple(part.name for part in parts if isinstance(part, exp.Literal))


def _words(statement: exp.Expr) -> str:
    """Return what a statement is, in its own words: what it makes and its name, or its first three words."""
    if isinstance(statement, exp.Create):
        name = statement.this.name or statement.this.this.name
        return f"{statement.kind} {name}".strip()
    with _quiet():
        text = statement.sql()
    return " ".join(re.split(r"[\s(]+", text, maxsplit=3)[:3])[:_WIDTH]
