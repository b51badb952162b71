"""The `rules` of a request: thresholds and holidays that hold for the taxes it names, and the lines that they touch. Pure."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tax.engine.formula import Tax
from tax.engine.thresholds import Threshold

if TYPE_CHECKING:
    from tax.quoting.request import Reader

SEMANTICS = ("exempt_below", "exempt_upto", "excess_over", "base_cap", "base_band", "price_band", "holiday")
_UPPER = (
    "per_item", "per_item_below", "per_item_max", "per_item_base_max", "per_item_base_to", "per_item_to", "amount_to", "cap",
    "threshold", "amount",
)  # fmt: skip
_LOWER = ("per_item_base_from", "per_item_from", "amount_from", "per_item_over")


class RequestRule(msgspec.Struct, frozen=True):
    """A threshold, and what it holds for: `tax` or `jurisdictions` by name, `category`, the days from `starts` to `ends`."""

    threshold: Threshold
    tax: str = ""
    jurisdictions: tuple[str, ...] = ()
    category: str = ""
    is_holiday: bool = False
    starts: date | None = None
    ends: date | None = None
    path: str = ""


def read_rules(data: dict[str, Any], reader: "Reader") -> tuple[RequestRule, ...]:
    """All rules of the request that can be read; the others are problems of the reader."""
    found = []
    for item, path in reader.items(data, "rules"):
        rule = _rule(item, path, reader)
        if rule is not None:
            found.append(rule)
    return tuple(found)


def _rule(data: dict[str, Any], path: str, reader: "Reader") -> RequestRule | None:
    semantic = reader.choice(data, "semantic", path, SEMANTICS, "") or _implied(data)
    if not semantic:
        if not any(p.path == f"{path}semantic" for p in reader.problems):
            reader.refuse("UNKNOWN_RULE", path.rstrip("."), f"the rule has no semantic: {', '.join(SEMANTICS)}")
        return None
    threshold = _threshold(semantic, data, path, reader)
    per_line = reader.choice(data, "per", path, ("unit", "item", "line"), "unit") == "line"
    days = _days(data, path, reader) if semantic == "holiday" else []
    if threshold is None:
        reader.refuse("MISSING", f"{path}per_item", f"a rule {semantic} needs the amount at which it turns")
        return None
    named = data.get("jurisdictions")
    jurisdictions = tuple(n for n in named if isinstance(n, str)) if isinstance(named, list) else ()
    return RequestRule(
        threshold=msgspec.structs.replace(threshold, per_line=per_line), tax=reader.text(data, "tax", path), jurisdictions=jurisdictions,
        category=reader.text(data, "category", path), is_holiday=semantic == "holiday",
        starts=min(days, default=None), ends=max(days, default=None), path=path.rstrip("."),
    )  # fmt: skip


def _implied(data: dict[str, Any]) -> str:
    """A rule without semantic that names a part of the base says enough."""
    if data.get("per_item_base_from") is not None:
        return "base_band"
    return "base_cap" if data.get("per_item_base_max") is not None else ""


def _first(data: dict[str, Any], keys: Iterable[str], path: str, reader: "Reader") -> Decimal | None:
    for key in keys:
        if data.get(key) is not None:
            return reader.number(data, key, path)
    return None


def _threshold(semantic: str, data: dict[str, Any], path: str, reader: "Reader") -> Threshold | None:
    upper, lower = _first(data, _UPPER, path, reader), _first(data, _LOWER, path, reader)
    counts = bool(reader.flag(data, "shipping_counts_in_price", path, False))
    strict = reader.flag(data, "strict", path, data.get("per_item_max") is None and semantic != "exempt_upto")
    below = "exempt_below" if strict else "exempt_upto"
    if semantic == "excess_over" or (semantic == "holiday" and "excess" in str(data.get("above"))):
        limit = lower if lower is not None else upper
        return None if limit is None else Threshold("excess_over", lower=limit, delivery_counts=counts)
    if semantic == "holiday":
        return Threshold("exempt") if upper is None else Threshold(below, upper=upper, delivery_counts=counts)
    if semantic == "base_band":
        return None if lower is None else Threshold("base_band", lower, upper, delivery_counts=counts)
    if upper is None:
        return None
    if semantic == "base_cap":
        return Threshold("base_band", Decimal(0), upper, delivery_counts=counts)
    if semantic == "price_band":
        return Threshold("price_band", lower or Decimal(0), upper, reader.number(data, "rate", path, None), counts)
    return Threshold(below, upper=upper, delivery_counts=counts)


def _days(data: dict[str, Any], path: str, reader: "Reader") -> list[date]:
    found: list[date] = []
    value = data.get("dates")
    for text in value if isinstance(value, list) else []:
        try:
            found.append(date.fromisoformat(text))
        except (TypeError, ValueError):
            reader.refuse("BAD_DATE", f"{path}dates", f"{str(text)[:40]!r} is not a day (YYYY-MM-DD)")
    if not found and not reader.problems:
        reader.refuse("MISSING", f"{path}dates", "a holiday needs the days on which it is")
    return found


def applied(
    rule: RequestRule, taxes: tuple[Tax, ...], category: str, on: date | None, names: frozenset[str]
) -> tuple[Tax, ...]:
    """The taxes of a line with the rule's threshold on those it holds for; `names` are all taxes of the document."""
    if rule.category and not _touches(rule.category, category):
        return taxes
    if rule.is_holiday and not (on and rule.starts and rule.ends and rule.starts <= on <= rule.ends):
        return taxes
    meant = holds_for(rule, names)
    threshold = msgspec.structs.replace(rule.threshold, is_holiday=rule.is_holiday)
    return tuple(
        msgspec.structs.replace(tax, thresholds=(*tax.thresholds, threshold)) if tax.name in meant else tax
        for tax in taxes
    )


def holds_for(rule: RequestRule, names: frozenset[str]) -> frozenset[str]:
    """The taxes that a rule means by name; one that names none, or jurisdictions that no tax bears, means all."""
    if rule.tax:
        return _called(rule.tax, names)
    found: frozenset[str] = frozenset()
    for jurisdiction in rule.jurisdictions:
        found |= _called(jurisdiction, names)
    return found or names


def _called(wanted: str, names: frozenset[str]) -> frozenset[str]:
    """By that name; or where there is none, by all words of the shorter of the two ("county surtax 1%", "surtax")."""
    exact = frozenset(name for name in names if name.casefold() == wanted.casefold())
    if exact:
        return exact
    words = set(wanted.casefold().split())
    return frozenset(n for n in names if (own := set(n.casefold().split())) and (own <= words or words <= own))


def _touches(wanted: str, category: str) -> bool:
    return wanted == category or wanted in category.split(".") or category.startswith(wanted + ".")
