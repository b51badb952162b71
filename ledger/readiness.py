"""What would still change the days of a period that somebody is about to close. Nothing of it hinders closing: what is late is booked later."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from django.db import connection

from channels import adapter as adapters
from channels import payload as payloads
from channels.models import Channel
from ledger import inbound, open_items
from ledger.inbound import Undelivered
from ledger.open_items import ClearingState
from salessync.core.models import Company

LOOKED_AT = 500  # events that are read for their days; of further ones it is only told that they are there
OLD_DAYS = 30  # of an open item at the end of the period


class Unposted(NamedTuple):
    """Events of one channel in one state. `within`: of these days for sure; `maybe`: nobody can say of which day."""

    channel: str
    channel_id: int
    state: str
    within: int
    maybe: int


class Pending(NamedTuple):
    """Sales that a channel's summaries have not taken in; closing does."""

    channel: str
    details: int
    first: date
    last: date


class Gap(NamedTuple):
    """Days of a channel whose control totals do not agree with its vendor's."""

    channel: str
    days: int


class Readiness(NamedTuple):
    """`more`: there are more events than were looked at. `undelivered` has the first of `undelivered_count`."""

    events: list[Unposted]
    more: bool
    undelivered_count: int
    undelivered: list[Undelivered]
    pending: list[Pending]
    old_items: list[ClearingState]
    gaps: list[Gap]

    @property
    def ready(self) -> bool:
        """Whether nothing is left that a person should look at first."""
        return not (self.events or self.more or self.undelivered_count or self.old_items or self.gaps)


def of(company: Company, through: date) -> Readiness:
    """What is not ready of the days up to `through`."""
    open_items.roll(company)
    events, more = _events(company, through)
    return Readiness(
        events, more, *inbound.undelivered_through(company, through), _pending(company, through),
        open_items.older(company, today=through, days=OLD_DAYS), _gaps(company, through),
    )  # fmt: skip


def _events(company: Company, through: date) -> tuple[list[Unposted], bool]:
    """By channel and state; an event that was received by then is of these days whatever it says."""
    channels = {channel.pk: channel for channel in Channel.objects.filter(company=company)}
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, {"company": company.pk, "limit": LOOKED_AT + 1})
        rows = cursor.fetchall()
    within: Counter[tuple[int, str]] = Counter()
    maybe: Counter[tuple[int, str]] = Counter()
    for channel_id, state, topic, readable, body, received in rows[:LOOKED_AT]:
        days = _days(channels[channel_id], topic, bytes(body)) if readable else set()
        if received.date() <= through or any(day <= through for day in days):
            within[channel_id, state] += 1
        elif not days:
            maybe[channel_id, state] += 1
    found = [
        Unposted(channels[pk].slug, pk, state, within[pk, state], maybe[pk, state])
        for pk, state in within.keys() | maybe.keys()
    ]
    return sorted(found), len(rows) > LOOKED_AT


# Each part by its own partial index.
_EVENTS = """
    SELECT channel_id, state, topic, readable, body, received_at FROM (
        (SELECT * FROM channels_event WHERE state IN ('waiting', 'quarantined', 'dead') AND company_id = %(company)s ORDER BY id LIMIT %(limit)s)
         UNION ALL
        (SELECT * FROM channels_event WHERE state = 'new' AND attempts = 0 AND company_id = %(company)s ORDER BY lane, id LIMIT %(limit)s)
         UNION ALL
        (SELECT * FROM channels_event WHERE state IN ('new', 'claimed') AND attempts > 0 AND company_id = %(company)s LIMIT %(limit)s)) e
     LIMIT %(limit)s
"""


def _days(channel: Channel, topic: str, body: bytes) -> set[date]:
    """The business days that the event speaks of, as far as it can be read."""
    try:
        payload: Any = payloads.parse_stored(body)
        records = adapters.get(channel.adapter).normalize(payload, topic or None, channel.context())
    except Exception:  # it may be here for the very reason that it breaks whoever reads it
        return set()
    return {record.business_date for record in records}


def _pending(company: Company, through: date) -> list[Pending]:
    return [Pending(*row) for row in _rows(_PENDING, {"company": company.pk, "through": through})]


_PENDING = """
    SELECT c.slug, count(*), min(d.business_date), max(d.business_date)
      FROM ledger_detail d JOIN channels_channel c ON c.id = d.channel_id
     WHERE c.company_id = %(company)s AND d.entry_id IS NULL AND d.business_date <= %(through)s GROUP BY 1 ORDER BY 1
"""


def _gaps(company: Company, through: date) -> list[Gap]:
    return [Gap(*row) for row in _rows(_GAPS, {"company": company.pk, "through": through})]


_GAPS = """
    SELECT c.slug, count(*) FROM channels_controlday d JOIN channels_channel c ON c.id = d.channel_id
     WHERE c.company_id = %(company)s AND d.state IN ('open', 'failed') AND d.day <= %(through)s GROUP BY 1 ORDER BY 1
"""


def _rows(sql: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
