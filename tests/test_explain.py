"""The whole chain of a sale: from the bytes to the posting, the receipt and the payout, whatever of it one has in hand."""

import hashlib
import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from msgspec.structs import replace

from channels.models import Channel, Event, Transaction
from channels.refund import RefundTender
from inventory import catalog
from ledger import summaries
from ledger.models import Delivery, JournalEntry
from salessync.core import audit
from salessync.explain import chain, find, places
from salessync.explain.as_json import as_json
from tests.records import back, card, charge, dispute, line, manual, payout, payout_line, refund, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db


def told(*arguments):
    out = StringIO()
    call_command("explain", *map(str, arguments), stdout=out)
    return out.getvalue()


def explained(*arguments):
    return json.loads(told(*arguments, "--json"))


def refused(*arguments):
    with pytest.raises(CommandError) as error:
        call_command("explain", *map(str, arguments))
    assert error.value.returncode == 2
    return str(error.value)


@pytest.fixture
def world(db):
    """A sale of two lines with a refund, its charge, a dispute and the payout that pays all of them, and another sale."""
    found = World()
    catalog.import_catalog(company=found.company, text="sku,cost,quantity\nMUG,4.50,100\n")
    found.pay = found.channel(f"pay-{found.company.slug}", "standard")
    sold = line("669", units=2)
    given = RefundTender(id="t", parent="t1", type="card", amount=1020, processor="stripe", reference="re_1")
    numbered = sale([sold, line("2", sku="CAP")], [card(3080, reference="ch_1")], id_="450789469")
    found.send(
        replace(numbered, source=replace(numbered.source, number="#1001")),
        refund([back(sold, units=1, net=1000, tax=20)], [given], id_="re_1", of="450789469"),
        sale([line()], id_="S2"),
    )
    lines = [
        payout_line("charge", 3080, 119, "ch_1"), payout_line("refund", -1020, 0, "re_1"),
        payout_line("dispute", -500, 1500, "dp_1"), payout_line("charge", 700, 0, "ch_of_another"),
    ]  # fmt: skip
    found.send(
        charge(3080, order="450789469", fee=119),
        dispute(500, of="ch_1", fee=1500),
        payout(lines, processor=found.pay.slug),
        channel=found.pay,
    )
    return found


def test_every_hop_is_there_to_the_cent(world):
    found = explained("#1001")
    assert [(t["type"], t["id"]) for t in found["transactions"]] == [
        ("sale", "450789469"), ("charge", "ch_1"), ("refund", "re_1"), ("dispute", "dp_1"),
    ]  # fmt: skip
    sold = found["transactions"][0]
    event = Event.objects.get(pk=sold["versions"][0]["event"]["id"])
    assert sold["versions"][0]["event"]["sha256"] == hashlib.sha256(bytes(event.body)).hexdigest()
    assert (sold["versions"][0]["checks"], sold["versions"][0]["event"]["mode"]) == ([], "webhook")
    assert [(m["sku"], m["on_hand"], m["cost"]) for m in sold["movements"]] == [
        ("MUG", "-2", -900),
        ("CAP", "-1", None),
    ]
    stored = JournalEntry.objects.filter(transaction__in=[t["transaction"] for t in found["transactions"]])
    assert sorted(e["entry"] for e in found["entries"]) == sorted(stored.values_list("seq", flat=True))
    for entry in found["entries"]:
        assert sum(p["base_amount"] for p in entry["postings"]) == 0


def test_each_amount_has_its_place_in_the_record(world):
    entries = explained("#1001")["entries"]
    postings = {p["path"]: p for p in entries[0]["postings"]}
    assert postings["lines/669/gross"]["record"] == {
        "source": {"type": "sale", "channel": world.till.slug, "id": "450789469", "number": "#1001"}, "version": "1",
        "place": "lines[0].gross", "value": 2000,
    }  # fmt: skip
    assert postings["lines/669/gross"]["amount"] == -2000
    assert postings["tenders/t1"]["record"]["value"] == postings["tenders/t1"]["amount"] == 3080
    back_ = {p["path"]: p for entry in entries for p in entry["postings"] if entry["source"]["type"] == "refund"}
    assert back_["lines/0/net"]["record"]["value"] == back_["lines/0/net"]["amount"] == 1000


def test_the_payout_that_pays_it_is_told_without_what_it_pays_to_others(world):
    (paid,) = explained("#1001")["payouts"]
    assert (paid["id"], paid["channel"], paid["amount"]) == ("po_1", world.pay.slug, 641)
    assert [(x["reference"], x["net"], x["of"]["type"]) for x in paid["lines"]] == [
        ("ch_1", 2961, "charge"), ("re_1", -1020, "refund"), ("dp_1", -2000, "dispute"),
    ]  # fmt: skip
    (charged,) = [p for entry in paid["entries"] for p in entry["postings"] if p["path"] == "lines/charge-ch_1/gross"]
    assert (charged["amount"], charged["record"]["value"], charged["record"]["source"]["id"]) == (-3080, 3080, "po_1")
    paths = {p["path"] for entry in paid["entries"] for p in entry["postings"]}
    assert "amount" in paths and "lines/charge-ch_1/fee" in paths
    assert not any("ch_of_another" in path for path in paths)


def test_what_all_of_it_leaves_counts_its_part_of_the_payout(world):
    """The clearing account is at zero, and the bank has what the payout brought for it."""
    left = {b["account"]: b["amount"] for b in explained("#1001")["balances"]}
    assert not any(account.startswith("Assets:Clearing") for account in left)
    assert left["Assets:Bank-in-transit"] == 2961 - 1020 - 2000
    assert sum(left.values()) == 0


def test_a_payout_tells_what_it_pays(world):
    found = explained("po_1")
    assert [(x["reference"], x["of"] and x["of"]["id"], x["sale"] and x["sale"]["number"]) for x in found["pays"]] == [
        ("ch_1", "ch_1", "#1001"), ("re_1", "re_1", "#1001"), ("dp_1", "dp_1", "#1001"), ("ch_of_another", None, None),
    ]  # fmt: skip
    assert [t["type"] for t in found["transactions"]] == ["payout"] and found["entries"]


@pytest.mark.parametrize(
    "name", ["#1001", "1001", "450789469", "{till}:450789469", "re_1", "{pay}:ch_1", "dp_1", "transaction:{id}", "{id}",
             "entry:1", "{company}:{entry}", "BK-77"],
)  # fmt: skip
def test_one_chain_by_whatever_one_has_in_hand(world, name):
    sold = Transaction.objects.get(source_id="450789469", channel=world.till)
    entry = JournalEntry.objects.get(company=world.company, seq=1)
    Delivery.objects.filter(pk=entry.pk).update(
        state="acknowledged", acknowledgement="BK-77", acknowledged_at="2026-09-02T00:00:00Z"
    )
    asked = name.format(
        till=world.till.slug, pay=world.pay.slug, id=sold.pk, company=world.company.slug, entry=entry.pk
    )
    found = explained(asked, "--company", world.company.slug)
    assert found["transactions"][0]["transaction"] == sold.pk
    assert found["entries"][0]["delivery"]["acknowledgement"] == "BK-77"


def test_what_is_unknown_is_said_with_what_looks_like_it(world):
    said = refused("450789468")
    assert "nothing is known as '450789468'" in said and f"{world.till.slug}:450789469" in said
    assert "nothing looks like it" in refused("zzzzzzzz")
    assert (
        "nothing is known" in refused("")
        and "nothing is known" in refused("\x00")
        and "nothing is known" in refused("9" * 40)
    )


def test_what_is_ambiguous_is_never_guessed(world):
    twin = sale([line()], id_="S9")
    world.send(replace(twin, source=replace(twin.source, number="#1001")))
    said = refused("1001")
    assert "any of 2" in said and f"{world.till.slug}:450789469" in said and f"{world.till.slug}:S9" in said
    own = Transaction.objects.get(source_id="S9", channel=world.till).pk
    assert f"transaction:{own}" in said
    assert explained(f"transaction:{own}")["asked"]["id"] == "S9"


def test_two_companies_may_use_the_same_number(world):
    other = World()
    twin = sale([line()], id_="X1")
    other.send(replace(twin, source=replace(twin.source, number="#1001")))
    assert "any of 2" in refused("#1001")
    assert explained("#1001", "--company", other.company.slug)["asked"]["id"] == "X1"
    assert explained("entry:1", "--company", other.company.slug)["company"] == other.company.slug
    assert "no company" in refused("#1001", "--company", "nobody")


def test_an_amount_that_a_later_version_took_away_leads_to_the_version_that_had_it(world):
    world.send(sale([line("669")], [card(3080, reference="ch_1")], id_="450789469", version="2"))
    entries = explained("450789469")["entries"]
    taken_back = next(p for e in entries for p in e["postings"] if p["path"] == "lines/2/gross" and p["amount"] > 0)
    assert (taken_back["record"]["version"], taken_back["record"]["value"]) == ("1", 1000)


def test_for_people_it_says_the_same(world):
    audit.record(
        [(world.company.pk, "anna", "looked", "transaction", Transaction.objects.get(source_id="450789469").pk, {})]
    )
    said = told("#1001")
    for text in (
        "Sale #1001", "sha256 ", "every one holds", "cost -9.00 USD", "lines[0].gross = 20.00 USD", "lines/669/gross",
        "Paid by Payout", "29.61 USD", "Dispute", "Bookkeeper: due", "Expenses:Cost-of-sales", "anna",
    ):  # fmt: skip
        assert text in said, text
    assert "ch_of_another" not in said


def test_a_vendors_text_moves_no_cursor(world):
    nasty = sale([replace(line(), name="\x1b[2J\nTotal 0.00")], id_="S\x1b[1m")
    world.send(nasty)
    said = told(f"{world.till.slug}:S\x1b[1m")
    assert "\x1b" not in said and "Total 0.00" in said
    assert "\x1b" not in refused("S\x1b[1n")


def test_entries_by_hand_and_summaries_have_their_chain_too(world):
    books = Channel.objects.create(
        company=world.company, slug=f"books-{world.company.slug}", adapter="books", currency="USD"
    )
    world.send(manual([("Assets:Bank:Main", 500), ("Equity:Opening-balances", -500)], id_="J1"), channel=books)
    found = explained("J1")
    assert [p["record"]["value"] for e in found["entries"] for p in e["postings"]] == [500, -500]
    assert "Manual, " in told("J1")
    Channel.objects.filter(pk=world.till.pk).update(posting_mode="day")
    world.send(sale([line()], id_="S7"))
    summaries.post_due(datetime(2027, 1, 1, tzinfo=UTC))
    (part,) = explained("S7")["summarized"]
    whole = JournalEntry.objects.get(company=world.company, seq=part["entry"])
    assert whole.transaction.type == "summary" and part["delivery"]["state"] == "due"
    assert {p["path"]: p["amount"] for p in part["postings"]}["lines/1/gross"] == -1000
    assert f"in entry {whole.seq}" in told("S7")
    assert "sum up 1 part" in told(f"entry:{whole.seq}", "--company", world.company.slug)


def test_a_place_is_found_by_id_even_where_ids_contain_what_separates_them():
    record = {
        "lines": [{"id": "gid:", "net": 1}, {"id": "gid://a/1", "net": 2, "taxes": [{"amount": 3}, {"amount": 4}]}, {"id": "0"}],
        "tenders": [{"id": "t", "amount": 5}], "totals": {"total": 6}, "postings": [{"amount": 7}, {"type": "x", "tax": 8}],
    }  # fmt: skip
    for path, expected in {
        "lines/gid://a/1/net": ("lines[1].net", 2, True), "lines/gid://a/1/taxes/1": ("lines[1].taxes[1].amount", 4, True),
        "lines/gid:/net": ("lines[0].net", 1, True), "tenders/t": ("tenders[0].amount", 5, True),
        "totals/total": ("totals.total", 6, True), "postings/0": ("postings[0].amount", 7, True),
        "postings/x/tax": ("postings[1].tax", 8, True), "lines/0/cost": ("lines[2]", None, False),
        "lines/1/net": None, "lines/2": None, "nothing": None, "": None,
    }.items():  # fmt: skip
        assert places.find(record, path) == (expected and places.Place(*expected)), path


def test_a_sale_with_a_thousand_relatives_costs_as_many_queries_as_one_with_few(world, django_assert_max_num_queries):
    lines = [line(str(n), units=5) for n in range(30)]
    world.send(sale(lines, id_="BIG"))
    world.send(
        *(refund([back(lines[n], units=1, net=1000, tax=8)], id_=f"B{n}", of="BIG", minutes=n) for n in range(30))
    )
    transaction = find.one("BIG")
    with django_assert_max_num_queries(16):
        assert len(as_json(chain.of(transaction))["transactions"]) == 31
