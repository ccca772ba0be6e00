"""Plans in every way that the language may be written, held against the oracle's rows; and that two ways are one."""

import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from esdh_core.dataset import Dataset
from esdh_plan import compile_plan, json_schema, parse_plan
from esdh_plan.reader import read_yaml
from oracle import Oracle
from schemas import as_json

ACCEPTED = Path(__file__).parent / "accepted"
NAMES = sorted(path.stem for path in ACCEPTED.glob("*.yaml"))
HEAD = "esdh: plan/1\nname: shop\nversion: 1\nreference_date: 2026-01-01\ntables:\n"
PLAIN = HEAD + "  buyers:\n    fields:\n      buyer_id: {id: true}\n      kind: {choice: [new, old]}\n"


@cache
def text_of(name: str) -> str:
    """Return the text of a plan."""
    return (ACCEPTED / f"{name}.yaml").read_text(encoding="utf-8")


def dataset_of(text: str | bytes) -> Dataset:
    """Return the dataset of a plan's text."""
    return compile_plan(parse_plan(text, "shop.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_the_oracles(name: str) -> None:
    """Each way to write a plan is taken, and gives the oracle's rows."""
    dataset, oracle = dataset_of(text_of(name)), Oracle(text_of(name))
    for seed, start, records in ((7, 0, 30), (2**53 - 1, 40_000, 3)):
        columns = dataset.columns(start, records, seed)
        for table in oracle.tables():
            rows = oracle.rows(table, seed, start, records)
            for field, column in columns[table].items():
                assert [row[field] for row in rows] == column.tolist(), f"{table}.{field}"


@pytest.mark.parametrize("name", NAMES)
def test_editors_take_them(name: str) -> None:
    """What the language takes the JSON Schema of the language takes too."""
    jsonschema.validate(as_json(read_yaml(text_of(name), name).content), json_schema())


FORMS = {
    "document start": f"---\n{PLAIN}",
    "document end": f"{PLAIN}...\n",
    "line ends of Windows": PLAIN.replace("\n", "\r\n"),
    "byte order mark": f"\ufeff{PLAIN}",
    "no last line end": PLAIN.rstrip("\n"),
    "a date in quotes": PLAIN.replace("2026-01-01", "'2026-01-01'"),
    "a version in another base": PLAIN.replace("version: 1", "version: 0x1"),
    "a version with a sign": PLAIN.replace("version: 1", "version: +1"),
    "JSON": json.dumps(
        {
            "esdh": "plan/1",
            "name": "shop",
            "version": 1,
            "reference_date": "2026-01-01",
            "tables": {"buyers": {"fields": {"buyer_id": {"id": True}, "kind": {"choice": ["new", "old"]}}}},
        }
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_a_file_are_one_plan(form: str) -> None:
    """How a file is written changes nothing, to the bytes of the recipe."""
    assert dataset_of(PLAIN).plan_json == dataset_of(FORMS[form].encode()).plan_json


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{integer: {from: -5, to: 0x10}}", "{integer: {from: -5, to: 16}}"),
        ("{integer: {from: 0o17, to: +20}}", "{integer: {from: 15, to: 20}}"),
        ("{integer: {from: '1', to: '5'}}", "{integer: {from: 1, to: 5}}"),
        ("{integer: {from: 2 * 3, to: 9}}", "{integer: {from: 6, to: 9}}"),
        ("{decimal: {from: -.5, to: 1e3, scale: 1}}", "{decimal: {from: -0.5, to: 1000, scale: 1}}"),
        ("{decimal: {from: 5., to: 1.5E+1, scale: 2}}", "{decimal: {from: 5, to: 15.00, scale: 2}}"),
        ("{integer: {normal: {mean: 40 + 2, sd: 3.0}, from: 0, to: 99}}", "{integer: {normal: {mean: 42, sd: 3}, from: 0, to: 99}}"),
        ("{date: {from: 2020-01-01, to: today}}", "{date: {from: 'date(2020, 1, 1)', to: '2026-01-01'}}"),
        ("{timestamp: {from: 2020-01-01, to: today}}", "{timestamp: {from: 2020-01-01T00:00:00Z, to: 2026-01-01T00:00:00Z}}"),
        ("{choice: [a, b, c]}", "{choice: {a: 1, b: 1, c: 1}}"),
        ("{choice: {a: 70%, b: 0.3}}", "{choice: {a: 7, b: 3}}"),
        ("{choice: {a: 2/3, b: '1/3'}}", "{choice: {a: 2, b: 1}}"),
        ("{choice: {a: 1e1, b: .5}}", "{choice: {a: 20, b: 1}}"),
        ("{value: x, missing: 8%}", "{value: x, missing: 2/25}"),
        ("{value: x, missing: '8%'}", "{value: x, missing: 0.08}"),
        ("{expr: kind}", "kind"),
        (">-\n        kind\n        + 'x'", "kind + 'x'"),
        ("{pattern: '[\\d]{2}\\d'}", "{pattern: '[0-9]{3}'}"),
        ("{pattern: '[+\\-]x', unique: false}", "{pattern: '[+-]x'}"),
        ("{case: [{choice: [p, q]}]}", "{choice: [p, q]}"),
        ("{choice: {by: kind, of: {new: [p, q]}, else: [r]}}", "{choice: {by: kind, of: {new: [p, q], old: [r]}}}"),
    ],
)  # fmt: skip
def test_two_ways_are_one(one: str, other: str) -> None:
    """Two ways to write a field give the same values."""
    columns = [
        dataset_of(f"{PLAIN}      it: {text}\n").columns(0, 500, 3)["buyers"]["it"] for text in (one, other)
    ]
    assert columns[0].tolist() == columns[1].tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("70%", "{0: 30, 1: 70}"),
        ("'70%'", "{1: 0.7, 0: 3/10}"),
        ("1.0", "100%"),
        ("[4, 1]", "{1: 1, 4: 1}"),
        ("{from: 0, to: 3}", "[0, 1, 2, 3]"),
        ("{by: kind, of: {new: 2}, else: 0}", "{by: kind, of: {new: 2, old: 0}}"),
        ("{by: kind, of: {new: 2, old: {by: kind, of: {old: 3}, else: 1}}}", "{by: kind, of: {new: 2, old: 3}}"),
    ],
)  # fmt: skip
def test_two_ways_to_count_are_one(one: str, other: str) -> None:
    """Two ways to write a count give the same rows."""
    table = (
        "  orders:\n    per: buyers\n    count: {}\n    room: 8\n    fields:\n      order_id: {{id: true}}\n"
    )
    columns = [
        dataset_of(PLAIN + table.format(text)).columns(0, 500, 3)["orders"]["order_id"]
        for text in (one, other)
    ]
    assert columns[0].tolist() == columns[1].tolist()
