import pytest

from tests.sandbox.running import RunningBookkeeper


@pytest.fixture
def bookkeeper(tmp_path):
    running = RunningBookkeeper(tmp_path)
    yield running
    running.kill()
