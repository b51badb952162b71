"""The journal. Entries and postings are never changed or deleted."""

from django.db import models

from channels.models import Channel, Transaction
from channels.models.transaction import UNCHECKED
from ledger.models.account import Account
from salessync.core.models import Company


class JournalEntry(models.Model):
    """One balanced difference: what a transaction's current version calls for, less what stood."""

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, **UNCHECKED, db_index=False)
    seq = models.BigIntegerField(help_text="gap-free in the company, in commit order")
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="entries", db_index=False)
    sequence = models.IntegerField(help_text="counts the entries of one transaction")
    version_id = models.BigIntegerField(help_text="the transaction's version it was made from")
    date = models.DateField(help_text="the day it is booked on: the business date, or the first open day after it")
    business_date = models.DateField(help_text="the day it belongs to")
    legs = models.SmallIntegerField()
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        verbose_name_plural = "journal entries"
        constraints = [
            models.UniqueConstraint(fields=["transaction", "sequence"], name="entry_once"),
            models.UniqueConstraint(fields=["company", "seq"], name="entry_feed"),
            models.CheckConstraint(condition=models.Q(legs__gte=2), name="entry_has_two_sides"),
        ]

    def __str__(self) -> str:
        return f"entry {self.seq}"


class Posting(models.Model):
    """One leg: debit positive, credit negative, in the transaction's currency and in the company's base currency."""

    pk = models.CompositePrimaryKey("entry_id", "leg")
    entry = models.ForeignKey(JournalEntry, **UNCHECKED, related_name="postings", db_index=False)
    leg = models.SmallIntegerField()
    company_id = models.BigIntegerField()
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="+", db_index=False)
    account = models.ForeignKey(Account, **UNCHECKED, related_name="postings", db_index=False)
    amount = models.BigIntegerField(help_text="minor units of the currency")
    currency = models.CharField(max_length=3)
    base_amount = models.BigIntegerField(help_text="minor units of the company's base currency")
    channel = models.ForeignKey(Channel, **UNCHECKED, db_index=False)
    location = models.CharField(max_length=1000, null=True)
    tax_code = models.CharField(max_length=200, null=True)
    category = models.CharField(max_length=1000, null=True)
    path = models.CharField(max_length=2100, help_text="where in the canonical record the amount comes from")
