"""The marker `esdh`: the records that a test is run over, once each."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pytest_esdh.errors import EsdhError, near
from pytest_esdh.plans import Plan, Plans, condition_of

if TYPE_CHECKING:
    import pytest
    from esdh_core.testing import Window
    from esdh_plan import Condition

__all__ = ["NAME", "Case", "Exploration", "cases_of", "ids_named", "plan_of"]

NAME: Final = "esdh"
_KEYWORDS: Final = ("records", "plan", "where")
_MOST_SEARCHED: Final = 1 << 17  # records that a `where` is looked for in
_FIRST_SEARCHED: Final = 64
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class Case(NamedTuple):
    """A record that a test is run over, by an id of its; or why there is none."""

    id: str
    plan: Plan | None = None
    trouble: str = ""

    def __str__(self) -> str:
        return self.id


class Exploration(NamedTuple):
    """How many fresh windows a test is run over, and the word that makes them: another word, other windows."""

    windows: int
    word: str


class _Marker(NamedTuple):
    records: int = 1
    plan: str = ""
    where: str = ""


def plan_of(node: "pytest.Item | pytest.Collector") -> str:
    """Return the plan that the nearest marker of a node names; nothing, if none does."""
    mark = node.get_closest_marker(NAME)
    return str(mark.kwargs.get("plan") or "") if mark is not None else ""


def cases_of(
    mark: "pytest.Mark",
    test: str,
    *,
    seed: int,
    plan: str,
    plans: Plans,
    failed: Sequence[tuple[str, str]],
    named: Sequence[str],
    exploration: Exploration | None,
) -> list[Case]:
    """Return the cases of a marked test: what failed once, what the command line names, its own records, fresh ones.

    `test` is the node id of its function, `failed` the ids of its failures, and where each is written. What the
    marker asks for and can't be is one case more, which fails.
    """
    try:
        marker = _read(mark)
        opened = plans.open(marker.plan or plan)
    except EsdhError as error:
        return [Case("unusable", None, str(error))]
    cases = {text: _failed(opened, text, where) for text, where in failed}
    for text in named:
        if not _refusal(opened, text):  # else it is a parameter of the test's own
            cases.setdefault(text, Case(text, opened))
    try:
        for text in _ids(marker, opened, test, seed, exploration):
            cases.setdefault(text, Case(text, opened))
    except EsdhError as error:
        cases["unusable"] = Case("unusable", None, str(error))
    return list(cases.values())


def _read(mark: "pytest.Mark") -> _Marker:
    for name in mark.kwargs:
        if name not in _KEYWORDS:
            raise EsdhError(
                f"the marker esdh has no {name!r}{near(name, _KEYWORDS)}; it takes {', '.join(_KEYWORDS)}"
            )
    if mark.args:
        raise EsdhError(f"the marker esdh takes its arguments by name: {', '.join(_KEYWORDS)}")
    marker = _Marker(**mark.kwargs)
    if isinstance(marker.records, bool) or not isinstance(marker.records, int) or marker.records < 1:
        raise EsdhError(f"the marker esdh has records={marker.records!r}; it takes a whole number from 1")
    if not isinstance(marker.where, str):
        raise EsdhError(f"the marker esdh has where={marker.where!r}; it takes an expression as text")
    return marker._replace(plan=str(marker.plan or ""))


def _failed(plan: Plan, text: str, where: str) -> Case:
    refusal = _refusal(plan, text)
    return Case(
        text,
        plan,
        f"{where}: {refusal}; the test is run over {plan.dataset.dataset_version}, so correct the line or remove it"
        if refusal
        else "",
    )


def _refusal(plan: Plan, text: str) -> str:
    """Return why an id has no record in a plan, nothing where it has one."""
    from esdh_core import IdError

    try:
        origin = plan.dataset.decode(text)
    except IdError as error:
        return str(error)
    table = plan.dataset.table(origin.entity)
    return f"{text!r} is of {table.name}, a fixed table, which no record has" if table.is_fixed else ""


def _ids(marker: _Marker, plan: Plan, test: str, seed: int, exploration: Exploration | None) -> Iterator[str]:
    """Yield the ids of the test's own records, then those of fresh ones, as many as there are."""
    from esdh_core import RequestError, encode_id
    from esdh_core.testing import window_for

    dataset = plan.dataset
    condition = condition_of(marker.where, dataset) if marker.where else None
    names = [test]
    if exploration is not None:
        numbers = range(1, exploration.windows + 1)
        names += [f"{test}#explore/{exploration.word}/{number}" for number in numbers]
    for name in names:
        window = window_for(name, seed=seed, dataset=dataset)
        try:
            found, looked_at = _numbers(window, marker.records, condition)
        except RequestError as error:
            raise EsdhError(str(error)) from None
        if len(found) < marker.records and name == test:
            met = f"{len(found):,} of them meet" if found else "none of them meets"
            raise EsdhError(
                f"{looked_at:,} records of {dataset.dataset_version} were looked at from record {window.start:,} on, and "
                f"{met} where={marker.where!r}; the marker asks for {marker.records:,}"
            )
        for number in found:
            yield encode_id(window.seed, dataset.root.name, number, dataset=dataset)


def _numbers(window: "Window", records: int, condition: "Condition | None") -> tuple[list[int], int]:
    """Return the numbers of a window's first records, or of the first that meet a condition, and how many were looked at.

    Fewer than were asked for, where a bounded search finds no more.
    """
    if condition is None:
        return [int(number) for block in window.blocks(records) for number in block.index], records
    dataset = window.dataset
    most = min(_MOST_SEARCHED, window.capacity)
    largest = min(table.block_records for table in dataset.tables if not table.is_fixed)
    found: list[int] = []
    skip, size = 0, min(_FIRST_SEARCHED, largest)
    while skip < most and len(found) < records:
        size = min(size, most - skip)
        for block in window.blocks(size, skip):
            found += block.index[condition.holds(block)].tolist()
        skip, size = skip + size, min(size * 4, largest)
    return found[:records], skip


def ids_named(arguments: Iterable[str], folder: Path, test: str, path: Path) -> list[str]:
    """Return the ids within node ids of the command line that name a test with its parameters: `test.py::test_x[ID]`.

    `test` is the test's node id and `path` its file; relative paths are of `folder`.
    """
    found: list[str] = []
    parts = test.split("::")[1:]
    for argument in arguments:
        base, bracket, parameters = argument.partition("[")
        file, *names = base.split("::")
        if bracket and names == parts and (folder / file).resolve() == path.resolve():
            found += _UUID.findall(parameters)
    return found
