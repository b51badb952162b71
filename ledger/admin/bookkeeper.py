"""Bookkeeper's side: where its books differ from ours, its chart of accounts, and what ours are called there."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import action, display

from ledger import bookkeeper, comparison, counterparts, differences
from ledger import messages as told
from ledger.admin.delivery import DELIVERY_COLOURS
from ledger.models import BookkeeperAccount, BookkeeperCode, BookkeeperDifference, Delivery, JournalEntry, ReadBack
from salessync.core import nudge
from salessync.core.models import Company
from salessync.core.money import MINOR_DIGITS
from salessync.core.problems import Refused
from salessync.core.screens import ListAdmin, PageAdmin, ReadOnlyAdmin, actor, link, moment, money

PERMISSION = "ledger.send_again_bookkeeperdifference"
KIND_COLOURS = {"missing": "danger", "edited": "warning", "deleted": "danger", "unknown_there": "warning"}
WHAT_IT_MEANS = {
    "missing": "Bookkeeper acknowledged the entry and does not have it.",
    "edited": "The entry is there, and not as it was sent.",
    "deleted": "The entry was there, and is no longer.",
    "unknown_there": "Bookkeeper has an entry under our name that we never sent.",
}


class OpenFilter(DropdownFilter):
    """Open or over."""

    title = "state"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "open"), ("no", "resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(resolved_at__isnull=self.value() == "yes") if self.value() else queryset


@admin.register(BookkeeperDifference)
class BookkeeperDifferenceAdmin(PageAdmin):
    """Open ones first, the newest on top; they close by themselves when what Bookkeeper holds is as it was sent."""

    list_display = ("entry_there", "kind_label", "what", "our_entry", "first", "last", "closed")
    list_filter = (OpenFilter, ("kind", ChoicesDropdownFilter), ("company", RelatedDropdownFilter))
    list_select_related = ("company", "entry")
    list_before_template = "admin/ledger/bookkeeperdifference/read_back.html"
    ordering = (F("resolved_at").desc(nulls_first=True), "-id")
    search_fields = ("=known_as",)
    search_help_text = "the entry's id at Bookkeeper, exactly"
    actions = ("send_selected_again",)

    def has_send_again_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.send_again_view))
        return [path("<int:pk>/send-again/", view, name="ledger_bookkeeperdifference_send_again"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        reading = ReadBack.objects.first()
        shown = {
            "why_not": bookkeeper.why_not_configured(),
            "reading": reading,
            "finished": moment(reading.round_finished_at) if reading else "",
        }
        return super().changelist_view(request, shown | (extra_context or {}))

    @action(description="Send again what Bookkeeper lacks", permissions=["send_again"])
    def send_selected_again(self, request: HttpRequest, queryset: QuerySet[BookkeeperDifference]) -> None:
        self._send_again(request, list(queryset.values_list("pk", flat=True)))

    def send_again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One entry, which Bookkeeper takes once at most."""
        if not self.has_send_again_permission(request):
            raise PermissionDenied
        self._send_again(request, [get_object_or_404(BookkeeperDifference, pk=pk).pk])
        return redirect("admin:ledger_bookkeeperdifference_change", pk)

    def _send_again(self, request: HttpRequest, ids: list[int]) -> None:
        count = differences.send_again(ids, actor=actor(request))
        nudge.nudge(nudge.PUSH_OUTBOX)
        if count:
            entries = "1 entry is" if count == 1 else f"{count} entries are"
            messages.success(request, f"{entries} on the way to Bookkeeper again.")
        else:
            messages.warning(request, "Nothing to send: they are on their way, or Bookkeeper does not lack them.")

    def page(self, request: HttpRequest, obj: BookkeeperDifference) -> dict[str, Any]:
        delivery = Delivery.objects.filter(entry=obj.entry_id).first()
        ours = _ours(obj)
        theirs = obj.details.get("theirs")
        lacking = obj.kind in differences.LACKING and obj.resolved_at is None
        return {
            "difference": obj,
            "colour": KIND_COLOURS[obj.kind],
            "meaning": WHAT_IT_MEANS[obj.kind],
            "entry": JournalEntry.objects.filter(pk=obj.entry_id).first(),
            "delivery": delivery,
            "delivery_colour": DELIVERY_COLOURS[delivery.state] if delivery else "",
            "fields": obj.details.get("fields") or [],
            "pairs": [(_shown(p["ours"]), _shown(p["theirs"])) for p in obj.details.get("postings") or []],
            "more": obj.details.get("more", 0),
            "ours": ours and (ours, [_shown(posting) for posting in ours["postings"]]),
            "theirs": theirs and (theirs, [_shown(posting) for posting in theirs["postings"]]),
            "acknowledgement": obj.details.get("acknowledgement"),
            "may_send": lacking and self.has_send_again_permission(request) and _acknowledged(delivery),
            "send_url": reverse("admin:ledger_bookkeeperdifference_send_again", args=[obj.pk]),
        }

    @admin.display(description="entry there", ordering="known_as")
    def entry_there(self, difference: BookkeeperDifference) -> str:
        return difference.known_as[:80]

    @display(description="kind", label=KIND_COLOURS)
    def kind_label(self, difference: BookkeeperDifference) -> tuple[str, str]:
        return difference.kind, difference.get_kind_display()

    @admin.display(description="what differs")
    def what(self, difference: BookkeeperDifference) -> str:
        names = [field["field"] for field in difference.details.get("fields", ())]
        pairs = len(difference.details.get("postings", ())) + difference.details.get("more", 0)
        if difference.kind == BookkeeperDifference.Kind.EDITED and pairs:
            names.append("1 posting" if pairs == 1 else f"{pairs} postings")
        return ", ".join(names[:8])

    @admin.display(description="our entry")
    def our_entry(self, difference: BookkeeperDifference) -> SafeString | str:
        if difference.entry is None:
            return ""
        return link("ledger_journalentry", difference.entry_id, f"no. {difference.entry.seq}")

    @admin.display(description="first seen (UTC)")
    def first(self, difference: BookkeeperDifference) -> str:
        return moment(difference.first_seen)

    @admin.display(description="last seen (UTC)")
    def last(self, difference: BookkeeperDifference) -> str:
        return moment(difference.last_seen)

    @admin.display(description="resolved (UTC)")
    def closed(self, difference: BookkeeperDifference) -> str:
        return moment(difference.resolved_at)


def _acknowledged(delivery: Delivery | None) -> bool:
    return delivery is not None and delivery.state == Delivery.State.ACKNOWLEDGED


def _ours(difference: BookkeeperDifference) -> dict[str, Any] | None:
    """The entry as it was sent, where Bookkeeper has nothing that could stand beside it line by line."""
    if difference.entry_id is None or difference.kind not in differences.LACKING:
        return None
    sent = told.of([difference.entry_id]).get(difference.entry_id)
    return comparison.entry_told(bookkeeper.as_dict(sent)) if sent else None


def _shown(posting: dict[str, Any] | None) -> dict[str, Any] | None:
    if posting is None:
        return None
    amount, currency = posting.get("amount"), posting.get("currency")
    whole = type(amount) is int and currency in MINOR_DIGITS
    names = ("channel", "location", "tax_code", "category")
    return {
        "account": posting.get("account"),
        "amount": money(amount, currency) if whole else f"{amount} {currency}",
        "base": posting.get("base_amount"),
        "dimensions": [posting[name] for name in names if posting.get(name)],
        "path": posting.get("path", ""),
    }


@admin.register(BookkeeperAccount)
class BookkeeperAccountAdmin(ReadOnlyAdmin):
    """Its chart as it last told it, and above it which of our accounts are not in it."""

    list_display = ("code", "name", "kind", "standing", "ours", "since")
    list_filter = (("company", RelatedDropdownFilter),)
    list_select_related = ("company",)
    list_display_links = None  # the row says it all
    list_before_template = "admin/ledger/bookkeeperaccount/lacking.html"
    search_fields = ("code", "name")
    ordering = ("company", "code")
    list_per_page = 200

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        companies = list(Company.objects.order_by("slug"))
        lacking = [(company, one) for company in companies for one in counterparts.without_counterpart(company)]
        shown = {
            "lacking": lacking,
            "received": BookkeeperAccount.objects.exists(),
            "may_call": request.user.has_perm("ledger.add_bookkeepercode"),
        }
        return super().changelist_view(request, shown | (extra_context or {}))

    def enrich(self, rows: list[BookkeeperAccount]) -> None:
        named = {company: counterparts.named(company) for company in {row.company_id for row in rows}}
        for row in rows:
            row.our_codes = named[row.company_id].get(row.code, [])

    @display(description="state", label={"open": "success", "closed": "warning"})
    def standing(self, account: BookkeeperAccount) -> tuple[str, str]:
        return ("open", "open") if account.active else ("closed", "closed")

    @admin.display(description="our account")
    def ours(self, account: BookkeeperAccount) -> str:
        return ", ".join(account.our_codes)

    @admin.display(description="told (UTC)")
    def since(self, account: BookkeeperAccount) -> str:
        return moment(account.received_at)


class CodeForm(forms.ModelForm):
    """Another code for one of our accounts."""

    class Meta:
        model = BookkeeperCode
        fields = ("account", "code")

    def clean_code(self) -> str:
        try:
            return counterparts.checked(self.cleaned_data["code"])
        except Refused as refused:
            raise forms.ValidationError(refused.problems[0].message) from None


@admin.register(BookkeeperCode)
class BookkeeperCodeAdmin(ListAdmin):
    """What our accounts are called there, with its history: a row is never changed, another one takes its place."""

    form = CodeForm
    list_display = ("our_account", "there", "by", "when", "company")
    list_filter = (("company", RelatedDropdownFilter),)
    list_select_related = ("account", "company")
    list_display_links = None
    search_fields = ("account__code", "code")
    ordering = ("-id",)
    autocomplete_fields = ("account",)

    def has_change_permission(self, request: HttpRequest, obj: BookkeeperCode | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: BookkeeperCode | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: BookkeeperCode, form: CodeForm, change: bool) -> None:
        made = counterparts.call(account=obj.account, code=obj.code, actor=actor(request))
        obj.pk = made.pk if made else None

    def log_addition(self, request: HttpRequest, obj: BookkeeperCode, message: Any) -> None:
        """The audit row is written with the change."""

    def response_add(self, request: HttpRequest, obj: BookkeeperCode, post_url_continue: Any = None) -> HttpResponse:
        if obj.pk is None:
            messages.warning(request, "It was called so already.")
        else:
            messages.success(
                request, f"{obj.account} is {obj.code or obj.account.code} at Bookkeeper from the next batch on."
            )
        return redirect("admin:ledger_bookkeepercode_changelist")

    @admin.display(description="our account")
    def our_account(self, code: BookkeeperCode) -> str:
        return code.account.code

    @admin.display(description="at Bookkeeper")
    def there(self, code: BookkeeperCode) -> str:
        return code.code or f"{code.account.code} (our own)"

    @admin.display(description="by")
    def by(self, code: BookkeeperCode) -> str:
        return code.actor

    @admin.display(description="at (UTC)")
    def when(self, code: BookkeeperCode) -> str:
        return moment(code.at)
