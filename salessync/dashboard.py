"""The home page's figures: revenue, latency, coverage, depths. Each by one query that an index or a limit bounds."""

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest

from channels import adapter as adapters
from channels import coverage, inbox
from channels.admin.channel import CONDITION_COLOURS
from channels.condition import State
from channels.models import Channel
from ledger import balances
from ledger.models import Account
from salessync.core import dates
from salessync.core.models import Company
from salessync.core.money import to_major
from salessync.core.screens import between, money, remembered, span

logger = logging.getLogger(__name__)

T = TypeVar("T")

WAIT_SECONDS = 5.0  # for a long journal that is added up for the first time
CHART_DAYS = 14
EARLIER = date.min  # the day under which all is counted that is older than the chart
CHART_DAYS_AT_LEAST = 3  # with revenue, for a chart by day to tell something
LATEST = 1000  # events and deliveries that the percentiles are taken from

PALETTE = (
    "#7c3aed",
    "#0ea5e9",
    "#10b981",
    "#f59e0b",
    "#ef4444",
    "#6366f1",
    "#14b8a6",
    "#84cc16",
    "#ec4899",
    "#64748b",
)


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What templates/admin/index.html shows."""
    context["title"] = "Home"
    if not request.user.has_perm("channels.view_transaction"):
        return context
    now = datetime.now(UTC)
    channels = list(Channel.objects.select_related("company").order_by("slug"))
    sums, reading = {}, False
    try:
        companies = balances.catch_up_all(seconds=WAIT_SECONDS)
        sums = _or(dict, lambda: _revenue(companies, channels, now))
    except balances.StillRolling:
        reading = True
    except DatabaseError:
        logger.exception("the balances could not be rolled forward")
    return context | {
        "revenue": _revenue_rows(channels, sums, now),
        "totals": _totals(channels, sums, now),
        "reading": reading,
        "chart": _chart(channels, sums, now),
        "posting": _or(dict, _webhook_to_posted),
        "delivering": _or(dict, _posted_to_acknowledged),
        **_coverage([c for c in channels if coverage.expected(c)], now),
        "inbox": _or(dict, lambda: _inbox(now)),
        "outbox": _or(dict, lambda: _outbox(now)),
        "problems": _or(list, _quarantine_by_code),
        "stock": _or(dict, _stock),
    }


def _or(empty: Callable[[], T], figure: Callable[[], T]) -> T:
    """A figure that takes too long is left out; the page comes all the same."""
    try:
        with transaction.atomic():
            return figure()
    except DatabaseError:
        logger.exception("a figure of the home page could not be read")
        return empty()


def _rows(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


# --- revenue: what stands on Income accounts, contra accounts and refunds taken off

RevenueSums = dict[tuple[int, str], dict[date, tuple[int, int]]]  # channel and currency → business day → amounts


def _today(channel: Channel, now: datetime) -> date:
    return dates.business_date(now, channel.timezone, channel.day_cut_hour)


def _revenue(companies: Sequence[Company], channels: Sequence[Channel], now: datetime) -> RevenueSums:
    """What was credited to Income accounts, less what was debited; all that is older than the chart under one day."""
    found: RevenueSums = {}
    first = min(_today(c, now) for c in channels) - timedelta(days=CHART_DAYS) if channels else now.date()
    income = list(Account.objects.filter(kind=Account.Kind.INCOME).values_list("pk", flat=True))
    before = balances.Period(last=first - timedelta(days=1))
    for company in companies:
        for period, by in ((before, ["channel_id"]), (balances.Period(first=first), ["channel_id", "day"])):
            for total in balances.by_dimensions(company=company, by=by, period=period, accounts=income):
                channel_id, day = (*total.by, EARLIER)[:2]
                days = found.setdefault((channel_id, total.currency), {})
                days[day] = (total.credit - total.debit, -total.base)
    return found


def _spans(days: dict[date, tuple[int, int]], today: date) -> list[tuple[int, int]]:
    """(amount, base amount) of today, of the last seven days, of all."""
    week = [values for day, values in days.items() if today - timedelta(days=6) <= day <= today]
    chosen = ([days.get(today, (0, 0))], week, list(days.values()))
    return [(sum(amount for amount, _ in values), sum(base for _, base in values)) for values in chosen]


def _revenue_rows(channels: Sequence[Channel], sums: RevenueSums, now: datetime) -> list[dict[str, Any]]:
    rows = []
    for channel in channels:
        for (channel_id, currency), days in sorted(sums.items()):
            if channel_id == channel.pk:
                spans = _spans(days, _today(channel, now))
                rows.append(
                    {
                        "channel": channel,
                        "amounts": [money(amount, currency) for amount, _ in spans],
                        "base": money(spans[2][1], channel.company.base_currency),
                    }
                )
    return rows


def _totals(channels: Sequence[Channel], sums: RevenueSums, now: datetime) -> list[dict[str, Any]]:
    """One line a base currency."""
    by_id = {c.pk: c for c in channels}
    found: dict[str, list[int]] = {}
    for (channel_id, _), days in sums.items():
        channel = by_id[channel_id]
        line = found.setdefault(channel.company.base_currency, [0, 0, 0])
        for index, (_, base) in enumerate(_spans(days, _today(channel, now))):
            line[index] += base
    return [{"currency": c, "amounts": [money(a, c) for a in line]} for c, line in sorted(found.items())]


def _chart(channels: Sequence[Channel], sums: RevenueSums, now: datetime) -> dict[str, str] | None:
    """Revenue in the base currency for Chart.js: by day, or while there are few days by channel; None without any."""
    bases = {c.company.base_currency for c in channels}
    if len(bases) != 1 or not sums:
        return None
    base = bases.pop()
    last = max(_today(c, now) for c in channels)
    days = [last - timedelta(days=n) for n in reversed(range(CHART_DAYS))]
    rows = [(c.slug, PALETTE[i % len(PALETTE)], _by_day(c, sums, days, base)) for i, c in enumerate(channels)]
    rows = [row for row in rows if any(row[2])]
    if sum(any(column) for column in zip(*(values for *_, values in rows), strict=True)) < CHART_DAYS_AT_LEAST:
        bars = [{"data": [sum(v) for *_, v in rows], "backgroundColor": [colour for _, colour, _ in rows]}]
        labels, legend = [slug for slug, _, _ in rows], False
    else:
        bars = [{"label": slug, "data": v, "backgroundColor": colour} for slug, colour, v in rows]
        labels, legend = [f"{day:%d %b}" for day in days], True
    style = {"maxBarThickness": 40, "displayYAxis": True}
    return {
        "data": json.dumps({"labels": labels, "datasets": [bar | style for bar in bars]}),
        "options": json.dumps(CHART_OPTIONS | {"plugins": {"legend": LEGEND | {"display": legend}}}),
    }


def _by_day(channel: Channel, sums: RevenueSums, days: Sequence[date], base: str) -> list[float]:
    """Major units for drawing, one value a day."""
    own = [by_day for (channel_id, _), by_day in sums.items() if channel_id == channel.pk]
    values = [sum(by_day.get(day, (0, 0))[1] for by_day in own) for day in days]
    return [float(to_major(value, base)) for value in values]


LEGEND = {"position": "bottom", "align": "start", "labels": {"boxWidth": 10, "boxHeight": 10}}
CHART_OPTIONS = {
    "maintainAspectRatio": False,
    "animation": False,
    "borderRadius": 2,
    "scales": {
        "x": {"stacked": True, "border": {"display": False}, "grid": {"display": False}},
        "y": {
            "stacked": True,
            "beginAtZero": True,
            "border": {"display": False},
            "ticks": {"display": True, "maxTicksLimit": 5},
        },
    },
}


# --- latency


def _percentiles(sql: str, parameters: Sequence[Any]) -> dict[str, Any]:
    [(count, values)] = _rows(sql, parameters)
    return {
        "count": count,
        "figures": [(n, span(v)) for n, v in zip(("p50", "p95", "p99"), values or [None] * 3, strict=True)],
    }


def _webhook_to_posted() -> dict[str, Any]:
    return _percentiles(
        """
        SELECT count(*), percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY s)
          FROM (SELECT extract(epoch FROM finished_at - received_at) AS s
                  FROM channels_event
                 WHERE state = 'posted' AND finished_at > now() - interval '24 hours' AND mode = 'webhook'
                 ORDER BY finished_at DESC LIMIT %s) latest
        """,
        [LATEST],
    )


def _posted_to_acknowledged() -> dict[str, Any]:
    return _percentiles(
        """
        SELECT count(*), percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY s)
          FROM (SELECT extract(epoch FROM d.acknowledged_at - e.created_at) AS s
                  FROM (SELECT * FROM ledger_delivery ORDER BY entry_id DESC LIMIT %s) d
                  JOIN ledger_journalentry e ON e.id = d.entry_id
                 WHERE d.state = 'acknowledged' AND d.acknowledged_at > now() - interval '24 hours'
                 ORDER BY d.entry_id DESC LIMIT %s) latest
        """,
        [LATEST * 5, LATEST],
    )


# --- coverage


def _coverage(channels: Sequence[Channel], now: datetime) -> dict[str, Any]:
    """Each channel's condition with its reason, when it was last heard of, how much came; and how many are live."""
    lately = _or(lambda: coverage.Coverage({}, None), coverage.lately)
    found = _or(dict, lambda: coverage.stands(channels, now))
    known = lately.since is None or now - lately.since > timedelta(days=1)
    summary = coverage.summary(found.values())
    return {
        "channels": [_channel_row(channel, found.get(channel.pk), lately, known, now) for channel in channels],
        "coverage": _percent(summary.share),
        "volume": _percent(summary.volume),
        "live": summary.counts[State.LIVE],
    }


def _channel_row(
    channel: Channel, stand: coverage.Stand | None, lately: coverage.Coverage, known: bool, now: datetime
) -> dict[str, Any]:
    heard = lately.heard.get(channel.pk)
    label = adapters.get(channel.adapter).label if channel.adapter in adapters.adapter_names() else channel.adapter
    return {
        "channel": channel,
        "label": label,
        "last": _last_heard(channel, stand, now),
        "hour": heard.hour if heard else 0,
        "day": f"{heard.day if heard else 0}{'' if known else '+'}",
        "word": stand.condition.state if stand else "unknown",
        "why": stand.condition.sentence if stand else "",
        "colour": CONDITION_COLOURS[stand.condition.state] if stand else "",
    }


def _last_heard(channel: Channel, stand: coverage.Stand | None, now: datetime) -> str:
    rhythm = stand.facts.rhythm if stand else None
    if rhythm is None:
        return ""
    if rhythm.last:
        return f"{between(rhythm.last, now)} ago"
    return "never" if rhythm.since <= channel.created_at else f"more than {between(rhythm.since, now)} ago"


def _percent(share: float | None) -> str:
    """Rounded down, so that all of it means all of it."""
    return "" if share is None else f"{int(share * 100)} %"


# --- depths


def _inbox(now: datetime) -> dict[str, Any]:
    """Events by state, posted and ignored left out."""
    counts, oldest = inbox.depth()
    names = (
        ("new", "Due"),
        ("claimed", "In work"),
        ("waiting", "Waiting"),
        ("quarantined", "Quarantined"),
        ("dead", "Dead"),
    )
    return {
        "attention": counts.get("quarantined", 0) + counts.get("dead", 0),
        "states": [
            (state, name, counts.get(state, 0), "quarantinedevent" if state in ("quarantined", "dead") else "event")
            for state, name in names
        ],
        "oldest": between(oldest, now),
    }


def _outbox(now: datetime) -> dict[str, Any]:
    refused = refused_deliveries()
    [(due, first)] = _rows(
        "SELECT (SELECT count(*) FROM ledger_delivery WHERE state = 'due'),"
        " (SELECT e.created_at FROM ledger_delivery d JOIN ledger_journalentry e ON e.id = d.entry_id"
        "   WHERE d.state = 'due' ORDER BY d.entry_id LIMIT 1)"
    )
    return {
        "states": [("due", "Due", due), ("refused", "Refused", refused)],
        "oldest": between(first, now),
    }


def refused_deliveries() -> int:
    """How many Bookkeeper refused; no index knows them, so the number is remembered for a while."""
    return remembered(
        "refused-deliveries",
        lambda: _rows("SELECT count(*) FROM ledger_delivery WHERE state = 'refused'")[0][0],
    )


def _quarantine_by_code() -> Iterable[tuple[str, int]]:
    """Of the newest ten thousand."""
    return _rows(
        "SELECT p ->> 'code', count(DISTINCT q.id) FROM (SELECT id, problems FROM channels_event"
        " WHERE state IN ('quarantined', 'dead') ORDER BY id DESC LIMIT 10000) q,"
        " jsonb_array_elements(q.problems) p GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 8"
    )


def _stock() -> dict[str, int]:
    [(oversold, unmapped)] = _rows(
        "SELECT (SELECT count(*) FROM inventory_oversell WHERE resolved_at IS NULL), (SELECT count(*) FROM inventory_unmappeditem)"
    )
    return {"oversold": oversold, "unmapped": unmapped}
