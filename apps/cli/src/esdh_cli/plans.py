"""--plan: the dataset that a command works on, and the options of a run that mean the same in every command."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

import click
from esdh_core.constants import MAX_RECORDS, MAX_SEED
from esdh_core.datasets import catalog

from esdh_cli.parameters import IntegerText, LocalPath, OneOf

if TYPE_CHECKING:
    from esdh_core import Dataset
    from esdh_core.overlay import Overlay

__all__ = [
    "RECORDS",
    "SEED",
    "defects_option",
    "open_defects",
    "open_plan",
    "plan_option",
    "quoted_plan",
    "tables_named",
]

F = TypeVar("F", bound=Callable[..., object])

RECORDS = IntegerText(1, MAX_RECORDS, "8589934592 (2^33)")
SEED = IntegerText(0, MAX_SEED, "9007199254740991 (2^53 - 1)")


def plan_option(command: F) -> F:
    """Add --plan to a command."""
    return click.option(
        "--plan",
        type=LocalPath(),
        metavar="P",
        help="Plan: the name of one that ships, a file (with a slash or a suffix) or a snapshot's folder.  "
        f"[default: {catalog.VERSION}]",
    )(command)


def defects_option(command: F) -> F:
    """Add --defects to a command."""
    return click.option(
        "--defects",
        type=LocalPath(),
        metavar="F",
        help="Defects: a file, the folder of a snapshot that has some, or a list in brackets: '[{kind: typo, table: ...}]'.  "
        "[default: those that the plan lists]",
    )(command)


def open_defects(reference: str | None, plan: str | None, dataset: "Dataset") -> "Overlay | None":
    """Return the defects that a reference names; for none those that a plan lists itself, if it does."""
    if reference is not None and reference.startswith("["):
        from esdh_plan.defects.overlay import read_inline

        return read_inline(reference, dataset)
    if reference is not None:
        from esdh_plan.references import open_defects as opened

        return opened(reference, dataset)
    if plan is None or plan == catalog.VERSION:
        return None
    from esdh_plan.references import defects_of_plan

    return defects_of_plan(plan, dataset)


def open_plan(reference: str | None) -> "Dataset":
    """Return the dataset that a reference names, the default one for none; it costs no more than it needs."""
    if reference is None or reference == catalog.VERSION:
        from esdh_core import DEFAULT_DATASET

        return DEFAULT_DATASET
    from esdh_plan.references import open_dataset

    return open_dataset(reference)


def tables_named(dataset: "Dataset | None", words: Iterable[str], option: str) -> tuple[str, ...]:
    """Return the tables of a dataset, the default one for None, that an option of the running command names.

    A name that none has is wrong usage, with the near match.
    """
    known = (
        {name: table for table, singular in catalog.TABLES.items() for name in (table, singular)}
        if dataset is None
        else {name: table.name for table in dataset.tables for name in (table.name, table.entity)}
    )
    context = click.get_current_context()
    parameter = next(each for each in context.command.params if each.name == option)
    return tuple(table for word in words for table in OneOf(known).convert(word, parameter, context))


def quoted_plan(reference: str | None) -> str:
    """Return the option with a space before it, as a shell takes it; nothing for the default dataset."""
    import shlex

    return "" if reference is None else f" --plan {shlex.quote(reference)}"
