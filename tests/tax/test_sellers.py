"""A company's facts for a batch: on which day it is registered where, from where it sends, and whose certificates hold."""

from datetime import date

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from salessync.core.models import Company
from tax.law.places import Place
from tax.models import Certificate, Registration, SellerPlace, TaxSetting
from tax.seller import sellers

pytestmark = pytest.mark.django_db
REF = "sha256:" + "a" * 64
DAY = date(2026, 6, 1)


@pytest.fixture
def company():
    return Company.objects.create(slug="seller", name="Seller", base_currency="USD")


def days(first=None, last=None):
    return DateRange(first and date.fromisoformat(first), last and date.fromisoformat(last))


def registered(company, jurisdiction, *valid, scheme="domestic"):
    Registration.objects.create(company=company, jurisdiction=jurisdiction, scheme=scheme, valid=days(*valid))


def certificate(company, jurisdiction, *valid, customer=REF, number="C1"):
    Certificate.objects.create(
        company=company,
        customer=customer,
        jurisdiction=jurisdiction,
        reason="resale",
        number=number,
        valid=days(*valid),
    )


def facts(company, *customers):
    return sellers.load([company.pk], [(company.pk, ref) for ref in customers])[company.pk]


def test_a_company_that_recorded_nothing(company):
    found = facts(company, REF)
    assert found.registrations_on(DAY) is None
    assert found.place_of("store 1") is None
    assert found.is_exempt(REF, "US-TX", DAY) is None
    assert (found.provider, found.tolerance) == ("local", 0)


def test_registrations_by_day(company):
    registered(company, "US-NY", "2026-01-01", "2026-06-02")
    registered(company, "de")
    registered(company, "", "2026-07-01", scheme="oss")
    found = facts(company)
    assert found.registrations_on(date(2025, 12, 31)) == {"DE"}
    assert found.registrations_on(date(2026, 1, 1)) == {"DE", "US-NY"}
    assert found.registrations_on(date(2026, 6, 1)) == {"DE", "US-NY"}
    assert found.registrations_on(date(2026, 6, 2)) == {"DE"}
    assert found.registrations_on(date(2026, 7, 1)) == {"DE", "OSS"}


def test_a_registration_that_is_over_is_not_the_same_as_none(company):
    registered(company, "DE", None, "2020-01-01")
    assert facts(company).registrations_on(DAY) == frozenset()


def test_places_by_location_and_anywhere_else(company):
    SellerPlace.objects.create(company=company, location="Store 1", country="us", region="TX", postcode="78701")
    assert facts(company).place_of("store 1") == Place("US", "TX", "78701", "")
    assert facts(company).place_of(None) is None
    SellerPlace.objects.create(company=company, country="DE")
    assert facts(company).place_of(None) == Place("DE")
    assert facts(company).place_of("elsewhere") == Place("DE")


@pytest.mark.parametrize(
    ("jurisdiction", "codes", "on", "holds"),
    [
        ("US", "US-TX", DAY, True),
        ("US-TX", "US-TX", DAY, True),
        ("us-tx", ("US", "US-TX", "US-TX-453"), DAY, True),
        ("US-TX", "US-TN", DAY, False),
        ("US-T", "US-TX", DAY, False),
        ("US-TX", "US", DAY, False),
        ("US-TX", "US-TX", date(2025, 12, 31), False),
        ("US-TX", "US-TX", date(2026, 12, 31), False),
    ],
)
def test_a_certificate_holds_in_its_jurisdiction_and_below(company, jurisdiction, codes, on, holds):
    certificate(company, jurisdiction, "2026-01-01", "2026-12-31")
    found = facts(company, REF).is_exempt(REF, codes, on)
    assert bool(found) == holds
    assert found is None or (found.reason, found.number) == ("resale", "C1")


def test_certificates_are_of_one_customer_of_one_company(company):
    other = Company.objects.create(slug="other", name="Other", base_currency="USD")
    certificate(company, "US")
    found = sellers.load([company.pk, other.pk], [(company.pk, REF), (other.pk, REF), (company.pk, "sha256:b")])
    assert found[company.pk].is_exempt(REF, "US-TX", DAY)
    assert not found[company.pk].is_exempt("sha256:b", "US-TX", DAY)
    assert not found[company.pk].is_exempt(None, "US-TX", DAY)
    assert not found[other.pk].is_exempt(REF, "US-TX", DAY)


def test_a_batch_asks_twice_however_many_companies_and_customers(company, monkeypatch):
    asked = []
    cursor = sellers.bulk.binary_cursor
    monkeypatch.setattr(sellers.bulk, "binary_cursor", lambda: asked.append(1) or cursor())
    others = [Company.objects.create(slug=f"o{n}", name="Other", base_currency="USD") for n in range(3)]
    sellers.load([one.pk for one in others], [(one.pk, f"sha256:{n}") for one in others for n in range(5)])
    assert len(asked) == 2


def test_what_is_recorded_holds_at_once(company):
    facts(company, REF)
    registered(company, "DE")
    TaxSetting.objects.create(company=company, provider="channel", tolerance=5)
    certificate(company, "DE")
    found = facts(company, REF)
    assert found.registrations_on(DAY) == {"DE"}
    assert (found.provider, found.tolerance) == ("channel", 5)
    assert found.is_exempt(REF, "DE", DAY)
    Registration.objects.all().delete()
    assert facts(company).registrations_on(DAY) is None
