"""Tax of a document: its lines, delivery, discounts and charges, by one rounding. Pure.

1. The price of a line is amount × quantity − its discount − its share of a document discount given as an amount (spread over the
   prices as they stand, by largest remainder).
2. Delivery that is taxed with the goods joins the lines that bear tax, in proportion to their price, and leaves them again at the end.
3. The formulas of the line's taxes give each tax unrounded (tax.engine.formula).
4. The level says what is rounded together: one tax of one line, all of a line, or a group over the document; what was rounded
   together is spread back by largest remainder. A price that includes its tax never changes: net = price − tax.
5. A document discount in percent takes its part off the total, rounded, and off each tax, rounded; the net bears what is left.
6. Totals are the sums of the lines, except at the level `none`, where every figure is shown as it is.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tax.engine.formula import Tax, TaxSet, tax_set
from tax.engine.levels import Row, base_units, included_in, rate_of, round_taxes, set_prices
from tax.engine.proportions import is_proportional, round_proportions
from tax.engine.rounding import Rounder, Rounding, exactly, part_of, rounder_of, spread_by_weight, spread_ratios
from tax.engine.thresholds import NOTHING

_ZERO = Decimal(0)
_ONE = Decimal(1)
_NO_TAXES = TaxSet(())


class Line(msgspec.Struct, frozen=True, gc=False):
    """`amount` is the price of one piece, `discount` comes off the line; both in major units. `taxes` in order of computation."""

    amount: Decimal
    quantity: Decimal = Decimal(1)
    discount: Decimal = _ZERO
    taxes: tuple[Tax, ...] = ()


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """Delivery that is taxed as the goods are, in major units: spread over the lines named by `over`, or over all that bear tax."""

    amount: Decimal
    over: tuple[int, ...] | None = None


class Document(msgspec.Struct, frozen=True, gc=False):
    """What is computed at once. `extras` (delivery with taxes of its own, charges, adjustments) bear no document discount."""

    lines: tuple[Line, ...]
    rounding: Rounding = Rounding()
    deliveries: tuple[Delivery, ...] = ()
    extras: tuple[Line, ...] = ()
    discount: Decimal = _ZERO
    discount_percent: Decimal = _ZERO


class Taxed(msgspec.Struct, gc=False):
    """One tax of one line; `base` and `amount` in steps of the rounding."""

    tax: Tax
    rate: Decimal
    base: int
    amount: int


class LineResult(msgspec.Struct, gc=False):
    """In steps of the rounding: net + tax = gross."""

    net: int
    tax: int
    gross: int
    taxes: list[Taxed]


class Result(msgspec.Struct, gc=False):
    """Lines in the order: the document's lines, its deliveries, its extras. In steps of the rounding."""

    step: Decimal
    net: int
    tax: int
    gross: int
    lines: list[LineResult]


class DiscountTooLarge(ValueError):
    """The document discount takes off more than there is."""


def compute(document: Document) -> Result:
    """Net, tax and gross of the document and of each line; DiscountTooLarge and formula.UnusableTaxes where there is none."""
    with exactly():
        rounder = rounder_of(document.rounding)
        rows = [_row(line) for line in document.lines]
        if document.discount:
            _take_off(rows, document.discount, rounder)
        extras = [_row(line) for line in document.extras]
        if document.deliveries:
            extras = _join(rows, document.deliveries, rounder) + extras
        every = rows + extras
        set_prices(every, document.rounding.level, rounder)
        if is_proportional(every, document.rounding):
            round_proportions(every, document.rounding)
        else:
            for row in every:
                row.scopes = row.set.scopes(row.price, row.items, row.beside)
                row.raws = row.set.raw(row.price, row.items, row.scopes)
            round_taxes(every, document.rounding, rounder)
        if document.discount_percent:
            _take_percentage_off(rows, document.discount_percent, rounder)
        return _result(document, rows, extras, rounder)


def _row(line: Line) -> Row:
    price = line.amount * line.quantity - line.discount
    items = -line.quantity if line.amount < 0 else line.quantity
    return Row(tax_set(line.taxes) if line.taxes else _NO_TAXES, price, items)


def _take_off(rows: Sequence[Row], discount: Decimal, rounder: Rounder) -> None:
    """A discount given as an amount reduces the prices themselves."""
    total = sum((row.price for row in rows), _ZERO)
    if abs(discount) > abs(total) or (discount < 0) != (total < 0):
        raise DiscountTooLarge(f"the discount of {discount} is more than the {total} it comes off")
    for row, share in zip(rows, spread_by_weight(rounder(discount), [row.price for row in rows]), strict=True):
        row.price -= share * rounder.step


def _join(rows: Sequence[Row], deliveries: Sequence[Delivery], rounder: Rounder) -> list[Row]:
    """Put each delivery onto lines that bear tax, and give a row for it: empty, but for one that found no such line."""
    prices = [rounder.exact(row.price) for row in rows]
    bearing = [i for i, row in enumerate(rows) if row.set.taxes]
    bearing = [i for i in bearing if not _is_exempt(rows[i])] or bearing
    found = []
    for number, delivery in enumerate(deliveries):
        over = bearing if delivery.over is None else [i for i in delivery.over if i in bearing]
        over = over or [i for i in delivery.over or () if rows[i].set.taxes]
        over = [i for i in over if prices[i]] or over[:1]
        found.append(Row(_NO_TAXES, _ZERO if over else delivery.amount, _ONE))
        if not over:
            continue
        total = rounder.exact(delivery.amount)
        for i, share in zip(over, _shares(total, [prices[i] for i in over]), strict=True):
            row, amount = rows[i], share * rounder.step
            row.price += amount
            row.beside += amount
            row.joined += ((number, share),)
    return found


def _shares(total: int, weights: list[int]) -> list[int]:
    whole = sum(weights)
    if not whole:
        return [total] + [0] * (len(weights) - 1)
    if whole < 0:
        whole, weights = -whole, [-weight for weight in weights]
    return spread_ratios(total, [total * weight for weight in weights], whole)


def _is_exempt(row: Row) -> bool:
    """A threshold takes the whole line out of each of its taxes."""
    if not row.set.has_thresholds:
        return False
    scopes = row.set.scopes(row.price, row.items, row.beside)
    return scopes is not None and all(scope == NOTHING for scope in scopes)


def _take_percentage_off(rows: Sequence[Row], percent: Decimal, rounder: Rounder) -> None:
    """Step 5, as Odoo's discount on a whole order: a line of its own for each tax."""
    share = percent / 100
    gross = sum(row.units + sum(row.taxes) - included_in(row) for row in rows)
    off = rounder(gross * share * rounder.step)
    cells: dict[str, list[tuple[Row, int]]] = {}
    for row in rows:
        for i, group in enumerate(row.set.groups["document_per_tax"]):
            cells.setdefault(group, []).append((row, i))
    for members in cells.values():
        amounts = [Decimal(row.taxes[i]) for row, i in members]
        tax_off = rounder(sum(amounts) * share * rounder.step)
        off -= tax_off
        for (row, i), units in zip(members, spread_by_weight(tax_off, amounts), strict=True):
            row.taxes[i] -= units
    for row, units in zip(rows, spread_by_weight(off, [Decimal(row.net) for row in rows]), strict=True):
        row.net -= units


def _result(document: Document, rows: Sequence[Row], extras: Sequence[Row], rounder: Rounder) -> Result:
    lines = [_line_result(row, rounder) for row in rows]
    others = [_line_result(row, rounder) for row in extras]
    for row, line in zip(rows, lines, strict=True):
        units = row.units
        for number, share in row.joined:
            _leave(line, others[number], share, units)
            units -= share
    lines += others
    net, tax = sum(line.net for line in lines), sum(line.tax for line in lines)
    if document.rounding.level == "none" and not document.discount_percent:
        every = [*rows, *extras]
        tax = rounder(sum((raw for row in every for raw in row.raws), _ZERO))
        inside = [row.raws[i] for row in every for i in row.set.inside]
        net = rounder(sum((row.price for row in every), _ZERO)) - rounder(sum(inside, _ZERO))
    return Result(step=rounder.step, net=net, tax=tax, gross=net + tax, lines=lines)


def _line_result(row: Row, rounder: Rounder) -> LineResult:
    net, units = row.net, row.taxes
    if not units:
        return LineResult(net, 0, net, [])
    total = sum(units)
    of = row.set.taxes
    if row.set.has_net_bases:
        taxes = [Taxed(tax, tax.rate, net, part) for tax, part in zip(of, units, strict=True)]
    else:
        taxes = [Taxed(tax, rate_of(row, i), base_units(row, i, rounder), units[i]) for i, tax in enumerate(of)]
    return LineResult(net, total, net + total, taxes)


def _leave(line: LineResult, delivery: LineResult, share: int, units: int) -> None:
    """Take `share` of the line's `units` out of it again, for the delivery: taxes and bases in proportion."""
    known = {(taxed.tax, taxed.rate): taxed for taxed in delivery.taxes}
    total = inside = 0
    for taxed in line.taxes:
        base, amount = part_of(taxed.base, share, units), part_of(taxed.amount, share, units)
        taxed.base -= base
        taxed.amount -= amount
        total += amount
        if taxed.tax.price_include:
            inside += amount
        same = known.get((taxed.tax, taxed.rate))
        if same is None:
            delivery.taxes.append(Taxed(taxed.tax, taxed.rate, base, amount))
        else:
            same.base += base
            same.amount += amount
    net = share - inside
    line.net -= net
    line.tax -= total
    line.gross = line.net + line.tax
    delivery.net += net
    delivery.tax += total
    delivery.gross = delivery.net + delivery.tax
