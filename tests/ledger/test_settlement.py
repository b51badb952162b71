"""Payouts, disputes and entries by hand, in plain figures; and that clearing comes back to zero whatever the order and currency."""

from collections import defaultdict
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from channels.manual import ManualPosting
from channels.record import Fee
from ledger import settlement
from ledger.legs import Policy
from ledger.settlement import Booked, Known
from tests.records import dispute, manual, payout, payout_line

POLICY = Policy("stripe-us", processors={"stripe": "stripe-us"})
CLEARING = "Assets:Clearing:Stripe-us"
BANK, FEES, TAX = "Assets:Bank-in-transit", "Expenses:Processing-fees", "Assets:Input-tax"
DISPUTED, LOSS, DISPUTE_FEES = "Assets:Disputed-funds", "Expenses:Chargebacks", "Expenses:Dispute-fees"
FX = "Income:FX-gain-loss"


def balanced(legs, own="USD"):
    """The law: Σ base is zero, and so is Σ amount where all is in one currency."""
    assert sum(leg.amount if leg.base is None else leg.base for leg in legs) == 0
    if {leg.currency or own for leg in legs} == {own}:
        assert sum(leg.amount for leg in legs) == 0
    keys = [(leg.account, leg.currency, leg.path) for leg in legs]
    assert len(keys) == len(set(keys)), "two legs of one place would be one"
    return legs


def book(record, known=(), *, base="USD", rate=None, worth=False):
    """Account → amount; with `worth` in base currency."""
    legs = balanced(settlement.payout_legs(record, dict(known), POLICY, base, rate), record.currency)
    sums = defaultdict(int)
    for leg in legs:
        sums[leg.account] += leg.base if worth else leg.amount
    return {account: amount for account, amount in sums.items() if amount}


def of(*lines, **more):
    return book(payout(list(lines)), **more)


# --- payouts, line by line


def test_a_charge_is_paid_out_less_its_fee():
    legs = balanced(settlement.payout_legs(payout([("charge", 1500, 74, "ch_1")]), {}, POLICY, "USD", None))
    assert {(leg.account, leg.path): leg.amount for leg in legs} == {
        (BANK, "amount"): 1426,
        (FEES, "lines/charge-ch_1/fee"): 74,
        (CLEARING, "lines/charge-ch_1/gross"): -1500,
    }


@pytest.mark.parametrize(
    ("category", "gross", "fee", "expected"),
    [
        ("refund", -980, 0, {BANK: -980, CLEARING: 980}),
        ("refund", -980, -31, {BANK: -949, CLEARING: 980, FEES: -31}),
        ("refund_failure", 980, 0, {BANK: 980, CLEARING: -980}),
        ("dispute", -1960, 1500, {BANK: -3460, CLEARING: 1960, DISPUTE_FEES: 1500}),
        ("dispute_reversal", 1960, -1500, {BANK: 3460, CLEARING: -1960, DISPUTE_FEES: -1500}),
        ("fee", -200, 0, {BANK: -200, FEES: 200}),
        ("fee", 0, 200, {BANK: -200, FEES: 200}),
        ("fee", 50, 0, {BANK: 50, FEES: -50}),
        ("reserve_hold", -600, 0, {BANK: -600, "Assets:Reserve:Stripe-us": 600}),
        ("reserve_release", 600, 5, {BANK: 595, "Assets:Reserve:Stripe-us": -600, FEES: 5}),
        ("loan_repayment", -727, 0, {BANK: -727, "Liabilities:Loan:Stripe-us": 727}),
        ("fx", -12, 0, {BANK: -12, FX: 12}),
        ("adjustment", 100, 25, {BANK: 75, FEES: 25, CLEARING: -100}),
        ("other", -9050, 0, {BANK: -9050, CLEARING: 9050}),
        ("payout_failure", 4500, 0, {BANK: 4500, CLEARING: -4500}),
    ],
)
def test_what_each_kind_of_line_takes_from_where(category, gross, fee, expected):
    assert of((category, gross, fee, None)) == expected


@pytest.mark.parametrize("status", ["pending", "failed", "cancelled", "returned", "unknown"])
def test_what_has_not_been_paid_out_stands_for_nothing(status):
    assert book(payout([("charge", 1500, 74, "ch_1")], status=status)) == {}
    assert book(payout([("charge", 1500, 74, "ch_1")], status="in_transit")) != {}


def test_a_header_says_as_much_as_its_amount():
    assert book(payout(None, amount=4500)) == {BANK: 4500, CLEARING: -4500}
    assert book(payout(None, amount=-310)) == {BANK: -310, CLEARING: 310}
    assert book(payout(None, amount=0)) == book(payout([])) == {}


def test_a_residual_stays_in_sight():
    legs = settlement.payout_legs(payout([("refund", -980, 0, "re_1")], residual=-100), {}, POLICY, "USD", None)
    assert [(leg.account, leg.amount) for leg in balanced(legs) if leg.path == "residual"] == [(CLEARING, 100)]
    assert sum(leg.amount for leg in legs if leg.account == BANK) == -1080


def test_what_adds_up_to_nothing_leaves_the_bank_alone():
    assert of(("charge", 9200, 150, "c"), ("other", -9050, 0, None)) == {FEES: 150, CLEARING: -150}


def test_clearing_goes_by_the_channel_that_brings_the_processors_records():
    record = payout([("charge", 100, 0, None)], processor="somebody")
    assert book(record)["Assets:Clearing:Somebody"] == -100
    known = {"ch_1": Known(booked=Booked("Assets:Cards", "USD", 1500, 1500))}
    (leg,) = [
        leg
        for leg in settlement.payout_legs(payout([("charge", 1500, 0, "ch_1")]), known, POLICY, "USD", None)
        if leg.account != BANK
    ]
    assert (leg.account, leg.amount, leg.fixed) == ("Assets:Cards", -1500, True)


def test_what_was_paid_beyond_the_charge_shows_on_its_account():
    known = {"ch_1": Known(booked=Booked("Assets:Cards", "USD", 1500, 1500))}
    assert of(("charge", 1600, 0, "ch_1"), known=known) == {BANK: 1600, "Assets:Cards": -1600}


# --- tax on fees


def test_tax_on_a_fee_is_input_tax():
    known = {"ch_1": Known(fees=(Fee(type="processing", amount=60), Fee(type="tax", amount=14)))}
    assert of(("charge", 1500, 74, "ch_1"), known=known) == {BANK: 1426, FEES: 60, TAX: 14, CLEARING: -1500}


def test_tax_on_a_fee_follows_the_line_where_the_fee_is_another():
    known = {"ch_1": Known(fees=(Fee(type="processing", amount=60), Fee(type="VAT", amount=15)))}
    assert of(("charge", 1500, 150, "ch_1"), known=known)[TAX] == 30
    assert TAX not in of(("charge", 1500, 0, "ch_1"), known=known)


@pytest.mark.parametrize("word", ["tax", "VAT", "gst", "stripe_tax", "VAT on fees", "processing-vat", "mwst"])
def test_words_for_tax(word):
    assert settlement.is_tax(word)


@pytest.mark.parametrize(
    "word", ["processing", "withheld_tax", "tax_withholding", "taxi", "private", "", "application"]
)
def test_words_that_are_none(word):
    assert not settlement.is_tax(word)


# --- a payout that failed and came back


def test_a_failed_payout_that_comes_back_brings_its_own_lines():
    lines = [("charge", 1500, 74, "ch_1"), ("refund", -200, 0, "re_1")]
    failed = payout(lines, "po_0", status="failed")
    known = {"po_0": Known(failed=failed, failed_known={"ch_1": Known(fees=(Fee(type="tax", amount=74),))})}
    again = payout([("payout_failure", failed.amount, 0, "po_0"), ("charge", 300, 9, "ch_2")])
    assert book(failed) == {}
    assert book(again, known) == {BANK: 1226 + 291, TAX: 74, FEES: 9, CLEARING: -1300 - 300}
    paths = {leg.path for leg in settlement.payout_legs(again, known, POLICY, "USD", None)}
    assert "lines/payout_failure-po_0/lines/charge-ch_1/gross" in paths


def test_what_a_failed_payout_could_not_explain_stays_open_in_the_next():
    failed = payout([("charge", 1500, 74, "ch_1")], "po_0", status="failed", residual=-26)
    again = payout([("payout_failure", 1400, 25, "po_0")])
    assert book(again, {"po_0": Known(failed=failed)}) == {BANK: 1375, FEES: 99, CLEARING: -1474}


@pytest.mark.parametrize(
    "failed",
    [
        payout([("charge", 1500, 0, "ch_1")], "po_0", status="paid"),  # stands still: cleared once already
        payout(None, "po_0", status="failed", amount=1500),
        payout([("charge", 1500, 0, "ch_1")], "po_0", status="failed", currency="EUR"),
        payout([("charge", 1500, 0, "ch_1")], "po_1", status="failed"),  # itself
    ],
)
def test_a_failed_payout_that_says_nothing_leaves_clearing_to_show_it(failed):
    again = payout([("payout_failure", 1500, 0, "po_0")])
    assert book(again, {"po_0": Known(failed=failed)}) == {BANK: 1500, CLEARING: -1500}


def test_a_failure_of_a_failure():
    first = payout([("charge", 1500, 74, "ch_1")], "po_a", status="failed")
    second = payout([("payout_failure", 1426, 0, "po_a")], "po_b", status="failed")
    third = payout([("payout_failure", 1426, 0, "po_b")], "po_c")
    known = {"po_b": Known(failed=second, failed_known={"po_a": Known(failed=first)})}
    assert book(third, known) == {BANK: 1426, FEES: 74, CLEARING: -1500}


def test_payouts_that_name_each_other_come_to_an_end():
    known = {}
    one = payout([("payout_failure", 10, 0, "po_b")], "po_a", status="failed")
    two = payout([("payout_failure", 10, 0, "po_a")], "po_b", status="failed")
    known |= {"po_a": Known(failed=one, failed_known=known), "po_b": Known(failed=two, failed_known=known)}
    assert book(payout([("payout_failure", 10, 0, "po_a")], "po_c"), known) == {BANK: 10, CLEARING: -10}


# --- disputes


def disputed(record, clearing=CLEARING):
    legs = settlement.dispute_legs(record, clearing, POLICY)
    sums = defaultdict(int)
    for leg in balanced(legs):
        sums[leg.account] += leg.amount
    return dict(sums)


@pytest.mark.parametrize("state", ["needs_response", "under_review", "unknown"])
def test_a_chargeback_takes_the_money_until_it_is_decided(state):
    expected = {DISPUTED: 1960, DISPUTE_FEES: 1500, CLEARING: -3460}
    assert disputed(dispute(1960, state=state, fee=1500)) == expected
    assert disputed(dispute(1960, state=state, fee=1500), None) == expected  # the channel's own


@pytest.mark.parametrize("state", ["won", "closed"])
def test_what_ends_without_a_loss_costs_the_fee(state):
    assert disputed(dispute(1960, state=state, fee=1500)) == {DISPUTE_FEES: 1500, CLEARING: -1500}
    assert disputed(dispute(1960, state=state)) == {}


def test_a_lost_one_is_a_loss():
    assert disputed(dispute(1960, state="lost", fee=1500)) == {LOSS: 1960, DISPUTE_FEES: 1500, CLEARING: -3460}


def test_an_inquiry_moves_nothing_unless_it_is_accepted():
    for state in ("needs_response", "under_review", "won", "closed", "unknown"):
        inquiry = dispute(1960, kind="inquiry", state=state, fee=10)
        assert (disputed(inquiry), settlement.booked_fee(inquiry)) == ({}, 0)
    accepted = dispute(1960, kind="inquiry", state="lost", fee=10)
    assert disputed(accepted) == {LOSS: 1960, DISPUTE_FEES: 10, CLEARING: -1970}
    assert settlement.booked_fee(accepted) == 10


@pytest.mark.parametrize("state", ["needs_response", "won", "lost"])
@pytest.mark.parametrize("told", ["record", "line", "both", "own line", "neither"])
def test_a_disputes_fee_is_booked_once_whoever_tells_it(told, state):
    record = dispute(1960, state=state, fee=1500 if told in ("record", "both", "own line") else 0)
    lines = [("dispute", -1960, 1500 if told in ("line", "both") else 0, "dp_1")]
    if told == "own line":
        lines.append(("fee", -1500, 0, "dp_1"))
    if state == "won":
        lines.append(("dispute_reversal", 1960, 0, "dp_1"))
    sums = defaultdict(int, disputed(record))
    known = {"dp_1": Known(dispute_fee=settlement.booked_fee(record))}
    for account, amount in book(payout(lines), known).items():
        sums[account] += amount
    assert sums[DISPUTE_FEES] == (0 if told == "neither" else 1500)
    assert FEES not in sums
    if told != "record":  # a fee that no line has taken is still to come
        assert sums[CLEARING] == 0
    assert sums[DISPUTED] + sums[LOSS] == (0 if state == "won" else 1960)


def test_a_fee_that_is_given_back_is_booked_back():
    """Stripe sums what was taken and given back: the record's fee is 0 in the end."""
    record = dispute(1960, state="won", fee=0)
    known = {"dp_1": Known(dispute_fee=settlement.booked_fee(record))}
    lines = [("dispute", -1960, 1500, "dp_1"), ("dispute_reversal", 1960, -1500, "dp_1")]
    assert book(payout(lines), known) == {}
    stale = {"dp_1": Known(dispute_fee=1500)}
    assert book(payout(lines), stale) == {CLEARING: 1500, DISPUTE_FEES: -1500}  # beside the record's own fee


def test_a_fee_that_two_lines_tell_is_taken_once():
    known = {"dp_1": Known(dispute_fee=1500)}
    lines = [("dispute", -1960, 1500, "dp_1"), ("fee", -1500, 0, "dp_1")]
    assert book(payout(lines), known) == {BANK: -4960, CLEARING: 3460, DISPUTE_FEES: 1500}


# --- another currency

EUR = Booked(CLEARING, "EUR", 10000, 11000)  # 100.00 EUR at 1.10


def test_settled_in_the_base_currency():
    known = {"ch_1": Known(booked=EUR)}
    legs = balanced(settlement.payout_legs(payout([("charge", 11100, 300, "ch_1")]), known, POLICY, "USD", None))
    assert {leg.account: (leg.currency or "USD", leg.amount, leg.base) for leg in legs} == {
        BANK: ("USD", 10800, 10800),
        FEES: ("USD", 300, 300),
        CLEARING: ("EUR", -10000, -11000),
        FX: ("USD", -100, -100),
    }


def test_paid_in_the_currency_of_the_sale_at_another_days_rate():
    known = {"ch_1": Known(booked=EUR)}
    record = payout([("charge", 10000, 300, "ch_1")], currency="EUR")
    legs = balanced(settlement.payout_legs(record, known, POLICY, "USD", Decimal("1.08")), "EUR")
    assert {leg.account: (leg.currency or "EUR", leg.amount, leg.base) for leg in legs} == {
        BANK: ("EUR", 9700, 10476),
        FEES: ("EUR", 300, 324),
        CLEARING: ("EUR", -10000, -11000),
        FX: ("USD", 200, 200),
    }


def test_three_currencies():
    known = {"ch_1": Known(booked=Booked(CLEARING, "GBP", 8000, 10400))}
    record = payout([("charge", 9500, 500, "ch_1")], currency="EUR")
    legs = balanced(settlement.payout_legs(record, known, POLICY, "USD", Decimal("1.1")), "EUR")
    found = {leg.account: (leg.currency or "EUR", leg.amount, leg.base) for leg in legs}
    assert found[CLEARING] == ("GBP", -8000, -10400)
    assert found[FX] == ("USD", -50, -50)


def test_what_is_not_known_clears_at_the_payouts_rate():
    record = payout([("charge", 10000, 300, "ch_1"), ("fee", -33, 0, None)], currency="EUR")
    assert book(record, rate=Decimal("1.08"), worth=True) == {BANK: 10440, FEES: 360, CLEARING: -10800}
    assert FX not in book(record, rate=Decimal("1.08"))


def test_a_missing_rate_is_never_one():
    with pytest.raises(LookupError, match="EUR to USD"):
        book(payout([("charge", 1, 0, "c")], currency="EUR"))
    assert book(payout([("charge", 1, 0, "c")], currency="EUR", status="failed")) == {}


def test_a_dispute_in_another_currency_clears_what_it_took_and_back_whatever_it_came_to():
    booked = Booked(CLEARING, "EUR", -5000, -5500)
    won = {"dp_1": Known(booked, dispute_fee=0, undone=True)}
    taken = book(payout([("dispute", -5600, 1500, "dp_1")]), {"dp_1": Known(booked, dispute_fee=0)}, worth=True)
    assert taken == {BANK: -7100, CLEARING: 5500, DISPUTE_FEES: 1500, FX: 100}
    back = payout([("dispute_reversal", 5400, 0, "dp_1")])
    assert book(back, won, worth=True) == {BANK: 5400, CLEARING: -5500, FX: 100}
    both = payout([("dispute", -5600, 0, "dp_1"), ("dispute_reversal", 5400, 0, "dp_1")])
    assert book(both, won, worth=True) == {BANK: -200, FX: 200}


def test_a_part_of_it_that_comes_back_is_a_part():
    booked = Booked(CLEARING, "EUR", -5000, -5500)
    half = payout([("dispute", -5600, 0, "dp_1"), ("dispute_reversal", 2800, 0, "dp_1")])
    assert book(half, {"dp_1": Known(booked, dispute_fee=0)}, worth=True) == {BANK: -2800, CLEARING: 2750, FX: 50}


def test_a_disputes_fee_in_another_currency_is_the_same_fee():
    known = {"dp_1": Known(Booked(CLEARING, "EUR", -5000, -5500), dispute_fee=2000)}
    legs = balanced(settlement.payout_legs(payout([("dispute", -5600, 2300, "dp_1")]), known, POLICY, "USD", None))
    assert {leg.account: (leg.amount, leg.base) for leg in legs} == {
        BANK: (-7900, -7900), CLEARING: (7000, 7700), FX: (200, 200),
    }  # fmt: skip


def test_a_refund_that_failed_clears_both_ways_at_its_rate():
    known = {"re_1": Known(booked=Booked(CLEARING, "EUR", -1000, -1100), undone=True)}
    both = payout([("refund", -1120, 0, "re_1"), ("refund_failure", 1090, 0, "re_1")])
    assert book(both, known, worth=True) == {BANK: -30, FX: 30}


def test_a_charge_in_parts_clears_in_proportion_and_the_last_takes_the_rest():
    booked = Booked(CLEARING, "EUR", 10000, 11001)
    parts = [3333, 3334, 4333]
    cleared = [0, 0]
    for number, gross in enumerate(parts):
        known = {"ch_1": Known(booked, gross=sum(parts), before=sum(parts[:number]))}
        for leg in settlement.payout_legs(payout([("charge", gross, 0, "ch_1")]), known, POLICY, "USD", None):
            if leg.account == CLEARING:
                cleared = [cleared[0] + leg.amount, cleared[1] + leg.base]
    assert cleared == [-10000, -11001]
    together = payout([payout_line("charge", gross, 0, "ch_1", f"l{gross}") for gross in parts])
    legs = settlement.payout_legs(together, {"ch_1": Known(booked)}, POLICY, "USD", None)
    assert sum(leg.amount for leg in legs if leg.account == CLEARING) == -10000
    assert sum(leg.base for leg in legs if leg.account == CLEARING) == -11001


# --- the laws

RATES = st.decimals("0.01", "150", places=4)
CATEGORIES = [
    "charge",
    "refund",
    "refund_failure",
    "dispute",
    "dispute_reversal",
    "fee",
    "reserve_hold",
    "adjustment",
    "fx",
    "other",
]


@st.composite
def payouts(draw):
    """Lines of all kinds, with what is known of some, in one to three currencies."""
    own, base = draw(st.sampled_from([("USD", "USD"), ("EUR", "USD"), ("JPY", "USD"), ("KWD", "EUR")]))
    lines, known = [], {}
    for number in range(draw(st.integers(0, 6))):
        reference = draw(st.sampled_from([None, "a", "b", "c"]))
        gross, fee = draw(st.integers(-5000, 5000)), draw(st.integers(-100, 400))
        lines.append(payout_line(draw(st.sampled_from(CATEGORIES)), gross, fee, reference, f"l{number}"))
    for reference in draw(st.sets(st.sampled_from(["a", "b", "c"]))):
        currency, amount = draw(st.sampled_from([own, base, "GBP"])), draw(st.integers(-5000, 5000))
        worth = amount if currency == base else amount * draw(st.integers(1, 300)) // 100
        known[reference] = Known(
            draw(st.sampled_from([None, Booked(CLEARING, currency, amount, worth)])),
            (
                Fee(type="processing", amount=draw(st.integers(-50, 50))),
                Fee(type="tax", amount=draw(st.integers(0, 20))),
            ),
            draw(st.sampled_from([None, 0, 150])),
        )
    record = payout(lines, currency=own, residual=draw(st.sampled_from([0, 0, 7, -13])))
    return record, known, base, None if own == base else draw(RATES)


@settings(max_examples=200, deadline=None)
@given(payouts())
def test_whatever_the_lines_the_entry_balances_and_the_bank_gets_the_amount(case):
    record, known, base, rate = case
    legs = balanced(settlement.payout_legs(record, known, POLICY, base, rate), record.currency)
    assert sum(leg.amount for leg in legs if leg.account == BANK) == record.amount
    assert all(leg.amount * leg.base >= 0 for leg in legs), "a debit is worth a debit"
    assert settlement.payout_legs(record, known, POLICY, base, rate) == legs


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_clearing_comes_back_to_zero_in_every_currency(data):
    """Charges, refunds and disputes, paid in any number of lines over any payouts, at any rates, some of which fail and come back."""
    own, other = data.draw(st.sampled_from([("USD", "USD"), ("EUR", "EUR"), ("USD", "EUR"), ("EUR", "JPY")]))
    rate = None if own == "USD" else data.draw(RATES)
    totals, rows = defaultdict(lambda: [0, 0]), []
    for number in range(data.draw(st.integers(1, 4))):
        sign = data.draw(st.sampled_from([1, 1, -1]))
        amount = sign * data.draw(st.integers(1, 9999))
        base = amount if other == "USD" else sign * data.draw(st.integers(0, 99999))
        booked = Booked(CLEARING, other, amount, base)
        totals[other] = [totals[other][0] + amount, totals[other][1] + base]
        gross = amount if own == other else sign * data.draw(st.integers(1, 9999))
        cuts = sorted(data.draw(st.lists(st.integers(0, abs(gross)), max_size=2)))
        parts = [sign * (b - a) for a, b in zip([0, *cuts], [*cuts, abs(gross)], strict=True) if b - a]
        rows += [("charge" if sign > 0 else "refund", part, f"x{number}", booked, gross) for part in parts]
    before = defaultdict(int)
    held = None
    for number, (category, part, reference, booked, gross) in enumerate(rows):
        known = {reference: Known(booked, gross=gross, before=before[reference])}
        before[reference] += part
        lines = [payout_line(category, part, data.draw(st.integers(0, 50)), reference)]
        if held is not None:
            lines.append(payout_line("payout_failure", held.failed.amount, 0, held.failed.source.id))
            known[held.failed.source.id] = held
            held = None
        record = payout(lines, f"po_{number}", currency=own)
        if number < len(rows) - 1 and data.draw(st.booleans()):
            record = replace(record, status="failed")
            held = Known(failed=record, failed_known=known)
        for leg in balanced(settlement.payout_legs(record, known, POLICY, "USD", rate), own):
            if leg.account == CLEARING:
                sums = totals[leg.currency or own]
                sums[0], sums[1] = sums[0] + leg.amount, sums[1] + leg.base
    assert all(sums == [0, 0] for sums in totals.values())


# --- entries by hand


def test_an_entry_by_hand_is_what_it_says_and_no_rule_leads_it_elsewhere():
    memo = ManualPosting(
        account="Equity:Opening-balances", amount=-500, location="L1", tax_code="X 1%", category="mugs"
    )
    legs = settlement.manual_legs(manual([("Assets:Bank:Main", 500), memo], kind="opening"))
    assert [(leg.account, leg.amount, leg.path, leg.currency, leg.base) for leg in legs] == [
        ("Assets:Bank:Main", 500, "postings/0", None, None),
        ("Equity:Opening-balances", -500, "postings/1", None, None),
    ]
    assert (legs[1].location, legs[1].tax_code, legs[1].category, legs[1].kind) == ("L1", "X 1%", "mugs", "opening")
    assert all(leg.fixed for leg in legs)


def test_a_void_one_stands_for_nothing():
    assert settlement.manual_legs(manual([("Assets:A", 5), ("Equity:B", -5)], void=True)) == []


def test_several_currencies_bring_their_worth():
    legs = settlement.manual_legs(manual([("Assets:A", 100, "EUR", 110), ("Equity:B", -110, None, -110)]))
    assert [(leg.currency, leg.amount, leg.base) for leg in legs] == [("EUR", 100, 110), (None, -110, -110)]
