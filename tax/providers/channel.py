"""The tax that the channel charged, passed on as it is: nothing is computed. Pure.

A line and a delivery say in `charged` what the channel charged on them: an amount, or a list of taxes

    "charged": "3.80"
    "charged": [{"name": "VAT", "amount": "3.80", "rate": "19", "base": "20.00", "jurisdiction": "DE"}]

in major units. `rate`, `base` and `jurisdiction` may be absent: the base is then the line's net, and the rate the one that the amount
implies (its rule says "implied"). Whether prices contain their tax is the request's `price_mode`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from salessync.core.problems import Refused
from tax.engine.document import LineResult, Taxed
from tax.engine.formula import Tax
from tax.engine.rounding import exactly
from tax.providers.answers import answer_of, line_of
from tax.providers.priced import Item, items_of
from tax.providers.provider import Json, keeps_no_record, refused
from tax.providers.refunds import refund_of
from tax.quoting.request import Reader, Request, read

_RATE_DIGITS = Decimal("0.0001")  # of an implied rate, in percent


class Channel:
    """What the channel charged, in the shape of an answer."""

    name = "channel"
    capabilities = frozenset({"offline", "inclusive", "jurisdictions", "any_date"})

    def calculate(self, request: Mapping[str, Any], *, timeout: float = 0) -> Json:
        """Refused where a line does not say what was charged on it."""
        known = read(dict(request))
        if known.price_mode == "mixed":
            raise refused("PRICE_MODE_MIXED", "price_mode", "whether prices contain the tax charged must be said")
        reader = Reader()
        given = [*_items(reader, request, "lines"), *_items(reader, request, "shipping")]
        lines = [_Line(known, item, reader).read(data) for item, data in zip(items_of(known), given, strict=True)]
        if reader.problems:
            raise Refused(*reader.problems)
        return answer_of(lines, digits=known.digits, treatment=_treatment(known, lines))

    def refund(self, original: Mapping[str, Any], request: Mapping[str, Any]) -> Json:
        """By the sale's own figures."""
        return refund_of(original, request).answer()

    def commit(self, answer: Mapping[str, Any], reference: str) -> str:
        """Refused: the channel knows its own sale."""
        raise keeps_no_record("the channel")

    def void(self, recorded: str) -> None:
        """Refused."""
        raise keeps_no_record("the channel")


def _items(reader: Reader, request: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    return [item for item, _ in reader.items(dict(request), key)]


class _Line:
    """Reads what was charged on one line or delivery."""

    def __init__(self, request: Request, item: Item, reader: Reader) -> None:
        self.request, self.item, self.reader = request, item, reader

    def read(self, data: Mapping[str, Any]) -> LineResult:
        where = f"{self.item.path}charged"
        charged = data.get("charged")
        if charged is None:
            self.reader.refuse("MISSING_CHARGED", where, f"{where} is missing: what the channel charged is passed on")
            return LineResult(0, 0, 0, [])
        if isinstance(charged, list):
            taxes = list(self.reader.items(dict(data), "charged", self.item.path))
            amounts = [self._units(tax, "amount", path) for tax, path in taxes]
        else:
            taxes, amounts = [({}, self.item.path)], [self._units(data, "charged", self.item.path)]
        inclusive = self.request.price_mode == "inclusive"
        line = line_of(self.item.price, sum(amounts), (), is_inclusive=inclusive)
        line.taxes = [
            self._taxed(tax, path, amount, line.net) for (tax, path), amount in zip(taxes, amounts, strict=True) if amount or tax.get("rate")
        ]  # fmt: skip
        return line

    def _units(self, data: Mapping[str, Any], key: str, path: str) -> int:
        digits = self.request.digits
        units = self.reader.number(dict(data), key, path, None).scaleb(digits)
        if units != units.to_integral_value():
            self.reader.refuse(
                "AMOUNT_TOO_FINE", f"{path}{key}", f"{path}{key} has a fraction of the currency's smallest unit"
            )
        return int(units)

    def _taxed(self, data: dict[str, Any], path: str, amount: int, net: int) -> Taxed:
        base = net if data.get("base") in (None, "") else self._units(data, "base", path)
        rate, rule = self.reader.number(data, "rate", path), "charged"
        if data.get("rate") in (None, ""):
            with exactly():
                rate, rule = (Decimal(amount * 100) / base if base else Decimal(0)).quantize(_RATE_DIGITS), "implied"
        tax = Tax(
            name=self.reader.text(data, "name", path) or "tax", rate=rate, rule=rule, source="channel",
            jurisdiction=self.reader.text(data, "jurisdiction", path),
        )  # fmt: skip
        return Taxed(tax, rate, base, amount)


def _treatment(request: Request, lines: list[LineResult]) -> str:
    if request.collector == "marketplace":
        return "marketplace_collected"
    if any(line.tax for line in lines):
        return "taxable"
    if any(line.taxes for line in lines):
        return "zero"
    return "exempt" if request.is_exempt else "out_of_scope"
