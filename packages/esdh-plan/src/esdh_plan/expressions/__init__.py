"""The expressions of plans: read by Python's `ast`, typed, limited, and computed over columns."""

from esdh_plan.expressions.evaluate import compiled, evaluate
from esdh_plan.expressions.functions import FUNCTIONS, Function, Parameter
from esdh_plan.expressions.parse import (
    Aggregate,
    Doubtful,
    ExpressionError,
    Fault,
    Scope,
    near,
    parse,
    parse_aggregate,
    parse_date_text,
)
from esdh_plan.expressions.types import Kind, Node, Path, ValueType

__all__ = [
    "FUNCTIONS",
    "Aggregate",
    "Doubtful",
    "ExpressionError",
    "Fault",
    "Function",
    "Kind",
    "Node",
    "Parameter",
    "Path",
    "Scope",
    "ValueType",
    "compiled",
    "evaluate",
    "near",
    "parse",
    "parse_aggregate",
    "parse_date_text",
]
