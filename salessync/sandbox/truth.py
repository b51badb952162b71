"""What the books must say after a day, known by construction. Pure, and written apart from the ledger's own recipes.

Balances are kept by channel, currency and account (debit positive), in minor units of the currency.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from salessync.sandbox.catalog import PRODUCTS

SALES = "Income:Sales"
SHIPPING = "Income:Shipping"
DISCOUNTS = "Income:Discounts"
RETURNS = "Income:Returns"
ALLOWANCES = "Income:Allowances"
TAX = "Liabilities:Tax-payable"
TIPS = "Liabilities:Tips"
GIFT_CARDS = "Liabilities:Gift-cards"
IN_TRANSIT = "Liabilities:Refunds-in-transit"
INVENTORY = "Assets:Inventory"
COST_OF_SALES = "Expenses:Cost-of-sales"
BASE = "USD"  # what goods cost is kept in the company's currency

COST = {product.sku: product.cost for product in PRODUCTS}

Key = tuple[str, str, str]  # channel, currency, account


@dataclass
class Truth:
    """Figures to hold the books against."""

    balances: Counter[Key] = field(default_factory=Counter)
    sales: Counter[str] = field(default_factory=Counter)  # sales told, by channel, whether they stand or not
    standing: Counter[str] = field(default_factory=Counter)  # those that are in the books
    refunds: Counter[str] = field(default_factory=Counter)
    stock: Counter[str] = field(default_factory=Counter)  # change on hand by SKU
    quarantined: Counter[str] = field(default_factory=Counter)  # deliveries by code
    test_orders: int = 0
    orphans: int = 0  # payments whose order never comes

    def put(self, channel: str, currency: str, account: str, amount: int) -> None:
        """Add to a balance: debit positive."""
        self.balances[channel, currency, account] += amount

    def shelf(self, channel: str, sku: str, units: int) -> None:
        """So many units of a product came back to the shelf, or (negative) left it, with what they had cost."""
        self.stock[sku] += units
        self.put(channel, BASE, INVENTORY, units * COST[sku])
        self.put(channel, BASE, COST_OF_SALES, -units * COST[sku])

    def add(self, other: "Truth") -> None:
        """Take in another shop's figures."""
        for name in ("balances", "sales", "standing", "refunds", "stock", "quarantined"):
            mine: Counter[Any] = getattr(self, name)
            for key, value in getattr(other, name).items():
                mine[key] += value
        self.test_orders += other.test_orders
        self.orphans += other.orphans

    def nonzero(self) -> dict[Key, int]:
        """The balances that are not zero."""
        return {key: amount for key, amount in sorted(self.balances.items()) if amount}

    def revenue(self) -> dict[tuple[str, str], int]:
        """Net revenue (income less discounts, returns and allowances) by channel and currency, as a positive figure."""
        found: Counter[tuple[str, str]] = Counter()
        for (channel, currency, account), amount in self.balances.items():
            if account.startswith("Income:"):
                found[channel, currency] -= amount
        return dict(sorted(found.items()))

    def unbalanced(self) -> dict[tuple[str, str], int]:
        """Channel and currency whose balances do not sum to zero; empty when the truth is one."""
        found: Counter[tuple[str, str]] = Counter()
        for (channel, currency, _), amount in self.balances.items():
            found[channel, currency] += amount
        return {key: amount for key, amount in found.items() if amount}


def share(amount: int, part: int, whole: int) -> int:
    """amount × part ÷ whole, half to even."""
    return int((Decimal(amount) * part / whole).quantize(Decimal(1), ROUND_HALF_EVEN))
