"""The books: the journal, accounts with balances, deliveries to Bookkeeper, rates. Only rates and names can be edited."""

from ledger.admin.account import AccountAdmin
from ledger.admin.bookkeeper import BookkeeperAccountAdmin, BookkeeperCodeAdmin, BookkeeperDifferenceAdmin
from ledger.admin.delivery import DeliveryAdmin
from ledger.admin.journal import JournalEntryAdmin
from ledger.admin.periods import PeriodChangeAdmin
from ledger.admin.rate import RateAdmin
from ledger.admin.rebuilds import RebuildAdmin
from ledger.admin.rules import AccountRuleAdmin
from ledger.admin.subscriber import SubscriberAdmin

__all__ = [
    "AccountAdmin", "AccountRuleAdmin", "BookkeeperAccountAdmin", "BookkeeperCodeAdmin", "BookkeeperDifferenceAdmin",
    "DeliveryAdmin", "JournalEntryAdmin", "PeriodChangeAdmin", "RateAdmin", "RebuildAdmin", "SubscriberAdmin",
]  # fmt: skip
