"""Which taxes a category bears in some jurisdictions on a day, with the thresholds and holidays of the law. Pure.

The most specific fact wins: the deepest category first, then the latest. A jurisdiction's exemption reaches those below it only where
its scope says so; a rate that names the category down there still counts.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from tax.engine.formula import Tax
from tax.engine.thresholds import Threshold
from tax.law.ratebook import ROOT, Applicable, Rate, RateBook, Rule
from tax.quoting.answer import rate_text

_TRUSTED = frozenset({"high", "medium"})


def depth(wanted: str, category: str) -> int:
    """How exactly a fact for `wanted` names `category`: 0 for the root, -1 where it does not hold for it at all."""
    if wanted == ROOT:
        return 0
    if category == wanted or category.startswith(wanted + "."):
        return wanted.count(".") + 1
    return -1


def applicable(
    book: RateBook,
    jurisdictions: tuple[str, ...],
    category: str,
    on: date,
    *,
    sourcing: str = "intra",
    currency: str = "",
) -> Applicable:
    """The taxes in their order, from the country down to the district; remembered by the book."""
    key = (jurisdictions, category, book.period(on), sourcing, currency)
    known: Applicable | None = book.recall(key)
    return known or book.keep(key, _applicable(book, jurisdictions, category, on, sourcing, currency))


def _applicable(
    book: RateBook, jurisdictions: tuple[str, ...], category: str, on: date, sourcing: str, currency: str
) -> Applicable:
    taxes: list[Tax] = []
    found: list[Rate] = []
    doubts: list[str] = []
    reaching: list[Rule] = []  # rules from above that hold below
    exempt_below = 0
    is_specific = False
    for jurisdiction in jurisdictions:
        rows = _best(book.rates.get(jurisdiction, ()), category, on, sourcing)
        rules = [
            rule
            for rule in book.rules.get(jurisdiction, ())
            if rule.is_in_force(on) and depth(rule.category, category) > 0
        ]
        foreign = [rule for rule in rules if currency and rule.currency not in ("", currency)]
        doubts += [
            f"{rule.jurisdiction} {_said(rule)} {rule.currency} was left out of a sale in {currency}"
            for rule in foreign
        ]
        rules = [rule for rule in rules if rule not in foreign]
        here = reaching + [rule for rule in rules if rule.scope != "below"]
        is_specific |= bool(here)
        below = exempt_below
        for row, exactness in rows:
            if exactness < below:
                continue
            is_specific |= exactness > 0
            found.append(row)
            thresholds = tuple(_threshold(rule) for rule in here if rule.tax in ("", row.tax))
            taxes.append(_tax(row, thresholds, here))
            doubts += _doubts(row, here)
            if row.scope == "all" and exactness > 0:
                exempt_below = max(exempt_below, exactness)
        reaching += [rule for rule in rules if rule.scope != "own"]
    return Applicable(tuple(taxes), _treatment(found), is_specific, tuple(dict.fromkeys(doubts)))


def _best(rows: Iterable[Rate], category: str, on: date, sourcing: str) -> list[tuple[Rate, int]]:
    """For each tax the row that names the category best; of equals the one that came into force last."""
    best: dict[str, tuple[int, date, Rate]] = {}
    for row in rows:
        exactness = depth(row.category, category)
        if exactness < 0 or row.sourcing not in ("any", sourcing) or not row.is_in_force(on):
            continue
        rank = (exactness, row.starts or date.min, row)
        if row.tax not in best or rank[:2] > best[row.tax][:2]:
            best[row.tax] = rank
    return [(row, exactness) for exactness, _, row in best.values()]


def _tax(row: Rate, thresholds: tuple[Threshold, ...], rules: Sequence[Rule]) -> Tax:
    named = [f"{row.jurisdiction} {row.category} {row.treatment}"]
    sources = [row.source]
    for rule in rules:
        if rule.tax in ("", row.tax):
            named.append(rule.holiday or _said(rule))
            sources.append(rule.source)
    return Tax(
        name=row.tax, rate=row.rate, jurisdiction=row.jurisdiction, thresholds=thresholds,
        rule="; ".join(named), source="; ".join(dict.fromkeys(s for s in sources if s)),
    )  # fmt: skip


def _said(rule: Rule) -> str:
    limits = [rate_text(limit) for limit in (rule.lower or None, rule.upper) if limit is not None]
    return " ".join([rule.semantic, *limits])


def _threshold(rule: Rule) -> Threshold:
    return Threshold(
        rule.semantic, rule.lower, rule.upper, rule.rate, rule.delivery_counts, is_holiday=bool(rule.holiday)
    )  # fmt: skip


def _doubts(row: Rate, rules: Sequence[Rule]) -> list[str]:
    """A sentence for each fact that cannot be relied on."""
    facts: tuple[Rate | Rule, ...] = (row, *rules)
    uncertain = [fact for fact in facts if fact.confidence not in _TRUSTED]
    return [
        f"{fact.jurisdiction} {fact.category}: " + (fact.note or f"this fact has not been verified ({fact.source})")
        for fact in uncertain
    ]


def _treatment(rows: Sequence[Rate]) -> str:
    """Why a category bears no tax, or that it bears one."""
    if any(row.rate for row in rows):
        return "taxable"
    if not rows:
        return "out_of_scope"
    return "zero" if any(row.treatment == "zero" for row in rows) else "exempt"


def combined_rate(found: Applicable) -> Decimal:
    """The rates of all percentages together, in percent; thresholds left aside."""
    return sum((tax.rate for tax in found.taxes if tax.kind == "percent"), Decimal(0))
