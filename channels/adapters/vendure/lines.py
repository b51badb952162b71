"""The lines of a Vendure order, as they stand now or as they were when it was placed. Pure.

Vendure states everything twice, without tax and with it; which of the two is exact, and what the merchant's list says, tells whether
the sale's prices include tax. A cancellation takes the units off the lines and keeps `orderPlacedQuantity`.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from channels.adapters.vendure.amounts import ZERO, Amounts, half_up, percent, unit_text
from channels.reading import Json, text, word
from channels.record import Tax
from channels.sale import Discount, Line
from salessync.core.money import allocate

CANCELLATION = "CANCEL_ORDER"  # the adjustment that takes the shipping off a cancelled order


class Row(msgspec.Struct):
    """One line with its amounts in the sale's mode, for one number of units."""

    id: str
    type: str
    units: int  # of the line as it is stated
    placed: int
    left: int  # units that Vendure still counts
    unit: int
    gross: int
    net: int
    tax: int
    rates: list[tuple[str, Decimal]]
    promotions: list[tuple[str | None, int]]
    sku: str | None = None
    name: str = ""

    @property
    def percent(self) -> Decimal:
        """All rates together."""
        return sum((rate for _, rate in self.rates), ZERO)


def prices_include_tax(order: Json, told: Any) -> bool:
    """The list price is the one whose unit makes its line exactly; where both do, the order's own channel says it, or the query's."""
    for row in _dicts(order.get("lines")):
        quantity = row.get("quantity")
        without, within = (_exact(row, key, quantity) for key in ("", "WithTax"))
        if without is not None and within is not None and without != within:
            return within
    channels = _dicts(order.get("channels"))
    own = [one for one in channels if one.get("code") != "__default_channel__"] or channels
    flags = {one["pricesIncludeTax"] for one in own if type(one.get("pricesIncludeTax")) is bool}
    if len(flags) == 1:
        return flags.pop() is True
    return told is True


def _dicts(value: Any) -> list[Json]:
    return [one for one in value if type(one) is dict] if type(value) is list else []


def _exact(row: Json, suffix: str, quantity: Any) -> bool | None:
    unit, line = row.get("unitPrice" + suffix), row.get("linePrice" + suffix)
    if type(unit) is not int or type(line) is not int or type(quantity) is not int or quantity < 2:
        return None
    return unit * quantity == line


def read_rows(reader: Amounts, order: Json, inclusive: bool, placed: bool) -> list[Row]:
    """Goods, surcharges and shipping; with `placed` as the order was placed, else as it stands."""
    rows = [
        _goods(reader, row, f"lines[{i}].", inclusive, placed) for i, row in enumerate(reader.objects(order, "lines"))
    ]
    surcharges = [
        _surcharge(reader, row, f"surcharges[{i}].", inclusive)
        for i, row in enumerate(reader.objects(order, "surcharges"))
    ]
    return [row for row in rows if row.units] + surcharges + _shipping(reader, order, inclusive, placed)


def _goods(reader: Amounts, row: Json, where: str, inclusive: bool, placed: bool) -> Row:
    mode = "WithTax" if inclusive else ""
    left = reader.quantity(row.get("quantity"), where + "quantity")
    first = left if row.get("orderPlacedQuantity") is None else reader.quantity(row["orderPlacedQuantity"], where)
    units = max(first, left) if placed else left
    unit = reader.money(row.get("unitPrice" + mode), f"{where}unitPrice{mode}")
    gross = reader.money(row.get("linePrice" + mode), f"{where}linePrice{mode}")
    without = reader.money(row.get("proratedLinePrice"), where + "proratedLinePrice")
    within = reader.money(row.get("proratedLinePriceWithTax"), where + "proratedLinePriceWithTax")
    net, tax = (within if inclusive else without), within - without
    rates = _rates(reader, row, where)
    if units != left:
        price = reader.within_limit(unit * units, f"{where}unitPrice{mode}")
        net = reader.within_limit(price - half_up(gross - net, units, left), where) if left else price
        gross, tax = price, _tax_of(net, _together(rates), inclusive)
    _no_dearer(reader, gross, net, where)
    variant = row.get("productVariant")
    known = variant if type(variant) is dict else {}
    return Row(
        id=reader.identifier(row.get("id"), where + "id"),
        type="item",
        units=units,
        placed=first,
        left=left,
        unit=unit,
        gross=gross,
        net=net,
        tax=tax,
        rates=rates,
        promotions=_promotions(reader, row, where, inclusive),
        sku=word(known.get("sku"))[:255] or None,
        name=text(known.get("name")) or "",
    )


def _no_dearer(reader: Amounts, gross: int, net: int, where: str) -> None:
    if net > gross:
        reader.refuse("NEGATIVE_AMOUNT", where.rstrip("."), "the line costs more after its discounts than before them")


def _together(rates: Iterable[tuple[str, Decimal]]) -> Decimal:
    return sum((rate for _, rate in rates), ZERO)


def _tax_of(net: int, rate: Decimal, inclusive: bool) -> int:
    """As Vendure rounds it: a line's price with tax and without, each half up."""
    return net - half_up(net, 100, 100 + rate) if inclusive else half_up(net, 100 + rate, 100) - net


def _rates(reader: Amounts, row: Json, where: str) -> list[tuple[str, Decimal]]:
    found = []
    for index, tax in enumerate(reader.objects(row, "taxLines", where)):
        rate = reader.rate(tax.get("taxRate"), f"{where}taxLines[{index}].taxRate")
        found.append((text(tax.get("description")) or "Tax", rate))
    if not found and row.get("taxRate"):
        found.append(("Tax", reader.rate(row["taxRate"], where + "taxRate")))
    return found


def _promotions(reader: Amounts, row: Json, where: str, inclusive: bool) -> list[tuple[str | None, int]]:
    key = "amountWithTax" if inclusive else "amount"
    return [
        (text(one.get("description")), -reader.money(one.get(key), f"{where}discounts[{index}].{key}"))
        for index, one in enumerate(reader.objects(row, "discounts", where))
        if one.get("adjustmentSource") != CANCELLATION
    ]


def _surcharge(reader: Amounts, row: Json, where: str, inclusive: bool) -> Row:
    without = reader.money(row.get("price"), where + "price")
    within = reader.money(row.get("priceWithTax"), where + "priceWithTax")
    price = within if inclusive else without
    return Row(
        id="surcharge:" + reader.identifier(row.get("id"), where + "id")[:200],
        type="fee",
        units=1,
        placed=1,
        left=1,
        unit=price,
        gross=price,
        net=price,
        tax=within - without,
        rates=_rates(reader, row, where),
        promotions=[],
        sku=word(row.get("sku"))[:255] or None,
        name=text(row.get("description")) or "Surcharge",
    )


def _shipping(reader: Amounts, order: Json, inclusive: bool, placed: bool) -> list[Row]:
    rows = reader.objects(order, "shippingLines")
    rates = _shipping_rates(order)
    found = []
    for index, row in enumerate(rows):
        where = f"shippingLines[{index}]."
        whole = _pair(reader, row, "price", where)
        net = _pair(reader, row, "discountedPrice", where)
        if net[0] is None and net[1] is not None and len(rows) == 1:
            net = reader.maybe_money(order, "shipping"), net[1]
        both = _taken_back(reader, row, where, whole, net) if placed else net
        without, within = both[0] or 0, (both[1] if both[1] is not None else both[0]) or 0
        if both[0] is None and both[1] is not None:
            without = within
        gross = whole[1] if inclusive else whole[0]
        price = within if inclusive else without
        reader.positive(price, where.rstrip("."))
        _no_dearer(reader, price if gross is None else gross, price, where)
        method = row.get("shippingMethod")
        found.append(
            Row(
                id="shipping:" + reader.identifier(row.get("id"), where + "id")[:200],
                type="shipping",
                units=1,
                placed=1,
                left=1,
                unit=price if gross is None else gross,
                gross=price if gross is None else gross,
                net=price,
                tax=within - without,
                rates=rates,
                promotions=_promotions(reader, row, where, inclusive),
                name=(text(method.get("name")) if type(method) is dict else None) or "Shipping",
            )
        )
    return found


def _pair(reader: Amounts, row: Json, key: str, where: str) -> tuple[int | None, int | None]:
    return reader.maybe_money(row, key, where), reader.maybe_money(row, key + "WithTax", where)


def _taken_back(
    reader: Amounts,
    row: Json,
    where: str,
    whole: tuple[int | None, int | None],
    net: tuple[int | None, int | None],
) -> tuple[int | None, int | None]:
    """Shipping before its cancellation, which Vendure notes as one more discount; without the discounts its whole price."""
    if row.get("discounts") is None:
        return whole
    back = [0, 0]
    for index, one in enumerate(reader.objects(row, "discounts", where)):
        if one.get("adjustmentSource") == CANCELLATION:
            for side, key in enumerate(("amount", "amountWithTax")):
                back[side] -= reader.money(one.get(key), f"{where}discounts[{index}].{key}")
    without, within = net
    return (None if without is None else without + back[0]), (None if within is None else within + back[1])


def _shipping_rates(order: Json) -> list[tuple[str, Decimal]]:
    """Vendure tells the shipping's tax only in the summary, under a name of its own."""
    for row in _dicts(order.get("taxSummary")):
        rate = row.get("taxRate")
        if row.get("description") != "shipping tax" or rate is None or type(rate) not in (int, Decimal):
            continue
        if 0 <= rate <= 1000:
            return [("shipping tax", Decimal(rate))]
    return []


def as_lines(rows: list[Row], currency: str, country: str | None) -> list[Line]:
    """The rows as canonical lines."""
    return [
        Line(
            id=row.id,
            type=row.type,  # type: ignore[arg-type]
            sku=row.sku,
            name=row.name,
            quantity=str(row.units),
            unit_price=unit_text(row.unit, row.units, row.gross, currency),
            gross=row.gross,
            discount=row.gross - row.net,
            net=row.net,
            discounts=_discounts(row),
            taxes=taxes_of(row, row.tax, country),
            tax=row.tax,
        )
        for row in rows
    ]


def _discounts(row: Row) -> list[Discount]:
    """By promotion; together they are what the line was reduced by, which Vendure rounds once more."""
    total = row.gross - row.net
    if total <= 0 or not row.promotions:
        return []
    weights = [max(amount, 0) for _, amount in row.promotions]
    shares = allocate(total, weights)
    return [
        Discount(code=name, amount=share)
        for (name, _), share in zip(row.promotions, shares, strict=True)
        if share or len(shares) == 1
    ]


def taxes_of(row: Row, amount: int, country: str | None) -> list[Tax]:
    """A line's tax by its rates."""
    rates = row.rates or ([("Tax", ZERO)] if amount else [])
    if row.type == "shipping" and not amount:
        return []
    shares = allocate(amount, [int(rate * 10**6) for _, rate in rates]) if rates else []
    return [
        Tax(name=name, jurisdiction=country, rate=percent(rate) if row.rates else None, amount=share)
        for (name, rate), share in zip(rates, shares, strict=True)
    ]
