"""Reads single values out of a Shopify object: amounts stand plain and in `*_set` twins of shop's and buyer's money. Pure."""

from typing import Any

from channels import reading
from channels.adapters.shopify.words import CARD_BRAND
from channels.reading import Json, text_to_minor
from channels.record import Card
from salessync.core.money import MoneyError
from salessync.core.problems import Problem


class Reader(reading.Reader):
    """One object in the shop's currency."""

    __slots__ = ("silent_about_collector",)

    def __init__(self, currency: str = "", problems: list[Problem] | None = None) -> None:
        super().__init__(currency, problems)
        self.silent_about_collector = False  # a tax line did not say who remits it

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
        return self.positive(self.money(parent, key, where), where + key)

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


def card(row: Json) -> Card | None:
    """Brand and last four digits of a transaction's card; never more, even where more was sent."""
    details = row.get("payment_details")
    if type(details) is not dict:
        return None
    number, company = details.get("credit_card_number"), details.get("credit_card_company")
    last4 = reading.last4(number)
    brand = company[:40].casefold() if type(company) is str and company else None
    if brand is None and last4 is None:
        return None
    return Card(brand=CARD_BRAND.get(brand, brand) if brand else None, last4=last4)
