"""What should stand for payouts, disputes, drawer counts and manual entries. The legs are settlement.py's and drawer.py's, pure.

A payout clears what its lines' references put on the clearing accounts: so it is computed with the families of those charges and
refunds, by exact reference only, and again whenever one of them changes or comes late.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from channels.arrivals import ChannelFacts
from channels.canonical import AnyRecord
from channels.cash_session import CashSession
from channels.dispute import Dispute
from channels.families import FamilyWork
from channels.family import Member
from channels.manual import Manual
from channels.payout import Payout
from channels.refund import Refund
from channels.sale import Sale
from channels.transactions import Stored
from ledger import account_rules, drawer, rates, references, settlement, targets
from ledger.legs import Leg
from ledger.mapping import Rules
from ledger.settlement import Known
from ledger.stored import TYPES, Settling, read
from ledger.targets import Target
from salessync.core import bulk


def touched(stored: Stored, works: Sequence[FamilyWork]) -> list[Settling]:
    """What a batch brought or brings up to date: its own, and payouts that pay what it changed."""
    ids = {a.transaction_id for a in (*stored.accepted, *stored.repeated) if a.record.record_type in TYPES}
    names = {(work.channel.company_id, name) for work in works for name in _names(work)}
    for a in stored.accepted:
        if isinstance(a.record, Dispute | Payout):
            names.add((a.channel.company_id, a.record.source.id))
        if isinstance(a.record, Payout):  # what it pays may have been paid in part by another
            names |= {(a.channel.company_id, line.reference) for line in a.record.lines or () if line.reference}
    return read(ids | _payouts_of(names))


def _names(work: FamilyWork) -> Iterable[str]:
    """The names by which a payout's lines may know the family's money."""
    family = work.family
    for member in (*family.charges, *family.settled, *family.refunds):
        yield member.record.source.id
    if family.sale is not None and isinstance(family.sale.record, Sale):
        yield from (t.reference for t in family.sale.record.tenders or () if t.reference)
    for member in family.refunds:
        if isinstance(member.record, Refund):
            yield from (t.reference for t in member.record.tenders if t.reference)


def _payouts_of(names: set[tuple[int, str]]) -> set[int]:
    if not names:
        return set()
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT l.transaction_id FROM unnest(%s::bigint[], %s::text[]) AS k(company_id, reference)
             CROSS JOIN LATERAL (  -- by key, one by one
                   SELECT transaction_id FROM channels_payoutline
                    WHERE company_id = k.company_id AND reference = k.reference OFFSET 0) l
            """,
            [list(column) for column in zip(*names, strict=True)],
        )
        return {id_ for (id_,) in cursor.fetchall()}


def of(settlings: Sequence[Settling], rules: Mapping[int, Rules] | None = None) -> list[Target]:
    """One target each, an empty one where nothing should stand."""
    if not settlings:
        return []
    if rules is None:
        rules = account_rules.load({s.channel.company_id for s in settlings})
    rate = rates.load([_rate_need(s) for s in settlings])
    known = references.known_of([s for s in settlings if isinstance(s.record, Payout)], rules)
    return [_target(s, rate.get(_rate_need(s)), known.get(s.transaction_id, {}), rules) for s in settlings]


def _rate_need(settling: Settling) -> rates.Need:
    return settling.record.business_date, settling.record.currency, settling.channel.base_currency


def _target(settling: Settling, rate: Decimal | None, known: Mapping[str, Known], rules: Mapping[int, Rules]) -> Target:
    channel, record = settling.channel, settling.record
    legs = _legs(record, channel, rate, known) if channel.posts(record) else []
    applying = rules.get(channel.company_id)
    member = Member(settling.transaction_id, record, channel.id)
    booked = targets.based(legs, member, channel, rate, applying, record.business_date) if legs else {}
    return Target(channel, settling.transaction_id, settling.version_id, record.business_date, booked)


def _legs(record: AnyRecord, channel: ChannelFacts, rate: Decimal | None, known: Mapping[str, Known]) -> list[Leg]:
    policy = targets.policy(channel)
    if isinstance(record, Payout):
        return settlement.payout_legs(record, known, policy, channel.base_currency, rate)
    if isinstance(record, Dispute):
        return settlement.dispute_legs(record, policy.clearing(None), policy)
    if isinstance(record, CashSession):
        return drawer.cash_session_legs(record, policy)
    assert isinstance(record, Manual)
    return settlement.manual_legs(record)
