"""The reports' pages: a form, a readable table that leads on to accounts, entries and transactions, and the same as CSV and JSON."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

from django import forms
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ledger import balances
from ledger.balances import Period, StillRolling
from ledger.models import Account
from ledger.reports import catalog, general_ledger, writing
from ledger.reports.catalog import CATALOG, Asked, CannotReport, Definition
from ledger.reports.general_ledger import Place
from ledger.reports.report import Column, Kind, Report
from salessync.core.forms import DayInput
from salessync.core.models import Company
from salessync.core.screens import money

PERMISSION = "ledger.view_journalentry"
WAIT_SECONDS = 5.0  # for the first adding up of a long journal
LINES = general_ledger.PAGE
SHOWN = 1_000  # rows on a page; the files have them all
TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
FIELDS = {
    "name": None,
    "by": "by",
    "account": "account",
    "from": "first",
    "to": "last",
}  # of CannotReport and of the form
ZEROS = ("opening", "closing", "balance", "net")  # columns that say 0.00; elsewhere nothing is easier to read


def urls(site: AdminSite) -> list[URLPattern]:
    """The list of reports is named as the sidebar names a model's."""
    return [
        path("reports/", site.admin_view(_for(site, index)), name="ledger_report_changelist"),
        path("reports/<slug:name>/", site.admin_view(_for(site, show)), name="ledger_report"),
    ]


def _for(site: AdminSite, view: Any) -> Any:
    def allowed(request: HttpRequest, **more: Any) -> HttpResponse:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        return view(site, request, **more)

    return allowed


class ReportForm(forms.Form):
    """What a report is asked; fields that it does not have are left out."""

    company = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    account = forms.CharField(required=False, max_length=200)
    first = forms.DateField(required=False, label="From", widget=DayInput)
    last = forms.DateField(required=False, label="To", widget=DayInput)
    by = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: Any, definition: Definition) -> None:
        super().__init__(data)
        self.companies = {company.slug: company for company in Company.objects.order_by("slug")}
        self.fields["company"].choices = [(company.slug, company.name) for company in self.companies.values()]
        self.fields["by"].choices = [(word, word.replace("_", " ").capitalize()) for word in definition.by]
        self.fields["account"].widget = UnfoldAdminTextInputWidget(attrs={"list": "accounts", "autocomplete": "off"})
        if not definition.from_day:
            self.fields["last"].label = "At the end of"
        if len(self.companies) == 1:
            self.fields["company"].widget = forms.HiddenInput()
        unwanted = {"by": definition.by, "account": definition.one_account, "first": definition.from_day}
        for name, wanted in unwanted.items():
            if not wanted:
                del self.fields[name]

    def asked(self) -> Asked:
        """Of a form that is valid."""
        found = self.cleaned_data
        accounts = [found["account"].strip()] if found.get("account", "").strip() else []
        return Asked(
            self.companies[found["company"]],
            Period(found.get("first"), found.get("last")),
            tuple(found.get("by", ())),
            accounts,
        )


class Cell(NamedTuple):
    """One value as people read it."""

    text: str
    style: str = ""
    url: str = ""


def index(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """Which reports there are."""
    context = {**site.each_context(request), "title": "Reports", "reports": CATALOG.values()}
    return TemplateResponse(request, "admin/ledger/reports/index.html", context)


def show(site: AdminSite, request: HttpRequest, name: str) -> HttpResponse:
    """One report, as asked in the address."""
    definition = CATALOG.get(name)
    if definition is None:
        raise Http404
    form = ReportForm(_asked_in(request, definition), definition)
    found: dict[str, Any] = {}
    nothing_asked = definition.one_account and not request.GET
    if not nothing_asked and form.is_valid():
        try:
            found = _made(request, definition, form.asked())
        except CannotReport as error:
            form.add_error(FIELDS[error.field] if FIELDS[error.field] in form.fields else None, str(error))
        except StillRolling as error:
            found = {"rolling": str(error)}
    if "answer" in found:
        return found["answer"]
    if request.GET.get("format") in TYPES:
        return HttpResponse(
            _complaints(form, found), status=503 if "rolling" in found else 400, content_type="text/plain"
        )
    context = {
        **site.each_context(request), "title": definition.title, "definition": definition, "form": form,
        "accounts": Account.objects.values_list("code", flat=True).order_by("code").distinct() if definition.one_account else (),
        "links": {kind: f"?{_query(form.data, format=kind)}" for kind in TYPES}, **found,
    }  # fmt: skip
    return TemplateResponse(request, "admin/ledger/reports/report.html", context)


def _asked_in(request: HttpRequest, definition: Definition) -> Any:
    """What the address says; on the first look the month until today and the first company."""
    data = request.GET.copy()
    if not data:
        today = timezone.now().date()
        data["first"], data["last"] = today.replace(day=1).isoformat(), today.isoformat()
    if "company" not in data:
        data["company"] = Company.objects.order_by("slug").values_list("slug", flat=True).first() or ""
    if "by" not in data:
        data.setlist("by", list(definition.usual))
    return data


def _complaints(form: forms.Form, found: dict[str, Any]) -> str:
    told = [f"{field}: {error}" for field, errors in form.errors.items() for error in errors]
    return "\n".join([*told, *([found["rolling"]] if "rolling" in found else [])]) + "\n"


def _query(data: Any, **more: str) -> str:
    kept = [(key, value) for key in data for value in data.getlist(key) if key not in ("format", "after", "through")]
    return urlencode([*kept, *more.items()])


def _made(request: HttpRequest, definition: Definition, asked: Asked) -> dict[str, Any]:
    balances.catch_up(asked.company, seconds=WAIT_SECONDS)
    kind = request.GET.get("format")
    if kind in TYPES:
        return {"answer": _file(catalog.make(definition.name, asked), kind)}
    if definition.one_account:
        return _ledger_page(request, asked)
    report = catalog.make(definition.name, asked)
    rows = list(report.rows)
    tie = report.tie()
    return _table(report, rows[:SHOWN], report.totals, asked) | {"more": max(len(rows) - SHOWN, 0), "tie": tie}


def _file(report: Report, kind: str) -> StreamingHttpResponse:
    lines: Iterable[str] = writing.as_csv(report) if kind == "csv" else writing.as_json(report)
    if kind == "csv":
        lines = _marked(lines)
    response = StreamingHttpResponse(lines, content_type=TYPES[kind])
    days = "-".join(str(day) for day in (report.first, report.last) if day)
    name = "-".join(filter(None, [report.company, report.name, days]))
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response["Cache-Control"] = "no-store"
    return response


def _marked(lines: Iterable[str]) -> Iterator[str]:
    """With the mark by which a spreadsheet knows that it is UTF-8."""
    yield "\ufeff"
    yield from lines


# --- the general ledger, a page at a time


def _ledger_page(request: HttpRequest, asked: Asked) -> dict[str, Any]:
    account = catalog.account(asked)
    catalog.check(CATALOG["general-ledger"], asked)
    through, after = _place(request, balances.last_entry(asked.company))
    found = general_ledger.page(
        company=asked.company, account=account, period=asked.period, after=after, limit=LINES, through=through
    )
    report = general_ledger.report(company=asked.company, account=account, period=asked.period)
    opening = general_ledger.opening(found, asked.period)
    if after:
        opening = [row._replace(text="Brought forward", date=None) for row in opening]
    closing = [] if found.after else general_ledger.closing(
        company=asked.company, account=account, period=asked.period, through=through
    )  # fmt: skip
    rows = [*opening, *found.rows, *closing]
    return _table(report, rows, [], asked) | {
        "tie": None if found.after else _closes(found, closing, report),
        "next": _next(request, found.after, through) if found.after else "",
    }


def _closes(found: general_ledger.Page, closing: Sequence[Any], report: Report) -> Any:
    """The last page's running balance beside the kept sums."""
    last = found.rows[-1].base_balance if found.rows else sum(worth for _, worth in found.before.values())
    return general_ledger.tied(last, closing[-1].base_balance if closing else 0, report.base_currency)


def _place(request: HttpRequest, newest: int) -> tuple[int, Place | None]:
    """As of which entry, and where to go on, as _next wrote it; from the beginning where somebody else did."""
    through, after = request.GET.get("through", ""), request.GET.get("after", "").split("_")
    try:
        day, entry, leg = after
        place = Place(date.fromisoformat(day), int(entry), int(leg))
        known = 0 < place.entry <= int(through) <= newest and 0 < place.leg <= general_ledger.LAST_LEG
        return (int(through), place) if known else (newest, None)
    except ValueError:
        return newest, None


def _next(request: HttpRequest, after: Place, through: int) -> str:
    return "?" + _query(request.GET, through=str(through), after=f"{after.day}_{after.entry}_{after.leg}")


# --- cells


def _columns(report: Report, rows: Sequence[Any]) -> list[Column]:
    """Those that tell something: the files have all."""
    return [column for column in writing.shown(report) if column.name in report.by or _tells(column, rows)]


def _tells(column: Column, rows: Sequence[Any]) -> bool:
    if column.name == "business_date":
        return any(row.business_date != row.date for row in rows if row.business_date)
    return column.kind != Kind.TEXT or not rows or any(getattr(row, column.name) for row in rows)


def _table(report: Report, rows: Sequence[Any], totals: Sequence[Any], asked: Asked) -> dict[str, Any]:
    columns = _columns(report, rows)
    return {
        "report": report,
        "columns": [Cell(writing.title(column, report.base_currency), _style(column)) for column in columns],
        "rows": [[_cell(report, row, column, asked) for column in columns] for row in rows],
        "totals": [[_cell(report, row, column, asked) for column in columns] for row in totals],
    }


def _style(column: Column) -> str:
    """The class of the column's cells: figures to the right, days in one piece."""
    if column.kind in writing.RIGHT:
        return "n"
    return "whitespace-nowrap" if column.kind == Kind.DATE else ""


def _cell(report: Report, row: Any, column: Column, asked: Asked) -> Cell:
    value = getattr(row, column.name)
    style = _style(column)
    if value is None or (value == 0 and column.kind == Kind.MONEY and column.name not in ZEROS):
        return Cell("", style)
    if column.kind in (Kind.MONEY, Kind.BASE):
        currency = row.currency if column.kind == Kind.MONEY else report.base_currency
        return Cell(money(value, currency, with_currency=False), style)
    return Cell(str(value), style, _url(row, column, asked) if column.leads_to else "")


def _url(row: Any, column: Column, asked: Asked) -> str:
    if column.leads_to == "general-ledger":
        if ":" not in row.account:  # a line of sums
            return ""
        first, last = asked.period
        query = {"company": asked.company.slug, "account": row.account, "first": first or "", "last": last or ""}
        return f"{reverse('admin:ledger_report', args=['general-ledger'])}?{urlencode(query)}"
    name, pk = {
        "entry": ("ledger_journalentry", "entry_id"),
        "transaction": ("channels_transaction", "transaction_id"),
    }[column.leads_to]
    found = getattr(row, pk)
    return reverse(f"admin:{name}_change", args=[found]) if found else ""
