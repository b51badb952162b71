"""A sandbox Shopify shop: what happens to its orders in a day, told in webhooks as Shopify tells it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

import msgspec

from salessync.sandbox import people
from salessync.sandbox.catalog import GIFT_CARD, PRODUCTS, UNKNOWN, Product
from salessync.sandbox.delivery import Delivery
from salessync.sandbox.people import Person
from salessync.sandbox.shopify_kinds import Kind
from salessync.sandbox.shopify_order import (
    CARD_COMPANIES, Item, Json, Levy, Order, Payment, Refund, Taxed, major, order_payload, refund_payload, shown, spread,
    transaction_payload,
)  # fmt: skip
from salessync.sandbox.shopify_truth import book
from salessync.sandbox.truth import Truth

_encoder = msgspec.json.Encoder(decimal_format="number")
_RUN = 1_000_000
_SHOP = 100_000


@dataclass
class Shop:
    """One channel's day. Every method that changes an order tells it at once, with a later `updated_at`."""

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

    def trade(self, count: int) -> None:
        """Tell `count` orders: each scenario once, then by weight; then the figures they leave."""
        names = [name for name, _ in self.kind.scenarios]
        weights = [weight for _, weight in self.kind.scenarios]
        deck = names[:count] + self.rng.choices(names, weights, k=max(count - len(names), 0))
        self.rng.shuffle(deck)
        for name in deck:
            scenario: Callable[[], None] = getattr(self, name)
            scenario()
        for order in self.orders:
            book(self.slug, order, self.truth)

    # --- scenarios -------------------------------------------------------------

    def paid_at_once(self) -> None:
        """Most orders: a card charged at checkout."""
        order = self.place()
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        if self.rng.random() < 0.5:
            self.tell(order, "orders/paid")
        if self.rng.random() < 0.3:
            self.close(order)

    def captured_later(self) -> None:
        """Authorized at checkout, captured when the parcel leaves."""
        order = self.place()
        self.authorize(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        self.later(order, 30, 300)
        self.capture(order)
        self.tell_payments(order)
        self.tell(order, "orders/paid")

    def split_with_gift_card(self) -> None:
        """A gift card pays a part, a card the rest."""
        order = self.place(least=2)
        self.pay_split(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)

    def with_order_discount(self) -> None:
        """A code on the whole order."""
        order = self.place(least=2, code=True)
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)

    def with_line_discount(self) -> None:
        """One line marked down, and the whole order by a code."""
        order = self.place(least=2, markdown=True, code=self.rng.random() < 0.4)
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)

    def with_shipping_discount(self) -> None:
        """Half of the shipping is on the house."""
        order = self.place(shipping_discount=True)
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)

    def with_tip(self) -> None:
        """The buyer tips at checkout."""
        order = self.place(tip=self.rng.choice([100, 200, 350]))
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)

    def gift_card_sold(self) -> None:
        """A gift card among the goods: a liability, no revenue, no tax."""
        order = self.place(extra=GIFT_CARD)
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)

    def unknown_item(self) -> None:
        """Something that no catalogue knows."""
        order = self.place(extra=UNKNOWN)
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)

    def scarce_item(self) -> None:
        """What the shelf is short of."""
        order = self.place(extra=PRODUCTS[0])
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)

    def returned_in_part(self) -> None:
        """One to three refunds by line; the parcel is kept, some goods go back on the shelf."""
        order = self.place(least=2, units=(2, 4))
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        for _ in range(self.rng.randint(1, 3)):
            candidates = [item for item in order.kept if item.current > 0]
            if sum(item.current for item in candidates) < 2:
                break
            item = self.rng.choice(candidates)
            units = (
                1 if sum(i.current for i in candidates) == 2 else self.rng.randint(1, min(item.current, 2))
            )
            self.later(order, 20, 120)
            refund = self.refund(
                order, [(item, units)], restock=self.rng.choice(["return", "return", "no_restock"])
            )
            self.tell_refund(order, refund)
            if self.rng.random() < 0.5:
                self.tell(order, "orders/updated")

    def returned_in_full(self) -> None:
        """Everything comes back, in two refunds, the shipping with the last."""
        order = self.place(least=2)
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        first, *others = order.kept
        self.later(order, 30, 120)
        self.tell_refund(order, self.refund(order, [(first, first.quantity)]))
        self.later(order, 30, 120)
        rest = [(item, item.quantity) for item in others]
        self.tell_refund(order, self.refund(order, rest, shipping=True))
        self.tell(order, "orders/updated")

    def split_and_returned(self) -> None:
        """Paid by gift card and card, one line given back to both."""
        order = self.place(least=2)
        self.pay_split(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        item = max(order.kept, key=lambda i: i.net)
        self.later(order, 30, 200)
        self.tell_refund(order, self.refund(order, [(item, item.quantity)]))

    def goodwill(self) -> None:
        """Money back and nothing returned."""
        order = self.place()
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        self.later(order, 30, 200)
        self.tell_refund(order, self.refund(order, [], amount=max(order.total // self.rng.randint(4, 9), 1)))
        if self.rng.random() < 0.5:
            self.tell(order, "orders/updated")

    def refund_settles_later(self) -> None:
        """A refund that its processor pays only later; the order's next update says so."""
        order = self.place()
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        item = order.kept[0]
        self.later(order, 10, 60)
        refund = self.refund(order, [(item, 1)], pending=True)
        self.tell_refund(order, refund)
        self.later(order, 60, 200)
        refund.pending, refund.settled_at = False, order.updated
        self.tell(order, "orders/updated")

    def refund_stays_pending(self) -> None:
        """A refund that is still on its way when the day ends."""
        order = self.place()
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        self.later(order, 60, 200)
        self.tell_refund(order, self.refund(order, [(order.kept[0], 1)], pending=True))

    def line_removed(self) -> None:
        """An edit takes a line out before the money is captured."""
        order = self.place(least=2)
        self.authorize(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        self.later(order, 5, 40)
        order.kept[-1].removed = True
        self.tell(order, "orders/updated")
        self.later(order, 20, 100)
        self.capture(order)
        self.tell_payments(order)
        self.tell(order, "orders/paid")

    def line_added(self) -> None:
        """An edit adds a line, which is paid on its own."""
        order = self.place()
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        self.later(order, 5, 40)
        order.items.append(self.item(order, self.product(order), 1, added=True))
        self.tell(order, "orders/updated")
        self.later(order, 5, 60)
        self.pay(order)
        self.tell_payments(order)
        self.tell(order, "orders/paid")

    def cancelled_and_refunded(self) -> None:
        """Cancelled before it left: everything is given back at once."""
        order = self.place()
        self.pay(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        self.later(order, 10, 60)
        everything = [(item, item.quantity) for item in order.kept]
        refund = self.refund(order, everything, shipping=True, restock="cancel")
        order.cancelled_at = order.updated
        self.tell_refund(order, refund)
        self.tell(order, "orders/cancelled")

    def voided(self) -> None:
        """An authorization that is released: nothing was ever taken."""
        order = self.place()
        self.authorize(order)
        self.tell(order, "orders/create")
        self.tell_payments(order)
        self.later(order, 20, 200)
        held = order.payments[-1]
        self.add_payment(order, "void", held.gateway, held.amount, parent=held)
        order.cancelled_at = order.updated
        self.tell_payments(order)
        self.tell(order, "orders/cancelled")

    def paid_on_delivery(self) -> None:
        """Placed unpaid, paid in the evening."""
        order = self.place()
        self.tell(order, "orders/create")
        self.later(order, 60, 300)
        self.pay(order, "manual")
        self.tell_payments(order)
        self.tell(order, "orders/paid")

    def never_paid(self) -> None:
        """Placed and left: no revenue."""
        self.tell(self.place(), "orders/create")

    def paid_in_other_currency(self) -> None:
        """The buyer sees and pays another currency; the shop keeps its own."""
        order = self.place()
        order.buyer_currency, order.buyer_rate = "CAD", Decimal("1.3725")
        self.pay(order, "shopify_payments")
        order.payments[-1].foreign = shown(order, order.total)
        self.tell(order, "orders/create")
        self.tell_payments(order)

    # --- what should not be posted ---------------------------------------------

    def test_order(self) -> None:
        """A developer's own order."""
        order = self.place(counted=False)
        order.test = True
        self.pay(order)
        self.tell(order, "orders/create")
        self.truth.test_orders += 1

    def without_address(self) -> None:
        """Nobody can say where it is taxed."""
        order = self.place(counted=False)
        order.homeless = True
        self.pay(order)
        self.tell(order, "orders/create")
        self.truth.quarantined["MISSING_JURISDICTION"] += 1

    def with_wrong_total(self) -> None:
        """The parts do not add up to what it says."""
        order = self.place(counted=False)
        self.pay(order)
        order.first_total = order.total + 1000
        self.tell(order, "orders/create", wrong_total=True)
        self.truth.quarantined["TOTAL_MISMATCH"] += 1

    def without_currency(self) -> None:
        """An amount of nothing in particular."""
        order = self.place(counted=False)
        self.pay(order)
        self.tell(order, "orders/create", without="currency")
        self.truth.quarantined["MISSING_CURRENCY"] += 1

    def orphan_payment(self) -> None:
        """A payment whose order never comes."""
        order = self.place(counted=False)
        self.pay(order)
        self.tell_payments(order)
        self.truth.orphans += 1

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

    def add_payment(
        self, order: Order, kind: str, gateway: str, amount: int, parent: Payment | None = None
    ) -> Payment:
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
        self.add_payment(
            order, "sale", gateway or self.rng.choice(self.kind.gateways), order.total - order.captured
        )

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
        parts = [(net, tax) for _, _, net, tax in refund.items] + (
            [refund.shipping] if refund.shipping else []
        )
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

    def tell(
        self, order: Order, topic: str, *, without: str | None = None, wrong_total: bool = False
    ) -> None:
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
                self._send(
                    "order_transactions/create", transaction_payload(order, payment), order, order.updated
                )

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
