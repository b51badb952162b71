"""The outbox to Bookkeeper."""

from django.db import models

from channels.models.transaction import UNCHECKED
from ledger.models.journal import JournalEntry


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
    codes_as_of = models.BigIntegerField(
        db_default=0, help_text="the last BookkeeperCode when its batch was made: retries name the same accounts"
    )
    seen_at = models.DateTimeField(null=True, help_text="when Bookkeeper first showed that it holds the entry")

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["entry"], name="delivery_due", condition=models.Q(state="due")),
            models.Index(fields=["entry"], name="delivery_refused", condition=models.Q(state="refused")),
            models.Index(
                fields=["entry"], name="delivery_unseen", condition=models.Q(state="acknowledged", seen_at__isnull=True)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="acknowledged")
                | models.Q(acknowledgement__isnull=False, acknowledged_at__isnull=False),
                name="delivery_acknowledged_has_receipt",
            ),
        ]

    def __str__(self) -> str:
        return f"delivery of entry {self.entry_id}"
