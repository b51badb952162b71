"""Laws that every tax provider must obey, whoever is behind it. Each takes a Subject and asserts.

A provider that lacks something may refuse, with a code and a sentence; what it may not do is answer something else.
"""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from salessync.core.problems import Refused
from tax.providers.provider import ACCESS_REFUSED, CAPABILITIES, Unreachable

TODAY = datetime.now(UTC).date()
DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
KEYS = {"net", "tax", "gross", "by_line", "by_rate", "treatment", "warnings"}
TREATMENTS = {
    "taxable", "zero", "exempt", "reverse_charge", "export_zero", "not_registered", "marketplace_collected", "tax_holiday",
    "out_of_scope",
}  # fmt: skip
TIMEOUT = 5.0


class Subject:
    """A provider and where it knows its way. `stranger` is the same with a key that the service does not know; `dress` adds to a
    request what only this provider needs; `zero_rated` is a place and category of the rate zero; `taxes` a line has at `place`."""

    def __init__(
        self, provider, *, service=None, stranger=None, place=None, currencies=("EUR", "JPY", "KWD"), dress=lambda request: request,
        unknown=None, zero_rated=({"country": "GB"}, "food.grocery"), taxes=1,
    ):  # fmt: skip
        self.provider, self.service, self.stranger, self.dress = provider, service, stranger, dress
        self.place, self.currencies, self.taxes = place or {"country": "DE"}, currencies, taxes
        self.unknown = unknown if unknown or provider.name == "channel" else {"country": "QQ"}
        self.zero_rated = zero_rated

    def has(self, *capabilities):
        return set(capabilities) <= self.provider.capabilities

    def sale(self, *lines, **fields):
        """A sale at its place; a line may be an amount alone."""
        given = [{"amount": line} if isinstance(line, str) else line for line in lines or ("100.00",)]
        request = {
            "date": TODAY.isoformat(), "currency": self.currencies[0], "price_mode": "exclusive", **self.place, "lines": given,
        }  # fmt: skip
        return self.dress({**request, **fields})

    def calculate(self, *lines, **fields):
        answer = self.provider.calculate(self.sale(*lines, **fields), timeout=TIMEOUT)
        assert_adds_up(answer)
        return answer


SALES = {
    "one line": {"lines": [{"amount": "100.00"}]},
    "odd cents": {"lines": [{"amount": "0.05"}, {"amount": "0.05"}, {"amount": "33.33"}, {"amount": "0.01"}]},
    "pieces and discounts": {
        "lines": [{"amount": "19.99", "qty": "3", "discount": "5.00"}, {"amount": "2.50", "qty": "0.5"}],
        "document_discount": None,
    },
    "delivery": {"lines": [{"amount": "80.00"}, {"amount": "7.77"}], "shipping": [{"amount": "4.90", "taxable": True}]},
    "free delivery and a gift": {"lines": [{"amount": "0"}, {"amount": "12.00"}], "shipping": [{"amount": "0"}]},
    "two deliveries": {"lines": [{"amount": "10.00"}], "shipping": [{"amount": "5.00"}, {"amount": "1.10", "taxable": False}]},
    "nothing": {"lines": [{"amount": "0"}]},
    "many lines": {"lines": [{"amount": f"{n}.{n:02}"} for n in range(1, 36)]},
}  # fmt: skip


# --- the shape of answers


def assert_adds_up(answer):
    """The contract's keys and types; net + tax = gross everywhere; the lines, and their taxes, are the totals."""
    assert KEYS <= set(answer) <= KEYS | {"calculation", "degraded", "verdict"}
    assert answer["treatment"] in TREATMENTS
    for one in (answer, *answer["by_line"]):
        assert all(type(one[key]) is str for key in ("net", "tax", "gross"))
        assert Decimal(one["net"]) + Decimal(one["tax"]) == Decimal(one["gross"])
    for key in ("net", "tax", "gross"):
        assert sum(Decimal(line[key]) for line in answer["by_line"]) == Decimal(answer[key])
    for line in answer["by_line"]:
        assert sum(Decimal(tax["tax"]) for tax in line["taxes"]) == Decimal(line["tax"])
        assert all(
            set(tax) == {"name", "jurisdiction", "rate", "base", "tax", "rule", "source"} for tax in line["taxes"]
        )
    assert sum(Decimal(one["tax"]) for one in answer["by_rate"]) == Decimal(answer["tax"])
    assert all(set(one) == {"code", "path", "message"} for one in answer["warnings"])


def assert_refused(call, *codes):
    """A refusal has a code and a sentence."""
    with pytest.raises(Refused) as refused:
        call()
    for problem in refused.value.problems:
        assert problem.code.isupper() and len(problem.message) > 10
    if codes:
        assert {problem.code for problem in refused.value.problems} & set(codes)


# --- the laws


def capabilities_are_known(subject):
    assert subject.provider.capabilities <= CAPABILITIES


def every_sale_adds_up(subject):
    for sale in SALES.values():
        answer = subject.calculate(**sale)
        assert len(answer["by_line"]) == len(sale["lines"]) + len(sale.get("shipping", ()))


def prices_without_tax_are_the_net(subject):
    answer = subject.calculate("100.00", {"amount": "19.99", "qty": "3", "discount": "5.00"})
    assert answer["net"] == "154.97" and Decimal(answer["tax"]) > 0
    assert [line["net"] for line in answer["by_line"]] == ["100.00", "54.97"]


def prices_with_tax_are_the_gross(subject):
    def ask():
        return subject.calculate("100.00", "0.05", "33.33", price_mode="inclusive")

    if not subject.has("inclusive"):
        assert_refused(ask)
        return
    answer = ask()
    assert answer["gross"] == "133.38" and 0 < Decimal(answer["tax"]) < 30
    assert [line["gross"] for line in answer["by_line"]] == ["100.00", "0.05", "33.33"]


def a_line_names_its_taxes(subject):
    (line,) = subject.calculate("100.00")["by_line"]
    assert len(line["taxes"]) == subject.taxes
    assert all(Decimal(tax["rate"]) > 0 and tax["base"] == "100.00" for tax in line["taxes"])


def a_discount_comes_off_the_lines(subject):
    if subject.provider.name == "channel":  # what it charged is what it charged
        return
    answer = subject.calculate("60.00", "30.00", document_discount="9.01")
    assert answer["net"] == "80.99"
    assert answer["tax"] == subject.calculate("53.99", "27.00")["tax"]
    assert_refused(lambda: subject.calculate("5.00", document_discount="6.00"), "DISCOUNT_TOO_LARGE")


def what_is_exempt_bears_no_tax(subject):
    answer = subject.calculate({"amount": "50.00", "category": "gift_card"}, {"amount": "10.00"})
    if subject.provider.name != "opensalestax":  # has no such category
        assert answer["by_line"][0]["tax"] == "0.00"
    assert Decimal(answer["by_line"][1]["tax"]) > 0 and answer["treatment"] == "taxable"


def who_is_exempt_pays_no_tax(subject):
    def ask():
        return subject.calculate("50.00", customer={"exempt": True})

    if subject.provider.name == "opensalestax":
        assert_refused(ask, "EXEMPT_CUSTOMER")
    else:
        answer = ask()
        assert (answer["tax"], answer["gross"], answer["treatment"]) == ("0.00", "50.00", "exempt")


def a_rate_of_zero_is_a_rate(subject):
    if subject.zero_rated is None:
        return
    place, category = subject.zero_rated
    answer = subject.calculate({"amount": "50.00", "category": category}, **place)
    assert (answer["tax"], answer["treatment"]) == ("0.00", "zero")
    assert [tax["rate"] for tax in answer["by_line"][0]["taxes"]] == ["0"]


def currencies_have_their_digits(subject):
    for currency, digits in DIGITS.items():

        def ask(currency=currency):
            return subject.calculate("1000", currency=currency)

        if currency not in subject.currencies and not subject.has("any_date"):
            if subject.provider.name == "opensalestax":
                assert_refused(ask, "CURRENCY_NOT_SUPPORTED")
            continue
        answer = ask()
        assert len(answer["tax"].partition(".")[2]) == digits
        assert len(answer["by_line"][0]["taxes"][0]["tax"].partition(".")[2]) == digits
    assert_refused(lambda: subject.calculate("1.00", currency="XXQ"), "UNKNOWN_CURRENCY")


def nothing_known_of_the_place_is_refused(subject):
    if subject.unknown is not None:
        assert_refused(
            lambda: subject.calculate("1.00", **subject.unknown), "UNKNOWN_PLACE", "MISSING_COUNTRY"
        )  # fmt: skip
        assert_refused(lambda: subject.calculate("1.00", country=""), "MISSING_COUNTRY")


def given_taxes_are_used_or_refused(subject):
    taxes = [{"name": "A", "kind": "percent", "rate": "3"}]
    if subject.has("given_taxes"):
        assert subject.calculate({"amount": "100.00", "taxes": taxes})["tax"] == "3.00"
    elif subject.provider.name != "channel":
        assert_refused(lambda: subject.calculate({"amount": "100.00", "taxes": taxes}), "GIVEN_TAXES")


def a_bad_request_is_refused(subject):
    assert_refused(lambda: subject.calculate(date="yesterday"), "BAD_DATE")
    assert_refused(lambda: subject.provider.calculate({}, timeout=TIMEOUT), "MISSING_LINES")


def the_same_question_has_the_same_answer(subject):
    request = subject.sale("12.34", "5.00", shipping=[{"amount": "3.00", "taxable": True}])
    answers = [subject.provider.calculate(request, timeout=TIMEOUT) for _ in range(2)]
    for answer in answers:
        answer.pop("calculation", None)
    assert answers[0] == answers[1]


def giving_everything_back_is_the_negative(subject):
    for sale in SALES.values():
        sold = subject.calculate(**sale)
        refund = subject.provider.refund(sold, {})
        assert_adds_up(refund)
        assert refund["by_line"] == [negated(line) for line in sold["by_line"]]
        assert [negated(one) for one in refund["by_rate"]] == sold["by_rate"]
        assert Decimal(refund["gross"]) == -Decimal(sold["gross"])


def a_sequence_of_refunds_ends_at_the_sale(subject):
    sold = subject.calculate("19.99", "0.07", {"amount": "4.35", "qty": "3"})
    before = []
    for part in (
        {"amount": "5.01"},
        {"lines": [{"line": 2, "gross": "1.00"}]},
        {"amount": "0.01"},
        {"amount": "11.11"},
        {},
    ):
        refund = subject.provider.refund(sold, {**part, "before": before})
        assert_adds_up(refund)
        before.append(refund)
    for key in ("net", "tax", "gross"):
        assert sum(Decimal(refund[key]) for refund in before) == -Decimal(sold[key])
    for n, line in enumerate(sold["by_line"]):
        for k, tax in enumerate(line["taxes"]):
            for key in ("base", "tax"):
                back = sum(Decimal(refund["by_line"][n]["taxes"][k][key]) for refund in before)
                assert back == -Decimal(tax[key])


def no_more_is_given_back_than_was_paid(subject):
    sold = subject.calculate("10.00")
    for wrong in ({"amount": "99.00"}, {"lines": [{"line": 0, "gross": "99.00"}]}):
        assert_refused(lambda wrong=wrong: subject.provider.refund(sold, wrong), "TOO_MUCH")
    assert_refused(lambda: subject.provider.refund(sold, {"lines": [{"line": 7, "gross": "1.00"}]}), "UNKNOWN_LINE")
    assert_refused(lambda: subject.provider.refund(sold, {"amount": "0.001"}), "AMOUNT_TOO_FINE")


def committing_again_is_the_same_record(subject):
    sold = subject.calculate("10.00")
    if not subject.has("commit"):
        assert_refused(lambda: subject.provider.commit(sold, "order-1"), "NOT_SUPPORTED")
        assert_refused(lambda: subject.provider.void("x"), "NOT_SUPPORTED")
        return
    recorded = subject.provider.commit(sold, "order-1")
    assert recorded and subject.provider.commit(sold, "order-1") == recorded
    assert subject.provider.commit(subject.calculate("10.00"), "order-2") != recorded
    subject.provider.void(recorded)
    subject.provider.void(recorded)


def a_service_that_fails_is_unreachable(subject):
    if subject.service is None:
        return
    for status, headers, worth in (
        (500, {}, True),
        (503, {"Retry-After": "7"}, True),
        (429, {"Retry-After": "7"}, True),
        (302, {}, False),
    ):
        subject.service.fault = (status, headers, b"{}")
        try:
            with pytest.raises(Unreachable) as unreachable:
                subject.calculate()
        finally:
            subject.service.fault = None
        assert unreachable.value.is_worth_retrying is worth
        assert unreachable.value.retry_after == (7.0 if headers else None)


def an_answer_that_cannot_be_read_is_none(subject):
    if subject.service is None:
        return
    for body in (b"", b"<html>", b"[]", b"{}", b'{"id": 1, "line_items": null, "lines": [{}]}', b'{"lines": []}'):
        subject.service.fault = (200, {}, body)
        try:
            with pytest.raises(Unreachable):
                subject.calculate()
        finally:
            subject.service.fault = None


def nobody_waits_longer_than_the_time_out(subject):
    if subject.service is None:
        return
    subject.service.delay = 1.0
    try:
        with pytest.raises(Unreachable) as unreachable:
            subject.provider.calculate(subject.sale(), timeout=0.2)
    finally:
        subject.service.delay = 0.0
    assert unreachable.value.is_worth_retrying


def a_key_that_is_not_known_is_refused(subject):
    if subject.service is None:
        return
    with pytest.raises(Refused) as refused:
        subject.stranger.calculate(subject.sale(), timeout=TIMEOUT)
    assert refused.value.problems[0].code == ACCESS_REFUSED
    assert "wrong" not in str(refused.value)


LAWS = [
    capabilities_are_known, every_sale_adds_up, prices_without_tax_are_the_net, prices_with_tax_are_the_gross, a_line_names_its_taxes,
    a_discount_comes_off_the_lines, what_is_exempt_bears_no_tax, who_is_exempt_pays_no_tax, a_rate_of_zero_is_a_rate,
    currencies_have_their_digits, nothing_known_of_the_place_is_refused, given_taxes_are_used_or_refused, a_bad_request_is_refused,
    the_same_question_has_the_same_answer, giving_everything_back_is_the_negative, a_sequence_of_refunds_ends_at_the_sale,
    no_more_is_given_back_than_was_paid, committing_again_is_the_same_record, a_service_that_fails_is_unreachable,
    an_answer_that_cannot_be_read_is_none, nobody_waits_longer_than_the_time_out, a_key_that_is_not_known_is_refused,
]  # fmt: skip


def negated(one):
    """With the sign of every amount turned."""
    amounts = {"net", "tax", "gross", "base"}
    return {
        key: [negated(item) for item in value] if isinstance(value, list) else turned(value) if key in amounts else value
        for key, value in one.items()
    }  # fmt: skip


def turned(text):
    return text.removeprefix("-") if text.startswith("-") or not Decimal(text) else f"-{text}"
