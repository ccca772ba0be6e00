"""What commands on a database have in common: the URI, which load is meant, and the package that they need."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from esdh_cli.parameters import IntegerText

if TYPE_CHECKING:
    from esdh_load import DatabaseVerification, LoadedRows, UnloadedRows
    from esdh_proof import SnapshotIdentity

__all__ = ["database_identity", "database_options", "display_uri", "load_option", "needs_databases"]

F = TypeVar("F", bound=Callable[..., object])
_MOST_LOADS = 2**31 - 1


def database_options(command: F) -> F:
    """Add the URI and --db-schema to a command."""
    uri = click.argument("uri", metavar="URI", envvar="ESDH_DATABASE_URI")
    schema = click.option(
        "--db-schema", metavar="NAME", help="Schema of the tables.  [default: where the database puts them]"
    )
    return uri(schema(command))


def load_option(command: F) -> F:
    """Add --load to a command."""
    return click.option(
        "--load",
        type=IntegerText(1, _MOST_LOADS, str(_MOST_LOADS)),
        metavar="N",
        help="Which load, by its number in esdh_loads.  [default: the only one]",
    )(command)


def needs_databases() -> None:
    """End the command where the package for databases isn't installed, with the words that install it."""
    from importlib.util import find_spec

    if find_spec("esdh_load") is None:
        raise click.ClickException(
            "databases need esdh-load, which is not installed here; install esdh-cli[databases]"
        )


def display_uri(uri: str) -> str:
    """Return a URI as logs may have it, without its password; of one that can't be read nothing is shown."""
    from esdh_load import UriError, parse_uri

    try:
        return parse_uri(uri).display
    except UriError:
        return "a URI that can't be read"


def database_identity(outcome: "DatabaseVerification | LoadedRows | UnloadedRows") -> "SnapshotIdentity":
    """Return what a load is, as the audit log has it."""
    from esdh_proof import SnapshotIdentity

    return SnapshotIdentity(
        folder=outcome.database,
        dataset_version=outcome.dataset_version,
        seed=outcome.seed,
        records=outcome.records,
        plan_sha256=outcome.plan_sha256,
        content=outcome.content,
    )
