"""So many requests a minute for each client, counted in the database, so that all processes count together."""

from typing import Any, NamedTuple

from django.db import connection
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

# A count that a crash forgets costs nothing; waiting for the disk would cost each request.
_COUNT = """
    INSERT INTO core_apipace AS p (client_id, minute, requests)
    SELECT %s, floor(extract(epoch FROM clock_timestamp()) / 60), 1 FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (client_id) DO UPDATE SET
           requests = CASE WHEN EXCLUDED.minute > p.minute THEN 1 ELSE p.requests + 1 END,
           minute = greatest(EXCLUDED.minute, p.minute)
    RETURNING requests, 60 - (extract(epoch FROM clock_timestamp())::bigint %% 60)
"""


class Allowance(NamedTuple):
    """What is left of this minute; `reset` in seconds."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-07 names them."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
            "RateLimit-Policy": f"{self.limit};w=60",
        }


class ClientThrottle(BaseThrottle):
    """Each request counts, refused ones too."""

    allowance: Allowance | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [request.user.pk])
            requests, reset = cursor.fetchone()
        limit = request.user.requests_per_minute
        self.allowance = view.allowance = Allowance(limit, max(limit - requests, 0), int(reset))
        return bool(requests <= limit)

    def wait(self) -> float | None:
        return float(self.allowance.reset) if self.allowance else None
