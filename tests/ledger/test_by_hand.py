"""Entries by hand: booked once, never edited, undone by a later version; wrong ones are refused before they are stored."""

import json
from datetime import UTC, date, datetime
from io import BytesIO, StringIO, TextIOWrapper

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.models import Channel, Event, TransactionVersion
from ledger import by_hand, notices, periods
from ledger.models import JournalEntry, Posting, Rate
from salessync import setup, verify
from salessync.core.models import AuditRow, Company
from salessync.core.problems import Refused
from tests.ledger.test_inbound import correct
from tests.threads import at_once
from tests.worlds import World

NOW = datetime(2026, 9, 15, 12, 0, tzinfo=UTC)
BANK, FEES = "Assets:Bank:Main", "Expenses:Processing-fees"


@pytest.fixture
def world(db):
    return with_books(World())


def with_books(world):
    setup.open_books(world.company)
    return world


def draft(*postings, **more):
    told = postings or ((BANK, 1250), (FEES, -1250))
    names = ("account", "amount", "currency", "base_amount")
    made = [dict(zip(names, posting, strict=False)) for posting in told]
    return by_hand.read({"date": "2026-09-10", "reason": "booked twice", "postings": made} | more)


def submit(world, *postings, **more):
    return by_hand.submit(company=world.company, draft=draft(*postings, **more), actor="ada", now=NOW)


def undo(world, id, reason="was right after all"):
    return by_hand.undo(company=world.company, id=id, reason=reason, actor="bea", now=NOW)


def codes(refused):
    return [(problem.code, problem.path) for problem in refused.value.problems]


def test_an_entry_is_booked_with_what_it_says(world):
    done = submit(world, reference="Voucher 7", kind="write_off")
    assert (done.state, done.version, done.duplicate, done.problems, done.entries) == ("new", 1, False, [], [])
    world.process()
    assert world.balances() == {BANK: 1250, FEES: -1250}
    again = submit(world, reference="Voucher 7", kind="write_off")
    assert again == done._replace(duplicate=True, state="posted", entries=again.entries) and len(again.entries) == 1
    entry = JournalEntry.objects.get(company=world.company)
    assert (entry.date, entry.transaction.type, entry.transaction.channel.adapter) == (
        date(2026, 9, 10),
        "manual",
        "books",
    )
    row = AuditRow.objects.get(object_type="byhand", object_id=done.event_id)
    assert (row.actor, row.action, row.data["reason"]) == ("ada", "entered by hand", "booked twice")


def test_one_id_is_one_entry_and_another_under_it_is_refused(world):
    first = submit(world, id="J-1")
    assert submit(world, id="J-1").event_id == first.event_id
    world.process()
    assert submit(world, id="J-1").duplicate
    with pytest.raises(Refused) as refused:
        submit(world, (BANK, 1), (FEES, -1), id="J-1")
    assert codes(refused) == [("ID_USED_BEFORE", "id")]
    submit(world, id="J-2")  # the same under another id is another
    world.process()
    assert world.balances() == {BANK: 2500, FEES: -2500}


def test_undone_it_stands_for_nothing_and_nothing_is_erased(world):
    first = submit(world)
    world.process()
    done = undo(world, first.id)
    assert (done.version, done.state) == (2, "new")
    assert undo(world, first.id) == done._replace(duplicate=True)
    world.process()
    assert world.balances() == {}
    assert JournalEntry.objects.filter(company=world.company).count() == 2
    assert TransactionVersion.objects.filter(company_id=world.company.pk).count() == 2
    assert undo(world, first.id).duplicate
    with pytest.raises(Refused) as refused:
        undo(world, first.id, "another reason")
    assert codes(refused) == [("UNDONE_BEFORE", "id")]
    assert [law for law in verify.verify_books() if law.violations] == []


def test_what_cannot_be_undone_says_why(world):
    waiting = submit(world)
    with pytest.raises(Refused) as refused:
        undo(world, waiting.id)
    assert codes(refused) == [("NO_SUCH_ENTRY", "id")]
    world.process()
    with pytest.raises(Refused) as refused:
        undo(world, waiting.id, "  ")
    assert codes(refused) == [("MISSING_REASON", "reason")]
    correct(world.company, id="JE-9")
    world.process()
    with pytest.raises(Refused) as refused:
        undo(world, notices.source_id("JE-9"))
    assert codes(refused) == [("MADE_IN_BOOKKEEPER", "id")]


@pytest.mark.parametrize(
    ("more", "code", "path"),
    [
        ({"postings": [{"account": BANK, "amount": 5}, {"account": FEES, "amount": -4}]}, "UNBALANCED", "postings"),
        ({"postings": [{"account": "Bank", "amount": 5}, {"account": FEES, "amount": -5}]}, "BAD_ACCOUNT", "postings[0].account"),
        ({"postings": [{"account": BANK, "amount": 0}, {"account": FEES, "amount": 0}]}, "EMPTY_POSTING", "postings[0].amount"),
        ({"postings": [{"account": BANK, "amount": 5}]}, "BAD_FIELD", "postings"),
        ({"postings": [{"account": BANK, "amount": 5, "currency": "XXQ"}, {"account": FEES, "amount": -5, "currency": "XXQ"}]},
         "UNKNOWN_CURRENCY", "currency"),
        ({"postings": [{"account": BANK, "amount": 5, "currency": "EUR"}, {"account": FEES, "amount": -5, "currency": "EUR"}]},
         "MISSING_RATE", "currency"),
        ({"postings": [{"account": BANK, "amount": 5, "currency": "EUR"}, {"account": FEES, "amount": -5}]},
         "MISSING_RATE", "postings[0].base_amount"),
        ({"postings": [{"account": BANK, "amount": 5, "base_amount": 6}, {"account": FEES, "amount": -5, "base_amount": -6}]},
         "BASE_AMOUNT", "postings/1/base_amount"),
        ({"reason": " "}, "MISSING_REASON", "reason"),
        ({"date": "2026-02-30"}, "BAD_DATE", "date"),
        ({"kind": "gift"}, "UNKNOWN_VALUE", "kind"),
        ({"id": "no spaces"}, "BAD_FIELD", "id"),
        ({"colour": "red"}, "UNKNOWN_FIELD", "colour"),
    ],
)  # fmt: skip
def test_what_cannot_be_booked_is_refused_with_its_place_and_leaves_nothing(world, more, code, path):
    with pytest.raises(Refused) as refused:
        submit(world, **more)
    assert codes(refused)[0] == (code, path)
    assert not Event.objects.filter(channel__adapter="books").exists()


def test_foreign_amounts_are_worth_what_the_day_s_rate_says_or_they_do(world):
    Rate.objects.create(date="2026-09-01", from_currency="EUR", to_currency="USD", rate="1.1")
    submit(world, (BANK, 1000, "EUR"), (FEES, -1100))
    submit(world, (BANK, 1000, "EUR", 1050), (FEES, -1050))
    submit(world, (BANK, 1000, "EUR"), (FEES, -1000, "EUR"))
    world.process()
    assert world.codes() == []
    found = Posting.objects.filter(company_id=world.company.pk, amount__gt=0).order_by("entry_id")
    assert [(p.amount, p.currency, p.base_amount) for p in found] == [(1000, "EUR", w) for w in (1100, 1050, 1100)]


def test_an_entry_of_a_closed_day_is_booked_on_the_first_open_one(world):
    periods.close(company=world.company, through=date(2026, 9, 30), actor="ada", reason="month end")
    shown = by_hand.preview(company=world.company, draft=draft())
    assert shown.booked_on == date(2026, 10, 1) and shown.new_accounts == [BANK]
    submit(world)
    world.process()
    entry = JournalEntry.objects.get(company=world.company)
    assert (entry.date, entry.business_date) == (shown.booked_on, date(2026, 9, 10))


def test_a_preview_stores_nothing(world):
    by_hand.preview(company=world.company, draft=draft())
    assert not Event.objects.filter(channel__adapter="books").exists()


def test_without_the_books_channel_it_says_so(db):
    with pytest.raises(Refused) as refused:
        submit(World())
    assert codes(refused) == [("NO_BOOKS_CHANNEL", "$")]


def test_every_company_has_its_books_channel_once(db):
    world = World()
    for _ in range(2):
        setup.bootstrap()
    found = dict(Channel.objects.filter(adapter="books").values_list("slug", "company__slug"))
    assert found == {f"{slug}-books": slug for slug in ("main", world.company.slug)}
    Channel.objects.filter(slug="main-books").update(adapter="standard")
    with pytest.raises(setup.UnableToSetUp):
        setup.open_books(Company.objects.get(slug="main"))


def test_many_at_once_are_one(committed_db):
    world = with_books(World())
    done = at_once(4, lambda: submit(world, id="J-1"))
    assert sorted(d.duplicate for d in done) == [False, True, True, True]
    world.process()
    undone = at_once(4, lambda: undo(world, done[0].id))
    assert sorted(d.duplicate for d in undone) == [False, True, True, True]
    world.process()
    assert world.balances() == {} and Event.objects.filter(channel__adapter="books").count() == 2


STEPS = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["enter", "replace", "undo"]), st.integers(1, 3), st.booleans()), max_size=10
)  # fmt: skip


REFUSALS = {"enter": ["ID_USED_BEFORE"], "replace": [], "undo": ["UNDONE_BEFORE", "NO_SUCH_ENTRY"]}


def attempt(world, id_, what, amount):
    """The code of the refusal, if there is one."""
    try:
        if what == "undo":
            undo(world, by_hand.named(id_))
        else:
            made = draft((BANK, amount), (FEES, -amount), id=id_)
            by_hand.submit(company=world.company, draft=made, actor="ada", now=NOW, replaces=what == "replace")
    except Refused as refused:
        return refused.problems[0].code
    return None


@given(STEPS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_entered_replaced_and_undone_the_books_have_the_last_word_of_each(db, steps):
    world = with_books(World())
    stands = {}
    for id_, what, amount, process in steps:
        if (code := attempt(world, id_, what, amount)) is None:
            stands[id_] = 0 if what == "undo" else amount
        else:
            assert code in REFUSALS[what]
        if process or what == "undo":
            world.process()
    world.process()
    assert world.balances().get(BANK, 0) == sum(stands.values())


# --- the command


def run(monkeypatch, body, *arguments):
    out = StringIO()
    monkeypatch.setattr(
        "sys.stdin", TextIOWrapper(BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode()))
    )
    call_command("manual_entry", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


BODY = {
    "date": "2026-09-10",
    "reason": "x",
    "postings": [{"account": BANK, "amount": 5}, {"account": FEES, "amount": -5}],
}


def test_the_command_books_and_takes_back(world, monkeypatch):
    company = ("--company", world.company.slug)
    done = json.loads(run(monkeypatch, BODY, "--json", *company))
    assert done["state"] == "new"
    world.process()
    assert "known before" in run(monkeypatch, BODY, *company)
    run(monkeypatch, b"", "--undo", done["id"], "--reason", "twice", *company)
    world.process()
    assert world.balances() == {}


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 2), (BODY | {"reason": ""}, 1), (b"5", 1), (BODY | {"postings": []}, 1)]
)
def test_a_wrong_entry_ends_the_command_with_its_status(world, monkeypatch, body, status):
    with pytest.raises(CommandError) as error:
        run(monkeypatch, body, "--company", world.company.slug)
    assert error.value.returncode == status
