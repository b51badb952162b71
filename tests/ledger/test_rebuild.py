"""Account rules in the books: what a changed rule posts, and that it posts nothing twice, nothing else, and loses nothing."""

import json
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from msgspec.structs import replace

from channels.payout import Payout, PayoutLine
from ledger import account_rules, periods, rebuild
from ledger.models import AccountRule, JournalEntry, Posting, Rate
from ledger.rebuild import Scope
from salessync import verify
from salessync.core import nudge
from salessync.core.models import AuditRow
from tests.records import START, back, card, line, refund, sale, source
from tests.worlds import World

pytestmark = pytest.mark.django_db

DAY = date(2026, 9, 1)
TAXES = [("US-NY", "State", "4", 80)]


@pytest.fixture
def world():
    return World()


def rule(world, account, *, since=DAY, until=None, channel=None, **conditions):
    """A rule as the admin would add it; nothing is rebuilt."""
    row = AccountRule(
        company=world.company, channel=channel, account=account_rules.account_named(world.company, account),
        valid_from=since, valid_to=until, **conditions,
    )  # fmt: skip
    return account_rules.add(rule=row, actor="anna", sentence="as said")


def post(world, **scope):
    """Rebuild all; returns what was posted."""
    tally, after = rebuild.Tally(None), ""
    while (piece := rebuild.step(Scope(world.company.pk, **scope), after, post=True)) is not None:
        tally.add(piece)
        after = piece.after
    return tally


def moved(tally):
    return {account: amount for account, _, amount, _ in tally.deltas()}


def on(record, day):
    return replace(record, business_date=day, occurred_at=record.occurred_at + (day - record.business_date))


def holds():
    assert [(law.law, law.examples) for law in verify.verify_books() if law.violations] == []


BOOK, TOY = (replace(line(taxes=[]), category=c) for c in ("books", "toys"))


def test_a_rule_posts_exactly_what_changes_and_a_second_rebuild_nothing(world):
    world.send(sale([BOOK, replace(TOY, id="2")], id_="S1"), sale([TOY], id_="S2"))
    before, entries = world.balances(), JournalEntry.objects.count()
    rule(world, "Income:Books", category="books")
    tally = post(world)
    assert moved(tally) == {"Income:Sales": 1000, "Income:Books": -1000}
    assert (tally.entries, len(tally.changed), tally.looked_at, tally.problems) == (1, 1, 2, [])
    assert world.balances() == before | {"Income:Sales": before["Income:Sales"] + 1000, "Income:Books": -1000}
    assert JournalEntry.objects.count() == entries + 1
    again = post(world)
    assert (again.entries, again.deltas()) == (0, [])
    holds()


def test_books_without_rules_need_nothing(world):
    world.send(sale([line(units=2, taxes=TAXES)], id_="S1"))
    world.send(refund([back(line(units=2, taxes=TAXES), units=1, net=1000, tax=40)], of="S1"))
    assert post(world).entries == 0


def test_what_comes_after_the_rule_goes_by_it_at_once(world):
    rule(world, "Liabilities:Vat", tax_code="US-NY*")
    world.send(sale([line(taxes=TAXES)], id_="S1"))
    assert world.balances()["Liabilities:Vat"] == -80
    assert "Liabilities:Tax-payable" not in world.balances()
    assert post(world).entries == 0
    holds()


def test_a_refund_after_the_change_goes_back_to_the_accounts_of_its_sale(world):
    sold = sale([line(taxes=TAXES)], [card(1080, type="gift_card", processor=None)], id_="S1")
    world.send(sold)
    rule(world, "Liabilities:Old-cards", since=date(2026, 9, 2), kind="gift_card")
    rule(world, "Liabilities:Vat", since=date(2026, 9, 2), tax_code="US-NY*")
    given_back = [back(line(taxes=TAXES), units=1, net=1000, tax=80)]
    tenders = [{"id": "r1", "parent": "t1", "type": "gift_card", "amount": 1080}]
    money = refund(given_back, of="S1")
    money = replace(money, tenders=[replace(money.tenders[0], **tenders[0], processor=None)])
    assert money.business_date == date(2026, 9, 2)
    world.send(money)
    balances = world.balances()
    assert (
        not {"Liabilities:Old-cards", "Liabilities:Vat", "Liabilities:Gift-cards", "Liabilities:Tax-payable"}
        & balances.keys()
    )
    assert post(world).entries == 0
    holds()


def test_a_rule_in_mid_month_splits_by_business_date_and_moves_a_refund_with_its_sale(world):
    for number, day in enumerate((DAY, date(2026, 9, 14), date(2026, 9, 15), date(2026, 9, 30))):
        world.send(on(sale([BOOK], id_=f"S{number}"), day))
    world.send(on(refund([back(BOOK, units=1, net=1000)], of="S1"), date(2026, 9, 20)))
    world.send(on(refund([back(BOOK, units=1, net=1000)], of="S2", id_="R2"), date(2026, 9, 20)))
    rule(world, "Income:Books", since=date(2026, 9, 15), role="Income:Sales", category="books")
    rule(world, "Income:Book-returns", since=date(2026, 9, 15), role="Income:Returns", category="books")
    tally = post(world)
    assert moved(tally) == {
        "Income:Sales": 2000, "Income:Books": -2000, "Income:Returns": -1000, "Income:Book-returns": 1000,
    }  # fmt: skip
    assert tally.days == {date(2026, 9, 15), date(2026, 9, 20), date(2026, 9, 30)}
    holds()


def test_an_ended_rule_leads_nothing_from_its_last_day_on_and_a_withdrawn_one_nothing_at_all(world):
    for number in range(4):
        world.send(on(sale([BOOK], id_=f"S{number}"), DAY + timedelta(days=number)))
    before = world.balances()
    made = rule(world, "Income:Books", category="books")
    post(world)
    account_rules.end(rule=made, valid_to=DAY + timedelta(days=1), actor="anna", sentence="ended")
    assert moved(post(world)) == {"Income:Sales": -2000, "Income:Books": 2000}
    account_rules.end(rule=made, valid_to=DAY - timedelta(days=1), actor="anna", sentence="withdrawn")
    assert moved(post(world)) == {"Income:Sales": -2000, "Income:Books": 2000}
    assert world.balances() == before
    holds()


def test_a_channel_and_days_limit_what_is_looked_at(world):
    other = world.channel("other-till", "standard")
    world.send(sale([BOOK], id_="S1"), on(sale([BOOK], id_="S2"), DAY + timedelta(days=1)))
    world.send(sale([BOOK], id_="S3"), channel=other)
    world.send(on(refund([back(BOOK, units=1, net=1000)], of="S2"), DAY + timedelta(days=9)))
    rule(world, "Income:Books", category="books")
    assert moved(post(world, channel_id=other.pk)) == {"Income:Sales": 1000, "Income:Books": -1000}
    late = DAY + timedelta(days=1)
    assert post(world, first=DAY + timedelta(days=9)).looked_at == 0  # the refund is of its sale's day
    found = post(world, first=late, last=late)
    assert (found.looked_at, moved(found)) == (2, {"Income:Sales": 1000, "Income:Returns": -1000})
    assert moved(post(world, last=DAY)) == {"Income:Sales": 1000, "Income:Books": -1000}
    assert post(world).entries == 0


def test_payouts_follow_the_sales_that_they_pay(world):
    paid = PayoutLine(id="1", category="charge", gross=1000, fee=30, net=970, reference="ch_1")
    world.send(sale([BOOK], [card(1000, reference="ch_1")], id_="S1"))
    world.send(
        Payout(
            source=source("po_1"), occurred_at=START, timezone="UTC", business_date=date(2026, 9, 9), currency="USD",
            processor="stripe", status="paid", amount=970, lines=[paid], residual=0,
        )
    )  # fmt: skip
    before = world.balances()
    assert "Assets:Clearing:Stripe" not in before
    rule(world, "Assets:Card-money", until=date(2026, 9, 5), role="Assets:Clearing:Stripe", channel=world.till)
    tally = post(world, first=DAY, last=date(2026, 9, 5), channel_id=world.till.pk)
    assert (tally.entries, tally.deltas()) == (2, [])
    assert world.balances() == before
    assert post(world).entries == 0
    holds()


def test_another_currency_moves_with_its_worth(world):
    euro = world.channel("euro-till", "standard", currency="EUR")
    Rate.objects.create(date="2026-01-01", from_currency="EUR", to_currency="USD", rate="1.1")
    world.send(replace(sale([BOOK], id_="E1", currency="EUR")), channel=euro)
    rule(world, "Income:Books", category="books")
    assert post(world).deltas() == [("Income:Books", "EUR", -1000, -1100), ("Income:Sales", "EUR", 1000, 1100)]
    holds()


def test_looking_posts_nothing_and_tells_before_and_after(world):
    world.send(sale([BOOK, replace(TOY, id="2")], id_="S1"), sale([TOY], id_="S2"))
    entries = JournalEntry.objects.count()
    made = AccountRule(
        company=world.company, account=account_rules.account_named(world.company, "Income:Books"), category="books",
        valid_from=DAY,
    )  # fmt: skip
    supposed = account_rules.supposing(world.company, added=account_rules.as_rule(made))
    tally, whole = rebuild.look(Scope(world.company.pk), closed_through=DAY, rules=supposed, seconds=60)
    assert whole
    assert moved(tally) == {"Income:Sales": 1000, "Income:Books": -1000}
    assert tally.late == 1
    assert tally.samples[0].legs == {
        ("lines/1/gross", "Income:Books", "USD"): (0, -1000),
        ("lines/1/gross", "Income:Sales", "USD"): (-1000, 0),
    }
    assert JournalEntry.objects.count() == entries
    assert rebuild.look(Scope(world.company.pk), closed_through=None, seconds=60)[0].entries == 0
    _, whole = rebuild.look(Scope(world.company.pk), closed_through=None, seconds=0)
    assert not whole


def test_what_cannot_be_computed_is_named_and_stops_nothing_else(world):
    euro = world.channel("euro-till", "standard", currency="EUR")
    given = Rate.objects.create(date="2026-01-01", from_currency="EUR", to_currency="USD", rate="1.1")
    world.send(sale([BOOK], id_="E1", currency="EUR"), channel=euro)
    world.send(sale([BOOK], id_="S1"))
    given.delete()
    rule(world, "Income:Books", category="books")
    tally = post(world)
    assert moved(tally) == {"Income:Sales": 1000, "Income:Books": -1000}
    assert tally.problems == ["sale E1 of euro-till: no rate from EUR to USD"]


# --- asked for, and done bit by bit


def test_a_rebuild_that_was_asked_for_goes_on_where_it_was_left(world, monkeypatch):
    monkeypatch.setattr(rebuild, "FAMILIES", 2)
    for number in range(7):
        world.send(sale([BOOK], id_=f"S{number}"))
    rule(world, "Income:Books", category="books")
    asked = rebuild.ask(scope=Scope(world.company.pk), reason="a rule", actor="anna")
    marks = []
    while asked.done_at is None:
        marks.append(rebuild.go_on(asked, seconds=0).after)  # one piece
    assert len(set(marks)) == 4  # nothing is looked at twice; the last step finds no more
    assert (asked.transactions, asked.entries) == (7, 7)
    assert world.balances()["Income:Books"] == -7000
    assert rebuild.run_due(seconds=60) == 0
    assert post(world).entries == 0


def test_what_is_due_is_done_the_oldest_first(world):
    world.send(sale([BOOK], id_="S1"))
    rule(world, "Income:Books", category="books")
    first, second = (rebuild.ask(scope=Scope(world.company.pk), reason=r, actor="anna") for r in ("one", "two"))
    assert rebuild.run_due(seconds=60) == 2
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.entries, second.entries) == (1, 0)


# --- the command


def command(*args):
    """Exit code, standard output and standard error."""
    out, err = StringIO(), StringIO()
    try:
        call_command("rebuild", *args, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
    except SystemExit as stopped:
        return stopped.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_the_command_shows_the_deltas_before_it_posts_them(world, monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: True)
    world.send(sale([BOOK], id_="S1"), sale([TOY], id_="S2"))
    entries = JournalEntry.objects.count()
    rule(world, "Income:Books", category="books")
    code, dry, err = command("--dry-run", f"--company={world.company.slug}")
    assert (code, JournalEntry.objects.count()) == (0, entries)
    assert dry.splitlines() == [
        "2 transactions looked at.",
        "1 difference would be posted, of 1 transaction, on 2026-09-01.",
        "Account            Change  In USD",
        "Income:Books  USD  -10.00  -10.00",
        "Income:Sales  USD   10.00   10.00",
    ]
    assert "2 transactions looked at (sales with their refunds and charges), 1 differences" in err
    code, out, _ = command(f"--company={world.company.slug}", "--json")
    assert (code, JournalEntry.objects.count()) == (0, entries + 1)
    assert json.loads(out) == {
        "dry_run": False, "looked_at": 2, "transactions": 1, "entries": 1, "late": 0, "first": "2026-09-01",
        "last": "2026-09-01", "unsolved": 0, "problems": [],
        "accounts": [
            {"account": "Income:Books", "currency": "USD", "amount": -1000, "base_amount": -1000},
            {"account": "Income:Sales", "currency": "USD", "amount": 1000, "base_amount": 1000},
        ],
    }  # fmt: skip
    assert command(f"--company={world.company.slug}")[1].splitlines()[1] == "The books are as they should be."
    assert JournalEntry.objects.count() == entries + 1
    holds()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--from", "yesterday"], "--from 'yesterday' is not a day"),
        (["--from", "2026-09-02", "--to", "2026-09-01"], "--from 2026-09-02 is after --to 2026-09-01"),
        (["--channel", "nowhere"], "no channel 'nowhere'"),
        (["--after", "here"], "--after 'here' is no mark of a run"),
        (["--company", "nobody"], "no company is called 'nobody'"),
    ],
)
def test_wrong_usage_says_so(world, options, told):
    code, _, err = command(f"--company={world.company.slug}", *options)
    assert code == 2
    assert told in err


def test_a_run_that_is_stopped_goes_on_after_its_mark(world, monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: True)
    monkeypatch.setattr(rebuild, "FAMILIES", 1)
    world.send(sale([BOOK], id_="S1"), sale([BOOK], id_="S2"), sale([BOOK], id_="S3"))
    rule(world, "Income:Books", category="books")
    with monkeypatch.context() as stopping:
        real, calls = rebuild.step, iter(range(9))

        def impatient(*args, **more):
            if next(calls) == 2:
                raise KeyboardInterrupt
            return real(*args, **more)

        stopping.setattr(rebuild, "step", impatient)
        code, _, err = command(f"--company={world.company.slug}")
    mark = f"{world.till.pk}:S2"
    assert code == 130
    assert f"go on with --after {mark!r}" in err
    assert world.balances()["Income:Books"] == -2000
    assert "1 transaction looked at." in command(f"--company={world.company.slug}", "--after", mark)[1]
    assert world.balances()["Income:Books"] == -3000


def test_what_is_late_goes_to_the_first_open_day_and_is_said(world):
    world.send(sale([BOOK], id_="S1"))
    periods.close(company=world.company, through=date(2026, 9, 30), actor="anna", reason="month end")
    world.company.refresh_from_db()
    rule(world, "Income:Books", category="books")
    code, out, _ = command(f"--company={world.company.slug}")
    assert "1 of them of days that are closed: booked on the first open day." in out
    entry = JournalEntry.objects.latest("pk")
    assert (code, entry.date, entry.business_date) == (0, date(2026, 10, 1), DAY)
    assert "The books are as they should be." in command(f"--company={world.company.slug}")[1]
    holds()


def test_the_command_says_what_it_could_not_compute(world):
    euro = world.channel("euro-till", "standard", currency="EUR")
    given = Rate.objects.create(date="2026-01-01", from_currency="EUR", to_currency="USD", rate="1.1")
    world.send(sale([BOOK], id_="E1", currency="EUR"), channel=euro)
    given.delete()
    code, out, err = command(f"--company={world.company.slug}")
    assert code == 1
    assert "Not computed: sale E1 of euro-till: no rate from EUR to USD" in out
    assert "1 could not be computed" in err


# --- the rules themselves


def test_two_rules_with_the_same_conditions_hold_on_no_day_together(world):
    other = world.channel("other-till", "standard")
    rule(world, "Income:Books", until=DAY + timedelta(days=9), category="books")
    for account, days, more in (
        ("Income:Other", (9, None), {}),
        ("Income:Other", (0, 0), {}),
        ("Income:Books", (-5, 0), {}),
    ):
        until = None if days[1] is None else DAY + timedelta(days=days[1])
        with pytest.raises(IntegrityError), transaction.atomic():
            rule(world, account, since=DAY + timedelta(days=days[0]), until=until, category="books", **more)
    rule(world, "Income:Other", since=DAY + timedelta(days=10), category="books")
    rule(world, "Income:Other", category="books", channel=other)
    rule(world, "Income:Other", category="toys")
    withdrawn = rule(world, "Income:Else", until=DAY - timedelta(days=1), category="books")
    with pytest.raises(IntegrityError), transaction.atomic():
        account_rules.end(rule=withdrawn, valid_to=DAY, actor="anna", sentence="again")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_accountrule SET category = 'toys'",
        "UPDATE ledger_accountrule SET valid_from = valid_from - 1",
        "UPDATE ledger_accountrule SET account_id = account_id - 1",
        "UPDATE ledger_accountrule SET valid_to = valid_from - 2",
        "DELETE FROM ledger_accountrule",
        "TRUNCATE ledger_accountrule",
    ],
)
def test_a_rule_never_changes_but_for_its_last_day(world, change):
    rule(world, "Income:Books", category="books")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


def test_a_rule_names_nothing_of_another_company(world):
    other = World()
    for account, channel in ((other.company, None), (world.company, other.till)):
        row = AccountRule(
            company=world.company, account=account_rules.account_named(account, "Income:Books"), channel=channel,
            category="books", valid_from=DAY,
        )  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            account_rules.add(rule=row, actor="anna", sentence="")


def test_one_company_does_not_hear_of_the_rules_of_another(world):
    other = World()
    rule(other, "Income:Books", category="books")
    world.send(sale([BOOK], id_="S1"))
    other.send(sale([BOOK], id_="S1"))
    assert "Income:Books" not in world.balances()
    assert other.balances()["Income:Books"] == -1000
    assert set(account_rules.load([world.company.pk, other.company.pk])) == {other.company.pk}


def test_the_compiled_rules_are_kept_until_a_row_changes(world):
    made = rule(world, "Income:Books", category="books")
    first = account_rules.load([world.company.pk])[world.company.pk]
    assert account_rules.load([world.company.pk])[world.company.pk] is first
    account_rules.end(rule=made, valid_to=DAY, actor="anna", sentence="ended")
    assert account_rules.load([world.company.pk])[world.company.pk].rows[0].valid_to == DAY


def test_whoever_changes_a_rule_leaves_an_audit_row(world):
    made = rule(world, "Income:Books", category="books")
    account_rules.end(rule=made, valid_to=DAY, actor="ben", sentence="ended")
    rows = AuditRow.objects.filter(object_type="accountrule", object_id=made.pk).order_by("pk")
    assert [(r.actor, r.action, r.company_id) for r in rows] == [
        ("anna", "added", world.company.pk), ("ben", "ended", world.company.pk),
    ]  # fmt: skip
    assert rows[0].data["account"] == "Income:Books"
    assert (rows[1].data["before"], rows[1].data["valid_to"]) == ("", "2026-09-01")
    assert Posting.objects.count() == 0
