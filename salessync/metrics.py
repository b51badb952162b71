"""Prometheus figures, read from the database when asked, so that any web process gives the same answer.

Counts only what is unfinished: finished rows are many, and counting them would cost more than it tells.
"""

from collections.abc import Iterator

from django.db import DatabaseError
from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from channels.models import Event
from ledger.models import Delivery

INBOX_STATES = [state for state in Event.State if state not in (Event.State.POSTED, Event.State.IGNORED)]
INBOX_DUE = [Event.State.NEW, Event.State.CLAIMED]
OUTBOX_STATES = [state for state in Delivery.State if state != Delivery.State.ACKNOWLEDGED]


class DatabaseCollector(Collector):
    """One query a figure, at scrape time."""

    def collect(self) -> Iterator[Metric]:
        yield _by_state("salessync_inbox_events", "Events that are not finished", Event, INBOX_STATES)
        yield _oldest_age()
        yield _by_state("salessync_outbox_deliveries", "Entries Bookkeeper lacks", Delivery, OUTBOX_STATES)

    def describe(self) -> list[Metric]:
        return []  # otherwise registering it would read the database


def view(request: HttpRequest) -> HttpResponse:
    """Open to everybody who reaches the port; holds no names and no amounts."""
    try:
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    except DatabaseError:
        return HttpResponse("the database does not answer\n", status=503, content_type="text/plain")


def _by_state(name: str, text: str, model: type[Event | Delivery], states: list[str]) -> Metric:
    rows = model.objects.filter(state__in=states).order_by().values_list("state").annotate(n=Count("*"))
    counts = dict(rows)
    metric = GaugeMetricFamily(name, text, labels=["state"])
    for state in states:
        metric.add_metric([str(state)], counts.get(str(state), 0))
    return metric


def _oldest_age() -> Metric:
    oldest = Event.objects.filter(state__in=INBOX_DUE).aggregate(at=Min("received_at"))["at"]
    age = (timezone.now() - oldest).total_seconds() if oldest else 0.0
    return GaugeMetricFamily(
        "salessync_inbox_oldest_seconds", "Age of the oldest event that is due", value=max(age, 0.0)
    )


registry = CollectorRegistry()
registry.register(DatabaseCollector())
