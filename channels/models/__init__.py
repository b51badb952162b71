from channels.models.channel import Channel
from channels.models.control import ControlDay, ControlRecord, ControlTotal
from channels.models.event import Event, Lease
from channels.models.mapping import Mapping
from channels.models.privacy import Forgotten, PrivacyRequest
from channels.models.quarantine import QuarantinedEvent
from channels.models.reading import Fetch, Pace, Reading
from channels.models.transaction import Line, PayoutLine, Tender, Transaction, TransactionVersion

__all__ = [
    "Channel", "ControlDay", "ControlRecord", "ControlTotal", "Event", "Fetch", "Forgotten", "Lease", "Line", "Mapping", "Pace",
    "PayoutLine", "PrivacyRequest", "QuarantinedEvent", "Reading", "Tender", "Transaction", "TransactionVersion",
]  # fmt: skip
