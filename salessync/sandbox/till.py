"""A sandbox till: a café counter that speaks the canonical record itself (adapter `standard`). Pure."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from salessync.sandbox.catalog import PRODUCTS, Product
from salessync.sandbox.delivery import Delivery
from salessync.sandbox.truth import RETURNS, SALES, TAX, TIPS, Truth

Json = dict[str, Any]

CURRENCY = "USD"
ZONE = ZoneInfo("America/New_York")
LOCATION = "counter"
TAXES = (("New York State", "US-NY", "4.0"), ("New York City", "US-NY-NYC", "4.875"))
SCENARIOS = (
    ("cash", 30), ("card", 30), ("card_with_tip", 15), ("card_and_cash", 6), ("voided", 3), ("returned", 6),
    ("returned_in_parts", 3), ("offline", 4), ("scarce", 2), ("without_jurisdiction", 0),
)  # fmt: skip

_encoder = msgspec.json.Encoder()


@dataclass
class Ticket:
    """One sale at the counter; `versions` counts what was told of it."""

    id: str
    number: str
    at: datetime
    register: str
    lines: list[Json]
    tenders: list[Json] = field(default_factory=list)
    version: int = 0
    voided: bool = False
    offline: bool = False
    refunds: int = 0
    returned: Counter[str] = field(default_factory=Counter)
    placed: bool = True

    @property
    def total(self) -> int:
        return sum(line["net"] + line["tax"] for line in self.lines)


@dataclass
class Till:
    """One channel's day at the counter."""

    slug: str
    rng: Random
    run: int
    day: date
    deliveries: list[Delivery] = field(default_factory=list)
    truth: Truth = field(default_factory=Truth)
    made: int = 0

    def trade(self, count: int) -> None:
        """Ring up `count` tickets: each scenario once, then by weight."""
        names, weights = [name for name, _ in SCENARIOS], [weight for _, weight in SCENARIOS]
        deck = names[:count] + self.rng.choices(names, weights, k=max(count - len(names), 0))
        self.rng.shuffle(deck)
        for name in deck:
            scenario: Callable[[], None] = getattr(self, name)
            scenario()

    # --- scenarios -------------------------------------------------------------

    def cash(self) -> Ticket:
        """Paid with notes, change given."""
        ticket = self.ring_up()
        self.take_cash(ticket, ticket.total)
        self.tell(ticket)
        return ticket

    def card(self) -> Ticket:
        """Paid by card at the terminal."""
        ticket = self.ring_up()
        self.take_card(ticket, ticket.total)
        self.tell(ticket)
        return ticket

    def card_with_tip(self) -> Ticket:
        """A tip added on the terminal."""
        ticket = self.ring_up(tip=self.rng.choice([50, 100, 150, 300]))
        self.take_card(ticket, ticket.total, tip=ticket.lines[-1]["net"])
        self.tell(ticket)
        return ticket

    def card_and_cash(self) -> None:
        """Two people share a bill."""
        ticket = self.ring_up(least=2)
        half = ticket.total // 2
        self.take_card(ticket, half)
        self.take_cash(ticket, ticket.total - half)
        self.tell(ticket)

    def voided(self) -> None:
        """Rung up, paid, and undone at the counter."""
        ticket = self.card() if self.rng.random() < 0.5 else self.cash()
        ticket.voided = True
        self.tell(ticket)

    def returned(self) -> None:
        """Something comes back, to where its money came from."""
        ticket = self.cash() if self.rng.random() < 0.5 else self.card()
        self.give_back(ticket, [ticket.lines[0]], restock=self.rng.choice(["return", "none"]))

    def returned_in_parts(self) -> None:
        """Everything comes back, one line at a time."""
        ticket = self.ring_up(least=2)
        self.take_card(ticket, ticket.total)
        self.tell(ticket)
        for line in ticket.lines:
            self.give_back(ticket, [line], restock="return")

    def offline(self) -> None:
        """Sold while the line was down, told hours later."""
        ticket = self.ring_up()
        ticket.offline = True
        self.take_cash(ticket, ticket.total)
        self.tell(ticket, delay=timedelta(hours=3))

    def scarce(self) -> None:
        """What the shelf is short of."""
        ticket = self.ring_up(product=PRODUCTS[0])
        self.take_card(ticket, ticket.total)
        self.tell(ticket)

    def without_jurisdiction(self) -> None:
        """A till that was set up in haste does not say where it stands."""
        ticket = self.ring_up()
        ticket.placed = False
        self.take_card(ticket, ticket.total)
        self._send(ticket, "sale", self._sale(ticket), timedelta())
        self.truth.quarantined["MISSING_JURISDICTION"] += 1

    # --- a ticket --------------------------------------------------------------

    def ring_up(self, *, least: int = 1, tip: int = 0, product: Product | None = None) -> Ticket:
        """A ticket with one to three lines, not yet paid."""
        self.made += 1
        chosen = self.rng.sample(PRODUCTS[1:], self.rng.randint(least, 3)) + ([product] if product else [])
        lines = [_line(position, one, self.rng.randint(1, 2)) for position, one in enumerate(chosen, 1)]
        if tip:
            lines.append(_tip_line(tip))
        at = datetime.combine(self.day, time(7), ZONE) + timedelta(seconds=self.rng.randrange(11 * 3600))
        number = f"{self.run}-{self.made:04d}"
        return Ticket(
            id=f"t-{number}", number=number, at=at.astimezone(UTC), register=self.rng.choice(["till-1", "till-2"]),
            lines=lines,
        )  # fmt: skip

    def take_cash(self, ticket: Ticket, amount: int) -> None:
        """Notes over the counter, and the change."""
        handed = -(-amount // 500) * 500
        ticket.tenders.append(
            _tender(
                f"{ticket.id}/{len(ticket.tenders) + 1}",
                "cash",
                amount,
                tendered=handed,
                change=handed - amount,
            )
        )

    def take_card(self, ticket: Ticket, amount: int, tip: int = 0) -> None:
        """A card at the terminal; the amount holds the tip."""
        identifier = f"{ticket.id}/{len(ticket.tenders) + 1}"
        ticket.tenders.append(
            _tender(identifier, "card", amount, tip=tip, processor="terminal", reference=f"tm_{identifier}",
                    card={"brand": "visa", "last4": "4242"})
        )  # fmt: skip

    def give_back(self, ticket: Ticket, lines: list[Json], *, restock: str) -> None:
        """A refund of whole lines to the ticket's first tender."""
        ticket.refunds += 1
        at = ticket.at + timedelta(minutes=20 * ticket.refunds)
        paid = ticket.tenders[0]
        amount = sum(line["net"] + line["tax"] for line in lines)
        record = _envelope(f"{ticket.id}/r{ticket.refunds}", "1", ticket, at) | {
            "type": "refund",
            "sale": ticket.id,
            "status": "succeeded",
            "reason": "returned at the counter",
            "lines": [_refund_line(line, restock) for line in lines],
            "tenders": [
                {"id": f"{ticket.id}/r{ticket.refunds}/1", "parent": paid["id"], "type": paid["type"], "amount": amount,
                 "processor": paid["processor"], "reference": None}
            ],
            "totals": {
                "net": sum(line["net"] for line in lines), "tax": sum(line["tax"] for line in lines), "total": amount,
            },
        }  # fmt: skip
        self._send(ticket, "refund", record, timedelta(minutes=20 * ticket.refunds), opens=False)
        self._book_refund(ticket, lines, amount, restock)

    # --- telling ---------------------------------------------------------------

    def tell(self, ticket: Ticket, delay: timedelta = timedelta()) -> None:
        """The ticket as it stands, as its next version."""
        ticket.version += 1
        self._send(ticket, "sale", self._sale(ticket), delay + timedelta(minutes=ticket.version))
        if ticket.version == 1:
            self.truth.sales[self.slug] += 1
            self._book(ticket, 1)
        elif ticket.voided:
            self._book(ticket, -1)

    def _sale(self, ticket: Ticket) -> Json:
        paid = 0 if ticket.voided else ticket.total
        lines = ticket.lines
        goods = [line for line in lines if line["type"] == "item"]
        status = {"status": "voided"} if ticket.voided else {}
        record = _envelope(ticket.id, str(max(ticket.version, 1)), ticket, ticket.at) | {
            "type": "sale",
            "status": "voided" if ticket.voided else "completed",
            "payment_status": "voided" if ticket.voided else "paid",
            "jurisdiction": {"country": "US", "region": "NY", "postcode": "10014", "city": "New York", "basis": "store"},
            "tax_inclusive": False,
            "lines": lines,
            "tenders": [tender | status for tender in ticket.tenders],
            "totals": {
                "gross": sum(line["gross"] for line in goods), "net": sum(line["net"] for line in goods),
                "tip": sum(line["net"] for line in lines if line["type"] == "tip"),
                "tax": sum(line["tax"] for line in lines), "total": ticket.total, "paid": paid, "due": ticket.total - paid,
            },
        }  # fmt: skip
        if not ticket.placed:
            record["jurisdiction"] = None
        return record

    def _send(self, ticket: Ticket, topic: str, record: Json, delay: timedelta, *, opens: bool = True) -> None:
        self.deliveries.append(
            Delivery(
                channel=self.slug, topic=topic, body=_encoder.encode(record), at=ticket.at + delay, subject=ticket.id,
                delivery_id=f"msg_{record['source']['id']}_{record['source']['version']}".replace("/", "-"), opens=opens,
            )
        )  # fmt: skip

    # --- what it leaves in the books -------------------------------------------

    def _book(self, ticket: Ticket, sign: int) -> None:
        self.truth.standing[self.slug] += sign
        for line in ticket.lines:
            self._put(TIPS if line["type"] == "tip" else SALES, -sign * line["net"])
            self._put(TAX, -sign * line["tax"])
            if line["type"] == "item":
                self.truth.shelf(self.slug, _SKU[line["sku"]], -sign * int(line["quantity"]))
        for tender in ticket.tenders:
            self._put(_drawer(ticket, tender), sign * tender["amount"])

    def _book_refund(self, ticket: Ticket, lines: list[Json], amount: int, restock: str) -> None:
        self.truth.refunds[self.slug] += 1
        for line in lines:
            self._put(RETURNS, line["net"])
            self._put(TAX, line["tax"])
            if restock == "return":
                self.truth.shelf(self.slug, _SKU[line["sku"]], int(line["quantity"]))
        self._put(_drawer(ticket, ticket.tenders[0]), -amount)

    def _put(self, account: str, amount: int) -> None:
        self.truth.put(self.slug, CURRENCY, account, amount)


_SKU = {product.plu: product.sku for product in PRODUCTS}


def _drawer(ticket: Ticket, tender: Json) -> str:
    """Cash lies in the register's drawer, card money with the terminal's processor."""
    return f"Assets:Till:{ticket.register.capitalize()}" if tender["type"] == "cash" else "Assets:Clearing:Terminal"


def _envelope(identifier: str, version: str, ticket: Ticket, at: datetime) -> Json:
    return {
        "schema": "salessync/1",
        "source": {
            "id": identifier, "version": version, "number": ticket.number, "location": LOCATION,
            "register": ticket.register, "test": False, "offline": ticket.offline,
        },
        "occurred_at": at.isoformat().replace("+00:00", "Z"),
        "timezone": ZONE.key,
        "business_date": at.astimezone(ZONE).date().isoformat(),
        "currency": CURRENCY,
        "extensions": {},
    }  # fmt: skip


def _line(position: int, product: Product, quantity: int) -> Json:
    net = product.cents * quantity
    taxes = [
        {"name": name, "jurisdiction": place, "rate": rate, "collector": "merchant",
         "amount": int((Decimal(net) * Decimal(rate) / 100).quantize(Decimal(1), ROUND_HALF_UP))}
        for name, place, rate in TAXES
    ]  # fmt: skip
    return {
        "id": str(position), "type": "item", "sku": product.plu, "name": product.name, "category": product.category,
        "quantity": str(quantity), "unit_price": f"{product.cents // 100}.{product.cents % 100:02d}", "gross": net,
        "discount": 0, "net": net, "discounts": [], "taxes": taxes, "tax": sum(tax["amount"] for tax in taxes),
    }  # fmt: skip


def _tip_line(amount: int) -> Json:
    return {
        "id": "tip", "type": "tip", "name": "Tip", "quantity": "1", "unit_price": f"{amount // 100}.{amount % 100:02d}",
        "gross": amount, "discount": 0, "net": amount, "taxes": [], "tax": 0,
    }  # fmt: skip


def _tender(identifier: str, type: str, amount: int, **more: Any) -> Json:
    return {
        "id": identifier, "type": type, "action": "capture", "status": "captured", "amount": amount, "tip": 0,
        "tendered": None, "change": None, "processor": None, "reference": None, "card": None,
    } | more  # fmt: skip


def _refund_line(line: Json, restock: str) -> Json:
    return {
        "line": line["id"], "type": "item", "quantity": line["quantity"], "net": line["net"], "tax": line["tax"],
        "taxes": line["taxes"], "restock": restock,
    }  # fmt: skip
