"""What we computed for a sale or refund, and where the channel charged something else."""

from django.db import models
from django.db.models.functions import Now

from salessync.core.models import Company


class Ground(models.Model):
    """Why a tax is due, in words: assessments share these by the thousand. Never changed (the database refuses it)."""

    id = models.BigAutoField(primary_key=True)
    digest = models.BinaryField(max_length=32, unique=True, help_text="SHA-256 of the four texts")
    name = models.CharField(max_length=1000)
    jurisdiction = models.CharField(max_length=1000)
    rule = models.TextField()
    source = models.TextField()

    def __str__(self) -> str:
        return f"{self.jurisdiction} {self.name}"


class Assessment(models.Model):
    """Our tax of one version of a transaction by one provider. Never changed (the database refuses it).

    Amounts in minor units of `currency`, positive for refunds too. `lines` has each line's taxes with rate, base and ground, in the
    short form that tax/assessment/assessed_lines.py reads and writes.
    """

    id = models.BigAutoField(primary_key=True)
    company_id = models.BigIntegerField()
    channel_id = models.BigIntegerField()
    transaction_id = models.BigIntegerField()
    version_id = models.BigIntegerField(help_text="of the transaction")
    provider = models.CharField(max_length=20, default="local")
    book_id = models.BigIntegerField(null=True, help_text="the rates that it used")
    is_degraded = models.BooleanField(
        default=False, help_text="the provider could not be reached, and local rates stand in"
    )
    date = models.DateField(help_text="the day whose rates hold")
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=100, blank=True)
    place = models.CharField(max_length=300, blank=True, help_text="postcode and city")
    treatment = models.CharField(max_length=30, blank=True, help_text="empty: it could not be computed")
    verdict = models.CharField(max_length=30, blank=True, help_text="empty: there is nothing to compare")
    net = models.BigIntegerField(help_text="what was sold or given back, without tax")
    computed = models.BigIntegerField(null=True)
    charged = models.BigIntegerField()
    implied_rate = models.DecimalField(max_digits=12, decimal_places=6, null=True, help_text="percent")
    message = models.CharField(max_length=1000, blank=True)
    lines = models.JSONField()
    warnings = models.JSONField()
    digest = models.BinaryField(
        max_length=32, help_text="SHA-256 of the result: one that says what the last said is not written"
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["transaction_id", "version_id", "provider", "-id"], name="assessment_of")]

    def __str__(self) -> str:
        return f"assessment {self.pk}"


class TaxDifference(models.Model):
    """A transaction whose tax is not what it should be, beyond the tolerance. It closes by itself when a later version agrees."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACCEPTED = "accepted", "Accepted as charged"
        GONE = "gone", "Gone by itself"

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, models.PROTECT)
    channel_id = models.BigIntegerField()
    transaction_id = models.BigIntegerField(unique=True)
    assessment_id = models.BigIntegerField(help_text="the latest that says so")
    verdict = models.CharField(max_length=30)
    amount = models.BigIntegerField(help_text="charged less computed, minor units")
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=100, blank=True)
    message = models.CharField(max_length=1000)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, blank=True)
    note = models.CharField(max_length=1000, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["company", "verdict"], name="tax_difference_open", condition=models.Q(state="open")),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} of transaction {self.transaction_id}"
