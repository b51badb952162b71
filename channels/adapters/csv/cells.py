"""Reads the cells of one transaction's rows. What cannot be read becomes a problem that names line and column. Pure."""

import re
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from channels.adapters.csv.mapping import Mapping, read_mapping
from channels.adapters.csv.words import WORDS, key
from channels.reading import Json, Reader, text
from salessync.core import dates
from salessync.core.money import LIMIT, MINOR_DIGITS, MoneyError, to_minor
from salessync.core.problems import Problem, Refused

_SPACE = " \u00a0\u202f"  # in numbers: plain, no-break and narrow no-break
_APART = _SPACE + "'’"


def _pattern(decimal: str, other: str) -> re.Pattern[str]:
    """Digits, or digits in groups of three, and a fraction: 1234.5, 1,234.50, 1'234.50."""
    grouped = rf"[0-9]{{1,3}}(?:([{re.escape(other)}{_APART}])[0-9]{{3}}(?:\2[0-9]{{3}})*)?"
    return re.compile(rf"([-−]?)(?:[0-9]+|{grouped})(?:{re.escape(decimal)}([0-9]+))?")


_NUMBER = {".": _pattern(".", ","), ",": _pattern(",", ".")}
_PLAIN = re.compile("-?[0-9]{1,15}(?:[.][0-9]{1,12})?")


class Cells:
    """The rows of one transaction, in the file's own words."""

    def __init__(self, payload: Any) -> None:
        reader = Reader()
        body = reader.object(payload, "$")
        reader.finish()
        if "mapping" not in body or "rows" not in body:
            raise Refused(
                Problem("UNKNOWN_PAYLOAD", "$", "rows of a CSV file come with their mapping: {mapping, rows}")
            )
        self.mapping: Mapping = read_mapping(body["mapping"])
        self.rows: list[Json] = reader.objects(body, "rows")
        self.lines: list[int] = _lines(reader, body.get("lines"), len(self.rows))
        if not self.rows and not reader.problems:
            reader.refuse("NO_ROWS", "rows", "the transaction has no rows")
        for index, row in enumerate(self.rows):
            for column in self.mapping.columns.values():
                value = row.get(column)
                if value is not None and type(value) is not str:
                    reader.refuse("BAD_CELL", f"rows[{index}].{column[:60]}", "the cell of a CSV file is a text")
        reader.finish()
        self.problems: list[Problem] = reader.problems
        self.currency = ""

    def refuse(self, code: str, index: int, field: str, message: str) -> None:
        """Note a problem with one cell."""
        column = self.mapping.columns.get(field)
        place = f"line {self.lines[index]}"
        if column is not None:
            place += f", column {column[:60]!r}"
        self.problems.append(Problem(code, f"rows[{index}].{(column or field)[:60]}", f"{place}: {message}"))

    def finish(self) -> None:
        """Refuse the transaction if anything in it could not be read."""
        if self.problems:
            raise Refused(*dict.fromkeys(self.problems))

    # --- where a value stands

    def own(self, index: int, field: str) -> str:
        """What the row's cell says; "" where it is empty or there is no such column."""
        column = self.mapping.columns.get(field)
        value = self.rows[index].get(column) if column is not None else None
        return value.strip() if value else ""

    def cell(self, index: int, field: str) -> str:
        """What the row's cell says, or the default."""
        return self.own(index, field) or self.mapping.defaults.get(field, "")

    def one(self, field: str) -> tuple[int, str]:
        """What the transaction's rows say, all the same or nothing, with the first row that says it; else the default."""
        where, said = 0, ""
        for index in range(len(self.rows)):
            value = self.own(index, field)
            if value and not said:
                where, said = index, value
            elif value and value != said:
                self.refuse(
                    "CONFLICTING_ROWS", index, field,
                    f"{value[:40]!r}, but {said[:40]!r} in line {self.lines[where]} of the same transaction",
                )  # fmt: skip
        return where, said or self.mapping.defaults.get(field, "")

    def having(self, fields: tuple[str, ...]) -> list[int]:
        """The rows with a cell of their own for any of the fields."""
        return [index for index in range(len(self.rows)) if any(self.own(index, field) for field in fields)]

    # --- what it means

    def identifier(self, index: int, field: str, value: str) -> str | None:
        """A number or code that names something; None where there is none."""
        if len(value) > 255:
            self.refuse("BAD_ID", index, field, "longer than the 255 characters that a number or code may have")
        return value[:255] or None

    def one_id(self, field: str) -> str | None:
        """The transaction's number or code of that field."""
        index, value = self.one(field)
        return self.identifier(index, field, value)

    def word(self, index: int, field: str, value: str) -> str:
        """One of our words; "unknown" for one that neither the mapping nor the tables have."""
        name = key(text(value) or "")
        ours = self.mapping.words.get(field, {}).get(name)
        return ours or (name if name in WORDS[field] else "unknown")

    def required_word(self, field: str) -> str:
        """The transaction's word of that field."""
        index, said = self.one(field)
        if not said:
            code = f"MISSING_{'PAYMENT_' if field == 'status' else ''}{field.upper()}"
            self.refuse(code, index, field, f"the {field} is missing: neither a column nor a default has it")
        return self.word(index, field, said)

    def number(self, index: int, field: str, value: str) -> str:
        """A number as plain text ("1234.50"); "0" and a problem for anything else."""
        match = _NUMBER[self.mapping.decimal].fullmatch(value)
        if match is not None:
            fraction = match[3]
            whole = value[: len(value) - len(fraction) - 1] if fraction is not None else value
            plain = ("-" if match[1] else "") + re.sub("[^0-9]", "", whole) + (f".{fraction}" if fraction else "")
            if _PLAIN.fullmatch(plain):
                return plain
        self.refuse(
            "BAD_NUMBER", index, field, f"{value[:40]!r} is no number with {self.mapping.decimal!r} before its fraction"
        )
        return "0"

    def amount(self, index: int, field: str, value: str) -> int:
        """An amount in minor units."""
        plain, code = self.number(index, field, value), self.currency
        try:
            return to_minor(plain, code) if code else 0
        except MoneyError as error:
            self.refuse(error.code, index, field, str(error))
            return 0

    def maybe_amount(self, field: str) -> int | None:
        """The transaction's amount of that field; None where nothing is told."""
        index, value = self.one(field)
        return self.amount(index, field, value) if value else None

    def required_amount(self, field: str) -> int:
        """The transaction's amount of that field."""
        index, value = self.one(field)
        if not value:
            self.refuse("MISSING_AMOUNT", index, field, f"the transaction's {field} is missing")
            return 0
        return self.amount(index, field, value)

    def magnitude(self, index: int, field: str, value: str) -> int:
        """An amount of which only the size is meant: a discount stands as 2.00 or as -2.00."""
        return abs(self.amount(index, field, value))

    def extended(self, index: int, quantity: str, price: str) -> int:
        """quantity × price in minor units, as tills round."""
        if not self.currency:
            return 0
        exact = (Decimal(quantity) * Decimal(price)).scaleb(MINOR_DIGITS[self.currency])
        if abs(exact) > LIMIT:
            self.refuse(
                "AMOUNT_TOO_LARGE", index, "line_unit_price", "quantity × price is beyond what an amount may be"
            )
            return 0
        return int(exact.to_integral_value(ROUND_HALF_UP))

    def rate(self, index: int) -> str | None:
        """The row's tax rate in percent ("19.0"), or None."""
        value = self.cell(index, "tax_rate").removesuffix("%").strip(_SPACE)
        if not value:
            return None
        plain = self.number(index, "tax_rate", value)
        if abs(Decimal(plain)) >= 1000:
            self.refuse("BAD_NUMBER", index, "tax_rate", f"{value[:40]!r} is no rate in percent")
            return None
        short = format(Decimal(plain).normalize(), "f")
        return short if "." in short else short + ".0"

    def read_currency(self) -> None:
        """The transaction's currency, without which no amount can be read."""
        index, value = self.one("currency")
        if value.upper() in MINOR_DIGITS:
            self.currency = value.upper()
        elif value:
            self.refuse("UNKNOWN_CURRENCY", index, "currency", f"{value[:20]!r} is not an ISO 4217 currency code")
        else:
            self.refuse(
                "MISSING_CURRENCY", index, "currency", "the currency is missing: neither a column nor a default has it"
            )

    def instant(self, field: str, timezone: str, day_cut_hour: int) -> datetime | None:
        """The transaction's time of that field; None and a problem where it is missing or cannot be read."""
        index, value = self.one(field)
        if not value:
            self.refuse("MISSING_TIME", index, field, f"the transaction's {field} is missing")
            return None
        try:
            if self.mapping.date_format is None:
                return dates.parse_instant(value)
            return _local(value, self.mapping.date_format, timezone, day_cut_hour)
        except dates.DateError as error:
            self.refuse(error.code, index, field, str(error))
        except (ValueError, OverflowError):
            form = self.mapping.date_format
            self.refuse(
                "BAD_TIME", index, field, f"{value[:40]!r} is no time of the form {form!r} that {timezone} has had"
            )
        return None


def _local(value: str, form: str, timezone: str, day_cut_hour: int) -> datetime:
    """A time as the store's clock shows it. A date alone: it happens as that day begins; an hour that came twice: the first."""
    zone = dates.zone(timezone)
    if not value.isascii():
        raise ValueError
    if "%z" in form.replace("%%", ""):
        return datetime.strptime(value, form).astimezone(UTC)
    if not {"H", "I"} & set(re.findall("%(.)", form)):
        day: date = datetime.strptime(value, form).replace(tzinfo=UTC).date()
        return datetime.combine(day, time(day_cut_hour), zone).astimezone(UTC)
    told = datetime.strptime(value, form).replace(tzinfo=zone)
    at = told.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != told.replace(tzinfo=None):
        raise ValueError  # the clock was put forward over it
    return at


def _lines(reader: Reader, value: Any, count: int) -> list[int]:
    """The line of each row in its file; without them they are counted from 1."""
    if value is None:
        return list(range(1, count + 1))
    if type(value) is list and len(value) == count and all(type(one) is int and 0 < one < 10**9 for one in value):
        return value
    reader.refuse("BAD_FIELD", "lines", "should have the line of each row")
    return [0] * count
