"""What a company is to tax authorities: where it is registered, from where it sends, and who need not pay tax to it."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models.functions import Now

from salessync.core.models import Company


class Registration(models.Model):
    """Where tax must be collected: a country or state by its code (DE, US-NY, CA-QC), or a scheme for many (OSS, IOSS)."""

    class Scheme(models.TextChoices):
        DOMESTIC = "domestic", "Domestic"
        OSS = "oss", "One-stop shop (Union)"
        IOSS = "ioss", "Import one-stop shop"

    company = models.ForeignKey(Company, models.PROTECT)
    jurisdiction = models.CharField(
        max_length=60, blank=True, help_text="such as DE, US-NY or CA-QC; empty for OSS and IOSS"
    )
    scheme = models.CharField(max_length=10, choices=Scheme.choices, default=Scheme.DOMESTIC)
    number = models.CharField(max_length=50, blank=True)
    valid = DateRangeField(help_text="from the first day to the first on which it no longer holds")

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="registration_once",
                expressions=[
                    ("company", RangeOperators.EQUAL),
                    ("jurisdiction", RangeOperators.EQUAL),
                    ("scheme", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
                violation_error_message="There is a registration for this place on some of these days already.",
            ),
            models.CheckConstraint(
                condition=models.Q(scheme="domestic") ^ models.Q(jurisdiction=""), name="registration_has_place"
            ),
        ]

    def __str__(self) -> str:
        return self.jurisdiction or self.get_scheme_display()


class SellerPlace(models.Model):
    """Where goods are sent from, or a till stands: `location` as the channel's records name it; empty: wherever else."""

    company = models.ForeignKey(Company, models.PROTECT)
    location = models.CharField(max_length=1000, blank=True)
    country = models.CharField(max_length=2)
    region = models.CharField(max_length=100, blank=True)
    postcode = models.CharField(max_length=20, blank=True)
    city = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "location"], name="seller_place_once")]

    def __str__(self) -> str:
        return self.location or "anywhere else"


class Certificate(models.Model):
    """A customer need not pay tax there: `customer` is the record's `customer.ref`, a hash; `jurisdiction` holds for all below it."""

    company = models.ForeignKey(Company, models.PROTECT)
    customer = models.CharField(max_length=100, help_text="sha256:… as the sale's record has it")
    jurisdiction = models.CharField(max_length=60, help_text="such as US or US-TX")
    reason = models.CharField(max_length=200, help_text="resale, government, charity, …")
    number = models.CharField(max_length=100)
    valid = DateRangeField()
    document = models.CharField(max_length=1000, blank=True, help_text="where the paper is kept")

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="certificate_once",
                expressions=[
                    ("company", RangeOperators.EQUAL),
                    ("customer", RangeOperators.EQUAL),
                    ("jurisdiction", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
                violation_error_message="There is a certificate of this customer on some of these days already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.jurisdiction} {self.number}"


class TaxNumberCheck(models.Model):
    """What is known of a customer's tax number: its form and check digit, and what the register said when it was asked."""

    id = models.BigAutoField(primary_key=True)
    number = models.CharField(max_length=50)
    scheme = models.CharField(max_length=20)
    is_well_formed = models.BooleanField()
    registry = models.CharField(max_length=20, blank=True, help_text="valid, invalid, unreachable; empty: not asked")
    consultation = models.CharField(max_length=100, blank=True, help_text="the register's own number of the answer")
    checked_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["number", "-checked_at"], name="tax_number_latest")]

    def __str__(self) -> str:
        return self.number
