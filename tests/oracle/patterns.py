"""Patterns: classes, literals and fixed repeats, as a number of mixed radix."""

import math
import re
from functools import cache

TOKEN = re.compile(r"(\[(?:\\.|[^\]\\])*\]|\\.|[^\\\[\]{}()|*+?^$.])(?:\{(\d+)\})?")


@cache
def places(pattern: str) -> tuple[str, ...]:
    """Return, for each place of the text, the characters that may stand there, in the class's order."""
    found: list[str] = []
    at = 0
    while at < len(pattern):
        token = TOKEN.match(pattern, at)
        if token is None:
            raise ValueError(f"{pattern!r} can't be read from place {at}")
        found += [_characters(token[1])] * int(token[2] or 1)
        at = token.end()
    return tuple(found)


def _characters(token: str) -> str:
    if token == r"\d":
        return "0123456789"
    if token.startswith("\\"):
        return token[1]
    if not token.startswith("["):
        return token
    inside, found = token[1:-1], ""
    for first, last in re.findall(r"(\\.|.)(?:-(\\.|[^\\]))?", inside):
        if last:
            found += "".join(chr(code) for code in range(ord(first[-1]), ord(last[-1]) + 1))
        else:
            found += "0123456789" if first == r"\d" else first[-1]
    if not found or len(set(found)) < len(found) or inside.startswith("^"):
        raise ValueError(f"the class {token} is empty, negated, or names a character twice")
    return found


def _sign(inside: str) -> tuple[str, str]:
    """Return what a class begins with, and what follows."""
    if inside.startswith(r"\d"):
        return "0123456789", inside[2:]
    escaped = inside.startswith("\\")
    return inside[escaped], inside[escaped + 1 :]


def capacity(pattern: str) -> int:
    """Return how many texts a pattern has."""
    return math.prod(len(characters) for characters in places(pattern))


def render(pattern: str, number: int) -> str:
    """Return the text of a number, the most significant class first."""
    text = ""
    for characters in reversed(places(pattern)):
        number, digit = divmod(number, len(characters))
        text = characters[digit] + text
    return text
