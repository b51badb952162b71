"""The Celery application and every value of its configuration. Celery carries hints; PostgreSQL holds the facts.

Imports nothing of ours: `salessync.tasks` is named, not imported.
"""

import logging.config
import os
from typing import Any

from celery import Celery, signals
from celery.schedules import crontab
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salessync.settings")

app = Celery("salessync", include=["salessync.tasks"], broker=settings.REDIS_URL)
app.conf.update(
    # broker
    broker_connection_retry_on_startup=True,  # a worker that starts before its broker waits for it
    broker_connection_timeout=2,  # seconds
    broker_pool_acquire_timeout=2,  # the default waits for ever
    broker_transport_options={
        "visibility_timeout": 300,  # a killed worker's task comes back after that; three times task_time_limit and more
        "unacked_restore_interval": 5,  # looks for such tasks every 5 s …
        "unacked_restore_throttle": 1,  # … each time, not at every hundredth
        "socket_connect_timeout": 1,
        "socket_timeout": 5,  # must stay above the worker's poll of 1 s
        "socket_keepalive": True,
        "health_check_interval": 15,
        "retry_on_timeout": False,  # a hung broker costs one time-out, not two
        "global_keyprefix": "salessync:",  # others may share the broker
    },
    visibility_timeout=300,
    # messages
    task_ignore_result=True,  # results are rows in PostgreSQL; there is no result backend
    task_serializer="json",
    accept_content=["json"],
    task_publish_retry=False,  # a nudge that fails is dropped: the sweepers find the work
    task_default_queue="ingest",
    task_routes={
        "salessync.tasks.drain_inbox": {"queue": "ingest"},
        "salessync.tasks.push_outbox": {"queue": "push"},  # slow network calls keep out of the inbox's way
        "salessync.tasks.push_stock": {
            "queue": "stock"
        },  # a second counts, and a shop that hangs keeps nobody else waiting
        "salessync.tasks.expire_reservations": {"queue": "push"},
        "salessync.tasks.post_summaries": {"queue": "push"},  # short, like what follows
        "salessync.tasks.roll_sums": {"queue": "push"},
        "salessync.tasks.seal_audit": {"queue": "push"},
        "salessync.tasks.forget_answers": {"queue": "vendors"},
        "salessync.tasks.rebuild_books": {"queue": "vendors"},  # long, or waiting for others
        "salessync.tasks.tell_subscribers": {"queue": "vendors"},
        "salessync.tasks.read_bookkeeper_back": {"queue": "vendors"},
        "salessync.tasks.fetch_objects": {"queue": "vendors"},
        "salessync.tasks.read_vendors": {"queue": "vendors"},
        "salessync.tasks.check_totals": {"queue": "vendors"},
        "salessync.tasks.check_subscriptions": {"queue": "vendors"},
        "salessync.tasks.watch_nexus": {"queue": "vendors"},
        "salessync.tasks.consult_tax_providers": {"queue": "vendors"},
    },
    # workers
    task_acks_late=True,  # a task taken by a worker that dies is not lost …
    task_reject_on_worker_lost=True,  # … nor where only the pool's child dies; attempts are counted on the rows
    task_acks_on_failure_or_timeout=True,  # an exception is not repeated by the broker: the row's next attempt is
    worker_prefetch_multiplier=1,  # a hint waits where any free worker finds it
    task_soft_time_limit=60,
    task_time_limit=90,
    worker_max_tasks_per_child=1000,
    worker_max_memory_per_child=400_000,  # kB
    worker_soft_shutdown_timeout=20,  # seconds to finish what runs
    worker_enable_soft_shutdown_on_idle=True,
    CELERY_DB_REUSE_MAX=1000,  # otherwise the database connection is closed before and after each task
    worker_hijack_root_logger=False,
    # beat: the work that nobody nudged for, and what is due again
    beat_schedule={
        "inbox": {"task": "salessync.tasks.drain_inbox", "schedule": 5.0, "options": {"expires": 60}},
        "outbox": {"task": "salessync.tasks.push_outbox", "schedule": 5.0, "options": {"expires": 60}},
        "vendors": {"task": "salessync.tasks.read_vendors", "schedule": 15.0, "options": {"expires": 15}},
        "stock": {"task": "salessync.tasks.push_stock", "schedule": 5.0, "options": {"expires": 5}},
        "reservations": {"task": "salessync.tasks.expire_reservations", "schedule": 10.0, "options": {"expires": 10}},
        "summaries": {"task": "salessync.tasks.post_summaries", "schedule": 60.0, "options": {"expires": 60}},
        "sums": {"task": "salessync.tasks.roll_sums", "schedule": 10.0, "options": {"expires": 10}},
        "seals": {"task": "salessync.tasks.seal_audit", "schedule": 5.0, "options": {"expires": 5}},
        "rebuilds": {"task": "salessync.tasks.rebuild_books", "schedule": 60.0, "options": {"expires": 60}},
        "subscribers": {"task": "salessync.tasks.tell_subscribers", "schedule": 5.0, "options": {"expires": 10}},
        "answers": {
            "task": "salessync.tasks.forget_answers",
            "schedule": crontab(minute="41", hour="3"),
            "options": {"expires": 3600},
        },
        "read-back": {"task": "salessync.tasks.read_bookkeeper_back", "schedule": 60.0, "options": {"expires": 60}},
        "totals": {"task": "salessync.tasks.check_totals", "schedule": 60.0, "options": {"expires": 60}},
        "subscriptions": {  # hourly: each channel has its own hour of the day
            "task": "salessync.tasks.check_subscriptions",
            "schedule": crontab(minute="23"),
            "options": {"expires": 1800},
        },
        "nexus": {
            "task": "salessync.tasks.watch_nexus",
            "schedule": crontab(minute="11", hour="4"),
            "options": {"expires": 3600},
        },
        "tax-providers": {
            "task": "salessync.tasks.consult_tax_providers",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
        "fetches": {"task": "salessync.tasks.fetch_objects", "schedule": 5.0, "options": {"expires": 15}},
    },
)


def only_publish() -> None:
    """For processes that wait for no task: a hung broker costs them 2 s instead of 5."""
    app.conf.broker_transport_options["socket_timeout"] = 2


@signals.setup_logging.connect
def _log_like_the_rest(**_: Any) -> None:
    logging.config.dictConfig(settings.LOGGING)
