"""The reference of the plan language in docs/PLANS.md, made from the Structs and functions that are the language."""

import inspect
from collections.abc import Iterator, Sequence
from decimal import Decimal
from types import NoneType
from typing import Any, Literal, Union

from esdh_plan import language
from esdh_plan.expressions.functions import FUNCTIONS
from esdh_plan.kinds import FieldKind, Kind, fields_of, kind_of
from esdh_plan.locks import PROVIDERS

MARKER = "<!-- Made from the language's Structs by `just docs`; change nothing below. -->"

_NAMES = "Names are of a-z, 0-9 and _, begin with a letter and have at most 63 characters. Keys in bold must be given."
_RANGE = (
    "Of `integer`, `decimal`, `date` and `timestamp`, and of a `count`, whose bounds are constants. "
    "`scale` is for decimals alone."
)
# A section each, in the order that a reader meets them: its heading, what is said first, and the Structs that it shows.
_SECTIONS: tuple[tuple[str, str, tuple[type, ...]], ...] = (
    ("The plan", _NAMES, (language.Plan,)),
    ("A table", "", (language.Table, language.FileRows)),
    ("A count by a field", "", (language.CountBy,)),
    ("A pick", "", (language.Pick,)),
    ("A field", "", (language.Modifiers,)),
    ("A range", _RANGE, (language.DecimalRange,)),
    (
        "Distributions",
        "",
        (
            *(language.Normal, language.Lognormal, language.Exponential),
            *(language.Zipf, language.Poisson, language.Geometric),
        ),
    ),
    ("A choice by a field", "", (language.ChoiceBy,)),
    ("Sequences, pools, branches", "", (language.SequenceWords, language.FakerWords, language.Branch)),
)
_LINKS: dict[Any, str] = {
    language.Table: "[tables](#a-table)",
    language.Pick: "[picks](#a-pick)",
    language.Field: "[fields](#a-field)",
    language.Branch: "[branches](#sequences-pools-branches)",
    **dict.fromkeys(
        (language.IntegerRange, language.DecimalRange, language.DateRange), "[a range](#a-range)"
    ),
}
_NAME, _EXPRESSION = kind_of(language.Name), kind_of(language.Expression)
_PLAIN: dict[Any, str] = {bool: "`true` or `false`", str: "text", int: "a whole number", Decimal: "a number"}


def reference() -> str:
    """Return the reference as Markdown, the marker first."""
    return "\n".join([MARKER, "", "## Reference", "", *_lines()]).rstrip() + "\n"


def _lines() -> Iterator[str]:
    for heading, first, structs in _SECTIONS:
        yield f"### {heading}\n"
        if first:
            yield f"{first}\n"
        for struct in structs:
            yield from _struct(struct)
        if heading == "A field":
            yield from _rules()
    yield "### Functions\n"
    yield from _table(
        ("function", "meaning"),
        [
            (f"`{each.signature}`", each.description)
            for each in sorted(FUNCTIONS.values(), key=lambda f: f.name)
        ],
    )
    yield "### Providers of `faker`\n"
    yield ", ".join(f"`{name}`" for name in sorted(PROVIDERS)) + ".\n"


def _struct(struct: type) -> Iterator[str]:
    yield f"{inspect.getdoc(struct)}\n"
    fields = {key: kind for key, kind in fields_of(struct).items() if key != "rule"}
    yield from _table(
        ("key", "takes", "meaning"),
        [
            (_key(key, kind), takes(kind.kind), kind.kind.say("description") or "")
            for key, kind in fields.items()
        ],
    )


def _key(key: str, kind: FieldKind) -> str:
    return f"**`{key}`**" if kind.required else f"`{key}`"


def _rules() -> Iterator[str]:
    yield "A rule is one key beside the modifiers; each says which of `unique` and `ordered` it takes.\n"
    rows = []
    for rule in language.RULES:
        ((word, field),) = fields_of(rule).items()
        modifiers = ", ".join(f"`{each}`" for each in sorted(rule.takes))
        meaning = f"{inspect.getdoc(rule)} {field.kind.say('description') or ''}".strip()
        rows.append((f"`{word}`", takes(field.kind), meaning, modifiers))
    yield from _table(("rule", "takes", "meaning", "modifiers"), rows)


def takes(kind: Kind) -> str:
    """Return in words what a kind of value is."""
    if kind.base is Union and not kind.expected:
        return " or ".join(dict.fromkeys(takes(arg) for arg in kind.args if arg.base is not NoneType))
    if kind.base is dict and kind.args[1].base in _LINKS:  # which says more than the words of a message
        return str(_container(kind))
    if kind.expected:
        return {_NAME.expected: "a name", _EXPRESSION.expected: "an expression"}.get(
            kind.expected, kind.expected
        )
    if kind.is_scalar:
        return str(kind.base.expected)
    return _container(kind) or (_bounded(kind) if kind.base is int else _PLAIN[kind.base])


def _container(kind: Kind) -> str | None:
    if kind.is_struct:
        return _LINKS.get(kind.base) or f"{{{', '.join(fields_of(kind.base))}}}"
    if kind.base is Literal:
        return " or ".join(f"`{value}`" for value in kind.args)
    if kind.base is list:
        return f"a list of {_many(takes(kind.args[0]))}"
    if kind.base is dict:
        key, value = map(takes, kind.args)
        return f"a mapping of {_many(key)} to {_many(value)}"
    return None


def _many(words: str) -> str:
    return {"a name": "names", "text": "texts", "a package's name": "packages' names"}.get(words, words)


def _bounded(kind: Kind) -> str:
    low, high = kind.say("ge"), kind.say("le")
    if low is None or high is None or -low == high:  # what 64 bits hold says nothing to a reader
        return _PLAIN[int]
    return f"a whole number from {low:,} to {high:,}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
    yield ""
