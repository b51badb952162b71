"""What was charged, by code."""

from django.db import models

from channels.models import Transaction
from channels.models.transaction import UNCHECKED


class TaxLine(models.Model):
    """One tax on one line of a sale's or refund's current version; `amount` in minor units of its currency."""

    pk = models.CompositePrimaryKey("transaction_id", "position")
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="tax_lines", db_index=False)
    position = models.SmallIntegerField()
    company_id = models.BigIntegerField()
    line_id = models.CharField(max_length=1000)
    code = models.CharField(max_length=200)
    jurisdiction = models.CharField(max_length=1000, null=True)
    rate = models.DecimalField(max_digits=28, decimal_places=12, null=True, help_text="percent")
    amount = models.BigIntegerField()
    collector = models.CharField(max_length=12)
