"""Which units a family's sale and refunds move or reserve, and what these units had cost. Pure.

Stock follows the states of the books (posting.md): an open unpaid order reserves, a paid or completed one has left the shelf, a
void or an unpaid cancellation gives everything back, and a refund returns what it says it restocks.
"""

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from channels.family import Family, stands, tenders
from channels.refund import Refund
from channels.sale import Sale, Tender
from salessync.core.money import LIMIT, scale


class Want(NamedTuple):
    """Units that one line should have moved: negative takes from on hand; `reserved` positive holds units.

    `sale_id`: the transaction that sold the line; of a sale's own line its own.
    """

    transaction_id: int
    line_id: str
    sku: str
    name: str
    location: str | None
    on_hand: Decimal
    reserved: Decimal
    sale_id: int


def wanted(family: Family) -> Iterator[Want]:
    """For each line with a SKU what should stand; lines that should move nothing are left out."""
    if family.sale is None or not isinstance(family.sale.record, Sale):
        return
    sale = family.sale.record
    state = _state(sale, tenders(family))
    if state == "none":
        return
    sold = {line.id: line for line in sale.lines if line.sku and line.type == "item"}
    returned = [
        (member, sold[back.line], Decimal(back.quantity))
        for member in family.refunds
        if isinstance(member.record, Refund) and member.record.status not in ("failed", "cancelled")
        for back in member.record.lines
        if back.restock in ("return", "cancel") and back.line in sold
    ]
    zero = Decimal(0)
    if state == "reserved":  # a refund leaves less to hold, where it is held; what is not held cannot be released
        for line in sold.values():
            held = Decimal(line.quantity) - sum(units for _, of, units in returned if of is line)
            if held > 0:
                yield Want(
                    family.sale.transaction_id, line.id, line.sku or "", line.name, sale.source.location, zero, held,
                    family.sale.transaction_id,
                )  # fmt: skip
        return
    for line in sold.values():
        yield Want(
            family.sale.transaction_id, line.id, line.sku or "", line.name, sale.source.location,
            -Decimal(line.quantity), zero, family.sale.transaction_id,
        )  # fmt: skip
    for member, line, units in returned:
        if units:
            yield Want(
                member.transaction_id, line.id, line.sku or "", line.name,
                member.record.source.location or sale.source.location, units, zero, family.sale.transaction_id,
            )  # fmt: skip


def _state(sale: Sale, paid_by: list[Tender] | None) -> str:
    """moved, reserved or none: what is in the books has left the shelf."""
    if stands(sale, paid_by):
        return "moved"
    over = sale.status in ("cancelled", "voided") or sale.payment_status in ("voided", "failed")
    return "none" if over else "reserved"


def cost_of(units: Decimal, unit_cost: int) -> int | None:
    """What so many units cost, signed like them, half to even; None beyond what an amount may be."""
    cost = int((units * unit_cost).to_integral_value(ROUND_HALF_EVEN))
    return cost if -LIMIT <= cost <= LIMIT else None


class Returns:
    """What comes back of one sold line, refund by refund: each its share of the line's cost, the one that completes it the rest.

    `units` and `cost` of the line as the sale moved them, both negative where they left the shelf. More units than were sold bring
    back no more than these had cost.
    """

    def __init__(self, units: Decimal, cost: int) -> None:
        self.units, self.cost = units, cost
        self.back = Decimal(0)

    def take(self, units: Decimal) -> int:
        """The cost of the next `units` that come back, positive."""
        before = self._share()
        self.back += units
        return self._share() - before

    def _share(self) -> int:
        most = abs(self.units)
        return scale(-self.cost, _whole(max(-most, min(self.back, most))), _whole(-self.units))


def _whole(units: Decimal) -> int:
    """Units as an integer of 10⁻¹², the finest quantity of a record."""
    return int(units.scaleb(12))
