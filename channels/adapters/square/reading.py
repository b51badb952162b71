"""Reads single values out of a Square object: money stands as {amount, currency} in minor units. Pure."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from channels import reading
from channels.adapter import Context, customer_ref
from channels.adapters.square.words import CARD_BRAND
from channels.reading import Json, stamp, word
from channels.record import Card, Source

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_QUANTITY = re.compile(r"[0-9]{1,15}(\.[0-9]{1,12})?")


class Reader(reading.Reader):
    """One object in one currency."""

    __slots__ = ()

    def find_currency(self, candidates: list[Any], path: str) -> None:
        """The object's currency: that of the first money among `candidates` that names one."""
        told = next((code for code in map(currency_of, candidates) if code is not None), None)
        self.currency = self.read_currency(told, path)

    def money(self, parent: Json, key: str, where: str = "") -> int:
        """A required amount, signed; payouts spell the currency `currency_code`."""
        value = parent.get(key)
        if type(value) is not dict:
            if value is None:
                self.refuse("MISSING_AMOUNT", where + key, f"{where}{key}, an amount, is missing")
            else:
                self.object(value, where + key)
            return 0
        code = currency_of(value)
        if code is not None and self.currency and code != self.currency:
            self.refuse("WRONG_CURRENCY", f"{where}{key}.currency", "the amount is in another currency than its object")
        return self.units(value.get("amount"), f"{where}{key}.amount")

    def maybe_money(self, parent: Json, key: str, where: str = "") -> int | None:
        """An amount that may be absent; None then."""
        return None if parent.get(key) is None else self.money(parent, key, where)

    def amount(self, parent: Json, key: str, where: str = "") -> int:
        """An amount that cannot be negative, 0 where it is absent."""
        return self.positive(self.maybe_money(parent, key, where) or 0, where + key)

    def decimal_quantity(self, value: Any, path: str) -> str:
        """How many, as Square's decimal text; "0" and a problem for anything else."""
        if type(value) is int:
            value = str(value)
        elif isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 20:
            value = format(value, "f")
        if type(value) is str and _QUANTITY.fullmatch(value):
            return value
        code = "MISSING_QUANTITY" if value is None else "BAD_QUANTITY"
        self.refuse(code, path, f"{path} should be a decimal number, zero or more")
        return "0"

    def parts(self, parent: Json, key: str, where: str = "") -> Json:
        """A nested object that may be absent; {} then."""
        value = parent.get(key)
        return {} if value is None else self.object(value, where + key)

    def happened(self, parent: Json, where: str = "") -> datetime:
        """When the object came into being."""
        value = parent.get("created_at")
        return self.instant(value, where + "created_at") or EPOCH

    def version(self, parent: Json, created: datetime, where: str = "", *also: datetime) -> datetime:
        """The instant that orders this state of the object among the others.

        `updated_at`, which webhooks and answers share, where `version` is left out of some. Where it is missing, or lies before
        the object's own beginning, the version number orders instead.
        """
        changed = self.maybe_instant(parent, "updated_at", where)
        if changed is None or changed < created:
            number = parent.get("version")
            changed = later(created, 2 * number if type(number) is int and 0 < number < 10**6 else 0)
        return max([changed, *also])


def later(at: datetime, microseconds: int) -> datetime:
    """A little after `at`, but within the calendar."""
    try:
        return at + timedelta(microseconds=microseconds)
    except OverflowError:
        return at


def currency_of(money: Any) -> Any:
    """What a money says its currency is; None where it says nothing."""
    if type(money) is not dict:
        return None
    code = money.get("currency")
    code = money.get("currency_code") if code is None else code
    return code.upper() if type(code) is str else code


def source(reader: Reader, row: Json, where: str, version: datetime, context: Context) -> Source:
    """Which object this is. Nothing in Square's objects tells a test: the sandbox is a host of its own."""
    return Source(
        channel=context.channel,
        adapter="square",
        id=reader.identifier(row.get("id"), where + "id"),
        version=stamp(version),
        location=reader.optional_id(row.get("location_id"), where + "location_id"),
    )


def card(details: Any) -> Card | None:
    """Brand and last four digits of a payment's card; never more, even where more was sent."""
    one = details.get("card") if type(details) is dict else None
    if type(one) is not dict:
        return None
    brand, last4 = word(one.get("card_brand"))[:40].casefold(), reading.last4(one.get("last_4"))
    if not brand and last4 is None:
        return None
    return Card(brand=CARD_BRAND.get(brand, brand) or None, last4=last4)


def customer(value: Any) -> str | None:
    """A hash in place of the customer's id; None for what is no id."""
    return customer_ref(value) if type(value) is str and 0 < len(value) <= 255 and value.strip() else None


def known(table: dict[Any, str], value: Any) -> str:
    """What a word of Square's means here; "unknown" for a word that is new, or is none."""
    return table.get(value, "unknown") if value is None or type(value) is str else "unknown"
