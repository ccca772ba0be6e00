"""Run what must hold in other environments than the workspace's own, each made afresh.

`lowest`: the lowest version of every declared dependency, on Python 3.11. `pythons [X.Y...]`: every Python that
we support and that is installed here, or the ones that are named. `wheels`: the README's way for pip, and the wheels
by uvx on each of these Pythons. `guides`: the commands for outside tools in docs/CLI_USAGE.md. `plugin`: pytest-esdh
from its wheel, with core alone and beside other plugins, in the oldest and the newest pytest that it supports.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = sorted(
    path.parent for pattern in ("packages/*", "apps/*") for path in ROOT.glob(f"{pattern}/pyproject.toml")
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# What must hold everywhere: values, plans, manifest, snapshots in every format and their proof, every command.
CONTRACT = (
    "tests/golden",
    "tests/core",
    "tests/plan/test_compile.py",
    "tests/manifest",
    "tests/smoke",
    "tests/cli",
    "tests/console",
)
TEST = ("-m", "pytest", "-n", "auto", "--dist", "worksteal", *CONTRACT)
# What uses the dependencies that the contract doesn't: the API's, the demo's, and the tests' own.
REST = (
    "tests/api/test_routes.py",
    "tests/api/test_openapi.py",
    "tests/api/test_server.py",
    "tests/demo/test_config.py",
    "tests/demo/test_report.py",
    "tests/export/test_interop.py",
    "tests/export/test_remote.py",
    "tests/proof/test_verify.py",
)


def run(*command: str | Path, cwd: Path = ROOT, **variables: str) -> None:
    """Run a command; one that fails ends this program with its status."""
    # Bytecode is made when packages are installed: a warning of a foreign module's syntax is none of our tests'.
    own = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=own | variables | {"UV_COMPILE_BYTECODE": "1", "UV_PYTHON_DOWNLOADS": "never"},
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"`{' '.join(map(str, command))}` failed with exit status {done.returncode}")


def interpreters(version: str) -> Iterator[Path]:
    """Give the places where a Python may be: where uv finds it, then pyenv's."""
    found = subprocess.run(
        ["uv", "python", "find", "--no-python-downloads", "--no-project", "--system", version],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        yield Path(found.stdout.strip())
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"))


def environment(folder: Path, python: str | Path, requirements: Path, *options: str) -> Path:
    """Make an environment of some requirements and the workspace's members; return its Python."""
    run("uv", "venv", "--quiet", "--python", python, folder)
    within = ("--quiet", "--python", folder)
    run("uv", "pip", "sync", *within, *options, requirements)
    run(
        "uv",
        "pip",
        "install",
        *within,
        "--no-deps",
        *(part for each in MEMBERS for part in ("--editable", each)),
    )
    return next(path for path in (folder / "bin/python", folder / "Scripts/python.exe") if path.exists())


def lowest(scratch: Path) -> None:
    """Test with the lowest versions that the members and the development group declare."""
    python = next(interpreters(PYTHONS[0]), None)
    if python is None:
        raise SystemExit(f"the lowest versions are tested on Python {PYTHONS[0]}, which isn't installed here")
    requirements = scratch / "lowest.txt"
    run(
        *(
            "uv",
            "pip",
            "compile",
            "--quiet",
            "--no-header",
            "--resolution",
            "lowest-direct",
            "--python",
            python,
        ),
        *(part for each in MEMBERS for part in (each / "pyproject.toml", "--no-emit-package", _name(each))),
        *("--group", "pyproject.toml:dev", "--output-file", requirements),
    )
    made = environment(scratch / "environment", python, requirements)
    run(made, *TEST, *REST)


def pythons(scratch: Path, wanted: list[str]) -> None:
    """Test the contract on every supported Python that is installed, or on those that are named."""
    for version in wanted or PYTHONS:
        python = next(interpreters(version), None)
        if python is None:
            if wanted:
                raise SystemExit(f"Python {version} isn't installed here")
            print(f"Python {version}: not installed here", flush=True)
            continue
        print(f"Python {version}: {python}", flush=True)
        made = environment(scratch / version, python, ROOT / "requirements.txt", "--require-hashes")
        run(made, *TEST)


def block(document: str, after: str) -> str:
    """Return the first block of shell commands of a document after a text."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return text.split(after, 1)[1].split("\n```\n", 2)[1]


def wheels(scratch: Path) -> None:
    """Run what the README says of pip, in a copy of the repository, beside strangers who use our names."""
    copy = scratch / "repository"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "data", "__pycache__"))
    strangers = scratch / "strangers"
    for name in map(_name, MEMBERS):
        _publish_empty(strangers, name)
    commands = block("README.md", "## With pip")
    run("bash", "-euo", "pipefail", "-c", commands, cwd=copy, PIP_EXTRA_INDEX_URL=strangers.as_uri())
    made = copy / "esdh" / "bin"
    run(made / "pip", "check")
    run(made / "esdh", "generate-snapshot", "--quiet", "--output-dir", "snapshot", cwd=scratch)
    run(made / "esdh", "verify-snapshot", "--quiet", "snapshot", cwd=scratch)
    _run_wheels_by_uv(copy / "dist", scratch)


def _run_wheels_by_uv(dist: Path, scratch: Path) -> None:
    """Run the command from the wheels alone, far from the repository, on every Python that is supported and installed."""
    (command,) = dist.glob("esdh_cli-*.whl")
    for version in PYTHONS:
        python = next(interpreters(version), None)
        if python is None:
            print(f"Python {version}: not installed here", flush=True)
            continue
        esdh = ("uvx", "--quiet", "--python", python, "--find-links", dist, "--from", command, "esdh")
        folder = scratch / f"shop-{version}"
        run(*esdh, "generate-snapshot", "--plan", "shop", "--quiet", "--output-dir", folder, cwd=scratch)
        run(*esdh, "verify-snapshot", "--quiet", folder, cwd=scratch)


def guides(scratch: Path) -> None:
    """Run the commands of the guides for outside tools, each in an environment of what it names and no more."""
    snapshot = scratch / "snapshot"
    formats = ("--output-format", "csv", "json", "ndjson", "parquet")
    run("uv", "run", "esdh", "generate-snapshot", "--quiet", "--output-dir", snapshot, *formats)
    newest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"][
        "exclude-newer"
    ]
    every = block("docs/CLI_USAGE.md", "### For other tools")
    for command in every.splitlines():
        run("bash", "-c", command, cwd=snapshot, UV_EXCLUDE_NEWER=newest)
    python = (ROOT / "docs/CLI_USAGE.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    run("uvx", "--with", "pandas", "python", "-c", python, cwd=snapshot, UV_EXCLUDE_NEWER=newest)


# The project's own pytest is pinned; these are the oldest that pytest-esdh declares, and the newest there is.
PYTESTS = ("pytest==8.0.0", "pytest")
BESIDE = ("pytest-xdist", "pytest-randomly", "pytest-rerunfailures", "pytest-asyncio", "hypothesis")
ALONE = """
import sys
import pytest

@pytest.mark.esdh(records=3)
def test_record(esdh_record, esdh):
    assert esdh.persons(2)[0] != esdh_record.person
    assert not {"esdh_plan", "esdh_export", "pyarrow"} & sys.modules.keys()
"""


def plugin(scratch: Path) -> None:
    """Test pytest-esdh from built wheels: beside other plugins and the command, and with esdh-core alone."""
    wheels = scratch / "wheels"
    run("uv", "build", "--quiet", "--all-packages", "--wheel", "--out-dir", wheels)
    copy = scratch / "tests-alone"
    shutil.copytree(ROOT / "tests", copy / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, copy)
    (scratch / "alone").mkdir()
    (scratch / "alone" / "test_alone.py").write_text(ALONE, encoding="utf-8")
    newest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"][
        "exclude-newer"
    ]
    for number, version in enumerate(PYTESTS):
        for what, more in (("alone", ()), ("beside", ("pytest-esdh[plan]", "esdh-cli", *BESIDE))):
            folder = scratch / f"{what}-{number}"
            run("uv", "venv", "--quiet", folder)
            install = ("uv", "pip", "install", "--quiet", "--python", folder, "--find-links", wheels)
            run(*install, version, "pytest-esdh", *more, UV_EXCLUDE_NEWER=newest)
            python = next(
                path for path in (folder / "bin/python", folder / "Scripts/python.exe") if path.exists()
            )
            print(f"pytest-esdh {what}, {version}", flush=True)
            if more:
                run(python, "-m", "pytest", "-n", "2", "-p", "no:asyncio", "tests/plugin", cwd=copy)
            else:
                run(
                    python,
                    "-m",
                    "pytest",
                    "-q",
                    "-W",
                    "error",
                    "--strict-markers",
                    "test_alone.py",
                    cwd=scratch / "alone",
                )


def _name(member: Path) -> str:
    return str(tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"])


def _publish_empty(index: Path, name: str) -> None:
    """Put an empty package of a higher version on an index that is a folder."""
    module = name.replace("-", "_")
    folder = index / name
    folder.mkdir(parents=True)
    wheel = f"{module}-99.0-py3-none-any.whl"
    info = f"{module}-99.0.dist-info"
    with zipfile.ZipFile(folder / wheel, "w") as archive:
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>', encoding="utf-8")


def main() -> None:
    """Do what the command line names."""
    what, *rest = sys.argv[1:] or [""]
    with tempfile.TemporaryDirectory() as scratch:
        if what == "lowest":
            lowest(Path(scratch))
        elif what == "pythons":
            pythons(Path(scratch), rest)
        elif what == "wheels":
            wheels(Path(scratch))
        elif what == "guides":
            guides(Path(scratch))
        elif what == "plugin":
            plugin(Path(scratch))
        else:
            raise SystemExit(f"{what!r} is nothing to run; known are lowest, pythons, wheels, guides, plugin")


if __name__ == "__main__":
    main()
