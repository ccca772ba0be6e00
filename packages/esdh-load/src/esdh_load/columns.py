"""Which types the columns of a dataset's tables have, from their Structs and rules."""

from esdh_core import Dataset, Table
from esdh_core.columns import Categorical, Column, Decimal, FixedText
from esdh_proof.reading.rows import kinds_of

from esdh_load.databases import FieldType

__all__ = ["field_types"]


def field_types(dataset: Dataset, table: Table) -> dict[str, FieldType]:
    """Return the type of each field of a table, in order."""
    kinds = kinds_of(dataset, table)
    return {
        field.name: FieldType(field.type, field.scale, _digits(kinds[field.name]), _width(kinds[field.name]))
        for field in table.schema
    }


def _digits(kind: Column) -> int:
    """Return the most digits of a decimal, before and after the point."""
    return len(str(max(abs(kind.low), abs(kind.high)))) if isinstance(kind, Decimal) else 18


def _width(kind: Column) -> int | None:
    """Return the most characters of a text, None where a rule doesn't bound it."""
    match kind:
        case FixedText(matrix):
            return int(matrix.shape[1])
        case Categorical():
            return max((len(text) for text in kind.categories.values if text is not None), default=0)
    return None
