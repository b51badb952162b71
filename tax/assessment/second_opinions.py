"""What an outside service says of sales that were assessed locally, for companies that have one. After the pipeline, never inside of it.

The last assessment decides whether there is a difference. While the service cannot be reached our own rates stand in, marked as
degraded, and it is asked again later. A sale that it refuses for what the sale is it refuses for good.
"""

import time
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from channels import families
from salessync.core import bulk
from salessync.core.locks import lock_families, lock_payouts
from salessync.core.problems import Problem
from tax.assessment import asking, assessing, consulting, differences
from tax.assessment.assessed import Row, of_quote
from tax.assessment.assessing import Asked
from tax.assessment.consulting import Consulted
from tax.models import TaxSetting
from tax.providers.answers import result_of
from tax.providers.provider import ACCESS_REFUSED
from tax.quoting.compare import compare
from tax.quoting.quote import Quote
from tax.rates import books
from tax.rates.books import Book

PIECE = 50
DAYS = 30  # services have no rates of days long past
AGAIN = timedelta(hours=1)  # until a service is asked again for what our own rates stood in for
INSIDE = ("local", "channel")
MAY_ANSWER_LATER = frozenset({"PROVIDER_UNREACHABLE", "UNKNOWN_PROVIDER", ACCESS_REFUSED})


def ask_due(*, seconds: float = 45.0) -> int:
    """Ask for what nobody asked yet, company by company, each sale once a run; returns how many sales got an answer."""
    deadline, asked = time.monotonic() + seconds, 0
    for setting in TaxSetting.objects.exclude(provider__in=INSIDE).select_related("company"):
        after = ""
        while time.monotonic() < deadline and (keys := _due(setting, after)):
            asked += _ask(setting, keys)
            after = keys[-1]
    return asked


def _due(setting: TaxSetting, after: str) -> list[str]:
    """The next families of sales without the service's word on their current version."""
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT DISTINCT t.family FROM channels_transaction t
              JOIN tax_assessment a ON a.transaction_id = t.id AND a.version_id = t.version_id AND a.provider = 'local'
             WHERE t.company_id = %s AND t.type = 'sale' AND t.business_date >= %s AND a.computed IS NOT NULL
               AND NOT EXISTS (
                   SELECT FROM tax_assessment o WHERE o.transaction_id = t.id AND o.version_id = t.version_id AND o.provider = %s
                      AND (NOT o.is_degraded OR o.created_at > %s))
               AND t.family > %s
             ORDER BY 1 LIMIT %s
            """,
            [
                setting.company_id,
                timezone.localdate() - timedelta(days=DAYS),
                setting.provider,
                timezone.now() - AGAIN,
                after,
                PIECE,
            ],
        )
        return [key for (key,) in cursor.fetchall()]


def _ask(setting: TaxSetting, keys: Sequence[str]) -> int:
    book = books.current()
    wanted = assessing.sales_of(families.stored(keys, []))
    asked = [one for one in assessing.requests(wanted, book, notes_unmapped=False) if isinstance(one, Asked)]
    answers = consulting.consult_all(
        setting, [asking.as_json(one.request) for one in asked], book=book.book, now=timezone.now()
    )
    rows = [_row(one, answer, book) for one, answer in zip(asked, answers, strict=True)]
    with transaction.atomic():
        lock_payouts([setting.company_id], exclusive=False)
        lock_families(keys)
        written = []
        for is_away in (False, True):
            those = [row for row, answer in zip(rows, answers, strict=True) if _is_away(answer) == is_away]
            written += assessing.write(those, provider=setting.provider, is_degraded=is_away)
        told = {row.transaction_id for row, answer in zip(rows, answers, strict=True) if not answer.is_degraded}
        differences.note([(id_, row) for id_, row in written if row.transaction_id in told], known_before=told)
    return len(rows)


def _is_away(consulted: Consulted) -> bool:
    """Whether it may answer another time: what it refuses of a sale it refuses for good."""
    return consulted.problem is not None and consulted.problem.code in MAY_ANSWER_LATER


def _row(one: Asked, consulted: Consulted, book: Book) -> Row:
    if consulted.answer is None:
        problem = consulted.problem or Problem("NO_ANSWER", "", "the service has no answer")
        return assessing.row_of(one.wanted, assessing.refused(one.sale, [problem]), book.id, one.seller.tolerance)
    answer = consulted.answer
    result = result_of(answer)
    charged = one.request.channel_tax
    assert charged is not None
    verdict = compare(result, charged, treatment=answer["treatment"], is_resolved=True, charged_lines=one.charged)
    quote = Quote(
        one.request, result, answer["treatment"], verdict, tuple(Problem(**warning) for warning in answer["warnings"]),
        (answer["treatment"],) * len(result.lines),
    )  # fmt: skip
    found = of_quote(one.sale, one.categories, quote, has_registrations=True)
    return assessing.row_of(one.wanted, found, book.id, one.seller.tolerance)
