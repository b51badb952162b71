"""Sales and refunds whose tax is not what it should be: looked at side by side, and accepted as charged or left open."""

from collections import Counter
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from salessync.core.money import MINOR_DIGITS
from salessync.core.screens import PageAdmin, actor, between, money
from tax.admin import days, side_by_side
from tax.admin.assessment import (
    ChannelFilter,
    PlaceFilter,
    VerdictFilter,
    channel_name,
    sale_link,
    sale_name,
    with_sales,
)
from tax.admin.verdicts import COLOURS, VERDICTS, verdict
from tax.assessment import differences
from tax.assessment.assessed import AGREES
from tax.models import Assessment, TaxDifference

PERMISSION = "tax.change_taxdifference"
STATE_COLOURS = {"open": "danger", "accepted": "info", "gone": "success"}
AT_ONCE = 1000
SHOWN = 50


class NoteForm(forms.Form):
    """Nothing is accepted without a reason."""

    note = forms.CharField(
        max_length=1000, label="Why it is accepted", widget=UnfoldAdminTextInputWidget, help_text="kept for the auditor"
    )


class DifferenceVerdictFilter(VerdictFilter):
    """Of those that make a difference."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, word.text) for code, word in VERDICTS.items() if code not in AGREES]


class SizeFilter(DropdownFilter):
    """However many digits the currency has."""

    title = "amount"
    parameter_name = "size"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(n, f"{n} or more, either way") for n in ("1", "10", "100", "1000")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaxDifference]) -> QuerySet[TaxDifference]:
        value = self.value() or ""
        return queryset.filter(_at_least(int(value))) if value in dict(self.lookup_choices) else queryset


class AgeFilter(DropdownFilter):
    """How long nobody has decided it."""

    title = "age"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("1", "more than a day"),
            ("7", "more than a week"),
            ("30", "more than 30 days"),
            ("90", "more than 90 days"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[TaxDifference]) -> QuerySet[TaxDifference]:
        value = self.value() or ""
        if value not in dict(self.lookup_choices):
            return queryset
        return queryset.filter(opened_at__lt=timezone.now() - timedelta(days=int(value)))


def _at_least(major: int) -> Q:
    """Rows whose amount is that much or more, in major units of their own currency."""
    parts = []
    for digits in set(MINOR_DIGITS.values()):
        currencies = [code for code, has in MINOR_DIGITS.items() if has == digits]
        least = major * 10**digits
        parts.append(Q(currency__in=currencies) & (Q(amount__gte=least) | Q(amount__lte=-least)))
    return reduce(or_, parts)


@admin.register(TaxDifference)
class TaxDifferenceAdmin(PageAdmin):
    """Open ones first, the newest on top; one closes by itself when a later version agrees."""

    list_display = (
        "label",
        "verdict_label",
        "amount_told",
        "where",
        "channel_label",
        "message",
        "state_label",
        "since",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        DifferenceVerdictFilter,
        ChannelFilter,
        PlaceFilter,
        SizeFilter,
        AgeFilter,
    )
    sortable_by = ("amount_told", "since")
    ordering = ("-state", "-id")  # open, gone, accepted
    actions = ("accept_selected",)

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        views = (("accept", self.accept_view), ("reopen", self.reopen_view))
        return [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(require_POST(view)), name=f"tax_taxdifference_{name}")
            for name, view in views
        ] + super().get_urls()

    # --- deciding

    def accept_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One, with a reason."""
        difference, form = self._deciding(request, pk), NoteForm(request.POST)
        if not form.is_valid():
            messages.error(request, f"It stays open: {' '.join(form.errors['note'])}")
        elif _decided(request, lambda: differences.accept(difference, actor(request), form.cleaned_data["note"])):
            messages.success(request, "Accepted as charged.")
        return redirect("admin:tax_taxdifference_change", pk)

    def reopen_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take the acceptance back."""
        difference = self._deciding(request, pk)
        if _decided(request, lambda: differences.reopen(difference, actor(request))):
            messages.success(request, "Open again.")
        return redirect("admin:tax_taxdifference_change", pk)

    def _deciding(self, request: HttpRequest, pk: int) -> TaxDifference:
        if not self.has_decide_permission(request):
            raise PermissionDenied
        return get_object_or_404(TaxDifference, pk=pk)

    @action(description="Accept as charged…", permissions=["decide"])
    def accept_selected(self, request: HttpRequest, queryset: QuerySet[TaxDifference]) -> HttpResponse | None:
        form = NoteForm(request.POST if "confirmed" in request.POST else None)
        chosen = list(queryset.filter(state=TaxDifference.State.OPEN).order_by("pk")[: AT_ONCE + 1])
        if not form.is_valid():
            return self._preview(request, chosen, form)
        count = sum(_accepted(one, actor(request), form.cleaned_data["note"]) for one in chosen[:AT_ONCE])
        messages.success(request, f"{count} difference{'' if count == 1 else 's'} accepted as charged.")
        return None

    def _preview(self, request: HttpRequest, chosen: list[TaxDifference], form: NoteForm) -> TemplateResponse:
        shown = chosen[:AT_ONCE]
        with_sales(shown[:SHOWN])
        sums: Counter[tuple[str, str]] = Counter()
        for one in shown:
            sums[one.verdict, one.currency] += one.amount
        counts = Counter((one.verdict, one.currency) for one in shown)
        context = {
            **self.admin_site.each_context(request),
            "title": "Accept as charged",
            "opts": self.model._meta,
            "form": form,
            "count": len(shown),
            "more": len(chosen) > AT_ONCE,
            "sums": [(verdict(code), counts[code, currency], money(amount, currency)) for (code, currency), amount in sorted(sums.items())],
            "rows": [(one, sale_link(one), verdict(one.verdict), money(one.amount, one.currency)) for one in shown[:SHOWN]],
            "hidden": len(shown) - SHOWN,
            "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
            "select_across": request.POST.get("select_across", "0"),
        }  # fmt: skip
        return TemplateResponse(request, "admin/tax/taxdifference/accept.html", context)

    # --- what the pages show

    def page(self, request: HttpRequest, obj: TaxDifference) -> dict[str, Any]:
        may = self.has_decide_permission(request)
        assessment = Assessment.objects.filter(pk=obj.assessment_id).first()
        return {
            "difference_row": obj,
            "amount": money(abs(obj.amount), obj.currency),
            "state_colour": STATE_COLOURS.get(obj.state, ""),
            "verdict_word": verdict(obj.verdict),
            "may_accept": may and obj.state == TaxDifference.State.OPEN,
            "may_reopen": may and obj.state == TaxDifference.State.ACCEPTED,
            "note_form": NoteForm(),
            **(side_by_side.of(assessment) if assessment else {}),
        }

    def enrich(self, rows: list[TaxDifference]) -> None:
        with_sales(rows)

    @admin.display(description="sale")
    def label(self, row: TaxDifference) -> str:
        return sale_name(row)

    @display(description="verdict", label=COLOURS)
    def verdict_label(self, row: TaxDifference) -> tuple[str, str]:
        return row.verdict, verdict(row.verdict).text

    @admin.display(description="charged less due", ordering="amount")
    def amount_told(self, row: TaxDifference) -> str:
        return days.unbroken(money(row.amount, row.currency))

    @admin.display(description="place")
    def where(self, row: TaxDifference) -> str:
        return side_by_side.where(row)

    @admin.display(description="channel")
    def channel_label(self, row: TaxDifference) -> str:
        return channel_name(row)

    @display(description="state", label=STATE_COLOURS)
    def state_label(self, row: TaxDifference) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @admin.display(description="since", ordering="-opened_at")
    def since(self, row: TaxDifference) -> str:
        return between(row.opened_at, row.closed_at or timezone.now())


def _decided(request: HttpRequest, decide: Any) -> bool:
    """Whether it was; the person is told why not."""
    try:
        decide()
    except differences.NotPossible as error:
        messages.error(request, f"Nothing was changed: {error}.")
        return False
    return True


def _accepted(difference: TaxDifference, who: str, note: str) -> bool:
    try:
        differences.accept(difference, who, note)
    except differences.NotPossible:  # somebody decided it meanwhile
        return False
    return True
