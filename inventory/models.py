"""Products, how each channel knows them, and what is on the shelf. Levels change only by movements (inventory/moves.py)."""

from django.db import models

from channels.models import Channel, Transaction
from channels.models.transaction import UNCHECKED
from salessync.core.models import Company


class Product(models.Model):
    """Something that is kept in stock; `cost` of one unit in minor units of `currency`, or of the base currency where it is empty."""

    company = models.ForeignKey(Company, models.PROTECT)
    sku = models.CharField(max_length=255)
    name = models.CharField(max_length=500, blank=True)
    barcode = models.CharField(max_length=100, blank=True)
    category = models.CharField(max_length=200, blank=True)
    tax_category = models.CharField(max_length=200, blank=True)
    cost = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "sku"], name="product_sku"),
            models.CheckConstraint(condition=models.Q(cost__gte=0), name="product_cost_not_negative"),
        ]

    def __str__(self) -> str:
        return self.sku


class Listing(models.Model):
    """A product as one channel knows it: by the item id or the SKU that the channel sends."""

    channel = models.ForeignKey(Channel, models.CASCADE)
    product = models.ForeignKey(Product, models.CASCADE, related_name="listings")
    item_id = models.CharField(max_length=255, help_text="the channel's own item id or SKU")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "item_id"], name="listing_item")]

    def __str__(self) -> str:
        return f"{self.channel}: {self.item_id}"


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


class Movement(models.Model):
    """The only way a level changes, with its cause; never changed itself (the database refuses it)."""

    class Kind(models.TextChoices):
        OPENING = "opening"
        SALE = "sale"
        REFUND = "refund"

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
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transaction", "line_id", "product", "location", "sequence"], name="movement_once"
            ),
        ]
        indexes = [
            models.Index(fields=["product"], name="movement_opening", condition=models.Q(kind="opening")),
        ]


class UnmappedItem(models.Model):
    """An item that a channel sells and no product is known for: its sales are booked, its stock is not."""

    channel = models.ForeignKey(Channel, models.CASCADE)
    item_id = models.CharField(max_length=1000)
    name = models.CharField(max_length=1000)
    first_seen_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "item_id"], name="unmapped_item_once")]

    def __str__(self) -> str:
        return f"{self.channel}: {self.item_id}"


class Oversell(models.Model):
    """A sale took more than there was: recorded when a level falls below zero, resolved when it is back."""

    company = models.ForeignKey(Company, models.PROTECT)
    level = models.ForeignKey(Level, models.PROTECT)
    transaction = models.ForeignKey(Transaction, **UNCHECKED)
    short = models.DecimalField(max_digits=20, decimal_places=4, help_text="units below zero after it")
    opened_at = models.DateTimeField(db_default=models.functions.Now())
    resolved_at = models.DateTimeField(null=True, blank=True)


class StockPush(models.Model):
    """The level that a listing should show; the latest wins."""

    listing = models.OneToOneField(Listing, models.CASCADE, primary_key=True)
    available = models.DecimalField(max_digits=20, decimal_places=4)
    queued_at = models.DateTimeField(db_default=models.functions.Now())
