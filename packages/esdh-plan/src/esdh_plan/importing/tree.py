"""How the tables of a source hang together in a plan: the root, the table above each, and how other keys get their values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from esdh_plan.errors import near
from esdh_plan.importing.errors import ImportSourceError
from esdh_plan.importing.model import ForeignKey, SourceSchema, SourceTable

__all__ = ["How", "Link", "Tree", "tree_of"]


class How(Enum):
    """How the columns of a foreign key get their values."""

    PARENT = "of the row above"
    ANCESTOR = "of a row further above"
    PICK = "of a row that is drawn from a fixed table"
    SIBLINGS = "of a row of another table below the same parent"
    EARLIER = "of an earlier record"
    OWN = "of the row itself"
    NOTHING = "null"


@dataclass(frozen=True)
class Link:
    """A foreign key with how its columns get their values."""

    key: ForeignKey
    how: How


@dataclass
class Tree:
    """The plan's tables: the root, the parents with the keys that tables hang by, and the links of each table.

    Tables that are neither the root nor have a parent have a fixed number of rows; what hangs below them is fixed too.
    """

    root: str
    parents: dict[str, str] = field(default_factory=dict)
    hung: dict[str, ForeignKey] = field(default_factory=dict)
    links: dict[str, list[Link]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def ancestors(self, table: str) -> list[str]:
        """Return the tables above one, the nearest first."""
        above = []
        while table in self.parents:
            table = self.parents[table]
            above.append(table)
        return above

    def is_fixed(self, table: str) -> bool:
        """Whether a table has the same rows whatever is asked for."""
        return [table, *self.ancestors(table)][-1] != self.root


def tree_of(schema: SourceSchema, root: str | None = None) -> Tree:
    """Return how a source's tables hang together; `root` is the root's name in the source.

    Raises ImportSourceError for a root that isn't there.
    """
    tables = {table.name: table for table in schema}
    if root is not None and root not in tables:
        raise ImportSourceError(f"there is no table {root!r} to be the root{near(root, tables)}")
    below = _below(schema)
    if root is None:
        root = max(tables, key=lambda name: len(below[name]))  # the first of several
    tree = Tree(root)
    _find_parents(tree, tables, below[root])
    for table in schema:
        tree.links[table.name] = [_link(tree, table, key) for key in table.foreign_keys]
    _cut_fixed_cycles(tree, tables)
    return tree


def _below(schema: SourceSchema) -> dict[str, set[str]]:
    """Return the tables that refer to each table, through any number of others, without itself."""
    children: dict[str, set[str]] = {table.name: set() for table in schema}
    for table in schema:
        for key in table.foreign_keys:
            if key.table != table.name:
                children[key.table].add(table.name)
    return {name: _reached(name, children) - {name} for name in children}


def _reached(name: str, children: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    rest = [name]
    while rest:
        for child in children[rest.pop()]:
            if child not in found:
                found.add(child)
                rest.append(child)
    return found


def _strength(table: SourceTable, key: ForeignKey) -> tuple[bool, bool, bool]:
    """Return how strong a key is: part of the primary key, NOT NULL, ON DELETE CASCADE, in this order."""
    return (
        any(name in table.primary_key for name in key.columns),
        table.is_required(key),
        key.cascades,
    )


def _parent_keys(
    root: str, table: SourceTable, tables: Mapping[str, SourceTable], inside: set[str]
) -> list[ForeignKey]:
    """Return the keys that a table may hang by, the strongest first.

    In the tree these are all keys to tables of the tree. Out of it, only a key that makes a row one of few: it is part of
    the primary key, or unique, which no pick can promise.
    """
    keys = [key for key in table.foreign_keys if key.table in tables and key.table != table.name]
    if table.name == root:
        return []
    if table.name in inside:
        keys = [key for key in keys if key.table in inside | {root}]
    else:
        keys = [
            key for key in keys if table.is_single(key) or not set(table.primary_key).isdisjoint(key.columns)
        ]
    return sorted(
        keys, key=lambda key: _strength(table, key), reverse=True
    )  # stable: the first written first


def _find_parents(tree: Tree, tables: Mapping[str, SourceTable], inside: set[str]) -> None:
    """Give each table the strongest of its parents; where that is a cycle, cut its weakest edge."""
    ranked = {name: _parent_keys(tree.root, table, tables, inside) for name, table in tables.items()}
    at = dict.fromkeys(ranked, 0)
    while True:
        tree.hung = {name: ranked[name][at[name]] for name in ranked if at[name] < len(ranked[name])}
        tree.parents = {name: key.table for name, key in tree.hung.items()}
        cycle = _cycle(tree.parents)
        if cycle is None:
            return
        movable = [name for name in cycle if at[name] + 1 < len(ranked[name])] or cycle
        name = min(movable, key=lambda name: _strength(tables[name], tree.hung[name]))
        key = tree.hung[name]
        tree.notes.append(
            f"the foreign keys of {' -> '.join([*cycle, cycle[0]])} go round in a circle; "
            f"{name}.{', '.join(key.columns)} was cut: {name} doesn't hang below {key.table}"
        )
        at[name] += 1


def _cycle(parents: Mapping[str, str]) -> list[str] | None:
    done: set[str] = set()
    for start in parents:
        path: dict[str, None] = {start: None}
        name = start
        while (above := parents.get(name)) is not None and name not in done:
            if above in path:
                names = list(path)
                return names[names.index(above) :]
            path[above] = None
            name = above
        done.update(path)
    return None


def _link(tree: Tree, table: SourceTable, key: ForeignKey) -> Link:
    """Return how the columns of a key get their values, with a note where they are null."""
    how = _how(tree, table, key)
    if how is How.NOTHING:
        tree.notes.append(_why_null(tree, table.name, key))
    return Link(key, how)


def _how(tree: Tree, table: SourceTable, key: ForeignKey) -> How:
    other, name = key.table, table.name
    if key is tree.hung.get(name):
        return How.PARENT
    if other == name:
        within = How.OWN if table.is_required(key) else How.NOTHING
        return How.EARLIER if name == tree.root else within
    if other in tree.ancestors(name):
        first = next(each for each in table.foreign_keys if each.table == other)
        is_another = other == tree.root and (other == tree.parents[name] or key is not first)
        return How.EARLIER if is_another else How.ANCESTOR
    if tree.is_fixed(other):
        return How.PICK
    if name in tree.parents and tree.parents.get(other) == tree.parents[name]:
        return How.SIBLINGS
    return How.NOTHING


def _why_null(tree: Tree, name: str, key: ForeignKey) -> str:
    what = f"{name}.{', '.join(key.columns)}"
    if key.table == name:
        return f"{what} refers to {name} itself, whose rows no pick of {name} can reach; it is null: decide what it holds"
    above = tree.ancestors(key.table)
    if name in above:
        circle = [name, key.table, *above[: above.index(name) + 1]]
        return (
            f"the foreign keys of {' -> '.join(circle)} go round in a circle; {what} was cut: "
            f"it is null, as {key.table} hangs below {name}"
        )
    return (
        f"{what} refers to {key.table}, which no pick of {name} can reach; it is null: decide whether "
        f"{key.table} is a fixed table, or {name} hangs below it"
    )


def _cut_fixed_cycles(tree: Tree, tables: Mapping[str, SourceTable]) -> None:
    """Cut the picks of fixed tables that would go round in a circle, at the weakest key."""
    while True:
        edges = {
            name: [link for link in links if link.how in (How.PICK, How.PARENT)]
            for name, links in tree.links.items()
            if tree.is_fixed(name)
        }
        circle = _circle(edges)
        if circle is None:
            return
        picks = [edge for edge in circle if edge[1].how is How.PICK]  # parents alone make no circle
        name, link = min(picks, key=lambda edge: _strength(tables[edge[0]], edge[1].key))
        tree.links[name] = [
            Link(each.key, How.NOTHING) if each is link else each for each in tree.links[name]
        ]
        names = [each for each, _ in circle]
        tree.notes.append(
            f"the foreign keys of {' -> '.join([*names, names[0]])} go round in a circle; "
            f"{name}.{', '.join(link.key.columns)} was cut: it is null"
        )


def _circle(edges: Mapping[str, list[Link]]) -> list[tuple[str, Link]] | None:
    """Return the edges of a circle of picks, None where there is none."""
    done: set[str] = set()
    for start in edges:
        path: list[tuple[str, Link]] = []
        if found := _walk(start, edges, path, done):
            return found
    return None


def _walk(
    name: str, edges: Mapping[str, list[Link]], path: list[tuple[str, Link]], done: set[str]
) -> list[tuple[str, Link]] | None:
    on_path = [each for each, _ in path]
    if name in on_path:
        return path[on_path.index(name) :]
    if name in done:
        return None
    for link in edges.get(name, ()):
        path.append((name, link))
        if found := _walk(link.key.table, edges, path, done):
            return found
        path.pop()
    done.add(name)
    return None
