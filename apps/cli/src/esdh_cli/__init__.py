"""The esdh command: one file a command; each parses, calls one library function and prints."""

import gc
import os
import sys

# Imports make some hundred thousand objects and hardly a cycle, yet have Python look for cycles a hundred and fifty
# times: a twentieth of what a small snapshot takes. To look after as many new objects again is often enough for
# what a command leaves behind.
gc.set_threshold(500_000)

# Of Arrow's allocators the one that costs a large Parquet snapshot least, in time and in memory
# (docs/PERFORMANCE.md). Arrow reads this when it is imported, here and in the workers.
if sys.platform == "linux":
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "jemalloc")
