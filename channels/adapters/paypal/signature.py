"""How PayPal signs: RSA-SHA256 over delivery id, time, the webhook's id and the body's CRC-32, with a certificate of its own. Pure."""

import base64
import binascii
import re
import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from channels.adapter import SignatureRefused, Trust
from salessync.core.dates import DateError, parse_instant

# Deliveries are tried for three days, and events can be sent again for thirty; PayPal names no narrower tolerance.
OLDEST = timedelta(days=31)
EARLIEST = timedelta(minutes=5)  # clocks differ

# the whole address: no other host, port, user, query or fragment, nor a way out of the folder
_CERTIFICATE = re.compile(
    r"https://api(?:\.sandbox)?\.paypal\.com/v1/notifications/certs/[A-Za-z0-9][A-Za-z0-9_-]{0,199}"
)
_PLAIN = re.compile(r"[!-{}~]{1,200}")  # printable ASCII without the bar that joins the signed parts


class Leaf(NamedTuple):
    """The certificate that signs."""

    key: RSAPublicKey
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime


def certificate_url(headers: Mapping[str, str]) -> str | None:
    """Where the certificate lies, if that is PayPal's own place; a forged address would bring a forged certificate."""
    url = headers.get("paypal-cert-url", "")
    return url if _CERTIFICATE.fullmatch(url) else None


def verify(headers: Mapping[str, str], body: bytes, trust: Trust, now: datetime) -> None:
    """Prove that PayPal sent this to one of the live webhook ids, or raise SignatureRefused."""
    delivery, sent = headers.get("paypal-transmission-id", ""), headers.get("paypal-transmission-time", "")
    if not (_PLAIN.fullmatch(delivery) and _PLAIN.fullmatch(sent)):
        raise SignatureRefused("the delivery's id or time is missing")
    if headers.get("paypal-auth-algo", "SHA256withRSA") != "SHA256withRSA":
        raise SignatureRefused("the signature is of a kind that is not known here")
    if certificate_url(headers) is None:
        raise SignatureRefused("the certificate's address is not PayPal's")
    _check_time(sent, now)
    leaf = _proven_leaf(trust.certificate, now)
    signature = _decoded(headers.get("paypal-transmission-sig", ""))
    for webhook_id in trust.secrets:
        if webhook_id:
            signed = f"{delivery}|{sent}|{webhook_id}|{zlib.crc32(body)}".encode()
            try:
                leaf.key.verify(signature, signed, PKCS1v15(), SHA256())
                return
            except InvalidSignature:
                continue
    raise SignatureRefused("the signature fits none of the live webhook ids")


def _check_time(sent: str, now: datetime) -> None:
    try:
        at = parse_instant(sent)
    except DateError:
        raise SignatureRefused("the delivery's time cannot be read") from None
    if not -OLDEST <= at - now <= EARLIEST:
        raise SignatureRefused("the delivery is too old or comes from the future")


def _decoded(signature: str) -> bytes:
    try:
        if signature and signature.isascii():
            return base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error):
        pass
    raise SignatureRefused("no signature" if not signature else "the signature is not base64")


def _proven_leaf(pem: bytes | None, now: datetime) -> Leaf:
    """The signing certificate, valid now and made out to PayPal; that public roots vouch for it is the caller's to know."""
    leaf = _leaf(pem) if pem else None
    if leaf is None:
        raise SignatureRefused("there is no certificate to prove the signature with")
    if not leaf.not_before <= now <= leaf.not_after:
        raise SignatureRefused("the certificate is not valid at this time")
    if not any(name == "paypal.com" or name.endswith(".paypal.com") for name in leaf.names):
        raise SignatureRefused("the certificate is not PayPal's")
    return leaf


@lru_cache(maxsize=64)
def _leaf(pem: bytes) -> Leaf | None:
    try:
        certificate = x509.load_pem_x509_certificates(pem)[0]
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey) or key.key_size < 2048:
            return None
        return Leaf(key, _names(certificate), certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The host names it is for; the common name counts only where it has no list of them."""
    try:
        listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return tuple(name.lower() for name in listed.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return tuple(str(one.value).lower() for one in common)
