"""What an order of a sandbox Shopify shop leaves in the books and on the shelf when all has been told. Pure."""

from salessync.sandbox.catalog import GIFT_CARD, STOCKED
from salessync.sandbox.shopify_order import Levy, Order, Payment, Refund, Taxed
from salessync.sandbox.truth import (
    ALLOWANCES,
    DISCOUNTS,
    GIFT_CARDS,
    IN_TRANSIT,
    RETURNS,
    SALES,
    SHIPPING,
    TAX,
    TIPS,
    Truth,
    share,
)  # fmt: skip

FIRST = "roastery-us"  # of several shops of one kind the first has the vendor's own processor, any other one by its own name

CLEARING = {
    "shopify_payments": "Assets:Clearing:Shopify",
    "paypal": "Assets:Clearing:Paypal",
    "klarna": "Assets:Clearing:Klarna",
    "gift_card": GIFT_CARDS,
}


def book(channel: str, order: Order, truth: Truth) -> None:
    """Add an order's final state."""
    truth.sales[channel] += 1
    truth.refunds[channel] += len(order.refunds)
    if not order.captured:
        return
    truth.standing[channel] += 1
    for item in order.kept:
        _book_part(channel, order, item, GIFT_CARDS if item.product is GIFT_CARD else SALES, truth)
        if item.product.sku in STOCKED:
            truth.shelf(channel, item.product.sku, -item.quantity)
    if order.shipping:
        _book_part(channel, order, order.shipping, SHIPPING, truth)
    truth.put(channel, order.currency, TIPS, -order.tip)
    for payment in order.payments:
        if payment.kind in ("sale", "capture"):
            truth.put(channel, order.currency, _money(channel, payment), payment.amount)
    for refund in order.refunds:
        _book_refund(channel, order, refund, truth)


def _money(channel: str, payment: Payment) -> str:
    """Where a payment lies; a manual one, which no processor pays out, with the channel."""
    own = payment.gateway == "shopify_payments" and channel != FIRST
    return (None if own else CLEARING.get(payment.gateway)) or f"Assets:Clearing:{channel.capitalize()}"


def _book_part(channel: str, order: Order, part: Taxed, account: str, truth: Truth) -> None:
    net = part.net - part.tax if order.inclusive else part.net
    discount = share(part.discount, net, part.net) if order.inclusive and part.net else part.discount
    truth.put(channel, order.currency, account, -(net + discount))
    truth.put(channel, order.currency, DISCOUNTS, discount)
    truth.put(channel, order.currency, TAX, -part.tax)


def _book_refund(channel: str, order: Order, refund: Refund, truth: Truth) -> None:
    back = [(RETURNS, net, tax) for _, _, net, tax in refund.items]
    if refund.shipping:
        back.append((SHIPPING, *refund.shipping))
    for account, net, tax in back:
        truth.put(channel, order.currency, account, net - tax if order.inclusive else net)
        truth.put(channel, order.currency, TAX, tax)
    if not back:
        _book_allowance(channel, order, refund.total, truth)
    for _, payment, amount in refund.money:
        account = IN_TRANSIT if refund.pending else _money(channel, payment)
        truth.put(channel, order.currency, account, -amount)
    if refund.restock in ("return", "cancel"):
        for item, units, _, _ in refund.items:
            if item.product.sku in STOCKED:
                truth.shelf(channel, item.product.sku, units)


def _book_allowance(channel: str, order: Order, amount: int, truth: Truth) -> None:
    """Goodwill carries its share of each of the order's taxes."""
    taxes: dict[Levy, int] = {}
    for part in order.parts:
        for levy, tax in zip(part.levies, part.taxes, strict=True):
            taxes[levy] = taxes.get(levy, 0) + tax
    shares = sum(share(amount, tax, order.total) for tax in taxes.values())
    truth.put(channel, order.currency, TAX, shares)
    truth.put(channel, order.currency, ALLOWANCES, amount - shares)
