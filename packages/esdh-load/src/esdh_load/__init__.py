"""Rows of any dataset in a database and back: loads that are all there or not at all, proved and removed.

Names are imported when they are first used: a command that only prints DDL doesn't pay for drivers.
"""

from typing import TYPE_CHECKING

from esdh_core.lazy import lazy_names

if TYPE_CHECKING:
    from esdh_load.columns import field_types as field_types
    from esdh_load.databases import Database as Database
    from esdh_load.databases import open_database as open_database
    from esdh_load.ddl import DIALECTS as DIALECTS
    from esdh_load.ddl import render_ddl as render_ddl
    from esdh_load.errors import AttachedRowsError as AttachedRowsError
    from esdh_load.errors import DatabaseError as DatabaseError
    from esdh_load.errors import LoadError as LoadError
    from esdh_load.errors import UriError as UriError
    from esdh_load.findings import RowFailure as RowFailure
    from esdh_load.loading import LoadedRows as LoadedRows
    from esdh_load.loading import load_database as load_database
    from esdh_load.records import Load as Load
    from esdh_load.records import read_loads as read_loads
    from esdh_load.source import PlanSource as PlanSource
    from esdh_load.source import SnapshotSource as SnapshotSource
    from esdh_load.unloading import UnloadedRows as UnloadedRows
    from esdh_load.unloading import unload_database as unload_database
    from esdh_load.uri import DatabaseUri as DatabaseUri
    from esdh_load.uri import parse_uri as parse_uri
    from esdh_load.verifying import DatabaseCheck as DatabaseCheck
    from esdh_load.verifying import DatabaseVerification as DatabaseVerification
    from esdh_load.verifying import verify_database as verify_database

__getattr__ = lazy_names(
    __name__,
    {
        "columns": ("field_types",),
        "databases": ("Database", "open_database"),
        "ddl": ("DIALECTS", "render_ddl"),
        "errors": ("AttachedRowsError", "DatabaseError", "LoadError", "UriError"),
        "findings": ("RowFailure",),
        "loading": ("LoadedRows", "load_database"),
        "records": ("Load", "read_loads"),
        "source": ("PlanSource", "SnapshotSource"),
        "unloading": ("UnloadedRows", "unload_database"),
        "uri": ("DatabaseUri", "parse_uri"),
        "verifying": ("DatabaseCheck", "DatabaseVerification", "verify_database"),
    },
)
