"""The id codec: an id is the recipe of its record.

An id is a version 8 UUID (RFC 9562) that decodes to a seed, a dataset, a table and a row: a 4-round Feistel
network over 122 bits. It hides nothing: this is public arithmetic.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from esdh_core.constants import MAX_RECORDS
from esdh_core.errors import IdError
from esdh_core.mixing import GOLDEN_GAMMA, MASK_64, mix64, mix64_array

__all__ = [
    "SLOT_BITS",
    "BareId",
    "IdCodec",
    "OrdinalIds",
    "Origins",
    "RecordId",
    "TaggedIds",
    "bare_id",
    "canonical_id",
]

_ROUNDS: Final = 4
_MASK_61: Final = (1 << 61) - 1
_INDEX_BITS: Final = 36
_CHECK_BITS: Final = 20
SLOT_BITS: Final = 44  # of a slot in an id of a dataset with a name
_EXAMPLE: Final = "7325de0f-b0c4-806c-8636-3e3a1bdbceb4"

_UUID = re.compile(r"([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})", re.ASCII)


class RecordId(msgspec.Struct, frozen=True):
    """What an id says: everything that is needed to make its row again.

    `entity` is the table's name, in the singular where the table has one; `index` the row's slot: in a root
    table, and where every table has one row a record, the record's number.
    """

    seed: int
    dataset_version: str
    entity: str
    index: int


class BareId(NamedTuple):
    """What an id says to those who don't know its dataset.

    `ordinal` is 0 in the ids of a dataset with a name, whose table has the `tag`, and whose row the `slot`; in
    others these two mean nothing.
    """

    seed: int
    ordinal: int
    tag: int
    slot: int


class IdCodec(Protocol):
    """How a dataset writes its ids; tables by the name that ids use; `slots` is one more than the last slot."""

    slots: int

    def texts(self, seed: int, entity: str, slots: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Return the ids of many rows as ASCII text, shape (len(slots), 36)."""

    def slots_of(
        self, seed: int, entity: str, texts: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the slots of many ids, and which texts are what `texts` writes; the slots of others mean nothing."""

    def decode(self, value: str | UUID) -> RecordId:
        """Return what an id says; IdError, with the reason, for a text that is none of this dataset."""

    def origins(self, entity: str, texts: NDArray[np.uint8]) -> "Origins":
        """Return seeds and slots of many ids of one table, as ASCII text in the canonical form, shape (rows, 36)."""


class Origins(NamedTuple):
    """What many ids of one table say, as int64: their seeds, and the slots of their rows; both -1 where it is no such id."""

    seeds: NDArray[np.int64]
    slots: NDArray[np.int64]


class OrdinalIds:
    """Ids of a dataset version that has an ordinal, and a number for each table (contract, section 4)."""

    def __init__(self, dataset_version: str, ordinal: int, numbers: Mapping[str, int]) -> None:
        """Take the version's ordinal (1 to 255) and each table's number (1 to 31)."""
        self.slots = MAX_RECORDS
        self._dataset_version = dataset_version
        self._ordinal = ordinal
        self._numbers = dict(numbers)
        self._names = {number: name for name, number in numbers.items()}

    def texts(self, seed: int, entity: str, slots: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Return the ids of many rows as ASCII text, shape (len(slots), 36)."""
        number = self._numbers[entity] << _INDEX_BITS + _CHECK_BITS
        return _encode(seed << 8 | self._ordinal, number, _CHECK_BITS, slots)

    def slots_of(
        self, seed: int, entity: str, texts: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the slots of many ids, shape (len(texts), 36), and which texts are what `texts` writes for them."""
        seeds, slots = self.origins(entity, texts)
        return slots.astype(np.uint64), seeds == seed

    def decode(self, value: str | UUID) -> RecordId:
        """Return what an id says.

        Raises IdError, with the reason, for a text that is no UUID, a UUID that no ESDH wrote (another version
        or variant, or check bits that don't hold), or an id of another dataset version or of an unknown table.
        """
        text = canonical_id(value)
        left, right = _decode(text)
        if right & (1 << _CHECK_BITS) - 1:
            raise IdError(
                f"{text!r} is not an ESDH id: its check bits don't hold, so it was made elsewhere or mistyped"
            )
        ordinal, number = left & 0xFF, right >> _INDEX_BITS + _CHECK_BITS
        index = right >> _CHECK_BITS & (1 << _INDEX_BITS) - 1
        if ordinal != self._ordinal:
            raise IdError(
                f"{text!r} is of dataset version ordinal {ordinal}; this program knows {self._ordinal} ({self._dataset_version})"
            )
        if number not in self._names:
            raise IdError(
                f"{text!r} names entity number {number}; known are {', '.join(map(str, self._names))}"
            )
        if index >= MAX_RECORDS:
            raise IdError(f"{text!r} names record {index}; the last record there can be is {MAX_RECORDS - 1}")
        return RecordId(left >> 8, self._dataset_version, self._names[number], index)

    def origins(self, entity: str, texts: NDArray[np.uint8]) -> Origins:
        """Return seeds and slots of many ids of one table, as ASCII text in the canonical form, shape (rows, 36)."""
        left, right, ours = _read(texts)
        slots = right >> np.uint64(_CHECK_BITS) & np.uint64((1 << _INDEX_BITS) - 1)
        ours &= left & np.uint64(0xFF) == self._ordinal
        ours &= right >> np.uint64(_INDEX_BITS + _CHECK_BITS) == self._numbers[entity]
        ours &= right & np.uint64((1 << _CHECK_BITS) - 1) == 0
        ours &= slots < MAX_RECORDS
        return _origins(left, slots, ours)


class TaggedIds:
    """Ids of a dataset with a name: a table is known by a tag, made of its name and the dataset's (datasets.md, section 3)."""

    def __init__(self, dataset_version: str, tables: Iterable[str] | Mapping[str, str]) -> None:
        """Take the dataset's name and version, `bank v1`, and its tables, or the names that tags are made of by table.

        Raises IdError when two tables have one tag.
        """
        self.slots = 1 << SLOT_BITS
        self._dataset_version = dataset_version
        self._tags: dict[str, int] = {}
        self._names: dict[int, str] = {}
        tagged = tables if isinstance(tables, Mapping) else {table: table for table in tables}
        for table, stands in tagged.items():
            digest = hashlib.sha256(f"{dataset_version}/{stands}".encode()).digest()
            tag = int.from_bytes(digest[:3], "big") >> 7
            if tag in self._names:
                raise IdError(
                    f"tables {self._names[tag]!r} and {table!r} of {dataset_version} have one id tag, {tag}; give one of them "
                    "another name, or a `stream:`"
                )
            self._tags[table], self._names[tag] = tag, table

    def texts(self, seed: int, entity: str, slots: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Return the ids of many rows as ASCII text, shape (len(slots), 36)."""
        return _encode(seed << 8, self._tags[entity] << SLOT_BITS, 0, slots)

    def slots_of(
        self, seed: int, entity: str, texts: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the slots of many ids, shape (len(texts), 36), and which texts are what `texts` writes for them."""
        seeds, slots = self.origins(entity, texts)
        return slots.astype(np.uint64), seeds == seed

    def decode(self, value: str | UUID) -> RecordId:
        """Return what an id says.

        Raises IdError, with the reason, for a text that is no UUID, a UUID that no ESDH wrote, or an id of
        another dataset.
        """
        text = canonical_id(value)
        left, right = _decode(text)
        tag, slot = right >> SLOT_BITS, right & (1 << SLOT_BITS) - 1
        if left & 0xFF or tag not in self._names:
            raise IdError(f"{text!r} is no id of {self._dataset_version}: it was made elsewhere or mistyped")
        return RecordId(left >> 8, self._dataset_version, self._names[tag], slot)

    def origins(self, entity: str, texts: NDArray[np.uint8]) -> Origins:
        """Return seeds and slots of many ids of one table, as ASCII text in the canonical form, shape (rows, 36)."""
        left, right, ours = _read(texts)
        ours &= left & np.uint64(0xFF) == 0
        ours &= right >> np.uint64(SLOT_BITS) == self._tags[entity]
        return _origins(left, right & np.uint64((1 << SLOT_BITS) - 1), ours)


# The four hexadecimal digits of every 16-bit number, as one 32-bit word each.
_HEX_WORDS: Final = np.frombuffer(
    np.arange(1 << 16, dtype=">u2").tobytes().hex().encode("ascii"), dtype=np.uint32
)
# Where the eight words of an id stand in its 36 characters; the four dashes are between them.
_ID_WORDS: Final = np.dtype(
    {
        "names": list("abcdefgh"),
        "formats": [np.uint32] * 8,
        "offsets": [0, 4, 9, 14, 19, 24, 28, 32],
        "itemsize": 36,
    }
)
_SLICE: Final = 16_384  # ids: what is computed of them stays in the second-level cache
_SCALAR_LIMIT: Final = 16  # ids: so many cost less as Python's integers, one by one, than NumPy's calls do
# What each round of the network adds to its half.
_STEPS: Final = tuple((r + 1) * GOLDEN_GAMMA & MASK_64 for r in range(_ROUNDS))


def _encode(left: int, right: int, shift: int, slots: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return ids as text: `left`, and `right` with each slot shifted into it, through the network."""
    if len(slots) <= _SCALAR_LIMIT:
        few = "".join([_text(left, right | slot << shift) for slot in slots.tolist()])
        return np.frombuffer(few.encode("ascii"), dtype=np.uint8).reshape(-1, 36)
    text = np.empty((len(slots), 36), dtype=np.uint8)
    for start in range(0, len(slots), _SLICE):
        part = np.uint64(right) | slots[start : start + _SLICE] << np.uint64(shift)
        _write(left, part, text[start : start + _SLICE])
    return text


def _text(left: int, right: int) -> str:
    """Return one id as text."""
    for step in _STEPS:
        left, right = right, left ^ mix64(right + step) & _MASK_61
    upper, lower = _halves(left, right)
    digits = f"{upper << 64 | lower:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _write(first: int, right: NDArray[np.uint64], text: NDArray[np.uint8]) -> None:
    left: Any = first
    for step in _STEPS:
        mixed = mix64_array(right + np.uint64(step))
        mixed &= np.uint64(_MASK_61)
        mixed ^= left
        left, right = right, mixed
    upper, lower = _halves(left, right)
    text[:] = ord("-")  # cheaper than the four dashes alone, each in a column of its own
    words = text.reshape(-1).view(_ID_WORDS)
    for name, source, shift in zip("abcdefgh", [upper] * 4 + [lower] * 4, [48, 32, 16, 0] * 2, strict=True):
        words[name] = _HEX_WORDS.take((source >> np.uint64(shift)).astype(np.uint16))


# The number that two characters of an id stand for, by their bytes as one 16-bit word; _NO_DIGITS where they are none.
_NO_DIGITS: Final = 0x100
_OCTETS: Final = np.full(1 << 16, _NO_DIGITS, dtype=np.uint16)
_OCTETS[np.frombuffer(bytes(range(256)).hex().encode("ascii"), dtype=np.uint16)] = np.arange(256)
# Where the sixteen pairs of digits of an id stand in its 36 characters.
_ID_PAIRS: Final = np.dtype(
    {
        "names": list("abcdefghijklmnop"),
        "formats": [np.uint16] * 16,
        "offsets": [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34],
        "itemsize": 36,
    }
)
_DASHES: Final = (8, 13, 18, 23)


def _read(texts: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the two halves of many ids, through the network backwards, and which of them are version 8 UUIDs."""
    count = len(texts)
    left, right = np.empty(count, dtype=np.uint64), np.empty(count, dtype=np.uint64)
    valid = np.empty(count, dtype=np.bool_)
    for start in range(0, count, _SLICE):
        part = slice(start, start + _SLICE)
        left[part], right[part], valid[part] = _read_part(texts[part])
    return left, right, valid


def _read_part(texts: NDArray[np.uint8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]:
    pairs = np.ascontiguousarray(texts).reshape(-1).view(_ID_PAIRS)
    halves = []
    read = np.zeros(len(texts), dtype=np.uint16)  # all bits of all numbers
    for names in ("abcdefgh", "ijklmnop"):
        half = np.zeros(len(texts), dtype=np.uint64)
        for name in names:
            octets = _OCTETS.take(pairs[name])
            read |= octets
            half <<= np.uint64(8)
            half |= octets
        halves.append(half)
    upper, lower = halves
    valid = read < _NO_DIGITS
    for at in _DASHES:
        valid &= texts[:, at] == ord("-")
    valid &= (upper >> np.uint64(12) & np.uint64(0xF) == 8) & (lower >> np.uint64(62) == 0b10)
    left = upper >> np.uint64(16) << np.uint64(13) | (upper & np.uint64(0xFFF)) << np.uint64(1)
    left |= lower >> np.uint64(61) & np.uint64(1)
    right = lower & np.uint64(_MASK_61)
    for step in reversed(_STEPS):
        mixed = mix64_array(left + np.uint64(step))
        mixed &= np.uint64(_MASK_61)
        left, right = right ^ mixed, left
    return left, right, valid


def _origins(left: NDArray[np.uint64], slots: NDArray[np.uint64], ours: NDArray[np.bool_]) -> Origins:
    """Return seeds and slots of ids that are `ours`."""
    seeds = left >> np.uint64(8)
    return Origins(np.where(ours, seeds.astype(np.int64), -1), np.where(ours, slots.astype(np.int64), -1))


def _halves(left: Any, right: Any) -> tuple[Any, Any]:
    """Return the 128 bits of ids, upper and lower 64, of what the network gave: of one id, or of many.

    custom_a (48 bits) | version 8 | custom_b (12 bits), then variant 10 | custom_c (62 bits).
    """
    return left >> 13 << 16 | 8 << 12 | left >> 1 & 0xFFF, 1 << 63 | (left & 1) << 61 | right


def canonical_id(value: str | UUID) -> str:
    """Return an id as ESDH writes it: 32 lower-case hexadecimal digits and four dashes.

    Other programs write a UUID in capitals, in braces, without dashes or as `urn:uuid:...`, and a list's
    line ends in white space: all of these are the same id. `value` may be a uuid.UUID. Whether the UUID is
    an id of ours, `decode_id` says. Raises IdError for what is no UUID.

    >>> canonical_id("{7325DE0F-B0C4-806C-8636-3E3A1BDBCEB4}")
    '7325de0f-b0c4-806c-8636-3e3a1bdbceb4'
    """
    text = str(value).strip().lower().removeprefix("urn:uuid:")
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    found = _UUID.fullmatch(text)
    if found is None:
        raise IdError(f"{str(value)!r} is not an ESDH id: expected a UUID such as {_EXAMPLE}")
    return "-".join(found.group(1, 3, 4, 5, 6))


def bare_id(value: str | UUID) -> BareId:
    """Return what an id says without its dataset. Raises IdError for what is no version 8 UUID."""
    left, right = _decode(canonical_id(value))
    return BareId(left >> 8, left & 0xFF, right >> SLOT_BITS, right & (1 << SLOT_BITS) - 1)


def _decode(text: str) -> tuple[int, int]:
    """Return the two halves of an id in its canonical form; IdError for one that is no version 8 UUID."""
    bits = int(text.replace("-", ""), 16)
    if bits >> 76 & 0xF != 8 or bits >> 62 & 0b11 != 0b10:
        raise IdError(
            f"{text!r} is not an ESDH id: it is not a version 8 UUID of RFC 9562, as every ESDH id is"
        )
    left = bits >> 80 << 13 | (bits >> 64 & 0xFFF) << 1 | bits >> 61 & 1
    right = bits & _MASK_61
    for step in reversed(_STEPS):
        left, right = right ^ mix64(left + step) & _MASK_61, left
    return left, right
