"""The books' own channel: entries by hand and nothing else, from within and never from outside."""

import copy
import json
from datetime import UTC, datetime

import pytest

from channels import adapter, checks
from channels.adapter import Context, SignatureRefused, Trust
from salessync.core.problems import Refused
from tests.golden import FOLDER
from tests.golden.standard.sign import sign

BOOKS, STANDARD = adapter.get("books"), adapter.get("standard")
CONTEXT = Context(channel="books", timezone="America/New_York")
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
CARD = "4242 4242 4242 4242"


def event(case="correction"):
    return json.loads((FOLDER / "books" / case / "event.json").read_text(encoding="utf-8"))


def codes(data, vendor=BOOKS):
    with pytest.raises(Refused) as refused:
        vendor.normalize(data, None, CONTEXT)
    return [f"{p.code} {p.path}" for p in refused.value.problems]


def test_an_entry_is_completed_by_its_channel():
    (record,) = BOOKS.normalize(event(), None, CONTEXT)
    assert (record.source.channel, record.source.adapter) == ("books", "books")
    assert (record.timezone, str(record.business_date)) == ("America/New_York", "2026-09-01")
    assert checks.check(record) == []


def test_no_signature_opens_the_channel():
    body = b'{"type":"manual"}'
    with pytest.raises(SignatureRefused):
        BOOKS.verify(sign(body, "s", NOW), body, Trust(secrets=("s",)), NOW)


@pytest.mark.parametrize("kind", ["sale", "refund", "charge", "payout", "dispute", "cash_session"])
def test_it_takes_nothing_but_entries(kind):
    assert codes({"type": kind}) == ["WRONG_CHANNEL type"]
    assert codes({"records": [event(), {"type": kind}]}) == ["WRONG_CHANNEL records[1].type"]


def test_no_till_writes_to_the_ledger():
    assert codes(event(), STANDARD) == ["WRONG_CHANNEL type"]
    assert codes(STANDARD.scrub(event()), STANDARD) == ["WRONG_CHANNEL type"]
    assert codes({"records": [event()]}, STANDARD) == ["WRONG_CHANNEL records[0].type"]
    assert "manual" not in STANDARD.topics


def test_what_is_no_entry_at_all():
    assert codes({"type": "zebra"}) == ["UNKNOWN_TYPE type"]
    assert codes({}) == ["MISSING_TYPE type"]
    assert codes(5) == ["NOT_A_RECORD $"]
    assert codes({"records": event()}) == ["NOT_A_LIST records"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"origin": "till"}, "UNKNOWN_VALUE origin"),
        ({"kind": "gift"}, "UNKNOWN_VALUE kind"),
        ({"void": "yes"}, "BAD_FIELD void"),
        ({"reason": " "}, "MISSING_REASON reason"),
        ({"postings": None}, "MISSING_POSTINGS postings"),
        ({"postings": [{"account": "Income:Sales", "amount": 1.5}]}, "BAD_AMOUNT postings[0].amount"),
        ({"postings": [{"account": "A" * 201, "amount": 1}]}, "BAD_FIELD postings[0].account"),
        ({"lines": []}, "UNKNOWN_FIELD lines"),
        ({"source": {"id": "J", "version": "1", "channel": "till"}}, "WRONG_CHANNEL source.channel"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, found):
    assert codes(event() | change)[0] == found


def test_the_envelope_says_nothing():
    assert BOOKS.envelope({"webhook-id": "x"}, event()) == adapter.Envelope(None, "")


def test_card_numbers_go_from_what_people_typed_and_accounts_stay():
    data = event() | {"reason": f"paid twice with {CARD}"}
    data["postings"][0] |= {"memo": CARD, "account": "Assets:Bank:4242424242424242", "note": "Ada Lovelace"}
    before = copy.deepcopy(data)
    kept = BOOKS.scrub(data)
    assert data == before
    assert CARD not in json.dumps(kept) and "Ada" not in json.dumps(kept)
    assert kept["postings"][0]["account"] == "Assets:Bank:4242424242424242"
    assert codes(kept) == codes(data) == ["UNKNOWN_FIELD postings[0].note"]
