"""Which files of rates there are, and which of them count."""

import getpass
import json
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser

from tax.models import Dataset
from tax.rates import datasets
from tax.rates.datasets import Changes, UnableToChange

_LISTED = 100


class Command(BaseCommand):
    help = (
        "List the files of tax rates, or say what one would change, activate it (an earlier version too), discard it while it is staged,"
        " or withdraw it. Without an action: list."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "action", nargs="?", default="list", choices=["list", "changes", "activate", "discard", "withdraw"]
        )
        parser.add_argument("id", nargs="?", type=int, help="of the dataset, as the list shows it")
        parser.add_argument("--reason", default="", help="of an activation or withdrawal, kept with the book of rates")
        parser.add_argument(
            "--offset", type=int, default=0, help=f"of changes: leave out so many, and show the next {_LISTED}"
        )
        parser.add_argument("--actor", default="", help="who asks for it; the system's user where not given")
        parser.add_argument("--json", action="store_true", help="one JSON object; one a line in the list")

    def handle(self, *args: Any, **options: Any) -> None:
        action, pk = options["action"], options["id"]
        if (action == "list") != (pk is None):
            raise CommandError("name the action and the dataset's id: rate_files activate 7", returncode=2)
        if options["offset"] < 0:
            raise CommandError("--offset counts from 0", returncode=2)
        if pk is None:
            self._list(as_json=options["json"])
            return
        dataset = Dataset.objects.filter(pk=pk).first() if 0 < pk < 1 << 63 else None
        if dataset is None:
            raise CommandError(f"there is no dataset {pk}", returncode=2)
        try:
            self._do(action, dataset, options)
        except UnableToChange as error:
            raise CommandError(str(error), returncode=1) from None

    def _do(self, action: str, dataset: Dataset, options: dict[str, Any]) -> None:
        actor = options["actor"] or f"command:{getpass.getuser()}"
        book = None
        if action == "changes":
            self._changes(datasets.changes(dataset, offset=options["offset"], limit=_LISTED), as_json=options["json"])
            return
        if action == "discard":
            datasets.discard(dataset, actor)
        else:
            change = datasets.activate if action == "activate" else datasets.withdraw
            book = change(dataset, actor, options["reason"]).pk
        if options["json"]:
            self.stdout.write(
                json.dumps({"id": dataset.pk, "code": dataset.code, "status": dataset.status, "book": book})
            )
        else:
            self.stdout.write(f"{dataset} is {dataset.status}" + (f"; the book of rates is {book}" if book else ""))

    def _list(self, *, as_json: bool) -> None:
        for dataset in Dataset.objects.order_by("code", "id"):
            if as_json:
                self.stdout.write(json.dumps(_told(dataset)))
                continue
            counts = ", ".join(f"{n} {kind}" for kind, n in dataset.counts.items() if isinstance(n, int) and n)
            since = dataset.activated_at or dataset.staged_at
            self.stdout.write(f"{dataset.pk:>6}  {dataset.status:<11} {since:%Y-%m-%d %H:%M}  {dataset}  {counts}")

    def _changes(self, found: Changes, *, as_json: bool) -> None:
        kinds = {"rates": found.rates, "rules": found.rules, "deliveries": found.deliveries}
        zips = found.boundaries
        if as_json:
            told = {kind: count._asdict() for kind, count in kinds.items()}
            told |= {"boundaries": zips._asdict() | {"sample": [one._asdict() for one in zips.sample]}}
            told |= {"replaces": found.replaces.pk if found.replaces else None, "listed": found.listed}
            told |= {"rows": [{"what": r.what, "how": r.how, "sentence": r.sentence} for r in found.rows]}
            self.stdout.write(json.dumps({"id": found.dataset.pk, **told}))
            return
        self.stdout.write(f"{found.dataset} instead of {found.replaces or 'nothing of its code'}")
        for kind, count in kinds.items():
            self.stdout.write(f"{kind}: " + ", ".join(f"{n} {how}" for how, n in count._asdict().items()))
        self.stdout.write(
            f"boundaries: {zips.added} rows added, {zips.removed} removed, {zips.zips} ZIPs lie elsewhere"
        )
        for row in found.rows:
            self.stdout.write(f"  {row.how:<8} {row.sentence}")
        if found.listed > len(found.rows):
            self.stdout.write(f"  {len(found.rows)} of {found.listed}: --offset shows others")
        for one in zips.sample:
            self.stdout.write(f"  {one.sentence}")


def _told(dataset: Dataset) -> dict[str, Any]:
    names = (
        "code",
        "format",
        "version",
        "publisher",
        "file_name",
        "sha256",
        "rank",
        "status",
        "counts",
        "staged_by",
        "activated_by",
    )
    days = {
        name: value.isoformat() if (value := getattr(dataset, name)) else None
        for name in ("staged_at", "activated_at", "ended_at")
    }
    return {
        "id": dataset.pk,
        **{name: getattr(dataset, name) for name in names},
        **days,
        "problems": len(dataset.problems),
    }
