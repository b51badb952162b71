"""The admin as a person sees it: a real browser, a real server, a database of its own."""

import shutil
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler

import pytest
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.cache import cache
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.urls import reverse

from channels.models import Event, Transaction
from inventory.models import Listing, UnmappedItem
from salessync.core import nudge
from tests.admin.scenes import Day, people

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")


class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def day(committed_db, monkeypatch) -> Day:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # the browser's event loop runs in the tests' thread
    monkeypatch.setattr(nudge, "nudge", lambda task: False)
    cache.clear()
    found = Day()
    people()
    return found


@pytest.fixture
def address(day) -> Iterator[str]:
    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Visitor:
    """A person at the browser; remembers whatever went wrong behind the page."""

    def __init__(self, page, address: str) -> None:
        self.page, self.address = page, address
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", self._stays_here)
        page.on(
            "response",
            lambda r: r.status >= 400 and "favicon" not in r.url and self.faults.append(f"{r.status} {r.url}"),
        )

    def _stays_here(self, request) -> None:
        if urlsplit(request.url).scheme in ("http", "https") and not request.url.startswith(self.address):
            self.faults.append(f"asked {request.url}")

    def login(self, name: str) -> None:
        self.page.goto(self.address + reverse("admin:login"))
        self.page.fill("input[name=username]", name)
        self.page.fill("input[name=password]", "secret")
        self.page.click("button[type=submit]")
        self.page.wait_for_url("**" + reverse("admin:index"))

    def opens(self, name: str, *args) -> None:
        self.page.goto(self.address + reverse(f"admin:{name}", args=args))

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for(timeout=5000)


@pytest.fixture
def visitor(address) -> Iterator[Visitor]:
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        found = Visitor(browser.new_page(viewport={"width": 1400, "height": 900}), address)
        yield found
        browser.close()
        connections.close_all()  # under the browser's event loop Django keeps connections of their own
        assert found.faults == []


def test_every_page_works_without_a_fault_or_a_request_elsewhere(visitor, day):
    visitor.login("admin")
    for text in ("Webhook to posted", "Revenue by channel", "berlin-till", "MISSING_JURISDICTION"):
        visitor.sees(text)
    for name, model in (
        ("channels_event", Event),
        ("channels_transaction", Transaction),
        ("inventory_unmappeditem", UnmappedItem),
    ):
        visitor.opens(f"{name}_changelist")
        for row in model.objects.all():
            visitor.opens(f"{name}_change", row.pk)
    for link in visitor.page.locator("#nav-sidebar-apps a").evaluate_all("links => links.map(a => a.href)"):
        visitor.page.goto(link)


def test_a_reviewer_brings_a_sale_out_of_quarantine_to_its_page(visitor, day):
    visitor.login("reviewer")
    visitor.page.locator("#nav-sidebar-apps").get_by_text("Quarantine").click()
    visitor.page.get_by_role("link", name=str(day.lacking), exact=True).click()
    visitor.sees("would stay here")
    visitor.page.get_by_label("Country").fill("de")
    visitor.page.get_by_role("button", name="Try").click()
    visitor.sees("passes the checks")
    visitor.page.get_by_role("button", name="Save on the channel and replay").click()
    visitor.sees("2 events went back into the inbox")
    day.world.process()
    visitor.opens("channels_transaction_changelist")
    visitor.page.get_by_role("link", name="B2").click()
    for text in ("Received", "Stored", "Posted", "Acknowledged", "Income:Sales"):
        visitor.sees(text)
    visitor.page.get_by_text("Raw event").first.click()
    visitor.sees("SHA-256 of the bytes as received")


def test_a_reviewer_sets_two_events_aside(visitor, day):
    visitor.login("reviewer")
    visitor.opens("channels_quarantinedevent_changelist")
    for event in (day.wrong, day.broken):
        visitor.page.locator(f"input.action-select[value='{event}']").check()
    visitor.page.select_option("select[name=action]", "ignore_selected")
    visitor.page.get_by_role("button", name="Run").first.click()
    visitor.sees("Set aside 2 events")
    visitor.page.get_by_label("Reason").fill("not ours")
    visitor.page.get_by_role("button", name="Set aside").click()
    visitor.sees("2 events set aside")
    assert set(Event.objects.filter(pk__in=[day.wrong, day.broken]).values_list("state", flat=True)) == {"ignored"}


def test_a_reviewer_maps_items_by_suggestion_and_by_search(visitor, day):
    visitor.login("reviewer")
    visitor.opens("inventory_unmappeditem_change", UnmappedItem.objects.get(item_id="mug ").pk)
    visitor.page.get_by_role("button", name="Map to MUG").click()
    visitor.sees("is MUG from now on")
    visitor.opens("inventory_unmappeditem_change", UnmappedItem.objects.get(item_id="OTHER").pk)
    visitor.page.locator(".select2-selection").click()
    visitor.page.locator(".select2-search__field").fill("mu")
    visitor.page.get_by_role("option", name="MUG").click()
    visitor.page.get_by_role("button", name="Save").click()
    visitor.sees("OTHER is MUG from now on")
    assert Listing.objects.get(channel=day.till, item_id="OTHER").product == day.mug
