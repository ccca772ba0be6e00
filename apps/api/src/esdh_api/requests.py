"""The body of a generate call: one JSON object, read strictly, each refusal in one sentence."""

import json
import math
import re
import secrets
from collections import Counter
from collections.abc import Collection
from typing import Annotated, Any, Final, NamedTuple, NoReturn

from esdh_core import DEFAULT_SEED, MAX_RECORDS, MAX_SEED
from msgspec import UNSET, Meta, Struct, UnsetType

from esdh_api.errors import InvalidRequestError, UnsupportedCodingError, UnsupportedMediaTypeError

__all__ = [
    "GenerateRequest",
    "Window",
    "check_defects",
    "default_records",
    "fields_known",
    "parse_window",
]

_DEFAULT_RECORDS: Final = 5

_DIGITS = re.compile(r"[0-9]{1,4000}", re.ASCII)  # int() takes 4,300 at the most
_SEED_MESSAGE = "'seed' must be an integer, 'random', or omitted"
_MAX_CHARACTERS = 40  # characters of a value that a message quotes


def _up_to(limit: int) -> str:
    """Return a regular expression for the integers from 0 to a limit, leading zeros allowed."""
    text = str(limit)
    smaller = [
        f"{text[:at]}[0-{int(digit) - 1}][0-9]{{{len(text) - at - 1}}}"
        for at, digit in enumerate(text)
        if digit != "0"
    ]
    return f"0*([0-9]{{1,{len(text) - 1}}}|{'|'.join(smaller)}|{text})"


class GenerateRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What to generate; an empty body is all defaults.

    The schema of a body and the names of its fields: `parse_window` reads one, in the contract's words.
    """

    records: Annotated[int, Meta(ge=1, description="How many records", examples=[3])] = _DEFAULT_RECORDS
    start: Annotated[
        int,
        Meta(
            ge=0,
            le=MAX_RECORDS - 1,
            description=f"The first record; start + records is at most {MAX_RECORDS}",
        ),
    ] = 0
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=MAX_SEED)]
        | Annotated[str, Meta(pattern=f"^(random|{_up_to(MAX_SEED)})$")]
        | UnsetType,
        Meta(
            description=f"The seed, its digits, or 'random' to draw one; {DEFAULT_SEED} unless given",
            examples=[DEFAULT_SEED],
        ),
    ] = UNSET
    randomize: Annotated[bool, Meta(description="Draw a seed at random; a seed beside it is refused")] = False
    defects: Annotated[
        str | UnsetType, Meta(description="The list of defects that is laid over the rows; none unless given")
    ] = UNSET


class Window(NamedTuple):
    """The records that a request asks for, and the list of defects that is laid over them, where it names one."""

    records: int
    start: int
    seed: int
    defects: str | None = None


def default_records(max_records: int) -> int:
    """Return how many records a request gets that doesn't say, where `max_records` is the most."""
    return min(_DEFAULT_RECORDS, max_records)


def fields_known(lists: Collection[str]) -> list[str]:
    """Return the fields of a body; `lists` are the lists of defects, without which no field asks for one."""
    return [name for name in GenerateRequest.__struct_fields__ if lists or name != "defects"]


def parse_window(
    body: bytes, media_type: str, coding: str = "", *, max_records: int, lists: Collection[str] = ()
) -> Window:
    """Return the window that a body asks for; an empty body asks for the defaults.

    `media_type` is the body's, without parameters, `coding` its Content-Encoding, and `lists` are the lists of defects that it
    can ask for. Raises
    UnsupportedMediaTypeError for a body that isn't declared as JSON, UnsupportedCodingError for one that is
    declared as compressed, and InvalidRequestError, `records` first, for one that can't be answered.
    """
    fields: dict[str, Any] = {}
    if body:
        if media_type != "application/json":
            sent = f"as {_quoted(media_type)}" if media_type else "without a Content-Type"
            raise UnsupportedMediaTypeError(f"the body was sent {sent}; send it as application/json")
        if coding.strip().lower() not in ("", "identity"):
            raise UnsupportedCodingError(
                f"the body was sent with Content-Encoding {_quoted(coding)}; send it uncompressed, without one"
            )
        fields = _json_object(body)
    records = _records(fields, max_records)
    known = fields_known(lists)
    for name in fields:
        if name == "defects":
            check_defects(fields[name], lists)
        elif name not in known:
            raise InvalidRequestError(
                f"{_quoted(name)} is no field of a request; known are {', '.join(known)}"
            )
    seed = _seed(fields)
    return Window(records, _start(fields, records), seed, fields.get("defects"))


def check_defects(name: object, lists: Collection[str]) -> None:
    """Raise InvalidRequestError unless a request names one of the lists of defects that there are."""
    if not lists:
        raise InvalidRequestError(
            f"'defects' is {_quoted(name)}, and this dataset is served without any; start the server with --defects FILE"
        )
    if not isinstance(name, str) or name not in lists:
        raise InvalidRequestError(
            f"'defects' is {_quoted(name)}, and there is no list of that name; there are {', '.join(map(_quoted, lists))}"
        )


def _records(fields: dict[str, Any], max_records: int) -> int:
    records = fields.get("records", default_records(max_records))
    if not _is_integer(records) or records < 1:
        raise InvalidRequestError("'records' must be a positive integer")
    if records > max_records:
        raise InvalidRequestError(
            f"'records' must be at most {max_records} a request, not {_quoted(records)}; "
            "ask for further windows with 'start', or take a snapshot"
        )
    return int(records)


def _seed(fields: dict[str, Any]) -> int:
    seed_value = fields.get("seed", UNSET)
    seed = DEFAULT_SEED
    if seed_value == "random":
        seed = secrets.randbelow(MAX_SEED + 1)
    elif _is_integer(seed_value):
        seed = seed_value
    elif isinstance(seed_value, str) and _DIGITS.fullmatch(seed_value):
        seed = int(seed_value)
    elif seed_value is not UNSET:
        raise InvalidRequestError(_SEED_MESSAGE)
    if not 0 <= seed <= MAX_SEED:
        raise InvalidRequestError(
            f"'seed' must be from 0 to {MAX_SEED} (2^53 - 1), not {_quoted(seed_value)}"
        )
    randomize = fields.get("randomize", False)
    if not isinstance(randomize, bool):
        raise InvalidRequestError(f"'randomize' must be true or false, not {_quoted(randomize)}")
    if not randomize:
        return seed
    if seed_value is not UNSET:
        raise InvalidRequestError("'seed' and 'randomize' exclude each other; give one of them")
    return secrets.randbelow(MAX_SEED + 1)


def _start(fields: dict[str, Any], records: int) -> int:
    start = fields.get("start", 0)
    if not _is_integer(start) or start < 0:
        raise InvalidRequestError(f"'start' must be a non-negative integer, not {_quoted(start)}")
    if start + records > MAX_RECORDS:
        raise InvalidRequestError(
            f"'start' + 'records' must be at most {MAX_RECORDS} (2^33); "
            f"{_quoted(start)} + {records} is past the last record"
        )
    return int(start)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds; the standard parser, since it can refuse duplicate keys."""
    encoding = json.detect_encoding(body)  # by a byte order mark, or the zero bytes of wider characters
    if encoding == "utf-8-sig":
        raise InvalidRequestError("the body begins with a byte order mark; send UTF-8 without one")
    if encoding != "utf-8":
        raise InvalidRequestError(f"the body is {encoding[:6].upper()}; send it as UTF-8")
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"the body is not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise InvalidRequestError("the body is nested too deeply; send one flat JSON object") from error
    except json.JSONDecodeError as error:
        raise InvalidRequestError(
            f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from error
    except ValueError as error:  # Python's limit on the digits of an integer
        raise InvalidRequestError("the body holds an integer of thousands of digits") from error
    if not isinstance(value, dict):
        raise InvalidRequestError('the body must be one JSON object, such as {"records": 3}')
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise InvalidRequestError(f"{_quoted(twice)} is given twice; give it once")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise InvalidRequestError(f"the body is not JSON: {name} is no JSON number")


def _quoted(value: object) -> str:
    if isinstance(value, float) and math.isinf(value):  # which JSON, where it was 1e400, doesn't know
        return "a number past 1.7e308"
    text = json.dumps(value) if isinstance(value, (bool, type(None), dict, list)) else repr(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}..."
