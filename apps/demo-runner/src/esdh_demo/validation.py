"""The validation: config, samples and goldens, before anybody is shown anything."""

import hashlib
import re

from esdh_demo.config import read_config
from esdh_demo.errors import DemoError
from esdh_demo.paths import Paths
from esdh_demo.samples import check_samples
from esdh_demo.server import serving
from esdh_demo.smoke import run_tests
from esdh_demo.steps import Run

__all__ = ["check_sums", "validate"]

_SUMS_LINE = re.compile(r"^([0-9a-f]{64})  ([^/\s]+)$", re.MULTILINE)


def validate(run: Run) -> None:
    """Hold the repository against what it promises; raises DemoError at the first thing that is wrong."""
    with run.step("config", "read config/demo.yaml") as step:
        profiles = read_config(run.session.paths).profiles
        step.counts = {"profiles": len(profiles)}
        step.found = f"profiles {', '.join(profiles)}"
    with run.step("samples", "compare the canned answers with the API's") as step:
        with serving(run, name="serve-samples") as server:
            server.health()
            step.counts = {"files": check_samples(server.post, run.session.paths)}
            server.stop()
        step.found = f"{step.counts['files']} canned answers are the API's"
    with run.step(
        "goldens", "make the pinned values again, and hold plan and rows against the schemas"
    ) as step:
        files = check_sums(run.session.paths)
        tests = run_tests(run, "goldens", str(run.session.paths.goldens.relative_to(run.session.paths.root)))
        step.counts = {"files": files} | tests
        step.found = f"{files} files unchanged, {step.counts['tests']} tests passed"


def check_sums(paths: Paths) -> int:
    """Return how many golden files are as their digests say, which is all that are there.

    Raises DemoError for one that is missing, was changed or isn't listed.
    """
    sums = paths.goldens / "SHA256SUMS"
    listed = {name: digest for digest, name in _SUMS_LINE.findall(sums.read_text(encoding="utf-8"))}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths.goldens.glob("*.json")
    }
    for name in sorted({*listed, *found}):
        if listed.get(name) != found.get(name):
            file = paths.display(paths.goldens / name)
            state = "was changed" if name in listed else "is not listed"
            raise DemoError(
                f"{file} {state if name in found else 'is missing'} (its digests are in {paths.display(sums)})",
                remedy=f"the values of a dataset version are fixed; put it back (git checkout {file})",
            )
    return len(found)
