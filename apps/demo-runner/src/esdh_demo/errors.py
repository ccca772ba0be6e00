"""The error of the demo runner: what went wrong, and what to do about it."""

import errno
from collections.abc import Callable
from pathlib import Path

__all__ = ["DemoError", "explain"]

_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
_ELSEWHERE = "or name another folder with --runs"


class DemoError(Exception):
    """A failure that an operator can understand: `what` went wrong (one sentence or more), and the `remedy`."""

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


def explain(error: BaseException, display: Callable[[Path], str]) -> DemoError:
    """Return an error as an operator can understand it; one that nobody foresaw is named by its type.

    `display` gives a path as the operator knows it.
    """
    if isinstance(error, DemoError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return DemoError("interrupted", remedy="")
    if not isinstance(error, OSError):
        return DemoError(f"{type(error).__name__}: {error}", remedy="this is a bug of the demo; report it")
    where = f" ({display(Path(error.filename))})" if isinstance(error.filename, str) else ""
    if error.errno in _FULL:
        return DemoError(f"the disk is full{where}", remedy=f"free some space, {_ELSEWHERE}")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        what = f"a file stands where a folder must be{where}"
        return DemoError(what, remedy=f"move it away, {_ELSEWHERE}")
    remedy = "see `just doctor`"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        remedy = f"mend the permissions, {_ELSEWHERE}"
    return DemoError(f"{error.strerror or error}{where}", remedy=remedy)
