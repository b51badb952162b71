"""The story of a sale, as its page tells it."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from channels.charge import Charge
from channels.models import Channel, Event, Transaction
from channels.record import Card
from inventory import catalog
from ledger import summaries
from ledger.models import Delivery
from salessync import timeline
from salessync.core import audit
from tests.records import (
    START,
    back,
    card,
    cash_session,
    charge,
    dispute,
    line,
    manual,
    payout,
    payout_line,
    refund,
    sale,
    source,
)  # fmt: skip
from tests.worlds import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    found = World()
    found.pay = found.channel(f"pay-{found.company.slug}", "standard")
    return found


def stored(world, source_id, kind="sale"):
    return Transaction.objects.get(company_id=world.company.pk, type=kind, source_id=source_id)


def steps(story, of="sale"):
    """name → step, of the newest version of the member."""
    version = [v for v in story.versions if v.transaction.type == of][-1]
    return {step.name: step for step in version.steps}


def test_a_shops_own_charge_is_shown_with_the_processor_that_the_books_clear_it_with(world):
    told = Charge(
        source=source("c1"), occurred_at=START, timezone="UTC", business_date=START.date(), currency="USD",
        order_reference="S1", tender_type="card", status="captured", amount=1040, captured=1040,
        card=Card(brand="visa", last4="4242"), extensions={"standard": {"processor": "stripe"}},
    )  # fmt: skip
    world.send(sale([line()], None), told)
    story = timeline.of(Transaction.objects.get(channel=world.till, type="sale"))
    [tender] = [tender for member in story.members for tender in member.tenders]
    assert (tender["processor"], tender["card"]) == ("stripe", "visa 4242")
    assert world.balances()["Assets:Clearing:Stripe"] == 1040


def test_every_stage_has_its_time_and_who_did_it(world):
    catalog.import_catalog(company=world.company, text="sku,cost,quantity\nMUG,4.50,100\n")
    [event] = world.send(sale([line(units=2)], [card(2040, reference="ch_1")]))
    before = steps(timeline.of(stored(world, "S1")))
    assert list(before) == ["Received", "Stored", "Checked", "Taxed", "Stock", "Posted", "Delivered", "Acknowledged"]
    assert (before["Acknowledged"].at, before["Delivered"].note) == (None, "not yet: due")
    now = datetime(2026, 9, 2, tzinfo=UTC)
    Delivery.objects.filter(company_id=world.company.pk).update(
        state="acknowledged", acknowledgement="BK-1", acknowledged_at=now, attempts=2, seen_at=now
    )
    world.send(payout([payout_line("charge", 2040, 60, "ch_1")], processor=world.pay.slug), channel=world.pay)
    found = steps(timeline.of(stored(world, "S1")))
    row = Event.objects.get(pk=event)
    assert {name: (step.at, step.by, step.note) for name, step in found.items() if name not in ("Checked", "Taxed", "Stock")} == {
        "Received": (row.received_at, world.till.slug, "Webhook sale"),
        "Stored": (row.stored_at, "capture", ""),
        "Posted": (row.finished_at, "pipeline", "entry 1"),
        "Delivered": (now, "outbox", "at attempt 2"),
        "Acknowledged": (now, "Bookkeeper", "BK-1"),
        "Read back": (now, "Bookkeeper", "it holds what was sent"),
        "Payout": (stored(world, "po_1", "payout").occurred_at, world.pay.slug, "po_1: 19.80 USD of 19.80 USD"),
    }  # fmt: skip
    assert [(found[name].by, found[name].note) for name in ("Checked", "Taxed", "Stock")] == [
        ("pipeline", "every check holds"), ("pipeline", "1 tax code, 0.40 USD; compared with the law: rate mismatch"), ("pipeline", "−2 MUG"),
    ]  # fmt: skip
    at = [found[name].at for name in ("Received", "Stored", "Checked", "Taxed", "Stock", "Posted")]
    assert at == sorted(at) and all(at)


def test_each_leg_leads_to_its_place_in_the_record_on_the_page(world):
    world.send(sale([line("669", units=2)]))
    story = timeline.of(stored(world, "S1"))
    legs = {leg.path: leg for leg in story.entries[0].legs}
    assert (legs["lines/669/gross"].says, legs["tenders/t1"].says) == ("20.00 USD", "20.40 USD")
    [version] = story.versions
    anchors = {f"v{version.version.pk}-{line.path}" for line in version.record if line.path}
    assert {leg.anchor for leg in legs.values()} <= anchors
    assert legs["lines/669/gross"].anchor.endswith("-lines[0].gross")


def test_disputes_payouts_and_what_people_did_belong_to_the_story(world):
    sold = line("669", units=2)
    world.send(
        sale([sold], [card(2040, reference="ch_1")]),
        refund([back(sold, units=1, net=1000, tax=20)], id_="R1", minutes=5),
    )
    lines = [payout_line("charge", 2040, 60, "ch_1"), payout_line("charge", 700, 0, "another")]
    world.send(charge(2040, fee=60), dispute(500, fee=1500), payout(lines, processor=world.pay.slug), channel=world.pay)
    audit.record([(world.company.pk, "anna", "asked", "transaction", stored(world, "S1").pk, {"why": "a call"})])
    for kind, id_ in (("sale", "S1"), ("refund", "R1"), ("charge", "ch_1"), ("dispute", "dp_1")):
        story = timeline.of(stored(world, id_, kind))
        assert [m.transaction.type for m in story.members] == ["sale", "charge", "refund", "dispute"], kind
        assert steps(story)["Payout"].note == steps(story, "charge")["Payout"].note == "po_1: 19.80 USD of 26.80 USD"
        assert "Payout" not in steps(story, "refund")
    assert ("Disputed", "5.00 USD") in story.members[-1].facts
    [paid] = story.payouts
    assert (paid.net, paid.total, len(paid.lines)) == ("19.80 USD", "26.80 USD", 1)
    assert [entry.more for entry in paid.entries] == [1]  # what it pays to others
    assert {row.actor for row in story.audit} == {"pipeline", "anna"}
    assert story.net == ["10.20 USD"]
    [first, other] = timeline.of(stored(world, "po_1", "payout")).pays
    assert (first["of"].source_id, first["sale"].source_id, other["of"]) == ("ch_1", "S1", None)


def test_a_long_payout_is_shown_as_far_as_a_page_goes(world, monkeypatch):
    monkeypatch.setattr(timeline.chains, "PAGE", timeline.chains.Limits(lines=3, postings=4))
    lines = [payout_line("charge", 100, 3, f"ch_{n}") for n in range(5)]
    world.send(payout(lines, processor=world.pay.slug), channel=world.pay)
    story = timeline.of(stored(world, "po_1", "payout"))
    assert len(story.pays) == 3
    [entry] = story.entries
    assert len(entry.legs) == 4 and entry.more == entry.row.legs - 4 > 0


def test_every_kind_of_transaction_has_its_page(world, client):
    books = Channel.objects.create(
        company=world.company, slug=f"books-{world.company.slug}", adapter="books", currency="USD"
    )
    world.send(manual([("Assets:Bank:Main", 500), ("Equity:Opening-balances", -500)]), channel=books)
    world.send(cash_session(takings=5000, counted=14900, movements=[("paid_out", 50)]))
    world.send(dispute(500), payout(None, amount=100, processor=world.pay.slug), channel=world.pay)
    Channel.objects.filter(pk=world.till.pk).update(posting_mode="day")
    world.send(sale([line()], id_="S2"))
    pending = timeline.of(stored(world, "S2"))
    assert (pending.entries[0].summarized, pending.entries[0].entry) == (True, None)
    assert steps(pending)["Posted"].note == "gathered, for the next summary"
    summaries.post_due(datetime(2027, 1, 1, tzinfo=UTC))
    assert steps(timeline.of(stored(world, "S2")))["Posted"].note.startswith("in summary ")
    User.objects.create_superuser("root", password="secret")
    client.login(username="root", password="secret")
    found = Transaction.objects.filter(company_id=world.company.pk)
    assert set(found.values_list("type", flat=True)) == {
        "manual",
        "cash_session",
        "dispute",
        "payout",
        "sale",
        "summary",
    }
    for transaction in found:
        page = client.get(reverse("admin:channels_transaction_change", args=[transaction.pk]))
        assert page.status_code == 200 and "Timeline" in page.content.decode(), transaction.type
