"""Hypothesis strategies and builders for canonical records that add up."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from channels.cash_session import CashMovement, CashSession
from channels.charge import Charge
from channels.dispute import Dispute
from channels.manual import Manual, ManualPosting
from channels.payout import Payout, PayoutLine
from channels.record import Fee, Jurisdiction, Source, Tax
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from channels.sale import Discount, Line, Sale, Tender, Totals
from salessync.core.money import allocate

START = datetime(2026, 9, 1, 10, 0, tzinfo=UTC)


def source(id_: str, version: str = "1", **more) -> Source:
    return Source(channel="shop", adapter="standard", id=id_, version=version, **more)


def line(
    id_="1", *, units=1, price=1000, discount=0, taxes=(("US-NY", "State", "4", 40),), type_="item", sku="MUG", **more
):
    gross = units * price
    found = [Tax(name=name, jurisdiction=where, rate=rate, amount=amount) for where, name, rate, amount in taxes]
    return Line(
        id=id_, type=type_, sku=sku if type_ == "item" else None, name="Mug", quantity=str(units),
        unit_price=f"{price // 100}.{price % 100:02d}", gross=gross, discount=discount, net=gross - discount, taxes=found,
        tax=sum(t.amount for t in found), **more,
    )  # fmt: skip


def card(amount, id_="t1", **more):
    return Tender(**{"id": id_, "type": "card", "status": "captured", "amount": amount, "processor": "stripe", **more})


COUNTED = ("item", "gift_card_sale", "donation", "deposit")


def sale(
    lines,
    tenders="card",
    *,
    id_="S1",
    version="1",
    inclusive=False,
    status="completed",
    payment_status="paid",
    rounding=0,
    **more,
):
    def of(*types):
        return sum(x.net for x in lines if x.type in types)

    tax = sum(x.tax for x in lines)
    counted = [x for x in lines if x.type in COUNTED]
    total = sum(x.net for x in lines) + (0 if inclusive else tax) + rounding
    if tenders == "card":
        tenders = [card(total)] if total > 0 else []
    paid = None if tenders is None else sum(t.amount for t in tenders if t.status in ("captured", "settled"))
    return Sale(
        source=source(id_, version), occurred_at=START, timezone="UTC", business_date=date(2026, 9, 1),
        **{"currency": "USD", **more}, status=status, payment_status=payment_status,
        jurisdiction=Jurisdiction(country="US", region="NY"), tax_inclusive=inclusive, lines=lines, tenders=tenders,
        totals=Totals(
            gross=sum(x.gross for x in counted), discount=sum(x.discount for x in counted), net=of(*COUNTED),
            shipping=of("shipping"), tip=of("tip"), service_charge=of("service_charge"), fees=of("fee"), duties=of("duty"),
            tax=tax, rounding=rounding, total=total, paid=paid, due=None if paid is None else total - paid,
            tax_marketplace=sum(t.amount for x in lines for t in x.taxes if t.collector == "marketplace"),
        ),
    )  # fmt: skip


def refund(
    lines, tenders=None, *, id_="R1", of="S1", inclusive=False, status="succeeded", version="1", minutes=60, **more
):
    tax = sum(x.tax for x in lines)

    def kind(*types):
        return sum(x.net for x in lines if x.type in types)

    total = sum(x.net for x in lines) + (0 if inclusive else tax)
    if tenders is None:
        tenders = (
            [RefundTender(id=f"{id_}-t", parent="t1", type="card", amount=total, processor="stripe")] if total else []
        )
    return Refund(
        source=source(id_, version), occurred_at=START + timedelta(minutes=minutes), timezone="UTC",
        business_date=date(2026, 9, 2), **{"currency": "USD", **more}, sale=of, status=status, tax_inclusive=inclusive,
        lines=lines, tenders=tenders,
        totals=RefundTotals(net=kind("item", "fee", "unknown"), shipping=kind("shipping"), tip=kind("tip"),
                            adjustment=kind("adjustment"), tax=tax, total=total),
    )  # fmt: skip


def back(sold, *, units, net, tax=None, restock="return"):
    """A refund line of a sold line: `net` of it, taxes split as a channel would, by largest remainder."""
    amount = tax if tax is not None else 0
    shares = allocate(amount, [t.amount for t in sold.taxes]) if sold.taxes else []
    taxes = [
        Tax(name=t.name, jurisdiction=None, rate=t.rate, amount=a, collector=t.collector)
        for t, a in zip(sold.taxes, shares, strict=True)
    ]
    kind = {"shipping": "shipping", "tip": "tip"}.get(sold.type, "item")
    return RefundLine(
        line=sold.id,
        type=kind,
        quantity=str(units),
        net=net,
        tax=sum(t.amount for t in taxes),
        taxes=taxes,
        restock=restock,
    )


def _head(id_, version, days, currency):
    at = START + timedelta(days=days)
    return {
        "source": source(id_, version),
        "occurred_at": at,
        "timezone": "UTC",
        "business_date": at.date(),
        "currency": currency,
    }


def charge(
    captured,
    id_="ch_1",
    *,
    order="S1",
    version="1",
    currency="USD",
    days=0,
    fee=0,
    fees=None,
    status="captured",
    **more,
):
    """What a processor tells of a payment; `fees` as (type, amount)."""
    told = fees if fees is not None else [("processing", fee)] if fee else []
    return Charge(
        **_head(id_, version, days, currency),
        **{"order_reference": order, "tender_type": "card", "status": status, "amount": captured,
           "captured": captured if status == "captured" else 0, "reference": id_,
           "fees": [Fee(type=kind, amount=amount) for kind, amount in told], **more},
    )  # fmt: skip


def payout_line(category, gross, fee=0, reference=None, id_=None):
    return PayoutLine(
        id=id_ or f"{category}-{reference or gross}", category=category, gross=gross, fee=fee, net=gross - fee, reference=reference,
    )  # fmt: skip


def payout(
    lines, id_="po_1", *, version="1", currency="USD", days=3, status="paid", processor="stripe", residual=0, **more
):
    """`lines`: payout lines or (category, gross, fee, reference); None: a header, worth `amount`."""
    told = lines if lines is None else [x if isinstance(x, PayoutLine) else payout_line(*x) for x in lines]
    amount = more.pop("amount", None)
    if told is not None:
        amount = sum(x.net for x in told) + residual
    return Payout(
        **_head(id_, version, days, currency),
        **{"processor": processor, "status": status, "amount": amount, "lines": told,
           "residual": None if told is None else residual, **more},
    )  # fmt: skip


def dispute(
    amount,
    id_="dp_1",
    *,
    of="ch_1",
    version="1",
    currency="USD",
    days=9,
    kind="chargeback",
    state="needs_response",
    fee=0,
    **more,
):
    return Dispute(
        **_head(id_, version, days, currency),
        **{"tender_reference": of, "kind": kind, "state": state, "amount": amount, "fee": fee, **more},
    )  # fmt: skip


def cash_session(
    *, opening_float=10000, takings=None, expected=None, counted=None, movements=(), id_="D1", version="1", currency="USD",
    register="front", status=None, days=0, **more,
):  # fmt: skip
    """`movements` as (type, amount)."""
    head = _head(id_, version, days, currency)
    head["source"].register = register
    return CashSession(
        **head,
        **{"status": status or ("closed" if counted is None else "counted"), "opened_at": head["occurred_at"],
           "opening_float": opening_float, "takings": takings, "expected": expected, "counted": counted,
           "movements": [CashMovement(id=f"m{i}", type=kind, amount=n) for i, (kind, n) in enumerate(movements, 1)], **more},
    )  # fmt: skip


def manual(postings, *, id_="J1", version="1", currency="USD", days=0, kind="correction", reason="as agreed", **more):
    """`postings` as (account, amount) or (account, amount, currency, base_amount)."""
    names = ("account", "amount", "currency", "base_amount")
    made = [x if isinstance(x, ManualPosting) else ManualPosting(**dict(zip(names, x, strict=False))) for x in postings]
    return Manual(
        **_head(id_, version, days, currency),
        **{"kind": kind, "reason": reason, "origin": "admin", "postings": made, **more},
    )


@st.composite
def taxes(draw, net):
    """Up to three taxes of about 0–25 % on a net amount, in codes that different lines share."""
    found = []
    for where, name in draw(
        st.lists(st.sampled_from([("US-NY", "State"), ("US-NY-NYC", "City"), ("US-NY-M", "Transit")]), unique=True)
    ):
        found.append((where, name, "7.5", draw(st.integers(0, max(net, 0) // 4))))
    return found


@st.composite
def taken_back(draw, limit):
    """A line of the other sign, of less than `limit`: goods that came back in exchange, or a deposit that is used."""
    most = (limit - 1) * 4 // 5  # with its tax less than all
    if most < 1:
        return []
    kind, price = draw(st.sampled_from(["item", "deposit"])), draw(st.integers(1, most))
    tax = draw(st.integers(0, price // 4)) if kind == "item" else 0
    taxed = [("US-NY", "State", "7.5", -tax)] if tax else []
    return [line("back", units=-1, price=price, taxes=taxed, type_=kind)]


@st.composite
def sales(draw, *, inclusive=None):
    """A paid sale of one to five lines: items, shipping, tip, gift card, deposit, service charge; discounts, also a platform's;
    something that came back in exchange or a deposit that is used; several tenders."""
    count = draw(st.integers(1, 5))
    inclusive = draw(st.booleans()) if inclusive is None else inclusive
    lines = []
    kinds = ["item", "item", "item", "shipping", "tip", "gift_card_sale", "deposit", "service_charge"]
    for index in range(count):
        kind = draw(st.sampled_from(kinds))
        units = draw(st.integers(1, 4)) if kind == "item" else 1
        price = draw(st.integers(1, 9999))
        discount = draw(st.integers(0, units * price)) if kind in ("item", "shipping") else 0
        taxed = [] if kind in ("tip", "gift_card_sale") else draw(taxes(units * price - discount))
        lines.append(line(str(index + 1), units=units, price=price, discount=discount, taxes=taxed, type_=kind))
        if discount and draw(st.booleans()):
            funded = draw(st.integers(0, discount))
            lines[-1].discounts = [Discount(amount=funded, funded_by="platform"), Discount(amount=discount - funded)]
    if draw(st.booleans()):
        lines += draw(taken_back(sum(x.net for x in lines)))
    made = sale(lines, tenders=None, inclusive=inclusive)
    total = made.totals.total
    tenders = []
    if total > 0:
        cut = draw(st.integers(0, total))
        parts = [cut, total - cut] if 0 < cut < total and draw(st.booleans()) else [total]
        kinds = [("card", "stripe"), draw(st.sampled_from([("cash", None), ("gift_card", None), ("wallet", "paypal")]))]
        tenders = [card(part, f"t{i + 1}", type=kinds[i][0], processor=kinds[i][1]) for i, part in enumerate(parts)]
    return sale(lines, tenders, inclusive=inclusive, rounding=0)
