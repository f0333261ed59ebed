"""The words in which things go wrong; each says what its *caller* must do.

Messages name the field and the reason, never the citizen's text: an error may end in a log, a
metric, a 4xx body or a dead letter, and none of those may carry personal data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: The longest reason that travels with a dead letter or an answer, in characters.
REASON_LIMIT: Final = 500


class TriageError(Exception):
    """Base of every error of ours.

    ``code`` names what is wrong for programs, and the text by which the desk tells it in the
    language of who looks (``problem`` in ``texts.toml``).
    """

    code: str = "refused"

    def __init__(self, *said: object, code: str = "") -> None:
        super().__init__(*said)
        if code:
            self.code = code

    def __str__(self) -> str:
        return super().__str__() or (self.__doc__ or "").splitlines()[0]


class InvalidPost(TriageError):
    """These bytes are no post. Never retry: dead-letter them, or answer 4xx.

    ``field`` is a path into the JSON (``author.followers``; empty for the whole), ``reason`` a
    closed vocabulary in Dutch that holds none of the input's text, ``offset`` the byte at which
    decoding stopped, where that is known, and ``raw`` the bytes themselves (for the dead letter
    only; it is no part of the message).
    """

    def __init__(
        self, field: str, reason: str, *, offset: int | None = None, raw: bytes = b""
    ) -> None:
        self.field = field
        self.reason = reason
        self.offset = offset
        self.raw = raw
        where = field or "bericht"
        at = f" (byte {offset})" if offset is not None else ""
        super().__init__(f"{where}: {reason}{at}")


class InvalidProfile(TriageError):
    """A profile cannot be used as it stands. Show ``problems`` and stop before anything runs."""

    def __init__(self, path: str, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        super().__init__("\n".join(f"{path}:{problem}" for problem in problems))


class InvalidModel(TriageError):
    """A model's files are missing, damaged or of another format. Keep the model that runs."""

    code = "model-damaged"


class Unavailable(TriageError):
    """A store or broker does not answer. Wait with jittered backoff and do the same again."""

    code = "store"


class Refused(TriageError):
    """The store is set up so that posts could be lost. Stop and tell the operator what to set."""


class StoreLost(TriageError):
    """The queue store lost everything it had. Rebuild it from the log, then go on."""

    code = "store"


class NotFound(TriageError):
    """No such ticket, team or organisation. Answer 404."""

    code = "no-ticket"


class Conflict(TriageError):
    """The ticket is not in the state that the action needs. Answer 409 and show who has it.

    ``code`` is one of ``claimed`` (another holds the lease), ``stale-token`` (the fencing token
    is older than the lease that stands), ``not-claimed`` (the action needs a lease), ``resolved``
    (the ticket is done) and others that the action names. ``fields``: what of it is in the way.
    """

    def __init__(self, code: str, message: str, *, fields: Sequence[str] = ()) -> None:
        super().__init__(message, code=code)
        self.fields = tuple(fields)


class TooManyRejected(TriageError):
    """So many posts were undecodable that the producer, or we, must be at fault. Stop the worker.

    A bad deploy must not empty the stream into the dead letter: the offset stays where it is.
    """
