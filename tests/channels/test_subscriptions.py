"""Webhook subscriptions: made, made again when a vendor has ended them, and what was missed is asked for."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from channels import missed, poll, subscriptions
from channels.adapters.shopify import Shopify
from channels.calls import AccessRefused
from channels.capture import capture
from channels.client import Limits
from channels.models import Channel, Reading
from channels.subscriptions import NotConnectable, connect
from salessync import pipeline, tasks
from salessync.core.models import AuditRow
from tests.golden import FOLDER
from tests.worlds import World

pytestmark = pytest.mark.django_db


class FakeVendor:
    """What Shopify, Stripe and WooCommerce keep of subscriptions; `refuses`: topics that it does not make."""

    def __init__(self):
        self.hooks, self.refuses, self.asked, self.status = {}, set(), [], 200

    def __enter__(self):
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode()
                vendor.asked.append((self.command, self.path))
                status, answer = vendor.respond(self.command, urlsplit(self.path).path, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = answer  # noqa: N815 -- http.server's own names

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def respond(self, method, path, body):
        if self.status != 200:
            return self.status, {"errors": "no"}
        if "webhook_endpoints" in path:
            return self.stripe(method, path, {k: v[0] for k, v in parse_qs(body).items()})
        if "/wc/v3/webhooks" in path:
            return self.woocommerce(method, path, json.loads(body or "{}"))
        if path.endswith("webhooks.json"):
            return self.shopify(method, json.loads(body or "{}"))
        return 404, {}

    def shopify(self, method, body):
        if method == "GET":
            return 200, {"webhooks": list(self.hooks.values())}
        hook = body["webhook"]
        if hook["topic"] in self.refuses:
            return 403, {"errors": "this app may not read disputes"}
        self.hooks[hook["topic"]] = hook | {"id": len(self.hooks) + 1}
        return 201, {"webhook": self.hooks[hook["topic"]]}

    def stripe(self, method, path, form):
        if method == "GET":
            return 200, {"data": list(self.hooks.values()), "has_more": False}
        events = [value for key, value in form.items() if key.startswith("enabled_events")]
        if path.endswith("webhook_endpoints"):
            self.hooks["we_1"] = {"id": "we_1", "url": form["url"], "status": "enabled", "enabled_events": events}
            return 200, self.hooks["we_1"] | {"secret": "whsec_told_once"}
        self.hooks["we_1"]["status"] = "enabled"
        return 200, self.hooks["we_1"]

    def woocommerce(self, method, path, body):
        if method == "GET":
            return 200, list(self.hooks.values())
        if method == "PUT":
            self.hooks[int(path.rsplit("/", 1)[1])] |= body
        else:
            self.hooks[len(self.hooks) + 1] = body | {"id": len(self.hooks) + 1}
        return 200, {}


@pytest.fixture
def vendor(settings, monkeypatch):
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.0/8"]
    monkeypatch.setattr(Shopify, "limits", Limits(per_second=1000.0, burst=100))
    with FakeVendor() as found:
        yield found


@pytest.fixture
def make(vendor):
    """A channel of an adapter that asks the fake vendor, and the address that it is reached at."""
    world = World()

    def made(adapter, **credentials):
        channel = world.channel(f"{adapter}-{world.company.pk}", adapter)
        channel.credentials = {"base_url": vendor.url, "token": "t", **credentials}
        channel.save()
        return channel, f"https://books.example/webhooks/{channel.slug}"

    return made


def said(command, *arguments, **more):
    out = StringIO()
    call_command(command, *arguments, stdout=out, **more)
    return out.getvalue()


def told(channel):
    """Its audit rows: action and data, the newest last."""
    rows = AuditRow.objects.filter(object_type="channel", object_id=channel.pk).order_by("id")
    return [(row.action, row.data) for row in rows]


def kept(channel):
    return Channel.objects.get(pk=channel.pk).credentials


# --- connect


def test_every_topic_is_made_and_the_address_is_remembered(make, vendor):
    channel, url = make("shopify", secrets=["app-secret"])
    text = said("connect", channel.slug, "--url", url)
    assert set(vendor.hooks) == Shopify.topics
    assert all(f"subscribed: {topic}" in text for topic in Shopify.topics)
    assert kept(channel) == {
        "base_url": vendor.url, "token": "t", "secrets": ["app-secret"], "notification_url": url,
    }  # fmt: skip
    ((action, data),) = told(channel)
    assert (action, data["made"], data["url"]) == ("connected", sorted(Shopify.topics), url)


def test_running_it_again_changes_nothing(make, vendor):
    channel, url = make("shopify", secrets=["app-secret"])
    said("connect", channel.slug, "--url", url)
    before, hooks = Channel.objects.get(pk=channel.pk).credentials, dict(vendor.hooks)
    assert "delivers to" in said("connect", channel.slug, "--url", url)
    assert (kept(channel), vendor.hooks, len(told(channel))) == (before, hooks, 1)


def test_a_secret_that_is_told_comes_first_and_is_never_shown(make):
    channel, url = make("stripe", secrets=["the-old-one"])
    text = said("connect", channel.slug, "--url", url)
    assert kept(channel)["secrets"] == ["whsec_told_once", "the-old-one"]
    assert "whsec_told_once" not in text + json.dumps(told(channel))
    assert "the channel keeps it" in text
    said("connect", channel.slug, "--url", url)  # the vendor tells it only once
    assert kept(channel)["secrets"] == ["whsec_told_once", "the-old-one"]


def test_what_somebody_else_wrote_meanwhile_stays(make, vendor):
    channel, url = make("stripe")
    theirs = Channel.objects.get(pk=channel.pk)
    theirs.credentials = {**theirs.credentials, "token": "renewed"}
    theirs.save()
    connect(channel, url, actor="command")
    assert (kept(channel)["token"], kept(channel)["secrets"]) == ("renewed", ["whsec_told_once"])


def test_what_the_vendor_refuses_is_told_with_its_reason(make, vendor):
    channel, url = make("shopify", secrets=["app-secret"])
    vendor.refuses = {"disputes/create"}
    out = StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("connect", channel.slug, "--url", url, stdout=out)
    assert failed.value.returncode == 1
    assert "refused: disputes/create: this app may not read disputes" in out.getvalue()
    assert set(vendor.hooks) == Shopify.topics - {"disputes/create"}
    assert kept(channel)["notification_url"] == url


def test_without_any_secret_it_says_that_deliveries_will_be_refused(make):
    channel, url = make("shopify")
    assert f"create_channel {channel.slug} shopify --secret" in said("connect", channel.slug, "--url", url)


@pytest.mark.parametrize("adapter", ["clover", "standard", "medusa", "vendure"])
def test_where_a_vendor_has_no_subscriptions_it_says_what_to_do_by_hand(make, vendor, adapter):
    channel, url = make(adapter)
    text = said("connect", channel.slug, "--url", url)
    assert "by hand" in text and url in text
    assert kept(channel)["notification_url"] == url
    assert vendor.asked == []


@pytest.mark.parametrize(
    "url",
    ["http://books.example/webhooks/{}", "https://books.example/webhooks/another", "https://books.example/{}", "{}", "",
     "https://user@books.example/webhooks/{}", "https://books.example/webhooks/{}?x=1", "https:///webhooks/{}"],
)  # fmt: skip
def test_an_address_that_does_not_lead_here_is_refused(make, vendor, url):
    channel, _ = make("shopify")
    with pytest.raises(CommandError) as failed:
        call_command("connect", channel.slug, url=url.format(channel.slug))
    assert failed.value.returncode == 2
    assert vendor.asked == []
    assert "notification_url" not in kept(channel)


def test_files_have_no_webhooks(make):
    channel, url = make("csv")
    with pytest.raises(CommandError, match="files are captured"):
        call_command("connect", channel.slug, url=url)


def test_without_credentials_nothing_is_asked(vendor):
    world = World()
    with pytest.raises(NotConnectable, match="no credentials"):
        connect(world.shop, f"https://books.example/webhooks/{world.shop.slug}", actor="command")


def test_a_credential_that_is_missing_is_named(make):
    channel, url = make("adyen")
    with pytest.raises(CommandError, match="merchant_account"):
        call_command("connect", channel.slug, url=url)


def test_a_vendor_that_refuses_us_ends_in_a_sentence(make, vendor):
    channel, url = make("shopify")
    vendor.status = 401
    with pytest.raises(CommandError, match="could not be asked") as failed:
        call_command("connect", channel.slug, url=url)
    assert failed.value.returncode == 1
    assert "notification_url" not in kept(channel)


# --- every day


@pytest.fixture
def connected(make):
    """A Shopify channel that was connected, and whose lists are read for an hour to come."""
    channel, url = make("shopify", secrets=["app-secret"])
    connect(channel, url, actor="command")
    poll.ensure_live(channel)
    channel.readings.update(next_at=timezone.now() + timedelta(hours=1))
    return channel


def waiting(channel):
    return channel.readings.filter(purpose=Reading.Purpose.LIVE, next_at__gt=timezone.now()).count()


def test_what_the_vendor_ended_is_made_again_and_its_lists_are_asked_at_once(connected, vendor, caplog):
    del vendor.hooks["orders/create"]
    assert waiting(connected) == len(Shopify.streams)
    assert subscriptions.check_due() == 1
    assert "orders/create" in vendor.hooks
    assert waiting(connected) == 0
    action, data = told(connected)[-1]
    assert (action, data["made"]) == ("subscriptions renewed", ["orders/create"])
    assert set(data["missed_since"]) == {stream.name for stream in Shopify.streams}
    assert "orders/create" in caplog.text


def test_what_was_missed_meanwhile_is_told_once_the_lists_are_read(connected, vendor, caplog):
    del vendor.hooks["orders/create"]
    subscriptions.check_due()
    assert missed.report() == 0  # not read yet
    order = (FOLDER / "shopify" / "split_transactions" / "event.json").read_bytes()
    capture(channel=connected, headers={}, body=order, mode="poll", received_at=timezone.now(), topic="orders/updated")
    while pipeline.run_batch():
        pass
    Reading.objects.filter(channel=connected).update(read_at=timezone.now())
    assert missed.report() == 1
    action, data = told(connected)[-1]
    assert (action, data["changes"], data["by_type"]) == ("missed meanwhile", 1, {"sale": 1})
    assert data["ids"][0].startswith("sale ") and "missed 1 changes" in caplog.text
    assert missed.report() == 0


def test_where_nothing_is_missing_nothing_happens(connected, vendor):
    before = told(connected)
    assert subscriptions.check_due() == 1
    assert waiting(connected) == len(Shopify.streams)
    assert told(connected) == before


def test_what_the_vendor_refuses_every_day_is_no_change(connected, vendor, caplog):
    vendor.refuses = {"orders/create"}
    del vendor.hooks["orders/create"]
    before = told(connected)
    subscriptions.check_due()
    assert waiting(connected) == len(Shopify.streams)
    assert told(connected) == before
    assert "this app may not read disputes" in caplog.text


def test_what_was_only_switched_off_counts_as_missing(make, vendor):
    """WooCommerce ends a webhook after five failures, and the adapter switches it on without calling it made."""
    channel, url = make("woocommerce", consumer_key="k", consumer_secret="s")
    connect(channel, url, actor="command")
    assert kept(channel)["secrets"]
    vendor.hooks[1]["status"] = "disabled"
    subscriptions.check_due()
    assert vendor.hooks[1]["status"] == "active"
    assert told(channel)[-1][0] == "subscriptions renewed"
    assert channel.readings.count() == 2


def test_a_vendor_that_cannot_be_asked_is_told_and_does_not_stop_the_others(connected, make, vendor, monkeypatch):
    other, url = make("stripe")
    connect(other, url, actor="command")
    vendor.hooks = {}
    real = subscriptions._ask

    def ask(channel, *more):
        if channel.pk == connected.pk:
            raise AccessRefused("the token is dead")
        return real(channel, *more)

    monkeypatch.setattr(subscriptions, "_ask", ask)
    assert subscriptions.check_due() == 2
    action, data = told(connected)[-1]
    assert action == "subscriptions unknown" and "the token is dead" in data["why"]
    assert told(other)[-1][0] == "subscriptions renewed"


def test_an_answer_that_nobody_foresaw_does_not_stop_the_others(connected, make, monkeypatch):
    other, url = make("stripe")
    connect(other, url, actor="command")
    monkeypatch.setattr(Shopify, "subscribe", lambda self, account, url: (_ for _ in ()).throw(ZeroDivisionError("x")))
    monkeypatch.setattr(subscriptions.capabilities, "subscribes", lambda adapter: True)
    assert subscriptions.check_due() == 2
    assert told(connected)[-1] == ("subscriptions unknown", {"why": "ZeroDivisionError: x"})


def test_only_live_connected_channels_are_looked_at(connected, make, vendor):
    Channel.objects.filter(pk=connected.pk).update(status="paused")
    by_hand, url = make("clover")
    connect(by_hand, url, actor="command")
    vendor.asked.clear()
    assert subscriptions.check_due() == 0
    assert vendor.asked == []


def test_each_channel_has_one_hour_of_the_day(connected):
    assert [subscriptions.check_due(hour=hour) for hour in range(24)].count(1) == 1
    assert subscriptions.check_due(hour=connected.pk % 24) == 1


def test_what_time_does_not_suffice_for_is_logged(connected, caplog):
    assert subscriptions.check_due(seconds=0) == 0
    assert connected.slug in caplog.text


def test_the_task_looks_at_this_hours_channels(monkeypatch):
    asked = []
    monkeypatch.setattr(subscriptions, "check_due", lambda *, hour: asked.append(hour))
    monkeypatch.setattr(tasks, "close_old_connections", lambda: None)  # the test's own is one of them
    tasks.check_subscriptions()
    assert asked[0] in range(24)
