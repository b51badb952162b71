"""Single requests to Shopify's Admin API, and what its answers are taken apart with. Pure."""

import re
from collections.abc import Generator
from typing import Any

from channels.client import Ask, Reply
from channels.reading import Json
from salessync.core.problems import Problem, Refused

VERSION = "2026-07"  # supported for about a year, after which Shopify answers in the shape of a later one
ROOT = f"/admin/api/{VERSION}/"
GRAPHQL = ROOT + "graphql.json"
AGAIN = frozenset({"THROTTLED", "IDEMPOTENCY_CONCURRENT_REQUEST"})  # the same request once more, after a pause
ATTEMPTS = 3


def graphql(query: str, variables: Json) -> Generator[Ask, Reply, tuple[Json, list[Json]]]:
    """The data of a GraphQL answer and its errors, each as {code, message}."""
    reply = yield Ask(method="POST", path=GRAPHQL, json={"query": query, "variables": variables})
    data, errors = inside(reply.body, "data"), inside(reply.body, "errors")
    told = objects(errors) or ([{"message": errors}] if errors else [])
    found = [{"code": inside(one, "extensions", "code"), "message": one.get("message")} for one in told]
    return (data if type(data) is dict else {}), found


def answered(query: str, variables: Json) -> Generator[Ask, Reply, Json]:
    """The data of a GraphQL answer; asked again where Shopify only wants a pause (Client.pause makes it), Refused on any other error."""
    for attempt in range(1, ATTEMPTS + 1):
        data, errors = yield from graphql(query, variables)
        if attempt == ATTEMPTS or not errors or not {inside(one, "code") for one in errors} <= AGAIN:
            break
    refuse(errors)
    return data


def inside(value: Any, *keys: str) -> Any:
    """What lies at the end of the keys; None where the way ends before."""
    for key in keys:
        value = value.get(key) if type(value) is dict else None
    return value


def objects(value: Any) -> list[Json]:
    """The objects of a list; none where it is no list."""
    return [one for one in value if type(one) is dict] if type(value) is list else []


def ident(value: Any) -> str | None:
    """An id that may stand in a path; None for anything else."""
    text = str(value) if type(value) in (int, str) else ""
    return text if text.isascii() and text.isdigit() else None


def gid(kind: str, identifier: str) -> str:
    """An id as GraphQL has it, made of REST's; one that is such already stays."""
    return identifier if identifier.startswith("gid://") else f"gid://shopify/{kind}/{identifier}"


def refuse(errors: list[Json]) -> None:
    """Raise what a GraphQL answer says went wrong, if anything."""
    if errors:
        raise Refused(
            *(Problem(_code(one), "graphql", f"Shopify refused it: {str(one.get('message'))[:300]}") for one in errors)
        )


def _code(error: Json) -> str:
    code = error.get("code")
    return code if type(code) is str and re.fullmatch("[A-Z_]{1,60}", code) else "REFUSED"
