"""The pictures of a report: a snapshot's counts beside the shares that the rules declare, as SVG geometry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from esdh_core import plan

__all__ = ["Bar", "Chart", "charts_of"]

_MOST_ROWS = 12  # of a chart of words; what is rarer stands together as the last
_REST = "others"


@dataclass(frozen=True)
class Bar:
    """One value: its count, its share of all, and the share that the rules declare (None: they declare none)."""

    label: str
    count: int
    share: float
    declared: float | None


@dataclass(frozen=True)
class Chart:
    """One picture: `upright` has its values along the bottom (numbers), else each has a line of its own (words)."""

    title: str
    about: str
    upright: bool
    bars: list[Bar]

    @property
    def top(self) -> float:
        """The largest share in it, which fills its height or width."""
        return max(max(bar.share, bar.declared or 0) for bar in self.bars)

    @property
    def described(self) -> str:
        """The picture in words, for whoever doesn't see it."""
        return "; ".join(f"{bar.label}: {bar.count:,} ({bar.share:.1%})" for bar in self.bars)


def charts_of(stats: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[Chart]:
    """Return the pictures of a manifest's statistics, in the order of a report."""
    persons, vehicles = stats["persons"], stats["vehicles"]
    return [
        Chart(
            "Ages",
            "persons, whole years on 2024-06-01",
            True,
            _numbers(persons["ages"], "persons", "ages", _age_band),
        ),
        Chart(
            "Model years", "vehicles", True, _numbers(vehicles["model_years"], "vehicles", "model_years", str)
        ),
        Chart("Makes", "vehicles", False, _words(vehicles["makes"], "vehicles", "makes")),
        Chart("States", "persons", False, _words(persons["states"], "persons", "states")),
        Chart(
            "Lines of business",
            "persons",
            False,
            _words(persons["lines_of_business"], "persons", "lines_of_business"),
        ),
        Chart(
            "Risk ratings",
            "vehicles",
            False,
            _words(vehicles["risk_ratings"], "vehicles", "risk_ratings", order=("Low", "Medium", "High")),
        ),
    ]


def _declared(entity: str, statistic: str) -> Mapping[str, float]:
    for each in plan().entities:
        if each.plural == entity:
            for counted in each.statistics:
                if counted.name == statistic and counted.shares is not None:
                    return counted.shares
    return {}


def _age_band(age: int) -> str:
    first = max(age // 5 * 5, 16)
    return f"{first}-{age // 5 * 5 + 4}"


def _numbers(counts: Mapping[str, int], entity: str, statistic: str, band: Callable[[int], str]) -> list[Bar]:
    """Return bars in the order of the numbers, from the least to the greatest that is there or declared."""
    declared = _declared(entity, statistic)
    numbers = sorted(map(int, {*counts, *declared}))
    banded: dict[str, tuple[int, float]] = {}
    for number in numbers:
        count, share = banded.get(band(number), (0, 0.0))
        banded[band(number)] = (count + counts.get(str(number), 0), share + declared.get(str(number), 0.0))
    total = sum(counts.values())
    return [
        Bar(label, count, count / total, share if declared else None)
        for label, (count, share) in banded.items()
    ]


def _words(
    counts: Mapping[str, int], entity: str, statistic: str, *, order: tuple[str, ...] = ()
) -> list[Bar]:
    """Return bars in the order given, or from the most frequent; the rarest are one bar when they are many."""
    declared = _declared(entity, statistic)
    total = sum(counts.values())
    names = list(order) or sorted({*counts, *declared}, key=lambda name: (-counts.get(name, 0), name))
    if len(names) > _MOST_ROWS:
        names, rest = names[: _MOST_ROWS - 1], names[_MOST_ROWS - 1 :]
    else:
        rest = []
    bars = [
        Bar(name, counts.get(name, 0), counts.get(name, 0) / total, declared.get(name) if declared else None)
        for name in names
    ]
    if rest:
        count = sum(counts.get(name, 0) for name in rest)
        share = sum(declared.get(name, 0.0) for name in rest)
        bars.append(Bar(f"{len(rest)} {_REST}", count, count / total, share if declared else None))
    return bars
