"""PayPal: what golden payloads cannot show. Signatures and certificates, what an object is, versions, and how PayPal is asked."""

import base64
import copy
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from channels import adapter as adapters
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.client import Account, Ask, CursorExpired, Found, Pointer
from salessync.core.dates import parse_instant, version_key
from salessync.core.problems import Refused
from tests.calls import converse, reply
from tests.golden.paypal import sign as signing

PAYPAL = adapters.get("paypal")
CONTEXT = Context(channel="main-shop")
ACCOUNT = Account(channel="main-shop", credentials={"client_id": "id", "client_secret": "hush", "token": "A21"})
BOX = Account(channel="main-shop", credentials={}, test=True)
NOW = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
BODY = b"123456789"  # its CRC-32 is the algorithm's published check value, 3421780262
WEBHOOK = "5GP028458E2496506"

# Made with `openssl req -x509` and `openssl dgst -sha256 -sign` over the text id|time|webhook|3421780262: no code of ours.
CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIIDTzCCAjegAwIBAgIUQU50HC7yOSmmUXiWcs29dHqLJ2YwDQYJKoZIhvcNAQEL
BQAwNjE0MDIGA1UEAwwrbWVzc2FnZXZlcmlmaWNhdGlvbmNlcnRzLnNhbmRib3gu
cGF5cGFsLmNvbTAgFw0yNjExMjQyMDQwNTlaGA8yMTI2MTAzMTIwNDA1OVowNjE0
MDIGA1UEAwwrbWVzc2FnZXZlcmlmaWNhdGlvbmNlcnRzLnNhbmRib3gucGF5cGFs
LmNvbTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAK+I76/P+gsfrSuW
tVbM62ioKz+rhWMxRwMY9STeCK2bCxNtQAjsI3FurXyrQ7sM2bti7KPbznXG57Wg
4WW42OuyT1dsrUSCt5IU9egsm5wfuLlHp1ZdSBWTl7QJwWcemq5dZ9L1UCTw9jTz
Ul11yBci641sOGjpRe51t7cYXO+6m5mfpGqgsXB5cMVXeBU0ovU63/4seelSvnVw
Xjj/Tt1gGbo0M78pcbo4u67WxozGS7vSs9Tu481CCzMFHLow3lTgPq/67itS+X8m
pL8wljsYGc4d2G5Z493hDrC5FEVHYhdafWDv8xPWuz3WcpwUXZxRYHzio5HfxO9K
iC12E4UCAwEAAaNTMFEwHQYDVR0OBBYEFPuc4YCPdDZZ7zZGXIx/0KpTyUfZMB8G
A1UdIwQYMBaAFPuc4YCPdDZZ7zZGXIx/0KpTyUfZMA8GA1UdEwEB/wQFMAMBAf8w
DQYJKoZIhvcNAQELBQADggEBAJibIjCSVe9OKgJkRDWALfrtFUWhCfPXkIfJLN35
+Lu1M9Xeid9N389JF+wE09W0Mpr5gg/5zFdWbVlNBuXyfDsvRnv1OJ9vwf2bazPm
64eAKBMcVRkRzuS8bFijNXTbQX/LOG5rXGja6/Czrml9WgUU+VrBFjBzNsf1xWm4
qAzZlwxPvLj0qIi7tRdT3Qh0Fu6q6sljil5GtaNgqkZx9Vl9zDECFLKdCH5heBLj
QweFtJ/2Zt+ftWQhlxHU8SOiLf0NmSqrB6FbntTHb9PJ8MQ30vnIbRGZcY5RZJnL
6d9KXGM1fzpkYMWL6LB94+3NnRuHOl1547IVVZmnafWqKNI=
-----END CERTIFICATE-----
"""
SIGNATURE = (
    "c5zULIfadANu0gYT5QjCFhHxY30Kw28u/8YZYJdb55ciQuTKUxCYoV7qsZxihig/T20SlhJNV+bwUQx4dTI/7ttONqLJvSHKBG2hZAWZA4tx/U05"
    "xFdEjJ/0fQtoRROHt/eM8PKSAWNvoSHDJaHKHqoWSqCHAz0bn2wzgW8+JAljF9u/TJU8zNxL0fOBy515bkdxtRAwlJ/cI2MTsOHmsvg4elr2Pi6Y"
    "nvN6MuWLH1/uZQYk20FQbJnGtE5gUg5l1T93n/EMa60Qj4UOqQeyJzhSi8TDn0kLYRuX6924qZTQHdZjBc0RUVk3SCaOlX45q6c+/Prs03wfPvjG"
    "Bt9BJQ=="
)
HEADERS = {
    "paypal-transmission-id": "6a5f0e10-91c2-11f0-b0ec-5bc241fbaaf3",
    "paypal-transmission-time": "2026-12-01T10:00:00Z",
    "paypal-transmission-sig": SIGNATURE,
    "paypal-auth-algo": "SHA256withRSA",
    "paypal-cert-url": "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-0a1b2c3d",
}


def verify(headers=None, *, body=BODY, certificate=CERTIFICATE, secrets=(WEBHOOK,), now=NOW):
    PAYPAL.verify(HEADERS | (headers or {}), body, Trust(secrets=secrets, certificate=certificate), now)


def refused(*args, **kwargs):
    with pytest.raises(SignatureRefused):
        verify(*args, **kwargs)


# --- signatures


def test_a_signature_made_by_openssl_passes():
    verify()
    verify(secrets=("another", WEBHOOK))


@pytest.mark.parametrize(
    "headers",
    [
        {"paypal-transmission-id": "6a5f0e10-91c2-11f0-b0ec-5bc241fbaaf4"},
        {"paypal-transmission-time": "2026-12-01T10:00:01Z"},
        {"paypal-auth-algo": "SHA1withRSA"},
        {"paypal-transmission-id": ""},
        {"paypal-transmission-id": "6a5f0e10|2026"},
        {"paypal-transmission-time": "now"},
        {"paypal-transmission-time": "2026-12-01T10:00:00"},
        {"paypal-cert-url": "https://evil.example/v1/notifications/certs/CERT-1"},
        {"paypal-cert-url": ""},
    ],
)
def test_every_header_counts(headers):
    refused(headers)


def test_the_body_and_the_webhook_count():
    refused(body=b"123456788")
    refused(secrets=("5GP028458E2496507",))
    refused(secrets=("",))


def test_a_delivery_is_tried_for_days_but_not_for_ever():
    verify(now=NOW + timedelta(days=30))
    verify(now=NOW - timedelta(minutes=4))
    refused(now=NOW + timedelta(days=32))
    refused(now=NOW - timedelta(minutes=6))


def signed_here(certificate, now=NOW):
    verify(signing.sign(BODY, WEBHOOK, now), certificate=certificate, now=now)


def test_the_certificate_must_be_there_valid_and_paypals():
    signed_here(signing.certificate())
    signed_here(signing.certificate(names=()))  # by its common name
    signed_here(signing.certificate() + CERTIFICATE)  # the leaf comes first, others above it
    old, new = signing.certificate(end=NOW - timedelta(days=1)), signing.certificate(start=NOW + timedelta(days=1))
    for bad in (
        None,
        b"",
        b"no certificate",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        CERTIFICATE,  # another key's
        CERTIFICATE + signing.certificate(),
        old,
        new,
        signing.certificate(host="paypal.com.evil.example", names=()),
        signing.certificate(host="evilpaypal.com", names=()),
        signing.certificate(names=("evil.example",)),  # the common name says PayPal, but the list counts
        signing.certificate(host=None, names=()),
    ):
        with pytest.raises(SignatureRefused):
            signed_here(bad)


def test_a_weak_key_proves_nothing():
    for bits, good in ((1024, False), (2048, True)):
        key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        signed = f"{HEADERS['paypal-transmission-id']}|2026-12-01T10:00:00Z|{WEBHOOK}|3421780262".encode()
        signature = base64.b64encode(key.sign(signed, PKCS1v15(), SHA256())).decode()
        (verify if good else refused)(
            {"paypal-transmission-sig": signature}, certificate=signing.certificate(signer=key)
        )


@pytest.mark.parametrize(
    "url",
    [
        "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-0a1b2c3d",
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42",
    ],
)
def test_certificates_lie_on_paypals_own_hosts(url):
    assert PAYPAL.certificate_url({"paypal-cert-url": url}) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
        "https://evil.example/api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com@evil.example/v1/notifications/certs/CERT-1",
        "https://user@api.paypal.com/v1/notifications/certs/CERT-1",
        "https://api.paypal.com:8443/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/v1/notifications/certs/../../redirect",
        "https://api.paypal.com/v1/notifications/certs/CERT-1?next=https://evil.example",
        "https://api.paypal.com/v1/notifications/certs/CERT-1#x",
        "https://api.paypal.com/v1/notifications/certs/CERT-1\n",
        "https://api.paypal.com\\@evil.example/v1/notifications/certs/CERT-1",
        "https://www.paypal.com/v1/notifications/certs/CERT-1",
        "HTTPS://API.PAYPAL.COM/v1/notifications/certs/CERT-1",
        "https://api.paypal.com/",
        "file:///etc/passwd",
        "",
        "é",
    ],
)
def test_no_other_address_is_ever_asked_for_a_certificate(url):
    assert PAYPAL.certificate_url({"paypal-cert-url": url}) is None
    assert PAYPAL.certificate_url({}) is None


def test_the_events_id_is_the_delivery_and_the_transmissions_is_not():
    envelope = PAYPAL.envelope(HEADERS, {"id": "WH-1", "event_type": "PAYMENT.CAPTURE.COMPLETED"})
    assert (envelope.delivery_id, envelope.topic) == ("WH-1", "PAYMENT.CAPTURE.COMPLETED")
    bare = PAYPAL.envelope(HEADERS, {"id": "3C679366HH908993F", "status": "COMPLETED"})
    assert (bare.delivery_id, bare.topic) == (None, "")


# --- what an object is and when


def money(value, currency="USD"):
    return {"currency_code": currency, "value": value}


def capture(**more):
    return {
        "id": "CAP1",
        "status": "COMPLETED",
        "amount": money("20.00"),
        "final_capture": True,
        "create_time": "2026-09-01T10:00:00Z",
        "update_time": "2026-09-01T10:00:00Z",
        "links": [
            {"rel": "self", "href": "https://api.paypal.com/v2/payments/captures/CAP1"},
            {"rel": "refund", "href": "https://api.paypal.com/v2/payments/captures/CAP1/refund"},
        ],
        **more,
    }


def event(type_, resource, **more):
    return {"id": "WH-1", "event_type": type_, "create_time": "2026-09-01T10:00:05.123Z", "resource": resource, **more}


def records(payload, topic=None, context=CONTEXT):
    return PAYPAL.normalize(payload, topic, context)


def only(payload, topic=None, context=CONTEXT):
    found = records(payload, topic, context)
    assert len(found) == 1
    return found[0]


def test_an_order_whose_capture_was_declined_is_not_paid_whatever_it_says():
    breakdown = {"gross_amount": money("20.00"), "paypal_fee": money("1.07"), "net_amount": money("18.93")}
    declined = capture(status="DECLINED", seller_receivable_breakdown=breakdown)
    order = {"id": "O1", "status": "COMPLETED", "purchase_units": [{"payments": {"captures": [declined]}}]}
    charge = only(order)
    assert (charge.status, charge.captured, charge.fees, charge.settlement) == ("failed", 0, [], None)


def test_a_later_state_has_a_later_version():
    pending = only(capture(status="PENDING"))
    done = only(capture(update_time="2026-09-04T10:00:00Z"))
    assert pending.source.id == done.source.id
    assert version_key(pending.source.version) < version_key(done.source.version)
    assert pending.occurred_at == done.occurred_at


def test_the_events_time_counts_only_where_the_object_has_none():
    bare = {k: v for k, v in capture().items() if not k.endswith("_time")}
    assert only(event("PAYMENT.CAPTURE.COMPLETED", bare)).source.version == "2026-09-01T10:00:05.123000Z"
    assert only(event("PAYMENT.CAPTURE.COMPLETED", capture())).source.version == "2026-09-01T10:00:00Z"
    with pytest.raises(Refused) as caught:
        records(bare)
    assert [p.code for p in caught.value.problems] == ["MISSING_TIME"]


def test_a_refund_is_a_refund_whatever_the_event_calls_it():
    refund = {
        "id": "REF1", "state": "completed", "amount": {"total": "-5.00", "currency": "EUR"}, "sale_id": "SALE1",
        "create_time": "2026-09-05T10:00:00Z",
    }  # fmt: skip
    found = only(event("PAYMENT.SALE.REFUNDED", refund, resource_type="sale"))
    assert (found.record_type, found.charge, found.totals.total) == ("refund", "SALE1", 500)
    still = only(event("PAYMENT.CAPTURE.REFUNDED", capture(status="REFUNDED"), resource_type="capture"))
    assert (still.record_type, still.status, still.captured) == ("charge", "captured", 2000)


def test_an_authorizations_link_to_capture_it_is_no_parent():
    links = [
        {"rel": "self", "href": "https://api.paypal.com/v2/payments/authorizations/AUTH1"},
        {"rel": "capture", "href": "https://api.paypal.com/v2/payments/authorizations/AUTH1/capture"},
    ]
    charge = only(capture(id="AUTH1", status="CREATED", links=links))
    assert (charge.status, charge.extensions) == ("authorized", {})


def test_a_refund_of_an_order_with_one_capture_belongs_to_it():
    refund = {
        "id": "REF1", "status": "COMPLETED", "amount": money("5.00"), "create_time": "2026-09-05T10:00:00Z",
        "note_to_payer": "sorry",
    }  # fmt: skip
    payments = {"captures": [capture()], "refunds": [refund]}
    order = {"id": "O1", "status": "COMPLETED", "purchase_units": [{"payments": payments}]}
    assert [(r.record_type, getattr(r, "charge", None)) for r in records(order)] == [
        ("charge", None),
        ("refund", "CAP1"),
    ]
    payments["captures"] = [capture(), capture(id="CAP2")]
    assert records(order)[2].charge is None


@pytest.mark.parametrize(
    ("custom", "invoice", "expected"),
    [
        ("71234", "INV-1", "71234"),
        ("ada@example.com", "INV-1", "INV-1"),
        ('{"order": 71234}', "INV-1", "INV-1"),
        ("for my friend", None, "O1"),
        (None, None, "O1"),
        ("", "", "O1"),
        (71234, None, "O1"),
    ],
)
def test_the_merchants_id_comes_before_its_number_and_paypals_order(custom, invoice, expected):
    payload = capture(custom_id=custom, invoice_id=invoice, supplementary_data={"related_ids": {"order_id": "O1"}})
    charge = only(payload)
    assert charge.order_reference == expected
    assert "ada@example.com" not in str(PAYPAL.scrub(payload))


def test_only_sandbox_addresses_make_test_data():
    def test_of(host):
        links = [{"rel": "self", "href": f"https://{host}/v2/payments/captures/CAP1"}]
        return only(capture(links=links)).source.test

    assert test_of("api.sandbox.paypal.com")
    assert test_of("api-m.sandbox.paypal.com")
    assert not test_of("api.paypal.com")
    assert not test_of("sandbox.paypal.com.example.org")
    assert only(event("PAYMENT.CAPTURE.COMPLETED", capture(), links=[
        {"rel": "self", "href": "https://api.sandbox.paypal.com/v1/notifications/webhooks-events/WH-1"}
    ])).source.test  # fmt: skip


@pytest.mark.parametrize(
    ("status", "outcome", "expected"),
    [
        ("OPEN", None, "needs_response"),
        ("WAITING_FOR_SELLER_RESPONSE", None, "needs_response"),
        ("WAITING_FOR_BUYER_RESPONSE", None, "under_review"),
        ("UNDER_REVIEW", "NONE", "under_review"),
        ("RESOLVED", "RESOLVED_BUYER_FAVOUR", "lost"),
        ("RESOLVED", "ACCEPTED", "lost"),
        ("RESOLVED", "RESOLVED_SELLER_FAVOUR", "won"),
        ("RESOLVED", "RESOLVED_WITH_PAYOUT", "won"),
        ("RESOLVED", "CANCELED_BY_BUYER", "closed"),
        ("RESOLVED", None, "unknown"),
        ("OTHER", None, "unknown"),
        ("resolved", "ACCEPTED", "unknown"),
    ],
)
def test_a_disputes_state_and_outcome(status, outcome, expected):
    dispute = {
        "dispute_id": "PP-D-1", "create_time": "2026-09-05T10:00:00.000Z", "dispute_amount": money("5.00"),
        "status": status, "dispute_life_cycle_stage": "PRE_ARBITRATION",
        "dispute_outcome": {"outcome_code": outcome} if outcome else None,
    }  # fmt: skip
    found = only(dispute)
    assert (found.state, found.kind, found.tender_reference) == (expected, "chargeback", None)


@pytest.mark.parametrize(
    "topic", ["CHECKOUT.ORDER.APPROVED", "CHECKOUT.PAYMENT-APPROVAL.REVERSED", "BILLING.SUBSCRIPTION.CREATED",
              "PAYMENT.PAYOUTSBATCH.SUCCESS", "INVOICING.INVOICE.PAID"],
)  # fmt: skip
def test_events_that_move_nothing_say_why(topic):
    with pytest.raises(Ignored, match=r"\w+ \w+"):
        records(event(topic, {"id": "O1", "status": "APPROVED", "purchase_units": []}))


def test_the_events_own_name_counts_more_than_the_topic_it_came_under():
    assert only(event("PAYMENT.CAPTURE.COMPLETED", capture()), "CHECKOUT.ORDER.APPROVED").record_type == "charge"


def test_an_order_that_hides_its_payments_is_fetched_and_no_other():
    order = {"id": "O1", "status": "COMPLETED", "purchase_units": [{"reference_id": "default"}]}
    hidden = event("CHECKOUT.ORDER.COMPLETED", order, resource_type="checkout-order")
    assert records(hidden) == []
    assert PAYPAL.pointer(hidden, "CHECKOUT.ORDER.COMPLETED") == Pointer("order", "O1")
    shown = copy.deepcopy(hidden)
    shown["resource"]["purchase_units"][0]["payments"] = {"captures": [capture()]}
    assert PAYPAL.pointer(shown, "CHECKOUT.ORDER.COMPLETED") is None
    assert PAYPAL.pointer(event("PAYMENT.CAPTURE.COMPLETED", capture()), "") is None
    for anything in (None, [], {}, {"resource": None, "event_type": []}, event("X", {"status": "COMPLETED"})):
        assert PAYPAL.pointer(anything, "") is None


def test_a_refund_asks_for_its_charge():
    refund = only({
        "id": "REF1", "status": "COMPLETED", "amount": money("5.00"), "create_time": "2026-09-05T10:00:00Z",
        "links": [{"rel": "self", "href": "https://api.paypal.com/v2/payments/refunds/REF1"},
                  {"rel": "up", "href": "https://api.paypal.com/v2/payments/captures/CAP1"}],
    })  # fmt: skip
    assert PAYPAL.parent(refund) == Pointer("charge", "CAP1")
    assert PAYPAL.parent(only(capture())) is None


# --- how PayPal is asked


def day(number, hour=0):
    return datetime(2026, 9, 1, tzinfo=UTC) + timedelta(days=number - 1, hours=hour)


def row(identifier, at, code="T0006", value="10.00"):
    return {
        "transaction_info": {
            "transaction_id": identifier,
            "transaction_event_code": code,
            "transaction_initiation_date": at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "transaction_amount": money(value),
            "transaction_status": "S",
        }
    }


class Reports:
    """Transaction Search over a list of rows that may grow while it is read; it refuses what PayPal refuses."""

    def __init__(self, rows, most=10_000):
        self.rows, self.most, self.asked = list(rows), most, []

    def __call__(self, ask: Ask):
        assert ask.path == "/v1/reporting/transactions"
        start, end = parse_instant(ask.params["start_date"]), parse_instant(ask.params["end_date"])
        assert timedelta(0) < end - start <= timedelta(days=31)
        page, size = ask.params["page"], ask.params["page_size"]
        assert page >= 1
        assert size <= 500
        self.asked.append((start, end, page))
        key = lambda r: (r["transaction_info"]["transaction_initiation_date"], r["transaction_info"]["transaction_id"])  # noqa: E731
        found = sorted((r for r in self.rows if start <= parse_instant(key(r)[0]) <= end), key=key)
        if len(found) > self.most:
            return reply({"name": "RESULTSET_TOO_LARGE", "message": "Result set size is greater than the maximum"}, 400)
        body = {
            "transaction_details": copy.deepcopy(found[(page - 1) * size : page * size]),
            "page": page,
            "total_items": len(found),
            "total_pages": -(-len(found) // size),
        }
        return reply(body)


FIRST, LAST = day(1), day(40)


def polled(vendor, since=FIRST, until=LAST, cursor=None, account=ACCOUNT):
    return converse(PAYPAL.poll("transactions", account, since=since, until=until, cursor=cursor), vendor)


def ids(pages):
    return [
        one.payload["transaction_details"][0]["transaction_info"]["transaction_id"] for p in pages for one in p.found
    ]


def many(count, over=39):
    return [row(f"T{n:05d}", day(1) + timedelta(seconds=n * over * 86_400 // count)) for n in range(count)]


def test_every_row_comes_in_windows_of_at_most_a_month():
    vendor = Reports(many(1300))
    pages = polled(vendor).pages
    assert sorted(set(ids(pages))) == [f"T{n:05d}" for n in range(1300)]
    assert pages[-1].cursor is None
    assert all(p.cursor for p in pages[:-1])
    windows = sorted({(start, end) for start, end, _ in vendor.asked})
    assert len(windows) == 2
    assert (windows[0][0], windows[-1][1]) == (day(1), day(40))
    assert min(end - start for start, end in windows) > timedelta(days=15)  # no window so short that it has no data yet


def test_reading_goes_on_exactly_after_any_cursor():
    rows = many(1300)
    pages = polled(Reports(rows)).pages
    assert len(pages) > 2
    for index, page in enumerate(pages[:-1]):
        rest = polled(Reports(rows), cursor=page.cursor).pages
        assert [(p.found, p.cursor) for p in rest] == [(p.found, p.cursor) for p in pages[index + 1 :]]


def test_rows_that_turn_up_while_a_window_is_read_move_none_out_of_sight():
    vendor = Reports(many(1200, over=20))
    late = [row(f"L{n}", day(1)) for n in range(3)]  # sorts before everything that was read already

    def answer(ask):
        if len(vendor.asked) == 1:
            vendor.rows += late
        return vendor(ask)

    pages = polled(answer, until=day(30)).pages
    assert set(ids(pages)) == {f"T{n:05d}" for n in range(1200)} | {"L0", "L1", "L2"}
    assert pages[-1].cursor is None


def test_a_window_that_grows_for_ever_still_ends():
    vendor = Reports(many(1200, over=20))

    def answer(ask):
        assert len(vendor.asked) < 20
        vendor.rows.append(row(f"L{len(vendor.asked)}", day(2)))
        return vendor(ask)

    assert polled(answer, until=day(30)).pages[-1].cursor is None


def test_a_window_with_more_rows_than_paypal_serves_is_halved():
    rows = many(900, over=30)
    vendor = Reports(rows, most=200)
    pages = polled(vendor, until=day(31)).pages
    assert set(ids(pages)) == {r["transaction_info"]["transaction_id"] for r in rows}
    assert pages[-1].cursor is None


def test_an_empty_account_and_an_empty_window():
    assert [(p.found, p.cursor) for p in polled(Reports([]), until=day(2)).pages] == [((), None)]
    nothing = polled(Reports([]), since=day(2), until=day(2))
    assert (nothing.asks, [(p.found, p.cursor) for p in nothing.pages]) == ([], [((), None)])


@pytest.mark.parametrize("cursor", ["", "x", "2026-09-01T00:00:00Z", "a b 1 2 3", "2026-09-01T00:00:00Z b 1 2 3"])
def test_a_cursor_of_something_else_begins_anew(cursor):
    with pytest.raises(CursorExpired):
        polled(Reports([]), cursor=cursor)


def test_only_rows_that_matter_are_kept_and_they_look_the_same_each_time():
    rows = [
        row("PAY", day(2)), row("HOLD", day(2), "T1110", "-5.00"), row("FX", day(2), "T0200", "-5.00"),
        row("BANK", day(3), "T0400", "-9.00"), row("BACK", day(3), "T1107", "-3.00"), row("NEW", day(3), "T8800"),
        {"transaction_info": None},
    ]  # fmt: skip

    def answer(ask):
        return reply({"transaction_details": rows, "total_items": 7, "total_pages": 1, "links": [
            {"rel": "self", "href": f"https://api-m.paypal.com/v1/reporting/transactions?{ask.params['start_date']}"}]})  # fmt: skip

    first, second = polled(answer, until=day(9)).pages[0], polled(answer, since=day(2), until=day(8)).pages[0]
    assert first.found == second.found
    kept = [found.payload["transaction_details"][0]["transaction_info"] for found in first.found]
    assert [info and info["transaction_id"] for info in kept] == ["PAY", "BANK", "BACK", "NEW", None]
    assert [only(f.payload, f.topic).record_type for f in first.found[:3]] == ["charge", "payout", "refund"]
    for found in first.found[3:]:
        with pytest.raises(Refused):
            records(found.payload)
    assert not only(first.found[0].payload).source.test
    assert only(polled(answer, until=day(9), account=BOX).pages[0].found[0].payload).source.test


def test_nothing_personal_is_asked_for():
    asks = polled(Reports([]), until=day(2)).asks
    assert asks[0].params["fields"] == "transaction_info,store_info"


def test_the_stream_overlaps_by_days_since_rows_are_found_by_their_beginning():
    overlap = {stream.name: stream.overlap for stream in PAYPAL.streams}
    assert overlap["transactions"] >= 3 * 86_400
    with pytest.raises(ValueError):
        PAYPAL.poll("orders", ACCOUNT, since=day(1), until=day(2), cursor=None)


class Disputes:
    """The list in two pages, and each dispute in full."""

    def __init__(self, *, gone=(), expired=()):
        self.gone, self.expired = gone, expired

    def __call__(self, ask: Ask):
        if ask.path != "/v1/customer/disputes":
            identifier = ask.path.rsplit("/", 1)[1]
            return reply(None, 404) if identifier in self.gone else reply({"dispute_id": identifier, "full": True})
        token = ask.params.get("next_page_token")
        if token in self.expired:
            assert 400 in ask.accepts
            return reply({"name": "INVALID_REQUEST"}, 400)
        if token is None:
            href = "https://api-m.paypal.com/v1/customer/disputes?page_size=50&next_page_token=AbC%2B%2F%3D"
            return reply({"items": [{"dispute_id": "PP-D-1"}, {"dispute_id": "PP-D-2"}, {"dispute_id": "../../x"}],
                          "links": [{"rel": "first", "href": "x"}, {"rel": "next", "href": href}]})  # fmt: skip
        assert token == "AbC+/="
        return reply({"items": [{"dispute_id": "PP-D-3"}], "links": [{"rel": "self", "href": "x"}]})


def disputes(vendor, cursor=None, since=FIRST, created=False):
    calls = PAYPAL.poll("disputes", ACCOUNT, since=since, until=LAST, cursor=cursor, created=created)
    return converse(calls, vendor)


def test_disputes_come_in_full_page_by_page():
    talk = disputes(Disputes())
    assert [(p.found, p.cursor) for p in talk.pages] == [
        ((Found({"dispute_id": "PP-D-1", "full": True}), Found({"dispute_id": "PP-D-2", "full": True})), "AbC+/="),
        ((Found({"dispute_id": "PP-D-3", "full": True}),), None),
    ]
    assert disputes(Disputes(), cursor="AbC+/=").pages == talk.pages[1:]
    lists = [ask.params for ask in talk.asks if ask.path == "/v1/customer/disputes"]
    assert lists[0] == {
        "update_time_after": "2026-09-01T00:00:00Z", "update_time_before": "2026-10-10T00:00:01Z", "page_size": 50,
    }  # fmt: skip
    assert lists[1] == lists[0] | {"next_page_token": "AbC+/="}


def test_a_dispute_that_is_gone_is_left_out_and_an_old_token_begins_anew():
    assert [len(p.found) for p in disputes(Disputes(gone=("PP-D-1",))).pages] == [1, 1]
    with pytest.raises(CursorExpired):
        disputes(Disputes(expired=("old",)), cursor="old")


def test_paypal_knows_disputes_of_half_a_year_only():
    long_ago = day(40) - timedelta(days=400)
    assert disputes(Disputes(), since=long_ago).asks[0].params["update_time_after"] == "2026-04-13T00:00:00Z"
    assert disputes(Disputes(), created=True).asks[0].params["start_time"] == "2026-09-01T00:00:00Z"


def fetched(kind, identifier, known):
    def answer(ask):
        assert 404 in ask.accepts
        return reply({"id": identifier}) if ask.path in known else reply({"name": "RESOURCE_NOT_FOUND"}, 404)

    talk = converse(PAYPAL.fetch(Pointer(kind, identifier), ACCOUNT), answer)
    return talk.result, [ask.path for ask in talk.asks]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("capture", "/v2/payments/captures/X1"),
        ("charge", "/v2/payments/captures/X1"),
        ("refund", "/v2/payments/refunds/X1"),
        ("authorization", "/v2/payments/authorizations/X1"),
        ("order", "/v2/checkout/orders/X1"),
        ("dispute", "/v1/customer/disputes/X1"),
        ("sale", "/v1/payments/sale/X1"),
    ],
)
def test_an_object_is_fetched_by_its_id(kind, path):
    assert fetched(kind, "X1", {path}) == (Found({"id": "X1"}), [path])


def test_a_charge_of_the_old_api_is_found_there_and_what_is_nowhere_is_none():
    found, paths = fetched("charge", "X1", {"/v1/payments/sale/X1"})
    assert (found, paths) == (Found({"id": "X1"}), ["/v2/payments/captures/X1", "/v1/payments/sale/X1"])
    assert fetched("charge", "X1", set())[0] is None
    assert fetched("payout", "X1", set()) == (None, [])
    for bad in ("../x", "a/b", "", "é", "a?b", "x" * 65):
        assert fetched("order", bad, set()) == (None, [])


ADDRESS = "https://sales.example/webhooks/paypal"


class Hooks:
    """The webhooks of an app."""

    def __init__(self, hooks=(), offered=None):
        self.hooks, self.offered, self.changes = list(hooks), offered, []

    def __call__(self, ask: Ask):
        if ask.path == "/v1/notifications/webhooks-event-types":
            return reply({"event_types": [{"name": n} for n in self.offered]}) if self.offered else reply(None, 404)
        if ask.method == "GET":
            assert ask.path == "/v1/notifications/webhooks"
            return reply({"webhooks": self.hooks})
        self.changes.append((ask.method, ask.path, ask.json))
        return reply({"id": "0NEW"}, 201) if ask.method == "POST" else reply({"id": "0OLD"})


def subscribed(vendor):
    return converse(PAYPAL.subscribe(ACCOUNT, ADDRESS), vendor).result


def names(*names):
    return [{"name": name} for name in names]


def test_a_new_webhook_has_every_topic_that_the_account_is_offered():
    vendor = Hooks([{"id": "OTHER", "url": "https://else.example/", "event_types": names("*")}])
    assert subscribed(vendor) == {"made": sorted(PAYPAL.topics), "secret": "0NEW"}
    assert vendor.changes[0][2] == {"url": ADDRESS, "event_types": names(*sorted(PAYPAL.topics))}
    some = Hooks(offered=["PAYMENT.CAPTURE.COMPLETED", "INVOICING.INVOICE.PAID", "CUSTOMER.DISPUTE.CREATED"])
    assert subscribed(some) == {"made": ["CUSTOMER.DISPUTE.CREATED", "PAYMENT.CAPTURE.COMPLETED"], "secret": "0NEW"}


def test_a_webhook_that_is_there_gets_only_what_it_lacks():
    mine = names("CHECKOUT.ORDER.APPROVED", *sorted(PAYPAL.topics)[1:])
    vendor = Hooks([{"id": "0OLD", "url": ADDRESS, "event_types": mine}])
    assert subscribed(vendor) == {"made": sorted(PAYPAL.topics)[:1], "secret": "0OLD"}
    (method, path, change) = vendor.changes[0]
    assert (method, path) == ("PATCH", "/v1/notifications/webhooks/0OLD")
    wanted = names(*sorted(PAYPAL.topics | {"CHECKOUT.ORDER.APPROVED"}))
    assert change == [{"op": "replace", "path": "/event_types", "value": wanted}]


@pytest.mark.parametrize("have", [names("*"), names(*sorted(PAYPAL.topics))])
def test_a_webhook_that_has_all_is_left_alone(have):
    vendor = Hooks([{"id": "0OLD", "url": ADDRESS, "event_types": have}])
    assert subscribed(vendor) == {"made": [], "secret": "0OLD"}
    assert vendor.changes == []


def test_tokens_come_from_the_apps_id_and_secret():
    ask = PAYPAL.refresh(ACCOUNT)
    assert (ask.method, ask.path, ask.form) == ("POST", "/v1/oauth2/token", {"grant_type": "client_credentials"})
    assert base64.b64decode(ask.headers["Authorization"].removeprefix("Basic ")) == b"id:hush"
    new = PAYPAL.renewed(reply({"access_token": "A22", "expires_in": 32400}), ACCOUNT, NOW)
    assert new == {"client_id": "id", "client_secret": "hush", "token": "A22", "expires_at": 1796119200 + 32400}
    assert PAYPAL.refresh(BOX) is None
    with pytest.raises(ValueError):
        PAYPAL.renewed(reply({"error": "invalid_client"}, 401), ACCOUNT, NOW)


def test_who_is_asked_and_how():
    assert PAYPAL.base_url(ACCOUNT) == "https://api-m.paypal.com"
    assert PAYPAL.base_url(BOX) == "https://api-m.sandbox.paypal.com"
    assert PAYPAL.authorization(ACCOUNT) == {"Authorization": "Bearer A21"}
    assert PAYPAL.authorization(BOX) == {}
    assert [PAYPAL.pause(reply(None, 429, retry_after=value)) for value in ("7", "x", "²", "")] == [7.0, 0, 0, 0]
    assert PAYPAL.pause(reply(None, 429)) == 0


def test_there_is_no_stock():
    assert set(PAYPAL.missing) == {"sales", "edits", "stock"}
