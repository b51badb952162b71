"""The stored business fact: versioned, with its lines and tenders. Written only by channels/transactions.py."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from channels.models.channel import Channel

# The hot path checks its references in sets, not row by row: see migration 0002 and `verify_books`.
UNCHECKED = {"on_delete": models.DO_NOTHING, "db_constraint": False}


class Transaction(models.Model):
    """One source object (a sale, refund, charge, payout or dispute) at its current version."""

    id = models.BigAutoField(primary_key=True)
    company_id = models.BigIntegerField()
    channel = models.ForeignKey(Channel, **UNCHECKED, db_index=False)
    type = models.CharField(max_length=20)
    source_id = models.CharField(max_length=255)
    family = models.CharField(max_length=330, help_text="channel and source id of the sale it belongs to")
    number = models.CharField(max_length=1000, null=True)
    version = models.CharField(max_length=255)
    version_order = models.CharField(max_length=600, help_text="sorts the versions of one object")
    version_id = models.BigIntegerField(help_text="the current version's row")
    status = models.CharField(max_length=30)
    payment_status = models.CharField(max_length=30, null=True)
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField(help_text="minor units of the currency")
    occurred_at = models.DateTimeField()
    business_date = models.DateField()
    location = models.CharField(max_length=1000, null=True)
    awaits = models.CharField(
        max_length=300, null=True, help_text="source id of a sale that may come from another channel; a charge's"
    )
    created_at = models.DateTimeField(db_default=models.functions.Now())
    updated_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "type", "source_id"], name="transaction_once"),
        ]
        indexes = [
            models.Index(fields=["family"], name="transaction_in_family"),
            BrinIndex(fields=["business_date"], name="transaction_day", autosummarize=True),  # next to free to keep up
            models.Index(
                fields=["company_id", "awaits"], name="transaction_awaits", condition=models.Q(awaits__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.number or self.source_id}"


class TransactionVersion(models.Model):
    """One accepted version with its canonical record; never changed (the database refuses it).

    But for one thing, which the database checks as well (migration 0008): a privacy request takes the person out of the record.
    """

    id = models.BigAutoField(primary_key=True)
    company_id = models.BigIntegerField()
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="versions", db_index=False)
    version = models.CharField(max_length=255)
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the record as it was accepted")
    record = models.BinaryField(help_text="canonical JSON")
    event_id = models.BigIntegerField(help_text="the event that brought it")
    payments_order = models.CharField(
        max_length=600, null=True, help_text="version_order, where the record speaks of the payments"
    )
    created_at = models.DateTimeField(db_default=models.functions.Now())
    redacted_at = models.DateTimeField(null=True, help_text="when the person was taken out of the record")
    redacted_digest = models.BinaryField(max_length=32, null=True, help_text="SHA-256 of the record since then")
    redacted_by = models.BigIntegerField(null=True, help_text="the privacy request that asked for it")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transaction", "version", "digest"], name="transaction_version_once"),
            models.CheckConstraint(
                condition=models.Q(redacted_at__isnull=True, redacted_digest__isnull=True, redacted_by__isnull=True)
                | models.Q(redacted_at__isnull=False, redacted_digest__isnull=False, redacted_by__isnull=False),
                name="transaction_version_redacted",
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.version}"


class Line(models.Model):
    """A line of the current version of a sale or refund; amounts in minor units of the transaction's currency."""

    pk = models.CompositePrimaryKey("transaction_id", "position")
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="lines", db_index=False)
    position = models.SmallIntegerField()
    company_id = models.BigIntegerField()
    line_id = models.CharField(max_length=1000)
    type = models.CharField(max_length=20)
    sku = models.CharField(max_length=1000, null=True)
    name = models.CharField(max_length=1000)
    quantity = models.DecimalField(max_digits=28, decimal_places=12)
    gross = models.BigIntegerField()
    discount = models.BigIntegerField()
    net = models.BigIntegerField()
    tax = models.BigIntegerField()


class Tender(models.Model):
    """A payment of the current version of a sale or refund; amounts in minor units of the transaction's currency."""

    pk = models.CompositePrimaryKey("transaction_id", "position")
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="tenders", db_index=False)
    position = models.SmallIntegerField()
    company_id = models.BigIntegerField()
    tender_id = models.CharField(max_length=1000)
    type = models.CharField(max_length=20)
    status = models.CharField(max_length=20)
    amount = models.BigIntegerField()
    tip = models.BigIntegerField()
    processor = models.CharField(max_length=1000, null=True)
    reference = models.CharField(max_length=1000, null=True)
    card = models.CharField(max_length=1010, null=True, help_text="brand and last four digits")

    class Meta:
        indexes = [
            models.Index(
                fields=["company_id", "reference"], name="tender_reference", condition=models.Q(reference__isnull=False)
            ),
        ]


class PayoutLine(models.Model):
    """A line of the current version of a payout; amounts in minor units of the payout's currency, positive towards the merchant."""

    pk = models.CompositePrimaryKey("transaction_id", "position")
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="payout_lines", db_index=False)
    position = models.IntegerField()
    company_id = models.BigIntegerField()
    channel = models.ForeignKey(Channel, **UNCHECKED, db_index=False)
    line_id = models.CharField(max_length=255)
    category = models.CharField(max_length=20)
    gross = models.BigIntegerField()
    fee = models.BigIntegerField()
    net = models.BigIntegerField()
    reference = models.CharField(
        max_length=1000, null=True, help_text="source id of the charge, refund or dispute it pays"
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["company_id", "reference"],
                name="payout_line_reference",
                condition=models.Q(reference__isnull=False),
            ),
        ]
