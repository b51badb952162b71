"""How commands say that a file or entry was refused."""

import json
from typing import NoReturn

import msgspec
from django.core.management.base import BaseCommand, CommandError

from salessync.core.problems import Refused


def refuse(command: BaseCommand, refused: Refused, *, as_json: bool, done: str = "booked") -> NoReturn:
    """Every problem on a line of its own, or as JSON; nothing was done (exit 1)."""
    if as_json:
        command.stdout.write(json.dumps({"problems": msgspec.to_builtins(refused.problems)}))
    else:
        for problem in refused.problems:
            command.stderr.write(str(problem))
    count = len(refused.problems)
    raise CommandError(f"nothing was {done}: {count} problem{'' if count == 1 else 's'}", returncode=1)
