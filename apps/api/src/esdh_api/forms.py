"""The forms of an answer: JSON, or an entity's rows as NDJSON or CSV, the bytes of a snapshot's files."""

import csv
import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
from esdh_core.rules import Entity
from msgspec import Struct
from werkzeug.datastructures import MIMEAccept

from esdh_api.errors import NotAcceptableError

__all__ = ["JSON", "ROW_FORMS", "RowForm", "choose"]

JSON = "application/json"
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
    "application/x-ndjson": RowForm("application/x-ndjson", _ndjson),
    "text/csv": RowForm("text/csv; charset=utf-8", _csv),
}


def choose(accept: MIMEAccept, *offered: str) -> str:
    """Return the media type that a client likes best of those offered; the first, where it has no wish.

    Raises NotAcceptableError where it accepts none of them.
    """
    if not accept:
        return offered[0]
    # Werkzeug matches parameters literally, and clients write `application/json; charset=utf-8`.
    wishes = MIMEAccept([(wish.partition(";")[0].strip(), quality) for wish, quality in accept])
    # `quality` is that of the most specific match: `best_match` alone would pass over a `q=0`.
    best = wishes.best_match([each for each in offered if wishes.quality(each) > 0])
    if best is None:
        raise NotAcceptableError(
            f"this path gives {' or '.join(offered)}, none of which your Accept header takes"
        )
    return best
