"""The tax that a refund gives back, beside what it should by the sale's own figures: cumulatively, never by today's rates. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from channels.refund import GIVES_BACK, Refund, RefundLine
from channels.sale import Line, Sale
from tax.assessment.assessed import Assessed, taxes_charged, where
from tax.engine.refunds import cumulative_part


def assess(sale: Sale, refunds: Sequence[Refund]) -> list[Assessed | None]:
    """One for each refund, in the order in which they happened; None for those that give nothing back."""
    before = _Before(sale)
    return [before.take(refund) if refund.status in GIVES_BACK else None for refund in refunds]


class _Before:
    """What earlier refunds gave back of each line: its net, in the price's own mode, and each of its taxes."""

    def __init__(self, sale: Sale) -> None:
        self.sale = sale
        self.lines = {line.id: line for line in sale.lines}
        self.net: dict[str, int] = defaultdict(int)
        self.taxes: dict[str, list[int]] = {line.id: [0] * len(line.taxes) for line in sale.lines}

    def take(self, refund: Refund) -> Assessed:
        """What the refund should give back of the tax of the lines that it names."""
        found = [self._line(line) for line in refund.lines]
        told = [line for line in found if line["computed"] is not None]
        computed = sum(line["computed"] for line in told)
        charged = sum(line["charged"] for line in told)
        steps = sum(max(1, len(line["taxes"])) for line in told)
        verdict, message = _judged(computed, charged, steps, is_whole=len(told) == len(found))
        return Assessed(
            treatment="refund", verdict=verdict, net=refund.totals.total - refund.totals.tax, computed=computed if told else None,
            charged=charged if told else refund.totals.tax, message=message, lines=tuple(found), **where(self.sale, None),
        )  # fmt: skip

    def _line(self, given: RefundLine) -> dict[str, Any]:
        sold = self.lines.get(given.line or "")
        parts = self._parts(given, sold) if sold and sold.net else None
        return {
            "line": given.line or "", "name": sold.name if sold else given.type, "category": "", "category_by": "sale",
            "net": given.net, "computed": sum(part["tax"] for part in parts) if parts is not None else None,
            "charged": given.tax, "treatment": "refund", "taxes": parts or [], "charged_taxes": taxes_charged(given.taxes),
        }  # fmt: skip

    def _parts(self, given: RefundLine, sold: Line) -> list[dict[str, Any]]:
        whole = abs(sold.net)
        done = min(abs(self.net[sold.id]) + abs(given.net), whole)
        sign = -1 if (given.net < 0) != (sold.net < 0) else 1
        self.net[sold.id] = done
        before, parts = self.taxes[sold.id], []
        for index, tax in enumerate(sold.taxes):
            part = cumulative_part(tax.amount, done, whole, before[index])
            before[index] += part
            parts.append(
                {
                    "name": tax.name, "jurisdiction": tax.jurisdiction or "", "rate": tax.rate or "", "base": abs(given.net),
                    "tax": part * sign, "rule": f"{done} of {whole} given back", "source": "the sale's own tax",
                }
            )  # fmt: skip
        return parts


def _judged(computed: int, given: int, steps: int, *, is_whole: bool) -> tuple[str, str]:
    if computed == given:
        return ("match" if is_whole else ""), ("" if is_whole else "an amount without lines: its tax is not told apart")
    if abs(computed - given) <= steps:
        return (
            "rounding_only",
            f"the tax given back differs by {given - computed} in minor units, which rounding explains",
        )
    if not given or not computed:
        return "taxability_mismatch", f"{given} of tax was given back, by the sale it is {computed} (minor units)"
    return "rate_mismatch", f"{given} of tax was given back, by the sale it is {computed} (minor units)"
