"""Reads single values out of a vendor's object. What cannot be read becomes a problem; all of them are told at once. Pure."""

from datetime import date, datetime
from functools import lru_cache
from typing import Any

from channels.payload import mask_cards
from salessync.core import dates
from salessync.core.money import LIMIT, MINOR_DIGITS, MoneyError, to_minor
from salessync.core.problems import Problem, Refused

Json = dict[str, Any]

text_to_minor = lru_cache(maxsize=32768)(to_minor)  # most amounts of a shop are a few thousand different texts


class Reader:
    """One object's currency, and every problem found in it so far."""

    __slots__ = ("currency", "problems")

    def __init__(self, currency: str = "", problems: list[Problem] | None = None) -> None:
        self.currency = currency
        self.problems: list[Problem] = [] if problems is None else problems

    def refuse(self, code: str, path: str, message: str) -> None:
        """Note a problem and go on reading."""
        self.problems.append(Problem(code, path, message))

    def finish(self) -> None:
        """Refuse the payload if anything in it could not be read."""
        if self.problems:
            raise Refused(*self.problems)

    def object(self, value: Any, path: str) -> Json:
        """A JSON object; {} and a problem for anything else."""
        if type(value) is dict:
            return value
        self.refuse("NOT_AN_OBJECT", path, f"{path} should be a JSON object")
        return {}

    def objects(self, parent: Json, key: str, where: str = "") -> list[Json]:
        """A list of JSON objects; an absent one is empty."""
        value = parent.get(key)
        if not value and (value is None or type(value) is list):
            return []
        path = where + key
        if type(value) is not list:
            self.refuse("NOT_A_LIST", path, f"{path} should be a list")
            return []
        for index, one in enumerate(value):
            if type(one) is not dict:
                self.refuse("NOT_AN_OBJECT", f"{path}[{index}]", f"{path}[{index}] should be a JSON object")
                return []
        return value

    def identifier(self, value: Any, path: str) -> str:
        """The vendor's id as text: a whole number or a short text, nothing that two readers could read differently."""
        if type(value) is int and 0 <= value < 10**30:
            return str(value)
        if type(value) is str and 0 < len(value) <= 255 and value.strip():
            return value
        if value is None or (type(value) is str and not value):
            self.refuse("MISSING_ID", path, f"{path}, the vendor's id, is missing")
        else:
            self.refuse("BAD_ID", path, f"{path} is no id: a whole number or a text of at most 255 characters is")
        return ""

    def optional_id(self, value: Any, path: str) -> str | None:
        """An id, or None where there is none."""
        return None if value is None or (type(value) is str and not value) else self.identifier(value, path)

    def read_currency(self, value: Any, path: str) -> str:
        """An ISO 4217 code; "" and a problem where it is missing or unknown."""
        if type(value) is str:
            code = value.upper()
            if code in MINOR_DIGITS:
                return code
        if value is None or (type(value) is str and not value):
            self.refuse("MISSING_CURRENCY", path, "the currency is missing")
        else:
            self.refuse("UNKNOWN_CURRENCY", path, f"{str(value)[:20]!r} is not an ISO 4217 currency code")
        return ""

    def minor(self, value: Any, path: str, currency: str = "") -> int:
        """An amount in minor units; 0 and a problem where it cannot be read with certainty."""
        try:
            if type(value) is str:
                return text_to_minor(value, currency or self.currency)
            return to_minor(value, currency or self.currency)
        except MoneyError as error:
            if value is None:
                self.refuse("MISSING_AMOUNT", path, f"{path}, an amount, is missing")
            else:
                self.refuse(error.code, path, str(error))
            return 0

    def units(self, value: Any, path: str) -> int:
        """An amount that the vendor counts in minor units already; 0 and a problem for anything but a whole number."""
        if type(value) is int:
            return self.within_limit(value, path)
        code = "MISSING_AMOUNT" if value is None else "BAD_AMOUNT"
        self.refuse(code, path, f"{path} should be an amount, a whole number of the smallest unit")
        return 0

    def positive(self, amount: int, path: str) -> int:
        """An amount that cannot be negative; 0 and a problem where it is."""
        if amount < 0:
            self.refuse("NEGATIVE_AMOUNT", path, f"{path} is negative, which has no meaning here")
            return 0
        return amount

    def quantity(self, value: Any, path: str) -> int:
        """How many: a whole number, not negative."""
        if type(value) is int and 0 <= value <= 10**12:
            return value
        code = "MISSING_QUANTITY" if value is None else "BAD_QUANTITY"
        self.refuse(code, path, f"{path} should be a whole number, zero or more")
        return 0

    def instant(self, value: Any, path: str) -> datetime | None:
        """A time with its zone; None and a problem otherwise."""
        try:
            return dates.parse_instant(value)
        except dates.DateError as error:
            self.refuse("MISSING_TIME" if value is None else error.code, path, str(error))
            return None

    def maybe_instant(self, parent: Json, key: str, where: str = "") -> datetime | None:
        """A time that may be absent."""
        value = parent.get(key)
        return None if value is None else self.instant(value, where + key)

    def business_day(self, at: datetime, timezone: str, day_cut_hour: int = 0) -> date:
        """The store's own day of an instant."""
        try:
            return dates.business_date(at, timezone, day_cut_hour)
        except dates.DateError as error:
            self.refuse(error.code, "timezone", str(error))
        except OverflowError:
            self.refuse("BAD_TIME", "occurred_at", "the time is outside of the calendar")
        return at.date()

    def within_limit(self, amount: int, path: str) -> int:
        """A product or sum that must still be an amount."""
        if -LIMIT <= amount <= LIMIT:
            return amount
        self.refuse("AMOUNT_TOO_LARGE", path, f"{path} is beyond what an amount may be")
        return 0


def text(value: Any) -> str | None:
    """Free text, shortened, card numbers masked; None where there is none."""
    if type(value) is not str or not value:
        return None
    return mask_cards(value[:1000]) if len(value) > 12 else value


def stamp(at: datetime) -> str:
    """A UTC instant as canonical text; the instants here are UTC already."""
    return at.isoformat().replace("+00:00", "Z")


def word(value: Any) -> str:
    """A word to look up in a table; "" for anything that is no text."""
    return value if type(value) is str else ""


def last4(value: Any) -> str | None:
    """The last four digits of whatever holds a card number or a part of it."""
    if type(value) is str and len(value) >= 4 and value[-4:].isascii() and value[-4:].isdigit():
        return value[-4:]
    return None
