"""Law 5: any sequence of refunds that gives everything back nets to zero, whatever the split and the order of arrival."""

import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from channels.family import Member, gather
from channels.refund import RefundLine, RefundTender
from ledger import recipes
from ledger.recipes import Policy
from salessync.core.money import scale
from tests.records import back, refund, sales


@st.composite
def given_back(draw):
    """A paid sale and refunds by line, by unit, by odd amounts and by amount only, that together return all its money."""
    sold = draw(sales())
    refunds = []
    left = {t.id: t.amount for t in sold.tenders}
    remaining = sold.totals.total
    sign = 1
    for target in draw(st.permutations(sold.lines)):
        if draw(st.booleans()):
            units = int(target.quantity)
            returned_net = returned_tax = 0
            for unit in range(1, units + 1):
                net = scale(target.net, unit, units) - returned_net
                tax = scale(target.tax, unit, units) - returned_tax
                returned_net, returned_tax = returned_net + net, returned_tax + tax
                amount = net + (0 if sold.tax_inclusive else tax)
                if 0 < amount <= remaining:
                    remaining -= amount
                    refunds.append([back(target, units=1, net=net, tax=tax)])
    while remaining:
        amount = remaining if draw(st.booleans()) else draw(st.integers(1, remaining))
        remaining -= amount
        refunds.append([RefundLine(type="adjustment", net=amount * sign)])
    made = []
    for number, lines in enumerate(draw(st.permutations(refunds))):
        total = sum(x.net for x in lines) + (0 if sold.tax_inclusive else sum(x.tax for x in lines))
        made.append(
            refund(
                lines, _pay(sold, left, total, number), id_=f"R{number}", inclusive=sold.tax_inclusive, minutes=number
            )
        )
    return sold, made


def _pay(sold, left, amount, number):
    """The money goes back to the tenders it came from, first come first served."""
    tenders = []
    for tender in sold.tenders:
        part = min(left[tender.id], amount)
        if part:
            left[tender.id] -= part
            amount -= part
            tenders.append(
                RefundTender(
                    id=f"R{number}-{tender.id}",
                    parent=tender.id,
                    type=tender.type,
                    amount=part,
                    processor=tender.processor,
                )
            )
    assert amount == 0
    return tenders


def _sums(members):
    sums = defaultdict(int)
    for legs in recipes.postings(gather(members), Policy("shop")).values():
        assert sum(leg.amount for leg in legs) == 0
        for leg in legs:
            key = "revenue" if leg.account.startswith("Income:") else (leg.account, leg.tax_code)
            sums[key] += leg.amount
    return {key: amount for key, amount in sums.items() if amount}


@settings(max_examples=400, deadline=None)
@given(given_back(), st.randoms())
def test_everything_given_back_nets_to_zero(case, chance: random.Random):
    sold, refunds = case
    members = [Member(1, sold), *(Member(i + 2, r) for i, r in enumerate(refunds))]
    if sold.totals.total:
        assert _sums(members) == {}
    shuffled = list(members)
    chance.shuffle(shuffled)
    by_id = recipes.postings(gather(members), Policy("shop"))
    assert recipes.postings(gather(shuffled), Policy("shop")) == by_id


@settings(max_examples=200, deadline=None)
@given(given_back())
def test_each_refund_balances_while_only_some_have_come(case):
    sold, refunds = case
    for count in range(len(refunds)):
        _sums([Member(1, sold), *(Member(i + 2, r) for i, r in enumerate(refunds[:count]))])
