"""Which charges of a processor's channel belong to which sale of another channel: by exact reference only, never by guess.

A charge names the sale's id (`order_reference`), or the sale's tender names the charge. One sale that fits in currency and amount,
and no other: then the charge joins its family. What no reference decides keeps a family of its own and waits, visible, in its channel.
Either side may come first; both lock the reference, so that two workers cannot miss each other.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from channels import canonical
from channels.arrivals import Arrival
from channels.charge import Charge
from channels.family import family_key, is_of_charge, names_charge_only
from channels.refund import Refund
from channels.sale import Sale
from salessync.core import bulk


def references(arrivals: Iterable[Arrival]) -> set[str]:
    """What both sides of a link lock: the names by which one may know the other."""
    found = set()
    for a in arrivals:
        if a.channel.processors:
            found.update(f"ref:{a.channel.company_id}:{name}" for name in _names(a))
    return found


def _names(arrival: Arrival) -> Iterable[str]:
    record = arrival.record
    if isinstance(record, Sale):
        yield record.source.id
        yield from (t.reference for t in record.tenders or () if t.reference)
    elif isinstance(record, Charge) and arrival.channel.id in arrival.channel.processors:
        yield record.source.id
        yield from (name for name in (record.order_reference, record.reference) if name)
    elif names_charge_only(record):
        yield _charge_of(arrival)


def follow(arrivals: Sequence[Arrival]) -> None:
    """Charges, and refunds of charges, go where their reference leads: before they are stored."""
    charges = [a for a in arrivals if isinstance(a.record, Charge) and a.channel.id in a.channel.processors]
    refunds = [a for a in arrivals if names_charge_only(a.record)]
    if charges:
        linked = _families_now(charges, [a.record.source.id for a in charges])
        for a in charges:
            now = linked.get((a.channel.id, a.record.source.id))
            if now is not None and now != a.family:
                a.family = now
        _join_sales([a for a in charges if a.family == _own_family(a)])
    if sold := [a for a in arrivals if is_of_charge(a.record)]:
        now = {(a.channel.id, a.record.source.id): a.family for a in charges}
        for a in sold:
            a.family = now.get((a.channel.id, a.record.source.id), a.family)
    if refunds:
        known = {(a.channel.id, a.record.source.id): a.family for a in charges}
        known |= _families_now(refunds, [_charge_of(a) for a in refunds])
        for a in refunds:
            a.family = known.get((a.channel.id, _charge_of(a)), a.family)


def _charge_of(arrival: Arrival) -> str:
    assert isinstance(arrival.record, Refund)
    return arrival.record.charge or ""


def _own_family(arrival: Arrival) -> str:
    return f"{arrival.channel.id}:{family_key(arrival.record)}"


def _families_now(arrivals: Sequence[Arrival], charge_ids: Sequence[str]) -> dict[tuple[int, str], str]:
    """(channel, charge) → the family that the stored charge belongs to."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT t.channel_id, t.source_id, t.family FROM unnest(%s::bigint[], %s::text[]) AS k(channel_id, source_id)"
            " JOIN channels_transaction t ON t.channel_id = k.channel_id AND t.type = 'charge' AND t.source_id = k.source_id",
            [[a.channel.id for a in arrivals], list(charge_ids)],
        )
        return {(channel, charge): family for channel, charge, family in cursor.fetchall()}


def _join_sales(charges: Sequence[Arrival]) -> None:
    """To each charge the family of the one stored sale that it names, or that names it."""
    if not charges:
        return
    with bulk.binary_cursor() as cursor:
        cursor.execute(_SALES, [*_columns(charges)])
        rows = cursor.fetchall()
    candidates: dict[int, dict[str, tuple[str, int]]] = {}
    for n, family, currency, total in rows:
        candidates.setdefault(n, {})[family] = (currency, total)
    for n, a in enumerate(charges):
        found = candidates.get(n, {})
        if len(found) == 1:
            ((family, (currency, total)),) = found.items()
            if _fits(a.record, currency, total):
                a.family = family
                continue
        a.awaits = getattr(a.record, "order_reference", None)


def _columns(charges: Sequence[Arrival]) -> tuple[list[Any], ...]:
    return (
        list(range(len(charges))),
        [a.channel.company_id for a in charges],
        [a.channel.id for a in charges],
        [getattr(a.record, "order_reference", None) for a in charges],
        [a.record.source.id for a in charges],
        [getattr(a.record, "reference", None) for a in charges],
    )


_SALES = """
    WITH k AS (
        SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[])
            AS k(n, company_id, channel_id, order_reference, id, reference))
    SELECT k.n, t.family, t.currency, t.total
      FROM k JOIN channels_channel c ON c.company_id = k.company_id
      JOIN channels_transaction t ON t.channel_id = c.id AND t.type = 'sale' AND t.source_id = k.order_reference
     WHERE t.family <> t.channel_id || ':charge:' || t.source_id
    UNION
    SELECT k.n, t.family, t.currency, t.total
      FROM k JOIN channels_tender d ON d.company_id = k.company_id AND d.reference IN (k.id, k.reference)
      JOIN channels_transaction t ON t.id = d.transaction_id AND t.type = 'sale'
     WHERE t.family <> t.channel_id || ':charge:' || t.source_id  -- that one is the charge itself
"""


def _fits(record: Any, currency: str, total: int) -> bool:
    """A reference that leads to less than was charged leads to the wrong sale; in the buyer's currency nothing can be said."""
    return bool(record.currency != currency or record.amount - record.tip <= total)


def adopt(accepted: Sequence[Arrival]) -> tuple[set[str], set[str]]:
    """Stored charges whose sale has come now, and stored refunds whose charge has: (families joined, families left)."""
    sales = [a for a in accepted if isinstance(a.record, Sale) and a.channel.processors and not is_of_charge(a.record)]
    charges = [a for a in accepted if isinstance(a.record, Charge) and a.channel.id in a.channel.processors]
    joined: set[str] = set()
    left: set[str] = set()
    moves = _waiting_charges(sales) if sales else {}
    moves |= {f"{a.channel.id}:charge:{a.record.source.id}": a.family for a in charges}
    moves = {old: new for old, new in moves.items() if old != new}
    if not moves:
        return joined, left
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "UPDATE channels_transaction t SET family = m.new, awaits = NULL FROM unnest(%s::text[], %s::text[]) AS m(old, new)"
            " WHERE t.family = m.old RETURNING m.old, m.new",
            [list(moves), list(moves.values())],
        )
        for old, new in cursor.fetchall():
            left.add(old)
            joined.add(new)
    moved = {a for a in accepted if a.family in left}
    for a in moved:  # a charge of this very batch
        a.family = moves[a.family]
    return joined, left


def _waiting_charges(sales: Sequence[Arrival]) -> dict[str, str]:
    """The family of each waiting charge that names one of these sales, or that one of their tenders names → the sale's."""
    named = [(a, a.record.source.id, None) for a in sales]
    named += [(a, None, t.reference) for a in sales for t in _tenders(a) if t.reference]
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            WITH k AS (SELECT * FROM unnest(%s::int[], %s::bigint[], %s::bigint[], %s::text[], %s::text[])
                           AS k(n, company_id, channel_id, sale, charge))
            SELECT k.n, t.family, v.record
              FROM k JOIN channels_transaction t ON t.company_id = k.company_id AND t.awaits = k.sale AND t.channel_id <> k.channel_id
              JOIN channels_transactionversion v ON v.id = t.version_id
             WHERE (SELECT count(*) FROM channels_channel c JOIN channels_transaction s
                      ON s.channel_id = c.id AND s.type = 'sale' AND s.source_id = k.sale
                     WHERE c.company_id = k.company_id) = 1
            UNION ALL
            SELECT k.n, t.family, v.record
              FROM k JOIN channels_channel c ON c.company_id = k.company_id AND c.id <> k.channel_id
              JOIN channels_transaction t ON t.channel_id = c.id AND t.type = 'charge' AND t.source_id = k.charge
              JOIN channels_transactionversion v ON v.id = t.version_id
             WHERE t.family LIKE c.id || ':%%'
            """,
            [
                list(range(len(named))), [a.channel.company_id for a, _, _ in named], [a.channel.id for a, _, _ in named],
                [sale for _, sale, _ in named], [charge for _, _, charge in named],
            ],
        )  # fmt: skip
        found: dict[str, str] = {}
        for n, family, record in cursor.fetchall():
            sale = named[n][0]
            if _fits(canonical.decode(bytes(record)), sale.record.currency, sale.record.totals.total):
                found[family] = sale.family
        return found


def _tenders(arrival: Arrival) -> Iterable[Any]:
    assert isinstance(arrival.record, Sale)
    return arrival.record.tenders or ()
