"""The one JSON document that `--json` prints, columns for people, and single files that are written whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import click

__all__ = ["aligned", "print_document", "write_whole"]


def aligned(rows: list[list[str]]) -> Iterator[str]:
    """Yield rows of texts as lines whose columns are aligned: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        right = (f"{cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join([f"{name:<{widths[0]}}", *right]).rstrip()


def print_document(document: object, *, indent: bool = True) -> None:
    """Print Structs and built-in values as JSON, two-space or compact; texts that are no UTF-8 are spelled out."""
    import msgspec

    try:
        data = msgspec.json.encode(document)
    except (
        UnicodeEncodeError
    ):  # a file's name or an argument reached Python with lone surrogates, which JSON can't hold
        data = msgspec.json.encode(_spelled(msgspec.to_builtins(document)))
    click.echo(msgspec.json.format(data, indent=2) if indent else data)


def _spelled(value: object) -> object:
    """Return built-in values with the texts in them as UTF-8 can hold them."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_spelled(key): _spelled(each) for key, each in value.items()}
    return [_spelled(each) for each in value] if isinstance(value, list | tuple) else value


def write_whole(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file whole or not at all. Raises FileExistsError where one is there that isn't to be replaced."""
    import os
    import tempfile

    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o666 & ~_mask())
        if replace:
            Path(name).replace(path)
        else:
            path.hardlink_to(name)  # which never takes another's place
            Path(name).unlink()
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mask() -> int:
    import os

    mask = os.umask(0o022)
    os.umask(mask)
    return mask
