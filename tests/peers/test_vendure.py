"""Vendure's orders by polling: revenue, tax, payments, refunds and stock in our books are what the shop itself says."""

from datetime import UTC, datetime

import pytest

from channels import poll
from channels.calls import Caller
from channels.client import Pointer, StockLevel, StockPlace
from channels.models import Reading, Transaction
from ledger import accounts
from tests.peers.books import Books
from tests.peers.installing import Unavailable
from tests.peers.vendure import OWNER, PASSWORD, STOCK, running_vendure
from tests.worlds import World

# committed_db: a peer takes longer than a transaction may idle
pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("committed_db")]


@pytest.fixture
def shop(tmp_path):
    try:
        with running_vendure(tmp_path) as running:
            yield running
    except Unavailable as reason:
        pytest.skip(f"Vendure: {reason}")


class Merchant:
    """A company whose only channel is the shop."""

    def __init__(self, shop):
        self.shop = shop
        self.world = World(currency="EUR", stock=f"MUG,{STOCK}")
        self.channel = self.world.channel("vendure", "vendure")
        self.channel.credentials = {"username": OWNER, "password": PASSWORD, "base_url": shop.url}
        self.channel.save()
        self.books = Books(self.world)

    def read(self):
        """All lists to their end, and what came of them processed."""
        poll.wish_now(self.channel)
        poll.read_due(seconds=120)
        self.world.process()
        assert {r.error for r in Reading.objects.filter(channel=self.channel)} == {""}
        assert set(self.world.states()) == {"posted"}

    def expected(self, order):
        """order as the shop tells it → (paid by card, paid by gift card, given back), in cents."""
        settled = [p for p in order["payments"] if p["state"] == "Settled"]
        back = [r for p in settled for r in p["refunds"] if r["state"] == "Settled"]
        taken = {
            method: sum(p["amount"] for p in settled if p["method"] == method) for method in ("own-card", "gift-card")
        }
        return taken["own-card"], taken["gift-card"], sum(r["total"] for r in back)


def agrees(merchant):
    """Order by order: what was paid, given back and is kept."""
    orders = {o["id"]: o for o in merchant.shop.orders()}
    assert set(Transaction.objects.filter(type="sale").values_list("source_id", flat=True)) == set(orders)
    refunds = {r["id"]: r["total"] for o in orders.values() for p in o["payments"] for r in p["refunds"]}
    assert dict(Transaction.objects.filter(type="refund").values_list("source_id", "total")) == refunds
    for order_id, order in orders.items():
        card, gift, back = merchant.expected(order)
        kept = merchant.books.of_sale(order_id)
        assert (
            kept.under(accounts.clearing(merchant.channel.slug)) + kept.under(accounts.GIFT_CARDS) == card + gift - back
        )
        assert -(kept.under("Income") + kept.under(accounts.TAX_PAYABLE)) == card + gift - back
    return orders


@pytest.mark.parametrize("prices_include_tax", [False, True], ids=["tax-on-top", "tax-inside"])
def test_books_and_stock_are_the_shop_s_own(shop, later, prices_include_tax):
    shop.set_up(prices_include_tax=prices_include_tax)
    merchant = Merchant(shop)
    card = ("own-card", {})
    plain = shop.place(3, card)
    split = shop.place(3, ("gift-card", {"amount": 1000}), card, coupon="TEN")
    called_off = shop.place(2, card, coupon="TEN")
    shortened = shop.place(3, card)
    held = shop.place(1, ("own-card", {"authorize": True}))
    merchant.read()
    orders = agrees(merchant)
    tax = {i: merchant.books.of_sale(i).under(accounts.TAX_PAYABLE) for i in orders}
    assert {i: -t for i, t in tax.items() if i != held["id"]} == {
        i: o["totalWithTax"] - o["total"] for i, o in orders.items() if i != held["id"]
    }
    assert tax[held["id"]] == 0  # not taken yet
    assert available(merchant) == ours(merchant) == STOCK - 12

    later()
    one = split["lines"][0]["proratedUnitPriceWithTax"]
    shop.refund(split, one, units=1)
    shop.refund(plain, 250)
    shop.cancel(called_off)
    shop.refund(called_off, called_off["totalWithTax"])
    shop.cancel(shortened, units=2)
    shop.refund(shortened, shortened["totalWithTax"] - shop.order(shortened["id"])["totalWithTax"], units=2)
    shop.settle(held)
    merchant.read()
    orders = agrees(merchant)
    kept = {i: merchant.books.of_sale(i) for i in orders}
    assert kept[called_off["id"]].under("Income") == kept[called_off["id"]].under(accounts.TAX_PAYABLE) == 0
    for order in (shortened, held):  # the shop's own figures after the change
        told = orders[order["id"]]
        assert -kept[order["id"]].under(accounts.TAX_PAYABLE) == told["totalWithTax"] - told["total"]
        assert -kept[order["id"]].under("Income") == told["total"]
    line = split["lines"][0]
    of_one = line["proratedUnitPriceWithTax"] - line["proratedUnitPrice"]
    left = (
        split["totalWithTax"] - split["total"] - of_one
    )  # we give back a third of the line's tax, here Vendure rounds the unit's
    assert abs(-kept[split["id"]].under(accounts.TAX_PAYABLE) - left) <= 1
    assert available(merchant) == ours(merchant) == STOCK - 8

    before = Transaction.objects.filter(channel=merchant.channel).count()
    merchant.read()
    assert agrees(merchant) and Transaction.objects.filter(channel=merchant.channel).count() == before


def test_single_orders_are_fetched_and_stock_is_written_back(shop):
    shop.set_up(prices_include_tax=True)
    merchant = Merchant(shop)
    order = shop.place(2, ("own-card", {}))
    caller = Caller(merchant.channel)
    found = caller.result(caller.adapter.fetch(Pointer("order", order["id"]), caller.account))
    assert found.payload["order"]["totalWithTax"] == order["totalWithTax"]
    assert caller.result(caller.adapter.fetch(Pointer("order", "999"), caller.account)) is None
    level = StockLevel(
        item_id=shop.variant, location=shop.location(), available="40", expected="98", key="k", at=datetime.now(UTC)
    )
    caller.result(caller.adapter.push_stock(caller.account, level))
    assert shop.stock() == (42, 2)  # two are sold and not sent yet
    place = StockPlace(shop.variant, shop.location())
    read = caller.result(caller.adapter.read_stock(caller.account, [StockPlace("999", place.location), place]))
    assert [one.available for one in read] == [None, "40"]
    (mug,) = (one for page in caller.pages(caller.adapter.items(caller.account, None)) for one in page.items)
    assert (mug.item_id, mug.stock_id, mug.tracked, mug.levels) == ("MUG", shop.variant, True, (read[1],))
    assert [one for one, _ in caller.result(caller.adapter.stock_locations(caller.account))] == [place.location]


def available(merchant):
    on_hand, allocated = merchant.shop.stock()
    return on_hand - allocated


def ours(merchant):
    on_hand, reserved = merchant.world.stock()["MUG"]
    return on_hand - reserved
