"""The lists of defects that requests can ask for by name: files that the settings name, and what plans list themselves."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from esdh_core import DEFAULT_DATASET, Dataset

from esdh_api.plans import as_settings_error, name_of
from esdh_api.settings import SettingsError

if TYPE_CHECKING:
    from esdh_core.overlay import Overlay

__all__ = ["OWN", "DefectList", "Lists", "open_defects"]

OWN: Final = "plan"
"""The name of the list that a plan has itself."""


class DefectList(NamedTuple):
    """A list of defects as an overlay of its dataset, and the file or folder that it is from: none for a plan's own."""

    overlay: "Overlay"
    reference: str | None

    @property
    def option(self) -> str:
        """The option by which `esdh` takes it: none for what a plan lists itself."""
        return "" if self.reference is None else f"--defects {shlex.quote(self.reference)}"

    @property
    def kinds(self) -> list[str]:
        """The kinds in it, in their order."""
        return list(dict.fromkeys(each.kind for each in self.overlay.defects))


Lists = Mapping[str, DefectList]
"""The lists of one dataset, by their names."""


def open_defects(
    references: Iterable[str], plans: Mapping[str, Dataset], plan_references: Iterable[str], first: Dataset
) -> dict[Dataset, Lists]:
    """Return the lists of each dataset that has some: those of its plan, and those that references name.

    A reference is a file or a snapshot's folder, with the name of the dataset and `=` before it where it would fit
    several. Of what is wrong with bytes and files nothing is taken, since answers are rows. `plans` are the datasets that are
    served by their names, in the order of `plan_references`, and `first` is the one that answers the calls without a name.
    Raises SettingsError for a reference that can't be taken.
    """
    found: dict[Dataset, dict[str, DefectList]] = {}
    for dataset, reference in zip(plans.values(), plan_references, strict=True):
        own = _of_plan(reference, dataset)
        if own is not None and (rows := own.of_rows()).defects:
            found[dataset] = {OWN: DefectList(rows, None)}
    served = {name_of(first): first, **plans}
    for reference in references:
        overlay, path = _open(reference, served)
        overlay = overlay.of_rows()
        if not overlay.defects:
            raise SettingsError(
                f"the defects of {path!r} are of files alone, and answers are rows; write a snapshot with them"
            )
        lists = found.setdefault(overlay.dataset, {})
        name = Path(path).resolve().name if Path(path).is_dir() else Path(path).stem
        if name in lists:
            known = lists[name].reference
            beside = f"those of {known!r}" if known is not None else "those that the plan itself lists"
            raise SettingsError(
                f"the defects of {path!r} would have the name {name!r}, as {beside}; requests ask for them by the name of "
                "their file: rename one"
            )
        lists[name] = DefectList(overlay, path)
    return dict(found)


def _of_plan(reference: str, dataset: Dataset) -> "Overlay | None":
    if dataset is DEFAULT_DATASET:  # which is no plan
        return None
    from esdh_plan.references import defects_of_plan

    with as_settings_error(f"plan {reference!r}"):
        return defects_of_plan(reference, dataset)


def _open(reference: str, served: Mapping[str, Dataset]) -> "tuple[Overlay, str]":
    """Return the overlay that a reference names, and its path."""
    # Late: a server without defects needs nothing of plans.
    from esdh_plan.errors import PlanError, near
    from esdh_plan.references import open_defects as opened

    name, separator, rest = reference.partition("=")
    named = bool(separator) and not {"/", "\\"} & set(name)  # else the path of a file with = in it
    path = rest if named else reference
    if named and name not in served:
        raise SettingsError(
            f"defects {reference!r} are for {name!r}, and no dataset of that name is served{near(name, served)}; there are "
            f"{', '.join(served)}"
        )
    with as_settings_error(f"defects {path!r}"):
        if named:
            return opened(path, served[name]), path
        fitting: list[Overlay] = []
        refusals: list[PlanError] = []
        for dataset in served.values():
            try:
                fitting.append(opened(path, dataset))
            except PlanError as error:
                refusals.append(error)
        if not fitting:  # of the dataset that it is most likely for
            raise min(refusals, key=lambda each: len(each.faults))
    if len(fitting) > 1:
        names = [each for each, dataset in served.items() if any(of.dataset is dataset for of in fitting)]
        raise SettingsError(
            f"the defects of {path!r} fit {' and '.join(names)}; say whose they are, such as --defects {names[0]}={path}"
        )
    return fitting[0], path
