"""Which postings SHOULD stand for a sale, its refunds and its payments. Pure.

The writer (journal.py) compares them with what does stand and posts the difference; so a recipe knows only the present state,
and edits, voids, replays and late arrivals need no recipes of their own. posting.md is the table that sale_recipe.py,
refund_recipe.py, settlement.py and drawer.py carry out.
"""

from channels.family import Family, tenders
from channels.refund import Refund
from channels.sale import Sale
from ledger.legs import Leg, Legs, Policy
from ledger.refund_recipe import Refunds
from ledger.sale_recipe import sale_legs

__all__ = ["Leg", "Legs", "Policy", "postings", "sale_legs"]


def postings(family: Family, policy: Policy) -> dict[int, Legs]:
    """For each transaction of the family the legs that should stand, Σ = 0 for each; none: nothing should."""
    found: dict[int, Legs] = {}
    if family.sale is None:
        for member in family.refunds:
            refund = member.record
            assert isinstance(refund, Refund)
            alone = refund.sale is None and refund.charge is None
            found[member.transaction_id] = Refunds(None, [], policy).legs(refund) if alone else []
        return found
    sale = family.sale.record
    assert isinstance(sale, Sale)
    paid_by = tenders(family)
    found[family.sale.transaction_id] = sale_legs(sale, paid_by, policy)
    if family.refunds:
        refunds = Refunds(sale, paid_by, policy)
        for member in family.refunds:
            assert isinstance(member.record, Refund)
            found[member.transaction_id] = refunds.legs(member.record)
    return found
