"""Database URIs: which database, how its driver is called, and the form without a password that messages have."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from esdh_load.errors import UriError

__all__ = ["KINDS", "DatabaseUri", "parse_uri"]

KINDS = {
    "postgresql": "postgresql://USER@HOST/DATABASE",
    "sqlite": "sqlite:///FILE",
    "duckdb": "duckdb:///FILE",
}
"""The databases that there are, each with the form of its URI."""

_ALIASES = {"postgres": "postgresql", "sqlite3": "sqlite"}
_MASK = "***"
_SECRETS = ("password", "sslpassword")  # what libpq takes as a parameter of a URI, and nobody else may read


@dataclass(frozen=True)
class DatabaseUri:
    """A database: its kind, what its driver connects by, and the form that people and logs see.

    `connection` is the whole URI for PostgreSQL, passwords and all, and never printed; of the others the path.
    """

    kind: str
    connection: str = field(repr=False)
    display: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def path(self) -> Path | None:
        """The file of a database that is one."""
        return None if self.kind == "postgresql" else Path(self.connection)

    def mask(self, text: str) -> str:
        """Return a text without the URI's passwords, whoever wrote it."""
        for secret in self.secrets:
            text = text.replace(secret, _MASK)
        return text

    def __str__(self) -> str:
        return self.display


def parse_uri(uri: str) -> DatabaseUri:
    """Return the database that a URI names.

    PostgreSQL takes what `psql` takes: `postgresql://user@host:port/database?sslmode=...`, `postgresql://` alone,
    `postgresql:///?service=name`; what is left out comes from the environment, the password file and the service
    file. `sqlite:///file.db` is relative to the working folder, `sqlite:////file.db` absolute; `duckdb` likewise.

    Raises UriError for a URI of another kind, or one that can't be read; no part of it that may be a password is
    in the message.

    >>> parse_uri("postgresql://qa:secret@localhost/bank").display
    'postgresql://qa:***@localhost/bank'
    >>> parse_uri("sqlite:////tmp/qa.db").path
    PosixPath('/tmp/qa.db')
    """
    scheme, found, rest = uri.partition("://")
    kind = _ALIASES.get(scheme.lower(), scheme.lower())
    if not found or kind not in KINDS:
        raise UriError(_unknown(scheme if found else None))
    return _server(kind, rest) if kind == "postgresql" else _file(kind, rest)


def _unknown(scheme: str | None) -> str:
    forms = " ".join(KINDS.values())
    if scheme is None:
        return f"that is no URI of a database; there are {forms}"
    base = _ALIASES.get(scheme.partition("+")[0].lower(), scheme.partition("+")[0].lower())
    if base in KINDS:  # SQLAlchemy's form, which names a driver
        return f"{scheme}:// names a driver, which there is no choice of; write {base}://"
    return f"{scheme[:40]!r} is no database that can be loaded; there are {forms}"


def _server(kind: str, rest: str) -> DatabaseUri:
    """Return a server's URI, read as libpq reads it: the user and password end at the first `@` before any `/`."""
    authority, slash, after = rest.partition("/")
    if "@" not in authority and "@" in rest.partition("?")[0]:
        raise _ambiguous()
    user, at, hosts = authority.rpartition("@")
    if "@" in user:
        raise _ambiguous()
    path, mark, query = after.partition("?")
    if not slash:
        hosts, mark, query = hosts.partition("?")
    name, colon, password = user.partition(":")
    secrets = [password] if password else []
    options = query.split("&") if query else []
    for number, option in enumerate(options):
        key, _, value = option.partition("=")
        if key.lower() in _SECRETS and value:
            secrets.append(value)
            options[number] = f"{key}={_MASK}"
    shown_user = f"{name}:{_MASK}" if colon and password else name
    display = f"{kind}://{shown_user}{at}{hosts}{slash}{path}{mark}{'&'.join(options)}"
    every = {form for secret in secrets for form in (secret, unquote(secret))}
    return DatabaseUri(
        kind, f"{kind}://{rest}", display, tuple(sorted(every, key=lambda each: (-len(each), each)))
    )


def _ambiguous() -> UriError:
    return UriError(
        "the URI has an @ that is in no place for one; within a user's name or a password write %40 for @, %2F for / "
        "and %3A for :"
    )


def _file(kind: str, rest: str) -> DatabaseUri:
    form = KINDS[kind]
    if not rest.startswith("/"):
        raise UriError(
            f"{kind}://{rest} has no file; write {form} for one in this folder, {form.replace('FILE', '/FILE')} "
            "for one from the root"
        )
    path = rest[1:]
    if path in ("", ":memory:"):
        raise UriError(f"a {kind} database in memory ends with this command; write {form}")
    if "?" in path and not Path(path).exists():
        raise UriError(f"{kind}://{rest} has options, and a file takes none; write {form}")
    if path.endswith("/") or re.search(r"[\0\n\r]", path):
        raise UriError(f"{kind}://{rest!r} names no file; write {form}")
    return DatabaseUri(kind, path, f"{kind}:///{path}")
