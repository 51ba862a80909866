"""How is a step of a journey said in one line?

Owns name, icon, one line of meaning and the full sentence of every kind of step, from the graph as stored. Pure: names
of contents, offers and segments are handed in. The promise: a step that cannot be read still has a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from journeys.graph import Branch, Leave, Send, Split, Step, Wait
from segments.telling.words import question, sentence
from web import formatting

CHANNEL_WORDS: Mapping[str, str] = {"email": "e-mail", "letter": "letter", "phone": "phone"}
CHANNEL_ICONS: Mapping[str, str] = {"email": "mail", "letter": "mailbox", "phone": "phone"}
CARD_TEXT_PIXELS = 149
"""Room for a line of text on a card."""
NAME_PIXELS, LINE_PIXELS = 13.5, 12.0
"""Sizes of a card's two lines."""

KIND_WORDS: Mapping[str, str] = {
    "send": "Send", "wait": "Wait", "branch": "Question", "split": "Split", "leave": "Leave in peace",
}


@dataclass(frozen=True)
class Names:
    """What keys are called, for people."""

    contents: Mapping[str, str] = field(default_factory=dict)
    offers: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StepWords:
    """A step in words: `line` fits on its card, `whole` says everything."""

    name: str
    icon: str
    line: str
    whole: str


def step_words(step: Step, raw: Mapping[str, Any], names: Names, *, zone: str) -> StepWords:
    """The words of one step; `raw` is its JSON, which may give it a name of its own."""
    own = raw.get("name")
    name = own.strip() if isinstance(own, str) and own.strip() else ""
    if isinstance(step, Send):
        return _send(step, name, names)
    if isinstance(step, Wait):
        whole = _wait(step, names, zone)
        return StepWords(name or "Wait", "hourglass-high", whole, f"Wait {whole}.")
    if isinstance(step, Branch):
        whole = f"{sentence(step.rule).rstrip('.')}?"
        return StepWords(name or "Question", "git-branch", question(step.rule), whole)
    if isinstance(step, Split):
        shares = " / ".join(f"{share:g}" for _arm, share in step.arms)
        whole = ", ".join(f"{arm} {share:g} %" for arm, share in step.arms)
        return StepWords(name or "Split", "arrows-split-2", f"{shares}, per customer",
                         f"Drawn once and for good: {whole}.")
    assert isinstance(step, Leave)
    return StepWords(name or "Leave in peace", "door-exit", "nothing more is sent", "The journey is over.")


def _send(step: Send, name: str, names: Names) -> StepWords:
    content = names.contents.get(step.content, step.content)
    preferred = step.channel == "preferred"
    by = "on the preferred channel" if preferred else f"by {CHANNEL_WORDS.get(step.channel, step.channel)}"
    offer = names.offers.get(step.offer, step.offer) if step.offer else None
    line = offer or ("letter, e-mail or phone" if preferred else by)
    whole = f"Send “{content}” {by}"
    if offer:
        whole += f", with {'a new' if step.new_code else 'the personal'} code for “{offer}”"
    if step.fallback:
        whole += "; if that fails, on the next channel they allow"
    icon = "send" if preferred else CHANNEL_ICONS.get(step.channel, "mail")
    return StepWords(name or content, icon, line, f"{whole}.")


def _wait(step: Wait, names: Names, zone: str) -> str:
    at = f" at {step.at_local_time:%H:%M}" if step.at_local_time else ""
    if step.until is not None:
        local = formatting.local_date(step.until, zone)
        return f"until {formatting.day(local, today=local)} {formatting.clock_time(step.until, zone=zone)}"
    if step.code_ends is not None:
        offer = names.offers.get(step.code_ends, step.code_ends)
        days = f"{step.minus_days} {'day' if step.minus_days == 1 else 'days'} before" if step.minus_days else "until"
        return f"{days} the code ends{at} ({offer})" if offer else f"{days} the code ends{at}"
    spans = []
    if step.days:
        spans.append(f"{step.days} {'day' if step.days == 1 else 'days'}")
    if step.hours:
        spans.append(f"{step.hours:g} {'hour' if step.hours == 1 else 'hours'}")
    if not spans:
        return f"until the next{at.replace(' at', '')}"
    return f"{' and '.join(spans)}{', then' + at if at else ''}"


def way_words(step: Step, way: str) -> str:
    """What stands on a way out of a step: "yes", an arm; nothing where there is one way."""
    return way if isinstance(step, Branch | Split) else ""


_LETTER_WIDTHS: Mapping[str, float] = {
    **dict.fromkeys("ijl'|", 0.23), **dict.fromkeys(" .,:;!ft/I[]", 0.28), **dict.fromkeys('r-()"“”', 0.34),
    **dict.fromkeys("cksvxyzJ", 0.5), **dict.fromkeys("wCDHNRU", 0.72), **dict.fromkeys("GOQmM", 0.8),
    **dict.fromkeys("W%@…", 0.95),
}
"""Widths of letters in a common sans-serif, as shares of the size; other small letters and digits are 0.56."""


def cut(text: str, size: float, *, bold: bool = False) -> str:
    """The text, shortened with an ellipsis when it does not fit on a card."""
    plain = " ".join(text.split())
    room = CARD_TEXT_PIXELS / (size * (1.07 if bold else 1.0))
    if sum(map(_letter, plain)) <= room:
        return plain
    room -= _letter("…")
    for place, letter in enumerate(plain):
        room -= _letter(letter)
        if room < 0:
            return plain[:place].rstrip() + "…"
    return plain


def _letter(letter: str) -> float:
    return _LETTER_WIDTHS.get(letter, 0.67 if letter.isupper() else 0.56)


def step_name(graph: Mapping[str, Any], key: str) -> str:
    """What a step of a stored graph is called: its own name, else the word for its kind."""
    steps = graph.get("steps")
    raw = steps.get(key) if isinstance(steps, dict) else None
    if not isinstance(raw, dict):
        return key
    own = raw.get("name")
    return own.strip() if isinstance(own, str) and own.strip() else KIND_WORDS.get(str(raw.get("kind")), key)
