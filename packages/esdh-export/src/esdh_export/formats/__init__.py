"""The formats of a snapshot: modules with the same verbs, one file each."""

from types import ModuleType

from esdh_export.formats import csv, json, ndjson, parquet

__all__ = ["FORMATS"]

FORMATS: dict[str, ModuleType] = {module.EXTENSION: module for module in (csv, json, ndjson, parquet)}
