"""What a sale and a refund have in common: number, time, place, payments. Pure."""

from datetime import UTC, date, datetime
from typing import NamedTuple

import msgspec

from channels.adapter import Context
from channels.adapters.csv.cells import Cells
from channels.adapters.csv.words import TENDER_CELLS, TENDER_TYPE
from channels.reading import stamp, text
from channels.record import Jurisdiction, Source, Tax
from salessync.core import dates

UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of every record's envelope, and the place that taxes belong to."""

    source: Source
    occurred_at: datetime
    timezone: str
    business_date: date
    place: Jurisdiction | None


class Payment(NamedTuple):
    """One payment of the transaction; `amount` None: the file does not say how much of the total."""

    id: str
    type: str
    amount: int | None
    reference: str | None
    processor: str | None


def read_facts(cells: Cells, context: Context) -> Facts:
    """Of what cannot be read something stands in, so that the rest is read as well: the problems are noted."""
    cells.read_currency()
    identifier = cells.one_id("id")
    if identifier is None:
        cells.refuse("MISSING_ID", 0, "id", "the transaction's id is missing")
    timezone = cells.mapping.timezone or context.timezone
    at = cells.instant("date", timezone, context.day_cut_hour) or UNKNOWN
    version = _version(cells, timezone, context)
    source = Source(
        channel=context.channel,
        adapter="csv",
        id=identifier or "?",
        version=version or stamp(at),
        number=cells.one_id("number"),
        location=cells.one_id("location"),
        register=cells.one_id("register"),
    )
    return Facts(
        source=source,
        occurred_at=at,
        timezone=timezone,
        business_date=_business_date(cells, at, timezone, context),
        place=_place(cells, context),
    )


def _business_date(cells: Cells, at: datetime, timezone: str, context: Context) -> date:
    try:
        return dates.business_date(at, timezone, context.day_cut_hour)
    except dates.DateError as error:
        cells.refuse(error.code, 0, "date", str(error))
    except OverflowError:
        cells.refuse("BAD_TIME", 0, "date", "the time is outside of the calendar")
    return at.date()


def _version(cells: Cells, timezone: str, context: Context) -> str | None:
    """A number, or a time written as the date is; without one a correction has no higher version than what it corrects."""
    _, value = cells.one("version")
    if not value:
        return None
    if value.isascii() and value.isdigit() and len(value) <= 24:
        return value
    try:
        return stamp(dates.parse_instant(value))
    except dates.DateError:
        at = cells.instant("version", timezone, context.day_cut_hour)
        return None if at is None else stamp(at)


def _place(cells: Cells, context: Context) -> Jurisdiction | None:
    """Where the file says that it is taxed; else the store."""
    index, country = cells.one("country")
    if not country:
        store = context.jurisdiction
        return None if store is None else msgspec.structs.replace(store, basis="store")
    code = country.upper()
    if len(code) != 2 or not (code.isascii() and code.isalpha()):
        cells.refuse("BAD_COUNTRY", index, "country", f"{country[:40]!r} is no ISO 3166 code of two letters")
        return None
    _, region = cells.one("region")
    _, postcode = cells.one("postcode")
    _, city = cells.one("city")
    return Jurisdiction(
        country=code,
        region=region.removeprefix(code + "-")[:255] or None,
        postcode=postcode[:255] or None,
        city=city[:255] or None,
        basis="destination" if any(cells.own(i, "country") for i in range(len(cells.rows))) else "store",
    )


def required_tax(cells: Cells) -> int | None:
    """The transaction's tax; None where its rows have it. A file that tells none at all is not one without tax."""
    tax = cells.maybe_amount("tax")
    if tax is None and not (cells.mapping.tells("line_tax") and cells.mapping.tells("line_unit_price")):
        index, _ = cells.one("tax")
        cells.refuse(
            "MISSING_TAX", index, "tax", "the tax is missing: map its column, or the default 0 where there is none"
        )
    return tax


def taxes(cells: Cells, index: int, amount: int, rate: str | None, place: Jurisdiction | None) -> list[Tax]:
    """The one tax that a row can tell of."""
    if not amount and rate is None:
        return []
    name = text(cells.cell(index, "tax_name"))
    return [Tax(name=name or "Tax", jurisdiction=_tax_place(place), rate=rate, amount=amount)]


def _tax_place(place: Jurisdiction | None) -> str | None:
    """The state's in the United States, the country's where there is one tax for all of it; Canada has both."""
    if place is None or place.country == "CA":
        return None
    if place.country == "US":
        return f"US-{place.region}" if place.region else None
    return place.country


def payments(cells: Cells, total: int, *, moved: bool) -> list[Payment] | None:
    """How it was paid; None where the file does not say. `moved`: the transaction says that the whole total was."""
    rows, default = cells.having(TENDER_CELLS), "tender_type" in cells.mapping.defaults
    if not rows and not (default and moved):
        spoken = any(field in cells.mapping.columns for field in TENDER_CELLS)
        return [] if (spoken or default) and not moved else None
    if "tender_amount" in cells.mapping.columns and rows:
        rows = _paying_rows(cells, rows, total)
    else:
        rows = _distinct(cells, rows or [0])
    found: list[Payment] = []
    for index in rows:
        payment = _payment(cells, index, alone=len(rows) == 1)
        identifier = payment.reference or f"payment:{len(found) + 1}"
        if identifier in {one.id for one in found}:
            identifier = f"{identifier[:240]}:{len(found) + 1}"
        found.append(payment._replace(id=identifier))
    return found


def _payment(cells: Cells, index: int, *, alone: bool) -> Payment:
    kind, told = cells.cell(index, "tender_type"), cells.own(index, "tender_amount")
    if not kind:
        cells.refuse("MISSING_TENDER", index, "tender_type", "it is not told how it was paid")
    if not told and not alone:
        message = "paid in several ways, and how much in this one is not told"
        cells.refuse("MISSING_AMOUNT", index, "tender_amount", message)
    return Payment(
        id="",
        type=TENDER_TYPE.get(cells.word(index, "tender_type", kind), "unknown"),
        amount=cells.amount(index, "tender_amount", told) if told else None,
        reference=cells.identifier(index, "tender_reference", cells.own(index, "tender_reference")),
        processor=cells.cell(index, "tender_processor")[:255] or None,
    )


def _distinct(cells: Cells, rows: list[int]) -> list[int]:
    """The first of the rows that say the same of their payment."""
    seen: dict[tuple[str, ...], int] = {}
    for index in rows:
        seen.setdefault(tuple(cells.own(index, field) for field in TENDER_CELLS), index)
    return list(seen.values())


def _paying_rows(cells: Cells, rows: list[int], total: int) -> list[int]:
    """The rows that are a payment each. The same words on several rows are one payment that is repeated, or several that are
    alike: a reference tells, else the total."""
    once = _distinct(cells, rows)
    if len(once) == len(rows):
        return rows
    alike = [index for index in rows if index not in once and not cells.own(index, "tender_reference")]
    apart = sorted(once + alike)
    if not alike:
        return once
    sums = {
        name: sum(abs(cells.amount(index, "tender_amount", cells.own(index, "tender_amount"))) for index in chosen)
        for name, chosen in (("once", once), ("apart", apart))
        if all(cells.own(index, "tender_amount") for index in chosen)
    }
    if sums.get("once") == abs(total):
        return once
    if sums.get("apart") == abs(total):
        return apart
    cells.refuse(
        "AMBIGUOUS_PAYMENTS", alike[0], "tender_amount",
        "the same payment stands on several rows, and neither one nor all of them come to the total",
    )  # fmt: skip
    return once
