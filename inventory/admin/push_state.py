"""What each listing shows and should show, how late that is, and telling it again."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from inventory import availability
from inventory.admin import cells
from inventory.models import ListingLevel
from salessync.core import audit, nudge
from salessync.core.screens import ReadOnlyAdmin, actor, between, span

STATES = {"idle": "shows it", "due": "to be told", "failed": "refused"}
STATE_COLOURS = {"idle": "success", "due": "info", "failed": "danger"}
AT_ONCE = 1000
PERMISSION = "inventory.change_listinglevel"


@admin.register(ListingLevel)
class ListingLevelAdmin(ReadOnlyAdmin):
    """What is due first, the emptiest on top."""

    list_display = (
        "item",
        "channel",
        "product",
        "units_shown",
        "units_wanted",
        "state_label",
        "since",
        "lag_told",
        "attempts",
        "problem",
    )
    list_filter = (("state", ChoicesDropdownFilter), cells.ChannelFilter)
    list_select_related = ("listing__channel", "listing__product")
    search_fields = ("listing__item_id", "listing__product__sku")
    search_help_text = "the channel's item, or SKU"
    ordering = ("state", "wanted", "id")  # due, failed, idle
    fields = ("item", "channel", "product", "units_shown", "units_wanted", "state_said", "since", "lag_told", "attempts", "problem",
              "told", "read", "next_try")  # fmt: skip
    readonly_fields = fields
    actions = ("tell_again",)

    def has_tell_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    @action(description="Tell again now", permissions=["tell"])
    def tell_again(self, request: HttpRequest, queryset: QuerySet[ListingLevel]) -> None:
        chosen = list(queryset.values_list("pk", flat=True)[: AT_ONCE + 1])
        count = tell_again(level_ids=chosen[:AT_ONCE], actor=actor(request))
        transaction.on_commit(lambda: nudge.nudge(nudge.PUSH_STOCK))
        messages.success(request, f"{count} level{' is' if count == 1 else 's are'} told again within moments.")
        left = len(chosen[:AT_ONCE]) - count
        if left:
            messages.warning(
                request,
                f"{left} left alone: a call is under way or its answer is waited for, or the channel is not told levels.",
            )
        if len(chosen) > AT_ONCE:
            messages.warning(request, f"Only the first {AT_ONCE} were looked at: do it once more for the others.")

    @admin.display(description="item")
    def item(self, row: ListingLevel) -> str:
        return row.listing.item_id

    @admin.display(description="channel")
    def channel(self, row: ListingLevel) -> str:
        return f"{row.listing.channel.slug}{f', {row.remote_id}' if row.remote_id else ''}"

    @admin.display(description="product")
    def product(self, row: ListingLevel) -> str:
        return cells.product_link(row.listing.product)

    @admin.display(description="shows")
    def units_shown(self, row: ListingLevel) -> str:
        return cells.units(row.shown)

    @admin.display(description="should show")
    def units_wanted(self, row: ListingLevel) -> str:
        return cells.units(row.wanted)

    @display(description="state", label=STATE_COLOURS)
    def state_label(self, row: ListingLevel) -> tuple[str, str]:
        return row.state, STATES[row.state]

    @admin.display(description="state")
    def state_said(self, row: ListingLevel) -> str:
        return STATES[row.state]

    @admin.display(description="for")
    def since(self, row: ListingLevel) -> str:
        return "" if row.state == ListingLevel.State.IDLE else between(row.changed_at, timezone.now())

    @admin.display(description="last lag")
    def lag_told(self, row: ListingLevel) -> str:
        return lag(row)

    @admin.display(description="last told (UTC)")
    def told(self, row: ListingLevel) -> str:
        return cells.instant(row.told_at)

    @admin.display(description="read back (UTC)")
    def read(self, row: ListingLevel) -> str:
        return cells.instant(row.read_at)

    @admin.display(description="next try (UTC)")
    def next_try(self, row: ListingLevel) -> str:
        return cells.instant(row.next_at) if row.state == ListingLevel.State.DUE else ""


def lag(row: ListingLevel) -> str:
    """From the change to its confirmation, of the last push."""
    return "" if row.lag_ms is None else span(row.lag_ms / 1000)


def tell_again(*, level_ids: Sequence[int], actor: str) -> int:
    """Make them due now, what was refused and what shows its level already too; → how many.

    One whose call is under way, or not answered yet, is left alone: it goes by itself, and under the same key. So is one that its
    channel is not to be told.
    """
    rows = list(ListingLevel.objects.filter(pk__in=level_ids).select_related("listing__channel__stock_policy"))
    channels = {row.listing.channel for row in rows}
    told = [channel.pk for channel in channels if availability.can_be_told(channel)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(  # in the order in which everybody locks them
            "SELECT count(*) FROM (SELECT id FROM inventory_listinglevel WHERE id = ANY(%s) ORDER BY id FOR UPDATE) x",
            [list(level_ids)],
        )
        cursor.execute(
            """
            UPDATE inventory_listinglevel v
               SET state = 'due', next_at = clock_timestamp(), problem = '',
                   changed_at = CASE WHEN v.state = 'idle' THEN clock_timestamp() ELSE v.changed_at END
              FROM inventory_listing l
             WHERE l.id = v.listing_id AND v.id = ANY(%s) AND v.attempts = 0 AND l.is_pushed AND l.channel_id = ANY(%s)
               AND (EXISTS (SELECT FROM inventory_channellocation c WHERE c.channel_id = l.channel_id AND c.remote_id = v.remote_id)
                    OR v.remote_id = ''
                       AND NOT EXISTS (SELECT FROM inventory_channellocation c WHERE c.channel_id = l.channel_id))
            RETURNING v.id
            """,
            [list(level_ids), told],
        )
        again = {id_ for (id_,) in cursor.fetchall()}
        audit.record(
            (row.listing.channel.company_id, actor, "told again", "listing level", row.pk, {"was": row.state})
            for row in rows
            if row.pk in again
        )
    return len(again)
