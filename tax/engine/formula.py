"""The taxes of one line as linear formulas of its price. Pure.

A tax is a share of its base; its base is the net price and the earlier taxes that enter it. So every tax is a·net + c, the price is
the net price and the taxes it includes, and both directions (tax on a price, tax in a price) are one equation solved once a set:

    price = net + Σ included (a·net + c)        net = (price − Σ c) / (1 + Σ a)

Per-item thresholds change the share of the net price that is taxed (slope 0 or 1, and a constant), which keeps it linear.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import lcm

import msgspec

from tax.engine.thresholds import FULL, Scope, Threshold, scope_of

_HUNDRED = Decimal(100)
_ZERO = Decimal(0)
_ONE = Decimal(1)
KINDS = ("percent", "fixed", "division")


class Tax(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """One tax that applies. `rate` is in percent; of kind `fixed` it is major units for one piece.

    `division` is a percentage of the price that contains it (15 of 100, not of 85). `price_include`: the price contains it.
    `include_base_amount`: later taxes that are `is_base_affected` are computed on it too.
    """

    name: str
    rate: Decimal
    kind: str = "percent"
    price_include: bool = False
    include_base_amount: bool = False
    is_base_affected: bool = True
    jurisdiction: str = ""
    rule: str = ""
    source: str = ""
    thresholds: tuple[Threshold, ...] = ()


class UnusableTaxes(ValueError):
    """Taxes of which no price can be the sum: a message for people."""


class TaxSet:
    """The taxes of a line, compiled: build it once a combination (`tax_set`), use it for any number of lines."""

    __slots__ = (
        "affected_by", "divisor", "factors", "groups", "has_net_bases", "has_thresholds", "inside", "is_flat", "is_plain", "outside", "per_item",
        "shares", "taxes", "whole",
    )  # fmt: skip

    def __init__(self, taxes: tuple[Tax, ...]) -> None:
        self.taxes = taxes
        self.divisor = _divisors(taxes)
        self.affected_by = [_affecting(taxes, i) for i in range(len(taxes))]
        self.has_thresholds = any(tax.thresholds for tax in taxes)
        # flat: percentages on the net price and nothing else; plain: without thresholds, too. Almost every sale is
        self.is_flat = all(
            tax.kind == "percent" and not tax.price_include and not sources
            for tax, sources in zip(taxes, self.affected_by, strict=True)
        )
        self.is_plain = self.is_flat and not self.has_thresholds
        self.has_net_bases = not self.has_thresholds and not any(self.affected_by)
        self.inside = tuple(i for i, tax in enumerate(taxes) if tax.price_include)
        self.outside = tuple(i for i, tax in enumerate(taxes) if not tax.price_include)
        self.groups = _groups(taxes)
        self.factors, self.per_item = self._solve([FULL] * len(taxes), _ONE)
        # each tax is price · shares[i] / whole, exactly; None where it is more than that proportion
        self.shares: tuple[int, ...] | None = None
        self.whole = 1
        is_proportion = self.is_plain or (len(self.inside) == len(taxes) and not self.has_thresholds)
        if is_proportion and all(tax.kind != "fixed" for tax in taxes):
            self.shares, self.whole = self._proportion()

    def raw(self, price: Decimal, items: Decimal, scopes: Sequence[Scope] | None) -> list[Decimal]:
        """Each tax on or in `price`, unrounded; `items` is the signed quantity that fixed taxes count."""
        if self.is_plain:
            return [price * factor for factor in self.factors]
        if self.is_flat and scopes is not None:
            return [
                price * factor
                if scope is FULL
                else (price * scope.slope + scope.constant) * (factor if scope.rate is None else scope.rate / _HUNDRED)
                for factor, scope in zip(self.factors, scopes, strict=True)
            ]
        factors, constants = (self.factors, self.per_item) if scopes is None else self._solve(scopes, items)
        if scopes is None:
            return [price * a + items * c for a, c in zip(factors, constants, strict=True)]
        return [price * a + c for a, c in zip(factors, constants, strict=True)]

    def scopes(self, price: Decimal, items: Decimal, beside: Decimal) -> list[Scope] | None:
        """What of the line each tax's thresholds leave to it; None where there is no threshold.

        `beside` is the part of the price that is delivery. In an inclusive price the net price decides, which the taxes decide:
        tried until it stands still; at a cliff that has no answer, the price before the tax stands above the threshold.
        """
        if not self.has_thresholds:
            return None
        if self.is_flat:
            return [scope_of(t.thresholds, price, items, beside) if t.thresholds else FULL for t in self.taxes]
        found = [FULL] * len(self.taxes)
        for _ in range(6):
            raws = self.raw(price, items, found)
            net = price - sum(raws[i] for i in self.inside)
            delivery = beside * net / price if price else beside
            now = [scope_of(tax.thresholds, net, items, delivery) for tax in self.taxes]
            if now == found:
                break
            found = now
        return found

    def _proportion(self) -> tuple[tuple[int, ...], int]:
        """The factors as fractions of one denominator."""
        slopes: list[Fraction] = []
        for tax, divisor, sources in zip(self.taxes, self.divisor, self.affected_by, strict=True):
            slopes.append(Fraction(tax.rate) / Fraction(divisor) * (1 + sum(slopes[j] for j in sources)))
        per_net = 1 + sum(slopes[i] for i in self.inside)
        factors = [slope / per_net for slope in slopes]
        whole = lcm(*[factor.denominator for factor in factors])
        return tuple(factor.numerator * (whole // factor.denominator) for factor in factors), whole

    def _solve(self, scopes: Sequence[Scope], items: Decimal) -> tuple[list[Decimal], list[Decimal]]:
        """Factor and constant of each tax: tax = factor · price + constant."""
        slopes: list[Decimal] = []
        constants: list[Decimal] = []
        for i, (tax, scope) in enumerate(zip(self.taxes, scopes, strict=True)):
            if tax.kind == "fixed":
                slopes.append(_ZERO)
                constants.append(tax.rate * items if scope.slope or scope.constant else _ZERO)
                continue
            share = (tax.rate if scope.rate is None else scope.rate) / self.divisor[i]
            slopes.append(share * (scope.slope + sum(slopes[j] for j in self.affected_by[i])))
            constants.append(share * (scope.constant + sum(constants[j] for j in self.affected_by[i])))
        if not self.inside:
            return slopes, constants
        per_net = 1 + sum(slopes[i] for i in self.inside)
        if per_net <= 0:
            raise UnusableTaxes("the taxes that the price includes take away all of it")
        fixed = sum(constants[i] for i in self.inside)
        return [a / per_net for a in slopes], [c - a * fixed / per_net for a, c in zip(slopes, constants, strict=True)]


@lru_cache(maxsize=4096)
def tax_set(taxes: tuple[Tax, ...]) -> TaxSet:
    """The compiled set of these taxes, in the order in which they are computed; call it inside `rounding.exactly`."""
    return TaxSet(taxes)


def _groups(taxes: Sequence[Tax]) -> dict[str, list[str]]:
    """For each level that rounds over the document, what each tax is rounded together with.

    Two equal taxes of one line stay two, and what a price includes stays apart from what comes on top.
    """
    by_tax, by_rate = [], []
    for i, tax in enumerate(taxes):
        side = "in" if tax.price_include else "on"
        before = [t for t in taxes[:i] if t.rate == tax.rate]
        rate = f"{side} {tax.kind} {tax.rate.normalize()}"
        by_tax.append(f"{rate} {sum(t.name == tax.name for t in before)} {tax.name}")
        by_rate.append(f"{rate} {len(before)}")
    combination = "; ".join(by_tax)
    sides = ["in" if tax.price_include else "on" for tax in taxes]
    return {
        "document_per_tax": by_tax, "document_per_rate": by_rate,
        "document_per_combination": [f"{side} {combination}" for side in sides], "document_combined": sides,
    }  # fmt: skip


def _affecting(taxes: Sequence[Tax], i: int) -> tuple[int, ...]:
    if not taxes[i].is_base_affected:
        return ()
    return tuple(j for j in range(i) if taxes[j].include_base_amount)


def _divisors(taxes: Sequence[Tax]) -> list[Decimal]:
    """100, and for taxes by division 100 less all that stand in one row: each is a share of what contains them all."""
    found: list[Decimal] = []
    for i, tax in enumerate(taxes):
        if tax.kind != "division":
            found.append(_HUNDRED)
            continue
        first = last = i
        while first and _same_row(taxes[first - 1], taxes[first]):
            first -= 1
        while last + 1 < len(taxes) and _same_row(taxes[last], taxes[last + 1]):
            last += 1
        left = _HUNDRED - sum(t.rate for t in taxes[first : last + 1])
        if left <= 0:
            raise UnusableTaxes("taxes by division must stay below 100 % together")
        found.append(left)
    return found


def _same_row(one: Tax, after: Tax) -> bool:
    both = one.kind == after.kind == "division" and one.price_include == after.price_include
    return both and not (one.include_base_amount and after.is_base_affected)
