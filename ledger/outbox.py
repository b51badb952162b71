"""Sends journal entries to Bookkeeper until each is acknowledged. The only caller of bookkeeper.py that writes.

How a delivery travels:
1. Claim: a short transaction takes one batch in the order of the feed, gives it a key (webhook-id and Idempotency-Key), counts
   the attempt and leases it. A batch that was sent before is claimed as exactly that batch, under the key it had, with the
   account codes of then. What came as a correction from Bookkeeper is not sent: it is acknowledged with Bookkeeper's own id.
2. Send, outside any transaction. A crash here leaves the lease: the same batch goes out again when it ends.
3. Store: accepted, or duplicate with its receipt → acknowledged; refused → refused, with Bookkeeper's error, for the review
   queue. An answer that does not speak of every entry sent counts for none.
4. A failed batch waits: 5 s, doubling up to 1 h, with jitter, or as long as Retry-After says. It never expires. A Bookkeeper
   that cannot be reached ends the drain, since the next batch would fare no better.
5. A body that Bookkeeper will not have as a whole (400, 409, 413, 422, or 500 again and again) is asked for entry by entry
   where it says conflict, then cut in halves under keys of their own, until what it cannot digest is alone.
"""

import logging
import random
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from ledger import bookkeeper, claims, messages
from ledger.claims import Batch
from salessync.core import audit
from salessync.core.http import UnableToReach

logger = logging.getLogger(__name__)

BATCH, MAX_BATCH = 200, 1000  # entries in one request: unless it is set otherwise, and what Bookkeeper takes at most
ASK_SECONDS = 20.0  # for reading entries back after a conflict
FIRST_DELAY, LAST_DELAY = 5.0, 3600.0  # seconds
HALVED_STATUSES = frozenset({400, 409, 413, 422})  # they speak of this body; 401, 404, 429, 503 … speak of the target
HALVED_500_FROM = 6  # a 500 may be one entry's doing: from this attempt on, it is looked for

HOPELESS = 10  # batches refused one after the other, none accepted between: the drain stops, it is not the entries

_resting: dict[str, float] = {}  # target: monotonic time until which it asked us to wait


class PushResult(NamedTuple):
    """Entries sent, and what became of them; `halted` says why the drain should stop, if it should."""

    sent: int = 0
    acknowledged: int = 0
    duplicate: int = 0
    refused: int = 0
    failed: int = 0
    halted: str | None = None

    def plus(self, other: "PushResult") -> "PushResult":
        """Both together; `halted` of the later."""
        return PushResult(
            self.sent + other.sent,
            self.acknowledged + other.acknowledged,
            self.duplicate + other.duplicate,
            self.refused + other.refused,
            self.failed + other.failed,
            other.halted,
        )


class Backlog(NamedTuple):
    """Deliveries by state: `due` now, `waiting` for a retry or in flight; `oldest_at` of those not delivered."""

    due: int
    waiting: int
    acknowledged: int
    refused: int
    oldest_at: datetime | None


_Messages = dict[int, bookkeeper.Entry]


def batch_size() -> int:
    """Entries in one request, as BOOKKEEPER_BATCH says; 1: each on its own."""
    return min(max(int(getattr(settings, "BOOKKEEPER_BATCH", BATCH)), 1), MAX_BATCH)


def push_all_due(*, limit: int | None = None, seconds: float | None = None) -> PushResult:
    """Push batch after batch until nothing is due or Bookkeeper cannot be reached; returns the sum.

    `limit`: entries in one batch, where it is not `batch_size`. After `seconds` no new batch is begun, so that a task ends
    before its time limit.
    """
    give_up = None if seconds is None else time.monotonic() + seconds
    total = PushResult()
    for result in batches(limit=limit):
        total = total.plus(result)
        if give_up is not None and time.monotonic() >= give_up:
            break
    return total


def batches(*, limit: int | None = None) -> Iterator[PushResult]:
    """The same, batch by batch, for who shows progress."""
    refused_in_a_row = 0
    while True:
        result = push_due(limit=limit)
        refused_in_a_row = refused_in_a_row + 1 if result.failed else 0
        if refused_in_a_row >= HOPELESS and not result.halted:
            result = result._replace(halted=f"Bookkeeper refused {HOPELESS} batches one after the other")
        yield result
        if result.halted or not result.sent:
            return


def push_due(*, limit: int | None = None) -> PushResult:
    """Push one batch of what is due; opens its own short transactions and must not be called within one."""
    why = bookkeeper.why_not_configured() or _why_resting()
    if why:
        logger.info("outbox: %s", why)
        return PushResult(halted=why)
    batch = claims.claim(limit or batch_size())
    if batch is None:
        return PushResult()
    entries = messages.of(batch.entries)
    try:
        verdicts = bookkeeper.push(key=batch.key, entries=list(entries.values()))
    except UnableToReach as error:
        return _after_failure(batch, entries, error)
    return _store(batch, entries, verdicts)


def send_again(entry_ids: Sequence[int], *, actor: str) -> int:
    """Make acknowledged deliveries due again, in new batches: Bookkeeper, who knows each entry by its id, takes it once at most.

    Returns how many; what is not acknowledged is on its way anyhow.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "WITH old AS (SELECT entry_id, acknowledgement FROM ledger_delivery"
            "              WHERE entry_id = ANY(%s) AND state = 'acknowledged' ORDER BY entry_id FOR UPDATE)"
            " UPDATE ledger_delivery d SET state = 'due', attempts = 0, batch_key = NULL, acknowledgement = NULL,"
            "  acknowledged_at = NULL, next_attempt_at = statement_timestamp()"
            " FROM old WHERE d.entry_id = old.entry_id RETURNING d.company_id, d.entry_id, old.acknowledgement",
            [list(entry_ids)],
        )
        rows = cursor.fetchall()
        audit.record(
            (company_id, actor, "sent again", "delivery", entry_id, {"acknowledgement": receipt})
            for company_id, entry_id, receipt in rows
        )
    return len(rows)


def requeue_refused(*, actor: str) -> int:
    """Make every refused delivery due again, in new batches; returns how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_delivery SET state = 'due', attempts = 0, batch_key = NULL, next_attempt_at = statement_timestamp()"
            " WHERE state = 'refused' RETURNING company_id, entry_id, error"
        )
        rows = cursor.fetchall()
        audit.record(
            (company_id, actor, "requeued", "delivery", entry_id, {"error": error})
            for company_id, entry_id, error in rows
        )
    return len(rows)


def backlog() -> Backlog:
    """How much there is to deliver."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE d.state = 'due' AND d.next_attempt_at <= statement_timestamp()),"
            " count(*) FILTER (WHERE d.state = 'due' AND d.next_attempt_at > statement_timestamp()),"
            " count(*) FILTER (WHERE d.state = 'acknowledged'), count(*) FILTER (WHERE d.state = 'refused'),"
            " (SELECT e.created_at FROM ledger_delivery o JOIN ledger_journalentry e ON e.id = o.entry_id"
            "   WHERE o.state = 'due' ORDER BY o.entry_id LIMIT 1)"
            " FROM ledger_delivery d"
        )
        return Backlog(*cursor.fetchone())


# --- what became of them --------------------------------------------------------------------------------------------


def _store(
    batch: Batch, entries: _Messages, verdicts: dict[str, bookkeeper.Verdict], *, read_back: bool = False
) -> PushResult:
    """Write the verdicts down in one transaction; an entry that another process finished meanwhile stays as it is."""
    receipts: dict[int, str] = {}
    refusals: dict[int, str] = {}
    duplicates = set()
    for number, entry in entries.items():
        verdict = verdicts[entry.id]
        if verdict.status == "refused":
            refusals[number] = (verdict.error or "refused without a reason").replace("\x00", "")[:1000]
            continue
        assert verdict.acknowledgement is not None
        receipts[number] = verdict.acknowledgement
        if verdict.status == "duplicate":
            duplicates.add(number)
    with transaction.atomic():
        stored = _set(_ACKNOWLEDGED, receipts)
        refused = _set(_REFUSED, refusals)
        _audit(batch, entries, stored, duplicates, {number: refusals[number] for number in refused}, read_back)
    if refused:
        logger.warning("outbox: Bookkeeper refused %d of %d entries", len(refused), len(entries))
    return PushResult(
        sent=len(entries),
        acknowledged=len(stored - duplicates),
        duplicate=len(stored & duplicates),
        refused=len(refused),
    )


_ACKNOWLEDGED = (
    "state = 'acknowledged', acknowledgement = r.text, acknowledged_at = statement_timestamp(), error = NULL"
)
_REFUSED = "state = 'refused', error = r.text, batch_key = NULL"


def _set(assignments: str, texts: dict[int, str]) -> set[int]:
    """Finish the deliveries that are still due; returns which were."""
    if not texts:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE ledger_delivery d SET {assignments} FROM unnest(%s::bigint[], %s::text[]) r(id, text)"  # noqa: S608 -- the two above
            " WHERE d.entry_id = r.id AND d.state = 'due' RETURNING d.entry_id",
            [list(texts), list(texts.values())],
        )
        return {row[0] for row in cursor.fetchall()}


def _audit(
    batch: Batch,
    entries: _Messages,
    stored: set[int],
    duplicates: set[int],
    refused: dict[int, str],
    read_back: bool,
) -> None:
    """One row a batch for what was acknowledged, one for what was refused."""
    rows: list[tuple[int | None, str, str, str, int | None, dict[str, Any]]] = []
    if stored:
        data: dict[str, Any] = {
            "batch": batch.key,
            "entries": len(stored),
            "duplicates": len(stored & duplicates),
            "first_seq": min(entries[number].seq for number in stored),
            "last_seq": max(entries[number].seq for number in stored),
            "read_back": read_back,
        }
        rows.append((batch.company_id, "bookkeeper", "acknowledged", "delivery", min(stored), data))
    if refused:
        data = {
            "batch": batch.key,
            "errors": {str(entries[number].seq): error for number, error in refused.items()},
        }
        rows.append((batch.company_id, "bookkeeper", "refused", "delivery", min(refused), data))
    if rows:
        audit.record(rows)


# --- failures -------------------------------------------------------------------------------------------------------


def _after_failure(batch: Batch, entries: _Messages, error: UnableToReach) -> PushResult:
    logger.warning("outbox: %d entries not delivered, attempt %d: %s", len(entries), batch.attempts, error)
    if error.status == 409:
        found = _ask(batch, entries)
        if found is not None:
            return found
    result = PushResult(sent=len(entries), failed=len(entries))
    delay = _delay(batch.attempts, error.retry_after)
    if error.status in HALVED_STATUSES:
        _halve(batch, delay if len(batch.entries) == 1 else 0.0, error)
        return result
    if error.retry_after:
        _resting[bookkeeper.url()] = time.monotonic() + error.retry_after
    if error.status == 500 and batch.attempts >= HALVED_500_FROM:
        _halve(batch, delay, error)
    else:
        _put_off(batch, batch.entries, batch.key, delay, error)
    return result._replace(halted=f"Bookkeeper cannot be reached: {error}")


def _halve(batch: Batch, delay: float, error: UnableToReach) -> None:
    """Two batches in place of one, or one entry alone, under keys that were not used yet."""
    middle = len(batch.entries) // 2
    for half in filter(None, (batch.entries[:middle], batch.entries[middle:])):
        _put_off(batch, half, bookkeeper.new_key(), delay, error)


def _put_off(batch: Batch, ids: Sequence[int], key: str, seconds: float, error: UnableToReach) -> None:
    """Due again in `seconds`, unless the lease ended meanwhile and somebody else has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_delivery SET next_attempt_at = statement_timestamp() + make_interval(secs => %s),"
            " batch_key = %s, error = %s"
            " WHERE entry_id = ANY(%s) AND state = 'due' AND batch_key = %s AND next_attempt_at = %s",
            [seconds, key, str(error).replace("\x00", "")[:1000], list(ids), batch.key, batch.lease],
        )


def _delay(attempts: int, retry_after: float | None) -> float:
    """Seconds until the next attempt: doubling, with jitter, never before Retry-After."""
    delay = min(FIRST_DELAY * 2.0 ** min(attempts - 1, 20), LAST_DELAY)
    return min(max(delay * random.uniform(0.75, 1.25), FIRST_DELAY, retry_after or 0.0), LAST_DELAY)


def _ask(batch: Batch, entries: _Messages) -> PushResult | None:
    """After a conflict: what Bookkeeper already holds of the batch counts as delivered if it is what we would send.

    None where it does not hold all of it, or does not say in time.
    """
    verdicts: dict[str, bookkeeper.Verdict] = {}
    give_up = time.monotonic() + ASK_SECONDS
    for entry in entries.values():
        left = give_up - time.monotonic()
        if left <= 0:
            return None
        try:
            held = next((h for h in bookkeeper.fetch(entry=entry.id, timeout=left) if h.id == entry.id), None)
        except UnableToReach:
            return None
        if held is None:
            return None
        if bookkeeper.same_entry(entry, held):
            verdicts[entry.id] = bookkeeper.Verdict(entry.id, "duplicate", acknowledgement=held.acknowledgement)
        else:
            verdicts[entry.id] = bookkeeper.Verdict(
                entry.id, "refused", error="Bookkeeper holds another entry under this id"
            )
    return _store(batch, entries, verdicts, read_back=True)


def _why_resting() -> str | None:
    left = _resting.get(bookkeeper.url(), 0.0) - time.monotonic()
    return f"Bookkeeper asked to wait {left:.0f} s more" if left > 0 else None
