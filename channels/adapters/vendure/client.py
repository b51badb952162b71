"""How Vendure's Admin API is asked, a GraphQL: orders by their last change, and recent orders for new refunds. Pure.

Lists are sorted by time and read on from the last one seen, never by page number alone: a row that changes meanwhile moves to the
end and would push another one over the edge of a page. An error comes with status 200 and must not look like an empty page.
"""

from collections.abc import Generator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from channels.client import Account, Ask, Found, Page, Pages, Pointer, Reply
from channels.keyset import Position
from channels.reading import Json
from salessync.core.dates import DateError, format_instant, parse_instant
from salessync.core.problems import Problem, Refused

Asking = Generator[Ask, Reply, Any]

PATH = "/admin-api"
PAGE = 50  # orders with all that is in them
LIGHT_PAGE = 100  # of orders of which only the refunds are looked at; Vendure's own most is 1000
RECENT = timedelta(days=120)  # how long after the order a refund is looked for
SESSION = 12 * 3600  # seconds after which a new session is made; Vendure's last a year unless the shop says otherwise

_ORDER = """fragment SalesSyncOrder on Order {
  id code state active type orderPlacedAt createdAt updatedAt currencyCode couponCodes aggregateOrderId
  subTotal subTotalWithTax shipping shippingWithTax total totalWithTax
  taxSummary { description taxRate taxBase taxTotal }
  surcharges { id description sku price priceWithTax taxRate taxLines { description taxRate } }
  lines {
    id quantity orderPlacedQuantity unitPrice unitPriceWithTax linePrice linePriceWithTax
    proratedLinePrice proratedLinePriceWithTax taxRate taxLines { description taxRate }
    discounts { adjustmentSource type description amount amountWithTax }
    productVariant { id sku name }
  }
  shippingLines {
    id price priceWithTax discountedPrice discountedPriceWithTax shippingMethod { id code name }
    discounts { adjustmentSource type description amount amountWithTax }
  }
  shippingAddress { city province postalCode countryCode }
  billingAddress { city province postalCode countryCode }
  customer { id }
  channels { code pricesIncludeTax }
  payments {
    id createdAt updatedAt method amount state transactionId
    refunds {
      id createdAt updatedAt items shipping adjustment total method state transactionId reason paymentId
      lines { orderLineId quantity }
    }
  }
}"""
_SHOP = "globalSettings { serverConfig { moneyStrategyPrecision } } activeChannel { code pricesIncludeTax }"

ORDER_QUERY = f"query SalesSyncOrder($id: ID!) {{ order(id: $id) {{ ...SalesSyncOrder }} {_SHOP} }}\n{_ORDER}"
ORDERS_QUERY = (
    "query SalesSyncOrders($options: OrderListOptions) {"
    f" orders(options: $options) {{ items {{ ...SalesSyncOrder }} totalItems }} {_SHOP} }}\n{_ORDER}"
)
REFUNDS_QUERY = (
    "query SalesSyncRefunds($options: OrderListOptions) { orders(options: $options) { totalItems items {"
    " id orderPlacedAt payments { id createdAt updatedAt refunds { id createdAt updatedAt } } } } }"
)
LOGIN = (
    "mutation SalesSyncLogin($username: String!, $password: String!) {"
    " login(username: $username, password: $password) { __typename ... on CurrentUser { id }"
    " ... on ErrorResult { errorCode message } } }"
)


def _options(position: Position, field: str, until: datetime, take: int) -> Json:
    """From this very moment on: a database that keeps whole seconds as text puts 10:00:00 before 10:00:00.000."""
    start = parse_instant(position.at) - timedelta(milliseconds=1)
    span: Json = {field: {"between": {"start": _millis(start), "end": _millis(until)}}}
    placed = {"orderPlacedAt": {"isNull": False}}
    return {
        # a sort by two fields would be in the order of the schema, not in ours
        "sort": {field: "ASC"},
        "filter": span if field == "orderPlacedAt" else span | placed,
        "take": take,
        "skip": position.offset,
    }


def _millis(at: datetime) -> str:
    """As JavaScript writes times."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(row: Json, field: str) -> str:
    """The row's time in one way of writing it."""
    try:
        return format_instant(parse_instant(row.get(field)))
    except DateError:
        raise unexpected(f"a row has no {field}") from None


def unexpected(what: str) -> Refused:
    """What an answer is refused with that is not what was asked for."""
    return Refused(Problem("UNEXPECTED_ANSWER", "$", f"Vendure's answer cannot be read: {what}"))


def ask(query: str, variables: Json) -> Ask:
    """One request to the Admin API."""
    return Ask(method="POST", path=PATH, json={"query": query, "variables": variables})


def answer(query: str, variables: Json) -> Generator[Ask, Reply, Json]:
    """The data of one request's answer."""
    reply = yield ask(query, variables)
    return data_of(reply)


def error_of(reply: Reply) -> str | None:
    """The code of the first error in an answer; "an error" where it has no code, None where there is no error."""
    errors = reply.body.get("errors") if type(reply.body) is dict else None
    if not errors:
        return None
    first = errors[0] if type(errors) is list and type(errors[0]) is dict else {}
    extensions = first.get("extensions")
    code = extensions.get("code") if type(extensions) is dict else None
    return code if type(code) is str else "an error"


def data_of(reply: Reply) -> Json:
    """The data of an answer, or its errors as a problem: `FORBIDDEN` means that the session or key is no longer good."""
    told = error_of(reply)
    if told is not None:
        raise Refused(Problem("GRAPHQL_ERROR", "errors", f"Vendure answered {told[:60]!r}"))
    data = reply.body.get("data") if type(reply.body) is dict else None
    if type(data) is not dict:
        raise unexpected("it has no data")
    return data


def rows_of(data: Json) -> list[Json]:
    """The orders of a list's answer."""
    orders = data.get("orders")
    rows = orders.get("items") if type(orders) is dict else None
    if type(rows) is not list or any(type(row) is not dict for row in rows):
        raise unexpected("it has no list of orders")
    return rows


def _found(order: Json, data: Json) -> Found:
    """One order with what its amounts are counted in."""
    beside = {key: data[key] for key in ("globalSettings", "activeChannel") if key in data}
    return Found({"order": order, **beside})


def poll_orders(since: datetime, until: datetime, cursor: str | None, created: bool) -> Pages:
    """Every placed order that changed, with its payments and refunds."""
    field = "orderPlacedAt" if created else "updatedAt"
    position: Position | None = Position.start(cursor, since)
    while position is not None:
        data = yield from answer(ORDERS_QUERY, {"options": _options(position, field, until, PAGE)})
        rows = rows_of(data)
        found = [_found(row, data) for row in rows if str(row.get("id")) not in position.seen]
        position = position.after(rows, partial(instant, field=field), PAGE)
        yield Page(found=tuple(found), cursor=None if position is None else position.cursor())


def poll_refunds(since: datetime, until: datetime, cursor: str | None) -> Pages:
    """Orders of the last months of which a payment or refund is new or has changed; a page is one look at a hundred of them."""
    field = "orderPlacedAt"
    position: Position | None = Position.start(cursor, since - RECENT)
    while position is not None:
        rows = rows_of((yield from answer(REFUNDS_QUERY, {"options": _options(position, field, until, LIGHT_PAGE)})))
        moved = [
            str(row.get("id")) for row in rows if str(row.get("id")) not in position.seen and _moved(row, since, until)
        ]
        found = yield from _orders(moved)
        position = position.after(rows, partial(instant, field=field), LIGHT_PAGE)
        yield Page(found=tuple(found), cursor=None if position is None else position.cursor())


def _orders(ids: list[str]) -> Generator[Ask, Reply, list[Found]]:
    found: list[Found] = []
    for start in range(0, len(ids), PAGE):
        wanted = ids[start : start + PAGE]
        options = {"filter": {"id": {"in": wanted}}, "take": PAGE, "skip": 0}
        data = yield from answer(ORDERS_QUERY, {"options": options})
        found.extend(_found(row, data) for row in rows_of(data))
    return found


def _moved(order: Json, since: datetime, until: datetime) -> bool:
    return any(since <= at < until for at in _times(order))


def _times(order: Json) -> list[datetime]:
    """When the order's payments and refunds were made and last changed."""
    found = []
    for payment in objects(order.get("payments")):
        for row in (payment, *objects(payment.get("refunds"))):
            for key in ("createdAt", "updatedAt"):
                try:
                    found.append(parse_instant(row.get(key)))
                except DateError:
                    continue
    return found


def objects(value: Any) -> list[Json]:
    """The objects of a list; none where it is no list."""
    return [one for one in value if type(one) is dict] if type(value) is list else []


def fetch(pointer: Pointer) -> Asking:
    """One order; None where Vendure has none of that id."""
    if pointer.kind != "order":
        return None
    data = yield from answer(ORDER_QUERY, {"id": pointer.id})
    order = data.get("order")
    if order is None:
        return None
    if type(order) is not dict:
        raise unexpected("the order is no object")
    return _found(order, data)


def login(account: Account) -> Ask | None:
    """A new session of an administrator."""
    known = account.credentials
    if known.get("api_key") or not (known.get("username") and known.get("password")):
        return None
    return ask(LOGIN, {"username": str(known["username"]), "password": str(known["password"])})


def session(reply: Reply, account: Account, now: datetime) -> Json:
    """The credentials with the new session's token."""
    answer = data_of(reply).get("login")
    token = reply.headers.get("vendure-auth-token")
    if type(answer) is not dict or answer.get("__typename") != "CurrentUser" or not token:
        raise Refused(Problem("LOGIN_REFUSED", "login", "Vendure did not accept the name and password"))
    return {**account.credentials, "token": token, "expires_at": int(now.timestamp()) + SESSION}
