"""A short guard of ratios with wide margins, for CI: `just guard`."""

from esdh_core import generate_bundle, generate_columns
from peers import mimesis_persons
from test_bench import BLOCK, best


def test_columns_are_far_faster_than_mimesis() -> None:
    """A block of persons is made at 10 times Mimesis at the very least (the budget of `just bench` is 25)."""
    ours = best(lambda: generate_columns(0, BLOCK, entities=["person"]), 5) / BLOCK
    theirs = best(lambda: mimesis_persons(300), 3) / 300
    assert theirs / ours > 10, f"{theirs / ours:.1f} times Mimesis"


def test_small_requests_do_not_pay_for_columns() -> None:
    """Five whole records cost at most what Mimesis takes for 150 persons (2 ms where it takes 15 us each)."""
    ours, theirs = best(lambda: generate_bundle(5), 20), best(lambda: mimesis_persons(150), 3)
    assert ours < theirs, f"{ours * 1e3:.2f} ms against {theirs * 1e3:.2f} ms"
