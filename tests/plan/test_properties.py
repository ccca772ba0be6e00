"""What holds for every plan: properties over plans that hypothesis draws, and the oracle's rows of each.

`just soak-plans` holds them thousands of times; a plan that fails is printed as a file.
"""

import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from esdh_core import IdError
from esdh_core.dataset import Dataset
from hypothesis import assume, given
from hypothesis import strategies as st
from plan.drawn import Row, compiled, examples, oracle_of, slots_of
from plan.generating import Field, Plan, Raw, names, plans, written
from plan.generating import Table as DrawnTable

seeds = st.sampled_from([1, 20240601, 2**53 - 1])
starts, sizes = st.integers(0, 100_000), st.integers(0, 5)


def window(dataset: Dataset, start: int, records: int) -> tuple[int, int]:
    """Return a window of records that the dataset has room for."""
    records = min(records, dataset.max_records)
    return min(start, dataset.max_records - records), records


@examples(60)
@given(plans(), seeds, starts, sizes)
def test_rows_are_the_oracles(plan: Plan, seed: int, start: int, records: int) -> None:
    """Every slot, size, type and value of a drawn plan is that of the independent reading."""
    dataset, oracle = compiled(plan), oracle_of(plan)
    start, records = window(dataset, start, records)
    columns, block = dataset.columns(start, records, seed), dataset.block(start, records, seed)
    assert oracle.default_shard_rows() == dataset.default_shard_rows
    for table in dataset.tables:
        name = table.name
        here = dataset.block_of(table, block)
        assert oracle.slots(name, seed, start, records) == here.level(table).slots.tolist(), name
        assert (oracle.room(name), oracle.blocks(name)) == (table.room, table.block_records)
        types = [(field, of.kind, of.nullable, of.scale) for field, of in oracle.types(name).items()]
        assert types == [(each.name, each.type, each.nullable, each.scale) for each in table.schema]
        rows = oracle.rows(name, seed, start, records)
        for field, column in columns[name].items():
            values = column.tolist()
            assert [row[field] for row in rows] == values, f"{name}.{field}"
            assert [type(row[field]) for row in rows] == [type(value) for value in values], f"{name}.{field}"


@examples(15)
@given(plans(), seeds, starts, st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_windows_are_cut_from_one_dataset(plan: Plan, seed: int, start: int, pieces: list[int]) -> None:
    """Records made in pieces, or of one table alone, are those that are made at once; a shorter run begins a longer."""
    dataset = compiled(plan)
    start, records = window(dataset, start, sum(pieces))
    assume(records == sum(pieces))
    for table in dataset.tables:
        whole = dataset.rows(table.name, records, seed, start)
        alone = dataset.columns(start, records, seed, tables=[table.name])[table.name]
        columns = [column.tolist() for column in alone.values()]
        assert whole == [table.record(*row) for row in zip(*columns, strict=True)]
        parts, at = [], start
        for size in pieces:
            parts.append(dataset.rows(table.name, size, seed, at))
            at += size
            if table.is_fixed:
                assert whole == parts[-1]
        if not table.is_fixed:
            assert whole == [row for part in parts for row in part]


# --- plans that change


def rows_by_slot(dataset: Dataset, seed: int, records: int) -> dict[str, dict[int, Row]]:
    """Return all rows of some records, by table and slot."""
    return {table.name: slots_of(dataset, table, 0, records, seed) for table in dataset.tables}


@examples(25)
@given(plans(), seeds, st.data())
def test_what_is_dropped_or_moved_changes_nothing_else(plan: Plan, seed: int, data: st.DataObject) -> None:
    """Fields, picks and tables that are left out or written in another order change no other value."""
    dataset = compiled(plan)
    records = min(4, dataset.max_records)
    every = [name for table in plan.tables.values() for name in table.fields]
    wanted = data.draw(st.sets(st.sampled_from(every), min_size=1, max_size=3))
    root = next(iter(plan.root.fields))
    smaller = plan.only(plan.closure([*wanted, root]))
    for name in [name for name, table in smaller.tables.items() if not table.fields]:
        first = next(iter(plan.tables[name].fields))
        smaller = plan.only(plan.closure([*wanted, root, first, *_fields_of(smaller)]))
    order = data.draw(st.permutations(list(smaller.tables)))
    tables = {
        name: replace(smaller.tables[name], fields=dict(reversed(smaller.tables[name].fields.items())))
        for name in order
    }
    other = compiled(replace(smaller, tables=tables))
    before, after = rows_by_slot(dataset, seed, records), rows_by_slot(other, seed, records)
    for name, rows in after.items():
        assert before[name].keys() == rows.keys()
        for slot, row in rows.items():
            assert row == {field: before[name][slot][field] for field in row}, f"{name} {slot}"


def _fields_of(plan: Plan) -> list[str]:
    return [name for table in plan.tables.values() for name in table.fields]


@examples(15)
@given(plans(), seeds, st.data())
def test_what_is_renamed_with_its_stream_keeps_its_values(plan: Plan, seed: int, data: st.DataObject) -> None:
    """A field or a table that is renamed, with `stream` for its old name, keeps every value, its ids among them."""
    dataset = compiled(plan)
    records = min(4, dataset.max_records)
    old = data.draw(st.sampled_from([*plan.tables, *_fields_of(plan)]))
    new = f"was_{old}"

    renamed = partial(_renamed, old, new)
    after = rows_by_slot(compiled(_with_stream(plan, old, new)), seed, records)
    for name, rows in rows_by_slot(dataset, seed, records).items():
        there = after[renamed(name)]
        assert rows.keys() == there.keys()
        for slot, row in rows.items():
            assert {renamed(field): value for field, value in row.items()} == there[slot], f"{name} {slot}"


def _renamed(old: str, new: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {_renamed(old, new, key): _renamed(old, new, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(old, new, inner) for inner in value]
    return re.sub(rf"\b{old}\b", new, value) if type(value) is str else value


def _with_stream(plan: Plan, old: str, new: str) -> Plan:
    """Return a plan with another name for a field or a table, whose stream is the old one."""
    renamed = partial(_renamed, old, new)
    tables = {}
    for name, table in plan.tables.items():
        fields = {}
        for field, held in table.fields.items():
            body = renamed(held.body)
            if field == old:
                body = {**(body if isinstance(body, dict) else {"expr": body}), "stream": old}
            fields[renamed(field)] = replace(held, name=renamed(field), body=body)
        tables[renamed(name)] = replace(
            table,
            name=renamed(name),
            stream=old if name == old else None,
            count=renamed(table.count),
            key=renamed(table.key),
            picks={pick: renamed(body) for pick, body in table.picks.items()},
            fields=fields,
        )
    for table in tables.values():
        table.parent = tables[renamed(table.parent.name)] if table.parent else None
    return replace(plan, tables=tables)


def raised(count: Any, room: int) -> Any:  # noqa: PLR0911 # a branch for each form of a count
    """Return a count with higher odds for higher counts, within the room that there is; None where it can't be."""
    if isinstance(count, Raw):
        return Raw("100%")
    if isinstance(count, int):
        return count + 1 if count < room else None
    if isinstance(count, list):
        return {**dict.fromkeys(count, 1), max(count): 3}
    if "by" in count:
        branches = {key: raised(inner, room) for key, inner in count["of"].items()}
        found = {**count, "of": {key: inner or count["of"][key] for key, inner in branches.items()}}
        return found | ({"else": raised(count["else"], room) or count["else"]} if "else" in count else {})
    if list(count) == ["from", "to"]:
        return {**count, "to": count["to"] + 1} if count["to"] < room else None
    if all(isinstance(key, int) for key in count) and all(
        weight in (1, 2, 3, 70, 0) for weight in count.values()
    ):
        more = {max(count) + 1: 2} if max(count) < room else {}
        return {**count, max(count): count[max(count)] + 5, **more}
    return None


def touched(plan: Plan, changed: set[str]) -> set[str]:
    """Return the fields and picks whose values may change with the number of rows of some tables."""
    found: set[str] = set()
    while True:
        more = set(found)
        for table in plan.tables.values():
            for name, body in table.picks.items():
                if body["from"] in changed or names(written(body)) & found:
                    more.add(name)
            for name, field in table.fields.items():
                if _looks_along(field, table.name in changed, changed) or names(field.text) & found:
                    more.add(name)
        if more == found:
            return found
        found = more


def _looks_along(field: Field, here: bool, changed: set[str]) -> bool:
    over = isinstance(field.body, dict) and names(str(field.body.get("rollup", ""))) & changed
    return bool(over) or (here and (field.has("ordered") or "next." in field.text))


@examples(25)
@given(plans(), seeds)
def test_raised_counts_only_add(plan: Plan, seed: int) -> None:
    """Raised odds of higher counts take no row away, and change no value but what looks along siblings or down."""
    higher = {}
    for name, table in plan.tables.items():
        is_distinct = any(body.get("distinct") for body in table.picks.values())
        count = None if table.count is None or is_distinct else raised(table.count, table.factor)
        if count is not None:
            higher[name] = count
    assume(higher)
    roomy = {
        name: replace(table, room=table.factor if table.count is not None else None)
        for name, table in plan.tables.items()
    }
    for table in roomy.values():
        table.parent = roomy[table.parent.name] if table.parent else None
    more = {name: replace(table, count=higher.get(name, table.count)) for name, table in roomy.items()}
    for table in more.values():
        table.parent = more[table.parent.name] if table.parent else None
    changed = {name for name, table in plan.tables.items() if {each.name for each in table.path} & {*higher}}
    moved = touched(plan, changed)
    unsure = {
        name
        for name, table in plan.tables.items()
        if any(names(written(each.count)) & moved for each in table.path)
    }
    before, after = compiled(replace(plan, tables=roomy)), compiled(replace(plan, tables=more))
    records = min(4, before.max_records, after.max_records)
    was, now = rows_by_slot(before, seed, records), rows_by_slot(after, seed, records)
    for name, rows in was.items():
        if name in unsure:
            continue
        assert rows.keys() <= now[name].keys()
        assert name in changed or rows.keys() == now[name].keys()
        for slot, row in rows.items():
            kept = {field: value for field, value in row.items() if field not in moved}
            assert kept == {field: now[name][slot][field] for field in kept}, f"{name} {slot}"


# --- what values are


@examples(20)
@given(plans(), seeds, starts)
def test_ids_are_decoded_by_their_plan_alone(plan: Plan, seed: int, start: int) -> None:
    """Every id says its seed, table and slot to its plan, and is refused by the plan's next version."""
    dataset, later = compiled(plan), compiled(replace(plan, version=2))
    start, records = window(dataset, start, 3)
    for table in dataset.tables:
        field = table.field_with("id")
        if field is None:
            continue
        for slot, row in slots_of(dataset, table, start, records, seed).items():
            if row[field] is None:
                continue
            found = dataset.decode(row[field])
            assert (seed, table.name, slot) == (found.seed, found.entity, found.index)
            with pytest.raises(IdError):
                later.decode(row[field])


@examples(20)
@given(plans(), seeds)
def test_uniques_come_once(plan: Plan, seed: int) -> None:
    """No value of an id, a sequence or a unique field comes twice."""
    dataset = compiled(plan)
    records = min(60, dataset.max_records)
    for table in dataset.tables:
        rows = dataset.rows(table.name, records, seed)
        for rule in table.rules:
            if dataset.is_unique(table, rule):
                values = [getattr(row, rule.name) for row in rows]
                present = [value for value in values if value is not None]
                assert len(present) == len(set(present)), f"{table.name}.{rule.name}"


@examples(25)
@given(plans(), seeds)
def test_picks_agree(plan: Plan, seed: int) -> None:
    """All that a row takes of a pick stands in one row of where it draws from."""
    dataset, oracle = compiled(plan), oracle_of(plan)
    records = min(5, dataset.max_records)
    rows = rows_by_slot(dataset, seed, records)
    for table in plan.tables.values():
        for name, pick in table.picks.items():
            taken = {
                field: held.body.partition(".")[2]
                for field, held in table.fields.items()
                if isinstance(held.body, str) and re.fullmatch(rf"{name}\.\w+", held.body)
            }
            if not taken:
                continue
            drawn = {slot: tuple(row[field] for field in taken) for slot, row in rows[table.name].items()}
            source = rows.get(pick["from"]) or dict(enumerate(oracle.shipped().get(pick["from"], ())))
            there = {slot: tuple(row[column] for column in taken.values()) for slot, row in source.items()}
            for slot, values in drawn.items():
                assert values in (_can_be_drawn(plan, table, pick, slot, there) or {(None,) * len(taken)}), (
                    f"{table.name}@{name} {slot}"
                )
            if pick.get("distinct") and any(
                _is_unique(plan.tables[pick["from"]].fields[column]) for column in taken.values()
            ):
                below = [(slot // table.factor, values) for slot, values in drawn.items()]
                assert len(below) == len(set(below))


def _can_be_drawn(
    plan: Plan, table: DrawnTable, pick: dict[str, Any], slot: int, there: dict[int, tuple[Any, ...]]
) -> set[tuple[Any, ...]]:
    """Return what a pick can draw at a slot, of what stands there by slots."""
    if pick.get("among") == "siblings":
        factor = plan.tables[pick["from"]].factor
        found = {values for at, values in there.items() if at // factor == slot // table.factor}
    elif pick.get("among") == "earlier":
        found = {values for at, values in there.items() if at < slot // table.span}
    else:
        return set(there.values())
    return found


def _is_unique(field: Field) -> bool:
    plain = not field.has("missing") and not field.has("when")
    return plain and (field.has("id") or (field.has("unique") and not field.has("faker")))
