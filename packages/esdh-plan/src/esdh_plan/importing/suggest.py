"""What a column's name and type suggest: a rule of the plan language, and why.

Every suggestion keeps within what the source says of the column: its length, its digits, its bounds.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from esdh_plan.importing.model import SourceColumn
from esdh_plan.importing.yaml_text import flow, scalar
from esdh_plan.rules.pattern import Pattern

__all__ = ["Picks", "Suggestion", "key_capacity", "key_rule", "sibling_rule", "suggestion"]

_CHILDREN = 3
_MOST_KEY: Final = (1 << 31) - 1
_YEARS = 5
_DATE_YEARS = 40  # of dates that are unique
_DATES = 365 * _DATE_YEARS


@dataclass(frozen=True)
class Suggestion:
    """A field's rule as YAML, in braces or as an expression, and why; `picks` are the picks it draws from."""

    rule: str
    why: str = ""
    picks: tuple[str, ...] = ()


class Picks:
    """The picks of shipped tables that suggestions may use, by the names that a table leaves free."""

    sources: Final = {
        "given": "{from: first_names, weight: weight}",
        "family": "{from: last_names, weight: weight}",
        "home": "{from: places, weight: population}",
    }

    def __init__(self, taken: Callable[[str], bool]) -> None:
        self.names = {name: name if not taken(name) else f"{name}_drawn" for name in self.sources}


# --- keys


def key_rule(column: SourceColumn, *, slots: int, in_order: bool) -> Suggestion:
    """Return a rule that gives no value twice, of a primary key or another unique column.

    `slots` is how many rows there may be; `in_order` where rows have numbers: in the root and in fixed tables.
    A column with too few values for them isn't unique, but for numbers, which go past their type.
    """
    if column.labels:
        column.notes.append("its values are few; they may come twice")
        return Suggestion(f"{{choice: {_labels(column)}}}")
    match column.kind:
        case "integer":
            return _number(column, slots, in_order=in_order)
        case "decimal":
            low, high = _decimal_bounds(column, Decimal(0), Decimal(10**9))
            rule = f"{{decimal: {{from: {low}, to: {high}, scale: {column.scale}}}, unique: true}}"
        case "date":
            rule = f"{{date: {{from: today - years({_DATE_YEARS}), to: today}}, unique: true}}"
        case "boolean" | "timestamp":
            column.notes.append(f"a {column.kind} can't be unique here; values may come twice")
            return _FLAG if column.kind == "boolean" else _time(column, column.name.lower())
        case _:
            return _with_room(_unique_text(column), column, slots)
    return _with_room(Suggestion(rule), column, slots)


def _with_room(found: Suggestion, column: SourceColumn, slots: int) -> Suggestion:
    values = key_capacity(column)
    if values is None or values >= slots:
        return found
    column.notes.append(f"its {values:,} values are too few for 1,000 records, so they may come twice")
    return replace(found, rule=found.rule.replace(", unique: true", ""))


def _unique_text(column: SourceColumn) -> Suggestion:
    if column.pattern is None:
        if _is_uuid(column) or (column.kind == "string" and column.length in (None, 36)):
            return Suggestion("{id: true}", "the id, 36 characters which decode to its row")
        if "mail" in column.name.lower() and (column.length or 0) >= 22:
            why = "a unique e-mail in a reserved domain"
            return Suggestion(f"{{pattern: {scalar(_EMAIL)}, unique: true}}", why)
    return Suggestion(f"{{pattern: {scalar(_code(column))}, unique: true}}")


def key_capacity(column: SourceColumn) -> int | None:
    """Return how many values a column of a key has within its type, None where there are more than enough."""
    if column.kind == "integer" and column.high is not None:
        return int(column.high) - max(column.low or 1, 1) + 1
    if column.kind == "string" and (column.pattern is not None or column.length is not None):
        return Pattern(_code(column)).capacity
    if column.kind == "decimal":
        low, high = _decimal_bounds(column, Decimal(0), Decimal(10**9))
        return int((Decimal(high) - Decimal(low)).scaleb(column.scale or 0)) + 1
    return _DATES if column.kind == "date" else None


def sibling_rule(column: SourceColumn, *, slots: int) -> Suggestion | None:
    """Return a rule that differs on every sibling, for a column that completes the parent's key; None where none does."""
    if column.kind == "integer" and not column.labels:
        low = 1 if column.low is None else max(column.low, min(1, column.high or 1))
        return Suggestion(f"k + {low}", "the number among its siblings")
    if column.kind == "timestamp":
        return Suggestion("today - hours(24 * k)", "a day before its sibling's")
    if column.kind == "date" and slots > _DATES:
        return Suggestion("today - days(30 * k)", "a month before its sibling's")
    return None


_FLAG: Final = Suggestion("{choice: {true: 70, false: 30}}")


def _is_uuid(column: SourceColumn) -> bool:
    return (
        column.kind is None
        and re.search(r"uuid|uniqueidentifier", column.type_text, re.IGNORECASE) is not None
    )


def _number(column: SourceColumn, slots: int, *, in_order: bool) -> Suggestion:
    """Return a range of numbers that has room for every row: past the column's own where that is too short."""
    low = 1 if column.low is None else max(column.low, min(1, column.high or 1))
    if in_order:
        return Suggestion(f"{{sequence: {{start: {low}}}}}")
    high = _MOST_KEY if column.high is None else min(column.high, _MOST_KEY)
    if high - low < slots:
        room = f"{max(high - low + 1, 0):,} numbers" if column.high is not None else "too few numbers"
        column.notes.append(
            f"its type has {room}, too few for 1,000 records with {_CHILDREN} rows below each; it has more here"
        )
        high = low + max(slots, _MOST_KEY - low) if low < 1 << 30 else low + slots
    return Suggestion(f"{{integer: {{from: {low}, to: {high}}}, unique: true}}")


def _code(column: SourceColumn) -> str:
    """Return a pattern of capitals and digits that fills a text column as far as patterns reach."""
    drawn = 11  # 36^11 texts are just below 2^62
    if column.pattern is not None:
        return column.pattern
    length = column.length or drawn
    filling = length - drawn if column.fixed_length and length > drawn else 0
    return ("X" * filling if filling < 4 else f"X{{{filling}}}") + f"[A-Z0-9]{{{min(length, drawn)}}}"


# --- other columns


def suggestion(column: SourceColumn, table: str, picks: Picks) -> Suggestion:
    """Return what a column gets that is no key, in a table of a name."""
    if column.labels:
        return Suggestion(f"{{choice: {_labels(column)}}}")
    if column.pattern is not None:
        return Suggestion(f"{{pattern: {scalar(column.pattern)}}}")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.name).lower()
    by_kind: dict[Any, Callable[[SourceColumn, str, str, Picks], Suggestion]] = {
        "string": _text,
        "integer": _integer,
        "decimal": _decimal,
        "boolean": lambda *_: _FLAG,
        "date": _time,
        "timestamp": _time,
    }
    return by_kind.get(column.kind, _other)(column, name, table.lower(), picks)


def _labels(column: SourceColumn) -> str:
    """Return the labels, the default three times as often as another."""
    default = (column.default or "").strip("'\"")
    if any(str(label) == default for label in column.labels) and len(column.labels) > 1:
        return flow({label: 3 if str(label) == default else 1 for label in column.labels})
    return flow(list(column.labels))


_PERSON = re.compile(
    r"customer|employee|personn?|people|user|author|contact|staff|member|student|patient|actor|client|holder"
)


def _text(column: SourceColumn, name: str, table: str, picks: Picks) -> Suggestion:
    most = column.length or 200
    for pattern, rule in _TEXTS:
        if re.search(pattern, name) and (found := rule(most, picks)) is not None:
            return _fitted(found, column)
    if re.fullmatch(r"(full_?|contact_?)?name", name) and (name != "name" or _PERSON.search(table)):
        first, last = picks.names["given"], picks.names["family"]
        text = f"{first}.name + ' ' + {last}.name"
        return _fitted(Suggestion(_cut(text, 25, most), "the name of somebody", ("given", "family")), column)
    return Suggestion(f"{{pattern: {scalar(_words(column))}}}")


def _cut(expression: str, longest: int, most: int) -> str:
    return expression if most >= longest else f"left({expression}, {most})"


def _fitted(found: Suggestion, column: SourceColumn) -> Suggestion:
    """Fill a text of a fixed length on its right side, which CHAR(n) does too."""
    if not column.fixed_length or column.length is None or found.rule.startswith("{"):
        return found
    return Suggestion(
        f"left({found.rule} + '{' ' * column.length}', {column.length})", found.why, found.picks
    )


_EMAIL: Final = r"[a-z]{6}[0-9]{3}@example\.test"
Text = Callable[[int, Picks], Suggestion | None]


def _pattern(text: str, length: int, why: str) -> Text:
    rule = f"{{pattern: {scalar(text)}}}"
    return lambda most, _: Suggestion(rule, why) if most >= length else None


def _picked(pick: str, column: str, longest: int, why: str) -> Text:
    return lambda most, picks: Suggestion(_cut(f"{picks.names[pick]}.{column}", longest, most), why, (pick,))


def _choice(labels: list[str], why: str) -> Text:
    def rule(most: int, _: Picks) -> Suggestion | None:
        fitting = [label for label in labels if len(label) <= most]
        return Suggestion(f"{{choice: {flow(fitting)}}}", why) if fitting else None

    return rule


_TEXTS: Final[tuple[tuple[str, Text], ...]] = (
    (r"e?_?mail$|email", _pattern(_EMAIL, 22, "its name: an e-mail in a domain that is reserved for examples")),
    (r"first_?name|given_?name|fname", _picked("given", "name", 15, "its name")),
    (r"last_?name|family_?name|surname|lname", _picked("family", "name", 15, "its name")),
    (r"(^|_)city($|_)|(^|_)town$", _picked("home", "city", 30, "its name: city, state and ZIP belong together")),
    (r"^state(_code|_province)?$|_state$|(^|_)province$", _picked("home", "state", 2, "its name")),
    (r"zip|postal|postcode", _picked("home", "zip", 5, "its name")),
    (r"country", _choice(["US", "CA", "MX"], "its name")),
    (r"address|street", _pattern("[1-9][0-9]{2} [A-Z][a-z]{5} St", 13, "its name: a street that isn't there")),
    (r"phone|(^|_)(fax|mobile|tel)($|_)", _pattern("[2-9][0-9]{2}-555-01[0-9]{2}", 12, "its name: a number kept for fiction")),
    (r"url|website|(^|_)link$|homepage", _pattern(r"https://[a-z]{8}\.example", 24, "its name: a domain that is reserved for examples")),
    (r"currency", _choice(["USD", "EUR", "GBP"], "its name")),
    (r"status|(^|_)state$", _choice(["active", "closed", "new", "A", "C"], "its name; put its real labels here")),
    (r"gender|(^|_)sex$", _choice(["female", "male", "F", "M"], "its name")),
    (r"language|(^|_)locale$", _choice(["en", "es", "fr"], "its name")),
    (r"description|comment|notes?$|remarks|bio$|summary|text$", _choice(["Made up for tests.", "Nobody wrote this.", "None"], "its name")),
    (r"colou?r", _choice(["black", "blue", "red", "white"], "its name")),
)  # fmt: skip


def _words(column: SourceColumn) -> str:
    """Return a pattern of a made-up word, or of capitals that fill a text of a fixed length."""
    if column.fixed_length or (column.length or 9) < 3:
        return _code(column) if (column.length or 0) > 3 else f"[A-Z]{{{column.length}}}"
    return f"[A-Z][a-z]{{{min(column.length or 8, 8) - 1}}}"


_INTEGERS: Final = (
    (r"quantity|qty|units", 1, 10),
    (r"year", 1990, 2024),
    (r"(^|_)age$", 18, 90),
    (r"rating|stars|score", 1, 5),
    (r"month$", 1, 12),
    (r"percent", 0, 100),
    (r"size|length|duration|minutes|weight", 1, 500),
)


def _integer(column: SourceColumn, name: str, _: str, __: Picks) -> Suggestion:
    low, high, why = 1, 1_000, ""
    for pattern, least, most in _INTEGERS:
        if re.search(pattern, name):
            low, high, why = least, most, "its name"
            break
    low, high = _within(low, high, column)
    return Suggestion(f"{{integer: {{from: {low}, to: {high}}}}}", why)


def _within(low: Any, high: Any, column: SourceColumn) -> tuple[Any, Any]:
    """Return a range within a column's own, the column's own where they have nothing in common."""
    least = low if column.low is None else max(low, column.low)
    most = high if column.high is None else min(high, column.high)
    if least > most:
        least = column.low if column.low is not None else column.high
        most = column.high if column.high is not None else column.low
    return least, most


_MONEY = re.compile(r"price|amount|total|cost|salary|balance|fee|payment|revenue|budget|freight|credit")


def _decimal(column: SourceColumn, name: str, _: str, __: Picks) -> Suggestion:
    if _MONEY.search(name):
        low, high = _decimal_bounds(column, Decimal(1), Decimal(5000))
        if 0 < low < 40 < high:
            words = f"{{lognormal: {{median: 40, sigma: 1}}, from: {low}, to: {high}, scale: {column.scale}}}"
            return Suggestion(f"{{decimal: {words}}}", "its name")
    if re.search(r"rate|percent|discount|tax|ratio", name) and (column.scale or 0) >= 1:
        low, high = _decimal_bounds(column, Decimal(0), Decimal("0.5"))
        return Suggestion(f"{{decimal: {{from: {low}, to: {high}, scale: {column.scale}}}}}", "its name")
    if re.search(r"^lat(itude)?$|^lon(g|gitude)?$|^lng$", name):
        low, high = _decimal_bounds(column, Decimal(-90), Decimal(90))
        return Suggestion(f"{{decimal: {{from: {low}, to: {high}, scale: {column.scale}}}}}", "its name")
    low, high = _decimal_bounds(column, Decimal(0), Decimal(1000))
    return Suggestion(f"{{decimal: {{from: {low}, to: {high}, scale: {column.scale}}}}}")


def _decimal_bounds(column: SourceColumn, low: Decimal, high: Decimal) -> tuple[Any, Any]:
    """Return bounds within a column's digits and its own bounds."""
    scale = column.scale or 0
    if column.digits is not None:
        most = Decimal(10 ** min(column.digits, 18) - 1).scaleb(-scale)
        low, high = max(low, -most), min(high, most)
    least, most = _within(low, high, column)
    return least, most


def _time(column: SourceColumn, name: str, *_: object) -> Suggestion:
    if re.search(r"birth|dob", name):
        return Suggestion(
            f"{{{column.kind}: {{from: today - years(90), to: today - years(18)}}}}", "its name"
        )
    return Suggestion(f"{{{column.kind}: {{from: today - years({_YEARS}), to: today}}}}")


_OTHERS: Final = (
    (
        r"uuid|uniqueidentifier",
        r"00000000-0000-4000-8[0-9a-f]{3}-[0-9a-f]{12}",
        "a UUID that says it is made up",
    ),
    (r"time", "[01][0-9]:[0-5][0-9]:[0-5][0-9]", "a time of day is text"),
    (r"bytea|blob|binary|image|raw", "[0-9a-f]{8}", "bytes are text in hexadecimal digits"),
)


def _other(column: SourceColumn, name: str, table: str, picks: Picks) -> Suggestion:
    written = column.type_text.lower()
    if re.search(r"json|variant|object|map|struct", written):
        return Suggestion("{value: '{}'}", "JSON is text, an empty object here")
    for pattern, text, why in _OTHERS:
        if re.search(pattern, written):
            return Suggestion(f"{{pattern: {scalar(text)}}}", why)
    found = _text(column, name, table, picks)
    return Suggestion(
        found.rule, f"the type {column.type_text or 'that is not told'} has no kind of its own", found.picks
    )
