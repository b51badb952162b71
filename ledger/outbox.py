"""Sends journal entries to Bookkeeper until each is acknowledged. The only caller of bookkeeper.py that writes.

How a delivery travels:
1. Claim: a short transaction takes one batch in the order of the feed, gives it a key (webhook-id and Idempotency-Key), counts
   the attempt and leases it. A batch that was sent before is claimed as exactly that batch, under the key it had.
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

import msgspec
from django.db import connection, transaction

from channels.models import TransactionVersion
from ledger import bookkeeper
from ledger.models import JournalEntry, Posting
from salessync.core import audit
from salessync.core.http import UnableToReach

logger = logging.getLogger(__name__)

BATCH = 200
MAX_BATCH_BYTES = 4 * 1024 * 1024  # of canonical records in one batch; a single bigger one goes alone
LEASE_SECONDS = 60.0  # longer than a send and the questions after it
ASK_SECONDS = 20.0  # for reading entries back after a conflict
FIRST_DELAY, LAST_DELAY = 5.0, 3600.0  # seconds
HALVED_STATUSES = frozenset({400, 409, 413, 422})  # they speak of this body; 401, 404, 429, 503 … speak of the target
HALVED_500_FROM = 6  # a 500 may be one entry's doing: from this attempt on, it is looked for

HOPELESS = 10  # batches refused one after the other, none accepted between: the drain stops, it is not the entries

_CLAIM_LOCK = 7202  # claims are short and take turns, so that no batch is claimed by halves

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


class _Batch(NamedTuple):
    company_id: int
    key: str
    entries: list[int]
    attempts: int
    lease: datetime  # who still has it may put the batch off


def push_all_due(*, limit: int = BATCH, seconds: float | None = None) -> PushResult:
    """Push batch after batch until nothing is due or Bookkeeper cannot be reached; returns the sum.

    After `seconds` no new batch is begun, so that a task ends before its time limit.
    """
    give_up = None if seconds is None else time.monotonic() + seconds
    total = PushResult()
    for result in batches(limit=limit):
        total = total.plus(result)
        if give_up is not None and time.monotonic() >= give_up:
            break
    return total


def batches(*, limit: int = BATCH) -> Iterator[PushResult]:
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


def push_due(*, limit: int = BATCH) -> PushResult:
    """Push one batch of what is due; opens its own short transactions and must not be called within one."""
    why = bookkeeper.why_not_configured() or _why_resting()
    if why:
        logger.info("outbox: %s", why)
        return PushResult(halted=why)
    batch = _claim(limit)
    if batch is None:
        return PushResult()
    entries = _messages(batch.entries)
    try:
        verdicts = bookkeeper.push(key=batch.key, entries=list(entries.values()))
    except UnableToReach as error:
        return _after_failure(batch, entries, error)
    return _store(batch, entries, verdicts)


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


# --- claim ----------------------------------------------------------------------------------------------------------


def _claim(limit: int) -> _Batch | None:
    """Lease the first batch that is due; commits before it returns."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])
        cursor.execute(
            "SELECT entry_id, company_id, batch_key FROM ledger_delivery"
            " WHERE state = 'due' AND next_attempt_at <= statement_timestamp()"
            " ORDER BY entry_id LIMIT 1 FOR UPDATE SKIP LOCKED"
        )
        first = cursor.fetchone()
        if first is None:
            return None
        _, company_id, key = first
        if key is None:
            ids, key = _fresh(cursor, company_id, limit), bookkeeper.new_key()
        else:
            cursor.execute("SELECT entry_id FROM ledger_delivery WHERE state = 'due' AND batch_key = %s", [key])
            ids = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            "UPDATE ledger_delivery SET batch_key = %s, attempts = attempts + 1,"
            " next_attempt_at = statement_timestamp() + make_interval(secs => %s)"
            " WHERE entry_id = ANY(%s) AND state = 'due' RETURNING entry_id, attempts, next_attempt_at",
            [key, LEASE_SECONDS, ids],
        )
        rows = cursor.fetchall()
        if not rows:
            return None
        return _Batch(company_id, key, sorted(row[0] for row in rows), max(row[1] for row in rows), rows[0][2])


def _fresh(cursor: Any, company_id: int, limit: int) -> list[int]:
    """Due entries of the company that were in no batch yet, the earliest first, as many as one body may hold."""
    cursor.execute(
        "SELECT d.entry_id, coalesce(octet_length(v.record), 0) FROM ledger_delivery d"
        " JOIN ledger_journalentry e ON e.id = d.entry_id"
        " LEFT JOIN channels_transactionversion v ON v.id = e.version_id"
        " WHERE d.state = 'due' AND d.next_attempt_at <= statement_timestamp() AND d.batch_key IS NULL AND d.company_id = %s"
        " ORDER BY d.entry_id LIMIT %s FOR UPDATE OF d SKIP LOCKED",
        [company_id, limit],
    )
    ids: list[int] = []
    size = 0
    for entry_id, record_size in cursor.fetchall():
        size += record_size
        if ids and size > MAX_BATCH_BYTES:
            break
        ids.append(entry_id)
    return ids


# --- the messages ---------------------------------------------------------------------------------------------------


def _messages(entry_ids: Sequence[int]) -> _Messages:
    """The entries as Bookkeeper receives them, by our id, in the order of the feed: three queries, whatever their number."""
    legs: dict[int, list[bookkeeper.Leg]] = {}
    for entry_id, *leg in Posting.objects.filter(entry_id__in=entry_ids).order_by("entry_id", "leg").values_list(
        "entry_id", "account__code", "amount", "currency", "base_amount", "channel__slug", "location", "tax_code", "category",
        "path",
    ):  # fmt: skip
        legs.setdefault(entry_id, []).append(bookkeeper.Leg(*leg))
    rows = list(
        JournalEntry.objects.filter(id__in=entry_ids).order_by("seq").values_list(
            "id", "seq", "date", "version_id", "company__slug", "transaction__type", "transaction__channel__slug",
            "transaction__source_id",
        )
    )  # fmt: skip
    versions = {
        version_id: (version, bytes(record))
        for version_id, version, record in TransactionVersion.objects.filter(
            id__in={row[3] for row in rows}
        ).values_list("id", "version", "record")
    }
    messages = {}
    for entry_id, seq, day, version_id, company, kind, channel, source_id in rows:
        version, record = versions.get(version_id, (None, b"null"))
        messages[entry_id] = bookkeeper.Entry(
            id=bookkeeper.entry_id(company=company, entry=entry_id),
            seq=seq,
            date=day.isoformat(),
            currency=legs[entry_id][0].currency,
            source=bookkeeper.Origin(type=kind, channel=channel, id=source_id, version=version),
            record=msgspec.Raw(record),
            postings=legs[entry_id],
        )
    return messages


# --- what became of them --------------------------------------------------------------------------------------------


def _store(
    batch: _Batch, entries: _Messages, verdicts: dict[str, bookkeeper.Verdict], *, read_back: bool = False
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
    batch: _Batch,
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


def _after_failure(batch: _Batch, entries: _Messages, error: UnableToReach) -> PushResult:
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


def _halve(batch: _Batch, delay: float, error: UnableToReach) -> None:
    """Two batches in place of one, or one entry alone, under keys that were not used yet."""
    middle = len(batch.entries) // 2
    for half in filter(None, (batch.entries[:middle], batch.entries[middle:])):
        _put_off(batch, half, bookkeeper.new_key(), delay, error)


def _put_off(batch: _Batch, ids: Sequence[int], key: str, seconds: float, error: UnableToReach) -> None:
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


def _ask(batch: _Batch, entries: _Messages) -> PushResult | None:
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
