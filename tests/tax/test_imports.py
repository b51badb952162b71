"""Goods and digital services from abroad: who charges the tax of the destination, and what is left to customs."""

from decimal import Decimal

import pytest

from tests.tax.quoting import ask, codes, rate

CHINA = {"country": "CN"}
UK_VAT, ABN, UEN = "GB980780684", "51 824 753 556", "200002150H"


@pytest.mark.parametrize(
    ("country", "currency", "amount", "registrations", "treatment", "percent"),
    [
        ("DE", "EUR", "150.00", ["IOSS"], "taxable", "19"),
        ("DE", "EUR", "150.01", ["IOSS"], "export_zero", "0"),
        ("DE", "EUR", "100.00", ["OSS"], "export_zero", "0"),
        ("DE", "EUR", "100.00", None, "export_zero", "0"),
        ("DE", "EUR", "999.00", ["DE", "IOSS"], "export_zero", "0"),
        ("DE", "EUR", "999.00", ["DE"], "taxable", "19"),
        ("GB", "GBP", "135.00", ["GB"], "taxable", "20"),
        ("GB", "GBP", "135.00", None, "taxable", "20"),
        ("GB", "GBP", "135.01", ["GB"], "export_zero", "0"),
        ("GB", "GBP", "100.00", [], "export_zero", "0"),
        ("AU", "AUD", "1000.00", ["AU"], "taxable", "10"),
        ("AU", "AUD", "1000.01", ["AU"], "export_zero", "0"),
        ("NZ", "NZD", "1000.00", ["NZ"], "taxable", "15"),
        ("SG", "SGD", "400.00", ["SG"], "taxable", "9"),
        ("SG", "SGD", "400.01", ["SG"], "export_zero", "0"),
        ("NO", "NOK", "2999.99", ["VOEC"], "taxable", "25"),
        ("NO", "NOK", "3000.00", ["VOEC"], "export_zero", "0"),
        ("CH", "CHF", "5000.00", ["CH"], "taxable", "8.1"),
    ],
)
def test_up_to_a_value_the_seller_charges_above_it_customs(
    country, currency, amount, registrations, treatment, percent
):
    answer = ask({"amount": amount}, country=country, currency=currency, ship_from=CHINA, registrations=registrations)
    assert (answer["treatment"], rate(answer)) == (treatment, Decimal(percent))
    assert ("TAX_AT_IMPORT" in codes(answer)) == (treatment == "export_zero")


@pytest.mark.parametrize(
    ("country", "currency", "amount", "treatment"),
    [
        ("FR", "EUR", "149.00", "marketplace_collected"),
        ("FR", "EUR", "151.00", "export_zero"),
        ("GB", "GBP", "135.00", "marketplace_collected"),
        ("GB", "GBP", "136.00", "export_zero"),
        ("AU", "AUD", "1000.00", "marketplace_collected"),
        ("AU", "AUD", "1001.00", "export_zero"),
    ],
)
def test_a_marketplace_is_the_seller_of_what_it_lets_in(country, currency, amount, treatment):
    line = {"amount": amount}
    answer = ask(line, country=country, currency=currency, ship_from=CHINA, registrations=[], collector="marketplace")
    assert answer["treatment"] == treatment


def test_a_consignment_counts_as_one_and_pieces_by_themselves():
    two = {"amount": "600.00", "qty": "2"}
    assert ask(two, country="AU", currency="AUD", ship_from=CHINA, registrations=["AU"])["tax"] == "120.00"
    two = {"amount": "80.00", "qty": "2"}
    assert ask(two, country="DE", ship_from=CHINA, registrations=["IOSS"])["treatment"] == "export_zero"
    answer = ask(
        {"amount": "1200"}, {"amount": "20"}, country="NZ", currency="NZD", ship_from=CHINA, registrations=["NZ"]
    )
    assert ([line["tax"] for line in answer["by_line"]], codes(answer)) == (["0.00", "3.00"], ["TAX_AT_IMPORT"])


def test_the_value_is_without_tax_delivery_and_what_the_seller_takes_off():
    fields = {"country": "DE", "ship_from": CHINA, "registrations": ["IOSS"]}
    assert ask({"amount": "178.50"}, price_mode="inclusive", **fields)["tax"] == "28.50"
    assert ask({"amount": "178.52"}, price_mode="inclusive", **fields)["tax"] == "0.00"
    assert ask({"amount": "160.00"}, document_discount="10", **fields)["treatment"] == "taxable"
    assert ask({"amount": "150.00"}, shipping=[{"amount": "20"}], **fields)["tax"] == "32.30"


def test_what_bears_excise_is_left_to_customs():
    answer = ask({"amount": "20", "category": "wine"}, country="DE", ship_from=CHINA, registrations=["IOSS"])
    assert answer["treatment"] == "export_zero"
    lines = [{"amount": "20", "category": "wine"}, {"amount": "20"}]
    answer = ask(*lines, country="SG", currency="SGD", ship_from=CHINA, registrations=["SG"])
    assert [line["tax"] for line in answer["by_line"]] == ["0.00", "1.80"]


def test_a_value_in_another_currency_is_not_compared_and_this_is_said():
    answer = ask({"amount": "500"}, country="DE", currency="USD", ship_from=CHINA, registrations=["IOSS"])
    assert (answer["tax"], codes(answer)) == ("95.00", ["IMPORT_VALUE_UNKNOWN"])


@pytest.mark.parametrize(
    ("country", "currency", "number", "treatment", "code"),
    [
        ("GB", "GBP", UK_VAT, "reverse_charge", "TAX_ID_NOT_CONFIRMED"),
        ("GB", "GBP", UK_VAT[:-1] + "5", "taxable", "TAX_ID_INVALID"),
        ("SG", "SGD", UEN, "reverse_charge", "TAX_ID_NOT_CONFIRMED"),
        ("AU", "AUD", ABN, "out_of_scope", "TAX_ID_NOT_CONFIRMED"),
    ],
)
def test_a_business_that_imports(country, currency, number, treatment, code):
    fields = {"country": country, "currency": currency, "ship_from": CHINA, "registrations": [country]}
    answer = ask(customer={"tax_id": number}, **fields)
    assert (answer["treatment"], codes(answer)) == (treatment, [code])


@pytest.mark.parametrize(
    ("fields", "treatment", "percent"),
    [
        ({"country": "DE"}, "taxable", "19"),
        ({"country": "DE", "registrations": ["OSS"]}, "taxable", "19"),
        ({"country": "DE", "registrations": ["IOSS"]}, "export_zero", "0"),
        ({"country": "DE", "customer": {"tax_id": "DE136695976"}}, "reverse_charge", "0"),
        ({"country": "GB"}, "taxable", "20"),
        ({"country": "AU"}, "export_zero", "0"),
        ({"country": "AU", "registrations": ["AU"]}, "taxable", "10"),
    ],
)
def test_a_digital_service_is_taxed_where_the_consumer_is(fields, treatment, percent):
    answer = ask("digital.streaming", ship_from={"country": "US", "region": "CA"}, **fields)
    assert (answer["treatment"], rate(answer)) == (treatment, Decimal(percent))


def test_before_the_schemes_began_customs_did_it():
    fields = {"country": "DE", "ship_from": CHINA, "registrations": ["IOSS"]}
    assert ask(date="2021-06-30", **fields)["treatment"] == "export_zero"
    assert ask(date="2021-07-01", **fields)["treatment"] == "taxable"


@pytest.mark.parametrize(
    ("registrations", "percent"),
    [(None, "20"), (["DE"], "19"), (["DE", "OSS"], "20"), (["DE", "FR"], "20"), (["DE", "IOSS"], "19"), ([], "0")],
)
def test_between_states_of_the_eu_the_registrations_say_whether_the_seller_is_above_ten_thousand(
    registrations, percent
):
    """None given: tax is due at the destination. Given, and neither the one-stop shop nor the destination: the origin's (art. 59c)."""
    answer = ask(country="FR", ship_from={"country": "DE"}, registrations=registrations)
    assert rate(answer) == Decimal(percent)


@pytest.mark.parametrize(
    ("fields", "treatment", "percent"),
    [
        ({"country": "XI", "ship_from": {"country": "IE"}}, "taxable", "20"),
        ({"country": "GB", "postcode": "BT1 5GS", "ship_from": {"country": "IE"}, "customer": {"tax_id": "XI980780684"}}, "reverse_charge", "0"),
        ({"country": "IE", "ship_from": {"country": "GB", "postcode": "BT1 5GS"}}, "taxable", "23"),
        ({"country": "IE", "ship_from": {"country": "GB", "postcode": "SW1A 1AA"}}, "export_zero", "0"),
        ({"country": "IM", "ship_from": {"country": "GB"}}, "taxable", "20"),
        ({"country": "MC", "ship_from": {"country": "IT"}}, "taxable", "20"),
        ({"country": "LI", "ship_from": {"country": "CH"}}, "taxable", "8.1"),
        ({"country": "ES", "ship_from": {"country": "ES", "postcode": "35001"}}, "export_zero", "0"),
        ({"country": "AX", "ship_from": {"country": "FI"}}, "export_zero", "0"),
        ({"country": "RE", "ship_from": {"country": "FR"}}, "export_zero", "0"),
    ],
)  # fmt: skip
def test_who_belongs_to_which_area(fields, treatment, percent):
    answer = ask(**fields)
    assert (answer["treatment"], rate(answer)) == (treatment, Decimal(percent))
