from channels.models.channel import Channel
from channels.models.event import Event
from channels.models.quarantine import QuarantinedEvent
from channels.models.transaction import Line, Tender, Transaction, TransactionVersion

__all__ = ["Channel", "Event", "Line", "QuarantinedEvent", "Tender", "Transaction", "TransactionVersion"]
