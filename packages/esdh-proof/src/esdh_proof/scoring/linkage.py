"""Matching scored: pairs of rows that a matcher holds to be one, against the clusters of the labels."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations, product
from typing import NamedTuple

import msgspec
from esdh_core import Table

from esdh_proof.errors import ProofError
from esdh_proof.scoring.counts import Counts, counts_of
from esdh_proof.scoring.finding import Pair
from esdh_proof.scoring.labels import Label
from esdh_proof.scoring.rows import RowFinder
from esdh_proof.scoring.snapshot import LabelledSnapshot

__all__ = ["EditScore", "PairExample", "PairScore", "Threshold", "score_pairs"]

_THRESHOLDS = 10

_SlotPair = tuple[str, int, int]  # table, the lower slot, the higher one
_Cluster = dict[int, dict[str, str | None]]
"""The rows that are one: by slot, what stands in their labelled cells."""


class Threshold(Counts, frozen=True, kw_only=True):
    """What the score would be if only pairs from a score on counted."""

    score: float


class EditScore(msgspec.Struct, frozen=True, kw_only=True):
    """How many pairs there are whose rows differ in so many of their labelled cells, and how many of them were found."""

    edits: int
    labels: int
    found: int
    recall: float


class PairExample(msgspec.Struct, frozen=True, kw_only=True):
    """A pair of rows by their slots; `score` is the matcher's, None for a pair that it didn't report or gave none."""

    table: str
    left: int
    right: int
    score: float | None


class PairScore(Counts, frozen=True, kw_only=True):
    """How well a matcher pairs the rows that are one.

    `clusters` are the groups of rows that are one. `thresholds` says what a lower bound on the score would give, from the
    highest on, and is empty where the report has no scores; `best` is the one of them with the highest F1.
    """

    clusters: int
    edits: list[EditScore]
    thresholds: list[Threshold]
    best: Threshold | None
    missed: list[PairExample]
    wrong: list[PairExample]


class _Found(NamedTuple):
    """The pairs that one line of a report may mean, and its score."""

    pairs: frozenset[_SlotPair]
    score: float | None


def score_pairs(
    snapshot: LabelledSnapshot, pairs: list[Pair], alone: Table | None, *, examples: int
) -> PairScore:
    """Return the score of a matcher's pairs; pairs of a row with itself are passed over.

    Only the tables count of which there are pairs, or the one that is `alone`. Raises ProofError where the labels have no clusters of
    two rows or more, or a pair names a row that there isn't.
    """
    located = dict(_located(snapshot, pairs))
    tables = (
        [alone.name]
        if alone
        else list(dict.fromkeys(table for table, _ in located)) or [table.name for table in snapshot.tables]
    )
    truth: dict[_SlotPair, int] = {}
    clusters = 0
    for table in snapshot.tables:
        if table.name in tables:
            for cluster in _clusters(snapshot, table):
                clusters += 1
                for left, right in combinations(sorted(cluster), 2):
                    truth[table.name, left, right] = _differing(snapshot, table, cluster, left, right)
    if not truth:
        raise ProofError(
            f"no rows of {', '.join(tables)} are labelled to be one, so there are no pairs to score against; generate the snapshot with a "
            "defect of kind near_duplicate"
        )
    found = [each for (table, _), each in located.items() if table in tables]
    hits = {pair for each in found for pair in each.pairs if pair in truth}
    right = sum(any(pair in truth for pair in each.pairs) for each in found)
    counts = counts_of(len(truth), len(hits), len(found), right)
    thresholds = _thresholds(truth, found)
    return PairScore(
        **msgspec.structs.asdict(counts),
        clusters=clusters,
        edits=_edits(truth, hits),
        thresholds=[*_spread(thresholds)],
        best=max(thresholds, key=lambda each: each.f1 or 0.0, default=None),
        missed=[_example(pair, None) for pair in truth if pair not in hits][:examples],
        wrong=[_example(min(each.pairs), each.score) for each in found if not each.pairs & truth.keys()][
            :examples
        ],
    )


def _located(
    snapshot: LabelledSnapshot, pairs: list[Pair]
) -> Iterator[tuple[tuple[str, frozenset[_SlotPair]], _Found]]:
    """Yield each pair of different rows once, by table and slots, with its highest score."""
    finder = RowFinder(snapshot)
    by_table: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.table is None:
            by_table[finder.table_of_id(pair.left.key[0], pair.where).name].append(pair)
        else:
            by_table[snapshot.table(pair.table, pair.where).name].append(pair)
    for name, of in by_table.items():
        table = snapshot.table(name, "")
        rows = finder.slots(table, [(side, pair.where) for pair in of for side in (pair.left, pair.right)])
        ranked = sorted(of, key=lambda pair: pair.score or 0.0)  # the last of a pair's lines stays
        for pair in ranked:
            meant = frozenset(_pairs(name, rows[pair.left], rows[pair.right]))
            if meant:
                yield (name, meant), _Found(meant, pair.score)


def _pairs(table: str, left: Iterable[int], right: Iterable[int]) -> Iterator[_SlotPair]:
    for one, other in product(left, right):
        if one != other:
            yield table, min(one, other), max(one, other)


def _clusters(snapshot: LabelledSnapshot, table: Table) -> list[_Cluster]:
    """Return the groups of two or more rows of a table that are one.

    The rows of a cluster are those of its labels, and the one that its name says: by its id, or as `...#slot`. Clusters
    that share a row are one.
    """
    clusters: dict[str, list[Label]] = defaultdict(list)
    for label in snapshot.labels:
        if label.table == table.name and label.cluster is not None and label.slot is not None:
            clusters[label.cluster].append(label)
    merged: dict[int, _Cluster] = {}
    for name, labels in clusters.items():
        rows: _Cluster = defaultdict(dict)
        for label in labels:
            rows[label.slot or 0] |= {label.field: label.found} if label.field is not None else {}
        if (original := _slot_of_cluster(snapshot, table, name)) is not None:
            rows[original] |= {}
        if len(rows) > 1:
            for others in {id(merged[slot]): merged[slot] for slot in rows if slot in merged}.values():
                for slot, cells in others.items():
                    rows[slot] |= cells
            for slot in rows:
                merged[slot] = rows
    return list({id(rows): rows for rows in merged.values()}.values())


def _differing(snapshot: LabelledSnapshot, table: Table, cluster: _Cluster, left: int, right: int) -> int:
    """Return in how many of their labelled fields two rows of a cluster differ: what was edited of the second."""

    def value(slot: int, name: str) -> str | None:
        cells = cluster[slot]
        return cells[name] if name in cells else snapshot.clean_text(table, slot, name)

    return sum(value(left, name) != value(right, name) for name in cluster[left] | cluster[right])


def _slot_of_cluster(snapshot: LabelledSnapshot, table: Table, name: str) -> int | None:
    slot = snapshot.slot_of_id(table, name)
    _, mark, number = name.rpartition("#")
    return int(number) if slot is None and mark and number.isdigit() else slot


def _edits(truth: dict[_SlotPair, int], hits: set[_SlotPair]) -> list[EditScore]:
    of: dict[int, list[bool]] = defaultdict(list)
    for pair, edits in truth.items():
        of[edits].append(pair in hits)
    return [
        EditScore(edits=edits, labels=len(each), found=sum(each), recall=sum(each) / len(each))
        for edits, each in sorted(of.items())
    ]


def _thresholds(truth: dict[_SlotPair, int], found: list[_Found]) -> list[Threshold]:
    """Return what each score would give as the lowest that counts, from the highest on; nothing where a pair has none."""
    if any(each.score is None for each in found):
        return []
    ranked = sorted(found, key=lambda each: -(each.score or 0.0))
    hits: set[_SlotPair] = set()
    right = 0
    thresholds = []
    for number, each in enumerate(ranked, 1):
        own = each.pairs & truth.keys()
        hits |= own
        right += bool(own)
        if number == len(ranked) or ranked[number].score != each.score:
            counts = counts_of(len(truth), len(hits), number, right)
            thresholds.append(Threshold(score=each.score or 0.0, **msgspec.structs.asdict(counts)))
    return thresholds


def _spread(thresholds: list[Threshold]) -> Iterator[Threshold]:
    """Yield at most ten thresholds, evenly spread, the last among them."""
    last = len(thresholds) - 1
    places = {round(last * at / (_THRESHOLDS - 1)) for at in range(_THRESHOLDS)} if last >= 0 else ()
    yield from (thresholds[at] for at in sorted(places))


def _example(pair: _SlotPair, score: float | None) -> PairExample:
    table, left, right = pair
    return PairExample(table=table, left=left, right=right, score=score)
