"""What the fixture `esdh` gives: rows of any dataset, the next ones at every call."""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from esdh_core.datasets.factory import TableMethods

from pytest_esdh.errors import EsdhError
from pytest_esdh.plans import Plan, defects_module, table_of
from pytest_esdh.rows import Rows
from pytest_esdh.run import Run, Touched, defect_text

if TYPE_CHECKING:
    from esdh_core import Block, Dataset
    from esdh_plan.defects.single import WrongRow

__all__ = ["Esdh", "touched_record"]

_SEARCHED: Final = (
    1,
    63,
    4032,
)  # records that are looked through, one after another, for a row that a defect can strike


class Esdh(TableMethods):
    """Gives rows to the test or the fixture that calls it: the first of its window, then the next ones.

    Every table is a method: `esdh.accounts(2)` is `esdh.table("accounts", records=2)`.
    """

    def __init__(self, run: Run, plan: Plan | None = None) -> None:
        """Take the run, and the plan: that of the test's marker or of the run, unless one is given."""
        self._run = run
        self._plan = plan

    @property
    def dataset(self) -> "Dataset":
        """The dataset of the rows."""
        return self._opened.dataset

    def plan(self, reference: str | os.PathLike[str]) -> "Esdh":
        """Return this for another dataset: a plan that ships, a plan file (from pytest's root folder) or a snapshot's folder.

        Raises EsdhError, with the near match or the plan's faults, for one that can't be.
        """
        __tracebackhide__ = True
        return Esdh(self._run, self._run.plans.open(reference))

    def table(self, name: str, records: int | None = None) -> Rows[Any]:
        """Return a table's rows in the next `records` records (one, unless told); of a fixed table, all its rows.

        Raises EsdhError for a table that there isn't (with the near match), or more records than there are.
        """
        __tracebackhide__ = True
        plan = self._opened
        table = table_of(plan.dataset, name)
        if table.is_fixed and records is not None:
            raise EsdhError(
                f"{table.name} is a fixed table: it has the same {plan.dataset.table(table.top.name).rows} rows "
                "for all records, so leave out how many"
            )
        count = 0 if table.is_fixed else 1 if records is None else records
        values: list[Any] = []
        slots: list[int] = []
        for block in self._run.blocks(plan.dataset, count):
            of = plan.dataset.block_of(table, block)
            values += table.structs(of)
            slots += of.level(table).slots.tolist()
            seed = block.seed

        def touch(place: int) -> None:
            self._run.touch(Touched(plan, table.entity, seed, slots[place]))

        return Rows(values, touch)

    def record(self) -> Any:
        """Return the next record: the row of each table that has one a record, a list of those of each that has any number.

        Its fields are what a row of each table is called; the first, `id`, says seed and number.
        """
        __tracebackhide__ = True
        plan = self._opened
        (block,) = self._run.blocks(plan.dataset, 1)
        record = plan.dataset.record(block.start, block.seed)
        self._run.touch(touched_record(plan, record))
        return record

    def defect(
        self,
        table: str,
        *,
        kind: str,
        field: str | None = None,
        with_: str | None = None,
        before: str | None = None,
        fields: Sequence[str] | None = None,
        edits: int | None = None,
        where: str | None = None,
    ) -> "WrongRow":
        """Return a row of a table with a defect of a kind, and the clean one beside it; it is in the next record that has one.

        `field` is drawn among those that the kind fits, unless it is there, and so is `with_` of `swapped_fields`. `before`,
        `fields`, `edits` and `where` are as a list of defects has them.

        Raises EsdhError for a kind that there isn't, that is of files, or that doesn't fit, with what would; and where no row that
        is looked at can be struck.
        """
        __tracebackhide__ = True
        plan = self._opened
        single = defects_module(f"kind={kind!r}")
        try:
            able = single.defect_words(
                plan.dataset,
                table_of(plan.dataset, table),
                kind,
                field=field,
                with_=with_,
                before=before,
                fields=None if fields is None else list(fields),
                edits=edits,
                where=where,
            )
            for records in _SEARCHED:
                for block in self._run.blocks(plan.dataset, min(records, plan.dataset.max_records)):
                    draw = _draw(block, kind)
                    for at in range(len(able)):
                        words = able[(draw + at) % len(able)]
                        found: WrongRow | None = single.wrong_row(
                            plan.dataset, words, block, draw // len(able)
                        )
                        if found is not None:
                            self._run.touch(_touched_row(plan, found))
                            return found
        except single.UnfitError as error:
            raise EsdhError(str(error)) from None
        which = " on which `where` holds" if where else ""
        raise EsdhError(
            f"{kind!r} can change none of the rows of {table} in {sum(_SEARCHED):,} records{which}"
        )

    @property
    def _opened(self) -> Plan:
        __tracebackhide__ = True
        return self._plan or self._run.plans.open(self._run.marked_plan)

    def __getattr__(self, name: str) -> Callable[..., Rows[Any]]:
        __tracebackhide__ = True
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            table_of(self.dataset, name)
        except EsdhError as error:
            raise AttributeError(str(error)) from None

        def rows(records: int | None = None) -> Rows[Any]:
            __tracebackhide__ = True
            return self.table(name, records)

        return rows

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(table.name for table in self.dataset.tables)]

    def __repr__(self) -> str:
        return f"<Esdh of {self.dataset.dataset_version}>"


def _draw(block: "Block", kind: str) -> int:
    """Return what decides which field, and which row, of a block is struck."""
    digest = hashlib.sha256(f"esdh defect/1\n{block.seed}\n{block.start}\n{kind}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _touched_row(plan: Plan, found: "WrongRow") -> Touched:
    """Return what there is to note of a wrong row: the clean one, and the defect."""
    origin = plan.dataset.decode(found.id)
    return Touched(plan, origin.entity, origin.seed, origin.index, defect_text(found.words))


def touched_record(plan: Plan, record: Any) -> Touched:
    """Return what there is to note of a whole record that is handed out: the row at its top."""
    origin, root = record.id, plan.dataset.root
    return Touched(plan, root.entity, origin.seed, origin.index // plan.dataset.table(origin.entity).span)
