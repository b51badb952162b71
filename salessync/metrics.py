"""Prometheus figures, read from the database when asked, so that any web process gives the same answer.

Counts only what is unfinished: finished rows are many, and counting them would cost more than it tells.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from django.db import DatabaseError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from channels import coverage, inbox
from channels.condition import State, Summary
from channels.models import Channel, Event
from inventory import push
from ledger import differences, open_items, summaries
from ledger.models import Delivery
from salessync import sealing
from tax.models import TaxDifference

INBOX_STATES = [state for state in Event.State if state not in (Event.State.POSTED, Event.State.IGNORED)]
OUTBOX_STATES = [state for state in Delivery.State if state != Delivery.State.ACKNOWLEDGED]


class DatabaseCollector(Collector):
    """Read at scrape time."""

    def collect(self) -> Iterator[Metric]:
        counts, oldest = inbox.depth()
        yield _by_state("salessync_inbox_events", "Events that are not finished", INBOX_STATES, counts)
        yield _oldest_age(oldest)
        undelivered = Delivery.objects.filter(state__in=OUTBOX_STATES).order_by().values_list("state")
        counts = dict(undelivered.annotate(n=Count("*")))
        yield _by_state("salessync_outbox_deliveries", "Entries Bookkeeper lacks", OUTBOX_STATES, counts)
        yield from _coverage(coverage.summary(coverage.stands(list(Channel.objects.all())).values()))
        yield from _books()

    def describe(self) -> list[Metric]:
        return []  # otherwise registering it would read the database


def view(request: HttpRequest) -> HttpResponse:
    """Open to everybody who reaches the port; holds no names and no amounts."""
    try:
        return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    except DatabaseError:
        return HttpResponse("the database does not answer\n", status=503, content_type="text/plain")


def _by_state(name: str, text: str, states: list[str], counts: dict[str, int]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=["state"])
    for state in states:
        metric.add_metric([str(state)], counts.get(str(state), 0))
    return metric


def _coverage(found: Summary) -> Iterator[Metric]:
    """The shares are left out where there is nothing to share."""
    counts = {str(state): count for state, count in found.counts.items()}
    yield _by_state("salessync_channels", "Channels by condition", list(State), counts)
    if found.share is not None:
        yield GaugeMetricFamily("salessync_channel_coverage", "Share of the channels that are live", value=found.share)
    if found.volume is not None:
        text = "Share of what four weeks bring that comes by live channels"
        yield GaugeMetricFamily("salessync_channel_volume_coverage", text, value=found.volume)


def _books() -> Iterator[Metric]:
    """What the books still wait for: Bookkeeper's answer, a payout, a summary, a seal."""
    kinds = {str(kind): count for kind, count in differences.open_counts().items()}
    yield _by_label(
        "salessync_bookkeeper_differences", "Where Bookkeeper does not hold what it was sent", "kind", kinds
    )
    count: dict[str, float] = defaultdict(int)
    oldest: dict[str, float] = defaultdict(int)
    for _, state in open_items.states(today=timezone.now().date()):
        count[state.account] += state.items
        oldest[state.account] = max(oldest[state.account], state.oldest)
    yield _by_label("salessync_clearing_open_items", "What processors owe and no payout has paid", "account", count)
    yield _by_label("salessync_clearing_oldest_days", "Age of the oldest open item", "account", oldest)
    text = "Sales that no summary entry has taken in yet"
    yield GaugeMetricFamily("salessync_summary_pending", text, value=sum(summaries.pending().values()))
    taxes = TaxDifference.objects.filter(state="open").order_by().values_list("verdict")
    text = "Sales and refunds whose tax is not what it should be"
    yield _by_label("salessync_tax_differences", text, "verdict", dict(taxes.annotate(n=Count("*"))))
    lags = {lag.channel_id: lag for lag in push.lags()}
    slugs = dict(Channel.objects.filter(pk__in=lags).values_list("pk", "slug"))
    for name, text, field in (
        ("salessync_stock_pushes_due", "Listings whose level is still to be told", "due"),
        ("salessync_stock_pushes_failed", "Listings that refuse their level", "failed"),
        ("salessync_stock_push_oldest_seconds", "Age of the oldest level that is due", "oldest_seconds"),
    ):
        values = {slugs.get(id_, str(id_)): getattr(lag, field) or 0 for id_, lag in lags.items()}
        yield _by_label(name, text, "channel", values)
    unsealed = sealing.backlog()
    rows = {"audit": unsealed.audit_rows, "journal": unsealed.entries}
    yield _by_label("salessync_unsealed", "Rows that no seal covers yet", "chain", rows)


def _by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=[label])
    for word, value in sorted(values.items()):
        metric.add_metric([word], value)
    return metric


def _oldest_age(oldest: datetime | None) -> Metric:
    age = (timezone.now() - oldest).total_seconds() if oldest else 0.0
    return GaugeMetricFamily(
        "salessync_inbox_oldest_seconds", "Age of the oldest event that is due", value=max(age, 0.0)
    )


registry = CollectorRegistry()
registry.register(DatabaseCollector())
