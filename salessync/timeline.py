"""The story of a sale, payout, dispute, drawer or entry by hand as its page tells it: chain.py's facts in people's words."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.urls import reverse

from channels import canonical
from channels.admin.reading import body_lines, canonical_lines
from channels.charge import Charge
from channels.family import processor_of
from channels.models import Event, Line, Tender, Transaction, TransactionVersion
from ledger.models import Delivery, DetailPosting, JournalEntry, Posting
from salessync.core.json_lines import JsonLine
from salessync.core.screens import between, money, quantity
from salessync.explain import chain as chains
from salessync.explain import steps
from salessync.explain.chain import Chain, Hop, Member, Version
from salessync.explain.relatives import Paid
from salessync.explain.steps import Step
from tax.assessment.assessed import AGREES
from tax.models import Assessment, TaxLine

# What a record of this type says besides its lines: (field, how it is called); amounts are of the record's currency.
FACTS = {
    "charge": [("captured", "Captured"), ("amount", "Authorized")],
    "dispute": [("kind", "Kind"), ("amount", "Disputed"), ("fee", "Fee"), ("tender_reference", "Charge"), ("due_by", "Due by")],
    "payout": [("method", "Method"), ("arrival_date", "Arrives"), ("descriptor", "On the statement"), ("residual", "Residual")],
    "cash_session": [("opening_float", "Opening float"), ("takings", "Takings"), ("expected", "Expected"), ("counted", "Counted")],
    "manual": [("kind", "Kind"), ("reason", "Reason"), ("origin", "Origin"), ("reference", "Reference")],
    "summary": [("transactions", "Transactions"), ("details", "Differences")],
}  # fmt: skip
_COUNTS = frozenset({"transactions", "details"})


class VersionStory(NamedTuple):
    """One version of one member, from the bytes that came to Bookkeeper's receipt."""

    title: str
    transaction: Transaction
    version: TransactionVersion
    digest: str
    event: Event | None
    sha256: str
    body: list[JsonLine]
    record: list[JsonLine]
    steps: list[Step]
    total: str
    current: bool


class Leg(NamedTuple):
    """A posting as a bookkeeper reads it; `says` is what the record has at its path, `anchor` that place on the page."""

    account: str
    debit: str
    credit: str
    base: str
    detail: str
    path: str
    says: str
    anchor: str


class EntryStory(NamedTuple):
    """A journal entry (or a part of a summary) with its legs, its sums and its way to Bookkeeper."""

    entry: JournalEntry | None
    summarized: bool
    transaction: Transaction
    row: Any
    legs: list[Leg]
    more: int  # legs that are not shown
    debit: str
    credit: str
    base: str  # the base currency, where the entry is in another
    base_sum: str
    delivery: Delivery | None


class MemberStory(NamedTuple):
    """A member with its parts."""

    title: str
    transaction: Transaction
    total: str
    facts: list[tuple[str, str]]
    lines: list[dict[str, Any]]
    tenders: list[dict[str, Any]]
    taxes: list[dict[str, Any]]
    assessment: dict[str, Any] | None


class PayoutStory(NamedTuple):
    """A payout that pays a part of the family: its lines, their sum, and what its entries say of them."""

    transaction: Transaction
    total: str
    lines: list[dict[str, Any]]
    net: str
    entries: list[EntryStory]


class Balance(NamedTuple):
    """What all entries together leave on one account."""

    account: str
    debit: str
    credit: str


class Story(NamedTuple):
    """Everything that the page shows."""

    title: str
    members: list[MemberStory]
    versions: list[VersionStory]
    entries: list[EntryStory]
    balances: list[Balance]
    movements: list[dict[str, Any]]
    goods: bool  # whether any could move
    payouts: list[PayoutStory]
    pays: list[dict[str, Any]]
    audit: list[Any]
    net: list[str]
    of_summary: int


def of(transaction: Transaction) -> Story:
    """The story that the transaction is part of."""
    chain = chains.of(transaction, chains.PAGE)
    return Story(
        title=_title(transaction),
        members=_members(chain),
        versions=[_version(chain, version) for version in chain.versions],
        entries=[_entry(chain, hop) for hop in chain.hops],
        balances=[_balance(*key, amount) for key, amount in chain.balances.items()],
        movements=_movements(chain),
        goods=any(m.transaction.type in ("sale", "refund") for m in chain.members),
        payouts=_payouts(chain),
        pays=[_payout_line(paid) for paid in chain.pays],
        audit=chain.audit,
        net=_net(chain.members),
        of_summary=chain.of_summary,
    )


def _title(t: Transaction) -> str:
    return f"{t.type.replace('_', ' ').capitalize()} {t.number or t.source_id}"


def _members(chain: Chain) -> list[MemberStory]:
    sold = {line.line_id: line for m in chain.members if m.transaction.type == "sale" for line in m.lines}
    current = {v.transaction.pk: v for v in chain.versions if v.current}
    return [_member(m, sold, current.get(m.transaction.pk)) for m in chain.members]


def _member(member: Member, sold: dict[str, Line], version: Version | None) -> MemberStory:
    t = member.transaction
    return MemberStory(
        _title(t),
        t,
        money(t.total, t.currency),
        list(_facts(version)) if version else [],
        [_line(line, sold.get(line.line_id), t.currency) for line in member.lines],
        [_tender(tender, t.currency) for tender in member.tenders]
        + ([_charge(version)] if version and t.type == "charge" else []),
        [_tax(tax, sold.get(tax.line_id), t.currency) for tax in member.taxes],
        _assessment(member.assessment),
    )


def _assessment(found: Assessment | None) -> dict[str, Any] | None:
    if found is None:
        return None
    computed = money(found.computed, found.currency) if found.computed is not None else ""
    return {
        "verdict": (found.verdict or "not judged").replace("_", " "), "computed": computed, "message": found.message,
        "agrees": found.verdict in AGREES, "link": reverse("admin:tax_assessment_of", args=[found.transaction_id]),
    }  # fmt: skip


def _facts(version: Version) -> Iterable[tuple[str, str]]:
    for field, name in FACTS.get(version.transaction.type, ()):
        value = version.record.get(field)
        if isinstance(value, int) and field not in _COUNTS:
            value = money(value, version.record.get("currency"))
        if value not in (None, ""):
            yield name, str(value).replace("_", " ") if field == "kind" else str(value)


def _line(line: Line, sold: Line | None, currency: str) -> dict[str, Any]:
    """A refund's line says what it gives back by the id of the line that was sold."""
    amounts = {
        name: money(getattr(line, name), currency, with_currency=False) for name in ("gross", "discount", "net", "tax")
    }
    return {
        "id": line.line_id,
        "type": line.type,
        "sku": line.sku or (sold.sku if sold else ""),
        "name": line.name or (sold.name if sold else ""),
        "quantity": quantity(line.quantity),
    } | amounts


def _tender(tender: Tender, currency: str) -> dict[str, Any]:
    return {
        "type": tender.type,
        "card": tender.card,
        "status": tender.status,
        "processor": tender.processor,
        "reference": tender.reference or tender.tender_id,
        "amount": money(tender.amount, currency, with_currency=False),
        "tip": money(tender.tip, currency, with_currency=False) if tender.tip else "",
        "fee": "",
    }


def _charge(version: Version) -> dict[str, Any]:
    """The processor's side of a tender, as its newest record tells it."""
    charge = canonical.decode(bytes(version.row.record))
    assert isinstance(charge, Charge)
    fee = sum(f.amount for f in charge.fees)
    return {
        "type": charge.tender_type,
        "card": str(charge.card) if charge.card else "",
        "status": charge.status,
        "processor": processor_of(charge) or "",
        "reference": charge.reference or charge.source.id,
        "amount": money(charge.captured or charge.amount, charge.currency, with_currency=False),
        "tip": money(charge.tip, charge.currency, with_currency=False) if charge.tip else "",
        "fee": money(fee, charge.currency, with_currency=False) if fee else "",
    }


def _tax(tax: TaxLine, sold: Line | None, currency: str) -> dict[str, Any]:
    return {
        "line": (sold.name if sold else "") or tax.line_id,
        "code": tax.code,
        "jurisdiction": tax.jurisdiction,
        "rate": f"{quantity(tax.rate)} %" if tax.rate is not None else "",
        "collector": tax.collector,
        "amount": money(tax.amount, currency, with_currency=False),
    }


def _entry(chain: Chain, hop: Hop) -> EntryStory:
    base = chain.company.base_currency
    own = sorted(hop.postings, key=lambda p: (p.amount < 0, p.leg))
    return EntryStory(
        entry=hop.entry,
        summarized=hop.summarized,
        transaction=hop.transaction,
        row=hop.row,
        legs=[_leg(chain, hop, p) for p in own],
        more=hop.row.legs - len(own),
        debit=_sum(p for p in own if p.amount > 0),
        credit=_sum(p for p in own if p.amount < 0),
        base=base if any(p.currency != base for p in own) else "",
        base_sum=money(sum(p.base_amount for p in own), base, with_currency=False),
        delivery=hop.delivery,
    )


def _sum(postings: Iterable[Posting | DetailPosting]) -> str:
    """Σ of one side, by currency."""
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.currency] = sums.get(posting.currency, 0) + abs(posting.amount)
    return " + ".join(money(amount, currency) for currency, amount in sums.items())


def _leg(chain: Chain, hop: Hop, posting: Posting | DetailPosting) -> Leg:
    """Debit left, credit right."""
    amount = money(abs(posting.amount), posting.currency, with_currency=False)
    origin = chain.origin(hop, posting.path)
    value = origin.place.value if origin else None
    if origin and isinstance(value, int) and not isinstance(value, bool):
        own = posting.currency if origin.transaction.type == "manual" else origin.transaction.currency
        value = money(value, own)
    return Leg(
        posting.account.code,
        amount if posting.amount >= 0 else "",
        amount if posting.amount < 0 else "",
        money(posting.base_amount, chain.company.base_currency, with_currency=False),
        " · ".join(x for x in (posting.tax_code, posting.category, posting.location) if x),
        posting.path,
        "" if value is None else str(value),
        f"v{origin.version.row.pk}-{origin.place.path}" if origin and origin.version else "",
    )


def _balance(account: str, currency: str, amount: int) -> Balance:
    shown = money(abs(amount), currency)
    return Balance(account, shown if amount > 0 else "", shown if amount < 0 else "")


def _movements(chain: Chain) -> list[dict[str, Any]]:
    return [
        {
            "product": m.product,
            "location": m.location,
            "kind": m.get_kind_display(),
            "on_hand": steps.signed(m.on_hand),
            "reserved": steps.signed(m.reserved),
            "cost": money(m.cost, chain.company.base_currency),
            "at": m.created_at,
            "transaction": member.transaction,
        }
        for member in chain.members
        for m in member.movements
    ]


def _payouts(chain: Chain) -> list[PayoutStory]:
    own: dict[int, list[Paid]] = {}
    for paid in chain.paid_by:
        own.setdefault(paid.payout.pk, []).append(paid)
    return [
        PayoutStory(
            lines[0].payout,
            money(lines[0].payout.total, lines[0].payout.currency),
            [_payout_line(paid) for paid in lines],
            money(sum(paid.line.net for paid in lines), lines[0].payout.currency),
            [_entry(chain, hop) for hop in chain.settling if hop.transaction.pk == id_],
        )
        for id_, lines in own.items()
    ]


def _payout_line(paid: Paid) -> dict[str, Any]:
    currency = paid.payout.currency
    amounts = {name: money(getattr(paid.line, name), currency, with_currency=False) for name in ("gross", "fee", "net")}
    return {"line": paid.line, "of": paid.of, "sale": paid.sale if paid.sale != paid.of else None} | amounts


def _net(members: Sequence[Member]) -> list[str]:
    """What the customer paid in the end: the sale less its succeeded and pending refunds, by currency."""
    sums: dict[str, int] = {}
    sale = next((m.transaction for m in members if m.transaction.type == "sale"), None)
    for t in (member.transaction for member in members):
        if t is sale:
            sums[t.currency] = sums.get(t.currency, 0) + t.total
        elif t.type == "refund" and t.status in ("succeeded", "pending"):
            sums[t.currency] = sums.get(t.currency, 0) - t.total
    return [money(amount, currency) for currency, amount in sums.items()]


def _version(chain: Chain, version: Version) -> VersionStory:
    found = steps.of(chain, version)
    reached = [s.at for s in found if s.at and s.name != "Payout"]
    event = version.event
    return VersionStory(
        title=_title(version.transaction),
        transaction=version.transaction,
        version=version.row,
        digest=bytes(version.row.digest).hex(),
        event=event,
        sha256=bytes(event.body_sha256).hex() if event else "",
        body=body_lines(event) if event else [],
        record=canonical_lines(version.row.record),
        steps=found,
        total=between(reached[0], reached[-1]) if len(reached) > 1 else "",
        current=version.current,
    )
