"""WooCommerce beyond what golden cases show: signatures, traps of its payloads, and how a shop is asked."""

import copy
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from channels import adapter, canonical, checks, payload
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.client import Account, CursorExpired, Pointer, StaleStock, StockLevel
from salessync.core.problems import Refused
from tests.calls import converse, reply

WOO = adapter.get("woocommerce")
CONTEXT = Context(channel="main-shop", timezone="America/New_York")
GOLDEN = Path(__file__).parent.parent / "golden" / "woocommerce"
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
ACCOUNT = Account(
    channel="main-shop",
    base_url="https://shop.example/store/",
    credentials={"consumer_key": "ck_1", "consumer_secret": "cs_2"},
)


def event(name):
    return payload.parse((GOLDEN / name / "event.json").read_bytes())


def order(name="simple_sale", **changes):
    return event(name) | changes


def normalize(parsed, topic=None, context=CONTEXT):
    return WOO.normalize(parsed, topic, context)


def sale(parsed, context=CONTEXT):
    return normalize(parsed, context=context)[0]


def codes(parsed, topic=None):
    with pytest.raises(Refused) as refused:
        normalize(parsed, topic)
    return [(p.code, p.path) for p in refused.value.problems]


def proof(record):
    return [p.code for p in checks.check(record)]


# --- signature, ping, envelope

BODY = b'{"id":51,"total":"7.30"}'
SIGNED = "DCG7B8PXWPazrO/A97uwK9BwzZfa2SbyBkSXWGPHfp8="  # openssl dgst -sha256 -hmac 'between & <us>' -binary | base64


@pytest.mark.parametrize(
    "secret",
    ["between & <us>", "between &amp; &lt;us&gt;", "between &#038; &#060;us&#62;", "between &#x26; &#00060;us&gt;",
     "between &#X26; &lt;us>"],
)  # fmt: skip
def test_a_secret_counts_as_wordpress_decodes_it(secret):
    WOO.verify({"x-wc-webhook-signature": SIGNED}, BODY, Trust(secrets=(secret,)), NOW)


@pytest.mark.parametrize(
    "secret", ["between &amp;amp; <us>", "between &AMP; <us>", "between &x3c; <us>", "between &#60; <us>"]
)
def test_a_secret_is_decoded_once_and_no_further(secret):
    with pytest.raises(SignatureRefused):
        WOO.verify({"x-wc-webhook-signature": SIGNED}, BODY, Trust(secrets=(secret,)), NOW)


def test_a_ping_is_a_greeting_and_nothing_else_is():
    assert WOO.greeting({"content-type": "application/x-www-form-urlencoded"}, b"webhook_id=7")
    for body in (b"", b"webhook_id=", b"webhook_id=7&x=1", b" webhook_id=7", b"webhook_id=7\n", b"webhook_id=a", BODY):
        assert WOO.greeting({}, body) is None
    assert WOO.greeting({"x-wc-webhook-signature": SIGNED}, b"webhook_id=7") is None
    with pytest.raises(SignatureRefused):
        WOO.verify({}, b"webhook_id=7", Trust(secrets=("s",)), NOW)


def test_the_delivery_id_is_not_used_since_two_orders_of_a_second_share_it():
    envelope = WOO.envelope({"x-wc-webhook-topic": "Order.Updated", "x-wc-webhook-delivery-id": "abc"}, {"id": 1})
    assert (envelope.delivery_id, envelope.topic) == (None, "order.updated")


# --- pointers


@pytest.mark.parametrize(
    ("parsed", "topic", "wanted"),
    [
        ({"id": 51}, "order.deleted", "51"),
        ({"id": "51"}, "order.updated", "51"),
        ({"action": "woocommerce_order_refunded", "arg": 51}, "action.woocommerce_order_refunded", "51"),
        ({"action": "wp_login", "arg": 51}, "action.wp_login", None),
        ({"action": "woocommerce_order_refunded", "arg": "../51"}, "action.woocommerce_order_refunded", None),
        ({"id": 51}, "product.updated", None),
        ([], "", None),
        ({"id": {}}, "order.deleted", None),
    ],
)
def test_an_event_of_ids_points_to_its_order(parsed, topic, wanted):
    assert WOO.pointer(parsed, topic) == (Pointer("order", wanted) if wanted else None)


def test_refunds_that_are_listed_without_detail_are_fetched_with_their_order():
    listed = event("refund_listed_only")
    assert WOO.pointer(listed, "order.updated") == Pointer("order", "7008")
    assert WOO.pointer({"order": listed}, "") == Pointer("order", "7008")
    assert WOO.pointer(WOO.scrub(listed), "order.updated") == Pointer("order", "7008")
    assert WOO.pointer(order(), "order.updated") is None
    assert WOO.pointer(event("partial_refund_by_line"), "") is None


def test_a_refund_alone_points_to_the_order_in_its_parent_or_links():
    alone = event("refund_alone")
    assert WOO.pointer(alone, "") == Pointer("order", "7009")
    del alone["parent_id"]
    assert WOO.pointer(alone, "") == Pointer("order", "7009")
    assert WOO.pointer(WOO.scrub(alone), "") == Pointer("order", "7009")
    alone["_links"] = {"up": [{"href": "https://shop.example/wp-json/wc/v3/customers/7"}]}
    assert WOO.pointer(alone, "") is None


def test_a_refund_needs_its_order_and_a_sale_nothing():
    found = normalize(event("partial_refund_by_line"))
    assert [WOO.parent(record) for record in found] == [None, Pointer("order", "7004")]


# --- what a payload says


def test_the_sale_is_the_same_whether_its_refunds_were_fetched_or_only_listed():
    joined = event("partial_refund_by_line")
    assert canonical.encode(sale(joined)) == canonical.encode(sale(joined["order"]))


@pytest.mark.parametrize("topic", ["order.created", "order.updated", "order.restored", " ORDER.UPDATED "])
def test_every_topic_of_an_order_is_an_upsert(topic):
    assert [canonical.encode(r) for r in normalize(order(), topic)] == [canonical.encode(sale(order()))]


@pytest.mark.parametrize("topic", ["product.updated", "customer.created", "coupon.deleted", "action.wp_login"])
def test_other_topics_move_nothing(topic):
    with pytest.raises(Ignored):
        normalize({"id": 5}, topic)


def test_utc_times_have_no_zone_and_local_ones_are_never_read():
    shifted = order(date_created="1999-01-01T00:00:00", date_modified="1999-01-01T00:00:00")
    assert canonical.encode(sale(shifted)) == canonical.encode(sale(order()))
    told = order(date_created_gmt="2026-09-01T05:12:09+02:00", date_modified_gmt="2026-09-01 03:15:40")
    assert canonical.encode(sale(told)) == canonical.encode(sale(order()))
    assert codes(order(date_created_gmt=None)) == [("MISSING_TIME", "date_created_gmt")]
    assert codes(order(date_created_gmt="01/09/2026")) == [("BAD_TIME", "date_created_gmt")]


def test_the_business_day_is_the_stores():
    assert str(sale(order()).business_date) == "2026-08-31"
    assert str(sale(order(), Context(channel="c", timezone="Asia/Tokyo")).business_date) == "2026-09-01"


@pytest.mark.parametrize("nothing", [None, "", False, [], {}, "0000-00-00T00:00:00"])
def test_a_payment_without_a_date_was_not_made(nothing):
    found = sale(order(date_paid_gmt=nothing))
    assert (found.tenders, found.totals.paid, found.totals.due) == ([], 0, 3266)
    assert found.payment_status == "pending"


def test_without_any_date_of_payment_the_payment_status_is_missing():
    old = order()
    del old["date_paid_gmt"]
    assert sale(old).totals.paid == 3266  # the local date says as well that it is paid
    del old["date_paid"]
    assert codes(old) == [("MISSING_PAYMENT_STATUS", "date_paid_gmt")]


@pytest.mark.parametrize(
    ("status", "paid", "expected"),
    [
        ("pending", False, ("open", "pending")),
        ("wc-on-hold", False, ("open", "pending")),
        ("processing", True, ("open", "paid")),
        ("completed", False, ("completed", "pending")),
        ("cancelled", True, ("cancelled", "paid")),
        ("cancelled", False, ("cancelled", "voided")),
        ("trash", False, ("cancelled", "voided")),
        ("refunded", False, ("completed", "refunded")),
        ("failed", False, ("open", "failed")),
        ("shipped", True, ("unknown", "paid")),
        ("shipped", False, ("unknown", "unknown")),
    ],
)
def test_status_and_payment(status, paid, expected):
    found = sale(order(status=status) | ({} if paid else {"date_paid_gmt": None}))
    assert (found.status, found.payment_status) == expected


def test_a_basket_is_no_order_and_hides_no_other():
    for status in ("checkout-draft", "auto-draft"):
        with pytest.raises(Ignored):
            normalize(order(status=status))
    with pytest.raises(Ignored):
        normalize([order(status="draft")])
    assert [r.source.id for r in normalize([order(status="draft"), order()])] == ["7001"]


def test_a_guest_has_no_customer_and_a_customer_only_a_hash():
    for guest in (0, "0", "", None, False):
        assert sale(order(customer_id=guest)).customer is None
    told = sale(order(customer_id="41")).customer
    assert told.ref == sale(order(customer_id=41)).customer.ref and told.ref.startswith("sha256:") and not told.exempt
    exempt = sale(order(customer_id=0, meta_data=[{"key": "is_vat_exempt", "value": "yes"}])).customer
    assert (exempt.ref, exempt.exempt) == (None, True)


def test_the_buyer_lives_where_the_bill_goes_if_nothing_is_shipped():
    empty = dict.fromkeys(("country", "state", "postcode", "city"), "")
    billed = order(shipping=empty, billing=empty | {"country": "fr", "postcode": 75001, "city": "Paris"})
    found = sale(billed).jurisdiction
    assert (found.country, found.region, found.postcode, found.city) == ("FR", None, "75001", "Paris")
    nowhere = sale(order(shipping=[], billing=[]))
    assert nowhere.jurisdiction is None and proof(nowhere) == ["MISSING_JURISDICTION"]


def test_a_payment_without_an_id_of_the_gateway_is_called_payment():
    found = sale(order(transaction_id="")).tenders[0]
    assert (found.id, found.reference, found.processor) == ("payment", None, "stripe")


def test_a_fee_in_another_currency_or_that_cannot_be_read_is_left_out():
    def noted(fee, currency):
        rows = [{"key": "_stripe_fee", "value": fee}, {"key": "_stripe_currency", "value": currency}]
        return [f.amount for f in sale(order(meta_data=rows)).tenders[0].fees]

    assert noted("1.25", "usd") == [125]
    assert noted("1.25", "CAD") == noted("1.255", "USD") == noted({}, "USD") == noted(None, "USD") == []


def test_gift_cards_without_an_id_are_counted_and_an_unpaid_order_has_spent_none():
    cards = [{"amount": "20.00", "code": "A"}, {"amount": 4, "code": "B"}]
    found = sale(order("gift_cards_spent", gift_cards=cards))
    assert [(t.id, t.amount) for t in found.tenders][1:] == [("gift_card:1", 2000), ("gift_card:2", 400)]
    assert found.totals.total == found.totals.paid == 2800
    unpaid = sale(order("gift_cards_spent", date_paid_gmt=None))
    assert (unpaid.tenders, unpaid.totals.total, unpaid.totals.due) == ([], 2800, 2800)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("total", "32.67", "TOTAL_MISMATCH"),
        ("total_tax", "2.65", "TAX_MISMATCH"),
        ("shipping_total", "6.00", "SHIPPING_MISMATCH"),
        ("discount_total", "1.00", "DISCOUNT_MISMATCH"),
    ],
)
def test_totals_are_the_shops_own_so_that_the_proof_can_object(field, value, code):
    whole = order()
    for row in (whole["line_items"][0], whole["shipping_lines"][0]):
        row["taxes"] = [{"id": 7, "total": row["total_tax"]}]
    assert proof(sale(whole)) == []
    assert code in proof(sale(whole | {field: value}))


def test_shares_that_contradict_their_line_are_not_made_to_fit():
    wrong = order()
    wrong["line_items"][0]["taxes"] = [{"id": 7, "total": "1"}, {"id": 8, "total": "1.21"}]
    assert proof(sale(wrong)) == ["LINE_TAX_MISMATCH"]
    wrong["line_items"][0]["taxes"] = [{"id": 7, "total": "1.5"}, {"id": 8, "total": "1.75125"}]
    assert proof(sale(wrong)) == ["LINE_TAX_MISMATCH"]


def test_rounding_is_only_for_shops_whose_prices_hold_the_tax():
    rounded = order("rounded_at_subtotal")
    assert sale(rounded).totals.rounding == -1
    assert proof(sale(rounded | {"prices_include_tax": False})) == ["TOTAL_MISMATCH"]
    assert proof(sale(rounded | {"total": "31.00"})) == ["TOTAL_MISMATCH"]


def test_a_tax_service_that_writes_only_sums_has_one_tax_a_line():
    bare = order(tax_lines=[])
    for row in (bare["line_items"][0], bare["shipping_lines"][0]):
        row["taxes"] = []
    found = sale(bare)
    assert [[(t.name, t.amount) for t in line.taxes] for line in found.lines] == [[("Tax", 222)], [("Tax", 44)]]
    assert proof(found) == []


def test_a_rate_that_did_not_apply_has_an_empty_share():
    found = order()
    found["line_items"][0]["taxes"].append({"id": 9, "total": "", "subtotal": ""})
    assert canonical.encode(sale(found)) == canonical.encode(sale(order()))


@pytest.mark.parametrize(
    ("code", "label", "place"),
    [
        ("US-NY-NY STATE TAX-1", "State", "US-NY"),
        ("US-NY-1", "State", "US"),
        ("US-CT-CT TAX-1", "State", "US"),
        ("GB-VAT-1", "VAT", "GB"),
        ("US-NY-YONKERS CITY-2", "Local", None),
        ("TAX-1", "Tax", None),
        ("", "Tax", None),
        (None, "Tax", None),
    ],
)
def test_the_place_of_a_tax_is_what_its_rates_code_says_for_sure(code, label, place):
    row = {"rate_id": 7, "rate_code": code, "label": label, "rate_percent": "4.0000"}
    found = sale(order(tax_lines=[row])).lines[0].taxes[0]
    assert (found.jurisdiction, found.rate) == (place, "4.0")


def test_a_discount_by_hand_is_no_coupons():
    lowered = order("two_coupons")
    lowered["coupon_lines"] = [{"id": 1, "code": "small", "discount": "0.50"}]
    found = sale(lowered)
    assert [[d.code for d in line.discounts] for line in found.lines] == [[None], [None]]


def test_yen_with_a_fraction_is_refused():
    assert ("AMOUNT_TOO_FINE", "total") in codes(order("jpy", total="3850.50"))


def test_what_refunds_put_back_is_used_up_by_the_oldest():
    joined = event("full_refund_in_two")
    joined["order"]["line_items"][0]["meta_data"] = [{"key": "_restock_refunded_items", "value": "1"}]
    found = {r.source.id: r.lines[0].restock for r in normalize(joined)[1:]}
    assert found == {"9071": "return", "9072": "none"}
    joined["order"]["line_items"][0]["meta_data"][0]["value"] = 4
    assert {r.lines[0].restock for r in normalize(joined)[1:]} == {"return"}


def test_problems_of_an_order_and_of_its_refunds_are_told_at_once():
    joined = event("partial_refund_by_line")
    joined["order"]["total"] = "a lot"
    joined["refunds"][0]["amount"] = None
    joined["refunds"][0]["line_items"][0]["total"] = "-0.001"
    assert codes(joined) == [
        ("BAD_AMOUNT", "total"),
        ("MISSING_AMOUNT", "refunds[0].amount"),
        ("AMOUNT_TOO_FINE", "refunds[0].line_items[0].total"),
    ]


def test_a_code_of_a_gift_card_and_an_order_key_are_nowhere():
    kept = payload.dump(WOO.scrub(event("gift_cards_spent")))
    assert b"CANA" not in kept and b"order_key" not in kept and b"203.0.113.7" not in kept


# --- a shop that is asked


class Shop:
    """A shop's orders behind its REST API; `between` runs after each list of orders, as buyers do meanwhile."""

    def __init__(self, count=0, step=60, counted=True):
        self.orders = {}
        self.refunds = {}
        self.counted = counted
        self.between = lambda: None
        for index in range(count):
            self.add(100 + index, NOW + timedelta(seconds=step * index))

    def add(self, identifier, at, **more):
        stamped = at.replace(tzinfo=None).isoformat()
        self.orders[identifier] = order(id=identifier, date_modified_gmt=stamped, date_created_gmt=stamped) | more

    def change(self, identifier, at):
        self.orders[identifier]["date_modified_gmt"] = at.replace(tzinfo=None).isoformat()

    def __call__(self, ask):
        assert ask.method == "GET"
        parts = ask.path.removeprefix("/wp-json/wc/v3/orders").strip("/").split("/")
        if parts == [""]:
            answer = self.listed(ask.params)
            self.between()
            return answer
        if int(parts[0]) not in self.orders:
            assert 404 in ask.accepts
            return reply({"code": "woocommerce_rest_shop_order_invalid_id"}, 404)
        if len(parts) == 1:
            return reply(copy.deepcopy(self.orders[int(parts[0])]))
        rows = self.refunds.get(int(parts[0]), [])
        start = (ask.params["page"] - 1) * ask.params["per_page"]
        return reply(rows[start : start + ask.params["per_page"]])

    def listed(self, params):
        assert (params["dates_are_gmt"], params["order"]) == ("true", "asc")
        key, word = ("date_created_gmt", "") if params["orderby"] == "date" else ("date_modified_gmt", "modified_")
        gone = set(str(params.get("exclude", "")).split(","))
        trash = params["status"] == "trash"
        rows = [
            o
            for o in self.orders.values()
            if params[word + "after"] < o[key] < params[word + "before"]
            and str(o["id"]) not in gone
            and (o["status"] == "trash") == trash
        ]
        rows.sort(key=lambda o: (o[key], -o["id"] % 7))  # the database promises no order within a second
        headers = {"x_wp_total": str(len(rows))} if self.counted else {}  # counted before the offset
        rows = rows[params.get("offset", 0) :]
        return reply(copy.deepcopy(rows[: params["per_page"]]), **headers)


def poll(shop, cursor=None, stream="orders", created=False, until=NOW + timedelta(days=1)):
    return converse(WOO.poll(stream, ACCOUNT, since=NOW, until=until, cursor=cursor, created=created), shop)


def ids(conversation):
    return [found.payload["order"]["id"] for page in conversation.pages for found in page.found]


@pytest.mark.parametrize("created", [False, True])
@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 3)])
def test_pages_hold_every_order_once(count, pages, created):
    found = poll(Shop(count), created=created)
    assert ids(found) == list(range(100, 100 + count))
    assert len(found.pages) == pages and [p.cursor is None for p in found.pages] == [False] * (pages - 1) + [True]


def test_without_the_header_a_full_page_is_followed_up():
    found = poll(Shop(200, counted=False))
    assert len(ids(found)) == 200 and [len(p.found) for p in found.pages] == [100, 100, 0]


def test_any_cursor_goes_on_exactly_after_its_page():
    shop = Shop(350, step=1)
    whole = poll(shop)
    for index, page in enumerate(whole.pages[:-1]):
        rest = whole.pages[index + 1 :]
        assert ids(poll(shop, page.cursor)) == [f.payload["order"]["id"] for p in rest for f in p.found]


@pytest.mark.parametrize("counted", [True, False])
def test_seven_hundred_orders_of_one_second_are_all_found(counted):
    found = poll(Shop(700, step=0, counted=counted))
    assert sorted(ids(found)) == list(range(100, 800))
    assert max(len(a.params.get("exclude", "").split(",")) for a in found.asks) == 500


def test_an_order_that_changes_while_pages_are_read_hides_no_other():
    shop = Shop(300)
    moved = iter((105, 205, 250))
    later = NOW + timedelta(hours=12)
    shop.between = lambda: shop.change(next(moved, 105), later)
    found = poll(shop)
    assert set(ids(found)) == set(range(100, 400))
    assert ids(found).count(105) == 2  # once before it changed, once after


def test_orders_come_with_their_refunds():
    shop = Shop(2)
    shop.orders[101] |= {"refunds": [{"id": 900 + i, "reason": "", "total": "-0.10"} for i in range(120)]}
    one = event("amount_only_refund")["refunds"][0]
    shop.refunds[101] = [one | {"id": 900 + i, "amount": "0.10"} for i in range(120)]
    found = poll(shop)
    joined = found.pages[0].found[1].payload
    assert [a.path.rsplit("/", 2)[-2:] for a in found.asks[1:]] == [["101", "refunds"]] * 2
    assert len(joined["refunds"]) == 120 and found.pages[0].found[0].payload["refunds"] == []
    assert len(normalize(joined)) == 121 and WOO.pointer(joined, "") is None


def test_an_order_that_is_deleted_while_it_is_read_is_still_a_sale():
    shop = Shop(1)
    shop.orders[100] |= {"refunds": [{"id": 9, "total": "-0.10"}]}
    shop.between = lambda: shop.orders.pop(100, None)
    found = poll(shop)
    assert ids(found) == [100] and normalize(found.pages[0].found[0].payload)[0].source.id == "100"


def test_the_trash_is_a_stream_of_its_own():
    shop = Shop(3)
    shop.orders[101]["status"] = "trash"
    assert ids(poll(shop)) == [100, 102]
    found = poll(shop, stream="trash")
    assert ids(found) == [101]
    assert sale(found.pages[0].found[0].payload).status == "cancelled"


def test_the_window_is_inclusive_on_both_sides():
    shop = Shop(3)
    assert ids(poll(shop, until=NOW + timedelta(seconds=60))) == [100, 101]


def test_a_window_may_begin_within_a_second():
    shop = Shop(150, step=0)
    since = NOW + timedelta(milliseconds=500)
    found = converse(WOO.poll("orders", ACCOUNT, since=since, until=since, cursor=None), shop)
    assert len(ids(found)) == len(set(ids(found))) == 150


@pytest.mark.parametrize("cursor", ["x", "2026-09-01T12:00:00|a,b", "|", "2026-13-01T12:00:00|1"])
def test_a_cursor_that_is_not_ours_begins_anew(cursor):
    with pytest.raises(CursorExpired):
        poll(Shop(1), cursor)


@pytest.mark.parametrize("body", [None, {"code": "rest_no_route"}, "<html>"])
def test_an_answer_that_is_no_list_stops_the_poll(body):
    with pytest.raises(Refused):
        converse(WOO.poll("orders", ACCOUNT, since=NOW, until=NOW, cursor=None), lambda ask: reply(body))


def test_a_shop_that_gives_the_same_page_for_ever_stops_the_poll():
    page = [order(id=i, date_modified_gmt="2026-09-01T12:00:00") for i in range(100)]
    with pytest.raises(Refused):
        converse(
            WOO.poll("orders", ACCOUNT, since=NOW, until=NOW, cursor=None), lambda ask: reply(page, x_wp_total="300")
        )


def test_fetch_joins_and_a_missing_order_is_none():
    shop = Shop(1)
    shop.orders[100]["refunds"] = [{"id": 9005, "reason": "", "total": "-8.10"}]
    shop.refunds[100] = event("amount_only_refund")["refunds"]
    found = converse(WOO.fetch(Pointer("order", "100"), ACCOUNT), shop).result
    assert [r.record_type for r in normalize(found.payload, found.topic or None)] == ["sale", "refund"]
    assert converse(WOO.fetch(Pointer("order", "5"), ACCOUNT), shop).result is None
    for pointer in (Pointer("order", "../users"), Pointer("product", "5")):
        assert converse(WOO.fetch(pointer, ACCOUNT), shop) == ([], [], None)


def test_who_is_asked_and_how():
    assert WOO.base_url(ACCOUNT) == "https://shop.example/store"
    assert WOO.authorization(ACCOUNT) == {"Authorization": "Basic Y2tfMTpjc18y"}
    assert WOO.refresh(ACCOUNT) is None
    assert WOO.pause(reply(None, retry_after="7")) == 7.0
    assert WOO.pause(reply(None)) == WOO.pause(reply(None, retry_after="soon")) == 0.0


# --- webhooks

URL = "https://sync.example/webhooks/main-shop"


def webhooks(rows):
    made = []

    def answer(ask):
        if ask.method == "GET":
            start = (ask.params["page"] - 1) * ask.params["per_page"]
            return reply(rows[start : start + ask.params["per_page"]])
        made.append((ask.method, ask.path, ask.json))
        return reply({"id": 99}, 201)

    return converse(WOO.subscribe(ACCOUNT, URL), answer).result, made


def test_missing_webhooks_are_made_with_a_secret_of_ours():
    result, made = webhooks([])
    assert set(result["made"]) == WOO.topics and len(made) == 4
    assert {(m, p) for m, p, _ in made} == {("POST", "/wp-json/wc/v3/webhooks")}
    assert {body["secret"] for *_, body in made} == {result["secret"]} and len(result["secret"]) == 64
    assert {body["delivery_url"] for *_, body in made} == {URL}
    assert webhooks([])[0]["secret"] == result["secret"]
    chosen = Account(channel="c", base_url="", credentials={"webhook_secret": "chosen"})
    found = converse(WOO.subscribe(chosen, URL), lambda ask: reply([] if ask.method == "GET" else {"id": 1}))
    assert found.result["secret"] == "chosen"


def test_webhooks_that_are_there_stay_and_a_disabled_one_is_switched_on():
    others = [
        {"id": i, "topic": "order.created", "delivery_url": "https://x.example", "status": "active"} for i in range(100)
    ]
    mine = [
        {"id": 500 + i, "topic": topic, "delivery_url": URL, "status": "active"}
        for i, topic in enumerate(sorted(WOO.topics))
    ]
    assert webhooks(others + mine) == ({"made": [], "secret": None}, [])
    mine[1]["status"], mine[2]["status"] = "disabled", "paused"
    result, made = webhooks(others + mine)
    assert made == [("PUT", "/wp-json/wc/v3/webhooks/501", {"status": "active"})] and result["made"] == []
    assert webhooks([*mine, mine[1] | {"id": 600, "status": "active"}])[1] == []


# --- stock


def push(item, available, expected, *answers):
    level = StockLevel(item_id=item, location="", available=available, expected=expected, key="k", at=NOW)
    left = [reply(body) for body in answers]
    return [
        (a.method, a.path, a.json or dict(a.params))
        for a in converse(WOO.push_stock(ACCOUNT, level), lambda _: left.pop(0)).asks
    ]


PRODUCTS = "/wp-json/wc/v3/products"
HOLDS_5 = {"id": 12, "manage_stock": True, "stock_quantity": 5}


def written(path, number):
    return ("PUT", path, {"manage_stock": True, "stock_quantity": number})


def test_stock_of_a_variation_by_its_ids():
    path = f"{PRODUCTS}/12/variations/34"
    assert push("12:34", "3", "5", HOLDS_5, {}) == [("GET", path, {}), written(path, 3)]


def test_stock_by_sku_finds_product_or_variation():
    asked = ("GET", PRODUCTS, {"sku": "MUG-1", "per_page": 2})
    product, variation = f"{PRODUCTS}/12", f"{PRODUCTS}/12/variations/34"
    assert push("MUG-1", "3", None, [{"id": 12, "type": "simple", "parent_id": 0}], HOLDS_5, {}) == [
        asked, ("GET", product, {}), written(product, 3),
    ]  # fmt: skip
    assert push("MUG-1", "3", "5", [{"id": 34, "type": "variation", "parent_id": 12}], HOLDS_5, {}) == [
        asked, ("GET", variation, {}), written(variation, 3),
    ]  # fmt: skip


def test_stock_by_product_id_where_no_sku_is_that_number():
    assert push("12", "3", "5", [], HOLDS_5, {})[-1] == written(f"{PRODUCTS}/12", 3)
    assert push("12", "3", "5", [{"id": 77, "type": "simple"}], HOLDS_5, {})[-1] == written(f"{PRODUCTS}/77", 3)


@pytest.mark.parametrize(("rows", "code"), [([], "UNKNOWN_ITEM"), ([{"id": 1}, {"id": 2}], "AMBIGUOUS_ITEM")])
def test_stock_of_an_item_that_nobody_can_name(rows, code):
    with pytest.raises(Refused) as refused:
        push("MUG-1", "3", None, rows)
    assert refused.value.problems[0].code == code


def test_stock_that_changed_meanwhile_is_not_overwritten():
    with pytest.raises(StaleStock) as stale:
        push("12:34", "3", "6", HOLDS_5)
    assert stale.value.actual == "5"


def test_stock_that_is_right_already_is_left_alone():
    assert len(push("12:34", "5", "9", HOLDS_5)) == 1  # a repeated call
    assert len(push("12:34", "5", "9", HOLDS_5 | {"stock_quantity": "5"})) == 1


def test_stock_is_whole_pieces_and_may_be_managed_from_now_on():
    path = f"{PRODUCTS}/12/variations/34"
    assert push("12:34", "2.9", None, HOLDS_5, {})[-1] == written(path, 2)
    assert push("12:34", "-0.5", None, HOLDS_5, {})[-1] == written(path, -1)
    assert push("12:34", "3", "5", {"manage_stock": False, "stock_quantity": None}, {})[-1] == written(path, 3)
    assert push("12:34", "3", "5", {"manage_stock": True, "stock_quantity": Decimal("5.00")}, {})[-1] == written(
        path, 3
    )


def test_what_is_polled_goes_through_the_inbox_as_json():
    """The joined form survives being written, scrubbed and read again."""
    joined = event("partial_refund_by_line")
    stored = payload.parse_stored(payload.dump(WOO.scrub(payload.parse(payload.dump(joined)))))
    assert [canonical.encode(r) for r in normalize(stored)] == [canonical.encode(r) for r in normalize(joined)]
    assert "canary" not in json.dumps(stored, default=str).lower()
