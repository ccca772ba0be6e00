"""The plans that ship, by their names, with the locks of those that have pools."""

from importlib import resources
from pathlib import Path

from esdh_plan.errors import near

__all__ = ["folder", "names", "source"]


def names() -> tuple[str, ...]:
    """Return the names of the plans that ship, in alphabetical order."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml")))


def folder() -> Path:
    """Return where the plans are, and their locks beside them."""
    return Path(str(resources.files(__name__)))


def source(name: str) -> str:
    """Return the text of a plan that ships.

    Raises KeyError, with the near match, for a name that none has.
    """
    if name not in names():
        raise KeyError(f"no plan {name!r} ships{near(name, names())}")
    return resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
