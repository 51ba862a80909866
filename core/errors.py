"""What can go wrong with a request, as one small tree.

Expected outcomes (a refused code, a suppressed message) are values, never exceptions. What is raised here is a request
that is malformed, not allowed, or at odds with what is stored. Each error is one clear sentence for the person who
asked, with the place it happened. Only `web/requests/errors.py` knows which HTTP status belongs to which class.
"""


class WinbackError(Exception):
    """The root: `message` says what is wrong and how to mend it; `place` says where (a rule path, a line, a field)."""

    reason = "invalid"

    def __init__(self, message: str, *, place: str | None = None) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.message = message
        self.place = place


class Invalid(WinbackError):
    """The request cannot be understood or breaks a stated limit."""


class SettingsError(Invalid):
    """A setting is missing or unusable; the message names it. Stops the start."""


class NotComputed(Invalid):
    """The rule is fine, but nobody has computed the score it asks for."""

    reason = "score_not_computed"


class Unauthorised(WinbackError):
    """Nobody we know is asking."""

    reason = "unauthorised"


class Forbidden(WinbackError):
    """We know who asks, and they may not."""

    reason = "forbidden"


class NotFound(WinbackError):
    """There is no such thing, or not for the one who asks."""

    reason = "not_found"


class Conflict(WinbackError):
    """The request is fine but the stored state moved on or forbids it."""

    reason = "conflict"


class NotReady(WinbackError):
    """The answer is being prepared (a mirror is building); asking again later helps."""

    reason = "not_ready"


class TooSlow(WinbackError):
    """The question was stopped at its time limit; asking the same again would take as long."""

    reason = "too_slow"
