"""Accounts, the journal, rates, and the outbox to Bookkeeper. Entries and postings are never changed or deleted."""

from django.db import models

from channels.models import Channel, Transaction
from channels.models.transaction import UNCHECKED
from salessync.core.models import Company


class Account(models.Model):
    """`code` is the full name, as beancount and hledger write it: Assets:Clearing:Stripe."""

    class Kind(models.TextChoices):
        ASSET = "asset"
        LIABILITY = "liability"
        INCOME = "income"
        EXPENSE = "expense"

    company = models.ForeignKey(Company, models.PROTECT)
    code = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "code"], name="account_code")]

    def __str__(self) -> str:
        return self.code


class JournalEntry(models.Model):
    """One balanced difference: what a transaction's current version calls for, less what stood."""

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, **UNCHECKED, db_index=False)
    seq = models.BigIntegerField(help_text="gap-free in the company, in commit order")
    transaction = models.ForeignKey(Transaction, **UNCHECKED, related_name="entries", db_index=False)
    sequence = models.IntegerField(help_text="counts the entries of one transaction")
    version_id = models.BigIntegerField(help_text="the transaction's version it was made from")
    date = models.DateField(help_text="the business date")
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


class Rate(models.Model):
    """One unit of `from_currency` in `to_currency`, in force from its date until the pair's next."""

    date = models.DateField()
    from_currency = models.CharField(max_length=3)
    to_currency = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=24, decimal_places=12)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["from_currency", "to_currency", "date"], name="rate_once"),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="rate_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.from_currency}→{self.to_currency} {self.rate}"


class Delivery(models.Model):
    """One journal entry on its way to Bookkeeper, until it is acknowledged."""

    class State(models.TextChoices):
        DUE = "due", "Due"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        REFUSED = "refused", "Refused"

    entry = models.OneToOneField(JournalEntry, **UNCHECKED, primary_key=True)
    company_id = models.BigIntegerField()
    state = models.CharField(max_length=12, choices=State.choices, db_default=State.DUE)
    attempts = models.IntegerField(db_default=0)
    next_attempt_at = models.DateTimeField(
        db_default=models.functions.Now(), help_text="due then; while sending, the lease's end"
    )
    batch_key = models.CharField(
        max_length=64, null=True, help_text="webhook-id and Idempotency-Key of its batch, kept over retries"
    )
    acknowledgement = models.CharField(max_length=255, null=True)
    acknowledged_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=1000, null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [models.Index(fields=["entry"], name="delivery_due", condition=models.Q(state="due"))]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="acknowledged")
                | models.Q(acknowledgement__isnull=False, acknowledged_at__isnull=False),
                name="delivery_acknowledged_has_receipt",
            ),
        ]

    def __str__(self) -> str:
        return f"delivery of entry {self.entry_id}"
