"""A request as an outside service can be asked it: one price a line and delivery, in minor units, after every discount. Pure.

What a service cannot be told is refused with a code, never left out.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from salessync.core.problems import Problem, Refused
from tax.engine.rounding import Rounder, Rounding, exactly, spread_by_weight
from tax.providers.provider import refused
from tax.quoting.request import Request, read


class Item(msgspec.Struct, frozen=True):
    """`price` with or without tax, as the request has its prices; `is_taxable` is what the request says of a delivery, None: nothing."""

    price: int
    quantity: Decimal
    category: str
    path: str
    is_delivery: bool = False
    is_taxable: bool | None = None


class Asked(msgspec.Struct, frozen=True):
    """The request's lines, then its delivery."""

    request: Request
    items: tuple[Item, ...]

    @property
    def is_inclusive(self) -> bool:
        """Prices contain their tax."""
        return self.request.price_mode == "inclusive"


def asked_of(data: Mapping[str, Any], provider: str) -> Asked:
    """What `provider` is to be asked; Refused with all that it cannot be told."""
    request = read(dict(data))
    items = items_of(request)
    problems = list(_untold(request, items, provider))
    if problems:
        raise Refused(*problems)
    return Asked(request, items)


def items_of(request: Request) -> tuple[Item, ...]:
    """Each line and delivery with its price: amount × quantity, rounded half up, less discounts that the seller bears."""
    with exactly():
        rounder = Rounder(Rounding("line", "half_up", Decimal(1).scaleb(-request.digits)))
        prices = [rounder(line.amount * line.quantity - line.discount) for line in request.lines]
        prices = _discounted(request, prices, rounder)
        lines = tuple(
            Item(price, line.quantity, line.category, line.path)
            for line, price in zip(request.lines, prices, strict=True)
        )
        return lines + tuple(
            Item(rounder(s.amount), Decimal(1), "shipping", s.path, is_delivery=True, is_taxable=s.taxable)
            for s in request.shipping
        )


def _discounted(request: Request, prices: list[int], rounder: Rounder) -> list[int]:
    """Document discounts come off the lines in proportion; what somebody else pays is a payment, and comes off nothing."""
    discount = request.discount
    if discount.funding != "seller" or not prices:
        return prices
    total = sum(prices)
    off = rounder(discount.amount) + rounder(total * discount.percent / 100 * rounder.step)
    if off and abs(off) > abs(total):
        raise refused("DISCOUNT_TOO_LARGE", "document_discount", "the discount takes off more than there is")
    parts = spread_by_weight(off, [Decimal(price) for price in prices])
    return [price - part for price, part in zip(prices, parts, strict=True)]


def _untold(request: Request, items: Sequence[Item], provider: str) -> list[Problem]:
    given = [line.path for line in request.lines if line.taxes is not None]
    given += [shipping.path for shipping in request.shipping if shipping.taxes is not None]
    found = [
        Problem("GIVEN_TAXES", f"{path}taxes", f"{provider} finds the taxes itself and cannot be told which apply")
        for path in given
    ]
    found += [
        Problem("NEGATIVE_LINE", item.path.rstrip("."), f"{provider} takes no negative amounts")
        for item in items
        if item.price < 0
    ]
    if request.price_mode == "mixed":
        found.append(Problem("PRICE_MODE_MIXED", "price_mode", f"{provider} must be told whether prices contain tax"))
    if request.rules:
        found.append(Problem("RULES_GIVEN", "rules", f"{provider} has its own rules and cannot be told others"))
    if request.adjustments or request.charges:
        found.append(
            Problem(
                "ADJUSTMENTS_GIVEN", "document_adjustments", f"{provider} knows no charges beside lines and delivery"
            )
        )
    if not request.currency:
        found.append(Problem("MISSING_CURRENCY", "currency", f"the currency is missing: {provider} needs it"))
    if not request.place.country:
        found.append(Problem("MISSING_COUNTRY", "country", "the country is missing: without it no tax can be found"))
    return found
