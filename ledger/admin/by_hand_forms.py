"""What a person says of an entry by hand, in major units. The forms save nothing: ledger/by_hand.py does."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from channels.manual import ManualPosting
from ledger.admin.rule_forms import listed
from ledger.by_hand import Draft
from salessync.core.models import Company
from salessync.core.money import MoneyError, to_minor
from salessync.core.problems import Problem

KINDS = [("correction", "Correction"), ("write_off", "Write-off"), ("breakage", "Breakage"), ("opening", "Opening balance"), ("other", "Other")]  # fmt: skip
LINES, MORE, MOST = 6, 6, 200
MAX_FILE = 1_000_000  # bytes; five thousand rows are a third of it


def day_input() -> UnfoldAdminTextInputWidget:
    """The browser's own picker."""
    return UnfoldAdminTextInputWidget(attrs={"type": "date"})


class OfCompany(forms.Form):
    """Hidden where there is only one."""

    company = forms.ModelChoiceField(Company.objects.order_by("slug"), widget=UnfoldAdminSelectWidget, empty_label=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        companies = list(Company.objects.values_list("pk", flat=True)[:2])
        if len(companies) == 1:
            self.fields["company"].widget = forms.HiddenInput()
            self.fields["company"].initial = companies[0]


class EntryForm(OfCompany):
    """The head of an entry. `id` is made with the empty form, so that sending it twice books it once."""

    id = forms.RegexField("^[A-Za-z0-9._-]{1,64}$", widget=forms.HiddenInput())
    date = forms.DateField(label="Day", widget=day_input())
    kind = forms.ChoiceField(choices=KINDS, widget=UnfoldAdminSelectWidget)
    reference = forms.CharField(
        required=False,
        max_length=1000,
        widget=UnfoldAdminTextInputWidget,
        help_text="what it corrects, or the voucher's number",
    )
    reason = forms.CharField(max_length=1000, widget=UnfoldAdminTextInputWidget, help_text="kept for the auditor")

    def draft(self, postings: list[ManualPosting]) -> Draft:
        """Of a form that is valid."""
        found = self.cleaned_data
        return Draft(
            date=found["date"], reason=found["reason"], postings=postings, kind=found["kind"],
            reference=found["reference"] or None, id=found["id"],
        )  # fmt: skip


class OpeningForm(OfCompany):
    """A file, or its text where it was shown before."""

    date = forms.DateField(label="Balances at the end of", widget=day_input())
    file = forms.FileField(required=False, label="CSV file", widget=UnfoldAdminFileFieldWidget)
    text = forms.CharField(
        required=False,
        strip=False,
        label="or its text",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        file = cleaned.get("file")
        if file is not None:
            if file.size > MAX_FILE:
                self.add_error("file", f"It is larger than {MAX_FILE // 1000} kB.")
                return cleaned
            try:
                cleaned["text"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", "It is not UTF-8 text: save it as CSV UTF-8.")
        if not self.errors and not cleaned.get("text", "").strip():
            self.add_error("file", "Choose a file, or paste its text.")
        return cleaned


class ReasonForm(forms.Form):
    """Why an entry is undone."""

    reason = forms.CharField(max_length=1000, widget=UnfoldAdminTextInputWidget)


class Said(NamedTuple):
    """One line that is filled in. `number`: as people count them."""

    number: int
    values: dict[str, str]


def _text(limit: int = 1000, **attributes: str) -> forms.CharField:
    widget = listed(attributes.pop("list"), **attributes) if "list" in attributes else UnfoldAdminTextInputWidget(attrs=attributes)  # fmt: skip
    return forms.CharField(required=False, max_length=limit, widget=widget)


class LineForm(forms.Form):
    """One posting. `worth`: in base currency, where the line is in another one and the day's rate is not meant."""

    account = _text(200, list="rule-accounts", placeholder="Assets:Bank:Main")
    debit = _text(40, inputmode="decimal")
    credit = _text(40, inputmode="decimal")
    currency = _text(3)
    memo = _text()
    worth = _text(40, inputmode="decimal")
    location = _text()
    tax_code = _text(200, list="rule-taxes")
    category = _text(list="rule-categories")


class Lines(forms.BaseFormSet):
    """The lines of an entry; empty ones do not count."""

    def filled(self) -> Iterator[Said]:
        """Those in which something stands besides the currency."""
        self.is_valid()
        for number, form in enumerate(self.forms, 1):
            values = {name: (getattr(form, "cleaned_data", {}).get(name) or "").strip() for name in form.fields}
            if any(value for name, value in values.items() if name != "currency"):
                yield Said(number, values)

    def numbers(self) -> list[int]:
        """Posting's place → line."""
        return [line.number for line in self.filled()]

    def said(self, base: str) -> list[Problem]:
        """What cannot be read."""
        problems = [
            Problem("TOO_LONG", f"line {number}, {name}", " ".join(errors))
            for number, form in enumerate(self.forms, 1)
            for name, errors in form.errors.items()
        ]
        for line in self.filled():
            problems += _problems(line, base)
        return problems

    def postings(self, base: str) -> list[ManualPosting]:
        """Of lines that can be read."""
        return [_posting(line.values, base) for line in self.filled()]


LineFormSet = forms.formset_factory(LineForm, formset=Lines, extra=LINES, absolute_max=MOST, max_num=MOST)


def lines_with(data: Any, *, more: bool = False) -> Any:
    """The lines as they were sent, with empty ones after them if asked."""
    if more:
        data = data.copy()
        count = data.get("line-TOTAL_FORMS", "")
        data["line-TOTAL_FORMS"] = str(min(int(count) + MORE, MOST) if count.isascii() and count.isdigit() else LINES)
    return LineFormSet(data, prefix="line")


def _problems(line: Said, base: str) -> Iterator[Problem]:
    values, where = line.values, f"line {line.number}"
    if not values["account"]:
        yield Problem("MISSING_ACCOUNT", f"{where}, account", "the line has no account")
    sides = [side for side in ("debit", "credit") if values[side]]
    if len(sides) != 1:
        said = "both a debit and a credit" if sides else "neither a debit nor a credit"
        yield Problem("ONE_SIDE", where, f"the line has {said}: it should have one of them")
    for name, currency in (*((side, _currency(values, base)) for side in sides), ("worth", base)):
        if not values[name]:
            continue
        try:
            if to_minor(values[name], currency) < 0:
                yield Problem(
                    "NEGATIVE_AMOUNT", f"{where}, {name}", "a debit or credit has no sign: write it on the other side"
                )
        except MoneyError as error:
            how = ": write 1234.50" if error.code == "BAD_AMOUNT" else ""
            yield Problem(error.code, f"{where}, {name}", f"{error}{how}")


def _currency(values: dict[str, str], base: str) -> str:
    return values["currency"].upper() or base


def _posting(values: dict[str, str], base: str) -> ManualPosting:
    currency = _currency(values, base)
    sign = 1 if values["debit"] else -1
    return ManualPosting(
        account=values["account"], amount=sign * to_minor(values["debit"] or values["credit"], currency), currency=currency,
        base_amount=sign * to_minor(values["worth"], base) if values["worth"] else None,
        **{name: values[name] or None for name in ("memo", "location", "tax_code", "category")},
    )  # fmt: skip
