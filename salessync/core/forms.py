"""What forms of the admin share."""

from typing import Any

from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from salessync.core.models import Company


class DayInput(UnfoldAdminTextInputWidget):
    """The browser's own picker."""

    input_type = "date"


class Alone:
    """Mixed into an admin: its fields have no buttons that lead to other objects' forms."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        for may in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
            if hasattr(getattr(field, "widget", None), may):
                setattr(field.widget, may, False)
        return field


def only_company() -> dict[str, Any]:
    """A form's initial data: the only company there is need not be chosen."""
    companies = list(Company.objects.values_list("pk", flat=True)[:2])
    return {"company": companies[0]} if len(companies) == 1 else {}
