"""What does a channel take, and what does it answer?

Owns the small protocol between the ledger and the outside world: an `Envelope` goes out, an `Outcome` comes back, one
for each and in the same order. A channel never raises for a single message and never guesses: what may have been
delivered is `unknown`, and only a recipient who does not exist puts an address in question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

OutcomeKind = Literal["accepted", "refused_permanently", "refused_for_now", "unknown"]
About = Literal["address", "mailbox", "us", "unclear"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message ready to leave.

    `ledger_id` and `message_id` name it here and outside; `address` is where it goes; `sender` is the return path of an
    e-mail; `body` is what is handed over (a whole MIME message, a PDF, a text); `subject` and `code` are for the eye.
    """

    ledger_id: int
    message_id: str
    channel: str
    address: str
    body: bytes
    sender: str = ""
    subject: str = ""
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one envelope.

    `refused_for_now` was certainly not delivered and may be tried again; `unknown` may have been delivered and is never
    repeated by itself. `about` says whose fault a refusal is; `code` and `text` are the other side's own words.
    """

    kind: OutcomeKind
    code: int | None = None
    text: str = ""
    about: About = "unclear"

    @property
    def suppresses_address(self) -> bool:
        """Whether the address does not exist. Refusals over policy are about us and say nothing about the address."""
        return self.kind == "refused_permanently" and self.about == "address"


def accepted(code: int | None = None, text: str = "") -> Outcome:
    """The other side has taken responsibility."""
    return Outcome("accepted", code, text)


def refused_permanently(code: int | None, text: str, about: About = "unclear") -> Outcome:
    """The other side will never take it; it was not delivered."""
    return Outcome("refused_permanently", code, text, about)


def refused_for_now(code: int | None, text: str, about: About = "unclear") -> Outcome:
    """Not delivered this time; trying again later may help."""
    return Outcome("refused_for_now", code, text, about)


def unknown(text: str) -> Outcome:
    """It may or may not have been delivered."""
    return Outcome("unknown", None, text)


class Channel(Protocol):
    """A way out. `name` is the channel's name in the ledger."""

    name: str

    def send_many(self, envelopes: Sequence[Envelope], *, now: datetime) -> list[Outcome]:
        """Hand over each envelope once; answer one outcome each, in order."""
        ...
