"""The code by which a tax is summed and reported. Pure."""

from functools import lru_cache

from channels.record import Tax


def tax_code(tax: Tax) -> str:
    """Jurisdiction, name and rate: "US-NY NY State 4%". Two rates of one name (a standard and a reduced VAT) stay apart."""
    return _code(tax.jurisdiction, tax.name, tax.rate)


@lru_cache(maxsize=4096)
def _code(jurisdiction: str | None, name: str, rate: str | None) -> str:
    if rate and "." in rate:
        rate = rate.rstrip("0").rstrip(".")
    parts = [jurisdiction, name.strip() or None, f"{rate}%" if rate else None]
    return " ".join(p for p in parts if p)[:200] or "tax"


def same_tax(tax: Tax, candidates: list[Tax]) -> Tax:
    """The tax of the sale's line that a refund gives back: a refund's payload may know the name and rate only."""
    for candidate in candidates:
        if tax_code(candidate) == tax_code(tax):
            return candidate
    alike = [c for c in candidates if c.name == tax.name and _number(c.rate) == _number(tax.rate)]
    if len(alike) == 1:
        return alike[0]
    named = [c for c in candidates if c.name == tax.name]
    return named[0] if len(named) == 1 else tax


def _number(rate: str | None) -> str | None:
    return rate.rstrip("0").rstrip(".") if rate and "." in rate else rate
