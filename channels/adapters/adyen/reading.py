"""Reads Adyen's own ways of writing amounts, truth values and times. Pure."""

from typing import Any

from channels.adapters.adyen.words import CARD_BRAND, DIGITS, TENDER_TYPE
from channels.reading import Json, last4, word
from channels.reading import Reader as BaseReader
from channels.record import Card
from salessync.core.money import MINOR_DIGITS


class Reader(BaseReader):
    """A reader of one item."""

    __slots__ = ()

    def amount(self, raw: Any, path: str) -> int:
        """{"currency", "value"} brought to the minor unit of ISO 4217; sets the currency. Never negative."""
        money = self.object(raw, path)
        self.currency = self.read_currency(money.get("currency"), f"{path}.currency")
        value = self.units(money.get("value"), f"{path}.value")
        return self.positive(self.iso(value, f"{path}.value"), f"{path}.value")

    def iso(self, value: int, path: str) -> int:
        """Adyen counts some currencies in other units than ISO 4217 does."""
        digits = MINOR_DIGITS.get(self.currency, 2)
        theirs = DIGITS.get(self.currency, digits)
        whole, rest = divmod(value * int(10**digits), int(10**theirs))
        if rest:
            self.refuse("AMOUNT_TOO_FINE", path, f"{path} has a fraction of the smallest unit of {self.currency}")
        return self.within_limit(whole, path)

    def success(self, value: Any, path: str) -> bool:
        """Adyen writes truth as a word."""
        if value is True or value == "true":
            return True
        if value is not False and value != "false":
            self.refuse("BAD_SUCCESS", path, f'{path} should be "true" or "false"')
        return False


def method_type(item: Json) -> str | None:
    """How it was paid; the wallet or variant that was used says nothing that the method does not. None: it is not told."""
    method = word(item.get("paymentMethod"))
    variant = word(additional(item).get("paymentMethodVariant"))
    if not method and not variant:
        return None
    return TENDER_TYPE.get(method or variant, "unknown")


def card(item: Json) -> Card | None:
    """Brand and last four digits of a card."""
    method = word(item.get("paymentMethod"))
    if TENDER_TYPE.get(method) != "card":
        return None
    return Card(brand=CARD_BRAND.get(method, method), last4=last4(additional(item).get("cardSummary")))


def additional(item: Json) -> Json:
    """The item's further fields; where there are none, or they are no object, nothing is known of them."""
    value = item.get("additionalData")
    return value if type(value) is dict else {}
