"""How WooCommerce signs a delivery."""

import base64
import hashlib
import hmac

TIMESTAMPED = False
SIGNATURE = "x-wc-webhook-signature"


def sign(body, secret, now):
    """The headers of a delivery."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {
        SIGNATURE: base64.b64encode(digest).decode(),
        "x-wc-webhook-topic": "order.updated",
        "x-wc-webhook-resource": "order",
        "x-wc-webhook-event": "updated",
        "x-wc-webhook-id": "7",
        "x-wc-webhook-delivery-id": "b1946ac92492d2347c6235b4d2611184",
        "x-wc-webhook-source": "https://shop.example/",
    }
