"""Values from a pool that Faker made once and the lock keeps."""

import numpy as np
from esdh_core.columns import Categorical, Categories, Column
from esdh_core.dataset import Block
from esdh_core.permutations import permute_below
from esdh_core.streams import key_word

from esdh_plan import language
from esdh_plan.arithmetic import alike
from esdh_plan.definitions import Capacity, Definition, Place, Words
from esdh_plan.expressions import ValueType

__all__ = ["faker", "pool_name"]


def pool_name(words: language.FakerWords) -> str:
    """Return the name of a pool in the lock."""
    return f"{words.provider}/{words.locale}/{words.pool}"


def faker(rule: language.Faker, place: Place) -> Definition:
    """Make values of a pool."""
    pool = place.compiler.pool(rule.faker, place.at("faker"))
    categories = Categories(pool)
    of = ValueType("string", length=max(map(len, pool)))
    stream = place.stream
    if not place.unique:
        return Definition(
            of,
            lambda block: Categorical(alike(place.words(block), len(pool)).astype(np.int32), categories),
            f"One of {len(pool)} values that Faker made, all alike",
            streams=(stream,),
        )

    def at_slots(block: Block, slots: Words) -> Column:
        rows = permute_below(np.uint64(block.seed ^ key_word(stream)), slots, len(pool))
        return Categorical(rows.astype(np.int32), categories)

    return Definition(
        of,
        lambda block: at_slots(block, block.level(place.of.table).slots),
        f"One of {len(pool)} values that Faker made, each once",
        role="unique" if len(set(pool)) == len(pool) else "value",
        permutation=stream,
        at_slots=at_slots,
        capacity=Capacity(len(pool), lambda needed: f"a pool of {needed:,} would do"),
    )
