"""Which postings should stand for a sale, and what its refunds are measured by. Pure."""

from collections import defaultdict
from collections.abc import Callable

from channels.family import SAYS_PAID, captured, stands
from channels.record import Source, Tax
from channels.refund import RefundTender
from channels.sale import CAPTURED, Line, Sale, Tender
from ledger import accounts
from ledger.legs import Leg, Legs, Owed, Policy, TaxKey
from salessync.core.money import scale
from tax.codes import tax_code


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
            account = tender_account(tender, sale.source, policy)
            add(Leg(account, tender.amount, f"tenders/{tender.id}", kind=tender.type))
            open_amount -= tender.amount
    if open_amount < 0 and (tip := tip_beyond(sale, paid_by)):
        add(Leg(accounts.TIPS, -tip, "tenders/tip", None, None, "tip"))
        open_amount += tip
    if not open_amount:
        return legs
    if sale.tenders is None and sale.payment_status in SAYS_PAID:
        add(Leg(accounts.unassigned(policy.channel), open_amount, "totals/total"))
    elif sale.status == "cancelled":
        uncollected = tax_shares(sale, open_amount, policy)
        legs += [Leg(account, amount, "status", code) for (account, code), amount in uncollected.items() if amount]
        rest = open_amount - sum(uncollected.values())
        if rest:
            add(Leg(accounts.ALLOWANCES, rest, "status"))
    else:
        add(Leg(accounts.RECEIVABLE, open_amount, "totals/due"))
    return legs


def _line_legs(line: Line, inclusive: bool, channel: str, put: Callable[[Leg], None]) -> None:
    net, discount = (line.net, line.discount) if not inclusive else without_tax(line)
    where = f"lines/{line.id}"
    gross = net + discount
    if gross:
        account = accounts.LINE_ACCOUNTS.get(line.type, accounts.SALES)
        if gross < 0 and account == accounts.SALES:  # what came back in an exchange
            account = accounts.RETURNS
        put(Leg(account, -gross, f"{where}/gross", None, line.category, line.type))
    if discount:
        by_platform = platform_share(line, discount) if line.discounts else 0
        if by_platform:
            put(Leg(accounts.platform(channel), by_platform, f"{where}/discounts"))
        if discount - by_platform:
            put(Leg(accounts.DISCOUNTS, discount - by_platform, f"{where}/discount", None, line.category, line.type))
    for index, tax in enumerate(line.taxes):
        if tax.amount:
            account, code = tax_key(tax, channel)
            put(Leg(account, -tax.amount, f"{where}/taxes/{index}", code))


def without_tax(line: Line) -> tuple[int, int]:
    """Net and discount of a line whose prices have the tax inside."""
    net = line.net - line.tax
    return net, scale(line.discount, net, line.net) if line.discount and line.net else line.discount


def platform_share(line: Line, discount: int) -> int:
    """The part of a line's discount that the platform pays back; `discount` as it is booked."""
    funded = sum(d.amount for d in line.discounts if d.funded_by == "platform")
    return scale(discount, funded, line.discount) if funded else 0


def tax_key(tax: Tax, channel: str) -> TaxKey:
    account = accounts.marketplace(channel) if tax.collector == "marketplace" else accounts.TAX_PAYABLE
    return account, tax_code(tax)


def tender_account(tender: Tender | RefundTender, source: Source, policy: Policy) -> str:
    if tender.type == "cash":
        return accounts.till(source.register, source.location)
    fixed = accounts.TENDER_ACCOUNTS.get(tender.type)
    return fixed or policy.clearing(tender.processor or ("bank-transfer" if tender.type == "bank" else None))


def taxes_of(sale: Sale, channel: str) -> dict[TaxKey, int]:
    found: dict[TaxKey, int] = defaultdict(int)
    for line in sale.lines:
        for tax in line.taxes:
            found[tax_key(tax, channel)] += tax.amount
    return found


def tax_shares(sale: Sale, amount: int, policy: Policy) -> dict[TaxKey, int]:
    """The part of each of the sale's taxes that `amount` of its total stands for."""
    if not sale.totals.total or policy.refund_tax == "none":
        return {}
    return {key: scale(amount, tax, sale.totals.total) for key, tax in taxes_of(sale, policy.channel).items()}


def tip_beyond(sale: Sale, paid_by: list[Tender] | None) -> int:
    """A tip that only the payments tell (it was added at the terminal), as far as they come to more than the sale."""
    tips = sum(t.tip for t in paid_by or () if t.status in CAPTURED) - sale.totals.tip
    return max(min(tips, captured(paid_by) - sale.totals.total), 0)


def liabilities_of(sale: Sale, channel: str) -> dict[Owed, int]:
    """What the sale owes by its lines; what the platform owes for its discounts, negative."""
    found: dict[Owed, int] = defaultdict(int)
    for line in sale.lines:
        account = accounts.LINE_ACCOUNTS.get(line.type, accounts.SALES)
        owes = account.startswith("Liabilities:")
        if not owes and not line.discounts:
            continue
        net, discount = without_tax(line) if sale.tax_inclusive else (line.net, line.discount)
        if owes:
            found[account, line.type, line.category] += net + discount
        if line.discounts:
            found[accounts.platform(channel), None, None] -= platform_share(line, discount)
    return found
