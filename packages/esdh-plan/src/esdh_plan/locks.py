"""Pools: values that Faker made once, kept in a lock beside the plan, and read ever after."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from esdh_plan import language
from esdh_plan.errors import Fault, PlanError, display
from esdh_plan.language import Source
from esdh_plan.sources import read_beside

__all__ = ["PROVIDERS", "Lock", "lock_name", "make_lock", "read_lock", "required_pools"]

PROVIDERS: Final = frozenset(
    {
        *("city", "color_name", "company", "company_suffix", "country", "currency_name", "first_name"),
        *(
            "first_name_female",
            "first_name_male",
            "job",
            "last_name",
            "name",
            "postcode",
            "prefix",
            "street_address",
        ),
        *("street_name", "street_suffix", "word", "catch_phrase", "bs", "language_name", "sentence"),
    }
)
"""The providers that a plan can name: those that take no arguments and follow from the seed alone."""
_MAX_BYTES: Final = 1 << 28


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lock: its language, Faker's version, and the pools by `provider/locale/pool`."""

    esdh: str
    faker: str
    pools: dict[str, list[str]]


def lock_name(file: str) -> str:
    """Return the name of the lock beside a plan: `bank.lock.json` for `bank.yaml`."""
    return f"{Path(file).stem}.lock.json"


def read_lock(folder: Path, file: str) -> Mapping[str, Sequence[str]]:
    """Return the pools of the lock beside a plan; none where there is no lock. Raises PlanError for one that is damaged."""
    name = lock_name(file)
    if not os.path.lexists(folder / name):
        return {}
    try:
        lock = msgspec.json.decode(read_beside(folder, name, _MAX_BYTES), type=Lock)
    except (msgspec.MsgspecError, ValueError, OSError) as error:
        reason = f"it is no lock ({error}); `esdh lock-plan {file} --renew` makes it again"
        raise PlanError(name, [Fault(0, 0, "", reason)]) from None
    if lock.esdh != "lock/1":
        reason = f"expected `lock/1`, the locks that this program reads; found {display(lock.esdh)}"
        raise PlanError(name, [Fault(0, 0, "esdh", reason)])
    return lock.pools


def required_pools(plan: language.Plan) -> dict[str, language.FakerWords]:
    """Return the pools that a plan draws from, by name."""
    found: dict[str, language.FakerWords] = {}

    def add(rule: Any) -> None:
        if isinstance(rule, language.Faker):
            words = rule.faker
            found[f"{words.provider}/{words.locale}/{words.pool}"] = words
        if isinstance(rule, language.Case):
            for branch in rule.case:
                add(branch.rule)

    for table in plan.tables.values():
        for field in table.fields.values():
            add(field.rule)
    return dict(sorted(found.items()))


def make_lock(source: Source, *, previous: Mapping[str, Sequence[str]] = {}) -> bytes:
    """Return the lock of a plan: its pools, made by the Faker that is installed.

    A pool of the `previous` lock that has the size that the plan asks for is taken as it is.

    Raises ImportError where it isn't, and PlanError for a provider or a locale that there isn't.
    """
    import faker  # an extra of this package

    pools: dict[str, list[str]] = {}
    faults: list[Fault] = []
    for name, words in required_pools(source.plan).items():
        if len(previous.get(name, ())) == words.pool:
            pools[name] = list(previous[name])
            continue
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
        if words.provider not in PROVIDERS:
            faults.append(Fault(0, 0, name, f"{words.provider!r} is none of our providers"))
            continue
        try:
            generator = faker.Faker(words.locale)
            generator.seed_instance(seed)
            provider = getattr(generator, words.provider)
            pools[name] = [" ".join(str(provider()).split()) for _ in range(words.pool)]
        except (AttributeError, ImportError, TypeError) as error:
            faults.append(Fault(0, 0, name, f"Faker can't make it: {error}"))
    if faults:
        raise PlanError(source.document.file, faults)
    lock = Lock("lock/1", faker.VERSION, pools)
    return msgspec.json.format(msgspec.json.encode(lock), indent=1) + b"\n"
