"""Our own shape as a payload: canonical records in JSON, one or many, of the types that a channel may bring. Pure."""

import re
from collections.abc import Collection
from datetime import UTC
from typing import Any

import msgspec
from msgspec import inspect

from channels import canonical, checks
from channels.adapter import Context
from channels.canonical import TYPES, AnyRecord
from channels.cash_session import CashSession
from channels.dispute import Dispute
from channels.payload import mask_cards
from channels.payout import Payout
from channels.record import Record
from salessync.core import dates
from salessync.core.problems import Problem, Refused

_HASHED = re.compile("sha256:[0-9a-f]{64}")

# What names an object is never masked: an id that happens to look like a card number must stay itself.
IDENTIFIERS = frozenset({
    "id", "version", "reference", "parent", "sale", "charge", "line", "sku", "order_reference", "payout", "exchange",
    "reservation", "tender_reference", "trace_id", "channel", "adapter", "location", "register", "ref", "tax_id", "type",
    "schema", "occurred_at", "initiated_at", "due_by", "available_on", "business_date", "timezone", "currency", "quantity",
    "unit_price", "rate", "last4", "postcode", "opened_at", "closed_at", "at", "account", "tax_code",
})  # fmt: skip

NO_FIELDS = frozenset[str]()


class OwnShape:
    """Reads and scrubs payloads of one adapter. `refusal` says to the sender of any other type why it is none of this channel's."""

    def __init__(self, adapter: str, types: Collection[str], refusal: str) -> None:
        self.adapter, self.types, self.refusal = adapter, frozenset(types), refusal
        self.fields = _fields(self.types)

    def read(self, payload: Any, context: Context) -> list[AnyRecord]:
        """The records as they are, completed by what the channel knows; Refused with every problem of every record at once."""
        if isinstance(payload, dict) and "records" in payload and "type" not in payload:
            return self._many(payload, context)
        problems: list[Problem] = []
        record = self._record(payload, "", context, problems)
        if record is None or problems:
            raise Refused(*problems)
        return [record]

    def scrub(self, payload: Any) -> Any:
        """Of what is no part of the shape only the name is left, for it to be refused by; in free text a card number is masked."""
        return self._scrubbed(payload, "")

    def _many(self, payload: dict[str, Any], context: Context) -> list[AnyRecord]:
        rows, problems = payload["records"], list[Problem]()
        for key in payload:
            if key != "records":
                problems.append(Problem("UNKNOWN_FIELD", key[:60], "beside records there is nothing else"))
        if not isinstance(rows, list):
            raise Refused(Problem("NOT_A_LIST", "records", "records should be a list"))
        found = [self._record(row, f"records[{index}].", context, problems) for index, row in enumerate(rows)]
        if problems:
            raise Refused(*problems)
        return [record for record in found if record is not None]

    def _record(self, data: Any, where: str, context: Context, problems: list[Problem]) -> AnyRecord | None:
        """One record, or None and its problems: the missing fields all at once, then the first that has no right shape."""
        before = len(problems)
        if isinstance(data, dict):
            if self._is_foreign(data.get("type")):
                problems.append(Problem("WRONG_CHANNEL", where + "type", self.refusal))
                return None
            data = self._completed(data, where, context, problems)
        problems.extend(
            Problem(p.code, where + p.path, p.message)
            for p in checks.gate(data)
            # a sale without a jurisdiction is a record, whose proof will object; one with half a jurisdiction is none
            if p.code != "MISSING_JURISDICTION" or data.get("jurisdiction") is not None
        )
        if len(problems) > before:
            return None
        try:
            record = canonical.from_dict(data)
        except Refused as refused:
            problems.extend(Problem(p.code, where + p.path, p.message) for p in refused.problems)
            return None
        try:
            return _in_utc(record)
        except OverflowError:
            problems.append(Problem("BAD_TIME", where + "occurred_at", "the time is outside of the calendar"))
            return None

    def _is_foreign(self, kind: Any) -> bool:
        return isinstance(kind, str) and kind in TYPES and kind not in self.types

    def _completed(self, data: dict[str, Any], where: str, context: Context, problems: list[Problem]) -> dict[str, Any]:
        """A copy with the channel's name, zone, day and jurisdiction where the record has none."""
        data = dict(data)
        source = data.get("source")
        if isinstance(source, dict):
            named = source.get("channel")
            if named and context.channel and named != context.channel:
                problems.append(
                    Problem(
                        "WRONG_CHANNEL", where + "source.channel", f"the record is of the channel {str(named)[:60]!r}"
                    )
                )
            adapter = source.get("adapter")
            data["source"] = source | {
                "channel": named or context.channel or self.adapter,
                "adapter": self.adapter if adapter in (None, "") else adapter,
            }
        if data.get("timezone") in (None, ""):
            data["timezone"] = context.timezone
        if data.get("business_date") in (None, ""):
            _set_business_date(data, where, context, problems)
        if data.get("type") == "sale" and data.get("jurisdiction") is None and context.jurisdiction is not None:
            data["jurisdiction"] = msgspec.to_builtins(msgspec.structs.replace(context.jurisdiction, basis="store"))
        return data

    def _scrubbed(self, value: Any, part: str) -> Any:
        """A part of a record, or a list of them, with the fields that it may have."""
        if isinstance(value, list):
            return [self._scrubbed(one, part) for one in value]
        if not isinstance(value, dict):
            return mask_cards(value) if isinstance(value, str) else value
        names = self.fields.get(part, NO_FIELDS)
        kept: dict[str, Any] = {}
        for key, one in value.items():
            if key not in names:
                kept[mask_cards(key)] = None
            elif key == "extensions":
                kept[key] = _free(one)
            elif key == "ref":
                kept[key] = _ref(one)
            elif isinstance(one, (dict, list)):
                kept[key] = self._scrubbed(one, key)
            else:
                kept[key] = mask_cards(one) if isinstance(one, str) and key not in IDENTIFIERS else one
        return kept


def _fields(types: Collection[str]) -> dict[str, frozenset[str]]:
    """Name of a part ("" is the record itself) → the names that may stand in it, over the records of these types."""
    found: dict[str, set[str]] = {"": {"type", "records"}, "records": {"type"}}

    def walk(name: str, kind: inspect.Type) -> None:
        if isinstance(kind, inspect.StructType):
            found.setdefault(name, set()).update(field.encode_name for field in kind.fields)
            for field in kind.fields:
                walk(field.encode_name, field.type)
        elif isinstance(kind, inspect.UnionType):
            for one in kind.types:
                walk(name, one)
        elif isinstance(kind, inspect.ListType):
            walk(name, kind.item_type)

    for name in types:
        walk("", inspect.type_info(TYPES[name]))
        walk("records", inspect.type_info(TYPES[name]))
    return {name: frozenset(fields) for name, fields in found.items()}


def _set_business_date(data: dict[str, Any], where: str, context: Context, problems: list[Problem]) -> None:
    """The store's own day, where the time and the zone can be read; where they cannot, their own problem says so."""
    timezone = data["timezone"]
    if data.get("occurred_at") is None or not isinstance(timezone, str):
        return
    try:
        at = dates.parse_instant(data["occurred_at"])
        data["business_date"] = dates.business_date(at, timezone, context.day_cut_hour).isoformat()
    except dates.DateError as error:
        path = "timezone" if error.code == "UNKNOWN_TIMEZONE" else "occurred_at"
        problems.append(Problem(error.code, where + path, str(error)))
    except OverflowError:
        problems.append(Problem("BAD_TIME", where + "occurred_at", "the time is outside of the calendar"))


def _in_utc(record: AnyRecord) -> AnyRecord:
    """Instants with an offset are the same instants in UTC."""
    _shift(record, "occurred_at")
    if isinstance(record, Payout):
        _shift(record, "initiated_at")
        for line in record.lines or []:
            if line.available_on is not None:
                line.available_on = line.available_on.astimezone(UTC)
    elif isinstance(record, Dispute):
        _shift(record, "due_by")
    elif isinstance(record, CashSession):
        _shift(record, "opened_at")
        _shift(record, "closed_at")
        for movement in record.movements:
            if movement.at is not None:
                movement.at = movement.at.astimezone(UTC)
    return record


def _shift(record: Record, field: str) -> None:
    at = getattr(record, field)
    if at is not None and at.tzinfo is not UTC:
        setattr(record, field, at.astimezone(UTC))


def _free(value: Any) -> Any:
    """The inside of extensions, where nothing names an object: card numbers masked, in keys too."""
    if isinstance(value, dict):
        return {mask_cards(key): _free(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_free(one) for one in value]
    if isinstance(value, str):
        return mask_cards(value)
    if type(value) is int and value > 10**12:  # a card number needs no quotes
        masked = mask_cards(str(value))
        return value if masked == str(value) else masked
    return value


def _ref(value: Any) -> Any:
    """A customer's reference is a hash; anything else could be a person, and is refused all the same."""
    return value if value is None or (isinstance(value, str) and _HASHED.fullmatch(value)) else ""
