"""A sandbox Shopify shop: what happens to its orders in a day, told in webhooks as Shopify tells it. Pure."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import UUID

import msgspec

from salessync.sandbox import people
from salessync.sandbox.catalog import GIFT_CARD, PRODUCTS, Product
from salessync.sandbox.delivery import Delivery
from salessync.sandbox.people import Person
from salessync.sandbox.shopify_kinds import Kind
from salessync.sandbox.shopify_order import Item, Levy, Order, Payment, Refund, Taxed, spread
from salessync.sandbox.shopify_payload import (
    CARD_COMPANIES,
    Json,
    major,
    order_payload,
    refund_payload,
    transaction_payload,
)
from salessync.sandbox.truth import Truth

_encoder = msgspec.json.Encoder(decimal_format="number")
_RUN = 1_000_000
_SHOP = 100_000


@dataclass
class Shop:
    """One channel's day: places orders, lets things happen to them, and tells of it, always with a later `updated_at`."""

    slug: str
    kind: Kind
    rng: Random
    run: int
    day: date
    deliveries: list[Delivery] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    truth: Truth = field(default_factory=Truth)
    people: list[Person] = field(default_factory=list)
    told: set[int] = field(default_factory=set)  # payments
    made: int = 0

    # --- an order's life -------------------------------------------------------

    def place(
        self, *, least: int = 1, units: tuple[int, int] = (1, 2), extra: Product | None = None, markdown: bool = False,
        code: bool = False, shipping_discount: bool = False, tip: int = 0, counted: bool = True,
    ) -> Order:  # fmt: skip
        """A new order with one to three lines, not yet told."""
        order = self._empty_order()
        for _ in range(self.rng.randint(least, 3)):
            order.items.append(self.item(order, self.product(order), self.rng.randint(*units)))
        if extra:
            order.items.append(self.item(order, extra, 1))
        if markdown:
            self._mark_down(order)
        if code:
            self._redeem_code(order)
        self._add_shipping(order, discounted=shipping_discount)
        order.tip = tip
        if counted:
            self.orders.append(order)
        return order

    def sold(self, **wishes: Any) -> Order:
        """An order that is paid at checkout, and told."""
        order = self.place(**wishes)
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        return order

    def held(self, **wishes: Any) -> Order:
        """An order whose money is held at checkout, and told."""
        order = self.place(**wishes)
        self.authorize(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        return order

    def _empty_order(self) -> Order:
        self.made += 1
        id = 6_000_000_000_000 + self.run * _RUN + self.kind.index * _SHOP + self.made
        opened = datetime.combine(self.day, time(8), self.kind.zone)
        buyer = people.invent(self.rng, list(self.kind.places))
        self.people.append(buyer)
        at = opened + timedelta(seconds=self.rng.randrange(9 * 3600))
        return Order(
            id=id, name=f"{self.kind.prefix}{self.run}{self.made:05d}", number=self.made, currency=self.kind.currency,
            inclusive=self.kind.inclusive, zone=self.kind.zone, at=at, buyer=buyer, items=[], shipping=None, updated=at,
        )  # fmt: skip

    def product(self, order: Order) -> Product:
        """Something that the order does not have yet."""
        taken = {item.product for item in order.items} | {PRODUCTS[0]}
        return self.rng.choice([product for product in PRODUCTS if product not in taken])

    def item(self, order: Order, product: Product, quantity: int, *, added: bool = False) -> Item:
        """A line of it; the last digit of its id tells lines that an edit added."""
        price = product.euro if self.kind.inclusive else product.cents
        return Item(
            id=order.id * 1000 + (len(order.items) + 1) * 10 + (9 if added else 0), gross=price * quantity, allocations=[],
            levies=[] if product is GIFT_CARD else self._levies(order, product.vat), inclusive=order.inclusive,
            product=product, quantity=quantity,
        )  # fmt: skip

    def _levies(self, order: Order, vat: int) -> list[Levy]:
        """A place's taxes; where it has a standard and a reduced rate, the product decides."""
        levies = self.kind.places[order.buyer.place]
        if not self.kind.inclusive:
            return list(levies)
        return [levy for levy in levies if levy.rate * 100 == vat]

    def _mark_down(self, order: Order) -> None:
        order.applications.append({
            "target_type": "line_item", "type": "manual", "value": "20.0", "value_type": "percentage",
            "allocation_method": "each", "target_selection": "explicit", "title": "Last season", "description": None,
        })  # fmt: skip
        item = order.items[0]
        item.allocations.append((len(order.applications) - 1, item.gross // 5))

    def _redeem_code(self, order: Order) -> None:
        amount = min(self.rng.choice([300, 500, 1000]), sum(item.net for item in order.items) // 2)
        order.applications.append({
            "target_type": "line_item", "type": "discount_code", "value": major(amount), "value_type": "fixed_amount",
            "allocation_method": "across", "target_selection": "all", "code": f"ROAST{amount // 100}",
        })  # fmt: skip
        spread(amount, order.items, len(order.applications) - 1)

    def _add_shipping(self, order: Order, *, discounted: bool) -> None:
        if all(item.product is GIFT_CARD for item in order.items):
            return
        title, price = self.rng.choice(self.kind.shipping)
        order.shipping_title = title
        order.shipping = Taxed(
            id=order.id * 1000 + 1,
            gross=price,
            allocations=[],
            levies=self._levies(order, 19),
            inclusive=order.inclusive,
        )
        if discounted:
            order.applications.append({
                "target_type": "shipping_line", "type": "automatic", "value": "50.0", "value_type": "percentage",
                "allocation_method": "each", "target_selection": "all", "title": "Half shipping",
            })  # fmt: skip
            order.shipping.allocations.append((len(order.applications) - 1, price // 2))

    def later(self, order: Order, least: int, most: int) -> None:
        """Some minutes pass."""
        assert order.updated is not None
        order.updated += timedelta(minutes=self.rng.randint(least, most), seconds=self.rng.randrange(60))

    def close(self, order: Order) -> None:
        """Everything is done: the order is archived."""
        self.later(order, 60, 200)
        order.closed_at = order.updated
        self.tell(order, "orders/updated")

    def add_payment(self, order: Order, kind: str, gateway: str, amount: int, parent: Payment | None = None) -> Payment:
        """A transaction of the order, a second after the last thing that happened to it."""
        assert order.updated is not None
        order.updated += timedelta(seconds=1)
        card = gateway == "shopify_payments" and parent is None
        payment = Payment(
            id=order.id * 100 + 10 + len(order.payments), kind=kind, gateway=gateway, amount=amount, at=order.updated,
            parent=parent, last4=self.rng.choice(list(CARD_COMPANIES)) if card else parent.last4 if parent else None,
        )  # fmt: skip
        order.payments.append(payment)
        return payment

    def pay(self, order: Order, gateway: str | None = None) -> None:
        """Take what is due in one sale."""
        self.add_payment(order, "sale", gateway or self.rng.choice(self.kind.gateways), order.total - order.captured)

    def pay_split(self, order: Order) -> None:
        """A gift card for a part, a card for the rest."""
        part = order.total * self.rng.randint(2, 6) // 10
        self.add_payment(order, "sale", "gift_card", part)
        self.add_payment(order, "sale", "shopify_payments", order.total - part)

    def authorize(self, order: Order) -> None:
        """Hold the money."""
        self.add_payment(order, "authorization", "shopify_payments", order.total)

    def capture(self, order: Order) -> None:
        """Take what was held, as far as it is still due."""
        held = order.payments[-1]
        self.add_payment(order, "capture", held.gateway, order.total - order.captured, parent=held)

    def refund(
        self, order: Order, lines: list[tuple[Item, int]], *, shipping: bool = False, amount: int | None = None,
        restock: str = "return", pending: bool = False,
    ) -> Refund:  # fmt: skip
        """Give back lines, the shipping or an amount, to the payments they came from."""
        assert order.updated is not None
        order.updated += timedelta(seconds=1)
        refund = Refund(
            id=order.id * 10 + len(order.refunds) + 1, at=order.updated, restock=restock, pending=pending,
            note=self.rng.choice(["did not like it", "arrived broken", "ordered twice", "goodwill"]),
        )  # fmt: skip
        for item, units in lines:
            net, tax = item.part(units)
            item.returned += units
            refund.items.append((item, units, net, tax))
        if shipping and order.shipping:
            refund.shipping = (order.shipping.net, order.shipping.tax)
        parts = [(net, tax) for _, _, net, tax in refund.items] + ([refund.shipping] if refund.shipping else [])
        owed = sum(net + (0 if order.inclusive else tax) for net, tax in parts) if amount is None else amount
        self._give_back(order, refund, owed)
        order.refunds.append(refund)
        return refund

    def _give_back(self, order: Order, refund: Refund, owed: int) -> None:
        for payment in [p for p in order.payments if p.kind in ("sale", "capture")]:
            amount = min(owed, payment.amount - payment.refunded)
            if amount:
                payment.refunded += amount
                refund.money.append((refund.id * 10 + len(refund.money), payment, amount))
                owed -= amount
        assert owed == 0, "a sandbox shop never gives back more than it took"

    # --- telling ---------------------------------------------------------------

    def tell(self, order: Order, topic: str, *, without: str | None = None, wrong_total: bool = False) -> None:
        """An orders/* webhook of its present state."""
        assert order.updated is not None
        if order.first_total is None:
            order.first_total = order.total
        order.updated += timedelta(seconds=1)
        payload = order_payload(order)
        if without:
            del payload[without]
        if wrong_total:
            payload["current_total_price"] = payload["total_price"]
        self._send(topic, payload, order, order.updated, opens=True)

    def tell_payments(self, order: Order) -> None:
        """order_transactions/create of every payment that was not told yet."""
        assert order.updated is not None
        for payment in order.payments:
            if payment.id not in self.told:
                self.told.add(payment.id)
                self._send("order_transactions/create", transaction_payload(order, payment), order, order.updated)

    def tell_refund(self, order: Order, refund: Refund) -> None:
        """refunds/create."""
        self._send("refunds/create", refund_payload(order, refund), order, refund.at)

    def _send(self, topic: str, payload: Json, order: Order, at: datetime, *, opens: bool = False) -> None:
        delivery_id = str(UUID(int=self.rng.getrandbits(128), version=4))
        self.deliveries.append(
            Delivery(
                self.slug,
                topic,
                _encoder.encode(payload),
                delivery_id,
                at,
                subject=str(order.id),
                opens=opens,
            )
        )
