"""What should stand in the books for sales and refunds: the recipes' legs, led by the administrator's rules, worth in base currency.

One date decides for a whole family, the sale's: a refund goes back to the accounts of its sale, at the rate of its sale.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from channels.arrivals import ChannelFacts
from channels.families import FamilyWork
from channels.family import Member
from inventory import costs
from ledger import account_rules, accounts, rates, recipes
from ledger.mapping import Rules
from ledger.recipes import Leg, Policy
from salessync.core.money import convert

Key = tuple[str, str, str | None, str | None, str | None, str]  # account, currency, location, tax code, category, path
Amounts = tuple[int, int]  # in the currency of the key, and in the company's
Legs = dict[Key, Amounts]

COST_PATH = "movements"  # no part of the record: it comes from the shelf


class Target(NamedTuple):
    """What should stand for one transaction. `summarized`: in the sub-ledger, until its channel's summary takes it in."""

    channel: ChannelFacts
    transaction_id: int
    version_id: int
    business_date: date
    legs: Legs
    summarized: bool = False


def policy(channel: ChannelFacts) -> Policy:
    """What the recipes need to know of a channel."""
    return Policy(channel.slug, channel.refund_tax, channel.names)


def of_families(works: Sequence[FamilyWork], rules: Mapping[int, Rules] | None = None) -> list[Target]:
    """One target for each sale and refund of the families, an empty one where nothing should stand."""
    rate = rates.load([_rate_need(work, member) for work in works for member in _booked(work)])
    if rules is None:
        rules = account_rules.load({work.channel.company_id for work in works})
    cost = costs.of([member.transaction_id for work in works for member in _booked(work)])
    return [target for work in works for target in _of_family(work, rate, rules, cost)]


def _of_family(
    work: FamilyWork,
    rate: Mapping[rates.Need, Decimal],
    rules: Mapping[int, Rules],
    cost: Mapping[int, Mapping[str, int]],
) -> Iterable[Target]:
    wanted = recipes.postings(work.family, policy(work.channel))
    for member in _booked(work):
        channel = work.channel_of(member)
        legs = wanted.get(member.transaction_id, [])
        if not channel.posts(member.record):
            legs = []
        elif legs and member.transaction_id in cost:
            legs = legs + cost_legs(cost[member.transaction_id], channel)
        need = _rate_need(work, member)
        applying = rules.get(channel.company_id)
        yield Target(
            channel, member.transaction_id, work.versions[member.transaction_id], member.record.business_date,
            based(legs, member, channel, rate.get(need), applying, need[0]) if legs else {},
            channel.posting_mode in ("day", "payout"),
        )  # fmt: skip


def _booked(work: FamilyWork) -> Iterable[Member]:
    if work.family.sale:
        yield work.family.sale
    yield from work.family.refunds
    yield from work.family.settled  # nothing, unless their charge was a sale until its order came
    yield from work.family.superseded


def _rate_need(work: FamilyWork, member: Member) -> rates.Need:
    """A refund is booked at its sale's rate, so that giving all back nets to zero; the payout shows what exchange cost."""
    dated = work.family.sale or member
    return dated.record.business_date, member.record.currency, work.channel.base_currency


def cost_legs(cost: Mapping[str, int], channel: ChannelFacts) -> list[Leg]:
    """Dr Cost of sales · Cr Inventory, in base currency: what the stock that moved had cost, line by line in its movements."""
    amount = sum(cost.values())
    if not amount:
        return []
    currency = channel.base_currency
    return [
        Leg(accounts.COST_OF_SALES, amount, COST_PATH, currency=currency, base=amount),
        Leg(accounts.INVENTORY, -amount, COST_PATH, currency=currency, base=-amount),
    ]


def based(
    legs: Iterable[Leg],
    member: Member,
    channel: ChannelFacts,
    rate: Decimal | None,
    rules: Rules | None,
    on: date,
) -> Legs:
    """The legs summed by key, each with its worth in base currency; what rounding leaves over goes to the largest converted leg."""
    own, base_currency, location = member.record.currency, channel.base_currency, member.record.source.location
    leads = None if rules is None or rules.empty else rules
    summed: dict[Key, int] = {}
    given: dict[Key, int] = {}
    foreign = own != base_currency
    for leg in legs:
        account, amount, path, tax_code, category, _, currency, base, _, place = leg
        if leads:
            account = leads.account(leg, channel.slug, on)
        if currency is not None and currency != base_currency:
            foreign = True
        key = (account, currency or own, place or location, tax_code, category, path)
        summed[key] = summed.get(key, 0) + amount
        if base is not None:
            given[key] = given.get(key, 0) + base
    if not foreign:  # everything is worth itself
        return {key: (amount, amount) for key, amount in summed.items() if amount}
    worth = {
        key: given[key] if key in given else _worth(key, amount, base_currency, own, rate)
        for key, amount in summed.items()
    }
    residue = sum(worth.values())
    if residue:  # so that the entry balances in both currencies
        free = [key for key in worth if key not in given and key[1] != base_currency]
        if not free:
            raise ValueError(f"legs that do not balance in {base_currency}: {residue}")
        worth[max(free, key=lambda k: (abs(worth[k]), k[0], k[5]))] -= residue
    return {key: (amount, worth[key]) for key, amount in summed.items() if amount or worth[key]}


def _worth(key: Key, amount: int, base_currency: str, own: str, rate: Decimal | None) -> int:
    if key[1] == base_currency:
        return amount
    if rate is None or key[1] != own:
        raise LookupError(f"no rate from {key[1]} to {base_currency}")
    return convert(amount, key[1], rate, base_currency)
