"""The file of records that made a test fail once: every run tries them first, so that what was found stays found."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from pytest_esdh.errors import EsdhError

__all__ = ["FILE", "NEW_RECORDS", "Failure", "read_failures", "write_failures"]

FILE: Final = "esdh-failures.txt"
# Of a test in one run: a common fault is met by hundreds of records, and more of them say nothing more.
NEW_RECORDS: Final = 10
_HEAD: Final = "# Records that made a test fail once: pytest-esdh tries them first. Commit this file.\n"


class Failure(NamedTuple):
    """A record, by an id of its, and the node id of the test that it made fail, without parameters."""

    test: str
    id: str


def read_failures(path: Path) -> dict[Failure, int]:
    """Return the failures of a file and their lines, which count from 1; none, where there is no file.

    Raises EsdhError for a line that isn't an id and a node id, or a file that can't be read.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise EsdhError(f"{path.name} can't be read: {error}") from None
    found: dict[Failure, int] = {}
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        text, _, test = line.strip().partition(" ")
        if "::" not in test:
            raise EsdhError(
                f"{path.name}, line {number}: expected an id, a space and a test's node id; found {line.strip()[:80]!r}"
            )
        found.setdefault(Failure(test.strip(), text), number)
    return found


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Write failures, in the order of their tests and ids, in one step: a run that is killed leaves the file whole."""
    lines = [f"{failure.id} {failure.test}\n" for failure in sorted(set(failures))]
    part = path.with_name(f"{path.name}.part")
    part.write_text(_HEAD + "".join(lines), encoding="utf-8", newline="\n")
    part.replace(path)
