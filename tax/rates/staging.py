"""Brings a file that was read into the database, beside what is active: nothing counts until it is activated (tax/rates/datasets.py)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from hashlib import sha256 as digest_of
from itertools import islice
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now
from psycopg.types.range import Range

from salessync.core import audit, bulk
from salessync.core.problems import Problem, Refused
from tax.law.ratebook import Fact
from tax.models import Combination, Dataset
from tax.rates import loaded_checks
from tax.rates.loaded import Loaded, LoadedBoundary, LoadedJurisdiction

_TOLD = 20  # problems in one refusal
_CHUNK = 20_000  # boundaries in memory at a time
_NAMES = ("code", "format", "version", "publisher", "licence", "attribution", "rank")

_FACT = [
    ("dataset_id", "int8"), ("jurisdiction_id", "varchar"), ("valid", "daterange"), ("scope", "varchar"), ("source", "varchar"),
    ("verified_on", "date"), ("confidence", "varchar"), ("note", "varchar"), ("is_active", "bool"),
]  # fmt: skip
_RATE = [
    ("tax", "varchar"),
    ("category", "varchar"),
    ("rate", "numeric"),
    ("treatment", "varchar"),
    ("sourcing", "varchar"),
]
_RULE = [
    ("tax", "varchar"), ("category", "varchar"), ("semantic", "varchar"), ("lower", "numeric"), ("upper", "numeric"), ("rate", "numeric"),
    ("currency", "varchar"), ("delivery_counts", "bool"), ("holiday", "varchar"),
]  # fmt: skip
_DELIVERY = [("rule", "varchar")]
_COMBINATION = [
    ("id", "int8"), ("dataset_id", "int8"), ("digest", "bytea"), ("jurisdictions", "varchar[]"), ("has_state", "bool"),
]  # fmt: skip
_BOUNDARY = [
    ("dataset_id", "int8"), ("zip5", "int4"), ("low", "int2"), ("high", "int2"), ("is_exact", "bool"), ("valid", "daterange"),
    ("combination_id", "int8"),
]  # fmt: skip


def stage(
    loaded: Loaded, *, file_name: str, sha256: str, actor: str, progress: Callable[[int], None] = lambda n: None
) -> Dataset:
    """The file as a dataset to be looked at; the one there is where the same file was brought before, unless it was discarded.

    `progress` hears how many boundaries are stored so far. Refused, and nothing stored, where the file contradicts itself or names a
    jurisdiction that nobody knows; what else is doubtful is the reader's to say, in `loaded.problems`.
    """
    with transaction.atomic():
        said = {name: getattr(loaded, name) for name in _NAMES} | {"file_name": file_name[-255:], "staged_by": actor}
        _refuse(loaded_checks.problems_of(loaded))
        dataset, is_new = Dataset.objects.get_or_create(code=loaded.code, sha256=sha256, defaults=said)
        if not is_new:
            dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
            if dataset.status != Dataset.Status.DISCARDED:
                return dataset
        said |= {"status": Dataset.Status.STAGED, "staged_at": Now(), "ended_at": None}
        said["counts"] = _store(dataset.pk, loaded, progress)
        said["problems"] = [{"code": p.code, "path": p.path, "message": p.message} for p in loaded.problems]
        Dataset.objects.filter(pk=dataset.pk).update(**said)
        dataset.refresh_from_db()
        told = {"code": dataset.code, "version": dataset.version, "file": dataset.file_name, "sha256": sha256}
        audit.record([(None, actor, "staged", "dataset", dataset.pk, told | {"counts": dataset.counts})])
    return dataset


def _store(dataset: int, loaded: Loaded, progress: Callable[[int], None]) -> dict[str, Any]:
    """Everything but the dataset itself; what there is of each kind. Refused where there is nothing."""
    _jurisdictions(loaded)
    _facts("tax_ratefact", dataset, _RATE, loaded.rates)
    _facts("tax_rulefact", dataset, _RULE, loaded.rules)
    _facts("tax_deliveryfact", dataset, _DELIVERY, loaded.deliveries)
    counts: dict[str, Any] = {
        "jurisdictions": len(loaded.jurisdictions), "rates": len(loaded.rates), "rules": len(loaded.rules),
        "deliveries": len(loaded.deliveries),
    }  # fmt: skip
    counts |= _boundaries(dataset, loaded.boundaries, progress)
    if not any(counts[kind] for kind in ("rates", "rules", "deliveries", "boundaries")):
        raise Refused(
            Problem("EMPTY_FILE", "file", "the file has no rate, no rule and no boundary that could be taken")
        )
    if loaded.covers:
        counts["covers"] = list(loaded.covers)
    return counts | {"left_out": loaded.left_out}


def _refuse(problems: Iterable[Problem]) -> None:
    """With the first of them."""
    if found := list(islice(problems, _TOLD)):
        raise Refused(*found)


def _jurisdictions(loaded: Loaded) -> None:
    """Those that are new; a name or FIPS code that the file knows and we do not know or know otherwise is taken over."""
    named = {place.parent for place in loaded.jurisdictions} | {
        fact.jurisdiction for fact in loaded_checks.facts(loaded)
    }
    _refuse(loaded_checks.unplaced(loaded, _known(named)))
    places: dict[str, LoadedJurisdiction] = {}
    for place in loaded.jurisdictions:
        if place.code not in places or not places[place.code].name:
            places[place.code] = place
    rows = [
        places[code] for code in sorted(places)
    ]  # in one order for everybody, so that two files do not wait for each other
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tax_jurisdiction AS j (code, parent_id, country, level, name, fips)
            SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
                ON CONFLICT (code) DO UPDATE SET name = COALESCE(NULLIF(excluded.name, ''), j.name),
                                                 fips = COALESCE(NULLIF(excluded.fips, ''), j.fips)
             WHERE excluded.name NOT IN ('', j.name) OR excluded.fips NOT IN ('', j.fips)
            """,
            [
                [p.code for p in rows], [p.parent or None for p in rows], [p.country for p in rows], [p.level for p in rows],
                [p.name for p in rows], [p.fips for p in rows],
            ],
        )  # fmt: skip


def _known(codes: Iterable[str]) -> set[str]:
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT code FROM tax_jurisdiction WHERE code = ANY(%s::text[])", [list(codes)])
        return {code for (code,) in cursor.fetchall()}


def _facts(table: str, dataset: int, columns: list[tuple[str, str]], facts: Sequence[Fact]) -> None:
    """In the order of the file, which is the order in which a document names its taxes."""
    fields = [name for name, _ in columns]
    bulk.copy_in(
        table, _FACT + columns,
        (
            (
                dataset, f.jurisdiction, Range(f.starts, f.ends), f.scope, f.source, f.verified_on, f.confidence, f.note, False,
                *(getattr(f, field) for field in fields),
            )
            for f in facts
        ),
    )  # fmt: skip


def _boundaries(dataset: int, boundaries: Iterable[LoadedBoundary], progress: Callable[[int], None]) -> dict[str, int]:
    """A chunk at a time, however many there are; each combination of jurisdictions once."""
    known = Combination.objects.filter(dataset_id=dataset).values_list(
        "has_state", "jurisdictions", "id"
    )  # it was discarded
    combinations = {(has_state, tuple(codes)): pk for has_state, codes, pk in known}
    ranges: dict[tuple[date | None, date | None], Range[date]] = {}
    stored = 0
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # millions of checks are not kept until the end
    rows = iter(boundaries)
    while chunk := list(islice(rows, _CHUNK)):
        found = (loaded_checks.boundary_problem(row, stored + n) for n, row in enumerate(chunk, 1))
        _refuse(problem for problem in found if problem)
        new = list(dict.fromkeys(key for b in chunk if (key := (b.has_state, b.jurisdictions)) not in combinations))
        _refuse(problem for _, codes in new if (problem := loaded_checks.combination_problem(codes)))
        combinations.update(zip(new, bulk.next_ids(Combination, len(new)), strict=True))
        bulk.copy_in("tax_combination", _COMBINATION, _combination_rows(dataset, new, combinations))
        bulk.copy_in("tax_boundary", _BOUNDARY, _boundary_rows(dataset, chunk, combinations, ranges))
        stored += len(chunk)
        progress(stored)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    named = {code for _, codes in combinations for code in codes}
    unknown = {"unknown_jurisdictions": len(named - _known(named))} if named else {}
    return {"combinations": len(combinations), "boundaries": stored} | unknown


def _combination_rows(
    dataset: int, keys: Iterable[tuple[bool, tuple[str, ...]]], ids: dict[tuple[bool, tuple[str, ...]], int]
) -> Iterator[tuple[Any, ...]]:
    for has_state, codes in keys:
        digest = digest_of("\n".join([str(has_state), *codes]).encode()).digest()
        yield ids[has_state, codes], dataset, digest, list(codes), has_state


def _boundary_rows(
    dataset: int, chunk: Iterable[LoadedBoundary], combinations: dict[tuple[bool, tuple[str, ...]], int],
    ranges: dict[tuple[date | None, date | None], Range[date]],
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    for b in chunk:
        valid = ranges.get((b.starts, b.ends))
        if valid is None:
            valid = ranges[b.starts, b.ends] = Range(b.starts, b.ends)
        yield dataset, b.zip5, b.low, b.high, b.is_exact, valid, combinations[b.has_state, b.jurisdictions]
