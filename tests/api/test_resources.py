"""What can be read: transactions, accounts, payouts, stock, revenue, metrics, the journal; each company's own and nobody else's."""

import json
from datetime import date

import pytest

from channels.models import Transaction, TransactionVersion
from channels.payout import Payout, PayoutLine
from ledger import bookkeeper, messages, reports
from ledger.models import Account, JournalEntry
from salessync import metrics
from tests.api.program import Program, codes, kind
from tests.records import START, back, line, refund, sale, source
from tests.worlds import World

SOLD = [("US-NY", "State", "4", 80)]


@pytest.fixture
def busy(world):
    """Three sales, an edit and a refund on the till, one sale on another."""
    other = world.channel("second-till", "standard")
    sold = line(units=2, taxes=SOLD)
    world.send(sale([sold], id_="S1"), sale([line(units=2, taxes=SOLD), line("2")], id_="S1", version="2"))
    world.send(sale([line()], id_="S2", status="open", payment_status="pending", tenders=[]), sale([line()], id_="S3"))
    world.send(refund([back(sold, units=1, net=1000, tax=40)]))
    world.send(sale([line()], id_="S3"), channel=other)
    return world


def ids(response):
    return [row["source_id"] for row in response.json()["results"]]


# --- transactions


def test_transactions_are_listed_the_latest_first(busy, program):
    response = program.get("transactions")
    assert ids(response) == ["S3", "R1", "S3", "S2", "S1"]
    assert response.json()["next"] is response.json()["previous"] is None
    assert response.json()["results"][-1] | {"id": 0} == {
        "id": 0, "type": "sale", "channel": busy.till.slug, "source_id": "S1", "number": None, "version": "2",
        "status": "completed", "payment_status": "paid", "currency": "USD", "total": 3120,
        "occurred_at": "2026-09-01T10:00:00Z", "business_date": "2026-09-01", "location": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("type=refund", ["R1"]), ("type=payout", []), ("channel=second-till", ["S3"]), ("source_id=S3", ["S3", "S3"]),
        ("source_id=S3&channel=second-till&type=sale", ["S3"]), ("source_id=nobody", []), ("status=open", ["S2"]),
        ("from=2026-09-02", ["R1"]), ("to=2026-09-01&type=sale", ["S3", "S3", "S2", "S1"]), ("from=2026-09-01&to=2026-08-31", []),
        ("from=0001-01-01&to=9999-12-31&status=succeeded", ["R1"]),
    ],
)  # fmt: skip
def test_transactions_are_filtered(busy, program, query, found):
    assert ids(program.get(f"transactions?{query}")) == found


@pytest.mark.parametrize("size", [1, 2, 3, 5, 500])
def test_pages_forth_and_back_show_every_row_once(busy, program, size):
    whole = ids(program.get("transactions"))
    forth, address, pages = [], f"transactions?page_size={size}", []
    while address:
        pages.append(program.get(address).json())
        assert 1 <= len(pages[-1]["results"]) <= size
        forth += [row["source_id"] for row in pages[-1]["results"]]
        address = pages[-1]["next"]
    assert forth == whole
    back_, page = list(pages[-1]["results"]), pages[-1]
    while page["previous"]:
        page = program.get(page["previous"]).json()
        back_ = page["results"] + back_
    assert [row["source_id"] for row in back_] == whole


def test_a_new_row_moves_no_page(busy, program):
    first = program.get("transactions?page_size=2").json()
    busy.send(sale([line()], id_="S9"))
    assert ids(program.get(first["next"])) == ["S3", "S2"]
    newest = program.get(program.get(first["next"]).json()["previous"]).json()
    assert [row["source_id"] for row in newest["results"]] == ["S3", "R1"]
    assert ids(program.get(newest["previous"])) == ["S9"]


def test_a_cursor_belongs_to_its_list(busy, program):
    cursor = program.get("transactions?page_size=1").json()["next"]
    for address in (
        cursor.replace("transactions?", "transactions?type=sale&"), cursor.replace("transactions", "payouts"),
        cursor.replace("transactions", "accounts"), cursor[:-1], cursor.replace("cursor=", "cursor=x"),
    ):  # fmt: skip
        response = program.get(address)
        assert (response.status_code, codes(response)) == (400, ["BAD_CURSOR"])
    assert program.get(cursor.replace("page_size=1", "page_size=3")).status_code == 200


def test_one_transaction_tells_all_that_was_made_of_it(busy, program):
    row = next(r for r in program.get("transactions?type=sale").json()["results"] if r["source_id"] == "S1")
    found = program.get(f"transactions/{row['id']}").json()
    stored = Transaction.objects.get(pk=row["id"])
    record = TransactionVersion.objects.get(pk=stored.version_id).record
    assert found["record"] == json.loads(bytes(record))
    assert [(v["version"], v["current"]) for v in found["versions"]] == [("1", False), ("2", True)]
    assert [one["id"] for one in found["lines"]] == ["1", "2"]
    assert [(one["type"], one["amount"]) for one in found["tenders"]] == [("card", 3120)]
    assert {p["entry"] for p in found["postings"]} == {
        bookkeeper.entry_id(company=busy.company.slug, entry=e.pk)
        for e in JournalEntry.objects.filter(transaction=stored)
    }
    assert len({p["seq"] for p in found["postings"]}) == 2
    assert sum(p["base_amount"] for p in found["postings"]) == 0
    assert sum(p["amount"] for p in found["postings"] if p["account"] == "Income:Sales") == -3000


# --- the journal


def test_the_feed_is_what_is_pushed(busy, program):
    entries = JournalEntry.objects.filter(company=busy.company).order_by("seq")
    pushed = json.loads(bookkeeper.encode(list(messages.of([e.pk for e in entries]).values())))["entries"]
    assert len(pushed) == 5
    assert program.get("journal-entries").json() == {"results": pushed, "next": None}
    for entry in pushed:
        assert program.get(f"journal-entries/{entry['id']}").json() == entry


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_the_feed_is_followed_by_its_links_or_by_the_last_seq(busy, program, limit):
    by_links, address = [], f"journal-entries?limit={limit}"
    while address:
        page = program.get(address).json()
        by_links += [entry["seq"] for entry in page["results"]]
        address = page["next"]
    by_seq, after = [], 0
    while page := program.get("journal-entries", {"after": after, "limit": limit}).json()["results"]:
        by_seq += [entry["seq"] for entry in page]
        after = by_seq[-1]
    assert by_links == by_seq == [1, 2, 3, 4, 5]
    assert program.get("journal-entries?after=5").json() == {"results": [], "next": None}
    assert program.get(f"journal-entries?after={2**63 - 1}").json() == {"results": [], "next": None}


def test_a_page_of_the_feed_ends_where_it_would_be_too_large(busy, program, monkeypatch):
    monkeypatch.setattr("ledger.feed.MAX_BATCH_BYTES", 1)
    page = program.get("journal-entries").json()
    assert [entry["seq"] for entry in page["results"]] == [1]
    assert program.get(page["next"]).json()["results"][0]["seq"] == 2


# --- accounts, payouts, stock, revenue, metrics


def test_the_chart_of_accounts(busy, program):
    rows = program.get("accounts?page_size=500").json()["results"]
    assert {"code": "Income:Sales", "name": "Sales", "kind": "income"} in rows
    assert {"code": "Assets:Clearing:Stripe", "name": "Clearing Stripe", "kind": "asset"} in rows
    paged, address = [], "accounts?page_size=4"
    while address:
        page = program.get(address).json()
        paged, address = paged + page["results"], page["next"]
    assert paged == rows


def test_payouts(world, program):
    whole = Payout(
        source=source("po_1"), occurred_at=START, timezone="UTC", business_date=date(2026, 9, 2), currency="USD",
        processor="stripe", status="paid", amount=1426, arrival_date=date(2026, 9, 3), descriptor="STRIPE", residual=0,
        lines=[PayoutLine(id="txn_1", category="charge", gross=1500, fee=74, net=1426, reference="ch_1")],
    )  # fmt: skip
    header = Payout(
        source=source("po_2"), occurred_at=START, timezone="UTC", business_date=date(2026, 9, 3), currency="USD",
        processor="stripe", status="in_transit", amount=-5, lines=None, residual=None,
    )  # fmt: skip
    world.send(whole, header)
    rows = program.get("payouts").json()["results"]
    assert [row["source_id"] for row in rows] == ["po_2", "po_1"]
    assert rows[1] | {"id": 0} == {
        "id": 0, "channel": world.till.slug, "source_id": "po_1", "processor": "stripe", "status": "paid", "method": "automatic",
        "currency": "USD", "amount": 1426, "residual": 0, "lines": 1, "initiated_at": None, "arrival_date": "2026-09-03",
        "business_date": "2026-09-02", "descriptor": "STRIPE", "trace_id": None,
    }  # fmt: skip
    assert (rows[0]["amount"], rows[0]["lines"], rows[0]["residual"]) == (-5, None, None)
    assert ids(program.get("payouts?status=paid")) == ["po_1"]
    assert ids(program.get("payouts?from=2026-09-03")) == ["po_2"]
    assert program.get(f"transactions/{rows[1]['id']}").json()["record"]["lines"][0]["net"] == 1426


def test_stock(busy, program):
    mug = {"sku": "MUG", "location": "main", "on_hand": 96, "reserved": 1, "available": 95}
    assert program.get("stock?sku=MUG").json()["results"] == [mug]
    assert mug in program.get("stock").json()["results"]
    assert program.get("stock?sku=mug").json()["results"] == []
    busy.send(sale([line(units=1, sku="CAP"), line("2", units=1, sku="CAP")], id_="S7"))
    busy.send(sale([line(units=2, sku="CAP")], id_="S8"))
    assert program.get("stock?sku=CAP").json()["results"][0]["on_hand"] == -1


def test_revenue_is_what_the_ledger_says(busy, program):
    """By every grouping the same sum, and the one of the trial balance."""
    balance = reports.trial_balance(company=busy.company)
    booked = -sum(row.base_balance for row in balance if row.account.startswith("Income:"))
    assert booked == 4000
    for by, keys in (
        ("channel", {"second-till": 1000, busy.till.slug: 3000}), ("day", {"2026-09-01": 5000, "2026-09-02": -1000}),
        ("category", {None: 4000}), ("location", {None: 4000}),
    ):  # fmt: skip
        found = program.get(f"revenue?from=2026-09-01&to=2026-09-02&by={by}").json()
        assert {row["key"]: row["amount"] for row in found["results"]} == keys
        assert found["base_total"] == booked and found["base_currency"] == "USD"
    first = program.get("revenue?from=2026-09-01&to=2026-09-01").json()
    assert (first["from"], first["to"], first["by"], first["base_total"]) == (
        "2026-09-01",
        "2026-09-01",
        "channel",
        5000,
    )
    assert program.get("revenue?from=0001-01-01&to=9999-12-31").json()["base_total"] == booked


def test_the_metrics_are_those_of_prometheus(busy, program):
    rows = program.get("metrics").json()["results"]
    assert {"name": "salessync_outbox_deliveries", "labels": {"state": "due"}, "value": 5} in rows
    shown = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    assert {row["name"] for row in rows} == shown


# --- whose it is


def test_everybody_sees_his_own_companys_and_nobody_elses(busy, program):
    theirs = World()
    theirs.send(sale([line(sku="CAP")], id_="T1"))
    stranger = Program(theirs.company)
    transaction = program.get("transactions?type=refund").json()["results"][0]["id"]
    entry = program.get("journal-entries").json()["results"][0]["id"]
    assert ids(stranger.get("transactions")) == ["T1"] and "T1" not in ids(program.get("transactions"))
    for who, sold in ((program, ["S1", "S1", "S3", "R1", "S3"]), (stranger, ["T1"])):
        assert [row["source"]["id"] for row in who.get("journal-entries").json()["results"]] == sold
    days = "revenue?from=2026-01-01&to=2026-12-31"
    assert [who.get(days).json()["base_total"] for who in (program, stranger)] == [4000, 1000]
    assert [who.get("stock?sku=CAP").json()["results"][0]["on_hand"] for who in (program, stranger)] == [3, 2]
    assert (
        len(program.get("accounts?page_size=500").json()["results"])
        == Account.objects.filter(company=busy.company).count()
    )
    for path in (f"transactions/{transaction}", f"journal-entries/{entry}"):
        assert program.get(path).status_code == 200
        assert (stranger.get(path).status_code, kind(stranger.get(path))) == (404, "not-found")
    number = entry.partition(":")[2]
    assert stranger.get(f"journal-entries/{theirs.company.slug}:{number}").status_code == 404
    for path in ("transactions", "payouts"):
        assert codes(stranger.get(f"{path}?channel={busy.till.slug}")) == ["UNKNOWN_CHANNEL"]
