"""Every provider with the service behind it, as conformance.py asks them."""

import copy
from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.test import override_settings

from tax.law.seed import seed
from tax.providers import Access, provider
from tests.tax.providers import sales_tax_server, stripe_server
from tests.tax.providers.conformance import TODAY, Subject
from tests.tax.providers.sales_tax_server import FakeSalesTax
from tests.tax.providers.stripe_server import FakeStripe


@pytest.fixture(scope="module")
def loopback():
    """Fake services are on this machine, which the guard of outgoing calls must allow."""
    with override_settings(OUTBOUND_ALLOWED_CIDRS=["127.0.0.0/8"]):
        yield


def made(name, service=None, key=""):
    access = Access(book=seed(), today=TODAY, key=key, address=service.url if service else "")
    return provider(name, access)


@pytest.fixture(scope="module")
def stripe(loopback):
    with FakeStripe() as service:
        yield service


@pytest.fixture(scope="module")
def sales_tax(loopback):
    with FakeSalesTax() as service:
        yield service


@pytest.fixture(scope="module", params=["local", "channel", "stripe", "opensalestax"])
def subject(request):
    """One provider after the other."""
    if request.param == "stripe":
        service = request.getfixturevalue("stripe")
        return Subject(
            made("stripe", service, stripe_server.KEY), service=service, stranger=made("stripe", service, "sk_test_wrong"),
        )  # fmt: skip
    if request.param == "opensalestax":
        service = request.getfixturevalue("sales_tax")
        return Subject(
            made("opensalestax", service, sales_tax_server.KEY), service=service, stranger=made("opensalestax", service, "wrong"),
            place={"country": "US", "region": "MN", "postcode": "55401"}, currencies=("USD",), zero_rated=None,
            unknown={"country": "US", "region": "MN", "postcode": "99999"}, taxes=3,
        )  # fmt: skip
    if request.param == "channel":
        return Subject(made("channel"), dress=charge, unknown=None, zero_rated=None)
    return Subject(made("local"))


def charge(request):
    """As a channel that charges 19 %, but for what says that it is exempt."""
    request = copy.deepcopy(request)
    digits = {"JPY": 0, "KWD": 3}.get(request["currency"], 2)
    exempt = (request.get("customer") or {}).get("exempt")
    for one in [*request["lines"], *request.get("shipping", ())]:
        price = Decimal(one["amount"]) * Decimal(one.get("qty", 1)) - Decimal(one.get("discount", 0))
        is_free = exempt or one.get("taxable") is False or one.get("category") == "gift_card"
        rate = Decimal(0) if is_free else Decimal(19)
        share = rate / (100 + rate) if request["price_mode"] == "inclusive" else rate / 100
        tax = (price * share).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
        one["charged"] = [{"name": "VAT", "amount": str(tax), "rate": str(rate)}] if rate else []
    return request
