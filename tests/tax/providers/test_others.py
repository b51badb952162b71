"""What is particular to the channel's own tax and to an OpenSalesTax server."""

from datetime import timedelta

import pytest

from salessync.core.problems import Refused
from tax.law.seed import seed
from tax.providers import Access, provider
from tax.providers.provider import Unreachable
from tests.tax.providers.conformance import TODAY
from tests.tax.providers.conftest import made
from tests.tax.providers.sales_tax_server import KEY


def problems(call):
    with pytest.raises(Refused) as refused:
        call()
    return [(problem.code, problem.path) for problem in refused.value.problems]


# --- channel


def channel(*lines, **fields):
    return made("channel").calculate({"currency": "USD", "price_mode": "exclusive", "lines": list(lines), **fields})


def test_what_was_charged_is_passed_on():
    answer = channel(
        {"amount": "100.00", "charged": [
            {"name": "NY STATE TAX", "amount": "4.00", "rate": "4.0", "jurisdiction": "US-NY"}, {"name": "CITY", "amount": "4.51", "base": "99.00"},
        ]},
        {"amount": "10.00", "charged": "0"}, shipping=[{"amount": "5.00", "charged": "0.44"}],
    )  # fmt: skip
    assert (answer["net"], answer["tax"], answer["gross"], answer["treatment"]) == (
        "115.00",
        "8.95",
        "123.95",
        "taxable",
    )
    state, city = answer["by_line"][0]["taxes"]
    assert state == {
        "name": "NY STATE TAX",
        "jurisdiction": "US-NY",
        "rate": "4",
        "base": "100.00",
        "tax": "4.00",
        "rule": "charged",
        "source": "channel",
    }
    assert (city["rate"], city["base"], city["rule"]) == ("4.5556", "99.00", "implied")
    assert answer["by_line"][1]["taxes"] == [] and answer["by_line"][2]["tax"] == "0.44"


def test_a_price_that_contains_what_was_charged():
    answer = channel({"amount": "11.90", "qty": "2", "charged": "3.80"}, price_mode="inclusive")
    assert (answer["net"], answer["tax"], answer["gross"]) == ("20.00", "3.80", "23.80")


def test_the_channels_tax_may_be_wrong_and_stays():
    assert channel({"amount": "100.00", "charged": "99.99"})["tax"] == "99.99"


def test_what_was_not_charged_has_its_word():
    assert (
        channel({"amount": "1.00", "charged": "1.00"}, collector="marketplace")["treatment"] == "marketplace_collected"
    )
    assert channel({"amount": "1.00", "charged": [{"amount": "0", "rate": "0"}]})["treatment"] == "zero"
    assert channel({"amount": "1.00", "charged": "0"}, customer={"exempt": True})["treatment"] == "exempt"
    assert channel({"amount": "1.00", "charged": []})["treatment"] == "out_of_scope"


def test_what_the_channel_does_not_say_is_not_made_up():
    assert problems(lambda: channel({"amount": "1.00", "charged": "0"}, {"amount": "2.00"})) == [
        ("MISSING_CHARGED", "lines[1].charged")
    ]
    assert problems(lambda: channel({"amount": "1.00", "charged": "0.001"})) == [
        ("AMOUNT_TOO_FINE", "lines[0].charged")
    ]
    assert problems(lambda: channel({"amount": "1.00", "charged": [{"amount": "x"}, 3]})) == [
        ("NOT_AN_OBJECT", "lines[0].charged[1]"), ("BAD_NUMBER", "lines[0].charged[0].amount"),
    ]  # fmt: skip
    assert problems(lambda: channel({"amount": "1.00", "charged": "0"}, price_mode="mixed")) == [
        ("PRICE_MODE_MIXED", "price_mode")
    ]


# --- OpenSalesTax


@pytest.fixture
def server(sales_tax):
    def ask(*lines, key=KEY, timeout=5, **fields):
        access = Access(book=seed(), today=TODAY, key=key, address=sales_tax.url + "/")
        request = {"currency": "USD", "country": "US", "postcode": "55401", "lines": list(lines), **fields}
        return provider("opensalestax", access).calculate(request, timeout=timeout)

    return ask


def test_the_figures_are_the_servers(server):
    """By hand: 7.525 % of 100.00 is 7.525, rounded once to 7.53; the shares are 6.88 − 0.00, 0.15 and 0.50."""
    answer = server({"amount": "100.00"}, {"amount": "50.00", "category": "clothing"}, shipping=[{"amount": "4.00"}])
    assert (answer["net"], answer["tax"]) == ("154.00", "7.83")
    assert [line["tax"] for line in answer["by_line"]] == ["7.53", "0.00", "0.30"]
    taxes = answer["by_line"][0]["taxes"]
    assert [(t["jurisdiction"], t["rate"], t["tax"], t["base"]) for t in taxes] == [
        ("US Minnesota", "6.875", "6.88", "100.00"), ("US Hennepin County", "0.15", "0.15", "100.00"),
        ("US City of Minneapolis", "0.5", "0.50", "100.00"),
    ]  # fmt: skip


def test_limits_by_the_piece_are_asked_by_the_piece(server):
    """In New York clothing below 110 a piece is exempt, however many there are."""
    cheap = {"amount": "80.00", "qty": "2", "category": "clothing"}
    dear = {"amount": "120.00", "qty": "3", "category": "clothing"}
    answer = server(cheap, dear, postcode="10001-1234")
    assert [line["tax"] for line in answer["by_line"]] == ["0.00", "31.95"]
    assert {tax["base"] for tax in answer["by_line"][1]["taxes"]} == {"360.00"}
    many = server({"amount": "119.99", "qty": "7", "category": "clothing"}, postcode="10001")
    assert {tax["base"] for tax in many["by_line"][0]["taxes"]} == {"839.93"} == {many["net"]}


def test_what_it_does_not_know_is_refused(server):
    yesterday = (TODAY - timedelta(days=2)).isoformat()
    asked = [
        {"currency": "CAD"}, {"country": "CA"}, {"postcode": "1"}, {"price_mode": "inclusive"}, {"customer": {"exempt": True}},
        {"date": yesterday}, {"postcode": "99999"}, {"key": "wrong"},
    ]  # fmt: skip
    assert [problems(lambda fields=fields: server({"amount": "1.00"}, **fields)) for fields in asked] == [
        [("CURRENCY_NOT_SUPPORTED", "currency")], [("UNKNOWN_PLACE", "country")], [("MISSING_POSTCODE", "postcode")],
        [("PRICE_MODE_INCLUSIVE", "price_mode")], [("EXEMPT_CUSTOMER", "customer.exempt")], [("DATE_OUT_OF_RANGE", "date")],
        [("UNKNOWN_PLACE", "postcode")], [("ACCESS_REFUSED", "")],
    ]  # fmt: skip


def test_an_answer_about_other_lines_is_none(server, sales_tax, monkeypatch):
    real = sales_tax.line
    monkeypatch.setattr(sales_tax, "line", lambda zip5, given: {**real(zip5, given), "amount": "2.00"})
    with pytest.raises(Unreachable, match="answered about"):
        server({"amount": "1.00"})


def test_a_refusal_of_the_server_is_told(server, sales_tax):
    sales_tax.fault = (422, {}, b'{"detail": [{"loc": ["body", "line_items", 0, "amount"], "msg": "too large"}]}')
    try:
        with pytest.raises(Refused, match=r"line_items\.0\.amount too large"):
            server({"amount": "1.00"})
    finally:
        sales_tax.fault = None


def test_without_an_address_nobody_is_asked():
    access = Access(book=seed(), today=TODAY)
    request = {"currency": "USD", "country": "US", "postcode": "55401", "lines": [{"amount": "1"}]}
    assert problems(lambda: provider("opensalestax", access).calculate(request, timeout=1)) == [("MISSING_ADDRESS", "")]
