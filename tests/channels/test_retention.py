"""Old payloads end; hash, length and times stay, the books still hold, and nobody stumbles over the empty body."""

import hashlib
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone

from channels import canonical, inbox, retention
from channels.models import Event, Transaction
from salessync import setup, verify
from salessync.core.models import AuditRow
from tests.admin.scenes import people
from tests.channels.test_privacy import order, redact
from tests.records import line, sale
from tests.worlds import World


@pytest.fixture
def world(db):
    return World()


def aged(world, days=40, **only):
    """These events came that long ago."""
    rows = Event.objects.filter(company_id=world.company.pk, **only)
    rows.update(received_at=timezone.now() - timedelta(days=days))
    return list(rows.order_by("pk"))


def purge(days=30, **more):
    return retention.purge(before=timezone.now() - timedelta(days=days), actor="test", **more)


def test_the_body_goes_and_the_rest_stays(world):
    made = sale([line()])
    body = canonical.encode(made).replace(b'"shop"', json.dumps(world.till.slug).encode())
    (event_id,) = world.send(body)
    (before,) = aged(world)
    assert purge() == (1, len(before.body), {})
    after = Event.objects.get(pk=event_id)
    assert bytes(after.body) == b"" and after.purged_bytes == len(before.body) and after.purged_at
    assert bytes(after.body_sha256) == hashlib.sha256(body).digest()
    unchanged = [f.name for f in Event._meta.fields if f.name not in ("body", "purged_at", "purged_bytes")]
    assert [getattr(after, n) for n in unchanged] == [getattr(before, n) for n in unchanged]
    assert [law.law for law in verify.verify_books() if law.violations] == []


def test_once_only_and_each_run_is_in_the_audit_trail(world):
    world.send(sale([line()], id_="S1"), sale([line()], id_="S2"))
    aged(world)
    assert [purge().events, purge().events] == [2, 0]
    rows = AuditRow.objects.filter(action="purged").order_by("pk")
    assert [(row.actor, row.object_type, row.data["events"]) for row in rows] == [
        ("test", "event", 2),
        ("test", "event", 0),
    ]


def test_what_somebody_may_still_need_is_kept_however_old(world):
    world.send(sale([line()]), b"no json")
    young = world.send(sale([line()], id_="S3"))
    world.capture(sale([line()], id_="S2"))
    aged(world)
    Event.objects.filter(pk__in=young).update(received_at=timezone.now())
    found = purge()
    assert found.events == 1 and found.kept == {"new": 1, "quarantined": 1}
    assert sorted(Event.objects.filter(purged_at=None).values_list("state", flat=True)) == [
        "new",
        "posted",
        "quarantined",
    ]


def test_of_one_channel_and_as_a_dry_run(world):
    world.send(sale([line()]))
    world.send(json.dumps(order(7)).encode(), channel=world.shop, topic="orders/create")
    till, shop = aged(world)
    size = len(till.body) + len(shop.body)
    assert purge(dry_run=True)[:2] == (2, size)
    assert not Event.objects.exclude(purged_at=None).exists() and not AuditRow.objects.filter(action="purged").exists()
    assert purge(channel=world.shop).events == 1
    assert Event.objects.exclude(purged_at=None).get().pk == shop.pk


@pytest.mark.parametrize("step", [1, 2, 3])
def test_step_by_step(world, monkeypatch, step):
    monkeypatch.setattr(retention, "STEP", step)
    world.send(*(sale([line()], id_=f"S{n}") for n in range(5)))
    aged(world)
    assert purge().events == 5


def test_stopped_halfway_the_next_run_goes_on(world, monkeypatch):
    monkeypatch.setattr(retention, "STEP", 2)
    world.send(*(sale([line()], id_=f"S{n}") for n in range(5)))
    aged(world)

    def stop(events):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge(progress=stop)
    assert AuditRow.objects.get(action="purged").data["events"] == 2
    assert purge().events == 3


def test_a_purged_event_is_not_replayed_and_says_why(world, capsys):
    gone, kept = world.send(sale([line()], id_="S1"), sale([line()], id_="S2"))
    aged(world, pk=gone)
    purge()
    today = f"{timezone.now():%Y-%m-%d}"
    with pytest.raises(
        CommandError, match=f"event {gone} was purged on {today}: of its payload only hash and length"
    ) as error:
        call_command("replay_event", gone, kept)
    assert error.value.returncode == 1
    assert capsys.readouterr().out == "1 of 2 events are due again\n"
    assert dict(Event.objects.values_list("pk", "state")) == {gone: "posted", kept: "new"}
    assert inbox.refusals([kept, 0]) == {kept: "is in work or due already", 0: "is unknown"}


def test_the_database_refuses_a_purged_event_that_is_due_or_has_a_body(world):
    (event,) = world.send(sale([line()]))
    aged(world)
    purge()
    for change in ("state = 'new'", "body = 'x'", "purged_bytes = NULL"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE channels_event SET {change} WHERE id = %s", [event])


def test_the_page_says_since_when_and_offers_no_replay(world, client):
    (event,) = world.send(sale([line()]))
    setup.bootstrap()  # the roles
    people()
    client.login(username="reviewer", password="secret")
    page = reverse("admin:channels_event_change", args=[event])
    assert 'type="submit"' in client.get(page).content.decode().split("SHA-256")[0]
    (before,) = aged(world)
    purge()
    text = client.get(page).content.decode()
    assert f"purged on {timezone.now():%Y-%m-%d}" in text and filesizeformat(len(before.body)) in text
    assert 'type="submit"' not in text.split("SHA-256")[0].split("<h2>Event")[1]
    answer = client.post(reverse("admin:channels_event_replay", args=[event]), follow=True)
    assert "1 event did not, since it was purged on" in answer.content.decode()
    sale_page = reverse("admin:channels_transaction_change", args=[Transaction.objects.get().pk])
    assert "purged on" in client.get(sale_page).content.decode()


def test_requests_of_persons_pass_over_what_is_purged(world):
    shop = world.shop
    shop.credentials = {"secrets": ["hush"], "shop": "northwind"}
    shop.save()
    world.send(json.dumps(order(1)).encode(), channel=shop, topic="orders/create", delivery_id="a")
    aged(world)
    purge()
    world.send(json.dumps(order(2)).encode(), channel=shop, topic="orders/create", delivery_id="b")
    world.send(json.dumps(redact(orders=[1, 2])).encode(), channel=shop, topic="customers/redact", delivery_id="c")
    assert world.states() == {"posted": 3}
    first, second, _ = Event.objects.order_by("pk")
    assert bytes(first.body) == b"" and b"10001" not in bytes(second.body)
    assert [law.law for law in verify.verify_books() if law.violations] == []
    shop_redact = json.dumps({"shop_id": 1, "shop_domain": "northwind.myshopify.com"}).encode()  # looks into every body
    world.send(shop_redact, channel=shop, topic="shop/redact", delivery_id="all")
    assert world.states() == {"posted": 4}
    shop.status = "live"
    shop.save(update_fields=["status"])
    # an order of the forgotten that comes once more is known again, though its body is gone
    world.send(json.dumps(order(1)).encode(), channel=shop, topic="orders/create", delivery_id="d")
    assert [law.law for law in verify.verify_books() if law.violations] == []


def test_the_command(world, capsys):
    world.send(sale([line()]), b"no json")
    aged(world)
    for wrong in (["--older-than", "0"], ["--older-than", "30", "--channel", "none"]):
        with pytest.raises(CommandError) as error:
            call_command("purge_payloads", *wrong)
        assert error.value.returncode == 2
    capsys.readouterr()
    call_command("purge_payloads", "--older-than", "30", "--dry-run", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["dry_run"] and told["events"] == 1 and told["kept"] == {"quarantined": 1}
    call_command("purge_payloads", "--older-than", "30", "--channel", world.till.slug)
    said = capsys.readouterr().out
    assert said.startswith("1 payloads with ") and said.endswith("1 as old are kept, since they are quarantined\n")
