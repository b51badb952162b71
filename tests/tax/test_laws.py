"""What holds for every document, whatever is on it."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tax.engine.document import Delivery, Document, Line, compute
from tax.engine.formula import Tax, UnusableTaxes
from tax.engine.refunds import SoldLine, TooMuch, refund_amount, refund_line, refund_sequence
from tax.engine.rounding import (
    LEVELS,
    MODES,
    Rounder,
    Rounding,
    exactly,
    part_of,
    rounded_ratio,
    spread,
    spread_by_weight,
    spread_ratios,
)
from tax.engine.thresholds import Threshold
from tax.quoting import quote

DOCUMENT = [level for level in LEVELS if level.startswith("document")]
ROUNDED = [level for level in LEVELS if level != "none"]

amounts = st.decimals("-5000", "5000", places=2)
prices = st.decimals("0.01", "5000", places=2)
rates = st.sampled_from(
    [Decimal(r) for r in ("0", "0.375", "2.25", "5", "5.5", "7", "8.33", "9.975", "19", "20", "25.5")]
)
names = st.sampled_from(["VAT", "GST", "state", "county"])
limits = st.decimals("0", "3000", places=2)
thresholds = st.one_of(
    st.builds(lambda upper: Threshold("exempt_below", upper=upper), limits),
    st.builds(lambda lower: Threshold("excess_over", lower=lower), limits),
    st.builds(lambda low, width: Threshold("base_band", low, low + width), limits, limits),
)


def taxes(**flags):
    """Up to three taxes of a line; `flags` fixes what is not to vary."""
    one = st.builds(
        Tax, name=names, rate=rates, kind=flags.get("kind", st.sampled_from(["percent", "percent", "fixed", "division"])),
        price_include=flags.get("price_include", st.booleans()), include_base_amount=st.booleans(),
        is_base_affected=st.booleans(), thresholds=st.lists(thresholds, max_size=1).map(tuple),
    )  # fmt: skip
    return st.lists(one, max_size=3).map(tuple)


def lines(amount=amounts, **flags):
    quantity = st.sampled_from([Decimal(q) for q in ("1", "2", "3", "0.5", "12.12")])
    return st.lists(
        st.builds(Line, amount=amount, quantity=quantity, discount=st.just(Decimal(0)), taxes=taxes(**flags)),
        min_size=1, max_size=5,
    ).map(tuple)  # fmt: skip


def roundings(levels=ROUNDED):
    increments = st.sampled_from([Decimal(i) for i in ("1", "0.01", "0.001", "0.05")])
    return st.builds(Rounding, level=st.sampled_from(levels), mode=st.sampled_from(list(MODES)), increment=increments)


def computed(document):
    try:
        return compute(document)
    except UnusableTaxes:
        assume(False)


def mirrored(line):
    """As many pieces back: a fee on a piece that costs nothing comes back too."""
    return msgspec.structs.replace(line, quantity=-line.quantity, discount=-line.discount)


def totals(result):
    return result.net, result.tax, result.gross


@settings(deadline=None)
@given(lines(), roundings(), st.sampled_from([Decimal(0), Decimal("7"), Decimal("33.3")]), st.lists(prices, max_size=2))
def test_lines_are_the_document_and_net_and_tax_are_gross(of, rounding, percent, delivered):
    deliveries = tuple(Delivery(amount) for amount in delivered)
    result = computed(Document(of, rounding, deliveries=deliveries, discount_percent=percent))
    assert result.net + result.tax == result.gross
    for line in result.lines:
        assert line.net + line.tax == line.gross
        assert sum(taxed.amount for taxed in line.taxes) == line.tax
    assert totals(result) == tuple(sum(getattr(line, key) for line in result.lines) for key in ("net", "tax", "gross"))


@settings(deadline=None)
@given(lines(price_include=st.just(True)), roundings())
def test_a_price_that_includes_its_taxes_is_the_gross(of, rounding):
    result = computed(Document(of, rounding))
    with exactly():
        rounder = Rounder(rounding)
        if rounding.level in DOCUMENT and rounding.level != "document_per_rate":
            assert result.gross == rounder(sum(line.amount * line.quantity for line in of))
        else:
            assert [line.gross for line in result.lines] == [rounder(line.amount * line.quantity) for line in of]


@settings(deadline=None)
@given(lines(), roundings(DOCUMENT), st.randoms())
def test_the_order_of_lines_does_not_change_a_document(of, rounding, random):
    shuffled = list(of)
    random.shuffle(shuffled)
    assert totals(computed(Document(of, rounding))) == totals(computed(Document(tuple(shuffled), rounding)))


@settings(deadline=None)
@given(lines(), roundings(LEVELS), st.sampled_from([Decimal(0), Decimal("18")]))
def test_giving_everything_back_is_the_negative_of_the_sale(of, rounding, percent):
    sale = computed(Document(of, rounding, discount_percent=percent))
    back = computed(Document(tuple(mirrored(line) for line in of), rounding, discount_percent=percent))
    assert totals(back) == tuple(-units for units in totals(sale))
    for line, given_back in zip(sale.lines, back.lines, strict=True):
        assert [t.amount for t in given_back.taxes] == [-t.amount for t in line.taxes]
        assert given_back.net == -line.net


@settings(deadline=None)
@given(prices, st.sampled_from([Decimal("5"), Decimal("9.975"), Decimal("25.5")]))
def test_out_of_its_own_gross_comes_the_net_price(price, rate):
    exclusive = compute(Document((Line(price, taxes=(Tax("VAT", rate),)),)))
    gross = exclusive.gross * exclusive.step
    inclusive = compute(Document((Line(gross, taxes=(Tax("VAT", rate, price_include=True),)),)))
    assert inclusive.gross == exclusive.gross
    assert abs(inclusive.net - exclusive.net) <= 1


@settings(deadline=None)
@given(st.lists(prices, min_size=1, max_size=6), st.sampled_from(ROUNDED), st.integers(0, 100))
def test_a_discount_of_the_document_leaves_the_lines_by_just_that_much(of, level, part):
    document = Document(tuple(Line(price) for price in of), Rounding(level))
    before = compute(document)
    cents = before.net * part // 100
    after = compute(msgspec.structs.replace(document, discount=cents * before.step))
    assert before.net - after.net == cents
    assert all(0 <= now.net <= was.net for now, was in zip(after.lines, before.lines, strict=True))


@settings(deadline=None)
@given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10**6), min_size=1, max_size=12))
def test_nothing_is_lost_in_a_split(total, weights):
    with exactly():
        found = spread_by_weight(total, [Decimal(weight) for weight in weights])
    assert sum(found) == total
    base = sum(weights)
    for units, weight in zip(found, weights, strict=True):
        if base:
            assert abs(units * base - total * weight) < base
            assert weight or not units
    assert [-units for units in found] == spread_by_weight(-total, [Decimal(weight) for weight in weights])


@settings(deadline=None)
@given(st.lists(st.decimals("-1000", "1000", places=4), min_size=1, max_size=12), st.sampled_from(list(MODES)))
def test_what_was_rounded_together_comes_back_within_a_step(shares, mode):
    with exactly():
        rounder = Rounder(Rounding("line", mode, Decimal(1)))
        total = rounder(sum(shares))
        found = spread(total, shares)
    assert sum(found) == total
    for units, share in zip(found, shares, strict=True):
        assert abs(units - share) < 1 or (units == share)


@settings(deadline=None)
@given(st.integers(-(10**7), 10**7), st.lists(st.integers(0, 10**5), min_size=1, max_size=20))
def test_refunds_of_everything_end_at_the_tax_of_the_sale(tax, steps):
    whole = sum(steps)
    assume(whole)
    assert sum(refund_sequence(tax, steps, whole)) == tax


def _after(line, given_back):
    returned = tuple(a + b for a, b in zip(line.returned or (0, 0), given_back.taxes, strict=True))
    return msgspec.structs.replace(line, refunded=line.refunded + given_back.gross, returned=returned)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**5), st.integers(0, 2500), st.integers(0, 900)), min_size=1, max_size=5),
    st.data(),
)
def test_amounts_given_back_in_steps_end_at_the_sale(of, data):
    sold = [SoldLine(gross + a + b, (a, b)) for gross, a, b in of]
    for part in [*data.draw(st.lists(st.integers(1, 99), max_size=4)), 100]:
        step = -(-sum(line.gross - line.refunded for line in sold) * part // 100)
        back = refund_amount(sold, step)
        assert sum(line.gross for line in back) == step
        sold = [_after(line, given_back) for line, given_back in zip(sold, back, strict=True)]
    for line in sold:
        assert (line.refunded, line.returned) == (line.gross, line.taxes)


def test_a_refund_by_amount_takes_the_lines_in_proportion():
    """25.00 of a sale of 60 and 40 with 25 % on top: 15.00 and 10.00, with 3.00 and 2.00 of tax (Stripe's example)."""
    back = refund_amount([SoldLine(7500, (1500,)), SoldLine(5000, (1000,))], 2500)
    assert [(line.gross, line.taxes, line.net) for line in back] == [(1500, (300,), 1200), (1000, (200,), 800)]


def test_no_more_comes_back_than_was_paid():
    with pytest.raises(TooMuch):
        refund_line(SoldLine(100, (20,), refunded=60, returned=(12,)), 41)
    with pytest.raises(TooMuch):
        refund_amount([SoldLine(100, (20,))], 101)


whole_prices = st.decimals("-5000", "5000", places=2)
plain = st.builds(
    Tax, name=names, rate=rates, kind=st.sampled_from(["percent", "percent", "division"]), include_base_amount=st.booleans()
)  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(st.tuples(whole_prices, st.lists(plain, max_size=4)), min_size=1, max_size=5), st.booleans(),
    roundings(["line", "line_combined", "document_per_rate"]),
)  # fmt: skip
def test_what_is_computed_in_integers_is_what_is_computed_in_decimals(of, is_inclusive, rounding):
    """A threshold that nothing reaches keeps a line from the shorter way and changes no figure."""
    never = (Threshold("base_band", Decimal(0), Decimal(10**9)),)

    def result(thresholds):
        lines = tuple(
            Line(price, taxes=tuple(msgspec.structs.replace(t, price_include=is_inclusive, thresholds=thresholds) for t in taxes))
            for price, taxes in of
        )  # fmt: skip
        return computed(Document(lines, rounding))

    short, long = result(()), result(never)
    assert totals(short) == totals(long)
    for one, other in zip(short.lines, long.lines, strict=True):
        assert [taxed.amount for taxed in one.taxes] == [taxed.amount for taxed in other.taxes]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-(10**6), 10**6), st.integers(0, 40)), min_size=1, max_size=6),
    st.sampled_from([("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLP", 0), ("TND", 3)]),
)
def test_a_currency_with_other_digits_is_the_same_sale_in_other_units(of, currency):
    """So many yen, cents and fils at the same rates bear so many yen, cents and fils of tax."""
    code, digits = currency

    def tax_in(code, digits):
        lines = [
            {"amount": f"{Decimal(units).scaleb(-digits):f}", "taxes": [{"rate": str(rate)}]} for units, rate in of
        ]
        found = quote.answer({"currency": code, "lines": lines})
        assert len(found["tax"].partition(".")[2]) == digits
        return int(Decimal(found["tax"]).scaleb(digits))

    assert tax_in(code, digits) == tax_in("USD", 2)


@settings(max_examples=60, deadline=None)
@given(lines(amount=prices, price_include=st.just(False)), roundings(["line", "line_combined"]), st.data())
def test_refunds_of_a_computed_sale_end_at_each_of_its_taxes(of, rounding, data):
    sale = computed(Document(of, rounding))
    for line in sale.lines:
        sold = SoldLine(line.gross, tuple(taxed.amount for taxed in line.taxes))
        returned = (0,) * len(sold.taxes)
        steps = data.draw(st.lists(st.integers(0, abs(line.gross)), max_size=4))
        for done in [*sorted(steps), abs(line.gross)]:
            part = (done if line.gross > 0 else -done) - sold.refunded
            back = refund_line(sold, part)
            returned = tuple(a + b for a, b in zip(returned, back.taxes, strict=True))
            assert back.net + sum(back.taxes) == back.gross
            sold = msgspec.structs.replace(sold, refunded=sold.refunded + part, returned=returned)
        assert returned == sold.taxes


@settings(deadline=None)
@given(st.lists(st.integers(-60, 60), min_size=2, max_size=6), st.integers(1, 12), st.sampled_from(list(MODES)))
def test_a_split_in_integers_is_the_split_in_decimals(parts, whole, mode):
    """Small numbers, so that ties are common."""
    total = rounded_ratio(sum(parts), whole, mode)
    with exactly():
        assert total == Rounder(Rounding("line", mode, Decimal(1)))(Decimal(sum(parts)) / whole)
        assert spread_ratios(total, parts, whole) == spread(total, [Decimal(part) / whole for part in parts])


@settings(deadline=None)
@given(st.integers(-500, 500), st.integers(0, 60), st.integers(0, 60), st.sampled_from([1, -1]))
def test_what_leaves_a_line_is_its_share_by_largest_remainder(units, part, rest, sign):
    assume(part + rest)
    with exactly():
        wanted = spread_by_weight(units, [Decimal(sign * rest), Decimal(sign * part)])[1]
    assert part_of(units, sign * part, sign * (part + rest)) == wanted


def test_two_deliveries_leave_the_line_one_after_the_other():
    line = Line(Decimal(100), taxes=(Tax("VAT", Decimal(10)),))
    result = compute(Document((line,), deliveries=(Delivery(Decimal(10)), Delivery(Decimal(20)))))
    assert [(of.net, of.tax) for of in result.lines] == [(10000, 1000), (1000, 100), (2000, 200)]
