"""The book of the database's facts: it answers as the seed does, is built anew when something is activated, and stays what it was."""

import json
import time
import tracemalloc
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from django.db import transaction

from salessync.core.problems import Refused
from tax.law.ratebook import Rate
from tax.law.seed import seed
from tax.models import BookVersion
from tax.quoting import quote
from tax.rates import books, datasets
from tests.tax.quoting import DAY, ask, codes, rate, request
from tests.tax.rate_files import boundary, file_of, place, staged

pytestmark = pytest.mark.django_db

CASES = [json.loads(line) for line in (Path(__file__).parent / "cases.jsonl").read_text().splitlines()]
CATEGORIES = [
    "standard",
    "food.grocery",
    "goods.clothing",
    "books.print",
    "books.ebook",
    "medicine.rx",
    "lodging",
    "digital.saas",
]
DAYS = ["2016-06-01", "2020-09-01", "2025-07-01", DAY, "2026-08-01"]


def answered(data, book):
    """The answer, or why there is none."""
    try:
        return quote.answer(data, book)
    except Refused as refused:
        return refused.problems


def places():
    book = seed()
    yield from ({"country": code} for code in book.countries)
    yield from ({"country": country, "region": code} for country, code in book.regions)
    yield {"country": "ES", "postcode": "35001"}
    yield {"country": "PT", "postcode": "9000-001"}


@pytest.fixture(scope="module")
def of_seed(django_db_setup, django_db_blocker):
    """The book that the seed makes when it goes through the database."""
    with django_db_blocker.unblock(), transaction.atomic():
        datasets.load_seed("tests")
        found = books.current()
        transaction.set_rollback(True)
    assert found.id
    return found.book


def test_every_worked_case_is_answered_as_by_the_seed(of_seed):
    for case in CASES:
        assert answered(case, of_seed) == answered(case, None), case["id"]


@pytest.mark.parametrize("day", DAYS)
def test_every_place_is_answered_as_by_the_seed(of_seed, day):
    found = 0
    for where in places():
        data = request(
            *CATEGORIES,
            date=day,
            **where,
            shipping=[{"amount": "5"}],
            channel_tax="7",
            ship_from={"country": where["country"]},
        )
        one = answered(data, of_seed)
        assert one == answered(data, None), where
        found += isinstance(one, dict)
    assert found > 50


def test_the_seed_is_loaded_once_and_soon():
    started = time.monotonic()
    first = datasets.load_seed("tests")
    assert time.monotonic() - started < 2
    assert datasets.load_seed("tests") == first
    assert BookVersion.objects.count() == 1
    assert first.counts["rates"] == sum(len(rows) for rows in seed().rates.values())


def test_without_any_file_it_is_the_seed():
    assert books.current() == (None, seed())
    assert books.of(None) == (None, seed())


def test_a_book_is_built_once_and_anew_after_an_activation(django_assert_num_queries):
    datasets.load_seed("tests")
    before = books.current()
    with django_assert_num_queries(1):
        assert books.current().book is before.book
    datasets.activate(staged(file_of(Rate(jurisdiction="DE", tax="VAT", rate=Decimal(20)))), "tests")
    after = books.current()
    assert after.id > before.id
    assert (rate(ask(country="DE", book=before.book)), rate(ask(country="DE", book=after.book))) == (19, 20)
    assert rate(ask(country="DE", book=books.of(before.id).book)) == 19
    with pytest.raises(BookVersion.DoesNotExist):
        books.of(after.id + 1)


def test_a_file_that_knows_only_today_takes_nothing_from_the_past():
    datasets.load_seed("tests")
    row = Rate(jurisdiction="DE", tax="VAT", rate=Decimal(20), starts=date(2026, 1, 1), ends=date(2027, 1, 1))
    datasets.activate(staged(file_of(row)), "tests")
    book = books.current().book
    assert rate(ask(country="DE", date="2020-08-01", book=book)) == 16
    assert rate(ask(country="DE", date="2025-12-31", book=book)) == 19
    assert rate(ask(country="DE", date="2026-01-01", book=book)) == 20
    with pytest.raises(Refused, match="NO_RATE_IN_FORCE"):  # what ends does not come back from elsewhere
        ask(country="DE", date="2027-01-01", book=book)


def local():
    """Georgia: two counties, a city over part of one ZIP."""
    county, city = place("US-GA-121", "county"), place("US-GA-04000", "city")
    rates = [
        Rate(jurisdiction="US-GA-121", tax="County sales tax", rate=Decimal("3")),
        Rate(jurisdiction="US-GA-04000", tax="City sales tax", rate=Decimal("1.9"), sourcing="intra"),
        Rate(jurisdiction="US-GA-04000", tax="City sales tax", rate=Decimal("1.5"), sourcing="inter"),
    ]
    boundaries = [
        boundary(30301, "US-GA-121", "US-GA-04000"), boundary(30302, "US-GA-121"),
        boundary(30302, "US-GA-121", "US-GA-04000", low=100, high=199),
    ]  # fmt: skip
    return (
        file_of(*rates, code="sst-ga-rates", jurisdictions=[county, city]),
        file_of(code="sst-ga-boundaries", boundaries=boundaries),
    )


def test_local_rates_and_places_come_from_two_files():
    datasets.load_seed("tests")
    for loaded in local():
        datasets.activate(staged(loaded), "tests")
    book = books.current().book
    where = {"country": "US", "region": "GA", "currency": "USD", "book": book}
    assert rate(ask(postcode="30301", **where)) == Decimal("8.9")
    assert rate(ask(postcode="30301", ship_from={"country": "US", "region": "FL"}, **where)) == Decimal("8.5")
    assert rate(ask(postcode="30302-0150", **where)) == Decimal("8.9")
    ambiguous = ask(postcode="30302", **where)
    assert codes(ambiguous) == ["AMBIGUOUS_PLACE"]
    assert "8.9 % (US-GA-121 + US-GA-04000)" in ambiguous["warnings"][0]["message"]


@pytest.mark.parametrize("districts", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_forty_thousand_rates_are_a_book_soon_and_small(districts):
    """Four rates each. The memory is measured apart, since measuring it takes time."""
    names = [f"US-GA-63-{n:05}" for n in range(districts)]
    rates = [
        Rate(
            jurisdiction=code, tax="District sales tax", category=category, rate=Decimal(n % 40) / 8, starts=date(2020 + year, 1, 1),
            ends=date(2021 + year, 1, 1), source="Streamlined Sales Tax Governing Board, rate file GAR2026Q1",
        )
        for n, code in enumerate(names) for category in ("standard", "food.grocery") for year in (0, 1)
    ]  # fmt: skip
    datasets.load_seed("tests")
    datasets.activate(staged(file_of(*rates, jurisdictions=[place(code, "district") for code in names])), "tests")
    started = time.monotonic()
    book = books.current().book
    assert time.monotonic() - started < 3  # 0.6 s where nothing else runs
    assert sum(len(rows) for rows in book.rates.values()) > 4 * districts
    books._built.cache_clear()
    tracemalloc.start()
    try:
        books.current()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000 + districts * 2_000  # 8 MB of all
