"""The rule `license_number`, which a plan takes with `uses: [esdh-plan]`: driving licences that no state issues.

As the first dataset's (contract, section 2): a state's two letters and eleven digits. No state of the fifty and no DC issues that form.
"""

from typing import Annotated, Final

import numpy as np
from esdh_core.columns import Column, FixedText
from esdh_core.dataset import Block
from esdh_core.permutations import permute_below
from esdh_core.streams import key_word
from msgspec import Meta, Struct

from esdh_plan import language
from esdh_plan.branches import CodedTexts, coded
from esdh_plan.definitions import Capacity, Definition, Place
from esdh_plan.expressions import ValueType

__all__ = ["LicenseNumber", "offer"]

_DIGITS: Final = 11
_LETTERS: Final = 2


class LicenseNumberWords(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a licence number says of its state."""

    state: Annotated[
        language.Reference, Meta(description="A coded field: the two letters of the state that issues it.")
    ]


class LicenseNumber(language.Rule, frozen=True):
    """A driving licence's number, of a form that no state issues, each once."""

    license_number: LicenseNumberWords


def column_of(rule: LicenseNumber, place: Place) -> Definition:
    """Make the licence numbers of drivers."""
    place = place.at("license_number", "state")
    name = rule.license_number.state
    state, stream, texts = coded(place, name), place.stream, CodedTexts()
    labels = state.type.labels or ()
    if state.type.kind != "string" or state.type.nullable or not labels:
        place.refuse(f"{name!r} must be text that is known when the plan is loaded, and never null")
    for each in map(str, labels):
        if len(each) != _LETTERS or not each.isascii() or not each.isalpha() or not each.isupper():
            place.refuse(f"{name!r} can be {each!r}; expected two letters, A to Z")

    def column(block: Block) -> Column:
        slots = block.level(place.of.table).slots
        numbers = permute_below(np.uint64(block.seed ^ key_word(stream)), slots, 10**_DIGITS)
        text = np.empty((len(slots), _LETTERS + _DIGITS), dtype=np.uint8)
        text[:, :_LETTERS] = texts.of(state.read(block))
        for at in range(text.shape[1] - 1, _LETTERS - 1, -1):
            text[:, at] = ord("0") + (numbers % np.uint64(10)).astype(np.uint8)
            numbers //= np.uint64(10)
        return FixedText(text)

    return Definition(
        ValueType("string", length=_LETTERS + _DIGITS),
        column,
        "The state's two letters and the keyed permutation of the slot in eleven digits, a form that no state issues: "
        "unique within a seed",
        role="unique",
        permutation=stream,
        depends_on=(state.field,) if state.field else (),
        lookups=state.lookups,
        pattern=f"^[A-Z]{{{_LETTERS}}}[0-9]{{{_DIGITS}}}$",
        capacity=Capacity(10**_DIGITS, lambda _: "fewer rows a record would do"),
    )


offer = language.Offer(LicenseNumber, column_of)
