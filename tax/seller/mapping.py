"""Companies' rules by which products get their tax category, and the queue of what no rule names. Their only writer."""

import time
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.db import connection, transaction

from salessync.core import audit, bulk
from salessync.core.models import Company
from salessync.core.problems import Problem, Refused
from tax.law.categories import category_of
from tax.models import CategoryRule, UnmappedCategory
from tax.models.mapping import MatchedBy
from tax.seller import category_rules
from tax.seller.category_rules import CategoryRules, Suggestion

FRESH = 5.0  # seconds for which a process believes its rules without a look at the table
_LONGEST = 500  # characters of a value, as the tables have it
_MEMO = 50_000  # noted values kept at a time


class Unmapped(NamedTuple):
    """What was taxed as any goods: `matched_by` is category where the channel gives one (a rule for it maps more), else sku."""

    company_id: int
    matched_by: str
    value: str
    name: str
    transaction_id: int


class _Loaded(NamedTuple):
    rules: CategoryRules
    version: tuple[int, int]  # rows, and the sum of the transactions that wrote them: whatever changes, it changes
    until: float


_loaded: dict[int, _Loaded] = {}
_noted: set[tuple[int, str, str]] = set()


def forget() -> None:
    """The next look-up reads the tables, as in a new process."""
    _loaded.clear()
    _noted.clear()


# --- what a batch asks ------------------------------------------------------------------------------------------------


def load(company_ids: Iterable[int]) -> dict[int, CategoryRules]:
    """Each company's rules; at most FRESH seconds old where another process changed them. No query, one, or two."""
    now = time.monotonic()
    found = {id_: _loaded.get(id_) for id_ in set(company_ids)}
    stale = {id_: known for id_, known in found.items() if known is None or known.until < now}
    fresh = _refresh(stale, now + FRESH) if stale else {}
    _loaded.update(fresh)
    return {id_: (fresh.get(id_) or known).rules for id_, known in found.items()}  # type: ignore[union-attr]


def _refresh(stale: dict[int, _Loaded | None], until: float) -> dict[int, _Loaded]:
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "SELECT company_id, count(*), sum(xmin::text::bigint)::bigint FROM tax_categoryrule"
            " WHERE company_id = ANY(%s::bigint[]) GROUP BY 1",
            [list(stale)],
        )
        versions = {id_: (count, written) for id_, count, written in cursor.fetchall()}
        fresh = {
            id_: known._replace(until=until)
            for id_, known in stale.items()
            if known is not None and known.version == versions.get(id_, (0, 0))
        }
        changed: dict[int, list[category_rules.CategoryRule]] = {id_: [] for id_ in stale if id_ not in fresh}
        if any(id_ in versions for id_ in changed):
            cursor.execute(
                "SELECT company_id, matched_by, value, category FROM tax_categoryrule WHERE company_id = ANY(%s::bigint[])"
                " ORDER BY id",
                [list(changed)],
            )
            for id_, *rule in cursor.fetchall():
                changed[id_].append(category_rules.CategoryRule(*rule))
    for id_, rules in changed.items():
        fresh[id_] = _Loaded(CategoryRules(rules), versions.get(id_, (0, 0)), until)
        _noted.difference_update(
            [key for key in _noted if key[0] == id_]
        )  # a rule that is gone leaves it unmapped again
    return fresh


def note_unmapped(rows: Iterable[Unmapped]) -> None:
    """Put into the queue what is not in it; a process writes each value once. Part of the caller's transaction."""
    new: dict[tuple[int, str, str], Unmapped] = {}
    for row in rows:
        key = (row.company_id, row.matched_by, row.value[:_LONGEST])
        if row.value and key not in _noted:
            new.setdefault(key, row)
    if not new:
        return
    ordered = [
        (*key, new[key].name[:1000], new[key].transaction_id) for key in sorted(new)
    ]  # one order for all: no deadlock
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "INSERT INTO tax_unmappedcategory (company_id, matched_by, value, name, first_transaction_id)"
            " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::bigint[]) ON CONFLICT DO NOTHING",
            [list(column) for column in zip(*ordered, strict=True)],
        )
    transaction.on_commit(lambda: _remember(new))


def _remember(keys: Iterable[tuple[int, str, str]]) -> None:
    if len(_noted) >= _MEMO:
        _noted.clear()
    _noted.update(keys)


# --- what a person decides --------------------------------------------------------------------------------------------


def set_rule(*, company: Company, matched_by: str, value: str, category: str, actor: str) -> CategoryRule:
    """Say what something is, instead of what was said before; what the rule maps leaves the queue. Refused where it says nothing."""
    value = value.strip()
    code = _checked(matched_by, value, category)
    with transaction.atomic():
        same = CategoryRule.objects.filter(company=company, matched_by=matched_by, value__iexact=value)
        earlier = same.select_for_update().first()
        same.delete()
        rule = CategoryRule.objects.create(
            company=company, matched_by=matched_by, value=value, category=code, actor=actor
        )
        told = {"matched_by": matched_by, "value": value, "category": code}
        if earlier is not None:
            told["before"] = earlier.category
        audit.record([(company.pk, actor, "changed" if earlier else "created", "category_rule", rule.pk, told)])
        _leave_queue(rule)
    _loaded.pop(company.pk, None)
    return rule


def _checked(matched_by: str, value: str, category: str) -> str:
    """The category's code."""
    problems = []
    if matched_by not in MatchedBy.values:
        problems.append(
            Problem("BAD_MATCH", "matched_by", f"{matched_by[:20]!r}: a rule looks at the sku, category or name")
        )
    if not value or (matched_by == MatchedBy.NAME and not category_rules.words_of(value)):
        problems.append(Problem("MISSING_VALUE", "value", "the rule does not say what it looks for"))
    if len(value) > _LONGEST:
        problems.append(Problem("VALUE_TOO_LONG", "value", f"what a rule looks for has at most {_LONGEST} characters"))
    found = category_of(category)
    if found is None:
        problems.append(_unknown("category", category))
    if problems or found is None:
        raise Refused(*problems)
    return found.code


def _unknown(path: str, category: str) -> Problem:
    return Problem("UNKNOWN_CATEGORY", path, f"{category[:60]!r} is no tax category that is known here")


def _leave_queue(rule: CategoryRule) -> None:
    queue = UnmappedCategory.objects.filter(company_id=rule.company_id)
    if rule.matched_by != MatchedBy.NAME:
        queue.filter(matched_by=rule.matched_by, value__iexact=rule.value).delete()
        return
    alone = CategoryRules([category_rules.CategoryRule(rule.matched_by, rule.value, rule.category)])
    rows = queue.values_list("pk", "name").iterator()
    queue.filter(pk__in=[pk for pk, name in rows if alone.find(None, None, name).by == "name"]).delete()


def suggest(unmapped: UnmappedCategory) -> list[Suggestion]:
    """Categories that may fit what is in the queue, with reasons; never applied by themselves."""
    return category_rules.suggestions(unmapped.value, unmapped.name)


def from_catalog(company: Company, given: Mapping[str, str], actor: str) -> int:
    """Rules for SKUs from a catalog's column tax_category, all or nothing; blanks say nothing. Returns how many rules are new or other."""
    wanted = {sku.strip(): name for sku, name in given.items() if sku.strip() and name.strip()}
    found = {sku: category_of(name) for sku, name in wanted.items()}
    problems = [_unknown(f"tax_category of {sku[:100]}", wanted[sku]) for sku, of in found.items() if of is None]
    if problems:
        raise Refused(*problems)
    codes = {sku: of.code for sku, of in found.items() if of is not None}
    if not codes:
        return 0
    with transaction.atomic():
        changed = _save_skus(company, codes, actor)
        if changed:
            audit.record([(company.pk, actor, "imported", "category_rule", None, {"rules": changed})])
    _loaded.pop(company.pk, None)
    return changed


def _save_skus(company: Company, codes: dict[str, str], actor: str) -> int:
    columns = [list(codes), list(codes.values())]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tax_categoryrule AS r (company_id, matched_by, value, category, actor)"
            " SELECT DISTINCT ON (lower(g.sku)) %s, 'sku', g.sku, g.category, %s"
            " FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS g (sku, category, position)"
            " ORDER BY lower(g.sku), g.position DESC"
            " ON CONFLICT (company_id, matched_by, lower(value)) DO UPDATE"
            " SET value = excluded.value, category = excluded.category, actor = excluded.actor, at = now()"
            " WHERE r.category <> excluded.category",
            [company.pk, actor, *columns],
        )
        changed = cursor.rowcount
        cursor.execute(
            "DELETE FROM tax_unmappedcategory WHERE company_id = %s AND matched_by = 'sku'"
            " AND lower(value) IN (SELECT lower(sku) FROM unnest(%s::text[]) AS sku)",
            [company.pk, columns[0]],
        )
    return changed
