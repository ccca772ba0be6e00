"""Files that are wrong as text: rows whose bytes their format forbids, and files that aren't as their schema says."""

from collections.abc import Callable, Iterator
from typing import Final

from esdh_core.dataset import Table
from esdh_core.overlay import WINDOWS, Damage, Dice, FileShape, Values

from esdh_plan.defects.kind import Change, Kind, Making, Misfit, RowKind, TableTarget, Target, each_value
from esdh_plan.defects.texts import accented

__all__ = ["KINDS", "OF_COLUMNS", "OF_FILES", "OF_ROWS"]

_WAYS: Final = 3  # to quote a text badly
_EXTRA: Final = ("notes", "comment", "column_1", "unnamed_0", "legacy_id", "Remarks", "deleted", "checked_by")


def _of_cell(change: Callable[[str], Change]) -> Callable[[Target], Making]:
    """Return what makes the damage of a text's cell; `change` takes the field's name."""

    def make(target: Target) -> Making:
        if target.type != "string":
            raise Misfit("is for texts")
        return Making(each_value(target, change(target.rule.name)), effect="bytes")

    return make


def _bad_encoding(field: str) -> Change:
    def change(value: str, dice: Dice) -> Damage | str:
        """Return a text that is no UTF-8 in Windows-1252: the value, or that with an accent; else the value as it is."""
        text = next((each for each in (value, accented(value, dice)) if not _is_utf8(each)), None)
        return value if text is None else Damage("encoding", field, text)

    return change


def _is_utf8(text: str) -> bool:
    """Return whether the bytes that a text has in Windows-1252 can be read as UTF-8."""
    try:
        text.encode(WINDOWS, "replace").decode()
    except UnicodeDecodeError:
        return False
    return True


def _bad_quoting(field: str) -> Change:
    return lambda value, dice: Damage("quoting", field, value, dice.below(_WAYS))


def _ragged_row(target: TableTarget) -> Making:
    # The marker stays in: every row says what it is.
    fields = [rule.name for rule in target.table.rules if rule.role != "marker"]

    def edit(_values: Values, dice: Dice, _evidence: Values) -> Values:
        return (Damage(dice.choose(("fewer", "more")), dice.choose(fields)),)

    return Making(edit, effect="bytes")


def _renamed_column(target: Target) -> Making:
    field = target.rule.name
    others = {word for name in target.table.fields if name != field for word in _spellings(name)}
    names = [word for word in _spellings(field) if word not in {field, *others}]

    def edit(_values: Values, dice: Dice, _evidence: Values) -> Values:
        return (FileShape(names=((field, dice.choose(names)),)),)

    return Making(edit, effect="file")


def _spellings(name: str) -> Iterator[str]:
    """Yield the names that a column may come to have; the last is unlike any that was shortened."""
    words = name.replace("_", " ")
    camel = words.title().replace(" ", "")
    yield from (
        name,
        words,
        words.title(),
        words.replace(" ", ""),
        name.upper(),
        camel,
        name.replace("_", "-"),
    )
    yield from (camel[:1].lower() + camel[1:], f"{name} ", f"{name}_1")


def _extra_column(target: TableTarget) -> Making:
    names = _free_names(target.table)
    places = len(target.table.fields) + 1

    def edit(_values: Values, dice: Dice, _evidence: Values) -> Values:
        return (FileShape(extra=((dice.below(places), dice.choose(names)),)),)

    return Making(edit, effect="file")


def _free_names(table: Table) -> list[str]:
    """Return names that no column of a table has, nor comes to have."""
    taken = {word for name in table.fields for word in _spellings(name)}
    names: list[str] = []
    for each in _EXTRA:
        name = each
        while name in taken:
            name += "_"
        names.append(name)
    return names


def _truncated_file(_target: TableTarget) -> Making:
    return Making(lambda _values, _dice, _evidence: (FileShape(ends_early=True),), effect="file")


KINDS = (
    Kind(
        "bad_encoding",
        "the text in Windows-1252 where UTF-8 is due, with an accent if it is ASCII; for text formats only",
        "texts",
        _of_cell(_bad_encoding),
    ),
    Kind(
        "bad_quoting",
        "a quote that isn't closed, one in the text that isn't escaped, or a comma in CSV without quotes; for text formats only",
        "texts",
        _of_cell(_bad_quoting),
    ),
)
"""Kinds of cells."""
OF_ROWS = (
    RowKind(
        "ragged_row",
        "the row with a cell too few or too many, in JSON a key; for text formats only",
        "every table",
        _ragged_row,
    ),
)
"""Kinds of rows."""
OF_COLUMNS = (
    Kind(
        "renamed_column",
        "the column under another name, such as `Last Name`; for text formats only",
        "every field",
        _renamed_column,
    ),
)
"""Kinds of one column of a file."""
OF_FILES = (
    RowKind(
        "extra_column",
        "an empty column that the schema doesn't have; for text formats only",
        "every table",
        _extra_column,
    ),
    RowKind(
        "truncated_file",
        "the file, of parts the last one, ends in the middle of its last row; for text formats only",
        "every table with a row there",
        _truncated_file,
    ),
)
"""Kinds of whole files."""
