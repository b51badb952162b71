"""Seals over what only grows: each fixes a stretch of rows, and all seals before it."""

from django.db import models


class Seal(models.Model):
    """The rows `first` to `last` of one trail as they stood when they were sealed. Written only by salessync/core/seals.py.

    The database refuses UPDATE, DELETE and TRUNCATE (migration 0005).
    """

    number = models.BigIntegerField(primary_key=True, help_text="counts all seals from 1, without gaps")
    of = models.CharField(max_length=40, help_text="audit, or journal/ with the company's id")
    first = models.BigIntegerField(help_text="id of the first audit row; seq of the first journal entry")
    last = models.BigIntegerField()
    rows = models.IntegerField(help_text="how many rows it holds, those of postings and sources too")
    keys = models.TextField(help_text="the rows' names in their order, one a line")
    digests = models.BinaryField(help_text="SHA-256 of each row, 32 bytes each, in the same order")
    contents = models.BinaryField(max_length=32, help_text="SHA-256 of the names with their digests")
    previous = models.BinaryField(max_length=32, help_text="hash of the seal before; zeros before the first")
    hash = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["of", "last"], name="seal_of"),
            models.UniqueConstraint(fields=["previous"], name="seal_follows_one"),
            models.CheckConstraint(
                condition=models.Q(number__gte=1, rows__gte=1, last__gte=models.F("first")), name="seal_holds_rows"
            ),
        ]

    def __str__(self) -> str:
        return f"seal {self.number} of {self.of}"
