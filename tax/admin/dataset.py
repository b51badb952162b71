"""Files of rates: brought, looked at (what would change), activated, withdrawn. Nothing counts before somebody has seen it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, TextFilter
from unfold.decorators import display

from salessync.core.models import AuditRow
from salessync.core.problems import Problem, Refused
from salessync.core.screens import PageAdmin, actor, moment, money
from tax.admin import upload
from tax.admin.side_by_side import warnings
from tax.admin.upload import UploadForm
from tax.assessment import reassessing
from tax.models import BookVersion, Dataset
from tax.rates import datasets
from tax.rates.changes import Changes

PERMISSION, BRING = "tax.change_dataset", "tax.add_dataset"
STATUS_COLOURS = {"staged": "info", "active": "success", "superseded": "", "discarded": ""}
HOW_COLOURS = {"added": "success", "changed": "warning", "ended": "danger"}
PAGE = 100
PROBLEMS = 200
KINDS = ("jurisdictions", "rates", "rules", "deliveries", "boundaries", "combinations")
DONE = {
    "activate": "It is active: what is computed from now on uses it.",
    "discard": "Discarded. Its rows are gone; that it was brought stays known.",
    "withdraw": "Withdrawn: what stood behind its rates counts again.",
}  # fmt: skip


class CodeFilter(TextFilter):
    """What it is a version of; a part is enough."""

    title, parameter_name = "code", "code"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Dataset]) -> QuerySet[Dataset]:
        value = (self.value() or "").strip()
        return queryset.filter(code__icontains=value) if value else queryset


@admin.register(Dataset)
class DatasetAdmin(PageAdmin):
    """The newest first."""

    list_display = ("code", "version", "status_label", "rows", "wrong", "publisher", "staged", "activated")
    list_filter = (("status", ChoicesDropdownFilter), CodeFilter)
    search_fields = ("code", "version", "file_name")
    ordering = ("-id",)
    change_form_template = "admin/tax/dataset/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(BRING)

    def get_urls(self) -> list[URLPattern]:
        views = (("activate", self.activate_view), ("discard", self.discard_view), ("withdraw", self.withdraw_view))
        return [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(require_POST(view)), name=f"tax_dataset_{name}")
            for name, view in views
        ] + super().get_urls()

    # --- bringing one

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
        problems: list[Problem] = []
        if form.is_bound and form.is_valid():
            try:
                dataset = upload.bring(form.cleaned_data, actor(request))
            except Refused as refused:
                problems = refused.problems
            else:
                told = (
                    "was brought before"
                    if dataset.status != Dataset.Status.STAGED
                    else "is staged: see what it would change"
                )
                messages.success(request, f"{dataset} {told}.")
                return redirect("admin:tax_dataset_change", dataset.pk)
        context = {**self.admin_site.each_context(request), "title": "Bring a file of rates", "opts": self.model._meta,
                   "form": form, "problems": problems}  # fmt: skip
        return TemplateResponse(request, "admin/tax/dataset/upload.html", context)

    # --- deciding about one

    def activate_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """It counts from now on."""
        reason = request.POST.get("reason", "").replace("\x00", "").strip()
        return self._decide(request, pk, "activate", lambda one: datasets.activate(one, actor(request), reason))

    def discard_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """It is not wanted."""
        return self._decide(request, pk, "discard", lambda one: datasets.discard(one, actor(request)))

    def withdraw_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """It no longer counts."""
        reason = request.POST.get("reason", "").replace("\x00", "").strip()
        return self._decide(request, pk, "withdraw", lambda one: datasets.withdraw(one, actor(request), reason))

    def _decide(self, request: HttpRequest, pk: int, name: str, decide: Callable[[Dataset], Any]) -> HttpResponse:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        dataset = get_object_or_404(Dataset, pk=pk)
        try:
            decide(dataset)
        except datasets.UnableToChange as error:
            messages.error(request, f"Nothing was changed: {error}.")
        else:
            messages.success(request, DONE[name])
        return redirect("admin:tax_dataset_change", pk)

    # --- what the pages show

    def page(self, request: HttpRequest, obj: Dataset) -> dict[str, Any]:
        may, status = request.user.has_perm(PERMISSION), Dataset.Status
        number = _page_number(request.GET.get("p"))
        found = (
            datasets.changes(obj, offset=(number - 1) * PAGE, limit=PAGE)
            if obj.status in (status.STAGED, status.SUPERSEDED)
            else None
        )
        counts = obj.counts if isinstance(obj.counts, dict) else {}
        left_out = counts.get("left_out")
        problems = warnings(obj.problems)
        return {
            "dataset": obj,
            "colour": STATUS_COLOURS.get(obj.status, ""),
            "counts": [(kind, counts[kind]) for kind in KINDS if isinstance(counts.get(kind), int) and counts[kind]],
            "covers": ", ".join(str(state) for state in counts.get("covers") or ()),
            "left_out": sorted(left_out.items()) if isinstance(left_out, dict) else [],
            "problems": problems[:PROBLEMS],
            "more_problems": max(0, len(problems) - PROBLEMS),
            "changes": found,
            "previews": _previews(obj) if found and "try" in request.GET else None,
            "rows": [(row, HOW_COLOURS.get(row.how, "")) for row in found.rows] if found else [],
            "pages": _pages(found, number) if found else None,
            "may_activate": may and obj.status in (status.STAGED, status.SUPERSEDED),
            "may_discard": may and obj.status == status.STAGED,
            "may_withdraw": may and obj.status == status.ACTIVE,
            "books": BookVersion.objects.filter(datasets__contains=[obj.pk]).order_by("-pk")[:20],
            "history": AuditRow.objects.filter(object_type="dataset", object_id=obj.pk).order_by("-pk")[:50],
        }

    @display(description="status", label=STATUS_COLOURS)
    def status_label(self, dataset: Dataset) -> tuple[str, str]:
        return dataset.status, dataset.status

    @admin.display(description="holds")
    def rows(self, dataset: Dataset) -> str:
        counts = dataset.counts if isinstance(dataset.counts, dict) else {}
        held = [(kind, counts.get(kind)) for kind in KINDS[1:5]]
        return ", ".join(f"{kind} {number:,}" for kind, number in held if isinstance(number, int) and number)

    @display(description="problems", label={"some": "warning"})
    def wrong(self, dataset: Dataset) -> tuple[str, str] | None:
        return ("some", str(len(dataset.problems))) if dataset.problems else None

    @admin.display(description="brought (UTC)")
    def staged(self, dataset: Dataset) -> str:
        return f"{moment(dataset.staged_at)} by {dataset.staged_by}"

    @admin.display(description="activated (UTC)")
    def activated(self, dataset: Dataset) -> str:
        return f"{moment(dataset.activated_at)} by {dataset.activated_by}" if dataset.activated_at else ""


def _previews(dataset: Dataset) -> list[dict[str, Any]]:
    """Sales of the last days by what would be computed of them; amounts in words."""
    return [
        {
            "company": found.company.name,
            "first": found.first,
            "looked_at": found.tally.looked_at,
            "changed": found.tally.changed,
            "more": [money(amount, currency) for currency, amount in sorted(found.tally.more.items())],
            "samples": [
                {
                    "link": reverse("admin:tax_assessment_of", args=[one.transaction_id]),
                    "where": "-".join(filter(None, (one.country, one.region))),
                    "before": money(one.before, one.currency) if one.before is not None else "",
                    "after": money(one.after, one.currency) if one.after is not None else "",
                    "verdict": f"{one.verdict_before or 'not judged'} → {one.verdict_after or 'not judged'}".replace(
                        "_", " "
                    ),
                }
                for one in found.tally.samples[:20]
            ],
        }
        for found in reassessing.preview(dataset, today=timezone.localdate())
    ]


def _page_number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text) else 1


def _pages(found: Changes, number: int) -> dict[str, Any]:
    last = max(1, -(-found.listed // PAGE))
    return {"number": number, "last": last, "before": number - 1, "after": number + 1 if number < last else 0}
