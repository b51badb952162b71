"""Account rules: told as sentences, added and ended only after a page that shows what changes in the books."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from unfold.contrib.filters.admin import DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from ledger import account_rules, mapping, rebuild
from ledger.account_rules import UnableToChange
from ledger.admin import rule_preview
from ledger.admin.rule_forms import EndForm, RuleForm, proposals
from ledger.mapping import Rules
from ledger.models import AccountRule
from ledger.rebuild import Scope
from salessync.core.forms import Alone, only_company
from salessync.core.models import AuditRow, Company
from salessync.core.screens import ListAdmin, actor, link

POST_SECONDS = 4.0  # of posting in the request; a worker does the rest
HISTORY = 50

STATE_COLOURS = {"holds": "success", "coming": "info", "ended": "", "withdrawn": ""}


class Step(NamedTuple):
    """A change that was shown and may now be made: its sentence, what it makes of the rules, and where it tells in the books."""

    company: Company
    sentence: str
    supposed: Mapping[int, Rules]
    scope: Scope
    warnings: list[str]
    values: dict[str, str]  # what the page sends once more
    later: date | None  # the day for "only what comes from now on", where that is something else
    back: str


class StateFilter(DropdownFilter):
    """Those that hold today."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("holds", "in force today"), ("coming", "not yet"), ("over", "ended or withdrawn")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AccountRule]) -> QuerySet[AccountRule]:
        today = timezone.now().date()
        over = Q(valid_to__lt=today) | Q(valid_to__lt=F("valid_from"))
        if self.value() == "holds":
            return queryset.filter(valid_from__lte=today).exclude(over)
        if self.value() == "coming":
            return queryset.filter(valid_from__gt=today).exclude(over)
        return queryset.filter(over) if self.value() == "over" else queryset


def state_of(rule: AccountRule, today: date) -> tuple[str, str]:
    """For machines and for people."""
    if rule.valid_to is not None and rule.valid_to < rule.valid_from:
        return "withdrawn", "withdrawn"
    if rule.valid_to is not None and rule.valid_to < today:
        return "ended", "ended"
    return ("holds", "in force") if rule.valid_from <= today else ("coming", f"from {rule.valid_from}")


@admin.register(AccountRule)
class AccountRuleAdmin(Alone, ListAdmin):
    """Where a leg goes instead of the chart's account. A rule is never edited: it is ended, and another one made."""

    form = RuleForm
    list_display = ("told", "state", "company")
    list_filter = (StateFilter, ("channel", RelatedDropdownFilter), ("company", RelatedDropdownFilter))
    list_select_related = ("company", "channel", "account")
    search_fields = ("category", "tax_code", "role", "account__code")
    search_help_text = "category, tax code or account"
    ordering = ("-valid_from", "-id")
    fieldsets = (
        ("What", {"fields": (("company", "channel"), ("kind", "category"), ("tax_code", "role"))}),
        ("Where it goes, and when", {"fields": ("account_code", ("valid_from", "valid_to"))}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: AccountRule | None = None) -> bool:
        return False  # what was posted by it is explained by it

    @admin.display(description="rule")
    def told(self, rule: AccountRule) -> str:
        return mapping.sentence(account_rules.as_rule(rule))

    @display(description="state", label=STATE_COLOURS)
    def state(self, rule: AccountRule) -> tuple[str, str]:
        return state_of(rule, timezone.now().date())

    # --- a new one

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return only_company() | super().get_changeform_initial_data(request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            form = self._form(request)
            if form.sound:
                return self._decide(request, self._adding(form), lambda step: self._add(request, form, step))
        return super().add_view(request, form_url, {"proposals": proposals()} | (extra_context or {}))

    def _form(self, request: HttpRequest) -> RuleForm:
        """What was said; from now on, where that was chosen."""
        data = request.POST.copy()
        if "_later" in data and (company := Company.objects.filter(pk=_number(data.get("company"))).first()):
            data["valid_from"] = account_rules.untouched_from(company, timezone.now()).isoformat()
        return self.get_form(request)(data)

    def _adding(self, form: RuleForm) -> Step:
        rule, row = form.rule(), form.instance
        later = account_rules.untouched_from(row.company, timezone.now())
        offered = rule.valid_from < later and (rule.valid_to is None or later <= rule.valid_to)
        values = {name: form[name].data or "" for name in form.fields}
        return Step(
            row.company, mapping.sentence(rule), account_rules.supposing(row.company, added=rule),
            Scope(row.company_id, row.channel_id, rule.valid_from, rule.valid_to), mapping.warnings(rule), values,
            later if offered else None, f"{reverse('admin:ledger_accountrule_add')}?{urlencode(values)}",
        )  # fmt: skip

    def _add(self, request: HttpRequest, form: RuleForm, step: Step) -> AccountRule:
        row = form.instance
        row.account = account_rules.account_named(row.company, row.account.code)
        return account_rules.add(rule=row, actor=actor(request), sentence=step.sentence)

    # --- ending one

    def get_readonly_fields(self, request: HttpRequest, obj: AccountRule | None = None) -> tuple[str, ...]:
        return ("id",) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: AccountRule | None = None) -> Any:
        return ((None, {"fields": ("id",)}),) if obj else self.fieldsets

    def get_form(
        self, request: HttpRequest, obj: AccountRule | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        return super().get_form(request, obj, change, **kwargs | ({"form": forms.ModelForm} if obj else {}))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        rule = self.get_object(request, object_id)
        if rule is None or request.method != "POST":
            return super().change_view(request, object_id, form_url, extra_context)
        if not self.has_change_permission(request, rule):
            raise PermissionDenied
        form = EndForm(_ending_data(request, rule), rule=rule)
        if form.is_valid():
            last = form.cleaned_data["valid_to"]
            return self._decide(request, self._ending(rule, last), lambda step: self._end(request, rule, last, step))
        messages.error(request, f"It does not end so: {form.errors['valid_to'][0]}.")
        return redirect("admin:ledger_accountrule_change", rule.pk)

    def _ending(self, row: AccountRule, last: date | None) -> Step:
        rule = account_rules.as_rule(row)
        ended = rule._replace(valid_to=last)
        days = [day for day in (rule.valid_to, last) if day is not None]
        later = account_rules.untouched_from(row.company, timezone.now()) - timedelta(days=1)
        offered = (
            last is not None
            and last < later
            and rule.valid_from <= later
            and (row.valid_to is None or later < row.valid_to)
        )
        return Step(
            row.company, mapping.sentence(ended), account_rules.supposing(row.company, ended=ended),
            Scope(row.company_id, row.channel_id, min(days) + timedelta(days=1), max(days) if len(days) == 2 else None), [],
            {"valid_to": last.isoformat() if last else ""}, later if offered else None,
            reverse("admin:ledger_accountrule_change", args=[row.pk]),
        )  # fmt: skip

    def _end(self, request: HttpRequest, row: AccountRule, last: date | None, step: Step) -> AccountRule:
        return account_rules.end(rule=row, valid_to=last, actor=actor(request), sentence=step.sentence)

    # --- both: shown first, then done

    def _decide(self, request: HttpRequest, step: Step, carry_out: Any) -> HttpResponse:
        if not request.POST.keys() & {"_post", "_later"}:
            return self._preview(request, step)
        try:
            with transaction.atomic():
                rule = carry_out(step)
                asked = rebuild.ask(scope=step.scope, reason=step.sentence, actor=actor(request), rule=rule)
        except IntegrityError:
            messages.error(request, "Somebody else made a rule with these conditions meanwhile: nothing was saved.")
            return redirect(step.back)
        except UnableToChange as error:
            messages.error(request, str(error))
            return redirect(step.back)
        try:
            rebuild.go_on(asked, seconds=POST_SECONDS)
        except OperationalError:  # somebody holds what it needs; what it posted so far is kept
            asked.refresh_from_db()
        messages.success(request, f"{step.sentence} {rule_preview.outcome(asked)}")
        return redirect("admin:ledger_accountrule_change", rule.pk)

    def _preview(self, request: HttpRequest, step: Step) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "What changes",
            "opts": self.model._meta,
            "step": step,
            **rule_preview.of(step.company, step.scope, step.supposed),
        }
        return TemplateResponse(request, "admin/ledger/accountrule/preview.html", context)

    # --- the page of one

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: AccountRule | None = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            self.change_form_template = "admin/ledger/accountrule/rule.html"
            context |= self._page(request, obj)
        else:
            self.change_form_template = "admin/ledger/accountrule/change_form.html"
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def _page(self, request: HttpRequest, row: AccountRule) -> dict[str, Any]:
        rule, (state, said) = account_rules.as_rule(row), state_of(row, timezone.now().date())
        return {
            "rule": row,
            "sentence": mapping.sentence(rule),
            "state": said,
            "colour": STATE_COLOURS[state],
            "kind": mapping.KINDS.get(row.kind, row.kind),
            "account": link("ledger_account", row.account_id, row.account.code),
            "ending": EndForm(rule=row, initial={"valid_to": row.valid_to.isoformat() if row.valid_to else ""}),
            "before_first": row.valid_from - timedelta(days=1),
            "may_end": self.has_change_permission(request, row),
            "history": AuditRow.objects.filter(object_type="accountrule", object_id=row.pk).order_by("-pk")[:HISTORY],
            "rebuilds": [(r, rule_preview.outcome(r)) for r in row.rebuilds.order_by("-pk")[:HISTORY]],
        }


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


def _ending_data(request: HttpRequest, rule: AccountRule) -> dict[str, str]:
    """The last day that was said; that of now, or the day before the first, where a button says so."""
    if "_withdraw" in request.POST:
        return {"valid_to": (rule.valid_from - timedelta(days=1)).isoformat()}
    if "_later" in request.POST:
        now = account_rules.untouched_from(rule.company, timezone.now()) - timedelta(days=1)
        return {"valid_to": now.isoformat()}
    return {"valid_to": request.POST.get("valid_to", "")}
