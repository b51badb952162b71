"""The sandbox's shops: an American and a German Shopify shop and a café's till, and a seeded business day of all three.

Pure: a day is deliveries to send, in the order in which to send them, and the figures that the books must show afterwards.
"""

from dataclasses import dataclass
from datetime import date
from random import Random

from salessync.sandbox import shopify_kinds, shopify_shop, shopify_stories, till
from salessync.sandbox.bulk_orders import orders
from salessync.sandbox.catalog import catalog_csv
from salessync.sandbox.delivery import Delivery, Play, arrange
from salessync.sandbox.truth import Truth

__all__ = [
    "CHANNELS",
    "RATES_CSV",
    "Channel",
    "Day",
    "Delivery",
    "Play",
    "Truth",
    "business_day",
    "catalog_file",
    "orders",
]

LEAST_SALES = 90  # below it not every scenario of every shop takes place


@dataclass(frozen=True)
class Channel:
    """What `create_channel` needs; `item_id` is the product's field by which the channel knows it."""

    slug: str
    adapter: str
    currency: str
    timezone: str
    item_id: str


AMERICAN = Channel("roastery-us", "shopify", "USD", shopify_kinds.AMERICAN.zone.key, "sku")
GERMAN = Channel("roastery-de", "shopify", "EUR", shopify_kinds.GERMAN.zone.key, "sku")
TILL = Channel("cafe-till", "standard", till.CURRENCY, till.ZONE.key, "plu")
CHANNELS = (AMERICAN, GERMAN, TILL)

RATES_CSV = "date,from,to,rate\n2020-01-01,EUR,USD,1.1684\n"


@dataclass(frozen=True)
class Day:
    """A day of all shops. `personal` is what no stored payload may hold."""

    play: Play
    truth: Truth
    personal: frozenset[str]


def catalog_file() -> str:
    """The products with their opening stock, and what each channel calls them."""
    return catalog_csv({channel.slug: channel.item_id for channel in CHANNELS})


def business_day(*, sales: int, seed: int, run: int, day: date) -> Day:
    """About half of the sales in America, a third in Germany, the rest at the till; the same arguments, the same bytes.

    `run` tells days of one seed apart: every id is new with it.
    """
    german, counter = sales * 3 // 10, sales // 5
    american = sales - german - counter
    shops = [
        shopify_shop.Shop(channel.slug, kind, Random(f"{seed}/{run}/{channel.slug}"), run, day)
        for channel, kind in ((AMERICAN, shopify_kinds.AMERICAN), (GERMAN, shopify_kinds.GERMAN))
    ]
    for shop, count in zip(shops, (american, german), strict=True):
        shopify_stories.trade(shop, count)
    register = till.Till(TILL.slug, Random(f"{seed}/{run}/{TILL.slug}"), run, day)
    register.trade(counter)
    deliveries, truth = [*register.deliveries], Truth()
    truth.add(register.truth)
    for shop in shops:
        deliveries += shop.deliveries
        truth.add(shop.truth)
    personal = frozenset(text for shop in shops for person in shop.people for text in person.personal)
    return Day(arrange(deliveries, Random(f"{seed}/{run}/network")), truth, personal)
