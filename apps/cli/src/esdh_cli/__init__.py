"""The esdh command: one file a command; each parses, calls one library function and prints."""

import gc

# Imports make some hundred thousand objects and hardly a cycle, yet have Python look for cycles a hundred and fifty
# times: a twentieth of what a small snapshot takes. To look after as many new objects again is often enough for
# what a command leaves behind.
gc.set_threshold(500_000)
