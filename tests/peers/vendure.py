"""Vendure (npm), an open-source shop: its storefront's checkout, its administrator's work, and its own figures."""

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.peers import running
from tests.peers.installing import npm_packages

OWNER, PASSWORD = "owner", "peer-only"
VAT = 19
PRICE, SHIPPING = 1235, 490  # as listed, in cents
STOCK = 100

_buyers = itertools.count(1)

ORDER = """query($id: ID!) { order(id: $id) {
  id state total totalWithTax
  lines { id quantity unitPrice unitPriceWithTax proratedUnitPrice proratedUnitPriceWithTax }
  payments { id method amount state refunds { id total state } }
} }"""
ORDERS = (
    "query($skip: Int!) { orders(options: { take: 100, skip: $skip, sort: { id: ASC } }) { items { id } totalItems } }"
)


class Vendure:
    """One shop, with a mug (SKU MUG) and two ways to pay; prices are in EUR."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = None
        self.token = self._ask("admin-api", _LOGIN, {"name": OWNER, "password": PASSWORD})[1]

    # --- the administrator

    def admin(self, query: str, **variables):
        """The data of one answer of the Admin API."""
        return self._ask("admin-api", query, variables, self.token)[0]

    def set_up(self, *, prices_include_tax: bool) -> None:
        """Zone, country, tax, product, shipping, payment methods and a coupon of 10 %."""
        zone = self.admin('mutation { createZone(input: { name: "Z" }) { id } }')["createZone"]["id"]
        country = self.admin(_COUNTRY)["createCountry"]["id"]
        self.admin(
            "mutation($z: ID!, $c: [ID!]!) { addMembersToZone(zoneId: $z, memberIds: $c) { id } }", z=zone, c=[country]
        )
        channel = self.admin("{ activeChannel { id } }")["activeChannel"]["id"]
        own = {
            "id": channel,
            "defaultTaxZoneId": zone,
            "defaultShippingZoneId": zone,
            "pricesIncludeTax": prices_include_tax,
        }
        own |= {"availableCurrencyCodes": ["USD", "EUR"], "defaultCurrencyCode": "EUR"}
        self.admin("mutation($i: UpdateChannelInput!) { updateChannel(input: $i) { __typename } }", i=own)
        category = self.admin('mutation { createTaxCategory(input: { name: "S", isDefault: true }) { id } }')
        category = category["createTaxCategory"]["id"]
        rate = {"name": "VAT", "enabled": True, "value": VAT, "categoryId": category, "zoneId": zone}
        self.admin("mutation($i: CreateTaxRateInput!) { createTaxRate(input: $i) { id } }", i=rate)
        product = self.admin(_PRODUCT)["createProduct"]["id"]
        mug = {"productId": product, "sku": "MUG", "price": PRICE, "taxCategoryId": category, "trackInventory": "TRUE"}
        mug |= {"stockOnHand": STOCK, "translations": [{"languageCode": "en", "name": "Mug"}]}
        made = self.admin(
            "mutation($i: [CreateProductVariantInput!]!) { createProductVariants(input: $i) { id } }", i=[mug]
        )
        self.variant = made["createProductVariants"][0]["id"]
        self.admin("mutation($i: CreateShippingMethodInput!) { createShippingMethod(input: $i) { id } }", i=_shipping())
        for code in ("own-card", "gift-card"):
            method = {"code": code, "enabled": True, "handler": {"code": "taker", "arguments": []}}
            method["translations"] = [{"languageCode": "en", "name": code}]
            self.admin("mutation($i: CreatePaymentMethodInput!) { createPaymentMethod(input: $i) { id } }", i=method)
        self.admin(_COUPON)

    def order(self, order_id: str):
        """As the shop tells it now."""
        return self.admin(ORDER, id=order_id)["order"]

    def orders(self):
        """Every order that was placed."""
        found, total = [], 1
        while len(found) < total:
            page = self.admin(ORDERS, skip=len(found))["orders"]
            found, total = found + page["items"], page["totalItems"]
        return [self.order(row["id"]) for row in found]

    def settle(self, order) -> None:
        """Take what was only authorized."""
        for payment in order["payments"]:
            self._done(_SETTLE, "settlePayment", id=payment["id"])

    def refund(self, order, amount: int, *, units: int = 0, method: str = "own-card") -> None:
        """Give back so much by the payment of that method, for so many units of the first line."""
        payment = next(p for p in order["payments"] if p["method"] == method)
        lines = [{"orderLineId": order["lines"][0]["id"], "quantity": units}] if units else []
        asked = {
            "paymentId": payment["id"],
            "amount": amount,
            "lines": lines,
            "shipping": 0,
            "adjustment": 0,
            "reason": "broken",
        }
        self._done(_REFUND, "refundOrder", i=asked)

    def cancel(self, order, *, units: int | None = None) -> None:
        """All of it, or so many units of the first line."""
        asked = {"orderId": order["id"], "reason": "called off", "cancelShipping": units is None}
        if units is not None:
            asked["lines"] = [{"orderLineId": order["lines"][0]["id"], "quantity": units}]
        self._done(_CANCEL, "cancelOrder", i=asked)

    def stock(self) -> tuple[int, int]:
        """The mug: on hand, and allocated to orders."""
        (level,) = self.admin(_STOCK, id=self.variant)["productVariant"]["stockLevels"]
        return level["stockOnHand"], level["stockAllocated"]

    def location(self) -> str:
        """The one place where stock is kept."""
        return str(self.admin(_STOCK, id=self.variant)["productVariant"]["stockLevels"][0]["stockLocationId"])

    # --- the buyer

    def place(self, units: int, *payments: tuple[str, dict], coupon: str | None = None):
        """A checkout with these payments (method, metadata), one after the other; the order."""
        buyer = Buyer(self)
        buyer.ask("mutation($v: ID!, $n: Int!) { addItemToOrder(productVariantId: $v, quantity: $n) { __typename } }",
                  v=self.variant, n=units)  # fmt: skip
        if coupon:
            buyer.ask("mutation($c: String!) { applyCouponCode(couponCode: $c) { __typename } }", c=coupon)
        buyer.ask(_WHO, e=f"buyer{next(_buyers)}@example.com")
        buyer.ask(_WHERE)
        method = buyer.ask("{ eligibleShippingMethods { id } }")["eligibleShippingMethods"][0]["id"]
        buyer.ask("mutation($m: [ID!]!) { setOrderShippingMethod(shippingMethodId: $m) { __typename } }", m=[method])
        buyer.ask('mutation { transitionOrderToState(state: "ArrangingPayment") { __typename } }')
        for code, metadata in payments:
            paid = buyer.ask(_PAY, i={"method": code, "metadata": metadata})["addPaymentToOrder"]
            assert paid["__typename"] == "Order", paid
        return self.order(paid["id"])

    # --- GraphQL

    def _done(self, query: str, name: str, **variables) -> None:
        answer = self.admin(query, **variables)[name]
        assert "errorCode" not in answer, answer

    def _ask(self, api: str, query: str, variables, token: str | None = None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = requests.post(
            f"{self.url}/{api}", json={"query": query, "variables": variables}, headers=headers, timeout=30
        )
        body = answer.json()
        assert not body.get("errors"), body["errors"]
        return body["data"], answer.headers.get("vendure-auth-token", token)


class Buyer:
    """One visit to the storefront."""

    def __init__(self, shop: Vendure) -> None:
        self.shop, self.token = shop, None

    def ask(self, query: str, **variables):
        """The data of one answer of the Shop API."""
        data, self.token = self.shop._ask("shop-api", query, variables, self.token)
        return data


def _shipping():
    rate = [{"name": "rate", "value": str(SHIPPING)}, {"name": "includesTax", "value": "auto"}]
    return {
        "code": "standard",
        "fulfillmentHandler": "manual-fulfillment",
        "checker": {
            "code": "default-shipping-eligibility-checker",
            "arguments": [{"name": "orderMinimum", "value": "0"}],
        },
        "calculator": {
            "code": "default-shipping-calculator",
            "arguments": [*rate, {"name": "taxRate", "value": str(VAT)}],
        },
        "translations": [{"languageCode": "en", "name": "Standard", "description": ""}],
    }


_LOGIN = "mutation($name: String!, $password: String!) { login(username: $name, password: $password) { __typename } }"
_COUNTRY = """mutation { createCountry(input: { code: "DE", enabled: true,
  translations: [{ languageCode: en, name: "Germany" }] }) { id } }"""
_PRODUCT = """mutation { createProduct(input: { enabled: true,
  translations: [{ languageCode: en, name: "Mug", slug: "mug", description: "" }] }) { id } }"""
_COUPON = """mutation { createPromotion(input: { enabled: true, couponCode: "TEN", conditions: [],
  actions: [{ code: "order_percentage_discount", arguments: [{ name: "discount", value: "10" }] }],
  translations: [{ languageCode: en, name: "Ten off" }] }) { __typename } }"""
_STOCK = "query($id: ID!) { productVariant(id: $id) { stockLevels { stockLocationId stockOnHand stockAllocated } } }"
_SETTLE = "mutation($id: ID!) { settlePayment(id: $id) { __typename ... on ErrorResult { errorCode message } } }"
_REFUND = (
    "mutation($i: RefundOrderInput!) { refundOrder(input: $i) { __typename ... on ErrorResult { errorCode message } } }"
)
_CANCEL = (
    "mutation($i: CancelOrderInput!) { cancelOrder(input: $i) { __typename ... on ErrorResult { errorCode message } } }"
)
_WHO = """mutation($e: String!) { setCustomerForOrder(
  input: { firstName: "A", lastName: "B", emailAddress: $e }) { __typename } }"""
_WHERE = """mutation { setOrderShippingAddress(
  input: { streetLine1: "Way 1", city: "Berlin", postalCode: "10115", countryCode: "DE" }) { __typename } }"""
_PAY = """mutation($i: PaymentInput!) { addPaymentToOrder(input: $i) {
  __typename ... on Order { id } ... on ErrorResult { errorCode message } } }"""


@contextlib.contextmanager
def running_vendure(folder: Path) -> Iterator[Vendure]:
    """A shop without any data."""
    packages = npm_packages("vendure-3.7.3", "@vendure/core@3.7.3", "sql.js@1.16.0")
    port = running.free_port()
    url = f"http://127.0.0.1:{port}"
    script = shutil.copy(running.SERVERS / "vendure.js", folder)
    environment = {"PORT": str(port), "PASSWORD": PASSWORD, "NODE_PATH": str(packages / "node_modules")}
    command = [shutil.which("node") or "node", "--require", running.ENDING, script]
    with running.server(command, url=f"{url}/health", folder=folder, environment=environment):
        yield Vendure(url)
