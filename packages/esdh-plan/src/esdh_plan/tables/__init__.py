"""Tables that ship for plans beside those of the first dataset; `scripts/build_tables.py` builds them."""
