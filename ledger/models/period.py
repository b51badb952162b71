"""Which days of a company's books are closed: every change, with who and why."""

from django.db import models

from salessync.core.models import Company


class PeriodChange(models.Model):
    """The books were closed up to a day, or opened again; the company's `closed_through` is what the latest one says."""

    class Action(models.TextChoices):
        CLOSED = "closed", "Closed"
        REOPENED = "reopened", "Opened again"

    company = models.ForeignKey(Company, models.PROTECT, related_name="period_changes")
    action = models.CharField(max_length=10, choices=Action.choices)
    closed_through = models.DateField(null=True, help_text="the last closed day since then; none: everything is open")
    before = models.DateField(null=True, help_text="the last closed day until then")
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=1000)
    at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="period_change_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.action} through {self.closed_through}"
