"""Square order → canonical sale; a return order → refund; lines and returns in one order → an exchange, which is one sale. Pure."""

from typing import Any

import msgspec

from channels.adapter import Context, Ignored
from channels.adapters.square.lines import Lines, order_lines, plain_line
from channels.adapters.square.payment import order_tenders
from channels.adapters.square.reading import Reader, customer, known, source
from channels.adapters.square.refund import returned_lines, returns_records, rounded
from channels.adapters.square.taxes import TaxTable, tax_table
from channels.adapters.square.words import ORDER_STATUS, REFUND_STATUS, SENT
from channels.canonical import AnyRecord
from channels.reading import Json, text, word
from channels.record import Jurisdiction, Tax
from channels.sale import CAPTURED, Customer, Line, Sale, Tender, Totals
from salessync.core import dates


def order_records(raw: Any, context: Context, location: Any = None, refunds: Any = None) -> list[AnyRecord]:
    """The sale that an order is, or the refunds that it is; `location` and `refunds` are what the poller joined to it."""
    reader = Reader()
    order = reader.object(raw, "order")
    place = reader.parts({"location": location}, "location")
    reader.finish()
    _ignore_what_is_no_sale(order)
    lines, charges = reader.objects(order, "line_items"), reader.objects(order, "service_charges")
    returns = reader.objects(order, "returns")
    reader.find_currency(_money_of(order, lines, returns), "total_money.currency")
    if not reader.currency:  # no amount can be read without it
        _required(reader, order, returned=bool(returns))
        reader.finish()
    timezone = _timezone(reader, place, context)
    if returns and not lines and not charges:
        return returns_records(
            reader, order, returns, timezone, context, reader.objects({"refunds": refunds}, "refunds")
        )
    sale = _sale(reader, order, returns, timezone, place, context)
    reader.finish()
    return [sale]


def _money_of(order: Json, lines: list[Json], returns: list[Json]) -> list[Any]:
    """Where the order's currency may stand, the surest place first."""
    found = [order.get("total_money"), _rolled_up(order, "net_amounts"), _rolled_up(order, "return_amounts")]
    found += [row.get("total_money") or row.get("base_price_money") for row in lines]
    found += [_rolled_up(entry, "return_amounts") for entry in returns]
    rows = order.get("refunds")
    return found + ([row.get("amount_money") for row in rows if type(row) is dict] if type(rows) is list else [])


def _rolled_up(order: Json, key: str) -> Any:
    amounts = order.get(key)
    return amounts.get("total_money") if type(amounts) is dict else None


def _ignore_what_is_no_sale(order: Json) -> None:
    if order.get("state") == "DRAFT":
        raise Ignored("a draft order is a price that was worked out, and no sale yet")
    holds = [key for key in ("line_items", "service_charges", "returns") if order.get(key)]
    tenders = order.get("tenders")
    kinds = {word(one.get("type")) for one in tenders if type(one) is dict} if type(tenders) is list else set()
    if not holds and kinds == {"NO_SALE"}:
        raise Ignored("the drawer was opened without a sale")
    if not holds and order.get("refunds"):
        raise Ignored("the order holds no goods: the money that it gave back comes as a refund of its payment")


def _required(reader: Reader, order: Json, *, returned: bool) -> None:
    """What else is missing of an order whose amounts cannot be read."""
    reader.identifier(order.get("id"), "id")
    stated = _rolled_up(order, "return_amounts") if returned else order.get("total_money")
    if type(stated) is not dict or stated.get("amount") is None:
        reader.refuse("MISSING_AMOUNT", "total_money", "total_money, an amount, is missing")


def _timezone(reader: Reader, place: Json, context: Context) -> str:
    """The location's own zone, where the location was joined to its order; else the channel's."""
    zone = place.get("timezone")
    if zone is None:
        return context.timezone
    try:
        if type(zone) is str:
            dates.zone(zone)
            return zone
        reader.refuse("UNKNOWN_TIMEZONE", "location.timezone", "the location's time zone is no text")
    except dates.DateError as error:
        reader.refuse(error.code, "location.timezone", str(error))
    return context.timezone


def _sale(reader: Reader, order: Json, returns: list[Json], timezone: str, place: Json, context: Context) -> Sale:
    at = reader.happened(order)
    notes = _notes(order)
    lines, inclusive, mixed = _all_lines(reader, order, returns, notes)
    totals = _totals(reader, order, lines, returns, mixed=mixed)
    paid_by = _tenders(reader, order, totals)
    payment_status = _payment_status(reader, order, totals, paid_by, returned=bool(returns))
    return Sale(
        source=source(reader, order, "", reader.version(order, at), context),
        occurred_at=at,
        timezone=timezone,
        business_date=reader.business_day(at, timezone, context.day_cut_hour),
        currency=reader.currency,
        extensions={"square": notes} if notes else {},
        status=_status(order, payment_status),  # type: ignore[arg-type]
        payment_status=payment_status,  # type: ignore[arg-type]
        jurisdiction=_jurisdiction(reader, order, place, context),
        tax_inclusive=inclusive,
        customer=_customer(order),
        lines=lines.lines,
        tenders=paid_by,
        totals=totals,
    )


def _all_lines(reader: Reader, order: Json, returns: list[Json], notes: Json) -> tuple[Lines, bool, bool]:
    """The lines, whether tax lies inside their prices, and whether some of it did that had to be taken out."""
    sold = reader.objects(order, "line_items") + reader.objects(order, "service_charges")
    table = tax_table(reader, order, "taxes", sold)
    back: list[tuple[Json, str, TaxTable]] = []
    for index, entry in enumerate(returns):
        where = f"returns[{index}]."
        rows = reader.objects(entry, "return_line_items", where) + reader.objects(
            entry, "return_service_charges", where
        )
        back.append((entry, where, tax_table(reader, entry, "return_taxes", rows, where)))
    modes = {t.inclusive for t in (table, *(t for _, _, t in back)) if t.by_uid}
    mixed = table.mixed or len(modes) > 1 or any(t.mixed for _, _, t in back)
    if mixed:
        notes["tax_mode"] = "mixed: the taxes inside the prices are stated as outside of them"
        table = msgspec.structs.replace(table, mixed=True, inclusive=False)
    lines = order_lines(reader, order, table, notes)
    if back:
        _exchange(reader, back, mixed, lines, notes)
    return lines, not mixed and modes == {True}, mixed


def _exchange(reader: Reader, back: list[tuple[Json, str, TaxTable]], mixed: bool, lines: Lines, notes: Json) -> None:
    """The goods that came back, negative, beside those that went out; the buyer pays, or gets, the difference."""
    taken = {line.id for line in lines.lines}
    new = [line for line in lines.lines if line.type == "item"]
    old: list[Line] = []
    notes["returns"] = []
    for entry, where, own in back:
        table = msgspec.structs.replace(own, mixed=True, inclusive=False) if mixed else own
        came: list[Line] = []
        for row in returned_lines(reader, entry, where, table):
            identifier = row.uid if row.line is None or row.line in taken else row.line
            taken.add(identifier)
            kind = {"item": row.sold_as, "tip": "tip", "shipping": "shipping"}.get(row.type, "fee")
            line = plain_line(reader, identifier, kind, row.name, -row.net, row.quantity)
            line.sku, line.tax, line.taxes = row.sku, -row.tax, [_minus(tax) for tax in row.taxes]
            came.append(line)
            if row.type == "item":
                old.append(line)
        lines.lines += came
        told = {"order": reader.optional_id(entry.get("source_order_id"), where + "source_order_id")}
        notes["returns"].append({**told, "lines": [line.id for line in came]})
    if len(old) == 1 and len(new) == 1:
        new[0].exchange = old[0].id
    lines.count()


def _minus(tax: Tax) -> Tax:
    return msgspec.structs.replace(tax, amount=-tax.amount)


def _totals(reader: Reader, order: Json, lines: Lines, returns: list[Json], *, mixed: bool) -> Totals:
    """Square's own sums. It has none of gross and net, and its service charges count shipping too."""
    net = reader.parts(order, "net_amounts") if returns else {}
    if not returns:
        total, tax = reader.money(order, "total_money"), reader.maybe_money(order, "total_tax_money")
    elif net:
        total = reader.money(net, "total_money", "net_amounts.")
        tax = reader.maybe_money(net, "tax_money", "net_amounts.")
    else:
        back = reader.parts(order, "return_amounts")
        total = reader.money(order, "total_money") - reader.money(back, "total_money", "return_amounts.")
        tax = None
    discount = reader.maybe_money(order, "total_discount_money")
    charges = None if returns or mixed else reader.maybe_money(order, "total_service_charge_money")
    rounding = rounded(reader, order, "")
    for index, entry in enumerate(returns):
        rounding -= rounded(reader, entry, f"returns[{index}].")
    return Totals(
        gross=lines.gross,
        discount=lines.discount if discount is None else discount,
        net=lines.net,
        shipping=lines.shipping,
        tip=lines.tip,
        service_charge=lines.service_charge if charges is None else charges - lines.shipping,
        fees=lines.fees,
        tax=lines.tax if tax is None else tax,
        rounding=reader.within_limit(rounding, "rounding_adjustment"),
        total=reader.within_limit(total, "total_money"),
    )


def _tenders(reader: Reader, order: Json, totals: Totals) -> list[Tender] | None:
    """The payments. A finished order that lists none does not speak of them: Square finishes no order that is unpaid."""
    if order.get("tenders") is None and order.get("state") == "COMPLETED" and totals.total > 0:
        return None
    paid_by = order_tenders(reader, order)
    totals.paid = sum(t.amount for t in paid_by if t.status in CAPTURED)
    totals.due = totals.total - totals.paid
    return paid_by


def _status(order: Json, payment_status: str) -> str:
    """Square's state; an order that stays open though its payment was undone is voided until it is paid anew."""
    status = known(ORDER_STATUS, order.get("state"))
    return "voided" if status == "open" and payment_status == "voided" else status


def _payment_status(
    reader: Reader, order: Json, totals: Totals, paid_by: list[Tender] | None, *, returned: bool
) -> str:
    """Square has no word for it: what the tenders, and in older orders the refunds of the sale itself, add up to."""
    if paid_by is None:
        return "paid"
    paid = totals.paid or 0
    given_back = 0 if returned else _given_back(reader, order)
    if paid and given_back:
        return "refunded" if given_back >= paid else "partially_refunded"
    if paid:
        return "paid" if paid >= totals.total else "partially_paid"
    if totals.total <= 0 and order.get("state") == "COMPLETED":
        return "paid"
    states = {t.status for t in paid_by}
    return next(
        (state for state in ("unknown", "authorized", "pending", "voided", "failed") if state in states), "pending"
    )


def _given_back(reader: Reader, order: Json) -> int:
    total = 0
    for index, row in enumerate(reader.objects(order, "refunds")):
        if known(REFUND_STATUS, row.get("status")) == "succeeded":
            total += reader.amount(row, "amount_money", f"refunds[{index}].")
    return total


def _jurisdiction(reader: Reader, order: Json, place: Json, context: Context) -> Jurisdiction | None:
    """Where the goods are sent; else the location that sold them, by its own address or as the channel knows it."""
    for index, row in enumerate(reader.objects(order, "fulfillments")):
        details = SENT.get(word(row.get("type")))
        if details is not None and row.get("state") not in ("CANCELED", "FAILED"):
            where = f"fulfillments[{index}].{details}"
            recipient = reader.parts(reader.parts(row, details, f"fulfillments[{index}]."), "recipient", where + ".")
            sent_to = _address(recipient.get("address"), None, "destination")
            if sent_to is not None:
                return sent_to
    own = _address(place.get("address"), place.get("country"), "store")
    if own is not None or context.jurisdiction is None:
        return own
    return msgspec.structs.replace(context.jurisdiction, basis="store")


def _address(address: Any, country: Any, basis: str) -> Jurisdiction | None:
    parts = address if type(address) is dict else {}
    code = parts.get("country") or country
    if type(code) is not str or len(code) != 2 or not (code.isascii() and code.isalpha()):
        return None
    return Jurisdiction(
        country=code.upper(),
        region=_word(parts.get("administrative_district_level_1")),
        postcode=_word(parts.get("postal_code")),
        city=_word(parts.get("locality")),
        basis=basis,  # type: ignore[arg-type]
    )


def _word(value: Any) -> str | None:
    return value[:255] if type(value) is str and value else None


def _customer(order: Json) -> Customer | None:
    ref = customer(order.get("customer_id"))
    return None if ref is None else Customer(ref=ref)


def _notes(order: Json) -> Json:
    """What Square says and the record has no field for; nothing personal."""
    notes: Json = {}
    made_by = order.get("source")
    name = text(made_by.get("name")) if type(made_by) is dict else None
    if name:
        notes["source"] = name
    reference = text(order.get("reference_id"))
    if reference:
        notes["reference_id"] = reference
    return notes
