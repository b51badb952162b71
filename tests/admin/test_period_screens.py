"""Closing and opening periods in the admin, and from which day a channel posts: shown first, done with a reason, seen by auditors only."""

from datetime import date, timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone
from msgspec.structs import replace

from channels.models import Channel
from ledger import going_live, open_items, periods, readiness
from ledger.models import PeriodChange, Rebuild
from salessync import verify
from salessync.core.models import AuditRow, Company
from tests.records import back, line, refund, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db

PAGE, CLOSE, REOPEN = (reverse(f"admin:ledger_periodchange_{name}") for name in ("changelist", "close", "reopen"))
END = date(2026, 9, 30)
RAW = "<script>alert("


def text_of(response):
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def told(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def page(client, world, **asked):
    return text_of(client.get(PAGE, {"company": world.company.slug, **asked}))


def close(client, world, through=END, reason="month end"):
    return client.post(CLOSE, {"company": world.company.slug, "through": str(through), "reason": reason})


def closed_through(world):
    return Company.objects.get(pk=world.company.pk).closed_through


def test_what_is_not_ready_is_shown_before_it_is_closed(as_, world, scene):
    text = page(as_("administrator"), world, through=str(timezone.now().date()))
    assert "not ready" in text and "This day is not over" in text
    assert "berlin-till, quarantined</a>: 2 of these days" in text
    assert "Assets:Clearing:Stripe</a>: 1 item, 10.40 EUR, the oldest" in text
    assert "2 days" in text and RAW not in text  # control totals
    assert closed_through(world) is None


def test_closing_and_opening_again_tell_who_and_why(as_, world):
    client = as_("administrator")
    assert f"closed through {END}" in told(close(client, world))
    assert closed_through(world) == END
    response = client.post(REOPEN, {"company": world.company.slug, "after": "2026-08-31", "reason": "a forgotten till"})
    assert "are open again" in told(response) and closed_through(world) == date(2026, 8, 31)
    text = page(client, world)
    assert "month end" in text and "a forgotten till" in text and "the first open day is 2026-09-01" in text
    changes = PeriodChange.objects.filter(company=world.company).order_by("pk")
    assert [(c.action, c.actor) for c in changes] == [("closed", "administrator"), ("reopened", "administrator")]
    client.post(REOPEN, {"company": world.company.slug, "after": "", "reason": "all of it"})
    assert closed_through(world) is None


@pytest.mark.parametrize(
    ("through", "reason", "said"),
    [
        (END, "  ", "Reason: This field is required."),
        ("2026-02-30", "x", "Close through: Enter a valid date."),
        (date(2099, 1, 1), "x", "has not begun anywhere yet"),
        (date(2026, 8, 31), "x", "closed through 2026-09-30 already"),
    ],
)
def test_what_cannot_be_closed_says_why(as_, world, through, reason, said):
    before = END if "already" in said else None
    if before:
        periods.close(company=world.company, through=before, actor="ada", reason="x")
    assert said in told(close(as_("administrator"), world, through, reason))
    assert closed_through(world) == before


def test_what_cannot_be_opened_says_why(as_, world):
    client = as_("administrator")
    assert "no day is closed" in told(client.post(REOPEN, {"company": world.company.slug, "after": "", "reason": "x"}))
    assert "Reason" in told(client.post(REOPEN, {"company": world.company.slug, "after": "2026-08-31"}))


@pytest.mark.parametrize("role", ["reviewer", "auditor"])
def test_auditors_see_and_change_nothing(as_, world, role):
    client = as_(role)
    text = page(client, world, through=str(END))
    assert "Close through 2026" not in text and CLOSE not in text and REOPEN not in text
    assert close(client, world).status_code == 403
    assert client.post(REOPEN, {"company": world.company.slug, "reason": "x"}).status_code == 403
    assert client.get(CLOSE).status_code == 405
    assert closed_through(world) is None


def test_nobody_else_sees_it(client, world, django_user_model):
    assert client.get(PAGE).status_code == 302
    client.force_login(django_user_model.objects.create_user("guest", is_staff=True))
    assert client.get(PAGE).status_code == 403


@pytest.mark.parametrize("asked", [{"company": "nobody"}, {"company": "a\x00"}, {"through": "x"}, {"company": "main", "through": "9999-12-31"}])  # fmt: skip
def test_strange_addresses_are_answered(as_, world, asked):
    assert as_("administrator").get(PAGE, asked).status_code == 200
    assert as_("administrator").post(CLOSE, asked).status_code in (302, 403)


# --- readiness


def test_a_day_without_anything_open_is_ready(db):
    world = World()
    world.send(sale([line()], tenders=[]))
    assert readiness.of(world.company, date(2026, 8, 31)).ready


def test_an_event_counts_for_its_own_day_where_it_can_be_read(db):
    world = World()
    now = timezone.now().date()
    early = replace(refund([back(line(), units=1, net=500, tax=20)], of="S9"), business_date=date(2026, 9, 2))
    late = replace(early, source=replace(early.source, id="R2"), business_date=now + timedelta(days=30))
    world.send(early, late, b"not json")
    found = readiness.of(world.company, now - timedelta(days=30))
    assert [(e.state, e.within, e.maybe) for e in found.events] == [("quarantined", 0, 1), ("waiting", 1, 0)]
    today = readiness.of(world.company, now)
    assert sum(e.within for e in today.events) == 3 and not today.ready
    assert readiness.of(World().company, now).ready


def test_more_events_than_are_looked_at_are_said_to_be_more(db, monkeypatch):
    monkeypatch.setattr(readiness, "LOOKED_AT", 2)
    world = World()
    for n in range(3):
        world.capture(sale([line()], id_=f"S{n}"))
    found = readiness.of(world.company, timezone.now().date())
    assert found.more and [(e.state, e.within) for e in found.events] == [("new", 2)]


def test_what_summaries_have_not_taken_in_is_told_and_closing_takes_it_in(db):
    world = World()
    Channel.objects.filter(pk=world.till.pk).update(posting_mode="day")
    world.send(sale([line()], id_="S1"), sale([line()], id_="S2"))
    (pending,) = readiness.of(world.company, END).pending
    assert (pending.channel, pending.details, pending.first) == (world.till.slug, 2, date(2026, 9, 1))
    periods.close(company=world.company, through=END, actor="ada", reason="month end")
    found = readiness.of(world.company, END)
    assert found.pending == [] and found.undelivered_count == 1 and found.old_items == []
    assert open_items.older(world.company, today=date(2026, 10, 2), days=readiness.OLD_DAYS)[0].items == 2


# --- from which day a channel posts


def live(world):
    return reverse("admin:ledger_goinglive", args=[world.till.pk])


def test_a_later_first_day_takes_back_what_was_sold_before_it(as_, world):
    client, before = as_("administrator"), world.balances()
    asked = {"live_from": "2026-09-02", "posting_mode": "sale"}
    text = text_of(client.get(live(world), asked))
    assert "Transactions that change</dt><dd>3<" in text and "Income:Sales" in text and RAW not in text
    assert world.balances() == before and Channel.objects.get(pk=world.till.pk).live_from is None
    response = client.post(live(world), asked)
    assert "posts one entry a sale, from 2026-09-02 on. 3 differences were posted." in told(response)
    assert Channel.objects.get(pk=world.till.pk).live_from == date(2026, 9, 2)
    assert world.balances()["Income:Sales"] == before["Income:Sales"] + 6000
    assert "Nothing: the books are as these settings say" in text_of(client.get(live(world)))
    row = AuditRow.objects.filter(object_type="channel", object_id=world.till.pk).latest("pk")
    assert (row.actor, row.data["before"]) == ("administrator", "posts one entry a sale, every business day")
    client.post(live(world), {"live_from": "", "posting_mode": "sale"})
    assert world.balances() == before
    assert Rebuild.objects.count() == 2 and [law for law in verify.verify_books() if law.violations] == []


def test_the_look_changes_nothing_and_another_way_of_posting_has_no_difference(world):
    before = world.balances()
    tally, whole = going_live.look(world.till, going_live.Choice(None, "day"), seconds=60)
    assert (tally.entries, whole) == (0, True)
    nothing, _ = going_live.look(world.till, going_live.Choice(None, "none"), seconds=60)
    assert nothing.entries == 6
    assert world.balances() == before and Channel.objects.get(pk=world.till.pk).posting_mode == "sale"


@pytest.mark.parametrize("role", ["reviewer", "auditor"])
def test_others_see_the_difference_and_post_none(as_, world, role):
    client = as_(role)
    assert "Save" not in text_of(client.get(live(world), {"live_from": "2026-09-02", "posting_mode": "sale"}))
    assert client.post(live(world), {"posting_mode": "none"}).status_code == 403
    assert Channel.objects.get(pk=world.till.pk).posting_mode == "sale"


def test_the_channel_s_page_says_from_when_on_it_posts(as_, world):
    client = as_("administrator")
    url = reverse("admin:channels_channel_change", args=[world.till.pk])
    assert "Posts every business day. One journal entry a sale." in text_of(client.get(url))
    form = client.get(url).context["adminform"].form
    values = {name: form[name].value() for name in form.fields if name not in ("only_newest", "sells")}
    values = {name: value for name, value in values.items() if value is not None}
    response = client.post(url, values | {"live_from": "2026-09-02"})
    assert response.status_code == 302 and live(world) in told(response)
    assert "Posts the business days from 2026-09-02 on" in text_of(client.get(url))


@pytest.mark.parametrize("asked", [{"posting_mode": "x"}, {"posting_mode": "sale", "live_from": "yesterday"}])
def test_no_choice_is_refused_with_a_sentence(as_, world, asked):
    client = as_("administrator")
    assert 'class="error"' in text_of(client.get(live(world), asked))
    assert 'class="error"' in text_of(client.post(live(world), asked))
    assert client.get(reverse("admin:ledger_goinglive", args=[10**9])).status_code == 404
