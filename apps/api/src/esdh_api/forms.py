"""The forms of an answer: JSON, or an entity's rows as NDJSON or CSV, the bytes of a snapshot's files."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from esdh_core.rules import Entity
from msgspec import Struct
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_list_header

from esdh_api.errors import NotAcceptableError

__all__ = ["JSON", "ROW_FORMS", "RowForm", "choose"]

JSON = "application/json"
# NDJSON has no registered type: these are the ones in use. The first is the one that messages name.
_NDJSON, *_NDJSON_ALIASES = (
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/jsonlines",
    "application/x-jsonlines",
)
_WEIGHT = re.compile(r"\s*q\s*=\s*\"?([0-9]*\.?[0-9]+|[0-9]+\.)\"?\s*", re.ASCII | re.IGNORECASE)
_encoder = msgspec.json.Encoder()


class RowForm(NamedTuple):
    """A form of an entity's rows: its Content-Type, and how they are written."""

    content_type: str
    render: Callable[[Entity, Sequence[Struct]], bytes]


def _ndjson(entity: Entity, rows: Sequence[Struct]) -> bytes:  # noqa: ARG001 - the same in every form
    return _encoder.encode_lines(rows)


def _csv(entity: Entity, rows: Sequence[Struct]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(entity.fields)
    writer.writerows(map(msgspec.structs.astuple, rows))
    return text.getvalue().encode()


ROW_FORMS: dict[str, RowForm] = {
    _NDJSON: RowForm(_NDJSON, _ndjson),
    "text/csv": RowForm("text/csv; charset=utf-8", _csv),
    # A client that asks for an alias gets the same bytes under the name that it knows.
    **{alias: RowForm(alias, _ndjson) for alias in _NDJSON_ALIASES},
}


def choose(accept: str, *offered: str) -> str:
    """Return the media type that an Accept header likes best of those offered; the first, where it has no wish.

    Raises NotAcceptableError where it takes none of them.
    """
    wishes = MIMEAccept(_wishes(accept))
    if not wishes:
        return offered[0]
    # `quality` is that of the most specific match: `best_match` alone would pass over a `q=0`.
    best = wishes.best_match([each for each in offered if wishes.quality(each) > 0])
    if best is None:
        named = [each for each in offered if each not in _NDJSON_ALIASES]
        raise NotAcceptableError(
            f"this path gives {' or '.join(named)}, none of which your Accept header takes"
        )
    return best


def _wishes(accept: str) -> Iterator[tuple[str, float]]:
    """Yield the media ranges of an Accept header with their weights, read as leniently as clients write it.

    Werkzeug's own reading leaves out `*` and `q=.2`, which Java's HttpURLConnection sends, and matches
    parameters literally, where clients write `application/json; charset=utf-8`: here they say nothing. A
    weight that is no number says nothing either, and one past 1 is 1.
    """
    for member in parse_list_header(accept):
        media_range, *parameters = (part.strip() for part in member.split(";"))
        if media_range:
            weights = [float(found[1]) for each in parameters if (found := _WEIGHT.fullmatch(each))]
            yield "*/*" if media_range == "*" else media_range, min([*weights[:1], 1.0])
