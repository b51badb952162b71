"""`make bench`: what the pipeline does beside a yardstick on the same server, in the same run. Prints a table, writes bench.json.

    python -m tests.bench [--runs 5] [--seconds 20] [--events 70000] [--latency-seconds 30]

The yardstick is pgbench's TPC-B-like test (`-i -s 50`, `-M prepared -c 8 -j 2`) on the same PostgreSQL, fsync on. Runs alternate; each
pipeline run starts from the same stored events in a fresh copy of the database. Ratios count; absolute figures are the machine's.
"""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.tax import bench as tax_bench

STAGES = {"stock": ("moves", "apply", 0), "tax": ("assessing", "assess", None)}  # in salessync/pipeline.py
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    arguments = _arguments()
    if arguments.worker:
        _worker(arguments.worker, arguments.share)
        return
    os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="salessync-bench-")
    os.environ |= {"DEBUG": "on", "DATABASE_URL": "", "REDIS_URL": "", "BOOKKEEPER_URL": "", "LOG_LEVEL": "ERROR"}
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salessync.settings")
    import django

    django.setup()
    from django.conf import settings

    from salessync.core import embedded

    embedded.start(settings.DATA_DIR)
    try:
        found = Bench(arguments).run()
    finally:
        embedded.stop(settings.DATA_DIR)
    Path("bench.json").write_text(json.dumps(found, indent=2) + "\n")
    print(f"\n{'':28}median   runs")
    for name, value in found.items():
        if not name.endswith("_runs"):
            print(f"{name:28}{value:<9}{found.get(name + '_runs', '')}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20, help="at least so long a run")
    parser.add_argument("--events", type=int, default=70_000, help="stored vendor payloads of about 3 KB")
    parser.add_argument("--latency-seconds", type=int, default=30)
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--share", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


class Bench:
    """One server, three databases: pgbench's, the template with stored events, and the copy of the run."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        from django.conf import settings

        from salessync.core import servers

        self.wanted = arguments
        self.data_dir = settings.DATA_DIR
        self.pgbench_program = servers._postgres_binary("pgbench")

    def run(self) -> dict[str, object]:
        """Everything, in order; medians, with each run's figure beside."""
        found: dict[str, object] = {"events": self.wanted.events, "payload_bytes": 0}
        say("preparing pgbench -i -s 50")
        self._admin("CREATE DATABASE tpcb")
        self._pgbench("-i", "-s", "50", "-q")
        found["payload_bytes"] = self._store_events()
        tpcb, pipeline = [], []
        for number in range(self.wanted.runs):
            self._admin("CHECKPOINT")
            tpcb.append(self._tps())
            pipeline.append(self._pipeline())
            say(f"run {number + 1}: TPC-B {tpcb[-1]:.0f}/s, pipeline {pipeline[-1]:.0f} sales/s")
        _put(found, "tpcb_tps", tpcb, 0)
        _put(found, "pipeline_sales_s", pipeline, 0)
        _put(found, "pipeline_ratio", [p / t for p, t in zip(pipeline, tpcb, strict=True)], 3)
        for stage in STAGES:
            say(f"the share of {stage}")
            found[f"{stage}_share"] = self._share(stage)
        found["normalize_us"] = round(_normalize_us(), 1)
        say("tax")
        found |= tax_bench.measure()
        found |= self._latency()
        return found

    def _admin(self, statement: str, database: str = "postgres") -> None:
        import psycopg

        from salessync.core import addresses

        with psycopg.connect(addresses.owner_url(self.data_dir, database), autocommit=True) as connection:
            connection.execute(statement)

    def _pgbench(self, *options: str) -> str:
        from salessync.core import addresses

        done = subprocess.run(
            [self.pgbench_program, "-h", str(addresses.socket_dir(self.data_dir)), "-U", "postgres", *options, "tpcb"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    def _tps(self) -> float:
        output = self._pgbench("-M", "prepared", "-c", "8", "-j", "2", "-T", str(self.wanted.seconds), "-n")
        line = next(text for text in output.splitlines() if text.startswith("tps"))
        return float(line.split("=")[1].split()[0])

    def _environment(self, database: str) -> dict[str, str]:
        from salessync.core import addresses

        return {
            **os.environ, "DATABASE_URL": addresses.owner_url(self.data_dir, database),
            "REDIS_URL": addresses.redis_url(self.data_dir), "DEBUG": "off", "SECRET_KEY": "x" * 60, "ALLOWED_HOSTS": "127.0.0.1",
            "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(b"bench".ljust(32)).decode(), "LOG_LEVEL": "ERROR",
        }  # fmt: skip

    def _store_events(self) -> int:
        """The template: channels, products and the events as the webhook stores them."""
        self._admin("CREATE DATABASE stored")
        say(f"storing {self.wanted.events} events")
        code = f"from tests import bench; print(bench.store({self.wanted.events}))"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            env=self._environment("stored"),
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return int(done.stdout.split()[-1])

    def _work(self, *more: str) -> dict[str, float]:
        """What a worker process says of a run over a fresh copy of the stored events."""
        self._admin("CREATE DATABASE run TEMPLATE stored STRATEGY FILE_COPY")
        self._admin("CHECKPOINT")
        try:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "tests.bench", "--worker", str(self.wanted.seconds), *more],
                env=self._environment("run"), cwd=ROOT, capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode:
                raise SystemExit(done.stderr)
            found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
            return found
        finally:
            self._admin("DROP DATABASE run WITH (FORCE)")

    def _pipeline(self) -> float:
        result = self._work()
        if result["posted"] != result["done"] or result["entries"] != result["done"]:
            raise SystemExit(f"not every event was posted: {result}")
        if result["seconds"] < self.wanted.seconds:
            say(f"all {result['done']} events were done in {result['seconds']:.1f} s: give more --events")
        return result["done"] / result["seconds"]

    def _share(self, stage: str) -> float:
        """How much of a sale's time the stage takes: batches with and without it alternate in one run."""
        result = self._work("--share", stage)
        return round(1 - result["without"] / result["with"], 3)

    def _latency(self) -> dict[str, object]:
        """Signed webhooks at 50 a second to a real web server; from the send to the commit that posted."""
        from salessync.management.processes import processes

        self._admin("CREATE DATABASE latency TEMPLATE stored STRATEGY FILE_COPY")
        self._admin("TRUNCATE channels_event", "latency")
        env = self._environment("latency") | {"PORT": "8931", "WEB_CONCURRENCY": "2"}
        wanted = [p for p in processes(env, data_dir=str(self.data_dir)) if p[0] in ("web", "worker")]
        started = [
            subprocess.Popen(command, env=env, cwd=ROOT, shell=isinstance(command, str), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
            for _, command in wanted
        ]  # fmt: skip
        try:
            return _measure_latency(env, self.wanted.latency_seconds)
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(30)


def store(count: int) -> int:
    """Set up a shop with products and store `count` payloads; their mean size in bytes."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from channels.capture import capture
    from inventory import catalog
    from salessync import setup
    from salessync.sandbox import bulk_orders, shops

    call_command("migrate", verbosity=0)
    company = setup.bootstrap()
    channel, _ = setup.create_channel(
        slug="bench", adapter="shopify", secret="bench", currency="USD", timezone="America/New_York", live_from=None
    )
    for slug in _catalog_channels():
        setup.create_channel(slug=slug, adapter="shopify", secret="x", currency="", timezone="UTC", live_from=None)
    catalog.import_catalog(company=company, text=shops.catalog_file())
    size = 0
    with transaction.atomic():
        for number, body in enumerate(bulk_orders.orders(count)):
            size += len(body)
            headers = {"x-shopify-webhook-id": f"bench-{number}", "x-shopify-topic": "orders/create"}
            capture(channel=channel, headers=headers, body=body, mode="webhook", received_at=datetime.now(UTC))
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return size // count


def _catalog_channels() -> list[str]:
    from inventory.catalog import FIELDS
    from salessync.sandbox import shops

    return [name for name in shops.catalog_file().splitlines()[0].split(",") if name not in FIELDS]


def _alternating(seconds: float, stage: str) -> None:
    """Batches with and without a stage by turns, after a few to warm up; prints seconds a sale of either."""
    from salessync import pipeline

    module, name, nothing = STAGES[stage]
    where = getattr(pipeline, module)
    real, spent = getattr(where, name), {True: [0, 0.0], False: [0, 0.0]}
    start, turn = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        is_on = turn % 2 == 0
        setattr(where, name, real if is_on else lambda *_: nothing)
        began = time.perf_counter()
        taken = pipeline.run_batch()
        if not taken:
            break
        turn += 1
        if turn > 6:
            spent[is_on][0] += taken
            spent[is_on][1] += time.perf_counter() - began
    print(json.dumps({"with": spent[True][1] / spent[True][0], "without": spent[False][1] / spent[False][0]}))


def _worker(seconds: float, share: str = "") -> None:
    """One worker process: batches until the time is over; what it did is counted in the database."""
    import django

    django.setup()
    from django.db import connection

    from salessync import celery, pipeline

    celery.only_publish()
    if share:
        _alternating(seconds, share)
        return
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds and (taken := pipeline.run_batch()):
        done += taken
    elapsed = time.perf_counter() - start
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM channels_event WHERE state = 'posted'), count(*) FROM ledger_journalentry"
        )
        posted, entries = cursor.fetchone()
    print(json.dumps({"done": done, "seconds": elapsed, "posted": posted, "entries": entries}))


def _normalize_us() -> float:
    """Microseconds a 3 KB order from stored body to proven records, one core."""
    from channels import adapter, checks, payload
    from salessync.sandbox import bulk_orders

    shopify = adapter.get("shopify")
    bodies = [payload.dump(shopify.scrub(payload.parse(b))) for b in bulk_orders.orders(2000)]
    context = adapter.Context(channel="bench", timezone="America/New_York")
    best = 1e9
    for _ in range(5):
        start = time.perf_counter()
        for body in bodies:
            for record in shopify.normalize(payload.parse_stored(body), "orders/create", context):
                checks.check(record)
        best = min(best, (time.perf_counter() - start) / len(bodies) * 1e6)
    return best


def _measure_latency(env: dict[str, str], seconds: int) -> dict[str, object]:
    import psycopg
    import requests

    from salessync.sandbox import bulk_orders
    from salessync.sandbox.play import sign

    base = f"http://127.0.0.1:{env['PORT']}"
    for _ in range(200):
        try:
            if requests.get(base + "/health/ready", timeout=2).ok:
                break
        except requests.ConnectionError:
            time.sleep(0.1)
    rate, sent = 50, {}
    bodies = list(bulk_orders.orders(rate * (seconds + 2), first=9_000_000_000_000))
    local = threading.local()

    def post(number: int, body: bytes) -> None:
        from salessync.sandbox.delivery import Delivery

        local.session = getattr(local, "session", None) or requests.Session()
        delivery = Delivery("bench", "orders/create", body, f"latency-{number}", datetime.now(UTC), subject="")
        headers = dict(sign("shopify", delivery, "bench", datetime.now(UTC)))
        at = datetime.now(UTC)
        if local.session.post(f"{base}/webhooks/bench", data=body, headers=headers, timeout=30).status_code == 200:
            sent[json.loads(body)["id"]] = at

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        start = time.perf_counter()
        posts = []
        for number, body in enumerate(bodies):
            time.sleep(max(0.0, start + number / rate - time.perf_counter()))
            posts.append(pool.submit(post, number, body))
        for done in posts:
            done.result()
    deadline = time.time() + 30
    with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
        while time.time() < deadline:
            rows = connection.execute(
                "SELECT t.source_id, e.finished_at FROM channels_event e"
                " JOIN channels_transactionversion v ON v.event_id = e.id"
                " JOIN channels_transaction t ON t.id = v.transaction_id WHERE e.state = 'posted'"
            ).fetchall()
            if len(rows) >= len(sent):
                break
            time.sleep(0.2)
    warm = set(sorted(sent)[: rate * 2])
    delays = sorted(
        (posted - sent[int(id_)]).total_seconds() * 1000
        for id_, posted in rows
        if int(id_) in sent and int(id_) not in warm
    )
    if len(rows) < len(bodies):
        raise SystemExit(f"{len(bodies)} sent, {len(sent)} accepted, {len(rows)} posted")
    return {
        "latency_sales": len(delays),
        "latency_p50_ms": round(statistics.median(delays), 1),
        "latency_p95_ms": round(delays[int(len(delays) * 0.95)], 1),
        "latency_p99_ms": round(delays[int(len(delays) * 0.99)], 1),
        "latency_max_ms": round(delays[-1], 1),
    }


def _put(found: dict[str, object], name: str, runs: list[float], digits: int) -> None:
    found[name] = round(statistics.median(runs), digits)
    found[f"{name}_runs"] = [round(r, digits) for r in runs]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
