"""One order of a sandbox Shopify shop: what is in it, what was paid and what came back. Pure.

Amounts are minor units of a currency with two digits.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from salessync.core.money import allocate
from salessync.sandbox.catalog import Product
from salessync.sandbox.people import Person

Json = dict[str, Any]


class Levy(NamedTuple):
    """One tax of a place: `rate` is a fraction, as Shopify writes it."""

    title: str
    rate: Decimal


@dataclass
class Taxed:
    """What an item and the shipping have in common: a price, discounts on it, taxes on what is left."""

    id: int
    gross: int
    allocations: list[tuple[int, int]]  # (which discount application, amount)
    levies: list[Levy]
    inclusive: bool

    @property
    def discount(self) -> int:
        return sum(amount for _, amount in self.allocations)

    @property
    def net(self) -> int:
        return self.gross - self.discount

    @property
    def taxes(self) -> list[int]:
        """One amount a levy, each rounded half up; inside the price where the shop's prices include tax."""
        amounts = []
        for levy in self.levies:
            base = Decimal(self.net) * levy.rate / (1 + levy.rate if self.inclusive else 1)
            amounts.append(int(base.quantize(Decimal(1), ROUND_HALF_UP)))
        return amounts

    @property
    def tax(self) -> int:
        return sum(self.taxes)


@dataclass
class Item(Taxed):
    """An order line; `returned` units came back through refunds, a removed line left by an edit."""

    product: Product
    quantity: int
    returned: int = 0
    removed: bool = False

    @property
    def current(self) -> int:
        return 0 if self.removed else self.quantity - self.returned

    def part(self, units: int) -> tuple[int, int]:
        """Net and tax of the next `units` to come back; the last ones take what is left."""
        before, after = self.returned, self.returned + units
        return (
            self.net * after // self.quantity - self.net * before // self.quantity,
            self.tax * after // self.quantity - self.tax * before // self.quantity,
        )


@dataclass
class Payment:
    """An order transaction that is no refund. `foreign` is the amount in the buyer's currency where that is another."""

    id: int
    kind: str  # authorization, capture, sale, void
    gateway: str
    amount: int
    at: datetime
    parent: "Payment | None" = None
    last4: str | None = None
    foreign: int | None = None
    refunded: int = 0


@dataclass
class Refund:
    """Goods and money given back; `money` is per payment."""

    id: int
    at: datetime
    note: str
    items: list[tuple[Item, int, int, int]] = field(default_factory=list)  # item, units, net, tax
    shipping: tuple[int, int] | None = None  # net, tax
    money: list[tuple[int, Payment, int]] = field(default_factory=list)  # transaction id, payment, amount
    restock: str = "return"
    pending: bool = False
    settled_at: datetime | None = None

    @property
    def total(self) -> int:
        return sum(amount for _, _, amount in self.money)


@dataclass
class Order:
    """An order in its present state."""

    id: int
    name: str
    number: int
    currency: str
    inclusive: bool
    zone: ZoneInfo
    at: datetime
    buyer: Person
    items: list[Item]
    shipping: Taxed | None
    shipping_title: str = "Standard"
    applications: list[Json] = field(default_factory=list)
    tip: int = 0
    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    updated: datetime | None = None
    location: int | None = None
    source_name: str = "web"
    cancelled_at: datetime | None = None
    closed_at: datetime | None = None
    test: bool = False
    homeless: bool = False  # neither address: nobody knows where it is taxed
    buyer_currency: str | None = None
    buyer_rate: Decimal = Decimal(1)
    first_total: int | None = None  # frozen when the order was placed

    @property
    def kept(self) -> list[Item]:
        """What is in the order after its edits, whatever came back later."""
        return [item for item in self.items if not item.removed]

    @property
    def parts(self) -> list[Taxed]:
        return [*self.kept, *([self.shipping] if self.shipping else [])]

    @property
    def total(self) -> int:
        """The order's total after its edits and before its refunds."""
        parts = self.parts
        return sum(p.net for p in parts) + (0 if self.inclusive else sum(p.tax for p in parts)) + self.tip

    @property
    def captured(self) -> int:
        return sum(p.amount for p in self.payments if p.kind in ("sale", "capture"))

    @property
    def given_back(self) -> int:
        return sum(r.total for r in self.refunds)

    @property
    def financial_status(self) -> str:
        """In Shopify's words."""
        paid_back = sum(r.total for r in self.refunds if not r.pending)
        if self.captured == 0:
            kinds = {p.kind for p in self.payments}
            return "voided" if "void" in kinds else "authorized" if "authorization" in kinds else "pending"
        if self.captured < self.total:
            return "partially_paid"
        if paid_back >= self.captured:
            return "refunded"
        return "partially_refunded" if paid_back else "paid"


def spread(amount: int, items: list[Item], index: int) -> None:
    """A discount on the whole order, allocated to its lines as Shopify does: in proportion to their prices."""
    shares = allocate(amount, [item.net for item in items])
    for item, one in zip(items, shares, strict=True):
        if one:
            item.allocations.append((index, one))
