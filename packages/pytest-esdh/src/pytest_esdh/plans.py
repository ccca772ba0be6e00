"""The datasets that tests name: the default one, a plan that ships, a plan file or a snapshot's folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from esdh_core.datasets.catalog import VERSION

from pytest_esdh.errors import EsdhError, near

if TYPE_CHECKING:
    from types import ModuleType

    from esdh_core import Dataset, Table
    from esdh_plan import Condition

__all__ = ["Plan", "Plans", "condition_of", "defects_module", "table_of"]

_MISSING = "needs esdh-plan, which isn't installed; `uv add --dev 'pytest-esdh[plan]'` adds it"


class Plan(NamedTuple):
    """A dataset, and how the command line names it: nothing for the default one."""

    dataset: "Dataset"
    reference: str = ""


class Plans:
    """Opens the datasets of a run, each once; files are found from the root folder of the tests."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Take pytest's root folder, and the one that it was started in: commands are printed for that."""
        self._root = root
        self._folder = folder
        self._known: dict[str, Plan] = {}

    def open(self, reference: str | os.PathLike[str] = "") -> Plan:
        """Return the dataset that a reference names, the default one for nothing.

        Raises EsdhError, with the near match or the faults, for one that there isn't or that can't be taken.
        """
        __tracebackhide__ = True
        text = os.fspath(reference)
        if text not in self._known:
            self._known[text] = self._open(text)
        return self._known[text]

    def _open(self, text: str) -> Plan:
        __tracebackhide__ = True
        from esdh_core import DEFAULT_DATASET

        if text in ("", VERSION):
            return Plan(DEFAULT_DATASET)
        try:
            from esdh_plan import plans
            from esdh_plan.references import open_dataset
        except ModuleNotFoundError as error:
            raise _not_installed(f"plan {text!r}", error) from None
        path = self._root / text
        is_file = text not in plans.names() and ("/" in text or "\\" in text or path.suffix or path.is_dir())
        display_path = self._display_path(path) if is_file else text
        try:
            return Plan(open_dataset(str(path) if is_file else text), display_path)
        except (ValueError, OSError) as error:
            raise EsdhError(str(error).replace(str(path), display_path)) from None

    def _display_path(self, path: Path) -> str:
        """Return a path as a command takes it that is run where pytest was started."""
        try:
            display_path = os.path.relpath(path, self._folder)
        except ValueError:  # another drive
            return str(path)
        return display_path if os.sep in display_path or path.suffix else os.path.join(".", display_path)  # noqa: PTH118 # pathlib drops the point


def table_of(dataset: "Dataset", name: str) -> "Table":
    """Return a table by its name or its singular. Raises EsdhError, with the near match, for any other name."""
    __tracebackhide__ = True
    from esdh_core import RequestError

    try:
        return dataset.table(name)
    except RequestError:
        known = [each for table in dataset.tables for each in (table.name, table.entity)]
        tables = ", ".join(table.name for table in dataset.tables)
        hint = near(name, known) or f"; there are {tables}"
        raise EsdhError(f"{dataset.dataset_version} has no table {name!r}{hint}") from None


def condition_of(text: str, dataset: "Dataset") -> "Condition":
    """Return the condition of a `where` on the records of a dataset. Raises EsdhError, with the faults, for one that is none."""
    try:
        from esdh_plan import row_condition
    except ModuleNotFoundError as error:
        raise _not_installed(f"where={text!r}", error) from None
    try:
        return row_condition(text, dataset)
    except ValueError as error:
        raise EsdhError(f"where={text!r} can't be taken: {error}") from None


def defects_module(what: str) -> "ModuleType":
    """Return the module that makes wrong rows. Raises EsdhError, which names what needs it, where esdh-plan isn't installed."""
    try:
        import esdh_plan  # noqa: F401 - which may not be installed, where a module of it is missing otherwise
    except ModuleNotFoundError as error:
        raise _not_installed(what, error) from None
    from esdh_plan.defects import single

    return single


def _not_installed(what: str, error: ModuleNotFoundError) -> Exception:
    """Return the error for a package that is missing: ours where esdh-plan itself is, else as it came."""
    return EsdhError(f"{what} {_MISSING}") if error.name == "esdh_plan" else error
