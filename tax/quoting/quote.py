"""`quote_tax` as a function: a request, parsed from JSON, to its answer. Pure: no database, no clock, no network."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from salessync.core.problems import Problem, Refused
from tax.engine.document import Delivery, DiscountTooLarge, Document, Line, LineResult, Result, compute
from tax.engine.formula import Tax, UnusableTaxes
from tax.law.places import Site
from tax.law.ratebook import RateBook
from tax.law.seed import seed
from tax.quoting.answer import as_answer, strongest
from tax.quoting.compare import Verdict, compare
from tax.quoting.request import Adjustment, Reduction, Request, RequestShipping, read
from tax.quoting.request_rules import applied, holds_for
from tax.quoting.resolution import Found, known_rates, resolve, rounding_of

# what a line without any tax is called where its category says so (EN 16931 and others name it there)
_TREATMENT_OF = {
    "reverse-charge": "reverse_charge", "exempt": "exempt", "zero": "zero", "export": "export_zero",
    "outside-scope": "out_of_scope", "gift-card": "out_of_scope",
}  # fmt: skip


class Quote(msgspec.Struct, frozen=True, gc=False):
    """A computed request: what the answer is written of.

    `line_treatments` stand beside `result.lines`: the request's lines, then its delivery, adjustments and charges. `site` is where it
    was taxed, None where every line names its taxes or no rate was needed; `is_local_missing`: below it are taxes that nobody loaded.
    """

    request: Request
    result: Result
    treatment: str
    verdict: Verdict | None
    warnings: tuple[Problem, ...]
    line_treatments: tuple[str, ...] = ()
    site: Site | None = None
    is_local_missing: bool = False


def answer(data: Any, book: RateBook | None = None) -> dict[str, Any]:
    """The JSON answer to a request; Refused with everything that is wrong with it."""
    done = quote(data, book or seed())
    return as_answer(
        done.result, digits=done.request.digits, treatment=done.treatment,
        verdict=done.verdict.code if done.verdict else None, warnings=done.warnings,
    )  # fmt: skip


def quote(data: Any, book: RateBook) -> Quote:
    """Read and compute a request; Refused with everything that is wrong with it."""
    return computed(read(data), book)


def computed(request: Request, book: RateBook, *, charged_lines: Sequence[Decimal | None] = ()) -> Quote:
    """Compute the request with what the book knows; Refused where that cannot be done.

    `charged_lines` is the channel's tax in major units of each of the request's lines, None where it does not say; the verdict uses it.
    """
    found = resolve(request, book) if request.is_resolved else None
    warnings = list(found.warnings) if found else []
    taxes = _line_taxes(request, found, warnings)
    plan = _Plan(request, found, taxes, warnings)
    discount = _funded(request)
    document = Document(
        tuple([
            Line(line.amount, line.quantity, line.discount, of) for line, of in zip(request.lines, taxes, strict=True)
        ]),
        rounding_of(request, found, book), tuple(plan.deliveries), tuple(plan.extras), discount.amount, discount.percent,
    )  # fmt: skip
    try:
        result = compute(document)
    except DiscountTooLarge as error:
        raise Refused(Problem("DISCOUNT_TOO_LARGE", "document_discount", str(error))) from None
    except UnusableTaxes as error:
        raise Refused(Problem("UNUSABLE_TAXES", "lines", str(error))) from None
    if len(plan.order) > 1:
        _reorder(result, len(request.lines), plan.order)
    by_line = _line_treatments(request, found, result)
    treatment = _treatment(request, found, result, by_line)
    verdict = _verdict(request, found, book, result, treatment, charged_lines)
    if verdict is not None and verdict.problem is not None:
        warnings.append(verdict.problem)
    return Quote(
        request, result, treatment, verdict, tuple(warnings), by_line,
        found.supply.site if found else None, _is_local_missing(found),
    )  # fmt: skip


def _line_taxes(request: Request, found: Found | None, warnings: list[Problem]) -> list[tuple[Tax, ...]]:
    """Each line's taxes, with the request's own rules on them."""
    taxes = [
        (found.taxes[n] if found else None) or () if line.taxes is None else line.taxes
        for n, line in enumerate(request.lines)
    ]
    if not request.rules:
        return taxes
    names = frozenset(tax.name for of in taxes for tax in of)
    for rule in request.rules:
        if rule.is_holiday and request.on is None:
            raise Refused(Problem("MISSING_DATE", "date", "the date is missing: it says whether a holiday applies"))
        if names and not holds_for(rule, names):
            warnings.append(Problem("RULE_WITHOUT_TAX", rule.path, f"no line bears a tax called {rule.tax!r}"))
        taxes = [
            applied(rule, of, line.category, request.on, names) for of, line in zip(taxes, request.lines, strict=True)
        ]
    return taxes


class _Plan:
    """Delivery, adjustments and charges as the engine takes them; `order` says at which place each stands in the answer."""

    def __init__(
        self, request: Request, found: Found | None, taxes: Sequence[tuple[Tax, ...]], warnings: list[Problem]
    ) -> None:
        self.taxes = taxes
        self.found = found
        self.warnings = warnings
        self.deliveries: list[Delivery] = []
        self.extras: list[Line] = []
        order = [self._ship(shipping) for shipping in request.shipping]
        order += [
            self._extra(Line(adjustment.amount, taxes=self._at_rate(adjustment)))
            for adjustment in (*request.adjustments, *request.charges)
        ]
        self.order = [n if is_delivery else len(self.deliveries) + n for is_delivery, n in order]

    def _extra(self, line: Line) -> tuple[bool, int]:
        self.extras.append(line)
        return False, len(self.extras) - 1

    def _ship(self, shipping: RequestShipping) -> tuple[bool, int]:
        rule = self.found.delivery_rule if self.found else ""
        if shipping.taxes is not None:
            return self._extra(Line(shipping.amount, taxes=shipping.taxes))
        if shipping.taxable is False:
            return self._extra(Line(shipping.amount))
        if shipping.taxable is None and rule not in ("follows_goods", "follows_rates", "always"):
            if not self.found:
                self._warn("whether delivery bears tax is not said: it was left untaxed", shipping)
            return self._extra(Line(shipping.amount))
        over = tuple(n for n, of in enumerate(self.taxes) if of)
        if rule != "follows_rates":
            over = tuple(n for n in over if any(tax.rate for tax in self.taxes[n])) or over
        bears_tax = any(tax.rate for n in over for tax in self.taxes[n])
        if self._standard() and not bears_tax and (rule == "always" or shipping.taxable):
            return self._extra(Line(shipping.amount, taxes=self._standard()))
        if not over and shipping.taxable and not self.found:
            self._warn("delivery is said to be taxable, and no line bears a tax that it could share", shipping)
        self.deliveries.append(Delivery(shipping.amount, over))
        return True, len(self.deliveries) - 1

    def _standard(self) -> tuple[Tax, ...]:
        return self.found.standard if self.found else ()

    def _warn(self, message: str, shipping: RequestShipping) -> None:
        self.warnings.append(Problem("DELIVERY_TAX_UNKNOWN", shipping.path.rstrip("."), message))

    def _at_rate(self, adjustment: Adjustment) -> tuple[Tax, ...]:
        """The document's own tax of that rate; adjustments are net, whatever the prices are."""
        if adjustment.rate is None:
            return ()
        every = [tax for of in self.taxes for tax in of]
        same = next((tax for tax in every if tax.rate == adjustment.rate and tax.kind == "percent"), None)
        tax = same or Tax(name=every[0].name if every else "tax", rate=adjustment.rate, rule="given", source="request")
        return (msgspec.structs.replace(tax, price_include=False, thresholds=()),)


def _funded(request: Request) -> Reduction:
    """The document discount as far as the seller bears it: what somebody else pays is a payment, and the base stays."""
    return request.discount if request.discount.funding == "seller" else Reduction()


def _reorder(result: Result, lines: int, order: Sequence[int]) -> None:
    others = result.lines[lines:]
    result.lines[lines:] = [others[n] for n in order]


def _line_treatments(request: Request, found: Found | None, result: Result) -> tuple[str, ...]:
    """One word for each line of the result; delivery and charges are treated as the sale is."""
    whole = found.supply.treatment if found else None
    given: Sequence[str | None] = found.treatments if found else (None,) * len(request.lines)
    of_lines = [
        _line_treatment(line, treatment, asked.category)
        for line, treatment, asked in zip(result.lines, given, request.lines, strict=False)
    ]
    return (*of_lines, *[_line_treatment(line, whole, "") for line in result.lines[len(of_lines) :]])


def _treatment(request: Request, found: Found | None, result: Result, by_line: Sequence[str]) -> str:
    """One word for the document: the strongest of its lines'."""
    seen = set(by_line[: len(request.lines)])
    decided = found.supply.treatment if found else None
    if request.collector == "marketplace" and decided in (None, "marketplace_collected") and seen != {"export_zero"}:
        return "marketplace_collected"
    if found is None and request.is_exempt and not result.tax:
        return "exempt"
    return strongest(seen)


def _line_treatment(line: LineResult, given: str | None, category: str) -> str:
    if given is not None and given != "taxable":
        return given
    if line.tax or (given and not line.gross):
        return "taxable"
    if not line.taxes:
        return _TREATMENT_OF.get(category.strip().casefold().replace("_", "-"), "exempt" if given is None else given)
    if any(taxed.base and taxed.rate for taxed in line.taxes):
        return "taxable"
    if any(threshold.is_holiday for taxed in line.taxes for threshold in taxed.tax.thresholds):
        return "tax_holiday"
    if any(taxed.rate for taxed in line.taxes):
        return "exempt" if line.net else "taxable"
    return _TREATMENT_OF.get(category.strip().casefold().replace("_", "-"), "zero")


def _is_local_missing(found: Found | None) -> bool:
    return found is not None and any(warning.code == "LOCAL_RATES_MISSING" for warning in found.warnings)


def _verdict(
    request: Request, found: Found | None, book: RateBook, result: Result, treatment: str,
    charged_lines: Sequence[Decimal | None],
) -> Verdict | None:  # fmt: skip
    charged = request.channel_tax
    if charged is None:
        return None
    is_off = charged != result.tax * result.step
    return compare(
        result, charged, treatment=treatment, is_resolved=found is not None and found.has_general_goods,
        is_local_missing=_is_local_missing(found), standard_rate=found.standard_rate if found else None,
        known=known_rates(request, found, book) if found and is_off else (),
        charged_lines=charged_lines,
    )  # fmt: skip
