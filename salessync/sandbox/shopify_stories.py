"""What happens to a Shopify shop's orders in a day: one function a story, each told in webhooks as Shopify tells it. Pure."""

from collections.abc import Callable
from decimal import Decimal

from salessync.sandbox.catalog import GIFT_CARD, PRODUCTS, UNKNOWN
from salessync.sandbox.shopify_payload import shown
from salessync.sandbox.shopify_shop import Shop
from salessync.sandbox.shopify_truth import book


def trade(shop: Shop, count: int) -> None:
    """Let `count` stories happen, each of the shop's kinds once and then by weight; then add up what they leave."""
    names = [name for name, _ in shop.kind.stories]
    weights = [weight for _, weight in shop.kind.stories]
    deck = names[:count] + shop.rng.choices(names, weights, k=max(count - len(names), 0))
    shop.rng.shuffle(deck)
    for name in deck:
        STORIES[name](shop)
    for order in shop.orders:
        book(shop.slug, order, shop.truth)


def paid_at_once(shop: Shop) -> None:
    """Most orders: a card charged at checkout."""
    order = shop.sold()
    if shop.rng.random() < 0.5:
        shop.tell(order, "orders/paid")
    if shop.rng.random() < 0.3:
        shop.close(order)


def captured_later(shop: Shop) -> None:
    """Authorized at checkout, captured when the parcel leaves."""
    order = shop.held()
    shop.later(order, 30, 300)
    shop.capture(order)
    shop.tell_payments(order)
    shop.tell(order, "orders/paid")


def split_with_gift_card(shop: Shop) -> None:
    """A gift card pays a part, a card the rest."""
    order = shop.place(least=2)
    shop.pay_split(order)
    shop.tell(order, "orders/create")
    shop.tell_payments(order)


def with_order_discount(shop: Shop) -> None:
    """A code on the whole order."""
    shop.sold(least=2, code=True)


def with_line_discount(shop: Shop) -> None:
    """One line marked down, and the whole order by a code."""
    shop.sold(least=2, markdown=True, code=shop.rng.random() < 0.4)


def with_shipping_discount(shop: Shop) -> None:
    """Half of the shipping is on the house."""
    shop.sold(shipping_discount=True)


def with_tip(shop: Shop) -> None:
    """The buyer tips at checkout."""
    shop.sold(tip=shop.rng.choice([100, 200, 350]))


def gift_card_sold(shop: Shop) -> None:
    """A gift card among the goods: a liability, no revenue, no tax."""
    shop.sold(extra=GIFT_CARD)


def unknown_item(shop: Shop) -> None:
    """Something that no catalogue knows."""
    shop.sold(extra=UNKNOWN)


def scarce_item(shop: Shop) -> None:
    """What the shelf is short of."""
    shop.sold(extra=PRODUCTS[0])


def returned_in_part(shop: Shop) -> None:
    """One to three refunds by line; the parcel is kept, some goods go back on the shelf."""
    order = shop.sold(least=2, units=(2, 4))
    for _ in range(shop.rng.randint(1, 3)):
        candidates = [item for item in order.kept if item.current > 0]
        if sum(item.current for item in candidates) < 2:
            break
        item = shop.rng.choice(candidates)
        units = 1 if sum(i.current for i in candidates) == 2 else shop.rng.randint(1, min(item.current, 2))
        shop.later(order, 20, 120)
        refund = shop.refund(order, [(item, units)], restock=shop.rng.choice(["return", "return", "no_restock"]))
        shop.tell_refund(order, refund)
        if shop.rng.random() < 0.5:
            shop.tell(order, "orders/updated")


def returned_in_full(shop: Shop) -> None:
    """Everything comes back, in two refunds, the shipping with the last."""
    order = shop.sold(least=2)
    first, *others = order.kept
    shop.later(order, 30, 120)
    shop.tell_refund(order, shop.refund(order, [(first, first.quantity)]))
    shop.later(order, 30, 120)
    rest = [(item, item.quantity) for item in others]
    shop.tell_refund(order, shop.refund(order, rest, shipping=True))
    shop.tell(order, "orders/updated")


def split_and_returned(shop: Shop) -> None:
    """Paid by gift card and card, one line given back to both."""
    order = shop.place(least=2)
    shop.pay_split(order)
    shop.tell(order, "orders/create")
    shop.tell_payments(order)
    item = max(order.kept, key=lambda i: i.net)
    shop.later(order, 30, 200)
    shop.tell_refund(order, shop.refund(order, [(item, item.quantity)]))


def goodwill(shop: Shop) -> None:
    """Money back and nothing returned."""
    order = shop.sold()
    shop.later(order, 30, 200)
    shop.tell_refund(order, shop.refund(order, [], amount=max(order.total // shop.rng.randint(4, 9), 1)))
    if shop.rng.random() < 0.5:
        shop.tell(order, "orders/updated")


def refund_settles_later(shop: Shop) -> None:
    """A refund that its processor pays only later; the order's next update says so."""
    order = shop.sold()
    item = order.kept[0]
    shop.later(order, 10, 60)
    refund = shop.refund(order, [(item, 1)], pending=True)
    shop.tell_refund(order, refund)
    shop.later(order, 60, 200)
    refund.pending, refund.settled_at = False, order.updated
    shop.tell(order, "orders/updated")


def refund_stays_pending(shop: Shop) -> None:
    """A refund that is still on its way when the day ends."""
    order = shop.sold()
    shop.later(order, 60, 200)
    shop.tell_refund(order, shop.refund(order, [(order.kept[0], 1)], pending=True))


def line_removed(shop: Shop) -> None:
    """An edit takes a line out before the money is captured."""
    order = shop.held(least=2)
    shop.later(order, 5, 40)
    order.kept[-1].removed = True
    shop.tell(order, "orders/updated")
    shop.later(order, 20, 100)
    shop.capture(order)
    shop.tell_payments(order)
    shop.tell(order, "orders/paid")


def line_added(shop: Shop) -> None:
    """An edit adds a line, which is paid on its own."""
    order = shop.sold()
    shop.later(order, 5, 40)
    order.items.append(shop.item(order, shop.product(order), 1, added=True))
    shop.tell(order, "orders/updated")
    shop.later(order, 5, 60)
    shop.pay(order)
    shop.tell_payments(order)
    shop.tell(order, "orders/paid")


def cancelled_and_refunded(shop: Shop) -> None:
    """Cancelled before it left: everything is given back at once."""
    order = shop.sold()
    shop.later(order, 10, 60)
    everything = [(item, item.quantity) for item in order.kept]
    refund = shop.refund(order, everything, shipping=True, restock="cancel")
    order.cancelled_at = order.updated
    shop.tell_refund(order, refund)
    shop.tell(order, "orders/cancelled")


def voided(shop: Shop) -> None:
    """An authorization that is released: nothing was ever taken."""
    order = shop.held()
    shop.later(order, 20, 200)
    held = order.payments[-1]
    shop.add_payment(order, "void", held.gateway, held.amount, parent=held)
    order.cancelled_at = order.updated
    shop.tell_payments(order)
    shop.tell(order, "orders/cancelled")


def paid_on_delivery(shop: Shop) -> None:
    """Placed unpaid, paid in the evening."""
    order = shop.place()
    shop.tell(order, "orders/create")
    shop.later(order, 60, 300)
    shop.pay(order, "manual")
    shop.tell_payments(order)
    shop.tell(order, "orders/paid")


def never_paid(shop: Shop) -> None:
    """Placed and left: no revenue."""
    shop.tell(shop.place(), "orders/create")


def paid_in_other_currency(shop: Shop) -> None:
    """The buyer sees and pays another currency; the shop keeps its own."""
    order = shop.place()
    order.buyer_currency, order.buyer_rate = "CAD", Decimal("1.3725")
    shop.pay(order, "shopify_payments")
    order.payments[-1].foreign = shown(order, order.total)
    shop.tell(order, "orders/create")
    shop.tell_payments(order)


# --- what should not be posted --------------------------------------------------


def test_order(shop: Shop) -> None:
    """A developer's own order."""
    order = shop.place(counted=False)
    order.test = True
    shop.pay(order)
    shop.tell(order, "orders/create")
    shop.truth.test_orders += 1


def without_address(shop: Shop) -> None:
    """Nobody can say where it is taxed."""
    order = shop.place(counted=False)
    order.homeless = True
    shop.pay(order)
    shop.tell(order, "orders/create")
    shop.truth.quarantined["MISSING_JURISDICTION"] += 1


def with_wrong_total(shop: Shop) -> None:
    """The parts do not add up to what it says."""
    order = shop.place(counted=False)
    shop.pay(order)
    order.first_total = order.total + 1000
    shop.tell(order, "orders/create", wrong_total=True)
    shop.truth.quarantined["TOTAL_MISMATCH"] += 1


def without_currency(shop: Shop) -> None:
    """An amount of nothing in particular."""
    order = shop.place(counted=False)
    shop.pay(order)
    shop.tell(order, "orders/create", without="currency")
    shop.truth.quarantined["MISSING_CURRENCY"] += 1


def orphan_payment(shop: Shop) -> None:
    """A payment whose order never comes."""
    order = shop.place(counted=False)
    shop.pay(order)
    shop.tell_payments(order)
    shop.truth.orphans += 1


STORIES: dict[str, Callable[[Shop], None]] = {
    story.__name__: story
    for story in (
        paid_at_once,
        captured_later,
        split_with_gift_card,
        with_order_discount,
        with_line_discount,
        with_shipping_discount,
        with_tip,
        gift_card_sold,
        unknown_item,
        scarce_item,
        returned_in_part,
        returned_in_full,
        split_and_returned,
        goodwill,
        refund_settles_later,
        refund_stays_pending,
        line_removed,
        line_added,
        cancelled_and_refunded,
        voided,
        paid_on_delivery,
        never_paid,
        paid_in_other_currency,
        test_order,
        without_address,
        with_wrong_total,
        without_currency,
        orphan_payment,
    )
}
