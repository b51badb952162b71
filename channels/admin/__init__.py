"""Channels, the inbox and its quarantine. The page of a sale is at the top, since it shows what later packages made of it."""

from channels.admin.channel import ChannelAdmin
from channels.admin.event import EventAdmin
from channels.admin.quarantine import QuarantinedEventAdmin

__all__ = ["ChannelAdmin", "EventAdmin", "QuarantinedEventAdmin"]
