"""Posts the difference between what should stand and what does. The only writer of the journal.

For each transaction of a family: the recipes' legs, less the sum of its postings by account, currency, dimensions and path. What
remains is one balanced entry, or nothing. Set-based: a few statements a batch.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from channels.arrivals import ChannelFacts
from channels.family import Member
from channels.transactions import FamilyWork
from ledger import accounts, rates, recipes
from ledger.models import JournalEntry
from ledger.recipes import Leg, Policy
from salessync.core import bulk
from salessync.core.money import convert

Key = tuple[str, str | None, str | None, str | None, str]  # account, location, tax code, category, path
Standing = dict[int, dict[Key, tuple[int, int]]]  # transaction → key → (amount, base amount)


class Entry(NamedTuple):
    """A difference to post: amounts by key, in the transaction's and in the base currency."""

    channel: ChannelFacts
    transaction_id: int
    version_id: int
    date: date
    currency: str
    legs: dict[Key, tuple[int, int]]


def post(works: Sequence[FamilyWork], created: set[int]) -> list[int]:
    """Post every family's differences; returns the new entries' ids, each with its delivery to Bookkeeper due."""
    known = [id_ for work in works for id_ in work.versions if id_ not in created]
    stands = standing(known)
    rate = rates.load([need for work in works for need in _rate_needs(work)])
    entries = [e for work in works for e in differences(work, stands, rate)]
    return _write(entries, set(known)) if entries else []


def _rate_needs(work: FamilyWork) -> Iterable[rates.Need]:
    for member in _booked(work):
        yield _rate_need(work, member)


def _rate_need(work: FamilyWork, member: Member) -> rates.Need:
    """A refund is booked at its sale's rate, so that giving all back nets to zero; the payout shows what exchange cost."""
    dated = work.family.sale or member
    return dated.record.business_date, member.record.currency, work.channel.base_currency


def _booked(work: FamilyWork) -> Iterable[Member]:
    if work.family.sale:
        yield work.family.sale
    yield from work.family.refunds


def differences(work: FamilyWork, standing: Standing, rate: dict[rates.Need, Decimal] | None = None) -> Iterable[Entry]:
    """What a family's books lack; nothing where they are as they should be."""
    if rate is None:
        rate = rates.load(list(_rate_needs(work)))
    wanted = recipes.postings(work.family, Policy(work.channel.slug, work.channel.refund_tax))
    for member in _booked(work):
        legs = wanted.get(member.transaction_id, [])
        stands = standing.get(member.transaction_id, {})
        if legs and not work.channel.posts(member.record):
            legs = []
        if not legs and not stands:
            continue
        target = _target(legs, member, work.channel, rate.get(_rate_need(work, member)))
        difference = _subtract(target, stands) if stands else target
        if difference:
            yield Entry(
                work.channel, member.transaction_id, work.versions[member.transaction_id], member.record.business_date,
                member.record.currency, difference,
            )  # fmt: skip


def _target(
    legs: Iterable[Leg], member: Member, channel: ChannelFacts, rate: Decimal | None
) -> dict[Key, tuple[int, int]]:
    location = member.record.source.location
    summed: dict[Key, int] = {}
    for account, amount, path, tax_code, category, *_ in legs:
        key = (account, location, tax_code, category, path)
        summed[key] = summed.get(key, 0) + amount
    if member.record.currency == channel.base_currency:
        return {key: (amount, amount) for key, amount in summed.items() if amount}
    if rate is None:
        raise LookupError(f"no rate from {member.record.currency} to {channel.base_currency}")
    based = {
        key: convert(amount, member.record.currency, rate, channel.base_currency) for key, amount in summed.items()
    }
    residue = sum(based.values())
    if (
        residue
    ):  # what rounding leg by leg leaves over goes to the largest leg, so that the entry balances in both currencies
        largest = max(based, key=lambda k: (abs(based[k]), k[0], k[4]))
        based[largest] -= residue
    return {key: (amount, based[key]) for key, amount in summed.items() if amount or based[key]}


def _subtract(target: dict[Key, tuple[int, int]], stands: dict[Key, tuple[int, int]]) -> dict[Key, tuple[int, int]]:
    found = {}
    for key in {**target, **stands}:
        want, have = target.get(key, (0, 0)), stands.get(key, (0, 0))
        if want != have:
            found[key] = (want[0] - have[0], want[1] - have[1])
    return found


def standing(ids: list[int]) -> Standing:
    """What stands for each transaction."""
    found: Standing = {}
    if ids:
        with bulk.binary_cursor() as cursor:
            cursor.execute(
                "SELECT p.transaction_id, a.code, p.location, p.tax_code, p.category, p.path,"
                "       sum(p.amount)::bigint, sum(p.base_amount)::bigint"
                "  FROM ledger_journalentry e JOIN ledger_posting p ON p.entry_id = e.id"
                "  JOIN ledger_account a ON a.id = p.account_id"
                " WHERE e.transaction_id = ANY(%s) GROUP BY 1, 2, 3, 4, 5, 6"
                " HAVING sum(p.amount) <> 0 OR sum(p.base_amount) <> 0",
                [ids],
            )
            for transaction_id, code, location, tax_code, category, path, amount, base in cursor.fetchall():
                found.setdefault(transaction_id, {})[code, location, tax_code, category, path] = (amount, base)
    return found


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


def _write(entries: Sequence[Entry], known: set[int]) -> list[int]:
    account_ids = _account_ids({(e.channel.company_id, key[0]) for e in entries for key in e.legs})
    sequences = _last_sequences([e.transaction_id for e in entries if e.transaction_id in known])
    ids = bulk.next_ids(JournalEntry, len(entries))
    numbers = _next_in_feed(entries)
    bulk.copy_in(
        "ledger_journalentry",
        _ENTRY,
        (
            (id_, e.channel.company_id, seq, e.transaction_id, sequences.get(e.transaction_id, 0) + 1, e.version_id, e.date,
             e.date, len(e.legs))
            for id_, seq, e in zip(ids, numbers, entries, strict=True)
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
        company, channel, currency, owner = e.channel.company_id, e.channel.id, e.currency, e.transaction_id
        for leg, (key, (amount, base)) in enumerate(e.legs.items(), 1):
            account, location, tax_code, category, path = key
            yield (id_, leg, company, owner, account_ids[company, account], amount, currency, base, channel, location,
                   tax_code, category, path)  # fmt: skip


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


def _last_sequences(ids: list[int]) -> dict[int, int]:
    if not ids:
        return {}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT transaction_id, max(sequence) FROM ledger_journalentry WHERE transaction_id = ANY(%s) GROUP BY 1",
            [ids],
        )
        return dict(cursor.fetchall())


def _next_in_feed(entries: Sequence[Entry]) -> list[int]:
    """Numbers without gaps in commit order: the company's counter stays locked until the commit. Taken last, in one order."""
    counts: dict[int, int] = {}
    for e in entries:
        counts[e.channel.company_id] = counts.get(e.channel.company_id, 0) + 1
    next_number: dict[int, int] = {}
    with bulk.binary_cursor() as cursor:
        for company, count in sorted(counts.items()):
            cursor.execute(
                "UPDATE core_company SET feed_seq = feed_seq + %s WHERE id = %s RETURNING feed_seq", [count, company]
            )
            next_number[company] = cursor.fetchone()[0] - count
    numbers = []
    for e in entries:
        next_number[e.channel.company_id] += 1
        numbers.append(next_number[e.channel.company_id])
    return numbers
