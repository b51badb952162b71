"""Shopify tax lines → the taxes of a line. Pure.

The order's own list of taxes is the sum of its lines' lists: only the lines' are read, unless they have none.
"""

from channels.adapters.shopify.reading import Reader
from channels.adapters.shopify.words import percent, tax_place
from channels.reading import Json
from channels.record import Jurisdiction, Tax
from salessync.core.money import allocate


def taxes(reader: Reader, parent: Json, where: str, place: Jurisdiction | None) -> list[Tax]:
    """The taxes of a line, a shipping line, a duty or a fee."""
    rows = parent.get("tax_lines")
    if not rows and (rows is None or type(rows) is list):
        return []
    country, region = (place.country, place.region) if place is not None else (None, None)
    found = []
    spot = where + "tax_lines[]."
    for row in reader.objects(parent, "tax_lines", where):
        title, rate = row.get("title"), row.get("rate")
        name = title[:1000] if type(title) is str else ""
        found.append(
            Tax(
                name=name,
                jurisdiction=tax_place(name, country, region),
                rate=None
                if rate is None
                else percent(rate if type(rate) is not dict and type(rate) is not list else ""),
                amount=reader.money(row, "price", spot),
                collector=_collector(reader, row.get("channel_liable")),  # type: ignore[arg-type]
            )
        )
    return found


def _collector(reader: Reader, liable: object) -> str:
    if liable is True:
        return "marketplace"
    if liable is None:
        reader.silent_about_collector = True
        return "merchant"
    return "merchant" if liable is False else "unknown"


def scaled_taxes(reader: Reader, parent: Json, where: str, amount: int) -> list[Tax]:
    """`amount` of tax spread over the taxes that the parent was sold with, by largest remainder."""
    sold = taxes(reader, parent, where, None)
    if not sold:
        return []
    shares = allocate(amount, [tax.amount for tax in sold])
    for tax, share in zip(sold, shares, strict=True):
        tax.amount = share
    return sold
