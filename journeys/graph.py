"""What is a journey, once its JSON has been read?

Owns the frozen form of a graph: the values that the runner walks on, the drawing draws and the report reads. They are
made by `reading` alone, which checks their form; what the steps mean together is judged in `checking`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time

from segments.language.conditions import Rule

CHANNELS = ("preferred", "email", "letter", "phone")
ENTERING, LEAVING = "entering", "leaving"
MOVES = (ENTERING, LEAVING)
"""What a journey can wait for at its segment's door, instead of taking everybody who is in at its start."""


@dataclass(frozen=True)
class Send:
    """Say something: one message per person and visit, with a code when it names an offer."""

    key: str
    content: str
    next: str
    offer: str | None = None
    channel: str = "preferred"
    fallback: bool = False
    new_code: bool = False


@dataclass(frozen=True)
class Wait:
    """Stand still: for a while, until an instant, or until some days before the person's code ends."""

    key: str
    next: str
    days: int = 0
    hours: float = 0
    until: datetime | None = None
    code_ends: str | None = None
    minus_days: int = 0
    at_local_time: time | None = None


@dataclass(frozen=True)
class Branch:
    """Go one of two ways, by a rule asked on the row store."""

    key: str
    rule: Rule
    yes: str
    no: str


@dataclass(frozen=True)
class Split:
    """Draw an arm, once and for good: the same person always gets the same one."""

    key: str
    arms: tuple[tuple[str, float], ...]
    next: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True)
class Leave:
    """The journey is over for this person."""

    key: str


Step = Send | Wait | Branch | Split | Leave


@dataclass(frozen=True)
class ExitWhen:
    """Who is left in peace: who redeemed, who ordered in the campaign's goal, who fits one of the rules.

    `written_at` says where each rule stands in the list, for problems that are found later.
    """

    redeemed: bool = True
    ordered: bool = True
    rules: tuple[Rule, ...] = ()
    written_at: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Graph:
    """A whole journey. `holdout_percent`, `starts_at` and `ends_at` are None where the campaign's own hold.

    `on` is one of MOVES: whoever comes into the segment, or leaves it, enters then. None: its members, at the start.
    `standing`: the house's standing exclusions keep people out.
    """

    name: str
    segment: str
    start: str
    steps: Mapping[str, Step]
    holdout_percent: float | None = None
    exit_when: ExitWhen = ExitWhen()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    on: str | None = None
    standing: bool = False
