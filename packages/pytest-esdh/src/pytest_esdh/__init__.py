"""Rows for tests: they depend on the test alone, and a failure tells the recipe of every record that it touched."""

from typing import TYPE_CHECKING

from esdh_core.lazy import lazy_names

if TYPE_CHECKING:
    from pytest_esdh.errors import EsdhError as EsdhError
    from pytest_esdh.factory import Esdh as Esdh
    from pytest_esdh.rows import Rows as Rows

__all__ = ["Esdh", "EsdhError", "Rows"]

__getattr__ = lazy_names(__name__, {"errors": ("EsdhError",), "factory": ("Esdh",), "rows": ("Rows",)})
