"""The text of an expression read by Python's `ast` and typed; nothing of it is ever run by Python.

What the language has is listed here, operator by operator; all else is refused with a sentence that says what
would be right. All faults of an expression are found at once, as far as one doesn't hide another.
"""

import ast
import datetime as dt
import difflib
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, NoReturn, Protocol

from esdh_core.columns import day_number

from esdh_plan.expressions.evaluate import constant_value
from esdh_plan.expressions.functions import FUNCTIONS, call
from esdh_plan.expressions.nodes import (
    A_KIND,
    Operand,
    Ratio,
    Refused,
    added,
    any_null,
    boolean,
    chained,
    checked,
    common_type,
    divide,
    floored,
    multiplied,
    negated,
    subtracted,
    text_type,
    unified,
)
from esdh_plan.expressions.types import DAY, MOST_DIGITS, Kind, Node, Path, ValueType

__all__ = [
    "AGGREGATES",
    "MOST_NODES",
    "MOST_TEXT",
    "Aggregate",
    "Doubtful",
    "ExpressionError",
    "Fault",
    "Scope",
    "near",
    "parse",
    "parse_aggregate",
    "parse_date_text",
]

MOST_TEXT = 2_000  # characters of an expression
MOST_NODES = 200
MOST_DEPTH = 64  # so that neither we nor pickle come near Python's limit of recursion
_MOST_LITERAL = 19  # digits
_QUOTED = 40  # characters of the text that a message repeats


class Fault(NamedTuple):
    """One thing that is wrong with an expression: the character where, from 0, and a sentence."""

    offset: int
    sentence: str


class ExpressionError(ValueError):
    """An expression that can't be taken, with all its faults in the order of their places."""

    def __init__(self, text: str, faults: Iterable[Fault]) -> None:
        self.text = text
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(sentence for _, sentence in self.faults))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.text, self.faults)


class Doubtful(Exception):  # noqa: N818 # no error of the expression that it is raised in
    """A name stands for something with a fault, which is told where that stands."""


class Scope(Protocol):
    """The names that an expression may use."""

    def resolve(self, path: Path) -> ValueType:
        """Return the type of what a name, or names with points between them, stand for.

        Raises LookupError, with a sentence, for a path that stands for nothing, and Doubtful for one of which that
        can't be said; an expression with such a name has perhaps no faults of its own, and yet no type.
        """


def near(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the known name that comes nearest, nothing where none is near."""
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def parse(text: str, scope: Scope) -> Node:
    """Return the typed tree of an expression.

    Raises ExpressionError, with all faults, for a text that is none, or that has a doubtful name.
    """
    tree = _read(text)
    parser = _Parser(text, scope)
    node = parser.whole(tree)
    if node is None or parser.faults:
        raise ExpressionError(text, parser.faults)
    return node


# --- from text to syntax


def _read(text: str) -> ast.expr:
    """Return the syntax tree of an expression that is small enough to be looked at."""
    if not text.strip():
        raise ExpressionError(text, [Fault(0, "the expression is empty; write a value, such as amount * 2")])
    if len(text) > MOST_TEXT:
        reason = f"the expression has {len(text)} characters; at most {MOST_TEXT} are possible"
        raise ExpressionError(text, [Fault(MOST_TEXT, reason)])
    for offset, character in enumerate(text):
        if character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs"):
            reason = f"the character U+{ord(character):04X} is no text; remove it"
            raise ExpressionError(text, [Fault(offset, reason)])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # '\d' and `1if` are warned of, and are mistakes
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError, Warning) as error:
        raise ExpressionError(text, [_syntax_fault(text, error)]) from None
    _check_size(text, tree)
    return tree


_LOOKALIKES = (
    (r"&&", "&&", "and"),
    (r"\|\|", "||", "or"),
    (r"<>", "<>", "!="),
    (r"(?<![=!<>:])=(?!=)", "=", "=="),
    (r"!(?!=)", "!", "not"),
    (r"\?", "?", "x if c else y"),
)


# What Python's parser says of what isn't closed, and in words of ours.
_UNCLOSED = {
    "'(' was never closed": "a ( isn't closed",
    "'[' was never closed": "a [ isn't closed",
    "'{' was never closed": "a { isn't closed",
    "unmatched": "a bracket is closed that isn't open",
    "unterminated string": "a quote isn't closed",
}


def _syntax_fault(text: str, error: Exception) -> Fault:
    """Return the fault of a text that Python can't read, by the operator of another language where there is one."""
    bare = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"", lambda found: " " * len(found[0]), text)
    for pattern, wrong, right in _LOOKALIKES:
        found = re.search(pattern, bare)
        if found:
            return Fault(found.start(), f"{wrong!r} is no operator; write {right}")
    date = re.search(r"(?<![0-9])([0-9]{4})-0?([0-9]{1,2})-0?([0-9]{1,2})(?![0-9])", bare)
    if date:
        return Fault(date.start(), f"{date[0]} isn't read as a date; write date({', '.join(date.groups())})")
    if not isinstance(error, SyntaxError):
        return Fault(0, "the expression is nested too deeply; spread it over several fields")
    stripped = text.strip()
    line, column = error.lineno or 1, error.offset or 1
    starts = [0, *(found.end() for found in re.finditer("\n", stripped))]
    place = min(starts[min(line, len(starts)) - 1] + column - 1, len(stripped))
    rest = stripped[max(place, 0) :].strip()
    for part, what in _UNCLOSED.items():
        if part in str(error.msg):
            return Fault(place + text.index(stripped), f"{_shortened(stripped)} can't be read: {what}")
    where = f"from {_shortened(rest)} on" if rest else "at its end"
    return Fault(place + text.index(stripped), f"{_shortened(stripped)} can't be read {where}")


def _shortened(text: str) -> str:
    """Return a piece of the text in quotes, on one line."""
    flat = " ".join(text.split())
    short = flat if len(flat) <= _QUOTED else f"{flat[: _QUOTED - 3]}..."
    return f'"{short}"' if "'" in short else f"'{short}'"


def _check_size(text: str, tree: ast.expr) -> None:
    """Raise for a tree that is too large or too deep, without recursion."""
    level: list[ast.AST] = [tree]
    count = depth = 0
    while level:
        parts = sum(isinstance(node, ast.expr) for node in level)
        count, depth = count + parts, depth + (parts > 0)
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if count > MOST_NODES:
        reason = f"the expression has {count} parts; at most {MOST_NODES} are possible"
    elif depth > MOST_DEPTH:
        reason = f"the expression is nested {depth} deep; at most {MOST_DEPTH} are possible"
    else:
        return
    raise ExpressionError(text, [Fault(0, f"{reason}, so spread it over several fields")])


# --- from syntax to types


class _Skipped(Exception):  # noqa: N818 # never leaves this module
    """A part that can't be typed since a part of it has a fault that is reported already."""


_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}
_OPERATORS: dict[type[ast.operator], Callable[[Operand, Operand, Sequence[str]], Operand]] = {
    ast.Add: added,
    ast.Sub: subtracted,
    ast.Mult: multiplied,
    ast.Div: divide,
    ast.FloorDiv: partial(floored, "floordiv"),
    ast.Mod: partial(floored, "mod"),
}
_NO_SIGNS: dict[type[ast.operator], tuple[str, str]] = {
    ast.Pow: ("**", "; write x * x"),
    ast.BitAnd: ("&", "; write and"),
    ast.BitOr: ("|", "; write or"),
    ast.BitXor: ("^", "; write !="),
    ast.MatMult: ("@", ""),
    ast.LShift: ("<<", ""),
    ast.RShift: (">>", ""),
}

_NO_PART: dict[type[ast.expr], tuple[str, str]] = {
    ast.Lambda: ("a lambda", ""),
    ast.ListComp: ("a comprehension", ""),
    ast.SetComp: ("a comprehension", ""),
    ast.DictComp: ("a comprehension", ""),
    ast.GeneratorExp: ("a comprehension", ""),
    ast.JoinedStr: ("an f-string", "; join strings with +"),
    ast.NamedExpr: ("an assignment", "; make it a field of its own"),
    ast.Subscript: ("an index", "; left(s, n) and right(s, n) cut strings"),
    ast.Starred: ("a starred value", ""),
    ast.Dict: ("a mapping", ""),
    ast.Set: ("a set", "; write a list, such as (1, 2), after in"),
    ast.Await: ("await", ""),
    ast.Yield: ("yield", ""),
    ast.YieldFrom: ("yield", ""),
}
_OTHER_NAMES = {
    "true": "write True",
    "false": "write False",
    "null": "write x is None, or coalesce(x, y)",
    "none": "write x is None, or coalesce(x, y)",
    "NULL": "write x is None, or coalesce(x, y)",
    "AND": "write and",
    "OR": "write or",
    "NOT": "write not",
}


class _Parser:
    """One pass over a syntax tree: types what fits and collects what doesn't."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.scope = scope
        self.faults: list[Fault] = []
        self._text = text.strip()
        self._first = text.index(self._text)
        self._lines = self._text.split("\n")

    def whole(self, tree: ast.expr) -> Node | None:
        """Return the node of the whole expression, None where it has faults."""
        operand = self.operand(tree)
        if operand is None:
            return None
        if isinstance(operand, Node):
            return operand
        self._fault(tree, _stray(operand, self.quote(tree)))
        return None

    def operand(self, tree: ast.expr, *, wide: bool = False) -> Operand | None:
        """Return a part, None where it has faults. Where it is `wide`, it needn't fit yet and may be a quotient."""
        try:
            if isinstance(tree, ast.BinOp):
                operand = self._binary(tree, wide=wide)
            elif isinstance(tree, ast.UnaryOp) and not isinstance(tree.op, ast.Not):
                operand = self._sign(tree, wide=wide)
            else:
                operand = _BUILDERS.get(type(tree), _Parser._refuse)(self, tree)
            if isinstance(operand, Node):
                if not (wide and operand.type.is_number):
                    checked(operand, self.quote(tree))
                return _folded(operand)
        except Refused as refused:
            self._fault(tree, str(refused))
        except _Skipped:
            pass
        else:
            return operand
        return None

    def operands(self, *trees: ast.expr, wide: bool = False) -> list[Operand]:
        """Return several parts, once all have been looked at."""
        return _sound([self.operand(tree, wide=wide) for tree in trees])

    def values(self, *trees: ast.expr) -> list[Node]:
        """Return several parts that must be values, which durations aren't."""
        nodes = []
        for tree, operand in zip(trees, self.operands(*trees), strict=True):
            if not isinstance(operand, Node):
                raise Refused(_stray(operand, self.quote(tree)))
            nodes.append(operand)
        return nodes

    def truths(self, what: str, *trees: ast.expr) -> list[Node]:
        """Return several parts that must be booleans."""
        nodes = self.values(*trees)
        for tree, node in zip(trees, nodes, strict=True):
            self._check_truth(what, tree, node)
        return nodes

    def _check_truth(self, what: str, tree: ast.expr, node: Node) -> None:
        if node.type.kind != "boolean":
            raise Refused(f"{self.quote(tree)} is {A_KIND[node.type.kind]}; {what} takes a boolean")

    def quote(self, tree: ast.expr) -> str:
        """Return a part as it is written, without quotes of its own where it is a value that stands there."""
        written = ast.get_source_segment(self._text, tree) or ""
        if isinstance(tree, ast.Constant):
            return " ".join(written.split())[:_QUOTED]
        return _shortened(written)

    def quotes(self, trees: Iterable[ast.expr]) -> list[str]:
        """Return several parts as they are written."""
        return [self.quote(tree) for tree in trees]

    def _fault(self, tree: ast.expr, sentence: str) -> None:
        line = self._lines[tree.lineno - 1]
        before = len(line.encode()[: tree.col_offset].decode())
        start = sum(len(each) + 1 for each in self._lines[: tree.lineno - 1])
        self.faults.append(Fault(self._first + start + before, sentence))

    def _refuse(self, tree: ast.expr) -> NoReturn:
        if isinstance(tree, ast.Tuple | ast.List):
            raise Refused(f"{self.quote(tree)} is a list, which stands only after in and not in")
        what, instead = _NO_PART.get(type(tree), ("something", ""))
        raise Refused(f"{self.quote(tree)} is {what}, which is no part of the language{instead}")

    # --- names and constants

    def _constant(self, tree: ast.Constant) -> Node:
        written, value = self.quote(tree), tree.value
        if value is None:
            raise Refused("None stands only in x is None and x is not None")
        if isinstance(value, bool):
            return Node.constant(ValueType("boolean", False, 0, int(value), int(value), (False, True)), value)
        if isinstance(value, str):
            for character in value:
                if unicodedata.category(character) in ("Cc", "Cs"):
                    raise Refused(
                        f"{written} has the character U+{ord(character):04X}, which no string can have"
                    )
            return Node.constant(text_type(len(value), nullable=False), value)
        if isinstance(value, int | float):
            return self._number(ast.get_source_segment(self._text, tree) or "")
        raise Refused(f"{written} is no value of the language; write a string, a number, True or False")

    def _number(self, written: str) -> Node:
        """Return a number from its text, exactly."""
        if not re.fullmatch(r"[0-9]+|[0-9]*\.[0-9]+", written, re.ASCII):
            raise Refused(f"{_shortened(written)} is no plain number; write it like 1500 or 0.25")
        whole, _, fraction = written.partition(".")
        digits = len(whole.lstrip("0")) + len(fraction)
        if digits > _MOST_LITERAL or (fraction and digits > MOST_DIGITS):
            most = MOST_DIGITS if fraction else _MOST_LITERAL
            raise Refused(f"{_shortened(written)} has {digits} digits; at most {most} are possible")
        unscaled = int(whole + fraction)
        kind: Kind = "decimal" if fraction else "integer"
        return Node.constant(ValueType(kind, False, len(fraction), unscaled, unscaled), unscaled)

    def named(self, tree: ast.Name | ast.Attribute) -> Node:
        """Return what a name, or names with points between them, stand for."""
        path = _path(tree)
        if path is None:
            raise Refused(f"{self.quote(tree)} is no name; a point stands only between names, as in parent.x")
        try:
            return self._of(path)
        except Doubtful:
            raise _Skipped from None
        except LookupError as unknown:
            name = ".".join(path)
            if name in _OTHER_NAMES:
                raise Refused(f"{name!r} is unknown; {_OTHER_NAMES[name]}") from None
            if name in FUNCTIONS:
                raise Refused(f"{name!r} is a function; write {FUNCTIONS[name].signature}") from None
            raise Refused(str(unknown.args[0]) if unknown.args else f"{name!r} is unknown") from None

    def _of(self, path: Path) -> Node:
        """Return what a path names: `today`, where its day is known, as a constant, so that what is reckoned from it is one."""
        of = self.scope.resolve(path)
        if path == ("today",) and of.low is not None and of.low == of.high:
            return Node.constant(of, of.low)
        return Node.named(path, of)

    # --- operators

    def _binary(self, tree: ast.BinOp, *, wide: bool) -> Operand:
        if type(tree.op) in _NO_SIGNS:
            sign, instead = _NO_SIGNS[type(tree.op)]
            raise Refused(f"{self.quote(tree)}: {sign} is no part of the language{instead}")
        if isinstance(tree.op, ast.Div) and not wide:
            raise Refused(f"{self.quote(tree)}: / stands only within round(x, s), such as round(a / b, 2)")
        a, b = self.operands(tree.left, tree.right, wide=wide)
        return _OPERATORS[type(tree.op)](a, b, self.quotes((tree.left, tree.right)))

    def _sign(self, tree: ast.UnaryOp, *, wide: bool) -> Operand:
        if isinstance(tree.op, ast.Invert):
            raise Refused(f"{self.quote(tree)}: ~ is no part of the language; write not")
        (operand,) = self.operands(tree.operand, wide=wide)
        opposite = negated(operand, self.quote(tree.operand))
        return opposite if isinstance(tree.op, ast.USub) else operand

    def _not(self, tree: ast.UnaryOp) -> Node:
        (truth,) = self.truths("not", tree.operand)
        return Node.of("not", boolean(truth), truth)

    def _logic(self, tree: ast.BoolOp) -> Node:
        op = "and" if isinstance(tree.op, ast.And) else "or"
        truths = self.truths(op, *tree.values)
        return Node.of(op, boolean(*truths), *truths)

    def _choice(self, tree: ast.IfExp) -> Node:
        condition, *branches = self.values(tree.test, tree.body, tree.orelse)
        self._check_truth("if", tree.test, condition)
        a, b = unified(branches, self.quotes((tree.body, tree.orelse)), "both branches of if")
        return Node.of("if", common_type((a, b), nullable=any_null(a, b)), condition, a, b)

    def _comparison(self, tree: ast.Compare) -> Node:
        special = [op for op in tree.ops if type(op) not in _COMPARISONS]
        if not special:
            return self._chain(tree)
        if len(tree.ops) > 1:
            raise Refused(f"{self.quote(tree)} chains is or in; write each by itself, with and between them")
        (right,) = tree.comparators
        if isinstance(special[0], ast.Is | ast.IsNot):
            return self._is(tree, right, negative=isinstance(special[0], ast.IsNot))
        return self._among(tree, right, negative=isinstance(special[0], ast.NotIn))

    def _chain(self, tree: ast.Compare) -> Node:
        trees = [tree.left, *tree.comparators]
        nodes, quotes = self.values(*trees), self.quotes(trees)
        pairs = []
        for i, op in enumerate(tree.ops):
            a, b = unified(nodes[i : i + 2], quotes[i : i + 2], "what is compared", midnights=True)
            pairs.append(Node.of(_COMPARISONS[type(op)], boolean(a, b), a, b))
        return chained("and", pairs)

    def _is(self, tree: ast.Compare, right: ast.expr, *, negative: bool) -> Node:
        if not (isinstance(right, ast.Constant) and right.value is None):
            equal = "!=" if negative else "=="
            raise Refused(f"{self.quote(tree)}: only None stands after is; write {equal}")
        (value,) = self.values(tree.left)
        null = Node.of("isnull", ValueType("boolean", labels=(False, True)), value)
        return Node.of("not", null.type, null) if negative else null

    def _among(self, tree: ast.Compare, right: ast.expr, *, negative: bool) -> Node:
        op = "not in" if negative else "in"
        if not isinstance(right, ast.Tuple | ast.List):
            written = ast.get_source_segment(self._text, right)
            raise Refused(f"{self.quote(right)} is no list; after {op} write one, such as ({written},)")
        if not right.elts:
            raise Refused(f"{self.quote(tree)} has an empty list; {op} takes at least one value")
        trees = [tree.left, *right.elts]
        values, quotes = self.values(*trees), self.quotes(trees)
        nodes = unified(values, quotes, f"the values of {op}", midnights=True)
        among = Node.of("in", boolean(*nodes), *nodes)
        return Node.of("not", among.type, among) if negative else among

    # --- functions

    def _call(self, tree: ast.Call) -> Operand:
        name = tree.func.id if isinstance(tree.func, ast.Name) else None
        if name is None or name not in FUNCTIONS:
            raise Refused(self._no_function(tree, name))
        function = FUNCTIONS[name]
        if tree.keywords:
            raise Refused(f"{name} takes its arguments without names: {function.signature}")
        wide = name == "round"  # its number may be a quotient
        operands = _sound([self.operand(arg, wide=wide and not place) for place, arg in enumerate(tree.args)])
        return call(function, operands, [self.quote(tree), *self.quotes(tree.args)], self._today)

    def _today(self) -> Node:
        try:
            return self._of(("today",))
        except Doubtful:
            raise _Skipped from None
        except LookupError:
            raise Refused("age needs a second date here, where there is no today") from None

    def _no_function(self, tree: ast.Call, name: str | None) -> str:
        if name is None:
            method = tree.func.attr if isinstance(tree.func, ast.Attribute) else ""
            instead = f"; write {FUNCTIONS[method].signature}" if method in FUNCTIONS else ""
            return f"{self.quote(tree.func)} is no function of the language{instead}"
        if name in AGGREGATES:
            return f"{name!r} adds up rows, which an expression can't; make it a field of its own, with rollup or running"
        try:
            self.scope.resolve((name,))
        except LookupError:
            return f"{name!r} is no function of the language{near(name, FUNCTIONS)}"
        except Doubtful:
            pass
        return f"{name!r} is no function; write {name} without parentheses"


def _sound(found: Sequence[Operand | None]) -> list[Operand]:
    """Return the parts, if none of them has a fault."""
    sound = [operand for operand in found if operand is not None]
    if len(sound) < len(found):
        raise _Skipped
    return sound


def _stray(operand: Operand, quote: str) -> str:
    """Return why a duration or a quotient can't stand where a value must."""
    if isinstance(operand, Ratio):
        raise TypeError("only round() is given a quotient")
    return f"{quote} is a duration; it stands only after + or - of a date or timestamp"


def _path(tree: ast.expr) -> Path | None:
    """Return the names of `a.b.c`, None for any other part."""
    names: list[str] = []
    while isinstance(tree, ast.Attribute):
        names.append(tree.attr)
        tree = tree.value
    return (tree.id, *reversed(names)) if isinstance(tree, ast.Name) else None


def _folded(node: Node) -> Node:
    """Return a part that reads nothing as the constant that it is, whose bounds are its value."""
    if node.names or node.is_constant or (node.type.kind != "string" and not node.type.fits_int64):
        return node
    value = constant_value(node)
    of = replace(node.type, length=len(value)) if isinstance(value, str) else _only(node.type, value)
    return Node.constant(of, value)


def _only(of: ValueType, value: int) -> ValueType:
    """Return a type's one value as the type's bounds."""
    return replace(of, low=value, high=value)


_BUILDERS: dict[type[ast.expr], Callable[[_Parser, Any], Operand]] = {
    ast.Constant: _Parser._constant,
    ast.Name: _Parser.named,
    ast.Attribute: _Parser.named,
    ast.UnaryOp: _Parser._not,
    ast.BoolOp: _Parser._logic,
    ast.Compare: _Parser._comparison,
    ast.IfExp: _Parser._choice,
    ast.Call: _Parser._call,
}


# --- dates as bounds


_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T([0-9]{2}:[0-9]{2}:[0-9]{2})Z)?", re.ASCII)


def parse_date_text(text: str) -> Node | None:
    """Return the constant that `2024-06-01` or `2024-06-01T12:00:00Z` stands for; None for a text of another form.

    Raises ExpressionError for a day or a time that there isn't.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day, time = found.groups()
    try:
        value = day_number(dt.date.fromisoformat(day))
        if time is None:
            return Node.constant(ValueType("date", False, 0, value, value), value)
        clock = dt.time.fromisoformat(time)
    except ValueError:
        what = "date" if time is None else "date and time"
        raise ExpressionError(text, [Fault(0, f"{text!r} is no {what} of the calendar")]) from None
    second = value * DAY + clock.hour * 3600 + clock.minute * 60 + clock.second
    return Node.constant(ValueType("timestamp", False, 0, second, second), second)


# --- rollups and running values


AGGREGATES = ("sum", "count", "min", "max", "first", "last")


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function over rows: of a path such as `transactions.amount`, of a table's name for a rollup's count.

    `of` is the type of a row's value, None where rows are counted.
    """

    function: str
    path: Path
    of: ValueType | None

    def over(self, fewest: int, most: int) -> ValueType:
        """Return the type of the outcome over so many rows.

        Raises ExpressionError for a sum that can leave its kind's range.
        """
        if self.function == "count" or self.of is None:
            return ValueType("integer", False, 0, 0, most)
        if self.function == "sum":
            low, high = (bound * most for bound in self.of.bounds)
            total = ValueType(self.of.kind, False, self.of.scale, min(low, 0), max(high, 0))
            written = f"sum({'.'.join(self.path)})"
            try:
                checked(Node.named(self.path, total), f"'{written}' over {most} rows")
            except Refused as refused:
                raise ExpressionError(written, [Fault(0, str(refused))]) from None
            return total
        of = self.of
        nullable = of.nullable or fewest < 1
        return ValueType(of.kind, nullable, of.scale, of.low, of.high, of.labels, of.length)


def parse_aggregate(text: str, scope: Scope, *, running: bool = False) -> Aggregate:
    """Return what `sum(transactions.amount)` or `count(accounts)` says; count's table isn't looked up.

    A `running` count is of no table: it takes nothing, or a field.

    Raises ExpressionError for any other text.
    """
    tree = _read(text)
    parser = _Parser(text, scope)
    try:
        return _aggregate(parser, tree, running=running)
    except Refused as refused:
        raise ExpressionError(text, [Fault(text.index(text.strip()), str(refused))]) from None
    except _Skipped:
        raise ExpressionError(text, []) from None


def _aggregate(parser: _Parser, tree: ast.expr, *, running: bool) -> Aggregate:
    names = ", ".join(AGGREGATES)
    example = "amount" if running else "transactions.amount"
    quote = parser.quote(tree)
    if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name)):
        raise Refused(f"{quote} is no function over rows; write one of {names}, such as sum({example})")
    name = tree.func.id
    if name not in AGGREGATES:
        raise Refused(f"{name!r} is no function over rows; there are {names}{near(name, AGGREGATES)}")
    arg = tree.args[0] if len(tree.args) == 1 and not tree.keywords else None
    if name == "count" and not running:
        if not isinstance(arg, ast.Name):
            table = arg.value.id if isinstance(arg, ast.Attribute) and isinstance(arg.value, ast.Name) else ""
            raise Refused(
                f"{quote} counts no rows; count takes the name of a table, such as count({table or 'accounts'})"
            )
        return Aggregate(name, (arg.id,), None)
    if name == "count" and not (tree.args or tree.keywords):
        return Aggregate(name, (), None)
    if not isinstance(arg, ast.Name | ast.Attribute) or (path := _path(arg)) is None:
        raise Refused(f"{quote} names no field; {name} takes one, such as {name}({example})")
    of = parser.named(arg).type
    if name == "sum" and not of.is_number:
        raise Refused(f"{parser.quote(arg)} is {A_KIND[of.kind]}; sum takes a number")
    return Aggregate(name, path, of)
