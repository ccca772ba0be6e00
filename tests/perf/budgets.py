"""What each row is to reach and what it must not exceed: `budgets.toml`, read and held against what was measured."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

__all__ = ["Budget", "Kind", "Measured", "Row", "budgets"]

Kind = Literal["bench", "guard"]
CLOSE = 1.1  # rounds that differ by less have one answer: that of the figure
FILE = Path(__file__).with_name("budgets.toml")


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: what is measured against what, its target (None without one) and its budget.

    A row beyond its budget fails the run; the target is what is aimed at. `bound` tells which side is good.
    """

    what: str
    against: str
    bound: Literal["at least", "at most"]
    budget: float
    target: float | None = None
    unit: Literal["x", "MB"] = "x"

    def figure(self, value: float) -> str:
        """Return a value in the row's unit, exact enough to tell it from a bound that it just misses."""
        digits = 0 if value >= 100 else 1 if value >= 10 else 3
        return f"{value:,.{digits}f}{self.unit if self.unit == 'x' else ' ' + self.unit}"

    def met(self, value: float, bound: float) -> bool:
        """Whether a value is on the good side of a bound."""
        return value >= bound if self.bound == "at least" else value <= bound


class Measured(msgspec.Struct, frozen=True):
    """What a run measured for a row: the figure its bounds are of, the absolute figures, and how it was taken.

    `rounds` has the figure of every round alone, where there were several; `others` the part of the cores' time that
    processes of others took.
    """

    budget: Budget
    value: float
    ours: str = ""
    theirs: str = ""
    how: str = ""
    rounds: tuple[float, ...] = ()
    others: float = 0.0

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most of the rounds without the lowest and the highest quarter of them."""
        ordered = sorted(self.rounds) or [self.value]
        cut = len(ordered) // 4
        return ordered[cut], ordered[-1 - cut]

    def can_judge(self, bound: float) -> bool:
        """Whether the rounds agree on which side of a bound they are, or are so close together that the figure decides."""
        low, high = self.spread
        return high <= low * CLOSE or self.budget.met(low, bound) == self.budget.met(high, bound)

    @property
    def excess(self) -> str | None:
        """Return the sentence that says how far the row is beyond its budget, or None when it isn't, or can't be judged."""
        row = self.budget
        if row.met(self.value, row.budget) or not self.can_judge(row.budget):
            return None
        return (
            f"{row.what}, against {row.against}: {row.figure(self.value)} was measured, the budget is "
            f"{row.bound} {row.figure(row.budget)}, missed by {abs(self.value / row.budget - 1):.1%}"
        )

    @property
    def verdict(self) -> str:
        """Return how the row stands to its target and its budget."""
        row = self.budget
        if not self.can_judge(row.budget):
            return "spread too wide to judge"
        if self.excess:
            return "over budget"
        if row.target is None:
            return "within budget"
        if not self.can_judge(row.target):
            return "within budget, spread too wide to judge the target"
        return "reached" if row.met(self.value, row.target) else "not reached"


class Row(Protocol):
    """Takes what was measured for a row; fails the test when it is beyond the row's budget."""

    def __call__(
        self,
        name: str,
        value: float,
        *,
        rounds: Sequence[float] = (),
        ours: str = "",
        theirs: str = "",
        how: str = "",
    ) -> None:
        """Record the row; `value` is what its bounds are of, and `rounds` that of every round alone."""


def budgets(kind: Kind) -> dict[str, Budget]:
    """Return the rows of `just bench` or of `just guard`, by name, in the order of the file."""
    with FILE.open("rb") as file:
        return msgspec.convert(tomllib.load(file)[kind], dict[str, Budget])
