"""The demo's configuration: `config/demo.yaml` as Structs, read strictly, each refusal with its place."""

from typing import Annotated, Literal

import msgspec
from esdh_core import MAX_RECORDS, MAX_SEED
from esdh_plan.errors import PlanError, near
from esdh_plan.reader import convert, read_yaml_file
from msgspec import Meta, Struct

from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths

__all__ = ["Config", "Profile", "Runs", "Server", "read_config"]

_Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_Format = Literal["csv", "json", "ndjson", "parquet"]
_NAME = "lower-case letters, digits and hyphens, at most 31"
_Name = Annotated[
    str, Meta(pattern=r"^[a-z][a-z0-9-]{0,30}$", extra={"expected": _NAME})
]  # part of a folder's name


class Server(Struct, frozen=True):
    """The server that a run starts: its port (0: a free one), and seconds to start and to stop."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    start_seconds: _Seconds = 20
    stop_seconds: _Seconds = 10


class Runs(Struct, frozen=True):
    """The runs: how many are kept, and the seconds that one command may take."""

    keep: Annotated[int, Meta(ge=1, le=1_000)] = 5
    step_seconds: _Seconds = 300


class Profile(Struct, frozen=True, kw_only=True):
    """What a run generates; `seed` is an integer, or `random` to have one drawn and recorded."""

    description: Annotated[str, Meta(min_length=1)]
    records: Annotated[int, Meta(ge=1, le=MAX_RECORDS)]
    seed: Annotated[int, Meta(ge=0, le=MAX_SEED)] | Literal["random"]
    formats: Annotated[list[_Format], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Refuse what a run can't do with formats that are good on their own."""
        if len(set(self.formats)) < len(self.formats):
            raise ValueError(f"a format is given twice in `{', '.join(self.formats)}`")
        if self.formats == ["parquet"]:
            raise ValueError("parquet alone can't be compared with the API; add csv, json or ndjson")


class Config(Struct, frozen=True, kw_only=True):
    """The whole file."""

    server: Server = msgspec.field(default_factory=Server)
    runs: Runs = msgspec.field(default_factory=Runs)
    profiles: Annotated[dict[_Name, Profile], Meta(min_length=1)]

    def profile(self, name: str) -> Profile:
        """Return a profile by its name.

        Raises DemoError, with the near match, for one that the file doesn't have.
        """
        if name not in self.profiles:
            raise DemoError(
                f"{name!r} is no profile{near(name, self.profiles)}",
                remedy=f"the profiles are {', '.join(self.profiles)} (config/demo.yaml)",
            )
        return self.profiles[name]


def read_config(paths: Paths) -> Config:
    """Return the configuration of a repository.

    Raises DemoError, with the line of each fault, for a file that can't be read, is no YAML, gives a key twice, or has
    a key, a type or a value that can't be.
    """
    try:
        return convert(read_yaml_file(paths.config, paths.display(paths.config)), Config)
    except PlanError as error:
        remedy = "mend it there, or put the file back; docs/DEMO_READINESS.md tells every key"
        raise DemoError(str(error), remedy=remedy) from error
