"""Where things are: the repository, and the demo's files in it."""

import os
from pathlib import Path

from esdh_core import DEFAULT_DATASET

from esdh_demo.errors import DemoError

__all__ = ["CONFIG", "Paths", "find_root"]

CONFIG = Path("config", "demo.yaml")


def find_root(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that has the demo's configuration.

    Raises DemoError where there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG).is_file():
            return folder
    raise DemoError(
        f"neither {start} nor a folder above it has {CONFIG.as_posix()}",
        remedy="run this inside the repository, or name the repository with --root",
    )


class Paths:
    """The repository's root, the folder that runs are kept in (`data/demo_runs` by default), and what is in them."""

    def __init__(self, root: Path, runs: Path | None = None) -> None:
        # Absolute, since commands are started in other folders.
        self.root = Path(os.path.abspath(root))  # noqa: PTH100 - links are kept
        self.runs = Path(os.path.abspath(runs or self.root / "data" / "demo_runs"))  # noqa: PTH100 - as above
        self.config = self.root / CONFIG
        self.log = self.runs / "demo_flow_log.jsonl"
        self.samples = self.root / "data" / "demo_samples" / DEFAULT_DATASET.dataset_version
        self.goldens = self.root / "tests" / "golden"

    def display(self, path: Path) -> str:
        """Return a path for people and logs: relative to the repository, or to the runs' folder outside it."""
        for base in (self.root, self.runs):
            if path.is_relative_to(base):
                return path.relative_to(base).as_posix()
        return path.name
