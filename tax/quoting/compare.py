"""What the channel charged against what the law says, and the cause of a difference. Pure.

The channel's amount is what was charged and what is booked; this finds out why ours is another.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from salessync.core.problems import Problem
from tax.engine.document import LineResult, Result
from tax.engine.rounding import exactly
from tax.quoting.answer import rate_text

VERDICTS = (
    "match", "rounding_only", "rate_mismatch", "taxability_mismatch", "jurisdiction_mismatch",
    "not_registered_but_charged", "registered_but_not_charged", "marketplace_collected",
)  # fmt: skip
_NEAR = Decimal("0.0005")  # of a percent: rates are published to three decimals


class KnownRate(msgspec.Struct, frozen=True):
    """A combined rate in percent that the channel may have used instead, and what it is."""

    rate: Decimal
    what: str
    verdict: str = "rate_mismatch"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """`code` is one of VERDICTS; `implied_rate` in percent where the channel's tax implies one; the problem says it in words."""

    code: str
    implied_rate: Decimal | None = None
    problem: Problem | None = None


_MATCH = Verdict("match")


def tolerance(result: Result) -> Decimal:
    """One step for each tax of each line, since any of them may have been rounded the other way; major units."""
    return result.step * max(1, sum(len(line.taxes) for line in result.lines))


def compare(
    result: Result,
    charged: Decimal,
    *,
    treatment: str,
    is_resolved: bool = False,
    standard_rate: Decimal | None = None,
    known: Sequence[KnownRate] = (),
    is_local_missing: bool = False,
    charged_lines: Sequence[Decimal | None] = (),
) -> Verdict:
    """The verdict on `charged` (major units, of the whole document).

    `standard_rate` (percent) is what an exempt line would bear; `known` are combined rates of other days and places;
    `is_resolved` says that the taxes of goods in general were found from registrations, so that no tax at all is a failure to
    collect; `is_local_missing` says that below the state there are taxes that nobody loaded; `charged_lines` is the channel's tax of each line, where it says so.
    """
    with exactly():
        computed = result.tax * result.step
        difference = charged - computed
        if treatment == "marketplace_collected":
            return Verdict("marketplace_collected")
        if treatment == "not_registered":
            return _unregistered(charged)
        if not difference:
            return _MATCH
        if abs(difference) <= tolerance(result) and bool(computed) == bool(charged):
            return _said("rounding_only", f"the channel's tax differs by {difference}, which rounding explains")
        one_sided = _one_sided(result, charged_lines)
        if one_sided is not None and charged:
            return one_sided
        if not charged:
            return _nothing_charged(computed, is_resolved)
        left_out = _left_out(result, charged)
        if left_out is not None:
            return left_out
        apart, theirs = _differing(result, charged, charged_lines)
        if theirs - apart.tax * result.step == difference:  # those lines are all of it
            result, charged = apart, theirs
        base = sum(_taxable(line) for line in result.lines) * result.step
        lines = _lines_explain(result, difference, standard_rate)
        if not base:
            return lines or _said("taxability_mismatch", f"the channel charged {charged} where nothing is taxable")
        implied = (charged * 100 / _net_of(result, base, charged)).quantize(Decimal("0.001"))
        slack = max(tolerance(result) * 100 / abs(base), _NEAR)
        by_rate = _by_rate(result, implied, slack, known, charged)
        if by_rate is None and is_local_missing and implied > _total_rate(result):
            said = f"the channel charged {rate_text(implied)} %: local taxes, which are not loaded, may be in it"
            return _said("jurisdiction_mismatch", said, implied)
        return by_rate or lines or _rate_mismatch(implied, "", charged)


def _unregistered(charged: Decimal) -> Verdict:
    if not charged:
        return _MATCH
    return _said("not_registered_but_charged", f"the channel charged {charged} where the seller is not registered")


def _nothing_charged(computed: Decimal, is_resolved: bool) -> Verdict:
    if is_resolved:
        return _said("registered_but_not_charged", f"the channel charged nothing where {computed} is due")
    return _said("taxability_mismatch", f"the channel charged nothing where {computed} is due")


def _taxable(line: LineResult) -> int:
    return max((taxed.base for taxed in line.taxes if taxed.rate), key=abs, default=0)


def _net_of(result: Result, base: Decimal, charged: Decimal) -> Decimal:
    """The base that the channel had: of inclusive prices what its own tax leaves."""
    inclusive = any(taxed.tax.price_include for line in result.lines for taxed in line.taxes)
    return (base + result.tax * result.step - charged or base) if inclusive else base


def _left_out(result: Result, charged: Decimal) -> Verdict | None:
    """Just one jurisdiction's tax is missing, whatever it is on each line."""
    sums: dict[tuple[str, str], int] = {}
    rates: dict[tuple[str, str], set[Decimal]] = {}
    for taxed in (taxed for line in result.lines for taxed in line.taxes if taxed.amount):
        key = (taxed.tax.name, taxed.tax.jurisdiction)
        sums[key] = sums.get(key, 0) + taxed.amount
        rates.setdefault(key, set()).add(taxed.rate)
    slack = tolerance(result)
    for (name, jurisdiction), units in sums.items():
        if len(sums) > 1 and abs((result.tax - units) * result.step - charged) <= min(
            slack, abs(units) * result.step / 2
        ):
            rate = " and ".join(f"{rate_text(rate)} %" for rate in sorted(rates[name, jurisdiction]))
            called = f"{name} of {jurisdiction}" if jurisdiction else name
            return _said("jurisdiction_mismatch", f"the channel left out {called} ({rate}): {units * result.step}")
    return None


def _differing(result: Result, charged: Decimal, by_line: Sequence[Decimal | None]) -> tuple[Result, Decimal]:
    """The lines on which the channel's tax is another than ours, and its tax of them; all, where it does not say."""
    apart = [
        (line, theirs)
        for line, theirs in zip(result.lines, by_line, strict=False)
        if theirs is not None and _is_apart(line, theirs, result.step)
    ]
    if not apart:
        return result, charged
    lines = [line for line, _ in apart]
    net, tax = sum(line.net for line in lines), sum(line.tax for line in lines)
    return Result(result.step, net, tax, net + tax, lines), sum((theirs for _, theirs in apart), Decimal(0))


def _is_apart(line: LineResult, theirs: Decimal, step: Decimal) -> bool:
    """Whether the channel's tax of the line is another than ours, beyond a step for each of its taxes."""
    return abs(theirs - line.tax * step) > step * max(1, len(line.taxes))


def _by_rate(
    result: Result, implied: Decimal, slack: Decimal, known: Sequence[KnownRate], charged: Decimal
) -> Verdict | None:
    """A rate of another day, category or place."""
    total = _total_rate(result)
    near = [k for k in known if abs(k.rate - implied) <= slack and k.rate != total]
    if not near:
        return None
    best = min(near, key=lambda k: abs(k.rate - implied))
    if best.verdict == "jurisdiction_mismatch":
        return _said("jurisdiction_mismatch", f"the channel charged {rate_text(implied)} %: {best.what}", implied)
    return _rate_mismatch(implied, f": {best.what} ({rate_text(best.rate)} %)", charged)


def _one_sided(result: Result, charged: Sequence[Decimal | None]) -> Verdict | None:
    """A line that bears tax on one side only."""
    for number, (line, theirs) in enumerate(zip(result.lines, charged, strict=False)):
        if theirs is not None and _is_apart(line, theirs, result.step) and (not theirs or not line.tax):
            who = "did not tax" if line.tax else "taxed"
            return _said(
                "taxability_mismatch",
                f"the channel {who} line {number + 1}; by law its tax is {line.tax * result.step}",
            )
    return None


def _total_rate(result: Result) -> Decimal:
    """The combined rate of the line with the most taxes, in percent."""
    taxed = max((line.taxes for line in result.lines), key=len, default=[])
    return sum((t.rate for t in taxed if t.tax.kind == "percent"), Decimal(0))


def _lines_explain(result: Result, difference: Decimal, standard_rate: Decimal | None) -> Verdict | None:
    """A line that the channel did not tax, or one that it taxed although it is exempt."""
    slack = tolerance(result)
    for number, line in enumerate(result.lines):
        if line.tax and abs(line.tax * result.step + difference) <= slack and len(result.lines) > 1:
            return _said("taxability_mismatch", f"the channel did not tax line {number + 1}")
        if not line.tax and standard_rate:
            would_be = line.net * result.step * standard_rate / 100
            if would_be and abs(would_be - difference) <= slack:
                return _said("taxability_mismatch", f"the channel taxed line {number + 1}, which bears no tax")
    return None


def _rate_mismatch(implied: Decimal, why: str, charged: Decimal) -> Verdict:
    return _said(
        "rate_mismatch", f"the channel's tax of {charged} implies a rate of {rate_text(implied)} %{why}", implied
    )


def _said(code: str, message: str, implied: Decimal | None = None) -> Verdict:
    return Verdict(code, implied, Problem(code.upper(), "channel_tax", message))
