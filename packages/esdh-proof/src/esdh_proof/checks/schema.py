"""The schema check: what the Struct says of each field, held against the values."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from esdh_core import Table
from esdh_core.columns import Concat
from esdh_export.encoding.buffers import integer_array, null_mask, numbers, text_array

from esdh_proof.checks.by_value import failing, nulls, unlike
from esdh_proof.checks.finding import Finding, Mask, to_mask
from esdh_proof.reading import Rows

__all__ = ["schema"]

_MICROSECONDS = 1_000_000


def schema(rows: Rows, table: Table) -> Iterator[Finding]:
    """Check nulls, enumerations, patterns and bounds against the Struct's own schema."""
    for field in table.schema:
        if not field.nullable:
            yield Finding(rows, field.name, nulls(rows, field.name), "a value, never a null")
        if field.type == "timestamp":  # Arrow's has microseconds
            parts = failing(rows, _has_parts, field.name)
            yield Finding(rows, field.name, parts, "an instant of whole seconds")
        for constraint, bound in field.constraints.items():
            wrong = _violates(rows, field.name, constraint, bound)
            yield Finding(rows, field.name, wrong, _describe(constraint, bound))


def _has_parts(values: pa.Array) -> Mask:
    """Return which instants aren't of a whole second."""
    wrong: Mask = numbers(values) % _MICROSECONDS != 0
    return wrong & ~null_mask(values)


def _violates(rows: Rows, field: str, constraint: str, bound: Any) -> Mask:
    """Return which values of a field break a constraint of JSON Schema; a null breaks none."""
    if constraint == "pattern":
        return unlike(rows, field, bound) & ~nulls(rows, field)
    column = rows.column(field)
    literals = column.parts if isinstance(column, Concat) else []
    if constraint == "minLength" and sum(len(part) for part in literals if isinstance(part, str)) >= bound:
        return np.zeros(len(rows), dtype=np.bool_)  # whatever the other parts are
    wrong = partial(_breaks, constraint=constraint, bound=bound)
    return failing(rows, wrong, field, key=(constraint, repr(bound)))


def _breaks(values: pa.Array, *, constraint: str, bound: Any) -> Mask:
    match constraint:
        case "enum":
            known = (
                text_array(bound, values.type)
                if pa.types.is_string(values.type)
                else pa.array(bound, values.type)
            )
            within = pc.is_in(values, value_set=known)
        case "minLength":
            within = pc.greater_equal(
                pc.utf8_length(values), integer_array(np.array([bound], dtype=np.int32))[0]
            )
        case "minimum":
            within = pc.greater_equal(values, _bound(values, bound))
        case "maximum":
            within = pc.less_equal(values, _bound(values, bound))
        case _:
            raise TypeError(f"the Structs use the constraint {constraint!r}, which no check knows")
    return ~to_mask(within) & ~null_mask(values)


def _bound(values: pa.Array, bound: Any) -> Any:
    """Return a bound as Arrow's, of integers without `pyarrow.scalar`, which imports pandas."""
    if isinstance(bound, int) and pa.types.is_integer(values.type):
        return integer_array(np.array([bound], dtype=np.int64))[0]
    return bound


def _describe(constraint: str, bound: object) -> str:
    if constraint == "enum" and isinstance(bound, list):
        return f"one of {', '.join(map(str, bound))}"
    words = {"pattern": "a text like", "minLength": "a text of length at least", "minimum": "at least"}
    return f"{words.get(constraint, 'at most')} {bound}"
