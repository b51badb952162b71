"""Stripe Tax: what it is asked, what its answers mean, and that its record of sales and refunds is ours to the cent."""

from datetime import timedelta
from decimal import Decimal

import pytest

from salessync.core.problems import Refused
from tax.law.seed import seed
from tax.providers import Access, provider
from tax.providers.priced import asked_of
from tax.providers.provider import Unreachable
from tax.providers.stripe_shapes import form_of, problem_of
from tests.tax.providers.conformance import TODAY
from tests.tax.providers.stripe_server import KEY, FakeStripe


@pytest.fixture
def tax(stripe):
    stripe.calls.clear()
    return provider("stripe", Access(book=seed(), today=TODAY, key=KEY, address=stripe.url))


def sale(*lines, **fields):
    given = [{"amount": line} if isinstance(line, str) else line for line in lines]
    return {
        "date": TODAY.isoformat(),
        "currency": "USD",
        "country": "US",
        "region": "NY",
        "postcode": "10001",
        "lines": given,
        **fields,
    }


def form(**fields):
    request = sale(fields.pop("line", "10.00"), **fields)
    found, warnings = form_of(asked_of(request, "Stripe"), TODAY)
    return dict(found), [warning.code for warning in warnings]


def codes(call):
    with pytest.raises(Refused) as refused:
        call()
    return [(problem.code, problem.path) for problem in refused.value.problems]


# --- the question


def test_a_sale_as_a_form():
    found, warnings = form(
        line={"amount": "19.99", "qty": "3", "category": "txcd_30011000"}, ship_from={"country": "US", "region": "US-NJ", "city": "Newark"},
        shipping=[{"amount": "4.90"}, {"amount": "2.00", "taxable": False}], city="New York",
    )  # fmt: skip
    assert not warnings
    assert found == {
        "currency": "usd", "customer_details[address][country]": "US", "customer_details[address][state]": "NY",
        "customer_details[address][postal_code]": "10001", "customer_details[address][city]": "New York",
        "customer_details[address_source]": "shipping", "ship_from_details[address][country]": "US",
        "ship_from_details[address][state]": "NJ", "ship_from_details[address][city]": "Newark",
        "tax_date": found["tax_date"], "line_items[0][amount]": "5997", "line_items[0][quantity]": "3",
        "line_items[0][reference]": "item-0", "line_items[0][tax_behavior]": "exclusive", "line_items[0][tax_code]": "txcd_30011000",
        "line_items[1][amount]": "200", "line_items[1][quantity]": "1", "line_items[1][reference]": "item-2",
        "line_items[1][tax_behavior]": "exclusive", "line_items[1][tax_code]": "txcd_00000000", "shipping_cost[amount]": "490",
        "shipping_cost[tax_behavior]": "exclusive", "shipping_cost[tax_code]": "txcd_92010001", "expand[0]": "line_items",
        "expand[1]": "line_items.data.tax_breakdown", "expand[2]": "shipping_cost.tax_breakdown",
    }  # fmt: skip


def test_amounts_are_in_the_currencys_smallest_unit():
    assert form(line="1200", currency="JPY")[0]["line_items[0][amount]"] == "1200"
    assert form(line="1.234", currency="KWD")[0]["line_items[0][amount]"] == "1234"
    assert form(line={"amount": "0.333", "qty": "3"})[0]["line_items[0][amount]"] == "100"
    assert codes(lambda: form(currency="ISK")) == [("CURRENCY_NOT_SUPPORTED", "currency")]


@pytest.mark.parametrize(
    ("country", "number", "kind", "value"),
    [
        ("DE", "DE 136695976", "eu_vat", "DE136695976"), ("DE", "136695976", "eu_vat", "DE136695976"), ("GR", "094259216", "eu_vat", "EL094259216"),
        ("GB", "GB980780684", "gb_vat", "GB980780684"), ("GB", "XI980780684", "eu_vat", "XI980780684"), ("AU", "51824753556", "au_abn", "51824753556"),
        ("US", "DE136695976", "eu_vat", "DE136695976"),
    ],
)  # fmt: skip
def test_a_tax_number_has_its_kind(country, number, kind, value):
    found, warnings = form(country=country, region=None, customer={"tax_id": number})
    assert (found["customer_details[tax_ids][0][type]"], found["customer_details[tax_ids][0][value]"]) == (kind, value)
    assert not warnings


def test_what_stripe_is_not_told_is_said():
    found, warnings = form(
        country="PE", region=None, customer={"tax_id": "1"}, line={"amount": "1", "category": "food.candy"}
    )
    assert warnings == ["TAX_NUMBER_NOT_TOLD", "CATEGORY_WITHOUT_CODE"]
    assert found["line_items[0][tax_code]"] == "txcd_99999999"
    assert not any("tax_ids" in name for name in found)


def test_a_category_has_the_code_of_its_nearest_part():
    assert form(line={"amount": "1", "category": "food.grocery.basic"})[0]["line_items[0][tax_code]"] == "txcd_40040000"
    assert form(line={"amount": "1", "category": "goods.toys"})[0]["line_items[0][tax_code]"] == "txcd_99999999"


def test_other_days_than_the_last_few_are_refused():
    assert form(date=(TODAY - timedelta(days=30)).isoformat())[0]["tax_date"]
    assert codes(lambda: form(date=(TODAY - timedelta(days=31)).isoformat())) == [("DATE_OUT_OF_RANGE", "date")]
    assert "tax_date" not in form(date=None)[0]


def test_what_stripe_cannot_be_told_is_refused():
    assert codes(lambda: form(line="-1.00")) == [("NEGATIVE_LINE", "lines[0]")]
    assert codes(lambda: form(document_charge="5")) == [("ADJUSTMENTS_GIVEN", "document_adjustments")]
    assert codes(lambda: form(price_mode="mixed")) == [("PRICE_MODE_MIXED", "price_mode")]
    lines = [{"amount": "1.00"}] * 101
    assert codes(lambda: form_of(asked_of(sale(*lines), "Stripe"), TODAY)) == [("TOO_MANY_LINES", "lines")]


# --- the answer


def test_the_figures_are_stripes(tax):
    """By hand: 4 + 4.5 + 0.375 % of 100.00 are 4.00, 4.50 and 0.38; of 4.90: 0.20, 0.22 and 0.02."""
    answer = tax.calculate(sale("100.00", shipping=[{"amount": "4.90"}]), timeout=5)
    assert (answer["net"], answer["tax"], answer["gross"], answer["treatment"]) == (
        "104.90",
        "9.32",
        "114.22",
        "taxable",
    )
    assert answer["by_line"][0]["taxes"] == [
        {"name": "Sales Tax", "jurisdiction": place, "rate": rate, "base": "100.00", "tax": amount, "rule": "standard_rated", "source": "stripe"}
        for place, rate, amount in (("US-NY", "4", "4.00"), ("US-NY city of NY", "4.5", "4.50"), ("US-NY district of NY", "0.375", "0.38"))
    ]  # fmt: skip
    assert answer["by_rate"] == [
        {"rate": "4", "base": "104.90", "tax": "4.20"}, {"rate": "4.5", "base": "104.90", "tax": "4.72"},
        {"rate": "0.375", "base": "104.90", "tax": "0.40"},
    ]  # fmt: skip


def test_a_price_with_tax(tax):
    answer = tax.calculate(sale("119.00", currency="EUR", country="DE", region=None, price_mode="inclusive"), timeout=5)
    assert (answer["net"], answer["tax"], answer["gross"]) == ("100.00", "19.00", "119.00")
    assert answer["by_line"][0]["taxes"][0]["base"] == "100.00"


def test_a_long_sale_is_read_in_pages(tax, stripe):
    answer = tax.calculate(sale(*[{"amount": f"{n}.00"} for n in range(1, 101)]), timeout=5)
    assert len(answer["by_line"]) == 100 and answer["net"] == "5050.00"
    assert [method for method, _ in stripe.calls] == ["POST", "GET"]


def test_delivery_alone_is_a_line(tax):
    answer = tax.calculate(sale("0", shipping=[{"amount": "10.00"}]), timeout=5)
    assert [line["tax"] for line in answer["by_line"]] == ["0.00", "0.89"]


def test_a_marketplace_that_collects_owes_the_tax(tax):
    assert tax.calculate(sale("1.00", collector="marketplace"), timeout=5)["treatment"] == "marketplace_collected"


def test_an_answer_about_another_amount_is_none(tax, stripe, monkeypatch):
    real = stripe.taxed
    for key, wrong in (("amount", 1), ("amount_tax", 7)):
        monkeypatch.setattr(stripe, "taxed", lambda *given, key=key, wrong=wrong: {**real(*given), key: wrong})
        with pytest.raises(Unreachable) as unreachable:
            tax.calculate(sale("10.00"), timeout=5)
        assert not unreachable.value.is_worth_retrying


def test_an_answer_whose_total_is_not_its_lines_is_none(tax, stripe, monkeypatch):
    real = stripe.calculate
    monkeypatch.setattr(stripe, "calculate", lambda form: {**real(form), "tax_amount_exclusive": 1})
    with pytest.raises(Unreachable, match="are not the total"):
        tax.calculate(sale("10.00"), timeout=5)


# --- refusals


def test_a_refusal_is_stripes_at_our_place(tax):
    assert codes(lambda: tax.calculate(sale("1.00", postcode=""), timeout=5)) == [("UNKNOWN_PLACE", "country")]
    with pytest.raises(Refused, match="could not determine the customer's tax location"):
        tax.calculate(sale("1.00", postcode=""), timeout=5)


@pytest.mark.parametrize(
    ("param", "path"),
    [
        ("line_items[0][amount]", "lines[1].amount"), ("line_items[1][tax_code]", "shipping[1].category"), ("line_items[0]", "lines[1]"),
        ("customer_details[address][state]", "region"), ("customer_details[address][postal_code]", "postcode"),
        ("customer_details[tax_ids][0][value]", "customer.tax_id"), ("ship_from_details[address][city]", "ship_from.city"),
        ("shipping_cost[amount]", "shipping[0]"), ("currency", "currency"), ("tax_date", "date"), ("line_items[77][amount]", "line_items[77][amount]"),
    ],
)  # fmt: skip
def test_a_parameter_is_a_path(param, path):
    asked = asked_of(sale("0", "5.00", shipping=[{"amount": "1.00"}, {"amount": "2.00"}]), "Stripe")
    assert problem_of({"param": param, "code": "x", "message": "m"}, asked).path == path


def test_the_key_is_told_to_nobody(stripe):
    secret = "sk_live_secret"
    stranger = provider("stripe", Access(book=seed(), today=TODAY, key=secret, address=stripe.url))
    with pytest.raises(Refused) as refused:  # the fake repeats the key in its message, as nobody should
        stranger.calculate(sale("1.00"), timeout=5)
    assert refused.value.problems[0].code == "ACCESS_REFUSED" and secret not in str(refused.value)
    stripe.fault = (500, {}, b"oops " + secret.encode())
    try:
        with pytest.raises(Unreachable) as unreachable:
            stranger.calculate(sale("1.00"), timeout=5)
    finally:
        stripe.fault = None
    assert secret not in str(unreachable.value)


def test_only_allowed_addresses_are_asked(settings):
    settings.OUTBOUND_ALLOWED_CIDRS = []
    with FakeStripe() as inside, pytest.raises(Unreachable, match="not a public address") as unreachable:
        provider("stripe", Access(seed(), TODAY, KEY, inside.url)).calculate(sale("1.00"), timeout=5)
    assert not unreachable.value.is_worth_retrying and not inside.calls


# --- Stripe's record


@pytest.mark.parametrize("price_mode", ["exclusive", "inclusive"])
def test_refunds_leave_nothing_of_the_record(tax, stripe, price_mode):
    sold = tax.calculate(sale(*["9.99"] * 11, "0.10", shipping=[{"amount": "4.95"}], price_mode=price_mode), timeout=5)
    sold["recorded"] = tax.commit(sold, f"order-{price_mode}")
    assert stripe.left(sold["recorded"])[1] == int(Decimal(sold["tax"]) * 100)
    before = []
    for n, part in enumerate(
        [{"amount": "7.77"}, {"lines": [{"line": 11, "gross": "0.05"}, {"line": 12, "gross": "1.00"}]}, {}]
    ):
        refund = tax.refund(sold, {**part, "before": before, "reference": f"refund-{price_mode}-{n}"})
        again = tax.refund(sold, {**part, "before": before, "reference": f"refund-{price_mode}-{n}"})
        assert refund == again and refund["recorded"]
        before.append(refund)
        tax_left = Decimal(sold["tax"]) + sum(Decimal(one["tax"]) for one in before)
        assert stripe.left(sold["recorded"])[1] == int(tax_left * 100)
    assert stripe.left(sold["recorded"]) == (0, 0)


def test_everything_at_once_is_a_full_reversal(tax, stripe):
    sold = tax.calculate(sale("9.99", shipping=[{"amount": "4.95"}]), timeout=5)
    sold["recorded"] = tax.commit(sold, "order-full")
    stripe.calls.clear()
    tax.refund(sold, {"reference": "refund-full"})
    assert stripe.calls == [("POST", "/v1/tax/transactions/create_reversal")]
    assert stripe.left(sold["recorded"]) == (0, 0)


def test_a_sale_that_is_not_recorded_is_refunded_without_stripe(tax, stripe):
    sold = tax.calculate(sale("9.99"), timeout=5)
    stripe.calls.clear()
    assert tax.refund(sold, {"amount": "5.00"})["gross"] == "-5.00"
    assert not stripe.calls


def test_what_cannot_be_recorded_is_refused(tax):
    sold = tax.calculate(sale("9.99"), timeout=5)
    assert codes(lambda: tax.commit({"gross": "1"}, "order-x")) == [("NOT_CALCULATED", "calculation")]
    assert codes(lambda: tax.refund({**sold, "recorded": "tax_1"}, {})) == [("MISSING", "reference")]
    assert codes(lambda: tax.commit({**sold, "calculation": "taxcalc_gone"}, "order-y")) == [
        ("UNKNOWN_RECORD", "calculation")
    ]
    assert codes(lambda: tax.void("tax_gone")) == [("UNKNOWN_RECORD", "original_transaction")]
