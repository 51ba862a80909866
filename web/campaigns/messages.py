"""How do the messages of a campaign read as a table?

Owns the words of every state and the table by state and channel with reasons under it. Every number in it opens the
list behind it, through the same filter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from delivery.showing import MessageCount

STATE_WORDS: Mapping[str, str] = {
    "sent": "Sent", "queued": "Waiting", "claimed": "Being sent", "handed_over": "Handed over",
    "uncertain": "Uncertain", "failed": "Failed", "suppressed": "Not sent", "expired": "Too late",
    "cancelled": "Taken back", "withheld": "Left alone",
}
"""State of a message -> the marketer's word, in the order of the table."""

STATE_NOTES: Mapping[str, str] = {
    "sent": "the outside took it", "queued": "until it is due", "claimed": "a worker has it",
    "handed_over": "on its way, or a call on the desk", "uncertain": "may or may not have gone out",
    "failed": "did not arrive", "suppressed": "the law, the person, a missing address or an exclusion forbids it",
    "expired": "became due after the end", "cancelled": "the person redeemed, ordered or left",
    "withheld": "hold-out, for comparison",
}

TROUBLE: Mapping[str, str] = {"uncertain": "w", "failed": "b"}
"""State -> how its pill looks; the others are grey."""

CHANNELS = (("email", "E-mail"), ("letter", "Letter"), ("phone", "Phone"))
_NEEDS_REASON = ("suppressed", "expired", "cancelled", "failed", "uncertain")
MOST_REASONS = 8


@dataclass(frozen=True)
class ReasonLine:
    """Why, how many, and the reason as stored (None: not told)."""

    reason: str | None
    messages: int


@dataclass(frozen=True)
class StateLine:
    """One state: its word, numbers per channel in the order of CHANNELS plus no channel, and the reasons."""

    state: str
    word: str
    note: str
    by_channel: tuple[int, ...]
    total: int
    reasons: tuple[ReasonLine, ...]
    more_reasons: int


def state_lines(counts: Iterable[MessageCount]) -> list[StateLine]:
    """The table of a campaign's messages; states without any are left out."""
    by_state: dict[str, list[MessageCount]] = {}
    for each in counts:
        by_state.setdefault(each.state, []).append(each)
    return [_line(state, by_state[state]) for state in STATE_WORDS if state in by_state]


def _line(state: str, counts: list[MessageCount]) -> StateLine:
    names = [name for name, _words in CHANNELS]
    columns = [sum(each.messages for each in counts if each.channel == name) for name in names]
    columns.append(sum(each.messages for each in counts if each.channel not in names))
    reasons: dict[str | None, int] = {}
    for each in counts if state in _NEEDS_REASON else ():
        reasons[each.reason] = reasons.get(each.reason, 0) + each.messages
    ranked = sorted(reasons.items(), key=lambda pair: -pair[1])
    shown = tuple(ReasonLine(reason, number) for reason, number in ranked[:MOST_REASONS])
    return StateLine(state, STATE_WORDS[state], STATE_NOTES[state], tuple(columns),
                     sum(each.messages for each in counts), shown, max(len(ranked) - MOST_REASONS, 0))
