"""Medusa (npm), an open-source shop: its storefront's checkout, its administrator's work, and its own figures."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import requests

from tests.peers import running
from tests.peers.installing import Unavailable, npm_packages

EMAIL, PASSWORD = "owner@example.com", "peer-only-secret"
VERSION = "2.21.2"
PRICE, SHIPPING = 12.35, 4.99  # as listed
STOCK = 100
RATE = {"de": 19, "gb": 20}
SECONDS = 300  # that the tables and the first administrator may take
ALL = "id,status,total,tax_total,*summary,*items,*payment_collections.payments,*payment_collections.payments.captures,*payment_collections.payments.refunds"


class Medusa:
    """One shop with a mug, in Germany with the tax inside the price and in Britain on top of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = self._ask("POST", "/auth/user/emailpass", {"email": EMAIL, "password": PASSWORD}, {})["token"]
        self.key = self.admin("POST", "/api-keys", title="s", type="secret")["api_key"]["token"]
        self.regions: dict[str, tuple[str, str, str]] = {}  # country → region, variant, shipping option

    # --- the administrator

    def admin(self, method: str, path: str, **body):
        """One answer of the Admin API."""
        return self._ask(
            method, f"/admin{path}", body if method == "POST" else None, {"Authorization": f"Bearer {self.token}"}
        )

    def set_up(self) -> None:
        """Where it sells and from where."""
        key = self.admin("POST", "/api-keys", title="p", type="publishable")["api_key"]
        self.publishable = key["token"]
        self.sales_channel = self.admin("POST", "/sales-channels", name="web")["sales_channel"]["id"]
        self.admin("POST", f"/api-keys/{key['id']}/sales-channels", add=[self.sales_channel])
        address = {"address_1": "Way 1", "country_code": "de"}
        self.location = self.admin("POST", "/stock-locations", name="L", address=address)["stock_location"]["id"]
        self.admin("POST", f"/stock-locations/{self.location}/sales-channels", add=[self.sales_channel])
        self.admin("POST", f"/stock-locations/{self.location}/fulfillment-providers", add=["manual_manual"])
        store = self.admin("GET", "/stores")["stores"][0]["id"]
        currencies = [{"currency_code": code, "is_default": code == "eur"} for code in ("eur", "gbp")]
        self.admin("POST", f"/stores/{store}", supported_currencies=currencies)
        profiles = self.admin("GET", "/shipping-profiles")["shipping_profiles"]
        self.profile = (
            profiles[0]
            if profiles
            else self.admin("POST", "/shipping-profiles", name="d", type="default")["shipping_profile"]
        )["id"]

    def sell_to(self, country: str, currency: str, *, tax_inside: bool) -> None:
        """A region with its tax, its shipping and a mug (SKU MUG-…) in stock."""
        region = self.admin(
            "POST", "/regions", name=country, currency_code=currency, countries=[country],
            payment_providers=["pp_system_default"], is_tax_inclusive=tax_inside,
        )["region"]["id"]  # fmt: skip
        rate = {"rate": RATE[country], "code": "VAT", "name": "VAT"}
        self.admin("POST", "/tax-regions", country_code=country, provider_id="tp_system", default_tax_rate=rate)
        here = f"/stock-locations/{self.location}"
        self.admin("POST", f"{here}/fulfillment-sets", name=country, type="shipping")
        sets = self.admin("GET", f"{here}?fields=*fulfillment_sets")["stock_location"]["fulfillment_sets"]
        of_country = next(one["id"] for one in sets if one["name"] == country)
        zones = self.admin(
            "POST", f"/fulfillment-sets/{of_country}/service-zones", name=country,
            geo_zones=[{"type": "country", "country_code": country}],
        )  # fmt: skip
        option = self.admin(
            "POST", "/shipping-options", name="Standard", service_zone_id=zones["fulfillment_set"]["service_zones"][0]["id"],
            shipping_profile_id=self.profile, provider_id="manual_manual", price_type="flat",
            type={"label": "l", "description": "d", "code": "c"}, prices=[{"currency_code": currency, "amount": SHIPPING}],
        )["shipping_option"]["id"]  # fmt: skip
        sku = f"MUG-{country.upper()}"
        prices = [{"currency_code": currency, "amount": PRICE}]
        product = self.admin(
            "POST", "/products", title=f"Mug {country}", handle=f"mug-{country}", status="published",
            shipping_profile_id=self.profile, sales_channels=[{"id": self.sales_channel}],
            options=[{"title": "Size", "values": ["a"]}],
            variants=[{"title": "a", "sku": sku, "options": {"Size": "a"}, "prices": prices}],
        )["product"]  # fmt: skip
        item = self.inventory_item(sku)
        self.admin(
            "POST", f"/inventory-items/{item}/location-levels", location_id=self.location, stocked_quantity=STOCK
        )
        coupon = {
            "type": "percentage",
            "target_type": "items",
            "value": 10,
            "allocation": "across",
            "currency_code": currency,
        }
        self.admin(
            "POST", "/promotions", code=f"TEN{country}", type="standard", status="active", is_tax_inclusive=False,
            application_method=coupon,
        )  # fmt: skip
        self.regions[country] = (region, product["variants"][0]["id"], option)

    def inventory_item(self, sku: str) -> str:
        """The id that stock is kept under."""
        items = self.admin("GET", "/inventory-items?limit=100")["inventory_items"]
        return str(next(item["id"] for item in items if item["sku"] == sku))

    def stock(self, country: str) -> tuple[int, int]:
        """The mug: on hand, and reserved for orders."""
        item = self.inventory_item(f"MUG-{country.upper()}")
        (level,) = self.admin("GET", f"/inventory-items/{item}/location-levels")["inventory_levels"]
        return int(level["stocked_quantity"]), int(level["reserved_quantity"])

    def order(self, order_id: str):
        """As the shop tells it now."""
        return self.admin("GET", f"/orders/{order_id}?fields={ALL}")["order"]

    def orders(self):
        """Every order."""
        ids = [row["id"] for row in self.admin("GET", "/orders?limit=500&fields=id")["orders"]]
        return [self.order(order_id) for order_id in ids]

    def payment(self, order):
        """An order of this shop has one."""
        return order["payment_collections"][0]["payments"][0]

    def capture(self, order, **amount) -> None:
        """All that was authorized, or an `amount` of it."""
        self.admin("POST", f"/payments/{self.payment(order)['id']}/capture", **amount)

    def refund(self, order, amount: Decimal) -> None:
        """Give back so much."""
        self.admin("POST", f"/payments/{self.payment(order)['id']}/refund", amount=float(amount))

    def cancel(self, order) -> None:
        """Call it off; what was captured is given back."""
        self.admin("POST", f"/orders/{order['id']}/cancel")

    def send(self, order, units: int) -> None:
        """Hand so many of the first line over to the post."""
        items = [{"id": order["items"][0]["id"], "quantity": units}]
        self.admin("POST", f"/orders/{order['id']}/fulfillments", items=items, location_id=self.location)

    def take_back(self, order, units: int) -> None:
        """So many of the first line come back and go on the shelf."""
        items = [{"id": order["items"][0]["id"], "quantity": units}]
        back = self.admin("POST", "/returns", order_id=order["id"], location_id=self.location)["return"]["id"]
        self.admin("POST", f"/returns/{back}/request-items", items=items)
        self.admin("POST", f"/returns/{back}/request")
        self.admin("POST", f"/returns/{back}/receive")
        self.admin("POST", f"/returns/{back}/receive-items", items=items)
        self.admin("POST", f"/returns/{back}/receive/confirm")

    # --- the buyer

    def place(self, country: str, units: int, *, coupon: bool = False):
        """A checkout; the order, paid by an authorization."""
        region, variant, option = self.regions[country]
        where = {
            "first_name": "A",
            "last_name": "B",
            "address_1": "Way 1",
            "city": "X",
            "postal_code": "1",
            "country_code": country,
        }
        cart = self._store(
            "/carts", region_id=region, sales_channel_id=self.sales_channel, email="buyer@example.com", shipping_address=where
        )["cart"]["id"]  # fmt: skip
        self._store(f"/carts/{cart}/line-items", variant_id=variant, quantity=units)
        if coupon:
            self._store(f"/carts/{cart}/promotions", promo_codes=[f"TEN{country}"])
        self._store(f"/carts/{cart}/shipping-methods", option_id=option)
        collection = self._store("/payment-collections", cart_id=cart)["payment_collection"]["id"]
        self._store(f"/payment-collections/{collection}/payment-sessions", provider_id="pp_system_default")
        return self.order(self._store(f"/carts/{cart}/complete")["order"]["id"])

    def _store(self, path: str, **body):
        return self._ask("POST", f"/store{path}", body, {"x-publishable-api-key": self.publishable})

    def _ask(self, method: str, path: str, body, headers):
        answer = requests.request(method, self.url + path, json=body, headers=headers, timeout=60)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return json.loads(answer.text, parse_float=Decimal)


@contextlib.contextmanager
def running_medusa(folder: Path, database_url: str) -> Iterator[Medusa]:
    """A shop without any data, in the empty database of that address."""
    wanted = [f"@medusajs/{part}@{VERSION}" for part in ("medusa", "cli", "framework")]
    packages = npm_packages(f"medusa-{VERSION}", *wanted)
    project = folder / "medusa"
    project.mkdir()
    shutil.copy(running.SERVERS / "medusa-config.js", project)
    shutil.copy(packages / "package.json", project)  # by its dependencies Medusa knows a project of its own
    (project / "src").mkdir()
    (project / "node_modules").symlink_to(packages / "node_modules")
    port = running.free_port()
    environment = {
        "DATABASE_URL": database_url, "PORT": str(port), "HOST": "127.0.0.1", "NODE_ENV": "production",
        "MEDUSA_DISABLE_TELEMETRY": "true", "MEDUSA_FF_ANALYTICS": "false",
    }  # fmt: skip
    medusa = [shutil.which("node") or "node", project / "node_modules/@medusajs/cli/cli.js"]
    for command in (("db:migrate",), ("user", "-e", EMAIL, "-p", PASSWORD)):
        _run([*medusa, *command], project, environment)
    url = f"http://127.0.0.1:{port}"
    node, *rest = medusa
    command = [node, "--require", running.ENDING, *rest, "start", "--host", "127.0.0.1", "--port", str(port)]
    with running.server(command, url=f"{url}/health", folder=project, environment=environment):
        yield Medusa(url)


def _run(command, folder: Path, environment) -> None:
    try:
        subprocess.run(
            command, cwd=folder, env={**os.environ, **environment}, check=True, timeout=SECONDS, capture_output=True,
            stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"not set up: {(error.stdout + error.stderr).strip()[-1000:]}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"not set up within {SECONDS} s") from None
