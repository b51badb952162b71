"""Where a channel counts stock, and from which of our places each of these sells."""

from collections.abc import Sequence
from typing import NamedTuple

from channels.models import Channel
from inventory.levels import DEFAULT_LOCATION
from inventory.models import ChannelLocation, Level
from salessync.core.problems import Problem


class Places(NamedTuple):
    """The channel's places with ours that each sells from (empty: all); `new`: those without a row."""

    locations: dict[str, list[str]]
    new: frozenset[str]
    own: str  # the channel's own location, or ""

    @property
    def ids(self) -> list[str]:
        """The channel's places; [""] where it has one only."""
        return list(self.locations) or [""]

    def location_of(self, place: str) -> str:
        """Where its stock lies with us."""
        chosen = self.locations.get(place)
        return chosen[0] if chosen else self.own or DEFAULT_LOCATION


def wanted(channel: Channel, remote: Sequence[tuple[str, str]], *, creates: bool) -> tuple[Places, list[Problem]]:
    """`remote`: (id, name) of each of the channel's places. What rows say already stands.

    One place sells all that we have, or what the channel's location has. Of several each needs to know which of ours it sells from,
    or all of them would show the same units: the place of the same name or id; of a channel that is the master of the catalogue the one
    called by the place's id, as its sales name it. Another one gets no row, and is reported.
    """
    known = {row.remote_id: row.locations for row in ChannelLocation.objects.filter(channel=channel)}
    ours = {
        name.casefold(): name
        for name in Level.objects.filter(company_id=channel.company_id).values_list("location", flat=True).distinct()
    }
    own = [channel.stock_location] if channel.stock_location else []
    found: dict[str, list[str]] = {}
    problems = []
    for id_, name in remote:
        same = next((ours[word.casefold()] for word in (id_, name) if word.casefold() in ours), None)
        if id_ in known:
            found[id_] = known[id_]
        elif len(remote) == 1:
            found[id_] = own
        elif same or (creates and len(id_) <= 60):
            found[id_] = [same or id_]
        else:
            said = (
                f"say which of your places {name or id_!r} of {channel.slug} sells from: until then it is told nothing"
            )
            problems.append(Problem("UNKNOWN_LOCATION", id_[:80], said))
    return Places(found, frozenset(found.keys() - known.keys()), channel.stock_location), problems


def save(channel: Channel, places: Places) -> None:
    """The rows that were missing."""
    ChannelLocation.objects.bulk_create(
        [
            ChannelLocation(channel=channel, remote_id=id_, locations=locations)
            for id_, locations in places.locations.items()
            if id_ in places.new
        ],
        ignore_conflicts=True,
    )
