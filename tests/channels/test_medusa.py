"""Medusa's oddities, one by one; the whole records are in tests/golden/medusa."""

import base64
import copy
import hashlib
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import adapter, canonical, checks, payload
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.adapters.medusa.amounts import plain, rounded, settle
from channels.client import Account, Pointer, StaleStock, StockLevel
from channels.record import Jurisdiction
from salessync.core.dates import version_key
from salessync.core.problems import Refused
from tests.calls import converse, reply
from tests.golden import FOLDER

MEDUSA = adapter.get("medusa")
CONTEXT = Context(channel="main-shop", timezone="Europe/London")
ACCOUNT = Account(channel="main-shop", credentials={"token": "sk_own"}, base_url="https://shop.example/")
SINCE, UNTIL = datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC)
CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus" / "medusa"


def event(case):
    return payload.parse((FOLDER / "medusa" / case / "event.json").read_bytes())


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
    return MEDUSA.normalize(parsed, topic, context)


def sale(case="simple_sale", context=CONTEXT, **paths):
    return normalize(change(event(case), **{f"order__{k}": v for k, v in paths.items()}), context=context)[0]


def wrong(record):
    return [p.code for p in checks.check(record)]


def codes(parsed, topic=None):
    with pytest.raises(Refused) as refused:
        normalize(parsed, topic)
    return [f"{p.code} {p.path}" for p in refused.value.problems]


# --- numbers


def test_the_parts_are_rounded_so_that_they_make_their_sum():
    thirds = [Decimal("33.333333")] * 3
    assert settle(thirds) == [34, 33, 33]
    assert settle([Decimal("0.5")]) == [1]
    assert settle([Decimal("-0.5"), Decimal("-0.2")]) == [-1, 0]
    assert settle([]) == []


@given(st.lists(st.decimals(-1000, 1000, places=4), max_size=8))
@settings(max_examples=200, deadline=None)
def test_no_part_moves_by_a_whole_unit(amounts):
    parts = settle(amounts)
    assert sum(parts) == rounded(sum(amounts, Decimal(0)))
    assert all(abs(part - amount) < 1 for part, amount in zip(parts, amounts, strict=True))


def test_half_a_penny_is_rounded_away_from_zero_and_noise_of_doubles_is_not_an_amount():
    assert [rounded(Decimal(a)) for a in ("12.5", "13.5", "-12.5", "12.4999999999")] == [13, 14, -13, 13]
    assert [plain(Decimal(a), 2) for a in ("12", "12.5", "0", "-0.00000000000001")] == [
        "12.00",
        "12.50",
        "0.00",
        "0.00",
    ]


def test_a_total_that_its_parts_do_not_make_is_objected_to():
    assert wrong(sale(total=Decimal("44.568"))) == []
    assert wrong(sale(total=Decimal("45.568"))) == ["TOTAL_MISMATCH"]
    assert wrong(sale(tax_total=Decimal("8.428"))) == ["TAX_MISMATCH"]
    assert wrong(sale(shipping_total=Decimal("5.94"))) == ["SHIPPING_MISMATCH"]


def test_rounding_is_told():
    notes = sale("promotions_authorized").extensions["medusa"]
    assert notes["rounded"] == "half up, by largest remainder"
    assert "rounded" not in sale("jpy_tax_inclusive").extensions["medusa"]


@pytest.mark.parametrize("value", ["12,50", True, [], Decimal("NaN"), Decimal("1E+30"), 10**40, "€5", "1e5"])
def test_what_is_no_amount_is_refused(value):
    parsed = change(event("simple_sale"), order__total=value)
    assert codes(parsed) == ["BAD_AMOUNT total"]


# --- the order


def test_the_currency_of_an_order_that_leaves_it_out_is_that_of_its_payments():
    parsed = event("simple_sale")
    del parsed["order"]["currency_code"]
    assert normalize(parsed)[0].currency == "GBP"
    parsed["order"]["payment_collections"][0]["payments"] = []
    assert normalize(parsed)[0].currency == "GBP", "the collection names it as well"
    del parsed["order"]["payment_collections"]
    assert codes(parsed) == ["MISSING_CURRENCY currency_code"]


def test_payments_and_returns_may_be_joined_beside_the_order():
    parsed = event("refund_of_a_return")
    whole = [canonical.encode(r) for r in normalize(parsed)]
    rows = parsed["order"].pop("payment_collections")[0]["payments"]
    beside = normalize(parsed | {"payments": rows})
    assert [r.record_type for r in beside] == ["sale", "refund"]
    assert beside[0].totals == canonical.decode(whole[0]).totals
    assert canonical.encode(beside[1]) == whole[1]


def test_a_list_that_leaves_the_payments_out_says_nothing_of_what_was_paid():
    unpaid, untold = normalize(event("list_of_orders"))
    assert (unpaid.tenders, unpaid.totals.paid) == ([], 0)
    assert (untold.tenders, untold.totals.paid) == (None, None)


def test_a_draft_is_no_sale():
    with pytest.raises(Ignored):
        sale(status="draft")
    with pytest.raises(Ignored):
        sale(is_draft_order=True)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("not_paid", "pending"),
        ("awaiting", "pending"),
        ("requires_action", "pending"),
        ("partially_authorized", "authorized"),
        ("partially_captured", "partially_paid"),
        ("captured", "paid"),
        ("refunded", "refunded"),
        ("canceled", "voided"),
        ("gifted", "unknown"),
    ],
)
def test_payment_statuses(told, meant):
    assert sale(payment_status=told).payment_status == meant


@pytest.mark.parametrize(
    ("case", "meant"),
    [
        ("simple_sale", "paid"),
        ("amount_only_refund", "partially_refunded"),
        ("canceled_and_refunded", "refunded"),
        ("canceled_unpaid", "voided"),
        ("promotions_authorized", "authorized"),
    ],
)
def test_without_a_payment_status_the_payments_tell_it(case, meant):
    assert sale(case, payment_status=None).payment_status == meant


def test_the_version_is_the_latest_change_of_anything_in_the_order():
    """A capture does not touch order.updated_at."""
    before = change(event("simple_sale"), order__payment_collections__0__payments__0__captures=[])
    for key in ("captured_at", "updated_at"):
        before["order"]["payment_collections"][0]["payments"][0][key] = None
    assert version_key(normalize(before)[0].source.version) < version_key(sale().source.version)


def test_a_second_refund_does_not_change_the_sale():
    """summary.original_order_total would: it is the total before the last change only."""
    parsed = event("amount_only_refund")
    first = normalize(parsed)[0]
    order = parsed["order"]
    order["total"] -= Decimal("7")
    order["credit_line_total"] = 12
    order["credit_lines"].append(order["credit_lines"][0] | {"amount": 7})
    order["payment_collections"][0]["payments"][0]["refunds"].append(
        order["payment_collections"][0]["payments"][0]["refunds"][0] | {"id": "ref_32", "amount": 7}
    )
    after, *refunds = normalize(parsed)
    assert (after.totals, after.lines) == (first.totals, first.lines)
    assert [r.totals.total for r in refunds] == [500, 700]


def test_a_return_whose_money_is_still_owed_leaves_the_sale_as_it_was():
    parsed = event("refund_of_a_return")
    whole = normalize(parsed)[0]
    parsed["order"]["payment_collections"][0]["payments"][0]["refunds"] = []
    alone = normalize(parsed)
    assert len(alone) == 1
    assert alone[0].totals == whole.totals
    assert wrong(alone[0]) == []


def test_a_return_belongs_to_the_first_refund_after_it_and_no_later_one_changes_that():
    parsed = event("refund_of_a_return")
    payment = parsed["order"]["payment_collections"][0]["payments"][0]
    early = payment["refunds"][0] | {"id": "ref_a", "amount": 1, "created_at": "2026-10-07T00:00:00Z"}
    late = payment["refunds"][0] | {"id": "ref_z", "amount": 2, "created_at": "2026-10-09T00:00:00Z"}
    settled = canonical.encode(normalize(parsed)[1])
    payment["refunds"] = [late, payment["refunds"][0], early]
    found = {r.source.id: r for r in normalize(parsed)[1:]}
    assert canonical.encode(found["ref_4"]) == settled
    assert [[line.type for line in found[i].lines] for i in ("ref_a", "ref_z")] == [["adjustment"], ["adjustment"]]


def test_money_and_goods_that_differ_are_an_adjustment():
    parsed = event("refund_of_a_return")
    parsed["order"]["payment_collections"][0]["payments"][0]["refunds"][0]["amount"] = 20
    back = normalize(parsed)[1]
    assert [(line.type, line.net) for line in back.lines] == [("item", 1112), ("item", 1111), ("adjustment", -668)]
    assert wrong(back) == []


def test_the_last_refund_of_an_order_called_off_takes_all_the_goods_to_the_penny():
    parsed = event("promotions_authorized")
    order = parsed["order"]
    total = order["total"]
    payment = order["payment_collections"][0]["payments"][0]
    payment["captures"] = [{"id": "capt_2", "amount": total, "created_at": "2026-10-05T10:00:00Z"}]
    payment["refunds"] = [
        {"id": "ref_b", "amount": total - 5, "created_at": "2026-10-06T10:00:00Z"},
        {"id": "ref_a", "amount": 5, "created_at": "2026-10-05T11:00:00Z"},
    ]
    credit = {"amount": total, "reference": "payment_collection", "metadata": {"created_in_version": 2}}
    order |= {"status": "canceled", "total": 0, "credit_lines": [credit], "credit_line_total": total}
    order["updated_at"] = "2026-10-06T10:00:00.500Z"
    whole, last, first = normalize(parsed)
    assert (whole.totals.total, whole.totals.paid, wrong(whole)) == (4238, 4238, [])
    assert [(line.type, line.net) for line in first.lines] == [("adjustment", 500)]
    goods = [(line.id, line.net, line.tax) for line in whole.lines]
    assert [(line.line, line.net, line.tax) for line in last.lines[:-1]] == goods
    assert [line.restock for line in last.lines] == ["cancel", "none", "none"]
    assert wrong(last) == []
    assert last.source.version == "2026-10-06T10:00:00.500000Z", "the order was called off after the money went"


def test_a_return_that_only_was_asked_for_has_moved_nothing():
    parsed = event("refund_of_a_return")
    parsed["returns"][0] |= {"status": "requested", "received_at": None}
    assert [line.type for line in normalize(parsed)[1].lines] == ["adjustment"]


def test_goods_that_came_back_without_their_return_are_told():
    parsed = event("refund_of_a_return")
    del parsed["returns"]
    whole = normalize(parsed)
    assert whole[0].extensions["medusa"]["returns"] == "not told"
    assert wrong(whole[0]) == []


def test_a_line_that_came_back_altogether_is_still_sold():
    """Medusa's figures of such a line are all zero."""
    parsed = event("simple_sale")
    order = parsed["order"]
    order["items"][1]["detail"]["return_received_quantity"] = 1
    order["total"] -= Decimal("10.188")
    order["tax_total"] -= Decimal("1.698")
    found = normalize(parsed)[0]
    assert found.totals == sale().totals


def test_an_exchange_of_the_whole_line_leaves_it_out():
    parsed = event("exchange")
    parsed["order"]["items"][0] |= {"quantity": 1}
    parsed["order"]["total"] -= Decimal("14.82")
    parsed["order"]["tax_total"] -= Decimal("2.47")
    found = normalize(parsed)[0]
    assert [line.id for line in found.lines] == ["ordli_9_1", "ordli_9_2", "ordsm_9_0"]
    assert wrong(found) == []


def test_more_than_was_sold_cannot_come_back():
    parsed = event("simple_sale")
    parsed["order"]["items"][0]["detail"]["return_received_quantity"] = 3
    assert codes(parsed) == ["BAD_QUANTITY items[0].detail"]


def test_a_promotion_with_its_tax_inside_is_taken_off_without_it():
    parsed = event("promotions_authorized")
    plainly = normalize(parsed)[0]
    adjustment = parsed["order"]["items"][0]["adjustments"][0]
    adjustment |= {"amount": adjustment["amount"] * Decimal("1.2"), "is_tax_inclusive": True}
    assert canonical.encode(normalize(parsed)[0]) == canonical.encode(plainly)


@pytest.mark.parametrize(
    ("provider", "kind", "processor"),
    [
        ("pp_system_default", "external", None),
        ("pp_stripe_stripe", "card", "stripe"),
        ("pp_stripe-bancontact_stripe", "bank", "stripe"),
        ("pp_paypal_eu", "wallet", "paypal"),
        ("pp_goldcoin_main", "unknown", "goldcoin"),
    ],
)
def test_a_provider_says_how_was_paid(provider, kind, processor):
    tender = sale(payment_collections__0__payments__0__provider_id=provider).tenders[0]
    assert (tender.type, tender.processor) == (kind, processor)


def test_the_place_is_the_address_that_the_goods_go_to_else_the_buyers_else_the_store():
    store = Jurisdiction(country="GB", postcode="N1")
    context = Context(channel="c", jurisdiction=store)
    assert sale("credit_without_refund").jurisdiction.region == "NY"
    assert sale(shipping_address=None).jurisdiction.city == "London"
    nowhere = sale(shipping_address=None, billing_address=None, context=context)
    assert (nowhere.jurisdiction.basis, nowhere.jurisdiction.postcode) == ("store", "N1")
    assert sale(shipping_address=None, billing_address=None).jurisdiction is None
    assert sale(shipping_address__province="Greater London").jurisdiction.region == "Greater London"


# --- events


@pytest.mark.parametrize(
    ("topic", "data", "pointer"),
    [
        ("order.placed", {"id": "order_1"}, Pointer("order", "order_1")),
        ("order.fulfillment_created", {"order_id": "order_1", "fulfillment_id": "ful_1"}, Pointer("order", "order_1")),
        ("order-edit.confirmed", {"order_id": "order_1", "actions": []}, Pointer("order", "order_1")),
        ("payment.captured", {"id": "pay_1"}, Pointer("payment", "pay_1")),
        ("payment.refunded", {"id": "pay_1", "order_id": "order_1"}, Pointer("order", "order_1")),
    ],
)
def test_an_event_names_an_object(topic, data, pointer):
    body = {"type": topic, "data": data}
    assert normalize(body, topic) == normalize(body) == []
    assert MEDUSA.pointer(body, topic) == MEDUSA.pointer(MEDUSA.scrub(body), topic) == pointer
    assert MEDUSA.envelope({"webhook-id": "w"}, body).topic == topic


def test_an_event_without_its_id_is_refused_and_a_foreign_one_ignored():
    assert codes({"type": "order.placed", "data": {}}, "order.placed") == ["MISSING_ID data.id"]
    assert MEDUSA.pointer({"data": {"id": 5}}, "order.placed") is None
    with pytest.raises(Ignored):
        normalize({"type": "product.updated", "data": {"id": "prod_1"}}, "product.updated")
    for alone in ({"payments": []}, {"returns": []}):
        with pytest.raises(Ignored):
            normalize(alone)


def test_an_order_given_by_hand_needs_no_wrapper():
    parsed = event("simple_sale")
    assert canonical.encode(normalize(parsed["order"])[0]) == canonical.encode(normalize(parsed)[0])


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
        MEDUSA.verify(headers, body, Trust(secrets=("old", secret)), now)
    for changed in ({"webhook-id": "msg.own"}, {"webhook-timestamp": "٣"}, {"webhook-signature": "v1," * 101}):
        with pytest.raises(SignatureRefused):
            MEDUSA.verify(headers | changed, body, Trust(secrets=(key.decode(),)), now)
    with pytest.raises(SignatureRefused):
        MEDUSA.verify(headers, body, Trust(secrets=("whsec_é",)), now)


# --- calls


class Shop:
    """A Medusa that filters, sorts and pages as the real one does."""

    def __init__(self, orders=(), payments=(), returns=()):
        self.orders, self.payments, self.returns = list(orders), list(payments), list(returns)
        self.limit = None

    def __call__(self, ask):
        path, params = ask.path, ask.params
        name = path.split("/")[2]
        if path.count("/") == 3:
            row = next((r for r in getattr(self, name) if r["id"] == path.split("/")[3]), None)
            return reply({"type": "not_found"}, 404) if row is None else reply({name[:-1]: row})
        rows = list(getattr(self, name))
        for key, value in params.items():
            field, _, operator = key.partition("[")
            if operator == "$gte]":
                rows = [r for r in rows if r[field] >= value.replace("Z", "")]
            elif operator == "$lt]":
                rows = [r for r in rows if r[field] < value]
        for field in ("id", "order_id"):
            wanted = [value for key, value in params.items() if key.startswith(f"{field}[")]
            if wanted:
                rows = [r for r in rows if r[field] in wanted]
        rows.sort(key=lambda r: r[params.get("order", "id")])
        page = rows[params["offset"] : params["offset"] + params["limit"]]
        return reply(
            {name: copy.deepcopy(page), "count": len(rows), "offset": params["offset"], "limit": params["limit"]}
        )


def row(number, second=None, **more):
    second = number if second is None else second
    at = f"2026-10-05T00:{second // 60:02}:{second % 60:02}.000Z"
    return {"id": f"order_{number}", "updated_at": at, "created_at": at, "items": [], **more}


def poll(shop, stream="orders", cursor=None, created=False):
    return converse(MEDUSA.poll(stream, ACCOUNT, since=SINCE, until=UNTIL, cursor=cursor, created=created), shop)


def ids(pages):
    return [found.payload["order"]["id"] for page in pages for found in page.found]


def test_orders_are_read_page_by_page_and_on_from_any_page():
    shop = Shop([row(n) for n in range(45)])
    whole = poll(shop)
    assert ids(whole.pages) == [f"order_{n}" for n in range(45)]
    assert [len(page.found) for page in whole.pages] == [20, 19, 6], "the last row of a page is met again, and known"
    assert whole.pages[-1].cursor is None
    for number, page in enumerate(whole.pages[:-1], start=1):
        assert ids(poll(shop, cursor=page.cursor).pages) == ids(whole.pages[number:])
    first = whole.asks[0].params
    assert (first["updated_at[$gte]"], first["updated_at[$lt]"]) == ("2026-10-05T00:00:00Z", "2026-10-06T00:00:00Z")
    assert (first["order"], first["offset"]) == ("updated_at", 0)
    assert {"currency_code", "*payment_collections.payments.refunds", "credit_line_total"} <= set(
        first["fields"].split(",")
    )


def test_orders_may_be_read_by_their_creation():
    assert poll(Shop([row(1)]), created=True).asks[0].params["order"] == "created_at"


def test_an_empty_window_is_one_empty_page():
    whole = poll(Shop())
    assert [(page.found, page.cursor) for page in whole.pages] == [((), None)]


def test_rows_that_change_while_they_are_read_push_no_other_out():
    shop = Shop([row(n) for n in range(45)])
    seen = []

    def moving(ask):
        answer = shop(ask)
        if len(seen) == 0:  # after the first page its rows change: they move to the end of the list
            for one in shop.orders[:10]:
                one["updated_at"] = "2026-10-05T01:00:00.000Z"
        seen.append(ask)
        return answer

    whole = poll(moving)
    assert set(ids(whole.pages)) == {f"order_{n}" for n in range(45)}


def test_many_rows_of_one_moment_are_all_read():
    shop = Shop([row(n, second=7) for n in range(45)] + [row(90, second=8)])
    whole = poll(shop)
    assert sorted(ids(whole.pages)) == sorted(r["id"] for r in shop.orders)
    assert len(ids(whole.pages)) == 46


def test_returns_are_joined_where_something_came_back():
    back = row(1, items=[{"id": "l", "detail": {"return_received_quantity": Decimal(1)}}])
    shop = Shop(
        [back, row(2)], returns=[{"id": "return_1", "order_id": "order_1"}, {"id": "return_2", "order_id": "order_2"}]
    )
    whole = poll(shop)
    assert [[r["id"] for r in found.payload["returns"]] for found in whole.pages[0].found] == [["return_1"], []]
    asked = [ask for ask in whole.asks if ask.path == "/admin/returns"]
    assert [ask.params["order_id[0]"] for ask in asked] == ["order_1"]


def payment(number, order="order_1"):
    at = f"2026-10-05T00:00:{number:02}.000Z"
    collection = {"order": {"id": order}} if order else None
    return {"id": f"pay_{number}", "updated_at": at, "created_at": at, "payment_collection": collection}


def test_a_payment_brings_its_order_since_a_capture_does_not_touch_it():
    shop = Shop([row(1), row(2)], payments=[payment(1), payment(2, "order_2"), payment(3, "order_2"), payment(4, None)])
    whole = poll(shop, "payments")
    assert ids(whole.pages) == ["order_1", "order_2"]
    assert "payment_collection.order.id" in whole.asks[0].params["fields"]


def test_what_the_poll_finds_can_be_read():
    parsed = event("refund_of_a_return")
    found = (
        poll(Shop([parsed["order"] | {"updated_at": "2026-10-05T00:00:01.000Z"}], returns=parsed["returns"]))
        .pages[0]
        .found
    )
    assert [r.record_type for r in normalize(found[0].payload, found[0].topic or None)] == ["sale", "refund"]


def test_an_answer_that_is_no_list_is_no_empty_page():
    for body in (None, {"orders": None}, {"message": "unauthorized"}, {"orders": [5]}, {"orders": [{"id": "x"}] * 20}):
        with pytest.raises(Refused, match="UNEXPECTED_ANSWER"):
            poll(lambda ask, body=body: reply(body))


@pytest.mark.parametrize("cursor", ["", "x", "{}", "[]", '["yesterday", 0]', '[1, "x"]'])
def test_a_cursor_of_another_make_is_refused(cursor):
    with pytest.raises(Refused, match="BAD_CURSOR"):
        poll(Shop(), cursor=cursor)


def test_an_unknown_stream_is_an_error_of_ours():
    with pytest.raises(KeyError):
        MEDUSA.poll("payouts", ACCOUNT, since=SINCE, until=UNTIL, cursor=None)


def test_one_order_is_fetched_by_its_id_or_by_its_payments():
    shop = Shop([row(1)], payments=[payment(1), payment(2, None)])
    for pointer, found in (
        (Pointer("order", "order_1"), True),
        (Pointer("order", "order_9"), False),
        (Pointer("payment", "pay_1"), True),
        (Pointer("payment", "pay_2"), False),
        (Pointer("payment", "pay_9"), False),
        (Pointer("order", "../users"), False),
        (Pointer("dispute", "x"), False),
    ):
        result = converse(MEDUSA.fetch(pointer, ACCOUNT), shop).result
        assert (result is not None) == found
        if result is not None:
            assert result.payload == {"order": row(1), "returns": []}


def test_a_refund_names_the_order_it_waits_for():
    whole = normalize(event("amount_only_refund"))
    assert MEDUSA.parent(whole[1]) == Pointer("order", whole[0].source.id)
    assert MEDUSA.parent(whole[0]) is None


def test_the_key_is_the_user_name_and_the_host_is_the_merchants():
    assert MEDUSA.authorization(ACCOUNT) == {"Authorization": "Basic c2tfb3duOg=="}
    assert MEDUSA.base_url(ACCOUNT) == "https://shop.example"
    assert MEDUSA.refresh(ACCOUNT) is None
    assert [MEDUSA.pause(reply({}, retry_after=value)) for value in ("7", "soon", "")] == [7.0, 0.0, 0.0]


def test_a_subscriber_in_the_shop_is_made_by_the_merchant():
    assert converse(MEDUSA.subscribe(ACCOUNT, "https://us.example/hook"), Shop()).result == {"made": [], "secret": None}


# --- stock


def level(available="7", expected=None, **more):
    wanted = {"item_id": "iitem_1", "location": "sloc_1", "key": "k", "at": UNTIL}
    return StockLevel(available=available, expected=expected, **(wanted | more))


def push(wanted, held):
    rows = (
        []
        if held is None
        else [{"location_id": "sloc_1", "stocked_quantity": 10, "reserved_quantity": 3, "available_quantity": held}]
    )
    return converse(
        MEDUSA.push_stock(ACCOUNT, wanted), lambda ask: reply({"inventory_levels": rows} if ask.method == "GET" else {})
    )


def test_stock_is_what_is_wanted_and_what_is_reserved():
    whole = push(level(), 7)
    assert [(a.method, a.path) for a in whole.asks] == [
        ("GET", "/admin/inventory-items/iitem_1/location-levels"),
        ("POST", "/admin/inventory-items/iitem_1/location-levels/sloc_1"),
    ]
    assert whole.asks[0].params["location_id"] == "sloc_1"
    assert whole.asks[1].json == {"stocked_quantity": 10}
    assert push(level("2.5"), 7).asks[1].json == {"stocked_quantity": 5.5}
    assert push(level("-9"), 7).asks[1].json == {"stocked_quantity": 0}, "Medusa takes no negative stock"


def test_a_location_that_holds_none_yet_gets_its_level():
    whole = push(level(expected="0"), None)
    assert whole.asks[1].path == "/admin/inventory-items/iitem_1/location-levels"
    assert whole.asks[1].json == {"location_id": "sloc_1", "stocked_quantity": 7}


def test_a_level_that_somebody_changed_is_not_overwritten():
    assert len(push(level(expected="7.0"), 7).asks) == 2
    with pytest.raises(StaleStock) as stale:
        push(level(expected="8"), 7)
    assert stale.value.actual == "7"


def test_an_id_that_would_lead_elsewhere_is_not_asked_for():
    with pytest.raises(Refused, match="BAD_ID"):
        push(level(item_id="../orders"), 7)


# --- answers of a running Medusa, where they are at hand


@pytest.mark.parametrize("path", sorted(CORPUS.glob("order_*.json")), ids=lambda p: p.stem)
def test_every_order_of_a_running_medusa_is_proven(path):
    parsed = payload.parse(path.read_bytes())
    found = normalize(parsed)
    assert [wrong(record) for record in found] == [[]] * len(found)
    assert found[0].totals.total == rounded(
        Decimal(str(parsed["order"]["total"])) * (1 if found[0].currency == "JPY" else 100)
    )
    stored = payload.parse_stored(payload.dump(MEDUSA.scrub(parsed)))
    assert [canonical.encode(r) for r in normalize(stored)] == [canonical.encode(r) for r in found]
    assert not {"first_name", "address_1", "variant"} & set(json.dumps(stored, default=str).split('"'))
