"""Stripe Tax as its documentation describes it (docs.stripe.com/api/tax, version 2026-10-28): calculations, transactions, reversals.

Refuses every field that the documentation does not name. Its rates are a table of its own, in fractions; it rounds each tax of each
line half up, and knows nothing of the code under test.
"""

import itertools
import json
import re
import time
from fractions import Fraction
from urllib.parse import parse_qsl, urlsplit

from tests.tax.providers.services import Service

KEY = "sk_test_conformance"
# (country, state) → taxes in percent; for codes, others or a reason for none
RATES = {
    ("DE", ""): [("country", "VAT", "vat", "19")], ("FR", ""): [("country", "VAT", "vat", "20")],
    ("GB", ""): [("country", "VAT", "vat", "20")], ("US", "OR"): [],
    ("US", "NY"): [("state", "Sales Tax", "sales_tax", "4"), ("city", "Sales Tax", "sales_tax", "4.5"), ("district", "Sales Tax", "sales_tax", "0.375")],
}  # fmt: skip
REDUCED = {("DE", "txcd_40040000"): "7", ("GB", "txcd_40040000"): "0", ("DE", "txcd_35010000"): "7"}
EXEMPT = {"txcd_00000000", "txcd_10502000"}

ADDRESS = r"\[address\]\[(line1|line2|city|state|postal_code|country)\]"
FIELDS = re.compile(
    r"currency|customer|tax_date|expand\[\d+\]"
    rf"|customer_details(\[(address_source|ip_address|taxability_override)\]|{ADDRESS}|\[tax_ids\]\[\d+\]\[(type|value)\])"
    rf"|ship_from_details{ADDRESS}|shipping_cost\[(amount|shipping_rate|tax_behavior|tax_code)\]"
    r"|line_items\[\d+\]\[(amount|quantity|reference|tax_behavior|tax_code|product|performance_location)\]"
)
REVERSAL_FIELDS = re.compile(
    r"mode|original_transaction|reference|flat_amount|expand\[\d+\]|shipping_cost\[(amount|amount_tax)\]"
    r"|line_items\[\d+\]\[(amount|amount_tax|original_line_item|quantity|reference)\]"
)
EXPANDABLE = {"line_items", "line_items.data.tax_breakdown", "shipping_cost.tax_breakdown", "data.tax_breakdown"}


class Refusal(Exception):
    """Answered as Stripe's error object."""

    def __init__(self, message, *, code=None, param=None, status=400, kind="invalid_request_error"):
        super().__init__(message)
        self.status = status
        self.error = {"type": kind, "message": message, "code": code, "param": param}


class FakeStripe(Service):
    """`posted` counts what changed something."""

    def __init__(self):
        self.numbers = itertools.count(1)
        self.calculations, self.transactions, self.replies = {}, {}, {}

    def answer(self, method, path, headers, body):
        try:
            return 200, json.dumps(self.route(method, path, headers, body)).encode()
        except Refusal as refusal:
            return refusal.status, json.dumps({"error": refusal.error}).encode()

    def route(self, method, path, headers, body):
        if headers.get("Authorization") != f"Bearer {KEY}":
            given = (headers.get("Authorization") or "").removeprefix("Bearer ")
            raise Refusal(f"Invalid API Key provided: {given}", status=401)
        if headers.get("Stripe-Version") != "2026-10-28.endive":
            raise Refusal("unknown version")
        parts = urlsplit(path)
        if method == "GET":
            return self.get(parts.path, dict(parse_qsl(parts.query)))
        if headers.get("Content-Type") != "application/x-www-form-urlencoded":
            raise Refusal("Invalid content type")
        return self.once(
            parts.path, headers.get("Idempotency-Key"), dict(parse_qsl(body.decode(), strict_parsing=True))
        )

    def once(self, path, key, form):
        """Stripe repeats its answer to the same key, and refuses the key with other fields."""
        if key and key in self.replies:
            before, reply = self.replies[key]
            if before != (path, form):
                raise Refusal(
                    "Keys for idempotent requests can only be used with the same parameters", kind="idempotency_error"
                )
            return reply
        reply = {
            "/v1/tax/calculations": self.calculate, "/v1/tax/transactions/create_from_calculation": self.create,
            "/v1/tax/transactions/create_reversal": self.reverse,
        }[path](form)  # fmt: skip
        if key:
            self.replies[key] = ((path, form), reply)
        return reply

    # --- calculations

    def calculate(self, form):
        for name in form:
            if not FIELDS.fullmatch(name):
                raise Refusal(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        self.check(form)
        place = form["customer_details[address][country]"], form.get("customer_details[address][state]", "")
        if place[0] == "US" and not form.get("customer_details[address][postal_code]"):
            self.no_place()
        rates = RATES.get(place if place[0] == "US" else (place[0], ""))
        if rates is None:
            self.no_place()
        lines = [self.line(one, place, rates, form) for one in self.rows(form)]
        shipping = {k[14:-1]: v for k, v in form.items() if k.startswith("shipping_cost[")}
        shipped = self.taxed(shipping, place, rates, form) if shipping else None
        every = [*lines, *([shipped] if shipped else [])]
        number = f"taxcalc_{next(self.numbers)}"
        tax = {
            b: sum(one["amount_tax"] for one in every if one["tax_behavior"] == b) for b in ("inclusive", "exclusive")
        }
        self.calculations[number] = {
            "id": number, "object": "tax.calculation", "currency": form["currency"], "lines": lines, "shipping_cost": shipped,
            "amount_total": sum(one["amount"] for one in every) + tax["exclusive"],
            "tax_amount_inclusive": tax["inclusive"], "tax_amount_exclusive": tax["exclusive"],
        }  # fmt: skip
        expanded = {v for k, v in form.items() if k.startswith("expand[")}
        return self.shown(self.calculations[number], expanded, f"/v1/tax/calculations/{number}/line_items")

    def check(self, form):
        if not re.fullmatch("[a-z]{3}", form["currency"]):
            raise Refusal("Invalid currency", param="currency", code="parameter_invalid_string")
        if not {v for k, v in form.items() if k.startswith("expand[")} <= EXPANDABLE:
            raise Refusal("This property cannot be expanded", param="expand")
        if "tax_date" in form and abs(int(form["tax_date"]) - time.time()) > 31 * 86400:
            raise Refusal("tax_date must be within 31 days", param="tax_date", code="parameter_invalid_integer")
        if not re.fullmatch("[A-Z]{2}", form.get("customer_details[address][country]", "")):
            raise Refusal(
                "Country is required", param="customer_details[address][country]", code="country_code_invalid"
            )
        if form.get("customer_details[address_source]") not in ("shipping", "billing"):
            raise Refusal("address_source is required", param="customer_details[address_source]")

    def no_place(self):
        raise Refusal(
            "We could not determine the customer's tax location based on the provided customer address.",
            code="customer_tax_location_invalid", param="customer_details[address]",
        )  # fmt: skip

    def rows(self, form):
        found = {}
        for name, value in form.items():
            if match := re.fullmatch(r"line_items\[(\d+)\]\[(\w+)\]", name):
                found.setdefault(int(match[1]), {})[match[2]] = value
        if not found or sorted(found) != list(range(len(found))) or len(found) > 100:
            raise Refusal("Missing or too many line_items", param="line_items", code="parameter_missing")
        rows = [found[n] for n in range(len(found))]
        if len({one["reference"] for one in rows}) != len(rows):
            raise Refusal("References must be unique", param="line_items")
        return rows

    def line(self, given, place, rates, form):
        number = f"tax_li_{next(self.numbers)}"
        return {
            "id": number, "object": "tax.calculation_line_item", "reference": given["reference"],
            "quantity": int(given.get("quantity", 1)), **self.taxed(given, place, rates, form),
        }  # fmt: skip

    def taxed(self, given, place, rates, form):
        if not re.fullmatch("[1-9][0-9]*", given["amount"]):
            raise Refusal("Invalid positive integer", param="line_items[0][amount]", code="parameter_invalid_integer")
        if not re.fullmatch(r"txcd_\d{8}", given["tax_code"]):
            raise Refusal("No such tax code", param="line_items[0][tax_code]", code="resource_missing")
        amount, inclusive = int(given["amount"]), given["tax_behavior"] == "inclusive"
        breakdown = self.breakdown(amount, inclusive, given["tax_code"], place, rates, form)
        return {
            "amount": amount, "amount_tax": sum(one["amount"] for one in breakdown), "tax_behavior": given["tax_behavior"],
            "tax_code": given["tax_code"], "tax_breakdown": breakdown,
        }  # fmt: skip

    def breakdown(self, amount, inclusive, code, place, rates, form):
        override = form.get("customer_details[taxability_override]", "none")
        if override != "none" or code in EXEMPT or not rates:
            reason = override if override != "none" else "product_exempt" if code in EXEMPT else "not_subject_to_tax"
            return [self.entry(place, "country", None, reason, 0, 0)]
        reduced = REDUCED.get((place[0], code))
        if reduced is not None:
            rates = [("country", "VAT", "vat", reduced)]
        total = sum(Fraction(rate) for *_, rate in rates) / 100
        net = Fraction(amount) / (1 + total) if inclusive else Fraction(amount)
        taxes = [rounded(net * Fraction(rate) / 100) for *_, rate in rates]
        base = amount - sum(taxes) if inclusive else amount
        return [
            self.entry(
                place, level, {"display_name": name, "percentage_decimal": rate, "tax_type": kind},
                "zero_rated" if rate == "0" else "standard_rated" if reduced is None else "reduced_rated", tax, base,
            )
            for (level, name, kind, rate), tax in zip(rates, taxes, strict=True)
        ]  # fmt: skip

    def entry(self, place, level, details, reason, amount, base):
        where = {
            "country": place[0],
            "state": place[1] or None,
            "level": level,
            "display_name": f"{level} of {place[1] or place[0]}",
        }
        return {
            "amount": amount, "jurisdiction": where, "sourcing": "destination", "tax_rate_details": details,
            "taxability_reason": reason, "taxable_amount": base,
        }  # fmt: skip

    def shown(self, kept, expanded, url):
        """A list inside of an object has ten rows, and says whether there are more."""
        shown = {key: value for key, value in kept.items() if key != "lines"}
        if "line_items" in expanded:
            shown["line_items"] = self.page(kept["lines"], 10, "", "line_items.data.tax_breakdown" in expanded, url)
        if kept["shipping_cost"]:
            shown["shipping_cost"] = trimmed(kept["shipping_cost"], "shipping_cost.tax_breakdown" in expanded)
        return shown

    def page(self, lines, limit, after, with_taxes, url):
        start = next((n + 1 for n, one in enumerate(lines) if one["id"] == after), 0)
        rows = [trimmed(one, with_taxes) for one in lines[start : start + limit]]
        return {"object": "list", "url": url, "data": rows, "has_more": start + limit < len(lines)}

    def get(self, path, query):
        match = re.fullmatch(r"/v1/tax/(calculations|transactions)/(\w+)(/line_items)?", path)
        kept = (self.calculations if match[1] == "calculations" else self.transactions).get(match[2])
        if kept is None:
            raise Refusal(f"No such object: {match[2]}", code="resource_missing", status=404)
        expanded = {v for k, v in query.items() if k.startswith("expand[")}
        if not match[3]:
            return self.shown(kept, expanded, f"{path}/line_items")
        return self.page(
            kept["lines"],
            int(query.get("limit", 10)),
            query.get("starting_after", ""),
            "data.tax_breakdown" in expanded,
            path,
        )

    # --- transactions

    def create(self, form):
        if set(form) != {"calculation", "reference"}:
            raise Refusal("unknown parameter", code="parameter_unknown")
        calculation = self.calculations.get(form["calculation"])
        if calculation is None:
            raise Refusal("No such calculation", code="resource_missing", param="calculation", status=404)
        lines = [
            {
                **{k: v for k, v in one.items() if k != "tax_breakdown"},
                "id": f"tax_li_{next(self.numbers)}",
                "type": "transaction",
            }
            for one in calculation["lines"]
        ]
        return self.keep(form["reference"], lines, calculation["shipping_cost"], calculation["currency"], "transaction")

    def keep(self, reference, lines, shipping, currency, kind, original=None):
        if any(one["reference"] == reference for one in self.transactions.values()):
            raise Refusal("Reference must be unique", param="reference", code="parameter_invalid_string")
        number = f"tax_{next(self.numbers)}"
        self.transactions[number] = {
            "id": number, "object": "tax.transaction", "type": kind, "reference": reference, "currency": currency,
            "lines": lines, "shipping_cost": shipping, "original": original,
        }  # fmt: skip
        return self.shown(self.transactions[number], set(), "")

    def reverse(self, form):
        for name in form:
            if not REVERSAL_FIELDS.fullmatch(name):
                raise Refusal(f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
        sold = self.transactions.get(form["original_transaction"])
        if sold is None:
            raise Refusal("No such transaction", code="resource_missing", param="original_transaction", status=404)
        if form["mode"] == "full":
            lines = [
                {**one, "amount": -one["amount"], "amount_tax": -one["amount_tax"], "original_line_item": one["id"]}
                for one in sold["lines"]
            ]
            shipping = sold["shipping_cost"]
            shipping = shipping and {**shipping, "amount": -shipping["amount"], "amount_tax": -shipping["amount_tax"]}
        else:
            lines = [
                {key: int(value) if key.startswith("amount") else value for key, value in one.items()}
                for one in self.parts(form)
            ]
            shipping = {k[14:-1]: int(v) for k, v in form.items() if k.startswith("shipping_cost[")} or None
            if not lines and not shipping:
                raise Refusal("one of line_items, shipping_cost, flat_amount is required", param="line_items")
            for one in [*lines, *([shipping] if shipping else [])]:
                if one["amount"] > 0 or one["amount_tax"] > 0:
                    raise Refusal("amounts to reverse are negative", param="line_items")
            known = {one["id"] for one in sold["lines"]}
            if not {one["original_line_item"] for one in lines} <= known:
                raise Refusal("No such line item", param="line_items", code="resource_missing")
        if self.left(sold["id"])[0] + sum(one["amount"] for one in lines) + (shipping["amount"] if shipping else 0) < 0:
            raise Refusal("more is reversed than was there", param="line_items")
        return self.keep(form["reference"], lines, shipping, sold["currency"], "reversal", sold["id"])

    def parts(self, form):
        found = {}
        for name, value in form.items():
            if match := re.fullmatch(r"line_items\[(\d+)\]\[(\w+)\]", name):
                found.setdefault(int(match[1]), {})[match[2]] = value
        return [found[n] for n in sorted(found)]

    def left(self, number):
        """(amount, tax) of a transaction that no reversal took back."""
        of = [one for one in self.transactions.values() if number in (one["id"], one["original"])]
        rows = [row for one in of for row in [*one["lines"], *([one["shipping_cost"]] if one["shipping_cost"] else [])]]
        return sum(row["amount"] for row in rows), sum(row["amount_tax"] for row in rows)


def trimmed(line, with_taxes):
    return {**line, "tax_breakdown": line.get("tax_breakdown") if with_taxes else None}


def rounded(value):
    """Half up, of what is not negative."""
    return int(value + Fraction(1, 2))
