"""The rates and rules in the database as a book that calculations use, now or as it was. Each process keeps what it built last."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection

from salessync.core import bulk
from tax.law.boundaries import rates_label
from tax.law.ratebook import DeliveryRule, Rate, RateBook, Rule
from tax.law.seed import seed
from tax.models import BookVersion, Dataset
from tax.rates import precedence
from tax.rates.localities import StoredLocalities
from tax.rates.precedence import DELIVERIES, RATES, RULES, Kind

_KEPT = 3  # books of tens of thousands of rates: the current one, and those that somebody looks back to
_FACT = "jurisdiction_id, lower(days), upper(days), scope, source, verified_on, confidence, note"
_building = threading.Lock()


class Book(NamedTuple):
    """`id` of the BookVersion; None: nothing was ever activated, and the seed is used as it comes."""

    id: int | None
    book: RateBook


def current() -> Book:
    """The book of what is active now; one query tells whether it is still the one that was built last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, made_at FROM tax_bookversion ORDER BY id DESC LIMIT 1")
        row = cursor.fetchone()
    return Book(row[0], _kept(*row)) if row else Book(None, seed())


def of(book_id: int | None) -> Book:
    """The book that a calculation used; BookVersion.DoesNotExist where there is none of that id."""
    if book_id is None:
        return Book(None, seed())
    made_at = BookVersion.objects.values_list("made_at", flat=True).get(pk=book_id)
    return Book(book_id, _kept(book_id, made_at))


def with_dataset(dataset: Dataset) -> Book:
    """The book that activating the dataset would make; built anew each time."""
    return Book(None, _made(f"with-{dataset.pk}", precedence.standing_with(dataset)))


def _kept(book_id: int, made_at: datetime) -> RateBook:
    """One thread builds it and the others wait; the time makes it another book where a database was set up anew."""
    with _building:
        return _built(book_id, made_at)


@lru_cache(maxsize=_KEPT)
def _built(book_id: int, made_at: datetime) -> RateBook:
    return _made(f"book-{book_id}", BookVersion.objects.values_list("datasets", flat=True).get(pk=book_id))


def _made(version: str, standing: Sequence[int]) -> RateBook:
    places = seed()
    localities = StoredLocalities(standing) if _has_boundaries(standing) else None
    book = RateBook(
        version=version, rates=_rates(standing), rules=_rules(standing), deliveries=_deliveries(standing),
        countries=places.countries.values(), regions=places.regions.values(), territories=places.territories,
        localities=localities,
    )  # fmt: skip
    if localities:
        localities.label = rates_label(book)
    return book


def _has_boundaries(standing: Sequence[int]) -> bool:
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM tax_combination WHERE dataset_id = ANY(%s::bigint[]))", [standing])
        return bool(cursor.fetchall()[0][0])


def _rows(kind: Kind, columns: str, standing: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """In the order of their files, in which a document names its taxes; equal texts, numbers and days are one object."""
    same: dict[Any, Any] = {}
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {_FACT}, {columns} FROM ({precedence.counting(kind)}) counting ORDER BY id
            """,  # noqa: S608
            {"standing": list(standing)},
        )
        for row in cursor:
            yield tuple(
                [v if v.__class__ is bool else same.setdefault(v, v) for v in row]
            )  # False equals a Decimal of 0


def _rates(standing: Sequence[int]) -> Iterable[Rate]:
    for j, starts, ends, scope, source, verified, confidence, note, tax, category, rate, treatment, sourcing in _rows(
        RATES, "tax, category, trim_scale(rate), treatment, sourcing", standing
    ):
        yield Rate(
            jurisdiction=j, starts=starts, ends=ends, scope=scope, source=source, verified_on=verified, confidence=confidence, note=note,
            tax=tax, category=category, rate=rate, treatment=treatment, sourcing=sourcing,
        )  # fmt: skip


def _rules(standing: Sequence[int]) -> Iterable[Rule]:
    fields = ("tax", "category", "semantic", "lower", "upper", "rate", "currency", "delivery_counts", "holiday")
    columns = "tax, category, semantic, trim_scale(lower), trim_scale(upper), trim_scale(rate), currency, delivery_counts, holiday"
    for row in _rows(RULES, columns, standing):
        yield Rule(**_fact(row), **dict(zip(fields, row[8:], strict=True)))


def _deliveries(standing: Sequence[int]) -> Iterable[DeliveryRule]:
    for row in _rows(DELIVERIES, "rule", standing):
        yield DeliveryRule(**_fact(row), rule=row[8])


def _fact(row: tuple[Any, ...]) -> dict[str, Any]:
    names = ("jurisdiction", "starts", "ends", "scope", "source", "verified_on", "confidence", "note")
    return dict(zip(names, row[:8], strict=True))
