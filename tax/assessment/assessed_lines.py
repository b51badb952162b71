"""The lines of an assessment, long and short. Pure.

The long form is what people look at: an object a line, with its taxes beside the channel's. The short one is what the table keeps: the
ground of a tax (its name, jurisdiction, rule and source) by its id, and nothing that the record says itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from channels.refund import Refund, RefundLine
from channels.sale import Line, Sale
from tax.assessment.assessed import taxes_charged

GroundTexts = tuple[str, str, str, str]  # name, jurisdiction, rule, source


def grounds(lines: Iterable[Mapping[str, Any]]) -> set[GroundTexts]:
    """All that the lines of a long form name."""
    return {_texts(tax) for line in lines for tax in line["taxes"]}


def short(lines: Sequence[Mapping[str, Any]], ids: Mapping[GroundTexts, int]) -> list[list[Any]]:
    """[category, what decided it, net, computed, treatment, [[ground, rate, base, tax], …]] a line, in the record's order."""
    return [
        [
            line["category"], line["category_by"], line["net"], line["computed"], line["treatment"],
            [[ids[_texts(tax)], tax["rate"], tax["base"], tax["tax"]] for tax in line["taxes"]],
        ]
        for line in lines
    ]  # fmt: skip


def grounds_of(stored: Iterable[Sequence[Any]]) -> set[int]:
    """The ids that a short form names."""
    return {tax[0] for line in stored for tax in line[5]}


def long(
    stored: Iterable[Sequence[Any]], texts: Mapping[int, GroundTexts], record: Sale | Refund, names: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The long form again; `names` of the sale's lines, which a refund's do not have."""
    found: list[dict[str, Any]] = []
    lines: Sequence[Line | RefundLine] = record.lines
    for line, (category, by, net, computed, treatment, taxes) in zip(
        lines, stored, strict=False
    ):  # none, where it lapsed
        id_ = (line.id if isinstance(line, Line) else line.line) or ""
        name = line.name if isinstance(line, Line) else names.get(id_, "")
        found.append(
            {
                "line": id_, "name": name or line.type, "category": category,
                "category_by": by, "net": net, "computed": computed, "charged": line.tax, "treatment": treatment,
                "taxes": [_tax(texts[ground], rate, base, tax) for ground, rate, base, tax in taxes],
                "charged_taxes": taxes_charged(line.taxes),
            }
        )  # fmt: skip
    return found


def _texts(tax: Mapping[str, Any]) -> GroundTexts:
    return tax["name"], tax["jurisdiction"], tax["rule"], tax["source"]


def _tax(texts: GroundTexts, rate: str, base: int, tax: int) -> dict[str, Any]:
    name, jurisdiction, rule, source = texts
    return {
        "name": name,
        "jurisdiction": jurisdiction,
        "rate": rate,
        "base": base,
        "tax": tax,
        "rule": rule,
        "source": source,
    }
