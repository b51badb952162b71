"""What the lines of payouts refer to: the charges, refunds, disputes and failed payouts behind their references, and what these put
on the clearing accounts. By exact reference only.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from channels import canonical, families
from channels.arrivals import ChannelFacts
from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.dispute import Dispute
from channels.family import tenders
from channels.payout import Payout
from channels.record import Fee
from channels.refund import Refund
from channels.sale import Sale
from ledger import account_rules, rates, settlement, targets
from ledger.mapping import Rules
from ledger.settlement import Booked, Known
from ledger.stored import Settling, read
from ledger.targets import Legs
from salessync.core import bulk
from salessync.core.money import convert


class Part(NamedTuple):
    """What one payout pays of an object, and takes back of it: minor units, signed."""

    payout: int
    paid: int
    back: int


class _Named(NamedTuple):
    """A stored object that a payout's line names."""

    transaction_id: int
    type: str
    family: str
    record: AnyRecord


def known_of(payouts: Sequence[Settling], rules: Mapping[int, Rules]) -> dict[int, dict[str, Known]]:
    """Payout → reference → what is known of it."""
    asked = {
        (s.channel.company_id, s.channel.id, line.reference)
        for s in payouts
        if isinstance(s.record, Payout)
        for line in s.record.lines or ()
        if line.reference
    }
    if not asked:
        return {}
    named = _named(asked)
    failed = _failed(named, rules)
    books = _Books([found.family for all_ in named.values() for found in all_], rules)
    parts = _parts(asked)
    found: dict[int, dict[str, Known]] = {}
    for s in payouts:
        known = found[s.transaction_id] = {}
        for line in (s.record.lines or ()) if isinstance(s.record, Payout) else ():
            if line.reference and line.reference not in known:
                place = s.channel.id, line.reference
                one = _knowledge(line.reference, named.get(place, []), books, failed, s.channel)
                known[line.reference] = _in_parts(one.known, s.transaction_id, parts.get(place, []))
    return found


def owners(payout_ids: Iterable[int]) -> dict[tuple[int, str], int]:
    """(payout, lines/<id>) → the sale, refund or dispute that the line pays, as far as an exact reference leads there."""
    payouts = [s for s in read(payout_ids, []) if isinstance(s.record, Payout)]
    asked = {(s.channel.company_id, s.channel.id, r) for s in payouts for _, r in _references(s.record, {})}
    named = _named(asked) if asked else {}
    came_back = {
        (s.channel.id, s.record.source.id): s.record
        for s in read(one.transaction_id for all_ in named.values() for one in all_ if one.type == "payout")
    }
    again = {
        (s.channel.company_id, s.channel.id, r) for s in payouts for _, r in _references(s.record, came_back)
    } - asked
    named |= _named(again) if again else {}
    rules = account_rules.load({s.channel.company_id for s in payouts})
    books = _Books([one.family for all_ in named.values() for one in all_], rules)
    found: dict[tuple[int, str], int] = {}
    for s in payouts:
        for part, reference in _references(s.record, came_back):
            one = _knowledge(reference, named.get((s.channel.id, reference), []), books, {}, s.channel)
            if one.owner is not None:
                found[s.transaction_id, part] = one.owner
    return found


def _references(
    payout: AnyRecord, came_back: Mapping[tuple[int, str], AnyRecord], where: str = ""
) -> Iterable[tuple[str, str]]:
    """(lines/<id>, reference) of the payout's lines, and below a payout that came back of its own."""
    assert isinstance(payout, Payout)
    inner = {reference: record for (_, reference), record in came_back.items()}
    for line in payout.lines or ():
        part = f"{where}lines/{line.id}"
        if line.reference:
            yield part, line.reference
            if line.category == "payout_failure" and not where and line.reference in inner:
                yield from _references(inner[line.reference], {}, f"{part}/")


def _parts(asked: set[tuple[int, int, str]]) -> dict[tuple[int, str], list[Part]]:
    """(channel, reference) → what each payout pays of it, in their order, where several do; failed ones pay nothing."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT k.channel_id, k.reference, array_agg(l.id), array_agg(l.paid), array_agg(l.back)
              FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k(company_id, channel_id, reference)
             CROSS JOIN LATERAL (
                   SELECT t.id, COALESCE(sum(l.gross) FILTER (WHERE l.gross > 0), 0)::bigint AS paid,
                          COALESCE(sum(l.gross) FILTER (WHERE l.gross < 0), 0)::bigint AS back
                     FROM channels_payoutline l JOIN channels_transaction t ON t.id = l.transaction_id
                    WHERE l.company_id = k.company_id AND l.reference = k.reference AND l.channel_id = k.channel_id
                      AND l.category = ANY(%s) AND t.status = ANY(%s)
                    GROUP BY t.id, t.occurred_at, t.source_id ORDER BY t.occurred_at, t.source_id) l
             GROUP BY 1, 2 HAVING count(*) > 1
            """,
            [*(list(column) for column in zip(*sorted(asked), strict=True)), list(settlement.CLEARS), list(settlement.PAID_OUT)],
        )  # fmt: skip
        return {
            (channel, reference): [Part(*row) for row in zip(*rest, strict=True)]
            for channel, reference, *rest in cursor.fetchall()
        }


def _in_parts(known: Known, payout: int, parts: Sequence[Part]) -> Known:
    """What earlier payouts have paid of it, and all that any of them pays; lines that take it back count in neither."""
    ids = [part.payout for part in parts]
    if payout not in ids or known.booked is None:
        return known
    gross = [part.paid if known.booked.amount > 0 else part.back for part in parts]
    return known._replace(before=sum(gross[: ids.index(payout)]), gross=sum(gross) or None)


def _named(asked: set[tuple[int, int, str]]) -> dict[tuple[int, str], list[_Named]]:
    """(channel, reference) → the channel's object of that id; else the sale or refund whose tender bears the reference."""
    found: dict[tuple[int, str], list[_Named]] = {}
    columns = [list(column) for column in zip(*sorted(asked), strict=True)]
    with bulk.binary_cursor() as cursor:
        cursor.execute(_OBJECTS, columns[1:])
        rows = cursor.fetchall()
        cursor.execute(_TENDERS, columns)
        rows += cursor.fetchall()
    for channel, reference, id_, type_, family, record in rows:
        found.setdefault((channel, reference), []).append(_Named(id_, type_, family, canonical.decode(bytes(record))))
    return found


_OBJECTS = """
    SELECT k.channel_id, k.reference, t.id, t.type, t.family, v.record
      FROM unnest(%s::bigint[], %s::text[]) AS k(channel_id, reference)
     CROSS JOIN LATERAL (
           SELECT * FROM channels_transaction
            WHERE channel_id = k.channel_id AND type IN ('charge', 'refund', 'dispute', 'payout') AND source_id = k.reference
           OFFSET 0) t
      JOIN channels_transactionversion v ON v.id = t.version_id
"""
_TENDERS = """
    SELECT DISTINCT ON (k.channel_id, k.reference, t.id) k.channel_id, k.reference, t.id, t.type, t.family, v.record
      FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k(company_id, channel_id, reference)
     CROSS JOIN LATERAL (
           SELECT transaction_id FROM channels_tender
            WHERE company_id = k.company_id AND reference = k.reference OFFSET 0) d
      JOIN channels_transaction t ON t.id = d.transaction_id
      JOIN channels_transactionversion v ON v.id = t.version_id
"""


def _failed(named: Mapping[tuple[int, str], Sequence[_Named]], rules: Mapping[int, Rules]) -> dict[str, Known]:
    """Payouts that failed and came back as a line of another, with what is known of their own lines."""
    keys = [found.family for all_ in named.values() for found in all_ if found.type == "payout"]
    if not keys:
        return {}
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT id FROM channels_transaction WHERE family = ANY(%s) AND type = 'payout'", [keys])
        settlings = read(id_ for (id_,) in cursor.fetchall())
    known = known_of([s for s in settlings if _names_no_payout(s.record)], rules)
    return {
        s.record.source.id: Known(failed=s.record, failed_known=known.get(s.transaction_id, {}))
        for s in settlings
        if isinstance(s.record, Payout)
    }


def _names_no_payout(record: AnyRecord) -> bool:
    """Of failures of failures only the first is followed."""
    return isinstance(record, Payout) and all(line.category != "payout_failure" for line in record.lines or ())


class _Found(NamedTuple):
    """What a name leads to: the transaction, and what it puts on a clearing account."""

    transaction_id: int
    booked: Booked


class _Books:
    """What should stand for the families that payout lines lead to."""

    def __init__(self, keys: Iterable[str], rules: Mapping[int, Rules]) -> None:
        self.works = {work.key: work for work in families.stored(set(keys))}
        self.legs: dict[int, Legs] = {
            t.transaction_id: t.legs for t in targets.of_families(list(self.works.values()), rules)
        }

    def of_tender(self, family: str, names: set[str]) -> _Found | None:
        """What the sale's tender of one of these names put on its account."""
        work = self.works.get(family)
        if work is None or work.family.sale is None:
            return None
        for tender in tenders(work.family) or ():
            if {tender.id, tender.reference} & names:
                return self._leg(work.family.sale.transaction_id, f"tenders/{tender.id}")
        return None

    def of_refund(self, family: str, names: set[str], amount: int) -> _Found | None:
        """What a refund of the family gave back from its account: the tender of one of these names, else the only one of that amount."""
        work = self.works.get(family)
        if work is None:
            return None
        alike = []
        for member in work.family.refunds:
            refund = member.record
            if not isinstance(refund, Refund):
                continue
            if refund.source.id in names and len(refund.tenders) < 2:
                return self._money(member.transaction_id, refund)
            for tender in refund.tenders:
                if {tender.id, tender.reference} & names:
                    return self._leg(member.transaction_id, f"tenders/{tender.id}")
            if refund.totals.total == amount and len(refund.tenders) < 2:
                alike.append((member.transaction_id, refund))
        return self._money(*alike[0]) if len(alike) == 1 else None

    def _money(self, transaction_id: int, refund: Refund) -> _Found | None:
        path = f"tenders/{refund.tenders[0].id}" if refund.tenders else "totals/total"
        return self._leg(transaction_id, path)

    def _leg(self, transaction_id: int, path: str) -> _Found | None:
        for key, (amount, base) in self.legs.get(transaction_id, {}).items():
            if key[5] == path and key[0].startswith("Assets:"):
                return _Found(transaction_id, Booked(key[0], key[1], amount, base))
        return None


def _of_dispute(dispute: Dispute, channel: ChannelFacts) -> Booked | None:
    """What is disputed, at the rate of the dispute's own day; it is the same when it has been won."""
    base = channel.base_currency
    rate = rates.load([(dispute.business_date, dispute.currency, base)])
    if not rate or not dispute.amount:
        return None
    worth = convert(-dispute.amount, dispute.currency, *rate.values(), base)
    return Booked(targets.policy(channel).clearing(None), dispute.currency, -dispute.amount, worth)


class _Knowledge(NamedTuple):
    """What is known of a reference, and of which transaction it is."""

    known: Known = Known()
    owner: int | None = None


def _knowledge(
    reference: str, named: Sequence[_Named], books: _Books, failed: Mapping[str, Known], channel: ChannelFacts
) -> _Knowledge:
    found: _Found | None = None
    fees: tuple[Fee, ...] = ()
    for one in named:
        record = one.record
        if isinstance(record, Payout):
            return _Knowledge(failed.get(reference, Known()))
        if isinstance(record, Dispute):
            fee = settlement.booked_fee(record) if channel.posts(record) else None
            undone = record.state in ("won", "closed")
            known = Known(booked=_of_dispute(record, channel), dispute_fee=fee, undone=undone)
            return _Knowledge(known, one.transaction_id)
        if isinstance(record, Charge):
            fees = tuple(record.fees)
            found = found or books.of_tender(one.family, {record.source.id, record.reference or record.source.id})
        elif isinstance(record, Refund):
            names = {reference} | {t.reference for t in record.tenders if t.reference}
            found = found or books.of_refund(one.family, names, record.totals.total)
        elif isinstance(record, Sale):
            found = found or books.of_tender(one.family, {reference})
    if found is None:
        return _Knowledge(Known(fees=fees))
    return _Knowledge(Known(booked=found.booked, fees=fees), found.transaction_id)
