"""Stores canonical records as transactions with their versions, lines and tenders. The only writer of those tables.

An older version never overwrites a newer one, and the order of arrival does not matter. Set-based: a few statements a batch.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from channels import links
from channels.arrivals import Arrival
from channels.canonical import AnyRecord
from channels.models import Transaction, TransactionVersion
from channels.payout import Payout
from channels.refund import Refund
from channels.sale import Sale
from salessync.core import bulk
from salessync.core.locks import lock_families, lock_payouts

Key = tuple[int, str, str]  # channel, type, source id


class Stored(NamedTuple):
    """What the batch changed: the last accepted arrival of each transaction, and how each event's records fared."""

    accepted: list[Arrival]
    repeated: list[Arrival]  # what stands already: adds nothing, unless a setting has changed since
    created: set[int]  # transaction ids that did not exist before
    stale: set[int]  # events all of whose records were older than what stands, and told nothing that it does not
    joined: set[str]  # families that got a member from another channel
    left: set[str]  # families whose member found its sale in another one


def store(arrivals: Sequence[Arrival]) -> Stored:
    """Lock the families, then accept what is newer than what stands, and bring together what an exact reference joins."""
    pays = any(isinstance(a.record, Payout) for a in arrivals)
    lock_payouts({a.channel.company_id for a in arrivals}, exclusive=pays)
    lock_families({a.family for a in arrivals} | links.references(arrivals))
    links.follow(arrivals)
    keys = [_key(a) for a in arrivals]
    standing = _standing(set(keys))
    newest: dict[Key, Arrival] = {}
    versions: list[Arrival] = []
    repeated: list[Arrival] = []
    created: set[int] = set()
    tellers: list[Arrival] = []
    fates: dict[int, list[bool]] = {}
    ids = iter(bulk.next_ids(Transaction, len(set(keys) - standing.keys())))
    for key, arrival in zip(keys, arrivals, strict=True):
        current = standing.get(key)
        stale = current is not None and arrival.order < current[1]
        fates.setdefault(arrival.event_id, []).append(stale)
        if current is None:
            arrival.transaction_id = next(ids)
            created.add(arrival.transaction_id)
        else:
            arrival.transaction_id = current[0]
            if arrival.order == current[1]:
                repeated.append(arrival)
            if arrival.order <= current[1]:
                if stale and _tells_payments(arrival.record):
                    tellers.append(arrival)
                continue
        standing[key] = (arrival.transaction_id, arrival.order)
        newest[key] = arrival
        versions.append(arrival)
    accepted = list(newest.values())
    late = _not_told_yet(tellers, newest)  # older, but it may be the only one that speaks of the payments
    for arrival in late:
        fates[arrival.event_id].append(False)
    _write(accepted, [*versions, *late], created)
    joined, left = links.adopt(accepted)
    stale_events = {event for event, stale in fates.items() if all(stale)}
    return Stored(accepted, [*repeated, *late], created, stale_events, joined, left)


def _tells_payments(record: AnyRecord) -> bool:
    """Whether the record speaks of what a later version may be silent about: a sale's tenders, a payout's lines."""
    if isinstance(record, Sale):
        return record.tenders is not None
    return isinstance(record, Payout) and record.lines is not None


def _not_told_yet(tellers: Sequence[Arrival], newest: Mapping[Key, Arrival]) -> list[Arrival]:
    """Those of the older versions that tell what the standing one does not, and are not stored."""
    tellers = [a for a in tellers if not (_key(a) in newest and _tells_payments(newest[_key(a)].record))]
    if not tellers:
        return []
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT v.transaction_id, v.digest, t.version_id = v.id AND v.payments_order IS NOT NULL"
            "  FROM channels_transaction t JOIN channels_transactionversion v ON v.transaction_id = t.id"
            " WHERE t.id = ANY(%s)",
            [[a.transaction_id for a in tellers]],
        )
        rows = cursor.fetchall()
    known = {(transaction_id, bytes(digest)) for transaction_id, digest, _ in rows}
    silent_now = {_key(a) for a in tellers if _key(a) in newest}
    told = {transaction_id for transaction_id, _, tells in rows if tells}
    found = {
        (a.transaction_id, a.digest): a
        for a in tellers
        if (a.transaction_id, a.digest) not in known and (_key(a) in silent_now or a.transaction_id not in told)
    }
    return list(found.values())


def _key(arrival: Arrival) -> Key:
    return arrival.channel.id, arrival.record.record_type, arrival.record.source.id


def _standing(keys: set[Key]) -> dict[Key, tuple[int, str]]:
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT t.channel_id, t.type, t.source_id, t.id, t.version_order
              FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k(channel_id, type, source_id)
             CROSS JOIN LATERAL (  -- by key, one by one: LIMIT keeps the planner from reading the whole table instead
                   SELECT * FROM channels_transaction
                    WHERE channel_id = k.channel_id AND type = k.type AND source_id = k.source_id LIMIT 1) t
            """,
            [list(column) for column in zip(*keys, strict=True)],
        )
        return {(c, kind, source): (id_, order) for c, kind, source, id_, order in cursor.fetchall()}


def _write(accepted: Sequence[Arrival], versions: Sequence[Arrival], created: set[int]) -> None:
    for arrival, version_id in zip(versions, bulk.next_ids(TransactionVersion, len(versions)), strict=True):
        arrival.version_id = version_id
    new = [a for a in accepted if a.transaction_id in created]
    changed = [a for a in accepted if a.transaction_id not in created]
    if new:
        bulk.copy_in("channels_transaction", _TRANSACTION, map(_transaction_row, new))
    if changed:
        _update(changed)
    if versions:
        bulk.copy_in("channels_transactionversion", _VERSION, map(_version_row, versions))
    with_parts = [a for a in accepted if isinstance(a.record, Sale | Refund)]
    if with_parts:
        bulk.copy_in("channels_line", _LINE, (row for a in with_parts for row in _line_rows(a)))
        bulk.copy_in("channels_tender", _TENDER, (row for a in with_parts for row in _tender_rows(a)))
    payouts = [a for a in versions if isinstance(a.record, Payout) and a.record.lines is not None]
    if payouts:
        _write_payout_lines(payouts)


def _update(changed: Sequence[Arrival]) -> None:
    columns = [name for name, _ in _TRANSACTION if name not in ("company_id", "channel_id", "type", "source_id")]
    kinds = dict(_TRANSACTION)
    rows = [dict(zip((n for n, _ in _TRANSACTION), _transaction_row(a), strict=True)) for a in changed]
    assignments = ", ".join(f"{c} = n.{c}" for c in columns if c != "id")
    arrays = ", ".join(f"%s::{kinds[c]}[]" for c in columns)
    ids = [a.transaction_id for a in changed]
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            f"UPDATE channels_transaction t SET {assignments}, updated_at = now()"  # noqa: S608 -- our own column names
            f" FROM unnest({arrays}) AS n({', '.join(columns)}) WHERE t.id = n.id",
            [[row[c] for row in rows] for c in columns],
        )
        cursor.execute("DELETE FROM channels_line WHERE transaction_id = ANY(%s)", [ids])
        cursor.execute("DELETE FROM channels_tender WHERE transaction_id = ANY(%s)", [ids])


_TRANSACTION = [
    ("id", "int8"), ("company_id", "int8"), ("channel_id", "int8"), ("type", "text"), ("source_id", "text"),
    ("family", "text"), ("number", "text"), ("version", "text"), ("version_order", "text"), ("version_id", "int8"),
    ("status", "text"), ("payment_status", "text"), ("currency", "text"), ("total", "int8"),
    ("occurred_at", "timestamptz"), ("business_date", "date"), ("location", "text"), ("awaits", "text"),
]  # fmt: skip
_VERSION = [
    ("id", "int8"), ("company_id", "int8"), ("transaction_id", "int8"), ("version", "text"), ("digest", "bytea"),
    ("record", "bytea"), ("event_id", "int8"), ("payments_order", "text"),
]  # fmt: skip
_LINE = [
    ("transaction_id", "int8"), ("position", "int2"), ("company_id", "int8"), ("line_id", "text"), ("type", "text"),
    ("sku", "text"), ("name", "text"), ("quantity", "numeric"), ("gross", "int8"), ("discount", "int8"), ("net", "int8"),
    ("tax", "int8"),
]  # fmt: skip
_TENDER = [
    ("transaction_id", "int8"), ("position", "int2"), ("company_id", "int8"), ("tender_id", "text"), ("type", "text"),
    ("status", "text"), ("amount", "int8"), ("tip", "int8"), ("processor", "text"), ("reference", "text"), ("card", "text"),
]  # fmt: skip

_PAYOUT_LINE = [
    ("transaction_id", "int8"), ("position", "int4"), ("company_id", "int8"), ("channel_id", "int8"), ("line_id", "text"),
    ("category", "text"), ("gross", "int8"), ("fee", "int8"), ("net", "int8"), ("reference", "text"),
]  # fmt: skip


def _write_payout_lines(told: Sequence[Arrival]) -> None:
    """The lines of the latest version that tells them; a version that does not (a webhook's header) leaves them as they are."""
    latest: dict[int, Arrival] = {}
    for arrival in told:
        before = latest.get(arrival.transaction_id)
        if before is None or arrival.order > before.order:
            latest[arrival.transaction_id] = arrival
    with bulk.binary_cursor() as cursor:
        cursor.execute("DELETE FROM channels_payoutline WHERE transaction_id = ANY(%s)", [list(latest)])
    bulk.copy_in("channels_payoutline", _PAYOUT_LINE, (row for a in latest.values() for row in _payout_line_rows(a)))


def _payout_line_rows(arrival: Arrival) -> Iterable[tuple[Any, ...]]:
    assert isinstance(arrival.record, Payout)
    company, channel, owner = arrival.channel.company_id, arrival.channel.id, arrival.transaction_id
    for i, x in enumerate(arrival.record.lines or ()):
        yield (owner, i, company, channel, x.id, x.category, x.gross, x.fee, x.net, x.reference)


def _transaction_row(arrival: Arrival) -> tuple[Any, ...]:
    record, source = arrival.record, arrival.record.source
    return (
        arrival.transaction_id, arrival.channel.company_id, arrival.channel.id, record.record_type, source.id, arrival.family,
        source.number, source.version, arrival.order, arrival.version_id,
        getattr(record, "status", None) or getattr(record, "state", ""), getattr(record, "payment_status", None),
        record.currency, total_of(record), record.occurred_at, record.business_date, source.location,
        arrival.awaits,
    )  # fmt: skip


def _version_row(arrival: Arrival) -> tuple[Any, ...]:
    return (
        arrival.version_id, arrival.channel.company_id, arrival.transaction_id, arrival.record.source.version,
        arrival.digest, arrival.encoded, arrival.event_id, arrival.order if _tells_payments(arrival.record) else None,
    )  # fmt: skip


def _line_rows(arrival: Arrival) -> Iterable[tuple[Any, ...]]:
    record, company, owner = arrival.record, arrival.channel.company_id, arrival.transaction_id
    if isinstance(record, Sale):
        for i, s in enumerate(record.lines):
            yield (
                owner,
                i,
                company,
                s.id,
                s.type,
                s.sku,
                s.name,
                Decimal(s.quantity),
                s.gross,
                s.discount,
                s.net,
                s.tax,
            )
    elif isinstance(record, Refund):
        for i, r in enumerate(record.lines):
            yield (owner, i, company, r.line or "", r.type, None, "", Decimal(r.quantity), r.net, 0, r.net, r.tax)


def _tender_rows(arrival: Arrival) -> Iterable[tuple[Any, ...]]:
    record, company, owner = arrival.record, arrival.channel.company_id, arrival.transaction_id
    if isinstance(record, Sale):
        for i, t in enumerate(record.tenders or ()):
            card = str(t.card) if t.card else None
            yield (owner, i, company, t.id, t.type, t.status, t.amount, t.tip, t.processor, t.reference, card)
    elif isinstance(record, Refund):
        for i, r in enumerate(record.tenders):
            yield (owner, i, company, r.id, r.type, record.status, r.amount, 0, r.processor, r.reference, None)


def total_of(record: AnyRecord) -> int:
    """The record's headline amount in minor units of its currency, for lists."""
    return record.totals.total if isinstance(record, Sale | Refund) else record.amount
