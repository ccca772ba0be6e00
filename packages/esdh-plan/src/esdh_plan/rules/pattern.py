"""Patterns: classes, literals and fixed repeats, as a number of mixed radix."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property, reduce
from math import prod
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from esdh_core.columns import Categorical, Categories, Column, FixedText, Text
from esdh_core.dataset import Block
from esdh_core.permutations import permute_below
from esdh_core.streams import key_word
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.arithmetic import high_product
from esdh_plan.definitions import Capacity, Definition, Place, Words
from esdh_plan.errors import display, printed
from esdh_plan.expressions import ValueType

__all__ = ["Pattern", "pattern"]

_TOKEN = re.compile(r"(\[(?:\\.|[^\]\\])*\]|\\.|[^\\\[\]{}()|*+?^$.])(?:\{([0-9]{1,4})\})?", re.DOTALL)
_MAX_LENGTH = 200  # characters of a text
_MOST_CAPACITY = 1 << 62
_MOST_CLASS = 1_000  # characters
_DIGITS = "0123456789"
_CHUNK = 10_000  # texts that a table has
_MOST_CATEGORIES = 10_000  # texts of a whole pattern that are written once and then pointed at
_PLAIN = frozenset("-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class _Chunk(NamedTuple):
    """Some places of the text: the texts that can stand there, in order of their numbers.

    They are held in words, each with the byte of the text that it begins at: NumPy copies a word faster than
    some characters.
    """

    texts: int
    words: tuple[tuple[int, NDArray[np.unsignedinteger[Any]]], ...]


class Pattern:
    """A pattern: its places, and what writes many numbers."""

    def __init__(self, text: str) -> None:
        """Raise ValueError, with a sentence, for a text that is no pattern."""
        self.places: list[str] = []
        self.regex = "^"
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise ValueError(
                    f"the pattern can't be read from {display(text[at:])} on; it has classes, literals and fixed repeats, "
                    "and \\ before a sign such as . or ("
                )
            characters = _characters(token[1])
            times = int(token[2] or 1)
            if len(self.places) + times > _MAX_LENGTH or times == 0:
                raise ValueError(f"a text of a pattern has 1 to {_MAX_LENGTH} characters")
            self.places += [characters] * times
            self.regex += _regex(characters) + (f"{{{times}}}" if times > 1 else "")
            at = token.end()
        self.regex += "$"
        self.capacity = reduce(mul, map(len, self.places))
        if self.capacity > _MOST_CAPACITY:
            texts = f"{self.capacity:,}" if self.capacity < 10**30 else "more than 10^30"
            raise ValueError(f"the pattern has {texts} texts; 2^62 are the most")
        self._plain = all(_PLAIN.issuperset(place) for place in self.places)
        self._ascii = all(place.isascii() for place in self.places)
        firsts = "".join(place[0] for place in self.places)
        self._template: Any = np.array(list(map(ord, firsts)), dtype=np.uint8 if self._ascii else np.uint32)
        self._chunks = list(self._chunked())

    def _chunked(self) -> Iterator[_Chunk]:
        """Yield the tables of the places, the least significant first."""
        end = len(self.places)
        while end:
            if len(self.places[end - 1]) == 1:
                end -= 1
                continue
            begin = end - 1
            while (
                begin
                and prod(map(len, self.places[begin - 1 : end])) <= _CHUNK
                and len(self.places[begin - 1]) > 1
            ):
                begin -= 1
            grids = np.meshgrid(*([ord(c) for c in place] for place in self.places[begin:end]), indexing="ij")
            table = np.stack([grid.reshape(-1) for grid in grids], axis=1).astype(self._template.dtype)
            yield _Chunk(len(table), tuple(_words(table, begin * table.itemsize)))
            end = begin

    def write(self, numbers: Words) -> Column:
        """Return the texts of some numbers."""
        if self.capacity <= _MOST_CATEGORIES:
            return Categorical(numbers.astype(np.int32), self._categories)
        return self._written(numbers)

    @cached_property
    def _categories(self) -> Categories:
        return Categories(self._written(np.arange(self.capacity, dtype=np.uint64)).tolist())

    def _written(self, numbers: Words) -> FixedText | Text:
        matrix: Any = np.empty((len(numbers), len(self.places)), dtype=self._template.dtype)
        matrix[:] = self._template
        rest = numbers.astype(np.uint32) if self.capacity <= 1 << 32 else numbers
        lines = matrix.view(np.uint8)
        for number, (texts, words) in enumerate(self._chunks):
            if number == len(self._chunks) - 1:
                here = rest
            else:
                by = rest.dtype.type(texts)
                above = rest // by
                here, rest = rest - above * by, above
            for at, table in words:
                line = np.dtype(
                    {"names": ["word"], "formats": [table.dtype], "offsets": [at], "itemsize": lines.shape[1]}
                )
                lines.view(line)["word"][:, 0] = table.take(here)
        if self._plain:
            return FixedText(matrix)
        if self._ascii:
            return Text(matrix.reshape(-1), np.arange(len(matrix) + 1, dtype=np.int64) * matrix.shape[1])
        width = matrix.shape[1]
        return Text.of(matrix.view(f"<U{width}")[:, 0].tolist() if len(matrix) else [])


def _words(table: NDArray[Any], at: int) -> Iterator[tuple[int, NDArray[np.unsignedinteger[Any]]]]:
    """Yield the lines of a table as columns of words of 8, 4, 2 and 1 bytes, each with its first byte, from `at` on."""
    lines, done = np.ascontiguousarray(table).view(np.uint8), 0
    for size in (8, 4, 2, 1):
        while lines.shape[1] - done >= size:
            part = np.ascontiguousarray(lines[:, done : done + size])
            yield at + done, part.view(f"u{size}")[:, 0]
            done += size


def _characters(written: str) -> str:
    """Return the characters that a class or a literal stands for, in the order written."""
    if not written.startswith("["):
        return _printed(_meant(written), written)
    if written.startswith("[^"):
        raise ValueError(f"the class {printed(written)} says what can't stand there; list what can")
    found = "".join(_members(written))
    if not found:
        raise ValueError("the class [] is empty; list the characters that can stand there")
    twice = next((each for each, times in Counter(found).items() if times > 1), None)
    if twice is not None:
        raise ValueError(f"the class {printed(written)} names {twice!r} twice")
    return _printed(found, written)


def _members(written: str) -> Iterator[str]:
    """Yield the characters and ranges of a class; `-` at its beginning or end, or after a backslash, is itself."""
    signs = re.findall(r"\\.|.", written[1:-1], re.DOTALL)
    at = 0
    while at < len(signs):
        first = _meant(signs[at])
        if signs[at + 1 : at + 2] == ["-"] and at + 2 < len(signs):
            last = _meant(signs[at + 2])
            if len(first) > 1 or len(last) > 1 or first > last:
                raise ValueError(
                    f"the range {printed(''.join(signs[at : at + 3]))} of the class {printed(written)} is empty"
                )
            if ord(last) - ord(first) >= _MOST_CLASS:
                raise ValueError(f"the class {printed(written)} has more than {_MOST_CLASS:,} characters")
            yield "".join(map(chr, range(ord(first), ord(last) + 1)))
            at += 3
        else:
            yield first
            at += 1


def _meant(sign: str) -> str:
    """Return what a sign stands for: itself, or what follows its backslash."""
    if sign == r"\d":
        return _DIGITS
    if len(sign) == 2 and sign[1].isalnum():
        raise ValueError(
            f"{printed(sign)} isn't known; list the characters that are meant, such as [A-Za-z0-9]"
        )
    return sign[-1]


def _printed(characters: str, written: str) -> str:
    if any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in characters):
        raise ValueError(f"{display(written)} has a control character, which no text can have")
    return characters


def _regex(characters: str) -> str:
    """Return characters as every dialect of regular expressions reads them."""
    if len(characters) == 1:
        return f"\\{characters}" if characters in r"\[]{}()|*+?^$./" else characters
    parts, at = [], 0
    while at < len(characters):
        end = at
        while end + 1 < len(characters) and ord(characters[end + 1]) == ord(characters[end]) + 1:
            end += 1
        run = [f"\\{c}" if c in r"\[]^-" else c for c in characters[at : end + 1]]
        parts.append(f"{run[0]}-{run[-1]}" if len(run) > 2 else "".join(run))
        at = end + 1
    return f"[{''.join(parts)}]"


def pattern(rule: language.Pattern, place: Place) -> Definition:
    """Make texts of a pattern."""
    try:
        texts = Pattern(rule.pattern)
    except ValueError as error:
        place.at("pattern").refuse(str(error))
    of = ValueType("string", length=len(texts.places))
    if not place.unique:
        return Definition(
            of,
            lambda block: texts.write(high_product(place.words(block), texts.capacity)),
            "Text of the pattern, all alike",
            streams=(place.stream,),
            pattern=texts.regex,
        )
    stream = place.stream

    def at_slots(block: Block, slots: Words) -> Column:
        return texts.write(permute_below(np.uint64(block.seed ^ key_word(stream)), slots, texts.capacity))

    return Definition(
        of,
        lambda block: at_slots(block, block.level(place.of.table).slots),
        "Text of the pattern, each once",
        role="unique",
        permutation=stream,
        pattern=texts.regex,
        at_slots=at_slots,
        capacity=Capacity(texts.capacity, _would_do),
    )


def _would_do(needed: int) -> str:
    digits = len(str(needed - 1))
    return f"a pattern of {digits} digits, [0-9]{{{digits}}}, would do"
