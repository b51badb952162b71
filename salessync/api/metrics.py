"""GET metrics: the figures of /metrics as JSON."""

from msgspec import Struct
from rest_framework.request import Request

from salessync import metrics
from salessync.api.inputs import NoQuery
from salessync.api.resource import Resource
from salessync.api.schema import operation
from salessync.core.models import ApiClient


class Metric(Struct, kw_only=True):
    """One figure."""

    name: str
    labels: dict[str, str]
    value: float


class MetricList(Struct, kw_only=True):
    """Every figure, as Prometheus gets them."""

    results: list[Metric]


class Metrics(Resource):
    @operation(scope=ApiClient.Scope.METRICS, name="metrics", answer=MetricList)
    def get(self, request: Request, query: NoQuery) -> MetricList:
        """How the installation does: what is due, delivered, refused, and in which condition its channels are.

        These figures are of the whole installation, all its companies together.
        """
        samples = (sample for family in metrics.registry.collect() for sample in family.samples)
        return MetricList(results=[Metric(name=s.name, labels=dict(s.labels), value=s.value) for s in samples])
