"""The one JSON document that `--json` prints."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import msgspec

__all__ = ["print_document"]


def print_document(document: "msgspec.Struct") -> None:
    """Print a document as two-space JSON; names of files that are no UTF-8 are spelled out."""
    import msgspec

    try:
        data = msgspec.json.encode(document)
    except UnicodeEncodeError:  # a name reached Python with lone surrogates, which JSON can't hold
        data = msgspec.json.encode(_spelled(msgspec.to_builtins(document)))
    click.echo(msgspec.json.format(data, indent=2))


def _spelled(value: object) -> object:
    """Return built-in values with the texts in them as UTF-8 can hold them."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_spelled(key): _spelled(each) for key, each in value.items()}
    return [_spelled(each) for each in value] if isinstance(value, list | tuple) else value
