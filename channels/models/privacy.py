"""What persons asked of their data, and whom we must not store again."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from channels.models.channel import Channel


class PrivacyRequest(models.Model):
    """One request that a vendor passed on, and what was done; written only by channels/privacy.py.

    The stored versions, then the stored events, are searched in stretches by id: from `at_version` to `last_version`, from
    `at_event` to `last_event`. What is captured later is looked at when it is processed.
    """

    class Kind(models.TextChoices):
        DATA_REQUEST = "data_request", "Customer's data asked for"
        CUSTOMER_REDACT = "customer_redact", "Customer to be forgotten"
        SHOP_REDACT = "shop_redact", "Shop's customers to be forgotten"

    company_id = models.BigIntegerField()
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="+")
    event_id = models.BigIntegerField(unique=True, help_text="the event that brought it: carried out once")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    subject = models.CharField(max_length=71, null=True, help_text="the customer's hash; null: none was named")
    orders = ArrayField(models.CharField(max_length=255), default=list, help_text="ids that the request names")
    found = ArrayField(models.CharField(max_length=255), default=list, help_text="ids of the customer's other orders")
    received_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    done = models.JSONField(default=dict, help_text="counts of what was changed or found")
    answer = models.JSONField(null=True, help_text="which fields of which orders are held; never their values")
    at_version = models.BigIntegerField()
    last_version = models.BigIntegerField()
    at_event = models.BigIntegerField()
    last_event = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="privacy_undone", condition=models.Q(done_at__isnull=True)),
            models.Index(fields=["channel", "kind"], name="privacy_of_channel"),
        ]
        permissions = [("download_privacyrequest", "Can download what is held of a person")]

    def __str__(self) -> str:
        return f"privacy request {self.pk}"

    @property
    def removes(self) -> bool:
        """Whether it asks for removal, not only for an answer."""
        return self.kind != self.Kind.DATA_REQUEST

    @property
    def everyone(self) -> bool:
        """Whether it is about all customers of the channel."""
        return self.kind == self.Kind.SHOP_REDACT

    def about(self, person: Any) -> bool:
        """Whether this person (channels/adapter.py) is whom it is about."""
        if self.everyone:
            return True
        if person.customer is not None and person.customer == self.subject:
            return True
        return person.order is not None and (person.order in self.orders or person.order in self.found)


class Forgotten(models.Model):
    """A customer (by hash) or an order of a channel whose person is not to be stored again, whatever arrives later."""

    channel = models.ForeignKey(Channel, models.PROTECT, related_name="+", db_index=False)
    subject = models.CharField(max_length=270, help_text="customer:… or order:…")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "subject"], name="forgotten_once")]

    def __str__(self) -> str:
        return self.subject
