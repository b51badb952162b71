"""localstripe (PyPI), a stateful Stripe: what a merchant's checkout would ask of it, and its own figures.

Its limits: no disputes, no fees, no charge.* or refund.* events, payouts by hand and in EUR only, no
`amount_captured`. A partial capture is the whole charge and a refund of the rest, as Stripe told it before 2020.
What else it lacks is supplied in servers/stripe_account.py.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.peers import running
from tests.peers.installing import python_packages

KEY = "sk_test_peer"
GOOD, DECLINED = "4242424242424242", "4000000000000341"  # the second can be kept, but not charged


class LocalStripe:
    """One account."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {KEY}"

    def make(self, path: str, *, accepts: int = 200, **form):
        """POST with a form; the object that came of it. `metadata=…` may be a dict, and names may hold brackets."""
        flat = {}
        for key, value in form.items():
            flat |= {f"{key}[{k}]": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
        answer = self.session.post(f"{self.url}/v1/{path}", data=flat, timeout=10)
        assert answer.status_code == accepts, answer.text
        return answer.json()

    def get(self, path: str):
        """One object."""
        answer = self.session.get(f"{self.url}/v1/{path}", timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def all(self, kind: str):
        """Every object of a list, page by page."""
        found, after = [], {}
        while True:
            page = self.session.get(f"{self.url}/v1/{kind}", params={"limit": 37, **after}, timeout=10).json()
            found += page["data"]
            if not page["has_more"]:
                return found
            after = {"starting_after": page["data"][-1]["id"]}

    def customer(self) -> str:
        """Who pays with a card that is on file."""
        token = self.make("tokens", card=self._card(GOOD))
        return str(self.make("customers", source=token["id"])["id"])

    def card(self, number: str = GOOD) -> str:
        """A payment method."""
        return str(self.make("payment_methods", type="card", card=self._card(number))["id"])

    def debit(self) -> str:
        """A bank account, whose payment takes a moment."""
        return str(self.make("payment_methods", type="sepa_debit", sepa_debit={"iban": "DE89370400440532013000"})["id"])

    def send_events_to(self, url: str, secret: str) -> None:
        """Register a webhook endpoint."""
        answer = self.session.post(f"{self.url}/_config/webhooks/peer", data={"url": url, "secret": secret}, timeout=10)
        assert answer.status_code == 200, answer.text

    @staticmethod
    def _card(number: str) -> dict[str, str]:
        return {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}


@contextlib.contextmanager
def running_localstripe(folder: Path) -> Iterator[LocalStripe]:
    """An account without any payment."""
    packages = python_packages("localstripe-1.15.10", "localstripe==1.15.10")
    port = running.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, running.SERVERS / "stripe_account.py", str(port)]
    with running.server(command, url=url, folder=folder, environment={"PYTHONPATH": str(packages)}):
        yield LocalStripe(url)
