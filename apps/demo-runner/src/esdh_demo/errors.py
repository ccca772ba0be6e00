"""The error of the demo runner: what went wrong, and what to do about it."""

__all__ = ["DemoError"]


class DemoError(Exception):
    """A failure that an operator can understand: `what` went wrong (one sentence or more), and the `remedy`."""

    def __init__(self, what: str, *, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy
