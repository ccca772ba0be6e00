"""The body of a generate call: what is taken, what is refused, and in which words."""

import gzip
import json
import re

import pytest
from esdh_api.errors import (
    ApiError,
    InvalidRequestError,
    UnsupportedCodingError,
    UnsupportedMediaTypeError,
)
from esdh_api.requests import GenerateRequest, Window, parse_window
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import schema

SEED_MESSAGE = "'seed' must be an integer, 'random', or omitted"


def parse(body: bytes, *, max_records: int = 1000) -> Window:
    """Parse a body that is declared as JSON."""
    return parse_window(body, "application/json", max_records=max_records)


def refusal(body: bytes) -> str:
    """Return the message that a body is refused with."""
    with pytest.raises(InvalidRequestError) as refused:
        parse(body)
    return str(refused.value)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_nothing_asked_gives_the_defaults(body: bytes) -> None:
    """An empty body and an empty object ask for the first five records of the default seed."""
    assert Window(records=5, start=0, seed=20240601) == parse(body)


@pytest.mark.parametrize(
    ("body", "window"),
    [
        (b'{"records": 1000, "start": 7, "seed": 3}', Window(1000, 7, 3)),
        (b'{"seed": 0}', Window(5, 0, 0)),
        (b'{"seed": 9007199254740991}', Window(5, 0, 2**53 - 1)),
        (b'{"seed": "0009007199254740991"}', Window(5, 0, 2**53 - 1)),
        (b'{"seed": "42", "randomize": false}', Window(5, 0, 42)),
        (b'{"records": 1, "start": 8589934591}', Window(1, 2**33 - 1, 20240601)),
        (b' {"records": 2} ', Window(2, 0, 20240601)),
    ],
)
def test_values_are_taken(body: bytes, window: Window) -> None:
    """Records, start and a seed as an integer or its digits are taken, to the last value that there is."""
    assert window == parse(body)


@pytest.mark.parametrize("body", [b'{"seed": "random"}', b'{"randomize": true}'])
def test_random_seed_is_drawn_anew(body: bytes) -> None:
    """A random seed is in range and another each time."""
    seeds = {parse(body).seed for _ in range(20)}
    assert 20 == len(seeds)
    assert all(0 <= seed < 2**53 for seed in seeds)


@pytest.mark.parametrize("value", ["0", "-1", "true", "false", "1.0", '"5"', "null", "[]", "{}", "1e2", "-0"])
def test_records_of_another_kind(value: str) -> None:
    """Anything but a positive integer is refused in the contract's words."""
    assert "'records' must be a positive integer" == refusal(f'{{"records": {value}}}'.encode())


def test_records_are_looked_at_first() -> None:
    """With several mistakes the one in `records` is told."""
    body = b'{"bogus": 1, "seed": [], "start": -1, "randomize": 3, "records": 0}'
    assert "'records' must be a positive integer" == refusal(body)


def test_more_records_than_the_limit() -> None:
    """Past the limit the message tells it and what to do; a default above it is lowered to it."""
    message = refusal(b'{"records": 1001}')
    assert "at most 1000" in message
    assert "1001" in message
    assert "'start'" in message
    assert 3 == parse(b"", max_records=3).records


@pytest.mark.parametrize(
    "value",
    [
        "1.0",
        "true",
        "null",
        "[]",
        "{}",
        '""',
        '" 5"',
        '"5\\n"',
        '"-5"',
        '"1e3"',
        '"Random"',
        '"٢٠٢٤"',
        '"1_0"',
    ],
)
def test_seed_of_another_kind(value: str) -> None:
    """Anything but an integer, its ASCII digits or "random" is refused in the contract's words."""
    assert SEED_MESSAGE == refusal(f'{{"seed": {value}}}'.encode())


@pytest.mark.parametrize(
    "value", ["-1", "9007199254740992", '"9007199254740992"', '"99999999999999999999"', "9" * 4000]
)
def test_seed_out_of_range(value: str) -> None:
    """A seed out of range is refused with the range, and quoted in part where it is long."""
    message = refusal(f'{{"seed": {value}}}'.encode())
    assert "from 0 to 9007199254740991" in message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"start": -1}', "'start' must be a non-negative integer, not -1"),
        (b'{"start": true}', "'start' must be a non-negative integer, not true"),
        (b'{"start": 1.0}', "'start' must be a non-negative integer, not 1.0"),
        (b'{"start": 1e400}', "'start' must be a non-negative integer, not a number past 1.7e308"),
        (b'{"start": "1"}', "'start' must be a non-negative integer, not '1'"),
        (b'{"start": 8589934588}', "8589934588 + 5 is past the last record"),
        (b'{"randomize": 1}', "'randomize' must be true or false, not 1"),
        (b'{"randomize": null}', "'randomize' must be true or false, not null"),
        (b'{"randomize": true, "seed": 1}', "exclude each other"),
        (b'{"randomize": true, "seed": "random"}', "exclude each other"),
        (b'{"record": 3}', "'record' is no field of a request; known are records, start, seed, randomize"),
        (b'{"records": 3, "records": 4}', "'records' is given twice"),
        (b'{"seed": NaN}', "NaN is no JSON number"),
        (b'{"seed": -Infinity}', "-Infinity is no JSON number"),
        (b'{"seed": ' + b"1" * 5000 + b"}", "thousands of digits"),
        (b"[" * 60000, "nested too deeply"),
        (b'{"a":' * 10000, "nested too deeply"),
        (b"[]", "one JSON object"),
        (b'"records"', "one JSON object"),
        (b"null", "one JSON object"),
        (b"5", "one JSON object"),
        (b"{", "not JSON"),
        (b"{'records': 3}", "not JSON"),
        (b'{"records": 3} {}', "not JSON"),
        (b" ", "not JSON"),
        (b'\xef\xbb\xbf{"records": 3}', "begins with a byte order mark; send UTF-8 without one"),
        (b"\xef\xbb\xbf", "begins with a byte order mark"),
        (b'{"\xff": 3}', "not UTF-8 (byte 2)"),
        ('{"records": 3}'.encode("utf-16"), "the body is UTF-16; send it as UTF-8"),
        ('{"records": 3}'.encode("utf-16-le"), "the body is UTF-16; send it as UTF-8"),
        ('{"records": 3}'.encode("utf-16-be"), "the body is UTF-16; send it as UTF-8"),
        ('{"records": 3}'.encode("utf-32"), "the body is UTF-32; send it as UTF-8"),
        (gzip.compress(b"{}", mtime=0), "not UTF-8 (byte 1)"),
        (b"{}\0", "not JSON"),
        (b'{"\\ud800": 1}', "'\\ud800' is no field"),
        (b'{"' + b"x" * 9000 + b'": 1}', "is no field"),
    ],
)
def test_refusals_say_why(body: bytes, message: str) -> None:
    """Every other body is refused in one short sentence that names the mistake."""
    text = refusal(body)
    assert message in text
    assert len(text) < 250
    assert "\n" not in text


@pytest.mark.parametrize(
    ("media_type", "said"),
    [
        ("text/plain", "as 'text/plain'"),
        ("application/x-www-form-urlencoded", "as 'application/x-www-form-urlencoded'"),
        ("application/vnd.api+json", "as 'application/vnd.api+json'"),
        ("", "without a Content-Type"),
    ],
)
def test_body_of_another_type(media_type: str, said: str) -> None:
    """A body that isn't declared as JSON is refused with what it was sent as; no body needs no type."""
    with pytest.raises(UnsupportedMediaTypeError, match=re.escape(said)):
        parse_window(b"{}", media_type, max_records=10)
    assert 5 == parse_window(b"", media_type, max_records=10).records


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, identity", "x"])
def test_compressed_body(coding: str) -> None:
    """A body that is declared as compressed is refused with what it was sent with; no body has no coding."""
    with pytest.raises(UnsupportedCodingError, match=re.escape(f"Content-Encoding '{coding}'")):
        parse_window(b"{}", "application/json", coding, max_records=10)
    assert 5 == parse_window(b"", "application/json", coding, max_records=10).records


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_body_that_is_not_compressed(coding: str) -> None:
    """A body whose coding is none is read."""
    assert 3 == parse_window(b'{"records": 3}', "application/json", coding, max_records=10).records


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.dictionaries(
        st.sampled_from(["records", "start", "seed", "randomize", "defects", "other"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just("random"),
    ).map(lambda fields: json.dumps(fields).encode())
)
def test_any_body_is_a_window_or_a_sentence(body: bytes) -> None:
    """Whatever the body, there is a window within bounds or one of our refusals; nothing else is raised."""
    try:
        records, start, seed, defects = parse(body)
    except ApiError:
        return
    assert 1 <= records <= 1000
    assert 0 <= start <= 2**33 - records
    assert 0 <= seed < 2**53
    assert defects is None


@given(st.integers(0, 2**54) | st.integers(2**53 - 2000, 2**53 + 2000), st.integers(0, 3))
def test_schema_of_the_seed_is_exact(number: int, zeros: int) -> None:
    """The pattern that the schema gives for a seed's digits holds of the digits in range and of no others."""
    branches = schema(GenerateRequest)["$defs"]["GenerateRequest"]["properties"]["seed"]["anyOf"]
    pattern = next(branch["pattern"] for branch in branches if branch["type"] == "string")
    matched = re.search(pattern, "0" * zeros + str(number)) is not None
    assert (number < 2**53) == matched
