"""Lists page by page: `{"next", "previous", "results"}`, with cursors that are signed for the list they belong to.

A cursor is a place in an order that never changes (an id, a code), so that rows which come or go meanwhile move no page.
"""

from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

from django.core.signing import BadSignature, Signer
from django.db.models import QuerySet
from msgspec import UNSET, Meta, Struct, UnsetType
from rest_framework.request import Request

from salessync.api.problems import ApiProblem
from salessync.core.problems import Problem

T = TypeVar("T")

LARGEST = 500


class Page(Struct, Generic[T], kw_only=True):
    """`next` and `previous` are addresses; null where there is no more."""

    next: str | None
    previous: str | None
    results: list[T]


class PageQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list."""

    page_size: Annotated[int, Meta(ge=1, le=LARGEST, description="rows in a page")] = 100
    cursor: Annotated[str, Meta(max_length=500, description="from `next` or `previous`")] | UnsetType = UNSET


def page(
    request: Request,
    query: PageQuery,
    rows: QuerySet[Any],
    *,
    key: str,
    build: Callable[[dict[str, Any]], T],
    newest_first: bool = False,
) -> dict[str, Any]:
    """One page of `rows`, which give dictionaries with `key`, a unique column that orders them."""
    signer = _signer(request)
    place, backwards = _place(signer, query.cursor) if query.cursor is not UNSET else (None, False)
    downwards = newest_first != backwards
    if place is not None:
        rows = rows.filter(**{f"{key}__{'lt' if downwards else 'gt'}": place})
    found = list(rows.order_by(f"-{key}" if downwards else key)[: query.page_size + 1])
    more = len(found) > query.page_size
    found = found[: query.page_size]
    if backwards:
        found.reverse()
    onwards, back = (bool(found), more) if backwards else (more, bool(found) and place is not None)
    return {
        "next": _address(request, signer, found[-1][key], backwards=False) if onwards else None,
        "previous": _address(request, signer, found[0][key], backwards=True) if back else None,
        "results": [build(row) for row in found],
    }


def _signer(request: Request) -> Signer:
    """For this list with these filters: a cursor of another one means nothing here."""
    filters = sorted(
        (name, value) for name, value in request.query_params.items() if name not in ("cursor", "page_size")
    )
    return Signer(salt=f"salessync.api.cursor:{request.path.rstrip('/')}?{urlencode(filters)}")


def _place(signer: Signer, cursor: str) -> tuple[Any, bool]:
    try:
        place, backwards = signer.unsign_object(cursor)
    except (BadSignature, ValueError):
        problem = Problem("BAD_CURSOR", "cursor", "the cursor is not one of this list: take it from next or previous")
        raise ApiProblem(400, "bad-parameter", "A query parameter is not understood.", errors=[problem]) from None
    return place, backwards


def _address(request: Request, signer: Signer, place: Any, *, backwards: bool) -> str:
    parameters = request.query_params.copy()
    parameters["cursor"] = signer.sign_object([place, backwards])
    return request.build_absolute_uri(f"{request.path}?{parameters.urlencode()}")
