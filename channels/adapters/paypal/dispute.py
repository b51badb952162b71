"""Inquiries, claims and chargebacks. Pure."""

from channels.adapters.paypal.reading import Around, code_word, in_sandbox, money, reference, times
from channels.adapters.paypal.words import DISPUTE_FEES, DISPUTE_KIND, DISPUTE_OUTCOME, DISPUTE_STATE
from channels.dispute import Dispute
from channels.reading import Json, Reader, stamp, word
from channels.record import Source


def dispute_record(reader: Reader, raw: Json, where: str, around: Around) -> Dispute:
    """A dispute as it stands."""
    amount, currency = money(reader, raw.get("dispute_amount"), where + "dispute_amount") or (0, "")
    at, changed = times(reader, raw, where, around)
    payments = reader.objects(raw, "disputed_transactions", where)
    ids = [
        reader.optional_id(one.get("seller_transaction_id"), f"{where}disputed_transactions[{i}].seller_transaction_id")
        for i, one in enumerate(payments)
    ]
    disputed = [one for one in ids if one]
    first = payments[0] if payments else {}
    extensions = {
        "invoice_id": reference(first.get("invoice_number")),
        "custom_id": reference(first.get("custom")),
        "reason": code_word(raw.get("reason")),
        "more_transactions": disputed[1:] or None,
    }
    extensions = {key: value for key, value in extensions.items() if value is not None}
    context = around.context
    return Dispute(
        source=Source(
            channel=context.channel,
            adapter="paypal",
            id=reader.identifier(raw.get("dispute_id"), where + "dispute_id"),
            version=stamp(changed),
            test=around.test or in_sandbox(raw),
        ),
        occurred_at=at,
        timezone=context.timezone,
        business_date=reader.business_day(at, context.timezone, context.day_cut_hour),
        currency=currency,
        extensions={"paypal": extensions} if extensions else {},
        tender_reference=disputed[0] if disputed else None,
        kind=DISPUTE_KIND.get(word(raw.get("dispute_life_cycle_stage")), "unknown"),  # type: ignore[arg-type]
        state=_state(raw),  # type: ignore[arg-type]
        amount=reader.positive(amount, where + "dispute_amount"),
        fee=_fee(reader, raw, where, currency),
        due_by=reader.maybe_instant(raw, "seller_response_due_date", where),
    )


def _state(raw: Json) -> str:
    status = word(raw.get("status"))
    if status != "RESOLVED":
        return DISPUTE_STATE.get(status, "unknown")
    outcome = raw.get("dispute_outcome")
    return DISPUTE_OUTCOME.get(word(outcome.get("outcome_code")) if type(outcome) is dict else "", "unknown")


def _fee(reader: Reader, raw: Json, where: str, currency: str) -> int:
    """What PayPal charged the merchant for the dispute itself, less what it gave back of that."""
    total = 0
    for index, one in enumerate(reader.objects(raw, "money_movements", where)):
        if word(one.get("reason")) not in DISPUTE_FEES or word(one.get("affected_party")) != "SELLER":
            continue
        fee = money(reader, one.get("amount"), f"{where}money_movements[{index}].amount")
        if fee and fee[1] == currency:
            total += fee[0] if word(one.get("type")) == "DEBIT" else -fee[0]
    return reader.within_limit(max(total, 0), where + "money_movements")
