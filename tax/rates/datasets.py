"""The life of a file of rates: staged, compared with what is active, activated, superseded; and the seed that comes with us.

Which facts count is decided for all of them at once, by which datasets are active (tax/rates/precedence.py), never by what was done last. So any
way to the same active datasets gives the same facts. Each change makes a BookVersion, which only grows: the past is never decided anew.
"""

from hashlib import sha256

from django.db import connection, transaction
from django.db.models.functions import Now

from salessync.core import audit, bulk
from tax.law.seed import seed
from tax.models import BookVersion, Dataset
from tax.rates import precedence
from tax.rates.changes import Changes, UnableToChange, changes
from tax.rates.loaded import Loaded, LoadedJurisdiction
from tax.rates.staging import stage

__all__ = ["Changes", "UnableToChange", "activate", "changes", "discard", "load_seed", "stage", "withdraw"]

LOCK = 7240  # alone, not as a class: one decision at a time about what is active
SEED = "seed"
_REASON = 500
_STATUS = Dataset.Status


def activate(dataset: Dataset, actor: str, reason: str = "") -> BookVersion:
    """It takes the place of the active version of its code; a superseded one as well as a staged. Where it is active: nothing changes."""
    _check(reason)
    with transaction.atomic():
        _lock(dataset)
        if dataset.status == _STATUS.ACTIVE:
            return BookVersion.objects.latest("id")
        if dataset.status == _STATUS.DISCARDED:
            raise UnableToChange(f"{dataset} was discarded: bring the file again")
        before = Dataset.objects.filter(code=dataset.code, status=_STATUS.ACTIVE)
        superseded = list(before.values_list("id", flat=True))
        before.update(status=_STATUS.SUPERSEDED, ended_at=Now())
        _update(dataset, status=_STATUS.ACTIVE, activated_at=Now(), activated_by=actor, ended_at=None)
        return _decide(dataset, actor, "activated", reason, {"superseded": superseded})


def withdraw(dataset: Dataset, actor: str, reason: str = "") -> BookVersion:
    """No version of its code is active any more; what stood behind its facts counts again."""
    _check(reason)
    with transaction.atomic():
        _lock(dataset)
        if dataset.status != _STATUS.ACTIVE:
            raise UnableToChange(f"{dataset} is {dataset.status}: only what is active can be withdrawn")
        _update(dataset, status=_STATUS.SUPERSEDED, ended_at=Now())
        return _decide(dataset, actor, "withdrawn", reason, {})


def discard(dataset: Dataset, actor: str) -> None:
    """A staged dataset is not wanted: its rows go, and that it was brought stays known. One that ever was active stays whole.

    Its few combinations of jurisdictions stay: no index says which boundaries name one, so that each would be looked for in millions.
    """
    with transaction.atomic():
        _lock(dataset)
        if dataset.status != _STATUS.STAGED:
            raise UnableToChange(f"{dataset} is {dataset.status}: only what is staged can be discarded")
        with connection.cursor() as cursor:
            for table in (*(kind.table for kind in precedence.KINDS), "tax_boundary"):
                cursor.execute(f"DELETE FROM {table} WHERE dataset_id = %s", [dataset.pk])  # noqa: S608
        _update(dataset, status=_STATUS.DISCARDED, ended_at=Now())
        told = {"code": dataset.code, "version": dataset.version}
        audit.record([(None, actor, "discarded", "dataset", dataset.pk, told)])


def load_seed(actor: str) -> Dataset:
    """The facts that come with us, active; nothing changes where they are."""
    facts = seed()
    digest = sha256(facts.version.encode()).hexdigest()
    known = Dataset.objects.filter(code=SEED, sha256=digest, status=_STATUS.ACTIVE).first()
    if known is not None:
        return known
    loaded = Loaded(
        code=SEED, format="seed", version=facts.version, publisher="Sales Sync", licence="Apache-2.0", rank=0,
        attribution="each fact names its source", jurisdictions=_seed_jurisdictions(),
        rates=[row for rows in facts.rates.values() for row in rows], rules=[row for rows in facts.rules.values() for row in rows],
        deliveries=[row for rows in facts.deliveries.values() for row in rows],
    )  # fmt: skip
    with transaction.atomic():
        dataset = stage(loaded, file_name="tax/data", sha256=digest, actor=actor)
        activate(dataset, actor, "the facts that come with this version")
    return dataset


def _seed_jurisdictions() -> list[LoadedJurisdiction]:
    facts = seed()
    countries = [LoadedJurisdiction(c.code, "", c.code, "country", c.name) for c in facts.countries.values()]
    regions = [
        LoadedJurisdiction(f"{r.country}-{r.code}", r.country, r.country, "state", r.name)
        for r in facts.regions.values()
    ]
    return (
        countries
        + regions
        + [LoadedJurisdiction(t.code, t.country, t.country, "territory", t.name) for t in facts.territories]
    )


def _check(reason: str) -> None:
    if len(reason) > _REASON:
        raise UnableToChange(f"the reason may have {_REASON} characters at most")


def _lock(dataset: Dataset) -> None:
    """Nobody else decides meanwhile; the dataset as it is now."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '5min'")  # tens of thousands of facts change at once
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    dataset.refresh_from_db(from_queryset=Dataset.objects.select_for_update())


def _update(dataset: Dataset, **values: object) -> None:
    Dataset.objects.filter(pk=dataset.pk).update(**values)
    dataset.refresh_from_db()


def _decide(dataset: Dataset, actor: str, action: str, reason: str, told: dict[str, object]) -> BookVersion:
    """What counts, of all facts anew; written only where it differs."""
    standing = precedence.standing()
    with bulk.binary_cursor() as cursor:
        for kind in precedence.KINDS:
            cursor.execute(
                f"""
                UPDATE {kind.table} f SET is_active = NOT f.is_active
                  FROM {kind.table} g LEFT JOIN ({precedence.counting(kind)}) c ON c.id = g.id AND c.days = c.valid
                 WHERE f.id = g.id AND g.is_active <> (c.id IS NOT NULL)
                """,  # noqa: S608
                {"standing": standing},
            )
    made = BookVersion.objects.create(datasets=standing, made_by=actor, reason=reason or f"{dataset} {action}")
    told = {"code": dataset.code, "version": dataset.version, "book": made.pk, "reason": reason, **told}
    audit.record([(None, actor, action, "dataset", dataset.pk, told)])
    return made
