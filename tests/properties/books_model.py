"""What the books must say, told in the simplest way there is: from what the world looks like now, without any history.

Every sale has one line, one tax and one card payment; a refund gives a part of the line back with its tax. Amounts in minor units.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date


@dataclass
class Sale:
    id: str
    currency: str
    day: date
    net: int
    tax: int
    version: int = 1
    voided: bool = False

    @property
    def total(self):
        return 0 if self.voided else self.net + self.tax


@dataclass
class Refund:
    id: str
    sale: Sale
    net: int
    tax: int
    status: str = "succeeded"
    version: int = 1

    @property
    def counts(self):
        return self.status in ("succeeded", "pending")


@dataclass
class Dispute:
    id: str
    sale: Sale
    amount: int
    fee: int
    state: str = "needs_response"
    version: int = 1


@dataclass
class Payout:
    id: str
    currency: str
    lines: list  # (category, object, gross, fee)
    residual: int = 0
    status: str = "paid"
    version: int = 1

    @property
    def amount(self):
        return sum(gross - fee for _, _, gross, fee in self.lines) + self.residual


class Books:
    """`rule_from`: sales of that day and later go to another revenue account."""

    def __init__(self, clearing, base, rate):
        self.clearing, self.base, self.rate = clearing, base, rate
        self.sales, self.refunds, self.disputes, self.payouts = [], [], [], []
        self.rule_from = None

    def revenue(self, sale):
        special = self.rule_from is not None and sale.day >= self.rule_from
        return "Income:Special-sales" if special else "Income:Sales"

    def balances(self):
        """(account, currency) → amount, without what exchange brought."""
        sums = defaultdict(int)

        def post(currency, **legs):
            for name, amount in legs.items():
                sums[ACCOUNTS.get(name, self.clearing), currency] += amount

        for s in self.sales:
            if not s.voided:
                post(s.currency, clearing=s.total, tax=-s.tax)
                sums[self.revenue(s), s.currency] -= s.net
        for r in self.refunds:
            if r.counts and not r.sale.voided:
                post(r.sale.currency, returns=r.net, tax=r.tax)
                out = "in_transit" if r.status == "pending" else "clearing"
                post(r.sale.currency, **{out: -(r.net + r.tax)})
        for d in self.disputes:
            taken = 0 if d.state in ("won", "closed") else d.amount
            where = "lost" if d.state == "lost" else "disputed"
            post(d.sale.currency, **{where: taken}, dispute_fee=d.fee, clearing=-taken - d.fee)
        for p in self.payouts:
            if p.status in ("paid", "in_transit"):
                for category, _, gross, fee in p.lines:
                    if category == "dispute":
                        post(p.currency, clearing=-(gross - fee))
                    else:
                        post(p.currency, fees=fee, clearing=-gross)
                post(p.currency, bank=p.amount, clearing=-p.residual)
        return {key: amount for key, amount in sums.items() if amount}


ACCOUNTS = {
    "tax": "Liabilities:Tax-payable", "returns": "Income:Returns", "in_transit": "Liabilities:Refunds-in-transit",
    "lost": "Expenses:Chargebacks", "disputed": "Assets:Disputed-funds", "dispute_fee": "Expenses:Dispute-fees",
    "fees": "Expenses:Processing-fees", "bank": "Assets:Bank-in-transit",
}  # fmt: skip
