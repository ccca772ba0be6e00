"""The suite of the study: the same tests in every arm, which gives them `customer` and `customers`.

`fault` names the one fault of the application that can make a test fail. Run by `study.py` in a folder of its own.
"""

import calendar
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
import quotes
from quotes import Customer

TODAY = date(2026, 11, 2)
Make = Callable[[int], list[Customer]]
fault = pytest.mark.fault
pytestmark = pytest.mark.esdh  # the exploration's; the other arms know it as a marker of no effect

# test added: def test_added_customer_has_a_name(customer: Customer) -> None:
# test added:     """A test that somebody added."""
# test added:     assert customer.name.strip()
# test added:
# test added:
# test added: def test_added_customers_are_three(customers: Make) -> None:
# test added:     """Another test that somebody added."""
# test added:     assert 3 == len(customers(3))
# test added:


@fault("no unit")
def test_address_ends_with_the_state(customer: Customer) -> None:
    """An address ends with the state."""
    assert quotes.full_address(customer).endswith(customer.state)


@fault("no unit")
def test_address_begins_with_the_street(customer: Customer) -> None:
    """An address begins with the street."""
    assert quotes.full_address(customer).startswith(customer.street)


@fault("no unit")
def test_address_has_the_city(customer: Customer) -> None:
    """An address names the city."""
    assert customer.city in quotes.full_address(customer)


@fault("ZIP code with a zero")
def test_postal_bar_has_five_digits(customer: Customer) -> None:
    """The bar code has the five digits of the ZIP code."""
    assert 7 == len(quotes.postal_bar(customer))


@fault("ZIP code with a zero")
def test_postal_bar_is_the_postal_code(customer: Customer) -> None:
    """The bar code is the ZIP code between stars."""
    assert customer.postal_code == quotes.postal_bar(customer).strip("*")


@fault("long e-mail")
def test_label_has_the_whole_address(customer: Customer) -> None:
    """A label shows the whole e-mail address."""
    assert customer.email == quotes.label(customer)


@fault("long e-mail")
def test_label_has_the_domain(customer: Customer) -> None:
    """A label shows the domain."""
    assert quotes.label(customer).endswith(customer.email.partition("@")[2])


@fault("capitals within a name")
def test_display_name_in_capitals(customer: Customer) -> None:
    """A name that was typed in capitals is printed as it is written."""
    assert customer.name == quotes.display_name(customer.name.upper())


@fault("capitals within a name")
def test_display_name_in_small_letters(customer: Customer) -> None:
    """A name that was typed in small letters is printed as it is written."""
    assert customer.name == quotes.display_name(customer.name.lower())


def test_display_name_keeps_words(customer: Customer) -> None:
    """A printed name has as many words as the typed one."""
    assert len(customer.name.split()) == len(quotes.display_name(customer.name).split())


def test_display_name_has_no_space_at_its_ends(customer: Customer) -> None:
    """A printed name has no space at its ends."""
    assert quotes.display_name(f" {customer.name} ") == quotes.display_name(f" {customer.name} ").strip()


@fault("two-letter name")
def test_code_has_nine_places(customer: Customer) -> None:
    """A customer's code has nine places."""
    assert 9 == len(quotes.customer_code(customer))


def test_code_ends_with_the_year(customer: Customer) -> None:
    """A customer's code ends with the year of birth."""
    assert quotes.customer_code(customer).endswith(str(customer.born_on.year))


def test_code_is_upper_case(customer: Customer) -> None:
    """A customer's code has no small letters."""
    code = quotes.customer_code(customer)
    assert code == code.upper()


def test_email_has_one_at(customer: Customer) -> None:
    """An e-mail address has one @."""
    assert 1 == customer.email.count("@")


@fault("apostrophe")
def test_find_the_only_customer(customer: Customer) -> None:
    """A customer is found by the last name."""
    assert [customer.email] == quotes.find([customer], customer.last_name)


@fault("apostrophe")
def test_find_nothing_in_nothing(customer: Customer) -> None:
    """Among no customers none is found."""
    assert [] == quotes.find([], customer.last_name)


@fault("apostrophe")
def test_find_knows_case(customer: Customer) -> None:
    """A last name in other letters finds nobody."""
    assert [] == quotes.find([customer], customer.last_name.swapcase())


def test_register_keeps_a_customer(customer: Customer) -> None:
    """A register has its only customer."""
    assert customer == quotes.register([customer])[customer.name]


@fault("two of one name")
def test_register_keeps_everybody(customers: Make) -> None:
    """A register of a branch has as many entries as customers."""
    branch = customers(40)
    assert len(branch) == len(quotes.register(branch))


@fault("two of one name")
def test_register_of_an_agency(customers: Make) -> None:
    """A register of an agency loses nobody."""
    agency = customers(25)
    assert {c.email for c in agency} == {c.email for c in quotes.register(agency).values()}


@fault("units that can't be sorted")
def test_by_unit_keeps_everybody(customers: Make) -> None:
    """Sorting by units loses nobody."""
    some = customers(2)
    assert 2 == len(quotes.by_unit(some))


@fault("units that can't be sorted")
def test_by_unit_sorts(customers: Make) -> None:
    """Units come in order."""
    units = [each.unit or "" for each in quotes.by_unit(customers(3))]
    assert units == sorted(units)


@fault("apostrophe")
def test_find_everybody_of_a_name(customers: Make) -> None:
    """All customers of a last name are found."""
    some = customers(5)
    wanted = some[0].last_name
    assert [c.email for c in some if c.last_name == wanted] == quotes.find(some, wanted)


def test_find_nobody_of_an_unknown_name(customers: Make) -> None:
    """A name that nobody has finds nobody."""
    assert [] == quotes.find(customers(5), "Nobody At All")


def test_names_are_not_empty(customers: Make) -> None:
    """Every customer of a branch has a name."""
    assert all(each.name.strip() for each in customers(5))


def test_age_is_that_of_an_adult(customer: Customer) -> None:
    """A customer is an adult."""
    assert 18 <= quotes.age(customer, TODAY) <= 91


def test_age_grows_by_one_a_year(customer: Customer) -> None:
    """A year later a customer is a year older."""
    assert quotes.age(customer, TODAY) + 1 == quotes.age(customer, TODAY.replace(year=2027))


def test_age_at_birth_is_zero(customer: Customer) -> None:
    """On the day of birth the age is 0."""
    assert 0 == quotes.age(customer, customer.born_on)


@fault("leap-day birthday")
def test_next_birthday_is_within_a_year(customer: Customer) -> None:
    """The next birthday is within a year."""
    assert timedelta(0) <= quotes.next_birthday(customer, TODAY) - TODAY <= timedelta(366)


@fault("leap-day birthday")
def test_next_birthday_is_in_the_month_of_birth(customer: Customer) -> None:
    """The next birthday is in the month of birth."""
    assert customer.born_on.month == quotes.next_birthday(customer, TODAY).month


@fault("leap-day birthday")
def test_card_is_sent_before_the_birthday(customer: Customer) -> None:
    """A card is sent a week before the birthday."""
    assert quotes.next_birthday(customer, TODAY) - timedelta(7) < quotes.next_birthday(customer, TODAY)


def test_band_of_the_young(customer: Customer) -> None:
    """Below 25 and from 25 on are other bands."""
    assert (quotes.age(customer, TODAY) < 25) == (quotes.age_band(customer, TODAY) == "young")


@fault("age of exactly 25")
def test_band_of_the_old(customer: Customer) -> None:
    """From 65 on, and only then, a customer is senior."""
    assert (quotes.age(customer, TODAY) >= 65) == (quotes.age_band(customer, TODAY) == "senior")


@fault("age of exactly 25")
def test_band_of_the_rest(customer: Customer) -> None:
    """From 25 to 64 a customer is an adult."""
    assert (25 <= quotes.age(customer, TODAY) < 65) == (quotes.age_band(customer, TODAY) == "adult")


@fault("next year's model")
def test_residual_is_not_above_the_value(customer: Customer) -> None:
    """No car is worth more than when it was new."""
    assert quotes.residual(customer.vehicle, TODAY) <= customer.vehicle.value


@fault("next year's model")
def test_residual_is_at_least_half(customer: Customer) -> None:
    """A car keeps half of its value."""
    assert quotes.residual(customer.vehicle, TODAY) >= customer.vehicle.value / 2 - 1


@fault("next year's model")
def test_residual_does_not_grow(customer: Customer) -> None:
    """A year later a car isn't worth more."""
    vehicle = customer.vehicle
    assert quotes.residual(vehicle, TODAY.replace(year=2027)) <= quotes.residual(vehicle, TODAY)


@fault("next year's model")
def test_residual_on_the_day_of_the_quote(customer: Customer) -> None:
    """A car can be valued on the day of a quote."""
    assert quotes.residual(customer.vehicle, date.today()) > 0


@fault("next year's model")
def test_residual_fits_the_premium(customer: Customer) -> None:
    """The part of the premium for the car isn't above what the car is worth."""
    assert customer.vehicle.value / 100 <= quotes.residual(customer.vehicle, date.today())


@fault("car newer than a year")
def test_miles_a_year_are_not_negative(customer: Customer) -> None:
    """Nobody drives fewer than no miles."""
    assert quotes.miles_a_year(customer.vehicle, TODAY) >= 0


@fault("car newer than a year")
def test_miles_a_year_are_not_above_all_miles(customer: Customer) -> None:
    """A year has at most all miles."""
    assert quotes.miles_a_year(customer.vehicle, TODAY) <= customer.vehicle.mileage


@fault("car newer than a year")
def test_miles_on_the_day_of_the_quote(customer: Customer) -> None:
    """Miles a year are known on the day of a quote."""
    assert 0 <= quotes.miles_a_year(customer.vehicle, date.today())


def test_premium_is_above_the_base(customer: Customer) -> None:
    """A premium is at least the base."""
    assert quotes.premium(customer, TODAY) >= quotes.BASE


def test_premium_is_in_cents(customer: Customer) -> None:
    """A premium has two places."""
    assert -2 == quotes.premium(customer, TODAY).as_tuple().exponent


def test_premium_of_the_young_is_higher(customer: Customer) -> None:
    """A customer pays no more at 40 than at 20."""
    born = customer.born_on
    at = [date(born.year + years, 12, 31) for years in (20, 40)]
    assert quotes.premium(customer, at[0]) > quotes.premium(customer, at[1])


def test_instalments_are_twelve(customer: Customer) -> None:
    """There are twelve instalments."""
    assert 12 == len(quotes.monthly(customer, TODAY))


def test_instalments_add_up(customer: Customer) -> None:
    """The instalments are the premium."""
    assert quotes.premium(customer, TODAY) == sum(quotes.monthly(customer, TODAY))


def test_instalments_are_alike(customer: Customer) -> None:
    """No two instalments differ by more than twelve cents."""
    parts = quotes.monthly(customer, TODAY)
    assert max(parts) - min(parts) <= Decimal("0.12")


def test_renewal_is_within_a_year(customer: Customer) -> None:
    """A contract is renewed within a year."""
    assert 0 <= quotes.days_to_renewal(customer, TODAY) <= 366


@fault("contract over leap years")
def test_renewal_is_in_the_month_of_the_contract(customer: Customer) -> None:
    """A contract is renewed on its anniversary."""
    day = TODAY + timedelta(quotes.days_to_renewal(customer, TODAY))
    assert customer.since.month == day.month


def test_renewal_on_the_day_of_the_quote(customer: Customer) -> None:
    """The days until the renewal are known on the day of a quote."""
    assert quotes.days_to_renewal(customer) >= 0


@fault("no claims")
def test_mean_claim_is_not_above_the_largest(customer: Customer) -> None:
    """The mean claim isn't above the largest."""
    assert quotes.mean_claim(customer) <= max((c.amount for c in customer.claims), default=Decimal(0)) + 1


@fault("no claims")
def test_mean_claim_is_not_negative(customer: Customer) -> None:
    """The mean claim isn't negative."""
    assert quotes.mean_claim(customer) >= 0


@fault("half a cent")
def test_own_share_is_two_and_a_half_percent(customer: Customer) -> None:
    """A customer bears two and a half percent, half a cent rounded up."""
    for claim in customer.claims:
        share = (claim.amount * Decimal("0.025")).quantize(quotes.CENT, ROUND_HALF_UP)
        assert share == quotes.own_share(claim)


@fault("half a cent")
def test_own_shares_of_an_agency(customers: Make) -> None:
    """The own shares of an agency are right to the cent."""
    for claim in [claim for each in customers(4) for claim in each.claims]:
        share = (claim.amount * Decimal("0.025")).quantize(quotes.CENT, ROUND_HALF_UP)
        assert share == quotes.own_share(claim)


def test_own_share_is_not_above_the_claim(customer: Customer) -> None:
    """A customer bears no more than the claim."""
    assert all(quotes.own_share(claim) <= claim.amount for claim in customer.claims)


@fault("settled on the same day")
def test_paid_a_day_is_not_above_the_claim(customer: Customer) -> None:
    """No more than the claim is paid a day."""
    assert all((quotes.paid_a_day(claim) or 0) <= claim.amount for claim in customer.claims)


@fault("settled on the same day")
def test_paid_a_day_of_open_claims(customer: Customer) -> None:
    """Nothing is paid of an open claim."""
    assert all((quotes.paid_a_day(c) is None) == (c.settled_on is None) for c in customer.claims)


@fault("end of a month")
def test_payment_is_due_after_the_settlement(customer: Customer) -> None:
    """A payment is due after the settlement."""
    assert all(quotes.payment_due(c) > c.settled_on for c in customer.claims if c.settled_on)  # type: ignore[operator]


@fault("end of a month")
def test_payment_is_due_next_month(customer: Customer) -> None:
    """A payment is due in the next month."""
    for claim in customer.claims:
        due = quotes.payment_due(claim)
        if claim.settled_on and due:
            assert claim.settled_on.month % 12 + 1 == due.month


@fault("end of a month")
def test_payments_of_an_agency(customers: Make) -> None:
    """The payments of an agency are due on days that there are."""
    for claim in [claim for each in customers(4) for claim in each.claims]:
        due = quotes.payment_due(claim)
        assert due is None or due.day <= calendar.monthrange(due.year, due.month)[1]


@fault("amount of five digits")
def test_ledger_lines_have_one_width(customer: Customer) -> None:
    """Every line of the ledger has twenty places."""
    assert {20} >= {len(quotes.ledger_line(claim)) for claim in customer.claims}


@fault("amount of five digits")
def test_ledger_lines_can_be_read(customer: Customer) -> None:
    """A line of the ledger reads as it was written."""
    for claim in customer.claims:
        assert (claim.number, claim.amount) == quotes.read_ledger_line(quotes.ledger_line(claim))


def test_large_claims_are_large(customer: Customer) -> None:
    """A supervisor sees claims above 5,000 only."""
    assert all(claim.amount > 5000 for claim in quotes.large(customer.claims))


def test_large_claims_are_all(customer: Customer) -> None:
    """A supervisor sees every claim above 5,000."""
    assert len([c for c in customer.claims if c.amount > 5000]) == len(quotes.large(customer.claims))


def test_settled_in_all_years(customer: Customer) -> None:
    """The sums of the years are the sum of the settled claims."""
    years = range(2010, TODAY.year + 2)
    settled = sum((c.amount for c in customer.claims if c.settled_on), Decimal(0))
    assert settled == sum(quotes.settled_in(customer, year) for year in years)


def test_settled_in_no_year_before(customer: Customer) -> None:
    """Nothing was settled before there were claims."""
    assert 0 == quotes.settled_in(customer, 1999)


def test_last_claim_is_the_newest(customer: Customer) -> None:
    """No claim is newer than the last."""
    assert all(c.occurred_on <= quotes.last_claim(customer).occurred_on for c in customer.claims)


def test_claim_free_years_are_not_negative(customer: Customer) -> None:
    """Nobody is free of claims for fewer than no years."""
    assert quotes.claim_free_years(customer, TODAY) >= 0
