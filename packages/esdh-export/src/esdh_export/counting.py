"""The statistics of a snapshot, counted from its rows and its draws: by parts, which merge to the same whatever they are."""

from collections.abc import Mapping

from esdh_core import Table
from esdh_core.columns import Column
from esdh_core.dataset import Block
from esdh_core.stats import merge, most_frequent
from esdh_manifest import Stats

from esdh_export.request import SnapshotRequest

__all__ = ["Tallies", "manifest_counts", "merge_counts", "no_counts"]


class Tallies:
    """What is counted of some rows of a request's tables."""

    def __init__(self, request: SnapshotRequest) -> None:
        dataset, seed = request.dataset, request.seed
        self._statistics = {
            table.name: [(each, each.tally()) for each in table.statistics] for table in request.tables
        }
        self._draws = {
            table.name: [draw.tally(dataset, seed) for draw in table.draws] for table in request.tables
        }

    def add(self, table: Table, columns: Mapping[str, Column]) -> None:
        """Count some rows of a table; KeyError or TypeError for columns that can't be counted."""
        for statistic, tally in self._statistics[table.name]:
            tally.add(columns[statistic.field])

    def add_draws(self, table: Table, block: Block) -> None:
        """Count what was drawn of a table in some records, or in all of its rows if it is fixed."""
        for tally in self._draws[table.name]:
            tally.add(block)

    def counts(self) -> Stats:
        """Return table to statistic to label to count."""
        stats = {
            table: {statistic.name: merge([tally.counts()]) for statistic, tally in tallies}
            for table, tallies in self._statistics.items()
        }
        for table, draws in self._draws.items():
            for tally in draws:
                stats[table].update(tally.counts())
        return stats


def no_counts(request: SnapshotRequest) -> Stats:
    """Return every statistic of a request's tables, before anything is counted."""
    return Tallies(request).counts()


def merge_counts(stats: Stats, more: Stats) -> Stats:
    """Return the counts of two parts together: the statistics of the first."""
    return {
        table: {name: merge([counts, more[table][name]]) for name, counts in counted.items()}
        for table, counted in stats.items()
    }


def manifest_counts(request: SnapshotRequest, stats: Stats) -> Stats:
    """Return the statistics of a whole snapshot as its manifest holds them: of many labels the most frequent."""
    most = {table.name: {each.name: each.most for each in table.statistics} for table in request.tables}
    return {
        table: {name: most_frequent(counts, most[table].get(name, 0)) for name, counts in counted.items()}
        for table, counted in stats.items()
    }
