"""`esdh-demo` with other commands in the place of the real ones: `driver.py COMMANDS-AS-JSON ARGUMENT...`."""

import json
import sys

from esdh_demo.command import main
from esdh_demo.processes import Commands

if __name__ == "__main__":
    main(
        sys.argv[2:], obj=Commands(**{name: tuple(words) for name, words in json.loads(sys.argv[1]).items()})
    )
