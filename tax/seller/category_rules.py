"""Which tax category a line of a sale belongs to: the company's rules first, then the channel's own word for it. Pure."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from tax.law.categories import GOODS, categories, category_of, words
from tax.law.ratebook import ROOT

_WORD = re.compile(r"[^\W_]+")
_MEMO = 20_000  # lines kept at a time
_ANYTHING = frozenset({ROOT, GOODS})  # a suggestion of these says nothing


class CategoryRule(msgspec.Struct, frozen=True):
    """`value` of a line's sku or (channel's) category, or a word or words of its name, belongs to `category`."""

    matched_by: str
    value: str
    category: str


class Mapped(msgspec.Struct, frozen=True):
    """`by` says what decided: sku, category or name (rules of the company), channel (its category is one of ours), default."""

    category: str
    by: str


class Suggestion(msgspec.Struct, frozen=True):
    """A category that may fit, and why somebody may think so."""

    category: str
    label: str
    reason: str


class CategoryRules:
    """The rules of one company, with what was already looked up. Values are compared without regard to case."""

    def __init__(self, rules: Iterable[CategoryRule] = ()) -> None:
        self._skus: dict[str, str] = {}
        self._categories: dict[str, str] = {}
        self._names: dict[tuple[str, ...], tuple[int, str]] = {}
        self._memo: dict[tuple[str, str, str], Mapped] = {}
        for rule in rules:
            self._add(rule)
        self._longest = max(map(len, self._names), default=0)

    def _add(self, rule: CategoryRule) -> None:
        if rule.matched_by == "sku":
            self._skus[rule.value.strip().casefold()] = rule.category
        elif rule.matched_by == "category":
            self._categories[rule.value.strip().casefold()] = rule.category
        elif rule.matched_by == "name":
            found = words_of(rule.value)
            self._names[found] = (sum(map(len, found)), rule.category)
        else:
            raise ValueError(f"{rule.matched_by[:20]!r} is nothing that a rule looks at")

    def find(self, sku: str | None, channel_category: str | None, name: str) -> Mapped:
        """The category of a line; goods by default."""
        key = (sku or "", channel_category or "", name)
        found = self._memo.get(key)
        if found is None:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            found = self._memo[key] = self._find(*key)
        return found

    def _find(self, sku: str, channel_category: str, name: str) -> Mapped:
        if code := self._skus.get(sku.strip().casefold()):
            return Mapped(code, "sku")
        if code := self._categories.get(channel_category.strip().casefold()):
            return Mapped(code, "category")
        if self._names and (code := self._by_name(name)):
            return Mapped(code, "name")
        if channel_category and (known := category_of(channel_category)):
            return Mapped(known.code, "channel")
        return Mapped(GOODS, "default")

    def _by_name(self, name: str) -> str | None:
        """The longest value wins; of equals, the one that comes first in the name."""
        found = (self._names[run] for run in runs(words_of(name), self._longest) if run in self._names)
        return max(found, key=lambda hit: hit[0], default=(0, None))[1]


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name, without case and punctuation."""
    return tuple(_WORD.findall(text.casefold()))


def runs(found: tuple[str, ...], longest: int) -> Iterator[tuple[str, ...]]:
    """All runs of up to `longest` of the words."""
    for start in range(len(found)):
        for end in range(start + 1, min(start + longest, len(found)) + 1):
            yield found[start:end]


def suggestions(value: str, name: str) -> list[Suggestion]:
    """Categories whose words occur in what the channel says of it, the most telling first; nobody applies them but a person."""
    known = words()
    longest = max(word.count("_") for word in known) + 1
    best: dict[str, tuple[int, str]] = {}
    for said, where in ((value, "what the channel says"), (name, "its name")):
        for run in runs(words_of(said), longest):
            word = "_".join(run)
            code = known.get(word) or known.get(word.removesuffix("s"))
            if code and code not in _ANYTHING and len(word) > best.get(code, (0, ""))[0]:
                label = categories()[code].label
                best[code] = (len(word), f"“{' '.join(run)}” in {where} is a word for {label}")
    ordered = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))
    return [Suggestion(code, categories()[code].label, reason) for code, (_, reason) in ordered]
