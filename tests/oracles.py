"""Independent, slow re-statements of the data contract that the tests hold the code against."""

import datetime as dt
import hashlib
from collections.abc import Sequence

MASK = (1 << 64) - 1


def philox4x64_10(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Return the four words of Philox4x64-10, straight from the paper (Salmon et al., SC 2011)."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [p1 >> 64 ^ c[1] ^ k0, p1 & MASK, p0 >> 64 ^ c[3] ^ k1, p0 & MASK]
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return c


def draw(seed: int, stream: str, index: int) -> int:
    """Return one draw as section 3 of the contract writes it."""
    key = int.from_bytes(hashlib.sha256(stream.encode()).digest()[:8], "little")
    return philox4x64_10([index // 4 + 1, 0, 0, 0], [seed, key])[index % 4]


def weighted(hi: int, weights: Sequence[int]) -> int:
    """Return the first j with hi < floor(C[j] * 2^32 / W)."""
    total, running = sum(weights), 0
    for j, weight in enumerate(weights):
        running += weight
        if hi < (running << 32) // total:
            return j
    raise AssertionError("unreachable: the last threshold is 2^32")


def _column_bytes(values: Sequence[object]) -> bytes:
    first = next((value for value in values if value is not None), "")
    if isinstance(first, int):
        return b"".join(
            value.to_bytes(8, "little", signed=True) for value in values if isinstance(value, int)
        )
    if isinstance(first, dt.date):
        epoch = dt.date(1970, 1, 1)
        days = [(value - epoch).days for value in values if isinstance(value, dt.date)]
        return b"".join(day.to_bytes(4, "little", signed=True) for day in days)
    texts = [None if value is None else str(value).encode() for value in values]
    lengths = b"".join((0xFFFFFFFF if t is None else len(t)).to_bytes(4, "little") for t in texts)
    return lengths + b"".join(t for t in texts if t is not None)


def content_digest(columns: Sequence[Sequence[object]], block: int = 65_536) -> str:
    """Return the content digest of an entity from plain Python values, a sequence a column."""
    blocks = b""
    for start in range(0, len(columns[0]), block):
        raw = b"".join(
            hashlib.sha256(_column_bytes(values[start : start + block])).digest() for values in columns
        )
        blocks += hashlib.sha256(raw).digest()
    return hashlib.sha256(blocks).hexdigest()


def vin_check_digit(vin: str) -> str:
    """Return the check digit of 49 CFR 565.15 from the table of letter values and weights."""
    values = dict(
        zip(
            "ABCDEFGHJKLMNPRSTUVWXYZ",
            [1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 7, 9, 2, 3, 4, 5, 6, 7, 8, 9],
            strict=True,
        )
    )
    weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2]
    total = sum((int(c) if c.isdigit() else values[c]) * w for c, w in zip(vin, weights, strict=True))
    return "0123456789X"[total % 11]


def full_years(born: dt.date, on: dt.date) -> int:
    """Return whole years from a birth to a date."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))
