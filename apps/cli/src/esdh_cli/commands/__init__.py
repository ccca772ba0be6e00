"""The commands of esdh, a module each."""
