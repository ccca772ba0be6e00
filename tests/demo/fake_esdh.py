"""An `esdh` that answers in a moment what the real one answered before: `fake_esdh.py STORE COMMAND...`."""

import json
import shutil
import sys
from pathlib import Path


def main() -> None:
    """Answer one command from what a real run has left in STORE."""
    store, command, arguments = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    answers = {"generate-snapshot": "api/generate.json", "verify-snapshot": "api/verify.json"}
    if command == "generate-snapshot":
        shutil.copytree(store / "snapshot", arguments[arguments.index("--output-dir") + 1])
    if command == "reproduce":
        record = json.loads((store / "api" / "record.json").read_text())
        print(json.dumps({"records": [record], "errors": []}))
    else:
        print((store / answers[command]).read_text())


if __name__ == "__main__":
    main()
