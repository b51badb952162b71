"""The sub-ledger of channels that post in summary: what each sale calls for, until one entry takes in many."""

from django.db import models

from channels.models import Channel, Transaction
from channels.models.transaction import UNCHECKED
from ledger.models.account import Account
from ledger.models.journal import JournalEntry


class Detail(models.Model):
    """One balanced difference of one transaction, as a journal entry would be; `entry` is the summary that took it in."""

    id = models.BigAutoField(primary_key=True)
    company_id = models.BigIntegerField()
    channel = models.ForeignKey(Channel, **UNCHECKED, db_index=False)
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="details", db_index=False)
    sequence = models.IntegerField(help_text="counts the details of one transaction")
    version_id = models.BigIntegerField(help_text="the transaction's version it was made from")
    business_date = models.DateField()
    legs = models.SmallIntegerField()
    entry = models.ForeignKey(JournalEntry, **UNCHECKED, null=True, related_name="details", db_index=False)
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["transaction", "sequence"], name="detail_once")]
        indexes = [
            models.Index(
                fields=["channel", "business_date"], name="detail_pending", condition=models.Q(entry__isnull=True)
            ),
            models.Index(fields=["entry"], name="detail_of_entry", condition=models.Q(entry__isnull=False)),
        ]


class DetailPosting(models.Model):
    """One leg of a detail; the columns are a posting's."""

    pk = models.CompositePrimaryKey("detail_id", "leg")
    detail = models.ForeignKey(Detail, **UNCHECKED, related_name="postings", db_index=False)
    leg = models.SmallIntegerField()
    account = models.ForeignKey(Account, **UNCHECKED, related_name="+", db_index=False)
    amount = models.BigIntegerField(help_text="minor units of the currency")
    currency = models.CharField(max_length=3)
    base_amount = models.BigIntegerField(help_text="minor units of the company's base currency")
    location = models.CharField(max_length=1000, null=True)
    tax_code = models.CharField(max_length=200, null=True)
    category = models.CharField(max_length=1000, null=True)
    path = models.CharField(max_length=2100)
