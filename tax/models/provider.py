"""Who computes tax for a company, and what an outside service answered."""

from django.db import models
from django.db.models.functions import Now

from salessync.core import crypto
from salessync.core.models import Company


class TaxSetting(models.Model):
    """A company without one is computed locally, with a tolerance of what rounding explains."""

    company = models.OneToOneField(Company, models.PROTECT, primary_key=True)
    provider = models.CharField(max_length=20, default="local", help_text="local, channel, or an outside service")
    sealed_key = models.BinaryField(null=True, blank=True, help_text="the service's key, encrypted")
    address = models.CharField(max_length=500, blank=True, help_text="of a service that one runs oneself")
    tolerance = models.BigIntegerField(
        default=0, help_text="minor units of a sale's currency, beyond what rounding explains"
    )

    def __str__(self) -> str:
        return f"{self.company}: {self.provider}"

    @property
    def key(self) -> str:
        """The service's key, empty where there is none; crypto.UnableToDecrypt where it was sealed with a key that is lost."""
        return str(crypto.unseal(self.sealed_key, bound_to=self._binding())) if self.sealed_key else ""

    @key.setter
    def key(self, value: str) -> None:
        self.sealed_key = crypto.seal(value, bound_to=self._binding()) if value else None

    def _binding(self) -> str:
        return f"tax.taxsetting:{self.company_id}"


class ProviderAnswer(models.Model):
    """An outside service's answer, kept by the digest of what was asked."""

    provider = models.CharField(max_length=20)
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the request")
    answer = models.JSONField()
    answered_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "digest"], name="provider_answer_once")]
