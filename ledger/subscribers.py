"""Tells subscribers by webhook what happened (Standard Webhooks), each for itself: at least once, in order, nothing left out.

1. Who has news and is due is claimed by a lease, and told message after message by one worker, in a thread of its own: a slow one
   delays nobody else.
2. A 2xx answer moves its cursor on; what the cursor has not passed is told again, under the same webhook-id.
3. Anything else (a redirect and an address that is no public one too) makes it wait: 5 s, doubling up to a day, with jitter, or as
   long as Retry-After says.
4. 410, or five days of nothing but failures, disable it, with an audit row. Enabled again by a person it goes on at its cursor.
"""

import logging
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from ledger import subscribing, topics
from ledger.models import Subscriber
from ledger.topics import TOPICS, Event
from salessync.core import http
from salessync.core.crypto import UnableToDecrypt
from salessync.core.http import UnableToReach

logger = logging.getLogger(__name__)

TIMEOUT = 15.0  # seconds for one message
LEASE = 60.0  # seconds, renewed with each message
POLL = 0.5  # seconds
AT_ONCE = 32  # subscribers that are told at the same time
FIRST_DELAY, LAST_DELAY = 5.0, 86_400.0  # seconds
GIVE_UP_AFTER = timedelta(days=5)
GONE = 410


class Told(NamedTuple):
    """Messages that were taken, and subscribers that failed."""

    delivered: int = 0
    failed: int = 0

    def plus(self, other: "Told") -> "Told":
        """Both together."""
        return Told(self.delivered + other.delivered, self.failed + other.failed)


def push_due(*, seconds: float) -> Told:
    """Tell everybody who is due what they have not been told yet; not to be called within a transaction.

    After `seconds` no message is begun: who hangs then ends with its time-out, and while it hangs the others are told on.
    """
    give_up = time.monotonic() + seconds
    busy: dict[int, Future[Told]] = {}
    total = Told()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="subscriber") as pool:
        while time.monotonic() < give_up:
            busy |= {pk: pool.submit(_apart, pk, give_up) for pk in _with_news() if pk not in busy}
            if not busy:
                break
            wait(busy.values(), timeout=POLL, return_when=FIRST_COMPLETED)
            for pk in [pk for pk, told in busy.items() if told.done()]:
                total = total.plus(busy.pop(pk).result())
    for told in busy.values():
        total = total.plus(told.result())
    return total


def _apart(pk: int, give_up: float) -> Told:
    """In a thread with a connection of its own: what goes wrong here concerns nobody else."""
    try:
        return tell(pk, give_up=give_up)
    except Exception:
        logger.exception("subscriber %s could not be told", pk)
        return Told(failed=1)
    finally:
        connection.close()


def _with_news() -> list[int]:
    """Who is due and has something to hear, the longest waiting first."""
    active = Subscriber.objects.filter(state=Subscriber.State.ACTIVE, next_attempt_at__lte=_now()).select_related(
        "company"
    )
    return [one.pk for one in active.order_by("next_attempt_at") if any(_news(one, topic) for topic in one.topics)]


def _news(subscriber: Subscriber, topic: str) -> bool:
    known = TOPICS[topic]
    return known.latest(subscriber.company) > getattr(subscriber, known.cursor)


def tell(pk: int, *, give_up: float) -> Told:
    """Tell one subscriber, message after message, until it is told all, fails, or `give_up` (monotonic seconds) is over."""
    lease = _claim(pk)
    if lease is None:
        return Told()
    subscriber = Subscriber.objects.select_related("company").get(pk=pk)
    delivered = 0
    try:
        keys = subscribing.keys(subscriber)
        for topic, event in _untold(subscriber):
            _send(subscriber, keys, topic, event)
            lease = _moved(pk, TOPICS[topic].cursor, event.position, lease)
            if lease is None:  # disabled by a person meanwhile, or so slow that somebody else goes on
                return Told(delivered)
            delivered += 1
            if time.monotonic() >= give_up:
                break
    except (UnableToReach, UnableToDecrypt) as error:
        _failed(subscriber, lease, error)
        return Told(delivered, 1)
    _released(pk, lease)
    return Told(delivered)


def _untold(subscriber: Subscriber) -> Iterator[tuple[str, Event]]:
    for topic in subscriber.topics:
        for event in topics.events(topic, subscriber.company, getattr(subscriber, TOPICS[topic].cursor)):
            yield topic, event


def _send(subscriber: Subscriber, keys: Iterable[bytes], topic: str, event: Event) -> None:
    """One message, or UnableToReach."""
    message_id, body = topics.message_id(topic, subscriber.company, event), topics.body(topic, event)
    headers = subscribing.headers(keys, message_id, body)
    http.post_json(url=subscriber.url, body=body, headers=headers, timeout=TIMEOUT)


# --- the lease: who holds it is the only one to tell this subscriber


def _claim(pk: int) -> datetime | None:
    return _write(
        "next_attempt_at = statement_timestamp() + make_interval(secs => %s)",
        [LEASE],
        "id = %s AND state = 'active' AND next_attempt_at <= statement_timestamp()",
        [pk],
    )


def _moved(pk: int, cursor: str, position: int, lease: datetime) -> datetime | None:
    """It took a message: the lease anew; None where it is no longer ours."""
    return _write(
        f"{cursor} = %s, attempts = 0, failing_since = NULL, last_error = NULL, delivered_at = statement_timestamp(),"
        " next_attempt_at = statement_timestamp() + make_interval(secs => %s)",
        [position, LEASE],
        "id = %s AND state = 'active' AND next_attempt_at = %s",
        [pk, lease],
    )


def _released(pk: int, lease: datetime) -> None:
    _write("next_attempt_at = statement_timestamp()", [], "id = %s AND next_attempt_at = %s", [pk, lease])


def _write(assignments: str, values: Sequence[Any], condition: str, of: Sequence[Any]) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE ledger_subscriber SET {assignments} WHERE {condition} RETURNING next_attempt_at",  # noqa: S608 -- those above
            [*values, *of],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def _now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


# --- failures


def _failed(subscriber: Subscriber, lease: datetime, error: UnableToReach | UnableToDecrypt) -> None:
    """It waits, or is given up; nothing where somebody else has it now."""
    status = getattr(error, "status", None)
    text = str(error).replace("\x00", "")[:1000]
    logger.warning("subscriber %s was not told: %s", subscriber.pk, text)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_subscriber SET attempts = attempts + 1, last_error = %s,"
            " failing_since = COALESCE(failing_since, statement_timestamp())"
            " WHERE id = %s AND state = 'active' AND next_attempt_at = %s"
            " RETURNING attempts, statement_timestamp() - failing_since",
            [text, subscriber.pk, lease],
        )
        row = cursor.fetchone()
        if row is None:
            return
        attempts, failing_for = row
        if status == GONE or failing_for >= GIVE_UP_AFTER:
            why = "it answered 410: gone" if status == GONE else f"nothing but failures for {failing_for.days} days"
            subscribing.disable(subscriber, actor="subscribers", why=f"{why}; last: {text}"[:1000])
            return
        delay = _delay(attempts, getattr(error, "retry_after", None))
        cursor.execute(
            "UPDATE ledger_subscriber SET next_attempt_at = statement_timestamp() + make_interval(secs => %s) WHERE id = %s",
            [delay, subscriber.pk],
        )


def _delay(attempts: int, retry_after: float | None) -> float:
    """Seconds until the next attempt: doubling, with jitter, never before Retry-After."""
    delay = min(FIRST_DELAY * 2.0 ** min(attempts - 1, 20), LAST_DELAY)
    return min(max(delay * random.uniform(0.75, 1.25), FIRST_DELAY, retry_after or 0.0), LAST_DELAY)
