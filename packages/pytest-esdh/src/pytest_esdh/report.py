"""What a failure tells: each record that the test touched, how to see it, and how to run the test again."""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_esdh.failures import Failure
from pytest_esdh.marker import Case
from pytest_esdh.run import Run, Touched

if TYPE_CHECKING:
    import pytest

__all__ = ["SECTION", "add_recipe", "failure_in", "forget_recipe"]

SECTION: Final = "esdh: records that this test touched"
_MAX_ROWS: Final = 20
_PREFIX: Final = "esdh_"
_FAILURE: Final = "esdh_failure"


def add_recipe(run: Run, item: "pytest.Item", report: "pytest.TestReport") -> None:
    """Add the recipe of a failed test to its report: as a section, and as properties, which JUnit XML has."""
    touched = run.touched(item)
    names = getattr(item, "fixturenames", ())
    case = case_of(item)
    if case is not None and case.trouble:
        return  # nothing was run; what is wrong is said
    if not touched and not {"esdh", "esdh_record", "esdh_seed"} & set(names):
        return
    lines = [reproduce_command(row) for row in touched[:_MAX_ROWS]]
    again = f"pytest {shlex.quote(_node_id(item))} --esdh-seed {run.seed}"
    report.sections.append((SECTION, _section(touched, lines, again)))
    properties = [*(("esdh_reproduce", line) for line in lines), ("esdh_repeat", again)]
    if case is not None:
        properties.append((_FAILURE, f"{case.id} {item.nodeid.partition('[')[0]}"))
    for target in (
        item,
        report,
    ):  # JUnit XML takes them from the report of the tear-down, which has the item's
        forget_recipe(target)
        target.user_properties += properties


def _node_id(item: "pytest.Item") -> str:
    """Return a test's node id as pytest takes it in the folder that it was started in."""
    folder, root = item.config.invocation_params.dir, item.config.rootpath
    if folder == root:
        return item.nodeid
    file, separator, names = item.nodeid.partition("::")
    return f"{Path(os.path.relpath(root / file, folder)).as_posix()}{separator}{names}"


def forget_recipe(target: "pytest.Item | pytest.TestReport") -> None:
    """Remove the recipe that an earlier phase of a test, or an earlier attempt at it, has added."""
    target.user_properties[:] = [each for each in target.user_properties if not each[0].startswith(_PREFIX)]


def case_of(item: "pytest.Item") -> Case | None:
    """Return the record that the marker runs a test over, None for a test without one."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("esdh_record") if callspec is not None else None
    return case if isinstance(case, Case) else None


def failure_in(properties: Iterable[tuple[str, object]]) -> Failure | None:
    """Return the failure that the properties of a report tell, None where the test was not run over a record."""
    for name, value in properties:
        if name == _FAILURE:
            text, _, test = str(value).partition(" ")
            return Failure(test, text)
    return None


def reproduce_command(row: Touched) -> str:
    """Return the command that prints a row and what it belongs to."""
    plan = f" --plan {shlex.quote(row.plan.reference)}" if row.plan.reference else ""
    defects = f" --defects {shlex.quote(row.defects)}" if row.defects else ""
    return f"esdh reproduce {row.id}{plan}{defects}"


def _section(touched: list[Touched], lines: list[str], again: str) -> str:
    if not touched:
        return f"none\nto repeat: {again}"
    width = max(len(row.table) for row in touched[:_MAX_ROWS])
    rows = [f"{row.table:<{width}}  {line}" for row, line in zip(touched, lines, strict=False)]
    if len(touched) > _MAX_ROWS:
        rows.append(f"and {len(touched) - _MAX_ROWS:,} more, touched before these")
    order = "the last touched first" if len(touched) > 1 else "one record"
    return "\n".join([f"{order}:", *rows, f"to repeat: {again}"])
