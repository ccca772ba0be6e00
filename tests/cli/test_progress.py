"""Progress is shown for long work only."""

import time

import pytest
from esdh_cli import progress


def test_short_or_hidden_work_shows_nothing() -> None:
    """Work that is over in a moment, or is to be silent, has no progress."""
    for total, hidden in ((200, False), (10**9, True)):
        with progress.recorded(total, hidden=hidden) as advance:
            assert advance is None


def test_lines_tell_rows_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal a line now and then tells rows, rate and time left."""
    clock = iter([0.0, 1.0, 20.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with progress.recorded(2_000_000, hidden=False) as advance:
        assert advance is not None
        advance(500_000)
        advance(500_000)
    assert capsys.readouterr().err == "1,000,000 of 2,000,000 records, 50,000/s, 20 s left\n"
