"""What is held, where, for how long, and who gives it back; a machine plays carts and sales at random against a small model."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from inventory import catalog, reservations, reserving
from inventory.models import (
    Component,
    Level,
    Listing,
    Movement,
    Oversell,
    Product,
    Reservation,
    StockChange,
    StockPolicy,
)
from inventory.reservations import Asked, Closed, Short
from inventory.reserving import Item
from salessync.core.problems import Refused
from tests.records import back, line, refund, sale
from tests.worlds import World

NOW = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)
D = Decimal


def asked(sku, quantity=1, location=None):
    return Asked(sku, D(quantity), location)


def reserve(world, *lines, channel=None, expires_in=900, partial=False, now=NOW):
    channel = channel or world.till
    return reservations.reserve(
        channel=channel, reference="cart", lines=lines, expires_in=expires_in, partial=partial, now=now
    )


def stock(world, text):
    catalog.import_catalog(company=world.company, text="sku,quantity,location\n" + text)


def bundle(world, sku, **parts):
    made = Product.objects.create(company=world.company, sku=sku)
    for part, units in parts.items():
        Component.objects.create(
            bundle=made, part=Product.objects.get(company=world.company, sku=part), quantity=D(units)
        )


def held_at(world, sku):
    """location → reserved, where there is any."""
    return dict(
        Level.objects.filter(company=world.company, product__sku=sku, reserved__gt=0).values_list(
            "location", "reserved"
        )
    )


def shown(held):
    return [(one.sku, one.quantity, one.held) for one in held.lines]


def available(short):
    return [one.available for one in short.value.lines]


@pytest.fixture
def world(db):
    yield World(stock="MUG,10\nCAP,3")
    assert reservations.violations() == []


# --- holding


def test_what_is_held_is_in_the_level_and_in_its_movement(world):
    held = reserve(world, asked("MUG", 4), asked("CAP", 3))
    assert (held.state, held.expires_at) == ("held", NOW + timedelta(seconds=900))
    assert held.lines == [("MUG", "main", 4, 4), ("CAP", "main", 3, 3)]
    assert world.stock() == {"MUG": (10, 4), "CAP": (3, 3)}
    kept = Reservation.objects.get(public_id=held.id)
    moved = Movement.objects.filter(reservation_id=kept.pk).order_by("line_id")
    assert [(m.kind, m.line_id, m.sequence, m.on_hand, m.reserved, m.transaction_id) for m in moved] == [
        ("hold", "1", 1, 0, 4, None), ("hold", "2", 1, 0, 3, None)
    ]  # fmt: skip
    assert reservations.find(company_id=world.company.pk, id=held.id) == held


def test_all_or_nothing(world):
    with pytest.raises(Short) as short:
        reserve(world, asked("MUG", 4), asked("CAP", 4))
    assert available(short) == [10, 3]
    assert world.stock() == {"MUG": (10, 0), "CAP": (3, 0)}
    assert not Reservation.objects.exists()


def test_in_part(world):
    held = reserve(world, asked("CAP", 2), asked("MUG", 4), asked("CAP", 2), partial=True)
    assert held.state == "partial"
    assert shown(held) == [("CAP", 2, 2), ("MUG", 4, 4), ("CAP", 2, 1)]
    assert world.stock() == {"MUG": (10, 4), "CAP": (3, 3)}
    with pytest.raises(Short) as short:
        reserve(world, asked("CAP", 1), partial=True)
    assert available(short) == [0]


def test_lines_of_one_product_are_one_demand(world):
    with pytest.raises(Short) as short:
        reserve(world, asked("CAP", 2), asked("CAP", 2))
    assert available(short) == [3, 1]


def test_parts_of_a_unit(world):
    stock(world, "TEA,0.5,main")
    assert shown(reserve(world, asked("TEA", "0.3"))) == [("TEA", D("0.3"), D("0.3"))]
    assert shown(reserve(world, asked("TEA", "0.3"), partial=True)) == [("TEA", D("0.3"), D("0.2"))]


def test_a_listing_names_a_product_and_its_company_alone_is_asked(world):
    theirs = World(stock="ELSE,5")
    Listing.objects.create(
        channel=world.shop, item_id="gid-1", product=Product.objects.get(company=world.company, sku="CAP")
    )
    reserve(world, asked("gid-1", 2), channel=world.shop)
    assert world.stock()["CAP"] == (3, 2)
    with pytest.raises(Refused) as refused:
        reserve(world, asked("MUG"), asked("gid-1"), asked("ELSE"))
    assert [(p.code, p.path) for p in refused.value.problems] == [
        ("UNKNOWN_SKU", "lines[1].sku"), ("UNKNOWN_SKU", "lines[2].sku")
    ]  # fmt: skip
    assert theirs.stock() == {"ELSE": (5, 0)}


def test_what_is_kept_nowhere_is_not_available(world):
    Product.objects.create(company=world.company, sku="ADVICE")
    with pytest.raises(Short) as short:
        reserve(world, asked("ADVICE"))
    assert available(short) == [0]
    held = reserve(world, asked("ADVICE"), asked("MUG"), partial=True)
    assert shown(held) == [("ADVICE", 1, 0), ("MUG", 1, 1)]


def test_every_listing_of_what_is_held_is_looked_at(world):
    StockChange.objects.all().delete()
    held = reserve(world, asked("MUG", 4))
    reservations.release(company_id=world.company.pk, id=held.id, now=NOW)
    marks = StockChange.objects.order_by("id").values_list("product__sku", "channel_id", "units")
    assert list(marks) == [("MUG", None, -4), ("MUG", None, 4)]


# --- buffers


def test_the_buffer_of_the_listing_goes_before_the_channels(world):
    StockPolicy.objects.create(channel=world.till, buffer=2)
    with pytest.raises(Short) as short:
        reserve(world, asked("CAP", 2))
    assert available(short) == [1]
    reserve(world, asked("CAP", 3), channel=world.shop)  # which keeps nothing back
    cap = Product.objects.get(company=world.company, sku="MUG")
    Listing.objects.create(channel=world.till, item_id="mug-1", product=cap, buffer=9)
    for name in ("mug-1", "MUG"):  # by whichever name
        with pytest.raises(Short) as short:
            reserve(world, asked(name, 2))
        assert available(short) == [1]


# --- places


def test_the_place_is_the_channels_where_it_is_kept_there(world):
    stock(world, "PEN,5,back\nPEN,9,front\nINK,5,back")
    world.till.stock_location = "front"
    assert reserve(world, asked("PEN", 9), asked("INK", 1)).lines == [("PEN", "front", 9, 9), ("INK", "back", 1, 1)]
    with pytest.raises(Short) as short:  # though there is enough at the back
        reserve(world, asked("PEN", 1))
    assert available(short) == [0]
    assert reserve(world, asked("PEN", 1, "back")).lines == [("PEN", "back", 1, 1)]
    with pytest.raises(Short):  # the line that names the back does not let the other go there
        reserve(world, asked("PEN", 1, "back"), asked("PEN", 1))


def test_else_it_is_the_first_that_has_enough_else_the_one_with_most(world):
    for row in ("PEN,5,back", "PEN,9,front", "PEN,1,cellar"):  # the oldest place is the first
        stock(world, row)
    assert reserve(world, asked("PEN", 2)).lines[0].location == "back"
    assert reserve(world, asked("PEN", 2), asked("PEN", 2)).lines == [("PEN", "front", 2, 2)] * 2  # one place for both
    assert reserve(world, asked("PEN", 6), partial=True).lines == [("PEN", "front", 6, 5)]
    assert held_at(world, "PEN") == {"back": 2, "front": 9}
    with pytest.raises(Short) as short:
        reserve(world, asked("PEN", 1, "nowhere"))
    assert available(short) == [0]


def test_lines_that_name_a_place_are_served_there_first(world):
    stock(world, "PEN,5,back")
    stock(world, "PEN,5,front")
    held = reserve(world, asked("PEN", 3), asked("PEN", 4, "back"))
    assert held.lines == [("PEN", "front", 3, 3), ("PEN", "back", 4, 4)]


# --- bundles


def test_a_bundle_holds_its_parts(world):
    bundle(world, "SET", MUG=2, CAP=1)
    held = reserve(world, asked("MUG", 1), asked("SET", 2), asked("CAP", 1))
    assert held.lines == [("MUG", "main", 1, 1), ("SET", None, 2, 2), ("CAP", "main", 1, 1)]
    assert world.stock() == {"MUG": (10, 5), "CAP": (3, 3)}
    assert reservations.find(company_id=world.company.pk, id=held.id) == held


def test_the_parts_of_all_lines_are_one_demand(world):
    bundle(world, "SET", MUG=2, CAP=1)
    bundle(world, "BOX", SET=1, CAP=1)  # a bundle in a bundle
    with pytest.raises(Short) as short:
        reserve(world, asked("CAP", 1), asked("SET", 1), asked("BOX", 1))
    assert available(short) == [3, 2, 0]
    held = reserve(world, asked("BOX", 2), partial=True)
    assert shown(held) == [("BOX", 2, 1)]
    assert world.stock() == {"MUG": (10, 2), "CAP": (3, 2)}


def test_of_a_bundle_whole_ones_are_held_and_its_parts_go_back(world):
    bundle(world, "SET", MUG=4)
    held = reserve(world, asked("SET", 3), partial=True)
    assert shown(held) == [("SET", 3, 2)]
    assert world.stock()["MUG"] == (10, 8)
    assert shown(reservations.release(company_id=world.company.pk, id=held.id, now=NOW)) == [("SET", 3, 2)]
    assert world.stock()["MUG"] == (10, 0)


def test_the_buffer_of_a_bundle_is_in_bundles(world):
    bundle(world, "SET", MUG=3)
    StockPolicy.objects.create(channel=world.till, buffer=1)
    with pytest.raises(Short) as short:
        reserve(world, asked("SET", 3))
    assert available(short) == [2]


def test_parts_are_counted_before_the_database_is_asked_for_more(world, monkeypatch):
    monkeypatch.setattr(reservations, "MOST_ROWS", 5)
    bundle(world, "SET", MUG=3, CAP=1)
    with pytest.raises(Refused) as refused:
        reserve(world, asked("SET"), asked("SET"))
    assert refused.value.problems[0].code == "TOO_MANY_PARTS"


# --- its end


def test_released_once(world):
    held = reserve(world, asked("MUG", 4))
    for _ in range(2):
        told = reservations.release(company_id=world.company.pk, id=held.id, now=NOW)
        assert (told.state, shown(told)) == ("released", [("MUG", 4, 4)])
    assert world.stock()["MUG"] == (10, 0)
    moved = Movement.objects.filter(reservation_id__isnull=False).order_by("id")
    assert [(m.sequence, m.reserved) for m in moved] == [(1, 4), (2, -4)]


def test_extended_it_lasts_longer_and_never_shorter(world):
    held = reserve(world, asked("MUG", 4), expires_in=60)
    later = reservations.extend(company_id=world.company.pk, id=held.id, expires_in=100, now=NOW)
    assert later.expires_at == NOW + timedelta(seconds=100)
    again = reservations.extend(company_id=world.company.pk, id=held.id, expires_in=10, now=NOW)
    assert again.expires_at == NOW + timedelta(seconds=100)
    assert reservations.expire(now=NOW + timedelta(seconds=99)) == 0
    assert reservations.expire(now=NOW + timedelta(seconds=100)) == 1


def test_what_is_over_is_not_extended(world):
    held = reserve(world, asked("MUG", 4), expires_in=60)
    for now, state in ((NOW + timedelta(seconds=60), "expired"), (NOW, "released")):
        with pytest.raises(Closed) as closed:
            reservations.extend(company_id=world.company.pk, id=held.id, expires_in=100, now=now)
        assert closed.value.state == state
        reservations.release(company_id=world.company.pk, id=held.id, now=NOW)


def test_the_sweeper_takes_what_is_over_and_no_more(world):
    for seconds in (10, 20, 30):
        reserve(world, asked("MUG", 1), expires_in=seconds)
    assert reservations.expire(limit=1, now=NOW + timedelta(seconds=20)) == 1
    assert reservations.expire(now=NOW + timedelta(seconds=20)) == 1
    assert reservations.expire(now=NOW + timedelta(seconds=20)) == 0
    assert world.stock()["MUG"] == (10, 1)
    assert sorted(Reservation.objects.values_list("state", flat=True)) == ["expired", "expired", "held"]


def test_a_company_knows_its_own(world):
    held, theirs = reserve(world, asked("MUG", 4)), World()
    where = {"company_id": theirs.company.pk, "id": held.id}
    assert reservations.find(**where) is None
    assert reservations.release(**where, now=NOW) is None
    assert reservations.extend(**where, expires_in=10, now=NOW) is None
    theirs.send(sale([line()], reservation=str(held.id)))
    assert world.stock()["MUG"] == (10, 4)


# --- its sale


def sold(world, held, *, units=2, id_="S1", **more):
    world.send(sale([line(units=units)], id_=id_, reservation=str(held.id), **more))
    return reservations.find(company_id=world.company.pk, id=held.id).state


def test_the_sale_takes_it(world):
    held = reserve(world, asked("MUG", 2))
    assert sold(world, held) == "committed"
    assert world.stock()["MUG"] == (8, 0)
    assert reservations.expire(now=NOW + timedelta(days=1)) == 0
    assert reservations.release(company_id=world.company.pk, id=held.id, now=NOW).state == "committed"


def test_a_sale_of_less_lets_the_rest_go_and_one_of_more_takes_it_from_the_shelf(world):
    assert sold(world, reserve(world, asked("MUG", 3)), units=1) == "committed"
    assert sold(world, reserve(world, asked("MUG", 1)), units=3, id_="S2") == "committed"
    assert world.stock()["MUG"] == (6, 0)


def test_an_unpaid_order_holds_in_its_stead(world):
    held = reserve(world, asked("MUG", 2))
    assert sold(world, held, status="open", payment_status="pending", tenders=[]) == "committed"
    assert world.stock()["MUG"] == (10, 2)
    world.send(sale([line(units=2)], version="2", reservation=str(held.id)))
    assert world.stock()["MUG"] == (8, 0)


@pytest.mark.parametrize("state", ["released", "expired"])
def test_however_late_the_sale_comes_nothing_is_given_back_twice(world, state):
    held, other = reserve(world, asked("MUG", 2)), reserve(world, asked("MUG", 5), expires_in=86_400)
    if state == "released":
        reservations.release(company_id=world.company.pk, id=held.id, now=NOW)
    else:
        reservations.expire(now=NOW + timedelta(seconds=900))
    assert sold(world, held) == state
    assert world.stock()["MUG"] == (8, 5)
    assert Reservation.objects.get(public_id=held.id).transaction_id
    assert reservations.find(company_id=world.company.pk, id=other.id).state == "held"


def test_one_whose_time_is_over_is_its_sales_until_it_is_swept(world):
    held = reserve(world, asked("MUG", 2), now=NOW - timedelta(days=30))
    assert sold(world, held) == "committed"
    assert world.stock()["MUG"] == (8, 0)


def test_a_second_sale_does_not_take_it_again(world):
    held = reserve(world, asked("MUG", 2))
    sold(world, held)
    first = Reservation.objects.get().transaction_id
    sold(world, held, id_="S2")
    assert world.stock()["MUG"] == (6, 0)
    assert Reservation.objects.get().transaction_id == first


@pytest.mark.parametrize("name", ["nonsense", "", "{}", "x" * 36, "00000000-0000-0000-0000-000000000000"])
def test_a_sale_that_names_nothing_of_ours_is_a_sale(world, name):
    held = reserve(world, asked("MUG", 2))
    name = name.replace("{}", "{" + str(held.id) + "}")
    world.send(sale([line()], reservation=name or None))
    assert world.stock()["MUG"] == (9, 2)


def test_the_name_is_read_in_either_case(world):
    held = reserve(world, asked("MUG", 2))
    world.send(sale([line(units=2)], reservation=str(held.id).upper()))
    assert world.stock()["MUG"] == (8, 0)


def test_the_sale_leaves_the_place_that_held_it(world):
    stock(world, "PEN,1,back")
    stock(world, "PEN,9,front")
    bundle(world, "SET", PEN=2)
    held = [reserve(world, asked("PEN", 4)), reserve(world, asked("SET", 2))]
    assert held_at(world, "PEN") == {"front": 8}
    for number, (one, sku, units) in enumerate(zip(held, ("PEN", "SET"), (4, 2), strict=True)):
        world.send(sale([line(units=units, sku=sku)], id_=f"S{number}", reservation=str(one.id)))
    on_hand = Level.objects.filter(product__sku="PEN").values_list("location", "on_hand")
    assert dict(on_hand) == {"back": 1, "front": 1}
    assert not Oversell.objects.exists()


# --- the law


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE inventory_level SET reserved = reserved + 1 WHERE reserved > 0",
        "UPDATE inventory_reservationline SET held = held - 1 WHERE held > 0",
        "UPDATE inventory_reservation SET state = 'released', closed_at = now() WHERE state = 'held'",
        "UPDATE inventory_reservation SET closed_at = NULL WHERE state = 'committed'",
        "UPDATE inventory_reservation SET transaction_id = NULL WHERE state = 'committed'",
    ],
)
def test_what_does_not_agree_is_found(db, tampering):
    world = World(stock="MUG,10")
    sold(world, reserve(world, asked("MUG", 2)))
    reserve(world, asked("MUG", 3))
    world.send(sale([line()], id_="S2", status="open", payment_status="pending", tenders=[]))
    assert reservations.violations() == []
    with connection.cursor() as cursor:
        cursor.execute(tampering)
    assert reservations.violations()


# --- the choice alone


UNITS = st.integers(0, 12).map(D)
ITEMS = {
    "A": Item(1, D(0), ((1, D(1)),)),
    "B": Item(2, D(1), ((2, D(1)),)),
    "AB": Item(3, D(0), ((1, D(2)), (2, D(1)))),
    "A2": Item(4, D("0.5"), ((1, D("0.5")),)),
}
CARTS = st.lists(
    st.builds(
        Asked,
        st.sampled_from(sorted(ITEMS)),
        st.integers(1, 16).map(lambda n: D(n) / 2),
        st.sampled_from([None, None, "x", "y"]),
    ),
    min_size=1,
    max_size=5,
)
SHELVES = st.fixed_dictionaries(
    {product: st.dictionaries(st.sampled_from("xyz"), st.integers(-3, 12).map(D), max_size=3) for product in (1, 2)}
)


def allot(cart, shelf, own):
    return reserving.allot(cart, ITEMS, shelf, own=own, elsewhere="main")


def test_of_several_buffers_the_largest_stays():
    items = {"ONE": Item(1, D(2), ((1, D(1)),)), "SIX": Item(2, D(1), ((1, D(6)),))}
    cart, shelf = [asked("ONE", 3), asked("SIX", 1)], {1: {"x": D(16)}}
    assert [one.available for one in reserving.allot(cart, items, shelf, own="", elsewhere="main")] == [10, 1]


@settings(max_examples=300)
@given(CARTS, SHELVES, st.sampled_from(["", "x", "z"]))
def test_no_more_is_held_than_is_asked_for_and_there(cart, shelf, own):
    held = {}
    for one in allot(cart, shelf, own):
        assert one.asked.quantity >= one.held >= 0
        assert all(0 <= share.held <= share.quantity for share in one.shares)
        assert one.is_short == any(share.held < share.quantity for share in one.shares)
        assert len({share.held / share.quantity for share in one.shares}) == 1  # as much of each part
        for share in one.shares:
            held[share.product_id, share.location] = held.get((share.product_id, share.location), 0) + share.held
    for (product, place), units in held.items():
        assert units <= max(shelf[product].get(place, D(0)), 0)


@settings(max_examples=300)
@given(CARTS, SHELVES, st.sampled_from(["", "x"]), st.randoms(use_true_random=False))
def test_whether_a_cart_is_held_does_not_depend_on_the_order_of_its_lines(cart, shelf, own, chance):
    other = list(cart)
    chance.shuffle(other)
    assert any(one.is_short for one in allot(cart, shelf, own)) == any(one.is_short for one in allot(other, shelf, own))


# --- a machine against a model


SKUS = ("MUG", "CAP")
STOCK = 8


class Shop(RuleBasedStateMachine):
    """Carts and sales of two products at one place; the model is what each cart and each sale should hold or have moved now."""

    carts, orders = Bundle("carts"), Bundle("orders")

    @initialize()
    def open(self):
        reservations.expire(now=NOW + timedelta(days=30))  # of the machine before: the sweeper knows no company
        self.world, self.now, self.number = World(stock="\n".join(f"{sku},{STOCK}" for sku in SKUS)), NOW, 0
        self.held, self.sales = {}, {}  # cart → (units, until); sale → what it is

    @rule(
        target=carts,
        wanted=st.dictionaries(st.sampled_from(SKUS), st.integers(1, 6), min_size=1),
        seconds=st.sampled_from([10, 60, 900]),
        partial=st.booleans(),
    )
    def reserves(self, wanted, seconds, partial):
        left = {sku: max(hand - held, 0) for sku, (hand, held) in self.model().items()}
        fits = {sku: min(units, left[sku]) for sku, units in wanted.items()}
        lines = [asked(sku, units) for sku, units in wanted.items()]
        more = {"expires_in": seconds, "partial": partial, "now": self.now}
        if fits != wanted and not (partial and any(fits.values())):
            with pytest.raises(Short) as short:
                reserve(self.world, *lines, **more)
            assert available(short) == [left[sku] for sku in wanted]
            return None
        made = reserve(self.world, *lines, **more)
        assert made.state == ("held" if fits == wanted else "partial")
        assert {one.sku: one.held for one in made.lines} == fits
        self.held[made.id] = fits, self.now + timedelta(seconds=seconds)
        return made.id

    @rule(cart=carts, seconds=st.sampled_from([10, 300]))
    def extends(self, cart, seconds):
        where = {"company_id": self.world.company.pk, "expires_in": seconds, "now": self.now}
        if cart in self.held and self.held[cart][1] > self.now:
            units, until = self.held[cart]
            self.held[cart] = units, max(until, self.now + timedelta(seconds=seconds))
            assert reservations.extend(id=cart, **where).expires_at == self.held[cart][1]
        elif cart is not None:
            with pytest.raises(Closed):
                reservations.extend(id=cart, **where)

    @rule(cart=carts)
    def releases(self, cart):
        if cart is not None:
            open_ = self.held.pop(cart, None) is not None
            state = reservations.release(company_id=self.world.company.pk, id=cart, now=self.now).state
            assert state == "released" if open_ else state != "held"

    @rule(seconds=st.integers(1, 120), swept=st.booleans())
    def time_passes(self, seconds, swept):
        self.now += timedelta(seconds=seconds)
        if swept:
            over = [cart for cart, (_, until) in self.held.items() if until <= self.now]
            assert reservations.expire(now=self.now) == len(over)
            for cart in over:
                del self.held[cart]

    @rule(
        target=orders,
        cart=st.one_of(st.none(), carts),
        sold=st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3), min_size=1),
        paid=st.booleans(),
    )
    def sells(self, cart, sold, paid):
        self.number += 1
        id_ = f"S{self.number}"
        self.held.pop(cart, None)
        self.sales[id_] = {"sold": sold, "state": "paid" if paid else "open", "back": {}, "cart": cart, "version": 0}
        self.tell(id_)
        return id_

    @rule(order=orders, state=st.sampled_from(["paid", "void"]))
    def changes(self, order, state):
        self.sales[order]["state"] = state
        self.tell(order)

    @rule(order=orders, sku=st.sampled_from(SKUS), restock=st.booleans())
    def refunds(self, order, sku, restock):
        one = self.sales[order]
        if one["state"] != "paid" or sum(one["back"].get(sku, ())) == one["sold"].get(sku, 0):
            return
        one["back"].setdefault(sku, []).append(1)
        self.number += 1
        sent = back(line(sku, sku=sku), units=1, net=1000, tax=40, restock="return" if restock else "none")
        if not restock:
            one["kept"] = {**one.get("kept", {}), sku: one.get("kept", {}).get(sku, 0) + 1}
        self.world.send(refund([sent], id_=f"R{self.number}", of=order))

    def tell(self, id_):
        one = self.sales[id_]
        one["version"] += 1
        more = {
            "paid": {},
            "open": {"status": "open", "payment_status": "pending", "tenders": []},
            "void": {"status": "voided", "payment_status": "voided"},
        }[one["state"]]
        lines = [line(sku, sku=sku, units=units) for sku, units in one["sold"].items()]
        name = one["cart"] and str(one["cart"])
        self.world.send(sale(lines, id_=id_, version=str(one["version"]), reservation=name, **more))

    def model(self):
        """SKU → (on hand, reserved)."""
        found = {sku: [STOCK, 0] for sku in SKUS}
        for units, _ in self.held.values():
            for sku, count in units.items():
                found[sku][1] += count
        for one in self.sales.values():
            for sku, count in one["sold"].items():
                returned = sum(one["back"].get(sku, ())) - one.get("kept", {}).get(sku, 0)
                if one["state"] == "open":
                    found[sku][1] += count
                elif one["state"] == "paid":
                    found[sku][0] += returned - count
        return {sku: tuple(pair) for sku, pair in found.items()}

    @invariant()
    def stock_is_what_the_model_says(self):
        if hasattr(self, "world"):
            assert self.world.stock() == self.model()
            assert set(self.world.states()) <= {"posted"}
            assert reservations.violations() == []


def run(examples, steps):
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(Shop, settings=chosen)


@pytest.mark.django_db
def test_stock_is_what_the_model_says_small():
    run(examples=12, steps=15)


@pytest.mark.slow
@pytest.mark.django_db
def test_stock_is_what_the_model_says():
    run(examples=100, steps=50)
