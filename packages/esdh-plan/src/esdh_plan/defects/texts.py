"""Texts as they come from people and from bad encodings."""

from collections.abc import Callable
from typing import Final

from esdh_core.overlay import WINDOWS, Dice

from esdh_plan.defects.kind import Change, Kind, Making, Misfit, Target, each_value

__all__ = ["KINDS", "accented", "truncated", "typo", "wrong_case"]

_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
# The keys beside each key of a row of an American keyboard.
_NEIGHBOURS: Final = {
    key: "".join(row[at - 1 : at] + row[at + 1 : at + 2]) for row in _ROWS for at, key in enumerate(row)
}
# Letters with an accent that another might have had.
_ACCENTED: Final = dict(zip("acenouiysACENOU", "áçéñóüîÿßÄÇÉÑÖÜ", strict=True))
# The same in UTF-8 that was read as Windows-1252.
_MOJIBAKE: Final = {plain: letter.encode().decode(WINDOWS) for plain, letter in _ACCENTED.items()}
# Letters of Cyrillic, and digits and letters, that look alike.
_HOMOGLYPHS: Final = dict(zip("aceopxyiABCEHIKMOPTXS01", "асеорхуіАВСЕНІКМОРТХЅOl", strict=True))
_INJECTIONS = (
    "=1+1",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE t; --",
    "' OR '1'='1",
    "{{7*7}}",
    "../../../etc/passwd",
)


def _of_texts(change: Change) -> Callable[[Target], Making]:
    def make(target: Target) -> Making:
        if target.type != "string":
            raise Misfit("is for texts")
        return Making(each_value(target, change))

    return make


def truncated(value: str, dice: Dice) -> str:
    """Return the beginning of a text, at least a character of it."""
    return value[: 1 + dice.below(len(value) - 1)] if len(value) > 1 else value


def wrong_case(value: str, dice: Dice) -> str:
    """Return a text in capitals, in small letters, or with the two exchanged."""
    cases = [each for each in (value.upper(), value.lower(), value.swapcase()) if each != value]
    return str(dice.choose(cases)) if cases else value


def typo(value: str, dice: Dice) -> str:
    """Hit the key beside, transpose two neighbours, or write a character twice or not at all."""
    letters = [at for at, each in enumerate(value) if each.lower() in _NEIGHBOURS]
    if not letters:
        return value
    at = dice.choose(letters)
    before, letter, after = value[:at], value[at], value[at + 1 :]
    beside = dice.choose(_NEIGHBOURS[letter.lower()])
    edits = [
        f"{before}{beside.upper() if letter.isupper() else beside}{after}",
        f"{before}{letter}{letter}{after}",
    ]
    if after and after[0] != letter:
        edits.append(f"{before}{after[0]}{letter}{after[1:]}")
    if len(value) > 1:
        edits.append(before + after)
    return str(dice.choose(edits))


def _mojibake(value: str, dice: Dice) -> str:
    """Read a text as Windows-1252; where it is ASCII, which that leaves alone, a letter with an accent it might have had."""
    if not value.isascii():
        return value.encode().decode(WINDOWS, "replace")
    return _replaced(value, _MOJIBAKE, dice)


def accented(value: str, dice: Dice) -> str:
    """Return a text one of whose letters has an accent."""
    return _replaced(value, _ACCENTED, dice)


def _homoglyph(value: str, dice: Dice) -> str:
    return _replaced(value, _HOMOGLYPHS, dice)


def _replaced(value: str, others: dict[str, str], dice: Dice) -> str:
    """Replace one of the characters that have another to stand for them."""
    places = [at for at, each in enumerate(value) if each in others]
    if not places:
        return value
    at = dice.choose(places)
    return f"{value[:at]}{others[value[at]]}{value[at + 1 :]}"


def _injection(_value: str, dice: Dice) -> str:
    return str(dice.choose(_INJECTIONS))


KINDS = (
    Kind("truncated", "the beginning of the text alone", "texts", _of_texts(truncated)),
    Kind(
        "wrong_case",
        "the text in capitals, in small letters, or with the two exchanged",
        "texts",
        _of_texts(wrong_case),
    ),
    Kind(
        "typo",
        "one slip of the keyboard: the key beside, two transposed, one doubled or left out",
        "texts",
        _of_texts(typo),
    ),
    Kind("mojibake", "UTF-8 that was read as Windows-1252: `Ã©`", "texts", _of_texts(_mojibake)),
    Kind("homoglyph", "a letter of another script that looks the same", "texts", _of_texts(_homoglyph)),
    Kind(
        "injection",
        "an inert text that a spreadsheet, a page or a database might execute, to test escaping",
        "texts",
        _of_texts(_injection),
    ),
)
