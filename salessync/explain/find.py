"""From what a person has in hand to the transaction that it means: our id, a channel's id, a number, an entry, a receipt.

Each finder gives the transactions that the text may mean in its reading. A text that leads to several sales is
ambiguous, and nothing is guessed. Bank lines will have a finder of their own.
"""

import difflib
from collections.abc import Callable, Iterable

from django.db.models import Q, QuerySet

from channels.models import Channel, Transaction
from ledger.models import Delivery, JournalEntry
from salessync.core.models import Company
from salessync.explain import relatives

NEAR = 5  # candidates that are named where nothing is found
RECENT = 5000  # transactions among which they are looked for
MOST = 20  # transactions of one number; whoever has more of them needs another name

Finder = Callable[["QuerySet[Transaction]", str], "QuerySet[Transaction]"]


class NotFound(LookupError):
    """Nothing has this id; `near` are names of what looks like it."""

    def __init__(self, text: str, near: list[str]) -> None:
        super().__init__(f"nothing is known as {text!r}")
        self.near = near


class Ambiguous(LookupError):
    """Several things have this id; `candidates` say how each of them is named alone."""

    def __init__(self, text: str, candidates: list[str]) -> None:
        super().__init__(f"{text!r} may be any of {len(candidates)}")
        self.candidates = candidates


def one(text: str, *, company: Company | None = None) -> Transaction:
    """The one transaction (of several of one family the first) that the text means; NotFound or Ambiguous."""
    text = text.strip().replace("\x00", "")
    scope = Transaction.objects.select_related("channel__company")
    scope = scope.filter(company_id=company.pk) if company else scope
    found: dict[int, Transaction] = {}
    for finders in (FINDERS, LAST):
        for finder in finders if text and not found else ():
            found |= {t.pk: t for t in finder(scope, text)[:MOST]}
    stories: dict[str, Transaction] = {}
    for _, transaction in sorted(found.items()):
        stories.setdefault(relatives.family_of(transaction), transaction)
    if len(stories) > 1:
        raise Ambiguous(text, [name_of(t) for t in stories.values()])
    if not stories:
        raise NotFound(text, _near(scope, text))
    (transaction,) = stories.values()
    return transaction


def name_of(transaction: Transaction) -> str:
    """How it is called without doubt, and what it is."""
    t = transaction
    number = f" {t.number}" if t.number else ""
    return f"transaction:{t.pk}  {t.channel.slug}:{t.source_id}  {t.type}{number} of {t.business_date} ({t.channel.company.slug})"


def _by_our_id(scope: "QuerySet[Transaction]", text: str) -> "QuerySet[Transaction]":
    """1234 or transaction:1234."""
    number = _number(text.removeprefix("transaction:"))
    return scope.filter(pk=number) if number is not None else scope.none()


def _by_channel(scope: "QuerySet[Transaction]", text: str) -> "QuerySet[Transaction]":
    """main-shop:450789469."""
    slug, _, source_id = text.partition(":")
    return scope.filter(channel__slug=slug, source_id=source_id) if source_id else scope.none()


def _by_source_id(scope: "QuerySet[Transaction]", text: str) -> "QuerySet[Transaction]":
    """450789469: the channels and types are named, so that it is found by its unique index."""
    return scope.filter(channel__in=list(Channel.objects.values_list("pk", flat=True)), type__in=TYPES, source_id=text)


def _by_number(scope: "QuerySet[Transaction]", text: str) -> "QuerySet[Transaction]":
    """#1001, with or without its sign."""
    return scope.filter(number__in={text, f"#{text}", text.removeprefix("#")})


def _by_entry(scope: "QuerySet[Transaction]", text: str) -> "QuerySet[Transaction]":
    """entry:123, the entry's number; or acme:456, as Bookkeeper knows the entry."""
    kind, _, number = text.rpartition(":")
    known = _number(number)
    if known is None:
        return scope.none()
    entries = JournalEntry.objects.filter(Q(seq=known) if kind == "entry" else Q(pk=known, company__slug=kind))
    return scope.filter(pk__in=entries.values("transaction_id"))


def _by_acknowledgement(scope: "QuerySet[Transaction]", text: str) -> "QuerySet[Transaction]":
    """Bookkeeper's receipt."""
    return scope.filter(pk__in=Delivery.objects.filter(acknowledgement=text).values("entry__transaction_id"))


TYPES = ("sale", "refund", "charge", "payout", "dispute", "cash_session", "manual", "summary")
FINDERS: tuple[Finder, ...] = (_by_our_id, _by_channel, _by_source_id, _by_entry, _by_number)
LAST: tuple[Finder, ...] = (_by_acknowledgement,)  # reads the whole table


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _near(scope: "QuerySet[Transaction]", text: str) -> list[str]:
    """What was typed wrongly: ids and numbers of late that look like it, one for each sale."""
    names: dict[str, Transaction] = {}
    for transaction in scope.order_by("-pk")[:RECENT]:
        for name in (transaction.number, transaction.source_id, f"{transaction.channel.slug}:{transaction.source_id}"):
            if name:
                names.setdefault(name, transaction)
    like: Iterable[str] = difflib.get_close_matches(text, names, n=NEAR * 3)
    found = {names[name].family: names[name] for name in reversed(list(like))}
    return [name_of(t) for t in reversed(found.values())][:NEAR]
