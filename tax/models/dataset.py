"""Where rates come from: files of authorities, staged, compared, activated; and the book of all that is active."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Dataset(models.Model):
    """One version of one source: its facts stand beside those of earlier versions, and are in force only while it is active.

    Where two active datasets have the same rate, that of the higher `rank` counts, then that activated last.
    """

    class Status(models.TextChoices):
        STAGED = "staged", "Staged: to be looked at"
        ACTIVE = "active", "Active"
        SUPERSEDED = "superseded", "Superseded"
        DISCARDED = "discarded", "Discarded"

    code = models.CharField(
        max_length=100, help_text="what it is a version of, as seed or sst-ga-rates; one version of it is active"
    )
    format = models.CharField(max_length=30, help_text="seed, sst-rates, sst-boundaries, csv, tedb, eu-vat-rates-data")
    version = models.CharField(max_length=100, help_text="as its publisher counts")
    publisher = models.CharField(max_length=200)
    licence = models.CharField(max_length=200, blank=True)
    attribution = models.CharField(max_length=500, blank=True)
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, help_text="of the file")
    rank = models.SmallIntegerField(default=10, help_text="seed 0, authorities 10, what a person entered 20")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.STAGED)
    counts = models.JSONField(default=dict, help_text="rows by kind, and what was left out with its reason")
    problems = models.JSONField(default=list, help_text="lines that could not be taken: line, code, sentence")
    staged_at = models.DateTimeField(db_default=Now())
    staged_by = models.CharField(max_length=150)
    activated_at = models.DateTimeField(null=True)
    activated_by = models.CharField(max_length=150, blank=True)
    ended_at = models.DateTimeField(null=True, help_text="when it was superseded or discarded")

    class Meta:
        verbose_name = "rate file"
        constraints = [
            models.UniqueConstraint(fields=["code", "sha256"], name="dataset_file_once"),
            models.UniqueConstraint(fields=["code"], name="dataset_one_active", condition=models.Q(status="active")),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.version}"


class BookVersion(models.Model):
    """Which datasets were active together; each activation makes one. A calculation names the one that it used."""

    id = models.BigAutoField(primary_key=True)
    datasets = ArrayField(models.BigIntegerField())
    made_at = models.DateTimeField(db_default=Now())
    made_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=500)

    def __str__(self) -> str:
        return f"book {self.pk}"
