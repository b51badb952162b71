"""A program that uses the API: its token, and requests as it sends them."""

import copy
import itertools
import json

from django.test import Client

from salessync.api import clients
from salessync.core.models import ApiClient

ALL = [str(scope) for scope in ApiClient.Scope]
_names = itertools.count(1)
_keys = itertools.count(1)


class Program:
    """One API client of a company, with all scopes unless some are named."""

    def __init__(self, company, *scopes, pace=100_000):
        name = f"program {next(_names)}"
        self.client, self.token = clients.create(company=company, name=name, scopes=scopes or ALL, actor="test")
        ApiClient.objects.filter(pk=self.client.pk).update(requests_per_minute=pace)
        self.http = Client()

    def twin(self):
        """The same program with a connection of its own, for another thread."""
        twin = copy.copy(self)
        twin.http = Client()
        return twin

    def headers(self, more=None):
        return {"Authorization": f"Bearer {self.token}", **(more or {})}

    def get(self, path, parameters=None, **headers):
        return self.http.get(_address(path), parameters, headers=self.headers(headers))

    def post(self, path, body, *, key=None, kind="application/json", **headers):
        """With an Idempotency-Key of its own unless one is given; `key=""`: without."""
        key = f"key-{next(_keys)}" if key is None else key
        more = {"Idempotency-Key": key} if key else {}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(_address(path), raw, content_type=kind, headers=self.headers(more | headers))


def _address(path):
    return path if path.startswith(("/", "http")) else f"/api/v1/{path}"


def codes(response):
    """The codes of a problem's errors, having seen that it is a problem."""
    assert response["Content-Type"] == "application/problem+json", response.content
    told = response.json()
    assert told["status"] == response.status_code
    assert told["request_id"] == response["X-Request-ID"]
    assert told["type"].startswith("urn:salessync:problem:")
    assert told["detail"].endswith(".")
    return [error["code"] for error in told["errors"]]


def kind(response):
    """The last part of a problem's type."""
    codes(response)
    return response.json()["type"].rpartition(":")[2]


def of(example, channel):
    """One of the documentation's examples, sold on this channel."""
    return example | {"source": example["source"] | {"channel": channel.slug}}
