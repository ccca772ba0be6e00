"""Strict YAML: text to plain values that know their places, and from there to Structs, with every fault reported.

The syntax is YAML 1.2 with the core schema, less what a plan has no use for and an attacker has: tags,
anchors, aliases, merge keys, directives, several documents. Numbers are exact (`int` and `Decimal`), dates stay
text. The values are built from the parser's events, without recursion, so that what is refused is refused
before anything is made of it.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path as FilePath
from types import NoneType
from typing import Any, Final, Literal, NamedTuple, TypeVar, Union

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from esdh_plan.errors import (
    MAX_FAULTS,
    Fault,
    PlanError,
    display,
    near,
    nearest,
    printed,
    suggestion,
    word_list,
)
from esdh_plan.kinds import Kind, fields_of, kind_of

__all__ = [
    "INVALID",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_LINE",
    "MAX_NODES",
    "Converter",
    "Document",
    "Hook",
    "Path",
    "Place",
    "convert",
    "read_bytes",
    "read_draft",
    "read_yaml",
    "read_yaml_file",
]

MAX_BYTES: Final = 1 << 19
MAX_LINE: Final = 10_000
"""Characters of a line; the scanner takes time by the square of a tag's length."""
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
"""Keys, values, lists and mappings of a file."""

_MAX_DIGITS = 64  # characters of a number, and the power of ten that it may reach

Path = tuple[str | int | None, ...]
"""Where a value is: the keys (text, whole numbers, booleans, null) and the indices of lists from the top."""


class Place(NamedTuple):
    """A place in the text, counted from 1."""

    line: int
    column: int


class Document(NamedTuple):
    """The values of a file, and the place of each.

    `places` has the place of every value, `key_places` that of the key of every value in a mapping. Of a draft,
    `faults` are those of its values and keys, and `refused` the paths where they are: INVALID stands there.
    """

    file: str
    content: Any
    places: dict[Path, Place]
    key_places: dict[Path, Place]
    faults: tuple[Fault, ...] = ()
    refused: frozenset[Path] = frozenset()

    def fault(self, path: Path, reason: str, *, key: bool = False) -> Fault:
        """Return a fault at a path, or at what holds it where the file doesn't have the path.

        Its place is that of the value, and of the key if `key` is true or the value is a list or a mapping,
        which begins at its key for the reader's eye.
        """
        while path and path not in self.places:
            path = path[:-1]
        place = self.places.get(path, Place(0, 0))
        words, value = self._walk(path)
        if key or isinstance(value, list | dict) or value is None:
            place = self.key_places.get(path, place)
        return Fault(*place, words, reason)

    def words(self, path: Path) -> str:
        """Return a path as messages write it: `tables.accounts.fields.status.case[0]`."""
        return self._walk(path)[0]

    def _walk(self, path: Path) -> tuple[str, Any]:
        words, value = "", self.content
        for part in path:
            if isinstance(value, list) and type(part) is int:
                words += f"[{part}]"
                value = value[part] if part < len(value) else None
            else:
                words += f".{_key_text(part)}"
                value = value.get(part) if isinstance(value, dict) else None
        return words.removeprefix("."), value

    def error(self, *faults: Fault) -> PlanError:
        """Return the error that lists these faults."""
        return PlanError(self.file, faults)


def _key_text(key: object) -> str:
    if key is None or isinstance(key, bool):
        return "null" if key is None else str(key).lower()
    return printed(str(key)[:80])


def read_yaml_file(path: FilePath, file: str | None = None, *, max_bytes: int = MAX_BYTES) -> Document:
    """Return the document in a file; `file` is how messages name it, the path as given if left out.

    Reads one byte more than `max_bytes` at most. Raises PlanError like `read_yaml`, and for a file that can't be read.
    """
    name = str(path) if file is None else file
    return read_yaml(read_bytes(path, name, max_bytes=max_bytes), name, max_bytes=max_bytes)


def read_bytes(path: FilePath, name: str, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return what a file holds, one byte more than `max_bytes` at most; messages call it `name`.

    Raises PlanError for one that can't be read.
    """
    try:
        if not path.exists() or path.is_file():  # a pipe would wait, and a device never end
            with path.open("rb") as stream:
                return stream.read(max_bytes + 1)
        reason = "it is no file; give the path of a YAML file"
    except OSError as error:
        reason = f"it can't be read: {error.strerror}"
    except ValueError:  # a character that no path has
        reason = "it is no path of a file"
    raise PlanError(name, [Fault(0, 0, "", reason)])


def read_yaml(text: str | bytes, file: str, *, max_bytes: int = MAX_BYTES) -> Document:
    """Return the document in a text; `file` is how messages name it.

    Raises PlanError with all faults that the syntax lets us see.
    """
    document = read_draft(text, file, max_bytes=max_bytes)
    if document.faults:
        raise document.error(*document.faults)
    return document


def read_draft(text: str | bytes, file: str, *, max_bytes: int = MAX_BYTES) -> Document:
    """Return the document in a text with the faults of its values and keys, so that more can be reported beside them.

    Raises PlanError for a text whose syntax can't be followed to its end.
    """
    decoded = _decoded(text, file, max_bytes)
    builder = _Builder()
    whole = False
    try:
        whole = all(builder.take(event) for event in YAML(typ="safe", pure=True).parse(decoded))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(0, 0)
        builder.refuse(place, (), _syntax(str(error.problem or error.context)))
    except (YAMLError, ValueError, OverflowError) as error:  # an escape past the last character
        builder.refuse(builder.place, (), f"this isn't YAML: {' '.join(str(error).split())}")
    document = Document(file, builder.content, builder.places, builder.key_places)
    faults = tuple(Fault(*place, document.words(path), reason) for place, path, reason in builder.faults)
    if not whole:
        raise document.error(*faults)
    return document._replace(faults=faults, refused=frozenset(path for _, path, _ in builder.faults))


_DIRECTIVE = "directives, lines that begin with `%`, aren't taken; take them out"
_TAG = "tags, such as `!x`, aren't taken; take it out, or put text that begins so in quotes"
_BLOCK = "after `|` or `>`, the text begins in the next line; put text that begins so in quotes"
# What the scanner's problems mean to somebody who isn't its author.
_PROBLEMS = {
    "mapping values are not allowed": "a `: ` doesn't fit here; put text that holds one in quotes",
    "could not find expected ':'": "a key needs a `:` after it",
    "cannot start any token": "a tab, `@`, `` ` `` or `%` can't begin a value; indent with spaces, or use quotes",
    "expected <block end>": "the line is indented like nothing above it",
    "but found unexpected end of stream": "a quote, bracket or brace isn't closed",
    "found unexpected end of stream": "a quote isn't closed",
    "',' or ']'": "a list in brackets needs `,` or `]` here",
    "',' or '}'": "a mapping in braces needs `,` or `}` here",
    "expected the node content": "a value is missing here",
    "expected '<document start>'": "the line doesn't follow from those above; mend its indentation (`%` lines aren't taken)",
    "duplicate YAML directive": _DIRECTIVE,
    "duplicate tag handle": _DIRECTIVE,
    "incompatible YAML document": _DIRECTIVE,
    "undefined tag handle": _TAG,
    "expected '!'": _TAG,
    "expected '>'": _TAG,
    "expected URI": _TAG,
    "alphabetic or numeric character": "anchors, `&x`, and aliases, `*x`, aren't taken; put text that begins so in quotes",
    "sequence entries are not allowed": "a `- ` doesn't fit here; an entry of a list has a line of its own",
    "mapping keys are not allowed": "a `? ` doesn't fit here; write the key with a `:` after it",
    "expected ' '": _TAG,
    "a comment or a line break": _BLOCK,
    "indentation indicator": _BLOCK,
    "escape sequence": "the escape after `\\` isn't complete",
    "unknown escape": "the escape after `\\` isn't one; in 'single quotes' it is as written",
}


def _syntax(problem: str) -> str:
    for part, words in _PROBLEMS.items():
        if part in problem:
            return f"this isn't YAML: {words}"
    return f"this isn't YAML: {' '.join(problem.split())}"


_UNPRINTABLE = re.compile(
    r"[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_BREAK = re.compile(r"\r\n?|\n")


def _decoded(text: str | bytes, file: str, max_bytes: int) -> str:
    if len(text) <= max_bytes:
        raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(text) > max_bytes or len(raw) > max_bytes:
        raise PlanError(file, [Fault(0, 0, "", f"it is larger than {max_bytes:,} bytes, which is the most")])
    try:
        decoded = raw.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = _place(raw[: error.start].decode("utf-8", "replace"))
        reason = f"it isn't UTF-8: the byte 0x{raw[error.start]:02x} is no character; save the file as UTF-8"
        raise PlanError(file, [Fault(*place, "", reason)]) from error
    for number, line in enumerate(_BREAK.split(decoded), 1):
        if len(line) > MAX_LINE:
            reason = f"the line has {len(line):,} characters; {MAX_LINE:,} are the most"
            raise PlanError(file, [Fault(number, MAX_LINE + 1, "", reason)])
    found = [match for match, _ in zip(_UNPRINTABLE.finditer(decoded), range(MAX_FAULTS), strict=False)]
    if found:
        reason = (
            'the character U+{:04X} can\'t stand in a file; in "double quotes" it is written as an escape'
        )
        raise PlanError(
            file,
            [Fault(*_place(decoded[: one.start()]), "", reason.format(ord(one[0]))) for one in found],
        )
    return decoded


def _place(before: str) -> Place:
    lines = _BREAK.split(before)
    return Place(len(lines), len(lines[-1]) + 1)


class _Open:
    """A list or a mapping that is being read; `key` is the one that waits for its value."""

    __slots__ = ("key", "path", "value", "waits")

    def __init__(self, path: Path, value: "list[Any] | dict[Any, Any]") -> None:
        self.path = path
        self.value = value
        self.waits = False
        self.key: Any = None


class _Invalid:
    """What stands for a value, or for a key, that has a fault that is reported."""

    def __repr__(self) -> str:
        return "INVALID"

    def __str__(self) -> str:
        return "?"


INVALID: Final[Any] = _Invalid()

_CORE_TAGS: Final = "tag:yaml.org,2002:"  # what `!!` stands for
_MAX_REPEATED = 40  # characters of a tag or an anchor that a message repeats


class _Builder:
    """Builds the values from the events of one text, and collects the faults."""

    def __init__(self) -> None:
        self.content: Any = None
        self.places: dict[Path, Place] = {}
        self.key_places: dict[Path, Place] = {}
        self.faults: list[tuple[Place, Path, str]] = []
        self.place = Place(1, 1)
        self._open: list[_Open] = []
        self._nodes = 0
        self._documents = 0

    def refuse(self, place: Place, path: Path, reason: str) -> None:
        self.faults.append((place, path, reason))

    def take(self, event: Any) -> bool:
        """Take one event; return false if the rest isn't worth reading."""
        mark = event.start_mark
        self.place = Place(mark.line + 1, mark.column + 1)
        if isinstance(event, NodeEvent):
            return self._node(event)
        if isinstance(event, CollectionEndEvent):
            self._open.pop()
        elif isinstance(event, DocumentStartEvent):
            self._documents += 1
            if event.version or event.tags:
                self.refuse(self.place, (), _DIRECTIVE)
                return False
            if self._documents > 1:
                self.refuse(self.place, (), "a second document begins here; a file has one")
                return False
        return True

    def _node(self, event: Any) -> bool:
        self._nodes += 1
        holder = self._open[-1] if self._open else None
        keyed = holder if holder and isinstance(holder.value, dict) and not holder.waits else None
        path = self._path(holder, keyed)
        if self._nodes > MAX_NODES:
            reason = f"there are more than {MAX_NODES:,} keys and values, which is the most"
            self.refuse(self.place, (), reason)
            return False
        if isinstance(event, AliasEvent):
            reason = f"`*{event.anchor[:_MAX_REPEATED]}` is an alias, which isn't taken; write the value out"
            self.refuse(self.place, path, reason)
        else:
            if event.anchor is not None:
                reason = f"`&{event.anchor[:_MAX_REPEATED]}` is an anchor, which isn't taken; take it out"
                self.refuse(self.place, path, reason)
            if event.tag is not None:
                tag = str(event.tag).replace(_CORE_TAGS, "!!", 1)[:_MAX_REPEATED]
                reason = f"`{tag}` is a tag, which isn't taken; take it out"
                self.refuse(self.place, path, reason)
        if isinstance(event, CollectionStartEvent):
            return self._collection(event, holder, keyed, path)
        value = self._scalar(event, path) if isinstance(event, ScalarEvent) else INVALID
        if keyed:
            self._key(event, keyed, value)
        else:
            self._put(holder, path, value)
        return len(self.faults) < MAX_FAULTS

    def _path(self, holder: _Open | None, keyed: _Open | None) -> Path:
        if holder is None:
            return ()
        if keyed:
            return keyed.path
        return (*holder.path, len(holder.value) if isinstance(holder.value, list) else holder.key)

    def _collection(self, event: Any, holder: _Open | None, keyed: _Open | None, path: Path) -> bool:
        if len(self._open) >= MAX_DEPTH:
            reason = f"lists and mappings are nested more than {MAX_DEPTH} deep, which is the most"
            self.refuse(self.place, (), reason)
            return False
        value: list[Any] | dict[Any, Any] = {} if isinstance(event, MappingStartEvent) else []
        if keyed:
            reason = "a key is text; this one is a list or a mapping (quotes make it text)"
            self.refuse(self.place, path, reason)
            keyed.key, keyed.waits = INVALID, True
            path = (*path, INVALID)
        else:
            self._put(holder, path, value if event.tag is None else INVALID)
        self._open.append(_Open(path, value))
        return len(self.faults) < MAX_FAULTS

    def _put(self, holder: _Open | None, path: Path, value: Any) -> None:
        self.places[path] = self.place
        if holder is None:
            self.content = value
        elif isinstance(holder.value, list):
            holder.value.append(value)
        else:
            holder.value[holder.key] = value
            holder.waits = False

    def _key(self, event: Any, holder: _Open, key: Any) -> None:
        path = (*holder.path, key)
        if key == "<<" and not event.style:
            self.refuse(
                self.place, holder.path, "`<<` merges mappings, which isn't taken; write the keys out"
            )
            key = INVALID
        elif isinstance(key, Decimal):
            self.refuse(self.place, holder.path, f"a key is text or a whole number; put {key} in quotes")
            key = INVALID
        elif key is INVALID:  # which is reported
            pass
        elif key in holder.value:
            first = self.key_places[path].line
            self.refuse(
                self.place,
                path,
                f"the key {display(key) if isinstance(key, str) else _key_text(key)} is given twice, first in line {first}",
            )
        else:
            self.key_places[path] = self.place
        holder.key, holder.waits = key, True

    def _scalar(self, event: Any, path: Path) -> Any:
        text: str = event.value
        if event.tag is not None:  # which may give the text another meaning
            return INVALID
        try:
            if event.style:
                _check_characters(text)
                return text
            return _resolved(text)
        except ValueError as error:
            self.refuse(self.place, path, str(error))
            return INVALID


_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE](?P<power>[-+]?[0-9]+))?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def _resolved(text: str) -> Any:
    """Return what a plain scalar means in the core schema; raise ValueError for a number that is refused."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _SPECIAL.fullmatch(text):
        raise ValueError(f"{text} is no number that can be computed with; put it in quotes if it is text")
    decimal = _DECIMAL.fullmatch(text)
    if not decimal and not _BASED.fullmatch(text):
        return text
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number has at most {_MAX_DIGITS} characters; this one has {len(text)}")
    if not decimal:
        return int(text, 0)
    if _INTEGER.fullmatch(text):
        if len(text.lstrip("+-")) > 1 and text.lstrip("+-").startswith("0"):
            raise ValueError(
                f"the number {text} would lose its leading zeros; put it in quotes if it is text"
            )
        return int(text)
    power = decimal["power"] or "0"
    if len(power) > 4 or abs(int(power)) > _MAX_DIGITS:
        raise ValueError(f"the power of ten in {text} is past {_MAX_DIGITS}, which is the most")
    return Decimal(text)


def _check_characters(text: str) -> None:
    if found := _CONTROL.search(text):
        raise ValueError(f"the escape stands for U+{ord(found[0]):04X}, a control character; take it out")


# From values to Structs


Hook = Callable[["Converter", Path, Any], Any]
"""Reads one Struct in a way of its own: takes converter, path and value; returns the Struct, or INVALID."""

S = TypeVar("S")


def convert(
    document: Document, kind: type[S], path: Path = (), *, hooks: Mapping[Any, Hook] | None = None
) -> S:
    """Return what a document has at a path as a Struct.

    Raises PlanError with all faults: keys that are unknown (with the near match) or missing, values of another
    type or out of bounds, and what the Structs refuse by themselves: a `__post_init__` that raises ValueError,
    or a method `refusals()` that yields (path from there, reason). A Struct with `tolerant = True` is asked for its
    refusals even where a part is wrong, so that a file's faults are reported at once: such a part is INVALID there.
    """
    converter = Converter(document, hooks)
    struct: S = converter.take(path, kind)
    if converter.faults:
        raise document.error(*converter.faults)
    return struct


class Converter:
    """Converts values of one document, and collects the faults in `faults`."""

    def __init__(self, document: Document, hooks: Mapping[Any, Hook] | None = None) -> None:
        self.document = document
        self.faults: list[Fault] = list(document.faults)
        self.refused: set[Path] = set(document.refused)  # where the faults are
        self._hooks = hooks or {}
        self._partial: dict[Path, Any] = {}  # what is known of mappings that have faults

    def refuse(self, path: Path, reason: str, *, key: bool = False) -> Any:
        """Add a fault; return INVALID. Raises PlanError when there are so many that more don't help."""
        self.refused.add(path)
        self.faults.append(self.document.fault(path, reason, key=key))
        if len(self.faults) >= MAX_FAULTS:  # each may cost a search for a near match
            raise self.document.error(*self.faults)
        return INVALID

    def take(self, path: Path, form: Any) -> Any:
        """Return the value at a path as a type, or INVALID."""
        value = self.document.content
        for part in path:
            value = value[part]
        return self._take(path, kind_of(form), value)

    def partial(self, path: Path) -> Any:
        """Return what is known of a Struct with faults, INVALID for nothing: its parts with faults are INVALID."""
        return self._partial.get(path, INVALID)

    def keep(self, path: Path, struct: Any) -> Any:
        """Keep what is known of a Struct with faults; return INVALID."""
        self._partial[path] = struct
        return INVALID

    def _take(self, path: Path, kind: Kind, value: Any) -> Any:
        if value is INVALID:
            return INVALID
        options = kind.options
        if isinstance(value, dict):
            return self._mapping(path, kind, value)
        if hook := next(
            (self._hooks[one.base] for one in options if one.is_struct and one.base in self._hooks), None
        ):
            return hook(self, path, value)
        if isinstance(value, list):
            lists = (one for one in options if one.base in (list, tuple))
            if (option := next(lists, None)) is not None:
                return self._list(path, option, value)
        taken = (_scalar(option, value) for option in options)
        found = next((one for one in taken if one is not INVALID), INVALID)
        return self.refuse(path, _mismatch(kind, value)) if found is INVALID else found

    def _mapping(self, path: Path, kind: Kind, value: dict[Any, Any]) -> Any:
        structs = {one.base: _fitness(one.base, value) for one in kind.options if one.is_struct}
        best = max(structs, key=lambda struct: structs[struct], default=None)
        for plain in kind.options:
            if plain.base is dict and (best is None or structs[best] == 0):
                return self._dict(path, plain, value)
        if best is None:
            return self.refuse(path, _mismatch(kind, value))
        if best in self._hooks:
            return self._hooks[best](self, path, value)
        return self.struct(path, best, value)

    def struct(self, path: Path, kind: Any, value: Mapping[Any, Any], *, known: Iterable[str] = ()) -> Any:
        """Return a mapping as a Struct of a kind, or INVALID; `known` are more keys for the near match."""
        fields = fields_of(kind)
        meant: set[str | None] = set()
        for key in value:
            if key not in fields and key is not INVALID:
                word = nearest(key, [*fields, *known])
                meant.add(word)
                more = _there_are([*fields, *known]) if word is None else suggestion(word)
                self.refuse((*path, key), f"unknown key {display(key)}{more}", key=True)
        taken: dict[str, Any] = {}
        for key, field in fields.items():
            if key in value:
                taken[field.name] = self._take((*path, key), field.kind, value[key])
            elif key in meant or INVALID in value:  # what stands there isn't known, and that is reported
                taken[field.name] = INVALID
                self.refused.add((*path, key))
            elif field.required:
                taken[field.name] = INVALID
                self.refuse(path, f"the key {key!r} is missing; expected {_expected(field.kind)}")
                self.refused.add((*path, key))
        if all(inner is not INVALID for inner in taken.values()):
            return self._build(path, kind, taken)
        if getattr(kind, "tolerant", False):
            keys = {field.name: key for key, field in fields.items()}
            parts = {
                name: self._partial.get((*path, keys[name]), INVALID) if inner is INVALID else inner
                for name, inner in taken.items()
            }
            struct = self._build(path, kind, parts)
            self._partial.setdefault(path, struct)
        return INVALID

    def _build(self, path: Path, kind: Any, taken: dict[str, Any]) -> Any:
        """Return a Struct of its parts, or INVALID if it refuses them."""
        try:
            struct = kind(**taken)
        except ValueError as error:
            return self.refuse(path, str(error))
        refusals: Iterable[tuple[Path, str]] = getattr(struct, "refusals", tuple)()
        faults = [self.refuse((*path, *inner), reason) for inner, reason in refusals]
        return self.keep(path, struct) if faults else struct

    def _dict(self, path: Path, kind: Kind, value: dict[Any, Any]) -> Any:
        if len(value) < (kind.say("min_length") or 0):
            return self.refuse(path, "it is empty; at least one entry is needed")
        most = kind.say("max_length")
        if most is not None and len(value) > most:
            return self.refuse(path, f"it has {len(value):,} entries; {most:,} are the most")
        keys, values = kind.args
        taken = {}
        good = True
        for key, inner in value.items():
            if key is INVALID:
                good = False
                continue
            if _scalar(keys, key) is INVALID:
                self.refuse((*path, key), _mismatch(keys, key), key=True)
                good = False
            taken[key] = self._take((*path, key), values, inner)
            good &= taken[key] is not INVALID
        if good:
            return taken
        if any(option.is_struct for option in values.options):
            self._partial[path] = {
                key: self._partial.get((*path, key), inner) if inner is INVALID else inner
                for key, inner in taken.items()
            }
        return INVALID

    def _list(self, path: Path, kind: Kind, value: list[Any]) -> Any:
        if len(value) < (kind.say("min_length") or 0):
            return self.refuse(path, "it is empty; at least one entry is needed")
        kinds = kind.args
        if kind.base is list or kinds[-1] is Ellipsis:
            kinds = (kinds[0],) * len(value)
        elif len(value) != len(kinds):
            return self.refuse(path, _mismatch(kind, value))
        taken = [self._take((*path, i), kinds[i], inner) for i, inner in enumerate(value)]
        if any(inner is INVALID for inner in taken):
            if any(option.is_struct for option in kinds[0].options):
                self._partial[path] = taken
            return INVALID
        return taken if kind.base is list else tuple(taken)


def _fitness(struct: Any, value: dict[Any, Any]) -> int:
    """Return how well a mapping fits a Struct: by the Struct's own judgement, or the number of its keys."""
    if fits := getattr(struct, "fits", None):
        return len(value) if fits(value) else 0
    return len(fields_of(struct).keys() & value.keys())


def _scalar(kind: Kind, value: Any) -> Any:
    """Return a text, number, boolean or null as a kind, INVALID if it is none of it."""
    if kind.base is Union:
        taken = (_scalar(option, value) for option in kind.args)
        return next((one for one in taken if one is not INVALID), INVALID)
    if kind.is_scalar:
        read = kind.base.read(value)
        return INVALID if read is None else read
    if kind.base is Literal:
        return value if any(value == one and type(value) is type(one) for one in kind.args) else INVALID
    if kind.base is Any:
        return value
    if type(value) not in _TAKEN.get(kind.base, ()) or not _within(kind, value):
        return INVALID
    return kind.base(value) if kind.base in (float, Decimal) else value


_TAKEN: Final[dict[Any, tuple[type, ...]]] = {
    NoneType: (NoneType,),
    bool: (bool,),
    float: (int, Decimal),
    Decimal: (int, Decimal),
    int: (int,),
    str: (str,),
}


def _within(kind: Kind, value: Any) -> bool:
    """Return whether a value keeps what Meta says of its kind."""
    if not kind.meta:
        return True
    if isinstance(value, str):
        pattern, most = kind.say("pattern"), kind.say("max_length")
        return (
            (kind.say("min_length") or 0) <= len(value) <= (len(value) if most is None else most)
            # `$` stands before a last line break too, which a name can't have
            and (pattern is None or (not value.endswith("\n") and re.search(pattern, value) is not None))
        )
    bounds = {name: kind.say(name) for name in ("ge", "gt", "le", "lt")}
    return all(bound is None or getattr(operator, name)(value, bound) for name, bound in bounds.items())


def _mismatch(kind: Kind, value: Any) -> str:
    literals = [one for option in kind.options if option.base is Literal for one in option.args]
    hint = near(value, literals) if isinstance(value, str) and kind.expected is None else ""
    return f"expected {_expected(kind)}; found {display(value)}{hint}"


_EXPECTED: Final[dict[Any, str]] = {
    Any: "a value",
    Decimal: "a number",
    bool: "`true` or `false`",
    dict: "keys and values",
    float: "a number",
    int: "a whole number",
    list: "a list",
    NoneType: "nothing",
    str: "text",
    tuple: "a list",
}


def _there_are(keys: Sequence[str]) -> str:
    """Return the keys that there are, if they aren't too many for a message."""
    are = "is" if len(keys) == 1 else "are"
    return f"; there {are} {word_list(keys, 'and')}" if len(keys) <= _MOST_KEYS else ""


_MOST_KEYS = 8  # that a message lists
_KEYS = 4  # of a Struct that a message names


def _expected(kind: Kind) -> str:
    """Return in words what would be right for a kind."""
    if kind.expected is not None:
        return kind.expected
    if kind.base is Union:
        inner = [replace(one, meta=(*kind.meta, *one.meta)) for one in kind.args if one.base is not NoneType]
        return word_list(dict.fromkeys(map(_expected, inner)))
    if kind.base is Literal:
        return word_list(f"`{value}`" for value in kind.args)
    if kind.is_scalar:
        return str(kind.base.expected)
    if kind.is_struct:
        return _keys(fields_of(kind.base))
    return _EXPECTED[kind.base] + _bounds(kind)


def _keys(fields: Iterable[str]) -> str:
    keys = [*fields]
    return f"{{{', '.join(keys[:_KEYS])}{', ...' if len(keys) > _KEYS else ''}}}"


def _bounds(kind: Kind) -> str:
    if kind.base is tuple and kind.args[-1] is not Ellipsis:
        return f" of {len(kind.args)}"
    low, high = kind.say("min_length"), kind.say("max_length")
    if kind.base is str and high is not None:
        return f" of {low or 0:,} to {high:,} characters"
    if kind.base is str:
        return " that isn't empty" if low else ""
    least, most = kind.say("ge"), kind.say("le")
    if least is not None and most is not None:
        return f" from {least:,} to {most:,}"
    bounds = {"of at least": least, "above": kind.say("gt"), "of at most": most, "below": kind.say("lt")}
    texts = [f"{words} {bound:,}" for words, bound in bounds.items() if bound is not None]
    return f" {word_list(texts, 'and')}" if texts else ""
