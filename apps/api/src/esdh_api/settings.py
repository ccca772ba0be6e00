"""What an operator sets, read from the environment and checked before anything starts."""

import os
import re
from collections.abc import Mapping

import click
import msgspec
from esdh_core import MAX_RECORDS

__all__ = ["DEFAULT_MAX_RECORDS", "MAX_BODY_BYTES", "Settings", "SettingsError"]

DEFAULT_MAX_RECORDS = 1_000
MAX_BODY_BYTES = 64 * 1024
_KEY = "ESDH_API_KEY"
_LIMIT = "ESDH_MAX_RECORDS"
_INTEGER = re.compile(r"[0-9]{1,10}", re.ASCII)


class SettingsError(click.ClickException):
    """A setting that the app can't start with.

    One of click's errors, so that `python -m esdh_api` and `flask run` both print its sentence alone.
    """

    exit_code = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The app's settings: the key that guards generated data (None: open), and the most records a request."""

    api_key: str | None = None
    max_records: int = DEFAULT_MAX_RECORDS

    def __post_init__(self) -> None:
        """Raise SettingsError for a value that can't work; the key itself is never told."""
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
        if not 1 <= self.max_records <= MAX_RECORDS:
            raise SettingsError(_limit_sentence(str(self.max_records)))

    def __repr__(self) -> str:
        """Return the settings without the key."""
        return f"Settings(api_key={'set' if self.api_key else None}, max_records={self.max_records})"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Return the settings that ESDH_API_KEY and ESDH_MAX_RECORDS make.

        Raises SettingsError for a key that is set but empty and a limit that is no integer from 1.
        """
        limit = environ.get(_LIMIT, str(DEFAULT_MAX_RECORDS))
        if _INTEGER.fullmatch(limit) is None:
            raise SettingsError(_limit_sentence(limit))
        return cls(api_key=environ.get(_KEY), max_records=int(limit))


def _limit_sentence(value: str) -> str:
    shown = value if len(value) <= 60 else f"{value[:50]}..."
    return f"{_LIMIT} is {shown!r}, not an integer from 1 to {MAX_RECORDS} in ASCII digits"
