"""Which tax category products belong to: what nobody has said yet, and the rules that say it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget

from channels.models import Transaction
from salessync.core.problems import Refused
from salessync.core.screens import ListAdmin, actor, between, link, moment
from tax.admin.of_company import COMPANY, OfCompanyAdmin
from tax.law.categories import categories
from tax.models import CategoryRule, UnmappedCategory
from tax.models.mapping import MatchedBy
from tax.seller import mapping
from tax.seller.category_rules import words_of

AT_ONCE = 500
SHOWN = 50


def choices() -> list[tuple[str, str]]:
    """Every category, the tree's order kept."""
    return [(code, f"{one.label} ({code})") for code, one in categories().items()]


def label_of(code: str) -> str:
    known = categories().get(code)
    return f"{known.label} ({code})" if known else code


class CategoryForm(forms.Form):
    """One of ours."""

    category = forms.ChoiceField(label="Tax category", widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["category"].choices = [("", "—"), *choices()]


class MappingForm(CategoryForm, forms.ModelForm):
    """What one unmapped value is."""

    class Meta:
        model = UnmappedCategory
        fields = ()


class RuleForm(CategoryForm, forms.ModelForm):
    """A rule of a company."""

    class Meta:
        model = CategoryRule
        fields = ("company", "matched_by", "value", "category")

    def clean_value(self) -> str:
        value = self.cleaned_data["value"].strip()
        if not value:
            raise forms.ValidationError("say what it looks for")
        return value

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("matched_by") == MatchedBy.NAME and "value" in cleaned and not words_of(cleaned["value"]):
            self.add_error("value", "there is no word in it")
        return cleaned


@admin.register(UnmappedCategory)
class UnmappedCategoryAdmin(ListAdmin):
    """What was sold and taxed as any goods; it goes by being mapped."""

    form = MappingForm
    list_display = ("value_told", "matched", "name_told", "suggested", "sale", "waiting", "company")
    list_filter = (("matched_by", ChoicesDropdownFilter), COMPANY)
    list_select_related = ("company",)
    search_fields = ("value", "name")
    ordering = ("id",)
    actions = ("map_selected",)
    readonly_fields = ("company", "value_told", "matched", "name_told", "sale", "waiting")
    fields = (*readonly_fields, "category")
    change_form_template = "admin/tax/unmappedcategory/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: UnmappedCategory | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: UnmappedCategory | None = None) -> tuple[str, ...]:
        return self.fields if self.has_change_permission(request, obj) else self.readonly_fields

    def enrich(self, rows: list[UnmappedCategory]) -> None:
        found = Transaction.objects.in_bulk([row.first_transaction_id for row in rows])
        for row in rows:
            row.first = found.get(row.first_transaction_id)

    # --- one

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        *args: Any,
        obj: UnmappedCategory | None = None,
        **kwargs: Any,
    ) -> HttpResponse:
        if obj is not None:
            context |= {"suggestions": suggestions(obj), "may_map": self.has_change_permission(request, obj)}
        context |= {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def save_model(self, request: HttpRequest, obj: UnmappedCategory, form: MappingForm, change: bool) -> None:
        category = form.cleaned_data["category"]
        if _mapped(request, obj, category):
            messages.success(request, f"{obj} is {label_of(category)} from now on.")

    def log_change(self, request: HttpRequest, obj: UnmappedCategory, message: Any) -> None:
        """The rule leaves an audit row of its own."""

    def response_change(self, request: HttpRequest, obj: UnmappedCategory) -> HttpResponse:
        return redirect("admin:tax_unmappedcategory_changelist")

    # --- many

    @action(description="Map to one category…", permissions=["change"])
    def map_selected(self, request: HttpRequest, queryset: QuerySet[UnmappedCategory]) -> HttpResponse | None:
        form = CategoryForm(request.POST if "confirmed" in request.POST else None)
        chosen = list(queryset.select_related("company").order_by("pk")[: AT_ONCE + 1])
        if not form.is_valid():
            return self._preview(request, chosen, form)
        category = form.cleaned_data["category"]
        count = sum(_mapped(request, one, category) for one in chosen[:AT_ONCE])
        messages.success(request, f"{count} of them {'is' if count == 1 else 'are'} {label_of(category)} from now on.")
        return None

    def _preview(self, request: HttpRequest, chosen: list[UnmappedCategory], form: CategoryForm) -> TemplateResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Map to one category",
            "opts": self.model._meta,
            "form": form,
            "count": len(chosen[:AT_ONCE]),
            "more": len(chosen) > AT_ONCE,
            "rows": [(one, suggested(one)) for one in chosen[:SHOWN]],
            "hidden": len(chosen[:AT_ONCE]) - SHOWN,
            "selected": request.POST.getlist(helpers.ACTION_CHECKBOX_NAME),
            "checkbox": helpers.ACTION_CHECKBOX_NAME,
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "admin/tax/unmappedcategory/map.html", context)

    # --- columns

    @admin.display(description="what the channel says")
    def value_told(self, row: UnmappedCategory) -> str:
        return row.value or "(empty)"

    @admin.display(description="which is")
    def matched(self, row: UnmappedCategory) -> str:
        return row.get_matched_by_display()

    @admin.display(description="name of the first")
    def name_told(self, row: UnmappedCategory) -> str:
        return row.name[:120]

    @admin.display(description="it may be")
    def suggested(self, row: UnmappedCategory) -> str:
        return suggested(row)

    @admin.display(description="first sold with")
    def sale(self, row: UnmappedCategory) -> str:
        first = row.first if hasattr(row, "first") else Transaction.objects.filter(pk=row.first_transaction_id).first()
        return link("channels_transaction", first.pk, first.number or first.source_id) if first else ""

    @admin.display(description="waiting for")
    def waiting(self, row: UnmappedCategory) -> str:
        return between(row.first_seen_at, timezone.now())


def suggestions(row: UnmappedCategory) -> list[Any]:
    return mapping.suggest(row)[:5]


def suggested(row: UnmappedCategory) -> str:
    return ", ".join(one.label for one in suggestions(row)[:2])


def _mapped(request: HttpRequest, row: UnmappedCategory, category: str) -> bool:
    """Whether it is; the person is told why not."""
    try:
        mapping.set_rule(
            company=row.company, matched_by=row.matched_by, value=row.value, category=category, actor=actor(request)
        )
    except Refused as refused:
        messages.error(request, f"{row}: {'; '.join(problem.message for problem in refused.problems)}.")
        return False
    return True


@admin.register(CategoryRule)
class CategoryRuleAdmin(OfCompanyAdmin):
    """What says which category a product belongs to; SKUs before the channel's categories, these before words of the name."""

    form = RuleForm
    list_display = ("value", "matched", "category_label", "actor", "made", "company")
    list_filter = (("matched_by", ChoicesDropdownFilter), COMPANY)
    search_fields = ("value", "category")
    ordering = ("-id",)
    fields = ("company", ("matched_by", "value"), "category")

    def get_readonly_fields(self, request: HttpRequest, obj: CategoryRule | None = None) -> tuple[str, ...]:
        return ("company", "matched_by", "value") if obj else ()  # what it looks for is the rule

    def save_model(self, request: HttpRequest, obj: CategoryRule, form: RuleForm, change: bool) -> None:
        category = form.cleaned_data["category"]
        obj.pk = mapping.set_rule(
            company=obj.company, matched_by=obj.matched_by, value=obj.value, category=category, actor=actor(request)
        ).pk

    def log_addition(self, request: HttpRequest, obj: CategoryRule, message: Any) -> None:
        """set_rule leaves an audit row."""

    log_change = log_addition

    @admin.display(description="looks at")
    def matched(self, rule: CategoryRule) -> str:
        return rule.get_matched_by_display()

    @admin.display(description="category")
    def category_label(self, rule: CategoryRule) -> str:
        return label_of(rule.category)

    @admin.display(description="said (UTC)")
    def made(self, rule: CategoryRule) -> str:
        return moment(rule.at)
