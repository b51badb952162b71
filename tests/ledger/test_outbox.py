"""Deliveries to a Bookkeeper that is a process of its own and fails in every way it can."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from ledger import bookkeeper as client
from ledger import claims, messages, outbox
from ledger.models import Delivery
from salessync.core.models import AuditRow
from tests.ledger import journal_rows
from tests.ledger.journal_rows import make_due
from tests.threads import at_once


def entries(count, **more):
    return [journal_rows.entry(**more) for _ in range(count)]


def known_as(entry):
    return client.entry_id(company=entry.company.slug, entry=entry.pk)


def delivered():
    """What we believe Bookkeeper has: its ids and receipts."""
    done = Delivery.objects.filter(state="acknowledged").select_related("entry__company")
    return {known_as(d.entry): d.acknowledgement for d in done}


def seconds_until_next_attempt():
    """Of all due deliveries, which must agree."""
    found = set(Delivery.objects.filter(state="due").values_list("next_attempt_at", flat=True))
    assert len(found) == 1
    return (found.pop() - timezone.now()).total_seconds()


def test_what_is_due_is_delivered_once(db, bookkeeper):
    sent = entries(3)
    result = outbox.push_all_due()
    assert result == outbox.PushResult(sent=3, acknowledged=3)
    assert bookkeeper.accepted() == delivered()
    assert list(delivered()) == [known_as(e) for e in sent]
    assert outbox.push_all_due() == outbox.PushResult()
    row = AuditRow.objects.get(action="acknowledged")
    assert (row.actor, row.object_type, row.object_id, row.company_id) == (
        "bookkeeper",
        "delivery",
        sent[0].pk,
        sent[0].company_id,
    )
    assert row.data["entries"] == 3 and (row.data["first_seq"], row.data["last_seq"]) == (1, 3)


def test_a_backlog_goes_out_in_batches_in_the_order_of_the_feed(db, bookkeeper):
    sent = entries(25)
    assert outbox.push_all_due(limit=10).acknowledged == 25
    assert list(bookkeeper.accepted()) == [known_as(e) for e in sent]
    assert Delivery.objects.values("batch_key").distinct().count() == 3


@pytest.mark.parametrize(("size", "batches"), [(1, 5), (3, 2), (0, 5), (10**9, 1)])
def test_how_many_go_together_is_a_setting(db, bookkeeper, settings, size, batches):
    settings.BOOKKEEPER_BATCH = size
    entries(5)
    assert outbox.push_all_due().acknowledged == 5
    assert Delivery.objects.values("batch_key").distinct().count() == batches


def test_two_companies_never_share_a_batch(db, bookkeeper):
    other = journal_rows.channel("their-shop", of=journal_rows.company("other"))
    for _ in range(3):
        journal_rows.entry()
        journal_rows.entry(on=other)
    assert outbox.push_all_due().acknowledged == 6
    for key in Delivery.objects.values_list("batch_key", flat=True).distinct():
        assert Delivery.objects.filter(batch_key=key).values("company_id").distinct().count() == 1
    assert AuditRow.objects.filter(action="acknowledged").count() == 2


def test_a_batch_holds_no_more_than_its_bytes(db, bookkeeper, monkeypatch):
    monkeypatch.setattr(claims, "MAX_BATCH_BYTES", 5000)
    entries(4, padding=2000)
    journal_rows.entry(padding=9000)
    assert outbox.push_due().sent == 2
    assert outbox.push_due().sent == 2
    assert outbox.push_due().sent == 1
    assert outbox.push_due().sent == 0


def test_a_refused_entry_waits_for_a_person_and_stops_nobody(db, bookkeeper):
    good, bad = entries(2)
    Delivery.objects.exclude(entry=bad).update(next_attempt_at="2100-01-01T00:00:00Z")
    bookkeeper.fail("drop_reply", 0)
    with connection.cursor() as cursor:  # a record that is not the source's: Bookkeeper's own judgement
        cursor.execute("ALTER TABLE channels_transactionversion DISABLE TRIGGER USER")
        cursor.execute("UPDATE channels_transactionversion SET record = '{\"schema\": \"salessync/1\"}' WHERE transaction_id = %s",
                       [bad.transaction_id])  # fmt: skip
        cursor.execute("ALTER TABLE channels_transactionversion ENABLE TRIGGER USER")
    make_due()
    assert outbox.push_all_due() == outbox.PushResult(sent=2, acknowledged=1, refused=1)
    delivery = Delivery.objects.get(entry=bad)
    assert delivery.state == "refused" and delivery.batch_key is None
    assert "record" in delivery.error
    assert AuditRow.objects.get(action="refused").data["errors"] == {str(bad.seq): delivery.error}
    assert outbox.push_all_due().sent == 0
    assert outbox.requeue_refused(actor="ann") == 1
    assert outbox.push_all_due() == outbox.PushResult(sent=1, refused=1)
    assert bookkeeper.accepted().keys() == {known_as(good)}


@pytest.mark.parametrize("mode", ["drop_reply", "garbage", "html", "no_acknowledgement", "some_results", "huge"])
def test_an_answer_lost_or_spoilt_counts_for_nothing_and_the_retry_is_a_duplicate(db, bookkeeper, mode):
    entries(3)
    bookkeeper.fail(mode)
    first = outbox.push_all_due()
    assert (first.sent, first.failed, first.acknowledged) == (3, 3, 0) and first.halted
    assert not delivered() and len(bookkeeper.accepted()) == 3
    keys = set(Delivery.objects.values_list("batch_key", flat=True))
    assert all(d.error and d.attempts == 1 and d.acknowledged_at is None for d in Delivery.objects.all())
    assert outbox.push_all_due().sent == 0  # it waits
    make_due()
    assert outbox.push_all_due() == outbox.PushResult(sent=3, duplicate=3)
    assert set(Delivery.objects.values_list("batch_key", flat=True)) == keys
    assert bookkeeper.accepted() == delivered()
    assert Delivery.objects.filter(error__isnull=False).count() == 0


@pytest.mark.parametrize("mode", ["500", "502", "503", "401", "404", "redirect", "drop"])
def test_a_bookkeeper_in_trouble_ends_the_drain_and_gets_the_same_batch_again(db, bookkeeper, mode):
    entries(25)
    bookkeeper.fail(mode)
    first = outbox.push_all_due(limit=10)
    assert (first.sent, first.failed) == (10, 10) and first.halted
    assert Delivery.objects.filter(attempts=0).count() == 15
    assert bookkeeper.accepted() == {}
    waiting = Delivery.objects.filter(batch_key__isnull=False)
    assert 3 < (waiting[0].next_attempt_at - timezone.now()).total_seconds() < 7
    entries(5)  # younger ones do not join a batch that was sent
    key = waiting[0].batch_key
    make_due()
    assert outbox.push_due(limit=10).acknowledged == 10
    assert Delivery.objects.filter(batch_key=key, state="acknowledged").count() == 10
    assert outbox.push_all_due(limit=10).acknowledged == 20
    assert bookkeeper.accepted() == delivered()


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("120", 118, 121),
        ("1000000000", 3590, 3601),
        ("9" * 400, 3590, 3601),
        (timedelta(seconds=300), 240, 301),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3590, 3601),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 3, 8),
        ("soon", 3, 8),
        ("-5", 3, 8),
    ],
)
def test_retry_after_is_honoured_up_to_an_hour(db, bookkeeper, retry_after, least, most):
    if isinstance(retry_after, timedelta):
        retry_after = format_datetime(datetime.now(UTC) + retry_after, usegmt=True)
    entries(2)
    bookkeeper.fail("429", retry_after=retry_after)
    assert outbox.push_all_due().failed == 2
    assert least < seconds_until_next_attempt() <= most
    make_due()
    again = outbox.push_all_due()
    if least > 100:  # the target rests, whatever is due
        assert again.sent == 0 and "wait" in again.halted
        outbox._resting.clear()
        again = outbox.push_all_due()
    assert again.acknowledged == 2


def test_the_delay_doubles_up_to_an_hour():
    for attempts, middle in [(1, 5), (2, 10), (4, 40), (9, 1280), (11, 3600), (500, 3600)]:
        for _ in range(50):
            assert max(5, middle * 0.74) <= outbox._delay(attempts, None) <= min(3600, middle * 1.26)


def test_a_delivery_never_expires(db, bookkeeper):
    entries(1)
    Delivery.objects.update(attempts=1000, batch_key="msg_old")
    bookkeeper.fail("503")
    outbox.push_all_due()
    make_due()
    assert outbox.push_all_due().acknowledged == 1


def test_a_slow_bookkeeper_costs_the_time_out_and_nothing_else(db, bookkeeper, monkeypatch):
    monkeypatch.setattr(client.push, "__kwdefaults__", {**client.push.__kwdefaults__, "timeout": 0.5})
    entries(2)
    for mode in ("slow", "drip"):
        bookkeeper.fail(mode, seconds=1.5 if mode == "slow" else 0.2)
        result = outbox.push_all_due()
        assert result.failed == 2
        assert "0.5 s" in result.halted or "timed out" in result.halted  # whichever clock is first
        make_due()
    assert outbox.push_all_due().duplicate == 2
    assert bookkeeper.accepted() == delivered()


def test_a_conflict_is_settled_by_asking(db, bookkeeper):
    entries(3)
    bookkeeper.fail("conflict")
    assert outbox.push_all_due() == outbox.PushResult(sent=3, duplicate=3)
    assert bookkeeper.accepted() == delivered()
    assert AuditRow.objects.get().data["read_back"] is True


def test_after_a_conflict_an_entry_that_bookkeeper_holds_otherwise_is_refused(db, bookkeeper, monkeypatch):
    mine, other = entries(2)
    bookkeeper.fail("conflict")
    monkeypatch.setattr(client, "same_entry", lambda sent, held: sent.id == known_as(mine))
    assert outbox.push_all_due() == outbox.PushResult(sent=2, duplicate=1, refused=1)
    assert "another entry" in Delivery.objects.get(entry=other).error


def test_a_key_that_bookkeeper_saw_with_another_body_is_replaced(db, bookkeeper):
    first = entries(4)
    bookkeeper.fail("drop_reply")
    outbox.push_all_due()
    lost = Delivery.objects.get(
        entry=first[0]
    )  # somebody finished one of them by hand: the batch is no longer what it was
    Delivery.objects.filter(entry=first[0]).update(
        state="acknowledged",
        acknowledgement=bookkeeper.accepted()[known_as(first[0])],
        acknowledged_at=timezone.now(),
    )
    make_due()
    result = outbox.push_all_due()
    assert result.duplicate == 3 and Delivery.objects.filter(state="due").count() == 0
    assert Delivery.objects.exclude(batch_key=lost.batch_key).count() == 3
    assert bookkeeper.accepted() == delivered()


def test_what_bookkeeper_cannot_digest_ends_up_alone(db, bookkeeper, monkeypatch):
    poison = known_as(entries(20)[7])
    really_push = client.push

    def push(*, key, entries):
        if any(e.id == poison for e in entries):
            raise client.http.UnableToReach("422", status=422, permanent=True)
        return really_push(key=key, entries=entries)

    monkeypatch.setattr(client, "push", push)
    result = outbox.push_all_due()
    assert result.acknowledged == 19 and result.halted is None
    left = Delivery.objects.get(state="due")
    assert known_as(left.entry) == poison and left.attempts == 5 and left.next_attempt_at > timezone.now()


def test_a_bookkeeper_that_refuses_everything_is_not_asked_for_ever(db, bookkeeper):
    entries(50)
    bookkeeper.fail("400", 1000)
    result = outbox.push_all_due(limit=5)
    assert "refused 10 batches" in result.halted
    bookkeeper.fail("400", 0)
    make_due()
    assert outbox.push_all_due(limit=5).acknowledged == 50


def test_a_500_again_and_again_is_looked_for_in_halves(db, bookkeeper):
    entries(4)
    Delivery.objects.update(attempts=5, batch_key="msg_old")
    bookkeeper.fail("500")
    assert outbox.push_all_due().halted
    assert Delivery.objects.values("batch_key").distinct().count() == 2
    make_due()
    assert outbox.push_all_due().acknowledged == 4


def test_the_lease_of_a_crashed_push_brings_the_same_batch_back(db, bookkeeper):
    entries(3)
    crashed = claims.claim(200)
    assert outbox.push_due().sent == 0  # leased
    entries(2)
    make_due()
    assert outbox.push_due().acknowledged == 3
    assert Delivery.objects.filter(batch_key=crashed.key, attempts=2).count() == 3
    # the one that was slow and not dead: its failure puts nothing off, its answer changes nothing
    outbox._put_off(crashed, crashed.entries, crashed.key, 60.0, client.http.UnableToReach("late"))
    assert Delivery.objects.filter(error__isnull=False).count() == 0
    sent = messages.of(crashed.entries)
    verdicts = {m.id: client.Verdict(m.id, "duplicate", acknowledgement="other") for m in sent.values()}
    assert outbox._store(crashed, sent, verdicts).duplicate == 0
    assert outbox.push_all_due().acknowledged == 2
    assert bookkeeper.accepted() == delivered()


def test_who_lost_the_lease_puts_nothing_off(db, bookkeeper):
    entries(2)
    slow = claims.claim(200)
    make_due()
    again = claims.claim(200)
    outbox._after_failure(slow, messages.of(slow.entries), client.http.UnableToReach("late"))
    assert set(Delivery.objects.values_list("next_attempt_at", "error")) == {(again.lease, None)}
    outbox._after_failure(again, messages.of(again.entries), client.http.UnableToReach("down"))
    assert set(Delivery.objects.values_list("error", flat=True)) == {"down"}


def test_a_batch_that_was_sent_before_is_never_mixed_with_fresh_entries(db, bookkeeper):
    fresh, *sent = entries(3)
    Delivery.objects.exclude(entry=fresh).update(batch_key="msg_old", attempts=1)
    assert outbox.push_due().acknowledged == 1
    assert outbox.push_due().acknowledged == 2
    assert {Delivery.objects.get(entry=e).batch_key for e in sent} == {"msg_old"}


def test_many_pushers_at_once_deliver_each_entry_once(committed_db, bookkeeper):
    entries(60)
    results = at_once(4, lambda: outbox.push_all_due(limit=7))
    assert sum(r.acknowledged for r in results) == 60 and sum(r.duplicate + r.failed for r in results) == 0
    assert bookkeeper.accepted() == delivered()
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


def test_bookkeeper_comes_back_after_a_kill(db, bookkeeper, settings):
    entries(10)
    assert outbox.push_due(limit=4).acknowledged == 4
    bookkeeper.kill()
    assert "cannot be reached" in outbox.push_due(limit=4).halted
    bookkeeper.start()
    settings.BOOKKEEPER_URL = bookkeeper.url
    make_due()
    assert outbox.push_all_due(limit=4).acknowledged == 6
    assert bookkeeper.accepted() == delivered()


def test_what_bookkeeper_gives_back_is_what_was_sent(db, bookkeeper):
    sent = entries(5)
    outbox.push_all_due()
    held = list(client.fetch(after=0))
    assert {h.id: h.acknowledgement for h in held} == delivered()
    told = messages.of([e.pk for e in sent])
    assert all(client.same_entry(m, h) for m, h in zip(told.values(), held, strict=True))
    assert [h.seq for h in client.fetch(after=3)] == [4, 5]
    assert [h.id for h in client.fetch(entry=held[0].id)] == [held[0].id]
    assert list(client.fetch(entry="acme:0")) == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("URL", "", "BOOKKEEPER_URL is not set"),
        ("SECRET", "", "BOOKKEEPER_SECRET is not set"),
        ("SECRET", "whsec_ä", "base64"),
    ],
)
def test_without_an_address_or_a_secret_nothing_happens_and_it_says_so(db, bookkeeper, settings, name, value, says):
    entries(1)
    setattr(settings, f"BOOKKEEPER_{name}", value)
    assert says in outbox.push_all_due().halted
    out = StringIO()
    call_command("push_outbox", "--once", stdout=out)
    assert says in out.getvalue()
    assert Delivery.objects.get().attempts == 0


def test_the_command_pushes_until_nothing_is_due(db, bookkeeper):
    entries(3)
    out = StringIO()
    call_command("push_outbox", "--once", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {
        "sent": 3, "acknowledged": 3, "duplicate": 0, "refused": 0, "failed": 0, "halted": None, "due": 0, "waiting": 0,
    }  # fmt: skip
    entries(1)
    bookkeeper.fail("503")
    with pytest.raises(CommandError, match="cannot be reached") as error:
        call_command("push_outbox", stdout=StringIO())
    assert error.value.returncode == 1
    assert outbox.backlog()[:4] == (0, 1, 3, 0)


def test_a_push_costs_the_same_few_queries_however_many_entries(db, bookkeeper, django_assert_num_queries):
    journal_rows.channel()
    entries(1)
    with django_assert_num_queries(14) as few:
        outbox.push_due()
    entries(40)
    with django_assert_num_queries(len(few)):
        assert outbox.push_due().acknowledged == 40
