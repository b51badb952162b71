"""Takes deliveries out of the outbox, a batch at a time, so that whoever sends one is alone with it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from ledger import bookkeeper
from salessync.core import audit

LEASE_SECONDS = 60.0  # longer than a send and the questions after it
MAX_BATCH_BYTES = 4 * 1024 * 1024  # of canonical records in one batch; a single bigger one goes alone
CLAIM_LOCK = 7202  # claims are short and take turns, so that no batch is claimed by halves


class Batch(NamedTuple):
    """Deliveries of one company that go out together, under one key."""

    company_id: int
    key: str
    entries: list[int]
    attempts: int
    lease: datetime  # who still has it may put the batch off


def claim(limit: int) -> Batch | None:
    """Lease the first batch that is due; commits before it returns."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
        while (first := _first_due(cursor)) is not None:
            company_id, key = first
            if key is None:
                ids, codes = _fresh(cursor, company_id, limit), _latest_code(cursor, company_id)
                if not ids:
                    continue  # they were Bookkeeper's own, and are done
                key = bookkeeper.new_key()
            else:
                cursor.execute("SELECT entry_id FROM ledger_delivery WHERE state = 'due' AND batch_key = %s", [key])
                ids, codes = [row[0] for row in cursor.fetchall()], None
            return _leased(cursor, company_id, key, ids, codes)
    return None


def _first_due(cursor: Any) -> tuple[int, str | None] | None:
    """Company and key of the first delivery that is due."""
    cursor.execute(
        "SELECT company_id, batch_key FROM ledger_delivery"
        " WHERE state = 'due' AND next_attempt_at <= statement_timestamp()"
        " ORDER BY entry_id LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    found: tuple[int, str | None] | None = cursor.fetchone()
    return found


def _leased(cursor: Any, company_id: int, key: str, ids: list[int], codes: int | None) -> Batch | None:
    cursor.execute(
        "UPDATE ledger_delivery SET batch_key = %s, attempts = attempts + 1, codes_as_of = COALESCE(%s, codes_as_of),"
        " next_attempt_at = statement_timestamp() + make_interval(secs => %s)"
        " WHERE entry_id = ANY(%s) AND state = 'due' RETURNING entry_id, attempts, next_attempt_at",
        [key, codes, LEASE_SECONDS, ids],
    )
    rows = cursor.fetchall()
    if not rows:
        return None
    return Batch(company_id, key, sorted(row[0] for row in rows), max(row[1] for row in rows), rows[0][2])


def _latest_code(cursor: Any, company_id: int) -> int:
    """Account codes change under the claims' lock (counterparts.py): no batch is made of two states of them."""
    cursor.execute("SELECT COALESCE(max(id), 0) FROM ledger_bookkeepercode WHERE company_id = %s", [company_id])
    return int(cursor.fetchone()[0])


def _fresh(cursor: Any, company_id: int, limit: int) -> list[int]:
    """Due entries of the company that were in no batch yet, the earliest first, as many as one body may hold.

    Those that an event of a correction brought are acknowledged here and now.
    """
    cursor.execute(
        "SELECT d.entry_id, coalesce(octet_length(v.record), 0), c.reference FROM ledger_delivery d"
        " JOIN ledger_journalentry e ON e.id = d.entry_id"
        " LEFT JOIN channels_transactionversion v ON v.id = e.version_id"
        " LEFT JOIN ledger_bookkeepercorrection c ON c.event_id = v.event_id AND c.company_id = d.company_id"
        " WHERE d.state = 'due' AND d.next_attempt_at <= statement_timestamp() AND d.batch_key IS NULL AND d.company_id = %s"
        " ORDER BY d.entry_id LIMIT %s FOR UPDATE OF d SKIP LOCKED",
        [company_id, limit],
    )
    rows = cursor.fetchall()
    own = {entry_id: reference for entry_id, _, reference in rows if reference is not None}
    if own:
        _acknowledge(cursor, company_id, own)
    return _fitting((entry_id, size) for entry_id, size, _ in rows if entry_id not in own)


def _acknowledge(cursor: Any, company_id: int, own: dict[int, str]) -> None:
    """What Bookkeeper told us of, by its own ids: never sent, and there from the first."""
    cursor.execute(
        "UPDATE ledger_delivery d SET state = 'acknowledged', acknowledgement = r.text,"
        " acknowledged_at = statement_timestamp(), seen_at = statement_timestamp()"
        " FROM unnest(%s::bigint[], %s::text[]) r(id, text) WHERE d.entry_id = r.id",
        [list(own), list(own.values())],
    )
    audit.record(
        (company_id, "bookkeeper", "acknowledged", "delivery", entry_id, {"correction": reference})
        for entry_id, reference in own.items()
    )


def _fitting(sizes: Iterable[tuple[int, int]]) -> list[int]:
    """As many as MAX_BATCH_BYTES allows, but at least one."""
    ids: list[int] = []
    total = 0
    for entry_id, size in sizes:
        total += size
        if ids and total > MAX_BATCH_BYTES:
            break
        ids.append(entry_id)
    return ids
