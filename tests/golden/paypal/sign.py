"""How PayPal signs: with a certificate of its own, here one that lives as long as the tests."""

import base64
import functools
import zlib
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from channels.adapter import Trust

# The time is signed, but PayPal tries for three days and sends again for thirty: its own tests say what is too old.
TIMESTAMPED = False
SIGNATURE = "paypal-transmission-sig"
HOST = "messageverificationcerts.paypal.com"


@functools.cache
def key() -> rsa.RSAPrivateKey:
    """The throw-away key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    *,
    host: str | None = HOST,
    names: tuple[str, ...] = (HOST,),
    signer: rsa.RSAPrivateKey | None = None,
    start: datetime = datetime(2020, 1, 1, tzinfo=UTC),
    end: datetime = datetime(2050, 1, 1, tzinfo=UTC),
) -> bytes:
    """A certificate of the throw-away key, PEM."""
    signer = signer or key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)] if host else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(signer.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if names:
        listed = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(listed, critical=False)
    return builder.sign(signer, SHA256()).public_bytes(Encoding.PEM)


@functools.cache
def usual_certificate() -> bytes:
    """The one that signs all deliveries of these tests."""
    return certificate()


def trust(secrets: tuple[str, ...]) -> Trust:
    """Webhook ids, and the certificate as it was fetched."""
    return Trust(secrets=secrets, certificate=usual_certificate())


def sign(body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of a delivery; `secret` is the webhook's id."""
    delivery, sent = "103e3700-8b0c-11ee-8e1d-1dbd1cd2f0a1", now.strftime("%Y-%m-%dT%H:%M:%SZ")
    signed = f"{delivery}|{sent}|{secret}|{zlib.crc32(body)}".encode()
    return {
        SIGNATURE: base64.b64encode(key().sign(signed, padding.PKCS1v15(), SHA256())).decode(),
        "paypal-transmission-id": delivery,
        "paypal-transmission-time": sent,
        "paypal-auth-algo": "SHA256withRSA",
        "paypal-cert-url": "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-0a1b2c3d",
    }
