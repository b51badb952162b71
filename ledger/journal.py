"""Posts the difference between what should stand and what does. The only writer of the journal and its sub-ledger.

For each transaction: its target (targets.py, settling.py), less the sum of its postings by business day, account, currency,
dimensions and path. What remains is one balanced entry a day, or nothing. Set-based: a few statements a batch.

A channel that posts in summary has its differences in the sub-ledger (details), of which summaries.py makes entries. What stands
for a transaction is the sum of both, so that a channel may change from one to the other on any day.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from channels.arrivals import ChannelFacts
from ledger import accounts
from ledger.models import Detail, JournalEntry
from ledger.targets import Legs, Target
from salessync.core import bulk

Standing = dict[int, dict[date, Legs]]  # transaction → business date → what stands


class Entry(NamedTuple):
    """A difference to post, balanced in itself."""

    channel: ChannelFacts
    transaction_id: int
    version_id: int
    business_date: date
    legs: Legs
    summarized: bool


def post(targets: Sequence[Target], created: set[int]) -> list[int]:
    """Post what the books lack of the targets; returns the new entries' ids, each with its delivery to Bookkeeper due.

    `created`: transactions that this batch made, for which nothing can stand yet.
    """
    known = {t.transaction_id for t in targets if t.transaction_id not in created}
    return write(list(differences(targets, standing(sorted(known)))), known)


def differences(targets: Iterable[Target], stands: Standing) -> Iterable[Entry]:
    """What the books lack; nothing where they are as they should be. What stood on another day than the target's is taken back there."""
    for target in targets:
        days = stands.get(target.transaction_id)
        if days is None:
            if target.legs:
                yield _entry(target, target.business_date, target.legs)
            continue
        for day in sorted({target.business_date, *days}):
            wanted = target.legs if day == target.business_date else {}
            difference = _subtract(wanted, days.get(day, {}))
            if difference:
                yield _entry(target, day, difference)


def _entry(target: Target, day: date, legs: Legs) -> Entry:
    return Entry(target.channel, target.transaction_id, target.version_id, day, legs, target.summarized)


def _subtract(wanted: Legs, stands: Legs) -> Legs:
    found = {}
    for key in {**wanted, **stands}:
        want, have = wanted.get(key, (0, 0)), stands.get(key, (0, 0))
        if want != have:
            found[key] = (want[0] - have[0], want[1] - have[1])
    return found


def standing(ids: list[int]) -> Standing:
    """What stands for each transaction, in the journal and in the sub-ledger."""
    found: Standing = {}
    if ids:
        with bulk.binary_cursor() as cursor:
            cursor.execute(_STANDING, [ids, ids])
            for (
                transaction_id,
                day,
                code,
                currency,
                location,
                tax_code,
                category,
                path,
                amount,
                base,
            ) in cursor.fetchall():
                legs = found.setdefault(transaction_id, {}).setdefault(day, {})
                legs[code, currency, location, tax_code, category, path] = (amount, base)
    return found


_STANDING = """
    SELECT x.transaction_id, x.business_date, a.code, x.currency, x.location, x.tax_code, x.category, x.path,
           sum(x.amount)::bigint, sum(x.base_amount)::bigint
      FROM (SELECT k.id AS transaction_id, e.business_date, p.account_id, p.currency, p.location, p.tax_code, p.category, p.path,
                   p.amount, p.base_amount
              FROM unnest(%s::bigint[]) AS k(id)  -- by key, one by one: OFFSET keeps the planner from reading whole tables instead
             CROSS JOIN LATERAL (SELECT id, business_date FROM ledger_journalentry WHERE transaction_id = k.id OFFSET 0) e
             CROSS JOIN LATERAL (SELECT * FROM ledger_posting WHERE entry_id = e.id OFFSET 0) p
             UNION ALL
            SELECT k.id, d.business_date, p.account_id, p.currency, p.location, p.tax_code, p.category, p.path,
                   p.amount, p.base_amount
              FROM unnest(%s::bigint[]) AS k(id)
             CROSS JOIN LATERAL (SELECT id, business_date FROM ledger_detail WHERE transaction_id = k.id OFFSET 0) d
             CROSS JOIN LATERAL (SELECT * FROM ledger_detailposting WHERE detail_id = d.id OFFSET 0) p) x
      JOIN ledger_account a ON a.id = x.account_id
     GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 HAVING sum(x.amount) <> 0 OR sum(x.base_amount) <> 0
"""

_ENTRY = [
    ("id", "int8"), ("company_id", "int8"), ("seq", "int8"), ("transaction_id", "int8"), ("sequence", "int4"),
    ("version_id", "int8"), ("date", "date"), ("business_date", "date"), ("legs", "int2"),
]  # fmt: skip
_POSTING = [
    ("entry_id", "int8"), ("leg", "int2"), ("company_id", "int8"), ("transaction_id", "int8"), ("account_id", "int8"),
    ("amount", "int8"), ("currency", "text"), ("base_amount", "int8"), ("channel_id", "int8"), ("location", "text"),
    ("tax_code", "text"), ("category", "text"), ("path", "text"),
]  # fmt: skip
_DELIVERY = [("entry_id", "int8"), ("company_id", "int8")]
_DETAIL = [
    ("id", "int8"), ("company_id", "int8"), ("channel_id", "int8"), ("transaction_id", "int8"), ("sequence", "int4"),
    ("version_id", "int8"), ("business_date", "date"), ("legs", "int2"),
]  # fmt: skip
_DETAIL_POSTING = [
    ("detail_id", "int8"), ("leg", "int2"), ("account_id", "int8"), ("amount", "int8"), ("currency", "text"),
    ("base_amount", "int8"), ("location", "text"), ("tax_code", "text"), ("category", "text"), ("path", "text"),
]  # fmt: skip


def write(entries: Sequence[Entry], known: set[int]) -> list[int]:
    """Write differences down; `known`: transactions that may have entries already. Returns the journal entries' ids."""
    if not entries:
        return []
    account_ids = _account_ids({(e.channel.company_id, key[0]) for e in entries for key in e.legs})
    details = [e for e in entries if e.summarized]
    if details:
        _write_details(details, known, account_ids)
    entries = [e for e in entries if not e.summarized]
    return _write_entries(entries, known, account_ids) if entries else []


def _write_entries(entries: Sequence[Entry], known: set[int], account_ids: dict[tuple[int, str], int]) -> list[int]:
    sequence = _Sequences("ledger_journalentry", entries, known)
    ids = bulk.next_ids(JournalEntry, len(entries))
    places = _next_in_feed(entries)
    bulk.copy_in(
        "ledger_journalentry",
        _ENTRY,
        (
            (id_, e.channel.company_id, seq, e.transaction_id, sequence.next(e.transaction_id), e.version_id, day,
             e.business_date, len(e.legs))
            for id_, (seq, day), e in zip(ids, places, entries, strict=True)
        ),
    )  # fmt: skip
    bulk.copy_in("ledger_posting", _POSTING, _posting_rows(ids, entries, account_ids))
    bulk.copy_in(
        "ledger_delivery", _DELIVERY, ((id_, e.channel.company_id) for id_, e in zip(ids, entries, strict=True))
    )
    return ids


def _posting_rows(
    ids: Sequence[int], entries: Sequence[Entry], account_ids: dict[tuple[int, str], int]
) -> Iterable[tuple[Any, ...]]:
    for id_, e in zip(ids, entries, strict=True):
        company, channel, owner = e.channel.company_id, e.channel.id, e.transaction_id
        for leg, (key, (amount, base)) in enumerate(e.legs.items(), 1):
            account, currency, location, tax_code, category, path = key
            yield (id_, leg, company, owner, account_ids[company, account], amount, currency, base, channel, location,
                   tax_code, category, path)  # fmt: skip


def _write_details(details: Sequence[Entry], known: set[int], account_ids: dict[tuple[int, str], int]) -> None:
    sequence = _Sequences("ledger_detail", details, known)
    ids = bulk.next_ids(Detail, len(details))
    bulk.copy_in(
        "ledger_detail",
        _DETAIL,
        (
            (id_, e.channel.company_id, e.channel.id, e.transaction_id, sequence.next(e.transaction_id), e.version_id,
             e.business_date, len(e.legs))
            for id_, e in zip(ids, details, strict=True)
        ),
    )  # fmt: skip
    bulk.copy_in(
        "ledger_detailposting",
        _DETAIL_POSTING,
        (
            (id_, leg, account_ids[e.channel.company_id, key[0]], amount, key[1], base, *key[2:])
            for id_, e in zip(ids, details, strict=True)
            for leg, (key, (amount, base)) in enumerate(e.legs.items(), 1)
        ),
    )


class _Sequences:
    """The next number of each transaction's entries (or details)."""

    def __init__(self, table: str, entries: Sequence[Entry], known: set[int]) -> None:
        self.last: dict[int, int] = {}
        ids = [e.transaction_id for e in entries if e.transaction_id in known]
        if ids:
            with bulk.binary_cursor() as cursor:
                cursor.execute(
                    f"SELECT transaction_id, max(sequence) FROM {table} WHERE transaction_id = ANY(%s) GROUP BY 1",  # noqa: S608 -- one of two
                    [ids],
                )
                self.last = dict(cursor.fetchall())

    def next(self, transaction_id: int) -> int:
        self.last[transaction_id] = self.last.get(transaction_id, 0) + 1
        return self.last[transaction_id]


def _account_ids(codes: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    """Ids of the accounts; those of a processor, till or channel that is new are made."""
    found = _find_accounts(codes)
    missing = sorted(codes - found.keys())
    if missing:
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                "INSERT INTO ledger_account (company_id, code, name, kind)"
                " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING",
                [
                    [company for company, _ in missing],
                    [code for _, code in missing],
                    [accounts.name_of(code) for _, code in missing],
                    [accounts.kind_of(code) for _, code in missing],
                ],
            )
        found = _find_accounts(codes)
    return found


def _find_accounts(codes: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT a.company_id, a.code, a.id FROM unnest(%s::bigint[], %s::text[]) AS w(company_id, code)"
            " JOIN ledger_account a USING (company_id, code)",
            [list(column) for column in zip(*codes, strict=True)],
        )
        return {(company, code): id_ for company, code, id_ in cursor.fetchall()}


def _next_in_feed(entries: Sequence[Entry]) -> list[tuple[int, date]]:
    """To each entry its number and the day it is booked on: its own, or the first open one after it.

    Numbers are without gaps and in commit order: the company's row stays locked until the commit, and so does the end of its
    closed days. Taken last, in one order.
    """
    counts: dict[int, int] = {}
    for e in entries:
        counts[e.channel.company_id] = counts.get(e.channel.company_id, 0) + 1
    number: dict[int, int] = {}
    first_open: dict[int, date] = {}
    with bulk.binary_cursor() as cursor:
        for company, count in sorted(counts.items()):
            cursor.execute(
                "UPDATE core_company SET feed_seq = feed_seq + %s WHERE id = %s RETURNING feed_seq, closed_through",
                [count, company],
            )
            last, closed_through = cursor.fetchone()
            number[company] = last - count
            first_open[company] = closed_through + timedelta(days=1) if closed_through else date.min
    places = []
    for e in entries:
        company = e.channel.company_id
        number[company] += 1
        places.append((number[company], max(e.business_date, first_open[company])))
    return places
