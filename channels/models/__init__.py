from channels.models.channel import Channel
from channels.models.event import Event, Lease
from channels.models.quarantine import QuarantinedEvent
from channels.models.reading import Fetch, Pace, Reading
from channels.models.transaction import Line, Tender, Transaction, TransactionVersion

__all__ = [
    "Channel", "Event", "Fetch", "Lease", "Line", "Pace", "QuarantinedEvent", "Reading", "Tender", "Transaction", "TransactionVersion",
]  # fmt: skip
