"""Gates of plans: every declared share is judged where its word is drawn, and a skewed rule fails its own gate."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from esdh_core import Dataset, Table
from esdh_core.dataset import Block
from esdh_core.stats import MOST_DISTINCT
from esdh_export import GateError, SnapshotRequest, Tallies, manifest_counts, merge_counts, write_snapshot
from esdh_manifest import Stats
from esdh_plan import compile_plan, load_plan, parse_plan
from esdh_proof import ProofError, gates, judge, verify_snapshot
from numpy.typing import NDArray
from tampering import failed

PLAN = """
esdh: plan/1
name: odds
version: 1
reference_date: 2024-06-01
tables:
  shops:
    rows: 200
    fields:
      shop_id: {sequence: {start: 1}}
      kind: {choice: {food: 3, books: 2}}
      size: {integer: {zipf: {s: 1.1}, from: 1, to: 90}}
  owners:
    pick:
      given: {from: first_names, weight: weight}
      home: {from: cities, where: {state: region}, weight: population}
      any: {from: states}
      near: {from: shops, where: {kind: taste}}
      big: {from: shops, weight: size}
      friend: {from: owners, among: earlier}
    fields:
      owner_id: {id: true}
      region: {choice: {CA: 5, WA: 3, NV: 2}}
      taste: {choice: {food: 1, books: 1}}
      first_name: given.name
      city: home.city
      state: any.code
      shop: near.shop_id
      bank: big.shop_id
      knows: friend.owner_id
      plain: {choice: {red: 70%, green: 20%, blue: 10%}}
      by_choice: {choice: {by: plain, of: {red: {low: 1, high: 9}, green: [low, high]}, else: {by: taste, of: {food: [x, y], books: {x: 1, y: 3}}}}}
      score: {integer: {normal: {mean: 50, sd: 15}, from: 0, to: 100}}
      price: {decimal: {bands: [[0.10, 0.19, 3], [0.50, 0.99, 2], [1.00, 9.99, 1]], scale: 2}}
      born: {date: {normal: {mean: "date(1980, 1, 1)", sd: 4000}, from: 1930-01-01, to: 2006-01-01}}
      sure: {integer: {from: 0, to: 9}, missing: 12.5%}
      only_red: {choice: [a, b, c], when: "plain == 'red'"}
      some_red: {value: 1, when: "plain == 'red'", missing: 20%}
      branch:
        case:
          - {when: "taste == 'food'", choice: {small: 4, large: 1}}
          - {when: "region == 'CA'", integer: {geometric: {mean: 3}, from: 0, to: 40}}
          - {choice: {by: plain, of: {red: [1, 2]}, else: [3, 4, 5]}}
  shelves:
    per: owners
    count: {0: 1, 1: 2, 3: 4}
    fields:
      shelf_id: {id: true}
  carts:
    per: owners
    count: {by: plain, of: {red: {geometric: {mean: 2}, from: 0, to: 30}, green: 40%}, else: {from: 0, to: 99}}
    pick:
      shelf: {from: shelves, among: siblings}
    fields:
      shelf_id: shelf.shelf_id
      state: {choice: {open: 9, paid: 1}}
      first: {choice: {early: 1, late: 3}, ordered: true, when: k == 0}
      depth: {integer: {geometric: {mean: 4}, from: 0, to: 60}, ordered: true, when: k == 0}
""".replace("{small: 4, large: 1}", "{10: 4, 20: 1}")
ODDS = compile_plan(parse_plan(PLAN, "odds.yaml"))
SEED = 11

# Which gates judge what each stream draws.
GATES = {
    "odds:shops.kind": ["shops.kind"],
    "odds:shops.size": ["shops.size"],
    "odds:owners@given": ["owners@given"],
    "odds:owners@home": ["owners@home[CA]", "owners@home[NV]", "owners@home[WA]"],
    "odds:owners@any": ["owners@any"],
    "odds:owners@near": ["owners@near[books]", "owners@near[food]"],
    "odds:owners@big": ["owners@big"],
    "odds:owners@friend": ["owners@friend[of more]"],
    "odds:owners.region": ["owners.region"],
    "odds:owners.taste": ["owners.taste"],
    "odds:owners.plain": ["owners.plain"],
    "odds:owners.by_choice": [
        "owners.by_choice[red]",
        "owners.by_choice[green]",
        "owners.by_choice[else][food]",
        "owners.by_choice[else][books]",
    ],
    "odds:owners.score": ["owners.score"],
    "odds:owners.price": ["owners.price"],
    "odds:owners.born": ["owners.born"],
    "odds:owners.sure.missing": ["owners.sure.nulls"],
    "odds:owners.only_red": ["owners.only_red"],
    "odds:owners.some_red.missing": ["owners.some_red.missing"],
    "odds:owners.branch": [
        "owners.branch[case 0]",
        "owners.branch[case 1]",
        "owners.branch[case 2][red]",
        "owners.branch[case 2][else]",
    ],
    "odds:shelves#count": ["shelves#count"],
    "odds:carts#count": ["carts#count[red]", "carts#count[green]", "carts#count[else]"],
    "odds:carts@shelf": ["carts@shelf[of 3]"],
    "odds:carts.state": ["carts.state"],
    "odds:carts.first": ["carts.first[drawn]"],
    "odds:carts.depth": ["carts.depth[drawn]"],
}


def count(records: int, *, dataset: Dataset = ODDS, seed: int = SEED, start: int = 0) -> Stats:
    """Return the statistics of some records, counted as a snapshot's are, a block at a time."""
    request = SnapshotRequest(dataset=dataset, records=start + records, seed=seed)
    tallies = Tallies(request)
    size = min(table.block_records for table in dataset.tables if not table.is_fixed)
    for table in (each for each in dataset.tables if each.is_fixed):
        _add(tallies, table, dataset.block_of(table, dataset.block(0, 0, seed)))
    for at in range(start, start + records, size):
        block = dataset.block(at, min(size, start + records - at), seed)
        for table in (each for each in dataset.tables if not each.is_fixed):
            _add(tallies, table, block)
    return manifest_counts(request, tallies.counts())


def _add(tallies: Tallies, table: Table, block: Block) -> None:
    tallies.add(table, table.columns(block))
    tallies.add_draws(table, block)


def refused(stats: Stats, *, dataset: Dataset = ODDS, seed: int = SEED) -> set[str]:
    """Return the statistics that fail."""
    return {check.statistic for check in judge(stats, dataset=dataset, seed=seed).checks if not check.passed}


def lower(percent: int, bits: int) -> Callable[[NDArray[np.uint64]], NDArray[np.uint64]]:
    """Return what a faulty generator draws: so many percent of its words lose their upper `bits`."""

    def skew(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
        some = (words & np.uint64(0xFFFF)) < np.uint64(percent * 65_536 // 100)
        return np.where(some, words >> np.uint64(bits), words)

    return skew


@contextmanager
def skewed(streams: set[str], skew: Callable[[NDArray[np.uint64]], NDArray[np.uint64]]) -> Iterator[None]:
    """Have every word of some streams drawn wrongly, where it is used."""
    words, used = Block.words, False

    def draw(block: Block, table: Table, stream: str) -> NDArray[np.uint64]:
        nonlocal used
        outermost, used = not used, True  # a child's word is mixed from its parent's as ever
        try:
            drawn = words(block, table, stream)
        finally:
            used = not outermost
        return skew(drawn) if outermost and stream in streams else drawn

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Block, "words", draw)
        yield


@pytest.fixture(autouse=True)
def _fresh_fixed_rows() -> Iterator[None]:
    """Let no test see the fixed tables that another has skewed."""
    from esdh_core.dataset import _fixed_block

    _fixed_block.cache_clear()
    yield
    _fixed_block.cache_clear()


def test_every_draw_is_judged_once() -> None:
    """What is judged is every choice, band, count, pick and share of nulls, in each group, and nothing else."""
    checks = judge(count(3_000), dataset=ODDS, seed=SEED).checks
    names = [check.statistic for check in checks]
    expected = [name for names in GATES.values() for name in names]
    assert sorted(expected) == sorted(names)


@pytest.mark.parametrize("seed", [0, 1, 20240601, 2**53 - 1])
@pytest.mark.parametrize("records", [1, 2, 5, 60, 3_000])
def test_sound_draws_pass_at_every_size(records: int, seed: int) -> None:
    """What the generator draws passes, from one record on, in every group."""
    assert set() == refused(count(records, seed=seed), seed=seed)


@pytest.mark.parametrize("stream", GATES)
def test_skewed_draw_fails_its_own_gates(stream: str) -> None:
    """Of every kind of draw, one that is skewed fails each of its gates, and no other."""
    with skewed({stream}, lower(90, 3)):
        assert set(GATES[stream]) == refused(count(6_000))


def test_declared_odds_hold_at_a_million_records() -> None:
    """A million records pass every gate, and each that their draws decide fails where one draw in twenty is skewed."""
    large = [name for name in GATES if "shops." not in name]
    assert set() == refused(count(1_000_000))
    with skewed(set(large), lower(5, 1)):
        found = refused(count(1_000_000))
    assert {gate for name in large for gate in GATES[name]} == found


def test_levels_of_all_gates_add_up_to_that_of_a_run() -> None:
    """What chance each gate leaves sound data to fail, by the bound that it tells, is one in a million in all, and not far less."""
    ranges = {each.name for table in ODDS.tables for each in table.statistics if each.ranges}
    ranges |= {
        group.name
        for table in ODDS.tables
        for draw in table.draws
        for group in draw.groups(ODDS, SEED)
        if group.ranges
    }
    levels = []
    for check in judge(count(3_000), dataset=ODDS, seed=SEED).checks:
        if check.method == gates.KL:
            level = 2 * math.exp(-check.bound) * (check.reported["degrees_of_freedom"] + 1)
        else:
            level = 2 * math.exp(-2 * check.records * check.bound**2)
        levels.append(level * (2 if check.statistic in ranges else 1))
    assert 0.8 * gates.LEVEL < sum(levels) <= gates.LEVEL * (1 + 1e-6)


def test_branch_is_judged_on_the_rows_that_take_it() -> None:
    """The draws of a case's branches are those of its rows, each once: as many as the conditions say."""
    stats = count(2_000)["owners"]
    branches = {
        name.partition("]")[0]: sum(
            sum(counts.values()) for each, counts in stats.items() if each.startswith(name.partition("]")[0])
        )
        for name in stats
        if name.startswith("owners.branch[")
    }
    columns = ODDS.columns(0, 2_000, SEED, tables=["owners"])["owners"]
    food = np.array([value == "food" for value in columns["taste"].tolist()])
    in_ca = np.array([value == "CA" for value in columns["region"].tolist()])
    numbers = [int(food.sum()), int((~food & in_ca).sum()), int((~food & ~in_ca).sum())]
    assert numbers == list(branches.values())


def test_values_that_ordering_leaves_are_judged_where_they_are_drawn() -> None:
    """Of ordered siblings the first have the least values; that is no skew, since the draws are judged."""
    stats = count(3_000)["carts"]
    assert stats["carts.first"]["early"] > stats["carts.first"]["late"]
    assert stats["carts.first[drawn]"]["early"] < stats["carts.first[drawn]"]["late"]


def test_skewed_snapshot_is_refused(tmp_path: Path) -> None:
    """A snapshot whose counts of a group are skewed isn't written, and the message names the group."""
    request = SnapshotRequest(dataset=ODDS, records=6_000, seed=SEED)
    with (
        skewed({"odds:carts#count"}, lower(90, 3)),
        pytest.raises(GateError, match=r"carts carts#count\[red\] don't follow the plan"),
    ):
        write_snapshot(tmp_path / "s", request, gate=partial(judge, dataset=ODDS, seed=SEED))
    assert [] == list(tmp_path.iterdir())


def test_verification_counts_draws_again(tmp_path: Path) -> None:
    """Claimed draws that aren't those of the seed fail, and so do the gates that they make, with and without rows made again."""
    request = SnapshotRequest(dataset=ODDS, records=500, seed=SEED, formats=("parquet",))
    honest = partial(judge, dataset=ODDS, seed=SEED)

    def crooked(stats: Stats) -> object:
        stats["owners"]["owners@given"]["0"] += 1
        return honest(stats)

    write_snapshot(tmp_path / "honest", request, gate=honest)
    write_snapshot(tmp_path / "crooked", request, gate=crooked)  # type: ignore[arg-type] # it is a gate
    for regenerate in (True, False):
        assert {} == failed(verify_snapshot(tmp_path / "honest", regenerate=regenerate))
        found = failed(verify_snapshot(tmp_path / "crooked", regenerate=regenerate))
        assert {"stats", "fidelity"} == set(found)
        assert found["stats"].first is not None
        assert "stats.owners.owners@given.0" == found["stats"].first.field


def test_draws_are_the_same_however_they_are_split() -> None:
    """Counts of the parts of some records, merged, are those of the whole."""
    whole = count(900)
    first, second = count(400), count(500, start=400)
    second["shops"] = {name: {} for name in second["shops"]}  # which every part has
    assert whole == merge_counts(first, second)


def test_odds_of_made_tables_need_the_seed() -> None:
    """The odds of a pick from a table that is itself made follow from the seed, and judging them without it says so."""
    with pytest.raises(ProofError, match="give judge the seed of the snapshot"):
        judge(count(5), dataset=ODDS)


@pytest.mark.parametrize("filtered", [("carts",), ("owners",), ("shops", "shelves")])
def test_tables_are_judged_where_a_filter_left_them(tmp_path: Path, filtered: tuple[str, ...]) -> None:
    """Draws of the tables that a snapshot holds are judged whatever others it lacks."""
    request = SnapshotRequest(dataset=ODDS, records=200, seed=SEED, entities=filtered, formats=("csv",))
    written = write_snapshot(tmp_path / "s", request, gate=partial(judge, dataset=ODDS, seed=SEED))
    verdict = written.manifest.gates
    assert verdict is not None
    assert set(filtered) == {check.entity for check in verdict.checks}
    assert {} == failed(verify_snapshot(tmp_path / "s"))


def test_labels_that_no_plan_lists_are_bounded(tmp_path: Path) -> None:
    """Of texts that a pick copies the 1,000 most frequent are counted by label, and of too many only the number."""
    plan = """
esdh: plan/1
name: labels
version: 1
reference_date: 2024-06-01
tables:
  words:
    rows: 70000
    fields: {word: {pattern: "[a-z]{9}", unique: true}, few: {pattern: "[a-m]{1}[a-z]{2}"}}
  texts:
    pick: {one: {from: words}}
    fields: {word: one.word, few: one.few}
"""
    dataset = compile_plan(parse_plan(plan, "labels.yaml"))
    request = SnapshotRequest(dataset=dataset, records=2 * 131_072, shard_rows=131_072, formats=("parquet",))
    written = write_snapshot(tmp_path / "s", request, gate=partial(judge, dataset=dataset))
    stats = written.manifest.stats["texts"]
    rows = dataset.columns(0, request.records, tables=["texts"])["texts"]
    words, few = rows["word"].tolist(), rows["few"].tolist()
    assert len(set(words)) > MOST_DISTINCT
    assert {"other": request.records} == stats["texts.word"]
    texts, counts = np.unique(np.array(few), return_counts=True)
    ranked = sorted(zip((-counts).tolist(), texts.tolist(), strict=True))
    expected = {text: -number for number, text in ranked[:1_000]}
    assert expected | {"other": request.records - sum(expected.values())} == stats["texts.few"]
    assert {} == failed(verify_snapshot(tmp_path / "s"))


def test_bank_passes_with_every_gate(tmp_path: Path) -> None:
    """The plan that ships has a gate for each of its draws, and its manifest says what each found."""
    bank = load_plan("bank")
    request = SnapshotRequest(dataset=bank, records=2_000, seed=3, formats=("csv",))
    written = write_snapshot(tmp_path / "s", request, gate=partial(judge, dataset=bank, seed=3))
    verdict = written.manifest.gates
    assert verdict is not None
    judged = {check.statistic for check in verdict.checks}
    assert {
        "accounts#count[retail]",
        "accounts.status[case 0]",
        "transactions#count",
        "transactions@shop",
    } <= judged
    accounts = written.manifest.stats["accounts"]["accounts#count"]
    assert 2_000 == sum(accounts.values())
    assert written.manifest.record_counts["accounts"] == sum(int(rows) * n for rows, n in accounts.items())
