"""Sales and refunds whose tax is not what it should be: opened by assessments, closed by later ones, or accepted by a person."""

from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models.functions import Now

from salessync.core import audit, bulk
from tax.assessment.assessed import Row
from tax.models import TaxDifference


class NotPossible(ValueError):
    """Somebody else was faster, or nothing says why; the message is for the person."""


def note(written: Sequence[tuple[int, Row]], *, known_before: Collection[int]) -> None:
    """Open what differs beyond the tolerance, and close what no longer does; one that was accepted stays so while it is the same."""
    differing = {row.transaction_id: (id_, row) for id_, row in written if row.found.differs(row.tolerance)}
    agreeing = [
        row.transaction_id
        for _, row in written
        if row.transaction_id in known_before and row.transaction_id not in differing
    ]
    if not differing and not agreeing:
        return
    with bulk.binary_cursor() as cursor:
        if differing:
            cursor.execute(
                """
                INSERT INTO tax_taxdifference AS d (company_id, channel_id, transaction_id, assessment_id, verdict, amount, currency,
                       country, region, message, state, closed_by, note)
                SELECT n.*, 'open', '', '' FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[],
                       %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[]) AS n
                ON CONFLICT (transaction_id) DO UPDATE SET
                       assessment_id = EXCLUDED.assessment_id, verdict = EXCLUDED.verdict, amount = EXCLUDED.amount,
                       country = EXCLUDED.country, region = EXCLUDED.region, message = EXCLUDED.message,
                       opened_at = CASE WHEN d.state = 'gone' THEN now() ELSE d.opened_at END,
                       state = CASE WHEN d.state = 'accepted' AND d.verdict = EXCLUDED.verdict AND d.amount = EXCLUDED.amount
                                    THEN 'accepted' ELSE 'open' END,
                       closed_at = CASE WHEN d.state = 'accepted' AND d.verdict = EXCLUDED.verdict AND d.amount = EXCLUDED.amount
                                        THEN d.closed_at END
                """,
                [
                    list(column)
                    for column in zip(*(_columns(id_, row) for _, (id_, row) in sorted(differing.items())), strict=True)
                ],
            )
        if agreeing:
            cursor.execute(
                "UPDATE tax_taxdifference SET state = 'gone', closed_at = now() WHERE transaction_id = ANY(%s) AND state <> 'gone'",
                [sorted(agreeing)],
            )


def _columns(assessment_id: int, row: Row) -> tuple[object, ...]:
    found = row.found
    assert found.computed is not None
    return (
        row.company_id, row.channel_id, row.transaction_id, assessment_id, found.verdict, found.charged - found.computed,
        row.currency, found.country, found.region, found.message[:1000],
    )  # fmt: skip


def accept(difference: TaxDifference, actor: str, note: str) -> None:
    """What was charged stays as it is; NotPossible without a reason, or where it is not open."""
    if not note.strip():
        raise NotPossible("say why it is accepted as charged")
    _decide(difference, actor, TaxDifference.State.OPEN, TaxDifference.State.ACCEPTED, note.strip()[:1000])


def reopen(difference: TaxDifference, actor: str) -> None:
    """Take the acceptance back; NotPossible where there is none."""
    _decide(difference, actor, TaxDifference.State.ACCEPTED, TaxDifference.State.OPEN, "")


def _decide(difference: TaxDifference, actor: str, before: str, after: str, note: str) -> None:
    with transaction.atomic():
        is_closed = after != TaxDifference.State.OPEN
        changed = TaxDifference.objects.filter(pk=difference.pk, state=before).update(
            state=after, note=note, closed_at=Now() if is_closed else None, closed_by=actor if is_closed else ""
        )
        if not changed:
            raise NotPossible("it is no longer in that state: look at it again")
        audit.record(
            [
                (
                    difference.company_id,
                    actor,
                    after,
                    "tax difference",
                    difference.pk,
                    {"note": note, "verdict": difference.verdict},
                )
            ]
        )
    difference.refresh_from_db()
