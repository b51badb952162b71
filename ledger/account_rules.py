"""The administrator's account rules: read for each batch, added and ended with an audit row. mapping.py says what they mean.

Who adds or ends a rule waits until every transaction is over that has read the rules, and lets none read them until the commit.
So all that was posted by the old rules is there to be seen by the rebuild that follows, and nothing is posted by them after it.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction

from channels.completeness import today_of
from channels.models import Channel
from ledger import accounts
from ledger.mapping import Rule, Rules
from ledger.models import Account, AccountRule
from salessync.core import audit, bulk
from salessync.core.models import Company

PATIENCE = "3s"  # for batches under way; those who read the rules in the meantime give up after five

_compiled: dict[tuple[str, int], tuple[list[Any], Rules]] = {}  # by database and company, with the stamp that they bear


class UnableToChange(Exception):
    """The rules stay as they are; the message says why."""


def load(company_ids: Collection[int]) -> dict[int, Rules]:
    """The rules of each company that has any. To be read in the database transaction that posts by them.

    The table is locked before the statement's snapshot is taken, so no stale rule is read here.
    """
    stamps: dict[int, list[Any]] = {}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT company_id, id, valid_to FROM ledger_accountrule WHERE company_id = ANY(%s) ORDER BY id",
            [list(company_ids)],
        )
        for company, *stamp in cursor.fetchall():
            stamps.setdefault(company, []).append(stamp)
    return {company: _ready(company, stamp) for company, stamp in stamps.items()}


def _ready(company: int, stamp: list[Any]) -> Rules:
    """The compiled rules of the batch before, with all that they remember: of a rule nothing changes but its last day."""
    key = (connection.settings_dict["NAME"], company)
    known, rules = _compiled.get(key, ([], Rules(())))
    if known != stamp:
        rows = AccountRule.objects.filter(company=company).select_related("account", "channel").order_by("pk")
        rules = Rules([as_rule(row) for row in rows])
        _compiled[key] = (stamp, rules)
    return rules


def as_rule(row: AccountRule) -> Rule:
    """A stored rule, or one that is about to be, as the pure part knows it."""
    channel = row.channel.slug if row.channel else ""
    return Rule(
        row.account.code, row.valid_from, row.valid_to, channel, row.role, row.kind, row.category, row.tax_code, row.pk or 0
    )  # fmt: skip


def supposing(company: Company, *, added: Rule | None = None, ended: Rule | None = None) -> dict[int, Rules]:
    """The company's rules as they would be with one more, or with one that ends on another day."""
    rows = list(load([company.pk]).get(company.pk, Rules(())).given)
    if ended is not None:
        rows = [ended if rule.id == ended.id else rule for rule in rows]
    return {company.pk: Rules([*rows, added] if added is not None else rows)}


def account_named(company: Company, code: str) -> Account:
    """The account of that code, made where there is none, of the kind that its name says."""
    made = {"name": accounts.name_of(code), "kind": accounts.kind_of(code)}
    return Account.objects.get_or_create(company=company, code=code, defaults=made)[0]


def add(*, rule: AccountRule, actor: str, sentence: str) -> AccountRule:
    """Store a new rule. UnableToChange where the books were written without a pause; IntegrityError where another rule contradicts."""
    with _alone():
        rule.save(force_insert=True)
        audit.record([(rule.company_id, actor, "added", "accountrule", rule.pk, {"message": sentence} | _told(rule))])
    return rule


def end(*, rule: AccountRule, valid_to: date | None, actor: str, sentence: str) -> AccountRule:
    """Give a rule another last day; the day before it begins withdraws it. Fails as `add` does."""
    with _alone():
        before = AccountRule.objects.values_list("valid_to", flat=True).get(pk=rule.pk)
        rule.valid_to = valid_to
        rule.save(update_fields=["valid_to"])
        told = {"message": sentence, "before": str(before or ""), "valid_to": str(valid_to or "")}
        audit.record([(rule.company_id, actor, "ended", "accountrule", rule.pk, told)])
    return rule


def _told(rule: AccountRule) -> dict[str, Any]:
    found = as_rule(rule)._asdict()
    return {name: str(value) for name, value in found.items() if value and name != "id"}


@contextmanager
def _alone() -> Iterator[None]:
    """A database transaction of one's own in which nobody else reads the rules."""
    with transaction.atomic():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
                cursor.execute("LOCK TABLE ledger_accountrule IN ACCESS EXCLUSIVE MODE")
        except OperationalError as error:
            raise UnableToChange("The books are being written without a pause: try again in a moment.") from error
        yield


def untouched_from(company: Company, now: datetime) -> date:
    """The first business day that has begun nowhere yet: after today, in the zone of every channel."""
    days = [today_of(channel, now) for channel in Channel.objects.filter(company=company)]
    return max([now.date(), *days]) + timedelta(days=1)
