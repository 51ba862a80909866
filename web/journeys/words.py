"""How is a step of a journey said in one line?

Owns name, icon, one line of meaning and the full sentence of every kind of step, from the graph as stored. Pure: names
of contents, offers and segments are handed in. The promise: a step that cannot be read still has a name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeys.graphs.graph import (
    BestArm,
    Branch,
    Call,
    Change,
    Entry,
    Give,
    Jump,
    Leave,
    Send,
    Split,
    Step,
    Wait,
    WaitFor,
    Webhook,
)
from segments.telling.words import question, sentence
from web.wording import formatting

CHANNEL_WORDS: Mapping[str, str] = {"email": "e-mail", "letter": "letter", "phone": "phone"}
CHANNEL_ICONS: Mapping[str, str] = {"email": "mail", "letter": "mailbox", "phone": "phone"}
CARD_TEXT_PIXELS = 149
"""Room for a line of text on a card."""
NAME_PIXELS, LINE_PIXELS = 13.5, 12.0
"""Sizes of a card's two lines."""

KIND_WORDS: Mapping[str, str] = {
    "send": "Send", "wait": "Wait", "wait_for": "Wait for", "branch": "Question", "split": "Split",
    "best_arm": "Best arm", "webhook": "Tell a program", "give": "Give a code", "call": "Call", "change": "Change",
    "jump": "Go on elsewhere", "leave": "Leave in peace",
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
    if isinstance(step, WaitFor):
        awaited = _awaited(step)
        whole = f"Wait until the person {awaited}, at most {_wait(step.timeout, names, zone)}."
        return StepWords(name or "Wait for", "hourglass", awaited, whole)
    if isinstance(step, Branch):
        return _branch(step, name)
    if isinstance(step, Split):
        return _split(step, name)
    if isinstance(step, BestArm):
        by = _JUDGED_BY[step.by]
        return StepWords(name or "Best arm", "arrows-split-2", f"the best of {' / '.join(step.arms)}",
                         f"Drawn once and for good, arms that do better more often: {', '.join(step.arms)}, by {by} "
                         f"within {_days(step.days)}; none less often than {step.floor_percent:g} %.")
    if isinstance(step, Webhook):
        told = ", ".join(f"{field} {value}" for field, value in step.data)
        return StepWords(name or "Tell a program", "webhook", step.receiver,
                         f"Tell “{step.receiver}” ({step.event}) who came here{f', with {told}' if told else ''}. "
                         "People left alone are not told of.")
    if isinstance(step, Give):
        offer = names.offers.get(step.offer, step.offer)
        return StepWords(name or "Give a code", "gift", offer,
                         f"Give {'a new' if step.new_code else 'a personal'} code for “{offer}” without a message; "
                         "a later message shows it.")
    if isinstance(step, Call):
        return _call(step, name, names)
    if isinstance(step, Change):
        said = _changes(step, names)
        return StepWords(name or "Change", "pencil", said[0], f"{'; '.join(said)}. People left alone stay as they are.")
    if isinstance(step, Jump):
        return StepWords(name or "Go on elsewhere", "arrow-forward-up", "to another step", "Go on at another step.")
    assert isinstance(step, Leave)
    return StepWords(name or "Leave in peace", "door-exit", "nothing more is sent", "The journey is over.")


_JUDGED_BY = {"redemptions": "people who redeem", "margin": "margin per person"}


def _days(days: int) -> str:
    return f"{days} {'day' if days == 1 else 'days'}"


def _split(step: Split, name: str) -> StepWords:
    shares = " / ".join(f"{share:g}" for _arm, share in step.arms)
    whole = f"Drawn once and for good: {', '.join(f'“{arm}” {share:g} %' for arm, share in step.arms)}."
    if step.rest is not None:
        shares += f", rest {step.rest.percent:g}"
        whole += (f" The other {step.rest.percent:g} % wait until an arm has won, by {_JUDGED_BY[step.rest.by]} within "
                  f"{_days(step.rest.days)}, and then go its way.")
    return StepWords(name or "Split", "arrows-split-2", f"{shares}, per customer", whole)


def _changes(step: Change, names: Names) -> list[str]:
    said = []
    for name, value in step.values:
        spoken = {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value
        said.append(f"Take {name} away" if value is None else f"Set {name} to {spoken}")
    if step.add_to:
        said.append(f"Put onto the list “{names.segments.get(step.add_to, step.add_to)}”")
    if step.remove_from:
        said.append(f"Take off the list “{names.segments.get(step.remove_from, step.remove_from)}”")
    return said or ["Change nothing"]


def _call(step: Call, name: str, names: Names) -> StepWords:
    content = names.contents.get(step.content, step.content)
    offer = names.offers.get(step.offer, step.offer) if step.offer else None
    days = f"{step.days} {'day' if step.days == 1 else 'days'}"
    code = f", with {'a new' if step.new_code else 'the personal'} code for “{offer}”" if offer else ""
    return StepWords(name or content, "phone", offer or f"within {days}",
                     f"An agent calls with “{content}”{code}; goes on by what came of it, after {days} at the latest.")


def _branch(step: Branch, name: str) -> StepWords:
    if step.otherwise == "no":
        rule = step.cases[0][1]
        return StepWords(name or "Question", "git-branch", question(rule), f"{sentence(rule).rstrip('.')}?")
    whole = "; ".join(f"{case}: {sentence(rule).rstrip('.')}" for case, rule in step.cases)
    return StepWords(name or "Question", "git-branch", " / ".join(case for case, _rule in step.cases),
                     f"The first of these that fits. {whole}; else: everybody else.")


def _awaited(step: WaitFor) -> str:
    if step.rule is not None:
        return f"fits: {question(step.rule)}"
    if step.redeemed:
        return "redeems the code"
    if step.ordered:
        return f"orders {' or '.join(step.categories)}".strip() if step.categories else "orders"
    return f"has the event {step.event}{where_words(step.where)}"


def where_words(where: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    """Which properties an event must have, in words; empty when any will do."""
    return "".join(f", {name} {' or '.join(texts)}" for name, texts in where)


def entry_line(entry: Entry, segment: str) -> tuple[str, str] | None:
    """An entry that is not by the segment alone, in one line and in a sentence; None: the segment's own."""
    ways: list[tuple[str, str]] = []
    if entry.event is not None:
        of = f" of the segment “{segment}”" if segment else ""
        each = f", once for each {entry.key}" if entry.key else ""
        ways.append((f"enter on {entry.event}",
                     f"Who{of} has the event {entry.event}{where_words(entry.where)} enters then{each}."))
    elif entry.schedule is not None:
        ways.append((f"enter at {entry.schedule}",
                     f"Whoever is in the segment “{segment}” enters whenever the schedule {entry.schedule} rings."))
    if entry.api:
        ways.append(("enter by the API", "Programs let people in."))
    if entry.manual:
        ways.append(("let in by hand", "Colleagues let people in from their page."))
    if not ways or (segment and entry.event is None and entry.schedule is None):
        return None
    return ways[0][0], " ".join(sentence for _line, sentence in ways)


def _send(step: Send, name: str, names: Names) -> StepWords:
    content = names.contents.get(step.content, step.content)
    preferred = step.channel == "preferred"
    by = "on the preferred channel" if preferred else f"by {CHANNEL_WORDS.get(step.channel, step.channel)}"
    first = step.best_first
    if first is not None:
        by = (f"by {CHANNEL_WORDS[first.channel]} to the best, until a budget of {first.budget_cents / 100:,.2f} is"
              f" used, and to the rest {'on the next channel they allow' if preferred else by}")
    offer = names.offers.get(step.offer, step.offer) if step.offer else None
    line = offer or (f"{CHANNEL_WORDS[first.channel]} to the best first" if first is not None else
                     "letter, e-mail or phone" if preferred else by)
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
    return way if isinstance(step, Branch | Split | BestArm | WaitFor | Call) else ""


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


def step_name(graph: Mapping[str, Any], key: str, names: Names | None = None) -> str:
    """What a step of a stored graph is called: its own name, else that of its content, else the word for its kind."""
    steps = graph.get("steps")
    raw = steps.get(key) if isinstance(steps, dict) else None
    if not isinstance(raw, dict):
        return key
    own = raw.get("name")
    if isinstance(own, str) and own.strip():
        return own.strip()
    told = names.contents.get(str(raw.get("content"))) if names is not None else None
    return told or KIND_WORDS.get(str(raw.get("kind")), key)
