"""The demo's configuration: `config/demo.yaml` as Structs, decoded strictly, each refusal with its place."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
import yaml
from esdh_core import MAX_RECORDS, MAX_SEED
from msgspec import Meta

from esdh_demo.errors import DemoError

__all__ = ["Config", "ConfigError", "Format", "Profile", "Runs", "Server", "read_config"]

Format = Literal["csv", "json", "ndjson", "parquet"]
_Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_PROFILE_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}", re.ASCII)  # it becomes part of a folder's name


class ConfigError(DemoError):
    """A configuration that can't be taken: `what` names the file, the line, the path in it and the reason."""


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of the file, which takes the keys it knows and no other."""


class Server(_Strict, frozen=True):
    """The server that a run starts: its port (0: a free one), and seconds to start and to stop."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    start_seconds: _Seconds = 20
    stop_seconds: _Seconds = 10


class Runs(_Strict, frozen=True):
    """The runs: how many are kept, and the seconds that one command may take."""

    keep: Annotated[int, Meta(ge=1, le=1_000)] = 5
    step_seconds: _Seconds = 300


class Profile(_Strict, frozen=True):
    """What a run generates; `seed` is an integer, or `random` to have one drawn and recorded."""

    description: Annotated[str, Meta(min_length=1)]
    records: Annotated[int, Meta(ge=1, le=MAX_RECORDS)]
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)] | Literal["random"]
    formats: Annotated[list[Format], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Refuse what a run can't do with formats that are good on their own."""
        if len(set(self.formats)) < len(self.formats):
            raise ValueError(f"a format is given twice in `{', '.join(self.formats)}`")
        if self.formats == ["parquet"]:
            raise ValueError("parquet alone can't be compared with the API; add csv, json or ndjson")


class Config(msgspec.Struct, frozen=True):
    """The whole file."""

    server: Server
    runs: Runs
    profiles: dict[str, Profile]

    def profile(self, name: str) -> Profile:
        """Return a profile by its name.

        Raises DemoError, with the near match, for one that the file doesn't have.
        """
        if name not in self.profiles:
            raise DemoError(
                f"{name!r} is no profile{_near(name, self.profiles)}",
                remedy=f"the profiles are {', '.join(self.profiles)} (config/demo.yaml)",
            )
        return self.profiles[name]


S = TypeVar("S", bound=_Strict)
_SECTIONS = ("server", "runs", "profiles")
_WHERE = re.compile(r"(?P<reason>.*?)(?: - at `\$?(?P<path>[^`]*)`)?", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)


def read_config(path: Path, *, shown: str) -> Config:
    """Return the configuration in a file; `shown` is how messages name the file.

    Raises ConfigError for a file that can't be read, is no YAML, gives a key twice, or has a key, a type or
    a value that can't be.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(
            f"{shown} can't be read: {reason}", remedy="put it back from the repository"
        ) from error
    return _Reader(text, shown).config()


class _Reader:
    """Decodes one text, and knows the line of everything in it."""

    def __init__(self, text: str, shown: str) -> None:
        self._shown = shown
        try:
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)
            self._lines = dict(self._walk(self._root, "")) if self._root else {}
            self._content = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f", line {mark.line + 1}" if mark else ""
            raise ConfigError(
                f"{shown}{where}: not YAML: {error.problem}", remedy="mend the line or put the file back"
            ) from error
        except (
            yaml.YAMLError,
            ValueError,
            RecursionError,
        ) as error:  # a control character; 2024-13-45; ((((...
            raise ConfigError(f"{shown}: not YAML: {error}", remedy="mend it or put the file back") from error

    def config(self) -> Config:
        """Return the configuration."""
        top = self._mapping(self._content, "")
        for name in top:
            if name not in _SECTIONS:
                raise self._error(str(name), f"unknown key {name!r}{_near(name, _SECTIONS)}")
        profiles = self._mapping(top.get("profiles"), "profiles")
        if not profiles:
            raise self._error("profiles", "there is no profile; at least one is needed")
        for name in profiles:
            if not isinstance(name, str) or _PROFILE_NAME.fullmatch(name) is None:
                raise self._error(
                    f"profiles.{name}",
                    f"{name!r} is no name for a profile: lower-case letters, digits and hyphens, at most 31",
                )
        return Config(
            server=self._section(top.get("server", {}), Server, "server"),
            runs=self._section(top.get("runs", {}), Runs, "runs"),
            profiles={
                name: self._section(profile, Profile, f"profiles.{name}")
                for name, profile in profiles.items()
            },
        )

    def _mapping(self, content: object, path: str) -> dict[Any, Any]:
        if not isinstance(content, dict):
            found = "nothing" if content is None else f"`{content}`"
            raise self._error(path, f"expected keys and values, found {found}")
        return content

    def _section(self, content: object, kind: type[S], path: str) -> S:
        try:
            return msgspec.convert(self._mapping(content, path), kind, strict=True)
        except msgspec.ValidationError as error:
            match = _WHERE.fullmatch(str(error))
            reason, inner = (match["reason"], match["path"] or "") if match else (str(error), "")
            if unknown := _UNKNOWN_FIELD.fullmatch(reason):
                name = unknown["name"]
                raise self._error(
                    f"{path}.{name}", f"unknown key {name!r}{_near(name, kind.__struct_fields__)}"
                ) from error
            if missing := _MISSING_FIELD.fullmatch(reason):
                raise self._error(path, f"the key {missing['name']!r} is missing") from error
            whole = error.__cause__ is not None  # a rule about the section, which says all there is to say
            told = reason if whole else self._told(path + inner, reason)
            raise self._error(path + inner, told) from error

    def _told(self, path: str, reason: str) -> str:
        """Return msgspec's reason with the value that was found, and the near match of an enumeration."""
        value = self._content
        for part in re.findall(r"[^.\[\]]+", path):
            value = value[int(part)] if isinstance(value, list) else value[part]
        sentence = reason[0].lower() + reason[1:]
        if path.endswith(".seed"):
            sentence = f"expected an integer from 0 to {MAX_SEED} or `random`"
        elif "enum" in reason:
            known = get_args(Format)
            sentence = f"expected one of {', '.join(known)}{_near(value, known)}"
        return f"{sentence}; found {value!r}"

    def _error(self, path: str, reason: str) -> ConfigError:
        line = self._lines.get(path)
        where = ", ".join(filter(None, [self._shown, f"line {line}" if line else "", path]))
        return ConfigError(
            f"{where}: {reason}", remedy="mend it there; docs/DEMO_READINESS.md tells every key"
        )

    def _walk(self, node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
        """Yield each path with its line; raise ConfigError for a key that is given twice."""
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                line, name = key.start_mark.line + 1, str(key.value)
                inner = f"{path}.{name}" if path else name
                if name in seen:
                    raise ConfigError(
                        f"{self._shown}, line {line}, {inner}: the key is given twice, first in line {seen[name]}",
                        remedy="take one of them out",
                    )
                seen[name] = line
                yield inner, line
                yield from self._walk(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                yield f"{path}[{number}]", value.start_mark.line + 1
                yield from self._walk(value, f"{path}[{number}]")


def _near(name: object, known: Any) -> str:
    near = difflib.get_close_matches(str(name).lower(), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
