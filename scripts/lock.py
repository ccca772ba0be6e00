"""Write requirements.txt, or with --check compare it with a fresh resolution.

uv.lock names registry addresses and stays out of the repository; `uv export` gives the same versions with
their hashes and no address. PySpark is left out, half a gigabyte that only `just test-spark` needs.
"""

import difflib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "requirements.txt"
HEADER = (
    "# Every version and hash of the workspace, all groups but spark. Written by `just lock`; do not edit.\n"
)


def resolved() -> str:
    """Return the requirements of a fresh resolution."""
    subprocess.run(["uv", "lock", "--quiet", "--upgrade"], cwd=ROOT, check=True)
    command = [
        "uv",
        "export",
        "--quiet",
        "--frozen",
        "--all-packages",
        "--all-groups",
        "--no-group=spark",
        "--no-emit-workspace",
        "--no-header",
    ]
    return HEADER + subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Write or check; return the exit status."""
    fresh = resolved()
    if "--check" not in sys.argv[1:]:
        COMMITTED.write_text(fresh, encoding="utf-8")
        return 0
    committed = COMMITTED.read_text(encoding="utf-8") if COMMITTED.exists() else ""
    if fresh == committed:
        return 0
    diff = difflib.unified_diff(
        committed.splitlines(), fresh.splitlines(), "requirements.txt", "fresh", lineterm="", n=0
    )
    sys.stderr.write(
        "\n".join([*list(diff)[:40], "requirements.txt is not a fresh resolution; run `just lock`\n"])
    )
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
