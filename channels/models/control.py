"""What a vendor says that came into being on a day, beside what we hold of it. Written only by channels/completeness.py."""

from django.db import models

from channels.models.channel import Channel


class ControlDay(models.Model):
    """One business day of one channel.

    A comparison that is under way has its window in `since` and `until`, and goes on at `step` after `cursor`.
    """

    class State(models.TextChoices):
        DUE = "due", "Not compared yet"
        OPEN = "open", "Gap"
        CLOSED = "closed", "Complete"
        FAILED = "failed", "Not asked"

    channel = models.ForeignKey(Channel, models.PROTECT, related_name="control_days")
    day = models.DateField(help_text="business day, in the channel's zone and with its day cut")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    checked_at = models.DateTimeField(null=True, blank=True, help_text="when a comparison last came to its end")
    checked_until = models.DateTimeField(null=True, blank=True, help_text="UTC; what came later was left out of it")
    unreadable = models.PositiveIntegerField(default=0, help_text="objects of the vendor's that are no records to us")
    error = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="comparisons in a row that were not complete")
    next_at = models.DateTimeField(null=True, blank=True, help_text="when it is compared again; null: never by itself")
    since = models.DateTimeField(null=True, blank=True, help_text="UTC; of the comparison under way")
    until = models.DateTimeField(null=True, blank=True, help_text="UTC; of the comparison under way")
    step = models.PositiveSmallIntegerField(default=0, help_text="which of the vendor's lists is being read")
    cursor = models.TextField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "control totals"  # what a person calls the list of them
        constraints = [models.UniqueConstraint(fields=["channel", "day"], name="control_day_once")]
        indexes = [
            models.Index(fields=["next_at"], name="control_due", condition=models.Q(next_at__isnull=False)),
            models.Index(fields=["state"], name="control_gap", condition=models.Q(state__in=["open", "failed"])),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.day}"


class ControlTotal(models.Model):
    """One type of record in one currency: the vendor's count and gross, ours, and the ids that make the difference."""

    control = models.ForeignKey(ControlDay, models.CASCADE, related_name="totals")
    type = models.CharField(max_length=10)
    currency = models.CharField(max_length=3)
    vendor_count = models.PositiveIntegerField(default=0)
    our_count = models.PositiveIntegerField(default=0)
    vendor_gross = models.BigIntegerField(default=0, help_text="minor units of the currency")
    our_gross = models.BigIntegerField(default=0, help_text="minor units of the currency")
    missing = models.JSONField(default=list, help_text="ids that the vendor has and we had not")
    differing = models.JSONField(
        default=list, help_text="ids of which the vendor has a newer state that says otherwise"
    )
    in_inbox = models.JSONField(
        default=list, help_text="ids that are here and not in the books: due, quarantined, or set aside with a reason"
    )
    extra = models.JSONField(default=list, help_text="ids that we hold and the vendor did not list")
    recovered = models.JSONField(default=list, help_text="ids that were missing or differing, and are so no more")
    recovered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["control", "type", "currency"], name="control_total_once")]

    def __str__(self) -> str:
        return f"{self.control}: {self.type} {self.currency}"

    @property
    def gap(self) -> bool:
        """Whether the vendor has something that we lack."""
        return bool(self.missing or self.differing)


class ControlRecord(models.Model):
    """What the vendor listed so far in a comparison that is under way; gone when it is over."""

    class Fate(models.TextChoices):
        HELD = "held"
        MISSING = "missing"
        DIFFERING = "differing"
        IN_INBOX = "in_inbox"

    control = models.ForeignKey(ControlDay, models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=10)
    source_id = models.CharField(max_length=255)
    business_date = models.DateField()
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField(help_text="minor units of the currency")
    fate = models.CharField(max_length=10, choices=Fate.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["control", "type", "source_id"], name="control_record_once")]
