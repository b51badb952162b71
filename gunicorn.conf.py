"""gunicorn's options, in one place for the Procfile, the container and `manage.py serve`."""

import os

bind = f"{os.environ.get('HOST') or '0.0.0.0'}:{os.environ.get('PORT') or '8000'}"  # noqa: S104 (a container's port)
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
worker_class = "gthread"  # a sender on a slow line holds a thread, not a process
threads = 4
preload_app = True  # wrong settings end the start at once, instead of every worker's again and again
graceful_timeout = 15  # seconds for requests in work
keepalive = 5
loglevel = "warning"
control_socket_disable = True  # it would be one file a user, shared by all that run here
