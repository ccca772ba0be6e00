"""Errors of users are sentences; bugs keep their traceback."""

import click
import pytest
from esdh_cli.errors import sentences
from esdh_core import RequestError


def test_our_errors_become_sentences() -> None:
    """An error of our libraries or of the disk is told without a traceback."""
    with pytest.raises(click.ClickException, match="what was wrong"), sentences():
        raise RequestError("what was wrong")
    with pytest.raises(click.ClickException, match=r"No space left .*free some space"), sentences():
        raise OSError(28, "No space left on device", "/x")


def test_bugs_keep_their_traceback() -> None:
    """An error of another origin is a bug and isn't hidden."""
    with pytest.raises(ValueError, match="bug"), sentences():
        raise ValueError("bug")
    with pytest.raises(OSError, match="odd"), sentences():
        raise OSError("odd")
