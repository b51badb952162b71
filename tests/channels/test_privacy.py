"""What persons ask of their data: it is done once, the books stay, and nothing that comes later brings them back."""

import base64
import hashlib
import hmac
import json
import threading
from datetime import UTC, datetime

import msgspec
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from channels import adapter, canonical, inbox, payload, privacy, transactions
from channels.adapter import PrivacyRequest as Request
from channels.canonical import without_person
from channels.client import Account
from channels.models import Channel, Event, Forgotten, PrivacyRequest, Transaction, TransactionVersion
from channels.sale import Sale
from ledger import bookkeeper, messages
from ledger.models import JournalEntry
from salessync import pipeline, verify
from salessync.core import nudge
from salessync.core.models import AuditRow
from salessync.core.problems import Refused
from tests.admin.scenes import people
from tests.golden import Case, cases
from tests.worlds import World

SECRET = "hush"
ADA, GRACE = 70070, 80080
PLACE = (b'"10001"', b'"New York"')
SHOPIFY = adapter.get("shopify")
GOLDEN = {case.folder.name: case for case in cases("shopify")}


def ref(customer):
    return "sha256:" + hashlib.sha256(str(customer).encode()).hexdigest()


def order(id_, customer=ADA, **changes):
    """A paid order that goes to New York 10001."""
    found = json.loads(GOLDEN["simple_sale"].body)
    found |= {"id": id_, "name": f"#{id_}", "order_number": id_} | changes
    found["customer"]["id"] = customer
    return found


def redact(customer=ADA, orders=(), **more):
    person = {"id": customer, "email": "ada@canary.example", "phone": "+1 555 0100"}
    return {
        "shop_id": 1,
        "shop_domain": "northwind.myshopify.com",
        "customer": person,
        "orders_to_redact": orders,
    } | more


class Shop:
    """A Shopify shop that posts to the real address."""

    def __init__(self, world):
        self.world, self.channel, self.count = world, world.shop, 0
        world.shop.credentials = {"secrets": [SECRET]}
        world.shop.save()

    def post(self, topic, body, *, delivery=None, process=True):
        """One signed delivery; its event."""
        self.count += 1
        raw = json.dumps(body).encode()
        headers = {
            "X-Shopify-Hmac-SHA256": base64.b64encode(hmac.digest(SECRET.encode(), raw, "sha256")).decode(),
            "X-Shopify-Topic": topic,
            "X-Shopify-Webhook-Id": delivery or f"w{self.count}",
        }
        address = f"/webhooks/{self.channel.slug}"
        response = Client().post(address, data=raw, content_type="application/json", headers=headers)
        assert response.status_code == 200
        event = Event.objects.filter(channel=self.channel, body_sha256=hashlib.sha256(raw).digest()).latest("id")
        if process:
            self.world.process()
        return event.pk

    def poll(self, body):
        """The same order as the vendor's list has it, in other bytes."""
        event = self.world.capture(json.dumps(body, indent=2).encode(), channel=self.channel, topic="orders/updated")
        self.world.process()
        return event

    def versions(self, order_id):
        return list(
            TransactionVersion.objects.filter(
                transaction__channel=self.channel, transaction__source_id=order_id, transaction__type="sale"
            ).order_by("id")
        )

    def told_of(self, customer=ADA):
        """Events and versions from which the customer, or the place, can be read."""
        needles = (ref(customer).encode(), *PLACE)
        rows = [("event", e.pk, bytes(e.body)) for e in Event.objects.filter(channel=self.channel)]
        rows += [
            ("version", v.pk, bytes(v.record))
            for v in TransactionVersion.objects.filter(transaction__channel=self.channel)
        ]
        return [(what, pk) for what, pk, text in rows if any(needle in text for needle in needles)]


@pytest.fixture
def shop(db, monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: True)
    return Shop(World())


def books(world):
    return world.facts(), JournalEntry.objects.count(), TransactionVersion.objects.count()


def replay(shop):
    """Everything once more."""
    inbox.replay(event_ids=list(Event.objects.values_list("pk", flat=True)), actor="test")
    shop.world.process()


def no_violation():
    assert [(law.law, law.examples) for law in verify.verify_books() if law.violations] == []


# --- what a request says


@pytest.mark.parametrize(
    ("case", "asked"),
    [
        ("privacy_data_request", Request(kind="data_request", customer=ref(ADA), orders=("9001", "9002"))),
        ("privacy_customer_redact", Request(kind="customer_redact", customer=ref(ADA), orders=("9001", "9002"))),
        ("privacy_customer_without_id", Request(kind="customer_redact", orders=("9003",))),
        ("privacy_shop_redact", Request(kind="shop_redact")),
    ],
)
def test_a_documented_request_is_read_alike_before_and_after_scrubbing(case, asked):
    golden = GOLDEN[case]
    parsed = payload.parse(golden.body)
    for body in (parsed, SHOPIFY.scrub(parsed)):
        found = SHOPIFY.privacy(body, golden.topic)
        assert (found.kind, found.customer, found.orders) == (asked.kind, asked.customer, asked.orders)
        assert found.shop == "northwind-goods.myshopify.com"


def test_a_request_that_cannot_be_read_is_refused():
    golden = GOLDEN["privacy_malformed"]
    with pytest.raises(Refused):
        SHOPIFY.privacy(SHOPIFY.scrub(payload.parse(golden.body)), golden.topic)


@pytest.mark.parametrize("name", adapter.adapter_names())
def test_no_other_event_is_taken_for_a_request(name):
    vendor = adapter.get(name)
    for topic in ("", *vendor.topics):
        assert vendor.privacy({"id": 1}, topic) is None


@pytest.mark.parametrize("case", cases("shopify"), ids=lambda c: c.name)
def test_of_a_stripped_body_the_same_amounts_are_read(case: Case):
    """Byte for byte what stripping the record gives, so that a replay is recognised."""
    body = SHOPIFY.scrub(payload.parse(case.body))
    everyone = SHOPIFY.forget(body, lambda person: True)
    assert SHOPIFY.forget(everyone, lambda person: True) == everyone
    assert not any(person.customer for person in SHOPIFY.persons(everyone))
    assert {p.order for p in SHOPIFY.persons(everyone)} >= {p.order for p in SHOPIFY.persons(body) if p.order}
    assert SHOPIFY.forget(body, lambda person: False) == body
    if not case.expected().get("records.jsonl"):
        return
    records = SHOPIFY.normalize(body, case.topic, case.context())
    stripped = SHOPIFY.normalize(everyone, case.topic, case.context())
    assert [canonical.encode(r) for r in stripped] == [canonical.encode(without_person(r)) for r in records]
    for record in stripped:
        if isinstance(record, Sale):
            assert record.customer is None or record.customer.ref is record.customer.tax_id is None
            place = record.jurisdiction
            assert place is None or place.basis == "store" or place.postcode is place.city is None


def test_one_payload_of_two_customers_loses_only_the_one():
    both = SHOPIFY.scrub({"orders": [order(1), order(2, GRACE)]})
    left = SHOPIFY.forget(both, lambda person: person.customer == ref(ADA))
    assert [p.customer for p in SHOPIFY.persons(left)] == [None, ref(GRACE)]
    assert left["orders"][1] == both["orders"][1]


# --- a customer is forgotten


def test_a_customer_is_forgotten_and_the_books_stay(shop):
    shop.post("orders/create", order(9001))
    shop.post("orders/paid", order(9001))
    shop.post("orders/paid", order(9002))  # hers too, and not named
    other = shop.post("orders/paid", order(9003, GRACE))
    before, hashes = books(shop.world), dict(Event.objects.values_list("pk", "body_sha256"))
    digests = {v.pk: bytes(v.digest) for v in TransactionVersion.objects.all()}
    assert len(shop.told_of()) == 7
    asked = shop.post("customers/redact", redact(orders=[9001]))
    grace = {("event", other), ("version", shop.versions("9003")[0].pk)}
    assert set(shop.told_of()) == grace
    assert books(shop.world) == before
    assert {pk: sha for pk, sha in Event.objects.values_list("pk", "body_sha256") if pk in hashes} == hashes
    assert {v.pk: bytes(v.digest) for v in TransactionVersion.objects.all()} == digests
    no_violation()
    request = PrivacyRequest.objects.get()
    assert (request.kind, request.event_id, request.subject) == ("customer_redact", asked, ref(ADA))
    assert (request.orders, request.found) == (["9001"], ["9002"])
    assert request.done_at is not None
    assert request.done == {"messages": 3, "records": 2}
    assert Event.objects.get(pk=asked).state == "posted"
    version = shop.versions("9001")[0]
    assert version.redacted_by == request.pk
    assert bytes(version.redacted_digest) == hashlib.sha256(bytes(version.record)).digest()
    assert shop.versions("9003")[0].redacted_at is None
    told = AuditRow.objects.filter(object_type="privacyrequest", object_id=request.pk).order_by("id")
    assert [(row.actor, row.action) for row in told] == [("pipeline", "asked"), ("pipeline", "done")]
    assert ref(ADA) not in json.dumps(list(AuditRow.objects.values_list("data", flat=True)))


def test_a_replay_of_everything_brings_nobody_back(shop):
    shop.post("orders/create", order(9001))
    shop.post("orders/paid", order(9001, updated_at="2026-09-02T06:00:00-04:00", tax_exempt=True))
    shop.post("orders/paid", order(9002))
    shop.post("customers/redact", redact(orders=[9001]))
    replay(shop)
    before, states, requests = books(shop.world), shop.world.states(), list(PrivacyRequest.objects.values())
    bodies = dict(Event.objects.values_list("pk", "body"))
    for _ in range(2):
        replay(shop)
        assert shop.told_of() == []
        assert books(shop.world) == before
        assert (shop.world.states(), list(PrivacyRequest.objects.values())) == (states, requests)
        assert {pk: bytes(b) for pk, b in Event.objects.values_list("pk", "body")} == {
            pk: bytes(b) for pk, b in bodies.items()
        }
    no_violation()


def test_what_arrives_later_with_the_person_in_it_is_stored_without(shop):
    shop.post("orders/paid", order(9001))
    shop.post("orders/paid", order(9002))
    shop.post("customers/redact", redact(orders=[9001]))
    before = books(shop.world)
    shop.poll(order(9001))
    shop.poll(order(9002))  # found by the customer then, and by its number since
    assert shop.told_of() == []
    assert books(shop.world) == before
    edited = order(9001, updated_at="2026-09-03T06:00:00-04:00", closed_at="2026-09-03T06:00:00-04:00")
    event = shop.poll(edited)
    assert shop.told_of() == []
    assert [v.redacted_at is None for v in shop.versions("9001")] == [False, True]
    shop.poll(edited | {"customer": None})
    inbox.replay(event_ids=[event], actor="test")
    shop.world.process()
    assert len(shop.versions("9001")) == 2
    assert books(shop.world)[0] == before[0]
    no_violation()


def test_the_request_may_come_before_the_order(shop):
    shop.post("customers/redact", redact(orders=[9001]))
    shop.post("orders/paid", order(9001, GRACE))  # by its number
    shop.post("orders/paid", order(9002))  # by the customer
    assert shop.told_of() == shop.told_of(GRACE) == []
    replay(shop)
    assert TransactionVersion.objects.count() == 2
    assert set(Forgotten.objects.values_list("subject", flat=True)) == {
        f"customer:{ref(ADA)}", f"customer:{ref(GRACE)}", "order:9001", "order:9002"} - {f"customer:{ref(GRACE)}"}  # fmt: skip
    no_violation()


@pytest.mark.parametrize("first", ["orders/paid", "customers/redact"])
def test_order_and_request_may_come_in_one_batch(shop, first):
    bodies = {"orders/paid": order(9001), "customers/redact": redact(orders=[9001])}
    for topic in sorted(bodies, key=lambda topic: topic != first):
        shop.post(topic, bodies[topic], process=False)
    shop.world.process()
    assert shop.told_of() == []
    assert shop.world.states() == {"posted": 2}
    no_violation()


def test_what_waits_or_was_refused_or_is_a_test_is_stripped_too(shop):
    refused = shop.post("orders/paid", order(9001, currency="XXX"))
    tried = shop.post("orders/paid", order(9002, test=True))
    shop.post("orders/paid", order(9003), process=False)
    shop.post("customers/redact", redact())
    assert Event.objects.get(pk=refused).state == "quarantined"
    assert Event.objects.get(pk=tried).state == "ignored"
    assert shop.told_of() == []
    late = shop.post("orders/paid", order(9004, currency="XXX"))
    assert Event.objects.get(pk=late).state == "quarantined"
    assert shop.told_of() == []


def test_duplicates_of_a_request_are_done_once(shop):
    shop.post("orders/paid", order(9001))
    for delivery in ("same", "same", "another"):
        shop.post("customers/redact", redact(orders=[9001]), delivery=delivery)
    assert [r.done for r in PrivacyRequest.objects.order_by("id")] == [
        {"messages": 1, "records": 1},
        {"messages": 0, "records": 0},
    ]
    assert shop.told_of() == []


def test_a_customer_without_an_id_is_found_by_the_orders(shop):
    shop.post("orders/paid", order(9001, None))
    shop.post("orders/paid", order(9002))
    shop.post("customers/redact", redact(None, [9001]))
    assert [pk for what, pk in shop.told_of() if what == "version"] == [shop.versions("9002")[0].pk]
    shop.post("customers/redact", redact(None))
    assert PrivacyRequest.objects.latest("id").done == {"messages": 0, "records": 0}


def test_another_channel_of_the_company_is_left_alone(shop):
    other = Shop(shop.world)
    other.channel = shop.world.channel("second-shop", "shopify")
    other.channel.credentials = {"secrets": [SECRET]}
    other.channel.save()
    other.post("orders/paid", order(9001))
    shop.post("orders/paid", order(9001))
    shop.post("customers/redact", redact(orders=[9001]))
    assert shop.told_of() == []
    assert len(other.told_of()) == 2


def test_a_big_shop_is_searched_in_stretches(shop, monkeypatch):
    monkeypatch.setattr(privacy, "STRETCH", {False: 2, True: 2})
    monkeypatch.setattr(privacy, "FIRST", 1)
    for number in range(9001, 9007):
        shop.post("orders/paid", order(number))
    event = shop.post("customers/redact", redact(orders=[9006]), process=False)
    pipeline.run_batch()
    assert Event.objects.get(pk=event).state == "posted"
    request = PrivacyRequest.objects.get()
    assert request.done_at is None
    assert shop.versions("9006")[0].redacted_at is not None  # what is named is done at once
    assert ("version", shop.versions("9005")[0].pk) in shop.told_of()
    shop.world.process()
    request.refresh_from_db()
    assert (request.done_at is not None, request.done) == (True, {"messages": 6, "records": 6})
    assert shop.told_of() == []


# --- a shop is forgotten


def test_a_shop_is_forgotten_and_its_channel_paused(shop):
    shop.post("orders/paid", order(9001))
    shop.post("orders/paid", order(9002, GRACE))
    waiting = shop.post("orders/paid", order(9003), process=False)
    before = books(shop.world)[0]
    event = shop.post("shop/redact", {"shop_id": 1, "shop_domain": "northwind.myshopify.com"})
    assert shop.told_of() == shop.told_of(GRACE) == []
    assert Channel.objects.get(pk=shop.channel.pk).status == "paused"
    assert {Event.objects.get(pk=pk).state for pk in (event, waiting)} == {"posted"}
    request = PrivacyRequest.objects.get()
    assert (request.kind, request.done) == ("shop_redact", {"messages": 3, "records": 3})
    told = AuditRow.objects.get(object_type="channel", object_id=shop.channel.pk)
    assert told.data["status"] == ["live", "paused"]
    assert {k: v for k, v in shop.world.facts()[0].items() if "9003" not in k[0]} == before[0]
    no_violation()
    # the merchant comes back: what happened before stays forgotten, whom he sells to now is known
    Channel.objects.filter(pk=shop.channel.pk).update(status="live")
    versions = TransactionVersion.objects.count()
    replay(shop)
    assert shop.told_of() == []
    assert TransactionVersion.objects.count() == versions
    assert Channel.objects.get(pk=shop.channel.pk).status == "live"
    shop.post("orders/paid", order(9004))
    assert len(shop.told_of()) == 2


def test_a_request_is_carried_out_although_the_channel_is_paused(shop):
    shop.post("orders/paid", order(9001))
    Channel.objects.filter(pk=shop.channel.pk).update(status="paused")
    kept = shop.post("orders/paid", order(9002))
    event = shop.post("customers/redact", redact(orders=[9001]))
    assert Event.objects.get(pk=event).state == "posted"
    assert Event.objects.get(pk=kept).state == "new"
    assert shop.told_of() == []


@pytest.mark.parametrize("topic", ["customers/redact", "shop/redact", "customers/data_request"])
def test_a_request_for_another_shop_is_not_carried_out_here(shop, topic):
    shop.channel.credentials = {"secrets": [SECRET], "shop": "northwind"}
    shop.channel.save()
    shop.post("orders/paid", order(9001))
    event = shop.post(topic, redact(shop_domain="southwind.myshopify.com"))
    assert Event.objects.get(pk=event).problems[0]["code"] == "WRONG_SHOP"
    assert not PrivacyRequest.objects.exists()
    assert Channel.objects.get(pk=shop.channel.pk).status == "live"
    assert len(shop.told_of()) == 3  # with the request, which waits for a person
    shop.post(topic, redact())
    assert PrivacyRequest.objects.exists()


@pytest.mark.parametrize(
    ("credentials", "concerned"),
    [
        ({}, True),
        ({"shop": "northwind"}, True),
        ({"shop": "https://Northwind.myshopify.com/"}, True),
        ({"shop": "southwind.myshopify.com"}, False),
    ],
)
def test_the_shop_is_told_by_its_host(credentials, concerned):
    account = Account(channel="c", credentials=credentials)
    assert SHOPIFY.concerns(Request(kind="shop_redact", shop="northwind.myshopify.com"), account) is concerned
    assert SHOPIFY.concerns(Request(kind="shop_redact"), account)


# --- a customer asks what is held


def test_what_is_held_is_found_and_downloaded_by_an_administrator_only(shop):
    users = people_of(shop)
    shop.post("orders/paid", order(9001))
    shop.post("orders/paid", order(9002))
    other = shop.post("orders/paid", order(9003, GRACE))
    body = redact(orders_requested=[9001], data_request={"id": 5})
    body.pop("orders_to_redact")
    event = shop.post("customers/data_request", body)
    request = PrivacyRequest.objects.get(event_id=event)
    assert request.done == {"messages": 2, "records": 2}
    assert len(shop.told_of()) == 7  # nothing was removed: her two orders, the request; and another's order
    fields = [
        "customer.ref",
        "jurisdiction.city",
        "jurisdiction.country",
        "jurisdiction.postcode",
        "jurisdiction.region",
    ]
    assert [(o["id"], o["records"][0]["fields"]) for o in request.answer["orders"]] == [
        ("9001", fields),
        ("9002", fields),
    ]
    assert "10001" not in json.dumps(request.answer)
    url = reverse("admin:channels_privacyrequest_download", args=[request.pk])
    for role, status in (("auditor", 403), ("reviewer", 403), ("administrator", 200)):
        client = Client()
        client.force_login(users[role])
        assert client.get(url).status_code == 405
        response = client.post(url)
        assert response.status_code == status
    told = response.json()
    assert told["orders"][0]["records"][0]["fields"]["jurisdiction.postcode"] == "10001"
    assert told["orders"][0]["records"][0]["total"] == "32.66"
    downloaded = AuditRow.objects.get(object_type="privacyrequest", action="downloaded")
    assert (downloaded.actor, downloaded.object_id) == ("administrator", request.pk)
    page = client.get(reverse("admin:channels_privacyrequest_change", args=[request.pk])).content.decode()
    assert "Download what is held" in page
    assert "10001" not in page
    # she asks to be forgotten: the earlier answer no longer says which orders were hers
    shop.post("customers/redact", redact(orders=[9001]))
    request.refresh_from_db()
    assert request.answer is None
    assert client.post(url).status_code == 404
    assert set(shop.told_of()) == {("event", other), ("version", shop.versions("9003")[0].pk)}
    assert (
        "was removed" in client.get(reverse("admin:channels_privacyrequest_change", args=[request.pk])).content.decode()
    )


def people_of(shop):
    from salessync import setup

    setup.bootstrap()
    return people()


# --- the database refuses any other change of a version


def accepted(shop):
    shop.post("orders/paid", order(9001))
    shop.post("customers/data_request", redact(orders_requested=[]))
    version = shop.versions("9001")[0]
    stripped = canonical.encode(without_person(canonical.decode(bytes(version.record))))
    request = PrivacyRequest.objects.get()
    return version, stripped, request


def change(row, /, **columns):
    assignments = ", ".join(f"{name} = %s" for name in columns)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE channels_transactionversion SET {assignments} WHERE id = %s", [*columns.values(), row.pk]
        )


def redaction(record, request, **more):
    return {
        "record": record,
        "redacted_digest": hashlib.sha256(record).digest(),
        "redacted_at": datetime.now(UTC),
        "redacted_by": request.pk,
    } | more


def test_only_the_redaction_of_a_request_that_removes_is_let_through(shop):
    version, stripped, request = accepted(shop)
    with pytest.raises((DatabaseError, IntegrityError), match="append-only"):
        change(version, **redaction(stripped, request))  # it asks only to see
    request.kind = "customer_redact"
    request.save()
    other = bytes(version.record)
    foreign = PrivacyRequest.objects.create(**{
        **{f: getattr(request, f) for f in ("company_id", "received_at", "at_version", "last_version", "at_event", "last_event")},
        "channel": shop.world.till, "event_id": 0, "kind": "customer_redact",
    })  # fmt: skip
    refused = [
        {"version": "2"},
        {"record": stripped},
        redaction(stripped, request, redacted_by=request.pk + 1000),
        redaction(stripped, foreign),
        redaction(other, request),  # the person is still in it
        redaction(stripped.replace(b'"total":3266', b'"total":3267'), request),
        redaction(stripped.replace(b'"postcode":null', b'"postcode":"10002"'), request),
        redaction(stripped, request, digest=hashlib.sha256(stripped).digest()),
        redaction(stripped, request, redacted_digest=hashlib.sha256(other).digest()),
        redaction(stripped, request, event_id=0),
        redaction(stripped, request, redacted_at=None),
    ]
    for columns in refused:
        with pytest.raises((DatabaseError, IntegrityError), match="append-only"):
            change(version, **columns)
    change(version, **redaction(stripped, request))
    no_violation()
    for columns in (redaction(stripped, request), redaction(other, request), {"redacted_at": None}):
        with pytest.raises((DatabaseError, IntegrityError), match="append-only"):
            change(version, **columns)
    for statement in ("DELETE FROM channels_transactionversion", "TRUNCATE channels_transactionversion"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_changed_record_is_seen_by_verify_books_redacted_or_not(shop):
    shop.post("orders/paid", order(9001))
    shop.post("customers/redact", redact())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE channels_transactionversion DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE channels_transactionversion SET record = convert_to(replace(convert_from(record, 'UTF8'), '3266', '3267'), 'UTF8')"
        )
        cursor.execute("ALTER TABLE channels_transactionversion ENABLE TRIGGER USER")
    assert any(law.violations for law in verify.verify_books() if law.law.startswith("every record is what its digest"))


def test_the_page_of_a_sale_says_that_its_person_was_removed(shop):
    shop.post("orders/paid", order(9001))
    shop.post("customers/redact", redact())
    client = Client()
    client.force_login(people_of(shop)["auditor"])
    sold = Transaction.objects.get(source_id="9001")
    text = client.get(reverse("admin:channels_transaction_change", args=[sold.pk])).content.decode()
    assert "the person was removed on" in text
    assert bytes(shop.versions("9001")[0].digest).hex() in text
    assert "10001" not in text


# --- Bookkeeper, which has the record as it was sent


def test_what_bookkeeper_holds_from_before_is_the_same_entry(shop):
    """An answer that was lost, then a redaction, then the same entry once more: it is there already."""
    shop.post("orders/paid", order(9001))
    entry = JournalEntry.objects.get().pk
    sent = messages.of([entry])[entry]
    held = bookkeeper.Held(sent.id, sent.seq, "receipt", msgspec.json.decode(msgspec.json.encode(sent)))
    shop.post("customers/redact", redact())
    again = messages.of([entry])[entry]
    assert bytes(again.record) != bytes(sent.record)
    assert bookkeeper.same_entry(again, held)
    other = msgspec.structs.replace(again, record=msgspec.Raw(bytes(again.record).replace(b"3266", b"3267")))
    assert not bookkeeper.same_entry(other, held)
    assert not bookkeeper.same_entry(sent, msgspec.structs.replace(held, entry=held.entry | {"record": {"type": "?"}}))
    assert not bookkeeper.same_entry(sent, msgspec.structs.replace(held, entry={}))


# --- at the same time


@pytest.mark.usefixtures("committed_db")
def test_no_sale_slips_past_a_request_in_another_worker(monkeypatch):
    """One worker has read whom to forget and not stored the sale yet, when another takes the request."""
    monkeypatch.setattr(nudge, "nudge", lambda task: True)
    shop = Shop(World())
    shop.post("orders/paid", order(9001), process=False)
    read, asked, store = threading.Event(), threading.Event(), transactions.store

    def slowly(arrivals):
        read.set()
        asked.wait(1.0)
        return store(arrivals)

    def work(*, first):
        try:
            if not first:
                read.wait(10)
                shop.post("customers/redact", redact(), process=False)
            pipeline.run_batch()
            if not first:
                asked.set()
        finally:
            connection.close()

    monkeypatch.setattr(transactions, "store", slowly)
    workers = [threading.Thread(target=work, kwargs={"first": first}) for first in (True, False)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    monkeypatch.setattr(transactions, "store", store)
    while pipeline.run_batch():
        pass
    assert PrivacyRequest.objects.get().done_at is not None
    assert len(shop.versions("9001")) == 1
    assert shop.told_of() == []
