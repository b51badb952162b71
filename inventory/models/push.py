"""What each listing should show, what it shows as far as we know, and where the two were found apart."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from channels.models import Channel
from inventory.models.product import Listing, Product
from salessync.core.models import Company


class StockPolicy(models.Model):
    """How a channel takes part: a channel without one is told every level, keeps nothing back, and its own edits are asked about."""

    class Edits(models.TextChoices):
        ASK = "ask", "Ask a person"
        ADOPT = "adopt", "Take them over as adjustments"
        OVERWRITE = "overwrite", "Set our level again"

    channel = models.OneToOneField(Channel, models.CASCADE, primary_key=True, related_name="stock_policy")
    is_pushed = models.BooleanField(default=True, help_text="levels are told to it")
    buffer = models.DecimalField(
        max_digits=20, decimal_places=4, default=0, help_text="units of each product kept back"
    )
    edits = models.CharField(
        max_length=10, choices=Edits.choices, default=Edits.ASK, help_text="what becomes of edits made there"
    )
    audit_hours = models.IntegerField(default=24, help_text="its levels are read back so often; 0: never")
    audited_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(buffer__gte=0, audit_hours__gte=0), name="stock_policy_signs")
        ]
        verbose_name_plural = "stock policies"

    def __str__(self) -> str:
        return str(self.channel)


class ChannelLocation(models.Model):
    """One of the places where a channel counts stock, and which of ours it sells from (empty: all of them)."""

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="stock_locations")
    remote_id = models.CharField(max_length=255, blank=True, help_text="as the channel calls it")
    locations = ArrayField(models.CharField(max_length=60), default=list, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "remote_id"], name="channel_location_once")]

    def __str__(self) -> str:
        return f"{self.channel}: {self.remote_id or 'its only place'}"


class StockChange(models.Model):
    """A product's level changed, and its listings are to be looked at: a mark that the next push takes away.

    `channel` sold or took back `units` itself, so that its own listing shows it already.
    """

    id = models.BigAutoField(primary_key=True)
    product = models.ForeignKey(Product, models.CASCADE, db_constraint=False, db_index=False)
    channel_id = models.BigIntegerField(null=True)
    units = models.DecimalField(max_digits=20, decimal_places=4, db_default=0)
    at = models.DateTimeField(db_default=Now())


class ListingLevel(models.Model):
    """One listing at one of its channel's places. `shown` is what it shows as far as we know; none: not known."""

    class State(models.TextChoices):
        IDLE = "idle", "Shows what it should"
        DUE = "due", "To be told"
        FAILED = "failed", "Could not be told"

    id = models.BigAutoField(primary_key=True)
    listing = models.ForeignKey(Listing, models.CASCADE, related_name="levels")
    channel_id = models.BigIntegerField()
    remote_id = models.CharField(max_length=255, blank=True, db_default="")
    wanted = models.DecimalField(max_digits=20, decimal_places=4)
    shown = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    state = models.CharField(max_length=6, choices=State.choices, db_default=State.DUE)
    changed_at = models.DateTimeField(
        db_default=Now(), help_text="when `wanted` last became another than what is shown"
    )
    next_at = models.DateTimeField(db_default=Now(), help_text="due then; while it is told, the lease's end")
    attempts = models.IntegerField(db_default=0)
    turn = models.BigIntegerField(db_default=0, help_text="counts the calls: a part of their idempotency keys")
    told_at = models.DateTimeField(null=True, help_text="when the channel last confirmed a level")
    read_at = models.DateTimeField(null=True, help_text="when its level was last read back")
    lag_ms = models.IntegerField(null=True, help_text="from the change to its confirmation, of the last push")
    problem = models.CharField(max_length=500, blank=True, db_default="")

    class Meta:
        verbose_name = "push state"
        constraints = [models.UniqueConstraint(fields=["listing", "remote_id"], name="listing_level_once")]
        indexes = [
            models.Index(fields=["channel_id", "next_at"], name="listing_level_due", condition=models.Q(state="due")),
        ]

    def __str__(self) -> str:
        return str(self.listing)


class StockDrift(models.Model):
    """A listing showed another level than we thought: why, and what became of it."""

    class Cause(models.TextChoices):
        UNSYNCED_SALE = "unsynced_sale", "A sale that has not come yet"
        MANUAL_EDIT = "manual_edit", "Edited in the channel"
        LOST_PUSH = "lost_push", "Our push was lost"
        UNKNOWN = "unknown", "Not known"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ADOPTED = "adopted", "Taken over as an adjustment"
        OVERWRITTEN = "overwritten", "Set to our level"
        GONE = "gone", "Gone by itself"

    id = models.BigAutoField(primary_key=True)
    company = models.ForeignKey(Company, models.PROTECT)
    listing = models.ForeignKey(Listing, models.CASCADE, related_name="drifts")
    remote_id = models.CharField(max_length=255, blank=True, db_default="")
    expected = models.DecimalField(max_digits=20, decimal_places=4)
    found = models.DecimalField(max_digits=20, decimal_places=4)
    cause = models.CharField(max_length=15, choices=Cause.choices)
    message = models.CharField(max_length=1000)
    state = models.CharField(max_length=12, choices=State.choices, db_default=State.OPEN)
    found_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True, db_default="")
    note = models.CharField(max_length=1000, blank=True, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["listing", "remote_id"], name="stock_drift_one_open", condition=models.Q(state="open")
            ),
        ]
        indexes = [models.Index(fields=["company", "cause"], name="stock_drift_open", condition=models.Q(state="open"))]

    def __str__(self) -> str:
        return f"{self.listing}: {self.expected.normalize():f} → {self.found.normalize():f}"
