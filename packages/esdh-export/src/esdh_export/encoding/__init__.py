"""Columns encoded: rows of text, Arrow arrays, and the content digest, each made once of a block's columns."""
