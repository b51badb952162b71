"""A channel's days beside its vendor's own lists; what we lack goes into the inbox."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from channels import completeness
from channels.models import Channel, ControlDay, ControlTotal
from salessync.core.screens import money
from salessync.management.arguments import day_of

MOST_DAYS = 400
HEADINGS = ("", "", "Vendor", "", "Ours", "", "In the inbox", "Only here", "Missing")
IDS = (
    ("missing", "Missing"),
    ("differing", "Changed at the vendor"),
    ("in_inbox", "In the inbox"),
    ("extra", "Only here"),
    ("recovered", "Recovered"),
)
NUMBERS = ("type", "currency", "vendor_count", "our_count", "vendor_gross", "our_gross")


class Command(BaseCommand):
    help = (
        "Compare a channel's business days with what its vendor lists, and bring what we lack into the inbox: yesterday and today, "
        "or the days named. On screen in major units, with --json in minor units. Exit 1 where a gap remains or could not be looked for."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--day", metavar="YYYY-MM-DD")
        parser.add_argument("--since", metavar="YYYY-MM-DD")
        parser.add_argument("--until", metavar="YYYY-MM-DD", help="the last day; today where it is left out")
        parser.add_argument("--json", action="store_true", help="one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        channel = Channel.objects.filter(slug=options["slug"]).first()
        if channel is None:
            raise CommandError(f"there is no channel {options['slug']!r}", returncode=2)
        try:
            controls = [completeness.day_of(channel, day) for day in _days(channel, options)]
        except completeness.NotCheckable as reason:
            raise CommandError(f"{channel.slug} is not checked: {reason}", returncode=2) from None
        busy = [str(control.day) for control in controls if not completeness.check(control, anew=True)]
        good = not busy and all(_is_good(control) for control in controls)
        if options["json"]:
            days = [_as_json(control) for control in controls]
            self.stdout.write(json.dumps({"channel": channel.slug, "ok": good, "days": days}))
        else:
            self.stdout.write("\n\n".join("\n".join(_as_table(control)) for control in controls))
        if busy:
            raise CommandError(f"somebody else compares {', '.join(busy)} just now", returncode=1)
        if not good:
            raise CommandError("not every day is complete; what was found missing is in the inbox now", returncode=1)


def _days(channel: Channel, options: dict[str, Any]) -> list[date]:
    day, since, until = (day_of(f"--{name}", options[name]) for name in ("day", "since", "until"))
    today = completeness.today_of(channel, timezone.now())
    if day and (since or until):
        raise CommandError("--day or --since and --until, not both", returncode=2)
    if until and not since:
        raise CommandError("--until needs --since", returncode=2)
    if day:
        return [day]
    first, last = (since, until or today) if since else (today - timedelta(days=1), today)
    count = (last - first).days + 1
    if not 1 <= count <= MOST_DAYS:
        raise CommandError(f"from {first} to {last} is not between 1 and {MOST_DAYS} days", returncode=2)
    return [first + timedelta(days=n) for n in range(count)]


def _is_good(control: ControlDay) -> bool:
    return control.state not in (ControlDay.State.OPEN, ControlDay.State.FAILED)


def _totals(control: ControlDay) -> list[ControlTotal]:
    return list(control.totals.order_by("-type", "currency"))


def _as_json(control: ControlDay) -> dict[str, Any]:
    names = (*NUMBERS, *(name for name, _ in IDS))
    return {
        "day": control.day.isoformat(),
        "state": control.state,
        "error": control.error,
        "checked_until": control.checked_until.isoformat() if control.checked_until else None,
        "unreadable": control.unreadable,
        "totals": [
            {name: getattr(total, name) for name in names}
            | {"recovered_at": total.recovered_at.isoformat() if total.recovered_at else None}
            for total in _totals(control)
        ],
    }


def _as_table(control: ControlDay) -> Iterator[str]:
    yield f"{control.channel} {control.day}: {control.get_state_display()}{f'. {control.error}' if control.error else ''}"
    totals = _totals(control)
    if not totals:
        yield "  nothing on either side" if control.checked_at else "  not compared yet"
        return
    cells = [HEADINGS, *(_cells(total) for total in totals)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(HEADINGS))]
    for row in cells:
        aligned = (c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        yield "  " + "  ".join(aligned).rstrip()
    for total in totals:
        for name, said in IDS:
            ids = getattr(total, name)
            if ids:
                yield f"  {said} ({total.type} {total.currency}): {', '.join(ids)}"
    if control.unreadable:
        yield f"  {control.unreadable} of the vendor's objects could not be read: they are in quarantine"


def _cells(total: ControlTotal) -> tuple[str, ...]:
    return (
        total.type,
        total.currency,
        str(total.vendor_count),
        money(total.vendor_gross, total.currency),
        str(total.our_count),
        money(total.our_gross, total.currency),
        str(len(total.in_inbox)),
        str(len(total.extra)),
        str(len(total.missing) + len(total.differing)),
    )
