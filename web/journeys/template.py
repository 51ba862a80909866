"""How does a marketer draw a journey without writing JSON?

Owns the ready journey: arms that may differ in content, offer, channel and days, each with an invitation, some days of
waiting, and one reminder with the same code for who has not bought yet. Pure: choices in, a graph out that passes every
check when the names exist; and back again. The promise: what was changed by hand is never taken for the form's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from campaigns.models import Campaign
from journeys.graphs.graph import UNITS

LETTERS = "ABCDEF"
"""The names of the arms; as many are possible in the form."""
USUAL_DAYS = 7
QUIET_DAYS = 14
"""How long who gets no reminder has to answer, at least, and how far the question about orders looks back before it."""
_FORMS_ENTRY = ("segment", "on")


@dataclass(frozen=True)
class Arm:
    """What one part of the people gets: names of content and offer (None: no code), the channel, whether the next one
    takes over, days before the first message (0: at once), the reminder ("": none) and days before it. `best` is the
    channel by which the best hear the first message until `budget_cents` are used ("": `channel` is everybody's)."""

    letter: str
    share: float
    content: str
    offer: str | None
    channel: str = "preferred"
    fallback: bool = True
    after_days: int = 0
    reminder: str = ""
    reminder_days: int = USUAL_DAYS
    best: str = ""
    budget_cents: int = 0


@dataclass(frozen=True)
class Wish:
    """What the form asks: who enters, when (`on` is entering or leaving; None: who is in the segment at the start), the
    arms, the shares of several adding up to 100, and what is drawn for (one of UNITS)."""

    segment: str
    arms: Sequence[Arm]
    on: str | None = None
    unit: str = UNITS[0]


def ready_graph(campaign: Campaign, wish: Wish) -> dict[str, Any]:
    """The journey of a wish. Window and hold-out are the campaign's, so the graph does not repeat them."""
    return redrawn({"name": campaign.name, "exclude": ["standing"], "reentry": "never"}, wish,
                   goal=campaign.goal_categories)


def redrawn(draft: Mapping[str, Any], wish: Wish, *, goal: Sequence[str]) -> dict[str, Any]:
    """The draft with the way in, the unit, the start and the steps of a wish; everything else stays as it is."""
    entry = {name: value for name, value in draft.get("entry", {}).items() if name not in _FORMS_ENTRY}
    entry |= {"segment": wish.segment} | ({} if wish.on is None else {"on": wish.on})
    steps: dict[str, Any] = {}
    if len(wish.arms) > 1:
        steps["split"] = {"kind": "split", "name": _question(wish.arms),
                          "arms": {arm.letter: arm.share for arm in wish.arms},
                          "next": {arm.letter: _first(arm) for arm in wish.arms}}
    for arm in wish.arms:
        steps |= _steps(arm, goal)
    steps["peace"] = {"kind": "leave"}
    unit = {"unit": wish.unit} if "unit" in draft or wish.unit != UNITS[0] else {}
    start = "split" if len(wish.arms) > 1 else _first(wish.arms[0])
    return {**draft, **unit, "entry": entry, "start": start, "steps": steps}


def wish_of(draft: Mapping[str, Any]) -> Wish | None:
    """The choices from which this draft is drawn; None when it was drawn, or changed, by hand."""
    try:
        wish = _read(draft)
        asked = [step["if"] for name, step in draft["steps"].items() if name.startswith("bought_")]
        goal: Sequence[str] = asked[0].get("where", {}).get("category", []) if asked else []
        return wish if redrawn(draft, wish, goal=goal) == draft else None
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return None  # not of this form


def _first(arm: Arm) -> str:
    return f"{'later' if arm.after_days else 'offer'}_{arm.letter.lower()}"


def _question(arms: Sequence[Arm]) -> str:
    alike = {replace(arm, letter="", share=0, offer=None) for arm in arms}
    return "Which offer" if len(alike) == 1 else "Which arm"


def _steps(arm: Arm, goal: Sequence[str]) -> dict[str, Any]:
    letter, steps = arm.letter.lower(), dict[str, Any]()
    if arm.after_days:
        steps[f"later_{letter}"] = {"kind": "wait", "name": "Before the first word", "days": arm.after_days,
                                    "at_local_time": "09:00", "next": f"offer_{letter}"}
    steps[f"offer_{letter}"] = _send(arm, arm.content, f"pause_{letter}")
    if arm.best:
        steps[f"offer_{letter}"]["channel"] = {"best_first": arm.best, "budget_cents": arm.budget_cents,
                                               "rest": arm.channel}
    if not arm.reminder:
        return {**steps, f"pause_{letter}": {"kind": "wait", "name": "Time to answer",
                                             "days": max(arm.reminder_days, QUIET_DAYS), "next": "peace"}}
    return {
        **steps,
        f"pause_{letter}": {"kind": "wait", "days": arm.reminder_days, "at_local_time": "09:00",
                            "next": f"bought_{letter}"},
        f"bought_{letter}": {"kind": "branch", "name": "Bought meanwhile?",
                             "if": bought_rule(goal, arm.reminder_days + QUIET_DAYS),
                             "next": {"yes": "peace", "no": f"remind_{letter}"}},
        f"remind_{letter}": {**_send(arm, arm.reminder, "peace"), "name": "Reminder"}}


def _read(draft: Mapping[str, Any]) -> Wish:
    entry, steps = draft["entry"], draft["steps"]
    if "split" in steps:
        shares = {str(letter): share for letter, share in steps["split"]["arms"].items()}
    else:
        shares = {str(draft["start"])[-1].upper(): 100}
    unit = draft.get("unit", UNITS[0])
    if unit not in UNITS or set(shares) - set(LETTERS) or "event" in entry or "schedule" in entry:
        raise ValueError("not the form's")
    return Wish(entry["segment"], tuple(_arm(steps, letter, shares[letter]) for letter in sorted(shares)),
                entry.get("on"), unit)


def _arm(steps: Mapping[str, Any], letter: str, share: float) -> Arm:
    small = letter.lower()
    said, pause = steps[f"offer_{small}"], steps[f"pause_{small}"]
    reminder = steps[f"remind_{small}"]["content"] if f"remind_{small}" in steps else ""
    days, by = pause["days"], said["channel"]
    first = by if isinstance(by, dict) else {"best_first": "", "budget_cents": 0, "rest": by}
    return Arm(letter, share, said["content"], said.get("offer"), first["rest"], said["fallback"],
               steps[f"later_{small}"]["days"] if f"later_{small}" in steps else 0, reminder,
               USUAL_DAYS if not reminder and days == QUIET_DAYS else days, first["best_first"], first["budget_cents"])


def bought_rule(goal: Sequence[str], days: int) -> dict[str, Any]:
    """Ordered in one of these categories (none: in any) within the last days."""
    rule: dict[str, Any] = {"orders": "count"}
    if goal:
        rule["where"] = {"category": list(goal)}
    return {**rule, "window": {"last_days": days}, "at_least": 1}


def _send(arm: Arm, content: str, following: str) -> dict[str, Any]:
    step: dict[str, Any] = {"kind": "send", "content": content}
    if arm.offer is not None:
        step["offer"] = arm.offer
    return {**step, "channel": arm.channel, "fallback": arm.fallback, "next": following}
