"""The admin's pages on Bookkeeper's side and on subscribers: what they show, what a person may do there."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.urls import reverse

from ledger import counterparts, outbox, readback, subscribing
from ledger.models import BookkeeperCode, BookkeeperDifference, Delivery, Subscriber
from salessync.core import nudge
from salessync.core.models import AuditRow
from tests.ledger import journal_rows
from tests.ledger.test_inbound import receive
from tests.ledger.test_readback import foreign, known_as
from tests.sandbox.test_bookkeeper import post

NASTY = '<script>alert("x")</script>'


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(nudge, "nudge", lambda task: False)
    cache.clear()


@pytest.fixture
def person(client, django_user_model, db):
    """Logs a new person in with these permissions, who may read everything of the books."""

    def login(*permissions, name="ann"):
        user = django_user_model.objects.create_user(name, is_staff=True)
        views = Permission.objects.filter(content_type__app_label="ledger", codename__startswith="view_")
        user.user_permissions.set([*views, *Permission.objects.filter(codename__in=permissions)])
        client.force_login(user)
        return client

    return login


@pytest.fixture
def differing(db, bookkeeper):
    """One entry edited, one gone, one never sent."""
    edited, gone = journal_rows.entry(), journal_rows.entry()
    outbox.push_all_due()
    told = foreign(edited)
    told["postings"][0] |= {"account": "Assets:Bank", "amount": 999, "category": NASTY}
    bookkeeper.by_hand("edit", id=known_as(edited), changes={"date": "2026-12-24", "postings": told["postings"]})
    bookkeeper.by_hand("delete", id=known_as(gone))
    post(bookkeeper, [foreign(edited, id="acme:999999")], key="foreign")
    readback.check(full=True)
    return {d.kind: d for d in BookkeeperDifference.objects.all()}


def page(client, name, *args):
    response = client.get(reverse(f"admin:{name}", args=args))
    assert response.status_code == 200
    text = response.content.decode()
    assert NASTY not in text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_both_sides_stand_beside_each_other(person, differing):
    ann = person()
    text = page(ann, "ledger_bookkeeperdifference_changelist")
    for shown in ("Edited", "Missing", "Never sent", "date, 1 posting", "acme:999999", "were last compared with ours"):
        assert shown in text, shown
    text = page(ann, "ledger_bookkeeperdifference_change", differing["edited"].pk)
    for shown in ("date 2026-09-01 2026-12-24", "Assets:Clearing:Stripe", "10.88 USD", "Assets:Bank", "9.99 USD"):
        assert shown in text, shown
    text = page(ann, "ledger_bookkeeperdifference_change", differing["missing"].pk)
    assert "10.88 USD" in text and "Nothing." in text and "Send again" not in text
    text = page(ann, "ledger_bookkeeperdifference_change", differing["unknown_there"].pk)
    assert "We never sent such an entry." in text and "10.88 USD" in text


def test_who_may_send_again_does_and_nobody_else(person, differing):
    gone = differing["missing"]
    url = reverse("admin:ledger_bookkeeperdifference_send_again", args=[gone.pk])
    ann = person()
    assert ann.post(url).status_code == 403
    boss = person("send_again_bookkeeperdifference", name="boss")
    assert "Send again" in page(boss, "ledger_bookkeeperdifference_change", gone.pk)
    assert boss.get(url).status_code == 405
    assert boss.post(url).status_code == 302
    assert Delivery.objects.get(entry=gone.entry_id).state == "due"
    assert AuditRow.objects.get(action="sent again").actor == "boss"
    assert "Send again" not in page(boss, "ledger_bookkeeperdifference_change", gone.pk)  # it is on its way
    outbox.push_all_due()
    readback.check(full=False)
    assert "Resolved" in page(boss, "ledger_bookkeeperdifference_change", gone.pk)


def test_several_are_sent_again_at_once(person, differing):
    boss = person("send_again_bookkeeperdifference")
    chosen = {"action": "send_selected_again", "_selected_action": [d.pk for d in differing.values()]}
    response = boss.post(reverse("admin:ledger_bookkeeperdifference_changelist"), chosen, follow=True)
    assert "1 entry is on the way" in response.content.decode()
    assert Delivery.objects.filter(state="due").count() == 1


def test_accounts_without_a_counterpart_are_shown_and_given_a_code(person):
    entry = journal_rows.entry()
    ann = person("add_bookkeepercode", "view_account", "change_account")
    assert "has not told us its accounts" in page(ann, "ledger_bookkeeperaccount_changelist")
    receive(entry.company, ("Income:Sales", True), ("Liabilities:Tax-payable", False), ("1200", True))
    text = page(ann, "ledger_bookkeeperaccount_changelist")
    assert "Assets:Clearing:Stripe: Bookkeeper has no such account; 1 undelivered entry names it" in text
    assert "Liabilities:Tax-payable: closed at Bookkeeper" in text
    stripe = journal_rows.account("Assets:Clearing:Stripe", entry.company)
    add = reverse("admin:ledger_bookkeepercode_add")
    assert "at most 200" in ann.post(add, {"account": stripe.pk, "code": "x\x07"}).content.decode()
    for said in ("at Bookkeeper from the next batch on", "called so already"):
        assert said in ann.post(add, {"account": stripe.pk, "code": "1200"}, follow=True).content.decode()
    made = BookkeeperCode.objects.get()
    assert (made.code, made.actor, made.company_id) == ("1200", "ann", entry.company_id)
    assert counterparts.named(entry.company_id)["1200"] == ["Assets:Clearing:Stripe"]
    text = page(ann, "ledger_bookkeeperaccount_changelist")
    assert "Assets:Clearing:Stripe: Bookkeeper" not in text
    assert "Assets:Clearing:Stripe" in page(ann, "ledger_bookkeepercode_changelist")
    assert ann.get(reverse("admin:ledger_bookkeepercode_change", args=[made.pk])).status_code == 200  # to read
    assert ann.post(reverse("admin:ledger_bookkeepercode_delete", args=[made.pk])).status_code == 403


def test_a_subscriber_is_made_rotated_disabled_and_enabled_by_hand(person):
    company = journal_rows.company()
    ann = person("add_subscriber", "change_subscriber")
    add = reverse("admin:ledger_subscriber_add")
    assert ann.get(add).status_code == 200
    wish = {"company": company.pk, "url": "ftp://example.com", "topics": ["journal_entry.posted"]}
    assert "https://" in ann.post(add, wish).content.decode() and not Subscriber.objects.exists()
    text = ann.post(add, wish | {"url": "https://example.com/hook"}).content.decode()
    subscriber = Subscriber.objects.get()
    assert subscriber.secrets[0] in text
    assert "subscribed already" in ann.post(add, wish | {"url": "https://example.com/hook"}).content.decode()
    change = reverse("admin:ledger_subscriber_change", args=[subscriber.pk])
    assert subscriber.secrets[0] not in ann.get(change).content.decode()

    def press(name):
        response = ann.post(reverse(f"admin:ledger_subscriber_{name}", args=[subscriber.pk]), follow=True)
        assert response.status_code == 200
        subscriber.refresh_from_db()
        return response.content.decode()

    press("rotate")
    assert len(subscriber.secrets) == 2 and "End the older secret" in ann.get(change).content.decode()
    press("end_older")
    assert len(subscriber.secrets) == 1
    press("disable")
    assert (subscriber.state, subscriber.last_error) == ("disabled", "disabled by hand")
    assert "Enable" in ann.get(change).content.decode()
    press("enable")
    assert subscriber.state == "active"
    assert "example.com/hook" in page(ann, "ledger_subscriber_changelist")
    ann.post(change, {"url": "https://elsewhere.example"})
    subscriber.refresh_from_db()
    assert subscriber.url == "https://example.com/hook"
    actions = set(AuditRow.objects.filter(object_type="subscriber").values_list("action", flat=True))
    assert actions == {"created", "secret added", "old secret ended", "disabled", "enabled"}


def test_who_may_only_look_changes_nothing(person):
    journal_rows.company()
    ann = person()
    assert ann.get(reverse("admin:ledger_subscriber_add")).status_code == 403
    assert ann.get(reverse("admin:ledger_bookkeepercode_add")).status_code == 403
    subscriber, _ = subscribing.create(
        company=journal_rows.company(), url="https://a.example", topics=["period.closed"], actor="x"
    )
    for name in ("rotate", "end_older", "enable", "disable"):
        assert ann.post(reverse(f"admin:ledger_subscriber_{name}", args=[subscriber.pk])).status_code == 403
    assert "New secret" not in page(ann, "ledger_subscriber_change", subscriber.pk)
