"""GET journal-entries: the feed for Bookkeeper, in the messages that are pushed to it."""

from typing import Annotated
from urllib.parse import urlencode

from msgspec import Meta, Struct
from rest_framework.request import Request

from ledger import bookkeeper, feed
from salessync.api.inputs import NoQuery
from salessync.api.problems import ApiProblem
from salessync.api.resource import Resource
from salessync.api.schema import operation
from salessync.core.models import ApiClient

LAST = 2**63 - 1


class FeedQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """From where on, and how much at once."""

    after: Annotated[int, Meta(ge=0, le=LAST, description="the last `seq` that you have; 0: from the beginning")] = 0
    limit: Annotated[int, Meta(ge=1, le=500, description="entries in one answer, at most")] = 100


class Feed(Struct, kw_only=True):
    """Entries in the order of `seq`. `next`: where to go on at once; null: there is no more yet, ask again after the last `seq`."""

    results: list[bookkeeper.Entry]
    next: str | None


class JournalEntries(Resource):
    @operation(
        scope=ApiClient.Scope.BOOKKEEPER, name="journal_entries", query=FeedQuery, answer=Feed,
    )  # fmt: skip
    def get(self, request: Request, query: FeedQuery) -> Feed:
        """Journal entries as they are pushed to Bookkeeper, each with its record, in the order of `seq`.

        `seq` counts the company's entries without gaps, in the order in which they became visible: whoever keeps the last one that
        he has seen and asks for what comes after it sees every entry once, however many are written meanwhile.
        """
        found = feed.stretch(company=self.company, after=query.after, limit=query.limit)
        following = None
        if found.more:
            parameters = urlencode({"after": found.entries[-1].seq, "limit": query.limit})
            following = request.build_absolute_uri(f"{request.path}?{parameters}")
        return Feed(results=found.entries, next=following)


class JournalEntry(Resource):
    @operation(
        scope=ApiClient.Scope.BOOKKEEPER, name="journal_entry", answer=bookkeeper.Entry, conditional=True,
    )  # fmt: skip
    def get(self, request: Request, query: NoQuery, id: str) -> object:
        """One journal entry by its id, as the feed has it."""
        slug, _, number = id.rpartition(":")
        found = feed.entry(company=self.company, number=int(number)) if slug == self.company.slug else None
        if found is None:
            raise ApiProblem(404, "not-found", "There is no such entry.")
        return self.with_etag(found)
