"""The two kinds of Shopify shop in the sandbox: where they sell, in which money, under which taxes. Pure.

Prices and rates are there to have something to add up; nobody should look up a tax here.
"""

from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from salessync.sandbox.people import Place
from salessync.sandbox.shopify_order import Levy


@dataclass(frozen=True)
class Kind:
    """Where a shop sells, in which money, under which taxes."""

    index: int
    currency: str
    zone: ZoneInfo
    inclusive: bool
    prefix: str
    gateways: tuple[str, ...]
    places: dict[Place, tuple[Levy, ...]]  # destination: its taxes
    shipping: tuple[tuple[str, int], ...]
    stories: tuple[tuple[str, int], ...]  # a story of shopify_stories, its weight


def _levies(*pairs: tuple[str, str]) -> tuple[Levy, ...]:
    return tuple(Levy(title, Decimal(rate)) for title, rate in pairs)


_ALWAYS = (
    ("paid_at_once", 40), ("captured_later", 10), ("split_with_gift_card", 6), ("with_order_discount", 8),
    ("with_line_discount", 7), ("with_shipping_discount", 5), ("returned_in_part", 8), ("returned_in_full", 3),
    ("goodwill", 3), ("refund_settles_later", 3), ("refund_stays_pending", 1), ("line_removed", 3), ("line_added", 3),
    ("cancelled_and_refunded", 3), ("voided", 3), ("never_paid", 2), ("scarce_item", 3), ("split_and_returned", 2),
)  # fmt: skip

AMERICAN = Kind(
    index=1,
    currency="USD",
    zone=ZoneInfo("America/New_York"),
    inclusive=False,
    prefix="#",
    gateways=("shopify_payments", "shopify_payments", "shopify_payments", "paypal"),
    places={
        Place("New York", "10012", "New York", "NY", "United States", "US"): _levies(
            ("New York State Tax", "0.04"), ("New York City Tax", "0.04875")
        ),
        Place("Chicago", "60614", "Illinois", "IL", "United States", "US"): _levies(
            ("Illinois State Tax", "0.0625"), ("Chicago Local Tax", "0.04")
        ),
        Place("Austin", "78704", "Texas", "TX", "United States", "US"): _levies(
            ("Texas State Tax", "0.0625"), ("Austin City Tax", "0.02")
        ),
    },
    shipping=(("Ground", 595), ("Two days", 1290)),
    stories=(
        *_ALWAYS, ("with_tip", 6), ("gift_card_sold", 3), ("unknown_item", 2), ("paid_in_other_currency", 2),
        ("test_order", 0), ("without_address", 0), ("orphan_payment", 0),
    ),
)  # fmt: skip

GERMAN = Kind(
    index=2,
    currency="EUR",
    zone=ZoneInfo("Europe/Berlin"),
    inclusive=True,
    prefix="DE",
    gateways=("paypal", "klarna", "shopify_payments"),
    places={
        Place("Hamburg", "20357", "Hamburg", None, "Germany", "DE"): _levies(("MwSt", "0.19"), ("MwSt", "0.07")),
        Place("Leipzig", "04229", "Sachsen", None, "Germany", "DE"): _levies(("MwSt", "0.19"), ("MwSt", "0.07")),
    },
    shipping=(("DHL Paket", 490), ("DHL Express", 1190)),
    stories=(*_ALWAYS, ("paid_on_delivery", 3), ("with_wrong_total", 0), ("without_currency", 0)),
)
