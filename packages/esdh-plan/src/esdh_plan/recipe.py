"""The recipe of a dataset: its plan, what it compiled to, and every table and pool it draws from, as one JSON text.

`packages` are the versions of other packages whose rules made the values, if there are any.
It is read by the same strict reader as a plan. What it gives (bands, tables, pools) is taken in place of what
would be computed or read, compiled again, and must come out the same to the byte: a recipe that was edited by
hand isn't taken.
"""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any, Final

import msgspec
from esdh_core.dataset import Dataset

from esdh_plan import locks
from esdh_plan.compile import Compiler, RecipeInputs
from esdh_plan.defects.overlay import overlay_of
from esdh_plan.distributions import Band
from esdh_plan.errors import Fault, PlanError
from esdh_plan.language import Source, plan_of
from esdh_plan.reader import Document, Path, Place
from esdh_plan.sources import TableData

__all__ = ["compile_plan", "load_recipe", "remake"]

_LANGUAGE: Final = "recipe/1"
_MAX_BYTES: Final = 1 << 28
_PAIRS: Final = "pairs"  # a mapping whose keys aren't all text, as a list of pairs: JSON has no such keys

_known: dict[str, Dataset] = {}
_lock = threading.Lock()


class _Recipe(msgspec.Struct, forbid_unknown_fields=True):
    """What a recipe holds beside the plan; `compiled` is held against what comes out."""

    esdh: str
    bands: dict[str, list[tuple[int, int, int]]]
    tables: dict[str, TableData]
    pools: dict[str, list[str]]
    compiled: dict[str, Any]
    packages: dict[str, str] = {}


def compile_plan(
    source: Source, folder: FilePath | None = None, *, pools: Mapping[str, Any] | None = None
) -> Dataset:
    """Return the dataset of a plan, or of a draft; `folder` is where its files and its lock are.

    The same plan is one object in a process. Raises PlanError with all faults, a draft's among them.
    """
    known: Mapping[str, Any] | PlanError | None = pools
    if pools is None and folder is not None and locks.required_pools(source.plan):
        try:
            known = locks.read_lock(folder, source.document.file)
        except PlanError as error:  # which is told with the plan's own faults
            known = error
    compiler = Compiler(source, folder, pools=known)
    compiler.solve()
    dataset = _interned(compiler)
    if source.plan.defects:  # which are no part of the dataset, and must fit it
        overlay_of(source.plan.defects, dataset, source.document)
    return dataset


def _interned(compiler: Compiler) -> Dataset:
    recipe = _written(compiler)
    digest = hashlib.sha256(recipe).hexdigest()
    with _lock:
        if digest not in _known:
            _known[digest] = compiler.finish(
                recipe=recipe, remake=remake, rules_hashed=compiler.hashes, location=f"{__name__}:remake"
            )
        return _known[digest]


def remake(recipe: bytes) -> Dataset:
    """Return the dataset of a recipe that this program wrote, as pickles hold it."""
    return load_recipe(recipe, "the recipe")


def load_recipe(data: bytes, file: str) -> Dataset:
    """Return the dataset of a recipe; `file` is how messages name it.

    Raises PlanError for one that can't be read, isn't sound, or doesn't compile to what it says.
    """
    digest = hashlib.sha256(data).hexdigest()
    with _lock:
        if digest in _known:
            return _known[digest]
    content = _content(data, file)
    plan = _typed(content.pop("plan", None))
    try:
        recipe = msgspec.convert(content, _Recipe)
    except msgspec.ValidationError as error:
        hint = "a recipe is the file plan_<name>.json of a snapshot, or its folder"
        raise _refused(file, f"it is no recipe: {error}; {hint}") from None
    if recipe.esdh != _LANGUAGE:
        raise _refused(
            file, f"expected `{_LANGUAGE}`, the recipes that this program reads; found {recipe.esdh!r}"
        )
    places = dict.fromkeys(_paths((), plan), Place(0, 0))
    source = plan_of(Document(file, plan, places, places), recipe.packages)
    inputs = RecipeInputs(
        {path: tuple(Band(*band) for band in bands) for path, bands in recipe.bands.items()},
        recipe.tables,
        recipe.pools,
        recipe.packages,
    )
    compiler = Compiler(source, None, inputs=inputs)
    compiler.solve()
    _compare(_compiled(compiler), recipe.compiled, file)
    if _written(compiler) != data:
        raise _refused(
            file,
            "it isn't as `show-plan --format json` writes it, so it was edited; make it again from its plan",
        )
    return _interned(compiler)


def _content(data: bytes, file: str) -> dict[str, Any]:
    if len(data) > _MAX_BYTES:
        raise _refused(file, f"it has more than {_MAX_BYTES:,} bytes")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(found)
        if len(mapping) < len(found):
            raise ValueError("a key is given twice")
        return mapping

    try:
        content = json.loads(data, parse_float=Decimal, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise _refused(file, f"it isn't JSON: {error}") from None
    if not isinstance(content, dict):
        raise _refused(file, "it is no recipe: it holds no keys and values")
    return content


def _refused(file: str, reason: str) -> PlanError:
    return PlanError(file, [Fault(0, 0, "", reason)])


def _compare(ours: Any, theirs: Any, file: str, path: str = "compiled") -> None:
    """Refuse a recipe whose compiled values differ, with the first that does."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in {**ours, **theirs}:
            _compare(ours.get(key), theirs.get(key), file, f"{path}.{key}")
    elif ours != theirs:
        raise PlanError(
            file,
            [
                Fault(
                    0,
                    0,
                    path,
                    f"it says {theirs!r}, and the plan compiles to {ours!r}; the recipe was edited",
                )
            ],
        )


# --- writing


def _written(compiler: Compiler) -> bytes:
    content = {
        "esdh": _LANGUAGE,
        "plan": _to_plain(
            {key: of for key, of in compiler.source.document.content.items() if key != "defects"}
        ),
        "compiled": _compiled(compiler),
        "bands": dict(sorted(compiler.used_bands.items())),
        "tables": dict(sorted(compiler.used_tables.items())),
        "pools": {name: list(pool) for name, pool in sorted(compiler.used_pools.items())},
    } | ({"packages": dict(sorted(compiler.versions.items()))} if compiler.versions else {})
    parts = [
        f"{json.dumps(key)}: {_encoder.encode(value).decode()}"
        if key in ("bands", "tables", "pools")
        else f"{json.dumps(key)}: {msgspec.json.format(_encoder.encode(value), indent=2).decode()}"
        for key, value in content.items()
    ]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


_encoder = msgspec.json.Encoder(decimal_format="number")


def _compiled(compiler: Compiler) -> dict[str, Any]:
    """Return what a plan compiled to: F, blocks, types, nullability and bounds."""
    tables = {}
    for name, of in compiler.tables.items():
        fields = {}
        for field in of.words.fields:
            kind = compiler.field(name, field).type
            fields[field] = {
                "type": kind.kind,
                "nullable": kind.nullable,
                "scale": kind.scale,
                "low": None if kind.low is None else str(kind.low),
                "high": None if kind.high is None else str(kind.high),
            }
        mean = of.mean
        tables[name] = {
            "room": of.table.room,
            "mean": f"{mean.numerator}/{mean.denominator}",
            "block_records": of.block_records,
            "fields": fields,
        }
    return {"shard_rows": compiler.default_shard_rows, "tables": tables}


def _to_plain(value: Any) -> Any:
    """Return a plan's content as JSON can hold it."""
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and list(value) != [_PAIRS]:
            return {key: _to_plain(inner) for key, inner in value.items()}
        return {_PAIRS: [[key, _to_plain(inner)] for key, inner in value.items()]}
    return [_to_plain(inner) for inner in value] if isinstance(value, list) else value


def _typed(value: Any) -> Any:
    """Return the content that `_plain` made JSON of."""
    if isinstance(value, list):
        return [_typed(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    pairs = value.get(_PAIRS) if list(value) == [_PAIRS] else None
    if isinstance(pairs, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        keys = [key for key, _ in pairs]
        if all(key is None or isinstance(key, str | int) for key in keys) and len(
            set(map(repr, keys))
        ) == len(keys):
            return {key: _typed(inner) for key, inner in pairs}
    return {key: _typed(inner) for key, inner in value.items()}


def _paths(path: Path, value: Any) -> Iterator[Path]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths((*path, key), inner)
