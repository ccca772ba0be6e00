"""No snapshot has a control character: a rule that makes one is refused before its row is written."""

from pathlib import Path

import numpy as np
import pytest
from datasets import LEDGER
from esdh_core.columns import Categorical, Categories, Column, Concat, FixedText, Integer, Text
from esdh_export import ExportError, SnapshotRequest, write_snapshot
from esdh_export.encoding.controls import control_character
from tampering import forged

CODES = np.zeros(2, dtype=np.int32)
LETTERS = FixedText(np.frombuffer(b"abcd", dtype=np.uint8).reshape(2, 2))
LINES = "two\nlines"


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Text.of(["a", None, "", "ü\x9f ~"]), None),
        (Text.of(["a", None, LINES, "\t"]), LINES),
        (Text.of(["", "\x7f"]), "\x7f"),
        (Text.of([]), None),
        (Categorical(CODES, Categories(["a", None, LINES])), LINES),
        (Categorical(CODES, Categories(["a", None])), None),
        (LETTERS, None),
        (Integer(CODES, 0, 9), None),
        (Concat(("a ", LETTERS, Integer(CODES, 0, 9))), None),
        (Concat((LETTERS, "\r")), "\r"),
    ],
)
def test_control_character_is_found(column: Column, expected: str | None) -> None:
    """The text that has one is found in every kind of column; letters outside ASCII are none."""
    assert expected == control_character(column)


@pytest.mark.parametrize("formats", [("csv",), ("json",), ("ndjson",), ("parquet",)])
def test_text_with_a_line_end_is_refused(tmp_path: Path, formats: tuple[str, ...]) -> None:
    """The sentence names table, field and text, and no snapshot is left, in whatever format it was asked for."""
    request = SnapshotRequest(dataset=LEDGER, formats=formats)
    with (
        forged(LEDGER.table("parcels"), ["remark"], lambda column: Text.of([LINES] * len(column))),
        pytest.raises(ExportError) as raised,
    ):
        write_snapshot(tmp_path / "s", request)
    assert (
        "parcels.remark has the text 'two\\nlines', and no text of a snapshot has a control character; "
        "take it out of the rule"
    ) == str(raised.value)
    assert not (tmp_path / "s").exists()
