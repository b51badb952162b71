"""A buyer's inquiry or chargeback; any state can follow any other. Pure."""

from typing import Literal

from channels.record import Amount, Instant, Record, Text


class Dispute(Record, kw_only=True, gc=False, tag="dispute"):
    """`amount` and `fee` in minor units of `currency`."""

    sale: Text | None = None
    tender_reference: Text | None = None
    kind: Literal["inquiry", "chargeback", "unknown"]
    state: Literal["needs_response", "under_review", "won", "lost", "closed", "unknown"]
    amount: Amount
    fee: Amount = 0
    due_by: Instant | None = None
