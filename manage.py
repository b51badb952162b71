#!/usr/bin/env python
"""Django's command line. A command that needs the database finds the embedded servers running; see embedded.py."""

import os
import signal
import sys

# They read and write files and standard streams only, so nothing is started for them.
WITHOUT_DATABASE = {
    "normalize", "validate", "schema",
    "help", "version", "check", "collectstatic", "findstatic", "makemigrations", "diffsettings", "startapp",
}  # fmt: skip


def needs_database(arguments: list[str]) -> bool:
    """Whether the command line asks for more than help or a command without a database."""
    if not arguments or arguments[0].startswith("-") or {"-h", "--help"} & set(arguments):
        return False
    return arguments[0] not in WITHOUT_DATABASE


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salessync.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line

    from salessync import celery

    celery.only_publish()
    # A migration or a rebuild may take longer than a request may.
    settings.DATABASES["default"]["OPTIONS"]["options"] += " -c statement_timeout=0"
    if settings.EMBEDDED and needs_database(sys.argv[1:]):
        with_embedded_servers(lambda: execute_from_command_line(sys.argv))
    else:
        execute_from_command_line(sys.argv)


def with_embedded_servers(run) -> None:
    """Run between joining and leaving the servers; a polite signal leaves them too."""
    import django
    from django.conf import settings

    from salessync.core import embedded

    django.setup()  # before anything runs: an import may swallow the exception by which a signal ends us
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        embedded.ensure_running()
    except embedded.UnableToStart as error:
        sys.exit(f"salessync: {error}")
    try:
        run()
    finally:
        embedded.leave(settings.DATA_DIR)


if __name__ == "__main__":
    main()
