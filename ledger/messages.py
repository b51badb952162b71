"""Journal entries as Bookkeeper receives them: the same entry is told alike whenever it is told."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from channels.models import TransactionVersion
from ledger import bookkeeper
from ledger.models import BookkeeperCode, JournalEntry, Posting


def of(entry_ids: Sequence[int]) -> dict[int, bookkeeper.Entry]:
    """By our id, in the order of the feed: a few queries, whatever their number."""
    rows = list(
        JournalEntry.objects.filter(id__in=entry_ids).order_by("seq", "id").values_list(
            "id", "seq", "date", "version_id", "company_id", "company__slug", "transaction__type",
            "transaction__channel__slug", "transaction__source_id", "delivery__codes_as_of",
        )
    )  # fmt: skip
    codes = Codes(row[4] for row in rows if row[9])
    legs = _legs(entry_ids)
    versions = {
        version_id: (version, bytes(record))
        for version_id, version, record in TransactionVersion.objects.filter(
            id__in={row[3] for row in rows}
        ).values_list("id", "version", "record")
    }
    messages = {}
    for entry_id, seq, day, version_id, company_id, company, kind, channel, source_id, as_of in rows:
        version, record = versions.get(version_id, (None, b"null"))
        messages[entry_id] = bookkeeper.Entry(
            id=bookkeeper.entry_id(company=company, entry=entry_id),
            seq=seq,
            date=day.isoformat(),
            currency=legs[entry_id][0].currency,
            source=bookkeeper.Origin(type=kind, channel=channel, id=source_id, version=version),
            record=msgspec.Raw(record),
            postings=codes.applied(company_id, legs[entry_id], as_of=as_of) if as_of else legs[entry_id],
        )
    return messages


def _legs(entry_ids: Sequence[int]) -> dict[int, list[bookkeeper.Leg]]:
    found: dict[int, list[bookkeeper.Leg]] = defaultdict(list)
    for entry_id, *leg in Posting.objects.filter(entry_id__in=entry_ids).order_by("entry_id", "leg").values_list(
        "entry_id", "account__code", "amount", "currency", "base_amount", "channel__slug", "location", "tax_code", "category",
        "path",
    ):  # fmt: skip
        found[entry_id].append(bookkeeper.Leg(*leg))
    return found


class Codes:
    """What accounts are called at Bookkeeper, at any time: every BookkeeperCode of some companies."""

    def __init__(self, company_ids: Iterable[int]) -> None:
        self._changes: dict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
        companies = set(company_ids)
        if companies:
            for id_, company_id, account, code in BookkeeperCode.objects.filter(company__in=companies).order_by("id").values_list(
                "id", "company_id", "account__code", "code"
            ):  # fmt: skip
                self._changes[company_id, account].append((id_, code))

    def named(self, company_id: int, account: str, *, as_of: int | None = None) -> str:
        """The code that stood after the BookkeeperCode `as_of` (None: the latest); our own where there is none."""
        found = account
        for id_, code in self._changes.get((company_id, account), ()):
            if as_of is None or id_ <= as_of:
                found = code or account
        return found

    def applied(self, company_id: int, legs: Sequence[bookkeeper.Leg], *, as_of: int) -> list[bookkeeper.Leg]:
        """The legs with Bookkeeper's names of their accounts."""
        return [msgspec.structs.replace(leg, account=self.named(company_id, leg.account, as_of=as_of)) for leg in legs]
