"""The oracle of plans against what is known from elsewhere: vectors, known answers, and cases worked out here by hand."""

import ast
import datetime as dt
import hashlib
import struct
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from oracle import Oracle, Typed
from oracle.bands import half_even, make, written
from oracle.expressions import Value, evaluate, infer, parse
from oracle.patterns import capacity, render
from oracle.structure import Constants
from oracle.words import (
    all_alike,
    child_word,
    choose,
    feistel_halves,
    feistel_id,
    key_word,
    meets_share,
    permute,
    root_word,
    thresholds,
    whole_weights,
)
from oracles import content_digest, draw, full_years

PLANS = Path(__file__).parent / "plans"
POOLS = {"company/de_DE/5": ["Aal", "Buch", "Cent", "Dorf", "Eck"], "city/en_US/3": ["Ames", "Bath", "Ames"]}
SEED = 20240601
G = 0x9E3779B97F4A7C15


def oracle_of(name: str) -> Oracle:
    """Return the oracle of a plan beside this file."""
    return Oracle.of_file(PLANS / f"{name}.yaml", pools=POOLS)


def finalise(z: int) -> int:
    """Return SplitMix64's finaliser, written once more."""
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


# --- words, choices, permutations, ids ------------------------------------------------------------------------


def test_root_words_are_the_contracts_draws() -> None:
    """A root's word is the draw of contract.md, section 3, whose vectors come out."""
    assert 0x9463D9CFCF056739 == key_word("person.lob_type")
    assert [0x8CDF5EF809A41E78, 0xB9382DB81082588A] == [root_word(SEED, "person.lob_type", i) for i in (0, 1)]


def test_childrens_words_are_splitmix64() -> None:
    """The words of a parent's children are the outputs of SplitMix64 from the parent's word (known for 1234567)."""
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert known == [child_word(1234567, k) for k in range(4)]


def test_all_alike_takes_32_bits_or_64() -> None:
    """A range takes a word's upper 32 bits up to 2^32 values, and the whole word above."""
    word = 0x80000000_FFFFFFFF
    assert 2**31 == all_alike(word, 2**32)
    assert word == all_alike(word, 2**64)
    assert (2**32 + 1) * word >> 64 == all_alike(word, 2**32 + 1)
    assert 5 == all_alike(word, 10)


@pytest.mark.parametrize(
    ("weights", "whole"),
    [
        (["70", "20", "10"], (7, 2, 1)),
        (["1/3", "2/3"], (1, 2)),
        (["0.7", "0.2", "0.1"], (7, 2, 1)),
        (["4294967296", "4294967299", "1"], (2**30, 2**30, 0)),
        (["4294967294", "1"], (2**32 - 2, 1)),
        (["4294967295", "1"], (2**31 - 1, 0)),
        (["8589934592", "4294967296"], (2, 1)),
    ],
)
def test_weights_become_whole_and_fit(weights: list[str], whole: tuple[int, ...]) -> None:
    """Weights are the smallest whole ones, and lose bits only where their sum reaches 2^32."""
    assert whole == whole_weights(tuple(map(Fraction, weights)))


def test_choice_takes_the_first_threshold_above() -> None:
    """A choice's thresholds are floor(C * 2^32 / W), and a weight of 0 is never chosen."""
    limit = 7 * 2**32 // 10
    assert (limit, limit, 2**32) == thresholds((7, 0, 3))
    assert [0, 2] == [choose(hi << 32, (7, 0, 3)) for hi in (limit - 1, limit)]


def test_share_is_met_below_its_floor() -> None:
    """A share p is met where hi < floor(p * 2^32)."""
    limit = 2**32 // 3
    assert [True, False] == [meets_share(hi << 32, Fraction(1, 3)) for hi in (limit - 1, limit)]
    assert meets_share(2**64 - 1, Fraction(1))
    assert not meets_share(0, Fraction(0))


def test_permutation_over_36_bits_is_the_contracts() -> None:
    """Over 2^36 numbers the permutation is contract.md's, section 5, whose vectors come out."""
    key = SEED ^ key_word("person.driver_license_number")
    assert 20801382165 == permute(0, 2**36, key)
    assert 54348 == permute(0, 2**36, SEED ^ key_word("vehicle.vin")) % 100_000


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 11, 16, 17, 64, 65, 1000])
def test_permutation_is_one(size: int) -> None:
    """Every number below a capacity comes once."""
    assert list(range(size)) == sorted(permute(i, size, 0xABCDEF) for i in range(size))


def test_ids_of_v0_1_come_out() -> None:
    """With v0.1's left and right the ids are contract.md's, section 4, and decode to them."""
    known = {
        (1, 0): "7325de0f-b0c4-806c-8636-3e3a1bdbceb4",
        (2, 0): "7b847f8b-0bf6-8164-86ee-1e9155a80ffc",
        (3, 1): "d4ab67fe-6799-8d2d-99be-841b118c6dc9",
    }
    for (entity, index), text in known.items():
        halves = SEED << 8 | 1, entity << 56 | index << 20
        assert text == feistel_id(*halves)
        assert halves == feistel_halves(text)


def test_ids_of_a_plan_name_table_and_slot() -> None:
    """A plan's id decodes to its table, seed and slot, whose tag is of version and table."""
    room = oracle_of("room")
    slot = room.slots("children", SEED, 5, 1)[0]
    text = room.rows("children", SEED, 5, 1)[0]["child_id"]
    assert 5 * 16 == slot
    assert ("children", SEED, slot) == room.ids.decode(str(text))
    tag = int.from_bytes(hashlib.sha256(b"room v3/children").digest()[:3], "big") >> 7
    assert feistel_id(SEED << 8, tag << 44 | slot) == text


def test_ids_without_a_row_are_refused() -> None:
    """An id of another plan's tag, or of a k that isn't below its parent's count, is refused."""
    room = oracle_of("room")
    with pytest.raises(ValueError, match="none at 83"):
        room.ids.decode(room.ids.encode("children", SEED, 5 * 16 + 3))
    with pytest.raises(ValueError, match="no id of this plan"):
        room.ids.decode(oracle_of("bank").ids.encode("accounts", SEED, 0))


# --- bands ----------------------------------------------------------------------------------------------------


def test_bands_of_bank_are_the_known_answers() -> None:
    """The bands that datasets.md tells of bank come out."""
    bank = oracle_of("bank")
    popularity = bank.bands("merchants", "popularity")
    assert 1000 == len(popularity)
    assert [(1, 1, 385349083), (2, 2, 179771703), (3, 3, 115085591)] == popularity[:3]
    counts = make("geometric", {"mean": Fraction(12)}, 0, 200, Fraction(1))
    assert 201 == len(counts)
    assert [165191067, 152484062, 140754518] == [weight for _, _, weight in counts[:3]]
    amount = bank.bands("transactions", "amount")
    assert 553 == len(amount)
    assert [(1, 6, 4), (7, 7, 5), (8, 8, 9)] == amount[:3]
    assert (3084530, 5000000, 2) == amount[-1]


@pytest.mark.parametrize("table", ["distributions", "distributions_dates", "bands"])
def test_bands_ascend_without_gaps_and_sum_to_one(table: str) -> None:
    """Bands ascend from the cut's start to its end, and weigh 2^31 in all."""
    of = oracle_of(table)
    names = [name for name in of.names("draws") if name != "synthetic_source"]
    for name in names:
        bands = of.bands("draws", name)
        assert 2**31 == sum(weight for _, _, weight in bands), name
        assert all(last < first for (_, last, _), (first, _, _) in pairwise(bands)), name
        if table != "bands":
            assert all(last + 1 == first for (_, last, _), (first, _, _) in pairwise(bands)), name


def test_half_of_a_symmetric_cut_ends_a_band() -> None:
    """The median of a normal that is cut evenly ends a band, with exactly half of the weight up to it."""
    bands = make("normal", {"mean": Fraction("999.5"), "sd": Fraction(200)}, 0, 1999, Fraction(1))
    below = [weight for _, last, weight in bands if last <= 999]
    assert 999 in [last for _, last, _ in bands]
    assert 2**30 == sum(below)


def test_small_distributions_are_worked_out_by_hand() -> None:
    """A few values of each discrete distribution have the shares of its definition."""
    assert [2**31 * 4 // 7, 2**31 * 2 // 7 + 1] == [
        weight for _, _, weight in make("geometric", {"mean": Fraction(1)}, 0, 2, Fraction(1))[:2]
    ]
    zipf = [Fraction(1), Fraction(1, 2), Fraction(1, 3)]
    first = round(zipf[0] / sum(zipf) * 2**31)
    assert first == make("zipf", {"s": Fraction(1)}, 7, 9, Fraction(1))[0][2]
    poisson = make("poisson", {"mean": Fraction(2)}, 0, 2, Fraction(1))
    assert [round(2**31 * Fraction(1, 5)), round(2**31 * Fraction(3, 5))] == [
        poisson[0][2],
        poisson[0][2] + poisson[1][2],
    ]
    assert [2, 2, 4] == [half_even(Decimal(text)) for text in ("1.5", "2.5", "3.5")]


def test_continuous_mass_lies_around_a_value() -> None:
    """A value of a continuous distribution has the mass half a unit to both sides, after the cut."""
    bands = make("exponential", {"mean": Fraction(1)}, 1, 3, Fraction(1))
    e = Decimal(-1).exp()
    below = [1 - e ** (Decimal(v) + Decimal("0.5")) for v in range(4)]
    share = (below[1] - below[0]) / (below[3] - below[0])
    assert round(share * 2**31) == bands[0][2]


def test_written_bands_are_scaled_by_their_running_sums() -> None:
    """Bands that a plan writes weigh R(end) - R(end before), and a weight of 0 stays."""
    assert [(1, 1, 1288490189), (5, 9, 0), (100, 199, 858993459)] == written(
        [(1, 1, Fraction(1)), (5, 9, Fraction(0)), (100, 199, Fraction(2, 3))]
    )


# --- patterns and expressions ---------------------------------------------------------------------------------


def test_patterns_count_most_significant_first() -> None:
    """A pattern's number is written in mixed radix, its first class the most significant."""
    assert 26**2 * 10 == capacity("[A-Z]{2}-[0-9]")
    assert ["AA-0", "AA-9", "AB-0", "BA-0"] == [render("[A-Z]{2}-[0-9]", n) for n in (0, 9, 10, 260)]
    assert "x-F" == render(r"x\-[C-F]", 3)
    assert "b" == render("[cab]", 2)


class Names(Constants):
    """Names with values that a test gives, all of them nullable."""

    def __init__(self, **values: Value) -> None:
        super().__init__(dt.date(2024, 6, 1))
        self._values = values

    def value_of(self, base: str | None, name: str) -> Value:
        """Return a name's value."""
        assert base is None
        return self.today if name == "today" else self._values[name]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("0.1 + 0.2 == 0.3", True),
        ("1.50 * 1.5", Fraction("2.25")),
        ("7 // 2 + -7 // 2 + -7 % 3", 3 - 4 + 2),
        ("round(2.5)", 2),
        ("round(3.5, 0)", 4),
        ("round(0.125, 2)", Fraction("0.12")),
        ("round(1 / 3, 4)", Fraction("0.3333")),
        ("round(-7 / 2, 0)", -4),
        ("date(2023, 1, 31) + months(1)", dt.date(2023, 2, 28)),
        ("date(2024, 2, 29) + years(1)", dt.date(2025, 2, 28)),
        ("date(2024, 2, 29) - years(4)", dt.date(2020, 2, 29)),
        ("date(2024, 3, 31) - months(13)", dt.date(2023, 2, 28)),
        ("date(2024, 12, 31) + days(1)", dt.date(2025, 1, 1)),
        ("date(2024, 1, 1) + hours(25)", dt.datetime(2024, 1, 2, 1, tzinfo=dt.UTC)),
        ("date(2024, 3, 1) - date(2024, 2, 1)", 29),
        ("date(2024, 1, 2) + hours(0) - date(2024, 1, 1)", 86_400),
        ("age(date(2000, 6, 1))", 24),
        ("age(date(2000, 6, 2))", 23),
        ("age(date(2000, 2, 29), date(2001, 2, 28))", 0),
        ("year(today)", 2024),
        ("min(3, 1.5, 2)", Fraction("1.5")),
        ("max(date(2001, 1, 1), today)", dt.date(2024, 6, 1)),
        ("lower('ÀB') + upper('ßc')", "ÀbßC"),
        ("ascii('Crème brûlée, Ångström')", "Creme brulee, Angstrom"),
        ("left('abc', 2) + right('abc', 2) + left('abc', 9) + right('abc', 0)", "abbcabc"),
        ("pad(7, 3) + pad('x', 3, '.') + pad('long', 2)", "007..xlong"),
        ("luhn('7992739871') + luhn('411111111111111')", "31"),
        ("'b' in ('a', 'b') and 'b' not in ['c']", True),
        ("1 < 2 < 2", False),
        ("today == today + hours(0) and today < today + hours(1)", True),
        ("'yes' if 1 > 2 else 'no'", "no"),
        ("not (true_one and false_one)", True),
        # null
        ("nil is None and not (1 is None)", True),
        ("nil + 1", None),
        ("nil == nil", None),
        ("nil in (1, 2)", None),
        ("nil and false_one", False),
        ("nil and true_one", None),
        ("nil or true_one", True),
        ("nil or false_one", None),
        ("not nil", None),
        ("min(1, nil)", None),
        ("coalesce(nil, nil, 3)", 3),
        ("'yes' if nil else 'no'", "no"),
        ("today + days(nil)", None),
        ("1 < nil < 0", None),
        ("2 < 1 < nil", False),
    ],
)
def test_expressions_have_their_values(text: str, value: Value) -> None:
    """An expression's value is what section 5 says."""
    found = evaluate(parse(text), Names(nil=None, true_one=True, false_one=False))
    assert (type(value), value) == (type(found), found)


@pytest.mark.parametrize(
    ("text", "kind", "scale"),
    [
        ("1.50 + 1.5", "decimal", 2),
        ("1.50 * 1.5", "decimal", 3),
        ("2 * 1.5", "decimal", 1),
        ("max(1, 1.25)", "decimal", 2),
        ("1 if 1 < 2 else 2.0", "decimal", 1),
        ("round(1.255, 2)", "decimal", 2),
        ("round(1 / 3)", "integer", 0),
        ("today - today", "integer", 0),
        ("today + hours(1)", "timestamp", 0),
    ],
)
def test_expressions_have_their_types(text: str, kind: str, scale: int) -> None:
    """Sums take the larger scale, products add scales."""
    found = infer(parse(text), Constants(dt.date(2024, 6, 1)))
    assert (kind, scale) == (found.kind, found.scale)


@pytest.mark.parametrize(
    "text",
    [
        "1 / 2 if 1 else 2",
        "today + 1",
        "'a' + 1",
        "[1]",
        "f(1)",
        "2 ** 3",
        "round(1 / 0, 1)",
        "coalesce(today + hours(1), today)",
    ],
)
def test_what_does_not_fit_is_refused(text: str) -> None:
    """What isn't part of the language, or of one type, has no type."""
    with pytest.raises((TypeError, NameError)):
        infer(parse(text), Constants(dt.date(2024, 6, 1)))


def test_numbers_are_read_from_their_text() -> None:
    """A number with more digits than a float has keeps them."""
    assert Fraction("0.1234567890123456789") == evaluate(parse("0.1234567890123456789"), Names())
    assert isinstance(parse("0.5").tree, ast.Constant)


# --- rows, by hand from raw words -----------------------------------------------------------------------------


def test_root_fields_follow_from_their_words() -> None:
    """Choices, shares, ranges, patterns and picks of root rows are worked out here from the raw draws."""
    shares = [row["color"] for row in oracle_of("choices").rows("things", SEED, 0, 40)]
    limits = {"red": 7 * 2**32 // 10, "green": 9 * 2**32 // 10, "blue": 2**32}
    for i, color in enumerate(shares):
        hi = draw(SEED, "choices:things.color", i) >> 32
        assert next(name for name, limit in limits.items() if hi < limit) == color

    forms = oracle_of("missing_when").rows("forms", SEED, 0, 40)
    for i, form in enumerate(forms):
        gone = draw(SEED, "missing:forms.c.missing", i) >> 32 < 2**32 // 3
        assert (None if gone else (draw(SEED, "missing:forms.c", i) >> 32) * 10 >> 32) == form["c"]

    for i, item in enumerate(oracle_of("patterns_unique").rows("items", SEED, 0, 5)):
        assert f"{draw(SEED, 'patterns:items.big', i) * 10**18 >> 64:018d}" == item["big"]
        key = SEED ^ key_word("patterns:items.serial")
        assert f"C{permute(i, 10**11, key):011d}" == item["serial"]

    picks = oracle_of("picks_weight")
    codes = ["CA", "AZ", "NV", "OR", "WA"]
    for i, person in enumerate(picks.rows("people", SEED, 0, 20)):
        assert codes[(draw(SEED, "picks:people@any_state", i) >> 32) * 5 >> 32] == person["code"]


def test_childrens_fields_follow_from_their_parents_words() -> None:
    """A child's values, and how many there are, are worked out here from the root's draws alone."""
    oracle = oracle_of("counts_by")
    for i in range(30):
        (client,) = oracle.rows("clients", SEED, i, 1)
        hi = draw(SEED, "countsby:orders#count", i) >> 32
        if client["size"] == "small":
            count = int(hi >= 2**32 // 3)
        elif client["size"] == "large":
            count = 4 + next(j for j in range(3) if hi < (j + 1) * 2**32 // 3) if client["active"] else 2
        else:
            count = int(hi >= 2**31)
        assert [i * 8 + k for k in range(count)] == oracle.slots("orders", SEED, i, 1)

    room = oracle_of("room")
    for i in range(8):
        root = draw(SEED, "room:leaves.score", i)
        for leaf, slot in zip(room.rows("leaves", SEED, i, 1), room.slots("leaves", SEED, i, 1), strict=True):
            child, k = divmod(slot, 2)
            assert i == child // 16
            word = finalise((finalise((root + (child % 16 + 1) * G) % 2**64) + (k + 1) * G) % 2**64)
            assert -5 + ((word >> 32) * 11 >> 32) == leaf["score"]


def test_tables_without_count_share_their_parents_words() -> None:
    """A table without count has its parent's slot and words; one with a count of 1 has words of its own."""
    oracle = oracle_of("counts_listed")
    assert [4] == oracle.slots("no_count", SEED, 4, 1) == oracle.slots("just_one", SEED, 4, 1)
    same = draw(SEED, "counts:no_count.n", 4)
    mixed = finalise((draw(SEED, "counts:just_one.n", 4) + G) % 2**64)
    assert [(same >> 32) * 100 >> 32] == [row["n"] for row in oracle.rows("no_count", SEED, 4, 1)]
    assert [(mixed >> 32) * 100 >> 32] == [row["n"] for row in oracle.rows("just_one", SEED, 4, 1)]


def test_counts_take_their_thresholds_in_ascending_order() -> None:
    """A choice of counts is drawn with the counts ascending, whatever the order in the file."""
    oracle = oracle_of("counts_listed")
    for i in range(30):
        hi = draw(SEED, "counts:choice_some#count", i) >> 32
        count = 0 if hi < 4 * 2**32 // 10 else 2 if hi < 9 * 2**32 // 10 else 7
        assert count == len(oracle.slots("choice_some", SEED, i, 1))
        share = int(draw(SEED, "counts:share_some#count", i) >> 32 >= 3 * 2**32 // 10)
        assert share == len(oracle.slots("share_some", SEED, i, 1))


def test_bands_take_hi_for_the_band_and_lo_for_the_place() -> None:
    """A value of a band is found by the word's two halves."""
    oracle = oracle_of("bands")
    for i, row in enumerate(oracle.rows("draws", SEED, 0, 30)):
        word = draw(SEED, "bands:draws.age", i)
        limits = [round(2**31 * Fraction(share, 100)) * 2 for share in (22, 82, 100)]
        first, last = [(0, 17), (18, 64), (65, 99)][next(j for j, at in enumerate(limits) if word >> 32 < at)]
        assert first + ((word & 0xFFFFFFFF) * (last - first + 1) >> 32) == row["age"]


def test_wide_ranges_take_each_rows_own_n() -> None:
    """A range whose n depends on the row takes 32 or 64 bits by that row's n."""
    oracle = oracle_of("wide_integers")
    seen = set()
    for i, row in enumerate(oracle.rows("numbers", SEED, 0, 12)):
        word, n = draw(SEED, "wide:numbers.own_n", i), row["limit"]
        assert isinstance(n, int)
        seen.add(n)
        assert 1 + ((word >> 32) * n >> 32 if n == 9 else word * n >> 64) == row["own_n"]
        assert draw(SEED, "wide:numbers.widest", i) - 2**63 == row["widest"]
    assert {9, 99999999999} == seen


def test_where_narrows_and_weighs_what_is_left() -> None:
    """A pick with `where` is a choice by weight among the rows that equal the row's fields, in their order."""
    oracle = oracle_of("picks_where")
    models = oracle.rows("models", SEED)
    for i, driver in enumerate(oracle.rows("drivers", SEED, 0, 20)):
        assert driver["state"] == driver["city_state"]
        left = [one for one in models if (one["make"], one["fuel"]) == (driver["make"], driver["fuel"])]
        weights = [int(str(one["sold"])) for one in left]
        hi, running = draw(SEED, "where:drivers@car", i) >> 32, 0
        for one, weight in zip(left, weights, strict=True):
            running += weight
            if hi < (running << 32) // sum(weights):
                assert one["model_no"] == driver["model_no"]
                break


def test_distinct_picks_permute_the_table_by_the_parents_word() -> None:
    """Siblings draw distinct rows: the permutation keyed by the pick's word at the parent's slot alone."""
    oracle = oracle_of("picks_distinct")
    for i in range(12):
        numbers = [row["course_no"] for row in oracle.rows("enrolments", SEED, i, 1)]
        key = draw(SEED, "distinct:enrolments@course", i)
        assert [1 + permute(k, 11, key) for k in range(len(numbers))] == numbers


def test_siblings_picks_stay_below_the_same_parent() -> None:
    """A pick among siblings takes row word * n >> 64 of the parent's, with all its fields, or nothing."""
    oracle, none = oracle_of("siblings"), 0
    for i in range(20):
        covers = oracle.rows("coverages", SEED, i, 1)
        for claim, slot in zip(
            oracle.rows("claims", SEED, i, 1), oracle.slots("claims", SEED, i, 1), strict=True
        ):
            word = finalise((draw(SEED, "siblings:claims@cover", i) + (slot % 4 + 1) * G) % 2**64)
            if covers:
                cover = covers[word * len(covers) >> 64]
                assert [cover[name] for name in ("coverage_id", "limit", "paid")] == [
                    claim[name] for name in ("coverage_id", "limit", "paid")
                ]
            else:
                none += 1
                assert (None, 0) == (claim["limit"], claim["safe_limit"])
    assert none > 0


def test_earlier_picks_are_records_before() -> None:
    """A pick among earlier records takes record word * i >> 64, by the row's own word, and nothing at 0."""
    oracle = oracle_of("earlier")
    staff = oracle.rows("staff", SEED, 0, 12)
    assert (None, None) == (staff[0]["boss_id"], staff[0]["boss_number"])
    for i in range(1, 12):
        boss = staff[draw(SEED, "earlier:staff@boss", i) * i >> 64]
        assert [boss["staff_id"], boss["number"], boss["badge"]] == [
            staff[i][name] for name in ("boss_id", "boss_number", "boss_badge")
        ]
        for k, review in enumerate(oracle.rows("reviews", SEED, i, 1)):
            word = finalise((draw(SEED, "earlier:reviews@reviewer", i) + (k + 1) * G) % 2**64)
            assert staff[word * i >> 64]["staff_id"] == review["reviewer_id"]


def test_case_draws_every_branch_from_the_fields_stream() -> None:
    """The branches of a case share one stream, and a condition that is null doesn't hold."""
    for i, loan in enumerate(oracle_of("case").rows("loans", SEED, 0, 40)):
        hi = draw(SEED, "cases:loans.amount", i) >> 32
        if loan["type"] == "loan":
            assert 1000 + (hi * 8001 >> 32) == loan["amount"]
        elif loan["type"] is None:
            assert (0, "void") == (loan["amount"], loan["status"])
        if loan["status"] in {"open", "closed"} and loan["type"] == "card":
            at = draw(SEED, "cases:loans.status", i) >> 32
            assert ("open" if at < 95 * 2**32 // 100 else "closed") == loan["status"]


def test_crossing_bounds_take_from_and_null_bounds_give_null() -> None:
    """Where a row's bounds cross, its value is `from`; where one is null, so is the value."""
    rows = oracle_of("bounds").rows("spans", SEED, 0, 60)
    crossed = [row for row in rows if _int(row["high"]) > _int(row["low"])]
    assert crossed
    assert [row["high"] for row in crossed] == [row["crossing"] for row in crossed]
    assert [row["maybe"] is None for row in rows] == [row["nullable"] is None for row in rows]
    assert any(row["maybe"] is None for row in rows)


def _int(value: Typed) -> int:
    assert isinstance(value, int)
    return value


def test_faker_pools_are_drawn_all_alike_or_once_each() -> None:
    """A pool is drawn by hi * n >> 32; where the field is unique, by the permuted slot."""
    oracle = oracle_of("faker_pool")
    pool = POOLS["company/de_DE/5"]
    for i, firm in enumerate(oracle.rows("firms", SEED, 0, 9)):
        assert pool[(draw(SEED, "pools:firms.firm", i) >> 32) * 5 >> 32] == firm["firm"]
    key = SEED ^ key_word("pools:brands.brand")
    assert [pool[permute(i, 5, key)] for i in range(4)] == [
        row["brand"] for row in oracle.rows("brands", SEED)
    ]


# --- rows, by what must hold among them -----------------------------------------------------------------------


def test_rollups_and_running_values_add_up() -> None:
    """Rollups and running values are those of the rows below, added up again here."""
    oracle = oracle_of("rollups")
    for i in range(15):
        (shop,) = oracle.rows("shops", SEED, i, 1)
        carts, lines = (oracle.rows(name, SEED, i, 1) for name in ("carts", "lines"))
        prices: list[Any] = [line["price"] for line in lines]
        quantities: list[Any] = [line["quantity"] for line in lines if line["quantity"] is not None]
        notes = [line["note"] for line in lines if line["note"] is not None]
        days: list[Any] = [cart["day"] for cart in carts]
        expected = {
            "carts": len(carts),
            "lines": len(lines),
            "total": sum(prices, Decimal("0.00")),
            "cheapest": min(prices, default=None),
            "dearest": max(prices, default=None),
            "first_day": days[0] if days else None,
            "last_day": days[-1] if days else None,
            "latest": max(days, default=None),
            "first_note": notes[0] if notes else None,
            "known": sum(quantities),
        }
        assert expected == {name: shop[name] for name in expected}
    running = oracle_of("running")
    for i in range(15):
        signed, points = Decimal(0), 0
        for row in running.rows("entries", SEED, i, 1):
            assert isinstance(row["signed"], Decimal)
            signed += row["signed"]
            points += _int(row["points"] or 0)
            assert (signed, points) == (row["balance_after"], row["points_so_far"])
        assert [signed] == [row["balance"] for row in running.rows("accounts", SEED, i, 1)]


def test_ordered_values_are_the_siblings_own_in_order() -> None:
    """Ordered siblings hold what they drew, sorted, and lose some of it to `missing` and `when` alone."""
    oracle = oracle_of("ordered")
    for i in range(20):
        visits = oracle.rows("visits", SEED, i, 1)
        drawn = []
        for k in range(len(visits)):
            word = finalise((draw(SEED, "ordered:visits.level", i) + (k + 1) * G) % 2**64)
            drawn.append(1 + ((word >> 32) * 5 >> 32))
        for level, visit in zip(sorted(drawn), visits, strict=True):
            assert visit["level"] in {None, level}
        stamps: list[Any] = [visit["at"] for visit in visits]
        assert sorted(stamps) == stamps
        assert all((visit["fee"] is not None) == (visit["kind"] == "paid") for visit in visits)


def test_prev_and_next_are_the_siblings_beside() -> None:
    """`prev` and `next` are the values of the rows beside, and null at the ends."""
    oracle = oracle_of("prev_next")
    for i in range(10):
        stops = oracle.rows("stops", SEED, i, 1)
        places = [stop["place"] for stop in stops]
        assert [None, *places[:-1]] == [stop["came_from"] for stop in stops]
        assert [*places[1:], None] == [stop["goes_to"] for stop in stops]
        assert [True] + [False] * (len(stops) - 1) == [stop["is_first"] for stop in stops]
        assert list(range(1, len(stops) + 1)) == [stop["number"] for stop in stops]


def test_renamed_streams_change_no_value() -> None:
    """With `stream:` a plan of new names has the values and ids of the old names."""
    new, old = oracle_of("stream_rename"), oracle_of("stream_original")
    for renamed, table in (("clients", "customers"), ("contracts", "accounts")):
        assert [list(row.values()) for row in old.rows(table, SEED, 0, 30)] == [
            list(row.values()) for row in new.rows(renamed, SEED, 0, 30)
        ]


@pytest.mark.parametrize("name", ["nested_depth4", "counts_by", "prev_next", "earlier", "ordered"])
def test_windows_are_parts_of_the_whole(name: str) -> None:
    """Records made alone, in any order, are the records of a longer run."""
    whole = oracle_of(name).bundle(SEED, 0, 9)
    parts = [oracle_of(name).bundle(SEED, start, 3) for start in (6, 0, 3)]
    for table, rows in whole.items():
        assert rows == parts[1][table] + parts[2][table] + parts[0][table]


def test_rows_are_found_by_their_slots() -> None:
    """A slot leads to its row without the rows before it."""
    oracle = oracle_of("nested_depth4")
    slots = oracle.slots("people", SEED, 3, 4)
    assert slots == sorted(slots)
    assert oracle.rows("people", SEED, 3, 4) == [
        oracle_of("nested_depth4").row("people", SEED, slot) for slot in slots
    ]


def test_other_seeds_give_other_rows_but_the_same_file() -> None:
    """A file's rows are the same under any seed; what is drawn is not."""
    oracle = oracle_of("fixed_file")
    assert oracle.rows("tariffs", 1) == oracle.rows("tariffs", 2)
    assert oracle.rows("contracts", 1, 0, 9) != oracle.rows("contracts", 2, 0, 9)
    first, second = oracle.rows("tariffs", 1)[:2]
    assert ["A1", "Alpha, the first", Decimal("1.250"), dt.date(2001, 2, 3), True] == list(first.values())[:5]
    assert ['Bra "två"', Decimal("0.500"), None] == list(second.values())[1:4]


def test_uniques_are_unique() -> None:
    """Unique fields hold no value twice, in sparse slots too."""
    oracle = oracle_of("patterns_unique")
    for table, names in {
        "stock": ["letter", "number"],
        "items": ["serial", "short", "rank", "day", "price"],
        "parts": ["part_code"],
    }.items():
        rows = oracle.rows(table, SEED, 0, 300)
        for name in names:
            assert len(rows) == len({row[name] for row in rows}), name


# --- before any row -------------------------------------------------------------------------------------------


def test_room_blocks_and_shards_of_bank() -> None:
    """F, B and the default of --shard-rows follow from bank's counts: means 1, 2.4 and 2.4 times just below 12."""
    bank = oracle_of("bank")
    assert [1, 4, 256] == [bank.room(table) for table in ("customers", "accounts", "transactions")]
    blocks = [bank.blocks(table) for table in ("merchants", "customers", "accounts", "transactions")]
    assert [65_536, 65_536, 16_384, 2_048] == blocks
    assert 65_536 == bank.default_shard_rows()
    assert 1_048_576 == oracle_of("choices").default_shard_rows()
    assert 524_288 == oracle_of("running").default_shard_rows()
    assert [16, 2] == [oracle_of("room").room(table) for table in ("children", "leaves")]


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_plans_rows_keep_their_types(path: Path) -> None:
    """Rows have the types of their fields: nulls where they may be, numbers within their bounds."""
    oracle = Oracle.of_file(path, pools=POOLS)
    python = {
        "string": str,
        "integer": int,
        "decimal": Decimal,
        "boolean": bool,
        "date": dt.date,
        "timestamp": dt.datetime,
    }
    for table in oracle.tables():
        rows = oracle.rows(table, SEED, 0, 6)
        for name, of in oracle.types(table).items():
            for row in rows:
                value = row[name]
                if value is None:
                    assert of.nullable, name
                    continue
                assert python[of.kind] is type(value), name
                if isinstance(value, Decimal):
                    assert -of.scale == value.as_tuple().exponent
                if of.is_number:
                    assert of.low <= Fraction(str(value)) <= of.high, name


@pytest.mark.parametrize(
    ("plan", "table", "nullable"),
    [
        ("booleans", "flags", {"listed", "both", "either", "neither"}),
        ("rollups", "shops", {"cheapest", "dearest", "first_day", "last_day", "latest", "first_note"}),
        ("running", "entries", {"points"}),
        ("prev_next", "stops", {"place", "came_from", "goes_to", "waited"}),
        ("siblings", "claims", {"coverage_id", "limit", "paid", "vehicle_id", "model_year"}),
        ("fixed_file", "tariffs", {"rate", "since"}),
        ("fixed_file", "contracts", {"bare_rate", "since"}),
        ("missing_when", "forms", {*"abcdef", "all_there", "all_gone", "text", "day", "price", "at", "flag"}),
        ("bounds", "spans", {"maybe", "nullable", "nullable_from"}),
    ],
)
def test_nullability_is_known_before_any_row(plan: str, table: str, nullable: set[str]) -> None:
    """A field is nullable by its rule and operands, not by the rows that came."""
    types = oracle_of(plan).types(table)
    assert nullable == {name for name, of in types.items() if of.nullable}


# --- forms ----------------------------------------------------------------------------------------------------

FORMS = """
esdh: plan/1
name: forms
version: 2
reference_date: 2024-06-01
tables:
  rows_of_it:
    fields:
      text: {value: 'say "so", twice'}
      empty: "''"
      gone: {value: x, missing: 100%}
      whole: {value: -7}
      price: {value: 1.50}
      small: {value: 0.05}
      flag: {value: true}
      day: date(1969, 12, 31)
      at: "date(2024, 5, 31) + hours(12)"
      lost: {integer: {from: 1, to: 5}, missing: 100%}
      kept: {value: 3, missing: 0}
      wide: {integer: {from: 1000000000000000, to: 1000000000000000}}
      narrow: {integer: {from: 999999999999999, to: 999999999999999}}
      umlaut: {value: "ü\\\\"}
"""


def test_csv_and_json_show_every_type() -> None:
    """Texts are quoted where needed, an empty one always; numbers above 15 digits are strings in JSON."""
    oracle = Oracle(FORMS)
    header, line = oracle.csv("rows_of_it", SEED)
    assert (
        "text,empty,gone,whole,price,small,flag,day,at,lost,kept,wide,narrow,umlaut,synthetic_source"
        == header
    )
    assert (
        '"say ""so"", twice","",,-7,1.50,0.05,true,1969-12-31,2024-05-31T12:00:00Z,,3,1000000000000000,'
        "999999999999999,ü\\,enterprise-synthetic-data-hub forms v2"
    ) == line
    assert [
        r'{"text":"say \"so\", twice","empty":"","gone":null,"whole":-7,"price":1.50,"small":0.05,"flag":true,'
        '"day":"1969-12-31","at":"2024-05-31T12:00:00Z","lost":null,"kept":3,"wide":"1000000000000000",'
        r'"narrow":999999999999999,"umlaut":"ü\\","synthetic_source":"enterprise-synthetic-data-hub forms v2"}'
    ] == oracle.ndjson("rows_of_it", SEED)


def test_digest_is_made_of_the_bytes_of_section_4() -> None:
    """The digest of two rows of every type is worked out here from packed bytes."""
    marker = b"enterprise-synthetic-data-hub forms v2"

    def texts(*values: bytes | None) -> bytes:
        lengths = [0xFFFFFFFF if value is None else len(value) for value in values]
        return struct.pack(f"<{len(values)}I", *lengths) + b"".join(filter(None, values))

    noon = int(dt.datetime(2024, 5, 31, 12, tzinfo=dt.UTC).timestamp()) * 1_000_000
    columns = [
        texts(*[b'say "so", twice'] * 2),
        texts(b"", b""),
        texts(None, None),
        struct.pack("<2q", -7, -7),
        struct.pack("<2q", 150, 150),
        struct.pack("<2q", 5, 5),
        b"\x01\x01",
        struct.pack("<2i", -1, -1),
        struct.pack("<2q", noon, noon),
        b"\x00\x00" + struct.pack("<2q", 0, 0),
        b"\x01\x01" + struct.pack("<2q", 3, 3),
        struct.pack("<2q", 10**15, 10**15),
        struct.pack("<2q", 10**15 - 1, 10**15 - 1),
        texts("ü\\".encode(), "ü\\".encode()),
        texts(marker, marker),
    ]
    block = hashlib.sha256(b"".join(hashlib.sha256(column).digest() for column in columns)).digest()
    assert hashlib.sha256(block).hexdigest() == Oracle(FORMS).digest("rows_of_it", SEED, 2)


def test_digest_of_texts_and_integers_is_the_contracts() -> None:
    """Without nulls and new types the digest is that of contract.md, section 8."""
    oracle = oracle_of("nested_depth4")
    rows = oracle.rows("towns", SEED, 0, 20)
    columns = [[row[name] for row in rows] for name in oracle.names("towns")]
    assert content_digest(columns) == oracle.digest("towns", SEED, 20)


def test_empty_blocks_are_of_empty_input() -> None:
    """A block without rows has the digest of empty input, and stands among the others."""
    oracle = oracle_of("empty_blocks")
    assert [65_536, 16_384, 16, 65_536] == [oracle.blocks(table) for table in oracle.tables()]
    bursts = [len(oracle.slots("bursts", SEED, start, 16)) for start in range(0, 64, 16)]
    empty = hashlib.sha256(b"").digest()
    rows = oracle.rows("bursts", SEED, 0, 64)
    digests, at = b"", 0
    for count in bursts:
        if count:
            inside, at = rows[at : at + count], at + count
            numbers = struct.pack(f"<{count}q", *[_int(row["n"]) for row in inside])
            text = b"enterprise-synthetic-data-hub empties v1"
            marker = struct.pack("<I", len(text)) * count + text * count
            columns = [hashlib.sha256(column).digest() for column in (numbers, marker)]
            digests += hashlib.sha256(b"".join(columns)).digest()
        else:
            digests += empty
    assert 0 in bursts
    assert rows
    assert hashlib.sha256(digests).hexdigest() == oracle.digest("bursts", SEED, 64)


def test_bank_runs_from_end_to_end() -> None:
    """Bank's customers hold what bank.yaml says: adults, copies, sums, order."""
    bank = oracle_of("bank").bundle(SEED, 0, 3)
    signed: dict[Typed, Decimal] = {}
    for row in bank["transactions"]:
        assert isinstance(row["signed"], Decimal)
        signed[row["account_id"]] = signed.get(row["account_id"], Decimal(0)) + row["signed"]
    assert [row["balance"] for row in bank["accounts"]] == [
        signed.get(row["account_id"], Decimal(0)) for row in bank["accounts"]
    ]
    for customer in bank["customers"]:
        born = customer["born_on"]
        assert isinstance(born, dt.date)
        assert 18 <= full_years(born, dt.date(2024, 6, 1)) <= 90
