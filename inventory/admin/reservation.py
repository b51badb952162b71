"""Units held for carts and tills: what holds them until when, and letting them go."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display

from channels.admin.sales import with_sales
from channels.models import Transaction
from inventory import reservations
from inventory.admin import cells
from inventory.models import Movement, Reservation, ReservationLine
from inventory.reservations import OPEN
from salessync.core import audit
from salessync.core.screens import PageAdmin, actor, link, moment, quantity, span

PERMISSION = "inventory.change_reservation"
STATE_COLOURS = {"held": "success", "partial": "warning", "committed": "info", "released": "", "expired": ""}
LINES = 500


class ExpiryFilter(DropdownFilter):
    """Of those that hold something: how long they still do."""

    title = "expiry"
    parameter_name = "expiry"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open"), ("hour", "within an hour"), ("over", "over, and not let go yet")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reservation]) -> QuerySet[Reservation]:
        if self.value() not in dict(self.lookup_choices):
            return queryset
        now, rows = timezone.now(), queryset.filter(state__in=OPEN)
        if self.value() == "over":
            return rows.filter(expires_at__lte=now)
        return rows.filter(expires_at__lte=now + timedelta(hours=1)) if self.value() == "hour" else rows


@admin.register(Reservation)
class ReservationAdmin(PageAdmin):
    """The newest first. They end by themselves: with their sale, or when their time is over."""

    list_display = ("label", "channel", "state_label", "units_held", "ends", "created", "sale")
    list_filter = (("state", ChoicesDropdownFilter), ExpiryFilter, cells.ChannelFilter)
    list_select_related = ("channel",)
    search_fields = ("=reference",)
    search_help_text = "the reference, exactly"
    ordering = ("-id",)

    def has_release_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.release_view))
        return [path("<int:pk>/release/", view, name="inventory_reservation_release"), *super().get_urls()]

    def release_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let its units go, before its time is over."""
        if not self.has_release_permission(request):
            raise PermissionDenied
        found = get_object_or_404(Reservation, pk=pk)
        if _release(found, actor(request), timezone.now()):
            messages.success(request, "Released: its units can be sold again.")
        else:
            found.refresh_from_db()
            messages.error(request, f"Nothing was changed: it is over already ({found.get_state_display().lower()}).")
        return redirect("admin:inventory_reservation_change", pk)

    def page(self, request: HttpRequest, obj: Reservation) -> dict[str, Any]:
        lines = list(
            ReservationLine.objects.filter(reservation=obj).select_related("product").order_by("position")[:LINES]
        )
        moved = list(
            Movement.objects.filter(reservation_id=obj.pk).select_related("product").order_by("id")[: 2 * LINES]
        )
        is_open = obj.state in OPEN
        with_sales([obj])
        return {
            "reservation": obj,
            "colour": STATE_COLOURS[obj.state],
            "ends": _ends(obj, timezone.now()),
            "is_open": is_open,
            "sale": cells.sale_link(obj),
            "lines": [
                (cells.product_link(x.product), x.sku, x.location or "a bundle, held by its parts", quantity(x.quantity),
                 cells.units(x.held) if x.location else "", bool(x.location) and x.held < x.quantity)
                for x in lines
            ],
            "movements": [(moment(m.created_at), cells.product_link(m.product), m.location, cells.change(m.reserved)) for m in moved],
            "may_release": is_open and self.has_release_permission(request),
        }  # fmt: skip

    def enrich(self, rows: list[Reservation]) -> None:
        held = ReservationLine.objects.filter(reservation__in=[row.pk for row in rows]).values_list("reservation_id")
        sums = dict(held.annotate(n=Sum("held")).values_list("reservation_id", "n"))
        sales = Transaction.objects.in_bulk([row.transaction_id for row in rows if row.transaction_id])
        for row in rows:
            row.units, row.sold = sums.get(row.pk), sales.get(row.transaction_id)

    @admin.display(description="reference")
    def label(self, row: Reservation) -> str:
        return str(row)

    @display(description="state", label=STATE_COLOURS)
    def state_label(self, row: Reservation) -> tuple[str, str]:
        return row.state, row.get_state_display()

    @admin.display(description="units held")
    def units_held(self, row: Reservation) -> str:
        return "" if row.units is None or row.state not in OPEN else quantity(row.units)

    @admin.display(description="ends")
    def ends(self, row: Reservation) -> str:
        return _ends(row, timezone.now())

    @admin.display(description="made (UTC)")
    def created(self, row: Reservation) -> str:
        return cells.instant(row.created_at)

    @admin.display(description="sale")
    def sale(self, row: Reservation) -> str:
        return link("channels_transaction", row.sold.pk, row.sold) if row.sold else ""


def _ends(row: Reservation, now: datetime) -> str:
    if row.state not in OPEN:
        return ""
    left = (row.expires_at - now).total_seconds()
    return f"in {span(left)}" if left > 0 else f"over since {span(-left)}"


def _release(row: Reservation, actor: str, now: datetime) -> bool:
    """Whether this did it, with an audit row."""
    with transaction.atomic():
        was_open = Reservation.objects.select_for_update().filter(pk=row.pk, state__in=OPEN).exists()
        if was_open:
            reservations.release(company_id=row.company_id, id=row.public_id, now=now)
            audit.record([(row.company_id, actor, "released", "reservation", row.pk, {"reference": row.reference})])
    return was_open
