"""A user's mistake, and a failure of the disk, as one sentence on stderr."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["sentences"]

_OURS = ("esdh_core", "esdh_manifest", "esdh_export", "esdh_proof")


@contextmanager
def sentences(*, after: str = "nothing was changed") -> Iterator[None]:
    """Turn our libraries' errors and the operating system's into a sentence and exit status 1.

    `after` says how things stand after an error of the operating system.

    An error of any other origin is a bug and keeps its traceback.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        where = f" ({error.filename})" if error.filename else ""
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        remedy = "; free some space or choose another --output-dir" if full else ""
        raise click.ClickException(f"{error.strerror}{where}; {after}{remedy}") from error
    except ValueError as error:
        # By module name, so that printing help imports none of the libraries.
        if type(error).__module__.partition(".")[0] not in _OURS:
            raise
        raise click.ClickException(str(error)) from error
