"""Which facts count where several datasets are active, and on which days: the SQL that everything else builds on.

A dataset answers, from the first day on which it has one, for all its facts of a claim (of rates: a tax on a category in a
jurisdiction, wherever the goods come from). Weaker datasets count before that day, and not after: so what an authority ends does not come
back from elsewhere, a file that tells sales within a state from those into it replaces one that does not, and a file that only knows today
takes nothing from the past.

`standing` is everywhere the ids of the active datasets, the strongest first: the highest rank, then the one activated last.
"""

from typing import NamedTuple

from tax.models import Dataset


class Kind(NamedTuple):
    """A table of facts. `claim`: what a dataset answers for as a whole; `key`: of what one row holds on a day, with `values`."""

    name: str
    table: str
    claim: tuple[str, ...]
    key: tuple[str, ...]
    values: dict[str, str]  # name → SQL


RATES = Kind(
    "rate", "tax_ratefact", ("jurisdiction_id", "tax", "category"), ("jurisdiction_id", "tax", "category", "sourcing"),
    {"rate": "trim_scale(rate)", "treatment": "treatment", "scope": "scope"},
)  # fmt: skip
RULES = Kind(
    "rule", "tax_rulefact", ("jurisdiction_id", "tax", "category", "semantic", "holiday"),
    ("jurisdiction_id", "tax", "category", "semantic", "holiday", "lower"),
    {"semantic": "semantic", "lower": "trim_scale(lower)", "upper": "trim_scale(upper)", "rate": "trim_scale(rate)", "currency": "currency",
     "delivery_counts": "delivery_counts", "scope": "scope"},
)  # fmt: skip
DELIVERIES = Kind(
    "delivery", "tax_deliveryfact", ("jurisdiction_id",), ("jurisdiction_id",), {"rule": "rule", "scope": "scope"}
)
KINDS = (RATES, RULES, DELIVERIES)


def counting(kind: Kind, standing: str = "standing") -> str:
    """A query of the facts that count, with their `days`: all days of the fact or the first of them. `standing` names its parameter."""
    return f"""
        SELECT * FROM (
            SELECT *, CASE WHEN until IS NULL THEN valid WHEN until > '-infinity' THEN valid * daterange(NULL, until) ELSE 'empty' END AS days
              FROM (SELECT f.*, min(COALESCE(lower(valid), '-infinity')) OVER (
                               PARTITION BY {", ".join(kind.claim)} ORDER BY array_position(%({standing})s::bigint[], dataset_id)
                               GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS until
                      FROM {kind.table} f WHERE dataset_id = ANY(%({standing})s::bigint[])) f
        ) f WHERE NOT isempty(days)
    """  # noqa: S608


def standing() -> list[int]:
    """The active datasets now, the strongest first."""
    return [pk for pk, _, _ in _active()]


def standing_with(dataset: Dataset) -> list[int]:
    """The active datasets as they would be, were this one activated now."""
    if dataset.status == Dataset.Status.ACTIVE:
        return standing()
    others = [(pk, rank) for pk, code, rank in _active() if code != dataset.code]
    stronger = [pk for pk, rank in others if rank > dataset.rank]
    return [*stronger, dataset.pk, *(pk for pk, rank in others if rank <= dataset.rank)]


def _active() -> list[tuple[int, str, int]]:
    rows = Dataset.objects.filter(status=Dataset.Status.ACTIVE).order_by("-rank", "-activated_at", "-id")
    return list(rows.values_list("id", "code", "rank"))
