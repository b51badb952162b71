"""The gate and the arithmetic proof that every record passes before anything is written. Pure.

Each failure is a Problem with a code, a canonical path and a sentence. Nothing is corrected here.
"""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from channels.canonical import TYPES, AnyRecord
from channels.cash_session import CashSession
from channels.charge import Charge
from channels.dispute import Dispute
from channels.findings import differs, known_currency, magnitudes, settlement_currency, unknown
from channels.manual import Manual
from channels.money_checks import check_cash_session, check_charge, check_dispute, check_manual, check_payout
from channels.payout import Payout
from channels.record import Tax
from channels.refund import Refund
from channels.sale import CAPTURED, Line, Sale, Tender
from salessync.core import dates
from salessync.core.money import LIMIT, MINOR_DIGITS, to_major
from salessync.core.problems import Problem

COUNTED = frozenset({"item", "gift_card_sale", "donation", "deposit"})  # lines that totals.gross, discount, net count

# The required fields of a record that has not been read yet: (path, code, what to call it).
REQUIRED = {
    "sale": [
        ("source.id", "MISSING_ID", "the transaction's id"),
        ("totals.total", "MISSING_AMOUNT", "the amount"),
        ("currency", "MISSING_CURRENCY", "the currency"),
        ("jurisdiction.country", "MISSING_JURISDICTION", "the tax jurisdiction"),
        ("payment_status", "MISSING_PAYMENT_STATUS", "the payment status"),
    ],
    "refund": [
        ("source.id", "MISSING_ID", "the refund's id"),
        ("totals.total", "MISSING_AMOUNT", "the amount"),
        ("currency", "MISSING_CURRENCY", "the currency"),
        ("status", "MISSING_PAYMENT_STATUS", "the refund's status"),
    ],
    "cash_session": [
        ("source.id", "MISSING_ID", "the session's id"),
        ("opening_float", "MISSING_AMOUNT", "the opening float"),
        ("currency", "MISSING_CURRENCY", "the currency"),
        ("status", "MISSING_STATUS", "the session's status"),
    ],
    "manual": [
        ("source.id", "MISSING_ID", "the entry's id"),
        ("postings", "MISSING_POSTINGS", "the list of postings"),
        ("currency", "MISSING_CURRENCY", "the currency"),
        ("reason", "MISSING_REASON", "the reason"),
    ],
}
_OTHERS = [
    ("source.id", "MISSING_ID", "the object's id"),
    ("amount", "MISSING_AMOUNT", "the amount"),
    ("currency", "MISSING_CURRENCY", "the currency"),
]


def gate(data: Any) -> list[Problem]:
    """Every required field that parsed JSON lacks, all at once; the jurisdiction only of a sale."""
    if not isinstance(data, dict):
        return [Problem("NOT_A_RECORD", "$", "a canonical record is a JSON object")]
    kind = data.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        code = "MISSING_TYPE" if kind is None else "UNKNOWN_TYPE"
        return [Problem(code, "type", f"a record's type is one of {', '.join(TYPES)}")]
    return [
        Problem(code, path, f"{name} is missing")
        for path, code, name in REQUIRED.get(kind, _OTHERS)
        if _at(data, path) in (None, "") or (isinstance(_at(data, path), str) and not _at(data, path).strip())
    ]


def _at(data: Any, path: str) -> Any:
    for key in path.split("."):
        data = data.get(key) if isinstance(data, dict) else None
    return data


def check(record: AnyRecord) -> list[Problem]:
    """Everything that keeps a record from being posted, as problems; an empty list is the proof."""
    problems: list[Problem] = []
    if not record.source.id.strip():
        problems.append(Problem("MISSING_ID", "source.id", "the transaction's id is missing"))
    if record.currency not in MINOR_DIGITS:
        problems.append(
            Problem("UNKNOWN_CURRENCY", "currency", f"{record.currency!r} is not an ISO 4217 currency code")
        )
        return problems
    try:
        dates.zone(record.timezone)
    except dates.DateError as error:
        problems.append(Problem(error.code, "timezone", str(error)))
    if isinstance(record, Sale):
        _check_sale(record, problems)
    elif isinstance(record, Refund):
        _check_refund(record, problems)
    elif isinstance(record, Charge):
        check_charge(record, problems)
    elif isinstance(record, Payout):
        check_payout(record, problems)
    elif isinstance(record, Dispute):
        check_dispute(record, problems)
    elif isinstance(record, CashSession):
        check_cash_session(record, problems)
    elif isinstance(record, Manual):
        check_manual(record, problems)
    return problems


def _check_sale(sale: Sale, problems: list[Problem]) -> None:
    unknown(problems, ("status", sale.status), ("payment_status", sale.payment_status))
    if sale.jurisdiction is None:
        problems.append(
            Problem(
                "MISSING_JURISDICTION", "jurisdiction",
                "the sale does not say where it is taxed, and its channel has no jurisdiction of its own",
            )
        )  # fmt: skip
    gross = discount = net = tax = marketplace = 0
    kinds: dict[str, int] = {}
    ids: set[str] = set()
    for index, line in enumerate(sale.lines):
        if line.id in ids:
            problems.append(Problem("DUPLICATE_LINE", f"lines[{index}].id", f"two lines have the id {line.id!r}"))
        ids.add(line.id)
        _check_line(line, index, sale.currency, problems)
        tax += line.tax
        for one in line.taxes:
            if one.collector == "marketplace":
                marketplace += one.amount
        if line.type in COUNTED:
            gross += line.gross
            discount += line.discount
            net += line.net
        else:
            kinds[line.type] = kinds.get(line.type, 0) + line.net
    totals, currency = sale.totals, sale.currency
    for code, path, stated, proven in (
        ("GROSS_MISMATCH", "totals.gross", totals.gross, gross),
        ("DISCOUNT_MISMATCH", "totals.discount", totals.discount, discount),
        ("NET_MISMATCH", "totals.net", totals.net, net),
        ("SHIPPING_MISMATCH", "totals.shipping", totals.shipping, kinds.get("shipping", 0)),
        ("TIP_MISMATCH", "totals.tip", totals.tip, kinds.get("tip", 0)),
        ("SERVICE_CHARGE_MISMATCH", "totals.service_charge", totals.service_charge, kinds.get("service_charge", 0)),
        ("FEES_MISMATCH", "totals.fees", totals.fees, kinds.get("fee", 0)),
        ("DUTIES_MISMATCH", "totals.duties", totals.duties, kinds.get("duty", 0)),
        ("TAX_MISMATCH", "totals.tax", totals.tax, tax),
        ("MARKETPLACE_TAX_MISMATCH", "totals.tax_marketplace", totals.tax_marketplace, marketplace),
    ):
        if stated != proven:
            differs(problems, currency, code, path, stated, proven, "the lines add up to")
    differs(
        problems, currency, "TOTAL_MISMATCH", "totals.total", totals.total, _sale_total(sale), "its parts add up to"
    )
    magnitudes(
        problems, ("totals.discount", totals.discount), ("totals.shipping", totals.shipping), ("totals.tip", totals.tip),
        ("totals.service_charge", totals.service_charge), ("totals.duties", totals.duties), ("totals.paid", totals.paid),
        ("totals.gross", abs(totals.gross)), ("totals.total", abs(totals.total)),
    )  # fmt: skip
    if sale.presentment is not None:
        known_currency(problems, "presentment.currency", sale.presentment.currency)
    _check_tenders(sale, problems)


def _sale_total(sale: Sale) -> int:
    t = sale.totals
    parts = t.net + t.shipping + t.tip + t.service_charge + t.fees + t.duties + t.rounding
    return parts if sale.tax_inclusive else parts + t.tax


def _check_line(line: Line, index: int, currency: str, problems: list[Problem]) -> None:
    where = f"lines[{index}]"
    if line.type == "unknown":
        unknown(problems, (f"{where}.type", line.type))
    if line.discount < 0 or abs(line.gross) > LIMIT:
        magnitudes(problems, (f"{where}.discount", line.discount), (f"{where}.gross", abs(line.gross)))
    if line.net != line.gross - line.discount:
        differs(problems, currency, "LINE_NET_MISMATCH", f"{where}.net", line.net, line.gross - line.discount,
                 "gross less discount is")  # fmt: skip
    tax = 0
    for one in line.taxes:
        tax += one.amount
        if one.collector == "unknown":
            problems.append(
                Problem("UNKNOWN_TAX_COLLECTOR", f"{where}.taxes", "it is not known who remits a tax of this line")
            )
    if line.tax != tax:
        differs(problems, currency, "LINE_TAX_MISMATCH", f"{where}.tax", line.tax, tax, "its taxes add up to")
    if line.discounts:
        given = sum(d.amount for d in line.discounts)
        if given != line.discount:
            differs(problems, currency, "LINE_DISCOUNT_MISMATCH", f"{where}.discount", line.discount, given,
                     "its discounts add up to")  # fmt: skip
        for one_discount in line.discounts:
            if one_discount.funded_by == "unknown":
                unknown(problems, (f"{where}.discounts.funded_by", "unknown"))
    expected = _extended(line, currency)
    if expected is None or abs(expected - line.gross) > 1:
        problems.append(
            Problem(
                "LINE_GROSS_MISMATCH", f"{where}.gross",
                f"{where}.gross says {to_major(line.gross, currency)} {currency},"
                f" but {line.quantity} × {line.unit_price} is something else",
            )
        )  # fmt: skip


def _extended(line: Line, currency: str) -> Decimal | None:
    """quantity × unit price in minor units."""
    quantity, price, digits = line.quantity, line.unit_price, MINOR_DIGITS[currency]
    if quantity.isdigit() and price.isascii() and price[-digits - 1 : -digits] == ".":  # nearly all: 2 × 12.50
        return Decimal(int(quantity) * int(price.replace(".", "", 1)))
    try:
        return Decimal(quantity) * Decimal(price).scaleb(digits)
    except InvalidOperation:
        return None


def _check_tenders(sale: Sale, problems: list[Problem]) -> None:
    totals, currency = sale.totals, sale.currency
    if sale.tenders is None:
        return
    paid = 0
    ids: set[str] = set()
    for index, tender in enumerate(sale.tenders):
        where = f"tenders[{index}]"
        if tender.id in ids:
            problems.append(Problem("DUPLICATE_TENDER", f"{where}.id", f"two tenders have the id {tender.id!r}"))
        ids.add(tender.id)
        unknown(
            problems,
            (f"{where}.type", tender.type),
            (f"{where}.action", tender.action),
            (f"{where}.status", tender.status),
        )
        _check_tender(tender, where, currency, problems)
        if tender.status in CAPTURED:
            paid += tender.amount
    if totals.paid is None:
        problems.append(Problem("MISSING_PAID", "totals.paid", "the tenders are known, but not what they paid"))
        return
    differs(problems, currency, "PAID_MISMATCH", "totals.paid", totals.paid, paid, "the captured tenders add up to")
    if totals.due is not None:
        differs(problems, currency, "DUE_MISMATCH", "totals.due", totals.due, totals.total - totals.paid,
                 "total less paid is")  # fmt: skip


def _check_tender(tender: Tender, where: str, currency: str, problems: list[Problem]) -> None:
    magnitudes(
        problems, (f"{where}.amount", tender.amount), (f"{where}.tip", tender.tip), (f"{where}.change", tender.change)
    )
    settlement_currency(problems, f"{where}.", tender.settlement)
    if tender.tip > tender.amount:
        problems.append(Problem("TIP_OVER_AMOUNT", f"{where}.tip", "the tip is more than the tender it is part of"))
    if tender.tendered is not None:
        given = tender.tendered - (tender.change or 0)
        differs(problems, currency, "CASH_MISMATCH", f"{where}.amount", tender.amount, given, "tendered less change is")


def _check_refund(refund: Refund, problems: list[Problem]) -> None:
    unknown(problems, ("status", refund.status))
    kinds = {"net": 0, "shipping": 0, "tip": 0, "adjustment": 0}
    tax, currency, totals = 0, refund.currency, refund.totals
    for index, line in enumerate(refund.lines):
        where = f"lines[{index}]"
        unknown(problems, (f"{where}.type", line.type), (f"{where}.restock", line.restock))
        kinds[line.type if line.type in kinds else "net"] += line.net
        tax += line.tax
        if line.taxes:
            differs(problems, currency, "LINE_TAX_MISMATCH", f"{where}.tax", line.tax, _sum(line.taxes),
                     "its taxes add up to")  # fmt: skip
    for name, proven in kinds.items():
        differs(problems, currency, f"{name.upper()}_MISMATCH", f"totals.{name}", getattr(totals, name), proven,
                 "the lines add up to")  # fmt: skip
    differs(problems, currency, "TAX_MISMATCH", "totals.tax", totals.tax, tax, "the lines add up to")
    total = sum(kinds.values()) + (0 if refund.tax_inclusive else tax)
    differs(problems, currency, "TOTAL_MISMATCH", "totals.total", totals.total, total, "its parts add up to")
    if refund.tenders:
        differs(problems, currency, "PAID_MISMATCH", "totals.total", totals.total, sum(t.amount for t in refund.tenders),
                 "its tenders add up to")  # fmt: skip
    magnitudes(problems, ("totals.total", totals.total))
    for index, tender in enumerate(refund.tenders):
        unknown(problems, (f"tenders[{index}].type", tender.type))
        magnitudes(problems, (f"tenders[{index}].amount", tender.amount))


def _sum(taxes: Iterable[Tax]) -> int:
    return sum(t.amount for t in taxes)
