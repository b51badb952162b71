"""Certificates that vendors sign deliveries with: fetched from the vendor's own host, proven against the public roots, kept an hour."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.x509.verification import DNSName, PolicyBuilder, Store, VerificationError

from salessync.core import http

KEPT_SECONDS = 3600.0
MOST_KEPT = 32  # whoever forges headers must not fill the memory
FETCH_SECONDS = 5.0

_kept: dict[str, tuple[float, bytes]] = {}
_lock = threading.Lock()


class Untrusted(Exception):
    """The certificate leads to no public root."""


def certificate(url: str) -> bytes:
    """The PEM chain at `url`, proven; UnableToReach or Untrusted otherwise. Whose it is, the adapter looks at itself."""
    with _lock:
        kept = _kept.get(url)
    if kept is not None and time.monotonic() - kept[0] < KEPT_SECONDS:
        return kept[1]
    pem = http.call(method="GET", url=url, headers={"Accept": "*/*"}, timeout=FETCH_SECONDS).body
    prove(pem, at=datetime.now(UTC), roots=Path(certifi.where()).read_bytes())
    with _lock:
        if len(_kept) >= MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[url] = (time.monotonic(), pem)
    return pem


def prove(pem: bytes, *, at: datetime, roots: bytes) -> None:
    """Untrusted unless the first certificate of `pem` is valid at `at` and chained, by those after it, to one of `roots`."""
    try:
        leaf, *others = x509.load_pem_x509_certificates(pem)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        name = names.get_values_for_type(x509.DNSName)[0]
        policy = PolicyBuilder().store(Store(x509.load_pem_x509_certificates(roots))).time(at)
        policy.build_server_verifier(DNSName(name.replace("*", "any", 1))).verify(leaf, others)
    except (ValueError, IndexError, x509.ExtensionNotFound, VerificationError) as error:
        raise Untrusted(f"the certificate leads to no public root: {error}") from None
