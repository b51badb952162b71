"""What is on the shelf, and every movement that brought it there. Levels change only by movements (inventory/moves.py)."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from channels.models import Transaction
from channels.models.transaction import UNCHECKED
from inventory.models.product import Product
from salessync.core.models import Company


class Level(models.Model):
    """Units of one product at one location; on hand below zero is an oversell that has happened."""

    company = models.ForeignKey(Company, models.PROTECT)
    product = models.ForeignKey(Product, models.PROTECT, related_name="levels")
    location = models.CharField(max_length=60)
    on_hand = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    reserved = models.DecimalField(max_digits=20, decimal_places=4, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "location"], name="level_once"),
            models.CheckConstraint(condition=models.Q(reserved__gte=0), name="level_reserved_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.product} at {self.location}"

    @property
    def available(self):
        """On hand less reserved."""
        return self.on_hand - self.reserved


class StockDocument(models.Model):
    """Why stock was moved by hand: a transfer, a delivery that came, a count, an adjustment. Never changed (the database refuses it)."""

    class Kind(models.TextChoices):
        TRANSFER = "transfer", "Transfer"
        RECEIPT = "receipt", "Receipt"
        COUNT = "count", "Count"
        ADJUSTMENT = "adjustment", "Adjustment"

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, models.PROTECT)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    reference = models.CharField(max_length=200, blank=True, help_text="one document of a kind has it")
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["company", "kind", "reference"], name="stock_document_once", condition=~models.Q(reference="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference or self.pk}"


class Movement(models.Model):
    """The only way a level changes, with its cause; never changed itself (the database refuses it)."""

    class Kind(models.TextChoices):
        OPENING = "opening"
        SALE = "sale"
        REFUND = "refund"
        HOLD = "hold", "held for a reservation, or let go"
        TRANSFER = "transfer"
        RECEIPT = "receipt"
        COUNT = "count"
        ADJUSTMENT = "adjustment"

    id = models.BigAutoField(primary_key=True)
    company_id = models.BigIntegerField()
    product = models.ForeignKey(Product, **UNCHECKED, db_index=False)
    location = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    transaction = models.ForeignKey(Transaction, **UNCHECKED, null=True, related_name="movements", db_index=False)
    line_id = models.CharField(max_length=1000, blank=True)
    sequence = models.IntegerField(help_text="counts the movements of one line")
    on_hand = models.DecimalField(max_digits=20, decimal_places=4)
    reserved = models.DecimalField(max_digits=20, decimal_places=4)
    cost = models.BigIntegerField(
        null=True, help_text="minor units of the company's base currency, signed like on_hand; none: not known"
    )
    unit_cost = models.BigIntegerField(
        null=True, help_text="of one unit, as it was known when the sale's line first left the shelf"
    )
    reservation_id = models.BigIntegerField(null=True, help_text="for what it holds units or lets them go")
    document = models.ForeignKey(StockDocument, **UNCHECKED, null=True, related_name="movements", db_index=False)
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transaction", "line_id", "product", "location", "sequence"], name="movement_once"
            ),
            models.UniqueConstraint(
                fields=["reservation_id", "line_id", "product", "location", "sequence"],
                name="movement_of_reservation_once",
                condition=models.Q(reservation_id__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["document", "line_id", "product", "location", "sequence"],
                name="movement_of_document_once",
                condition=models.Q(document__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["product"], name="movement_opening", condition=models.Q(kind="opening")),
            models.Index(fields=["product", "id"], name="movement_of_product"),
            BrinIndex(fields=["created_at"], name="movement_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Oversell(models.Model):
    """A sale took more than there was: recorded when a level falls below zero, resolved when it is back."""

    company = models.ForeignKey(Company, models.PROTECT)
    level = models.ForeignKey(Level, models.PROTECT)
    transaction = models.ForeignKey(Transaction, **UNCHECKED)
    short = models.DecimalField(max_digits=20, decimal_places=4, help_text="units below zero after it")
    opened_at = models.DateTimeField(db_default=models.functions.Now())
    resolved_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(
        max_length=12,
        blank=True,
        db_default="",
        choices=[("backorder", "Backorder"), ("substitute", "Substitute"), ("refund", "Refund")],
        help_text="what is done for the customer",
    )
    decided_by = models.CharField(max_length=150, blank=True, db_default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=1000, blank=True, db_default="")

    def __str__(self) -> str:
        return f"{self.short.normalize():f} short of {self.level}"
