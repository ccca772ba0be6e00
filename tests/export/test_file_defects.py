"""Files that are wrong in text formats: what is labelled is wrong as its kind says, and all else has its bytes."""

import contextlib
import csv
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from defects import csv_rows, fitting, overlay, with_rate
from esdh_core import DEFAULT_DATASET, Dataset, RequestError
from esdh_core.overlay import Edits
from esdh_export import ExportError, SnapshotRequest, write_snapshot
from esdh_export.formats.csv import CSV
from esdh_export.formats.ndjson import NDJSON
from esdh_manifest import Manifest
from esdh_plan import load_plan
from esdh_plan.defects.overlay import COLUMN_KINDS, FILE_KINDS
from hypothesis import given, settings
from hypothesis import strategies as st

BANK = load_plan("bank")
DATASETS = {dataset.dataset_version: dataset for dataset in (DEFAULT_DATASET, BANK)}
TEXT = ("csv", "json", "ndjson")
OF_BYTES = ("bad_encoding", "bad_quoting", "ragged_row")
OF_FILES = (*COLUMN_KINDS, *FILE_KINDS)
Lines = list[bytes]


def write(
    folder: Path, *defects: dict[str, Any], dataset: Dataset = DEFAULT_DATASET, **asked: Any
) -> Manifest:
    """Write a snapshot in the text formats, clean where no defects are given."""
    asked = {"records": 60, "seed": 5, "formats": TEXT, **asked}
    request = SnapshotRequest(
        dataset=dataset, defects=overlay(dataset, *defects) if defects else None, **asked
    )
    return write_snapshot(folder, request).manifest


def lines(folder: Path, table: str, version: str = "v0.1") -> dict[str, Lines]:
    """Return the lines of the rows of a table, without their ends, by format."""
    slug = version.replace(" ", "_").replace(".", "_")
    document = (folder / f"dataset_{slug}.json").read_bytes()
    section = document.partition(f'"{table}":[\n'.encode())[2].partition(b"\n]")[0]
    return {
        "csv": (folder / f"{table}_{slug}.csv").read_bytes().split(b"\n")[1:],
        "ndjson": (folder / f"{table}_{slug}.ndjson").read_bytes().split(b"\n"),
        "json": [*section.split(b",\n"), b""],
    }


def header(folder: Path, table: str, version: str = "v0.1") -> list[str]:
    """Return the names in the header of a CSV file."""
    slug = version.replace(" ", "_").replace(".", "_")
    with (folder / f"{table}_{slug}.csv").open("rb") as file:
        return next(csv.reader([file.readline().decode()]))


def labels(folder: Path, version: str = "v0.1") -> list[dict[str, Any]]:
    """Return the labels of a snapshot."""
    slug = version.replace(" ", "_").replace(".", "_")
    names, *rows = csv_rows(folder / f"defects_{slug}.csv")
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def slots(dataset: Dataset, table: str, records: int = 60, seed: int = 5) -> list[int]:
    """Return the slots of a table's clean rows."""
    of = dataset.table(table)
    return dataset.block_of(of, dataset.block(0, records, seed)).level(of).slots.tolist()  # type: ignore[no-any-return]  # of NumPy


def differing(clean: Lines, dirty: Lines) -> set[int]:
    """Return the numbers of the lines that differ; there are equally many."""
    return {at for at, (one, other) in enumerate(zip(clean, dirty, strict=True)) if one != other}


def struck(dataset: Dataset, found: list[dict[str, Any]], table: str) -> dict[int, list[dict[str, Any]]]:
    """Return the labels of a table by the numbers of their rows in a file whose rows are the clean ones."""
    number = {slot: at for at, slot in enumerate(slots(dataset, table))}
    rows: dict[int, list[dict[str, Any]]] = {}
    for each in found:
        if each["table"] == table and each["slot"] is not None:
            rows.setdefault(number[int(each["slot"])], []).append(each)
    return rows


@pytest.mark.parametrize("version", DATASETS)
@pytest.mark.parametrize("kind", OF_BYTES)
def test_every_kind_of_bytes_on_every_field_that_it_fits(tmp_path: Path, kind: str, version: str) -> None:
    """In each text format exactly the labelled rows differ from the clean ones, each as its kind says."""
    dataset = DATASETS[version]
    write(tmp_path / "clean", dataset=dataset)
    every = [with_rate(each, "20%" if kind != "ragged_row" else "40%") for each in fitting(dataset, kind)]
    manifest = write(tmp_path / "dirty", *every, dataset=dataset)
    found = labels(tmp_path / "dirty", version)
    assert manifest.defects
    assert manifest.defects.kinds == {kind: len(found)}
    for table in dataset.tables:
        wrong = struck(dataset, found, table.name)
        ours, theirs = (lines(tmp_path / each, table.name, version) for each in ("clean", "dirty"))
        for extension in TEXT:
            assert set(wrong) == differing(ours[extension], theirs[extension]), extension
        assert theirs["json"] == theirs["ndjson"]
        for row, own in wrong.items():
            CHECKS[kind](list(table.fields), own, theirs["csv"][row], theirs["ndjson"][row])
    missed = {(each["table"], each.get("field")) for each in every} - {
        (each["table"], each["field"]) for each in found
    }
    assert all(kind == "bad_encoding" and _has_no_letter(dataset, table, str(name)) for table, name in missed)


def _has_no_letter(dataset: Dataset, table: str, field: str) -> bool:
    """Return whether no value of a field has a letter that could have an accent."""
    return not any(set("acenouiysACENOU") & set(getattr(row, field)) for row in dataset.rows(table, 60, 5))


def _check_encoding(fields: list[str], own: list[dict[str, Any]], line: bytes, document: bytes) -> None:
    """Hold a row against the labels of cells that aren't UTF-8."""
    for text in (line, document):
        with pytest.raises(UnicodeDecodeError):
            text.decode()
    cells = next(csv.reader([line.decode("utf-8", "replace")]))
    row = json.loads(document.decode("utf-8", "replace"))
    for each in own:
        assert "\ufffd" in each["found"]
        assert each["found"] == cells[fields.index(each["field"])] == row[each["field"]]


def _check_quoting(fields: list[str], own: list[dict[str, Any]], line: bytes, document: bytes) -> None:
    """Hold that no strict reader takes a row with an ill quoted cell for one of its table."""
    with pytest.raises(ValueError, match=r"."):
        json.loads(document)
    with contextlib.suppress(csv.Error):  # of a quote that isn't closed, or text behind one that is
        assert len(next(csv.reader([line.decode()], strict=True))) != len(fields)
    assert {None} == {each["found"] for each in own}


def _check_ragged(fields: list[str], own: list[dict[str, Any]], line: bytes, document: bytes) -> None:
    """Hold that a row has a cell, and a key, too few or too many, and says that it is synthetic."""
    more = len(next(csv.reader([line.decode()]))) - len(fields)
    row = json.loads(document)
    assert abs(more) == 1
    assert more == len(row) - len(fields)
    assert "synthetic_source" in row
    assert [(None, None, None)] == [(each["field"], each["found"], each["clean"]) for each in own]


CHECKS = {"bad_encoding": _check_encoding, "bad_quoting": _check_quoting, "ragged_row": _check_ragged}


@pytest.mark.parametrize("version", DATASETS)
def test_every_column_under_another_name(tmp_path: Path, version: str) -> None:
    """A renamed column has the name that its label says in the header and as the key, and the rows have all else."""
    dataset = DATASETS[version]
    write(tmp_path / "clean", dataset=dataset)
    write(tmp_path / "dirty", *fitting(dataset, "renamed_column"), dataset=dataset)
    found = labels(tmp_path / "dirty", version)
    for table in dataset.tables:
        names = {each["field"]: each["found"] for each in found if each["table"] == table.name}
        assert {None} == {each["slot"] for each in found}
        assert set(names) == set(table.fields) - {table.field_with("marker")}
        expected = [names.get(name, name) for name in table.fields]
        assert expected == header(tmp_path / "dirty", table.name, version)
        assert not {*names.values()} & {*table.fields}
        assert len({*expected}) == len(expected)
        ours, theirs = (lines(tmp_path / each, table.name, version) for each in ("clean", "dirty"))
        assert ours["csv"] == theirs["csv"]
        assert theirs["json"] == theirs["ndjson"]
        for one, other in zip(ours["ndjson"][:-1], theirs["ndjson"][:-1], strict=True):
            assert json.loads(other) == {
                names.get(name, name): value for name, value in json.loads(one).items()
            }


@pytest.mark.parametrize("version", DATASETS)
def test_every_table_with_an_extra_column(tmp_path: Path, version: str) -> None:
    """Without the column that its label names a file has the clean bytes: in the header, in each row, as a key."""
    dataset = DATASETS[version]
    write(tmp_path / "clean", dataset=dataset)
    write(tmp_path / "dirty", *fitting(dataset, "extra_column"), dataset=dataset)
    names = {each["table"]: each["found"] for each in labels(tmp_path / "dirty", version)}
    assert set(names) == {table.name for table in dataset.tables}
    for table in dataset.tables:
        name = names[table.name]
        columns = header(tmp_path / "dirty", table.name, version)
        at = columns.index(name)
        assert [*columns[:at], *columns[at + 1 :]] == list(table.fields)
        ours, theirs = (lines(tmp_path / each, table.name, version) for each in ("clean", "dirty"))
        assert theirs["json"] == theirs["ndjson"]
        for one, other in zip(ours["csv"][:-1], theirs["csv"][:-1], strict=True):
            cells = other.split(b",")  # no clean text has a comma
            assert b"" == cells.pop(at)
            assert one == b",".join(cells)
        key = f'"{name}":null'.encode()
        for one, other in zip(ours["ndjson"][:-1], theirs["ndjson"][:-1], strict=True):
            assert one == other.replace(b"," + key if at else key + b",", b"", 1)


@pytest.mark.parametrize("version", DATASETS)
def test_every_table_with_a_truncated_file(tmp_path: Path, version: str) -> None:
    """A truncated file is the clean one up to the middle of its last row; the document can't be read."""
    dataset = DATASETS[version]
    write(tmp_path / "clean", dataset=dataset)
    manifest = write(tmp_path / "dirty", *fitting(dataset, "truncated_file"), dataset=dataset)
    assert len(labels(tmp_path / "dirty", version)) == len(dataset.tables)
    for table in dataset.tables:
        for extension in ("csv", "ndjson"):
            name = manifest.files[f"{table.name}_{extension}"]
            whole, cut = ((tmp_path / each / name).read_bytes() for each in ("clean", "dirty"))
            last = whole.rstrip(b"\n").rpartition(b"\n")[2]
            assert whole[: len(cut)] == cut
            assert whole.removesuffix(b"\n").removesuffix(last) + last[: len(last) // 2] == cut
    document = (tmp_path / "dirty" / manifest.files["dataset_json"]).read_bytes()
    with pytest.raises(json.JSONDecodeError):
        json.loads(document)
    ndjson = (tmp_path / "dirty" / manifest.files["defects_ndjson"]).read_bytes().splitlines()
    assert document.endswith(b'"defects":[\n' + b",\n".join(ndjson) + b"\n]}\n")


KINDS: tuple[dict[str, Any], ...] = (
    {"kind": "bad_encoding", "table": "persons", "field": "last_name", "rate": "30%"},
    {"kind": "bad_encoding", "table": "persons", "field": "city", "rate": "30%"},
    {"kind": "bad_quoting", "table": "persons", "field": "city", "rate": "30%"},
    {"kind": "bad_quoting", "table": "persons", "field": "person_id", "rate": "20%"},
    {"kind": "ragged_row", "table": "persons", "rate": "30%"},
    {"kind": "ragged_row", "table": "persons", "rate": "30%", "name": "again"},
    {"kind": "renamed_column", "table": "persons", "field": "last_name"},
    {"kind": "extra_column", "table": "persons"},
)
VALUES: tuple[dict[str, Any], ...] = (
    {"kind": "missing", "table": "persons", "field": "city", "rate": "30%"},
    {"kind": "mojibake", "table": "persons", "field": "last_name", "rate": "30%"},
    {"kind": "homoglyph", "table": "persons", "field": "last_name", "rate": "30%"},
    {"kind": "injection", "table": "persons", "field": "city", "rate": "30%"},
    {"kind": "placeholder", "table": "persons", "field": "last_name", "rate": "20%"},
    {"kind": "duplicate_row", "table": "persons", "rate": "20%"},
    {"kind": "missing_row", "table": "persons", "rate": "20%"},
    {"kind": "near_duplicate", "table": "persons", "rate": "20%"},
    {"kind": "reordered", "table": "persons", "rate": "20%"},
)


@settings(max_examples=20, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_bytes_are_those_of_the_rows_that_the_other_kinds_give(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, seed: int
) -> None:
    """Beside kinds of cells and of rows, all but the labelled rows have the bytes that these give; digests and counts stay."""
    base = tmp_path_factory.mktemp("snapshots")
    chosen = data.draw(st.lists(st.sampled_from(KINDS[:6]), min_size=1, unique_by=repr))
    beside = data.draw(st.lists(st.sampled_from(VALUES), min_size=1, unique_by=repr))
    order = data.draw(st.permutations([*chosen, *beside]))
    values = [each for each in order if each in beside]
    before = write(base / "values", *values, seed=seed)
    after = write(base / "all", *order, seed=seed)
    persons = DEFAULT_DATASET.table("persons")
    of = overlay(DEFAULT_DATASET, *order)
    edits = of.apply(persons, DEFAULT_DATASET.block(0, 60, seed)).edits
    ours, theirs = (lines(base / each, "persons") for each in ("values", "all"))
    for extension in TEXT:
        assert set(edits.damage) == differing(ours[extension], theirs[extension])
    assert theirs["json"] == theirs["ndjson"]
    assert before.content["persons"] == after.content["persons"]
    assert (before.stats, before.record_counts["persons"]) == (after.stats, after.record_counts["persons"])
    for each in labels(base / "all"):
        assert each["field"] is None or each["found"] != each["clean"]


def test_damage_is_of_what_stands_there_in_the_end(tmp_path: Path) -> None:
    """A cell that another kind has changed has the bytes of that value, and all of its labels say what a reader sees."""
    typo = {"kind": "typo", "table": "persons", "field": "last_name", "rate": 1}
    for order in ("before", "behind"):
        defects = [typo, {**KINDS[0], "rate": 1}][:: 1 if order == "before" else -1]
        write(tmp_path / order, *defects)
        found = labels(tmp_path / order)
        rows = [
            json.loads(line.decode("utf-8", "replace"))
            for line in lines(tmp_path / order, "persons")["ndjson"][:-1]
        ]
        persons = DEFAULT_DATASET.table("persons")
        values = overlay(DEFAULT_DATASET, typo).apply(persons, DEFAULT_DATASET.block(0, 60, 5)).edits.cells
        assert len(found) > 100
        for each in found:
            slot = int(each["slot"])
            assert each["found"] == rows[slot]["last_name"]
            text = values["last_name"][slot]
            assert len(text) == len(each["found"])
            assert sum(one != other for one, other in zip(text, each["found"], strict=True)) == 1


def test_edits_are_cut_and_joined_without_loss() -> None:
    """The edits of windows that no row leaves, joined, are those of the whole."""
    persons = DEFAULT_DATASET.table("persons")
    edits = overlay(DEFAULT_DATASET, *KINDS, *VALUES).apply(persons, DEFAULT_DATASET.block(0, 256, 5)).edits
    assert edits.damage
    assert edits.seconds
    parts = [(64, edits.window(start, start + 64)) for start in range(0, 256, 64)]
    joined = Edits.concatenate(parts)
    assert edits.order is not None
    assert joined.order is not None
    assert edits.order.tolist() == joined.order.tolist()
    assert (edits.cells, edits.damage, edits.seconds) == (joined.cells, joined.damage, joined.seconds)


def test_a_renamed_column_has_its_wrong_cells(tmp_path: Path) -> None:
    """Under another name a column has the cells and bytes that it has without one."""
    cells = (*KINDS[:5], VALUES[0], VALUES[1])
    names = [{"kind": "renamed_column", "table": "persons", "field": name} for name in ("last_name", "city")]
    write(tmp_path / "own", *cells)
    write(tmp_path / "renamed", *cells, *names)
    found = {each["field"]: each["found"] for each in labels(tmp_path / "renamed") if each["slot"] is None}
    ours, theirs = (lines(tmp_path / each, "persons") for each in ("own", "renamed"))
    assert ours["csv"] == theirs["csv"]
    for one, other in zip(ours["ndjson"], theirs["ndjson"], strict=True):
        for name, new in found.items():
            one = one.replace(f'"{name}":'.encode(), f'"{new}":'.encode()).replace(  # noqa: PLW2901 # step by step
                f'"{name}_":'.encode(), f'"{new}_":'.encode()
            )
        assert one == other


@pytest.mark.parametrize(
    ("text", "of_csv", "of_json"),
    [
        ("Salem", [b'"Salem', b'"Sa"lem"', b"Sa,lem"], [b'"Salem', b'"Sa"lem"', b'"Sa"lem"']),
        ('a"b', [b'"a""b', b'"a"""b"', b'a,"b'], [b'"a\\"b', b'"a"\\"b"', b'"a"\\"b"']),
        ("", [b'"', b'"""', b","], [b'"', b'"""', b'"""']),
    ],
)
def test_a_text_is_ill_quoted_in_three_ways(text: str, of_csv: list[bytes], of_json: list[bytes]) -> None:
    """A quote isn't closed, or one in the text isn't escaped, or a comma has no quotes around it."""
    assert of_csv == [CSV.misquoted(text, way) for way in range(3)]
    assert of_json == [NDJSON.misquoted(text, way) for way in range(3)]


def test_switching_a_kind_of_bytes_off_changes_the_labels_of_no_other() -> None:
    """Each file defect has the same labels and draws whatever others there are."""
    persons, block = DEFAULT_DATASET.table("persons"), DEFAULT_DATASET.block(0, 200, 3)

    def ids(*defects: dict[str, Any]) -> set[tuple[str, str | None]]:
        of = overlay(DEFAULT_DATASET, *defects)
        own = of.apply(persons, block).labels + of.labels_of_no_record([persons], 3)
        return {(each.defect_id, each.clean if each.slot is not None else each.found) for each in own}

    every = (*KINDS, *VALUES, {"kind": "truncated_file", "table": "persons"})
    whole = ids(*every)
    for number in range(len(every)):
        assert whole - ids(*every[:number], *every[number + 1 :]) == ids(every[number])


def test_parts_and_workers(tmp_path: Path) -> None:
    """Every part has the other columns, the last one ends early, and workers change no byte."""
    defects = (*KINDS, {"kind": "truncated_file", "table": "persons"})
    few = [{**each, "rate": "1%"} if "rate" in each else each for each in defects]
    asked: dict[str, Any] = {"records": 140_000, "entities": ("persons",), "formats": ("csv", "json")}
    request = SnapshotRequest(shard_rows=65_536, defects=overlay(DEFAULT_DATASET, *few), **asked)
    with ThreadPoolExecutor(2) as executor:
        side_by_side = write_snapshot(tmp_path / "a", request, executor=executor).manifest
    assert side_by_side == write_snapshot(tmp_path / "b", request).manifest
    write_snapshot(tmp_path / "whole", SnapshotRequest(defects=request.defects, **asked))
    parts = sorted((tmp_path / "a" / "persons_v0_1.csv").iterdir())
    first, *rows = (tmp_path / "whole" / "persons_v0_1.csv").read_bytes().split(b"\n")
    found = [part.read_bytes().split(b"\n") for part in parts]
    assert [first] * 3 == [part[0] for part in found]
    assert [True, True, False] == [part[-1] == b"" for part in found]
    assert rows == [row for part in found for row in part[1:] if row]
    names = ("defects_v0_1.csv", "dataset_v0_1.json")
    assert (tmp_path / "a" / names[1]).read_bytes() == (tmp_path / "whole" / names[1]).read_bytes()


def test_a_run_that_was_interrupted_is_resumed(tmp_path: Path) -> None:
    """What is wrong with files is the same where a later run takes up the parts that an earlier one has finished."""
    defects = [{**each, "rate": "1%"} if "rate" in each else each for each in KINDS]
    request = SnapshotRequest(
        records=70_000,
        shard_rows=65_536,
        entities=("persons",),
        formats=TEXT,
        defects=overlay(DEFAULT_DATASET, *defects, {"kind": "truncated_file", "table": "persons"}),
    )
    whole = write_snapshot(tmp_path / "whole", request).manifest
    parts: list[int] = []

    def interrupt(count: int) -> None:
        parts.append(count)
        if sum(parts) > request.shard_rows:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_snapshot(tmp_path / "resumed", request, progress=interrupt)
    written = write_snapshot(tmp_path / "resumed", request, resume=True)
    assert (1, whole) == (written.resumed, written.manifest)


def test_many_rows_are_wrong_where_they_are_labelled(tmp_path: Path) -> None:
    """Past the rows that are put together in Python, too, exactly the labelled rows differ."""
    write(tmp_path / "clean", records=20_000, entities=("persons",))
    write(tmp_path / "dirty", *KINDS[:6], records=20_000, entities=("persons",))
    numbers = {int(each["slot"]) for each in labels(tmp_path / "dirty")}
    ours, theirs = (lines(tmp_path / each, "persons") for each in ("clean", "dirty"))
    for extension in TEXT:
        assert numbers == differing(ours[extension], theirs[extension])


def test_labels_of_files_come_first_and_have_no_slot(tmp_path: Path) -> None:
    """A file's label has no slot, and stands before those of rows; the table of labels itself is whole."""
    defects = (KINDS[0], *KINDS[6:], {"kind": "truncated_file", "table": "persons"})
    manifest = write(tmp_path / "dirty", *defects)
    found = labels(tmp_path / "dirty")
    assert ["renamed_column", "extra_column", "truncated_file"] == [each["kind"] for each in found[:3]]
    assert {None} == {each["slot"] for each in found[:3]}
    assert None not in {each["slot"] for each in found[3:]}
    ids = [each["defect_id"] for each in found[:3]]
    assert ["persons.last_name!renamed_column", "persons!extra_column", "persons!truncated_file"] == ids
    assert ("last_name", None) == (found[0]["clean"], found[1]["clean"])
    assert manifest.record_counts["defects"] == len(found)
    assert manifest.checksums["persons_v0_1.csv"].rows == 60


def _fits() -> Iterator[dict[str, Any]]:
    for kind in (*OF_BYTES, *OF_FILES):
        yield with_rate(next(iter(fitting(DEFAULT_DATASET, kind))), "10%")


@pytest.mark.parametrize("defect", _fits(), ids=lambda defect: defect["kind"])
def test_parquet_refuses_every_kind(defect: dict[str, Any]) -> None:
    """Parquet has neither bytes of text nor headers; the message says what to leave out."""
    defects = overlay(DEFAULT_DATASET, defect)
    with pytest.raises(
        ExportError,
        match=rf"persons.*!{defect['kind']} is of text formats, and Parquet is none; leave out the format parquet, or the defect",
    ):
        SnapshotRequest(defects=defects, formats=("csv", "parquet"))
    assert SnapshotRequest(defects=defects, formats=("csv", "parquet"), entities=("vehicles",))


def test_a_file_without_rows_has_none_to_end_in(tmp_path: Path) -> None:
    """`truncated_file` of a table that has no row in its last part is refused before anything is written."""
    rows = {"kind": "missing_row", "table": "persons", "rate": 1}
    with pytest.raises(
        RequestError, match="ends in its last row, and its file has no row; ask for other records"
    ):
        write(tmp_path / "dirty", rows, {"kind": "truncated_file", "table": "persons"})
    assert not list(tmp_path.iterdir())
    none = {**rows, "rate": 0}
    assert write(tmp_path / "dirty", none, {"kind": "truncated_file", "table": "persons"}).defects
