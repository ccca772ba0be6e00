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
    """The plan's tables: the root, the parent of each table in the tree, and the links of each table.

    Tables that are neither the root nor have a parent are fixed. `order` is the order of the source.
    """

    root: str
    parents: dict[str, str] = field(default_factory=dict)
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
        return table != self.root and table not in self.parents


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
        tree.links[table.name] = [_link(tree, tables, table, key) for key in table.foreign_keys]
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


def _find_parents(tree: Tree, tables: Mapping[str, SourceTable], inside: set[str]) -> None:
    """Give each table of the tree the strongest of its parents; where that is a cycle, cut its weakest edge."""
    ranked = {
        name: sorted(
            (
                key
                for key in tables[name].foreign_keys
                if key.table in inside | {tree.root} and key.table != name
            ),
            key=lambda key, table=tables[name]: _strength(table, key),  # type: ignore[misc]
            reverse=True,  # stable: the first written stands first among equals
        )
        for name in tables
        if name in inside
    }
    at = dict.fromkeys(ranked, 0)
    while True:
        tree.parents = {name: ranked[name][at[name]].table for name in ranked if at[name] < len(ranked[name])}
        cycle = _cycle(tree.parents)
        if cycle is None:
            return
        edges = [(name, ranked[name][at[name]]) for name in cycle]
        movable = [edge for edge in edges if at[edge[0]] + 1 < len(ranked[edge[0]])] or edges
        name, key = min(movable, key=lambda edge: _strength(tables[edge[0]], edge[1]))
        tree.notes.append(
            f"the foreign keys of {' -> '.join([*cycle, cycle[0]])} go round in a circle; "
            f"{name}.{', '.join(key.columns)} was cut: {name} doesn't hang below {key.table}"
        )
        at[name] += 1


def _cycle(parents: Mapping[str, str]) -> list[str] | None:
    for start in parents:
        path = [start]
        while (above := parents.get(path[-1])) is not None:
            if above in path:
                return path[path.index(above) :]
            path.append(above)
    return None


def _link(tree: Tree, tables: Mapping[str, SourceTable], table: SourceTable, key: ForeignKey) -> Link:
    other, name = key.table, table.name
    first = next((each for each in table.foreign_keys if each.table == tree.parents.get(name)), None)
    if key is first:
        return Link(key, How.PARENT)
    if other == name:
        how = How.EARLIER if name == tree.root else How.OWN if table.is_required(key) else How.NOTHING
    elif tree.is_fixed(other):
        how = How.PICK
    elif other == tree.root and other == tree.parents.get(name):
        how = How.EARLIER
    elif other in tree.ancestors(name):
        how = How.ANCESTOR
    elif name in tree.parents and tree.parents.get(other) == tree.parents[name]:
        how = How.SIBLINGS
    elif other == tree.root:
        how = How.EARLIER
    else:
        how = How.NOTHING
    if how is How.NOTHING:
        tree.notes.append(
            f"{name}.{', '.join(key.columns)} refers to {other}, which no pick of {name} can reach; it is null: decide "
            f"whether {other} is a fixed table, or {name} hangs below it"
        )
    return Link(key, how)


def _cut_fixed_cycles(tree: Tree, tables: Mapping[str, SourceTable]) -> None:
    """Cut the picks of fixed tables that would go round in a circle, at the weakest key."""
    while True:
        edges = {
            name: [link for link in links if link.how is How.PICK]
            for name, links in tree.links.items()
            if tree.is_fixed(name)
        }
        circle = _circle(edges)
        if circle is None:
            return
        name, link = min(circle, key=lambda edge: _strength(tables[edge[0]], edge[1].key))
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
