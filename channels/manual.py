"""A journal entry that a person or Bookkeeper made: opening balances, corrections, write-offs. Pure.

No channel of sales may bring one (channels/adapters/books.py): a till must not write to the ledger.
"""

import re
from typing import Annotated, Literal

from msgspec import Meta

from channels.record import Currency, Part, Record, Signed, Text

# A full name as beancount and hledger write it, so that an export needs no other names.
ACCOUNT = re.compile(r"(Assets|Liabilities|Income|Expenses|Equity)(:[A-Z0-9][A-Za-z0-9-]*)+", re.ASCII)


class ManualPosting(Part, kw_only=True, gc=False):
    """Debit positive, credit negative. `currency` null: the record's; `base_amount`: its worth in the company's base currency."""

    account: Annotated[str, Meta(max_length=200, description="the full name, as in Assets:Bank:Main")]
    amount: Signed
    currency: Currency | None = None
    base_amount: Signed | None = None
    location: Text | None = None
    tax_code: Annotated[str, Meta(max_length=200)] | None = None
    category: Text | None = None
    memo: Text | None = None


class Manual(Record, kw_only=True, gc=False, tag="manual"):
    """Σ amount is zero where all is in one currency; of several, each posting has a `base_amount`, and Σ of these is zero.

    A later version with `void` undoes it. `reference`: what it corrects, or the number of the voucher.
    """

    kind: Literal["opening", "correction", "write_off", "breakage", "other", "unknown"]
    reason: Text
    origin: Literal["admin", "bookkeeper", "import", "review"]
    reference: Text | None = None
    void: bool = False
    postings: list[ManualPosting]

    def currency_of(self, posting: ManualPosting) -> str:
        """The posting's own currency, or the record's."""
        return posting.currency or self.currency

    @property
    def amount(self) -> int:
        """The headline amount, for lists: Σ of the debits in the record's currency."""
        debits = (p.amount for p in self.postings if self.currency_of(p) == self.currency)
        return sum(amount for amount in debits if amount > 0)
