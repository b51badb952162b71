"""Runs localstripe on 127.0.0.1 (its only argument is the port), with what Stripe documents and localstripe lacks.

1. `livemode` is true: localstripe only plays a test account, whose payments are none to us.
2. Lists are newest first and take `created[gte]`, `created[lte]` and `types[]`.
3. A charge tells its `payment_method_details`.
4. A refund can be asked for with its `failure_balance_transaction`; there are disputes, but never any.
Amounts, states, ids, balance transactions, events and signatures are localstripe's own. Run by a Python of its own: no part of the tests.
"""

import json
import os
import sys
import threading

from aiohttp import web
from localstripe import resources, server

resources.Store.dump_to_disk = lambda self: None  # it would write to /tmp
resources.StripeObject.livemode = property(lambda self: True, lambda self, value: None)
resources.Refund.failure_balance_transaction = None


def payment_method_details(charge):
    method = resources.PaymentMethod._api_retrieve(charge.payment_method)
    its = getattr(method, method.type, None) or vars(method)
    return {"type": method.type, method.type: {key: its[key] for key in ("brand", "last4") if key in its}}


resources.Charge.payment_method_details = property(payment_method_details)


@web.middleware
async def lists(request, handler):
    """The whole list from localstripe; sorted, filtered and cut here as Stripe does."""
    if request.method != "GET" or request.path not in LISTED:
        return await handler(request)
    wanted = request.rel_url.query
    kept = [
        (key, value)
        for key, value in wanted.items()
        if key.startswith(("expand", "customer", "charge", "payment_intent"))
    ]
    answer = await handler(request.clone(rel_url=request.rel_url.with_query([*kept, ("limit", "1000000")])))
    whole = json.loads(answer.text)
    types = wanted.getall("types[]", [])
    # localstripe keeps things in the order in which they were made, and tells their second only
    rows = sorted(whole["data"], key=lambda row: row["created"])[::-1]
    rows = [
        row
        for row in rows
        if int(wanted.get("created[gte]", 0)) <= row["created"] <= int(wanted.get("created[lte]", 1 << 40))
        and (not types or row["type"] in types)
    ]
    after = wanted.get("starting_after")
    if after:
        rows = rows[[row["id"] for row in rows].index(after) + 1 :]
    limit = int(wanted.get("limit", 10))
    return server.json_response({**whole, "data": rows[:limit], "has_more": len(rows) > limit})


LISTED = {f"/v1/{kind}" for kind in ("charges", "refunds", "payouts", "events")}


async def no_disputes(request):
    return server.json_response({"object": "list", "url": request.path, "data": [], "has_more": False})


def end_with_the_tests():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_the_tests, daemon=True).start()
server.app.middlewares.append(lists)
server.app.router.add_get("/v1/disputes", no_disputes)
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]))
