"""Plan files: a user's schema, read strictly and compiled to a dataset with every guarantee."""

from typing import TYPE_CHECKING

from esdh_core.lazy import lazy_names

if TYPE_CHECKING:
    from esdh_plan.conditions import Condition as Condition
    from esdh_plan.conditions import row_condition as row_condition
    from esdh_plan.errors import Fault as Fault
    from esdh_plan.errors import PlanError as PlanError
    from esdh_plan.importing import ImportedPlan as ImportedPlan
    from esdh_plan.importing import ImportSourceError as ImportSourceError
    from esdh_plan.importing import import_plan as import_plan
    from esdh_plan.language import Offer as Offer
    from esdh_plan.language import Rule as Rule
    from esdh_plan.language import defects_schema as defects_schema
    from esdh_plan.language import json_schema as json_schema
    from esdh_plan.language import packages_offering as packages_offering
    from esdh_plan.language import parse_plan as parse_plan
    from esdh_plan.loading import load_plan as load_plan
    from esdh_plan.locks import make_lock as make_lock
    from esdh_plan.recipe import compile_plan as compile_plan
    from esdh_plan.recipe import load_recipe as load_recipe

__all__ = [
    "Condition",
    "Fault",
    "ImportSourceError",
    "ImportedPlan",
    "Offer",
    "PlanError",
    "Rule",
    "compile_plan",
    "defects_schema",
    "import_plan",
    "json_schema",
    "load_plan",
    "load_recipe",
    "make_lock",
    "packages_offering",
    "parse_plan",
    "row_condition",
]

__getattr__ = lazy_names(
    __name__,
    {
        "conditions": ("Condition", "row_condition"),
        "errors": ("Fault", "PlanError"),
        "importing": ("ImportSourceError", "ImportedPlan", "import_plan"),
        "language": ("Offer", "Rule", "defects_schema", "json_schema", "packages_offering", "parse_plan"),
        "loading": ("load_plan",),
        "locks": ("make_lock",),
        "recipe": ("compile_plan", "load_recipe"),
    },
)
