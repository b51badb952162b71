"""A channel's condition: from its facts, and its facts from the database."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from channels import condition as conditions
from channels import coverage, credentials, fetching
from channels.calls import AccessRefused
from channels.condition import Condition, Facts, LiveList, Rhythm, State, condition, expected, summary
from channels.models import Channel, Event, Fetch, Reading
from salessync import metrics
from salessync.core import audit, nudge
from salessync.core.models import AuditRow
from tests.worlds import World

AT = datetime(2026, 9, 28, 12, tzinfo=UTC)  # a Monday
WEEKS_AGO = AT - timedelta(weeks=8)
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


def rhythm(per_hour, last, *, since=WEEKS_AGO, hours=range(24), days=range(7)):
    """So many minutes with an event in each of these hours of these days, four weeks long before `last`."""
    stop = conditions.hour_of(last)
    heard = {}
    for hour in range(stop - 28 * 24, stop):
        at = datetime.fromtimestamp(hour * 3600, UTC)
        if per_hour and at.hour in hours and at.weekday() in days:
            heard[hour] = per_hour
    return Rhythm(heard, since, last)


def facts(**changes):
    """A channel in the best of health."""
    well = {"connected": WEEKS_AGO, "rhythm": rhythm(4, AT - MINUTE)}
    return Facts(**(well | changes))


def orders(read, **more):
    return LiveList("orders", timedelta(seconds=300), read, **more)


TABLE = {
    "well": (facts(), State.LIVE, "Last heard of 2026-09-28 11:59 UTC"),
    "lists read in time": (facts(lists=(orders(AT - 15 * MINUTE),)), State.LIVE, "(orders)"),
    "a list late": (facts(lists=(orders(AT - 16 * MINUTE),)), State.STALE, "LIST_LATE: the list orders should be read every 5 min"),
    "a list paused": (facts(lists=(orders(AT - HOUR, paused=True),)), State.STALE, "the list orders is paused"),
    "a list failing a few times": (facts(lists=(orders(AT, failures=4, error="oops"),)), State.LIVE, "orders"),
    "a list failing often": (facts(lists=(orders(AT - HOUR, failures=5, error="oops"),)), State.BROKEN, "5 times in a row: oops (read"),
    "refused": (facts(lists=(orders(AT),), refused="ACCESS_REFUSED: x: the vendor answers 401"), State.BROKEN, "must be renewed"),
    "unreadable": (facts(readable=False), State.BROKEN, "CREDENTIALS_UNREADABLE"),
    "given up": (facts(given_up=2, given_up_last=AT - DAY, given_up_error="404"), State.BROKEN, "2 objects were asked for in vain: 404"),
    "given up long ago": (facts(given_up=2, given_up_last=AT - 8 * DAY), State.LIVE, "as expected"),
    "events wait a little": (facts(due=AT - 5 * MINUTE), State.LIVE, "as expected"),
    "events wait": (facts(due=AT - 6 * MINUTE), State.STALE, "INBOX_LATE"),
    "paused": (facts(paused=True, paused_since=AT - DAY), State.PAUSED, "since 2026-09-27 12:00 UTC"),
    "paused before anybody wrote it down": (facts(paused=True), State.PAUSED, "Paused by a person:"),
    "silent": (facts(rhythm=rhythm(4, AT - 3 * HOUR)), State.SILENT, "about 12 times by now (last heard of 2026-09-28 09:00 UTC)"),
    "not silent yet": (facts(rhythm=rhythm(4, AT - 2 * HOUR)), State.LIVE, "as expected"),
    "busy, and unheard for some minutes": (facts(rhythm=rhythm(60, AT - 29 * MINUTE)), State.LIVE, "as expected"),
    "busy, and unheard for half an hour": (facts(rhythm=rhythm(60, AT - 30 * MINUTE)), State.SILENT, "about 30 times"),
    "closed at the weekend": (
        facts(rhythm=rhythm(9, AT - timedelta(days=2, hours=16), hours=range(8, 20), days=range(5))), State.SILENT, "about 36 times",
    ),
    "closed at the weekend, Monday at nine": (
        facts(rhythm=rhythm(9, AT - timedelta(days=2, hours=16), hours=range(11, 20), days=range(5))), State.LIVE, "as expected",
    ),
    "quiet for ever": (facts(rhythm=Rhythm({conditions.hour_of(AT - 40 * DAY - n * HOUR): 1 for n in range(1, 20)}, WEEKS_AGO, AT - 40 * DAY)),
                       State.LIVE, "as expected"),
    "new": (facts(connected=AT - HOUR, rhythm=Rhythm({}, AT - HOUR, None)), State.LIVE, "Nothing was heard of it since"),
    "never": (facts(connected=AT - 25 * HOUR, rhythm=Rhythm({}, AT - 25 * HOUR, None)), State.SILENT, "never heard of"),
    "not in four weeks": (facts(rhythm=Rhythm({}, AT - 28 * DAY, None)), State.SILENT, "not heard of (that is, since 2026-08-31"),
    "not as far as was looked": (facts(rhythm=Rhythm({}, AT - 2 * HOUR, None)), State.LIVE, "since 2026-09-28 10:00 UTC"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_the_condition_and_its_sentence(case):
    told, state, words = TABLE[case]
    found = condition(told, AT)
    assert found.state == state, found
    assert words in found.sentence
    assert found.sentence.endswith(".")


def test_the_worst_is_told():
    worse = facts(rhythm=rhythm(4, AT - DAY))
    for more, state in (
        ({}, State.SILENT),
        ({"due": AT - HOUR}, State.STALE),
        ({"readable": False}, State.BROKEN),
        ({"paused": True}, State.PAUSED),
    ):
        worse = worse._replace(**more)
        assert condition(worse, AT).state == state


# --- the habit

ANY_RHYTHM = st.builds(
    lambda hours, since, last: Rhythm({conditions.hour_of(AT) - h: n for h, n in hours.items()}, AT - since, AT - last),
    st.dictionaries(st.integers(0, 1500), st.integers(0, 60)),
    st.timedeltas(timedelta(0), timedelta(days=100)),
    st.timedeltas(timedelta(0), timedelta(days=60)),
)


@given(ANY_RHYTHM, st.timedeltas(timedelta(0), timedelta(days=60)), st.timedeltas(timedelta(0), timedelta(days=60)))
def test_more_silence_never_means_fewer_expected(any_rhythm, one, other):
    sooner, later = sorted((any_rhythm.last + one, any_rhythm.last + other))
    assert -1e-9 <= expected(any_rhythm, sooner) <= expected(any_rhythm, later) + 1e-9


@given(st.integers(1, 60), st.timedeltas(timedelta(0), timedelta(days=90)))
def test_a_steady_channel_is_expected_steadily(per_hour, silence):
    steady = rhythm(per_hour, AT)
    assert expected(steady, AT + silence) == pytest.approx(per_hour * (silence / HOUR))


@given(ANY_RHYTHM, st.timedeltas(timedelta(0), timedelta(days=30)))
def test_what_came_before_four_weeks_or_was_not_watched_counts_for_nothing(any_rhythm, silence):
    stop = conditions.hour_of(any_rhythm.last)
    start = max(stop - 672, -(conditions.hour_of(any_rhythm.since) * -1))
    within = {h: n for h, n in any_rhythm.hours.items() if start <= h < stop}
    assert expected(any_rhythm, any_rhythm.last + silence) == expected(
        any_rhythm._replace(hours=within), any_rhythm.last + silence
    )


def test_an_hour_that_was_never_watched_expects_nothing():
    young = rhythm(30, AT, since=AT - DAY)
    assert expected(young, AT + 6 * DAY) == 0  # no Tuesday to Saturday was seen yet
    assert expected(young, AT + 7 * DAY) == pytest.approx(30 * 24)


# --- all together


def test_only_live_channels_are_covered():
    live, dead, paused = (Condition(state, "", None) for state in (State.LIVE, State.BROKEN, State.PAUSED))
    found = summary([(live, 300), (dead, 100), (paused, 0), (live, 0)])
    assert found.counts == {State.LIVE: 2, State.SILENT: 0, State.STALE: 0, State.BROKEN: 1, State.PAUSED: 1}
    assert (found.share, found.volume) == (0.5, 0.75)
    assert summary([])[1:] == (None, None)
    assert summary([(live, 0)])[1:] == (1.0, None)


# --- the facts


@pytest.fixture
def world(db, monkeypatch):
    cache.clear()
    monkeypatch.setattr(nudge, "nudge", lambda task: False)
    found = World()
    Channel.objects.update(created_at=timezone.now() - timedelta(weeks=8))
    found.till.refresh_from_db()
    found.shop.refresh_from_db()
    yield found
    cache.clear()


def stand(channel, at=None):
    cache.clear()
    channel.refresh_from_db()
    return coverage.stands([channel], at)[channel.pk]


def hear(channel, *instants, mode="webhook", finished=True):
    """Events that were received then."""
    Event.objects.bulk_create(
        Event(
            company_id=channel.company_id, channel=channel, dedupe_key=f"{channel.pk}-{mode}-{n}-{at}", topic="sale", mode=mode,
            body=b"{}", body_sha256=b"x" * 32, received_at=at, stored_at=at, next_attempt_at=at,
            state="posted" if finished else "new",
        )
        for n, at in enumerate(instants)
    )  # fmt: skip


def every_hour(until, days=28):
    return [until - n * HOUR for n in reversed(range(24 * days))]


def test_a_channel_that_falls_silent(world):
    now = timezone.now()
    hear(world.till, *every_hour(now - 8 * HOUR))
    assert stand(world.till, now).condition.state == State.LIVE
    found = stand(world.till, now + 2 * HOUR)
    assert found.condition.state == State.SILENT
    assert found.condition.since == now - 8 * HOUR
    assert found.times_heard in (671, 672)


def test_what_comes_in_one_minute_counts_once_and_the_past_that_is_read_not_at_all(world):
    at = (timezone.now() - 3 * HOUR).replace(minute=30, second=0, microsecond=0)
    hear(world.till, at, at + timedelta(seconds=20), at + MINUTE)
    hear(world.till, timezone.now(), mode="backfill")
    hear(world.shop, timezone.now(), mode="backfill")
    found = stand(world.till).facts.rhythm
    assert (dict(found.hours), found.last) == ({conditions.hour_of(at): 2}, at + MINUTE)
    assert stand(world.shop).condition.state == State.SILENT
    assert set(coverage.lately().heard) == {world.till.pk}


def test_the_count_is_rolled_forward_and_back_a_chunk_at_a_time(world, monkeypatch):
    now = timezone.now()
    hear(world.till, *every_hour(now - HOUR, days=10))
    whole = stand(world.till, now).facts.rhythm
    cache.clear()
    monkeypatch.setattr(coverage, "CHUNK", 50)
    monkeypatch.setattr(coverage, "SECONDS", -1)
    began = coverage.stands([world.till], now)[world.till.pk].facts.rhythm
    assert (began.hours, began.last) == ({}, None)
    monkeypatch.setattr(coverage, "SECONDS", 60)
    hear(world.till, now - timedelta(minutes=5), now)  # one that is settled, one that is not yet
    for _ in range(2):
        found = coverage.stands([world.till], now)[world.till.pk].facts.rhythm
        assert sum(found.hours.values()) == sum(whole.hours.values()) + 2
        assert found.last == now
    assert found.since == world.till.created_at


def test_a_count_of_another_database_is_begun_anew(world):
    hear(world.till, timezone.now() - DAY)
    coverage.stands([world.till])
    Event.objects.all().delete()
    assert coverage.stands([world.till])[world.till.pk].facts.rhythm.last is None


def test_lists_and_fetches_and_the_inbox_are_looked_at(world):
    now = timezone.now()
    hear(world.shop, *every_hour(now))
    Reading.objects.create(channel=world.shop, stream="orders", purpose="live", reached=now, read_at=now)
    assert stand(world.shop, now).condition.state == State.LIVE
    Reading.objects.update(read_at=None, reached=now - DAY)
    assert stand(world.shop, now).condition.state == State.LIVE  # it was made just now
    Reading.objects.update(read_at=now - DAY)
    assert stand(world.shop, now).condition.state == State.STALE
    refused = str(AccessRefused("shop: the vendor answers 401"))
    Reading.objects.update(read_at=now, state="failed", error=refused, attempts=1)
    assert stand(world.shop, now).condition.sentence.startswith(refused)
    Reading.objects.update(state="waiting", error="", attempts=0)
    hear(world.shop, now - HOUR, finished=False)
    assert stand(world.shop, now).condition.sentence.startswith("INBOX_LATE")
    Event.objects.filter(state="new").update(lane=1)
    assert stand(world.shop, now).condition.state == State.LIVE  # the past may wait
    fetch = Fetch.objects.create(channel=world.shop, kind="order", object_id="1", error=refused)
    assert stand(world.shop, now).condition.state == State.BROKEN
    fetching._again(Fetch.objects.get(pk=fetch.pk), "no such field", 60.0, lasting=True)
    found = stand(world.shop)
    assert (found.condition.state, found.facts.given_up, found.due) == (State.BROKEN, 1, 0)
    assert timedelta(seconds=-1) < timezone.now() - found.facts.given_up_last < MINUTE
    assert fetching.requeue([fetch]) == 1
    found = stand(world.shop)
    assert (found.condition.state, found.facts.given_up, found.due) == (State.LIVE, 0, 1)
    assert stand(world.till).condition.state == State.SILENT


def test_paused_since_a_person_did_it(world):
    Channel.objects.update(status="paused")
    assert stand(world.till).condition.since is None
    audit.record(
        [
            (
                world.company.pk,
                "ann",
                "changed",
                "channel",
                world.till.pk,
                {"message": [{"changed": {"fields": ["Status"]}}]},
            )
        ]
    )
    found = stand(world.till).condition
    assert found.state == State.PAUSED
    assert found.since == AuditRow.objects.get().at


def test_secrets_of_a_lost_key(world):
    Channel.objects.update(sealed_credentials=b"x" * 40)
    assert stand(world.till).condition.sentence.startswith("CREDENTIALS_UNREADABLE")


def test_many_channels_take_as_many_queries_as_one(world, django_assert_num_queries):
    for number in range(5):
        world.channel(f"more-{number}", "shopify", status="paused")
    hear(world.till, timezone.now() - DAY, timezone.now())
    channels = list(Channel.objects.all())
    cache.clear()
    with django_assert_num_queries(7):
        assert len(coverage.stands(channels)) == len(channels)


def test_the_metrics_count_conditions(world, client):
    hear(world.till, *every_hour(timezone.now()))
    text = client.get("/metrics").content.decode()
    assert 'salessync_channels{state="live"} 1.0' in text
    assert 'salessync_channels{state="silent"} 1.0' in text
    assert 'salessync_channels{state="broken"} 0.0' in text
    assert "salessync_channel_coverage 0.5" in text
    assert "salessync_channel_volume_coverage 1.0" in text


def test_the_metrics_of_an_empty_installation(db):
    cache.clear()
    families = {family.name for family in metrics.DatabaseCollector().collect()}
    assert "salessync_channels" in families
    assert "salessync_channel_coverage" not in families


# --- credentials from a script


def connect(*arguments, **options):
    out = StringIO()
    call_command("connect_channel", *arguments, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_credentials_are_set_merged_and_removed_and_never_printed(world, monkeypatch):
    slug = world.shop.slug
    world.shop.credentials = {"secrets": ["whsec"]}
    world.shop.save()
    out = connect(slug, "--set", "token=tok=en-1", "--set", "test=true", "--base-url", "https://api.example.com")
    monkeypatch.setattr("sys.stdin", StringIO('{"client_secret": "hush-hush", "expires_at": 5, "test": ""}'))
    out += connect(slug, "--json", "-")
    world.shop.refresh_from_db()
    assert world.shop.credentials == {
        "secrets": ["whsec"], "token": "tok=en-1", "base_url": "https://api.example.com", "client_secret": "hush-hush", "expires_at": 5,
    }  # fmt: skip
    told = out + str(list(AuditRow.objects.values()))
    assert "stored: client_secret, expires_at, token" in out
    assert not any(value in told for value in ("tok=en-1", "hush-hush", "whsec"))
    before = AuditRow.objects.count()
    assert "nothing changed" in connect(slug, "--set", "token=tok=en-1")
    assert AuditRow.objects.count() == before


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [(("nobody",), ""), (("SLUG", "--set", "hush-hush"), ""), (("SLUG", "--set", "secrets=hush-hush"), ""),
     (("SLUG", "--set", "=hush-hush"), ""), (("SLUG", "--base-url", "ftp://hush-hush"), ""),
     (("SLUG", "--base-url", "https://me:hush-hush@host"), ""), (("SLUG", "--json", "-"), "hush-hush"),
     (("SLUG", "--json", "-"), '{"token": "hush-hush"'), (("SLUG", "--set", "base_url=hush-hush"), "")],
)  # fmt: skip
def test_wrong_credentials_are_one_sentence_without_them(world, monkeypatch, arguments, stdin):
    monkeypatch.setattr("sys.stdin", StringIO(stdin))
    with pytest.raises(CommandError) as error:
        connect(*(world.shop.slug if a == "SLUG" else a for a in arguments))
    assert error.value.returncode == 2
    assert "hush" not in str(error.value)
    assert "\n" not in str(error.value)
    world.shop.refresh_from_db()
    assert world.shop.credentials == {}


def test_what_cannot_be_read_is_not_overwritten_by_a_script(world):
    Channel.objects.update(sealed_credentials=b"x" * 40)
    with pytest.raises(CommandError):
        connect(world.shop.slug, "--set", "token=t")
    assert bytes(Channel.objects.get(pk=world.shop.pk).sealed_credentials) == b"x" * 40


@given(st.text(max_size=200))
def test_any_text_is_credentials_or_refused(text):
    try:
        found = credentials.parse(text)
    except credentials.NotCredentials:
        return
    assert all(key.strip() for key in found)
