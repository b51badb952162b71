"""Which postings SHOULD stand for a sale, its refunds and its payments. Pure.

The writer (journal.py) compares them with what does stand and posts the difference; so a recipe knows only the present state,
and edits, voids, replays and late arrivals need no recipes of their own. posting.md is the table this file carries out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeVar

from channels.family import SAYS_PAID, Family, captured, stands, tenders
from channels.record import Source, Tax
from channels.refund import Refund, RefundLine, RefundTender
from channels.sale import CAPTURED, Line, Sale, Tender
from ledger import accounts
from salessync.core.money import scale
from tax.codes import same_tax, tax_code

COUNTS = frozenset({"pending", "succeeded"})  # refunds that give back; failed and cancelled ones do not


class Leg(NamedTuple):
    """One posting: debit positive, credit negative, in minor units of `currency` (None: the record's own); `path` into the record.

    `account` is the chart's own; an administrator's rules may lead it elsewhere (ledger/mapping.py), by `kind` (the type of the
    line or tender), tax code and category among others; not where it is `fixed`. `base`: its worth in the company's currency, in
    minor units, where that is known; None: by the day's rate.
    """

    account: str
    amount: int
    path: str
    tax_code: str | None = None
    category: str | None = None
    kind: str | None = None
    currency: str | None = None
    base: int | None = None
    fixed: bool = False


class Policy(NamedTuple):
    """What the channel's administrator decided. `processors`: a processor's name in a record → the channel that brings its records."""

    channel: str
    refund_tax: str = "pro_rata"
    processors: Mapping[str, str] = {}

    def clearing(self, processor: str | None) -> str:
        """The account of what this processor owes; None: the channel's own."""
        name = processor or self.channel
        return accounts.clearing(self.processors.get(name, name))


K = TypeVar("K")
Legs = list[Leg]
TaxKey = tuple[str, str]  # account, tax code


def postings(family: Family, policy: Policy) -> dict[int, Legs]:
    """For each transaction of the family the legs that should stand, Σ = 0 for each; none: nothing should."""
    found: dict[int, Legs] = {}
    if family.sale is None:
        for member in family.refunds:
            refund = member.record
            assert isinstance(refund, Refund)
            alone = refund.sale is None and refund.charge is None
            found[member.transaction_id] = _Refunds(None, [], policy).legs(refund) if alone else []
        return found
    sale = family.sale.record
    assert isinstance(sale, Sale)
    paid_by = tenders(family)
    found[family.sale.transaction_id] = sale_legs(sale, paid_by, policy)
    if family.refunds:
        refunds = _Refunds(sale, paid_by, policy)
        for member in family.refunds:
            assert isinstance(member.record, Refund)
            found[member.transaction_id] = refunds.legs(member.record)
    return found


def sale_legs(sale: Sale, paid_by: list[Tender] | None, policy: Policy) -> Legs:
    """Dr what was paid and is due · Cr revenue, tax, tips, liabilities."""
    if not stands(sale, paid_by):
        return []
    legs: Legs = []
    add = legs.append
    for line in sale.lines:
        _line_legs(line, sale.tax_inclusive, policy.channel, add)
    if sale.totals.rounding:
        add(Leg(accounts.CASH_ROUNDING, -sale.totals.rounding, "totals/rounding"))
    open_amount = sale.totals.total
    for tender in paid_by or ():
        if tender.status in CAPTURED and tender.amount:
            account = _tender_account(tender, sale.source, policy)
            add(Leg(account, tender.amount, f"tenders/{tender.id}", kind=tender.type))
            open_amount -= tender.amount
    if not open_amount:
        return legs
    if sale.tenders is None and sale.payment_status in SAYS_PAID:
        add(Leg(accounts.unassigned(policy.channel), open_amount, "totals/total"))
    elif sale.status == "cancelled":
        uncollected = _tax_shares(sale, open_amount, policy)
        legs += [Leg(account, amount, "status", code) for (account, code), amount in uncollected.items() if amount]
        rest = open_amount - sum(uncollected.values())
        if rest:
            add(Leg(accounts.ALLOWANCES, rest, "status"))
    else:
        add(Leg(accounts.RECEIVABLE, open_amount, "totals/due"))
    return legs


def _line_legs(line: Line, inclusive: bool, channel: str, add: object) -> None:
    put = add
    assert callable(put)
    net = line.net - line.tax if inclusive else line.net
    discount = line.discount
    if inclusive and discount and line.net:
        discount = scale(discount, net, line.net)
    where = f"lines/{line.id}"
    if net + discount:
        account = accounts.LINE_ACCOUNTS.get(line.type, accounts.SALES)
        put(Leg(account, -(net + discount), f"{where}/gross", None, line.category, line.type))
    if discount:
        by_platform = sum(d.amount for d in line.discounts if d.funded_by == "platform")
        if by_platform:
            by_platform = scale(discount, by_platform, line.discount)
            put(Leg(accounts.platform(channel), by_platform, f"{where}/discounts"))
        if discount - by_platform:
            put(Leg(accounts.DISCOUNTS, discount - by_platform, f"{where}/discount", None, line.category, line.type))
    for index, tax in enumerate(line.taxes):
        if tax.amount:
            account, code = _tax_key(tax, channel)
            put(Leg(account, -tax.amount, f"{where}/taxes/{index}", code))


def _tax_key(tax: Tax, channel: str) -> TaxKey:
    account = accounts.marketplace(channel) if tax.collector == "marketplace" else accounts.TAX_PAYABLE
    return account, tax_code(tax)


def _tender_account(tender: Tender | RefundTender, source: Source, policy: Policy) -> str:
    if tender.type == "cash":
        return accounts.till(source.register, source.location)
    fixed = accounts.TENDER_ACCOUNTS.get(tender.type)
    return fixed or policy.clearing(tender.processor or ("bank-transfer" if tender.type == "bank" else None))


def _taxes_of(sale: Sale, channel: str) -> dict[TaxKey, int]:
    found: dict[TaxKey, int] = defaultdict(int)
    for line in sale.lines:
        for tax in line.taxes:
            found[_tax_key(tax, channel)] += tax.amount
    return found


def _tax_shares(sale: Sale, amount: int, policy: Policy) -> dict[TaxKey, int]:
    """The part of each of the sale's taxes that `amount` of its total stands for."""
    if not sale.totals.total or policy.refund_tax == "none":
        return {}
    return {key: scale(amount, tax, sale.totals.total) for key, tax in _taxes_of(sale, policy.channel).items()}


class _Refunds:
    """The refunds of one sale, one after the other; what is given back together decides what the last one takes.

    The laws: whatever the split, refunds that add up to the sale give back every tax code and every liability to the minor
    unit. So each line's last refund takes what is left of that line's taxes, an amount-only refund takes its share of the
    sale's taxes cumulatively, and the refund that completes the total takes whatever remains.
    """

    def __init__(self, sale: Sale | None, paid_by: list[Tender] | None, policy: Policy) -> None:
        self.sale, self.paid_by, self.policy = sale, paid_by, policy
        self.lines = {line.id: line for line in sale.lines} if sale else {}
        self.sale_stands = sale is not None and stands(sale, paid_by)
        self.given_back = 0
        self.adjusted = 0
        self.tax_back: dict[TaxKey, int] = defaultdict(int)
        self.line_tax_back: dict[str, dict[TaxKey, int]] = {}
        self.liability_back: dict[str, int] = defaultdict(int)
        if sale and sale.status == "cancelled" and self.sale_stands:
            self._start_after_cancellation(sale)

    def _start_after_cancellation(self, sale: Sale) -> None:
        """What was never collected of a cancelled sale has been given back by the cancellation."""
        says_paid = sale.tenders is None and sale.payment_status in SAYS_PAID
        uncollected = 0 if says_paid else sale.totals.total - captured(self.paid_by)
        self.given_back = self.adjusted = uncollected
        for key, amount in _tax_shares(sale, uncollected, self.policy).items():
            self.tax_back[key] += amount

    def legs(self, refund: Refund) -> Legs:
        """Dr returns, allowances, tax, liabilities · Cr what the money went back by."""
        if refund.status not in COUNTS or (self.sale and not self.sale_stands and not refund.totals.total):
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
                self._put_tax(_tax_key(tax, self.policy.channel), tax.amount, "lines/adjustment/taxes", legs)
                adjustment -= tax.amount
        if adjustment:
            self._adjustment(adjustment, legs, with_tax=not own_tax)
        self.given_back += refund.totals.total
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
                self.liability_back[account] += net
        back = self.line_tax_back.setdefault(line.line or f"#{index}", defaultdict(int))
        for key, amount in self._line_taxes(line, sold, back).items():
            back[key] += amount
            self._put_tax(key, amount, f"{where}/taxes", legs)

    def _line_taxes(self, line: RefundLine, sold: Line | None, back: dict[TaxKey, int]) -> dict[TaxKey, int]:
        found: dict[TaxKey, int] = defaultdict(int)
        channel = self.policy.channel
        if sold and sold.taxes and sum(back.values()) + line.tax == sold.tax:
            for tax in sold.taxes:
                found[_tax_key(tax, channel)] += tax.amount
            return {key: amount - back.get(key, 0) for key, amount in _with_zeros(found, back).items()}
        for tax in line.taxes:
            known = same_tax(tax, sold.taxes) if sold else tax
            found[_tax_key(known, channel)] += tax.amount
        unnamed = line.tax - sum(found.values())
        if unnamed:
            found[(accounts.TAX_PAYABLE, "unnamed")] += unnamed
        return found

    def _put_tax(self, key: TaxKey, amount: int, path: str, legs: Legs) -> None:
        if amount:
            self.tax_back[key] += amount
            legs.append(Leg(key[0], amount, path, key[1]))

    def _adjustment(self, amount: int, legs: Legs, *, with_tax: bool) -> None:
        before = _tax_shares(self.sale, self.adjusted, self.policy) if self.sale and with_tax else {}
        if with_tax:
            self.adjusted += amount
        after = _tax_shares(self.sale, self.adjusted, self.policy) if self.sale and with_tax else {}
        rest = amount
        for key, share in after.items():
            part = share - before[key]
            self._put_tax(key, part, "lines/adjustment/tax", legs)
            rest -= part
        if rest:
            legs.append(Leg(accounts.ALLOWANCES, rest, "lines/adjustment"))

    def _complete(self, legs: Legs) -> None:
        """All is given back: the rest of every tax and liability, against the allowance."""
        assert self.sale is not None
        if self.policy.refund_tax == "none":
            return
        moved = 0
        for key, amount in _with_zeros(_taxes_of(self.sale, self.policy.channel), self.tax_back).items():
            rest = amount - self.tax_back[key]
            self._put_tax(key, rest, "totals/tax", legs)
            moved += rest
        for account, amount in _with_zeros(_liabilities_of(self.sale), self.liability_back).items():
            rest = amount - self.liability_back[account]
            if rest:
                self.liability_back[account] += rest
                legs.append(Leg(account, rest, "totals/total"))
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
            account = _tender_account(taken[0], self.sale.source, self.policy)
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
                return _tender_account(paid, source, self.policy)
        alike = {
            _tender_account(paid, source, self.policy)
            for paid in self.paid_by or ()
            if paid.type == tender.type and paid.status in CAPTURED
        }
        if tender.processor is None and len(alike) == 1:
            return alike.pop()
        return _tender_account(tender, source, self.policy)


def _return_account(line: RefundLine, sold: Line | None) -> str:
    if line.type == "shipping":
        return accounts.SHIPPING
    if line.type == "tip":
        return accounts.TIPS
    account = accounts.LINE_ACCOUNTS.get(sold.type, accounts.SALES) if sold else accounts.SALES
    return accounts.RETURNS if account in accounts.REVENUE else account


def _liabilities_of(sale: Sale) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for line in sale.lines:
        account = accounts.LINE_ACCOUNTS.get(line.type, accounts.SALES)
        if account.startswith("Liabilities:"):
            net = line.net - line.tax if sale.tax_inclusive else line.net
            found[account] += net + (
                scale(line.discount, net, line.net) if sale.tax_inclusive and line.net else line.discount
            )
    return found


def _with_zeros(found: dict[K, int], also: Iterable[K]) -> dict[K, int]:
    return {**dict.fromkeys(also, 0), **found}


def _quantity(text: str) -> int:
    """A decimal quantity as an integer of 10⁻¹², so that shares of it are exact."""
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    return sign * int(whole + fraction.ljust(12, "0")[:12])
