"""What is a journey, once its JSON has been read?

Owns the frozen form of a graph: the values that the runner walks on, the drawing draws and the report reads. They are
made by `reading` alone, which checks their form; what the steps mean together is judged in `checking`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import ClassVar

from segments.language.conditions import Rule

CHANNELS = ("preferred", "email", "letter", "phone")
ENTERING, LEAVING = "entering", "leaving"
UNITS = ("customer", "household", "organisation")
"""What hold-out and arm may be drawn for."""
CALL_WAYS = ("reached", "not_interested", "not_reached")
"""What may come of a call; who could not or may not be called counts as not reached."""
MEASURES = ("redemptions", "margin")
"""By what arms are judged: people who redeem, or what people earn us. Never by opens, which machines make."""
MOVES = (ENTERING, LEAVING)
"""What a journey can wait for at its segment's door, instead of taking everybody who is in at its start."""


@dataclass(frozen=True)
class BestFirst:
    """The best of those who enter together get a message by `channel`, until its price has used up `budget_cents`."""

    channel: str
    budget_cents: int


@dataclass(frozen=True)
class Send:
    """Say something: one message per person and visit, with a code when it names an offer. With `best_first`, `channel`
    is that of everybody else; "preferred" then never means the channel of the best."""

    key: str
    content: str
    next: str
    offer: str | None = None
    channel: str = "preferred"
    fallback: bool = False
    new_code: bool = False
    best_first: BestFirst | None = None

    @property
    def by_letter(self) -> bool:
        """Whether somebody surely gets a letter here."""
        return "letter" in (self.channel, self.best_first and self.best_first.channel)


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
class WaitFor:
    """Stand still until something happens, at most for a while: the ways are `yes` and `timeout`.

    Exactly one of `event` (with `where`: property -> texts it may have), `ordered` (in one of `categories`; none: in
    any), `redeemed` and `rule` says what is waited for. Only what happens after the person came here counts.
    """

    key: str
    next: Mapping[str, str] = field(hash=False)
    timeout: Wait
    event: str | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ordered: bool = False
    categories: tuple[str, ...] = ()
    redeemed: bool = False
    rule: Rule | None = None


@dataclass(frozen=True)
class Branch:
    """Go the way of the first case whose rule holds, asked on the row store; `otherwise` names the last way."""

    key: str
    cases: tuple[tuple[str, Rule], ...]
    next: Mapping[str, str] = field(hash=False)
    otherwise: str = "no"


@dataclass(frozen=True)
class Rest:
    """Those of a split who wait until an arm has won, and then go its way. `percent` of everybody, `by` is one of
    MEASURES, what people do within `days` of their drawing counts."""

    percent: float
    by: str = "redemptions"
    days: int = 7


@dataclass(frozen=True)
class Split:
    """Draw an arm, once and for good: the same person always gets the same one. With a rest, the shares of the arms and
    of the rest add up to 100."""

    key: str
    arms: tuple[tuple[str, float], ...]
    next: Mapping[str, str] = field(hash=False)
    rest: Rest | None = None


@dataclass(frozen=True)
class BestArm:
    """Draw an arm, better ones more and more often, none ever less than `floor_percent`; once and for good per passage.

    `by` one of MEASURES; what people do within `days` of their drawing counts, once those days are over.
    """

    key: str
    arms: tuple[str, ...]
    next: Mapping[str, str] = field(hash=False)
    by: str = "redemptions"
    days: int = 7
    floor_percent: float = 5.0


@dataclass(frozen=True)
class Webhook:
    """Tell a program of somebody else that this person came here; `data` is told beside who it is. The person goes on
    at once, whatever comes of the call. People left alone are not told of."""

    key: str
    receiver: str
    next: str
    event: str = "journey.step"
    data: tuple[tuple[str, str | bool | int | float | None], ...] = ()


@dataclass(frozen=True)
class Give:
    """A code of an offer without a message: a later message shows it, and so does whoever is asked for it."""

    key: str
    offer: str
    next: str
    new_code: bool = False


@dataclass(frozen=True)
class Call:
    """A task for an agent, with a guide and perhaps a code; the person goes on by what came of it, after `days` days at
    the latest. The ways are CALL_WAYS."""

    key: str
    content: str
    next: Mapping[str, str] = field(hash=False)
    offer: str | None = None
    new_code: bool = False
    days: int = 5
    channel: ClassVar[str] = "phone"


@dataclass(frozen=True)
class Change:
    """Change what is known of the person: attributes (None takes one away), and lists they are put onto or taken off.
    People left alone stay as they are."""

    key: str
    next: str
    values: tuple[tuple[str, str | bool | int | float | None], ...] = ()
    add_to: str | None = None
    remove_from: str | None = None


@dataclass(frozen=True)
class Jump:
    """Go on at another step, also an earlier one."""

    key: str
    next: str


@dataclass(frozen=True)
class Leave:
    """The journey is over for this person."""

    key: str


Step = Send | Wait | WaitFor | Branch | Split | BestArm | Give | Call | Change | Webhook | Jump | Leave


def ways_of(step: Step) -> dict[str, str]:
    """Path of each way out of a step -> the step it leads to."""
    if isinstance(step, Leave):
        return {}
    if isinstance(step.next, str):
        return {"next": step.next}
    return {f"next.{way}": target for way, target in step.next.items()}


def in_walking_order(graph: "Graph") -> tuple[str, ...]:
    """Every step once, none before a step that leads to it save in a circle; those nobody comes to stand last.

    A stored graph does not keep the order in which its steps were written.
    """
    return walked(graph.start, {key: list(ways_of(step).values()) for key, step in graph.steps.items()})


def walked(start: object, ways: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The keys of `ways`, which says where each leads, in walking order from `start` on."""
    placed: list[str] = []
    seen: set[str] = set()
    for first in (start, *sorted(ways)):
        ahead = [(first, False)]
        later: list[str] = []
        while ahead:
            key, done = ahead.pop()
            if done:
                later.append(str(key))
            elif isinstance(key, str) and key in ways and key not in seen:
                seen.add(key)
                ahead += [(key, True), *((target, False) for target in ways[key])]
        placed += reversed(later)
    return tuple(placed)


@dataclass(frozen=True)
class ExitWhen:
    """Who is left in peace: who redeemed, who ordered in the campaign's goal, who said no to a channel or complained
    since entering, who fits one of the rules.

    `written_at` says where each rule stands in the list, for problems that are found later.
    """

    redeemed: bool = True
    ordered: bool = True
    unsubscribed: bool = False
    complained: bool = False
    rules: tuple[Rule, ...] = ()
    written_at: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Entry:
    """What lets people in: an event (with `where`: property -> texts it may have, and `key`, the property whose value
    gives each cart or the like a passage of its own), a schedule of five fields, the API, a colleague by hand.

    `top`: only so many members of the segment enter, those of the highest expected contribution; None: all of them.
    """

    event: str | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    key: str | None = None
    schedule: str | None = None
    api: bool = False
    manual: bool = False
    top: int | None = None


@dataclass(frozen=True)
class Graph:
    """A whole journey. `holdout_percent`, `starts_at` and `ends_at` are None where the campaign's own hold.

    `entry` says what lets people in besides the segment, or instead of it (`segment` is then empty).
    `on` is one of MOVES: whoever comes into the segment, or leaves it, enters then. None: its members, at the start.
    `standing`: the house's standing exclusions keep people out.
    `group`: a person is in one journey of a group at a time; of two, the one of higher `priority` has the person.
    `unit`: what is drawn for, one of UNITS; of a household one person at a time is inside, of an organisation all.
    `quiet_hours`: no message of this journey goes out between these times where the person lives.
    `reentry_days`: who has left may come again this many days after entering last; 0 always, None never.
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
    entry: Entry = Entry()
    reentry_days: int | None = None
    group: str | None = None
    priority: int = 0
    quiet_hours: tuple[time, time] | None = None
    unit: str = "customer"

    @property
    def draws(self) -> bool:
        """Whether the members of the segment enter once, at the start."""
        entry = self.entry
        return bool(self.segment) and self.on is None and entry.event is None and entry.schedule is None
