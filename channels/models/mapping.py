"""The saved column mappings of files: what a till without an API writes, in our words."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from channels.adapters.csv.mapping import read_mapping
from salessync.core.models import Company
from salessync.core.problems import Refused


def validate_mapping(value: Any) -> None:
    """What the csv adapter can read; every problem at once."""
    try:
        read_mapping(value)
    except Refused as refused:
        raise ValidationError([f"{p.path}: {p.message}" for p in refused.problems]) from None


class Mapping(models.Model):
    """One kind of file. A captured row keeps the mapping that it was read with, so a change here changes nothing that is stored."""

    company = models.ForeignKey(Company, models.PROTECT)
    name = models.SlugField(max_length=60, help_text="what `capture --mapping` names it by")
    body = models.JSONField(
        "mapping",
        validators=[validate_mapping],
        help_text="which column is which field, and how numbers, dates and words are written",
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "file mapping"
        constraints = [models.UniqueConstraint(fields=["company", "name"], name="mapping_name_once")]

    def __str__(self) -> str:
        return self.name
