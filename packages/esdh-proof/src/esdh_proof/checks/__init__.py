"""What holds for the rows of a block, a column at a time: second statements, made from the values that were read.

Nothing here generates a row. A check yields findings: a field, which rows fail, and what each of them should hold.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from esdh_core import Dataset
from esdh_manifest import slug

from esdh_proof.checks import roles
from esdh_proof.checks.finding import Finding, differing
from esdh_proof.checks.schema import schema

__all__ = ["Finding", "checks_of", "differing", "schema"]


def checks_of(dataset: Dataset) -> ModuleType:
    """Return the module with a dataset's `synthetic`, `integrity` and `rules`: its own, or that of the roles."""
    name = f"{__name__}.{slug(dataset.dataset_version)}"
    return import_module(name) if find_spec(name) is not None else roles
