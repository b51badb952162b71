"""What Stripe Tax is asked, and what its answer says. Pure.

Shapes as of API version 2026-10-28 (docs.stripe.com/api/tax): form fields in brackets, integers in the currency's smallest unit,
amounts positive, at most 100 lines, and a `tax_date` within 31 days of today.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from channels.adapters.stripe.words import DIGITS as UNLIKE_ISO
from salessync.core.problems import Problem
from tax.engine.document import LineResult, Taxed
from tax.engine.formula import Tax
from tax.law.categories import category_of, code_of
from tax.law.places import Place
from tax.law.tax_numbers import EU
from tax.providers.answers import answer_of, line_of
from tax.providers.priced import Asked, Item
from tax.providers.provider import Json, refused
from tax.quoting.answer import strongest

Form = list[tuple[str, str]]

MAX_LINES = 100
_DAYS = timedelta(days=30)  # of 31, since Stripe's day and the shop's begin at different hours
GENERAL, NONTAXABLE, SHIPPING = "txcd_99999999", "txcd_00000000", "txcd_92010001"

TREATMENT = {
    **dict.fromkeys(
        (
            "standard_rated", "reduced_rated", "portion_standard_rated", "portion_reduced_rated", "portion_product_exempt",
            "proportionally_rated", "taxable_basis_reduced",
        ),
        "taxable",
    ),
    "zero_rated": "zero", "product_exempt": "exempt", "customer_exempt": "exempt", "product_exempt_holiday": "tax_holiday",
    "reverse_charge": "reverse_charge", "not_collecting": "not_registered", "not_subject_to_tax": "out_of_scope",
    "not_supported": "out_of_scope",
}  # fmt: skip
_BEARS_TAX = frozenset({"taxable", "zero"})  # reasons whose entry is a tax, be it of nothing

TAX_ID = {
    "GB": "gb_vat", "CH": "ch_vat", "NO": "no_vat", "AU": "au_abn", "NZ": "nz_gst", "IN": "in_gst", "SG": "sg_gst", "CA": "ca_bn",
}  # fmt: skip

_ISO = {"UK": "GB", "EL": "GR"}  # as people write them

# codes of errors that we have a word for; others keep Stripe's
CODES = {
    "customer_tax_location_invalid": "UNKNOWN_PLACE", "country_unsupported": "UNKNOWN_PLACE", "country_code_invalid": "UNKNOWN_PLACE",
    "tax_id_invalid": "BAD_TAX_NUMBER", "idempotency_error": "REFERENCE_USED", "resource_missing": "UNKNOWN_RECORD",
}  # fmt: skip
_FIELDS = {"country": "country", "state": "region", "postal_code": "postcode", "city": "city"}
_LINE_FIELDS = {"amount": "amount", "quantity": "qty", "tax_code": "category"}


# --- the question


def form_of(asked: Asked, today: date) -> tuple[Form, list[Problem]]:
    """The form fields, and warnings; Refused with what Stripe could not answer. Items of nothing are not asked: amounts are positive."""
    request = asked.request
    if request.currency in UNLIKE_ISO:
        raise refused(
            "CURRENCY_NOT_SUPPORTED",
            "currency",
            f"Stripe's smallest unit of {request.currency} is not that of ISO 4217",
        )
    if request.on is not None and abs(request.on - today) > _DAYS:
        raise refused("DATE_OUT_OF_RANGE", "date", f"Stripe computes within {_DAYS.days} days of today only")
    lines, shipped = _places(asked)
    if len(lines) > MAX_LINES:
        raise refused("TOO_MANY_LINES", "lines", f"Stripe takes {MAX_LINES} lines at most")
    warnings: list[Problem] = []
    form: Form = [("currency", request.currency.lower())]
    form += _address("customer_details", request.place)
    form.append(("customer_details[address_source]", "shipping"))
    if request.is_exempt:
        form.append(("customer_details[taxability_override]", "customer_exempt"))
    form += _tax_id(asked, warnings)
    if request.ship_from is not None and request.ship_from.country:
        form += _address("ship_from_details", request.ship_from)
    if request.on is not None:
        noon = datetime.combine(request.on, time(12), UTC)
        form.append(("tax_date", str(int(noon.timestamp()))))
    for position, number in enumerate(lines):
        item = asked.items[number]
        form += _fields(f"line_items[{position}]", item, asked, warnings)
        form.append((f"line_items[{position}][reference]", reference_of(number)))
        if item.quantity == item.quantity.to_integral_value() and item.quantity >= 1:
            form.append((f"line_items[{position}][quantity]", str(int(item.quantity))))
    if shipped is not None:
        form += _fields("shipping_cost", asked.items[shipped], asked, warnings)
    expanded = ("line_items", "line_items.data.tax_breakdown", "shipping_cost.tax_breakdown")
    form += [(f"expand[{n}]", name) for n, name in enumerate(expanded)]
    return form, warnings


def is_nothing(asked: Asked) -> bool:
    """There is no amount to ask about."""
    return not any(item.price for item in asked.items)


def reference_of(number: int) -> str:
    """What an item is called in the calculation and in its transaction."""
    return f"item-{number}"


def _places(asked: Asked) -> tuple[list[int], int | None]:
    """The numbers of the items that are lines, and of the one that is Stripe's shipping cost.

    Stripe has one shipping cost and wants at least one line: further deliveries, or all where nothing else costs anything, are lines
    with the code of shipping.
    """
    goods = [n for n, item in enumerate(asked.items) if item.price and not item.is_delivery]
    delivery = [n for n, item in enumerate(asked.items) if item.price and item.is_delivery]
    return (goods + delivery[1:], delivery[0]) if goods and delivery else (goods + delivery, None)


def _fields(name: str, item: Item, asked: Asked, warnings: list[Problem]) -> Form:
    behavior = "inclusive" if asked.is_inclusive else "exclusive"
    return [
        (f"{name}[amount]", str(item.price)), (f"{name}[tax_behavior]", behavior), (f"{name}[tax_code]", _code(item, warnings)),
    ]  # fmt: skip


def _address(name: str, place: Place) -> Form:
    """Where the goods go to or come from; the country alone is always there."""
    country = _ISO.get(place.country, place.country)
    state = place.region.removeprefix(f"{country}-")
    fields = {"country": country, "state": state, "postal_code": place.postcode, "city": place.city}
    return [(f"{name}[address][{key}]", value) for key, value in fields.items() if value]


def _tax_id(asked: Asked, warnings: list[Problem]) -> Form:
    request = asked.request
    number = "".join(request.tax_id.upper().split())
    if not number:
        return []
    country = {"GR": "EL", "UK": "GB"}.get(request.place.country, request.place.country)
    kind = "eu_vat" if number[:2] in EU or country in EU else TAX_ID.get(country)
    if kind is None:
        warnings.append(
            Problem("TAX_NUMBER_NOT_TOLD", "customer.tax_id", f"Stripe was not told the tax number: of {country} none is expected")
        )  # fmt: skip
        return []
    if kind == "eu_vat" and number[:2] not in EU:
        number = country + number
    return [("customer_details[tax_ids][0][type]", kind), ("customer_details[tax_ids][0][value]", number)]


def _code(item: Item, warnings: list[Problem]) -> str:
    """Stripe's code of what is sold, or of the nearest part of the tree that has one."""
    if item.is_delivery:
        return NONTAXABLE if item.is_taxable is False else SHIPPING
    if re.fullmatch(r"txcd_\d{8}", item.category):
        return item.category
    category = category_of(item.category)
    code = code_of(category.code, "stripe") if category else None
    if code is None:
        warnings.append(
            Problem(
                "CATEGORY_WITHOUT_CODE", f"{item.path}category",
                f"Stripe has no code for {item.category[:60]!r} that we know: it was asked about goods in general",
            )
        )  # fmt: skip
    return code or GENERAL


# --- the answer


def answer_to(asked: Asked, calculation: Mapping[str, Any], lines: Sequence[Json], warnings: Sequence[Problem]) -> Json:
    """Our answer of Stripe's; ValueError, KeyError or TypeError where it is not what was asked for. `lines`: all of its line items."""
    by_reference = {line["reference"]: line for line in lines}
    _, shipped = _places(asked)
    found: list[LineResult] = []
    treatments: list[str] = []
    for number, item in enumerate(asked.items):
        if not item.price:
            found.append(LineResult(0, 0, 0, []))
            continue
        told = calculation["shipping_cost"] if number == shipped else by_reference[reference_of(number)]
        line, treatment = _line(item, told, asked)
        found.append(line)
        treatments.append(treatment)
    tax = calculation["tax_amount_exclusive"] + calculation["tax_amount_inclusive"]
    if tax != sum(line.tax for line in found):
        raise ValueError(f"the lines' taxes are not the total of {tax}")
    treatment = "marketplace_collected" if asked.request.collector == "marketplace" else strongest(treatments)
    answer = answer_of(found, digits=asked.request.digits, treatment=treatment, warnings=warnings)
    return {**answer, "calculation": str(calculation["id"])}


def _line(item: Item, told: Mapping[str, Any], asked: Asked) -> tuple[LineResult, str]:
    amount, tax = told["amount"], told["amount_tax"]
    if type(amount) is not int or type(tax) is not int or amount != item.price:
        raise ValueError(f"asked about {item.price}, answered about {amount}")
    entries = told["tax_breakdown"] or []
    if sum(entry["amount"] for entry in entries) != tax:
        raise ValueError(f"the taxes of {item.path} do not add up to {tax}")
    reasons = [
        TREATMENT.get(entry["taxability_reason"], "taxable" if entry["amount"] else "out_of_scope") for entry in entries
    ]
    taxes = [
        _taxed(entry)
        for entry, treatment in zip(entries, reasons, strict=True)
        if entry["amount"] or (treatment in _BEARS_TAX and entry["tax_rate_details"])
    ]
    return line_of(item.price, tax, taxes, is_inclusive=asked.is_inclusive), strongest(reasons)


def _taxed(entry: Mapping[str, Any]) -> Taxed:
    where, details = entry["jurisdiction"], entry["tax_rate_details"] or {}
    place = f"{where['country']}-{where['state']}" if where.get("state") else where["country"]
    if where["level"] not in ("country", "state"):
        place = f"{place} {where['display_name']}"
    rate = Decimal(str(details.get("percentage_decimal") or 0))
    name = str(details.get("display_name") or details.get("tax_type") or "tax")
    tax = Tax(name=name, rate=rate, jurisdiction=place, rule=entry["taxability_reason"], source="stripe")
    return Taxed(tax, rate, entry["taxable_amount"], entry["amount"])


# --- a refusal


def problem_of(error: Mapping[str, Any], asked: Asked | None) -> Problem:
    """Stripe's refusal with its message, at our own place in the request."""
    code = str(error.get("code") or error.get("type") or "refused")
    return Problem(
        CODES.get(code, code.upper()), _path(str(error.get("param") or ""), asked),
        f"Stripe refused: {str(error.get('message') or 'without a reason')[:500]}",
    )  # fmt: skip


def _path(param: str, asked: Asked | None) -> str:
    """line_items[0][amount] as lines[0].amount, customer_details[address][state] as region."""
    names = re.findall(r"[^\[\].]+", param)
    last = names[-1] if names else ""
    if names[:1] == ["line_items"] and len(names) > 1 and names[1].isdecimal() and asked is not None:
        lines, _ = _places(asked)
        if int(names[1]) < len(lines):
            path = asked.items[lines[int(names[1])]].path
            return path + _LINE_FIELDS.get(last, "") if last in _LINE_FIELDS else path.rstrip(".")
    if names[:1] == ["shipping_cost"]:
        return "shipping[0]"
    if names[:1] == ["customer_details"]:
        return "customer.tax_id" if "tax_ids" in names else _FIELDS.get(last, "country")
    if names[:1] == ["ship_from_details"]:
        return f"ship_from.{_FIELDS.get(last, 'country')}"
    return {"tax_date": "date", "line_items": "lines"}.get(param, param)
