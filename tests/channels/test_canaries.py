"""Nothing personal is durable: canaries in all that a vendor documents as personal, sent for real, looked for everywhere.

Every golden payload of every adapter goes through the real address (or the capture that polls and files use), whole and cut,
is processed, and then every column of every table and every line of the log is searched.
"""

import hashlib
import importlib
import json
import logging
import re
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test import Client

from channels import adapter, inbox, payload
from channels.capture import capture
from channels.models import Event
from salessync.core import nudge
from tests.channels.personal import Seeder, luhn_valid
from tests.golden import cases
from tests.worlds import World

SECRET = "a-secret-of-the-shop"
BY_CAPTURE = {"adyen", "books", "csv", "paypal"}  # signed in the body, never posted, signed with a certificate
TOPIC_HEADER = {"shopify": "x-shopify-topic", "woocommerce": "x-wc-webhook-topic"}


@pytest.fixture
def world(db, monkeypatch, caplog):
    monkeypatch.setattr(nudge, "nudge", lambda task: True)
    caplog.set_level(logging.DEBUG)
    return World()


def deliver(channel, body, topic, *, by_capture):
    """Through the real address, signed as the vendor signs; or as polls and files come, which is quicker."""
    vendor = channel.adapter
    if by_capture or vendor in BY_CAPTURE:
        capture(channel=channel, headers={}, body=body, mode="poll", received_at=datetime.now(UTC), topic=topic)
        return
    if vendor == "lightspeed":
        body = urlencode({"payload": body, "type": topic or "sale.update"}).encode()
    url = {"url": f"http://testserver/webhooks/{channel.slug}"} if vendor == "square" else {}
    headers = importlib.import_module(f"tests.golden.{vendor}.sign").sign(body, SECRET, datetime.now(UTC), **url)
    if vendor in TOPIC_HEADER:
        headers[TOPIC_HEADER[vendor]] = topic or ""
    kind = headers.pop("content-type", "application/json")
    response = Client().post(f"/webhooks/{channel.slug}", data=body, content_type=kind, headers=headers)
    assert response.status_code == 200, response.content


def everything_durable():
    """Every column of every row of every table, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [name for (name,) in cursor.fetchall()]
        assert {"channels_event", "channels_transactionversion", "core_auditrow", "ledger_delivery"} <= set(tables)
        text = []
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                text += [
                    bytes(one).decode("latin-1") if isinstance(one, (bytes, memoryview)) else str(one) for one in row
                ]
    return "\n".join(text)


TRACES = re.compile(r"zq[0-9]+qz|\+1555[0-9]{9}|2001:db8:[0-9a-f]+:[0-9a-f]+::77|(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


def trace(value):
    """What of a canary cannot be there by chance."""
    found = TRACES.search(value.lower())
    return found[0] if found else value


def survivors(sown, text):
    """The places whose canary is still there: by its token or digits, or as a hash that anybody can compute."""
    text = text.lower()
    seen = set(TRACES.findall(text)) | set(re.findall("(?=([0-9]{16}))", re.sub(r"[ -]", "", text)))
    return {place for value, place in sown.items() if {trace(value), hashlib.sha256(value.encode()).hexdigest()} & seen}


def logged(caplog):
    return "\n".join(f"{r.getMessage()} {r.exc_text or ''} {r.exc_info or ''}" for r in caplog.records)


def broken(body, number):
    """In one of three ways that leave it no JSON."""
    ways = (body[: len(body) * 2 // 3], body[:-1] + b', "a": 1, "a": 2}', body.replace(b":", b":\xff", 1))
    return ways[number // 4 % 3]


@pytest.mark.parametrize("vendor", adapter.adapter_names())
def test_no_canary_survives(vendor, world, caplog):
    channel = world.channel(f"{vendor}-shop", vendor)
    channel.credentials = {"secrets": [SECRET]}
    channel.save()
    seeder, sent = Seeder(vendor), 0
    for case in cases(vendor):
        bodies = [payload.dump(variant) for variant in seeder.variants(payload.parse(case.body))]
        for body in (*bodies, broken(bodies[0], sent)):
            deliver(channel, body, case.topic, by_capture=sent % 4 in (1, 2))  # the first and the broken one for real
            sent += 1
    world.process()
    assert Event.objects.filter(channel=channel).count() > sent * 0.6
    assert not Event.objects.filter(channel=channel, state__in=["new", "claimed"]).exists()
    assert len(seeder.sown) >= 20
    text = everything_durable()
    assert survivors(seeder.sown, text) == set()
    assert survivors(seeder.sown, logged(caplog)) == set()


def test_the_search_finds_what_is_there(world):
    """A canary that is where it may not be would be seen: in a body, a record, a list, JSON, a text, a hash."""
    sown = {"Zq1qz Lovelace": "name", "zq2qz@canary.example": "mail", luhn_valid(3): "card", "+1555000000004": "phone"}
    event = world.capture(b'{"id": 1}')
    for value, place in sown.items():
        for column, stored in (
            ("body", value.encode()),
            ("reason", value),
            ("problems", json.dumps([{"message": value}])),
            ("headers", json.dumps({"x": value})),
            ("dedupe_key", hashlib.sha256(value.encode()).hexdigest()),
        ):
            with connection.cursor() as cursor:
                cursor.execute(f"UPDATE channels_event SET {column} = %s WHERE id = %s", [stored, event])
            assert place in survivors(sown, everything_durable())
            with connection.cursor() as cursor:
                empty = {"body": b"", "reason": None, "problems": None, "headers": "{}", "dedupe_key": "x"}[column]
                cursor.execute(f"UPDATE channels_event SET {column} = %s WHERE id = %s", [empty, event])
            assert survivors(sown, everything_durable()) == set()


@pytest.mark.parametrize(
    "body",
    [
        b'{"customer": "Ada Lovelace", "mail": "ada@lovelace.example"',
        b'{"mail": "ada@lovelace.example", "mail": "ada@lovelace.example"}',
        b'{"ada@lovelace.example": 1, "ada@lovelace.example": 2}',
        b'{"who": "Ada Lovelace \\u0000"}',
        b'{"who": "Ada Lovelace", "total": NaN}',
        "Ada Lovelace; Kärntner Straße 1".encode("utf-16"),
        b"\xff\xfeAda Lovelace 4242 4242 4242 4242",
        b"name=Ada+Lovelace&mail=ada%40lovelace.example",
        b"<html>Ada Lovelace</html>" * 1000,
    ],
)
def test_of_a_body_that_cannot_be_read_only_its_shape_is_kept(world, body):
    event = Event.objects.get(pk=world.capture(body))
    assert event.state == "quarantined"
    assert len(event.body) <= 500
    text = everything_durable().lower()
    for word in ("lovelace", "4242 4242", "straße", "rntner"):
        assert word not in text, word
    assert bytes(event.body_sha256) == hashlib.sha256(body).digest()
    assert f"{len(body)} bytes" in event.problems[0]["message"]


def test_what_was_not_kept_stays_where_a_person_sees_it(world):
    event = world.capture(b'{"a": 1, "a": 2}')
    assert inbox.replay(event_ids=[event], actor="test") == 0
    world.process()
    found = Event.objects.get(pk=event)
    assert (found.state, [p["code"] for p in found.problems]) == ("quarantined", ["DUPLICATE_KEY"])
