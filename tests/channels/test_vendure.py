"""Vendure's oddities, one by one; the whole records are in tests/golden/vendure."""

import base64
import copy
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from channels import adapter, canonical, checks, payload
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.adapters.vendure import client
from channels.adapters.vendure.words import method_type
from channels.calls import AccessRefused, Caller
from channels.client import Account, Pointer, StaleStock, StockLevel
from channels.record import Jurisdiction
from salessync.core import http
from salessync.core.dates import version_key
from salessync.core.problems import Refused
from tests.calls import converse, reply
from tests.golden import FOLDER
from tests.worlds import World

VENDURE = adapter.get("vendure")
CONTEXT = Context(channel="main-shop", timezone="Europe/Berlin")
ACCOUNT = Account(channel="main-shop", credentials={"api_key": "own-key"}, base_url="https://shop.example/admin-api/")
SINCE, UNTIL = datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC)
CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus" / "vendure"


def event(case):
    return payload.parse((FOLDER / "vendure" / case / "event.json").read_bytes())


def order(case="simple_sale"):
    parsed = event(case)
    return parsed["order"] if "order" in parsed else parsed["data"]["order"]


def change(parsed, **paths):
    """A copy with some places changed: `a__0__b=value`."""
    parsed = copy.deepcopy(parsed)
    for path, value in paths.items():
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("__")]
        place = parsed
        for key in parents:
            place = place[key]
        place[last] = value
    return parsed


def normalize(parsed, topic=None, context=CONTEXT):
    return VENDURE.normalize(parsed, topic, context)


def sale(case="simple_sale", context=CONTEXT, **paths):
    return normalize({"order": change(order(case), **paths)}, context=context)[0]


def wrong(record):
    return [p.code for p in checks.check(record)]


def codes(parsed, topic=None):
    with pytest.raises(Refused) as refused:
        normalize(parsed, topic)
    return [f"{p.code} {p.path}" for p in refused.value.problems]


# --- which payload is what


def test_an_order_is_read_in_every_wrapper():
    one = order()
    whole = [canonical.encode(r) for r in normalize({"order": one})]
    for wrapped in (
        {"data": {"order": one}},
        {"orders": {"items": [one], "totalItems": 1}},
        {"data": {"orders": {"items": [one]}}},
        {"orders": [one]},
        one,
    ):
        assert [canonical.encode(r) for r in normalize(wrapped)] == whole
    assert normalize({"data": {"orders": {"items": []}}}) == []


def test_an_error_of_graphql_is_no_order():
    assert codes({"errors": [{"message": "You are not currently authorized"}], "data": None}) == [
        "GRAPHQL_ERROR errors"
    ]
    assert codes({"data": {"order": None}}) == ["NOT_AN_OBJECT order"]
    assert codes({"orders": {"items": None}}) == ["NOT_A_LIST orders.items"]


@pytest.mark.parametrize("state", ["Created", "Draft", "AddingItems", "ArrangingPayment"])
def test_a_cart_is_no_sale(state):
    with pytest.raises(Ignored):
        sale(state=state)


def test_a_cart_that_was_given_up_and_the_sum_of_sellers_orders_are_no_sales():
    with pytest.raises(Ignored):
        sale(state="Cancelled", orderPlacedAt=None, payments=[])
    with pytest.raises(Ignored):
        sale(type="Aggregate")
    assert sale(type="Seller").extensions["vendure"]["type"] == "Seller"


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("PaymentAuthorized", "open"),
        ("PartiallyShipped", "open"),
        ("Shipped", "open"),
        ("Modifying", "open"),
        ("ArrangingAdditionalPayment", "open"),
        ("Delivered", "completed"),
        ("Cancelled", "cancelled"),
        ("Returned", "unknown"),
    ],
)
def test_states(told, meant):
    assert sale(state=told).status == meant


# --- amounts


def test_prices_include_tax_where_the_unit_with_tax_makes_the_line_exactly():
    plain = order("tax_inclusive_promotions")
    for channels in ([], [{"code": "__default_channel__", "pricesIncludeTax": False}]):
        assert normalize({"order": change(plain, channels=channels)})[0].tax_inclusive is True
    assert sale(pricesIncludeTax=True).tax_inclusive is False, "three mugs with tax are not three times a mug with tax"


def test_where_both_units_make_their_lines_the_channel_says_it():
    one = change(order(), lines=[order()["lines"][1]])
    one["shippingLines"] = []
    one |= {"subTotal": 849, "subTotalWithTax": 1010, "shipping": 0, "shippingWithTax": 0, "total": 849}
    one |= {"totalWithTax": 1010, "payments": []}
    default = {"code": "__default_channel__", "pricesIncludeTax": False}
    for channels, beside, meant in (
        ([default], {}, False),
        ([default, {"code": "de", "pricesIncludeTax": True}], {}, True),
        ([], {"activeChannel": {"pricesIncludeTax": True}}, True),
        ([], {}, False),
    ):
        found = normalize({"order": change(one, channels=channels), **beside})[0]
        assert (found.tax_inclusive, wrong(found)) == (meant, [])
        assert found.totals.net == (1010 if meant else 849)


def test_a_total_that_its_parts_do_not_make_is_objected_to():
    assert "TOTAL_MISMATCH" in wrong(sale(total=6050, totalWithTax=7008))
    assert "NET_MISMATCH" in wrong(sale(subTotal=5000))
    assert "SHIPPING_MISMATCH" in wrong(sale(shipping=590))
    assert "TAX_MISMATCH" in wrong(sale(total=4000))


def test_the_servers_precision_counts_and_without_it_the_currencys():
    yen = order("jpy")
    settings = {"globalSettings": {"serverConfig": {"moneyStrategyPrecision": 2}}}
    assert normalize({"order": yen, **settings})[0].totals.total == 3741
    assert normalize({"order": yen})[0].totals.total == 374055
    fine = {"globalSettings": {"serverConfig": {"moneyStrategyPrecision": 3}}}
    euro = sale()
    tenfold = json.loads(json.dumps(order()))
    for place in (tenfold, *tenfold["lines"], *tenfold["shippingLines"], *tenfold["payments"]):
        for key, value in place.items():
            if type(value) is int and key not in ("quantity", "orderPlacedQuantity", "taxRate"):
                place[key] = value * 10
    found = normalize({"order": tenfold, **fine})[0]
    assert (found.totals, found.lines) == (euro.totals, euro.lines)


def test_of_yen_in_hundredths_the_difference_is_carried():
    found = normalize(event("jpy"))[0]
    assert wrong(found) == []
    assert found.extensions["vendure"]["rounded"] == "half up"


@pytest.mark.parametrize("value", ["12.50", True, [], None, Decimal("1E+30"), 10**40])
def test_what_is_no_amount_is_refused(value):
    assert codes({"order": change(order(), totalWithTax=value)})[0].endswith("AMOUNT totalWithTax")


def test_a_shipping_price_may_have_a_fraction():
    """ShippingLine.price is the one price that Vendure does not round."""
    found = sale("tax_inclusive_promotions", shippingLines__0__price=Decimal("495.7983193277"))
    assert wrong(found) == []


def test_a_line_that_gets_dearer_by_its_discount_is_refused():
    assert "NEGATIVE_AMOUNT lines[1]" in codes({"order": change(order(), lines__1__proratedLinePrice=900)})


# --- payments


@pytest.mark.parametrize(
    ("told", "action", "status", "payment_status"),
    [
        ("Created", "authorize", "pending", "pending"),
        ("Authorized", "authorize", "authorized", "authorized"),
        ("Settled", "capture", "captured", "paid"),
        ("Declined", "authorize", "failed", "failed"),
        ("Error", "authorize", "failed", "failed"),
        ("Cancelled", "void", "voided", "voided"),
        ("Bartered", "unknown", "unknown", "unknown"),
    ],
)
def test_payment_states(told, action, status, payment_status):
    found = sale(payments__0__state=told)
    assert (found.tenders[0].action, found.tenders[0].status, found.payment_status) == (action, status, payment_status)


@pytest.mark.parametrize(
    ("code", "kind", "processor"),
    [
        ("stripe-card", "card", "stripe"),
        ("card", "card", None),
        ("gift-card", "gift_card", None),
        ("giftcard", "gift_card", None),
        ("paypal_checkout", "wallet", "paypal"),
        ("mollie-klarna", "bnpl", "klarna"),
        ("bank-transfer", "bank", None),
        ("pay-by-invoice", "on_account", None),
        ("dummy-payment-method", "external", None),
        ("goldcoin", "unknown", "goldcoin"),
        ("", "unknown", None),
    ],
)
def test_a_methods_code_says_how_was_paid(code, kind, processor):
    assert method_type(code) == (kind, processor)


def test_the_code_of_a_gift_card_is_not_kept():
    parsed = event("split_tender")
    kept = json.dumps(VENDURE.scrub(parsed))
    assert "canary-code" not in kept
    assert "pi_own33" in kept
    assert normalize(parsed)[0].tenders[0].reference is None


def test_without_its_payments_the_status_of_an_order_is_not_known():
    parsed = order()
    del parsed["payments"]
    assert codes({"order": parsed}) == ["MISSING_PAYMENT_STATUS payments"]


def test_a_free_order_is_paid():
    free = change(order(), lines=[], shippingLines=[], payments=[])
    free |= dict.fromkeys(("subTotal", "subTotalWithTax", "shipping", "shippingWithTax", "total", "totalWithTax"), 0)
    assert normalize({"order": free})[0].payment_status == "paid"


# --- what was cut down


def test_a_cancelled_order_keeps_what_was_placed():
    found = sale("cancelled_not_refunded")
    assert (found.status, found.payment_status) == ("cancelled", "paid")
    assert found.totals.total == found.totals.paid == order("cancelled_not_refunded")["payments"][0]["amount"]
    assert [line.quantity for line in found.lines] == ["3", "1", "1"]


def test_of_a_cancelled_order_nobody_paid_the_prices_are_its_total():
    found = sale("cancelled_unpaid")
    assert (found.totals.total, found.totals.paid) == (4992, 0)


def test_shipping_that_was_discounted_before_it_was_cancelled():
    parsed = order("cancelled_and_refunded")
    parsed["shippingLines"][0] |= {
        "discounts": [
            {"adjustmentSource": "PROMOTION:1", "description": "Half", "amount": -245, "amountWithTax": -292},
            {"adjustmentSource": "CANCEL_ORDER", "description": "x", "amount": -245, "amountWithTax": -291},
        ]
    }
    parsed["payments"] = [parsed["payments"][0] | {"refunds": [], "amount": 5710}]
    shipping = normalize({"order": parsed})[0].lines[-1]
    assert (shipping.gross, shipping.discount, shipping.net, shipping.tax) == (490, 245, 245, 46)
    assert [d.code for d in shipping.discounts] == ["Half"]


def test_a_line_called_off_after_its_payment_but_not_paid_back_yet_leaves_money_owed():
    parsed = order("line_cancelled_and_refunded")
    parsed["payments"][0]["refunds"] = []
    found = normalize({"order": parsed})[0]
    assert (found.totals.total, found.totals.paid, found.totals.due) == (2915, 5560, -2645)
    assert wrong(found) == []


def test_a_failed_refund_gives_nothing_back():
    parsed = order("line_cancelled_and_refunded")
    parsed["payments"][0]["refunds"][0]["state"] = "Failed"
    whole, back = normalize({"order": parsed})
    assert (whole.totals.total, whole.payment_status, back.status) == (2915, "paid", "failed")


def test_a_refund_is_worth_its_total_whatever_it_names():
    parsed = order("refunds")
    parsed["payments"][0]["refunds"][0]["total"] = 2000
    back = normalize({"order": parsed})[1]
    assert [(line.type, line.net, line.tax) for line in back.lines] == [("item", 2470, 469), ("adjustment", -939, 0)]
    assert wrong(back) == []


def test_a_refund_that_names_its_shipping_gives_its_tax_back_as_well():
    parsed = order("refunds")
    parsed["payments"][0]["refunds"][2] |= {"shipping": 583, "total": 583}
    back = normalize({"order": parsed})[3]
    assert [(line.type, line.line, line.net, line.tax) for line in back.lines] == [("shipping", "shipping:4", 490, 93)]


def test_a_refund_of_a_line_that_is_not_there_or_of_too_many():
    parsed = order("refunds")
    refund = parsed["payments"][0]["refunds"][0]
    refund["lines"] = [{"orderLineId": "999", "quantity": 1}]
    assert [line.type for line in normalize({"order": parsed})[1].lines] == ["adjustment"]
    refund["lines"] = [{"orderLineId": "40", "quantity": 4}]
    assert codes({"order": parsed}) == ["BAD_QUANTITY payments[0].refunds[0].lines[0].quantity"]


def test_a_refund_moves_the_version_of_its_order_though_the_order_does_not_change():
    before = order("refunds")
    after = copy.deepcopy(before)
    before["payments"][0]["refunds"] = []
    versions = [normalize({"order": one})[0].source.version for one in (before, after)]
    assert version_key(versions[0]) < version_key(versions[1])


def test_states_of_one_second_are_in_order():
    """SQLite keeps whole seconds: placed, authorized, settled and refunded may all bear the same time."""
    one = change(order(), orderPlacedAt="2026-10-05T09:12:31.000Z")
    steps = [
        change(one, state="PaymentAuthorized", payments__0__state="Authorized"),
        one,
        change(one, payments__0__refunds=[order("refunds")["payments"][0]["refunds"][0] | {"createdAt": "2026-10-05T09:12:31.000Z", "updatedAt": "2026-10-05T09:12:31.000Z", "state": "Pending", "lines": []}]),
        change(one, state="PaymentSettled", lines__0__quantity=1, lines__0__orderPlacedQuantity=9),
        change(one, state="Shipped"),
        change(one, state="Cancelled"),
    ]  # fmt: skip
    versions = [normalize({"order": step})[0].source.version for step in steps]
    assert versions == sorted(set(versions), key=version_key)
    pending, settled = (change(steps[2], payments__0__refunds__0__state=state) for state in ("Pending", "Settled"))
    first, second = (normalize({"order": step})[1].source.version for step in (pending, settled))
    assert version_key(first) < version_key(second)


def test_the_place_is_the_address_that_the_goods_go_to_else_the_buyers_else_the_store():
    context = Context(channel="c", jurisdiction=Jurisdiction(country="DE", city="Ulm"))
    assert sale("two_taxes_and_surcharges").jurisdiction.region == "NY"
    assert sale(shippingAddress={}, billingAddress={"countryCode": "at"}).jurisdiction.country == "AT"
    assert sale(shippingAddress=None, context=context).jurisdiction.city == "Ulm"
    assert sale(shippingAddress=None).jurisdiction is None


# --- events


@pytest.mark.parametrize(
    ("topic", "data", "identifier"),
    [
        ("order.placed", {"id": "42"}, "42"),
        ("order.placed", {"id": 42}, "42"),
        ("order.state_changed", {"orderId": "42"}, "42"),
        ("payment.state_changed", {"id": "3", "orderId": "42"}, "42"),
        ("refund.state_changed", {"id": "3", "order_id": "42"}, "42"),
    ],
)
def test_an_event_names_its_order(topic, data, identifier):
    body = {"type": topic, "data": data}
    assert normalize(body, topic) == normalize(body) == []
    assert VENDURE.pointer(body, topic) == VENDURE.pointer(VENDURE.scrub(body), topic) == Pointer("order", identifier)
    assert VENDURE.envelope({"webhook-id": "w"}, body).topic == topic


def test_an_event_that_names_no_order_is_refused_and_a_foreign_one_ignored():
    body = {"type": "refund.state_changed", "data": {"id": "3"}}
    assert codes(body, "refund.state_changed") == ["MISSING_ID data.orderId"]
    assert VENDURE.pointer(body, "refund.state_changed") is None
    with pytest.raises(Ignored):
        normalize({"type": "product.updated", "data": {"id": "3"}}, "product.updated")


def test_the_signature_of_standard_webhooks():
    """Recomputed here from the specification; a secret may be base64 behind its prefix or plain text."""
    now = datetime(2026, 9, 1, tzinfo=UTC)
    key, body = b"own key of 24 bytes here", b'{"type": "order.placed"}'
    stamp = str(int(now.timestamp()))
    digest = hmac.new(key, b"msg_own." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": "msg_own",
        "webhook-timestamp": stamp,
        "webhook-signature": "v2,x v1," + base64.b64encode(digest).decode(),
    }
    for secret in (key.decode(), "whsec_" + base64.b64encode(key).decode()):
        VENDURE.verify(headers, body, Trust(secrets=("old", secret)), now)
    for changed in ({"webhook-id": "msg.own"}, {"webhook-timestamp": "٣"}, {"webhook-signature": "v1," * 101}):
        with pytest.raises(SignatureRefused):
            VENDURE.verify(headers | changed, body, Trust(secrets=(key.decode(),)), now)


# --- calls


class Shop:
    """A Vendure that filters, sorts and pages as the real one does; times may be whole seconds, compared as text."""

    def __init__(self, orders=(), variants=()):
        self.orders, self.variants = list(orders), list(variants)
        self.beside = {
            "globalSettings": {"serverConfig": {"moneyStrategyPrecision": 2}},
            "activeChannel": {"code": "x"},
        }

    def __call__(self, ask):
        assert (ask.method, ask.path) == ("POST", "/admin-api")
        query, variables = ask.json["query"], ask.json["variables"]
        if "order(id: $id)" in query:
            found = next((r for r in self.orders if r["id"] == variables["id"]), None)
            return reply({"data": {"order": copy.deepcopy(found), **self.beside}})
        options = variables["options"]
        rows = list(self.orders)
        for field, wanted in options["filter"].items():
            if "between" in wanted:
                start, end = wanted["between"]["start"], wanted["between"]["end"]
                rows = [r for r in rows if start <= r[field] <= end]
            if "in" in wanted:
                rows = [r for r in rows if r["id"] in wanted["in"]]
            if wanted.get("isNull") is False:
                rows = [r for r in rows if r[field] is not None]
        for field in options.get("sort", {}):
            rows.sort(key=lambda r, field=field: r[field])
        page = rows[options["skip"] : options["skip"] + options["take"]]
        beside = self.beside if "globalSettings" in query else {}
        return reply({"data": {"orders": {"items": copy.deepcopy(page), "totalItems": len(rows)}, **beside}})


def row(number, second=None, **more):
    second = number if second is None else second
    at = f"2026-10-05T00:{second // 60:02}:{second % 60:02}.000Z"
    return {"id": str(number), "updatedAt": at, "orderPlacedAt": at, "payments": [], **more}


def poll(shop, stream="orders", cursor=None, created=False):
    return converse(VENDURE.poll(stream, ACCOUNT, since=SINCE, until=UNTIL, cursor=cursor, created=created), shop)


def ids(pages):
    return [found.payload["order"]["id"] for page in pages for found in page.found]


def test_orders_are_read_page_by_page_and_on_from_any_page():
    shop = Shop([row(n) for n in range(120)] + [row(500, orderPlacedAt=None)])
    whole = poll(shop)
    assert ids(whole.pages) == [str(n) for n in range(120)]
    assert whole.pages[-1].cursor is None
    for number, page in enumerate(whole.pages[:-1], start=1):
        assert ids(poll(shop, cursor=page.cursor).pages) == ids(whole.pages[number:])
    options = whole.asks[0].json["variables"]["options"]
    assert options == {
        "sort": {"updatedAt": "ASC"},
        "filter": {
            "updatedAt": {"between": {"start": "2026-10-04T23:59:59.999Z", "end": "2026-10-06T00:00:00.000Z"}},
            "orderPlacedAt": {"isNull": False},
        },
        "take": client.PAGE,
        "skip": 0,
    }


def test_orders_may_be_read_by_when_they_were_placed():
    options = poll(Shop([row(1)]), created=True).asks[0].json["variables"]["options"]
    assert (options["sort"], list(options["filter"])) == ({"orderPlacedAt": "ASC"}, ["orderPlacedAt"])


def test_an_empty_window_is_one_empty_page():
    for stream in ("orders", "refunds"):
        assert [(page.found, page.cursor) for page in poll(Shop(), stream).pages] == [((), None)]


def test_rows_that_change_while_they_are_read_push_no_other_out():
    shop = Shop([row(n) for n in range(120)])
    seen = []

    def moving(ask):
        answer = shop(ask)
        if not seen:
            for one in shop.orders[:30]:
                one["updatedAt"] = "2026-10-05T01:00:00.000Z"
        seen.append(ask)
        return answer

    assert set(ids(poll(moving).pages)) == {str(n) for n in range(120)}


def test_many_rows_of_one_second_are_all_read():
    shop = Shop([row(n, second=7) for n in range(120)] + [row(900, second=8)])
    found = ids(poll(shop).pages)
    assert sorted(found) == sorted(r["id"] for r in shop.orders)


def refunded(number, at, **more):
    refund = {"id": "1", "createdAt": at, "updatedAt": at}
    payments = [{"id": "1", "createdAt": "2026-09-01T00:00:00.000Z", "updatedAt": None, "refunds": [refund]}]
    placed = {"orderPlacedAt": f"2026-09-01T00:00:{number % 60:02}.000Z"}
    return row(number, payments=payments, **(placed | more))


def test_a_refund_is_found_though_its_order_has_not_changed():
    shop = Shop(
        [
            refunded(1, "2026-10-05T12:00:00.000Z", updatedAt="2026-09-01T00:00:00.000Z"),
            refunded(2, "2026-10-04T12:00:00.000Z"),
            refunded(3, "2026-10-06T00:00:00.000Z"),
            refunded(4, "2026-10-05T12:00:00.000Z", orderPlacedAt="2026-01-01T00:00:00.000Z"),
        ]
    )
    whole = poll(shop, "refunds")
    assert ids(whole.pages) == ["1"], "in the window, and of an order of the last months"
    asked = whole.asks[0].json["variables"]["options"]["filter"]["orderPlacedAt"]["between"]["start"]
    assert datetime.fromisoformat(asked) == SINCE - client.RECENT - timedelta(milliseconds=1)
    assert "lines" not in whole.asks[0].json["query"], "the first look is a light one"


def test_refunds_are_looked_for_page_by_page_and_on_from_any_page():
    shop = Shop([refunded(n, "2026-10-05T12:00:00.000Z", orderPlacedAt=row(n)["orderPlacedAt"]) for n in range(230)])
    whole = poll(shop, "refunds")
    assert sorted(ids(whole.pages)) == sorted(str(n) for n in range(230))
    for number, page in enumerate(whole.pages[:-1], start=1):
        assert ids(poll(shop, "refunds", cursor=page.cursor).pages) == ids(whole.pages[number:])


def test_what_the_poll_finds_can_be_read():
    parsed = order("refunds")
    found = poll(Shop([parsed | {"updatedAt": "2026-10-05T00:00:01.000Z"}])).pages[0].found[0]
    assert [r.record_type for r in normalize(found.payload, found.topic or None)] == [
        "sale",
        "refund",
        "refund",
        "refund",
    ]
    assert found.payload["globalSettings"]["serverConfig"]["moneyStrategyPrecision"] == 2
    assert VENDURE.scrub(found.payload)["globalSettings"] == found.payload["globalSettings"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "UNEXPECTED_ANSWER"),
        ({"data": None}, "UNEXPECTED_ANSWER"),
        ({"data": {"orders": None}}, "UNEXPECTED_ANSWER"),
        ({"data": {"orders": {"items": [None]}}}, "UNEXPECTED_ANSWER"),
        ({"data": {"orders": {"items": [{"id": "1"}] * 100}}}, "UNEXPECTED_ANSWER"),
        ({"errors": [{"message": "no", "extensions": {"code": "FORBIDDEN"}}], "data": None}, "FORBIDDEN"),
        ({"errors": "?"}, "GRAPHQL_ERROR"),
    ],
)
def test_an_error_comes_with_status_200_and_is_no_empty_page(body, code):
    for stream in ("orders", "refunds"):
        with pytest.raises(Refused, match=code):
            poll(lambda ask: reply(body), stream)


@pytest.mark.parametrize("cursor", ["", "x", "{}", "[]", '["yesterday", 0]', '[1, "x"]'])
def test_a_cursor_of_another_make_is_refused(cursor):
    with pytest.raises(Refused, match="BAD_CURSOR"):
        poll(Shop(), cursor=cursor)


def test_an_unknown_stream_is_an_error_of_ours():
    with pytest.raises(KeyError):
        VENDURE.poll("payouts", ACCOUNT, since=SINCE, until=UNTIL, cursor=None)


def test_one_order_is_fetched():
    shop = Shop([row(1)])
    found = converse(VENDURE.fetch(Pointer("order", "1"), ACCOUNT), shop).result
    assert found.payload == {"order": row(1), **shop.beside}
    assert converse(VENDURE.fetch(Pointer("order", "2"), ACCOUNT), shop).result is None
    assert converse(VENDURE.fetch(Pointer("payment", "1"), ACCOUNT), shop).result is None
    with pytest.raises(Refused, match="UNEXPECTED_ANSWER"):
        converse(VENDURE.fetch(Pointer("order", "1"), ACCOUNT), lambda ask: reply({"data": {"order": []}}))


def test_a_refund_names_the_order_it_waits_for():
    whole = normalize(event("refunds"))
    assert [VENDURE.parent(record) for record in whole] == [None, *[Pointer("order", "4")] * 3]


def account(**credentials):
    return Account(channel="main-shop", credentials=credentials, base_url="https://shop.example")


def test_who_asks():
    assert VENDURE.base_url(ACCOUNT) == VENDURE.base_url(account()) == "https://shop.example"
    assert VENDURE.authorization(ACCOUNT) == {"vendure-api-key": "own-key"}
    assert VENDURE.authorization(account(token="t", channel_token="c")) == {
        "Authorization": "Bearer t",
        "vendure-token": "c",
    }
    assert [VENDURE.pause(reply({}, retry_after=value)) for value in ("7", "soon", "")] == [7.0, 0.0, 0.0]


def test_a_session_is_made_with_name_and_password():
    assert VENDURE.refresh(ACCOUNT) is None
    assert VENDURE.refresh(account(username="u")) is None
    named = account(username="u", password="p")
    ask = VENDURE.refresh(named)
    assert ask.json["variables"] == {"username": "u", "password": "p"}
    welcome = reply({"data": {"login": {"__typename": "CurrentUser", "id": "1"}}}, vendure_auth_token="t2")
    assert VENDURE.renewed(welcome, named, SINCE) == {
        "username": "u",
        "password": "p",
        "token": "t2",
        "expires_at": int(SINCE.timestamp()) + client.SESSION,
    }
    for refused in (
        reply({"data": {"login": {"__typename": "InvalidCredentialsError"}}}, vendure_auth_token="t2"),
        reply({"data": {"login": {"__typename": "CurrentUser"}}}),
    ):
        with pytest.raises(Refused, match="LOGIN_REFUSED"):
            VENDURE.renewed(refused, named, SINCE)


FORBIDDEN = {"errors": [{"message": "no", "extensions": {"code": "FORBIDDEN"}}], "data": None}


def test_an_answer_without_access_looks_good_and_says_forbidden():
    """As a shop answers that was never logged in to, or whose session has ended (seen with Vendure 3.7.3)."""
    assert VENDURE.denies(reply(FORBIDDEN))
    odd = (
        {"data": {}},
        {"errors": []},
        {"errors": "FORBIDDEN"},
        {"errors": [{"extensions": {"code": "OTHER"}}]},
        None,
        [],
    )
    assert [VENDURE.denies(reply(body)) for body in odd] == [False] * len(odd)


@pytest.mark.django_db
@pytest.mark.parametrize("token", [{}, {"token": "ended"}], ids=["never", "ended"])
def test_a_session_is_made_where_there_is_none_any_more(monkeypatch, token):
    asked = []

    def answer(*, headers, body, **_):
        asked.append(json.loads(body)["query"].partition("(")[0])
        if "mutation" in asked[-1]:
            welcome = b'{"data": {"login": {"__typename": "CurrentUser", "id": "1"}}}'
            return http.Answer(200, {"vendure-auth-token": "fresh"}, welcome)
        good = headers.get("Authorization") == "Bearer fresh"
        return http.Answer(200, {}, b'{"data": {"order": null}}' if good else json.dumps(FORBIDDEN).encode())

    monkeypatch.setattr(http, "call", answer)
    channel = World().channel("vendure", "vendure")
    channel.credentials = {"username": "u", "password": "p", "base_url": "https://shop.example", **token}
    channel.save()
    caller = Caller(channel)
    assert caller.result(VENDURE.fetch(Pointer("order", "1"), caller.account)) is None
    assert asked == ["query SalesSyncOrder", "mutation SalesSyncLogin", "query SalesSyncOrder"]
    channel.credentials = {"api_key": "no key", "base_url": "https://shop.example"}
    with pytest.raises(AccessRefused):
        caller.result(VENDURE.fetch(Pointer("order", "1"), caller.account))


def test_a_plugin_in_the_shop_is_made_by_the_merchant():
    assert converse(VENDURE.subscribe(ACCOUNT, "https://us.example/hook"), Shop()).result == {
        "made": [],
        "secret": None,
    }


def test_queries_ask_for_all_that_is_read():
    """What the golden payloads hold, and the fields by which they are read, are in the query."""
    for key in (
        "orderPlacedQuantity",
        "proratedLinePriceWithTax",
        "pricesIncludeTax",
        "adjustmentSource",
        "orderLineId",
    ):
        assert key in client.ORDERS_QUERY
        assert key in client.ORDER_QUERY
    for personal in ("fullName", "streetLine", "emailAddress", "phoneNumber", "metadata", "history"):
        assert personal not in client.ORDERS_QUERY


# --- stock


def level(available="7", expected=None):
    return StockLevel(item_id="5", location="2", available=available, expected=expected, key="k", at=UNTIL)


def push(wanted, levels):
    def answer(ask):
        if "productVariant(" in ask.json["query"]:
            return reply({"data": {"productVariant": None if levels is None else {"id": "5", "stockLevels": levels}}})
        return reply({"data": {"updateProductVariants": [{"id": "5"}]}})

    return converse(VENDURE.push_stock(ACCOUNT, wanted), answer)


HELD = [
    {"stockLocationId": "1", "stockOnHand": 100, "stockAllocated": 0},
    {"stockLocationId": "2", "stockOnHand": 10, "stockAllocated": 3},
]


def on_hand(whole):
    return whole.asks[1].json["variables"]["input"]


def test_stock_is_what_is_wanted_and_what_is_allocated():
    assert on_hand(push(level(), HELD)) == [{"id": "5", "stockLevels": [{"stockLocationId": "2", "stockOnHand": 10}]}]
    assert on_hand(push(level("2.9"), HELD))[0]["stockLevels"][0]["stockOnHand"] == 5, "Vendure counts whole pieces"
    assert on_hand(push(level(expected="0"), HELD[:1]))[0]["stockLevels"][0]["stockOnHand"] == 7


def test_a_level_that_somebody_changed_is_not_overwritten():
    assert len(push(level(expected="7.0"), HELD).asks) == 2
    with pytest.raises(StaleStock) as stale:
        push(level(expected="8"), HELD)
    assert stale.value.actual == "7"


def test_a_variant_that_is_not_there_and_an_answer_that_is_an_error():
    with pytest.raises(Refused, match="UNKNOWN_ITEM"):
        push(level(), None)
    with pytest.raises(Refused, match="GRAPHQL_ERROR"):
        converse(VENDURE.push_stock(ACCOUNT, level()), lambda ask: reply({"errors": [{}]}))


# --- answers of a running Vendure, where they are at hand


@pytest.mark.parametrize("path", sorted(CORPUS.glob("order_*.json")), ids=lambda p: p.stem)
def test_every_order_of_a_running_vendure_is_proven(path):
    parsed = payload.parse(path.read_bytes())
    found = normalize(parsed)
    assert [wrong(record) for record in found] == [[]] * len(found)
    settled = sum(p["amount"] for p in parsed["order"]["payments"])
    assert found[0].totals.total == found[0].totals.paid == settled
    assert found[0].tax_inclusive == path.stem.endswith("tax_inclusive")
    stored = payload.parse_stored(payload.dump(VENDURE.scrub(parsed)))
    assert [canonical.encode(r) for r in normalize(stored)] == [canonical.encode(r) for r in found]
    assert not {"streetLine1", "emailAddress", "history", "metadata"} & set(json.dumps(stored, default=str).split('"'))
