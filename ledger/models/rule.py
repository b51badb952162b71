"""What an administrator decided about accounts, and the recomputations that follow from it."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models.functions import Coalesce, Now

from channels.models import Channel
from ledger.models.account import Account
from salessync.core.models import Company

# The last day is in force still, so the range ends on the next; a withdrawn rule's range is empty.
IN_FORCE = models.Func(
    models.F("valid_from"),
    models.Func(models.F("valid_to"), template="(%(expressions)s)::date + 1", output_field=models.DateField()),
    function="daterange",
    output_field=DateRangeField(),
)
DAY_BEFORE = models.Func(
    models.F("valid_from"), template="(%(expressions)s)::date - 1", output_field=models.DateField()
)


class AccountRule(models.Model):
    """One rule of ledger/mapping.py, which says what the conditions mean; an empty one holds for everything.

    A rule is never changed and never deleted, but for its last day: the database refuses it. A rule that ends on the day before
    it begins was withdrawn, and never in force.
    """

    company = models.ForeignKey(Company, models.PROTECT)
    channel = models.ForeignKey(Channel, models.PROTECT, null=True, blank=True)
    role = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=20, blank=True)
    category = models.CharField(max_length=500, blank=True)
    tax_code = models.CharField(max_length=201, blank=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="+")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="account_rule_once",
                expressions=[
                    ("company", RangeOperators.EQUAL),
                    (Coalesce("channel", 0), RangeOperators.EQUAL),
                    ("role", RangeOperators.EQUAL),
                    ("kind", RangeOperators.EQUAL),
                    ("category", RangeOperators.EQUAL),
                    ("tax_code", RangeOperators.EQUAL),
                    (IN_FORCE, RangeOperators.OVERLAPS),
                ],
                violation_error_message="Another rule with the same conditions holds on some of these days: end that one first.",
            ),
            models.CheckConstraint(
                condition=~models.Q(role="", kind="", category="", tax_code=""), name="account_rule_has_condition"
            ),
            models.CheckConstraint(
                condition=models.Q(valid_to=None) | models.Q(valid_to__gte=DAY_BEFORE),
                name="account_rule_days",
            ),
        ]

    def __str__(self) -> str:
        return f"rule {self.pk}"


class Rebuild(models.Model):
    """A recomputation of the books that was asked for, until it is done. `after` is the last family that was looked at."""

    company = models.ForeignKey(Company, models.PROTECT)
    channel = models.ForeignKey(Channel, models.PROTECT, null=True)
    first = models.DateField(null=True, help_text="sales of this business day and later")
    last = models.DateField(null=True, help_text="sales up to this business day")
    rule = models.ForeignKey(
        AccountRule, models.PROTECT, null=True, related_name="rebuilds", help_text="whose change asked for it"
    )
    reason = models.CharField(max_length=1000)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField(db_default=Now())
    after = models.CharField(max_length=330, default="")
    transactions = models.BigIntegerField(default=0, help_text="looked at")
    entries = models.BigIntegerField(default=0, help_text="posted")
    problems = models.JSONField(default=list, help_text="what could not be computed")
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["id"], name="rebuild_due", condition=models.Q(done_at__isnull=True))]

    def __str__(self) -> str:
        return f"rebuild {self.pk}"
