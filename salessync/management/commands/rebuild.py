"""The books recomputed from the stored records, and what they lack posted."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from channels.models import Channel
from ledger import rebuild
from ledger.rebuild import SETTLES, Scope, Tally
from salessync.core import nudge
from salessync.core.models import Company
from salessync.core.money import to_major
from salessync.management.arguments import day_of
from salessync.management.company import add_company, company_of


class Command(BaseCommand):
    help = (
        "Recompute what should stand for every transaction's current version, and post the difference; nothing where nothing "
        "changed. On screen in major units, with --json in minor units. Exit 1 where something could not be computed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show the differences, post nothing")
        parser.add_argument("--channel", metavar="SLUG", help="only the sales of this channel")
        parser.add_argument(
            "--from", dest="first", metavar="YYYY-MM-DD", help="only sales of this business day and later"
        )
        parser.add_argument("--to", dest="last", metavar="YYYY-MM-DD", help="only sales up to this business day")
        parser.add_argument(
            "--after", metavar="MARK", default="", help="go on after this mark of a run that was stopped"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object")
        add_company(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        company = company_of(options)
        scope = _scope(company, options)
        tally, mark = Tally(company.closed_through), options["after"]
        try:
            while (piece := rebuild.step(scope, mark, post=not options["dry_run"])) is not None:
                tally.add(piece)
                mark = piece.after
                self._progress(tally, mark)
        except KeyboardInterrupt:
            self.stderr.write(f"Stopped. What was counted stays as it is; go on with --after {mark!r}")
            raise SystemExit(130) from None
        except OperationalError as error:
            raise CommandError(f"{error}. What was counted stays; go on with --after {mark!r}", returncode=1) from error
        finally:
            if tally.entries and not options["dry_run"]:
                nudge.nudge(nudge.PUSH_OUTBOX)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(tally, dry_run=options["dry_run"])))
        else:
            self.stdout.write(_as_text(tally, company, dry_run=options["dry_run"]))
        if tally.unsolved:
            raise CommandError(f"{tally.unsolved} could not be computed", returncode=1)

    def _progress(self, tally: Tally, mark: str) -> None:
        what = "payouts and the like" if mark.startswith(SETTLES) else "sales with their refunds and charges"
        self.stderr.write(f"{tally.looked_at} transactions looked at ({what}), {tally.entries} differences")


def _scope(company: Company, options: dict[str, Any]) -> Scope:
    first, last = (day_of(name, options[key]) for name, key in (("--from", "first"), ("--to", "last")))
    if first and last and first > last:
        raise CommandError(f"--from {first} is after --to {last}", returncode=2)
    if options["after"] and not rebuild.is_mark(options["after"]):
        raise CommandError(f"--after {options['after']!r} is no mark of a run", returncode=2)
    if not options["channel"]:
        return Scope(company.pk, None, first, last)
    channel = Channel.objects.filter(company=company, slug=options["channel"]).first()
    if channel is None:
        raise CommandError(f"{company.slug} has no channel {options['channel']!r}", returncode=2)
    return Scope(company.pk, channel.pk, first, last)


def _as_json(tally: Tally, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "looked_at": tally.looked_at,
        "transactions": len(tally.changed),
        "entries": tally.entries,
        "late": tally.late,
        "first": min(tally.days).isoformat() if tally.days else None,
        "last": max(tally.days).isoformat() if tally.days else None,
        "accounts": [
            {"account": account, "currency": currency, "amount": amount, "base_amount": base}
            for account, currency, amount, base in tally.deltas()
        ],
        "unsolved": tally.unsolved,
        "problems": tally.problems,
    }


def _as_text(tally: Tally, company: Company, *, dry_run: bool) -> str:
    said = [f"{_count(tally.looked_at, 'transaction')} looked at."]
    if not tally.entries:
        said.append("The books are as they should be.")
    else:
        days = _between(tally)
        would = "would be posted" if dry_run else "posted"
        said.append(
            f"{_count(tally.entries, 'difference')} {would}, of {_count(len(tally.changed), 'transaction')}, {days}."
        )
        if tally.late:
            said.append(f"{tally.late} of them of days that are closed: booked on the first open day.")
        said += _table(tally, company.base_currency) or ["No account's sum changes."]
    said += [f"Not computed: {problem}" for problem in tally.problems]
    return "\n".join(said)


def _between(tally: Tally) -> str:
    first, last = min(tally.days), max(tally.days)
    return f"on {first}" if first == last else f"on {len(tally.days)} days from {first} to {last}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _table(tally: Tally, base: str) -> list[str]:
    """Debit positive."""
    rows = [("Account", "", "Change", f"In {base}")] if tally.deltas() else []
    for account, currency, amount, worth in tally.deltas():
        rows.append((account, currency, to_major(amount, currency), to_major(worth, base)))
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(4)]
    return [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
