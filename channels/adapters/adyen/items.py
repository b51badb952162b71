"""Notification items: charges, refunds and disputes. Pure.

A payment is a charge under its own reference while it is authorised, released or refused; what is captured of it is a charge
under the capture's reference, since one payment can be captured in parts. Both bear the payment's reference, as the shop does.
An authorisation never says whether Adyen captures it by itself: it is captured once a CAPTURE or the settlement report says so.
"""

from typing import Any

from channels.adapter import Context, Ignored
from channels.adapters.adyen.reading import Reader, additional, card, method_type
from channels.adapters.adyen.words import (
    DISPUTE_DEFAULT,
    DISPUTE_OUTCOME,
    DISPUTE_STATUS,
    EVENT,
    NOTHING,
)
from channels.canonical import AnyRecord
from channels.charge import Charge
from channels.dispute import Dispute
from channels.reading import Json, stamp, text, word
from channels.record import Source
from channels.refund import Refund, RefundLine, RefundTender, RefundTotals
from salessync.core.problems import Problem, Refused

PROCESSOR = "adyen"


def item_record(raw: Any, where: str, test: bool, context: Context) -> AnyRecord:
    """The one record that an item prints; Ignored with a reason, or Refused with every problem."""
    reader = Reader()
    item = reader.object(raw, where[:-1] or "$")
    reader.finish()
    code = word(item.get("eventCode"))
    if code in NOTHING:
        raise Ignored(f"{code}: {NOTHING[code]}")
    read = EVENT.get(code)
    if read is None:
        raise Refused(
            Problem("UNKNOWN_EVENT", where + "eventCode", f"{code[:60]!r} is no event that is known here")
            if code
            else Problem("MISSING_EVENT", where + "eventCode", "the item does not say what happened")
        )
    found = Item(reader, item, where, code, read, test, context)
    record = found.record()
    reader.finish()
    return record


class Item:
    """One item while it is being read."""

    __slots__ = ("at", "code", "context", "item", "original", "own", "read", "reader", "succeeded", "test", "where")

    def __init__(
        self, reader: Reader, item: Json, where: str, code: str, read: str, test: bool, context: Context
    ) -> None:
        self.reader, self.item, self.where, self.code = reader, item, where, code
        self.read, self.test, self.context = read, test, context
        self.own = reader.identifier(item.get("pspReference"), where + "pspReference")
        self.original = reader.optional_id(item.get("originalReference"), where + "originalReference")
        self.succeeded = reader.success(item.get("success"), where + "success")
        self.at = reader.instant(item.get("eventDate"), where + "eventDate")

    def record(self) -> AnyRecord:
        """By the kind of event."""
        read = self.read
        if read == "cancel_or_refund":
            read = self._what_was_done()
        if read == "dispute":
            return self._dispute()
        if read in ("refund", "postponed_refund", "refund_failed"):
            return self._refund(read)
        if read == "authorisation":
            return self._charge(self.own, "authorized" if self.succeeded else "failed", self.own)
        if read == "capture_failed":
            return self._charge(self.own, "failed", self._payment())
        if not self.succeeded:
            self.reader.finish()
            raise Ignored(f"{self.code}: the request was refused, and the payment stands as it was")
        if read == "capture":
            return self._charge(self.own, "captured", self._payment())
        if read == "adjustment":
            payment = self._payment()
            return self._charge(payment, "authorized", payment)
        return self._release()

    def _what_was_done(self) -> str:
        """Adyen decides between the two by whether the payment was captured yet."""
        action = additional(self.item).get("modification.action")
        if not self.succeeded:
            return "release"
        if action == "cancel":
            return "release"
        if action == "refund":
            return "refund"
        self.reader.refuse(
            "UNKNOWN_ACTION", self.where + "additionalData", "the item does not say whether it cancelled or refunded"
        )
        return "refund"

    def _payment(self) -> str:
        """The payment that an item changes."""
        if self.original is None:
            self.reader.refuse(
                "MISSING_ID", self.where + "originalReference", "the item does not name the payment that it changes"
            )
        return self.original or ""

    def _release(self) -> Charge:
        """Nothing is or will be taken. A payment that expired names itself."""
        payment = self.own if self.code == "EXPIRE" and self.original is None else self._payment()
        if method_type(self.item) is None:
            self.reader.finish()
            raise Ignored(f"{self.code}: an authorisation was released before anything was taken of it")
        return self._charge(payment, "voided", payment)

    def _source(self, identifier: str) -> Source:
        return Source(
            channel=self.context.channel,
            adapter=PROCESSOR,
            id=identifier or "?",
            version=stamp(self.at) if self.at else "0",
            location=text(self.item.get("merchantAccountCode")),
            test=self.test,
        )

    def _envelope(self, identifier: str, extensions: Json) -> dict[str, Any]:
        zone = self.context.timezone
        at = self.at
        if at is None:
            self.reader.finish()
            raise AssertionError("a time that cannot be read is a problem")
        return {
            "source": self._source(identifier),
            "occurred_at": at,
            "timezone": zone,
            "business_date": self.reader.business_day(at, zone, self.context.day_cut_hour),
            "currency": self.reader.currency,
            "extensions": {"adyen": extensions} if extensions else {},
        }

    def _order(self) -> str | None:
        return self.reader.optional_id(self.item.get("merchantReference"), self.where + "merchantReference")

    def _charge(self, identifier: str, status: str, payment: str) -> Charge:
        amount = self.reader.amount(self.item.get("amount"), self.where + "amount")
        kind = method_type(self.item) or "unknown"
        extensions: Json = {} if identifier == payment else {"payment": payment}
        order = self._order()
        return Charge(
            **self._envelope(identifier, extensions),
            order_reference=order,
            tender_type=kind,  # type: ignore[arg-type]
            status=status,  # type: ignore[arg-type]
            amount=amount,
            captured=amount if status == "captured" else 0,
            reference=payment or None,
            card=card(self.item),
        )

    def _refund(self, read: str) -> Refund:
        """A refund counts as made once Adyen has sent it off; one that comes back afterwards has failed."""
        amount = self.reader.amount(self.item.get("amount"), self.where + "amount")
        if read == "refund_failed" or not self.succeeded:
            status = "failed"
        else:
            status = "pending" if read == "postponed_refund" else "succeeded"
        kind = method_type(self.item) or "unknown"
        order = self._order()
        extensions: Json = {"merchant_reference": order} if order else {}
        return Refund(
            **self._envelope(self.own, extensions),
            charge=self.original,
            status=status,  # type: ignore[arg-type]
            reason=text(self.item.get("reason")),
            lines=[RefundLine(type="adjustment", net=amount)],
            tenders=[
                RefundTender(
                    id=self.own or "?",
                    parent=self.original,
                    type=kind,  # type: ignore[arg-type]
                    amount=amount,
                    processor=PROCESSOR,
                    reference=self.own,
                )
            ],
            totals=RefundTotals(adjustment=amount, total=amount),
        )

    def _dispute(self) -> Dispute:
        """All events of one dispute bear the dispute's reference."""
        amount = self.reader.amount(self.item.get("amount"), self.where + "amount")
        more = additional(self.item)
        inquiry = self.code == "REQUEST_FOR_INFORMATION" or (
            "rfiReasonCode" in more and "chargebackReasonCode" not in more
        )
        extensions: Json = {"event": self.code}
        for key in ("chargebackReasonCode", "rfiReasonCode"):
            reason = text(more.get(key))
            if reason:
                extensions["reason_code"] = reason.strip()
        due_by = None
        if more.get("defensePeriodEndsAt") is not None:
            due_by = self.reader.instant(more["defensePeriodEndsAt"], self.where + "additionalData.defensePeriodEndsAt")
        return Dispute(
            **self._envelope(self.own, extensions),
            tender_reference=self.original,
            kind="inquiry" if inquiry else "chargeback",
            state=_state(self.code, more, inquiry),  # type: ignore[arg-type]
            amount=amount,
            due_by=due_by,
        )


def _state(code: str, more: Json, inquiry: bool) -> str:
    """The outcome that the event states, else the stage it tells, else what such an event begins with."""
    if code in DISPUTE_OUTCOME:
        return DISPUTE_OUTCOME[code]
    status = more.get("disputeStatus")
    if status is None:
        if code == "CHARGEBACK" and more.get("defendable") in (False, "false"):
            return "lost"
        return DISPUTE_DEFAULT[code]
    state = DISPUTE_STATUS.get(word(status), "unknown")
    return "closed" if inquiry and state in ("lost", "won") else state
