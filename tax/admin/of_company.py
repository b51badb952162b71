"""Settings that belong to a company, which stays the one they were made for."""

from typing import Any

from django.contrib.postgres.fields import DateRangeField
from django.db.models import Model
from django.http import HttpRequest
from unfold.contrib.filters.admin import RelatedDropdownFilter

from salessync.core.models import Company
from salessync.core.screens import AuditedAdmin, ListAdmin
from tax.admin.days import DaysField

COMPANY = ("company", RelatedDropdownFilter)


class OfCompanyAdmin(AuditedAdmin, ListAdmin):
    """The only company there is need not be chosen."""

    list_select_related: Any = ("company",)
    list_filter: Any = (COMPANY,)
    formfield_overrides = {DateRangeField: {"form_class": DaysField}}

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("company",) if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        companies = list(Company.objects.values_list("pk", flat=True)[:2])
        initial = {"company": companies[0]} if len(companies) == 1 else {}
        return initial | super().get_changeform_initial_data(request)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        for may in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
            if hasattr(getattr(field, "widget", None), may):
                setattr(field.widget, may, False)
        return field
