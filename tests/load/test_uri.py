"""Database URIs: what is connected to, and what people see of it."""

from pathlib import Path

import pytest
from esdh_load import UriError, parse_uri

SECRETS = [
    ("postgresql://qa:secret@localhost/qa", "postgresql://qa:***@localhost/qa"),
    ("postgres://qa:secret@localhost", "postgresql://qa:***@localhost"),
    ("postgresql://qa@localhost/qa?password=secret&sslmode=require", "postgresql://qa@localhost/qa?password=***&sslmode=require"),
    ("postgresql://:secret@/qa", "postgresql://:***@/qa"),
    ("postgresql://a:secret@one:1,two:2/qa?sslpassword=secret", "postgresql://a:***@one:1,two:2/qa?sslpassword=***"),
]  # fmt: skip


@pytest.mark.parametrize(("uri", "display"), SECRETS)
def test_password_is_not_displayed(uri: str, display: str) -> None:
    """No password of a URI is in the form that people see, nor in the object's own representation."""
    parsed = parse_uri(uri)
    assert display == parsed.display == str(parsed)
    assert "secret" not in repr(parsed)
    assert uri.partition("://")[2] == parsed.connection.partition("://")[2]


def test_password_is_masked_as_it_is_and_as_it_is_written() -> None:
    """A message that repeats a password, escaped or not, loses it."""
    parsed = parse_uri("postgresql://qa:a%2Fb@localhost/qa")
    assert "*** and ***" == parsed.mask("a/b and a%2Fb")


@pytest.mark.parametrize(
    "uri", ["postgresql://", "postgresql:///qa?service=qa", "postgresql://[::1]:5433/qa"]
)
def test_what_is_left_out_is_left_to_libpq(uri: str) -> None:
    """A PostgreSQL URI without a password is handed on, and displayed, as it is."""
    assert (uri, uri) == (parse_uri(uri).connection, parse_uri(uri).display)


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_file_is_relative_or_absolute(kind: str) -> None:
    """Three slashes begin a path from the working folder, four one from the root, as SQLAlchemy has it."""
    assert Path("qa.db") == parse_uri(f"{kind}:///qa.db").path
    assert Path("/var/qa.db") == parse_uri(f"{kind}:////var/qa.db").path


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("qa.db", "that is no URI of a database; there are postgresql://USER@HOST/DATABASE sqlite:///FILE duckdb:///FILE"),
        ("mysql://qa@localhost/qa", "'mysql' is no database that can be loaded; there are postgresql://USER@HOST/DATABASE"),
        ("postgresql+psycopg2://qa@localhost", "names a driver, which there is no choice of; write postgresql://"),
        ("sqlite://qa.db", "write sqlite:///FILE for one in this folder, sqlite:////FILE for one from the root"),
        ("sqlite:///:memory:", "a sqlite database in memory ends with this command; write sqlite:///FILE"),
        ("duckdb:///", "a duckdb database in memory ends with this command; write duckdb:///FILE"),
        ("sqlite:///qa.db?mode=ro", "has options, and a file takes none; write sqlite:///FILE"),
        ("sqlite:///folder/", "names no file; write sqlite:///FILE"),
    ],
)  # fmt: skip
def test_other_uri_is_refused_with_what_there_is(uri: str, reason: str) -> None:
    """A URI that can't be loaded is refused in one sentence with the form that can be."""
    with pytest.raises(UriError) as caught:
        parse_uri(uri)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "uri", ["postgresql://qa:se/cret@localhost/qa", "postgresql://qa:se@cret@localhost/qa"]
)
def test_password_that_must_be_escaped_is_not_repeated(uri: str) -> None:
    """A password with a sign that ends it elsewhere is refused without a part of it, with how to write it."""
    with pytest.raises(UriError, match="write %40 for @") as caught:
        parse_uri(uri)
    assert "cret" not in str(caught.value)
