"""The registry of tax providers: a name in TaxSetting.provider to somebody who can compute tax."""

from collections.abc import Callable
from datetime import date

import msgspec

from tax.law.ratebook import RateBook
from tax.providers.channel import Channel
from tax.providers.local import Local
from tax.providers.opensalestax import OpenSalesTax
from tax.providers.provider import Provider
from tax.providers.stripe_tax import StripeTax


class Access(msgspec.Struct, frozen=True):
    """With what a provider is asked: a company's key and address, the rates that are loaded, and the day (UTC)."""

    book: RateBook
    today: date
    key: str = ""
    address: str = ""


_MAKERS: dict[str, Callable[[Access], Provider]] = {
    "local": lambda access: Local(access.book),
    "channel": lambda access: Channel(),
    "stripe": lambda access: StripeTax(access.key, access.today, access.address),
    "opensalestax": lambda access: OpenSalesTax(access.address, access.today, access.key),
}
LABELS = {
    "local": "Own rates", "channel": "What the channel charged", "stripe": "Stripe Tax", "opensalestax": "OpenSalesTax server",
}  # fmt: skip
NAMES = tuple(_MAKERS)


def provider(name: str, access: Access) -> Provider:
    """KeyError where nobody has that name."""
    return _MAKERS[name](access)
