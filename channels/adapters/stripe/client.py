"""How Stripe is asked. Pure.

Lists are newest first and have no filter by change, only by creation; `starting_after` names a row, so that what comes in at
the top while a list is being read shifts nothing. Changes come from /v1/events, which Stripe keeps for 30 days: for each
object that an event names, the object itself is read with all beside it, as old as that event.
"""

import hashlib
import re
from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from channels.canonical import AnyRecord
from channels.client import Account, Ask, Calls, CursorExpired, Found, Limits, Page, Pages, Pointer, Reply, Stream
from channels.reading import Json
from channels.refund import Refund
from salessync.core.problems import Problem, Refused

VERSION = "2026-10-28.endive"  # of the answers, and of the events that a new endpoint is sent
HOST = "https://api.stripe.com"
PER_PAGE = 100
EVENTS_PER_PAGE = 50  # each can cost a request of its own before its page can be stored

STREAMS = (
    Stream(name="events", totals="none"),
    # a balance transaction can come an hour after its charge
    Stream(name="charges", overlap=7200, every=3600, totals="created"),
    Stream(name="refunds", overlap=7200, every=3600, totals="created"),
    Stream(name="disputes", overlap=7200, every=3600, totals="none"),
    # the lines are known some time after the payout
    Stream(name="payouts", overlap=3 * 86400, every=6 * 3600, totals="none"),
)

CHARGE_TOPICS = frozenset({
    "charge.succeeded", "charge.pending", "charge.failed", "charge.captured", "charge.updated", "charge.refunded",
    "charge.expired",
})  # fmt: skip
REFUND_TOPICS = frozenset({"refund.created", "refund.updated", "refund.failed"})
DISPUTE_TOPICS = frozenset({
    "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed", "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
})  # fmt: skip
PAYOUT_TOPICS = frozenset({
    "payout.created", "payout.updated", "payout.paid", "payout.failed", "payout.canceled",
    "payout.reconciliation_completed",
})  # fmt: skip
TOPICS = CHARGE_TOPICS | REFUND_TOPICS | DISPUTE_TOPICS | PAYOUT_TOPICS
# /v1/events takes 20 types at most; a pending charge comes by the stream of charges, and by its end
LISTED_TYPES = sorted(TOPICS - {"charge.pending"})

# what is read beside an object; a refund's charge tells the payment method, the mode, and whether anything was captured
PATHS = {
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "payout": "payouts",
    "payment_intent": "payment_intents",
    "checkout.session": "checkout/sessions",
}
EXPANDED: dict[str, tuple[str, ...]] = {
    "charge": ("balance_transaction", "payment_intent"),
    "refund": ("balance_transaction", "charge", "failure_balance_transaction"),
    "payment_intent": ("latest_charge.balance_transaction",),
    "checkout.session": ("payment_intent.latest_charge.balance_transaction",),
}
STREAM_KIND = {"charges": "charge", "refunds": "refund", "disputes": "dispute", "payouts": "payout"}

_ID = re.compile("[A-Za-z0-9_-]{1,255}")


class Client:
    """Mixed into the adapter.

    Credentials: `token`, a secret key or better a restricted one that may read charges, payment intents, refunds, disputes,
    payouts, balance transactions and events (and write webhook endpoints, to subscribe); `account` (acct_…) where a platform
    speaks for a connected account.
    """

    topics: ClassVar[frozenset[str]] = TOPICS
    streams: ClassVar[tuple[Stream, ...]] = STREAMS
    limits: ClassVar[Limits] = Limits(per_second=20.0, burst=20)  # 25 a second are allowed for one list

    def base_url(self, account: Account) -> str:
        """Stripe's own host, test data too."""
        return account.base_url.rstrip("/") or HOST

    def authorization(self, account: Account) -> Mapping[str, str]:
        """The key, the version of the answers, and the connected account where there is one."""
        known = account.credentials
        headers = {"Authorization": f"Bearer {known.get('token') or ''}", "Stripe-Version": VERSION}
        return headers | ({"Stripe-Account": str(known["account"])} if known.get("account") else {})

    def pause(self, reply: Reply) -> float:
        """What Stripe advises, where it does."""
        told = reply.headers.get("retry-after", "")
        return float(told) if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", told) else 0.0

    def pointer(self, payload: Any, topic: str) -> Pointer | None:
        """A payment intent or checkout session names its charge; a thin event names whatever it is about."""
        return pointer(payload)

    def parent(self, record: AnyRecord) -> Pointer | None:
        """The charge that a refund gives back."""
        return Pointer("charge", record.charge) if isinstance(record, Refund) and record.charge else None

    def poll(
        self,
        stream: str,
        account: Account,
        *,
        since: datetime,
        until: datetime,
        cursor: str | None,
        created: bool = False,
    ) -> Pages:
        """The objects that events name, or the charges, refunds, disputes and payouts that came into being."""
        window = {"created[gte]": int(since.timestamp()), "created[lte]": int(until.timestamp())}
        if stream == "events":
            return poll_events(window, cursor)
        if stream == "payouts":
            return poll_payouts(window, cursor)
        if stream in STREAM_KIND:
            return poll_objects(STREAM_KIND[stream], window, cursor)
        raise ValueError(f"Stripe has no stream {stream!r}")

    def fetch(self, pointer: Pointer, account: Account) -> Calls:
        """A charge, refund, dispute, payout, payment intent or checkout session."""
        return fetch(pointer)

    def subscribe(self, account: Account, url: str) -> Calls:
        """One endpoint with every topic; Stripe tells its secret only when it is made."""
        return subscribe(sorted(self.topics), url)


# --- single requests


def _rows(reply: Reply, path: str) -> tuple[list[Json], bool]:
    """The rows of a list, and whether more follow."""
    body = reply.body if type(reply.body) is dict else {}
    rows = body.get("data")
    if type(rows) is not list or any(type(one) is not dict for one in rows):  # to take it for empty would lose a page
        raise Refused(Problem("BAD_ANSWER", path, f"Stripe answered without the list of {path}"))
    return rows, body.get("has_more") is True and bool(rows)


def _listed(
    path: str, params: Mapping[str, Any], cursor: str | None, limit: int = PER_PAGE
) -> Generator[Ask, Reply, tuple[list[Json], str | None]]:
    """One page of a list, and the cursor of the next one: the id of the last row."""
    asked = {**params, "limit": limit} | ({"starting_after": cursor} if cursor else {})
    reply = yield Ask(path=f"/v1/{path}", params=asked, accepts=(400, 404) if cursor else ())
    if reply.status in (400, 404):
        error = reply.body.get("error") if type(reply.body) is dict else None
        if type(error) is dict and error.get("param") == "starting_after":
            raise CursorExpired
        raise Refused(Problem("BAD_ANSWER", path, f"Stripe refused the request for the list of {path}"))
    rows, more = _rows(reply, path)
    return rows, _id(rows[-1].get("id"), path) if more else None


def _id(value: Any, path: str) -> str:
    if type(value) is str and _ID.fullmatch(value):
        return value
    raise Refused(Problem("BAD_ANSWER", path, f"Stripe answered with a row of {path} that has no id"))


def _object(kind: str, identifier: str) -> Generator[Ask, Reply, Json | None]:
    """One object with what is read beside it; None where there is none."""
    if kind not in PATHS or _ID.fullmatch(identifier) is None:
        return None
    expand = EXPANDED.get(kind, ())
    reply = yield Ask(
        path=f"/v1/{PATHS[kind]}/{identifier}", params={"expand[]": list(expand)} if expand else {}, accepts=(404,)
    )
    if reply.status == 404:
        return None
    if type(reply.body) is not dict:
        raise Refused(Problem("BAD_ANSWER", kind, f"Stripe answered without the {kind}"))
    return reply.body


# --- lists


def poll_objects(kind: str, window: Mapping[str, Any], cursor: str | None) -> Pages:
    """Charges, refunds or disputes by their creation, each with what is read beside it."""
    expand = [f"data.{one}" for one in EXPANDED.get(kind, ())]
    params = {**window, "expand[]": expand} if expand else window
    while True:
        rows, cursor = yield from _listed(PATHS[kind], params, cursor)
        yield Page(found=tuple(Found(one) for one in rows), cursor=cursor)
        if cursor is None:
            return


def poll_payouts(window: Mapping[str, Any], cursor: str | None) -> Pages:
    """Payouts with their lines, a page each: one can have very many."""
    while True:
        rows, following = yield from _listed("payouts", window, cursor)
        if not rows:
            yield Page()
        for index, payout in enumerate(rows):
            found = yield from _joined(payout)
            cursor = _id(payout.get("id"), "payouts") if index + 1 < len(rows) else following
            yield Page(found=(Found(found),), cursor=cursor)
        if following is None:
            return


def _joined(payout: Json) -> Calls:
    """The payout with its balance transactions, once Stripe can tell them; it never can of one that was made by hand."""
    if payout.get("automatic") is not True or payout.get("reconciliation_status", "completed") != "completed":
        return payout
    params = {"payout": _id(payout.get("id"), "payouts")}
    lines: list[Json] = []
    cursor: str | None = None
    while True:
        rows, cursor = yield from _listed("balance_transactions", params, cursor)
        lines += rows
        if cursor is None:
            return {"payout": payout, "balance_transactions": {"object": "list", "data": lines, "has_more": False}}


def poll_events(window: Mapping[str, Any], cursor: str | None) -> Pages:
    """What the events of the window are about, read as it is now: an event has neither fees nor the lines of a payout."""
    params = {**window, "types[]": LISTED_TYPES}
    while True:
        rows, cursor = yield from _listed("events", params, cursor, EVENTS_PER_PAGE)
        newest: dict[tuple[str, str], Json] = {}
        for event in rows:  # the newest first
            subject = _subject(event)
            if subject:
                newest.setdefault(subject, event)
        found = []
        for (kind, identifier), event in newest.items():
            found.append((yield from _read(kind, identifier, event)))
        yield Page(found=tuple(found), cursor=cursor)
        if cursor is None:
            return


def _subject(event: Json) -> tuple[str, str] | None:
    data = event.get("data")
    held = data.get("object") if type(data) is dict else None
    kind, identifier = (held.get("object"), held.get("id")) if type(held) is dict else (None, None)
    return (kind, identifier) if type(kind) is str and type(identifier) is str and kind in PATHS else None


def _read(kind: str, identifier: str, event: Json) -> Generator[Ask, Reply, Found]:
    """The object as of the event; the event itself where the object is gone."""
    held = yield from _object(kind, identifier)
    if held is None:
        return Found(event)
    joined = (yield from _joined(held)) if kind == "payout" else held
    payload = joined if "balance_transactions" in joined and kind == "payout" else {"read": joined}
    topic = event.get("type")
    return Found({**payload, "as_of": event.get("created")}, topic if type(topic) is str else "")


# --- single objects


def pointer(payload: Any) -> Pointer | None:
    """The object that an event only names."""
    if type(payload) is not dict:
        return None
    if payload.get("object") == "v2.core.event":
        about = payload.get("related_object")
        kind, identifier = (about.get("type"), about.get("id")) if type(about) is dict else (None, None)
        kind = kind.removeprefix("v1.") if type(kind) is str else ""
        return Pointer(kind, identifier) if kind in PATHS and type(identifier) is str and identifier else None
    data = payload.get("data")
    held = data.get("object") if payload.get("object") == "event" and type(data) is dict else None
    if type(held) is not dict:
        return None
    for kind, key, named in (
        ("payment_intent", "latest_charge", "charge"),
        ("checkout.session", "payment_intent", "payment_intent"),
    ):
        if held.get("object") == kind and type(held.get(key)) is str and held[key]:
            return Pointer(named, held[key])
    return None


def fetch(pointer: Pointer) -> Calls:
    """The object as `poll` would bring it; None where Stripe has none of that kind and id."""
    found = yield from _object(pointer.kind, pointer.id)
    if found is None:
        return None
    return Found((yield from _joined(found)) if pointer.kind == "payout" else found)


# --- subscriptions


def subscribe(topics: list[str], url: str) -> Calls:
    """Make the endpoint, or give the one that exists the topics that it lacks, and switch it on."""
    cursor: str | None = None
    while True:
        rows, cursor = yield from _listed("webhook_endpoints", {}, cursor)
        for one in rows:
            if one.get("url") == url:
                return (yield from _completed(one, topics))
        if cursor is None:
            break
    form = {"url": url, "api_version": VERSION} | _enabled(topics)
    key = hashlib.sha256("|".join([url, VERSION, *topics]).encode()).hexdigest()
    reply = yield Ask(method="POST", path="/v1/webhook_endpoints", form=form, headers={"Idempotency-Key": key})
    secret = reply.body.get("secret") if type(reply.body) is dict else None
    return {"made": topics, "secret": secret if type(secret) is str and secret else None}


def _completed(endpoint: Json, topics: list[str]) -> Calls:
    events = endpoint.get("enabled_events")
    enabled = [one for one in events if type(one) is str] if type(events) is list else []
    lacking = [] if "*" in enabled else [one for one in topics if one not in enabled]
    form = _enabled(enabled + lacking) if lacking else {}
    if endpoint.get("status") == "disabled":
        form["disabled"] = "false"
    if form:
        identifier = _id(endpoint.get("id"), "webhook_endpoints")
        yield Ask(method="POST", path=f"/v1/webhook_endpoints/{identifier}", form=form)
    return {"made": lacking, "secret": None}


def _enabled(topics: list[str]) -> dict[str, str]:
    return {f"enabled_events[{index}]": one for index, one in enumerate(topics)}
