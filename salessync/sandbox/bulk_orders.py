"""Paid Shopify orders in bulk, for benchmarks: distinct, correct, about 3 KB each, and cheap to make. Pure.

Everything that does not differ from order to order is written once; an order is a few pieces of JSON put together.
"""

import json
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import NamedTuple

from salessync.sandbox import people
from salessync.sandbox.catalog import PRODUCTS, Product
from salessync.sandbox.people import Place

FIRST_ID = 5_000_000_000_000
_PLACE = Place("Los Angeles", "90013", "California", "CA", "United States", "US")
_TAXES = (("California State Tax", "0.0725"), ("Los Angeles County Tax", "0.0225"))
_SHIPPING = 595


class _Piece(NamedTuple):
    """A line's JSON around its id, and its amounts: net, and each tax."""

    before: str
    after: str
    net: int
    taxes: tuple[int, ...]


def orders(n: int, seed: int = 1, *, first: int = FIRST_ID) -> Iterator[bytes]:
    """`n` bodies of orders/create with two or three lines, two taxes each, and shipping; ids from `first` on."""
    rng = Random(seed)
    lines = [_line(product, quantity) for product in PRODUCTS for quantity in (1, 2, 3)]
    buyers = [_buyer(rng) for _ in range(200)]
    shipping = _shipping()
    for number in range(n):
        id = first + number
        chosen = rng.sample(lines, 2 + (number % 4 == 0))
        second = number % 86_400
        clock = f"2026-09-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}-04:00"
        yield _order(id, number, clock, chosen, shipping, rng.choice(buyers)).encode()


def _order(id: int, number: int, clock: str, chosen: list[_Piece], shipping: _Piece, buyer: str) -> str:
    net = sum(piece.net for piece in chosen)
    taxes = [sum(piece.taxes[i] for piece in (*chosen, shipping)) for i in range(len(_TAXES))]
    subtotal, tax, total = _major(net), _major(sum(taxes)), _major(net + shipping.net + sum(taxes))
    items = ",".join(f"{piece.before}{id * 10 + place}{piece.after}" for place, piece in enumerate(chosen, 1))
    money = f'{{"amount":"{total}","currency_code":"USD"}}'
    return (
        f'{{"id":{id},"app_id":580111,"cancel_reason":null,"cancelled_at":null,"closed_at":null,"confirmed":true,"created_at":"{clock}","currency":"USD",'
        f'"current_subtotal_price":"{subtotal}","current_total_discounts":"0.00","current_total_price":"{total}",'
        f'"current_total_tax":"{tax}","customer_locale":"en-US","discount_codes":[],"financial_status":"paid",'
        f'"fulfillment_status":null,"location_id":null,"merchant_of_record_app_id":null,"name":"#{number}",'
        f'"number":{number},"order_number":{number + 1000},"payment_gateway_names":["shopify_payments"],'
        f'"presentment_currency":"USD","processed_at":"{clock}","source_name":"web","subtotal_price":"{subtotal}",'
        f'"tags":"","tax_exempt":false,"tax_lines":[{",".join(_tax_lines(taxes))}],"taxes_included":false,"test":false,'
        f'"total_discounts":"0.00","total_line_items_price":"{subtotal}","total_outstanding":"0.00","total_price":"{total}",'
        f'"total_price_set":{{"shop_money":{money},"presentment_money":{money}}},"total_tax":"{tax}",'
        f'"total_tip_received":"0.00","updated_at":"{clock}","user_id":null,{buyer},"discount_applications":[],'
        f'"line_items":[{items}],"payment_terms":null,"refunds":[],"shipping_lines":[{shipping.before}{id * 10}{shipping.after}]}}'
    )


def _buyer(rng: Random) -> str:
    person = people.invent(rng, [_PLACE])
    address = people.address(person)
    fields = {
        "browser_ip": person.ip, "contact_email": person.email, "email": person.email, "phone": person.phone,
        "billing_address": None,
        "customer": {"id": person.id, "first_name": person.first, "last_name": person.last, "email": person.email},
        "shipping_address": address,
    }  # fmt: skip
    return json.dumps(fields, separators=(",", ":"))[1:-1]


def _line(product: Product, quantity: int) -> _Piece:
    net = product.cents * quantity
    taxes = _levied(net)
    after = (
        f',"current_quantity":{quantity},"fulfillment_status":null,"gift_card":false,'
        f'"name":"{product.name}","price":"{_major(product.cents)}","product_id":{8_000_000_000_000 + int(product.plu)},'
        f'"quantity":{quantity},"requires_shipping":true,"sku":"{product.sku}","taxable":true,'
        f'"title":"{product.name}","total_discount":"0.00","variant_id":{8_100_000_000_000 + int(product.plu)},'
        f'"tax_lines":[{",".join(_tax_lines(taxes))}],"duties":[],"discount_allocations":[]}}'
    )
    return _Piece('{"id":', after, net, taxes)


def _shipping() -> _Piece:
    price = _major(_SHIPPING)
    after = (
        f',"code":"Ground","discounted_price":"{price}","is_removed":false,"price":"{price}","source":"shopify",'
        f'"title":"Ground","tax_lines":[],"discount_allocations":[]}}'
    )
    return _Piece('{"id":', after, _SHIPPING, (0,) * len(_TAXES))  # California does not tax shipping on its own


def _levied(net: int) -> tuple[int, ...]:
    return tuple(int((net * Decimal(rate)).quantize(Decimal(1), ROUND_HALF_UP)) for _, rate in _TAXES)


def _tax_lines(amounts: list[int] | tuple[int, ...]) -> list[str]:
    return [
        f'{{"channel_liable":false,"price":"{_major(amount)}","rate":{rate},"title":"{title}"}}'
        for (title, rate), amount in zip(_TAXES, amounts, strict=True)
    ]


def _major(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"
