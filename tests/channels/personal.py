"""What each vendor documents as personal, and payloads with a canary in every such place.

KEYS are personal wherever they stand. INSIDE are personal in an object (or a list of objects) of that name. BLOCKS are documented
objects that golden payloads mostly leave out. From a golden payload come: the payload with a canary in each personal place that
it has; the same with every personal key and block added to every object; and the same with card numbers in its free texts.
"""

import copy
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

KEYS = {
    "adyen": """shopperName shopperEmail shopperIP shopperReference shopperStatement shopperTelephone telephoneNumber cardHolderName
        cardBin expiryDate authCode issuerCountry billingAddress.street ownerName iban accountNumber bankAccountNumber
        recurring.shopperReference fraudResultType deviceFingerprint networkTxReference alias""",
    "books": "email phone first_name last_name address1 street note nickname",
    "bigcommerce": """first_name last_name company street_1 street_2 phone email ip_address ip_address_v6 staff_notes customer_message
        wrapping_message customer_note gift_message cart_id card_iin avs_result cvv_result payment_instrument_token""",
    "clover": """firstName lastName emailAddress phoneNumber address1 address2 address3 cardholderName first6 authCode token note
        voidReason title externalReferenceId signature""",
    "csv": "",
    "lightspeed": """first_name last_name company_name customer_code email phone mobile fax note short_code user_name
        customer_name physical_address_1 physical_address_2 postal_address_1 postal_address_2 contact date_of_birth""",
    "medusa": "email first_name last_name company address_1 address_2 phone customer_note payer_email",
    "paypal": """given_name surname full_name alternate_full_name prefix email_address phone_number national_number birth_date
        address_line_1 address_line_2 address_line_3 street_name note payer_id paypal_account_id transaction_subject
        transaction_note payer_email ip_address name_on_card bank_account_holder user_name bic iban_last_chars""",
    "shopify": """email contact_email phone first_name last_name address1 address2 company browser_ip user_agent note cart_token
        checkout_token token landing_site landing_site_ref referring_site order_status_url customer_locale session_hash
        credit_card_name credit_card_bin avs_result_code cvv_result_code tags user_login sms_marketing_phone
        order_status_token authorization_code""",
    "square": """buyer_email_address given_name family_name first_name last_name email_address phone_number address_line_1 address_line_2
        address_line_3 sublocality ticket_name cardholder_name fingerprint bin note display_name pickup_note delivery_note
        receipt_url statement_description_identifier device_name team_member_id employee_id account_ownership_type
        birthday nickname company_name recipient_phone""",
    "standard": "email phone first_name last_name address1 street browser_ip note nickname",
    "stripe": """email phone line1 line2 receipt_email receipt_url ip client_secret fingerprint customer_email customer_name
        customer_purchase_ip customer_signature shipping_address_text access_activity_log network_transaction_id iban
        account_number routing_number individual_name dynamic_last4_holder cardholder_name seller_message_to_customer
        preferred_email""",
    "vendure": """fullName firstName lastName emailAddress phoneNumber streetLine1 streetLine2 company title identifier note
        customerNote ipAddress userAgent""",
    "woocommerce": """first_name last_name company address_1 address_2 email phone customer_ip_address customer_user_agent
        customer_note order_key payment_url reason cart_hash billing_tax_number recipient""",
}
_PERSON = "name nickname display_name"
INSIDE = {
    "adyen": {"billingAddress": "street houseNumberOrName", "deliveryAddress": "street houseNumberOrName", "bankAccount": "iban ownerName",
              "shopperName": "firstName lastName", "card": "holderName number"},
    "books": {"customer": "name email phone"},
    "bigcommerce": {"form_fields": "name value", "credit_card": "card_holder card_iin", "customer": _PERSON},
    "clover": {"customers": _PERSON, "employee": "name nickname email id", "customer": _PERSON},
    "csv": {"rows": "Customer E-mail Phone Street Note"},
    "lightspeed": {"customer": "name code", "user": "name username display_name", "contact": "name"},
    "medusa": {"metadata": "recipient greeting", "customer": "name"},
    "paypal": {"name": "full_name given_name surname", "payer_name": "given_name surname", "card": "name number", "address": "street"},
    "shopify": {"customer": "name", "billing_address": "name", "shipping_address": "name", "default_address": "name",
                "note_attributes": "name value", "properties": "name value", "receipt": "email cardholder",
                "client_details": "browser_ip user_agent accept_language"},
    "square": {"recipient": "display_name email_address phone_number", "customer_details": "note", "device_details": "device_name",
               "metadata": "who", "address": "first_name last_name organization"},
    "standard": {"customer": "name email phone tax_number_holder"},
    "stripe": {"billing_details": "name email phone", "shipping": "name phone carrier tracking_number",
               "customer_details": "name email phone", "evidence": "customer_name customer_email_address customer_purchase_ip",
               "metadata": "recipient engraving", "owner": "name email phone"},
    "vendure": {"customer": "title", "metadata": "cardholder email", "customFields": "greeting", "billingAddress": "fullName",
                "shippingAddress": "fullName"},
    "woocommerce": {"meta_data": "display_key display_value"},
}  # fmt: skip
BLOCKS = {
    "adyen": {"billingAddress": {"street": "", "houseNumberOrName": ""}, "shopperName": {"firstName": "", "lastName": ""}},
    "books": {"buyer": {"email": "", "phone": ""}},
    "bigcommerce": {"form_fields": [{"name": "", "value": ""}], "customer": {"first_name": "", "email": ""}},
    "clover": {"employee": {"name": "", "email": ""}, "cardholder": {"firstName": "", "lastName": ""}},
    "lightspeed": {"user": {"name": "", "username": ""}, "contact": {"name": "", "email": "", "physical_address_1": ""}},
    "medusa": {"metadata": {"recipient": "", "greeting": ""}},
    "paypal": {"payer": {"name": {"given_name": "", "surname": ""}, "email_address": "", "payer_id": ""},
               "shipping": {"name": {"full_name": ""}, "address": {"address_line_1": "", "address_line_2": ""}}},
    "shopify": {"client_details": {"browser_ip": "", "user_agent": ""}, "note_attributes": [{"name": "", "value": ""}],
                "receipt": {"email": "", "cardholder": ""}, "default_address": {"name": "", "address1": "", "phone": ""}},
    "square": {"customer_details": {"note": ""}, "metadata": {"who": ""},
               "billing_address": {"address_line_1": "", "first_name": "", "last_name": ""}},
    "standard": {"buyer": {"email": "", "phone": ""}},
    "stripe": {"evidence": {"customer_name": "", "customer_email_address": "", "customer_purchase_ip": ""},
               "customer_details": {"email": "", "name": "", "phone": ""}, "owner": {"name": "", "email": ""}},
    "vendure": {"customFields": {"greeting": ""}, "history": [{"data": {"note": ""}}]},
    "woocommerce": {"store_customer": {"first_name": "", "email": ""}},
}  # fmt: skip
# What people type, and where a vendor has words or numbers of its own under the same names.
FREE_TEXTS = frozenset("title name description label reason variation_name display_name method_title".split())

NO_FREE_TEXTS = {
    "paypal": {".money_movements.reason", ".resource.money_movements.reason"},
    "shopify": {".name", ".order.name", ".orders.name", ".reason", ".dispute.reason", ".disputes.reason"},
    "stripe": {".reason", ".data.object.reason", ".data.object.refunds.data.reason"},
}

_SAYS_SO = re.compile(r"canary|[^@\s]+@[^@\s]+\.[a-z]", re.IGNORECASE)
_numbers = itertools.count(1)


def luhn_valid(number: int) -> str:
    """A card number of that many: 16 digits, made up, with the check digit that Luhn wants."""
    digits = f"4{number:014d}"
    total = 0
    for position, char in enumerate(reversed(digits)):
        doubled = int(char) * 2 if position % 2 == 0 else int(char)
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


def canary(key: str) -> str:
    """One of its own, of the kind that the key stands for."""
    number, key = next(_numbers), key.lower()
    if "mail" in key:
        return f"zq{number}qz@canary.example"
    if "phone" in key or "mobile" in key or "national" in key or key == "fax":
        return f"+1555{number:09d}"
    if key == "ip" or "_ip" in key or key.endswith("ip") or "ip_" in key:
        return f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::77"
    if "street" in key or "address" in key or key.startswith("line"):
        return f"{number} Zq{number}qz Street"
    if "url" in key or "site" in key:
        return f"https://shop.example/?who=zq{number}qz"
    if key == "number" or "account_number" in key:
        return luhn_valid(number)
    return f"Zq{number}qz Lovelace"


@dataclass
class Seeder:
    """Puts canaries into one vendor's payloads and remembers them with their places."""

    vendor: str
    sown: dict[str, str] = field(default_factory=dict)

    def variants(self, payload: Any) -> list[Any]:
        """The golden payload in its three forms."""
        keys = frozenset(KEYS[self.vendor].split())
        return [
            self._seeded(payload, "", keys),
            self._saturated(payload, "", sorted(keys)),
            self._with_cards(payload, ""),
        ]

    def _plant(self, path: str, key: str) -> str:
        value = canary(key)
        self.sown[value] = f"{path}.{key}"
        return value

    def _seeded(self, value: Any, path: str, keys: frozenset[str]) -> Any:
        """Whatever stands at a personal key, or says canary or an e-mail address already, is replaced."""
        inside = frozenset(INSIDE[self.vendor].get(path.rsplit(".", 1)[-1], "").split())
        if isinstance(value, dict):
            return {
                key: self._plant(path, key)
                if isinstance(one, str) and one and (key in keys | inside or _SAYS_SO.search(one))
                else self._seeded(one, f"{path}.{key}", keys)
                for key, one in value.items()
            }
        return [self._seeded(one, path, keys) for one in value] if isinstance(value, list) else value

    def _saturated(self, value: Any, path: str, keys: list[str]) -> Any:
        """Every personal key and block in every object that has none of that name."""
        if isinstance(value, list):
            return [self._saturated(one, path, keys) for one in value]
        if not isinstance(value, dict):
            return value
        found = {key: self._saturated(one, f"{path}.{key}", keys) for key, one in value.items()}
        inside = INSIDE[self.vendor].get(path.rsplit(".", 1)[-1], "").split()
        for key in (*keys, *inside):
            if found.get(key) in ("", None):
                found[key] = self._plant(path, key)
        for name, block in BLOCKS.get(self.vendor, {}).items():
            if name not in found:
                found[name] = self._filled(copy.deepcopy(block), f"{path}.{name}")
        return found

    def _filled(self, block: Any, path: str) -> Any:
        if isinstance(block, list):
            return [self._filled(one, path) for one in block]
        return {
            key: self._filled(one, f"{path}.{key}") if one else self._plant(path, key) for key, one in block.items()
        }

    def _with_cards(self, value: Any, path: str) -> Any:
        """A card number at the end of each free text, as a cashier types it."""
        if isinstance(value, list):
            return [self._with_cards(one, path) for one in value]
        if not isinstance(value, dict):
            return value
        found = {}
        for key, one in value.items():
            own = f"{path}.{key}" in NO_FREE_TEXTS.get(self.vendor, ())
            if isinstance(one, str) and one and key in FREE_TEXTS and not own:
                number = luhn_valid(next(_numbers))
                self.sown[number] = f"{path}.{key}"
                found[key] = f"{one} {number}"
            else:
                found[key] = self._with_cards(one, f"{path}.{key}")
        return found
