"""A sale with its refunds and its processor's charges: what must be looked at together. Pure.

A refund or a charge alone means little: how much of the tax it gives back, and which account it pays from, follow from the
sale and from the other refunds. So whoever computes computes for the family, and the order of arrival cannot matter.
"""

from collections.abc import Iterable

import msgspec

from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.record import Card
from channels.refund import Refund
from channels.sale import CAPTURED, Sale, Tender
from salessync.core.money import scale

SAYS_PAID = frozenset({"paid", "partially_refunded", "refunded"})
NO_PROCESSOR = frozenset({"cash", "gift_card", "store_credit", "on_account"})


class Member(msgspec.Struct, frozen=True):
    """One record of the family with the id of the transaction that holds it."""

    transaction_id: int
    record: AnyRecord
    channel_id: int = 0


class Family(msgspec.Struct):
    """`refunds` in the order in which they happened, whatever the order in which they arrived.

    `settled`: refunds of charges, the processor's side of money that went back. `told`: the payments that an earlier version of the
    sale told, where its current one does not speak of them. `superseded`: a sale that was only a charge, until its order came.
    """

    sale: Member | None
    refunds: list[Member]
    charges: list[Member]
    settled: list[Member] = []
    told: list[Tender] | None = None
    superseded: list[Member] = []


def family_key(record: AnyRecord) -> str:
    """The source id of the sale that the record belongs to, or a key of its own where it names none."""
    if isinstance(record, Sale):
        return record.source.id
    if isinstance(record, Refund):
        if record.sale:
            return record.sale
        return f"charge:{record.charge}" if record.charge else f"refund:{record.source.id}"
    if isinstance(record, Charge):
        return record.order_reference or f"charge:{record.source.id}"
    return f"{record.record_type}:{record.source.id}"


def waits_for_sale(record: AnyRecord) -> bool:
    """Whether the record says nothing until its sale is known."""
    if isinstance(record, Refund):
        return bool(record.sale or record.charge)
    return isinstance(record, Charge)


def gather(members: Iterable[Member], told: list[Tender] | None = None) -> Family:
    """Sort the members of one family into their places."""
    sale: Member | None = None
    refunds: list[Member] = []
    charges: list[Member] = []
    settled: list[Member] = []
    superseded: list[Member] = []
    for member in members:
        if isinstance(member.record, Sale):
            if sale is None:
                sale = member
            elif is_of_charge(member.record):
                superseded.append(member)
            else:
                superseded.append(sale)
                sale = member
        elif isinstance(member.record, Refund):
            (settled if names_charge_only(member.record) else refunds).append(member)
        elif isinstance(member.record, Charge):
            charges.append(member)
    if settled and sale is not None and is_of_charge(sale.record):  # no order will tell of what it gave back
        refunds += settled
        settled = []
    if len(refunds) > 1:
        refunds.sort(key=lambda m: (m.record.occurred_at, m.record.source.id))
    if len(charges) > 1:
        charges.sort(key=lambda m: (m.record.occurred_at, m.record.source.id))
    return Family(sale, refunds, charges, settled, told, superseded)


def names_charge_only(record: AnyRecord) -> bool:
    """Whether it is a processor's own refund: it knows the charge that it gives back, and no sale."""
    return isinstance(record, Refund) and bool(record.charge) and not record.sale


def is_of_charge(record: AnyRecord) -> bool:
    """Whether the sale is a charge of a channel that sells by itself (channels/selling.py)."""
    return isinstance(record, Sale) and record.extensions.get("salessync") == {"from": "charge"}


def tenders(family: Family) -> list[Tender] | None:
    """The sale's tenders in its own currency, completed by its charges; None while nobody has named any.

    Charges of another channel are the processor's side: where the sale's own channel names payments, they are these payments.
    """
    assert family.sale is not None and isinstance(family.sale.record, Sale)
    sale = family.sale.record
    stated = family.told if sale.tenders is None else sale.tenders
    own = [m for m in family.charges if m.channel_id == family.sale.channel_id]
    others = [m.record for m in family.charges if m.channel_id != family.sale.channel_id]
    known = list(stated or [])
    if others and known:
        _name_processors(known, others)
    charges = own if own or stated else family.charges
    if not charges:
        return known if others and known else stated
    ids = {t.id for t in known} | {t.reference for t in known if t.reference}
    brought: list[tuple[int, Tender, Charge]] = []
    for member in charges:
        charge = member.record
        assert isinstance(charge, Charge)
        if charge.source.id not in ids and (charge.reference is None or charge.reference not in ids):
            brought.append((len(known), _as_tender(charge, sale), charge))
            known.append(brought[-1][1])
    _bring_home(known, brought, sale)
    return known


def _name_processors(known: list[Tender], charges: list[AnyRecord]) -> None:
    """A tender goes to the account of the channel whose charge it is: by reference, or where only one of either is left, by amount."""
    unnamed = {i for i, t in enumerate(known) if t.status in CAPTURED and t.type not in NO_PROCESSOR}
    left = []
    for charge in charges:
        assert isinstance(charge, Charge)
        names = {charge.source.id, charge.reference}
        index = next((i for i in unnamed if known[i].reference in names or known[i].id in names), None)
        if index is None:
            left.append(charge)
            continue
        unnamed.discard(index)
        known[index] = msgspec.structs.replace(known[index], processor=processor_of(charge))
    if len(left) == 1 and len(unnamed) == 1:
        (index,) = unnamed
        if known[index].amount == left[0].captured and known[index].reference is None:
            known[index] = msgspec.structs.replace(known[index], processor=processor_of(left[0]))


def captured(paid_by: list[Tender] | None) -> int:
    """Money taken, whatever was given back later."""
    return sum(t.amount for t in paid_by or () if t.status in CAPTURED)


def stands(sale: Sale, paid_by: list[Tender] | None) -> bool:
    """Whether the sale is in the books and off the shelf: an unpaid open order, an authorization and a void are not."""
    if sale.status == "voided":
        return False
    if captured(paid_by) > 0 or (sale.tenders is None and sale.payment_status in SAYS_PAID):
        return True
    if sale.status == "cancelled" or sale.payment_status in ("voided", "failed"):
        return False
    if sale.status == "completed":
        return True
    if sale.payment_status == "paid":  # a free order
        return True
    on_account = any(t.type == "on_account" and t.status not in ("failed", "voided") for t in paid_by or ())
    return on_account or (sale.tenders is None and sale.payment_status == "partially_paid")


def _as_tender(charge: Charge, sale: Sale) -> Tender:
    return Tender(
        id=charge.source.id,
        type=charge.tender_type,
        action="capture" if charge.captured else "authorize",
        status=charge.status,
        amount=charge.captured or charge.amount,
        tip=charge.tip if charge.currency == sale.currency else 0,
        processor=processor_of(charge),
        reference=charge.reference,
        card=charge.card or Card(),
        fees=charge.fees,
        settlement=charge.settlement,
    )


def processor_of(charge: Charge) -> str | None:
    """A shop's own charge names its gateway in the extensions of its adapter; a processor's charge is of the processor."""
    named = charge.extensions.get(charge.source.adapter)
    gateway = named.get("processor") if isinstance(named, dict) else None
    if gateway or charge.tender_type in NO_PROCESSOR:
        return gateway
    return charge.source.channel


def _bring_home(known: list[Tender], brought: list[tuple[int, Tender, Charge]], sale: Sale) -> None:
    """Amounts in the buyer's currency become the sale's, by the ratio of its two totals; the last takes the remainder."""
    foreign = [(i, t) for i, t, c in brought if c.currency != sale.currency and t.status in CAPTURED]
    shown = sale.presentment
    if not foreign or shown is None or shown.total == 0:
        return
    left_there = shown.total
    left_here = sale.totals.total - sum(
        t.amount for i, t in enumerate(known) if t.status in CAPTURED and i not in {j for j, _ in foreign}
    )
    for index, tender in foreign:
        completes = tender.amount == left_there
        home = left_here if completes else scale(tender.amount, sale.totals.total, shown.total)
        left_there -= tender.amount
        left_here -= home
        known[index] = msgspec.structs.replace(tender, amount=max(home, 0))
