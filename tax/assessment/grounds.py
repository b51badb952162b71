"""The grounds of taxes: texts that assessments share, by id. Each process remembers those that it has met."""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from django.db import transaction

from salessync.core import bulk
from tax.assessment.assessed_lines import GroundTexts
from tax.models import Ground

_MEMO = 20_000
_known: dict[GroundTexts, int] = {}


def ids(texts: Iterable[GroundTexts]) -> Mapping[GroundTexts, int]:
    """The id of each, written where it is new. Part of the caller's transaction, and remembered once that is committed."""
    wanted = set(texts)
    new = {_digest(one): one for one in wanted if one not in _known}
    if not new:
        return _known
    rows = sorted((digest, *one) for digest, one in new.items())  # one order for all: no deadlock
    with bulk.binary_cursor() as cursor:
        cursor.execute(
            "INSERT INTO tax_ground (digest, name, jurisdiction, rule, source)"
            " SELECT * FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[]) ON CONFLICT (digest) DO NOTHING",
            [list(column) for column in zip(*rows, strict=True)],
        )
        cursor.execute("SELECT digest, id FROM tax_ground WHERE digest = ANY(%s::bytea[])", [list(new)])
        found = {new[bytes(digest)]: id_ for digest, id_ in cursor.fetchall()}
    transaction.on_commit(lambda: _remember(found))
    return {**{one: _known[one] for one in wanted if one in _known}, **found}


def texts(ids: Iterable[int]) -> dict[int, GroundTexts]:
    """What these ids say."""
    rows = Ground.objects.filter(pk__in=set(ids)).values_list("pk", "name", "jurisdiction", "rule", "source")
    return {id_: (name, jurisdiction, rule, source) for id_, name, jurisdiction, rule, source in rows}


def forget() -> None:
    """As in a new process."""
    _known.clear()


def _remember(found: Mapping[GroundTexts, int]) -> None:
    if len(_known) >= _MEMO:
        _known.clear()
    _known.update(found)


def _digest(one: GroundTexts) -> bytes:
    return sha256("\0".join(one).encode()).digest()
