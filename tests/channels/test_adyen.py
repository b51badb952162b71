"""Adyen: signatures inside the body, and what golden cases cannot show."""

import base64
import copy
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from channels import adapter, canonical, checks, payload
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.client import Account
from salessync.core.problems import Refused
from tests.calls import converse, reply

ADYEN = adapter.get("adyen")
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
KEY = "0123456789ABCDEF" * 4
OTHER = "FEDCBA9876543210" * 4
CONTEXT = Context(channel="adyen-shop", timezone="Europe/Amsterdam")


def item(code="AUTHORISATION", psp="PAY0000000000001", **changes):
    return {
        "additionalData": {"cardSummary": "4242"},
        "amount": {"currency": "EUR", "value": 12980},
        "eventCode": code,
        "eventDate": "2026-09-01T10:00:00+02:00",
        "merchantAccountCode": "LampShopECOM",
        "merchantReference": "order:1001/a\\b",
        "paymentMethod": "visa",
        "pspReference": psp,
        "success": "true",
    } | changes


def signature(of, key=KEY):
    """The eight fields as Adyen's documentation lists them, worked out here once more."""
    text = (
        f"{of.get('pspReference', '')}:{of.get('originalReference', '')}:{of.get('merchantAccountCode', '')}:"
        f"{of.get('merchantReference', '')}:{of['amount']['value']}:{of['amount']['currency']}:{of['eventCode']}:{of['success']}"
    )
    return base64.b64encode(hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).digest()).decode()


def signed(of, key=KEY):
    of = copy.deepcopy(of)
    of.setdefault("additionalData", {})["hmacSignature"] = signature(of, key)
    return of


def message(*items, live="true"):
    return {"live": live, "notificationItems": [{"NotificationRequestItem": i} for i in items]}


def verify(message, secrets=(KEY,), headers=None):
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    ADYEN.verify(headers or {}, body, Trust(secrets=tuple(secrets)), NOW)


def refused(message, secrets=(KEY,), headers=None):
    with pytest.raises(SignatureRefused):
        verify(message, secrets, headers)


def normalize(*items, live="true"):
    return ADYEN.normalize(message(*items, live=live), None, CONTEXT)


# --- signatures of items


def test_a_signed_item_passes_with_the_key_in_either_case():
    verify(message(signed(item())))
    verify(message(signed(item())), secrets=[KEY.lower()])


def test_a_modification_is_signed_with_the_payment_it_names():
    verify(message(signed(item("CAPTURE", "CAP1", originalReference="PAY1"))))
    refused(message(signed(item("CAPTURE", "CAP1", originalReference="PAY1")) | {"originalReference": "PAY2"}))


def test_missing_fields_are_signed_as_empty():
    bare = item("REPORT_AVAILABLE", "batch_4.csv")
    del bare["merchantReference"]
    verify(message(signed(bare)))
    assert signature(bare) == signature(bare | {"merchantReference": ""})


def test_any_live_key_passes_during_a_rotation():
    verify(message(signed(item())), secrets=[OTHER, KEY])
    verify(message(signed(item()), signed(item(psp="PAY2"), OTHER)), secrets=[OTHER, KEY])


def test_another_key_is_refused():
    refused(message(signed(item(), OTHER)))


@pytest.mark.parametrize("secrets", [(), ("",), ("not hexadecimal",), ("01 23",), ("é" * 64,), ("abc",)])
def test_without_a_usable_key_everything_is_refused(secrets):
    refused(message(signed(item())), secrets)
    empty = item()
    empty["additionalData"]["hmacSignature"] = signature(empty, "")
    refused(message(empty), secrets)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": {"currency": "EUR", "value": 1}},
        {"amount": {"currency": "USD", "value": 12980}},
        {"amount": None},
        {"eventCode": "REFUND"},
        {"pspReference": "PAY0000000000002"},
        {"merchantReference": "order-1002"},
        {"merchantAccountCode": "OtherECOM"},
        {"success": "false"},
        {"success": False},
        {"success": ["true"]},
    ],
)
def test_every_signed_field_is_proven(changes):
    refused(message(signed(item()) | changes))


@pytest.mark.parametrize("value", [None, "", "x", "é", 5, [], "=" * 10_000])
def test_a_malformed_signature_is_refused(value):
    bad = signed(item())
    bad["additionalData"]["hmacSignature"] = value
    refused(message(bad))
    del bad["additionalData"]["hmacSignature"]
    refused(message(bad))
    refused(message(item(additionalData="x")))


def test_every_item_must_be_signed():
    verify(message(signed(item()), signed(item(psp="PAY2"))))
    refused(message(signed(item()), item(psp="PAY2")))
    refused(message(signed(item()), signed(item(psp="PAY2"), OTHER)))


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"{}", b'{"notificationItems": []}', b'{"notificationItems": [5]}', b'{"notificationItems": {}}',
     b'{"notificationItems": [{"NotificationRequestItem": 5}]}', b"\xff"],
)  # fmt: skip
def test_a_body_without_items_proves_nothing(body):
    refused(body)


def test_a_key_that_appears_twice_is_refused():
    """Two readers could take two different amounts out of it."""
    body = json.dumps(message(signed(item()))).replace('"success": "true"', '"success": "false", "success": "true"')
    refused(body.encode())


# --- signatures in a header (balance platform)


def header(body, key=KEY):
    return {"hmacsignature": base64.b64encode(hmac.new(bytes.fromhex(key), body, hashlib.sha256).digest()).decode()}


def test_a_platform_message_is_signed_as_a_whole():
    body = b'{"type": "balancePlatform.transfer.updated",  "data": {}}'
    verify(body, headers=header(body))
    verify(body, [OTHER, KEY], headers=header(body))
    refused(body, headers=header(body, OTHER))
    refused(body + b" ", headers=header(body))
    refused(body)


@pytest.mark.parametrize("value", ["", "é", "x", " "])
def test_a_header_that_is_there_must_be_right(value):
    """Items that are signed by themselves do not make up for it."""
    refused(message(signed(item())), headers={"hmacsignature": value})


# --- the delivery


def test_the_same_item_has_the_same_delivery_id():
    first = ADYEN.envelope({}, message(item()))
    assert first == ADYEN.envelope({}, message(item(eventDate="2026-09-02T00:00:00Z")))
    assert (first.delivery_id, first.topic) == ("AUTHORISATION:PAY0000000000001:true", "AUTHORISATION")
    assert first != ADYEN.envelope({}, message(item(success="false")))


def test_many_items_have_a_short_delivery_id():
    envelope = ADYEN.envelope({}, message(*(item(psp=f"PAY{n}") for n in range(50)), item("CAPTURE")))
    assert envelope.delivery_id.startswith("sha256:")
    assert envelope.topic == "several"


# --- records


def test_a_capture_later_than_its_failure_is_told_by_the_versions():
    captured = normalize(item("CAPTURE", "CAP1", originalReference="PAY1"))[0]
    failed = normalize(item("CAPTURE_FAILED", "CAP1", originalReference="PAY1", eventDate="2026-09-03T10:00:00Z"))[0]
    assert (captured.source.id, captured.captured) == (failed.source.id, 12980)
    assert failed.captured == 0
    assert captured.source.version < failed.source.version


def test_two_captures_of_one_payment_are_two_charges():
    parts = normalize(
        item("CAPTURE", "CAP1", originalReference="PAY1", amount={"currency": "EUR", "value": 600}),
        item("CAPTURE", "CAP2", originalReference="PAY1", amount={"currency": "EUR", "value": 400}),
    )
    assert sum(p.captured for p in parts) == 1000
    assert {p.reference for p in parts} == {"PAY1"}
    assert len({p.source.id for p in parts}) == 2


@pytest.mark.parametrize("code", ["CAPTURE", "CANCELLATION", "CANCEL_OR_REFUND", "AUTHORISATION_ADJUSTMENT"])
def test_a_request_that_was_refused_changes_nothing(code):
    with pytest.raises(Ignored):
        normalize(item(code, "X1", originalReference="PAY1", success="false"))


def test_an_adjusted_authorisation_is_the_payment_with_its_new_amount():
    adjusted = normalize(item("AUTHORISATION_ADJUSTMENT", "ADJ1", originalReference="PAY1"))[0]
    assert (adjusted.source.id, adjusted.status, adjusted.amount) == ("PAY1", "authorized", 12980)


@pytest.mark.parametrize("code", ["CAPTURE", "CANCELLATION", "TECHNICAL_CANCEL", "CAPTURE_FAILED"])
def test_a_change_without_its_payment_is_refused(code):
    with pytest.raises(Refused) as caught:
        normalize(item(code, "X1"))
    assert [p.code for p in caught.value.problems] == ["MISSING_ID"]


def test_cancel_or_refund_must_say_which():
    with pytest.raises(Refused) as caught:
        normalize(item("CANCEL_OR_REFUND", "X1", originalReference="PAY1"))
    assert [p.code for p in caught.value.problems] == ["UNKNOWN_ACTION"]
    cancelled = item(
        "CANCEL_OR_REFUND", "X1", originalReference="PAY1", additionalData={"modification.action": "cancel"}
    )
    assert normalize(cancelled)[0].status == "voided"


def test_a_release_that_names_no_method_took_nothing():
    with pytest.raises(Ignored):
        normalize(item("EXPIRE", "PAY1", paymentMethod=None))


@pytest.mark.parametrize(
    ("code", "more", "state"),
    [
        ("NOTIFICATION_OF_CHARGEBACK", {}, "needs_response"),
        ("CHARGEBACK", {"defendable": "false"}, "lost"),
        ("CHARGEBACK", {"disputeStatus": "Pending", "defendable": "false"}, "under_review"),
        ("CHARGEBACK", {"disputeStatus": "Accepted"}, "lost"),
        ("INFORMATION_SUPPLIED", {"disputeStatus": "Pending"}, "under_review"),
        ("SECOND_CHARGEBACK", {"disputeStatus": "Pending"}, "lost"),
        ("PREARBITRATION_WON", {}, "won"),
        ("PREARBITRATION_LOST", {}, "lost"),
        ("DISPUTE_DEFENSE_PERIOD_ENDED", {"disputeStatus": "Expired"}, "lost"),
        ("ISSUER_RESPONSE_TIMEFRAME_EXPIRED", {}, "won"),
    ],
)
def test_the_stages_of_a_dispute(code, more, state):
    dispute = normalize(item(code, "DIS1", originalReference="PAY1", additionalData=more))[0]
    assert (dispute.source.id, dispute.state, dispute.tender_reference) == ("DIS1", state, "PAY1")


def test_a_fraction_that_the_currency_does_not_have_is_refused():
    """Adyen counts Chilean pesos in hundredths."""
    with pytest.raises(Refused) as caught:
        normalize(item(amount={"currency": "CLP", "value": 150050}))
    assert [p.code for p in caught.value.problems] == ["AMOUNT_TOO_FINE"]
    assert normalize(item(amount={"currency": "CLP", "value": 150000}))[0].amount == 1500
    assert normalize(item(amount={"currency": "CVE", "value": 15}))[0].amount == 1500


@pytest.mark.parametrize(
    ("live", "test"), [("false", True), (False, True), ("true", False), (True, False), (None, False)]
)
def test_the_test_platform_is_told(live, test):
    assert normalize(item(), live=live)[0].source.test is test


def test_a_reason_is_kept_of_refunds_only():
    """Elsewhere it quotes the card."""
    kept = ADYEN.scrub(message(item(reason="012345:4242:03/2030"), item("REFUND", reason="Insufficient balance")))
    reasons = [one["NotificationRequestItem"].get("reason") for one in kept["notificationItems"]]
    assert reasons == [None, "Insufficient balance"]


# --- the settlement report


def row(kind="Settled", **changes):
    return {
        "Merchant Account": "LampShopECOM", "Batch Number": "7", "Psp Reference": "PAY1", "Modification Reference": "CAP1",
        "Merchant Reference": "order-1001", "Payment Method": "visa", "Creation Date": "2026-09-03 11:00:00",
        "TimeZone": "CEST", "Type": kind, "Gross Currency": "EUR", "Gross Credit (GC)": "10.00", "Net Currency": "EUR",
        "Net Credit (NC)": "9.80", "Commission (NC)": "0.20", "Exchange Rate": "1",
    } | changes  # fmt: skip


def paid(amount, **changes):
    empty = {"Psp Reference": "", "Gross Credit (GC)": "", "Net Credit (NC)": "", "Commission (NC)": ""}
    return row("MerchantPayout", **(empty | {"Net Debit (NC)": amount} | changes))


def report(*rows):
    return ADYEN.normalize({"report": list(rows)}, None, CONTEXT)


def test_batches_and_accounts_are_payouts_of_their_own():
    records = report(
        row(), paid("9.80"), row(**{"Batch Number": "8"}), paid("9.80", **{"Batch Number": "8"}),
        row(**{"Merchant Account": "OtherECOM"}), paid("9.80", **{"Merchant Account": "OtherECOM"}),
    )  # fmt: skip
    payouts = [r for r in records if r.record_type == "payout"]
    assert [p.source.id for p in payouts] == ["LampShopECOM-7-EUR", "LampShopECOM-8-EUR", "OtherECOM-7-EUR"]
    assert all(p.amount == 980 and p.residual == 0 for p in payouts)


def test_what_the_rows_do_not_explain_is_a_residual():
    payout = report(row(), paid("9.00"))[0]
    assert (payout.amount, payout.residual) == (900, -80)
    assert checks.check(payout) == []


def test_a_row_whose_own_figures_disagree_does_not_pass_the_proof():
    payout = report(row(**{"Commission (NC)": "0.10"}), paid("9.80"))[0]
    assert [p.code for p in checks.check(payout)] == ["PAYOUT_LINE_MISMATCH"]


def test_a_batch_that_the_bank_is_debited_for_is_negative():
    refund = row("Refunded", **{"Gross Credit (GC)": "", "Net Credit (NC)": "", "Gross Debit (GC)": "10.00",
                                "Net Debit (NC)": "10.20"})  # fmt: skip
    payout = report(refund, paid("", **{"Net Credit (NC)": "10.20"}))[0]
    assert payout.amount == -1020
    assert checks.check(payout) == []


def test_the_settled_capture_and_its_webhook_are_one_charge():
    told = normalize(item("CAPTURE", "CAP1", originalReference="PAY1", amount={"currency": "EUR", "value": 1000}))[0]
    settled = report(row(), paid("9.80"))[1]
    assert (told.source.id, told.reference, told.captured) == (settled.source.id, settled.reference, settled.captured)
    assert settled.source.version > told.source.version


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Net Currency": ""}, "MISSING_CURRENCY"),
        ({"Batch Number": ""}, "MISSING_ID"),
        ({"Net Credit (NC)": "1.2.3"}, "BAD_AMOUNT"),
        ({"Net Credit (NC)": "9.805"}, "AMOUNT_TOO_FINE"),
        ({"Creation Date": "3 Sep"}, "BAD_TIME"),
        ({"TimeZone": "Mars/Olympus"}, "UNKNOWN_TIMEZONE"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused(changes, code):
    with pytest.raises(Refused) as caught:
        report(row(**changes))
    assert code in {p.code for p in caught.value.problems}


def test_an_empty_report_is_refused():
    with pytest.raises(Refused):
        report()


def test_a_report_survives_storage():
    rows = {"report": [row(), paid("9.80")]}
    stored = payload.parse_stored(payload.dump(ADYEN.scrub(rows)))
    assert [canonical.encode(r) for r in ADYEN.normalize(stored, None, CONTEXT)] == [
        canonical.encode(r) for r in report(row(), paid("9.80"))
    ]


# --- transfers


@pytest.mark.parametrize(("changes", "why"), [({"category": "internal"}, "bank"), ({"direction": "incoming"}, "bank")])
def test_only_a_transfer_out_to_a_bank_is_a_payout(changes, why):
    data = {"id": "T1", "category": "bank", "direction": "outgoing", "amount": {"currency": "EUR", "value": 100},
            "creationDate": "2026-09-01T10:00:00Z", "sequenceNumber": 1, "status": "levitating"}  # fmt: skip
    event = {"type": "balancePlatform.transfer.created", "environment": "test", "data": data}
    payout = ADYEN.normalize(event, None, CONTEXT)[0]
    assert (payout.status, payout.source.test, payout.lines) == ("unknown", True, None)
    with pytest.raises(Ignored, match=why):
        ADYEN.normalize(event | {"data": data | changes}, None, CONTEXT)


# --- the webhook that we make


ACCOUNT = Account(channel="c", credentials={"api_key": "k", "merchant_account": "LampShopECOM"}, test=True)
URL = "https://books.example/webhooks/adyen"


def test_where_and_how_adyen_is_asked():
    assert ADYEN.base_url(ACCOUNT) == "https://management-test.adyen.com"
    assert ADYEN.authorization(ACCOUNT) == {"x-api-key": "k"}
    assert ADYEN.refresh(ACCOUNT) is None


def test_a_missing_webhook_is_made_with_a_key():
    pages = [{"data": [{"id": "S1", "url": "https://elsewhere"}], "pagesTotal": 2}, {"data": None, "pagesTotal": 2}]

    def answer(ask):
        if ask.method == "GET":
            return reply(pages[ask.params["pageNumber"] - 1])
        return reply({"hmacKey": KEY} if ask.path.endswith("/S2/generateHmac") else {"id": "S2", "url": URL})

    told = converse(ADYEN.subscribe(ACCOUNT, URL), answer)
    assert told.result == {"made": ["standard"], "secret": KEY}
    assert [(a.method, a.path) for a in told.asks] == [
        ("GET", "/v3/merchants/LampShopECOM/webhooks"),
        ("GET", "/v3/merchants/LampShopECOM/webhooks"),
        ("POST", "/v3/merchants/LampShopECOM/webhooks"),
        ("POST", "/v3/merchants/LampShopECOM/webhooks/S2/generateHmac"),
    ]


def test_a_webhook_that_is_there_is_left_alone():
    told = converse(
        ADYEN.subscribe(ACCOUNT, URL), lambda ask: reply({"data": [{"id": "S1", "url": URL, "active": True}]})
    )
    assert told.result == {"made": [], "secret": None}
    assert len(told.asks) == 1


def test_an_account_that_would_change_the_address_is_refused():
    bad = Account(channel="c", credentials={"api_key": "k", "merchant_account": "a/../b"})
    with pytest.raises(Refused):
        converse(ADYEN.subscribe(bad, URL), lambda ask: reply({}))
