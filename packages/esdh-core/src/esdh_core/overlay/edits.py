"""What is wrong with the rows of a block: their cells, their bytes, and which of them are written, and where."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from esdh_core.columns import Column, take_rows
from esdh_core.overlay.defect import Damage, Defect, Dice, Occurrence, same
from esdh_core.overlay.labels import Label

__all__ = ["DefectiveRows", "Edits", "Found", "WrittenRows", "damage_of", "strike"]


@dataclass(frozen=True)
class Edits:
    """What is wrong with some rows of a table: field to the row's position to the value that stands there.

    A value may be null in a field that has none, and a text in one that holds none. Where rows are there twice, aren't
    there or stand elsewhere, `order` has, for each row that is written, the position of the clean row that it has its
    other values of; positions of cells are of written rows. `seconds` are the positions of rows that are a second one of
    their clean row, with an id of their own. `damage` is by the positions of written rows too: of text formats alone.
    """

    cells: dict[str, dict[int, Any]] = field(default_factory=dict)
    order: NDArray[np.intp] | None = None
    seconds: frozenset[int] = frozenset()
    damage: dict[int, list[Damage]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.cells) or self.order is not None or bool(self.damage)

    @property
    def rows(self) -> NDArray[np.intp]:
        """The positions of the written rows with a wrong cell or wrong bytes, in ascending order."""
        return np.array(
            sorted({row for of in self.cells.values() for row in of}.union(self.damage)), dtype=np.intp
        )

    def written(self, columns: dict[str, Column]) -> dict[str, Column]:
        """Return the columns of clean rows as those of the rows that are written, which still have no wrong cell."""
        return columns if self.order is None else take_rows(columns, self.order)

    def window(self, start: int, stop: int) -> "Edits":
        """Return the edits of clean rows `start` to `stop - 1`, counted from `start`; no row leaves or enters them."""
        first, last, order = start, stop, None
        if self.order is not None:
            inside = np.flatnonzero((self.order >= start) & (self.order < stop))
            first, last = (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, 0)
            order = self.order[inside] - start
        cells = {
            name: {row - first: value for row, value in of.items() if first <= row < last}
            for name, of in self.cells.items()
        }
        return Edits(
            {name: of for name, of in cells.items() if of},
            order,
            frozenset(row - first for row in self.seconds if first <= row < last),
            {row - first: of for row, of in self.damage.items() if first <= row < last},
        )

    @classmethod
    def concatenate(cls, parts: Iterable[tuple[int, "Edits"]]) -> "Edits":
        """Return the edits of parts that stand one after another, each with its number of clean rows."""
        cells: dict[str, dict[int, Any]] = {}
        damage: dict[int, list[Damage]] = {}
        seconds: set[int] = set()
        orders: list[NDArray[np.intp]] = []
        first = written = 0
        moved = False
        for rows, part in parts:
            for name, of in part.cells.items():
                cells.setdefault(name, {}).update((written + row, value) for row, value in of.items())
            damage.update((written + row, each) for row, each in part.damage.items())
            seconds.update(written + row for row in part.seconds)
            order = np.arange(rows, dtype=np.intp) if part.order is None else part.order
            orders.append(order + first)
            moved |= part.order is not None
            first, written = first + rows, written + len(order)
        return cls(cells, np.concatenate(orders) if moved else None, frozenset(seconds), damage)


class WrittenRows:
    """Which of a block's rows are written, how often and where, and the second rows between them."""

    def __init__(self) -> None:
        self._copies: dict[int, int] = {}
        self._places: dict[int, int] = {}
        self._seconds: list[tuple[int, dict[str, Any]]] = []
        self.absent: set[int] = set()

    def add(self, defect: Defect, occurrences: Iterable[Occurrence]) -> None:
        """Take what a defect of rows does."""
        for row, _, evidence, _, wrong in occurrences:
            match defect.effect:
                case "twice":
                    self._copies[row] = self._copies.get(row, 0) + 1
                case "absent":
                    self.absent.add(row)
                case "earlier":
                    self._places[row] = max(self._places.get(row, 0), *wrong)
                case "second":
                    values = zip((*defect.fields, *defect.fresh), (*wrong, *evidence), strict=True)
                    self._seconds.append((row, dict(values)))

    def edits(self, count: int, cells: dict[str, dict[int, Any]], damage: dict[int, list[Damage]]) -> Edits:
        """Return the edits of `count` rows, of which some cells and bytes are wrong, by the positions of clean rows."""
        cells = {name: of for name, of in cells.items() if of}
        if not (self._copies or self.absent or self._places or self._seconds):
            return Edits(cells, damage=damage)
        rows, seconds = self._arranged(count)
        written: dict[str, dict[int, Any]] = {}
        written_damage: dict[int, list[Damage]] = {}
        at = np.flatnonzero(np.isin(rows, Edits(cells, damage=damage).rows) & (seconds < 0))
        for position, row in zip(at.tolist(), rows[at].tolist(), strict=True):
            for name, of in cells.items():
                if row in of:
                    written.setdefault(name, {})[position] = of[row]
            if row in damage:
                written_damage[position] = damage[row]
        at = np.flatnonzero(seconds >= 0)
        for position, second in zip(at.tolist(), seconds[at].tolist(), strict=True):
            for name, value in self._seconds[second][1].items():
                written.setdefault(name, {})[position] = value
        return Edits(written, rows, frozenset(at.tolist()), written_damage)

    def _arranged(self, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return, of each row that is written, the position of its clean row, and the number of the second row that it is or -1."""
        often = np.ones(count, dtype=np.intp)
        for row, copies in self._copies.items():
            often[row] += copies
        often[list(self.absent)] = 0
        place = np.arange(count, dtype=np.float64)
        for row, places in self._places.items():
            place[row] = row - places - 0.5  # before the row that stands there
        rows = np.repeat(np.arange(count, dtype=np.intp), often)
        seconds = np.full(len(rows), -1, dtype=np.intp)
        if self._seconds:
            rows = np.append(rows, np.array([row for row, _ in self._seconds], dtype=np.intp))
            seconds = np.append(seconds, np.arange(len(self._seconds)))
        arranged = np.lexsort((seconds, rows, place[rows]))
        return rows[arranged], seconds[arranged]


class DefectiveRows(NamedTuple):
    """Rows of a table: their clean columns, what is wrong with them, and the labels, which aren't sorted."""

    columns: dict[str, Column]
    edits: Edits
    labels: list[Label]


def strike(cells: dict[str, dict[int, Any]], defect: Defect, occurrences: Iterable[Occurrence]) -> None:
    """Put what a defect of cells writes into the cells of its fields, whatever stands there already."""
    own = [cells.setdefault(name, {}) for name in defect.fields]
    for row, word, evidence, clean, alone in occurrences:
        wrong = alone
        if any(row in of_field for of_field in own):  # an earlier defect was here
            present = tuple(of_field.get(row, value) for of_field, value in zip(own, clean, strict=True))
            later = defect.edit(present, Dice(word), evidence)
            # What would bring the clean value back is passed over: what is labelled is wrong.
            wrong = tuple(
                each if not same(each, value) else first if same(before, value) else before
                for each, before, first, value in zip(later, present, alone, clean, strict=True)
            )
        for of_field, value, before in zip(own, wrong, clean, strict=True):
            if not same(value, before):
                of_field[row] = value


def damage_of(
    cells: dict[str, dict[int, Any]], struck: Iterable[tuple[int, Defect, list[Occurrence]]]
) -> dict[int, list[Damage]]:
    """Return what is wrong with the bytes of rows, by their positions: of the values that stand in their cells in the end.

    Of several defects that do the same to a cell, or of several that change a row's number of cells, the first counts: two might
    give the clean row.
    """
    damage: dict[int, list[Damage]] = {}
    for defect, occurrences in ((defect, each) for _, defect, each in struck if defect.effect == "bytes"):
        own = [cells.get(name, {}) for name in defect.fields]
        for row, word, evidence, clean, alone in occurrences:
            found = alone
            if any(row in of_field for of_field in own):  # a defect of cells was here
                present = tuple(of_field.get(row, value) for of_field, value in zip(own, clean, strict=True))
                found = defect.edit(present, Dice(word), evidence)
            of_row = damage.setdefault(row, [])
            if isinstance(found[0], Damage) and all(found[0].rival != each.rival for each in of_row):
                of_row.append(found[0])
    return {row: of_row for row, of_row in damage.items() if of_row}


class Found(NamedTuple):
    """What stands in cells in the end."""

    cells: dict[str, dict[int, Any]]
    damage: dict[int, list[Damage]]
    absent: set[int]

    def cell(self, name: str, row: int) -> Any:
        """Return the value of a field in a row, None where there is no row or no cell, and where readers differ."""
        damage = [each for each in self.damage.get(row, ()) if each.field == name and each.what != "more"]
        if row in self.absent or any(each.found is None for each in damage):
            return None
        return damage[-1].found if damage else self.cells[name][row]
