"""Rows that name a sale or a channel by its id only: what lists of other packages show and filter of it."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from channels.models import Channel, Transaction


class ChannelFilter(DropdownFilter):
    """By the channel's id, wherever the row keeps it."""

    title = "channel"
    parameter_name = "channel"
    column = "channel_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), slug) for pk, slug in Channel.objects.order_by("slug").values_list("pk", "slug")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        known = value in dict(self.lookup_choices)
        return queryset.filter(**{self.column: int(value)}) if known else queryset


def with_sales(rows: Iterable[Any]) -> None:
    """Attach to each row its sale with the channel: None where no sale is known for it."""
    rows = list(rows)
    found = Transaction.objects.select_related("channel").in_bulk([row.transaction_id for row in rows])
    for row in rows:
        row.sale = found.get(row.transaction_id)
