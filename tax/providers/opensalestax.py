"""An OpenSalesTax server that one runs oneself (github.com/ejosterberg/open-sales-tax, docs/api.md: POST /v1/calculate).

It knows the United States by ZIP code, in US dollars, at today's rates, for prices without tax. It is no database of customers: who is
exempt is ours to say. The server lies inside of one's own network, which OUTBOUND_ALLOWED_CIDRS must allow.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from salessync.core import http
from salessync.core.http import UnableToReach
from salessync.core.problems import Problem, Refused
from tax.engine.document import LineResult, Taxed
from tax.engine.formula import Tax
from tax.engine.rounding import Rounder, Rounding, exactly, spread
from tax.law.categories import category_of
from tax.providers.answers import answer_of, line_of, nothing
from tax.providers.priced import Asked, Item, asked_of
from tax.providers.provider import (
    ACCESS_REFUSED,
    Declined,
    Json,
    Unreachable,
    declined,
    keeps_no_record,
    refused,
)
from tax.providers.refunds import refund_of
from tax.quoting.answer import strongest

CATEGORY = {
    "goods.clothing": "clothing", "goods.footwear": "clothing", "food.grocery": "groceries", "medicine.rx": "prescription_drugs",
    "food.prepared": "prepared_food", "digital": "digital_goods",
}  # fmt: skip
_PER_PIECE = frozenset({"clothing"})  # has limits by the piece, which the server compares with the amount of a line
_REFUSALS = (400, 401, 403, 404, 422)
_ZIP = re.compile(r"(\d{5})(?:-?(\d{4}))?")
_UNKNOWN_ZIP = "No jurisdictions found"  # it answers with no tax and this note
_A_DAY = timedelta(days=1)  # between its midnight and the shop's
_CENT = Rounder(Rounding("line", "half_up", Decimal("0.01")))
_PERCENT = Decimal(100)


class OpenSalesTax:
    """Asks the server at `address`; `key` only where it demands one."""

    name = "opensalestax"
    capabilities = frozenset({"jurisdictions"})

    def __init__(self, address: str, today: date, key: str = "") -> None:
        self._address, self._today, self._key = address.rstrip("/"), today, key

    def calculate(self, request: Mapping[str, Any], *, timeout: float) -> Json:
        """One question for all lines and deliveries."""
        asked = asked_of(request, "OpenSalesTax")
        _check(asked, self._today)
        if not any(item.price for item in asked.items):
            return nothing(len(asked.items), digits=2)
        body = _body(asked)
        told = self._call(body, timeout)
        try:
            return _answer(asked, body["line_items"], told)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise Unreachable(
                f"OpenSalesTax's answer cannot be read: {type(error).__name__} {error}"[:300], is_worth_retrying=False
            ) from None

    def refund(self, original: Mapping[str, Any], request: Mapping[str, Any]) -> Json:
        """By the sale's own figures."""
        return refund_of(original, request).answer()

    def commit(self, answer: Mapping[str, Any], reference: str) -> str:
        """Refused: the server computes and forgets."""
        raise keeps_no_record("OpenSalesTax")

    def void(self, recorded: str) -> None:
        """Refused."""
        raise keeps_no_record("OpenSalesTax")

    def _call(self, body: Json, timeout: float) -> Json:
        if not self._address:
            raise refused("MISSING_ADDRESS", "", "the address of the OpenSalesTax server is not set")
        headers = {"Content-Type": "application/json", **({"X-API-Key": self._key} if self._key else {})}
        try:
            answer = http.call(
                method="POST", url=f"{self._address}/v1/calculate", headers=headers, body=json.dumps(body).encode(),
                accepts=_REFUSALS, timeout=timeout,
            )  # fmt: skip
            told = answer.json()
        except UnableToReach as error:
            raise Unreachable(
                str(error), is_worth_retrying=not error.permanent, retry_after=error.retry_after
            ) from None
        if not isinstance(told, dict):
            raise Unreachable("OpenSalesTax's answer is no object", is_worth_retrying=False)
        if answer.status in _REFUSALS:
            raise _refusal(answer.status, told.get("detail"))
        return told


# --- the question


def _check(asked: Asked, today: date) -> None:
    request, found = asked.request, []
    if request.currency != "USD":
        found.append(Problem("CURRENCY_NOT_SUPPORTED", "currency", "OpenSalesTax computes in US dollars only"))
    if request.place.country != "US":
        found.append(Problem("UNKNOWN_PLACE", "country", "OpenSalesTax knows the United States only"))
    elif not _ZIP.fullmatch(request.place.postcode):
        found.append(Problem("MISSING_POSTCODE", "postcode", "OpenSalesTax finds places by their ZIP code"))
    if asked.is_inclusive:
        found.append(Problem("PRICE_MODE_INCLUSIVE", "price_mode", "OpenSalesTax takes prices without tax only"))
    if request.is_exempt:
        found.append(Problem("EXEMPT_CUSTOMER", "customer.exempt", "OpenSalesTax knows no exempt customers"))
    if request.on is not None and abs(request.on - today) > _A_DAY:
        found.append(Problem("DATE_OUT_OF_RANGE", "date", "OpenSalesTax computes at today's rates only"))
    if found:
        raise Refused(*found)


def _body(asked: Asked) -> Json:
    match = _ZIP.fullmatch(asked.request.place.postcode)
    assert match is not None
    zip5, zip4 = match.groups()
    lines = [{"amount": f"{_amount(item):f}", "category": _category(item)} for item in asked.items if _is_asked(item)]
    return {"address": {"zip5": zip5, **({"zip4": zip4} if zip4 else {})}, "line_items": lines}


def _is_asked(item: Item) -> bool:
    return bool(item.price) and item.is_taxable is not False


def _amount(item: Item) -> Decimal:
    """Major units: of the line, or of a piece where the law's limits are by the piece."""
    return Decimal(item.price).scaleb(-2) / _pieces(item)


def _pieces(item: Item) -> int:
    quantity = int(item.quantity)
    whole = quantity == item.quantity and quantity > 1 and item.price % quantity == 0
    return quantity if whole and _category(item) in _PER_PIECE else 1


def _category(item: Item) -> str:
    if item.is_delivery:
        return "shipping"
    known = category_of(item.category)
    code = known.code if known else ""
    while code and code not in CATEGORY:
        code = code.rpartition(".")[0]
    return CATEGORY.get(code, "general")


# --- the answer


def _answer(asked: Asked, questions: Sequence[Json], told: Json) -> Json:
    lines = told["lines"]
    if len(lines) != len(questions):
        raise ValueError(f"{len(lines)} lines for {len(questions)}")
    if all(str(line.get("note") or "").startswith(_UNKNOWN_ZIP) for line in lines) and lines:
        raise declined("UNKNOWN_PLACE", "postcode", f"OpenSalesTax: {lines[0]['note']}")
    for line, question in zip(lines, questions, strict=True):
        if Decimal(str(line["amount"])) != Decimal(question["amount"]):
            raise ValueError(f"asked about {question['amount']}, answered about {line['amount']}")
    answers = iter(lines)
    found, treatments = [], []
    for item in asked.items:
        if _is_asked(item):
            line, treatment = _line(item, next(answers))
            treatments.append(treatment)
        else:
            line = LineResult(item.price, 0, item.price, [])
        found.append(line)
    warnings = []
    if told.get("coverage_warning"):
        warnings.append(Problem("LOCAL_RATES_MISSING", "postcode", str(told["coverage_warning"])[:500]))
    treatment = "marketplace_collected" if asked.request.collector == "marketplace" else strongest(treatments)
    return answer_of(found, digits=2, treatment=treatment, warnings=warnings)


def _line(item: Item, told: Mapping[str, Any]) -> tuple[LineResult, str]:
    """Its taxes have four decimals: the line is rounded once, and spread over its jurisdictions."""
    with exactly():
        exact = Decimal(str(told["tax"])) * _pieces(item)
        places = [place for place in told["jurisdictions"] if Decimal(str(place["rate_pct"]))]
        tax = _CENT(exact)
        combined = sum((Decimal(str(place["rate_pct"])) for place in places), Decimal(0))
        shares = [exact * 100 * Decimal(str(place["rate_pct"])) / combined for place in places]
        base = _CENT(exact * _PERCENT / combined) if combined else 0
        amounts = spread(tax, shares) if places else []
        # four decimals of tax are not enough to tell the base of many pieces
        if abs(base - item.price) <= _pieces(item):
            base = item.price
    if tax and not places:
        raise ValueError("a tax without a jurisdiction")
    taxes = [_taxed(place, base, amount) for place, amount in zip(places, amounts, strict=True)]
    note = str(told.get("note") or "")
    exempt = "tax_holiday" if "holiday" in note.casefold() else "exempt"
    return line_of(item.price, tax, taxes, is_inclusive=False), "taxable" if tax else exempt


def _taxed(place: Mapping[str, Any], base: int, amount: int) -> Taxed:
    rate = Decimal(str(place["rate_pct"]))
    where = f"US {place['name']}"
    tax = Tax(name=f"{place['type']} sales tax", rate=rate, jurisdiction=where, rule="rate", source="opensalestax")
    return Taxed(tax, rate, base, amount)


def _refusal(status: int, detail: Any) -> Declined:
    """FastAPI's: a sentence, or a list of what does not fit."""
    if status in (401, 403):
        return declined(ACCESS_REFUSED, "", "OpenSalesTax does not take our key")
    if isinstance(detail, list):
        detail = "; ".join(
            f"{'.'.join(map(str, one.get('loc', ())))} {one.get('msg')}" for one in detail if isinstance(one, dict)
        )
    return declined("REFUSED", "", f"OpenSalesTax refused: {str(detail or status)[:500]}")
