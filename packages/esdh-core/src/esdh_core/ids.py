"""The id codec, and the permutations that make values unique.

An id is a version 8 UUID (RFC 9562) that decodes to (seed, dataset version, entity, index): a 4-round
Feistel network over 122 bits, so the id in a log is the recipe of its record. Values that must be
unique within a seed hold a keyed permutation of the index: unique without retrying or remembering, and
inverted to check. Neither hides anything: both are public arithmetic.
"""

import re
from typing import Final, SupportsIndex
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from esdh_core.constants import DATASET_VERSION, MAX_RECORDS, VERSION_ORDINAL
from esdh_core.errors import IdError
from esdh_core.requests import check_seed, check_window
from esdh_core.streams import key_word

__all__ = [
    "ENTITY_NUMBERS",
    "RecordId",
    "canonical_id",
    "decode_id",
    "encode_id",
    "id_text",
    "invert",
    "permute",
]

ENTITY_NUMBERS: Final = {"person": 1, "vehicle": 2, "profile": 3}
_ENTITY_NAMES: Final = {number: name for name, number in ENTITY_NUMBERS.items()}

_ROUNDS: Final = 4
_GOLDEN: Final = 0x9E3779B97F4A7C15  # 2^64 / the golden ratio: SplitMix64's increment
_MIX_1: Final = 0xBF58476D1CE4E5B9
_MIX_2: Final = 0x94D049BB133111EB
_MASK_64: Final = (1 << 64) - 1
_MASK_61: Final = (1 << 61) - 1
_HALF_BITS: Final = 18  # half of a permuted index
_HALF_MASK: Final = (1 << _HALF_BITS) - 1
_INDEX_BITS: Final = 36
_CHECK_BITS: Final = 20

_UUID = re.compile(r"([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})", re.ASCII)


class RecordId(msgspec.Struct, frozen=True):
    """What an id says: everything that is needed to make its record again."""

    seed: int
    dataset_version: str
    entity: str
    index: int


def _mix(z: int) -> int:
    """Return the SplitMix64 finaliser of a 64-bit integer (Steele, Lea, Flood, OOPSLA 2014)."""
    z &= _MASK_64
    z ^= z >> 30
    z = z * _MIX_1 & _MASK_64
    z ^= z >> 27
    z = z * _MIX_2 & _MASK_64
    return z ^ z >> 31


def _mix_array(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the SplitMix64 finaliser of each element; unsigned arithmetic wraps at 2^64 as it must."""
    z = z ^ (z >> np.uint64(30))
    z *= np.uint64(_MIX_1)
    z ^= z >> np.uint64(27)
    z *= np.uint64(_MIX_2)
    z ^= z >> np.uint64(31)
    return z


def encode_id(seed: SupportsIndex, entity: str, index: SupportsIndex) -> str:
    """Return the id of one record; `entity` is person, vehicle or profile.

    Raises RequestError for a seed or an index that can't be.
    """
    seed, (index, _) = check_seed(seed), check_window(index, 1)
    start = np.array([index], dtype=np.uint64)
    return id_text(seed, entity, start).tobytes().decode("ascii")


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


def id_text(seed: int, entity: str, index: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the ids of many records as ASCII text, shape (len(index), 36)."""
    text = np.empty((len(index), 36), dtype=np.uint8)
    for start in range(0, len(index), _SLICE):
        _write_ids(seed, entity, index[start : start + _SLICE], text[start : start + _SLICE])
    return text


def _write_ids(seed: int, entity: str, index: NDArray[np.uint64], text: NDArray[np.uint8]) -> None:
    left = np.full(len(index), seed << 8 | VERSION_ORDINAL, dtype=np.uint64)
    right = np.uint64(ENTITY_NUMBERS[entity] << _INDEX_BITS + _CHECK_BITS) | index << np.uint64(_CHECK_BITS)
    for r in range(_ROUNDS):
        mixed = _mix_array(right + np.uint64((r + 1) * _GOLDEN & _MASK_64))
        mixed &= np.uint64(_MASK_61)
        mixed ^= left
        left, right = right, mixed
    # custom_a (48 bits) | version 8 | custom_b (12 bits), then variant 10 | custom_c (62 bits)
    upper = (
        (left >> np.uint64(13)) << np.uint64(16)
        | np.uint64(8 << 12)
        | (left >> np.uint64(1)) & np.uint64(0xFFF)
    )
    lower = np.uint64(1 << 63) | (left & np.uint64(1)) << np.uint64(61) | right
    text[:] = ord("-")  # cheaper than the four dashes alone, each in a column of its own
    words = text.reshape(-1).view(_ID_WORDS)
    for name, source, shift in zip("abcdefgh", [upper] * 4 + [lower] * 4, [48, 32, 16, 0] * 2, strict=True):
        words[name] = _HEX_WORDS.take((source >> np.uint64(shift)).astype(np.uint16))


def canonical_id(value: str | UUID) -> str:
    """Return an id as ESDH writes it: 32 lower-case hexadecimal digits and four dashes.

    Other programs write a UUID in capitals, in braces, without dashes or as `urn:uuid:...`, and a list's
    line ends in white space: all of these are the same id. `value` may be a uuid.UUID. Whether the UUID is
    an id of ours, `decode_id` tells. Raises IdError for what is no UUID.
    """
    text = str(value).strip().lower().removeprefix("urn:uuid:")
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    found = _UUID.fullmatch(text)
    if found is None:
        raise IdError(
            f"{str(value)!r} is not an ESDH id: expected a UUID such as {encode_id(20240601, 'person', 0)}"
        )
    return "-".join(found.group(1, 3, 4, 5, 6))


def decode_id(value: str | UUID) -> RecordId:
    """Return what an id says; `value` is in any spelling that `canonical_id` reads, or a uuid.UUID.

    Raises IdError, with the reason, for a text that is no UUID, a UUID that no ESDH wrote (another
    version or variant, or check bits that don't hold), or an id of a dataset version or entity that
    this program doesn't know.
    """
    text = canonical_id(value)
    bits = int(text.replace("-", ""), 16)
    if bits >> 76 & 0xF != 8 or bits >> 62 & 0b11 != 0b10:
        raise IdError(
            f"{text!r} is not an ESDH id: it is not a version 8 UUID of RFC 9562, as every ESDH id is"
        )
    left = bits >> 80 << 13 | (bits >> 64 & 0xFFF) << 1 | bits >> 61 & 1
    right = bits & _MASK_61
    for r in reversed(range(_ROUNDS)):
        left, right = right ^ _mix(left + (r + 1) * _GOLDEN) & _MASK_61, left
    if right & (1 << _CHECK_BITS) - 1:
        raise IdError(
            f"{text!r} is not an ESDH id: its check bits don't hold, so it was made elsewhere or mistyped"
        )
    version, entity = left & 0xFF, right >> _INDEX_BITS + _CHECK_BITS
    index = right >> _CHECK_BITS & (1 << _INDEX_BITS) - 1
    if version != VERSION_ORDINAL:
        raise IdError(
            f"{text!r} is of dataset version ordinal {version}; this program knows {VERSION_ORDINAL} ({DATASET_VERSION})"
        )
    if entity not in _ENTITY_NAMES:
        raise IdError(
            f"{text!r} names entity number {entity}; known are {', '.join(map(str, _ENTITY_NAMES))}"
        )
    if index >= MAX_RECORDS:
        raise IdError(f"{text!r} names record {index}; the last record there can be is {MAX_RECORDS - 1}")
    return RecordId(left >> 8, DATASET_VERSION, _ENTITY_NAMES[entity], index)


def _permutation_key(seed: int, stream: str) -> int:
    return seed ^ key_word(stream)


def permute(seed: int, stream: str, index: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a keyed permutation of indices below 2^36, element by element; also below 2^36."""
    key = _permutation_key(seed, stream)
    left, right = index >> np.uint64(_HALF_BITS), index & np.uint64(_HALF_MASK)
    for r in range(_ROUNDS):
        mixed = _mix_array(right + np.uint64(key + (r + 1) * _GOLDEN & _MASK_64))
        mixed &= np.uint64(_HALF_MASK)
        mixed ^= left
        left, right = right, mixed
    return left << np.uint64(_HALF_BITS) | right


def invert(seed: int, stream: str, permuted: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the indices whose permutation is `permuted`: the inverse of `permute`."""
    key = _permutation_key(seed, stream)
    left, right = permuted >> np.uint64(_HALF_BITS), permuted & np.uint64(_HALF_MASK)
    for r in reversed(range(_ROUNDS)):
        mixed = _mix_array(left + np.uint64(key + (r + 1) * _GOLDEN & _MASK_64))
        mixed &= np.uint64(_HALF_MASK)
        mixed ^= right
        left, right = mixed, left
    return left << np.uint64(_HALF_BITS) | right
