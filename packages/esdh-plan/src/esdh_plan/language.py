"""The language of plan files: its Structs are its schema and its reference, and `parse_plan` reads a file.

What is checked here is form: keys, kinds of values, names, and how tables hang together. Expressions are kept
as text with their places; what they mean is the compiler's. A rule is one Struct: here, or in another package
that offers it under the entry point group `esdh.rules` and that the plan names under `uses`.
"""

import datetime
import functools
import keyword
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from importlib import metadata
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, Self, TypeGuard

import msgspec
from msgspec import Meta

from esdh_plan.errors import Fault, chain, display, near, word_list
from esdh_plan.kinds import FieldKind, Scalar, fields_of
from esdh_plan.reader import INVALID, Converter, Document, Hook, Path, read_draft
from esdh_plan.schema import DIALECT, Definitions

__all__ = [
    "CONTROL",
    "DEFECT_KINDS",
    "MAX_COUNT",
    "MAX_LEVELS",
    "MAX_ROWS",
    "MAX_TABLES",
    "RULES",
    "RULES_GROUP",
    "SHIPPED_TABLES",
    "UNKNOWN_FIELD",
    "Branch",
    "Case",
    "Choice",
    "ChoiceBy",
    "ColumnDefect",
    "Count",
    "CountBy",
    "CountRange",
    "Date",
    "DateRange",
    "DecimalRange",
    "DecimalRule",
    "DefectList",
    "DefectWords",
    "Distributions",
    "DrawnDefect",
    "Exponential",
    "Expr",
    "Faker",
    "FakerWords",
    "Field",
    "FileRows",
    "Geometric",
    "Id",
    "Integer",
    "IntegerRange",
    "Labels",
    "Lognormal",
    "Modifiers",
    "Normal",
    "Offer",
    "Package",
    "Pattern",
    "Pick",
    "Plan",
    "Poisson",
    "Positive",
    "Rollup",
    "Rule",
    "Running",
    "Sequence",
    "SequenceWords",
    "Share",
    "Source",
    "Table",
    "Timestamp",
    "Value",
    "Weight",
    "Zipf",
    "defects_of",
    "defects_schema",
    "draft_of",
    "json_schema",
    "packages_offering",
    "parse_plan",
    "plan_of",
]

MAX_ROWS: Final = 1 << 20
"""Rows of a fixed table."""
MAX_TABLES: Final = 1_000
"""Tables of a plan."""
MAX_LEVELS: Final = 64
"""Tables one below the other."""
MAX_COUNT: Final = 1 << 24
"""Rows of a record, and so children of one row."""
SHIPPED_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "first_names": ("name", "weight"),
    "last_names": ("name", "weight"),
    "states": ("code", "name", "population"),
    "cities": ("state", "city", "population"),
    "places": ("zip", "state", "city", "population"),
    "area_codes": ("area_code", "state"),
    "street_stems": ("word",),
    "street_endings": ("word",),
    "street_kinds": ("kind",),
    "vehicle_models": (
        *("make", "model", "body_style", "model_year"),
        *("make_code", "model_code", "body_code", "weight"),
    ),
}
"""The tables that ship, and the columns of theirs that a plan can use."""
RULES_GROUP: Final = "esdh.rules"

_MARKER = "synthetic_source"
RESERVED_NAMES = {*keyword.kwlist, "parent", "k", "today", "row", "prev", "next"}
RESERVED_TABLES = {
    *("metadata", "dataset", "dataset_version", "plan", "readme", "bundle", "seed", "records_requested"),
    *("record_count", "id", "index", "entity", "defects", "esdh_loads"),
}

# Values of one kind


def _exact(value: Any) -> Fraction | None:
    """Return the number that 70, 0.7, 70% or 2/3 stands for."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Fraction(value)
    found = _RATIO.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    if found["percent"]:
        return Fraction(found["percent"]) / 100
    return Fraction(int(found["over"]), int(found["under"])) if int(found["under"]) else None


_RATIO = re.compile(
    r"(?P<percent>[0-9]{1,20}(?:\.[0-9]{1,20})?)%|(?P<over>[0-9]{1,20})/(?P<under>[0-9]{1,20})", re.ASCII
)
_RATIO_SCHEMA: Final = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?%|[0-9]+/[0-9]+)$"}


class Weight(Fraction, Scalar):
    """How often a value comes, beside the other weights: an exact number of at least 0."""

    expected = "a weight, such as 70, 0.7, 70% or 2/3"
    schema: ClassVar[dict[str, Any]] = {"anyOf": [{"type": "number", "minimum": 0}, _RATIO_SCHEMA]}

    @classmethod
    def read(cls, value: Any) -> Self | None:
        """Return the weight, None for what is none."""
        number = _exact(value)
        return None if number is None or number < 0 else cls(number)


class Share(Fraction, Scalar):
    """A part of the whole: an exact number from 0 to 1."""

    expected = "a share from 0 to 1, such as 8%, 0.08 or 2/25"
    schema: ClassVar[dict[str, Any]] = {
        "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, _RATIO_SCHEMA]
    }

    @classmethod
    def read(cls, value: Any) -> Self | None:
        """Return the share, None for what is none."""
        number = _exact(value)
        return None if number is None or not 0 <= number <= 1 else cls(number)


class Positive(Decimal, Scalar):
    """A parameter of a distribution that is above 0."""

    expected = "a number above 0"
    schema: ClassVar[dict[str, Any]] = {"type": "number", "exclusiveMinimum": 0}

    @classmethod
    def read(cls, value: Any) -> Self | None:
        """Return the number, None for what is none."""
        number = value if isinstance(value, int | Decimal) and not isinstance(value, bool) else 0
        return cls(number) if number > 0 else None


class Day(datetime.date, Scalar):
    """A date."""

    expected = "a date, such as 2024-06-01"
    schema: ClassVar[dict[str, Any]] = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}

    @classmethod
    def read(cls, value: Any) -> Self | None:
        """Return the date, None for what is none."""
        if not isinstance(value, str) or re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII) is None:
            return None
        try:
            return cls.fromisoformat(value)
        except ValueError:
            return None


def _about(description: str, expected: str = "") -> Meta:
    return Meta(description=description, extra={"expected": expected} if expected else None)


_NAME_WORDS = "a name of a-z, 0-9 and _ that begins with a letter, of at most 63"
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,62}$", extra={"expected": _NAME_WORDS})]
Reference = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]{0,62}(\.[a-z][a-z0-9_]{0,62})?$",
        extra={"expected": "the name of a field, such as `status` or `parent.status`"},
    ),
]
Expression = Annotated[
    str,
    Meta(
        min_length=1, max_length=2_000, extra={"expected": "an expression, as text of 1 to 2,000 characters"}
    ),
]
Text = Annotated[str, Meta(min_length=1, max_length=2_000)]
Label = Annotated[
    Annotated[str, Meta(max_length=200)] | Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | bool,
    Meta(extra={"expected": "text of at most 200 characters, a whole number of 64 bits, `true` or `false`"}),
]
"""A value of a choice."""
Number = int | Decimal


class _Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys and values of a plan, which take the keys they know and no other."""


# Choices and distributions


class ChoiceBy(_Words, frozen=True, kw_only=True):
    """A choice that depends on another field: one choice for each of its values."""

    by: Annotated[Reference, _about("The coded field that decides.")]
    of: Annotated[
        "dict[Label | None, Labels]",
        _about("The choice for each value of that field."),
        Meta(min_length=1),
    ]
    else_: Annotated["Labels | None", _about("The choice for every other value.")] = msgspec.field(
        name="else", default=None
    )

    @classmethod
    def fits(cls, content: Mapping[Any, Any]) -> bool:
        """Return whether a mapping is meant as this, and not as labels with weights, one of them `by`."""
        return isinstance(content.get("by"), str) and _exact(content["by"]) is None

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse labels that can't be chosen from."""
        for value, labels in self.of.items():
            yield from _labels_refused(labels, ("of", value))
        yield from _labels_refused(self.else_, ("else",))


Labels = Annotated[
    dict[Label, Weight] | list[Label] | ChoiceBy,
    Meta(extra={"expected": "labels with weights, a list of labels, or {by, of, else}"}),
]
"""Labels with weights, or a list of labels with a weight of 1 each, or a choice by another field."""


def _labels_refused(labels: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if labels is None or isinstance(labels, ChoiceBy):
        return
    if not labels:
        yield path, "there is nothing to choose from; give labels with their weights"
        return
    kinds = {type(label) for label in labels}
    if len(kinds) > 1:
        words = word_list(sorted(_KINDS[kind] for kind in kinds), "and")
        yield path, f"the labels of a choice are of one kind; these are {words} (quotes make text)"
    for label in labels:
        if isinstance(label, str) and CONTROL.search(label):
            yield path, f"the label {display(label)} has a control character; take it out"
    if isinstance(labels, list):
        twice = [label for label, times in Counter(labels).items() if times > 1]
        if len(kinds) == 1 and twice:
            yield path, f"the label {display(twice[0])} is given twice; use weights to have it more often"
    elif not any(labels.values()):
        yield path, "every weight is 0; at least one is above"
    elif _is_too_fine(labels.values()):
        yield path, _TOO_FINE


_MOST_BITS = (
    1_024  # of the number that makes all weights of a choice whole: it would cost time and memory without end
)
_TOO_FINE = (
    "the weights have no common denominator of up to 300 digits; write them as decimals or as whole numbers"
)


def _is_too_fine(weights: Iterable[Weight]) -> bool:
    common = 1
    for weight in weights:
        common = math.lcm(common, weight.denominator)
        if common.bit_length() > _MOST_BITS:
            return True
    return False


CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""The characters that no text of a dataset has."""
_KINDS = {str: "text", int: "whole numbers", bool: "`true` or `false`"}


class Normal(_Words, frozen=True):
    """The normal distribution, before it is cut to `from` and `to`."""

    mean: Annotated[Number | Expression, _about("Its mean, in the field's unit.")]
    sd: Annotated[Positive, _about("Its standard deviation.")]


class Lognormal(_Words, frozen=True):
    """The log-normal distribution, before it is cut to `from` and `to`."""

    median: Annotated[Positive, _about("Its median, in the field's unit.")]
    sigma: Annotated[Positive, _about("The standard deviation of its logarithm.")]


class Exponential(_Words, frozen=True):
    """The exponential distribution, before it is cut to `from` and `to`."""

    mean: Annotated[Positive, _about("Its mean, in the field's unit.")]


class Zipf(_Words, frozen=True):
    """The Zipf distribution: the value v has the share (v - from + 1)^-s."""

    s: Annotated[Positive, _about("Its exponent.")]


class Poisson(_Words, frozen=True):
    """The Poisson distribution, before it is cut to `from` and `to`."""

    mean: Annotated[Positive, _about("Its mean.")]


class Geometric(_Words, frozen=True):
    """The geometric distribution from 0 on, before it is cut to `from` and `to`."""

    mean: Annotated[Positive, _about("Its mean.")]


class Distributions(_Words, frozen=True):
    """A range with all values alike, or with one of the distributions."""

    schema_extra: ClassVar[dict[str, Any]] = {
        "anyOf": [{"required": ["from", "to"]}, {"required": ["bands"]}],
    }

    from_: Any = msgspec.field(name="from", default=None)
    to: Any = None
    bands: Any = None
    normal: Annotated[Normal | None, _about("Spread as the normal distribution.")] = None
    lognormal: Annotated[Lognormal | None, _about("Spread as the log-normal distribution.")] = None
    exponential: Annotated[Exponential | None, _about("Spread as the exponential distribution.")] = None
    zipf: Annotated[Zipf | None, _about("Spread as the Zipf distribution, most often `from`.")] = None
    poisson: Annotated[Poisson | None, _about("Spread as the Poisson distribution.")] = None
    geometric: Annotated[Geometric | None, _about("Spread as the geometric distribution.")] = None

    @property
    def distribution(self) -> str | None:
        """The name of the distribution, None for all values alike."""
        return next((name for name in _DISTRIBUTIONS if getattr(self, name) is not None), None)

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse two distributions, and bounds that are missing, are too many, or cross."""
        found = [name for name in _DISTRIBUTIONS if getattr(self, name) is not None]
        if len(found) > 1:
            yield (found[1],), f"a range has one distribution; this one has {word_list(found, 'and')}"
        bounds = {"from": self.from_, "to": self.to}
        for name, bound in bounds.items():
            if self.bands is not None and bound is not None:
                yield (name,), f"bands have their own bounds; take `{name}` out"
            if self.bands is None and bound is None:
                yield (), f"the key {name!r} is missing; a range has both `from` and `to`"
        if self.bands is not None and not any(weight for _, _, weight in self.bands):
            yield ("bands",), "there is no band with a weight above 0"
        if self.bands is not None and _is_too_fine(weight for _, _, weight in self.bands):
            yield ("bands",), _TOO_FINE
        pairs: list[tuple[Path, Any, Any]] = [((), self.from_, self.to)]
        pairs += [(("bands", i), first, last) for i, (first, last, _) in enumerate(self.bands or ())]
        for path, first, last in pairs:
            if isinstance(first, int | Decimal) and isinstance(last, int | Decimal) and first > last:
                yield path, f"the range is empty: it begins at {first} and ends at {last}"


_DISTRIBUTIONS = ("bands", "normal", "lognormal", "exponential", "zipf", "poisson", "geometric")
_BANDS = _about(
    "Ranges with weights, `[first, last, weight]` each, in ascending order.",
    "a list of [first, last, weight]",
)
_BAND = Meta(extra={"expected": "a band of three, [first, last, weight]"})
_WHOLE = Annotated[int | Expression, Meta(extra={"expected": "a whole number or an expression"})]
_DECIMAL = Annotated[Number | Expression, Meta(extra={"expected": "a number or an expression"})]
_DATE = Annotated[Expression, Meta(extra={"expected": "a date or an expression, as text"})]


class IntegerRange(Distributions, frozen=True):
    """The whole numbers of a field."""

    from_: Annotated[_WHOLE | None, _about("The first value.")] = msgspec.field(name="from", default=None)
    to: Annotated[_WHOLE | None, _about("The last value.")] = None
    bands: Annotated[list[Annotated[tuple[int, int, Weight], _BAND]] | None, _BANDS] = None


class DecimalRange(Distributions, frozen=True, kw_only=True):
    """The decimals of a field."""

    from_: Annotated[_DECIMAL | None, _about("The first value.")] = msgspec.field(name="from", default=None)
    to: Annotated[_DECIMAL | None, _about("The last value.")] = None
    bands: Annotated[list[Annotated[tuple[Number, Number, Weight], _BAND]] | None, _BANDS] = None
    scale: Annotated[int, Meta(ge=0, le=18, description="The digits after the point.")]


class DateRange(Distributions, frozen=True):
    """The dates or the timestamps of a field."""

    from_: Annotated[_DATE | None, _about("The first value.")] = msgspec.field(name="from", default=None)
    to: Annotated[_DATE | None, _about("The last value.")] = None
    bands: Annotated[list[Annotated[tuple[_DATE, _DATE, Weight], _BAND]] | None, _BANDS] = None


_CHILDREN = Annotated[int, Meta(ge=0, le=MAX_COUNT)]


class CountRange(Distributions, frozen=True):
    """How many children a row has: one of a range."""

    from_: Annotated[_CHILDREN | None, _about("The least.")] = msgspec.field(name="from", default=None)
    to: Annotated[_CHILDREN | None, _about("The most.")] = None
    bands: Annotated[list[Annotated[tuple[_CHILDREN, _CHILDREN, Weight], _BAND]] | None, _BANDS] = None


class CountBy(_Words, frozen=True):
    """A count that depends on a field of the parent: one count for each of its values."""

    by: Annotated[Reference, _about("The coded field of the parent that decides.")]
    of: Annotated[
        "dict[Label | None, Count]", _about("The count for each value of that field."), Meta(min_length=1)
    ]
    else_: Annotated["Count | None", _about("The count for every other value.")] = msgspec.field(
        name="else", default=None
    )

    @classmethod
    def fits(cls, content: Mapping[Any, Any]) -> bool:
        """Return whether a mapping is meant as this."""
        return "by" in content or "of" in content

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse counts that can't be chosen from."""
        for value, count in self.of.items():
            yield from _count_refused(count, ("of", value))
        yield from _count_refused(self.else_, ("else",))


_Many = (
    Annotated[dict[_CHILDREN, Weight], Meta(min_length=1)] | Annotated[list[_CHILDREN], Meta(min_length=1)]
)
Count = Annotated[
    _CHILDREN | Share | _Many | CountRange | CountBy,
    Meta(
        extra={
            "expected": f"a number from 0 to {MAX_COUNT:,}, a share, {{from, to}}, numbers with weights, or {{by, of, else}}"
        }
    ),
]
"""How many children a row has."""


def _count_refused(count: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(count, dict | list):
        yield from _labels_refused(count, path)


# Rules and modifiers


class Rule(_Words, frozen=True):
    """A base for rules: a Struct with one key, the rule's word; `takes` says which modifiers it allows.

    `unique` and `ordered` are for rules that draw and are named here; the other modifiers are for all.
    """

    takes: ClassVar[frozenset[str]] = frozenset()


class Id(Rule, frozen=True):
    """The ESDH id of the row."""

    id: Annotated[bool, _about("`true`: the row's id.", "`true`")]

    def __post_init__(self) -> None:
        """Refuse `id: false`."""
        if not self.id:
            raise ValueError("expected `true`; found false")


class SequenceWords(_Words, frozen=True):
    """Where a sequence starts."""

    start: Annotated[int, Meta(ge=-(1 << 62), le=1 << 62, description="The number of the first row.")] = 1


class Sequence(Rule, frozen=True):
    """Numbers in the order of the rows, in the root and in fixed tables."""

    sequence: Annotated[SequenceWords, _about("`start` + the row's number.")]


class Value(Rule, frozen=True):
    """The same value in every row."""

    value: Annotated[
        Label | Decimal,
        _about("The value: text, a number, true or false.", "text, a number, `true` or `false`"),
    ]

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse text with a control character."""
        if isinstance(self.value, str) and CONTROL.search(self.value):
            yield ("value",), f"the text {display(self.value)} has a control character; take it out"


class Choice(Rule, frozen=True):
    """One of several labels."""

    takes: ClassVar = frozenset({"ordered"})

    choice: Annotated[Labels, _about("Labels with their weights, a list of labels, or {by, of, else}.")]

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse labels that can't be chosen from."""
        yield from _labels_refused(self.choice, ("choice",))


_DRAWN: Final = frozenset({"ordered", "unique"})


class Integer(Rule, frozen=True):
    """Whole numbers."""

    takes: ClassVar = _DRAWN

    integer: Annotated[IntegerRange, _about("The range, and how its values are spread.")]


class DecimalRule(Rule, frozen=True):
    """Numbers with a fixed count of digits after the point."""

    takes: ClassVar = _DRAWN

    decimal: Annotated[DecimalRange, _about("The range, its scale, and how its values are spread.")]


class Date(Rule, frozen=True):
    """Dates."""

    takes: ClassVar = _DRAWN

    date: Annotated[DateRange, _about("The range, and how its values are spread, in days.")]


class Timestamp(Rule, frozen=True):
    """Timestamps in whole seconds of UTC."""

    takes: ClassVar = frozenset({"ordered"})

    timestamp: Annotated[DateRange, _about("The range, and how its values are spread, in seconds.")]


class Pattern(Rule, frozen=True):
    """Text of a pattern."""

    takes: ClassVar = _DRAWN

    pattern: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=200,
            description="Classes, literals and fixed repeats: `[A-Z]{2}-[0-9]{6}`.",
        ),
    ]


class FakerWords(_Words, frozen=True, kw_only=True):
    """The pool that a faker field draws from."""

    provider: Annotated[Name, _about("A provider of our list, such as `company`.")]
    locale: Annotated[
        str,
        Meta(
            pattern="^[a-z]{2,3}(_[A-Za-z]{2,4})?$",
            description="The locale, such as `de_DE`.",
            extra={"expected": "a locale, such as `de_DE`"},
        ),
    ] = "en_US"
    pool: Annotated[int, Meta(ge=1, le=100_000, description="How many values the pool has.")]


class Faker(Rule, frozen=True):
    """Values from a pool that Faker made once, by `esdh lock-plan`."""

    takes: ClassVar = _DRAWN

    faker: Annotated[FakerWords, _about("The pool: a provider, its locale, and how many values.")]


class Expr(Rule, frozen=True):
    """A value that is computed from others of the row, its parents, picks or siblings."""

    expr: Annotated[Expression, _about("The expression.")]


class Rollup(Rule, frozen=True):
    """A value over the rows below."""

    rollup: Annotated[Expression, _about("sum, count, min, max, first or last: `sum(transactions.amount)`.")]


class Running(Rule, frozen=True):
    """A value over the siblings up to this row."""

    running: Annotated[Expression, _about("sum, count, min, max, first or last: `sum(amount)`.")]


class Branch(_Words, frozen=True, kw_only=True):
    """A branch of a case: a rule, and the condition for it; only the last has none."""

    rule: Rule
    when: Annotated[
        Expression | None, _about("The condition; the first branch whose condition holds is taken.")
    ] = None


class Case(Rule, frozen=True):
    """The first of several rules whose condition holds."""

    takes: ClassVar = frozenset({"ordered"})

    case: Annotated[list[Branch], Meta(min_length=1, description="The branches; the last has no `when`.")]

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse a branch without a condition before the last, and a last one with a condition."""
        for number, branch in enumerate(self.case[:-1]):
            if branch.when is None:
                yield ("case", number), "only the last branch has no `when`; those before it need one"
        if self.case[-1].when is not None:
            yield (
                ("case", len(self.case) - 1, "when"),
                "the last branch has no `when`: it holds when no other does",
            )


class Modifiers(_Words, frozen=True):
    """What a field may have beside its rule."""

    missing: Annotated[Share | None, _about("The share of rows where the field is null.")] = None
    when: Annotated[Expression | None, _about("Where this doesn't hold, the field is null.")] = None
    unique: Annotated[bool, _about("No value comes twice.")] = False
    ordered: Annotated[bool, _about("The siblings' values stand in ascending order.")] = False
    description: Annotated[Text | None, _about("What the field means.")] = None
    tags: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=63)]],
        _about("Words for readers of the schema, such as `pii`.", "a list of words, such as [pii]"),
    ] = []
    stream: Annotated[Name | None, _about("The field's old name, so that a renaming changes no value.")] = (
        None
    )


class Field(Modifiers, frozen=True, kw_only=True):
    """A field: one rule with its modifiers. A plain text is an expression."""

    rule: Rule


RULES: Final[tuple[type[Rule], ...]] = (
    *(Id, Sequence, Value, Choice, Integer, DecimalRule, Date, Timestamp),
    *(Pattern, Faker, Expr, Rollup, Running, Case),
)
_IN_BRANCHES: Final = frozenset(
    {"value", "choice", "integer", "decimal", "date", "timestamp", "pattern", "faker", "expr"}
)


class Offer(NamedTuple):
    """A rule that another package offers: what an entry point of the group `esdh.rules` names."""

    words: type[Rule]
    """A Struct with one key, the rule's word, which is the entry point's name too."""
    column: Callable[..., Any]
    """What compiles the rule: of its words and its place (`definitions.Place`), a `definitions.Definition`, which makes columns of blocks."""


# Tables


class Pick(_Words, frozen=True):
    """One row of another table, drawn for each row; its name stands for that row's columns."""

    schema_extra: ClassVar[dict[str, Any]] = {
        "dependentSchemas": {
            word: {"properties": dict.fromkeys(others, False)}
            for word, others in {
                "among": ("weight", "where", "distinct"),
                "distinct": ("weight", "where"),
            }.items()
        }
    }

    from_: Annotated[Name, _about("A fixed table, a table that ships, or with `among` a table of rows.")] = (
        msgspec.field(name="from")
    )
    weight: Annotated[Name | None, _about("The column of that table that says how often a row is drawn.")] = (
        None
    )
    where: Annotated[
        dict[Name, Reference] | None,
        Meta(min_length=1, description="Columns of that table that equal coded fields of this row."),
    ] = None
    distinct: Annotated[bool, _about("Siblings draw different rows.")] = False
    among: Annotated[
        Literal["siblings", "earlier"] | None,
        _about(
            "`siblings`: rows of another table below the same parent; `earlier`: records before this one."
        ),
    ] = None

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse what doesn't go together."""
        word = "among" if self.among else "distinct"
        if self.among or self.distinct:
            for other in ("weight", "where", "distinct"):
                if other != word and getattr(self, other):
                    yield (other,), f"`{word}` draws all rows alike; it takes no `{other}`"


_TYPE = r"^(string|integer|boolean|date|timestamp|decimal\((?:[0-9]|1[0-8])\))$"
_TYPE_WORDS = "string, integer, boolean, date, timestamp or decimal(s) with a scale s from 0 to 18"


class FileRows(_Words, frozen=True):
    """The rows of a fixed table, from a CSV file beside the plan."""

    file: Annotated[str, Meta(min_length=1, max_length=200, description="The file, below the plan's folder.")]
    types: Annotated[
        dict[
            Annotated[str, Meta(min_length=1, max_length=200)],
            Annotated[str, Meta(pattern=_TYPE, extra={"expected": _TYPE_WORDS})],
        ],
        _about("The types of its columns; a column without one is a string."),
    ] = {}

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse a file outside the plan's folder."""
        if self.file.startswith("/") or re.search(r"\\|:|(^|/)\.\.(/|$)", self.file):
            yield (
                ("file",),
                f"the file is below the plan's folder, such as `data/x.csv`; found {display(self.file)}",
            )


class Table(_Words, frozen=True, kw_only=True):
    """A table: the root (neither `rows` nor `per`), below another (`per`), or fixed (`rows`)."""

    tolerant: ClassVar = True

    rows: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_ROWS)] | FileRows | None,
        _about(
            "A fixed table: how many rows it has, or the file that they stand in.",
            f"a number of rows from 1 to {MAX_ROWS:,}, or {{file, types}}",
        ),
    ] = None
    per: Annotated[Name | None, _about("The table that this one hangs below.")] = None
    count: Annotated[Count | None, _about("How many rows each parent has; exactly one if left out.")] = None
    room: Annotated[
        int | None,
        Meta(
            ge=1,
            le=MAX_COUNT,
            description="The most rows a parent may ever have, a power of two, so that counts can be raised later.",
        ),
    ] = None
    key: Annotated[
        list[Name] | None,
        Meta(
            min_length=1,
            description="The fields of its primary key.",
            extra={"expected": "a list of fields, such as [order_id]"},
        ),
    ] = None
    description: Annotated[Text | None, _about("What a row is.")] = None
    stream: Annotated[Name | None, _about("The table's old name, so that a renaming changes no value.")] = (
        None
    )
    pick: Annotated[
        dict[Name, Pick], _about("Rows of other tables that each row draws.", "picks by their names")
    ] = {}
    fields: Annotated[
        dict[Name, Field],
        Meta(min_length=1, description="The fields, in order.", extra={"expected": "fields by their names"}),
    ]

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse what is wrong with a table by itself."""
        if self.rows is not None and self.per is not None:
            yield ("per",), "a table has `rows` or `per`; this one has both"
        for word in ("count", "room"):
            if getattr(self, word) is not None and self.per is None:
                yield (word,), f"`{word}` is for a table with `per`; give that, or take `{word}` out"
        if isinstance(self.room, int) and self.room & (self.room - 1):
            above = 1 << self.room.bit_length()
            yield ("room",), f"expected a power of two; found {self.room}, near {above // 2} and {above}"
        yield from _count_refused(self.count, ("count",))
        yield from self._key_refused()
        yield from self._names_refused()
        yield from _streams_refused(_known(self.fields), ("fields",))

    @property
    def stands(self) -> bool:
        """Whether it is known what a table with faults hangs below, if anything."""
        places = [each for each in (self.rows, self.per) if each is not None]
        below = self.per is not None or (self.count is None and self.room is None)
        return len(places) < 2 and self.per is not INVALID and below

    def _key_refused(self) -> Iterator[tuple[Path, str]]:
        fields = _known(self.fields)
        if fields is not self.fields:
            return
        seen: set[str] = set()
        for number, name in enumerate(self.key if isinstance(self.key, list) else []):
            if name not in fields:
                yield ("key", number), f"the table has no field {name!r}{near(name, fields)}"
            elif name in seen:
                yield ("key", number), f"the field {name!r} is given twice"
            seen.add(name)

    def _names_refused(self) -> Iterator[tuple[Path, str]]:
        for name in _known(self.pick):
            if name in RESERVED_NAMES:
                yield ("pick", name), f"{name!r} is a reserved word; give the pick another name"
            elif name in _known(self.fields):
                yield ("pick", name), f"{name!r} is a field of the table too; give the pick another name"
        for name in _known(self.fields):
            if name in RESERVED_NAMES:
                yield ("fields", name), f"{name!r} is a reserved word; give the field another name"
            elif name == _MARKER:
                yield ("fields", name), f"{name!r} is added to every table; take it out"


def _known(mapping: Any) -> dict[Any, Any]:
    """Return a mapping of a plan with faults, as far as it is one."""
    return mapping if isinstance(mapping, dict) else {}


def _streams_refused(named: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    """Refuse names that are equal in streams, of fields or tables."""
    streams = {name: getattr(one, "stream", None) or name for name, one in named.items()}
    holders: dict[str, list[str]] = {}
    for name, stream in streams.items():
        holders.setdefault(stream, []).append(name)
    for name, stream in streams.items():
        if stream != name and len(holders[stream]) > 1:
            other = next(holder for holder in holders[stream] if holder != name)
            reason = f"{other!r} has the stream {stream!r} already; give another, or take it out"
            yield (*path, name, "stream"), reason


# Defects

_MAX_EDITS = 100


class DefectWords(_Words, frozen=True, kw_only=True):
    """A defect: its kind, and the table that it strikes."""

    kind: str
    table: Annotated[Name, _about("The table.")]
    name: Annotated[
        Name | None, _about("What tells it from another of its kind at the place; its draws follow from it.")
    ] = None

    @property
    def place(self) -> str:
        """What it strikes: a table, or a field of one."""
        return self.table

    @property
    def key(self) -> tuple[str, str]:
        """What no other defect of a list has: the place and the name, which is the kind where it has none."""
        return self.place, self.name or self.kind


class DrawnDefect(DefectWords, frozen=True, kw_only=True):
    """A defect of some rows: how often or how many times."""

    rate: Annotated[Share | None, _about("The share of the rows; each is drawn alone.")] = None
    exactly: Annotated[
        int | None, Meta(ge=1, le=MAX_ROWS, description="So many rows: the first that `where` admits.")
    ] = None
    where: Annotated[Expression | None, _about("A condition on the rows that it may strike.")] = None

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse a defect without a measure, or with two."""
        if (self.rate is None) == (self.exactly is None):
            both = "; this one has both" if self.rate is not None else ""
            yield (), f"a defect has `rate`, such as 1%, or `exactly`, such as 3{both}"


class FieldDefect(DrawnDefect, frozen=True, kw_only=True):
    """A defect of a field."""

    field: Annotated[Name, _about("The field.")]

    @property
    def place(self) -> str:
        """The field that it strikes."""
        return f"{self.table}.{self.field}"


class ValueDefect(FieldDefect, frozen=True, kw_only=True):
    """A defect of one value."""

    kind: Annotated[
        Literal[
            "missing",
            "blank",
            "whitespace",
            "placeholder",
            "out_of_range",
            "wrong_type",
            "bad_pattern",
            "bad_check_digit",
            "bad_enum",
            "truncated",
            "wrong_case",
            "typo",
            "mojibake",
            "homoglyph",
            "injection",
            "shifted_date",
            "stale_copy",
            "wrong_total",
            "orphan",
            "duplicate_key",
            "bad_encoding",
            "bad_quoting",
        ],
        _about("What it does to a value."),
    ]


class SwappedFields(FieldDefect, frozen=True, kw_only=True):
    """A defect of two fields that have changed places."""

    kind: Annotated[Literal["swapped_fields"], _about("What it does.")]
    with_: Annotated[Name | None, _about("The field that it changes places with.")] = msgspec.field(
        name="with", default=None
    )


class TimeTravel(FieldDefect, frozen=True, kw_only=True):
    """A defect of a date that comes to stand before another."""

    kind: Annotated[Literal["time_travel"], _about("What it does.")]
    before: Annotated[Reference | None, _about("The date that it comes to stand before.")] = None


class RowDefect(DrawnDefect, frozen=True, kw_only=True):
    """A defect of a row as a whole."""

    kind: Annotated[
        Literal["duplicate_row", "missing_row", "reordered", "ragged_row"], _about("What it does to a row.")
    ]


class NearDuplicate(DrawnDefect, frozen=True, kw_only=True):
    """A defect of a second row that is the same one, written a little otherwise."""

    kind: Annotated[Literal["near_duplicate"], _about("What it does.")]
    fields: Annotated[
        list[Name] | None,
        Meta(
            min_length=1,
            description="The fields that may be written otherwise; without them the texts and dates that are written by hand.",
        ),
    ] = None
    edits: Annotated[
        Annotated[int, Meta(ge=1, le=_MAX_EDITS)]
        | Annotated[
            list[Annotated[int, Meta(ge=1, le=_MAX_EDITS)]], Meta(min_length=1, max_length=_MAX_EDITS)
        ]
        | None,
        _about("How many of them are, or a list out of which that is drawn; without it one to three."),
    ] = None


class FileDefect(DefectWords, frozen=True, kw_only=True):
    """A defect of a table's file as a whole."""

    kind: Annotated[Literal["extra_column", "truncated_file"], _about("What it does to a file.")]


class ColumnDefect(DefectWords, frozen=True, kw_only=True):
    """A defect of a column of a table's file."""

    kind: Annotated[Literal["renamed_column"], _about("What it does to a column.")]
    field: Annotated[Name, _about("The field.")]

    @property
    def place(self) -> str:
        """The field whose column it is."""
        return f"{self.table}.{self.field}"


_DEFECTS: Final[Mapping[str, type[DefectWords]]] = {
    word: struct
    for struct in (
        *(ValueDefect, SwappedFields, TimeTravel),
        *(RowDefect, NearDuplicate),
        *(FileDefect, ColumnDefect),
    )
    for word in fields_of(struct)["kind"].kind.args
}
DEFECT_KINDS: Final = tuple(_DEFECTS)
"""The words for kinds of defects."""
_MAX_DEFECTS = 1_000
Defects = Annotated[
    list[ValueDefect | SwappedFields | TimeTravel | RowDefect | NearDuplicate | FileDefect | ColumnDefect],
    Meta(
        max_length=_MAX_DEFECTS,
        extra={
            "expected": "a list of defects, each with kind, table, field if it is of one, and rate or exactly unless it is of a file"
        },
    ),
]


def _defects_refused(defects: Any) -> Iterator[tuple[Path, str]]:
    """Refuse defects that can't be told apart."""
    seen: dict[tuple[str, str], int] = {}
    for number, each in enumerate(defects if isinstance(defects, list) else ()):
        if not isinstance(each, DefectWords):
            continue
        first = seen.setdefault(each.key, number)
        if first != number:
            place, own = each.key
            if not isinstance(each, DrawnDefect):
                yield ("defects", number), f"defects[{first}] does the same to {place}; take one out"
                continue
            yield (
                ("defects", number),
                f"defects[{first}] is {own!r} of {place} too; give one of them a `name`, from which its draws follow",
            )


class DefectList(_Words, frozen=True, kw_only=True):
    """A file of defects, apart from the plan."""

    tolerant: ClassVar = True

    esdh: Annotated[
        Literal["defects/1"],
        _about("The language and its version.", "`defects/1`, the language that this program reads"),
    ]
    defects: Annotated[Defects, _about("The defects, in the order in which they are applied.")]

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse defects that can't be told apart."""
        yield from _defects_refused(self.defects)


def _defect(converter: Converter, path: Path, value: Any) -> Any:
    """Read a defect, whose kind says which keys it has."""
    if not isinstance(value, dict):
        return converter.refuse(
            path, f"expected a defect, with kind, table, field and rate; found {display(value)}"
        )
    kind = value.get("kind")
    if isinstance(kind, str) and kind not in _DEFECTS:
        hint = near(kind, _DEFECTS) or f"; there are {word_list(_DEFECTS, 'and')}"
        return converter.refuse((*path, "kind"), f"there is no kind of defect {kind!r}{hint}")
    struct = _DEFECTS[kind] if isinstance(kind, str) else ValueDefect
    rest = dict(value)
    for key in ("field", "rate", "exactly", "where"):
        if key in value and key not in fields_of(struct):
            what = "a file" if issubclass(struct, FileDefect | ColumnDefect) else "rows"
            reason = f"`{kind}` is of {what} as a whole and has no `{key}`; take it out"
            converter.refuse((*path, key), reason, key=True)
            del rest[key]
    return converter.struct(path, struct, rest)


def defects_of(document: Document) -> tuple[list[Any], list[Fault]]:
    """Return the defects that a document of its own holds, INVALID in the place of one with faults of form, and these faults."""
    converter = Converter(document, _DEFECT_HOOKS)
    found = converter.take((), DefectList)
    if found is INVALID:
        found = converter.partial(())
    defects = found.defects if isinstance(found, DefectList) and isinstance(found.defects, list) else []
    right = [
        INVALID if ("defects", number) in converter.refused else each for number, each in enumerate(defects)
    ]
    return right, converter.faults


_DEFECT_HOOKS: Final[dict[Any, Hook]] = dict.fromkeys(_DEFECTS.values(), _defect)

_PACKAGE = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


class Plan(_Words, frozen=True, kw_only=True):
    """A plan: tables, their fields, and how they hang together."""

    tolerant: ClassVar = True

    esdh: Annotated[
        Literal["plan/1"],
        _about("The language and its version.", "`plan/1`, the language that this program reads"),
    ]
    name: Annotated[
        str,
        Meta(
            pattern="^[a-z][a-z0-9_]{0,31}$",
            description="The dataset's name.",
            extra={"expected": _NAME_WORDS.replace("63", "32")},
        ),
    ]
    version: Annotated[
        int,
        Meta(ge=1, le=9_999, description="The dataset's version; raise it when a value that stood changes."),
    ]
    description: Annotated[Text | None, _about("What the dataset is.")] = None
    reference_date: Annotated[Day, _about("The day that `today` means.")]
    license: Annotated[Text | None, _about("The licence of the data.")] = None
    uses: Annotated[
        list[Annotated[str, Meta(pattern=_PACKAGE, extra={"expected": "a package's name"})]],
        _about("Installed packages whose rules the plan uses."),
    ] = []
    tables: Annotated[
        dict[Name, Table],
        Meta(
            min_length=1,
            max_length=MAX_TABLES,
            description="The tables, in order.",
            extra={"expected": "tables by their names"},
        ),
    ]
    defects: Annotated[
        Defects,
        _about("What is wrong in snapshots, unless another list is given: of the dataset it is no part."),
    ] = []

    def refusals(self) -> Iterator[tuple[Path, str]]:
        """Refuse what is wrong with how the tables hang together."""
        for name in _known(self.tables):
            if name in RESERVED_NAMES or name in RESERVED_TABLES:
                yield ("tables", name), f"{name!r} is a reserved word; give the table another name"
        yield from _streams_refused(_known(self.tables), ("tables",))
        yield from self._roots_refused()
        yield from _defects_refused(self.defects)
        for name, table in self._tables():
            above = self.ancestors(name)
            for pick_name, pick in _known(table.pick).items():
                path = ("tables", name, "pick", pick_name)
                if pick_name in above:
                    yield path, f"{pick_name!r} is a table above this one too; give the pick another name"
                if isinstance(pick, Pick):
                    yield from self._pick_refused(name, pick, (*path, "from"))

    def _tables(self) -> list[tuple[str, Table]]:
        """Return the tables of a plan that may have faults, as far as they are known."""
        return [(name, one) for name, one in _known(self.tables).items() if isinstance(one, Table)]

    @property
    def roots(self) -> list[str]:
        """The tables without `per` and `rows`, of which there is one; without those meant to have `per`."""
        return [
            name
            for name, table in self._tables()
            if table.rows is None and table.per is None and table.stands
        ]

    def _roots_refused(self) -> Iterator[tuple[Path, str]]:
        roots = self.roots
        for name in roots[1:]:
            yield (
                ("tables", name),
                f"{roots[0]!r} and {name!r} are both roots; all but one need `per` or `rows`",
            )
        tables = self._tables()
        order = {name: number for number, name in enumerate(_known(self.tables))}
        if not roots and tables and len(tables) == len(self.tables) and all(one.stands for _, one in tables):
            yield ("tables",), "there is no root: one table has neither `per` nor `rows`"
        for name, table in self._tables():
            if isinstance(table.per, str) and table.per not in self.tables:
                yield (
                    ("tables", name, "per"),
                    f"there is no table {table.per!r}{near(table.per, self.tables)}",
                )
            above = self.ancestors(name)
            if above and above[-1] == name and name == min(above, key=order.__getitem__):
                yield (
                    ("tables", name, "per"),
                    f"the table hangs below itself: {chain([name, *above], ' below ')}",
                )

            elif len(above) == MAX_LEVELS:  # and what hangs below it isn't told again
                yield (
                    ("tables", name, "per"),
                    f"tables hang at most {MAX_LEVELS} deep; this one is below {MAX_LEVELS}",
                )

    def is_placed(self, name: str) -> bool:
        """Return whether it is known what a table of a plan with faults hangs below, if anything."""
        table = self.tables[name]
        if not isinstance(table, Table) or not table.stands:
            return False
        if table.per is None:
            return table.rows is not None or len(self.roots) == 1
        above = self.ancestors(name)
        return bool(above) and above[-1] != name

    def _pick_refused(self, name: str, pick: Pick, path: Path) -> Iterator[tuple[Path, str]]:
        source = pick.from_
        if source not in self.tables:
            known = [*self.tables, *([] if pick.among else SHIPPED_TABLES)]
            if source not in known:
                yield path, f"there is no table {source!r}{near(source, known)}"
            return
        table, own = self.tables[source], self.tables[name]
        if not all(self.is_placed(each) for top in (source, name) for each in (top, *self.ancestors(top))):
            return
        if pick.among == "earlier":
            if not self.is_root(source):
                yield path, f"`among: earlier` draws from the root, which {source!r} isn't"
        elif pick.among == "siblings":
            if source == name or table.per is None or table.per != own.per:
                yield (
                    path,
                    f"`among: siblings` draws from another table below the same parent, which {source!r} isn't",
                )
        elif not self.is_fixed(source):
            yield path, f"a pick draws from a fixed table, which {source!r} isn't, or needs `among`"

    def is_root(self, name: str) -> bool:
        """Return whether a table is the root."""
        return self.tables[name].per is None and self.tables[name].rows is None

    def is_fixed(self, name: str) -> bool:
        """Return whether a table is fixed, or below a fixed one."""
        return self.tables[[name, *self.ancestors(name)][-1]].rows is not None

    def ancestors(self, name: str) -> list[str]:
        """Return the tables above one, the nearest first; a cycle ends where it comes back to a table."""
        above: dict[str, None] = {}
        at = getattr(self.tables[name], "per", None)
        while isinstance(at, str) and at in self.tables and at not in above and name not in above:
            above[at] = None
            at = getattr(self.tables[at], "per", None)
        return list(above)


# Reading


class Package(NamedTuple):
    """An installed package that a plan names under `uses`: its name, its version, and its rules by their words."""

    name: str
    version: str
    offers: dict[str, Offer]


class Source(NamedTuple):
    """A plan with its document, which knows the places, and the packages whose rules it takes.

    Of a draft, `faults` are its faults of form, `refused` the paths where they are, and `doubtful` those with all that
    lead there. What stands there isn't known: in the plan it is left out, or it is `UNKNOWN_FIELD`, or a pick that
    means nothing. `adrift` are the tables of which it isn't known below which table they hang.
    """

    plan: Plan
    document: Document
    packages: tuple[Package, ...]
    faults: tuple[Fault, ...] = ()
    refused: frozenset[Path] = frozenset()
    doubtful: frozenset[Path] = frozenset()
    adrift: frozenset[str] = frozenset()

    @property
    def offers(self) -> dict[str, Offer]:
        """The rules that the packages offer, by their words."""
        return {word: offer for package in self.packages for word, offer in package.offers.items()}

    def package_of(self, rule: Rule) -> Package | None:
        """Return the package that offers a rule, None for one of the language."""
        word = _word(type(rule))
        return next((each for each in self.packages if word in each.offers), None)

    def fault(self, path: Path, reason: str) -> Fault:
        """Return a fault at a path of the plan, such as `("tables", "accounts", "fields", "type", "choice")`."""
        return self.document.fault(path, reason)


def parse_plan(text: str | bytes, file: str) -> Source:
    """Return the plan that a text holds; `file` is how messages name it.

    Raises PlanError with all faults of form.
    """
    return plan_of(read_draft(text, file))


def plan_of(document: Document, versions: Mapping[str, str] | None = None) -> Source:
    """Return the plan that a document holds; `versions` are those of its packages that a recipe tells.

    Raises PlanError with all faults of form.
    """
    source = draft_of(document, versions)
    if source.faults:
        raise document.error(*source.faults)
    return source


def draft_of(document: Document, versions: Mapping[str, str] | None = None) -> Source:
    """Return the plan that a document holds as far as it is one, with its faults of form.

    So a compiler can report the other faults beside them. Raises PlanError where there is no table to look at.
    """
    faults: list[Fault] = []
    packages = _packages(document, versions or {}, faults)
    offered = [offer.words for package in packages for offer in package.offers.values()]
    rules = {_word(rule): rule for rule in (*RULES, *offered)}
    hooks: dict[Any, Hook] = {
        Field: functools.partial(_field, rules, open_ended=bool(faults)),
        Branch: functools.partial(_branch, rules, open_ended=bool(faults)),
        **_DEFECT_HOOKS,
    }
    converter = Converter(document, hooks)
    plan = converter.take((), Annotated[Plan, _PLAN])
    faults += converter.faults
    if not faults:
        return Source(plan, document, packages)
    plan = converter.partial(())
    if not isinstance(plan, Plan) or not isinstance(plan.tables, dict):
        raise document.error(*faults)
    refused = frozenset(converter.refused) | {
        ("tables", name, word)
        for name, table in plan.tables.items()
        if not isinstance(table, Table)
        for word in ("fields", "pick", "count")
    }
    doubtful = frozenset(path[:end] for path in refused for end in range(len(path) + 1))
    sound = _sound(plan, doubtful)
    adrift = frozenset(name for name in sound.tables if not plan.is_placed(name))
    return Source(sound, document, packages, tuple(faults), refused, doubtful, adrift)


_PLAN = _about("", "a plan, with the keys esdh, name, version, reference_date and tables")
UNKNOWN_FIELD: Final = Field(rule=Value(value=True))
"""What stands in a draft for a field of which the rule isn't known."""
_UNKNOWN_PICK = Pick(from_="unknown")


def _sound(plan: Plan, doubtful: Collection[Path]) -> Plan:
    """Return a plan with faults without what has them."""
    tables = {name: table for name, table in plan.tables.items() if _can_be_named(name)}
    return msgspec.structs.replace(
        plan,
        name=plan.name if isinstance(plan.name, str) else "unknown",
        version=plan.version if isinstance(plan.version, int) else 1,
        reference_date=plan.reference_date if isinstance(plan.reference_date, Day) else Day(2000, 1, 1),
        description=None,
        defects=[],
        tables={
            name: _sound_table(table, ("tables", name), doubtful)
            if isinstance(table, Table)
            else Table(fields={})
            for name, table in tables.items()
        },
    )


def _can_be_named(name: object) -> bool:
    """Return whether expressions could have a name, if it isn't a right one either."""
    return isinstance(name, str) and name.isidentifier()


def _sound_table(table: Table, path: Path, doubtful: Collection[Path]) -> Table:
    dropped = {
        name: default
        for name, default in {"count": None, "room": None, "key": None, "stream": None}.items()
        if (*path, name) in doubtful
    }
    return msgspec.structs.replace(
        table,
        **dropped,
        rows=1 if table.rows is INVALID else table.rows,
        per=table.per if isinstance(table.per, str) else None,
        description=None,
        pick={
            name: pick if isinstance(pick, Pick) else _UNKNOWN_PICK
            for name, pick in _known(table.pick).items()
            if _can_be_named(name)
        },
        fields={
            name: field if isinstance(field, Field) else UNKNOWN_FIELD
            for name, field in _known(table.fields).items()
            if _can_be_named(name)
        },
    )


def _word(rule: type[Rule]) -> str:
    return rule.__struct_encode_fields__[0]


def _field(
    rules: Mapping[str, type[Rule]], converter: Converter, path: Path, value: Any, *, open_ended: bool
) -> Any:
    """Read a field: a text, or a rule among its modifiers; `open_ended` if there may be rules that aren't known."""
    if isinstance(value, str):
        rule = converter.struct(path, Expr, {"expr": value})
        return rule if rule is INVALID else Field(rule=rule)
    if not isinstance(value, dict):
        reason = f"expected an expression, as text, or a rule; found {display(value)}"
        if isinstance(value, int | Decimal):
            reason += f"; {{value: {display(value)}}} is the same on every row"
        return converter.refuse(path, reason)
    if open_ended and _is_unknown_rule(rules, value, Modifiers.__struct_fields__):
        converter.refused.add(path)
        return INVALID
    rule, rest = _rule(rules, converter, path, value, Modifiers.__struct_fields__)
    modifiers = converter.struct(path, Modifiers, rest, known=list(rules))
    if rule is INVALID or modifiers is INVALID:
        return converter.keep(path, INVALID if rule is INVALID else Field(rule=rule))
    for word in ("unique", "ordered"):
        if getattr(modifiers, word) and word not in rule.takes:
            able = word_list(f"`{name}`" for name, one in rules.items() if word in one.takes)
            converter.refuse(
                (*path, word), f"`{word}` is for {able}; this is `{_word(type(rule))}`", key=True
            )
    return Field(rule=rule, **{name: getattr(modifiers, name) for name in Modifiers.__struct_fields__})


def _is_unknown_rule(rules: Mapping[str, type[Rule]], value: dict[Any, Any], beside: Iterable[str]) -> bool:
    """Return whether a mapping has no rule that is known, and a key that may be one of a package that isn't there."""
    return not any(key in rules for key in value) and any(key not in beside for key in value)


def _branch(
    rules: Mapping[str, type[Rule]], converter: Converter, path: Path, value: Any, *, open_ended: bool
) -> Any:
    """Read a branch of a case: a rule, and `when`."""
    if not isinstance(value, dict):
        return converter.refuse(path, f"expected a rule with its `when`; found {display(value)}")
    if open_ended and _is_unknown_rule(rules, value, ("when", *Modifiers.__struct_fields__)):
        converter.refused.add(path)
        return INVALID
    able = {word: rule for word, rule in rules.items() if word in _IN_BRANCHES or rule not in RULES}
    rule, rest = _rule(able, converter, path, value, ("when", *Modifiers.__struct_fields__))
    for key in [
        key for key in rest if key != "when" and (key in rules or key in Modifiers.__struct_fields__)
    ]:
        del rest[key]
        rule = converter.refuse(
            (*path, key), f"a branch is a rule with its `when`; it can't have `{key}`", key=True
        )
    condition = converter.struct(path, _Condition, rest, known=list(able))
    return INVALID if rule is INVALID or condition is INVALID else Branch(rule=rule, when=condition.when)


class _Condition(_Words, frozen=True):
    """The key of a branch beside its rule."""

    when: Annotated[Expression | None, _about("The condition.")] = None


def _rule(
    rules: Mapping[str, type[Rule]],
    converter: Converter,
    path: Path,
    value: dict[Any, Any],
    modifiers: tuple[str, ...],
) -> tuple[Any, dict[Any, Any]]:
    """Return the one rule among the keys of a mapping, or INVALID, and the keys beside it."""
    words = [word for word in value if word in rules]
    rest = {key: inner for key, inner in value.items() if key not in words}
    if len(words) > 1:
        return converter.refuse(
            (*path, words[1]), f"one rule is taken at a place; this has {word_list(words, 'and')}", key=True
        ), rest
    if not words:
        if all(
            key in modifiers for key in rest
        ):  # else a key is unknown, and is reported with its near match
            converter.refuse(path, f"there is no rule; give one of {word_list(rules)}")
        return INVALID, rest
    return converter.struct(path, rules[words[0]], {words[0]: value[words[0]]}), rest


def packages_offering(names: Iterable[str]) -> tuple[tuple[Package, ...], dict[str, list[str]]]:
    """Return installed packages with the rules that they offer, and by name why one, or a rule of one, can't be taken.

    Nothing of a package that isn't named is imported.
    """
    points: dict[str, list[metadata.EntryPoint]] = {}
    for point in metadata.entry_points(group=RULES_GROUP):
        if point.dist is not None:
            points.setdefault(_normal(point.dist.name), []).append(point)
    known = set(map(_word, RULES))
    packages, whys = [], dict[str, list[str]]()
    for name in dict.fromkeys(names):
        found = points.get(_normal(name), [])
        if not found:
            hint = near(_normal(name), points)
            whys[name] = [f"no installed package {name!r} offers rules; install it{hint}"]
            continue
        offers: dict[str, Offer] = {}
        for point in found:
            offer = _offered(point, known)
            if isinstance(offer, Offer):
                offers[point.name] = offer
                known.add(point.name)
            else:
                whys.setdefault(name, []).append(f"the rule {point.name!r} of {name!r} {offer}")
        packages.append(Package(_normal(name), found[0].dist.version if found[0].dist else "", offers))
    return tuple(packages), whys


def _packages(document: Document, versions: Mapping[str, str], faults: list[Fault]) -> tuple[Package, ...]:
    """Return the packages that a plan names under `uses`, and report what is wrong with them there."""
    uses = document.content.get("uses") if isinstance(document.content, dict) else None
    names: dict[str, int] = {}
    for number, name in enumerate(uses if isinstance(uses, list) else ()):
        if isinstance(name, str) and re.search(
            _PACKAGE, name
        ):  # any other is reported where the plan's keys are read
            names.setdefault(name, number)
    packages, whys = packages_offering(names)
    for name, reasons in whys.items():
        version = versions.get(_normal(name))
        made_with = f"; the recipe was made with its version {version}" if version else ""
        faults += [document.fault(("uses", names[name]), reason + made_with) for reason in reasons]
    return packages


def _offered(point: metadata.EntryPoint, known: Container[str]) -> Offer | str:
    """Return what an entry point offers, or why it can't be taken."""
    if point.name in known:
        return "is there already; two packages can't offer one"
    try:
        offer = point.load()
    except Exception as error:  # whatever the import of a stranger's module raises is the package's fault
        return f"can't be loaded: {error}"
    if not _is_offer(offer, point.name):
        return f"is no Offer with a Rule of the one key {point.name!r}"
    try:
        Definitions().of(offer.words)
    except TypeError as error:
        return f"has words that a plan can't hold: {error}"
    return offer


def _is_offer(offer: object, word: str) -> TypeGuard[Offer]:
    return (
        isinstance(offer, Offer)
        and isinstance(offer.words, type)
        and issubclass(offer.words, Rule)
        and offer.words.__struct_encode_fields__ == (word,)
        and word not in Modifiers.__struct_fields__
    )


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


# The JSON Schema


def json_schema(offers: Iterable[Offer] = ()) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of plan files, with the rules that packages offer besides ours."""
    rules = [*RULES, *(offer.words for offer in offers)]
    able = [rule for rule in rules if _word(rule) in _IN_BRANCHES or rule not in RULES]
    definitions = Definitions()
    definitions.of(Plan)
    schemas = definitions.schemas
    field = _ruled(definitions, rules, fields_of(Modifiers))
    schemas["Field"] = {"description": Field.__doc__, "anyOf": [definitions.of(Expression), field]}
    schemas["Branch"] = {"description": Branch.__doc__} | _ruled(definitions, able, fields_of(_Condition))
    del schemas["Rule"]  # which stands for all of them in Field and Branch
    return {
        "$schema": DIALECT,
        "title": "ESDH plan",
        **schemas.pop("Plan"),
        "$defs": dict(sorted(schemas.items())),
    }


def defects_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of files of defects: a list, or one below `defects:`."""
    definitions = Definitions()
    forms = [definitions.of(form) for form in (DefectList, Defects)]
    return {
        "$schema": DIALECT,
        "title": "ESDH defects",
        "anyOf": forms,
        "$defs": dict(sorted(definitions.schemas.items())),
    }


def _ruled(
    definitions: Definitions, rules: list[type[Rule]], beside: Mapping[str, FieldKind]
) -> dict[str, Any]:
    """Return the schema of a mapping with exactly one of the rules, and keys beside it."""
    words = {word: field for rule in rules for word, field in fields_of(rule).items()}
    return {
        "type": "object",
        "properties": definitions.properties({**words, **beside}),
        "oneOf": [{"required": [word]} for word in words],
        "additionalProperties": False,
    }
