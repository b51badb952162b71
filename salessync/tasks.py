"""Every Celery task: a few lines, one call. A task carries no facts; losing one loses nothing."""

from datetime import UTC, datetime

from django.db import close_old_connections

from channels import completeness, fetching, poll, subscriptions
from ledger import outbox
from salessync import pipeline
from salessync.celery import app


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
    """Sent by beat each hour: the webhook subscriptions of the channels whose hour it is."""
    close_old_connections()
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
