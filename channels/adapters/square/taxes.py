"""The taxes of a Square order: named once for the order, applied to each line and service charge. Pure."""

import re
from typing import Any

import msgspec

from channels.adapters.square.reading import Reader
from channels.adapters.square.words import TAX_INSIDE
from channels.reading import Json, text, word
from channels.record import Tax
from salessync.core.money import allocate

_RATE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,12})?")


class Levied(msgspec.Struct, frozen=True):
    """One tax of the order. `inside`: the prices hold it."""

    name: str
    rate: str | None
    inside: bool
    applied: int  # what it comes to over the whole order


class TaxTable(msgspec.Struct, frozen=True):
    """The order's taxes by uid.

    `inclusive`: every tax that applies lies inside the prices. `mixed`: some do and some do not; then all are stated as outside
    and the prices without them, since a record is of one mode.
    """

    by_uid: dict[str, Levied]
    inclusive: bool
    mixed: bool


class Applied(msgspec.Struct, frozen=True):
    """The taxes of one line: `outside` is added to its price, `inside` is a part of it."""

    taxes: list[Tax]
    total: int
    outside: int
    inside: int


def tax_table(reader: Reader, parent: Json, key: str, taxed: list[Json], where: str = "") -> TaxTable:
    """The taxes in `parent[key]`; `taxed` are the rows that may refer to them, which decide the mode."""
    by_uid: dict[str, Levied] = {}
    for index, row in enumerate(reader.objects(parent, key, where)):
        spot, kind = f"{where}{key}[{index}].", row.get("type")
        inside = TAX_INSIDE.get(kind) if kind is None or type(kind) is str else None
        if inside is None:
            reader.refuse(
                "UNKNOWN_TAX_TYPE",
                spot + "type",
                "it is not known here whether a tax of this type lies inside the price",
            )
        by_uid[word(row.get("uid"))] = Levied(
            name=text(row.get("name")) or "Tax",
            rate=_rate(row.get("percentage")),
            inside=inside is True,
            applied=reader.maybe_money(row, "applied_money", spot) or 0,
        )
    used = {by_uid[uid].inside for row in taxed for uid in _applied_uids(row) if uid in by_uid}
    modes = used or {tax.inside for tax in by_uid.values()}
    return TaxTable(by_uid=by_uid, inclusive=modes == {True}, mixed=len(modes) > 1)


def _rate(value: Any) -> str | None:
    return value if type(value) is str and _RATE.fullmatch(value) else None


def _applied_uids(row: Json) -> list[str]:
    applied = row.get("applied_taxes")
    return [word(one.get("tax_uid")) for one in applied if type(one) is dict] if type(applied) is list else []


def applied_taxes(reader: Reader, row: Json, where: str, table: TaxTable) -> Applied:
    """What each tax comes to on one line; a total without its parts is shared out by what each tax comes to in all."""
    taxes: list[Tax] = []
    outside = inside = 0
    for index, one in enumerate(reader.objects(row, "applied_taxes", where)):
        levied = table.by_uid.get(word(one.get("tax_uid")))
        amount = reader.maybe_money(one, "applied_money", f"{where}applied_taxes[{index}].") or 0
        taxes.append(named(levied, amount))
        if levied is not None and levied.inside:
            inside += amount
        else:
            outside += amount
    stated = reader.maybe_money(row, "total_tax_money", where)
    if stated and not taxes:
        every: list[Levied | None] = list(table.by_uid.values()) or [None]
        shares = allocate(stated, [abs(tax.applied) if tax else 0 for tax in every])
        for levied, share in zip(every, shares, strict=True):
            taxes.append(named(levied, share))
            if levied is not None and levied.inside:
                inside += share
            else:
                outside += share
    return Applied(taxes, outside + inside if stated is None else stated, outside, inside)


def named(levied: Levied | None, amount: int) -> Tax:
    """One tax on one line. Square collects none for the merchant, so he remits every one."""
    return Tax(name=levied.name if levied else "Tax", rate=levied.rate if levied else None, amount=amount)
