"""What a Medusa order comes to: Medusa's own figures, brought back to the state before its refunds. Pure.

An order's total shrinks with every return that is received and with every credit line, and a refund makes a credit line.
`summary.original_order_total` is the total before the LAST change only, so it cannot serve.
"""

from decimal import Decimal

import msgspec

from channels.adapters.medusa.amounts import ZERO, Amounts, rounded
from channels.adapters.medusa.lines import Part
from channels.adapters.medusa.payments import Paid, money_back
from channels.reading import Json
from channels.sale import Line, Totals

_SAME = Decimal("0.5")  # of a minor unit: Medusa drops credit that is smaller than its currency can show


class Credit(msgspec.Struct):
    """The order's credit lines: what they take off its total, and why."""

    total: Decimal
    spent: list[tuple[Json, Decimal]]  # gift cards and store credit of the checkout
    granted: Decimal  # later credit that no refund explains


def read_credit(reader: Amounts, order: Json, paid: Paid) -> Credit:
    """Credit of the checkout has no note of a version; what was added later is a refund's, or a present."""
    spent, later = [], ZERO
    for index, row in enumerate(reader.objects(order, "credit_lines")):
        amount = reader.exact(row.get("amount"), f"credit_lines[{index}].amount")
        metadata = row.get("metadata")
        if type(metadata) is dict and metadata.get("created_in_version") is not None:
            later += amount
        elif amount:
            spent.append((row, amount))
    told = reader.maybe(order, "credit_line_total")
    granted = later - money_back(paid) if paid.tenders is not None else ZERO
    if granted < 1:
        granted = ZERO
    return Credit(later + sum((a for _, a in spent), ZERO) if told is None else told, spent, granted)


def order_totals(
    reader: Amounts, order: Json, parts: list[Part], lines: list[Line], credit: Credit, inclusive: bool
) -> Totals:
    """Goods as their lines add up; shipping, tax and total as Medusa says, so that the proof can object."""
    goods = [line for line in lines if line.type not in ("shipping", "fee")]
    fees = sum(line.net for line in lines if line.type == "fee")
    total = reader.exact(order.get("total"), "total") + credit.total - credit.granted + _returned(parts)
    totals = Totals(
        gross=sum(line.gross for line in goods),
        discount=sum(line.discount for line in goods),
        net=sum(line.net for line in goods),
        shipping=_shipping(reader, order, lines, inclusive),
        fees=fees,
        tax=_tax(reader, order, parts, lines),
        total=rounded(reader.bounded(total, "total")),
    )
    exact = sum((part.worth(part.sold()) for part in parts), ZERO) - credit.granted
    if abs(exact - total) < _SAME:  # the parts are the total: what is left over is only what rounding left
        added = totals.net + totals.shipping + totals.fees + (0 if inclusive else totals.tax)
        totals.rounding = totals.total - added
    return totals


def _returned(parts: list[Part]) -> Decimal:
    """What the order's total no longer counts because it came back; what was exchanged stays out, as after an edit."""
    return sum((part.worth(part.sold()) - part.worth(part.quantity - part.back) for part in parts if part.back), ZERO)


def _shipping(reader: Amounts, order: Json, lines: list[Line], inclusive: bool) -> int:
    told, tax = reader.maybe(order, "shipping_total"), reader.maybe(order, "shipping_tax_total")
    if told is None or (tax is None and not inclusive):
        return sum(line.net for line in lines if line.type == "shipping")
    return reader.positive(rounded(told if inclusive or tax is None else told - tax), "shipping_total")


def _tax(reader: Amounts, order: Json, parts: list[Part], lines: list[Line]) -> int:
    """Medusa's tax counts what has not come back."""
    told = reader.maybe(order, "tax_total")
    if told is None:
        return sum(line.tax for line in lines)
    back = sum((part.tax(part.sold()) - part.tax(part.quantity - part.back) for part in parts if part.back), ZERO)
    return rounded(told + back)
