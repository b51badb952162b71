"""Adyen: notification items as charges, refunds and disputes; a platform's transfers and settlement reports as payouts. Pure.

words.py holds the vendor's words; signature.py proves deliveries; one module each reads items, transfers and reports.
"""

import hashlib
import re
from datetime import datetime
from typing import Any

from channels.adapter import Adapter, Context, Envelope, Headers, Ignored, Trust
from channels.adapters.adyen import signature
from channels.adapters.adyen.items import item_record
from channels.adapters.adyen.report import report_records
from channels.adapters.adyen.scrub import scrub
from channels.adapters.adyen.transfer import transfer_record
from channels.adapters.adyen.words import EVENT, NOTHING
from channels.canonical import AnyRecord
from channels.client import Account, Ask, Calls, Limits
from channels.reading import Json, word
from salessync.core.problems import Problem, Refused

TRANSFERS = frozenset({"balancePlatform.transfer.created", "balancePlatform.transfer.updated"})
LIVE, TEST = "https://management-live.adyen.com", "https://management-test.adyen.com"
WEBHOOKS_A_PAGE = 100
_ACCOUNT = re.compile("[A-Za-z0-9_-]{1,80}")


class Adyen(Adapter):
    """One Adyen merchant account.

    Credentials, needed only to make the webhook: "api_key" (with the role to manage webhooks) and "merchant_account". A webhook's
    secret is its HMAC key, in hexadecimal as Adyen shows it. Adyen signs eight fields of an item; whether it is live, when it
    happened and how it was paid are not among them, so the connection's own encryption has to vouch for those.
    Where Adyen captures by itself, captures are told by CAPTURE webhooks only if the account is set to send them, and by the
    settlement report in any case.
    """

    name = "adyen"
    label = "Adyen"
    settles = True
    is_processor = True
    topics = frozenset(EVENT) | frozenset(NOTHING) | TRANSFERS
    missing = {
        "sales": "Adyen knows money, not goods: sales come from the shop or till that it takes the money for.",
        "edits": "Adyen has no orders that could be edited.",
        "payouts": "Adyen lists what it pays out only in the Settlement detail report, a CSV file: its rows are read once they"
        ' are handed in as {"report": [rows]}, but the file is not fetched. Payouts of a balance platform come by webhook,'
        " without their lines.",
        "polling": "Adyen has no list of payments: there are webhooks and reports only.",
        "stock": "Adyen knows no goods.",
    }
    limits = Limits(per_second=2.0, burst=5)

    # --- what comes in

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """HMAC-SHA256 of every item, or of the whole body. No time is signed: a replay is caught by the delivery's id."""
        signature.verify(headers, body, trust)

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """Event, reference and success of every item: Adyen sends the same again until it is answered."""
        if type(payload) is not dict:
            return Envelope(None, "")
        items = [item for _, item in _items(payload) if type(item) is dict]
        if not items:
            kind, data = payload.get("type"), payload.get("data")
            named = f"{kind}:{data.get('id')}:{data.get('sequenceNumber')}" if type(data) is dict else ""
            return Envelope(named[:300] or None, kind if type(kind) is str else "")
        named = " ".join(
            ":".join(str(item.get(k))[:60] for k in ("eventCode", "pspReference", "success")) for item in items
        )
        if len(named) > 200:
            named = "sha256:" + hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()
        codes = {word(item.get("eventCode")) for item in items}
        return Envelope(named, codes.pop() if len(codes) == 1 else "several")

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """A record for each item that moved money; a payout for each transfer to a bank or batch of a report."""
        if type(payload) is not dict:
            raise Refused(Problem("NOT_AN_OBJECT", "$", "an Adyen payload is a JSON object"))
        if "report" in payload:
            return report_records(payload["report"], context)
        if "notificationItems" in payload or "NotificationRequestItem" in payload:
            return _item_records(payload, context)
        kind = payload.get("type")
        if type(kind) is str and kind in TRANSFERS:
            return [transfer_record(payload, context)]
        if type(kind) is str and kind and "data" in payload:
            raise Ignored(f"the event {kind[:60]!r} of a balance platform moves no money of the merchant here")
        raise Refused(Problem("UNKNOWN_PAYLOAD", "$", "nothing that Adyen is known to send about money"))

    def scrub(self, payload: Any) -> Any:
        """The payload without personal data, by an allow-list."""
        return scrub(payload)

    # --- what goes out

    def base_url(self, account: Account) -> str:
        """The Management API: payments themselves cannot be asked for."""
        return account.base_url or (TEST if account.test else LIVE)

    def authorization(self, account: Account) -> dict[str, str]:
        """An API key."""
        return {"x-api-key": str(account.credentials["api_key"])}

    def subscribe(self, account: Account, url: str) -> Calls:
        """A standard webhook with a key of its own, where there is none for the address yet."""
        merchant = str(account.credentials["merchant_account"])
        if _ACCOUNT.fullmatch(merchant) is None:
            raise Refused(
                Problem("BAD_ACCOUNT", "merchant_account", "the merchant account's name is not one of Adyen's")
            )
        path = f"/v3/merchants/{merchant}/webhooks"
        page = 1
        while True:
            reply = yield Ask(path=path, params={"pageNumber": page, "pageSize": WEBHOOKS_A_PAGE})
            body = reply.body if type(reply.body) is dict else {}
            hooks = body.get("data")
            if any(_listens(hook, url) for hook in (hooks if type(hooks) is list else [])):
                return {"made": [], "secret": None}
            pages = body.get("pagesTotal")
            if type(pages) is not int or page >= pages:
                break
            page += 1
        made = yield Ask(
            method="POST",
            path=path,
            json={"type": "standard", "url": url, "active": True, "communicationFormat": "json"},
        )
        identifier = made.body.get("id") if type(made.body) is dict else None
        if type(identifier) is not str or _ACCOUNT.fullmatch(identifier) is None:
            raise Refused(Problem("BAD_ANSWER", "id", "Adyen's answer does not name the webhook that it made"))
        key = yield Ask(method="POST", path=f"{path}/{identifier}/generateHmac")
        secret = key.body.get("hmacKey") if type(key.body) is dict else None
        if type(secret) is not str or not secret:
            raise Refused(Problem("BAD_ANSWER", "hmacKey", "Adyen's answer has no key for the webhook"))
        return {"made": ["standard"], "secret": secret}


def _listens(hook: Any, url: str) -> bool:
    return type(hook) is dict and hook.get("url") == url and hook.get("active") is not False


def _items(payload: Json) -> list[tuple[str, Any]]:
    """(path, item) of everything in the message; a bare item may stand alone."""
    wrapped = payload.get("notificationItems")
    if type(wrapped) is not list:
        return [("", payload["NotificationRequestItem"])] if "NotificationRequestItem" in payload else []
    return [
        (f"notificationItems[{i}].", one.get("NotificationRequestItem") if type(one) is dict else one)
        for i, one in enumerate(wrapped)
    ]


def _item_records(payload: Json, context: Context) -> list[AnyRecord]:
    """Every item's record; the problems of all of them at once. Ignored only where no item moved anything."""
    live = payload.get("live")
    problems: list[Problem] = []
    if live not in (None, True, False, "true", "false"):
        problems.append(Problem("BAD_LIVE", "live", 'live should be "true" or "false"'))
    test = live in (False, "false")
    items = _items(payload)
    if not items:
        problems.append(Problem("NO_ITEMS", "notificationItems", "the message has no notification items"))
    records: list[AnyRecord] = []
    reasons: list[str] = []
    for where, item in items:
        try:
            records.append(item_record(item, where, test, context))
        except Ignored as ignored:
            reasons.append(str(ignored))
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(*problems)
    if not records:
        raise Ignored(reasons[0])
    return records


adapter = Adyen()
