"""Statistics: counts by label, held against the shares that the rules declare."""

import datetime as dt
from collections import Counter

import pytest
from esdh_core import ENTITIES, REFERENCE_DATE, generate_bundle, generate_columns
from esdh_core.columns import Column, Integer
from esdh_core.dataset import Table
from esdh_core.datasets.v0_1.tallies import AgeTally, PrefixTally
from esdh_core.stats import Counts, Statistic, Tally, ValueTally, merge
from oracles import full_years

COUNT = 200_000


def counted(tally: Tally, *columns: Column) -> Counts:
    """Return what a tally says of some columns."""
    for column in columns:
        tally.add(column)
    return tally.counts()


CASES = [(entity, each) for entity in ENTITIES for each in entity.statistics]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_counts_follow_the_declared_shares(entity: Table) -> None:
    """Every count lies within five standard deviations of what the rules declare, which sums to one."""
    columns = generate_columns(0, COUNT, 11)[entity.name]
    for statistic in entity.statistics:
        counts = statistic.count(columns[statistic.field])
        assert sum(counts.values()) == COUNT, statistic.name
        if statistic.expected is None:
            continue
        shares = statistic.expected()
        assert sum(shares.values()) == 1, statistic.name
        assert set(counts) <= {label for label, share in shares.items() if share}, statistic.name
        for label, share in shares.items():
            p = float(share)
            spread = (COUNT * p * (1 - p)) ** 0.5
            assert abs(counts.get(label, 0) - COUNT * p) <= 5 * spread + 1, (statistic.name, label)


def test_counts_equal_counting_the_values() -> None:
    """Counts gathered from columns equal counts of the plain values."""
    bundle, columns = generate_bundle(3000), generate_columns(0, 3000)
    ages = Counter(str(full_years(p.date_of_birth, dt.date(2024, 6, 1))) for p in bundle.persons)
    assert ages == counted(AgeTally(REFERENCE_DATE), columns["persons"]["date_of_birth"])
    assert Counter(p.city for p in bundle.persons) == counted(ValueTally(), columns["persons"]["city"])
    assert Counter(v.vin[:3] for v in bundle.vehicles) == counted(PrefixTally(), columns["vehicles"]["vin"])
    assert Counter(str(v.model_year) for v in bundle.vehicles) == counted(
        ValueTally(), columns["vehicles"]["model_year"]
    )


@pytest.mark.parametrize(("entity", "statistic"), CASES, ids=lambda each: each.name)
def test_blocks_add_up(entity: Table, statistic: Statistic) -> None:
    """The counts of two blocks gathered in one tally are the merged counts of each."""
    first, second = (generate_columns(start, 500, 3)[entity.name][statistic.field] for start in (0, 500))
    expected = merge([statistic.count(first), statistic.count(second)])
    assert expected == merge([counted(statistic.tally(), first, second)])


def test_merge_adds_and_sorts() -> None:
    """Merged counts are sums, with labels in ascending order."""
    merged = merge([{"b": 1}, {"a": 2, "b": 3}])
    assert list(merged.items()) == [("a", 2), ("b", 4)]


def test_kind_of_column_is_checked() -> None:
    """Counting ages or prefixes of another kind of column is a TypeError."""
    years = generate_columns(0, 3)["vehicles"]["model_year"]
    assert isinstance(years, Integer)
    for tally in (AgeTally(REFERENCE_DATE), PrefixTally()):
        with pytest.raises(TypeError, match="Integer"):
            tally.add(years)
    with pytest.raises(TypeError, match="FixedText"):
        ValueTally().add(generate_columns(0, 3)["vehicles"]["vin"])
