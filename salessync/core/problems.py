"""A problem with an input: a code for machines, a place, and a sentence a bookkeeper understands. Pure."""

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """`code` is one token in capitals, `path` the canonical or vendor path, `message` a sentence for people."""

    code: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.code} {self.path} {self.message}"


def as_json(problems: Sequence[Problem]) -> str:
    """[{code, path, message}], as events keep them."""
    return msgspec.json.encode(problems).decode()


class Refused(Exception):
    """The payload or record cannot be used as it is; it goes to quarantine with these problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(p) for p in problems))
        self.problems = list(problems)
