"""What commands say of an entry by hand."""

import json

from django.core.management.base import BaseCommand, CommandError

from ledger.by_hand import Submitted


def answer(command: BaseCommand, done: Submitted, *, as_json: bool) -> None:
    """Where the entry is; CommandError (a violation) where it ended in quarantine."""
    if as_json:
        command.stdout.write(json.dumps(done._asdict()))
    elif done.duplicate:
        command.stdout.write(f"{done.id}: known before, nothing changed; its event {done.event_id} is {done.state}")
    else:
        command.stdout.write(f"{done.id}: version {done.version} is in the inbox as event {done.event_id}")
    if done.problems:
        raise CommandError("; ".join(f"{p['code']} {p['path']} {p['message']}" for p in done.problems), returncode=1)
