"""Choices: one of several labels, by weights, and by another field."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from esdh_core.choices import Choice
from esdh_core.columns import Boolean, Categorical, Categories, Column, Integer
from esdh_core.dataset import Block, memoized_per_block
from esdh_core.stats import OTHER, Group
from esdh_core.streams import high32
from numpy.typing import NDArray

from esdh_plan import language
from esdh_plan.branches import By
from esdh_plan.definitions import Definition, Place
from esdh_plan.distributions import scale_weights
from esdh_plan.draws import Outcomes, branch_name, frequent_labels, label_of
from esdh_plan.expressions import ValueType

__all__ = ["choice"]

Longs = NDArray[np.int64]
_KINDS: dict[type, Any] = {str: "string", int: "integer", bool: "boolean"}


@dataclass(frozen=True)
class _Tree:
    """Branches; a number is that of a group of labels."""

    by: By
    branches: "list[int | _Tree]"
    names: tuple[str, ...]

    def paths(self) -> Iterator[str]:
        """Yield the branches that lead to each group, in the order of groups."""
        for name, branch in zip(self.names, self.branches, strict=True):
            yield from (
                [f"[{name}]"] if isinstance(branch, int) else (f"[{name}]{path}" for path in branch.paths())
            )

    @cached_property
    def _numbers(self) -> Longs | None:
        """The number of each branch, where none has branches of its own."""
        if any(isinstance(branch, _Tree) for branch in self.branches):
            return None
        return np.array(self.branches, dtype=np.int64)

    def groups(self, block: Block) -> Longs:
        branches = self.by.branch(block)
        if self._numbers is not None:
            return self._numbers.take(branches)
        groups = np.zeros(len(branches), dtype=np.int64)
        for number, branch in enumerate(self.branches):
            inner = branch if isinstance(branch, int) else branch.groups(block)
            groups = np.where(branches == number, inner, groups)
        return groups


def choice(rule: language.Choice, place: Place) -> Definition:
    """Make one of several labels."""
    groups: list[tuple[list[Any], tuple[int, ...]]] = []
    tree = _read(rule.choice, place.at("choice"), groups)
    labels = list(dict.fromkeys((type(label), label) for listed, _ in groups for label in listed))
    kinds = {kind for kind, _ in labels}
    if len(kinds) > 1:
        names = " and ".join(sorted(_KINDS[kind] for kind in kinds))
        place.at("choice").refuse(f"all labels of a field are of one kind; these are {names}")
    values = tuple(label for _, label in labels)
    drawn = Choice([weights for _, weights in groups])
    places = {label: number for number, label in enumerate(labels)}
    codes = np.array([places[type(each), each] for listed, _ in groups for each in listed], dtype=np.int32)
    plain = bool((codes == np.arange(len(codes))).all())

    group_of = None if tree is None else memoized_per_block(tree.groups)

    @memoized_per_block
    def draw(block: Block) -> NDArray[np.int32]:
        members = drawn.codes(high32(place.words(block)), None if group_of is None else group_of(block))
        return members if plain else codes.take(members)

    kind = kinds.pop()
    finish, of = _finisher(kind, values)
    shares = None
    if tree is None:
        ((listed, weights),) = groups
        total = sum(weights)
        shares = {
            label_of(each): Fraction(weight, total) for each, weight in zip(listed, weights, strict=True)
        }
    by = () if tree is None else _fields(tree)
    return Definition(
        of,
        lambda block: finish(draw(block)),
        "One of the labels, by their weights" + (", which depend on another field" if by else ""),
        streams=(place.stream,),
        depends_on=by,
        shares=shares,
        draws=(_outcomes(values, groups, [""] if tree is None else list(tree.paths()), draw, group_of),),
    )


def _outcomes(
    values: Sequence[Any],
    groups: list[tuple[list[Any], tuple[int, ...]]],
    names: list[str],
    draw: Callable[[Block], NDArray[np.int32]],
    group_of: Callable[[Block], Longs] | None,
) -> Outcomes:
    """Return the draws of a choice: each group has every label, those of others with a share of 0."""
    labels = [label_of(each) for each in values]
    known = frequent_labels(labels)
    texts = list(dict.fromkeys(label if known is None or label in known else OTHER for label in labels))
    places = {label: number for number, label in enumerate(texts)}
    merge = None if known is None else np.array([places.get(label, places[OTHER]) for label in labels])
    found = []
    for name, (listed, weights) in zip(names, groups, strict=True):
        shares = dict.fromkeys(texts, Fraction(0))
        total = sum(weights)
        for each, weight in zip(listed, weights, strict=True):
            label = label_of(each)
            shares[label if label in shares else OTHER] += Fraction(weight, total)
        found.append(Group(name, tuple(texts), tuple(shares.values())))

    def cells(block: Block) -> NDArray[np.integer]:
        codes: NDArray[np.integer] = draw(block)
        if merge is not None:
            codes = merge.take(codes)
        return codes if group_of is None else group_of(block) * len(texts) + codes

    return Outcomes(tuple(found), cells)


def _read(words: Any, place: Place, groups: list[tuple[list[Any], tuple[int, ...]]]) -> "_Tree | None":
    """Add the groups of labels; return the tree that says whose group is which, None for one group."""
    if not isinstance(words, language.ChoiceBy):
        _add(words, groups)
        return None
    pairs: list[tuple[tuple[Any, ...], Any]] = [(("of", key), inner) for key, inner in words.of.items()]
    if words.else_ is not None:
        pairs.append((("else",), words.else_))

    def branch(path: tuple[Any, ...], inner: Any) -> "int | _Tree":
        if isinstance(inner, language.ChoiceBy):
            found = _read(inner, place.at(*path), groups)
            if found is None:
                raise TypeError("a choice with `by` is a tree")
            return found
        _add(inner, groups)
        return len(groups) - 1

    by, *branches = place.all(
        lambda: By(place, words),
        *(lambda p=path, i=inner: branch(p, i) for path, inner in pairs),
    )
    names = tuple("else" if path == ("else",) else branch_name(path[1]) for path, _ in pairs)
    return _Tree(by, branches, names)


def _add(words: Any, groups: list[tuple[list[Any], tuple[int, ...]]]) -> None:
    weights = list(words.values()) if isinstance(words, dict) else [Fraction(1)] * len(words)
    groups.append((list(words), scale_weights(weights)))


def _fields(tree: _Tree) -> tuple[str, ...]:
    found = [tree.by.reference.field] if tree.by.reference.field else []
    for branch in tree.branches:
        if isinstance(branch, _Tree):
            found += _fields(branch)
    return tuple(dict.fromkeys(found))


def _finisher(kind: type, values: tuple[Any, ...]) -> Any:
    """Return the function from codes to a column, and its type."""
    if kind is str:
        categories = Categories(values)
        return (lambda codes: Categorical(codes, categories)), ValueType("string", labels=values)
    if kind is bool:
        truths: Any = np.array(values, dtype=np.bool_)
        low, high = int(min(values)), int(max(values))
        of = ValueType("boolean", low=low, high=high, labels=values)
        return (lambda codes: Boolean(truths.take(codes), 0, 1)), of
    numbers = np.array(values, dtype=np.int64)
    low, high = min(values), max(values)
    texts = Categories([str(each) for each in values])

    def column(codes: NDArray[np.int32]) -> Column:
        return Integer(numbers.take(codes), low, high, None, Categorical(codes, texts))

    return column, ValueType("integer", low=low, high=high, labels=values)
