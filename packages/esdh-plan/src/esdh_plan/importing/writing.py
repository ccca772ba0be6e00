"""A plan's text, written from what a source says of its tables, with a comment for all that was decided."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from esdh_plan.importing.model import ForeignKey, SourceColumn, SourceSchema, SourceTable
from esdh_plan.importing.names import field_name, table_name
from esdh_plan.importing.suggest import Picks, Suggestion, key_capacity, key_rule, sibling_rule, suggestion
from esdh_plan.importing.tree import How, Link, Tree
from esdh_plan.importing.yaml_text import comment, scalar
from esdh_plan.rules.pattern import Pattern

__all__ = ["FIXED_ROWS", "ImportedPlan", "write_plan"]

FIXED_ROWS = 50
"""Rows of a table that hangs below no other, until its user says how many there are."""
_CHILDREN = 3
_RECORDS = 1_000
_MISSING = "5%"
_MOST_DESCRIPTION = 2_000


@dataclass
class ImportedPlan:
    """A plan's text, and the notes on what a plan can't express or a user should decide."""

    text: str
    notes: list[str] = field(default_factory=list)


def write_plan(schema: SourceSchema, tree: Tree, unproved: frozenset[str] = frozenset()) -> ImportedPlan:
    """Return the plan of a source; `unproved` are tables whose `key` the compiler can't prove, by their names here."""
    writer = _Writer(schema, tree, unproved)
    return ImportedPlan("\n".join(writer.lines()) + "\n", writer.notes)


class _Writer:
    def __init__(self, schema: SourceSchema, tree: Tree, unproved: frozenset[str]) -> None:
        self.schema = schema
        self.tree = tree
        self.unproved = unproved
        self.notes = [*schema.notes, *tree.notes]
        self.tables: dict[str, str] = {}
        self.fields: dict[str, dict[str, str]] = {}
        for table in schema:
            self.tables[table.name] = table_name(table.name, set(self.tables.values()))
            fields: dict[str, str] = {}
            for column in table.columns:
                fields[column.name] = field_name(column.name, set(fields.values()))
            self.fields[table.name] = fields

    def slots(self, name: str) -> int:
        """Return how many rows a table may have for 1,000 records."""
        if name not in self.tree.parents:
            return FIXED_ROWS if self.tree.is_fixed(name) else _RECORDS
        return self.slots(self.tree.parents[name]) << (self.most_children(name) - 1).bit_length()

    def most_children(self, name: str) -> int:
        """Return the most rows below one parent: fewer than usual where that lets its keys have values enough."""
        table = self.schema.table(name)
        if table.is_single(self.tree.hung[name]):
            return 1
        linked = {column for key in table.foreign_keys for column in key.columns}
        keys = [
            c for c in table.columns if (c.unique or table.primary_key == (c.name,)) and c.name not in linked
        ]
        capacity = min((most for c in keys if (most := key_capacity(c)) is not None), default=None)
        above = self.slots(self.tree.parents[name])
        if capacity is None or capacity <= above:
            return _CHILDREN
        return min(_CHILDREN, 1 << ((capacity // above).bit_length() - 1))

    def lines(self) -> Iterator[str]:
        """Yield the lines of the plan."""
        yield comment("Made by `esdh import-plan`, from a schema alone: no row of data was read.")
        yield comment(f"`missing: {_MISSING}` stands where a column may be null: say how often it is.")
        yield "esdh: plan/1"
        yield f"name: {self.schema.name}"
        yield "version: 1"
        yield "reference_date: 2024-06-01  # what `today` means; set the day that you like"
        for note in self.notes:
            yield comment(note)
        yield ""
        yield "tables:"
        for table in self.schema:
            yield from _TableWriter(self, table).lines()


class _TableWriter:
    """Writes one table: its place in the tree, its picks and its fields."""

    def __init__(self, plan: _Writer, table: SourceTable) -> None:
        self.plan, self.tree, self.table = plan, plan.tree, table
        self.name = plan.tables[table.name]
        self.fields = plan.fields[table.name]
        self.picks: dict[str, str] = {}
        above = {plan.tables[each] for each in self.tree.ancestors(table.name)}
        self._taken = above | set(self.fields.values())
        self._shipped = Picks(lambda name: name in self._taken)
        self._links: dict[str, tuple[Link, str]] = {}
        self._take_links()

    def _take_links(self) -> None:
        """Say for each column of a foreign key which key it follows: the strongest that it is part of."""
        links = self.tree.links[self.table.name]
        for link in sorted(links, key=lambda link: link.how is not How.PARENT):
            pick = ""
            if link.how in (How.PICK, How.SIBLINGS, How.EARLIER):
                pick = self._pick_name(link.key)
                self.picks[pick] = self._pick(link)
            for own, other in zip(link.key.columns, link.key.references, strict=True):
                if own not in self._links:
                    self._links[own] = (link, self._expression(link, pick, own, other))

    def _pick_name(self, key: ForeignKey) -> str:
        own = self.fields[key.columns[0]]
        name = (
            own.removesuffix("_id").removesuffix("_code").removesuffix("_no") if len(key.columns) == 1 else ""
        )
        name = name or self.plan.tables[key.table]
        taken = self._taken | set(self.picks) | set(self._shipped.names.values())
        return field_name(name if name not in taken else f"{name}_row", taken)

    def _pick(self, link: Link) -> str:
        source = self.plan.tables[link.key.table]
        if link.how is How.SIBLINGS:
            return f"{{from: {source}, among: siblings}}"
        if link.how is How.EARLIER:
            return f"{{from: {source}, among: earlier}}"
        if self._is_link_table(link):
            return f"{{from: {source}, distinct: true}}"
        return f"{{from: {source}}}"

    def _is_link_table(self, link: Link) -> bool:
        """Whether the primary key is the parent's key and this one, so that siblings need different partners."""
        parent = self.tree.parents.get(self.table.name)
        above = next((each for each in self.tree.links[self.table.name] if each.how is How.PARENT), None)
        if parent is None or above is None:
            return False
        keys = [self.table.primary_key, *self.table.uniques]
        return any(set(key) == {*above.key.columns, *link.key.columns} for key in keys)

    def _expression(self, link: Link, pick: str, own: str, other: str) -> str:
        column = self.plan.fields[link.key.table][other]
        required = self.table.is_required(link.key)
        match link.how:
            case How.PARENT:
                return f"parent.{column}"
            case How.ANCESTOR:
                return f"{self.plan.tables[link.key.table]}.{column}"
            case How.OWN:
                return self.fields[other] if other != own else ""
            case How.NOTHING:
                return ""
            case How.EARLIER if required:  # the first record has none before it
                is_own = link.key.table == self.table.name
                instead = self.fields[other] if is_own else f"{self.plan.tables[self.tree.root]}.{column}"
                return f"coalesce({pick}.{column}, {instead})"
            case _:
                return f"{pick}.{column}"

    # --- lines

    def lines(self) -> Iterator[str]:
        """Yield the lines of the table."""
        was = f"  {comment('was ' + self.table.name)}" if self.name != self.table.name else ""
        fields = list(self._field_lines())  # which tell the picks
        self._note_uniques()
        yield f"  {self.name}:{was}"
        if self.table.comment:
            yield f"    description: {scalar(_cut(self.table.comment))}"
        for note in self.table.notes:
            self.plan.notes.append(f"{self.table.name}: {note}")
            yield f"    {comment(note)}"
        yield from self._place()
        yield from self._key_lines()
        if self.picks:
            yield "    pick:"
            yield from (f"      {name}: {pick}" for name, pick in self.picks.items())
        yield "    fields:"
        yield from fields

    def _place(self) -> Iterator[str]:
        if self.table.name == self.tree.root:
            yield f"    {comment('The root: `--records N` makes N of its rows.')}"
            return
        parent = self.tree.parents.get(self.table.name)
        if parent is None:
            rows = self._rows(self.table)
            self.plan.notes.append(f"{self.table.name} is a fixed table of {rows} rows; say how many it has")
            yield f"    rows: {rows}  {comment('a fixed table: say how many rows it has')}"
            return
        yield f"    per: {self.plan.tables[parent]}"
        if not self.table.is_single(self.tree.hung[self.table.name]):
            most = self._most_children()
            few = ", where its key has few values" if most < _CHILDREN else ""
            yield f"    count: {{from: 1, to: {most}}}  {comment('say how many each ' + parent + ' has' + few)}"

    def _most_children(self) -> int:
        """Return the most rows below one parent: no more than the rows that `distinct` picks draw from."""
        sources = [link.key.table for link in self.tree.links[self.table.name] if self._is_link_table(link)]
        most = self.plan.most_children(self.table.name)
        return min([most, *(self._rows(self.plan.schema.table(name)) for name in sources)])

    @staticmethod
    def _rows(table: SourceTable) -> int:
        """Return the rows of a fixed table: fewer where a key has fewer values."""
        rows = FIXED_ROWS
        for name in (*table.primary_key, *(each.name for each in table.columns if each.unique)):
            column = table.column(name)
            if column.labels:
                rows = min(rows, len(column.labels))
            elif column.pattern is not None:
                rows = min(rows, Pattern(column.pattern).capacity)
            elif column.kind == "string" and column.length is not None:
                rows = min(rows, 36 ** min(column.length, 2))
        return rows

    def _key_lines(self) -> Iterator[str]:
        key = self.table.primary_key
        if not key:
            return
        names = ", ".join(self.fields[name] for name in key)
        if self.name in self.plan.unproved:
            why = f"the primary key of {self.table.name} ({', '.join(key)}) can't be proved to be unique; it isn't declared"
            self.plan.notes.append(why)
            yield f"    {comment(why)}"
        else:
            yield f"    key: [{names}]"

    def _note_uniques(self) -> None:
        """Note unique columns whose values a pick or other columns decide."""
        for names in [*self.table.uniques, *((each.name,) for each in self.table.columns if each.unique)]:
            if not self._is_held(names):
                self.table.notes.append(f"({', '.join(names)}) is unique there; values may come twice here")

    def _is_held(self, names: tuple[str, ...]) -> bool:
        links = [self._links[name][0] for name in names if name in self._links]
        if len(links) < len(names):
            return len(names) == 1 or any(self.table.column(name).unique for name in names)
        if any(link.how is How.PARENT and set(names) >= set(link.key.columns) for link in links):
            return self.table.is_single(links[0].key) or any(map(self._is_link_table, links))
        return all(link.how is How.NOTHING for link in links)

    def _field_lines(self) -> Iterator[str]:
        for column in self.table.columns:
            found = self._rule(column)
            for pick in found.picks:
                self.picks.setdefault(self._shipped.names[pick], Picks.sources[pick])
            name = self.fields[column.name]
            why = [found.why] if found.why else []
            if name != column.name:
                why.insert(0, f"was {column.name}")
            for note in column.notes:
                self.plan.notes.append(f"{self.table.name}.{column.name}: {note}")
            if column.default and not column.labels:
                why.append(f"default there: {column.default}")
            why += column.notes
            end = f"  {comment('; '.join(why))}" if why else ""
            yield f"      {name}: {self._modified(column, found.rule)}{end}"

    def _modified(self, column: SourceColumn, rule: str) -> str:
        """Return a rule with its modifiers; an expression alone needs no braces."""
        modifiers = []
        free = column.name not in self._links and column.name not in self.table.primary_key
        if column.nullable and free and "unique: true" not in rule and "id: true" not in rule:
            modifiers.append(f"missing: {_MISSING}")
        if column.comment:
            modifiers.append(f"description: {scalar(_cut(column.comment))}")
        if rule.startswith("{"):
            return rule[:-1] + "".join(f", {each}" for each in modifiers) + "}"
        if not modifiers:
            return rule if _is_plain(rule) else scalar(rule)
        return "{" + ", ".join([f"expr: {scalar(rule)}", *modifiers]) + "}"

    def _rule(self, column: SourceColumn) -> Suggestion:
        if column.name in self._links:
            link, expression = self._links[column.name]
            words = f"refers to {link.key.table}"
            return Suggestion(expression, words) if expression else _empty(column, words)
        key = self.table.primary_key
        completes = column.name in key and not column.unique and self._numbers_siblings(column)
        if completes and (found := sibling_rule(column, slots=self._slots())):
            return found
        if column.unique or (column.name in key and not self._is_proved_without(column)):
            return key_rule(column, slots=self._slots(), in_order=self.table.name not in self.tree.parents)
        return suggestion(column, self.table.name, self._shipped)

    def _is_proved_without(self, column: SourceColumn) -> bool:
        """Whether other columns of the primary key are unique already: one unique column is enough."""
        key = self.table.primary_key
        own = [name for name in key if name not in self._links]
        return own.index(column.name) > 0 and not self.table.column(own[0]).labels

    def _slots(self) -> int:
        """Return how many rows there may be for 1,000 records."""
        name = self.table.name
        is_counted = name in self.tree.parents or name == self.tree.root
        return self.plan.slots(name) if is_counted else self._rows(self.table)

    def _numbers_siblings(self, column: SourceColumn) -> bool:
        """Whether the rest of the primary key is the parent's, so that a number among siblings completes it."""
        rest = [name for name in self.table.primary_key if name != column.name]
        return bool(rest) and all(
            name in self._links and self._links[name][0].how is How.PARENT for name in rest
        )


def _empty(column: SourceColumn, words: str) -> Suggestion:
    """Return a rule that gives null in every row."""
    bounds = {"integer": "0, to: 0", "decimal": f"0, to: 0, scale: {column.scale or 0}"}
    if column.kind in ("integer", "decimal"):
        rule = f"{{{column.kind}: {{from: {bounds[column.kind]}}}, missing: 100%}}"
    elif column.kind in ("date", "timestamp"):
        rule = f"{{{column.kind}: {{from: today, to: today}}, missing: 100%}}"
    else:
        rule = "{value: '-', missing: 100%}"
    return Suggestion(rule, f"{words}; null until you decide (see above)")


def _is_plain(expression: str) -> bool:
    """Whether an expression is read as text without quotes."""
    return (
        not any(sign in expression for sign in "'\"#:{}[],&*!|>%@`")
        or expression.replace("_", "a")
        .replace(".", "a")
        .replace("(", "a")
        .replace(")", "a")
        .replace(",", "a")
        .replace(" ", "a")
        .isalnum()
    )


def _cut(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MOST_DESCRIPTION]
