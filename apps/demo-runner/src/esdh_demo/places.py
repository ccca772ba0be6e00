"""Where things are: the repository, and the demo's files in it."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from esdh_core import DATASET_VERSION

from esdh_demo.errors import DemoError

__all__ = ["CONFIG", "Places", "find_root"]

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


@dataclass(frozen=True)
class Places:
    """The repository's root, and the folder that runs are kept in (`data/demo_runs` unless told)."""

    root: Path
    runs: Path = field(default=Path())

    def __post_init__(self) -> None:
        """Make both absolute: commands are started in other folders."""
        object.__setattr__(self, "root", Path(os.path.abspath(self.root)))  # noqa: PTH100 - links are kept
        given = self.runs if self.runs != Path() else self.root / "data" / "demo_runs"
        object.__setattr__(self, "runs", Path(os.path.abspath(given)))  # noqa: PTH100 - as above

    @property
    def config(self) -> Path:
        """The demo's configuration."""
        return self.root / CONFIG

    @property
    def journal(self) -> Path:
        """The log of every run."""
        return self.runs / "demo_flow_log.jsonl"

    @property
    def samples(self) -> Path:
        """The canned answers of the current dataset version."""
        return self.root / "data" / "demo_samples" / DATASET_VERSION

    @property
    def goldens(self) -> Path:
        """The pinned values."""
        return self.root / "tests" / "golden"

    def shown(self, path: Path) -> str:
        """Return a path for people and logs: relative to the repository, or to the runs' folder outside it."""
        for base in (self.root, self.runs):
            if path.is_relative_to(base):
                return path.relative_to(base).as_posix()
        return path.name
