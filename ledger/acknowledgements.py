"""What Bookkeeper says of entries that it fetched by itself. Beside outbox.py, which reads what it answers to a push.

A delivery is acknowledged once: what was said before stays, and saying it again changes nothing. An entry that Bookkeeper refused it
may still acknowledge later; one that it acknowledged it cannot refuse.
"""

import logging
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from django.db import connection, transaction

from ledger import bookkeeper
from salessync.core import audit
from salessync.core.models import Company

logger = logging.getLogger(__name__)

Fate = Literal["acknowledged", "refused", "unchanged", "conflict", "unknown"]


class Said(NamedTuple):
    """One entry's verdict: of its `id` (as it is pushed) or its `seq`; a receipt, or with `refused` an error."""

    id: str | None
    seq: int | None
    refused: bool
    text: str


class Heard(NamedTuple):
    """What became of it. `unknown`: the company has no such entry; `conflict`: something else was said before, and stays."""

    id: str | None
    seq: int | None
    fate: Fate
    acknowledgement: str | None = None
    error: str | None = None


class _Delivery(NamedTuple):
    entry_id: int
    seq: int
    state: str
    acknowledgement: str | None
    error: str | None


def acknowledge(*, company: Company, said: Sequence[Said], actor: str) -> list[Heard]:
    """Write the verdicts down in one transaction; one answer for each, in their order."""
    with transaction.atomic():
        deliveries = _lock(company, said)
        by_seq = {delivery.seq: number for number, delivery in deliveries.items()}
        changed: dict[int, str] = {}
        heard = []
        for one in said:
            number = by_seq.get(one.seq) if one.seq is not None else _number(company, one.id)
            before = deliveries.get(number) if number is not None else None
            if number is None or before is None:
                heard.append(Heard(one.id, one.seq, "unknown"))
                continue
            deliveries[number], fate = _hear(before, one)
            if fate in ("acknowledged", "refused"):
                changed[number] = fate
            heard.append(_answer(company, deliveries[number], fate))
        _write(company, [deliveries[number] for number in sorted(changed)], actor)
    return heard


def _hear(before: _Delivery, said: Said) -> tuple[_Delivery, Fate]:
    """The delivery afterwards, and what that means."""
    if said.refused:
        if before.state == "due":
            return before._replace(state="refused", error=said.text), "refused"
        return before, "unchanged" if before.state == "refused" else "conflict"
    if before.state == "acknowledged":
        return before, "unchanged" if before.acknowledgement == said.text else "conflict"
    return before._replace(state="acknowledged", acknowledgement=said.text, error=None), "acknowledged"


def _answer(company: Company, delivery: _Delivery, fate: Fate) -> Heard:
    id_ = bookkeeper.entry_id(company=company.slug, entry=delivery.entry_id)
    return Heard(id_, delivery.seq, fate, delivery.acknowledgement, delivery.error)


def _number(company: Company, id_: str | None) -> int | None:
    """The entry that an id names, if it is one of this company's."""
    slug, _, number = (id_ or "").rpartition(":")
    if slug != company.slug or not (number.isascii() and number.isdigit() and len(number) <= 18):
        return None
    return int(number)


def _lock(company: Company, said: Sequence[Said]) -> dict[int, _Delivery]:
    """The deliveries that are spoken of, by entry, and nobody else changes them meanwhile; locked in one order for everybody."""
    numbers = [number for one in said if one.seq is None and (number := _number(company, one.id)) is not None]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.entry_id, e.seq, d.state, d.acknowledgement, d.error FROM ledger_delivery d"
            "  JOIN ledger_journalentry e ON e.id = d.entry_id"
            " WHERE d.entry_id = ANY(ARRAY("
            "       SELECT id FROM ledger_journalentry WHERE company_id = %s AND (seq = ANY(%s) OR id = ANY(%s))))"
            " ORDER BY d.entry_id FOR UPDATE OF d",
            [company.pk, [one.seq for one in said if one.seq is not None], numbers],
        )
        return {row[0]: _Delivery(*row) for row in cursor.fetchall()}


_ACKNOWLEDGED = (
    "state = 'acknowledged', acknowledgement = r.text, acknowledged_at = statement_timestamp(), error = NULL"
)
_REFUSED = "state = 'refused', error = r.text, batch_key = NULL"


def _write(company: Company, changed: Sequence[_Delivery], actor: str) -> None:
    receipts = {d.entry_id: d.acknowledgement for d in changed if d.state == "acknowledged"}
    refusals = {d.entry_id: d.error for d in changed if d.state == "refused"}
    for assignments, texts in ((_ACKNOWLEDGED, receipts), (_REFUSED, refusals)):
        if texts:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"UPDATE ledger_delivery d SET {assignments}"  # noqa: S608 -- the two above
                    " FROM unnest(%s::bigint[], %s::text[]) r(id, text) WHERE d.entry_id = r.id",
                    [list(texts), list(texts.values())],
                )
    rows: list[tuple[int | None, str, str, str, int | None, dict[str, Any]]] = []
    if receipts:
        seqs = [d.seq for d in changed if d.entry_id in receipts]
        data = {"entries": len(seqs), "first_seq": min(seqs), "last_seq": max(seqs)}
        rows.append((company.pk, actor, "acknowledged", "delivery", min(receipts), data))
    if refusals:
        errors = {str(d.seq): d.error for d in changed if d.entry_id in refusals}
        rows.append((company.pk, actor, "refused", "delivery", min(refusals), {"errors": errors}))
        logger.warning("%s refused %d entries", actor, len(refusals))
    if rows:
        audit.record(rows)
