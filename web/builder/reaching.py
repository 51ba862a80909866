"""Who of a draft's people can be written to, on which channel, and why are the others not?

Owns the waterfall after consent and its parts: everybody, each reason to stay silent, the reachable, each channel.
The promise: each person counts in one reason or one channel only, and every part can be opened as a list of people.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from delivery.policy import REASONS
from delivery.preference import Choice, choose_channels
from web.frame.plots import Channel, Exclusion, Waterfall, waterfall

MOST_REACHED = 20_000
"""Up to so many people the reach is worked out for everybody, beyond for a spread of as many."""
CHANNELS = (("email", "E-mail", "mail"), ("letter", "Letter", "mailbox"), ("phone", "Phone", "phone"))
CHANNEL_NAMES = {name: words for name, words, _icon in CHANNELS}
REACHABLE = "reachable"
_REASON_PLACE = {reason: number for number, reason in enumerate(REASONS)}
_SILENT = "no: "

Href = Callable[[str], str | None]
"""The address that lists the people of a part; None when there is none."""


@dataclass(frozen=True)
class Reach:
    """The waterfall after consent; `of` is how many people it was worked out for (fewer than `total`: a spread)."""

    fall: Waterfall
    reachable: int
    of: int
    total: int


def reach(
    session: Session, ids: Sequence[int], *, now: datetime, secret_key: str, href: Href = lambda _part: None
) -> Reach:
    """Who of these people can be written to, by the channel they prefer, and why the others cannot."""
    asked = spread(ids)
    parts = Counter(part_of(choice) for choice in _chosen(session, asked, now, secret_key))
    silent = {part: people for part, people in parts.items() if part.startswith(_SILENT)}
    steps = [Exclusion(part_words(part), people, href(part)) for part, people in sorted(
        silent.items(), key=lambda item: _REASON_PLACE.get(item[0].removeprefix(_SILENT), len(_REASON_PLACE)))]
    channels = [Channel(words, parts[name], icon, href(name) if parts[name] else None)
                for name, words, icon in CHANNELS]
    reachable = len(asked) - sum(silent.values())
    fall = waterfall("In the segment", len(asked), exclusions=steps, channels=channels, start_href=href(""),
                     reachable_href=href(REACHABLE) if reachable else None)
    return Reach(fall, reachable, len(asked), len(ids))


def spread(ids: Sequence[int]) -> Sequence[int]:
    """All of them, or as many as the reach is worked out for, evenly spread."""
    step = -(-len(ids) // MOST_REACHED) or 1
    return ids[::step]


def people_in(session: Session, ids: Sequence[int], part: str, *, now: datetime, secret_key: str) -> list[int]:
    """Those of these people who belong to a part of the waterfall; beyond `MOST_REACHED`, of the spread."""
    if not part:
        return list(ids)
    asked = spread(ids)
    found = [part_of(choice) for choice in _chosen(session, asked, now, secret_key)]
    return [customer_id for customer_id, own in zip(asked, found, strict=True)
            if own == part or (part == REACHABLE and own in CHANNEL_NAMES)]


def part_of(choice: Choice) -> str:
    """The part of the waterfall somebody belongs to: a channel, or the reason to stay silent."""
    return choice.channel or f"{_SILENT}{_last_reason(choice.why)}"


def part_words(part: str) -> str:
    """A part as headings and labels say it."""
    if part in CHANNEL_NAMES:
        return CHANNEL_NAMES[part]
    if not part or part == REACHABLE:
        return "Reachable" if part else "In the segment"
    return _sentence_case(part.removeprefix(_SILENT))


def _chosen(session: Session, ids: Sequence[int], now: datetime, secret_key: str) -> list[Choice]:
    if not ids:
        return []
    return choose_channels(session.connection(), ids, wish="preferred", allowed=tuple(CHANNEL_NAMES), now=now,
                           secret_key=secret_key)


def _last_reason(why: str) -> str:
    """The reason of the channel that asks least: letters need no consent, so theirs decides."""
    reasons = why.split("; ")
    letters = [reason for reason in reasons if "letter" in reason or "postal" in reason]
    return letters[0] if letters else reasons[-1]


def _sentence_case(text: str) -> str:
    plain = text.removeprefix("suppressed: ")
    said = f"blocked: {plain}" if plain != text else plain
    return said[:1].upper() + said[1:]
