"""Defects in the language of plans: one file a family of kinds, compiled to an overlay of a dataset."""
