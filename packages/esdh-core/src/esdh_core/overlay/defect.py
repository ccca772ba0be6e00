"""One defect: whether it strikes a row, and what it makes of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esdh_core.columns import Column
from esdh_core.dataset import Block, Table
from esdh_core.mixing import GOLDEN_GAMMA, MASK_64, mix64

__all__ = [
    "MOVES",
    "WINDOWS",
    "Damage",
    "Defect",
    "Dice",
    "Edit",
    "Effect",
    "Evidence",
    "FileShape",
    "Occurrence",
    "Values",
    "occurrences_at",
    "same",
]

Values = tuple[Any, ...]
Edit = Callable[[Values, "Dice", Values], Values]
"""From the values of a defect's fields, its dice and its evidence to the values that stand there instead.

Of `earlier` it gives one number, of places; of `twice` and `absent` nothing. Of `bytes` it gives one `Damage`, or what it was
given where there is none; of `file` one `FileShape`."""
Evidence = Callable[[Block, NDArray[np.integer]], Column]
"""From a block and the positions of some rows of the defect's table to a column of these rows."""
Effect = Literal["cells", "twice", "second", "absent", "earlier", "bytes", "file"]
"""What a defect does: other values in cells; or the row is there once more behind itself, is followed by a second one with
other values, isn't there, or stands some places earlier; or the row is written with bytes that its text format forbids, or
the file is another than its schema says."""
MOVES: Final = frozenset(("twice", "second", "absent", "earlier"))
"""The effects by which other rows are written than the clean ones, or in another order."""


class Dice:
    """What one occurrence of a defect draws: SplitMix64 over the lower half of its row's word."""

    __slots__ = ("_state",)

    def __init__(self, word: int) -> None:
        self._state = word & 0xFFFFFFFF

    def below(self, bound: int) -> int:
        """Return an integer from 0 to `bound - 1`; `bound` is at least 1."""
        self._state = self._state + GOLDEN_GAMMA & MASK_64
        return mix64(self._state) * bound >> 64

    def choose(self, values: Sequence[Any]) -> Any:
        """Return one of some values, each with the same odds."""
        return values[self.below(len(values))]


WINDOWS: Final = "cp1252"
"""The encoding in which a text is written where UTF-8 is due."""


class Damage(NamedTuple):
    """What is wrong with the bytes of a row in a text format, whichever that is.

    `encoding`: the cell of `field` has the bytes of `text` in Windows-1252. `quoting`: the cell, with `text` in it, is ill
    quoted in the way of number `way`. `fewer`: the row has no cell of `field`. `more`: it has one more cell, behind that of `field`.
    """

    what: Literal["encoding", "quoting", "fewer", "more"]
    field: str
    text: str = ""
    way: int = 0

    @property
    def rival(self) -> tuple[str, ...]:
        """What it has in common with damage that it can't stand beside."""
        return (self.what, self.field) if self.is_of_cell else ("cells",)

    @property
    def is_of_cell(self) -> bool:
        """Whether it is one cell that is wrong, not how many there are."""
        return self.what in ("encoding", "quoting")

    @property
    def found(self) -> str | None:
        """What a reader sees in the cell that has U+FFFD for what isn't UTF-8; None where readers differ."""
        if self.what != "encoding":
            return None
        return self.text.encode(WINDOWS, "replace").decode("utf-8", "replace")


class FileShape(NamedTuple):
    """How the files of a table differ from what its schema says.

    `names` are those of columns that have another there; `extra` the place and the name of each column that the schema
    doesn't have, which holds nulls alone. Where it `ends_early`, the last file ends in its last row.
    """

    names: tuple[tuple[str, str], ...] = ()
    extra: tuple[tuple[int, str], ...] = ()
    ends_early: bool = False

    def __or__(self, other: "FileShape") -> "FileShape":
        """Return the shape of a file that has what either has."""
        return FileShape(
            self.names + other.names, self.extra + other.extra, self.ends_early or other.ends_early
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Defect:
    """One defect, as it is applied.

    It strikes the rows of `table` where its word's upper half is below `share` * 2^32 or, with `exactly`, the first
    so many rows; of both only those on which `where` holds and on which `edit` changes something. `evidence`
    are columns of more values of each row that `edit` looks at. What it writes `may_be_null`
    in fields that have no null, or `needs_text` and so fits no typed format.

    A `second` row has the values of its row, but for those of `fields`, which `edit` changes, and of `fresh`, which are its
    evidence. With `reaches_far` values are those of records that no snapshot may have, then: see `far_slot`.
    """

    kind: str
    name: str
    table: Table
    fields: tuple[str, ...]
    stream: str
    edit: Edit
    share: Fraction | None = None
    exactly: int | None = None
    where: Callable[[Block], NDArray[np.bool_]] | None = None
    evidence: tuple[Evidence, ...] = ()
    may_be_null: bool = False
    needs_text: bool = False
    effect: Effect = "cells"
    fresh: tuple[str, ...] = ()
    reaches_far: bool = False

    @property
    def key(self) -> str:
        """What stands before the slot in the ids of its labels: `accounts.type!typo`, of rows `accounts!missing_row`."""
        return self.key_of(None if self.effect in MOVES or not self.fields else self.fields[0])

    def key_of(self, name: str | None) -> str:
        """Return what stands before the slot in the ids of the labels of one of its fields, or of rows."""
        return f"{self.table.name}{'' if name is None else f'.{name}'}!{self.name}"

    @property
    def is_of_files(self) -> bool:
        """Whether it is wrong with bytes or files, and not with values or rows."""
        return self.effect in ("bytes", "file")

    def changes(self, clean: Values, wrong: Values) -> bool:
        """Return whether what stands there instead of some values is anything else."""
        if self.effect in ("cells", "second"):
            return not all(map(same, wrong, clean))
        if self.effect == "bytes":
            return any(isinstance(each, Damage) for each in wrong)
        return self.effect != "earlier" or any(wrong)


class Occurrence(NamedTuple):
    """A defect in one row of a block: the row's position, the word and the evidence, the clean values and the wrong."""

    row: int
    word: int
    evidence: Values
    clean: Values
    wrong: Values


def occurrences_at(defect: Defect, block: Block, rows: NDArray[np.integer]) -> Iterator[Occurrence]:
    """Yield the occurrences of a defect in some rows of a block, but for those that it wouldn't change."""
    if not len(rows):
        return
    rules = {rule.name: rule for rule in defect.table.rules}
    words = block.words(defect.table, defect.stream).take(rows).tolist()
    clean = [rules[name].column(block).take(rows).tolist() for name in defect.fields]
    evidence = [read(block, rows).tolist() for read in defect.evidence]
    beside = zip(*evidence, strict=True) if evidence else ((),) * len(rows)
    values_of_rows = zip(*clean, strict=True) if clean else ((),) * len(rows)
    for row, word, values, more in zip(rows.tolist(), words, values_of_rows, beside, strict=True):
        wrong = defect.edit(values, Dice(word), more)
        if defect.changes(values, wrong):
            yield Occurrence(row, word, more, values, wrong)


def same(one: Any, other: Any) -> bool:
    """Return whether two values are one: a text is no number, and a truth is none either."""
    return type(one) is type(other) and bool(one == other)
