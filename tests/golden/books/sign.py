"""Nobody signs an entry by hand: it comes from within, never by the webhook address."""

NO_WEBHOOK = True
