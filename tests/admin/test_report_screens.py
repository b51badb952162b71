"""The reports' pages: they show what the reports say, lead on to accounts, entries and sales, and give the same as files."""

import csv
import json
import re
from datetime import date
from io import StringIO

import pytest
from django.urls import reverse

from channels.models import Transaction
from ledger.balances import rolling
from ledger.models import JournalEntry, Posting
from ledger.reports.catalog import CATALOG
from tests.admin.scenes import NASTY
from tests.ledger import journal_rows, summary_rows

pytestmark = pytest.mark.django_db
MONTHS = {"first": "2020-01-01", "last": "2099-12-31"}
RAW = "<script>alert("


@pytest.fixture
def company(world):
    return world.company


def extra(company):
    """A channel without sales, for entries that are written row by row."""
    return journal_rows.channel("extra-shop", of=company)


def ask(client, name, of, /, **asked):
    response = client.get(reverse("admin:ledger_report", args=[name]), {"company": of.slug, **MONTHS, **asked})
    body = b"".join(response) if response.streaming else response.content
    return response, body.decode()


def test_the_list_leads_to_every_report(as_, company):
    text = as_("auditor").get(reverse("admin:ledger_report_changelist")).content.decode()
    for name, definition in CATALOG.items():
        assert definition.title in text
        assert reverse("admin:ledger_report", args=[name]) in text


@pytest.mark.parametrize("name", CATALOG)
@pytest.mark.parametrize("role", ["admin", "administrator", "reviewer", "auditor"])
def test_every_report_answers_everybody_who_sees_the_journal(as_, company, name, role):
    client = as_(role)
    assert client.get(reverse("admin:ledger_report", args=[name])).status_code == 200
    response, text = ask(client, name, company, account="Income:Sales")
    assert response.status_code == 200
    assert "Ties to the ledger" in text or "The books balance" in text
    assert RAW not in text


def test_nobody_else_sees_any(client, company, django_user_model):
    pages = [reverse("admin:ledger_report_changelist"), reverse("admin:ledger_report", args=["revenue"])]
    assert [client.get(page).status_code for page in pages] == [302, 302]
    client.force_login(django_user_model.objects.create_user("guest", is_staff=True))
    assert [client.get(page).status_code for page in pages] == [403, 403]


def test_a_trial_balance_leads_to_the_ledger_the_entry_and_the_sale(as_, company):
    client = as_("auditor")
    _, text = ask(client, "trial-balance", company)
    found = re.search(r'href="([^"]*general-ledger[^"]*account=Income%3AReturns[^"]*)"', text)
    text = client.get(found.group(1).replace("&amp;", "&")).content.decode()
    assert "Opening balance" not in text and "Closing balance" in text
    sold = Transaction.objects.get(source_id="R1", channel__company=company)
    entry = JournalEntry.objects.get(transaction=sold)
    assert reverse("admin:channels_transaction_change", args=[sold.pk]) in text
    assert reverse("admin:ledger_journalentry_change", args=[entry.pk]) in text
    assert "10.00" in text


def test_the_ledger_is_turned_page_by_page(as_, company, monkeypatch):
    client = as_("auditor")
    monkeypatch.setattr("ledger.admin.reports.LINES", 2)
    _, text = ask(client, "general-ledger", company, account="Income:Sales")
    seen, pages = [], 0
    while True:
        pages += 1
        seen += re.findall(r'ledger/journalentry/(\d+)/change/">(\d+)<', text)
        if "Next lines" not in text:
            break
        assert "Ties to the ledger" not in text
        url = re.search(r'href="(\?[^"]*after=[^"]*)"', text).group(1).replace("&amp;", "&")
        text = client.get(reverse("admin:ledger_report", args=["general-ledger"]) + url).content.decode()
        assert "Brought forward" in text
    entries = JournalEntry.objects.filter(company=company, postings__account__code="Income:Sales").order_by(
        "date", "seq"
    )
    assert seen == [(str(e.pk), str(e.seq)) for e in entries]
    assert pages > 2 and "Ties to the ledger" in text


@pytest.mark.parametrize("name", CATALOG)
def test_the_files_say_the_same(as_, company, name):
    client = as_("auditor")
    asked = {"account": "Income:Sales", "by": ["category"] if name == "revenue" else []}
    response, text = ask(client, name, company, format="csv", **asked)
    assert response["Content-Type"] == "text/csv; charset=utf-8" and text.startswith("\ufeff")
    assert f'filename="{company.slug}-{name}-' in response["Content-Disposition"]
    rows = list(csv.reader(StringIO(text.removeprefix("\ufeff"), newline="")))
    assert len({len(row) for row in rows}) == 1
    response, text = ask(client, name, company, format="json", **asked)
    told = json.loads(text)
    assert len(told["rows"]) == len(rows) - 1
    assert told["tie_out"]["ties"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"first": "2026-09-02", "last": "2026-09-01"}, "before it begins on 2026-09-02"),
        ({"first": "yesterday"}, "Enter a valid date"),
        ({"by": "weather"}, "not one of the available choices"),
        ({"company": "nobody"}, "not one of the available choices"),
        ({"company": "\x00"}, "not one of the available choices"),
        ({"last": "0000-00-00"}, "Enter a valid date"),
    ],
)
def test_what_cannot_be_answered_is_said_at_its_field(as_, company, asked, told):
    client = as_("auditor")
    response, text = ask(client, "revenue", company, **asked)
    assert response.status_code == 200 and told in text
    assert "Ties to the ledger" not in text
    response, text = ask(client, "revenue", company, format="csv", **asked)
    assert response.status_code == 400 and told in text


def test_an_account_that_there_is_not(as_, company):
    client = as_("auditor")
    _, text = ask(client, "general-ledger", company, account="Income:Nope")
    assert "has no account" in text
    assert "name its code" in ask(client, "general-ledger", company, account="")[1]
    assert client.get(reverse("admin:ledger_report", args=["profit"])).status_code == 404
    assert (
        ask(client, "general-ledger", company, account="Income:Sales", after="x_y", through="z")[0].status_code == 200
    )


def test_a_long_journal_says_how_far_it_is(as_, company, monkeypatch):
    monkeypatch.setattr(rolling, "TAIL", 0)
    monkeypatch.setattr("ledger.admin.reports.WAIT_SECONDS", 0)
    client = as_("auditor")
    assert "are being added up: 0 of" in ask(client, "revenue", company)[1]
    response, text = ask(client, "revenue", company, format="json")
    assert response.status_code == 503 and "being added up" in text


def test_hostile_text_stays_text_in_every_form(as_, company):
    client = as_("auditor")
    journal_rows.entry([("Assets:Till:A", 5, "USD", 5, {"path": "t"}),
                        ("Income:Sales", -5, "USD", -5, {"path": "lines/1/gross", "category": NASTY, "location": "=1+1"})],
                       on=extra(company))  # fmt: skip
    _, text = ask(client, "revenue", company, by=["category", "location"])
    assert RAW not in text and "&lt;script&gt;" in text
    _, text = ask(client, "revenue", company, by=["category", "location"], format="csv")
    assert "\n'=1+1," in text


# --- the page of an entry


def test_an_entry_that_is_booked_later_says_both_days(as_, company):
    on = extra(company)
    late = journal_rows.entry(on=on)
    text = as_("auditor").get(reverse("admin:ledger_journalentry_change", args=[late.pk])).content.decode()
    assert "Business date" in text and "Booked on" not in text and "What it sums up" not in text
    made = JournalEntry.objects.get(pk=late.pk)
    made.pk, made.seq, made.sequence, made.business_date = None, made.seq + 1, 2, date(2026, 8, 15)
    made.save(force_insert=True)
    postings = list(late.postings.all())
    for posting in postings:
        posting.entry_id = made.pk
    Posting.objects.bulk_create(postings)
    text = as_("auditor").get(reverse("admin:ledger_journalentry_change", args=[made.pk])).content.decode()
    assert re.search(r"Booked on</dt><dd>2026-09-01", text) and re.search(r"Belongs to</dt><dd>2026-08-15", text)


def test_a_summary_leads_to_its_sales(as_, company):
    on = extra(company)
    entry = summary_rows.entry([journal_rows.sale_legs()] * 3, day=date(2026, 9, 1), on=on)
    text = as_("auditor").get(reverse("admin:ledger_journalentry_change", args=[entry.pk])).content.decode()
    assert "What it sums up" in text and "3 differences" in text
    for detail in entry.details.all():
        assert reverse("admin:channels_transaction_change", args=[detail.transaction_id]) in text
    assert text.count("10.88") >= 3
