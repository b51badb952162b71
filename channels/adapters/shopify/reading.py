"""Reads single values out of a Shopify object. What cannot be read becomes a problem; all of them are told at once. Pure."""

from datetime import date, datetime
from functools import lru_cache
from typing import Any

from channels.adapter import Context
from channels.adapters.shopify.words import CARD_BRAND
from channels.payload import mask_cards
from channels.record import Card
from salessync.core import dates
from salessync.core.money import LIMIT, MINOR_DIGITS, MoneyError, to_minor
from salessync.core.problems import Problem, Refused

Json = dict[str, Any]

text_to_minor = lru_cache(maxsize=32768)(to_minor)  # most amounts of a shop are a few thousand different texts


class Reader:
    """One object's currency, and every problem found in it so far."""

    __slots__ = ("currency", "problems", "silent_about_collector")

    def __init__(self, currency: str = "", problems: list[Problem] | None = None) -> None:
        self.currency = currency
        self.problems: list[Problem] = [] if problems is None else problems
        self.silent_about_collector = False  # a tax line did not say who remits it

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
        if value is None or value == "":
            self.refuse("MISSING_ID", path, f"{path}, the vendor's id, is missing")
        else:
            self.refuse("BAD_ID", path, f"{path} is no id: a whole number or a text of at most 255 characters is")
        return ""

    def optional_id(self, value: Any, path: str) -> str | None:
        """An id, or None where there is none."""
        return None if value is None or value == "" else self.identifier(value, path)

    def read_currency(self, value: Any, path: str) -> str:
        """An ISO 4217 code; "" and a problem where it is missing or unknown."""
        if type(value) is str:
            code = value.upper()
            if code in MINOR_DIGITS:
                return code
        if value is None or value == "":
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

    def money(self, parent: Json, key: str, where: str = "") -> int:
        """A required amount in the shop's currency, from its plain field or its set."""
        value = parent.get(key)
        if type(value) is str:
            try:
                return text_to_minor(value, self.currency)
            except MoneyError:
                pass
        elif value is None:
            value = self.side(parent, key + "_set", where)
        return self.minor(value, where + key)

    def maybe_money(self, parent: Json, key: str, where: str = "") -> int | None:
        """An amount that may be absent; None then."""
        value = parent.get(key)
        if value is None:
            value = self.side(parent, key + "_set", where)
            if value is None:
                return None
        return self.money(parent, key, where)

    def magnitude(self, parent: Json, key: str, where: str = "") -> int:
        """A required amount that cannot be negative."""
        value = self.money(parent, key, where)
        if value < 0:
            self.refuse("NEGATIVE_AMOUNT", where + key, f"{where}{key} is negative, which has no meaning here")
            return 0
        return value

    def in_set(self, parent: Json, key: str, where: str = "") -> int | None:
        """The shop's side of a `*_set`; None where there is none."""
        value = self.side(parent, key, where)
        return None if value is None else self.minor(value, f"{where}{key}.shop_money.amount")

    def side(self, parent: Json, key: str, where: str = "", side: str = "shop_money") -> Any:
        """The raw amount of one side of a `*_set`; None where there is none."""
        both = parent.get(key)
        if both is None:
            return None
        if type(both) is dict and type(both.get(side)) is dict:
            return both[side].get("amount")
        money = self.object(both, where + key).get(side)
        return None if money is None else self.object(money, f"{where}{key}.{side}").get("amount")

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

    def business_day(self, at: datetime, context: Context) -> date:
        """The store's own day: the payload has only offsets, the zone is the channel's."""
        try:
            return dates.business_date(at, context.timezone, context.day_cut_hour)
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


def card(row: Json) -> Card | None:
    """Brand and last four digits of a transaction's card; never more, even where more was sent."""
    details = row.get("payment_details")
    if type(details) is not dict:
        return None
    number, company = details.get("credit_card_number"), details.get("credit_card_company")
    last4 = number[-4:] if type(number) is str and number[-4:].isascii() and number[-4:].isdigit() else None
    brand = company[:40].casefold() if type(company) is str and company else None
    if last4 is not None and len(last4) < 4:
        last4 = None
    if brand is None and last4 is None:
        return None
    return Card(brand=CARD_BRAND.get(brand, brand) if brand else None, last4=last4)
