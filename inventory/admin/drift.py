"""Listings that show another level than we thought: taken over as an adjustment, or set to ours; what moves is shown first."""

import time
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.core.exceptions import PermissionDenied
from django.db.models import Case, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display

from inventory import drift
from inventory.admin import cells
from inventory.models import Component, ListingLevel, StockDrift
from salessync.core.problems import Refused
from salessync.core.screens import PageAdmin, actor, between, link, quantity

PERMISSION = "inventory.change_stockdrift"
STATE_COLOURS = {"open": "danger", "adopted": "info", "overwritten": "info", "gone": "success"}
CAUSE_COLOURS = {"unsynced_sale": "info", "manual_edit": "warning", "lost_push": "warning", "unknown": "danger"}
AT_ONCE = 20
SECONDS = 20.0  # for all of them together


class AgeFilter(DropdownFilter):
    """How long it has been so."""

    title = "age"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "more than an hour"), ("24", "more than a day"), ("168", "more than a week")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StockDrift]) -> QuerySet[StockDrift]:
        value = self.value() or ""
        if value not in dict(self.lookup_choices):
            return queryset
        return queryset.filter(found_at__lt=timezone.now() - timedelta(hours=int(value)))


@admin.register(StockDrift)
class StockDriftAdmin(PageAdmin):
    """Open ones first, the newest on top."""

    list_display = (
        "label",
        "channel",
        "product",
        "units_expected",
        "units_found",
        "cause_label",
        "message",
        "state_label",
        "age",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("cause", ChoicesDropdownFilter),
        cells.ListingChannelFilter,
        AgeFilter,
    )
    list_select_related = ("listing__channel", "listing__product")
    search_fields = ("=listing__item_id", "=listing__product__sku")
    search_help_text = "the channel's item, or SKU, exactly"
    ordering = (Case(When(state="open", then=0), default=1), "-id")
    actions = ("adopt_selected", "overwrite_selected")

    def has_settle_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        view = require_POST(self.settle_view)
        return [
            path(f"{how}/", self.admin_site.admin_view(view), {"how": how}, name=f"inventory_stockdrift_{how}")
            for how in ("adopt", "overwrite")
        ] + super().get_urls()

    # --- settling

    @action(description="Take over as adjustments…", permissions=["settle"])
    def adopt_selected(self, request: HttpRequest, queryset: QuerySet[StockDrift]) -> HttpResponse:
        return self._confirm(request, queryset, "adopt")

    @action(description="Set to our levels…", permissions=["settle"])
    def overwrite_selected(self, request: HttpRequest, queryset: QuerySet[StockDrift]) -> HttpResponse:
        return self._confirm(request, queryset, "overwrite")

    def settle_view(self, request: HttpRequest, how: str) -> HttpResponse:
        """Those that still are as they were shown. In no transaction: each channel is asked once more."""
        if not self.has_settle_permission(request):
            raise PermissionDenied
        seen, give_up, done = request.POST.getlist("seen"), time.monotonic() + SECONDS, 0
        rows = StockDrift.objects.select_related("listing__channel", "listing__product").order_by("pk")
        for row in rows.filter(pk__in=[int(key) for key in map(_key, seen) if key])[:AT_ONCE]:
            if _seen(row) not in seen or row.state != StockDrift.State.OPEN:
                messages.warning(request, f"{row.listing}: it is no longer as shown, look at it again.")
            elif time.monotonic() > give_up:
                messages.warning(request, f"{row.listing}: the channels took too long, do it once more.")
            else:
                done += _settled(request, row, how)
        if done:
            what = "taken over" if how == "adopt" else "set to our level"
            messages.success(request, f"{done} listing{'' if done == 1 else 's'} {what}.")
        return redirect("admin:inventory_stockdrift_changelist")

    def _confirm(self, request: HttpRequest, queryset: QuerySet[StockDrift], how: str) -> HttpResponse:
        """What would move."""
        rows = queryset.filter(state=StockDrift.State.OPEN).select_related("listing__channel", "listing__product")
        chosen = list(rows.order_by("pk")[: AT_ONCE + 1])
        shown = chosen[:AT_ONCE]
        wanted = _wanted(shown)
        context = {
            **self.admin_site.each_context(request),
            "title": "Take over as adjustments" if how == "adopt" else "Set to our levels",
            "opts": self.model._meta,
            "how": how,
            "rows": [(row, _seen(row), quantity(row.expected), quantity(row.found), consequence(row, how, wanted)) for row in shown],
            "count": len(shown),
            "more": len(chosen) > AT_ONCE,
            "url": reverse(f"admin:inventory_stockdrift_{how}"),
            "back": reverse("admin:inventory_stockdrift_changelist"),
        }  # fmt: skip
        return TemplateResponse(request, "admin/inventory/stockdrift/confirm.html", context)

    # --- what the pages show

    def page(self, request: HttpRequest, obj: StockDrift) -> dict[str, Any]:
        wanted = _wanted([obj])
        is_open = obj.state == StockDrift.State.OPEN
        level = ListingLevel.objects.filter(listing=obj.listing_id, remote_id=obj.remote_id).first()
        return {
            "drift": obj,
            "colour": STATE_COLOURS[obj.state],
            "cause_colour": CAUSE_COLOURS[obj.cause],
            "listing": link("inventory_listing", obj.listing_id, obj.listing.item_id),
            "product": cells.product_link(obj.listing.product),
            "expected": quantity(obj.expected),
            "found": quantity(obj.found),
            "difference": cells.change(obj.found - obj.expected),
            "wanted": cells.units(level.wanted) if level else "",
            "age": between(obj.found_at, obj.closed_at or timezone.now()),
            "is_open": is_open,
            "adopted": consequence(obj, "adopt", wanted),
            "overwritten": consequence(obj, "overwrite", wanted),
            "may_settle": is_open and self.has_settle_permission(request),
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
        }

    def get_queryset(self, request: HttpRequest) -> QuerySet[StockDrift]:
        return super().get_queryset(request).select_related("listing__channel", "listing__product")

    @admin.display(description="item")
    def label(self, row: StockDrift) -> str:
        return row.listing.item_id

    @admin.display(description="channel")
    def channel(self, row: StockDrift) -> str:
        return f"{row.listing.channel.slug}{f', {row.remote_id}' if row.remote_id else ''}"

    @admin.display(description="product")
    def product(self, row: StockDrift) -> str:
        return cells.product_link(row.listing.product)

    @admin.display(description="expected")
    def units_expected(self, row: StockDrift) -> str:
        return quantity(row.expected)

    @admin.display(description="found")
    def units_found(self, row: StockDrift) -> str:
        return quantity(row.found)

    @display(description="why", label=CAUSE_COLOURS)
    def cause_label(self, row: StockDrift) -> tuple[str, str]:
        return row.cause, row.get_cause_display()

    @display(description="state", label=STATE_COLOURS)
    def state_label(self, row: StockDrift) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @admin.display(description="for")
    def age(self, row: StockDrift) -> str:
        return between(row.found_at, row.closed_at or timezone.now())


def _settled(request: HttpRequest, row: StockDrift, how: str) -> bool:
    """Whether it was; the person is told why not."""
    settle = drift.adopt if how == "adopt" else drift.overwrite
    try:
        settle(row, actor=actor(request), now=timezone.now())
    except Refused as refused:
        messages.error(request, f"{row.listing}: {'; '.join(problem.message for problem in refused.problems)}.")
        return False
    if row.state == StockDrift.State.GONE:
        messages.info(request, f"{row.listing}: it shows what it should by now, nothing was moved.")
    return row.state in (StockDrift.State.ADOPTED, StockDrift.State.OVERWRITTEN)


def _key(seen: str) -> str:
    """The row's number in what was confirmed; empty: it is none."""
    key = seen.partition(" ")[0]
    return key if key.isascii() and key.isdigit() and len(key) < 19 else ""


def _seen(row: StockDrift) -> str:
    """What a person confirmed."""
    return f"{row.pk} {quantity(row.expected)} {quantity(row.found)}"


def _wanted(rows: Iterable[StockDrift]) -> dict[tuple[int, str], ListingLevel]:
    """What these listings should show."""
    found = ListingLevel.objects.filter(listing__in=[row.listing_id for row in rows])
    return {(row.listing_id, row.remote_id): row for row in found}


def consequence(row: StockDrift, how: str, wanted: dict[tuple[int, str], ListingLevel]) -> str:
    """What is moved, or told, in words."""
    units, product = row.found - row.expected, row.listing.product
    if how == "overwrite":
        level = wanted.get((row.listing_id, row.remote_id))
        ours = quantity(max(level.wanted, Decimal(0))) if level else "our level"
        return f"{row.listing.channel} is told {ours} in place of {quantity(row.found)}; no stock moves"
    if Component.objects.filter(bundle=product).exists():
        return "cannot be: a bundle has no stock of its own"
    return f"{cells.change(units)} of {product.sku}"
