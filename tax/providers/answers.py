"""Answers in minor units and back: what providers write theirs with, so that all have one shape. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from salessync.core.problems import Problem
from tax.engine.document import LineResult, Result, Taxed
from tax.engine.formula import Tax
from tax.quoting.answer import as_answer


def line_of(price: int, tax: int, taxes: Sequence[Taxed], *, is_inclusive: bool) -> LineResult:
    """A line by its price with or without the tax; minor units."""
    net = price - tax if is_inclusive else price
    return LineResult(net, tax, net + tax, list(taxes))


def answer_of(
    lines: Sequence[LineResult], *, digits: int, treatment: str, warnings: Sequence[Problem] = ()
) -> dict[str, Any]:
    """The contract's answer; `digits` of the currency's minor unit."""
    return as_answer(
        _result(lines, digits), digits=digits, treatment=treatment, verdict=None, warnings=warnings
    )  # fmt: skip


def nothing(lines: int, *, digits: int, warnings: Sequence[Problem] = ()) -> dict[str, Any]:
    """The answer where no amount is asked about."""
    return answer_of(
        [LineResult(0, 0, 0, []) for _ in range(lines)], digits=digits, treatment="out_of_scope", warnings=warnings
    )


def result_of(answer: Mapping[str, Any]) -> Result:
    """An answer as the engine has it, in its own last digit: what `tax.quoting.compare` and refunds work with."""
    digits = digits_of(answer)
    return _result([_line(line, digits) for line in answer["by_line"]], digits)


def digits_of(answer: Mapping[str, Any]) -> int:
    """How many decimals its amounts have."""
    return len(str(answer["gross"]).partition(".")[2])


def _result(lines: Sequence[LineResult], digits: int) -> Result:
    net, tax = sum(line.net for line in lines), sum(line.tax for line in lines)
    return Result(step=Decimal(1).scaleb(-digits), net=net, tax=tax, gross=net + tax, lines=list(lines))


def _line(line: Mapping[str, Any], digits: int) -> LineResult:
    def units(text: str) -> int:
        return int(Decimal(text).scaleb(digits))

    taxes = [
        Taxed(
            Tax(
                name=tax["name"], rate=Decimal(tax["rate"]), jurisdiction=tax["jurisdiction"], rule=tax["rule"],
                source=tax["source"],
            ),
            Decimal(tax["rate"]), units(tax["base"]), units(tax["tax"]),
        )
        for tax in line["taxes"]
    ]  # fmt: skip
    return LineResult(units(line["net"]), units(line["tax"]), units(line["gross"]), taxes)
