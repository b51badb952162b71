"""Closing the books up to a day and opening them again: what is not ready is shown first, and every change says who and why."""

from datetime import UTC, date, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger import periods, readiness
from ledger.admin import by_hand, going_live
from ledger.models import PeriodChange
from salessync.core.forms import DayInput
from salessync.core.models import Company
from salessync.core.problems import Refused
from salessync.core.screens import ReadOnlyAdmin, actor, money

HISTORY = 200
PERMISSION = "ledger.change_periodchange"
AHEAD = timedelta(hours=14)  # the first zone in which a day begins


class ThroughForm(forms.Form):
    """The last day to close."""

    through = forms.DateField(label="Close through", widget=DayInput)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company

    def clean_through(self) -> date:
        through, closed = self.cleaned_data["through"], self.company.closed_through
        if through > (timezone.now().astimezone(UTC) + AHEAD).date():
            raise forms.ValidationError(f"{through} has not begun anywhere yet")
        if closed and through <= closed:
            raise forms.ValidationError(f"the books are closed through {closed} already")
        return through


class ReasonForm(forms.Form):
    """Why; kept for the auditor."""

    reason = forms.CharField(max_length=1000, widget=UnfoldAdminTextInputWidget)


class ReopenForm(ReasonForm):
    """The last day that stays closed; none: every day is open."""

    after = forms.DateField(required=False, label="Open the days after", widget=DayInput)
    field_order = ("after", "reason")


@admin.register(PeriodChange)
class PeriodChangeAdmin(ReadOnlyAdmin):
    """One page for each company: how far it is closed, and every change. What people enter by hand is beside it."""

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        views = (("close", self.close_view), ("reopen", self.reopen_view))
        return [
            *(
                path(f"{name}/", site.admin_view(require_POST(view)), name=f"ledger_periodchange_{name}")
                for name, view in views
            ),
            *by_hand.urls(site),
            *going_live.urls(site),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        companies = list(Company.objects.order_by("slug"))
        company = _named(companies, request.GET.get("company", ""))
        context = {**self.admin_site.each_context(request), "title": "Periods",
                   "companies": companies, "company": company}  # fmt: skip
        if company is not None:
            context |= self._page(request, company)
        return TemplateResponse(request, "admin/ledger/periodchange/periods.html", context)

    def _page(self, request: HttpRequest, company: Company) -> dict[str, Any]:
        may = request.user.has_perm(PERMISSION)
        asked = "through" in request.GET
        proposed = _month_before(timezone.now().date())
        form = ThroughForm(request.GET if asked else None, company=company, initial={"through": proposed.isoformat()})
        through = form.cleaned_data["through"] if asked and form.is_valid() else None
        return {
            "may": may,
            "form": form,
            "through": through,
            "is_over": through is not None and through < timezone.now().date(),
            **(_found(company, through) if through else {}),
            "old_days": readiness.OLD_DAYS,
            "reason": ReasonForm(),
            "reopen": ReopenForm(auto_id="reopen_%s", initial={"after": _before(company)}),
            "history": PeriodChange.objects.filter(company=company).order_by("-pk")[:HISTORY],
            "first_open": company.closed_through + timedelta(days=1) if company.closed_through else None,
        }

    def close_view(self, request: HttpRequest) -> HttpResponse:
        company = _changing(request)
        through, why = ThroughForm(request.POST, company=company), ReasonForm(request.POST)
        if not through.is_valid() or not why.is_valid():
            _tell(request, through, why)
            return redirect(_page_of(company, through=request.POST.get("through", "")))
        day = through.cleaned_data["through"]
        try:
            periods.close(company=company, through=day, actor=actor(request), reason=why.cleaned_data["reason"])
        except Refused as refused:
            messages.error(request, "; ".join(p.message for p in refused.problems))
        else:
            messages.success(request, f"{company} is closed through {day}: what comes late is booked on {day + timedelta(days=1)} or later.")  # fmt: skip
        return redirect(_page_of(company))

    def reopen_view(self, request: HttpRequest) -> HttpResponse:
        company, form = _changing(request), ReopenForm(request.POST)
        if not form.is_valid():
            _tell(request, form)
            return redirect(_page_of(company))
        after, reason = form.cleaned_data["after"], form.cleaned_data["reason"]
        try:
            periods.reopen(company=company, through=after, actor=actor(request), reason=reason)
        except Refused as refused:
            messages.error(request, "; ".join(p.message for p in refused.problems))
        else:
            messages.success(request, f"{company}: {f'the days after {after} are' if after else 'every day is'} open again. What was booked later for them stays where it is.")  # fmt: skip
        return redirect(_page_of(company))


def _found(company: Company, through: date) -> dict[str, Any]:
    """What is not ready, open items as people read them."""
    found = readiness.of(company, through)
    report = reverse("admin:ledger_report", args=["open-items"])
    url = f"{report}?{urlencode({'company': company.slug, 'last': through.isoformat()})}"
    old = [(s.account, s.items, money(s.amount, s.currency), s.oldest) for s in found.old_items]
    return {"found": found, "old_items": old, "items_url": url}


def _changing(request: HttpRequest) -> Company:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    company = Company.objects.filter(slug=request.POST.get("company", "").replace("\x00", "")).first()
    if company is None:
        raise PermissionDenied
    return company


def _named(companies: list[Company], slug: str) -> Company | None:
    """The company of that slug, or the only one."""
    found = {company.slug: company for company in companies}
    return companies[0] if len(companies) == 1 else found.get(slug)


def _page_of(company: Company, **more: str) -> str:
    return f"{reverse('admin:ledger_periodchange_changelist')}?{urlencode({'company': company.slug} | more)}"


def _tell(request: HttpRequest, *forms_: forms.Form) -> None:
    for form in forms_:
        for name, errors in form.errors.items():
            label = form.fields[name].label or name
            messages.error(request, f"{str(label).capitalize()}: {' '.join(errors)}")


def _before(company: Company) -> str:
    """What is proposed to stay closed: all but the last closed month. An empty field would open every day."""
    return _month_before(company.closed_through).isoformat() if company.closed_through else ""


def _month_before(today: date) -> date:
    """The last day of the month before."""
    return today.replace(day=1) - timedelta(days=1)
