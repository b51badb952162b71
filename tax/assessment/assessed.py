"""What an assessment of a sale or refund says: our tax beside the channel's, line by line, and the verdict. Pure.

Amounts in minor units of the record's currency.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from channels.record import Tax
from channels.sale import Line, Sale
from salessync.core.problems import Problem
from tax.assessment import asking
from tax.engine.document import LineResult, Taxed
from tax.quoting.answer import rate_text
from tax.quoting.compare import Verdict
from tax.quoting.quote import Quote
from tax.seller.category_rules import Mapped

AGREES = frozenset({"", "match", "rounding_only", "marketplace_collected"})  # verdicts that nobody need look at
_JSON = msgspec.json.Encoder()


class Assessed(msgspec.Struct, frozen=True):
    """`verdict` "": there is nothing to compare, and the message says why. `lines` and `warnings` as the table keeps them."""

    treatment: str
    verdict: str
    net: int
    computed: int | None
    charged: int
    country: str = ""
    region: str = ""
    place: str = ""
    implied_rate: Decimal | None = None
    message: str = ""
    lines: tuple[dict[str, Any], ...] = ()
    warnings: tuple[dict[str, str], ...] = ()

    def digest(self) -> bytes:
        """Of all that it says: the same result again is no new assessment."""
        return sha256(_JSON.encode(self)).digest()

    def differs(self, tolerance: int) -> bool:
        """Whether somebody must look at it; `tolerance` in minor units."""
        return (
            self.verdict not in AGREES and self.computed is not None and abs(self.charged - self.computed) > tolerance
        )


class Row(NamedTuple):
    """An assessment with what it is of; `tolerance` of its company, in minor units."""

    company_id: int
    channel_id: int
    transaction_id: int
    version_id: int
    book_id: int | None
    currency: str
    date: date
    tolerance: int
    found: Assessed
    digest: bytes


def of_quote(sale: Sale, categories: Sequence[Mapped | None], quote: Quote, *, has_registrations: bool) -> Assessed:
    """The sale as it was computed."""
    verdict, said = _judged(quote, has_registrations)
    by_line = dict(zip(asking.order_of(sale), zip(quote.result.lines, quote.line_treatments, strict=True), strict=True))
    return Assessed(
        treatment=quote.treatment, verdict=verdict, net=quote.result.net, computed=quote.result.tax,
        charged=asking.charged(sale), **where(sale, quote), message=said,
        implied_rate=quote.verdict.implied_rate if quote.verdict else None,
        lines=tuple(_line(line, categories[n], *by_line[n]) for n, line in enumerate(sale.lines)),
        warnings=told(quote.warnings),
    )  # fmt: skip


def refused(sale: Sale, problems: Iterable[Problem]) -> Assessed:
    """The sale's tax cannot be computed: its place is not known, or has no rates."""
    found = list(problems)
    net = sum(line.net for line in sale.lines) - (asking.charged(sale) if sale.tax_inclusive else 0)
    return Assessed(
        treatment="", verdict="", net=net, computed=None, charged=asking.charged(sale), **where(sale, None),
        message=found[0].message if found else "", lines=tuple(_uncomputed(line) for line in sale.lines), warnings=told(found),
    )  # fmt: skip


def lapsed(sale: Sale) -> Assessed:
    """A sale that was taken back owes no tax, whatever its record still says."""
    return Assessed(
        treatment="", verdict="", net=0, computed=None, charged=0, **where(sale, None),
        message="the sale was taken back: no tax is due",
    )  # fmt: skip


def where(sale: Sale, quote: Quote | None) -> dict[str, Any]:
    """Country and state whose tax it is, and the rest of the place."""
    place = quote.request.place if quote else asking.place_of(sale.jurisdiction)
    country, region = (place.country, place.region) if place else ("", "")
    if quote and quote.site:
        country, region = quote.site.country.code, quote.site.region.code if quote.site.region else ""
    rest = f"{place.postcode} {place.city}".strip() if place else ""
    return {"country": country, "region": region[:100], "place": rest[:300]}


def told(problems: Iterable[Problem]) -> tuple[dict[str, str], ...]:
    """As the table keeps them."""
    return tuple({"code": p.code, "path": p.path, "message": p.message} for p in problems)


def taxes_charged(taxes: Iterable[Tax]) -> list[dict[str, Any]]:
    """The channel's taxes of a line."""
    return [
        {"name": t.name, "jurisdiction": t.jurisdiction or "", "rate": t.rate or "", "amount": t.amount} for t in taxes
    ]


def _judged(quote: Quote, has_registrations: bool) -> tuple[str, str]:
    """The verdict, unless what would decide it is not known."""
    found: Verdict | None = quote.verdict
    if found is None:
        return "", ""
    message = found.problem.message if found.problem else ""
    if not has_registrations and found.code == "registered_but_not_charged":
        return "", f"{message}; no registrations are recorded, so whether it had to be charged is not known"
    if quote.is_local_missing and found.code == "jurisdiction_mismatch":
        return "", f"{message}; without them it cannot be judged"
    return found.code, message


def _line(line: Line, mapped: Mapped | None, result: LineResult, treatment: str) -> dict[str, Any]:
    return {
        "line": line.id, "name": line.name, "category": mapped.category if mapped else asking.CATEGORY_OF.get(line.type, line.type),
        "category_by": mapped.by if mapped else "type", "net": result.net, "computed": result.tax, "charged": line.tax,
        "treatment": treatment, "taxes": [_tax(taxed) for taxed in result.taxes], "charged_taxes": taxes_charged(line.taxes),
    }  # fmt: skip


def _tax(taxed: Taxed) -> dict[str, Any]:
    tax = taxed.tax
    return {
        "name": tax.name, "jurisdiction": tax.jurisdiction, "rate": rate_text(taxed.rate), "base": taxed.base,
        "tax": taxed.amount, "rule": tax.rule, "source": tax.source,
    }  # fmt: skip


def _uncomputed(line: Line) -> dict[str, Any]:
    return {
        "line": line.id, "name": line.name, "category": "", "category_by": "", "net": line.net, "computed": None,
        "charged": line.tax, "treatment": "", "taxes": [], "charged_taxes": taxes_charged(line.taxes),
    }  # fmt: skip
