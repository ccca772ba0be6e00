"""Rows for people and programs: as a table on a terminal, as NDJSON with the exporter's bytes elsewhere."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from esdh_core.columns import Column
    from rich.console import Console

__all__ = ["RowPrinter", "json_rows", "print_table", "value_text"]


def value_text(value: object) -> str:
    """Return a value as a snapshot's CSV has it; nothing for a null."""
    import datetime as dt

    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


class RowPrinter:
    """Renders columns as NDJSON; it keeps what it has made for the next rows."""

    def __init__(self) -> None:
        from esdh_export.encoding.rows import RowRenderer
        from esdh_export.formats.ndjson import NDJSON

        self._renderer = RowRenderer(NDJSON)

    def lines(self, columns: "dict[str, Column]") -> bytes:
        """Return the rows, one on a line."""
        return b"".join(bytes(part) for part in self._renderer.render(columns))


def json_rows(columns: "dict[str, Column]") -> list[Any]:
    """Return the rows as JSON that is written already, each with the exporter's bytes."""
    import msgspec

    return [msgspec.Raw(line) for line in RowPrinter().lines(columns).splitlines()]


def print_table(console: "Console", title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under the names of their fields; beside them where they are too wide for the terminal."""
    from rich.table import Table
    from rich.text import Text

    widths = [max(len(name), *(len(row[at]) for row in rows), 1) for at, name in enumerate(names)]
    if sum(widths) + 2 * len(widths) <= console.width or not rows:
        groups = [(list(names), [list(row) for row in rows])]
    else:
        groups = [
            (
                ["", *(number for number, _ in group)],
                [[name, *(row[at] for _, row in group)] for at, name in enumerate(names)],
            )
            for group in _groups(rows, console.width - max(map(len, names)) - 2)
        ]
    for number, (heads, body) in enumerate(groups):
        named = None if number else Text(title)
        table = Table(title=named, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for head in heads:
            table.add_column(Text(head, "bold"), overflow="fold")
        for row in body:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)


def _groups(rows: Sequence[Sequence[str]], room: int) -> Iterator[list[tuple[str, Sequence[str]]]]:
    """Yield rows with their numbers, as many as have room side by side, one at least."""
    group: list[tuple[str, Sequence[str]]] = []
    used = 0
    for number, row in enumerate(rows):
        width = max(map(len, row)) + 2
        if group and used + width > room:
            yield group
            group, used = [], 0
        group.append((f"row {number}", row))
        used += width
    if group:
        yield group
