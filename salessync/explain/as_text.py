"""A chain for a terminal: from the bytes that came to the postings, each amount with the place that it came from."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from channels.models import Event, Transaction
from ledger.models import Delivery, DetailPosting, Posting
from salessync.core.money import MINOR_DIGITS, to_major
from salessync.explain.chain import Chain, Hop, Member, Version
from salessync.explain.relatives import Paid


def text(chain: Chain) -> Iterator[str]:
    """Line by line."""
    base = chain.company.base_currency
    yield f"{_head(chain.asked)}; {clean(chain.company.name)}, books in {base}"
    for member in chain.members:
        yield from ("", f"== {_head(member.transaction)}")
        for version in chain.versions:
            if version.transaction.pk == member.transaction.pk:
                yield from indented(_version(version))
        yield from indented(aligned(_parts(member, base)))
    for hop in chain.hops:
        yield from ("", *_hop(chain, hop))
    if not chain.hops:
        yield from ("", "Nothing is posted for it.")
    yield from _payouts(chain)
    if chain.of_summary:
        yield from ("", f"Its entries sum up {chain.of_summary} parts; explain a sale to see its own.")
    if len(chain.hops) + len(chain.settling) > 1:
        yield from ("", "== What all of it leaves")
        rows = [(code, _money(amount, currency)) for (code, currency), amount in chain.balances.items()]
        yield from indented(aligned(rows) if rows else ["every account is back at zero"])
    if chain.audit:
        yield from ("", "== Audit trail")
        rows = [(_moment(row.at), row.actor, row.action, f"{row.object_type} {row.object_id}") for row in chain.audit]
        yield from indented(aligned(rows))


def _head(t: Transaction) -> str:
    number = f" {t.number}" if t.number else ""
    name = f"{t.type.replace('_', ' ').capitalize()}{number}"
    states = [word.replace("_", " ") for word in (t.status, t.payment_status) if word]
    return clean(
        ", ".join([name, f"{t.channel.slug}:{t.source_id}", str(t.business_date), _money(t.total, t.currency), *states])
    )


def _version(version: Version) -> Iterator[str]:
    yield clean(f"version {version.row.version}{', current' if version.current else ''}")
    rows: list[Sequence[str]] = []
    if version.event:
        rows += _event(version.event)
    redacted = "; the person was taken out later" if version.row.redacted_at else ""
    rows.append(("record", _moment(version.row.created_at), f"sha256 {bytes(version.row.digest).hex()}{redacted}"))
    if version.problems is not None:
        rows += [("check", "", f"{p.code} {p.path} {p.message}") for p in version.problems]
        rows += [("checks", "", "every one holds")] if not version.problems else []
    yield from indented(aligned(rows))


def _event(event: Event) -> list[Sequence[str]]:
    size = f"{event.size} bytes{', purged since' if event.purged_at else ''}"
    copies = f", came {event.copies} times" if event.copies > 1 else ""
    how = f"{event.mode} {event.topic} of {event.channel.slug}, event {event.pk}, {event.state}{copies}"
    return [
        ("received", _moment(event.received_at), how),
        ("", "", f"{size}, sha256 {bytes(event.body_sha256).hex()}"),
        ("stored", _moment(event.stored_at), ""),
    ]


def _parts(member: Member, base: str) -> Iterator[Sequence[str]]:
    currency = member.transaction.currency
    for x in member.lines:
        amounts = (
            f"gross {_plain(x.gross, currency)}, discount {_plain(x.discount, currency)}, tax {_plain(x.tax, currency)}"
        )
        what = " ".join(word for word in (x.type, x.sku, x.name) if word)
        yield f"line {x.line_id}", f"{_decimal(x.quantity)} {what}", _plain(x.net, currency), amounts
    for tax in member.taxes:
        yield (
            "tax",
            f"{tax.code} on line {tax.line_id}",
            _plain(tax.amount, currency),
            f"remitted by {tax.collector}",
        )
    if (found := member.assessment) and found.computed is not None:
        verdict = (found.verdict or "not judged").replace("_", " ")
        yield "tax by law", verdict, _plain(found.computed, currency), found.message
    for x in member.tenders:
        through = " ".join(word for word in (x.processor, x.reference, x.card) if word)
        yield f"tender {x.tender_id}", f"{x.type}, {x.status}", _plain(x.amount, currency), through
    for m in member.movements:
        cost = f"cost {_money(m.cost, base)}" if m.cost is not None else ""
        held = f", reserved {_signed(m.reserved)}" if m.reserved else ""
        yield "stock", f"{_signed(m.on_hand)} {m.product} at {m.location}{held}", _moment(m.created_at), cost


def _hop(chain: Chain, hop: Hop) -> Iterator[str]:
    base = chain.company.base_currency
    t = hop.transaction
    about = f"{t.type.replace('_', ' ')} {t.number or t.source_id}"
    if not hop.summarized:
        day = f" of {hop.row.business_date}" if hop.entry and hop.entry.date != hop.row.business_date else ""
        yield clean(f"== Entry {hop.entry.seq} on {hop.entry.date}{day} for {about}, {_moment(hop.row.created_at)}")
    else:
        where = f"in entry {hop.entry.seq} on {hop.entry.date}" if hop.entry else "in no entry yet"
        yield clean(f"== Part of a summary, {where}, for {about}, {_moment(hop.row.created_at)}")
    rows = []
    for p in sorted(hop.postings, key=lambda p: (p.amount < 0, p.leg)):
        side = "Dr" if p.amount >= 0 else "Cr"
        worth = _money(abs(p.base_amount), base) if p.currency != base else ""
        rows.append((side, p.account.code, _money(abs(p.amount), p.currency), worth, p.path, _said(chain, hop, p)))
    yield from indented(aligned(rows))
    yield from indented([_delivery(hop.delivery)])


def _said(chain: Chain, hop: Hop, posting: Posting | DetailPosting) -> str:
    """What the record says at that place."""
    found = chain.origin(hop, posting.path)
    if found is None or not found.place.exact:
        return ""
    value = found.place.value
    currency = posting.currency if found.transaction.type == "manual" else found.transaction.currency
    elsewhere = f" of {found.transaction.type}" if found.transaction.pk != hop.transaction.pk else ""
    where = f"{found.place.path}{elsewhere}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{where} = {_money(value, currency)}"
    return f"{where} = {value}" if value is not None else where


def _delivery(delivery: Delivery | None) -> str:
    if delivery is None:
        return "Bookkeeper: nothing to deliver"
    tries = f"{delivery.attempts} attempt{'' if delivery.attempts == 1 else 's'}"
    if delivery.state == Delivery.State.ACKNOWLEDGED:
        return clean(
            f"Bookkeeper: acknowledged {_moment(delivery.acknowledged_at)} as {delivery.acknowledgement}, {tries}"
        )
    return clean(f"Bookkeeper: {delivery.get_state_display().lower()}, {tries}, {delivery.error or 'no error'}")


def _payouts(chain: Chain) -> Iterator[str]:
    payouts: dict[int, list[Paid]] = {}
    for paid in chain.paid_by:
        payouts.setdefault(paid.payout.pk, []).append(paid)
    for id_, lines in payouts.items():
        yield from ("", f"== Paid by {_head(lines[0].payout)}")
        yield from indented(aligned(_payout_line(paid) for paid in lines))
        for hop in chain.settling:
            if hop.transaction.pk == id_:
                yield from indented(_hop(chain, hop))
    if chain.pays:
        yield from ("", "== What it pays")
        yield from indented(aligned(_payout_line(paid) for paid in chain.pays))


def _payout_line(paid: Paid) -> Sequence[str]:
    line, currency = paid.line, paid.payout.currency
    amounts = f"gross {_plain(line.gross, currency)}, fee {_plain(line.fee, currency)}"
    of = f"{paid.of.type} {paid.of.number or paid.of.source_id}" if paid.of else "nothing that we know"
    sale = f" of sale {paid.sale.number or paid.sale.source_id}" if paid.sale and paid.sale != paid.of else ""
    named = f"{of}{sale}" if line.reference else ""
    return f"line {line.line_id}", line.category, _money(line.net, currency), amounts, named


# --- how it looks


def clean(told: str) -> str:
    """A vendor's text moves no cursor."""
    return "".join(c if c.isprintable() else "�" for c in told)


def indented(lines: Iterable[str]) -> Iterator[str]:
    """Two spaces in."""
    return (f"  {line}" for line in lines)


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """In columns, amounts to the right."""
    cells = [[clean(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in cells]


def _money(minor: int, currency: Any) -> str:
    return f"{_plain(minor, currency)} {currency}"


def _plain(minor: int, currency: Any) -> str:
    return to_major(minor, currency) if currency in MINOR_DIGITS else f"{minor} minor units"


def _decimal(value: Any) -> str:
    return f"{value.normalize():f}"


def _signed(value: Any) -> str:
    return f"{value.normalize():+f}"


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC" if at else ""
