"""The goods and the shipping of a Medusa order, computed exactly from prices, promotions and tax rates. Pure.

Medusa's own line totals count only what has not come back yet, so the whole line is computed as Medusa computes it; what the order
as a whole comes to is Medusa's own figure (totals.py), and the proof compares the two.
"""

from decimal import Decimal
from typing import Any

import msgspec

from channels.adapters.medusa.amounts import ZERO, Amounts, plain, rounded, settle
from channels.reading import Json, text
from channels.record import Tax
from channels.sale import Discount, Line
from salessync.core.money import LIMIT, MINOR_DIGITS, allocate

HUNDRED = Decimal(100)
Place = str | None  # the country a tax belongs to, where one name is enough


class Rate(msgspec.Struct, frozen=True):
    """One tax line."""

    name: str
    percent: Decimal


class Part(msgspec.Struct):
    """One line of the order in exact minor units; prices and promotions are those of the whole quantity."""

    id: str
    type: str
    where: str
    unit: Decimal
    quantity: Decimal  # what was ordered, after edits
    inclusive: bool
    rates: list[Rate]
    adjustments: list[tuple[str | None, Decimal]]  # promotion code, amount without tax
    sku: str | None = None
    name: str = ""
    back: Decimal = ZERO  # units that the order's own totals no longer count
    exchanged: Decimal = ZERO  # of these the ones that an exchange or a claim replaced

    @property
    def percent(self) -> Decimal:
        """All rates together."""
        return sum((rate.percent for rate in self.rates), ZERO)

    def sold(self) -> Decimal:
        """Units that stay sold, whatever was given back for money."""
        return max(self.quantity - self.exchanged, ZERO)

    def base(self, units: Decimal) -> Decimal:
        """Price of so many units without tax."""
        price = self.unit * units
        return price / (1 + self.percent / HUNDRED) if self.inclusive else price

    def share(self, amount: Decimal, units: Decimal) -> Decimal:
        """So many units' share of what was granted to the whole quantity."""
        return amount * units / self.quantity if self.quantity else ZERO

    def discount(self, units: Decimal) -> Decimal:
        """Promotions without tax."""
        return sum((self.share(amount, units) for _, amount in self.adjustments), ZERO)

    def taxes(self, units: Decimal) -> list[Decimal]:
        """One amount a rate."""
        taxable = self.base(units) - self.discount(units)
        return [taxable * rate.percent / HUNDRED for rate in self.rates]

    def tax(self, units: Decimal) -> Decimal:
        """All of them."""
        return sum(self.taxes(units), ZERO)

    def worth(self, units: Decimal) -> Decimal:
        """What the buyer pays for so many units."""
        return self.base(units) - self.discount(units) + self.tax(units)

    def in_mode(self, amount: Decimal, inclusive: bool) -> Decimal:
        """A price without tax, with tax inside where the sale's prices have it."""
        return amount * (1 + self.percent / HUNDRED) if inclusive else amount


def read_parts(reader: Amounts, order: Json, exchanged: dict[str, Decimal]) -> list[Part]:
    """Items, then shipping methods; items that an exchange replaced to the last one are gone."""
    found = [_item(reader, row, f"items[{i}].") for i, row in enumerate(reader.objects(order, "items"))]
    for part in found:
        part.exchanged = min(exchanged.get(part.id, ZERO), part.back)
    rows = reader.objects(order, "shipping_methods")
    return [*found, *(_shipping(reader, row, f"shipping_methods[{i}].") for i, row in enumerate(rows))]


def _item(reader: Amounts, row: Json, where: str) -> Part:
    value = row.get("detail")
    detail = reader.object(value, where + "detail") if value is not None else {}
    inclusive = row.get("is_tax_inclusive") is True
    rates = _rates(reader, row, where)
    quantity = reader.how_many(row.get("quantity"), where + "quantity")
    back = reader.maybe_units(detail, "return_received_quantity", where + "detail.")
    back += reader.maybe_units(detail, "return_dismissed_quantity", where + "detail.")
    if back > quantity:
        reader.refuse("BAD_QUANTITY", where + "detail", "more units came back than were sold")
        back = quantity
    unit = reader.exact(row.get("unit_price"), where + "unit_price")
    reader.bounded(unit * quantity, where + "unit_price")
    return Part(
        id=reader.identifier(row.get("id"), where + "id"),
        type="gift_card_sale" if row.get("is_giftcard") is True else "item",
        where=where,
        unit=unit,
        quantity=quantity,
        inclusive=inclusive,
        rates=rates,
        adjustments=_adjustments(reader, row, where, rates),
        sku=_short(row.get("variant_sku")),
        name=_name(row),
        back=back,
    )


def _shipping(reader: Amounts, row: Json, where: str) -> Part:
    rates = _rates(reader, row, where)
    return Part(
        id=reader.identifier(row.get("id"), where + "id"),
        type="shipping",
        where=where,
        unit=reader.exact(row.get("amount"), where + "amount"),
        quantity=Decimal(1),
        inclusive=row.get("is_tax_inclusive") is True,
        rates=rates,
        adjustments=_adjustments(reader, row, where, rates),
        name=text(row.get("name")) or "Shipping",
    )


def _rates(reader: Amounts, row: Json, where: str) -> list[Rate]:
    found = []
    for index, tax in enumerate(reader.objects(row, "tax_lines", where)):
        percent = reader.rate(tax.get("rate"), f"{where}tax_lines[{index}].rate")
        found.append(Rate(text(tax.get("description")) or text(tax.get("code")) or "Tax", percent))
    return found


def _adjustments(reader: Amounts, row: Json, where: str, rates: list[Rate]) -> list[tuple[str | None, Decimal]]:
    """A promotion's amount has the tax inside where the promotion says so."""
    percent = sum((rate.percent for rate in rates), ZERO)
    found = []
    for index, one in enumerate(reader.objects(row, "adjustments", where)):
        amount = reader.magnitude(one.get("amount"), f"{where}adjustments[{index}].amount")
        if one.get("is_tax_inclusive") is True:
            amount /= 1 + percent / HUNDRED
        found.append((_short(one.get("code")), amount))
    return found


def _short(value: Any) -> str | None:
    return value[:255] if type(value) is str and value else None


def _name(row: Json) -> str:
    title, subtitle = text(row.get("title")), text(row.get("subtitle"))
    return f"{title} - {subtitle}"[:1000] if title and subtitle and subtitle != title else title or subtitle or ""


def taxed_inside(parts: list[Part]) -> bool:
    """Whether every taxed price has its tax inside; where only some have, all are stated without tax."""
    taxed = [part.inclusive for part in parts if part.percent]
    return bool(taxed) and all(taxed)


def lines_of(reader: Amounts, parts: list[Part], inclusive: bool, country: Place) -> list[Line]:
    """The parts as canonical lines: rounded so that goods, shipping and tax each come to their rounded exact sum."""
    parts = [part for part in parts if part.sold() or not part.exchanged]
    taxes = settle([_fit(reader, p, tax) for p in parts for tax in p.taxes(p.sold())])
    prices = _prices(reader, [p for p in parts if p.type != "shipping"], inclusive)
    prices += _prices(reader, [p for p in parts if p.type == "shipping"], inclusive)
    lines = []
    for part, (gross, discount) in zip(parts, prices, strict=True):  # goods stand before shipping
        own, taxes = taxes[: len(part.rates)], taxes[len(part.rates) :]
        lines.append(_line(reader, part, gross, discount, own, inclusive, country))
    return lines


def _prices(reader: Amounts, parts: list[Part], inclusive: bool) -> list[tuple[int, int]]:
    """Gross and discount. Of one shipping method the net is rounded, since that is the figure that the order states as well."""
    gross = settle([_fit(reader, p, p.in_mode(p.base(p.sold()), inclusive)) for p in parts])
    granted = [_fit(reader, p, p.in_mode(p.discount(p.sold()), inclusive)) for p in parts]
    if len(parts) == 1 and parts[0].type == "shipping":
        net = rounded(parts[0].in_mode(parts[0].base(Decimal(1)), inclusive) - granted[0])
        return [(gross[0], gross[0] - net)]
    return list(zip(gross, settle(granted), strict=True))


def _fit(reader: Amounts, part: Part, amount: Decimal) -> Decimal:
    return reader.bounded(amount, part.where.rstrip(".")) if abs(amount) <= LIMIT else ZERO


def _line(
    reader: Amounts, part: Part, gross: int, discount: int, taxes: list[int], inclusive: bool, country: Place
) -> Line:
    digits = MINOR_DIGITS.get(reader.currency, 2)
    unit = part.in_mode(part.base(Decimal(1)), inclusive)
    return Line(
        id=part.id,
        type=part.type,  # type: ignore[arg-type]
        sku=part.sku,
        name=part.name,
        quantity=plain(part.sold()),
        unit_price=plain(unit.scaleb(-digits), digits),
        gross=gross,
        discount=discount,
        net=gross - discount,
        discounts=_discounts(part, discount),
        taxes=[
            Tax(name=rate.name, jurisdiction=country, rate=percent(rate.percent), amount=amount)
            for rate, amount in zip(part.rates, taxes, strict=True)
        ],
        tax=sum(taxes),
    )


def percent(rate: Decimal) -> str:
    """20 → "20.0", 8.875 → "8.875"."""
    return plain(rate, 1)


def _discounts(part: Part, discount: int) -> list[Discount]:
    if not part.adjustments or not discount:
        return []
    shares = allocate(discount, [rounded(amount * 1_000_000) for _, amount in part.adjustments])
    return [
        Discount(code=code, amount=share)
        for (code, _), share in zip(part.adjustments, shares, strict=True)
        if share or len(shares) == 1
    ]
