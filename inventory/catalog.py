"""Products, listings and opening stock from a CSV. All or nothing a file; the same file twice changes nothing."""

import csv
import io
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from channels.models import Channel
from inventory import levels
from inventory.models import Listing, Product, UnmappedItem
from salessync.core.models import Company
from salessync.core.money import MoneyError, to_minor
from salessync.core.problems import Problem, Refused

FIELDS = ("sku", "name", "barcode", "category", "tax_category", "cost", "currency", "location", "quantity")
_QUANTITY = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,4})?")


class Imported(NamedTuple):
    """How much of the file was new."""

    rows: int
    products: int
    listings: int
    movements: int
    tax_categories: dict[str, str]  # of the SKUs that have one in the file


def import_catalog(*, company: Company, text: str, progress: Callable[[int], None] = lambda done: None) -> Imported:
    """Read the columns of FIELDS and one column a channel (its slug) with its item id; Refused with every bad row."""
    rows, channels = _parse(company, text)
    with transaction.atomic():
        products = _save_products(company, rows)
        known = {p.sku: p for p in Product.objects.filter(company=company, sku__in=[r["sku"] for r in rows])}
        listings = _save_listings(rows, channels, known)
        movements = _open_stock(company, rows, known)
        progress(len(rows))
    categories = {row["sku"]: row["tax_category"] for row in rows if row.get("tax_category")}
    return Imported(len(rows), products, listings, movements, categories)


def _parse(company: Company, text: str) -> tuple[list[dict[str, Any]], dict[str, Channel]]:
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    header = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = header
    if "sku" not in header:
        raise Refused(Problem("MISSING_COLUMN", "line 1", "the file has no column called sku"))
    channels = {
        c.slug: c for c in Channel.objects.filter(company=company, slug__in=[h for h in header if h not in FIELDS])
    }
    problems = [
        Problem("UNKNOWN_COLUMN", "line 1", f"the column {name!r} is neither a field nor the slug of a channel")
        for name in header
        if name not in FIELDS and name not in channels
    ]
    if len(set(header)) != len(header):
        problems.append(Problem("DUPLICATE_COLUMN", "line 1", "two columns have the same name"))
    rows = []
    try:
        rows = [_row(row, company, f"line {reader.line_num}", problems) for row in reader]
    except csv.Error as error:
        problems.append(Problem("NOT_CSV", f"line {reader.line_num}", f"the file cannot be read as CSV: {error}"))
    if problems:
        raise Refused(*problems)
    return rows, channels


def _row(row: dict[str, Any], company: Company, where: str, problems: list[Problem]) -> dict[str, Any]:
    if None in row or any(value is None for value in row.values()):
        problems.append(Problem("BAD_ROW", where, "the row has more or fewer cells than the heading"))
        return row
    row = {key: value.strip() for key, value in row.items()}
    if not row["sku"] or len(row["sku"]) > 255:
        problems.append(Problem("MISSING_SKU", where, "the row has no usable SKU"))
    currency = row.get("currency") or company.base_currency
    row["currency"] = currency
    try:
        row["cost"] = to_minor(row["cost"], currency) if row.get("cost") else None
    except MoneyError as error:
        problems.append(Problem(error.code, where, f"cost: {error}"))
    else:
        if row["cost"] is not None and row["cost"] < 0:
            problems.append(Problem("NEGATIVE_COST", where, f"{row['sku'][:40]} cannot cost less than nothing"))
    quantity = row.get("quantity")
    if quantity and not _QUANTITY.fullmatch(quantity):
        problems.append(Problem("BAD_QUANTITY", where, f"{quantity[:20]!r} is not a quantity"))
    return row


def _save_products(company: Company, rows: list[dict[str, Any]]) -> int:
    columns = [name for name in FIELDS[1:7] if any(row.get(name) not in (None, "") for row in rows)]
    unique = {row["sku"]: Product(company=company, sku=row["sku"], **{c: row[c] for c in columns}) for row in rows}
    before = Product.objects.filter(company=company).count()
    if columns:
        Product.objects.bulk_create(
            unique.values(),
            update_conflicts=True,
            unique_fields=["company", "sku"],
            update_fields=columns,
            batch_size=1000,
        )
    else:
        Product.objects.bulk_create(unique.values(), ignore_conflicts=True, batch_size=1000)
    return Product.objects.filter(company=company).count() - before


def _save_listings(rows: list[dict[str, Any]], channels: dict[str, Channel], known: dict[str, Product]) -> int:
    new = 0
    for slug, channel in channels.items():
        items = {row[slug]: known[row["sku"]] for row in rows if row[slug]}
        before = Listing.objects.filter(channel=channel).count()
        Listing.objects.bulk_create(
            [Listing(channel=channel, item_id=item, product=product) for item, product in items.items()],
            update_conflicts=True, unique_fields=["channel", "item_id"], update_fields=["product"], batch_size=1000,
        )  # fmt: skip
        UnmappedItem.objects.filter(channel=channel, item_id__in=items).delete()
        new += Listing.objects.filter(channel=channel).count() - before
    return new


def _open_stock(company: Company, rows: list[dict[str, Any]], known: dict[str, Product]) -> int:
    """The opening stock is what the file says: its difference to earlier openings of the same product and place moves."""
    wanted: dict[tuple[int, str], Decimal] = {}
    for row in rows:
        if row.get("quantity"):
            key = (known[row["sku"]].pk, row.get("location") or levels.DEFAULT_LOCATION)
            wanted[key] = wanted.get(key, Decimal(0)) + Decimal(row["quantity"])
    return levels.set_opening(company_id=company.pk, wanted=wanted) if wanted else 0
