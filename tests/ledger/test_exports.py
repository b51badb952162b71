"""The books in beancount and as a trial balance: another program checks them and finds the same balances."""

import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from beancount import loader
from beancount.core import data
from django.core.management import CommandError, call_command

from ledger import exports, outbox, reports
from ledger.models import Posting
from salessync.core.money import MINOR_DIGITS, to_minor
from tests.ledger import journal_rows
from tests.ledger.journal_rows import sale_legs

BEAN_CHECK = Path(sys.executable).with_name("bean-check")


def legs(*rows):
    return [(code, amount, currency, base, {"path": path}) for code, amount, currency, base, path in rows]


@pytest.fixture
def books(db):
    """Sales in currencies of 0, 2 and 3 digits, odd texts, and an entry that mixes currencies."""
    journal_rows.entry(day=date(2026, 9, 2), number='#1001 "\\ \n☕')
    journal_rows.entry(day=date(2026, 8, 31), legs=sale_legs(2000, 0)[:2])
    journal_rows.entry(legs=legs(("Assets:Till:1", 500, "JPY", 333, "a"), ("Income:Sales", -500, "JPY", -333, "b")))
    journal_rows.entry(
        legs=legs(("Assets:Till:1", 1234, "KWD", 4012, 'x"y'), ("Income:Sales", -1234, "KWD", -4012, "b\\"))
    )
    fx = [
        ("Assets:Clearing:Stripe", -65, "EUR", -100, "a"),
        ("Assets:Bank", 97, "USD", 97, "b"),
        ("Expenses:Fx", 3, "USD", 3, "c"),
    ]
    journal_rows.entry(day=date(2026, 9, 3), legs=legs(*fx))
    other = journal_rows.channel("their-shop", of=journal_rows.company("other", "EUR"))
    journal_rows.entry(on=other, legs=sale_legs(777, 7, "EUR"))
    return journal_rows.company()


def beancount_balances(file):
    """(account, currency) → minor units, as beancount reads the file."""
    entries, errors, options = loader.load_file(str(file))
    assert errors == []
    found = {}
    for transaction in (e for e in entries if isinstance(e, data.Transaction)):
        for posting in transaction.postings:
            key = (posting.account, posting.units.currency)
            found[key] = found.get(key, Decimal(0)) + posting.units.number
    return {key: to_minor(amount, key[1]) for key, amount in found.items()}, options


def our_balances(company, **more):
    return {(row.account, row.currency): row.balance for row in reports.trial_balance(company=company, **more)}


def export(tmp_path, company="acme"):
    file = tmp_path / "export.beancount"
    call_command("export_books", "--format", "beancount", "--output", str(file), "--company", company)
    return file


def test_bean_check_accepts_the_export_and_finds_our_balances(books, tmp_path):
    file = export(tmp_path)
    checked = subprocess.run([BEAN_CHECK, file], capture_output=True, text=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    balances, options = beancount_balances(file)
    assert balances == our_balances(books) and len(balances) > 8
    assert options["operating_currency"] == ["USD"]


def test_every_entry_is_there_with_its_past(books, tmp_path):
    entries, _, _ = loader.load_file(str(export(tmp_path)))
    transactions = [e for e in entries if isinstance(e, data.Transaction)]
    assert len(transactions) == 5
    found = next(t for t in transactions if t.narration.startswith("sale #1001"))
    stored = Posting.objects.filter(entry__seq=1, company_id=books.pk).select_related("entry", "transaction")
    assert found.meta["id"] == f"acme:{stored[0].entry_id}"
    assert found.meta["source"] == f"main-shop/sale/{stored[0].transaction.source_id}"
    assert [p.meta["path"] for p in found.postings] == [p.path for p in stored.order_by("leg")]
    assert found.payee == "main-shop"


def test_our_export_and_bookkeepers_own_file_have_the_same_balances(books, bookkeeper, tmp_path):
    assert outbox.push_all_due() == outbox.PushResult(sent=6, acknowledged=6)
    ours, _ = beancount_balances(export(tmp_path))
    theirs, _ = beancount_balances(bookkeeper.file)
    assert {k: v for k, v in theirs.items() if v} == {
        k: ours.get(k, 0) + our_balances(journal_rows.company("other")).get(k, 0) for k in theirs if theirs[k]
    }


def test_an_account_that_beancount_could_not_read_gets_a_name_it_can(db, tmp_path):
    journal_rows.entry(legs=legs(("Assets:Caisse café", 1, "USD", 1, "a"), ("Assets:Caisse-caf", -1, "USD", -1, "b")))
    file = export(tmp_path)
    balances, _ = beancount_balances(file)
    assert len(balances) == 2 and 'code: "Assets:Caisse café"' in file.read_text()
    assert exports.account_name("Income:Sales") == "Income:Sales"


def test_no_journal_is_a_valid_journal(db, tmp_path):
    journal_rows.company()
    assert beancount_balances(export(tmp_path))[0] == {}


def test_the_trial_balance_adds_up_until_its_day(books):
    rows = {(r.account, r.currency): r for r in reports.trial_balance(company=books)}
    sales = rows["Income:Sales", "USD"]
    assert (sales.debit, sales.credit, sales.balance, sales.base_balance) == (0, 3000, -3000, -3000)
    assert rows["Income:Sales", "KWD"].base_balance == -4012
    assert our_balances(books, as_of=date(2026, 8, 31)) == {
        ("Assets:Clearing:Stripe", "USD"): 2000,
        ("Income:Sales", "USD"): -2000,
    }
    assert our_balances(books, as_of=date(2026, 8, 30)) == {}
    totals = reports.totals(list(rows.values()))
    assert totals.base == 0
    assert totals.by_currency == {"USD": 100, "JPY": 0, "KWD": 0, "EUR": -65}  # exchanged: worth the same


def test_the_command_prints_minor_units_for_programs_and_major_units_for_people(books):
    out = StringIO()
    call_command("trial_balance", "--json", "--as-of", "2026-09-01", "--company", "acme", stdout=out)
    found = json.loads(out.getvalue())
    assert found["as_of"] == "2026-09-01" and found["base_currency"] == "USD"
    assert {"account": "Assets:Till:1", "currency": "KWD", "debit": 1234, "credit": 0, "balance": 1234,
            "base_balance": 4012} in found["accounts"]  # fmt: skip
    assert found["totals"] == {"base_balance": 0, "by_currency": {"JPY": 0, "KWD": 0, "USD": 0}}
    out = StringIO()
    call_command("trial_balance", "--as-of", "2026-09-01", "--company", "acme", stdout=out)
    lines = out.getvalue().splitlines()
    assert "Assets:Till:1           KWD  1.234   0.000    1.234   40.12" in lines, out.getvalue()


def test_wrong_usage_is_said(db):
    for arguments in (
        ["trial_balance"],
        ["trial_balance", "--company", "none"],
        ["export_books", "--format", "beancount"],
    ):
        with pytest.raises(CommandError) as error:
            call_command(*arguments)
        assert error.value.returncode == 2
    journal_rows.company()
    with pytest.raises(CommandError, match="not a day"):
        call_command("trial_balance", "--as-of", "yesterday")


def test_every_currency_is_one_that_beancount_reads():
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in MINOR_DIGITS)
