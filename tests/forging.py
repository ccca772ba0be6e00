"""Writes snapshots whose values were changed before anything was signed: as a forger would who makes all fit."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from esdh_core.columns import Column
from esdh_core.dataset import Block, Table
from esdh_proof import Check, Verification

__all__ = ["failed", "forged", "where"]


def _edited(edit: Callable[[Column], Column], made: Callable[[Block], Column], block: Block) -> Column:
    return edit(made(block))


@contextmanager
def forged(table: Table, fields: Iterable[str], edit: Callable[[Column], Column]) -> Iterator[None]:
    """Change columns as a forger would who signs all that it writes."""
    with pytest.MonkeyPatch.context() as patch:
        for field in fields:
            rule = table._rules[field]
            patch.setitem(table._rules, field, replace(rule, column=partial(_edited, edit, rule.column)))
        yield


def failed(outcome: Verification) -> dict[str, Check]:
    """Return the checks that failed, by name."""
    return {check.name: check for check in outcome.checks if check.status == "failed"}


def where(check: Check) -> tuple[int | None, str | None]:
    """Return the row and the field where a check failed first."""
    assert check.first is not None
    return check.first.row, check.first.field
