"""The pictures of a report: a snapshot's counts beside the shares that the rules declare, as SVG geometry."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from esdh_core import DEFAULT_DATASET

__all__ = ["Bar", "Chart", "charts_of"]

_MAX_LABELS = 100  # a statistic of more has no picture
_MAX_BARS = 12  # of words; what is rarer stands together as the last
_MAX_BANDS = 20  # of numbers


@dataclass(frozen=True)
class Bar:
    """One value, or several: its count, its share of all, and the share that the rules declare."""

    label: str
    count: int
    share: float
    declared: float


@dataclass(frozen=True)
class Chart:
    """One picture; `top` is the largest share in it, which fills its height or width.

    An `upright` one has its values along the bottom (numbers), another has a line for each (words).
    """

    title: str
    about: str
    upright: bool
    top: float
    bars: list[Bar]


def charts_of(stats: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[Chart]:
    """Return the pictures of a manifest's statistics, in the order of a report.

    They are those of fields with a value of their own (a copy shows nothing new) whose shares are declared: numbers
    first, then words, the longest lists first.
    """
    charts = []
    for table, plan in zip(DEFAULT_DATASET.tables, DEFAULT_DATASET.plan.entities, strict=True):
        own = {rule.name for rule in table.rules if rule.role == "value"}
        about = {field.name: field.description for field in plan.fields}
        for each in plan.statistics:
            counts, shares = stats.get(table.name, {}).get(each.name), each.shares
            if counts and shares and len(shares) <= _MAX_LABELS and each.field in own:
                upright = all(label.isdecimal() for label in (*counts, *shares))
                groups = _bands(counts, shares) if upright else _words(counts, shares)
                bars = [_bar(label, labels, counts, shares) for label, labels in groups]
                top = max(max(bar.share, bar.declared) for bar in bars)
                title = each.name.replace("_", " ").capitalize()
                charts.append(Chart(title, f"{table.name}: {about[each.field]}", upright, top, bars))
    return sorted(charts, key=lambda chart: 0 if chart.upright else 1 / len(chart.bars))


Groups = Iterator[tuple[str, list[str]]]


def _bands(counts: Mapping[str, int], shares: Mapping[str, float]) -> Groups:
    """Yield numbers from the least to the greatest, in bands where they are many."""
    numbers = sorted(map(int, {*counts, *shares}))
    least, greatest = numbers[0], numbers[-1]
    width = next(w for e in range(20) for w in (10**e, 5 * 10**e) if (greatest - least) // w < _MAX_BANDS)
    for start in range(least // width * width, greatest + 1, width):
        first, last = max(start, least), min(start + width - 1, greatest)
        labels = [str(number) for number in numbers if first <= number <= last]
        yield str(first) if first == last else f"{first}-{last}", labels


def _words(counts: Mapping[str, int], shares: Mapping[str, float]) -> Groups:
    """Yield words as they are declared; if they are many, from the most frequent, and the rarest together."""
    words = [*dict.fromkeys([*shares, *counts])]
    if len(words) > _MAX_BARS:
        words.sort(key=lambda word: (-counts.get(word, 0), word))
    rest = words[_MAX_BARS - 1 :] if len(words) > _MAX_BARS else []
    yield from ((word, [word]) for word in words[: len(words) - len(rest)])
    if rest:
        yield f"{len(rest)} others", rest


def _bar(label: str, labels: list[str], counts: Mapping[str, int], shares: Mapping[str, float]) -> Bar:
    count = sum(counts.get(each, 0) for each in labels)
    declared = sum(shares.get(each, 0.0) for each in labels)
    return Bar(label, count, count / sum(counts.values()), declared)
