"""What posting.md's table says, line by line: the recipe's legs in plain figures."""

from collections import defaultdict

import msgspec
import pytest

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
