"""Where a snapshot goes: a local folder that is replaced in one rename, or a prefix of an object store."""
