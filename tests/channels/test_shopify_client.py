"""Shopify as it is asked: a small shop answers, pages as Shopify pages, and changes while it is being read."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from channels import adapter, canonical
from channels.adapter import Adapter, Context
from channels.adapters.shopify import client
from channels.adapters.shopify.client import Client
from channels.client import Account, Ask, CursorExpired, Found, Pointer, StaleStock, StockLevel
from salessync.core.problems import Refused
from tests.calls import converse, reply

SINCE = datetime(2026, 9, 1, tzinfo=UTC)
UNTIL = datetime(2026, 9, 2, tzinfo=UTC)
ROOT = "/admin/api/2026-07/"
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


class Vendor(Client, Adapter):
    """As the adapter mixes it in."""

    name = "shopify"
    label = "Shopify"
    topics = frozenset({"orders/create", "orders/updated", "refunds/create", "disputes/create"})


VENDOR = Vendor()
ACCOUNT = Account(channel="main-shop", credentials={"shop": "mugs", "token": "shpat_1"})


def order(number, at, **fields):
    return {
        "id": number, "name": f"#{number}", "currency": "USD", "created_at": at, "processed_at": at, "updated_at": at,
        "financial_status": "paid", "payment_gateway_names": ["shopify_payments"], "total_price": "10.00",
        "subtotal_price": "10.00", "total_tax": "0.00", "total_discounts": "0.00", "taxes_included": False,
        "shipping_address": {"country_code": "US", "province_code": "NY"},
        "line_items": [{"id": number * 10, "quantity": 1, "price": "10.00", "name": "Mug", "tax_lines": []}],
        "shipping_lines": [], "refunds": [],
    } | fields  # fmt: skip


def paid(number, at):
    return {
        "id": number * 100, "order_id": number, "kind": "sale", "status": "success", "gateway": "shopify_payments",
        "amount": "10.00", "currency": "USD", "created_at": at, "processed_at": at, "test": False,
    }  # fmt: skip


def minute(number):
    return f"2026-09-01T10:{number:02}:00Z"


class Shop:
    """A few orders, two a page; `page_info` is the key of the last row and the filter, as at Shopify."""

    def __init__(self, orders=(), size=2):
        self.orders = {one["id"]: one for one in orders}
        self.transactions = {one["id"]: [paid(one["id"], one["created_at"])] for one in orders}
        self.size = size
        self.expired = False
        self.asks: list[Ask] = []
        self.pages = 0

    def answer(self, ask):
        self.asks.append(ask)
        assert (ask.method, ask.json, ask.path.startswith(ROOT)) == ("GET", None, True)
        path = ask.path.removeprefix(ROOT)
        if path == "orders.json":
            return self.listed(ask)
        number = int(path.split("/")[1].removesuffix(".json"))
        if path.endswith("/transactions.json"):
            rows = self.transactions.get(number)
            return reply({"errors": "Not Found"}, 404) if rows is None else reply({"transactions": rows})
        one = self.orders.get(number)
        return reply({"errors": "Not Found"}, 404) if one is None else reply({"order": one})

    def listed(self, ask):
        assert ask.params["limit"] == 50
        if "page_info" in ask.params:
            assert set(ask.params) == {"page_info", "limit"}, "Shopify refuses a filter beside page_info"
            if self.expired:
                assert 400 in ask.accepts
                return reply({"errors": {"page_info": "Invalid value."}}, 400)
            at = json.loads(base64.b64decode(ask.params["page_info"]))
        else:
            word = ask.params["order"].removesuffix(" asc")
            assert ask.params["status"] == "any"
            at = [word, ask.params[f"{word}_min"], ask.params[f"{word}_max"], ["", 0]]
        word, first, last, after = at
        rows = sorted(
            (one for one in self.orders.values() if first <= one[word] <= last and [one[word], one["id"]] > after),
            key=lambda one: [one[word], one["id"]],
        )
        page = rows[: self.size]
        headers = {}
        if len(rows) > self.size:
            info = base64.b64encode(json.dumps([word, first, last, [page[-1][word], page[-1]["id"]]]).encode()).decode()
            escaped = info.replace("=", "%3D").replace("+", "%2B")
            url = f"https://mugs.myshopify.com{ROOT}orders.json?limit=250&page_info="
            headers["link"] = f'<{url}before>; rel="previous", <{url}{escaped}>; rel="next"'
        self.pages += 1
        return reply({"orders": page}, **headers)


def polled(shop, cursor=None, stream="orders", **options):
    pages = VENDOR.poll(stream, ACCOUNT, since=SINCE, until=UNTIL, cursor=cursor, **options)
    return converse(pages, shop.answer)


def ids(pages):
    return [found.payload["order"]["id"] for page in pages for found in page.found]


# --- orders


def test_orders_come_page_by_page_with_their_transactions():
    shop = Shop([order(n, minute(n)) for n in range(1, 6)])
    pages = polled(shop).pages
    assert [ids([p]) for p in pages] == [[1, 2], [3, 4], [5]]
    assert [p.cursor is None for p in pages] == [False, False, True]
    payload = pages[0].found[0].payload
    assert payload["order"]["transactions"] == [paid(1, minute(1))]
    first = shop.asks[0]
    assert first.params == {
        "status": "any", "updated_at_min": "2026-09-01T00:00:00Z", "updated_at_max": "2026-09-02T00:00:00Z",
        "order": "updated_at asc", "limit": 50,
    }  # fmt: skip


def test_what_is_polled_is_read_as_a_paid_sale():
    found = polled(Shop([order(1, minute(1))])).pages[0].found[0]
    (sale,) = adapter.get("shopify").normalize(found.payload, found.topic, Context(channel="main-shop"))
    assert (sale.totals.paid, sale.totals.due, [t.reference for t in sale.tenders]) == (1000, 0, ["100"])
    assert canonical.encode(sale)


@pytest.mark.parametrize("number", range(3))
def test_any_cursor_goes_on_exactly_after_its_page(number):
    shop = Shop([order(n, minute(n)) for n in range(1, 8)])
    pages = polled(shop).pages
    again = polled(shop, pages[number].cursor).pages
    assert again == pages[number + 1 :]


def test_an_order_that_changes_while_its_page_is_read_is_not_lost():
    shop = Shop([order(n, minute(n)) for n in range(1, 6)])
    pages = VENDOR.poll("orders", ACCOUNT, since=SINCE, until=UNTIL, cursor=None)

    def answer(ask):
        if ask.path.endswith("orders.json") and shop.pages == 1:
            for number in (1, 3):  # one read already and one not: both move to the end
                shop.orders[number] |= {"updated_at": minute(30 + number)}
        return shop.answer(ask)

    found = ids(converse(pages, answer).pages)
    assert found == [1, 2, 4, 5, 1, 3]


def test_many_orders_of_one_second_are_all_read():
    shop = Shop([order(n, minute(1)) for n in range(1, 8)])
    assert ids(polled(shop).pages) == [1, 2, 3, 4, 5, 6, 7]


def test_created_asks_for_what_came_into_being():
    old = order(1, minute(1), created_at="2026-08-01T10:00:00Z")
    shop = Shop([old, order(2, minute(2))])
    assert ids(polled(shop, created=True).pages) == [2]
    assert shop.asks[0].params["order"] == "created_at asc"


def test_an_empty_window_is_one_empty_page():
    (page,) = polled(Shop()).pages
    assert (page.found, page.cursor) == ((), None)


def test_an_expired_cursor_says_so():
    shop = Shop([order(n, minute(n)) for n in range(1, 4)])
    cursor = polled(shop).pages[0].cursor
    shop.expired = True
    with pytest.raises(CursorExpired):
        polled(shop, cursor)


def test_a_bad_request_without_a_cursor_is_no_expired_cursor():
    shop = Shop()
    polled(shop)
    assert 400 not in shop.asks[0].accepts


def test_only_an_order_without_any_payment_is_not_asked_for_its_transactions():
    none = {"payment_gateway_names": [], "financial_status": "pending"}
    shop = Shop([
        order(1, minute(1), **none),
        order(2, minute(2), **none | {"financial_status": "paid"}),
        order(3, minute(3), **none | {"payment_gateway_names": ["manual"]}),
    ])  # fmt: skip
    del shop.transactions[2]
    pages = polled(shop).pages
    asked = [a.path for a in shop.asks if a.path.endswith("transactions.json")]
    assert asked == [ROOT + f"orders/{n}/transactions.json" for n in (2, 3)]
    first, second, third = (f.payload["order"] for p in pages for f in p.found)
    assert first["transactions"] == [] and len(third["transactions"]) == 1
    assert "transactions" not in second, "an order deleted meanwhile: nothing is known of its payments"


def test_an_order_without_a_readable_id_is_passed_on_to_be_refused():
    shop = Shop([order(1, minute(1))])
    shop.orders[1]["id"] = "../../shop"
    found = polled(Shop()).pages[0].found
    assert found == ()
    answer = reply({"orders": [{"id": "../../shop"}, 5, None]})
    pages = client.poll_orders(SINCE, UNTIL, None)
    assert [f.payload for f in converse(pages, lambda ask: answer).pages[0].found] == [
        {"order": {"id": "../../shop"}},
        {"order": 5},
        {"order": None},
    ]


@pytest.mark.parametrize("body", [None, [], {}, {"orders": None}, {"errors": "x"}])
def test_an_answer_without_its_list_is_no_empty_page(body):
    with pytest.raises(Refused, match="BAD_ANSWER"):
        converse(client.poll_orders(SINCE, UNTIL, None), lambda ask: reply(body))


def test_another_stream_is_a_mistake():
    with pytest.raises(ValueError, match="no stream"):
        VENDOR.poll("products", ACCOUNT, since=SINCE, until=UNTIL, cursor=None)


# --- payouts


def payments(payouts, lines, ask):
    """Balance transactions one a page."""
    path = ask.path.removeprefix(ROOT + "shopify_payments/")
    if path == "payouts.json":
        return reply({"payouts": payouts})
    if path == "balance/transactions.json":
        start = int(ask.params.get("page_info", "0"))
        if start == 0:
            mine = [one for one in lines if str(one["payout_id"]) == ask.params["payout_id"]]
        else:
            assert "payout_id" not in ask.params
            mine = lines
        url = f"https://mugs.myshopify.com{ask.path}?page_info={start + 1}&limit=250"
        link = {"link": f'<{url}>; rel="next"'} if start + 1 < len(mine) else {}
        return reply({"transactions": mine[start : start + 1]}, **link)
    number = int(path.split("/")[1].removesuffix(".json"))
    one = [p for p in payouts if p["id"] == number]
    return reply({"payout": one[0]}) if one else reply({"errors": "Not Found"}, 404)


PAYOUT = {"id": 7, "status": "paid", "date": "2026-09-01", "currency": "USD", "amount": "17.00"}
LINES = [
    {"id": 71, "type": "charge", "payout_id": 7, "currency": "USD", "amount": "10.00", "fee": "1.00", "net": "9.00"},
    {"id": 72, "type": "charge", "payout_id": 7, "currency": "USD", "amount": "9.00", "fee": "1.00", "net": "8.00"},
]


def test_a_payout_comes_with_all_its_lines():
    asks = []

    def answer(ask):
        asks.append(ask)
        return payments([PAYOUT, PAYOUT | {"id": 8, "status": "scheduled"}], LINES, ask)

    pages = VENDOR.poll("payouts", ACCOUNT, since=SINCE, until=UNTIL, cursor=None)
    (page,) = converse(pages, answer).pages
    first, second = (f.payload for f in page.found)
    assert first == {"payout": PAYOUT, "transactions": LINES}
    assert set(second) == {"payout"}, "a scheduled payout can still get lines"
    assert asks[0].params == {"date_min": "2026-08-18", "date_max": "2026-09-09", "limit": 50}
    (record,) = adapter.get("shopify").normalize(first, None, Context(channel="main-shop"))
    assert (record.amount, [line.net for line in record.lines], record.residual) == (1700, [900, 800], 0)


def test_payouts_created_are_those_of_these_days():
    asks = []
    pages = client.poll_payouts(SINCE, UNTIL, None, created=True)
    converse(pages, lambda ask: asks.append(ask) or reply({"payouts": []}))
    assert asks[0].params == {"date_min": "2026-09-01", "date_max": "2026-09-02", "limit": 50}


@pytest.mark.parametrize("stream", ["payouts", "disputes"])
def test_a_shop_without_shopify_payments_has_none(stream):
    pages = VENDOR.poll(stream, ACCOUNT, since=SINCE, until=UNTIL, cursor=None)
    (page,) = converse(pages, lambda ask: reply({"errors": "Not Found"}, 404)).pages
    assert (page.found, page.cursor) == ((), None)


# --- disputes


def dispute(number, began, sent=None, final=None):
    return {
        "id": number, "order_id": 1, "type": "chargeback", "amount": "10.00", "currency": "USD", "status": "under_review",
        "initiated_at": began, "evidence_sent_on": sent, "finalized_on": final,
    }  # fmt: skip


JULY, NOON, TOMORROW = "2026-07-01T12:00:00Z", "2026-09-01T12:00:00Z", "2026-09-03T12:00:00Z"


@pytest.mark.parametrize(
    ("one", "changed", "created"),
    [
        (dispute(1, NOON), True, True),
        (dispute(1, TOMORROW), False, False),
        (dispute(1, JULY), True, False),  # open: its state can change without a time
        (dispute(1, JULY, final=JULY), False, False),
        (dispute(1, JULY, final=NOON), True, False),
        (dispute(1, JULY, sent=NOON, final=JULY), True, False),
        (dispute(1, "soon"), True, True),  # normalize will say what is wrong with it
        ({}, True, True),
    ],
)
def test_disputes_of_the_window_are_those_that_are_open_or_moved(one, changed, created):
    for wanted, flag in ((changed, False), (created, True)):
        pages = client.poll_disputes(SINCE, UNTIL, None, created=flag)
        (page,) = converse(pages, lambda ask: reply({"disputes": [one]})).pages
        assert page.found == ((Found({"dispute": one}),) if wanted else ())


def test_disputes_are_read_back_as_far_as_one_can_change():
    url = f"https://mugs.myshopify.com{ROOT}shopify_payments/disputes.json?page_info="
    answers = {
        None: reply({"disputes": [dispute(3, NOON)]}, link=f'<{url}p2>; rel="next"'),
        "p2": reply({"disputes": [dispute(2, JULY, final=JULY)]}, link=f'<{url}p3>; rel="next"'),
        "p3": reply({"disputes": [dispute(1, "2024-09-01T12:00:00Z")]}, link=f'<{url}p4>; rel="next"'),
    }
    talk = converse(client.poll_disputes(SINCE, UNTIL, None), lambda ask: answers[ask.params.get("page_info")])
    assert [p.cursor for p in talk.pages] == ["p2", "p3", None]
    resumed = converse(client.poll_disputes(SINCE, UNTIL, "p3"), lambda ask: answers[ask.params.get("page_info")])
    assert resumed.pages == talk.pages[2:]
    made = converse(
        client.poll_disputes(SINCE, UNTIL, None, created=True), lambda ask: answers[ask.params.get("page_info")]
    )
    assert [p.cursor for p in made.pages] == ["p2", None]


# --- single objects


def fetched(kind, identifier, answer):
    return converse(VENDOR.fetch(Pointer(kind, identifier), ACCOUNT), answer)


def test_an_order_is_fetched_with_its_transactions():
    shop = Shop([order(1, minute(1))])
    assert fetched("order", "1", shop.answer).result == polled(shop).pages[0].found[0]
    assert fetched("order", "9", shop.answer).result is None


def test_a_payout_is_fetched_with_its_lines():
    found = fetched("payout", "7", lambda ask: payments([PAYOUT], LINES, ask)).result
    assert found == Found({"payout": PAYOUT, "transactions": LINES})
    assert fetched("payout", "9", lambda ask: payments([PAYOUT], LINES, ask)).result is None


def test_a_dispute_is_fetched():
    one = dispute(5, NOON)
    talk = fetched("dispute", "5", lambda ask: reply({"dispute": one}))
    assert talk.asks[0].path == ROOT + "shopify_payments/disputes/5.json"
    assert talk.result == Found({"dispute": one})


def test_a_refund_is_found_by_its_order():
    refund = {"id": 4, "order_id": 1}

    def answer(ask):
        if ask.path == ROOT + "graphql.json":
            assert ask.json["variables"] == {"id": "gid://shopify/Refund/4"}
            return reply({"data": {"refund": {"order": {"legacyResourceId": "1"}}}})
        assert ask.path == ROOT + "orders/1/refunds/4.json"
        return reply({"refund": refund})

    assert fetched("refund", "4", answer).result == Found({"refund": refund})
    assert len(fetched("refund", "1/4", answer).asks) == 1
    assert fetched("refund", "4", lambda ask: reply({"data": {"refund": None}})).result is None
    denied = {"errors": [{"message": "Access denied", "extensions": {"code": "ACCESS_DENIED"}}]}
    with pytest.raises(Refused, match="ACCESS_DENIED"):
        fetched("refund", "4", lambda ask: reply(denied))


@pytest.mark.parametrize("identifier", ["", "../shop", "1/../2", "x", "é", "١", "1?x=2"])
@pytest.mark.parametrize("kind", ["order", "refund", "payout", "dispute"])
def test_what_is_no_id_is_never_asked_for(kind, identifier):
    talk = fetched(kind, identifier, lambda ask: pytest.fail(ask.path))
    assert talk.result is None


def test_another_kind_does_not_exist():
    assert fetched("product", "1", lambda ask: pytest.fail(ask.path)).result is None


def test_an_edited_order_is_pointed_at():
    assert VENDOR.pointer({"order_edit": {"id": 5, "order_id": 1}}, "orders/edited") == Pointer("order", "1")
    assert VENDOR.pointer({"order_id": 1}, "Orders/Edited ") == Pointer("order", "1")
    for payload in ({}, [], None, {"order_edit": None}, {"order_edit": {"order_id": "../1"}}):
        assert VENDOR.pointer(payload, "orders/edited") is None
    assert VENDOR.pointer({"order_edit": {"order_id": 1}}, "orders/updated") is None


def test_a_refund_and_a_charge_need_their_order():
    normalize, context = adapter.get("shopify").normalize, Context(channel="main-shop")
    refund = {"id": 4, "order_id": 1, "created_at": NOON, "transactions": [paid(1, NOON) | {"kind": "refund"}]}
    (record,) = normalize({"refund": refund}, None, context)
    assert VENDOR.parent(record) == Pointer("order", "1")
    (charge,) = normalize({"transaction": paid(1, NOON)}, None, context)
    assert VENDOR.parent(charge) == Pointer("order", "1")
    (alone,) = normalize({"transaction": paid(1, NOON) | {"order_id": None}}, None, context)
    assert VENDOR.parent(alone) is None
    sale = normalize({"order": order(1, NOON)}, None, context)[0]
    assert VENDOR.parent(sale) is None


# --- subscriptions


def test_only_what_is_missing_is_subscribed_to():
    url = "https://books.example/hook/1"
    there = [
        {"topic": "orders/create", "address": url},
        {"topic": "orders/updated", "address": "https://books.example/hook/2"},  # another channel's
    ]
    made = []

    def answer(ask):
        if ask.method == "GET":
            assert ask.params == {"address": url, "limit": 250}
            return reply({"webhooks": there})
        webhook = ask.json["webhook"]
        assert (webhook["address"], webhook["format"]) == (url, "json")
        if webhook["topic"].startswith("disputes"):
            return reply({"errors": {"topic": ["Is there a missing access scope?"]}}, 422)
        if webhook["topic"] == "refunds/create":
            return reply({"errors": {"address": ["for this topic has already been taken"]}}, 422)
        made.append(webhook["topic"])
        return reply({"webhook": webhook}, 201)

    result = converse(VENDOR.subscribe(ACCOUNT, url), answer).result
    assert made == ["orders/updated"]
    assert (result["made"], result["secret"]) == (["orders/updated"], None)
    assert list(result["refused"]) == ["disputes/create"] and "scope" in result["refused"]["disputes/create"]


# --- stock


LEVEL = StockLevel(item_id="11", location="22", available="5", expected="7", key="k-1", at=NOW)


def pushed(*answers, level=LEVEL):
    left = list(answers)
    return converse(VENDOR.push_stock(ACCOUNT, level), lambda ask: reply(left.pop(0)))


def said(*errors):
    told = [{"code": code, "message": code.lower()} for code in errors]
    return {"data": {"inventorySetQuantities": {"userErrors": told}}}


def test_a_level_is_compared_and_set():
    talk = pushed(said())
    (ask,) = talk.asks
    assert (ask.method, ask.path, talk.result) == ("POST", ROOT + "graphql.json", None)
    assert ask.json["variables"] == {
        "key": "k-1",
        "input": {
            "name": "available",
            "reason": "correction",
            "quantities": [
                {
                    "inventoryItemId": "gid://shopify/InventoryItem/11",
                    "locationId": "gid://shopify/Location/22",
                    "quantity": 5,
                    "changeFromQuantity": 7,
                }
            ],
        },
    }
    assert "@idempotent(key: $key)" in ask.json["query"]


@pytest.mark.parametrize(
    ("available", "expected", "sent"),
    [("2.75", "3.0", (2, 3)), ("0", None, (0, None)), ("-1", "0", (-1, 0)), ("-0.5", "-0.5", (-1, -1))],
)
def test_shopify_counts_whole_units_and_never_promises_more(available, expected, sent):
    level = StockLevel(item_id="11", location="22", available=available, expected=expected, key="k", at=NOW)
    (quantity,) = pushed(said(), level=level).asks[0].json["variables"]["input"]["quantities"]
    assert (quantity["quantity"], quantity["changeFromQuantity"]) == sent


def test_a_level_that_was_changed_meanwhile_is_told():
    shown = {"data": {"inventoryItem": {"inventoryLevel": {"quantities": [{"quantity": 6}]}}}}
    with pytest.raises(StaleStock) as stale:
        pushed(said("CHANGE_FROM_QUANTITY_STALE"), shown)
    assert stale.value.actual == "6"
    with pytest.raises(StaleStock) as stale:
        pushed(said("CHANGE_FROM_QUANTITY_STALE"), {"data": {"inventoryItem": None}})
    assert stale.value.actual is None


def test_what_only_came_too_early_is_asked_again():
    throttled = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
    talk = pushed(throttled, said("IDEMPOTENCY_CONCURRENT_REQUEST"), said())
    assert [a.json["variables"]["key"] for a in talk.asks] == ["k-1", "k-1", "k-1"]
    talk = pushed(said("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"), said())
    assert [a.json["variables"]["key"] for a in talk.asks] == ["k-1", "k-1-again"]
    with pytest.raises(Refused, match="THROTTLED"):
        pushed(throttled, throttled, throttled)


@pytest.mark.parametrize(
    "body",
    [
        said("ITEM_NOT_STOCKED_AT_LOCATION"),
        {"errors": [{"message": "Access denied", "extensions": {"code": "ACCESS_DENIED"}}]},
        {"errors": "Unauthorized"},
        {"data": None},
        {"data": {"inventorySetQuantities": None}},
        {},
        None,
    ],
)
def test_a_level_that_was_not_set_is_never_taken_as_set(body):
    with pytest.raises(Refused) as refused:
        pushed(body)
    assert all(p.code.isupper() and p.message for p in refused.value.problems)


# --- who asks, and how often


@pytest.mark.parametrize("shop", ["mugs", "Mugs.myshopify.com", "https://mugs.myshopify.com/", " mugs "])
def test_the_shop_is_named_by_handle_or_host(shop):
    assert VENDOR.base_url(Account(channel="c", credentials={"shop": shop})) == "https://mugs.myshopify.com"


@pytest.mark.parametrize("shop", ["", "evil.example", "mugs.myshopify.com.evil.example", "mugs/../x", "a@b", None, "é"])
def test_the_token_goes_to_no_other_host(shop):
    with pytest.raises(Refused, match="BAD_SHOP"):
        VENDOR.base_url(Account(channel="c", credentials={"shop": shop}))


def test_the_account_can_name_its_host_itself():
    assert VENDOR.base_url(Account(channel="c", credentials={}, base_url="http://peer:8/")) == "http://peer:8"


def test_the_token_is_a_header():
    assert VENDOR.authorization(ACCOUNT) == {"X-Shopify-Access-Token": "shpat_1"}


APP = {"shop": "mugs", "client_id": "app", "client_secret": "hush"}


def test_a_token_for_good_is_never_renewed():
    assert VENDOR.refresh(ACCOUNT) is None
    assert VENDOR.refresh(Account(channel="c", credentials=APP | {"token": "shpat_1"})) is None


def test_an_offline_token_is_renewed_and_its_refresh_token_with_it():
    account = Account(channel="c", credentials=APP | {"token": "old", "refresh_token": "r1", "expires_at": 1})
    ask = VENDOR.refresh(account)
    assert (ask.method, ask.path) == ("POST", "/admin/oauth/access_token")
    assert ask.json == {
        "client_id": "app", "client_secret": "hush", "grant_type": "refresh_token", "refresh_token": "r1",
    }  # fmt: skip
    answer = reply({"access_token": "new", "expires_in": 3600, "refresh_token": "r2", "scope": "read_orders"})
    assert VENDOR.renewed(answer, account, NOW) == APP | {
        "token": "new", "refresh_token": "r2", "expires_at": int(NOW.timestamp()) + 3600,
    }  # fmt: skip
    assert account.credentials["token"] == "old"


def test_an_app_of_the_merchants_own_asks_with_its_credentials():
    for known in ({}, {"token": "old", "expires_at": 1}):
        ask = VENDOR.refresh(Account(channel="c", credentials=APP | known))
        assert ask.json == {"client_id": "app", "client_secret": "hush", "grant_type": "client_credentials"}
    renewed = VENDOR.renewed(
        reply({"access_token": "t", "expires_in": 86399}), Account(channel="c", credentials=APP), NOW
    )
    assert renewed == APP | {"token": "t", "expires_at": int((NOW + timedelta(seconds=86399)).timestamp())}


@pytest.mark.parametrize("body", [None, [], {}, {"access_token": ""}, {"access_token": "t"}, {"expires_in": 5}])
def test_an_answer_without_a_token_is_refused(body):
    with pytest.raises(Refused, match="NO_TOKEN"):
        VENDOR.renewed(reply(body), ACCOUNT, NOW)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"x_shopify_shop_api_call_limit": "1/40"}, 0),
        ({"x_shopify_shop_api_call_limit": "36/40"}, 0),
        ({"x_shopify_shop_api_call_limit": "40/40"}, 2),
        ({"x_shopify_shop_api_call_limit": "400/400"}, 2),
        ({"x_shopify_shop_api_call_limit": "78/80"}, 1.5),
        ({"x_shopify_shop_api_call_limit": "x/0"}, 0),
        ({"x_shopify_shop_api_call_limit": "1/0"}, 0),
        ({"retry_after": "2.0"}, 2),
        ({"retry_after": "soon", "x_shopify_shop_api_call_limit": "39/40"}, 1.5),
    ],
)
def test_the_bucket_says_how_long_to_wait(headers, seconds):
    assert VENDOR.pause(reply({}, **headers)) == pytest.approx(seconds)


def test_graphql_says_it_in_the_body():
    body = b'{"extensions": {"cost": {"requestedQueryCost": 12, "throttleStatus": {"currentlyAvailable": 2, "restoreRate": 50.0}}}}'
    assert VENDOR.pause(reply(body)) == pytest.approx(0.2)
    for body in (None, [], {"extensions": {"cost": {"requestedQueryCost": "x"}}}, {"extensions": 5}):
        assert VENDOR.pause(reply(body)) == 0


def test_the_next_page_is_found_in_the_link():
    url = "https://mugs.myshopify.com/admin/api/2026-07/orders.json"
    for link, cursor in (
        ("", None),
        (f'<{url}?page_info=a&limit=2>; rel="previous"', None),
        (f'<{url}?limit=2&page_info=b%3D%3D>; rel="next"', "b=="),
        (f'<{url}?page_info=a>; rel="previous", <{url}?page_info=c&limit=2>; rel="next"', "c"),
        (f"<{url}?page_info=d>; rel=next", "d"),
        ("nonsense", None),
    ):
        assert client.next_page(reply({}, link=link)) == cursor
