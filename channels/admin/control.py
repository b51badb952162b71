"""Each day of each channel beside its vendor's own lists: where there is a gap, which ids it is made of, and whether they came."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from channels import completeness
from channels.admin.deciding import PERMISSION
from channels.models import Channel, ControlDay, ControlTotal, Transaction
from salessync.core import nudge
from salessync.core.screens import PageAdmin, link, moment, money

COLOURS = {"due": "info", "open": "danger", "closed": "success", "failed": "warning"}
AT_ONCE = 1000
SHOWN = 500  # ids of one kind on a page; the command prints them all
KINDS = (
    ("missing", "Missing", "the vendor has them and we had not; they were put into the inbox"),
    ("differing", "Changed at the vendor", "its newer state says otherwise; it was put into the inbox"),
    ("in_inbox", "In the inbox", "due, in quarantine, or set aside with a reason"),
    ("extra", "Only here", "the vendor did not list them: deleted there, or made or closed on another day"),
    ("recovered", "Recovered", "they were missing or changed, and are here now"),
)


class Ids(NamedTuple):
    """The ids of one kind, each linked to its transaction where there is one."""

    title: str
    remark: str
    count: int
    links: list[SafeString | str]
    more: int


@admin.register(ControlDay)
class ControlDayAdmin(PageAdmin):
    """The newest day first."""

    list_display = ("date", "channel", "status", "vendor", "ours", "difference", "compared")
    list_display_links = ("date",)
    list_filter = (
        ("channel", RelatedDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("day", RangeDateFilter),
    )
    list_select_related = ("channel",)
    list_before_template = "salessync/control_without.html"
    ordering = ("-day", "channel")
    actions = ("check_selected",)

    def has_check_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.check_view))
        return [path("<int:pk>/check/", view, name="channels_controlday_check"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "without": list(_without())})

    @action(description="Check now", permissions=["check"])
    def check_selected(self, request: HttpRequest, queryset: QuerySet[ControlDay]) -> None:
        _check_now(request, queryset.order_by("-day")[:AT_ONCE])

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One day, at the next opportunity."""
        if not self.has_check_permission(request):
            raise PermissionDenied
        _check_now(request, [get_object_or_404(ControlDay, pk=pk)])
        return redirect("admin:channels_controlday_change", pk)

    def enrich(self, rows: list[ControlDay]) -> None:
        totals = defaultdict(list)
        for total in ControlTotal.objects.filter(control__in=rows).order_by("-type", "currency"):
            totals[total.control_id].append(total)
        for control in rows:
            control.found = totals[control.pk]

    def page(self, request: HttpRequest, obj: ControlDay) -> dict[str, Any]:
        start, end = completeness.bounds(obj.channel, obj.day)
        totals = list(obj.totals.order_by("-type", "currency"))
        known = _transactions(obj, totals)
        return {
            "control": obj,
            "colour": COLOURS[obj.state],
            "start": moment(start),
            "end": moment(end),
            "checked": moment(obj.checked_at),
            "checked_until": moment(obj.checked_until),
            "next": moment(obj.next_at),
            "totals": [_row(total) for total in totals],
            "ids": [(total, shown) for total in totals if (shown := list(_ids(total, known)))],
            "may_check": self.has_check_permission(request),
            "check_url": reverse("admin:channels_controlday_check", args=[obj.pk]),
        }

    @admin.display(description="business day")
    def date(self, control: ControlDay) -> str:
        return control.day.isoformat()

    @display(description="state", label=COLOURS)
    def status(self, control: ControlDay) -> tuple[str, str]:
        return control.state, control.get_state_display()

    @admin.display(description="at the vendor")
    def vendor(self, control: ControlDay) -> SafeString:
        return _told((t.vendor_count, t.type, t.vendor_gross, t.currency) for t in control.found)

    @admin.display(description="here")
    def ours(self, control: ControlDay) -> SafeString:
        return _told((t.our_count, t.type, t.our_gross, t.currency) for t in control.found)

    @admin.display(description="what differs")
    def difference(self, control: ControlDay) -> SafeString:
        counts = {
            word: sum(len(getattr(t, name)) for t in control.found)
            for name, word in (
                ("missing", "missing"),
                ("differing", "changed"),
                ("in_inbox", "in the inbox"),
                ("extra", "only here"),
                ("recovered", "recovered"),
            )
        }
        lines = _lines(f"{count} {word}" for word, count in counts.items() if count)
        return format_html("{}{}", lines, control.error[:120])

    @admin.display(description="compared (UTC)")
    def compared(self, control: ControlDay) -> SafeString:
        return _lines([moment(control.checked_at)])


def _check_now(request: HttpRequest, controls: Iterable[ControlDay]) -> None:
    count = completeness.wish_now(controls)
    nudge.nudge(nudge.CHECK_TOTALS)
    days = "1 day" if count == 1 else f"{count} days"
    messages.success(request, f"{days} will be compared with the vendor in a moment.")


def _without() -> Iterator[tuple[Channel, str]]:
    """Channels that are not compared, and why."""
    for channel in Channel.objects.order_by("slug"):
        reason = completeness.why_not(channel)
        if reason is None and channel.status != Channel.Status.LIVE:
            reason = "it is paused"
        if reason:
            yield channel, reason


def _told(sums: Iterable[tuple[int, str, int, str]]) -> SafeString:
    """ "12 sales 1,230.00 USD", "1 refund 5.00 USD"."""
    return _lines(
        f"{count} {type_}{'' if count == 1 else 's'} {money(gross, currency)}"
        for count, type_, gross, currency in sums
        if count
    )


def _lines(told: Iterable[str]) -> SafeString:
    """Each on a line of its own, which is not broken."""
    return format_html_join("", '<div class="whitespace-nowrap">{}</div>', ((line,) for line in told))


def _row(total: ControlTotal) -> dict[str, Any]:
    return {
        "total": total,
        "vendor_gross": money(total.vendor_gross, total.currency),
        "our_gross": money(total.our_gross, total.currency),
        "difference": money(total.vendor_gross - total.our_gross, total.currency),
        "recovered_at": moment(total.recovered_at),
    }


def _transactions(control: ControlDay, totals: Iterable[ControlTotal]) -> dict[tuple[str, str], int]:
    """Of the ids that the page shows, those that we hold."""
    wanted = defaultdict(set)
    for total in totals:
        for name, *_ in KINDS:
            wanted[total.type].update(getattr(total, name)[:SHOWN])
    return {
        (type_, source_id): pk
        for type_, ids in wanted.items()
        for pk, source_id in Transaction.objects.filter(
            channel=control.channel_id, type=type_, source_id__in=ids
        ).values_list("pk", "source_id")
    }


def _ids(total: ControlTotal, known: dict[tuple[str, str], int]) -> Iterator[Ids]:
    for name, title, remark in KINDS:
        ids = getattr(total, name)
        if ids:
            links = [_linked(known.get((total.type, id_)), id_) for id_ in ids[:SHOWN]]
            yield Ids(title, remark, len(ids), links, len(ids) - len(links))


def _linked(transaction_id: int | None, source_id: str) -> SafeString | str:
    return link("channels_transaction", transaction_id, source_id) if transaction_id else source_id
