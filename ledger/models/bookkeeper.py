"""Bookkeeper's side as we know it: its accounts, its own corrections, and where its books differ from what it was sent."""

from django.db import models

from channels.models.transaction import UNCHECKED
from ledger.models.account import Account
from ledger.models.journal import JournalEntry
from salessync.core.models import Company


class BookkeeperAccount(models.Model):
    """An account of Bookkeeper's own chart, as its last list has it."""

    company = models.ForeignKey(Company, models.PROTECT, related_name="+")
    code = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, help_text="asset, liability, equity, income or expense")
    active = models.BooleanField(help_text="false: closed, and nothing can be booked on it")
    received_at = models.DateTimeField(db_default=models.functions.Now(), help_text="when it last changed")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "code"], name="bookkeeper_account_code")]

    def __str__(self) -> str:
        return self.code


class BookkeeperCode(models.Model):
    """What one of our accounts is called at Bookkeeper, from the next batch on. A change is another row: what was sent stays known."""

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, models.PROTECT, related_name="+", editable=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="bookkeeper_codes")
    code = models.CharField(max_length=200, blank=True, help_text="what Bookkeeper calls it; empty: our own code again")
    actor = models.CharField(max_length=150, editable=False)
    at = models.DateTimeField(db_default=models.functions.Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["company", "id"], name="bookkeeper_code_as_of")]

    def __str__(self) -> str:
        return f"{self.account} is {self.code or self.account.code} at Bookkeeper"


class BookkeeperCorrection(models.Model):
    """An entry made in Bookkeeper that came to our inbox, once; what is posted from its event is never pushed back."""

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, models.PROTECT, related_name="+")
    reference = models.CharField(max_length=255, help_text="Bookkeeper's id of the entry")
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of what it said")
    event_id = models.BigIntegerField(unique=True)
    received_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "reference"], name="bookkeeper_correction_once")]

    def __str__(self) -> str:
        return f"Bookkeeper's correction {self.reference}"


class BookkeeperDifference(models.Model):
    """Bookkeeper's books are not what it was sent. Opened and closed by ledger/readback.py, as what it reads changes."""

    class Kind(models.TextChoices):
        MISSING = "missing", "Missing"
        EDITED = "edited", "Edited"
        DELETED = "deleted", "Deleted"
        UNKNOWN_THERE = "unknown_there", "Never sent"

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, models.PROTECT, related_name="+")
    entry = models.ForeignKey(JournalEntry, **UNCHECKED, null=True, related_name="differences")
    known_as = models.CharField(max_length=300, help_text="the entry's id at Bookkeeper")
    kind = models.CharField(max_length=15, choices=Kind.choices)
    details = models.JSONField(help_text="what differs, both values (ledger/comparison.py)")
    first_seen = models.DateTimeField(db_default=models.functions.Now())
    last_seen = models.DateTimeField(db_default=models.functions.Now())
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["known_as", "kind"], name="difference_open_once", condition=models.Q(resolved_at__isnull=True)
            ),
            models.CheckConstraint(
                condition=models.Q(kind="unknown_there") | models.Q(entry__isnull=False), name="difference_has_entry"
            ),
        ]
        permissions = [("send_again_bookkeeperdifference", "Can have an entry sent to Bookkeeper again")]

    def __str__(self) -> str:
        return f"{self.known_as} {self.get_kind_display().lower()}"


class ReadBack(models.Model):
    """How far the slow roll through Bookkeeper's books has come. One row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField(
        default=0, help_text="what has a greater number is still to be read in this round"
    )
    round_started_at = models.DateTimeField(null=True)
    round_finished_at = models.DateTimeField(null=True, help_text="of the last whole round")
    next_at = models.DateTimeField(
        db_default=models.functions.Now(), help_text="due then; while reading, the lease's end"
    )
    error = models.CharField(max_length=1000, null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="read_back_is_one")]

    def __str__(self) -> str:
        return f"read back up to {self.position}"
