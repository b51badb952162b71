"""What commands read of their arguments, each with one sentence where it is wrong (exit 2)."""

from datetime import date
from pathlib import Path

from django.core.management.base import CommandError


def required_day(option: str, text: str) -> date:
    """A day as people write it; `option` such as --from, empty for an argument without a name."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option} {text!r} is not a day (YYYY-MM-DD)".lstrip(), returncode=2) from None


def day_of(option: str, text: str | None) -> date | None:
    """None where it was left out."""
    return required_day(option, text) if text else None


def text_of(path: Path) -> str:
    """A file in UTF-8, with or without a byte order mark."""
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}", returncode=2) from None
