"""Rows whose bytes their format forbids: cells in another encoding or ill quoted, and cells too few or too many."""

from collections.abc import Callable, Mapping, Sequence

from esdh_core.overlay import WINDOWS, Damage

from esdh_export.encoding.pieces import RowDialect

__all__ = ["damaged_row"]


def damaged_row(
    cells: Mapping[str, bytes],
    damage: Sequence[Damage],
    dialect: RowDialect,
    before: Callable[[int, str], bytes] | None = None,
) -> bytes:
    """Return a row as it stands in a file.

    `cells` has the bytes of each cell as the row would have them, by the name of its column. `before` is the dialect's, which may
    remember what it returned for other rows.
    """
    before = before or dialect.before
    written = dict(cells)
    encoded = {each.field: each.text for each in damage if each.what == "encoding"}
    written |= {field: dialect.text(text) for field, text in encoded.items()}
    for each in damage:
        if each.what == "quoting":
            written[each.field] = dialect.misquoted(encoded.get(each.field, each.text), each.way)
    # After the quotes: no byte of theirs is another one in that encoding.
    written |= {field: written[field].decode().encode(WINDOWS, "replace") for field in encoded}
    row = list(written.items())
    for each in (each for each in damage if not each.is_of_cell):
        at = next((at for at, (name, _) in enumerate(row) if name == each.field), len(row))
        if each.what == "fewer":
            del row[at : at + 1]
        elif each.what == "more":
            row.insert(at + 1, (_free(each.field, cells), written[each.field]))
    parts = (part for at, (name, value) in enumerate(row) for part in (before(at, name), value))
    return b"".join(parts) + dialect.end()


def _free(name: str, cells: Mapping[str, bytes]) -> str:
    """Return the name of one more cell, in formats that name the cells of each row."""
    while name in cells:
        name += "_"
    return name
