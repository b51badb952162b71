import pytest

from ledger import outbox
from tests.sandbox.running import SECRET, RunningBookkeeper


@pytest.fixture
def bookkeeper(tmp_path, settings):
    """A running sandbox Bookkeeper that the settings point to."""
    running = RunningBookkeeper(tmp_path)
    settings.BOOKKEEPER_URL = running.url
    settings.BOOKKEEPER_SECRET = SECRET
    settings.OUTBOUND_ALLOWED_CIDRS = ["127.0.0.0/8"]
    outbox._resting.clear()
    yield running
    running.kill()
    outbox._resting.clear()
