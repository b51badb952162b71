"""How far each vendor has been read, what is still to be asked for, and the pace that it allows."""

from django.db import models
from django.db.models.functions import MD5

from channels.models.channel import Channel


class Reading(models.Model):
    """One list of one vendor's account, read window by window; written only by channels/poll.py.

    `reached`: everything that changed before has been stored. A window is open while `until` is set; `cursor` says after which of
    its pages to go on, and is stored together with the page itself.
    """

    class Purpose(models.TextChoices):
        LIVE = "live", "Live: what changes"
        BACKFILL = "backfill", "Backfill: what was before"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for its turn"
        PAUSED = "paused", "Paused"
        FAILED = "failed", "Failing"
        DONE = "done", "Done"

    channel = models.ForeignKey(Channel, models.PROTECT, related_name="readings")
    stream = models.CharField(max_length=40)
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    reached = models.DateTimeField(help_text="UTC; a backfill's beginning until it is done")
    since = models.DateTimeField(null=True, blank=True, help_text="UTC; of the open window")
    until = models.DateTimeField(null=True, blank=True, help_text="UTC; of the open window, or of the whole backfill")
    cursor = models.TextField(null=True, blank=True)
    pages = models.PositiveIntegerField(default=0)
    found = models.PositiveIntegerField(default=0, help_text="objects read")
    stored = models.PositiveIntegerField(default=0, help_text="of them not known before in that state")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="failures since the last page")
    next_at = models.DateTimeField(db_default=models.functions.Now())
    error = models.CharField(max_length=500, blank=True)
    read_at = models.DateTimeField(null=True, blank=True, help_text="when a window was last read to its end")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "stream"], condition=models.Q(purpose="live"), name="reading_live_once"
            ),
            models.UniqueConstraint(
                fields=["channel", "stream", "reached", "until"],
                condition=models.Q(purpose="backfill"),
                name="reading_backfill_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel}: {self.stream} ({self.purpose})"


class Fetch(models.Model):
    """One object that the vendor is to be asked for; written only by channels/fetching.py."""

    class State(models.TextChoices):
        DUE = "due", "Due"
        DONE = "done", "Done"
        ABSENT = "absent", "The vendor has no such object"
        FAILED = "failed", "Given up"

    channel = models.ForeignKey(Channel, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=40)
    object_id = models.TextField(help_text="the vendor's id, or several that one event named")
    state = models.CharField(max_length=10, choices=State.choices, default=State.DUE)
    attempts = models.PositiveSmallIntegerField(default=0)
    asked = models.PositiveIntegerField(
        default=1, help_text="counts who wanted it; a wish amid the asking makes it due again"
    )
    next_at = models.DateTimeField(
        db_default=models.functions.Now(), help_text="due then; while asking, the lease's end"
    )
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "fetches"
        constraints = [models.UniqueConstraint("channel", "kind", MD5("object_id"), name="fetch_once")]
        indexes = [models.Index(fields=["next_at"], name="fetch_due", condition=models.Q(state="due"))]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class Pace(models.Model):
    """The token bucket of one account, shared by all processes; below zero: somebody waits for his turn already."""

    channel = models.OneToOneField(Channel, models.CASCADE, primary_key=True)
    tokens = models.FloatField()
    at = models.DateTimeField()
