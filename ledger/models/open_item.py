"""What stands open on the clearing accounts, item by item. Derived: ledger/open_items.py can make it anew."""

from django.db import models

from channels.models import Transaction
from channels.models.transaction import UNCHECKED
from ledger.models.account import Account
from salessync.core.models import Company


class OpenItemPosition(models.Model):
    """How far a company's journal is in its open items: every entry up to `seq` once, none after it."""

    company = models.OneToOneField(Company, models.PROTECT, primary_key=True)
    seq = models.BigIntegerField(default=0)


class OpenItem(models.Model):
    """What one transaction has on one clearing account, less what payouts took; one that comes to nothing is no row.

    `part`: a payout's line that nothing in the books answers to, its residual, or its amount where its lines are not known.
    """

    id = models.BigAutoField(primary_key=True)
    company_id = models.BigIntegerField()
    account = models.ForeignKey(Account, **UNCHECKED, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="+", db_index=False)
    part = models.CharField(max_length=600)
    amount = models.BigIntegerField(help_text="minor units of the currency, debit positive: the processor owes it")
    base_amount = models.BigIntegerField(help_text="minor units of the company's base currency")
    opened_on = models.DateField(help_text="the first business date")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "currency", "transaction", "part"], name="open_item_once"),
        ]
        indexes = [models.Index(fields=["company_id", "opened_on"], name="open_item_age")]
