"""The books in beancount, hledger, CSV and as a trial balance: other programs check them and find the same balances."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from beancount import loader
from beancount.core import data, realization
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import outbox, reports
from ledger.exports.entries import CONVERSION, account_name
from ledger.models import Posting
from salessync.core.money import MINOR_DIGITS, to_minor
from tests.ledger import journal_rows
from tests.ledger.journal_rows import sale_legs

# What means something in a comment or a description of hledger.
TRAPS = ("a ; date:2026-13-45", "[2026-13-45]", "x, [2026-10-05]", "date:x", "a, date:2026-10-05", "a, tag:x", "a | b", "(c) !",
         "*", "%3A", "\\", '"', ";", "gid://a/1", "a\nb")  # fmt: skip

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


@pytest.fixture(scope="session")
def hledger():
    """The program: of the machine, or Debian's own package where one may install it."""
    if not shutil.which("hledger") and shutil.which("apt-get") and os.geteuid() == 0:
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "hledger"]
        subprocess.run(command, capture_output=True, timeout=300, check=False)
    return shutil.which("hledger") or pytest.skip("no hledger on this machine, and no way to install Debian's package")


def beancount_balances(file):
    """(account, currency) → minor units, as beancount reads the file; zeros left out."""
    entries, errors, options = loader.load_file(str(file))
    assert errors == []
    found = {}
    for account in realization.iter_children(realization.realize(entries)):
        for position in account.balance.reduce(lambda p: p.units):
            if position.units.number:
                found[account.account, position.units.currency] = to_minor(
                    position.units.number, position.units.currency
                )
    return found, options


def hledger_balances(program, file):
    """The same as hledger reads it, once it has checked everything that it can."""
    checked = subprocess.run([program, "-f", file, "check", "--strict", "ordereddates"], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    told = subprocess.run(
        [program, "-f", file, "bal", "-O", "csv", "--flat", "--layout=bare", "-N"], capture_output=True, text=True
    )
    rows = list(csv.reader(StringIO(told.stdout)))
    assert rows[0] == ["account", "commodity", "balance"]
    return {(account, c): to_minor(Decimal(balance), c) for account, c, balance in rows[1:] if c}


def csv_balances(file):
    """The same by the rows, whose major and minor units agree."""
    found = {}
    for row in csv.DictReader(file.open(newline="")):
        key = (row["account"], row["currency"])
        found[key] = found.get(key, 0) + int(row["amount_minor"])
        assert to_minor(row["amount"], row["currency"]) == int(row["amount_minor"])
        assert to_minor(row["base_amount"], row["base_currency"]) == int(row["base_amount_minor"])
    return {key: amount for key, amount in found.items() if amount}


def our_balances(company, **more):
    found = {(row.account, row.currency): row.balance for row in reports.trial_balance(company=company, **more)}
    return {key: amount for key, amount in found.items() if amount}


def export(tmp_path, company="acme", form="beancount", *options):
    file = tmp_path / f"export.{form}"
    call_command("export_books", "--format", form, "--output", str(file), "--company", company, *options)
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
    assert theirs == {k: ours.get(k, 0) + our_balances(journal_rows.company("other")).get(k, 0) for k in theirs}


def test_an_account_that_beancount_could_not_read_gets_a_name_it_can(db, tmp_path):
    journal_rows.entry(legs=legs(("Assets:Caisse café", 1, "USD", 1, "a"), ("Assets:Caisse-caf", -1, "USD", -1, "b")))
    file = export(tmp_path)
    balances, _ = beancount_balances(file)
    assert len(balances) == 2 and 'code: "Assets:Caisse café"' in file.read_text()
    assert account_name("Income:Sales") == "Income:Sales"


def test_no_journal_is_a_valid_journal(db, hledger, tmp_path):
    journal_rows.company()
    assert beancount_balances(export(tmp_path))[0] == {}
    assert hledger_balances(hledger, export(tmp_path, "acme", "hledger")) == {}
    assert csv_balances(export(tmp_path, "acme", "csv")) == {}


def test_hledger_accepts_the_export_and_finds_our_balances(books, hledger, tmp_path):
    file = export(tmp_path, "acme", "hledger")
    assert hledger_balances(hledger, file) == our_balances(books)
    assert "commodity 1000. JPY\n" in file.read_text() and "commodity 1000.000 KWD\n" in file.read_text()


def test_hledger_finds_an_entry_by_its_tags(books, hledger, tmp_path):
    file = export(tmp_path, "acme", "hledger")
    stored = Posting.objects.filter(entry__seq=3, company_id=books.pk, leg=1).get()
    for query in (f"tag:source=main-shop/sale/{stored.transaction.source_id}$", "tag:seq=3", "code:3", "tag:path=^a$"):
        told = subprocess.run([hledger, "-f", file, "reg", "-O", "csv", query], capture_output=True, text=True).stdout
        assert '"500 JPY"' in told, query


def test_nothing_that_a_vendor_writes_means_anything_to_hledger(db, hledger, tmp_path):
    """Its comments know tags and dates, its descriptions payees and comments: none of them from a vendor's text."""
    for text in TRAPS:
        rows = (("Assets:Till:1", 1, "USD", 1, text), ("Income:Sales", -1, "USD", -1, text))
        journal_rows.entry(number=text, source_id=f"{text} {len(TRAPS)}", legs=legs(*rows))
    file = export(tmp_path, "acme", "hledger")
    assert hledger_balances(hledger, file) == our_balances(journal_rows.company())

    def told(*what):
        return subprocess.run([hledger, "-f", file, *what], capture_output=True, text=True, check=True).stdout

    assert set(told("tags").split()) == {"id", "seq", "source", "path"}
    assert told("payees") == "main-shop\n"
    assert set(told("descriptions").splitlines()) >= {"main-shop | sale a b", "main-shop | sale a date:2026-13-45"}
    assert {row["date"] for row in csv.DictReader(StringIO(told("reg", "-O", "csv")))} == {"2026-09-01"}


def test_a_period_begins_with_what_the_accounts_bring_forward(books, hledger, tmp_path):
    """Opened on any day, it ends with the trial balance of its last."""
    for since, until in (
        ("2026-09-01", None),
        ("2026-09-01", "2026-09-02"),
        ("2026-09-03", None),
        ("2027-01-01", None),
    ):
        options = ["--from", since, *(["--to", until] if until else [])]
        ours = our_balances(books, as_of=until and date.fromisoformat(until))
        assert beancount_balances(export(tmp_path, "acme", "beancount", *options))[0] == ours
        assert hledger_balances(hledger, export(tmp_path, "acme", "hledger", *options)) == ours
        assert csv_balances(export(tmp_path, "acme", "csv", *options)) == ours
    entries, _, _ = loader.load_file(str(export(tmp_path, "acme", "beancount", "--from", "2026-09-03")))
    first, *others = (e for e in entries if isinstance(e, data.Transaction))
    assert (first.narration, first.date, first.meta.get("seq")) == ("Opening balances", date(2026, 9, 3), None)
    assert {p.account for p in first.postings} == {
        account for account, _ in our_balances(books, as_of=date(2026, 9, 2))
    }
    assert [t.meta["seq"] for t in others] == [5]


def test_nothing_is_brought_forward_where_nothing_was(books, tmp_path):
    text = export(tmp_path, "acme", "beancount", "--from", "2026-08-31").read_text()
    assert "Opening" not in text
    assert text == export(tmp_path).read_text()


def test_a_leg_whose_worth_has_another_sign_than_its_amount_still_balances(db, hledger, tmp_path):
    """An edit and a new rate at once: more euros, worth less than before."""
    rows = [
        ("Assets:Till:1", 1000, "EUR", -200, "a"),
        ("Income:Sales", -900, "EUR", 150, "b"),
        ("Income:FX-gain-loss", 0, "EUR", 30, "c"),
        ("Assets:Bank", 20, "USD", 20, "d"),
    ]
    journal_rows.entry(legs=legs(*rows))
    ours = our_balances(journal_rows.company())
    for found in (
        beancount_balances(export(tmp_path))[0],
        hledger_balances(hledger, export(tmp_path, "acme", "hledger")),
    ):
        assert found == ours | {(CONVERSION, "USD"): -20}


def test_a_spreadsheet_takes_no_text_for_a_formula(db, tmp_path):
    hostile = '=HYPERLINK("http://x","y")'
    journal_rows.entry(
        number=hostile,
        source_id="@x\r\n=2",
        legs=legs(("Assets:Till:1", 500, "USD", 500, "+a"), ("Income:Sales", -500, "USD", -500, 'b,"c"')),
    )
    first, second = csv.DictReader(export(tmp_path, "acme", "csv").open(newline=""))
    assert (first["number"], first["source_id"], first["path"]) == (f"'{hostile}", "'@x\r\n=2", "'+a")
    assert (second["amount"], second["amount_minor"], second["path"]) == ("-5.00", "-500", 'b,"c"')


NAMES = st.sampled_from(["Assets:Till:1", "Income:Sales", "Expenses:Fx", "Liabilities:Café", "Equity:Opening-balances",
                         "Assets:a  b ; c", "Assets:x:=|", "Income:(total)", "Assets:Till:１", "Income:-"])  # fmt: skip
ODD = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20) | st.sampled_from(TRAPS)
AMOUNTS = st.integers(-(10**12), 10**12) | st.integers(-3, 3)


@st.composite
def balanced(draw):
    """The legs of an entry: of one currency, or of several that balance in US dollars; worth and amount need not agree in sign."""
    name = draw(st.just("path") | ODD)
    if draw(st.booleans()):
        currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
        amounts = draw(st.lists(AMOUNTS, min_size=1, max_size=4))
        amounts.append(-sum(amounts))
        worth = amounts if currency == "USD" else [*(a * 3 // 2 for a in amounts[:-1])]
        worth = worth if currency == "USD" else [*worth, -sum(worth)]
        return legs(*((draw(NAMES), a, currency, b, name) for a, b in zip(amounts, worth, strict=True)))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        currency, amount = draw(st.sampled_from(["USD", "JPY", "KWD"])), draw(AMOUNTS)
        rows.append((draw(NAMES), amount, currency, amount if currency == "USD" else draw(AMOUNTS), name))
    rest = -sum(row[3] for row in rows)
    return legs(*rows, (draw(NAMES), rest, "USD", rest, name))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    journal=st.lists(st.tuples(balanced(), ODD, ODD, st.integers(0, 3)), min_size=1, max_size=5),
    title=ODD,
    first=st.integers(0, 4) | st.none(),
)
def test_law_whatever_is_in_the_journal_others_read_the_same_balances(db, hledger, journal, title, first):
    company = journal_rows.company(f"c{next(journal_rows._numbers)}")
    company.name = title
    company.save()
    shop = journal_rows.channel(f"shop-{company.slug}", of=company)
    for n, (rows, number, source_id, day) in enumerate(journal):
        same = len({row[2] for row in rows}) == 1
        if same and sum(row[1] for row in rows):
            continue  # of one currency that does not balance in itself: the database refuses it
        day = date(2026, 9, 1) + timedelta(days=day)
        journal_rows.entry(rows, day=day, on=shop, number=number, source_id=f"{source_id}{n}")
    expected = {(account_name(code), c): amount for (code, c), amount in our_balances(company).items()}
    options = [] if first is None else ["--from", (date(2026, 9, 1) + timedelta(days=first)).isoformat()]
    with tempfile.TemporaryDirectory() as folder:
        for form, balances in (
            ("beancount", lambda file: beancount_balances(file)[0]),
            ("hledger", lambda file: hledger_balances(hledger, file)),
        ):
            found = balances(export(Path(folder), company.slug, form, *options))
            found.pop((CONVERSION, "USD"), None)
            assert found == expected, form
        by_code = our_balances(company)
        assert csv_balances(export(Path(folder), company.slug, "csv", *options)) == by_code


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
        ["export_books", "--format", "csv", "--from", "soon"],
        ["export_books", "--format", "csv", "--from", "2026-09-02", "--to", "2026-09-01"],
    ):
        with pytest.raises(CommandError) as error:
            call_command(*arguments)
        assert error.value.returncode == 2
    journal_rows.company()
    with pytest.raises(CommandError, match="not a day"):
        call_command("trial_balance", "--as-of", "yesterday")
    with pytest.raises(CommandError, match="cannot be written") as error:
        call_command("export_books", "--format", "csv", "--output", "/nowhere/at/all.csv")
    assert error.value.returncode == 2


def test_every_currency_is_one_that_beancount_reads():
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in MINOR_DIGITS)
