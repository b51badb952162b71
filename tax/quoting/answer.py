"""A computed document as the JSON answer of `quote_tax`. Pure: amounts are decimal strings in major units."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from salessync.core.problems import Problem
from tax.engine.document import LineResult, Result, Taxed

# the strongest of its lines' is the document's
_PRECEDENCE = (
    "taxable", "tax_holiday", "reverse_charge", "export_zero", "marketplace_collected", "not_registered", "zero", "exempt",
)  # fmt: skip


def strongest(treatments: Collection[str]) -> str:
    """One word for a document, or for a line with several taxes."""
    return next((treatment for treatment in _PRECEDENCE if treatment in treatments), "out_of_scope")


class Writer:
    """Writes steps of a rounding as major units, with the currency's digits or the increment's, if it is finer."""

    def __init__(self, step: Decimal, digits: int) -> None:
        exponent = step.normalize().as_tuple().exponent
        self.digits = max(digits, -exponent if isinstance(exponent, int) else 0)
        self._per_step = int(step.scaleb(self.digits))

    def __call__(self, steps: int) -> str:
        units = steps * self._per_step
        if not self.digits:
            return str(units)
        sign, text = "-" if units < 0 else "", str(abs(units)).rjust(self.digits + 1, "0")
        return f"{sign}{text[: -self.digits]}.{text[-self.digits :]}"


def rate_text(rate: Decimal) -> str:
    """5.50 as "5.5", 20 as "20"."""
    text = f"{rate:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def as_answer(
    result: Result, *, digits: int, treatment: str, verdict: str | None, warnings: Sequence[Problem]
) -> dict[str, Any]:
    """The contract's object; `verdict` only where the channel's tax was given."""
    write = Writer(result.step, digits)
    answer = {
        "net": write(result.net), "tax": write(result.tax), "gross": write(result.gross),
        "by_line": [_line(line, write) for line in result.lines],
        "by_rate": _by_rate(result.lines, write),
        "treatment": treatment,
    }  # fmt: skip
    if verdict is not None:
        answer["verdict"] = verdict
    answer["warnings"] = [{"code": w.code, "path": w.path, "message": w.message} for w in warnings]
    return answer


def _line(line: LineResult, write: Writer) -> dict[str, Any]:
    return {
        "net": write(line.net), "tax": write(line.tax), "gross": write(line.gross),
        "taxes": [_tax(taxed, write) for taxed in line.taxes],
    }  # fmt: skip


def _tax(taxed: Taxed, write: Writer) -> dict[str, Any]:
    tax = taxed.tax
    return {
        "name": tax.name, "jurisdiction": tax.jurisdiction, "rate": rate_text(taxed.rate),
        "base": write(taxed.base), "tax": write(taxed.amount), "rule": tax.rule, "source": tax.source,
    }  # fmt: skip


def _by_rate(lines: Sequence[LineResult], write: Writer) -> list[dict[str, str]]:
    """One entry a rate; two taxes of one rate on the same line stay two, so that no base is counted twice."""
    found: dict[tuple[Decimal, str, int], list[int]] = {}
    for line in lines:
        seen: dict[tuple[Decimal, str], int] = {}
        for taxed in line.taxes:
            nth = seen.get((taxed.rate, taxed.tax.kind), 0)
            seen[taxed.rate, taxed.tax.kind] = nth + 1
            sums = found.setdefault((taxed.rate.normalize(), taxed.tax.kind, nth), [0, 0])
            sums[0] += taxed.base
            sums[1] += taxed.amount
    return [
        {"rate": rate_text(rate), "base": write(base), "tax": write(tax)} for (rate, _, _), (base, tax) in found.items()
    ]
