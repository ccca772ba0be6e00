"""The flake study: seven ways to give a suite its data, under the same changes of circumstance (docs/FLAKE_STUDY.md).

`just flake-study` makes two environments, of libraries as they are and of others, then runs each arm 200 times, and goes on where
it was stopped: what is in docs/flake-study/*.csv isn't run again. `just flake-study --tables` prints the page's tables.
"""

import argparse
import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
RESULTS: Final = ROOT / "docs/flake-study"
BUILD: Final = ROOT / "build/flakes"  # which Git ignores
DAY: Final = date(2026, 11, 2)
# What a run of so small a suite needs not have, of pytest's own.
_QUIET: Final = ("no:cacheprovider", "no:unraisableexception", "no:threadexception", "no:doctest")


class Arm(NamedTuple):
    """A way to give data: its module, the plugins and options that it takes, and the modules that a run needs not import."""

    name: str
    module: str
    plugins: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


_FAKER: Final = ("faker", "faker.contrib.pytest.plugin", "factory")
ARMS: Final = (
    Arm("Faker, unseeded", "faker_unseeded", modules=_FAKER),
    Arm("Faker.seed in conftest", "faker_seeded", modules=_FAKER),
    Arm(
        "Faker's fixture, pytest-randomly",
        "faker_fixture",
        ("faker", "randomly"),
        modules=(*_FAKER, "pytest_randomly"),
    ),
    Arm("Mimesis, seeded", "mimesis_seeded", modules=("mimesis",)),
    Arm("factory_boy over Faker", "factory_boy", modules=_FAKER),
    Arm("checked-in CSV", "checked_in_csv"),
    Arm(
        "pytest-esdh",
        "esdh_rows",
        ("esdh",),
        ("-o", "esdh_plan=quotes.yaml"),
        ("pytest_esdh.plugin", "esdh_core", "esdh_plan.references"),
    ),
)
OURS: Final = ARMS[-1]
# How many of 200 runs have which change. Those that need processes of their own are fewer.
CIRCUMSTANCES: Final = {
    "nothing": 25,
    "order": 25,
    "subset": 25,
    "workers": 10,
    "test added": 25,
    "field added": 25,
    "library moved": 25,
    "hash seed": 15,
    "day": 25,
}
ROUNDS: Final = 5  # each with a fifth of every circumstance, so that a study that is stopped is a smaller one
# What moves: peers to an earlier release, ours to the first commit of the plugin that runs without
# pytest-xdist; 62 files of the three packages differ.
NOW: Final = ("faker==40.44.0", "mimesis==22.2.0", "factory-boy==3.3.3")
MOVED: Final = ("faker==40.1.0", "mimesis==19.1.0", "factory-boy==3.3.1")
OTHERS: Final = ("pytest==9.0.3", "pytest-randomly==5.0.0", "pytest-xdist==3.8.0", "time-machine==3.6.0")
NOW_COMMIT: Final = "efa965b"
MOVED_COMMIT: Final = "d5381b9"

FOLDERS: Final = {"": (), "test added": ("# test added: ",), "field added": ("# field added: ",)}
RUN_FIELDS: Final = ("arm", "run", "circumstance", "detail", "outcomes", "cpu")
FAILURE_FIELDS: Final = (
    "arm",
    "run",
    "circumstance",
    "test",
    "fault",
    "error",
    "report",
    "fails_again",
    "same_rows",
)
NIGHT_FIELDS: Final = ("night", "windows", "found", "tests", "faults", "cpu")

SEED_FIELDS: Final = ("arm", "seed", "circumstance", "outcomes")
SEEDED: Final = (
    ARMS[1],
    Arm("Faker's fixture alone", "faker_fixture_alone", ("faker",), modules=_FAKER),
    ARMS[3],
    OURS,
)
SWEPT: Final = ("nothing", "order", "field added", "day")
ANOTHER_DAY: Final = date(2027, 5, 21)


class Plan(NamedTuple):
    """A run: its number, the change of circumstance and what it is drawn from."""

    number: int
    circumstance: str

    @property
    def word(self) -> str:
        """What a run's order, subset and day are drawn from."""
        return f"{self.circumstance}/{self.number}"

    @property
    def round(self) -> int:
        """The round of the study that it is in."""
        return self.number // (sum(CIRCUMSTANCES.values()) // ROUNDS)

    @property
    def hash_seed(self) -> int:
        """Python's hash seed: one a round, another one where that is the change."""
        return 101 + self.round if self.circumstance == "hash seed" else 1

    @property
    def day(self) -> date:
        """The day of the run: always the same, or one of the next year."""
        return DAY + timedelta(Random(self.word).randint(1, 365)) if self.circumstance == "day" else DAY


def plans() -> list[Plan]:
    """Return all runs of an arm in order: rounds, and in each its share of every circumstance."""
    kinds = [
        kind for _ in range(ROUNDS) for kind, count in CIRCUMSTANCES.items() for _ in range(count // ROUNDS)
    ]
    return [Plan(number, kind) for number, kind in enumerate(kinds)]


class Forking:
    """A process that forks for each run."""

    def __init__(self, python: Path, arm: Arm, hash_seed: int) -> None:
        """Start it with a Python, for an arm, with a hash seed."""
        variables = {
            **os.environ,
            "PYTHONHASHSEED": str(hash_seed),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        variables.pop("PYTHONPATH", None)
        self._arm = arm
        self._process = subprocess.Popen(
            [python, HERE / "forking.py", "time_machine", "sqlite3", "calendar", *arm.modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
        )

    def run(
        self,
        folder: Path,
        arguments: Iterable[str],
        *,
        day: date = DAY,
        order: str = "",
        subset: str = "",
        seed: int | None = None,
    ) -> dict[str, Any]:
        """Run pytest in a folder; return what was recorded and the CPU seconds."""
        out, log = folder / "out.json", folder / "log.txt"
        out.unlink(missing_ok=True)
        study = {"out": str(out), "day": day.isoformat(), "order": order, "subset": subset}
        request = {
            "folder": str(folder),
            "arguments": [
                *(
                    part
                    for name in (*_QUIET, "recording", f"arms.{self._arm.module}")
                    for part in ("-p", name)
                ),
                *(part for name in self._arm.plugins for part in ("-p", name)),
                *self._arm.options,
                *("-c", str(folder / "pytest.ini"), "--tb=line", "--no-header", "--no-summary", "-qq"),
                *arguments,
            ],
            "variables": {
                "STUDY": json.dumps(study),
                **({} if seed is None else {"STUDY_SEED": str(seed)}),
            },
            "log": str(log),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        cpu = self._process.stdout.readline()
        recorded = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
        if not recorded.get("outcomes"):
            raise SystemExit(
                f"a run of {self._arm.name} ran no test:\n{log.read_text(encoding='utf-8')[-3000:]}"
            )
        return {**recorded, "cpu": float(cpu)}

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def lay_out(folder: Path) -> dict[str, Path]:
    """Write the application, its suite and the arms into folders, one for each state of the code."""
    laid = {}
    for change, marks in FOLDERS.items():
        target = laid[change] = folder / (change.replace(" ", "-") or "as-it-is")
        shutil.rmtree(target, ignore_errors=True)
        (target / "arms").mkdir(parents=True)
        for path in (
            *HERE.glob("arms/*.py"),
            *HERE.glob("*.yaml"),
            HERE / "quotes.py",
            HERE / "test_quotes.py",
        ):
            text = path.read_text(encoding="utf-8")
            for mark in marks:
                text = text.replace(mark, "").replace(mark.rstrip() + "\n", "\n")
            (target / path.relative_to(HERE)).write_text(text, encoding="utf-8")
        shutil.copy(HERE / "recording.py", target)
        shutil.copy(HERE / "claims.csv", target)
        rows = (HERE / "customers.csv").read_text(encoding="utf-8").splitlines()
        if change == "field added":
            rows = [f"{row},{'phone' if not at else f'555-{at:04}'}" for at, row in enumerate(rows)]
        (target / "customers.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        (target / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return laid


def execute(plan: Plan, process: Forking, folders: dict[str, Path]) -> dict[str, Any]:
    """Carry out a run."""
    arguments = ("-p", "xdist", "-n", "2") if plan.circumstance == "workers" else ()
    return process.run(
        folders.get(plan.circumstance, folders[""]),
        arguments,
        day=plan.day,
        order=plan.word if plan.circumstance == "order" else "",
        subset=plan.word if plan.circumstance == "subset" else "",
    )


def report_of(failure: dict[str, Any], seed: int | None) -> str:
    """Return the command that a failure's report gives: ours as it is printed, else node id and the seed of the header."""
    if failure["repeat"]:
        return str(failure["repeat"])
    return f"pytest {shlex.quote(failure['node'])}" + ("" if seed is None else f" --randomly-seed={seed}")


def repeat(report: str, process: Forking, folder: Path) -> dict[str, Any]:
    """Do what a report says, with the same code, on the next day."""
    return process.run(folder, shlex.split(report)[1:], day=DAY + timedelta(1))


def suite_tests() -> list[str]:
    """Return the names of the suite's tests, in order: what the outcomes of a run stand for."""
    text = (HERE / "test_quotes.py").read_text(encoding="utf-8")
    return re.findall(r"^def test_(\w+)", text, re.MULTILINE)


class Table:
    """A CSV file that rows are added to, so that a study that is stopped goes on."""

    def __init__(self, path: Path, fields: tuple[str, ...]) -> None:
        """Take the file, made with its head if it isn't there."""
        self._path, self._fields = path, fields
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(",".join(fields) + "\n", encoding="utf-8")

    def rows(self) -> list[dict[str, str]]:
        """Return what is in it."""
        with self._path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add rows in one write."""
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self._fields, lineterminator="\n").writerows(rows)


class Study:
    """The runs of all arms with their results."""

    def __init__(self, results: Path, scratch: Path, now: Path, moved: Path | None) -> None:
        """Take the folder of the results, one for the code, and the Pythons of the libraries as they are and moved."""
        self._now, self._moved = now, moved
        self.folders = lay_out(scratch / "code")
        self._kept = scratch / "esdh-failures.txt"
        self.runs = Table(results / "runs.csv", RUN_FIELDS)
        self.failures = Table(results / "failures.csv", FAILURE_FIELDS)
        self.nights = Table(results / "nights.csv", NIGHT_FIELDS)
        self.seeds = Table(results / "seeds.csv", SEED_FIELDS)

    def run(self, wanted: Iterable[Plan], arms: Iterable[Arm] = ARMS) -> None:
        """Run the arms, round by round, leaving out what was run."""
        done = {(row["arm"], int(row["run"])) for row in self.runs.rows()}
        chosen = [plan for plan in wanted if self._moved or plan.circumstance != "library moved"]
        for number in sorted({plan.round for plan in chosen}):
            for arm in arms:
                todo = [
                    plan for plan in chosen if plan.round == number and (arm.name, plan.number) not in done
                ]
                self._run_arm(arm, todo)
                if todo:
                    print(f"round {number + 1}: {arm.name}, {len(todo)} runs", flush=True)

    def _run_arm(self, arm: Arm, todo: list[Plan]) -> None:
        def key(plan: Plan) -> tuple[bool, int]:
            return plan.circumstance == "library moved", plan.hash_seed

        for moved, hash_seed in sorted({key(plan) for plan in todo}):
            python = self._moved if moved else self._now
            assert python is not None
            process = Forking(python, arm, hash_seed)
            colleague = Forking(python, arm, hash_seed + 1)
            try:
                for plan in todo:
                    if key(plan) == (moved, hash_seed):
                        self._note(arm, plan, execute(plan, process, self.folders), colleague)
            finally:
                process.stop()
                colleague.stop()

    def _note(self, arm: Arm, plan: Plan, recorded: dict[str, Any], colleague: Forking) -> None:
        failures = sorted(recorded["failures"], key=lambda each: str(each["node"]))
        failures = [each for each in failures if not each["test"].startswith("added_")]
        if failures:
            failure = Random(plan.word).choice(failures)
            report = report_of(failure, recorded["seed"])
            folder = self.folders.get(plan.circumstance, self.folders[""])
            again = repeat(report, colleague, folder)
            self.failures.add(
                [
                    {
                        "arm": arm.name,
                        "run": plan.number,
                        "circumstance": plan.circumstance,
                        "test": failure["test"],
                        "fault": failure["fault"],
                        "error": failure["error"],
                        "report": report,
                        "fails_again": int(again["outcomes"].get(failure["test"]) == "F"),
                        "same_rows": int(again["rows"].get(failure["test"]) == failure["rows"]),
                    }
                ]
            )
        tests = suite_tests()
        self.runs.add(
            [
                {
                    "arm": arm.name,
                    "run": plan.number,
                    "circumstance": plan.circumstance,
                    "detail": plan.day if plan.circumstance == "day" else "",
                    "outcomes": "".join(recorded["outcomes"].get(test, "-") for test in tests),
                    "cpu": recorded["cpu"],
                }
            ]
        )

    def sweep(self, seeds: int) -> None:
        """Run the arms that have a seed with others, since one may be lucky, under some of the changes."""
        done = {(row["arm"], int(row["seed"]), row["circumstance"]) for row in self.seeds.rows()}
        for arm in SEEDED:
            process = Forking(self._now, arm, 1)
            try:
                for seed in range(1, seeds + 1):
                    for circumstance in SWEPT:
                        if (arm.name, seed, circumstance) not in done:
                            self.seeds.add([_run_of_seed(process, arm, seed, circumstance, self.folders)])
            finally:
                process.stop()
            print(f"{seeds} seeds: {arm.name}", flush=True)

    def explore(self, nights: int, windows: int) -> None:
        """Explore night after night, with the file of failures that each leaves to the next."""
        done = [int(row["night"]) for row in self.nights.rows()]
        folder = self.folders[""]
        kept = self._kept
        process = Forking(self._now, OURS, 1)
        try:
            for night in range(len(done) + 1, nights + 1):
                if night > 1 and kept.exists():
                    shutil.copy(kept, folder / "esdh-failures.txt")
                recorded = process.run(
                    folder, ("--esdh-explore", str(windows), "--esdh-explore-word", f"night {night}")
                )
                tests = {each["test"] for each in recorded["failures"]}
                faults = {each["fault"] for each in recorded["failures"]}
                shutil.copy(folder / "esdh-failures.txt", kept)
                self.nights.add(
                    [
                        {
                            "night": night,
                            "windows": windows,
                            "found": len(recorded["failures"]),
                            "tests": len(tests),
                            "faults": "; ".join(sorted(faults)),
                            "cpu": recorded["cpu"],
                        }
                    ]
                )
                print(f"night {night}: {len(faults)} faults", flush=True)
        finally:
            process.stop()
            (folder / "esdh-failures.txt").unlink(missing_ok=True)


def _run_of_seed(
    process: Forking, arm: Arm, seed: int, circumstance: str, folders: dict[str, Path]
) -> dict[str, Any]:
    recorded = process.run(
        folders.get(circumstance, folders[""]),
        ("--esdh-seed", str(seed)) if arm == OURS else (),
        day=ANOTHER_DAY if circumstance == "day" else DAY,
        order=f"seed {seed}" if circumstance == "order" else "",
        seed=seed,
    )
    outcomes = "".join(recorded["outcomes"].get(test, "-") for test in suite_tests())
    return {"arm": arm.name, "seed": seed, "circumstance": circumstance, "outcomes": outcomes}


def environment(name: str, commit: str, peers: tuple[str, ...]) -> Path:
    """Make an environment of peers' releases and of wheels of a commit, if it isn't there; return its Python."""
    folder = BUILD / name
    python = folder / "bin/python"
    if (folder / "complete").exists():
        return python
    with tempfile.TemporaryDirectory() as scratch:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=False)
        if archive.returncode:
            raise SystemExit(f"commit {commit} isn't in this clone; `git fetch --unshallow` brings it")
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(scratch, filter="data")
        for member in ("esdh-core", "esdh-plan", "pytest-esdh"):
            build = ["uv", "build", "--quiet", "--wheel", "--package", member, "--out-dir", "dist"]
            subprocess.run(build, cwd=scratch, check=True)
        subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        wheels = map(str, sorted(Path(scratch).glob("dist/*.whl")))
        install = ["uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)]
        subprocess.run([*install, *wheels, *peers, *OTHERS], check=True)
    (folder / "complete").touch()
    return python


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=sum(CIRCUMSTANCES.values()), help="runs an arm [200]")
    parser.add_argument("--nights", type=int, default=10, help="explorations of ours [10]")
    parser.add_argument("--windows", type=int, default=20, help="windows of an exploration [20]")
    parser.add_argument("--seeds", type=int, default=20, help="other seeds of the arms that have one [20]")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the CSV files are")
    parser.add_argument("--tables", action="store_true", help="print the page's tables and run nothing")
    return parser.parse_args()


def spread(runs: int) -> Iterator[Plan]:
    """Yield so many runs: the first ones, or fewer of all circumstances for a trial."""
    if runs >= sum(CIRCUMSTANCES.values()) // ROUNDS:
        yield from plans()[:runs]
        return
    first = {plan.circumstance: plan for plan in reversed(plans())}
    yield from sorted(first.values())[:runs]


def main() -> None:
    """Run the study, or print its tables."""
    chosen = _arguments()
    if chosen.tables:
        from tables import write

        write(chosen.results)
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    now = environment("now", NOW_COMMIT, NOW)
    moved = environment("moved", MOVED_COMMIT, MOVED)
    study = Study(chosen.results, BUILD, now, moved)
    study.run(spread(chosen.runs))
    study.explore(chosen.nights, chosen.windows)
    study.sweep(chosen.seeds)


if __name__ == "__main__":
    main()
