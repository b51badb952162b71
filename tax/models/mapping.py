"""Which tax category products belong to, and those of which nobody has said it yet."""

from django.db import models
from django.db.models.functions import Now

from salessync.core.models import Company


class MatchedBy(models.TextChoices):
    """What a rule looks at, the most telling first."""

    SKU = "sku", "SKU"
    CATEGORY = "category", "The channel's category"
    NAME = "name", "A word of the name"


class CategoryRule(models.Model):
    """`value` as the channel says it, compared without regard to case; `category` is one of tax/data/categories.csv."""

    company = models.ForeignKey(Company, models.PROTECT)
    matched_by = models.CharField(max_length=10, choices=MatchedBy.choices)
    value = models.CharField(max_length=500)
    category = models.CharField(max_length=100)
    actor = models.CharField(max_length=150, editable=False)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "company", "matched_by", models.functions.Lower("value"), name="category_rule_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value}: {self.category}"


class UnmappedCategory(models.Model):
    """Something that was sold and taxed as any goods, since nothing says what it is."""

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, models.PROTECT)
    matched_by = models.CharField(max_length=10, choices=MatchedBy.choices)
    value = models.CharField(max_length=500)
    name = models.CharField(max_length=1000, blank=True, help_text="of the first line that bore it")
    first_transaction_id = models.BigIntegerField()
    first_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "unmapped categories"
        constraints = [
            models.UniqueConstraint(fields=["company", "matched_by", "value"], name="unmapped_category_once"),
        ]

    def __str__(self) -> str:
        return self.value
