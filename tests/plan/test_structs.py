"""The Structs of a plan's tables: their names."""

import string

from esdh_plan.structs import struct_of
from hypothesis import given
from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-b][a-b0-1_]{0,5}", fullmatch=True)


def title(name: str) -> str:
    """Return the name of a table's Struct."""
    return struct_of(name, [], "shop v1").__name__


def test_titles_are_camel_case() -> None:
    """A Struct is named like its table, without underscores where a capital tells them."""
    assert ["Orders", "OrderLines", "A2B", "A_2B"] == list(
        map(title, ["orders", "order_lines", "a2_b", "a_2_b"])
    )


@given(st.lists(NAMES, unique=True))
def test_no_two_tables_have_one_title(names: list[str]) -> None:
    """Tables such as `a_b`, `a__b` and `a_b_` have Structs of different names, which Python can name."""
    found = {title(name) for name in names}
    assert len(names) == len(found)
    assert all(each[0] in string.ascii_uppercase and each.isidentifier() for each in found)
