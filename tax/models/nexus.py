"""How near a company's sales come to a state's threshold, from which on it must register there."""

from django.db import models
from django.db.models.functions import Now

from salessync.core.models import Company


class NexusWatch(models.Model):
    """Sales to one state in the period that its law looks at; kept up by a nightly count. Amounts in minor units of `currency`."""

    class State(models.TextChoices):
        FAR = "far", "Far from it"
        NEAR = "near", "Near"
        PASSED = "passed", "Passed, and not registered"
        REGISTERED = "registered", "Registered"

    company = models.ForeignKey(Company, models.PROTECT)
    jurisdiction = models.CharField(max_length=60)
    period = models.CharField(max_length=40, help_text="which days were counted")
    sales = models.BigIntegerField()
    transactions = models.IntegerField()
    currency = models.CharField(max_length=3)
    share = models.DecimalField(max_digits=9, decimal_places=4, help_text="of the threshold; 1 is all of it")
    state = models.CharField(max_length=10, choices=State.choices)
    passed_on = models.DateField(null=True, help_text="the business day on which it was passed")
    counted_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "nexus"
        constraints = [models.UniqueConstraint(fields=["company", "jurisdiction"], name="nexus_watch_once")]

    def __str__(self) -> str:
        return self.jurisdiction
