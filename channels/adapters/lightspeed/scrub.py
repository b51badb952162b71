"""What is kept of a Lightspeed payload: an allow-list by key. Pure.

The customer, the cashier, notes, codes, gift card numbers and addresses of shops' streets go; of the customer stays a hash of
the id, of a gift card that there was one. A key that is not listed goes with all it holds.
"""

from typing import Any

from channels.adapter import customer_ref
from channels.scrubbing import a_list, an_object, last_digits, scalar, text, words


def _customer_id(value: Any) -> Any:
    if (type(value) is int and 0 <= value < 10**30) or (type(value) is str and 0 < len(value) <= 255 and value.strip()):
        return customer_ref(value)
    return scalar(value)


def _gift_card(value: Any) -> Any:
    """That there is one; its number is money."""
    return True if value else None


def _wrapped(keep: Any) -> Any:
    """An object, or the answer that wraps it in `data`."""
    inside = an_object(keep)
    around = an_object(keep | {"data": inside})
    return lambda value: around(value) if type(value) is dict and type(value.get("data")) is dict else inside(value)


def _either(keep: Any) -> Any:
    """A list, or the answer that wraps it in `data`."""
    rows = a_list(an_object(keep))
    around = an_object({"data": rows})
    return lambda value: around(value) if type(value) is dict else rows(value)


_COMPONENTS = a_list(an_object(words("rate_id total_tax")))
_PRICING = an_object(words("price discount discount_total total"))
_LINE_TAX = an_object(words("id amount total"))
_META = an_object(words("version sequence") | {"tax_components": _COMPONENTS})
_RETURN = an_object(words("is_return original_sale_id") | {"return_sale_ids": a_list(scalar)})
_ID = an_object(words("id"))


def _tax(value: Any) -> Any:
    """The older API has a number here, the newer an object."""
    return _LINE_TAX(value) if type(value) is dict else scalar(value)


_ITEM = an_object(
    words(
        "id product_id sequence sku quantity price unit_price discount unit_discount discount_total total_discount price_total"
        " total_price tax_id tax_rate tax_total total_tax unit_tax status is_return"
    )
    | words("name tax_name", text)
    | {
        "product": _ID, "pricing": _PRICING, "tax": _tax, "_metadata": _META, "tax_components": _COMPONENTS,
        "return": _RETURN, "gift_card_number": _gift_card,
    }
)  # fmt: skip
_ATTRIBUTE = an_object(words("transaction_id source") | {"card_last_four_digits": last_digits})


def _attributes(value: Any) -> Any:
    return a_list(_ATTRIBUTE)(value) if type(value) is list else _ATTRIBUTE(value)


_NAMED = an_object(words("id config_id") | words("name", text))
_PAYMENT = an_object(
    words("id amount date payment_date deleted_at payment_type_id retailer_payment_type_id source_id register_id outlet_id")
    | words("name label", text)
    | {
        "type": _NAMED, "payment_type": _NAMED, "retailer_payment_type": _NAMED, "external_attributes": _attributes,
        "source": an_object(words("id outlet_id register_id")),
    }
)  # fmt: skip
_SOURCE_OBJECT = an_object(words("outlet_id register_id"))


def _source(value: Any) -> Any:
    return _SOURCE_OBJECT(value) if type(value) is dict else None


_CHARGE = words("source_id total total_incl total_tax") | words("name", text) | {"tax_components": _COMPONENTS}
_ADJUSTMENT = words("adjustment_type type total") | words("name", text) | {"tax_components": _COMPONENTS}
_SALE = words(
    "id version state status invoice_number receipt_number outlet_id register_id date sale_date created_at updated_at"
    " deleted_at return_for total_price total_tax total_price_incl currency"
) | {
    "customer_id": _customer_id,
    "attributes": a_list(scalar),
    "source": _source,
    "return": _RETURN,
    "_metadata": _META,
    "totals": an_object(words("price price_incl_tax tax surcharge total_price total_tax total_payment total_to_pay")),
    "line_items": a_list(_ITEM),
    "register_sale_products": a_list(_ITEM),
    "payments": a_list(_PAYMENT),
    "register_sale_payments": a_list(_PAYMENT),
    "adjustments": a_list(an_object(_ADJUSTMENT)),
    "ecom_custom_charges": a_list(an_object(_CHARGE)),
}
_SALE_TAXES = a_list(an_object(words("id tax rate") | words("name", text)))
_CURRENCY = an_object(words("code"))


def _currency(value: Any) -> Any:
    return _CURRENCY(value) if type(value) is dict else scalar(value)


_RETAILER = words("id country timezone tax_exclusive discount_product_id domain_prefix") | {"currency": _currency}
_OUTLET = words(
    "id currency display_prices time_zone physical_country_id physical_state physical_postcode physical_city"
)
_RATES = a_list(an_object(words("id rate") | words("name", text)))
_TAXES = words("id tax rate") | words("name", text) | {"rates": _RATES}
_PRODUCT = words("id sku") | words("name variant_name", text)
_ORIGINAL = {
    "id": scalar,
    "line_items": a_list(an_object(words("id product_id quantity") | {"product": _ID})),
    "register_sale_products": a_list(an_object(words("id product_id quantity"))),
}
_INNER = an_object(_SALE | {"taxes": _SALE_TAXES})


def _data(value: Any) -> Any:
    return a_list(_INNER)(value) if type(value) is list else _INNER(value)


_INVENTORY = words("product_id outlet_id count current_amount inventory_level current_inventory_level version")
_ROOT = an_object(
    _SALE
    | _INVENTORY
    | {
        "sale": _wrapped(_SALE | {"taxes": _SALE_TAXES}),
        "data": _data,
        "register_sales": a_list(_INNER),
        "retailer": _wrapped(_RETAILER),
        "outlet": _wrapped(_OUTLET),
        "taxes": _either(_TAXES),
        "products": _either(_PRODUCT),
        "original": _wrapped(_ORIGINAL),
    }
)


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    return _ROOT(payload)
