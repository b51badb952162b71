"""What a request may say, and what it is told where it says something else."""

import json
from io import BytesIO, StringIO, TextIOWrapper

import pytest
from django.core.management import call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from salessync.core.problems import Refused
from tax.quoting import quote
from tests.tax.quoting import codes, request

VAT = {"name": "VAT", "kind": "percent", "rate": "20"}


@pytest.mark.parametrize(
    ("wrong", "code", "path"),
    [
        ({"date": "15.06.2026"}, "BAD_DATE", "date"),
        ({"date": None}, "MISSING_DATE", "date"),
        ({"currency": "EURO"}, "UNKNOWN_CURRENCY", "currency"),
        ({"price_mode": "gross"}, "UNKNOWN_PRICE_MODE", "price_mode"),
        ({"rounding": {"level": "cent"}}, "UNKNOWN_LEVEL", "rounding.level"),
        ({"rounding": {"mode": "nearest"}}, "UNKNOWN_MODE", "rounding.mode"),
        ({"rounding": {"increment": "-0.01"}}, "BAD_NUMBER", "rounding.increment"),
        ({"lines": []}, "MISSING_LINES", "lines"),
        ({"lines": {}}, "NOT_A_LIST", "lines"),
        ({"lines": ["x"]}, "NOT_AN_OBJECT", "lines[0]"),
        ({"lines": [{"qty": "1"}]}, "MISSING", "lines[0].amount"),
        ({"lines": [{"amount": "1,50"}]}, "BAD_NUMBER", "lines[0].amount"),
        ({"lines": [{"amount": "1e9"}]}, "BAD_NUMBER", "lines[0].amount"),
        ({"lines": [{"amount": True}]}, "BAD_NUMBER", "lines[0].amount"),
        ({"lines": [{"amount": "1", "taxes": [{"rate": "20", "kind": "flat"}]}]}, "UNKNOWN_KIND", "lines[0].taxes[0].kind"),
        ({"lines": [{"amount": "1", "taxes": [{"name": "VAT"}]}]}, "MISSING", "lines[0].taxes[0].rate"),
        ({"lines": [{"amount": "1", "taxes": [{"rate": "-100"}]}]}, "BAD_RATE", "lines[0].taxes[0].rate"),
        ({"lines": [{"amount": "1", "taxes": [{**VAT, "price_include": "yes"}]}]}, "NOT_TRUE_OR_FALSE", "lines[0].taxes[0].price_include"),
        ({"lines": [{"amount": "1", "taxes": [{"rate": "60", "kind": "division"}] * 2}]}, "UNUSABLE_TAXES", "lines"),
        ({"document_discount": {"percent": "101"}}, "BAD_NUMBER", "document_discount.percent"),
        ({"document_discount": "100.01"}, "DISCOUNT_TOO_LARGE", "document_discount"),
        ({"rules": [{"semantic": "magic"}]}, "UNKNOWN_SEMANTIC", "rules[0].semantic"),
        ({"rules": [{"tax": "VAT"}]}, "UNKNOWN_RULE", "rules[0]"),
        ({"rules": [{"semantic": "excess_over"}]}, "MISSING", "rules[0].per_item"),
        ({"rules": [{"semantic": "holiday"}]}, "MISSING", "rules[0].dates"),
        ({"collector": "state"}, "UNKNOWN_COLLECTOR", "collector"),
        ({"customer": "x"}, "NOT_AN_OBJECT", "customer"),
        ({"ship_from": "DE"}, "NOT_AN_OBJECT", "ship_from"),
        ({"country": ""}, "MISSING_COUNTRY", "country"),
        ({"country": "AQ"}, "UNKNOWN_PLACE", "country"),
        ({"country": "US"}, "MISSING_REGION", "region"),
        ({"country": "CA", "region": "Atlantis"}, "UNKNOWN_REGION", "region"),
        ({"country": "NZ", "date": "1980-01-01"}, "NO_RATE_IN_FORCE", "date"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(wrong, code, path):
    with pytest.raises(Refused) as refused:
        quote.answer(request(**{"country": "DE", **wrong}))
    assert [(problem.code, problem.path) for problem in refused.value.problems] == [(code, path)]
    assert " " in refused.value.problems[0].message


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(Refused) as refused:
        quote.answer({"date": "x", "lines": [{"amount": "y"}, {"amount": "z"}]})
    assert [problem.path for problem in refused.value.problems] == ["lines[0].amount", "lines[1].amount", "date"]


def test_only_an_object_is_a_request():
    with pytest.raises(Refused):
        quote.answer([1])


def test_taxes_that_are_named_need_neither_date_nor_place():
    answer = quote.answer({"lines": [{"amount": "10", "taxes": [VAT]}]})
    assert (answer["net"], answer["tax"], answer["gross"]) == ("10.00", "2.00", "12.00")


def test_no_tax_at_all_is_a_list_that_is_empty():
    answer = quote.answer({"country": "DE", "lines": [{"amount": "10", "taxes": []}]})
    assert (answer["tax"], answer["treatment"]) == ("0.00", "exempt")


def test_prices_include_what_the_mode_says_unless_the_tax_says_otherwise():
    for flag, gross in ((None, "10.00"), (False, "12.00")):
        line = {"amount": "10", "taxes": [{**VAT, "price_include": flag}]}
        assert quote.answer({"price_mode": "inclusive", "lines": [line]})["gross"] == gross


@pytest.mark.parametrize(
    ("currency", "amount", "tax"),
    [("JPY", "999", "200"), ("EUR", "9.99", "2.00"), ("KWD", "9.999", "2.000"), ("", "9.99", "2.00")],
)
def test_a_currency_has_its_digits(currency, amount, tax):
    assert quote.answer({"currency": currency, "lines": [{"amount": amount, "taxes": [VAT]}]})["tax"] == tax


@pytest.mark.parametrize("discount", ["10", {"amount": "10"}, {"percent": "10"}])
def test_a_discount_of_the_document_reduces_the_tax(discount):
    answer = quote.answer(
        {"lines": [{"amount": "60", "taxes": [VAT]}, {"amount": "40", "taxes": []}], "document_discount": discount}
    )
    assert (answer["net"], answer["tax"]) == ("90.00", "10.80")


def test_what_the_manufacturer_pays_is_a_payment():
    answer = quote.answer(
        {"lines": [{"amount": "60", "taxes": [VAT]}], "document_discount": {"amount": "10", "funding": "manufacturer"}}
    )
    assert (answer["net"], answer["tax"]) == ("60.00", "12.00")


def test_lines_shipping_adjustments_and_charges_stand_in_this_order():
    answer = quote.answer(
        {
            "lines": [{"amount": "80", "taxes": [VAT]}, {"amount": "20", "taxes": []}],
            "shipping": [
                {"amount": "5", "taxable": False},
                {"amount": "6", "taxable": True},
                {"amount": "7", "rate": "10"},
            ],
            "document_adjustments": [{"type": "allowance", "amount": "8", "rate": "20"}],
            "document_charge": "9",
        }
    )
    assert [line["net"] for line in answer["by_line"]] == ["80.00", "20.00", "5.00", "6.00", "7.00", "-8.00", "9.00"]
    assert [line["tax"] for line in answer["by_line"]] == ["16.00", "0.00", "0.00", "1.20", "0.70", "-1.60", "0.00"]
    assert answer["gross"] == "135.30"


def test_delivery_is_rounded_with_the_goods_that_it_belongs_to():
    answer = quote.answer(
        {"lines": [{"amount": "95", "taxes": [{"rate": "8.25"}]}], "shipping": [{"amount": "10.00", "taxable": True}]}
    )
    assert (answer["tax"], [line["tax"] for line in answer["by_line"]]) == ("8.66", ["7.84", "0.82"])


def test_delivery_of_which_nothing_is_said_stays_untaxed_with_a_warning():
    answer = quote.answer({"lines": [{"amount": "95", "taxes": [VAT]}], "shipping": [{"amount": "10.00"}]})
    assert (answer["tax"], codes(answer)) == ("19.00", ["DELIVERY_TAX_UNKNOWN"])


def test_a_rule_of_the_request_holds_for_its_tax_and_category():
    taxes = [{"name": "state", "rate": "4"}, {"name": "county", "rate": "4.5"}]
    lines = [
        {"amount": "100", "category": "clothing", "taxes": taxes},
        {"amount": "100", "category": "toys", "taxes": taxes},
    ]
    rule = {"semantic": "exempt_below", "per_item": "110", "category": "clothing", "jurisdictions": ["state"]}
    answer = quote.answer({"lines": lines, "rules": [rule]})
    assert [[tax["tax"] for tax in line["taxes"]] for line in answer["by_line"]] == [["0.00", "4.50"], ["4.00", "4.50"]]


def test_a_rule_for_a_tax_that_nothing_bears_says_so():
    rule = {"tax": "surtax", "per_item_base_max": "5000"}
    assert codes(quote.answer({"lines": [{"amount": "1", "taxes": [VAT]}], "rules": [rule]})) == ["RULE_WITHOUT_TAX"]


def answer_or_problems(data):
    """The answer, or the codes of what is wrong; any other exception is a fault."""
    try:
        return quote.answer(data)
    except Refused as refused:
        return [problem.code for problem in refused.problems]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["1", "20", "-3.5", "US", "NY", "2026-01-01"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from([
        "amount", "qty", "discount", "taxes", "rate", "kind", "percent", "dates", "semantic", "per_item", "country", "region", "type",
    ]), children, max_size=4), max_leaves=8,
)  # fmt: skip
KEYS = [
    "date", "currency", "price_mode", "rounding", "country", "region", "postcode", "ship_from", "customer", "collector", "shipping",
    "document_discount", "document_adjustments", "document_charge", "rules", "channel_tax", "registrations", "lines",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), json_values, max_size=6))
def test_any_request_is_answered_or_refused(fields):
    found = answer_or_problems(request(**{"country": "US", "region": "NY", **fields}))
    assert found
    json.dumps(found)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"amount": st.decimals("-9999999999999999", "9999999999999999", places=4).map(lambda d: f"{d:f}"),
        "qty": st.sampled_from(["1", "0", "-3", "0.001", "999999999"]), "discount": st.sampled_from(["0", "5", "-5"]),
        "taxes": st.lists(st.fixed_dictionaries({"rate": st.sampled_from(["0", "20", "999", "-99", "0.000000000001"]),
            "kind": st.sampled_from(["percent", "fixed", "division"]), "price_include": st.booleans(), "include_base_amount": st.booleans()}), max_size=3)}), min_size=1, max_size=3),
    st.sampled_from(["line", "line_unrounded_base", "line_round_net", "line_combined", "document_per_tax", "document_combined", "none"]),
    st.sampled_from(["0.01", "1", "0.05", "3", "0.000001"]), st.sampled_from(["0", "50", "100"]),
)  # fmt: skip
def test_extreme_numbers_are_computed_or_refused(lines, level, increment, percent):
    rounding = {"level": level, "increment": increment}
    found = answer_or_problems({"lines": lines, "rounding": rounding, "document_discount": {"percent": percent}})
    assert "net" in found or set(found) <= {"UNUSABLE_TAXES", "BAD_NUMBER"}


def command(monkeypatch, text, *arguments):
    out = StringIO()
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text.encode())))
    code = 0
    try:
        call_command("quote_tax", *arguments, stdout=out)
    except SystemExit as stopped:
        code = stopped.code
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def test_the_command_answers_one_request(monkeypatch):
    code, answers = command(monkeypatch, json.dumps({"lines": [{"amount": 10.5, "taxes": [VAT]}]}))
    assert (code, [answer["tax"] for answer in answers]) == (0, ["2.10"])
    assert list(answers[0]) == ["net", "tax", "gross", "by_line", "by_rate", "treatment", "warnings"]


def test_the_command_answers_every_line_and_exits_1_where_one_is_refused(monkeypatch):
    good = json.dumps({"lines": [{"amount": "10", "taxes": [VAT]}]})
    code, answers = command(monkeypatch, f"{good}\nnonsense\n\n{{}}\n{good}\n", "--lines")
    assert code == 1
    assert [answer.get("tax") or answer["problems"][0]["code"] for answer in answers] == [
        "2.00",
        "NOT_JSON",
        "MISSING_LINES",
        "2.00",
    ]
    assert set(answers[1]["problems"][0]) == {"code", "path", "message"}


def test_the_command_refuses_what_is_endless(monkeypatch):
    monkeypatch.setattr("salessync.management.commands.quote_tax.LIMIT", 50)
    good = json.dumps({"lines": [{"amount": "10", "taxes": []}]})
    code, answers = command(monkeypatch, "x" * 500 + "\n" + good, "--lines")
    assert (code, answers[0]["problems"][0]["code"], answers[1]["tax"]) == (1, "BODY_TOO_LARGE", "0.00")
