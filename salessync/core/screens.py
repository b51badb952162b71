"""What the admin's pages share: read-only lists of big tables, pages of their own making, money and time for people."""

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db import OperationalError, transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from psycopg.errors import QueryCanceled
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from salessync.core import audit
from salessync.core.money import MINOR_DIGITS, to_major

T = TypeVar("T")


class EstimatedPaginator(Paginator):
    """Counts exactly up to COUNTED rows; of more it asks the planner, since nobody leafs through millions."""

    COUNTED = 10_000
    DEEPEST_PAGE = 500
    template_name = "salessync/pagination.html"

    @cached_property
    def count(self) -> int:
        rows = self.object_list.order_by()
        exact = rows.values("pk")[: self.COUNTED + 1].count()
        return exact if exact <= self.COUNTED else max(exact, planned_rows(rows))

    @cached_property
    def estimated(self) -> bool:
        return self.count > self.COUNTED

    @cached_property
    def num_pages(self) -> int:
        return min(super().num_pages, self.DEEPEST_PAGE)


def planned_rows(rows: QuerySet[Any]) -> int:
    """How many rows the planner expects."""
    return int(json.loads(rows.explain(format="json"))[0]["Plan"]["Plan Rows"])


class EnrichedChangeList(ChangeList):
    """Lets the admin fetch what one page's rows need, one query a subject rather than one a row."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        self.model_admin.enrich(self.result_list)


class ListAdmin(ModelAdmin):
    """A list that stays quick however long the table grows."""

    paginator = EstimatedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = True
    sortable_by: Sequence[str] = ()
    show_facets = ShowFacets.NEVER  # it would count the table once for each choice

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EnrichedChangeList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if any(
            "\x00" in value for _, values in request.GET.lists() for value in values
        ):  # no text of PostgreSQL's has one
            return redirect(request.path)
        try:
            with transaction.atomic():
                return super().changelist_view(request, extra_context)
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled) or not request.GET:
                raise
            messages.error(request, "That takes too long to find: name a channel, a state or a day.")
            return redirect(request.path)

    def enrich(self, rows: list[Any]) -> None:
        """Attach to the rows of one page what their columns show."""


class ReadOnlyAdmin(ListAdmin):
    """What is recorded is never edited."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class PageAdmin(ReadOnlyAdmin):
    """One object shown by a template of its own, templates/admin/<app>/<model>/change_form.html."""

    fields = ("id",)

    def page(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """What the template shows."""
        raise NotImplementedError

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        return super().render_change_form(request, context | self.page(request, obj), *args, obj=obj, **kwargs)


class AuditedAdmin(ModelAdmin):
    """Editable settings: each change leaves an audit row that says who changed which fields, never the values."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        note(request, "added", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        note(request, "changed", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            note(request, "deleted", obj, str(obj))
        return super().log_deletions(request, queryset)


def note(request: HttpRequest, action: str, obj: Any, message: Any) -> None:
    """One audit row for what a person did by hand."""
    told = json.loads(json.dumps(message, default=str))
    kind, pk = obj._meta.model_name[:40], obj.pk if isinstance(obj.pk, int) else None
    audit.record([(getattr(obj, "company_id", None), actor(request), action, kind, pk, {"message": told})])


def actor(request: HttpRequest) -> str:
    """Who acts, as the audit trail names them."""
    return request.user.get_username()


def remembered(key: str, compute: Callable[[], T]) -> T:
    """A costly answer, computed anew only after a hundred times as long as it took: at most 1 % of the time goes into it."""
    found = cache.get(key)
    if found is None:
        started = time.monotonic()
        found = compute()
        cache.set(key, found, timeout=100 * (time.monotonic() - started))
    return found


def money(minor: int | None, currency: str | None, *, with_currency: bool = True) -> str:
    """Minor units in major units for people: 123450, "USD" → "1,234.50 USD"."""
    if minor is None:
        return ""
    if currency not in MINOR_DIGITS:
        return f"{minor} minor units of {currency}"
    whole, dot, fraction = to_major(minor, currency).partition(".")
    sign, digits = ("−", whole[1:]) if whole.startswith("-") else ("", whole)
    amount = f"{sign}{int(digits):,}{dot}{fraction}"
    return f"{amount} {currency}" if with_currency else amount


def quantity(value: Any) -> str:
    """A decimal without the zeros that only its column has."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def span(seconds: float | None) -> str:
    """A length of time as short as it can be said: 84 ms, 1.2 s, 3 min, 5 h, 2 d; never broken over two lines."""
    if seconds is None:
        return ""
    seconds = max(seconds, 0.0)
    if seconds < 1:
        return f"{seconds * 1000:.0f}\u00a0ms"
    if seconds < 120:
        return f"{seconds:.1f}\u00a0s" if seconds < 10 else f"{seconds:.0f}\u00a0s"
    for limit, unit, name in ((7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f}\u00a0{name}"
    return f"{seconds / 86400:.0f}\u00a0d"


def between(start: datetime | None, end: datetime | None) -> str:
    """The time from one instant to another; nothing where either is missing."""
    return span((end - start) / timedelta(seconds=1)) if start and end else ""


def moment(at: datetime | None) -> str:
    """An instant in UTC, to the second."""
    return f"{at:%Y-%m-%d\u00a0%H:%M:%S}" if at else ""


def link(name: str, pk: Any, text: Any) -> SafeString:
    """A link to an object's page, its text escaped."""
    return format_html('<a class="text-link" href="{}">{}</a>', reverse(f"admin:{name}_change", args=[pk]), text)
