"""Exchange rates by day."""

from django.db import models


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
