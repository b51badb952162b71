"""What posting.md's table says, line by line: the recipe's legs in plain figures."""

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.charge import Charge
from channels.family import Member, gather
from channels.record import Tax
from channels.refund import RefundLine, RefundTender
from channels.sale import Discount, Presentment
from ledger import recipes
from ledger.recipes import Policy
from tests.records import START, back, card, line, refund, sale, source

POLICY = Policy("shop")


def book(*records, policy=POLICY):
    """Account → amount for each record in turn; every one must balance."""
    members = [Member(i + 1, r) for i, r in enumerate(records)]
    found = recipes.postings(gather(members), policy)
    results = []
    for member in members:
        sums = defaultdict(int)
        for leg in found.get(member.transaction_id, []):
            sums[leg.account] += leg.amount
        assert sum(sums.values()) == 0
        results.append({account: amount for account, amount in sums.items() if amount})
    return results if len(results) > 1 else results[0]


def test_card_sale():
    assert book(sale([line(units=2)])) == {
        "Assets:Clearing:Stripe": 2040, "Income:Sales": -2000, "Liabilities:Tax-payable": -40,
    }  # fmt: skip


def test_cash_goes_to_the_drawer_of_its_register():
    cash = card(1040, type="cash", processor=None, tendered=2000, change=960)
    made = sale([line()], [cash])
    made.source.register = "front 1"
    assert book(made)["Assets:Till:Front-1"] == 1040


def test_split_payment_has_one_posting_a_tender():
    split = [card(600), card(440, "t2", type="gift_card", processor=None)]
    found = book(sale([line()], split))
    assert found["Assets:Clearing:Stripe"] == 600
    assert found["Liabilities:Gift-cards"] == 440


def test_paid_and_tenders_not_known_yet_then_known():
    order = sale([line()], None)
    assert book(order)["Assets:Clearing:Shop-unassigned"] == 1040
    charge = Charge(
        source=source("c1"), occurred_at=START, timezone="UTC", business_date=START.date(), currency="USD",
        order_reference="S1", tender_type="card", status="captured", amount=1000, captured=1000, reference="ref",
        extensions={"standard": {"processor": "stripe"}},
    )  # fmt: skip
    found, _ = book(order, charge)
    assert found["Assets:Clearing:Stripe"] == 1000
    assert found["Assets:Clearing:Shop-unassigned"] == 40


def test_a_charge_in_the_buyers_currency_is_brought_home_and_the_last_takes_the_rest():
    order = msgspec.structs.replace(sale([line()], None), presentment=Presentment(currency="CAD", total=1401))
    charges = [
        Charge(
            source=source(f"c{i}"), occurred_at=START, timezone="UTC", business_date=START.date(), currency="CAD",
            order_reference="S1", tender_type="card", status="captured", amount=amount, captured=amount, reference=f"r{i}",
        )
        for i, amount in enumerate([700, 701])
    ]  # fmt: skip
    found = book(order, *charges)[0]
    assert found["Assets:Clearing:Shop"] == 1040
    assert "Assets:Clearing:Shop-unassigned" not in found


def test_on_account_and_completed_unpaid_are_receivables():
    assert book(sale([line()], [], payment_status="pending"))["Assets:Receivable"] == 1040
    on_account = card(1040, type="on_account", status="pending", processor=None)
    assert book(sale([line()], [on_account], status="open", payment_status="pending"))["Assets:Receivable"] == 1040


@pytest.mark.parametrize(
    ("status", "payment_status", "tenders"),
    [
        ("open", "pending", []),
        ("open", "pending", None),
        ("open", "authorized", [card(1040, status="authorized")]),
        ("voided", "voided", [card(1040, status="voided")]),
        ("cancelled", "voided", None),
        ("cancelled", "pending", []),
        ("completed", "voided", [card(1040, status="voided")]),
    ],
)
def test_what_is_no_revenue(status, payment_status, tenders):
    assert book(sale([line()], tenders, status=status, payment_status=payment_status)) == {}


def test_a_void_after_capture_takes_everything_back():
    assert book(sale([line()], status="voided")) == {}


def test_discounts_shipping_tip_and_rounding():
    lines = [
        line(discount=200),
        line("2", type_="shipping", price=500, taxes=[]),
        line("tip", type_="tip", price=300, taxes=[]),
    ]
    found = book(sale(lines, rounding=-4))
    assert found == {
        "Assets:Clearing:Stripe": 1636, "Income:Sales": -1000, "Income:Discounts": 200, "Liabilities:Tax-payable": -40,
        "Income:Shipping": -500, "Liabilities:Tips": -300, "Income:Cash-rounding": 4,
    }  # fmt: skip


def test_a_platform_pays_for_its_own_discount():
    sold = line(discount=300)
    sold.discounts = [Discount(amount=200, funded_by="platform"), Discount(amount=100)]
    found = book(sale([sold]))
    assert found["Assets:Clearing:Shop-platform"] == 200
    assert found["Income:Discounts"] == 100


def test_tax_inclusive_prices():
    sold = line(price=1190, discount=119, taxes=[("DE", "MwSt", "19", 171)])
    assert book(sale([sold], inclusive=True)) == {
        "Assets:Clearing:Stripe": 1071, "Income:Sales": -1000, "Income:Discounts": 100, "Liabilities:Tax-payable": -171,
    }  # fmt: skip


def test_marketplace_tax_is_never_ours():
    sold = line()
    sold.taxes[0].collector = "marketplace"
    found = book(sale([sold]))
    assert "Liabilities:Tax-payable" not in found
    assert found["Assets:Clearing:Shop-marketplace-tax"] == -40


def test_refund_of_a_line_gives_back_its_tax_under_the_sales_code():
    sold = line(units=2, taxes=[("US-NY", "State", "4", 80)])
    members = gather([Member(1, sale([sold])), Member(2, refund([back(sold, units=1, net=1000, tax=40)]))])
    legs = recipes.postings(members, POLICY)[2]
    assert {(leg.account, leg.tax_code): leg.amount for leg in legs} == {
        ("Income:Returns", None): 1000,
        ("Liabilities:Tax-payable", "US-NY State 4%"): 40,
        ("Assets:Clearing:Stripe", None): -1040,
    }


def test_amount_only_refund_takes_its_share_of_the_tax():
    sold = line(units=10, taxes=[("US-NY", "State", "10", 1000)])  # 100.00 + 10.00
    goodwill = refund([RefundLine(type="adjustment", net=1100)])
    assert book(sale([sold]), goodwill)[1] == {
        "Income:Allowances": 1000, "Liabilities:Tax-payable": 100, "Assets:Clearing:Stripe": -1100,
    }  # fmt: skip
    assert book(sale([sold]), goodwill, policy=Policy("shop", "none"))[1]["Income:Allowances"] == 1100


def test_pending_and_failed_refunds():
    sold = line()
    pending = refund([back(sold, units=1, net=1000, tax=40)], status="pending")
    assert book(sale([sold]), pending)[1]["Liabilities:Refunds-in-transit"] == -1040
    assert book(sale([sold]), refund([back(sold, units=1, net=1000, tax=40)], status="failed"))[1] == {}


def test_cancellation_gives_back_only_what_was_never_captured():
    paid = sale([line()], [card(520)], status="cancelled", payment_status="partially_paid")
    found = book(paid)
    assert found["Assets:Clearing:Stripe"] == 520
    assert "Assets:Receivable" not in found
    assert found["Liabilities:Tax-payable"] == -20


def test_a_refund_without_its_sale_waits_and_one_without_any_stands_alone():
    sold = line()
    assert book(refund([back(sold, units=1, net=1000, tax=40)])) == {}
    alone = refund([back(sold, units=1, net=1000, tax=40)], of=None)
    assert book(alone)["Income:Returns"] == 1000


def test_a_shopify_refund_of_a_tax_inclusive_sale_is_read_from_the_sale():
    sold = line(price=1190, taxes=[("DE", "MwSt", "19", 190)])
    made = sale([sold], inclusive=True)
    exclusive_reading = refund(
        [back(sold, units=1, net=1190, tax=190), RefundLine(type="adjustment", net=-190)],
    )
    assert exclusive_reading.totals.total == 1190
    assert book(made, exclusive_reading)[1] == {
        "Income:Returns": 1000, "Liabilities:Tax-payable": 190, "Assets:Clearing:Stripe": -1190,
    }  # fmt: skip


def test_refund_to_another_tender_of_the_sale():
    split = [card(600), card(440, "t2", type="gift_card", processor=None)]
    sold = line()
    given = refund(
        [back(sold, units=1, net=1000, tax=40)],
        [
            RefundTender(id="a", parent="t1", type="card", amount=600, processor=None),
            RefundTender(id="b", parent="t2", type="gift_card", amount=440),
        ],
    )
    found = book(sale([sold], split), given)[1]
    assert found["Assets:Clearing:Stripe"] == -600
    assert found["Liabilities:Gift-cards"] == -440


def test_the_rest_of_two_taxes_goes_back_with_the_lines_last_unit():
    sold = line(units=3, price=10, taxes=[("US-NY", "State", "4", 2), ("US-NY-NYC", "City", "4", 1)])
    refunds = [refund([back(sold, units=1, net=10, tax=1)], id_=f"R{i}", minutes=i) for i in range(3)]
    found = recipes.postings(
        gather([Member(0, sale([sold])), *(Member(i + 1, r) for i, r in enumerate(refunds))]), POLICY
    )
    codes = defaultdict(int)
    for legs in found.values():
        for leg in legs:
            codes[leg.tax_code] += leg.amount
    assert codes["US-NY State 4%"] == codes["US-NY-NYC City 4%"] == 0


def test_a_marketplace_tax_of_a_refund_goes_back_where_it_came_from():
    sold = line()
    sold.taxes = [Tax(name="State", jurisdiction="US-NY", rate="4", amount=40, collector="marketplace")]
    found = book(sale([sold]), refund([back(sold, units=1, net=1000, tax=40)]))[1]
    assert found["Assets:Clearing:Shop-marketplace-tax"] == 40


# --- exchanges


def exchange(*, tenders="card", **more):
    new = line("n1", price=2500, taxes=[("US-NY", "State", "4", 100)], exchange="l1")
    old = line("l1", units=-1, price=900, taxes=[("US-NY", "State", "4", -36)])
    return sale([new, old], tenders, **more)


def test_what_came_back_in_an_exchange_is_a_return_and_only_the_difference_is_paid():
    assert book(exchange()) == {
        "Assets:Clearing:Stripe": 1664, "Income:Sales": -2500, "Income:Returns": 900, "Liabilities:Tax-payable": -64,
    }  # fmt: skip


def test_an_exchange_with_tax_in_its_prices():
    new = line("n1", price=2380, taxes=[("DE", "MwSt", "19", 380)])
    old = line("l1", units=-1, price=1190, taxes=[("DE", "MwSt", "19", -190)])
    found = book(sale([new, old], inclusive=True))
    assert (found["Income:Sales"], found["Income:Returns"], found["Liabilities:Tax-payable"]) == (-2000, 1000, -190)


def test_a_negative_fee_is_a_fee_and_a_returned_gift_card_a_liability():
    lines = [line(price=5000, taxes=[]), line("f", units=-1, price=500, taxes=[], type_="fee")]
    lines.append(line("g", units=-1, price=1000, taxes=[], type_="gift_card_sale"))
    assert book(sale(lines)) == {
        "Assets:Clearing:Stripe": 3500, "Income:Sales": -5000, "Income:Fees": 500, "Liabilities:Gift-cards": 1000,
    }  # fmt: skip


def test_an_exchange_that_is_given_back_leaves_nothing():
    sold = exchange()
    found = book(sold, refund([RefundLine(type="adjustment", net=1664)]))
    assert found[1]["Liabilities:Tax-payable"] == 64
    assert sum(found[1][account] for account in found[1] if account.startswith("Income:")) == 1600


# --- gift cards, store credit, deposits


def test_a_gift_card_is_sold_and_redeemed():
    assert book(sale([line(price=5000, taxes=[], type_="gift_card_sale")])) == {
        "Assets:Clearing:Stripe": 5000, "Liabilities:Gift-cards": -5000,
    }  # fmt: skip
    redeemed = card(1040, type="gift_card", processor=None)
    assert book(sale([line()], [redeemed]))["Liabilities:Gift-cards"] == 1040


def test_a_gift_card_below_its_face_value_is_owed_in_full():
    sold = line(price=5000, discount=500, taxes=[], type_="gift_card_sale")
    found = book(sale([sold]), refund([back(sold, units=1, net=4500)]))
    assert found[0] == {"Assets:Clearing:Stripe": 4500, "Liabilities:Gift-cards": -5000, "Income:Discounts": 500}
    assert found[1] == {"Assets:Clearing:Stripe": -4500, "Liabilities:Gift-cards": 5000, "Income:Allowances": -500}


def test_store_credit_is_issued_by_a_refund_and_used_as_a_tender():
    sold = line()
    credit = [RefundTender(id="c", type="store_credit", amount=1040)]
    found = book(sale([sold]), refund([back(sold, units=1, net=1000, tax=40)], credit))
    assert found[1]["Liabilities:Store-credit"] == -1040
    used = card(1040, type="store_credit", processor=None)
    assert book(sale([line()], [used]))["Liabilities:Store-credit"] == 1040


def test_a_deposit_is_owed_until_the_sale_that_uses_it():
    taken = sale([line(price=3000, taxes=[], type_="deposit")])
    assert book(taken) == {"Assets:Clearing:Stripe": 3000, "Liabilities:Customer-deposits": -3000}
    goods = [line(price=10000, taxes=[]), line("d", units=-1, price=3000, taxes=[], type_="deposit")]
    assert book(sale(goods)) == {
        "Assets:Clearing:Stripe": 7000, "Income:Sales": -10000, "Liabilities:Customer-deposits": 3000,
    }  # fmt: skip


# --- discounts of a platform, tax of a marketplace


def test_a_platform_pays_no_discount_on_what_comes_back():
    sold = line(units=3, price=1000, discount=300, taxes=[])
    sold.discounts = [Discount(amount=100, funded_by="platform"), Discount(amount=200)]
    one = refund([back(sold, units=1, net=900)], id_="R1")
    two = refund([back(sold, units=2, net=1800)], id_="R2", minutes=90)
    found = book(sale([sold]), one, two)
    platform = [entry["Assets:Clearing:Shop-platform"] for entry in found]
    assert platform == [100, -33, -67]
    assert found[1]["Income:Returns"] == 933


def test_a_platforms_discount_with_tax_in_the_price_and_an_amount_only_refund():
    sold = line(price=1190, discount=119, taxes=[("DE", "MwSt", "19", 171)])
    sold.discounts = [Discount(amount=119, funded_by="platform")]
    found = book(sale([sold], inclusive=True), refund([RefundLine(type="adjustment", net=1071)], inclusive=True))
    assert found[0]["Assets:Clearing:Shop-platform"] == 100
    assert found[1]["Assets:Clearing:Shop-platform"] == -100


# --- tips on the payment


def tipped(tip=300, **more):
    return sale([line()], [card(1040 + tip, tip=tip)], **more)


def test_a_tip_that_only_the_payment_tells_is_owed_to_the_staff():
    assert book(tipped()) == {
        "Assets:Clearing:Stripe": 1340, "Income:Sales": -1000, "Liabilities:Tax-payable": -40, "Liabilities:Tips": -300,
    }  # fmt: skip


def test_a_tip_that_the_sale_knows_is_booked_once():
    lines = [line(), line("tip", type_="tip", price=300, taxes=[])]
    assert book(sale(lines, [card(1340, tip=300)]))["Liabilities:Tips"] == -300
    assert book(sale(lines, [card(1340, tip=300)]))["Assets:Clearing:Stripe"] == 1340


def test_what_was_paid_beyond_sale_and_tip_is_owed_to_the_buyer():
    found = book(sale([line()], [card(1400, tip=300)]))
    assert (found["Liabilities:Tips"], found.get("Assets:Receivable")) == (-300, -60)
    assert book(sale([line()], [card(1100, tip=0)]))["Assets:Receivable"] == -60
    assert "Liabilities:Tips" not in book(sale([line()], [card(1040, tip=300)]))  # short of the sale, not beyond it


def test_the_sale_goes_back_and_the_tip_stays():
    sold = tipped()
    found = book(sold, refund([RefundLine(type="adjustment", net=1040)]))[1]
    assert found == {"Assets:Clearing:Stripe": -1040, "Liabilities:Tax-payable": 40, "Income:Allowances": 1000}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_sale_and_tip_go_back_in_any_parts(data):
    """Law 5, where the tip is no part of the sale's total: by tip lines, by goods and by amount, in any order."""
    tip = data.draw(st.integers(1, 500))
    own = data.draw(st.sampled_from([0, 100]))
    goods = line(taxes=[("US-NY", "State", "4", 40), ("US-NY-NYC", "City", "4.5", 45)])
    lines = [goods] + ([line("tip", type_="tip", price=own, taxes=[])] if own else [])
    sold = sale(lines, [card(1085 + own + tip, tip=own + tip)])
    parts = []
    left = sold.totals.total + tip
    if data.draw(st.booleans()):
        told = data.draw(st.integers(1, own + tip))
        parts.append([RefundLine(type="tip", line="tip" if own else None, net=told)])
        left -= told
    if data.draw(st.booleans()) and left >= 1085:
        parts.append([back(goods, units=1, net=1000, tax=85)])
        left -= 1085
    while left:
        amount = data.draw(st.integers(1, left)) if data.draw(st.booleans()) else left
        parts.append([RefundLine(type="adjustment", net=amount)])
        left -= amount
    made = [refund(of, id_=f"R{i}", minutes=i) for i, of in enumerate(data.draw(st.permutations(parts)))]
    sums = defaultdict(int)
    for entry in book(sold, *made):
        for account, amount in entry.items():
            sums["revenue" if account.startswith("Income:") else account] += amount
    assert {account: amount for account, amount in sums.items() if amount} == {}


def test_a_cancelled_sale_with_a_tip_keeps_what_was_captured():
    found = book(tipped(status="cancelled"), refund([RefundLine(type="adjustment", net=1340)]))
    assert found[0]["Liabilities:Tips"] == -300
    assert {a: found[0].get(a, 0) + found[1].get(a, 0) for a in found[1] if not a.startswith("Income")} == {
        "Assets:Clearing:Stripe": 0, "Liabilities:Tax-payable": 0, "Liabilities:Tips": 0,
    }  # fmt: skip


# --- clearing names


def test_sale_and_payout_come_to_the_same_account():
    policy = Policy("main-shop", processors={"shopify": "main-shop", "stripe": "stripe-eu"})
    assert (
        policy.clearing(None)
        == policy.clearing("shopify")
        == policy.clearing("main-shop")
        == "Assets:Clearing:Main-shop"
    )
    assert policy.clearing("stripe") == policy.clearing("stripe-eu") == "Assets:Clearing:Stripe-eu"
    assert policy.clearing("klarna") == "Assets:Clearing:Klarna"
    assert book(sale([line()]), policy=policy)["Assets:Clearing:Stripe-eu"] == 1040


def test_kinds_lead_rules():
    legs = recipes.sale_legs(sale([line(discount=200)]), [card(800)], POLICY)
    assert {leg.path: leg.kind for leg in legs} == {
        "lines/1/gross": "item", "lines/1/discount": "item", "lines/1/taxes/0": None, "tenders/t1": "card",
        "totals/due": None,
    }  # fmt: skip
