"""The sums that are kept are the journal's: on any day, as of any entry, whoever rolls them and wherever he is stopped."""

import json
import threading
import time
from collections import defaultdict
from datetime import date, timedelta
from io import StringIO
from itertools import pairwise
from typing import NamedTuple

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import balances, reports
from ledger.balances import Period, proof, reading, rolling, statements
from ledger.models import Balance, BalancePosition, Dimensions, DimensionSums
from ledger.reports import general_ledger, liabilities, revenue, tax
from ledger.spans import LEVELS, WIDTH, cover, days
from tests.ledger import big_books, journal_rows, summary_rows
from tests.threads import at_once

START = date(2026, 1, 1)
EVERYTHING = Period()


# --- days in spans


@given(st.dates(), st.integers(0, 200_000), st.booleans())
def test_a_stretch_of_days_is_covered_once_by_few_spans(first, length, open_start):
    last = first + timedelta(days=min(length, (date.max - first).days))
    runs = cover(None if open_start else first, last)
    covered = sorted((run.first * WIDTH**run.level, (run.last + 1) * WIDTH**run.level) for run in runs)
    assert all(run.first <= run.last for run in runs)
    assert covered[0][0] == (0 if open_start else first.toordinal())
    assert covered[-1][1] == last.toordinal() + 1
    assert all(end == start for (_, end), (start, _) in pairwise(covered))
    assert len(runs) <= 2 * LEVELS - 1
    for level in range(LEVELS - 1):
        spans = sum(run.last - run.first + 1 for run in runs if run.level == level)
        assert spans < (WIDTH if open_start else 2 * WIDTH)


def test_no_days_are_no_spans():
    assert cover(date(2026, 1, 2), date(2026, 1, 1)) == days(date(2026, 1, 2), date(2026, 1, 1)) == []
    assert [run.level for run in cover(None, None)][-1] == LEVELS - 1


# --- against the journal, added up directly


class JournalLine(NamedTuple):
    """A posting; or where `counts` is for dimensions only, one of a sale that a summary took in."""

    seq: int
    day: date
    account_id: int
    channel_id: int
    location: str | None
    tax_code: str | None
    category: str | None
    currency: str
    amount: int
    base: int
    counts: str  # by "account", by "dimensions", or by "both"


def lines_of(company):
    """The journal as it is stored."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.seq, e.date, p.account_id, p.channel_id, p.location, p.tax_code, p.category, p.currency, p.amount,"
            "       p.base_amount, CASE WHEN EXISTS (SELECT FROM ledger_detail d WHERE d.entry_id = e.id) THEN 'account' ELSE 'both' END"
            "  FROM ledger_journalentry e JOIN ledger_posting p ON p.entry_id = e.id WHERE e.company_id = %s UNION ALL "
            "SELECT e.seq, e.date, p.account_id, d.channel_id, p.location, p.tax_code, p.category, p.currency, p.amount,"
            "       p.base_amount, 'dimensions' FROM ledger_journalentry e JOIN ledger_detail d ON d.entry_id = e.id"
            "  JOIN ledger_detailposting p ON p.detail_id = d.id WHERE e.company_id = %s",
            [company.pk, company.pk],
        )
        return [JournalLine(*row) for row in cursor.fetchall()]


def directly_by_account(lines):
    """The slow way."""
    found = defaultdict(lambda: [0, 0, 0, 0])
    for line in lines:
        if line.counts != "dimensions":
            add(found[line.account_id, line.currency], line.amount, line.base)
    return dict(found)


def directly_by_dimensions(lines, by):
    """The slow way; a summary counts by what it took in."""
    found = defaultdict(lambda: [0, 0, 0, 0])
    for line in lines:
        if line.counts != "account":
            add(found[(*(getattr(line, name) for name in by), line.currency)], line.amount, line.base)
    return dict(found)


def add(sums, amount, base):
    for index, more in enumerate((1, max(amount, 0), max(-amount, 0), base)):
        sums[index] += more


def by_account(company, period=EVERYTHING, through=None):
    found = balances.by_account(company=company, period=period, through=through)
    return {(t.account_id, t.currency): [t.postings, t.debit, t.credit, t.base] for t in found}


def by_dimensions(company, by, period=EVERYTHING, through=None):
    found = balances.by_dimensions(company=company, by=by, period=period, through=through)
    return {(*t.by, t.currency): [t.postings, t.debit, t.credit, t.base] for t in found}


DAYS = st.integers(0, 2200).map(lambda n: START + timedelta(days=n - 1100))
TEXTS = st.sampled_from([None, "", "a", 'b"c', "d,e", "(f)", "\\", "ä"])


@st.composite
def legs(draw):
    """Two or three balanced legs; a foreign currency now and then, also two in one entry."""
    currency, rate = draw(st.sampled_from([("USD", 1), ("USD", 1), ("JPY", 3)]))
    amount, tax = draw(st.integers(-900, 900)), draw(st.integers(0, 90))
    place, category, code = draw(TEXTS), draw(TEXTS), draw(TEXTS)
    made = [
        ("Assets:Till:A", amount + tax, currency, (amount + tax) * rate, {"path": "tenders/1", "location": place}),
        ("Income:Sales", -amount, currency, -amount * rate, {"path": "lines/1/gross", "category": category}),
        ("Liabilities:Tax-payable", -tax, currency, -tax * rate, {"path": "lines/1/taxes/0", "tax_code": code}),
    ]
    if draw(st.booleans()):
        worth = made[0][3]
        made[0] = ("Assets:Till:B", 7, "EUR", worth, {"path": "tenders/2"})
    return made


@st.composite
def histories(draw):
    """Entries and summaries on any day, late ones among them, and when the roller comes by."""
    steps = draw(
        st.lists(st.tuples(st.sampled_from(["entry", "entry", "summary", "roll", "roll one"]), DAYS), max_size=14)
    )
    return [
        (what, draw(st.lists(legs(), min_size=1, max_size=3)) if what == "summary" else [draw(legs())], day)
        for what, day in steps
    ]


def live_through(history):
    company = journal_rows.company()
    for what, sales, day in history:
        if what == "entry":
            journal_rows.entry(sales[0], day=day)
        elif what == "summary":
            summary_rows.entry(sales, day=day, on=journal_rows.channel())
        else:
            balances.roll(company, chunks=1 if what == "roll one" else None)
    company.refresh_from_db()
    return company


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), DAYS, DAYS, st.integers(0, 20), st.sampled_from([1, 2, 20_000]))
@pytest.mark.django_db
def test_kept_sums_are_the_journal_s_on_any_day_as_of_any_entry(history, one, other, through, chunk):
    rolling.CHUNK, before = chunk, rolling.CHUNK
    try:
        with transaction.atomic():
            check(live_through(history), sorted([one, other]), through)
            transaction.set_rollback(True)
    finally:
        rolling.CHUNK = before


def check(company, bounds, through):
    through = min(through, company.feed_seq)
    every = lines_of(company)
    for period in (EVERYTHING, Period(*bounds), Period(None, bounds[0]), Period(bounds[1], None)):
        lines = [
            x for x in every if x.seq <= through and (period.first or date.min) <= x.day <= (period.last or date.max)
        ]
        assert by_account(company, period, through) == directly_by_account(lines)
        for by in (["account_id", "location", "tax_code", "category"], ["day", "account_id"]):
            assert by_dimensions(company, by, period, through) == directly_by_dimensions(lines, by)
    assert by_account(company) == directly_by_account(every)
    assert by_dimensions(company, ["channel_id"]) == directly_by_dimensions(every, ["channel_id"])
    assert proof.prove(company).wrong == 0


# --- rolling


@pytest.fixture
def books(db):
    """Five entries over two years, of which one is late."""
    for number, day in enumerate((0, 1, 40, 400, 2)):
        journal_rows.entry(day=START + timedelta(days=day), legs=journal_rows.sale_legs(1000 + number, 100))
    summary_rows.entry([journal_rows.sale_legs()] * 3, day=START, on=journal_rows.channel())
    return journal_rows.company()


def test_what_is_rolled_is_not_read_again(books, django_assert_num_queries):
    assert balances.roll(books) == 6
    assert BalancePosition.objects.get(pk=books.pk).seq == 6
    assert balances.roll(books) == 0
    with django_assert_num_queries(1):
        found = by_account(books)
    assert found == directly_by_account(lines_of(books))
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statements.BY_ACCOUNT, parameters_of(books))
        assert rows_read(cursor.fetchone()[0][0]["Plan"], "ledger_posting") == 0


def parameters_of(company):
    return reading._parameters(company, EVERYTHING, cover(None, None), None) | {"accounts": None}


def rows_read(plan, table):
    """How many rows of a table a plan has read."""
    own = plan["Actual Rows"] * plan["Actual Loops"] if plan.get("Relation Name") == table else 0
    return own + sum(rows_read(part, table) for part in plan.get("Plans", ()))


def test_a_day_of_one_account_is_one_sum_a_level(books):
    balances.roll(books)
    till = journal_rows.account("Assets:Clearing:Stripe", books)
    counts = [Balance.objects.filter(account=till, level=level).count() for level in range(LEVELS)]
    assert counts[0] == 5 and counts == sorted(counts, reverse=True) and counts[-1] == 1
    assert Balance.objects.get(account=till, level=LEVELS - 1).debit == sum(range(1000, 1005)) + 3 * 1088


def test_a_roller_that_is_killed_in_the_middle_leaves_nothing_half(books, monkeypatch):
    monkeypatch.setattr(rolling, "CHUNK", 2)
    good = statements.ROLL_DIMENSIONS
    balances.roll(books, chunks=1)
    monkeypatch.setattr(statements, "ROLL_DIMENSIONS", "SELECT 1 / 0")
    with pytest.raises(Exception, match="division by zero"), transaction.atomic():
        balances.roll(books)
    assert BalancePosition.objects.get(pk=books.pk).seq == 2
    assert proof.prove(books).wrong == 0
    monkeypatch.setattr(statements, "ROLL_DIMENSIONS", good)
    assert balances.roll(books) == 4
    assert proof.prove(books).wrong == 0
    assert by_account(books) == directly_by_account(lines_of(books))


def test_forgetting_starts_anew(books):
    balances.roll(books)
    before = by_dimensions(books, ["account_id", "category"])
    balances.forget(books)
    assert not Balance.objects.exists() and not DimensionSums.objects.exists() and not Dimensions.objects.exists()
    assert by_dimensions(books, ["account_id", "category"]) == before
    assert balances.roll(books) == 6
    assert by_dimensions(books, ["account_id", "category"]) == before


def test_a_company_s_sums_are_its_own(books):
    other = journal_rows.channel("their-shop", of=journal_rows.company("other", "EUR"))
    journal_rows.entry(on=other, legs=journal_rows.sale_legs(777, 7, "EUR"))
    assert balances.roll_all(at_least=2) == 6
    assert balances.roll_all() == 1
    theirs = by_account(other.company)
    assert sorted(sums[1] - sums[2] for sums in theirs.values()) == [-770, -7, 777]
    assert proof.prove_all().wrong == 0


def test_a_reader_waits_for_a_long_journal_only_so_long(books, monkeypatch):
    monkeypatch.setattr(rolling, "TAIL", 1)
    monkeypatch.setattr(rolling, "CHUNK", 2)
    with pytest.raises(balances.StillRolling, match="0 of 6 entries"):
        balances.catch_up(books, seconds=0)
    told = []
    balances.catch_up(books, progress=lambda done, of: told.append((done, of)))
    assert told == [(0, 6), (2, 6), (4, 6)]
    balances.catch_up(books, seconds=0)


def test_sums_are_kept_by_known_words_only(books):
    with pytest.raises(ValueError, match="kept by"):
        balances.by_dimensions(company=books, by=["1; DROP TABLE ledger_posting"], period=EVERYTHING)


TAMPERINGS = [
    "UPDATE ledger_balance SET debit = debit + 1 WHERE level = 0 AND debit > 0",
    "UPDATE ledger_balance SET base_amount = base_amount - 1 WHERE level = 2",
    "DELETE FROM ledger_balance WHERE level = 1 AND credit > 0",
    "INSERT INTO ledger_balance SELECT company_id, 3, span + 1, postings, debit, credit, base_amount, account_id, currency"
    " FROM ledger_balance WHERE level = 3 LIMIT 1",
    "UPDATE ledger_dimensionsums SET credit = credit + 1, debit = debit + 1 WHERE level = 0",
    "UPDATE ledger_dimensions SET digest = sha256('x') WHERE category IS NOT NULL",
    "DELETE FROM ledger_dimensionsums WHERE level = 3",
    "UPDATE ledger_balanceposition SET seq = seq - 1",
]


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_sum_that_is_not_the_journal_s_is_found(books, tampering):
    balances.roll(books)
    found = proof.prove(books)
    assert (found.wrong, found.examples) == (0, ()) and found.checked > 30
    with connection.cursor() as cursor:
        columns = "company_id, level, span, postings, debit, credit, base_amount, account_id, currency"
        cursor.execute(tampering.replace("INTO ledger_balance", f"INTO ledger_balance ({columns})"))
        assert cursor.rowcount > 0
    found = proof.prove(books)
    assert found.wrong > 0 and found.examples


def test_the_command_rolls_proves_and_makes_anew(books):
    out = StringIO()
    call_command("roll_balances", "--prove", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["rolled"], found["wrong"]) == (6, 0) and found["checked"] > 30
    Balance.objects.filter(level=1).update(debit=1)
    with pytest.raises(CommandError, match="not the journal's") as error:
        call_command("roll_balances", "--prove", stdout=StringIO())
    assert error.value.returncode == 1
    call_command("roll_balances", "--anew", "--prove", stdout=(out := StringIO()))
    assert out.getvalue().startswith("6 entries rolled") and out.getvalue().endswith(" 0 wrong\n")


def test_writers_rollers_and_readers_at_once(committed_db):
    """Every reader sees whole entries only, each once, while two rollers take turns."""
    on, company = journal_rows.channel(), journal_rows.company()
    for code in ("Assets:Clearing:Stripe", "Income:Sales", "Liabilities:Tax-payable"):
        journal_rows.account(code, company)
    done, roles = threading.Event(), iter(["write", "write", "roll", "roll", "read", "read"])

    def work():
        role, seen = next(roles), 0
        if role == "write":
            try:
                for number in range(60):
                    journal_rows.entry(on=on, day=START + timedelta(days=number % 50))
            finally:
                finished.append(1)
                if len(finished) == 2:
                    done.set()
        while not done.is_set() or not seen:
            if role == "roll":
                balances.roll(company, chunks=1)
            elif role == "read":
                through = balances.last_entry(company)
                found = list(by_account(company, EVERYTHING, through).values())
                assert sum(s[0] for s in found) == 3 * through and sum(s[3] for s in found) == 0
                assert sum(s[0] for s in by_dimensions(company, ["day"], EVERYTHING, through).values()) == 3 * through
                assert sum(s[3] for s in by_account(company).values()) == 0
            seen += 1
            time.sleep(0.002)
        return seen

    finished: list[int] = []
    rolling.CHUNK, before = 7, rolling.CHUNK
    try:
        assert min(at_once(6, work)) > 0
    finally:
        rolling.CHUNK = before
    balances.roll(company)
    assert BalancePosition.objects.get(pk=company.pk).seq == 120
    assert proof.prove(company).wrong == 0


# --- a long journal


def seconds(work):
    """The best of three."""
    taken = []
    for _ in range(3):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def measured(entries, years):
    """What a trial balance takes at the start, in the middle and at the end of books of so many years."""
    company = big_books.company(f"big-{years}")
    big_books.write(company, entries=entries, first=date(2016, 1, 1), days=365 * years)
    started = time.perf_counter()
    balances.catch_up(company)
    balances.roll(company)
    rolled = entries / (time.perf_counter() - started)
    big_books.settle()
    last = date(2016, 1, 1) + timedelta(days=365 * years - 1)
    ends = (date(2016, 1, 3), date(2016, 1, 1) + (last - date(2016, 1, 1)) / 2, last, None)
    taken = [seconds(lambda end=end: reports.trial_balance(company=company, as_of=end)) for end in ends]
    rows = reports.trial_balance(company=company)
    assert reports.totals(rows).base == 0
    assert len(rows) > 50
    return company, taken, rolled


def test_the_age_of_the_books_costs_nothing(committed_db):
    _, young, _ = measured(2_000, 1)
    _, old, _ = measured(20_000, 10)
    assert max(old) < 4 * max(young) + 0.02


def timed_reports(company):
    """What the other reports take over a year and a month of these books."""
    year, month = Period(date(2017, 1, 1), date(2017, 12, 31)), Period(date(2017, 6, 1), date(2017, 6, 30))
    account = company.account_set.get(code="Income:Sales:S3")
    work = {
        "revenue of a year by channel and category": lambda: revenue.report(
            company=company, period=year, by=["channel", "category"]
        ),
        "revenue of a month by day": lambda: revenue.report(company=company, period=month, by=["day"]),
        "tax of a month by code": lambda: tax.report(company=company, period=month),
        "gift cards of a year": lambda: liabilities.report(company=company, period=year),
        "a page of the general ledger": lambda: general_ledger.page(company=company, account=account, period=month),
    }
    return {name: seconds(one) for name, one in work.items()}


def added_up(company):
    """What the same trial balance takes without the sums: as far as the server gets in its time."""
    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT count(*) FROM (SELECT p.account_id, p.currency, sum(p.amount), sum(p.base_amount) FROM ledger_posting p"
            " JOIN ledger_journalentry e ON e.id = p.entry_id WHERE p.company_id = %s AND e.date <= %s GROUP BY 1, 2) x",
            [company.pk, date(2018, 12, 31)],
        )
    return time.perf_counter() - started


@pytest.mark.slow
def test_a_trial_balance_over_a_million_transactions(committed_db, capsys):
    entries = 1_000_000
    company, taken, rolled = measured(entries, 3)
    others, without = timed_reports(company), added_up(company)
    assert max(taken) < 2 and max(others.values()) < 2
    _, young, _ = measured(20_000, 1)
    _, old, _ = measured(200_000, 10)
    assert max(old) < 4 * max(young) + 0.02
    started = time.perf_counter()
    assert proof.prove(company).wrong == 0
    proved = time.perf_counter() - started
    with capsys.disabled():
        told = ", ".join(f"{s * 1000:.1f} ms" for s in taken)
        print(f"\ntrial balance over {entries:,} transactions at the start, middle, end and over all: {told}")
        print(
            f"without the sums {without:.1f} s; books of one year {max(young) * 1000:.1f} ms, of ten {max(old) * 1000:.1f} ms"
        )
        print("; ".join(f"{name} {s * 1000:.0f} ms" for name, s in others.items()))
        print(f"rolled {rolled:,.0f} entries a second; proved in {proved:.0f} s")
