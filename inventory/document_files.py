"""The lines of a stock document from a CSV."""

import csv
import io
import re
from decimal import Decimal

from inventory.documents import Line
from salessync.core.models import Company
from salessync.core.money import minor_digits
from salessync.core.problems import Problem, Refused

_UNITS = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,4})?")
_COST = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,6})?")


def lines_of(text: str, company: Company) -> list[Line]:
    """The lines of a CSV with the columns sku, quantity and, for a delivery, unit_cost (base currency, as 4.50)."""
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")), strict=True)
    problems: list[Problem] = []
    lines: list[Line] = []
    try:
        header = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = header
        problems += [
            Problem("MISSING_COLUMN", "line 1", f"the file has no column called {name}")
            for name in ("sku", "quantity")
            if name not in header
        ]
        problems += [
            Problem("UNKNOWN_COLUMN", "line 1", f"the column {name!r} is none of sku, quantity and unit_cost")
            for name in header
            if name not in ("sku", "quantity", "unit_cost")
        ]
        if len(set(header)) != len(header):
            problems.append(Problem("DUPLICATE_COLUMN", "line 1", "two columns have the same name"))
        if not problems:
            factor = Decimal(10) ** minor_digits(company.base_currency)
            lines = [line for row in reader if (line := _line(row, f"line {reader.line_num}", factor, problems))]
    except csv.Error as error:
        problems.append(Problem("NOT_CSV", f"line {reader.line_num}", f"the file cannot be read as CSV: {error}"))
    if problems:
        raise Refused(*problems)
    return lines


def _line(row: dict[str, str], where: str, factor: Decimal, problems: list[Problem]) -> Line | None:
    if None in row or any(value is None for value in row.values()):
        problems.append(Problem("BAD_ROW", where, "the row has more or fewer cells than the heading"))
        return None
    row = {key: value.strip() for key, value in row.items()}
    quantity, cost = row["quantity"], row.get("unit_cost", "")
    if not _UNITS.fullmatch(quantity):
        problems.append(Problem("BAD_QUANTITY", where, f"{quantity[:20]!r} is not a quantity"))
        return None
    if cost and not _COST.fullmatch(cost):
        problems.append(Problem("BAD_AMOUNT", where, f"{cost[:20]!r} is not what a unit may cost"))
        return None
    return Line(row["sku"], Decimal(quantity), Decimal(cost) * factor if cost else None, where)
