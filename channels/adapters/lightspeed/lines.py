"""The lines of a Lightspeed sale or return, brought from five decimals to whole units. Pure.

The till rounds a sale once, at its end. So do we: net and tax of the whole are rounded half up, the lines follow by largest
remainder, and what the two roundings differ from the rounded total stands in the sale's `rounding`.
"""

from decimal import Decimal

import msgspec

from channels.adapters.lightspeed.reading import HALF, NONE, Reader, apportion, plain, whole
from channels.adapters.lightspeed.till import Charge, Item, Part, Till
from channels.reading import Json
from channels.record import Tax
from channels.sale import Line
from salessync.core.money import minor_digits

NEAR = Decimal("0.1")  # of a smallest unit: what the vendor's fifth decimals may add up to


class Sums(msgspec.Struct):
    """The whole in whole units; `total` is the vendor's own."""

    lines: list[Line]
    net: int
    tax: int
    total: int
    rounding: int
    fees: int = 0
    tip: int = 0
    shipping: int = 0

    def of(self, kind: str) -> int:
        """Net of the lines of one type."""
        return sum(line.net for line in self.lines if line.type == kind)


class _Draft(msgspec.Struct):
    """A line, unrounded; amounts of the direction that is being read."""

    id: str
    type: str
    quantity: Decimal
    price: Decimal
    net: Decimal
    discount: Decimal
    taxes: list[Part]
    sku: str | None = None
    name: str = ""


def settle(reader: Reader, till: Till, items: list[Item], sign: int, whole_sale: bool, notes: Json) -> Sums:
    """Lines and sums of these items; `sign` -1 turns a return's negative figures round.

    `whole_sale`: they are all there is, so that the sale's own totals are theirs.
    """
    drafts = [_draft(item, sign) for item in items if not item.allowance]
    taken = [item for item in items if item.allowance]
    charges = till.charges if whole_sale else []
    price = till.price * sign if whole_sale else sum((i.net for i in items), NONE) * sign
    tax = till.tax * sign if whole_sale else sum((p.amount for i in items for p in i.taxes), NONE) * sign
    total = till.total * sign if whole_sale else price + tax
    goods = sum((i.net for i in items), NONE) * sign
    added = sum((c.amount for c in charges), NONE) * sign
    inside, reduced = _inside(price, goods, added, till.reduction if whole_sale else NONE)
    if not inside:
        price, total = price + added, total + added
        notes["charges"] = "outside the vendor's total price, added to it"
    _spread(drafts, taken, sign, till.reduction if reduced else NONE, notes)
    drafts.extend(_charge(c, sign) for c in charges)
    more = sum((p.amount for c in charges for p in c.taxes), NONE) * sign
    listed = sum((p.amount for d in drafts for p in d.taxes), NONE)
    if more and abs(listed - more - tax) < NEAR <= abs(listed - tax):
        tax, total = tax + more, total + more
    return _whole(reader, drafts, price, tax, total, notes)


def _inside(price: Decimal, goods: Decimal, added: Decimal, reduction: Decimal) -> tuple[bool, bool]:
    """Whether charges, and whether discounts of the whole sale, are part of the vendor's total price."""
    for charged in (True, False):
        for reduced in (True, False):
            if abs(goods + (added if charged else 0) - (reduction if reduced else 0) - price) < NEAR:
                return charged, reduced and reduction != 0
    return True, False


def _draft(item: Item, sign: int) -> _Draft:
    back = item.net * sign < 0 or (item.net == 0 and item.quantity * sign < 0)
    discount = NONE if back else item.discount * sign
    if discount < 0:
        discount = NONE  # a price put up by hand is a price
    return _Draft(
        id=item.id or "?",
        type="gift_card_sale" if item.gift_card else "item",
        quantity=item.quantity * sign,
        price=item.price if discount else (item.net / item.quantity if item.quantity else item.price),
        net=item.net * sign,
        discount=discount,
        taxes=[Part(p.rate, p.amount * sign) for p in item.taxes],
        sku=item.sku,
        name=item.name,
    )


def _charge(charge: Charge, sign: int) -> _Draft:
    return _Draft(
        id=charge.id,
        type=charge.type,
        quantity=Decimal(1),
        price=charge.amount * sign,
        net=charge.amount * sign,
        discount=NONE,
        taxes=[Part(p.rate, p.amount * sign) for p in charge.taxes],
        name=charge.name,
    )


def _spread(drafts: list[_Draft], taken: list[Item], sign: int, reduction: Decimal, notes: Json) -> None:
    """A discount of the whole sale, with the tax it saves, over the goods by what they cost."""
    off = reduction - sum((i.net for i in taken), NONE) * sign
    saved = -sum((p.amount for i in taken for p in i.taxes), NONE) * sign
    goods = [d for d in drafts if d.net > 0 and d.type == "item"] or [d for d in drafts if d.net > 0]
    base = sum((d.net for d in goods), NONE)
    if not off or base <= 0:
        return
    taxed = sum((p.amount for d in goods for p in d.taxes), NONE)
    for draft in goods:
        share = off * draft.net / base
        if share > 0 and draft.quantity:
            draft.price = (draft.net + draft.discount) / draft.quantity
            draft.discount += share
        draft.net -= share
        for part in draft.taxes:
            part.amount -= saved * part.amount / taxed if taxed else NONE
    notes["discount_allocation"] = "by us: the sale's discount stood on no line"


def _whole(reader: Reader, drafts: list[_Draft], price: Decimal, tax: Decimal, total: Decimal, notes: Json) -> Sums:
    counted = [d for d in drafts if d.type in ("item", "gift_card_sale")]
    others = [d for d in drafts if d.type not in ("item", "gift_card_sale")]
    extra = sum((d.net for d in others), NONE)
    net = whole(price - extra)
    nets = dict(zip((d.id for d in counted), apportion([d.net for d in counted], net), strict=True))
    nets |= dict(zip((d.id for d in others), apportion([d.net for d in others], whole(extra)), strict=True))
    parts = [p for d in drafts for p in d.taxes]
    shares = iter(apportion([p.amount for p in parts], whole(tax)))
    fine = any(a != a.to_integral_value() for a in (price, tax, *(d.net for d in drafts), *(p.amount for p in parts)))
    lines = []
    for draft in drafts:
        taxes = [Tax(name=p.rate.name, rate=p.rate.rate, amount=next(shares)) for p in draft.taxes]
        lines.append(_line(reader, draft, nets[draft.id], taxes, notes))
    sums = Sums(lines=lines, net=net, tax=whole(tax), total=whole(total), rounding=0)
    sums.fees, sums.tip, sums.shipping = sums.of("fee"), sums.of("tip"), sums.of("shipping")
    left = sums.total - sums.net - whole(extra) - sums.tax
    if left and abs(total - price - tax) < HALF:
        sums.rounding = left
    if fine:
        notes["rounding"] = "by us: five decimals to whole units, each line by largest remainder"
        notes["exact"] = {"price": _major(reader, price), "tax": _major(reader, tax), "total": _major(reader, total)}
    return sums


def _major(reader: Reader, amount: Decimal) -> str:
    digits = minor_digits(reader.currency)
    return plain(amount.scaleb(-digits), digits)


def _line(reader: Reader, draft: _Draft, net: int, taxes: list[Tax], notes: Json) -> Line:
    discount = max(whole(draft.discount), 0)
    gross = net + discount
    price = draft.price
    if abs(price * draft.quantity - gross) > 1 and abs(draft.net + draft.discount - gross) < 2 and draft.quantity:
        price = Decimal(gross) / draft.quantity
        notes["unit_price"] = "by us: the line's total by its quantity"
    digits = minor_digits(reader.currency)
    return Line(
        id=draft.id,
        type=draft.type,  # type: ignore[arg-type]
        sku=draft.sku,
        name=draft.name,
        quantity=plain(draft.quantity),
        unit_price=plain(price.scaleb(-digits), digits),
        gross=gross,
        discount=discount,
        net=net,
        taxes=taxes,
        tax=sum(t.amount for t in taxes),
    )
