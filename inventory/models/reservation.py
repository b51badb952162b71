"""Units held for a cart or a till until the sale comes, is given up, or its time is over."""

from django.db import models
from django.db.models.functions import Now

from channels.models import Channel
from inventory.models.product import Product
from salessync.core.models import Company


class Reservation(models.Model):
    """Its lines' held units are in the levels' `reserved` while it is held or partial, and never otherwise."""

    class State(models.TextChoices):
        HELD = "held", "Held"
        PARTIAL = "partial", "Held in part"
        COMMITTED = "committed", "Taken by its sale"
        RELEASED = "released", "Released"
        EXPIRED = "expired", "Expired"

    id = models.BigAutoField(primary_key=True)
    public_id = models.UUIDField(unique=True, help_text="what the sale's record names as its reservation")
    company = models.ForeignKey(Company, models.PROTECT)
    channel = models.ForeignKey(Channel, models.PROTECT)
    reference = models.CharField(max_length=255, help_text="the caller's own, as a cart's id")
    state = models.CharField(max_length=10, choices=State.choices)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, blank=True)
    transaction_id = models.BigIntegerField(null=True, blank=True, help_text="the sale that took it")

    class Meta:
        indexes = [
            models.Index(
                fields=["expires_at"], name="reservation_to_expire", condition=models.Q(state__in=["held", "partial"])
            ),
            models.Index(fields=["channel", "reference"], name="reservation_reference"),
        ]

    def __str__(self) -> str:
        return self.reference or str(self.public_id)


class ReservationLine(models.Model):
    """`held` is what there was, at most `quantity`."""

    pk = models.CompositePrimaryKey("reservation_id", "position")
    reservation = models.ForeignKey(Reservation, models.CASCADE, related_name="lines", db_index=False)
    position = models.SmallIntegerField()
    product = models.ForeignKey(Product, models.PROTECT, related_name="+")
    sku = models.CharField(max_length=255, help_text="as it was asked for")
    location = models.CharField(max_length=60)
    quantity = models.DecimalField(max_digits=20, decimal_places=4)
    held = models.DecimalField(max_digits=20, decimal_places=4)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(held__gte=0, held__lte=models.F("quantity"), quantity__gt=0),
                name="reservation_line_held",
            ),
        ]
