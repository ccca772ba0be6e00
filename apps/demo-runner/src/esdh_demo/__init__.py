"""The demo flow: the whole product, driven over its public interfaces."""
