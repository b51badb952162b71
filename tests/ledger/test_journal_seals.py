"""The journal under the chain of seals: entries, postings and all they were made of; what was changed is named by entry and leg."""

import hashlib
from datetime import UTC, date, datetime

import pytest
from django.db import transaction

from channels.models import Event, PrivacyRequest, TransactionVersion
from ledger import seals as journals
from ledger.models import Account, Detail, DetailPosting, JournalEntry, Posting
from salessync import sealing, verify_audit
from salessync.core import seals
from salessync.core.models import Company, Seal
from tests.ledger import journal_rows
from tests.tampering import found, superuser, tamper

pytestmark = pytest.mark.django_db

CHANGED, MISSING = "was changed since it was sealed", "was sealed and is missing"
SLIPPED_IN = "was slipped in among what is sealed"


@pytest.fixture(autouse=True)
def _anchors(settings, tmp_path):
    settings.AUDIT_ANCHOR_DIR = tmp_path / "anchors"
    settings.AUDIT_ANCHOR_URL = ""


def sold(of="acme", **more):
    """An entry with its record and the event that brought it."""
    company = journal_rows.company(of)
    entry = journal_rows.entry(on=journal_rows.channel(f"{of}-shop", of=company), **more)
    come_from_event(entry.version_id, entry.company_id, entry.transaction.channel_id)
    return entry


def come_from_event(version_id, company_id, channel_id):
    body = b'{"order": %d}' % version_id
    event = Event.objects.create(
        company_id=company_id, channel_id=channel_id, dedupe_key=f"d{version_id}", topic="orders/create", mode="webhook",
        body=body, body_sha256=hashlib.sha256(b"as received" + body).digest(), state="posted",
        received_at=datetime(2026, 9, 1, 10, tzinfo=UTC),
    )  # fmt: skip
    with superuser() as cursor:
        cursor.execute(
            "UPDATE channels_transactionversion SET event_id = %s, digest = sha256(record) WHERE id = %s",
            [event.pk, version_id],
        )
    return event


@pytest.fixture
def books():
    """Two companies, five entries, sealed; those of acme by seq."""
    entries = [sold() for _ in range(3)]
    sold("other")
    sold("other")
    sealing.seal_due()
    assert found() == []
    return {entry.seq: entry for entry in entries}


def event_of(entry):
    return Event.objects.get(pk=TransactionVersion.objects.get(pk=entry.version_id).event_id)


def test_an_entry_is_sealed_with_all_it_was_made_of(books):
    acme = Company.objects.get(slug="acme")
    seal = Seal.objects.get(of=f"journal/{acme.pk}")
    assert (seal.first, seal.last, seal.rows) == (1, 3, 3 * 7)
    version, event = books[1].version_id, event_of(books[1]).pk
    assert [key for key, _ in seals.pairs(seal)][:7] == [
        "1", "1.1", "1.2", "1.3", f"1.v{version}", f"1.e{event}", f"1.b{event}",
    ]  # fmt: skip


def test_each_company_has_its_own_trail_in_one_chain(books):
    assert [(seal.number, seal.rows) for seal in Seal.objects.order_by("number")] == [(1, 21), (2, 14)]
    sold("other")
    assert sealing.backlog().entries == 1
    assert sealing.seal_due() == 7
    assert [company.company_id for company in journals.due()] == []
    newest = Seal.objects.order_by("-number")[0]
    assert (newest.number, newest.first, newest.last) == (3, 3, 3)
    assert found() == []


def test_a_seal_holds_about_so_many_rows_and_whole_entries(monkeypatch):
    monkeypatch.setattr(seals, "ROWS", 15)
    for _ in range(5):
        sold()
    sealing.seal_due()
    assert [(seal.first, seal.last) for seal in Seal.objects.order_by("number")] == [(1, 2), (3, 4), (5, 5)]
    monkeypatch.setattr(seals, "ROWS", 1)  # an entry is never divided
    sold()
    assert sealing.seal_due() == 7


def test_a_cent_that_was_moved_is_named_by_entry_and_leg(books):
    tamper(
        "UPDATE ledger_posting SET amount = amount - 1, base_amount = base_amount - 1 WHERE entry_id = %s AND leg = 2",
        books[2].pk,
    )
    tamper(
        "UPDATE ledger_posting SET amount = amount + 1, base_amount = base_amount + 1 WHERE entry_id = %s AND leg = 3",
        books[2].pk,
    )
    assert found() == [
        ("ledger_posting", "entry 2 of company acme, leg 2", CHANGED),
        ("ledger_posting", "entry 2 of company acme, leg 3", CHANGED),
    ]


@pytest.mark.parametrize(
    "change",
    [
        "account_id = (SELECT id FROM ledger_account WHERE code = 'Assets:Clearing:Stripe' LIMIT 1)", "currency = 'EUR'",
        "location = 'x'", "tax_code = 'x'", "category = NULL", "path = 'x'", "channel_id = 0", "transaction_id = 0", "company_id = 0",
        "base_amount = base_amount * 2",
    ],
)  # fmt: skip
def test_every_column_of_a_posting_is_sealed(books, change):
    tamper(f"UPDATE ledger_posting SET {change} WHERE entry_id = %s AND leg = 2", books[1].pk)
    assert found() == [("ledger_posting", "entry 1 of company acme, leg 2", CHANGED)]


@pytest.mark.parametrize(
    "change",
    [
        "date = '2027-01-01'",
        "business_date = '2026-01-01'",
        "legs = 4",
        "sequence = 9",
        "transaction_id = 0",
        "created_at = now()",
    ],
)
def test_every_column_of_an_entry_is_sealed(books, change):
    tamper(f"UPDATE ledger_journalentry SET {change} WHERE id = %s", books[3].pk)
    assert found() == [("ledger_journalentry", "entry 3 of company acme", CHANGED)]


def test_an_entry_that_names_another_version_is_named_alone(books):
    tamper("UPDATE ledger_journalentry SET version_id = %s WHERE id = %s", books[1].version_id, books[3].pk)
    assert found() == [("ledger_journalentry", "entry 3 of company acme", CHANGED)]


def test_a_posting_that_was_removed_or_added_is_named(books):
    tamper("DELETE FROM ledger_posting WHERE entry_id = %s AND leg = 3", books[1].pk)
    with superuser():
        added = Posting.objects.get(entry=books[2], leg=1)
        added.leg = 9
        added.save(force_insert=True)
    assert found() == [
        ("ledger_posting", "entry 1 of company acme, leg 3", MISSING),
        ("ledger_posting", "entry 2 of company acme, leg 9", SLIPPED_IN),
    ]


def test_legs_that_changed_places_are_named_with_where_they_belong(books):
    with superuser() as cursor:
        for old, new in ((2, 30), (3, 2), (30, 3)):
            cursor.execute(
                "UPDATE ledger_posting SET leg = %s WHERE entry_id = %s AND leg = %s", [new, books[1].pk, old]
            )
    name = "entry 1 of company acme, leg"
    assert found() == [
        ("ledger_posting", f"{name} 2", f"{CHANGED}: it holds what {name} 3 held"),
        ("ledger_posting", f"{name} 3", f"{CHANGED}: it holds what {name} 2 held"),
    ]


def test_an_entry_that_was_removed_is_named_once(books):
    tamper("DELETE FROM ledger_posting WHERE entry_id = %s", books[2].pk)
    tamper("DELETE FROM ledger_journalentry WHERE id = %s", books[2].pk)
    assert found() == [("ledger_journalentry", "entry 2 of company acme", MISSING)]


def test_entries_that_changed_places_are_named(books):
    with superuser() as cursor:
        for old, new in ((1, 100), (2, 1), (100, 2)):
            cursor.execute(
                "UPDATE ledger_journalentry SET seq = %s WHERE company_id = %s AND seq = %s",
                [new, books[1].company_id, old],
            )
    named = {(table, row) for table, row, _ in found()}
    assert {("ledger_journalentry", f"entry {n} of company acme") for n in (1, 2)} <= named


def test_an_account_that_was_renamed_is_found_at_its_postings(books):
    account = Account.objects.get(company__slug="acme", code="Income:Sales")
    tamper("UPDATE ledger_account SET code = 'Income:Other' WHERE id = %s", account.pk)
    assert [row for _, row, _ in found()] == [f"entry {n} of company acme, leg 2" for n in (1, 2, 3)]


def test_the_end_that_was_cut_off_is_known_from_the_anchors(books):
    for _ in range(5):
        sold()
    sealing.seal_due()
    with superuser():
        Posting.objects.filter(entry__seq__gt=3, company_id=books[1].company_id).delete()
        JournalEntry.objects.filter(seq__gt=3, company_id=books[1].company_id).delete()
        Seal.objects.filter(number=3).delete()
    ((table, row, what),) = found()
    assert (table, row) == ("core_seal", "3")
    assert what.endswith(f"is missing: it held entries of company {books[1].company_id} 4 to 8")


# --- what it was made of


def test_a_record_that_was_changed_is_named(books):
    tamper("UPDATE channels_transactionversion SET record = '{}' WHERE id = %s", books[1].version_id)
    name = ("channels_transactionversion", f"version {books[1].version_id}")
    assert found() == [(*name, "its record is not what its digest says")]
    tamper("UPDATE channels_transactionversion SET digest = sha256(record) WHERE id = %s", books[1].version_id)
    assert found() == [(*name, CHANGED)]


def test_a_hash_of_what_was_received_that_was_changed_is_named(books):
    event = event_of(books[2])
    tamper("UPDATE channels_event SET body_sha256 = sha256('another') WHERE id = %s", event.pk)
    assert found() == [("channels_event", f"event {event.pk}", CHANGED)]


def test_a_body_that_was_changed_is_named(books):
    event = event_of(books[2])
    Event.objects.filter(pk=event.pk).update(body=b"{}")
    assert found() == [("channels_event", f"body of event {event.pk}", CHANGED)]


def test_an_event_goes_on_living_unnoticed(books):
    Event.objects.filter(pk=event_of(books[2]).pk).update(state="new", attempts=3, copies=7)
    assert found() == []


def test_a_body_that_was_purged_or_lost_its_person_is_counted_only(books):
    event, other = event_of(books[1]), event_of(books[2])
    Event.objects.filter(pk=event.pk).update(body=b"", purged_at="2026-12-01T00:00:00Z", purged_bytes=12)
    PrivacyRequest.objects.create(
        company_id=other.company_id, channel=other.channel, event_id=0, kind="customer_redact", at_version=0, last_version=0, at_event=0,
        last_event=0, received_at=other.received_at,
    )  # fmt: skip
    Event.objects.filter(pk=other.pk).update(body=b"{}")
    report = verify_audit.verify_audit()
    assert (report.violated, report.rewritten) == (0, 2)


def test_a_request_that_only_asks_for_data_excuses_no_change(books):
    event = event_of(books[1])
    PrivacyRequest.objects.create(
        company_id=event.company_id, channel=event.channel, event_id=0, kind="data_request", at_version=0, last_version=0, at_event=0,
        last_event=0, received_at=event.received_at,
    )  # fmt: skip
    Event.objects.filter(pk=event.pk).update(body=b"{}")
    assert [row for _, row, _ in found()] == [f"body of event {event.pk}"]


# --- summaries


@pytest.fixture
def summary():
    """An entry that took in two details, each with its record and event; and one more detail that waits for its summary."""
    with transaction.atomic():
        details = [detail(), detail(), detail()]
        entry = sold()
        with superuser():
            Detail.objects.filter(pk__in=[d.pk for d in details[:2]]).update(entry=entry)
    sealing.seal_due()
    assert found() == []
    return entry, details


def detail():
    """Of a sale of its own."""
    sale = journal_rows.entry(on=journal_rows.channel("acme-shop"))
    with superuser():
        Posting.objects.filter(entry=sale).delete()
        JournalEntry.objects.filter(pk=sale.pk).delete()
        Company.objects.filter(pk=sale.company_id).update(feed_seq=0)
    made = Detail.objects.create(
        company_id=sale.company_id, channel_id=sale.transaction.channel_id, transaction=sale.transaction, sequence=1, legs=2,
        version_id=sale.version_id, business_date=date(2026, 9, 1),
    )  # fmt: skip
    DetailPosting.objects.bulk_create(
        DetailPosting(detail=made, leg=leg, account=journal_rows.account(code, journal_rows.company()), amount=amount, currency="USD",
                      base_amount=amount, path="x")
        for leg, code, amount in ((1, "Assets:Clearing:Stripe", 500), (2, "Income:Sales", -500))
    )  # fmt: skip
    come_from_event(sale.version_id, sale.company_id, sale.transaction.channel_id)
    return made


def test_a_summary_is_sealed_with_the_details_it_took_in(summary):
    entry, (one, two, _) = summary
    seal = Seal.objects.get(of=f"journal/{entry.company_id}")
    keys = [key for key, _ in seals.pairs(seal)]
    assert keys[:4] == ["1", "1.1", "1.2", "1.3"]
    assert keys[4:6] == [f"1.d{one.pk}", f"1.d{two.pk}"]
    assert keys[6:10] == [f"1.d{one.pk}.1", f"1.d{one.pk}.2", f"1.d{two.pk}.1", f"1.d{two.pk}.2"]
    assert [key[:3] for key in keys[10:]] == ["1.v"] * 3 + ["1.e"] * 3 + ["1.b"] * 3
    assert verify_audit.verify_audit().waiting == 1


def test_a_detail_and_its_leg_are_named(summary):
    _, (one, two, three) = summary
    tamper("UPDATE ledger_detailposting SET amount = 499 WHERE detail_id = %s AND leg = 1", one.pk)
    tamper("UPDATE ledger_detail SET business_date = '2026-09-02' WHERE id = %s", two.pk)
    tamper("UPDATE ledger_detail SET legs = 9 WHERE id = %s", three.pk)  # not sealed yet
    assert found() == [
        ("ledger_detail", f"detail {two.pk}", CHANGED),
        ("ledger_detailposting", f"detail {one.pk} leg 1", CHANGED),
    ]


def test_a_detail_that_was_removed_or_slipped_in_is_named_once(summary):
    entry, (one, _, three) = summary
    tamper("DELETE FROM ledger_detailposting WHERE detail_id = %s", one.pk)
    tamper("DELETE FROM ledger_detail WHERE id = %s", one.pk)
    tamper("UPDATE ledger_detail SET entry_id = %s WHERE id = %s", entry.pk, three.pk)
    assert found() == [
        ("ledger_detail", f"detail {one.pk}", MISSING),
        ("ledger_detail", f"detail {three.pk}", SLIPPED_IN),
    ]
