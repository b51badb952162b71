"""stripe-stateful-mock (npm), a small Stripe whose buyers dispute what they paid with certain tokens; localstripe has none such.

Its disputes can be asked for one by one; there is no list of them, no event, and no way to decide them.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.peers import running
from tests.peers.installing import npm_packages
from tests.peers.localstripe import LocalStripe

LOST_TO_FRAUD, NOT_RECEIVED, INQUIRY = (
    "tok_createDispute",
    "tok_createDisputeProductNotReceived",
    "tok_createDisputeInquiry",
)


@contextlib.contextmanager
def running_disputes(folder: Path) -> Iterator[LocalStripe]:
    """An account without any payment."""
    packages = npm_packages("stripe-stateful-mock-0.0.16", "stripe-stateful-mock@0.0.16")
    port = running.free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {"PORT": str(port), "NODE_PATH": str(packages / "node_modules")}
    command = [shutil.which("node") or "node", "--require", running.ENDING, running.SERVERS / "disputes.js"]
    with running.server(command, url=url, folder=folder, environment=environment):
        yield LocalStripe(url)
