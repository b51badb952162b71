"""How near sales come to the thresholds of states, from which on a seller must register there."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from salessync.core.models import Company
from salessync.core.screens import ReadOnlyAdmin, moment, money, note
from tax.admin import days
from tax.admin.of_company import COMPANY
from tax.models import NexusWatch
from tax.seller import nexus, nexus_watch

PERMISSION = "tax.change_nexuswatch"
STATE_COLOURS = {"far": "", "near": "warning", "passed": "danger", "registered": "success"}


@admin.register(NexusWatch)
class NexusWatchAdmin(ReadOnlyAdmin):
    """The nearest first. Counted each night, and when somebody asks for it."""

    list_display = (
        "jurisdiction",
        "state_label",
        "bar",
        "sold",
        "transactions",
        "period",
        "passed",
    )
    list_filter = (("state", ChoicesDropdownFilter), COMPANY)
    list_select_related = ("company",)
    list_before_template = "admin/tax/nexuswatch/count.html"
    search_fields = ("jurisdiction",)
    ordering = ("-share", "jurisdiction")
    fields = ("company", "jurisdiction", "state", "bar", "sold", "transactions", "period", "passed", "counted")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.count_view))
        return [path("count/", view, name="tax_nexuswatch_count"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = {"may_count": request.user.has_perm(PERMISSION)}
        return super().changelist_view(request, may | (extra_context or {}))

    def count_view(self, request: HttpRequest) -> HttpResponse:
        """Every company's."""
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        for company in Company.objects.order_by("pk"):
            nexus_watch.count(company)
            note(request, "counted", company, "nexus")
        messages.success(request, "Counted: this is how it stands now.")
        return redirect("admin:tax_nexuswatch_changelist")

    @display(description="state", label=STATE_COLOURS)
    def state_label(self, watch: NexusWatch) -> tuple[str, str]:
        return watch.state, watch.get_state_display()

    @admin.display(description="of the threshold")
    def bar(self, watch: NexusWatch) -> SafeString:
        colour = "#dc2626" if watch.share >= 1 else "#f59e0b" if watch.state == NexusWatch.State.NEAR else "#3b82f6"
        return format_html(
            '<div style="min-width: 130px"><div class="bg-base-100 dark:bg-base-800" style="height: 8px; border-radius: 4px; overflow: hidden">'
            '<div style="height: 8px; width: {}%; background: {}"></div></div>{} %</div>',
            max(0, min(100, int(watch.share * 100))), colour, f"{watch.share * 100:,.1f}",
        )  # fmt: skip

    @admin.display(description="sales")
    def sold(self, watch: NexusWatch) -> str:
        asked = nexus.thresholds(timezone.now().date()).get(watch.jurisdiction)
        sold = money(watch.sales, watch.currency)
        return (
            format_html("{} of {}", days.unbroken(sold), days.unbroken(money(asked.sales, asked.currency)))
            if asked
            else sold
        )

    @admin.display(description="passed on")
    def passed(self, watch: NexusWatch) -> str:
        return days.unbroken(watch.passed_on)

    @admin.display(description="counted (UTC)")
    def counted(self, watch: NexusWatch) -> str:
        return moment(watch.counted_at)
