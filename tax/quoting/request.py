"""The request of `quote_tax`: JSON, parsed, to values. Pure; everything wrong is collected, with its path and a sentence.

Amounts are decimal strings in major units (a JSON number is read too). A key that nobody knows is ignored, null is absent.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from salessync.core.money import MINOR_DIGITS
from salessync.core.problems import Problem, Refused
from tax.engine.formula import KINDS, Tax
from tax.engine.rounding import LEVELS, MODES, Rounding
from tax.law.places import Place
from tax.quoting.request_rules import RequestRule, read_rules

_NUMBER = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,12})?")
_MAX_LINES = 10_000
_ZERO = Decimal(0)
PRICE_MODES = ("inclusive", "exclusive", "mixed")
COLLECTORS = ("merchant", "marketplace")
DEFAULT_DIGITS = 2  # of a currency that is not named


class RequestLine(msgspec.Struct, frozen=True):
    """`taxes` None: they are to be found; empty: none applies."""

    amount: Decimal
    quantity: Decimal
    category: str
    discount: Decimal
    taxes: tuple[Tax, ...] | None
    path: str


class RequestShipping(msgspec.Struct, frozen=True):
    """Delivery: with `taxes` of its own, or taxed as the goods are (`taxable`), or as the place's rule says (None)."""

    amount: Decimal
    taxable: bool | None
    taxes: tuple[Tax, ...] | None
    path: str


class Reduction(msgspec.Struct, frozen=True):
    """An amount or a percentage; `funding` other than the seller's is a payment, and the base stays."""

    amount: Decimal = _ZERO
    percent: Decimal = _ZERO
    funding: str = "seller"


class Adjustment(msgspec.Struct, frozen=True):
    """An allowance (negative) or charge (positive) on the document, net, at a rate in percent."""

    amount: Decimal
    rate: Decimal | None


class Request(msgspec.Struct, frozen=True):
    """What is asked. A `rounding` without level: as the place's law or custom has it."""

    on: date | None
    currency: str
    digits: int
    price_mode: str
    rounding: Rounding
    place: Place
    ship_from: Place | None
    is_exempt: bool
    tax_id: str
    collector: str
    registrations: frozenset[str] | None
    lines: tuple[RequestLine, ...]
    shipping: tuple[RequestShipping, ...]
    discount: Reduction
    adjustments: tuple[Adjustment, ...]
    charges: tuple[Adjustment, ...]
    rules: tuple[RequestRule, ...]
    channel_tax: Decimal | None

    @property
    def is_resolved(self) -> bool:
        """Some line's taxes are to be found."""
        return any(line.taxes is None for line in self.lines)


def read(data: Any) -> Request:
    """The request in `data`; Refused with all its problems."""
    if not isinstance(data, dict):
        raise Refused(Problem("NOT_A_REQUEST", "$", "a request is one JSON object"))
    reader = Reader()
    request = _read(data, reader)
    if reader.problems:
        raise Refused(*reader.problems)
    return request


class Reader:
    """Reads single values and keeps what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, code: str, path: str, message: str) -> None:
        self.problems.append(Problem(code, path, message))

    def number(self, data: dict[str, Any], key: str, path: str, default: Decimal | None = _ZERO) -> Decimal:
        """A decimal; without default it is required."""
        value = data.get(key)
        where = f"{path}{key}"
        if value is None or value == "":
            if default is None:
                self.refuse("MISSING", where, f"{where} is missing")
                return _ZERO
            return default
        return self.decimal(value, where)

    def decimal(self, value: Any, where: str) -> Decimal:
        text = value if isinstance(value, str) else str(value)
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal) or not _NUMBER.fullmatch(text):
            self.refuse("BAD_NUMBER", where, f"{text[:40]!r} is not a decimal number such as 12.50")
            return _ZERO
        return Decimal(text)

    def choice(self, data: dict[str, Any], key: str, path: str, options: tuple[str, ...], default: str) -> str:
        value = data.get(key)
        if value is None or value == "":
            return default
        if value not in options:
            self.refuse(
                f"UNKNOWN_{key.upper()}", f"{path}{key}", f"{str(value)[:40]!r} is none of {', '.join(options)}"
            )
            return default
        return str(value)

    def flag(self, data: dict[str, Any], key: str, path: str, default: bool | None) -> bool | None:
        value = data.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.refuse("NOT_TRUE_OR_FALSE", f"{path}{key}", f"{path}{key} is true or false")
            return default
        return value

    def text(self, data: dict[str, Any], key: str, path: str, limit: int = 200) -> str:
        value = data.get(key)
        if value is None:
            return ""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value) if abs(value) < 10**limit else None
        if not isinstance(value, str) or len(value) > limit:
            self.refuse("NOT_A_TEXT", f"{path}{key}", f"{path}{key} is a text of at most {limit} characters")
            return ""
        return value.strip()

    def items(self, data: dict[str, Any], key: str, path: str = "") -> Iterator[tuple[dict[str, Any], str]]:
        """The objects of a list, each with its path."""
        value = data.get(key)
        if value is None:
            return
        if not isinstance(value, list) or len(value) > _MAX_LINES:
            self.refuse("NOT_A_LIST", f"{path}{key}", f"{path}{key} is a list of at most {_MAX_LINES} objects")
            return
        for n, item in enumerate(value):
            if isinstance(item, dict):
                yield item, f"{path}{key}[{n}]."
            else:
                self.refuse("NOT_AN_OBJECT", f"{path}{key}[{n}]", f"{path}{key}[{n}] is an object")


def _read(data: dict[str, Any], reader: Reader) -> Request:
    price_mode = reader.choice(data, "price_mode", "", PRICE_MODES, "exclusive")
    currency = reader.text(data, "currency", "").upper()
    rounding = _rounding(data, reader, currency)
    customer = data.get("customer")
    if customer is not None and not isinstance(customer, dict):
        reader.refuse("NOT_AN_OBJECT", "customer", "customer is an object")
        customer = None
    customer = customer or {}
    lines = tuple(_line(item, path, reader, price_mode) for item, path in reader.items(data, "lines"))
    shipping = tuple(_shipping(item, path, reader, price_mode) for item, path in reader.items(data, "shipping"))
    if not lines and not reader.problems:
        reader.refuse("MISSING_LINES", "lines", "the request has no line: there is nothing to compute")
    channel_tax = data.get("channel_tax")
    return Request(
        on=_date(data, reader), currency=currency, digits=MINOR_DIGITS.get(currency, DEFAULT_DIGITS), price_mode=price_mode,
        rounding=rounding, place=_place(data, "", reader), ship_from=_ship_from(data, reader),
        is_exempt=bool(reader.flag(customer, "exempt", "customer.", False)), tax_id=reader.text(customer, "tax_id", "customer."),
        collector=reader.choice(data, "collector", "", COLLECTORS, "merchant"), registrations=_registrations(data, reader),
        lines=lines, shipping=shipping, discount=_discount(data, reader),
        adjustments=tuple(_adjustments(data, reader)), charges=tuple(_charges(data, reader)),
        rules=read_rules(data, reader), channel_tax=None if channel_tax is None else reader.decimal(channel_tax, "channel_tax"),
    )  # fmt: skip


def _date(data: dict[str, Any], reader: Reader) -> date | None:
    text = reader.text(data, "date", "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        reader.refuse("BAD_DATE", "date", f"{text[:40]!r} is not a day (YYYY-MM-DD)")
        return None


def _rounding(data: dict[str, Any], reader: Reader, currency: str) -> Rounding:
    """The rounding asked for; an unknown currency needs one, since nothing else says how many digits it has."""
    value = data.get("rounding")
    if value is not None and not isinstance(value, dict):
        reader.refuse("NOT_AN_OBJECT", "rounding", "rounding is an object")
        value = None
    value = value or {}
    digits = MINOR_DIGITS.get(currency, DEFAULT_DIGITS)
    increment = reader.number(value, "increment", "rounding.", _ZERO)
    if currency and currency not in MINOR_DIGITS and not increment:
        reader.refuse(
            "UNKNOWN_CURRENCY",
            "currency",
            f"{currency[:20]!r} is not an ISO 4217 currency code, and no increment is given",
        )
    if increment < 0:
        reader.refuse("BAD_NUMBER", "rounding.increment", "the increment is more than zero")
    level = reader.choice(value, "level", "rounding.", LEVELS, "")
    mode = reader.choice(value, "mode", "rounding.", tuple(MODES), "half_up")
    return Rounding(level, mode, increment or Decimal(1).scaleb(-digits))


def _place(data: dict[str, Any], path: str, reader: Reader) -> Place:
    return Place(
        country=reader.text(data, "country", path).upper(), region=reader.text(data, "region", path),
        postcode=reader.text(data, "postcode", path).upper(), city=reader.text(data, "city", path),
    )  # fmt: skip


def _ship_from(data: dict[str, Any], reader: Reader) -> Place | None:
    value = data.get("ship_from")
    if value is None:
        return None
    if not isinstance(value, dict):
        reader.refuse("NOT_AN_OBJECT", "ship_from", "ship_from is an object with a country")
        return None
    return _place(value, "ship_from.", reader)


def _registrations(data: dict[str, Any], reader: Reader) -> frozenset[str] | None:
    value = data.get("registrations")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(code, str) for code in value):
        reader.refuse("NOT_A_LIST", "registrations", "registrations is a list of places such as US-NY, DE or OSS")
        return None
    return frozenset(code.strip().upper() for code in value)


def _line(data: dict[str, Any], path: str, reader: Reader, price_mode: str) -> RequestLine:
    return RequestLine(
        amount=reader.number(data, "amount", path, None), quantity=reader.number(data, "qty", path, Decimal(1)),
        category=reader.text(data, "category", path) or "standard", discount=reader.number(data, "discount", path),
        taxes=_taxes(data, path, reader, price_mode), path=path,
    )  # fmt: skip


def _taxes(data: dict[str, Any], path: str, reader: Reader, price_mode: str) -> tuple[Tax, ...] | None:
    if data.get("taxes") is None:
        return None
    return tuple(_tax(item, where, reader, price_mode) for item, where in reader.items(data, "taxes", path))


def _tax(data: dict[str, Any], path: str, reader: Reader, price_mode: str) -> Tax:
    kind = reader.choice(data, "kind", path, KINDS, "percent")
    rate = reader.number(data, "rate", path, None)
    if kind != "fixed" and not -100 < rate <= 1000:
        reader.refuse("BAD_RATE", f"{path}rate", f"{rate} % is not a rate that a tax has")
    return Tax(
        name=reader.text(data, "name", path) or "tax", rate=rate, kind=kind,
        price_include=bool(reader.flag(data, "price_include", path, price_mode == "inclusive")),
        include_base_amount=bool(reader.flag(data, "include_base_amount", path, False)),
        is_base_affected=bool(reader.flag(data, "is_base_affected", path, True)),
        jurisdiction=reader.text(data, "jurisdiction", path), rule=reader.text(data, "rule", path) or "given",
        source=reader.text(data, "source", path) or "request",
    )  # fmt: skip


def _shipping(data: dict[str, Any], path: str, reader: Reader, price_mode: str) -> RequestShipping:
    taxes = _taxes(data, path, reader, price_mode)
    if taxes is None and data.get("rate") is not None:
        taxes = (_tax({"name": "shipping", **data}, path, reader, price_mode),)
    amount = reader.number(data, "amount", path, None) - reader.number(data, "discount", path)
    return RequestShipping(amount, reader.flag(data, "taxable", path, None), taxes, path)


def _discount(data: dict[str, Any], reader: Reader) -> Reduction:
    value = data.get("document_discount")
    if value is None:
        return Reduction()
    if not isinstance(value, dict):
        return Reduction(amount=reader.decimal(value, "document_discount"))
    percent = reader.number(value, "percent", "document_discount.")
    if not 0 <= percent <= 100:
        reader.refuse("BAD_NUMBER", "document_discount.percent", "a discount is between 0 and 100 percent")
    return Reduction(
        amount=reader.number(value, "amount", "document_discount."), percent=percent,
        funding=reader.choice(value, "funding", "document_discount.", ("seller", "manufacturer", "marketplace"), "seller"),
    )  # fmt: skip


def _adjustments(data: dict[str, Any], reader: Reader) -> Iterator[Adjustment]:
    for item, path in reader.items(data, "document_adjustments"):
        kind = reader.choice(item, "type", path, ("allowance", "charge"), "charge")
        amount = reader.number(item, "amount", path, None)
        rate = None if item.get("rate") is None else reader.number(item, "rate", path)
        yield Adjustment(-amount if kind == "allowance" else amount, rate)


def _charges(data: dict[str, Any], reader: Reader) -> Iterator[Adjustment]:
    value = data.get("document_charge")
    if isinstance(value, dict):
        rate = None if value.get("rate") is None else reader.number(value, "rate", "document_charge.")
        yield Adjustment(reader.number(value, "amount", "document_charge.", None), rate)
    elif value is not None:
        yield Adjustment(reader.decimal(value, "document_charge"), None)
