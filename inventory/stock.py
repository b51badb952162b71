"""Which units a family's sale and refunds move or reserve. Pure.

Stock follows the states of the books (posting.md): an open unpaid order reserves, a paid or completed one has left the shelf, a
void or an unpaid cancellation gives everything back, and a refund returns what it says it restocks.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from channels.family import Family, stands, tenders
from channels.refund import Refund
from channels.sale import Sale, Tender


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
    """moved, reserved or none: what is in the books has left the shelf."""
    if stands(sale, paid_by):
        return "moved"
    over = sale.status in ("cancelled", "voided") or sale.payment_status in ("voided", "failed")
    return "none" if over else "reserved"
