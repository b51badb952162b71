"""BigCommerce's taxes → the taxes of the lines. Pure.

With `details=true` each tax row names its line. Without, a row is a sum over lines, and is spread over them. Without rows
there is only what each line says of itself. The first of these that adds up to the order's tax is taken.
"""

from decimal import Decimal

import msgspec

from channels.adapters.bigcommerce.lines import Draft, known
from channels.adapters.bigcommerce.reading import Reader, apportion, decimal, whole
from channels.adapters.bigcommerce.words import ONE_COUNTRY_TAXES, TAXED, percent
from channels.reading import Json, text
from channels.record import Jurisdiction, Tax
from salessync.core.money import allocate


class Row(msgspec.Struct):
    """One tax row; `line` is the index of the draft it belongs to, None for a sum over lines."""

    name: str
    rate: str | None
    amount: Decimal
    address: str
    line: int | None


def tax_lines(
    reader: Reader, joined: Json, found: list[Draft], total: int, place: Jurisdiction | None, notes: Json
) -> None:
    """Give every draft its taxes."""
    rows = _rows(reader, joined, found)
    country = place.country if place is not None else None
    stated = [draft.tax for draft in found]
    detailed = [row for row in rows if row.line is not None]
    if rows and len(detailed) == len(rows) and _explains([r.amount for r in rows], total):
        _give(found, detailed, total, country)
    elif rows and not detailed and _explains([r.amount for r in rows], total) and any(d.gross for d in found):
        _spread(found, rows, total, country)
        notes["tax_allocation"] = "by us: the order's taxes named no line"
    else:
        for draft, units in zip(found, apportion(stated, total), strict=True):
            draft.taxes = [Tax(name=_only_name(rows), rate=_only_rate(rows), amount=units)] if units else []
        if rows:
            notes["taxes"] = "the order's tax rows do not add up to its tax: each line's own tax"


def _explains(parts: list[Decimal], total: int) -> bool:
    return sum(apportion(parts, total)) == total


def _rows(reader: Reader, joined: Json, found: list[Draft]) -> list[Row]:
    rows = []
    for index, row in enumerate(reader.rows(joined.get("taxes"), "taxes") or []):
        where = f"taxes[{index}]."
        key = "line_amount" if row.get("line_amount") not in (None, "") else "priority_amount"
        rate = decimal(row.get("rate"))
        rows.append(
            Row(
                name=text(row.get("name")) or "Tax",
                rate=None if rate is None else percent(rate),
                amount=reader.exact(row.get(key), where + key),
                address=known(row.get("order_address_id")),
                line=_owner(row, found),
            )
        )
    return rows


def _owner(row: Json, found: list[Draft]) -> int | None:
    """The line that a detailed row names: a product by its id, a cost by its address, or the only one of its kind."""
    word = row.get("line_item_type")
    kind = TAXED.get(word) if type(word) is str else None
    if kind is None:
        return None
    candidates = [i for i, draft in enumerate(found) if draft.kind == kind]
    if kind == "product":
        identifier = known(row.get("order_product_id"))
        return next((i for i in candidates if found[i].id == identifier), None)
    address = known(row.get("order_address_id"))
    here = [i for i in candidates if found[i].address == address]
    return here[0] if here else candidates[0] if len(candidates) == 1 else None


def _give(found: list[Draft], rows: list[Row], total: int, country: str | None) -> None:
    for row, units in zip(rows, apportion([r.amount for r in rows], total), strict=True):
        assert row.line is not None
        draft = found[row.line]
        draft.taxes = [*draft.taxes, _tax(row, units, country)]


def _spread(found: list[Draft], rows: list[Row], total: int, country: str | None) -> None:
    """Sums over lines, by what each line says its tax is; by its net where none says anything."""
    for row, units in zip(rows, apportion([r.amount for r in rows], total), strict=True):
        here = [d for d in found if d.address and d.address == row.address and d.tax > 0] or [
            d for d in found if d.tax > 0
        ]
        here = here or [d for d in found if d.gross > 0] or found
        weights = [whole(d.tax * 10_000) for d in here]
        if not any(weights):
            weights = [max(d.gross_units - d.discount_units, 0) for d in here]
        for draft, share in zip(here, allocate(units, weights), strict=True):
            draft.taxes = [*draft.taxes, _tax(row, share, country)]


def _tax(row: Row, units: int, country: str | None) -> Tax:
    national = not ONE_COUNTRY_TAXES.isdisjoint(row.name.casefold().replace("-", " ").split())
    return Tax(name=row.name, jurisdiction=country if national else None, rate=row.rate, amount=units)


def _only_name(rows: list[Row]) -> str:
    names = {row.name for row in rows}
    return names.pop() if len(names) == 1 else "Tax"


def _only_rate(rows: list[Row]) -> str | None:
    rates = {row.rate for row in rows}
    return rates.pop() if len(rates) == 1 else None
