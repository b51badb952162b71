"""How Square is asked: lists by time, single objects, subscriptions; stock.py asks for counts. Pure: generators that yield asks and pages.

A list is read by keyset: each request begins at the last time that was read, so that objects which change meanwhile move to the end
of the list and push nobody out of it. Square's own cursor is used only inside of one instant that fills a whole page.
"""

import hashlib
import json
import re
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from channels.client import (
    Account,
    Ask,
    Calls,
    CursorExpired,
    Found,
    Page,
    Pages,
    Pointer,
    Reply,
    Stream,
)  # fmt: skip
from channels.reading import Json, word
from salessync.core import dates
from salessync.core.problems import Problem, Refused

VERSION = "2026-09-16"
DAY = 24 * 3600

# Payouts are listed by their beginning alone and change for days after it; disputes have no filter by time at all.
STREAMS = (
    Stream(name="orders"),
    Stream(name="payments"),
    Stream(name="refunds"),
    Stream(name="payouts", overlap=10 * DAY, every=3600, totals="none"),
    Stream(name="disputes", overlap=30 * DAY, every=3600, totals="none"),
)
MOST_LOCATIONS = 10  # of one search for orders
ALL = "*"  # in place of a location, where a list is of all of them

ID = re.compile(r"[A-Za-z0-9_:-]{1,255}")  # what may stand in a path: nothing that leads out of it
_ONE = {"order": "orders", "payment": "payments", "refund": "refunds", "dispute": "disputes", "payout": "payouts"}


# --- tokens


def authorization(account: Account) -> Mapping[str, str]:
    """The headers of every request."""
    return {"Authorization": f"Bearer {account.credentials.get('token', '')}", "Square-Version": VERSION}


def refresh(account: Account) -> Ask | None:
    """Trade the refresh token for a new access token."""
    held = account.credentials
    if not held.get("refresh_token") or not held.get("client_id"):
        return None
    form = {"client_id": held["client_id"], "grant_type": "refresh_token", "refresh_token": held["refresh_token"]}
    if held.get("client_secret"):
        form["client_secret"] = held["client_secret"]
    return Ask(method="POST", path="/oauth2/token", json=form)


def renewed(reply: Reply, account: Account, now: datetime) -> dict[str, Any]:
    """The credentials with the new token; without a stated end it is taken to last a day, as a short-lived one does."""
    body = body_of(reply)
    token = word(body.get("access_token"))
    if not token:
        raise Refused(Problem("NO_TOKEN", "access_token", "Square's answer holds no new access token"))
    try:
        expires = dates.parse_instant(body.get("expires_at"))
    except dates.DateError:
        expires = now + timedelta(days=1)
    held = dict(account.credentials) | {"token": token, "expires_at": int(expires.timestamp())}
    if word(body.get("refresh_token")):
        held["refresh_token"] = body["refresh_token"]
    return held


def pause(reply: Reply) -> float:
    """Seconds that Square asks to wait."""
    told = reply.headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdigit() and len(told) <= 5 else 0.0


# --- lists


class Place(msgspec.Struct, frozen=True):
    """Where a poll has got to; its text is the cursor.

    `after`: the last location that is finished. `batch`: the locations that are being read. `start`: their next request begins at
    this time, of which `seen` are read already. `token`: Square's own cursor, inside of that one instant.
    """

    after: str = ""
    batch: tuple[str, ...] = ()
    start: str = ""
    seen: tuple[str, ...] = ()
    token: str | None = None


class Listing(msgspec.Struct, frozen=True):
    """One list of Square's. `key`: the rows in the answer; `by`: the time they are sorted by."""

    key: str
    by: str
    size: int
    ask: Callable[["Listing", Place, str], Ask]


def poll(
    stream: str, account: Account, *, since: datetime, until: datetime, cursor: str | None, created: bool
) -> Pages:
    """One window of a stream."""
    start, end = dates.format_instant(since), dates.format_instant(until)
    if stream not in {one.name for one in STREAMS}:
        raise ValueError(f"Square has no stream {stream!r}")
    if stream == "disputes":
        return _disputes(since, until, cursor, created=created)
    return _listed(_listing(stream, created=created), account, start, end, cursor)


def _listing(stream: str, *, created: bool) -> Listing:
    by = "created_at" if created or stream == "payouts" else "updated_at"
    ask = {"orders": _ask_orders, "payouts": _ask_payouts}.get(stream, _ask_payments)
    return Listing(stream, by, MOST_LOCATIONS if stream == "orders" else 1, ask)


def _ask_orders(listing: Listing, place: Place, end: str) -> Ask:
    query = {
        "filter": {
            "date_time_filter": {listing.by: {"start_at": place.start, "end_at": end}},
            "state_filter": {"states": ["OPEN", "COMPLETED", "CANCELED"]},
        },
        "sort": {"sort_field": listing.by.upper(), "sort_order": "ASC"},
    }
    asked: Json = {"location_ids": list(place.batch), "limit": 100, "query": query}
    if place.token:
        asked["cursor"] = place.token
    return Ask(method="POST", path="/v2/orders/search", json=asked, accepts=_accepts(place))


def _ask_payments(listing: Listing, place: Place, end: str) -> Ask:
    prefix = "" if listing.by == "created_at" else "updated_at_"
    params = {f"{prefix}begin_time": place.start, f"{prefix}end_time": end, "sort_field": listing.by.upper()}
    return _ask_list(listing, place, params)


def _ask_payouts(listing: Listing, place: Place, end: str) -> Ask:
    """Each payout costs more requests, for its entries, before the page can be stored: so few to a page."""
    return _ask_list(listing, place, {"begin_time": place.start, "end_time": end, "limit": 25})


def _ask_list(listing: Listing, place: Place, params: Json) -> Ask:
    params = {"sort_order": "ASC", "limit": 100} | params
    if place.batch[0] != ALL:
        params["location_id"] = place.batch[0]
    if place.token:
        params["cursor"] = place.token
    return Ask(path=f"/v2/{listing.key}", params=params, accepts=_accepts(place))


def _accepts(place: Place) -> tuple[int, ...]:
    return (400,) if place.token else ()


def _listed(listing: Listing, account: Account, start: str, end: str, cursor: str | None) -> Pages:
    """Every location's rows, one batch of locations after the other."""
    place = _parse(cursor) if cursor else Place()
    locations: dict[str, Json] = {ALL: {}}
    if listing.key != "refunds":  # the only list that is of all locations
        locations = yield from locations_of(account)
    if not place.batch:
        place = _next_batch(place, locations, listing, start)
    if not place.batch:
        yield Page()
    while place.batch:
        reply = yield listing.ask(listing, place, end)
        body = body_of(reply)
        if is_refused(reply):
            raise CursorExpired
        rows = [row for row in rows_of(body, listing.key) if not _is_seen(row, place, listing)]
        found = yield from _joined(listing, rows, locations)
        place = _onward(place, rows_of(body, listing.key), listing.by, body.get("cursor"))
        if not place.batch:
            place = _next_batch(place, locations, listing, start)
        yield Page(found=tuple(found), cursor=_format(place) if place.batch else None)


def _next_batch(place: Place, locations: Iterable[str], listing: Listing, start: str) -> Place:
    left = [one for one in sorted(locations) if one > place.after]
    return Place(after=place.after, batch=tuple(left[: listing.size]), start=start)


def _onward(place: Place, rows: list[Json], by: str, token: Any) -> Place:
    """The next request of the same locations, or an empty batch where they are finished."""
    if type(token) is not str or not token:
        return Place(after=place.batch[-1])
    last = word(rows[-1].get(by)) if rows else ""
    if not _is_later(last, place.start):  # the whole page is of one instant
        return msgspec.structs.replace(place, token=token)
    seen = tuple(word(row.get("id")) for row in rows if row.get(by) == last)
    return msgspec.structs.replace(place, start=last, seen=seen, token=None)


def _is_seen(row: Json, place: Place, listing: Listing) -> bool:
    """Whether the page before had this row as it is: one that changed since has another time."""
    return row.get(listing.by) == place.start and row.get("id") in place.seen


def _is_later(time: str, than: str) -> bool:
    try:
        return dates.parse_instant(time) > dates.parse_instant(than)
    except dates.DateError:
        return False


def _joined(
    listing: Listing, rows: list[Json], locations: Mapping[str, Json]
) -> Generator[Ask, Reply | None, list[Found]]:
    """The rows with what normalize wants beside them."""
    found = []
    for row in rows:
        if listing.key == "orders":
            found.append(Found((yield from _whole_order(row, locations.get(word(row.get("location_id")))))))
        elif listing.key == "payouts":
            found.append(Found((yield from _whole_payout(row))))
        else:
            found.append(Found({listing.key[:-1]: row}))
    return found


def _whole_order(order: Json, location: Json | None) -> Generator[Ask, Reply | None, Json]:
    """An order with its location, and a return with the refunds that paid it: only they say how."""
    whole: Json = {"order": order}
    if location:
        whole["location"] = location
    if order.get("returns"):
        refunds = []
        for listed in rows_of(order, "refunds"):
            one = yield from _one("refunds", word(listed.get("id")), "refund")
            if one is not None:
                refunds.append(one)
        whole["refunds"] = refunds
    return whole


def _whole_payout(payout: Json) -> Generator[Ask, Reply | None, Json]:
    """A payout with all of its entries; a simple one has none."""
    identifier = word(payout.get("id"))
    if payout.get("type") == "SIMPLE" or not ID.fullmatch(identifier):
        return {"payout": payout}
    entries: list[Json] = []
    token: Any = None
    while True:
        params: Json = {"limit": 100, "sort_order": "ASC"} | ({"cursor": token} if token else {})
        body = body_of((yield Ask(path=f"/v2/payouts/{identifier}/payout-entries", params=params)))
        entries += rows_of(body, "payout_entries")
        token = body.get("cursor")
        if not token:
            return {"payout": payout, "payout_entries": entries}


def locations_of(account: Account) -> Generator[Ask, Reply | None, dict[str, Json]]:
    """The seller's locations by id: closed ones too, since their old sales can still change."""
    wanted = account.credentials.get("locations")
    wanted = wanted.split() if type(wanted) is str else wanted
    rows = rows_of(body_of((yield Ask(path="/v2/locations"))), "locations")
    found = {word(row.get("id")): row for row in rows if word(row.get("id"))}
    return {key: row for key, row in found.items() if key in wanted} if wanted else found


def _disputes(since: datetime, until: datetime, cursor: str | None, *, created: bool) -> Pages:
    """All of them, page by page; what changed is picked out here."""
    by, place = "created_at" if created else "updated_at", _parse(cursor) if cursor else Place()
    while True:
        params = {"cursor": place.token} if place.token else {}
        reply = yield Ask(path="/v2/disputes", params=params, accepts=_accepts(place))
        if is_refused(reply):
            raise CursorExpired
        body = body_of(reply)
        rows = [row for row in rows_of(body, "disputes") if _is_within(row.get(by), since, until)]
        token = word(body.get("cursor"))
        place = Place(token=token or None)
        yield Page(found=tuple(Found({"dispute": row}) for row in rows), cursor=_format(place) if token else None)
        if not token:
            return


def _is_within(time: Any, since: datetime, until: datetime) -> bool:
    """Whether a time lies in the window; one that cannot be read does, so that somebody looks at it."""
    try:
        return since <= dates.parse_instant(time) < until
    except dates.DateError:
        return True


def _format(place: Place) -> str:
    return json.dumps([place.after, place.batch, place.start, place.seen, place.token], separators=(",", ":"))


def _parse(cursor: str) -> Place:
    """The place that a cursor names; one that is not ours is as good as expired."""
    try:
        after, batch, start, seen, token = msgspec.json.decode(
            cursor, type=tuple[str, tuple[str, ...], str, tuple[str, ...], str | None]
        )
    except msgspec.DecodeError:
        raise CursorExpired from None
    return Place(after, batch, start, seen, token)


def is_refused(reply: Reply | None) -> bool:
    """An answer of 400 was only let through where Square's own cursor was sent: Square no longer knows it."""
    return reply is not None and reply.status == 400


def body_of(reply: Reply | None) -> Json:
    """The object that an answer is; {} where it is none."""
    return reply.body if reply is not None and type(reply.body) is dict else {}


def rows_of(body: Json, key: str) -> list[Json]:
    """The objects of a list; Square leaves out a list that is empty."""
    rows = body.get(key)
    return [row for row in rows if type(row) is dict] if type(rows) is list else []


# --- single objects


def fetch(pointer: Pointer) -> Calls:
    """One object, as the poll would have brought it."""
    kind = pointer.kind
    row = yield from _one(_ONE.get(kind, ""), pointer.id, kind)
    if row is None:
        return None
    if kind == "payout":
        return Found((yield from _whole_payout(row)))
    if kind == "order":
        location = yield from _one("locations", word(row.get("location_id")), "location")
        return Found((yield from _whole_order(row, location)))
    return Found({kind: row})


def _one(path: str, identifier: str, key: str) -> Generator[Ask, Reply | None, Json | None]:
    """One object; None where Square has none, or the id could not be one of Square's."""
    if not path or not ID.fullmatch(identifier):
        return None
    reply = yield Ask(path=f"/v2/{path}/{identifier}", accepts=(404,))
    held = body_of(reply).get(key)
    return held if reply is not None and reply.status != 404 and type(held) is dict else None


# --- webhooks


def subscribe(account: Account, url: str, topics: frozenset[str]) -> Calls:
    """See that one enabled subscription for `url` has every topic."""
    headers: Mapping[str, str] = {}
    if account.credentials.get("application_token"):
        headers = {"Authorization": f"Bearer {account.credentials['application_token']}"}
    every = yield from _subscriptions(headers)
    ours = next((row for row in every if row.get("notification_url") == url and word(row.get("id"))), None)
    if ours is None:
        return (yield from _subscribe_anew(url, topics, every, headers))
    listed = ours.get("event_types")
    held = {one for one in listed if type(one) is str} if type(listed) is list else set[str]()
    missing = sorted(topics - held)
    if missing or ours.get("enabled") is False:
        changed = {"enabled": True, "event_types": sorted(topics | held)}
        path = f"/v2/webhooks/subscriptions/{ours['id']}"
        yield Ask(method="PUT", path=path, json={"subscription": changed}, headers=headers)
    return {"made": missing, "secret": ours.get("signature_key")}


def _subscriptions(headers: Mapping[str, str]) -> Generator[Ask, Reply, list[Json]]:
    found: list[Json] = []
    token: Any = None
    while True:
        params: Json = {"include_disabled": "true"} | ({"cursor": token} if token else {})
        body = body_of((yield Ask(path="/v2/webhooks/subscriptions", params=params, headers=headers)))
        found += rows_of(body, "subscriptions")
        token = body.get("cursor")
        if not token:
            return found


def _subscribe_anew(url: str, topics: frozenset[str], every: list[Json], headers: Mapping[str, str]) -> Calls:
    """The key makes a repeated request one request, and a new one after ours was deleted."""
    known = " ".join(sorted(word(row.get("id")) for row in every))
    key = hashlib.sha256(f"{url} {known}".encode()).hexdigest()[:40]
    subscription = {
        "name": "Sales Sync",
        "enabled": True,
        "event_types": sorted(topics),
        "notification_url": url,
        "api_version": VERSION,
    }
    asked = {"idempotency_key": key, "subscription": subscription}
    reply = yield Ask(method="POST", path="/v2/webhooks/subscriptions", json=asked, headers=headers)
    made = body_of(reply).get("subscription")
    return {"made": sorted(topics), "secret": made.get("signature_key") if type(made) is dict else None}
