"""Our own shape: completed by the channel, refused by name, signed by Standard Webhooks."""

import base64
import copy
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from channels import adapter, canonical
from channels.adapter import Context, SignatureRefused, Trust
from channels.record import Jurisdiction
from salessync.core.problems import Refused
from tests.golden import FOLDER
from tests.golden.standard.sign import sign

STANDARD = adapter.get("standard")
CONTEXT = Context(channel="till", timezone="America/New_York")
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
BODY = b'{"type":"sale"}'
CARD = "4242 4242 4242 4242"


def event(case="split_tender"):
    return json.loads((FOLDER / "standard" / case / "event.json").read_text(encoding="utf-8"))


def normalize(data, context=CONTEXT):
    return STANDARD.normalize(data, None, context)


def codes(data, context=CONTEXT):
    with pytest.raises(Refused) as refused:
        normalize(data, context)
    return [f"{p.code} {p.path}" for p in refused.value.problems]


def refused(headers, body=BODY, secrets=("s",), now=NOW):
    with pytest.raises(SignatureRefused):
        STANDARD.verify(headers, body, Trust(secrets=tuple(secrets)), now)


# --- what the channel completes


def test_the_channel_gives_its_name_zone_day_and_place():
    data = event()
    data["jurisdiction"] = None
    context = Context(channel="till", timezone="Asia/Tokyo", jurisdiction=Jurisdiction(country="JP", region="13"))
    record = normalize(data, context)[0]
    assert (record.source.channel, record.source.adapter) == ("till", "standard")
    assert (record.timezone, str(record.business_date)) == ("Asia/Tokyo", "2026-09-02")
    assert (record.jurisdiction.country, record.jurisdiction.basis) == ("JP", "store")


def test_what_the_record_says_itself_stays():
    data = event() | {"timezone": "Europe/Berlin", "business_date": "2026-08-30"}
    data["source"] |= {"channel": "till", "adapter": "pos-feed"}
    record = normalize(data)[0]
    assert (record.timezone, str(record.business_date), record.source.adapter) == (
        "Europe/Berlin",
        "2026-08-30",
        "pos-feed",
    )
    assert (record.jurisdiction.region, record.jurisdiction.basis) == ("NY", "store")


def test_times_with_an_offset_are_brought_to_utc():
    assert b'"occurred_at":"2026-09-02T03:30:00Z"' in canonical.encode(normalize(event())[0])


def test_a_sale_without_jurisdiction_is_a_record_whose_proof_objects():
    assert normalize(event() | {"jurisdiction": None})[0].jurisdiction is None
    assert codes(event() | {"jurisdiction": {"region": "NY"}}) == ["MISSING_JURISDICTION jurisdiction.country"]


def test_a_record_of_another_channel_is_refused_unless_no_channel_is_given():
    data = event()
    data["source"]["channel"] = "other"
    assert codes(data) == ["WRONG_CHANNEL source.channel"]
    assert normalize(data, Context(channel=""))[0].source.channel == "other"
    assert normalize(event(), Context(channel=""))[0].source.channel == "standard"


def test_every_problem_of_every_record_is_told():
    data = {
        "records": [
            event() | {"currency": None, "payment_status": ""},
            5,
            event() | {"type": "zebra"},
            event() | {"foo": 1},
        ]
    }
    assert codes(data) == [
        "MISSING_CURRENCY records[0].currency", "MISSING_PAYMENT_STATUS records[0].payment_status", "NOT_A_RECORD records[1].$",
        "UNKNOWN_TYPE records[2].type", "UNKNOWN_FIELD records[3].foo",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"currency": "usd"}, "UNKNOWN_CURRENCY currency"),
        ({"status": "halfway"}, "UNKNOWN_VALUE status"),
        ({"occurred_at": "2026-09-01T10:00:00"}, "BAD_TIME occurred_at"),
        ({"occurred_at": None}, "BAD_TIME occurred_at"),
        ({"timezone": "Mars/Olympus"}, "UNKNOWN_TIMEZONE timezone"),
        ({"business_date": "2026-02-30"}, "BAD_TIME business_date"),
        ({"lines": None}, "BAD_FIELD lines"),
        ({"sale": "x"}, "UNKNOWN_FIELD sale"),
        ({"schema": "salessync/2"}, "UNKNOWN_VALUE schema"),
        ({"source": "T-1"}, "MISSING_ID source.id"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, found):
    assert codes(event() | change)[0] == found


@pytest.mark.parametrize("total", ["20.80", 20.8, 2**53, True, None])
def test_an_amount_is_a_whole_number(total):
    data = event()
    data["totals"]["total"] = total
    assert codes(data)[0].split()[0] in ("BAD_AMOUNT", "MISSING_AMOUNT")


def test_beside_records_there_is_nothing():
    assert codes({"records": [], "more": 1}) == ["UNKNOWN_FIELD more"]
    assert codes({"records": {}}) == ["NOT_A_LIST records"]
    assert normalize({"records": []}) == []


# --- envelope and signature


def test_the_envelope():
    found = STANDARD.envelope({"webhook-id": "msg_1"}, {"type": "refund"})
    assert (found.delivery_id, found.topic) == ("msg_1", "refund")
    assert STANDARD.envelope({}, {"records": []}).topic == ""
    assert STANDARD.envelope({}, {"type": "zebra"}).topic == ""


def test_the_reference_library_signs_what_we_accept():
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    stamp = str(int(NOW.timestamp()))
    signature = Webhook(secret).sign("msg_1", NOW, BODY.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature}
    STANDARD.verify(headers, BODY, Trust(secrets=(secret,)), NOW)
    assert signature == sign(BODY, secret, NOW)["webhook-signature"]


def test_one_valid_signature_of_ten_is_enough_and_ten_thousand_are_too_many():
    headers = sign(BODY, "s", NOW)
    good = headers["webhook-signature"]
    STANDARD.verify(
        headers | {"webhook-signature": " ".join(["v1,AAAA"] * 9 + [good])}, BODY, Trust(secrets=("s",)), NOW
    )
    STANDARD.verify(headers | {"webhook-signature": f"v1a,x {good}"}, BODY, Trust(secrets=("s",)), NOW)
    refused(headers | {"webhook-signature": " ".join([good] * 10_000)})
    refused(headers | {"webhook-signature": good.replace("v1,", "v2,")})
    refused(headers | {"webhook-signature": good.replace("v1,", "")})


@pytest.mark.parametrize(
    "stamp", ["0", "-1", "1e400", "x", "", "1788264000000", "１７８８", " 1788264000", "1788264000.0"]
)
def test_a_malformed_timestamp_is_refused(stamp):
    refused(sign(BODY, "s", NOW) | {"webhook-timestamp": stamp})


@pytest.mark.parametrize("identifier", ["", "a.b", "é", "other"])
def test_an_id_that_could_borrow_from_the_timestamp_is_refused(identifier):
    refused(sign(BODY, "s", NOW) | {"webhook-id": identifier})


def test_a_secret_of_nothing_is_no_secret():
    for secret in ("", "whsec_"):
        refused(sign(BODY, secret, NOW), secrets=[secret])


# --- scrubbing


def test_card_numbers_go_from_free_text_and_stay_in_identifiers():
    data = event()
    number = "4242424242424242"
    data["source"] |= {"id": number, "number": f"paid with {CARD}"}
    data["lines"][0] |= {"name": f"Mug {CARD}", "sku": number}
    data["tenders"][0]["reference"] = number
    data["extensions"] = {
        "till": {"note": CARD, number: 1, "typed": 4242424242424242, "id": number, "deep": [{"x": CARD}], "n": 5}
    }
    before = copy.deepcopy(data)
    kept = STANDARD.scrub(data)
    assert data == before
    assert (kept["source"]["id"], kept["lines"][0]["sku"], kept["tenders"][0]["reference"]) == (number, number, number)
    assert CARD not in json.dumps(kept)
    assert number not in json.dumps(kept["extensions"])
    assert kept["extensions"]["till"]["n"] == 5


def test_a_customer_is_a_hash_or_nothing():
    data = event() | {"customer": {"ref": "ada@canary.example"}}
    assert "canary" not in json.dumps(STANDARD.scrub(data))
    assert codes(STANDARD.scrub(data)) == codes(data) == ["BAD_FIELD customer.ref"]


# --- a drawer's session


def test_a_sessions_times_are_brought_to_utc():
    (record,) = normalize(event("drawer_deposited"))
    text = canonical.encode(record)
    assert b'"opened_at":"2026-09-01T12:30:00Z","closed_at":"2026-09-01T22:05:00Z"' in text
    assert b'"at":"2026-09-01T23:00:00Z"' in text
    assert (record.reckoned, record.amount) == (44980, 44950)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"opened_at": None}, "BAD_TIME opened_at"),
        ({"opening_float": -1}, "BAD_AMOUNT opening_float"),
        ({"status": "ajar"}, "UNKNOWN_VALUE status"),
        ({"movements": [{"id": "m", "type": "gift", "amount": 1}]}, "UNKNOWN_VALUE movements[0].type"),
        ({"movements": [{"id": "m", "type": "deposit", "amount": 1, "by": "Ada"}]}, "UNKNOWN_FIELD movements[0].by"),
    ],
)
def test_what_does_not_fit_a_session_is_refused_by_name(change, found):
    assert codes(event("drawer_open") | change)[0] == found


def test_a_card_number_in_a_memo_goes():
    data = event("drawer_counted")
    data["movements"][0]["memo"] = CARD
    assert CARD not in json.dumps(STANDARD.scrub(data))
