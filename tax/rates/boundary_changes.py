"""Which ZIP codes would lie in other jurisdictions, were a version of a state's boundaries to take the place of another."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from salessync.core import bulk

SAMPLE = 100


class ZipChange(NamedTuple):
    """One ZIP, and what would change about it; `before` and `after`: in how many ranges of ZIP+4 codes that differ."""

    zip5: str
    before: int
    after: int
    sentence: str


class BoundaryChanges(NamedTuple):
    """`added` and `removed` rows; the `zips` that would lie elsewhere on some days, and the first hundred of them."""

    added: int = 0
    removed: int = 0
    zips: int = 0
    sample: tuple[ZipChange, ...] = ()


# Millions of rows are compared whole first; only what stands on one side is looked at closely. A range whose days were merely written
# in other pieces is none that changes.
_COMPARE = """
    WITH odd AS MATERIALIZED (
        SELECT zip5, low, high, is_exact, valid, digest, bool_and(b.dataset_id = %(new)s) AS is_new, min(c.id) AS combination_id
          FROM tax_boundary b JOIN tax_combination c ON c.id = b.combination_id
         WHERE b.dataset_id = ANY(%(both)s::bigint[])
         GROUP BY 1, 2, 3, 4, 5, 6 HAVING bool_and(b.dataset_id = %(new)s) = bool_or(b.dataset_id = %(new)s)
    ), moved AS (
        SELECT zip5, count(before) AS before, count(after) AS after, count(DISTINCT old) AS olds, count(DISTINCT new) AS news,
               min(old) AS old, min(new) AS new
          FROM (SELECT zip5, range_agg(valid) FILTER (WHERE NOT is_new) AS before, range_agg(valid) FILTER (WHERE is_new) AS after,
                       min(combination_id) FILTER (WHERE NOT is_new) AS old, min(combination_id) FILTER (WHERE is_new) AS new
                  FROM odd GROUP BY zip5, low, high, is_exact, digest) ranges
         WHERE before IS DISTINCT FROM after GROUP BY zip5
    )
    SELECT (SELECT count(*) FROM odd WHERE is_new), (SELECT count(*) FROM odd WHERE NOT is_new), (SELECT count(*) FROM moved),
           m.zip5, m.before, m.after, m.olds, m.news, o.jurisdictions, o.has_state, n.jurisdictions, n.has_state
      FROM (SELECT) one
      LEFT JOIN (SELECT * FROM moved ORDER BY zip5 LIMIT %(sample)s) m ON true
      LEFT JOIN tax_combination o ON o.id = m.old
      LEFT JOIN tax_combination n ON n.id = m.new
     ORDER BY m.zip5
"""


def boundary_changes(new: int, old: int | None) -> BoundaryChanges:
    """Of the datasets with these ids; `old` None: there is no boundary yet."""
    both = [new] if old is None else [new, old]
    with bulk.binary_cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM tax_combination WHERE dataset_id = ANY(%s::bigint[]))", [both])
        if not cursor.fetchall()[0][0]:
            return BoundaryChanges()
        cursor.execute(_COMPARE, {"new": new, "both": both, "sample": SAMPLE})
        rows = cursor.fetchall()
    sample = tuple(_zip_change(*row[3:]) for row in rows if row[3] is not None)
    return BoundaryChanges(*rows[0][:3], sample)


def _zip_change(zip5: int, before: int, after: int, olds: int, news: int, *sides: Any) -> ZipChange:
    old, new = _listed(*sides[:2]), _listed(*sides[2:])
    if olds > 1 or news > 1:
        said = f"{after} ranges of ZIP+4 codes in {news} combinations of jurisdictions instead of {before} in {olds}"
    elif not old or not new:
        said = f"lies in {new}" if new else f"lies in {old} no more"
    else:
        said = f"lies in {new} on other days" if old == new else f"lies in {new} instead of {old}"
    return ZipChange(f"{zip5:05}", before, after, f"ZIP {zip5:05}: {said}")


def _listed(codes: Sequence[str] | None, has_state: bool | None) -> str:
    """Empty where there was no combination."""
    if codes is None:
        return ""
    return (", ".join(codes) or "no jurisdiction below the state") + ("" if has_state else " without the state's rate")
