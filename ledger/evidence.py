"""A period of a company's journal as an auditor takes it away: entries booked on its days, and what they were made of.

Rows come as they are sealed (seals.py), in the order of the seals; a few thousand entries at a time, through a cursor of the server.
"""

# ruff: noqa: S608 -- the statements are put together from the texts below and those of seals.py
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Max, Min

from channels.privacy import KINDS_THAT_REMOVE
from ledger.models import JournalEntry
from ledger.seals import FROM_ENTRIES, PARTS

_STEP = 5000  # entries
_FETCHED = 1000  # rows at a time


class Stretch(NamedTuple):
    """Entries booked from `first` to `last`, both days among them, up to the number `through`."""

    company_id: int
    first: date
    last: date
    through: int


_CHOSEN = """
    FROM ledger_journalentry j WHERE j.company_id = %s AND j.seq > %s AND j.seq <= %s AND j.date >= %s AND j.date <= %s
"""
_RECORDS = """
    SELECT v.seq, v.id, 0, v.seq || '.v' || v.id, encode(t.redacted_digest, 'hex'), t.record
      FROM v JOIN channels_transactionversion t ON t.id = v.id
"""
_PAYLOADS = """
    SELECT m.seq, m.id, 0, m.seq || '.b' || m.id,
           CASE WHEN x.purged_at IS NOT NULL THEN 'purge'
                WHEN EXISTS (SELECT FROM channels_privacyrequest r WHERE r.channel_id = m.channel_id AND r.kind = ANY(%s))
                THEN 'privacy request' END, m.body
      FROM m JOIN channels_event x ON x.id = m.id
"""
# What the audit trail may tell of: (kind of object, id).
_OBJECTS = """
      SELECT 'transaction', transaction_id FROM e UNION SELECT 'transaction', transaction_id FROM d
       UNION SELECT 'event', event_id FROM v UNION SELECT 'delivery', id FROM e
       UNION SELECT 'period', id FROM ledger_periodchange WHERE company_id = %s
"""


def rows(stretch: Stretch, part: str) -> Iterator[tuple[int, bytes]]:
    """(entry's number, text) of one of the PARTS that are sealed."""
    for seq, _, text in _stream(stretch, f"SELECT seq, row, said FROM ({PARTS[part]}) t (seq, a, b, row, said)"):
        yield seq, text


def records(stretch: Stretch) -> Iterator[tuple[str, str | None, bytes]]:
    """(name of the version's row, digest since its person was taken out, canonical record)."""
    return _stream(stretch, f"SELECT row, redacted, record FROM ({_RECORDS}) t (seq, a, b, row, redacted, record)")


def payloads(stretch: Stretch) -> Iterator[tuple[str, str | None, bytes]]:
    """(name of the body's row, why it may differ from what was sealed, stored body)."""
    statement = f"SELECT row, why, body FROM ({_PAYLOADS}) t (seq, a, b, row, why, body)"
    return _stream(stretch, statement, list(KINDS_THAT_REMOVE))


def audit_ids(stretch: Stretch, through: int) -> Iterator[int]:
    """Ids of the audit rows, up to `through`, that tell of the stretch's objects, of periods, or of what was done on its days (UTC)."""
    statement = f"""
        {FROM_ENTRIES.format(chosen=_CHOSEN)}, o (kind, id) AS ({_OBJECTS})
        SELECT id FROM (SELECT a.id FROM o JOIN core_auditrow a ON a.object_type = o.kind AND a.object_id = o.id
                         UNION
                        SELECT id FROM core_auditrow
                         WHERE company_id = %s AND at >= %s AND at < %s::date + 1) t
         WHERE id <= %s ORDER BY id
    """
    company, first, last, until = stretch
    parameters = [company, 0, until, first, last, company, company, first, last, through]
    return (id_ for (id_,) in _fetch(statement, parameters))


def _stream(stretch: Stretch, statement: str, *more: Any) -> Iterator[Any]:
    company, first, last, through = stretch
    chosen = JournalEntry.objects.filter(company_id=company, seq__lte=through, date__gte=first, date__lte=last)
    ends = chosen.aggregate(first=Min("seq"), last=Max("seq"))
    if ends["last"] is None:
        return
    for at in range(ends["first"] - 1, ends["last"], _STEP):
        parameters = [company, at, min(at + _STEP, ends["last"]), first, last, *more]
        yield from _fetch(f"{FROM_ENTRIES.format(chosen=_CHOSEN)} {statement} ORDER BY seq, a, b", parameters)


def _fetch(statement: str, parameters: list[Any]) -> Iterator[Any]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while page := cursor.fetchmany(_FETCHED):
            yield from page
