"""Which postings should stand for the refunds of a sale. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from channels.family import SAYS_PAID, captured, stands
from channels.refund import GIVES_BACK, Refund, RefundLine, RefundTender
from channels.sale import CAPTURED, Line, Sale, Tender
from ledger import accounts
from ledger.legs import Leg, Legs, Owed, Policy, TaxKey
from ledger.sale_recipe import (
    liabilities_of,
    platform_share,
    tax_key,
    tax_shares,
    taxes_of,
    tender_account,
    tip_beyond,
    without_tax,
)
from salessync.core.money import scale
from tax.codes import same_tax

K = TypeVar("K")


class Refunds:
    """The refunds of one sale, one after the other; what is given back together decides what the last one takes.

    The laws: whatever the split, refunds that add up to the sale give back every tax code and every liability to the minor
    unit. So each line's last refund takes what is left of that line's taxes, an amount-only refund takes its share of the
    sale's taxes cumulatively, and the refund that completes the total takes whatever remains.
    """

    def __init__(self, sale: Sale | None, paid_by: list[Tender] | None, policy: Policy) -> None:
        self.sale, self.paid_by, self.policy = sale, paid_by, policy
        self.lines = {line.id: line for line in sale.lines} if sale else {}
        self.tip_left = tip_beyond(sale, paid_by) if sale else 0  # no part of the sale's total
        self.tip_back = 0
        self.sale_stands = sale is not None and stands(sale, paid_by)
        self.given_back = 0
        self.adjusted = 0
        self.tax_back: dict[TaxKey, int] = defaultdict(int)
        self.line_tax_back: dict[str, dict[TaxKey, int]] = {}
        self.liability_back: dict[Owed, int] = defaultdict(int)
        self.net_back: dict[str, int] = defaultdict(int)  # of lines with a discount that the platform paid for
        if sale and sale.status == "cancelled" and self.sale_stands:
            self._start_after_cancellation(sale)

    def _start_after_cancellation(self, sale: Sale) -> None:
        """What was never collected of a cancelled sale has been given back by the cancellation."""
        says_paid = sale.tenders is None and sale.payment_status in SAYS_PAID
        uncollected = 0 if says_paid else sale.totals.total + self.tip_left - captured(self.paid_by)
        self.given_back = self.adjusted = uncollected
        for key, amount in tax_shares(sale, uncollected, self.policy).items():
            self.tax_back[key] += amount

    def legs(self, refund: Refund) -> Legs:
        """Dr returns, allowances, tax, liabilities · Cr what the money went back by."""
        if refund.status not in GIVES_BACK or (self.sale and not self.sale_stands and not refund.totals.total):
            return []
        inclusive = refund.tax_inclusive or self._prices_include_tax(refund)
        legs: Legs = []
        for index, line in enumerate(refund.lines):
            if line.type != "adjustment":
                self._line(line, index, inclusive, legs)
        adjustment = refund.totals.total - sum(leg.amount for leg in legs)
        own_tax = [line for line in refund.lines if line.type == "adjustment" and line.tax]
        for line in own_tax:
            for tax in line.taxes:
                self._put_tax(tax_key(tax, self.policy.channel), tax.amount, "lines/adjustment/taxes", legs)
                adjustment -= tax.amount
        of_sale = refund.totals.total
        if self.sale and self.tip_left:
            of_sale, adjustment = self._tip(self.sale, of_sale, adjustment, legs)
        if adjustment:
            self._adjustment(adjustment, legs, with_tax=not own_tax)
        self.given_back += of_sale
        if self.sale and self.given_back == self.sale.totals.total:
            self._complete(legs)
        legs += self._money(refund)
        return legs

    def _prices_include_tax(self, refund: Refund) -> bool:
        """A Shopify refund does not say; its lines are compared with the sale's, with and without their tax."""
        if self.sale is None or not self.sale.tax_inclusive:
            return False
        with_tax = without = stated = 0
        for line in refund.lines:
            sold = self.lines.get(line.line or "")
            if sold is None or line.type != "item" or not line.tax:
                continue
            units, of = _quantity(line.quantity), _quantity(sold.quantity)
            if not of:
                continue
            stated += line.net
            with_tax += scale(sold.net, units, of)
            without += scale(sold.net - sold.tax, units, of)
        if not stated:
            return True
        return abs(stated - with_tax) <= abs(stated - without)

    def _line(self, line: RefundLine, index: int, inclusive: bool, legs: Legs) -> None:
        sold = self.lines.get(line.line or "")
        account = _return_account(line, sold)
        where = f"lines/{index}"
        net = line.net - line.tax if inclusive else line.net
        if net:
            kind = sold.type if sold else line.type
            legs.append(Leg(account, net, f"{where}/net", None, sold.category if sold else None, kind))
            if account.startswith("Liabilities:"):
                self.liability_back[account, kind, sold.category if sold else None] += net
            if sold and sold.discounts:
                self._platform_discount(sold, net, where, legs)
        back = self.line_tax_back.setdefault(line.line or f"#{index}", defaultdict(int))
        for key, amount in self._line_taxes(line, sold, back).items():
            back[key] += amount
            self._put_tax(key, amount, f"{where}/taxes", legs)

    def _platform_discount(self, sold: Line, net: int, where: str, legs: Legs) -> None:
        """The platform pays no discount on what came back: its share of the line's, cumulatively."""
        assert self.sale is not None
        whole, discount = without_tax(sold) if self.sale.tax_inclusive else (sold.net, sold.discount)
        funded = platform_share(sold, discount)
        if not funded or not whole:
            return
        before = self.net_back[sold.id]
        after = self.net_back[sold.id] = before + net
        share = scale(funded, after, whole) - scale(funded, before, whole)
        if share:
            account = accounts.platform(self.policy.channel)
            self.liability_back[account, None, None] -= share
            legs.append(Leg(accounts.RETURNS, share, f"{where}/discounts", None, sold.category, sold.type))
            legs.append(Leg(account, -share, f"{where}/discounts"))

    def _line_taxes(self, line: RefundLine, sold: Line | None, back: dict[TaxKey, int]) -> dict[TaxKey, int]:
        found: dict[TaxKey, int] = defaultdict(int)
        channel = self.policy.channel
        if sold and sold.taxes and sum(back.values()) + line.tax == sold.tax:
            for tax in sold.taxes:
                found[tax_key(tax, channel)] += tax.amount
            return {key: amount - back.get(key, 0) for key, amount in _with_zeros(found, back).items()}
        for tax in line.taxes:
            known = same_tax(tax, sold.taxes) if sold else tax
            found[tax_key(known, channel)] += tax.amount
        unnamed = line.tax - sum(found.values())
        if unnamed:
            found[(accounts.TAX_PAYABLE, "unnamed")] += unnamed
        return found

    def _put_tax(self, key: TaxKey, amount: int, path: str, legs: Legs) -> None:
        if amount:
            self.tax_back[key] += amount
            legs.append(Leg(key[0], amount, path, key[1]))

    def _adjustment(self, amount: int, legs: Legs, *, with_tax: bool) -> None:
        before = self._tax_of(self.adjusted) if with_tax else {}
        if with_tax:
            self.adjusted += amount
        after = self._tax_of(self.adjusted) if with_tax else {}
        rest = amount
        for key, share in after.items():
            part = share - before[key]
            self._put_tax(key, part, "lines/adjustment/tax", legs)
            rest -= part
        if rest:
            legs.append(Leg(accounts.ALLOWANCES, rest, "lines/adjustment"))

    def _tax_of(self, amount: int) -> dict[TaxKey, int]:
        return tax_shares(self.sale, amount, self.policy) if self.sale else {}

    def _tip(self, sale: Sale, total: int, adjustment: int, legs: Legs) -> tuple[int, int]:
        """Take out the tip that only the payments told: what tip lines give back, or what goes beyond the sale's total.

        Returns what is left of the refund's total and of its adjustment.
        """
        told = max(min(sum(leg.amount for leg in legs if leg.account == accounts.TIPS), self.tip_left), 0)
        beyond = max(min(self.tip_left - told, self.given_back + total - told - sale.totals.total), 0)
        part = min(
            beyond, max(adjustment, 0)
        )  # the rest stands among the lines, and comes right when all is given back
        if part:
            self.liability_back[accounts.TIPS, "tip", None] += part
            legs.append(Leg(accounts.TIPS, part, "lines/adjustment", kind="tip"))
        self.tip_left -= told + beyond
        self.tip_back += told + beyond
        return total - told - beyond, adjustment - part

    def _complete(self, legs: Legs) -> None:
        """All is given back: the rest of every tax and liability, against the allowance."""
        assert self.sale is not None
        if self.policy.refund_tax == "none":
            return
        moved = 0
        for key, amount in _with_zeros(taxes_of(self.sale, self.policy.channel), self.tax_back).items():
            rest = amount - self.tax_back[key]
            self._put_tax(key, rest, "totals/tax", legs)
            moved += rest
        owed = liabilities_of(self.sale, self.policy.channel)
        owed[accounts.TIPS, "tip", None] += self.tip_back
        for owing, amount in _with_zeros(owed, self.liability_back).items():
            rest = amount - self.liability_back[owing]
            if rest:
                self.liability_back[owing] += rest
                account, kind, category = owing
                legs.append(Leg(account, rest, "totals/total", None, category, kind))
                moved += rest
        if moved:
            legs.append(Leg(accounts.ALLOWANCES, -moved, "totals/total"))

    def _money(self, refund: Refund) -> Legs:
        if not refund.totals.total:
            return []
        if refund.status == "pending":
            return [Leg(accounts.REFUNDS_IN_TRANSIT, -refund.totals.total, "totals/total")]
        if refund.tenders:
            return [
                Leg(self._money_account(t, refund), -t.amount, f"tenders/{t.id}", kind=t.type)
                for t in refund.tenders
                if t.amount
            ]
        taken = [t for t in self.paid_by or () if t.status in CAPTURED]
        if self.sale and len(taken) == 1:
            account = tender_account(taken[0], self.sale.source, self.policy)
            return [Leg(account, -refund.totals.total, "totals/total", kind=taken[0].type)]
        return [Leg(accounts.unassigned(self.policy.channel), -refund.totals.total, "totals/total")]

    def _money_account(self, tender: RefundTender, refund: Refund) -> str:
        """The account that the refunded tender went to; cash leaves the drawer of whoever pays it out."""
        source = refund.source
        if tender.type == "cash":
            if not source.register and not source.location and self.sale:
                source = self.sale.source
            return accounts.till(source.register, source.location)
        for paid in self.paid_by or ():
            if tender.parent and tender.parent in (paid.id, paid.parent, paid.reference) and paid.type == tender.type:
                return tender_account(paid, source, self.policy)
        alike = {
            tender_account(paid, source, self.policy)
            for paid in self.paid_by or ()
            if paid.type == tender.type and paid.status in CAPTURED
        }
        if tender.processor is None and len(alike) == 1:
            return alike.pop()
        return tender_account(tender, source, self.policy)


def _return_account(line: RefundLine, sold: Line | None) -> str:
    if line.type == "shipping":
        return accounts.SHIPPING
    if line.type == "tip":
        return accounts.TIPS
    account = accounts.LINE_ACCOUNTS.get(sold.type, accounts.SALES) if sold else accounts.SALES
    return accounts.RETURNS if account in accounts.REVENUE else account


def _with_zeros(found: dict[K, int], also: Iterable[K]) -> dict[K, int]:
    return {**dict.fromkeys(also, 0), **found}


def _quantity(text: str) -> int:
    """A decimal quantity as an integer of 10⁻¹², so that shares of it are exact."""
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    return sign * int(whole + fraction.ljust(12, "0")[:12])
