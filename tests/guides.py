"""What runs the examples of the guides: files that are written, diffs that are applied, commands that print what is shown."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

BLOCK = re.compile(r"^```(python|toml|yaml|diff|pycon|console) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MODULES = {
    "pytest": ["-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly"],
    "esdh": ["-m", "esdh_cli"],
    "python": [],
}


def apply_diff(path: Path, diff: str) -> None:
    """Change a file as a diff of one hunk says."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] or line for line in lines if not line.startswith("+")).rstrip("\n")
    after = "".join(line[1:] or line for line in lines if not line.startswith("-")).rstrip("\n")
    text = path.read_text(encoding="utf-8")
    assert 1 == text.count(before), f"{path.name} has this not once: {before}"
    path.write_text(text.replace(before, after), encoding="utf-8")


def follow(session: str, folder: Path, replaced: Mapping[str, str] = {}) -> None:
    """Run the commands of a session and hold what each prints against what the page shows: `...` stands for anything.

    `replaced` gives what stands here for a word of the page, in commands and in what they print.
    """
    environment = {**os.environ, "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        for word, own in replaced.items():
            command = command.replace(word, own)
        program, *arguments = shlex.split(command)
        done = subprocess.run(
            [sys.executable, *_MODULES[program], *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        place = 0
        for piece in shown.split("...\n"):
            assert piece in done.stdout[place:], (command, piece, done.stdout)
            place = done.stdout.index(piece, place) + len(piece)
        assert shown or done.returncode == 0, (command, done.stdout)
