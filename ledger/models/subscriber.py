"""Who is told of what happens in the books, by webhook."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from salessync.core import crypto
from salessync.core.models import Company


class Subscriber(models.Model):
    """One address with its topics, its secrets and how far it has been told. Moved on only by ledger/subscribers.py."""

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        DISABLED = "disabled", "Disabled"

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, models.PROTECT, related_name="subscribers")
    url = models.CharField(max_length=500)
    topics = ArrayField(models.CharField(max_length=40))
    sealed_secrets = models.BinaryField(editable=False)
    state = models.CharField(max_length=10, choices=State.choices, db_default=State.ACTIVE)
    cursor = models.BigIntegerField(help_text="the last number of the company's feed that it was told of")
    difference_cursor = models.BigIntegerField(help_text="the last difference with Bookkeeper that it was told of")
    period_cursor = models.BigIntegerField(help_text="the last change of a period that it was told of")
    attempts = models.IntegerField(db_default=0, help_text="in vain, since the last message it took")
    next_attempt_at = models.DateTimeField(
        db_default=models.functions.Now(), help_text="due then; while sending, the lease's end"
    )
    failing_since = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True, help_text="when it last took a message")
    last_error = models.CharField(max_length=1000, null=True)
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "url"], name="subscriber_once"),
            models.CheckConstraint(condition=~models.Q(topics=[]), name="subscriber_has_topics"),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def secrets(self) -> list[str]:
        """Decrypted, the newest first; each signs every message, so that they can be changed without a gap."""
        return list(crypto.unseal(self.sealed_secrets, bound_to=self._binding()))

    @secrets.setter
    def secrets(self, value: list[str]) -> None:
        self.sealed_secrets = crypto.seal(value, bound_to=self._binding())

    def _binding(self) -> str:
        return f"ledger.subscriber:{self.company_id}:{self.url}"
