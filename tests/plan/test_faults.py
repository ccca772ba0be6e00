"""Plans that are wrong: each is refused when it is loaded, with the place and one sentence."""

import pytest
from esdh_plan import PlanError
from esdh_plan.language import parse_plan
from esdh_plan.recipe import compile_plan

HEAD = "esdh: plan/1\nname: bad\nversion: 1\nreference_date: 2024-06-01\ntables:\n"


def faults_of(tables: str) -> list[tuple[str, str]]:
    """Return the path and the sentence of each fault of a plan with these tables."""
    with pytest.raises(PlanError) as caught:
        compile_plan(parse_plan(HEAD + tables, "bad.yaml"))
    return [(fault.path, fault.reason) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("field", "path", "told"),
    [
        ("{integer: {from: 9, to: 1 + 1}}", ".integer", "the range is empty on every row"),
        (
            "{integer: {from: 0, to: today}}",
            ".integer.to",
            "a bound of an integer is an integer; this is a date",
        ),
        (
            "{decimal: {from: 0.001, to: 1, scale: 2}}",
            ".decimal.from",
            "the bound has 3 digits after the point",
        ),
        ("{date: {from: 2024-02-30, to: today}}", ".date.from", "is no date of the calendar"),
        (
            "{decimal: {zipf: {s: 1}, from: 1, to: 9, scale: 1}}",
            ".decimal.zipf",
            "zipf is for integers and counts",
        ),
        ("{integer: {normal: {mean: 5, sd: 1}, from: other, to: 9}}", ".integer.from", "a bound is constant"),
        ("{integer: {from: other, to: 9}, unique: true}", ".integer.from", "a bound is constant"),
        ("{integer: {zipf: {s: 1}, from: 1, to: 9}, unique: true}", ".integer", "take the distribution out"),
        ("{integer: {from: 1, to: 9}, ordered: true}", ".ordered", "a table without a parent has none"),
        ("{pattern: '[A-Z'}", ".pattern", "the pattern can't be read from '[A-Z' on"),
        ("{pattern: '[^a]'}", ".pattern", "says what can't stand there"),
        ("{pattern: '[aa]'}", ".pattern", "names 'a' twice"),
        ("{pattern: '[0-9]{19}'}", ".pattern", "2^62 are the most"),
        ("{pattern: '[0-9]{999}'}", ".pattern", "has 1 to 200 characters"),
        ("{choice: {by: other, of: {1: [a]}, else: [b]}}", ".choice.by", "'other' isn't coded"),
        (
            "{choice: {by: color, of: {red: [a]}}}",
            ".choice",
            "there is no branch for 'blue'; give it, or `else`",
        ),
        (
            "{choice: {by: color, of: {rad: [a]}, else: [b]}}",
            ".choice.of.rad",
            "is never 'rad'; did you mean 'red'?",
        ),
        ("{choice: {by: color, of: {1: [a]}, else: [b]}}", ".choice.of.1", "1 is no string"),
        ("{choice: {by: color, of: {red: [a]}, else: [1]}}", ".choice", "these are integer and string"),
        ("{case: [{when: other, value: 1}, {value: 2}]}", ".case[0].when", "a condition is true or false"),
        ("{case: [{when: other > 1, value: 1}, {value: a}]}", ".case", "these are integer and string"),
        ("{value: 1, when: other}", ".when", "a condition is true or false"),
        ("{running: sum(other)}", ".running", "a table without a parent has none"),
        ("{rollup: count(mine)}", ".rollup", "there is no table 'mine' below 'a'; did you mean 'mines'?"),
        (
            "{rollup: sum(mines.weigt)}",
            ".rollup",
            "table 'mines' has no field 'weigt'; did you mean 'weight'?",
        ),
        ("{rollup: sum(a.other)}", ".rollup", "'a' isn't below 'a'; a rollup is over rows below"),
        ("{faker: {provider: firm, pool: 3}}", ".faker.provider", "'firm' is none of our providers"),
        ("{faker: {provider: company, pool: 3}}", ".faker", "`esdh lock-plan bad.yaml` makes it"),
        ("othr + 1", "", "'a' has no field 'othr'; did you mean 'other'?"),
        ("k", "", "'k' counts siblings"),
        ("parent.x", "", "'a' has no parent"),
        ("prev.other", "", "'prev' is a sibling"),
        ("row.x", "", "'row' is a line of a file"),
        ("cities.city", "", "'cities' is no pick of 'a' and no table above it"),
        ("home.citty", "", "'cities' has no column 'citty'; did you mean 'city'?"),
        ("before.other", "", "only ids, sequences and unique fields can be used"),
        ("f + 1", "", "the field depends on itself: a.f needs a.f"),
    ],
)
def test_fields_are_refused(field: str, path: str, told: str) -> None:
    """A field that is wrong is refused at its place."""
    tables = (
        "  a:\n    pick: {home: {from: cities}, before: {from: a, among: earlier}}\n    fields:\n"
        "      other: {integer: {from: 0, to: 5}}\n      color: {choice: [red, blue]}\n"
        f"      f: {field if field.startswith('{') else repr(field)}\n"
        "  mines:\n    per: a\n    fields: {weight: {integer: {from: 1, to: 2}}}\n"
    )
    ((where, reason),) = faults_of(tables)
    assert f"tables.a.fields.f{path}" == where
    assert told in reason


@pytest.mark.parametrize(
    ("pick", "path", "told"),
    [
        ("{from: cities, weight: city}", ".weight", "is no column of weights"),
        ("{from: cities, weight: people}", ".weight", "'cities' has no column 'people'"),
        ("{from: cities, where: {state: number}}", ".where.state", "'number' isn't coded"),
        ("{from: cities, where: {state: color}}", ".where", "no row of 'cities' has state 'red'"),
        ("{from: cities, where: {state: maybe}}", ".where.state", "'maybe' can be null, which no row equals"),
        ("{from: cities, where: {population: color}}", ".where.population", "they are never equal"),
        (
            "{from: few, distinct: true}",
            ".distinct",
            "3 siblings can't draw different rows of 'few', which has 2",
        ),
    ],
)
def test_picks_are_refused(pick: str, path: str, told: str) -> None:
    """A pick that is wrong is refused at its place."""
    tables = (
        "  few: {rows: 2, fields: {n: {sequence: {start: 1}}}}\n  a: {fields: {i: {id: true}}}\n"
        f"  b:\n    per: a\n    count: 3\n    pick: {{p: {pick}}}\n    fields:\n"
        "      number: {integer: {from: 0, to: 5}}\n      color: {choice: [red, blue]}\n"
        "      maybe: {choice: [CA], missing: 1%}\n"
    )
    ((where, reason),) = faults_of(tables)
    assert f"tables.b.pick.p{path}" == where
    assert told in reason


@pytest.mark.parametrize(
    ("tables", "path", "told"),
    [
        (
            "  a: {fields: {n: {integer: {from: 1, to: 5}}}, key: [n]}\n",
            "tables.a.key",
            "two rows can have the same n",
        ),
        (
            "  a: {fields: {i: {id: true}}}\n  b: {per: a, count: 5, room: 4, fields: {i: {id: true}}}\n",
            "tables.b.room",
            "8 would do",
        ),
        (
            "  a: {fields: {i: {id: true}}}\n  b: {per: a, count: 5000, fields: {i: {id: true}}}\n"
            "  c: {per: b, count: 5000, fields: {i: {id: true}}}\n",
            "tables.c",
            "16,777,216 are the most",
        ),
        (
            "  f: {rows: 11, fields: {c: {pattern: '[0-9]', unique: true}}}\n  a: {fields: {i: {id: true}}}\n",
            "tables.f.fields.c",
            "it has 10 different values, and rows are numbered from 0 to 10; a pattern of 2 digits, [0-9]{2}, would do",
        ),
        (
            "  f: {rows: {file: x.csv}, fields: {c: row.c}}\n  a: {fields: {i: {id: true}}}\n",
            "tables.f.rows.file",
            "a plan without a folder can't have files",
        ),
    ],
)
def test_tables_are_refused(tables: str, path: str, told: str) -> None:
    """A table that is wrong is refused at its place."""
    ((where, reason),) = faults_of(tables)
    assert path == where
    assert told in reason


def test_keys_are_unique_by_construction() -> None:
    """A key may be a parent's id with a number among siblings, or with a unique column of a distinct pick."""
    text = HEAD + (
        "  courses: {rows: 9, fields: {n: {sequence: {start: 1}}}}\n  a: {fields: {i: {id: true}}, key: [i]}\n"
        "  b: {per: a, count: 3, fields: {a: parent.i, n: k + 1}, key: [a, n]}\n"
        "  c: {per: a, fields: {a: parent.i}, key: [a]}\n"
        "  d: {per: a, count: 3, pick: {course: {from: courses, distinct: true}},\n"
        "      fields: {a: parent.i, n: course.n}, key: [a, n]}\n"
    )
    dataset = compile_plan(parse_plan(text, "keys.yaml"))
    assert [(), ("i",), ("a", "n"), ("a",), ("a", "n")] == [table.primary_key for table in dataset.tables]
