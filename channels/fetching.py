"""Asks vendors for single objects: what an event only named, and what something that waits belongs to. Writes Fetch rows, beside wishes.py.

The pipeline wishes (channels/wishes.py), a worker asks, and the answer goes into the inbox as an event of its own. An event that
brought only a name waits meanwhile (`waiting_for` fetch:…), and ends with its fetch: posted, ignored where the vendor has no such
object, dead where it could not be asked for. Asking is bounded and repeated like a delivery.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from channels import inbox
from channels.calls import AccessRefused, Caller, NotNow
from channels.client import Found, Pointer
from channels.models import Event, Fetch
from channels.poll import store_found
from channels.wishes import waits_on
from salessync.core import nudge
from salessync.core.http import UnableToReach
from salessync.core.problems import Problem, Refused

LEASE_SECONDS = 300
MAX_ATTEMPTS = 8


def fetch_due(*, seconds: float = 50.0, sleep: Callable[[float], None] | None = None) -> int:
    """Ask for everything that is due, until nothing is or the time is over; returns how many objects came."""
    deadline = timezone.now() + timedelta(seconds=seconds)
    came, callers = 0, dict[int, Caller]()
    while timezone.now() < deadline and (claimed := _claim()):
        channel = claimed.channel
        if channel.pk not in callers:
            callers[channel.pk] = Caller(channel, sleep=sleep) if sleep else Caller(channel)
        came += _fetch(claimed, callers[channel.pk])
    return came


def _claim() -> Fetch | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE channels_fetch SET attempts = attempts + 1, next_at = now() + make_interval(secs => %s)
             WHERE id = (SELECT id FROM channels_fetch WHERE state = 'due' AND next_at <= now()
                           AND channel_id IN (SELECT id FROM channels_channel WHERE status = 'live')
                         ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING id
            """,
            [LEASE_SECONDS],
        )
        row = cursor.fetchone()
    return Fetch.objects.select_related("channel").get(pk=row[0]) if row else None


def _fetch(claimed: Fetch, caller: Caller) -> bool:
    """One object; whatever happens is written down."""
    pointer = Pointer(claimed.kind, claimed.object_id)
    try:
        found: Found | None = caller.result(caller.adapter.fetch(pointer, caller.account))
    except NotNow as later:
        _again(claimed, str(later), later.seconds)
        return False
    except (AccessRefused, UnableToReach, Refused, NotImplementedError) as error:
        lasting = isinstance(error, (NotImplementedError, Refused)) or getattr(error, "permanent", False)
        _again(
            claimed, str(error) or "this vendor cannot be asked for single objects", 60.0 * 2**claimed.attempts, lasting
        )
        return False
    with transaction.atomic():
        if found is not None:
            store_found(claimed.channel, found, Event.Mode.FETCH)
        _finish(claimed, found is not None)
    nudge.nudge(nudge.DRAIN_INBOX)
    return found is not None


def _finish(claimed: Fetch, came: bool) -> None:
    """Done, unless somebody wished for it again meanwhile: then what came may be older than the wish."""
    state = Fetch.State.DONE if came else Fetch.State.ABSENT
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE channels_fetch SET state = CASE WHEN asked = %s THEN %s ELSE 'due' END, finished_at = now(), error = '',"
            " next_at = now(), attempts = 0 WHERE id = %s RETURNING state",
            [claimed.asked, state, claimed.pk],
        )
    key = waits_on(claimed.channel_id, Pointer(claimed.kind, claimed.object_id))
    if came:
        inbox.wake([key])
    else:
        inbox.let_go([key], reason="the vendor has no such object (any more)")


def _again(claimed: Fetch, error: str, seconds: float, lasting: bool = False) -> None:
    """Later, or given up where another attempt cannot help."""
    over = lasting or claimed.attempts >= MAX_ATTEMPTS
    Fetch.objects.filter(pk=claimed.pk).update(
        state=Fetch.State.FAILED if over else Fetch.State.DUE,
        next_at=timezone.now() + timedelta(seconds=min(seconds, 3600.0)),
        error=error[:500],
    )
    if over:
        problem = Problem(
            "FETCH_FAILED", "$", f"{claimed.kind} {claimed.object_id} could not be fetched: {error[:300]}"
        )
        inbox.give_up([waits_on(claimed.channel_id, Pointer(claimed.kind, claimed.object_id))], problem)


def requeue(fetches: Sequence[Fetch]) -> int:
    """Ask once more for what was given up, or came; a wish amid the asking counts."""
    return Fetch.objects.filter(pk__in=[f.pk for f in fetches]).update(
        state=Fetch.State.DUE, attempts=0, asked=F("asked") + 1, next_at=timezone.now(), error=""
    )
