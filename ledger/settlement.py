"""Which postings SHOULD stand for a payout, a dispute and an entry by hand. Pure. posting.md is the table this file carries out.

A payout brings to the bank what the clearing account holds. Line by line: Dr Bank in transit net, Dr Processing fees fee,
Cr Clearing gross; what is no sale's goes to accounts of its own (reserves, loans, exchange). What nothing in the books stands
for (a residual, an adjustment) stays on the clearing account as an open item: it is never hidden.

Where currencies differ, clearing is relieved of exactly what was booked, in its currency and at its rate; bank and fees have the
payout's currency at the payout's rate, and what is between them is gain or loss. Say a charge of 100.00 EUR, booked at 1.10, is
paid out as 111.00 less 3.00 USD, in books kept in USD:

    Dr Bank in transit 108.00 USD, Dr Processing fees 3.00 USD · Cr Clearing 100.00 EUR (110.00 USD), Cr FX gain 1.00 USD
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from channels.dispute import Dispute
from channels.manual import Manual
from channels.payout import Payout, PayoutLine
from channels.record import Fee
from ledger import accounts
from ledger.legs import Leg, Legs, Policy
from salessync.core.money import convert, scale

PAID_OUT = frozenset({"in_transit", "paid"})  # the others have moved nothing, or it came back

DISPUTES = frozenset({"dispute", "dispute_reversal"})
# Lines that take out what a record of ours has put on the clearing account.
CLEARS = DISPUTES | frozenset({"charge", "refund", "refund_failure"})

_TAX = re.compile(r"(?<![a-z])(tax|vat|gst|hst|pst|qst|iva|tva|mwst|ust|btw)(?![a-z])")


class Booked(NamedTuple):
    """What a payout line's reference puts on a clearing account: debit positive, in its own and in the base currency.

    Of a charge what was captured; of a refund what was given back (negative); of a dispute what is disputed (negative, without its
    fee). Of a refund that failed or a dispute that was won it is what stood before: both its lines clear at that rate.
    """

    account: str
    currency: str
    amount: int
    base: int


class Known(NamedTuple):
    """What our records tell of the object that a payout line refers to.

    `fees`: the charge's own, for the tax among them. `dispute_fee`: what the dispute's own record books as its fee; None: it is no
    dispute that we know. `failed`: the payout that came back, with what is known of its own lines.

    An object that several lines pay is cleared in proportion, and the last line takes what remains. `before`: Σ gross of those in
    earlier payouts. `gross`, needed where it is booked in another currency than it is paid in: Σ gross of all of them, in the
    payout's currency; None: this payout has the rest. Lines that take it back (of the other sign) count in neither. `undone`: they
    take back all of it, whatever that is worth by now: the refund failed, the dispute was won.
    """

    booked: Booked | None = None
    fees: tuple[Fee, ...] = ()
    dispute_fee: int | None = None
    failed: Payout | None = None
    failed_known: Mapping[str, "Known"] = {}
    gross: int | None = None
    before: int = 0
    undone: bool = False


NOTHING = Known()


def payout_legs(
    payout: Payout, known: Mapping[str, Known], policy: Policy, base_currency: str, rate: Decimal | None
) -> Legs:
    """Dr Bank in transit · Cr Clearing, less what the processor kept; each leg with its worth in base currency.

    `known`: by the lines' references. `rate`: from the payout's currency to the base currency on its day; LookupError where it is
    needed and None.
    """
    if payout.status not in PAID_OUT:
        return []
    if rate is None and payout.currency != base_currency:
        raise LookupError(f"no rate from {payout.currency} to {base_currency}")
    if payout.lines is None:
        settling = _Settling(payout, [], policy, base_currency, rate)
        settling.leave_open(payout.amount, "amount")
    else:
        parts = list(_parts(payout, known, "", frozenset({payout.source.id})))
        settling = _Settling(payout, parts, policy, base_currency, rate)
        for part in parts:
            settling.line(part)
        settling.leave_open(payout.residual or 0, "residual")
    return settling.with_bank()


class _Part(NamedTuple):
    """One line with its place in the record."""

    where: str
    line: PayoutLine
    known: Known


def _parts(payout: Payout, known: Mapping[str, Known], where: str, seen: frozenset[str]) -> Iterator[_Part]:
    """The payout's lines; in the place of a failed payout that came back, the lines that it had paid."""
    for line in payout.lines or ():
        here, told = f"{where}lines/{line.id}", known.get(line.reference or "", NOTHING)
        if line.category == "payout_failure" and told.failed is not None and _came_back(told.failed, payout, seen):
            yield from _parts(told.failed, told.failed_known, f"{here}/", seen | {told.failed.source.id})
            rest = line.gross - sum(one.net for one in told.failed.lines or ())  # what it could not explain itself
            yield _Part(here, replace(line, category="other", gross=rest, net=rest - line.fee), NOTHING)
        elif line.category == "fee" and told.dispute_fee is not None:
            yield _Part(here, replace(line, category="dispute", gross=0, fee=-line.net), told)
        else:
            yield _Part(here, line, told)


def _came_back(failed: Payout, payout: Payout, seen: frozenset[str]) -> bool:
    """One that stands in the books still has cleared its lines already."""
    told = failed.lines is not None and failed.currency == payout.currency
    return told and failed.status not in PAID_OUT and failed.source.id not in seen


class _Settling:
    """The legs of one payout. Every line balances by itself, in the payout's currency where it has no other, and in base."""

    def __init__(
        self, payout: Payout, parts: list[_Part], policy: Policy, base_currency: str, rate: Decimal | None
    ) -> None:
        self.currency, self.base_currency, self.rate = payout.currency, base_currency, rate
        self.clearing, self.settler = policy.clearing(payout.processor), policy.settler(payout.processor)
        self.legs: Legs = []
        self.to_bank = 0  # Σ net so far
        self.wholes = _wholes(parts)
        # Σ gross so far: by reference and where its lines begin
        self.cleared: dict[tuple[str, int | None], int] = {}
        # what of a dispute's booked fee its lines have taken so far
        self.fees_cleared: dict[str, int] = {}

    def with_bank(self) -> Legs:
        """All legs, the one of the bank among them."""
        amount = self.to_bank
        if amount:
            self.legs.append(Leg(accounts.BANK_IN_TRANSIT, amount, "amount", base=self._worth(amount)))
        return self.legs

    def leave_open(self, amount: int, path: str) -> None:
        """Money that nothing in the books stands for: it stays on the clearing account."""
        self._balance(amount, [], self.clearing, path)

    def line(self, part: _Part) -> None:
        """What one line takes out of which account, and what the processor keeps of it."""
        where, line, known = part
        if line.category == "fee":
            self._balance(line.net, [], accounts.PROCESSING_FEES, f"{where}/net")
        elif line.category in ("reserve_hold", "reserve_release"):
            self._balance(line.net, self._fees(part), accounts.reserve(self.settler), f"{where}/gross")
        elif line.category == "loan_repayment":
            self._balance(line.net, self._fees(part), accounts.loan(self.settler), f"{where}/gross")
        elif line.category == "fx":
            self._balance(line.net, self._fees(part), accounts.FX, f"{where}/gross")
        elif known.booked is not None and line.category in CLEARS:
            self._clear(part, known.booked)
        elif line.category in DISPUTES:
            self._balance(line.net, self._dispute_fees(part)[0], self.clearing, f"{where}/net")
        else:
            account, fixed = (known.booked.account, True) if known.booked else (self.clearing, False)
            self._balance(line.net, self._fees(part), account, f"{where}/gross", fixed=fixed)

    def _fees(self, part: _Part) -> Legs:
        """A line's fee, and the tax in it, in the proportion that the charge's own fees show."""
        where, line, known = part
        taxed = sum(fee.amount for fee in known.fees if is_tax(fee.type))
        total = sum(fee.amount for fee in known.fees)
        tax = scale(line.fee, taxed, total) if taxed and total else 0
        return [
            *self._side(accounts.PROCESSING_FEES, line.fee - tax, f"{where}/fee"),
            *self._side(accounts.INPUT_TAX, tax, f"{where}/fee/tax"),
        ]

    def _dispute_fees(self, part: _Part) -> tuple[Legs, int]:
        """What of a line's fee the dispute's own record has not booked, and what it has, in its own currency: so it is booked once."""
        where, line, known = part
        reference, told = line.reference or "", known.dispute_fee or 0
        left = max(told - self.fees_cleared.get(reference, 0), 0)
        taken = booked = max(min(line.fee, left), 0)
        if taken and known.booked is not None and known.booked.currency != self.currency:
            taken, booked = line.fee, left  # they cannot be compared, and are the same fee
        self.fees_cleared[reference] = self.fees_cleared.get(reference, 0) + booked
        return self._side(accounts.DISPUTE_FEES, line.fee - taken, f"{where}/fee"), booked

    def _clear(self, part: _Part, booked: Booked) -> None:
        """Take out of the clearing account what is booked there, at the rate at which it was booked."""
        where, line, known = part
        reference = line.reference or ""
        sides, fee, path = self._fees(part), 0, f"{where}/gross"
        if line.category in DISPUTES:
            (sides, fee), path = self._dispute_fees(part), f"{where}/net"
        pays, alike = line.gross * booked.amount > 0, booked.currency == self.currency
        place, start = ((reference, known.before), known.before) if pays else ((reference, None), 0)
        before = self.cleared.get(place, start)
        after = self.cleared[place] = before + line.gross
        whole = booked.amount if alike else self.wholes[reference].of(pays=pays)
        if not booked.amount or (alike and self.currency == self.base_currency):
            self._balance(line.net, sides, booked.account, path, fixed=True)
            return
        amount = -line.gross if alike else scale(booked.amount, before, whole) - scale(booked.amount, after, whole)
        base = scale(booked.base, before, whole) - scale(booked.base, after, whole)
        if fee:
            amount, base = amount + fee, base + scale(booked.base, fee, booked.amount)
        self.legs += sides
        self.legs.append(Leg(booked.account, amount, path, currency=booked.currency, base=base, fixed=True))
        self._exchange(self._at_bank(line.net) + base + sum(side.base or 0 for side in sides), f"{where}/fx")

    def _balance(self, net: int, sides: Legs, account: str, path: str, *, fixed: bool = False) -> None:
        """The rest of a line, `net` less what `sides` have of it, from `account`."""
        amount = -net - sum(side.amount for side in sides)
        base = -self._at_bank(net) - sum(side.base or 0 for side in sides)
        self.legs += sides
        if amount * base <= 0 and base:  # rounding alone, and no worth of this amount
            self._exchange(-base, path)
            base = 0
        if amount:
            self.legs.append(Leg(account, amount, path, base=base, fixed=fixed))

    def _exchange(self, worth: int, path: str) -> None:
        """What a line came to in base currency beyond what it was booked at: a gain."""
        if worth:
            self.legs.append(Leg(accounts.FX, -worth, path, currency=self.base_currency, base=-worth))

    def _side(self, account: str, amount: int, path: str) -> Legs:
        return [Leg(account, amount, path, base=self._worth(amount))] if amount else []

    def _at_bank(self, net: int) -> int:
        """A line's part of the bank's leg in base currency: the parts add up to it whatever is rounded."""
        before = self._worth(self.to_bank)
        self.to_bank += net
        return self._worth(self.to_bank) - before

    def _worth(self, amount: int) -> int:
        if self.currency == self.base_currency:
            return amount
        assert self.rate is not None
        return convert(amount, self.currency, self.rate, self.base_currency)


class _Whole(NamedTuple):
    """Σ gross of the lines that pay an object, and of those that take it back, both with the sign of what is booked."""

    paid: int
    back: int

    def of(self, *, pays: bool) -> int:
        """What a line of either direction is a part of."""
        return self.paid if pays or not self.back else self.back


def _wholes(parts: list[_Part]) -> dict[str, _Whole]:
    own: dict[str, list[_Part]] = {}
    for part in parts:
        if part.line.reference and part.line.category in CLEARS and part.known.booked is not None:
            own.setdefault(part.line.reference, []).append(part)
    return {reference: _whole(found, found[0].known) for reference, found in own.items()}


def _whole(parts: list[_Part], known: Known) -> _Whole:
    assert known.booked is not None
    sign = 1 if known.booked.amount > 0 else -1
    grosses = [part.line.gross for part in parts]
    paid = known.gross or known.before + sum(gross for gross in grosses if gross * sign > 0)
    back = -sum(gross for gross in grosses if gross * sign < 0)
    return _Whole(paid or back or 1, back if known.undone else 0)  # 1: a fee alone is no part of it


def is_tax(fee: str) -> bool:
    """Whether a processor's word for a fee means tax on its fees; what it withholds of ours is none."""
    return _TAX.search(fee.casefold().replace("_", " ")) is not None and "withh" not in fee.casefold()


# --- disputes


def dispute_legs(dispute: Dispute, clearing: str | None, policy: Policy) -> Legs:
    """What the processor took when it opened, until it is decided; `clearing`: the account of the disputed charge, if not the channel's.

    Won, only the fee remains: the money is back. Closed without a decision (the buyer withdrew it, another dispute took its place,
    it was settled before it became a chargeback) is the same; where the money is not back, clearing shows it. Lost is a loss,
    and so is an inquiry that was accepted; any other inquiry has moved nothing. An unknown state is quarantined before it comes here.
    """
    if not _took_money(dispute):
        return []
    legs: Legs = []
    clearing = clearing or policy.clearing(None)
    if dispute.amount and dispute.state not in ("won", "closed"):
        account = accounts.CHARGEBACKS if dispute.state == "lost" else accounts.DISPUTED
        legs += [Leg(account, dispute.amount, "amount"), Leg(clearing, -dispute.amount, "amount")]
    if dispute.fee:
        legs += [Leg(accounts.DISPUTE_FEES, dispute.fee, "fee"), Leg(clearing, -dispute.fee, "fee")]
    return legs


def booked_fee(dispute: Dispute) -> int:
    """The fee that a dispute's own record books, for `Known.dispute_fee`."""
    return dispute.fee if _took_money(dispute) else 0


def _took_money(dispute: Dispute) -> bool:
    return dispute.kind != "inquiry" or dispute.state == "lost"


# --- entries by hand


def manual_legs(manual: Manual) -> Legs:
    """The postings as they are: no rule leads them elsewhere."""
    if manual.void:
        return []
    return [
        Leg(
            posting.account, posting.amount, f"postings/{index}", posting.tax_code, posting.category, manual.kind,
            posting.currency, posting.base_amount, True, posting.location,
        )
        for index, posting in enumerate(manual.postings)
    ]  # fmt: skip
