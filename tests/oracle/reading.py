"""A plan's YAML as nodes whose scalars are texts, and the YAML 1.2 core schema over them."""

import datetime as dt
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Union

import yaml

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


class Text(str):
    """A scalar as it is written; a plain one (without quotes) may be a number, a truth value or null."""

    plain: bool


Node = Union[Text, "list[Node]", "dict[Text, Node]"]
Plain = str | int | bool | Fraction | None


def read(text: str) -> Node:
    """Return a document's nodes."""
    return _node(yaml.compose(text, Loader=yaml.SafeLoader))


def _node(node: object) -> Node:
    if isinstance(node, yaml.MappingNode):
        pairs = [(_scalar(key), _node(value)) for key, value in node.value]
        if len(dict(pairs)) < len(pairs):
            raise ValueError(f"a key is written twice among {[key for key, _ in pairs]}")
        return dict(pairs)
    if isinstance(node, yaml.SequenceNode):
        return [_node(item) for item in node.value]
    return _scalar(node)


def _scalar(node: object) -> Text:
    if not isinstance(node, yaml.ScalarNode):
        raise TypeError(f"{node} is no scalar")
    text = Text(node.value)
    text.plain = node.style is None
    return text


def mapping(node: Node | None) -> "dict[Text, Node]":
    """Return a node that must be a mapping; nothing is an empty one."""
    if node is None or (isinstance(node, Text) and node.plain and not node):
        return {}
    if not isinstance(node, dict):
        raise TypeError(f"{node!r} is no mapping")
    return node


def get(node: "Mapping[Text, Node]", key: str) -> Node | None:
    """Return the node of a key, or None."""
    return next((value for name, value in node.items() if name == key), None)


def text_of(node: Node | None) -> Text:
    """Return a node that must be a scalar."""
    if not isinstance(node, Text):
        raise TypeError(f"{node!r} is no scalar")
    return node


def resolve(text: Text) -> Plain:
    """Return the value of a scalar by the YAML 1.2 core schema, with exact numbers."""
    if not text.plain:
        return str(text)
    if text in {"", "~", "null", "Null", "NULL"}:
        return None
    if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return text.lower() == "true"
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if re.fullmatch(r"0o[0-7]+|0x[0-9a-fA-F]+", text):
        return int(text, 0)
    if re.fullmatch(r"[-+]?(\d+\.\d*|\.\d+|(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+)", text):
        return Fraction(text)
    return str(text)


def number(text: str) -> Fraction:
    """Return the number that a weight, share or parameter says: `70`, `0.7`, `70%`, `2/3`."""
    if re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)%", text):
        return Fraction(text[:-1]) / 100
    if re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+|\d+/\d+)", text):
        return Fraction(text)
    raise ValueError(f"{text!r} is no number")


def constant_bound(text: str) -> dt.date | None:
    """Return the date or instant that a bound spells out, or None if it is an expression."""
    if DATE.fullmatch(text):
        return dt.date.fromisoformat(text)
    if INSTANT.fullmatch(text):
        return dt.datetime.fromisoformat(text[:-1]).replace(tzinfo=dt.UTC)
    return None
