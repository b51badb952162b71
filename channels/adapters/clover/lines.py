"""What was sold: line items with their modifications, discounts and tax rates, by Clover's own arithmetic. Pure.

A line item is one unit (or one weighed quantity) of one item: `price` is for one unit, modifications come on top once.
Percentages are of the undiscounted price, each rounded half up; a discount never makes a line negative.
"""

from decimal import Decimal
from typing import Any

import msgspec

from channels.adapters.clover.reading import Reader, half_up, is_true
from channels.adapters.clover.words import NOT_REVENUE, ORDER_FEE
from channels.reading import Json, text
from channels.sale import Discount
from salessync.core.money import MINOR_DIGITS, allocate, to_major

UNIT = 1000  # unitQty
PERCENT_DECIMAL = 10_000 * 100  # percentageDecimal of the whole
NO_TAX = "NO_TAX_APPLIED"


class Rate(msgspec.Struct, frozen=True):
    """One tax rate: ten-millionths, or a fixed amount for each line."""

    key: str
    name: str
    rate: int
    flat: int


class Row(msgspec.Struct):
    """One line while it is being put together."""

    id: str
    type: str
    name: str
    sku: str | None
    quantity: str
    unit_price: str
    gross: int
    discounts: list[Discount]
    rates: list[Rate]
    refunded: bool
    refund: str | None
    exchange: str | None

    @property
    def discount(self) -> int:
        """All that was taken off."""
        return sum(d.amount for d in self.discounts)

    @property
    def net(self) -> int:
        """What the line costs after discounts."""
        return self.gross - self.discount


def read_rows(reader: Reader, order: Json) -> list[Row]:
    """The lines that stand; one that was exchanged for another is no longer part of the sale."""
    rows = []
    taxed = not is_true(order.get("taxRemoved"))
    for index, item in enumerate(reader.elements(order, "lineItems")):
        if not is_true(item.get("exchanged")):
            rows.append(_row(reader, item, f"lineItems[{index}].", taxed))
    reader.within_limit(sum(abs(row.gross) for row in rows), "lineItems")
    _discount_order(reader, order, [row for row in rows if row.type not in ("fee", "service_charge")])
    return rows


def _row(reader: Reader, item: Json, where: str, taxed: bool) -> Row:
    kind, name = _kind(item), text(item.get("name")) or ""
    price = reader.money(item, "price", where)
    quantity = _quantity(reader, item, where)
    extras = sum(
        reader.money(m, "amount", f"{where}modifications[{i}].")
        for i, m in enumerate(reader.elements(item, "modifications", where))
        if m.get("amount") is not None
    )
    gross = reader.within_limit(half_up(price * quantity, UNIT) + extras, where + "price")
    return Row(
        id=reader.identifier(item.get("id"), where + "id"),
        type=kind,
        name=name,
        sku=_sku(reader, item, where),
        quantity=_decimal(Decimal(quantity) / UNIT),
        unit_price=_unit_price(price if not extras else None, gross, quantity, reader.currency),
        gross=gross,
        discounts=_line_discounts(reader, item, gross, where),
        rates=_rates(reader, item, where) if taxed else [],
        refunded=is_true(item.get("refunded")),
        refund=reader.reference(item, "refund", where),
        exchange=reader.reference(item, "exchangedLineItem", where),
    )


def _kind(item: Json) -> str:
    """An order fee, revenue, or what its name says where it is none: a gift card sold as revenue would be taxed as income."""
    if is_true(item.get("isOrderFee")):
        fee = item.get("orderFeeType")
        return ORDER_FEE.get(fee, "unknown") if fee is None or type(fee) is str else "unknown"
    if item.get("isRevenue") is not False:
        return "item"
    name = item.get("name")
    folded = name.casefold() if type(name) is str else ""
    return next((kind for word, kind in NOT_REVENUE if word in folded), "unknown")


def _sku(reader: Reader, item: Json, where: str) -> str | None:
    code = item.get("itemCode")
    return code[:1000] if type(code) is str and code else reader.reference(item, "item", where)


def _quantity(reader: Reader, item: Json, where: str) -> int:
    """Thousandths; an item that is not sold by weight or length has none and is one."""
    value = item.get("unitQty")
    if value is None:
        return UNIT
    if type(value) is int and 0 < value <= 10**9:
        return value
    reader.refuse(
        "BAD_QUANTITY", where + "unitQty", f"{where}unitQty should be a whole number of thousandths above zero"
    )
    return UNIT


def _decimal(value: Decimal) -> str:
    return format(value.normalize(), "f")


def _unit_price(price: int | None, gross: int, quantity: int, currency: str) -> str:
    """The price of one unit, its share of the modifications included."""
    if price is not None or quantity == UNIT:
        return to_major(gross if price is None else price, currency)
    each = Decimal(gross) * UNIT / quantity
    return _decimal(round(each.scaleb(-MINOR_DIGITS[currency]), 12))


def _line_discounts(reader: Reader, item: Json, gross: int, where: str) -> list[Discount]:
    found = [
        Discount(code=text(d.get("name")), amount=_discount(reader, d, gross, f"{where}discounts[{i}]."))
        for i, d in enumerate(reader.elements(item, "discounts", where))
    ]
    return _capped([d for d in found if d.amount], max(gross, 0))


def _discount(reader: Reader, raw: Json, base: int, where: str) -> int:
    """What a discount takes off `base`: Clover writes amounts as negative numbers, percentages as positive ones."""
    if raw.get("percentageDecimal") is not None:
        share = reader.scaled(raw["percentageDecimal"], where + "percentageDecimal")
        return half_up(base * share, PERCENT_DECIMAL)
    if raw.get("percentage") is not None:
        return half_up(base * reader.scaled(raw["percentage"], where + "percentage"), 100)
    amount = reader.money(raw, "amount", where)
    if amount > 0:
        reader.refuse("BAD_DISCOUNT", where + "amount", f"{where}amount should be negative: a discount takes money off")
    return max(-amount, 0)


def _capped(discounts: list[Discount], most: int) -> list[Discount]:
    """The discounts as far as there is something to take them off."""
    kept = []
    for one in discounts:
        amount = min(one.amount, most)
        if amount:
            kept.append(Discount(code=one.code, amount=amount))
        most -= amount
    return kept


def _discount_order(reader: Reader, order: Json, rows: list[Row]) -> None:
    """Spread each discount of the whole order over the lines by largest remainder; Clover says only what the order got."""
    raw = reader.elements(order, "discounts")
    left = max(sum(row.net for row in rows), 0)
    base = left
    for index, one in enumerate(raw):
        amount = min(_discount(reader, one, base, f"discounts[{index}]."), left)
        left -= amount
        if not amount or not rows:
            continue
        for row, share in zip(rows, spread(amount, [max(row.net, 0) for row in rows]), strict=True):
            if share:
                row.discounts.append(Discount(code=text(one.get("name")), amount=share))


def spread(total: int, weights: list[int]) -> list[int]:
    """Largest remainder; where the weights point both ways there is no proportion, and the first takes all."""
    if not weights:
        return []
    if min(weights) < 0 < max(weights):
        return [total] + [0] * (len(weights) - 1)
    return allocate(total, weights)


def _rates(reader: Reader, item: Json, where: str) -> list[Rate]:
    found: dict[str, Rate] = {}
    for index, raw in enumerate(reader.elements(item, "taxRates", where)):
        place = f"{where}taxRates[{index}]."
        name = text(raw.get("name")) or "Tax"
        rate = 0 if raw.get("rate") is None else reader.scaled(raw["rate"], place + "rate")
        flat = reader.maybe_money(raw, "taxAmount", place)
        if name != NO_TAX:
            key = reader.optional_id(raw.get("id"), place + "id") or name
            # a rate of nothing with an amount is a fixed tax on each line, as a bottle deposit
            found[key] = Rate(key, name, rate, 0 if rate else flat)
    return list(found.values())


def charge_of(percent_decimal: int, rows: list[Row]) -> int:
    """A percentage of what the lines cost after all discounts."""
    base = sum(row.net for row in rows if row.type not in ("fee", "service_charge"))
    return half_up(base * percent_decimal, PERCENT_DECIMAL)


def maybe_percent(reader: Reader, raw: Json, where: str) -> Any:
    """`percentageDecimal`, or the older whole `percentage` brought to it; 0 where there is neither."""
    if raw.get("percentageDecimal") is not None:
        return reader.scaled(raw["percentageDecimal"], where + "percentageDecimal")
    return 0 if raw.get("percentage") is None else reader.scaled(raw["percentage"], where + "percentage") * 10_000
