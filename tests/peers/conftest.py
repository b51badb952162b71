"""What every peer needs: it is on this machine, and no broker is."""

import time

import msgspec
import pytest

from channels.adapters.medusa import Medusa
from channels.adapters.vendure import Vendure
from salessync.core import nudge


@pytest.fixture(autouse=True)
def _on_this_machine(monkeypatch, settings):
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.0/8"]
    monkeypatch.setattr(nudge, "nudge", lambda task: False)


@pytest.fixture
def later(monkeypatch):
    """A pause after which a window no longer overlaps what was before: a change comes by the list that tells of it, or not at all."""
    for adapter in (Medusa, Vendure):
        streams = [msgspec.structs.replace(stream, overlap=1) for stream in adapter.streams]
        monkeypatch.setattr(adapter, "streams", tuple(streams))
    return lambda: time.sleep(2.5)
