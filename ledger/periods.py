"""Closing the books up to a day, and opening them again. What is late goes to the first open day and keeps its own date.

Both hold the company's row, which every writer of the journal holds from numbering its entries until the commit: so nothing can be
booked on a day while it is being closed, and the database refuses an entry on a closed one (migration 0004).
"""

from datetime import date

from django.db import transaction

from ledger import summaries
from ledger.models import PeriodChange
from salessync.core import audit
from salessync.core.models import Company
from salessync.core.problems import Problem, Refused

_NO_REASON = Problem("MISSING_REASON", "reason", "say why: an auditor will ask")


def close(*, company: Company, through: date, actor: str, reason: str) -> PeriodChange:
    """No entry is booked on `through` or before from now on; Refused where it is closed that far already, or no reason is given.

    What channels in summary have gathered for those days is posted before.
    """
    if not reason.strip():
        raise Refused(_NO_REASON)
    summaries.post_through(company.pk, through)
    with transaction.atomic():
        before = _held(company)
        if before is not None and through <= before:
            raise Refused(Problem("PERIOD_CLOSED", "through", f"the books are closed through {before} already"))
        return _change(company, PeriodChange.Action.CLOSED, through, before, actor, reason)


def reopen(*, company: Company, through: date | None, actor: str, reason: str) -> PeriodChange:
    """The days after `through` (None: all) are open again; what was booked later for them stays where it is."""
    with transaction.atomic():
        before = _held(company)
        if before is None or (through is not None and through >= before):
            what = f"the books are closed through {before}" if before else "no day is closed"
            raise Refused(Problem("PERIOD_OPEN", "through", f"{what}: there is nothing to open after {through}"))
        return _change(company, PeriodChange.Action.REOPENED, through, before, actor, reason)


def _held(company: Company) -> date | None:
    """The last closed day, with the company's row locked until the commit."""
    return Company.objects.select_for_update().get(pk=company.pk).closed_through


def _change(
    company: Company, action: str, through: date | None, before: date | None, actor: str, reason: str
) -> PeriodChange:
    reason = reason.strip()
    if not reason:
        raise Refused(_NO_REASON)
    Company.objects.filter(pk=company.pk).update(closed_through=through)
    change = PeriodChange.objects.create(
        company=company, action=action, closed_through=through, before=before, actor=actor, reason=reason
    )
    data = {"through": _text(through), "before": _text(before), "reason": reason}
    audit.record([(company.pk, actor, f"period {action}", "period", change.pk, data)])
    return change


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
