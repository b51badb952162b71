"""Square order → the lines of a sale: items, gift cards, service charges, shipping and tip. Pure."""

from decimal import Decimal

import msgspec

from channels.adapters.square.reading import Reader, known
from channels.adapters.square.taxes import TaxTable, applied_taxes, named
from channels.adapters.square.words import LINE_TYPE, SENT, SHIPPING_NAMES
from channels.reading import Json, text, word
from channels.record import Tax
from channels.sale import Discount, Line
from salessync.core.money import allocate, minor_digits, to_major

MOST = 10**15  # minor units; a price beyond it is no price


class Amounts(msgspec.Struct):
    """What one row of an order comes to, in the order's price mode."""

    quantity: str
    unit_price: str
    gross: int
    discount: int
    net: int
    taxes: list[Tax]
    tax: int


def row_amounts(reader: Reader, row: Json, where: str, table: TaxTable, *, returned: bool = False) -> Amounts:
    """The figures of a line that was sold or `returned`.

    Square's own total of the line proves its parts: net is that total without what is added to the price, gross is Square's
    gross. Where Square shares a service charge out over the lines it is part of their totals, and has a line of its own here.
    """
    quantity = reader.decimal_quantity(row.get("quantity"), where + "quantity")
    taxed = applied_taxes(reader, row, where, table)
    discount = reader.amount(row, "total_discount_money", where)
    total = reader.maybe_money(row, "total_money", where)
    shared = reader.maybe_money(row, "total_service_charge_money", where) or 0
    net = None if total is None else total - taxed.outside - shared
    gross = _gross(reader, row, where, taxed.inside, discount, net, returned)
    if gross is None:
        gross = 0 if net is None else net + discount
        if net is None:
            reader.refuse("MISSING_AMOUNT", where + "total_money", "what the line comes to is missing")
    if net is None:
        net = gross - discount
    if table.mixed:
        gross, net = gross - taxed.inside, net - taxed.inside
    gross, net = reader.within_limit(gross, where + "total_money"), reader.within_limit(net, where + "total_money")
    unit = None if table.mixed and taxed.inside else _stated_price(reader, row, where, quantity, returned)
    if unit is None:
        unit = Decimal(gross) / (Decimal(quantity) or 1)
    return Amounts(
        quantity, _price(reader, unit, where), gross, discount, net, taxed.taxes, reader.within_limit(taxed.total, where)
    )  # fmt: skip


def _gross(
    reader: Reader, row: Json, where: str, inside: int, discount: int, net: int | None, returned: bool
) -> int | None:
    """Gross in the mode of the prices: Square takes inclusive tax out of its gross figure in some countries, not in others."""
    gross = reader.maybe_money(row, "gross_return_money" if returned else "gross_sales_money", where)
    if gross is not None and not inside:
        return gross
    goods = reader.maybe_money(row, "variation_total_price_money", where)
    if goods is not None:
        return goods + sum(_modifiers(reader, row, where, returned))
    if gross is not None and net is not None and gross - discount != net and gross + inside - discount == net:
        return gross + inside
    return gross


def _modifiers(reader: Reader, row: Json, where: str, returned: bool) -> list[int]:
    key = "return_modifiers" if returned else "modifiers"
    return [
        reader.maybe_money(one, "total_price_money", f"{where}{key}[{index}].") or 0
        for index, one in enumerate(reader.objects(row, key, where))
    ]


def _stated_price(reader: Reader, row: Json, where: str, quantity: str, returned: bool) -> Decimal | None:
    """The price of one unit with its modifiers, in minor units; None where Square states none."""
    base = reader.maybe_money(row, "base_price_money", where)
    if base is None:
        return None
    return Decimal(base) + Decimal(sum(_modifiers(reader, row, where, returned))) / (Decimal(quantity) or 1)


def _price(reader: Reader, minor: Decimal, where: str) -> str:
    """Minor units as a decimal text of major ones, finer than a cent where it must be."""
    if abs(minor) >= MOST:
        reader.refuse("AMOUNT_TOO_LARGE", where + "base_price_money", "the price is beyond what an amount may be")
        return "0"
    if minor == int(minor):
        return to_major(int(minor), reader.currency)
    return format(round(minor.scaleb(-minor_digits(reader.currency)), 12).normalize(), "f")


class Lines(msgspec.Struct):
    """The lines, and the sums of those that Square has no total for."""

    lines: list[Line]
    gross: int = 0
    discount: int = 0
    net: int = 0
    shipping: int = 0
    service_charge: int = 0
    fees: int = 0
    tip: int = 0
    tax: int = 0

    def count(self) -> None:
        """Add up what stands in the lines now."""
        self.gross = self.discount = self.net = self.shipping = self.service_charge = self.fees = self.tip = (
            self.tax
        ) = 0
        for line in self.lines:
            self.tax += line.tax
            if line.type == "shipping":
                self.shipping += line.net
            elif line.type == "service_charge":
                self.service_charge += line.net
            elif line.type == "fee":
                self.fees += line.net
            elif line.type == "tip":
                self.tip += line.net
            elif line.type != "unknown":
                self.gross += line.gross
                self.discount += line.discount
                self.net += line.net


def order_lines(reader: Reader, order: Json, table: TaxTable, notes: Json) -> Lines:
    """Every line of the sale side of an order."""
    names = {word(row.get("uid")): text(row.get("name")) for row in reader.objects(order, "discounts")}
    rows = reader.objects(order, "line_items")
    found = Lines(lines=[_item(reader, row, index, table, names) for index, row in enumerate(rows)])
    _spread_discount(reader, order, rows, found, notes)
    _spread_taxes(reader, order, rows, table, found, notes)
    sent = any(row.get("type") in SENT for row in reader.objects(order, "fulfillments") if type(row.get("type")) is str)
    for index, row in enumerate(reader.objects(order, "service_charges")):
        found.lines.append(_service_charge(reader, row, f"service_charges[{index}].", table, sent=sent))
    tip = reader.maybe_money(order, "total_tip_money")
    if tip:
        found.lines.append(plain_line(reader, "tip", "tip", "Tip", tip))
    found.count()
    return found


def _item(reader: Reader, row: Json, index: int, table: TaxTable, names: dict[str, str | None]) -> Line:
    where = f"line_items[{index}]."
    amounts = row_amounts(reader, row, where, table)
    identifier = reader.optional_id(row.get("uid"), where + "uid")
    return Line(
        id=identifier or f"line:{index + 1}",
        type=known(LINE_TYPE, row.get("item_type")),  # type: ignore[arg-type]
        sku=reader.optional_id(row.get("catalog_object_id"), where + "catalog_object_id"),
        name=text(row.get("name")) or text(row.get("variation_name")) or "",
        quantity=amounts.quantity,
        unit_price=amounts.unit_price,
        gross=amounts.gross,
        discount=amounts.discount,
        net=amounts.net,
        discounts=_discounts(reader, row, where, amounts.discount, names),
        taxes=amounts.taxes,
        tax=amounts.tax,
    )


def _discounts(reader: Reader, row: Json, where: str, total: int, names: dict[str, str | None]) -> list[Discount]:
    found = [
        Discount(
            code=names.get(word(one.get("discount_uid"))),
            amount=reader.amount(one, "applied_money", f"{where}applied_discounts[{index}]."),
        )
        for index, one in enumerate(reader.objects(row, "applied_discounts", where))
    ]
    return found or ([Discount(amount=total)] if total else [])


def _service_charge(reader: Reader, row: Json, where: str, table: TaxTable, *, sent: bool) -> Line:
    """A charge of its own, also where Square shares it out over the lines: its tax then lies with theirs."""
    taxed = applied_taxes(reader, row, where, table)
    stated = reader.maybe_money(row, "applied_money", where)
    if stated is None:
        total = reader.maybe_money(row, "total_money", where)
        stated = reader.money(row, "amount_money", where) if total is None else total - taxed.outside
    net = reader.within_limit(stated - taxed.inside if table.mixed else stated, where + "applied_money")
    name = text(row.get("name")) or ""
    line = plain_line(
        reader,
        reader.identifier(row.get("uid"), where + "uid"),
        "shipping" if sent and name.strip().casefold() in SHIPPING_NAMES else "service_charge",
        name or "Service charge",
        net,
    )
    line.taxes, line.tax = taxed.taxes, taxed.total
    return line


def plain_line(reader: Reader, identifier: str, kind: str, name: str, amount: int, quantity: str = "1") -> Line:
    """A line of one amount; a negative one takes its units back."""
    units = quantity if quantity.strip("0.") else "1"
    return Line(
        id=identifier,
        type=kind,  # type: ignore[arg-type]
        name=name,
        quantity="-" + units if amount < 0 else units,
        unit_price=_price(reader, Decimal(abs(amount)) / Decimal(units), ""),
        gross=amount,
        net=amount,
    )


def _spread_discount(reader: Reader, order: Json, rows: list[Json], found: Lines, notes: Json) -> None:
    """A discount that stands on no line, over all of them by largest remainder."""
    stated = reader.amount(order, "total_discount_money")
    on_lines = any("total_discount_money" in row or "applied_discounts" in row for row in rows)
    if not stated or on_lines or stated > sum(line.gross for line in found.lines):
        return
    for line, share in zip(found.lines, allocate(stated, [max(line.gross, 0) for line in found.lines]), strict=True):
        line.discount, line.net = share, line.gross - share
        line.discounts = [Discount(amount=share)] if share else []
    notes["discount_allocation"] = "by us: the order's discount stood on no line"


def _spread_taxes(reader: Reader, order: Json, rows: list[Json], table: TaxTable, found: Lines, notes: Json) -> None:
    """Taxes that stand on no line, over all of them by largest remainder."""
    if not rows or any("total_tax_money" in row or "applied_taxes" in row for row in rows):
        return
    on_charges = any(
        "total_tax_money" in row or "applied_taxes" in row for row in reader.objects(order, "service_charges")
    )
    if on_charges or table.mixed:
        return
    for levied in table.by_uid.values():
        if levied.applied:
            shares = allocate(levied.applied, [max(line.net, 0) for line in found.lines])
            for line, share in zip(found.lines, shares, strict=True):
                line.taxes = [*line.taxes, named(levied, share)]
                line.tax += share
            notes["tax_allocation"] = "by us: the order's taxes stood on no line"
