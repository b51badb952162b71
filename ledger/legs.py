"""One posting as the recipes give it, and what they need to know of a channel. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from ledger import accounts


class Leg(NamedTuple):
    """One posting: debit positive, credit negative, in minor units of `currency` (None: the record's own); `path` into the record.

    `account` is the chart's own; an administrator's rules may lead it elsewhere (ledger/mapping.py), by `kind` (the type of the
    line or tender), tax code and category among others; not where it is `fixed`. `base`: its worth in the company's currency, in
    minor units, where that is known; None: by the day's rate. `location` None: the record's own.
    """

    account: str
    amount: int
    path: str
    tax_code: str | None = None
    category: str | None = None
    kind: str | None = None
    currency: str | None = None
    base: int | None = None
    fixed: bool = False
    location: str | None = None


class Policy(NamedTuple):
    """What the channel's administrator decided. `processors`: a processor's name in a record → the channel that brings its records."""

    channel: str
    refund_tax: str = "pro_rata"
    processors: Mapping[str, str] = {}

    def settler(self, processor: str | None) -> str:
        """The channel that brings this processor's records, or the processor's own name where none does; None: this channel."""
        name = processor or self.channel
        return self.processors.get(name, name)

    def clearing(self, processor: str | None) -> str:
        """The account of what this processor owes; None: the channel's own."""
        return accounts.clearing(self.settler(processor))


Legs = list[Leg]
TaxKey = tuple[str, str]  # account, tax code
Owed = tuple[str, str | None, str | None]  # account, kind, category: what the rules may tell apart
