"""A user's mistake, a failure of the disk and an interrupt, as one sentence on stderr."""

import errno
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from esdh_cli.signals import Terminated

__all__ = ["exit_on_error", "is_ours", "is_plan_error", "mask_passwords"]

_OURS = ("esdh_core", "esdh_manifest", "esdh_export", "esdh_load", "esdh_plan", "esdh_proof")


class _Interrupted(click.ClickException):
    """Work that Ctrl-C stopped, with the exit status that shells give such a process."""

    exit_code = 128 + signal.SIGINT


class _Terminated(_Interrupted):
    """Work that SIGTERM stopped."""

    exit_code = 128 + signal.SIGTERM


class _WrongPlan(click.ClickException):
    """A plan that is wrong: a line for each fault, which begins with the file, as editors and people look for it."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the faults as they are."""
        click.echo(self.format_message(), err=file is None, file=file)


def is_ours(error: BaseException) -> bool:
    """Return whether one of our libraries raised an error; by module name, so that help imports none of them."""
    return isinstance(error, ValueError) and type(error).__module__.partition(".")[0] in _OURS


def is_plan_error(error: BaseException) -> bool:
    """Return whether an error says what is wrong with a plan; by name, as in `is_ours`."""
    return is_ours(error) and type(error).__name__ == "PlanError"


def _noted(error: BaseException, sentence: str) -> str:
    """Return a sentence with what the libraries have noted on the error."""
    return mask_passwords("; ".join([sentence, *getattr(error, "__notes__", [])]))


def mask_passwords(text: str) -> str:
    """Return a text without the passwords of the URIs in it, wherever an argument with one came to stand.

    >>> mask_passwords("no such file 'postgresql://qa:secret@localhost/qa'")
    "no such file 'postgresql://qa:***@localhost/qa'"
    """
    return re.sub(r"(:/{1,2}[^\s:/@]*):\S*@", r"\1:***@", text)  # one slash, where a path was made of it


@contextmanager
def exit_on_error(*, after: str = "nothing was changed") -> Iterator[None]:
    """Turn our libraries' errors and the operating system's into a sentence and exit status 1; of a plan's faults, 2.

    An interrupt is a sentence too, with exit status 130 (Ctrl-C) or 143 (SIGTERM). `after` says how things
    stand after an interrupt or an error of the operating system.

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
        raise click.ClickException(_noted(error, f"{error.strerror}{where}; {after}{remedy}")) from error
    except ValueError as error:
        if not is_ours(error):
            raise
        wrong = _WrongPlan if is_plan_error(error) else click.ClickException
        raise wrong(_noted(error, str(error))) from error
    except KeyboardInterrupt as error:
        stopped = _Terminated if isinstance(error, Terminated) else _Interrupted
        raise stopped(_noted(error, f"interrupted; {after}")) from error
