"""Stripe Tax: calculations, and where somebody wants them in Stripe's tax reports, transactions and their reversals.

The key is a secret or, better, a restricted one that may write tax calculations and transactions. It is sent as the bearer and told
to nobody: not to logs, not in an error.

Refunds are reversed line by line with the amounts of our own split, never as a `flat_amount`, so that Stripe's record and our books
are the same to the cent whatever the sequence of refunds.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from channels.adapters.stripe.client import HOST, VERSION
from salessync.core import http
from salessync.core.http import UnableToReach
from tax.providers import stripe_shapes as shapes
from tax.providers.answers import nothing
from tax.providers.priced import Asked, asked_of
from tax.providers.provider import ACCESS_REFUSED, Declined, Json, Unreachable, declined, refused
from tax.providers.refunds import Refund, refund_of

PATIENCE = 20.0  # seconds, for what is recorded
_REFUSALS = (400, 401, 402, 403, 404)  # statuses whose body says why
_PER_PAGE = 100


class StripeTax:
    """Speaks for one account. `today` is the day on which it is asked: Stripe computes for days near it only."""

    name = "stripe"
    capabilities = frozenset({"inclusive", "jurisdictions", "refund", "commit"})

    def __init__(self, key: str, today: date, address: str = "") -> None:
        self._key, self._today = key, today
        self._address = address.rstrip("/") or HOST

    def calculate(self, request: Mapping[str, Any], *, timeout: float) -> Json:
        """One calculation; a long one is read in pages."""
        asked = asked_of(request, "Stripe")
        form, warnings = shapes.form_of(asked, self._today)
        if shapes.is_nothing(asked):
            return nothing(len(asked.items), digits=asked.request.digits, warnings=warnings)
        ends = time.monotonic() + timeout
        calculation = self._call("POST", "/v1/tax/calculations", ends, form=form, asked=asked)
        try:
            rows = list(self._rows(calculation, f"/v1/tax/calculations/{calculation['id']}/line_items", ends))
            return shapes.answer_to(asked, calculation, rows, warnings)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise _unreadable(error) from None

    def commit(self, answer: Mapping[str, Any], reference: str) -> str:
        """A tax transaction under `reference`, which is unique in the account; a calculation can be recorded for 90 days."""
        calculation = answer.get("calculation")
        if not calculation:
            raise refused(
                "NOT_CALCULATED", "calculation", "the answer is not Stripe's: it has no calculation to record"
            )
        form = [("calculation", str(calculation)), ("reference", reference)]
        return self._record("/v1/tax/transactions/create_from_calculation", form)

    def refund(self, original: Mapping[str, Any], request: Mapping[str, Any]) -> Json:
        """By the sale's own figures; recorded as a reversal where the sale is."""
        refund = refund_of(original, request)
        recorded = original.get("recorded")
        if not recorded or not any(line.gross for line in refund.lines):
            return refund.answer()
        reference = request.get("reference")
        if not isinstance(reference, str) or not reference:
            raise refused("MISSING", "reference", "the refund of a recorded sale needs a reference of its own")
        form = [("mode", "full" if refund.is_everything else "partial"), ("original_transaction", str(recorded))]
        form.append(("reference", reference))
        if not refund.is_everything:
            form += self._reversed(refund, str(recorded), reference)
        return {**refund.answer(), "recorded": self._record("/v1/tax/transactions/create_reversal", form)}

    def void(self, recorded: str) -> None:
        """Reverse the whole transaction."""
        form = [("mode", "full"), ("original_transaction", recorded), ("reference", f"{recorded}-void")]
        self._record("/v1/tax/transactions/create_reversal", form)

    # --- reversals

    def _reversed(self, refund: Refund, recorded: str, reference: str) -> shapes.Form:
        """What goes back of each line of the transaction, which knows our items by their references."""
        ends = time.monotonic() + PATIENCE
        sold = self._call("GET", f"/v1/tax/transactions/{recorded}", ends, params={"expand[0]": "line_items"})
        try:
            rows = self._rows(sold, f"/v1/tax/transactions/{recorded}/line_items", ends)
            by_reference = {row["reference"]: row for row in rows}
            form: shapes.Form = []
            position = 0
            for number, line in enumerate(refund.lines):
                if not line.gross:
                    continue
                row = by_reference.get(shapes.reference_of(number))
                name = f"line_items[{position}]" if row else "shipping_cost"
                is_inclusive = (row or sold["shipping_cost"])["tax_behavior"] == "inclusive"
                form += [
                    (f"{name}[amount]", str(line.gross if is_inclusive else line.net)), (f"{name}[amount_tax]", str(line.tax)),
                ]  # fmt: skip
                if row:
                    form += [
                        (f"{name}[original_line_item]", str(row["id"])), (f"{name}[reference]", f"{reference}-{number}"),
                    ]  # fmt: skip
                    position += 1
        except (KeyError, TypeError, AttributeError) as error:
            raise _unreadable(error) from None
        return form

    # --- calls

    def _record(self, path: str, form: shapes.Form) -> str:
        """POST what is to be there once: the same form again is answered with the same record."""
        key = hashlib.sha256(repr((path, form)).encode()).hexdigest()
        answer = self._call("POST", path, time.monotonic() + PATIENCE, form=form, idempotency_key=key)
        if not isinstance(answer.get("id"), str):
            raise Unreachable("Stripe's answer names no transaction", is_worth_retrying=False)
        return str(answer["id"])

    def _rows(self, first: Mapping[str, Any], path: str, ends: float) -> Iterator[Json]:
        """A list's rows: as far as the object brought them, then page by page."""
        page = first["line_items"]
        last = ""
        while True:
            for row in page["data"]:
                last = row["id"]
                yield row
            if not page["has_more"]:
                return
            params = {"limit": _PER_PAGE, "starting_after": last}
            if "calculations" in path:
                params["expand[0]"] = "data.tax_breakdown"
            page = self._call("GET", path, ends, params=params)
            if not page["data"]:
                raise ValueError("a page without rows, where more were announced")

    def _call(
        self,
        method: str,
        path: str,
        ends: float,
        *,
        form: Sequence[tuple[str, str]] | None = None,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str = "",
        asked: Asked | None = None,
    ) -> Json:
        headers = {"Authorization": f"Bearer {self._key}", "Stripe-Version": VERSION}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if idempotency_key:  # not for calculations: Stripe would repeat a failure of its own for a day
            headers["Idempotency-Key"] = idempotency_key
        seconds = ends - time.monotonic()
        if seconds <= 0:
            raise Unreachable("Stripe took too long")
        try:
            answer = http.call(
                method=method, url=self._address + path, headers=headers, params=params, accepts=_REFUSALS, timeout=seconds,
                body=None if form is None else urlencode(form).encode(),
            )  # fmt: skip
            body = answer.json()
        except UnableToReach as error:
            raise Unreachable(
                self._without_key(str(error)), is_worth_retrying=not error.permanent, retry_after=error.retry_after
            ) from None
        if not isinstance(body, dict):
            raise Unreachable("Stripe's answer is no object", is_worth_retrying=False)
        if answer.status in _REFUSALS:
            raise self._refusal(answer.status, body.get("error"), asked)
        return body

    def _refusal(self, status: int, error: Any, asked: Asked | None) -> Declined:
        said = shapes.problem_of(error if isinstance(error, dict) else {}, asked)
        message = self._without_key(said.message)
        if status in (401, 403):
            return declined(ACCESS_REFUSED, "", message)
        return declined(said.code, said.path, message)

    def _without_key(self, message: str) -> str:
        return message.replace(self._key, "…") if self._key else message


def _unreadable(error: Exception) -> Unreachable:
    return Unreachable(f"Stripe's answer cannot be read: {type(error).__name__} {error}"[:300], is_worth_retrying=False)
