"""Money in minor units: read exactly, written back exactly, split without losing a unit."""

from decimal import Decimal

import iso4217
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from salessync.core.money import (
    LIMIT,
    MINOR_DIGITS,
    MoneyError,
    allocate,
    convert,
    minor_digits,
    scale,
    to_major,
    to_minor,
)

CURRENCIES = st.sampled_from(sorted(MINOR_DIGITS))
AMOUNTS = st.integers(-LIMIT, LIMIT)


def code(value, currency):
    with pytest.raises(MoneyError) as refused:
        to_minor(value, currency)
    return refused.value.code


def test_digits_are_those_of_iso_4217():
    theirs = {c.code: c.exponent for c in iso4217.Currency if c.exponent is not None}
    for currency, digits in MINOR_DIGITS.items():
        if currency in theirs:
            assert theirs[currency] == digits, currency
    assert len(MINOR_DIGITS.keys() & theirs.keys()) > 150
    for currency in ("USD", "EUR", "JPY", "KWD", "CLF", "ISK", "HUF", "TND"):
        assert currency in MINOR_DIGITS


@given(AMOUNTS, CURRENCIES)
def test_round_trip(amount, currency):
    assert to_minor(to_major(amount, currency), currency) == amount
    assert to_minor(Decimal(to_major(amount, currency)), currency) == amount


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("12.50", "USD", 1250), ("12.5", "USD", 1250), ("12", "USD", 1200), ("-0.01", "USD", -1), ("-0", "USD", 0), ("0.00", "USD", 0),
        ("12.500", "USD", 1250), ("1000", "JPY", 1000), ("1000.00", "JPY", 1000), ("1.234", "KWD", 1234), ("1.2", "KWD", 1200),
        (Decimal("195.66"), "USD", 19566), (Decimal("1e2"), "USD", 10000), (7, "USD", 700), (Decimal("0e50"), "USD", 0),
    ],
)  # fmt: skip
def test_amounts_as_vendors_write_them(value, currency, minor):
    assert to_minor(value, currency) == minor


@pytest.mark.parametrize(
    "value",
    ["", " ", " 5", "5 ", "+5", "1e3", "1_000", "1,000.00", "1.000,00", "１２", "٣", "NaN", "Infinity", ".5", "5.", "0x10", "--1",
     "1.12345678901", "9" * 17, None, True, False, 1.5, float("nan"), [], {}, b"1", Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"),
     Decimal("1e400"), Decimal("1e-400"), 10**30],
)  # fmt: skip
def test_what_is_no_amount_is_refused(value):
    assert code(value, "USD") == "BAD_AMOUNT"


def test_fractions_of_the_smallest_unit_are_refused_and_never_rounded():
    assert code("10.50", "JPY") == "AMOUNT_TOO_FINE"
    assert code("1.2345", "KWD") == "AMOUNT_TOO_FINE"
    assert code(Decimal("0.001"), "USD") == "AMOUNT_TOO_FINE"


def test_amounts_beyond_what_json_readers_keep_are_refused():
    assert to_minor(str(LIMIT), "JPY") == LIMIT
    assert code(str(LIMIT + 1), "JPY") == "AMOUNT_TOO_LARGE"
    assert code(Decimal(-LIMIT - 1), "JPY") == "AMOUNT_TOO_LARGE"


@pytest.mark.parametrize("currency", ["XXQ", "usd", "", "US", None, 5, [], "XAU", "XXX"])
def test_unknown_currencies_are_refused(currency):
    assert code("1", currency) == "UNKNOWN_CURRENCY"
    with pytest.raises(MoneyError):
        minor_digits(currency)


@given(st.integers(-(10**15), 10**15), st.lists(st.integers(0, 10**12), min_size=1, max_size=30))
def test_allocation_loses_nothing_and_is_fair(total, weights):
    shares = allocate(total, weights)
    assert sum(shares) == total
    assert len(shares) == len(weights)
    base = sum(weights)
    if base:
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share * base - total * weight) < base, "less than one unit from the exact share"
            assert weight or share == 0


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=10))
def test_allocation_mirrors(total, weights):
    """Giving back what was split is the split, unit for unit, whichever side the minus is on."""
    assume(sum(weights))
    assert allocate(total, weights) == allocate(total, weights)
    assert sum(allocate(-total, weights)) == -total
    assert sum(allocate(total, [-w for w in weights])) == total


def test_allocation_of_ties_goes_to_the_earlier():
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(5, [0, 0]) == [5, 0]
    assert allocate(5, [7]) == [5]
    assert allocate(0, [1, 2]) == [0, 0]


@given(AMOUNTS, st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_scaling_is_exact_to_half_to_even(amount, numerator, denominator):
    assume(denominator)
    exact = Decimal(amount * numerator) / Decimal(denominator) if abs(amount * numerator) < 10**20 else None
    found = scale(amount, numerator, denominator)
    assert 2 * abs(found * denominator - amount * numerator) <= abs(denominator)
    if exact is not None and exact == exact.to_integral_value():
        assert found == exact


def test_half_goes_to_even():
    assert [scale(n, 1, 2) for n in (1, 3, 5, -1, -3)] == [0, 2, 2, 0, -2]


def test_conversion_knows_both_currencies_digits():
    assert convert(1000, "JPY", Decimal("0.0067"), "USD") == 670
    assert convert(670, "USD", Decimal("149.25"), "JPY") == 1000
    assert convert(1000, "USD", Decimal("0.307"), "KWD") == 3070
