"""Nobody signs a file: it is captured, never posted."""

NO_WEBHOOK = True
