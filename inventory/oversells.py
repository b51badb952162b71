"""What is done for a customer who was sold what was not there: one person decides, once, and it can be taken back."""

from django.db import transaction
from django.db.models.functions import Now

from inventory.models import Oversell
from salessync.core import audit

DECISIONS = {
    "backorder": "they wait until it is there again",
    "substitute": "they get something else",
    "refund": "they get their money back",
}


class UnableToDecide(ValueError):
    """The message says why, in words that follow "Nothing was changed:"."""


def decide(oversell: Oversell, decision: str, actor: str, note: str) -> None:
    """Say what is done. UnableToDecide for what is no decision, for a substitute that nobody names, and where somebody decided already.

    Stock and books stay as they are: a refund that is made in the channel comes from there, and brings back what it restocks.
    """
    note = note.strip()[:1000]
    if decision not in DECISIONS:
        raise UnableToDecide("choose what is done for the customer")
    if decision == "substitute" and not note:
        raise UnableToDecide("say in the note what they get instead")
    _change(oversell, "decided", actor, decision=decision, note=note)


def reopen(oversell: Oversell, actor: str) -> None:
    """Take the decision back that `oversell` shows; UnableToDecide where there is none, or another one by now."""
    if not oversell.decision:
        raise UnableToDecide("nothing was decided yet")
    _change(oversell, "reopened", actor, decision="", note="")


def _change(oversell: Oversell, action: str, actor: str, *, decision: str, note: str) -> None:
    seen = (
        {"decision": oversell.decision, "decided_at": oversell.decided_at} if action == "reopened" else {"decision": ""}
    )
    with transaction.atomic():
        changed = Oversell.objects.filter(pk=oversell.pk, **seen).update(
            decision=decision, note=note, decided_by=actor if decision else "", decided_at=Now() if decision else None
        )
        if not changed:
            raise UnableToDecide("somebody decided it meanwhile: look at it again")
        told = {"decision": decision or oversell.decision, "note": note or oversell.note}
        audit.record([(oversell.company_id, actor, action, "oversell", oversell.pk, told)])
    oversell.refresh_from_db()
