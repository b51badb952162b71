"""Lightspeed Retail: what golden cases cannot show. Forms and signatures, rounding, and how it is asked."""

import copy
import hashlib
import hmac
import random
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import urlencode

import pytest

from channels import adapter, checks, payload
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.client import Account, Ask, CursorExpired, Pointer, Reply, StaleStock, StockLevel
from salessync.core.problems import Refused
from tests.calls import converse, reply
from tests.golden import FOLDER

VENDOR = adapter.get("lightspeed")
CONTEXT = Context(channel="tills")
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
ACCOUNT = Account(
    channel="tills",
    credentials={
        "domain_prefix": "demo", "token": "t", "refresh_token": "r1", "client_id": "ci", "client_secret": "cs",
        "expires_at": 1,
    },
)  # fmt: skip
API = "/api/2026-07"


def event(case="five_decimals"):
    return payload.parse((FOLDER / "lightspeed" / case / "event.json").read_bytes())


def normalize(data, topic=None, context=CONTEXT):
    return VENDOR.normalize(data, topic, context)


def codes(data, topic=None):
    with pytest.raises(Refused) as refused:
        normalize(data, topic)
    return [f"{p.code} {p.path}" for p in refused.value.problems]


def wrong(record):
    return [p.code for p in checks.check(record)]


# --- forms and signatures

JSON = '{"id": "a-1", "note": "50 % off & more + ü", "version": 7, "register_sale_products": []}'
FORM = urlencode({"payload": JSON, "domain_prefix": "demo", "type": "sale.update"}).encode()


def signed(text, secret="s"):
    digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {"x-signature": f"signature={digest},algorithm=HMAC-SHA256"}


def test_the_json_is_taken_out_of_the_form():
    assert VENDOR.body({}, FORM) == JSON.encode()
    assert VENDOR.body({}, b"domain_prefix=demo") == b"domain_prefix=demo"
    assert VENDOR.body({}, b"payload=%7B%7D&payload=%5B%5D") == b"payload=%7B%7D&payload=%5B%5D"
    assert VENDOR.body({}, b'{"payload": "x&payload=1"}') == b'{"payload": "x&payload=1"}'


@pytest.mark.parametrize("text", [FORM, JSON.encode()], ids=["the form as sent", "the field payload"])
def test_either_reading_of_the_signature_passes(text):
    VENDOR.verify(signed(text), FORM, Trust(secrets=("new", "s")), NOW)
    VENDOR.verify({"x-signature": signed(text)["x-signature"].replace(",", ", ")}, FORM, Trust(secrets=("s",)), NOW)


def test_nothing_else_passes():
    other = urlencode({"payload": JSON.replace("7", "8")}).encode()
    good = signed(FORM)["x-signature"]
    for headers, body in (
        (signed(JSON.encode()), other),
        (signed(FORM), other),
        (signed(b""), FORM),
        ({"x-signature": good.replace("HMAC-SHA256", "NONE")}, FORM),
        ({"x-signature": good.split(",")[0]}, FORM),
        ({}, FORM),
    ):
        with pytest.raises(SignatureRefused):
            VENDOR.verify(headers, body, Trust(secrets=("s", "")), NOW)


def test_a_delivery_is_a_sale_and_its_version():
    parsed = payload.parse(VENDOR.body({}, FORM))
    assert VENDOR.envelope({}, parsed) == adapter.Envelope("a-1:7", "sale.update")
    assert VENDOR.envelope({}, {"id": "p", "handle": "mug"}).topic == ""


def test_a_webhook_names_the_sale_which_is_fetched():
    hook = event("sale_update_event")
    assert normalize(hook, "sale.update") == []
    assert VENDOR.pointer(hook, "sale.update") == Pointer("sale", hook["id"])
    assert VENDOR.pointer(VENDOR.scrub(hook), "sale.update") == Pointer("sale", hook["id"])
    assert codes(hook) == ["MISSING_CURRENCY currency"]
    assert codes({"register_sale_products": []}, "sale.update") == ["MISSING_ID id"]
    with pytest.raises(Ignored):
        normalize(hook, "product.update")
    assert VENDOR.pointer({"id": "../retailer"}, "sale.update") is None


# --- three shapes, one sale


def test_the_nested_and_the_flat_shape_say_the_same():
    flat = event("jpy")
    sale, row = flat["sale"], flat["sale"]["line_items"][0]
    nested = {
        "id": sale["id"], "state": "closed", "date": sale["sale_date"], "invoice_number": sale["invoice_number"],
        "source": {"outlet_id": sale["outlet_id"], "register_id": sale["register_id"]},
        "_metadata": {"version": sale["version"]},
        "totals": {"price": sale["total_price"], "tax": sale["total_tax"]},
        "line_items": [{
            "id": row["id"], "product": {"id": row["product_id"]}, "quantity": 1,
            "pricing": {"price": row["price"], "discount": 0, "discount_total": 0, "total": row["total_price"]},
            "tax": {"id": row["tax_id"], "total": row["total_tax"]},
            "_metadata": {"tax_components": row["tax_components"]},
        }],
        "payments": [{
            "id": sale["payments"][0]["id"], "amount": 1000, "type": {"name": "Cash", "id": "1", "config_id": "c"},
        }],
    }  # fmt: skip
    assert normalize(flat | {"sale": nested}) == normalize(flat)


def test_an_answer_of_the_api_is_read_in_its_wrapper():
    data = event()
    wrapped = {
        "sale": {"data": data["sale"]},
        "retailer": {"data": data["retailer"]},
        "outlet": {"data": data["outlet"]},
    }
    wrapped |= {"taxes": {"data": data["taxes"]}, "products": {"data": data["products"]}}
    assert normalize(wrapped) == normalize(data)
    assert normalize(VENDOR.scrub(wrapped)) == normalize(data)
    listed = {"data": [data["sale"]]} | {k: v for k, v in data.items() if k != "sale"}
    assert normalize(listed) == normalize(data)


@pytest.mark.parametrize(
    ("status", "ours", "attribute"),
    [("SAVED", "open", None), ("CLOSED", "completed", None), ("LAYBY", "open", "layby"), ("VOIDED", "voided", None),
     ("DISPATCHED_CLOSED", "completed", "delivery"), ("NEW_WORD", "unknown", None)],
)  # fmt: skip
def test_the_older_status_stands_in_for_the_state(status, ours, attribute):
    data = event()
    del data["sale"]["state"]
    data["sale"]["status"] = status
    sale = normalize(data)[0]
    assert (sale.status, sale.extensions["lightspeed"].get("attributes")) == (ours, [attribute] if attribute else None)


def test_a_deleted_sale_is_void():
    data = event()
    data["sale"]["deleted_at"] = "2026-09-02T00:00:00Z"
    assert (normalize(data)[0].status, normalize(data)[0].totals.paid) == ("voided", 0)


def test_a_sale_without_a_version_cannot_be_ordered():
    data = event()
    data["sale"]["_metadata"] = {}
    assert codes(data) == ["MISSING_VERSION version"]


# --- rounding


def test_half_a_cent_is_rounded_as_the_till_does():
    """877.40 and 65.805 of tax make 943.205, of which the till takes 943.21."""
    data = event("webhook_shape_joined")
    data["sale"]["register_sale_products"][0] |= {
        "price": "877.40000", "price_total": "877.40000", "quantity": 1, "tax": "65.80500", "tax_total": "65.80500",
    }  # fmt: skip
    data["sale"]["totals"] |= {"total_price": "877.40000", "total_tax": "65.80500"}
    data["sale"]["register_sale_payments"][0]["amount"] = Decimal("943.21")
    sale = normalize(data)[0]
    assert (sale.totals.total, sale.totals.tax, sale.totals.due) == (94321, 6581, 0)
    assert sale.extensions["lightspeed"]["exact"]["total"] == "943.205"


def test_rounding_net_and_tax_may_differ_from_the_rounded_total_and_says_so():
    data = event()
    sale = data["sale"]
    sale["line_items"] = sale["line_items"][:1]
    row = sale["line_items"][0]
    row |= {"quantity": 1, "pricing": {"price": Decimal("1.004"), "total": Decimal("1.004"), "discount_total": 0}}
    row["tax"]["total"] = Decimal("0.1506")
    row["_metadata"]["tax_components"] = []
    sale["totals"] = {"price": Decimal("1.004"), "tax": Decimal("0.1506"), "price_incl_tax": Decimal("1.1546")}
    sale["payments"][0]["amount"] = Decimal("1.15")
    record = normalize(data)[0]
    assert (record.totals.net, record.totals.tax, record.totals.rounding, record.totals.total) == (100, 15, 0, 115)
    sale["totals"] = {"price": Decimal("1.004"), "tax": Decimal("0.154"), "price_incl_tax": Decimal("1.158")}
    row["tax"]["total"] = Decimal("0.154")
    record = normalize(data)[0]
    assert (record.totals.net, record.totals.tax, record.totals.rounding, record.totals.total) == (100, 15, 1, 116)
    assert wrong(record) == []


def test_any_basket_of_five_decimals_adds_up():
    """Against arithmetic of its own: the exact sums rounded, for baskets that nobody thought of."""
    draw = random.Random(7)
    base = event()
    for _ in range(150):
        data = copy.deepcopy(base)
        rows, price, tax = [], Decimal(0), Decimal(0)
        for n in range(draw.randint(1, 12)):
            row = copy.deepcopy(base["sale"]["line_items"][0])
            quantity, unit = draw.randint(1, 9), Decimal(draw.randint(1, 9_999_999)).scaleb(-5)
            of_tax = (unit * Decimal("0.15")).quantize(Decimal("0.00001"))
            row |= {"id": f"l{n}", "quantity": quantity}
            row["pricing"] = {"price": unit, "discount": 0, "discount_total": 0, "total": unit * quantity}
            row["tax"] |= {"amount": of_tax, "total": of_tax * quantity}
            row["_metadata"]["tax_components"] = []
            price, tax = price + unit * quantity, tax + of_tax * quantity
            rows.append(row)
        data["sale"]["line_items"] = rows
        data["sale"]["totals"] = {"price": price, "tax": tax, "price_incl_tax": price + tax}
        sale = normalize(data)[0]
        cents = [int((x * 100).to_integral_value(ROUND_HALF_UP)) for x in (price, tax, price + tax)]
        assert [sale.totals.net, sale.totals.tax, sale.totals.total] == cents
        assert sale.totals.rounding == cents[2] - cents[0] - cents[1]
        assert wrong(sale) == []


@pytest.mark.parametrize("key", ["price", "tax", "price_incl_tax"])
def test_the_vendors_totals_are_carried_so_that_the_proof_can_object(key):
    data = event()
    data["sale"]["totals"][key] += Decimal("0.05")
    assert wrong(normalize(data)[0]) != []


# --- payments


def test_change_and_reversed_payments_fold_into_what_they_reverse():
    data = event()
    card = data["sale"]["payments"][0]
    data["sale"]["payments"] = [
        card | {"id": "p1", "amount": 40},
        card | {"id": "p2", "amount": -5},
        card | {"id": "p3", "amount": 9, "deleted_at": "2026-09-01T03:13:00Z"},
    ]
    sale = normalize(data)[0]
    assert [(t.id, t.amount) for t in sale.tenders] == [("p1", 3500)]
    data["sale"]["payments"][1]["type"] = {"name": "Cash", "id": "1", "config_id": "other"}
    assert codes(data) == ["NEGATIVE_AMOUNT payments[1].amount"]


def test_a_payment_type_of_the_merchants_own_name():
    data = event()
    data["sale"]["payments"][0]["type"] = {"name": "Heist Pay", "id": "3", "config_id": "c"}
    assert normalize(data)[0].tenders[0].type == "card"
    data["sale"]["payments"][0]["type"] = {"name": "Heist Pay", "id": "999", "config_id": "c"}
    assert wrong(normalize(data)[0]) == ["UNKNOWN_TYPE"]


def test_an_account_that_was_settled_counts_once():
    data = event("on_account")
    sale = data["sale"]
    promise = event()["sale"]["payments"][0] | {"id": "oa", "amount": 23, "type": {"name": "On Account", "id": "5"}}
    cash = promise | {"id": "c", "type": {"name": "Cash", "id": "1"}}
    sale["payments"] = [promise]
    assert [(t.id, t.status) for t in normalize(data)[0].tenders] == [("oa", "pending")]
    sale |= {"payments": [promise, cash], "state": "closed"}
    record = normalize(data)[0]
    assert [(t.id, t.status) for t in record.tenders] == [("oa", "voided"), ("c", "captured")]
    assert (record.payment_status, record.totals.due) == ("paid", 0)


# --- what comes back


def test_a_return_without_its_first_sale_names_no_line_and_one_without_reference_no_sale():
    data = event("partial_return")
    del data["original"]
    assert [line.line for line in normalize(data)[0].lines] == [None]
    data["sale"]["return"]["original_sale_id"] = None
    assert (normalize(data)[0].record_type, normalize(data)[0].sale) == ("refund", None)


def test_less_money_than_goods_is_an_adjustment():
    data = event("partial_return")
    data["sale"]["payments"][0]["amount"] = Decimal("-15.00")
    refund = normalize(data)[0]
    assert (refund.totals.total, refund.totals.adjustment, wrong(refund)) == (1500, -500, [])


def test_a_voided_return_is_cancelled():
    data = event("partial_return")
    data["sale"] |= {"state": "voided"}
    assert normalize(data)[0].status == "cancelled"


def test_what_one_part_of_a_mixed_return_pays_of_the_other_nets_to_nothing():
    sale, refund = normalize(event("return_with_purchase"))
    assert sale.totals.total == next(t.amount for t in refund.tenders if t.id == "exchange") == sale.totals.paid
    assert refund.totals.total - sale.totals.total == 1300  # what the terminal paid back


def test_a_gift_cards_number_is_not_kept():
    data = event("discounts_and_gift_card_sold")
    assert b"CANARY" not in payload.dump(VENDOR.scrub(data))


# --- how it is asked


class Retailer:
    """A feed of sales by version; `calls` counts what was asked."""

    def __init__(self, count=250, broken=()):
        self.sales = [self.sale(n) for n in range(1, count + 1)]
        self.paths = []
        self.broken = set(broken)

    @staticmethod
    def sale(n, original=None):
        at = (NOW + timedelta(minutes=n)).isoformat()
        return {
            "id": f"s{n}", "created_at": at, "updated_at": at, "source": {"outlet_id": f"o{n % 2}"},
            "line_items": [{"id": "l", "product": {"id": f"p{n % 3}"}}], "_metadata": {"version": 1_000_000_000 + n * 7},
            "return": {"is_return": original is not None, "original_sale_id": original},
        }  # fmt: skip

    def __call__(self, ask: Ask) -> Reply:
        path = ask.path.removeprefix(API)
        self.paths.append(path)
        if path in self.broken:
            return reply(None, 404)
        if path == "/sales":
            rows = [s for s in self.sales if s["_metadata"]["version"] > ask.params["after"]]
            rows = sorted(rows, key=lambda s: s["_metadata"]["version"])[: ask.params["page_size"]]
            versions = [s["_metadata"]["version"] for s in rows]
            return reply(
                {"data": rows, "version": {"min": min(versions, default=None), "max": max(versions, default=None)}}
            )
        if path.startswith("/sales/"):
            return reply({"data": next((s for s in self.sales if s["id"] == path[7:]), None)})
        return reply({"data": [] if path == "/taxes" else {"id": path, "sku": "S", "name": "N"}})


def poll(retailer, since=NOW, until=NOW + timedelta(days=1), cursor=None, created=False):
    return converse(VENDOR.poll("sales", ACCOUNT, since=since, until=until, cursor=cursor, created=created), retailer)


def ids(pages):
    return [f.payload["sale"]["id"] for page in pages for f in page.found]


def test_the_feed_is_read_to_its_end_and_what_is_known_is_asked_once():
    retailer = Retailer()
    talk = poll(retailer)
    assert ids(talk.pages) == [f"s{n}" for n in range(1, 251)]
    assert talk.pages[-1] == talk.pages[-1].__class__() and all(p.cursor for p in talk.pages[:-1])
    assert sorted(p for p in retailer.paths if p != "/sales") == [
        "/outlets/o0", "/outlets/o1", "/products/p0", "/products/p1", "/products/p2", "/retailer", "/taxes",
    ]  # fmt: skip


def test_reading_goes_on_exactly_after_any_cursor_even_when_sales_change_meanwhile():
    retailer = Retailer()
    whole = poll(retailer).pages
    retailer.sales[4]["_metadata"]["version"] = 1_000_000_000 + 251 * 7  # changed again: it comes once more, at the end
    for index, page in enumerate(whole[:-1]):
        assert ids(poll(retailer, cursor=page.cursor).pages) == [*ids(whole[index + 1 :]), "s5"]


@pytest.mark.parametrize("minute", [0, 1, 2, 3, 100, 249, 250, 251])
def test_where_a_window_begins_is_found_by_halving(minute):
    retailer = Retailer()
    talk = poll(retailer, since=NOW + timedelta(minutes=minute))
    assert ids(talk.pages) == [f"s{n}" for n in range(max(minute, 1), 251)]
    assert len([p for p in retailer.paths if p == "/sales"]) < 60


def test_a_window_ends_with_the_page_that_passes_it():
    talk = poll(Retailer(), until=NOW + timedelta(minutes=50))
    assert ids(talk.pages)[:50] == [f"s{n}" for n in range(1, 51)]
    assert len(talk.pages) == 1 and talk.pages[0].cursor is None


def test_by_creation_only_what_came_into_being_in_the_window():
    retailer = Retailer()
    retailer.sales[9] |= {"updated_at": (NOW + timedelta(minutes=999)).isoformat()}
    retailer.sales[9]["_metadata"] = {"version": 1_000_009_999}
    talk = poll(retailer, since=NOW + timedelta(minutes=5), until=NOW + timedelta(minutes=12), created=True)
    assert sorted(ids(talk.pages)) == sorted(f"s{n}" for n in range(5, 13))


def test_an_empty_retailer_and_a_cursor_of_somebody_else():
    assert [(p.found, p.cursor) for p in poll(Retailer(0)).pages] == [((), None)]
    with pytest.raises(CursorExpired):
        poll(Retailer(0), cursor="2026-09-01")
    with pytest.raises(ValueError):
        VENDOR.poll("payouts", ACCOUNT, since=NOW, until=NOW, cursor=None)


def test_a_return_comes_with_the_sale_it_takes_back_from():
    retailer = Retailer(3)
    retailer.sales.append(Retailer.sale(4, original="s2"))
    found = converse(VENDOR.fetch(Pointer("sale", "s4"), ACCOUNT), retailer).result
    assert found.payload["original"]["id"] == "s2"
    gone = Retailer(3, broken={"/sales/s2", "/products/p1"})
    gone.sales.append(Retailer.sale(4, original="s2"))
    found = converse(VENDOR.fetch(Pointer("sale", "s4"), ACCOUNT), gone).result
    assert "original" not in found.payload and found.payload["products"] == []


def test_what_is_fetched_is_what_is_read():
    golden = event("partial_return")

    def answer(ask):
        path = ask.path.removeprefix(API)
        kind, _, identifier = path[1:].partition("/")
        if kind == "products":
            return reply({"data": next(p for p in golden["products"] if p["id"] == identifier)})
        if kind == "sales":
            return reply({"data": golden["sale"] if identifier == golden["sale"]["id"] else golden["original"]})
        return reply({"data": golden[{"retailer": "retailer", "outlets": "outlet", "taxes": "taxes"}[kind]]})

    found = converse(VENDOR.fetch(Pointer("sale", golden["sale"]["id"]), ACCOUNT), answer).result
    assert normalize(found.payload) == normalize(golden)


def test_a_sale_that_is_not_there_is_none():
    assert converse(VENDOR.fetch(Pointer("sale", "s9"), ACCOUNT), Retailer(3)).result is None
    assert converse(VENDOR.fetch(Pointer("sale", "s9"), ACCOUNT), lambda ask: reply(None, 404)).result is None
    assert converse(VENDOR.fetch(Pointer("sale", "../retailer"), ACCOUNT), Retailer(3)).asks == []


def test_tokens_rotate():
    ask = VENDOR.refresh(ACCOUNT)
    assert (ask.method, ask.path) == ("POST", "/api/1.0/token")
    assert ask.form == {"grant_type": "refresh_token", "refresh_token": "r1", "client_id": "ci", "client_secret": "cs"}
    body = {"access_token": "t2", "refresh_token": "r2", "expires_in": 86400, "expires": 1_800_000_000}
    renewed = VENDOR.renewed(reply(body), ACCOUNT, NOW)
    assert (renewed["token"], renewed["refresh_token"], renewed["expires_at"]) == ("t2", "r2", 1_800_000_000)
    assert renewed["client_secret"] == "cs"
    del body["expires"], body["refresh_token"]
    renewed = VENDOR.renewed(reply(body), ACCOUNT, NOW)
    assert (renewed["refresh_token"], renewed["expires_at"]) == ("r1", int(NOW.timestamp()) + 86400)
    with pytest.raises(Refused):
        VENDOR.renewed(reply({"error": "invalid_grant"}), ACCOUNT, NOW)
    assert VENDOR.refresh(Account(channel="x", credentials={"token": "personal"})) is None


def test_the_retailers_own_host_and_a_bearer_token():
    assert VENDOR.base_url(ACCOUNT) == "https://demo.retail.lightspeed.app"
    assert VENDOR.authorization(ACCOUNT)["Authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {}, 0),
        (429, {"retry-after": "Tue, 01 Sep 2026 12:00:40 GMT", "date": "Tue, 01 Sep 2026 12:00:10 GMT"}, 30),
        (429, {"retry-after": "Tue, 01 Sep 2026 12:00:00 GMT", "date": "Tue, 01 Sep 2026 12:00:10 GMT"}, 1),
        (429, {"retry-after": "Tue, 01 Sep 2026 18:00:00 GMT", "date": "Tue, 01 Sep 2026 12:00:10 GMT"}, 300),
        (429, {"retry-after": "17"}, 17),
        (429, {"retry-after": "soon"}, 30),
        (429, {}, 30),
    ],
)
def test_retry_after_is_a_date(status, headers, seconds):
    assert VENDOR.pause(Reply(status=status, headers=headers, body=None)) == seconds


def test_missing_webhooks_are_made_and_sleeping_ones_woken():
    url = "https://sync.example.com/webhooks/tills"
    hook = {"id": "h", "type": "sale.update", "url": url, "active": False}
    other = {"id": "i", "type": "inventory.update", "url": url, "active": True}

    def subscribe(hooks):
        answer = {"data": [other, *hooks]}
        return converse(
            VENDOR.subscribe(ACCOUNT, url), lambda ask: reply(answer if ask.method == "GET" else {"data": {}})
        )

    assert [(a.method, a.path) for a in subscribe([hook]).asks[1:]] == [("PUT", f"{API}/webhooks/h")]
    made = subscribe([hook | {"url": "https://other.example.com"}])
    assert made.asks[1].json == {"active": True, "type": "sale.update", "url": url}
    assert made.result == {"made": ["sale.update"], "secret": "cs"}
    assert subscribe([hook | {"active": True}]).result["made"] == []


def test_stock_is_set_where_it_is_what_we_expected():
    def push(expected, on_hand=5, available="7"):
        wanted = StockLevel(item_id="p1", location="o1", available=available, expected=expected, key="k", at=NOW)
        levels = [
            {"outlet_id": "o2", "current_inventory_level": 9},
            {"outlet_id": "o1", "current_inventory_level": on_hand},
        ]
        return converse(VENDOR.push_stock(ACCOUNT, wanted), lambda ask: reply(levels if ask.method == "GET" else {}))

    last = push("5").asks[-1]
    assert (last.method, last.path) == ("PUT", f"{API}/products/p1")
    assert last.json == {"details": {"inventory": [{"outlet_id": "o1", "current_amount": 7}]}}
    assert push(None, available="2.5").asks[0].json["details"]["inventory"][0]["current_amount"] == 2.5
    with pytest.raises(StaleStock) as stale:
        push("5.0", on_hand=4)
    assert stale.value.actual == "4"
