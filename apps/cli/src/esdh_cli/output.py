"""The one JSON document that `--json` prints."""

import click

__all__ = ["print_document"]


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
