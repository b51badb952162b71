"""Sums of the journal that are kept, in a tree of spans of days (ledger/spans.py). Derived: balances.py can make them anew."""

from django.db import models

from channels.models import Channel
from channels.models.transaction import UNCHECKED
from ledger.models.account import Account
from salessync.core.models import Company


class BalancePosition(models.Model):
    """How far a company's journal is in its sums: every entry up to `seq` once, none after it."""

    company = models.OneToOneField(Company, models.PROTECT, primary_key=True)
    seq = models.BigIntegerField(default=0)


class Sums(models.Model):
    """What the postings of one span of days add up to."""

    company_id = models.BigIntegerField()
    level = models.SmallIntegerField()
    span = models.IntegerField(help_text="the span's number on its level; on level 0 the day's ordinal")
    postings = models.BigIntegerField(help_text="how many")
    debit = models.BigIntegerField(help_text="minor units of the currency, positive")
    credit = models.BigIntegerField(help_text="minor units of the currency, positive")
    base_amount = models.BigIntegerField(help_text="minor units of the company's base currency, debit positive")

    class Meta:
        abstract = True


class Balance(Sums):
    """One account in one currency, over one span."""

    pk = models.CompositePrimaryKey("account_id", "level", "span", "currency")
    account = models.ForeignKey(Account, **UNCHECKED, related_name="+", db_index=False)
    currency = models.CharField(max_length=3)


class Dimensions(models.Model):
    """One combination of what postings are told apart by; `digest` is its SHA-256, since the texts are too long for an index."""

    company_id = models.BigIntegerField()
    account = models.ForeignKey(Account, **UNCHECKED, related_name="+")
    currency = models.CharField(max_length=3)
    channel = models.ForeignKey(Channel, **UNCHECKED, related_name="+", db_index=False)
    location = models.CharField(max_length=1000, null=True)
    tax_code = models.CharField(max_length=200, null=True)
    category = models.CharField(max_length=1000, null=True)
    origin = models.CharField(max_length=40, help_text="type of the transaction and part of its record: sale/gross")
    digest = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company_id", "digest"], name="dimensions_once")]


class DimensionSums(Sums):
    """One combination of dimensions, over one span. A summary entry counts by its sales, as if each had its own entry."""

    pk = models.CompositePrimaryKey("dimensions_id", "level", "span")
    dimensions = models.ForeignKey(Dimensions, **UNCHECKED, related_name="+", db_index=False)
