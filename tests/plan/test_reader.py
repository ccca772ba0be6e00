"""The reader takes YAML 1.2 to exact values that know their places, and refuses the rest at once."""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest
from esdh_plan.errors import Fault, PlanError
from esdh_plan.kinds import Scalar, kind_of
from esdh_plan.reader import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_LINE,
    MAX_NODES,
    Place,
    convert,
    read_yaml,
    read_yaml_file,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta


def value_of(text: str) -> Any:
    """Return what a plain scalar means."""
    return read_yaml(f"a: {text}", "t.yaml").content["a"]


def refusals(text: str | bytes) -> list[str]:
    """Return the lines of the error that a text is refused with."""
    with pytest.raises(PlanError) as caught:
        read_yaml(text, "t.yaml")
    return str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[(word, True) for word in ("true", "True", "TRUE")],
        *[(word, False) for word in ("false", "False", "FALSE")],
        *[(word, word) for word in ("yes", "No", "on", "OFF", "y", "n", "tRUE", "nul", "=", ".", "+", "--")],
        *[
            (text, text)
            for text in (
                "2024-06-01",
                "2024-06-01T10:00:00Z",
                "12:30:45",
                "1_000",
                "80%",
                "2/3",
                "0b1",
                "1.2.3",
            )
        ],
        *[("0", 0), ("-12", -12), ("+5", 5), ("0x1F", 31), ("0o17", 15), ("9" * 64, int("9" * 64))],
        *[
            ("0.10", Decimal("0.10")),
            (".5", Decimal("0.5")),
            ("1.", Decimal(1)),
            ("-1.5e3", Decimal("-1.5e3")),
        ],
        *[("'1'", "1"), ('"true"', "true"), ("''", ""), ('"\\u00e9\\n"', "é\n"), ("'.nan'", ".nan")],
        *[("'<<'", "<<"), ("|\n  x\n  y\n", "x\ny\n")],
    ],
)
def test_scalars(text: str, expected: object) -> None:
    """A scalar is what the core schema says, of the exact type, and its digits are kept."""
    value = value_of(text)
    assert (type(expected), expected, str(expected)) == (type(value), value, str(value))


def test_collections_keep_their_order() -> None:
    """Mappings and lists keep what is written in its order; keys may be numbers, booleans or null."""
    content = read_yaml("{b: [1, {x: y}], a: {2: p, true: q, null: r}}", "t.yaml").content
    assert {"b": [1, {"x": "y"}], "a": {2: "p", True: "q", None: "r"}} == content
    assert ["b", "a"] == list(content)
    assert [2, True, None] == list(content["a"])


def test_places() -> None:
    """Each value and each key has its line and column, from 1, after a byte order mark too."""
    document = read_yaml("\ufeff# note\na:\n  - x\n  - {b: 'y'}\n", "t.yaml")
    assert {
        (): Place(2, 1),
        ("a",): Place(3, 3),
        ("a", 0): Place(3, 5),
        ("a", 1): Place(4, 5),
        ("a", 1, "b"): Place(4, 9),
    } == document.places
    assert {("a",): Place(2, 1), ("a", 1, "b"): Place(4, 6)} == document.key_places


def test_faults_name_their_place() -> None:
    """A fault stands at a value, at its key on request or for a mapping, and at what holds a missing path."""
    document = read_yaml("a:\n  - {1: 'y'}\nb: {}\n", "t.yaml")
    assert Fault(2, 9, "a[0].1", "x") == document.fault(("a", 0, 1), "x")
    assert Fault(2, 6, "a[0].1", "x") == document.fault(("a", 0, 1), "x", key=True)
    assert Fault(1, 1, "a", "x") == document.fault(("a",), "x")
    assert Fault(3, 1, "b", "x") == document.fault(("b", "c", "d"), "x")
    faults = [
        document.fault(("b",), "second"),
        document.fault(("a",), "first"),
        document.fault(("a",), "first"),
    ]
    assert "t.yaml, line 1, a: first\nt.yaml, line 3, b: second" == str(PlanError("t.yaml", faults))


def test_nothing_is_a_document() -> None:
    """An empty text, and one of comments, is a document of nothing."""
    assert [None, None] == [read_yaml(text, "t.yaml").content for text in ("", "# a\n\n")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, a: the key 'a' is given twice, first in line 1"),
        ("x: {1: a, 0x1: b}", "line 1, x.1: the key 1 is given twice, first in line 1"),
        ("a: !x 1", "line 1, a: `!x` is a tag, which isn't taken; take it out"),
        (
            "a: !!python/object/apply:os.system [ls]",
            "line 1, a: `!!python/object/apply:os.system` is a tag",
        ),
        ("a: !!str 1", "line 1, a: `!!str` is a tag, which isn't taken; take it out"),
        ("!!map\na: 1", "line 1: `!!map` is a tag, which isn't taken; take it out"),
        ("a: ! b", "line 1, a: `!` is a tag, which isn't taken; take it out"),
        ("a: !u!x b", "line 1: this isn't YAML: tags, such as `!x`, aren't taken; take it out, or put text"),
        ("a: !<x b", "line 1: this isn't YAML: tags, such as `!x`, aren't taken; take it out, or put text"),
        (
            "a: * b",
            "line 1: this isn't YAML: anchors, `&x`, and aliases, `*x`, aren't taken; put text that begins so",
        ),
        (
            "a: - b",
            "line 1: this isn't YAML: a `- ` doesn't fit here; an entry of a list has a line of its own",
        ),
        ("a: ? b", "line 1: this isn't YAML: a `? ` doesn't fit here; write the key with a `:` after it"),
        (
            "a: | b",
            "line 1: this isn't YAML: after `|` or `>`, the text begins in the next line; put text that begins so in quotes",
        ),
        ('a: "\\u12"', "line 1: this isn't YAML: the escape after `\\` isn't complete"),
        ("a: &x 1", "line 1, a: `&x` is an anchor, which isn't taken; take it out"),
        ("a: *x", "line 1, a: `*x` is an alias, which isn't taken; write the value out"),
        ("a: {<<: {b: 1}}", "line 1, a: `<<` merges mappings, which isn't taken; write the keys out"),
        ("a: 1\n---\nb: 1", "line 2: a second document begins here; a file has one"),
        (
            "%YAML 1.2\n---\na: 1",
            "line 2: directives, lines that begin with `%`, aren't taken; take them out",
        ),
        ("%TAG ! tag:x,2000:\n---\na: 1", "line 2: directives, lines that begin with `%`, aren't taken"),
        (
            "%YAML 3.0\n---\na: 1",
            "line 1: this isn't YAML: directives, lines that begin with `%`, aren't taken",
        ),
        ("%X\n", "line 2: this isn't YAML: the line doesn't follow from those above"),
        ("? [a]\n: 1", "line 1: a key is text; this one is a list or a mapping (quotes make it text)"),
        ("{{a: 1}: 2}", "line 1: a key is text; this one is a list or a mapping (quotes make it text)"),
        ("x: {0.5: 1}", "line 1, x: a key is text or a whole number; put 0.5 in quotes"),
        ("a: .nan", "line 1, a: .nan is no number that can be computed with; put it in quotes if it is text"),
        ("a: -.inf", "line 1, a: -.inf is no number that can be computed with"),
        (
            "zip: 02139",
            "line 1, zip: the number 02139 would lose its leading zeros; put it in quotes if it is text",
        ),
        ("a: 1e999999999", "line 1, a: the power of ten in 1e999999999 is past 64, which is the most"),
        ("a: 1e-65", "line 1, a: the power of ten in 1e-65 is past 64, which is the most"),
        ("a: " + "1" * 65, "line 1, a: a number has at most 64 characters; this one has 65"),
        ("a: 0x" + "f" * 9000, "line 1, a: a number has at most 64 characters; this one has 9002"),
        (
            "a: b\n c: d",
            "line 2: this isn't YAML: a `: ` doesn't fit here; put text that holds one in quotes",
        ),
        ("a: [1, 2", "line 1: this isn't YAML: a list in brackets needs `,` or `]` here"),
        ("a: {b: 1", "line 1: this isn't YAML: a mapping in braces needs `,` or `}` here"),
        ("a: 'b", "line 1: this isn't YAML: a quote isn't closed"),
        (
            "a:\n\t- b",
            "line 2: this isn't YAML: a tab, `@`, `` ` `` or `%` can't begin a value; indent with spaces",
        ),
        ("a: @b", "line 1: this isn't YAML: a tab, `@`, `` ` `` or `%` can't begin a value"),
        ("a: [,]", "line 1: this isn't YAML: a value is missing here"),
        (
            "  a: 1\n b: 2",
            "line 2: this isn't YAML: the line doesn't follow from those above; mend its indentation",
        ),
        ("a:\n    b: 1\n  c: 2", "line 3: this isn't YAML: the line is indented like nothing above it"),
        ("a: 1\nb\nc: 2", "line 3: this isn't YAML: a key needs a `:` after it"),
        (
            'a: "\\q"',
            "line 1: this isn't YAML: the escape after `\\` isn't one; in 'single quotes' it is as written",
        ),
        ('a: "\\U00110000"', "line 1: this isn't YAML"),
        ('a: "\\ud800"', "line 1, a: the escape stands for U+D800, a control character; take it out"),
        ('a: "\\0"', "line 1, a: the escape stands for U+0000, a control character; take it out"),
        (
            "a: x\n\x07",
            'line 2: the character U+0007 can\'t stand in a file; in "double quotes" it is written as an escape',
        ),
        ("a: x\u2028y", "line 1: the character U+2028 can't stand in a file"),
        ("a: \ud800", "it isn't UTF-8"),
        (b"a: 1\nb: \xff", "line 2: it isn't UTF-8: the byte 0xff is no character; save the file as UTF-8"),
        (b"\xff\xfea\x00", "line 1: it isn't UTF-8: the byte 0xff is no character; save the file as UTF-8"),
    ],
)
def test_refusals(text: str | bytes, expected: str) -> None:
    """What a plan has no use for is refused with its place and what would be right."""
    told = refusals(text)
    assert expected in told[0]
    assert re.match(r"t\.yaml(, line \d+)", told[0])
    assert 1 == len(told)


def test_faults_are_told_at_once() -> None:
    """All faults of a text are told, in the order of the lines, up to the one that ends the syntax."""
    text = "a: !x 1\nb: *y\na: .inf\nc: [{d: &z 01}]\n? [k]\n: 1\n1: a: b\n"
    assert [
        "t.yaml, line 1, a: `!x` is a tag, which isn't taken; take it out",
        "t.yaml, line 2, b: `*y` is an alias, which isn't taken; write the value out",
        "t.yaml, line 3, a: the key 'a' is given twice, first in line 1",
        "t.yaml, line 3, a: .inf is no number that can be computed with; put it in quotes if it is text",
        "t.yaml, line 4, c[0].d: `&z` is an anchor, which isn't taken; take it out",
        "t.yaml, line 4, c[0].d: the number 01 would lose its leading zeros; put it in quotes if it is text",
        "t.yaml, line 5: a key is text; this one is a list or a mapping (quotes make it text)",
        "t.yaml, line 7: this isn't YAML: a `: ` doesn't fit here; put text that holds one in quotes",
    ] == refusals(text)


_PIECES = [
    "\n",
    " ",
    "  ",
    "- ",
    ": ",
    "? ",
    ", ",
    "# ",
    "a",
    "b: ",
    "1",
    "0.5",
    "'",
    '"',
    "\\",
    "|",
    ">",
    "~",
    "true",
]
_PIECES += [
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!",
    "!!",
    "%",
    "@",
    "---",
    "...",
    "<<",
    "\t",
    "\r",
    "\ufeff",
    "\x00",
    "\ud800",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=30).map("".join))
def test_any_text(text: str) -> None:
    """Any text is a document whose places are known, or is refused with its faults; nothing else happens."""
    faults: list[Fault] = []
    places: set[object] = set()
    try:
        document = read_yaml(text, "t.yaml")
        places = {document.fault(path, "").path for path in document.places} | {document.content is None}
    except PlanError as error:
        faults = error.faults
    assert faults or places


def _lines(line: str) -> str:
    return (line + "\n") * (MAX_BYTES // (len(line) + 1))


_BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
_NESTED = f"lists and mappings are nested more than {MAX_DEPTH} deep, which is the most"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(_BOMB, "`&a0` is an anchor", id="a bomb of aliases"),
        pytest.param("a: &a [*a]", "`&a` is an anchor", id="a list that holds itself"),
        pytest.param("<<: *a\n" * 70_000, "`<<` merges mappings", id="merges"),
        pytest.param("[" * MAX_LINE, _NESTED, id="brackets"),
        pytest.param("[" * 100 + "]" * 100, _NESTED, id="balanced brackets"),
        pytest.param("- " * 4_000, _NESTED, id="lists in lists"),
        pytest.param("{a: " * 2_000, _NESTED, id="mappings in a line"),
        pytest.param("".join(f"{' ' * i}a:\n" for i in range(900)), _NESTED, id="mappings in lines"),
        pytest.param("{" * MAX_LINE, "a key is text", id="mappings as keys"),
        pytest.param("? " * 4_000, "a key is text", id="keys of keys"),
        pytest.param("a: '" + "x" * MAX_LINE, f"the line has {MAX_LINE + 4:,} characters", id="a long line"),
        pytest.param(_lines("- !" + "x" * 9_990), "is a tag", id="long tags"),
        pytest.param(_lines("- &" + "x" * 9_990), "is an anchor", id="long anchors"),
        pytest.param("a: 1\n" * 100_000, "the key 'a' is given twice", id="one key, often"),
        pytest.param("[a, a]\n" * 70_000, "this isn't YAML", id="lists without commas"),
        pytest.param(
            "- [" + "a," * 4_990 + "]\n" + ("- [" + "a," * 4_990 + "]\n") * 20,
            f"{MAX_NODES:,} keys",
            id="values",
        ),
        pytest.param(
            "".join(f"k{i}: 1\n" for i in range(40_000)), f"more than {MAX_NODES:,} keys", id="keys"
        ),
        pytest.param("---\n" * 100_000, "a second document begins here", id="documents"),
        pytest.param("%TAG ! tag:x\n" * 10_000, "directives", id="directives"),
        pytest.param("a: \x00" + "\x01" * 5_000, "the character U+0000", id="control characters"),
        pytest.param(f"a: {'9' * 9_000}", "a number has at most 64", id="digits"),
        pytest.param("x" * (MAX_BYTES + 1), f"it is larger than {MAX_BYTES:,} bytes", id="a large text"),
        pytest.param(
            "é" * MAX_BYTES, f"it is larger than {MAX_BYTES:,} bytes", id="a text of large characters"
        ),
        pytest.param(b"\xff" * (MAX_BYTES + 1), f"it is larger than {MAX_BYTES:,} bytes", id="many bytes"),
    ],
)
def test_hostile_texts(text: str | bytes, expected: str) -> None:
    """A text that would take the machine's time or memory is refused before it does, in a short message."""
    told = refusals(text)
    assert expected in told[0]
    assert len(told) <= 51
    assert max(map(len, told)) < 400


def test_depth() -> None:
    """Lists and mappings may be nested as deep as is said, and no deeper."""
    assert read_yaml("[" * MAX_DEPTH + "]" * MAX_DEPTH, "t.yaml").content
    assert [f"t.yaml, line 1: {_NESTED}"] == refusals("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_values_that_are_refused_are_shown_short() -> None:
    """A message repeats no more than the beginning of a long value."""

    class Kind(msgspec.Struct):
        a: int

    with pytest.raises(PlanError) as caught:
        convert(read_yaml(f"a: {'x' * 5_000}", "t.yaml"), Kind)
    assert f"expected a whole number; found '{'x' * 56}..." == caught.value.faults[0].reason


def test_files(tmp_path: Path) -> None:
    """A file is read by its path and named as told; one that isn't there, or is no file, is refused."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: 1")
    assert ("x", {"a": 1}) == read_yaml_file(path, "x")[:2]
    with pytest.raises(PlanError, match=r"^gone\.yaml: it can't be read: No such file or directory$"):
        read_yaml_file(tmp_path / "gone.yaml", "gone.yaml")
    with pytest.raises(PlanError, match=r"^.*: it is no file; give the path of a YAML file$"):
        read_yaml_file(tmp_path)
    with pytest.raises(PlanError, match=r"^x: it is larger than 3 bytes, which is the most$"):
        read_yaml_file(path, "x", max_bytes=3)


# From values to Structs


class Even(int, Scalar):
    """A whole number that two divides."""

    expected = "an even number"
    schema: ClassVar[dict[str, Any]] = {"type": "integer", "multipleOf": 2}

    @classmethod
    def read(cls, value: Any) -> "Even | None":
        """Return the number, None for what is none."""
        return cls(value) if type(value) is int and value % 2 == 0 else None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A section with what the demo's configuration has."""

    description: Annotated[str, Meta(min_length=1)]
    records: Annotated[int, Meta(ge=1, le=10_000)]
    seed: Annotated[int, Meta(ge=0)] | Literal["random"]
    formats: Annotated[list[Literal["csv", "json"]], Meta(min_length=1)]
    seconds: Annotated[float, Meta(gt=0, le=60)] = 20
    pair: tuple[int, str] | None = None
    even: Even | None = None
    names: tuple[str, ...] = ()
    on: bool = False

    def __post_init__(self) -> None:
        """Refuse a format that is given twice."""
        if len(set(self.formats)) < len(self.formats):
            raise ValueError("a format is given twice")


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A file of profiles."""

    tolerant: ClassVar = True

    profiles: Annotated[
        dict[Annotated[str, Meta(pattern="^[a-z]+$", extra={"expected": "a lower-case name"})], Profile],
        Meta(min_length=1),
    ]
    first: str | None = None

    def refusals(self) -> Iterator[tuple[tuple[str], str]]:
        """Refuse a first profile that isn't there."""
        if isinstance(self.profiles, dict) and self.first is not None and self.first not in self.profiles:
            yield ("first",), f"there is no profile {self.first!r}"


GOOD = """\
profiles:
  base:
    description: Few
    records: 200
    seed: 7
    formats: [csv, json]
"""


def test_structs() -> None:
    """A document becomes a Struct; what may be left out has its default."""
    profile = Profile(description="Few", records=200, seed=7, formats=["csv", "json"])
    assert Config(profiles={"base": profile}) == convert(read_yaml(GOOD, "t.yaml"), Config)
    text = GOOD + "    seconds: 0.5\n    pair: [1, x]\n    even: 4\n    names: [a]\n    on: true\n"
    taken = convert(read_yaml(text, "t.yaml"), Profile, ("profiles", "base"))
    assert (0.5, (1, "x"), 4, ("a",), True) == (taken.seconds, taken.pair, taken.even, taken.names, taken.on)
    assert (float, Even) == (type(taken.seconds), type(taken.even))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "records:",
            "recrods:",
            "line 4, profiles.base.recrods: unknown key 'recrods'; did you mean 'records'?",
        ),
        (
            "    records: 200\n",
            "",
            "line 2, profiles.base: the key 'records' is missing; expected a whole number from 1 to 10,000",
        ),
        (
            "200",
            "two",
            "line 4, profiles.base.records: expected a whole number from 1 to 10,000; found 'two'",
        ),
        ("200", "0", "line 4, profiles.base.records: expected a whole number from 1 to 10,000; found 0"),
        ("200", "2.0", "line 4, profiles.base.records: expected a whole number from 1 to 10,000; found 2.0"),
        ("200", "", "line 4, profiles.base.records: expected a whole number from 1 to 10,000; found nothing"),
        (
            "200",
            "true",
            "line 4, profiles.base.records: expected a whole number from 1 to 10,000; found true",
        ),
        (
            "200",
            "[1]",
            "line 4, profiles.base.records: expected a whole number from 1 to 10,000; found a list of 1",
        ),
        (
            "200",
            "{a: 1}",
            "line 4, profiles.base.records: expected a whole number from 1 to 10,000; found keys and values (a)",
        ),
        ("Few", "''", "line 3, profiles.base.description: expected text that isn't empty; found ''"),
        (
            "7",
            "-1",
            "line 5, profiles.base.seed: expected a whole number of at least 0 or `random`; found -1",
        ),
        (
            "7",
            "randm",
            "line 5, profiles.base.seed: expected a whole number of at least 0 or `random`; found 'randm'; did you mean 'random'?",
        ),
        (
            "json]",
            "jsn]",
            "line 6, profiles.base.formats[1]: expected `csv` or `json`; found 'jsn'; did you mean 'json'?",
        ),
        ("[csv, json]", "csv", "line 6, profiles.base.formats: expected a list; found 'csv'"),
        ("[csv, json]", "[]", "line 6, profiles.base.formats: it is empty; at least one entry is needed"),
        ("[csv, json]", "[csv, csv]", "line 2, profiles.base: a format is given twice"),
        (
            "7",
            "7\n    seconds: 0",
            "line 6, profiles.base.seconds: expected a number above 0 and of at most 60; found 0",
        ),
        ("7", "7\n    pair: [1]", "line 6, profiles.base.pair: expected a list of 2; found a list of 1"),
        ("7", "7\n    even: 3", "line 6, profiles.base.even: expected an even number; found 3"),
        ("7", "7\n    on: yes", "line 6, profiles.base.on: expected `true` or `false`; found 'yes'"),
        ("7", "7\n    on: null", "line 6, profiles.base.on: expected `true` or `false`; found nothing"),
        ("base:", "Base:", "line 2, profiles.Base: expected a lower-case name; found 'Base'"),
        ("base:", '"base\\n":', "line 2, profiles.base\\n: expected a lower-case name; found 'base\\n'"),
        ("base:", "1:", "line 2, profiles.1: expected a lower-case name; found 1"),
        (GOOD, "profiles: {}", "line 1, profiles: it is empty; at least one entry is needed"),
        (GOOD, "profiles: 1", "line 1, profiles: expected keys and values; found 1"),
        (GOOD, "- 1", "line 1: expected {profiles, first}; found a list of 1"),
        (GOOD, "", "expected {profiles, first}; found nothing"),
    ],
)
def test_refused_values(old: str, new: str, expected: str) -> None:
    """A value that doesn't fit is refused with its place, what would be right and what is near."""
    assert old in GOOD
    with pytest.raises(PlanError) as caught:
        convert(read_yaml(GOOD.replace(old, new, 1), "t.yaml"), Config)
    assert {f"t.yaml, {expected}", f"t.yaml: {expected}"} & {str(caught.value)}


def test_refused_values_are_told_at_once() -> None:
    """All values that don't fit are told, and what a tolerant Struct refuses beside them."""
    text = "first: bse\nprofiles:\n  base: {records: 0, sed: 1, formats: [x]}\n  Other: 3\n"
    with pytest.raises(PlanError) as caught:
        convert(read_yaml(text, "t.yaml"), Config)
    assert [
        Fault(1, 8, "first", "there is no profile 'bse'"),
        Fault(3, 3, "profiles.base", "the key 'description' is missing; expected text that isn't empty"),
        Fault(3, 19, "profiles.base.records", "expected a whole number from 1 to 10,000; found 0"),
        Fault(3, 22, "profiles.base.sed", "unknown key 'sed'; did you mean 'seed'?"),
        Fault(3, 40, "profiles.base.formats[0]", "expected `csv` or `json`; found 'x'"),
        Fault(4, 3, "profiles.Other", "expected a lower-case name; found 'Other'"),
        Fault(4, 10, "profiles.Other", "expected {description, records, seed, formats, ...}; found 3"),
    ] == caught.value.faults


def test_types_that_no_file_has() -> None:
    """A Struct's field of a type that no file can say is refused when it is looked at."""
    with pytest.raises(TypeError, match=r"a Struct's field can't be <class 'complex'>"):
        kind_of(complex)
