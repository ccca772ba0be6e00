"""Reads the rows of a snapshot back, some at a time, from untrusted files.

Readers share nothing with the writers but the format. A file is never followed out of the folder, never
unpacked before its sizes are known, and never held in memory beyond a block. What can't be read is a
failure that names the row; the rows around it are read all the same.
"""

from esdh_proof.reading.document import LineRange, line_ranges, sections
from esdh_proof.reading.rows import Rows, manifest_names, regular
from esdh_proof.reading.table import TableReader

__all__ = [
    "LineRange",
    "Rows",
    "TableReader",
    "line_ranges",
    "manifest_names",
    "regular",
    "sections",
]
