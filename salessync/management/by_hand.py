"""What commands say of an entry by hand."""

import json
from typing import NoReturn

import msgspec
from django.core.management.base import BaseCommand, CommandError

from ledger.by_hand import Submitted
from salessync.core.problems import Refused


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


def refuse(command: BaseCommand, refused: Refused, *, as_json: bool) -> NoReturn:
    """Every problem on a line of its own, or as JSON; nothing was booked."""
    if as_json:
        command.stdout.write(json.dumps({"problems": msgspec.to_builtins(refused.problems)}))
    else:
        for problem in refused.problems:
            command.stderr.write(str(problem))
    count = len(refused.problems)
    raise CommandError(f"nothing was booked: {count} problem{'' if count == 1 else 's'}", returncode=1)
