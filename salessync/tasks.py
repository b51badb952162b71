"""Every Celery task: a few lines, one call. A task carries no facts; losing one loses nothing."""

from datetime import UTC, datetime

from django.db import close_old_connections

from channels import completeness, fetching, missed, poll, subscriptions
from inventory import drift, push, reservations
from ledger import balances, open_items, outbox, readback, rebuild, subscribers, summaries
from salessync import pipeline, sealing
from salessync.api import idempotency
from salessync.celery import app
from tax.assessment import second_opinions
from tax.seller import nexus_watch


@app.task
def drain_inbox() -> None:
    """Sent when something was captured, and by beat for what nobody nudged for or is due again."""
    close_old_connections()
    pipeline.drain()


@app.task(
    soft_time_limit=240, time_limit=270
)  # a page of a vendor that is asked for each of its rows takes half a minute
def read_vendors() -> None:
    """Sent by beat: lists whose turn it is, live before backfill."""
    close_old_connections()
    poll.read_due(seconds=45)


@app.task
def check_subscriptions() -> None:
    """Sent by beat each hour: the webhook subscriptions of the channels whose hour it is, and what was missed without them."""
    close_old_connections()
    missed.report()
    subscriptions.check_due(hour=datetime.now(UTC).hour)


@app.task(soft_time_limit=240, time_limit=270)
def check_totals() -> None:
    """Sent by beat and by a person: each day's totals beside the vendor's, and what we lack into the inbox."""
    close_old_connections()
    completeness.check_due(seconds=45)


@app.task(soft_time_limit=240, time_limit=270)
def fetch_objects() -> None:
    """Sent by beat and when an event named an object only."""
    close_old_connections()
    fetching.fetch_due(seconds=45)


@app.task
def push_outbox() -> None:
    """Sent when something was posted, and by beat for what is due again."""
    close_old_connections()
    outbox.push_all_due(seconds=10)


@app.task
def post_summaries() -> None:
    """Sent by beat: one entry for the sales of each day that is over, and of each payout that has come, where a channel wants it so."""
    close_old_connections()
    summaries.post_due(datetime.now(UTC))


@app.task(soft_time_limit=240, time_limit=270)
def rebuild_books() -> None:
    """Sent by beat: what administrators asked for when they changed an account rule."""
    close_old_connections()
    rebuild.run_due(seconds=45)


@app.task
def roll_sums() -> None:
    """Sent by beat: the sums that reports are made of, and the open items of the clearing accounts, up to the newest entry."""
    close_old_connections()
    balances.roll_all(at_least=500, seconds=10)
    open_items.roll_all()


@app.task
def seal_audit() -> None:
    """Sent by beat: what has been written to the audit trail and the journal becomes part of their chains."""
    close_old_connections()
    sealing.seal_due(seconds=20)


@app.task(soft_time_limit=240, time_limit=270)
def tell_subscribers() -> None:
    """Sent by beat and when something was posted: webhooks to those who subscribed."""
    close_old_connections()
    subscribers.push_due(seconds=20)


@app.task(soft_time_limit=240, time_limit=270)
def read_bookkeeper_back() -> None:
    """Sent by beat: what Bookkeeper holds beside what it was sent, a piece at a time."""
    close_old_connections()
    readback.roll(seconds=30)


@app.task
def forget_answers() -> None:
    """Sent by beat once a day: answers of the API that nobody will ask for again."""
    close_old_connections()
    while idempotency.purge():
        pass


@app.task(soft_time_limit=240, time_limit=270)
def watch_nexus() -> None:
    """Sent by beat each night: how near each company's sales come to the thresholds of states where it is not registered."""
    close_old_connections()
    nexus_watch.count_all()


@app.task(soft_time_limit=240, time_limit=270)
def consult_tax_providers() -> None:
    """Sent by beat: sales of companies that have an outside tax service, compared with what it says."""
    close_old_connections()
    second_opinions.ask_due(seconds=45)


@app.task(soft_time_limit=240, time_limit=270)
def push_stock() -> None:
    """Sent when levels changed, and by beat for what is due again."""
    close_old_connections()
    push.run(seconds=20, found=drift.found)


@app.task
def expire_reservations() -> None:
    """Sent by beat: units held for carts whose time is over are let go."""
    close_old_connections()
    while reservations.expire(now=datetime.now(UTC)):
        pass
