"""An assessment for people: what the channel charged beside what is due, line by line, with the rate of each tax and its source."""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec
from django.core.exceptions import ObjectDoesNotExist

from channels.models import Transaction
from salessync.core.json_lines import JsonLine, json_lines
from salessync.core.problems import Refused
from salessync.core.screens import money, quantity
from tax.admin.verdicts import Word, treatment, verdict
from tax.assessment import assessments
from tax.law.categories import categories
from tax.law.rules import depth
from tax.models import Assessment, BookVersion, RateFact

EARLIER = 20
BY = {
    "sku": "by its SKU", "category": "by the channel's category", "name": "by a word of its name", "channel": "as the channel says",
    "default": "nobody said what it is", "type": "by the kind of line",
}  # fmt: skip

# a record or ground that is gone, or lines of another form: nothing writes such, and its page still says the sums
_ODD = (
    ObjectDoesNotExist,
    Refused,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    AssertionError,
    msgspec.MsgspecError,
)


class Computed(msgspec.Struct):
    """One tax of ours; amounts in minor units."""

    name: str = ""
    jurisdiction: str = ""
    rate: str = ""
    base: int | None = None
    tax: int | None = None
    rule: str = ""
    source: str = ""


class Charged(msgspec.Struct):
    """One tax of the channel's."""

    name: str = ""
    jurisdiction: str | None = None
    rate: str | None = None
    amount: int | None = None


class AssessedLine(msgspec.Struct):
    """One line of the sale, as an assessment keeps it."""

    line: str = ""
    name: str = ""
    category: str = ""
    category_by: str = ""
    net: int | None = None
    computed: int | None = None
    charged: int | None = None
    treatment: str = ""
    taxes: list[Computed] = []
    charged_taxes: list[Charged] = []


class Side(NamedTuple):
    """One tax on one side of the page."""

    name: str
    jurisdiction: str
    rate: str
    amount: str
    base: str = ""
    rule: str = ""
    source: str = ""
    fact: RateFact | None = None


class Pair(NamedTuple):
    """The same tax on both sides, or one that only one of them has; which cells differ."""

    theirs: Side | None
    ours: Side | None
    rate_differs: bool
    amount_differs: bool


class LineShown(NamedTuple):
    """One line with its taxes."""

    title: str
    category: str
    by: str
    treatment: str
    net: str
    computed: str
    charged: str
    difference: str  # "": there is none
    pairs: list[Pair]


class Earlier(NamedTuple):
    """Another assessment of the same transaction."""

    assessment: Assessment
    word: Word
    charged: str
    computed: str
    difference: str


def of(assessment: Assessment) -> dict[str, Any]:
    """What the template shows."""
    lines, unreadable = _lines(assessment)
    facts = _Facts(assessment, lines)
    others = Assessment.objects.filter(transaction_id=assessment.transaction_id).exclude(pk=assessment.pk)
    return {
        "assessment": assessment,
        "sale": Transaction.objects.select_related("channel").filter(pk=assessment.transaction_id).first(),
        "word": verdict(assessment.verdict),
        "treatment": treatment(assessment.treatment),
        "where": where(assessment),
        "net": money(assessment.net, assessment.currency),
        "charged": money(assessment.charged, assessment.currency),
        "computed": money(assessment.computed, assessment.currency) or "not computed",
        "difference": difference(assessment),
        "implied": f"{quantity(assessment.implied_rate)} %" if assessment.implied_rate is not None else "",
        "lines": [_line(line, assessment.currency, facts) for line in lines],
        "unreadable": unreadable,
        "warnings": warnings(assessment.warnings),
        "book": facts.book,
        "others": [_earlier(other) for other in others.order_by("-pk")[:EARLIER]],
    }


def where(row: Any) -> str:
    """US-NY 10001 Albany, as far as it is known."""
    state = f"{row.country}-{row.region}" if row.country and row.region else row.country or row.region
    return f"{state} {getattr(row, 'place', '')}".strip()


def difference(assessment: Assessment) -> str:
    """Charged less computed."""
    if assessment.computed is None:
        return ""
    return money(assessment.charged - assessment.computed, assessment.currency)


def warnings(kept: Any) -> list[dict[str, str]]:
    """As salessync/problems.html shows them."""
    rows = kept if isinstance(kept, list) else []
    return [{k: str(row.get(k) or "") for k in ("code", "path", "message")} for row in rows if isinstance(row, dict)]


def _earlier(other: Assessment) -> Earlier:
    amounts = (money(amount, other.currency) for amount in (other.charged, other.computed))
    return Earlier(other, verdict(other.verdict), *amounts, difference(other))


def _lines(assessment: Assessment) -> tuple[list[AssessedLine], list[JsonLine]]:
    """Its lines, or what is stored as it is, where that is not as it should be."""
    if not assessment.lines:
        return [], []  # of a sale that was taken back nothing is kept
    try:
        return msgspec.convert(assessments.lines_of(assessment), list[AssessedLine]), []
    except _ODD:
        return [], json_lines(assessment.lines)


def _line(line: AssessedLine, currency: str, facts: "_Facts") -> LineShown:
    off = line.charged - line.computed if line.charged is not None and line.computed is not None else 0
    known = categories().get(line.category)
    return LineShown(
        line.name or line.line, known.label if known else line.category, BY.get(line.category_by, line.category_by),
        treatment(line.treatment), *(money(a, currency) for a in (line.net, line.computed, line.charged)),
        money(off, currency) if off else "", [_pair(theirs, ours, line, currency, facts) for theirs, ours in paired(line)],
    )  # fmt: skip


def paired(line: AssessedLine) -> list[tuple[Charged | None, Computed | None]]:
    """By jurisdiction, then by rate; where one is left on each side, these two."""
    left = list(line.charged_taxes)
    found: list[tuple[Charged | None, Computed | None]] = []
    alone: list[Computed] = []
    for ours in line.taxes:
        same = _same_place(ours, left) or _same_rate(ours, left)
        if same is None:
            alone.append(ours)
        else:
            left = [one for one in left if one is not same]
            found.append((same, ours))
    if len(left) == len(alone) == 1:
        return [*found, (left[0], alone[0])]
    return [*found, *((None, ours) for ours in alone), *((theirs, None) for theirs in left)]


def _same_place(ours: Computed, left: Sequence[Charged]) -> Charged | None:
    wanted = ours.jurisdiction.casefold()
    return next((one for one in left if wanted and (one.jurisdiction or "").casefold() == wanted), None)


def _same_rate(ours: Computed, left: Sequence[Charged]) -> Charged | None:
    wanted = _decimal(ours.rate)
    return next((one for one in left if wanted and not one.jurisdiction and _decimal(one.rate) == wanted), None)


def _pair(theirs: Charged | None, ours: Computed | None, line: AssessedLine, currency: str, facts: "_Facts") -> Pair:
    rates = (_decimal(theirs.rate) if theirs else None, _decimal(ours.rate) if ours else None)
    amounts = (theirs.amount if theirs else 0, ours.tax if ours else 0)
    return Pair(
        Side(theirs.name, theirs.jurisdiction or "", _percent(theirs.rate), money(theirs.amount, currency)) if theirs else None,
        Side(ours.name, ours.jurisdiction, _percent(ours.rate), money(ours.tax, currency), money(ours.base, currency),
             ours.rule, ours.source, facts.of(ours, line.category)) if ours else None,
        rate_differs=None not in rates and rates[0] != rates[1], amount_differs=(amounts[0] or 0) != (amounts[1] or 0),
    )  # fmt: skip


def _decimal(text: str | None) -> Decimal | None:
    try:
        found = Decimal(text) if text else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() and abs(found) < 10**6 else None


def _percent(text: str | None) -> str:
    number = _decimal(text)
    return f"{quantity(number)} %" if number is not None else text or ""


class _Facts:
    """The rows of rates that an assessment used: of its book's datasets, in force on its day."""

    def __init__(self, assessment: Assessment, lines: Iterable[AssessedLine]) -> None:
        self.book = BookVersion.objects.filter(pk=assessment.book_id).first() if assessment.book_id else None
        places = {tax.jurisdiction.replace("\x00", "") for line in lines for tax in line.taxes}
        rows = RateFact.objects.filter(
            dataset__in=self.book.datasets if self.book else [],
            jurisdiction__in=places,
            valid__contains=assessment.date,
        )
        standing = self.book.datasets if self.book else []  # the strongest first
        self._rows = sorted(rows.select_related("dataset"), key=lambda row: (-standing.index(row.dataset_id), row.pk))

    def of(self, tax: Computed, category: str) -> RateFact | None:
        """The one that names the category best; of equals that of the stronger dataset."""
        fits = [
            (depth(row.category, category), row.rate == _decimal(tax.rate), n)
            for n, row in enumerate(self._rows)
            if row.jurisdiction_id == tax.jurisdiction and row.tax == tax.name and depth(row.category, category) >= 0
        ]
        return self._rows[max(fits)[2]] if fits else None
