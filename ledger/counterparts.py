"""Our accounts and Bookkeeper's: its chart, what each of ours is called there, and which have no counterpart.

Nothing is refused here: an entry on an account that Bookkeeper lacks goes out all the same, Bookkeeper judges it, and the list says why.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import connection, transaction

from channels.manual import ACCOUNT
from ledger.claims import CLAIM_LOCK
from ledger.messages import Codes
from ledger.models import Account, BookkeeperAccount, BookkeeperCode
from ledger.notices import AccountList, Correction, TheirAccount
from salessync.core import audit
from salessync.core.models import Company
from salessync.core.problems import Problem, Refused

COUNTED = 10_000  # undelivered entries


class Changes(NamedTuple):
    """What a new list changed, by code."""

    added: list[str]
    changed: list[str]
    removed: list[str]


class Lacking(NamedTuple):
    """One of our accounts as Bookkeeper is told it, why it has no counterpart, and how many undelivered entries name it."""

    account: str
    told_as: str
    why: str  # "unknown" or "closed"
    undelivered: int


def receive(*, company: Company, chart: AccountList, actor: str) -> Changes:
    """Keep Bookkeeper's list of accounts in place of the one before; what is not in it is gone."""
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)  # one list after the other
        stands = {account.code: account for account in BookkeeperAccount.objects.filter(company=company)}
        told = {account.code: account for account in chart.accounts}
        changes = Changes(
            sorted(told.keys() - stands.keys()),
            sorted(code for code in told.keys() & stands.keys() if _differs(told[code], stands[code])),
            sorted(stands.keys() - told.keys()),
        )
        gone = [stands[code].pk for code in (*changes.changed, *changes.removed)]
        BookkeeperAccount.objects.filter(pk__in=gone).delete()
        BookkeeperAccount.objects.bulk_create(
            BookkeeperAccount(company=company, code=code, name=told[code].name, kind=told[code].kind, active=told[code].active)
            for code in (*changes.added, *changes.changed)
        )  # fmt: skip
        if gone or changes.added:
            data = {name: codes[:100] for name, codes in changes._asdict().items()} | {"accounts": len(told)}
            audit.record([(company.pk, actor, "accounts received", "company", company.pk, data)])
    return changes


def _differs(told: TheirAccount, stands: BookkeeperAccount) -> bool:
    return (told.name, told.kind, told.active) != (stands.name, stands.kind, stands.active)


def call(*, account: Account, code: str, actor: str) -> BookkeeperCode | None:
    """From the next batch on Bookkeeper is told `code` in place of our account; "": our own code. None: it was so already."""
    code = checked(code)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
        latest = BookkeeperCode.objects.filter(account=account).order_by("-id").first()
        if (latest.code if latest else "") == code:
            return None
        made = BookkeeperCode.objects.create(company_id=account.company_id, account=account, code=code, actor=actor)
        data = {"account": account.code, "before": latest.code if latest else "", "code": code}
        audit.record([(account.company_id, actor, "called at Bookkeeper", "account", account.pk, data)])
    return made


def checked(code: str) -> str:
    """Without blanks around it; Refused for what is no code."""
    code = code.strip()
    if len(code) > 200 or not code.isprintable():
        raise Refused(Problem("BAD_CODE", "code", "an account's code has at most 200 characters that can be read"))
    return code


def without_counterpart(company: Company) -> list[Lacking]:
    """Our accounts that Bookkeeper has not or has closed; none while it has not told us its accounts."""
    chart = dict(BookkeeperAccount.objects.filter(company=company).values_list("code", "active"))
    if not chart:
        return []
    codes = Codes([company.pk])
    waiting = _undelivered(company)
    told = {account: codes.named(company.pk, account) for account in _ours(company.pk)}
    return [
        Lacking(account, code, "closed" if code in chart else "unknown", waiting[account])
        for account, code in told.items()
        if not chart.get(code)
    ]


def _ours(company_id: int) -> Iterable[str]:
    return Account.objects.filter(company=company_id).order_by("code").values_list("code", flat=True)


def _undelivered(company: Company) -> Counter[str]:
    """Our account → entries on their way that name it, of the first COUNTED."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.code, count(DISTINCT p.entry_id) FROM (SELECT entry_id FROM ledger_delivery WHERE state = 'due'"
            "  AND company_id = %s ORDER BY entry_id LIMIT %s) d JOIN ledger_posting p ON p.entry_id = d.entry_id"
            " JOIN ledger_account a ON a.id = p.account_id GROUP BY 1",
            [company.pk, COUNTED],
        )
        return Counter(dict(cursor.fetchall()))


def named(company_id: int) -> dict[str, list[str]]:
    """Bookkeeper's code → our accounts that it stands for, by today's codes."""
    codes = Codes([company_id])
    found = defaultdict(list)
    for account in _ours(company_id):
        found[codes.named(company_id, account)].append(account)
    return found


def ours(company: Company, correction: Correction) -> list[str]:
    """Our account for each posting of a correction; Refused for those that stand for none of ours, or for several."""
    called = named(company.pk)
    found = [_one(posting.account, called.get(posting.account, ())) for posting in correction.postings]
    problems = [
        Problem(what.code, f"postings[{index}].account", what.message)
        for index, what in enumerate(found)
        if isinstance(what, Problem)
    ]
    if problems:
        raise Refused(*problems)
    return [what for what in found if isinstance(what, str)]


def _one(theirs: str, named: Sequence[str]) -> str | Problem:
    """An account that Bookkeeper calls by a full name and we have not yet is made when it is posted to."""
    if len(named) == 1:
        return named[0]
    if named:
        message = f"{theirs} stands for several of our accounts ({', '.join(named)}): give them codes of their own"
        return Problem("AMBIGUOUS_ACCOUNT", "account", message)
    if ACCOUNT.fullmatch(theirs):
        return theirs
    message = f"{theirs} stands for none of our accounts: say first which of them it is"
    return Problem("UNKNOWN_ACCOUNT", "account", message)
