"""A processor's channel that sells by itself (payment links, invoices, checkout pages): a charge without an order is a sale. Pure.

The charge stays what it is, the sale's tender; beside it comes a sale of one line, so that books, tax, stock and API know only
sales. When an order turns up that names the charge, or that the charge's tender names, the order is the sale and this one nothing.
"""

from typing import Literal

from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.family import processor_of
from channels.record import Jurisdiction
from channels.sale import Line, Sale, Tender, Totals
from salessync.core.money import to_major

Status = Literal["open", "completed", "cancelled", "voided", "unknown"]
Paid = Literal["pending", "authorized", "paid", "voided", "failed", "unknown"]
_STATUS: dict[str, tuple[Status, Paid]] = {
    "captured": ("completed", "paid"),
    "authorized": ("open", "authorized"),
    "pending": ("open", "pending"),
    "failed": ("cancelled", "failed"),
    "voided": ("voided", "voided"),
    "unknown": ("unknown", "unknown"),
}


def with_sales(records: list[AnyRecord], place: Jurisdiction | None) -> list[AnyRecord]:
    """The records, and the sale of each charge that names no order."""
    return records + [sale_of(r, place) for r in records if isinstance(r, Charge) and not r.order_reference]


def sale_of(charge: Charge, place: Jurisdiction | None) -> Sale:
    """What was sold, as far as a charge tells: one line worth what was taken (or is to be), less the tip."""
    taken = charge.captured if charge.status == "captured" else charge.amount
    tip = min(charge.tip, taken)
    status, payment_status = _STATUS[charge.status]
    lines = [_line("payment", "item", taken - tip, charge.currency)]
    if tip:
        lines.append(_line("tip", "tip", tip, charge.currency))
    tender = Tender(
        id=charge.source.id, type=charge.tender_type, action="capture" if charge.captured else "authorize",
        status=charge.status, amount=taken, tip=tip, processor=processor_of(charge), reference=charge.reference,
        card=charge.card, fees=charge.fees, settlement=charge.settlement,
    )  # fmt: skip
    paid = taken if charge.status == "captured" else 0
    return Sale(
        source=charge.source, occurred_at=charge.occurred_at, timezone=charge.timezone, business_date=charge.business_date,
        currency=charge.currency, extensions={"salessync": {"from": "charge"}}, status=status, payment_status=payment_status,
        jurisdiction=_place(charge) or place, lines=lines, tenders=[tender],
        totals=Totals(
            gross=taken - tip, net=taken - tip, tip=tip, total=taken, paid=paid, due=taken - paid
        ),
    )  # fmt: skip


def _place(charge: Charge) -> Jurisdiction | None:
    """Where the buyer is, as far as the processor tells."""
    told = charge.extensions.get(charge.source.adapter)
    address = told.get("address") if isinstance(told, dict) else None
    if not isinstance(address, dict) or not isinstance(country := address.get("country"), str):
        return None
    return Jurisdiction(
        country=country, region=address.get("state"), postcode=address.get("postal_code"), city=address.get("city")
    )


def _line(id_: str, kind: Literal["item", "tip"], amount: int, currency: str) -> Line:
    return Line(
        id=id_, type=kind, name="Payment" if kind == "item" else "Tip", quantity="1", unit_price=to_major(amount, currency),
        gross=amount, net=amount,
    )  # fmt: skip
