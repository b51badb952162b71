"""The chart of accounts."""

from django.db import models

from salessync.core.models import Company


class Account(models.Model):
    """`code` is the full name, as beancount and hledger write it: Assets:Clearing:Stripe."""

    class Kind(models.TextChoices):
        ASSET = "asset"
        LIABILITY = "liability"
        INCOME = "income"
        EXPENSE = "expense"
        EQUITY = "equity"

    company = models.ForeignKey(Company, models.PROTECT)
    code = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["company", "code"], name="account_code")]

    def __str__(self) -> str:
        return self.code
