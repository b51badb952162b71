"""Clearing accounts as a control: what each processor owes, item by item, with its age and the reason why it is still open.

Items are kept up to date from the journal in the order of its numbers, off the hot path, by one process at a time. Σ items of an
account is its balance, always: what a payout's line takes off is counted against the very sale, refund or dispute that it pays,
and where nothing in the books answers to it, the line is an item of its own. A payout's line whose charge comes late finds it then.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce

from ledger import references
from ledger.models import OpenItemPosition
from salessync.core import bulk, locks
from salessync.core.models import Company

LOCK = 7231  # class of the advisory locks: one process a company
CHUNK = 5_000  # entries in one database transaction
CLEARING = "Assets:Clearing:%"
ALARM_DAYS = 14  # a processor pays within days

Place = tuple[int, str, int, str]  # account, currency, transaction, part
Sums = dict[Place, tuple[int, int, date]]  # amount, base amount, first day


class Moved(NamedTuple):
    """One posting on a clearing account; of a summary those of its details."""

    account_id: int
    currency: str
    transaction_id: int
    type: str
    path: str
    day: date
    amount: int
    base_amount: int


def roll_all() -> int:
    """Every company's items up to its newest entry; how many entries were read. Companies without new ones are left alone."""
    behind = Company.objects.annotate(rolled=Coalesce("openitemposition__seq", 0)).filter(feed_seq__gt=F("rolled"))
    return sum(roll(company) for company in behind.order_by("pk"))


def roll(company: Company) -> int:
    """Entries read; none, where another process does it."""
    read = 0
    with locks.alone(LOCK, company.pk) as alone:
        while alone and (count := _roll_chunk(company)):
            read += count
    return read


def _roll_chunk(company: Company) -> int:
    with transaction.atomic():
        OpenItemPosition.objects.bulk_create([OpenItemPosition(company=company)], ignore_conflicts=True)
        since = OpenItemPosition.objects.select_for_update().get(pk=company.pk).seq
        until = min(since + CHUNK, Company.objects.values_list("feed_seq", flat=True).get(pk=company.pk))
        if until <= since:
            return 0
        moved = _moved(company, since, until)
        _add(company.pk, _placed(moved))
        _find_late(company.pk)
        OpenItemPosition.objects.filter(pk=company.pk).update(seq=until)
    return until - since


def _moved(company: Company, since: int, until: int, after: date = date.min) -> list[Moved]:
    """Of the entries with these numbers; of those that are booked after a day, where it is named."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            WITH entries AS (SELECT e.id, e.transaction_id, e.business_date, t.type FROM ledger_journalentry e
                               JOIN channels_transaction t ON t.id = e.transaction_id
                              WHERE e.company_id = %(company)s AND e.seq > %(since)s AND e.seq <= %(until)s AND e.date > %(after)s),
                 clearing AS (SELECT id FROM ledger_account WHERE company_id = %(company)s AND code LIKE %(code)s)
            SELECT p.account_id, p.currency, e.transaction_id, e.type, p.path, e.business_date, p.amount, p.base_amount
              FROM entries e JOIN ledger_posting p ON p.entry_id = e.id
             WHERE e.type <> 'summary' AND p.account_id IN (SELECT id FROM clearing)
             UNION ALL
            SELECT p.account_id, p.currency, d.transaction_id, t.type, p.path, d.business_date, p.amount, p.base_amount
              FROM entries e JOIN ledger_detail d ON d.entry_id = e.id JOIN ledger_detailposting p ON p.detail_id = d.id
              JOIN channels_transaction t ON t.id = d.transaction_id
             WHERE e.type = 'summary' AND p.account_id IN (SELECT id FROM clearing)
            """,
            {"company": company.pk, "since": since, "until": until, "after": after, "code": CLEARING},
        )
        return [Moved(*row) for row in cursor.fetchall()]


def _placed(moved: Sequence[Moved]) -> Sums:
    """The sums by item: a payout's line counts for what it pays."""
    owners = references.owners({m.transaction_id for m in moved if m.type == "payout"})
    sums: Sums = {}
    for m in moved:
        part = _part(m.path) if m.type == "payout" else ""
        owner = owners.get((m.transaction_id, part)) if part else None
        place = (m.account_id, m.currency, owner or m.transaction_id, "" if owner else part)
        _into(sums, place, m.amount, m.base_amount, m.day)
    return sums


def _into(sums: Sums, place: Place, amount: int, base: int, day: date) -> None:
    before = sums.get(place, (0, 0, day))
    sums[place] = (before[0] + amount, before[1] + base, min(before[2], day))


def _part(path: str) -> str:
    """The line that a payout's posting is of, as the record names it; residual and amount stay themselves."""
    return path.rsplit("/", 1)[0] if path.startswith("lines/") else path


def _find_late(company_id: int) -> None:
    """Lines of payouts that nothing answered to, and now something does."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT i.account_id, i.currency, i.transaction_id, i.part, i.amount, i.base_amount, i.opened_on FROM ledger_openitem i"
            " JOIN channels_transaction t ON t.id = i.transaction_id AND t.type = 'payout'"
            " WHERE i.company_id = %s AND i.part LIKE 'lines/%%'",
            [company_id],
        )
        rows = cursor.fetchall()
    owners = references.owners({transaction_id for _, _, transaction_id, *_ in rows})
    sums: Sums = {}
    for account, currency, payout, part, amount, base, day in rows:
        owner = owners.get((payout, part))
        if owner is not None:
            _into(sums, (account, currency, payout, part), -amount, -base, day)
            _into(sums, (account, currency, owner, ""), amount, base, day)
    _add(company_id, sums)


def _add(company_id: int, sums: Sums) -> None:
    if not sums:
        return
    rows = [(*place, *amounts) for place, amounts in sorted(sums.items())]
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_openitem (company_id, account_id, currency, transaction_id, part, amount, base_amount, opened_on)"
            " SELECT %s, * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::date[])"
            " ON CONFLICT (account_id, currency, transaction_id, part) DO UPDATE SET"
            " amount = ledger_openitem.amount + excluded.amount, base_amount = ledger_openitem.base_amount + excluded.base_amount,"
            " opened_on = least(ledger_openitem.opened_on, excluded.opened_on)",
            [company_id, *(list(column) for column in zip(*rows, strict=True))],
        )
        cursor.execute(
            "DELETE FROM ledger_openitem WHERE company_id = %s AND amount = 0 AND base_amount = 0", [company_id]
        )


# --- reading


class OpenItemRow(NamedTuple):
    """Debit positive: the processor owes it. Minor units of `currency`, `base_amount` of the base currency; `age` in days."""

    account: str
    currency: str
    amount: int
    base_amount: int
    opened_on: date | None
    age: int | None
    why: str
    channel: str
    type: str
    source: str
    transaction_id: int


def items(company: Company, *, today: date, accounts: Iterable[str] = ()) -> list[OpenItemRow]:
    """What is open after all entries that there are, the oldest first; of some accounts only, where they are named."""
    return standing(company, today=today, accounts=accounts)[0]


def standing(
    company: Company, *, today: date, as_of: date | None = None, accounts: Iterable[str] = ()
) -> tuple[list[OpenItemRow], int]:
    """What was open at the end of `as_of` (None: after all entries), and the number of the last entry that was looked at.

    Items of today, less what was booked after that day: the further back, the more there is to take off. An item that was closed
    since is as old as its transaction.
    """
    roll(company)
    with transaction.atomic():
        seq = _held(company)
        moved = _moved(company, 0, seq, as_of) if as_of else []
        rows = _read(company, _placed(moved), list(accounts))
    return [
        OpenItemRow(
            code, currency, amount, base, opened, (today - opened).days,
            why(type_, status, part, amount, category, reference), channel, type_, number or source, id_,
        )
        for code, currency, amount, base, opened, part, channel, type_, source, number, status, id_, category, reference in rows
    ], seq  # fmt: skip


def _held(company: Company) -> int:
    """How far the items are rolled; no further until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq FROM ledger_openitemposition WHERE company_id = %s FOR SHARE", [company.pk])
        found = cursor.fetchone()
    return int(found[0]) if found else 0


def _read(company: Company, later: Sums, codes: list[str]) -> list[tuple[Any, ...]]:
    """The stored items, less what came later."""
    taken_off = [(*place, amount, base) for place, (amount, base, _) in later.items()]
    columns = [list(column) for column in zip(*taken_off, strict=True)] if taken_off else [[]] * 6
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            WITH sums AS (
                SELECT account_id, currency, transaction_id, part, sum(amount)::bigint AS amount,
                       sum(base_amount)::bigint AS base_amount, min(opened_on) AS opened_on
                  FROM (SELECT account_id, currency, transaction_id, part, amount, base_amount, opened_on
                          FROM ledger_openitem WHERE company_id = %s
                         UNION ALL
                        SELECT account_id, currency, transaction_id, part, -amount, -base, NULL
                          FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[])
                            AS l(account_id, currency, transaction_id, part, amount, base)) x
                 GROUP BY 1, 2, 3, 4 HAVING sum(amount) <> 0 OR sum(base_amount) <> 0)
            SELECT a.code, i.currency, i.amount, i.base_amount, coalesce(i.opened_on, t.business_date) AS opened, i.part, c.slug, t.type,
                   t.source_id, t.number, t.status, t.id, l.category, l.reference
              FROM sums i JOIN ledger_account a ON a.id = i.account_id
              JOIN channels_transaction t ON t.id = i.transaction_id JOIN channels_channel c ON c.id = t.channel_id
              LEFT JOIN channels_payoutline l ON l.transaction_id = t.id AND i.part = 'lines/' || l.line_id
             WHERE %s::text[] = '{}' OR a.code = ANY(%s::text[])
             ORDER BY opened, a.code COLLATE "C", t.id, i.part
            """,
            [company.pk, *columns, codes, codes],
        )
        return cursor.fetchall()


def why(type_: str, status: str, part: str, amount: int, category: str | None, reference: str | None) -> str:
    """The reason in a bookkeeper's words."""
    if type_ == "payout":
        if part == "residual":
            return "the payout is not the sum of its lines"
        if part == "amount":
            return "the payout came without its lines"
        what = (
            f"the {category or 'line'} {reference}"
            if reference
            else f"the payout's line of kind {category or 'unknown'}"
        )
        return f"{what} is paid, and nothing in the books answers to it"
    if type_ == "dispute":
        return f"disputed ({status}), and in no payout yet"
    if type_ == "manual":
        return "booked by hand"
    if type_ == "refund":
        return "given back, and in no payout yet" if amount < 0 else "more was taken off by payouts than given back"
    return "paid by the customer, and in no payout yet" if amount > 0 else "more was paid out than the customer paid"


class ClearingState(NamedTuple):
    """One clearing account in one currency: `items` open, their sums, and the age of the oldest in days."""

    account: str
    currency: str
    items: int
    amount: int
    base_amount: int
    oldest: int


def states(*, today: date) -> list[tuple[str, ClearingState]]:
    """(company, state) of every clearing account that has open items, as far as they are rolled: for metrics."""
    return _states(today, date.max)


def alarming(today: date, *, days: int = ALARM_DAYS) -> list[tuple[str, ClearingState]]:
    """(company, state) of every clearing account with items that are older than so many days; only these are counted in it."""
    return _states(today, today - timedelta(days=days + 1))


def older(company: Company, *, today: date, days: int) -> list[ClearingState]:
    """The same for one company."""
    return [state for slug, state in _states(today, today - timedelta(days=days + 1)) if slug == company.slug]


def _states(today: date, opened_until: date) -> list[tuple[str, ClearingState]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.slug, a.code, i.currency, count(*), sum(i.amount)::bigint, sum(i.base_amount)::bigint, %s::date - min(i.opened_on)"
            "  FROM ledger_openitem i JOIN ledger_account a ON a.id = i.account_id JOIN core_company c ON c.id = i.company_id"
            " WHERE i.opened_on <= %s GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            [today, opened_until],
        )
        return [(company, ClearingState(*rest)) for company, *rest in cursor.fetchall()]


def differing() -> list[str]:
    """Accounts whose items are not their balance: none, ever. Of what is rolled."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a.code || ' ' || x.currency FROM (
                SELECT p.account_id, p.currency, p.amount FROM ledger_journalentry e JOIN ledger_openitemposition o ON o.company_id = e.company_id
                  JOIN ledger_posting p ON p.entry_id = e.id WHERE e.seq <= o.seq
                 UNION ALL SELECT account_id, currency, -amount FROM ledger_openitem) x
              JOIN ledger_account a ON a.id = x.account_id AND a.code LIKE %s
             GROUP BY a.code, x.currency HAVING sum(x.amount) <> 0
            """,
            [CLEARING],
        )
        return [text for (text,) in cursor.fetchall()]


def by_account(rows: Iterable[OpenItemRow]) -> dict[tuple[str, str], int]:
    """(account, currency) → Σ of its open items."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        found[row.account, row.currency] += row.amount
    return dict(found)
