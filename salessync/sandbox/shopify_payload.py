"""How Shopify writes an order, a transaction and a refund down. Pure.

The shape is the vendor's own (REST of 2026-07, of which a webhook's body is one object); the optional `*_set` doubles of most
amounts are left out, as a subscription with `include_fields` leaves them out.
"""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from salessync.sandbox import people
from salessync.sandbox.catalog import GIFT_CARD
from salessync.sandbox.shopify_order import Item, Levy, Order, Payment, Refund, Taxed

Json = dict[str, Any]

CARD_COMPANIES = {"4242": "Visa", "4444": "Mastercard", "0005": "American Express"}


def major(amount: int) -> str:
    """ "12.50" for 1250."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100}.{abs(amount) % 100:02d}"


def _money_set(amount: int, currency: str, shown: int | None = None, shown_currency: str | None = None) -> Json:
    return {
        "shop_money": {"amount": major(amount), "currency_code": currency},
        "presentment_money": {
            "amount": major(amount if shown is None else shown),
            "currency_code": shown_currency or currency,
        },
    }


def shown(order: Order, amount: int) -> int:
    """An amount in the currency that the buyer sees."""
    return int((amount * order.buyer_rate).quantize(Decimal(1), ROUND_HALF_UP))


def order_payload(order: Order) -> Json:
    """The body of every orders/* webhook."""
    items, kept, shipping = order.items, order.kept, order.shipping
    assert order.updated is not None and order.first_total is not None
    zone, currency = order.zone, order.currency
    other = order.buyer_currency or currency
    left = [(item, _left(item)) for item in kept]
    back_shipping = sum(r.shipping[1] for r in order.refunds if r.shipping)
    current_tax = sum(tax for _, (_, tax) in left) + (shipping.tax - back_shipping if shipping else 0)
    first_items = [item for item in items if item.id % 10 != 9]  # an edit's own lines end in 9
    gateways = list(dict.fromkeys(p.gateway for p in order.payments))
    return {
        "id": order.id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order.id}",
        "app_id": 580111 if order.source_name == "web" else 129785,
        "browser_ip": order.buyer.ip,
        "buyer_accepts_marketing": bool(order.id % 2),
        "cancel_reason": "customer" if order.cancelled_at else None,
        "cancelled_at": stamp(order.cancelled_at, zone),
        "closed_at": stamp(order.closed_at, zone),
        "confirmed": True,
        "contact_email": order.buyer.email,
        "created_at": stamp(order.at, zone),
        "currency": currency,
        "current_subtotal_price": major(sum(net for _, (net, _) in left)),
        "current_total_discounts": major(sum(item.discount * item.current // item.quantity for item in kept)),
        "current_total_price": major(order.total - order.given_back),
        "current_total_tax": major(current_tax),
        "customer_locale": "de-DE" if order.inclusive else "en-US",
        "discount_codes": [
            {"code": a["code"], "amount": a["value"], "type": a["value_type"]}
            for a in order.applications
            if "code" in a
        ],
        "email": order.buyer.email,
        "financial_status": order.financial_status,
        "fulfillment_status": "fulfilled" if order.closed_at or order.location else None,
        "location_id": order.location,
        "merchant_of_record_app_id": None,
        "name": order.name,
        "note": None,
        "number": order.number,
        "order_number": order.number + 1000,
        "payment_gateway_names": gateways,
        "phone": order.buyer.phone,
        "presentment_currency": other,
        "processed_at": stamp(order.at, zone),
        "source_name": order.source_name,
        "subtotal_price": major(sum(i.net for i in first_items)),
        "tags": "",
        "tax_exempt": False,
        "tax_lines": _tax_totals([*first_items, *([shipping] if shipping else [])]),
        "taxes_included": order.inclusive,
        "test": order.test,
        "total_discounts": major(sum(i.discount for i in first_items)),
        "total_line_items_price": major(sum(i.gross for i in first_items)),
        "total_outstanding": major(max(order.total - order.captured, 0) if not order.cancelled_at else 0),
        "total_price": major(order.first_total),
        "total_price_set": _money_set(order.first_total, currency, shown(order, order.first_total), other),
        "total_shipping_price_set": _money_set(
            shipping.net if shipping else 0, currency, shown(order, shipping.net if shipping else 0), other
        ),
        "total_tax": major(sum(i.tax for i in first_items) + (shipping.tax if shipping else 0)),
        "total_tip_received": major(order.tip),
        "updated_at": stamp(order.updated, zone),
        "user_id": None,
        "billing_address": None if order.homeless else people.address(order.buyer),
        "customer": people.customer(order.buyer, currency),
        "discount_applications": order.applications,
        "line_items": [_line_item(item) for item in items],
        "payment_terms": None,
        "refunds": [refund_payload(order, refund) for refund in order.refunds],
        "shipping_address": None if order.homeless or order.location else people.address(order.buyer),
        "shipping_lines": [_shipping_line(order)] if shipping else [],
    }


def _left(item: Item) -> tuple[int, int]:
    """Net and tax of the units that have not come back."""
    return (
        item.net - item.net * item.returned // item.quantity,
        item.tax - item.tax * item.returned // item.quantity,
    )


def stamp(at: datetime | None, zone: ZoneInfo) -> str | None:
    """An instant with the shop's own offset."""
    return at.astimezone(zone).isoformat(timespec="seconds") if at else None


def _tax_lines(part: Taxed) -> list[Json]:
    return [
        {"channel_liable": False, "price": major(amount), "rate": levy.rate, "title": levy.title}
        for levy, amount in zip(part.levies, part.taxes, strict=True)
    ]


def _tax_totals(parts: list[Taxed]) -> list[Json]:
    sums: dict[Levy, int] = {}
    for part in parts:
        for levy, amount in zip(part.levies, part.taxes, strict=True):
            sums[levy] = sums.get(levy, 0) + amount
    return [
        {"channel_liable": False, "price": major(amount), "rate": levy.rate, "title": levy.title}
        for levy, amount in sums.items()
    ]


def _allocated(part: Taxed) -> list[Json]:
    return [{"amount": major(amount), "discount_application_index": index} for index, amount in part.allocations]


def _line_item(item: Item) -> Json:
    product = item.product
    return {
        "id": item.id,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{item.id}",
        "current_quantity": item.current,
        "fulfillable_quantity": item.current,
        "fulfillment_status": None,
        "gift_card": product is GIFT_CARD,
        "name": product.name,
        "price": major(item.gross // item.quantity),
        "product_id": 8_000_000_000_000 + int(product.plu),
        "properties": [],
        "quantity": item.quantity,
        "requires_shipping": product is not GIFT_CARD,
        "sku": product.sku,
        "taxable": bool(item.levies),
        "title": product.name,
        "total_discount": "0.00",
        "variant_id": 8_100_000_000_000 + int(product.plu),
        "tax_lines": _tax_lines(item),
        "duties": [],
        "discount_allocations": _allocated(item),
    }


def _shipping_line(order: Order) -> Json:
    part = order.shipping
    assert part is not None
    return {
        "id": part.id,
        "code": order.shipping_title,
        "discounted_price": major(part.net),
        "is_removed": False,
        "phone": order.buyer.phone,
        "price": major(part.gross),
        "source": "shopify",
        "title": order.shipping_title,
        "tax_lines": _tax_lines(part),
        "discount_allocations": _allocated(part),
    }


def transaction_payload(order: Order, payment: Payment) -> Json:
    """The body of order_transactions/create, and a row of an order's transactions."""
    foreign = payment.foreign is not None
    found = _transaction(
        order,
        payment.id,
        payment.kind,
        payment,
        payment.foreign if payment.foreign is not None else payment.amount,
    )
    found["currency"] = order.buyer_currency if foreign else order.currency
    found["parent_id"] = payment.parent.id if payment.parent else None
    found["created_at"] = found["processed_at"] = stamp(payment.at, order.zone)
    return found


def _transaction(order: Order, id: int, kind: str, payment: Payment, amount: int) -> Json:
    found: Json = {
        "id": id,
        "admin_graphql_api_id": f"gid://shopify/OrderTransaction/{id}",
        "order_id": order.id,
        "kind": kind,
        "gateway": payment.gateway,
        "status": "success",
        "message": None,
        "created_at": None,
        "test": order.test,
        "authorization": f"ch_{payment.id:x}" if payment.gateway == "shopify_payments" else None,
        "location_id": order.location,
        "parent_id": payment.id,
        "processed_at": None,
        "error_code": None,
        "source_name": order.source_name,
        "receipt": {},
        "amount": major(amount),
        "currency": order.currency,
        "payment_id": f"{order.name}.{payment.id % 100}",
        "manual_payment_gateway": payment.gateway == "manual",
    }
    if payment.last4:
        found["payment_details"] = {
            "credit_card_bin": None, "avs_result_code": None, "cvv_result_code": None,
            "credit_card_number": f"•••• •••• •••• {payment.last4}",
            "credit_card_company": CARD_COMPANIES[payment.last4],
            "credit_card_name": f"{order.buyer.first} {order.buyer.last}",
            "payment_method_name": CARD_COMPANIES[payment.last4].lower().replace(" ", "_"),
        }  # fmt: skip
    if payment.gateway == "gift_card":
        found["receipt"] = {
            "gift_card_id": 9_000_000 + payment.id % 100_000,
            "gift_card_last_characters": "7d2f",
        }
    return found


def refund_payload(order: Order, refund: Refund) -> Json:
    """The body of refunds/create, and a row of an order's refunds."""
    return {
        "id": refund.id,
        "order_id": order.id,
        "created_at": stamp(refund.at, order.zone),
        "note": refund.note,
        "user_id": 548_380_001,
        "processed_at": stamp(refund.at, order.zone),
        "duties": [],
        "return": None,
        "restock": refund.restock in ("return", "cancel") and bool(refund.items),
        "refund_shipping_lines": [_refund_shipping_line(order, refund)] if refund.shipping else [],
        "admin_graphql_api_id": f"gid://shopify/Refund/{refund.id}",
        "order_adjustments": _adjustments(order, refund),
        "refund_line_items": [_refund_line(refund, position, *row) for position, row in enumerate(refund.items)],
        "transactions": [_refund_transaction(order, refund, *row) for row in refund.money],
    }


def _refund_line(refund: Refund, position: int, item: Item, units: int, net: int, tax: int) -> Json:
    return {
        "id": refund.id * 10 + position,
        "quantity": units,
        "line_item_id": item.id,
        "location_id": 71_000_001 if refund.restock in ("return", "cancel") else None,
        "restock_type": refund.restock,
        "subtotal": Decimal(major(net)),
        "total_tax": Decimal(major(tax)),
        "line_item": _line_item(item),
    }


def _refund_shipping_line(order: Order, refund: Refund) -> Json:
    assert refund.shipping is not None and order.shipping is not None
    return {
        "id": refund.id * 10 + 8,
        "shipping_line_id": order.shipping.id,
        "subtotal_amount_set": _money_set(refund.shipping[0], order.currency),
        "shipping_line": _shipping_line(order),
    }


def _adjustments(order: Order, refund: Refund) -> list[Json]:
    """A shipping refund stands here as well; a difference between lines and money is a refund_discrepancy."""
    rows: list[tuple[str, int, int]] = []
    if refund.shipping:
        rows.append(("shipping_refund", -refund.shipping[0], -refund.shipping[1]))
    stated = sum(net + (0 if order.inclusive else tax) for _, _, net, tax in refund.items)
    if refund.shipping:
        stated += refund.shipping[0] + (0 if order.inclusive else refund.shipping[1])
    moved = 0 if refund.pending else refund.total
    if stated != moved:
        rows.append(("refund_discrepancy", stated - moved, 0))
    return [
        {
            "id": refund.id * 100 + position,
            "order_id": order.id,
            "refund_id": refund.id,
            "amount": major(amount),
            "tax_amount": major(tax),
            "kind": kind,
            "reason": kind.replace("_", " ").capitalize(),
            "amount_set": _money_set(amount, order.currency),
            "tax_amount_set": _money_set(tax, order.currency),
        }
        for position, (kind, amount, tax) in enumerate(rows)
    ]


def _refund_transaction(order: Order, refund: Refund, id: int, payment: Payment, amount: int) -> Json:
    found = _transaction(order, id, "refund", payment, amount)
    found["status"] = "pending" if refund.pending else "success"
    found["created_at"] = stamp(refund.at, order.zone)
    found["processed_at"] = stamp(refund.settled_at or refund.at, order.zone)
    found.pop("payment_details", None)
    return found
