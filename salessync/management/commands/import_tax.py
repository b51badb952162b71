"""Tax rates and boundaries from a file of an authority."""

import getpass
import json
from hashlib import file_digest
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from salessync.core.problems import Refused
from salessync.management.refusing import refuse
from tax import formats
from tax.models import Dataset
from tax.rates import datasets
from tax.rates.changes import Count

_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Stage a file of tax rates or boundaries, and show what it would change; with --activate it counts from then on. "
        "All or nothing; the same file twice changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="plain, or a ZIP with one CSV")
        parser.add_argument("--format", default="auto", choices=["auto", *formats.FORMATS])
        parser.add_argument("--state", default="", metavar="ST", help="the American state that the file is of, as GA")
        parser.add_argument("--activate", action="store_true")
        parser.add_argument("--reason", default="", help="why it is activated")
        parser.add_argument("--actor", default="", help="who does it; the system's user where not given")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        state = options["state"].upper()
        if state and state not in formats.STATES:
            raise CommandError(f"{options['state']!r} is no state: two letters, as GA", returncode=2)
        actor = options["actor"] or f"command:{getpass.getuser()}"
        try:
            with file.open("rb") as content:
                digest = file_digest(content, "sha256").hexdigest()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error}", returncode=2) from None
        try:
            loaded = formats.read(file, options["format"], state)
            datasets.load_seed(actor)  # the file names its states, and is compared with what counts
            with transaction.atomic():
                dataset = datasets.stage(
                    loaded, file_name=file.name, sha256=digest, actor=actor, progress=self._progress(options)
                )
                changes = datasets.changes(dataset, limit=_SHOWN)
                if options["activate"]:
                    datasets.activate(dataset, actor, options["reason"])
        except Refused as refused:
            refuse(self, refused, as_json=options["json"], done="stored")
        except datasets.UnableToChange as error:
            raise CommandError(str(error), returncode=1) from None
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(dataset, changes)))
        else:
            self._tell(dataset, changes)

    def _progress(self, options: dict[str, Any]) -> Any:
        if options["json"] or options["verbosity"] < 2:
            return lambda stored: None
        return lambda stored: self.stderr.write(f"{stored} boundaries")

    def _tell(self, dataset: Dataset, changes: datasets.Changes) -> None:
        counts = {**dataset.counts}
        left_out, covers = counts.pop("left_out", {}), counts.pop("covers", [])
        said = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in counts.items() if number)
        self.stdout.write(f"{dataset}: {said}" + (f"; of {', '.join(covers)}" if covers else ""))
        for reason, number in left_out.items():
            self.stdout.write(f"  {number} rows: {reason}")
        for problem in dataset.problems:
            self.stdout.write(f"  {problem['code']} {problem['path']} {problem['message']}")
        replaces = f" in place of {changes.replaces.version}" if changes.replaces else ""
        self.stdout.write(f"{_verb(dataset)}{replaces}: {_count(changes.rates)} rates")
        for row in changes.rows:
            self.stdout.write(f"  {row.sentence}")
        if changes.listed > len(changes.rows):
            self.stdout.write(f"  … and {changes.listed - len(changes.rows)} more")
        bounds = changes.boundaries
        if bounds.added or bounds.removed:
            self.stdout.write(
                f"  {bounds.added} boundaries added, {bounds.removed} removed: {bounds.zips} ZIPs lie elsewhere"
            )
        if dataset.status == Dataset.Status.STAGED:
            self.stdout.write("it is staged, and counts for nothing yet: --activate")


def _verb(dataset: Dataset) -> str:
    return "it is active" if dataset.status == Dataset.Status.ACTIVE else "it would be active"


def _count(count: Count) -> str:
    return ", ".join(f"{number} {how}" for how, number in count._asdict().items())


def _as_json(dataset: Dataset, changes: datasets.Changes) -> dict[str, Any]:
    bounds = changes.boundaries
    return {
        "id": dataset.pk, "code": dataset.code, "version": dataset.version, "status": dataset.status, "counts": dataset.counts,
        "problems": dataset.problems,
        "changes": {
            "replaces": changes.replaces.version if changes.replaces else None,
            "rates": changes.rates._asdict(), "rules": changes.rules._asdict(), "deliveries": changes.deliveries._asdict(),
            "boundaries": {"added": bounds.added, "removed": bounds.removed, "zips": bounds.zips},
            "rows": [row.sentence for row in changes.rows],
        },
    }  # fmt: skip
