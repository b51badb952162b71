"""Which jurisdictions a postcode of the United States lies in."""

from django.contrib.postgres.fields import ArrayField, DateRangeField
from django.db import models

from tax.models.dataset import Dataset


class Combination(models.Model):
    """A set of jurisdictions below the state that places share; `digest` of the codes, so that each is there once a dataset."""

    id = models.BigAutoField(primary_key=True)
    dataset = models.ForeignKey(Dataset, models.CASCADE)
    digest = models.BinaryField(max_length=32)
    jurisdictions = ArrayField(models.CharField(max_length=60))
    has_state = models.BooleanField(default=True, help_text="the state's own rate holds there")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "digest"], name="combination_once")]


class Boundary(models.Model):
    """From one ZIP+4 to another of one ZIP; a whole ZIP is 0 to 9999 with `is_exact` false, and gives way to exact rows."""

    id = models.BigAutoField(primary_key=True)
    dataset = models.ForeignKey(Dataset, models.CASCADE, db_index=False)
    zip5 = models.IntegerField()
    low = models.SmallIntegerField()
    high = models.SmallIntegerField()
    is_exact = models.BooleanField()
    valid = DateRangeField()
    combination = models.ForeignKey(Combination, models.CASCADE, db_index=False)

    class Meta:
        indexes = [models.Index(fields=["zip5", "dataset"], name="boundary_of_zip")]
