from channels.models.channel import Channel
from channels.models.event import Event, Lease
from channels.models.quarantine import QuarantinedEvent
from channels.models.transaction import Line, Tender, Transaction, TransactionVersion

__all__ = ["Channel", "Event", "Lease", "Line", "QuarantinedEvent", "Tender", "Transaction", "TransactionVersion"]
