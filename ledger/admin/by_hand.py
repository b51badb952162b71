"""Entries by hand: written line by line or uploaded as opening balances, shown before they are booked, undone and never edited."""

import re
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from channels import canonical
from channels.manual import Manual
from channels.models import Event, Transaction, TransactionVersion
from ledger import by_hand, opening
from ledger.admin.by_hand_forms import EntryForm, LineFormSet, OpeningForm, ReasonForm, lines_with
from ledger.admin.rule_forms import proposals
from ledger.by_hand import Preview, Submitted
from ledger.models import JournalEntry, Posting
from salessync.core.models import AuditRow
from salessync.core.problems import Problem, Refused
from salessync.core.screens import actor, link, moment, money

VIEW, CHANGE = "ledger.view_journalentry", "ledger.add_journalentry"
PAGE = 50
ON_THE_WAY = 100
UNPOSTED = (Event.State.NEW, Event.State.CLAIMED, Event.State.QUARANTINED, Event.State.DEAD, Event.State.WAITING)
STATE_COLOURS = {"posted": "success", "undone": "", "quarantined": "danger", "dead": "danger", "new": "info", "claimed": "info"}  # fmt: skip


class Shown(NamedTuple):
    """One entry of the list."""

    entry: Transaction
    record: Manual
    kind: str
    amount: str
    who: str
    numbers: list[tuple[int, int]]  # (id, number) of its journal entries


class Version(NamedTuple):
    """One version of an entry, and who made it."""

    number: str
    what: str
    reason: str
    who: str
    at: str
    event: Any


def urls(site: AdminSite) -> list[URLPattern]:
    """The list is named as the sidebar names a model's."""
    pages = (
        ("by-hand/", index, "changelist", VIEW),
        ("by-hand/add/", add, "add", CHANGE),
        ("by-hand/opening/", opening_balances, "opening", CHANGE),
        ("by-hand/<int:pk>/", show, "change", VIEW),
    )
    return [
        path(place, site.admin_view(_for(site, view, needed)), name=f"ledger_byhand_{name}")
        for place, view, name, needed in pages
    ]


def _for(site: AdminSite, view: Any, needed: str) -> Any:
    def allowed(request: HttpRequest, **more: Any) -> HttpResponse:
        if not request.user.has_perm(needed):
            raise PermissionDenied
        return view(site, request, **more)

    return allowed


def _page(site: AdminSite, request: HttpRequest, name: str, title: str, **more: Any) -> HttpResponse:
    context = {**site.each_context(request), "title": title, "may": request.user.has_perm(CHANGE), **more}
    return TemplateResponse(request, f"admin/ledger/byhand/{name}.html", context)


# --- the list


def index(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """What is on its way, and what is booked, the newest first."""
    booked = Transaction.objects.filter(channel__adapter="books", type="manual")
    pages = Paginator(booked.select_related("channel__company").order_by("-id"), PAGE)
    page = pages.get_page(request.GET.get("p"))
    waiting = Event.objects.filter(channel__adapter="books", state__in=UNPOSTED).select_related("channel")
    return _page(
        site, request, "list", "Entries by hand", entries=_shown(list(page)), page=page, colours=STATE_COLOURS,
        waiting=[(event, STATE_COLOURS.get(event.state, "warning")) for event in waiting.order_by("-id")[:ON_THE_WAY]],
    )  # fmt: skip


def _shown(entries: Sequence[Transaction]) -> list[Shown]:
    records = dict(
        TransactionVersion.objects.filter(pk__in=[e.version_id for e in entries]).values_list("pk", "record")
    )
    events = dict(TransactionVersion.objects.filter(pk__in=records).values_list("pk", "event_id"))
    who = _authors(events.values())
    numbers: dict[int, list[tuple[int, int]]] = {}
    journal = JournalEntry.objects.filter(transaction__in=[e.pk for e in entries]).order_by("seq")
    for owner, pk, seq in journal.values_list("transaction_id", "pk", "seq"):
        numbers.setdefault(owner, []).append((pk, seq))
    found = []
    for entry in entries:
        record = canonical.decode(bytes(records[entry.version_id]))
        assert isinstance(record, Manual)
        author = who.get(events[entry.version_id], _origin(record))
        amount, kind = money(record.amount, record.currency), record.kind.replace("_", " ")
        found.append(Shown(entry, record, kind, amount, author, numbers.get(entry.pk, [])))
    return found


def _authors(events: Any) -> dict[int, str]:
    """Event → who made the entry by hand, as the audit trail tells."""
    rows = AuditRow.objects.filter(object_type="byhand", object_id__in=list(events))
    return dict(rows.values_list("object_id", "actor"))


def _origin(record: Manual) -> str:
    return "Bookkeeper" if record.origin == "bookkeeper" else record.origin


# --- a new one


def add(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """The form; what would be booked; and booking it."""
    if request.method != "POST":
        form = EntryForm(initial={"date": timezone.now().date().isoformat(), "id": uuid.uuid4().hex[:12]})
        return _entry_form(site, request, form, LineFormSet(prefix="line"), [])
    if "_more" in request.POST:
        return _entry_form(site, request, EntryForm(request.POST), lines_with(request.POST, more=True), [], told=False)
    form, lines = EntryForm(request.POST), lines_with(request.POST)
    if not form.is_valid() or "_edit" in request.POST:
        return _entry_form(site, request, form, lines, [], told="_edit" not in request.POST)
    company = form.cleaned_data["company"]
    problems = lines.said(company.base_currency)
    try:
        if problems:
            raise Refused(*problems)
        draft = form.draft(lines.postings(company.base_currency))
        if "_post" in request.POST:
            return _booked(request, by_hand.submit(company=company, draft=draft, **_who(request)))
        found = by_hand.preview(company=company, draft=draft)
    except Refused as refused:
        return _entry_form(site, request, form, lines, [_placed(p, lines.numbers()) for p in refused.problems])
    values = [(name, value) for name, value in request.POST.items() if name not in ("csrfmiddlewaretoken", "_preview")]
    return _preview(site, request, found, company, values, reverse("admin:ledger_byhand_add"))


def _entry_form(
    site: AdminSite, request: HttpRequest, form: Any, lines: Any, problems: Sequence[Problem], *, told: bool = True
) -> HttpResponse:
    return _page(
        site, request, "entry", "New entry by hand", form=form, lines=lines, problems=problems, told=told, proposals=proposals()
    )  # fmt: skip


def _who(request: HttpRequest) -> dict[str, Any]:
    return {"actor": actor(request), "now": timezone.now()}


def _placed(problem: Problem, numbers: Sequence[int]) -> Problem:
    """Its place by the line of the form: postings count only lines that are filled in."""
    found = re.match(r"postings[\[/](\d+)\]?[./]?(\w*)", problem.path)
    if found is None or int(found[1]) >= len(numbers):
        return problem
    field = {"base_amount": "worth"}.get(found[2], found[2])
    return Problem(problem.code, f"line {numbers[int(found[1])]}{f', {field}' if field else ''}", problem.message)


def _preview(
    site: AdminSite, request: HttpRequest, found: Preview, company: Any, values: Any, action: str, **more: Any
) -> HttpResponse:
    record = found.record
    return _page(
        site, request, "preview", "What is booked", record=record, company=company, values=values, action=action,
        entry=_table(record, company.base_currency), booked_on=found.booked_on, new_accounts=found.new_accounts,
        late=found.booked_on != record.business_date, closed=found.booked_on - timedelta(days=1),
        ahead=record.business_date > timezone.now().date(), **more,
    )  # fmt: skip


def _table(record: Manual, base: str) -> dict[str, Any]:
    """The entry as byhand/legs.html shows it."""
    foreign = any(record.currency_of(posting) != base for posting in record.postings)
    legs = []
    for p in sorted(record.postings, key=lambda p: p.amount < 0):
        amount = money(abs(p.amount), record.currency_of(p))
        legs.append({
            "account": p.account, "detail": " · ".join(x for x in (p.memo, p.location, p.tax_code, p.category) if x),
            "debit": amount if p.amount >= 0 else "", "credit": amount if p.amount < 0 else "",
            "base": money(p.base_amount, base),
        })  # fmt: skip
    worths = [p.base_amount for p in record.postings]
    whole = None not in worths
    alike = {record.currency_of(p) for p in record.postings}
    debits = sum(p.amount for p in record.postings if p.amount > 0)
    total = money(debits, alike.pop()) if len(alike) == 1 else ""
    return {"legs": legs, "base": base if foreign and whole else "", "debit": total, "credit": total,
            "base_sum": money(sum(w or 0 for w in worths), base) if whole else ""}  # fmt: skip


def _booked(request: HttpRequest, done: Submitted) -> HttpResponse:
    if done.duplicate:
        messages.info(request, "That was booked before: nothing was booked a second time.")
    else:
        messages.success(
            request, "The entry is in the inbox; it is booked within moments. It stays in this list for good."
        )
    return redirect("admin:ledger_byhand_changelist")


# --- opening balances


def opening_balances(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """The upload; what would be booked; and booking it."""
    if request.method != "POST":
        return _opening_form(site, request, OpeningForm(), [])
    if "_edit" in request.POST:
        return _opening_form(site, request, OpeningForm(initial=request.POST.dict()), [])
    form = OpeningForm(request.POST, request.FILES)
    if not form.is_valid():
        return _opening_form(site, request, form, [])
    company, text, day = (form.cleaned_data[name] for name in ("company", "text", "date"))
    try:
        if "_post" in request.POST:
            return _booked(request, opening.bring_in(company=company, text=text, day=day, **_who(request)))
        found = opening.preview(company=company, text=text, day=day)
    except Refused as refused:
        return _opening_form(site, request, form, refused.problems)
    values = [("company", company.pk), ("date", day.isoformat()), ("text", text)]
    action = reverse("admin:ledger_byhand_opening")
    return _preview(site, request, found, company, values, action, former=opening.former(company))


def _opening_form(site: AdminSite, request: HttpRequest, form: Any, problems: Sequence[Problem]) -> HttpResponse:
    return _page(site, request, "opening", "Opening balances", form=form, problems=problems)


# --- one of them


def show(site: AdminSite, request: HttpRequest, pk: int) -> HttpResponse:
    """What it says, its versions, its journal entries; and undoing it."""
    entries = Transaction.objects.filter(channel__adapter="books", type="manual").select_related("channel__company")
    entry = get_object_or_404(entries, pk=pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST":
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        if form.is_valid():
            return _undo(request, entry, form.cleaned_data["reason"])
    record, base = by_hand.record_of(entry), entry.channel.company.base_currency
    return _page(
        site, request, "one", f"Entry by hand {entry.source_id}", stored=entry, record=record, form=form,
        entry=_table(record, base), versions=_versions(entry), journal=_journal(entry, base),
        undoable=not record.void and record.origin != "bookkeeper", origin=_origin(record),
    )  # fmt: skip


def _undo(request: HttpRequest, entry: Transaction, reason: str) -> HttpResponse:
    company = entry.channel.company
    try:
        done = by_hand.undo(company=company, id=entry.source_id, reason=reason, **_who(request))
    except Refused as refused:
        messages.error(request, "; ".join(problem.message for problem in refused.problems))
    else:
        told = (
            "It was undone before." if done.duplicate else "It is being undone: the inverse is booked within moments."
        )
        messages.success(request, told)
    return redirect("admin:ledger_byhand_change", entry.pk)


def _versions(entry: Transaction) -> list[Version]:
    stored = list(TransactionVersion.objects.filter(transaction=entry.pk).order_by("-id"))
    who = _authors(version.event_id for version in stored)
    found = []
    for version in stored:
        record = canonical.decode(bytes(version.record))
        assert isinstance(record, Manual)
        what = "undone" if record.void else record.kind.replace("_", " ")
        event = link("channels_event", version.event_id, version.event_id)
        author = who.get(version.event_id, _origin(record))
        found.append(Version(version.version, what, record.reason, author, moment(version.created_at), event))
    return found


def _journal(entry: Transaction, base: str) -> list[tuple[JournalEntry, list[dict[str, str]]]]:
    found = []
    for one in JournalEntry.objects.filter(transaction=entry.pk).order_by("seq"):
        legs = Posting.objects.filter(entry=one.pk).select_related("account").order_by("leg")
        found.append((one, [_leg(p) for p in sorted(legs, key=lambda p: p.amount < 0)]))
    return found


def _leg(posting: Posting) -> dict[str, str]:
    amount = money(abs(posting.amount), posting.currency)
    return {"account": link("ledger_account", posting.account_id, posting.account.code),
            "debit": amount if posting.amount >= 0 else "", "credit": amount if posting.amount < 0 else ""}  # fmt: skip
