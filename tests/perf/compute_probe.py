"""What the cores can do with nothing but arithmetic: `python compute_probe.py N` draws and hashes N buffers."""

import hashlib
import sys

import numpy as np

WORDS = 65_536  # half a mebibyte, as a block's larger columns: it stays in the cache

generator = np.random.Philox(key=1)
digest = hashlib.sha256()
for _ in range(int(sys.argv[1])):
    digest.update(generator.random_raw(WORDS).data)
