"""localstripe's payments: by polling, and by the events that it sends to the real endpoint; charges, refunds and payouts are its own."""

import threading
import time
from datetime import UTC, datetime
from wsgiref.simple_server import WSGIRequestHandler

import pytest
import requests
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.db import connection

from channels import canonical, fetching, poll, wishes
from channels.client import Pointer
from channels.models import Event, Fetch, Reading, Transaction
from channels.refund import RefundLine, RefundTender
from ledger import accounts
from tests import records
from tests.peers.disputes import INQUIRY, LOST_TO_FRAUD, NOT_RECEIVED, running_disputes
from tests.peers.installing import Unavailable
from tests.peers.localstripe import DECLINED, KEY, running_localstripe
from tests.worlds import World

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore:No directory at")]  # of static files, unused here

SECRET = "whsec_peer"


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def stripe(tmp_path):
    try:
        with running_localstripe(tmp_path) as running:
            yield running
    except Unavailable as reason:
        pytest.skip(f"localstripe: {reason}")


@pytest.fixture
def address(committed_db):
    """Our web server, where events arrive."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Merchant:
    """A till, whose sales are paid at Stripe, and the channel of the Stripe account."""

    def __init__(self, stripe):
        self.stripe = stripe
        self.world = World(currency="EUR", stock="MUG,1000")
        self.channel = self.world.channel("stripe", "stripe")
        self.channel.credentials = {"secrets": [SECRET], "token": KEY, "base_url": stripe.url}
        self.channel.save()
        self.customer = stripe.customer()
        self.sales = {}

    def sell(self, number, amount):
        """An open order of the till, and its payment."""
        name = f"order-{number}"
        line = records.line(price=amount, taxes=())
        order = records.sale([line], None, id_=name, status="open", payment_status="pending", currency="EUR")
        self.world.capture(order)
        charge = self.stripe.make(
            "charges", amount=amount, currency="eur", customer=self.customer, metadata={"order_id": name}
        )
        self.sales[charge["id"]] = name
        return charge["id"]

    def give_back(self, charge, amount):
        """The till's refund, and the processor's."""
        made = self.stripe.make("refunds", charge=charge, amount=amount)
        tender = RefundTender(id=made["id"], parent=charge, type="card", amount=amount)
        self.world.capture(
            records.refund(
                [RefundLine(type="adjustment", net=amount)],
                [tender],
                id_=f"back-{made['id']}",
                of=self.sales[charge],
                currency="EUR",
            )
        )

    def read(self):
        """All lists to their end, and what came of them processed."""
        poll.wish_now(self.channel)
        poll.read_due(seconds=120)
        self.world.process()
        assert {r.error for r in Reading.objects.filter(channel=self.channel)} == {""}
        assert set(self.world.states()) <= {"posted", "waiting", "ignored"}

    def held(self, kind):
        """source id → the record that stands."""
        return records_of(self.channel, kind)


def records_of(channel, kind):
    """source id → the record that stands."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.source_id, v.record FROM channels_transaction t JOIN channels_transactionversion v"
            " ON v.id = t.version_id WHERE t.channel_id = %s AND t.type = %s",
            [channel.pk, kind],
        )
        return {source_id: canonical.decode(bytes(record)) for source_id, record in cursor.fetchall()}


def agrees(merchant):
    """Each charge, refund and payout of the account once, with its state and amounts."""
    charges, refunds, payouts = (merchant.stripe.all(kind) for kind in ("charges", "refunds", "payouts"))
    assert {i: (state_of(r), r.amount, r.captured) for i, r in merchant.held("charge").items()} == {
        c["id"]: (told(c), c["amount"], c["amount"] if c["captured"] and c["status"] == "succeeded" else 0)
        for c in charges
    }
    assert {i: (r.status, r.totals.total, r.charge) for i, r in merchant.held("refund").items()} == {
        r["id"]: ("succeeded", r["amount"], r["charge"]) for r in refunds
    }
    assert {i: (r.status, r.amount) for i, r in merchant.held("payout").items()} == {
        p["id"]: (p["status"].replace("canceled", "cancelled"), p["amount"]) for p in payouts
    }


def state_of(charge):
    return "authorized" if charge.status == "voided" else charge.status  # localstripe's charge does not tell a release


def told(charge):
    if charge["status"] == "succeeded":
        return "captured" if charge["captured"] else "authorized"
    return charge["status"]


def clearing(merchant):
    return merchant.world.balances().get(accounts.clearing(merchant.channel.slug), 0)


def balance(merchant):
    """What the account's own ledger holds for the till's orders, less what it has paid out."""
    refunds = {r["id"]: r["charge"] for r in merchant.stripe.all("refunds")}
    rows = merchant.stripe.all("balance_transactions")
    held = sum(row["net"] for row in rows if refunds.get(row["source"], row["source"]) in merchant.sales)
    return held - sum(p["amount"] for p in merchant.stripe.all("payouts") if p["status"] == "paid")


def test_polled_charges_refunds_and_payouts_are_the_account_s_own(stripe, committed_db):
    merchant = Merchant(stripe)
    sold = [merchant.sell(n, 1000 + 7 * n) for n in range(105)]  # more than a page
    merchant.give_back(sold[0], 1000)  # all
    merchant.give_back(sold[1], 300)
    merchant.give_back(sold[1], 250)
    of_nobody = {"currency": "eur", "customer": merchant.customer}
    held = [stripe.make("charges", amount=5000 + n, capture="false", **of_nobody)["id"] for n in range(3)]
    stripe.make(f"charges/{held[0]}/capture")
    stripe.make("charges", amount=777, currency="eur", source=stripe.card(DECLINED), accepts=402)
    debit = stripe.make("charges", amount=888, currency="eur", source=stripe.debit())
    assert debit["status"] == "succeeded" and debit["balance_transaction"] is None
    for amount, status in ((9000, "pending"), (9100, "paid"), (9200, "failed")):
        stripe.make("payouts", amount=amount, currency="eur", status=status)
    merchant.read()
    agrees(merchant)
    assert len(merchant.held("charge")) == 110 and len(merchant.held("refund")) == 3
    assert clearing(merchant) == balance(merchant) > 0

    time.sleep(1.1)  # localstripe's clock is of whole seconds
    merchant.give_back(sold[2], 400)
    stripe.make(f"charges/{held[1]}/capture", amount=2000)
    payout = next(p for p in stripe.all("payouts") if p["status"] == "pending")
    stripe.make(f"payouts/{payout['id']}/cancel")
    merchant.read()
    agrees(merchant)
    assert len(merchant.held("refund")) == 5  # what was not captured is one
    assert clearing(merchant) == balance(merchant)
    merchant.read()
    assert Transaction.objects.filter(channel=merchant.channel).count() == 110 + 5 + 3


def test_events_that_localstripe_signs_and_polling_bring_each_payment_once(stripe, address):
    merchant = Merchant(stripe)
    stripe.send_events_to(f"{address}/webhooks/{merchant.channel.slug}", SECRET)
    intent = {"currency": "eur", "payment_method": stripe.card(), "confirm": "true"}
    for n in range(5):
        stripe.make("payment_intents", amount=2000 + n, **intent)
    later = stripe.make("payment_intents", amount=3000, capture_method="manual", **intent)
    stripe.make(f"payment_intents/{later['id']}/capture")
    part = stripe.make("payment_intents", amount=3100, capture_method="manual", **intent)
    stripe.make(f"payment_intents/{part['id']}/capture", amount_to_capture=1100)
    never = stripe.make("payment_intents", amount=3200, capture_method="manual", **intent)
    stripe.make(f"payment_intents/{never['id']}/cancel")
    stripe.make("payment_intents", amount=3300, **{**intent, "payment_method": stripe.card(DECLINED)}, accepts=402)
    stripe.make("payouts", amount=9100, currency="eur", status="paid")
    wait_for_events(merchant)
    merchant.world.process()
    came = merchant.held("charge")
    assert sorted(c.captured for c in came.values()) == [0, 2000, 2001, 2002, 2003, 2004, 3000, 3100]
    assert [(p.status, p.amount) for p in merchant.held("payout").values()] == [("paid", 9100)]

    merchant.read()
    agrees(merchant)
    assert len(merchant.held("charge")) == len(came) + 1  # of what was never captured no event tells
    voided = [c.amount for c in merchant.held("charge").values() if c.status == "voided"]
    assert voided == [3200]
    webhooks = Event.objects.filter(channel=merchant.channel, mode="webhook")
    assert sorted(e.dedupe_key.partition(":")[0] for e in webhooks) == sorted(e["id"] for e in stripe.all("events"))


def test_an_event_with_another_secret_is_refused(stripe, address):
    merchant = Merchant(stripe)
    stripe.send_events_to(f"{address}/webhooks/{merchant.channel.slug}", "whsec_of_somebody_else")
    stripe.make("payouts", amount=9100, currency="eur", status="paid")
    time.sleep(2.5)
    assert stripe.all("events") and not Event.objects.exists()
    assert requests.post(f"{address}/webhooks/{merchant.channel.slug}", data=b"{}", timeout=5).status_code == 401


@pytest.fixture
def disputed(tmp_path):
    try:
        with running_disputes(tmp_path) as running:
            yield running
    except Unavailable as reason:
        pytest.skip(f"stripe-stateful-mock: {reason}")


def dispute_that_comes(disputed, charge):
    """The buyer disputes a moment after the charge."""
    deadline = time.monotonic() + 20
    while (dispute := disputed.get(f"charges/{charge}")["dispute"]) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return dispute


def test_disputes_are_the_account_s_own(disputed, committed_db):
    world = World()
    channel = world.channel("stripe", "stripe")
    channel.credentials = {"token": KEY, "base_url": disputed.url}
    channel.save()
    theirs = {}
    for amount, token in ((2500, LOST_TO_FRAUD), (2600, NOT_RECEIVED), (2700, INQUIRY)):
        charge = disputed.make("charges", amount=amount, currency="usd", source=token)["id"]
        dispute = disputed.get(f"disputes/{dispute_that_comes(disputed, charge)}")
        theirs[dispute["id"]] = dispute
    wishes.wish([wishes.Wish(channel.pk, Pointer("dispute", one)) for one in [*theirs, "dp_none"]])
    assert fetching.fetch_due() == 3
    world.process()
    assert world.states() == {"posted": 3}
    assert sorted(dispute_of(i, d) for i, d in records_of(channel, "dispute").items()) == sorted(
        (i, d["charge"], d["amount"], sum(b["fee"] for b in d["balance_transactions"]), kind(d), "needs_response")
        for i, d in theirs.items()
    )
    assert [f.state for f in Fetch.objects.filter(object_id="dp_none")] == ["absent"]


def dispute_of(source_id, dispute):
    return source_id, dispute.tender_reference, dispute.amount, dispute.fee, dispute.kind, dispute.state


def kind(dispute):
    return "inquiry" if dispute["status"].startswith("warning_") else "chargeback"


def wait_for_events(merchant):
    """localstripe sends each a second after it happened, once."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if Event.objects.filter(channel=merchant.channel, mode="webhook").count() == len(merchant.stripe.all("events")):
            return
        time.sleep(0.2)
    raise AssertionError(f"not all events came by {datetime.now(UTC)}")
