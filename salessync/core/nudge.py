"""Wake a worker by a task's name. A hint only: it never raises, and a broker that hangs costs one request, not all."""

import logging
import time

from salessync.celery import app

logger = logging.getLogger(__name__)

DRAIN_INBOX = "salessync.tasks.drain_inbox"
PUSH_OUTBOX = "salessync.tasks.push_outbox"
PUSH_STOCK = "salessync.tasks.push_stock"
CHECK_TOTALS = "salessync.tasks.check_totals"

_REST_AFTER_FAILURE = 30.0  # seconds without a try, since each try at a hung broker costs the 2 s of its time-out
_COALESCE = 0.02  # seconds in which one nudge stands for all

_quiet_until: dict[str, float] = {}


def nudge(task: str) -> bool:
    """Ask for `task` to run soon; False where it was not asked for. The sweepers find the work in any case."""
    now = time.monotonic()
    if now < _quiet_until.get(task, 0.0) or now < _quiet_until.get("broker", 0.0):
        return False
    _quiet_until[task] = now + _COALESCE
    try:
        app.send_task(task, expires=60, retry=False)
    except Exception as error:
        _quiet_until["broker"] = time.monotonic() + _REST_AFTER_FAILURE
        logger.warning("the broker did not take a nudge (%s); the sweepers go on without it", type(error).__name__)
        return False
    return True
