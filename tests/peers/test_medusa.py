"""Medusa's orders by polling: revenue, tax, payments, refunds and stock in our books are what the shop itself says."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from django.conf import settings
from django.utils import timezone

from channels import poll
from channels.calls import Caller
from channels.client import Pointer, StockLevel, StockPlace
from channels.models import Reading, Transaction
from ledger import accounts
from ledger.models import Rate
from salessync.core import addresses
from tests.databases import administer
from tests.peers.books import Books
from tests.peers.installing import Unavailable
from tests.peers.medusa import STOCK, running_medusa
from tests.peers.tunnel import to_socket_file
from tests.worlds import World

# committed_db: a peer takes longer than a transaction may idle
pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("committed_db")]

DATABASE = "peer_medusa"


@pytest.fixture(scope="module")
def shop(tmp_path_factory, servers):
    """One shop for all tests of this file: its tables take half a minute."""
    administer(f'CREATE DATABASE "{DATABASE}"')
    try:
        with to_socket_file(addresses.socket_dir(settings.DATA_DIR) / ".s.PGSQL.5432") as port:
            address = f"postgres://{addresses.OWNER_ROLE}:none@127.0.0.1:{port}/{DATABASE}"
            with running_medusa(tmp_path_factory.mktemp("medusa"), address) as running:
                running.set_up()
                yield running
    except Unavailable as reason:
        pytest.skip(f"Medusa: {reason}")
    finally:
        administer(f'DROP DATABASE "{DATABASE}" WITH (FORCE)')


class Merchant:
    """A company whose only channel is the shop."""

    def __init__(self, shop):
        self.shop = shop
        self.world = World(currency="EUR", stock="".join(f"{sku(c)},{STOCK}\n" for c in shop.regions))
        Rate.objects.create(date="2020-01-01", from_currency="GBP", to_currency="EUR", rate="1.15")
        self.channel = self.world.channel("medusa", "medusa")
        self.channel.credentials = {"token": shop.key, "base_url": shop.url}
        self.channel.save()
        self.books = Books(self.world)

    def read(self):
        """All lists to their end, and what came of them processed."""
        poll.wish_now(self.channel)
        poll.read_due(seconds=120)
        self.world.process()
        assert {r.error for r in Reading.objects.filter(channel=self.channel)} == {""}
        assert set(self.world.states()) == {"posted"}, self.world.codes()


def sku(country):
    return f"MUG-{country.upper()}"


def cents(amount) -> int:
    return int((Decimal(amount) * 100).to_integral_value(ROUND_HALF_UP))


def money(shop, order):
    """Captured and refunded of an order's payment, in cents, as the shop tells."""
    payment = shop.payment(order)
    return sum(cents(c["amount"]) for c in payment["captures"]), sum(cents(r["amount"]) for r in payment["refunds"])


def agrees(merchant):
    """Order by order: what was paid, given back and is kept; order id → its balances."""
    orders = merchant.shop.orders()
    assert set(Transaction.objects.filter(type="sale").values_list("source_id", flat=True)) == {o["id"] for o in orders}
    found = {}
    for order in orders:
        captured, back = money(merchant.shop, order)
        kept = found[order["id"]] = merchant.books.of_sale(order["id"])
        assert kept.under("Assets:Clearing") == captured - back
        earned = -(kept.under("Income") + kept.under(accounts.TAX_PAYABLE))
        assert earned == captured - back + kept.under(accounts.RECEIVABLE)
    return found


class Orders:
    """What one region's buyers order and what becomes of it."""

    def __init__(self, shop, country):
        self.shop = shop
        self.plain = shop.place(country, 3)
        self.sent = shop.place(country, 3, coupon=True)
        self.called_off = shop.place(country, 1, coupon=True)
        self.in_parts = shop.place(country, 2)
        self.open = shop.place(country, 1)
        for order in (self.plain, self.sent, self.called_off):
            shop.capture(order)
        shop.capture(self.in_parts, amount=10)

    def change(self):
        """Refunds by amount, a return and its refund, cancellations, the rest of a capture."""
        shop = self.shop
        shop.refund(self.plain, Decimal(5))
        shop.refund(self.plain, Decimal("2.5"))
        shop.send(self.sent, 3)
        shop.take_back(self.sent, 1)
        owed = -Decimal(shop.order(self.sent["id"])["summary"]["pending_difference"])
        shop.refund(self.sent, owed.quantize(Decimal("0.01"), ROUND_HALF_UP))
        shop.cancel(self.called_off)
        shop.capture(self.in_parts, amount=float(Decimal(self.in_parts["total"]) - 10))
        shop.cancel(self.open)


def test_books_and_stock_are_the_shop_s_own(shop, later):
    shop.sell_to("de", "eur", tax_inside=True)
    shop.sell_to("gb", "gbp", tax_inside=False)
    merchant = Merchant(shop)
    regions = {country: Orders(shop, country) for country in shop.regions}
    merchant.read()
    kept = agrees(merchant)
    for country, orders in regions.items():
        for order in (orders.plain, orders.sent, orders.called_off, orders.in_parts):
            books = kept[order["id"]]
            assert -books.under(accounts.TAX_PAYABLE) == cents(order["tax_total"])
            assert -(books.under("Income") + books.under(accounts.TAX_PAYABLE)) == cents(order["total"])
        assert kept[orders.open["id"]] == {}  # not paid yet
        assert available(shop, country) == ours(merchant, country) == STOCK - 10

    later()
    for orders in regions.values():
        orders.change()
    merchant.read()
    kept = agrees(merchant)
    for country, orders in regions.items():
        whole = money(shop, shop.order(orders.called_off["id"]))
        assert whole[0] == whole[1] == cents(orders.called_off["total"])
        books = kept[orders.called_off["id"]]
        assert books.under("Income") == books.under(accounts.TAX_PAYABLE) == 0
        after = shop.order(
            orders.sent["id"]
        )  # one came back: the shop's tax is without it, and has fractions of a cent
        assert abs(-kept[orders.sent["id"]].under(accounts.TAX_PAYABLE) - cents(after["tax_total"])) <= 1
        assert available(shop, country) == ours(merchant, country) == STOCK - 7

    before = Transaction.objects.count()
    merchant.read()
    assert agrees(merchant) == kept and Transaction.objects.count() == before


def test_single_orders_are_fetched_and_stock_is_written_back(shop):
    if "de" not in shop.regions:
        shop.sell_to("de", "eur", tax_inside=True)
    merchant = Merchant(shop)
    order = shop.place("de", 2)
    caller = Caller(merchant.channel)
    found = caller.result(caller.adapter.fetch(Pointer("order", order["id"]), caller.account))
    assert found.payload["order"]["total"] == order["total"]
    by_payment = Pointer("payment", shop.payment(order)["id"])
    assert caller.result(caller.adapter.fetch(by_payment, caller.account)).payload["order"]["id"] == order["id"]
    assert caller.result(caller.adapter.fetch(Pointer("order", "order_none"), caller.account)) is None
    on_hand, reserved = shop.stock("de")
    item = shop.inventory_item("MUG-DE")
    level = StockLevel(
        item_id=item,
        location=shop.location,
        available="40",
        expected=str(on_hand - reserved),
        key="k",
        at=timezone.now(),
    )
    caller.result(caller.adapter.push_stock(caller.account, level))
    assert available(shop, "de") == 40
    nowhere = StockPlace("iitem_none", shop.location)
    read = caller.result(caller.adapter.read_stock(caller.account, [nowhere, StockPlace(item, shop.location)]))
    assert [one.available for one in read] == [None, "40"]
    mugs = [one for page in caller.pages(caller.adapter.items(caller.account, None)) for one in page.items]
    (mug,) = (one for one in mugs if one.item_id == "MUG-DE")
    assert (mug.stock_id, mug.tracked, mug.levels) == (item, True, (read[1],))
    assert caller.result(caller.adapter.stock_locations(caller.account)) == [(shop.location, "L")]


def available(shop, country):
    on_hand, reserved = shop.stock(country)
    return on_hand - reserved


def ours(merchant, country):
    on_hand, reserved = merchant.world.stock()[sku(country)]
    return on_hand - reserved
