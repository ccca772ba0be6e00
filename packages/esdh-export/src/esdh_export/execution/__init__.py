"""How shards are made: in this process, in workers, or by any executor."""
