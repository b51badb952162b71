"""Stock moved by hand: nothing is lost or counted twice, costs are a moving average, and every bad line gets its sentence."""

import itertools
import json
import random
import threading
import uuid
from contextlib import nullcontext
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import documents
from inventory.documents import Line
from inventory.models import Component, Level, Movement, Product, StockChange, StockDocument
from salessync import pipeline
from salessync.core.models import AuditRow, Company
from salessync.core.problems import Refused
from salessync.setup import COMPANY
from tests.records import back, line, refund, sale
from tests.threads import at_once
from tests.worlds import World

WHO = {"actor": "anna", "reason": "because"}


def lines(**units):
    return [Line(sku, Decimal(n)) for sku, n in units.items()]


def levels(company):
    rows = Level.objects.filter(company=company).values_list("product__sku", "location", "on_hand", "reserved")
    return {(sku, place): (hand, held) for sku, place, hand, held in rows if hand or held}


def sums(company):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.sku, m.location, sum(m.on_hand), sum(m.reserved) FROM inventory_movement m"
            " JOIN inventory_product p ON p.id = m.product_id WHERE m.company_id = %s GROUP BY 1, 2",
            [company.pk],
        )
        return {(sku, place): (hand, held) for sku, place, hand, held in cursor.fetchall() if hand or held}


def codes(refused):
    return [(problem.code, problem.path) for problem in refused.value.problems]


def average(world, sku="MUG"):
    return Product.objects.get(company=world.company, sku=sku).average_cost


@pytest.fixture
def world(db):
    return World()  # MUG 100, CAP 3, at main


class TestTransfer:
    def test_units_change_their_place(self, world):
        StockChange.objects.all().delete()
        done = documents.transfer(
            company=world.company, lines=lines(MUG=30, CAP=1), from_location="main", to_location="shop", **WHO
        )
        assert (done.movements, done.is_new) == (4, True)
        assert levels(world.company) == sums(world.company) == {
            ("MUG", "main"): (70, 0), ("MUG", "shop"): (30, 0), ("CAP", "main"): (2, 0), ("CAP", "shop"): (1, 0),
        }  # fmt: skip
        moved = Movement.objects.filter(document_id=done.document_id)
        assert {(m.kind, m.line_id, m.sequence) for m in moved} == {("transfer", "1", 1), ("transfer", "2", 1)}
        assert StockChange.objects.count() == 2  # their places' listings are to be looked at
        assert AuditRow.objects.filter(object_type="stock_document", object_id=done.document_id).exists()

    def test_only_what_is_there_and_not_held(self, world):
        Level.objects.filter(product__sku="MUG", company=world.company).update(reserved=60)
        with pytest.raises(Refused) as refused:
            documents.transfer(
                company=world.company, from_location="main", to_location="shop", **WHO,
                lines=[Line("MUG", Decimal(30)), Line("MUG", Decimal(11)), Line("CAP", Decimal(4))],
            )  # fmt: skip
        assert codes(refused) == [("NOT_ENOUGH", "line 2"), ("NOT_ENOUGH", "line 3")]
        said = refused.value.problems[0].message
        assert said == "only 10 of MUG can be moved from main (100 are there, 60 of them held), and not 11"
        assert not StockDocument.objects.exists() and levels(world.company)["MUG", "main"] == (100, 60)

    def test_to_where_it_is(self, world):
        with pytest.raises(Refused) as refused:
            documents.transfer(
                company=world.company, lines=lines(MUG=1), from_location="main", to_location="main", **WHO
            )
        assert codes(refused) == [("SAME_PLACE_TWICE", "to")]


class TestReceipt:
    def test_the_average_moves(self, world):
        Product.objects.filter(company=world.company, sku="MUG").update(cost=200, currency="USD")
        documents.transfer(company=world.company, lines=lines(MUG=40), from_location="main", to_location="far", **WHO)
        done = documents.receive(
            company=world.company, lines=[Line("MUG", Decimal(50), Decimal(350))], location="main", **WHO
        )
        assert average(world) == 250  # 100 over both places at 200, and 50 at 350
        (movement,) = Movement.objects.filter(document_id=done.document_id)
        assert (movement.kind, movement.on_hand, movement.cost, movement.unit_cost) == ("receipt", 50, 17500, 350)

    @pytest.mark.parametrize(("on_hand", "expected"), [(0, 300), (-5, 300), (10, 200)])
    def test_what_is_owed_has_no_worth(self, world, on_hand, expected):
        Level.objects.filter(product__sku="MUG", company=world.company).update(on_hand=on_hand)
        Product.objects.filter(company=world.company, sku="MUG").update(average_cost=100)
        documents.receive(company=world.company, lines=[Line("MUG", Decimal(10), Decimal(300))], location="main", **WHO)
        assert average(world) == expected

    def test_what_cost_nothing_known_is_taken_at_the_delivery_s(self, world):
        documents.receive(company=world.company, lines=[Line("CAP", Decimal(1), Decimal("12.5"))], location="x", **WHO)
        assert average(world, "CAP") == Decimal("12.5")

    def test_without_a_cost_the_average_stays(self, world):
        Product.objects.filter(company=world.company, sku="MUG").update(average_cost=Decimal("99.6"))
        done = documents.receive(company=world.company, lines=lines(MUG=5), location="main", **WHO)
        assert average(world) == Decimal("99.6")
        assert Movement.objects.get(document_id=done.document_id).cost == 498

    def test_a_sale_and_its_return_take_and_keep_the_average(self, world):
        documents.receive(company=world.company, lines=[Line("MUG", Decimal(100), Decimal(30))], location="main", **WHO)
        world.send(sale([sold := line(sku="MUG", units=2)]))
        taken = Movement.objects.get(kind="sale", company_id=world.company.pk)
        assert (taken.on_hand, taken.cost) == (-2, -60)
        documents.receive(company=world.company, lines=[Line("MUG", Decimal(198), Decimal(50))], location="main", **WHO)
        assert average(world) == 40
        world.send(refund([back(sold, units=1, net=1000, tax=20)]))
        assert Movement.objects.get(kind="refund", company_id=world.company.pk).cost == 30  # what it had cost
        assert average(world) == 40


class TestCountAndAdjustment:
    def test_the_difference_moves(self, world):
        Product.objects.filter(company=world.company).update(average_cost=7)
        done = documents.count(company=world.company, lines=lines(MUG=98, CAP=3), location="main", **WHO)
        assert done.movements == 1  # CAP is as counted
        movement = Movement.objects.get(document_id=done.document_id)
        assert (movement.kind, movement.on_hand, movement.cost) == ("count", -2, -14)
        documents.count(company=world.company, lines=lines(MUG=0), location="main", **WHO)
        assert levels(world.company) == sums(world.company) == {("CAP", "main"): (3, 0)}

    def test_an_oversell_ends_with_the_count(self, world):
        world.send(sale([line(sku="CAP", units=5)]))
        assert levels(world.company)["CAP", "main"] == (-2, 0)
        documents.count(company=world.company, lines=lines(CAP=0), location="main", **WHO)
        assert ("CAP", "main") not in levels(world.company)

    def test_no_more_can_go_than_is_there(self, world):
        documents.adjust(company=world.company, lines=lines(MUG=-1, CAP=2), location="main", **WHO)
        assert levels(world.company) == {("MUG", "main"): (99, 0), ("CAP", "main"): (5, 0)}
        with pytest.raises(Refused) as refused:
            documents.adjust(company=world.company, lines=lines(CAP=-6), location="main", **WHO)
        assert codes(refused) == [("NOT_ENOUGH", "line 1")]


class TestRefusals:
    def test_every_bad_line_has_its_sentence(self, world):
        kit = Product.objects.create(company=world.company, sku="KIT")
        Component.objects.create(bundle=kit, part=Product.objects.get(sku="MUG", company=world.company), quantity=2)
        wrong = [
            Line("N\x00PE", Decimal(1)), Line("KIT", Decimal(1)), Line("MUG", Decimal("1.00001")), Line("MUG", Decimal("NaN")),
            Line("CAP", Decimal(-1)), Line("CAP", Decimal(1)),
        ]  # fmt: skip
        with pytest.raises(Refused) as refused:
            documents.count(company=world.company, lines=wrong, location="main", **WHO)
        assert codes(refused) == [
            ("UNKNOWN_SKU", "line 1"), ("BUNDLE_HAS_NO_STOCK", "line 2"), ("BAD_QUANTITY", "line 3"),
            ("BAD_QUANTITY", "line 4"), ("SAME_PLACE_TWICE", "line 4"), ("BAD_QUANTITY", "line 5"),
            ("SAME_PLACE_TWICE", "line 6"),
        ]  # fmt: skip
        assert not StockDocument.objects.exists()

    @pytest.mark.parametrize(
        ("units", "cost", "code"),
        [(0, 1, "BAD_QUANTITY"), (1, -1, "NEGATIVE_COST"), (10**11, 10**11, "AMOUNT_TOO_LARGE"), (1, "Infinity", "NEGATIVE_COST")],
    )  # fmt: skip
    def test_bad_deliveries(self, world, units, cost, code):
        with pytest.raises(Refused) as refused:
            documents.receive(
                company=world.company, lines=[Line("MUG", Decimal(units), Decimal(cost))], location="main", **WHO
            )
        assert codes(refused) == [(code, "line 1")]

    def test_a_heading_that_says_nothing(self, world):
        with pytest.raises(Refused) as refused:
            documents.count(company=world.company, lines=[], location=" ", actor="anna", reason="")
        assert [code for code, _ in codes(refused)] == ["MISSING_REASON", "BAD_LOCATION", "NO_LINES"]

    def test_the_products_of_others_are_unknown(self, world):
        with pytest.raises(Refused) as refused:
            documents.count(company=World(stock="THEIRS,1").company, lines=lines(MUG=1), location="main", **WHO)
        assert codes(refused) == [("UNKNOWN_SKU", "line 1")]


def test_the_same_reference_again_changes_nothing(world):
    first = documents.adjust(company=world.company, lines=lines(CAP=-3), location="main", reference="D-1", **WHO)
    again = documents.adjust(company=world.company, lines=lines(CAP=-3), location="main", reference="D-1", **WHO)
    assert again == first._replace(movements=0, is_new=False)
    other = documents.count(company=world.company, lines=lines(CAP=1), location="main", reference="D-1", **WHO)
    assert other.is_new  # of another kind
    assert levels(world.company)["CAP", "main"] == (1, 0) and StockDocument.objects.count() == 2


def test_side_by_side_nothing_is_lost_and_nobody_deadlocks(committed_db, django_db_blocker):
    with django_db_blocker.unblock():
        world = World(stock="A,1000\nB,1000")

        def work():
            chance = random.Random(threading.get_ident())
            for number in range(15):
                order = "AB" if number % 2 else "BA"
                main, far = (
                    {"location": "main"},
                    {"from_location": "main", "to_location": chance.choice(["far", "off"])},
                )
                some = [Line(sku, Decimal(chance.randint(1, 3))) for sku in order]
                paid = [one._replace(unit_cost=Decimal(100)) for one in some]
                documents.receive(company=world.company, lines=paid, location=chance.choice(["main", "far"]), **WHO)
                documents.transfer(company=world.company, lines=some, **far, **WHO)
                documents.count(company=world.company, lines=lines(B=900, A=900), **main, **WHO)
                world.capture(sale([line(str(n), sku=sku) for n, sku in enumerate(order)], id_=f"S{uuid.uuid4()}"))
                pipeline.run_batch(size=3)

        at_once(4, work)
        world.process()
        assert levels(world.company) == sums(world.company)
        assert {average(world, sku) for sku in "AB"} == {100}


def test_deliveries_side_by_side_move_the_average_one_after_the_other(committed_db, django_db_blocker):
    with django_db_blocker.unblock():
        world, numbers = World(stock="OTHER,1"), itertools.count(1)
        Product.objects.create(company=world.company, sku="NEW")

        def work():
            for _ in range(10):
                number = next(numbers)
                some = [Line("NEW", Decimal(number), Decimal(100 * number))]
                documents.receive(company=world.company, lines=some, location=f"shelf {number}", **WHO)

        at_once(4, work)
        mean = Decimal(sum(100 * n * n for n in range(1, 41))) / sum(range(1, 41))
        assert abs(average(world, "NEW") - mean) < Decimal("0.001")


# --- laws

_numbers = itertools.count()
NUMBERS = st.decimals(min_value=0, max_value=500, places=2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("receive"), st.sampled_from("ab"), NUMBERS, st.none() | NUMBERS),
        st.tuples(st.just("count"), st.sampled_from("ab"), NUMBERS, st.none()),
        st.tuples(st.just("adjust"), st.sampled_from("ab"), NUMBERS.map(lambda n: n - 250), st.none()),
        st.tuples(st.just("transfer"), st.sampled_from("ab"), NUMBERS, st.none()),
    ),
    max_size=12,
)


@pytest.mark.django_db
@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_levels_are_the_sum_of_movements_and_the_average_is_a_mean(steps):
    company = Company.objects.create(slug=f"laws-{next(_numbers)}", name="Laws", base_currency="USD")
    product = Product.objects.create(company=company, sku="P")
    there, mean, paid = {"a": Decimal(0), "b": Decimal(0)}, None, []
    for kind, place, units, cost in steps:
        more = (
            {"from_location": place, "to_location": "b" if place == "a" else "a"}
            if kind == "transfer"
            else {"location": place}
        )
        too_much = (kind == "transfer" and units > there[place]) or (kind == "adjust" and -units > there[place])
        refused = too_much or (units == 0 and kind != "count")
        with pytest.raises(Refused) if refused else nullcontext():
            getattr(documents, kind)(company=company, lines=[Line("P", units, cost)], **more, **WHO)
        if refused:
            continue
        if kind == "receive" and cost is not None:
            before = sum(there.values())
            mean = (before * (cost if mean is None else mean) + units * cost) / (before + units)
            paid.append(cost)
        if kind == "count":
            there[place] = units
        else:
            there[place] += -units if kind == "transfer" else units
        if kind == "transfer":
            there["b" if place == "a" else "a"] += units
    assert levels(company) == sums(company) == {("P", place): (n, 0) for place, n in there.items() if n}
    product.refresh_from_db()
    if mean is None:
        assert product.average_cost is None
    else:
        assert abs(product.average_cost - mean) < Decimal("0.0001")
        assert min(paid) - 1 < product.average_cost < max(paid) + 1


@given(lots=st.lists(st.tuples(NUMBERS.filter(bool), NUMBERS), min_size=1, max_size=30))
def test_the_average_of_deliveries_is_their_weighted_mean(lots):
    average, on_hand = None, Decimal(0)
    for units, cost in lots:
        average = documents.moved(average, on_hand, units, cost)
        on_hand += units
    worth = sum(units * cost for units, cost in lots)
    assert abs(average - worth / on_hand) <= Decimal("0.000001") * len(lots)


# --- the command


@pytest.fixture
def company(db):
    world = World()
    Company.objects.filter(pk=world.company.pk).update(slug=COMPANY)
    world.company.refresh_from_db()
    return world.company


def run(tmp_path, capsys, kind, text, *options):
    path = tmp_path / "lines.csv"
    path.write_text(text)
    call_command("stock_document", kind, str(path), *options, "--reason", "monthly")
    return capsys.readouterr().out


def test_from_files(company, tmp_path, capsys):
    options = ("--location", "main", "--reference", "PO-7")
    said = run(tmp_path, capsys, "receive", "sku,quantity,unit_cost\nMUG,100,4.505\n", *options)
    assert "1 stock movements" in said
    assert Product.objects.get(company=company, sku="MUG").average_cost == Decimal("450.5")
    said = run(tmp_path, capsys, "receive", "sku,quantity,unit_cost\nMUG,100,4.505\n", *options)
    assert "PO-7 was recorded by command" in said and "nothing was changed" in said
    said = run(tmp_path, capsys, "transfer", "sku,quantity\nMUG,5\n", "--from", "main", "--to", "shop", "--json")
    assert json.loads(said)["movements"] == 2


@pytest.mark.parametrize(
    ("kind", "text", "options", "code", "said"),
    [
        ("count", "sku,quantity\nMUG,x\n,1\nMUG\n", ["--location", "main"], 1, "BAD_QUANTITY line 2"),
        ("count", "sku,quantity\nMUG,1\nMUG,2\n", ["--location", "main"], 1, "SAME_PLACE_TWICE line 3"),
        ("count", "sku,number\nMUG,1\n", ["--location", "main"], 1, "UNKNOWN_COLUMN line 1"),
        ("receive", "sku,quantity,unit_cost\nMUG,1,-2\n", ["--location", "main"], 1, "BAD_AMOUNT line 2"),
        ("count", 'sku,quantity\n"MUG,1\n', ["--location", "main"], 1, "NOT_CSV"),
        ("count", "", ["--location", "main"], 1, "MISSING_COLUMN"),
        ("transfer", "sku,quantity\nMUG,1\n", ["--location", "main"], 2, ""),
        ("count", "sku,quantity\nMUG,1\n", [], 2, ""),
    ],
)
def test_bad_files(company, tmp_path, capsys, kind, text, options, code, said):
    with pytest.raises(CommandError) as error:
        run(tmp_path, capsys, kind, text, *options)
    assert error.value.returncode == code and said in capsys.readouterr().err
    assert not StockDocument.objects.exists()
