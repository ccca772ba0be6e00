"""Errors of users are exit_on_error; bugs keep their traceback."""

import click
import pytest
from esdh_cli.errors import exit_on_error
from esdh_core import RequestError


def test_our_errors_become_sentences() -> None:
    """An error of our libraries or of the disk is told without a traceback."""
    with pytest.raises(click.ClickException, match="what was wrong"), exit_on_error():
        raise RequestError("what was wrong")
    with pytest.raises(click.ClickException, match=r"No space left .*free some space"), exit_on_error():
        raise OSError(28, "No space left on device", "/x")


def test_bugs_keep_their_traceback() -> None:
    """An error of another origin is a bug and isn't hidden."""
    with pytest.raises(ValueError, match="bug"), exit_on_error():
        raise ValueError("bug")
    with pytest.raises(OSError, match="odd"), exit_on_error():
        raise OSError("odd")
