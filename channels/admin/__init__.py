"""Channels, the inbox and its quarantine. The page of a sale is at the top, since it shows what later packages made of it."""

from channels.admin.channel import ChannelAdmin
from channels.admin.control import ControlDayAdmin
from channels.admin.event import EventAdmin
from channels.admin.mapping import MappingAdmin
from channels.admin.polling import FetchAdmin, ReadingAdmin
from channels.admin.privacy import PrivacyRequestAdmin
from channels.admin.quarantine import QuarantinedEventAdmin

__all__ = [
    "ChannelAdmin",
    "ControlDayAdmin",
    "EventAdmin",
    "FetchAdmin",
    "MappingAdmin",
    "PrivacyRequestAdmin",
    "QuarantinedEventAdmin",
    "ReadingAdmin",
]
