"""The error of pytest-esdh, and the nearest name to a wrong one."""

from collections.abc import Iterable

__all__ = ["EsdhError", "near"]


class EsdhError(ValueError):
    """Something that a test, a marker, an option or a file asks for and that can't be: one sentence says what and why."""


def near(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known name that is nearest to a wrong one, or nothing."""
    import difflib  # which takes time, and most runs need no near name

    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
