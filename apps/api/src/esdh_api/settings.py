"""What an operator sets, read from the environment and checked before anything starts."""

import os
import re
from collections.abc import Mapping

import click
import msgspec
from esdh_core import MAX_RECORDS

__all__ = [
    "DEFAULT_CACHE_MB",
    "DEFAULT_MAX_RECORDS",
    "DEFAULT_MAX_ROWS",
    "MAX_BODY_BYTES",
    "Settings",
    "SettingsError",
]

DEFAULT_MAX_RECORDS = 1_000
DEFAULT_MAX_ROWS = 10_000
DEFAULT_CACHE_MB = 64
MAX_BODY_BYTES = 64 * 1024
_MOST_CACHE_MB = 1_000_000
_KEY = "ESDH_API_KEY"
_LIMIT = "ESDH_MAX_RECORDS"
_ROWS = "ESDH_MAX_ROWS"
_CACHE = "ESDH_CACHE_MB"
_PLANS = "ESDH_PLAN"
_DEFECTS = "ESDH_DEFECTS"
_BOUNDS = {_LIMIT: (1, MAX_RECORDS), _ROWS: (1, MAX_RECORDS), _CACHE: (0, _MOST_CACHE_MB)}
_INTEGER = re.compile(r"[0-9]{1,10}", re.ASCII)


class SettingsError(click.ClickException):
    """A setting that the app can't start with.

    One of click's errors, so that `python -m esdh_api` and `flask run` both print its sentence alone.
    """

    exit_code = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The app's settings: the key that guards generated data (None: open), what one request can ask for, the plans.

    `max_rows` bounds the rows of an answer of a plan, where a record may have any number; `plans` are references
    to the datasets that are served, none for the default one alone, and `defects` to the lists of defects that requests can ask
    for, as `--defects` of the command takes them. `cache_mb` bounds, in millions of bytes, the rows
    of earlier requests that are kept for the next; 0 keeps none.
    """

    api_key: str | None = None
    max_records: int = DEFAULT_MAX_RECORDS
    max_rows: int = DEFAULT_MAX_ROWS
    cache_mb: int = DEFAULT_CACHE_MB
    plans: tuple[str, ...] = ()
    defects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise SettingsError for a value that can't work; the message never has the key."""
        if self.api_key is not None:
            if not self.api_key:
                raise SettingsError(
                    f"{_KEY} is set but empty; give it a value, or unset it to serve without a key"
                )
            if self.api_key != self.api_key.strip() or re.search(r"[\x00-\x1f\x7f]", self.api_key):
                raise SettingsError(
                    f"{_KEY} has white space around it or a control character in it, which no HTTP header "
                    "carries; take it out"
                )
        for name, limit in zip(_BOUNDS, (self.max_records, self.max_rows, self.cache_mb), strict=True):
            least, most = _BOUNDS[name]
            if not least <= limit <= most:
                raise SettingsError(_limit_sentence(name, str(limit)))

    def __repr__(self) -> str:
        """Return the settings without the key."""
        return f"Settings(api_key={'set' if self.api_key else None}, max_records={self.max_records})"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings that ESDH_API_KEY, ESDH_MAX_RECORDS, ESDH_MAX_ROWS, ESDH_CACHE_MB, ESDH_PLAN, ESDH_DEFECTS make.

        Raises SettingsError for a key that is set but empty and a limit that is no integer that can be.
        """
        return cls(
            api_key=environ.get(_KEY),
            max_records=_limit(environ, _LIMIT, DEFAULT_MAX_RECORDS),
            max_rows=_limit(environ, _ROWS, DEFAULT_MAX_ROWS),
            cache_mb=_limit(environ, _CACHE, DEFAULT_CACHE_MB),
            plans=_several(environ, _PLANS),
            defects=_several(environ, _DEFECTS),
        )


def _several(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, environ.get(name, "").split(os.pathsep)))


def _limit(environ: Mapping[str, str], name: str, default: int) -> int:
    limit = environ.get(name, str(default))
    if _INTEGER.fullmatch(limit) is None:
        raise SettingsError(_limit_sentence(name, limit))
    return int(limit)


def _limit_sentence(name: str, value: str) -> str:
    excerpt = value if len(value) <= 60 else f"{value[:50]}..."
    least, most = _BOUNDS[name]
    return f"{name} is {excerpt!r}, not an integer from {least} to {most} in ASCII digits"
