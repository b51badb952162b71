"""A connected account: one shop, merchant or till."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from channels import adapter as adapters
from channels.client import Account
from channels.record import Jurisdiction
from salessync.core import crypto, dates
from salessync.core.models import Company


def adapter_choices() -> list[tuple[str, str]]:
    """One choice a file in channels/adapters."""
    return [(name, adapters.get(name).label) for name in adapters.adapter_names()]


def validate_timezone(name: str) -> None:
    """Only IANA names, so that a business date never depends on a guess."""
    try:
        dates.zone(name)
    except dates.DateError as error:
        raise ValidationError(str(error)) from None


class Channel(models.Model):
    """What we know of the account, and what its payloads may lack."""

    class Status(models.TextChoices):
        LIVE = "live", "Live"
        PAUSED = "paused", "Paused: stored, not processed"

    class PostingMode(models.TextChoices):
        SALE = "sale", "One journal entry a sale"
        DAY = "day", "One journal entry a day"
        PAYOUT = "payout", "One journal entry a payout, and one a day for what no payout pays"
        NONE = "none", "Post nothing"

    company = models.ForeignKey(Company, models.PROTECT)
    slug = models.SlugField(unique=True, max_length=60)
    adapter = models.CharField(max_length=40, choices=adapter_choices)
    sealed_credentials = models.BinaryField(default=bytes, editable=False)
    currency = models.CharField(max_length=3, blank=True, help_text="currency of the account, for information")
    timezone = models.CharField(max_length=60, default="UTC", validators=[validate_timezone])
    day_cut_hour = models.PositiveSmallIntegerField(
        default=0, help_text="a sale before this hour belongs to the day before (a bar that closes at 3)"
    )
    posting_mode = models.CharField(max_length=10, choices=PostingMode.choices, default=PostingMode.SALE)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.LIVE)
    sells = models.BooleanField(
        default=False,
        help_text="a processor that sells by itself (payment links, invoices): a charge without an order is a sale",
    )
    live_from = models.DateField(null=True, blank=True, help_text="business days before it post nothing")
    country = models.CharField(max_length=2, blank=True, help_text="where a sale is taxed whose payload does not say")
    region = models.CharField(max_length=20, blank=True)
    stock_location = models.CharField(
        max_length=60,
        blank=True,
        help_text="where its sales take their stock when they name no place that has the product",
    )
    refund_tax = models.CharField(
        max_length=10,
        choices=[("pro_rata", "In proportion to the sale's tax"), ("none", "None (outside the refund law)")],
        default="pro_rata",
        help_text="tax in an amount-only refund",
    )
    greeting = models.CharField(
        max_length=300,
        blank=True,
        editable=False,
        help_text="what the vendor said, unsigned, when its webhook was set up",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(day_cut_hour__lte=23), name="channel_day_cut_hour"),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def credentials(self) -> dict[str, Any]:
        """Decrypted; {"secrets": [...]} holds every live webhook secret, the newest first."""
        if not self.sealed_credentials:
            return {}
        return dict(crypto.unseal(self.sealed_credentials, bound_to=self._binding()))

    @credentials.setter
    def credentials(self, value: dict[str, Any]) -> None:
        self.sealed_credentials = crypto.seal(value, bound_to=self._binding())

    def _binding(self) -> str:
        return f"channels.channel:{self.slug}"

    @property
    def secrets(self) -> list[str]:
        """Live webhook secrets; none: every signature is refused."""
        return [s for s in self.credentials.get("secrets", []) if s]

    def trust(self, *, url: str = "", certificate: bytes | None = None) -> adapters.Trust:
        """What a delivery to this channel is proven against; `url`: where it arrived, unless the channel knows its address."""
        known = self.credentials.get("notification_url") or url
        return adapters.Trust(secrets=tuple(self.secrets), urls=(known,) if known else (), certificate=certificate)

    @property
    def asks(self) -> bool:
        """Whether its vendor can be asked: credentials beyond those that prove what comes in."""
        return bool(self.credentials.keys() - {"secrets", "notification_url"})

    def account(self) -> Account:
        """Whom the adapter speaks for when it asks the vendor."""
        kept = self.credentials
        return Account(
            channel=self.slug, credentials=kept, base_url=str(kept.get("base_url") or ""), test=kept.get("test") is True
        )

    def context(self) -> adapters.Context:
        """What normalize is told about this channel."""
        place = Jurisdiction(country=self.country, region=self.region or None, basis="store") if self.country else None
        return adapters.Context(
            channel=self.slug, timezone=self.timezone, day_cut_hour=self.day_cut_hour, jurisdiction=place
        )
