"""Events that wait for a person."""

from channels.models.event import Event


class QuarantinedEvent(Event):
    """Not posted, and not to be posted as it stands; seen as a list of its own, with no permissions of its own."""

    STATES = (Event.State.QUARANTINED, Event.State.DEAD)

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = "quarantined event"

    def __str__(self) -> str:
        return f"event {self.pk}: {self.codes[0] if self.codes else self.state}"

    @property
    def codes(self) -> list[str]:
        """Its problems' codes, each once."""
        return list(dict.fromkeys(p["code"] for p in self.problems or []))
