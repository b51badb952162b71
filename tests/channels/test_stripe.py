"""Stripe's oddities, one by one; the whole records are in tests/golden/stripe."""

import copy
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from channels import adapter, canonical, checks, payload
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.adapters.stripe.client import LISTED_TYPES
from channels.adapters.stripe.words import CATEGORY, DIGITS, ORDER_KEYS, TENDER_TYPE, TYPE
from channels.client import Account, CursorExpired, Found, Page, Pointer
from channels.payout import PayoutLine
from channels.record import TenderType
from salessync.core.dates import version_key
from salessync.core.money import MINOR_DIGITS
from salessync.core.problems import Refused
from tests.calls import converse, reply
from tests.golden import FOLDER, cases

STRIPE = adapter.get("stripe")
CONTEXT = Context(channel="main-shop", timezone="America/New_York")
ACCOUNT = Account(channel="main-shop", credentials={"token": "rk_1"})
SINCE, UNTIL = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 2, tzinfo=UTC)
CREATED = 1788231600  # 2026-09-01T03:00:00Z
CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus"
ABSENT = object()


def event(case):
    return payload.parse((FOLDER / "stripe" / case / "event.json").read_bytes())


def change(parsed, **paths):
    """A copy with some places changed: `a__0__b=value`; ABSENT removes."""
    parsed = copy.deepcopy(parsed)
    for path, value in paths.items():
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("__")]
        place = parsed
        for key in parents:
            place = place[key]
        if value is ABSENT:
            del place[last]
        else:
            place[last] = value
    return parsed


def normalize(parsed, topic=None, context=CONTEXT):
    return STRIPE.normalize(parsed, topic, context)


def one(case, topic=None, **paths):
    found = normalize(change(event(case), **paths), topic)
    assert len(found) == 1
    return found[0]


def charge(case="charge", **paths):
    return one(case, **{f"data__object__{k}": v for k, v in paths.items()})


def codes(parsed, topic=None):
    with pytest.raises(Refused) as refused:
        normalize(parsed, topic)
    return [f"{p.code} {p.path}" for p in refused.value.problems]


def wrong(record):
    return [p.code for p in checks.check(record)]


# --- signatures: the digests were computed with `openssl dgst -sha256 -hmac`

BODY = b'{"id":"evt_1","object":"event"}'
SIGNED_AT = datetime.fromtimestamp(1788231602, UTC)
GOOD = "191e9f5458846082972f244e3210a6fbebfaa0011c288408e2982c761f4bf4cb"
OLDER = "a2b315672ced81d599b6e56dd07d3346d48be49a42e1daffbae38a97aa79a8c7"
TRUST = Trust(secrets=("whsec_northwind",))


def verify(header, trust=TRUST, now=SIGNED_AT, body=BODY):
    STRIPE.verify({"stripe-signature": header}, body, trust, now)


@pytest.mark.parametrize(
    "header",
    [
        f"t=1788231602,v1={GOOD}",
        f"v1={GOOD},t=1788231602",
        f"t=1788231602,v1={OLDER},v1={GOOD}",
        f"t=1788231602,v1={GOOD},v0={'0' * 64},v2=new",
    ],
)
def test_any_v1_signature_may_fit(header):
    verify(header)


@pytest.mark.parametrize(
    "header",
    [
        f"t=1788231602,v0={GOOD}",
        f"v1={GOOD}",
        f"t=,v1={GOOD}",
        f"t=soon,v1={GOOD}",
        f"t=-1788231602,v1={GOOD}",
        f"t=1788231603,v1={GOOD}",
        f"t=01788231602,v1={GOOD}",
        f"t=1788231602,t=1788231602,v1={GOOD}",
        f"t=9999999999999,v1={GOOD}",
        f"t=1788231602,v1={GOOD.upper()}",
        f"t=1788231602,v1={GOOD[:-1]}",
        f"t=1788231602 v1={GOOD}",
        f"t=1788231602,v1={OLDER}",
        "t=1788231602,v1=",
        "t=1788231602",
    ],
)
def test_another_header_does_not_prove_anything(header):
    with pytest.raises(SignatureRefused):
        verify(header)


def test_two_secrets_live_while_one_is_rolled():
    both = Trust(secrets=("whsec_northwind", "whsec_older"))
    for signature in (GOOD, OLDER):
        verify(f"t=1788231602,v1={signature}", both)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_replay_and_a_time_to_come_are_refused(seconds):
    verify(f"t=1788231602,v1={GOOD}", now=SIGNED_AT + timedelta(seconds=seconds - seconds // abs(seconds)))
    with pytest.raises(SignatureRefused):
        verify(f"t=1788231602,v1={GOOD}", now=SIGNED_AT + timedelta(seconds=seconds))


def test_the_vendors_own_library_agrees():
    stripe = pytest.importorskip("stripe")
    header = f"t=1788231602,v1={GOOD}"
    assert stripe.WebhookSignature.verify_header(BODY.decode(), header, "whsec_northwind", tolerance=None)
    verify(header)


@pytest.mark.skipif(not (CORPUS / "signatures" / "vectors.json").is_file(), reason="no vectors here")
def test_the_vendors_own_vectors():
    vectors = [v for v in json.loads((CORPUS / "signatures" / "vectors.json").read_text()) if v["vendor"] == "stripe"]
    assert vectors
    for vector in vectors:
        told = (vector["header_value"], Trust(secrets=(vector["secret"],)), datetime.fromtimestamp(vector["now"], UTC))
        if vector["valid"]:
            verify(*told, vector["body"].encode())
        else:
            with pytest.raises(SignatureRefused):
                verify(*told, vector["body"].encode())


def test_the_envelope_is_in_the_body():
    found = STRIPE.envelope({}, event("charge"))
    assert (found.delivery_id, found.topic) == ("evt_0001", "charge.succeeded")
    thin = STRIPE.envelope({}, event("thin_event"))
    assert (thin.delivery_id, thin.topic) == ("evt_thin_1", "v1.charge.succeeded")
    for polled in (event("charge_with_fees"), event("payout"), {"object": "event", "id": 5, "type": []}):
        assert STRIPE.envelope({}, polled) == adapter.Envelope(None, "")


# --- currencies


def test_the_currencies_whose_smallest_unit_is_not_that_of_iso():
    """Stripe's list of zero- and three-decimal currencies, each as Stripe sends one unit of it."""
    zero = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()
    three = "BHD JOD KWD OMR TND".split()
    two = "USD EUR GBP HUF TWD ISK UGX".split()
    for digits, currencies in ((0, zero), (2, two), (3, three)):
        for currency in currencies:
            assert DIGITS.get(currency, MINOR_DIGITS[currency]) == digits, currency
            sent = 10**digits * 7
            found = charge(currency=currency.lower(), amount=sent, amount_captured=sent)
            assert (found.currency, found.amount, found.captured) == (
                currency, 7 * 10 ** MINOR_DIGITS[currency], 7 * 10 ** MINOR_DIGITS[currency],
            )  # fmt: skip


def test_an_amount_between_two_units_does_not_exist():
    assert codes(change(event("isk"), data__object__amount=250001)) == ["AMOUNT_TOO_FINE data.object.amount"]
    assert codes(change(event("isk"), data__object__amount=2**60)) == ["AMOUNT_TOO_LARGE data.object.amount"]


@pytest.mark.parametrize(
    ("value", "code"),
    [("1960", "BAD"), (Decimal("1960"), "BAD"), (19.6, "BAD"), (True, "BAD"), (None, "MISSING"), (-1960, "NEGATIVE")],
)
def test_an_amount_is_a_whole_number(value, code):
    assert codes(change(event("charge"), data__object__amount=value)) == [f"{code}_AMOUNT data.object.amount"]


def test_an_amount_beyond_what_json_carries_is_refused():
    assert codes(change(event("charge"), data__object__amount=2**53)) == ["AMOUNT_TOO_LARGE data.object.amount"]
    assert codes(change(event("charge"), data__object__amount=2**52, data__object__currency="mga")) == [
        "AMOUNT_TOO_LARGE data.object.amount"
    ]


def test_usdc_is_no_currency_of_iso():
    assert codes(change(event("charge"), data__object__currency="usdc")) == ["UNKNOWN_CURRENCY data.object.currency"]


# --- charges


@pytest.mark.parametrize(
    ("changes", "status", "captured"),
    [
        ({}, "captured", 1960),
        ({"amount_captured": 1000}, "captured", 1000),
        ({"amount_captured": ABSENT}, "captured", 1960),  # older API versions
        ({"captured": False, "amount_captured": 1000}, "captured", 1000),  # more captures can follow
        ({"captured": False, "amount_captured": 0}, "authorized", 0),
        ({"captured": False, "amount_captured": ABSENT}, "authorized", 0),
        ({"captured": False, "amount_captured": 0, "refunded": True}, "voided", 0),
        ({"status": "pending"}, "pending", 0),
        ({"status": "failed", "captured": False, "amount_captured": 0}, "failed", 0),
        ({"status": "succeeded", "refunded": True}, "captured", 1960),  # given back later
        ({"status": None}, "unknown", 0),
        ({"status": {}}, "unknown", 0),
    ],
)
def test_status_and_what_was_captured(changes, status, captured):
    found = charge(**changes)
    assert (found.status, found.captured, found.amount) == (status, captured, 1960)


def test_a_charge_must_tell_whether_it_was_captured():
    parsed = change(event("charge"), data__object__captured=ABSENT, data__object__amount_captured=ABSENT)
    assert codes(parsed) == ["MISSING_PAYMENT_STATUS data.object.captured"]


def test_an_authorization_that_expired_is_voided_whatever_its_status_says():
    for status in ("succeeded", "failed"):
        assert charge("authorization_expired", status=status).status == "voided"
    bare = event("authorization_expired")["data"]["object"]
    assert normalize(bare, "charge.expired")[0].status == "voided"
    assert normalize(bare)[0].status == "authorized"


def test_every_payment_method_is_a_tender_type():
    known = set(TenderType.__args__)
    assert set(TENDER_TYPE.values()) <= known - {"unknown"}
    for word, ours in TENDER_TYPE.items():
        found = charge(payment_method_details={"type": word, word: {"brand": "visa", "last4": "4242"}})
        assert found.tender_type == ours
        assert (found.card is not None) == (ours == "card")


def test_the_means_of_older_charges():
    def means(**changes):
        found = charge(payment_method_details=None, **changes)
        return found.tender_type, found.card and str(found.card)

    assert means(source={"object": "card", "brand": "American Express", "last4": "0005"}) == ("card", "amex 0005")
    assert means(source={"object": "source", "type": "ideal", "ideal": {}}) == ("bank", None)
    assert means(payment_method="card_1") == ("card", None)
    assert means(payment_method={"type": "card", "card": {"brand": "visa", "last4": "4242"}}) == ("card", "visa 4242")
    assert means() == ("unknown", None)
    assert wrong(charge(payment_method_details=None)) == ["UNKNOWN_TENDER_TYPE"]


@pytest.mark.parametrize("number", ["5555555555554444", "44", "44é4", 4444, None])
def test_no_more_of_a_card_than_four_digits(number):
    found = charge(payment_method_details={"type": "card", "card": {"brand": None, "last4": number}})
    assert b"5555555555" not in canonical.encode(found)
    assert found.card is None or found.card.last4 == "4444"


@pytest.mark.parametrize("key", ORDER_KEYS)
def test_the_order_stands_in_the_metadata(key):
    assert charge(metadata={key: "A-1", "order_name": "#7"}).order_reference == "A-1"


def test_without_an_order_in_the_metadata_there_is_none():
    for metadata in (
        {},
        None,
        [],
        {"cart": "5"},
        {"order_id": ""},
        {"order_id": "  "},
        {"order_id": "x" * 256},
        {"order_id": {}},
    ):
        assert charge(metadata=metadata).order_reference is None
    assert charge(metadata={"order_number": "#1001", "order_id": "7"}).order_reference == "7"


def test_a_rate_is_of_whole_units():
    assert one("jpy").settlement.rate == "0.0066"
    told_in_units = change(event("jpy"), balance_transaction__exchange_rate=Decimal("0.0066"))
    assert normalize(told_in_units)[0].settlement.rate == "0.0066"
    same = change(event("charge_with_fees"), balance_transaction__exchange_rate=Decimal(1))
    assert normalize(same)[0].settlement.rate is None
    long = change(
        event("charge_in_another_currency"), balance_transaction__exchange_rate=Decimal("1.23412345678901234")
    )
    assert normalize(long)[0].settlement.rate == "1.234123456789"
    for bad in (0, -1, "1.2", Decimal("1E+30"), True):
        parsed = change(event("charge_in_another_currency"), balance_transaction__exchange_rate=bad)
        assert codes(parsed) == ["BAD_RATE balance_transaction.exchange_rate"]


def test_a_balance_transaction_must_add_up():
    assert codes(change(event("charge_with_fees"), balance_transaction__net=1866)) == [
        "SETTLEMENT_MISMATCH balance_transaction.net"
    ]
    assert codes(change(event("charge_with_fees"), balance_transaction__fee_details__0__amount=86)) == [
        "FEE_MISMATCH balance_transaction.fee"
    ]
    undetailed = normalize(change(event("charge_with_fees"), balance_transaction__fee_details=[]))[0]
    assert [(fee.type, fee.amount) for fee in undetailed.fees] == [("processing", 95)]
    new = normalize(change(event("charge_with_fees"), balance_transaction__fee_details__1__type="moon_fee"))[0]
    assert [fee.type for fee in new.fees] == ["processing", "moon_fee"]


def test_what_was_not_captured_has_neither_fees_nor_settlement():
    for status in ("pending", "failed"):
        found = normalize(change(event("charge_with_fees"), status=status))[0]
        assert (found.captured, found.fees, found.settlement) == (0, [], None)


def test_a_partial_capture_whose_balance_transaction_has_the_captured_part_only():
    parts = {"amount": 1500, "fee": 74, "net": 1426, "fee_details": []}
    row = change(event("partial_capture"), **{f"balance_transaction__{k}": v for k, v in parts.items()})
    assert normalize(row)[0].settlement.amount == 1426


def test_the_tip_belongs_to_the_latest_charge():
    assert one("terminal_with_tip").tip == 300
    assert one("terminal_with_tip", payment_intent__latest_charge="ch_other").tip == 0
    assert one("terminal_with_tip", payment_intent__amount_details__tip={}).tip == 0
    assert one("terminal_with_tip", payment_intent="pi_1016").tip == 0


def test_a_charge_that_stands_in_its_intent_twice_is_one():
    parsed = event("payment_intent")
    held = parsed["data"]["object"]
    held["charges"] = {
        "object": "list",
        "data": [held["latest_charge"], {**held["latest_charge"], "id": "ch_0", "status": "failed"}],
    }
    assert [r.source.id for r in normalize(parsed)] == ["ch_1017", "ch_0"]
    held["latest_charge"] = "ch_1017"
    assert [r.source.id for r in normalize(parsed)] == ["ch_1017", "ch_0"]


def test_an_intent_without_a_charge_moves_nothing():
    parsed = change(event("payment_intent_with_ids"), data__object__latest_charge=None)
    with pytest.raises(Ignored, match="nothing has been charged"):
        normalize(parsed)
    assert codes(change(event("payment_intent_with_ids"), data__object__latest_charge=True)) == [
        "BAD_ID data.object.latest_charge"
    ]
    with pytest.raises(Ignored, match="without a payment"):
        normalize(change(event("checkout_session"), payment_intent=None))
    assert normalize(change(event("checkout_session"), payment_intent="pi_1")) == []


# --- which payload is what


def test_every_subscribed_topic_is_read():
    for topic in STRIPE.topics:
        kind = {"charge": "charge", "refund": "refund", "payout": "payout_header"}[topic.split(".")[0]]
        case = "dispute" if topic.startswith("charge.dispute") else kind
        assert len(normalize(change(event(case), type=topic))) == 1
    assert set(LISTED_TYPES) == STRIPE.topics - {"charge.pending"}
    assert len(LISTED_TYPES) <= 20, "as many as /v1/events takes"


def test_lists_are_read_row_by_row():
    rows = [event("charge_with_fees"), event("invoice_event"), event("refund")]
    assert [r.record_type for r in normalize({"object": "list", "data": rows})] == ["charge", "refund"]
    assert normalize({"object": "list", "data": []}) == []
    with pytest.raises(Ignored):
        normalize({"object": "list", "data": [event("invoice_event")]})
    assert codes({"object": "list"}) == ["NOT_A_LIST data"]
    assert codes({"object": "list", "data": [change(rows[0], id=None), 5]}) == ["NOT_AN_OBJECT data[1]"]
    assert codes({"object": "list", "data": [rows[0], change(rows[0], id=None)]}) == ["MISSING_ID data[1].id"]


@pytest.mark.parametrize("kind", ["customer", "balance", "balance_transaction", "topup", "transfer", "application_fee"])
def test_what_moves_no_money_of_a_sale_is_ignored(kind):
    for parsed in (
        {"object": kind, "id": "x_1"},
        change(event("charge"), type=f"{kind}.created", data__object={"object": kind}),
    ):
        with pytest.raises(Ignored, match=r"[a-z]"):
            normalize(parsed)


def test_an_event_of_ours_without_its_object_is_refused_and_another_ignored():
    assert codes(change(event("charge"), data__object={"id": "ch_1"})) == ["UNKNOWN_PAYLOAD data.object"]
    with pytest.raises(Ignored):
        normalize(change(event("charge"), type="balance.available", data__object={"available": []}))
    assert codes(change(event("charge"), created=None)) == ["MISSING_TIME created"]
    assert codes({"payout": 5}) == ["NOT_AN_OBJECT payout"]
    assert codes({"payout": {}}) == ["MISSING_ID payout.id", "MISSING_CURRENCY payout.currency"]


def test_what_a_thin_event_names_is_fetched():
    thin = event("thin_event")
    assert normalize(thin) == []
    assert STRIPE.pointer(thin, "") == Pointer("charge", "ch_1022")
    for about in (None, 5, {"type": "account", "id": "acct_1"}, {"type": "charge", "id": None}):
        other = change(thin, related_object=about)
        assert STRIPE.pointer(other, "") is None
        with pytest.raises(Ignored):
            normalize(other)


def test_only_what_an_event_does_not_hold_is_pointed_at():
    assert STRIPE.pointer(event("payment_intent_with_ids"), "") == Pointer("charge", "ch_1018")
    session = {"object": "event", "data": {"object": {"object": "checkout.session", "payment_intent": "pi_1"}}}
    assert STRIPE.pointer(session, "") == Pointer("payment_intent", "pi_1")
    for case in cases("stripe"):
        if case.expected().get("records.jsonl"):
            assert STRIPE.pointer(payload.parse(case.body), "") is None


# --- test data, versions


def test_livemode_false_is_a_test_wherever_it_is_told():
    assert one("charge_with_fees", livemode=False).source.test
    assert one("charge", livemode=False).source.test
    assert one("refund", livemode=False).source.test  # a refund has no livemode of its own
    assert one("uncaptured_rest", charge__livemode=False).source.test
    assert one("dispute", data__object__livemode=False).source.test
    assert one("payout", payout__livemode=False).source.test
    assert not one("charge", livemode=None).source.test


def newer(later, earlier):
    return version_key(later.source.version) > version_key(earlier.source.version)


def test_what_was_read_because_of_an_event_is_newer_than_it_and_older_than_the_next():
    first, read = one("charge"), one("read_after_event", "charge.succeeded")
    following = one("charge", created=event("charge")["created"] + 1)
    assert first.source.version == "2026-09-01T03:00:02Z"
    assert newer(read, first) and newer(following, read)
    assert (first.fees, first.settlement) == ([], None)
    assert read.settlement.amount == 1873


def test_objects_read_on_their_own_are_ordered_by_how_far_they_have_come():
    def bare(case, **changes):
        return one(case, **changes)

    pending = bare("charge_with_fees", status="pending", balance_transaction=None)
    held = bare("charge_with_fees", captured=False, amount_captured=0, balance_transaction=None)
    taken = bare("charge_with_fees", balance_transaction="txn_1002")
    settled = bare("charge_with_fees", balance_transaction__created=CREATED)
    assert newer(held, pending) and newer(taken, held) and newer(settled, taken)
    rest = event("refund")["data"]["object"]
    refunds = [normalize({**rest, "status": word})[0] for word in ("pending", "succeeded", "failed")]
    assert newer(refunds[1], refunds[0]) and newer(refunds[2], refunds[1])
    payouts = [one("payout", payout__status=word) for word in ("pending", "in_transit", "paid", "failed")]
    assert all(newer(later, earlier) for earlier, later in pairwise(payouts))
    assert newer(payouts[2], normalize(event("payout")["payout"])[0])  # its lines are known


# --- refunds


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("pending", "pending"), ("requires_action", "pending"), ("succeeded", "succeeded"), ("failed", "failed"),
        ("canceled", "cancelled"), ("teleported", "unknown"), (None, "unknown"),
    ],
)  # fmt: skip
def test_refund_status(word, ours):
    found = one("refund", data__object__status=word)
    assert (found.status, found.totals.total, found.sale, found.charge) == (ours, 980, None, "ch_1001")


def test_a_refund_goes_back_to_what_is_told_or_to_what_was_paid_with():
    assert one("refund", data__object__destination_details=None).tenders == []
    held = event("charge_with_fees")
    found = one("refund", data__object__destination_details=None, data__object__charge=held)
    assert [(t.type, t.parent, t.amount) for t in found.tenders] == [("card", "ch_1002", 980)]


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "expired_uncaptured_charge"},
        {"charge": {"id": "ch_1", "captured": False, "amount_captured": 0}},
        {"charge": {"id": "ch_1", "captured": False}},
    ],
)
def test_the_release_of_an_authorization_gives_nothing_back(changes):
    found = one("refund", **{f"data__object__{k}": v for k, v in changes.items()})
    assert (found.status, found.extensions["stripe"]["release"]) == ("cancelled", True)


def test_a_refund_of_a_captured_charge_is_no_release():
    found = one("refund", data__object__charge={"id": "ch_1", "captured": False, "amount_captured": 5})
    assert (found.status, found.charge) == ("succeeded", "ch_1")
    assert STRIPE.parent(found) == Pointer("charge", "ch_1")
    assert STRIPE.parent(one("charge")) is None
    assert STRIPE.parent(one("refund", data__object__charge=None)) is None


def test_a_fee_that_is_given_back():
    balance = {
        "id": "txn_1",
        "object": "balance_transaction",
        "amount": -980,
        "fee": -29,
        "net": -951,
        "currency": "usd",
        "created": CREATED,
    }
    assert one("refund", data__object__balance_transaction=balance).tenders[0].fee_returned == 29
    assert one("refund", data__object__balance_transaction={**balance, "currency": "eur"}).tenders[0].fee_returned == 0


# --- disputes


@pytest.mark.parametrize(
    ("word", "kind", "state"),
    [
        ("warning_needs_response", "inquiry", "needs_response"), ("warning_under_review", "inquiry", "under_review"),
        ("warning_closed", "inquiry", "closed"), ("needs_response", "chargeback", "needs_response"),
        ("under_review", "chargeback", "under_review"), ("won", "chargeback", "won"), ("lost", "chargeback", "lost"),
        ("prevented", "chargeback", "closed"), ("charge_refunded", "chargeback", "lost"),
        ("warning_escalated", "inquiry", "unknown"), ("arbitrated", "chargeback", "unknown"),
    ],
)  # fmt: skip
def test_dispute_status(word, kind, state):
    found = one("dispute", data__object__status=word)
    assert (found.kind, found.state, found.amount, found.fee) == (kind, state, 1960, 1500)


def test_a_fee_in_another_currency_is_no_amount_of_the_dispute():
    found = one("dispute", data__object__balance_transactions__0__currency="eur")
    assert found.fee == 0
    assert found.extensions["stripe"]["balance"] == [{"currency": "EUR", "net": -3460, "fee": 1500}]


# --- payouts


def test_every_line_has_a_category():
    known = set(PayoutLine.__annotations__["category"].__args__)
    for words, key in ((CATEGORY, "reporting_category"), (TYPE, "type")):
        assert set(words.values()) <= known - {"unknown"} | {"reserve"}
        for word, ours in words.items():
            line = {"id": "txn_1", "amount": 5, "fee": 1, "net": 4, "currency": "usd", "source": "x_1", key: word}
            found = one("payout", balance_transactions={"object": "list", "data": [line]})
            assert found.lines[0].category == ("reserve_release" if ours == "reserve" else ours)


def test_only_the_payouts_own_line_is_left_out():
    line = event("payout")["balance_transactions"]["data"][0]
    for source, kept in (("po_6001", 0), (None, 0), ({"object": "payout", "id": "po_6001"}, 0), ("po_5999", 1)):
        found = one("payout", balance_transactions={"object": "list", "data": [{**line, "source": source}]})
        assert len(found.lines) == kept
        assert found.residual == found.amount - sum(one.net for one in found.lines)


def test_lines_that_are_not_known_are_no_discrepancy():
    nothing = {"object": "list", "data": []}
    assert one("payout", balance_transactions=nothing).residual == 9000  # an automatic one that is said to pay nothing
    for changes in ({"payout__automatic": False}, {"payout__reconciliation_status": "in_progress"}):
        found = one("payout", balance_transactions=nothing, **changes)
        assert (found.lines, found.residual) == (None, None)


def test_a_line_that_does_not_add_up_is_found_by_the_proof():
    assert wrong(one("payout", balance_transactions__data__1__net=9681)) == ["PAYOUT_LINE_MISMATCH"]


def test_a_line_names_an_object_that_stands_there_whole():
    found = one("payout", balance_transactions__data__1__source={"object": "charge", "id": "ch_1001", "amount": 1})
    assert found.lines[0].reference == "ch_1001"


# --- conversations: a Stripe of a few lines


class Vendor:
    """Lists that are newest first, objects by their id; what was asked is kept by the conversation."""

    def __init__(self, **lists):
        self.lists = lists  # path → rows, the newest first
        self.objects = {}
        self.most = 2  # rows of a page

    def __call__(self, ask):
        assert ask.method == "GET" and ask.path.startswith("/v1/")
        path = ask.path.removeprefix("/v1/")
        if path in self.lists:
            return self.list(path, ask.params)
        found = self.objects.get(path)
        assert found is not None or 404 in ask.accepts
        return reply({"error": {"code": "resource_missing"}}, 404) if found is None else reply(found)

    def list(self, path, params):
        rows = self.lists[path]
        if "created[gte]" in params:
            rows = [r for r in rows if params["created[gte]"] <= r["created"] <= params["created[lte]"]]
        if "payout" in params:
            rows = [r for r in rows if r["payout"] == params["payout"]]
        after = params.get("starting_after")
        if after:
            ids = [r["id"] for r in rows]
            if after not in ids:
                return reply({"error": {"param": "starting_after", "code": "resource_missing"}}, 400)
            rows = rows[ids.index(after) + 1 :]
        limit = min(params["limit"], self.most)
        return reply({"object": "list", "data": rows[:limit], "has_more": len(rows) > limit})


def rows_of(case, count, prefix):
    """So many objects, the newest first, ten minutes apart."""
    base = event(case)
    held = base["data"]["object"] if base.get("object") == "event" else base.get("payout", base)
    return [{**held, "id": f"{prefix}_{n}", "created": CREATED + 600 * n} for n in reversed(range(count))]


def poll(stream, vendor, cursor=None, since=SINCE, until=UNTIL, **more):
    return converse(STRIPE.poll(stream, ACCOUNT, since=since, until=until, cursor=cursor, **more), vendor)


def ids(pages):
    return [(f.payload.get("read") or f.payload.get("payout") or f.payload)["id"] for page in pages for f in page.found]


OBJECT_STREAMS = [("charges", "charge_with_fees"), ("refunds", "refund"), ("disputes", "dispute")]


@pytest.mark.parametrize(("stream", "case"), OBJECT_STREAMS)
def test_a_list_is_read_page_by_page_and_resumed_from_any_cursor(stream, case):
    vendor = Vendor(**{stream: rows_of(case, 5, "x")})
    whole = poll(stream, vendor)
    assert ids(whole.pages) == ["x_4", "x_3", "x_2", "x_1", "x_0"]
    assert [page.cursor for page in whole.pages] == ["x_3", "x_1", None]
    for number, page in enumerate(whole.pages[:-1]):
        assert poll(stream, vendor, page.cursor).pages == whole.pages[number + 1 :]
    for page in whole.pages:
        for found in page.found:
            assert found.topic == "" and len(normalize(found.payload)) == 1


def test_charges_come_with_what_is_read_beside_them():
    asked = poll("charges", Vendor(charges=rows_of("charge", 1, "ch"))).asks[0]
    assert asked.params == {
        "created[gte]": int(SINCE.timestamp()), "created[lte]": int(UNTIL.timestamp()), "limit": 100,
        "expand[]": ["data.balance_transaction", "data.payment_intent"],
    }  # fmt: skip


@pytest.mark.parametrize("stream", ["events", "charges", "refunds", "disputes", "payouts"])
def test_an_empty_window_is_one_page_without_a_cursor(stream):
    for created in (False, True):
        assert poll(stream, Vendor(**{stream: []}), created=created).pages == [Page()]


def test_the_window_is_kept():
    rows = rows_of("charge", 5, "ch")
    window = (datetime.fromtimestamp(CREATED + 600 * n, UTC) for n in (1, 3))
    found = poll("charges", Vendor(charges=rows), since=next(window), until=next(window))
    assert ids(found.pages) == ["ch_3", "ch_2", "ch_1"]


def test_rows_that_come_in_at_the_top_meanwhile_shift_nothing():
    vendor = Vendor(charges=rows_of("charge", 5, "ch"))
    first = poll("charges", vendor).pages[0]
    vendor.lists["charges"] = [{**vendor.lists["charges"][0], "id": f"new_{n}"} for n in range(3)] + vendor.lists[
        "charges"
    ]
    assert ids([first, *poll("charges", vendor, first.cursor).pages]) == ["ch_4", "ch_3", "ch_2", "ch_1", "ch_0"]


@pytest.mark.parametrize("stream", [s.name for s in STRIPE.streams])
def test_a_cursor_that_is_gone_begins_the_window_anew(stream):
    with pytest.raises(CursorExpired):
        poll(stream, Vendor(**{stream: rows_of("charge", 3, "ch")}), "ch_gone")


def test_another_refusal_is_no_expired_cursor():
    with pytest.raises(Refused):
        converse(
            STRIPE.poll("charges", ACCOUNT, since=SINCE, until=UNTIL, cursor="ch_1"),
            lambda ask: reply({"error": {"param": "expand", "message": "This property cannot be expanded"}}, 400),
        )


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": [5]}, {"data": {}}])
def test_an_answer_without_its_list_is_not_taken_for_an_empty_one(body):
    with pytest.raises(Refused):
        poll("charges", lambda ask: reply(body))


def test_an_unknown_stream_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="orders"):
        poll("orders", Vendor())


def payouts_with_lines():
    rows = rows_of("payout", 3, "po")
    rows[1]["automatic"] = False
    lines = [
        {**line, "id": f"{payout['id']}_{n}", "payout": payout["id"]}
        for payout in rows
        for n, line in enumerate(event("payout")["balance_transactions"]["data"][1:6])
    ]
    return Vendor(payouts=rows, balance_transactions=lines)


def test_payouts_come_with_all_their_lines_one_a_page():
    vendor = payouts_with_lines()
    whole = poll("payouts", vendor)
    assert ids(whole.pages) == ["po_2", "po_1", "po_0"]
    assert [page.cursor for page in whole.pages] == ["po_2", "po_1", None]
    assert [len(normalize(page.found[0].payload)[0].lines or ()) for page in whole.pages] == [5, 0, 5]
    assert whole.pages[1].found[0].payload["object"] == "payout", "what a manual payout pays is never asked"
    for number, page in enumerate(whole.pages[:-1]):
        assert poll("payouts", vendor, page.cursor).pages == whole.pages[number + 1 :]
    assert all("expand[]" not in ask.params for ask in whole.asks)


def test_lines_are_not_asked_for_before_stripe_knows_them():
    vendor = payouts_with_lines()
    vendor.lists["payouts"][0]["reconciliation_status"] = "in_progress"
    vendor.lists["payouts"][2].pop("reconciliation_status")  # API versions before 2023
    asked = [ask.params["payout"] for ask in poll("payouts", vendor).asks if "payout" in ask.params]
    assert set(asked) == {"po_0"}


def stream_of_events():
    """Two events of one charge, one of a payout with lines, one of a charge that is gone, one of an invoice."""
    vendor = payouts_with_lines()
    first, gone = event("charge"), change(event("charge"), data__object__id="ch_gone")
    paid = change(event("payout_header"), data__object__id="po_0", created=first["created"])
    second = change(first, type="charge.updated")
    listed = [
        {**one, "id": f"evt_{n}", "created": CREATED + n}
        for n, one in enumerate([first, gone, event("invoice_event"), paid, second])
    ]
    vendor.lists["events"] = listed[::-1]
    vendor.objects = {"charges/ch_1001": event("read_after_event")["read"], "payouts/po_0": vendor.lists["payouts"][2]}
    vendor.most = 50
    return vendor


def test_an_event_leads_to_the_object_as_it_is_now():
    vendor = stream_of_events()
    whole = poll("events", vendor)
    (page,) = whole.pages
    assert ids([page])[:2] == ["ch_1001", "po_0"]
    read, _, gone = page.found
    assert (read.topic, read.payload["as_of"]) == ("charge.updated", CREATED + 4)
    assert gone == Found(vendor.lists["events"][3]), "of an object that is gone the event is all there is"
    records = [normalize(found.payload, found.topic)[0] for found in page.found]
    assert [r.source.version[:23] for r in records] == [
        "2026-09-01T03:00:04.000",
        "2026-09-01T03:00:03.000",
        "2026-09-01T03:00:01Z",
    ]
    assert (records[0].settlement.amount, len(records[1].lines)) == (1873, 5)
    paths = [ask.path for ask in whole.asks]
    assert paths.count("/v1/charges/ch_1001") == 1, "two events of one object are one reading"
    assert whole.asks[0].params["types[]"] == LISTED_TYPES


def test_events_are_resumed_from_any_cursor():
    vendor = stream_of_events()
    vendor.most = 2
    whole = poll("events", vendor)
    assert [page.cursor for page in whole.pages] == ["evt_3", "evt_1", None]
    for number, page in enumerate(whole.pages[:-1]):
        assert poll("events", vendor, page.cursor).pages == whole.pages[number + 1 :]
    read_again = [r.source.version for page in whole.pages for f in page.found if ids([Page(found=(f,))]) == ["ch_1001"]
                  for r in normalize(f.payload, f.topic)]  # fmt: skip
    assert read_again[0] > read_again[1], "what an older event leads to does not pass for newer"


def test_what_was_read_is_scrubbed_like_an_event():
    for page in poll("events", stream_of_events()).pages:
        for found in page.found:
            kept = STRIPE.scrub(found.payload)
            assert b"canary" not in payload.dump(kept).lower()
            assert normalize(kept, found.topic) == normalize(found.payload, found.topic)


# --- single objects


def fetch(vendor, kind, identifier):
    return converse(STRIPE.fetch(Pointer(kind, identifier), ACCOUNT), vendor)


def test_one_object_comes_as_the_list_brings_it():
    vendor = Vendor()
    vendor.objects["charges/ch_1"] = event("charge_with_fees")
    found = fetch(vendor, "charge", "ch_1")
    assert found.result == Found(event("charge_with_fees"))
    assert found.asks[0].params == {"expand[]": ["balance_transaction", "payment_intent"]}
    vendor.objects["payment_intents/pi_1"] = event("payment_intent")["data"]["object"]
    assert len(normalize(fetch(vendor, "payment_intent", "pi_1").result.payload)) == 1
    vendor.objects["refunds/re_1"] = event("uncaptured_rest")
    assert normalize(fetch(vendor, "refund", "re_1").result.payload)[0].status == "cancelled"
    vendor.objects["disputes/dp_1"] = event("inquiry")
    assert normalize(fetch(vendor, "dispute", "dp_1").result.payload)[0].kind == "inquiry"
    vendor = payouts_with_lines()
    vendor.objects["payouts/po_0"] = vendor.lists["payouts"][2]
    assert len(normalize(fetch(vendor, "payout", "po_0").result.payload)[0].lines) == 5


@pytest.mark.parametrize(("kind", "identifier"), [("charge", "ch_gone"), ("payout", "po_gone"), ("refund", "re_gone")])
def test_what_stripe_does_not_have_is_none(kind, identifier):
    assert fetch(Vendor(), kind, identifier).result is None


@pytest.mark.parametrize(
    ("kind", "identifier"), [("charge", "../account"), ("charge", ""), ("charge", "é"), ("order", "1")]
)
def test_what_is_no_id_of_stripes_is_never_asked(kind, identifier):
    found = fetch(Vendor(), kind, identifier)
    assert (found.result, found.asks) == (None, [])


# --- who asks


def test_the_key_the_version_and_the_connected_account():
    assert STRIPE.base_url(ACCOUNT) == "https://api.stripe.com"
    assert (
        STRIPE.base_url(Account(channel="c", credentials={}, base_url="http://127.0.0.1:8420/"))
        == "http://127.0.0.1:8420"
    )
    assert STRIPE.authorization(ACCOUNT) == {"Authorization": "Bearer rk_1", "Stripe-Version": "2026-10-28.endive"}
    connected = Account(channel="c", credentials={"token": "sk_1", "account": "acct_1"})
    assert STRIPE.authorization(connected)["Stripe-Account"] == "acct_1"
    assert STRIPE.refresh(ACCOUNT) is None


@pytest.mark.parametrize(("told", "seconds"), [("2", 2.0), ("0.5", 0.5), ("soon", 0.0), ("", 0.0), ("-1", 0.0)])
def test_stripes_advice_to_wait(told, seconds):
    assert STRIPE.pause(reply(None, 429, retry_after=told)) == seconds
    assert STRIPE.pause(reply(None, 429)) == 0.0


def test_a_processor_has_no_stock():
    with pytest.raises(NotImplementedError):
        STRIPE.push_stock(ACCOUNT, None)


# --- subscriptions

URL = "https://sync.example/webhooks/main-shop/"


def subscribe(*endpoints):
    """What was posted, and what came of it; the list has one endpoint a page."""

    def answer(ask):
        if ask.method == "POST":
            return reply({"id": "we_new", "secret": "whsec_new"} if ask.path.endswith("endpoints") else {"id": "we_1"})
        after = ask.params.get("starting_after")
        rest = endpoints[[e["id"] for e in endpoints].index(after) + 1 :] if after else endpoints
        return reply({"object": "list", "data": list(rest[:1]), "has_more": len(rest) > 1})

    spoken = converse(STRIPE.subscribe(ACCOUNT, URL), answer)
    return [ask for ask in spoken.asks if ask.method == "POST"], spoken.result


def endpoint(**changes):
    return {"id": "we_1", "url": URL, "status": "enabled", "enabled_events": sorted(STRIPE.topics), **changes}


def test_an_endpoint_is_made_with_every_topic_and_its_secret_is_told():
    posted, result = subscribe(
        endpoint(url="https://elsewhere.example/"), endpoint(id="we_2", url="https://other.example/")
    )
    (ask,) = posted
    assert ask.path == "/v1/webhook_endpoints"
    assert {v for k, v in ask.form.items() if k.startswith("enabled_events[")} == STRIPE.topics
    assert (ask.form["url"], ask.form["api_version"]) == (URL, "2026-10-28.endive")
    assert ask.headers["Idempotency-Key"] == subscribe()[0][0].headers["Idempotency-Key"]
    assert (set(result["made"]), result["secret"]) == (STRIPE.topics, "whsec_new")


def test_an_endpoint_that_has_everything_stays():
    for there in (endpoint(), endpoint(enabled_events=["*"])):
        assert subscribe(endpoint(id="we_0", url="https://elsewhere.example/"), there) == (
            [],
            {"made": [], "secret": None},
        )


def test_what_an_endpoint_lacks_is_added_to_what_it_has():
    (ask,), result = subscribe(endpoint(enabled_events=["customer.created", *sorted(STRIPE.topics)[1:]]))
    assert ask.path == "/v1/webhook_endpoints/we_1"
    assert set(ask.form.values()) == STRIPE.topics | {"customer.created"}
    assert result == {"made": [sorted(STRIPE.topics)[0]], "secret": None}


def test_an_endpoint_that_stripe_switched_off_is_switched_on():
    (ask,), result = subscribe(endpoint(status="disabled"))
    assert (ask.form, result["made"]) == ({"disabled": "false"}, [])


# --- the vendor's own samples


@pytest.mark.skipif(not (CORPUS / "stripe").is_dir(), reason="no samples here")
def test_the_vendors_own_samples():
    read = 0
    for path in sorted((CORPUS / "stripe").rglob("*.json")):
        parsed = payload.parse(path.read_bytes())

        def outcome(of):
            try:
                return normalize(of)
            except Refused as refused:
                return [(p.code, p.path) for p in refused.problems]
            except Ignored as ignored:
                return str(ignored)

        found = outcome(parsed)
        read += type(found) is list and bool(found) and not isinstance(found[0], tuple)
        assert outcome(STRIPE.scrub(parsed)) == found, path.name
    assert read >= 6
