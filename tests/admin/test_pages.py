"""Every page of the admin: it answers, it shows hostile text as text, it keeps to its permissions and to few queries."""

import hashlib
import json

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.urls import reverse

from channels.models import Channel, Event, Transaction
from inventory.models import Level, Listing, Oversell, UnmappedItem
from ledger.models import Account, JournalEntry, Rate
from salessync import navigation
from salessync.core import nudge
from salessync.core.models import AuditRow
from salessync.core.screens import EstimatedPaginator
from tests.admin.scenes import NASTY, Day
from tests.records import line, sale

pytestmark = pytest.mark.django_db

RAW = ("<script>alert(", "<img src=x")
MODELS = sorted(
    (f"{m._meta.app_label}_{m._meta.model_name}" for m in admin.site._registry if m._meta.app_label != "sessions"),
)


@pytest.fixture
def quiet(monkeypatch):
    """No broker is asked; what would have been asked of it, but for the way to Bookkeeper."""
    asked = []
    monkeypatch.setattr(nudge, "nudge", lambda task: task == nudge.DRAIN_INBOX and asked.append(task))
    return asked


@pytest.fixture(scope="module")
def prepare():
    return Day.keep_books


@pytest.fixture
def world(day):
    """What is asked of the broker is told by `quiet`."""
    return day.world


@pytest.fixture
def day(scene, db, quiet):
    cache.clear()
    return scene[0]


@pytest.fixture
def page(as_):
    """The text of a page as the superuser sees it."""
    client = as_("admin")

    def get(name, *args, query=""):
        response = client.get(reverse(f"admin:{name}", args=args) + query)
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    return get


def model(name):
    return next(m for m in admin.site._registry if f"{m._meta.app_label}_{m._meta.model_name}" == name)


# --- every page


@pytest.mark.parametrize("role", ["admin", "administrator", "reviewer", "auditor"])
def test_every_list_and_every_detail_answers_and_escapes(as_, role):
    client = as_(role)
    for name in MODELS:
        manager = admin.site._registry[model(name)]
        response = client.get(reverse(f"admin:{name}_changelist"))
        if name.startswith("auth_") and role != "admin":
            assert response.status_code == 403
            continue
        assert response.status_code == 200, name
        assert not any(raw in response.content.decode() for raw in RAW), name
        rows = list(manager.get_queryset(response.wsgi_request)[: 12 if role == "admin" else 2])
        for row in rows:
            detail = client.get(reverse(f"admin:{name}_change", args=[row.pk]))
            assert detail.status_code == 200, (name, row.pk)
            assert not any(raw in detail.content.decode() for raw in RAW), (name, row.pk)


def test_the_scene_has_rows_on_every_page(day):
    for name in MODELS:
        assert model(name)._default_manager.exists(), name


def test_nobody_sees_anything_without_logging_in(client, day):
    for name in [f"admin:{m}_changelist" for m in MODELS] + ["admin:index"]:
        response = client.get(reverse(name))
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("admin:login"))


@pytest.mark.parametrize("name", ["channels_event", "channels_transaction", "ledger_journalentry", "core_auditrow",
                                  "inventory_movement", "inventory_level", "ledger_delivery", "channels_privacyrequest"])  # fmt: skip
def test_what_is_recorded_cannot_be_added_changed_or_deleted_by_the_superuser(as_, name):
    client, row = as_("admin"), model(name)._default_manager.first()
    assert client.get(reverse(f"admin:{name}_add")).status_code == 403
    assert client.post(reverse(f"admin:{name}_change", args=[row.pk]), {}).status_code == 403
    assert client.post(reverse(f"admin:{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("name", [m for m in MODELS if not m.startswith("auth_")])
def test_a_list_takes_as_many_queries_with_many_rows_as_with_few(as_, day, name, django_assert_max_num_queries):
    client = as_("admin")
    for number in range(12):
        day.world.capture(sale([line(sku=f"SKU-{number}")], id_=f"many-{number}"))
    day.world.process()
    with django_assert_max_num_queries(18):
        assert client.get(reverse(f"admin:{name}_changelist")).status_code == 200


@pytest.mark.parametrize(
    ("name", "arguments", "title"),
    [("ledger_report", ["trial-balance"], "Reports"), ("ledger_byhand_add", [], "By hand"), ("ledger_journalentry_changelist", [], "Journal")],
)  # fmt: skip
def test_the_sidebar_marks_the_page_one_is_on_and_no_other(scene, day, rf, name, arguments, title):
    request = rf.get(reverse(f"admin:{name}", args=arguments))
    request.user = scene[1]["admin"]
    items = [item for group in navigation.sidebar(request) for item in group["items"]]
    assert [item["title"] for item in items if item.get("active")] == [title]


# --- home


def test_the_home_page_shows_revenue_depths_and_problems_in_few_queries(as_, day, django_assert_max_num_queries):
    client = as_("admin")
    with django_assert_max_num_queries(40):  # a savepoint around each figure counts two
        text = client.get(reverse("admin:index")).content.decode()
    assert "berlin-till" in text
    assert "MISSING_JURISDICTION" in text
    assert "10.00 EUR" in text
    assert "11.00 USD" in text
    assert "p99" in text


def test_the_home_page_of_somebody_without_rights_is_empty(client, day, django_user_model):
    client.force_login(django_user_model.objects.create_user("guest", is_staff=True))
    response = client.get(reverse("admin:index"))
    assert response.status_code == 200
    assert "Revenue" not in response.content.decode()


# --- a sale


def test_the_page_of_a_sale_tells_its_whole_story(page, day):
    sold = Transaction.objects.get(source_id="S1")
    text = page("channels_transaction_change", sold.pk)
    event = Event.objects.get(pk=sold.versions.get().event_id)
    for told in (
        "20.80 USD",
        "10.40 USD",
        "Assets:Clearing:Stripe",
        "Income:Returns",
        "R-1",
        "MUG",
        "−2",
        "Acknowledged",
        "ack-",
    ):
        assert told in text
    assert bytes(event.body_sha256).hex() in text
    assert hashlib.sha256(bytes(sold.versions.get().record)).hexdigest() in text
    assert reverse("admin:channels_event_change", args=[event.pk]) in text


def test_the_page_of_a_sale_takes_as_many_queries_whatever_happened_to_it(as_, django_assert_max_num_queries):
    client = as_("admin")
    sold = Transaction.objects.get(source_id="S1")
    with django_assert_max_num_queries(20):
        client.get(reverse("admin:channels_transaction_change", args=[sold.pk]))


def test_transactions_are_found_by_number_and_by_source_id(page):
    sold = Transaction.objects.get(source_id="S1")
    for term in ("1001", "S1"):
        text = page("channels_transaction_changelist", query=f"?q={term}")
        assert reverse("admin:channels_transaction_change", args=[sold.pk]) in text
        assert "1 transaction" in text
    assert "0 transactions" in page("channels_transaction_changelist", query="?q=nothing")


def test_events_are_found_by_id_and_by_the_vendors_delivery_id(page, day):
    event = day.world.capture(sale([line()], id_="S9"), delivery_id="delivery-77")
    for term in (str(event), "delivery-77"):
        assert reverse("admin:channels_event_change", args=[event]) in page(
            "channels_event_changelist", query=f"?q={term}"
        )


@pytest.mark.parametrize(
    "query", ["?state__exact=posted", "?mode__exact=webhook", "?topic=sale", "?channel__id__exact=1"]
)
def test_events_are_filtered(page, query):
    page("channels_event_changelist", query=query)


def test_the_journal_is_filtered_by_number_and_date(page):
    assert "1 journal entry" in page("ledger_journalentry_changelist", query="?seq=1")
    page("ledger_journalentry_changelist", query="?seq=nonsense")
    page("ledger_journalentry_changelist", query="?date_from=2026-09-01&date_to=2026-09-01")


def test_an_entry_in_a_foreign_currency_balances_in_base_currency(page):
    entry = JournalEntry.objects.get(transaction__source_id="B1")
    text = page("ledger_journalentry_change", entry.pk)
    assert "Balanced in USD" in text
    assert "11.44 USD" in text


def test_accounts_show_their_balances(page):
    text = page("ledger_account_changelist", query="?q=Income:Returns")
    assert "10.00 USD" in text


def test_an_oversold_level_is_red(page):
    level = Level.objects.get()
    assert level.on_hand < 0
    assert Oversell.objects.filter(resolved_at=None).exists()
    assert "text-red-600" in page("inventory_level_changelist")


# --- quarantine


def test_the_quarantine_lists_only_what_waits_for_a_person(page, day):
    text = page("channels_quarantinedevent_changelist")
    assert "4 quarantined events" in text
    assert "MISSING_JURISDICTION" in text
    assert "2 quarantined events" in page("channels_quarantinedevent_changelist", query="?code=MISSING_JURISDICTION")


def test_the_page_of_a_quarantined_event_shows_problem_body_and_record(page, day):
    text = page("channels_quarantinedevent_change", day.lacking)
    for told in (
        "the sale does not say where it is taxed",
        "What the channel sent",
        "would stay here",
        "1 other event",
    ):
        assert told in text
    assert "Europe/Berlin" in text


def test_a_body_that_is_no_json_is_shown_harmlessly(page, day):
    for name in ("channels_quarantinedevent_change", "channels_event_change"):
        text = page(name, day.broken)
        shape = "\\x00? xxx xxxx &lt;xxx xxx=x xxxxxxx=&quot;xxxxx(0)&quot;&gt;"  # no more is kept: it may be personal
        assert shape in text


def test_trying_a_setting_saves_nothing(as_, day):
    client = as_("reviewer")
    url = reverse("admin:channels_quarantinedevent_set", args=[day.lacking])
    response = client.post(url, {"country": "de", "region": "", "timezone": "Europe/Berlin", "try": ""}, follow=True)
    text = response.content.decode()
    assert "passes the checks" in text
    assert "csrfmiddlewaretoken=" not in response.redirect_chain[0][0]
    assert Channel.objects.get(pk=day.berlin.pk).country == ""
    assert Event.objects.get(pk=day.lacking).state == "quarantined"


def test_a_reviewer_sets_what_the_channel_lacks_and_all_its_events_go_through(as_, day, quiet):
    url = reverse("admin:channels_quarantinedevent_set", args=[day.lacking])
    settings = {"country": "de", "region": "", "timezone": "Europe/Berlin", "alike": "on"}
    assert as_("reviewer").post(url, settings).status_code == 302
    assert Channel.objects.get(pk=day.berlin.pk).country == "DE"
    assert quiet == [nudge.DRAIN_INBOX]
    told = AuditRow.objects.get(object_type="channel", object_id=day.berlin.pk, action="changed")
    assert (told.actor, told.data) == ("reviewer", {"country": ["", "DE"]})
    day.world.process()
    assert set(Event.objects.filter(pk__in=[day.lacking, day.lacking_too]).values_list("state", flat=True)) == {
        "posted"
    }


def test_a_setting_that_cannot_be_is_refused(as_, day):
    url = reverse("admin:channels_quarantinedevent_set", args=[day.lacking])
    for settings in (
        {"country": "Germany", "timezone": "UTC"},
        {"country": "DE", "timezone": "Mars/Olympus"},
    ):
        as_("reviewer").post(url, settings)
    assert Channel.objects.get(pk=day.berlin.pk).country == ""
    assert Event.objects.get(pk=day.lacking).state == "quarantined"


def test_ignoring_needs_a_reason(as_, day):
    client, url = as_("reviewer"), reverse("admin:channels_quarantinedevent_ignore", args=[day.wrong])
    client.post(url, {"reason": "  "})
    assert Event.objects.get(pk=day.wrong).state == "quarantined"
    client.post(url, {"reason": NASTY})
    event = Event.objects.get(pk=day.wrong)
    assert (event.state, event.reason) == ("ignored", f"{NASTY} (reviewer)")
    assert "<script>alert(" not in client.get(reverse("admin:channels_event_change", args=[day.wrong])).content.decode()


def test_replaying_one_event(as_, day, quiet):
    as_("reviewer").post(reverse("admin:channels_quarantinedevent_replay", args=[day.wrong]))
    assert Event.objects.get(pk=day.wrong).state == "new"
    posted = Event.objects.filter(state="posted").first()
    as_("reviewer").post(reverse("admin:channels_event_replay", args=[posted.pk]))
    assert Event.objects.get(pk=posted.pk).state == "new"
    assert len(quiet) == 2


def test_bulk_replay_and_ignore_ask_first(as_, day):
    client, url = as_("reviewer"), reverse("admin:channels_quarantinedevent_changelist")
    both = {"_selected_action": [day.wrong, day.broken], "index": "0"}
    asked = client.post(url, both | {"action": "ignore_selected"})
    assert "Set aside 2 events" in asked.content.decode()
    assert Event.objects.get(pk=day.wrong).state == "quarantined"
    client.post(url, both | {"action": "ignore_selected", "confirmed": "yes", "reason": ""})
    assert Event.objects.get(pk=day.wrong).state == "quarantined"
    client.post(url, both | {"action": "ignore_selected", "confirmed": "yes", "reason": "not ours"})
    assert set(Event.objects.filter(pk__in=[day.wrong, day.broken]).values_list("state", flat=True)) == {"ignored"}
    inbox = reverse("admin:channels_event_changelist")
    assert "Put 2 events back" in client.post(inbox, both | {"action": "replay_selected"}).content.decode()
    client.post(inbox, both | {"action": "replay_selected", "confirmed": "yes"})
    assert Event.objects.get(pk=day.wrong).state == "new"
    assert Event.objects.get(pk=day.broken).state == "ignored"  # its body was not kept


def test_an_auditor_decides_nothing(as_, day):
    client = as_("auditor")
    before = list(Event.objects.order_by("id").values_list("id", "state"))
    for name in ("replay", "ignore", "set"):
        url = reverse(f"admin:channels_quarantinedevent_{name}", args=[day.lacking])
        assert client.post(url, {"reason": "x", "country": "DE", "timezone": "UTC"}).status_code == 403
    assert client.post(reverse("admin:channels_event_replay", args=[day.lacking])).status_code == 403
    bulk = {"_selected_action": [day.wrong], "action": "replay_selected", "confirmed": "yes", "index": "0"}
    client.post(reverse("admin:channels_quarantinedevent_changelist"), bulk)
    item = UnmappedItem.objects.first()
    assert (
        client.post(reverse("admin:inventory_unmappeditem_change", args=[item.pk]), {"product": day.mug.pk}).status_code
        == 403
    )
    assert client.post(reverse("admin:channels_channel_change", args=[day.till.pk]), {}).status_code == 403
    assert list(Event.objects.order_by("id").values_list("id", "state")) == before
    text = client.get(reverse("admin:channels_quarantinedevent_change", args=[day.lacking])).content.decode()
    assert "Save on the channel" not in text


@pytest.mark.parametrize("name", ["replay", "ignore", "set"])
def test_decisions_are_posts(as_, day, name):
    assert as_("admin").get(reverse(f"admin:channels_quarantinedevent_{name}", args=[day.lacking])).status_code == 405


# --- unmapped items


def test_mapping_an_item_moves_the_stock_of_earlier_sales(as_, day):
    item = UnmappedItem.objects.get(item_id="mug ")
    client, url = as_("reviewer"), reverse("admin:inventory_unmappeditem_change", args=[item.pk])
    assert "Map to MUG" in client.get(url).content.decode()
    before = Level.objects.get(product=day.mug).on_hand
    assert client.post(url, {"product": day.mug.pk}).status_code == 302
    assert Listing.objects.get(channel=day.till, item_id="mug ").product == day.mug
    assert not UnmappedItem.objects.filter(pk=item.pk).exists()
    day.world.process()
    assert Level.objects.get(product=day.mug).on_hand == before - 1


def test_an_item_is_not_mapped_to_another_companys_product(as_, day):
    stranger = Day.__new__(Day)
    stranger.world = type(day.world)(stock="MUG,1")
    other = stranger.world.company.product_set.get()
    item = UnmappedItem.objects.get(item_id="mug ")
    response = as_("reviewer").post(
        reverse("admin:inventory_unmappeditem_change", args=[item.pk]), {"product": other.pk}
    )
    assert response.status_code == 200
    assert UnmappedItem.objects.filter(pk=item.pk).exists()


# --- channels


def settings_of(channel, **changes):
    fields = (
        "status",
        "country",
        "region",
        "timezone",
        "day_cut_hour",
        "currency",
        "posting_mode",
        "refund_tax",
        "stock_location",
    )
    return {name: getattr(channel, name) for name in fields} | {"live_from": ""} | changes


def test_a_secret_goes_in_and_never_comes_out(as_, day):
    client, url = as_("admin"), reverse("admin:channels_channel_change", args=[day.berlin.pk])
    for secret in ("first-secret-aaaa", "second-secret-bbbb"):
        assert client.post(url, settings_of(day.berlin, new_secret=secret)).status_code == 302
    channel = Channel.objects.get(pk=day.berlin.pk)
    assert channel.secrets == ["second-secret-bbbb", "first-secret-aaaa"]
    text = client.get(url).content.decode()
    assert "the newest ends in bbbb; 1 older still accepted" in text
    assert "second-secret" not in text
    assert "first-secret" not in text
    assert "secret-" not in json.dumps(list(AuditRow.objects.values_list("data", flat=True)))
    client.post(url, settings_of(channel, only_newest="on"))
    assert Channel.objects.get(pk=day.berlin.pk).secrets == ["second-secret-bbbb"]


def test_secrets_of_a_lost_key_do_not_break_the_page(as_, day):
    Channel.objects.filter(pk=day.berlin.pk).update(sealed_credentials=b"x" * 40)
    client, url = as_("admin"), reverse("admin:channels_channel_change", args=[day.berlin.pk])
    assert "not readable" in client.get(url).content.decode()
    assert client.get(reverse("admin:channels_channel_changelist")).status_code == 200


def test_settings_are_changed_with_an_audit_row(as_, day):
    client, url = as_("administrator"), reverse("admin:channels_channel_change", args=[day.berlin.pk])
    client.post(url, settings_of(day.berlin, country="at", slug="other", adapter="shopify"))
    channel = Channel.objects.get(pk=day.berlin.pk)
    assert (channel.country, channel.slug, channel.adapter) == ("AT", "berlin-till", "standard")
    row = AuditRow.objects.filter(object_type="channel", object_id=channel.pk).latest("id")
    assert (row.actor, row.action) == ("administrator", "changed")
    assert client.post(url, settings_of(channel, timezone="Mars/Olympus")).status_code == 200
    assert client.post(reverse("admin:channels_channel_delete", args=[channel.pk]), {"post": "yes"}).status_code == 403


def test_a_channel_is_added_with_its_secret(as_, day):
    form = settings_of(
        day.berlin,
        company=day.world.company.pk,
        slug="new-shop",
        adapter="shopify",
        new_secret="shpss_0123456789",
    )
    assert as_("administrator").post(reverse("admin:channels_channel_add"), form).status_code == 302
    assert Channel.objects.get(slug="new-shop").secrets == ["shpss_0123456789"]


# --- products, rates, accounts


def test_a_products_cost_is_written_in_major_units(as_, day):
    client, url = as_("administrator"), reverse("admin:inventory_product_change", args=[day.mug.pk])
    form = {"name": "Mug", "barcode": "", "category": "", "tax_category": "", "currency": "usd"}
    assert client.post(url, form | {"cost_in_words": "4.505"}).status_code == 200
    assert client.post(url, form | {"cost_in_words": "4.50"}).status_code == 302
    day.mug.refresh_from_db()
    assert (day.mug.cost, day.mug.currency) == (450, "USD")


def test_an_accounts_name_changes_and_its_code_does_not(as_):
    account = Account.objects.filter(code="Income:Sales").first()
    as_("administrator").post(
        reverse("admin:ledger_account_change", args=[account.pk]), {"name": "Turnover", "code": "X"}
    )
    account.refresh_from_db()
    assert (account.name, account.code) == ("Turnover", "Income:Sales")


def test_a_rate_is_between_two_currencies_that_exist(as_):
    client, url = as_("administrator"), reverse("admin:ledger_rate_add")
    rate = {"date": "2026-01-01", "from_currency": "gbp", "to_currency": "usd", "rate": "1.25"}
    for wrong in ({"from_currency": "XXQ"}, {"from_currency": "usd"}, {"rate": "0"}):
        assert client.post(url, rate | wrong).status_code == 200
    assert client.post(url, rate).status_code == 302
    assert Rate.objects.filter(from_currency="GBP", to_currency="USD", rate="1.25").exists()
    assert AuditRow.objects.filter(object_type="rate", actor="administrator", action="added").exists()
    made = Rate.objects.get(from_currency="GBP")
    client.post(reverse("admin:ledger_rate_delete", args=[made.pk]), {"post": "yes"})
    assert AuditRow.objects.filter(object_type="rate", object_id=made.pk, action="deleted").exists()


# --- lists that would take too long


def test_a_search_that_takes_too_long_says_so(as_, monkeypatch):
    client, url = as_("admin"), reverse("admin:channels_transaction_changelist")
    endless = ["pg_sleep(1) IS NULL"]
    monkeypatch.setattr("salessync.admin.search", lambda rows, term: rows.extra(where=endless) if term else rows)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '100ms'")
    response = client.get(url + "?q=x", follow=True)
    assert response.redirect_chain == [(url, 302)]
    assert "That takes too long to find" in response.content.decode()


def test_a_long_list_is_estimated_not_counted(day, monkeypatch):
    rows = Transaction.objects.order_by("-id")
    exact = EstimatedPaginator(rows, 50)
    assert (exact.count, exact.estimated) == (rows.count(), False)
    monkeypatch.setattr(EstimatedPaginator, "COUNTED", 2)
    guessed = EstimatedPaginator(rows, 50)
    assert guessed.estimated
    assert guessed.count >= 3
