"""The tests that a demo rests on: those marked `demo`, run as a user runs them."""

import xml.etree.ElementTree as ET
from pathlib import Path

from esdh_demo.errors import DemoError
from esdh_demo.steps import Run

__all__ = ["run_tests", "smoke"]


def smoke(run: Run) -> None:
    """Run the tests marked `demo`; raises DemoError when one fails or none is there."""
    with run.step("smoke", "run the tests marked `demo`") as step:
        step.counts = run_tests(run, "smoke", "-m", "demo", *_marked_files(run.session.paths.root))
        skipped = f", {step.counts['skipped']} skipped" if step.counts["skipped"] else ""
        step.found = f"{step.counts['tests']} tests passed{skipped}"


def _marked_files(root: Path) -> list[str]:
    """Return the test files that name the marker: collecting the others imports ten seconds of libraries."""
    files = sorted((root / "tests").rglob("test_*.py"))
    marked = [path for path in files if "mark.demo" in path.read_text(encoding="utf-8")]
    if not marked:
        raise DemoError("no test is marked `demo`", remedy="put the tests back from the repository")
    return [str(path.relative_to(root)) for path in marked]


def run_tests(run: Run, name: str, *arguments: str) -> dict[str, int]:
    """Run some of the repository's tests and return how many passed and were skipped.

    Raises DemoError, naming the first that failed, when one did or none ran.
    """
    report = run.folder / f"{name}.junit.xml"
    # No cache: a demo leaves nothing behind but its folder.
    options = (f"--junitxml={report}", "-o", "junit_family=xunit1", "-p", "no:cacheprovider")
    command = (*run.session.commands.pytest, *arguments, *options)
    run.processes.run(name, command, cwd=run.session.paths.root, ok=range(256))
    if not report.is_file():
        stderr = (run.folder / "logs" / f"{name}.stderr").read_text(encoding="utf-8", errors="replace")
        raise DemoError(
            f"the tests didn't run: {' '.join(stderr.split())[-400:] or 'pytest said nothing'}",
            remedy="install what they need (`uv sync`), or leave them out (--skip-smoke)",
        )
    suite = ET.parse(report).getroot()  # noqa: S314 - pytest has just written it
    tests, skipped = len(suite.findall(".//testcase")), len(suite.findall(".//testcase[skipped]"))
    if failed := suite.findall(".//testcase[failure]") + suite.findall(".//testcase[error]"):
        test = f"{failed[0].get('file') or failed[0].get('classname')}::{failed[0].get('name')}"
        raise DemoError(
            f"{len(failed)} of {tests} tests failed, the first is {test}",
            remedy=f"run it alone to see why: uv run pytest {test}; all of their output is in logs/{name}.stdout",
        )
    if tests == skipped:
        remedy = "the tests are in tests/ of the repository; see `just doctor`"
        raise DemoError(f"no test ran ({skipped} were skipped)", remedy=remedy)
    return {"tests": tests - skipped, "skipped": skipped}
