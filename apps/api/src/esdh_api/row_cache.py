"""Encoded rows that one request has needed and the next may: a store of bounded size, and what windows take out of it."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from threading import Lock
from typing import NamedTuple, Protocol

import numpy as np
from esdh_core import Block, Dataset, Table

from esdh_api.requests import Window
from esdh_api.rows import Structs, block_structs

__all__ = ["Chunk", "Encode", "Key", "Part", "RowCache", "Rows", "Selection"]

_CHUNK_ROWS = 32  # of all tables: what a request for one record makes beyond what it needs
_PROTECTED = 0.75  # of the cache: the most for chunks that have been asked for again
_CHUNK_BYTES, _TEXT_BYTES, _FIRST_BYTES = 1_000, 41, 36  # what Python needs beside the text itself


class Encode(Protocol):
    """Gives the rows of a table over a block, each as the text that an answer has of it."""

    def __call__(self, table: Table, block: Block, structs: Structs, /) -> list[bytes]:
        """Encode what `structs` gives of them."""


class Part(NamedTuple):
    """What is wanted of each record: the rows of a table, as texts."""

    table: Table
    encode: Encode


class Chunk(NamedTuple):
    """Some consecutive records of a dataset and a seed, as far as requests have needed them.

    `texts` has the rows of each part. `firsts` has for each table with any number of rows a record the place of every
    record's first row, and after them the number of rows.
    """

    texts: dict[Part, list[bytes]]
    firsts: dict[Table, list[int]]

    def rows(self, table: Table, start: int, stop: int) -> slice:
        """Return where the rows of records `start` to `stop - 1` of the chunk stand among a table's."""
        firsts = self.firsts.get(table)
        return slice(start, stop) if firsts is None else slice(firsts[start], firsts[stop])


Key = tuple[Dataset, Table, int, int]
"""A chunk's dataset, the table without parent that its records are rows of, its seed and its number."""


class RowCache:
    """Chunks by key, those longest unused forgotten first; safe to use from several threads.

    A new chunk is on probation until it is asked for again, and only chunks on probation make room for new ones while
    there are any: many requests for seeds that nobody asks for again leave alone what is asked for all the time
    (the segmented LRU of Karedla, Love and Wherry, "Caching strategies to improve disk system performance", Computer
    27, 1994).
    """

    def __init__(self, limit: int) -> None:
        """Take the most bytes that all chunks may take together; 0 for a cache that keeps nothing."""
        self.limit = limit
        self._lock = Lock()
        self._probation: OrderedDict[Key, tuple[Chunk, int]] = OrderedDict()
        self._protected: OrderedDict[Key, tuple[Chunk, int]] = OrderedDict()
        self._bytes = self._protected_bytes = 0

    @property
    def size(self) -> int:
        """The bytes that all chunks take together, about."""
        return self._bytes

    def get(self, keys: Iterable[Key]) -> list[Chunk | None]:
        """Return chunks, None for those that there aren't; one that was asked for twice is protected from then on."""
        with self._lock:
            return list(map(self._get, keys))

    def _get(self, key: Key) -> Chunk | None:
        if key in self._protected:
            self._protected.move_to_end(key)
            return self._protected[key][0]
        found = self._probation.pop(key, None)
        if found is None:
            return None
        self._protected[key] = found
        self._protected_bytes += found[1]
        while self._protected_bytes > self.limit * _PROTECTED:
            oldest, entry = self._protected.popitem(last=False)
            self._protected_bytes -= entry[1]
            self._probation[oldest] = entry
        return found[0]

    def put(self, chunks: Iterable[tuple[Key, Chunk]]) -> None:
        """Take chunks, in place of those of the same keys, and forget what there is no room for."""
        sized = [(key, (chunk, _size(chunk))) for key, chunk in chunks]
        with self._lock:
            for key, entry in sized:
                self._put(key, entry)

    def _put(self, key: Key, entry: tuple[Chunk, int]) -> None:
        if key in self._protected:
            grown = entry[1] - self._protected[key][1]
            self._protected[key] = entry
            self._protected_bytes += grown
        else:
            known = self._probation.pop(key, None)
            grown = entry[1] - (0 if known is None else known[1])
            self._probation[key] = entry
        self._bytes += grown
        while self._bytes > self.limit:
            if self._probation:
                _, (_, size) = self._probation.popitem(last=False)
            else:
                _, (_, size) = self._protected.popitem(last=False)
                self._protected_bytes -= size
            self._bytes -= size


def _size(chunk: Chunk) -> int:
    """Return the memory that a chunk takes, in bytes, about."""
    texts = sum(sum(map(len, rows)) + _TEXT_BYTES * len(rows) for rows in chunk.texts.values())
    return _CHUNK_BYTES + texts + _FIRST_BYTES * sum(map(len, chunk.firsts.values()))


class Selection:
    """The records of a window as pieces of chunks: of each table without parent the chunks, and from where to where."""

    def __init__(self, window: Window, pieces: dict[Table, list[tuple[Chunk, int, int]]]) -> None:
        self._window = window
        self._pieces = pieces

    def texts(self, part: Part) -> list[bytes]:
        """Return the rows of a part, in order."""
        rows: list[bytes] = []
        for chunk, start, stop in self._pieces[part.table.top]:
            rows += chunk.texts[part][chunk.rows(part.table, start, stop)]
        return rows

    def count(self, table: Table) -> int:
        """Return how many rows of a table there are."""
        if table.one_a_record:
            return self._window.records
        places = [chunk.rows(table, start, stop) for chunk, start, stop in self._pieces[table.top]]
        return sum(place.stop - place.start for place in places)


class Rows:
    """The rows of one dataset, from a cache that may have those of others too."""

    def __init__(self, dataset: Dataset, cache: RowCache) -> None:
        self._dataset = dataset
        self._cache = cache
        rows = int(sum(table.mean for table in dataset.tables if not table.is_fixed))
        self._records = 1 << max(
            0, (_CHUNK_ROWS // max(rows, 1)).bit_length() - 1
        )  # of a chunk: a power of two

    def select(self, window: Window, parts: Sequence[Part], counted: Iterable[Table] = ()) -> Selection:
        """Return the records of a window: the texts of some parts, and the number of rows of some tables.

        Raises RequestError for records that the dataset has no room for.
        """
        self._dataset.check_records(window.start + window.records)
        tops = dict.fromkeys(part.table.top for part in parts)
        tops |= dict.fromkeys(table.top for table in counted if not table.one_a_record)
        return Selection(
            window,
            {
                top: list(self._pieces(top, window, [part for part in parts if part.table.top is top]))
                for top in tops
            },
        )

    def _pieces(self, top: Table, window: Window, parts: list[Part]) -> Iterator[tuple[Chunk, int, int]]:
        if top.rows is not None:  # a fixed table comes whole
            yield self._chunks(top, window.seed, range(1), top.rows, parts)[0], 0, top.rows
        elif not self._cache.limit:
            yield self._make(top, window.seed, window.start, window.records, parts), 0, window.records
        else:
            size, end = self._records, window.start + window.records
            numbers = range(window.start // size, (end - 1) // size + 1)
            for number, chunk in zip(
                numbers, self._chunks(top, window.seed, numbers, size, parts), strict=True
            ):
                yield chunk, max(window.start - number * size, 0), min(end - number * size, size)

    def _chunks(self, top: Table, seed: int, numbers: range, size: int, parts: list[Part]) -> list[Chunk]:
        """Return the chunks of some numbers, `size` records each; those that follow each other are made together."""
        keys = [(self._dataset, top, seed, number) for number in numbers]
        found = self._cache.get(keys)
        missing = [
            at
            for at, chunk in enumerate(found)
            if chunk is None or not all(map(chunk.texts.__contains__, parts))
        ]
        most = self._dataset.max_records if top.rows is None else top.rows
        for _, run in groupby(enumerate(missing), key=lambda each: each[1] - each[0]):
            places = [place for _, place in run]
            start = numbers[places[0]] * size
            count = min(len(places) * size, most - start)
            whole = self._make(top, seed, start, count, parts)
            for at, place in zip(range(0, count, size), places, strict=True):
                chunk, known = _part_of(whole, at, min(at + size, count)), found[place]
                found[place] = chunk if known is None else Chunk(known.texts | chunk.texts, chunk.firsts)
        chunks = [chunk for chunk in found if chunk is not None]  # all of them by now
        self._cache.put((keys[place], chunks[place]) for place in missing)
        return chunks

    def _make(self, top: Table, seed: int, start: int, count: int, parts: list[Part]) -> Chunk:
        """Return records of a table without parent as one chunk, computed."""
        dataset = self._dataset
        if top.rows is None:
            block = dataset.block(start, count, seed)
        else:
            block = dataset.block_of(top, dataset.block(0, 0, seed))
        records = np.arange(start, start + count + 1, dtype=np.uint64)
        firsts = {
            table: np.searchsorted(block.level(table).slots, records * np.uint64(table.span)).tolist()
            for table in dataset.tables
            if table.top is top and _has_count(table)
        }
        return Chunk({part: part.encode(part.table, block, block_structs) for part in parts}, firsts)


def _has_count(table: Table) -> bool:
    """Return whether a row of the table's top has any number of rows of the table, not always one."""
    return table.count is not None or (table.parent is not None and _has_count(table.parent))


def _part_of(whole: Chunk, start: int, stop: int) -> Chunk:
    """Return records `start` to `stop - 1` of a chunk as a chunk."""
    firsts = {
        table: [place - places[start] for place in places[start : stop + 1]]
        for table, places in whole.firsts.items()
    }
    texts = {part: rows[whole.rows(part.table, start, stop)] for part, rows in whole.texts.items()}
    return Chunk(texts, firsts)
