"""Rendered rows equal what Python's own csv and json modules write."""

import csv
import gc
import io
import json
import weakref
from typing import Any

import numpy as np
import pytest
from esdh_core import ENTITIES, Table, generate_bundle, generate_columns
from esdh_core.columns import Categorical, Categories, Column, Concat, FixedText, Integer
from esdh_export.encoding.pieces import RowDialect
from esdh_export.encoding.rows import RowRenderer, texts
from esdh_export.formats.csv import CSV
from esdh_export.formats.ndjson import NDJSON

AWKWARD = ["plain", "comma,inside", 'quote"inside', "line\nbreak", "café \u2028", "back\\slash", "\x1f", None]


def expected_csv(rows: list[dict[str, Any]]) -> str:
    """Return rows as Python's csv module writes them."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(row.values() for row in rows)
    return out.getvalue()


def expected_ndjson(rows: list[dict[str, Any]]) -> str:
    """Return rows as Python's json module writes them."""
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def awkward_columns(count: int) -> dict[str, Column]:
    """Return columns of every kind with text that needs quotes, escapes or nulls."""
    at = np.arange(count, dtype=np.int32) % len(AWKWARD)
    words = Categorical(at, Categories(AWKWARD))
    some = Categorical(at % 7, Categories(AWKWARD[:7]))
    number = Integer(at + 5, 5, 5 + len(AWKWARD))
    fixed = FixedText(np.full((count, 3), ord("z"), dtype=np.uint8))
    joined = Concat((number, " ", some))
    return {
        "a": words,
        "b": fixed,
        "c": joined,
        "d": fixed,
        "e": number,
        "f": words,
        "g": Concat((number, "-", number)),
    }


@pytest.mark.parametrize("count", [1, 5, 5_000, 200_000])
def test_awkward_values(count: int) -> None:
    """Text that needs quotes or escapes, and nulls, are written as the standard library writes them."""
    columns = awkward_columns(count)
    values = [column.tolist() for column in columns.values()]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
    cases: list[tuple[RowDialect, str]] = [
        (CSV, expected_csv(rows)),
        (NDJSON, expected_ndjson(rows)),
    ]
    for dialect, expected in cases:
        rendered = b"".join(RowRenderer(dialect).render(columns)).decode()
        first = next(
            (
                pair
                for pair in zip(expected.split("\n"), rendered.split("\n"), strict=False)
                if pair[0] != pair[1]
            ),
            None,
        )
        assert first is None
        assert expected == rendered


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
@pytest.mark.parametrize("count", [0, 3, 30_000])
def test_rows_of_each_entity(entity: Table, count: int) -> None:
    """Few rows and many, which are rendered in different ways, give what the standard library gives."""
    records = getattr(generate_bundle(count, 5), entity.name)
    rows = []
    for record in records:
        row = {name: getattr(record, name) for name in entity.fields}
        rows.append({k: v.isoformat() if k == "date_of_birth" else v for k, v in row.items()})
    columns = generate_columns(0, count, 5)[entity.name]
    assert expected_csv(rows).encode() == b"".join(RowRenderer(CSV).render(columns))
    ndjson = RowRenderer(NDJSON)
    assert expected_ndjson(rows).encode() == b"".join(ndjson.render(columns))


def test_renderer_takes_blocks_of_any_kind() -> None:
    """One renderer takes blocks one after another whose vocabularies, widths and sizes differ."""
    renderer = RowRenderer(CSV)
    for words in (["x", "yy"], ["zzz"], ["x", "yy"]):
        for count in (5, 9_000, 8_192, 20_000, 0):
            at = np.arange(count) % len(words)
            columns: dict[str, Column] = {
                "a": Categorical(at, Categories(words)),
                "b": Categorical(at, Categories(words)),
            }
            expected = "".join(f"{words[n]},{words[n]}\n" for n in at.tolist())
            assert expected == b"".join(renderer.render(columns)).decode()


@pytest.mark.parametrize("distinct", [1, 2, 3, 8, 30, 90, 91])
@pytest.mark.parametrize("count", [5_000, 5_003])
def test_texts_of_few_distinct_values(distinct: int, count: int) -> None:
    """However many rows are taken as one, the texts are those of the rows, in their order."""
    vocabulary = Categories([chr(ord("a") + code % 26) * (code % 7 + 1) for code in range(distinct)] * 2)
    column = Categorical(np.random.default_rng(1).integers(0, len(vocabulary), count), vocabulary)
    expected = "".join(str(value) for value in column.tolist())
    assert expected == b"".join(texts(column)).decode()


@pytest.mark.parametrize("count", [3, 5_000])
def test_null_is_each_dialects_own(count: int) -> None:
    """A null among numbers, which every dialect spells alike, is nothing in CSV and `null` in JSON."""
    valid = np.arange(count) > 0
    column = Integer(np.arange(count) % 7, 0, 6, valid)
    rows = [b"".join(RowRenderer(dialect).render({"n": column})) for dialect in (CSV, NDJSON, CSV)]
    assert [b"", b'{"n":null}', b""] == [each.split(b"\n")[0] for each in rows]


def test_vocabularies_are_not_kept_alive() -> None:
    """What is remembered of a vocabulary goes with it."""
    words = Categories(["a", "b"])
    codes = np.zeros(10_000, dtype=np.int32)
    assert b"a\n" * 10_000 == b"".join(RowRenderer(CSV).render({"a": Categorical(codes, words)}))
    gone = weakref.ref(words)
    del words
    gc.collect()
    assert gone() is None
