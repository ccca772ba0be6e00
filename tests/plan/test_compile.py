"""Plans as they compile, held against the oracle's second reading of datasets.md."""

import pickle
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from esdh_core import IdError, RequestError
from esdh_core.dataset import Block, Dataset
from esdh_plan import PlanError, load_plan, load_recipe, make_lock
from esdh_plan.definitions import Formula
from esdh_plan.language import parse_plan
from esdh_plan.recipe import compile_plan
from numpy.typing import NDArray
from oracle import Oracle

PLANS = Path(__file__).parent / "plans"
NAMES = sorted(path.stem for path in PLANS.glob("*.yaml"))
POOLS = {"company/de_DE/5": ["Aal", "Buch", "Cent", "Dorf", "Eck"], "city/en_US/3": ["Ames", "Bath", "Ames"]}
WINDOWS = [(1, 0, 9), (20240601, 850, 6), (2**53 - 1, 65_534, 4)]


@cache
def compiled(name: str) -> Dataset:
    """Return the dataset of a plan beside this file."""
    path = PLANS / f"{name}.yaml"
    return compile_plan(parse_plan(path.read_text(encoding="utf-8"), path.name), PLANS, pools=POOLS)


@cache
def oracle_of(name: str) -> Oracle:
    """Return the oracle of a plan beside this file."""
    return Oracle.of_file(PLANS / f"{name}.yaml", pools=POOLS)


def dataset_of(text: str) -> Dataset:
    """Return the dataset of a plan's text."""
    return compile_plan(parse_plan(text, "plan.yaml"))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("seed", "start", "records"), WINDOWS)
def test_rows_are_the_oracles(name: str, seed: int, start: int, records: int) -> None:
    """Every value of every table is the oracle's, and of its type, in any window of any seed."""
    dataset, oracle = compiled(name), oracle_of(name)
    start = min(start, dataset.max_records - records)
    columns = dataset.columns(start, records, seed)
    for table in oracle.tables():
        rows = oracle.rows(table, seed, start, records)
        assert oracle.names(table) == list(columns[table])
        for field, column in columns[table].items():
            values = column.tolist()
            assert [row[field] for row in rows] == values, f"{table}.{field}"
            assert [type(row[field]) for row in rows] == [type(value) for value in values], f"{table}.{field}"


@pytest.mark.parametrize("name", NAMES)
def test_slots_and_sizes_are_the_oracles(name: str) -> None:
    """Slots, F, blocks and the default of a part are the oracle's."""
    dataset, oracle = compiled(name), oracle_of(name)
    block = dataset.block(3, 4, 7)
    for table in dataset.tables:
        here = dataset.block_of(table, block)
        assert oracle.slots(table.name, 7, 3, 4) == here.level(table).slots.tolist()
        assert oracle.room(table.name) == table.room
        assert oracle.blocks(table.name) == table.block_records
    assert oracle.default_shard_rows() == dataset.default_shard_rows


@pytest.mark.parametrize("name", NAMES)
def test_types_are_the_oracles(name: str) -> None:
    """The Struct of a table says the oracle's types, scales and nullability, with the marker last."""
    dataset, oracle = compiled(name), oracle_of(name)
    for table in dataset.tables:
        expected = [(field, of.kind, of.nullable, of.scale) for field, of in oracle.types(table.name).items()]
        assert expected == [(each.name, each.type, each.nullable, each.scale) for each in table.schema]
        assert "synthetic_source" == table.fields[-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_its_dataset(name: str) -> None:
    """A recipe alone makes the dataset again, with the same bytes, and pickles by it."""
    dataset = compiled(name)
    assert dataset.recipe is not None
    assert dataset is load_recipe(dataset.recipe, "plan.json")
    assert dataset is pickle.loads(pickle.dumps(dataset))


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_read_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe is read in a process that doesn't know its dataset, and compiles to the same rows."""
    dataset = compiled(name)
    monkeypatch.setattr("esdh_plan.recipe._known", {})
    again = load_recipe(dataset.plan_json, "plan.json")
    assert again is not dataset
    assert dataset.plan_sha256 == again.plan_sha256
    assert dataset.field_hashes == again.field_hashes
    assert msgspec.json.encode(dataset.bundle(2, 5)) == msgspec.json.encode(again.bundle(2, 5))


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_decoded(name: str) -> None:
    """Every id says its seed, table and slot, and the slot is where its row is found."""
    dataset = compiled(name)
    block = dataset.block(5, 3, 11)
    for table in dataset.tables:
        field = table.field_with("id")
        if field is None:
            continue
        here = dataset.block_of(table, block)
        for text, slot in zip(
            table.columns(here)[field].tolist(), here.level(table).slots.tolist(), strict=True
        ):
            found = dataset.decode(text)
            assert (11, table.name, slot) == (found.seed, found.entity, found.index)


def test_an_id_of_no_row_is_refused() -> None:
    """An id whose number isn't below its parent's count is none."""
    dataset = load_plan("bank")
    accounts = dataset.table("accounts")
    slots = set(dataset.block(0, 1, 1).level(accounts).slots.tolist())
    absent = next(slot for slot in range(4) if slot not in slots)
    text = dataset.ids.texts(1, "accounts", np.array([absent], dtype=np.uint64)).tobytes().decode()
    with pytest.raises(IdError, match=f"of row {absent} of accounts, which there isn't"):
        dataset.decode(text)


def test_bank_is_known() -> None:
    """The first three records of bank are those that were committed."""
    known = msgspec.json.decode((Path(__file__).parent / "known_bank.json").read_bytes())
    bundle = msgspec.to_builtins(load_plan("bank").bundle(records=3))
    assert known == bundle | {"merchants": bundle["merchants"][:20]}


def test_windows_are_cut_from_one_dataset() -> None:
    """Records made in pieces are the records made at once."""
    dataset = load_plan("bank")
    whole = dataset.rows("transactions", 40, 3)
    parts = [row for start in range(0, 40, 8) for row in dataset.rows("transactions", 8, 3, start)]
    assert whole == parts


def test_too_many_records_are_refused() -> None:
    """Records beyond a unique field's capacity are refused before anything is made, with what would do."""
    dataset = dataset_of(
        "esdh: plan/1\nname: few\nversion: 1\nreference_date: 2024-06-01\n"
        "tables: {items: {fields: {code: {pattern: '[A-Z]{2}', unique: true}}}}\n"
    )
    assert 676 == dataset.check_records(676) == dataset.max_records
    with pytest.raises(RequestError, match=r"677 records are too many for items\.code.* 3 digits"):
        dataset.check_records(677)
    with pytest.raises(RequestError):
        dataset.block(676, 1)


def test_records_beyond_the_ids_are_refused() -> None:
    """Records whose slots exceed 2^44 are refused, with the number that would do."""
    dataset = dataset_of(
        "esdh: plan/1\nname: deep\nversion: 1\nreference_date: 2024-06-01\n"
        "tables: {a: {fields: {i: {id: true}}}, b: {per: a, count: 1, room: 65536, fields: {i: {id: true}}}}\n"
    )
    assert 2**28 == dataset.max_records
    with pytest.raises(RequestError, match=r"268,435,456 records are the most"):
        dataset.check_records(2**28 + 1)


def test_a_long_chain_of_fields_compiles() -> None:
    """Five hundred fields, each computed from the one after it, take no recursion."""
    fields = "".join(f"      f{i}: f{i + 1} + 1\n" for i in range(500))
    dataset = dataset_of(
        "esdh: plan/1\nname: chain\nversion: 1\nreference_date: 2024-06-01\n"
        f"tables:\n  a:\n    fields:\n{fields}      f500: {{integer: {{from: 0, to: 9}}}}\n"
    )
    row = dataset.bundle(1, 1).a[0]
    assert row.f500 + 500 == row.f0


def test_cycles_are_told_with_their_path() -> None:
    """A cycle of fields and counts is refused, with what needs what."""
    text = (
        "esdh: plan/1\nname: cycle\nversion: 1\nreference_date: 2024-06-01\ntables:\n"
        "  a:\n    fields:\n      n: {rollup: count(b)}\n      big: n > 2\n"
        "  b:\n    per: a\n    count: {by: big, of: {true: 1, false: 2}}\n    fields: {k1: k}\n"
    )
    with pytest.raises(
        PlanError, match=r"depends on itself: a\.n needs b#count needs a\.big needs a\.n"
    ) as caught:
        dataset_of(text)
    assert [8] == [fault.line for fault in caught.value.faults]


def test_all_faults_are_told_at_once() -> None:
    """Every field with a fault is told, and what depends on one isn't told again."""
    text = (
        "esdh: plan/1\nname: bad\nversion: 1\nreference_date: 2024-06-01\ntables:\n"
        "  a:\n    fields:\n      x: y1 + 1\n      y: x + 1\n      z: {integer: {from: 5, to: 1 + 2}}\n"
        "      c: {choice: {red: 1}}\n      d: {choice: {by: c, of: {rad: [x]}}}\n"
    )
    with pytest.raises(PlanError) as caught:
        dataset_of(text)
    assert ["tables.a.fields.x", "tables.a.fields.z.integer", "tables.a.fields.d.choice.of.rad"] == [
        fault.path for fault in caught.value.faults
    ]


def test_an_edited_recipe_is_refused() -> None:
    """A recipe whose compiled values were edited by hand isn't taken, and the message says which."""
    recipe = load_plan("bank").plan_json.replace(b'"room": 256', b'"room": 512')
    with pytest.raises(
        PlanError, match=r"compiled\.tables\.transactions\.room: it says 512, and the plan compiles to 256"
    ):
        load_recipe(recipe, "plan_bank_v1.json")


def test_a_lock_is_made_once(tmp_path: Path) -> None:
    """A pool comes of the seed in its name, so that a lock made again is the same; a plan without one is refused."""
    text = (
        "esdh: plan/1\nname: firms\nversion: 1\nreference_date: 2024-06-01\n"
        "tables: {a: {fields: {firm: {faker: {provider: company, locale: de_DE, pool: 20}}}}}\n"
    )
    path = tmp_path / "firms.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        PlanError, match=r"isn't in firms\.lock\.json; `esdh lock-plan .*firms\.yaml` makes it"
    ):
        load_plan(path)
    lock = make_lock(parse_plan(text, "firms.yaml"))
    assert lock == make_lock(parse_plan(text, "firms.yaml"))
    (tmp_path / "firms.lock.json").write_bytes(lock)
    pool = msgspec.json.decode(lock)["pools"]["company/de_DE/20"]
    assert {row.firm for row in load_plan(path).rows("a", 50, 1)} <= set(pool)


def test_a_snapshots_folder_is_a_plan(tmp_path: Path) -> None:
    """A folder with a recipe stands for its dataset; a folder without one, and a name that doesn't ship, are refused."""
    with pytest.raises(PlanError, match="has one recipe"):
        load_plan(tmp_path)
    (tmp_path / "plan_bank_v1.json").write_bytes(load_plan("bank").plan_json)
    assert load_plan("bank") is load_plan(tmp_path)
    assert "v0.1" == load_plan("v0.1").dataset_version
    with pytest.raises(PlanError, match=r"no plan 'banc' ships; did you mean 'bank'\?"):
        load_plan("banc")


def test_copies_are_foreign_keys() -> None:
    """A copy of a parent's id, a pick's key and an earlier record's id refer to them; none of them is unique."""
    dataset = load_plan("bank")
    found = {}
    for table in dataset.tables:
        for rule in table.rules:
            reference = dataset.reference(rule)
            if reference is not None:
                found[f"{table.name}.{rule.name}"] = f"{reference.table.name}.{reference.rule.name}"
                assert not dataset.is_unique(table, rule)
    assert {
        "customers.referred_by": "customers.customer_id",
        "accounts.customer_id": "customers.customer_id",
        "transactions.account_id": "accounts.account_id",
        "transactions.merchant_id": "merchants.merchant_id",
    } == found


def test_condition_at_several_places_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A condition that a table has at several places is computed once a block."""
    dataset = dataset_of(
        """
        esdh: plan/1
        name: twice
        version: 1
        reference_date: 2024-06-01
        tables:
          rows:
            fields:
              n: {integer: {from: 0, to: 9}}
              size: {case: [{when: n > 4, value: large}, {value: small}]}
              price: {case: [{when: n > 4, integer: {from: 5, to: 9}}, {value: 1}]}
              discount: {expr: n * 2, when: n > 4}
        """
    )
    computed: list[object] = []
    truths = Formula._truths

    def counted(formula: Formula, block: Block) -> NDArray[np.bool_]:
        computed.append(formula)
        return truths(formula, block)

    monkeypatch.setattr(Formula, "_truths", counted)
    rows = dataset.columns(0, 100)["rows"]
    assert 1 == len(computed)
    large = [size == "large" for size in rows["size"].tolist()]
    assert large == [price != 1 for price in rows["price"].tolist()]
    assert large == [discount is not None for discount in rows["discount"].tolist()]
