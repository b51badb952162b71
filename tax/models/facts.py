"""Rates and rules of law with the days on which they are in force, and the jurisdictions that made them.

A fact never changes, but for whether it is active (tax/rates/datasets.py decides that for all facts at once): the database refuses it.
"""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models

from tax.models.dataset import Dataset


class Jurisdiction(models.Model):
    """A country, state, county, city or district that taxes; US-GA-121 is a county, US-GA-04000 a city, US-MN-63-20001 a district."""

    class Level(models.TextChoices):
        COUNTRY = "country"
        STATE = "state"
        COUNTY = "county"
        CITY = "city"
        DISTRICT = "district"
        TERRITORY = "territory"

    code = models.CharField(max_length=60, primary_key=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    country = models.CharField(max_length=2)
    level = models.CharField(max_length=10, choices=Level.choices)
    name = models.CharField(max_length=200)
    fips = models.CharField(max_length=10, blank=True)

    def __str__(self) -> str:
        return f"{self.code} {self.name}" if self.name else self.code


class Fact(models.Model):
    """`valid` is half open: the last day is the first on which it no longer holds."""

    id = models.BigAutoField(primary_key=True)
    dataset = models.ForeignKey(Dataset, models.PROTECT)
    jurisdiction = models.ForeignKey(Jurisdiction, models.PROTECT)
    valid = DateRangeField()
    scope = models.CharField(
        max_length=5, default="own", help_text="own, below, all: the jurisdiction, those below it, both"
    )
    source = models.CharField(max_length=500)
    verified_on = models.DateField(null=True, blank=True)
    confidence = models.CharField(max_length=10, default="high", help_text="high, medium, low, unresolved")
    note = models.CharField(max_length=500, blank=True)
    is_active = models.BooleanField(default=False)

    class Meta:
        abstract = True


class RateFact(Fact):
    """`rate` in percent of one tax on a category and what belongs to it."""

    tax = models.CharField(max_length=100)
    category = models.CharField(max_length=100, default="standard")
    rate = models.DecimalField(max_digits=12, decimal_places=6)
    treatment = models.CharField(max_length=10, default="taxable", help_text="taxable, zero, exempt")
    sourcing = models.CharField(
        max_length=5, default="any", help_text="any, intra, inter: within the state, from outside it"
    )

    class Meta:
        verbose_name = "tax rate"
        constraints = [
            ExclusionConstraint(
                name="rate_fact_once",
                expressions=[
                    ("jurisdiction", RangeOperators.EQUAL),
                    ("tax", RangeOperators.EQUAL),
                    ("category", RangeOperators.EQUAL),
                    ("sourcing", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
                condition=models.Q(is_active=True),
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(condition=models.Q(rate__gte=0, rate__lte=1000), name="rate_fact_in_percent"),
        ]
        indexes = [
            models.Index(fields=["dataset", "jurisdiction"], name="rate_fact_of"),
        ]

    def __str__(self) -> str:
        return f"{self.jurisdiction_id} {self.tax} {self.category} {self.rate.normalize():f} %"


class RuleFact(Fact):
    """A threshold on the price of one piece, or a holiday: tax/law/ratebook.py says what the fields mean. Amounts in major units."""

    tax = models.CharField(max_length=100, blank=True)
    category = models.CharField(max_length=100)
    semantic = models.CharField(max_length=20)
    lower = models.DecimalField(max_digits=18, decimal_places=4, default=0)
    upper = models.DecimalField(max_digits=18, decimal_places=4, null=True, blank=True)
    rate = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    delivery_counts = models.BooleanField(default=False)
    holiday = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="rule_fact_once",
                expressions=[
                    ("jurisdiction", RangeOperators.EQUAL),
                    ("tax", RangeOperators.EQUAL),
                    ("category", RangeOperators.EQUAL),
                    ("semantic", RangeOperators.EQUAL),
                    ("lower", RangeOperators.EQUAL),
                    ("holiday", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
                condition=models.Q(is_active=True),
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]
        indexes = [models.Index(fields=["dataset", "jurisdiction"], name="rule_fact_of")]

    def __str__(self) -> str:
        return f"{self.jurisdiction_id} {self.category} {self.semantic}"


class DeliveryFact(Fact):
    """How delivery that is charged apart is taxed."""

    rule = models.CharField(max_length=40)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="delivery_fact_once",
                expressions=[("jurisdiction", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
                condition=models.Q(is_active=True),
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.jurisdiction_id} {self.rule}"
