"""The errors of esdh-plan: one base, faults that know their place in the file, and the words they share."""

import difflib
import itertools
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

__all__ = [
    "MAX_FAULTS",
    "Fault",
    "PlanError",
    "chain",
    "display",
    "near",
    "nearest",
    "printed",
    "suggestion",
    "word_list",
]

MAX_FAULTS: Final = 100
"""Faults of a file, after which its reading ends: each may cost a search for a near match."""
_MAX_LINES = 50  # of the text of an error; a hostile file has any number of faults
_SEARCHED = 1_000  # names that are searched for a near match
_LINKS = 10  # words of a chain
_WIDTH = 60  # characters of a value that a message repeats


class Fault(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong with a file: where, and one sentence that says what and what would be right.

    `line` and `column` count from 1, and are 0 where no place is known; `path` is the place in the document,
    such as `tables.accounts.fields.opened_on`.
    """

    line: int
    column: int
    path: str
    reason: str


class PlanError(ValueError):
    """A file that can't be taken, with all its faults in the order of their lines.

    The text has a line for each fault: `bank.yaml, line 12, tables.accounts: <reason>`.
    """

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = sorted(set(faults))
        more = len(self.faults) - _MAX_LINES
        lines = [_line(file, fault) for fault in self.faults[:_MAX_LINES]]
        if more > 0:
            least = "at least " if len(self.faults) >= MAX_FAULTS else ""
            lines.append(f"{file}: and {least}{more} more fault{'s' * (more > 1)}")
        super().__init__("\n".join(lines))


def near(name: object, known: Iterable[object]) -> str:
    """Return `; did you mean 'x'?` for the known name that is nearest, or nothing."""
    return suggestion(nearest(name, known))


def nearest(name: object, known: Iterable[object]) -> str | None:
    """Return the known name that is nearest, None if none is near."""
    words = [str(one) for one in itertools.islice(known, _SEARCHED)]
    found = difflib.get_close_matches(str(name)[:_WIDTH].lower(), words, n=1)
    return found[0] if found else None


def suggestion(name: str | None) -> str:
    """Return `; did you mean 'x'?` for a name, or nothing for none."""
    return "" if name is None else f"; did you mean {name!r}?"


def word_list(words: Iterable[object], last: str = "or") -> str:
    """Return `a, b or c`."""
    *head, tail = [str(word) for word in words]
    return f"{', '.join(head)} {last} {tail}" if head else tail


def chain(words: Sequence[str], link: str) -> str:
    """Return words with a link between them, of a long chain its ends."""
    if len(words) <= _LINKS:
        return link.join(words)
    return link.join([*words[: _LINKS // 2], "...", *words[-(_LINKS // 2) :]])


def display(value: object) -> str:
    """Return a value of a file as a message repeats it: as YAML writes it, and cut short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"keys and values ({_cut(printed(', '.join(map(str, value))))})" if value else "no keys"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return str(value) if isinstance(value, int | Decimal) else _cut(repr(value))


def printed(text: str) -> str:
    """Return a text in one line: with escapes where it has a character that isn't printed."""
    return text if text.isprintable() else repr(text)[1:-1]


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _line(file: str, fault: Fault) -> str:
    where = [file, f"line {fault.line}" if fault.line else "", fault.path]
    return f"{', '.join(filter(None, where))}: {fault.reason}"
