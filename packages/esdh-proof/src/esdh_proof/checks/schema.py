"""The schema check: what the Struct says of each field, held against the values."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Table

from esdh_proof.checks.finding import Finding, Mask, to_mask
from esdh_proof.reading import Rows

__all__ = ["schema"]


def schema(rows: Rows, table: Table) -> Iterator[Finding]:
    """Check nulls, enumerations, patterns and bounds against the Struct's own schema."""
    for field in table.schema:
        values = rows.arrays[field.name]
        if not field.nullable:
            yield Finding(rows, field.name, to_mask(values.is_null()), "a value, never a null")
        if field.type == "timestamp":  # Arrow's has microseconds
            seconds = pc.equal(values, pc.floor_temporal(values, unit="second"))
            yield Finding(
                rows,
                field.name,
                to_mask(pc.invert(pc.fill_null(seconds, True))),
                "an instant of whole seconds",
            )
        for constraint, bound in field.constraints.items():
            yield Finding(
                rows, field.name, _violates(values, constraint, bound), _describe(constraint, bound)
            )


def _violates(values: pa.Array, constraint: str, bound: object) -> Mask:
    """Return which values break a constraint of JSON Schema; a null breaks none."""
    match constraint:
        case "enum":
            within = pc.is_in(values, value_set=pa.array(bound, values.type))
        case "pattern":
            within = pc.match_substring_regex(values, bound)
        case "minLength":
            within = pc.greater_equal(pc.utf8_length(values), bound)
        case "minimum":
            within = pc.greater_equal(values, bound)
        case "maximum":
            within = pc.less_equal(values, bound)
        case _:
            raise TypeError(f"the Structs use the constraint {constraint!r}, which no check knows")
    return to_mask(pc.and_(values.is_valid(), pc.invert(pc.fill_null(within, False))))


def _describe(constraint: str, bound: object) -> str:
    if constraint == "enum" and isinstance(bound, list):
        return f"one of {', '.join(map(str, bound))}"
    words = {"pattern": "a text like", "minLength": "a text of length at least", "minimum": "at least"}
    return f"{words.get(constraint, 'at most')} {bound}"
