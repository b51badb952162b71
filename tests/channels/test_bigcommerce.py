"""BigCommerce: what golden cases cannot show. Signatures, traps of its figures, and how it is asked."""

import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from standardwebhooks import Webhook

from channels import adapter, checks, payload
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.adapters.bigcommerce import client
from channels.client import Account, Ask, CursorExpired, Page, Pointer, Reply, StaleStock, StockLevel
from salessync.core.problems import Refused
from tests.calls import converse, reply
from tests.golden import FOLDER
from tests.golden.bigcommerce.sign import sign

VENDOR = adapter.get("bigcommerce")
CONTEXT = Context(channel="shop", timezone="America/Chicago")
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
ACCOUNT = Account(channel="shop", credentials={"store_hash": "abc", "token": "t", "client_secret": "cs"})
STORE = "/stores/abc"


def event(case="simple_sale"):
    return payload.parse((FOLDER / "bigcommerce" / case / "event.json").read_bytes())


def normalize(data, topic=None, context=CONTEXT):
    return VENDOR.normalize(data, topic, context)


def codes(data, topic=None):
    with pytest.raises(Refused) as refused:
        normalize(data, topic)
    return [f"{p.code} {p.path}" for p in refused.value.problems]


def wrong(record):
    return [p.code for p in checks.check(record)]


# --- signatures


def test_the_standard_library_of_standard_webhooks_signs_alike():
    """The vendor's documentation hands the client secret to that library in base64, so that the key is its bytes."""
    secret, body = "client-secret-of-the-app", b'{"scope":"store/order/created"}'
    signature = Webhook(base64.b64encode(secret.encode()).decode()).sign("msg_9", NOW, body.decode())
    headers = {"webhook-id": "msg_9", "webhook-timestamp": str(int(NOW.timestamp())), "webhook-signature": signature}
    VENDOR.verify(headers, body, Trust(secrets=(secret,)), NOW)
    with pytest.raises(SignatureRefused):
        VENDOR.verify(headers, body, Trust(secrets=(base64.b64encode(secret.encode()).decode(),)), NOW)


def test_one_of_several_signatures_suffices_and_the_id_is_signed_too():
    headers = sign(b"{}", "s", NOW)
    VENDOR.verify(
        headers | {"webhook-signature": "v1,AAAA " + headers["webhook-signature"]}, b"{}", Trust(secrets=("s",)), NOW
    )
    for changed in ({"webhook-id": "msg_2"}, {"webhook-id": ""}, {"webhook-timestamp": str(int(NOW.timestamp()) + 1)}):
        with pytest.raises(SignatureRefused):
            VENDOR.verify(headers | changed, b"{}", Trust(secrets=("s",)), NOW)


# --- events


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/order/updated", {"type": "order", "id": 250}),
        ("store/order/refund/created", {"type": "order", "id": 250, "refund": {"refund_id": 3}}),
        ("store/order/transaction/created", {"type": "transaction", "order_id": "250", "transaction_id": "176342342"}),
    ],
)
def test_an_event_names_its_order(scope, data):
    body = {"scope": scope, "data": data, "hash": "h", "producer": "stores/abc"}
    assert normalize(body, scope) == []
    assert VENDOR.pointer(body, scope) == Pointer("order", "250")
    assert VENDOR.pointer(VENDOR.scrub(body), scope) == Pointer("order", "250")
    assert VENDOR.envelope({"webhook-id": "msg_1"}, body) == adapter.Envelope("msg_1", scope)


def test_an_archived_order_stays_in_the_books():
    body = {"scope": "store/order/archived", "data": {"type": "order", "id": 250}}
    with pytest.raises(Ignored, match="stays in the books"):
        normalize(body)
    assert VENDOR.pointer(body, "store/order/archived") is None


def test_other_events_move_nothing():
    with pytest.raises(Ignored):
        normalize({"scope": "store/cart/created", "data": {"type": "cart", "id": "x"}})
    assert codes({"scope": "store/order/updated", "data": {"type": "order"}}) == ["MISSING_ID data.id"]


# --- orders


def test_an_order_without_its_products_is_refused_and_not_booked_without_lines():
    data = event()
    del data["products"]
    assert codes(data) == ["MISSING_LINES products"]
    assert codes(data["order"]) == ["MISSING_LINES products"]


def test_a_refund_alone_has_no_currency():
    refund = event("partial_refund")["refunds"][0]
    assert codes({"data": refund, "meta": {}}) == ["MISSING_CURRENCY currency"]
    assert codes(refund) == ["MISSING_CURRENCY currency"]


def test_an_incomplete_checkout_is_no_order():
    data = event()
    data["order"]["status_id"] = 0
    with pytest.raises(Ignored):
        normalize(data)


@pytest.mark.parametrize(
    ("key", "value"), [("total_inc_tax", "31.4000"), ("subtotal_ex_tax", "24.0100"), ("total_tax", "2.4000")]
)
def test_the_vendors_totals_are_carried_so_that_the_proof_can_object(key, value):
    data = event()
    data["order"][key] = value
    assert wrong(normalize(data)[0]) != []


def test_a_new_kind_of_product_is_unknown():
    data = event()
    data["products"][0]["type"] = "hologram"
    assert "UNKNOWN_TYPE" in wrong(normalize(data)[0])


def test_money_is_the_transactional_currency_not_the_displayed_one():
    data = event()
    data["order"] |= {"currency_code": "EUR", "currency_exchange_rate": "0.9000000000"}
    sale = normalize(data)[0]
    assert (sale.currency, sale.totals.total, sale.presentment) == ("USD", 3139, None)
    assert sale.extensions["bigcommerce"]["display_currency"] == "EUR"


def test_a_free_shipping_coupon_that_lowered_the_shipping_already_is_not_taken_off_twice():
    data = event("tax_inclusive_with_coupons")
    data["order"] |= {
        "shipping_cost_inc_tax": "0.0000",
        "shipping_cost_ex_tax": "0.0000",
        "shipping_cost_tax": "0.0000",
    }
    data["shipping_addresses"][0] |= {"cost_inc_tax": "0.0000", "cost_ex_tax": "0.0000", "cost_tax": "0.0000"}
    data["taxes"] = data["taxes"][:2]
    sale = normalize(data)[0]
    assert (sale.totals.discount, sale.totals.shipping, sale.totals.total, wrong(sale)) == (600, 0, 5400, [])


def test_tax_rows_that_no_longer_add_up_leave_each_line_its_own_tax():
    data = event()
    data["taxes"] = data["taxes"][:1]  # a refund has changed the order's tax records
    sale = normalize(data)[0]
    assert ([line.tax for line in sale.lines], wrong(sale)) == ([198, 41], [])
    assert "taxes" in sale.extensions["bigcommerce"]


def test_store_credit_that_has_its_own_transaction_counts_once():
    data = event("store_credit_and_gift_certificate")
    credit = copy.deepcopy(data["transactions"][1]) | {
        "id": 15, "method": "store_credit", "gateway": "storecredit", "amount": Decimal("15.50"),
    }  # fmt: skip
    data["transactions"].append(credit)
    sale = normalize(data)[0]
    assert [(t.type, t.amount) for t in sale.tenders] == [("wallet", 6450), ("gift_card", 2000), ("store_credit", 1550)]


def test_an_order_paid_outside_is_told_by_its_own_words():
    data = event()
    data["order"] |= {"payment_method": "Check", "payment_provider_id": None, "payment_status": "", "status_id": 10}
    data["transactions"] = []
    sale = normalize(data)[0]
    assert [(t.id, t.type, t.status, t.amount) for t in sale.tenders] == [("payment", "cheque", "captured", 3139)]
    data["order"] |= {"payment_method": "House account nobody knows"}
    assert "UNKNOWN_TYPE" in wrong(normalize(data)[0])


def test_a_refund_of_all_units_in_two_goes_gives_back_the_lines_net_exactly():
    data = event("partial_refund")
    data["order"] |= {
        "subtotal_ex_tax": "24.0100", "shipping_cost_ex_tax": "4.9900", "total_inc_tax": "31.3900",
    }  # fmt: skip
    data["products"][0] |= {"total_ex_tax": "24.0100", "price_ex_tax": "12.0050"}
    data["shipping_addresses"][0]["cost_ex_tax"] = "4.9900"
    first = data["refunds"][0]
    first["items"] = [i for i in first["items"] if i["item_type"] == "PRODUCT"]
    data["refunds"] = [first, copy.deepcopy(first) | {"id": 9}]
    _, one, two = normalize(data)
    assert sorted((one.lines[0].net, two.lines[0].net)) == [1200, 1201]
    assert wrong(one) == wrong(two) == []


def test_a_partly_declined_refund_gives_back_what_went_through():
    data = event("partial_refund")
    data["refunds"][1]["payments"][0]["is_declined"] = True
    refund = normalize(data)[2]
    assert (refund.status, refund.totals.total, [t.type for t in refund.tenders]) == ("succeeded", 50, ["store_credit"])
    assert wrong(refund) == []


def test_the_version_moves_with_every_part_of_the_order():
    data = event()
    before = normalize(data)[0].source.version
    data["transactions"][0]["date_created"] = "2026-09-05T00:00:00+00:00"
    assert normalize(data)[0].source.version == "2026-09-05T00:00:00Z" > before


def test_dates_of_rfc_2822_with_another_zone_and_broken_ones():
    data = event()
    data["order"]["date_created"] = "Mon, 31 Aug 2026 22:12:09 -0500"
    assert normalize(data)[0].occurred_at == datetime(2026, 9, 1, 3, 12, 9, tzinfo=UTC)
    for bad in ("Mon, 31 Feb 2026 22:12:09 -0500", "Mon, 31 Foo 2026 22:12:09 +0000", "31 Aug 2026", 5, ""):
        data["order"]["date_created"] = bad
        assert [c.split()[1] for c in codes(data)] == ["date_created"]


def test_a_guest_is_nobody_and_a_scrubbed_customer_stays_the_same():
    data = event()
    sale = normalize(VENDOR.scrub(VENDOR.scrub(data)))[0]
    assert sale.customer == normalize(data)[0].customer
    data["order"]["customer_id"] = 0
    assert normalize(VENDOR.scrub(data))[0].customer is None


# --- how it is asked


class Store:
    """Orders by id with the second of their last change; answers as the V2 list does."""

    def __init__(self, orders):
        self.orders = dict(orders)
        self.listed = 0

    def __call__(self, ask: Ask) -> Reply:
        if ask.path != f"{STORE}/v2/orders":
            return reply(None, 204) if "/v2/" in ask.path else reply({"data": [], "meta": {}})
        self.listed += 1
        p = ask.params
        key = "modified" if "min_date_modified" in p else "created"
        low, high = (datetime.fromisoformat(p[f"{edge}_date_{key}"]) for edge in ("min", "max"))
        rows = [(at, i) for i, at in self.orders.items() if low <= at <= high and i >= p.get("min_id", 0)]
        rows.sort(key=(lambda r: r[1]) if p["sort"] == "id:asc" else (lambda r: (r[0], -r[1])))
        body = [self.row(i, at) for at, i in rows[: p["limit"]]]
        return reply(body) if body else reply(None, 204)

    @staticmethod
    def row(identifier, at):
        text = at.strftime("%a, %d %b %Y %H:%M:%S +0000")
        return {"id": identifier, "status_id": 11, "date_modified": text, "date_created": text}


def poll(store, cursor=None, created=False):
    return converse(
        VENDOR.poll("orders", ACCOUNT, since=NOW, until=NOW + timedelta(hours=1), cursor=cursor, created=created), store
    )


def ids(pages):
    return [f.payload["order"]["id"] for page in pages for f in page.found]


def bulk(count=130):
    """More orders than an answer holds, most of them changed in one second by a bulk update."""
    return {i: NOW + timedelta(seconds=5 if i > 20 else i % 4) for i in range(1, count + 1)}


@pytest.mark.parametrize("created", [False, True])
def test_every_order_is_read_however_many_changed_in_one_second(created):
    talk = poll(Store(bulk()), created=created)
    assert sorted(ids(talk.pages)) == list(range(1, 131))
    assert talk.pages[-1].cursor is None and all(p.cursor for p in talk.pages[:-1])


def test_reading_goes_on_exactly_after_any_cursor():
    whole = poll(Store(bulk())).pages
    for index, page in enumerate(whole[:-1]):
        assert ids(poll(Store(bulk()), cursor=page.cursor).pages) == ids(whole[index + 1 :])


def test_an_order_that_moves_while_it_is_read_loses_no_other():
    store = Store(bulk())
    calls = VENDOR.poll("orders", ACCOUNT, since=NOW, until=NOW + timedelta(hours=1), cursor=None)
    found, sent = [], None
    while True:
        try:
            wanted = calls.send(sent)
        except StopIteration:
            break
        sent = None
        if isinstance(wanted, Page):
            found += ids([wanted])
            for moved in found[:3]:  # changed again: it goes to the end of the list, and everything else one place up
                store.orders[moved] = NOW + timedelta(minutes=1)
        else:
            sent = store(wanted)
    assert set(found) == set(range(1, 131))


def test_an_order_is_joined_with_what_belongs_to_it():
    lists = {
        "/v2/orders/7/products": [{"id": n} for n in range(300)],
        "/v2/orders/7/taxes": [{"id": 1}],
        "/v2/orders/7/shipping_addresses": [{"id": 2}],
        "/v2/orders/7/coupons": [{"id": 3}],
    }

    def answer(ask):
        path = ask.path.removeprefix(STORE)
        if path in lists:
            start = (ask.params["page"] - 1) * ask.params["limit"]
            rows = lists[path][start : start + ask.params["limit"]]
            return reply(rows) if rows else reply(None, 204)
        if path == "/v2/orders/7":
            return reply({"id": 7, "status_id": 11, "coupon_discount": "1.0000"})
        if path.endswith("/transactions"):
            return reply({"data": [{"id": 4}], "meta": {}})
        return reply({"data": [{"id": 5}], "meta": {}})

    talk = converse(VENDOR.fetch(Pointer("order", "7"), ACCOUNT), answer)
    found = talk.result.payload
    assert len(found["products"]) == 300
    assert [found[k][0]["id"] for k in ("taxes", "shipping_addresses", "coupons", "transactions", "refunds")] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert next(a.params for a in talk.asks if a.path.endswith("/taxes"))["details"] == "true"
    assert all(a.path.startswith("/stores/abc/") for a in talk.asks)


def test_what_is_fetched_is_what_is_read():
    """The joined order of a golden case, taken apart and put together again by fetch."""
    golden = event("partial_refund")

    def answer(ask):
        last = ask.path.rsplit("/", 1)[1]
        if last == "1002":
            return reply(golden["order"])
        rows = golden.get(last) or []
        return reply({"data": rows}) if "/v3/" in ask.path else reply(rows)

    found = converse(VENDOR.fetch(Pointer("order", "1002"), ACCOUNT), answer).result
    assert normalize(found.payload) == normalize(golden)


@pytest.mark.parametrize("answer", [reply(None, 404), reply([{"status": 404}], 404), reply(None)])
def test_an_order_that_is_not_there_is_none(answer):
    assert converse(VENDOR.fetch(Pointer("order", "7"), ACCOUNT), lambda ask: answer).result is None


def test_an_id_that_is_no_number_is_not_asked_for():
    assert converse(VENDOR.fetch(Pointer("order", "7/../8"), ACCOUNT), lambda ask: reply(None)).asks == []


def test_an_empty_window_and_a_cursor_of_somebody_else():
    talk = poll(Store({}))
    assert [(p.found, p.cursor) for p in talk.pages] == [((), None)]
    with pytest.raises(CursorExpired):
        poll(Store({}), cursor="not mine")
    with pytest.raises(ValueError):
        VENDOR.poll("payouts", ACCOUNT, since=NOW, until=NOW, cursor=None)


def test_missing_hooks_are_made_and_sleeping_ones_woken():
    url = "https://sync.example.com/webhooks/shop"
    hooks = [
        {"id": 1, "scope": "store/order/created", "destination": url, "is_active": True},
        {"id": 2, "scope": "store/order/updated", "destination": url, "is_active": False},
        {"id": 3, "scope": "store/order/statusUpdated", "destination": "https://other.example.com", "is_active": True},
    ]
    talk = converse(
        VENDOR.subscribe(ACCOUNT, url), lambda ask: reply({"data": hooks} if ask.method == "GET" else {"data": {}})
    )
    written = [(a.method, a.path, a.json["scope"]) for a in talk.asks if a.method != "GET"]
    assert ("PUT", "/stores/abc/v3/hooks/2", "store/order/updated") in written
    assert ("POST", "/stores/abc/v3/hooks", "store/order/statusUpdated") in written
    assert talk.result["made"] == sorted(VENDOR.topics - {"store/order/created"})
    assert talk.result["secret"] == "cs"


def level(**changed):
    known = {
        "item_id": "MUG-1", "location": "3", "available": "7", "expected": "5", "key": "k", "at": NOW,
    }  # fmt: skip
    return StockLevel(**(known | changed))


def stock(wanted, on_hand=5):
    row = {"identity": {"sku": "MUG-1", "variant_id": 77, "product_id": 7}, "total_inventory_onhand": on_hand}
    return converse(
        VENDOR.push_stock(ACCOUNT, wanted), lambda ask: reply({"data": [row]} if ask.method == "GET" else {})
    )


def test_stock_is_set_absolutely_where_it_is_what_we_expected():
    last = stock(level()).asks[-1]
    assert (last.method, last.path) == ("PUT", "/stores/abc/v3/inventory/adjustments/absolute")
    assert last.json["items"] == [{"location_id": 3, "sku": "MUG-1", "quantity": 7}]
    assert stock(level(item_id="variant:77", expected=None)).asks[-1].json["items"][0]["variant_id"] == 77
    with pytest.raises(StaleStock) as stale:
        stock(level(), on_hand=4)
    assert stale.value.actual == "4"
    with pytest.raises(Refused):
        stock(level(available="0.5"))


@pytest.mark.parametrize(
    ("status", "left", "reset", "seconds"),
    [(200, "35", "15000", 0), (200, "1", "15000", 15.0), (429, "0", "2500", 2.5), (429, "", "", 1.0), (200, "", "", 0)],
)
def test_the_rate_headers_tell_how_long_to_wait(status, left, reset, seconds):
    headers = {"x-rate-limit-requests-left": left, "x-rate-limit-time-reset-ms": reset}
    assert VENDOR.pause(Reply(status=status, headers=headers, body=None)) == seconds


def test_who_asks_is_told_by_the_token():
    assert VENDOR.base_url(ACCOUNT) == "https://api.bigcommerce.com"
    assert VENDOR.authorization(ACCOUNT)["X-Auth-Token"] == "t"
    assert client.store(ACCOUNT) == STORE
    assert json.dumps(dict(VENDOR.missing)).count("BigCommerce") >= 3
