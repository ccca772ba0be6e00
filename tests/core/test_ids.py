"""Ids decode to what made them; permutations are inverted."""

import uuid

import numpy as np
import pytest
from esdh_core import DEFAULT_DATASET, IdError, RecordId, RequestError, canonical_id, decode_id, encode_id
from esdh_core.ids import TaggedIds
from esdh_core.permutations import permute, unpermute
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**53 - 1)
INDICES = st.integers(0, 2**33 - 1)
ENTITIES = st.sampled_from(["person", "profile", "vehicle"])


@pytest.mark.parametrize(
    ("entity", "index", "text"),
    [
        ("person", 0, "7325de0f-b0c4-806c-8636-3e3a1bdbceb4"),
        ("vehicle", 0, "7b847f8b-0bf6-8164-86ee-1e9155a80ffc"),
        ("profile", 1, "d4ab67fe-6799-8d2d-99be-841b118c6dc9"),
    ],
)
def test_contract_vectors(entity: str, index: int, text: str) -> None:
    """The vectors of the contract's section 4 hold in both directions."""
    assert text == encode_id(20240601, entity, index)
    assert RecordId(20240601, "v0.1", entity, index) == decode_id(text)


@given(SEEDS, ENTITIES, INDICES)
def test_id_decodes_to_what_made_it(seed: int, entity: str, index: int) -> None:
    """Any id is a version 8 UUID of RFC 9562 that decodes to its seed, entity and index."""
    text = encode_id(seed, entity, index)
    assert (uuid.UUID(text).version, uuid.UUID(text).variant) == (8, uuid.RFC_4122)
    assert RecordId(seed, "v0.1", entity, index) == decode_id(text) == decode_id(text.upper())


@given(SEEDS, ENTITIES, INDICES, st.integers(0, 127))
def test_changed_bit_is_refused(seed: int, entity: str, index: int, bit: int) -> None:
    """An id with one bit changed doesn't decode."""
    changed = uuid.UUID(int=uuid.UUID(encode_id(seed, entity, index)).int ^ 1 << bit)
    with pytest.raises(IdError):
        decode_id(str(changed))


@given(SEEDS, ENTITIES, st.lists(INDICES, max_size=5))
def test_many_ids_decode_to_their_slots(seed: int, entity: str, indices: list[int]) -> None:
    """Ids as an array of bytes give the slots that made them, and none is known to another seed."""
    slots = np.array(indices, dtype=np.uint64)
    codec = DEFAULT_DATASET.ids
    texts = codec.texts(seed, entity, slots)
    found, known = codec.slots_of(seed, entity, texts)
    assert (indices, [True] * len(indices)) == (found.tolist(), known.tolist())
    assert not codec.slots_of(seed ^ 1, entity, texts)[1].any()


@given(st.integers(0, 2**44 - 1), st.integers(0, 35), st.integers(1, 255))
def test_changed_byte_of_many_ids_is_found(slot: int, place: int, change: int) -> None:
    """A text that differs from an id in any byte, by case too, isn't known; more texts than a slice are."""
    codec = TaggedIds("t v1", ["rows"])
    slots = np.full(20_000, slot, dtype=np.uint64)
    texts = codec.texts(7, "rows", slots)
    texts[17_000, place] ^= change
    found, known = codec.slots_of(7, "rows", texts)
    assert [17_000] == np.flatnonzero(~known).tolist()
    assert (found[known] == slot).all()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a UUID"),
        ("7325de0fb0c4-806c-8636-3e3a1bdbceb4", "expected a UUID"),
        ("7325de0f-b0c4-806c-86363e3a1bdbceb4", "expected a UUID"),
        ("{7325de0f-b0c4-806c-8636-3e3a1bdbceb4", "expected a UUID"),
        ("urn:7325de0f-b0c4-806c-8636-3e3a1bdbceb4", "expected a UUID"),
        ("7325de0f-b0c4-806c 8636-3e3a1bdbceb4", "expected a UUID"),
        ("{7325de0fb0c4406c86363e3a1bdbceb4}", "'7325de0f-b0c4-406c-8636-3e3a1bdbceb4' .* version 8"),
        ("7325de0f-b0c4-806c-8636-3e3a1bdbceb\u0664", "expected a UUID"),
        ("7325de0f-b0c4-406c-8636-3e3a1bdbceb4", "version 8"),
        ("7325de0f-b0c4-806c-c636-3e3a1bdbceb4", "version 8"),
        ("00000000-0000-8000-8000-000000000000", "check bits"),
    ],
)
def test_foreign_text_is_refused_with_the_reason(text: str, reason: str) -> None:
    """A text that no ESDH wrote is refused, and the message says why."""
    with pytest.raises(IdError, match=reason):
        decode_id(text)


PERSON_0 = "7325de0f-b0c4-806c-8636-3e3a1bdbceb4"


@pytest.mark.parametrize(
    "spelling",
    [
        PERSON_0.upper(),
        PERSON_0.replace("-", ""),
        f"{{{PERSON_0}}}",
        f"{{{PERSON_0.upper().replace('-', '')}}}",
        f"urn:uuid:{PERSON_0}",
        f"URN:UUID:{PERSON_0.upper()}",
        f"{PERSON_0}\r",
        f"\t {PERSON_0}\r\n",
        uuid.UUID(PERSON_0),
        np.str_(PERSON_0),
    ],
)
def test_other_programs_spellings_are_the_same_id(spelling: str | uuid.UUID) -> None:
    """Every spelling of a UUID that programs hand over is read, and gives back the id as ESDH writes it."""
    assert PERSON_0 == canonical_id(spelling)
    assert RecordId(20240601, "v0.1", "person", 0) == decode_id(spelling)


@pytest.mark.parametrize("value", [None, 5, PERSON_0.encode(), [PERSON_0]])
def test_what_is_no_text_is_no_id(value: object) -> None:
    """A value of another type is refused like any text that is no id."""
    with pytest.raises(IdError, match="expected a UUID"):
        decode_id(value)  # type: ignore[arg-type]  # the mistake under test


def test_id_of_numpy_integers() -> None:
    """NumPy's integers, narrow ones too, give the id that Python's give; what can't be is refused."""
    assert encode_id(20240601, "vehicle", 5) == encode_id(np.int32(20240601), "vehicle", np.uint8(5))
    for seed, index in ((-1, 0), (True, 0), (0, -1), (0, 2**33), (np.bool_(1), 0)):
        with pytest.raises(RequestError):
            encode_id(seed, "person", index)  # type: ignore[arg-type]  # the mistake under test


def _forged(left: int, right: int) -> str:
    """Return the id of arbitrary left and right halves, by the contract's formula."""
    mask = (1 << 64) - 1
    for r in range(4):
        z = (right + (r + 1) * 0x9E3779B97F4A7C15) & mask
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        left, right = right, left ^ ((z ^ z >> 31) & ((1 << 61) - 1))
    bits = left << 61 | right
    return str(
        uuid.UUID(
            int=bits >> 74 << 80 | 8 << 76 | (bits >> 62 & 0xFFF) << 64 | 2 << 62 | bits & ((1 << 62) - 1)
        )
    )


@pytest.mark.parametrize(
    ("left", "right", "reason"),
    [
        (7 << 8 | 2, 1 << 56, "dataset version ordinal 2"),
        (7 << 8 | 1, 4 << 56, "entity number 4"),
        (7 << 8 | 1, 1 << 56 | 2**33 << 20, "record 8589934592"),
    ],
)
def test_unknown_version_entity_or_index_is_named(left: int, right: int, reason: str) -> None:
    """A well-formed id of another version, entity or past the last record is refused by name."""
    with pytest.raises(IdError, match=reason):
        decode_id(_forged(left, right))


def test_permutation_vectors() -> None:
    """The vectors of the contract's section 5 hold."""
    zero = np.array([0], dtype=np.uint64)
    assert int(permute(20240601, "person.driver_license_number", zero)[0]) == 20801382165


@given(SEEDS, st.lists(st.integers(0, 2**36 - 1), min_size=1, max_size=20))
def test_permutation_is_inverted(seed: int, indices: list[int]) -> None:
    """A permuted index stays below 2^36 and gives back its index."""
    permuted = permute(seed, "vehicle.vin", np.array(indices, dtype=np.uint64))
    assert int(permuted.max()) < 2**36
    assert indices == unpermute(seed, "vehicle.vin", permuted).tolist()


@given(SEEDS, st.integers(0, 2**33 - 41), st.integers(0, 20), st.integers(0, 20))
def test_few_are_a_part_of_many(seed: int, start: int, first: int, count: int) -> None:
    """The ids and the permuted indices of a few records are those that they have among many."""
    index = np.arange(start, start + 40, dtype=np.uint64)
    few = index[first : first + count]
    ids = DEFAULT_DATASET.ids.texts(seed, "vehicle", index)
    assert ids[first : first + count].tolist() == DEFAULT_DATASET.ids.texts(seed, "vehicle", few).tolist()
    permuted = permute(seed, "vehicle.vin", index)
    assert permuted[first : first + count].tolist() == permute(seed, "vehicle.vin", few).tolist()
