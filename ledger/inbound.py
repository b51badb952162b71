"""Takes what Bookkeeper tells us: how far its books are closed, and entries that were made there. Its accounts: counterparts.py."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from django.db import connection, transaction

from ledger import by_hand, counterparts, notices, periods
from ledger.models import BookkeeperCorrection
from ledger.notices import Correction, PeriodLock
from salessync.core import audit, nudge
from salessync.core.models import Company
from salessync.core.problems import Problem, Refused

SHOWN = 100


class Undelivered(NamedTuple):
    """An entry of a closed day that Bookkeeper has not acknowledged; `state`: due or refused."""

    id: int
    seq: int
    date: date
    state: str
    error: str | None


class Closed(NamedTuple):
    """How far our books are closed now; `changed`: they were not before. `undelivered` holds the first, `count` all of them."""

    through: date
    changed: bool
    count: int
    undelivered: list[Undelivered]


def close(*, company: Company, lock: PeriodLock, actor: str, now: datetime) -> Closed:
    """Close our books as far as Bookkeeper's are; what is not delivered of these days is told, and closes them all the same.

    Never opens anything: a lock that reaches less far than our own changes nothing. Refused for days that are not over anywhere yet.
    """
    if lock.through > (now.astimezone(UTC) + timedelta(hours=14)).date():
        message = f"{lock.through} has not begun anywhere yet: the books cannot be closed through it"
        raise Refused(Problem("PERIOD_IN_FUTURE", "through", message))
    with transaction.atomic():
        before = Company.objects.select_for_update().get(pk=company.pk).closed_through
        changed = before is None or lock.through > before
        if changed:
            reason = lock.reason.strip() or "closed in Bookkeeper"
            periods.close(company=company, through=lock.through, actor=actor, reason=reason)
        through = lock.through if before is None else max(before, lock.through)
        count, undelivered = undelivered_through(company, through)
        data = {"through": lock.through.isoformat(), "changed": changed, "undelivered": count}
        audit.record([(company.pk, actor, "period locked", "company", company.pk, data)])
    return Closed(through, changed, count, undelivered)


def undelivered_through(company: Company, through: date) -> tuple[int, list[Undelivered]]:
    """How many entries of these days Bookkeeper has not acknowledged, and the first of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) OVER (), e.id, e.seq, e.date, d.state, d.error FROM ledger_delivery d"
            " JOIN ledger_journalentry e ON e.id = d.entry_id"
            " WHERE (d.state = 'due' OR d.state = 'refused') AND d.company_id = %s AND e.date <= %s ORDER BY e.seq LIMIT %s",
            [company.pk, through, SHOWN],
        )
        rows = cursor.fetchall()
    return (rows[0][0] if rows else 0), [Undelivered(*row[1:]) for row in rows]


class Taken(NamedTuple):
    """A correction in our inbox; `state` of its event, `problems` where it is in quarantine, `entries` that came of it."""

    reference: str
    duplicate: bool
    event_id: int
    state: str
    problems: list[dict[str, Any]]
    entries: list[dict[str, int]]


def correct(*, company: Company, correction: Correction, actor: str, now: datetime) -> Taken:
    """Put an entry that was made in Bookkeeper into the inbox of the books, once by its id there; it is never pushed back.

    Refused where it cannot become one of ours as it is: it can be sent again when the reason is gone. Another one under the id of an
    earlier one is refused for good.
    """
    digest = hashlib.sha256(msgspec.json.encode(correction, order="deterministic")).digest()
    with transaction.atomic():
        known = BookkeeperCorrection.objects.filter(company=company, reference=correction.id).first()
        if known is None:
            known, made = _capture(company, correction, digest, actor, now)
        else:
            made = False
        if bytes(known.digest) != digest:
            message = f"another entry came under the id {correction.id} before: give a changed one an id of its own"
            raise Refused(Problem("ID_USED_BEFORE", "id", message))
    if made:
        nudge.nudge(nudge.DRAIN_INBOX)
    return _taken(known, duplicate=not made)


def _capture(
    company: Company, correction: Correction, digest: bytes, actor: str, now: datetime
) -> tuple[BookkeeperCorrection, bool]:
    channel = by_hand.books(company)
    body = notices.as_manual(
        correction, accounts=counterparts.ours(company, correction), base_currency=company.base_currency
    )
    by_hand.prove(channel, body)
    event_id = by_hand.keep(channel, body, topic="correction", now=now)
    made, fresh = BookkeeperCorrection.objects.get_or_create(
        company=company, reference=correction.id, defaults={"digest": digest, "event_id": event_id}
    )
    if fresh:
        data = {"reference": correction.id, "event": event_id, "sha256": digest.hex()}
        audit.record([(company.pk, actor, "correction received", "correction", made.pk, data)])
    return made, fresh


def taken(*, company: Company, reference: str) -> Taken | None:
    """What became of a correction; None: it never came."""
    known = BookkeeperCorrection.objects.filter(company=company, reference=reference).first()
    return None if known is None else _taken(known, duplicate=True)


def _taken(correction: BookkeeperCorrection, *, duplicate: bool) -> Taken:
    became = by_hand.became(correction.event_id, notices.source_id(correction.reference))
    return Taken(correction.reference, duplicate, correction.event_id, *became)
