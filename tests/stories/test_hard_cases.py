"""The hard cases of retail, each told once from the till to the books and the shelf; every figure is worked out by hand."""

from datetime import date, timedelta

import msgspec
import pytest

from channels.charge import Charge
from channels.dispute import Dispute
from channels.models import Transaction
from channels.record import Fee, Jurisdiction
from channels.refund import RefundLine
from channels.sale import Customer, Discount, Line, Presentment
from inventory import catalog
from ledger.models import JournalEntry, Rate
from tests.records import START, back, card, line, refund, sale, source
from tests.worlds import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("laws_hold")]
CARD, TAX, SALES = "Assets:Clearing:Stripe", "Liabilities:Tax-payable", "Income:Sales"


@pytest.fixture
def world(db):
    return World()


def replaced(record, **fields):
    return msgspec.structs.replace(record, **fields)


def later(record, version, **fields):
    """The same object at a later version."""
    return replaced(record, source=replaced(record.source, version=version), **fields)


def charge(**more):
    return Charge(**{
        "source": source("ch_1"), "occurred_at": START, "timezone": "UTC", "business_date": date(2026, 9, 1),
        "currency": "USD", "tender_type": "card", "status": "captured", "amount": 1040, "captured": 1040,
        "fees": [Fee(type="processing", amount=60)], **more,
    })  # fmt: skip


def test_split_tenders_with_the_tip_on_one_of_them(world):
    tip = line("tip", type_="tip", price=300, taxes=())
    cash = card(500, type="cash", processor=None, tendered=1000, change=500)
    world.send(sale([line(), tip], [cash, card(840, "t2", tip=300)]))
    assert world.balances() == {
        "Assets:Till:Main": 500, CARD: 840, SALES: -1000, TAX: -40, "Liabilities:Tips": -300,
    }  # fmt: skip


def test_gift_card_sold_and_spent(world):
    world.send(sale([line(type_="gift_card_sale", price=5000, taxes=())], id_="G"))
    assert world.balances() == {CARD: 5000, "Liabilities:Gift-cards": -5000}
    world.send(sale([line()], [card(1000, type="gift_card", processor=None), card(40, "t2")]))
    assert world.balances() == {CARD: 5040, "Liabilities:Gift-cards": -4000, SALES: -1000, TAX: -40}


def test_store_credit_given_for_a_return_and_used(world):
    world.send(sale([line()]))
    given = refund([back(line(), units=1, net=1000, tax=40)])
    credit = [replaced(given.tenders[0], type="store_credit", processor=None, parent=None)]
    world.send(replaced(given, tenders=credit))
    assert world.balances() == {CARD: 1040, "Liabilities:Store-credit": -1040, SALES: -1000, "Income:Returns": 1000}
    world.send(sale([line()], [card(1040, type="store_credit", processor=None)], id_="S2"))
    assert world.balances() == {CARD: 1040, SALES: -2000, "Income:Returns": 1000, TAX: -40}


def test_a_deposit_and_the_completion_that_follows(world):
    deposit = line("d", type_="deposit", price=300, taxes=())
    world.send(sale([deposit], status="open", payment_status="partially_paid"))
    assert world.balances() == {CARD: 300, "Liabilities:Customer-deposits": -300}
    world.send(sale([line()], [card(300), card(740, "t2")], version="2"))
    assert world.balances() == {CARD: 1040, SALES: -1000, TAX: -40}
    assert world.stock()["MUG"] == (99, 0)


def test_an_exchange_with_money_back(world):
    world.send(sale([line(units=1, price=2000, taxes=())], id_="S0"))
    taken_back = Line(
        id="1", type="item", sku="MUG", name="Mug", quantity="-1", unit_price="20.00", gross=-2000, net=-2000, tax=0
    )
    cap = replaced(line("2", price=1500, sku="CAP", taxes=()), exchange="1")
    exchange = sale([taken_back, cap], [], id_="X")
    world.send(exchange)
    assert exchange.totals.total == -500
    assert world.balances()[SALES] + world.balances()["Income:Returns"] == -1500
    assert world.stock() == {"MUG": (100, 0), "CAP": (2, 0)}
    assert world.balances()["Assets:Receivable"] == -500  # owed to the customer until the refund that pays it out


def test_cash_rounding(world):
    rounded = sale([line(price=1002)], [card(1040, type="cash", processor=None)], rounding=-2)
    world.send(rounded)
    assert world.balances() == {"Assets:Till:Main": 1040, SALES: -1002, TAX: -40, "Income:Cash-rounding": 2}


def test_a_partial_capture_leaves_the_rest_due(world):
    world.send(sale([line()], [card(600)], status="completed", payment_status="partially_paid"))
    assert world.balances() == {CARD: 600, "Assets:Receivable": 440, SALES: -1000, TAX: -40}


def test_an_authorization_posts_nothing_and_its_end_releases_the_shelf(world):
    held = sale(
        [line()], [card(1040, status="authorized", action="authorize")], status="open", payment_status="authorized"
    )
    world.send(held)
    assert (world.balances(), world.stock()["MUG"]) == ({}, (100, 1))
    expired = later(
        held, "2", payment_status="voided", tenders=[replaced(held.tenders[0], status="voided", action="void")]
    )
    world.send(expired)
    assert (world.balances(), world.stock()["MUG"]) == ({}, (100, 0))
    assert JournalEntry.objects.filter(company=world.company).count() == 0


def test_a_void_after_the_capture_is_the_inverse(world):
    world.send(sale([line()]), sale([line()], version="2", status="voided", payment_status="voided"))
    assert (world.balances(), world.stock()["MUG"]) == ({}, (100, 0))
    assert JournalEntry.objects.filter(company=world.company).count() == 2


def test_a_refund_that_fails_weeks_later(world):
    gives = refund([back(line(), units=1, net=1000, tax=40)])
    world.send(sale([line()]), gives)
    assert world.balances() == {SALES: -1000, "Income:Returns": 1000}
    world.send(later(gives, "2", status="failed"))
    assert world.balances() == {CARD: 1040, SALES: -1000, TAX: -40}
    assert world.stock()["MUG"] == (99, 0)


def test_a_dispute_is_kept_through_every_state_and_moves_no_revenue(world):
    dispute = Dispute(
        source=source("dp_1"), occurred_at=START, timezone="UTC", business_date=date(2026, 9, 5), currency="USD",
        tender_reference="ch_1", kind="chargeback", state="needs_response", amount=1040, fee=1500,
    )  # fmt: skip
    sold = {CARD: 1040, SALES: -1000, TAX: -40}
    taken = f"Assets:Clearing:{world.till.slug.capitalize()}"
    world.send(sale([line()]), dispute)
    disputed = {taken: -2540, "Assets:Disputed-funds": 1040, "Expenses:Dispute-fees": 1500}
    assert world.balances() == sold | disputed
    world.send(later(dispute, "2", state="won"))
    assert world.balances() == sold | {taken: -1500, "Expenses:Dispute-fees": 1500}
    world.send(later(dispute, "3", state="lost"))
    assert world.balances() == sold | {taken: -2540, "Expenses:Chargebacks": 1040, "Expenses:Dispute-fees": 1500}
    assert Transaction.objects.get(type="dispute", company_id=world.company.pk).status == "lost"
    world.send(later(dispute, "4", state="won"), dispute)
    assert world.balances() == sold | {taken: -1500, "Expenses:Dispute-fees": 1500}


def test_a_tax_that_the_marketplace_collects_is_never_ours(world):
    sold = line()
    sold.taxes[0].collector = "marketplace"
    world.send(sale([sold]))
    assert world.balances() == {
        CARD: 1040,
        SALES: -1000,
        f"Assets:Clearing:{world.till.slug.capitalize()}-marketplace-tax": -40,
    }


def test_shown_sold_and_settled_in_three_currencies(world):
    Rate.objects.create(date=date(2026, 8, 1), from_currency="EUR", to_currency="USD", rate="1.1")
    world.send(sale([line()], currency="EUR", presentment=Presentment(currency="CAD", total=1560, rate="0.6667")))
    base = JournalEntry.objects.get(company=world.company).postings
    assert sorted(base.values_list("currency", "amount", "base_amount")) == [
        ("EUR", -1000, -1100), ("EUR", -40, -44), ("EUR", 1040, 1144),
    ]  # fmt: skip


@pytest.mark.parametrize(("currency", "price", "text"), [("JPY", 1000, "1000"), ("KWD", 1000, "1.000")])
def test_currencies_with_no_and_three_digits(world, currency, price, text):
    Rate.objects.create(date=date(2026, 8, 1), from_currency=currency, to_currency="USD", rate="1")
    sold = replaced(line(price=price), unit_price=text)
    world.send(sale([sold], currency=currency))
    assert world.balances()[SALES] == -1000


def test_an_offline_till_three_days_late_keeps_its_own_day(world):
    late = sale([line()])
    world.send(replaced(late, source=replaced(late.source, offline=True), occurred_at=START - timedelta(days=3),
                        business_date=date(2026, 8, 29)))  # fmt: skip
    assert JournalEntry.objects.get(company=world.company).date == date(2026, 8, 29)


def test_a_test_order_is_no_sale(world):
    tried = sale([line()])
    world.send(replaced(tried, source=replaced(tried.source, test=True)))
    assert (world.balances(), world.states()) == ({}, {"ignored": 1})


def test_an_order_edited_after_its_posting_and_a_line_removed(world):
    world.send(sale([line("1"), line("2", sku="CAP", price=500)]))
    world.send(sale([line("1")], version="2"))
    assert world.balances() == {CARD: 1040, SALES: -1000, TAX: -40}
    assert world.stock() == {"MUG": (99, 0), "CAP": (3, 0)}


def test_an_exempt_customer_pays_no_tax(world):
    world.send(replaced(sale([line(taxes=())]), customer=Customer(exempt=True)))
    assert world.balances() == {CARD: 1000, SALES: -1000}


def test_a_sale_of_nothing_and_a_free_gift_leave_the_shelf(world):
    free = line(price=1000, discount=1000, taxes=())
    world.send(sale([free], []))
    assert world.balances() == {SALES: -1000, "Income:Discounts": 1000}
    gift = line("2", sku="CAP", price=0, taxes=())
    world.send(sale([line(), gift], id_="S2"))
    assert world.stock() == {"MUG": (98, 0), "CAP": (2, 0)}


def test_a_negative_line_lowers_the_sale(world):
    minus = Line(
        id="9", type="fee", name="Bottle return", quantity="1", unit_price="-2.00", gross=-200, net=-200, tax=0
    )
    world.send(sale([line(), minus]))
    assert world.balances() == {CARD: 840, SALES: -1000, TAX: -40, "Income:Fees": 200}


def test_what_the_goods_had_cost_leaves_with_them_and_comes_back_as_far_as_they_do(world):
    catalog.import_catalog(company=world.company, text="sku,cost\nMUG,4.00\nCAP,2.50")
    world.send(sale([line(units=3), line("2", sku="CAP")]))
    cost = {"Assets:Inventory": -1450, "Expenses:Cost-of-sales": 1450}
    assert {k: v for k, v in world.balances().items() if k in cost} == cost
    world.send(refund([back(line(units=3), units=2, net=2000, tax=26)]))
    assert world.balances()["Expenses:Cost-of-sales"] == 650
    world.send(refund([back(line("2", sku="CAP"), units=1, net=1000, tax=40, restock="none")], id_="R2"))
    assert world.balances()["Expenses:Cost-of-sales"] == 650


def test_a_thousand_lines(world):
    lines = [line(str(n), price=n, taxes=[("US-NY", "State", "4", 1)]) for n in range(1, 1001)]
    world.send(sale(lines))
    assert world.balances() == {CARD: 501_500, SALES: -500_500, TAX: -1000}
    assert world.stock()["MUG"] == (-900, 0)


def test_a_platform_that_pays_for_its_own_discount(world):
    sold = replaced(line(discount=200), discounts=[Discount(code="P", amount=200, funded_by="platform")])
    world.send(sale([sold]))
    assert world.balances()[SALES] == -1000 and "Income:Discounts" not in world.balances()


def test_goodwill_without_lines_takes_its_share_of_the_tax(world):
    world.send(sale([line()]))
    world.send(refund([RefundLine(type="adjustment", net=520)]))
    assert world.balances() == {CARD: 520, SALES: -1000, TAX: -20, "Income:Allowances": 500}


# --- one sale seen by two channels


def processor(world, slug="pay"):
    return world.channel(f"{slug}-{world.company.slug}", "standard")


def shop_sale(world, **more):
    """A storefront's order that does not speak of its payments."""
    return sale([line()], None, **more)


def test_a_processors_charge_pays_for_the_order_that_it_names(world):
    pay = processor(world)
    world.send(shop_sale(world))
    unassigned = {k: v for k, v in world.balances().items() if "nassigned" in k}
    assert list(unassigned.values()) == [1040]
    world.send(charge(order_reference="S1"), channel=pay)
    assert world.states() == {"posted": 2}
    assert not any("nassigned" in account for account in world.balances())
    assert world.balances()[SALES] == -1000
    assert sum(v for k, v in world.balances().items() if k.startswith("Assets:Clearing")) == 1040


def test_the_charge_may_come_first_and_waits_visibly(world):
    pay = processor(world)
    world.send(charge(order_reference="S1"), channel=pay)
    assert world.states() == {"waiting": 1} and world.balances() == {}
    world.send(shop_sale(world))
    assert world.states() == {"posted": 2}
    assert sum(v for k, v in world.balances().items() if k.startswith("Assets:Clearing")) == 1040
    assert not any("nassigned" in account for account in world.balances())


def test_a_charge_of_a_known_payment_adds_no_money(world):
    pay = processor(world)
    world.send(sale([line()], [card(1040, reference="ch_1")]))
    world.send(charge(), channel=pay)
    world.send(charge(source=source("ch_2"), order_reference="S1"), channel=pay)
    assert world.states() == {"posted": 3}
    assert world.balances() == {f"Assets:Clearing:Pay-{world.company.slug}": 1040, SALES: -1000, TAX: -40}


def test_what_two_orders_could_be_meant_by_is_not_guessed(world):
    other, pay = world.channel("other-" + world.company.slug, "standard"), processor(world)
    world.send(shop_sale(world))
    world.send(shop_sale(world), channel=other)
    world.send(charge(order_reference="S1"), channel=pay)
    assert world.states()["waiting"] == 1


def test_a_reference_to_a_smaller_sale_is_not_believed(world):
    pay = processor(world)
    world.send(shop_sale(world))
    world.send(charge(order_reference="S1", amount=5000, captured=5000), channel=pay)
    assert world.states()["waiting"] == 1


def test_a_processors_refund_is_linked_and_not_counted_twice(world):
    pay = processor(world)
    world.send(sale([line()], [card(1040, reference="ch_1")]))
    world.send(charge(), channel=pay)
    world.send(refund([back(line(), units=1, net=1000, tax=40)]))
    own = refund([RefundLine(type="adjustment", net=1040)], id_="re_1")
    world.send(replaced(own, sale=None, charge="ch_1"), channel=pay)
    assert set(world.states()) == {"posted"}
    assert world.balances() == {SALES: -1000, "Income:Returns": 1000}
    families = set(Transaction.objects.filter(company_id=world.company.pk).values_list("family", flat=True))
    assert families == {f"{world.till.pk}:S1"}


def test_a_processors_refund_that_comes_before_its_charge_follows_it(world):
    pay = processor(world)
    own = refund([RefundLine(type="adjustment", net=1040)], id_="re_1")
    world.send(replaced(own, sale=None, charge="ch_1"), channel=pay)
    world.send(charge(order_reference="S1"), channel=pay)
    world.send(shop_sale(world))
    assert set(world.states()) == {"posted"}
    families = set(Transaction.objects.filter(company_id=world.company.pk).values_list("family", flat=True))
    assert families == {f"{world.till.pk}:S1"}


def test_the_place_of_the_sale_is_kept(world):
    world.send(replaced(sale([line()]), jurisdiction=Jurisdiction(country="DE", postcode="10115")))
    assert world.states() == {"posted": 1}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_payments_once_told_are_not_forgotten_by_a_version_that_is_silent(world, order):
    """A shop's webhook does not speak of payments, its REST answer does; whichever of them comes last."""
    versions = [sale([line()]), sale([line(units=2)], None, version="2")]
    world.send(*[versions[n] for n in order])
    assert world.states() == {"posted": 2}
    assert world.balances() == {CARD: 1040, SALES: -2000, TAX: -40, _unassigned(world): 1000}


def _unassigned(world):
    return next(account for account in world.balances() if account.endswith("unassigned"))
