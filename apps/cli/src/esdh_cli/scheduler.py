"""A running Dask cluster that does a command's work: its option, and the connection to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

__all__ = ["check_alone", "cluster", "scheduler_option", "tell_connecting"]

F = TypeVar("F", bound=Callable[..., object])


def _address(_context: click.Context, _parameter: click.Parameter, address: str | None) -> str | None:
    if address is None:
        return None
    from esdh_export.errors import ExportError
    from esdh_export.execution.cluster import check_address

    try:
        return check_address(address)
    except ExportError as error:
        raise click.BadParameter(str(error)) from error


def scheduler_option(help_text: str) -> Callable[[F], F]:
    """Return a decorator that adds --scheduler to a command."""
    return click.option("--scheduler", callback=_address, metavar="URL", help=help_text)


def tell_connecting(place: object) -> None:
    """Say on stderr what is waited for."""
    click.echo(f"Connecting to {place}", err=True)


def check_alone(scheduler: str | None, workers: int | None) -> None:
    """Refuse --workers beside --scheduler."""
    if scheduler is not None and workers is not None:
        raise click.UsageError(
            "--scheduler and --workers exclude each other: the cluster has its own workers; give one of them"
        )


@contextmanager
def cluster(
    address: str, programs: "Mapping[str, str]", connecting: Callable[[object], None] | None
) -> "Iterator[Executor]":
    """Yield a Dask cluster that has these versions of programs; `connecting` is called with its address first."""
    from esdh_export.execution.cluster import connect

    if connecting is not None:
        connecting(address)
    with connect(address, programs) as executor:
        yield executor
