"""Every Celery task: a few lines, one call. A task carries no facts; losing one loses nothing."""

from django.db import close_old_connections
from django.db.models.functions import Now

from channels.models import Event
from ledger import outbox
from ledger.models import Delivery
from salessync import pipeline
from salessync.celery import app


@app.task
def drain_inbox() -> None:
    """Sent when something was captured."""
    close_old_connections()
    pipeline.drain()


@app.task
def push_outbox() -> None:
    """Sent when something was posted."""
    close_old_connections()
    outbox.push_all_due(seconds=10)


@app.task
def sweep_inbox() -> None:
    """Sent by beat: what nobody nudged for, and what is due again."""
    close_old_connections()
    if Event.objects.filter(state__in=[Event.State.NEW, Event.State.CLAIMED], next_attempt_at__lte=Now()).exists():
        pipeline.drain()


@app.task
def sweep_outbox() -> None:
    """Sent by beat: deliveries that are due again."""
    close_old_connections()
    if Delivery.objects.filter(state=Delivery.State.DUE, next_attempt_at__lte=Now()).exists():
        outbox.push_all_due(seconds=10)
