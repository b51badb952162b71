"""Stops asking a service that does not answer, so that a queue of sales does not wait for one time-out after the other.

Closed, it lets every question through. FAILURES in a row within WINDOW seconds open it: nobody asks for PAUSE seconds, then one
question is let through as a trial, and each PAUSE another, until one is answered. The state lies in Django's cache, which all
processes share where that is Redis; where the cache fails, each process has its own. Losing it costs a few time-outs and nothing else.
"""

import logging
import threading
import time
from datetime import datetime
from typing import Any

from django.core.cache import cache

FAILURES = 5
WINDOW = 60.0  # seconds
PAUSE = 30.0  # seconds
_KEPT = 3600  # seconds; older state is forgotten, and the breaker closed

logger = logging.getLogger(__name__)
_own: dict[str, tuple[float, Any]] = {}
_lock = threading.Lock()


class Breaker:
    """Of one service for one company; `now` is an aware datetime."""

    def __init__(self, service: str, company_id: int) -> None:
        self._key = f"tax-breaker:{service}:{company_id}"

    def lets_through(self, now: datetime) -> bool:
        """Whether the service may be asked now; what is let through must end in `answered`, `failed` or `unused`."""
        opened = _get(f"{self._key}:open")
        if opened is None:
            return True
        waited = now.timestamp() - opened
        if waited < PAUSE:
            return False
        return _add(self._trial(opened, now))

    def _trial(self, opened: float, now: datetime) -> str:
        return f"{self._key}:trial:{opened}:{int((now.timestamp() - opened) // PAUSE)}"

    def unused(self, now: datetime) -> None:
        """The question that was let through at `now` was not asked after all: another may be the trial."""
        opened = _get(f"{self._key}:open")
        if opened is not None:
            _remove(self._trial(opened, now))

    def answered(self) -> None:
        """The service answered, be it with a no."""
        if _get(f"{self._key}:open") is not None or _get(f"{self._key}:failures"):
            _set(f"{self._key}:open", None)
            _set(f"{self._key}:failures", None)

    def failed(self, now: datetime) -> None:
        """The service could not be reached. Two processes that count at once may lose a count, which only opens it later."""
        at = now.timestamp()
        if _get(f"{self._key}:open") is not None:  # a trial, or a question that began before
            _set(f"{self._key}:open", at)
            return
        failures = [then for then in _get(f"{self._key}:failures") or [] if at - then < WINDOW] + [at]
        if len(failures) < FAILURES:
            _set(f"{self._key}:failures", failures)
            return
        _set(f"{self._key}:open", at)
        _set(f"{self._key}:failures", None)
        logger.warning("%s is not asked for %d s: %d failures in a row", self._key, PAUSE, len(failures))


# --- the state, in the cache or in this process


def _get(key: str) -> Any:
    try:
        return cache.get(key)
    except Exception:  # whatever the cache's backend raises
        return _own_get(key)


def _set(key: str, value: Any) -> None:
    try:
        cache.set(key, value, _KEPT)
    except Exception:
        with _lock:
            _own[key] = (time.monotonic() + _KEPT, value)


def _remove(key: str) -> None:
    try:
        cache.delete(key)
    except Exception:
        with _lock:
            _own.pop(key, None)


def _add(key: str) -> bool:
    """True for the first who comes."""
    try:
        return bool(cache.add(key, True, _KEPT))
    except Exception:
        with _lock:
            if _own.get(key, (0.0, None))[0] > time.monotonic():
                return False
            _own[key] = (time.monotonic() + _KEPT, True)
            return True


def _own_get(key: str) -> Any:
    with _lock:
        ends, value = _own.get(key, (0.0, None))
        if ends > time.monotonic():
            return value
        _own.pop(key, None)
        return None
