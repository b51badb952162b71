"""The gate and the proof, failure by failure."""

import json
from datetime import timedelta

import msgspec
import pytest

from channels import canonical, checks
from channels.charge import Charge
from channels.dispute import Dispute
from channels.payout import Payout
from channels.record import Settlement, Tax
from channels.sale import Discount, Presentment
from tests.golden import FOLDER
from tests.records import START, cash_session, manual


def record(case="standard/split_tender", index=0):
    line = (FOLDER / case / "records.jsonl").read_bytes().splitlines()[index]
    return canonical.decode(line)


def wrong(of):
    return [f"{p.code} {p.path}" for p in checks.check(of)]


def changed(case="standard/split_tender", **fields):
    found = record(case)
    for path, value in fields.items():
        *parents, last = path.split("__")
        place = found
        for key in parents:
            place = place[int(key)] if key.isdigit() else getattr(place, key)
        setattr(place, last, value)
    return wrong(found)


def data():
    return json.loads((FOLDER / "standard/split_tender/records.jsonl").read_bytes())


# --- the gate


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_every_missing_field_is_told_at_once(nothing):
    sale = data()
    sale["source"]["id"] = sale["currency"] = sale["payment_status"] = sale["totals"]["total"] = nothing
    sale["jurisdiction"] = nothing
    assert [(p.code, p.path) for p in checks.gate(sale)] == [
        ("MISSING_ID", "source.id"), ("MISSING_AMOUNT", "totals.total"), ("MISSING_CURRENCY", "currency"),
        ("MISSING_JURISDICTION", "jurisdiction.country"), ("MISSING_PAYMENT_STATUS", "payment_status"),
    ]  # fmt: skip


def test_an_amount_of_nothing_is_an_amount():
    sale = data()
    sale["totals"]["total"] = 0
    assert checks.gate(sale) == []


def test_only_a_sale_needs_a_jurisdiction():
    assert (
        checks.gate(
            {"type": "refund", "source": {"id": "1"}, "totals": {"total": 1}, "currency": "USD", "status": "pending"}
        )
        == []
    )
    assert checks.gate({"type": "payout", "source": {"id": "1"}, "amount": -1, "currency": "USD"}) == []
    assert [p.code for p in checks.gate({"type": "charge"})] == ["MISSING_ID", "MISSING_AMOUNT", "MISSING_CURRENCY"]


@pytest.mark.parametrize(
    ("value", "code"),
    [(None, "NOT_A_RECORD"), ([], "NOT_A_RECORD"), (5, "NOT_A_RECORD"), ({}, "MISSING_TYPE"), ({"type": "zebra"}, "UNKNOWN_TYPE"),
     ({"type": []}, "UNKNOWN_TYPE"), ({"type": {}}, "UNKNOWN_TYPE")],
)  # fmt: skip
def test_what_is_no_record(value, code):
    assert [p.code for p in checks.gate(value)] == [code]


# --- the proof of a sale


def test_a_record_that_adds_up_has_no_problem():
    assert wrong(record()) == []


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("totals__gross", 1, "GROSS_MISMATCH totals.gross"),
        ("totals__discount", 1, "DISCOUNT_MISMATCH totals.discount"),
        ("totals__net", 1, "NET_MISMATCH totals.net"),
        ("totals__shipping", 1, "SHIPPING_MISMATCH totals.shipping"),
        ("totals__tip", 1, "TIP_MISMATCH totals.tip"),
        ("totals__service_charge", 1, "SERVICE_CHARGE_MISMATCH totals.service_charge"),
        ("totals__fees", 1, "FEES_MISMATCH totals.fees"),
        ("totals__duties", 1, "DUTIES_MISMATCH totals.duties"),
        ("totals__tax", 1, "TAX_MISMATCH totals.tax"),
        ("totals__tax_marketplace", 1, "MARKETPLACE_TAX_MISMATCH totals.tax_marketplace"),
        ("totals__total", 1, "TOTAL_MISMATCH totals.total"),
        ("totals__rounding", 1, "TOTAL_MISMATCH totals.total"),
        ("tax_inclusive", True, "TOTAL_MISMATCH totals.total"),
        ("totals__paid", 1, "PAID_MISMATCH totals.paid"),
        ("totals__paid", None, "MISSING_PAID totals.paid"),
        ("totals__due", 1, "DUE_MISMATCH totals.due"),
        ("lines__0__net", 1, "LINE_NET_MISMATCH lines[0].net"),
        ("lines__0__tax", 1, "LINE_TAX_MISMATCH lines[0].tax"),
        ("lines__0__quantity", "3", "LINE_GROSS_MISMATCH lines[0].gross"),
        ("lines__0__unit_price", "x", "LINE_GROSS_MISMATCH lines[0].gross"),
        ("lines__0__discounts", [Discount(amount=5)], "LINE_DISCOUNT_MISMATCH lines[0].discount"),
        ("lines__0__type", "unknown", "UNKNOWN_TYPE lines[0].type"),
        ("lines__0__taxes", [Tax(name="t", amount=80, collector="unknown")], "UNKNOWN_TAX_COLLECTOR lines[0].taxes"),
        ("tenders__1__id", "t1", "DUPLICATE_TENDER tenders[1].id"),
        ("tenders__0__tip", 1501, "TIP_OVER_AMOUNT tenders[0].tip"),
        ("tenders__0__tendered", 1501, "CASH_MISMATCH tenders[0].amount"),
        ("tenders__0__amount", -1, "NEGATIVE_AMOUNT tenders[0].amount"),
        ("tenders__0__type", "unknown", "UNKNOWN_TYPE tenders[0].type"),
        ("tenders__0__status", "unknown", "UNKNOWN_STATUS tenders[0].status"),
        ("tenders__0__action", "unknown", "UNKNOWN_ACTION tenders[0].action"),
        (
            "tenders__0__settlement",
            Settlement(currency="XXQ", amount=1),
            "UNKNOWN_CURRENCY tenders[0].settlement.currency",
        ),
        ("presentment", Presentment(currency="XXQ", total=1), "UNKNOWN_CURRENCY presentment.currency"),
        ("status", "unknown", "UNKNOWN_STATUS status"),
        ("payment_status", "unknown", "UNKNOWN_PAYMENT_STATUS payment_status"),
        ("jurisdiction", None, "MISSING_JURISDICTION jurisdiction"),
        ("currency", "XXQ", "UNKNOWN_CURRENCY currency"),
        ("timezone", "Mars/Olympus", "UNKNOWN_TIMEZONE timezone"),
        ("source__id", " ", "MISSING_ID source.id"),
        ("totals__discount", -1, "NEGATIVE_AMOUNT totals.discount"),
        ("totals__total", 2**53, "AMOUNT_TOO_LARGE totals.total"),
        ("lines__0__gross", 2**53, "AMOUNT_TOO_LARGE lines[0].gross"),
        ("lines__0__discount", -1, "NEGATIVE_AMOUNT lines[0].discount"),
    ],
)
def test_a_sale_that_is_wrong_says_where(field, value, found):
    assert found in changed(**{field: value})


def test_two_lines_of_one_id():
    sale = record()
    sale.lines.append(msgspec.structs.replace(sale.lines[0]))
    assert "DUPLICATE_LINE lines[1].id" in wrong(sale)


def test_gross_may_be_rounded_by_one_unit():
    assert changed(lines__0__unit_price="10.004") == []
    assert changed(lines__0__unit_price="10.01") != []


def test_a_message_is_for_a_bookkeeper():
    sale = record()
    sale.totals.total = 1
    (problem,) = [p for p in checks.check(sale) if p.code == "TOTAL_MISMATCH"]
    assert problem.message == "totals.total says 0.01 USD, but its parts add up to 20.80"


def test_unknown_tenders_prove_nothing_about_what_was_paid():
    assert changed(tenders=None, totals__paid=None, totals__due=None) == []


# --- the others


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("totals__net", 1, "NET_MISMATCH totals.net"),
        ("totals__adjustment", 1, "ADJUSTMENT_MISMATCH totals.adjustment"),
        ("totals__tax", 1, "TAX_MISMATCH totals.tax"),
        ("totals__total", 1, "TOTAL_MISMATCH totals.total"),
        ("tenders__0__amount", 1, "PAID_MISMATCH totals.total"),
        ("tenders__0__type", "unknown", "UNKNOWN_TYPE tenders[0].type"),
        ("lines__0__tax", 1, "LINE_TAX_MISMATCH lines[0].tax"),
        ("lines__0__restock", "unknown", "UNKNOWN_RESTOCK lines[0].restock"),
        ("status", "unknown", "UNKNOWN_STATUS status"),
    ],
)
def test_a_refund_that_is_wrong_says_where(field, value, found):
    assert changed("standard/refund") == []
    assert found in changed("standard/refund", **{field: value})


def test_a_refund_without_known_tenders_is_proven_by_its_lines():
    assert changed("standard/refund", tenders=[]) == []


def built(kind, /, **fields):
    head = {"source": {"channel": "c", "adapter": "a", "id": "1", "version": "1"}, "occurred_at": "2026-09-01T00:00:00Z",
            "timezone": "UTC", "business_date": "2026-09-01", "currency": "USD"}  # fmt: skip
    return msgspec.convert({"type": kind.__struct_config__.tag, **head, **fields}, kind)


def test_a_charge():
    def charge(**fields):
        return wrong(
            built(Charge, **{"tender_type": "card", "status": "captured", "amount": 5, "captured": 5, **fields})
        )

    assert charge() == []
    assert charge(status="failed") == ["CAPTURED_MISMATCH captured"]
    assert charge(status="failed", captured=0) == []
    assert charge(status="unknown") == ["UNKNOWN_STATUS status"]
    assert charge(settlement={"currency": "XXQ", "amount": 1}) == ["UNKNOWN_CURRENCY settlement.currency"]


def test_a_payout():
    def payout(**fields):
        line = {"id": "1", "category": "charge", "gross": 100, "fee": 3, "net": 97}
        return wrong(
            built(
                Payout, **{"processor": "p", "status": "paid", "amount": 97, "lines": [line], "residual": 0, **fields}
            )
        )

    assert payout() == []
    assert payout(amount=98, residual=1) == []
    assert payout(amount=98) == ["PAYOUT_MISMATCH amount"]
    assert payout(lines=None, residual=None) == []
    bad = {"id": "1", "category": "charge", "gross": 100, "fee": 3, "net": 96}
    assert payout(lines=[bad], amount=96) == ["PAYOUT_LINE_MISMATCH lines[0].net"]
    twice = {"id": "1", "category": "unknown", "gross": 0, "net": 0}
    assert payout(lines=[twice, twice], amount=0) == [
        "UNKNOWN_CATEGORY lines[0].category", "DUPLICATE_LINE lines[1].id", "UNKNOWN_CATEGORY lines[1].category",
    ]  # fmt: skip


def test_a_dispute():
    def dispute(**fields):
        return wrong(built(Dispute, **{"kind": "chargeback", "state": "won", "amount": 5, **fields}))

    assert dispute() == []
    assert dispute(kind="unknown", state="unknown") == ["UNKNOWN_KIND kind", "UNKNOWN_STATE state"]


def test_a_cash_session():
    moves = [("paid_in", 500), ("paid_out", 200), ("deposit", 3000)]
    assert wrong(cash_session(takings=4200, expected=11500, counted=11480, movements=moves)) == []
    assert wrong(cash_session(takings=4200, expected=11501, movements=moves)) == ["EXPECTED_MISMATCH expected"]
    assert wrong(cash_session(expected=7, movements=moves)) == []  # without takings nothing is proven
    assert wrong(cash_session(takings=-4200, movements=moves)) == []
    assert wrong(cash_session(counted=-1, opening_float=-1)) == [
        "NEGATIVE_AMOUNT opening_float", "NEGATIVE_AMOUNT counted",
    ]  # fmt: skip
    assert wrong(cash_session(status="counted")) == ["MISSING_COUNT counted"]
    for status in ("open", "closed"):
        assert wrong(cash_session(status=status, counted=5)) == ["COUNTED_MISMATCH counted"]
    assert wrong(cash_session(status="unknown")) == ["UNKNOWN_STATUS status"]
    assert wrong(cash_session(closed_at=START - timedelta(seconds=1))) == ["CLOSED_BEFORE_OPENED closed_at"]
    assert wrong(cash_session(movements=[("unknown", -5)])) == [
        "UNKNOWN_TYPE movements[0].type", "NEGATIVE_AMOUNT movements[0].amount",
    ]  # fmt: skip
    twice = cash_session(movements=[("deposit", 5), ("deposit", 5)])
    twice.movements[1].id = "m1"
    assert wrong(twice) == ["DUPLICATE_MOVEMENT movements[1].id"]


def test_what_moved_after_the_close_was_there_at_the_close():
    session = cash_session(
        takings=0, expected=10000, closed_at=START + timedelta(hours=8), movements=[("deposit", 9000)]
    )
    session.movements[0].at = START + timedelta(hours=9)
    assert wrong(session) == []
    session.movements[0].at = START + timedelta(hours=8)
    assert wrong(session) == ["EXPECTED_MISMATCH expected"]


BANK, EQUITY = "Assets:Bank:Main", "Equity:Opening-balances"


def test_an_entry_by_hand():
    assert wrong(manual([(BANK, 500), (EQUITY, -500)])) == []
    assert wrong(manual([(BANK, 500), (EQUITY, -500)], kind="unknown", reason=" ")) == [
        "UNKNOWN_KIND kind", "MISSING_REASON reason",
    ]  # fmt: skip
    assert wrong(manual([(BANK, 500), (EQUITY, -499)])) == ["UNBALANCED postings"]
    assert wrong(manual([(BANK, 500, "EUR"), (EQUITY, -500, "EUR")])) == []
    assert wrong(manual([(BANK, 500, "XXQ"), (EQUITY, -500, "XXQ")])) == [
        "UNKNOWN_CURRENCY postings[0].currency", "UNKNOWN_CURRENCY postings[1].currency",
    ]  # fmt: skip
    assert wrong(manual([(BANK, 0)])) == ["TOO_FEW_POSTINGS postings", "EMPTY_POSTING postings[0].amount"]
    assert wrong(manual([])) == ["TOO_FEW_POSTINGS postings"]


def test_an_entry_in_several_currencies_says_what_each_part_is_worth():
    assert wrong(manual([(BANK, 100, "EUR", 110), (EQUITY, -110, "USD", -110)])) == []
    assert wrong(manual([(BANK, 100, "EUR", 110), (EQUITY, -110, "USD")])) == [
        "MISSING_BASE_AMOUNT postings[1].base_amount"
    ]
    assert wrong(manual([(BANK, 100, "EUR", 110), (EQUITY, -110, "USD", -111)])) == ["UNBALANCED_BASE postings"]
    assert wrong(manual([(BANK, 100, "EUR", -110), (EQUITY, 110, "USD", 110)])) == [
        "OPPOSITE_SIGNS postings[0].base_amount"
    ]


def test_an_entry_in_one_currency_may_say_its_worth_and_then_all_of_it():
    assert wrong(manual([(BANK, 100, "EUR", 110), (EQUITY, -100, "EUR", -110)])) == []
    assert wrong(manual([(BANK, 100, "EUR", 110), (EQUITY, -100, "EUR", -109)])) == ["UNBALANCED_BASE postings"]
    assert wrong(manual([(BANK, 100, "EUR", 110), (EQUITY, -100, "EUR")])) == [
        "MISSING_BASE_AMOUNT postings[1].base_amount"
    ]
    # a rate that changed: nothing moves but the worth
    assert wrong(manual([(BANK, 0, "EUR", 110), ("Income:FX-gain-loss", 0, "EUR", -110)])) == []


@pytest.mark.parametrize(
    "account",
    [
        "",
        "Assets",
        "Assets:",
        "assets:Bank",
        "Bank:Main",
        "Assets:bank",
        "Assets:Bank Main",
        "Assets::Bank",
        "Assets:Bänk",
        "Assets:Bank\n",
    ],
)
def test_an_account_is_a_full_name(account):
    assert wrong(manual([(account, 5), (EQUITY, -5)])) == ["BAD_ACCOUNT postings[0].account"]


@pytest.mark.parametrize(
    "account", ["Assets:Bank:Main", "Expenses:Bad-debts", "Equity:9", "Liabilities:Loan:Stripe-eu", "Income:X"]
)
def test_names_of_accounts(account):
    assert wrong(manual([(account, 5), (EQUITY, -5)])) == []


def test_the_headline_of_an_entry_is_what_it_debits():
    assert manual([(BANK, 500), ("Assets:Till:A", 20), (EQUITY, -520)]).amount == 520
    assert manual([(BANK, 100, "EUR", 110), (EQUITY, -110, "USD", -110)]).amount == 0


def test_the_gate_of_the_new_types():
    assert [p.code for p in checks.gate({"type": "cash_session"})] == [
        "MISSING_ID", "MISSING_AMOUNT", "MISSING_CURRENCY", "MISSING_STATUS",
    ]  # fmt: skip
    assert [p.code for p in checks.gate({"type": "manual"})] == [
        "MISSING_ID", "MISSING_POSTINGS", "MISSING_CURRENCY", "MISSING_REASON",
    ]  # fmt: skip
