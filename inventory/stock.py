"""Which units a family's sale and refunds move or reserve. Pure.

Stock follows the states of the books (posting.md): an open unpaid order reserves, a paid or completed one has left the shelf, a
void or an unpaid cancellation gives everything back, and a refund returns what it says it restocks.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from channels.family import Family, tenders
from channels.refund import Refund
from channels.sale import Sale, Tender

TAKEN = frozenset({"captured", "settled"})
SAYS_PAID = frozenset({"paid", "partially_paid", "partially_refunded", "refunded"})


class Want(NamedTuple):
    """Units that one line should have moved: negative takes from on hand; `reserved` positive holds units."""

    transaction_id: int
    line_id: str
    sku: str
    name: str
    location: str | None
    on_hand: Decimal
    reserved: Decimal


def wanted(family: Family) -> Iterator[Want]:
    """For each line with a SKU what should stand; lines that should move nothing are left out."""
    if family.sale is None or not isinstance(family.sale.record, Sale):
        return
    sale = family.sale.record
    state = _state(sale, tenders(family))
    if state == "none":
        return
    moved = state == "moved"
    sold = {line.id: line for line in sale.lines if line.sku and line.type == "item"}
    zero = Decimal(0)
    for line in sold.values():
        units = Decimal(line.quantity)
        yield Want(
            family.sale.transaction_id, line.id, line.sku or "", line.name, sale.source.location,
            -units if moved else zero, zero if moved else units,
        )  # fmt: skip
    for member in family.refunds:
        refund = member.record
        if not isinstance(refund, Refund) or refund.status in ("failed", "cancelled"):
            continue
        for back in refund.lines:
            line = sold.get(back.line or "")  # type: ignore[assignment]
            units = Decimal(back.quantity)
            if line is not None and back.restock in ("return", "cancel") and units:
                yield Want(
                    member.transaction_id, line.id, line.sku or "", line.name,
                    refund.source.location or sale.source.location,
                    units if moved else zero, zero if moved else -units,
                )  # fmt: skip


def _state(sale: Sale, paid_by: list[Tender] | None) -> str:
    """moved, reserved or none."""
    if sale.status == "voided":
        return "none"
    taken = any(t.status in TAKEN for t in paid_by or ()) or (sale.tenders is None and sale.payment_status in SAYS_PAID)
    if taken or (sale.payment_status == "paid" and sale.status != "cancelled"):
        return "moved"
    if sale.status == "cancelled" or sale.payment_status in ("voided", "failed"):
        return "none"
    on_account = any(t.type == "on_account" and t.status not in ("failed", "voided") for t in paid_by or ())
    return "moved" if sale.status == "completed" or on_account else "reserved"
