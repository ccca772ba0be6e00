"""A Parquet file written again from the rows that the seed gives: byte for byte beside the file, or for its checksum."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import pyarrow as pa
from esdh_core import Table
from esdh_export import FORMATS, EncodedBlock, SnapshotRequest
from esdh_export.formats import Writer
from esdh_manifest import FileEntry

from esdh_proof.findings import Failure, Findings, display

__all__ = ["OURS", "ChecksumCopy", "OtherBytesError", "SideBySide", "is_of_this_arrow"]

OURS = f"parquet-cpp-arrow version {pa.__version__}"


class OtherBytesError(Exception):
    """Bytes that were taken for those that the seed gives are others: rows must be read."""


def is_of_this_arrow(path: Path) -> bool:
    """Return whether a Parquet file says that it was written by this version of Arrow; only then can its bytes be ours."""
    import pyarrow.parquet as pq  # which a snapshot without any needn't import

    try:
        return bool(pq.read_metadata(path).created_by == OURS)
    except (pa.ArrowException, OSError, ValueError):
        return False


def _writer(sink: object, request: SnapshotRequest, table: Table) -> Writer:
    writer: Writer = FORMATS["parquet"].Writer(sink, table, dataset=request.dataset, seed=request.seed)
    return writer


class _Sink:
    """A file for Arrow that is only ever written to."""

    closed = False

    def __init__(self) -> None:
        self._size = 0

    def write(self, data: bytes | memoryview) -> int:
        """Take bytes and return how many."""
        view = memoryview(data).cast("B")
        self._size += view.nbytes
        self._take(view)
        return view.nbytes

    def _take(self, view: memoryview) -> None:
        raise NotImplementedError

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """There is nothing to hand on."""

    def close(self) -> None:
        """There is nothing to close."""


class _Comparison(_Sink):
    """Holds what is written against the bytes of a file."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self.same = True

    def _take(self, view: memoryview) -> None:
        if self.same:
            self.same = pa.py_buffer(self._file.read(view.nbytes)).equals(pa.py_buffer(view))


class _Hash(_Sink):
    """Keeps nothing but the SHA-256 of what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.sha256 = hashlib.sha256()

    def _take(self, view: memoryview) -> None:
        self.sha256.update(view)


class SideBySide:
    """A Parquet file, and beside it the bytes that the seed gives; OtherBytesError as soon as they differ.

    Nothing of the file is unpacked. Its footer comes last, so only a file that was compared to its end is known.
    """

    def __init__(self, path: Path, request: SnapshotRequest, table: Table) -> None:
        self._file = path.open("rb")
        self._sink = _Comparison(self._file)
        self._writer = _writer(self._sink, request, table)

    def write(self, block: EncodedBlock) -> None:
        """Compare the bytes of a block's row group."""
        self._writer.write(block)
        self._check()

    def finish(self) -> None:
        """Compare what is left."""
        self._writer.close()
        self._check()
        if self._file.read(1):
            raise OtherBytesError

    def _check(self) -> None:
        if not self._sink.same:
            raise OtherBytesError

    def __enter__(self) -> "SideBySide":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sink.same = False  # Arrow's writer still writes a footer when it is collected
        self._file.close()


class ChecksumCopy:
    """One Parquet file, written again from the rows that the seed gives for its checksum alone."""

    def __init__(self, request: SnapshotRequest, table: Table) -> None:
        self._sink = _Hash()
        self._writer: Writer | None = _writer(self._sink, request, table)

    def add(self, block: EncodedBlock | None) -> None:
        """Add a block, None where the file's isn't what the seed gives: then the bytes can't be either."""
        if self._writer is None:
            return
        if block is None:
            self._writer.close()
            self._writer = None
        else:
            self._writer.write(block)

    def compare(self, file: Path, path: str, listed: FileEntry | None, findings: Findings) -> None:
        """Hold the checksum that the manifest lists, which the check of files holds, against that of the copy."""
        if self._writer is None:
            return
        self._writer.close()
        digest = self._sink.sha256.hexdigest()
        if (
            listed is None or listed.sha256 == digest
        ):  # a file that isn't listed has failed the check of files
            return
        import pyarrow.parquet as pq

        by = pq.read_metadata(file).created_by
        if by == OURS:
            failure = Failure(
                file=path, found=f"SHA-256 {listed.sha256}", expected=f"SHA-256 {digest}, as {OURS} gives"
            )
            findings.fail("regenerated", failure)
        else:
            findings.note(
                "regenerated",
                f"{path} holds the right rows in bytes that {display(by)} wrote; this is {OURS}",
            )
