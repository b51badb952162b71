"""From stored events to books and stock: arrival in any order, failures, quarantine."""

import json

import msgspec
import pytest
from django.db import IntegrityError, connection, transaction

from channels import inbox, transactions
from channels.models import Event, Transaction
from inventory import listings
from inventory.models import Level, Listing, Movement, Oversell, Product, StockChange, UnmappedItem
from ledger.models import Delivery, JournalEntry, Posting, Rate
from salessync import pipeline
from tests.records import back, card, line, refund, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    return World()


def test_a_sale_is_posted_moved_and_on_its_way(world):
    world.send(sale([line(units=2)]))
    assert world.states() == {"posted": 1}
    assert world.balances() == {"Assets:Clearing:Stripe": 2040, "Income:Sales": -2000, "Liabilities:Tax-payable": -40}
    assert world.stock()["MUG"] == (98, 0)
    entry = JournalEntry.objects.get(company=world.company)
    assert (entry.seq, entry.sequence, entry.legs) == (1, 1, 3)
    assert Delivery.objects.get(entry=entry).state == "due"


def test_an_edit_posts_the_difference_and_a_void_the_inverse(world):
    world.send(sale([line(units=2)], version="1"), sale([line(units=1)], version="2"))
    assert world.balances() == {"Assets:Clearing:Stripe": 1040, "Income:Sales": -1000, "Liabilities:Tax-payable": -40}
    assert world.stock()["MUG"] == (99, 0)
    world.send(sale([line(units=1)], version="3", status="voided", payment_status="voided"))
    assert world.balances() == {}
    assert world.stock()["MUG"] == (100, 0)
    assert JournalEntry.objects.filter(company=world.company).count() == 3


def test_an_older_version_never_overwrites_a_newer(world):
    world.send(sale([line(units=1)], version="10"), sale([line(units=5)], version="9"))
    assert world.balances()["Income:Sales"] == -1000
    assert world.states() == {"posted": 1, "ignored": 1}
    assert (
        Event.objects.get(company_id=world.company.pk, state="ignored").reason == "a newer version of it stands already"
    )


def test_a_duplicate_delivery_is_one_event_and_a_repeated_message_adds_nothing(world):
    first = world.capture(sale([line()]), delivery_id="d1")
    assert world.capture(sale([line()]), delivery_id="d1") == first
    world.send(sale([line()]), delivery_id="d2")
    assert JournalEntry.objects.filter(company=world.company).count() == 1
    assert Event.objects.get(pk=first).copies == 2
    assert world.states() == {"posted": 2}


def test_a_refund_before_its_sale_waits_and_is_woken(world):
    sold = line(units=2, taxes=[("US-NY", "State", "4", 80)])
    world.send(refund([back(sold, units=1, net=1000, tax=40)]))
    assert world.states() == {"waiting": 1}
    assert world.balances() == {}
    world.send(sale([sold]))
    assert world.states() == {"posted": 2}
    assert world.balances()["Income:Returns"] == 1000
    assert world.stock()["MUG"] == (99, 0)


def test_an_unpaid_order_reserves_and_its_payment_moves(world):
    world.send(sale([line(units=3)], [], status="open", payment_status="pending", version="1"))
    assert world.balances() == {}
    assert world.stock()["MUG"] == (100, 3)
    world.send(sale([line(units=3)], status="open", version="2"))
    assert world.stock()["MUG"] == (97, 0)
    world.send(sale([line(units=3)], [], status="cancelled", payment_status="pending", version="3"))
    assert world.stock()["MUG"] == (100, 0)


def test_refunds_of_an_unpaid_order_release_what_is_held_and_no_more(world):
    sold = line(units=2, taxes=[])
    world.send(sale([sold], [], status="open", payment_status="pending", version="1"))
    for number, held in enumerate([1, 0, 0]):
        returned = refund([back(sold, units=1, net=1000)], id_=f"R{number}", minutes=number)
        returned.source.location = "elsewhere"
        world.send(returned)
        assert world.stock()["MUG"] == (100, held)
    assert world.states() == {"posted": 4}
    world.send(sale([sold], status="open", version="2"))
    assert world.stock()["MUG"] == (101, 0)  # three came back of two: what is on the shelf is counted


def test_the_return_side_of_an_unpaid_exchange_holds_nothing(world):
    given_back = line("2", units=-1, taxes=[], exchange="1")
    world.send(sale([line(units=2), given_back], [], status="open", payment_status="pending"))
    assert world.states() == {"posted": 1}
    assert world.stock()["MUG"] == (100, 2)


def test_an_oversell_is_recorded_flagged_and_zero_is_pushed(world):
    cap = Product.objects.get(company=world.company, sku="CAP")
    listing = Listing.objects.create(channel=world.shop, product=cap, item_id="CAP-AT-SHOP")
    world.send(sale([line(units=5, sku="CAP")]))
    assert world.states() == {"posted": 1}
    assert world.stock()["CAP"] == (-2, 0)
    oversell = Oversell.objects.get(company=world.company)
    assert (oversell.short, oversell.resolved_at) == (2, None)
    assert StockChange.objects.filter(product=listing.product).exists()
    world.send(sale([line(units=5, sku="CAP")], version="2", status="voided"))
    oversell.refresh_from_db()
    assert oversell.resolved_at is not None


def test_an_unknown_item_drops_no_cent_and_moves_once_it_is_mapped(world):
    world.send(sale([line(sku="MUG-OLD-NAME")]))
    assert world.balances()["Income:Sales"] == -1000
    item = UnmappedItem.objects.get(channel=world.till)
    mug = Product.objects.get(company=world.company, sku="MUG")
    assert listings.map_item(channel=world.till, item_id=item.item_id, product=mug, actor="ann") == 1
    world.process()
    assert world.stock()["MUG"] == (99, 0)
    assert JournalEntry.objects.filter(company=world.company).count() == 1


def test_quarantine_names_code_path_and_sentence_and_a_fix_replays(world):
    body = json.loads(msgspec.json.encode(sale([line()])))
    body["jurisdiction"] = None
    body["source"]["channel"] = world.till.slug
    event = world.send(json.dumps(body).encode())[0]
    problem = Event.objects.get(pk=event).problems[0]
    assert problem["code"] == "MISSING_JURISDICTION"
    assert problem["message"]
    world.till.country, world.till.region = "US", "NY"
    world.till.save()
    assert inbox.replay(event_ids=[event], actor="ann") == 1
    world.process()
    assert world.states() == {"posted": 1}
    assert world.balances()["Income:Sales"] == -1000


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "EMPTY_BODY"),
        (b"{", "NOT_JSON"),
        (b"[" * 100_000, "TOO_DEEP"),
        (b'{"type":"sale","a":NaN}', "NOT_A_NUMBER"),
        (b'{"total":1,"total":2}', "DUPLICATE_KEY"),
        (b'{"a":"\\u0000"}', "NUL_CHARACTER"),
        (b'{"a":"\\ud800"}', "BAD_UNICODE"),
        (b"\xff\xfe{", "NOT_UTF8"),
    ],
)
def test_bad_bodies_are_kept_and_say_why_also_when_replayed(world, body, code):
    event = world.send(body)[0]
    assert world.codes() == [code]
    inbox.replay(event_ids=[event], actor="ann")
    world.process()
    assert world.codes() == [code]
    assert JournalEntry.objects.filter(company=world.company).count() == 0


def test_lines_that_do_not_add_up_are_never_posted(world):
    bad = sale([line()])
    bad.totals.total += 1
    world.send(bad)
    assert "TOTAL_MISMATCH" in world.codes()
    assert world.balances() == {}


def test_a_missing_rate_quarantines_and_a_rate_is_dated(world):
    event = world.send(sale([line()], currency="EUR"))[0]
    assert world.codes() == ["MISSING_RATE"]
    Rate.objects.create(date="2026-08-01", from_currency="EUR", to_currency="USD", rate="1.1")
    Rate.objects.create(date="2026-09-02", from_currency="EUR", to_currency="USD", rate="9")
    inbox.replay(event_ids=[event], actor="ann")
    world.process()
    postings = {
        p.account.code: (p.amount, p.base_amount)
        for p in Posting.objects.filter(company_id=world.company.pk).select_related("account")
    }
    assert postings["Assets:Clearing:Stripe"] == (1040, 1144)
    assert sum(base for _, base in postings.values()) == 0


def test_before_the_channel_is_live_nothing_is_posted(world):
    world.till.live_from = "2026-09-02"
    world.till.save()
    sold = line()
    world.send(sale([sold]), refund([back(sold, units=1, net=1000, tax=40)]))
    assert world.states() == {"posted": 2}
    assert "Income:Sales" not in world.balances()


def test_a_test_order_moves_nothing(world):
    test_sale = sale([line()])
    test_sale.source.test = True
    world.send(test_sale)
    assert Event.objects.get(company_id=world.company.pk).reason == "a test, not a sale"
    assert Transaction.objects.filter(company_id=world.company.pk).count() == 0


def test_a_poison_event_is_found_and_its_neighbours_go_on(world, monkeypatch):
    good = [world.capture(sale([line()], id_=f"S{i}")) for i in range(7)]
    poison = world.capture(sale([line()], id_="POISON"))
    real = transactions.store

    def store(arrivals):
        if any(a.record.source.id == "POISON" for a in arrivals):
            raise ZeroDivisionError("boom")
        return real(arrivals)

    monkeypatch.setattr(transactions, "store", store)
    pipeline.run_batch()
    assert set(Event.objects.filter(state="posted", pk__in=good).values_list("pk", flat=True)) == set(good)
    for _ in range(inbox.MAX_ATTEMPTS):
        Event.objects.filter(pk=poison).update(next_attempt_at="2026-01-01T00:00:00Z")
        pipeline.run_batch()
    dead = Event.objects.get(pk=poison)
    assert (dead.state, dead.problems[0]["code"]) == ("dead", "PROCESSING_FAILED")
    assert "ZeroDivisionError: boom" in dead.problems[0]["message"]
    monkeypatch.undo()
    inbox.replay(event_ids=[poison], actor="ann")
    world.process()
    assert world.states() == {"posted": 8}


def test_a_row_that_was_tried_before_goes_alone(world, monkeypatch):
    for i in range(3):
        world.capture(sale([line()], id_=f"S{i}"))
    Event.objects.filter(company_id=world.company.pk).update(
        state="claimed", attempts=1, next_attempt_at="2026-01-01T00:00:00Z"
    )
    sizes = []
    monkeypatch.setattr(pipeline, "process", lambda events: sizes.append(len(events)))
    pipeline.run_batch()
    assert sizes == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_posting SET amount = 0",
        "DELETE FROM ledger_posting",
        "TRUNCATE ledger_posting",
        "UPDATE ledger_journalentry SET date = date",
        "DELETE FROM ledger_journalentry",
        "TRUNCATE ledger_journalentry CASCADE",
        "UPDATE core_auditrow SET actor = 'x'",
        "DELETE FROM core_auditrow",
        "TRUNCATE core_auditrow",
        "UPDATE channels_transactionversion SET record = ''",
        "DELETE FROM inventory_movement",
        "TRUNCATE inventory_movement",
    ],
)
def test_the_database_refuses_to_change_what_is_written(world, statement):
    world.send(sale([line()]))
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def _entry(world, *, legs=2, seq=900):
    owner = Transaction.objects.filter(company_id=world.company.pk).first()
    return JournalEntry.objects.create(
        company=world.company,
        seq=seq,
        transaction=owner,
        sequence=seq,
        version_id=owner.version_id,
        date="2026-09-01",
        business_date="2026-09-01",
        legs=legs,
    )


def _legs(entry, *amounts, currency="USD"):
    known = Posting.objects.filter(company_id=entry.company_id).first()
    return [
        Posting(
            entry=entry, leg=i + 1, company_id=entry.company_id, transaction_id=entry.transaction_id,
            account_id=known.account_id, amount=a, currency=currency, base_amount=a, channel_id=known.channel_id, path="x",
        )
        for i, a in enumerate(amounts)
    ]  # fmt: skip


def test_the_database_refuses_an_unbalanced_short_or_empty_entry_and_a_second_posting(world):
    world.send(sale([line()]))
    entry = _entry(world)
    for amounts in [(5, -4), (5,), (5, -5, 0)]:
        with pytest.raises(IntegrityError, match="does not hold"), transaction.atomic():
            Posting.objects.bulk_create(_legs(entry, *amounts))
    with pytest.raises(IntegrityError, match="no postings"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    Posting.objects.bulk_create(_legs(entry, 5, -5))
    with pytest.raises(IntegrityError), transaction.atomic():
        Posting.objects.bulk_create(_legs(entry, 7, -7))
    with pytest.raises(IntegrityError, match="entry_once"), transaction.atomic():
        JournalEntry.objects.create(
            company=world.company, seq=901, transaction_id=entry.transaction_id, sequence=900, version_id=entry.version_id,
            date="2026-09-01",
        business_date="2026-09-01", legs=2,
        )  # fmt: skip


def test_unmapped_and_levels_agree_with_movements(world):
    world.send(sale([line(units=2), line("2", sku="NOBODY")]), sale([line(units=1)], id_="S2"))
    level = Level.objects.get(product__sku="MUG", company=world.company)
    total = sum(m.on_hand for m in Movement.objects.filter(product=level.product))
    assert level.on_hand == total == 97


def test_split_cash_and_card_from_the_till(world):
    tenders = [card(1000, type="cash", processor=None, tendered=1100, change=100), card(40, "t2")]
    world.send(sale([line()], tenders))
    assert world.balances()["Assets:Till:Main"] == 1000
    assert world.balances()["Assets:Clearing:Stripe"] == 40
