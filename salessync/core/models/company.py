"""The company."""

from django.db import models


class Company(models.Model):
    """A set of books with one base currency; the shard key of every table."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    base_currency = models.CharField(max_length=3)
    feed_seq = models.BigIntegerField(
        default=0, editable=False, help_text="last number given to a journal entry: gap-free, in commit order"
    )
    closed_through = models.DateField(
        null=True, editable=False, help_text="no entry is booked on this day or before (ledger/periods.py)"
    )

    class Meta:
        verbose_name_plural = "companies"

    def __str__(self) -> str:
        return self.name
