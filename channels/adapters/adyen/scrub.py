"""What is kept of an Adyen payload: an allow-list by key. Pure.

Names, e-mails, addresses, IPs, references of shoppers, authorisation codes and expiry dates go; of a card stay method and last
four digits. What Adyen gives as a reason is kept for refunds only: elsewhere it quotes the card.
"""

from typing import Any

from channels.adapters.adyen.report import COLUMNS
from channels.adapters.adyen.words import EVENT
from channels.scrubbing import a_list, an_object, last_digits, scalar, text, words

_REASONED = ("refund", "postponed_refund", "refund_failed", "cancel_or_refund")
_AMOUNT = an_object(words("currency value"))
_ADDITIONAL = an_object(
    words(
        "modification.action disputeStatus defensePeriodEndsAt defendable chargebackReasonCode rfiReasonCode"
        " paymentMethodVariant"
    )
    | {"cardSummary": last_digits}
)
_ITEM = an_object(
    words(
        "eventCode eventDate merchantAccountCode merchantReference originalReference paymentMethod pspReference success"
    )
    | {"amount": _AMOUNT, "additionalData": _ADDITIONAL}
)
_TRANSFER = an_object(
    words("id category direction status creationDate sequenceNumber")
    | {"amount": _AMOUNT, "balanceAccount": an_object(words("id"))}
    | words("referenceForBeneficiary", text)
)
_ROW = an_object(dict.fromkeys(COLUMNS, scalar))


def _item(value: Any) -> Any:
    kept = _ITEM(value)
    code = value.get("eventCode") if type(value) is dict else None
    if type(code) is str and EVENT.get(code) in _REASONED and "reason" in value:
        kept["reason"] = text(value["reason"])
    return kept


_ROOT = an_object(
    words("live type environment timestamp")
    | {
        "notificationItems": a_list(an_object({"NotificationRequestItem": _item})),
        "NotificationRequestItem": _item,
        "data": _TRANSFER,
        "report": a_list(_ROW),
    }
)


def scrub(payload: Any) -> Any:
    """The payload with only what is allowed to be kept."""
    return _ROOT(payload)
