"""The counts that are kept of a plan's fields: labels, bands, nulls, and the shares that the plan declares."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import partial

import numpy as np
from esdh_core.columns import Boolean, Categorical, Categories, Column, Numbers
from esdh_core.stats import Counts, Statistic
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.definitions import Definition
from esdh_plan.distributions import Band, merge_bands

__all__ = ["statistics_of"]

_MOST_LABELS = 1_000
OTHER = "other"


class _LabelTally:
    """Counts the values of a coded column by their text, nulls left out; those that aren't `kept` as `other`.

    Which labels are kept follows from the plan alone, so that the counts of blocks add up.
    """

    def __init__(self, labels: frozenset[str] | None = None) -> None:
        self._labels = labels
        self._by_code: dict[Categories, NDArray[np.intp]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        if isinstance(column, Categorical):
            counted = np.bincount(column.codes, minlength=len(column.categories))
            before = self._by_code.get(column.categories)
            self._by_code[column.categories] = counted if before is None else before + counted
            return
        if isinstance(column, Numbers):
            values = column.values if column.valid is None else column.values[column.valid]
            if isinstance(column, Boolean):
                values = values.astype(np.bool_)
            distinct, counts = np.unique(values, return_counts=True)
            self._counts.update(
                {_label(v): c for v, c in zip(distinct.tolist(), counts.tolist(), strict=True)}
            )
            return
        self._counts.update(value for value in column.tolist() if value is not None)

    def counts(self) -> Counts:
        """Return label to count."""
        total: Counter[str] = Counter()
        for label, count in self._counts.items():
            total[self._label_of(label)] += count
        for categories, counted in self._by_code.items():
            for code in np.flatnonzero(counted).tolist():
                value = categories.values[code]
                if value is not None:
                    total[self._label_of(value)] += int(counted[code])
        return dict(total)

    def _label_of(self, label: str) -> str:
        return label if self._labels is None or label in self._labels else OTHER


def _frequent_labels(
    labels: Iterable[object], shares: Mapping[str, Fraction] | None
) -> frozenset[str] | None:
    """Return the labels that are counted one by one, the most frequent by the plan; None for all of them."""
    texts = [_label(label) for label in labels]
    if len(texts) <= _MOST_LABELS:
        return None
    ranked = sorted(texts, key=lambda text: -shares.get(text, 0)) if shares is not None else texts
    return frozenset(ranked[:_MOST_LABELS])


def _shorten(shares: Mapping[str, Fraction], labels: frozenset[str] | None) -> dict[str, Fraction]:
    if labels is None:
        return dict(shares)
    rest = sum((share for label, share in shares.items() if label not in labels), Fraction(0))
    return {label: share for label, share in shares.items() if label in labels} | {OTHER: rest}


def _label(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class _BandTally:
    """Counts the values of a column by ranges, nulls left out."""

    def __init__(self, ranges: tuple[Band, ...], labels: list[str]) -> None:
        self._labels = labels
        self._lasts = np.array([band.last for band in ranges], dtype=np.int64)
        self._counts = np.zeros(len(ranges) + 1, dtype=np.intp)

    def add(self, column: Column) -> None:
        """Count the rows of a column."""
        if not isinstance(column, Numbers):
            raise TypeError(f"a {type(column).__name__} column has no ranges")
        values = column.values if column.valid is None else column.values[column.valid]
        places = np.searchsorted(self._lasts, values.astype(np.int64))
        self._counts += np.bincount(places, minlength=len(self._counts))

    def counts(self) -> Counts:
        """Return range to count."""
        pairs = zip([*self._labels, OTHER], self._counts.tolist(), strict=True)
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
    """Yield what is counted of a field; `raw` is what its rule makes, before its modifiers."""
    plain = not (words.ordered and raw.type.nullable)
    if raw.bands is not None:
        yield _of_bands(table, name, raw, raw.bands.bands)
    elif definition.type.labels:  # of labels that the plan doesn't tell, such as ids of siblings, there is no end
        shares = raw.shares if plain else None
        labels = _frequent_labels(definition.type.labels, raw.shares)
        yield Statistic(
            f"{table}.{name}",
            name,
            partial(_LabelTally, labels),
            None if shares is None else lambda: _shorten(shares, labels),
        )
    if definition.type.nullable:
        expected = None
        if words.missing is not None and words.when is None and not raw.type.nullable:
            null = Fraction(int(words.missing * (1 << 32)), 1 << 32)
            both = {"null": null, "value": 1 - null}
            expected = {label: share for label, share in both.items() if share}
        yield Statistic(
            f"{table}.{name}.nulls", name, _NullTally, None if expected is None else lambda: dict(expected)
        )


def _of_bands(table: str, name: str, raw: Definition, bands: tuple[Band, ...]) -> Statistic:
    ranges = merge_bands(bands)
    labels = [_range_label(band, raw) for band in ranges]
    total = sum(band.weight for band in ranges)

    def expected() -> dict[str, Fraction]:
        pairs = zip(labels, ranges, strict=True)
        return {label: Fraction(band.weight, total) for label, band in pairs if band.weight}

    return Statistic(f"{table}.{name}", name, lambda: _BandTally(ranges, labels), expected)


def _range_label(band: Band, raw: Definition) -> str:
    of = raw.type
    ends = []
    for value in dict.fromkeys((band.first, band.last)):
        if of.kind == "date":
            ends.append(str(np.datetime64(value, "D")))
        elif of.kind == "timestamp":
            ends.append(f"{np.datetime64(value, 's')}Z")
        elif of.scale:
            sign, digits = "-" * (value < 0), str(abs(value)).rjust(of.scale + 1, "0")
            ends.append(f"{sign}{digits[: -of.scale]}.{digits[-of.scale :]}")
        else:
            ends.append(str(value))
    return " to ".join(ends)
