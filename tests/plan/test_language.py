"""The language takes the plans that it documents, and tells every fault of form with its place."""

import datetime
import json
import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from esdh_plan import plans
from esdh_plan.errors import Fault, PlanError
from esdh_plan.language import (
    Branch,
    Choice,
    ChoiceBy,
    Count,
    CountBy,
    CountRange,
    Date,
    DateRange,
    DecimalRange,
    DecimalRule,
    Expr,
    Faker,
    FakerWords,
    Field,
    FileRows,
    Geometric,
    Id,
    Integer,
    IntegerRange,
    Pattern,
    Pick,
    Positive,
    Rollup,
    Running,
    Sequence,
    SequenceWords,
    Share,
    Timestamp,
    Value,
    Weight,
    Zipf,
    json_schema,
    parse_plan,
)
from esdh_plan.reader import Place, read_yaml
from schemas import as_json

GOOD = """\
esdh: plan/1
name: shop
version: 1
reference_date: 2024-06-01
tables:
  goods:
    rows: 10
    fields:
      good: {sequence: {start: 1}}
      price: {decimal: {from: 1, to: 9.99, scale: 2}}
  buyers:
    key: [buyer_id]
    pick:
      home: {from: cities, weight: population}
    fields:
      buyer_id: {id: true}
      kind: {choice: {new: 70%, old: 30%}}
      city: home.city
  orders:
    per: buyers
    count: {from: 0, to: 3}
    room: 4
    pick:
      good: {from: goods}
    fields:
      order_id: {id: true}
      paid: {value: true, missing: 8%}
      state:
        case:
          - {when: paid, choice: [sent, lost]}
          - {value: open}
"""
KIND = "{choice: {new: 70%, old: 30%}}"
COUNT = "count: {from: 0, to: 3}"


def refusal(text: str) -> str:
    """Return what a plan is refused with, without the file's name."""
    with pytest.raises(PlanError) as caught:
        parse_plan(text, "shop.yaml")
    lines = str(caught.value).split("\n")
    assert all(line.startswith("shop.yaml") for line in lines)
    return "\n".join(re.sub(r"^shop\.yaml(, |: )", "", line) for line in lines)


def rule_of(text: str) -> Any:
    """Return the rule that a field of the root is read as."""
    return parse_plan(GOOD.replace(KIND, text), "shop.yaml").plan.tables["buyers"].fields["kind"].rule


def count_of(text: str) -> Any:
    """Return the count that a table is read with."""
    return parse_plan(GOOD.replace(COUNT, f"count: {text}"), "shop.yaml").plan.tables["orders"].count


def weights(numbers: dict[Any, Any]) -> dict[Any, Weight]:
    """Return numbers as weights."""
    return {label: Weight(number) for label, number in numbers.items()}


def test_bank() -> None:
    """The plan that ships is read whole: tables, fields and picks in the order written, numbers exact."""
    plan = parse_plan(plans.source("bank"), "bank.yaml").plan
    assert ("bank", 1, datetime.date(2024, 6, 1), "MIT") == (
        plan.name,
        plan.version,
        plan.reference_date,
        plan.license,
    )
    assert ["merchants", "customers", "accounts", "transactions"] == list(plan.tables)
    assert [4, 12, 7, 10] == [len(table.fields) for table in plan.tables.values()]
    customers = plan.tables["customers"]
    assert Pick(from_="first_names", weight="weight") == customers.pick["given"]
    assert Pick(from_="customers", among="earlier") == customers.pick["friend"]
    assert Field(rule=Id(id=True)) == customers.fields["customer_id"]
    assert Field(rule=Pattern(pattern="C[0-9]{11}"), unique=True) == customers.fields["customer_no"]
    assert (
        Field(rule=Choice(choice={"retail": Weight(4, 5), "business": Weight(1, 5)}))
        == customers.fields["segment"]
    )
    email = customers.fields["email"]
    assert (Fraction(2, 25), ["pii"]) == (email.missing, email.tags)
    assert Field(rule=Expr(expr="home.city")) == customers.fields["city"]
    assert Field(rule=Rollup(rollup="count(accounts)")) == customers.fields["account_count"]
    expected: Count = CountBy(
        by="segment", of={"retail": weights({1: 70, 2: 25, 3: 5}), "business": weights({1: 20, 2: 50, 4: 30})}
    )
    assert expected == plan.tables["accounts"].count
    last = plan.tables["transactions"]
    assert CountRange(geometric=Geometric(mean=Positive(12)), from_=0, to=200) == last.count
    amount = last.fields["amount"].rule
    assert isinstance(amount, DecimalRule)
    assert ("lognormal", Decimal("0.01"), 50_000, 2) == (
        amount.decimal.distribution,
        amount.decimal.from_,
        amount.decimal.to,
        amount.decimal.scale,
    )
    assert Running(running="sum(signed)") == last.fields["balance_after"].rule
    assert last.fields["booked_at"].ordered


def test_shipped_plans() -> None:
    """The plans that ship are named, and one that doesn't is refused with the near match."""
    assert ("bank", "insurance", "people", "shop") == plans.names()
    with pytest.raises(KeyError, match=r"no plan 'bnk' ships; did you mean 'bank'\?"):
        plans.source("bnk")


def test_places() -> None:
    """A source knows the place of everything in the plan, and makes faults of it."""
    source = parse_plan(GOOD, "shop.yaml")
    assert Place(18, 13) == source.document.places["tables", "buyers", "fields", "city"]
    path = ("tables", "buyers", "fields", "city", "expr")
    assert Fault(18, 13, "tables.buyers.fields.city", "why") == source.fault(path, "why")
    assert source.fault(("tables", "orders", "fields", "state", "case", 0, "when"), "why").path.endswith(
        "case[0].when"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("home.city", Expr(expr="home.city")),
        ("{expr: home.city}", Expr(expr="home.city")),
        ("{id: true}", Id(id=True)),
        ("{sequence: {}}", Sequence(sequence=SequenceWords(start=1))),
        ("{value: 02-03}", Value(value="02-03")),
        ("{value: 0.50}", Value(value=Decimal("0.50"))),
        ("{value: false}", Value(value=False)),
        ("{choice: [a, b]}", Choice(choice=["a", "b"])),
        ("{choice: [a\u00a0b, '']}", Choice(choice=["a\u00a0b", ""])),
        (
            "{choice: {yes: 0.7, no: 2/3, by: 1}}",
            Choice(choice=weights({"yes": Fraction(7, 10), "no": Fraction(2, 3), "by": 1})),
        ),
        ("{choice: {1: 70, 2: 30%}}", Choice(choice=weights({1: 70, 2: Fraction(3, 10)}))),
        ("{choice: {true: 1, false: 3}}", Choice(choice=weights({True: 1, False: 3}))),
        (
            "{choice: {by: city, of: {a: [x], null: {y: 1}}, else: [z]}}",
            Choice(choice=ChoiceBy(by="city", of={"a": ["x"], None: weights({"y": 1})}, else_=["z"])),
        ),
        ("{integer: {from: -5, to: k + 1}}", Integer(integer=IntegerRange(from_=-5, to="k + 1"))),
        (
            "{integer: {from: 1, to: 9, zipf: {s: 1.1}}}",
            Integer(integer=IntegerRange(from_=1, to=9, zipf=Zipf(s=Positive("1.1")))),
        ),
        (
            "{integer: {bands: [[1, 5, 2], [6, 9, 10%]]}}",
            Integer(integer=IntegerRange(bands=[(1, 5, Weight(2)), (6, 9, Weight(1, 10))])),
        ),
        (
            "{decimal: {from: 0.10, to: 5, scale: 2}}",
            DecimalRule(decimal=DecimalRange(from_=Decimal("0.10"), to=5, scale=2)),
        ),
        ("{date: {from: 2020-01-01, to: today}}", Date(date=DateRange(from_="2020-01-01", to="today"))),
        (
            "{timestamp: {from: today, to: today + days(1)}}",
            Timestamp(timestamp=DateRange(from_="today", to="today + days(1)")),
        ),
        ("{pattern: '[A-Z]{2}'}", Pattern(pattern="[A-Z]{2}")),
        (
            "{faker: {provider: company, pool: 50}}",
            Faker(faker=FakerWords(provider="company", locale="en_US", pool=50)),
        ),
    ],
)
def test_rules(text: str, expected: object) -> None:
    """Each rule is read as its Struct, with exact numbers and what was written kept."""
    rule = rule_of(text)
    assert (expected, repr(expected)) == (rule, repr(rule))


def test_case() -> None:
    """A case is a list of branches: a rule each, with a condition before the last."""
    rule = rule_of("{case: [{when: k > 1, value: a}, {expr: city}]}")
    assert [Branch(rule=Value(value="a"), when="k > 1"), Branch(rule=Expr(expr="city"))] == rule.case


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", 3),
        ("70%", Share(7, 10)),
        ("0.7", Share(7, 10)),
        ("2/3", Share(2, 3)),
        ("{2: 1, 0: 3}", weights({2: 1, 0: 3})),
        ("[1, 4]", [1, 4]),
        ("{from: 0, to: 5}", CountRange(from_=0, to=5)),
        ("{bands: [[0, 1, 3]]}", CountRange(bands=[(0, 1, Weight(3))])),
        ("{by: kind, of: {new: 1}, else: 50%}", CountBy(by="kind", of={"new": 1}, else_=Share(1, 2))),
        (
            "{by: kind, of: {new: {by: city, of: {x: [0]}}}}",
            CountBy(by="kind", of={"new": CountBy(by="city", of={"x": [0]})}),
        ),
    ],
)
def test_counts(text: str, expected: object) -> None:
    """A count has each of its forms."""
    assert expected == count_of(text)


def test_fixed_tables_below_fixed_tables() -> None:
    """A table below a fixed one is fixed too, may be picked from, and rows may stand in a file."""
    more = "  parts:\n    per: goods\n    count: 2\n    fields: {part: k + 1}\n"
    text = GOOD.replace("{from: goods}", "{from: parts}").replace(
        "rows: 10", "rows: {file: a/x.csv, types: {n: decimal(2)}}"
    )
    plan = parse_plan(text + more, "shop.yaml").plan
    assert [True, False, False, True] == [plan.is_fixed(name) for name in plan.tables]
    assert FileRows(file="a/x.csv", types={"n": "decimal(2)"}) == plan.tables["goods"].rows
    assert ["goods"] == plan.ancestors("parts")


def test_picks_among_siblings() -> None:
    """A pick may draw from another table below the same parent."""
    more = "  claims:\n    per: buyers\n    pick: {order: {from: orders, among: siblings}}\n    fields: {x: order.order_id}\n"
    plan = parse_plan(GOOD + more, "shop.yaml").plan
    assert Pick(from_="orders", among="siblings") == plan.tables["claims"].pick["order"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: shop", "nmae: shop", "line 2, nmae: unknown key 'nmae'; did you mean 'name'?"),
        (
            "name: shop\n",
            "",
            "line 1: the key 'name' is missing; expected a name of a-z, 0-9 and _ that begins with a letter, of at most 32",
        ),
        (
            "name: shop",
            "name: Shop",
            "line 2, name: expected a name of a-z, 0-9 and _ that begins with a letter, of at most 32; found 'Shop'",
        ),
        (
            "name: shop",
            "name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "line 2, name: expected a name of a-z, 0-9 and _ that begins with a letter, of at most 32; found 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'",
        ),
        (
            "esdh: plan/1",
            "esdh: plan/2",
            "line 1, esdh: expected `plan/1`, the language that this program reads; found 'plan/2'",
        ),
        ("version: 1", "version: 0", "line 3, version: expected a whole number from 1 to 9,999; found 0"),
        ("version: 1", "version: '1'", "line 3, version: expected a whole number from 1 to 9,999; found '1'"),
        (
            "version: 1",
            "version: 10000",
            "line 3, version: expected a whole number from 1 to 9,999; found 10000",
        ),
        (
            "2024-06-01",
            "2024-02-30",
            "line 4, reference_date: expected a date, such as 2024-06-01; found '2024-02-30'",
        ),
        (
            "2024-06-01",
            "yesterday",
            "line 4, reference_date: expected a date, such as 2024-06-01; found 'yesterday'",
        ),
        (
            GOOD,
            "",
            "expected a plan, with the keys esdh, name, version, reference_date and tables; found nothing",
        ),
        (
            GOOD,
            "- 1\n",
            "line 1: expected a plan, with the keys esdh, name, version, reference_date and tables; found a list of 1",
        ),
        (
            GOOD,
            "esdh: plan/1\n",
            "line 1: the key 'name' is missing; expected a name of a-z, 0-9 and _ that begins with a letter, of at most 32\nline 1: the key 'reference_date' is missing; expected a date, such as 2024-06-01\nline 1: the key 'tables' is missing; expected tables by their names\nline 1: the key 'version' is missing; expected a whole number from 1 to 9,999",
        ),
        (
            "rows: 10",
            "rows: 0",
            "line 7, tables.goods.rows: expected a number of rows from 1 to 1,048,576, or {file, types}; found 0",
        ),
        (
            "rows: 10",
            "rows: 1048577",
            "line 7, tables.goods.rows: expected a number of rows from 1 to 1,048,576, or {file, types}; found 1048577",
        ),
        (
            "rows: 10",
            "rows: ten",
            "line 7, tables.goods.rows: expected a number of rows from 1 to 1,048,576, or {file, types}; found 'ten'",
        ),
        (
            "rows: 10",
            "rows: {file: ../x.csv}",
            "line 7, tables.goods.rows.file: the file is below the plan's folder, such as `data/x.csv`; found '../x.csv'",
        ),
        (
            "rows: 10",
            "rows: {file: x.csv, types: {a: float}}",
            "line 7, tables.goods.rows.types.a: expected string, integer, boolean, date, timestamp or decimal(s) with a scale s from 0 to 18; found 'float'",
        ),
        (
            "rows: 10",
            "rows: {fil: x.csv}",
            "line 7, tables.goods.rows.fil: unknown key 'fil'; did you mean 'file'?",
        ),
        (
            "  goods:",
            "  Goods:",
            "line 6, tables.Goods: expected a name of a-z, 0-9 and _ that begins with a letter, of at most 63; found 'Goods'\nline 24, tables.orders.pick.good.from: there is no table 'goods'; did you mean 'Goods'?",
        ),
        (
            "  goods:",
            "  metadata:",
            "line 6, tables.metadata: 'metadata' is a reserved word; give the table another name\nline 24, tables.orders.pick.good.from: there is no table 'goods'",
        ),
        (
            "  goods:",
            "  class:",
            "line 6, tables.class: 'class' is a reserved word; give the table another name\nline 24, tables.orders.pick.good.from: there is no table 'goods'",
        ),
        (
            "  goods:",
            "  parent:",
            "line 6, tables.parent: 'parent' is a reserved word; give the table another name\nline 24, tables.orders.pick.good.from: there is no table 'goods'",
        ),
        (
            "  goods:",
            "  5:",
            "line 6, tables.5: expected a name of a-z, 0-9 and _ that begins with a letter, of at most 63; found 5\nline 24, tables.orders.pick.good.from: there is no table 'goods'",
        ),
        (
            "    rows: 10\n",
            "",
            "line 10, tables.buyers: 'goods' and 'buyers' are both roots; all but one need `per` or `rows`",
        ),
        (
            "    per: buyers\n",
            "",
            "line 20, tables.orders.count: `count` is for a table with `per`; give that, or take `count` out\nline 21, tables.orders.room: `room` is for a table with `per`; give that, or take `room` out",
        ),
        (
            "per: buyers",
            "per: buyer",
            "line 20, tables.orders.per: there is no table 'buyer'; did you mean 'buyers'?",
        ),
        (
            "per: buyers",
            "per: orders",
            "line 20, tables.orders.per: the table hangs below itself: orders below orders",
        ),
        (
            "per: buyers",
            "per: buyers\n    rows: 5",
            "line 20, tables.orders.per: a table has `rows` or `per`; this one has both",
        ),
        (
            "    key: [buyer_id]",
            "    per: orders",
            "line 5, tables: there is no root: one table has neither `per` nor `rows`\nline 12, tables.buyers.per: the table hangs below itself: buyers below orders below buyers",
        ),
        (
            "key: [buyer_id]",
            "key: [buyer]",
            "line 12, tables.buyers.key[0]: the table has no field 'buyer'; did you mean 'buyer_id'?",
        ),
        (
            "key: [buyer_id]",
            "key: []",
            "line 12, tables.buyers.key: it is empty; at least one entry is needed",
        ),
        (
            "key: [buyer_id]",
            "key: buyer_id",
            "line 12, tables.buyers.key: expected a list of fields, such as [order_id]; found 'buyer_id'",
        ),
        (
            "key: [buyer_id]",
            "key: [kind, kind]",
            "line 12, tables.buyers.key[1]: the field 'kind' is given twice",
        ),
        (
            "key: [buyer_id]",
            "room: 4",
            "line 12, tables.buyers.room: `room` is for a table with `per`; give that, or take `room` out",
        ),
        (
            "key: [buyer_id]",
            "count: 4",
            "line 12, tables.buyers.count: `count` is for a table with `per`; give that, or take `count` out",
        ),
        (
            COUNT,
            "count: {from: 3, to: 0}",
            "line 21, tables.orders.count: the range is empty: it begins at 3 and ends at 0",
        ),
        (
            COUNT,
            "count: -1",
            "line 21, tables.orders.count: expected a number from 0 to 16,777,216, a share, {from, to}, numbers with weights, or {by, of, else}; found -1",
        ),
        (
            COUNT,
            "count: many",
            "line 21, tables.orders.count: expected a number from 0 to 16,777,216, a share, {from, to}, numbers with weights, or {by, of, else}; found 'many'",
        ),
        (
            COUNT,
            "count: {one: 3}",
            "line 21, tables.orders.count.one: expected a whole number from 0 to 16,777,216; found 'one'",
        ),
        (
            COUNT,
            "count: {1: many}",
            "line 21, tables.orders.count.1: expected a weight, such as 70, 0.7, 70% or 2/3; found 'many'",
        ),
        (COUNT, "count: {1: 0}", "line 21, tables.orders.count: every weight is 0; at least one is above"),
        (
            COUNT,
            "count: {by: kind}",
            "line 21, tables.orders.count: the key 'of' is missing; expected keys and values",
        ),
        (
            COUNT,
            "count: {by: kind, of: {new: x}}",
            "line 21, tables.orders.count.of.new: expected a number from 0 to 16,777,216, a share, {from, to}, numbers with weights, or {by, of, else}; found 'x'",
        ),
        (
            COUNT,
            "count: {from: 0}",
            "line 21, tables.orders.count: the key 'to' is missing; a range has both `from` and `to`",
        ),
        (
            COUNT,
            "count: {from: 0, to: 3, geometric: {mean: 0}}",
            "line 21, tables.orders.count.geometric.mean: expected a number above 0; found 0",
        ),
        (
            COUNT,
            "count: {from: 0, to: 3, geometric: {mean: 2}, zipf: {s: 1}}",
            "line 21, tables.orders.count.geometric: a range has one distribution; this one has zipf and geometric",
        ),
        (COUNT, "count: []", "line 21, tables.orders.count: it is empty; at least one entry is needed"),
        (
            COUNT,
            "count: [1, 1]",
            "line 21, tables.orders.count: the label 1 is given twice; use weights to have it more often",
        ),
        (
            COUNT,
            "count: 140%",
            "line 21, tables.orders.count: expected a number from 0 to 16,777,216, a share, {from, to}, numbers with weights, or {by, of, else}; found '140%'",
        ),
        ("room: 4", "room: 6", "line 22, tables.orders.room: expected a power of two; found 6, near 4 and 8"),
        (
            "room: 4",
            "room: 0",
            "line 22, tables.orders.room: expected a whole number from 1 to 16,777,216; found 0",
        ),
        (
            "good: {from: goods}",
            "good: {from: gods}",
            "line 24, tables.orders.pick.good.from: there is no table 'gods'; did you mean 'goods'?",
        ),
        (
            "good: {from: goods}",
            "good: {from: buyers}",
            "line 24, tables.orders.pick.good.from: a pick draws from a fixed table, which 'buyers' isn't, or needs `among`",
        ),
        (
            "good: {from: goods}",
            "buyers: {from: goods}",
            "line 24, tables.orders.pick.buyers: 'buyers' is a table above this one too; give the pick another name",
        ),
        (
            "good: {from: goods}",
            "paid: {from: goods}",
            "line 24, tables.orders.pick.paid: 'paid' is a field of the table too; give the pick another name",
        ),
        (
            "good: {from: goods}",
            "k: {from: goods}",
            "line 24, tables.orders.pick.k: 'k' is a reserved word; give the pick another name",
        ),
        (
            "good: {from: goods}",
            "good: {from: goods, among: earlier}",
            "line 24, tables.orders.pick.good.from: `among: earlier` draws from the root, which 'goods' isn't",
        ),
        (
            "good: {from: goods}",
            "good: {from: goods, among: siblings}",
            "line 24, tables.orders.pick.good.from: `among: siblings` draws from another table below the same parent, which 'goods' isn't",
        ),
        (
            "good: {from: goods}",
            "good: {from: goods, among: later}",
            "line 24, tables.orders.pick.good.among: expected `siblings` or `earlier`; found 'later'",
        ),
        (
            "good: {from: goods}",
            "good: {from: goods, distinct: true, weight: price}",
            "line 24, tables.orders.pick.good.weight: `distinct` draws all rows alike; it takes no `weight`",
        ),
        (
            "good: {from: goods}",
            "good: {form: goods}",
            "line 24, tables.orders.pick.good.form: unknown key 'form'; did you mean 'from'?",
        ),
        (
            "good: {from: goods}",
            "good: goods",
            "line 24, tables.orders.pick.good: expected {from, weight, where, distinct, ...}; found 'goods'",
        ),
        (
            KIND,
            "{chioce: {new: 70%}}",
            "line 17, tables.buyers.fields.kind.chioce: unknown key 'chioce'; did you mean 'choice'?",
        ),
        (
            KIND,
            "{choice: {new: 70%}, value: 3}",
            "line 17, tables.buyers.fields.kind.value: one rule is taken at a place; this has choice and value",
        ),
        (
            KIND,
            "{missing: 3%}",
            "line 17, tables.buyers.fields.kind: there is no rule; give one of id, sequence, value, choice, integer, decimal, date, timestamp, pattern, faker, expr, rollup, running or case",
        ),
        (
            KIND,
            "{}",
            "line 17, tables.buyers.fields.kind: there is no rule; give one of id, sequence, value, choice, integer, decimal, date, timestamp, pattern, faker, expr, rollup, running or case",
        ),
        (
            KIND,
            "5",
            "line 17, tables.buyers.fields.kind: expected an expression, as text, or a rule; found 5; {value: 5} is the same on every row",
        ),
        (
            KIND,
            "",
            "line 17, tables.buyers.fields.kind: expected an expression, as text, or a rule; found nothing",
        ),
        (
            KIND,
            "[a]",
            "line 17, tables.buyers.fields.kind: expected an expression, as text, or a rule; found a list of 1",
        ),
        (
            KIND,
            "{choice: {new: much}}",
            "line 17, tables.buyers.fields.kind.choice.new: expected a weight, such as 70, 0.7, 70% or 2/3; found 'much'",
        ),
        (
            KIND,
            "{choice: {new: -1}}",
            "line 17, tables.buyers.fields.kind.choice.new: expected a weight, such as 70, 0.7, 70% or 2/3; found -1",
        ),
        (
            KIND,
            "{choice: {new: 0}}",
            "line 17, tables.buyers.fields.kind.choice: every weight is 0; at least one is above",
        ),
        (
            KIND,
            "{choice: {new: 1/0}}",
            "line 17, tables.buyers.fields.kind.choice.new: expected a weight, such as 70, 0.7, 70% or 2/3; found '1/0'",
        ),
        (
            KIND,
            "{choice: {new: 1, 2: 1}}",
            "line 17, tables.buyers.fields.kind.choice: the labels of a choice are of one kind; these are text and whole numbers (quotes make text)",
        ),
        (
            KIND,
            "{choice: [a, a]}",
            "line 17, tables.buyers.fields.kind.choice: the label 'a' is given twice; use weights to have it more often",
        ),
        (
            KIND,
            "{choice: []}",
            "line 17, tables.buyers.fields.kind.choice: there is nothing to choose from; give labels with their weights",
        ),
        (
            KIND,
            "{choice: new}",
            "line 17, tables.buyers.fields.kind.choice: expected labels with weights, a list of labels, or {by, of, else}; found 'new'",
        ),
        (
            KIND,
            "{choice: {by: state, off: {a: [b]}}}",
            "line 17, tables.buyers.fields.kind.choice.off: unknown key 'off'; did you mean 'of'?",
        ),
        (
            KIND,
            '{choice: {"a\\tb": 1}}',
            "line 17, tables.buyers.fields.kind.choice: the label 'a\\tb' has a control character; take it out",
        ),
        (
            KIND,
            "{choice: {1.5: 1}}",
            "line 17, tables.buyers.fields.kind.choice: a key is text or a whole number; put 1.5 in quotes",
        ),
        ("{id: true}", "{id: false}", "line 16, tables.buyers.fields.buyer_id: expected `true`; found false"),
        (
            "{id: true}",
            "{id: true, unique: true}",
            "line 16, tables.buyers.fields.buyer_id.unique: `unique` is for `integer`, `decimal`, `date`, `pattern` or `faker`; this is `id`",
        ),
        (
            "{id: true}",
            "{id: true, missing: 8}",
            "line 16, tables.buyers.fields.buyer_id.missing: expected a share from 0 to 1, such as 8%, 0.08 or 2/25; found 8",
        ),
        (
            "{id: true}",
            "{id: true, tags: pii}",
            "line 16, tables.buyers.fields.buyer_id.tags: expected a list of words, such as [pii]; found 'pii'",
        ),
        (
            "{id: true}",
            "{id: true, when: true}",
            "line 16, tables.buyers.fields.buyer_id.when: expected an expression, as text of 1 to 2,000 characters; found true",
        ),
        (
            "{id: true}",
            "{id: true, stream: kind}",
            "line 16, tables.buyers.fields.buyer_id.stream: 'kind' has the stream 'kind' already; give another, or take it out",
        ),
        (
            "{id: true}",
            "{id: true, orderd: true}",
            "line 16, tables.buyers.fields.buyer_id.orderd: unknown key 'orderd'; did you mean 'ordered'?",
        ),
        (
            "sequence: {start: 1}",
            "sequence: {start: one}",
            "line 9, tables.goods.fields.good.sequence.start: expected a whole number from -4,611,686,018,427,387,904 to 4,611,686,018,427,387,904; found 'one'",
        ),
        (
            "sequence: {start: 1}",
            "sequence: 1",
            "line 9, tables.goods.fields.good.sequence: expected {start}; found 1",
        ),
        (
            "sequence: {start: 1}",
            "pattern: ''",
            "line 9, tables.goods.fields.good.pattern: expected text of 1 to 200 characters; found ''",
        ),
        (
            "sequence: {start: 1}",
            "faker: {provider: company, pool: 0}",
            "line 9, tables.goods.fields.good.faker.pool: expected a whole number from 1 to 100,000; found 0",
        ),
        (
            "sequence: {start: 1}",
            "faker: {provider: company, pool: 5, locale: german}",
            "line 9, tables.goods.fields.good.faker.locale: expected a locale, such as `de_DE`; found 'german'",
        ),
        (
            "sequence: {start: 1}",
            "date: {from: 5, to: today}",
            "line 9, tables.goods.fields.good.date.from: expected a date or an expression, as text; found 5",
        ),
        (
            "sequence: {start: 1}",
            "expr: ''",
            "line 9, tables.goods.fields.good.expr: expected an expression, as text of 1 to 2,000 characters; found ''",
        ),
        (
            "scale: 2",
            "scale: 19",
            "line 10, tables.goods.fields.price.decimal.scale: expected a whole number from 0 to 18; found 19",
        ),
        (
            ", scale: 2",
            "",
            "line 10, tables.goods.fields.price.decimal: the key 'scale' is missing; expected a whole number from 0 to 18",
        ),
        (
            "from: 1, to: 9.99",
            "from: 10, to: 9.99",
            "line 10, tables.goods.fields.price.decimal: the range is empty: it begins at 10 and ends at 9.99",
        ),
        (
            "from: 1, to: 9.99",
            "bands: [[1, 2]]",
            "line 10, tables.goods.fields.price.decimal.bands[0]: expected a band of three, [first, last, weight]; found a list of 2",
        ),
        (
            "from: 1, to: 9.99",
            "bands: [[1, 2, 3]], from: 1",
            "line 10, tables.goods.fields.price.decimal.from: bands have their own bounds; take `from` out",
        ),
        (
            "from: 1, to: 9.99",
            "bands: 3",
            "line 10, tables.goods.fields.price.decimal.bands: expected a list of [first, last, weight]; found 3",
        ),
        (
            "from: 1, to: 9.99",
            "from: 1, to: 9, normal: {mean: 5, sd: -1}",
            "line 10, tables.goods.fields.price.decimal.normal.sd: expected a number above 0; found -1",
        ),
        (
            "from: 1, to: 9.99",
            "from: 1, to: 9, normal: {mean: 5}",
            "line 10, tables.goods.fields.price.decimal.normal: the key 'sd' is missing; expected a number above 0",
        ),
        (
            "from: 1, to: 9.99",
            "from: 1, to: 9, nromal: {mean: 5}",
            "line 10, tables.goods.fields.price.decimal.nromal: unknown key 'nromal'; did you mean 'normal'?",
        ),
        (
            "when: paid, ",
            "",
            "line 30, tables.orders.fields.state.case[0]: only the last branch has no `when`; those before it need one",
        ),
        (
            "- {value: open}",
            "- {value: open, when: paid}",
            "line 31, tables.orders.fields.state.case[1].when: the last branch has no `when`: it holds when no other does",
        ),
        (
            "- {value: open}",
            "- {case: []}",
            "line 31, tables.orders.fields.state.case[1].case: a branch is a rule with its `when`; it can't have `case`",
        ),
        (
            "- {value: open}",
            "- {value: open, missing: 3%}",
            "line 31, tables.orders.fields.state.case[1].missing: a branch is a rule with its `when`; it can't have `missing`",
        ),
        (
            "- {value: open}",
            "- open",
            "line 31, tables.orders.fields.state.case[1]: expected a rule with its `when`; found 'open'",
        ),
        (
            "- {value: open}",
            "",
            "line 30, tables.orders.fields.state.case[0].when: the last branch has no `when`: it holds when no other does",
        ),
        (
            "good: {seq",
            "synthetic_source: {seq",
            "line 9, tables.goods.fields.synthetic_source: 'synthetic_source' is added to every table; take it out",
        ),
        (
            "good: {seq",
            "lambda: {seq",
            "line 9, tables.goods.fields.lambda: 'lambda' is a reserved word; give the field another name",
        ),
        (
            "good: {seq",
            "Good: {seq",
            "line 9, tables.goods.fields.Good: expected a name of a-z, 0-9 and _ that begins with a letter, of at most 63; found 'Good'",
        ),
        (
            "version: 1",
            "version: 1\nuses: [cars]",
            "line 4, uses[0]: no installed package 'cars' offers rules; install it",
        ),
        ("version: 1", "version: 1\nuses: esdh-cars", "line 4, uses: expected a list; found 'esdh-cars'"),
        (
            "    rows: 10",
            "    rows: 10\n    stream: orders",
            "line 8, tables.goods.stream: 'orders' has the stream 'orders' already; give another, or take it out",
        ),
        (
            KIND,
            "{choice: {new: 70%, odd: {a: 1}}}",
            "line 17, tables.buyers.fields.kind.choice.odd: expected a weight, such as 70, 0.7, 70% or 2/3; found keys and values (a)",
        ),
        (
            KIND,
            "{choice: {by: parent.x.y, of: {a: [b]}}}",
            "line 17, tables.buyers.fields.kind.choice.by: expected the name of a field, such as `status` or `parent.status`; found 'parent.x.y'",
        ),
        (
            KIND,
            "{choice: {by: city, of: {a: {b: x}}}}",
            "line 17, tables.buyers.fields.kind.choice.of.a.b: expected a weight, such as 70, 0.7, 70% or 2/3; found 'x'",
        ),
        (
            KIND,
            "{choice: {by: city, of: {}}}",
            "line 17, tables.buyers.fields.kind.choice.of: it is empty; at least one entry is needed",
        ),
        (
            KIND,
            "{choice: {by: city, of: {a: []}, else: {b: 0}}}",
            "line 17, tables.buyers.fields.kind.choice.of.a: there is nothing to choose from; give labels with their weights\nline 17, tables.buyers.fields.kind.choice.else: every weight is 0; at least one is above",
        ),
        (
            KIND,
            "{choice: {9223372036854775808: 1}}",
            "line 17, tables.buyers.fields.kind.choice.9223372036854775808: expected text of at most 200 characters, a whole number of 64 bits, `true` or `false`; found 9223372036854775808",
        ),
        (
            KIND,
            "{value: [a]}",
            "line 17, tables.buyers.fields.kind.value: expected text, a number, `true` or `false`; found a list of 1",
        ),
        (
            KIND,
            "{value: null}",
            "line 17, tables.buyers.fields.kind.value: expected text, a number, `true` or `false`; found nothing",
        ),
        (
            KIND,
            '{value: "a\\nb"}',
            "line 17, tables.buyers.fields.kind.value: the text 'a\\nb' has a control character; take it out",
        ),
        (
            KIND,
            "{pattern: 5}",
            "line 17, tables.buyers.fields.kind.pattern: expected text of 1 to 200 characters; found 5",
        ),
        (
            KIND,
            "{rollup: 5}",
            "line 17, tables.buyers.fields.kind.rollup: expected an expression, as text of 1 to 2,000 characters; found 5",
        ),
        (
            KIND,
            "{running: []}",
            "line 17, tables.buyers.fields.kind.running: expected an expression, as text of 1 to 2,000 characters; found a list of 0",
        ),
        (
            KIND,
            "{id: true, sequence: {}, missing: 3}",
            "line 17, tables.buyers.fields.kind.sequence: one rule is taken at a place; this has id and sequence\nline 17, tables.buyers.fields.kind.missing: expected a share from 0 to 1, such as 8%, 0.08 or 2/25; found 3",
        ),
        (
            KIND,
            "{timestamp: {from: today, to: today}, unique: true}",
            "line 17, tables.buyers.fields.kind.unique: `unique` is for `integer`, `decimal`, `date`, `pattern` or `faker`; this is `timestamp`",
        ),
        (
            KIND,
            "{expr: city, ordered: true}",
            "line 17, tables.buyers.fields.kind.ordered: `ordered` is for `choice`, `integer`, `decimal`, `date`, `timestamp`, `pattern`, `faker` or `case`; this is `expr`",
        ),
        (
            KIND,
            "{expr: city, ordered: maybe}",
            "line 17, tables.buyers.fields.kind.ordered: expected `true` or `false`; found 'maybe'",
        ),
        (
            KIND,
            "{expr: city, stream: A}",
            "line 17, tables.buyers.fields.kind.stream: expected a name of a-z, 0-9 and _ that begins with a letter, of at most 63; found 'A'",
        ),
        (
            KIND,
            "{integer: {from: 0.5, to: 1}}",
            "line 17, tables.buyers.fields.kind.integer.from: expected a whole number or an expression; found 0.5",
        ),
        (
            KIND,
            "{integer: {from: 1}}",
            "line 17, tables.buyers.fields.kind.integer: the key 'to' is missing; a range has both `from` and `to`",
        ),
        (
            KIND,
            "{integer: {bands: [[3, 1, 1]]}}",
            "line 17, tables.buyers.fields.kind.integer.bands[0]: the range is empty: it begins at 3 and ends at 1",
        ),
        (
            KIND,
            "{integer: {bands: [[1, 3, 0]]}}",
            "line 17, tables.buyers.fields.kind.integer.bands: there is no band with a weight above 0",
        ),
        (
            KIND,
            "{integer: {bands: []}}",
            "line 17, tables.buyers.fields.kind.integer.bands: there is no band with a weight above 0",
        ),
        (
            KIND,
            "{integer: {from: 1, to: 5, zipf: 1.1}}",
            "line 17, tables.buyers.fields.kind.integer.zipf: expected {s}; found 1.1",
        ),
        (
            KIND,
            "{integer: 5}",
            "line 17, tables.buyers.fields.kind.integer: expected {from, to, bands, normal, ...}; found 5",
        ),
        (
            KIND,
            "{faker: {provider: company}}",
            "line 17, tables.buyers.fields.kind.faker: the key 'pool' is missing; expected a whole number from 1 to 100,000",
        ),
        (
            COUNT,
            "count: {by: 3, of: {new: 1}}",
            "line 21, tables.orders.count.by: expected the name of a field, such as `status` or `parent.status`; found 3",
        ),
        (
            COUNT,
            "count: {0: 1, 16777217: 1}",
            "line 21, tables.orders.count.16777217: expected a whole number from 0 to 16,777,216; found 16777217",
        ),
        (
            COUNT,
            "count: {by: kind, of: {new: {1: x}}, else: [0]}",
            "line 21, tables.orders.count.of.new.1: expected a weight, such as 70, 0.7, 70% or 2/3; found 'x'",
        ),
        (
            COUNT,
            "count: {from: today, to: 3}",
            "line 21, tables.orders.count.from: expected a whole number from 0 to 16,777,216; found 'today'",
        ),
        (
            "good: {from: goods}",
            "good: {from: cities, where: {state: 5}}",
            "line 24, tables.orders.pick.good.where.state: expected the name of a field, such as `status` or `parent.status`; found 5",
        ),
        (
            "good: {from: goods}",
            "good: {from: cities, where: {}}",
            "line 24, tables.orders.pick.good.where: it is empty; at least one entry is needed",
        ),
        (
            "good: {from: goods}",
            "good: {from: citys}",
            "line 24, tables.orders.pick.good.from: there is no table 'citys'; did you mean 'cities'?",
        ),
        (
            "good: {from: goods}",
            "good: {from: cities, among: earlier}",
            "line 24, tables.orders.pick.good.from: there is no table 'cities'",
        ),
        (
            "    rows: 10",
            "    rows: {file: /etc/passwd}",
            "line 7, tables.goods.rows.file: the file is below the plan's folder, such as `data/x.csv`; found '/etc/passwd'",
        ),
        (
            "    rows: 10",
            "    rows: {file: a/../../x.csv}",
            "line 7, tables.goods.rows.file: the file is below the plan's folder, such as `data/x.csv`; found 'a/../../x.csv'",
        ),
        (
            "    rows: 10",
            "    rows: {types: {a: string}}",
            "line 7, tables.goods.rows: the key 'file' is missing; expected text of 1 to 200 characters",
        ),
        (
            "reference_date: 2024-06-01",
            "reference_date: 20240601",
            "line 4, reference_date: expected a date, such as 2024-06-01; found 20240601",
        ),
        (
            "esdh: plan/1\n",
            "",
            "line 1: the key 'esdh' is missing; expected `plan/1`, the language that this program reads",
        ),
        (
            "version: 1\n",
            "version: 1\ndescription: ''\n",
            "line 4, description: expected text of 1 to 2,000 characters; found ''",
        ),
        (
            "version: 1\n",
            "version: 1\nuses: [../x]\n",
            "line 4, uses[0]: expected a package's name; found '../x'",
        ),
    ],
)
def test_wrong_plans(old: str, new: str, expected: str) -> None:
    """A plan that is wrong in form is refused with the line, what was found, what would be right and the near match."""
    assert old in GOOD
    assert expected == refusal(GOOD.replace(old, new, 1))


def test_wrong_names() -> None:
    """Every word that the language keeps for itself is refused as a name; a function's name is a field's too."""
    for name in ("class", "lambda", "if", "parent", "k", "today", "row", "prev", "next"):
        assert f"'{name}' is a reserved word; give the field another name" in refusal(
            GOOD.replace("kind:", f"{name}:")
        )
    reserved = "metadata dataset dataset_version plan readme bundle seed records_requested record_count id index entity defects esdh_loads"
    for name in reserved.split():
        told = refusal(GOOD + f"  {name}:\n    rows: 1\n    fields: {{a: k}}\n")
        assert f"line 32, tables.{name}: '{name}' is a reserved word; give the table another name" == told
    assert parse_plan(GOOD.replace("kind:", "year:"), "shop.yaml")


def test_every_fault_is_told_at_once() -> None:
    """Faults of fields, of tables and between tables are told together, in the order of the lines."""
    text = (
        GOOD.replace("version: 1", "version: one")
        .replace("scale: 2", "scal: 2")
        .replace("70%", "many")
        .replace("key: [buyer_id]", "key: [buyerid]")
        .replace("per: buyers", "per: buyer")
        .replace("room: 4", "room: 3")
        .replace("value: open", "value: [open]")
        .replace("{from: goods}", "{from: gods}")
    )
    assert [
        "line 3, version: expected a whole number from 1 to 9,999; found 'one'",
        "line 10, tables.goods.fields.price.decimal.scal: unknown key 'scal'; did you mean 'scale'?",
        "line 12, tables.buyers.key[0]: the table has no field 'buyerid'; did you mean 'buyer_id'?",
        "line 17, tables.buyers.fields.kind.choice.new: expected a weight, such as 70, 0.7, 70% or 2/3; found 'many'",
        "line 20, tables.orders.per: there is no table 'buyer'; did you mean 'buyers'?",
        "line 22, tables.orders.room: expected a power of two; found 3, near 2 and 4",
        "line 24, tables.orders.pick.good.from: there is no table 'gods'; did you mean 'goods'?",
        "line 31, tables.orders.fields.state.case[1].value: expected text, a number, `true` or `false`; found a list of 1",
    ] == refusal(text).split("\n")


def test_cycles_of_tables() -> None:
    """A cycle is told at the first table in it, and one that hangs below it is read all the same."""
    text = (
        GOOD.replace("    key: [buyer_id]", "    per: orders") + "  x:\n    per: orders\n    fields: {a: k}\n"
    )
    assert [
        "line 5, tables: there is no root: one table has neither `per` nor `rows`",
        "line 12, tables.buyers.per: the table hangs below itself: buyers below orders below buyers",
    ] == refusal(text).split("\n")


def _tables(count: int, line: str) -> str:
    tables = "".join(f"  t{i}: {{{line.format(i=i, up=i - 1)}}}\n" for i in range(count))
    return GOOD[: GOOD.index("tables:")] + f"tables:\n{tables}"


_NAMES = ", ".join(f"n{i}" for i in range(20_000))
_WRAPPED = _NAMES.replace("00, ", "00,\n      ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            _tables(1_001, "fields: {{a: k}}"),
            "line 5, tables: it has 1,001 entries; 1,000 are the most",
            id="tables",
        ),
        pytest.param(
            _tables(1_000, "per: t{up}, fields: {{a: k}}"),
            "line 6, tables.t0.per: expected a name",
            id="a chain",
        ),
        pytest.param(
            _tables(1_000, "per: t0, stream: old, fields: {{a: k}}"),
            "line 6, tables.t0.stream: 't1' has the stream 'old' already",
            id="streams",
        ),
        pytest.param(
            GOOD.replace("[buyer_id]", f"[\n      {_WRAPPED}]"),
            "line 13, tables.buyers.key[0]: the table has no field 'n0'",
            id="keys",
        ),
        pytest.param(
            GOOD.replace("{value: open}", f"{{choice: [\n      {_WRAPPED}, n0]}}"),
            "line 31, tables.orders.fields.state.case[1].choice: the label 'n0' is given twice",
            id="labels",
        ),
        pytest.param(
            GOOD.replace(
                "      city: home.city\n", "".join(f"      f{i}: {{chioce: 1}}\n" for i in range(9_000))
            ),
            "line 18, tables.buyers.fields.f0.chioce: unknown key 'chioce'; did you mean 'choice'?",
            id="fields",
        ),
        pytest.param(
            GOOD.replace("home.city", "(" * 9_000),
            "line 18, tables.buyers.fields.city: expected an",
            id="text",
        ),
        pytest.param(
            GOOD.replace(COUNT, "count: 99999999999999999999"),
            "line 21, tables.orders.count: exp",
            id="count",
        ),
        pytest.param(
            GOOD.replace("70%", f"1/{'9' * 60}"),
            "line 17, tables.buyers.fields.kind.choice.new: exp",
            id="ratio",
        ),
    ],
)
def test_hostile_plans(text: str, expected: str) -> None:
    """A plan of any size is refused soon, with a message that is not long."""
    told = refusal(text).split("\n")
    assert told[0].startswith(expected)
    assert len(told) <= 51


def test_a_syntax_fault_is_the_reader_s() -> None:
    """What isn't YAML is refused before it is read as a plan."""
    assert "line 2, name: `!x` is a tag, which isn't taken; take it out" == refusal(
        GOOD.replace("shop", "!x shop")
    )


# Rules of other packages

_OFFER = """\
import msgspec
from esdh_plan.language import Offer, Rule

class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    since: int

class Vin(Rule, frozen=True):
    vin: Words

offer = Offer(Vin, print)
wrong = Vin
"""


def install(folder: Path, name: str, points: str) -> None:
    """Put a package that offers rules on a path."""
    (folder / f"{name}.py").write_text(_OFFER)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[esdh.rules]\n{points}\n")


def test_rules_of_another_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that the plan names adds its rules, held as strictly as ours; one that it doesn't name adds none."""
    install(tmp_path, "esdh_cars_one", "vin = esdh_cars_one:offer")
    monkeypatch.syspath_prepend(str(tmp_path))
    uses = GOOD.replace("version: 1\n", "version: 1\nuses: [ESDH-cars.one]\n")
    source = parse_plan(uses.replace(KIND, "{vin: {since: 1990}, missing: 5%}"), "shop.yaml")
    rule: Any = source.plan.tables["buyers"].fields["kind"].rule
    assert 1990 == rule.vin.since
    assert ({"vin"}, print) == (set(source.offers), source.offers["vin"].column)
    told = refusal(uses.replace(KIND, "{vin: {sinc: 1990}}"))
    assert "line 18, tables.buyers.fields.kind.vin.sinc: unknown key 'sinc'; did you mean 'since'?" == told
    assert "unknown key 'vin'" in refusal(GOOD.replace(KIND, "{vin: {since: 1990}}"))
    assert {"required": ["vin"]} in json_schema(source.offers.values())["$defs"]["Field"]["anyOf"][1]["oneOf"]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (
            "vin = esdh_cars_two:gone",
            "the rule 'vin' of 'esdh_cars_two' can't be loaded: module 'esdh_cars_two' has no attribute 'gone'",
        ),
        (
            "vin = esdh_cars_two:wrong",
            "the rule 'vin' of 'esdh_cars_two' is no Offer with a Rule of the one key 'vin'",
        ),
        (
            "van = esdh_cars_two:offer",
            "the rule 'van' of 'esdh_cars_two' is no Offer with a Rule of the one key 'van'",
        ),
        (
            "id = esdh_cars_two:offer",
            "the rule 'id' of 'esdh_cars_two' is there already; two packages can't offer one",
        ),
    ],
)
def test_packages_that_offer_nothing_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points: str, expected: str
) -> None:
    """A package whose rule can't be taken is refused where the plan names it."""
    install(tmp_path, "esdh_cars_two", points)
    monkeypatch.syspath_prepend(str(tmp_path))
    told = refusal(GOOD.replace("version: 1\n", "version: 1\nuses: [esdh_cars_two]\n"))
    assert f"line 4, uses[0]: {expected}" == told


# The JSON Schema


def is_valid(text: str) -> bool:
    """Return whether the JSON Schema takes a plan."""
    validator = jsonschema.Draft202012Validator(json_schema())
    return bool(validator.is_valid(as_json(read_yaml(text, "t.yaml").content)))


def test_schema_takes_what_the_language_takes() -> None:
    """The JSON Schema is one, describes every key, and takes the plans that are right."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == json.loads(json.dumps(schema))
    objects = [schema, *schema["$defs"].values(), schema["$defs"]["Field"]["anyOf"][1]]
    keys = [(key, one) for each in objects for key, one in each.get("properties", {}).items()]
    assert len(keys) > 80
    assert [] == [key for key, one in keys if "description" not in one]
    assert is_valid(plans.source("bank"))
    assert is_valid(GOOD)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: shop", "nmae: shop"),
        ("name: shop\n", ""),
        ("name: shop", "name: Shop"),
        ("esdh: plan/1", "esdh: plan/2"),
        ("version: 1", "version: 0"),
        ("2024-06-01", "June"),
        ("rows: 10", "rows: 0"),
        ("rows: 10", "rows: {file: x.csv, types: {a: float}}"),
        ("  goods:", "  Goods:"),
        ("key: [buyer_id]", "key: []"),
        ("room: 4", "room: 0"),
        (COUNT, "count: -1"),
        (COUNT, "count: {one: 1}"),
        (COUNT, "count: {from: 1}"),
        (COUNT, "count: {by: kind}"),
        (KIND, "{}"),
        (KIND, "5"),
        (KIND, "{chioce: {a: 1}}"),
        (KIND, "{choice: {a: 1}, value: 3}"),
        (KIND, "{choice: {a: much}}"),
        (KIND, "{missing: 8, id: true}"),
        (KIND, "{integer: {from: 1}}"),
        (KIND, "{integer: {from: 1, to: 2, zipf: 3}}"),
        (KIND, "{integer: {bands: [[1, 2]]}}"),
        (KIND, "{integer: {bands: [[1, 2, 3, 4]]}}"),
        ("scale: 2", "scale: 19"),
        ("{from: goods}", "{form: goods}"),
        ("{from: goods}", "{from: goods, distinct: true, weight: price}"),
        ("{from: goods}", "{from: goods, among: later}"),
        ("- {value: open}", "- {value: open, missing: 8%}"),
        ("- {value: open}", "- {rollup: sum(x)}"),
    ],
)
def test_schema_refuses_what_the_language_refuses(old: str, new: str) -> None:
    """The JSON Schema finds in an editor what the language would refuse."""
    assert old in GOOD
    wrong = GOOD.replace(old, new, 1)
    assert refusal(wrong)
    assert not is_valid(wrong)
