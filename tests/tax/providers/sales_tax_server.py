"""An OpenSalesTax server as its documentation describes it (docs/api.md and the request models of July 2026), with two ZIP codes."""

import json
import re
from decimal import ROUND_HALF_UP, Decimal

from tests.tax.providers.services import Service

KEY = "ost-key"
RATES = {
    "55401": [("Minnesota", "state", "6.875"), ("Hennepin County", "county", "0.15"), ("City of Minneapolis", "city", "0.5")],
    "10001": [("New York", "state", "4"), ("New York City", "city", "4.5"), ("MCTD", "district", "0.375")],
}  # fmt: skip
CATEGORIES = {"general", "clothing", "groceries", "prescription_drugs", "prepared_food", "digital_goods", "shipping"}


class FakeSalesTax(Service):
    """In New York clothing below 110 a line is exempt, in Minnesota all of it; groceries are in both."""

    def answer(self, method, path, headers, body):
        if (method, path) != ("POST", "/v1/calculate"):
            return 404, b'{"detail":"Not Found"}'
        if headers.get("X-API-Key") != KEY:
            return 401, b'{"detail":"Missing or invalid X-API-Key"}'
        question = json.loads(body, parse_float=Decimal)
        wrong = list(self.wrong(question))
        if wrong:
            return 422, json.dumps({"detail": wrong}).encode()
        lines = [self.line(question["address"]["zip5"], one) for one in question["line_items"]]
        total = {
            "subtotal": str(sum(Decimal(one["amount"]) for one in question["line_items"])),
            "tax_total": str(sum(Decimal(one["tax"]) for one in lines)), "lines": lines, "disclaimer": "Calculation only.",
            "coverage_warning": None, "shipping": None,
        }  # fmt: skip
        return 200, json.dumps(total).encode()

    def wrong(self, question):
        if set(question) != {"address", "line_items"} or not re.fullmatch(
            r"\d{5}", question["address"].get("zip5", "")
        ):
            yield {
                "loc": ["body", "address", "zip5"],
                "msg": "String should match pattern",
                "type": "string_pattern_mismatch",
            }
        for n, one in enumerate(question.get("line_items", ())):
            if Decimal(one["amount"]) < 0 or set(one) != {"amount", "category"} or one["category"] not in CATEGORIES:
                yield {
                    "loc": ["body", "line_items", n, "amount"],
                    "msg": "Input should be greater than or equal to 0",
                    "type": "x",
                }

    def line(self, zip5, given):
        amount, category = Decimal(given["amount"]), given["category"]
        line = {
            "amount": given["amount"],
            "category": category,
            "tax": "0",
            "rate_pct": "0",
            "jurisdictions": [],
            "note": None,
        }
        if zip5 not in RATES:
            return {**line, "note": f"No jurisdictions found for ZIP {zip5}; tax assumed zero."}
        if category == "groceries" or (category == "clothing" and (zip5 == "55401" or amount < 110)):
            return {**line, "note": f"{category} is exempt"}
        places = [
            {
                "name": name, "type": kind, "rate_pct": rate,
                "tax": str((amount * Decimal(rate) / 100).quantize(Decimal("0.0001"), ROUND_HALF_UP)),
            }
            for name, kind, rate in RATES[zip5]
        ]  # fmt: skip
        return {
            **line, "tax": str(sum(Decimal(p["tax"]) for p in places)), "jurisdictions": places,
            "rate_pct": str(sum(Decimal(p["rate_pct"]) for p in places)),
        }  # fmt: skip
