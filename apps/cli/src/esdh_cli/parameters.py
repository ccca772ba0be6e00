"""Options that click lacks: integers as the contract writes them, several values after one flag, and `~` in paths."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

__all__ = ["WORKERS", "IntegerText", "LocalPath", "ManyValuesCommand", "OneOf", "Words"]

_DIGITS = re.compile(r"[0-9]+", re.ASCII)


class IntegerText(click.ParamType[int]):
    """An integer in ASCII digits, from `low` to `high` (`shown` is how the message writes that limit)."""

    name = "integer"

    def __init__(self, low: int, high: int, label: str) -> None:
        self._low = low
        self._high = high
        self._label = label

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the integer; `int` alone would take `1_000`, spaces and other scripts' digits."""
        text = str(value)
        digits = text.lstrip("0") or "0"
        # 20 digits are past every limit; int() of a very long text would raise on its own.
        if _DIGITS.fullmatch(text) is None or len(digits) > 20 or not self._low <= int(digits) <= self._high:
            quoted = text if len(text) <= 60 else f"{text[:50]}... ({len(text)} characters)"
            self.fail(
                f"{quoted!r} is not an integer from {self._low} to {self._label}, in ASCII digits", param, ctx
            )
        return int(digits)


class LocalPath(click.Path):
    """A path that may begin with `~` or `~user`: a shell leaves it as it is in `--option=~/x`, and within quotes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path with its home folder; a user whom nobody knows is refused."""
        path = os.fspath(value)
        expanded = os.path.expanduser(path)  # noqa: PTH111 - Path drops a `./`, which keeps a `~` what it is
        if os.fsdecode(expanded).startswith("~"):
            self.fail(
                f"{path!r} begins with the home folder of no known user; write './' before a folder of that name",
                param,
                ctx,
            )
        return super().convert(expanded, param, ctx)


class Words(click.ParamType[tuple[str, ...]]):
    """Words with commas between; which there are is known later."""

    name = "name"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,  # noqa: ARG002 - as every type's
        ctx: click.Context | None,  # noqa: ARG002 - as every type's
    ) -> tuple[str, ...]:
        """Return the words."""
        return value if isinstance(value, tuple) else tuple(word.strip() for word in str(value).split(","))


class OneOf(click.ParamType[tuple[str, ...]]):
    """Words out of a list, or several with commas between; each maps to the value that is meant.

    `others` maps what other programs call a word to what is called so here: a hint, never taken.
    """

    name = "name"

    def __init__(self, values: Mapping[str, str], *, others: Mapping[str, str] = {}) -> None:
        self._values = values
        self._others = others

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the values meant; a word that isn't known is refused with the nearest that is."""
        words = Words().convert(value, param, ctx)
        for word in words:
            if word not in self._values:
                near = self._nearest(word.lower())
                hint = f"; did you mean {near!r}?" if near else ""
                self.fail(
                    f"{word!r} is not one of {', '.join(dict.fromkeys(self._values.values()))}{hint}",
                    param,
                    ctx,
                )
        return tuple(self._values[word] for word in words)

    def _nearest(self, word: str) -> str | None:
        import difflib

        near = difflib.get_close_matches(word, [*self._values, *self._others], n=1)
        return self._others.get(near[0], near[0]) if near else None


class ManyValuesCommand(click.Command):
    """A command without positional arguments whose `multiple` options take several values after one flag."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat a flag before each further value, which is what click understands."""
        flags = {flag for p in self.params if isinstance(p, click.Option) and p.multiple for flag in p.opts}
        return super().parse_args(ctx, list(_repeat(args, flags)))


def _repeat(args: Sequence[str], flags: set[str]) -> list[str]:
    out: list[str] = []
    flag, filled = "", False  # the flag whose values are being read, and whether it has had one
    for arg in args:
        if arg.startswith("-"):
            name, equals, _ = arg.partition("=")
            flag, filled = (name if name in flags else ""), bool(equals)
        elif flag:
            joined = out[-1].endswith(",") or arg.startswith(",")  # `csv, json`, as people write lists
            if filled and joined:
                out[-1] += arg
                continue
            if filled:
                out.append(flag)
            filled = True
        out.append(arg)
    return out


_MAX_WORKERS = 1024
WORKERS = IntegerText(1, _MAX_WORKERS, str(_MAX_WORKERS))
"""The option `--workers`: a number of processes."""
