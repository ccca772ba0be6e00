"""Where plans are found: by the name of one that ships, a file, or a snapshot's folder."""

from pathlib import Path

from esdh_core.dataset import Dataset
from esdh_core.datasets import DEFAULT_DATASET
from esdh_core.datasets.catalog import VERSION

from esdh_plan import plans
from esdh_plan.errors import Fault, PlanError
from esdh_plan.language import draft_of
from esdh_plan.reader import read_bytes, read_draft
from esdh_plan.recipe import compile_plan, load_recipe

__all__ = ["load_plan"]


def load_plan(plan: str | Path) -> Dataset:
    """Return the dataset of a plan: a name that ships (`bank`), a YAML file, a recipe, or a snapshot's folder.

    A text without a slash and a suffix is a name. Raises PlanError with all faults of a plan, and for one that isn't there.

    >>> load_plan("bank").dataset_version
    'bank v1'
    """
    text = str(plan)
    if text == VERSION:
        return DEFAULT_DATASET
    if isinstance(plan, str) and "/" not in text and "\\" not in text and not Path(text).suffix:
        try:
            return compile_plan(draft_of(read_draft(plans.source(text), text)), plans.folder())
        except KeyError as unknown:
            raise _refused(
                text, f"{unknown.args[0]}; a file has a slash or a suffix, such as ./{text}.yaml"
            ) from None
    path = Path(plan)
    if path.is_dir():
        return _of_snapshot(path)
    if path.suffix == ".json":
        return load_recipe(_bytes(path), text)
    return compile_plan(draft_of(read_draft(read_bytes(path, text), text)), path.parent)


def _of_snapshot(folder: Path) -> Dataset:
    recipes = sorted(folder.glob("plan_*.json"))
    if len(recipes) != 1:
        found = "none" if not recipes else f"{len(recipes)} of them"
        raise _refused(
            str(folder), f"a snapshot of a plan has one recipe, plan_<name>.json; there is {found}"
        )
    return load_recipe(_bytes(recipes[0]), str(recipes[0]))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _refused(str(path), f"it can't be read: {error.strerror}") from error


def _refused(file: str, reason: str) -> PlanError:
    return PlanError(file, [Fault(0, 0, "", reason)])
