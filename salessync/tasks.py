"""Every Celery task: a few lines, one call. A task carries no facts; losing one loses nothing."""

from django.db import close_old_connections

from channels import fetching, poll
from ledger import outbox
from salessync import pipeline
from salessync.celery import app


@app.task
def drain_inbox() -> None:
    """Sent when something was captured, and by beat for what nobody nudged for or is due again."""
    close_old_connections()
    pipeline.drain()


@app.task
def read_vendors() -> None:
    """Sent by beat: lists whose turn it is, live before backfill."""
    close_old_connections()
    poll.read_due(seconds=45)


@app.task
def fetch_objects() -> None:
    """Sent by beat and when an event named an object only."""
    close_old_connections()
    fetching.fetch_due(seconds=45)


@app.task
def push_outbox() -> None:
    """Sent when something was posted, and by beat for what is due again."""
    close_old_connections()
    outbox.push_all_due(seconds=10)
