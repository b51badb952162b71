"""Stock moved by hand: transfers, deliveries, counts and adjustments, each with its reason, shown before it is made and never changed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from inventory import documents
from inventory.admin import cells
from inventory.admin.document_forms import KINDS, HeadForm, empty_lines, lines_with, new_reference
from inventory.documents import Line, Recorded
from inventory.models import Level, Movement, Product, StockDocument
from salessync.core.problems import Problem, Refused
from salessync.core.screens import PageAdmin, actor, money

PERMISSION = "inventory.add_stockdocument"
COLOURS = {"receipt": "success", "transfer": "info", "count": "", "adjustment": "warning"}
MOVEMENTS = 500
PROPOSED = 1000  # SKUs that the browser proposes


class Step(NamedTuple):
    """What becomes of one level; `cost` of one unit."""

    product: Product
    location: str
    before: str
    change: str
    after: str
    cost: str


@admin.register(StockDocument)
class StockDocumentAdmin(PageAdmin):
    """The newest first."""

    list_display = ("label", "kind_label", "reason", "lines", "actor", "made")
    list_filter = (("kind", ChoicesDropdownFilter), ("at", cells.DaysFilter))
    search_fields = ("=reference",)
    search_help_text = "the reference, exactly"
    ordering = ("-id",)
    list_before_template = "admin/inventory/stockdocument/kinds.html"

    def has_move_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.move_view)
        pages = [path(f"{kind}/", view, {"kind": kind}, name=f"inventory_stockdocument_{kind}") for kind in KINDS]
        return [*pages, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may = self.has_move_permission(request)
        kinds = [(words, reverse(f"admin:inventory_stockdocument_{kind}")) for kind, words in KINDS.items()]
        return super().changelist_view(request, (extra_context or {}) | {"kinds": kinds if may else []})

    # --- a new one

    def move_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """The form; what would become of the levels; and doing it."""
        if not self.has_move_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            head = HeadForm(kind=kind, initial={"reference": new_reference(kind), "location": _only_place()})
            return self._form(request, kind, head, empty_lines(_asked_for(request)), [])
        if "_more" in request.POST or "_edit" in request.POST:
            head = HeadForm(initial=request.POST.dict(), kind=kind)
            return self._form(request, kind, head, lines_with(request.POST, more="_more" in request.POST), [])
        head, forms = HeadForm(request.POST, kind=kind), lines_with(request.POST)
        if not head.is_valid():
            return self._form(request, kind, head, forms, [])
        wish = head.cleaned_data
        try:
            lines = forms.read(wish["company"], KINDS[kind])
            if "_post" not in request.POST:
                return self._preview(request, kind, wish, lines)
            done = _record(kind, wish, lines, actor(request))
        except Refused as refused:
            return self._form(request, kind, head, forms, refused.problems)
        if done.is_new:
            messages.success(
                request,
                f"{KINDS[kind].title} {wish['reference']}: {done.movements} movement{'' if done.movements == 1 else 's'}.",
            )
        else:
            messages.warning(
                request,
                f"Nothing was moved: {KINDS[kind].title.lower()} {wish['reference']} was recorded before, by {done.actor}.",
            )
        return redirect("admin:inventory_stockdocument_change", done.document_id)

    def _form(
        self, request: HttpRequest, kind: str, head: HeadForm, lines: Any, problems: Sequence[Problem]
    ) -> HttpResponse:
        skus = Product.objects.filter(components=None).order_by("sku").values_list("sku", flat=True)
        return self._page(
            request, "entry", kind, form=head, lines=lines, problems=problems, places=cells.places(), skus=skus[:PROPOSED]
        )  # fmt: skip

    def _preview(self, request: HttpRequest, kind: str, wish: dict[str, Any], lines: list[Line]) -> HttpResponse:
        steps = rehearse(kind, wish, lines)
        values = [
            (name, value) for name, value in request.POST.items() if name not in ("csrfmiddlewaretoken", "_preview")
        ]
        return self._page(request, "preview", kind, head=wish, steps=steps, values=values)

    def _page(self, request: HttpRequest, name: str, kind: str, **more: Any) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request), "title": KINDS[kind].title, "opts": self.model._meta,
            "kind": KINDS[kind], **more,
        }  # fmt: skip
        return TemplateResponse(request, f"admin/inventory/stockdocument/{name}.html", context)

    # --- what the pages show

    def page(self, request: HttpRequest, obj: StockDocument) -> dict[str, Any]:
        found = Movement.objects.filter(document=obj.pk).select_related("product").order_by("id")
        base = obj.company.base_currency
        return {
            "document": obj,
            "colour": COLOURS[obj.kind],
            "movements": [
                (cells.product_link(m.product), m.product.name, m.location, cells.change(m.on_hand) or "0", money(m.cost, base))
                for m in found[:MOVEMENTS]
            ],
            "count": found.count(),
        }  # fmt: skip

    def enrich(self, rows: list[StockDocument]) -> None:
        found = Movement.objects.filter(document__in=[row.pk for row in rows]).values_list("document_id")
        counts = dict(found.annotate(n=Count("pk")).values_list("document_id", "n"))
        for row in rows:
            row.count = counts.get(row.pk, 0)

    @admin.display(description="reference")
    def label(self, row: StockDocument) -> str:
        return row.reference or str(row.pk)

    @display(description="kind", label=COLOURS)
    def kind_label(self, row: StockDocument) -> tuple[str, str]:
        return row.kind, row.get_kind_display()

    @admin.display(description="movements")
    def lines(self, row: StockDocument) -> int:
        return row.count

    @admin.display(description="made (UTC)")
    def made(self, row: StockDocument) -> str:
        return cells.instant(row.at)


def rehearse(kind: str, wish: dict[str, Any], lines: Sequence[Line]) -> list[Step]:
    """What it would do, found by doing it and taking it back; Refused as it would be."""
    with transaction.atomic():
        done = _record(kind, wish, lines, "rehearsal")
        if not done.is_new:
            said = (
                f"there is a {kind} with that reference already, by {done.actor}: a document of a kind is recorded once"
            )
            raise Refused(Problem("RECORDED_BEFORE", "reference", said))
        moved = list(Movement.objects.filter(document=done.document_id).select_related("product").order_by("id"))
        levels = Level.objects.filter(product__in=[one.product_id for one in moved])
        now = {(level.product_id, level.location): level.on_hand for level in levels}
        transaction.set_rollback(True)
    steps, currency = [], wish["company"].base_currency
    for one in reversed(moved):
        after = now[one.product_id, one.location]
        before = now[one.product_id, one.location] = after - one.on_hand
        told = (cells.units(before), cells.change(one.on_hand), cells.units(after), money(one.unit_cost, currency))
        steps.append(Step(one.product, one.location, *told))
    return steps[::-1]


def _record(kind: str, wish: dict[str, Any], lines: Sequence[Line], who: str) -> Recorded:
    said = {name: wish[name] for name in ("company", "reason", "reference")}
    if kind == "transfer":
        places = {"from_location": wish["location"], "to_location": wish["to"]}
        return documents.transfer(lines=lines, actor=who, **places, **said)
    record = {"receipt": documents.receive, "count": documents.count, "adjustment": documents.adjust}[kind]
    return record(lines=lines, location=wish["location"], actor=who, **said)


def _asked_for(request: HttpRequest) -> list[str]:
    """The product whose page led here."""
    pk = request.GET.get("product", "")
    known = Product.objects.filter(pk=pk) if pk.isascii() and pk.isdigit() and len(pk) < 19 else Product.objects.none()
    return list(known.values_list("sku", flat=True))


def _only_place() -> str:
    known = cells.places()
    return known[0] if len(known) == 1 else ""
