"""What the stock that moved had cost: known when it leaves the shelf, brought back by share, zero when all is back."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import inbox
from channels.models import Transaction
from inventory import catalog, costs
from inventory.models import Movement, Product
from inventory.stock import Returns, cost_of
from salessync import verify
from salessync.core.problems import Refused
from tests.records import back, line, refund, sale
from tests.worlds import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    """A mug costs 4.50, nobody knows what a cap costs."""
    found = World(stock="CAP,100")
    catalog.import_catalog(company=found.company, text="sku,cost,quantity\nMUG,4.50,100\n")
    return found


def cost(world, source_id="S1"):
    """line → cost that left the shelf with it, of a sale or refund."""
    [id_] = Transaction.objects.filter(channel__company=world.company, source_id=source_id).values_list("id", flat=True)
    return costs.of([id_]).get(id_, {})


def left(world):
    """Σ over all movements of the company."""
    return -sum(c for c in Movement.objects.filter(company_id=world.company.pk).values_list("cost", flat=True) if c)


def test_a_sale_takes_its_cost_from_the_shelf(world):
    world.send(sale([line("1", units=3), line("2", sku="CAP"), line("3", sku="MUG")]))
    assert cost(world) == {"1": 1350, "3": 450}
    moved = {m.line_id: (m.on_hand, m.cost, m.unit_cost) for m in Movement.objects.filter(kind="sale")}
    assert moved == {"1": (-3, -1350, 450), "2": (-1, None, None), "3": (-1, -450, 450)}


def test_one_query_for_as_many_as_you_like(world, django_assert_num_queries):
    world.send(*(sale([line()], id_=f"S{n}") for n in range(3)))
    ids = list(Transaction.objects.filter(channel__company=world.company).values_list("id", flat=True))
    assert costs.of(ids) == {id_: {"1": 450} for id_ in ids}
    assert costs.of([]) == {}


def test_a_refund_brings_back_what_it_restocks_and_no_more(world):
    sold = line("1", units=3)
    world.send(
        sale([sold]),
        refund([back(sold, units=1, net=1000, restock="none")], id_="R1"),
        refund([back(sold, units=1, net=1000)], id_="R2", minutes=90),
    )
    assert (cost(world), cost(world, "R1"), cost(world, "R2")) == ({"1": 1350}, {}, {"1": -450})


def test_the_cost_of_then_stays_the_sales_whatever_the_product_costs_later(world):
    sold = line("1", units=2)
    world.send(sale([sold]))
    Product.objects.filter(company=world.company, sku="MUG").update(cost=999)
    world.send(refund([back(sold, units=1, net=1000)]), sale([line("1", units=4)], version="2"))
    assert (cost(world), cost(world, "R1")) == ({"1": 1800}, {"1": -450})
    world.send(sale([line("1")], id_="S2"))
    assert cost(world, "S2") == {"1": 999}


def test_what_was_not_known_when_it_left_stays_unknown(world):
    sold = line("1", sku="CAP", units=2)
    world.send(sale([sold]))
    Product.objects.filter(company=world.company, sku="CAP").update(cost=100)
    world.send(sale([line("1", sku="CAP", units=3)], version="2"), refund([back(sold, units=1, net=1000)]))
    assert (cost(world), cost(world, "R1")) == ({}, {})
    assert set(Movement.objects.filter(product__sku="CAP").values_list("cost", flat=True)) == {None}


def test_a_cost_in_another_currency_is_not_a_cost_in_ours(world):
    Product.objects.filter(company=world.company, sku="MUG").update(currency="EUR")
    world.send(sale([line()]))
    assert cost(world) == {}
    Product.objects.filter(company=world.company, sku="MUG").update(currency="")
    world.send(sale([line()], id_="S2"))
    assert cost(world, "S2") == {"1": 450}


def test_an_edit_moves_the_difference_and_a_replay_nothing(world):
    events = world.send(sale([line("1", units=3)]), sale([line("1", units=1), line("2")], version="2"))
    assert cost(world) == {"1": 450, "2": 450}
    before = Movement.objects.count()
    inbox.replay(event_ids=events, actor="test")
    world.process()
    assert Movement.objects.count() == before
    world.send(sale([line("2")], version="3"))
    assert cost(world) == {"2": 450}


def test_a_void_brings_everything_back_and_undoing_it_takes_it_again_at_the_same_cost(world):
    world.send(sale([line("1", units=2)]), sale([line("1", units=2)], version="2", status="voided"))
    assert (cost(world), left(world)) == ({}, 0)
    Product.objects.filter(company=world.company, sku="MUG").update(cost=999)
    world.send(sale([line("1", units=2)], version="3"))
    assert cost(world) == {"1": 900}


def test_what_is_only_reserved_has_no_cost_yet(world):
    unpaid = {"status": "open", "payment_status": "pending"}
    world.send(sale([line("1", units=2)], [], **unpaid))
    assert (cost(world), left(world)) == ({}, 0)
    Product.objects.filter(company=world.company, sku="MUG").update(cost=400)
    world.send(sale([line("1", units=2)], version="2"))
    assert cost(world) == {"1": 800}
    world.send(sale([line("1", units=3)], version="3"))
    assert cost(world) == {"1": 1200}


def test_a_dozen_a_weight_and_a_part_of_it(world):
    catalog.import_catalog(company=world.company, text="sku,cost,quantity\nTEA,0.07,100\n")
    tea = line("1", sku="TEA")
    tea.quantity, tea.unit_price, tea.gross, tea.net = "2.5", "4.00", 1000, 1000
    box = line("2", units=12, price=83, taxes=())
    world.send(sale([tea, box]))
    assert cost(world) == {"1": 18, "2": 5400}  # 17.5 cents, to even
    part = back(tea, units=0, net=400)
    for number, units in enumerate(["1.0", "0.75", "0.75"]):
        part.quantity = units
        world.send(refund([part, back(box, units=4, net=332)], id_=f"R{number}", minutes=number + 1))
    assert [cost(world, f"R{n}") for n in range(3)] == [
        {"1": -7, "2": -1800}, {"1": -6, "2": -1800}, {"1": -5, "2": -1800},
    ]  # fmt: skip
    assert left(world) == 0


def test_a_refund_that_fails_afterwards_takes_its_cost_back(world):
    sold = line("1", units=2)
    given = [back(sold, units=2, net=2000)]
    world.send(sale([sold]), refund(given), refund(given, version="2", status="failed"))
    assert (cost(world), cost(world, "R1"), left(world)) == ({"1": 900}, {}, 900)


def test_more_units_than_were_sold_bring_back_no_more_than_they_cost(world):
    sold = line("1", units=2)
    world.send(sale([sold]), refund([back(sold, units=5, net=2000)]))
    assert cost(world, "R1") == {"1": -900}


def test_a_product_costs_nothing_or_more(world):
    with pytest.raises(Refused) as refused:
        catalog.import_catalog(company=world.company, text="sku,cost\nMUG,-1.00\n")
    assert [p.code for p in refused.value.problems] == ["NEGATIVE_COST"]
    with pytest.raises(IntegrityError), transaction.atomic():
        Product.objects.filter(company=world.company).update(cost=-1)


quantities = st.integers(1, 12) | st.decimals("0.0001", "9", places=4)


@settings(max_examples=200)
@given(units=quantities.map(Decimal), unit_cost=st.integers(0, 10**9), data=st.data())
def test_law_whatever_the_split_all_that_comes_back_is_what_left(units, unit_cost, data):
    taken = cost_of(-units, unit_cost)
    returns, rest, brought = Returns(-units, taken), units, 0
    while rest:
        part = data.draw(st.just(rest) | st.decimals("0.0001", rest, places=4))
        share = returns.take(part)
        assert share >= 0
        brought, rest = brought + share, rest - part
    assert brought == -taken


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_law_a_full_return_leaves_no_cost_in_whatever_order_it_comes(db, data):
    world = World(stock="CAP,100")
    prices = "\n".join(f"P{n},{data.draw(st.integers(0, 999)) / 100:.2f},50" for n in range(3))
    catalog.import_catalog(company=world.company, text=f"sku,cost,quantity\n{prices}\n")
    lines = [
        line(str(n), sku=f"P{data.draw(st.integers(0, 2))}", units=data.draw(st.integers(1, 5)), taxes=())
        for n in range(data.draw(st.integers(1, 3)))
    ]
    bodies = [sale(lines)]
    for number, sold in enumerate(lines):
        rest = int(sold.quantity)
        while rest:
            part = data.draw(st.integers(1, rest))
            given = [back(sold, units=part, net=part * 1000)]
            bodies.append(refund(given, id_=f"R{number}-{rest}", minutes=data.draw(st.integers(1, 9))))
            rest -= part
    world.send(*data.draw(st.permutations(bodies)))
    assert left(world) == 0
    assert {law.law: law.examples for law in verify.verify_books() if law.violations and "stock" in law.law} == {}
