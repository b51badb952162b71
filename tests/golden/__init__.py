"""Golden cases: `<adapter>/<case>/event.json` is a vendor's payload, `records.jsonl` what it must become, `entry.txt` the journal
entries that these records call for, as a bookkeeper reads them.

A payload that must be refused has `problems.txt` instead, one `CODE path` a line. `case.json` says how the payload comes
(`topic`, `channel`, `timezone`, `jurisdiction`) and what the case shows (`shows`). Payloads are our own, in the documented shape.
`python -m tests.golden` writes the expectations anew; what it wrote is read against canonical.md before it is committed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from channels import adapter, canonical, checks, payload
from channels.adapter import Context, Ignored
from channels.canonical import AnyRecord
from channels.cash_session import CashSession
from channels.charge import Charge
from channels.dispute import Dispute
from channels.family import Member, family_key, gather
from channels.manual import Manual
from channels.payout import Payout
from channels.record import Jurisdiction
from ledger import drawer, recipes, settlement
from ledger.legs import Leg, Legs, Policy
from ledger.settlement import Booked, Known
from salessync.core.money import to_major
from salessync.core.problems import Refused

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """One folder."""

    folder: Path

    @property
    def vendor(self) -> str:
        return self.folder.parent.name

    @property
    def name(self) -> str:
        return f"{self.vendor}/{self.folder.name}"

    @property
    def settings(self) -> dict[str, Any]:
        path = self.folder / "case.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    @property
    def topic(self) -> str | None:
        return self.settings.get("topic")

    @property
    def body(self) -> bytes:
        return (self.folder / "event.json").read_bytes()

    def context(self) -> Context:
        settings = self.settings
        place = settings.get("jurisdiction")
        return Context(
            channel=settings.get("channel", "main-shop"),
            timezone=settings.get("timezone", "UTC"),
            day_cut_hour=settings.get("day_cut_hour", 0),
            jurisdiction=msgspec.convert(place, Jurisdiction) if place else None,
        )

    def outcome(self) -> dict[str, str]:
        """File name → text: what this payload becomes now."""
        try:
            parsed = payload.parse(self.body)
            records = adapter.get(self.vendor).normalize(parsed, self.topic, self.context())
        except Refused as refused:
            return {"problems.txt": "".join(f"{p.code} {p.path}\n" for p in refused.problems)}
        except Ignored:
            return {"records.jsonl": ""}
        found = {"records.jsonl": "".join(canonical.encode(r).decode() + "\n" for r in records)}
        entries = _entries([r for r in records if not r.source.test], self.context().channel)
        return found | ({"entry.txt": entries} if entries else {})

    def expected(self) -> dict[str, str]:
        """File name → text: what is written beside the payload."""
        paths = [self.folder / name for name in ("records.jsonl", "problems.txt", "entry.txt")]
        return {p.name: p.read_text(encoding="utf-8") for p in paths if p.is_file()}


def _entries(records: list[AnyRecord], channel: str) -> str:
    """What stands in the journal for these records: family by family, then what settles them; empty where they call for nothing."""
    families: dict[str, list[Member]] = {}
    for number, record in enumerate(records):
        if record.record_type in ("sale", "refund", "charge"):
            families.setdefault(family_key(record), []).append(Member(number, record))
    policy = Policy(channel)
    booked: dict[int, Legs] = {}
    for members in families.values():
        booked |= recipes.postings(gather(members), policy)
    known = _known(records, booked)
    for number, record in enumerate(records):
        if record.record_type not in ("sale", "refund", "charge") and not checks.check(record):
            booked[number] = _settled(record, known, policy)
    return "\n".join(_entry(records[number], legs) for number, legs in booked.items() if legs)


def _settled(record: AnyRecord, known: dict[str, Known], policy: Policy) -> Legs:
    """In books kept in the record's own currency."""
    if isinstance(record, Payout):
        return settlement.payout_legs(record, known, policy, record.currency, None)
    if isinstance(record, Dispute):
        charged = known.get(record.tender_reference or "", Known()).booked
        clearing = charged.account if charged else policy.clearing(record.source.adapter)
        return settlement.dispute_legs(record, clearing, policy)
    if isinstance(record, CashSession):
        return drawer.cash_session_legs(record, policy)
    assert isinstance(record, Manual)
    return settlement.manual_legs(record)


def _known(records: list[AnyRecord], booked: dict[int, Legs]) -> dict[str, Known]:
    """What a payout's lines can know: of the records of the same payload only."""
    tenders = {
        leg.path: (leg, records[number].currency)
        for number, legs in booked.items()
        for leg in legs
        if leg.path.startswith("tenders/")
    }
    found: dict[str, Known] = {}
    for record in records:
        id_ = record.source.id
        if isinstance(record, Charge):
            leg, currency = tenders.get(f"tenders/{id_}", (None, ""))
            of = Booked(leg.account, currency, leg.amount, leg.amount) if leg else None
            found[id_] = Known(of, tuple(record.fees))
        elif isinstance(record, Dispute):
            found[id_] = Known(dispute_fee=settlement.booked_fee(record))
        elif isinstance(record, Payout):
            found.setdefault(id_, Known(failed=record, failed_known=found))
    return found


def _entry(record: AnyRecord, legs: list[Leg]) -> str:
    if not any(leg.currency for leg in legs):
        assert sum(leg.amount for leg in legs) == 0, "an entry that does not balance"
    else:
        assert sum(leg.base or 0 for leg in legs) == 0, "an entry that does not balance in the company's currency"
    lines = [
        f"{record.record_type} {record.source.number or record.source.id}, {record.business_date}, {record.currency}"
    ]
    for leg in sorted(legs, key=lambda leg: leg.amount < 0):
        currency = leg.currency or record.currency
        what = " · ".join(part for part in (leg.path, leg.tax_code, leg.category, leg.currency) if part)
        lines.append(f"  {leg.account:<44}{to_major(leg.amount, currency):>14}  {what}")
    return "\n".join(lines) + "\n"


def cases(vendor: str = "*") -> list[Case]:
    """Every case of one adapter, or of all of them."""
    return [Case(path.parent) for path in sorted(FOLDER.glob(f"{vendor}/*/event.json"))]
