"""What of a line's price a tax is computed on, where the law looks at the price of one piece. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

_ZERO = Decimal(0)
_ONE = Decimal(1)
KINDS = ("exempt", "exempt_below", "exempt_upto", "excess_over", "base_band", "price_band")


class Threshold(msgspec.Struct, frozen=True, gc=False):
    """A rule on the price of one piece, in major units, after the seller's discount.

    exempt: nothing is taxed. exempt_below / exempt_upto: nothing below (up to) `upper`, all of it from there (New York's clothing).
    excess_over: only what lies above `lower` (Massachusetts' clothing). base_band: only what lies between `lower` and `upper`
    (Florida's surtax on the first 5,000; Tennessee's single article). price_band: a piece up to `upper` has `rate` instead.
    `delivery_counts`: delivery of the piece belongs to its price (Texas' holiday). `is_holiday`: it holds for some days only. `per_line`: the line is
    one piece.
    """

    kind: str
    lower: Decimal = _ZERO
    upper: Decimal | None = None
    rate: Decimal | None = None
    delivery_counts: bool = False
    is_holiday: bool = False
    per_line: bool = False


class Scope(NamedTuple):
    """The taxed part of a net price: slope · net + constant; `rate` replaces the tax's own."""

    slope: Decimal
    constant: Decimal
    rate: Decimal | None = None


FULL = Scope(_ONE, _ZERO)
NOTHING = Scope(_ZERO, _ZERO)


def scope_of(thresholds: Sequence[Threshold], net: Decimal, items: Decimal, delivery: Decimal) -> Scope:
    """What the thresholds leave of `net` (which contains `delivery`) for `items` pieces; the first that exempts decides."""
    found = FULL
    if not thresholds or not items:
        return found
    pieces = abs(items)
    sign = -1 if net < 0 else 1
    for threshold in thresholds:
        counted = Decimal(1) if threshold.per_line else pieces
        price = abs(net if threshold.delivery_counts else net - delivery) / counted
        now = _scope(threshold, price, counted * sign)
        if now == NOTHING:
            return now
        if now != FULL:
            found = now
    return found


def _scope(rule: Threshold, price: Decimal, pieces: Decimal) -> Scope:
    """`price` of one piece, and how many signed `pieces`."""
    upper = rule.upper
    if rule.kind == "exempt" or (
        upper is not None
        and ((rule.kind == "exempt_below" and price < upper) or (rule.kind == "exempt_upto" and price <= upper))
    ):
        return NOTHING
    if rule.kind == "price_band" and (upper is None or price <= upper) and price > rule.lower:
        return Scope(_ONE, _ZERO, rule.rate)
    if rule.kind in ("excess_over", "base_band"):
        if price <= rule.lower:
            return NOTHING
        if upper is None or rule.kind == "excess_over" or price < upper:
            return Scope(_ONE, -rule.lower * pieces) if rule.lower else FULL
        return Scope(_ZERO, (upper - rule.lower) * pieces)
    return FULL
