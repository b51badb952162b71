"""The one view that strangers reach: what it refuses, what it keeps, and that it never answers 500."""

import base64
import hashlib
import hmac
import json
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError
from django.test import Client

from channels import canonical, webhooks
from channels.models import Event
from ledger.models import JournalEntry
from salessync.core import nudge
from tests.records import line, sale
from tests.worlds import World

SECRET = "whsec_" + base64.b64encode(b"a secret of the till").decode()


@pytest.fixture
def world(db, monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: True)
    made = World()
    made.till.credentials = {"secrets": [SECRET]}
    made.till.save()
    made.shop.credentials = {"secrets": ["hush"]}
    made.shop.save()
    return made


def till_headers(body, *, secret=SECRET, at=None, id_="msg_1"):
    stamp = str(int((at or datetime.now(UTC)).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{id_}.{stamp}.".encode() + body, "sha256")).decode()
    return {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


def shop_headers(body, *, secret="hush", id_="w1", topic="orders/create"):
    digest = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return {"X-Shopify-Hmac-SHA256": digest, "X-Shopify-Topic": topic, "X-Shopify-Webhook-Id": id_}


def post(slug, body, headers, **extra):
    return Client(raise_request_exception=True).post(
        f"/webhooks/{slug}",
        data=body,
        content_type=extra.pop("content_type", "application/json"),
        headers=headers,
        **extra,
    )


def record(world, **more):
    made = sale([line()], **more)
    made.source.channel = world.till.slug
    return canonical.encode(made)


def test_a_signed_sale_is_stored_once_and_posted(world):
    body = record(world)
    assert post(world.till.slug, body, till_headers(body)).status_code == 200
    again = post(world.till.slug, body, till_headers(body))
    assert (again.status_code, again.json()) == (200, {"status": "duplicate"})
    world.process()
    assert world.states() == {"posted": 1}
    event = Event.objects.get(company_id=world.company.pk)
    assert bytes(event.body_sha256) == hashlib.sha256(body).digest()
    assert event.copies == 2
    assert world.balances()["Income:Sales"] == -1000


def test_an_address_with_a_slash_is_the_same(world):
    body = record(world)
    answer = Client().post(
        f"/webhooks/{world.till.slug}/", data=body, content_type="application/json", headers=till_headers(body)
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "break_it",
    [
        lambda h: h.pop("webhook-signature"),
        lambda h: h.pop("webhook-id"),
        lambda h: h.pop("webhook-timestamp"),
        lambda h: h.update({"webhook-signature": ""}),
        lambda h: h.update({"webhook-signature": "v1"}),
        lambda h: h.update({"webhook-signature": "v1,"}),
        lambda h: h.update({"webhook-signature": "v1,é" + "A" * 43}),
        lambda h: h.update({"webhook-signature": h["webhook-signature"].lower()}),
        lambda h: h.update({"webhook-signature": "v1,AAAA " * 10_000}),
        lambda h: h.update({"webhook-timestamp": "x"}),
        lambda h: h.update({"webhook-timestamp": "1e400"}),
        lambda h: h.update({"webhook-timestamp": "-1"}),
        lambda h: h.update({"webhook-timestamp": "0"}),
        lambda h: h.update({"webhook-timestamp": str(int(time.time() * 1000))}),
        lambda h: h.update({"webhook-timestamp": "9" * 400}),
        lambda h: h.update({"webhook-id": "other"}),
    ],
)
def test_what_does_not_prove_itself_is_refused_alike(world, break_it):
    body = record(world)
    headers = till_headers(body)
    break_it(headers)
    answer = post(world.till.slug, body, headers)
    assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})
    assert Event.objects.filter(company_id=world.company.pk).count() == 0


@pytest.mark.parametrize("seconds", [-301, 330, -86400])
def test_a_stale_or_future_signature_is_refused(world, seconds):
    body = record(world)
    headers = till_headers(body, at=datetime.now(UTC) + timedelta(seconds=seconds))
    assert post(world.till.slug, body, headers).status_code == 401


def test_one_of_ten_signatures_and_a_rotated_secret_are_enough(world):
    body = record(world)
    headers = till_headers(body)
    headers["webhook-signature"] = "v1,AAAA " * 9 + headers["webhook-signature"]
    assert post(world.till.slug, body, headers).status_code == 200
    world.till.credentials = {"secrets": ["whsec_" + base64.b64encode(b"newer").decode(), SECRET]}
    world.till.save()
    assert post(world.till.slug, body, till_headers(body, id_="msg_2")).status_code == 200


def test_another_channels_secret_an_empty_one_and_an_unknown_slug_are_refused(world):
    body = record(world)
    other = "whsec_" + base64.b64encode(b"the other").decode()
    assert post(world.till.slug, body, till_headers(body, secret=other)).status_code == 401
    world.shop.credentials = {"secrets": [""]}
    world.shop.save()
    assert post(world.shop.slug, body, shop_headers(body, secret="")).status_code == 401
    for slug in ["nobody", "%00", "..", "ｔill", "x" * 5000]:
        assert post(slug, body, till_headers(body)).status_code in (401, 404)


def test_a_body_signed_before_it_was_changed_is_refused(world):
    body = record(world)
    headers = shop_headers(body)
    assert post(world.shop.slug, json.dumps(json.loads(body)).encode(), headers).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"{}", b"[]", b"null", b'"x"', b"123", b"[" * 100_000, b"{" * 100_000, b'{"a":1}{"b":2}', b'{"a":1,}', b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"), b"\xff\xfe", b'{"id":NaN}', b'{"id":Infinity}', b'{"id":1,"id":2}', b'{"id":"\\u0000"}',
        b'{"\\u0000":1}', b'{"id":"\\ud800"}', b'{"id":' + b"1" * 5000 + b"}", b'{"id":1e400}', b'{"id":{"a":[1]}}',
        json.dumps({f"k{i}": i for i in range(100_000)}).encode(), b'{"id":"' + b"x" * 5_000_000 + b'"}',
        b"<xml/>", b"id=1&total=2",
    ],
)  # fmt: skip
@pytest.mark.parametrize("channel", ["till", "shop"])
def test_signed_rubbish_is_kept_in_quarantine_never_posted_never_500(world, body, channel):
    where = getattr(world, channel)
    headers = till_headers(body) if channel == "till" else shop_headers(body)
    assert post(where.slug, body, headers).status_code == 200
    world.process()
    assert set(world.states()) <= {"quarantined", "ignored"}
    event = Event.objects.get(company_id=world.company.pk)
    if event.state == "quarantined":
        assert all(p["code"].isupper() and p["path"] and " " in p["message"] for p in event.problems)
        assert "Traceback" not in str(event.problems)
        assert "PROCESSING_FAILED" not in str(event.problems)
    assert JournalEntry.objects.filter(company=world.company).count() == 0


def _with(world, change):
    body = json.loads(record(world))
    change(body)
    return json.dumps(body, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda b: b["totals"].update(total="１２"), "BAD_FIELD"),
        (lambda b: b["totals"].update(total=10.4), "BAD_FIELD"),
        (lambda b: b["totals"].update(total=True), "BAD_FIELD"),
        (lambda b: b["totals"].update(total=10**30), "BAD_FIELD"),
        (lambda b: b["totals"].update(total=1041), "TOTAL_MISMATCH"),
        (lambda b: b["totals"].pop("total"), "MISSING_AMOUNT"),
        (lambda b: b.update(currency="eur"), "BAD_FIELD"),
        (lambda b: b.update(currency="XXQ"), "UNKNOWN_CURRENCY"),
        (lambda b: b.update(currency=None), "MISSING_CURRENCY"),
        (lambda b: b["source"].update(id=""), "MISSING_ID"),
        (lambda b: b["source"].update(id="x" * 10_000), "BAD_FIELD"),
        (lambda b: b.update(payment_status=None), "MISSING_PAYMENT_STATUS"),
        (lambda b: b.update(payment_status="teleported"), "UNKNOWN_VALUE"),
        (lambda b: b["lines"][0].update(quantity="１"), "BAD_FIELD"),
        (lambda b: b["lines"][0].update(quantity="2"), "LINE_GROSS_MISMATCH"),
        (lambda b: b["lines"][0].update(net=999), "LINE_NET_MISMATCH"),
        (lambda b: b["lines"][0]["taxes"][0].update(amount=41), "LINE_TAX_MISMATCH"),
        (lambda b: b["tenders"][0].update(amount=1), "PAID_MISMATCH"),
        (lambda b: b.update(occurred_at="2026-09-01T10:00:00"), "BAD_FIELD"),
        (lambda b: b.update(occurred_at="2026-02-30T10:00:00Z"), "BAD_FIELD"),
        (lambda b: b.update(timezone="Mars/Olympus"), "UNKNOWN_TIMEZONE"),
        (lambda b: b.update(surprise=1), "UNKNOWN_FIELD"),
        (lambda b: b["lines"][0].update(surprise=1), "UNKNOWN_FIELD"),
    ],
)
def test_bad_content_says_which_field_and_why(world, change, code):
    body = _with(world, change)
    assert post(world.till.slug, body, till_headers(body)).status_code == 200
    world.process()
    assert code in world.codes() or (code == "BAD_FIELD" and world.codes() and world.states() == {"quarantined": 1}), (
        world.codes()
    )
    assert JournalEntry.objects.filter(company=world.company).count() == 0


def test_a_card_number_never_reaches_the_database(world):
    body = _with(world, lambda b: b["lines"][0].update(name="paid with 4242 4242 4242 4242"))
    post(world.till.slug, body, till_headers(body))
    stored = bytes(Event.objects.get(company_id=world.company.pk).body)
    assert b"4242 4242 4242" not in stored


def test_other_methods_and_missing_length(world):
    assert post(world.till.slug, b"", till_headers(b"")).status_code == 411
    for method in ("get", "put", "options", "delete", "patch"):
        assert getattr(Client(), method)(f"/webhooks/{world.till.slug}").status_code == 405


def test_too_large_is_413_before_anything_is_read(world, settings):
    settings.MAX_WEBHOOK_BYTES = 1000
    body = b"x" * 1001
    assert post(world.till.slug, body, till_headers(body)).status_code == 413


def test_compressed_bodies_are_refused(world):
    body = record(world)
    assert post(world.till.slug, body, {**till_headers(body), "Content-Encoding": "gzip"}).status_code == 400


def test_a_database_that_fails_is_503_and_the_sender_tries_again(world, monkeypatch):
    def fail(**kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(webhooks, "capture", fail)
    body = record(world)
    answer = post(world.till.slug, body, till_headers(body))
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_the_same_delivery_id_with_another_body_is_another_message(world):
    first, second = record(world, version="1"), record(world, version="2", status="voided", payment_status="voided")
    for body in (first, second):
        assert post(world.till.slug, body, till_headers(body)).json() == {"status": "stored"}
    world.process()
    assert world.states() == {"posted": 2}
    assert world.balances() == {}


@pytest.fixture
def web(committed_db, servers):
    """A real gunicorn, as in production."""
    import os

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "salessync.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread",
         "--threads", "4", "--log-level", "critical"],
        env={**os.environ, "DATABASE_URL": committed_db, "REDIS_URL": servers.redis_url, "DJANGO_SETTINGS_MODULE": "salessync.settings"},
    )  # fmt: skip
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield port
    process.terminate()
    process.wait(20)


def _raw(port, request, *, close=False):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        if close:
            connection.shutdown(socket.SHUT_WR)
        return int(connection.recv(1000).split(b" ")[1])


def test_the_wire(web, django_db_blocker, monkeypatch):
    """Chunked, cut short, and eight copies at once, through a real server."""
    monkeypatch.setattr(nudge, "nudge", lambda task: True)
    with django_db_blocker.unblock():
        world = World()
        world.till.credentials = {"secrets": [SECRET]}
        world.till.save()
        body = record(world)
        heads = "".join(f"{k}: {v}\r\n" for k, v in till_headers(body).items())
        start = (
            f"POST /webhooks/{world.till.slug} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{heads}"
        )
        chunked = f"{start}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
        assert _raw(web, chunked) == 411
        announced = f"{start}Content-Length: {len(body) + 50}\r\n\r\n".encode() + body
        assert _raw(web, announced, close=True) == 400
        assert _raw(web, f"{start}Content-Length: -1\r\n\r\n".encode()) in (400, 411)
        whole = f"{start}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(_raw(web, whole))) for _ in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert answers == [200] * 8
        event = Event.objects.get(company_id=world.company.pk)
        assert event.copies == 8
