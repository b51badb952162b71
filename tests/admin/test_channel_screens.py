"""A channel's page: its condition, what its vendor is asked, and secrets that go in and never come out."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from channels.admin import ChannelAdmin
from channels.models import Channel, Fetch, Reading
from salessync.core.models import AuditRow
from tests.admin.scenes import NASTY

pytestmark = pytest.mark.django_db

HUSH = "hush-hush-0123456789"
ASKING = {"secrets": [f"whsec-{HUSH}"], "token": f"shpat-{HUSH}", "shop": "a-shop", "client_secret": f"secret-{HUSH}"}


@pytest.fixture
def shop(world):
    """A Shopify channel that may be asked."""
    found = Channel.objects.get(pk=world.shop.pk)
    found.credentials = ASKING
    found.greeting = f"code 4711 {NASTY}"
    found.save()
    return found


def page_of(channel):
    return reverse("admin:channels_channel_change", args=[channel.pk])


def text_of(response):
    return " ".join(response.content.decode().split())


def form(channel, **changes):
    fields = (
        "status", "country", "region", "timezone", "day_cut_hour", "currency", "posting_mode", "refund_tax", "stock_location",
    )  # fmt: skip
    kept = channel.credentials
    addresses = {name: kept.get(name, "") for name in ("base_url", "notification_url")}
    return {name: getattr(channel, name) for name in fields} | addresses | {"live_from": ""} | changes


def told(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def audited():
    return json.dumps(list(AuditRow.objects.values_list("actor", "action", "object_type", "data")))


# --- what the pages show


@pytest.mark.parametrize("role", ["admin", "administrator", "reviewer", "auditor"])
def test_everybody_sees_the_condition_and_nobody_a_secret(as_, shop, role):
    client = as_(role)
    pages = [page_of(shop), *(reverse(f"admin:{name}") for name in (
        "index", "channels_channel_changelist", "channels_reading_changelist", "channels_fetch_changelist", "core_auditrow_changelist",
    ))]  # fmt: skip
    pages += [reverse("admin:channels_reading_change", args=[r.pk]) for r in Reading.objects.all()]
    pages += [reverse("admin:channels_fetch_change", args=[f.pk]) for f in Fetch.objects.all()]
    pages += ["/metrics", "/admin/channels/channel/?q=hush", "/admin/channels/fetch/?q=hush"]
    for url in pages:
        response = client.get(url)
        assert response.status_code == 200, url
        assert HUSH not in response.content.decode(), url
        assert "<script>alert(" not in response.content.decode(), url
    text = text_of(client.get(page_of(shop)))
    for words in (
        "FETCH_FAILED: 1 object was asked for in vain",
        "code 4711",
        "client_secret, shop, token",
        "1 given up",
        "orders",
    ):
        assert words in text, words
    assert (
        ("Read now" in text)
        == ("Read the past" in text)
        == ("New API credentials" in text)
        == (role in ("admin", "administrator"))
    )


def test_the_list_tells_conditions_with_their_reasons(as_, shop, scene):
    Channel.objects.filter(pk=scene[0].berlin.pk).update(status="paused")
    text = text_of(as_("auditor").get(reverse("admin:channels_channel_changelist")))
    assert "Paused by a person" in text
    assert "FETCH_FAILED" in text
    assert "Last heard of" in text


def test_the_home_page_counts_only_live_channels(as_, shop, scene):
    text = text_of(as_("auditor").get(reverse("admin:index")))
    assert "2 of 3 live: 66 % of the channels" in text
    Channel.objects.filter(pk=scene[0].berlin.pk).update(status="paused")
    assert "1 of 3 live: 33 % of the channels" in text_of(as_("auditor").get(reverse("admin:index")))


# --- credentials


def test_keys_are_merged_and_removed_and_only_their_names_told(as_, shop):
    client = as_("administrator")
    typed = f"token = new-{HUSH}\n\nclient_secret=\nrefresh_token=r={HUSH}\nshop=a-shop"
    response = client.post(
        page_of(shop),
        form(shop, api_credentials=typed, notification_url="https://shop.example/webhooks/x"),
        follow=True,
    )
    assert HUSH not in response.content.decode()
    shop.refresh_from_db()
    assert shop.credentials == {
        "secrets": ASKING["secrets"], "token": f"new-{HUSH}", "refresh_token": f"r={HUSH}", "shop": "a-shop",
        "notification_url": "https://shop.example/webhooks/x",
    }  # fmt: skip
    text = text_of(client.get(page_of(shop)))
    assert "refresh_token, shop, token" in text
    assert "https://shop.example/webhooks/x" in text
    assert HUSH not in text + audited()
    row = AuditRow.objects.filter(action="credentials").latest("id")
    assert (row.actor, row.data) == (
        "administrator",
        {"set": ["notification_url", "refresh_token", "token"], "removed": ["client_secret"]},
    )
    client.post(page_of(shop), form(shop, api_credentials='{"test": true, "expires_at": 17}'))
    shop.refresh_from_db()
    assert (shop.credentials["test"], shop.credentials["expires_at"], shop.credentials["token"]) == (
        True,
        17,
        f"new-{HUSH}",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"api_credentials": HUSH}, "line 1 is no key=value"),
        ({"api_credentials": '{"token": "' + HUSH}, "begins like JSON"),
        ({"api_credentials": f"secrets={HUSH}"}, "not set here"),
        ({"api_credentials": f"token={HUSH}", "country": "D1"}, "two letters"),
        ({"api_credentials": f"token={HUSH}", "new_secret": HUSH, "base_url": f"https://me:{HUSH}@x.example"}, "no login in it"),
        ({"api_credentials": f"token={HUSH}", "base_url": "javascript:alert(1)"}, "begins with https://"),
    ],
)  # fmt: skip
def test_a_form_that_is_refused_does_not_give_back_what_was_typed(as_, shop, changes, words):
    if "base_url" in changes:  # an address is no secret and stays in its field; a login in it must not be one of ours
        changes = changes | {"base_url": changes["base_url"].replace(HUSH, "pw")}
    before = bytes(shop.sealed_credentials)
    response = as_("admin").post(page_of(shop), form(shop, **changes))
    assert response.status_code == 200
    assert words in response.content.decode()
    assert HUSH not in response.content.decode()
    shop.refresh_from_db()
    assert bytes(shop.sealed_credentials) == before


@pytest.mark.parametrize("moved", [{"base_url": "https://evil.example"}, {"api_credentials": "shop=b-shop"},
                                   {"api_credentials": "base_url=https://evil.example"}])  # fmt: skip
def test_keys_are_not_sent_to_another_host_than_the_one_they_were_given_for(as_, shop, moved):
    response = as_("admin").post(page_of(shop), form(shop, **moved))
    assert "Another host would be sent" in response.content.decode()
    shop.refresh_from_db()
    assert shop.credentials == ASKING
    again = "\n".join([f"token=t-{HUSH}", f"client_secret=c-{HUSH}", "shop=b-shop"])
    assert as_("admin").post(page_of(shop), form(shop, api_credentials=again)).status_code == 302


def test_a_token_renewed_meanwhile_is_not_written_over(as_, shop, monkeypatch):
    def renewed(self, request, obj, form, change):
        Channel.objects.filter(pk=shop.pk).update(sealed_credentials=newer)
        return real(self, request, obj, form, change)

    real = ChannelAdmin.save_model
    kept = Channel.objects.get(pk=shop.pk)
    kept.credentials = ASKING | {"token": "renewed"}
    newer = kept.sealed_credentials
    monkeypatch.setattr(ChannelAdmin, "save_model", renewed)
    assert as_("admin").post(page_of(shop), form(shop, country="US")).status_code == 302
    shop.refresh_from_db()
    assert (shop.country, shop.credentials["token"]) == ("US", "renewed")


def test_credentials_of_a_lost_key_are_begun_anew_with_a_secret(as_, shop):
    changed = form(shop, api_credentials=f"token={HUSH}\nshop=a-shop")
    Channel.objects.filter(pk=shop.pk).update(sealed_credentials=b"x" * 40)
    client = as_("admin")
    assert "not readable" in client.get(page_of(shop)).content.decode()
    assert "a new webhook secret begins it anew" in client.post(page_of(shop), changed).content.decode()
    assert client.post(page_of(shop), changed | {"new_secret": "another"}).status_code == 302
    shop.refresh_from_db()
    assert shop.credentials == {"secrets": ["another"], "token": HUSH, "shop": "a-shop"}


def test_a_channel_is_added_with_its_keys(as_, shop):
    new = form(
        shop, company=shop.company_id, slug="new-shop", adapter="shopify", api_credentials=f"token={HUSH}\nshop=x"
    )
    assert as_("administrator").post(reverse("admin:channels_channel_add"), new).status_code == 302
    assert Channel.objects.get(slug="new-shop").credentials == {"token": HUSH, "shop": "x"}


# --- asking


def test_read_now(as_, shop):
    Reading.objects.filter(channel=shop, purpose="live").update(next_at=timezone.now() + timedelta(hours=1))
    response = as_("administrator").post(reverse("admin:channels_channel_read_now", args=[shop.pk]))
    assert "at the next opportunity" in told(response)
    due = Reading.objects.filter(channel=shop, purpose="live", next_at__lte=timezone.now())
    assert "orders" in set(due.values_list("stream", flat=True))
    row = AuditRow.objects.latest("id")
    assert (row.actor, row.action, row.object_type, row.object_id) == ("administrator", "read_now", "channel", shop.pk)


def test_read_the_past_from_the_shops_own_midnight_and_once(as_, shop):
    Channel.objects.filter(pk=shop.pk).update(timezone="America/New_York")
    url, before = reverse("admin:channels_channel_read_past", args=[shop.pk]), Reading.objects.count()
    for _ in range(2):
        response = as_("administrator").post(url, {"since": "2026-01-01"})
        assert "The past since 2026-01-01 is read" in told(response)
    found = Reading.objects.filter(channel=shop, purpose="backfill", reached=datetime(2026, 1, 1, 5, tzinfo=UTC))
    assert found.get(stream="orders").until <= timezone.now()
    assert Reading.objects.count() == before + found.count()
    assert "2026-01-01T05:00:00+00:00" in audited()
    for wrong in ("", "tomorrow", "1999-12-31", "2999-01-01"):
        assert "read from" in told(as_("admin").post(url, {"since": wrong}))
    assert Reading.objects.count() == before + found.count()


def test_a_vendor_that_cannot_be_asked_is_not(as_, shop, scene):
    client, before = as_("admin"), Reading.objects.count()
    url = reverse("admin:channels_channel_read_now", args=[shop.pk])
    Channel.objects.filter(pk=shop.pk).update(status="paused")
    assert "is paused" in told(client.post(url))
    Channel.objects.filter(pk=shop.pk).update(status="live", sealed_credentials=b"")
    assert "no API credentials" in told(client.post(url))
    assert "no list" in told(client.post(reverse("admin:channels_channel_read_now", args=[scene[0].till.pk])))
    assert Reading.objects.count() == before
    assert client.post(reverse("admin:channels_channel_read_now", args=[987654321])).status_code == 404


# --- readings and fetches


def act(client, name, action, *rows):
    return client.post(
        reverse(f"admin:{name}_changelist"),
        {"action": action, "index": "0", "_selected_action": [row.pk for row in rows]},
    )


def test_readings_are_paused_and_resumed(as_, shop):
    live, past = Reading.objects.order_by("-purpose")
    client = as_("administrator")
    assert "2 lists are paused" in told(act(client, "channels_reading", "pause_selected", live, past))
    assert set(Reading.objects.values_list("state", flat=True)) == {"paused"}
    assert "1 list is resumed" in told(act(client, "channels_reading", "resume_selected", past))
    past.refresh_from_db()
    assert (past.state, past.pages) == ("waiting", 3)
    assert set(AuditRow.objects.filter(object_type="reading").values_list("action", flat=True)) == {"paused", "resumed"}
    Reading.objects.update(state="done")
    assert "0 lists are paused" in told(act(client, "channels_reading", "pause_selected", live))


def test_a_list_shows_how_far_it_is_read(as_, shop):
    text = text_of(as_("auditor").get(reverse("admin:channels_reading_changelist")))
    for words in ("3 pages so far", "750", "748", "up to "):
        assert words in text


def test_a_fetch_is_asked_again_even_amid_the_asking(as_, shop):
    fetch = Fetch.objects.get()
    assert "1 object is asked for again" in told(act(as_("administrator"), "channels_fetch", "ask_again", fetch))
    fetch.refresh_from_db()
    assert (fetch.state, fetch.attempts, fetch.error, fetch.asked) == ("due", 0, "", 2)
    assert AuditRow.objects.filter(
        object_type="fetch", object_id=fetch.pk, action="asked_again", actor="administrator"
    ).exists()


def test_fetches_are_filtered_by_state_and_found_by_id(as_, shop):
    Fetch.objects.create(channel=shop, kind="order", object_id="4711", state="done")
    client, url = as_("auditor"), reverse("admin:channels_fetch_changelist")
    assert "2 fetches" in text_of(client.get(url))
    assert "1 fetch" in text_of(client.get(url + "?state__exact=failed"))
    assert "1 fetch" in text_of(client.get(url, {"q": "4711"}))
    assert "0 fetches" in text_of(client.get(url, {"q": "471"}))


# --- permissions


@pytest.mark.parametrize("role", ["reviewer", "auditor"])
def test_others_may_look_and_not_ask(as_, shop, role):
    client, live, fetch = as_(role), Reading.objects.get(purpose="live"), Fetch.objects.get()
    before = list(Reading.objects.values()), list(Fetch.objects.values()), AuditRow.objects.count()
    for name in ("read_now", "read_past"):
        url = reverse(f"admin:channels_channel_{name}", args=[shop.pk])
        assert client.post(url, {"since": "2026-01-01"}).status_code == 403
    assert client.post(page_of(shop), form(shop, api_credentials=f"token={HUSH}")).status_code == 403
    act(client, "channels_reading", "pause_selected", live)
    act(client, "channels_fetch", "ask_again", fetch)
    assert (list(Reading.objects.values()), list(Fetch.objects.values()), AuditRow.objects.count()) == before
    shop.refresh_from_db()
    assert shop.credentials == ASKING


@pytest.mark.parametrize("name", ["channels_reading", "channels_fetch"])
def test_readings_and_fetches_have_one_writer_and_it_is_not_the_admin(as_, shop, name):
    client, row = as_("admin"), (Reading if name.endswith("reading") else Fetch).objects.first()
    assert client.get(reverse(f"admin:{name}_add")).status_code == 403
    assert client.post(reverse(f"admin:{name}_change", args=[row.pk]), {}).status_code == 403
    assert client.post(reverse(f"admin:{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("name", ["read_now", "read_past"])
def test_asking_is_a_post_of_somebody_who_is_logged_in(as_, client, shop, name):
    url = reverse(f"admin:channels_channel_{name}", args=[shop.pk])
    assert as_("admin").get(url).status_code == 405
    assert client.post(url)["Location"].startswith(reverse("admin:login"))
