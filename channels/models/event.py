"""The inbox: one row for each message that was captured, whatever became of it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from channels.models.channel import Channel


class Event(models.Model):
    """Written only by channels/capture.py, moved on only by channels/inbox.py."""

    class State(models.TextChoices):
        NEW = "new", "Due"
        CLAIMED = "claimed", "In work"
        POSTED = "posted", "Posted"
        WAITING = "waiting", "Waiting for its sale"
        IGNORED = "ignored", "Ignored"
        QUARANTINED = "quarantined", "Quarantined"
        DEAD = "dead", "Dead"

    class Mode(models.TextChoices):
        WEBHOOK = "webhook"
        POLL = "poll"
        FETCH = "fetch"
        BACKFILL = "backfill"
        FILE = "file"
        API = "api"

    class Lane(models.IntegerChoices):
        LIVE = 0
        BACKFILL = 1

    id = models.BigAutoField(primary_key=True)
    company_id = models.BigIntegerField()
    channel = models.ForeignKey(Channel, models.PROTECT, db_index=False)
    dedupe_key = models.CharField(max_length=400)
    topic = models.CharField(max_length=100)
    mode = models.CharField(max_length=10, choices=Mode.choices)
    headers = models.JSONField(default=dict, help_text="the headers that matter, without secrets")
    body = models.BinaryField(help_text="scrubbed: without personal data and card numbers")
    readable = models.BooleanField(db_default=True, help_text="false: no JSON that every reader reads alike")
    body_sha256 = models.BinaryField(max_length=32, help_text="of the bytes as they were received")
    lane = models.PositiveSmallIntegerField(
        choices=Lane.choices, db_default=Lane.LIVE, help_text="what happens now goes before what happened long ago"
    )
    state = models.CharField(max_length=12, choices=State.choices, db_default=State.NEW)
    attempts = models.PositiveSmallIntegerField(db_default=0)
    next_attempt_at = models.DateTimeField(
        db_default=models.functions.Now(), help_text="due then; while in work, the lease's end"
    )
    copies = models.PositiveIntegerField(db_default=1, help_text="how often the same delivery came")
    waiting_for = models.CharField(max_length=300, null=True)
    problems = models.JSONField(null=True, help_text="[{code, path, message}]")
    reason = models.CharField(max_length=500, null=True, help_text="why it was ignored, and by whom")
    received_at = models.DateTimeField(help_text="when its request arrived")
    stored_at = models.DateTimeField(db_default=models.functions.Now())
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    purged_at = models.DateTimeField(null=True, help_text="since when its body is empty (channels/retention.py)")
    purged_bytes = models.PositiveIntegerField(null=True, help_text="how long the body was that was purged")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "dedupe_key"], name="event_once"),
            models.CheckConstraint(
                condition=~models.Q(state__in=["quarantined", "dead"]) | models.Q(problems__isnull=False),
                name="event_failure_has_problems",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="ignored") | models.Q(reason__isnull=False), name="event_ignored_has_reason"
            ),
            models.CheckConstraint(
                condition=models.Q(purged_at__isnull=True, purged_bytes__isnull=True)
                | models.Q(
                    purged_at__isnull=False, purged_bytes__isnull=False, body=b"", state__in=["posted", "ignored"]
                ),
                name="event_purged",
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "id"], name="event_due", condition=models.Q(state="new", attempts=0)),
            models.Index(
                fields=["next_attempt_at"],
                name="event_retry",
                condition=models.Q(state__in=["new", "claimed"], attempts__gt=0),
            ),
            models.Index(
                fields=["state", "id"],
                name="event_attention",
                condition=models.Q(state__in=["waiting", "quarantined", "dead", "ignored"]),
            ),
            models.Index(fields=["finished_at"], name="event_finished", condition=models.Q(state="posted")),
        ]
        permissions = [("replay_event", "Can replay, map and ignore events")]

    def __str__(self) -> str:
        return f"event {self.pk} {self.topic}"


class Lease(models.Model):
    """Fresh events that a worker has in hand: they stay `new` until its batch commits. Written only by channels/inbox.py."""

    ends_at = models.DateTimeField(help_text="a worker that is gone by then gives its events back")
    event_ids = ArrayField(models.BigIntegerField())
