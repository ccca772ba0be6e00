"""The counts that are labels of a plan's fields: labels, bands, nulls, and the shares that the plan declares."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from esdh_core.columns import Boolean, Categorical, Categories, Column, Numbers
from esdh_core.dataset import Block
from esdh_core.stats import MOST_DISTINCT, OTHER, TOO_MANY, Counts, Draw, Group, Statistic, Tally, merge
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.definitions import Definition
from esdh_plan.draws import MOST_LABELS, Outcomes, Ranges, frequent_labels, label_of

__all__ = ["draws_of", "statistics_of"]

_MOST_TABLES = 16  # of categories whose codes are counted at a time


class _LabelTally:
    """Counts the values of a coded column by their text, nulls left out; those that aren't among `labels` as `other`."""

    def __init__(self, labels: frozenset[str] | None = None) -> None:
        self._labels = labels
        self._by_code: dict[Categories, NDArray[np.intp]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        if TOO_MANY in self._counts:
            valid = column.valid
            self._counts[TOO_MANY] += len(column) if valid is None else int(np.count_nonzero(valid))
            return
        if isinstance(column, Categorical):
            counted = np.bincount(column.codes, minlength=len(column.categories))
            before = self._by_code.get(column.categories)
            self._by_code[column.categories] = counted if before is None else before + counted
            if len(self._by_code) > _MOST_TABLES:  # each block may have categories of its own
                self._fold()
            return
        if isinstance(column, Numbers):
            values = column.values if column.valid is None else column.values[column.valid]
            if isinstance(column, Boolean):
                values = values.astype(np.bool_)
            distinct, counts = np.unique(values, return_counts=True)
            pairs = zip(distinct.tolist(), counts.tolist(), strict=True)
            self._update({label_of(value): count for value, count in pairs})
        else:
            self._update(Counter(value for value in column.tolist() if value is not None))

    def counts(self) -> Counts:
        """Return label to count."""
        self._fold()
        return dict(self._counts)

    def _fold(self) -> None:
        for categories, counted in self._by_code.items():
            found: Counter[str] = Counter()
            for code in np.flatnonzero(counted).tolist():
                value = categories.values[code]
                if value is not None:
                    found[value] += int(counted[code])
            self._update(found)
        self._by_code.clear()

    def _update(self, counts: Mapping[str, int]) -> None:
        for label, count in counts.items():
            self._counts[label if self._labels is None or label in self._labels else OTHER] += count
        if len(self._counts) > MOST_DISTINCT:
            self._counts = Counter(merge([self._counts]))


class _BandTally:
    """Counts the values of a column by ranges, nulls left out."""

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        self._counts = np.zeros(len(ranges.labels), dtype=np.intp)

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        if not isinstance(column, Numbers):
            raise TypeError(f"a {type(column).__name__} column has no ranges")
        values = column.values if column.valid is None else column.values[column.valid]
        self._counts += np.bincount(self._ranges.places(values), minlength=len(self._counts))

    def counts(self) -> Counts:
        """Return range to count."""
        pairs = zip(self._ranges.labels, self._counts.tolist(), strict=True)
        return {label: count for label, count in pairs if count}


class _NullTally:
    """Counts the rows with a value and those without."""

    def __init__(self) -> None:
        self._null = self._rows = 0

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        valid = column.valid
        self._rows += len(column)
        self._null += 0 if valid is None else len(column) - int(np.count_nonzero(valid))

    def counts(self) -> Counts:
        """Return `null` and `value` to count."""
        counted = {"null": self._null, "value": self._rows - self._null}
        return {label: count for label, count in counted.items() if count}


def statistics_of(
    table: str, name: str, words: language.Field, definition: Definition, raw: Definition
) -> Iterator[Statistic]:
    """Yield what is counted of a field's values; `raw` is what its rule makes, before its modifiers."""
    if raw.bands is not None:
        ranges = Ranges(raw.bands.bands, raw.type)
        shares: Mapping[str, Fraction] | None = ranges.group().expected if _is_judged(words) else None
        yield _statistic(f"{table}.{name}", name, partial(_BandTally, ranges), shares, ranges=True)
    elif definition.type.labels is not None:
        declared = raw.shares
        labels = None if declared is None else frequent_labels(list(declared), declared)
        shares = declared if _is_judged(words) else None
        if shares is not None and labels is not None:
            rest = {
                OTHER: sum((share for label, share in shares.items() if label not in labels), Fraction(0))
            }
            shares = {label: share for label, share in shares.items() if label in labels} | rest
        most = MOST_LABELS if declared is None else 0  # whose labels are known
        yield _statistic(f"{table}.{name}", name, partial(_LabelTally, labels), shares, most=most)
    if definition.type.nullable:
        expected = (
            None if words.missing is None or _is_drawn_for_some(words, raw) else _null_shares(words.missing)
        )
        yield _statistic(f"{table}.{name}.nulls", name, _NullTally, expected)


def draws_of(
    table: str,
    name: str,
    words: language.Field,
    *,
    column: Callable[[Block], Column],
    raw: Definition,
    met: Callable[[Block], NDArray[np.bool_]] | None,
) -> Iterator[Draw]:
    """Yield what is counted of a field where its words are drawn, unless its values tell as much.

    `column` is what the field has in the end, and `met` where its `when` holds.
    """
    values_tell = _is_judged(words) and (raw.bands is not None or raw.shares is not None)
    if not values_tell:
        for outcomes in raw.draws:
            suffix = "" if outcomes.groups[0].name else "[drawn]"  # the field's own values have its name
            yield outcomes.of(f"{table}.{name}{suffix}", name)
    if words.missing is not None and _is_drawn_for_some(words, raw):
        yield _missing(words.missing, column, raw, met).of(f"{table}.{name}.missing", name)


def _is_judged(words: language.Field) -> bool:
    """Return whether the values that a field has in the end follow the odds by which they are drawn.

    Those of `ordered` siblings don't, where `when` then leaves some out: the first of them, say.
    """
    return not (words.ordered and words.when is not None)


def _is_drawn_for_some(words: language.Field, raw: Definition) -> bool:
    """Return whether `missing` decides some rows only, so that not every null is its own."""
    return words.when is not None or raw.type.nullable


def _missing(
    share: Fraction,
    column: Callable[[Block], Column],
    raw: Definition,
    met: Callable[[Block], NDArray[np.bool_]] | None,
) -> Outcomes:
    """Return the draws of `missing`, on the rows that would have a value without it."""
    shares = _null_shares(share)
    labels = ("null", "value")
    group = Group("", labels, tuple(shares.get(label, Fraction(0)) for label in labels))

    def cells(block: Block) -> NDArray[np.integer]:
        found = column(block)
        valid = found.valid
        places = np.ones(len(found), dtype=np.int8) if valid is None else valid.astype(np.int8)
        for some in (
            raw.column(block).valid if raw.type.nullable else None,
            None if met is None else met(block),
        ):
            if some is not None:
                places = np.where(some, places, np.int8(len(labels)))
        return places

    return Outcomes((group,), cells)


def _null_shares(missing: Fraction) -> dict[str, Fraction]:
    null = Fraction(int(missing * (1 << 32)), 1 << 32)
    return {label: share for label, share in (("null", null), ("value", 1 - null)) if share}


def _statistic(
    name: str, field: str, tally: Callable[[], Tally], shares: Mapping[str, Fraction] | None, **more: Any
) -> Statistic:
    return Statistic(name, field, tally, None if shares is None else lambda: shares, **more)
