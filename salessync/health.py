"""Liveness and readiness, for whoever restarts and routes. Open to everybody, so they say no more than a word."""

import logging
import time
from collections.abc import Callable

from celery import current_app
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

logger = logging.getLogger(__name__)

_BROKER_CHECK_HOLDS = 5.0  # seconds: a hung broker costs 2 s a check, and is only a hint
_state = {"migrated": False, "broker": True, "broker_checked": float("-inf")}


@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Fit to take sales: the database answers and has every migration. Without the broker it is only slower."""
    try:
        fit = _database_is_ready()
    except DatabaseError as error:
        logger.warning("not ready: %s", type(error).__name__)
        fit = False
    if not fit:
        return JsonResponse({"status": "unavailable"}, status=503)
    return JsonResponse({"status": "ok" if _broker_answers() else "degraded"})


def answer_probes(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, the first of all: a probe comes over plain HTTP and knows the machine's address, not our host name."""
    views = {"/health/live": live, "/health/ready": ready}

    def middleware(request: HttpRequest) -> HttpResponse:
        view = views.get(request.path_info.rstrip("/"))
        return view(request) if view else get_response(request)

    return middleware


def _database_is_ready() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if not _state["migrated"]:  # once true it stays true for this process
        executor = MigrationExecutor(connection)
        _state["migrated"] = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return bool(_state["migrated"])


def _broker_answers() -> bool:
    now = time.monotonic()
    if now - _state["broker_checked"] > _BROKER_CHECK_HOLDS:
        _state["broker"] = _ping_broker()
        _state["broker_checked"] = time.monotonic()
    return bool(_state["broker"])


def _ping_broker() -> bool:
    try:
        with current_app.connection_for_write() as broker:
            broker.default_channel.client.ping()
    except Exception as error:  # a client raises what it likes; any of it means no
        logger.warning("degraded: the broker does not answer (%s)", type(error).__name__)
        return False
    return True
