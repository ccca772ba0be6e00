"""The labels of what is wrong, and the table that they are in."""

import datetime as dt
import decimal
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from esdh_core.columns import Categorical, Categories, Column, Integer, Text
from esdh_core.dataset import Block, Table
from esdh_core.ids import SLOT_BITS
from esdh_core.plan import EntityPlan, describe_table
from esdh_core.stats import Statistic, ValueTally

__all__ = ["KIND", "LABELS", "LABELS_PLAN", "Label", "LabelRow", "label_columns", "value_text"]


class Label(NamedTuple):
    """What is known of one wrong cell, or without a field of a row. In this order labels sort.

    That is by record, table, slot, defect and field; a row comes before its cells, and a second row stands in the record of
    the first. Of a file, which has no slot, the record is -1.
    """

    record: int
    table_number: int
    slot: int | None
    defect_number: int
    field_number: int
    defect_id: str
    table: str
    field: str | None
    kind: str
    found: str | None
    clean: str | None
    cluster: str | None


def value_text(value: Any) -> str | None:
    """Return a value as CSV writes it, without quotes; None for a null."""
    if value is None or isinstance(value, str):
        return value
    match value:
        case bool():
            return "true" if value else "false"
        case decimal.Decimal():
            return f"{value:f}"
        case dt.datetime():
            return f"{value.replace(tzinfo=None).isoformat()}Z"
        case dt.date():
            return value.isoformat()
    return str(value)


class LabelRow(Struct, frozen=True):
    """A label: one cell, row or file that is wrong, and why."""

    defect_id: Annotated[
        str, Meta(description="The label's own name: the cell's field, the defect and the row's slot")
    ]
    table: Annotated[str, Meta(description="The table that it is of")]
    slot: Annotated[
        Annotated[int, Meta(ge=0, le=(1 << SLOT_BITS) - 1)] | None,
        Meta(description="The row's number, as its id holds it: the index or the slot; null of a file"),
    ]
    field: Annotated[
        str | None, Meta(description="The field that is wrong; null of a row or a file as a whole")
    ]
    kind: Annotated[str, Meta(description="The kind of the defect")]
    found: Annotated[
        str | None,
        Meta(description="What stands in the cell, as CSV writes it; null for a null, and where no row is"),
    ]
    clean: Annotated[str | None, Meta(description="What would stand there without any defect")]
    cluster: Annotated[
        str | None,
        Meta(
            description="What labels that belong together have in common: two fields that are swapped, two rows that are one"
        ),
    ]


def _any_number(_: Block) -> NDArray[np.int64]:
    raise TypeError("labels are counted by an overlay, not by a block")


KIND: Final = "kind"
"""The statistic of the labels' kinds."""
LABELS: Final = Table(
    "defects",
    LabelRow,
    "Each cell, row and file of the snapshot that is wrong, with what stands there, what would, and why.",
    count=_any_number,
    primary_key=("defect_id",),
    statistics=(Statistic(KIND, KIND, ValueTally),),
)
"""The table of a snapshot's labels, which no dataset has: a block alone has no rows of it."""


def label_columns(labels: Sequence[Label]) -> dict[str, Column]:
    """Return labels as the columns of `LABELS`."""
    values = dict(zip(Label._fields, map(list, zip(*labels, strict=True)), strict=True)) if labels else {}
    return {name: _column(name, values.get(name, [])) for name in LABELS.fields}


def _column(name: str, values: list[Any]) -> Column:
    if name == "slot":
        known = np.array([each is not None for each in values], dtype=np.bool_)
        slots = np.array([each or 0 for each in values], dtype=np.int64)
        return Integer(slots, 0, (1 << SLOT_BITS) - 1, valid=None if known.all() else known)
    if name in ("table", "field", KIND):
        distinct = sorted(set(values), key=lambda each: (each is None, each or ""))
        codes = {value: code for code, value in enumerate(distinct)}
        return Categorical(np.array([codes[value] for value in values], dtype=np.int32), Categories(distinct))
    return Text.of(values)


def _declare(name: str) -> None:
    def column(block: Block) -> Column:
        if block.count:
            raise TypeError("labels are made by an overlay, not by a block")
        return _column(name, [])

    LABELS.rule(name, "Written beside the defect that it tells of")(column)


for _name in LABELS.fields:
    _declare(_name)

LABELS_PLAN: Final[EntityPlan] = describe_table(
    name=LABELS.entity,
    plural=LABELS.name,
    description=LABELS.description,
    record=LABELS.record,
    rules=LABELS.rules,
    statistics=LABELS.statistics,
)
"""What the table of labels is, as descriptors say it."""
