"""Webhooks to subscribers: at least once, in order, nothing left out, and nobody's trouble is another's."""

import json
import time
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import differences, periods, subscribers, subscribing, topics
from ledger.differences import Finding
from ledger.models import Subscriber
from salessync.core.models import AuditRow
from salessync.core.problems import Refused
from tests.ledger import journal_rows
from tests.ledger.receiving import Receiver
from tests.threads import at_once

POSTED = "journal_entry.posted"


@pytest.fixture(autouse=True)
def reachable(settings):
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.0/8"]


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


def subscribe(receiver, *names, company=None, **more):
    subscriber, secret = subscribing.create(
        company=company or journal_rows.company(), url=receiver.url, topics=names or [POSTED], actor="test", **more
    )
    receiver.secrets = [secret]
    return subscriber


def tell(subscriber, seconds=30.0):
    return subscribers.tell(subscriber.pk, give_up=time.monotonic() + seconds)


def make_due():
    Subscriber.objects.update(next_attempt_at="2020-01-01T00:00:00Z")


def test_each_entry_is_told_once_in_the_order_of_the_feed(db, receiver):
    journal_rows.entry()
    subscriber = subscribe(receiver)
    entries = [journal_rows.entry() for _ in range(3)]
    assert tell(subscriber) == subscribers.Told(delivered=3)
    assert receiver.numbers() == [2, 3, 4]  # from now on: not what was before
    assert tell(subscriber) == subscribers.Told()
    id_, message, _ = receiver.messages[0]
    assert id_ == "msg_journal_entry_posted_acme_2"
    assert message == {
        "type": POSTED,
        "timestamp": message["timestamp"],
        "data": {
            "id": f"acme:{entries[0].pk}", "company": "acme", "seq": 2, "date": "2026-09-01", "business_date": "2026-09-01",
            "source": {"type": "sale", "channel": "main-shop", "id": entries[0].transaction.source_id, "version": "1"},
            "amount": 1088, "currency": "USD",
        },
    }  # fmt: skip
    subscriber.refresh_from_db()
    assert subscriber.cursor == 4 and subscriber.delivered_at is not None


def test_whoever_comes_late_may_ask_for_the_past(db, receiver):
    for _ in range(3):
        journal_rows.entry()
    tell(subscribe(receiver, after=1))
    assert receiver.numbers() == [2, 3]


def test_another_company_s_entries_are_none_of_its_business(db, receiver):
    subscriber = subscribe(receiver)
    journal_rows.entry(on=journal_rows.channel("their-shop", of=journal_rows.company("other")))
    journal_rows.entry()
    tell(subscriber)
    assert [message["data"]["company"] for _, message, _ in receiver.messages] == ["acme"]


def test_differences_and_closed_periods_are_told_too(db, receiver):
    subscriber = subscribe(receiver, "bookkeeper.difference", "period.closed")
    entry = journal_rows.entry()
    finding = Finding(entry.company_id, entry.pk, f"acme:{entry.pk}", "missing", {})
    differences.settle([finding.known_as], [finding])
    periods.close(company=entry.company, through=date(2026, 9, 30), actor="ann", reason="September")
    periods.reopen(company=entry.company, through=None, actor="ann", reason="too early")
    assert tell(subscriber).delivered == 2
    (_, first, _), (_, second, _) = receiver.messages
    assert first["type"] == "bookkeeper.difference" and first["data"]["entry"] == finding.known_as
    assert second["type"] == "period.closed" and second["data"]["closed_through"] == "2026-09-30"
    assert tell(subscriber) == subscribers.Told() and receiver.numbers() == []


@pytest.mark.parametrize("answer", [500, 400, 302, 401, "drop"])
def test_anything_but_2xx_is_told_again_under_the_same_id_with_the_same_bytes(db, receiver, answer):
    subscriber = subscribe(receiver)
    journal_rows.entry()
    receiver.answers = [answer]
    assert tell(subscriber) == subscribers.Told(failed=1)
    subscriber.refresh_from_db()
    assert (subscriber.attempts, subscriber.cursor) == (1, 0) and subscriber.last_error and subscriber.failing_since
    assert 3 < (subscriber.next_attempt_at - timezone.now()).total_seconds() < 7
    assert tell(subscriber) == subscribers.Told()  # it waits
    make_due()
    assert tell(subscriber).delivered == 1
    assert receiver.seen[0] == receiver.seen[1]
    subscriber.refresh_from_db()
    assert (subscriber.attempts, subscriber.failing_since, subscriber.last_error) == (0, None, None)


def test_a_time_out_is_a_failure(db, receiver, monkeypatch):
    monkeypatch.setattr(subscribers, "TIMEOUT", 0.3)
    subscriber = subscribe(receiver)
    journal_rows.entry()
    receiver.answers = ["hang"]
    assert tell(subscriber).failed == 1
    subscriber.refresh_from_db()
    assert "0.3 s" in subscriber.last_error or "timed out" in subscriber.last_error  # whichever clock is first


def test_retry_after_is_honoured(db, receiver):
    subscriber = subscribe(receiver)
    journal_rows.entry()
    receiver.answers, receiver.headers = [429], {"Retry-After": "600"}
    tell(subscriber)
    subscriber.refresh_from_db()
    assert 595 < (subscriber.next_attempt_at - timezone.now()).total_seconds() <= 600


def test_the_delay_doubles_up_to_a_day():
    for attempts, middle in [(1, 5), (2, 10), (9, 1280), (16, 86_400), (500, 86_400)]:
        for _ in range(50):
            assert max(5, middle * 0.74) <= subscribers._delay(attempts, None) <= min(86_400, middle * 1.26)


def test_gone_is_gone_until_a_person_enables_it_and_then_nothing_was_lost(db, receiver):
    subscriber = subscribe(receiver)
    journal_rows.entry()
    receiver.answers = [200, 410]
    journal_rows.entry()
    assert tell(subscriber) == subscribers.Told(1, 1)
    subscriber.refresh_from_db()
    assert subscriber.state == "disabled"
    row = AuditRow.objects.get(action="disabled")
    assert (row.actor, row.object_type, row.object_id) == ("subscribers", "subscriber", subscriber.pk)
    assert "410" in row.data["why"]
    journal_rows.entry()
    make_due()
    assert tell(subscriber) == subscribers.Told()
    assert subscribing.enable(subscriber, actor="ann") and not subscribing.enable(subscriber, actor="ann")
    assert tell(subscriber).delivered == 2
    assert receiver.numbers() == [1, 2, 3]


def test_five_days_of_nothing_but_failures_disable_it(db, receiver):
    subscriber = subscribe(receiver)
    journal_rows.entry()
    for days, state in ((4.9, "active"), (5.1, "disabled")):
        Subscriber.objects.update(failing_since=timezone.now() - timedelta(days=days), attempts=30)
        receiver.answers = [503]
        make_due()
        tell(subscriber)
        subscriber.refresh_from_db()
        assert subscriber.state == state
    assert "5 days" in subscriber.last_error and "503" in subscriber.last_error


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://10.0.0.1/", "http://[::1]:9/", "http://localhost.invalid/"])  # fmt: skip
def test_an_address_inside_is_never_called(db, url):
    subscriber, _ = subscribing.create(company=journal_rows.company(), url=url, topics=[POSTED], actor="test")
    journal_rows.entry()
    assert tell(subscriber).failed == 1
    subscriber.refresh_from_db()
    assert subscriber.state == "active" and subscriber.last_error


def test_a_redirect_is_not_followed(db, receiver):
    subscriber = subscribe(receiver)
    journal_rows.entry()
    with Receiver() as elsewhere:
        receiver.answers, receiver.headers = [307], {"Location": elsewhere.url}
        assert tell(subscriber).failed == 1
        assert elsewhere.seen == []


# --- secrets


def test_while_a_secret_is_changed_both_sign(db, receiver):
    subscriber = subscribe(receiver)
    first = receiver.secrets[0]
    second = subscribing.rotate(subscriber, actor="ann")
    receiver.secrets = [first, second]
    journal_rows.entry()
    assert tell(subscriber).delivered == 1
    subscribing.rotate(subscriber, actor="ann")
    third = subscribing.rotate(subscriber, actor="ann")
    assert len(Subscriber.objects.get().secrets) == 2  # not one more, however often
    subscribing.end_rotation(subscriber, actor="ann")
    assert Subscriber.objects.get().secrets == [third]
    receiver.secrets = [third]
    journal_rows.entry()
    assert tell(subscriber).delivered == 1


def test_the_secret_is_sealed_and_no_audit_row_tells_it(db, receiver):
    subscribe(receiver)
    secret = receiver.secrets[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(s)::text FROM ledger_subscriber s")
        assert secret not in cursor.fetchone()[0]
    assert all(secret not in json.dumps(data) for data in AuditRow.objects.values_list("data", flat=True))


def test_a_secret_that_no_key_opens_is_a_failure_like_any_other(db, receiver):
    subscriber = subscribe(receiver)
    Subscriber.objects.update(sealed_secrets=b"x" * 40)
    journal_rows.entry()
    assert tell(subscriber).failed == 1
    subscriber.refresh_from_db()
    assert "FIELD_ENCRYPTION_KEYS" in subscriber.last_error


# --- making one


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"url": "ftp://example.com"}, "BAD_ADDRESS"),
        ({"url": "https://user:pw@example.com/"}, "BAD_ADDRESS"),
        ({"url": "https://example.com/" + "x" * 500}, "BAD_ADDRESS"),
        ({"url": ""}, "BAD_ADDRESS"),
        ({"url": "https://example.com/\x00"}, "BAD_ADDRESS"),
        ({"topics": []}, "MISSING_TOPICS"),
        ({"topics": [POSTED, "sale.made"]}, "UNKNOWN_TOPIC"),
        ({"after": -1}, "BAD_NUMBER"),
    ],
)
def test_what_cannot_be_subscribed_is_said(db, wrong, code):
    wish = {"url": "https://example.com/hook", "topics": [POSTED]} | wrong
    with pytest.raises(Refused) as refused:
        subscribing.create(company=journal_rows.company(), actor="test", **wish)
    assert [p.code for p in refused.value.problems] == [code]


def test_an_address_is_subscribed_once_in_a_company(db):
    for slug in ("acme", "other"):
        subscribing.create(company=journal_rows.company(slug), url="https://a.example", topics=[POSTED], actor="test")
    with pytest.raises(Refused, match="SUBSCRIBED_ALREADY"):
        subscribing.create(company=journal_rows.company(), url="https://a.example", topics=[POSTED], actor="test")


def test_the_command_tells_the_secret_once(db, receiver):
    journal_rows.company("main")
    out = StringIO()
    call_command("create_subscriber", receiver.url, "--topics", f"{POSTED},period.closed", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert told["topics"] == [POSTED, "period.closed"] and told["secret"] == Subscriber.objects.get().secrets[0]
    with pytest.raises(CommandError, match="subscribed already") as error:
        call_command("create_subscriber", receiver.url, "--topics", POSTED, stdout=StringIO())
    assert error.value.returncode == 2


# --- at the same time


def test_one_that_hangs_delays_nobody(committed_db, monkeypatch):
    monkeypatch.setattr(subscribers, "TIMEOUT", 3.0)
    with Receiver() as hangs, Receiver() as fails, Receiver() as good:
        for one in (hangs, fails, good):
            subscribe(one)
        hangs.answers, fails.status = ["hang"], 500
        for _ in range(20):
            journal_rows.entry()
        started = time.monotonic()
        told = subscribers.push_due(seconds=1.0)
        assert told == subscribers.Told(delivered=20, failed=2)
        assert good.numbers() == list(range(1, 21))
        assert good.messages[-1][2] - started < 2.5  # long before the hanging one was given up
    assert Subscriber.objects.get(url=good.url).attempts == 0


def test_two_workers_at_once_tell_nothing_twice(committed_db):
    with Receiver() as one, Receiver() as two:
        for receiver in (one, two):
            subscribe(receiver)
        for _ in range(30):
            journal_rows.entry()
        results = at_once(3, lambda: subscribers.push_due(seconds=20.0))
        assert sum(r.delivered for r in results) == 60
        assert one.numbers() == two.numbers() == list(range(1, 31))


def test_who_lost_the_lease_stops(db, receiver):
    subscriber = subscribe(receiver)
    journal_rows.entry()
    lease = subscribers._claim(subscriber.pk)
    assert subscribers._claim(subscriber.pk) is None
    make_due()
    again = subscribers._claim(subscriber.pk)
    assert subscribers._moved(subscriber.pk, "cursor", 1, lease) is None
    subscribers._failed(subscriber, lease, subscribers.UnableToReach("late"))
    subscriber.refresh_from_db()
    assert (subscriber.cursor, subscriber.attempts, subscriber.next_attempt_at) == (0, 0, again)


@given(st.lists(st.lists(st.sampled_from([200, 200, 500, 410, "drop", "late"]), max_size=6), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
def test_whatever_fails_each_number_comes_at_least_once_and_in_order(db, monkeypatch, rounds):
    """New entries before each round of failures; a person enables what was disabled; a cursor is lost after a message was taken."""
    Subscriber.objects.all().delete()
    really_moved = subscribers._moved
    with Receiver() as receiver:
        subscriber = subscribe(receiver)
        first = topics.TOPICS[POSTED].latest(subscriber.company) + 1
        for answers in rounds:
            journal_rows.entry()
            journal_rows.entry()
            receiver.answers = [200 if answer == "late" else answer for answer in answers]
            taken = iter(answers)
            for _ in range(len(answers) + 1):
                make_due()
                subscribing.enable(subscriber, actor="ann")
                # the worker dies between the answer and the cursor: the lease ends, and the message comes again
                lose = next(taken, None) == "late"
                monkeypatch.setattr(subscribers, "_moved", (lambda *_: None) if lose else really_moved)
                tell(subscriber)
        monkeypatch.setattr(subscribers, "_moved", really_moved)
        make_due()
        subscribing.enable(subscriber, actor="ann")
        tell(subscriber)
        last = topics.TOPICS[POSTED].latest(subscriber.company)
        numbers = receiver.numbers()
        assert sorted(set(numbers)) == list(range(first, last + 1))
        assert numbers == sorted(numbers)
        by_number = {}
        for id_, body in receiver.seen:
            assert by_number.setdefault(json.loads(body)["data"]["seq"], (id_, body)) == (id_, body)
