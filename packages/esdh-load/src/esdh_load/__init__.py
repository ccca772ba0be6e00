"""Rows of any dataset in a database and back: loads that are all there or not at all, proved and removed.

Names are imported when they are first used: a command that only prints DDL doesn't pay for drivers.
"""

from typing import TYPE_CHECKING

from esdh_core.lazy import lazy_names

if TYPE_CHECKING:
    from esdh_load.columns import field_types as field_types
    from esdh_load.databases import Database as Database
    from esdh_load.databases import open_database as open_database
    from esdh_load.errors import DatabaseError as DatabaseError
    from esdh_load.errors import LoadError as LoadError
    from esdh_load.errors import UriError as UriError
    from esdh_load.records import Load as Load
    from esdh_load.records import read_loads as read_loads
    from esdh_load.uri import DatabaseUri as DatabaseUri
    from esdh_load.uri import parse_uri as parse_uri

__getattr__ = lazy_names(
    __name__,
    {
        "columns": ("field_types",),
        "databases": ("Database", "open_database"),
        "errors": ("DatabaseError", "LoadError", "UriError"),
        "records": ("Load", "read_loads"),
        "uri": ("DatabaseUri", "parse_uri"),
    },
)
