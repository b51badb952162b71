"""A request with everything that a test does not care about."""

from decimal import Decimal

from tax.quoting import quote

DAY = "2026-06-15"


def request(*lines, **fields):
    """A sale of 100.00 of goods, unless told otherwise; a line may be a category alone."""
    given = [{"amount": "100.00", "qty": "1", "category": line} if isinstance(line, str) else line for line in lines]
    return {
        "date": DAY,
        "currency": "EUR",
        "price_mode": "exclusive",
        "lines": given or [{"amount": "100.00"}],
        **fields,
    }


def ask(*lines, book=None, **fields):
    return quote.answer(request(*lines, **fields), book)


def rate(answer):
    """The combined rate of the first line, in percent."""
    return sum((Decimal(tax["rate"]) for tax in answer["by_line"][0]["taxes"]), Decimal(0))


def codes(answer):
    return [warning["code"] for warning in answer["warnings"]]
