"""The wire to Bookkeeper, without a database: signatures, bodies, and the reading of answers."""

import json
import time

import msgspec
import pytest
import standardwebhooks

from ledger import bookkeeper as client
from salessync.core import http
from salessync.core.http import Answer, UnableToReach

SECRET, OLD_SECRET = "whsec_c2FuZGJveC1zZWNyZXQ=", "whsec_b2xkLXNlY3JldA"


@pytest.fixture(autouse=True)
def configured(settings):
    settings.BOOKKEEPER_URL = "https://books.example.com/entries"
    settings.BOOKKEEPER_SECRET = SECRET


def an_entry(entry=7):
    return client.Entry(
        id=client.entry_id(company="acme", entry=entry),
        seq=3,
        date="2026-09-01",
        currency="USD",
        source=client.Origin("sale", "main-shop", "450789469", "2026-09-01T10:00:00Z"),
        record=msgspec.Raw(b'{"schema": "salessync/1"}'),
        postings=[
            client.Leg("Assets:Clearing:Stripe", 1088, "USD", 1088, "main-shop", "L1", None, None, "tenders/t1"),
            client.Leg("Income:Sales", -1088, "USD", -1088, "main-shop", "L1", "US-NY", "general", "lines/1/gross"),
        ],
    )


def test_the_body_is_the_interface():
    assert json.loads(client.encode([an_entry()])) == {
        "entries": [{
            "id": "acme:7", "seq": 3, "date": "2026-09-01", "currency": "USD",
            "source": {"type": "sale", "channel": "main-shop", "id": "450789469", "version": "2026-09-01T10:00:00Z"},
            "record": {"schema": "salessync/1"},
            "postings": [
                {"account": "Assets:Clearing:Stripe", "amount": 1088, "currency": "USD", "base_amount": 1088,
                 "channel": "main-shop", "location": "L1", "tax_code": None, "category": None, "path": "tenders/t1"},
                {"account": "Income:Sales", "amount": -1088, "currency": "USD", "base_amount": -1088,
                 "channel": "main-shop", "location": "L1", "tax_code": "US-NY", "category": "general", "path": "lines/1/gross"},
            ],
        }]
    }  # fmt: skip


def test_the_same_entries_give_the_same_bytes():
    assert client.encode([an_entry()]) == client.encode([an_entry()])


@pytest.mark.parametrize("body", [b"", b"{}", '{"name": "Café ☕"}'.encode()])
def test_the_library_of_the_standard_accepts_our_signature(settings, body):
    settings.BOOKKEEPER_SECRET = f"{SECRET} {OLD_SECRET}"
    headers = client.signature_headers(message_id="msg_1", body=body, at=int(time.time()))
    for secret in (SECRET, OLD_SECRET):  # while a secret is being replaced, both sign
        standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook("whsec_b3RoZXI=").verify(body, headers, json_parse=False)
    for changed in ({"webhook-id": "msg_2"}, {"webhook-timestamp": str(int(time.time()) - 1)}):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(SECRET).verify(body, headers | changed, json_parse=False)


def test_push_signs_the_bytes_it_sends(monkeypatch):
    sent = {}

    def post_json(*, url, body, headers, timeout):
        sent.update(url=url, body=body, headers=headers)
        return Answer(
            200,
            {},
            b'{"results": [{"id": "acme:7", "status": "accepted", "acknowledgement": "BK-1", "error": null}]}',
        )

    monkeypatch.setattr(http, "post_json", post_json)
    verdicts = client.push(key="msg_1", entries=[an_entry()])
    assert verdicts["acme:7"] == client.Verdict("acme:7", "accepted", "BK-1")
    assert sent["url"] == "https://books.example.com/entries"
    assert sent["headers"]["Idempotency-Key"] == sent["headers"]["webhook-id"] == "msg_1"
    standardwebhooks.Webhook(SECRET).verify(sent["body"], sent["headers"], json_parse=False)


@pytest.mark.parametrize(
    "secret", ["", "  ", "whsec_", "whsec_not-base64", "whsec_ä", "whsec_!!!!", f"{SECRET} whsec_"]
)
def test_a_secret_that_cannot_sign_is_said_and_never_used(settings, secret):
    settings.BOOKKEEPER_SECRET = secret
    assert "BOOKKEEPER_SECRET" in client.why_not_configured()
    with pytest.raises(client.NotConfigured):
        client.signature_headers(message_id="m", body=b"", at=0)


def result(id_="a", status="accepted", **more):
    return {"id": id_, "status": status, "acknowledgement": "BK-1", "error": None} | more


def test_verdicts_are_read():
    answer = {
        "results": [
            result("b", "duplicate"),
            result("a"),
            result("c", "refused", acknowledgement=None, error="why"),
        ]
    }
    verdicts = client.read_verdicts(Answer(200, {}, json.dumps(answer).encode()), expected=["a", "b", "c"])
    assert {v.status for v in verdicts.values()} == {"accepted", "duplicate", "refused"} and verdicts[
        "c"
    ].error == "why"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"OK", b"null", b"[]", b"{}", b"\xff\xfe", b"<html></html>", b'{"results": null}', b'{"results": []}',
        b"[" * 100_000, b'{"results": [{"id": "a"', b'{"results": ["a"]}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_none(body):
    with pytest.raises(UnableToReach):
        client.read_verdicts(Answer(200, {}, body), expected=["a"])


@pytest.mark.parametrize(
    "results",
    [
        [result("b")],
        [result("a"), result("b")],
        [result("a"), result("a")],
        [result("a", "ok")],
        [result("a", "ACCEPTED")],
        [result(1)],
        [result("a", acknowledgement=None)],
        [result("a", acknowledgement="")],
        [result("a", acknowledgement="x" * 256)],
        [result("a", acknowledgement="a\x00b")],
        [result("a", acknowledgement=5)],
        [result("a", "duplicate", acknowledgement=None)],
    ],
)
def test_an_answer_about_something_else_counts_for_nothing(results):
    with pytest.raises(UnableToReach):
        client.read_verdicts(Answer(200, {}, json.dumps({"results": results}).encode()), expected=["a"])


@pytest.mark.parametrize("body", [b"", b"[]", b'{"entries": 5}', b'{"entries": [{"id": "a"}]}', b'{"entries": [[]]}'])
def test_a_page_that_cannot_be_read_is_no_page(monkeypatch, body):
    monkeypatch.setattr(http, "get_json", lambda **_: Answer(200, {}, body))
    with pytest.raises(UnableToReach):
        list(client.fetch(after=0))


def test_a_page_that_goes_backwards_ends_the_reading(monkeypatch):
    body = json.dumps({"entries": [{"id": "a", "seq": 3, "acknowledgement": "x"}]}).encode()
    monkeypatch.setattr(http, "get_json", lambda **_: Answer(200, {}, body))
    pages = client.fetch(after=0)
    assert next(pages).seq == 3
    with pytest.raises(UnableToReach, match="forward"):
        next(pages)
