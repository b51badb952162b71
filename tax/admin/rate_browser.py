"""Which rates hold here on this day: a place, a day and a category to jurisdictions, rates and rules, and what an amount would bear."""

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from django import forms
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from salessync.core.forms import DayInput
from salessync.core.money import MINOR_DIGITS
from salessync.core.problems import Problem, Refused
from salessync.core.screens import quantity
from tax.admin import days
from tax.admin.verdicts import treatment
from tax.law.categories import GOODS, categories
from tax.law.places import Place, Site, UnknownPlace, site_of
from tax.law.ratebook import Applicable, Fact, Rate, RateBook, Rule
from tax.law.rules import applicable, combined_rate, depth
from tax.models import Jurisdiction, RateFact
from tax.quoting import quote
from tax.rates import books

VIEW = "tax.view_ratefact"
PRICE_MODES = [("exclusive", "without tax"), ("inclusive", "with tax")]


class PlaceForm(forms.Form):
    """Where, when and what; and an amount, for whoever wants to try one."""

    country = forms.CharField(max_length=2, min_length=2, widget=UnfoldAdminTextInputWidget, help_text="US, DE, …")
    region = forms.CharField(
        max_length=100, required=False, label="State or province", widget=UnfoldAdminTextInputWidget
    )
    postcode = forms.CharField(
        max_length=20, required=False, widget=UnfoldAdminTextInputWidget, help_text="of the US: best ZIP+4"
    )
    city = forms.CharField(max_length=100, required=False, widget=UnfoldAdminTextInputWidget)
    on = forms.DateField(label="Day", widget=DayInput)
    category = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    amount = forms.DecimalField(
        required=False, max_digits=16, decimal_places=4, label="Try an amount", widget=UnfoldAdminTextInputWidget
    )
    price_mode = forms.ChoiceField(
        required=False, choices=PRICE_MODES, label="Which is", widget=UnfoldAdminSelectWidget
    )
    currency = forms.CharField(
        required=False,
        max_length=3,
        widget=UnfoldAdminTextInputWidget,
        help_text="where thresholds of the law have one",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["category"].choices = [(code, f"{one.label} ({code})") for code, one in categories().items()]

    def clean_country(self) -> str:
        return self.cleaned_data["country"].strip().upper()

    def clean_currency(self) -> str:
        code = self.cleaned_data["currency"].strip().upper()
        if code and code not in MINOR_DIGITS:
            raise forms.ValidationError("an ISO 4217 code, as USD")
        return code


class RateShown(NamedTuple):
    """A rate in force there. `applies`: it is the one that counts for the category; others are more general."""

    rate: Rate
    told: str
    days: str
    applies: bool
    fact: RateFact | None


class RuleShown(NamedTuple):
    """A threshold, a holiday or how delivery is taxed."""

    fact: Fact
    what: str
    days: str


class Here(NamedTuple):
    """One jurisdiction with what it says."""

    code: str
    name: str
    rates: list[RateShown]
    rules: list[RuleShown]


def urls(site: AdminSite) -> list[URLPattern]:
    """Named as the sidebar names a model's list."""
    return [path("here/", site.admin_view(lambda request: browse(site, request)), name="tax_ratebrowser_changelist")]


def browse(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """The form, and what was found."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    first = {"on": timezone.now().date().isoformat(), "category": GOODS, "price_mode": "exclusive"}
    form = PlaceForm(first | request.GET.dict() if request.GET else None, initial=first)
    context = {**site.each_context(request), "title": "Rates at a place", "form": form}
    if form.is_bound and form.is_valid():
        context |= look(form.cleaned_data)
    return TemplateResponse(request, "admin/tax/ratefact/here.html", context)


def look(asked: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of the book that is active now."""
    current = books.current()
    book: RateBook = current.book
    on: date = asked["on"]
    place = Place(asked["country"], asked["region"], asked["postcode"].upper(), asked["city"])
    found: dict[str, Any] = {"book_id": current.id, "version": book.version, "answer": _answer(asked, book)}
    try:
        where = site_of(place, book, on)
    except UnknownPlace as error:
        return found | {"problems": [error.problem]}
    taxes = applicable(book, where.jurisdictions, asked["category"], on, currency=asked["currency"])
    delivery = book.delivery_rule(where.jurisdictions, on)
    return found | {
        "where": _name(where),
        "combined": f"{quantity(combined_rate(taxes))} %",
        "treatment": treatment(taxes.treatment),
        "is_specific": taxes.is_specific,
        "here": _here(where.jurisdictions, asked["category"], on, book, taxes),
        "delivery": RuleShown(delivery, delivery.rule.replace("_", " "), days.between(delivery.starts, delivery.ends)) if delivery else None,
        "problems": [*where.warnings, *(Problem("RATE_UNCERTAIN", "category", doubt) for doubt in taxes.doubts)],
    }  # fmt: skip


def _name(site: Site) -> str:
    parts = [site.territory.name if site.territory else "", site.region.name if site.region else "", site.country.name]
    return ", ".join(part for part in parts if part)


def _here(jurisdictions: Iterable[str], category: str, on: date, book: RateBook, taxes: Applicable) -> list[Here]:
    codes = list(jurisdictions)
    names = dict(Jurisdiction.objects.filter(pk__in=codes).values_list("pk", "name"))
    rows = RateFact.objects.filter(jurisdiction__in=codes, valid__contains=on, is_active=True).select_related("dataset")
    stored = {(row.jurisdiction_id, row.tax, row.category, row.sourcing, row.rate): row for row in rows}
    used = {(tax.jurisdiction, tax.name, tax.rule.split("; ")[0]) for tax in taxes.taxes}
    return [
        Here(
            code, names.get(code, ""), _rates(code, category, on, book, stored, used), _rules(code, category, on, book)
        )
        for code in codes
    ]


def _rates(
    code: str, category: str, on: date, book: RateBook, stored: dict[Any, RateFact], used: set[Any]
) -> list[RateShown]:
    rows = [r for r in book.rates.get(code, ()) if r.is_in_force(on) and depth(r.category, category) >= 0]
    return [
        RateShown(
            row, f"{quantity(row.rate)} %", days.between(row.starts, row.ends),
            (row.jurisdiction, row.tax, f"{row.jurisdiction} {row.category} {row.treatment}") in used and row.sourcing != "inter",
            stored.get((row.jurisdiction, row.tax, row.category, row.sourcing, row.rate)),
        )
        for row in sorted(rows, key=lambda row: (row.tax, -depth(row.category, category)))
    ]  # fmt: skip


def _rules(code: str, category: str, on: date, book: RateBook) -> list[RuleShown]:
    rows = [r for r in book.rules.get(code, ()) if r.is_in_force(on) and depth(r.category, category) > 0]
    return [RuleShown(row, _said(row), days.between(row.starts, row.ends)) for row in rows]


def _said(rule: Rule) -> str:
    limits = [f"{quantity(n)} {rule.currency}".strip() for n in (rule.lower or None, rule.upper) if n is not None]
    rate = [f"at {quantity(rule.rate)} %"] if rule.rate is not None else []
    return " ".join(
        [*([f"{rule.holiday}:"] if rule.holiday else []), rule.semantic.replace("_", " "), " to ".join(limits), *rate]
    )


def _answer(asked: dict[str, Any], book: RateBook) -> dict[str, Any] | None:
    """What `quote_tax` says to the amount; None where none was given."""
    if asked["amount"] is None:
        return None
    request = {
        **{name: asked[name] for name in ("country", "region", "postcode", "city", "currency")}, "date": asked["on"].isoformat(),
        "price_mode": asked["price_mode"] or "exclusive", "lines": [{"amount": f"{asked['amount']:f}", "category": asked["category"]}],
    }  # fmt: skip
    try:
        return quote.answer(request, book)
    except Refused as refused:
        return {"refused": refused.problems}
