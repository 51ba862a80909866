"""How do rooms above say that a message may not go, though the policy would let it?

Owns what they are shown of a message about to go, and how their reason stands with it. Whoever claims messages, and the
agent who opens a call, is handed the asking as a value: this room knows nothing of campaigns and codes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from delivery.policy import LEFT_OUT


@dataclass(frozen=True)
class Going:
    """A message about to go, as whoever may object to it sees it; `code` is the one it carries, as stored."""

    id: int
    customer_id: int
    message_class: str
    campaign: str | None
    enrolment_ref: int | None
    code: str | None


Objecting = Callable[..., Mapping[int, str]]
"""`objecting(connection, messages, *, now)`: message id -> why it may not go, asked under the customers' locks."""


def left_out_words(reason: str) -> str:
    """An objection as it stands with its message."""
    return f"{LEFT_OUT}{reason}"[:200]
