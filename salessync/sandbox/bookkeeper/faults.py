"""How Bookkeeper fails when it is told to."""

import re
import threading
from typing import Any, NamedTuple

from salessync.sandbox.bookkeeper.judging import BadRequest


class Fault(NamedTuple):
    """How the next answers fail: an HTTP status, or a name of `MODES`."""

    mode: str
    seconds: float
    retry_after: str | None
    of: str  # "push" or "read"


# before: nothing was accepted. after: it was, and the answer is lost or spoilt.
MODES = {
    "slow": "after: the answer comes late by `seconds`",
    "drop_reply": "after: the connection closes without an answer",
    "garbage": "after: 200 with something that is no answer",
    "html": "after: 200 with a page",
    "no_acknowledgement": "after: every entry accepted, without a receipt",
    "some_results": "after: the last result is left out",
    "conflict": "after: 409",
    "drip": "after: the answer one byte at a time, `seconds` between two",
    "huge": "after: 200 with 11 MB",
    "redirect": "before: 301 to the metadata address",
    "drop": "before: the connection closes without an answer",
}


class Faults:
    """Armed faults, each for a number of answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[tuple[Fault, int]] = []

    def arm(self, order: dict[str, Any]) -> None:
        """`{"mode", "times", "seconds", "retry_after", "of"}`; of "read" it is reading back that fails; times 0 clears everything."""
        mode, times = str(order.get("mode", "")), int(order.get("times", 1))
        if times and mode not in MODES and not re.fullmatch(r"[45][0-9][0-9]", mode):
            raise BadRequest(400, f"no fault is called {mode!r}; there are 4xx, 5xx, {', '.join(MODES)}")
        retry_after = order.get("retry_after")
        of = "read" if order.get("of") == "read" else "push"
        fault = Fault(mode, float(order.get("seconds", 1.0)), None if retry_after is None else str(retry_after), of)
        with self._lock:
            self._armed = [*self._armed, (fault, times)] if times else []

    def next(self, of: str) -> Fault | None:
        """The fault of this answer."""
        with self._lock:
            for index, (fault, times) in enumerate(self._armed):
                if fault.of == of:
                    self._armed[index : index + 1] = [(fault, times - 1)] if times > 1 else []
                    return fault
        return None

    def left(self) -> list[dict[str, Any]]:
        """What is armed."""
        with self._lock:
            return [{**fault._asdict(), "times": times} for fault, times in self._armed]
