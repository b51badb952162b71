"""Sales that took more than there was: a work list for whoever speaks with the customer."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from channels.admin.sales import with_sales
from inventory import oversells
from inventory.admin import cells
from inventory.models import Oversell
from inventory.oversells import DECISIONS, UnableToDecide
from salessync.core.screens import PageAdmin, actor, between, quantity

PERMISSION = "inventory.change_oversell"
LABELS = dict(Oversell._meta.get_field("decision").choices)


class DecisionForm(forms.Form):
    """What is done for the customer; what is sent instead stands in the note."""

    decision = forms.ChoiceField(
        label="What is done for the customer",
        widget=UnfoldAdminSelectWidget,
        choices=[("", "---------"), *((code, f"{LABELS[code]}: {said}") for code, said in DECISIONS.items())],
        error_messages=dict.fromkeys(("required", "invalid_choice"), "choose what is done for the customer"),
    )
    note = forms.CharField(
        required=False,
        max_length=1000,
        widget=UnfoldAdminTextInputWidget,
        help_text="kept for the auditor; of a substitute: what they get",
    )


class WorkFilter(DropdownFilter):
    """What waits for a person, and what does not."""

    title = "state"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("todo", "to be decided"), ("yes", "open"), ("no", "resolved"), ("decided", "decided")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Oversell]) -> QuerySet[Oversell]:
        wanted: dict[str, dict[str, Any]] = {
            "todo": {"resolved_at": None, "decision": ""},
            "yes": {"resolved_at": None},
            "no": {"resolved_at__isnull": False},
        }
        if self.value() == "decided":
            return queryset.exclude(decision="")
        return queryset.filter(**wanted.get(self.value() or "", {}))


class DecisionFilter(DropdownFilter):
    """Which decision."""

    title = "decision"
    parameter_name = "decision"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(LABELS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Oversell]) -> QuerySet[Oversell]:
        return queryset.filter(decision=self.value()) if self.value() in LABELS else queryset


class LevelPlaceFilter(cells.PlaceFilter):
    """Where it was short."""

    column = "level__location"


@admin.register(Oversell)
class OversellAdmin(PageAdmin):
    """The newest first; resolved by themselves when the level is back at zero."""

    list_display = ("number", "product", "location", "units_short", "sale", "opened", "state", "decided")
    list_filter = (WorkFilter, DecisionFilter, LevelPlaceFilter)
    list_select_related = ("level__product",)
    search_fields = ("=level__product__sku",)
    search_help_text = "SKU, exactly"
    ordering = ("-id",)

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        views = (("decide", self.decide_view), ("reopen", self.reopen_view))
        return [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(require_POST(view)), name=f"inventory_oversell_{name}")
            for name, view in views
        ] + super().get_urls()

    # --- deciding

    def decide_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What is done for the customer."""
        oversell, form = self._deciding(request, pk), DecisionForm(request.POST)
        if not form.is_valid():
            said = "; ".join(error for errors in form.errors.values() for error in errors)
            messages.error(request, f"Nothing was changed: {said}.")
            return redirect("admin:inventory_oversell_change", pk)
        wish = form.cleaned_data
        try:
            oversells.decide(oversell, wish["decision"], actor(request), wish["note"])
        except UnableToDecide as error:
            messages.error(request, f"Nothing was changed: {error}.")
        else:
            messages.success(request, f"{LABELS[oversell.decision]}: {DECISIONS[oversell.decision]}.")
        return redirect("admin:inventory_oversell_change", pk)

    def reopen_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take the decision back that the page showed."""
        oversell = self._deciding(request, pk)
        try:
            if request.POST.get("seen") != _seen(oversell):
                raise UnableToDecide("somebody decided it meanwhile: look at it again")
            oversells.reopen(oversell, actor(request))
        except UnableToDecide as error:
            messages.error(request, f"Nothing was changed: {error}.")
        else:
            messages.success(request, "To be decided again.")
        return redirect("admin:inventory_oversell_change", pk)

    def _deciding(self, request: HttpRequest, pk: int) -> Oversell:
        if not self.has_decide_permission(request):
            raise PermissionDenied
        return get_object_or_404(Oversell, pk=pk)

    # --- what the pages show

    def page(self, request: HttpRequest, obj: Oversell) -> dict[str, Any]:
        with_sales([obj])
        may = self.has_decide_permission(request)
        others = Oversell.objects.filter(level=obj.level_id, resolved_at=None).exclude(pk=obj.pk)
        same_level = list(others.order_by("-pk")[:50])
        with_sales(same_level)
        return {
            "oversell": obj,
            "product": cells.product_link(obj.level.product),
            "short": quantity(obj.short),
            "now": (cells.units(obj.level.on_hand), quantity(obj.level.reserved), cells.units(obj.level.available)),
            "sale": cells.sale_link(obj),
            "is_open": obj.resolved_at is None,
            "waited": between(obj.opened_at, obj.resolved_at or timezone.now()),
            "decision_words": DECISIONS.get(obj.decision, ""),
            "seen": _seen(obj),
            "form": DecisionForm(),
            "may_decide": may and not obj.decision,
            "may_reopen": may and bool(obj.decision),
            "others": [(one, quantity(one.short), cells.sale_link(one)) for one in same_level],
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Oversell]:
        return super().get_queryset(request).select_related("level__product")

    def enrich(self, rows: list[Oversell]) -> None:
        with_sales(rows)

    @admin.display(description="no.")
    def number(self, oversell: Oversell) -> int:
        return oversell.pk

    @admin.display(description="product")
    def product(self, oversell: Oversell) -> str:
        return cells.product_link(oversell.level.product)

    @admin.display(description="location")
    def location(self, oversell: Oversell) -> str:
        return oversell.level.location

    @admin.display(description="short by")
    def units_short(self, oversell: Oversell) -> str:
        return quantity(oversell.short)

    @admin.display(description="sale")
    def sale(self, oversell: Oversell) -> str:
        return cells.sale_link(oversell)

    @admin.display(description="since (UTC)")
    def opened(self, oversell: Oversell) -> str:
        return cells.instant(oversell.opened_at)

    @display(description="state", label={"open": "danger", "resolved": "success"})
    def state(self, oversell: Oversell) -> tuple[str, str]:
        if oversell.resolved_at is None:
            return "open", "open"
        return "resolved", f"resolved after {between(oversell.opened_at, oversell.resolved_at)}"

    @display(description="for the customer", label={"": "warning", **dict.fromkeys(DECISIONS, "info")})
    def decided(self, oversell: Oversell) -> tuple[str, str] | None:
        if oversell.decision:
            return oversell.decision, LABELS[oversell.decision]
        return ("", "to be decided") if oversell.resolved_at is None else None


def _seen(oversell: Oversell) -> str:
    """Which decision the page shows."""
    return oversell.decided_at.isoformat() if oversell.decided_at else ""
