"""From defects as they are written to an overlay of a dataset: tables, fields and conditions found, kinds held against them."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path as FilePath
from typing import Any, Final

import msgspec
import numpy as np
from esdh_core.dataset import Block, Dataset, Table
from esdh_core.errors import RequestError
from esdh_core.overlay import Defect, Overlay
from esdh_core.rules import Rule
from numpy.typing import NDArray

from esdh_plan.conditions import row_condition
from esdh_plan.defects import absent, files, forbidden, inconsistent, relations, rows, texts
from esdh_plan.defects.kind import Kind, Making, Misfit, RowKind, TableTarget, Target
from esdh_plan.errors import Fault, PlanError, near, word_list
from esdh_plan.expressions import ExpressionError
from esdh_plan.language import ColumnDefect, DefectWords, DrawnDefect, FieldDefect, defects_of
from esdh_plan.reader import INVALID, Document, Path, Place, read_yaml, read_yaml_file

__all__ = [
    "COLUMN_KINDS",
    "FIELD_KINDS",
    "FILE_KINDS",
    "KINDS",
    "OF_FILES",
    "ROW_KINDS",
    "overlay_of",
    "read_inline",
    "read_overlay",
    "remake",
]

FIELD_KINDS: Final[dict[str, Kind]] = {
    kind.word: kind
    for family in (absent, forbidden, texts, inconsistent, relations, files)
    for kind in family.KINDS
}
"""The kinds of defects of fields, by their words."""
ROW_KINDS: Final[dict[str, RowKind]] = {kind.word: kind for kind in (*rows.KINDS, *files.OF_ROWS)}
"""The kinds of defects of whole rows, by their words."""
COLUMN_KINDS: Final[dict[str, Kind]] = {kind.word: kind for kind in files.OF_COLUMNS}
"""The kinds of defects of one column of a file, by their words."""
FILE_KINDS: Final[dict[str, RowKind]] = {kind.word: kind for kind in files.OF_FILES}
"""The kinds of defects of whole files, by their words."""
KINDS: Final[dict[str, Kind | RowKind]] = {**FIELD_KINDS, **ROW_KINDS, **COLUMN_KINDS, **FILE_KINDS}
"""Every kind of defect, by its word."""
OF_FILES: Final = frozenset(
    kind.word for kind in (*files.KINDS, *files.OF_ROWS, *files.OF_COLUMNS, *files.OF_FILES)
)
"""The words of the kinds that are wrong with bytes and files, and not with values and rows."""
_LANGUAGE: Final = "defects/1"
_OWN = frozenset({"kind", "table", "field", "rate", "exactly", "where", "name"})  # that every kind has


def read_overlay(file: FilePath, dataset: Dataset) -> Overlay:
    """Return the defects of a file, a list or one below `defects:`, as an overlay of a dataset.

    Raises PlanError with all faults of the file.
    """
    document = read_yaml_file(file)
    if isinstance(document.content, list):
        document = _with_heading(document)
    return _overlay_in(document, dataset)


def read_inline(text: str, dataset: Dataset) -> Overlay:
    """Return the defects of a list that is written in a command, such as `[{kind: typo, table: accounts, ...}]`, as an overlay.

    Raises PlanError with all faults of the list.
    """
    document = _with_heading(read_yaml(text, "--defects"))
    return _overlay_in(document, dataset)


def remake(dataset: Dataset, recipe: bytes) -> Overlay:
    """Return the overlay of a dataset that a recipe holds, as snapshots carry it and pickles do.

    Raises PlanError with all faults of the recipe.
    """
    document = read_yaml(recipe, "the defects")
    return _overlay_in(document, dataset)


def _overlay_in(document: Document, dataset: Dataset) -> Overlay:
    defects, faults = defects_of(document)
    return overlay_of(defects, dataset, document, faults)


def overlay_of(
    defects: Sequence[Any], dataset: Dataset, document: Document, faults: Sequence[Fault] = ()
) -> Overlay:
    """Return the overlay that defects of a document are; they stand there under `defects`.

    Raises PlanError with all faults: those of form, whose defects are INVALID, names that there aren't, and kinds that don't fit
    their fields.
    """
    faults = list(faults)
    found: list[Defect] = []
    for number, words in enumerate(defects):
        if words is INVALID:
            continue
        path: Path = ("defects", number)
        try:
            defect = _defect(words, dataset)
            _check_beside(defect, found)
            found.append(defect)
        except _Refused as refused:
            faults += [document.fault((*path, *key), reason) for key, reason in refused.faults]
    if faults:
        raise PlanError(document.file, faults)
    return Overlay(dataset, found, recipe=_recipe(document.content["defects"]), remake=remake)


def _with_heading(document: Document) -> Document:
    """Return a bare list of defects as the document that it stands for, with each value at its own place."""

    def below(places: dict[Path, Place]) -> dict[Path, Place]:
        return {("defects", *path): place for path, place in places.items()}

    return document._replace(
        content={"esdh": _LANGUAGE, "defects": document.content},
        places=below(document.places) | {(): Place(1, 1), ("esdh",): Place(1, 1)},
        key_places=below(document.key_places),
        refused=frozenset(("defects", *path) for path in document.refused),
    )


def _recipe(defects: Any) -> bytes:
    content = {"esdh": _LANGUAGE, "defects": defects}
    return msgspec.json.format(_encoder.encode(content), indent=2) + b"\n"


_encoder = msgspec.json.Encoder(decimal_format="number")


class _Refused(Exception):  # noqa: N818 # never leaves this module
    """What is wrong with a defect: keys of it, with reasons."""

    def __init__(self, *faults: tuple[Path, str]) -> None:
        self.faults = faults


def _defect(words: DefectWords, dataset: Dataset) -> Defect:
    try:
        table = dataset.table(words.table)
    except RequestError:
        names = [name for each in dataset.tables for name in (each.name, each.entity)]
        raise _Refused((("table",), f"there is no table {words.table!r}{near(words.table, names)}")) from None
    drawn = words if isinstance(words, DrawnDefect) else None  # of a file nothing is
    more = {name: getattr(words, name) for name in words.__struct_fields__ if name not in _OWN}
    for number, name in enumerate(more.get("fields") or ()):
        _field(table, name, ("fields", number))
    target = TableTarget(dataset=dataset, table=table, more=more)
    if isinstance(words, FieldDefect | ColumnDefect):
        rule = _field(table, words.field, ("field",))
        making = _making_of_field({**FIELD_KINDS, **COLUMN_KINDS}[words.kind], target.field(rule))
        for other in making.others:
            _field(table, other, ("with",))
        fields, place = (rule.name, *making.others), f"{table.name}.{rule.name}"
    else:
        making = _making_of_rows({**ROW_KINDS, **FILE_KINDS}[words.kind], target)
        fields, place = making.others, table.name
    return Defect(
        kind=words.kind,
        name=words.name or words.kind,
        table=table,
        fields=fields,
        stream=f"{_prefix(dataset)}:{place}!{words.name or words.kind}",
        edit=making.edit,
        share=None if drawn is None or drawn.rate is None else Fraction(drawn.rate),
        exactly=None if drawn is None else drawn.exactly,
        where=None if drawn is None else _condition(drawn.where, dataset, table),
        evidence=making.evidence,
        may_be_null=making.may_be_null,
        needs_text=making.needs_text,
        effect=making.effect,
        fresh=making.fresh,
        reaches_far=making.reaches_far,
    )


def _making_of_field(kind: Kind, target: Target) -> Making:
    try:
        return kind.make(target)
    except Misfit as misfit:
        raise _Refused((("kind",), f"`{kind.word}` {misfit.args[0]}{_others(misfit, target)}")) from None


def _making_of_rows(kind: RowKind, target: TableTarget) -> Making:
    try:
        return kind.make(target)
    except Misfit as misfit:
        able = word_list([each.word for each in ROW_KINDS.values() if each.suits(target)], "and")
        others = (
            "" if misfit.args[-1] is True else f"; kinds that fit the rows of {target.table.name} are {able}"
        )
        raise _Refused((("kind",), f"`{kind.word}` {misfit.args[0]}{others}")) from None


def _check_beside(defect: Defect, earlier: Sequence[Defect]) -> None:
    """Refuse a defect that can't stand beside one that is written before it."""
    for each in earlier:
        same_file = defect.effect == each.effect == "file" and defect.kind == each.kind
        if same_file and (each.table, each.fields) == (defect.table, defect.fields):
            what = (
                f"{defect.table.name}.{defect.fields[0]}"
                if defect.fields
                else f"the file of {defect.table.name}"
            )
            raise _Refused(((), f"{each.key} does the same to {what}; take one out"))
        if each.key == defect.key:
            why = f"{each.key} is written before; give one of them a `name`, from which its draws follow"
            raise _Refused(((), why))
        if defect.effect == each.effect == "second" and each.table is defect.table:
            why = (
                f"{each.key} is written before, and a row has one second row at most; take one out, and give the other a list of "
                "`edits`"
            )
            raise _Refused(((), why))
        if (
            defect.effect == each.effect == "cells"
            and len(defect.fields) > 1
            and (each.table, {*each.fields}) == (defect.table, {*defect.fields})
        ):
            why = f"{each.key} exchanges the same two fields, so that the two would undo each other; take one out"
            raise _Refused(((), why))


def _prefix(dataset: Dataset) -> str:
    """Return what the names of a dataset's streams begin with: `bank` of `bank v1`."""
    return dataset.dataset_version.partition(" ")[0]


def _field(table: Table, name: str, key: Path) -> Rule:
    rule = next((each for each in table.rules if each.name == name), None)
    if rule is None:
        raise _Refused((key, f"{table.name!r} has no field {name!r}{near(name, table.fields)}"))
    if rule.role == "marker":
        raise _Refused((key, f"{name!r} says of every row that it is synthetic, so no defect strikes it"))
    return rule


def _others(misfit: Misfit, target: Target) -> str:
    """Return, for a kind that doesn't fit a field, the kinds that do."""
    if misfit.args[-1] is True:
        return ""
    able = [kind.word for kind in FIELD_KINDS.values() if kind.suits(target)]
    null = " or null" if target.schema.nullable else ""
    article = "an" if target.type[0] in "aeiou" else "a"
    return (
        f", and {target.table.name}.{target.rule.name} is {article} {target.type}{null}; kinds that fit it are "
        f"{word_list(able, 'and')}"
    )


def _condition(
    text: str | None, dataset: Dataset, table: Table
) -> Callable[[Block], NDArray[np.bool_]] | None:
    if text is None:
        return None
    try:
        return row_condition(text, dataset, table.name).holds
    except ExpressionError as error:
        raise _Refused(*((("where",), fault.sentence) for fault in error.faults)) from None
