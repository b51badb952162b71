"""Who can compute tax, behind one interface. Pure: what an answer is and how one fails; nothing here asks anybody.

Requests and answers are the JSON of `quote_tax`: amounts are decimal strings in major units. Whoever answers, the answer has `net, tax,
gross, by_line, by_rate, treatment, warnings` and its lines in the order: the request's lines, then its delivery. Two keys may come on
top: `calculation`, the service's own id of it, and `recorded`, its id of the transaction that refunds are to be recorded against.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from salessync.core.problems import Problem, Refused

Json = dict[str, Any]

# What not everybody can do. Asked for it all the same, a provider refuses with a code.
CAPABILITIES = frozenset({
    "offline",  # needs no network, and is neither cached nor replaced when something fails
    "inclusive",  # prices that contain their tax
    "jurisdictions",  # each tax of a line apart, with its place
    "given_taxes",  # lines that say themselves which taxes apply
    "any_date",  # rates of other days than the last few
    "refund",  # recorded refunds are told to the service
    "commit",  # keeps a record of sales for its own reports
})  # fmt: skip

ACCESS_REFUSED = "ACCESS_REFUSED"  # the service does not take our key: a person must renew it


class Unreachable(Exception):
    """No usable answer. `is_worth_retrying`: the same question may succeed later, after `retry_after` seconds where the service says so."""

    def __init__(self, message: str, *, is_worth_retrying: bool = True, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.is_worth_retrying = is_worth_retrying
        self.retry_after = retry_after


class Declined(Refused):
    """Refused by the service itself: it was asked, and is there."""


class Provider(Protocol):
    """Every call raises Unreachable where there is no answer, and Refused where the answer is no."""

    name: str
    capabilities: frozenset[str]

    def calculate(self, request: Mapping[str, Any], *, timeout: float) -> Json:
        """The tax of a sale; `timeout` is in seconds and for everything that it takes."""
        ...

    def refund(self, original: Mapping[str, Any], request: Mapping[str, Any]) -> Json:
        """What a refund gives back of `original`, an answer of `calculate`, in negative amounts (tax.providers.refunds says how).

        Where the original was `recorded`, the refund is recorded too, under the request's `reference`; a repetition records nothing.
        """
        ...

    def commit(self, answer: Mapping[str, Any], reference: str) -> str:
        """Record the sale with the service under our `reference`; its id of the record. Again with the same is the same record."""
        ...

    def void(self, recorded: str) -> None:
        """Take a record back, whole. Again changes nothing."""
        ...


def refused(code: str, path: str, message: str) -> Refused:
    """One problem as the exception, before anybody was asked."""
    return Refused(Problem(code, path, message))


def declined(code: str, path: str, message: str) -> Declined:
    """The same as the service's answer."""
    return Declined(Problem(code, path, message))


def keeps_no_record(name: str) -> Refused:
    """For providers without `commit`."""
    return refused("NOT_SUPPORTED", "", f"{name} keeps no record of sales: there is nothing to commit or to take back")
