"""The one way out to the network: guarded, bounded, without redirects.

1. The address is http or https, without a user name. Plain http only in DEBUG, or into OUTBOUND_ALLOWED_CIDRS.
2. A name is resolved once for each new connection; every address it has must be public, or in OUTBOUND_ALLOWED_CIDRS (in DEBUG
   also loopback). The connection goes to an address that was checked; Host, SNI and the certificate check keep the name.
3. No proxies, .netrc, cookies or redirects.
4. The whole call has one deadline, from the name's resolution to the last byte; the decoded answer is at most MAX_ANSWER long.
5. Whatever goes wrong is an UnableToReach.
"""

import contextlib
import email.utils
import ipaddress
import json
import os
import re
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_ANSWER = 10 * 1024 * 1024  # bytes, decoded
MAX_RETRY_AFTER = 3600.0  # seconds
CONNECT_SECONDS = 5.0  # for each address of the name
_CHUNK = 64 * 1024
_ERROR_EXCERPT = 300

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class UnableToReach(Exception):
    """No usable answer. `permanent`: the same request will not succeed later; `status`: the HTTP status where there was one;
    `retry_after`: seconds the other side asked us to wait, at most an hour."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        permanent: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.permanent = permanent


class Answer(NamedTuple):
    """A 2xx answer, or one that the caller accepts; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The parsed body, fractions as Decimal; UnableToReach where it is not JSON."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise UnableToReach(f"the answer is not JSON ({type(error).__name__})", status=self.status) from None


def post_json(*, url: str, body: bytes, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Answer:
    """POST a JSON body; returns a 2xx answer, UnableToReach for anything else. `timeout`: seconds for the whole call."""
    return _call("POST", url, {"Content-Type": "application/json", **(headers or {})}, timeout, body=body)


def get_json(
    *,
    url: str,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    timeout: float = 30.0,
) -> Answer:
    """GET; returns a 2xx answer, UnableToReach for anything else. `timeout`: seconds for the whole call."""
    return _call("GET", url, dict(headers or {}), timeout, params=params)


def call(
    *,
    method: str,
    url: str,
    headers: Mapping[str, str],
    params: Mapping[str, Any] | None = None,
    body: bytes | None = None,
    accepts: Collection[int] = (),
    timeout: float = 30.0,
) -> Answer:
    """Any request; returns a 2xx answer or one with a status in `accepts`, UnableToReach for anything else."""
    return _call(method, url, dict(headers), timeout, body=body, params=params, accepts=accepts)


def _call(
    method: str,
    url: str,
    headers: dict[str, str],
    timeout: float,
    *,
    body: bytes | None = None,
    params: Mapping[str, Any] | None = None,
    accepts: Collection[int] = (),
) -> Answer:
    host = _checked_host(url)
    headers = {"Accept": "application/json", **headers}
    with _deadline(timeout) as deadline:
        try:
            with _session().request(
                method,
                url,
                params=params,
                data=body,
                headers=headers,
                timeout=(min(CONNECT_SECONDS, timeout), timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = _read(response)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader, UnicodeError) as error:
            raise UnableToReach(f"{host}: {type(error).__name__}", permanent=True) from None
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if deadline.expired:
                raise UnableToReach(f"{host}: no complete answer within {timeout:g} s") from None
            raise UnableToReach(f"{host}: {_reason(error)}") from None
        if deadline.expired:  # an answer without a length looks complete when its connection is cut
            raise UnableToReach(f"{host}: no complete answer within {timeout:g} s")
    if not 200 <= response.status_code < 300 and response.status_code not in accepts:
        raise _refusal(host, response, content)
    return Answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, content)


def _read(response: requests.Response) -> bytes:
    """The decoded body, up to MAX_ANSWER."""
    parts, size = [], 0
    for part in response.iter_content(_CHUNK):
        size += len(part)
        if size > MAX_ANSWER:
            raise UnableToReach(f"the answer is longer than {MAX_ANSWER} bytes", status=response.status_code)
        parts.append(part)
    return b"".join(parts)


def _refusal(host: str, response: requests.Response, content: bytes) -> UnableToReach:
    status = response.status_code
    if 300 <= status < 400:
        return UnableToReach(f"{host}: {status}, and redirects are not followed", status=status, permanent=True)
    excerpt = content[:_ERROR_EXCERPT].decode("utf-8", "replace").replace("\x00", "")
    return UnableToReach(
        f"{host}: {status} {excerpt}".rstrip(),
        status=status,
        retry_after=retry_after_seconds(response.headers.get("Retry-After")),
        permanent=400 <= status < 500 and status not in (408, 409, 425, 429),
    )


def retry_after_seconds(value: str | None) -> float | None:
    """A Retry-After header (seconds or a date) in seconds, between 0 and MAX_RETRY_AFTER; None where it says nothing usable."""
    if not value:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        return min(float(value[:12]), MAX_RETRY_AFTER)
    try:
        seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _reason(error: BaseException) -> str:
    """The innermost cause in a few words: requests and urllib3 wrap theirs several times."""
    cause = error
    while True:
        inner = getattr(cause, "reason", None)
        if not isinstance(inner, BaseException):
            inner = next((a for a in getattr(cause, "args", ()) if isinstance(a, BaseException)), None)
        if inner is None or inner is cause:
            break
        cause = inner
    if isinstance(cause, (TimeoutError, urllib3.exceptions.TimeoutError, requests.Timeout)):
        return "timed out"
    return f"{type(cause).__name__} {str(cause)[:200]}".strip()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


# --- which addresses ------------------------------------------------------------------------------------------------


def _checked_host(url: str) -> str:
    """The host of an http(s) URL that names nobody's password; UnableToReach (permanent) otherwise."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UnableToReach("the address cannot be read", permanent=True) from None
    if parts.scheme not in ("http", "https") or not host:
        raise UnableToReach("the address must begin with https:// and name a host", permanent=True)
    if parts.username is not None or parts.password is not None:
        raise UnableToReach("the address must not hold a user name or password", permanent=True)
    return host


def _forbidden(address: Address, *, encrypted: bool) -> str | None:
    """Why we do not connect to this address; None where we do."""
    if any(address in network for network in _allowed_networks() if network.version == address.version):
        return None
    inner = _embedded(address)
    if inner is not None:
        return _forbidden(inner, encrypted=encrypted)
    if address.is_loopback and settings.DEBUG:
        return None
    public = address.is_global and not address.is_multicast and not address.is_reserved
    if not public or (address.version == 6 and address not in _GLOBAL_UNICAST):
        return f"{address} is not a public address (OUTBOUND_ALLOWED_CIDRS may allow it)"
    if not encrypted and not settings.DEBUG:
        return "https is required"
    return None


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one really leads to (mapped, 6to4, Teredo, NAT64)."""
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


def _allowed_networks() -> list[Network]:
    return [ipaddress.ip_network(str(cidr)) for cidr in settings.OUTBOUND_ALLOWED_CIDRS]


def _resolve(host: str, port: int, seconds: float) -> list[tuple[int, tuple[Any, ...]]]:
    """(family, socket address) of the name; in a thread, since the resolver knows no deadline."""
    found: list[tuple[int, tuple[Any, ...]]] = []
    failed: list[Exception] = []

    def look_up() -> None:
        try:
            found.extend((i[0], i[4]) for i in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=look_up, daemon=True, name="resolve")
    thread.start()
    thread.join(max(seconds, 0.0))
    if thread.is_alive():
        raise UnableToReach(f"{host}: its name was not resolved in time")
    if failed or not found:
        raise UnableToReach(f"{host}: its name does not resolve")
    return list(found)


def _connect(host: str, port: int, *, encrypted: bool, deadline: "_Deadline", options: Any) -> socket.socket:
    """A connection to the first address that takes it, once all of them have been checked."""
    addresses = _resolve(host, port, min(CONNECT_SECONDS, deadline.left()))
    for _, where in addresses:
        why = _forbidden(ipaddress.ip_address(str(where[0]).partition("%")[0]), encrypted=encrypted)
        if why:
            raise UnableToReach(f"{host}: {why}", permanent=True)
    last: OSError | None = None
    for family, where in addresses:
        seconds = min(CONNECT_SECONDS, deadline.left())
        if seconds <= 0:
            break
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(seconds)
            sock.connect(where)
        except OSError as error:
            sock.close()
            last = error
            continue
        return sock
    raise UnableToReach(f"{host}: {_reason(last) if last else 'timed out'}")


# --- one deadline for the whole call --------------------------------------------------------------------------------


class _Deadline:
    """Cuts the call's connection when its time is over: the time-outs of sockets count each read anew."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._ends = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._handle: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._fire)
        self._timer.daemon = True

    def left(self) -> float:
        return self._ends - time.monotonic()

    def start(self) -> None:
        self._timer.start()

    def watch(self, descriptor: int) -> None:
        """Answer for this socket: by a handle of our own, since TLS takes the socket over and urllib3 closes it early."""
        with self._lock:
            if self._handle is not None:
                self._handle.close()
            self._handle = socket.socket(fileno=os.dup(descriptor))

    def finish(self) -> None:
        self._timer.cancel()
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None

    def _fire(self) -> None:
        with self._lock:
            self.expired = True
            if self._handle is not None:
                with contextlib.suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)


_calls = threading.local()


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[_Deadline]:
    deadline = _Deadline(seconds)
    _calls.deadline = deadline
    deadline.start()
    try:
        yield deadline
    finally:
        deadline.finish()


class _Guarded:
    """What both kinds of connection add to urllib3's: the address check, and the call's deadline."""

    _encrypted = False

    def _new_conn(self) -> socket.socket:
        deadline: _Deadline = _calls.deadline
        sock = _connect(
            self._dns_host,  # type: ignore[attr-defined]
            self.port,  # type: ignore[attr-defined]
            encrypted=self._encrypted,
            deadline=deadline,
            options=self.socket_options,  # type: ignore[attr-defined]
        )
        deadline.watch(sock.fileno())
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        sock: socket.socket | None = self.sock  # type: ignore[attr-defined]
        if sock is not None:
            _calls.deadline.watch(sock.fileno())
        super().request(*args, **kwargs)  # type: ignore[misc]


class _GuardedHTTP(_Guarded, HTTPConnection):
    pass


class _GuardedHTTPS(_Guarded, HTTPSConnection):
    _encrypted = True


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _GuardedHTTP


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPS


class _GuardedAdapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


_sessions: dict[int, requests.Session] = {}


def _session() -> requests.Session:
    """This process's session; a forked child starts its own, since a shared connection would mix two conversations."""
    session = _sessions.get(os.getpid())
    if session is None:
        session = requests.Session()
        session.trust_env = False
        session.headers["User-Agent"] = "SalesSync"
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.mount("https://", _GuardedAdapter())
        session.mount("http://", _GuardedAdapter())
        _sessions.clear()
        _sessions[os.getpid()] = session
    return session
