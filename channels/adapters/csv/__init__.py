"""CSV: files of tills and shops that have no API, by saved mappings of their columns. Pure.

mapping.py says what a mapping is, file.py splits a file into transactions, the rest reads one of them. The payload is
{"mapping": the mapping, "rows": [{column: text}…] of one transaction, "lines": where they stand in the file}.
"""

from datetime import datetime
from typing import Any

from channels.adapter import Adapter, Context, Envelope, Headers, SignatureRefused, Trust
from channels.adapters.csv.cells import Cells
from channels.adapters.csv.facts import read_facts
from channels.adapters.csv.file import events
from channels.adapters.csv.refund import refund_record
from channels.adapters.csv.sale import sale_record
from channels.adapters.csv.scrub import scrub
from channels.canonical import AnyRecord

__all__ = ["adapter", "events"]


class Csv(Adapter):
    """Files of one till or shop."""

    name = "csv"
    label = "CSV file"
    missing = {
        "charges": "a file of sales has payments as a part of them",
        "disputes": "a file of sales has none",
        "payouts": "a file of sales has none",
        "webhooks": "files are captured, not posted",
        "polling": "there is nothing to ask: a person or a script brings the file",
        "stock": "a file takes no levels",
    }

    def verify(self, headers: Headers, body: bytes, trust: Trust, now: datetime) -> None:
        """Nothing proves who wrote a file: it comes in by hand, never by the webhook address."""
        raise SignatureRefused("csv files are captured, not posted")

    def envelope(self, headers: Headers, payload: Any) -> Envelope:
        """A file has neither deliveries nor topics."""
        return Envelope(None, "")

    def normalize(self, payload: Any, topic: str | None, context: Context) -> list[AnyRecord]:
        """The sale or refund that the rows of one transaction are."""
        cells = Cells(payload)
        facts = read_facts(cells, context)
        _, refunded = cells.one("refund_of")
        return [refund_record(cells, facts) if refunded else sale_record(cells, facts)]

    def scrub(self, payload: Any) -> Any:
        """The mapping and the mapped columns: what else a file tells of a customer is not kept."""
        return scrub(payload)


adapter = Csv()
