"""What Shopify sends when a person or a shop wants its data shown or gone (its compliance topics), and what that touches. Pure.

https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance (seen in November 2026): one address an app for all its
shops, an answer within 30 days. A customer may be no more than an e-mail address, and then there is no id.
"""

from collections.abc import Callable
from typing import Any

from channels.adapter import Person, PrivacyRequest, customer_ref
from channels.client import Account
from channels.reading import Json, Reader
from salessync.core.problems import Problem, Refused

KINDS = {
    "customers/data_request": "data_request",
    "customers/redact": "customer_redact",
    "shop/redact": "shop_redact",
}
ORDERS = {"data_request": "orders_requested", "customer_redact": "orders_to_redact"}
MYSHOPIFY = ".myshopify.com"


def privacy(payload: Any, topic: str) -> PrivacyRequest | None:
    """The request of one of the three topics; None for any other."""
    kind = KINDS.get(topic.strip().casefold())
    if kind is None:
        return None
    if type(payload) is not dict:
        raise Refused(Problem("NOT_AN_OBJECT", "$", "a privacy request is a JSON object"))
    reader = Reader()
    shop = payload.get("shop_domain")
    request = PrivacyRequest(
        kind=kind,  # type: ignore[arg-type]
        customer=_customer(reader, payload) if kind in ORDERS else None,
        orders=_orders(reader, payload, ORDERS[kind]) if kind in ORDERS else (),
        shop=shop.strip().lower()[:255] if type(shop) is str and shop.strip() else None,
    )
    reader.finish()
    return request


def _customer(reader: Reader, payload: Json) -> str | None:
    customer = payload.get("customer")
    if type(customer) is not dict:
        return None
    return customer_ref(reader.optional_id(customer.get("id"), "customer.id"))


def _orders(reader: Reader, payload: Json, key: str) -> tuple[str, ...]:
    given = payload.get(key)
    if given is None:
        return ()
    if type(given) is not list:
        reader.refuse("NOT_A_LIST", key, f"{key} should be a list of order ids")
        return ()
    return tuple(dict.fromkeys(reader.identifier(one, f"{key}[{index}]") for index, one in enumerate(given)))


def concerns(request: PrivacyRequest, account: Account) -> bool:
    """Whether the shop that the request names is the account's, where both are known by their myshopify.com host."""
    named = str(account.credentials.get("shop") or account.base_url or "").strip().lower()
    host = named.removeprefix("https://").split("/")[0]
    if host and "." not in host:
        host += MYSHOPIFY
    if request.shop is None or not host.endswith(MYSHOPIFY):
        return True
    return host == request.shop


def persons(payload: Any) -> list[Person]:
    """One an order, and whom an earlier privacy request was about."""
    if type(payload) is not dict:
        return []
    orders = payload.get("orders")
    held = (payload, payload.get("order"), *(orders if type(orders) is list else ()))
    return [_person(one) for one in held if _tells(one)]


def forget(payload: Any, whom: Callable[[Person], bool]) -> Any:
    """Orders without the customer's hash, postcode and city; of a customer stays whether no tax was charged."""

    def kept(one: Any) -> Any:
        return _without(one) if _tells(one) and whom(_person(one)) else one

    if type(payload) is not dict:
        return payload
    found = kept(payload)
    if "order" in found:
        found = found | {"order": kept(found["order"])}
    if type(found.get("orders")) is list:
        found = found | {"orders": [kept(one) for one in found["orders"]]}
    return found


def _tells(one: Any) -> bool:
    """Whether it is an order, or something else that names a customer."""
    return type(one) is dict and ("line_items" in one or type(one.get("customer")) is dict)


def _person(one: Json) -> Person:
    customer, identifier = one.get("customer"), one.get("id")
    held = customer.get("id") if type(customer) is dict else None
    return Person(
        customer=held if type(held) is str and held.startswith("sha256:") else None,
        order=str(identifier) if type(identifier) in (int, str) and identifier != "" else None,
    )


def _without(one: Json) -> Json:
    kept = dict(one)
    if type(kept.get("customer")) is dict:
        kept["customer"] = {"tax_exempt": True} if kept["customer"].get("tax_exempt") is True else None
    for key in ("shipping_address", "billing_address"):
        if type(kept.get(key)) is dict:
            kept[key] = {k: v for k, v in kept[key].items() if k not in ("zip", "city")}
    return kept
