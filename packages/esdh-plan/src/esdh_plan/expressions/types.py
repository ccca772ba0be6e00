"""What is known of a value before any row is made, and the typed tree that computes it."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal

from esdh_core.columns import day_number

__all__ = [
    "DAY",
    "INT64",
    "MOST_CHARACTERS",
    "MOST_DIGITS",
    "RANGES",
    "Kind",
    "Node",
    "Path",
    "ValueType",
]

Kind = Literal["string", "integer", "decimal", "boolean", "date", "timestamp"]
Path = tuple[str, ...]

DAY = 86_400  # seconds
MOST_DIGITS = 18  # of a decimal, and of what stands after its point
MOST_CHARACTERS = (
    10_000  # of a text that a plan puts together: fields of fields could double it at every step
)
INT64 = (-(2**63), 2**63 - 1)

_DAYS = (day_number(dt.date.min), day_number(dt.date.max))

RANGES: dict[Kind, tuple[int, int]] = {
    "integer": INT64,
    "decimal": (-(10**MOST_DIGITS) + 1, 10**MOST_DIGITS - 1),
    "boolean": (0, 1),
    "date": _DAYS,
    "timestamp": (_DAYS[0] * DAY, _DAYS[1] * DAY + DAY - 1),
}
"""The unscaled values that a kind has room for."""


@dataclass(frozen=True, slots=True)
class ValueType:
    """The type of a value.

    `low` and `high` bound the unscaled value (dates: days, timestamps: seconds) over every row that there can be;
    left out they are the kind's whole range. They may lie outside it within `round()` and comparisons alone.
    A string has none; it has the most characters that it can have as `length`, None where that isn't known.
    `labels` are the values that a coded value can have; None where a value isn't coded.
    """

    kind: Kind
    nullable: bool = False
    scale: int = 0
    low: int | None = None
    high: int | None = None
    labels: tuple[str | int | bool, ...] | None = None
    length: int | None = None

    def __post_init__(self) -> None:
        if self.kind == "string":
            if self.length is None and self.labels is not None:
                object.__setattr__(self, "length", max((len(str(each)) for each in self.labels), default=0))
            return
        low, high = RANGES[self.kind]
        object.__setattr__(self, "low", low if self.low is None else self.low)
        object.__setattr__(self, "high", high if self.high is None else self.high)

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest unscaled value; TypeError for a string, which has none."""
        if self.low is None or self.high is None:
            raise TypeError("a string has no bounds")
        return self.low, self.high

    @property
    def is_number(self) -> bool:
        """Whether it is an integer or a decimal."""
        return self.kind in ("integer", "decimal")

    @property
    def is_time(self) -> bool:
        """Whether it is a date or a timestamp."""
        return self.kind in ("date", "timestamp")

    @property
    def fits_int64(self) -> bool:
        """Whether NumPy can reckon with every value in 64 bits."""
        low, high = self.bounds
        return INT64[0] <= low and high <= INT64[1]


@dataclass(frozen=True, slots=True)
class Node:
    """A typed expression: an operation of nodes, a constant (`const`) or what a path names (`name`).

    `value` is the constant (unscaled, if it is a number), the path, or what else the operation needs; `names`
    are the paths that the expression reads.
    """

    op: str
    type: ValueType
    args: "tuple[Node, ...]" = ()
    value: str | int | Path | None = None
    names: frozenset[Path] = field(default=frozenset(), compare=False)

    @classmethod
    def of(cls, op: str, of: ValueType, *args: "Node", value: str | int | Path | None = None) -> "Node":
        """Return an operation of some nodes, which reads what they read."""
        return cls(op, of, args, value, frozenset[Path]().union(*(each.names for each in args)))

    @classmethod
    def named(cls, path: Path, of: ValueType) -> "Node":
        """Return what a path names."""
        return cls("name", of, (), path, frozenset([path]))

    @classmethod
    def constant(cls, of: ValueType, value: str | int) -> "Node":
        """Return a constant."""
        return cls("const", of, (), value)

    @property
    def is_constant(self) -> bool:
        """Whether the value is the same on every row, and known."""
        return self.op == "const"
