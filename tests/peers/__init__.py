"""Servers that nobody here wrote: their sales come by polling and by webhook, and our books agree with their own figures.

`make peers` installs them from the registries into a folder outside of the repository (installing.py), starts each on 127.0.0.1 and
stops it after its tests; what cannot be installed or started is skipped with the reason.
"""
