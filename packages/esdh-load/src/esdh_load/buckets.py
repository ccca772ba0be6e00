"""Rows by the number of the bucket that they belong to, in whatever order they come, with a bound on memory."""

import tempfile
from collections import defaultdict

import pyarrow as pa

__all__ = ["Buckets"]

_MOST_BYTES = 64 << 20  # of rows in memory; more are written to a temporary file


class Buckets:
    """Batches of rows by bucket; those that are more than memory may hold stand in a file that has no name."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._held: defaultdict[int, list[pa.RecordBatch]] = defaultdict(list)
        self._rows: defaultdict[int, int] = defaultdict(int)
        self._written: defaultdict[int, list[tuple[int, int]]] = defaultdict(
            list
        )  # places and sizes in the file
        self._schema: pa.Schema | None = None
        self._file = tempfile.TemporaryFile(prefix="esdh-")  # noqa: SIM115 - open as long as this object is in use

    def add(self, number: int, rows: pa.RecordBatch) -> None:
        """Add rows to a bucket; all have one schema."""
        self._held[number].append(rows)
        self._rows[number] += len(rows)
        self._bytes += rows.nbytes
        if self._bytes > self._most_bytes:
            self._write()

    def count(self, number: int) -> int:
        """Return how many rows a bucket has."""
        return self._rows.get(number, 0)

    def take(self, number: int) -> list[pa.RecordBatch]:
        """Return the rows of a bucket, in the order in which they came, and let go of them."""
        rows = []
        for start, size in self._written.pop(number, ()):
            self._file.seek(start)
            rows.append(pa.ipc.read_record_batch(pa.py_buffer(self._file.read(size)), self._schema))
        held = self._held.pop(number, [])
        self._bytes -= sum(each.nbytes for each in held)
        self._rows.pop(number, None)
        return rows + held

    def _write(self) -> None:
        """Write all that is in memory to the end of the file, where it stays until the end."""
        start = self._file.seek(0, 2)
        for number, held in self._held.items():
            self._schema = held[0].schema
            for piece in pa.Table.from_batches(held).combine_chunks().to_batches():
                data = piece.serialize()
                self._file.write(data)
                self._written[number].append((start, data.size))
                start += data.size
        self._held.clear()
        self._bytes = 0

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
