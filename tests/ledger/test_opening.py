"""Opening balances: one balanced entry a file; the same file twice is one, a corrected one takes its place, a bad one is refused whole."""

import json
from datetime import UTC, date, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import by_hand, opening, reports
from ledger.models import JournalEntry, Posting, Rate
from salessync import verify
from salessync.core.problems import Refused
from tests.ledger.test_by_hand import with_books
from tests.worlds import World

NOW = datetime(2026, 9, 15, 12, 0, tzinfo=UTC)
DAY = date(2026, 8, 31)
HEAD = "account,currency,amount,base_amount\n"
FILE = "account,currency,amount\nAssets:Bank:Main,USD,1000.00\nLiabilities:Gift-cards,USD,-250.50\nAssets:Petty-cash,USD,0.00\n"
EQUITY = "Equity:Opening-balances"


@pytest.fixture
def world(db):
    return with_books(World())


def bring_in(world, text=FILE, day=DAY):
    done = opening.bring_in(company=world.company, text=text, day=day, actor="ada", now=NOW)
    world.process()
    return done


def refused(world, text):
    with pytest.raises(Refused) as error:
        bring_in(world, text)
    return [(p.code, p.path) for p in error.value.problems]


def test_the_balances_stand_with_what_they_lack_on_equity(world):
    shown = opening.preview(company=world.company, text=FILE, day=DAY)
    assert shown.new_accounts == ["Assets:Bank:Main"] and shown.record.kind == "opening"
    bring_in(world)
    assert world.balances() == {"Assets:Bank:Main": 100000, "Liabilities:Gift-cards": -25050, EQUITY: -74950}
    assert JournalEntry.objects.get(company=world.company).date == DAY


def test_the_same_file_twice_changes_nothing_and_a_corrected_one_posts_the_difference(world):
    assert opening.former(world.company) is None
    first = bring_in(world)
    assert bring_in(world).event_id == first.event_id
    assert JournalEntry.objects.filter(company=world.company).count() == 1
    corrected = bring_in(world, FILE.replace("-250.50", "-200.00"))
    assert corrected.version == 2
    assert world.balances() == {"Assets:Bank:Main": 100000, "Liabilities:Gift-cards": -20000, EQUITY: -80000}
    difference = Posting.objects.filter(entry__company=world.company, entry__sequence=2).order_by("amount")
    assert [(p.account.code, p.amount) for p in difference] == [(EQUITY, -5050), ("Liabilities:Gift-cards", 5050)]
    assert bring_in(world).version == 3  # back to the first file
    assert world.balances()[EQUITY] == -74950


def test_another_day_moves_them(world):
    bring_in(world)
    bring_in(world, day=date(2026, 7, 31))
    as_of = {row.account: row.balance for row in reports.trial_balance(company=world.company, as_of=date(2026, 7, 31))}
    assert as_of[EQUITY] == -74950
    assert opening.former(world.company).day == date(2026, 7, 31)


def test_undone_and_brought_in_again(world):
    done = bring_in(world)
    by_hand.undo(company=world.company, id=done.id, reason="too early", actor="ada", now=NOW)
    world.process()
    assert world.balances() == {} and opening.former(world.company).undone
    assert bring_in(world).version == 3
    assert world.balances()[EQUITY] == -74950 and not opening.former(world.company).undone
    assert [law for law in verify.verify_books() if law.violations] == []


def test_other_currencies_with_their_worth_or_the_day_s_rate(world):
    Rate.objects.create(date="2026-08-01", from_currency="EUR", to_currency="USD", rate="1.1")
    bring_in(
        world, HEAD + "Assets:Bank:Euro,EUR,100.00,112.00\nAssets:Till:Front,EUR,10.00,\nAssets:Bank:Main,,5.00,\n"
    )
    stood = {
        row.account: (row.currency, row.balance, row.base_balance)
        for row in reports.trial_balance(company=world.company)
    }
    assert stood == {
        "Assets:Bank:Euro": ("EUR", 10000, 11200),
        "Assets:Till:Front": ("EUR", 1000, 1100),
        "Assets:Bank:Main": ("USD", 500, 500),
        EQUITY: ("USD", -12800, -12800),
    }


def test_balances_that_lack_nothing_need_no_equity(world):
    bring_in(world, HEAD + "Assets:Bank:Main,USD,5.00,\nEquity:Capital,USD,-5.00,\n")
    assert world.balances() == {"Assets:Bank:Main": 500, "Equity:Capital": -500}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", [("MISSING_COLUMN", "line 1")] * 3),
        ("account,currency\nx,y\n", [("MISSING_COLUMN", "line 1")]),
        ("account,currency,amount,colour\n", [("UNKNOWN_COLUMN", "line 1")]),
        ("account,currency,amount,amount\n", [("DUPLICATE_COLUMN", "line 1")]),
        (HEAD, [("NO_BALANCES", "$")]),
        (HEAD + "Assets:Bank:Main,USD,0,\n", [("NO_BALANCES", "$")]),
        (HEAD + "Assets:Bank:Main,USD,1\n", [("BAD_ROW", "line 2")]),
        (HEAD + "Bank,USD,1,\nAssets:X,QQQ,1,\nAssets:Y,USD,1.234,\nAssets:Z,USD,1,234\n",
         [("BAD_ACCOUNT", "line 2"), ("UNKNOWN_CURRENCY", "line 3"), ("AMOUNT_TOO_FINE", "line 4"), ("BASE_AMOUNT", "line 5")]),
        (HEAD + 'Assets:X,USD,"1,234.50",\n', [("BAD_AMOUNT", "line 2")]),
        (HEAD + "Assets:X,EUR,1,\n", [("MISSING_RATE", "line 2")]),
        (HEAD + "Assets:X,EUR,1,-1\n", [("OPPOSITE_SIGNS", "line 2")]),
        (HEAD + "Assets:X,USD,1,\nAssets:X,USD,2,\n", [("DUPLICATE_ACCOUNT", "line 3")]),
        (HEAD + 'Assets:X,USD,"1\n', [("NOT_CSV", "line 2")]),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_whole_with_every_bad_line(world, text, told):
    assert refused(world, text) == told
    assert not JournalEntry.objects.filter(company=world.company).exists()


ROWS = st.dictionaries(st.sampled_from("ABCDEF"), st.integers(-(10**9), 10**9).filter(bool), min_size=1)


@given(st.lists(ROWS, min_size=1, max_size=3))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_files_came_the_last_one_stands_and_sums_to_nothing(db, files):
    world = with_books(World())
    for rows in files:
        lines = [f"Assets:{name},USD,{'-' * (n < 0)}{abs(n) // 100}.{abs(n) % 100:02d}," for name, n in rows.items()]
        bring_in(world, HEAD + "\n".join(lines))
    found = world.balances()
    rest = found.pop(EQUITY, 0)
    assert found == {f"Assets:{name}": n for name, n in files[-1].items()}
    assert rest == -sum(found.values())


# --- the command


def run(world, path, *arguments):
    out = StringIO()
    call_command(
        "import_opening_balances", str(path), "--date", "2026-08-31", "--company", world.company.slug, *arguments,
        stdout=out, stderr=StringIO(),
    )  # fmt: skip
    return out.getvalue()


def test_the_command_shows_and_books(world, tmp_path):
    path = tmp_path / "opening.csv"
    path.write_text("\ufeff" + FILE, encoding="utf-8")
    assert "3 postings would be booked on 2026-08-31; new accounts: Assets:Bank:Main" in run(world, path, "--dry-run")
    world.process()
    assert world.balances() == {}
    assert json.loads(run(world, path, "--json"))["version"] == 1
    world.process()
    assert "known before" in run(world, path)
    assert world.balances()[EQUITY] == -74950


def test_a_bad_file_or_none_ends_the_command(world, tmp_path):
    path = tmp_path / "opening.csv"
    with pytest.raises(CommandError) as error:
        run(world, path)
    assert error.value.returncode == 2
    path.write_text("account\n", encoding="utf-8")
    with pytest.raises(CommandError) as error:
        run(world, path)
    assert error.value.returncode == 1
