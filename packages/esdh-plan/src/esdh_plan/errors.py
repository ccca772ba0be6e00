"""The errors of esdh-plan: one base, and faults that know their place in the file."""

import msgspec

__all__ = ["Fault", "PlanError"]


class Fault(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong with a file: where, and one sentence that says what and what would be right.

    `line` and `column` count from 1, and are 0 where no place is known; `path` is the place in the document,
    such as `tables.accounts.fields.opened_on`.
    """

    line: int
    column: int
    path: str
    reason: str


class PlanError(ValueError):
    """A file that can't be taken, with all its faults in the order of their lines.

    The text has a line for each fault: `bank.yaml, line 12, tables.accounts: <reason>`.
    """

    def __init__(self, file: str, faults: "list[Fault]") -> None:
        self.file = file
        self.faults = sorted(faults)
        super().__init__("\n".join(_line(file, fault) for fault in self.faults))


def _line(file: str, fault: Fault) -> str:
    where = [file, f"line {fault.line}" if fault.line else "", fault.path]
    return f"{', '.join(filter(None, where))}: {fault.reason}"
