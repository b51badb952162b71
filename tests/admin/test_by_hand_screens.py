"""Entries by hand and opening balances in the admin: shown first, booked once, undone with a reason; auditors only see them."""

from datetime import date, timedelta

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from channels import coverage
from channels.condition import State
from channels.models import Channel, Event, Transaction
from ledger import by_hand, periods
from ledger.models import Account, JournalEntry
from salessync import setup
from salessync.core.models import Company
from tests.admin.scenes import NASTY
from tests.ledger.test_by_hand import BANK, FEES

pytestmark = pytest.mark.django_db

LIST, ADD, OPENING = (reverse(f"admin:ledger_byhand_{name}") for name in ("changelist", "add", "opening"))
RAW = "<script>alert("


@pytest.fixture(scope="module")
def prepare():
    return lambda day: setup.open_books(day.world.company)


def said(world, *lines, **more):
    """What a person fills in; `lines` as (account, debit, credit)."""
    lines = lines or ((BANK, "12.50", ""), (FEES, "", "12.50"))
    given = {
        "company": world.company.pk, "id": "form-1", "date": "2026-09-10", "kind": "correction", "reference": "", "reason": "twice",
        "line-TOTAL_FORMS": len(lines) + 1, "line-INITIAL_FORMS": 0, **more,
    }  # fmt: skip
    for n, values in enumerate(lines):
        given |= {f"line-{n}-{name}": value for name, value in zip(("account", "debit", "credit"), values, strict=True)}
    return given


def text_of(response):
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def told(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def events():
    return Event.objects.filter(channel__adapter="books").count()


def hidden(response):
    return dict(response.context["values"])


def book(client, world, *lines, **more):
    response = client.post(ADD, said(world, *lines, **more) | {"_post": "1"})
    world.process()
    return response


def test_an_entry_is_shown_then_booked_once(as_, world):
    client = as_("administrator")
    assert "New entry by hand" in text_of(client.get(ADD))
    shown = client.post(ADD, said(world) | {"_preview": "1"})
    assert "12.50 USD" in text_of(shown) and f"do not know {BANK}: it is made" in text_of(shown) and events() == 0
    sent = hidden(shown) | {"_post": "1"}
    assert "is in the inbox" in told(client.post(ADD, sent))
    assert "booked before" in told(client.post(ADD, sent)) and events() == 1
    assert "Due" in text_of(client.get(LIST))
    world.process()
    text = text_of(client.get(LIST))
    assert "Due" not in text and "twice" in text and "administrator" in text
    assert world.balances()[BANK] == 1250


def test_it_is_undone_with_a_reason_and_both_entries_stay(as_, world):
    client = as_("administrator")
    book(client, world, memo="x", **{"line-0-memo": NASTY, "reason": NASTY})
    entry = Transaction.objects.get(type="manual")
    url = reverse("admin:ledger_byhand_change", args=[entry.pk])
    text = text_of(client.get(url))
    assert "Undo" in text and RAW not in text
    assert 'class="error"' in text_of(client.post(url, {"reason": " "}))
    assert "being undone" in told(client.post(url, {"reason": "was right"}))
    world.process()
    text = text_of(client.get(url))
    assert "Undone" in text.title() and text.count("Journal entry no.") == 2 and "was right" in text
    assert BANK not in world.balances()
    assert "was undone before" in told(client.post(url, {"reason": "once more"}))
    assert RAW not in text_of(client.get(LIST))


@pytest.mark.parametrize(
    ("lines", "more", "place"),
    [
        (((BANK, "12.50", ""), (FEES, "", "12.49")), {}, "UNBALANCED"),
        (((BANK, "12,50", ""), (FEES, "", "12.50")), {}, "line 1, debit"),
        (((BANK, "-1", ""), (FEES, "", "1")), {}, "NEGATIVE_AMOUNT"),
        ((("", "", ""), (BANK, "1", "1"), (FEES, "", "1")), {}, "line 2"),
        ((("", "", ""), ("Bank", "1", ""), (FEES, "", "1")), {}, "line 2, account"),
        (((BANK, "", ""), (FEES, "", "1")), {}, "ONE_SIDE"),
        ((("", "1", ""), (FEES, "", "1")), {}, "MISSING_ACCOUNT"),
        (((BANK, "1", ""), (FEES, "", "1")), {"line-0-currency": "GBP"}, "line 1, worth"),
        (((BANK, "1", ""), (FEES, "", "1")), {"line-0-currency": "QQQ"}, "UNKNOWN_CURRENCY"),
        (((BANK, "1", ""), (FEES, "", "1")), {"line-1-memo": "x" * 1001}, "line 2, memo"),
        ((("", "", ""),), {}, "TOO_FEW_POSTINGS"),
    ],
)
def test_what_cannot_be_booked_is_told_with_its_line(as_, world, lines, more, place):
    for button in ("_preview", "_post"):
        text = text_of(as_("administrator").post(ADD, said(world, *lines, **more) | {button: "1"}))
        assert "It cannot be booked so" in text and place in text
    assert events() == 0


@pytest.mark.parametrize(
    "more", [{"date": "x"}, {"kind": "gift"}, {"company": "0"}, {"id": "a b"}, {"reason": ""}, {"line-TOTAL_FORMS": "x"}, {"line-TOTAL_FORMS": "99999"}]
)  # fmt: skip
def test_strange_forms_are_answered(as_, world, more):
    for button in ("_preview", "_post", "_more", "_edit"):
        response = as_("administrator").post(ADD, said(world) | more | {button: "1"})
        assert response.status_code in (200, 302)
    assert events() <= 1


def test_more_lines_keep_what_was_typed(as_, world):
    text = text_of(as_("administrator").post(ADD, said(world) | {"_more": "1"}))
    assert 'name="line-8-account"' in text and 'value="12.50"' in text and 'class="error"' not in text


def test_other_currencies_dimensions_and_a_closed_day(as_, world):
    client = as_("administrator")
    periods.close(company=world.company, through=date(2026, 9, 30), actor="ada", reason="month end")
    more = {"line-0-currency": "eur", "line-0-location": "Berlin", "line-0-category": "books"}
    lines = ((BANK, "10.00", ""), (FEES, "", "11.00"))
    text = text_of(client.post(ADD, said(world, *lines, **more) | {"_preview": "1"}))
    assert "closed through 2026-09-30: it is booked on 2026-10-01" in text
    assert "10.00 EUR" in text and "Berlin · books" in text and "0.00 USD" in text
    book(client, world, *lines, **more)
    entry = JournalEntry.objects.latest("pk")
    assert (entry.date, entry.business_date) == (date(2026, 10, 1), date(2026, 9, 10))
    tomorrow = (timezone.now().date() + timedelta(days=2)).isoformat()
    assert "still to come" in text_of(client.post(ADD, said(world, date=tomorrow, id="form-2") | {"_preview": "1"}))


def test_what_was_made_in_bookkeeper_is_not_undone_here(as_, world):
    body = {"schema": "salessync/1", "type": "manual", "source": {"id": "bookkeeper:JE-1", "version": "1"},
            "occurred_at": "2026-09-10T00:00:00Z", "business_date": "2026-09-10", "currency": "USD", "kind": "correction",
            "origin": "bookkeeper", "reason": "theirs", "postings": [{"account": BANK, "amount": 5}, {"account": FEES, "amount": -5}]}  # fmt: skip
    by_hand.keep(by_hand.books(world.company), body, topic="correction", now=timezone.now())
    world.process()
    client, entry = as_("administrator"), Transaction.objects.get(type="manual")
    text = text_of(client.get(reverse("admin:ledger_byhand_change", args=[entry.pk])))
    assert "in Bookkeeper" in text and "Why it should be undone" not in text
    response = client.post(reverse("admin:ledger_byhand_change", args=[entry.pk]), {"reason": "x"})
    assert "correct it there" in told(response)


@pytest.mark.parametrize("role", ["reviewer", "auditor"])
def test_auditors_see_and_book_nothing(as_, world, role):
    book(as_("administrator"), world)
    entry = Transaction.objects.get(type="manual")
    client, one = as_(role), reverse("admin:ledger_byhand_change", args=[entry.pk])
    assert "New entry" not in text_of(client.get(LIST)) and "Undo" not in text_of(client.get(one))
    for url in (ADD, OPENING):
        assert client.get(url).status_code == 403
        assert client.post(url, said(world) | {"_post": "1"}).status_code == 403
    assert client.post(one, {"reason": "x"}).status_code == 403
    assert events() == 1


def test_nobody_else_sees_any(client, world, django_user_model):
    pages = [LIST, ADD, OPENING, reverse("admin:ledger_byhand_change", args=[1])]
    assert [client.get(page).status_code for page in pages] == [302] * 4
    client.force_login(django_user_model.objects.create_user("guest", is_staff=True))
    assert [client.get(page).status_code for page in pages] == [403] * 4
    assert Client().get(LIST, {"p": "x"}).status_code == 302


def test_a_sale_is_no_entry_by_hand(as_, world):
    sold = Transaction.objects.filter(type="sale").first()
    assert as_("admin").get(reverse("admin:ledger_byhand_change", args=[sold.pk])).status_code == 404


# --- opening balances

FILE = "account,currency,amount\nAssets:Bank:Main,USD,1000.00\nLiabilities:Gift-cards,USD,-250.50\n"


def opening(world, **more):
    return {"company": world.company.pk, "date": "2026-08-31", "text": FILE, **more}


def upload(data):
    return SimpleUploadedFile("opening.csv", data, content_type="text/csv")


def test_opening_balances_are_shown_booked_and_replaced(as_, world):
    client, stood = as_("administrator"), world.balances()
    assert "Balances at the end of" in text_of(client.get(OPENING))
    shown = client.post(OPENING, opening(world, text="", file=upload(b"\xef\xbb\xbf" + FILE.encode())))
    assert "749.50 USD" in text_of(shown) and events() == 0
    assert "is in the inbox" in told(client.post(OPENING, hidden(shown) | {"_post": "1"}))
    world.process()
    assert "booked before" in told(client.post(OPENING, hidden(shown) | {"_post": "1"}))
    corrected = opening(world, text=FILE.replace("1000", "1100"))
    assert "takes the place of" in text_of(client.post(OPENING, corrected | {"_preview": "1"}))
    assert "1100.00" in text_of(client.post(OPENING, corrected | {"_edit": "1"}))
    client.post(OPENING, corrected | {"_post": "1"})
    world.process()
    assert world.balances()["Equity:Opening-balances"] == -84950
    assert world.balances()["Income:Sales"] == stood["Income:Sales"]


@pytest.mark.parametrize(
    ("more", "said_"),
    [
        ({"text": "account\n"}, "MISSING_COLUMN"),
        ({"text": FILE + "Bank,USD,1\n"}, "line 4"),
        ({"text": ""}, "Choose a file, or paste its text."),
        ({"file": b"\xff\xfe"}, "It is not UTF-8 text"),
        ({"file": b"x" * 1_000_001}, "It is larger than"),
        ({"date": "x"}, "Enter a valid date"),
    ],
)
def test_a_bad_file_is_told_and_not_booked(as_, world, more, said_):
    for button in ("_preview", "_post"):
        sent = {name: upload(value) if isinstance(value, bytes) else value for name, value in more.items()}
        assert said_ in text_of(as_("administrator").post(OPENING, opening(world, **sent) | {button: "1"}))
    assert events() == 0


# --- the books' channel


def test_a_company_made_in_the_admin_has_its_books(as_, world):
    client = as_("administrator")
    made = {"name": "Second", "slug": "second", "base_currency": "eur"}
    assert client.post(reverse("admin:core_company_add"), made).status_code == 302
    channel = Channel.objects.get(slug="second-books")
    assert (channel.adapter, channel.currency, channel.company.base_currency) == ("books", "EUR", "EUR")
    assert Account.objects.filter(company__slug="second").exists()
    assert "is not an ISO 4217" in text_of(
        client.post(reverse("admin:core_company_add"), made | {"slug": "t", "base_currency": "qqq"})
    )
    world.channel("third-books", "standard")
    response = client.post(reverse("admin:core_company_add"), made | {"slug": "third"})
    assert response.status_code == 302 and "Entries by hand cannot be made" in told(response)
    assert Company.objects.filter(slug="third").exists()


def test_nobody_expects_anything_by_it_and_it_has_no_webhook(as_, world):
    books = by_hand.books(world.company)
    much_later = timezone.now() + timedelta(days=60)
    found = coverage.stands([books, world.till], much_later)
    assert found[books.pk].condition.state == State.LIVE
    counts = coverage.summary(found.values()).counts
    assert sum(counts.values()) == 1  # the till alone
    client = as_("administrator")
    text = text_of(client.get(reverse("admin:channels_channel_change", args=[books.pk])))
    assert "Webhook" not in text and "API credentials" not in text and "Posts every" not in text
    url = reverse("admin:channels_channel_change", args=[books.pk])
    assert client.post(url, {"status": "paused"}).status_code == 302
    assert Channel.objects.get(pk=books.pk).status == "paused"
    book(client, world)
    assert "(paused)" in text_of(client.get(LIST))
