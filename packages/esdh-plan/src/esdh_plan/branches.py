"""`by`: which branch a row takes, by a coded field."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from esdh_core.columns import Categorical, Categories, Column, Numbers
from esdh_core.dataset import Block
from numpy.typing import NDArray

from esdh_plan.definitions import Place, Reference
from esdh_plan.errors import display, near

__all__ = ["By", "CodedTexts", "Codes", "coded"]

Longs = NDArray[np.int64]
Label = str | int | bool | None


class Codes:
    """The place of each value among some known ones; `other` for those that aren't, `null` for null."""

    def __init__(self, values: Sequence[Label], other: int, null: int) -> None:
        self._places = {(type(value), value): place for place, value in enumerate(values)}
        self._other, self._null = other, null
        self._tables: WeakKeyDictionary[Categories, Longs] = WeakKeyDictionary()
        numbers = sorted(value for value in values if isinstance(value, int))
        self._numbers = np.array(numbers, dtype=np.int64)
        self._of_numbers = np.array(
            [self._places.get((bool, bool(each)), self._places.get((int, each), other)) for each in numbers],
            dtype=np.int64,
        )

    def place(self, value: Label) -> int:
        """Return the place of a value."""
        return self._null if value is None else self._places.get((type(value), value), self._other)

    def of(self, column: Column) -> Longs:
        """Return the place of each row's value."""
        if isinstance(column, Categorical):
            table = self._tables.get(column.categories)
            if table is None:
                table = np.array([self.place(value) for value in column.categories.values], dtype=np.int64)
                self._tables[column.categories] = table
            return table.take(column.codes)
        if not isinstance(column, Numbers):
            return np.array([self.place(value) for value in column.tolist()], dtype=np.int64)
        if len(self._numbers) == 0:
            places = np.full(len(column), self._other, dtype=np.int64)
        else:
            values = column.values.astype(np.int64)
            at = np.minimum(np.searchsorted(self._numbers, values), len(self._numbers) - 1)
            places = np.where(self._numbers.take(at) == values, self._of_numbers.take(at), self._other)
        return places if column.valid is None else np.where(column.valid, places, self._null)


class CodedTexts:
    """The characters of coded texts that are ASCII and of one length, a row each."""

    def __init__(self) -> None:
        self._tables: WeakKeyDictionary[Categories, NDArray[np.uint8]] = WeakKeyDictionary()

    def of(self, column: Column) -> NDArray[np.uint8]:
        """Return the characters of a column's values, shape (rows, length)."""
        if not isinstance(column, Categorical):
            return _characters(column.tolist())
        table = self._tables.get(column.categories)
        if table is None:
            table = self._tables[column.categories] = _characters(column.categories.values)
        return table.take(column.codes, axis=0)


def _characters(texts: Sequence[Label]) -> NDArray[np.uint8]:
    return np.frombuffer("".join(map(str, texts)).encode("ascii"), dtype=np.uint8).reshape(len(texts), -1)


def coded(place: Place, name: str) -> Reference:
    """Return the coded field of a name; refused where it isn't one."""
    found = place.reference(name)
    if found.type.labels is None:
        place.refuse(
            f"{name!r} isn't coded; `by` and `where` take a choice, a value, a boolean, a case of these, or a text of a pick"
        )
    return found


class By:
    """Branches by the value of a coded field: `keys` and perhaps an `else`, which comes last."""

    def __init__(self, place: Place, words: Any) -> None:
        self.reference = coded(place.at("by"), words.by)
        keys = list(words.of)
        self._check(place, words, keys)
        otherwise = len(keys) if words.else_ is not None else -1
        null = keys.index(None) if None in keys else otherwise
        self._codes = Codes(keys, otherwise, null)

    def _check(self, place: Place, words: Any, keys: list[Label]) -> None:
        of = self.reference.type
        known = dict.fromkeys(of.labels or ())
        kinds = {"string": str, "integer": int, "boolean": bool}
        branches = set(keys)
        unused = [each for each in known if each not in branches]
        has_fault = False
        for key in keys:
            if key is None:
                continue
            if type(key) is not kinds.get(of.kind):
                why = f"{display(key)} is no {of.kind}, which {words.by!r} is"
            elif known and key not in known:
                why = f"{words.by!r} is never {display(key)}{near(key, unused)}"
            else:
                continue
            place.compiler.fault((*place.path, "of", key), why, key=True)
            has_fault = True
        if words.else_ is None and not has_fault:
            lacking = list(map(display, unused)) if known else ["values that aren't known here"]
            if of.nullable and None not in keys:
                lacking.append("null")
            if lacking:
                more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
                place.refuse(f"there is no branch for {', '.join(lacking[:3])}{more}; give it, or `else`")
        if has_fault:
            place.refuse_silently()

    def branch(self, block: Block) -> Longs:
        """Return the number of each row's branch."""
        return self._codes.of(self.reference.read(block))
