"""The chart of accounts: which account a line or a tender goes to. Pure.

A code is a full name as beancount and hledger write it. Accounts of a processor, till or channel are made when first used.
"""

import hashlib
import re
from functools import lru_cache

SALES = "Income:Sales"
SHIPPING = "Income:Shipping"
SERVICE_CHARGES = "Income:Service-charges"
FEES = "Income:Fees"
DISCOUNTS = "Income:Discounts"
RETURNS = "Income:Returns"
ALLOWANCES = "Income:Allowances"
CASH_ROUNDING = "Income:Cash-rounding"
TAX_PAYABLE = "Liabilities:Tax-payable"
TIPS = "Liabilities:Tips"
GIFT_CARDS = "Liabilities:Gift-cards"
STORE_CREDIT = "Liabilities:Store-credit"
DEPOSITS = "Liabilities:Customer-deposits"
DONATIONS = "Liabilities:Donations"
DUTIES = "Liabilities:Duties"
REFUNDS_IN_TRANSIT = "Liabilities:Refunds-in-transit"
RECEIVABLE = "Assets:Receivable"
BANK_IN_TRANSIT = "Assets:Bank-in-transit"
DISPUTED = "Assets:Disputed-funds"
INPUT_TAX = "Assets:Input-tax"
INVENTORY = "Assets:Inventory"
PETTY_CASH = "Assets:Petty-cash"
PROCESSING_FEES = "Expenses:Processing-fees"
DISPUTE_FEES = "Expenses:Dispute-fees"
CHARGEBACKS = "Expenses:Chargebacks"
COST_OF_SALES = "Expenses:Cost-of-sales"
CASH_OVER_SHORT = "Expenses:Cash-over-short"
FX = "Income:FX-gain-loss"
BREAKAGE = "Income:Breakage"
OPENING_BALANCES = "Equity:Opening-balances"

STANDARD: dict[str, str] = {
    SALES: "Sales",
    SHIPPING: "Shipping income",
    SERVICE_CHARGES: "Service charges",
    FEES: "Fees charged to customers",
    DISCOUNTS: "Discounts (contra revenue)",
    RETURNS: "Returns (contra revenue)",
    ALLOWANCES: "Refund allowances (contra revenue)",
    CASH_ROUNDING: "Cash rounding",
    TAX_PAYABLE: "Tax payable",
    TIPS: "Tips payable",
    GIFT_CARDS: "Gift card liability",
    STORE_CREDIT: "Store credit liability",
    DEPOSITS: "Customer deposits",
    DONATIONS: "Donations to pass on",
    DUTIES: "Duties payable",
    REFUNDS_IN_TRANSIT: "Refunds in transit",
    RECEIVABLE: "Accounts receivable",
    BANK_IN_TRANSIT: "Bank in transit",
    DISPUTED: "Disputed funds",
    INPUT_TAX: "Input tax on fees",
    INVENTORY: "Inventory",
    PETTY_CASH: "Petty cash",
    PROCESSING_FEES: "Processing fees",
    DISPUTE_FEES: "Dispute fees",
    CHARGEBACKS: "Chargeback losses",
    COST_OF_SALES: "Cost of sales",
    CASH_OVER_SHORT: "Cash over and short",
    FX: "FX gain or loss",
    BREAKAGE: "Breakage income",
    OPENING_BALANCES: "Opening balances",
}

LINE_ACCOUNTS = {
    "item": SALES,
    "shipping": SHIPPING,
    "fee": FEES,
    "tip": TIPS,
    "service_charge": SERVICE_CHARGES,
    "gift_card_sale": GIFT_CARDS,
    "donation": DONATIONS,
    "deposit": DEPOSITS,
    "duty": DUTIES,
}

TENDER_ACCOUNTS = {
    "gift_card": GIFT_CARDS,
    "store_credit": STORE_CREDIT,
    "on_account": RECEIVABLE,
    "cheque": "Assets:Cheques",
    "voucher": "Assets:Vouchers",
}

_KINDS = {
    "Assets": "asset",
    "Liabilities": "liability",
    "Income": "income",
    "Expenses": "expense",
    "Equity": "equity",
}

# What a refund gives back as a return; anything else among the lines' accounts is reversed where it was credited.
REVENUE = frozenset({SALES, SERVICE_CHARGES, FEES})


@lru_cache(maxsize=4096)
def component(text: str) -> str:
    """A vendor's word as one part of an account's name: letters, digits and dashes, a capital first."""
    cleaned = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
    if not text.isascii():  # two names that differ only in other scripts stay two accounts
        cleaned += "-" + hashlib.sha256(text.encode()).hexdigest()[:8]
    cleaned = cleaned.strip("-") or "Unnamed"
    return cleaned[0].upper() + cleaned[1:]


def clearing(processor: str) -> str:
    """What a processor owes until its payout."""
    return f"Assets:Clearing:{component(processor)}"


def unassigned(channel: str) -> str:
    """Paid, and by what is not known yet."""
    return f"Assets:Clearing:{component(channel)}-unassigned"


def marketplace(channel: str) -> str:
    """Tax that the channel's marketplace collects and remits: in and out, never ours."""
    return f"Assets:Clearing:{component(channel)}-marketplace-tax"


def platform(channel: str) -> str:
    """Discounts that the platform will pay back."""
    return f"Assets:Clearing:{component(channel)}-platform"


def reserve(processor: str) -> str:
    """What a processor holds back, to release it later."""
    return f"Assets:Reserve:{component(processor)}"


def loan(processor: str) -> str:
    """What a processor has lent, and takes back from payouts."""
    return f"Liabilities:Loan:{component(processor)}"


def bank(code: str) -> str:
    """One bank account of ours."""
    return f"Assets:Bank:{component(code)}"


def till(register: str | None, location: str | None) -> str:
    """Cash in one drawer."""
    return f"Assets:Till:{component(register or location or 'Main')}"


def kind_of(code: str) -> str:
    """asset, liability, income, expense or equity, by the first part of the name."""
    return _KINDS[code.split(":", 1)[0]]


def name_of(code: str) -> str:
    """The name that people read."""
    return STANDARD.get(code) or " ".join(code.split(":")[1:]).replace("-", " ")
