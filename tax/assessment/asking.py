"""A canonical sale as a request for its tax. Pure; a request's amounts are decimals in major units."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from channels.record import Jurisdiction
from channels.sale import Line, Sale
from salessync.core.money import minor_digits
from tax.engine.rounding import Rounding
from tax.law.places import Place
from tax.quoting.request import Reduction, Request, RequestLine, RequestShipping
from tax.seller.category_rules import Mapped

_ONE = Decimal(1)
_NO_REDUCTION = Reduction()

# what is no supply of goods bears no tax; a gift card's tax comes with the goods that it buys
CATEGORY_OF = {
    "gift_card_sale": "gift_card", "tip": "nontaxable", "donation": "nontaxable", "deposit": "nontaxable", "duty": "nontaxable",
    "service_charge": "goods", "fee": "fee",
}  # fmt: skip
MAPPED = frozenset({"item", "unknown"})  # line types whose category is looked up


class Circumstances(msgspec.Struct, frozen=True):
    """What is known beside the record: where the seller is, what it is registered for, whether the customer is exempt."""

    place: Place | None = None  # where the sale happened, if the record does not say
    ship_from: Place | None = None
    registrations: frozenset[str] | None = None
    is_exempt: bool = False


def place_of(jurisdiction: Jurisdiction | None) -> Place | None:
    """Where the record says that the sale is taxed; None where it does not say."""
    if jurisdiction is None:
        return None
    return Place(
        jurisdiction.country, jurisdiction.region or "", (jurisdiction.postcode or "").upper(), jurisdiction.city or ""
    )


def request_of(sale: Sale, categories: Sequence[Mapped | None], around: Circumstances) -> Request:
    """`categories` has one a line, None where the line's type decides it. Delivery comes last, in the order of its lines.

    A discount that the platform pays is a payment by it: the price that bears tax is before it.
    """
    digits = minor_digits(sale.currency)
    place = place_of(sale.jurisdiction) or around.place or Place()
    lines, shipping = [], []
    for number, (line, mapped) in enumerate(zip(sale.lines, categories, strict=True)):
        if line.type == "shipping":
            shipping.append(RequestShipping(Decimal(_taxable(line)).scaleb(-digits), None, None, f"lines[{number}]."))
        else:
            category = mapped.category if mapped else CATEGORY_OF.get(line.type, "goods")
            lines.append(_line(line, category, digits, f"lines[{number}]."))
    customer = sale.customer
    is_destination = sale.jurisdiction is None or sale.jurisdiction.basis == "destination"
    return Request(
        on=sale.business_date, currency=sale.currency, digits=digits,
        price_mode="inclusive" if sale.tax_inclusive else "exclusive", rounding=Rounding("", "half_up", _ONE.scaleb(-digits)),
        place=place, ship_from=around.ship_from if is_destination else place,
        is_exempt=around.is_exempt or (customer is not None and customer.exempt),
        tax_id=(customer.tax_id or "") if customer else "", collector=collector_of(sale),
        registrations=around.registrations, lines=tuple(lines), shipping=tuple(shipping), discount=_NO_REDUCTION,
        adjustments=(), charges=(), rules=(), channel_tax=Decimal(charged(sale)).scaleb(-digits),
    )  # fmt: skip


def order_of(sale: Sale) -> list[int]:
    """The sale's lines in the order in which the request, and its result, have them."""
    every = range(len(sale.lines))
    return [n for n in every if sale.lines[n].type != "shipping"] + [
        n for n in every if sale.lines[n].type == "shipping"
    ]


def charged(sale: Sale) -> int:
    """What the channel charged, whoever owes it; minor units."""
    return sum(line.tax for line in sale.lines)


def collector_of(sale: Sale) -> str:
    """The marketplace, where it collects every tax of the sale."""
    collectors = {tax.collector for line in sale.lines for tax in line.taxes}
    return "marketplace" if collectors == {"marketplace"} else "merchant"


def _line(line: Line, category: str, digits: int, path: str) -> RequestLine:
    """The price of a piece as it was asked, and as a discount what makes the line's net of it."""
    net = Decimal(_taxable(line)).scaleb(-digits)
    quantity, price = Decimal(line.quantity), Decimal(line.unit_price)
    if not quantity or not price or (quantity * price < 0) != (net < 0):
        quantity, price = _ONE, net
    return RequestLine(
        amount=price, quantity=quantity, category=category, discount=quantity * price - net, taxes=None, path=path
    )


def _taxable(line: Line) -> int:
    return line.net + sum(d.amount for d in line.discounts if d.funded_by == "platform") if line.discounts else line.net


def as_json(request: Request) -> dict[str, Any]:
    """The request in the contract's words, for whoever is asked over the network."""
    return {
        "date": request.on.isoformat() if request.on else None, "currency": request.currency, "price_mode": request.price_mode,
        **_place_json(request.place), "ship_from": _place_json(request.ship_from) if request.ship_from else None,
        "customer": {"exempt": request.is_exempt, "tax_id": request.tax_id}, "collector": request.collector,
        "registrations": sorted(request.registrations) if request.registrations is not None else None,
        "lines": [
            {"amount": f"{line.amount:f}", "qty": f"{line.quantity:f}", "category": line.category, "discount": f"{line.discount:f}"}
            for line in request.lines
        ],
        "shipping": [{"amount": f"{shipping.amount:f}"} for shipping in request.shipping],
    }  # fmt: skip


def _place_json(place: Place) -> dict[str, str]:
    return {"country": place.country, "region": place.region, "postcode": place.postcode, "city": place.city}
