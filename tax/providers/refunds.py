"""A refund by the sale's own answer, whoever gave it: never by today's rates. Pure.

The request of a refund says what is given back, in major units, with the tax:

    {"lines": [{"line": 0, "gross": "5.00"}]}    of these lines, numbered as the answer's `by_line`
    {"amount": "5.00"}                           an amount, spread over what is left of the lines
    {}                                           everything that is left

beside `before`, the answers of the refunds that went before it. Taxes are given back cumulatively (tax.engine.refunds), so that a
sequence which gives everything back ends exactly at the sale's tax.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from salessync.core.problems import Refused
from tax.engine.document import LineResult, Taxed
from tax.engine.refunds import SoldLine, TooMuch, cumulative_part, refund_amount, refund_line
from tax.providers.answers import answer_of, digits_of, result_of
from tax.providers.provider import refused
from tax.quoting.request import Reader


class Refund(msgspec.Struct, frozen=True):
    """Lines as the answer's, in negative minor units; `is_everything`: nothing was given back before, and nothing is left."""

    lines: tuple[LineResult, ...]
    digits: int
    treatment: str
    is_everything: bool

    def answer(self) -> dict[str, Any]:
        """The contract's answer."""
        return answer_of(self.lines, digits=self.digits, treatment=self.treatment)


def refund_of(original: Mapping[str, Any], request: Mapping[str, Any]) -> Refund:
    """Compute the refund; Refused where more is given back than was paid, or the request cannot be read."""
    digits = digits_of(original)
    sold = result_of(original)
    before = [result_of(answer) for answer in request.get("before") or ()]
    lines = [_sold(line, [earlier.lines[n] for earlier in before]) for n, line in enumerate(sold.lines)]
    wanted = _wanted(request, lines, digits)
    found = tuple(
        _given_back(line, lines[n], gross, [earlier.lines[n] for earlier in before])
        for n, (line, gross) in enumerate(zip(sold.lines, wanted, strict=True))
    )
    whole = not before and all(gross == line.gross for line, gross in zip(sold.lines, wanted, strict=True))
    return Refund(found, digits, str(original["treatment"]), whole)


def _sold(line: LineResult, before: Sequence[LineResult]) -> SoldLine:
    return SoldLine(
        gross=line.gross, taxes=tuple(taxed.amount for taxed in line.taxes), refunded=-sum(b.gross for b in before),
        returned=tuple(-sum(b.taxes[k].amount for b in before) for k in range(len(line.taxes))),
    )  # fmt: skip


def _wanted(request: Mapping[str, Any], lines: Sequence[SoldLine], digits: int) -> list[int]:
    """The gross that each line gives back, positive for a sale."""
    reader = Reader()
    found = [0] * len(lines)
    if request.get("lines") is not None:
        for item, path in reader.items(dict(request), "lines"):
            number = item.get("line")
            if type(number) is not int or not 0 <= number < len(lines):
                reader.refuse("UNKNOWN_LINE", f"{path}line", f"the sale has no line {str(number)[:20]}")
            else:
                found[number] += _units(reader, item, "gross", path, digits)
    elif request.get("amount") is not None:
        amount = _units(reader, request, "amount", "", digits)
        if not reader.problems:
            found = [part.gross for part in _spread(lines, amount)]
    else:
        found = [line.gross - line.refunded for line in lines]
    if reader.problems:
        raise Refused(*reader.problems)
    return found


def _units(reader: Reader, data: Mapping[str, Any], key: str, path: str, digits: int) -> int:
    units = reader.number(dict(data), key, path, None).scaleb(digits)
    if units != units.to_integral_value():
        reader.refuse("AMOUNT_TOO_FINE", f"{path}{key}", f"{path}{key} has more decimals than the sale")
    return int(units)


def _spread(lines: Sequence[SoldLine], amount: int) -> Sequence[Any]:
    try:
        return refund_amount(lines, amount)
    except TooMuch as error:
        raise refused("TOO_MUCH", "amount", str(error)) from None


def _given_back(line: LineResult, sold: SoldLine, gross: int, before: Sequence[LineResult]) -> LineResult:
    try:
        parts = refund_line(sold, gross).taxes
    except TooMuch as error:
        raise refused("TOO_MUCH", "lines", str(error)) from None
    done = sold.refunded + gross
    taxes = []
    for k, (taxed, part) in enumerate(zip(line.taxes, parts, strict=True)):
        earlier = -sum(b.taxes[k].base for b in before)
        base = cumulative_part(taxed.base, done, line.gross, earlier)
        taxes.append(Taxed(taxed.tax, taxed.rate, -base, -part))
    return LineResult(-(gross - sum(parts)), -sum(parts), -gross, taxes)
