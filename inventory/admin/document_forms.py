"""What a person says of stock moved by hand. The forms save nothing: inventory/documents.py does."""

import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.http import QueryDict
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from inventory.documents import Line
from salessync.core.models import Company
from salessync.core.money import minor_digits
from salessync.core.problems import Problem, Refused

LINES, MORE, MOST = 4, 6, 200
_NUMBER = re.compile("[-−]?[0-9]{1,15}(?:[.][0-9]{1,12})?")
PLACE = {"list": "stock-places", "autocomplete": "off"}


class Kind(NamedTuple):
    """One way to move stock by hand. `units` heads the column of quantities; `counts`: what is there, not what moves."""

    title: str
    does: str
    units: str
    button: str
    counts: bool = False
    signed: bool = False
    priced: bool = False


KINDS = {
    "receipt": Kind("Receipt", "A delivery came: units are added, at what they cost.", "Came", "Receive", priced=True),
    "transfer": Kind("Transfer", "Units go from one of our locations to another.", "Units", "Transfer"),
    "count": Kind("Count", "What was counted on the shelf becomes what is on hand.", "Counted", "Set to what was counted", counts=True),
    "adjustment": Kind("Adjustment", "Broken, found, given away: units are added or, with a minus, taken off.", "Change", "Adjust", signed=True),
}  # fmt: skip


def _text(limit: int, **attributes: str) -> forms.CharField:
    return forms.CharField(required=False, max_length=limit, widget=UnfoldAdminTextInputWidget(attrs=attributes))


class HeadForm(forms.Form):
    """Where, and why. The reference is made with the empty form, so that sending it twice moves the stock once."""

    company = forms.ModelChoiceField(Company.objects.order_by("slug"), widget=UnfoldAdminSelectWidget, empty_label=None)
    location = forms.CharField(max_length=60, widget=UnfoldAdminTextInputWidget(attrs=PLACE))
    to = forms.CharField(max_length=60, label="To", widget=UnfoldAdminTextInputWidget(attrs=PLACE))
    reference = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget,
        help_text="the delivery note's or the count's number; a document of a kind has it once",
    )
    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextInputWidget, help_text="kept for the auditor")

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kind == "transfer":
            self.fields["location"].label = "From"
        else:
            del self.fields["to"]
        companies = list(Company.objects.values_list("pk", flat=True)[:2])
        if len(companies) == 1:
            self.fields["company"].widget = forms.HiddenInput()
            self.fields["company"].initial = companies[0]


class LineForm(forms.Form):
    """One product."""

    sku = _text(255, list="stock-skus", autocomplete="off")
    quantity = _text(30, inputmode="decimal")
    unit_cost = _text(30, inputmode="decimal")


class Lines(forms.BaseFormSet):
    """The lines of a document; empty ones do not count."""

    def read(self, company: Company, kind: Kind) -> list[Line]:
        """As inventory/documents.py takes them; Refused with what cannot be read."""
        problems = [
            Problem("TOO_LONG", f"line {number}, {name}", " ".join(errors))
            for number, form in enumerate(self.forms, 1)
            for name, errors in form.errors.items()
        ]
        lines = []
        for number, values in self._filled():
            where = f"line {number}"
            units = _decimal(values["quantity"])
            cost = _decimal(values["unit_cost"]) if kind.priced and values["unit_cost"] else None
            if units is None:
                problems.append(
                    Problem("BAD_QUANTITY", where, f"{values['quantity'][:20]!r} is not a quantity, as 3 or 0.5")
                )
            elif cost is None and kind.priced and values["unit_cost"]:
                problems.append(
                    Problem("BAD_AMOUNT", where, f"{values['unit_cost'][:20]!r} is not what a unit may cost, as 4.50")
                )
            else:
                minor = None if cost is None else cost.scaleb(minor_digits(company.base_currency))
                lines.append(Line(values["sku"], units, minor, where))
        if problems:
            raise Refused(*problems)
        return lines

    def _filled(self) -> Iterator[tuple[int, dict[str, str]]]:
        self.is_valid()
        for number, form in enumerate(self.forms, 1):
            values = {name: (getattr(form, "cleaned_data", {}).get(name) or "").strip() for name in form.fields}
            if any(values.values()):
                yield number, values


def _decimal(text: str) -> Decimal | None:
    """A plain number; not 1e9, not infinity."""
    return Decimal(text.replace("−", "-")) if _NUMBER.fullmatch(text) else None


_Formset = forms.formset_factory(LineForm, formset=Lines, extra=0, max_num=MOST, absolute_max=MOST)


def empty_lines(skus: list[str]) -> Lines:
    """With these products on the first ones."""
    initial = [{"sku": sku} for sku in skus] + [{}] * (LINES - len(skus))
    return _Formset(prefix="line", initial=initial)


def lines_with(data: QueryDict, *, more: bool = False) -> Lines:
    """What was sent, with more empty lines where they are wanted."""
    if more:
        data = data.copy()
        count = data.get("line-TOTAL_FORMS", "")
        data["line-TOTAL_FORMS"] = str(min(int(count) + MORE, MOST) if count.isascii() and count.isdigit() else LINES)
    return _Formset(data, prefix="line")


def new_reference(kind: str) -> str:
    """For a document that has no number of its own."""
    return f"{kind}-{uuid.uuid4().hex[:8]}"
