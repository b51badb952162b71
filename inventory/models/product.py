"""Products, how each channel knows them, and what a bundle is made of."""

from django.db import models

from channels.models import Channel
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
    average_cost = models.DecimalField(
        max_digits=20,
        decimal_places=6,
        null=True,
        blank=True,
        help_text="moving average of one unit, minor units of the base currency; none: `cost` holds",
    )
    variant_of = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="variants")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["company", "sku"], name="product_sku"),
            models.CheckConstraint(condition=models.Q(cost__gte=0), name="product_cost_not_negative"),
            models.CheckConstraint(condition=models.Q(average_cost__gte=0), name="product_average_not_negative"),
        ]

    def __str__(self) -> str:
        return self.sku


class Component(models.Model):
    """So many units of `part` are in one unit of `bundle`; a bundle has no stock of its own."""

    bundle = models.ForeignKey(Product, models.CASCADE, related_name="components")
    part = models.ForeignKey(Product, models.PROTECT, related_name="part_of")
    quantity = models.DecimalField(max_digits=20, decimal_places=4)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bundle", "part"], name="component_once"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="component_quantity"),
            models.CheckConstraint(condition=~models.Q(bundle=models.F("part")), name="component_not_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity.normalize():f} × {self.part}"


class Listing(models.Model):
    """A product as one channel knows it: by the item id or the SKU that the channel sends."""

    channel = models.ForeignKey(Channel, models.CASCADE)
    product = models.ForeignKey(Product, models.CASCADE, related_name="listings")
    item_id = models.CharField(max_length=255, help_text="the channel's own item id or SKU")
    stock_id = models.CharField(
        max_length=255, blank=True, help_text="the id by which the channel counts it, where that is another one"
    )
    name = models.CharField(max_length=500, blank=True, help_text="as the channel calls it")
    buffer = models.DecimalField(
        max_digits=20, decimal_places=4, null=True, blank=True, help_text="units kept back; none: the channel's"
    )
    is_pushed = models.BooleanField(default=True, help_text="its level is told to the channel")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "item_id"], name="listing_item")]

    def __str__(self) -> str:
        return f"{self.channel}: {self.item_id}"


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
