"""Files by their mapping: how they are split, how their cells are read, and what of a line belongs to which field."""

import csv as standard_library
import json
from datetime import UTC, datetime

import pytest

from channels import adapter, canonical, checks
from channels.adapter import Context, SignatureRefused, Trust
from channels.adapters.csv import events, file
from channels.adapters.csv.words import FIELDS, LINE_TYPE, REFUND_LINE_TYPE, STATUS, TENDER_STATE
from channels.record import Jurisdiction
from salessync.core.problems import Refused
from tests.golden import cases

VENDOR = adapter.get("csv")
CONTEXT = Context(channel="main-shop", timezone="Europe/Berlin", jurisdiction=Jurisdiction(country="DE"))

MAPPING = {
    "columns": {
        "No": "id", "At": "date", "Total": "total", "State": "status", "SKU": "line_sku", "Item": "line_name",
        "Qty": "line_quantity", "Each": "line_unit_price", "Tax": "line_tax", "Pay": "tender_type",
        "Paid": "tender_amount", "Ref": "tender_reference", "Of": "refund_of",
    },
    "defaults": {"currency": "EUR", "status": "completed"},
}  # fmt: skip
ROW = {
    "No": "1",
    "At": "2026-09-01T10:00:00Z",
    "Total": "12.00",
    "SKU": "MUG",
    "Qty": "1",
    "Each": "10.00",
    "Tax": "2.00",
}


def mapping(columns=None, without=(), **parts):
    kept = {name: field for name, field in MAPPING["columns"].items() if name not in without}
    return MAPPING | {"columns": kept | (columns or {})} | parts


def record(*rows, by=MAPPING, context=CONTEXT):
    (found,) = VENDOR.normalize({"mapping": by, "rows": list(rows) or [ROW]}, None, context)
    canonical.decode(canonical.encode(found))
    return found


def problems(*rows, by=MAPPING, **payload):
    with pytest.raises(Refused) as refused:
        VENDOR.normalize({"mapping": by, "rows": list(rows)} | payload, None, CONTEXT)
    return [(p.code, p.path) for p in refused.value.problems]


def codes(found):
    return [p.code for p in checks.check(found)]


def test_the_folder_does_not_hide_the_standard_librarys_csv():
    assert file.csv is standard_library and hasattr(file.csv, "reader")


def test_a_file_is_never_posted():
    with pytest.raises(SignatureRefused, match="captured, not posted"):
        VENDOR.verify({"x-signature": "x"}, b"{}", Trust(secrets=("s",)), datetime(2026, 9, 1, tzinfo=UTC))


def test_every_word_of_the_tables_has_a_meaning():
    assert {word for pair in STATUS.values() for word in pair[1:]} | {"unknown"} == set(TENDER_STATE)
    assert set(LINE_TYPE.values()) | {"unknown"} == set(REFUND_LINE_TYPE)
    assert all(FIELDS.values())


# --- a file is split into transactions


def split(text, by=MAPPING):
    return list(events(text, by))


def refused(text, by=MAPPING):
    with pytest.raises(Refused) as error:
        events(text, by)  # before the first payload is taken
    return [(p.code, p.message) for p in error.value.problems]


SMALL = {"columns": {"No": "id", "Sum": "total", "Name": "line_name"}}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_tells_the_delimiter(delimiter):
    text = "No,E-mail,Sum,Name\n1,a@b,5,x\n".replace(",", delimiter)
    assert split(text, SMALL) == [{"mapping": SMALL, "rows": [{"No": "1", "Sum": "5", "Name": "x"}], "lines": [2]}]


def test_rows_of_one_number_are_one_transaction_wherever_they_stand():
    text = "No;Sum;Name\n1;5;a\n2;6;b\n\n;;\n1;;c\n"
    one, two = split(text, SMALL)
    assert ([row["Name"] for row in one["rows"]], one["lines"]) == (["a", "c"], [2, 6])
    assert two["lines"] == [3]


def test_quoted_cells_hold_delimiters_lines_and_quotes():
    text = 'No;Sum;Name\r\n1;5;"a;b\r\nc ""d"""\r\n2;6;e\r\n'
    one, two = split(text, SMALL)
    assert one["rows"][0]["Name"] == 'a;b\r\nc "d"'
    assert (one["lines"], two["lines"]) == ([2], [4])


@pytest.mark.parametrize(
    "text", ["\ufeffNo;Sum;Name\n1;5;é\n", "\ufeffNo;Sum;Name\n1;5;é\n".encode(), "No;Sum;Name\n1;5;é"]
)
def test_utf8_with_and_without_its_mark(text):
    assert split(text, SMALL)[0]["rows"] == [{"No": "1", "Sum": "5", "Name": "é"}]


def test_a_spreadsheets_own_first_line_tells_the_delimiter():
    (one,) = split("sep=|\nNo|Sum|Name\n1|5;5|a,b\n", SMALL)
    assert (one["rows"][0], one["lines"]) == ({"No": "1", "Sum": "5;5", "Name": "a,b"}, [3])


def test_the_mapping_can_tell_the_delimiter():
    (one,) = split("No,Sum,Name,x;y\n1,2,3,4\n", SMALL | {"delimiter": ","})
    assert one["rows"] == [{"No": "1", "Sum": "2", "Name": "3"}]
    assert refused("No,Sum,Name\n1,2,3\n", SMALL | {"delimiter": ";"})[0][0] == "MISSING_COLUMN"


def test_a_short_row_has_empty_cells():
    assert split("No,Sum,Name\n1\n", SMALL)[0]["rows"] == [{"No": "1", "Sum": "", "Name": ""}]


def test_columns_that_are_not_mapped_are_not_taken():
    text = "No,Customer,Sum,E-mail,Name\n1,Ada Canary,5,canary@example.org,Mug\n"
    assert "canary" not in json.dumps(split(text, SMALL)).lower()


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "EMPTY_FILE", ""),
        (" \n \n", "EMPTY_FILE", ""),
        (b"No;Sum;Name\n1;5;\xe9\n", "NOT_UTF8", "UTF-8"),
        ("No;Sum;Name\n1;5;a\x00\n", "NUL_CHARACTER", ""),
        ("No;Sum;Name\n", "NO_ROWS", ""),
        ("No;Sum\n1;5\n", "MISSING_COLUMN", "line 1: there is no column 'Name'"),
        ("No;Sum;Name;Sum\n1;5;a;6\n", "DUPLICATE_COLUMN", "2 columns are called 'Sum'"),
        ("No;Sum;Name\n1;5;a\n2;6;b;c\n", "TOO_MANY_CELLS", "line 3: 4 cells"),
        ("No;Sum;Name\n1;5;a\n ;6;b\n", "MISSING_ID", "line 3, column 'No'"),
        ('No;Sum;Name\n1;5;a\n2;6;"b\n3;7;c\n', "NOT_CSV", "line 4"),
        ('No;Sum;Name\n1;5;"a"b\n', "NOT_CSV", "line 2"),
        ("No;Sum;Name\n1;5;" + "x" * 40_000 + "\n", "CELL_TOO_LONG", "line 2, column 'Name'"),
        ("No;Sum;Name\n1;5;" + "x" * 200_000 + "\n", "NOT_CSV", "line 2"),
    ],
)
def test_what_cannot_be_split_with_certainty_is_refused_as_a_whole(text, code, says):
    (problem,) = refused(text, SMALL)
    assert problem[0] == code and says in problem[1]


def test_every_bad_row_is_told_at_once_up_to_a_hundred():
    assert [code for code, _ in refused("No;Sum;Name\n;5;a\n2;6;b;c\n", SMALL)] == ["MISSING_ID", "TOO_MANY_CELLS"]
    assert len(refused("No;Sum;Name\n" + ";5;a\n" * 300, SMALL)) == 100


def test_a_mapping_that_cannot_be_used_refuses_the_file():
    assert [code for code, _ in refused("a\n1\n", {"columns": {"a": "total"}})] == ["MISSING_COLUMN"]
    assert [code for code, _ in refused("a\n1\n", None)] == ["NOT_AN_OBJECT"]


def test_a_problem_of_a_cell_names_its_line_and_column_in_the_file():
    text = "No,At,Total,SKU,Qty,Each,Tax,Item,State,Pay,Paid,Ref,Of\n\n1,2026-09-01T10:00:00Z,12.00,MUG,x,10.00,2.00\n"
    (payload,) = split(text)
    with pytest.raises(Refused) as error:
        VENDOR.normalize(payload, None, CONTEXT)
    (problem,) = error.value.problems
    assert (problem.code, problem.path) == ("BAD_NUMBER", "rows[0].Qty")
    assert problem.message.startswith("line 3, column 'Qty': 'x'")


# --- numbers


@pytest.mark.parametrize(
    ("decimal", "text", "minor"),
    [
        (".", "12", 1200),
        (".", "12.5", 1250),
        (".", "1,234.50", 123450),
        (".", "1,234", 123400),
        (".", "1'234.50", 123450),
        (".", "1’234’567.00", 123456700),
        (".", "1 234.50", 123450),
        (".", "1\u00a0234.50", 123450),
        (",", "12,5", 1250),
        (",", "1.234,50", 123450),
        (",", "1.234", 123400),
        (",", "1\u202f234,50", 123450),
        (",", " 12,00 ", 1200),
    ],
)
def test_a_number_is_read_as_the_mapping_says(decimal, text, minor):
    plain = {"Each": "10", "Tax": "2"}  # the same in both
    found = record(ROW | plain | {"Total": text}, by=mapping(decimal=decimal))
    assert found.totals.total == minor


@pytest.mark.parametrize(
    ("decimal", "text"),
    [
        (".", "12,5"),
        (".", "1,23,456"),
        (".", "1,234'567"),
        (".", "1.234.567"),
        (",", "12.5"),
        (",", "1.23"),
        (",", "12.345,6.7"),
        (".", "€12"),
        (".", "12 EUR"),
        (".", "(5.00)"),
        (".", "5.00-"),
        (".", "1e5"),
        (".", "=2+3"),
        (".", "+5"),
        (".", "٥"),
        (".", ".5"),
        (".", "5."),
        (".", "--5"),
        (".", "NaN"),
        (".", "9" * 16),
    ],
)
def test_a_number_that_could_be_another_is_refused(decimal, text):
    by = mapping(decimal=decimal)
    row = ROW | {"Total": text} | ({"Each": "10,00", "Tax": "2,00"} if decimal == "," else {})
    assert problems(row, by=by) == [("BAD_NUMBER", "rows[0].Total")]


def test_a_fraction_of_a_cent_is_no_amount_but_can_be_a_price():
    assert problems(ROW | {"Tax": "2.005"}) == [("AMOUNT_TOO_FINE", "rows[0].Tax")]
    found = record(ROW | {"Qty": "2.5", "Each": "3.999", "Total": "12.00"})
    assert (found.lines[0].unit_price, found.lines[0].quantity, found.lines[0].gross) == ("3.999", "2.5", 1000)
    assert record(ROW | {"Qty": "0.5", "Each": "0.97"}).lines[0].gross == 49, "half a cent goes up, as at a till"


def test_an_amount_beyond_what_json_carries_is_refused():
    assert problems(ROW | {"Qty": "9" * 15, "Each": "9" * 15}) == [("AMOUNT_TOO_LARGE", "rows[0].Each")]
    assert problems(ROW | {"Total": "9" * 15}) == [("AMOUNT_TOO_LARGE", "rows[0].Total")]


# --- times


@pytest.mark.parametrize(
    ("form", "zone", "text", "at", "day"),
    [
        (None, None, "2026-09-01T23:30:00-04:00", "2026-09-02T03:30:00Z", "2026-09-02"),
        ("%d.%m.%Y %H:%M", None, "01.09.2026 00:30", "2026-08-31T22:30:00Z", "2026-09-01"),
        ("%d.%m.%Y %H:%M", "UTC", "1.9.2026 00:30", "2026-09-01T00:30:00Z", "2026-09-01"),
        ("%m/%d/%y %I:%M:%S %p", "America/New_York", "09/01/26 11:59:59 PM", "2026-09-02T03:59:59Z", "2026-09-01"),
        ("%Y-%m-%d %H:%M:%S %z", "Asia/Tokyo", "2026-09-01 20:00:00 +0000", "2026-09-01T20:00:00Z", "2026-09-02"),
        ("%d %b %Y", "Pacific/Auckland", "01 Sep 2026", "2026-08-31T12:00:00Z", "2026-09-01"),
        (
            "%d.%m.%Y %H:%M",
            "Europe/Berlin",
            "25.10.2026 02:30",
            "2026-10-25T00:30:00Z",
            "2026-10-25",
        ),  # twice: the first
        ("%Y-%m-%d", "America/Asuncion", "2023-10-01", "2023-10-01T04:00:00Z", "2023-10-01"),  # midnight did not exist
    ],
)
def test_a_time_is_read_as_the_mapping_says(form, zone, text, at, day):
    found = record(ROW | {"At": text}, by=mapping(date_format=form, timezone=zone))
    assert (found.occurred_at.isoformat().replace("+00:00", "Z"), found.business_date.isoformat()) == (at, day)
    assert found.timezone == (zone or "Europe/Berlin")
    assert found.source.version == at


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (None, "2026-09-01"),
        (None, "2026-09-01T10:00:00"),
        ("%d.%m.%Y", "31.02.2026"),
        ("%d.%m.%Y", "09/01/2026"),
        ("%d.%m.%Y", "01.09.2026 10:00"),
        ("%d.%m.%Y", "٠١.٠٩.٢٠٢٦"),
        ("%d.%m.%Y %H:%M", "29.03.2026 02:30"),  # the clock was put forward over it
        ("%d.%m.%Y %H:%M %z", "01.01.0001 00:00 +1400"),
    ],
)
def test_a_time_that_is_none_is_refused(form, text):
    assert problems(ROW | {"At": text}, by=mapping(date_format=form)) == [("BAD_TIME", "rows[0].At")]


def test_a_day_alone_is_the_stores_day_whatever_hour_it_begins():
    late = Context(channel="bar", timezone="Europe/Berlin", day_cut_hour=5, jurisdiction=Jurisdiction(country="DE"))
    found = record(ROW | {"At": "01.09.2026"}, by=mapping(date_format="%d.%m.%Y"), context=late)
    assert found.business_date.isoformat() == "2026-09-01"
    assert found.occurred_at == datetime(2026, 9, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "form",
    ["", "%d.%m", "%Y-%m-%d %Y", "%Y-%m-%d %I:%M", "%Y-%m-%d %H %I %p", "%Y-%m-%d %", "%Y-%m-%d %A", "%x", "%y%Y%m%d", 5,
     "%Y-%m-%d %j", "%Y-%m-%b-%d", "x" * 61],
)  # fmt: skip
def test_a_date_format_must_name_one_whole_day(form):
    assert problems(ROW, by=mapping(date_format=form)) == [("BAD_DATE_FORMAT", "mapping.date_format")]


def test_the_version_is_a_number_or_a_time():
    by = mapping({"Rev": "version"})
    assert record(ROW | {"Rev": "7"}, by=by).source.version == "7"
    assert record(ROW | {"Rev": "2026-09-02T00:00:00+02:00"}, by=by).source.version == "2026-09-01T22:00:00Z"
    assert problems(ROW | {"Rev": "b"}, by=by) == [("BAD_TIME", "rows[0].Rev")]
    assert record(ROW, by=mapping(defaults=MAPPING["defaults"] | {"version": "3"})).source.version == "3"


# --- lines


def test_a_formula_is_a_text_like_any_other():
    for name in ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", '=HYPERLINK("http://x")'):
        found = record(ROW | {"Item": name, "SKU": name})
        assert (found.lines[0].name, found.lines[0].sku) == (name, name)


def test_a_card_number_in_a_text_is_masked():
    found = record(ROW | {"Item": "paid with 4111 1111 1111 1111"})
    assert found.lines[0].name.endswith("1111") and "4111" not in found.lines[0].name
    kept = VENDOR.scrub({"mapping": MAPPING, "rows": [ROW | {"Item": "paid with 4111111111111111"}]})
    assert "4111111111111111" not in json.dumps(kept)


def test_values_of_the_transaction_stand_in_any_row_but_only_once():
    plate = {"No": "1", "SKU": "PLATE", "Qty": "1", "Each": "5.00", "Tax": "1.00"}
    total = {"Total": "18.00"}
    for rows in ((ROW | total, plate), (ROW | total, plate | total), (ROW | {"Total": ""}, plate | total)):
        assert codes(record(*rows)) == []
    assert problems(ROW | total, plate | {"Total": "5.00"}) == [("CONFLICTING_ROWS", "rows[1].Total")]
    assert problems(ROW | total, plate | {"No": "2"}) == [("CONFLICTING_ROWS", "rows[1].No")]


def test_a_line_is_named_by_its_article_where_that_is_unique():
    rows = [ROW | {"SKU": sku, "Total": "48.00"} for sku in ("MUG", "MUG", "", "PLATE")]
    assert [line.id for line in record(*rows).lines] == ["line:1", "line:2", "line:3", "PLATE"]
    numbered = [row | {"Line": n} for row, n in zip(rows, "abcd", strict=True)]
    assert [line.id for line in record(*numbered, by=mapping({"Line": "line_id"})).lines] == list("abcd")


def test_the_files_own_figures_are_carried_so_that_the_proof_objects():
    assert codes(record(ROW | {"Total": "12.01"})) == ["TOTAL_MISMATCH"]
    by = mapping({"All tax": "tax"})
    assert codes(record(ROW | {"All tax": "2.00"}, by=by)) == []
    assert "TAX_MISMATCH" in codes(record(ROW | {"All tax": "1.99"}, by=by))
    assert codes(record(ROW, by=mapping(tax_inclusive=True))) == ["TOTAL_MISMATCH"]


def test_a_kind_of_row_that_is_new_is_unknown():
    by = mapping({"Kind": "line_type"})
    found = record(ROW | {"Kind": "raffle ticket"}, by=by)
    assert found.lines[0].type == "unknown" and "UNKNOWN_TYPE" in codes(found)
    assert record(ROW | {"Kind": "Gift-Card sale"}, by=by).lines[0].type == "gift_card_sale"
    raffle = mapping({"Kind": "line_type"}, words={"line_type": {"Raffle ticket": "donation"}})
    assert record(ROW | {"Kind": "RAFFLE  TICKET"}, by=raffle).lines[0].type == "donation"


def test_a_file_that_tells_no_tax_is_not_one_without_tax():
    by = mapping(without=["Tax"])
    assert problems(ROW, by=by) == [("MISSING_TAX", "rows[0].tax")]
    untaxed = mapping(without=["Tax"], defaults=MAPPING["defaults"] | {"tax": "0"})
    assert codes(record(ROW | {"Total": "10.00"}, by=untaxed)) == []


def test_a_tax_that_can_lie_on_nothing_is_refused():
    by = mapping({"All tax": "tax", "Rate": "tax_rate"}, without=["Tax"])
    assert problems(ROW | {"All tax": "2.00", "Rate": "0"}, by=by) == [("TAX_WITHOUT_LINES", "rows[0].All tax")]


def test_a_tax_of_the_transaction_lies_on_goods_and_shipping_alone():
    by = mapping({"All tax": "tax", "Kind": "line_type"}, without=["Tax"])
    kinds = ["item", "gift card", "tip", "donation", "delivery"]
    rows = [ROW | {"SKU": kind, "Kind": kind, "Total": "54.00", "All tax": "4.00"} for kind in kinds]
    found = record(*rows, by=by)
    assert [line.tax for line in found.lines] == [200, 0, 0, 0, 200]
    assert codes(found) == []


def test_one_discount_and_no_two():
    by = mapping({"Off": "discount"})
    found = record(ROW | {"Off": "-3.00", "Total": "9.00"}, by=by)
    assert (found.totals.discount, found.lines[0].net, codes(found)) == (300, 700, [])
    both = mapping({"Off": "discount", "Less": "line_discount"})
    assert problems(ROW, by=both) == [("TWO_DISCOUNTS", "mapping.columns")]


def test_tip_and_rounding_have_columns_of_their_own():
    by = mapping({"Tip": "tip", "Round": "rounding"})
    found = record(ROW | {"Tip": "1.03", "Round": "0.02", "Total": "13.05"}, by=by)
    assert (found.totals.tip, found.totals.rounding, codes(found)) == (103, 2, [])
    assert found.lines[-1].id == "tip"


def test_an_exchange_has_a_line_that_comes_back():
    back = {"No": "1", "SKU": "PLATE", "Qty": "-1", "Each": "5.00", "Tax": "-1.00"}
    found = record(ROW | {"Total": "6.00"}, back)
    assert (found.totals.net, found.lines[1].gross, codes(found)) == (500, -500, [])


# --- where, and what became of it


def test_a_place_of_the_file_goes_before_the_stores():
    by = mapping({"To": "country", "Region": "region"})
    place = record(ROW | {"To": "us", "Region": "US-NY"}, by=by).jurisdiction
    assert (place.country, place.region, place.basis) == ("US", "NY", "destination")
    assert record().jurisdiction == Jurisdiction(country="DE", basis="store")
    assert record(context=Context(channel="c")).jurisdiction is None


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Completed", ("completed", "paid")),
        ("PAID", ("open", "paid")),
        ("Partially-paid", ("open", "partially_paid")),
        ("Canceled", ("cancelled", "voided")),
        ("on hold", ("open", "pending")),
        ("weird", ("unknown", "unknown")),
    ],
)
def test_the_status_is_read_by_its_word(word, state):
    found = record(ROW | {"State": word})
    assert (found.status, found.payment_status) == state


def test_without_any_status_it_is_missing():
    by = mapping(defaults={"currency": "EUR"})
    assert problems(ROW, by=by) == [("MISSING_PAYMENT_STATUS", "rows[0].State")]


# --- payments


def paid(*cells, total="12.00", **row):
    """The payments of a sale whose rows have these cells; the first row has the line."""
    rows = [(ROW if n == 0 else {"No": "1"}) | row | {"Total": total} | one for n, one in enumerate(cells)]
    return record(*rows).tenders


def test_a_payment_without_an_amount_is_of_the_total():
    (tender,) = paid({"Pay": "Visa"})
    assert (tender.id, tender.type, tender.amount, tender.status) == ("payment:1", "card", 1200, "captured")


def test_a_file_that_does_not_say_how_it_was_paid_leaves_it_open():
    assert paid({}) is None
    assert paid({"State": "pending"}) == []
    assert record(by=mapping(without=["Pay", "Paid", "Ref"])).tenders is None


def test_a_default_way_to_pay_is_for_what_was_paid():
    by = mapping(defaults=MAPPING["defaults"] | {"tender_type": "cash", "tender_processor": "till"})
    assert [(t.type, t.amount, t.processor) for t in record(by=by).tenders] == [("cash", 1200, "till")]
    assert record(ROW | {"State": "unpaid"}, by=by).tenders == []


def test_payments_in_rows_of_their_own():
    found = paid({}, {"Pay": "cash", "Paid": "2.00"}, {"Pay": "visa", "Paid": "10.00", "Ref": "ch_1"})
    assert [(t.id, t.type, t.amount) for t in found] == [("payment:1", "cash", 200), ("ch_1", "card", 1000)]


def test_a_payment_that_every_row_repeats_counts_once():
    one = {"Pay": "visa", "Paid": "12.00"}
    plate = {"SKU": "PLATE", "Qty": "1", "Each": "0.00", "Tax": "0.00"}
    assert len(paid(one, plate | one, plate | one | {"SKU": "CUP"})) == 1
    with_reference = one | {"Ref": "ch_1", "Paid": "5.00"}  # the same reference is the same payment, whatever the total
    assert len(paid(with_reference, plate | with_reference, State="partially paid")) == 1


def test_payments_that_are_alike_count_each_where_they_come_to_the_total():
    one = {"Pay": "cash", "Paid": "6.00"}
    assert [t.amount for t in paid(one, one)] == [600, 600]
    assert [t.id for t in paid(one, one)] == ["payment:1", "payment:2"]


def test_payments_that_could_be_one_or_several_are_refused():
    one = {"Pay": "cash", "Paid": "5.00"}
    assert problems(ROW | one, {"No": "1"} | one) == [("AMBIGUOUS_PAYMENTS", "rows[1].Paid")]


def test_split_payments_need_their_amounts():
    assert problems(ROW | {"Pay": "cash"}, {"No": "1", "Pay": "visa"}) == [
        ("MISSING_AMOUNT", "rows[0].Paid"),
        ("MISSING_AMOUNT", "rows[1].Paid"),
    ]
    assert problems(ROW | {"Pay": "cash", "State": "partially paid"}) == [("MISSING_AMOUNT", "rows[0].Paid")]
    assert problems(ROW | {"Paid": "12.00"}) == [("MISSING_TENDER", "rows[0].Pay")]
    assert problems(ROW | {"Pay": "cash", "Paid": "-12.00"}) == [("NEGATIVE_AMOUNT", "rows[0].Paid")]


def test_a_new_way_to_pay_is_unknown():
    (tender,) = paid({"Pay": "seashells"})
    assert tender.type == "unknown"


# --- refunds

BACK = {
    "No": "R1", "Of": "1", "At": "2026-09-02T10:00:00Z", "Total": "12.00", "SKU": "MUG", "Qty": "1", "Each": "10.00",
    "Tax": "2.00", "Pay": "cash", "Paid": "12.00",
}  # fmt: skip


def test_rows_that_name_a_sale_are_a_refund_of_it():
    found = record(BACK)
    assert (found.record_type, found.sale, found.status, found.totals.total) == ("refund", "1", "succeeded", 1200)
    assert [(line.line, line.net, line.tax, line.quantity, line.restock) for line in found.lines] == [
        ("MUG", 1000, 200, "1", "none")
    ]
    assert [(t.type, t.amount) for t in found.tenders] == [("cash", 1200)]
    assert codes(found) == []


@pytest.mark.parametrize(
    "signs",
    [
        {"Qty": "-1"},
        {"Each": "-10.00"},
        {"Total": "-12.00"},
        {"Qty": "-1", "Total": "-12.00", "Tax": "-2.00", "Paid": "-12.00"},
        {"Tax": "-2.00"},
        {"Paid": "-12.00"},
    ],
)
def test_whichever_sign_a_file_gives_to_what_is_given_back(signs):
    assert canonical.encode(record(BACK | signs)) == canonical.encode(record(BACK))


def test_what_is_kept_back_is_an_adjustment():
    found = record(BACK | {"Total": "-11.00", "Paid": ""})
    assert [(line.type, line.net) for line in found.lines] == [("item", 1000), ("adjustment", -100)]
    assert (found.totals.adjustment, found.totals.total, codes(found)) == (-100, 1100, [])


def test_the_tax_of_a_refund_is_carried_so_that_the_proof_objects():
    by = mapping({"All tax": "tax"})
    assert codes(record(BACK | {"All tax": "-2.00"}, by=by)) == []
    assert "TAX_MISMATCH" in codes(record(BACK | {"All tax": "-1.50"}, by=by))


def test_the_tax_of_a_whole_refund_lies_on_its_lines():
    by = mapping({"All tax": "tax", "Rate": "tax_rate"}, without=["Tax"], tax_inclusive=True)
    rows = [
        BACK | {"Total": "-31.70", "Paid": "", "All tax": "-2.60", "Qty": "-1", "Each": "11.90", "Rate": "19"},
        {"No": "R1", "Of": "1", "SKU": "TEA", "Qty": "-2", "Each": "9.90", "Rate": "4"},
    ]
    found = record(*rows, by=by)  # 1.90 by its rate, and 0.76: in proportion, 2.60 is 1.86 and 0.74
    assert [(line.net, line.tax, line.taxes[0].rate) for line in found.lines] == [
        (1190, 186, "19.0"),
        (1980, 74, "4.0"),
    ]
    assert (found.totals.tax, codes(found)) == (260, [])
    assert found.extensions == {"csv": {"tax": "allocated to the lines"}}


def test_one_row_of_a_refund_without_its_sale_is_refused():
    assert problems(BACK, {"No": "R1", "SKU": "TEA", "Qty": "1", "Each": "0", "Tax": "0"}) == [
        ("MIXED_ROWS", "rows[1].Of")
    ]


def test_money_given_back_without_a_sale_is_refused():
    assert problems(ROW | {"Total": "-12.00"}) == [("NEGATIVE_TOTAL", "rows[0].Total")]


def test_what_comes_back_to_the_shelf():
    by = mapping({"Stock": "restock"})
    assert record(BACK | {"Stock": "Returned"}, by=by).lines[0].restock == "return"
    found = record(BACK | {"Stock": "recycled"}, by=by)
    assert found.lines[0].restock == "unknown" and codes(found) == ["UNKNOWN_RESTOCK"]


def test_a_refund_of_a_line_without_a_number_names_none():
    assert record(BACK | {"SKU": ""}).lines[0].line is None


# --- payloads


@pytest.mark.parametrize("cell", [5, True, [], {"a": 1}])
def test_a_cell_is_a_text(cell):
    assert problems(ROW | {"Qty": cell}) == [("BAD_CELL", "rows[0].Qty")]


def test_a_cell_can_be_missing():
    assert record({k: v for k, v in ROW.items() if v} | {"Item": None}).lines[0].name == ""


def test_rows_need_their_mapping_and_a_mapping_its_rows():
    for payload in ({"rows": [ROW]}, {"mapping": MAPPING}, {}):
        with pytest.raises(Refused, match="UNKNOWN_PAYLOAD"):
            VENDOR.normalize(payload, None, CONTEXT)
    assert problems() == [("NO_ROWS", "rows")]
    assert problems(ROW, lines=[1, 2]) == [("BAD_FIELD", "lines")]
    assert problems(ROW, lines=["1"]) == [("BAD_FIELD", "lines")]


def test_scrubbing_keeps_the_mapped_columns_alone():
    row = ROW | {"Customer": "Ada Canary", "Note": "canary@example.org"}
    kept = VENDOR.scrub({"mapping": MAPPING, "rows": [row], "lines": [2], "uploaded_by": "canary"})
    assert kept == {"mapping": MAPPING, "rows": [ROW], "lines": [2]}
    wrong = mapping({"Customer": "customer_name"})
    assert VENDOR.scrub({"mapping": wrong, "rows": [row]})["rows"] == [ROW]


def test_an_unknown_part_of_a_mapping_is_refused_before_and_after_scrubbing():
    by = MAPPING | {"date_fromat": "%d.%m.%Y"}
    assert problems(ROW, by=by) == [("UNKNOWN_FIELD", "mapping.date_fromat")]
    assert problems(ROW, by=VENDOR.scrub({"mapping": by, "rows": []})["mapping"]) == [
        ("UNKNOWN_FIELD", "mapping.date_fromat")
    ]


@pytest.mark.parametrize("case", cases("csv"), ids=lambda c: c.name)
def test_a_golden_file_survives_the_way_from_text_to_payload(case):
    """Written as a file again, and split again, a transaction is the same."""
    payload = json.loads(case.body)
    if not case.expected().get("records.jsonl"):
        pytest.skip("refused")
    columns = list(payload["rows"][0])
    lines = [columns, *([row[c] for c in columns] for row in payload["rows"])]
    text = "\n".join(";".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines)
    (again,) = events(text, payload["mapping"])
    outcome = "".join(canonical.encode(r).decode() + "\n" for r in VENDOR.normalize(again, None, case.context()))
    assert outcome == case.expected()["records.jsonl"]
