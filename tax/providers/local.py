"""Our own engine with the rates that are loaded. Pure; always there."""

from collections.abc import Mapping
from typing import Any

from tax.law.ratebook import RateBook
from tax.providers.provider import Json, keeps_no_record
from tax.providers.refunds import refund_of
from tax.quoting import quote


class Local:
    """Answers from a book of rates."""

    name = "local"
    capabilities = frozenset({"offline", "inclusive", "jurisdictions", "given_taxes", "any_date"})

    def __init__(self, book: RateBook) -> None:
        self.book = book

    def calculate(self, request: Mapping[str, Any], *, timeout: float = 0) -> Json:
        """As `quote_tax`; takes no time worth limiting."""
        return quote.answer(dict(request), self.book)

    def refund(self, original: Mapping[str, Any], request: Mapping[str, Any]) -> Json:
        """By the sale's own figures."""
        return refund_of(original, request).answer()

    def commit(self, answer: Mapping[str, Any], reference: str) -> str:
        """Refused: the assessment is the record."""
        raise keeps_no_record("our own engine")

    def void(self, recorded: str) -> None:
        """Refused."""
        raise keeps_no_record("our own engine")
