"""What the fixture `esdh` gives: rows of any dataset, the next ones at every call."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from esdh_core.datasets.factory import TableMethods

from pytest_esdh.errors import EsdhError
from pytest_esdh.plans import Plan, table_of
from pytest_esdh.rows import Rows
from pytest_esdh.run import Run, Touched

if TYPE_CHECKING:
    from esdh_core import Dataset

__all__ = ["Esdh", "touched_record"]


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


def touched_record(plan: Plan, record: Any) -> Touched:
    """Return what there is to note of a whole record that is handed out: the row at its top."""
    origin, root = record.id, plan.dataset.root
    return Touched(plan, root.entity, origin.seed, origin.index // plan.dataset.table(origin.entity).span)
