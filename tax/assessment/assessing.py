"""Computes the tax of what a batch brought and compares it with what the channels charged. Set-based, however many sales there are.

A refund is measured by its sale's own figures; it waits for its sale, and is assessed with it. What does not agree beyond the
tolerance is a difference (tax/assessment/differences.py).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec
from psycopg.types.json import Jsonb

from channels.families import FamilyWork
from channels.family import Member
from channels.refund import Refund
from channels.sale import Line, Sale
from channels.transactions import Stored
from salessync.core import bulk
from salessync.core.problems import Refused
from tax.assessment import asking, assessed_lines, differences, grounds, refunded
from tax.assessment.asking import Circumstances
from tax.assessment.assessed import Assessed, Row, lapsed, of_quote, refused
from tax.assessment.assessed_lines import GroundTexts
from tax.law.places import Place, UnknownPlace, site_of
from tax.law.ratebook import RateBook
from tax.models import Assessment
from tax.quoting import quote
from tax.quoting.request import Request
from tax.rates import books
from tax.rates.books import Book
from tax.seller import mapping, sellers
from tax.seller.category_rules import CategoryRules, Mapped
from tax.seller.mapping import Unmapped
from tax.seller.sellers import SellerFacts

_LAPSED = frozenset({"voided", "cancelled"})
_ENCODE = msgspec.json.Encoder().encode


class Wanted(NamedTuple):
    """A member of a family that is to be assessed: a sale, or a refund with its sale."""

    work: FamilyWork
    member: Member


def assess(works: Sequence[FamilyWork], stored: Stored) -> None:
    """Every changed sale and refund of the batch, and the refunds that waited for a sale that has come."""
    changed = {a.transaction_id for a in stored.accepted}
    wanted = [w for work in works for w in _wanted(work, changed, stored.created)]
    if not wanted:
        return
    rows = compute(wanted, books.current())
    differences.note(
        write(rows, new=stored.created), known_before={row.transaction_id for row in rows} - stored.created
    )


def sales_of(works: Iterable[FamilyWork]) -> list[Wanted]:
    """The sale of each family that reaches the books."""
    return [Wanted(work, sale) for work in works if (sale := _sale_of(work)) is not None]


def _sale_of(work: FamilyWork) -> Member | None:
    sale = work.family.sale
    return sale if sale is not None and isinstance(sale.record, Sale) and work.channel.posts(sale.record) else None


def _wanted(work: FamilyWork, changed: set[int], created: set[int]) -> Iterator[Wanted]:
    sale = _sale_of(work)
    if sale is None:
        return
    if sale.transaction_id in changed:
        yield Wanted(work, sale)
    for refund in work.family.refunds:
        if refund.transaction_id in changed or sale.transaction_id in created:
            yield Wanted(work, refund)


class Asked(NamedTuple):
    """A sale as a request, with what an answer is read by. `charged`: the channel's tax of each line of the result, major units."""

    wanted: Wanted
    sale: Sale
    request: Request
    categories: list[Mapped | None]
    charged: list[Decimal]
    seller: SellerFacts
    has_registrations: bool


def compute(wanted: Sequence[Wanted], book: Book, *, notes_unmapped: bool = True) -> list[Row]:
    """Their assessments by one book, from what is known of sellers, customers, products and places; what nobody mapped is queued."""
    rows = []
    for one in requests(wanted, book, notes_unmapped=notes_unmapped):
        if isinstance(one, Asked):
            try:
                done = quote.computed(one.request, book.book, charged_lines=one.charged)
            except Refused as error:
                found = refused(one.sale, error.problems)
            else:
                found = of_quote(one.sale, one.categories, done, has_registrations=one.has_registrations)
            rows.append(row_of(one.wanted, found, book.id, one.seller.tolerance))
        else:
            rows.append(one)
    return rows


def requests(wanted: Sequence[Wanted], book: Book, *, notes_unmapped: bool = True) -> Iterator[Asked | Row]:
    """Each sale as a request; a row at once for what needs none: a sale that lapsed, a refund."""
    companies = {w.work.channel.company_id for w in wanted}
    if not companies:
        return
    facts = sellers.load(companies, set(_customers(wanted)))
    rules = mapping.load(companies)
    if book.book.localities is not None:
        book.book.localities.prefetch(_postcodes(wanted))
    unmapped: list[Unmapped] = []
    for one in wanted:
        work, member = one
        seller = facts[work.channel.company_id]
        if isinstance(member.record, Refund):
            found = _of_refund(work, member)
            if found is not None:
                yield row_of(one, found, book.id, seller.tolerance)
        elif isinstance(member.record, Sale):
            sale = member.record
            if sale.status in _LAPSED:
                yield row_of(one, lapsed(sale), book.id, seller.tolerance)
                continue
            categories = [_category(line, rules[work.channel.company_id]) for line in sale.lines]
            unmapped += _unmapped(one, sale, categories)
            yield _asked(one, sale, categories, seller, book.book)
    if notes_unmapped:
        mapping.note_unmapped(unmapped)


def _asked(wanted: Wanted, sale: Sale, categories: list[Mapped | None], seller: SellerFacts, book: RateBook) -> Asked:
    registrations = seller.registrations_on(sale.business_date)
    request = asking.request_of(sale, categories, _circumstances(sale, seller, registrations, book))
    charged = [Decimal(sale.lines[n].tax).scaleb(-request.digits) for n in asking.order_of(sale)]
    return Asked(wanted, sale, request, categories, charged, seller, registrations is not None)


def row_of(wanted: Wanted, found: Assessed, book_id: int | None, tolerance: int) -> Row:
    """What was found, with what it is of."""
    work, member = wanted
    channel, record = work.channel_of(member), member.record
    return Row(
        channel.company_id, channel.id, member.transaction_id, work.versions[member.transaction_id], book_id, record.currency,
        record.business_date, tolerance, found, found.digest(),
    )  # fmt: skip


def _unmapped(wanted: Wanted, sale: Sale, categories: Sequence[Mapped | None]) -> Iterator[Unmapped]:
    for line, mapped in zip(sale.lines, categories, strict=True):
        if mapped is not None and mapped.by == "default" and (line.category or line.sku):
            by, value = ("category", line.category) if line.category else ("sku", line.sku)
            yield Unmapped(wanted.work.channel.company_id, by, value or "", line.name, wanted.member.transaction_id)


def _category(line: Line, rules: CategoryRules) -> Mapped | None:
    return rules.find(line.sku, line.category, line.name) if line.type in asking.MAPPED else None


def _circumstances(
    sale: Sale, seller: SellerFacts, registrations: frozenset[str] | None, book: RateBook
) -> Circumstances:
    here = seller.place_of(sale.source.location)
    return Circumstances(
        place=here, ship_from=here, registrations=registrations, is_exempt=_has_certificate(sale, seller, here, book)
    )


def _has_certificate(sale: Sale, seller: SellerFacts, here: Place | None, book: RateBook) -> bool:
    """For the place where the sale is taxed."""
    place = asking.place_of(sale.jurisdiction) or here
    if sale.customer is None or place is None or not seller.has_certificates(sale.customer.ref):
        return False
    try:
        codes = site_of(place, book, sale.business_date).jurisdictions
    except UnknownPlace:
        return False
    return seller.is_exempt(sale.customer.ref, codes, sale.business_date) is not None


def _of_refund(work: FamilyWork, member: Member) -> Assessed | None:
    """Measured after the refunds that happened before it; one that names no line has nothing to be measured by."""
    sale = work.family.sale
    assert sale is not None and isinstance(sale.record, Sale)
    refunds = [m for m in work.family.refunds if isinstance(m.record, Refund)]
    found = refunded.assess(sale.record, [m.record for m in refunds])  # type: ignore[misc]
    return dict(zip((m.transaction_id for m in refunds), found, strict=True)).get(member.transaction_id)


def _customers(wanted: Iterable[Wanted]) -> Iterator[tuple[int, str]]:
    for work, member in wanted:
        if isinstance(member.record, Sale) and member.record.customer and member.record.customer.ref:
            yield work.channel.company_id, member.record.customer.ref


def _postcodes(wanted: Iterable[Wanted]) -> set[str]:
    sales = [w.member.record for w in wanted if isinstance(w.member.record, Sale)]
    return {
        s.jurisdiction.postcode
        for s in sales
        if s.jurisdiction and s.jurisdiction.postcode and s.jurisdiction.country == "US"
    }


_COLUMNS = [
    ("id", "int8"), ("company_id", "int8"), ("channel_id", "int8"), ("transaction_id", "int8"), ("version_id", "int8"),
    ("provider", "text"), ("book_id", "int8"), ("is_degraded", "bool"), ("date", "date"), ("currency", "text"), ("country", "text"),
    ("region", "text"), ("place", "text"), ("treatment", "text"), ("verdict", "text"), ("net", "int8"), ("computed", "int8"),
    ("charged", "int8"), ("implied_rate", "numeric"), ("message", "text"), ("lines", "jsonb"), ("warnings", "jsonb"),
    ("digest", "bytea"),
]  # fmt: skip


def write(
    rows: Sequence[Row], *, new: Collection[int] = (), provider: str = "local", is_degraded: bool = False
) -> list[tuple[int, Row]]:
    """Store those that say something new, as those of `new` transactions do; returns them with their ids."""
    if not is_degraded:  # when a service was last away is to be known
        rows = _without_repeated(rows, new, provider)
    if not rows:
        return []
    ids = bulk.next_ids(Assessment, len(rows))
    known = grounds.ids({text for row in rows for text in assessed_lines.grounds(row.found.lines)})
    bulk.copy_in(
        "tax_assessment", _COLUMNS,
        (_values(id_, row, provider, is_degraded, known) for id_, row in zip(ids, rows, strict=True)),
    )  # fmt: skip
    return list(zip(ids, rows, strict=True))


def _without_repeated(rows: Sequence[Row], new: Collection[int], provider: str) -> Sequence[Row]:
    """Without what the last assessment of the same version said: its family is locked, so that nobody writes it meanwhile."""
    known = [row for row in rows if row.transaction_id not in new]
    if not known:
        return rows
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            SELECT a.version_id, a.digest FROM unnest(%s::bigint[], %s::bigint[]) AS w(transaction_id, version_id)
             CROSS JOIN LATERAL (
                   SELECT * FROM tax_assessment WHERE transaction_id = w.transaction_id AND version_id = w.version_id
                      AND provider = %s ORDER BY id DESC LIMIT 1) a
            """,
            [[row.transaction_id for row in known], [row.version_id for row in known], provider],
        )
        last = {version_id: bytes(digest) for version_id, digest in cursor.fetchall()}
    return [row for row in rows if last.get(row.version_id) != row.digest]


def _values(
    id_: int, row: Row, provider: str, is_degraded: bool, known: Mapping[GroundTexts, int]
) -> tuple[object, ...]:
    found = row.found
    return (
        id_, row.company_id, row.channel_id, row.transaction_id, row.version_id, provider, row.book_id, is_degraded, row.date,
        row.currency, found.country, found.region, found.place, found.treatment, found.verdict, found.net, found.computed,
        found.charged, found.implied_rate, found.message[:1000], Jsonb(assessed_lines.short(found.lines, known), dumps=_ENCODE),
        Jsonb(found.warnings, dumps=_ENCODE), row.digest,
    )  # fmt: skip
