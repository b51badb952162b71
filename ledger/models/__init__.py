from ledger.models.account import Account
from ledger.models.balance import Balance, BalancePosition, Dimensions, DimensionSums
from ledger.models.bookkeeper import (
    BookkeeperAccount,
    BookkeeperCode,
    BookkeeperCorrection,
    BookkeeperDifference,
    ReadBack,
)
from ledger.models.delivery import Delivery
from ledger.models.journal import JournalEntry, Posting
from ledger.models.open_item import OpenItem, OpenItemPosition
from ledger.models.period import PeriodChange
from ledger.models.rate import Rate
from ledger.models.rule import AccountRule, Rebuild
from ledger.models.subscriber import Subscriber
from ledger.models.summary import Detail, DetailPosting

__all__ = [
    "Account", "AccountRule", "Balance", "BalancePosition", "BookkeeperAccount", "BookkeeperCode",
    "BookkeeperCorrection", "BookkeeperDifference", "Delivery", "Detail", "DetailPosting", "DimensionSums",
    "Dimensions", "JournalEntry", "OpenItem", "OpenItemPosition", "PeriodChange", "Posting", "Rate", "ReadBack", "Rebuild", "Subscriber",
]  # fmt: skip
