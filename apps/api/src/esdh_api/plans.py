"""The datasets that the settings name, by their names."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click
from esdh_core import DEFAULT_DATASET, Dataset
from esdh_core.datasets import catalog

from esdh_api.settings import SettingsError

__all__ = ["as_settings_error", "name_of", "open_plans"]


class _WrongPlanError(SettingsError):
    """A plan that is wrong: a line for each fault, which begins with the file, as editors and people look for it."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the faults as they are."""
        click.echo(self.format_message(), err=file is None, file=file)


class _WrongFolderError(SettingsError):
    """A folder that is no snapshot that this program can make again."""

    exit_code = 1


def open_plans(references: Iterable[str]) -> dict[str, Dataset]:
    """Return the datasets that references name, in their order, by the dataset's name.

    Raises SettingsError for a reference that names none, and for two of one name.
    """
    datasets: dict[str, Dataset] = {}
    opened: dict[str, str] = {}
    for reference in references:
        dataset = _open(reference)
        name = name_of(dataset)
        if name in datasets:
            raise SettingsError(
                f"plans {opened[name]!r} and {reference!r} both have the name {name!r}, which their paths begin with; "
                "serve one of them, or rename one"
            )
        datasets[name], opened[name] = dataset, reference
    return datasets


def name_of(dataset: Dataset) -> str:
    """Return a dataset's name without its version: `bank` of `bank v1`."""
    return dataset.dataset_version.partition(" ")[0]


@contextmanager
def as_settings_error(what: str) -> Iterator[None]:
    """Raise SettingsError for what is wrong with a plan, a folder or a file that the settings name."""
    from esdh_plan.errors import PlanError
    from esdh_plan.references import FolderError

    try:
        yield
    except PlanError as error:
        raise _WrongPlanError(str(error)) from error
    except FolderError as error:
        raise _WrongFolderError(str(error)) from error
    except OSError as error:
        raise SettingsError(f"{what} can't be read: {error.strerror}") from error


def _open(reference: str) -> Dataset:
    if reference == catalog.VERSION:
        return DEFAULT_DATASET
    # Late: a server of the default dataset needs no plans.
    from esdh_plan.references import open_dataset

    with as_settings_error(f"plan {reference!r}"):
        return open_dataset(reference)
