"""Square's oddities, one by one, and its conversations; the whole records are in tests/golden/square."""

import base64
import copy
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import adapter, canonical, checks, payload
from channels.adapter import Context, Ignored, SignatureRefused, Trust
from channels.adapters.square.words import PAYOUT_LINE
from channels.client import Account, CursorExpired, Page, Pointer, StaleStock, StockLevel
from channels.record import Jurisdiction
from salessync.core.dates import format_instant, parse_instant, version_key
from salessync.core.problems import Refused
from tests.calls import converse, reply
from tests.golden import FOLDER, cases

SQUARE = adapter.get("square")
STORE = Jurisdiction(country="US", region="CA", postcode="94601", city="Oakland", basis="store")
CONTEXT = Context(channel="corner-shop", timezone="America/Los_Angeles", jurisdiction=STORE)
NOW = datetime(2026, 9, 10, 12, 0, tzinfo=UTC)
CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus"
ABSENT = object()


def event(case):
    return payload.parse((FOLDER / "square" / case / "event.json").read_bytes())


def change(parsed, **paths):
    """A copy with some places changed: `a__0__b=value`; ABSENT removes."""
    parsed = copy.deepcopy(parsed)
    for path, value in paths.items():
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("__")]
        place = parsed
        for key in parents:
            place = place[key]
        if value is ABSENT:
            del place[last]
        else:
            place[last] = value
    return parsed


def normalize(parsed, topic=None, context=CONTEXT):
    return SQUARE.normalize(parsed, topic, context)


def order(case="simple_sale", context=CONTEXT, **paths):
    return normalize(change(event(case), **{f"order__{k}": v for k, v in paths.items()}), context=context)[0]


def payment(**paths):
    held = change(event("payment_captured"), **{f"data__object__payment__{k}": v for k, v in paths.items()})
    return normalize(held, "payment.updated")[0]


def payout(**paths):
    return normalize(change(event("payout"), **paths))[0]


def codes(of):
    """The problems that keep it out of the books, whether it can be read or not."""
    try:
        record = of()
    except Refused as refused:
        return [p.code for p in refused.problems]
    return [p.code for p in checks.check(record)]


def usd(amount):
    return {"amount": amount, "currency": "USD"}


# --- signatures


URL = "https://books.example/webhooks/corner-shop"
KEY = "signature-key-of-the-subscription"


def signed(body, url=URL, key=KEY):
    digest = hmac.new(key.encode(), (url.encode() + body), hashlib.sha256).digest()
    return {"x-square-hmacsha256-signature": base64.b64encode(digest).decode()}


def proves(headers, body, urls=(URL,), secrets=(KEY,)):
    try:
        SQUARE.verify(headers, body, Trust(secrets=secrets, urls=urls), NOW)
    except SignatureRefused:
        return False
    return True


def test_the_signature_covers_the_address_to_the_byte():
    body = b'{"event_id":"1"}'
    assert proves(signed(body), body)
    for other in (URL + "/", URL.replace("https", "http"), URL + "?x=1", URL.upper(), URL[:-1]):
        assert not proves(signed(body, other), body)
    assert not proves(signed(body), body + b"\n")


def test_any_of_several_addresses_and_keys_will_do():
    body = b"{}"
    assert proves(signed(body), body, urls=("https://old.example/", URL), secrets=("new", KEY))
    assert not proves(signed(body), body, urls=(), secrets=(KEY,))
    assert not proves(signed(body, key=""), body, secrets=("", KEY))


def test_the_dead_sha1_signature_is_not_accepted():
    body = b"{}"
    digest = base64.b64encode(hmac.new(KEY.encode(), URL.encode() + body, hashlib.sha1).digest()).decode()
    assert not proves({"x-square-signature": digest}, body)
    assert not proves({"x-square-hmacsha256-signature": digest}, body)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the vendors' own vectors are not here")
def test_the_vendors_own_vectors():
    vectors = [v for v in json.loads((CORPUS / "signatures" / "vectors.json").read_text()) if v["vendor"] == "square"]
    assert vectors
    for v in vectors:
        headers = {v["header"].lower(): v["expected"]}
        assert proves(headers, v["body"].encode(), urls=(v["notification_url"],), secrets=(v["secret"],)) is v["valid"]


def test_an_envelope_is_the_events_own():
    held = event("order_event")
    assert SQUARE.envelope({}, held) == adapter.Envelope("ev-9", "order.updated")
    assert SQUARE.envelope({}, event("payout")["payout"]).topic == ""  # BATCH is a type, and no topic


# --- events


@pytest.mark.parametrize("topic", ["order.created", "order.updated", "order.fulfillment.updated"])
def test_an_order_event_only_names_its_order(topic):
    held = event("order_event") | {"type": topic}
    assert normalize(held, topic) == normalize(held) == []
    assert SQUARE.pointer(held, topic) == Pointer("order", "ORD-1001")
    inside = {"event_id": "e", "type": topic, "data": {"id": "ORD-7", "object": None}}
    assert SQUARE.pointer(inside, topic) == Pointer("order", "ORD-7")


@pytest.mark.parametrize(
    "data", [None, [], {}, {"id": 5}, {"id": " "}, {"object": {"order_updated": {"order_id": None}}}]
)
def test_an_order_event_without_an_id_is_refused(data):
    held = {"event_id": "e", "type": "order.updated", "data": data}
    assert codes(lambda: normalize(held, "order.updated")) == ["MISSING_ID"]
    assert SQUARE.pointer(held, "order.updated") is None


def test_an_object_is_no_pointer():
    held = event("payment_captured")
    assert SQUARE.pointer(held, "payment.updated") is None
    assert SQUARE.pointer([], "order.updated") is None


def test_an_event_without_its_object_is_refused():
    held = change(event("payment_captured"), data__object={})
    assert codes(lambda: normalize(held, "payment.updated")) == ["NOT_AN_OBJECT"]


@pytest.mark.parametrize(
    "topic", ["invoice.payment_made", "gift_card.created", "oauth.authorization.revoked", "dispute.evidence.deleted"]
)
def test_what_moves_nothing_is_ignored_with_a_reason(topic):
    with pytest.raises(Ignored, match=topic):
        normalize({"event_id": "e", "type": topic, "data": {"object": {"invoice": {}}}}, topic)


def test_evidence_brings_the_dispute_as_it_stands():
    held = event("dispute") | {"type": "dispute.evidence.created"}
    assert normalize(held, "dispute.evidence.created")[0].state == "needs_response"


def test_a_topic_beside_an_answer_changes_nothing():
    assert normalize(event("simple_sale"), "order.updated") == normalize(event("simple_sale"))


# --- orders


def test_a_bare_object_is_told_by_what_only_its_kind_has():
    for case, kind in (("simple_sale", "order"), ("payment_failed", "payment"), ("return_of_goods", "order"),
                       ("dispute_accepted", "dispute"), ("payout_instant", "payout")):  # fmt: skip
        wrapped = event(case)
        assert normalize(wrapped[kind]) == normalize({kind: wrapped[kind]})
    assert normalize(event("payment_failed")["payment"], "payment.updated")[0].status == "failed"
    bare = event("refund_completed")["data"]["object"]["refund"]
    assert normalize(bare)[0].charge == "PAY-1001"


def test_a_list_leaves_out_what_is_no_sale():
    listed = {"orders": [event("draft")["order"], event("simple_sale")["order"]], "cursor": "x"}
    assert [r.source.id for r in normalize(listed)] == ["ORD-1001"]
    with pytest.raises(Ignored):
        normalize({"orders": [event("draft")["order"]]})
    assert codes(lambda: normalize({"payments": {}})) == ["NOT_A_LIST"]
    assert codes(lambda: normalize({"order_entries": []})) == ["UNKNOWN_PAYLOAD"]


@pytest.mark.parametrize(
    ("paths", "code"),
    [
        ({"total_money": usd(1961)}, "TOTAL_MISMATCH"),
        ({"total_tax_money": usd(161)}, "TAX_MISMATCH"),
        ({"total_discount_money": usd(201)}, "DISCOUNT_MISMATCH"),
        ({"total_service_charge_money": usd(1)}, "SERVICE_CHARGE_MISMATCH"),
        ({"line_items__0__total_money": usd(1961)}, "LINE_NET_MISMATCH"),
        ({"line_items__0__gross_sales_money": usd(2100)}, "LINE_NET_MISMATCH"),
        ({"line_items__0__base_price_money": usd(1100)}, "LINE_GROSS_MISMATCH"),
        ({"line_items__0__quantity": "3"}, "LINE_GROSS_MISMATCH"),
        ({"line_items__0__total_tax_money": usd(161)}, "LINE_TAX_MISMATCH"),
        ({"line_items__0__total_discount_money": usd(199)}, "LINE_DISCOUNT_MISMATCH"),
        ({"line_items__0__applied_taxes__0__applied_money": usd(73)}, "LINE_TAX_MISMATCH"),
        ({"line_items__0__item_type": "SUBSCRIPTION"}, "UNKNOWN_TYPE"),
        ({"state": ABSENT}, "UNKNOWN_STATUS"),
        ({"line_items__0__total_money__currency": "EUR"}, "WRONG_CURRENCY"),
        ({"total_money__currency": "UNKNOWN_CURRENCY"}, "UNKNOWN_CURRENCY"),
        ({"total_money__amount": "1960"}, "BAD_AMOUNT"),
        ({"total_money__amount": None}, "MISSING_AMOUNT"),
        ({"total_money": 1960}, "NOT_AN_OBJECT"),
        ({"created_at": ABSENT}, "MISSING_TIME"),
        ({"id": ""}, "MISSING_ID"),
        ({"line_items": {}}, None),
        ({"line_items": {"0": {}}}, "NOT_A_LIST"),
        ({"line_items__0__quantity": "1e3"}, "BAD_QUANTITY"),
        ({"line_items__0__quantity": "-1"}, "BAD_QUANTITY"),
        ({"line_items__0__quantity": ABSENT}, "MISSING_QUANTITY"),
        ({"line_items__0__base_price_money": usd(10**15)}, "AMOUNT_TOO_LARGE"),
        ({"taxes__0__type": "UNKNOWN_TAX"}, "UNKNOWN_TAX_TYPE"),
        ({"tenders__0__type": "HOLOGRAM"}, "UNKNOWN_TYPE"),
        ({"tenders__0__card_details__status": "PONDERING"}, "UNKNOWN_STATUS"),
    ],
)  # fmt: skip
def test_what_does_not_add_up_or_is_new_is_kept_out_of_the_books(paths, code):
    found = codes(lambda: order(**paths))
    assert code is None or code in found
    assert found


def test_the_sale_that_this_file_bends_is_sound():
    assert codes(order) == []


def test_a_currency_in_small_letters_is_certain():
    assert order(total_money__currency="usd") == order()


def test_a_number_in_place_of_a_quantity_is_certain():
    assert order(line_items__0__quantity=2).lines[0].quantity == "2"
    weighed = change(event("weighed_with_modifiers"), order__line_items__0__quantity=1.5)
    assert normalize(payload.parse(json.dumps(weighed).encode()))[0].lines[0].quantity == "1.5"


def test_the_gross_of_an_inclusive_price_is_found_without_the_goods_total():
    """Square takes inclusive tax out of gross_sales_money in some countries and leaves it in others."""
    kept = order("tax_inclusive", line_items__0__variation_total_price_money=ABSENT)
    assert (kept.lines[0].gross, codes(lambda: kept)) == (2400, [])
    taken = order("tax_inclusive_gross_without", line_items__0__variation_total_price_money=ABSENT)
    assert (taken.lines[0].gross, taken.lines[0].unit_price, codes(lambda: taken)) == (3240, "10.80", [])


def test_a_line_without_its_discounts_parts_still_has_the_discount():
    given = order(line_items__0__applied_discounts=ABSENT).lines[0]
    assert [(d.code, d.amount) for d in given.discounts] == [(None, 200)]


def test_a_tax_total_without_its_parts_is_shared_by_what_each_tax_comes_to():
    sale = order(line_items__0__applied_taxes=ABSENT)
    assert [(t.name, t.amount) for t in sale.lines[0].taxes] == [("State tax", 72), ("City tax", 88)]
    assert codes(lambda: sale) == []


def test_a_unit_price_can_be_finer_than_a_cent():
    sale = order(line_items__0__quantity="3", line_items__0__base_price_money=ABSENT)
    assert sale.lines[0].unit_price == "6.666666666667" and codes(lambda: sale) == []


def test_a_finished_order_that_lists_no_tenders_does_not_speak_of_payments():
    sale = order(tenders=ABSENT)
    assert (sale.tenders, sale.totals.paid, sale.totals.due, sale.payment_status) == (None, None, None, "paid")
    none = order(tenders=ABSENT, state="OPEN")
    assert (none.tenders, none.totals.paid, none.totals.due, none.payment_status) == ([], 0, 1960, "pending")


def test_a_failed_tender_is_kept_and_counts_nowhere():
    sale = order(state="OPEN", tenders__0__card_details__status="FAILED")
    assert (sale.tenders[0].status, sale.tenders[0].fees, sale.totals.paid) == ("failed", [], 0)
    assert sale.payment_status == "failed"


def test_refunds_that_a_sale_lists_itself_show_in_its_payment_status():
    part = {"id": "R1", "amount_money": usd(960), "status": "APPROVED", "tender_id": "PAY-1001"}
    assert order(refunds=[part]).payment_status == "partially_refunded"
    assert order(refunds=[part, part | {"id": "R2", "amount_money": usd(1000)}]).payment_status == "refunded"
    assert order(refunds=[part | {"status": "REJECTED"}]).payment_status == "paid"


def test_a_third_partys_card_is_not_paid_out_by_square():
    taken = {"id": "T", "type": "THIRD_PARTY_CARD", "amount_money": usd(1960)}
    assert order(tenders=[taken]).tenders[0].processor == "external"


def test_a_gift_card_that_pays_like_a_card_is_a_gift_card():
    sale = order(tenders__0__card_details__card__card_brand="SQUARE_GIFT_CARD")
    assert (sale.tenders[0].type, sale.tenders[0].processor) == ("gift_card", None)


def test_an_open_drawer_is_no_sale():
    opened = {"id": "O", "state": "COMPLETED", "created_at": "2026-09-01T10:00:00Z", "total_money": usd(0),
              "tenders": [{"id": "T", "type": "NO_SALE", "amount_money": usd(0)}]}  # fmt: skip
    with pytest.raises(Ignored, match="drawer"):
        normalize({"order": opened})
    assert order(tenders__0=event("simple_sale")["order"]["tenders"][0] | {"type": "NO_SALE"}).tenders == []


def test_an_order_of_nothing_but_refunds_is_left_to_the_refunds():
    with pytest.raises(Ignored, match="no goods"):
        normalize({"order": {"id": "O", "state": "COMPLETED", "refunds": [{"id": "R"}]}})


def test_shipping_is_a_service_charge_only_of_an_order_that_is_sent():
    assert order("open_unpaid").totals.shipping == 800
    taken_along = order("open_unpaid", fulfillments=[{"type": "PICKUP", "state": "PROPOSED"}])
    assert (taken_along.totals.shipping, taken_along.totals.service_charge) == (0, 800)
    assert taken_along.jurisdiction.basis == "store"
    assert codes(lambda: taken_along) == []


def test_where_nothing_is_sent_the_store_is_where_it_is_taxed():
    assert order("open_unpaid", fulfillments__0__state="CANCELED").jurisdiction == STORE
    nowhere = {"type": "DELIVERY", "delivery_details": {"recipient": {"address": {"country": "Utopia"}}}}
    assert order("open_unpaid", fulfillments=[nowhere]).jurisdiction == STORE
    unknown = order(context=Context(channel="corner-shop"))
    assert unknown.jurisdiction is None and codes(lambda: unknown) == ["MISSING_JURISDICTION"]


@pytest.mark.parametrize("zone", ["Mars/Olympus", 5, ""])
def test_a_location_in_no_zone_is_refused(zone):
    assert codes(lambda: normalize(change(event("joined_location"), location__timezone=zone))[0]) == [
        "UNKNOWN_TIMEZONE"
    ]


def test_a_location_may_name_its_country_outside_of_its_address():
    sale = normalize(change(event("joined_location"), location__address__country=ABSENT))[0]
    assert (sale.jurisdiction.country, sale.jurisdiction.region) == ("US", "NY")


def test_the_customer_is_a_hash_and_stays_one():
    sale = order()
    assert sale.customer.ref == "sha256:" + hashlib.sha256(b"CUST-ADA-77").hexdigest()
    assert order(customer_id=sale.customer.ref).customer == sale.customer
    assert order(customer_id=["x"]).customer is None


# --- versions


def test_the_later_state_has_the_later_version():
    assert version_key(order(updated_at="2026-09-01T19:12:12.346Z").source.version) > version_key(
        order().source.version
    )


def test_a_payout_whose_entries_are_known_is_newer_than_without():
    both = payout()
    header = normalize({"payout": event("payout")["payout"]})[0]
    assert header.lines is None and header.residual is None
    assert header.source.version == "2026-09-03T09:00:00Z"
    assert version_key(both.source.version) > version_key(header.source.version)
    changed = payout(payout__updated_at="2026-09-03T09:00:00.001Z", payout__status="FAILED")
    assert version_key(changed.source.version) > version_key(both.source.version)


def test_the_number_orders_where_the_time_of_change_cannot_be_true():
    """The vendor's own payout events say 1970."""

    def key(number):
        told = change(event("payout_event"), data__object__payout__updated_at="1970-01-01T00:20:28Z",
                      data__object__payout__version=number)  # fmt: skip
        return version_key(normalize(told, "payout.sent")[0].source.version)

    assert key(1) < key(2) < key(3)


def test_the_last_instant_of_the_calendar_is_still_a_version():
    assert payout(payout__updated_at="9999-12-31T23:59:59.999999Z").source.version.startswith("9999-12-31")


# --- what comes back, and what is exchanged


def test_a_return_from_two_sales_is_two_refunds():
    held = event("return_of_goods")
    second = copy.deepcopy(held["order"]["returns"][0])
    second |= {"uid": "ret-2", "source_order_id": "ORD-1004"}
    held["order"]["returns"].append(second)
    held["order"]["return_amounts"] = {"total_money": usd(1960)}
    held["order"]["refunds"][0]["amount_money"] = usd(1960)
    found = normalize(held)
    assert [(r.source.id, r.sale, r.totals.total) for r in found] == [
        ("ORD-2001", "ORD-1001", 980), ("ORD-2001/ret-2", "ORD-1004", 980),
    ]  # fmt: skip
    assert [codes(lambda r=r: r) for r in found] == [[], []]


def test_a_return_without_lines_is_an_amount():
    refund = order("return_of_goods", returns__0__return_line_items=ABSENT, returns__0__return_taxes=ABSENT)
    assert [(line.type, line.net, line.tax) for line in refund.lines] == [("adjustment", 900, 80)]
    assert codes(lambda: refund) == []


def test_a_return_is_worth_what_its_refunds_say_else_what_the_return_says():
    assert order("return_of_goods", refunds=ABSENT).totals.total == 980
    assert order("return_of_goods", return_amounts=ABSENT).totals.total == 980
    entry_only = order("return_of_goods", refunds=ABSENT, return_amounts=ABSENT, net_amounts=ABSENT)
    assert entry_only.totals.total == 980
    missing = {"refunds": ABSENT, "return_amounts": ABSENT, "returns__0__return_amounts": ABSENT}
    assert codes(lambda: order("return_of_goods", **missing)) == ["MISSING_AMOUNT"]


@pytest.mark.parametrize(
    ("state", "refunds", "status"),
    [
        ("COMPLETED", ["APPROVED"], "succeeded"),
        ("COMPLETED", ["APPROVED", "PENDING"], "pending"),
        ("COMPLETED", ["APPROVED", "REJECTED"], "succeeded"),
        ("COMPLETED", ["REJECTED"], "failed"),
        ("COMPLETED", ["APPROVED", "PONDERING"], "unknown"),
        ("COMPLETED", [], "succeeded"),
        ("OPEN", [], "pending"),
        ("CANCELED", ["APPROVED"], "cancelled"),
        ("PARKED", ["APPROVED"], "unknown"),
    ],
)
def test_the_status_of_a_return(state, refunds, status):
    listed = [{"id": f"R{n}", "amount_money": usd(980), "status": word} for n, word in enumerate(refunds)]
    assert order("return_of_goods", state=state, refunds=listed).status == status


def test_a_return_names_its_tenders_only_where_all_of_them_are_known():
    assert order("return_of_goods").tenders == []
    paid_with = [{"id": "PAY-1001", "type": "CARD", "amount_money": usd(1960)}]
    told = order("return_of_goods", tenders=paid_with).tenders
    assert [(t.id, t.parent, t.type, t.processor, t.amount) for t in told] == [
        ("PAY-1001_R1", "PAY-1001", "card", "square", 980)
    ]
    joined = event("return_with_refunds")
    del joined["refunds"][1]
    assert normalize(joined)[0].tenders == []


def test_a_refund_that_failed_beside_one_that_worked_gives_nothing_back():
    listed = [
        {"id": "R1", "amount_money": usd(980), "status": "FAILED"},
        {"id": "R2", "amount_money": usd(980), "status": "APPROVED"},
    ]
    refund = order("return_of_goods", refunds=listed)
    assert (refund.totals.total, refund.status, codes(lambda: refund)) == (980, "succeeded", [])
    assert order("return_of_goods", refunds=listed[:1]).totals.total == 980


def test_cash_rounding_of_a_return_is_an_adjustment():
    refund = order("return_of_goods", returns__0__rounding_adjustment={"amount_money": usd(-2)},
                   refunds__0__amount_money=usd(978))  # fmt: skip
    assert [(line.type, line.net) for line in refund.lines] == [("item", 900), ("adjustment", -2)]
    assert codes(lambda: refund) == []


def test_service_charges_come_back_too():
    charge = {"uid": "c1", "source_service_charge_uid": "s1", "name": "Shipping", "applied_money": usd(500),
              "total_money": usd(545), "total_tax_money": usd(45)}  # fmt: skip
    refund = order("return_of_goods", returns__0__return_service_charges=[charge], refunds__0__amount_money=usd(1525),
                   return_amounts__tax_money=usd(125))  # fmt: skip
    assert [(line.line, line.type, line.net, line.tax) for line in refund.lines] == [
        ("l1", "item", 900, 80), ("s1", "shipping", 500, 45),
    ]  # fmt: skip
    assert codes(lambda: refund) == []


def test_which_return_an_exchanged_line_replaces_is_only_said_where_it_is_certain():
    assert order("exchange").lines[0].exchange == "l1"
    two = event("exchange")
    another = copy.deepcopy(two["order"]["line_items"][0]) | {"uid": "n2"}
    two["order"]["line_items"].append(another)
    assert {line.exchange for line in normalize(two)[0].lines} == {None}


def test_an_exchange_whose_goods_are_worth_less_owes_the_buyer():
    held = event("exchange")["order"]
    held["net_amounts"] = {"total_money": usd(-1000), "tax_money": usd(-80)}
    line = held["line_items"][0]
    line |= {"base_price_money": usd(0), "gross_sales_money": usd(0), "variation_total_price_money": usd(0),
             "total_tax_money": usd(0), "total_money": usd(0), "applied_taxes": []}  # fmt: skip
    held |= {"total_money": usd(0), "tenders": [], "rounding_adjustment": {"amount_money": usd(-20)}}
    sale = normalize({"order": held})[0]
    assert (sale.totals.total, sale.totals.net, sale.totals.rounding, sale.totals.due) == (-1000, -900, -20, -1000)
    assert codes(lambda: sale) == []


def test_cash_rounding_of_both_sides_of_an_exchange():
    sale = order("exchange", rounding_adjustment={"amount_money": usd(3)},
                 returns__0__rounding_adjustment={"amount_money": usd(-2)}, net_amounts__total_money=usd(1747))  # fmt: skip
    assert (sale.totals.rounding, sale.totals.total) == (5, 1747) and codes(lambda: sale) == []


def test_without_rolled_up_figures_an_exchange_is_the_sale_less_the_return():
    sale = order("exchange", net_amounts=ABSENT)
    assert (sale.totals.total, sale.totals.tax, codes(lambda: sale)) == (1742, 142, [])


def test_a_returned_line_keeps_apart_from_a_new_one_of_the_same_name():
    sale = order("exchange", line_items__0__uid="l1")
    assert [line.id for line in sale.lines] == ["l1", "x1"] and codes(lambda: sale) == []


def test_an_exchange_over_a_change_of_the_tax_mode():
    """The old price held its tax, the new one does not: both are stated without."""
    held = event("exchange")["order"]
    back = held["returns"][0]
    back["return_taxes"][0]["type"] = "INCLUSIVE"
    row = back["return_line_items"][0]
    row |= {"base_price_money": usd(1080), "variation_total_price_money": usd(1080), "gross_return_money": usd(1080)}
    sale = normalize({"order": held})[0]
    assert not sale.tax_inclusive and [line.net for line in sale.lines] == [2500, -900]
    assert codes(lambda: sale) == []


# --- payments


def test_a_payments_total_is_added_up_where_it_is_not_told():
    charge = payment(total_money=ABSENT)
    assert (charge.amount, charge.captured, charge.tip) == (4000, 4000, 1000)
    assert codes(lambda: payment(total_money=ABSENT, amount_money=ABSENT)) == ["MISSING_CURRENCY", "MISSING_AMOUNT"]


def test_a_payments_own_total_goes_before_the_sum_of_its_parts():
    assert payment(total_money=usd(4100)).amount == 4100


def test_fees_come_later_and_settlement_with_them():
    charge = payment(processing_fee=ABSENT, app_fee_money=ABSENT)
    assert (charge.fees, charge.settlement) == ([], None)


@pytest.mark.parametrize(
    ("kind", "type_", "processor"),
    [
        ("CHECK", "cheque", None), ("FOOD_VOUCHER", "voucher", None), ("STORED_BALANCE", "store_credit", None),
        ("CARD", "card", "external"), ("SOCIAL", "wallet", "external"), ("BANK_TRANSFER", "bank", "external"),
        ("OTHER", "external", None), ("BARTER", "unknown", None), (None, "external", None),
    ],
)  # fmt: skip
def test_what_was_taken_outside_of_square(kind, type_, processor):
    charge = payment(source_type="EXTERNAL", external_details={"type": kind, "source": "x"}, card_details=ABSENT)
    assert charge.tender_type == type_
    assert charge.extensions.get("square", {}).get("processor") == processor


def test_a_payment_knows_its_order_and_is_its_tender():
    charge = payment()
    assert charge.order_reference == "ORD-1004"
    assert charge.reference in [t.reference for t in order("split_tender").tenders]
    assert SQUARE.parent(charge) == Pointer("order", "ORD-1004")
    assert SQUARE.parent(payment(order_id=ABSENT)) is None


def test_refunds_and_disputes_lead_to_what_they_undo():
    assert SQUARE.parent(order("return_of_goods")) == Pointer("order", "ORD-1001")
    assert SQUARE.parent(normalize(event("refund_completed"))[0]) == Pointer("payment", "PAY-1001")
    assert SQUARE.parent(normalize(event("dispute"))[0]) == Pointer("payment", "PAY-1001")
    assert SQUARE.parent(normalize(event("refund_unlinked"))[0]) is None
    assert SQUARE.parent(order()) is None


# --- payouts and disputes


def test_both_spellings_of_a_currency_are_one():
    spelled = json.loads(json.dumps(event("payout")).replace('"currency_code"', '"currency"'))
    assert normalize(spelled) == normalize(event("payout"))


def test_the_payouts_own_entry_is_left_out():
    held = event("payout")
    own = {"id": "poe_own", "payout_id": "po_77", "type": "PAYOUT", "gross_amount_money": usd(-3364),
           "fee_amount_money": usd(0), "net_amount_money": usd(-3364)}  # fmt: skip
    held["payout_entries"].append(own)
    assert normalize(held) == normalize(event("payout"))


def test_entries_of_another_payout_or_currency_are_refused():
    assert codes(lambda: payout(payout_entries__0__payout_id="po_78")) == ["WRONG_PAYOUT"]
    assert "WRONG_CURRENCY" in codes(
        lambda: payout(payout_entries__0__fee_amount_money={"amount": 61, "currency": "EUR"})
    )
    assert codes(lambda: payout(payout_entries__0__net_amount_money=usd(1900))) == ["PAYOUT_LINE_MISMATCH"]
    assert codes(lambda: payout(payout_entries__1__id="poe_1")) == ["DUPLICATE_LINE"]


def test_every_kind_of_entry_is_in_the_table():
    """The vendor's own list of 2026-09, by count: a kind that is left out would be quarantined as new."""
    assert len(PAYOUT_LINE) == 58


def test_an_entry_whose_details_stand_under_another_key_still_has_a_reference():
    held = change(event("payout"), payout_entries__0__type_charge_details=ABSENT,
                  payout_entries__0__type_other_details={"payment_id": "PAY-9"})  # fmt: skip
    assert normalize(held)[0].lines[0].reference == "PAY-9"


@pytest.mark.parametrize("day", ["2026-W36-4", "3 Sep", 5, "2026-02-30"])
def test_a_date_that_is_none_is_refused(day):
    assert codes(lambda: payout(payout__arrival_date=day)) == ["BAD_TIME"]


@pytest.mark.parametrize(
    ("state", "kind", "ours"),
    [
        ("INQUIRY_EVIDENCE_REQUIRED", "inquiry", "needs_response"), ("INQUIRY_PROCESSING", "inquiry", "under_review"),
        ("INQUIRY_CLOSED", "inquiry", "closed"), ("EVIDENCE_REQUIRED", "chargeback", "needs_response"),
        ("PROCESSING", "chargeback", "under_review"), ("WON", "chargeback", "won"), ("LOST", "chargeback", "lost"),
        ("ACCEPTED", "chargeback", "lost"), ("APPEALED", "chargeback", "unknown"), (None, "unknown", "unknown"),
    ],
)  # fmt: skip
def test_states_of_a_dispute(state, kind, ours):
    found = normalize(change(event("dispute_accepted"), dispute__state=state))[0]
    assert (found.kind, found.state) == (kind, ours)


def test_a_dispute_under_its_old_name():
    assert normalize(change(event("dispute_accepted"), dispute__id=ABSENT))[0].source.id == "DISP-1"


# --- what is kept


def test_of_a_card_nothing_but_brand_and_last_digits_is_kept():
    held = change(event("payment_captured"), data__object__payment__card_details__card__last_4="4242424242424242")
    kept = payload.dump(SQUARE.scrub(held))
    for secret in (b"424242", b"fingerprint", b"exp_year", b"statement", b"cardholder"):
        assert secret not in kept
    assert normalize(held)[0].card.last4 == "4242"


def test_a_key_that_is_new_is_not_kept():
    assert (
        "favourite_colour" not in SQUARE.scrub(change(event("simple_sale"), order__favourite_colour="canary"))["order"]
    )


JUNK = st.sampled_from([None, {}, [], "", -1, 10**40, "é", True, [None], {"amount": None}, "2026-09-01T00:00:00Z"])


def places(value, path=()):
    found = [path] if path else []
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found += places(child, (*path, key))
    return found


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_stands_anywhere_is_read_refused_or_ignored(data):
    case = data.draw(st.sampled_from(cases("square")))
    parsed = payload.parse(case.body)
    path = data.draw(st.sampled_from(places(parsed)))
    place = parsed
    for key in path[:-1]:
        place = place[key]
    if data.draw(st.booleans()):
        place[path[-1]] = data.draw(JUNK)
    else:
        del place[path[-1]]

    def outcome(of):
        try:
            return [canonical.encode(r) for r in SQUARE.normalize(of, case.topic, case.context())]
        except Refused as refused:
            return [(p.code, p.path) for p in refused.problems]
        except Ignored as ignored:
            return str(ignored)

    assert outcome(payload.parse_stored(payload.dump(SQUARE.scrub(parsed)))) == outcome(parsed)


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the vendor's own samples are not here")
def test_the_vendors_own_samples():
    read = 0
    for path in sorted((CORPUS / "square").glob("*/*.json")):
        if path.name.endswith("Request.json"):
            continue
        try:
            records = normalize(payload.parse(path.read_bytes()))
        except (Refused, Ignored):
            continue
        read += len(records)
        for record in records:
            assert checks.check(record) == [], path.name
    assert read > 25


# --- conversations


ACCOUNT = Account(channel="corner-shop", credentials={"token": "tok"})
SINCE, UNTIL = NOW - timedelta(days=2), NOW


def at(minutes):
    return format_instant(SINCE + timedelta(minutes=minutes))


class Vendor:
    """Lists as Square keeps them. Its cursor is an offset, the worst that a list which changes can have."""

    def __init__(self, rows=(), size=2, locations=("L1", "L2")):
        self.rows, self.size, self.locations = [dict(r) for r in rows], size, locations
        self.between = lambda: None  # what happens before each page of the list
        self.known = set()

    def __call__(self, ask):
        if ask.path == "/v2/locations":
            return reply(
                {"locations": [{"id": one, "timezone": "America/New_York", "country": "US"} for one in self.locations]}
            )
        if ask.path == "/v2/orders/search":
            return self.search(ask.json)
        if ask.path in ("/v2/payments", "/v2/refunds", "/v2/payouts"):
            return self.listed(ask)
        kind, identifier = ask.path.removeprefix("/v2/").split("/")[:2]
        if ask.path.endswith("/payout-entries"):
            entries = [{"id": f"{identifier}-{n}"} for n in range(3)]
            return self.page(entries, "payout_entries", ask.params.get("cursor"))
        found = [r for r in self.rows if r["id"] == identifier and r.get("_kind", kind) == kind]
        return reply({kind.removesuffix("s"): found[0]}) if found else reply({"errors": [{}]}, status=404)

    def search(self, asked):
        ((by, window),) = asked["query"]["filter"]["date_time_filter"].items()
        assert asked["query"]["sort"] == {"sort_field": by.upper(), "sort_order": "ASC"}
        assert 1 <= len(asked["location_ids"]) <= 10
        self.between()
        rows = [r for r in self.rows if window["start_at"] <= r[by] <= window["end_at"]]
        rows = sorted((r for r in rows if r["location_id"] in asked["location_ids"]), key=lambda r: r[by])
        return self.page(rows, "orders", asked.get("cursor"))

    def listed(self, ask):
        params, key = ask.params, ask.path.rsplit("/", 1)[-1]
        prefix = "updated_at_" if "updated_at_begin_time" in params else ""
        by = "updated_at" if prefix else "created_at"
        self.between()
        rows = [r for r in self.rows if params[f"{prefix}begin_time"] <= r[by] <= params[f"{prefix}end_time"]]
        rows = [r for r in rows if params.get("location_id") in (None, r["location_id"])]
        return self.page(sorted(rows, key=lambda r: r[by]), key, params.get("cursor"))

    def page(self, rows, key, cursor):
        start = int(cursor or 0)
        more = {"cursor": str(start + self.size)} if start + self.size < len(rows) else {}
        return reply({key: rows[start : start + self.size]} | more)


def row(identifier, minutes, location="L1", **more):
    return {"id": identifier, "location_id": location, "updated_at": at(minutes), "created_at": at(minutes), **more}


def poll(vendor, stream="payments", cursor=None, account=ACCOUNT, **more):
    return converse(SQUARE.poll(stream, account, since=SINCE, until=UNTIL, cursor=cursor, **more), vendor)


def ids(pages, key="payment"):
    return [found.payload[key]["id"] for page in pages for found in page.found]


def test_every_location_is_asked_since_the_default_is_only_the_main_one():
    vendor = Vendor([row("A", 1, "L2"), row("B", 2), row("C", 3, "L2"), row("D", 4, "L2")])
    talk = poll(vendor)
    assert ids(talk.pages) == ["B", "A", "C", "D"]
    assert [p.cursor is None for p in talk.pages] == [False] * (len(talk.pages) - 1) + [True]
    first = talk.asks[1]
    assert first.params["updated_at_begin_time"] == format_instant(SINCE)
    assert (first.params["sort_field"], first.params["sort_order"]) == ("UPDATED_AT", "ASC")


def test_no_location_and_no_row_is_one_empty_page():
    assert poll(Vendor(locations=())).pages == [Page()]
    assert poll(Vendor(locations=("L1",))).pages == [Page()]
    assert poll(Vendor(), "refunds").pages == [Page()]


def test_only_the_locations_that_are_wanted_are_asked():
    vendor = Vendor([row("A", 1, "L2"), row("B", 2)])
    for wanted in (["L2"], "L2"):
        account = Account(channel="corner-shop", credentials={"token": "t", "locations": wanted})
        assert ids(poll(vendor, account=account).pages) == ["A"]


@pytest.mark.parametrize("stream", ["payments", "refunds", "orders", "payouts"])
def test_a_poll_goes_on_after_any_page(stream):
    rows = [row(f"X{n}", n, "L1" if n % 3 else "L2") for n in range(9)]
    vendor = Vendor(rows)
    whole = poll(vendor, stream)
    key = stream.removesuffix("s")
    assert sorted(ids(whole.pages, key)) == sorted(r["id"] for r in rows)
    for index, page in enumerate(whole.pages[:-1]):
        rest = poll(vendor, stream, cursor=page.cursor)
        assert ids(rest.pages, key) == ids(whole.pages[index + 1 :], key)


def test_a_row_that_changes_while_the_list_is_read_pushes_nobody_out():
    vendor = Vendor([row(f"X{n}", n) for n in range(8)])
    left = iter(["X0", "X2", "X5"])

    def touch():
        one = next(left, None)
        for r in vendor.rows:
            if r["id"] == one:
                r["updated_at"] = at(100)

    vendor.between = touch
    assert set(ids(poll(vendor).pages)) == {f"X{n}" for n in range(8)}


def test_a_row_that_changed_since_the_page_before_comes_once_more():
    vendor = Vendor([row("A", 1), row("B", 2), row("C", 3)])
    seen = poll(vendor).pages[0]
    vendor.rows[1]["updated_at"] = at(50)
    assert ids(poll(vendor, cursor=seen.cursor).pages) == ["C", "B"]


def test_more_rows_of_one_instant_than_a_page_holds():
    vendor = Vendor([row("A", 0)] + [row(f"S{n}", 5) for n in range(7)] + [row("Z", 9)], locations=("L1",))
    whole = poll(vendor)
    assert sorted(ids(whole.pages)) == sorted(r["id"] for r in vendor.rows)
    for index, page in enumerate(whole.pages[:-1]):
        assert ids(poll(vendor, cursor=page.cursor).pages) == ids(whole.pages[index + 1 :])


def test_an_empty_page_with_a_cursor_is_not_the_end():
    answers = iter([{"refunds": [], "cursor": "on"}, {"refunds": [row("A", 1)]}])
    talk = converse(
        SQUARE.poll("refunds", ACCOUNT, since=SINCE, until=UNTIL, cursor=None), lambda ask: reply(next(answers))
    )
    assert ids(talk.pages, "refund") == ["A"] and talk.asks[1].params["cursor"] == "on"


def test_a_cursor_that_square_has_forgotten_begins_the_window_anew():
    vendor = Vendor([row(f"S{n}", 5) for n in range(6)], locations=("L1",))
    within = next(p.cursor for p in poll(vendor).pages if p.cursor and json.loads(p.cursor)[-1])

    def forgetful(ask):
        if ask.params.get("cursor"):
            assert 400 in ask.accepts
            return reply({"errors": [{"category": "INVALID_REQUEST_ERROR", "code": "INVALID_CURSOR"}]}, status=400)
        return vendor(ask)

    with pytest.raises(CursorExpired):
        converse(SQUARE.poll("payments", ACCOUNT, since=SINCE, until=UNTIL, cursor=within), forgetful)


@pytest.mark.parametrize("cursor", ["x", "{}", '["a"]', '["",["L1"],"",[],5]'])
def test_a_cursor_that_is_not_ours_begins_the_window_anew(cursor):
    for stream in ("payments", "disputes"):
        with pytest.raises(CursorExpired):
            poll(Vendor(), stream, cursor=cursor)


def test_an_unknown_stream_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="coffee"):
        poll(Vendor(), "coffee")


def test_what_came_into_being_is_asked_by_its_beginning():
    vendor = Vendor([row("A", 1) | {"updated_at": at(10**4)}, row("B", 2)])
    talk = poll(vendor, created=True)
    assert ids(talk.pages) == ["A", "B"]
    assert talk.asks[1].params["sort_field"] == "CREATED_AT" and "begin_time" in talk.asks[1].params
    orders = poll(vendor, "orders", created=True)
    assert orders.asks[1].json["query"]["sort"]["sort_field"] == "CREATED_AT"


def test_a_search_for_orders_names_at_most_ten_locations():
    locations = tuple(f"L{n:02}" for n in range(23))
    vendor = Vendor([row(f"X{n}", n, location) for n, location in enumerate(locations)], locations=locations, size=4)
    talk = poll(vendor, "orders")
    assert sorted(ids(talk.pages, "order")) == sorted(r["id"] for r in vendor.rows)
    assert [len(a.json["location_ids"]) for a in talk.asks[1:]] == sorted(
        (len(a.json["location_ids"]) for a in talk.asks[1:]), reverse=True
    )
    assert talk.pages[0].found[0].payload["location"]["timezone"] == "America/New_York"


def test_a_return_comes_with_the_refunds_that_paid_it():
    back = row("O1", 1, returns=[{"uid": "r"}], refunds=[{"id": "RF-1"}, {"id": "gone"}, {"id": "../evil"}, {}])
    vendor = Vendor(
        [back, {"id": "RF-1", "_kind": "refunds", "updated_at": "", "location_id": "", "status": "COMPLETED"}]
    )
    talk = poll(vendor, "orders")
    assert [r["id"] for r in talk.pages[0].found[0].payload["refunds"]] == ["RF-1"]
    assert [a.path for a in talk.asks[2:4]] == ["/v2/refunds/RF-1", "/v2/refunds/gone"]


def test_a_payout_comes_with_all_of_its_entries_and_a_simple_one_without():
    vendor = Vendor([row("po_1", 1, type="BATCH"), row("po_2", 2, type="SIMPLE")])
    found = [f.payload for p in poll(vendor, "payouts").pages for f in p.found]
    assert [e["id"] for e in found[0]["payout_entries"]] == ["po_1-0", "po_1-1", "po_1-2"]
    assert "payout_entries" not in found[1]


def test_what_a_poll_emits_can_be_read():
    held = event("return_with_refunds")
    vendor = Vendor([held["order"] | {"updated_at": at(1)}, *[r | {"_kind": "refunds"} for r in held["refunds"]]],
                    locations=("LOAKLAND1",))  # fmt: skip
    found = poll(vendor, "orders").pages[0].found[0]
    (record,) = normalize(payload.parse(payload.dump(SQUARE.scrub(found.payload))))
    assert (record.sale, record.status, record.timezone) == ("ORD-1004", "succeeded", "America/New_York")
    assert [t.type for t in record.tenders] == ["card", "cash"]


def test_disputes_are_all_read_and_picked_by_their_change():
    pages = {"": [row("A", 1), row("B", -9)], "c1": [row("C", 3), {"id": "D", "updated_at": "?"}], "c2": [row("E", 4)]}
    following = {"": "c1", "c1": "c2"}

    def vendor(ask):
        assert ask.path == "/v2/disputes"
        token = ask.params.get("cursor", "")
        more = {"cursor": following[token]} if token in following else {}
        return reply({"disputes": pages[token]} | more)

    talk = poll(vendor, "disputes")
    assert ids(talk.pages, "dispute") == ["A", "C", "D", "E"]
    assert ids(poll(vendor, "disputes", cursor=talk.pages[0].cursor).pages, "dispute") == ["C", "D", "E"]
    assert talk.pages[-1].cursor is None

    def forgetful(ask):
        return reply({"errors": []}, status=400) if ask.params.get("cursor") else vendor(ask)

    with pytest.raises(CursorExpired):
        poll(forgetful, "disputes", cursor=talk.pages[0].cursor)


def fetch(pointer, vendor):
    return converse(SQUARE.fetch(pointer, ACCOUNT), vendor)


def test_an_order_is_fetched_with_its_location():
    vendor = Vendor([row("O1", 1), {"id": "L1", "_kind": "locations", "timezone": "Asia/Tokyo"}])
    found = fetch(Pointer("order", "O1"), vendor).result
    assert found.payload["order"]["id"] == "O1" and found.payload["location"]["timezone"] == "Asia/Tokyo"
    assert "location" not in fetch(Pointer("order", "O1"), Vendor([row("O1", 1)])).result.payload


@pytest.mark.parametrize("kind", ["payment", "refund", "dispute"])
def test_other_objects_are_fetched_as_they_are(kind):
    talk = fetch(Pointer(kind, "X:1_a-B"), Vendor([row("X:1_a-B", 1)]))
    assert talk.result.payload == {kind: row("X:1_a-B", 1)}
    assert [a.path for a in talk.asks] == [f"/v2/{kind}s/X:1_a-B"]


def test_a_payout_is_fetched_with_its_entries():
    assert len(fetch(Pointer("payout", "po_1"), Vendor([row("po_1", 1)])).result.payload["payout_entries"]) == 3


def test_what_square_does_not_have_is_none():
    assert fetch(Pointer("order", "gone"), Vendor()).result is None
    for pointer in (
        Pointer("order", "../v2/locations"),
        Pointer("order", "a?b"),
        Pointer("order", ""),
        Pointer("tea", "1"),
    ):
        talk = fetch(pointer, Vendor())
        assert talk.result is None and talk.asks == []


def test_a_missing_subscription_is_made_with_every_topic():
    def vendor(ask):
        if ask.method == "GET":
            return reply({"subscriptions": [{"id": "w0", "notification_url": "https://other.example/"}]})
        return reply({"subscription": {"id": "w1", "signature_key": "new-key"}})

    talk = converse(SQUARE.subscribe(ACCOUNT, URL), vendor)
    assert talk.result == {"made": sorted(SQUARE.topics), "secret": "new-key"}
    asked = talk.asks[-1].json
    assert (
        asked["subscription"]["notification_url"] == URL and set(asked["subscription"]["event_types"]) == SQUARE.topics
    )
    assert 0 < len(asked["idempotency_key"]) <= 45


def test_a_subscription_that_lacks_topics_or_sleeps_is_completed():
    def vendor(subscription):
        def answer(ask):
            if ask.method == "PUT":
                return reply({"subscription": {}})
            if ask.params.get("cursor"):
                return reply({"subscriptions": [subscription]})
            return reply({"subscriptions": [], "cursor": "next"})

        return answer

    ours = {"id": "w1", "notification_url": URL, "enabled": True, "event_types": ["payment.created", "invoice.created"],
            "signature_key": "key"}  # fmt: skip
    talk = converse(SQUARE.subscribe(ACCOUNT, URL), vendor(ours))
    assert talk.result == {"made": sorted(SQUARE.topics - {"payment.created"}), "secret": "key"}
    assert set(talk.asks[-1].json["subscription"]["event_types"]) == SQUARE.topics | {"invoice.created"}
    whole = ours | {"event_types": sorted(SQUARE.topics)}
    talk = converse(SQUARE.subscribe(ACCOUNT, URL), vendor(whole))
    assert talk.result == {"made": [], "secret": "key"} and [a.method for a in talk.asks] == ["GET", "GET"]
    talk = converse(SQUARE.subscribe(ACCOUNT, URL), vendor(whole | {"enabled": False}))
    assert talk.asks[-1].json["subscription"]["enabled"] is True


def test_subscriptions_are_the_applications_and_asked_with_its_token():
    account = Account(channel="c", credentials={"token": "seller", "application_token": "app"})
    talk = converse(SQUARE.subscribe(account, URL), lambda ask: reply({}))
    assert all(a.headers == {"Authorization": "Bearer app"} for a in talk.asks)


LEVEL = StockLevel(item_id="VAR-L1", location="L1", available="7", expected="5", key="k" * 60, at=NOW)


def counts(quantity, state="IN_STOCK", location="L1"):
    one = {"catalog_object_id": "VAR-L1", "location_id": location, "state": state, "quantity": quantity}
    return {"counts": [one]}


def push(level, before, after):
    return converse(SQUARE.push_stock(ACCOUNT, level), lambda ask: reply(before if ask.method == "GET" else after))


def test_stock_is_counted_anew():
    talk = push(LEVEL, counts("5.0"), counts("7"))
    assert talk.result is None
    asked = talk.asks[-1].json
    assert asked["changes"] == [{"type": "PHYSICAL_COUNT", "physical_count": {
        "catalog_object_id": "VAR-L1", "state": "IN_STOCK", "location_id": "L1", "quantity": "7",
        "occurred_at": "2026-09-10T12:00:00Z"}}]  # fmt: skip
    assert 0 < len(asked["idempotency_key"]) <= 45
    assert push(LEVEL, counts("5"), counts("7")).asks[-1].json == asked


def test_a_level_that_was_changed_meanwhile_is_stale():
    with pytest.raises(StaleStock) as stale:
        push(LEVEL, counts("4"), counts("7"))
    assert stale.value.actual == "4"
    with pytest.raises(StaleStock) as stale:
        push(LEVEL, {}, counts("7"))
    assert stale.value.actual == "0"


def test_a_count_that_square_ignored_is_stale():
    with pytest.raises(StaleStock) as stale:
        push(LEVEL, counts("5"), counts("6"))
    assert stale.value.actual == "6"


def test_a_level_that_stands_already_is_left_alone():
    assert [a.method for a in push(LEVEL, counts("7"), counts("7")).asks] == ["GET"]


def test_without_an_expected_level_there_is_nothing_to_compare():
    unexpected = StockLevel(item_id="VAR-L1", location="L1", available="7", expected=None, key="k", at=NOW)
    for after in (counts("7"), {}, counts("9", location="L2"), counts("9", state="WASTE")):
        talk = push(unexpected, {}, after)
        assert [a.method for a in talk.asks] == ["POST"] and talk.asks[0].json["idempotency_key"] == "k"


def test_hosts_and_headers():
    assert SQUARE.base_url(ACCOUNT) == "https://connect.squareup.com"
    assert SQUARE.base_url(Account(channel="c", credentials={}, test=True)) == "https://connect.squareupsandbox.com"
    assert SQUARE.authorization(ACCOUNT)["Authorization"] == "Bearer tok"
    assert SQUARE.authorization(ACCOUNT)["Square-Version"] == "2026-09-16"


def test_only_an_oauth_token_is_renewed():
    assert SQUARE.refresh(ACCOUNT) is None
    held = {"token": "old", "refresh_token": "r1", "client_id": "app"}
    account = Account(channel="c", credentials=held)
    ask = SQUARE.refresh(account)
    assert ask.json == {"client_id": "app", "grant_type": "refresh_token", "refresh_token": "r1"}
    secret = SQUARE.refresh(Account(channel="c", credentials=held | {"client_secret": "s"}))
    assert secret.json["client_secret"] == "s"
    answer = reply({"access_token": "new", "expires_at": "2026-10-10T12:00:00Z", "refresh_token": "r2"})
    expires = int(parse_instant("2026-10-10T12:00:00Z").timestamp())
    assert SQUARE.renewed(answer, account, NOW) == held | {"token": "new", "refresh_token": "r2", "expires_at": expires}
    short = SQUARE.renewed(reply({"access_token": "new"}), account, NOW)
    assert (short["refresh_token"], short["expires_at"]) == ("r1", int(NOW.timestamp()) + 86400)
    with pytest.raises(Refused):
        SQUARE.renewed(reply({"errors": []}), account, NOW)


@pytest.mark.parametrize(("told", "seconds"), [("7", 7.0), ("", 0.0), ("soon", 0.0), ("٣", 0.0), ("9" * 9, 0.0)])
def test_how_long_to_wait(told, seconds):
    assert SQUARE.pause(reply({}, retry_after=told)) == seconds
    assert SQUARE.pause(reply({})) == 0.0
