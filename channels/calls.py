"""Makes an adapter's calls over the network: at the vendor's pace, with a fresh token, again where it is worth it.

The only way from here to a vendor's API. Bounded: a call is tried RETRIES times with growing pauses, and what the vendor wants
longer than PATIENCE is left to the caller's own schedule (NotNow).
"""

import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.db import connection, transaction

from channels import adapter as adapters
from channels import payload as payloads
from channels.client import Account, Ask, Calls, Page, Pages, Reply
from channels.models import Channel
from salessync.core import http
from salessync.core.http import UnableToReach
from salessync.core.problems import Refused

RETRIES = 5
PATIENCE = 60.0  # seconds that one pause may last inside a call
REFRESH_AHEAD = 300.0  # seconds before a token's end


class NotNow(Exception):
    """The vendor cannot be asked at present; `seconds` is when to come again."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class AccessRefused(Exception):
    """The vendor does not accept our credentials: a person must renew them."""

    CODE = "ACCESS_REFUSED"

    def __str__(self) -> str:
        return f"{self.CODE}: {super().__str__()}"


class Caller:
    """One channel's conversation with its vendor."""

    def __init__(self, channel: Channel, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.channel, self.sleep = channel, sleep
        self.adapter = adapters.get(channel.adapter)

    @property
    def account(self) -> Account:
        """The channel's credentials as they are now."""
        return self.channel.account()

    def result(self, calls: Calls) -> Any:
        """Make the calls; what they return."""
        sent: Reply | None = None
        while True:
            try:
                ask = calls.send(sent)  # type: ignore[arg-type]
            except StopIteration as end:
                return end.value
            sent = self._reply(ask)

    def pages(self, pages: Pages) -> Iterator[Page]:
        """Make the calls; the caller stores each page before it asks for the next."""
        sent: Reply | None = None
        while True:
            try:
                wanted = pages.send(sent)
            except StopIteration:
                return
            if isinstance(wanted, Page):
                sent = None
                yield wanted
            else:
                sent = self._reply(wanted)

    def _reply(self, ask: Ask) -> Reply:
        refreshed = False
        self._keep_token_fresh()
        for attempt in range(1, RETRIES + 1):
            self._wait_for_turn()
            try:
                reply = self._ask(ask)
            except UnableToReach as error:
                if error.status in (401, 403) and error.status not in ask.accepts:
                    if refreshed or not self._refresh():
                        raise AccessRefused(f"{self.channel.slug}: the vendor answers {error.status}") from None
                    refreshed = True
                    continue
                if error.permanent:
                    raise
                pause = error.retry_after if error.retry_after is not None else _backoff(attempt)
                if error.status == 429:
                    self._hold(pause)
                if attempt == RETRIES or pause > PATIENCE:
                    raise NotNow(str(error), pause) from None
                if error.status != 429:  # after a 429 the bucket makes everybody wait
                    self.sleep(pause)
                continue
            if self.adapter.denies(reply):
                if refreshed or not self._refresh():
                    raise AccessRefused(f"{self.channel.slug}: the vendor answers that access is denied")
                refreshed = True
                continue
            pause = self.adapter.pause(reply)
            if pause > 0:
                self._hold(pause)
            return reply
        raise NotNow("the vendor took a renewed token for none, at the last attempt", 30.0)

    def _ask(self, ask: Ask) -> Reply:
        account = self.account
        base = self.adapter.base_url(account)
        if (
            urlsplit(_url(ask, base))[:2] != urlsplit(base)[:2]
        ):  # a link in an answer must not carry our token elsewhere
            raise UnableToReach(f"{_url(ask, base)[:100]} is not on the vendor's host", permanent=True)
        return _send(ask, base, {**self.adapter.authorization(account), **ask.headers})

    # --- pace

    def _wait_for_turn(self) -> None:
        """Take a token from the account's bucket; wait where it is empty, in the order of asking."""
        limits = self.adapter.limits
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")  # a pace that a crash forgets costs one 429
            cursor.execute(
                "INSERT INTO channels_pace AS p (channel_id, tokens, at) VALUES (%s, %s - 1, clock_timestamp())"
                " ON CONFLICT (channel_id) DO UPDATE SET at = clock_timestamp(), tokens = least(%s,"
                " p.tokens + %s * greatest(extract(epoch FROM clock_timestamp() - p.at), 0)) - 1 RETURNING tokens",
                [self.channel.pk, limits.burst, limits.burst, limits.per_second],
            )
            (tokens,) = cursor.fetchone()
        if tokens < 0:
            self.sleep(-tokens / limits.per_second)

    def _hold(self, seconds: float) -> None:
        """Nobody asks this vendor for so long: the next token is there when the pause is over."""
        limits = self.adapter.limits
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE channels_pace SET tokens = least(tokens, 1 - %s::float8 * %s), at = clock_timestamp() WHERE channel_id = %s",
                [min(seconds, 3600.0), limits.per_second, self.channel.pk],
            )

    # --- tokens

    def _keep_token_fresh(self) -> None:
        expires = self.channel.credentials.get("expires_at")
        if expires is not None and float(expires) - time.time() < REFRESH_AHEAD:
            self._refresh()

    def _refresh(self) -> bool:
        """Renew the access token, one process at a time; False where this vendor's tokens cannot be renewed."""
        before = self.channel.credentials
        if self.adapter.refresh(self.account) is None:
            return False
        with transaction.atomic():
            # webhooks go on meanwhile: their foreign key does not ask for this kind of lock
            locked = Channel.objects.select_for_update(no_key=True).get(pk=self.channel.pk)
            if locked.credentials == before:  # nobody was faster
                ask = self.adapter.refresh(locked.account())
                assert ask is not None
                self._wait_for_turn()
                try:
                    # such a request says itself who asks, and its address is whatever the adapter wrote
                    reply = _send(ask, self.adapter.base_url(locked.account()), dict(ask.headers))
                except UnableToReach as error:
                    if error.permanent:
                        raise AccessRefused(f"{locked.slug}: the token could not be renewed ({error.status})") from None
                    raise NotNow(str(error), error.retry_after or 30.0) from None
                locked.credentials = {**before, **self.adapter.renewed(reply, locked.account(), datetime.now(UTC))}
                locked.save(update_fields=["sealed_credentials"])
            self.channel.sealed_credentials = locked.sealed_credentials
        return True


def _url(ask: Ask, base: str) -> str:
    return ask.path if "://" in ask.path else base.rstrip("/") + "/" + ask.path.lstrip("/")


def _send(ask: Ask, base: str, headers: dict[str, str]) -> Reply:
    """One request over the network; an answer that should be read and cannot be is an UnableToReach."""
    body: bytes | None = None
    if ask.json is not None:
        body, headers["Content-Type"] = payloads.dump(ask.json), "application/json"
    elif ask.form is not None:
        body, headers["Content-Type"] = urlencode(ask.form).encode(), "application/x-www-form-urlencoded"
    answer = http.call(
        method=ask.method,
        url=_url(ask, base),
        headers=headers,
        params=dict(ask.params) or None,
        body=body,
        accepts=ask.accepts,
    )
    try:
        parsed = payloads.parse(answer.body) if answer.body.strip() else None
    except Refused as refused:
        if 200 <= answer.status < 300:
            raise UnableToReach(f"the vendor's answer cannot be read: {refused}", status=answer.status) from None
        parsed = None
    return Reply(status=answer.status, headers=answer.headers, body=parsed)


def _backoff(attempt: int) -> float:
    """Half a second, doubled each time, somewhere between half and all of it."""
    return 0.5 * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
