"""What Bookkeeper holds, compared with what it was sent: whatever people do there is found, named, and closes when it is undone."""

import json
import sqlite3
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import bookkeeper as client
from ledger import comparison, differences, messages, outbox, readback
from ledger.models import BookkeeperDifference, Delivery, ReadBack
from salessync.core.models import AuditRow
from tests.ledger import journal_rows
from tests.sandbox.test_bookkeeper import post

NOTHING = dict.fromkeys(["missing", "edited", "deleted", "unknown_there"], 0)


def known_as(entry):
    return client.entry_id(company=entry.company.slug, entry=entry.pk)


@pytest.fixture
def delivered(db, bookkeeper):
    """Five entries that Bookkeeper acknowledged, and that were read back once."""
    entries = [journal_rows.entry() for _ in range(5)]
    assert outbox.push_all_due().acknowledged == 5
    assert readback.check(full=False) == readback.Report(compared=5)
    return entries


def opened():
    """(kind, id) of what is open."""
    return sorted(BookkeeperDifference.objects.filter(resolved_at=None).values_list("kind", "known_as"))


def test_what_is_there_as_it_was_sent_is_no_difference(delivered):
    assert readback.check(full=True) == readback.Report(compared=5)
    assert Delivery.objects.filter(seen_at__isnull=False).count() == 5
    assert differences.open_counts() == NOTHING
    assert ReadBack.objects.get().round_finished_at is not None
    assert readback.check(full=False) == readback.Report()  # nothing new


def test_what_is_not_acknowledged_yet_is_not_missed(delivered, bookkeeper):
    journal_rows.entry()
    bookkeeper.fail("drop_reply")
    outbox.push_all_due()  # it is there, and we do not know it
    assert len(bookkeeper.accepted()) == 6
    assert readback.check(full=True) == readback.Report(compared=5)


def test_what_is_acknowledged_while_a_page_is_read_is_not_missed(delivered, monkeypatch):
    really_page = client.page

    def page(*, after):
        found = really_page(after=after)
        if not found:
            journal_rows.entry()
            assert outbox.push_all_due().acknowledged == 1  # a moment after Bookkeeper answered
        return found

    monkeypatch.setattr(client, "page", page)
    monkeypatch.setattr(readback, "ASKED_BY_ID", 0)
    assert readback.check(full=True).opened == 0
    monkeypatch.setattr(client, "page", really_page)
    assert readback.check(full=True) == readback.Report(compared=6)


def test_an_edited_entry_tells_both_values(delivered, bookkeeper):
    one = delivered[2]
    sent = client.as_dict(messages.of([one.pk])[one.pk])
    sent["postings"][1] |= {"amount": -900, "base_amount": -900, "memo": "?"}
    sent["postings"][2] |= {"account": "Liabilities:Other", "amount": -188, "base_amount": -188}
    bookkeeper.by_hand("edit", id=known_as(one), changes={"date": "2026-09-30", "postings": sent["postings"][::-1]})
    assert readback.check(full=True) == readback.Report(compared=5, opened=1)
    found = BookkeeperDifference.objects.get()
    assert (found.kind, found.entry_id, found.known_as) == ("edited", one.pk, known_as(one))
    assert found.details["fields"] == [{"field": "date", "ours": "2026-09-01", "theirs": "2026-09-30"}]
    pairs = found.details["postings"]
    assert [(p["ours"]["account"], p["ours"]["amount"], p["theirs"]["account"], p["theirs"]["amount"]) for p in pairs] == [
        ("Income:Sales", -1000, "Income:Sales", -900),
        ("Liabilities:Tax-payable", -88, "Liabilities:Other", -188),
    ]  # fmt: skip
    row = AuditRow.objects.get(action="differs")
    assert (row.object_type, row.object_id, row.data) == ("difference", found.pk, {"entry": known_as(one), "kind": "edited"})  # fmt: skip


def test_a_difference_is_opened_once_and_closes_by_itself(delivered, bookkeeper):
    one = delivered[0]
    bookkeeper.by_hand("edit", id=known_as(one), changes={"date": "2026-09-30"})
    readback.check(full=True)
    assert readback.check(full=True) == readback.Report(compared=6)  # asked for by its id, and met in the round
    found = BookkeeperDifference.objects.get()
    assert found.last_seen > found.first_seen
    bookkeeper.by_hand("edit", id=known_as(one), changes={"date": "2026-09-01"})
    assert readback.check(full=False).closed == 1  # without a whole round
    found.refresh_from_db()
    assert found.resolved_at is not None
    bookkeeper.by_hand("edit", id=known_as(one), changes={"date": "2026-10-01"})
    readback.check(full=True)
    assert BookkeeperDifference.objects.count() == 2 and len(opened()) == 1  # another time, another row


def test_gone_before_it_was_ever_seen_is_missing_and_gone_afterwards_deleted(delivered, bookkeeper):
    fresh = journal_rows.entry()
    outbox.push_all_due()
    for entry in (fresh, delivered[0], delivered[4]):
        bookkeeper.by_hand("delete", id=known_as(entry))
    bookkeeper.by_hand("delete", id=known_as(delivered[2]), mark=True)
    assert readback.check(full=True).opened == 4
    assert opened() == sorted(
        [("missing", known_as(fresh))] + [("deleted", known_as(delivered[n])) for n in (0, 2, 4)]
    )  # fmt: skip
    marked = BookkeeperDifference.objects.get(known_as=known_as(delivered[2]))
    assert marked.details["marked"] is True
    bookkeeper.by_hand("restore", id=known_as(delivered[2]))
    assert readback.check(full=False).closed == 1


def test_bookkeeper_emptied_is_all_deleted(delivered, bookkeeper):
    for entry in delivered:
        bookkeeper.by_hand("delete", id=known_as(entry))
    assert readback.check(full=True).opened == 5
    assert differences.open_counts() == NOTHING | {"deleted": 5}


def test_what_was_lost_is_sent_again_and_the_difference_closes(delivered, bookkeeper):
    lost = delivered[1]
    bookkeeper.by_hand("delete", id=known_as(lost))
    bookkeeper.by_hand("edit", id=known_as(delivered[2]), changes={"date": "2026-09-30"})
    readback.check(full=True)
    before = Delivery.objects.get(entry=lost)
    ids = list(BookkeeperDifference.objects.values_list("pk", flat=True))
    assert differences.send_again(ids, actor="ann") == 1  # what was edited there is not sent again
    due = Delivery.objects.get(entry=lost)
    assert (due.state, due.attempts, due.batch_key, due.acknowledgement) == ("due", 0, None, None)
    row = AuditRow.objects.get(action="sent again")
    assert (row.actor, row.object_id, row.data) == ("ann", lost.pk, {"acknowledgement": before.acknowledgement})
    assert readback.check(full=True).closed == 0  # on its way: neither there nor missed anew
    assert outbox.push_all_due() == outbox.PushResult(sent=1, acknowledged=1)
    assert Delivery.objects.get(entry=lost).batch_key != before.batch_key
    assert readback.check(full=False).closed == 1
    assert opened() == [("edited", known_as(delivered[2]))]
    assert differences.send_again(ids, actor="ann") == 0


def test_sending_again_what_is_there_after_all_books_nothing_twice(delivered, bookkeeper):
    assert outbox.send_again([delivered[0].pk], actor="ann") == 1
    assert outbox.push_all_due() == outbox.PushResult(sent=1, duplicate=1)
    assert len(bookkeeper.accepted()) == 5


def foreign(entry, **more):
    return client.as_dict(messages.of([entry.pk])[entry.pk]) | more


def test_an_entry_that_we_never_sent_is_found_under_our_name_only(delivered, bookkeeper):
    post(bookkeeper, [foreign(delivered[0], id="acme:999999", seq=3)], key="k1")
    post(bookkeeper, [foreign(delivered[0], id="acme:by-hand", seq=99)], key="k2")
    post(bookkeeper, [foreign(delivered[0], id="others:1", seq=4)], key="k3")
    post(bookkeeper, [foreign(delivered[0], id="no name at all", seq=2**62)], key="k4")
    assert readback.check(full=True).opened == 2
    assert opened() == [("unknown_there", "acme:999999"), ("unknown_there", "acme:by-hand")]
    found = BookkeeperDifference.objects.get(known_as="acme:999999")
    assert found.entry_id is None and found.company_id == delivered[0].company_id
    assert found.details["theirs"]["postings"][0]["amount"] == 1088
    bookkeeper.by_hand("delete", id="acme:999999")
    assert readback.check(full=False).closed == 1


def test_the_same_number_in_another_company_is_another_entry(delivered, bookkeeper):
    other = journal_rows.entry(on=journal_rows.channel("their-shop", of=journal_rows.company("other")))
    outbox.push_all_due()
    assert readback.check(full=True) == readback.Report(compared=6)
    bookkeeper.by_hand("delete", id=known_as(other))
    readback.check(full=True)
    assert opened() == [("deleted", known_as(other))]
    assert BookkeeperDifference.objects.get().company_id == other.company_id


def test_a_number_changed_there_is_edited_and_not_missing(delivered, bookkeeper):
    bookkeeper.by_hand("edit", id=known_as(delivered[0]), changes={"seq": 70})
    readback.check(full=True)
    assert opened() == [("edited", known_as(delivered[0]))]
    assert BookkeeperDifference.objects.get().details["fields"] == [{"field": "seq", "ours": 1, "theirs": 70}]


def test_what_a_person_typed_there_breaks_nothing(delivered, bookkeeper):
    odd = {"date": None, "currency": "x\x00" * 500, "postings": "none", "record": {"a\x00": [1]}, "source": 5}
    body = json.dumps(client.as_dict(messages.of([delivered[0].pk])[delivered[0].pk]) | odd)
    with sqlite3.connect(bookkeeper.db) as db:  # no judgement of the sandbox's own
        db.execute("UPDATE entries SET body = ? WHERE id = ?", [body, known_as(delivered[0])])
    assert readback.check(full=True).opened == 1
    told = json.dumps(BookkeeperDifference.objects.get().details)
    assert "\\u0000" not in told and len(told) < 20_000


def test_long_books_are_compared_in_stretches(db, bookkeeper, monkeypatch):
    monkeypatch.setattr(readback, "STRETCH", 3)
    monkeypatch.setattr(client, "PAGE", 5)
    entries = [journal_rows.entry() for _ in range(17)]
    outbox.push_all_due()
    for entry in (*entries[4:12], entries[16]):
        bookkeeper.by_hand("delete", id=known_as(entry))
    report = readback.check(full=True)
    assert (report.compared, report.opened) == (17, 9)
    assert opened() == sorted(("missing", known_as(e)) for e in (*entries[4:12], entries[16]))


def test_the_roll_goes_on_where_it_stopped_and_rests_after_a_round(delivered, bookkeeper, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 2)
    bookkeeper.by_hand("edit", id=known_as(delivered[4]), changes={"date": "2026-09-30"})
    assert [readback.roll(seconds=0).compared for _ in range(2)] == [2, 2]
    assert ReadBack.objects.get().position == 4
    assert readback.roll(seconds=30) == readback.Report(compared=1, opened=1)
    stands = ReadBack.objects.get()
    assert stands.position == 0 and stands.round_finished_at > stands.round_started_at
    assert (stands.next_at - timezone.now()).total_seconds() > readback.PAUSE - 60
    assert readback.roll(seconds=30) == readback.Report()


def test_a_bookkeeper_that_cannot_be_read_loses_no_place(delivered, bookkeeper, monkeypatch):
    monkeypatch.setattr(client, "PAGE", 2)
    readback.roll(seconds=0)
    for mode in ("503", "garbage", "drop", "redirect"):
        bookkeeper.fail(mode, of="read")
        ReadBack.objects.update(next_at=timezone.now())
        report = readback.roll(seconds=30)
        assert report.error and report.opened == 0
        stands = ReadBack.objects.get()
        assert (stands.position, stands.error) == (2, report.error)
        assert (stands.next_at - timezone.now()).total_seconds() > 200
    assert opened() == []
    ReadBack.objects.update(next_at=timezone.now())
    assert readback.roll(seconds=30).compared == 3 and ReadBack.objects.get().error is None


def test_two_at_once_do_not_roll_together(delivered):
    assert readback._begin() == 0
    assert readback._begin() is None


def test_a_stretch_costs_the_same_few_queries_however_many_entries(db, bookkeeper, django_assert_num_queries):
    journal_rows.entry()
    outbox.push_all_due()
    with django_assert_num_queries(18) as few:
        readback.check(full=True)
    for _ in range(40):
        journal_rows.entry()
    outbox.push_all_due()
    with django_assert_num_queries(len(few)):
        assert readback.check(full=True).compared == 41


OPERATIONS = st.sampled_from(["edit", "mend", "delete", "mark", "restore", "send again", "read", "read all"])


@given(st.lists(st.tuples(OPERATIONS, st.integers(0, 2)), max_size=10))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_whatever_people_do_there_what_is_open_is_what_differs(db, bookkeeper, done):
    """A model of three entries: whether each is there, on which day, whether it is marked, and whether it was read there before."""
    entries = [journal_rows.entry() for _ in range(3)]
    outbox.push_all_due()
    there = {n: {"day": "2026-09-01", "marked": False} for n in range(3)}
    seen, found = set(), {}

    def read(full):
        readback.check(full=full)
        for n in range(3):
            known = there.get(n)
            if known is None or known["marked"]:
                kind = "deleted" if n in seen or known else "missing"
            else:
                seen.add(n)
                kind = "edited" if known["day"] != "2026-09-01" else None
            found[n] = kind

    for what, n in [*done, ("read all", 0)]:
        id_ = known_as(entries[n])
        if what in ("edit", "mend") and n in there:
            there[n]["day"] = "2026-12-24" if what == "edit" else "2026-09-01"
            bookkeeper.by_hand("edit", id=id_, changes={"date": there[n]["day"]})
        elif what in ("mark", "restore") and n in there:
            there[n]["marked"] = what == "mark"
            bookkeeper.by_hand("delete" if what == "mark" else "restore", id=id_, mark=True)
        elif what == "delete" and n in there:
            bookkeeper.by_hand("restore", id=id_)
            bookkeeper.by_hand("delete", id=id_)
            del there[n]
        elif what == "send again":
            ours = BookkeeperDifference.objects.filter(known_as=id_).values_list("pk", flat=True)
            if differences.send_again(ours, actor="ann"):
                outbox.push_all_due()
                there.setdefault(n, {"day": "2026-09-01", "marked": False})
        elif what.startswith("read"):
            read(full=what == "read all")
    ours = {known_as(entry): n for n, entry in enumerate(entries)}
    rows = BookkeeperDifference.objects.filter(resolved_at=None, known_as__in=ours)
    assert {ours[row.known_as]: row.kind for row in rows} == {n: kind for n, kind in found.items() if kind}


# --- the command


def test_the_command_counts_and_fails_while_anything_is_open(delivered, bookkeeper):
    out = StringIO()
    call_command("check_bookkeeper", "--full", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {
        "ok": True, "compared": 5, "opened": 0, "closed": 0, "open": NOTHING, "differences": [],
    }  # fmt: skip
    bookkeeper.by_hand("delete", id=known_as(delivered[0]))
    out = StringIO()
    with pytest.raises(SystemExit) as error:
        call_command("check_bookkeeper", "--full", "--json", stdout=out)
    assert error.value.code == 1
    told = json.loads(out.getvalue())
    assert (told["ok"], told["open"]["deleted"]) == (False, 1)
    assert told["differences"][0]["entry"] == known_as(delivered[0])
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("check_bookkeeper", stdout=out)
    assert "deleted" in out.getvalue() and known_as(delivered[0]) in out.getvalue()


def test_the_command_says_why_it_could_not(delivered, bookkeeper, settings):
    bookkeeper.fail("503", of="read")
    with pytest.raises(CommandError, match="503") as error:
        call_command("check_bookkeeper", "--full", stdout=StringIO())
    assert error.value.returncode == 1
    settings.BOOKKEEPER_URL = ""
    with pytest.raises(CommandError, match="BOOKKEEPER_URL") as error:
        call_command("check_bookkeeper", stdout=StringIO())
    assert error.value.returncode == 2


# --- the comparison by itself

LEG = st.fixed_dictionaries({
    "account": st.sampled_from(["A", "B"]), "amount": st.integers(-2, 2), "currency": st.sampled_from(["USD", "EUR"]),
    "base_amount": st.integers(-2, 2), "channel": st.just("shop"), "location": st.sampled_from([None, "L1"]), "tax_code": st.none(),
    "category": st.none(), "path": st.sampled_from(["p1", "p2"]),
})  # fmt: skip
ENTRY = st.fixed_dictionaries({
    "seq": st.just(1), "date": st.sampled_from(["2026-09-01", "2026-09-02"]), "currency": st.just("USD"), "source": st.just({"id": "S1"}),
    "record": st.sampled_from([{"a": 1}, {"a": 2, "b": 3}]), "postings": st.lists(LEG, max_size=5),
})  # fmt: skip


def bag(postings):
    return sorted(json.dumps(p, sort_keys=True) for p in postings)


@given(ENTRY, ENTRY, st.randoms())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_two_entries_are_alike_exactly_if_they_say_the_same(ours, theirs, random):
    shuffled = theirs | {"postings": random.sample(theirs["postings"], len(theirs["postings"]))}
    found = comparison.compare(ours, [shuffled], same_record=lambda a, b: a == b)
    alike = all(ours[k] == theirs[k] for k in ("date", "record")) and bag(ours["postings"]) == bag(theirs["postings"])
    assert bool(found) != alike
    # what is told apart from what is equal is exactly what each side has more
    for side, entry, other in (("ours", ours, theirs), ("theirs", theirs, ours)):
        told = bag(p[side] for p in found.postings if p[side] is not None)
        more = bag(entry["postings"])
        for posting in bag(other["postings"]):
            if posting in more:
                more.remove(posting)
        assert told == more


def test_what_bookkeeper_need_not_keep_is_no_difference():
    leg = {"account": "A", "amount": 5, "currency": "USD", "base_amount": 5, "channel": "shop", "path": "p"}
    ours = {"seq": 1, "date": "2026-09-01", "currency": "USD", "source": {}, "record": {"x": 1}, "postings": [leg]}
    kept = {name: leg[name] for name in comparison.ALWAYS}
    theirs = {k: v for k, v in ours.items() if k != "record"} | {"postings": [kept]}
    assert not comparison.compare(ours, [theirs], same_record=lambda a, b: a == b)
    assert comparison.compare(ours, [theirs, theirs], same_record=lambda a, b: True).fields == [
        {"field": "copies", "ours": 1, "theirs": 2}
    ]
    theirs["postings"][0] = kept | {"amount": True}
    assert comparison.compare(ours, [theirs], same_record=lambda a, b: True).postings
