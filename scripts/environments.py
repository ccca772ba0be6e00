"""Run what must hold in other environments than the workspace's own, each made afresh.

`lowest`: the lowest version of every declared dependency, on Python 3.11. `pythons [X.Y...]`: every Python that
we support and that is installed here, or the ones that are named. `wheels`: the README's way for pip.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MEMBERS = sorted(
    path.parent for pattern in ("packages/*", "apps/*") for path in ROOT.glob(f"{pattern}/pyproject.toml")
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# What must hold everywhere: values, plan, manifest, snapshots in every format and their proof, every command.
CONTRACT = ("tests/golden", "tests/core", "tests/manifest", "tests/smoke", "tests/cli")
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


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command; one that fails ends this program with its status."""
    # Bytecode is made when packages are installed: a warning of a foreign module's syntax is none of our tests'.
    own = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        command, cwd=cwd, env=own | {"UV_COMPILE_BYTECODE": "1", "UV_PYTHON_DOWNLOADS": "never"}, check=False
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
    run(made, "-m", "pytest", *CONTRACT, *REST)


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
        run(made, "-m", "pytest", *CONTRACT)


def wheels(scratch: Path) -> None:
    """Install the command from wheels of this repository alone, in an empty environment, and use it."""
    dist, folder = scratch / "dist", scratch / "environment"
    run("uv", "build", "--quiet", "--all-packages", "--wheel", "--out-dir", dist)
    run("uv", "venv", "--quiet", "--seed", "--python", sys.executable, folder)
    made = folder / "bin"
    # The two commands of the README: ours from the wheels and from nowhere else, then what they need.
    ours = [f"{path}" for path in sorted(dist.glob("*.whl"))]
    run(made / "pip", "install", "--quiet", "--no-index", "--no-deps", *ours)
    run(made / "pip", "install", "--quiet", "--find-links", dist, "esdh-cli", "esdh-api")
    run(made / "pip", "check")
    run(made / "esdh", "generate-snapshot", "--quiet", "--output-dir", "snapshot", cwd=scratch)
    run(made / "esdh", "verify-snapshot", "--quiet", "snapshot", cwd=scratch)


def _name(member: Path) -> str:
    import tomllib

    return str(tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"])


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
        else:
            raise SystemExit(f"{what!r} is nothing to run; known are lowest, pythons, wheels")


if __name__ == "__main__":
    main()
