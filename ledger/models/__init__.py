from ledger.models.account import Account
from ledger.models.delivery import Delivery
from ledger.models.journal import JournalEntry, Posting
from ledger.models.period import PeriodChange
from ledger.models.rate import Rate
from ledger.models.summary import Detail, DetailPosting

__all__ = [
    "Account", "Delivery", "Detail", "DetailPosting", "JournalEntry", "PeriodChange", "Posting", "Rate",
]  # fmt: skip
