"""What Bookkeeper tells us: its accounts, closed periods, corrections. Exactly once, and never back to it as new money."""

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, transaction
from django.db.utils import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.models import Event
from ledger import counterparts, inbound, messages, notices, outbox, readback
from ledger.models import (
    BookkeeperAccount,
    BookkeeperCode,
    BookkeeperCorrection,
    Delivery,
    JournalEntry,
    PeriodChange,
    Posting,
)
from salessync.core.models import AuditRow
from salessync.core.problems import Refused
from tests.ledger import journal_rows
from tests.ledger.journal_rows import make_due
from tests.threads import at_once
from tests.worlds import World

NOW = datetime(2026, 9, 15, 12, 0, tzinfo=UTC)


def codes(refused):
    return [(problem.code, problem.path) for problem in refused.value.problems]


# --- accounts


def chart(*accounts):
    rows = [
        {"code": code, "name": code.rsplit(":", 1)[-1], "kind": "income", "active": active} for code, active in accounts
    ]
    return notices.read(notices.AccountList, {"accounts": rows})


def receive(company, *accounts):
    return counterparts.receive(company=company, chart=chart(*accounts), actor="bookkeeper")


def test_a_list_takes_the_place_of_the_one_before(db):
    company = journal_rows.company()
    assert receive(company, ("Income:Sales", True), ("4000", True)).added == ["4000", "Income:Sales"]
    assert receive(company, ("Income:Sales", True), ("4000", True)) == ([], [], [])
    changes = receive(company, ("Income:Sales", False), ("5000", True))
    assert changes == counterparts.Changes(["5000"], ["Income:Sales"], ["4000"])
    assert dict(BookkeeperAccount.objects.values_list("code", "active")) == {"Income:Sales": False, "5000": True}
    receive(journal_rows.company("other"), ("4000", True))
    assert BookkeeperAccount.objects.filter(company=company).count() == 2
    assert AuditRow.objects.filter(action="accounts received").count() == 3


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({"accounts": []}, "EMPTY_LIST", "accounts"),
        ({}, "MISSING_ACCOUNTS", "accounts"),
        ([], "BAD_FIELD", "$"),
        (None, "BAD_FIELD", "$"),
        ({"accounts": [{"code": "1", "name": "Cash"}]}, "MISSING_KIND", "accounts[0].kind"),
        ({"accounts": [{"code": "1", "name": "Cash", "kind": "cash"}]}, "UNKNOWN_VALUE", "accounts[0].kind"),
        ({"accounts": [{"code": "", "name": "Cash", "kind": "asset"}]}, "BAD_FIELD", "accounts[0].code"),
        ({"accounts": [{"code": "a\x00", "name": "Cash", "kind": "asset"}]}, "BAD_FIELD", "accounts[0].code"),
        ({"accounts": [{"code": "1", "name": "x", "kind": "asset", "colour": 1}]}, "UNKNOWN_FIELD", "accounts[0].colour"),
        ({"accounts": [{"code": "1", "name": "x", "kind": "asset"}] * 2}, "DUPLICATE_ACCOUNT", "accounts[0].code"),
    ],
)  # fmt: skip
def test_a_list_that_is_none_is_refused_with_its_place(body, code, path):
    with pytest.raises(Refused) as refused:
        notices.read(notices.AccountList, body)
    assert codes(refused)[0] == (code, path)


def test_accounts_without_a_counterpart_are_told_and_refuse_nothing(db, bookkeeper):
    entry = journal_rows.entry()
    company = entry.company
    assert counterparts.without_counterpart(company) == []  # Bookkeeper has not told us its accounts
    receive(company, ("Income:Sales", True), ("Liabilities:Tax-payable", False))
    assert counterparts.without_counterpart(company) == [
        counterparts.Lacking("Assets:Clearing:Stripe", "Assets:Clearing:Stripe", "unknown", 1),
        counterparts.Lacking("Liabilities:Tax-payable", "Liabilities:Tax-payable", "closed", 1),
    ]
    stripe = journal_rows.account("Assets:Clearing:Stripe", company)
    counterparts.call(account=stripe, code="1200", actor="ann")
    assert counterparts.without_counterpart(company)[0].told_as == "1200"
    receive(company, ("Income:Sales", True), ("Liabilities:Tax-payable", True), ("1200", True))
    assert counterparts.without_counterpart(company) == []


# --- what an account is called there


def told_accounts(entry):
    return [leg.account for leg in messages.of([entry.pk])[entry.pk].postings]


def test_an_account_is_told_by_its_code_there_from_the_next_batch_on(db, bookkeeper):
    before = journal_rows.entry()
    outbox.push_all_due()
    tax = journal_rows.account("Liabilities:Tax-payable", before.company)
    assert counterparts.call(account=tax, code=" Liabilities:Vat ", actor="ann")
    assert counterparts.call(account=tax, code="Liabilities:Vat", actor="ann") is None
    after = journal_rows.entry()
    assert outbox.push_all_due().acknowledged == 1
    assert "Liabilities:Tax-payable" in told_accounts(before) and "Liabilities:Vat" in told_accounts(after)
    assert readback.check(full=True) == readback.Report(compared=2)  # each as it was sent, whatever it is called now
    counterparts.call(account=tax, code="", actor="ann")
    again = journal_rows.entry()
    outbox.push_all_due()
    assert "Liabilities:Tax-payable" in told_accounts(again)
    assert readback.check(full=True) == readback.Report(compared=3)
    assert [row.data["code"] for row in AuditRow.objects.filter(action="called at Bookkeeper").order_by("id")] == [
        "Liabilities:Vat",
        "",
    ]


def test_a_batch_that_was_sent_keeps_its_bytes_through_a_change(db, bookkeeper):
    entry = journal_rows.entry()
    bookkeeper.fail("drop_reply")
    outbox.push_all_due()
    sales = journal_rows.account("Income:Sales", entry.company)
    counterparts.call(account=sales, code="Income:Turnover", actor="ann")
    make_due()
    assert outbox.push_all_due() == outbox.PushResult(sent=1, duplicate=1)
    assert readback.check(full=True) == readback.Report(compared=1)


def test_what_was_refused_for_its_account_goes_under_the_new_code(db, bookkeeper):
    entry = journal_rows.entry()
    bookkeeper.by_hand("account", code="Income:Sales", active=False)
    assert outbox.push_all_due().refused == 1
    sales = journal_rows.account("Income:Sales", entry.company)
    counterparts.call(account=sales, code="Income:Turnover", actor="ann")
    outbox.requeue_refused(actor="ann")
    assert outbox.push_all_due().acknowledged == 1
    assert "Income:Turnover" in told_accounts(entry)


def test_codes_are_never_changed_in_place(db):
    sales = journal_rows.account("Income:Sales", journal_rows.company())
    counterparts.call(account=sales, code="4000", actor="ann")
    for change in (lambda: BookkeeperCode.objects.update(code="x"), lambda: BookkeeperCode.objects.all().delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
    with pytest.raises(Refused, match="BAD_CODE"):
        counterparts.call(account=sales, code="x" * 201, actor="ann")


# --- period locks


def close(company, through, reason="", now=NOW):
    lock = notices.read(notices.PeriodLock, {"through": through, "reason": reason})
    return inbound.close(company=company, lock=lock, actor="bookkeeper", now=now)


def test_bookkeeper_s_lock_closes_our_days_and_tells_what_is_not_delivered(db, bookkeeper):
    first, refused, late = (journal_rows.entry(day=date(2026, 8, day)) for day in (1, 31, 31))
    september = journal_rows.entry(day=date(2026, 9, 1))
    company = first.company
    Delivery.objects.filter(entry__in=[refused.pk, late.pk, september.pk]).update(
        next_attempt_at="2100-01-01T00:00:00Z"
    )
    outbox.push_all_due()
    Delivery.objects.filter(entry=refused).update(state="refused", error="no such account")
    found = close(company, "2026-08-31")
    assert (found.through, found.changed, found.count) == (date(2026, 8, 31), True, 2)
    assert [(u.id, u.seq, u.state, u.error) for u in found.undelivered] == [
        (refused.pk, refused.seq, "refused", "no such account"), (late.pk, late.seq, "due", None),
    ]  # fmt: skip
    company.refresh_from_db()
    assert company.closed_through == date(2026, 8, 31)
    change = PeriodChange.objects.get()
    assert (change.actor, change.reason) == ("bookkeeper", "closed in Bookkeeper")


def test_the_same_lock_again_and_an_earlier_one_change_nothing(db):
    company = journal_rows.company()
    assert close(company, "2026-08-31", "August is audited").changed
    assert not close(company, "2026-08-31").changed
    earlier = close(company, "2026-07-31")
    assert (earlier.changed, earlier.through) == (False, date(2026, 8, 31))
    assert PeriodChange.objects.get().reason == "August is audited"
    assert AuditRow.objects.filter(action="period locked").count() == 3


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "MISSING_THROUGH"),
        ({"through": "2026-02-30"}, "BAD_DATE"),
        ({"through": "31.08.2026"}, "BAD_DATE"),
        ({"through": 20260831}, "BAD_FIELD"),
        ({"through": "2206-08-31"}, "PERIOD_IN_FUTURE"),
    ],
)
def test_a_lock_that_is_none_closes_nothing(db, body, code):
    company = journal_rows.company()
    with pytest.raises(Refused) as refused:
        inbound.close(company=company, lock=notices.read(notices.PeriodLock, body), actor="bookkeeper", now=NOW)
    assert codes(refused)[0][0] == code
    assert PeriodChange.objects.count() == 0


# --- corrections


@pytest.fixture
def world(db):
    return books(World())


def books(world):
    world.books = world.channel(f"{world.company.slug}-books", "books", currency="USD")
    return world


def correction(id_="JE-77", amount=500, **more):
    return {
        "id": id_, "date": "2026-09-10", "reason": "Bank charges that the bank took in August",
        "postings": [{"account": "Expenses:Bank-charges", "amount": amount}, {"account": "Assets:Bank", "amount": -amount}],
    } | more  # fmt: skip


def correct(company, body=None, **more):
    notice = notices.read(notices.Correction, body or correction(**more))
    return inbound.correct(company=company, correction=notice, actor="bookkeeper", now=NOW)


def test_a_correction_becomes_an_entry_of_ours_once(world):
    taken = correct(world.company)
    assert (taken.reference, taken.duplicate, taken.state, taken.entries) == ("JE-77", False, "new", [])
    world.process()
    assert world.codes() == []
    again = correct(world.company)
    assert again == inbound.taken(company=world.company, reference="JE-77")
    assert again.duplicate and again.state == "posted" and again.event_id == taken.event_id
    entry = JournalEntry.objects.get(company=world.company)
    assert again.entries == [{"id": entry.pk, "seq": entry.seq}]
    assert world.balances() == {"Expenses:Bank-charges": 500, "Assets:Bank": -500}
    assert entry.business_date == date(2026, 9, 10)
    assert Event.objects.filter(company_id=world.company.pk).count() == 1
    row = AuditRow.objects.get(action="correction received")
    assert row.data["reference"] == "JE-77" and row.data["event"] == taken.event_id


def test_a_correction_is_never_pushed_back_and_never_missed(world, bookkeeper):
    outbox.push_all_due()
    correct(world.company)
    world.process()
    journal_rows.entry(on=world.till)
    correct(world.company, id="JE-78")
    world.process()
    assert outbox.push_all_due() == outbox.PushResult(sent=1, acknowledged=1)
    own = Delivery.objects.filter(acknowledgement__startswith="JE-")
    assert sorted(own.values_list("acknowledgement", "state", "attempts", "batch_key")) == [
        ("JE-77", "acknowledged", 0, None), ("JE-78", "acknowledged", 0, None),
    ]  # fmt: skip
    assert len(bookkeeper.accepted()) == 1
    assert readback.check(full=True) == readback.Report(compared=1)
    assert outbox.push_all_due() == outbox.PushResult()
    # not even when somebody wants it to
    outbox.send_again([d.pk for d in own], actor="ann")
    assert outbox.push_all_due() == outbox.PushResult() and len(bookkeeper.accepted()) == 1
    assert AuditRow.objects.filter(action="acknowledged", data__correction="JE-77").count() == 2


def test_nothing_but_corrections_due_ends_the_drain(world, bookkeeper):
    for number in range(7):
        correct(world.company, id=f"JE-{number}", amount=100 + number)
    world.process()
    assert outbox.push_all_due(limit=3) == outbox.PushResult()
    assert Delivery.objects.filter(state="due").count() == 0 and bookkeeper.accepted() == {}


def test_another_entry_under_the_same_id_is_refused_for_good(world):
    correct(world.company)
    with pytest.raises(Refused) as refused:
        correct(world.company, amount=501)
    assert codes(refused) == [("ID_USED_BEFORE", "id")]
    other = books(World())
    assert not correct(other.company).duplicate  # in another company it is another entry
    assert BookkeeperCorrection.objects.count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        BookkeeperCorrection.objects.create(company=world.company, reference="JE-77", digest=b"", event_id=0)


def test_its_accounts_are_ours_by_the_codes_that_bookkeeper_knows(world):
    sales = journal_rows.account("Income:Sales", world.company)
    returns = journal_rows.account("Income:Returns", world.company)
    counterparts.call(account=sales, code="4000", actor="ann")
    legs = [{"account": "4000", "amount": -5}, {"account": "Assets:Bank", "amount": 5}]
    correct(world.company, postings=legs)
    world.process()
    assert world.balances() == {"Income:Sales": -5, "Assets:Bank": 5}
    counterparts.call(account=returns, code="4000", actor="ann")
    with pytest.raises(Refused) as refused:
        correct(world.company, id="JE-78", postings=legs)
    assert codes(refused) == [("AMBIGUOUS_ACCOUNT", "postings[0].account")]
    assert correct(world.company, postings=legs).duplicate  # it came before, when the code was clear
    with pytest.raises(Refused) as refused:
        correct(world.company, id="JE-79", postings=[{"account": "5000", "amount": 5}, legs[1] | {"amount": -5}])
    assert codes(refused) == [("UNKNOWN_ACCOUNT", "postings[0].account")]
    assert Event.objects.filter(company_id=world.company.pk).count() == 1


def legs(*rows):
    return [{"account": account, "amount": amount} | more for account, amount, more in ((*row, {})[:3] for row in rows)]


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"id": ""}, "BAD_FIELD", "id"),
        ({"id": "a\nb"}, "BAD_FIELD", "id"),
        ({"reason": ""}, "BAD_FIELD", "reason"),
        ({"reason": "  "}, "MISSING_REASON", "reason"),
        ({"date": "2026-13-01"}, "BAD_DATE", "date"),
        ({"postings": []}, "BAD_FIELD", "postings"),
        ({"postings": legs(("Assets:Bank", 5), ("Assets:Till:Main", -4))}, "UNBALANCED", "postings"),
        ({"postings": legs(("Assets:Bank", 5.0), ("Assets:Till:Main", -5))}, "BAD_AMOUNT", "postings[0].amount"),
        ({"postings": legs(("Assets:Bank", "5"), ("Assets:Till:Main", -5))}, "BAD_AMOUNT", "postings[0].amount"),
        ({"postings": legs(("Assets:Bank", 2**60), ("Assets:Till:Main", -(2**60)))}, "BAD_AMOUNT", "postings[0].amount"),
        ({"postings": legs(("Assets:Bank", 0), ("Assets:Till:Main", 0))}, "EMPTY_POSTING", "postings[0].amount"),
        ({"postings": legs(("Assets:Bank", 5, {"currency": "usd"}), ("Assets:Till:Main", -5))}, "UNKNOWN_CURRENCY",
         "postings[0].currency"),
        ({"postings": legs(("Assets:Bank", 5, {"currency": "XTS"}), ("Assets:Till:Main", -5, {"currency": "XTS"}))},
         "UNKNOWN_CURRENCY", "currency"),
        ({"postings": legs(("Assets:Bank", 5, {"currency": "EUR"}), ("Assets:Till:Main", -6))}, "MISSING_BASE_AMOUNT",
         "postings[0].base_amount"),
        ({"postings": legs(("Assets:Bank", 5, {"note": "x"}), ("Assets:Till:Main", -5))}, "UNKNOWN_FIELD", "postings[0].note"),
    ],
)  # fmt: skip
def test_a_correction_that_is_none_is_refused_at_once_with_its_place(world, changes, code, path):
    with pytest.raises(Refused) as refused:
        correct(world.company, **changes)
    assert (code, path) in codes(refused)
    assert all(problem.message for problem in refused.value.problems)
    assert Event.objects.filter(company_id=world.company.pk).count() == 0
    assert inbound.taken(company=world.company, reference="JE-77") is None


def test_a_correction_in_two_currencies_keeps_both_amounts(world):
    correct(
        world.company,
        postings=legs(
            ("Assets:Bank", 1000, {"currency": "EUR", "base_amount": 1100}),
            ("Assets:Clearing:Stripe", -1098, {"base_amount": -1098}),
            ("Income:Fx", -2, {"base_amount": -2, "memo": "rounding", "category": "fx", "location": "L1"}),
        ),
    )
    world.process()
    assert world.codes() == []
    stored = Posting.objects.filter(company_id=world.company.pk).order_by("amount")
    assert [(p.amount, p.currency, p.base_amount) for p in stored] == [
        (-1098, "USD", -1098), (-2, "USD", -2), (1000, "EUR", 1100),
    ]  # fmt: skip


def test_without_the_books_channel_it_says_so(db):
    with pytest.raises(Refused) as refused:
        correct(World().company)
    assert codes(refused) == [("NO_BOOKS_CHANNEL", "$")]


def test_many_at_once_are_one(committed_db):
    world = books(World())
    taken = at_once(4, lambda: correct(world.company))
    assert sorted(t.duplicate for t in taken) == [False, True, True, True]
    assert len({t.event_id for t in taken}) == 1 and Event.objects.count() == 1

    def different():
        try:
            return correct(world.company, id="JE-2", amount=next(amounts)).reference
        except Refused as refused:
            return refused.problems[0].code

    amounts = iter(range(1, 5))
    assert sorted(at_once(4, different)) == ["ID_USED_BEFORE"] * 3 + ["JE-2"]
    assert Event.objects.count() == 2 and BookkeeperCorrection.objects.count() == 2


SENT = st.tuples(st.sampled_from(["JE-1", "JE-2", "JE-3"]), st.integers(1, 3), st.booleans())


@given(st.lists(SENT, max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_however_often_they_come_the_books_have_the_first_of_each(db, sent):
    world = books(World())
    first = {}
    for id_, amount, process in sent:
        if first.setdefault(id_, amount) == amount:
            correct(world.company, id=id_, amount=amount)
        else:
            with pytest.raises(Refused, match="ID_USED_BEFORE"):
                correct(world.company, id=id_, amount=amount)
        if process:
            world.process()
    world.process()
    assert world.balances().get("Expenses:Bank-charges", 0) == sum(first.values())
    assert JournalEntry.objects.filter(company=world.company).count() == len(first)
