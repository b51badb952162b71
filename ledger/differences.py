"""Where Bookkeeper's books differ from what it was sent: opened when first seen, closed by themselves, never deleted."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Count

from ledger import outbox
from ledger.models import BookkeeperDifference
from salessync.core import audit

Kind = BookkeeperDifference.Kind
LACKING = (Kind.MISSING, Kind.DELETED)  # what sending again can mend

_LOCK = 7230  # findings are written one after the other, so that their ids are in the order of their commits


class Finding(NamedTuple):
    """One entry, by the id under which Bookkeeper knows it, and what is wrong with it; `entry_id` None: it is none of ours."""

    company_id: int
    entry_id: int | None
    known_as: str
    kind: str
    details: dict[str, Any]


def settle(examined: Collection[str], findings: Sequence[Finding]) -> tuple[int, int]:
    """Open what was found, and close what was not found again of what was examined; returns how many of each."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        closed = _close(cursor, examined, findings)
        opened = _open(cursor, findings)
        rows = [_told("agrees again", row) for row in closed] + [_told("differs", row) for row in opened]
        if rows:
            audit.record(rows)
    return len(opened), len(closed)


_Row = tuple[int, int, str, str]  # id, company, known as, kind


def _told(action: str, row: _Row) -> tuple[int, str, str, str, int, dict[str, Any]]:
    id_, company_id, known_as, kind = row
    return company_id, "bookkeeper", action, "difference", id_, {"entry": known_as, "kind": kind}


def _close(cursor: Any, examined: Collection[str], findings: Iterable[Finding]) -> list[_Row]:
    still = [(f.known_as, f.kind) for f in findings]
    cursor.execute(
        "UPDATE ledger_bookkeeperdifference d SET resolved_at = statement_timestamp()"
        " WHERE d.resolved_at IS NULL AND d.known_as = ANY(%s) AND NOT EXISTS ("
        "  SELECT FROM unnest(%s::text[], %s::text[]) s(known_as, kind) WHERE s.known_as = d.known_as AND s.kind = d.kind)"
        " RETURNING id, company_id, known_as, kind",
        [list(examined), [known_as for known_as, _ in still], [kind for _, kind in still]],
    )
    return list(cursor.fetchall())


def _open(cursor: Any, findings: Sequence[Finding]) -> list[_Row]:
    """Returns those that were not open yet."""
    if not findings:
        return []
    cursor.execute(
        "INSERT INTO ledger_bookkeeperdifference AS d (company_id, entry_id, known_as, kind, details)"
        " SELECT f.company_id, f.entry_id, f.known_as, f.kind, f.details::jsonb"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[])"
        "  f(company_id, entry_id, known_as, kind, details)"
        " ON CONFLICT (known_as, kind) WHERE resolved_at IS NULL"
        " DO UPDATE SET last_seen = statement_timestamp(), details = EXCLUDED.details"
        " RETURNING id, company_id, known_as, kind, xmax = 0",
        [
            [f.company_id for f in findings],
            [f.entry_id for f in findings],
            [f.known_as for f in findings],
            [str(f.kind) for f in findings],
            [json.dumps(f.details).replace("\\u0000", "") for f in findings],
        ],
    )
    return [row[:4] for row in cursor.fetchall() if row[4]]


def send_again(ids: Iterable[int], *, actor: str) -> int:
    """Send the entries of open differences again where Bookkeeper lacks them; returns how many. They close when they are read there."""
    lacking = BookkeeperDifference.objects.filter(pk__in=list(ids), resolved_at__isnull=True, kind__in=LACKING)
    return outbox.send_again(list(lacking.values_list("entry_id", flat=True)), actor=actor)


def open_counts() -> dict[str, int]:
    """Open differences by kind; kinds without any too."""
    found = dict(
        BookkeeperDifference.objects.filter(resolved_at__isnull=True)
        .order_by()
        .values_list("kind")
        .annotate(n=Count("*"))
    )
    return {str(kind): found.get(str(kind), 0) for kind in Kind}
